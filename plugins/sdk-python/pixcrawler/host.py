"""The host in an address, as the URL standard reads it (section 3.5)."""

import re
from urllib.parse import unquote_to_bytes

from .text import lower

_FORBIDDEN = re.compile(r"[\0- #%/:<>?@\[\\\]^|\x7f]")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


def host(written: str) -> str | None:
    """The name in small letters, or the number as browsers write it; `None` for what is no host.

    Names beyond ASCII stay as they are: PixCrawler puts them into their other form (`xn--`) and checks them.
    """
    if written.startswith("["):
        return _sixth(written[1:-1]) if written.endswith("]") else None
    try:
        name = lower(unquote_to_bytes(written).decode())
    except UnicodeDecodeError:
        return None
    if not name or _FORBIDDEN.search(name):
        return None
    parts = name.removesuffix(".").split(".")
    return _fourth(parts) if _NUMBER.fullmatch(parts[-1]) else name


def _fourth(parts: list[str]) -> str | None:
    """Version 4: up to four numbers, decimal, octal or hexadecimal, of which the last fills what is left."""
    numbers = [_number(part) for part in parts]
    if len(numbers) > 4 or None in numbers:
        return None
    *first, last = numbers
    if last >= 256 ** (4 - len(first)) or any(number > 255 for number in first):
        return None
    value = last + sum(number * 256 ** (3 - index) for index, number in enumerate(first))
    return ".".join(map(str, value.to_bytes(4)))


_DIGITS = ((re.compile("0x([0-9a-f]*)"), 16), (re.compile("0([0-7]*)"), 8), (re.compile("([1-9][0-9]*)"), 10))


def _number(text: str) -> int | None:
    for form, base in _DIGITS:
        if found := form.fullmatch(text):
            # Python takes no integers of thousands of digits, and no part may be that large.
            digits = found[1].lstrip("0")
            return int(digits or "0", base) if len(digits) < 40 else 1 << 32
    return None


_DOTTED = re.compile(r"(.*:)([0-9]+)\.([0-9]+)\.([0-9]+)\.([0-9]+)")
_ZEROS = re.compile("(?<=:)0(?::0)+(?=:)")


def _sixth(text: str) -> str | None:
    """Version 6, of which the last two parts may be written as version 4."""
    if dotted := _DOTTED.fullmatch(text):
        start, *octets = dotted.groups()
        if any(len(byte) > 3 or int(byte) > 255 or re.match("0.", byte) for byte in octets):
            return None
        first, second, third, fourth = map(int, octets)
        text = f"{start}{first * 256 + second:x}:{third * 256 + fourth:x}"
    halves = [half.split(":") if half else [] for half in text.split("::")]
    missing = 8 - sum(map(len, halves))
    whole = missing == 0 if len(halves) == 1 else len(halves) == 2 and missing > 0
    if not whole or not all(re.fullmatch("[0-9a-fA-F]{1,4}", part) for half in halves for part in half):
        return None
    parts = halves[0] + ["0"] * missing + (halves[1] if len(halves) == 2 else [])
    # The longest row of zeros is left out, the first of several.
    address = f":{':'.join(f'{int(part, 16):x}' for part in parts)}:"
    longest = max(_ZEROS.findall(address), key=len, default=None)
    if longest:
        address = address.replace(f":{longest}:", "::", 1)
    return f"[{re.sub('^:(?!:)|(?<!:):$', '', address)}]"
