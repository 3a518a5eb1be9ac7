"use strict";
// Every table but those marked data-fixed sorts by its column heads; without this script the page lacks nothing else.
const words = new Intl.Collator("en", { numeric: true });

// The heads that stand over one column each, with the column's place: rows of heads may span.
function heads(table) {
  const found = [], taken = [];
  for (const [row, line] of Array.from(table.tHead.rows).entries()) {
    let column = 0;
    for (const head of line.cells) {
      while (taken[column] > row) column += 1;
      if (head.colSpan === 1) found.push([head, column]);
      for (let i = 0; i < head.colSpan; i += 1) taken[column + i] = row + head.rowSpan;
      column += head.colSpan;
    }
  }
  return found;
}

// What a cell sorts by: the number it begins with where its column holds numbers, else its text; null if neither.
function value(cell, numeric) {
  const text = cell?.innerText.trim() ?? "";
  if (!numeric) return text === "" || text === "–" ? null : text;
  // A narrow space stands between thousands, and a minus sign is no hyphen.
  const number = text.replaceAll("\u202f", "").replaceAll("−", "-").match(/^[<±]?\s*([+-]?\d*\.?\d+(?:e[+-]?\d+)?)/);
  return number && Number(number[1]);
}

for (const table of document.querySelectorAll("table:not([data-fixed])")) {
  const body = table.tBodies[0];
  if (!table.tHead || body.rows.length < 2) continue;
  // A row of class "published" belongs to the row above it.
  const groups = [];
  for (const row of body.rows) {
    if (row.classList.contains("published") && groups.length) groups.at(-1).push(row);
    else groups.push([row]);
  }
  for (const [head, column] of heads(table)) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const now = { none: "ascending", ascending: "descending", descending: "none" }[before];
      for (const [other] of heads(table)) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", now);
      const sign = now === "descending" ? -1 : 1;
      const keyed = groups.map((rows) => [value(rows[0].cells[column], head.classList.contains("number")), rows]);
      if (now !== "none") keyed.sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null);
        return sign * (typeof a === "number" ? a - b : words.compare(a, b));
      });
      body.append(...keyed.flatMap(([, rows]) => rows));
    });
  }
}
