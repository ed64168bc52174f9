"""What a task read and wrote, for OpenLineage and for the events of its outlets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_oss_resume.lineage.datasets import (
    Dataset,
    Flow,
    Written,
    dataset_of,
    object_dataset,
    written_object,
)
from airflow_provider_oss_resume.lineage.outlets import note_written, tell_outlets

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_oss_resume.batch import BatchResult
    from airflow_provider_oss_resume.download import DownloadResult


class LineageOperator(BaseOperator):
    """Say what a try reads and writes as soon as it is known: a try that fails has inputs and outputs too."""

    _flow = Flow()

    def plan_flow(self, flow: Flow) -> None:
        """Keep what this try will read and write, for the report of a try that fails."""
        self._flow = flow

    def tell_written(
        self, context: Context, flow: Flow, written: Sequence[Written], whole: Mapping[str, Any] | None = None
    ) -> None:
        """Report the end of a try that succeeded.

        :param whole: facts for outlets that name none of the objects; default: those of the only object.
        """
        self._flow = flow
        if whole is None:
            whole = written[0].facts if len(written) == 1 else {}
        tell_outlets(self, context, written, whole)
        note_written(self, [one.uri for one in written])

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:  # noqa: ARG002
        """Return inputs and outputs; only the OpenLineage provider calls this."""
        from airflow_provider_oss_resume.lineage.openlineage import operator_lineage

        return operator_lineage(self._flow)

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return what was to be read and written; the OpenLineage provider adds the error."""
        return self.get_openlineage_facets_on_complete(task_instance)


class UploadLineage(LineageOperator):
    """Report uploads."""

    def tell_result(self, context: Context, source: object, result: Mapping[str, Any]) -> None:
        """Report the upload of one file.

        :param result: as it goes to XCom.
        """
        flow = upload_flow(source, result["bucket"], result["key"], result["size"])
        self.tell_written(context, flow, [written_object(result)])

    def tell_batch(self, context: Context, source: str | Sequence[str], result: BatchResult) -> None:
        """Report the upload of many files."""
        flow = batch_flow(source, result.bucket, result.prefix, result)
        self.tell_written(context, flow, *written_batch(result))


def upload_flow(source: object, bucket: str, key: str, size: int | None = None) -> Flow:
    """Return what the upload of one file reads and writes.

    :param source: a function, which yields the bytes itself, is no dataset.
    :param size: bytes; ``None`` before the end.
    """
    inputs = (dataset_of(source, size),) if isinstance(source, str) else ()
    return Flow(inputs, (object_dataset(bucket, key, size),))


def batch_flow(source: str | Sequence[str], bucket: str, prefix: str, result: BatchResult | None = None) -> Flow:
    """Return what an upload of many files reads and writes: each object where all are known, else the prefix.

    :param result: ``None`` before the end.
    """
    inputs = tuple(map(dataset_of, [source] if isinstance(source, str) else source))
    if result is None:
        return Flow(inputs, (object_dataset(bucket, prefix),))
    if _knows_all(result):
        return Flow(inputs, tuple(object_dataset(one.bucket, one.key, one.size) for one in result.results))
    size, files = result.counts.bytes, result.counts.files
    return Flow(inputs, (Dataset(f"oss://{bucket}", prefix or "/", size, files=files),))


def written_batch(result: BatchResult) -> tuple[list[Written], dict[str, Any]]:
    """Return what an upload of many files wrote, and the facts of all of it.

    It is one entry a file where the result holds all files, else one entry for the prefix.
    """
    whole = {
        "bucket": result.bucket,
        "prefix": result.prefix,
        "files": result.counts.files,
        "size": result.counts.bytes,
        "manifest_key": result.manifest_key,
    }
    if _knows_all(result):
        return [written_object(one.as_dict()) for one in result.results], whole
    return [Written(written_object({"bucket": result.bucket, "key": result.prefix}).uri, whole)], whole


def download_flow(results: Sequence[DownloadResult]) -> Flow:
    """Return what downloads read and wrote."""
    return Flow(
        tuple(object_dataset(one.bucket, one.key, one.size) for one in results),
        tuple(dataset_of(one.path, one.size) for one in results),
    )


def written_file(result: DownloadResult) -> Written:
    """Return the file that a download wrote."""
    facts = {"path": result.path, "size": result.size, "crc64": str(result.crc64), "etag": result.etag}
    path = result.path if "://" in result.path else dataset_of(result.path).name
    return Written(path if "://" in path else f"file://{path}", facts)


def _knows_all(result: BatchResult) -> bool:
    return len(result.results) == result.counts.files
