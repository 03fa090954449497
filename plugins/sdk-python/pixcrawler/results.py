"""Reading what may have changed: fields and lists of results."""

from typing import Any, Callable, Iterable

from .candidate import Candidate
from .errors import LayoutChanged
from .machine import Found


def each(results: list, read: Callable[[Any], Candidate | Iterable[Candidate] | None]) -> Found:
    """Reads every result by itself, so that a bad one costs only itself, in a warning.

    When one is bad and nothing else gave a picture, it is the site that has changed. `read`
    gives a candidate, several, or `None` for what is no picture.
    """
    if not isinstance(results, list):
        raise LayoutChanged("expected a list of results")
    found, faults = Found(), []
    for result in results:
        try:
            one = read(result)
            # A generator is read here, where its faults are known to be those of this result.
            candidates = [one] if isinstance(one, Candidate) else list(one or [])
        except LayoutChanged as fault:
            faults.append(str(fault))
            continue
        except (AttributeError, TypeError) as error:
            if isinstance(result, dict):
                raise
            faults.append(f"not an object: {error}")
            continue
        found.candidates += candidates
    some = f"{len(faults)} of {len(results)}"
    if faults and not found.candidates:
        raise LayoutChanged(f"in {'all' if len(faults) == len(results) else some} results: {faults[0]}")
    if faults:
        found.warnings.append(f"{some} results cannot be read: {faults[0]}")
    return found


def need(result: Any, name: str) -> Any:
    """A field that must be there, and not null."""
    value = result.get(name) if isinstance(result, dict) else None
    if value is None:
        raise LayoutChanged(f"missing field `{name}`")
    return value
