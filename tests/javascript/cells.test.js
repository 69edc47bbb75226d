"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
const { cellsOf, layer } = require("./engine.js");

function table(offset = 0) {
  const random = apart.random(3);
  const columns = { total: [], a: [], b: [] };
  for (let i = 0; i < 500; i++) {
    columns.a.push("xyz"[Math.floor(3 * random.uniform())]);
    columns.b.push(`b${Math.floor(7 * random.uniform())}`);
    columns.total.push(offset + Math.round(16 * random.normal()) / 16); // exact at any offset
  }
  return columns;
}

test("cells are what their rows say", () => {
  const columns = table();
  const cells = cellsOf(columns, "total", ["a", "b"]);
  assert.equal(cells.rows, 500);
  cells.n.forEach((n, c) => {
    const labels = ["a", "b"].map((name, j) => cells.layers[j].labels[cells.index[j][c]]);
    const own = columns.total.filter((_, i) => columns.a[i] === labels[0] && columns.b[i] === labels[1]);
    const mean = own.reduce((sum, x) => sum + x, 0) / own.length;
    const powers = [2, 3, 4].map((power) => own.reduce((sum, x) => sum + (x - mean) ** power, 0));
    assert.equal(n, own.length);
    assert.ok(Math.abs(cells.offset + cells.mean[c] - mean) < 1e-13);
    [cells.sumSq, cells.sumCube, cells.sumFourth].forEach((sums, i) => assert.ok(Math.abs(sums[c] - powers[i]) < 1e-10));
  });
});

test("cells keep all digits at an offset of a thousand million", () => {
  const [near, far] = [0, 1e9].map((offset) => cellsOf(table(offset), "total", ["a", "b"]));
  assert.deepEqual(far.n, near.n);
  near.n.forEach((_, c) => {
    assert.ok(Math.abs(far.mean[c] + (far.offset - 1e9) - near.mean[c] - near.offset) < 1e-12);
    assert.ok(Math.abs(far.sumSq[c] - near.sumSq[c]) < 1e-10 * (1 + near.sumSq[c]));
  });
  assert.equal(far.unit, 1 / 16);
});

test("the step of totals is found, and none where there is none", () => {
  const step = (total) => apart.cells(Float64Array.from(total), [layer("a", total.map((_, i) => i % 2))]).unit;
  assert.ok(Math.abs(step([0.1, 0.4, 0.3, 0.9, 1.2, 0.5, 0.7]) - 0.1) < 1e-12);
  assert.equal(step([0.1, 0.4, 0.3, 0.9, 1.2, 0.55, Math.PI]), null);
});

test("bad tables are refused with a sentence that says what is wrong", () => {
  const two = layer("a", ["x", "y", "x"]);
  const refuse = (total, layers, message) => assert.throws(() => apart.cells(Float64Array.from(total), layers), message);
  refuse([1], [layer("a", ["x"])], /3 rows at least/);
  refuse([1, 2, 3], [], /No layer/);
  refuse([1, NaN, 3], [two], /Row 2 has no finite total/);
  refuse([4, 4, 4], [two], /All totals are 4/);
  refuse([1, 2, 3], [layer("a", ["x", "x", "x"])], /one label only \(x\)/);
  refuse([1, 2, 3], [{ ...two, labels: ["x", "y", "z"] }], /No row has the label z/);
  refuse([1, 2, 3], [{ ...two, codes: Int32Array.of(0, 1, -1) }], /Row 3 has no label of a/);
});

test("numbers of a continuous total have no step, however many there are", () => {
  const random = apart.random(4);
  const total = Float64Array.from({ length: 50000 }, random.normal);
  assert.equal(apart.cells(total, [layer("a", Array.from(total, (_, i) => i % 2))]).unit, null);
});
