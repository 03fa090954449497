// Queries, requests and answers.

import { InvalidQuery, LayoutChanged, RateLimited, Skipped, Unauthorized, Unavailable } from "./error.js";
import { meant, onlyKnown } from "./fields.js";
import { parse } from "./json.js";
import { need } from "./results.js";
import { shown } from "./text.js";
import { escape } from "./url.js";

// What is looked for.
export class Query {
  #declared;

  // `declared` are the source's options; in a test, where none of them is known, it may be left out.
  constructor(given, declared) {
    Object.assign(this, given);
    this.#declared = declared?.map(({ name }) => name);
  }

  // The value of an option, if it has one. One that is not declared is the author's mistake.
  option(name) {
    if (this.#declared?.includes(name) === false) {
      throw new Error(`the source has no option \`${name}\`; ${meant(name, this.#declared)}`);
    }
    return this.options.find(([key, value]) => key === name && value !== "")?.[1];
  }

  // Whether the operator has configured that credential.
  hasCredential(name) {
    return this.credentials.includes(name);
  }
}

// A query for that text, for tests of a source.
export const query = (text, fields = {}) =>
  new Query({ text, limit: 100, safeSearch: true, options: [], credentials: [], extra: [], ...fields });

const REQUEST = ["key", "method", "url", "headers", "body", "credential", "item", "keep", "extra"];

// A GET of `url` with `parameters` added to its query, escaped; those without a value are
// left out, and a list gives one for each element.
export function get(url, parameters = {}, fields = {}) {
  if (typeof url !== "string") {
    throw new LayoutChanged(`not an address: ${shown(url)}`);
  }
  let full = url;
  for (const [name, values] of Object.entries(parameters)) {
    for (const value of Array.isArray(values) ? values : [values]) {
      if (value !== undefined && value !== null) {
        full += `${full.includes("?") ? "&" : "?"}${escape(name)}=${escape(value)}`;
      }
    }
  }
  onlyKnown(fields, REQUEST, "a request");
  return { key: "", method: "get", url: full, headers: [], keep: false, extra: [], ...fields };
}

// A POST of a text.
export const post = (url, type, text, fields = {}) => get(url, {}, {
  method: "post", headers: [["content-type", type]], body: { tag: "text", val: text }, ...fields,
});

// One request's outcome.
export class Answer {
  constructor({ key, url, outcome }) {
    Object.assign(this, { key, url, outcome });
  }

  // What came back, whatever its status; undefined for a failure.
  get any() {
    return this.outcome.tag === "ok" ? new Response(this.outcome.val) : undefined;
  }

  // Why there is no answer, as the contract has it (`{ tag: "timeout" }`); undefined if there is one.
  get failure() {
    return this.outcome.tag === "err" ? this.outcome.val : undefined;
  }

  // Whether the host left the request out, because the crawl has the thing that its `item`
  // names: there is nothing to read, and nothing is wrong.
  get skipped() {
    return this.failure?.tag === "skipped";
  }

  // The response, if the request succeeded (status 200 to 299); else throws the error that
  // fits: 401 `Unauthorized`; 429 `RateLimited`; 400, 404, 405, 410, 422 `LayoutChanged`,
  // because a source asks only for what should be there; what the host's rules refuse
  // `InvalidQuery`; what it left out `Skipped`; anything else `Unavailable`.
  response() {
    const place = withoutQuery(this.url);
    const { any, failure } = this;
    if (any === undefined) {
      throw failed(failure, place);
    }
    if (any.status >= 200 && any.status <= 299) {
      return any;
    }
    throw refused(any.status, place, any.header("retry-after"));
  }
}

// What came back.
export class Response {
  constructor({ status, url, headers, body }) {
    Object.assign(this, { status, url, headers, body });
  }

  // The first header of that name, given in lower case.
  header(name) {
    return this.headers.find(([key]) => key === name)?.[1];
  }

  // The body as text.
  get text() {
    if (this.body.tag !== "text") {
      throw new LayoutChanged(`expected text at ${withoutQuery(this.url)}, found binary data`);
    }
    return this.body.val;
  }

  // The body, read as JSON; `fields` are those that its object must have.
  json(...fields) {
    const { text } = this;
    try {
      const value = parse(text);
      fields.forEach((field) => need(value, field));
      return value;
    } catch (error) {
      if (error instanceof LayoutChanged) {
        throw new LayoutChanged(`answer of ${withoutQuery(this.url)}: ${error.message}`);
      }
      throw error;
    }
  }
}

// An answer as the host would give it, for tests of a source.
export function answer(url, status, text, headers = []) {
  const val = { status, url, headers, body: { tag: "text", val: text } };
  return new Answer({ key: "", url, outcome: { tag: "ok", val } });
}

function failed({ tag, val }, place) {
  switch (tag) {
    case "denied": return new InvalidQuery(`${place} was refused: ${val}`);
    case "robots": return new InvalidQuery(`robots.txt forbids ${place}: ${val}`);
    case "too-large": return new InvalidQuery(`${place} is larger than ${val} bytes`);
    case "status": return refused(val, place);
    case "skipped": return new Skipped(place);
    case "timeout": return new Unavailable(`${place} took too long`);
    default: return new Unavailable(`${place}: ${val}`);
  }
}

function refused(status, place, retryAfter) {
  if (status === 401) {
    return new Unauthorized(`${place} asks for a credential`);
  }
  if (status === 429) {
    return new RateLimited(/^\s*\d{1,9}\s*$/.test(retryAfter ?? "") ? Number(retryAfter) : undefined);
  }
  const lasting = [400, 404, 405, 410, 422].includes(status);
  return new (lasting ? LayoutChanged : Unavailable)(`${place} answers ${status}`);
}

// What a person was looking for has no place in a message that is logged.
const withoutQuery = (url) => url.split(/[?#]/, 1)[0];
