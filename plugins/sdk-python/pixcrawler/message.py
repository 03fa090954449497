"""Queries, requests and answers."""

import re
from dataclasses import dataclass, field
from typing import Any, Literal, Mapping
from urllib.parse import quote

from .candidate import Pairs, shown
from .errors import InvalidQuery, LayoutChanged, Mistake, RateLimited, Skipped, SourceError, Unauthorized, Unavailable
from .parse import parse
from .text import meant


@dataclass
class Query:
    """What is looked for. The same in every call of a crawl."""

    text: str
    """Keywords or an address, see `Info.input`."""
    limit: int = 100
    """Images the whole job wants: a hint for page sizes."""
    safe_search: bool = True
    language: str | None = None
    """BCP 47."""
    options: Pairs = field(default_factory=list)
    credentials: list[str] = field(default_factory=list)
    """Names of the declared credentials that are configured."""
    extra: Pairs = field(default_factory=list)
    declared: list[str] | None = field(default=None, repr=False, compare=False)
    """Names of the source's options; `None` in a test, where none of them is known."""

    def option(self, name: str) -> str | None:
        """The value of an option, if it has one. One that is not declared is a mistake."""
        if self.declared is not None and name not in self.declared:
            raise Mistake(f"the source declares no option `{name}`; {meant(name, self.declared)}")
        return next((value for key, value in self.options if key == name and value), None)

    def has_credential(self, name: str) -> bool:
        """Whether the operator has configured that credential."""
        return name in self.credentials


@dataclass
class Request:
    """Something for the host to fetch; made with `get` or `post`."""

    url: str
    """Absolute; its host must be one of `Info.hosts`."""
    key: str = ""
    """Comes back in the answer."""
    method: Literal["get", "post"] = "get"
    headers: Pairs = field(default_factory=list)
    body: str | bytes | None = None
    credential: str | None = None
    """Name of a declared credential; the host adds the secret."""
    item: str | None = None
    """The `id` of the candidates this will lead to; the host may answer `skipped`."""
    keep: bool = False
    """The host keeps the answer; asking again costs no request."""
    extra: Pairs = field(default_factory=list)


def get(url: str, parameters: Mapping[str, Any] = {}, **fields: Any) -> Request:
    """A GET of `url` with `parameters` added to its query, escaped.

    Those that are `None` are left out, and a list gives one for each element.
    """
    if not isinstance(url, str):
        raise LayoutChanged(f"not an address: {shown(url)}")
    for name, values in parameters.items():
        for value in values if isinstance(values, (list, tuple)) else [values]:
            if value is not None:
                text = str(value).lower() if isinstance(value, bool) else str(value)
                url += f"{'&' if '?' in url else '?'}{quote(name, safe='')}={quote(text, safe='')}"
    return Request(url, **fields)


def post(url: str, type: str, body: str | bytes, **fields: Any) -> Request:
    """A POST of a body of that media type."""
    return Request(url, method="post", headers=[("content-type", type)], body=body, **fields)


@dataclass
class Failure:
    """Why there is no answer."""

    kind: str
    """`denied`, `robots`, `skipped`, `too-large`, `timeout`, `network`, `status` or `other`."""
    value: Any = None
    """A reason, a limit in bytes, a status."""


@dataclass
class Response:
    """What came back."""

    status: int
    url: str
    """Where the answer came from, after redirects."""
    headers: Pairs
    """Names in lower case."""
    body: str | bytes

    def header(self, name: str) -> str | None:
        """The first header of that name, given in lower case."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def text(self) -> str:
        """The body as text."""
        if not isinstance(self.body, str):
            raise LayoutChanged(f"expected text at {_without_query(self.url)}, found binary data")
        return self.body

    def json(self, *fields: str) -> Any:
        """The body, read as JSON; `fields` are those that its object must have.

        `[]` on all objects in it raises `LayoutChanged` for a field that is not there. What is
        no JSON, or nested deeper than 128, raises it at once; halves of characters become U+FFFD.
        """
        text = self.text
        try:
            value = parse(text)
        except LayoutChanged as error:
            raise LayoutChanged(f"answer of {_without_query(self.url)}: {error}") from None
        for name in fields:
            if not isinstance(value, dict) or value.get(name) is None:
                raise LayoutChanged(f"answer of {_without_query(self.url)}: missing field `{name}`")
        return value


@dataclass
class Answer:
    """One request's outcome."""

    url: str
    """As asked."""
    outcome: Response | Failure
    key: str = ""
    """As asked."""

    @staticmethod
    def of(url: str, status: int, body: str | bytes, headers: Pairs = []) -> "Answer":
        """An answer as the host would give it: for tests of a source."""
        return Answer(url, Response(status, url, headers, body))

    @property
    def skipped(self) -> bool:
        """Whether the host left the request out, because the crawl has the thing that its `item` names.

        There is nothing to read, and nothing is wrong.
        """
        return isinstance(self.outcome, Failure) and self.outcome.kind == "skipped"

    def response(self) -> Response:
        """The response, if the request succeeded (status 200 to 299); else raises what fits.

        401 is `Unauthorized`; 429 `RateLimited`; 400, 404, 405, 410, 422 `LayoutChanged`, because
        a source asks only for what should be there; what the host's rules refuse `InvalidQuery`;
        what it left out `Skipped`; anything else `Unavailable`.
        """
        place = _without_query(self.url)
        if isinstance(self.outcome, Failure):
            raise _failed(self.outcome, place)
        if 200 <= self.outcome.status <= 299:
            return self.outcome
        raise _refused(self.outcome.status, place, self.outcome.header("retry-after"))


def _failed(failure: Failure, place: str) -> SourceError | Skipped:
    match failure.kind:
        case "denied":
            return InvalidQuery(f"{place} was refused: {failure.value}")
        case "robots":
            return InvalidQuery(f"robots.txt forbids {place}: {failure.value}")
        case "too-large":
            return InvalidQuery(f"{place} is larger than {failure.value} bytes")
        case "status":
            return _refused(failure.value, place, None)
        case "skipped":
            return Skipped(place)
        case "timeout":
            return Unavailable(f"{place} took too long")
    return Unavailable(f"{place}: {failure.value}")


def _refused(status: int, place: str, retry_after: str | None) -> SourceError:
    if status == 401:
        return Unauthorized(f"{place} asks for a credential")
    if status == 429:
        seconds = retry_after is not None and re.fullmatch(r"\s*([0-9]{1,9})\s*", retry_after)
        return RateLimited(int(seconds[1]) if seconds else None)
    lasting = status in (400, 404, 405, 410, 422)
    return (LayoutChanged if lasting else Unavailable)(f"{place} answers {status}")


def _without_query(url: str) -> str:
    """What a person was looking for has no place in a message that is logged."""
    return re.split("[?#]", url, maxsplit=1)[0]
