"""PutSymlink and GetSymlink, and what reading a symbolic link replies."""

from __future__ import annotations

import pytest

from tests.devserver.wire import Wire

TARGET = "x-oss-symlink-target"


def link(wire: Wire, key: str, target: str, **headers: str) -> None:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    assert wire.send("PUT", key, {"symlink": ""}, {TARGET: target, **named}).status == 200


def test_a_symlink_reads_as_its_target(wire: Wire) -> None:
    put = wire.send("PUT", "exports/a b", {}, {"Content-Type": "text/csv"}, b"data")
    link(wire, "latest", "exports%2Fa%20b", x_oss_meta_note="link")
    got = wire.send("GET", "latest")
    assert (got.status, got.body, got.headers["etag"]) == (200, b"data", put.headers["etag"])
    head = wire.send("HEAD", "latest").headers
    assert (head["x-oss-object-type"], head["x-oss-meta-note"], head["content-length"]) == ("Symlink", "link", "4")
    reply = wire.send("GET", "latest", {"symlink": ""})
    assert (reply.headers[TARGET], reply.headers["x-oss-meta-note"], reply.body) == ("exports%2Fa%20b", "link", b"")
    listed = wire.send("GET", None, {"prefix": "latest"})
    assert listed.text("Contents/Type") == "Symlink"


def test_a_symlink_without_a_usable_target(wire: Wire) -> None:
    link(wire, "dangling", "none")
    assert wire.send("GET", "dangling").error == (404, "SymlinkTargetNotExist")
    assert wire.send("GET", "dangling", {"symlink": ""}).headers[TARGET] == "none"
    link(wire, "second", "dangling")
    assert wire.send("GET", "second").error == (400, "InvalidTargetType")


def test_get_symlink_of_anything_else(wire: Wire) -> None:
    wire.send("PUT", "key", body=b"x")
    assert wire.send("GET", "key", {"symlink": ""}).error == (400, "NotSymlink")
    assert wire.send("GET", "none", {"symlink": ""}).error == (404, "NoSuchKey")


def test_deleting_a_symlink_keeps_the_target(wire: Wire) -> None:
    wire.send("PUT", "key", body=b"x")
    link(wire, "link", "key")
    assert wire.send("DELETE", "link").status == 204
    assert wire.send("GET", "key").body == b"x"


@pytest.mark.parametrize("target", ["", "%2Fkey"])
def test_illegal_targets(wire: Wire, target: str) -> None:
    headers = {TARGET: target} if target else {}
    assert wire.send("PUT", "link", {"symlink": ""}, headers).status == 400
    assert wire.send("HEAD", "link").status == 404


def test_forbid_overwrite(wire: Wire) -> None:
    wire.send("PUT", "key", body=b"x")
    headers = {TARGET: "other", "x-oss-forbid-overwrite": "true"}
    assert wire.send("PUT", "key", {"symlink": ""}, headers).error == (409, "FileAlreadyExists")
