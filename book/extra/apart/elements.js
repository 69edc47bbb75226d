// Elements of the page. Texts of a file become text nodes, and never markup.
"use strict";

(() => {
  /** @param {string} id @returns {any} */
  const element = (id) => document.getElementById(id);

  /**
   * A new element.
   * @param {string} tag
   * @param {Record<string, any>} properties
   * @param {...(Node | string)} children
   * @returns {any}
   */
  function make(tag, properties = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in made && name !== "list")
        /** @type {any} */ (made)[name] = value; // list is read-only
      else made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  }

  /** Marks that turn the direction of all that follows: a label must not write over its neighbors. */
  const TURNING = /[\u202a-\u202e\u2066-\u2069]/g;

  /** A text as long as a line has room for; its end stays, since labels often differ there. @param {string} text */
  function shortened(text, longest = 40) {
    const plain = text.replace(TURNING, "\ufffd");
    if (plain.length <= longest) return plain;
    const end = Math.floor((longest - 1) / 3);
    return `${plain.slice(0, longest - 1 - end)}…${plain.slice(-end)}`;
  }

  /** A layer's name beside the parts that every model has. @param {string} layer */
  const partName = (layer) => (/^(baseline|residual|total)$/i.test(layer) ? `${layer} (layer)` : layer);

  /**
   * A table in a box that scrolls, by keyboard as well.
   * @param {string} caption
   * @param {string[]} header
   * @param {(string | number)[][]} rows texts; the first one of each row names it
   */
  function tableOf(caption, header, rows) {
    const numeric = header.map(
      (_, i) => rows.length > 0 && rows.every((row) => /^[−\d.,\s%–e+to()]*$/.test(String(row[i]))),
    );
    // Roles are said, because rows that a narrow screen stacks would lose them.
    const className = (/** @type {number} */ i) => (numeric[i] ? "number" : "");
    const heading = (/** @type {string} */ text, /** @type {number} */ i) =>
      make("th", { scope: "col", role: "columnheader", className: className(i) }, text);
    const cell = (/** @type {string | number} */ text, /** @type {number} */ i) =>
      i === 0
        ? make("th", { scope: "row", role: "rowheader", className: className(i) }, String(text))
        : make("td", { role: "cell", className: className(i), "data-column": header[i] }, String(text));
    const line = (/** @type {Node[]} */ cells) => make("tr", { role: "row" }, ...cells);
    const table = make(
      "table",
      { className: "table", role: "table" },
      make("caption", {}, caption),
      make("thead", { role: "rowgroup" }, line(header.map(heading))),
      make("tbody", { role: "rowgroup" }, ...rows.map((row) => line(row.map(cell)))),
    );
    return make("div", { className: "apart-table", tabIndex: 0, role: "region", ariaLabel: caption }, table);
  }

  /** A list of sentences. @param {string[]} sentences */
  const listOf = (sentences) => make("ul", {}, ...sentences.map((sentence) => make("li", {}, sentence)));

  /**
   * Numbers of one size, with as many decimals as their uncertainty leaves meaning to.
   * @param {number} scale what a difference that matters is like
   */
  function formatter(scale) {
    const decimals = Math.min(
      12,
      Math.max(0, 1 - Math.floor(Math.log10(scale > 0 && Number.isFinite(scale) ? scale : 1))),
    );
    return (/** @type {number} */ value) => {
      if (!Number.isFinite(value)) return "–";
      const text =
        Math.abs(value) >= 1e12
          ? value.toExponential(3)
          : value.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
      return text.replace("-", "−");
    };
  }

  Object.assign(apart, { element, make, shortened, partName, tableOf, listOf, formatter });
})();
