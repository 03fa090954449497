// What a source says of itself, and how its author may get that wrong.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  api, candidate, chained, credential, get, license, machine, option, paged, post, web,
} from "../src/pixcrawler.js";

const INFO = { id: "fox", name: "Fox", version: "1.0.0" };

const described = (info) => machine({ info: { ...INFO, ...info } }).describe();

test("everything that may be said is kept", () => {
  const info = {
    ...INFO, description: "Foxes.", homepage: "https://example.org/", termsUrl: "https://example.org/terms", input: "address",
    hosts: [api("example.org"), web("*")], ignoresRobots: true, restriction: "For tests.",
    options: [option("size", "Size", "How large.", { kind: "choice", required: true, default: "l", choices: [["l", "Large"]] })],
    credentials: [credential("api", "Ask.", "basic", ["example.org"], { required: true })],
    requestsPerMinute: 60, maxResults: 100, extra: [["fox.a", "b"]],
  };
  assert.deepEqual(described(info), info);
  const kinds = ["basic", { header: "x-key" }, { header: "x-key", prefix: "K " }, { parameter: "key" }, { tokenUrl: "https://example.org/" }];
  assert.deepEqual(kinds.map((kind) => described({ credentials: [credential("a", "", kind, [])] }).credentials[0].kind.tag), [
    "basic", "header", "header", "query-parameter", "oauth2-client-credentials",
  ]);
});

for (const [info, message] of [
  [{ requestPerMinute: 60 }, "`info` has no field `requestPerMinute`; did you mean `requestsPerMinute`?"],
  [{ requests_per_minute: 60 }, "`info` has no field `requests_per_minute`; did you mean `requestsPerMinute`?"],
  [{ host: [] }, "`info` has no field `host`; did you mean `hosts`?"],
  [{ termsURL: "" }, "`info` has no field `termsURL`; did you mean `termsUrl`?"],
  [{ colour: 1 }, "`info` has no field `colour`; it has id, name, version, description, homepage, termsUrl, "],
  [{ hosts: [{ patern: "a", kind: "api" }] }, "`info.hosts[0]` has no field `patern`; did you mean `pattern`?"],
  [{ options: [option("a", "A", ""), option("b", "B", "", { chioces: [] })] },
    "`info.options[1]` has no field `chioces`; did you mean `choices`?"],
  [{ options: [{ name: "a", lable: "A" }] }, "`info.options[0]` has no field `lable`; did you mean `label`?"],
  [{ credentials: [{ name: "a", host: [] }] }, "`info.credentials[0]` has no field `host`; did you mean `hosts`?"],
]) {
  test(`${message.slice(0, 60)} is told when the source is made`, () => {
    const told = (error) => error.message.startsWith(message);
    for (const form of [machine, paged, chained]) {
      assert.throws(() => form({ info: { ...INFO, ...info } }), told);
    }
  });
}

test("what a function is given is spelt right, too", () => {
  for (const [call, message] of [
    [() => credential("a", "", "basic", [], { require: true }), "a credential has no field `require`; did you mean `required`?"],
    [() => credential("a", "", { heder: "x-key" }, []), "the kind of a credential has no field `heder`; did you mean `header`?"],
    [() => credential("a", "", { token_url: "" }, []), "the kind of a credential has no field `token_url`; did you mean `tokenUrl`?"],
    [() => credential("a", "", { parameter: "key", prefix: "" }, []), "the kind of a credential has no field `prefix`; it has parameter"],
    [() => credential("a", "", "basics", []), "the kind of a credential cannot be \"basics\""],
    [() => credential("a", "", {}, []), "the kind of a credential cannot be {}"],
    [() => get("https://example.org/", {}, { credentials: "a" }), "a request has no field `credentials`; did you mean `credential`?"],
    [() => post("https://example.org/", "a/b", "", { header: [] }), "a request has no field `header`; did you mean `headers`?"],
    [() => license("by", { attributions: "" }), "a licence has no field `attributions`; did you mean `attribution`?"],
    [() => candidate("https://example.org/1.jpg", { page_url: "" }), "a candidate has no field `page_url`; did you mean `pageUrl`?"],
  ]) {
    assert.throws(call, (error) => error.message.startsWith(message), message);
  }
});
