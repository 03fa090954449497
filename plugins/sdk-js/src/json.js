// Reading JSON that a site wrote, whatever it wrote.

import { LayoutChanged } from "./error.js";
import { wholly } from "./text.js";

// Deeper than any answer is. The engine's own reader would run out of stack, which is a
// trap that nothing catches.
const DEEPEST = 128;

// The value of a JSON text; throws `LayoutChanged` when it is none, or nested too deep.
// Halves of characters, which no text of the contract can hold, become U+FFFD.
export function parse(text) {
  if (tooDeep(text)) {
    throw new LayoutChanged(`nested deeper than ${DEEPEST}`);
  }
  try {
    const value = JSON.parse(text);
    return /\\ud[89a-f]/i.test(text) ? wholly(value) : value;
  } catch (error) {
    throw error instanceof SyntaxError ? new LayoutChanged(error.message) : error;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const [ARRAY, ARRAY_END, OBJECT, OBJECT_END] = [0x5b, 0x5d, 0x7b, 0x7d];

// By hand: the matches of an expression would need many times the memory of the text.
function tooDeep(text) {
  let depth = 0;
  const end = text.length;
  for (let at = 0; at < end; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = closing(text, at + 1);
    } else if (code < ARRAY) {
      continue; // Space, commas, colons, digits: most of what stands between strings.
    } else if (code === ARRAY || code === OBJECT) {
      depth += 1;
      if (depth > DEEPEST) {
        return true;
      }
    } else if (code === ARRAY_END || code === OBJECT_END) {
      depth -= 1;
    }
  }
  return false;
}

// Where the string ends whose content begins at `from`: at a quote after an even number of backslashes.
function closing(text, from) {
  let quote = text.indexOf('"', from);
  while (quote >= 0) {
    let before = quote - 1;
    while (before >= from && text.charCodeAt(before) === BACKSLASH) {
      before -= 1;
    }
    if ((quote - before) % 2 === 1) {
      return quote;
    }
    quote = text.indexOf('"', quote + 1);
  }
  return text.length;
}
