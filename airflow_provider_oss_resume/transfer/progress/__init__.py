"""How far an upload is: what moved, at which rate, and who is told."""

from airflow_provider_oss_resume.transfer.progress.progress import Extent, Phase, Progress, ProgressCallback
from airflow_provider_oss_resume.transfer.progress.reporter import ProgressReporter
from airflow_provider_oss_resume.transfer.progress.units import human_size, human_time

__all__ = [
    "Extent",
    "Phase",
    "Progress",
    "ProgressCallback",
    "ProgressReporter",
    "human_size",
    "human_time",
]
