"""The chain of causes of an error of another library, in text without secrets."""

from __future__ import annotations

from collections.abc import Iterator

_MAX_LENGTH = 200


def describe_root_cause(error: BaseException) -> str:
    """Return type and message of the innermost cause."""
    root = list(causes(error))[-1]
    return f"{type(root).__name__}: {message_without_query(root)}"


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes, outermost first.

    urllib3 keeps the cause in ``reason``, requests in ``args``; ``__cause__`` is set by neither.
    """
    seen: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in seen:
        yield current
        seen.append(current)
        candidates = (getattr(current, "reason", None), *reversed(current.args), current.__cause__)
        current = next((one for one in candidates if isinstance(one, BaseException)), None)


def message_without_query(error: BaseException) -> str:
    """Return an error's message, cut before the first URL query: a presigned query is a secret."""
    # urllib3 writes "Max retries exceeded with url: /path?query".
    # In one line: the status line of a port that speaks no HTTP ends with a line end.
    return " ".join(str(error).partition(" url: ")[0].partition("?")[0][:_MAX_LENGTH].split())
