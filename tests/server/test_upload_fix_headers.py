"""A copy that gives an adopted object its headers changes what was asked for, and keeps the rest."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_oss_resume.oss import limits
from airflow_provider_oss_resume.upload import ObjectOptions
from tests.server.uploads import BUCKET, PART, Scene

THEIRS = {
    "cache-control": "max-age=60",
    "content-disposition": "attachment; filename=q3.csv",
    "content-encoding": "gzip",
    "content-language": "de",
    "content-type": "text/x-theirs",
    "expires": "Wed, 08 Jul 2026 16:57:01 GMT",
    "x-oss-meta-team": "Käse",
    "x-oss-meta-run": "1",
    "x-oss-storage-class": "IA",
    "x-oss-server-side-encryption": "KMS",
    "x-oss-server-side-encryption-key-id": "9468",
    "x-oss-server-side-data-encryption": "SM4",
    "x-oss-tagging": "keep=a%20b&x=1",
}
TAGS = {"keep": "a b", "x": "1"}


@pytest.fixture(params=["one piece", "pieces"])
def copied(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "pieces":
        monkeypatch.setattr(limits, "MAX_COPY_SIZE", 4 * PART)  # as above 1 GiB
    return str(request.param)


def begin(scene: Scene) -> None:
    scene.client.initiate_multipart_upload(BUCKET, scene.key, THEIRS)


def found(scene: Scene) -> dict[str, str]:
    headers = scene.client.head_object(BUCKET, scene.key).headers
    return {name: headers.get(name, "") for name in THEIRS if name != "x-oss-tagging"}


def expected(**changes: str) -> dict[str, str]:
    kept = {name: value for name, value in THEIRS.items() if name != "x-oss-tagging"}
    return {**kept, **{name.replace("_", "-"): value for name, value in changes.items()}}


def copies(scene: Scene) -> int:
    return scene.count("CopyObject") + scene.count("UploadPartCopy")


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        ({"metadata": {"run": "2"}}, {"x-oss-meta-run": "2"}),
        ({"content_type": "text/csv"}, {"content-type": "text/csv"}),
        ({"storage_class": "Standard"}, {"x-oss-storage-class": "Standard"}),
        ({"headers": {"Cache-Control": "no-cache"}}, {"cache-control": "no-cache"}),
        (
            {"server_side_encryption": "AES256"},
            {
                "x-oss-server-side-encryption": "AES256",
                "x-oss-server-side-encryption-key-id": "",
                "x-oss-server-side-data-encryption": "",
            },
        ),
    ],
    ids=lambda value: str(next(iter(value))),
)
def test_what_nobody_asked_to_change_stays(
    scene: Scene, copied: str, options: dict[str, Any], changes: dict[str, str]
) -> None:
    begin(scene)
    scene.assert_done(scene.upload(options=ObjectOptions(**options)))
    assert copies(scene)
    assert found(scene) == expected(**changes)
    assert scene.client.get_object_tagging(BUCKET, scene.key) == TAGS


def test_tags_that_were_asked_for_replace_the_others(scene: Scene, copied: str) -> None:
    begin(scene)
    scene.assert_done(scene.upload(options=ObjectOptions(tags={"run": "2"})))
    assert scene.client.get_object_tagging(BUCKET, scene.key) == {"run": "2"}
    assert found(scene) == expected()


def test_a_request_that_asks_for_nothing_copies_nothing(scene: Scene) -> None:
    """Neither for a guessed content type nor for tags that the other client gave."""
    begin(scene)
    scene.assert_done(scene.upload())
    assert copies(scene) == 0
    assert found(scene) == expected()
    assert scene.client.get_object_tagging(BUCKET, scene.key) == TAGS


def test_a_guessed_type_replaces_none(scene: Scene) -> None:
    scene.client.initiate_multipart_upload(BUCKET, scene.key)
    scene.assert_done(scene.upload())
    assert scene.client.head_object(BUCKET, scene.key).content_type == "text/csv"


def test_tags_that_may_not_be_read_are_reported_as_lost(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(limits, "MAX_COPY_SIZE", 4 * PART)
    begin(scene)
    scene.fail("GetObjectTagging", 403, "AccessDenied")
    scene.assert_done(scene.upload(options=ObjectOptions(metadata={"run": "2"})))
    assert "the tags of the object are lost" in caplog.text
    assert scene.client.get_object_tagging(BUCKET, scene.key) == {}
