// What each column of a table holds: numbers, dates or labels; and which of them are likely the total and the layers.
"use strict";

(() => {
  /** What stands for no value, in totals and in labels alike: the list of pandas. */
  const MISSING = new Set([
    "",
    "#N/A",
    "#N/A N/A",
    "#NA",
    "-1.#IND",
    "-1.#QNAN",
    "-NaN",
    "-nan",
    "1.#IND",
    "1.#QNAN",
    "<NA>",
    "N/A",
    "NA",
    "NULL",
    "NaN",
    "None",
    "n/a",
    "nan",
    "null",
  ]);
  const DATE = /^(\d{4}-\d{1,2}-\d{1,2}([T ].*)?|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}([T ].*)?|\d{1,2}:\d{2}(:\d{2})?)$/;
  const INFINITE = /^[+-]?inf(inity)?$/i;
  const POINT = /^[+-]?(\d{1,3}(?:[,' \u00a0\u202f]\d{3})+|\d*)(?:\.(\d*))?(e[+-]?\d+)?$/i;
  const COMMA = /^[+-]?(\d{1,3}(?:[.' \u00a0\u202f]\d{3})+|\d*)(?:,(\d*))?(e[+-]?\d+)?$/i;
  /** Columns with these names number rows or repeats: they are offered, but not chosen for the reader. */
  const NUMBERING =
    /^(id|index|idx|row|rows|no|nr|number|#|repeat|replicate|rep|trial|run|obs|observation|unnamed: 0)$/i;

  /** Columns with these names tell who, where or when, although numbers stand in them. */
  const NAMING = /(^|[\s_.-])(id|code|nr|no|zip|postcode|plz|year|week|month)$/i;
  const NAMING_IN_CAMEL_CASE = /[a-z](Id|ID|Code|Nr|Zip|Year|Week)$/;
  /** A whole number, or three digits after a point, which may also separate thousands. */
  const GROUPS = /^[+-]?(\d+|[1-9]\d{0,2}\.\d{3})$/;
  const UNIT_BEFORE = /^([A-Z]{3}\s|[€$£¥]\s?)[+-]?\d[\d.,]*$/;
  const UNIT_AFTER = /^[+-]?\d[\d.,]*(\s[A-Za-z/²³]{1,4}|\s?[€$£¥%°µ][A-Za-z]?|[a-z]{2})$/;

  /** @param {string} text */
  const isMissing = (text) => MISSING.has(text.trim());

  /**
   * The number in a text, with one of two decimal marks; null if there is none.
   * @param {string} text
   * @param {"." | ","} mark
   */
  function numberOf(text, mark) {
    if (mark === "." && /^-?\d+(\.\d+)?$/.test(text)) return Number(text); // most numbers, and quickly
    const plain = text.trim().replace("\u2212", "-");
    if (INFINITE.test(plain)) return plain.startsWith("-") ? -Infinity : Infinity;
    const found = (mark === "." ? POINT : COMMA).exec(plain);
    if (!found || !(found[1] || found[2])) return null;
    const digits = plain.replace(mark === "." ? /[,' \u00a0\u202f]/g : /[.' \u00a0\u202f]/g, "").replace(",", ".");
    return Number(digits);
  }

  /** Rows that have each label. @param {{labels: string[], codes: Int32Array}} column */
  function countsOf(column) {
    const counts = new Float64Array(column.labels.length);
    for (const code of column.codes) counts[code]++;
    return counts;
  }

  /**
   * Which decimal mark a column uses, and what of that is not certain.
   * @param {{name: string, labels: string[]}} column
   * @param {Float64Array} counts
   * @param {string} separator of the file
   * @returns {{mark: "." | ",", note: string | null}}
   */
  function decimalMark({ name, labels }, counts, separator) {
    if (!labels.some((label) => label.includes(",") || /\..*\./.test(label)))
      return { mark: ".", note: pointNote(name, labels) };
    let points = 0;
    let commas = 0;
    let example = null;
    labels.forEach((label, i) => {
      const point = numberOf(label, ".");
      const comma = numberOf(label, ",");
      if (point !== null && comma === null) points += counts[i];
      if (comma !== null && point === null) commas += counts[i];
      if (point !== null && comma !== null && label.includes(",")) example ??= label.trim();
    });
    if (points && commas) {
      const mark = points >= commas ? "." : ",";
      const rows = apart.counted(Math.min(points, commas), "row");
      return {
        mark,
        note:
          `${name} has decimal points and decimal commas. The ${mark === "." ? "point" : "comma"} is more frequent; ` +
          `${rows} with the other mark count as no number.`,
      };
    }
    const mark = commas || (!points && example && separator !== ",") ? "," : ".";
    const read = example === null || points || commas ? null : numberOf(example, mark);
    return { mark, note: read === null ? null : `In ${name}, ${example} was read as ${read}. ${OTHERWISE}` };
  }

  const OTHERWISE = "If that is wrong, choose below how numbers are written.";

  /** A sentence where every point may as well separate thousands. @param {string} name @param {string[]} labels */
  function pointNote(name, labels) {
    const texts = labels.map((label) => label.trim()).filter((text) => !isMissing(text));
    const group = texts.find((text) => text.includes("."));
    if (!group || !texts.every((text) => GROUPS.test(text))) return null;
    const whole = texts.find((text) => !text.includes("."));
    const mixed = whole === undefined ? "" : `, beside whole numbers such as ${whole}`;
    return (
      `In ${name}, ${group} was read as ${numberOf(group, ".")}${mixed}: three digits follow each point, ` +
      `which may also separate thousands. ${OTHERWISE}`
    );
  }

  /**
   * What a column holds.
   * @param {{name: string, labels: string[], codes: Int32Array}} column
   * @param {string} separator of the file
   * @param {"." | "," | null} given decimal mark; null guesses
   */
  function describe(column, separator, given = null) {
    const counts = countsOf(column);
    const { mark, note } = given ? { mark: given, note: null } : decimalMark(column, counts, separator);
    const values = new Float64Array(column.labels.length);
    const numbers = new Set();
    let present = 0;
    let numeric = 0;
    let dates = 0;
    let whole = true;
    let longest = 0;
    column.labels.forEach((label, i) => {
      const value = isMissing(label) ? null : numberOf(label, mark);
      values[i] = value ?? NaN;
      if (isMissing(label)) return;
      present += counts[i];
      longest = Math.max(longest, label.length);
      if (value !== null) {
        numeric += counts[i];
        numbers.add(value);
        whole &&= Number.isInteger(value);
      } else if (DATE.test(label.trim())) dates += counts[i];
    });
    const distinct = column.labels.filter((label) => !isMissing(label)).length;
    const kind = !present ? "empty" : numeric > present / 2 ? "number" : dates > present / 2 ? "date" : "text";
    const numbering =
      NUMBERING.test(column.name) || (whole && numbers.size === column.codes.length && isCounting(numbers));
    return {
      name: column.name,
      labels: column.labels,
      codes: column.codes,
      values,
      kind,
      distinct,
      numbers: numbers.size,
      whole,
      numbering,
      longest,
      mark,
      note: kind === "number" ? note : kind === "text" ? unitNote(column, counts) : null,
    };
  }

  /**
   * A sentence about texts that only need a change to be numbers.
   * @param {{name: string, labels: string[], codes: Int32Array}} column
   * @param {Float64Array} counts
   */
  function unitNote({ name, labels, codes }, counts) {
    let units = 0;
    let example = "";
    const present = labels.filter((label) => !isMissing(label));
    labels.forEach((label, i) => {
      if (!UNIT_BEFORE.test(label.trim()) && !UNIT_AFTER.test(label.trim())) return;
      units += counts[i];
      example ||= label.trim();
    });
    if (units > 0.9 * codes.length && present.length > 2) {
      return `${name} seems to hold numbers with a unit, such as “${example}”: for a total, leave the number only.`;
    }
    if (present.length === 2 && present.every((label) => /^(true|false)$/i.test(label.trim()))) {
      return `${name} holds ${present.join(" and ")}: for a total, write 1 and 0.`;
    }
    return null;
  }

  /** Whether numbers are 1, 2, 3 and so on, as those of rows are. @param {Set<number>} numbers */
  function isCounting(numbers) {
    let smallest = Infinity;
    let largest = -Infinity;
    for (const number of numbers) {
      smallest = Math.min(smallest, number);
      largest = Math.max(largest, number);
    }
    return largest - smallest === numbers.size - 1 && (smallest === 0 || smallest === 1);
  }

  /** Different pairs of two columns, and whether each label of the first comes with one label of the second.
   * @param {{codes: Int32Array, labels: string[]}} a @param {{codes: Int32Array, labels: string[]}} b */
  function pairs(a, b) {
    const seen = new Set();
    for (let i = 0; i < a.codes.length; i++) seen.add(a.codes[i] * b.labels.length + b.codes[i]);
    return { count: seen.size, nested: seen.size === a.labels.length };
  }

  /**
   * A column that only repeats within another: cask a, b and c of every batch, where a third column joins both.
   * @param {DescribedColumn[]} layers
   */
  function repeatedWithin(layers) {
    for (const joined of layers) {
      const above = layers.filter((one) => one.distinct < joined.distinct && pairs(joined, one).nested);
      for (const one of above) {
        for (const other of above) {
          if (one.distinct >= other.distinct) continue;
          if (pairs(one, other).count === joined.distinct) return { inner: one, outer: other, joined };
        }
      }
    }
    return null;
  }

  /**
   * The column that is likely the total, those that are likely layers, and why one was left out.
   * @param {DescribedColumn[]} columns
   * @returns {{total: number, layers: number[], note: string | null}}
   */
  function guess(columns) {
    const names = (/** @type {DescribedColumn} */ column) => 
      column.whole && (NAMING.test(column.name) || NAMING_IN_CAMEL_CASE.test(column.name));
    const rank = (/** @type {DescribedColumn} */ column) =>
      column.numbers + (column.whole ? 0 : 0.5) - (column.numbering ? 1e9 : 0) - (names(column) ? 1e8 : 0);
    let total = -1;
    columns.forEach((column, i) => {
      if (column.kind === "number" && (total < 0 || rank(column) >= rank(columns[total]))) total = i;
    });
    const labeled = (/** @type {number} */ most) =>
      columns.filter((column, i) => {
        if (i === total || column.distinct < 2 || column.numbering || column.kind === "date" || column.longest > 80)
          return false;
        const labels = column.kind === "text" || names(column) || (column.whole && column.distinct <= 50);
        return column.distinct <= most && labels;
      });
    const rows = columns[0].codes.length;
    let layers = labeled(rows / 2);
    if (!layers.length) layers = labeled(rows - 1);
    layers = layers.sort((a, b) => Number(b.kind === "text") - Number(a.kind === "text")).slice(0, 5);
    const sentences = [];
    if (columns.filter((column) => column.kind === "number").length > 1) {
      sentences.push(`${columns[total].name} is guessed to be the total, since several columns hold numbers.`);
    }
    const single = columns.find((column) => column.kind === "text" && column.distinct === rows && rows > 2);
    if (!layers.length && single && total >= 0) {
      sentences.push(
        `${single.name} is not chosen: each of its labels has a single row, ` +
          "so what a label adds cannot be told from the residual.",
      );
    }
    const found = layers.length <= 5 && columns[0].codes.length <= 2e5 ? repeatedWithin(layers) : null;
    if (found) {
      layers = layers.filter((layer) => layer !== found.inner);
      const [inner, outer, joined] = [found.inner.name, found.outer.name, found.joined.name];
      sentences.push(
        `${inner} is not chosen: ${joined} already holds every pair of ${outer} and ${inner}. That is right if ` +
          `labels of ${inner} repeat within ${outer}, and mean another one in each. If a label of ${inner} is the ` +
          `same one in every ${outer}, tick ${inner}, and ${joined} as well only if pairs add something of their own.`,
      );
    }
    const note = sentences.join(" ") || null;
    return { total, layers: columns.map((_, i) => i).filter((i) => layers.includes(columns[i])), note };
  }

  Object.assign(apart, { describe, guess, isMissing, numberOf });
})();
