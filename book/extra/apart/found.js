// What a fit found: tables, figures, one row, predictions, and files to take along.
"use strict";

(() => {
  const { element, make, tableOf, listOf, counted, formatter, shortened, partName, page } = apart;
  const MOST_SHOWN = 30; // contributors in a figure: the first and the last ones
  const MOST_ROWS = 500; // contributors in a table of the page; the files hold all
  const MOST_OPTIONS = 300; // labels of a menu; beyond, a field to type in
  const LEVEL = `${100 * apart.INTERVAL} % interval`;

  /** @typedef {ReturnType<Answers["components"]>} Components */
  /** @typedef {(value: number) => string} Format */
  /**
   * What is shown.
   * @type {{answers: Answers, chosen: Chosen, components: Components, format: Format, python: string}}
   */
  let now;

  const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)}\u00a0%`;
  const place = (/** @type {string} */ id) => element(`apart-${id}`);
  /** @param {Format} format @param {{lower: number, upper: number}} interval */
  const range = (format, { lower, upper }) => `${format(lower)} to ${format(upper)}`;
  /**
   * The narrowest interval of rows: what sets how many decimals have a meaning.
   * @param {{lower: number, upper: number}[]} rows
   */
  const narrowest = (rows) =>
    rows.reduce((least, row) => (row.upper > row.lower ? Math.min(least, row.upper - row.lower) : least), Infinity);

  /**
   * Show everything.
   * @param {Answers} answers
   * @param {PageState} state
   */
  function showFound(answers, state) {
    const { chosen } = state;
    const components = answers.components();
    for (const row of components.slice(0, -1)) row.component = partName(row.component);
    const format = formatter(narrowest(components.map((row) => row.sd)));
    now = { answers, chosen, components, format, python: apart.pythonOf(answers, state) };
    place("found-about").replaceChildren(
      ...(state.warnings.length ? [make("p", {}, "Keep in mind:"), listOf(state.warnings)] : []),
    );
    place("layer").replaceChildren(
      ...chosen.layers.map((layer, i) => make("option", { value: String(i) }, shortened(layer.name))),
    );
    const shares = components.slice(0, -1).map((row) => row.share.mean);
    place("layer").value = String(shares.indexOf(Math.max(...shares)));
    place("row").max = String(chosen.rows[chosen.rows.length - 1] + 1);
    place("row").value = String(chosen.rows[farthest(chosen.total)] + 1);
    showComponents();
    showContributors();
    showRow();
    offerPrediction();
    showPrediction();
    compare();
    place("python").textContent = now.python;
  }

  /** Draw the figures again: another width, or another mode. */
  function redrawFound() {
    if (!now || place("found").hidden) return;
    showComponents();
    showContributors();
    showRow();
  }

  /** The row whose total is farthest from the middle: a good first one to take apart. @param {Float64Array} total */
  function farthest(total) {
    const middle = total.reduce((sum, value) => sum + value / total.length, 0);
    let best = 0;
    total.forEach((value, i) => {
      if (Math.abs(value - middle) > Math.abs(total[best] - middle)) best = i;
    });
    return best;
  }

  /** Each layer and the rest: medians of scales; means of shares, which add up to 1. */
  function showComponents() {
    const { components, format } = now;
    const rows = components.map(({ component, sd, share }) => [
      component,
      `${format(sd.median)} (${range(format, sd)})`,
      `${percent(share.mean)} (${range(percent, share)})`,
    ]);
    const header = ["part", `standard deviation (${LEVEL})`, `share of variance (${LEVEL})`];
    const table = tableOf("Standard deviation of each part, and its share of the variance", header, rows);
    table.classList.add("apart-stacked");
    place("components").replaceChildren(table);
    const points = components.map(({ component, share }) => ({
      name: component,
      mean: 100 * share.mean,
      lower: 100 * share.lower,
      upper: 100 * share.upper,
    }));
    apart.show(
      place("components-figure"),
      (/** @type {number} */ width) => apart.intervals(points, width, "share of the variance in %", [0, 100]),
      `Shares of the variance: ${components.map((row) => `${row.component} ${percent(row.share.mean)}`).join(", ")}`,
      "shares.svg",
    );
  }

  /** The contributors of a layer, the one that adds most first. @param {string} layer */
  const ordered = (layer) => now.answers.contributors(layer).sort((a, b) => b.mean - a.mean);

  function showContributors() {
    const { chosen } = now;
    const layer = chosen.layers[Number(place("layer").value)].name;
    const rows = ordered(layer);
    const format = formatter(narrowest(rows));
    const half = MOST_SHOWN / 2;
    const cut = rows.length > MOST_SHOWN;
    const drawn = cut ? [...rows.slice(0, half), ...rows.slice(-half)] : rows;
    const which = cut
      ? ` Of ${rows.length.toLocaleString("en")} labels you see the ${half} highest and the ${half} lowest.`
      : "";
    place("contributors-about").textContent =
      `What each ${layer} adds to ${chosen.name}, compared with the average. Dots with lines are estimates and their ` +
      `${LEVEL}s; crosses are raw averages of a label's rows. Where a dot is nearer to 0 than its cross, part of ` +
      `that average is taken for chance, or for another layer.${which}`;
    apart.show(
      place("contributors-figure"),
      (/** @type {number} */ width) =>
        apart.intervals(
          drawn.map((row) => ({ ...row, name: row.label })),
          width,
          `added to ${chosen.name}`,
        ),
      `What each ${layer} adds, with intervals, in order: most ${rows[0].label}, least ${rows[rows.length - 1].label}`,
      "contributors.svg",
    );
    const lines = rows
      .slice(0, MOST_ROWS)
      .map((row) => [
        shortened(row.label),
        row.n.toLocaleString("en"),
        format(row.raw),
        format(row.mean),
        range(format, row),
      ]);
    const caption =
      rows.length > MOST_ROWS
        ? `The first ${MOST_ROWS} of ${rows.length.toLocaleString("en")}; the files hold all`
        : `All ${counted(rows.length, "label")} of ${layer}`;
    place("contributors").replaceChildren(tableOf(caption, [layer, "rows", "raw average", "estimate", LEVEL], lines));
  }

  /**
   * Parts as they are printed: the last one takes what rounding leaves, so that printed numbers add up.
   * @param {Format} format
   * @param {{mean: number}[]} parts
   * @param {number} total
   */
  function printedParts(format, parts, total) {
    const numberOf = (/** @type {string} */ text) => Number(text.replace("−", "-").replaceAll(",", ""));
    const first = parts.slice(0, -1).map((part) => format(part.mean));
    const rest = first.reduce((left, text) => left - numberOf(text), numberOf(format(total)));
    return [...first, format(rest || 0)];
  }

  function showRow() {
    const { answers, chosen } = now;
    const number = Number(place("row").value);
    const i = chosen.rows.indexOf(number - 1);
    if (i < 0) {
      for (const id of ["row-figure", "row-table"]) place(id).replaceChildren(); // no other row's numbers
      const largest = chosen.rows[chosen.rows.length - 1] + 1;
      place("row-about").textContent =
        number >= 1 && number <= largest
          ? `Row ${number} was left out.`
          : `Rows are numbered as in the table, the header not counted: from 1 to ${largest.toLocaleString("en")}.`;
      return;
    }
    const total = chosen.total[i];
    const labels = Object.fromEntries(chosen.layers.map((layer) => [layer.name, layer.labels[layer.codes[i]]]));
    const parts = answers
      .decompose(total, labels)
      .parts.map((part, k, { length }) => {
        const own = k === 0 ? part.component : k === length - 1 ? "residual" : partName(part.component);
        return { ...part, name: `${own} ${part.label}`.trim() };
      });
    const format = formatter(narrowest(parts));
    const printed = printedParts(format, parts, total);
    const sum = parts.map((part, k) => `${shortened(part.name)} ${printed[k]}`).join(", ");
    place("row-about").textContent = `Row ${number} with the total ${format(total)} is the sum of: ${sum}.`;
    apart.show(
      place("row-figure"),
      (/** @type {number} */ width) => apart.waterfall(parts, total, width, chosen.name),
      `Parts of row ${number} that add up to ${format(total)}: ${sum}`,
      "row.svg",
    );
    const lines = parts.map((part, k) => [shortened(part.name), printed[k], range(format, part)]);
    place("row-table").replaceChildren(
      tableOf(`Parts of row ${number}`, ["part", "estimate", LEVEL], [...lines, ["total", format(total), "–"]]),
    );
  }

  /** A menu of labels for each layer; for very many, a field to type in. */
  function offerPrediction() {
    const fields = now.chosen.layers.map((layer, j) => {
      const id = `apart-predict-${j}`;
      const options = layer.labels.map((/** @type {string} */ label) =>
        make("option", { value: label }, shortened(label)),
      );
      const field =
        layer.labels.length <= MOST_OPTIONS
          ? [make("select", { id }, ...options, make("option", { value: "" }, `a new ${shortened(layer.name)}`))]
          : [
              make("input", { id, type: "text", list: `${id}-list`, value: layer.labels[0] }),
              make("datalist", { id: `${id}-list` }, ...options),
            ];
      return make("p", {}, make("label", { htmlFor: id }, shortened(layer.name)), ...field);
    });
    place("predict").replaceChildren(...fields);
  }

  function showPrediction() {
    const { answers, chosen } = now;
    const labels = Object.fromEntries(chosen.layers.map((layer, j) => [layer.name, place(`predict-${j}`).value]));
    const found = answers.predict(labels);
    const format = formatter((found.upper - found.lower) / 10);
    const who = found.unknown
      .map((/** @type {string} */ name) => ` Its ${name} is one that has no row in the table.`)
      .join("");
    const rare = combinationSentence(labels);
    place("predicted").textContent =
      `${rare}The next ${chosen.name} is expected at ${format(found.mean)}; ${LEVEL}: ${range(format, found)}.${who}`;
  }

  /** A sentence for labels that no row has together. @param {Record<string, string>} labels */
  function combinationSentence(labels) {
    const { layers, rows } = now.chosen;
    const codes = layers.map((layer) => layer.labels.indexOf(labels[layer.name]));
    const known = layers.map((_, j) => j).filter((j) => codes[j] >= 0);
    const at = (/** @type {number} */ row) => known.every((j) => layers[j].codes[row] === codes[j]);
    if (known.length < 2 || rows.some((_, row) => at(row))) return "";
    for (const j of known) {
      for (const k of known) {
        if (j === k) continue;
        const met = new Set();
        layers[j].codes.forEach((code, row) => {
          if (code === codes[j]) met.add(layers[k].codes[row]);
        });
        const [only] = met;
        if (met.size === 1 && only !== codes[k]) {
          const inner = shortened(labels[layers[j].name]);
          const outer = shortened(layers[k].labels[only]);
          return `No row has this combination: ${inner} lies in ${layers[k].name} ${outer}. `;
        }
      }
    }
    return "No row has this combination. ";
  }

  /** The comparison takes longest, so everything else is shown before it begins. */
  async function compare() {
    const { answers } = now;
    place("check").textContent = "The model makes up tables, to be compared with yours …";
    await page.shown();
    if (now.answers === answers && !place("found").hidden) showCheck();
  }

  function showCheck() {
    const rows = now.answers.check();
    const alarm = rows.some((row) => row.alarm);
    const sentenceOf = (/** @type {Aspect} */ { p, sentence, alarm }) => {
      if (!Number.isFinite(p)) return sentence;
      const shown = p < 0.001 ? "p < 0.001" : `p = ${p.toFixed(p < 0.01 ? 3 : 2)}`;
      return `${alarm ? "Look out: " : ""}${sentence} (${shown})`; // a doubtful one says so
    };
    const verdict = alarm ? "They differ:" : "They look like it:";
    place("check").replaceChildren(
      make("p", {}, `Tables that the fitted model makes up are compared with yours. ${verdict}`),
      listOf(rows.map(sentenceOf)),
    );
  }

  function saveCsv() {
    const header = ["kind", "layer", "label", "rows", "raw", "estimate", "lower", "upper"];
    const components = now.components.flatMap(({ component, sd, share }) => [
      ["standard deviation", component, "", "", "", sd.median, sd.lower, sd.upper],
      ["share of variance", component, "", "", "", share.mean, share.lower, share.upper],
    ]);
    const contributors = now.chosen.layers.flatMap(({ name }) =>
      ordered(name).map((row) => ["contributor", name, row.label, row.n, row.raw, row.mean, row.lower, row.upper]),
    );
    apart.save("apart.csv", apart.toCsv([header, ...components, ...contributors]), "text/csv");
  }

  place("layer").addEventListener("change", showContributors);
  place("row").addEventListener("change", showRow);
  place("predict").addEventListener("change", showPrediction);
  place("save-csv").addEventListener("click", saveCsv);
  place("save-json").addEventListener("click", () =>
    apart.save("apart.json", JSON.stringify(now.answers.toJSON(), null, 2), "application/json"),
  );
  place("save-python").addEventListener("click", () => apart.save("apart.py", `${now.python}\n`, "text/x-python"));
  new MutationObserver(redrawFound).observe(document.documentElement, {
    attributes: true,
    attributeFilter: ["data-theme"],
  });
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth === width) return; // a phone's address bar changes the height only
    width = window.innerWidth;
    redrawFound();
  });

  Object.assign(apart, { showFound });
})();
