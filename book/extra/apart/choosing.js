// The second step: which columns are the total and the layers, and what that gives, before anything is fitted.
"use strict";

(() => {
  const { element, make, tableOf, listOf, counted, shortened, partName, page } = apart;
  const { state } = page;
  const FEW = 5; // labels; fewer leave the spread of a layer to the prior

  /** Show what was read, and offer columns. */
  function offer() {
    const { table, columns, notes, preset, mark } = state;
    const guessed = apart.guess(columns);
    const placeOf = (/** @type {string} */ name) => columns.findIndex((column) => column.name === name);
    const total = preset ? placeOf(preset.total) : guessed.total;
    const layers = preset ? preset.layers.map(placeOf) : guessed.layers;
    const units = columns.flatMap((column) => (column.note ? [column.note] : []));
    const sentences = [...notes, ...table.notes, ...units, ...(guessed.note && !preset ? [guessed.note] : [])];
    element("apart-notes").replaceChildren(...(sentences.length ? [listOf(sentences)] : []));
    const first = Array.from({ length: Math.min(5, table.rows) }, (_, row) => [
      String(row + 1),
      ...columns.map((column) => shortened(column.labels[column.codes[row]])),
    ]);
    element("apart-preview").replaceChildren(
      tableOf("The first rows", ["row", ...columns.map((column) => column.name)], first),
    );
    element("apart-header").checked = table.header;
    element("apart-mark").value = mark ?? "";
    element("apart-join").checked = false;
    const numbers = columns.map((column, i) => ({ column, i })).filter((one) => one.column.kind === "number");
    element("apart-total").replaceChildren(
      ...numbers.map(({ column, i }) =>
        make("option", { value: String(i), selected: i === total }, shortened(column.name)),
      ),
    );
    element("apart-layers").replaceChildren(...columns.map((column, i) => tickOf(column, i, layers.includes(i))));
    page.showTable();
    understand();
  }

  /** @param {DescribedColumn} column @param {number} i @param {boolean} checked */
  function tickOf(column, i, checked) {
    const box = make("input", { type: "checkbox", value: String(i), checked });
    const text = ` ${shortened(column.name)} (${counted(column.distinct, "label")})`;
    return make("label", { className: "apart-tick" }, box, text);
  }

  /**
   * Offer pairs as layers, for labels that repeat within those of another layer.
   * @param {number[]} layers
   * @param {Cells} cells
   */
  function offerPairs(layers, cells) {
    const { columns } = state;
    const plain = layers.filter((i) => !columns[i].pair);
    const free = (/** @type {number} */ a, /** @type {number} */ b) =>
      apart.parentsOf(cells, layers.indexOf(a), layers.indexOf(b)) === null;
    const names = new Set(columns.map((column) => column.name));
    const pairs = plain
      .flatMap((inner) => plain.filter((outer) => outer !== inner).map((outer) => ({ inner, outer })))
      .filter(({ inner, outer }) => free(inner, outer) && free(outer, inner)) // none lies in the other anyway
      .filter(({ inner, outer }) => !names.has(`${columns[inner].name} within ${columns[outer].name}`));
    element("apart-within-label").hidden = !pairs.length || plain.length > 4;
    element("apart-within").replaceChildren(
      make("option", { value: "" }, "no"),
      ...pairs.map(({ inner, outer }) => {
        const text = `${shortened(columns[inner].name)} within ${shortened(columns[outer].name)}`;
        return make("option", { value: `${inner} ${outer}` }, text);
      }),
    );
  }

  /** Replace a layer by its labels within those of another one. */
  function usePair() {
    const chosen = element("apart-within").value;
    if (!chosen) return;
    const [inner, outer] = chosen.split(" ").map(Number);
    const { columns, table } = state;
    const paired = apart.describe(apart.within(columns[inner], columns[outer]), table.separator);
    const at = columns.push({ ...paired, pair: [columns[outer].name, columns[inner].name] }) - 1;
    const box = (/** @type {number} */ i) => element("apart-layers").querySelector(`input[value="${i}"]`);
    box(inner).checked = false;
    element("apart-layers").append(tickOf(columns[at], at, true));
    understand();
    box(at).focus();
  }

  /** Show what a choice of columns gives, and what the data identify: before anything is fitted. */
  function understand() {
    page.endFit();
    const boxes = /** @type {HTMLInputElement[]} */ ([...element("apart-layers").querySelectorAll("input")]);
    const total = element("apart-total").value === "" ? -1 : Number(element("apart-total").value);
    for (const box of boxes) {
      box.disabled = Number(box.value) === total; // a column is not both
      if (box.disabled) box.checked = false;
    }
    const layers = boxes.filter((box) => box.checked).map((box) => Number(box.value));
    const chosen = apart.choose(state.columns, total, layers, element("apart-join").checked);
    Object.assign(state, { chosen, cells: null, warnings: [] });
    element("apart-within-label").hidden = true;
    page.hideFound();
    const near = chosen.layers.flatMap((layer) => layer.near.map((group) => ({ layer, group })));
    element("apart-join-label").hidden = !near.length;
    const sentences = [...chosen.leftOut, ...(chosen.problem ? [] : apart.remarksOf(chosen.name, chosen.total))];
    if (near.length) {
      const quoted = (/** @type {string[]} */ group) => group.map((label) => `“${shortened(label)}”`).join(" and ");
      const some = near.slice(0, 3).map(({ layer, group }) => `in ${layer.name} ${quoted(group)}`);
      if (near.length > 3) some.push(`and ${near.length - 3} more`);
      const how = element("apart-join").checked ? "counted as one" : "counted as different, unless you tick the box";
      sentences.push(`Labels that differ in capital letters or spaces only, ${how}: ${some.join("; ")}.`);
    }
    const parts = [];
    if (chosen.problem) sentences.push(chosen.problem);
    else {
      try {
        state.cells = apart.cells(chosen.total, chosen.layers);
        const size = `${counted(chosen.rows.length, "row")} can be used, in ${counted(state.cells.n.length, "cell")}`;
        sentences.unshift(`${size}: rows with the same labels are one cell.`);
        offerPairs(layers, state.cells);
        const rows = apart.identification(state.cells);
        parts.push(layersTable(state.cells), identificationTable(rows, state.cells));
        state.warnings = warningsOf(rows, state.cells);
        if (!element("apart-within-label").hidden && (apart.lackOfFit(state.cells)?.p ?? 1) < apart.ALARM) {
          const [first, second] = chosen.layers.map((layer) => layer.name);
          const sentence =
            "Layers do not simply add up: averages of cells differ by far more than rows within cells do. Either " +
            `pairs of labels have something of their own, or a label of ${second} means another one in each ${first}, ` +
            "or the other way round: see the question above.";
          sentences.push(sentence);
          state.warnings.unshift(sentence.replace(": see the question above", ""));
        }
        const problem = apart.problem(state.cells);
        if (problem) {
          sentences.push(problem);
          state.cells = null;
        }
      } catch (error) {
        sentences.push(error instanceof Error ? error.message : String(error));
      }
    }
    element("apart-understood").replaceChildren(listOf(sentences), ...parts);
    element("apart-start").disabled = !state.cells;
    element("apart-ready").hidden = !state.cells;
    element("apart-ready-about").textContent =
      `with ${shortened(chosen.name)} as the total, and as layers ` +
      `${chosen.layers.map((layer) => shortened(layer.name)).join(", ")}; or look at the choice below first.`;
    element("apart-stop").disabled = true;
    element("apart-progress").value = 0;
    page.say("", "apart-numbers");
    page.say(state.cells ? "Ready." : "There is nothing to fit yet: see above.");
  }

  /** @param {Cells} cells */
  function layersTable(cells) {
    const rows = cells.layers.map((layer, j) => {
      const counts = apart.countsOf(cells, j);
      const [low, high] = [counts.reduce((a, b) => Math.min(a, b)), counts.reduce((a, b) => Math.max(a, b))];
      const of = (/** @type {number} */ count) => count.toLocaleString("en");
      return [layer.name, of(layer.labels.length), low === high ? of(low) : `${of(low)} to ${of(high)}`];
    });
    return tableOf("Layers, their labels, and how many rows each label has", ["layer", "labels", "rows per label"], rows);
  }

  /** What is known of a part: single contributions may be tied while shares are not. @param {Cells} cells */
  function nestedSentences(cells) {
    const { layers } = cells;
    const nested = (/** @type {number} */ i, /** @type {number} */ j) =>
      i !== j && apart.parentsOf(cells, i, j) !== null;
    return layers.map((layer, i) => {
      const finer = layers.findIndex((_, j) => nested(j, i) && !nested(i, j));
      const coarser = layers.findIndex((_, j) => nested(i, j) && !nested(j, i));
      const other = finer >= 0 ? finer : coarser;
      if (other < 0) return "";
      return (
        `Shares of ${layer.name} and ${layers[other].name} can be found; ` +
        "single contributions of the two cannot be told apart."
      );
    });
  }

  /** @param {Identified[]} identified @param {Cells} cells */
  function identificationTable(identified, cells) {
    const nested = ["", ...nestedSentences(cells)];
    const rows = identified.map((row, i) => {
      const name = i ? partName(row.component) : row.component;
      const single = i > 0 && apart.countsOf(cells, i - 1).every((count) => count === 1);
      const verdict = row.means ? (single ? "" : row.verdict) : nested[i] || row.verdict;
      const because = [verdict, ...row.remarks].filter(Boolean).join(" ");
      const shares = nested[i] ? "shares only" : "no";
      return [name, single ? "no" : row.means ? "yes" : shares, because || "–"];
    });
    const table = tableOf("What the data say before any fit", ["part", "found by the data alone", "because"], rows);
    table.classList.add("apart-stacked");
    return table;
  }

  /**
   * What to keep in mind when results are read: what the data do not tell apart, and layers with few labels.
   * @param {Identified[]} identified
   * @param {Cells} cells
   */
  function warningsOf(identified, cells) {
    /** @type {Set<string>} */
    const said = new Set();
    const found = identified.map(({ remarks }) => {
      const fresh = remarks.filter((remark) => !said.has(remark));
      fresh.forEach((remark) => said.add(remark));
      return fresh.join(" ");
    });
    const few = cells.layers
      .filter(({ labels }) => labels.length < FEW)
      .map(
        ({ name, labels }) =>
          `${name} has ${labels.length} labels only: how much it matters stays uncertain, ` +
          "and the upper end of its intervals depends on the prior.",
      );
    return [...found.filter(Boolean), ...few];
  }

  for (const id of ["apart-total", "apart-layers", "apart-join"]) element(id).addEventListener("change", understand);
  element("apart-within").addEventListener("change", usePair);

  Object.assign(apart, { offer });
})();
