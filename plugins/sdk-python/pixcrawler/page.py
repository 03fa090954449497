"""Reading HTML and the addresses in it, with what Python brings."""

from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Iterator
from urllib.parse import quote, urldefrag, urljoin


@dataclass
class Tag:
    """A start tag; void and self-closing ones have no end tag."""

    name: str
    """In lower case."""
    attributes: dict[str, str]
    """Names in lower case, values decoded; the first of a name counts."""


@dataclass
class Close:
    """An end tag."""

    name: str


def tokens(html: str) -> Iterator[Tag | Close | str]:
    """The tags and texts of a document, in order; texts decoded, comments left out."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return iter(reader.found)


def tags(html: str, *names: str) -> Iterator[Tag]:
    """Only the start tags of these names, or all: `for image in tags(page, "img")`."""
    return (token for token in tokens(html) if isinstance(token, Tag) and (not names or token.name in names))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Tag | Close | str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(Tag(tag, {name: value or "" for name, value in reversed(attrs)}))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        self.found.append(Close(tag))

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def resolve(base: str, reference: str) -> str | None:
    """The absolute http(s) address that `reference` means in a document at `base`, without its fragment.

    `None` for everything that is no http(s) in the end. What may not stand in an address is escaped.
    """
    reference = reference.strip().translate({ord(character): None for character in "\t\r\n"})
    try:
        address = urldefrag(urljoin(base, reference)).url
    except ValueError:
        return None
    scheme, _, rest = address.partition("://")
    if scheme.lower() not in ("http", "https") or rest[:1] in ("", "/"):
        return None
    return quote(address, safe="!#$%&'()*+,-./:;=?@[\\]^_{|}~")
