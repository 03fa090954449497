// Texts that the contract can hold.

// A half of a character, which cannot be encoded, becomes a mark of it. Node.js has its own
// function for it since version 20, the sandbox always.
export const whole = (text) =>
  text.toWellFormed?.() ??
  text.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd");

// The same for all texts of a plain value, at any depth.
export function wholly(value) {
  if (typeof value === "string") {
    return whole(value);
  }
  if (Array.isArray(value)) {
    return value.map(wholly);
  }
  return value instanceof Object
    ? Object.fromEntries(Object.entries(value).map(([name, part]) => [whole(name), wholly(part)]))
    : value;
}

// Only ASCII in small letters: the sign for kelvin is no k.
export const lower = (text) => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());

// The start of a value, for a message.
export const shown = (value) => whole((JSON.stringify(value) ?? String(value)).slice(0, 100));
