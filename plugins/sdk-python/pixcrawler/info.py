"""What a source says of itself."""

from dataclasses import dataclass, field
from typing import Literal

from .candidate import Pairs


@dataclass
class HostRule:
    """`example.org`, `*.example.org` or `*`; made with `api` or `web`."""

    pattern: str
    kind: Literal["api", "web"]


def api(pattern: str) -> HostRule:
    """A documented API under that host name, used under its terms."""
    return HostRule(pattern, "api")


def web(pattern: str) -> HostRule:
    """Pages made for people under that host name; robots.txt is asked."""
    return HostRule(pattern, "web")


@dataclass
class Option:
    """Something the user may set; a form is drawn from it."""

    name: str
    label: str
    help: str = ""
    kind: Literal["text", "integer", "boolean", "choice", "choices"] = "text"
    required: bool = False
    default: str | None = None
    choices: Pairs = field(default_factory=list)
    """Value and label."""


@dataclass
class Header:
    """The secret goes into this header."""

    name: str
    prefix: str = ""
    """What stands before the secret, for example `Bearer `."""


@dataclass
class Parameter:
    """The secret goes into this parameter of the query."""

    name: str


@dataclass
class Basic:
    """HTTP Basic; the secret is `user:password`."""


@dataclass
class OAuth2:
    """OAuth 2 client credentials; the secret is `id:secret`."""

    token_url: str
    """Where the host gets and renews the token; https on one of the source's hosts."""


@dataclass
class Credential:
    """A secret that the operator may configure."""

    name: str
    help: str
    kind: Header | Parameter | Basic | OAuth2
    hosts: list[str]
    """Where it may be sent; each must be one of `Info.hosts`."""
    required: bool = False


@dataclass
class Info:
    """What a source is and what it asks for."""

    id: str
    """Lower-case letters, digits and `-`; never changes."""
    name: str
    version: str
    """Semantic."""
    description: str = ""
    homepage: str | None = None
    terms_url: str | None = None
    input: Literal["keywords", "address"] = "keywords"
    hosts: list[HostRule] = field(default_factory=list)
    """For requests; pictures may be anywhere public."""
    ignores_robots: bool = False
    restriction: str | None = None
    """Why the operator must allow the source by name, in one sentence for people."""
    options: list[Option] = field(default_factory=list)
    credentials: list[Credential] = field(default_factory=list)
    requests_per_minute: int | None = None
    max_results: int | None = None
    """The most one query can ever give, if the source has such a limit."""
    extra: Pairs = field(default_factory=list)
