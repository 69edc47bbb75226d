// The first step: a file, pasted rows or an example becomes a table.
"use strict";

(() => {
  const { element, counted, shortened, page } = apart;
  let reading = 0; // a number for each file, so that a slower one does not replace a later one

  /**
   * Read a table and show what it holds.
   * @param {string} title what the page calls it
   * @param {() => any} bytesOf what holds the bytes, or a promise of it
   * @param {{preset?: Example | null, file?: string, note?: string}} more the example, the file's name, what to add
   */
  async function open(title, bytesOf, { preset = null, file = "table.csv", note = "" } = {}) {
    const name = shortened(title);
    const mine = ++reading;
    page.forget();
    page.say(`Reading ${name} …`, "apart-read");
    await page.shown();
    try {
      const decoded = apart.decode(await bytesOf());
      const notes = note ? [note, ...decoded.notes] : decoded.notes;
      await read({ ...decoded, name, file, preset, notes }, null, mine);
    } catch (error) {
      if (mine === reading) page.say(`${name}: ${sentenceOf(error)}`, "apart-read");
    }
  }

  /** @param {any} given its text, and what is known of it @param {boolean | null} header @param {number} mine */
  async function read(given, header, mine) {
    const { name, text } = given;
    const onProgress = (/** @type {number} */ share) =>
      page.say(`Reading ${name}: ${10 * Math.floor(10 * share)} % …`, "apart-read");
    const table = await apart.parse(text, { header, onProgress });
    if (mine !== reading) return;
    const rows = `${counted(table.rows, "row")} and ${counted(table.columns.length, "column")}`;
    page.say(`Looking at ${rows} of ${name} …`, "apart-read");
    await page.shown();
    if (mine !== reading) return;
    const columns = table.columns.map((column) => apart.describe(column, table.separator));
    Object.assign(page.state, given, { table, columns, mark: null });
    apart.offer();
    page.say(`${name}: ${rows}, separated by ${apart.SEPARATORS[table.separator] ?? "other marks"}.`, "apart-read");
  }

  /** @param {unknown} error */
  const sentenceOf = (error) =>
    error instanceof apart.Refusal
      ? error.message
      : `This could not be read (${error instanceof Error ? error.message : error}).`;

  /** @param {File} file @param {string} [note] */
  function openFile(file, note) {
    // What is too large is refused by its size, before it is read.
    const bytesOf = async () => (file.size > apart.MAX_BYTES ? { length: file.size } : new Uint8Array(await file.arrayBuffer()));
    open(file.name, bytesOf, { file: file.name, note });
  }

  element("apart-file").addEventListener("change", () => {
    const [file] = element("apart-file").files;
    if (file) openFile(file);
  });
  element("apart-file").addEventListener("click", () => {
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
      const note = files.files.length > 1 ? "Several files were dropped: this is the first one." : "";
      if (files.files.length) openFile(files.files[0], note);
      else if (files.getData("text/plain"))
        open("The text", () => new TextEncoder().encode(files.getData("text/plain")));
    });
  }
  element("apart-paste").addEventListener("click", () =>
    open("The rows", () => new TextEncoder().encode(element("apart-text").value)),
  );
  for (const button of document.querySelectorAll("[data-example]")) {
    button.addEventListener("click", () => {
      const name = /** @type {HTMLElement} */ (button).dataset.example ?? "";
      const example = apartExamples[name];
      open(`Example ${name}`, () => new TextEncoder().encode(example.text), { preset: example });
    });
  }
  element("apart-header").addEventListener("change", async () => {
    const { name, file, text, encoding, notes, table } = page.state;
    const mine = ++reading;
    try {
      await read({ name, file, text, encoding, notes, preset: null }, element("apart-header").checked, mine);
    } catch (error) {
      if (mine !== reading) return;
      page.say(`${name}: ${sentenceOf(error)}`, "apart-read");
      element("apart-header").checked = table.header; // the table stays as it was
    }
  });
  element("apart-mark").addEventListener("change", () => {
    const { table } = page.state;
    const mark = element("apart-mark").value || null;
    const columns = table.columns.map((column) => apart.describe(column, table.separator, mark));
    Object.assign(page.state, { columns, mark, preset: null });
    apart.offer();
  });
  for (const form of document.querySelectorAll(".apart form"))
    form.addEventListener("submit", (event) => event.preventDefault());
})();
