// The figures, drawn by Observable Plot in the colors of the page's mode.
"use strict";

(() => {
  const MODES = {
    light: { found: "#0072B2", raw: "#A34700", up: "#0072B2", down: "#A34700", rule: "#767676" },
    dark: { found: "#6CB8EE", raw: "#FF9166", up: "#6CB8EE", down: "#FF9166", rule: "#9A9A9A" },
  };
  /** @typedef {{name: string, mean: number, lower: number, upper: number, raw?: number}} Row */

  let paper = false; // a figure to take along is drawn for white paper
  const colors = () =>
    paper
      ? MODES.light
      : (MODES[/** @type {"light" | "dark"} */ (document.documentElement.dataset.theme)] ?? MODES.light);

  /** @type {CanvasRenderingContext2D | null} */
  let pen = null;
  /** How wide a label of a figure is. @param {string} text */
  function widthOf(text) {
    pen ??= document.createElement("canvas").getContext("2d");
    if (!pen) return 7 * text.length;
    pen.font = "12px system-ui, sans-serif";
    return 1.04 * pen.measureText(text).width;
  }

  /**
   * Give each name at the left its whole text, which shows under a pointer.
   * @param {any} figure
   * @param {Row[]} rows
   */
  function titled(figure, rows) {
    const texts = figure.querySelectorAll("[aria-label='y-axis tick label'] text");
    if (texts.length !== rows.length) return figure;
    texts.forEach((/** @type {Element} */ text, /** @type {number} */ i) => {
      const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
      title.textContent = rows[i].name;
      text.append(title);
    });
    return figure;
  }

  /**
   * Options that all figures share: names at the left, one row a name.
   * @param {Row[]} rows
   * @param {number} width
   * @param {string} label of the horizontal axis
   * @param {number} height of a row
   */
  function frame(rows, width, label, height = 26) {
    const narrow = width < 500;
    const longest = Math.min(narrow ? 12 : 26, Math.max(...rows.map((row) => row.name.length)));
    const marginLeft = 16 + Math.max(...rows.map((row) => widthOf(apart.shortened(row.name, longest))));
    const largest = Math.max(
      ...rows.flatMap((row) => [row.mean, row.lower, row.upper].map((value) => Math.abs(value ?? 0))),
    );
    const decimals = largest > 0 && largest < 1 ? 2 - Math.floor(Math.log10(largest)) : 0; // those of small numbers
    const digits = Math.max(Math.round(largest).toLocaleString("en").length + 2, Math.min(12, decimals + 3));
    const ticks = Math.max(2, Math.min(8, Math.floor((width - marginLeft) / (8 * digits + 16))));
    return {
      width,
      height: 56 + height * rows.length,
      marginLeft,
      marginRight: 20,
      marginTop: 8,
      marginBottom: 46,
      style: { fontSize: "12px" },
      x: { label, grid: true, ticks, labelAnchor: "center", labelArrow: "none", labelOffset: 38 },
      y: {
        type: "point",
        label: null,
        domain: rows.map((_, i) => i),
        tickSize: 0,
        tickFormat: (/** @type {number} */ i) => apart.shortened(rows[i].name, longest),
      },
    };
  }

  /**
   * Means with intervals, and raw averages where there are any.
   * @param {Row[]} rows
   * @param {number} width
   * @param {string} label of the axis
   * @param {[number, number]} [domain] of the axis
   */
  function intervals(rows, width, label, domain) {
    const at = rows.map((row, i) => ({ ...row, i }));
    const options = frame(rows, width, label, rows.length > 20 ? 20 : 26);
    const figure = Plot.plot({
      ...options,
      x: { ...options.x, ...(domain && { domain }) },
      marks: [
        Plot.ruleY(at, {
          y: "i",
          x1: "lower",
          x2: "upper",
          stroke: colors().found,
          strokeWidth: 3,
          strokeOpacity: 0.55,
        }),
        Plot.dot(
          at.filter((row) => Number.isFinite(row.raw)),
          { y: "i", x: "raw", stroke: colors().raw, strokeWidth: 2, symbol: "times", r: 5 },
        ),
        Plot.dot(at, { y: "i", x: "mean", fill: colors().found, r: 4 }),
      ],
    });
    return titled(figure, rows);
  }

  /**
   * Parts that add up to a total: each begins where the one before ends; whiskers show how uncertain each is.
   * @param {Row[]} parts the baseline first
   * @param {number} total
   * @param {number} width
   * @param {string} label
   */
  function waterfall(parts, total, width, label) {
    let end = 0;
    const at = parts.map((part, i) => {
      const from = i === 0 ? part.mean : end;
      end = i === 0 ? part.mean : end + part.mean;
      const start = i === 0 ? 0 : from;
      return { ...part, i, from, to: end, low: start + part.lower, high: start + part.upper };
    });
    const rows = [...at, { name: "total", mean: total, i: at.length, from: total, to: total, low: total, high: total }];
    const bars = at.slice(1);
    const figure = Plot.plot({
      ...frame(/** @type {any} */ (rows), width, label, 34),
      marks: [
        Plot.rect(bars, {
          x1: "from",
          x2: "to",
          y1: (/** @type {any} */ d) => d.i - 0.3,
          y2: (/** @type {any} */ d) => d.i + 0.3,
          fill: (/** @type {any} */ d) => (d.to >= d.from ? colors().up : colors().down),
          fillOpacity: 0.75,
        }),
        Plot.link(rows.slice(0, -1), {
          x1: "to",
          x2: "to",
          y1: "i",
          y2: (/** @type {any} */ d) => d.i + 1,
          stroke: colors().rule,
          strokeDasharray: "3 3",
        }),
        Plot.ruleY(rows, { y: "i", x1: "low", x2: "high", stroke: "currentColor", strokeWidth: 1.5 }),
        Plot.dot([rows[0], rows.at(-1)], { x: "to", y: "i", fill: "currentColor", r: 5, symbol: "diamond" }),
      ],
      y: {
        label: null,
        domain: [rows.length - 0.5, -0.5],
        ticks: rows.map((_, i) => i),
        tickSize: 0,
        tickFormat: (/** @type {number} */ i) => apart.shortened(rows[i]?.name ?? "", width < 500 ? 12 : 26),
      },
    });
    return titled(figure, /** @type {any} */ (rows));
  }

  /**
   * Put a figure into its place, with its own text and a button that saves it.
   * @param {HTMLElement} place
   * @param {(width: number) => any} draw
   * @param {string} text what the figure shows, in words
   * @param {string} name of the file
   */
  function show(place, draw, text, name) {
    const figure = draw(Math.max(260, Math.min(720, place.clientWidth)));
    figure.setAttribute("role", "img");
    for (const part of figure.querySelectorAll("[aria-label]")) part.removeAttribute("aria-label");
    figure.setAttribute("aria-label", text);
    const button = apart.make("button", { type: "button", className: "apart-small" }, "Save this figure (SVG)");
    button.addEventListener("click", () => {
      paper = true;
      try {
        apart.save(name, apart.toSvg(draw(720)), "image/svg+xml");
      } finally {
        paper = false;
      }
    });
    place.replaceChildren(figure, button);
  }

  Object.assign(apart, { intervals, waterfall, show });
})();
