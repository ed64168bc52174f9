"""The query of an export."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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
