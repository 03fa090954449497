// What the source makes of answers, under Node: `node --test`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { answer, query } from "./sdk/pixcrawler.js";
import { source } from "./source.js";

const URL = "https://api.example.org/photos?q=fox&page=1";

test("an empty page is the last", () => {
  const found = source.read(query("fox"), 1, answer(URL, 200, '{"photos": [], "pages": 0}'));
  assert.deepEqual(found, { candidates: [], warnings: [], more: false });
});

test("a foreign answer is no empty page", () => {
  const read = () => source.read(query("fox"), 1, answer(URL, 200, '{"images": []}'));
  assert.throws(read, { name: "LayoutChanged" });
});
