"""Character references: what the names that HTML knows, and numbers, stand for."""

import re
from html.entities import html5

_LONGEST_BARE = max(len(name) for name in html5 if not name.endswith(";"))

# What 0x80 to 0x9f stand for: windows-1252, which numbers are taken from that should be Unicode's.
_WINDOWS = "€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ"

_REFERENCE = re.compile(r"&(?:#(?:[xX]([0-9a-fA-F]+)|([0-9]+));?|([a-zA-Z][a-zA-Z0-9]*)(;?))")


def decode(text: str) -> str:
    """`text` with its character references replaced, as in the text of a page; unknown ones stay."""
    return _REFERENCE.sub(_in_text, text) if "&" in text else text


def decode_value(text: str) -> str:
    """The same for the value of an attribute. There `&copy=1` is part of an address, not a sign."""
    return _REFERENCE.sub(_in_value, text) if "&" in text else text


def _in_text(found: re.Match) -> str:
    name = found[3]
    if name is None:
        return _numbered(found)
    if found[4] and (known := html5.get(f"{name};")):
        return known
    # The beginning of a name may be one, too: `&notit;` is `¬it;`.
    for length in range(min(len(name), _LONGEST_BARE), 1, -1):
        if known := html5.get(name[:length]):
            return known + name[length:] + found[4]
    return found[0]


def _in_value(found: re.Match) -> str:
    name = found[3]
    if name is None:
        return _numbered(found)
    if found[4]:
        return html5.get(f"{name};", found[0])
    return found[0] if found.string.startswith("=", found.end()) else html5.get(name, found[0])


def _numbered(found: re.Match) -> str:
    """What is no character is shown as browsers show it."""
    digits = (found[1] or found[2]).lstrip("0")
    # Python takes no integers of thousands of digits.
    code = int(digits or "0", 16 if found[1] else 10) if len(digits) < 10 else 0
    if 0x80 <= code <= 0x9F:
        return _WINDOWS[code - 0x80]
    return chr(code) if 0 < code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else "\ufffd"
