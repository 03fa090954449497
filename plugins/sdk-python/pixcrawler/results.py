"""Reading what may have changed: fields and lists of results."""

import os
import traceback
from contextlib import contextmanager
from typing import Any, Callable, Iterable, Iterator

from .candidate import COUNT_BITS, Candidate, shown, unsigned
from .errors import LayoutChanged, Skipped
from .log import log
from .machine import Found, candidates

# What reading a value of an unexpected type raises: the site's doing, not the author's.
_ODD = (AttributeError, TypeError, ValueError, LookupError, ArithmeticError)
_SDK = os.path.dirname(__file__)


def each(results: list, read: Callable[[Any], Candidate | Iterable[Candidate] | None]) -> Found:
    """Reads every result by itself, so that a bad one costs only itself, in a warning.

    When all are bad, it is the site that has changed. Bad is also what raises an
    `AttributeError`, `TypeError`, `ValueError`, `LookupError` or `ArithmeticError`: a value of
    an unexpected type. `read` gives a candidate, several, or `None` for what is no picture. What
    raises `Skipped` is nothing, too.
    """
    if not isinstance(results, list):
        raise LayoutChanged("expected a list of results")
    found, faults = Found(), []
    for result in results:
        try:
            with sites(tell=not faults):
                # A generator is read here, where its faults are known to be those of this result.
                given = some(read(result))
        except Skipped:
            continue
        except LayoutChanged as fault:
            faults.append(str(fault))
            continue
        found.candidates += given
    if faults and len(faults) == len(results):
        raise LayoutChanged(f"in all results: {faults[0]}")
    if faults:
        found.warnings.append(f"{len(faults)} of {len(results)} results cannot be read: {faults[0]}")
    return found


@contextmanager
def sites(tell: bool = True) -> Iterator[None]:
    """Within it a value of an unexpected type is the site's doing: `LayoutChanged`.

    It may be the author's all the same, so the message names the line, and the traceback is logged.
    """
    try:
        yield
    except _ODD as error:
        if tell:
            log("warn", "".join(traceback.format_exception(error)))
        raise LayoutChanged(f"{_place(error)}{type(error).__name__}: {error}") from None


def _place(error: BaseException) -> str:
    """Where in the author's own code it was raised, to be put before the message."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if os.path.dirname(frame.filename) != _SDK]
    if not own:
        return ""
    # A comprehension or lambda has no name.
    named = [f"in `{frame.name}`, " for frame in own if frame.name.isidentifier()]
    return f"{named[-1] if named else ''}{os.path.basename(own[-1].filename)} line {own[-1].lineno}: "


def some(read: Candidate | Iterable[Candidate] | None) -> list[Candidate]:
    """One candidate, several or none as a list."""
    if read is None:
        return []
    return [read] if isinstance(read, Candidate) else candidates("read", read, "a Candidate, several of them, or None")


def expect_none(counted: int, list_name: str) -> None:
    """Checks that a list without results is one; for the first page, because later ones may rightly have none.

    `list_name` was looked in for the results that the site counts.
    """
    if counted > 0:
        raise LayoutChanged(f"expected {counted} results in `{list_name}`, found none")


def need(result: Any, name: str) -> Any:
    """A field that must be there, and not null."""
    value = result.get(name) if isinstance(result, dict) else None
    if value is None:
        raise LayoutChanged(f"missing field `{name}`")
    return value


def count(result: Any, name: str, missing: int | None = None) -> int:
    """A field that must be a whole number, 0 or more, such as a count of pages.

    `missing` is what it counts as when it is not there.
    """
    if missing is not None and isinstance(result, dict) and name not in result:
        return missing
    value = need(result, name)
    if not unsigned(value, COUNT_BITS):
        raise LayoutChanged(f"`{name}` cannot be {shown(value)}")
    return value
