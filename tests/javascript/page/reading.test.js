// Files as people have them: each is read, or refused in a sentence. Run by tests/site/test_apart.py, or `node --test`.
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const test = require("node:test");
const vm = require("node:vm");

const ROOT = path.resolve(__dirname, "..", "..", "..");
globalThis.Papa = require(path.join(ROOT, ".course/npm/node_modules/papaparse"));
for (const name of ["cells", "identification", "reading", "columns", "choice"]) {
  const file = path.join(ROOT, "book/extra/apart", `${name}.js`);
  vm.runInThisContext(fs.readFileSync(file, "utf8"), { filename: file });
}

const utf8 = (text) => new TextEncoder().encode(text);
const utf16 = (text, mark = true) => new Uint8Array(Buffer.from((mark ? "\ufeff" : "") + text, "utf16le"));
const latin1 = (text) => new Uint8Array(Buffer.from(text, "latin1"));
const repeated = (line, count) => line.repeat(count);

/** What the page does with a file, up to the point where a fit could begin. */
async function read(bytes, { header = null, total = null, layers = null } = {}) {
  const { text, notes } = apart.decode(typeof bytes === "string" ? utf8(bytes) : bytes);
  const table = await apart.parse(text, { header });
  const columns = table.columns.map((column) => apart.describe(column, table.separator));
  const guessed = apart.guess(columns);
  const named = (name) => columns.findIndex((column) => column.name === name);
  const chosen = apart.choose(
    columns,
    total ? named(total) : guessed.total,
    layers ? layers.map(named) : guessed.layers,
  );
  return { table, columns, guessed, chosen, notes: [...notes, ...table.notes] };
}

const names = ({ columns, guessed }) => [columns[guessed.total]?.name, ...guessed.layers.map((i) => columns[i].name)];
const GOOD = "plate,sample,diameter\na,A,27\na,B,23\nb,A,26\nb,B,22\n";

// Broken files: bytes, and what the sentence says.
const REFUSED = {
  empty: ["", /nothing in it/],
  "spaces and lines only": ["  \n\n \n", /nothing in it/],
  "header only": ["plate,sample,diameter\n", /no rows below/],
  "one column": ["diameter\n27\n23\n26\n", /one column only/],
  binary: [Uint8Array.from({ length: 4000 }, (_, i) => (i * 7919) % 256), /not text/],
  "binary without zeros": [Uint8Array.from({ length: 4000 }, (_, i) => 1 + (i % 8)), /not text/],
  Excel: [Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0), /Excel/],
  "old Excel": [Uint8Array.of(0xd0, 0xcf, 0x11, 0xe0, 0, 0), /Excel/],
  PDF: [utf8("%PDF-1.7 ..."), /PDF/],
  gzip: [Uint8Array.of(0x1f, 0x8b, 8, 0), /gzip/],
  Parquet: [utf8("PAR1...."), /Parquet/],
  picture: [Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13), /picture/],
  HTML: ["<!DOCTYPE html><html><script>alert(1)</script></html>", /HTML/],
  "JSON, a list": ['[{"plate": "a", "diameter": 27}]', /JSON/],
  "JSON, one object": ['{"plate": ["a"], "diameter": [27]}', /JSON/],
  prose: [
    "Dear reader,\nthis is a letter, with commas, here and there.\nIt ends.\nYours, truly, me, and, all.\n",
    /do not have as many/,
  ],
  "a quotation mark that never closes": ['plate,diameter\n"a,27\nb,23\nc,25\nd,28\n', /quotation mark/i],
  "too many columns": [`${repeated("a,", 600)}b\n${repeated("1,", 600)}2\n`, /601 columns/],
  "50 MB of one letter": [new Uint8Array(50e6).fill(97), /no rows below|one column/],
  "more than 100 MB": [{ length: 101e6 }, /101 MB/],
};
for (const [name, [bytes, wanted]] of Object.entries(REFUSED)) {
  test(`refused in a sentence: ${name}`, async () => {
    await assert.rejects(
      read(bytes),
      (error) => error instanceof apart.Refusal && wanted.test(error.message) && /[.?]$/.test(error.message),
    );
  });
}

// Read, and no choice of columns can be fitted.
const USELESS = {
  "all text": ["plate,sample\na,A\nb,B\nb,A\na,B\n", /No column holds numbers/],
  "dates as total": ["plate,when\na,2026-01-02\nb,2026-01-03\na,2026-02-03\nb,2026-02-01\n", /a date is no total/],
  "all totals equal": ["plate,diameter\na,5\nb,5\na,5\nb,5\n", /nothing to take apart/],
  "NaN and inf only": ["plate,diameter\na,NaN\nb,inf\na,-inf\nb,NaN\n", /Too few rows|No column holds numbers/],
  "beyond what can be squared": ["plate,diameter\na,1e200\nb,2e200\na,3e200\nb,1\n", /beyond 1e100/],
  "numbers only": ["x,y\n1.5,2.5\n3.5,4.25\n2.5,8.5\n1.25,3.75\n", /at least one layer/],
  "two rows": ["plate,diameter\na,27\nb,23\n", /Too few rows|at least one layer/],
};
for (const [name, [text, wanted]] of Object.entries(USELESS)) {
  test(`read, with a sentence why nothing can be fitted: ${name}`, async () => {
    assert.match((await read(text)).chosen.problem, wanted);
  });
}

test("one label in a layer is named", async () => {
  const { chosen } = await read(GOOD.replaceAll("\nb,", "\na,"), { layers: ["plate", "sample"] });
  assert.match(chosen.problem, /plate has one label only, a/);
});

test("byte order marks, encodings, separators, quotes and decimal commas give one and the same table", async () => {
  const german = GOOD.replaceAll(",", ";")
    .replace("27", '"27,5"')
    .replace(/(\d\d)\n/g, "$1,0\n");
  const forms = {
    mark: utf8(`\ufeff${GOOD}`),
    "UTF-16": utf16(GOOD),
    "UTF-16 without a mark": utf16(GOOD, false),
    semicolons: GOOD.replaceAll(",", ";"),
    tabs: GOOD.replaceAll(",", "\t"),
    bars: GOOD.replaceAll(",", "|"),
    Windows: GOOD.replaceAll("\n", "\r\n"),
    "old Mac": GOOD.replaceAll("\n", "\r"),
    quotes: GOOD.replaceAll(/\w+/g, '"$&"'),
    "empty columns at the end": GOOD.replaceAll("\n", "\n").replace(/(\d)\n/g, "$1,\n"),
  };
  for (const [form, bytes] of Object.entries(forms)) {
    const found = await read(bytes, { total: "diameter", layers: ["plate", "sample"] });
    assert.deepEqual([...found.chosen.total], [27, 23, 26, 22], form);
    assert.deepEqual(
      found.chosen.layers.map((layer) => layer.labels),
      [
        ["a", "b"],
        ["A", "B"],
      ],
      form,
    );
  }
  const commas = await read(german, { layers: ["plate", "sample"] });
  assert.deepEqual([...commas.chosen.total], [27.5, 23, 26, 22]);
});

test("Latin-1 is read, and said", async () => {
  const { chosen, notes } = await read(latin1("käse,g\nBrösel,1.5\nBrösel,2\nGruyère,3.5\nGruyère,4\n"), {
    layers: ["käse"],
  });
  assert.deepEqual(chosen.layers[0].labels, ["Brösel", "Gruyère"]);
  assert.match(notes[0], /Windows-1252/);
});

test("no header: the first line is a row, and that is said", async () => {
  const { table, notes, chosen } = await read("a,27\nb,23\na,26\nb,22\n");
  assert.equal(table.rows, 4);
  assert.match(notes[0], /columns are numbered/);
  assert.deepEqual([...chosen.total], [27, 23, 26, 22]);
  assert.equal((await read("2020,2021\na,1\nb,2\n")).table.rows, 2, "years are names");
});

test("names that occur twice or not at all", async () => {
  const { columns, notes } = await read("plate,plate,,x\na,b,1,2\nb,a,3,4\n");
  assert.deepEqual(
    columns.map((column) => column.name),
    ["plate", "plate (2)", "column 3", "x"],
  );
  assert.match(notes[0], /called plate/);
});

test("names of rows as R writes them", async () => {
  const { columns, chosen } = await read('"plate","diameter"\n"1","a",27\n"2","b",23\n"3","a",26\n"4","b",22\n');
  assert.deepEqual(
    columns.map((column) => column.name),
    ["row", "plate", "diameter"],
  );
  assert.deepEqual([...chosen.total], [27, 23, 26, 22]);
});

test("no row is left out without a word", async () => {
  const text = `${GOOD}b,A\n,B,25\na,NA,26\na,A,\na,A,many\na,A,inf\n\n`;
  const { table, chosen, notes } = await read(text, { total: "diameter", layers: ["plate", "sample"] });
  assert.match(notes.join(" "), /1 line left out, for not having 3 fields: line 6/);
  assert.equal(table.rows - chosen.rows.length, 5);
  assert.deepEqual(chosen.leftOut, [
    "1 row left out: no number in diameter, such as “many”.",
    "1 row left out: diameter is empty.",
    "1 row left out: diameter is infinite.",
    "1 row left out: no label in plate.",
    "1 row left out: no label in sample.",
  ]);
});

test("mixed decimal marks are said, and the rarer one counts as no number", async () => {
  const { chosen, columns } = await read('p,x\na,1.5\na,2.5\nb,"3,5"\nb,4.5\n', { layers: ["p"] });
  assert.match(columns[1].note, /decimal points and decimal commas.*1 row/);
  assert.deepEqual([...chosen.total], [1.5, 2.5, 4.5]);
  assert.match(chosen.leftOut[0], /such as “3,5”/);
});

test("thousands", async () => {
  const grouped = await read('p,x\na,"1,234"\na,"2,345"\nb,"3,456"\nb,"1,234,567"\n', { layers: ["p"] });
  assert.deepEqual([...grouped.chosen.total], [1234, 2345, 3456, 1234567]);
  const comma = await read("p;x\na;1,234\na;2,345\nb;3,456\n", { layers: ["p"] });
  assert.deepEqual([...comma.chosen.total], [1.234, 2.345, 3.456]);
  assert.match(comma.columns[1].note, /1,234 was read as 1.234/);
  assert.equal(apart.numberOf("1.234.567,5", ","), 1234567.5);
  assert.equal(apart.numberOf("−3.5", "."), -3.5);
  for (const text of ["", "-", ".", "1.2.3", "12abc", "0x10", "=1+1", "1e", "٣"])
    assert.equal(apart.numberOf(text, "."), null, text);
});

test("three digits after each point may be thousands, which is said, and can be chosen", async () => {
  const { table, columns } = await read("p;x\na;950\na;999\nb;1.234\nb;980\n", { layers: ["p"] });
  assert.match(columns[1].note, /1\.234 was read as 1\.234, beside whole numbers such as 950.*thousands/);
  assert.deepEqual([...apart.describe(table.columns[1], ";", ",").values], [950, 999, 1234, 980]);
  assert.match((await read("p;x\na;12.345\nb;13.456\n")).columns[1].note, /thousands/);
  for (const other of ["1.25", "0.123", "1.2345"])
    assert.equal((await read(`p,x\na,1.234\nb,${other}\n`)).columns[1].note, null, other);
});

test("numbers that name somebody are a layer and no total, and a guess among several is said", async () => {
  const lines = Array.from({ length: 160 }, (_, i) => `${1000 + (i % 80)},m${i % 3},${20 + (i % 21)}`);
  for (const name of ["employee_id", "Employee ID", "employeeId"]) {
    const found = await read(`${name},machine,minutes\n${lines.join("\n")}\n`);
    assert.deepEqual(names(found), ["minutes", name, "machine"]);
    assert.match(found.guessed.note, /^minutes is guessed to be the total/);
  }
});

test("a layer with one row a label is not chosen, and that is said", async () => {
  const { guessed } = await read("who,y\nAnna,1.5\nBen,2.5\nCleo,3.5\nDora,5\n");
  assert.deepEqual(guessed.layers, []);
  assert.match(guessed.note, /who is not chosen: each of its labels has a single row/);
});

test("units, truth values, two values and numbers that stand for no value are named", async () => {
  for (const form of ["# g", "#kg", "EUR #", "€#", "# %"]) {
    const rows = [3, 4.5, 5, 6].map((value, i) => `${"ab"[i % 2]},${form.replace("#", String(value))}`);
    assert.match((await read(`p,x\n${rows.join("\n")}\n`)).columns[1].note, /numbers with a unit/, form);
  }
  assert.equal((await read("p,x\nRoom 1,1\nRoom 2,2\nRoom 3,4\n")).columns[0].note, null);
  assert.match((await read("p,x\na,TRUE\nb,FALSE\na,TRUE\n")).columns[1].note, /write 1 and 0/);
  assert.match(apart.remarksOf("x", Float64Array.of(0, 1, 1, 0))[0], /two values only, 0 and 1/);
  assert.match(apart.remarksOf("x", Float64Array.of(5, 6, 7, 8, -999, -999))[0], /x is -999 in 2 rows/);
  assert.deepEqual(apart.remarksOf("x", Float64Array.of(5, 6, 7, 8, 99, 120)), []);
});

test("labels within those of another column make a layer of pairs", async () => {
  const { columns } = await read("batch,cask,y\nA,a,1\nA,b,2\nB,a,3\nB,,4\n");
  const pair = apart.within(columns[1], columns[0]);
  assert.equal(pair.name, "cask within batch");
  assert.deepEqual(
    Array.from(pair.codes, (code) => pair.labels[code]),
    ["A:a", "A:b", "B:a", ""],
  );
});

test("formulas and scripts are labels like others", async () => {
  const text =
    'p,x\n"=HYPERLINK(""http://x"")",1.5\n<script>alert(1)</script>,2.5\n"=HYPERLINK(""http://x"")",3\n<script>alert(1)</script>,4\n';
  const { chosen } = await read(text, { layers: ["p"] });
  assert.deepEqual(chosen.layers[0].labels, ["<script>alert(1)</script>", '=HYPERLINK("http://x")']);
  const odd = await read("__proto__,constructor\ntoString,1.5\n__proto__,2\ntoString,3\n__proto__,4\n", {
    layers: ["__proto__"],
  });
  assert.deepEqual(odd.chosen.layers[0].labels, ["__proto__", "toString"]);
});

test("labels that differ in case or spaces only are found, and joined when asked", async () => {
  const { columns, chosen } = await read("p,x\nAnna,1\nanna ,2\nBen,3\nANNA,4\n", { layers: ["p"] });
  assert.equal(chosen.layers[0].labels.length, 4);
  assert.deepEqual(chosen.layers[0].near, [["Anna", "anna ", "ANNA"]]);
  assert.deepEqual(apart.choose(columns, 1, [0], true).layers[0].labels, ["Anna", "Ben"]);
});

test("the guess fits the three tables of the course", async () => {
  const data = (name) => fs.readFileSync(path.join(ROOT, "mlm_tutorial/data", `${name}.csv`));
  assert.deepEqual(names(await read(data("gauge"))), ["impedance", "part", "operator"]);
  assert.deepEqual(names(await read(data("penicillin"))), ["diameter", "plate", "sample"]);
  const paste = await read(data("paste"));
  assert.deepEqual(names(paste), ["strength", "batch", "sample"]);
  assert.match(paste.guessed.note, /cask is not chosen: sample already/);
});

test("a million rows are read while the page can answer", async () => {
  const lines = Array.from({ length: 1e6 }, (_, i) => `c${i % 50},s${i % 7},${(i % 1000) / 4}`);
  let shares = 0;
  const table = await apart.parse(`carrier,site,minutes\n${lines.join("\n")}\n`, { onProgress: () => shares++ });
  assert.equal(table.rows, 1e6);
  assert.ok(shares > 3);
  await assert.rejects(apart.parse(`a,b\n${"1,2\n".repeat(1e6 + 1)}`, { header: true }), /more than 1,000,000 rows/);
});
