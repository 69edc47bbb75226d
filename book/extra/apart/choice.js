// A reader's choice of columns becomes a total and layers of labels; every row that is left out is counted, with why.
"use strict";

(() => {
  const inOrder = new Intl.Collator("en", { numeric: true });

  /**
   * The codes of a column for the rows that stay, with labels in their order.
   * @param {{name: string, labels: string[], codes: Int32Array}} column
   * @param {Int32Array} rows
   * @param {boolean} join labels that differ in case or spaces only
   */
  function layerOf(column, rows, join) {
    const seen = new Uint8Array(column.labels.length);
    for (const row of rows) seen[column.codes[row]] = 1;
    const used = [...seen.keys()].filter((code) => seen[code]);
    const texts = used.map((code) => column.labels[code]);
    const near = apart.nearlyEqual(texts);
    /** @type {Map<string, string>} */
    const nameOf = new Map();
    if (join) for (const group of near) for (const label of group) nameOf.set(label, group[0].trim());
    const joined = Object.fromEntries([...nameOf].filter(([label, name]) => label !== name));
    const labels = [...new Set(texts.map((text) => nameOf.get(text) ?? text))].sort(inOrder.compare);
    const place = new Map(labels.map((label, i) => [label, i]));
    const codeOf = new Int32Array(column.labels.length);
    for (const code of used) {
      const label = column.labels[code];
      codeOf[code] = /** @type {number} */ (place.get(nameOf.get(label) ?? label));
    }
    return { name: column.name, labels, codes: rows.map((row) => codeOf[column.codes[row]]), near, joined };
  }

  /**
   * What a choice of columns gives.
   * @param {DescribedColumn[]} columns
   * @param {number} totalAt
   * @param {number[]} layersAt
   * @param {boolean} join labels that differ in capital letters or spaces only
   * @returns {Chosen}
   */
  function choose(columns, totalAt, layersAt, join = false) {
    const column = columns[totalAt];
    const problems = [];
    if (!column) {
      const dates = columns.filter((one) => one.kind === "date").map((one) => one.name);
      const add = dates.length ? ` ${dates.join(" and ")} holds dates or times, and a date is no total.` : "";
      return {
        problem: `No column holds numbers, so there is no total to take apart.${add}`,
        leftOut: [],
        layers: [],
        total: new Float64Array(),
        rows: new Int32Array(),
        name: "",
      };
    }
    if (!layersAt.length)
      problems.push("Choose at least one layer: a column of labels that says who took part in a total.");
    const reasons = [`no number in ${column.name}`, `${column.name} is empty`, `${column.name} is infinite`];
    const counts = [0, 0, 0, ...layersAt.map(() => 0)];
    const examples = reasons.map(() => new Set());
    for (const i of layersAt) reasons.push(`no label in ${columns[i].name}`);
    const missing = layersAt.map((i) => Uint8Array.from(columns[i].labels, (label) => Number(apart.isMissing(label))));
    const rows = new Int32Array(column.codes.length);
    let used = 0;
    for (let row = 0; row < column.codes.length; row++) {
      const code = column.codes[row];
      const value = column.values[code];
      let why = Number.isFinite(value) ? -1 : apart.isMissing(column.labels[code]) ? 1 : Number.isNaN(value) ? 0 : 2;
      if (why === 0 && examples[0].size < 3) examples[0].add(column.labels[code].slice(0, 20));
      for (let k = 0; why < 0 && k < layersAt.length; k++) if (missing[k][columns[layersAt[k]].codes[row]]) why = 3 + k;
      if (why < 0) rows[used++] = row;
      else counts[why]++;
    }
    const kept = rows.subarray(0, used);
    const leftOut = counts.flatMap((count, i) => {
      const such = i === 0 ? `, such as ${[...examples[0]].map((text) => `“${text}”`).join(", ")}` : "";
      return count ? [`${apart.counted(count, "row")} left out: ${reasons[i]}${such}.`] : [];
    });
    const total = new Float64Array(used);
    for (let i = 0; i < used; i++) total[i] = column.values[column.codes[kept[i]]];
    const layers = layersAt.map((i) => layerOf(columns[i], kept, join));
    problems.push(...problemsOf(column.name, total, layers));
    return { problem: problems[0] ?? null, leftOut, layers, total, rows: kept, name: column.name };
  }

  /**
   * Sentences about what no fit can use.
   * @param {string} name
   * @param {Float64Array} total
   * @param {{name: string, labels: string[]}[]} layers
   */
  function problemsOf(name, total, layers) {
    const found = [];
    if (total.length < apart.FEWEST_ROWS)
      found.push(
        `Too few rows are left: ${total.length}. A fit needs at least ${apart.FEWEST_ROWS}, and means something with many more.`,
      );
    else if (total.every((value) => value === total[0]))
      found.push(`Every ${name} is ${total[0]}: there is nothing to take apart.`);
    else if (total.some((value) => Math.abs(value) > 1e100))
      found.push(`${name} holds numbers beyond 1e100, which cannot be squared and added up here. Choose another unit.`);
    for (const layer of layers) {
      if (layer.labels.length === 1) {
        found.push(
          `${layer.name} has one label only, ${layer.labels[0].slice(0, 40)}: ` +
            "what it adds cannot be told from the baseline. Take it away from the layers.",
        );
      }
    }
    return found;
  }

  /**
   * Sentences about a total that is unlike what the model is for.
   * @param {string} name
   * @param {Float64Array} total
   */
  function remarksOf(name, total) {
    const counts = new Map();
    for (const value of total) counts.set(value, (counts.get(value) ?? 0) + 1);
    const found = [];
    if (counts.size === 2) {
      const values = [...counts.keys()].sort((a, b) => a - b);
      found.push(
        `${name} has two values only, ${values[0]} and ${values[1]}. The model is made for totals of many values: ` +
          "shares and averages are rough here, and predictions lie between the two or beyond them.",
      );
    }
    for (const value of [-99, -999, -9999, 99, 999, 9999, 99999]) {
      if (counts.size < 5 || !counts.has(value)) continue;
      const others = [...counts.keys()].filter((other) => other !== value);
      const low = others.reduce((a, b) => Math.min(a, b));
      const high = others.reduce((a, b) => Math.max(a, b));
      const away = value < low ? low - value : value - high;
      if (away > high - low) {
        const rows = apart.counted(counts.get(value), "row");
        found.push(
          `${name} is ${value} in ${rows}, far from all others. If that stands for no value, leave these fields empty.`,
        );
      }
    }
    return found;
  }

  /**
   * A column of pairs: for labels that repeat within those of another column and mean another one in each.
   * @param {{name: string, labels: string[], codes: Int32Array}} inner
   * @param {{name: string, labels: string[], codes: Int32Array}} outer
   */
  function within(inner, outer) {
    /** @type {Map<string, number>} */
    const known = new Map();
    const codes = inner.codes.map((code, row) => {
      const [a, b] = [outer.labels[outer.codes[row]], inner.labels[code]];
      const label = apart.isMissing(a) || apart.isMissing(b) ? "" : `${a}:${b}`;
      if (!known.has(label)) known.set(label, known.size);
      return /** @type {number} */ (known.get(label));
    });
    return { name: `${inner.name} within ${outer.name}`, labels: [...known.keys()], codes };
  }

  Object.assign(apart, { choose, remarksOf, within });
})();
