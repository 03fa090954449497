// What a source says of itself.

import { onlyKnown } from "./fields.js";
import { shown } from "./text.js";

const INFO = [
  "id", "name", "version", "description", "homepage", "termsUrl", "input", "hosts", "ignoresRobots", "restriction", "options",
  "credentials", "requestsPerMinute", "maxResults", "extra",
];
// The parts of its lists.
const PARTS = {
  hosts: ["pattern", "kind"],
  options: ["name", "label", "help", "kind", "required", "default", "choices"],
  credentials: ["name", "help", "required", "kind", "hosts"],
};

// Refuses what is misspelt: left out in silence it would be missed only when it matters.
export function wellSpelt(info) {
  onlyKnown(info, INFO, "`info`");
  for (const [list, known] of Object.entries(PARTS)) {
    (info[list] ?? []).forEach((part, index) => onlyKnown(part, known, `\`info.${list}[${index}]\``));
  }
  return info;
}

const LISTS = { hosts: [], options: [], credentials: [], extra: [] };

// The whole of what the contract asks for, from what the author wrote.
export function described(info) {
  for (const name of ["id", "name", "version"]) {
    if (typeof info?.[name] !== "string") {
      throw new TypeError(`\`info.${name}\` is missing`);
    }
  }
  return { description: "", input: "keywords", ignoresRobots: false, ...LISTS, ...info };
}

// A documented API under that host name, used under its terms.
export const api = (pattern) => ({ pattern, kind: "api" });

// Pages made for people under that host name; robots.txt is asked.
export const web = (pattern) => ({ pattern, kind: "web" });

// Something the user may set.
export const option = (name, label, help, fields = {}) =>
  ({ name, label, help, kind: "text", required: false, choices: [], ...fields });

// A secret that the operator may configure.
export function credential(name, help, kind, hosts, fields = {}) {
  onlyKnown(fields, ["required"], "a credential");
  return { name, help, required: fields.required ?? false, kind: kinds(kind), hosts };
}

const KIND = "the kind of a credential";
// What each kind is made of; its first field says which it is.
const KINDS = [
  [["header", "prefix"], ({ header, prefix = "" }) => ({ tag: "header", val: { name: header, prefix } })],
  [["parameter"], ({ parameter }) => ({ tag: "query-parameter", val: parameter })],
  [["tokenUrl"], ({ tokenUrl }) => ({ tag: "oauth2-client-credentials", val: tokenUrl })],
];

function kinds(kind) {
  if (kind === "basic") {
    return { tag: "basic" };
  }
  const given = typeof kind === "object" ? kind ?? {} : {};
  const [known, make] = KINDS.find(([[first]]) => given[first] !== undefined) ?? [KINDS.flatMap(([fields]) => fields)];
  onlyKnown(given, known, KIND);
  if (make === undefined) {
    throw new Error(`${KIND} cannot be ${shown(kind)}`);
  }
  return make(given);
}
