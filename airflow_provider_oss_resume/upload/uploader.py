"""The engine's front door."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.upload.attempt import Attempt
from airflow_provider_oss_resume.upload.bandwidth import BandwidthLimiter, parse_timetable
from airflow_provider_oss_resume.upload.cancel import Cancel
from airflow_provider_oss_resume.upload.checkpoint import Owner
from airflow_provider_oss_resume.upload.fencing import check_still_ours, this_process
from airflow_provider_oss_resume.upload.meter import Meter
from airflow_provider_oss_resume.upload.planner import plan_parts
from airflow_provider_oss_resume.upload.progress import ProgressCallback
from airflow_provider_oss_resume.upload.recorder import CheckpointRecorder, WritePolicy
from airflow_provider_oss_resume.upload.report import Reporter
from airflow_provider_oss_resume.upload.request import UploadRequest, UploadResult
from airflow_provider_oss_resume.upload.resume import Target
from airflow_provider_oss_resume.upload.session import Session
from airflow_provider_oss_resume.upload.source import Fingerprint
from airflow_provider_oss_resume.upload.store import CheckpointStore, NoStore


class Uploader:
    """Upload files so that the next try goes on where this one stops.

    ::

        result = Uploader(client, FileStore("orders.ckpt")).upload(
            UploadRequest("/exports/orders.parquet", "examplebucket", "exports/orders.parquet")
        )

    :param client: its credentials, settings and connections are used.
    :param store: where the checkpoint lives. That it fails is logged and no more, so a program without
        Airflow sets up logging to hear of it. With ``None`` a failed upload is aborted, since nobody
        would come back for it.
    :param owner: who writes the checkpoint; this process is filled in.
    :param progress: called about once a second, on the thread that called :meth:`upload`.
    :param watch: called several times a second on that thread; what it raises stops the upload.
    :param write_policy: how often the checkpoint is written.
    """

    def __init__(
        self,
        client: OSSClient,
        store: CheckpointStore | None = None,
        *,
        owner: Owner | None = None,
        progress: ProgressCallback | None = None,
        watch: Callable[[], None] | None = None,
        write_policy: WritePolicy | None = None,
    ) -> None:
        self._client = client
        self._store = store
        self._owner = owner or Owner()
        self._progress = progress
        self._watch = watch
        self._write_policy = write_policy or WritePolicy()

    def upload(self, request: UploadRequest, cancel: Cancel | None = None) -> UploadResult:
        """Upload one source, continuing what the checkpoint tells of.

        :param cancel: lets a signal handler or another thread stop the upload.
        :raises ConfigurationError: the source or an argument cannot work; nothing was sent.
        :raises SourceError: the source changed or cannot be read; the parts are kept.
        :raises ServiceError: OSS refuses; the parts are kept.
        :raises UploadCancelled: it was told to stop; the parts are kept.
        """
        source, meter, owner = request.as_source(), Meter(), this_process(self._owner)
        with (
            closing(source.open()) as opened,
            closing(self._recorder(owner)) as recorder,
            self._client.fork() as client,
        ):
            session = Session(
                request=request,
                target=self._target(request, opened.fingerprint),
                source=opened,
                source_uri=source.uri,
                client=client,
                lasting_client=self._client,
                recorder=recorder,
                keeps=self._store is not None,
                owner=owner,
                reporter=Reporter(meter, self._progress),
                meter=meter,
                cancel=cancel or Cancel(),
                watch=self._watch or _nothing_to_watch,
                watched=any(wanted is not None for wanted in (cancel, self._watch, self._progress, self._store)),
                pace=_pacer(request, client),
            )
            return Attempt(session).run()

    def _recorder(self, owner: Owner) -> CheckpointRecorder:
        store = NoStore() if self._store is None else self._store  # an empty one may be as good as False
        return CheckpointRecorder(store, self._write_policy, fence=lambda text: check_still_ours(text, owner))

    def _target(self, request: UploadRequest, fingerprint: Fingerprint) -> Target:
        small = fingerprint.size < request.multipart_threshold
        return Target(
            endpoint=self._client.endpoint,
            bucket=request.bucket,
            key=request.key,
            plan=plan_parts(fingerprint.size, request.part_size),
            # One request that nobody keeps a checkpoint of cannot be continued: a small file is spared the work.
            options_digest=request.digest() if self._store is not None or not small else "",
            fingerprint=fingerprint,
        )


def _pacer(request: UploadRequest, client: OSSClient) -> Callable[[int], None] | None:
    if request.bandwidth_limit is None:
        return None
    limiter = BandwidthLimiter(parse_timetable(request.bandwidth_limit))

    def pace(count: int) -> None:
        if (seconds := limiter.reserve(count)) > 0:
            client.sleep(seconds)

    return pace


def _nothing_to_watch() -> None:
    """Find no reason to stop."""
