"""Forms of a source, and steps that carry more than fits."""

import unittest

from pixcrawler import (
    Answer, Candidate, Chained, Found, Info, LayoutChanged, License, Listed, Machine, Paged, Query, Turn, api, each,
    get, need,
)
from pixcrawler.step import split


def pictures(count: int) -> list[Candidate]:
    return [Candidate(f"https://example.org/{number}.jpg") for number in range(count)]


class Three(Paged):
    info = Info("three", "Three", "1.0.0", hosts=[api("example.org")])

    def page(self, query, number):
        return get("https://example.org/", {"q": query.text, "page": number})

    def read(self, query, number, answer):
        return [Candidate(answer.response().text)], number < 3


class Linked(Chained):
    info = Info("linked", "Linked", "1.0.0")

    def first(self, query):
        return get("https://example.org/a")

    def read(self, query, memo, answer):
        text = answer.response().text
        return [], text and get(text), [*(memo or []), answer.url]


class Forms(unittest.TestCase):
    def test_pages_are_asked_one_after_the_other(self):
        source, urls = Three(), []
        turn = source.start(Query("red fox"))
        while turn.fetch:
            urls.append(turn.fetch[0].url)
            answer = Answer.of(urls[-1], 200, "https://example.org/a.jpg")
            turn = source.resume(Query("red fox"), turn.state, [answer])
            self.assertEqual(len(turn.found.candidates), 1)
        self.assertEqual(urls, [f"https://example.org/?q=red%20fox&page={page}" for page in (1, 2, 3)])

    def test_a_chain_ends_where_nothing_follows(self):
        source = Linked()
        turn = source.start(Query(""))
        self.assertIsNone(turn.state)
        answer = Answer.of("https://example.org/a", 200, "https://example.org/b")
        turn = source.resume(Query(""), turn.state, [answer])
        self.assertEqual(turn.fetch[0].url, "https://example.org/b")
        turn = source.resume(Query(""), turn.state, [Answer.of("https://example.org/b", 200, "")])
        self.assertEqual((turn.fetch, turn.state), ([], ["https://example.org/a", "https://example.org/b"]))

    def test_exactly_one_answer_is_read(self):
        for count in (0, 2):
            with self.assertRaises(ValueError):
                Three().resume(Query(""), 1, [Answer.of("https://example.org/", 200, "")] * count)


class Steps(unittest.TestCase):
    def sizes(self, count: int, fetch: bool) -> list[int]:
        turn = Turn(Found(pictures(count), ["one left out"]), [get("https://example.org/")] if fetch else [], 7)
        sizes, warnings, urls, given = [], [], [], 0
        while True:
            candidates, said, state = split(turn, "6", given)
            sizes.append(len(candidates))
            urls += [candidate.url for candidate in candidates]
            warnings += said
            given += len(candidates)
            if state != f"again {given} 6":
                self.assertEqual(state, "7" if fetch else "")
                break
        self.assertEqual(warnings, ["one left out"])
        self.assertEqual(urls, [candidate.url for candidate in pictures(count)])
        return sizes

    def test_turns_larger_than_a_step_are_handed_over_in_parts(self):
        for fetch in (False, True):
            self.assertEqual(self.sizes(0, fetch), [0])
            self.assertEqual(self.sizes(2000, fetch), [2000])
            self.assertEqual(self.sizes(4001, fetch), [2000, 2000, 1])

    def test_heavy_candidates_fill_a_step_sooner(self):
        heavy = Candidate("https://example.org/", tags=["x" * (1 << 20)])
        self.assertEqual(len(split(Turn(Found([heavy] * 5)), "", 0)[0]), 3)
        heavy = Candidate("https://example.org/", extra=[("a", "x" * (5 << 20))])
        self.assertEqual(len(split(Turn(Found([heavy] * 2)), "", 0)[0]), 1)


class Results(unittest.TestCase):
    def test_one_bad_result_costs_only_itself(self):
        found = each(["https://example.org/0.jpg", 7, "/a.jpg"], Candidate)
        self.assertEqual(found.candidates, pictures(1))
        self.assertEqual(found.warnings, ["2 of 3 results cannot be read: not the address of a picture: 7"])
        self.assertEqual(each([1, 2], lambda n: None if n == 1 else pictures(2)), Found(pictures(2)))

    def test_a_generator_is_read_like_a_list(self):
        def read(urls):
            for url in urls:
                yield Candidate(url)

        found = each([["https://example.org/0.jpg"], ["/a.jpg"]], read)
        self.assertEqual((found.candidates, len(found.warnings)), (pictures(1), 1))

    def test_when_all_are_bad_the_site_has_changed(self):
        found = each([None, "/a.jpg"], lambda url: url and Candidate(url))
        warning = "1 of 2 results cannot be read: not the address of a picture: '/a.jpg'"
        self.assertEqual(found, Found(warnings=[warning]))
        for results in ([7], {}, None, "text"):
            with self.assertRaises(LayoutChanged):
                each(results, Candidate)
        with self.assertRaisesRegex(LayoutChanged, "TypeError: 'int' object is not subscriptable"):
            each([7], lambda result: Candidate(result["url"]))

    def test_a_needed_field_is_not_null(self):
        self.assertEqual(need({"a": 0}, "a"), 0)
        for result in ({}, {"a": None}, None, "a"):
            with self.assertRaisesRegex(LayoutChanged, "missing field `a`"):
                need(result, "a")

    def test_the_authors_mistakes_are_shown(self):
        with self.assertRaises(NameError):
            each([{}], lambda result: missing)
        for kind in (Candidate, License):
            with self.assertRaisesRegex(NameError, f"{kind.__name__} has no field `titel`"):
                each([{}], lambda result: kind("https://example.org/1.jpg", titel="Fox"))


class Incomplete(unittest.TestCase):
    def test_a_form_says_what_it_lacks(self):
        for form in (Machine, Paged, Chained, Listed):
            with self.assertRaisesRegex(TypeError, "abstract"):
                form()
