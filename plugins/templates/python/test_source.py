"""What the source makes of answers, natively: `python3 -m unittest`."""

import unittest

from pixcrawler import Answer, Found, LayoutChanged, Query
from source import Source

URL = "https://api.example.org/photos?q=fox&page=1"


class Answers(unittest.TestCase):
    def test_an_empty_page_is_the_last(self):
        answer = Answer.of(URL, 200, '{"photos": [], "pages": 0}')
        self.assertEqual(Source().read(Query("fox"), 1, answer), (Found(), False))

    def test_a_foreign_answer_is_no_empty_page(self):
        with self.assertRaises(LayoutChanged):
            Source().read(Query("fox"), 1, Answer.of(URL, 200, '{"images": []}'))
