"""Forms of a source."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Iterable

from .candidate import Candidate, shown
from .errors import Mistake
from .info import Info
from .message import Answer, Query, Request


@dataclass
class Found:
    """What an answer held."""

    candidates: list[Candidate] = field(default_factory=list)
    """In the source's own order."""
    warnings: list[str] = field(default_factory=list)
    """For the person whose crawl it is: what was left out and why."""

    @staticmethod
    def of(found: "Found | Iterable[Candidate]") -> "Found":
        return found if isinstance(found, Found) else Found(candidates("read", found, "a Found, or a list of Candidates"))


def candidates(function: str, given: Any, expected: str) -> list[Candidate]:
    """What an author's function gave, as a list; anything but candidates is a mistake.

    `expected` says in words what it should give.
    """
    if isinstance(given, dict) or not isinstance(given, Iterable):
        raise returned(function, given, expected)
    listed = list(given)
    for one in listed:
        if not isinstance(one, Candidate):
            raise returned(function, one, expected)
    return listed


def asked(function: str, request: Any) -> Request:
    """The request that an author's function gave."""
    if not isinstance(request, Request):
        raise returned(function, request, "a Request, made with `get` or `post`")
    return request


def several(function: str, given: Any, count: int, expected: str) -> tuple:
    """The values that an author's function gave, so many of them."""
    if not isinstance(given, tuple) or len(given) != count:
        raise returned(function, given, expected)
    return given


def returned(function: str, given: Any, expected: str) -> Mistake:
    """What to say of a function that gave something else than was expected of it."""
    return Mistake(f"`{function}` must return {expected}, not {shown(given)}")


@dataclass
class Turn:
    """The outcome of one turn. Without requests to fetch the source is done."""

    found: Found = field(default_factory=Found)
    """More than fits a step is handed over in parts."""
    fetch: list[Request] = field(default_factory=list)
    state: Any = None
    """For the next turn: anything that `json` can write, at most 64 KiB."""


class Machine(ABC):
    """A source as a state machine. Nothing is remembered between calls but `state`."""

    info: Info

    @abstractmethod
    def start(self, query: Query) -> Turn:
        """The first turn, before anything was fetched."""

    @abstractmethod
    def resume(self, query: Query, state: Any, answers: list[Answer]) -> Turn:
        """Every other turn: `answers` are those to the last turn's requests, in the order asked."""


class Paged(Machine):
    """A source that is asked for page 1, 2, 3, …

    One that the host left out because of its `item` is passed over.
    """

    @abstractmethod
    def page(self, query: Query, number: int) -> Request:
        """The request for page `number`, counted from 1."""

    @abstractmethod
    def read(self, query: Query, number: int, answer: Answer) -> tuple[Found | Iterable[Candidate], bool]:
        """What page `number` holds, and whether there is another."""

    def start(self, query: Query) -> Turn:
        return Turn(fetch=[asked("page", self.page(query, 1))], state=1)

    def resume(self, query: Query, state: int, answers: list[Answer]) -> Turn:
        answer = _only(answers)
        read = ([], True) if answer.skipped else self.read(query, state, answer)
        found, more = several("read", read, 2, "what the page holds and whether there is another (`return found, more`)")
        if not more:
            return Turn(Found.of(found))
        return Turn(Found.of(found), [asked("page", self.page(query, state + 1))], state + 1)


class Chained(Machine):
    """A source whose every answer says where the next one is."""

    memo: Any = None
    """What `read` is given as `memo` the first time."""

    @abstractmethod
    def first(self, query: Query) -> Request:
        """The first request."""

    @abstractmethod
    def read(
        self, query: Query, memo: Any, answer: Answer
    ) -> tuple[Found | Iterable[Candidate], Request | None, Any]:
        """What the answer holds, the request for the next one if there is one, and the memo for it."""

    def start(self, query: Query) -> Turn:
        return Turn(fetch=[asked("first", self.first(query))], state=self.memo)

    def resume(self, query: Query, state: Any, answers: list[Answer]) -> Turn:
        read = self.read(query, state, _only(answers))
        found, request, memo = several(
            "read", read, 3, "what the answer holds, the next request and the memo (`return found, request, memo`)"
        )
        return Turn(Found.of(found), [asked("read", request)] if request else [], memo)


def _only(answers: list[Answer]) -> Answer:
    if len(answers) != 1:
        raise ValueError(f"asked for one answer, was given {len(answers)}")
    return answers[0]
