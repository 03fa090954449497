"""Texts as the web's standards compare them."""

_CAPITALS = {capital: capital + 32 for capital in range(ord("A"), ord("Z") + 1)}


def lower(text: str) -> str:
    """Only ASCII in small letters: the sign for kelvin is no k."""
    return text.lower() if text.isascii() else text.translate(_CAPITALS)
