// The page: from a file to what a fit found. Each step shows what it did before the next one begins.
"use strict";

(() => {
  const { element, make, tableOf, listOf, counted, shortened } = apart;
  const TARGET = 400; // effective draws of every scale
  const STOPPED = "Stopped before the check was passed, so no number is shown as found.";

  /** @type {any} What is known so far. Later steps are null until the earlier ones are done. */
  const state = { text: null, name: "", table: null, columns: [], chosen: null, cells: null };
  /** @type {AbortController | null} */
  let fitting = null;
  let reading = 0; // a number for each file, so that a slower one does not replace a later one

  const say = (/** @type {string} */ text, id = "apart-status") => (element(id).textContent = text);
  const waits = () => /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".apart-waits"));
  /** Let the page show what it says before a long step. */
  const shown = () => new Promise((resolve) => setTimeout(resolve, 30));

  // 1. A table

  /** @param {string} name @param {() => any} bytesOf what holds the bytes, or a promise of it @param {any} preset */
  async function open(name, bytesOf, preset = null) {
    const mine = ++reading;
    forget();
    say(`Reading ${name} …`, "apart-read");
    await shown();
    try {
      const file = { ...apart.decode(await bytesOf()), name, preset };
      await read(file, null, mine);
    } catch (error) {
      if (mine === reading) say(`${name}: ${sentenceOf(error)}`, "apart-read");
    }
  }

  /** @param {any} file its text, and what is known of it @param {boolean | null} header @param {number} mine */
  async function read(file, header, mine) {
    const { name, text } = file;
    const onProgress = (/** @type {number} */ share) => say(`Reading ${name}: ${10 * Math.floor(10 * share)} % …`, "apart-read");
    const table = await apart.parse(text, { header, onProgress });
    if (mine !== reading) return;
    const rows = `${counted(table.rows, "row")} and ${counted(table.columns.length, "column")}`;
    say(`Looking at ${rows} of ${name} …`, "apart-read");
    await shown();
    if (mine !== reading) return;
    const columns = table.columns.map((/** @type {any} */ column) => apart.describe(column, table.separator));
    Object.assign(state, file, { table, columns });
    offer();
    say(`${name}: ${rows}, separated by ${apart.SEPARATORS[table.separator] ?? "other marks"}.`, "apart-read");
  }

  /** @param {unknown} error */
  const sentenceOf = (error) => (error instanceof apart.Refusal ? error.message : `This could not be read (${error instanceof Error ? error.message : error}).`);

  /** Take back everything that a former table has shown. */
  function forget() {
    fitting?.abort();
    fitting = null;
    Object.assign(state, { text: null, table: null, columns: [], chosen: null, cells: null });
    for (const id of ["apart-table", "apart-fit"]) element(id).hidden = true;
    for (const line of waits()) line.hidden = false;
    hideFound();
  }

  function hideFound() {
    element("apart-found").hidden = true;
    element("apart-go").hidden = true;
    element("apart-waits-found").hidden = false;
  }

  // 2. What it holds

  /** Show what was read, and offer columns. */
  function offer() {
    const { table, columns, notes, preset } = state;
    const guessed = apart.guess(columns);
    const placeOf = (/** @type {string} */ name) => columns.findIndex((/** @type {any} */ column) => column.name === name);
    const total = preset ? placeOf(preset.total) : guessed.total;
    const layers = preset ? preset.layers.map(placeOf) : guessed.layers;
    const units = columns.flatMap((/** @type {any} */ column) => (column.note ? [column.note] : []));
    element("apart-notes").replaceChildren(listOf([...notes, ...table.notes, ...units, ...(guessed.note && !preset ? [guessed.note] : [])]));
    const first = Array.from({ length: Math.min(5, table.rows) }, (_, row) => [
      String(row + 1), ...columns.map((/** @type {any} */ column) => shortened(column.labels[column.codes[row]])),
    ]);
    element("apart-preview").replaceChildren(tableOf("The first rows", ["row", ...columns.map((/** @type {any} */ column) => column.name)], first));
    element("apart-header").checked = table.header;
    element("apart-join").checked = false;
    const numbers = columns.map((/** @type {any} */ column, /** @type {number} */ i) => ({ column, i })).filter((/** @type {any} */ one) => one.column.kind === "number");
    element("apart-total").replaceChildren(
      ...numbers.map((/** @type {any} */ { column, i }) => make("option", { value: String(i), selected: i === total }, shortened(column.name))),
    );
    element("apart-layers").replaceChildren(
      ...columns.map((/** @type {any} */ column, /** @type {number} */ i) => {
        const box = make("input", { type: "checkbox", value: String(i), checked: layers.includes(i) });
        return make("label", { className: "apart-tick" }, box, ` ${shortened(column.name)} (${counted(column.distinct, "label")})`);
      }),
    );
    for (const line of waits()) line.hidden = line.id !== "apart-waits-found";
    element("apart-table").hidden = false;
    element("apart-fit").hidden = false;
    understand();
  }

  /** Show what a choice of columns gives, and what the data identify: before anything is fitted. */
  function understand() {
    fitting?.abort();
    fitting = null;
    const boxes = /** @type {HTMLInputElement[]} */ ([...element("apart-layers").querySelectorAll("input")]);
    const total = element("apart-total").value === "" ? -1 : Number(element("apart-total").value);
    for (const box of boxes) {
      box.disabled = Number(box.value) === total; // a column is not both
      if (box.disabled) box.checked = false;
    }
    const layers = boxes.filter((box) => box.checked).map((box) => Number(box.value));
    const chosen = apart.choose(state.columns, total, layers, element("apart-join").checked);
    Object.assign(state, { chosen, cells: null });
    hideFound();
    const near = chosen.layers.flatMap((/** @type {any} */ layer) => layer.near.map((/** @type {string[]} */ group) => ({ layer, group })));
    element("apart-join-label").hidden = !near.length;
    const sentences = [...chosen.leftOut];
    if (near.length) {
      const some = near.slice(0, 3).map((/** @type {any} */ { layer, group }) => `in ${layer.name} ${group.map((/** @type {string} */ label) => `“${shortened(label)}”`).join(" and ")}`);
      const how = element("apart-join").checked ? "counted as one" : "counted as different, unless you tick the box";
      sentences.push(`Labels that differ in capital letters or spaces only, ${how}: ${some.join("; ")}${near.length > 3 ? `; and ${near.length - 3} more` : ""}.`);
    }
    const parts = [];
    if (chosen.problem) sentences.push(chosen.problem);
    else {
      try {
        state.cells = apart.cells(chosen.total, chosen.layers);
        sentences.unshift(`${counted(chosen.rows.length, "row")} can be used, in ${counted(state.cells.n.length, "cell")}: rows with the same labels are one cell.`);
        parts.push(layersTable(chosen), identificationTable(state.cells));
      } catch (error) {
        sentences.push(error instanceof Error ? error.message : String(error));
      }
    }
    element("apart-understood").replaceChildren(listOf(sentences), ...parts);
    element("apart-start").disabled = !state.cells;
    element("apart-stop").disabled = true;
    element("apart-progress").value = 0;
    say("", "apart-numbers");
    say(state.cells ? "Ready." : "There is nothing to fit yet: see above.");
  }

  /** @param {any} chosen */
  function layersTable(chosen) {
    const rows = chosen.layers.map((/** @type {any} */ layer) => {
      const counts = new Float64Array(layer.labels.length);
      for (const code of layer.codes) counts[code]++;
      const [low, high] = [counts.reduce((a, b) => Math.min(a, b)), counts.reduce((a, b) => Math.max(a, b))];
      const of = (/** @type {number} */ count) => count.toLocaleString("en");
      return [layer.name, of(layer.labels.length), low === high ? of(low) : `${of(low)} to ${of(high)}`];
    });
    return tableOf("Layers, their labels, and how many rows each label has", ["layer", "labels", "rows a label"], rows);
  }

  /** @param {any} cells */
  function identificationTable(cells) {
    const rows = apart.identification(cells).map((/** @type {any} */ row) => [row.component, row.means ? "yes" : "no", row.because || "–"]);
    const table = tableOf("What the data say before any fit", ["part", "means found by the data alone", "because"], rows);
    table.classList.add("apart-stacked");
    return table;
  }

  // 3. The fit

  async function fit() {
    const mine = new AbortController();
    fitting = mine;
    hideFound();
    element("apart-start").disabled = true;
    element("apart-stop").disabled = false;
    element("apart-stop").focus();
    element("apart-progress").value = 0;
    say("Fitting: four chains draw.");
    try {
      const result = await apart.fit(state.cells, {
        seed: 1,
        target: TARGET,
        signal: mine.signal,
        onProgress(/** @type {any} */ now) {
          if (mine !== fitting) return;
          element("apart-progress").value = Math.min(1, now.ess / TARGET) || 0;
          const checked = Number.isFinite(now.rhat)
            ? `largest R-hat ${now.rhat.toFixed(3)}, fewest effective draws of a scale ${Math.floor(now.ess).toLocaleString("en")} (${now.worst}); wanted: below 1.01, and ${TARGET}.`
            : "not checked yet.";
          say(`${now.draws.toLocaleString("en")} draws in ${now.seconds.toFixed(1)} s; ${checked}`, "apart-numbers");
        },
      });
      if (mine !== fitting) return; // another table or choice came in between
      if (result.converged) {
        element("apart-progress").value = 1;
        element("apart-found").hidden = false;
        element("apart-waits-found").hidden = true;
        element("apart-go").hidden = false;
        apart.showFound(apart.answers(result, state.cells), state);
        const passed = `R-hat ${result.rhat.toFixed(3)}, ${Math.floor(result.ess).toLocaleString("en")} effective draws at least`;
        say(`${mine.signal.aborted ? "Stopped, and the" : "Done. The"} check is passed: ${passed}.`);
      } else {
        say(STOPPED);
      }
    } catch (error) {
      if (mine === fitting) {
        say(mine.signal.aborted ? STOPPED : `The fit failed: ${error instanceof Error ? error.message : error}`);
      }
    } finally {
      if (mine === fitting) {
        fitting = null;
        element("apart-start").disabled = false;
        element("apart-stop").disabled = true;
        element("apart-start").focus({ preventScroll: true });
      }
    }
  }

  // Events

  /** @param {File} file */
  function openFile(file) {
    // What is too large is refused by its size, before it is read.
    open(shortened(file.name), async () => (file.size > 100e6 ? { length: file.size } : new Uint8Array(await file.arrayBuffer())));
  }

  element("apart-file").addEventListener("change", () => {
    const [file] = element("apart-file").files;
    if (file) openFile(file);
    element("apart-file").value = ""; // so that the same file can be chosen again, after it was changed
  });
  const drop = element("apart-drop");
  for (const type of ["dragover", "drop", "dragleave"]) {
    document.addEventListener(type, (event) => {
      const files = /** @type {DragEvent} */ (event).dataTransfer;
      if (event.target === element("apart-text")) return; // text that is moved into the field
      if (type !== "dragleave") event.preventDefault(); // a browser would leave the page and show the file
      drop.classList.toggle("apart-over", type === "dragover");
      if (type !== "drop" || !files) return;
      if (files.files.length > 1) say("Several files were dropped; the first one is read.", "apart-read");
      if (files.files.length) openFile(files.files[0]);
      else if (files.getData("text/plain")) open("The text", () => new TextEncoder().encode(files.getData("text/plain")));
    });
  }
  element("apart-paste").addEventListener("click", () => open("The rows", () => new TextEncoder().encode(element("apart-text").value)));
  for (const button of document.querySelectorAll("[data-example]")) {
    button.addEventListener("click", () => {
      const name = /** @type {HTMLElement} */ (button).dataset.example ?? "";
      const example = apartExamples[name];
      open(`Example ${name}`, () => new TextEncoder().encode(example.text), example);
    });
  }
  element("apart-header").addEventListener("change", async () => {
    const { name, text, encoding, notes } = state;
    const mine = ++reading;
    try {
      await read({ name, text, encoding, notes, preset: null }, element("apart-header").checked, mine);
    } catch (error) {
      if (mine === reading) say(`${name}: ${sentenceOf(error)}`, "apart-read");
    }
  });
  for (const id of ["apart-total", "apart-layers", "apart-join"]) element(id).addEventListener("change", understand);
  for (const form of document.querySelectorAll(".apart form")) form.addEventListener("submit", (event) => event.preventDefault());
  element("apart-start").addEventListener("click", fit);
  element("apart-stop").addEventListener("click", () => {
    say("Stopping …");
    fitting?.abort();
  });
})();
