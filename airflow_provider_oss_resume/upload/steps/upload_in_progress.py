"""The multipart upload on which the steps of one try work."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_oss_resume.checkpoint.part_tracker import PartTracker
from airflow_provider_oss_resume.sources.layout import PartPlan
from airflow_provider_oss_resume.transfer.destination import Destination
from airflow_provider_oss_resume.upload.resume.decision import Decision
from airflow_provider_oss_resume.upload.run_context import RunContext, RunResources
from airflow_provider_oss_resume.upload.steps.initiate import track


@dataclass(frozen=True, slots=True)
class UploadInProgress:
    """An upload in progress.

    :param decision: that led to it.
    :param tracker: of its parts.
    """

    context: RunContext
    decision: Decision
    tracker: PartTracker

    @classmethod
    def of(cls, context: RunContext, decision: Decision) -> UploadInProgress:
        """Return the upload that a decision names; a new upload is initiated."""
        return cls(context, decision, track(context, decision))

    @property
    def resources(self) -> RunResources:
        """Return what the try works with."""
        return self.context.resources

    @property
    def plan(self) -> PartPlan:
        """Return the parts of the object."""
        return self.decision.plan

    def destination(self, operation: str) -> Destination:
        """Return the destination of an operation's requests."""
        return self.context.destination(operation, self.plan, self.tracker.upload_id)
