// What makes a PixCrawler source in JavaScript short: all that an author imports.
//
// A source is a pure function: it is given the answers to what it asked for, and says
// which pictures it found and what to ask for next. It is made with one of
//
// - `paged`: page 1, 2, 3, … of a list;
// - `chained`: each answer says where the next one is;
// - `listed`: a list in pages, and a request for each thing on it;
// - `machine`: anything else;
//
// and exported under the name `source`. The types, with what each item means, stand in
// `pixcrawler.d.ts`.

export { chained, machine, paged } from "./machine.js";
export { listed } from "./listed.js";
export { Answer, Query, Response, answer, get, post, query } from "./message.js";
export { count, each, expectNone, need } from "./results.js";
export { api, credential, option, web } from "./describe.js";
export { candidate, creativeCommonsId, dimensions, license, licenseFromUrl, mediaType } from "./candidate.js";
export {
  InvalidQuery, LayoutChanged, RateLimited, Skipped, SourceError, Unauthorized, Unavailable,
} from "./error.js";
export { log } from "./log.js";
export { tags, tokens } from "./html.js";
export { decode } from "./references.js";
export { escape, resolve } from "./url.js";
