"""The edge to the host, with the types that componentize-py generates.

`make examples` leaves them in `target/tools/bindings`; without them these tests are skipped.
"""

import sys
import types as modules
import unittest

from pixcrawler import (
    Answer, Basic, Candidate, Checksum, Credential, Failure, Found, Header, Info, InvalidQuery, License, Machine,
    OAuth2, Option, Parameter, RateLimited, Request, Turn, api, get, post, web,
)

try:
    from componentize_py_types import Err, Ok
    from wit_world.imports import types
except ImportError:
    raise unittest.SkipTest("the bindings are not on PYTHONPATH") from None

HOSTS = ["api.example.org"]


class Author(Machine):
    """Everything that a source may say and be told."""

    info = Info(
        "all", "All", "1.0.0",
        hosts=[api(HOSTS[0]), web("*.example.net")],
        options=[Option("size", "Size", kind="choice", choices=[("l", "Large")])],
        credentials=[
            Credential("a", "", Header("authorization", "Bearer "), HOSTS),
            Credential("b", "", Parameter("key"), HOSTS),
            Credential("c", "", Basic(), HOSTS),
            Credential("d", "", OAuth2("https://api.example.org/token"), HOSTS),
        ],
    )
    told: list[Answer] = []

    def start(self, query):
        if query.text == "many":
            return Turn(Found([Candidate("https://example.org/a.jpg")] * 2001))
        if query.text == "half":
            picture = Candidate("https://example.org/a.jpg", title="a\ud83e", tags=["\ud800", "ü\U0001f98a"],
                                license=License("by", "\udc00"), extra=[("a.b", "\udfff")])
            return Turn(Found([picture] * 2, ["\ud800"]))
        if query.text == "half error":
            raise InvalidQuery("\ud800")
        if query.text == "bad":
            raise InvalidQuery("say something else")
        if query.text == "fast":
            raise RateLimited(9)
        if query.text == "mistake":
            return query.txt
        if query.text == "misspelt":
            return query.option("siz")
        if query.text == "nothing":
            return None
        if query.text == "relative":
            return Turn(fetch=[get("/search")])
        return Turn(
            Found([Candidate("https://example.org/a.jpg", checksum=Checksum("sha1", "00"))], ["one"]),
            [get("https://api.example.org/"), post("https://api.example.org/", "text/plain", "ü"),
             Request("https://api.example.org/", method="post", body=b"\xff")],
            {"known": [1]},
        )

    def resume(self, query, state, answers):
        Author.told = answers
        if query.text == "careless":
            return Turn(Found([Candidate(answer.response().text) for answer in answers]))
        return Turn(Found(warnings=[f"{state} {query.option('size')}"]))


sys.modules["source"] = modules.SimpleNamespace(Source=Author)
from pixcrawler.component import Source  # noqa: E402 (the author's module must be there before)


def query(text: str) -> types.Query:
    return types.Query(text, 100, True, None, [("size", "l")], [], [])


class Component(unittest.TestCase):
    def test_the_description_is_the_contracts(self):
        info = Source().describe()
        self.assertEqual(info.input, types.Input.KEYWORDS)
        self.assertEqual([rule.kind for rule in info.hosts], [types.HostKind.API, types.HostKind.WEB])
        self.assertEqual(info.options[0].kind, types.OptionKind.CHOICE)
        self.assertEqual([type(spec.kind) for spec in info.credentials], [
            types.CredentialKind_Header, types.CredentialKind_QueryParameter, types.CredentialKind_Basic,
            types.CredentialKind_Oauth2ClientCredentials,
        ])
        # Records are read by the names of their fields, which must therefore be all there.
        pairs = [(info, types.Info), (info.options[0], types.OptionSpec), (info.credentials[0], types.CredentialSpec)]
        for ours, contract in pairs:
            self.assertEqual(set(vars(ours)), set(contract.__dataclass_fields__), contract)
        self.assertEqual(set(Candidate.__dataclass_fields__), set(types.Candidate.__dataclass_fields__))
        self.assertEqual(set(Request.__dataclass_fields__), set(types.Request.__dataclass_fields__))

    def test_a_step(self):
        step = Source().start(query("fox"))
        first, second, third = step.next.value
        self.assertEqual((first.method, first.body), (types.Method.GET, None))
        self.assertEqual((second.method, second.body), (types.Method.POST, types.Content_Text("ü")))
        self.assertEqual(third.body, types.Content_Binary(b"\xff"))
        self.assertEqual(step.candidates[0].checksum.digest, types.Digest.SHA1)
        self.assertEqual((step.state, step.warnings, step.extra), ('{"known": [1]}', ["one"], []))

    def test_answers(self):
        def response(body):
            return Ok(types.Response(200, "https://b.example.org/", [("a", "b")], body))

        outcomes = [
            response(types.Content_Text("text")), response(types.Content_Binary(b"\xff")),
            Err(types.Failure_TooLarge(7)), Err(types.Failure_Timeout()), Err(types.Failure_Status(503)),
            Err(types.Failure_Skipped()),
        ]
        answers = [types.Answer("k", "https://a.example.org/", outcome) for outcome in outcomes]
        step = Source().resume(query("fox"), '{"known": [1]}', answers)
        self.assertEqual((step.next, step.state), (types.Next_Done(), ""))
        self.assertEqual(step.warnings, ["{'known': [1]} l"])
        text, binary, *failures = Author.told
        self.assertEqual((text.key, text.url, text.outcome.text), ("k", "https://a.example.org/", "text"))
        self.assertEqual((binary.outcome.body, binary.outcome.url), (b"\xff", "https://b.example.org/"))
        self.assertEqual([failure.outcome for failure in failures],
                         [Failure("too-large", 7), Failure("timeout"), Failure("status", 503), Failure("skipped")])
        # Let out of a step it is the author's mistake, for which nobody waits.
        with self.assertRaises(Err) as raised:
            Source().resume(query("careless"), '{"known": [1]}', answers[-1:])
        self.assertIsInstance(raised.exception.value, types.Error_Other)
        self.assertIn("look at `skipped`", raised.exception.value.value)

    def test_more_than_fits_a_step(self):
        step = Source().start(query("many"))
        self.assertEqual((len(step.candidates), step.next, step.state), (2000, types.Next_Again(), "again 2000 "))
        step = Source().resume(query("many"), step.state, [])
        self.assertEqual((len(step.candidates), step.next, step.state), (1, types.Next_Done(), ""))

    def test_no_text_holds_a_half_of_a_character(self):
        step = Source().start(query("half"))
        one = step.candidates[1]
        self.assertEqual((one.title, one.tags, one.extra), ("a\ufffd", ["\ufffd", "ü\U0001f98a"], [("a.b", "\ufffd")]))
        self.assertEqual((one.license.url, step.warnings), ("\ufffd", ["\ufffd"]))

    def test_errors(self):
        for text, expect in [
            ("bad", types.Error_InvalidQuery("say something else")),
            ("half error", types.Error_InvalidQuery("\ufffd")),
            ("fast", types.Error_RateLimited(9)),
        ]:
            with self.assertRaises(Err) as raised:
                Source().start(query(text))
            self.assertEqual(raised.exception.value, expect)
        with self.assertRaises(Err) as raised:
            Source().start(query("mistake"))
        self.assertRegex(raised.exception.value.value, r"(?s)test_component\.py.*has no attribute 'txt'")
        for text, message in [
            ("misspelt", "the source declares no option `siz`; did you mean `size`?"),
            ("nothing", "`start` must return a Turn, not None"),
            ("relative", "a request must have a whole address (`https://example.org/`), not '/search'"),
        ]:
            with self.assertRaises(Err) as raised:
                Source().start(query(text))
            self.assertIsInstance(raised.exception.value, types.Error_Other)
            self.assertIn(message, raised.exception.value.value)
