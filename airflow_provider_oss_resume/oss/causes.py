"""What an error of another library was made of, in words that hold no secret."""

from __future__ import annotations

from collections.abc import Iterator


def reason(error: BaseException) -> str:
    """Return kind and message of the innermost cause."""
    deepest = list(causes(error))[-1]
    return f"{type(deepest).__name__}: {words(deepest)}"


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those it was made of, outermost first."""
    seen: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in seen:
        yield current
        seen.append(current)
        candidates = (getattr(current, "reason", None), *reversed(current.args), current.__cause__)
        current = next((one for one in candidates if isinstance(one, BaseException)), None)


def words(error: BaseException) -> str:
    """Return an error's message without the query of a URL, which may be signed."""
    # Some messages of urllib3 hold the whole URL, query and all.
    return str(error).partition(" url: ")[0].partition("?")[0][:200]
