// Tables: numbers to the right, fewer columns where a screen is narrow, and a hint where a table still has to scroll.
"use strict";

const NUMBER = /^[-+−~<>≤≥]?\s*[\d.,]+(e[-+]?\d+)?\s*(%|s|ms|h|min|GB|MB|kB|x|×|k|M)?(\s*\([-+−\d.,%]+( to [-+−\d.,%]+)?\))?$/i;

/**
 * Rows of a table as lists of cells, or null where cells span several columns or rows.
 * @param {HTMLTableElement} table
 */
function gridOf(table) {
  const rows = [...table.rows].map((row) => [...row.cells]);
  const simple = rows.every((row) => row.length === rows[0].length && row.every((cell) => cell.colSpan === 1));
  return simple && rows.length ? rows : null;
}

/** @param {HTMLTableElement} table */
function alignNumbers(table) {
  const grid = gridOf(table);
  if (!grid) {
    // Headings span columns: cells go by what they hold.
    for (const cell of table.querySelectorAll("tbody td")) {
      if (NUMBER.test(cell.textContent.trim())) cell.classList.add("number");
    }
    return;
  }
  const body = grid.filter((row) => row[0].closest("tbody"));
  for (let column = 0; column < grid[0].length; column++) {
    const texts = body.map((row) => row[column].textContent.trim());
    const numbers = texts.filter((text) => NUMBER.test(text));
    const others = texts.filter((text) => !NUMBER.test(text)); // such as "not finished", or nothing
    const number = numbers.length > 0 && numbers.length >= others.length && !others.some((text) => /\d/.test(text));
    for (const row of grid) row[column].classList.add(number ? "number" : "words");
  }
}

/** The box that scrolls if the table is too wide. @param {HTMLTableElement} table */
function boxOf(table) {
  const known = table.closest(".pst-scrollable-table-container, .course-table");
  if (known) return known;
  const box = document.createElement("div");
  box.className = "course-table";
  table.replaceWith(box);
  box.append(table);
  return box;
}

/**
 * Put the words that name a row into its first cell, in place of columns of their own.
 * @param {HTMLTableCellElement[][]} grid
 * @param {number} count of columns of words
 */
function mergeNames(grid, count) {
  for (const row of grid) {
    for (const cell of row.slice(1, count)) {
      cell.classList.add("left-out");
      const merged = document.createElement("span");
      merged.className = "merged-name";
      merged.textContent = `, ${cell.textContent.trim()}`;
      (row[0].querySelector("p") ?? row[0]).append(merged);
    }
  }
}

/** @param {HTMLTableElement} table */
function showAllColumns(table) {
  for (const merged of table.querySelectorAll(".merged-name")) merged.remove();
  for (const cell of table.querySelectorAll(".left-out")) cell.classList.remove("left-out");
}

/**
 * Leave out columns from the end until the table fits; a button shows them. What names the rows, and the first column
 * of numbers, stay.
 * @param {HTMLTableElement} table
 * @param {HTMLElement} box
 */
function showFewerColumns(table, box) {
  if (table.dataset.all) return;
  showAllColumns(table);
  const grid = gridOf(table);
  if (!grid || grid[0].length < 4) return;
  const tooWide = () => box.scrollWidth > box.clientWidth + 1;
  const firstNumber = grid[0].findIndex((cell, column) => column > 0 && cell.classList.contains("number"));
  if (tooWide() && firstNumber > 1) mergeNames(grid, firstNumber);
  let kept = grid[0].length;
  while (kept - 1 > Math.max(firstNumber, 1) && tooWide()) {
    kept -= 1;
    for (const row of grid) row[kept].classList.add("left-out");
  }
  const left = grid[0].some((cell) => cell.classList.contains("left-out"));
  let button = box.nextElementSibling?.matches(".more-columns") ? box.nextElementSibling : null;
  if (!left) return button?.remove();
  if (!button) {
    button = document.createElement("button");
    button.type = "button";
    button.className = "more-columns course-button";
    box.after(button);
    button.addEventListener("click", () => {
      table.dataset.all = "yes";
      showAllColumns(table);
      button.remove();
      hintAtScrolling(box);
      box.focus();
    });
  }
  button.textContent = `Show all ${grid[0].length} columns`;
}

/** @param {HTMLElement} box */
function hintAtScrolling(box) {
  if (!box.clientWidth) return;
  const hint = box.previousElementSibling?.matches(".scroll-hint") ? box.previousElementSibling : null;
  const wide = box.scrollWidth > box.clientWidth + 1;
  box.classList.toggle("scrolls", wide);
  if (!wide) return hint?.remove();
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", "A wide table, which scrolls sideways");
  if (hint) return;
  const made = document.createElement("p");
  made.className = "scroll-hint";
  made.textContent = "Wider than the screen: scroll sideways ⟷";
  box.before(made);
}

function fitTables() {
  for (const table of document.querySelectorAll("article table:not(.indextable, .field-list)")) {
    const box = boxOf(table);
    if (!table.closest(".cell_output")) showFewerColumns(table, box);
    hintAtScrolling(box);
  }
  for (const pre of document.querySelectorAll("article .cell_output pre")) hintAtScrolling(pre);
}

window.addEventListener("load", () => {
  for (const table of document.querySelectorAll("article table:not(.indextable)")) alignNumbers(table);
});
onWidthOfArticle(fitTables);
