// Names of fields, as an author spells them.

// Refuses what has another field than those that are `known`; `place` is what has it, as the
// author calls it. No `TypeError`: that would be a value of the site's.
export function onlyKnown(object, known, place) {
  for (const name of Object.keys(object)) {
    if (!known.includes(name)) {
      throw new Error(`${place} has no field \`${name}\`; ${meant(name, known)}`);
    }
  }
}

// The known names that are closest, or all of them where none is close.
export function meant(name, known) {
  if (known.length === 0) {
    return "it has none";
  }
  const away = known.map((one) => distance(plain(name), plain(one)));
  const least = Math.min(...away);
  if (least > Math.max(2, name.length / 2)) {
    return `it has ${known.join(", ")}`;
  }
  const closest = known.filter((_, index) => away[index] === least);
  return `did you mean ${closest.map((one) => `\`${one}\``).join(" or ")}?`;
}

// `page_url` means `pageUrl`.
const plain = (name) => name.toLowerCase().replace(/[^a-z0-9]/g, "");

// Letters to insert, drop or replace (Levenshtein).
function distance(from, to) {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [line, letter] of [...from].entries()) {
    const above = row;
    row = [line + 1];
    for (let column = 1; column <= to.length; column += 1) {
      const replaced = above[column - 1] + (letter === to[column - 1] ? 0 : 1);
      row.push(Math.min(replaced, above[column] + 1, row[column - 1] + 1));
    }
  }
  return row[to.length];
}
