// Forms of a source, and steps that carry more than fits.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  LayoutChanged, RateLimited, answer, api, candidate, chained, each, get, machine, paged, query,
} from "../src/pixcrawler.js";

const picture = (number) => candidate(`https://example.org/${number}.jpg`);
const pictures = (count) => Array.from({ length: count }, (_, number) => picture(number));

const three = paged({
  info: { id: "three", name: "Three", version: "1.0.0", hosts: [api("example.org")] },
  page: (query, number) => get("https://example.org/", { q: query.text, page: number }),
  read: (_, number, answer) => ({ candidates: [candidate(answer.response().text)], more: number < 3 }),
});

test("what a source leaves out of its description is filled in", () => {
  const info = three.describe();
  assert.deepEqual(info.hosts, [{ pattern: "example.org", kind: "api" }]);
  assert.deepEqual([info.input, info.ignoresRobots, info.options, info.extra], ["keywords", false, [], []]);
});

test("pages are asked one after the other", () => {
  const urls = [];
  let step = three.start(query("red fox"));
  while (step.next.tag === "fetch") {
    const [{ url }] = step.next.val;
    urls.push(url);
    step = three.resume(query("red fox"), step.state, [answer(url, 200, "https://example.org/a.jpg")]);
    assert.equal(step.candidates.length, 1);
  }
  assert.deepEqual(urls, [1, 2, 3].map((page) => `https://example.org/?q=red%20fox&page=${page}`));
  assert.equal(step.state, "");
});

test("a chain ends where nothing follows", () => {
  const linked = chained({
    info: {},
    first: () => get("https://example.org/a"),
    read(_, memo, answer) {
      const { text } = answer.response();
      return { next: text && get(text), memo: [...(memo ?? []), answer.url] };
    },
  });
  const first = linked.start(query(""));
  assert.equal(first.state, "null");
  const second = linked.resume(query(""), first.state, [answer("https://example.org/a", 200, "https://example.org/b")]);
  assert.equal(second.next.val[0].url, "https://example.org/b");
  assert.equal(second.state, '["https://example.org/a"]');
  assert.deepEqual(linked.resume(query(""), second.state, [answer("https://example.org/b", 200, "")]).next, { tag: "done" });
});

// Gives as many pictures as the query says, all in the turn that the query names.
const many = machine({
  info: {},
  start: (query) => ({ ...found(query, "start"), fetch: [get("https://example.org/")], state: 7 }),
  resume(query, state) {
    assert.equal(state, 7);
    return found(query, "resume");
  },
});
const found = (query, turn) =>
  query.text === turn ? { candidates: pictures(query.limit), warnings: ["one left out"] } : {};

for (const [turn, limit, sizes] of [
  ["start", 0, [0, 0]],
  ["start", 2000, [2000, 0]],
  ["start", 4001, [2000, 2000, 1, 0]],
  ["resume", 2000, [0, 2000]],
  ["resume", 4001, [0, 2000, 2000, 1]],
]) {
  test(`${limit} pictures in \`${turn}\` are handed over in parts`, () => {
    const asked = query(turn, { limit });
    const steps = [many.start(asked)];
    while (steps.at(-1).next.tag !== "done") {
      steps.push(many.resume(asked, steps.at(-1).state, []));
    }
    assert.deepEqual(steps.map((step) => step.candidates.length), sizes);
    assert.deepEqual(steps.flatMap((step) => step.warnings), ["one left out"]);
    assert.deepEqual(steps.flatMap((step) => step.candidates), pictures(limit));
  });
}

test("heavy candidates fill a step sooner", () => {
  const heavy = candidate("https://example.org/", { tags: ["x".repeat(1 << 20)] });
  const source = machine({ info: {}, start: () => ({ candidates: Array(5).fill(heavy) }) });
  const step = source.start(query(""));
  assert.deepEqual([step.candidates.length, step.next.tag, step.state], [3, "again", "again 3 "]);
});

test("only the contract's errors leave a component", () => {
  const thrown = (error) => {
    const source = machine({ info: {}, start() { throw error; } });
    try {
      source.start(query(""));
    } catch (plain) {
      return plain;
    }
  };
  assert.deepEqual(thrown(new LayoutChanged("no list")), { tag: "layout-changed", val: "no list" });
  assert.deepEqual(thrown(new RateLimited(30)), { tag: "rate-limited", val: 30 });
  const mistake = thrown(new TypeError("x is undefined"));
  assert.equal(mistake.tag, "other");
  assert.match(mistake.val, /TypeError: x is undefined\n.*machine\.test\.js/s);
  assert.deepEqual(thrown(new LayoutChanged("\ud83e")), { tag: "layout-changed", val: "\ufffd" });
  for (const state of ["page 2", "again", "again x 7", "again 7 seven"]) {
    assert.throws(() => many.resume(query("resume"), state, []), { tag: "other" });
  }
  assert.throws(() => three.resume(query(""), "1", []), { tag: "other" });
});

test("one bad result costs only itself", () => {
  const read = (element) => candidate(element);
  assert.deepEqual(each(["https://example.org/0.jpg", 7, "/a.jpg"], read), {
    candidates: [picture(0)],
    warnings: ["2 of 3 results cannot be read: not the address of a picture: 7"],
  });
  assert.throws(() => each(["/a.jpg"], read), { name: "LayoutChanged", message: /^in all results: / });
  assert.deepEqual(each([1, 2], (n) => (n === 1 ? undefined : read("/a.jpg"))), {
    candidates: [], warnings: ['1 of 2 results cannot be read: not the address of a picture: "/a.jpg"'],
  });
  assert.throws(() => each({}, read), LayoutChanged);
  assert.deepEqual(each([1, 2], (n) => (n === 1 ? undefined : pictures(2))), { candidates: pictures(2), warnings: [] });
  assert.equal(each([[1 << 18]], ([count]) => pictures(count)).candidates.length, 1 << 18);
});
