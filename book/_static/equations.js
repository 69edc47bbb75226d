// An equation that is wider than its column breaks after wide spaces and commas and before relations, as an author would
// break it. What is still too wide gets a smaller font.
"use strict";

// = ∈ ∼ ≈ ≤ ≥ ∝ and arrows, as MathJax names the glyphs of its output
const RELATIONS = ["3D", "2208", "223C", "2248", "2264", "2265", "221D", "2192", "21D2"].map((code) => `mjx-c${code}`);
const SMALLEST_EQUATION = 0.45; // of its usual size

/** @param {Element} node */
const isRelation = (node) =>
  node.localName === "mjx-mo" && RELATIONS.includes(node.querySelector("mjx-c")?.classList[0] ?? "");
/** @param {Element} node */
const isWideSpace = (node) => {
  const space = node.matches("mjx-mspace") ? node : node.querySelector(":scope > mjx-mspace:only-child");
  return parseFloat(space?.style.width) >= 1;
};

/**
 * Commas outside of brackets, which separate one equation from the next.
 * @param {HTMLElement} parent
 */
function separatingCommas(parent) {
  const found = new Set();
  let depth = 0;
  for (const node of parent.children) {
    const glyph = node.localName === "mjx-mo" ? node.querySelector("mjx-c")?.classList[0] : "";
    if (["mjx-c28", "mjx-c5B", "mjx-c7B"].includes(glyph)) depth += 1;
    if (["mjx-c29", "mjx-c5D", "mjx-c7D"].includes(glyph)) depth -= 1;
    if (glyph === "mjx-c2C" && depth === 0) found.add(node);
  }
  return found;
}

/**
 * Group the children of a part of a formula into pieces, between which it may break.
 * @param {HTMLElement} parent
 * @param {(node: Element, before: Element) => boolean} startsPiece
 */
function groupIntoPieces(parent, startsPiece) {
  const pieces = [[]];
  for (const node of [...parent.children]) {
    const before = pieces.at(-1).at(-1);
    if (before && startsPiece(node, before)) pieces.push([]);
    pieces.at(-1).push(node);
  }
  if (pieces.length === 1) return;
  const made = pieces.map((nodes) => {
    const piece = document.createElement("span");
    piece.className = "equation-piece";
    piece.append(...nodes);
    return piece;
  });
  parent.replaceChildren(...made);
  parent.classList.add("breaks");
}

/**
 * Let a formula break after wide spaces, and where that is not enough after commas, then before relations.
 * @param {HTMLElement} formula
 * @param {number} room
 */
function makeBreakable(formula, room) {
  if (!formula.dataset.breakable) {
    formula.dataset.breakable = "yes";
    let parent = formula;
    while (parent.children.length === 1 && parent.firstElementChild.matches("mjx-mrow, mjx-mstyle, mjx-texatom")) {
      parent.classList.add("breaks");
      parent = parent.firstElementChild;
    }
    groupIntoPieces(parent, (_, before) => isWideSpace(before));
  }
  for (const startsPiece of [(_, before, commas) => commas.has(before), isRelation]) {
    const pieces = [...formula.querySelectorAll(".equation-piece:not(.breaks)")];
    for (const part of pieces.length ? pieces : [formula]) {
      const commas = separatingCommas(part);
      if (part.getBoundingClientRect().width > room) {
        groupIntoPieces(part, (node, before) => startsPiece(node, before, commas));
      }
    }
  }
}

/** The width that a formula takes. @param {HTMLElement} formula */
function widthOfFormula(formula) {
  const pieces = [...formula.querySelectorAll(".equation-piece:not(.breaks)")];
  const boxes = (pieces.length ? pieces : [formula]).map((part) => part.getBoundingClientRect());
  return Math.max(...boxes.map((box) => box.right)) - Math.min(...boxes.map((box) => box.left));
}

/** Fit every equation into the box that it stands in. */
function fitEquations() {
  for (const box of document.querySelectorAll("article .math")) {
    const container = box.querySelector("mjx-container");
    const formula = container?.querySelector("mjx-math");
    const around = box.matches("div") ? box : box.closest("p, li, dd, figcaption, .admonition");
    if (!formula || !around?.clientWidth) continue;
    container.style.fontSize = "";
    const room = around.clientWidth;
    if (widthOfFormula(formula) <= room + 1) continue;
    makeBreakable(formula, room);
    const share = room / widthOfFormula(formula);
    if (share < 1) {
      const size = parseFloat(getComputedStyle(container).fontSize);
      container.style.fontSize = `${size * Math.max(SMALLEST_EQUATION, 0.98 * share)}px`;
    }
  }
}

onWidthOfArticle(fitEquations);
