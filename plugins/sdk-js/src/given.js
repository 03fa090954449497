// What an author's functions give: another kind of value is a mistake, told by the name of the function.

import { shown } from "./text.js";

// No `TypeError`: that would be a value of the site's.
function check(fits, name, expected, given) {
  if (!fits) {
    throw new Error(`\`${name}\` must return ${expected}, not ${shown(given)}`);
  }
  return given;
}

const isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

export const request = (name, given) =>
  check(isRecord(given) && Array.isArray(given.headers), name, "a request, made with `get` or `post`", given);

const isPicture = (value) => isRecord(value) && typeof value.url === "string" && Array.isArray(value.alternates);

const picture = (name, given) => check(isPicture(given), name, "pictures made with `candidate`", given);

// A page of a list.
export const idsOf = (given) =>
  check(isRecord(given), "ids", "the ids and the place of the next page, if there is one (`{ ids, next }`)", given);

// Pictures of one thing: one, a list of them, or none.
export const pictures = (name, given) => [given ?? []].flat().map((one) => picture(name, one));

// What an answer holds: an object whose `candidates` are pictures, if there are any.
export function offered(name, given) {
  check(isRecord(given), name, "an object such as `{ candidates }`", given);
  const { candidates = [] } = given;
  check(Array.isArray(candidates), name, "a list as `candidates`", candidates);
  candidates.forEach((one) => picture(name, one));
  return given;
}

// A turn, each of whose requests has an address that is whole: nobody but the author can make it so.
export function turned(name, given) {
  const { fetch = [] } = offered(name, given);
  for (const { url } of fetch.map((one) => request(name, one))) {
    if (!/^https?:\/\//i.test(url)) {
      throw new Error(`a request must have a whole address (\`https://example.org/\`), not ${shown(url)}`);
    }
  }
  return given;
}
