"""Texts as the web's standards compare them, and names as an author spells them."""

from difflib import get_close_matches
from typing import Iterable

_CAPITALS = {capital: capital + 32 for capital in range(ord("A"), ord("Z") + 1)}


def lower(text: str) -> str:
    """Only ASCII in small letters: the sign for kelvin is no k."""
    return text.lower() if text.isascii() else text.translate(_CAPITALS)


def meant(name: str, known: Iterable[str]) -> str:
    """What to say of a name that is not among those that are known."""
    known = list(known)
    closest = get_close_matches(name, known, 1)
    if closest:
        return f"did you mean `{closest[0]}`?"
    return f"there are: {', '.join(known)}" if known else "there is none"
