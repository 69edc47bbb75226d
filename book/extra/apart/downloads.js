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

  /**
   * Lines of Python that read the same rows and fit the same model.
   * @param {Answers} answers
   * @param {PageState} state of the page
   */
  function pythonOf(answers, { file, preset, table, columns, chosen, encoding }) {
    const text = JSON.stringify;
    const layers = chosen.layers.map((layer) => layer.name);
    const total = columns.find(({ name }) => name === chosen.name);
    const mark = total?.mark ?? ".";
    const other = mark === "," ? "." : ",";
    const groups = total?.labels.some((label) => label.includes(other));
    const clean = !chosen.leftOut.length; // otherwise pandas takes totals for texts, and keeps them as they are
    const options = [
      ...(table.separator === "," ? [] : [`sep=${text(table.separator)}`]),
      ...(clean && mark === "," ? [`decimal=","`] : []),
      ...(clean && groups ? [`thousands="${other}"`] : []),
      ...(encoding === "utf-8" ? [] : [`encoding=${text(encoding)}`]),
      ...(table.header ? [] : ["header=None", `names=${text(columns.map((column) => column.name))}`]),
      clean ? "dtype=dict.fromkeys(layers, str)" : "dtype=str",
    ];
    const reading = [preset ? `frame = ${preset.python}` : `frame = pd.read_csv(${text(file)}, ${options.join(", ")})`];
    if (!clean) {
      const column = `frame[${text(chosen.name)}]`;
      const plain = `${groups ? `.str.replace("${other}", "")` : ""}${mark === "," ? '.str.replace(",", ".")' : ""}`;
      reading.push(`${column} = pd.to_numeric(${column}${plain}, errors="coerce")`);
      reading.push(`frame = frame[${column}.abs() < float("inf")].dropna(subset=layers)`);
    }
    for (const { name: layer, joined } of chosen.layers) {
      if (Object.keys(joined).length)
        reading.push(`frame[${text(layer)}] = frame[${text(layer)}].replace(${text(joined)})`);
    }
    const lines = answers.python({ file, total: chosen.name }).split("\n");
    return lines.flatMap((line) => (line.startsWith("frame = ") ? reading : [line])).join("\n");
  }

  Object.assign(apart, { toCsv, save, toSvg, pythonOf });
})();
