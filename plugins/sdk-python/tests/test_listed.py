"""A list with a request for each thing on it."""

import json
import unittest
from contextlib import redirect_stderr
from dataclasses import replace
from io import StringIO

from pixcrawler import (
    Answer, Candidate, Chained, Failure, Found, Info, InvalidQuery, LayoutChanged, Listed, Paged, Query, RateLimited,
    Skipped, SourceError, Unauthorized, Unavailable, each, get,
)
from pixcrawler.errors import Mistake


class Many(Listed):
    """A page has its ids and the place of the next one; a thing's answer is the address of its picture."""

    info = Info("many", "Many", "1.0.0")

    def page(self, query, place):
        return get("https://example.org/list", {"page": place or 1})

    def ids(self, query, place, answer):
        return tuple(answer.response().json())

    def item(self, query, id):
        return get(f"https://example.org/things/{id}")

    def read(self, query, id, answer):
        text = answer.response().text
        return Found(warnings=["no picture"]) if text == "none" else Candidate(text)


def left(request):
    return Answer(request.url, Failure("skipped"), request.key)


def given(request, status=200, text=None):
    return replace(Answer.of(request.url, status, text or request.url), key=request.key)


class Walks(unittest.TestCase):
    def walked(self, pages, thing=given, source=Many()):
        """The ids of the pictures, the pages that were asked for, and the warnings."""
        ids, asked, warnings = [], [], []
        turn = source.start(Query(""))
        while turn.fetch:
            self.assertLessEqual(len(turn.fetch), 21)
            state = json.dumps(turn.state)
            self.assertLess(len(state), 2_400)
            answers = []
            for request in turn.fetch:
                self.assertEqual(request.keep, request.item is None)
                if not request.keep:
                    self.assertEqual(request.key, request.item)
                    answers.append(thing(request))
                    continue
                page = int(request.url.split("page=")[1])
                # What is new may be missing, and then only by itself.
                self.assertTrue(asked[-1:] == [page] or len(turn.fetch) == 1)
                asked.append(page)
                answers.append(given(request, 200, json.dumps(pages[page - 1])))
            turn = source.resume(Query(""), json.loads(state), answers)
            ids += [candidate.id for candidate in turn.found.candidates]
            warnings += turn.found.warnings
        return ids, asked, warnings

    def test_everything_is_asked_for_once(self):
        # A block has 20 of these long ids.
        for count, lists in [(0, 1), (1, 1), (20, 1), (21, 2), (40, 2), (100, 5)]:
            ids = [f"{number:0100}" for number in range(count)]
            self.assertEqual(self.walked([(ids, None)]), (ids, [1] * lists, []))

    def test_pages_are_walked_one_after_the_other(self):
        ids = [f"{number:0100}" for number in range(45)]
        pages = [(ids, 2), ([], 3), ([46, 47], None)]
        self.assertEqual(self.walked(pages)[:2], (ids + ["46", "47"], [1, 1, 1, 2, 3]))

    def test_pages_that_come_again_end_a_list(self):
        self.assertEqual(self.walked([([1, 2], 2), ([3], 2)])[1], [1, 2, 2])
        self.assertEqual(self.walked([([1, 2], 2), ([3], 1)])[1], [1, 2, 1, 2])

    def test_what_the_host_left_out_is_passed_over(self):
        pages = [(list(range(1, 31)), 2), (list(range(31, 46)), None)]
        self.assertEqual(self.walked(pages, left), ([], [1, 2], []))
        half = self.walked(pages, lambda request: (left if int(request.item) % 2 else given)(request))
        self.assertEqual(half, ([str(id) for id in range(2, 46, 2)], [1, 2], []))
        # What is left is bad: it is about those, for others were read before.
        bad = self.walked([([1, 2], None)], lambda asked: left(asked) if asked.item == "1" else given(asked, 500))
        self.assertEqual(bad[2], ["1 of 2 left out: cannot be read: https://example.org/things/2 answers 500"])

    def test_what_cannot_be_read_costs_only_itself(self):
        def read(*outcomes):
            ids = list(range(len(outcomes)))
            return self.walked([(ids, None)], lambda request: given(request, *outcomes[int(request.item)]))

        good, gone = (200, "https://example.org/a.jpg"), (404,)
        ids, _, warnings = read(good, (200, "none"), gone, (200, "none"), (500,), (410,), (200, "/a.jpg"))
        self.assertEqual((ids, warnings), (["0"], [
            "2 of 7 left out: no picture",
            "2 of 7 left out: no longer there",
            "1 of 7 left out: cannot be read: https://example.org/things/4 answers 500",
            "1 of 7 left out: cannot be read: not the address of a picture: '/a.jpg'",
        ]))
        self.assertEqual(read(gone, (410,))[2], ["2 of 2 left out: no longer there"])
        for error, outcomes in [
            (Unavailable, [gone, (500,)]), (LayoutChanged, [gone, gone, (410,)]),
            (RateLimited, [good, (429,)]), (Unauthorized, [good, (401,)]),
        ]:
            with self.assertRaises(error):
                read(*outcomes)

    def test_results_without_an_id_are_left_out(self):
        ids, _, warnings = self.walked([([1, None, "b", {}, "", True], None)])
        self.assertEqual((ids, warnings), (["1", "b"], ["4 of 6 results have no id"]))
        for page in ([None], "a", None):
            with self.assertRaises(LayoutChanged):
                self.walked([(page, None)])
        with self.assertRaisesRegex(LayoutChanged, "ids must be texts or numbers, not {'id': 7}"):
            self.walked([([{"id": 7}], None)])

    def test_odd_types_are_the_sites_and_mistakes_the_authors(self):
        def broken(**functions):
            source = type("Source", (Many,), functions)()
            return self.walked([([1], None)], source=source)

        def ids(*_):
            return [photo["id"] for photo in [{}]], None

        # It may be the author's mistake all the same: the line is named, and the whole traceback told.
        told = StringIO()
        with redirect_stderr(told), self.assertRaisesRegex(
            LayoutChanged, rf"^in `ids`, test_listed\.py line {ids.__code__.co_firstlineno + 1}: KeyError: 'id'$"
        ):
            broken(ids=ids)
        self.assertRegex(told.getvalue(), r"(?s)^warn: Traceback .*test_listed\.py.* in ids\n.*KeyError: 'id'\n\n$")
        told = StringIO()
        with redirect_stderr(told), self.assertRaisesRegex(LayoutChanged, r"^test_listed\.py line \d+: KeyError: 'file'$"):
            broken(read=lambda *_: Candidate({}["file"]))
        self.assertIn("KeyError: 'file'", told.getvalue())
        told = StringIO()
        with redirect_stderr(told), self.assertRaisesRegex(LayoutChanged, r"^in all results: test_listed\.py line \d+: Key"):
            each([{}] * 3, lambda photo: photo["url"])
        self.assertEqual(told.getvalue().count("Traceback"), 1)
        with self.assertRaises(NameError):
            broken(read=lambda *_: missing)
        self.assertEqual(broken(read=lambda *_: None)[0], [])

        def read(*_):
            yield Candidate("https://example.org/a.jpg")
            yield Candidate("https://example.org/b.jpg", id="17")

        self.assertEqual(broken(read=read)[0], ["1", "17"])


class Mistakes(unittest.TestCase):
    """What the functions of a form give is checked by the name of the function."""

    @staticmethod
    def made(form, **functions):
        return type("Source", (form,), {"info": Many.info, **functions})()

    def refused(self, message, call):
        with self.assertRaisesRegex(Mistake, f"^{message}$"):
            call()

    def test_of_a_list(self):
        picture = "https://example.org/a.jpg"
        pair = r"`ids` must return the ids and .* \(`return ids, place`\), not "
        for message, functions in [
            ("`page` must return a Request, made with `get` or `post`, not None", {"page": lambda *_: None}),
            ("`item` must return a Request, made with `get` or `post`, not '/1'", {"item": lambda *_: "/1"}),
            (pair + r"\['a', 'b'\]", {"ids": lambda *_: ["a", "b"]}),
            (pair + "None", {"ids": lambda *_: None}),
            ("`read` must return a Candidate, several of them, or None, not {'url': .*}",
             {"read": lambda *_: {"url": picture}}),
            ("`read` must return a Candidate, several of them, or None, not 'h'", {"read": lambda *_: picture}),
            ("`read` must return a Candidate, several of them, or None, not True", {"read": lambda *_: True}),
        ]:
            self.refused(message, lambda: Walks().walked([([1], None)], source=self.made(Many, **functions)))

    def test_of_pages_and_chains(self):
        query, one, request = Query(""), [given(get("https://example.org/1"))], get("https://example.org/2")
        pages = lambda page, read: self.made(Paged, page=lambda *_: page, read=lambda *_: read)
        chain = lambda first, read: self.made(Chained, first=lambda *_: first, read=lambda *_: read)
        self.refused("`page` must return a Request, .*, not None", lambda: pages(None, None).start(query))
        self.refused("`first` must return a Request, .*, not '/a'", lambda: chain("/a", None).start(query))
        for read, told in [
            ([], r"what the page holds .* \(`return found, more`\), not \[\]"),
            (({"a": 1}, False), "a Found, or a list of Candidates, not {'a': 1}"),
            (([{}], False), "a Found, or a list of Candidates, not {}"),
        ]:
            self.refused(f"`read` must return {told}", lambda: pages(request, read).resume(query, 1, one))
        for read, told in [
            (([], None), r"what the answer holds, .* \(`return found, request, memo`\), not \(\[\], None\)"),
            (([], "/2", None), "a Request, made with `get` or `post`, not '/2'"),
        ]:
            self.refused(f"`read` must return {told}", lambda: chain(request, read).resume(query, None, one))
        self.assertEqual(chain(request, ([], request, 7)).resume(query, None, one).state, 7)


class OtherForms(unittest.TestCase):
    """What was skipped is an outcome of its own in them, too."""

    one = left(get("https://example.org/1?q=secret"))

    def test_it_is_no_error_of_the_contract(self):
        self.assertEqual((self.one.skipped, Answer("", Failure("timeout")).skipped), (True, False))
        with self.assertRaisesRegex(Skipped, "look at `skipped`") as raised:
            self.one.response()
        self.assertNotIn("secret", str(raised.exception))
        self.assertFalse(issubclass(Skipped, (SourceError, InvalidQuery)))

    def test_it_is_passed_over(self):
        self.assertEqual(each([self.one] * 2, lambda answer: Candidate(answer.response().text)), Found())

        class Pages(Paged):
            info = Many.info
            read = None

            def page(self, query, number):
                return get(f"https://example.org/{number}")

        turn = Pages().resume(Query(""), 1, [self.one])
        self.assertEqual((turn.fetch[0].url, turn.found), ("https://example.org/2", Found()))

    def test_a_chain_is_told(self):
        class Chain(Chained):
            info = Many.info
            first = None

            def read(self, query, memo, answer):
                return Found(warnings=[str(answer.skipped)]), None, None

        self.assertEqual(Chain().resume(Query(""), None, [self.one]).found.warnings, ["True"])
