// What a reader takes along: tables as CSV, all numbers as JSON, figures as SVG, lines of Python.
"use strict";

(() => {
  /** A label that a spreadsheet would take for a formula; a plain number is none. */
  const FORMULA = /^(?![+-]?[\d.,]+(e[+-]?\d+)?$)\s*[=+\-@\t\r]/i;

  /** @param {(string | number)[][]} rows */
  const toCsv = (rows) => `${Papa.unparse(rows, { escapeFormulae: FORMULA, newline: "\n" })}\n`;

  /** @param {string} name @param {string} text @param {string} type */
  function save(name, text, type) {
    const address = URL.createObjectURL(new Blob([text], { type }));
    apart.make("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  }

  /**
   * A figure as a file of its own: dark lines on white, whatever the mode of the page.
   * @param {SVGElement} svg
   */
  function toSvg(svg) {
    const copy = /** @type {SVGElement} */ (svg.cloneNode(true));
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    copy.setAttribute("style", "background: white; color: #222; font-family: sans-serif");
    return new XMLSerializer().serializeToString(copy);
  }

  Object.assign(apart, { toCsv, save, toSvg });
})();
