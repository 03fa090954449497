"""Addresses: resolving references."""

import re
from dataclasses import dataclass, replace
from urllib.parse import quote

from .host import host

LONGEST = 8_192
"""Bytes of an address; the host takes none that is longer."""


def resolve(base: str, reference: str | None) -> str | None:
    """The absolute http(s) address that `reference` means in a document at `base`, without its fragment.

    As browsers read it (URL standard, section 4.4). `None` for all that is no http(s) in the end, and
    where the base, the reference or the address is longer than `LONGEST`. Beyond ASCII the query stays as
    it is: PixCrawler escapes it in the encoding of the page.
    """
    target = _read(reference, _read(base, None))
    if target is None:
        return None
    query = "" if target.query is None else f"?{target.query}"
    address = f"{target.scheme}://{target.authority}{target.path}{query}"
    return address if len(address.encode()) <= LONGEST else None


@dataclass
class _Parts:
    scheme: str
    authority: str
    path: str
    query: str | None


_SPACE = "".join(map(chr, range(0x21)))
_BREAKS = dict.fromkeys(map(ord, "\t\n\r"))
_SCHEME = re.compile(r"(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(.*)", re.DOTALL)
_REST = re.compile(r"([^?]*)(?:\?(.*))?", re.DOTALL)
_ABSOLUTE = re.compile(r"[/\\]*([^/\\?]*)([^?]*)(?:\?(.*))?", re.DOTALL)
_PLACE = re.compile(r"(\[[^\]]*\]|[^:]*)(?::([0-9]*))?")
_DOTS = re.compile(r"(\.|%2e){1,2}", re.IGNORECASE)
_HALF = re.compile("[\ud800-\udfff]")
_DEFAULT_PORTS = {"http": 80, "https": 443}

# What may not stand there is escaped, what is escaped already left alone.
_NOT_IN_QUERY = re.compile(r"[\0- \"#'<>\x7f]")
# What may stand there beside letters and digits.
_IN_PATH = "!$%&'()*+,-.:;=@[]_|~"
_IN_USER = "!$%&'()*+,-._~"


def _read(address: str | None, base: _Parts | None) -> _Parts | None:
    """The parts of an address, from those of its base where it does not say them."""
    text = address.strip(_SPACE) if isinstance(address, str) else None
    if text is None or len(text) > LONGEST:
        return None
    given, rest = _SCHEME.fullmatch(_HALF.sub("\ufffd", text.translate(_BREAKS).partition("#")[0])).groups()
    scheme = given.lower() if given else base and base.scheme
    if scheme not in ("http", "https"):
        return None
    # `https:a` is a relative reference where the base is https, too.
    if base is None or scheme != base.scheme or re.match(r"[/\\]{2}", rest):
        return _absolute(scheme, rest)
    path, query = _REST.fullmatch(rest).groups()
    if not path:
        return base if query is None else replace(base, query=_query(query))
    folder = [] if path[0] in "/\\" else base.path.split("/")[1:-1]
    return replace(base, path=_joined(folder, path), query=_query(query))


def _absolute(scheme: str, rest: str) -> _Parts | None:
    authority, path, query = _ABSOLUTE.fullmatch(rest).groups()
    login, _, place = authority.rpartition("@")
    found = _PLACE.fullmatch(place)
    known = found and host(found[1])
    port = (found and found[2] or "").lstrip("0")
    if not known or len(port) > 5 or int(port or 0) > 65_535:
        return None
    # `:0` is a port, `:` none.
    number = int(port or 0) if found[2] else _DEFAULT_PORTS[scheme]
    known += "" if number == _DEFAULT_PORTS[scheme] else f":{number}"
    return _Parts(scheme, _login(login) + known, _joined([], path), _query(query))


def _login(text: str) -> str:
    """Who asks, with a password or without."""
    user, _, password = text.partition(":")
    secret = f":{_escaped(password, _IN_USER)}" if password else ""
    return f"{_escaped(user, _IN_USER)}{secret}@" if user or secret else ""


def _joined(folder: list[str], path: str) -> str:
    """The path below a folder, without `.` and `..`."""
    kept = [*folder]
    segments = re.sub(r"^/", "", path.replace("\\", "/")).split("/")
    for index, segment in enumerate(segments):
        dots = _DOTS.fullmatch(segment)
        if not dots:
            kept.append(_escaped(segment, _IN_PATH))
            continue
        if kept and len(segment) > len(dots[1]):
            kept.pop()
        # Dots at the end stand for the folder itself.
        if index == len(segments) - 1:
            kept.append("")
    return f"/{'/'.join(kept)}"


def _query(text: str | None) -> str | None:
    return None if text is None else _NOT_IN_QUERY.sub(lambda one: quote(one[0]), text)


def _escaped(text: str, allowed: str) -> str:
    return quote(text, safe=allowed)
