"""The SQL condition for the rows after a key, or up to it; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def beyond(names: Sequence[str], operator: str, marks: Iterator[str]) -> str:
    """Return the condition for rows after a key (``>``), or up to it (``<``, which includes equal ones).

    Written out, because row comparison is not indexed or not known everywhere.

    :param marks: yields the placeholder of each value.
    """
    alternatives = []
    for length in range(len(names)):
        equal = [f"{name} = {next(marks)}" for name in names[:length]]
        alternatives.append(" AND ".join([*equal, f"{names[length]} {operator} {next(marks)}"]))
    if operator == "<":
        alternatives.append(" AND ".join(f"{name} = {next(marks)}" for name in names))
    return "(" + " OR ".join(alternatives) + ")"
