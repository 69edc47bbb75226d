// What a fit found: tables, figures, one row, predictions, and files to take along.
"use strict";

(() => {
  const { element, make, tableOf, listOf, counted, formatter, shortened } = apart;
  const MOST_SHOWN = 30; // contributors in a figure: the first and the last ones
  const MOST_ROWS = 500; // contributors in a table of the page; the files hold all
  const MOST_OPTIONS = 300; // labels of a menu; beyond, a field to type in
  const NEW = "a new one";

  /** @type {any} answers of the fit, and the choice of columns that it was made for */
  let now = null;

  const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;
  const place = (/** @type {string} */ id) => element(`apart-${id}`);

  /**
   * Show everything.
   * @param {any} answers
   * @param {any} state of the page
   */
  function showFound(answers, { chosen, name }) {
    now = { answers, chosen, name, components: answers.components() };
    now.format = formatter(Math.min(...now.components.map((/** @type {any} */ row) => row.upper - row.lower).filter((/** @type {number} */ width) => width > 0)));
    place("layer").replaceChildren(
      ...chosen.layers.map((/** @type {any} */ layer, /** @type {number} */ i) => make("option", { value: String(i) }, shortened(layer.name))),
    );
    place("row").max = String(chosen.rows.length);
    place("row").value = String(farthest(chosen.total) + 1);
    showComponents();
    showContributors();
    showRow();
    offerPrediction();
    showPrediction();
    showCheck();
    place("python").textContent = python();
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

  function showComponents() {
    const { components, format } = now;
    const rows = components.map((/** @type {any} */ row) => [
      row.name, format(row.sd), `${format(row.lower)} to ${format(row.upper)}`, percent(row.share), `${percent(row.shareLower)} to ${percent(row.shareUpper)}`,
    ]);
    const header = ["part", "standard deviation", "90 % interval", "share of variance", "90 % interval "];
    place("components").replaceChildren(tableOf("Standard deviation of each part, and its share of the variance", header, rows));
    const points = components.map((/** @type {any} */ row) => ({ name: row.name, mean: 100 * row.share, lower: 100 * row.shareLower, upper: 100 * row.shareUpper }));
    apart.show(
      place("components-figure"),
      (/** @type {number} */ width) => apart.intervals(points, width, "share of variance in %"),
      `Shares of variance: ${components.map((/** @type {any} */ row) => `${row.name} ${percent(row.share)}`).join(", ")}`,
      "shares.svg",
    );
  }

  /** The contributors of the layer that is chosen, the largest first. */
  function contributors(/** @type {number} */ at) {
    const rows = now.answers.contributors(now.chosen.layers[at].name);
    return [...rows].sort((a, b) => b.mean - a.mean);
  }

  function showContributors() {
    const { chosen } = now;
    const at = Number(place("layer").value);
    const layer = chosen.layers[at].name;
    const rows = contributors(at);
    const format = formatter(Math.min(...rows.map((row) => row.upper - row.lower)));
    const cut = rows.length > MOST_SHOWN;
    const drawn = cut ? [...rows.slice(0, MOST_SHOWN / 2), ...rows.slice(-MOST_SHOWN / 2)] : rows;
    const which = cut ? ` Of ${rows.length.toLocaleString("en")} labels you see the ${MOST_SHOWN / 2} highest and the ${MOST_SHOWN / 2} lowest.` : "";
    place("contributors-about").textContent =
      `Dots are means of ${chosen.name} with 90 % intervals, crosses raw averages. ` +
      `Where a label has few rows, its dot is drawn towards the middle: that is how much its average can be trusted.${which}`;
    apart.show(
      place("contributors-figure"),
      (/** @type {number} */ width) => apart.intervals(drawn.map((row) => ({ ...row, name: row.label })), width, chosen.name),
      `Means of ${layer} with intervals, ordered: highest ${rows[0].label}, lowest ${rows[rows.length - 1].label}`,
      "contributors.svg",
    );
    const lines = rows.slice(0, MOST_ROWS).map((row) => [
      row.label, row.n.toLocaleString("en"), format(row.average), format(row.mean), `${format(row.lower)} to ${format(row.upper)}`,
    ]);
    const caption = rows.length > MOST_ROWS ? `The first ${MOST_ROWS} of ${rows.length.toLocaleString("en")}; the files hold all` : `All ${counted(rows.length, "label")} of ${layer}`;
    place("contributors").replaceChildren(tableOf(caption, [layer, "rows", "raw average", "mean", "90 % interval"], lines));
  }

  function showRow() {
    const { answers, chosen } = now;
    const i = Number(place("row").value) - 1;
    if (!Number.isInteger(i) || i < 0 || i >= chosen.rows.length) {
      place("row-about").textContent = `Rows have numbers from 1 to ${chosen.rows.length.toLocaleString("en")}.`;
      return;
    }
    const total = chosen.total[i];
    const labels = labelsOfRow(i);
    const parts = answers.decompose(total, labels);
    const format = formatter(Math.min(...parts.map((/** @type {any} */ part) => part.upper - part.lower).filter((/** @type {number} */ width) => width > 0)));
    const named = parts.map((/** @type {any} */ part) => ({ ...part, name: labels[part.name] === undefined ? part.name : `${part.name} ${labels[part.name]}` }));
    const sum = named.map((/** @type {any} */ part) => `${part.name} ${format(part.mean)}`).join(", ");
    place("row-about").textContent = `Row ${i + 1}: ${chosen.name} ${format(total)} = ${sum}.`;
    apart.show(
      place("row-figure"),
      (/** @type {number} */ width) => apart.waterfall(named, total, width, chosen.name),
      `Parts of row ${i + 1} that add up to ${format(total)}: ${sum}`,
      "row.svg",
    );
    const lines = named.map((/** @type {any} */ part) => [part.name, format(part.mean), `${format(part.lower)} to ${format(part.upper)}`]);
    place("row-table").replaceChildren(tableOf(`Parts of row ${i + 1}`, ["part", "mean", "90 % interval"], [...lines, ["total", format(total), "–"]]));
  }

  /** @param {number} i */
  const labelsOfRow = (i) => Object.fromEntries(now.chosen.layers.map((/** @type {any} */ layer) => [layer.name, layer.labels[layer.codes[i]]]));

  /** A menu of labels for each layer; for very many, a field to type in. */
  function offerPrediction() {
    const fields = now.chosen.layers.map((/** @type {any} */ layer, /** @type {number} */ j) => {
      const id = `apart-predict-${j}`;
      const options = () => layer.labels.map((/** @type {string} */ label) => make("option", { value: label }, shortened(label)));
      const field =
        layer.labels.length <= MOST_OPTIONS
          ? make("select", { id }, ...options(), make("option", { value: "", className: "apart-new" }, NEW))
          : make("span", {}, make("input", { id, type: "text", list: `${id}-list`, value: layer.labels[0] }), make("datalist", { id: `${id}-list` }, ...options()));
      return make("p", {}, make("label", { htmlFor: id }, layer.name), field);
    });
    place("predict").replaceChildren(...fields);
  }

  function showPrediction() {
    const labels = Object.fromEntries(now.chosen.layers.map((/** @type {any} */ layer, /** @type {number} */ j) => [layer.name, element(`apart-predict-${j}`).value]));
    const unknown = now.chosen.layers.flatMap((/** @type {any} */ layer) => (layer.labels.includes(labels[layer.name]) ? [] : [layer.name]));
    const { mean, lower, upper } = now.answers.predict(Object.fromEntries(Object.entries(labels).filter(([name]) => !unknown.includes(name))));
    const who = unknown.length ? ` For ${unknown.join(" and ")}, that is a contributor without any row yet.` : "";
    const format = formatter((upper - lower) / 10);
    place("predicted").textContent = `The next ${now.chosen.name} is expected at ${format(mean)}, and with 90 % probability between ${format(lower)} and ${format(upper)}.${who}`;
  }

  function showCheck() {
    const rows = now.answers.check();
    const alarms = rows.filter((/** @type {any} */ row) => row.alarm);
    place("check").replaceChildren(
      make("p", {}, alarms.length ? "Not in every respect. Take the numbers above with the following in mind:" : "Nothing here speaks against it. The model, drawn anew, looks like your table in these respects:"),
      listOf(rows.map((/** @type {any} */ row) => `${row.sentence} (p = ${row.p.toFixed(2)})`)),
    );
  }

  const python = () => now.answers.python({ file: now.name, total: now.chosen.name });

  function saveCsv() {
    const header = ["kind", "layer", "label", "rows", "raw average", "mean", "lower", "upper"];
    const components = now.components.flatMap((/** @type {any} */ row) => [
      ["standard deviation", row.name, "", "", "", row.sd, row.lower, row.upper],
      ["share of variance", row.name, "", "", "", row.share, row.shareLower, row.shareUpper],
    ]);
    const all = now.chosen.layers.flatMap((/** @type {any} */ layer, /** @type {number} */ j) =>
      contributors(j).map((row) => ["contributor", layer.name, row.label, row.n, row.average, row.mean, row.lower, row.upper]),
    );
    apart.save("apart.csv", apart.toCsv([header, ...components, ...all]), "text/csv");
  }

  place("layer").addEventListener("change", showContributors);
  place("row").addEventListener("change", showRow);
  place("predict").addEventListener("change", showPrediction);
  place("save-csv").addEventListener("click", saveCsv);
  place("save-json").addEventListener("click", () => apart.save("apart.json", JSON.stringify(now.answers.toJSON(), null, 2), "application/json"));
  place("save-python").addEventListener("click", () => apart.save("apart.py", python(), "text/x-python"));
  new MutationObserver(redrawFound).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth === width) return; // a phone's address bar changes the height only
    width = window.innerWidth;
    redrawFound();
  });

  Object.assign(apart, { showFound });
})();
