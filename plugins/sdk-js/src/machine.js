// Forms of a source, and what turns one into the exported component.

import { described, wellSpelt } from "./describe.js";
import { SourceError } from "./error.js";
import { Answer, Query } from "./message.js";
import { offered, request, turned } from "./given.js";
import { wholly } from "./text.js";

// A source as a state machine. `start(query)` and `resume(query, state, answers)` give
// `{ candidates, warnings, fetch, state }`, all of which may be left out: without requests
// to `fetch` the source is done. `state` is any JSON, at most 64 KiB as text.
export function machine(source) {
  // Now and not when it is described: so the component cannot even be built.
  wellSpelt(source.info);
  const asked = (query) => new Query(query, source.info.options ?? []);
  const first = (query) => turned("start", source.start(asked(query)));
  const other = (state) => (query, answers) =>
    turned("resume", source.resume(asked(query), read(state), answers.map((answer) => new Answer(answer))));
  return {
    ...source,
    describe: () => described(source.info),
    start: guarded((query) => step(first(query), "", 0)),
    resume: guarded((query, state, answers) => {
      const [, given, before] = AGAIN.exec(state) ?? [undefined, "0", state];
      const turn = before === "" ? first : other(before);
      return step(turn(query, answers), before, Number(given));
    }),
  };
}

// A source that is asked for page 1, 2, 3, …: `page(query, number)` is the request for one,
// `read(query, number, answer)` what it holds and whether there is `more`. One that the host left out
// because of its `item` is passed over.
export function paged(source) {
  const ask = (query, number, found) =>
    ({ ...found, fetch: [request("page", source.page(query, number))], state: number });
  return Object.assign(
    machine({
      info: source.info,
      start: (query) => ask(query, 1),
      resume(query, number, answers) {
        const answer = only(answers);
        const { more, ...found } = answer.skipped ? { more: true } : offered("read", source.read(query, number, answer));
        return more ? ask(query, number + 1, found) : found;
      },
    }),
    { page: source.page, read: source.read },
  );
}

// A source whose every answer says where the next one is: `first(query)` is the first
// request, `read(query, memo, answer)` what an answer holds, the request for the `next` one
// if there is one, and the `memo` to be given the next time (null at first).
export function chained(source) {
  const ask = (request, memo, found) => ({ ...found, fetch: [request], state: memo ?? null });
  return Object.assign(
    machine({
      info: source.info,
      start: (query) => ask(request("first", source.first(query))),
      resume(query, state, answers) {
        const { next, memo, ...found } = offered("read", source.read(query, state, only(answers)));
        return next ? ask(request("read", next), memo, found) : found;
      },
    }),
    { first: source.first, read: source.read },
  );
}

// Candidates in one step, and the characters in them (but for the first): a host accepts
// 16 MiB from one call, and going over is a trap.
const CANDIDATES_PER_STEP = 2_000;
const CHARACTERS_PER_STEP = 4 << 20;

// Before the state of a turn that is handed over in parts: how many candidates were given,
// then the state that the turn began with. A source is a pure function, so a turn that is
// made again for every part comes out the same.
const AGAIN = /^again (\d+) ([^]*)$/;

function step({ candidates = [], warnings = [], fetch = [], state = null }, before, given) {
  const rest = given > 0 ? candidates.slice(given) : candidates;
  const count = fitting(rest);
  const now = wholly({ candidates: rest.slice(0, count), warnings: given > 0 ? [] : warnings });
  const out = { ...now, state: "", extra: [] };
  if (count < rest.length) {
    return { ...out, next: { tag: "again" }, state: `again ${given + count} ${before}` };
  }
  if (fetch.length === 0) {
    return { ...out, next: { tag: "done" } };
  }
  return { ...out, next: { tag: "fetch", val: fetch }, state: JSON.stringify(state) };
}

function fitting(candidates) {
  let characters = 0;
  for (const [index, candidate] of candidates.entries()) {
    characters += weight(candidate);
    if (index === CANDIDATES_PER_STEP || (characters > CHARACTERS_PER_STEP && index > 0)) {
      return index;
    }
  }
  return candidates.length;
}

// Characters of text in a value, at any depth.
function weight(value) {
  if (typeof value === "string") {
    return value.length;
  }
  return value instanceof Object ? Object.values(value).reduce((sum, part) => sum + weight(part), 0) : 0;
}

function only(answers) {
  if (answers.length !== 1) {
    throw new Error(`asked for one answer, was given ${answers.length}`);
  }
  return answers[0];
}

function read(state) {
  try {
    return JSON.parse(state);
  } catch {
    throw new Error(`not a state of this source: ${state.slice(0, 100)}`);
  }
}

// Only the contract's errors may leave a component, as plain values; everything else is
// the author's mistake, and its stack says where.
const guarded = (call) => (...given) => {
  try {
    return call(...given);
  } catch (error) {
    if (error instanceof SourceError) {
      throw { tag: error.tag, val: wholly(error.val) };
    }
    throw { tag: "other", val: wholly(error?.stack ? `${error}\n${error.stack}` : String(error)) };
  }
};
