"""The component: what the host calls, made from the class `Source` of the module `source`.

Only here are the types those that were generated from the contract. Records need no such
type: the host reads them by the names of their fields.
"""

import copy
import json
import re
import traceback
from dataclasses import fields, is_dataclass, replace
from typing import Any, Callable

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import types

import source as author

from . import errors
from .candidate import Checksum, shown
from .info import Basic, Header, Info, OAuth2, Parameter
from .machine import Turn, returned
from .message import Answer, Failure, Query, Request, Response
from .step import AGAIN, split

_CREDENTIALS = {
    Header: types.CredentialKind_Header,
    Parameter: lambda kind: types.CredentialKind_QueryParameter(kind.name),
    Basic: lambda _: types.CredentialKind_Basic(),
    OAuth2: lambda kind: types.CredentialKind_Oauth2ClientCredentials(kind.token_url),
}

_ERRORS = {
    errors.InvalidQuery: types.Error_InvalidQuery,
    errors.Unauthorized: types.Error_Unauthorized,
    errors.Unavailable: types.Error_Unavailable,
    errors.LayoutChanged: types.Error_LayoutChanged,
}


def _described(info: Info) -> Info:
    return replace(
        info,
        input=types.Input[info.input.upper()],
        hosts=[replace(rule, kind=types.HostKind[rule.kind.upper()]) for rule in info.hosts],
        options=[replace(option, kind=types.OptionKind[option.kind.upper()]) for option in info.options],
        credentials=[replace(spec, kind=_CREDENTIALS[type(spec.kind)](spec.kind)) for spec in info.credentials],
    )


# Made once, when the component is built: a mistake in it ends the build.
_INFO = _described(author.Source.info)


class Source(exports.Source):
    """The name is the contract's."""

    def describe(self) -> Info:
        return _INFO

    def start(self, query: types.Query) -> types.Step:
        return _guarded(lambda: _step(query, "", [], 0))

    def resume(self, query: types.Query, state: str, answers: list[types.Answer]) -> types.Step:
        again = re.fullmatch(AGAIN, state, re.DOTALL)
        given, before = (int(again[1]), again[2]) if again else (0, state)
        return _guarded(lambda: _step(query, before, answers, given))


def _step(query: types.Query, before: str, answers: list[types.Answer], given: int) -> types.Step:
    declared = [option.name for option in _INFO.options]
    source, asked = author.Source(), Query(**vars(query), declared=declared)
    if before == "":
        turn = source.start(asked)
    else:
        turn = source.resume(asked, json.loads(before), [_answer(answer) for answer in answers])
    if not isinstance(turn, Turn):
        raise returned("resume" if before else "start", turn, "a Turn")
    candidates, warnings, state = split(turn, before, given)
    candidates, warnings = _whole(candidates), _whole(warnings)
    if state.startswith("again "):
        follows = types.Next_Again()
    elif turn.fetch:
        follows = types.Next_Fetch([_request(request) for request in turn.fetch])
    else:
        follows = types.Next_Done()
    return types.Step(candidates, follows, state, warnings, [])


def _answer(answer: types.Answer) -> Answer:
    if isinstance(answer.outcome, Err):
        failure = answer.outcome.value
        kind = re.sub(r"(?<!^)(?=[A-Z])", "-", type(failure).__name__.removeprefix("Failure_")).lower()
        return Answer(answer.url, Failure(kind, getattr(failure, "value", None)), answer.key)
    response = answer.outcome.value
    return Answer(
        answer.url, Response(response.status, response.url, response.headers, response.body.value), answer.key
    )


def _request(request: Request) -> Request:
    if not isinstance(request, Request) or not re.match("https?://", request.url, re.ASCII | re.IGNORECASE):
        given = request.url if isinstance(request, Request) else request
        raise errors.Mistake(f"a request must have a whole address (`https://example.org/`), not {shown(given)}")
    body = request.body
    if body is not None:
        body = types.Content_Text(body) if isinstance(body, str) else types.Content_Binary(body)
    return replace(request, method=types.Method[request.method.upper()], body=body)


def _whole(value: Any) -> Any:
    """The value as the host reads it: enums are the contract's, and no text holds a half of a character."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, (list, tuple)):
        return type(value)(map(_whole, value))
    if isinstance(value, Checksum):
        return Checksum(types.Digest[value.digest.upper()], _whole(value.hex))
    if not is_dataclass(value):
        return value
    made = copy.copy(value)
    for part in fields(value):
        setattr(made, part.name, _whole(getattr(value, part.name)))
    return made


def _guarded(call: Callable[[], types.Step]) -> types.Step:
    """Only the contract's errors may leave a component; for all else the traceback says where."""
    try:
        return call()
    except errors.RateLimited as error:
        raise Err(types.Error_RateLimited(error.seconds)) from None
    except errors.SourceError as error:
        made = next((made for kind, made in _ERRORS.items() if isinstance(error, kind)), types.Error_Other)
        raise Err(made(_whole(str(error)))) from None
    except Exception:
        raise Err(types.Error_Other(_whole(traceback.format_exc()))) from None
