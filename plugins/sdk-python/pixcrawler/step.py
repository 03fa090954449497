"""Steps that carry no more than fits."""

import json
from dataclasses import fields, is_dataclass
from typing import Any

from .candidate import Candidate
from .machine import Turn

CANDIDATES_PER_STEP = 2_000
CHARACTERS_PER_STEP = 4 << 20
"""But for the first candidate. A host accepts 16 MiB from one call, and going over is a trap."""

AGAIN = r"again (\d+) (.*)"
"""The state of a turn that is handed over in parts: how many candidates were given, then the state
that the turn began with. A source is a pure function, so a turn that is made again for every part
comes out the same."""


def split(turn: Turn, before: str, given: int) -> tuple[list[Candidate], list[str], str]:
    """The candidates and warnings of the turn's next part, and the state after it."""
    rest = turn.found.candidates[given:]
    warnings = [] if given else turn.found.warnings
    count = _fitting(rest)
    if count < len(rest):
        return rest[:count], warnings, f"again {given + count} {before}"
    return rest, warnings, json.dumps(turn.state) if turn.fetch else ""


def _fitting(candidates: list[Candidate]) -> int:
    characters = 0
    for index, candidate in enumerate(candidates):
        characters += _weight(candidate)
        if index == CANDIDATES_PER_STEP or (characters > CHARACTERS_PER_STEP and index > 0):
            return index
    return len(candidates)


def _weight(value: Any) -> int:
    """Characters of text in a value, at any depth."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, (list, tuple)):
        return sum(map(_weight, value))
    return sum(_weight(getattr(value, part.name)) for part in fields(value)) if is_dataclass(value) else 0
