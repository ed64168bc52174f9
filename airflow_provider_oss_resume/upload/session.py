"""What one try works with, and how its thread waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.upload.cancel import Cancel
from airflow_provider_oss_resume.upload.checkpoint import Checkpoint, Owner
from airflow_provider_oss_resume.upload.encrypted import EncryptedSource, ObjectCipher, cipher_for
from airflow_provider_oss_resume.upload.meter import Meter
from airflow_provider_oss_resume.upload.planner import PartPlan
from airflow_provider_oss_resume.upload.recorder import CheckpointRecorder
from airflow_provider_oss_resume.upload.report import Reporter
from airflow_provider_oss_resume.upload.request import UploadRequest
from airflow_provider_oss_resume.upload.resume import Target
from airflow_provider_oss_resume.upload.source import OpenSource
from airflow_provider_oss_resume.upload.waiting import run_watched

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Session:
    """Hold what one try shares between its steps.

    :param client: the try's own: its connections are cut when the try is told to stop.
    :param lasting_client: for what is still to be done after that, such as an abort.
    :param keeps: whether a later try will find the checkpoint.
    :param watch: called at each tick; raises to stop the upload.
    :param watched: whether there is anything to look for at a tick: a word to stop, a store, a callback.
    :param cipher: encrypts the object; ``source`` then gives encrypted bytes.
    :param pace: given the bytes of each block before it is sent, waits for its turn; ``None`` if unlimited.
    """

    request: UploadRequest
    target: Target
    source: OpenSource
    source_uri: str
    client: OSSClient
    lasting_client: OSSClient
    recorder: CheckpointRecorder
    keeps: bool
    owner: Owner
    reporter: Reporter
    meter: Meter
    cancel: Cancel
    watch: Callable[[], None]
    watched: bool = True
    pace: Callable[[int], None] | None = None
    cipher: ObjectCipher | None = None

    @property
    def is_small(self) -> bool:
        """Return whether the source goes by one request; an empty one must."""
        return self.target.plan.size < max(1, self.request.multipart_threshold)

    def headers_for(self, operation: str, plan: PartPlan) -> dict[str, str]:
        """Return the headers that one of the four operations of this upload carries."""
        own = self.request.options.headers_for(operation, self.request.key)
        return {**own, **self.cipher.headers_for(operation, plan)} if self.cipher else own

    def encrypted(self, checkpoint: Checkpoint | None) -> Session:
        """Return this session with its source encrypted, if that was asked for."""
        if self.request.master_key is None:
            return self
        cipher = cipher_for(self.request.master_key, checkpoint)
        source = EncryptedSource(self.source, cipher.content)
        return replace(self, cipher=cipher, source=source, target=replace(self.target, wrapped_key=cipher.wrapped.key))

    def tick(self) -> None:
        """Look around: raise if the upload is to stop, report progress."""
        self.cancel.check()
        self.recorder.check()
        self.watch()
        self.reporter.tick()

    def call(self, call: Callable[[], Result]) -> Result:
        """Make a call to OSS, or another that takes long, looking around meanwhile."""
        if not self.watched:
            return call()  # a thread to wait beside would cost a small file as much as its request
        return run_watched(call, self.tick, self.client.cancel)
