"""DeleteMultipleObjects of keys that XML cannot hold."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from airflow_provider_oss_resume.devserver.errors import OSSError
from airflow_provider_oss_resume.devserver.http.documents import deletion
from tests.devserver.wire import Answer, Wire

ODD = ["a\x01b", "\x1f", "<hello>", "cr\rlf\n", "tab\t", "\ue000" + "1\ue001", "\ufffe", "&#1;", "plain"]


def escaped(key: str, references: bool) -> str:
    text = key.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"&#x{ord(one):x};" if ord(one) < 32 else one for one in text) if references else text


def document(keys: list[str], references: bool = False) -> bytes:
    listed = "".join(f"<Object><Key>{escaped(key, references)}</Key></Object>" for key in keys)
    return f'<?xml version="1.0" encoding="UTF-8"?><Delete>{listed}</Delete>'.encode()


def delete(wire: Wire, body: bytes, **query: str) -> Answer:
    return wire.send("POST", None, {"delete": "", **{k.replace("_", "-"): v for k, v in query.items()}}, {}, body)


@pytest.mark.parametrize("references", [False, True], ids=["raw", "references"])
def test_every_key_is_read_as_it_is(references: bool) -> None:
    assert list(deletion(document(ODD, references)).keys) == ODD
    assert deletion(document(ODD, references)).has_references is references


@pytest.mark.parametrize("references", [False, True], ids=["raw", "references"])
def test_the_objects_are_deleted_and_no_other(wire: Wire, references: bool) -> None:
    for key in (*ODD, "\x01", "hello"):
        assert wire.send("PUT", key, body=b"x").status == 200
    answer = delete(wire, document(ODD, references), encoding_type="url")
    assert answer.texts("Deleted/Key") == [quote(key, safe="") for key in ODD]
    assert answer.text("EncodingType") == "url"
    assert wire.send("GET", None, {"encoding-type": "url"}).texts("Contents/Key") == ["%01", "hello"]


def test_the_reply_spells_control_characters_as_the_request_did(wire: Wire) -> None:
    assert b"<Key>a\x01b</Key>" in delete(wire, document(["a\x01b"])).body
    assert b"<Key>a&#x1;b</Key>" in delete(wire, document(["a\x01b"], references=True)).body


def test_a_reference_in_cdata_is_plain_text() -> None:
    body = b"<Delete><Object><Key><![CDATA[a&#1;b]]></Key></Object></Delete>"
    assert deletion(body).keys == ("a&#1;b",)


@pytest.mark.parametrize("reference", ["&#xD800;", "&#x110000;"])
def test_a_reference_to_no_character_is_malformed(reference: str) -> None:
    with pytest.raises(OSSError, match="MalformedXML"):
        deletion(f"<Delete><Object><Key>{reference}</Key></Object></Delete>".encode())


def test_another_version_is_not_deleted(wire: Wire) -> None:
    wire.send("PUT", "key", body=b"x")
    body = b"<Delete><Object><Key>key</Key><VersionId>%s</VersionId></Object></Delete>"
    assert delete(wire, body % b"CAEQ").texts("Deleted/VersionId") == ["CAEQ"]
    assert wire.send("DELETE", "key", {"versionId": "CAEQ"}).status == 204
    assert wire.send("HEAD", "key").status == 200
    delete(wire, body % b"null")
    assert wire.send("HEAD", "key").status == 404
