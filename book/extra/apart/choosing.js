// The second step: which columns are the total and the layers, and what that gives, before anything is fitted.
"use strict";

(() => {
  const { element, make, tableOf, listOf, counted, shortened, page } = apart;
  const { state } = page;

  /** Show what was read, and offer columns. */
  function offer() {
    const { table, columns, notes, preset } = state;
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
    element("apart-join").checked = false;
    const numbers = columns.map((column, i) => ({ column, i })).filter((one) => one.column.kind === "number");
    element("apart-total").replaceChildren(
      ...numbers.map(({ column, i }) =>
        make("option", { value: String(i), selected: i === total }, shortened(column.name)),
      ),
    );
    element("apart-layers").replaceChildren(
      ...columns.map((column, i) => {
        const box = make("input", { type: "checkbox", value: String(i), checked: layers.includes(i) });
        return make(
          "label",
          { className: "apart-tick" },
          box,
          ` ${shortened(column.name)} (${counted(column.distinct, "label")})`,
        );
      }),
    );
    page.showTable();
    understand();
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
    Object.assign(state, { chosen, cells: null });
    page.hideFound();
    const near = chosen.layers.flatMap((layer) => layer.near.map((group) => ({ layer, group })));
    element("apart-join-label").hidden = !near.length;
    const sentences = [...chosen.leftOut];
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
        parts.push(layersTable(chosen), identificationTable(state.cells));
      } catch (error) {
        sentences.push(error instanceof Error ? error.message : String(error));
      }
    }
    element("apart-understood").replaceChildren(listOf(sentences), ...parts);
    element("apart-start").disabled = !state.cells;
    element("apart-stop").disabled = true;
    element("apart-progress").value = 0;
    page.say("", "apart-numbers");
    page.say(state.cells ? "Ready." : "There is nothing to fit yet: see above.");
  }

  /** @param {Chosen} chosen */
  function layersTable(chosen) {
    const rows = chosen.layers.map((layer) => {
      const counts = new Float64Array(layer.labels.length);
      for (const code of layer.codes) counts[code]++;
      const [low, high] = [counts.reduce((a, b) => Math.min(a, b)), counts.reduce((a, b) => Math.max(a, b))];
      const of = (/** @type {number} */ count) => count.toLocaleString("en");
      return [layer.name, of(layer.labels.length), low === high ? of(low) : `${of(low)} to ${of(high)}`];
    });
    return tableOf("Layers, their labels, and how many rows each label has", ["layer", "labels", "rows a label"], rows);
  }

  /** @param {Cells} cells */
  function identificationTable(cells) {
    const rows = apart
      .identification(cells)
      .map((row) => [row.component, row.means ? "yes" : "no", row.because || "–"]);
    const table = tableOf(
      "What the data say before any fit",
      ["part", "means found by the data alone", "because"],
      rows,
    );
    table.classList.add("apart-stacked");
    return table;
  }

  for (const id of ["apart-total", "apart-layers", "apart-join"]) element(id).addEventListener("change", understand);

  Object.assign(apart, { offer });
})();
