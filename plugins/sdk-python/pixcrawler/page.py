"""Reading HTML as browsers do, as far as finding links and pictures needs it.

The tags with attributes and the texts that the tokenizer of the HTML standard (section 13.2.5) sees, in the
order of the document. No tree is built. Any text at all can be read; what is broken is skipped.
"""

import re
from dataclasses import dataclass
from typing import Iterator, NamedTuple

from .references import decode, decode_value
from .text import lower


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
    """The tags and texts of a document, in order; texts decoded, comments left out.

    `image`, which browsers take for `img`, is called that.
    """
    return read(html.replace("\r\n", "\n").replace("\r", "\n"))


def tags(html: str, *names: str) -> Iterator[Tag]:
    """Only the start tags of these names, or all: `for image in tags(page, "img")`."""
    return (token for token in tokens(html) if isinstance(token, Tag) and (not names or token.name in names))


# Expressions, because Python runs them many times as fast as a state for each character.
_TEXT_END = re.compile(r"<(?:[a-zA-Z!?]|/.)", re.DOTALL)
# A comment, the beginning of a tag, or what else is no text, such as a declaration.
_MARKUP = re.compile(
    r"<!--(?:-?>|.*?(?:--!?>|\Z))|<(/?)([a-zA-Z][^\t\n\f />]*)(>?)|<[/!?][^>]*(?:>|\Z)", re.DOTALL
)
_CDATA = re.compile(r"<!\[CDATA\[(.*?)(?:\]\]>|\Z)", re.DOTALL)
# `>`, or a name and its value: quoted, begun with a quote that never ends, or bare.
_ATTRIBUTE = re.compile(
    r"""[\t\n\f /]*+(?:(>)|(=?[^\t\n\f />=]*+)"""
    r"""(?:[\t\n\f ]*+=[\t\n\f ]*+(?:"([^"]*+)"|'([^']*+)'|(["'])|([^\t\n\f >]*+)))?)"""
)



def end_tag(name: str) -> re.Pattern:
    """Before the end tag of an element."""
    return re.compile(rf"</{name}(?=[\t\n\f />])", re.ASCII | re.IGNORECASE)


class Raw(NamedTuple):
    """An element whose content is text up to its own end tag."""

    end: re.Pattern
    decoded: bool = False
    """Whether references in it mean something."""
    script: bool = False


_RAW = {
    **{name: Raw(end_tag(name), decoded=True) for name in ("textarea", "title")},
    **{name: Raw(end_tag(name)) for name in ("style", "xmp", "iframe", "noembed", "noframes")},
    "script": Raw(end_tag("script"), script=True),
    "plaintext": Raw(re.compile(r"\Z")),
}


def read(html: str, raw: Raw | None = None, drawings: int = 0) -> Iterator[Tag | Close | str]:
    """As `tokens`, from within an element as those of `_RAW`, or so many drawings and formulas.

    XML's rules hold for these.
    """
    at = 0
    while at < len(html):
        if raw and raw.script:
            end = _script_end(html, at)
        else:
            found = (raw.end if raw else _TEXT_END).search(html, at)
            end = found.start() if found else len(html)
        if end > at:
            text = html[at:end]
            yield decode(text) if raw is None else _visible(decode(text) if raw.decoded else text)
            at = end
        raw = None
        if at == len(html):
            return
        if drawings and (cdata := _CDATA.match(html, at)):
            at = cdata.end()
            if cdata[1]:
                yield cdata[1]
            continue
        markup = _MARKUP.match(html, at)
        at = markup.end()
        if markup[2] is None:
            continue
        rest = ({}, False, at) if markup[3] else _attributes(html, at)
        if rest is None:
            # A tag that the document's end cuts off is no tag.
            return
        attributes, closed, at = rest
        name = _visible(lower(markup[2]))
        drawing = name in ("svg", "math")
        if markup[1]:
            drawings -= drawing and drawings > 0
            yield Close(name)
            continue
        # Elsewhere the slash in front of `>` means nothing.
        if not closed or not (drawing or drawings):
            drawings += drawing
            raw = _RAW.get(name)
        yield Tag("img" if name == "image" and not drawings else name, attributes)


def _attributes(html: str, at: int) -> tuple[dict[str, str], bool, int] | None:
    """From behind a tag's name: the attributes, whether the tag is closed in itself, and where it ends; if it does."""
    found: dict[str, str] = {}
    while at < len(html):
        part = _ATTRIBUTE.match(html, at)
        end, name, double, single, unclosed, bare = part.groups()
        if unclosed or part.end() == at:
            return None
        at = part.end()
        if end:
            return found, part[0].endswith("/>"), at
        if name:
            value = double if double is not None else single if single is not None else bare
            found.setdefault(_visible(lower(name)), _visible(decode_value(value or "")))
    return None


# After `<!--` a `<script>` hides the next end tag, as in old pages that hide scripts from browsers without.
_SCRIPT = re.compile(r"<!--|-->|<(/?)script(?=[\t\n\f />])", re.ASCII | re.IGNORECASE)


def _script_end(html: str, at: int) -> int:
    comment = inner = False
    while found := _SCRIPT.search(html, at):
        at = found.end()
        if found[0] == "<!--":
            comment = True
            # Its dashes may be those of its end.
            at -= 2
        elif found[0] == "-->":
            comment = inner = False
        elif not found[1]:
            inner = comment
        elif inner:
            inner = False
        else:
            return found.start()
    return len(html)


def _visible(text: str) -> str:
    return text.replace("\0", "\ufffd")
