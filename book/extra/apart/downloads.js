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
    const pairs = columns.filter((column) => column.pair && layers.includes(column.name));
    const names = columns.filter((column) => !column.pair).map((column) => column.name);
    const total = columns.find(({ name }) => name === chosen.name);
    const mark = total?.mark ?? ".";
    const odd = total?.labels.some((label) => !/^-?\d+(\.\d+)?$/.test(label)) || mark === ",";
    const clean = !chosen.leftOut.length && !odd && !pairs.length && !table.ragged.length;
    const options = [
      ...(table.separator === "," ? [] : [`sep=${text(table.separator)}`]),
      ...(encoding === "utf-8" ? [] : [`encoding=${text(encoding)}`]),
      `header=${table.header ? 0 : "None"}`, // names are the page's: trimmed, and none twice
      `names=${text(names)}`,
      `on_bad_lines="skip"`,
      clean ? "dtype=dict.fromkeys(layers, str)" : "dtype=str",
    ];
    const reading = [preset ? `frame = ${preset.python}` : `frame = pd.read_csv(${text(file)}, ${options.join(", ")})`];
    for (const { name, pair } of pairs) {
      const [outer, inner] = /** @type {[string, string]} */ (pair);
      reading.push(`frame[${text(name)}] = frame[${text(outer)}] + ":" + frame[${text(inner)}]`);
    }
    if (!clean && !preset) {
      const column = `frame[${text(chosen.name)}]`;
      const [groups, decimal] = mark === "," ? [".", ","] : [",", "\\."];
      const marks = `[${groups}' \\u00a0\\u202f]`;
      const pattern = `[+-]?(\\d{1,3}(${marks}\\d{3})+|\\d*)(${decimal}\\d*)?([eE][+-]?\\d+)?`;
      reading.push(`numbers = ${column}.str.strip().str.replace("\\u2212", "-")`);
      reading.push(`numbers = numbers.where(numbers.str.fullmatch(r"${pattern}", na=False))`);
      const plain = `numbers.str.replace(r"${marks}", "", regex=True)${mark === "," ? '.str.replace(",", ".")' : ""}`;
      reading.push(`${column} = pd.to_numeric(${plain}, errors="coerce")`);
      reading.push(`frame = frame.dropna(subset=[${text(chosen.name)}, *layers])`);
    }
    for (const { name: layer, joined } of chosen.layers) {
      if (Object.keys(joined).length)
        reading.push(`frame[${text(layer)}] = frame[${text(layer)}].replace(${text(joined)})`);
    }
    return answers.python({ total: chosen.name, reading });
  }

  Object.assign(apart, { toCsv, save, toSvg, pythonOf });
})();
