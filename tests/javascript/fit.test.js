"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const test = require("node:test");
const vm = require("node:vm");
const { cellsOf } = require("./engine.js");

// 12 by 5 contributors, 6 rows a cell; `shape` turns a standard normal into a residual.
function table(shape = (z) => z, seed = 5) {
  const random = apart.random(seed);
  const [first, second] = [12, 5].map((m) => Array.from({ length: m }, random.normal));
  const columns = { total: [], a: [], b: [] };
  for (let i = 0; i < 360; i++) {
    const [a, b] = [i % 12, Math.floor(i / 12) % 5];
    columns.a.push(`a${a}`);
    columns.b.push(`b${b}`);
    columns.total.push(20 + 2 * first[a] + second[b] + shape(random.normal(), a));
  }
  return columns;
}
const cells = cellsOf(table(), "total", ["a", "b"]);
const fit = (options, of = cells) => apart.fit(of, { workers: false, seed: 1, ...options });

test("chains go on until every scale has the effective draws that were asked for", async () => {
  const reports = [];
  const result = await fit({ target: 3000, onProgress: (x) => reports.push(x) });
  assert.ok(result.converged && result.rhat < 1.01 && result.ess > 3000);
  assert.ok(reports.length > 0 && reports.at(-1).ess === result.ess);
  const lengths = result.scales.map((x) => x.sigma.length);
  assert.equal(new Set(lengths).size, 1);
  assert.equal(result.draws, lengths.reduce((sum, x) => sum + x, 0));
  // Enough of the contributors' draws for their intervals, although chains do not keep step exactly.
  assert.ok(result.means[0].at.length >= 250);
  result.means.forEach(({ at, values }) => {
    assert.ok(at.at(-1) < lengths[0] && at.length === result.means[0].at.length);
    assert.equal(values.length, at.length * 17);
  });
});

test("a fit that is stopped, or out of time, says that it has not converged", async () => {
  const stop = new AbortController();
  const stopped = await fit({ target: 1e9, signal: stop.signal, onProgress: ({ draws }) => draws > 2000 && stop.abort() });
  assert.equal(stopped.converged, false);
  assert.ok(stopped.draws > 2000 && Number.isFinite(stopped.rhat));
  const late = await fit({ target: 1e9, maxSeconds: 0.5 });
  assert.equal(late.converged, false);
  await assert.rejects(fit({ signal: AbortSignal.abort() }), /Stopped before/);
});

// 8 by 10 contributors, one row each pair.
function grid(total) {
  const columns = { total: [], r: [], i: [] };
  for (let r = 0; r < 8; r++) {
    for (let i = 0; i < 10; i++) {
      columns.r.push(r);
      columns.i.push(i);
      columns.total.push(total(r, i));
    }
  }
  return cellsOf(columns, "total", ["r", "i"]);
}

test("a table that the layers explain exactly is not fitted, with a reason", async () => {
  await assert.rejects(fit({}, grid((r, i) => r + 2 * i)), /The layers explain every total exactly/);
  await assert.rejects(fit({}, grid((r, i) => Number((1.1 * r + 2.3 * i).toFixed(1)))), /exactly/);
  assert.equal(apart.problem(cells), null);
  const single = cellsOf({ total: [1, 2, 4, 7], a: [0, 1, 2, 3] }, "total", ["a"]);
  assert.equal(apart.problem(single), null);
});

test("a prediction ends where the residual is smaller than the spacing of numbers", () => {
  const of = grid((r, i) => 1e6 + r + 2 * i);
  const chain = { baseline: Float64Array.of(3, 3), sigma: Float64Array.of(1e-15, 1e-15) };
  const scales = [{ ...chain, tau: [0, 1].map(() => Float64Array.of(1, 1)) }];
  const means = [{ at: Int32Array.of(0, 1), values: new Float32Array(36) }];
  const result = { scales, means, seed: 1 };
  const { lower, upper } = apart.answers(result, of).predict({ r: "1", i: "2" });
  assert.ok(Math.abs(lower - of.offset - 3) < 1e-9 && Math.abs(upper - of.offset - 3) < 1e-9);
});

test("workers that do not answer are ended: at once where that is asked for, or after some patience", async () => {
  const ended = [];
  const before = globalThis.Worker;
  // Draws 500 times when it is asked for more, and never hands over the contributors' means.
  globalThis.Worker = class {
    postMessage({ call }) {
      if (call !== "step") return;
      const draws = () => Float64Array.from({ length: 500 }, () => 1 + Math.random());
      const scales = { baseline: draws(), sigma: draws(), tau: [draws(), draws()] };
      setTimeout(() => this.onmessage({ data: { scales } }), 5);
    }
    terminate() {
      ended.push(this);
    }
  };
  try {
    for (const at of [0, Infinity]) {
      const [stop, kill] = [new AbortController(), new AbortController()];
      ended.length = 0;
      const start = Date.now();
      const options = { target: 1e9, workers: true, signal: stop.signal, kill: kill.signal };
      const onProgress = ({ draws }) => {
        if (draws < 2000) return;
        stop.abort();
        if (at === 0) kill.abort();
      };
      await assert.rejects(fit({ ...options, onProgress }), /Stopped at once/);
      assert.equal(ended.length, 4);
      assert.ok(at === 0 ? Date.now() - start < 1500 : Date.now() - start < 6000);
    }
  } finally {
    globalThis.Worker = before;
  }
});

test("the same seed gives the same draws, another seed and another chain others", () => {
  const draws = (seed) => {
    const chain = apart.chain(cells, apart.priors(cells), seed);
    chain.run(50, true);
    return [...chain.scales().sigma];
  };
  assert.deepEqual(draws(1), draws(1));
  assert.notDeepEqual(draws(1), draws(2));
  assert.notDeepEqual(draws(1), draws(1 + 4294967296));
});

test("fits of the same seed are the same, however the clock cuts the chains into pieces", async () => {
  const plain = Date.now;
  const fits = [];
  try {
    for (const speed of [0, 3, 17]) {
      let now = 0;
      Date.now = () => (now += speed);
      fits.push(await fit({ seed: 4 }));
    }
  } finally {
    Date.now = plain;
  }
  for (const other of fits.slice(1)) {
    assert.equal(other.draws, fits[0].draws);
    assert.deepEqual(other.scales, fits[0].scales);
    assert.deepEqual(other.means, fits[0].means);
  }
});

test("tails need as many effective draws as the middle, and cheap fits go on to 2,000", async () => {
  const result = await fit();
  assert.equal(result.wanted, 2000);
  const columns = [0, 1].map((j) => result.scales.map((x) => x.tau[j]));
  columns.push(result.scales.map((x) => x.sigma), result.scales.map((x) => x.baseline));
  for (const column of columns) assert.ok(Math.min(apart.ess(column), apart.essTail(column)) > 2000);
  const random = apart.random(3);
  const large = { total: [], a: [], b: [] };
  for (let i = 0; i < 4900; i++) {
    large.a.push(i % 70);
    large.b.push(Math.floor(i / 70));
    large.total.push((i % 70) / 35 + Math.floor(i / 70) / 35 + random.normal());
  }
  const { ess, essTail } = apart;
  try {
    apart.ess = apart.essTail = () => 101; // slow chains
    const { converged, wanted, draws } = await fit({ target: 100 }, cellsOf(large, "total", ["a", "b"]));
    assert.deepEqual({ converged, wanted, draws }, { converged: true, wanted: 100, draws: 2000 });
    apart.ess = ess;
    assert.equal((await fit({ maxSeconds: 0.5 })).converged, false); // slow in the tails alone
  } finally {
    Object.assign(apart, { ess, essTail });
  }
});

test("modules run from their own text alone, as they do in a worker", () => {
  const context = vm.createContext({});
  vm.runInContext("globalThis.apart = { modules: [] };", context);
  for (const module of apart.modules) vm.runInContext(`(${module})(apart);`, context);
  Object.assign(context, { cells, priors: apart.priors(cells) });
  const sigma = vm.runInContext("const c = apart.chain(cells, priors, 7); c.run(20, true); [...c.scales().sigma]", context);
  const own = apart.chain(cells, apart.priors(cells), 7);
  own.run(20, true);
  assert.deepEqual([...sigma], [...own.scales().sigma]);
});

test("a chain that keeps more draws than it has room for keeps every second one, with their numbers", () => {
  const chain = apart.chain(cells, apart.priors(cells), 3);
  chain.run(2501, true);
  const { at, values } = chain.means();
  assert.ok(at.length <= 1000 && at.length >= 500);
  assert.ok(at.every((x, i) => x === i * at[1]));
  const again = apart.chain(cells, apart.priors(cells), 3);
  again.run(at[1] + 1, true); // the draw after the first that was kept
  assert.deepEqual(values.slice(17, 34), again.means().values.slice(17 * at[1], 17 * (at[1] + 1)));
});

test("parts of a total add up to it, and raw averages are shrunk", async () => {
  const answers = apart.answers(await fit(), cells);
  const { parts } = answers.decompose(31.5, { a: "a3", b: "b1" });
  assert.deepEqual(parts.map((x) => x.component), ["baseline", "a", "b", "rest"]);
  assert.ok(Math.abs(parts.reduce((sum, x) => sum + x.mean, 0) - 31.5) < 1e-12);
  assert.throws(() => answers.decompose(31.5, { a: "new", b: "b1" }), /new is no a of the table/);
  const found = answers.contributors("a");
  assert.ok(Math.abs(found.reduce((sum, x) => sum + x.mean, 0)) < 1e-5);
  assert.ok(found.every((x) => x.lower < x.mean && x.mean < x.upper && x.n === 30));
  const size = (key) => found.reduce((sum, x) => sum + x[key] ** 2, 0);
  assert.ok(size("mean") < size("raw"));
  const components = answers.components();
  assert.deepEqual(components.map(({ labels }) => labels), [12, 5, null]);
  assert.ok(components.every(({ share }) => share.lower < share.median && share.median < share.upper));
  const shares = components.map(({ share }) => share.mean);
  assert.ok(Math.abs(shares.reduce((sum, x) => sum + x, 0) - 1) < 1e-12);
  const [known, unknown] = ["a3", "a new one"].map((a) => answers.predict({ a, b: "b1" }));
  assert.ok(unknown.upper - unknown.lower > 2 * (known.upper - known.lower));
  assert.deepEqual(unknown.unknown, ["a"]);
  assert.equal(JSON.parse(JSON.stringify(answers)).contributors.b.length, 5);
});

test("the check is silent where the model holds, and names what does not", async () => {
  const aspects = async (shape, change = (x) => x) => {
    const of = cellsOf(change(table(shape)), "total", ["a", "b"]);
    return apart.answers(await fit({}, of), of).check().filter((x) => x.alarm).map((x) => x.aspect);
  };
  assert.deepEqual(await aspects(), []);
  assert.ok((await aspects((z) => Math.exp(1.2 * z))).includes("lean"));
  assert.ok((await aspects((z) => z ** 3)).includes("tails"));
  assert.ok((await aspects((z, a) => (a < 3 ? 6 : 0.5) * z)).includes("spreads within cells"));
  const interacting = (columns) => {
    columns.total = columns.total.map((x, i) => x + 4 * ((i % 12) % 2) * ((Math.floor(i / 12) % 5) % 2));
    return columns;
  };
  assert.ok((await aspects(undefined, interacting)).includes("averages of cells"));
});

// A data set of the package, as columns by name.
function columnsOf(name) {
  const file = path.join(__dirname, "..", "..", "mlm_tutorial", "data", `${name}.csv`);
  const [header, ...rows] = fs.readFileSync(file, "utf8").trim().split(/\r?\n/).map((line) => line.split(","));
  return Object.fromEntries(header.map((key, j) => [key, rows.map((row) => row[j])]));
}

const close = (x, y, digits = 1e-9) => assert.ok(Math.abs(x / y - 1) < digits, `${x} is not ${y}`);

test("cells' averages are held against the scatter within cells, not against a residual with the misfit", async () => {
  // F and p are those of SciPy.
  for (const [name, total, layers, f, p] of [
    ["gauge", "impedance", ["part", "operator"], 5.272946859903385, 5.0600900589241e-7],
    ["paste", "strength", ["batch", "cask"], 27.06885720528788, 8.868070218151522e-14],
  ]) {
    const of = cellsOf(columnsOf(name), total, layers);
    const [first] = apart.answers(await fit({}, of), of).check();
    close(first.data, f);
    close(first.p, p, 1e-6);
    assert.ok(first.alarm && first.sentence.startsWith("The layers do not simply add up"));
  }
  const nested = cellsOf(columnsOf("paste"), "strength", ["batch", "sample"]);
  assert.match(apart.answers(await fit({}, nested), nested).check()[0].sentence, /^The layers add up/);
});

test("between an alarm and 0.05 a sentence doubts, and nothing is said to add up", async () => {
  const seen = new Set();
  const result = await fit();
  for (let i = 0; i <= 20; i++) {
    const columns = table();
    columns.total = columns.total.map((x, k) => x + 0.1 * i * ((k % 12) % 2) * ((Math.floor(k / 12) % 5) % 2));
    const of = cellsOf(columns, "total", ["a", "b"]);
    const [{ p, alarm, doubt, sentence }] = apart.answers(result, of).check();
    assert.equal(alarm, p < 0.001);
    assert.equal(doubt, p >= 0.001 && p < 0.05);
    assert.equal(sentence.startsWith("The layers add up"), p >= 0.05);
    assert.equal(sentence.startsWith("It is doubtful"), doubt);
    seen.add(`${alarm} ${doubt}`);
  }
  assert.equal(seen.size, 3);
});

test("the check looks at the cells of a large table a few times only", () => {
  // As many draws as a check takes: it asks for one number between 0 and 1 each.
  const looksAt = (size, m) => {
    const { random } = apart;
    const simple = random(6);
    const columns = { total: [], a: [], b: [] };
    for (let i = 0; i < size; i++) {
      columns.a.push(i % m);
      columns.b.push(Math.floor(i / m));
      columns.total.push(simple.normal());
    }
    const of = cellsOf(columns, "total", ["a", "b"]);
    const parameters = apart.startsOf(of).at(-1) - 1;
    const one = Float64Array.of(1);
    const scales = [{ baseline: Float64Array.of(0), sigma: one, tau: [one, one] }];
    const means = [{ at: Int32Array.of(0), values: new Float32Array(parameters) }];
    let looks = 0;
    apart.random = (seed) => {
      const own = random(seed);
      return { ...own, uniform: () => (looks++, own.uniform()) };
    };
    try {
      const found = apart.answers({ scales, means, seed: 1 }, of).check(1);
      assert.ok(found.every(({ alarm }) => !alarm));
    } finally {
      apart.random = random;
    }
    return looks;
  };
  assert.equal(looksAt(400, 20), 1000);
  assert.equal(looksAt(20000, 200), 200);
  assert.ok(looksAt(50000, 250) <= 20);
});

test("large tables are checked without simulating their rows", async () => {
  const random = apart.random(8);
  const columns = { total: [], a: [] };
  for (let i = 0; i < 30000; i++) {
    columns.a.push(i % 20);
    columns.total.push((i % 20) / 10 + random.normal());
  }
  const of = cellsOf(columns, "total", ["a"]);
  const found = apart.answers(await fit({}, of), of).check();
  assert.ok(found.every(({ alarm, p }) => !alarm && p > 0.001 && p < 0.999), JSON.stringify(found));
});


test("a chain that starts far from the data arrives", () => {
  const random = apart.random(9);
  const columns = { total: [], a: [] };
  for (let i = 0; i < 20000; i++) {
    columns.a.push(i % 3000);
    columns.total.push(random.normal());
  }
  const of = cellsOf(columns, "total", ["a"]);
  const chain = apart.chain(of, { baselineMu: 0, baselineSd: 1e3, tauScale: [1e3], sigmaScale: 1e3 }, 1);
  chain.run(100, true);
  const { sigma, tau } = chain.scales(50);
  assert.ok(sigma.every((x) => x > 0.95 && x < 1.05));
  assert.ok(tau[0].every((x) => x < 0.2));
});
