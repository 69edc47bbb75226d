// Code wraps where a screen is narrow. Each line becomes a block, so that what wraps is indented further than the line
// began. The text stays as it was: copying gives the code without these breaks. Lines of output wrap too, except those of
// a table, which must stay under one another.
"use strict";

/**
 * Put each line of a block of code into an element of its own.
 * @param {HTMLElement} pre
 */
function splitIntoLines(pre) {
  const lines = [[]];
  for (const node of [...pre.childNodes]) {
    const pieces = node.textContent.split(/(?<=\n)/);
    for (const text of pieces.length ? pieces : [""]) {
      const piece = node.cloneNode(false);
      piece.textContent = text;
      lines.at(-1).push(piece);
      if (text.endsWith("\n")) lines.push([]);
    }
  }
  if (!lines.at(-1).some((piece) => piece.textContent)) lines.pop();
  const blocks = lines.map((pieces) => {
    const line = document.createElement("span");
    line.className = "code-line";
    line.append(...pieces);
    line.style.setProperty("--hang", `${line.textContent.match(/^ */)[0].length + 4}ch`);
    return line;
  });
  pre.replaceChildren(...blocks);
}

/**
 * Mark the lines of a table: those of three columns or more, set apart by two spaces, and lines that belong to them. A line
 * by itself is none, nor is one with a label, two spaces and a text; where that wraps, it goes on under the text.
 * @param {HTMLElement} pre
 */
function markTable(pre) {
  const lines = [...pre.children];
  const gaps = lines.map((line) => line.textContent.match(/\S {2,}(?=\S)/g)?.length ?? 0);
  const inTable = (k) => gaps[k] > 1 && (gaps[k - 1] > 0 || gaps[k + 1] > 0);
  lines.forEach((line, k) => {
    const beside = [inTable(k - 1), inTable(k + 1)].filter(Boolean).length;
    if (inTable(k) || (gaps[k] && beside) || beside === 2) line.classList.add("table-line");
    const label = line.textContent.match(/^ *\S+(?: \S+)? {2,}(?=\S)/)?.[0].length ?? 0;
    if (label && label < 16) line.style.setProperty("--hang", `${label}ch`);
  });
}

document.addEventListener("DOMContentLoaded", () => {
  for (const pre of document.querySelectorAll("article div.highlight pre")) {
    splitIntoLines(pre);
    if (pre.closest(".cell_output")) markTable(pre);
  }
});
