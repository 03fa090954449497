"""A list, and one request for each thing on it."""

from abc import abstractmethod
from collections import Counter
from dataclasses import replace
from functools import reduce
from typing import Any, Iterable

from .candidate import Candidate, shown
from .errors import LayoutChanged, RateLimited, SourceError, Unauthorized
from .machine import Found, Machine, Turn, asked, several
from .message import Answer, Query, Request, Response
from .results import sites, some

WINDOW = 20
"""Things asked for in one step."""
BLOCK = 2 << 10
"""Characters of ids in a block, so that a crawl that waits costs little. It holds one window at least."""
MOVED, MOVED_AT_LEAST = 3, 100
"""Things that are no longer there, before any was read: where a list has so many of them and nothing
else, or begins with so many, it is their address that has moved."""

BEGIN = {
    # The page that is walked, and where it goes on behind the block of ids that are asked for next.
    "place": None, "offset": 0, "block": [],
    # Whether that block is the last of all, and whether the page is asked for now.
    "last": False, "asked": False,
    # Whether anything was read, and how much was no longer there until then.
    "read": False, "gone": 0,
    # What pages began with.
    "steps": 0, "mark": 0,
}


class Listed(Machine):
    """A source whose list only names things, each of which is then asked for.

    A page of the list may be long: it is walked in windows, so that the host can stop when it has
    enough, and the host keeps it meanwhile. A page that begins as one before it ends the list.
    """

    @abstractmethod
    def page(self, query: Query, place: Any) -> Request:
        """The request for a page of the list; `place` is `None` for the first."""

    @abstractmethod
    def ids(self, query: Query, place: Any, answer: Answer) -> tuple[Iterable[str | int | None], Any]:
        """The ids on that page, best first, and the place of the next one: a number, a cursor, or `None`.

        Results without an id are left out with a warning. A page is read again for every few
        hundred of its ids.
        """

    @abstractmethod
    def item(self, query: Query, id: str) -> Request:
        """The request for one thing. Its `key` and `item` are set to the id."""

    @abstractmethod
    def read(self, query: Query, id: str, answer: Answer) -> Candidate | Iterable[Candidate] | Found | None:
        """The pictures of one thing; their `id` is its own where they say none.

        `Found` has a warning that says why there are none. Not called for what the host left out and
        for what is no longer there (404, 410). What cannot be read costs only itself, but for
        `RateLimited` and `Unauthorized`, and unless nothing could be read so far: then it is the site.
        """

    def start(self, query: Query) -> Turn:
        return self._turn(query, dict(BEGIN), Found())

    def resume(self, query: Query, state: dict, answers: list[Answer]) -> Turn:
        walk, things, warnings = dict(state), answers, []
        if walk["asked"]:
            page, *things = answers
            with sites():
                read = self.ids(query, walk["place"], page)
            ids, follows = several(
                "ids", read, 2, "the ids and the place of the next page, or None (`return ids, place`)"
            )
            warnings = _go_on(walk, ids, follows)
        found = self._items(query, walk, things)
        return self._turn(query, walk, replace(found, warnings=warnings + found.warnings))

    def _turn(self, query: Query, walk: dict, found: Found) -> Turn:
        """Asks for the next window of things."""
        window, walk["block"] = walk["block"][:WINDOW], walk["block"][WINDOW:]
        requests = [replace(asked("item", self.item(query, id)), key=id, item=id) for id in window]
        # The host has kept the page that goes on, so it comes along. A new one is asked for by itself:
        # where it cannot be read, nothing else is lost.
        walk["asked"] = not walk["block"] and not walk["last"] and (walk["offset"] > 0 or not requests)
        if walk["asked"]:
            requests.insert(0, replace(asked("page", self.page(query, walk["place"])), keep=True))
        return Turn(found, requests, walk)

    def _items(self, query: Query, walk: dict, answers: list[Answer]) -> Found:
        """What a window of things holds."""
        candidates, left, failed = [], Counter(), None
        for answer in answers:
            if answer.skipped:
                # It was read before, or need not be.
                walk["read"] = True
                continue
            if isinstance(answer.outcome, Response) and answer.outcome.status in (404, 410):
                left["no longer there"] += 1
                walk["gone"] += not walk["read"]
                continue
            try:
                with sites(tell=not failed):
                    read = self.read(query, answer.key, answer)
                    # A generator is read here, where its faults are known to be those of this thing.
                    found = read if isinstance(read, Found) else Found(some(read))
            except (RateLimited, Unauthorized):
                raise
            except SourceError as error:
                left[f"cannot be read: {error}"] += 1
                failed = failed or error
                continue
            walk["read"] = True
            for candidate in found.candidates:
                candidate.id = candidate.id or answer.key
                candidates.append(candidate)
            left.update(found.warnings)
        if failed and not walk["read"]:
            raise failed
        is_over = walk["last"] and not walk["block"]
        if not walk["read"] and walk["gone"] >= (MOVED if is_over else MOVED_AT_LEAST):
            raise LayoutChanged(f"none of the first {walk['gone']} things on the list is where it is expected")
        return Found(candidates, [f"{count} of {len(answers)} left out: {why}" for why, count in left.items()])


def _go_on(walk: dict, given: Iterable[str | int | None], follows: Any) -> list[str]:
    """Takes the next block of a page's ids; gives what is to be said of it."""
    if isinstance(given, str):
        raise LayoutChanged("expected a list of ids")
    with sites():
        given = list(given)
    ids = [str(id) for id in given if _is_id(id)]
    if given and not ids:
        raise LayoutChanged(f"none of the results has an id: ids must be texts or numbers, not {shown(given[0])}")
    is_new, bad, characters = walk["offset"] == 0, len(given) - len(ids), 0
    warnings = [f"{bad} of {len(given)} results have no id"] if is_new and bad else []
    walk["block"] = []
    for id in ids[walk["offset"]:]:
        # With the quotes and the comma that it has in the state.
        characters += len(id) + 3
        if len(walk["block"]) >= WINDOW and characters > BLOCK:
            break
        walk["block"].append(id)
    if is_new and walk["block"] and _closes(walk, _hash("\n".join(walk["block"]))):
        walk["block"], walk["last"] = [], True
        return warnings
    walk["offset"] += len(walk["block"])
    if walk["offset"] >= len(ids):
        walk["offset"], walk["last"], walk["place"] = 0, follows is None, follows
    return warnings


def _is_id(id: Any) -> bool:
    return bool(id) if isinstance(id, str) else isinstance(id, int) and not isinstance(id, bool)


def _closes(walk: dict, page: int) -> bool:
    """Tells a list that goes round in circles, however long, by one of the pages behind it (Brent's algorithm)."""
    if walk["steps"] > 0 and walk["mark"] == page:
        return True
    walk["steps"] += 1
    if walk["steps"].bit_count() == 1:
        walk["mark"] = page
    return False


def _hash(text: str) -> int:
    """Not Python's own, which is another one in each run."""
    return reduce(lambda hash, letter: (hash * 31 + ord(letter)) & 0xFFFF_FFFF, text, 0)
