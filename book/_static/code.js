// Code wraps where a screen is narrow. Each line becomes a block, so that what wraps is indented further than the line
// began. The text stays as it was: copying gives the code without these breaks.
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

document.addEventListener("DOMContentLoaded", () => {
  for (const pre of document.querySelectorAll("article div.highlight pre")) {
    if (!pre.closest(".cell_output")) splitIntoLines(pre);
  }
});
