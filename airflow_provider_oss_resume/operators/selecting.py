"""The arguments that choose sources and say what to do with objects that exist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_oss_resume.operators.tries.masking import mask_secrets
from airflow_provider_oss_resume.operators.tries.reruns import RerunningOperator
from airflow_provider_oss_resume.remote_sources.secret_url import hide_secrets


class SelectingOperator(RerunningOperator):
    """Keep the arguments; :class:`~.upload.ResumableUploadOperator` documents them."""

    _source: Any = None

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

    @property
    def source(self) -> Any:
        """Return the source; a URL with a password or a signature reads without it."""
        return self._source

    @source.setter
    def source(self, source: Any) -> None:
        """Hide secrets before Airflow stores the value, which it does right after it rendered the templates.

        A property, because Airflow renders the task of a mapped operator without its ``render_template_fields()``.
        """
        self._source = hide_secrets(source, before=self._source)
        mask_secrets(self._source)
