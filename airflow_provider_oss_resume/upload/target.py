"""What one try uploads, as far as the resume decision needs to know."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_oss_resume.sources.layout import PartPlan
from airflow_provider_oss_resume.sources.source import Fingerprint


@dataclass(frozen=True, slots=True)
class Target:
    """The object that this try makes.

    :param plan: the parts into which this try would cut the source on its own.
    :param options_digest: of the headers that this try would give at Initiate.
    :param wrapped_key: the wrapped data key of client-side encryption; empty without it.
    """

    bucket: str
    key: str
    plan: PartPlan
    options_digest: str
    fingerprint: Fingerprint
    wrapped_key: str = ""
