"""A try whose checkpoint is gone finds its upload in the bucket, or leaves nothing behind."""

from __future__ import annotations

import hashlib
import logging

import pytest

from airflow_provider_oss_resume.exceptions import UploadCancelled
from airflow_provider_oss_resume.export import Output
from airflow_provider_oss_resume.upload import ObjectOptions
from tests.export.scene import BUCKET, Scene

SQL = "SELECT * FROM orders"
CASES = [(Output(), ("id",)), (Output(compression="gzip"), ()), (Output("parquet", "zstd"), ("id",))]


def interrupt(scene: Scene, output: Output, order_by: tuple[str, ...]) -> int:
    """Return how many parts the interrupted export has in the bucket, and lose its checkpoint."""
    with pytest.raises(UploadCancelled):
        scene.export(SQL, output, order_by, watch=scene.stop_after(5))
    kept = scene.kept()
    scene.store.delete()
    return kept


@pytest.mark.parametrize(("output", "order_by"), CASES)
def test_its_parts_are_not_sent_again(scene: Scene, orders: str, output: Output, order_by: tuple[str, ...]) -> None:
    kept = interrupt(scene, output, order_by)
    result = scene.export(SQL, output, order_by)
    assert (result.parts_reused, result.rows) == (kept, 60_000)
    assert sum(scene.parts_sent().values()) == result.objects[0].parts - kept
    assert scene.uploads() == 0
    resumed = hashlib.sha256(scene.content()).hexdigest()
    scene.export(SQL, output, order_by)
    assert hashlib.sha256(scene.content()).hexdigest() == resumed


@pytest.mark.parametrize(("output", "order_by"), CASES)
def test_a_try_that_found_its_upload_can_be_resumed(
    scene: Scene, orders: str, output: Output, order_by: tuple[str, ...]
) -> None:
    interrupt(scene, output, order_by)
    with pytest.raises(UploadCancelled):
        scene.export(SQL, output, order_by, watch=scene.stop_after(3))
    kept = scene.kept()
    result = scene.export(SQL, output, order_by)
    assert (result.parts_reused, result.rows, scene.uploads()) == (kept, 60_000, 0)
    if order_by:
        assert result.rows_reused > 0
    resumed = hashlib.sha256(scene.content()).hexdigest()
    scene.export(SQL, output, order_by)
    assert hashlib.sha256(scene.content()).hexdigest() == resumed


def test_the_object_has_the_headers_that_are_asked_for_now(scene: Scene, orders: str) -> None:
    interrupt(scene, Output(), ("id",))
    scene.export(SQL, Output(), ("id",), options=ObjectOptions(metadata={"run": "7"}))
    assert scene.client.head_object(BUCKET, scene.key).metadata == {"run": "7"}
    assert scene.content().count(b"\n") == 60_001


def test_an_upload_of_other_bytes_is_left_alone(scene: Scene, orders: str, caplog: pytest.LogCaptureFixture) -> None:
    interrupt(scene, Output(), ("id",))
    with caplog.at_level(logging.WARNING):
        result = scene.export(f"{SQL} WHERE id > 7", Output(), ("id",))
    assert (result.parts_reused, scene.uploads()) == (0, 1)
    assert "it begins with other bytes than this stream" in caplog.text
    assert "abort-multipart-upload" in caplog.text


def test_a_split_export_continues_with_the_object_in_progress(scene: Scene, orders: str) -> None:
    scene.key += "-{part}.csv"
    with pytest.raises(UploadCancelled):
        scene.export(SQL, Output(), ("id",), split_rows=20_000, watch=scene.stop_after(12))
    scene.store.delete()
    scene.export(SQL, Output(), ("id",), split_rows=20_000)
    assert scene.uploads() == 0
    assert [scene.content(scene.key.replace("{part}", f"0000{n}")).count(b"\n") for n in (1, 2, 3)] == [20_001] * 3
