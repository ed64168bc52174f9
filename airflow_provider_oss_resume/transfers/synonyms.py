"""Arguments of the amazon and google providers' operators under their own names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_oss_resume.exceptions import ConfigurationError

SYNONYMS = {
    "query": "sql",
    "bucket": "bucket_name",
    "s3_bucket": "bucket_name",
    "filename": "key",
    "s3_key": "key",
    "export_format": "file_format",
    "field_delimiter": "delimiter",
    "null_marker": "null_value",
    "approx_max_file_size_bytes": "split_size",
    "max_rows_per_file": "split_rows",
    "parquet_row_group_size": "row_group_size",
}
"""Names of SqlToS3Operator and SQLToGCSOperator, each with its name here."""


@dataclass(frozen=True, slots=True)
class Synonyms:
    """Hold the arguments that were given under another provider's name, by ours.

    :param theirs: the name that each was given under.
    """

    given: Mapping[str, Any]
    theirs: Mapping[str, str]

    @property
    def bucket(self) -> str | None:
        return self.given.get("bucket_name")

    def or_ours(self, name: str, value: Any) -> Any:
        """Return an argument, whichever name it was given under.

        :raises ConfigurationError: it was given under both.
        """
        if name not in self.given:
            return value
        if value is not None:
            raise ConfigurationError(f"{self.theirs[name]} and {name} are the same argument: write one of them")
        return self.given[name]


def take_synonyms(arguments: dict[str, Any]) -> Synonyms:
    """Remove other providers' names from an operator's arguments.

    ``gzip=True``, ``write_on_empty`` and a ``filename`` with ``{}``, as SQLToGCSOperator has them, are translated too.
    """
    theirs = {ours: theirs for theirs, ours in SYNONYMS.items() if theirs in arguments}
    given = {ours: arguments.pop(theirs) for theirs, ours in SYNONYMS.items() if theirs in arguments}
    if arguments.pop("gzip", False):
        theirs["compression"], given["compression"] = "gzip", "gzip"
    if "write_on_empty" in arguments:
        theirs["if_empty"], is_written = "write_on_empty", arguments.pop("write_on_empty")
        given["if_empty"] = "write" if is_written else "skip"
    if isinstance(key := given.get("key"), str):
        given["key"] = key.replace("{}", "{part}")
    return Synonyms(given, theirs)
