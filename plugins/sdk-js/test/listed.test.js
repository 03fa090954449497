// A list with a request for each thing on it.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  Answer, LayoutChanged, RateLimited, Skipped, Unauthorized, Unavailable, answer, candidate, chained, each, get, listed,
  machine, paged, query,
} from "../src/pixcrawler.js";

const SKIPPED = { tag: "err", val: { tag: "skipped" } };
const left = ({ key, url }) => new Answer({ key, url, outcome: SKIPPED });
const given = ({ key, url }, status, text) => Object.assign(answer(url, status, text), { key });

// A page has its ids and the place of the next one; a thing's answer is the address of its picture.
const many = listed({
  info: { id: "many", name: "Many", version: "1.0.0" },
  page: (query, place) => get("https://example.org/list", { page: place ?? 1 }),
  ids: (query, place, answer) => answer.response().json("ids"),
  item: (query, id) => get(`https://example.org/things/${id}`),
  read(query, id, answer) {
    const { text } = answer.response();
    return text === "none" ? { warnings: ["no picture"], candidates: [] } : candidate(text);
  },
});

// Walks to the end; `thing` answers a request for one.
function walked(pages, thing = (request) => given(request, 200, request.url)) {
  const all = { ids: [], asked: [], warnings: [] };
  let step = many.start(query(""));
  while (step.next.tag === "fetch") {
    const requests = step.next.val;
    assert.ok(requests.length <= 21 && step.state.length < 2_300);
    const answers = requests.map((request) => {
      assert.equal(request.keep, request.item === undefined);
      if (!request.keep) {
        assert.equal(request.key, request.item);
        return thing(request);
      }
      const page = Number(request.url.split("page=")[1]);
      // What is new may be missing, and then only by itself.
      assert.ok(all.asked.at(-1) === page || requests.length === 1);
      all.asked.push(page);
      return given(request, 200, JSON.stringify(pages[page - 1]));
    });
    step = many.resume(query(""), step.state, answers);
    all.ids.push(...step.candidates.map(({ id }) => id));
    all.warnings.push(...step.warnings);
  }
  return all;
}

const numbers = (first, last) => Array.from({ length: last - first + 1 }, (_, at) => first + at);
const texts = (first, last) => numbers(first, last).map(String);
const long = (count) => numbers(1, count).map((number) => String(number).padStart(100, "0"));

test("everything is asked for once", () => {
  // A block has 20 of these long ids.
  for (const [count, lists] of [[0, 1], [1, 1], [20, 1], [21, 2], [40, 2], [100, 5]]) {
    const { ids, asked, warnings } = walked([{ ids: long(count) }]);
    assert.deepEqual([ids, asked, warnings], [long(count), Array(lists).fill(1), []], `${count}`);
  }
});

test("pages are walked one after the other", () => {
  const pages = [{ ids: long(45), next: 2 }, { ids: [], next: 3 }, { ids: texts(46, 47), next: null }];
  const { ids, asked } = walked(pages);
  assert.deepEqual([ids, asked], [[...long(45), "46", "47"], [1, 1, 1, 2, 3]]);
});

test("pages that come again end a list", () => {
  assert.deepEqual(walked([{ ids: [1, 2], next: 2 }, { ids: [3], next: 2 }]).asked, [1, 2, 2]);
  assert.deepEqual(walked([{ ids: [1, 2], next: 2 }, { ids: [3], next: 1 }]).asked, [1, 2, 1, 2]);
});

test("what the host left out is passed over", () => {
  const ids = texts(1, 45);
  const pages = [{ ids: ids.slice(0, 30), next: 2 }, { ids: ids.slice(30) }];
  assert.deepEqual(walked(pages, left), { ids: [], asked: [1, 2], warnings: [] });
  const half = (request) => (request.item % 2 ? left(request) : given(request, 200, request.url));
  assert.deepEqual(walked(pages, half), { ids: ids.filter((id) => id % 2 === 0), asked: [1, 2], warnings: [] });
  // What is left is bad: it is about those, for others were read before.
  const bad = (request) => (request.item === "1" ? left(request) : given(request, 500, ""));
  assert.deepEqual(walked([{ ids: [1, 2] }], bad).warnings, [
    "1 of 2 left out: cannot be read: https://example.org/things/2 answers 500",
  ]);
});

test("what cannot be read costs only itself", () => {
  const read = (...outcomes) =>
    walked([{ ids: numbers(1, outcomes.length) }], (request) => given(request, ...outcomes[request.item - 1]));
  const good = [200, "https://example.org/a.jpg"];
  const { ids, warnings } = read(good, [200, "none"], [404, ""], [200, "none"], [500, ""], [410, ""], [200, "/a.jpg"]);
  assert.deepEqual([ids, warnings], [["1"], [
    "2 of 7 left out: no picture",
    "2 of 7 left out: no longer there",
    "1 of 7 left out: cannot be read: https://example.org/things/5 answers 500",
    '1 of 7 left out: cannot be read: not the address of a picture: "/a.jpg"',
  ]]);
  const thrown = (tag, ...outcomes) => assert.throws(() => read(...outcomes), { tag });
  thrown("unavailable", [404, ""], [500, ""]);
  thrown("layout-changed", [404, ""], [404, ""], [410, ""]);
  thrown("rate-limited", good, [429, ""]);
  thrown("unauthorized", good, [401, ""]);
  assert.deepEqual(read([404, ""], [410, ""]).warnings, ["2 of 2 left out: no longer there"]);
});

test("results without an id are left out", () => {
  const { ids, warnings } = walked([{ ids: [1, null, "b", {}, ""] }]);
  assert.deepEqual([ids, warnings], [["1", "b"], ["3 of 5 results have no id"]]);
  for (const page of [{ ids: [null] }, { ids: "a" }, { ids: null }]) {
    assert.throws(() => walked([page]), { tag: "layout-changed" });
  }
  const val = 'none of the results has an id: ids must be texts or numbers, not {"id":7}';
  assert.throws(() => walked([{ ids: [{ id: 7 }] }]), { tag: "layout-changed", val });
});

const broken = (fields) => {
  const source = listed({ ...many, info: {}, ...fields });
  const begun = source.start(query(""));
  const asked = source.resume(query(""), begun.state, [answer("https://example.org/list", 200, '{"ids": [1]}')]);
  return source.resume(query(""), asked.state, [given(asked.next.val[0], 200, "https://example.org/a.jpg")]);
};

test("what an author's functions give is checked by their names", () => {
  const mistake = (val, call) => assert.throws(call, (error) => {
    assert.equal(error.tag, "other");
    assert.ok(error.val.startsWith(`Error: ${val}\n`), error.val);
    return true;
  });
  const request = "must return a request, made with `get` or `post`, not";
  mistake(`\`page\` ${request} undefined`, () => broken({ page: () => undefined }));
  mistake(`\`item\` ${request} "/1"`, () => broken({ item: () => "/1" }));
  const page = "`ids` must return the ids and the place of the next page, if there is one (`{ ids, next }`), not";
  mistake(`${page} ["a"]`, () => broken({ ids: () => ["a"] }));
  mistake(`${page} undefined`, () => broken({ ids: () => undefined }));
  const pictures = "`read` must return pictures made with `candidate`, not";
  mistake(`${pictures} {"url":"https://a/"}`, () => broken({ read: () => ({ url: "https://a/" }) }));
  mistake(`${pictures} "a"`, () => broken({ read: () => [candidate("https://a/"), "a"] }));
  mistake(`${pictures} 7`, () => broken({ read: () => ({ candidates: [7] }) }));

  const made = (form, functions) => form({ info: { options: [{ name: "sort" }] }, ...functions });
  const one = [given({ key: "", url: "https://example.org/" }, 200, "")];
  mistake(`\`page\` ${request} null`, () => made(paged, { page: () => null }).start(query("")));
  mistake(`\`first\` ${request} "/a"`, () => made(chained, { first: () => "/a" }).start(query("")));
  for (const form of [paged, chained]) {
    const read = (found) => made(form, { read: () => found }).resume(query(""), "1", one);
    mistake("`read` must return an object such as `{ candidates }`, not [1]", () => read([1]));
    mistake('`read` must return a list as `candidates`, not "a"', () => read({ candidates: "a" }));
    mistake(`${pictures} {}`, () => read({ candidates: [{}] }));
  }
  mistake(`\`read\` ${request} "/2"`, () => made(chained, { read: () => ({ next: "/2" }) }).resume(query(""), "1", one));

  const begin = (start) => made(machine, { start }).start(query(""));
  mistake("`start` must return an object such as `{ candidates }`, not undefined", () => begin(() => {}));
  mistake(`\`start\` ${request} "https://a/"`, () => begin(() => ({ fetch: ["https://a/"] })));
  mistake("a request must have a whole address (`https://example.org/`), not \"/a\"", () => begin(() => ({ fetch: [get("/a")] })));
  mistake("the source has no option `sorting`; did you mean `sort`?", () => begin((asked) => asked.option("sorting")));
  assert.equal(begin((asked) => ({ warnings: [`${asked.option("sort")}`] })).warnings[0], "undefined");
});

test("the site's odd types are a changed layout, the author's mistakes are shown", () => {
  // They may be the author's all the same: the line is named.
  const val = /^in `ids`, listed\.test\.js line \d+: TypeError: /;
  assert.throws(() => broken({ ids: () => ({ ids: null.map(String) }) }), { tag: "layout-changed", val });
  assert.throws(() => broken({ ids: () => ({ ids: [1].map((one) => one.a.b) }) }), { tag: "layout-changed", val });
  const all = /^in all results: in `photo`, listed\.test\.js line \d+: TypeError: /;
  assert.throws(() => each([1, 2], function photo(one) { return one.a.b; }), { tag: "layout-changed", val: all });
  assert.throws(() => broken({ read: () => null.file }), { tag: "layout-changed" });
  assert.throws(() => broken({ read: () => missing }), { tag: "other", val: /ReferenceError/ });
  assert.deepEqual(broken({ read: () => undefined }).candidates, []);
  const own = () => [candidate("https://example.org/a.jpg"), candidate("https://example.org/b.jpg", { id: "17" })];
  assert.deepEqual(broken({ read: own }).candidates.map(({ id }) => id), ["1", "17"]);
});

test("what was skipped is an outcome of its own in the other forms, too", () => {
  const one = left({ key: "", url: "https://example.org/1?q=secret" });
  assert.deepEqual([one.skipped, answer("https://example.org/", 500, "").skipped], [true, false]);
  assert.throws(() => one.response(), (error) => error instanceof Skipped && !error.message.includes("secret"));
  for (const other of [LayoutChanged, RateLimited, Unauthorized, Unavailable]) {
    assert.ok(!(Skipped.prototype instanceof other));
  }
  const read = (answer) => candidate(answer.response().text);
  assert.deepEqual(each([one, one], read), { candidates: [], warnings: [] });

  const pages = paged({ info: {}, page: (query, number) => get(`https://example.org/${number}`), read: () => assert.fail() });
  const step = pages.resume(query(""), "1", [one]);
  assert.deepEqual([step.next.val[0].url, step.candidates], ["https://example.org/2", []]);
  const chain = chained({ info: {}, first: () => get(""), read: (query, memo, answer) => ({ warnings: [`${answer.skipped}`] }) });
  assert.deepEqual(chain.resume(query(""), "null", [one]).warnings, ["true"]);
  // Let out of a step it is the author's mistake, for which nobody waits.
  const careless = machine({ info: {}, start() {}, resume: (query, state, answers) => ({ candidates: answers.map(read) }) });
  assert.throws(() => careless.resume(query(""), "null", [one]), { tag: "other", val: /look at `skipped`/ });
});
