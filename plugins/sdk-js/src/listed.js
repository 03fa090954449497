// A list, and one request for each thing on it.

import { LayoutChanged, RateLimited, SourceError, Unauthorized } from "./error.js";
import { idsOf, offered, pictures, request } from "./given.js";
import { machine } from "./machine.js";
import { sites } from "./results.js";
import { shown } from "./text.js";

// Things asked for in one step.
const WINDOW = 20;
// Characters of ids in a block, so that a crawl that waits costs little. It holds one window at least.
const BLOCK = 2 << 10;
// Things that are no longer there, before any was read: where a list has so many of them and nothing
// else, or begins with so many, it is their address that has moved.
const MOVED = 3;
const MOVED_AT_LEAST = 100;

// How far a list was walked: the page that is walked and where it goes on behind the `block` of ids that
// are asked for next, whether that is the last of all, and whether the page is asked for now; whether
// anything was read, and how much was no longer there until then; what pages began with.
const BEGIN = {
  place: null, offset: 0, block: [], last: false, asked: false, read: false, gone: 0, steps: 0, mark: 0,
};

// A source whose list only names things, each of which is then asked for: `page(query, place)` is the
// request for a page of the list (`place` is null for the first), `ids(query, place, answer)` the `ids` on it and
// the place of the `next` one, if there is one; `item(query, id)` is the request for one thing and
// `read(query, id, answer)` its pictures. What the host left out because the crawl has it is not read.
export function listed(source) {
  return Object.assign(
    machine({
      info: source.info,
      start: (query) => turn(source, query, BEGIN, {}),
      resume(query, before, answers) {
        const walk = { ...before };
        const [pages, things] = walk.asked ? [answers.slice(0, 1), answers.slice(1)] : [[], answers];
        const warnings = pages.flatMap((page) => goOn(walk, idsOf(sites(() => source.ids(query, walk.place, page)))));
        const found = items(source, query, walk, things);
        return turn(source, query, walk, { ...found, warnings: [...warnings, ...found.warnings] });
      },
    }),
    { page: source.page, ids: source.ids, item: source.item, read: source.read },
  );
}

// Asks for the next window of things.
function turn(source, query, walk, found) {
  const things = walk.block.slice(0, WINDOW).map((id) => ({ ...request("item", source.item(query, id)), key: id, item: id }));
  const block = walk.block.slice(WINDOW);
  // The host has kept the page that goes on, so it comes along. A new one is asked for by itself: where
  // it cannot be read, nothing else is lost.
  const asked = block.length === 0 && !walk.last && (walk.offset > 0 || things.length === 0);
  const pages = asked ? [{ ...request("page", source.page(query, walk.place)), keep: true }] : [];
  return { ...found, fetch: [...pages, ...things], state: { ...walk, block, asked } };
}

// Takes the next block of a page's ids; gives what is to be said of it.
function goOn(walk, { ids: given, next }) {
  if (!Array.isArray(given)) {
    throw new LayoutChanged("expected a list of ids");
  }
  const ids = given.filter(isId).map(String);
  if (ids.length === 0 && given.length > 0) {
    throw new LayoutChanged(`none of the results has an id: ids must be texts or numbers, not ${shown(given[0])}`);
  }
  const isNew = walk.offset === 0;
  const bad = given.length - ids.length;
  const warnings = isNew && bad > 0 ? [`${bad} of ${given.length} results have no id`] : [];
  let characters = 0;
  walk.block = [];
  for (const id of ids.slice(walk.offset)) {
    // With the quotes and the comma that it has in the state.
    characters += id.length + 3;
    if (walk.block.length >= WINDOW && characters > BLOCK) {
      break;
    }
    walk.block.push(id);
  }
  // A list that begins anew is at its end.
  if (isNew && walk.block.length > 0 && closes(walk, hash(walk.block.join("\n")))) {
    Object.assign(walk, { block: [], last: true });
    return warnings;
  }
  walk.offset += walk.block.length;
  if (walk.offset >= ids.length) {
    walk.offset = 0;
    walk.last = next === undefined || next === null;
    walk.place = next ?? null;
  }
  return warnings;
}

const isId = (id) => (typeof id === "string" && id !== "") || Number.isSafeInteger(id);

// Tells a list that goes round in circles, however long, by one of the pages behind it (Brent's algorithm).
function closes(walk, page) {
  if (walk.steps > 0 && walk.mark === page) {
    return true;
  }
  walk.steps += 1;
  if (Number.isInteger(Math.log2(walk.steps))) {
    walk.mark = page;
  }
  return false;
}

function hash(text) {
  let hash = 0;
  for (const character of text) {
    hash = (Math.imul(hash, 31) + character.codePointAt(0)) | 0;
  }
  return hash;
}

// What a window of things holds.
function items(source, query, walk, answers) {
  const candidates = [];
  const left = new Map();
  const leave = (why) => left.set(why, (left.get(why) ?? 0) + 1);
  let failed;
  for (const answer of answers) {
    if (answer.skipped) {
      // It was read before, or need not be.
      walk.read = true;
      continue;
    }
    if ([404, 410].includes(answer.any?.status)) {
      leave("no longer there");
      walk.gone += walk.read ? 0 : 1;
      continue;
    }
    const id = answer.key;
    try {
      const found = whole(sites(() => source.read(query, id, answer), failed === undefined));
      walk.read = true;
      for (const one of found.candidates) {
        candidates.push({ ...one, id: one.id ?? id });
      }
      found.warnings.forEach(leave);
    } catch (error) {
      if (!(error instanceof SourceError) || error instanceof RateLimited || error instanceof Unauthorized) {
        throw error;
      }
      leave(`cannot be read: ${error.message}`);
      failed ??= error;
    }
  }
  if (!walk.read && failed) {
    throw failed;
  }
  if (!walk.read && walk.gone >= (walk.last && walk.block.length === 0 ? MOVED : MOVED_AT_LEAST)) {
    throw new LayoutChanged(`none of the first ${walk.gone} things on the list is where it is expected`);
  }
  const warnings = [...left].map(([why, count]) => `${count} of ${answers.length} left out: ${why}`);
  return { candidates, warnings };
}

// One candidate, several, none, or what `each` gives.
const whole = (found) =>
  Array.isArray(found?.candidates)
    ? { warnings: [], ...offered("read", found) }
    : { candidates: pictures("read", found), warnings: [] };
