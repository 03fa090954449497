// Reading what may have changed: fields and lists of results.

import { LayoutChanged, Skipped } from "./error.js";
import { shown } from "./text.js";

// What reading a value of an unexpected type throws: the site's doing, not the author's.
const ODD = [TypeError, RangeError, SyntaxError, URIError];
export const isOdd = (error) => ODD.some((odd) => error instanceof odd);

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
      for (const one of [read(element) ?? []].flat()) {
        candidates.push(one);
      }
    } catch (error) {
      if (!(error instanceof Skipped)) {
        faults.push(fault(error));
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

function fault(error) {
  if (error instanceof LayoutChanged) {
    return error.message;
  }
  if (isOdd(error)) {
    return String(error);
  }
  throw error;
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
