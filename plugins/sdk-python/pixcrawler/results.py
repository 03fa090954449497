"""Reading a list of results."""

from typing import Any, Callable, Iterable

from .candidate import Candidate
from .errors import LayoutChanged
from .machine import Found


def each(results: list, read: Callable[[Any], Candidate | Iterable[Candidate] | None]) -> Found:
    """Reads every result by itself, so that a bad one costs only itself, in a warning.

    When all are bad it is the site that has changed. `read` gives a candidate, several, or
    `None` for what is no picture.
    """
    if not isinstance(results, list):
        raise LayoutChanged("expected a list of results")
    found, faults = Found(), []
    for result in results:
        try:
            one = read(result)
        except LayoutChanged as fault:
            faults.append(str(fault))
            continue
        except (AttributeError, TypeError) as error:
            if isinstance(result, dict):
                raise
            faults.append(f"not an object: {error}")
            continue
        found.candidates += [one] if isinstance(one, Candidate) else one or []
    if faults and len(faults) == len(results):
        raise LayoutChanged(f"in all results: {faults[0]}")
    if faults:
        found.warnings.append(f"{len(faults)} of {len(results)} results cannot be read: {faults[0]}")
    return found
