// Reading what may have changed: fields and lists of results.

import { LayoutChanged } from "./error.js";

// Reads every element of a list by itself, so that a bad one costs only itself, in a
// warning. When one is bad and nothing else gave a picture, it is the site that has
// changed. `read` gives a candidate, a list of them, or nothing for what is no picture.
export function each(list, read) {
  if (!Array.isArray(list)) {
    throw new LayoutChanged("expected a list of results");
  }
  const candidates = [];
  const faults = [];
  for (const element of list) {
    try {
      candidates.push(...[read(element) ?? []].flat());
    } catch (error) {
      if (!(error instanceof LayoutChanged)) {
        throw error;
      }
      faults.push(error.message);
    }
  }
  if (faults.length === 0) {
    return { candidates, warnings: [] };
  }
  const some = `${faults.length} of ${list.length}`;
  if (candidates.length === 0) {
    throw new LayoutChanged(`in ${faults.length === list.length ? "all" : some} results: ${faults[0]}`);
  }
  return { candidates, warnings: [`${some} results cannot be read: ${faults[0]}`] };
}

// A field that must be there.
export function need(object, field) {
  const value = object?.[field];
  if (value === undefined || value === null) {
    throw new LayoutChanged(`missing field \`${field}\``);
  }
  return value;
}
