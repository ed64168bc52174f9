"""The arguments that choose sources and say what to do with objects that exist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_oss_resume.operators.tries.reruns import RerunningOperator


class SelectingOperator(RerunningOperator):
    """Keep the arguments; :class:`~.upload.ResumableUploadOperator` documents them."""

    def __init__(
        self,
        *,
        source_conn_id: str | None = None,
        replace: bool | str = True,
        if_exists: str | None = None,
        include: str | Sequence[str] = (),
        exclude: str | Sequence[str] = (),
        symlinks: str = "follow",
        if_empty: str = "fail",
        manifest_key: str | None = None,
        success_object: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source_conn_id = source_conn_id
        self.replace = replace
        self.if_exists = if_exists
        self.include = include
        self.exclude = exclude
        self.symlinks = symlinks
        self.if_empty = if_empty
        self.manifest_key = manifest_key
        self.success_object = success_object
