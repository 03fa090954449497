// The host in an address, as the URL standard reads it (section 3.5).

import { lower } from "./text.js";

// The name in small letters, or the number as browsers write it; undefined for what is no host. Names
// beyond ASCII stay as they are: PixCrawler puts them into their other form (`xn--`) and checks them.
export function host(written) {
  if (written.startsWith("[")) {
    return written.endsWith("]") ? sixth(written.slice(1, -1)) : undefined;
  }
  const name = lower(unescaped(written));
  if (name === "" || /[\0- #%/:<>?@[\\\]^|\x7f]/.test(name)) {
    return undefined;
  }
  const parts = name.replace(/\.$/, "").split(".");
  return /^(?:\d+|0x[\da-f]*)$/.test(parts.at(-1)) ? fourth(parts) : name;
}

// Empty for bytes that are no UTF-8: no name has them.
function unescaped(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

// Version 4: up to four numbers, decimal, octal or hexadecimal, of which the last fills what is left.
function fourth(parts) {
  const numbers = parts.map(number);
  const last = numbers.pop();
  if (numbers.length > 3 || !(last < 256 ** (4 - numbers.length)) || !numbers.every((one) => one < 256)) {
    return undefined;
  }
  const value = numbers.reduce((sum, one, index) => sum + one * 256 ** (3 - index), last);
  return [3, 2, 1, 0].map((place) => Math.floor(value / 256 ** place) % 256).join(".");
}

function number(text) {
  for (const [form, base] of [[/^0x([\da-f]*)$/, 16], [/^0([0-7]*)$/, 8], [/^([1-9]\d*)$/, 10]]) {
    const digits = form.exec(text)?.[1];
    if (digits !== undefined) {
      return digits === "" ? 0 : parseInt(digits, base);
    }
  }
  return NaN;
}

// Version 6, of which the last two parts may be written as version 4.
function sixth(text) {
  const [, start, ...bytes] = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text) ?? [];
  if (bytes.some((byte) => byte > 255 || /^0./.test(byte))) {
    return undefined;
  }
  const pair = (high, low) => (Number(high) * 256 + Number(low)).toString(16);
  const hexadecimal = start === undefined ? text : `${start}${pair(bytes[0], bytes[1])}:${pair(bytes[2], bytes[3])}`;
  const halves = hexadecimal.split("::").map((half) => (half === "" ? [] : half.split(":")));
  const missing = 8 - halves.flat().length;
  const whole = halves.length === 1 ? missing === 0 : halves.length === 2 && missing > 0;
  if (!whole || !halves.flat().every((part) => /^[\da-f]{1,4}$/i.test(part))) {
    return undefined;
  }
  const [before, after = []] = halves;
  const parts = [...before, ...Array(missing).fill("0"), ...after].map((part) => parseInt(part, 16).toString(16));
  // The longest row of zeros is left out, the first of several.
  const address = `:${parts.join(":")}:`;
  const rows = address.match(/(?<=:)0(?::0)+(?=:)/g) ?? [];
  const longest = rows.reduce((most, row) => (row.length > most.length ? row : most), "");
  return `[${address.replace(longest && `:${longest}:`, longest && "::").replace(/^:(?!:)|(?<!:):$/g, "")}]`;
}
