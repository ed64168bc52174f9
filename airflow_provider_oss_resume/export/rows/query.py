"""The query of an export."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_oss_resume.exceptions import ConfigurationError


@dataclass(frozen=True, slots=True)
class Query:
    """Hold a query and its options.

    :param sql: one query.
    :param parameters: for the placeholders of the driver.
    :param order_by: columns of the result whose values together are a key to resume after.
    :param statement_timeout: seconds that the query may run.
    """

    sql: str
    parameters: Any = None
    order_by: tuple[str, ...] = ()
    statement_timeout: float | None = None


def require_key_column(name: str, names: Sequence[str]) -> None:
    """Raise :class:`ConfigurationError` unless ``order_by`` names one column of the result.

    :param names: of all columns.
    """
    if (count := names.count(name)) != 1:
        raise ConfigurationError(
            f"order_by names column {name!r}, and the result has {count} columns of that name{_advice(name, names)}; "
            f"it has {list(names)}"
        )


def _advice(name: str, names: Sequence[str]) -> str:
    if re.search(r"\s(asc|desc)$", name, re.IGNORECASE):
        return ": leave ASC and DESC out: rows are exported in ascending order"
    alike = [one for one in names if one != name and one.lower() == name.strip('"`[]').lower()]
    return f": write {alike[0]!r}" if alike else ""
