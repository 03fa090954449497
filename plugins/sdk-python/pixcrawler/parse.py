"""Reading JSON that a site wrote, whatever it wrote."""

import json
import re
from typing import Any

from .errors import LayoutChanged

DEEPEST = 128
"""Deeper than any answer is. Python's own reader would run out of stack, which is a trap that nothing catches."""


class Fields(dict):
    """An object of JSON. A field that is looked up with `[]` must be there."""

    def __missing__(self, name: str) -> Any:
        raise LayoutChanged(f"missing field `{name}`")


def parse(text: str) -> Any:
    """The value of a JSON text; raises `LayoutChanged` when it is none, or nested too deep.

    Halves of characters, which no text of the contract can hold, become U+FFFD. `640.0` is the
    integer 640, as it is in other languages: the host takes no `float` where it expects an integer.
    """
    if _too_deep(text):
        raise LayoutChanged(f"nested deeper than {DEEPEST}")
    try:
        return json.loads(_ESCAPES.sub(_mended, text) if _LONE.search(text) else text,
                          object_hook=Fields, parse_int=_integer, parse_float=_float,
                          parse_constant=_constant)
    except ValueError as error:
        raise LayoutChanged(str(error)) from None


# A string that never ends reaches to the end of the text, so that it is looked at once.
_MARKS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)
_LONE = re.compile(r"\\ud[89a-f]", re.ASCII | re.IGNORECASE)
_ESCAPES = re.compile(
    r"\\(?:ud[89ab][\da-f]{2}\\ud[c-f][\da-f]{2}|(ud[89a-f][\da-f]{2})|.)", re.ASCII | re.DOTALL | re.IGNORECASE
)


def _mended(escape: re.Match) -> str:
    return r"\ufffd" if escape[1] else escape[0]


def _too_deep(text: str) -> bool:
    depth = 0
    for found in _MARKS.finditer(text):
        mark = found[0]
        if mark in "[{":
            depth += 1
            if depth > DEEPEST:
                return True
        elif mark in "]}":
            depth -= 1
    return False


def _integer(digits: str) -> int | float:
    """Python refuses integers of thousands of digits, whether they are used or not."""
    return int(digits) if len(digits) <= 40 else float(digits)


def _float(digits: str) -> int | float:
    value = float(digits)
    return int(value) if value.is_integer() else value


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
