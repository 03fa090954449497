// Reading what may have changed: fields and lists of results.

import { LayoutChanged, Skipped } from "./error.js";
import { pictures } from "./given.js";
import { log } from "./log.js";
import { shown } from "./text.js";

// What reading a value of an unexpected type throws: the site's doing, not the author's.
const ODD = [TypeError, RangeError, SyntaxError, URIError];
const isOdd = (error) => ODD.some((odd) => error instanceof odd);

// Calls what reads a site's values: one of an unexpected type is the site's doing. It may be the author's
// mistake all the same, so the message names the line, and the stack is logged, unless it is not to `tell`.
export function sites(read, tell = true) {
  try {
    return read();
  } catch (error) {
    if (!isOdd(error)) {
      throw error;
    }
    if (tell) {
      log("warn", `${error}\n${error.stack}`);
    }
    throw new LayoutChanged(`${place(error)}${error}`);
  }
}

// A line of a stack, of QuickJS or Node.js: function, file, line.
const FRAME = /^\s*at (?:(?:async )?(?:[^\s(]*\.)?([^\s(]+) )?\(?([^()]*?)([^()/]+\.[cm]?[jt]s):(\d+)/;
// Where the SDK lies in a project, and in its own tests.
const SDK = /\/sdk(?:-js\/src)?\/$/;

// Where in the author's own code it was thrown, to be put before the message.
function place({ stack }) {
  const frames = (stack?.split("\n") ?? []).map((line) => FRAME.exec(line)).filter((frame) => frame !== null);
  // Behind what of the SDK threw it, up to what of the SDK called the author's.
  const isOwn = ([, , folder]) => !SDK.test(folder);
  const first = frames.findIndex(isOwn);
  const rest = first < 0 ? [] : frames.slice(first);
  const end = rest.findIndex((frame) => !isOwn(frame));
  const own = end < 0 ? rest : rest.slice(0, end);
  if (own.length === 0) {
    return "";
  }
  const [, , , file, line] = own[0];
  // A callback has no name.
  const name = own.map(([, name]) => name).find((name) => /^\w+$/.test(name ?? ""));
  return `${name === undefined ? "" : `in \`${name}\`, `}${file} line ${line}: `;
}

// Reads every element of a list by itself, so that a bad one costs only itself, in a
// warning. When all are bad, it is the site that has changed. `read` gives a candidate, a
// list of them, or nothing for what is no picture. What was skipped is nothing, too.
export function each(list, read) {
  if (!Array.isArray(list)) {
    throw new LayoutChanged("expected a list of results");
  }
  const candidates = [];
  const faults = [];
  for (const element of list) {
    try {
      for (const one of pictures("read", sites(() => read(element), faults.length === 0))) {
        candidates.push(one);
      }
    } catch (error) {
      if (error instanceof LayoutChanged) {
        faults.push(error.message);
      } else if (!(error instanceof Skipped)) {
        throw error;
      }
    }
  }
  if (faults.length === 0) {
    return { candidates, warnings: [] };
  }
  if (faults.length === list.length) {
    throw new LayoutChanged(`in all results: ${faults[0]}`);
  }
  return { candidates, warnings: [`${faults.length} of ${list.length} results cannot be read: ${faults[0]}`] };
}

// Checks that a list without results is one; for the first page, because later ones may rightly
// have none. `list` was looked in for the results that the site counts.
export function expectNone(counted, list) {
  if (counted > 0) {
    throw new LayoutChanged(`expected ${counted} results in \`${list}\`, found none`);
  }
}

// A field of a value that was read; not what every object or text has, such as `constructor` or `link`.
const own = (value, field) =>
  typeof value === "object" && value !== null && Object.hasOwn(value, field) ? value[field] : undefined;

// A field that must be there.
export function need(object, field) {
  const value = own(object, field);
  if (value === undefined || value === null) {
    throw new LayoutChanged(`missing field \`${field}\``);
  }
  return value;
}

// A field that must be a whole number, 0 or more, such as a count of pages; `missing` is
// what it counts as when it is not there.
export function count(object, field, missing) {
  const value = own(object, field) === undefined && missing !== undefined ? missing : need(object, field);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new LayoutChanged(`\`${field}\` cannot be ${shown(value)}`);
  }
  return value;
}
