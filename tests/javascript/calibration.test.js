"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
require("./engine.js");

const DRAWS = 99; // of each table, nearly independent: a rank is one of 100 numbers
const THIN = 20; // sweeps from one to the next, if not said otherwise
const PRIORS = { baselineMu: 2, baselineSd: 5, tauScale: [2.5, 1.5], sigmaScale: 1 };
// With these, and few rows, every term of every prior matters.
const WIDE = { baselineMu: 2, baselineSd: 4, tauScale: [1.5, 2.5], sigmaScale: 1 };
const CLOSE = { ...WIDE, baselineSd: 0.7 };
const CLOSER = { baselineMu: 2, baselineSd: 0.4, tauScale: [3, 1.5], sigmaScale: 0.5 };

// Rows as [code of the first layer, code of the second], and the layers' sizes.
const DESIGNS = {
  crossed: { sizes: [7, 3], rows: grid(7, 3).flatMap(([a, b]) => Array(1 + ((a * b) % 3)).fill([a, b])) },
  nested: { sizes: [4, 11], rows: grid(11, 2).map(([b]) => [[0, 0, 1, 1, 1, 2, 2, 2, 2, 3, 3][b], b]) },
  aliased: { sizes: [5, 5], rows: grid(5, 3).map(([a]) => [a, 4 - a]) },
  "crossed, few rows": { sizes: [3, 2], rows: [...grid(3, 2), [0, 0]], tables: 1000, thin: 8, priors: WIDE },
  "nested, few rows": {
    sizes: [2, 6],
    rows: grid(6, 2).map(([b]) => [b === 5 ? 1 : 0, b]),
    tables: 1000,
    thin: 8,
    priors: CLOSER,
  },
  "aliased, few rows": { sizes: [3, 3], rows: [[0, 0], [1, 1], [1, 1], [2, 2]], tables: 1000, thin: 8, priors: CLOSE },
};

function grid(m, n) {
  return Array.from({ length: m * n }, (_, i) => [Math.floor(i / n), i % n]);
}

function centered(values) {
  const average = values.reduce((sum, x) => sum + x, 0) / values.length;
  return values.map((x) => x - average);
}

// A truth from the priors as a list of parameters, and a table that it makes.
function simulate({ sizes, rows, priors = PRIORS }, random) {
  const baseline = priors.baselineMu + priors.baselineSd * random.normal();
  const tau = priors.tauScale.map((scale) => Math.abs(scale * random.normal()));
  const sigma = priors.sigmaScale * Math.sqrt(-Math.log(random.uniform()));
  const means = sizes.map((m, j) => centered(Array.from({ length: m }, () => tau[j] * random.normal())));
  const total = rows.map((row) => baseline + row.reduce((sum, k, j) => sum + means[j][k], 0) + sigma * random.normal());
  const layers = sizes.map((m, j) => ({
    name: `layer ${j + 1}`,
    labels: Array.from({ length: m }, (_, k) => `${k}`),
    codes: Int32Array.from(rows, (row) => row[j]),
  }));
  const cells = apart.cells(Float64Array.from(total), layers);
  return { truth: [baseline, sigma, ...tau, means[0][0], means[1][0]], cells };
}

// Talts et al. 2018, Validating Bayesian inference algorithms with simulation-based calibration.
for (const [name, design] of Object.entries(DESIGNS)) {
  test(`the truth is as likely to have any rank among the draws: ${name}`, () => {
    const { tables = 200, thin = THIN, priors = PRIORS } = design;
    const random = apart.random(22);
    const ranks = [];
    for (let t = 0; t < tables; t++) {
      const { truth, cells } = simulate(design, random);
      const chain = apart.chain(cells, priors, t);
      chain.run(200, false);
      chain.run(DRAWS * thin, true);
      const { baseline, sigma, tau } = chain.scales();
      const { at, values } = chain.means();
      const meanAt = (place) => {
        const column = new Float64Array(baseline.length).fill(NaN);
        at.forEach((i, row) => (column[i] = values[row * (design.sizes[0] + design.sizes[1]) + place]));
        return column;
      };
      const columns = [baseline.map((x) => x + cells.offset), sigma, ...tau, meanAt(0), meanAt(design.sizes[0])];
      ranks.push(
        columns.map((column, p) => {
          let rank = 0;
          for (let i = 0; i < DRAWS; i++) rank += column[i * thin] < truth[p];
          return rank;
        }),
      );
    }
    ranks[0].forEach((_, p) => {
      const own = ranks.map((row) => row[p]);
      const counts = new Float64Array(10);
      own.forEach((rank) => counts[Math.floor(rank / 10)]++);
      const chi = counts.reduce((sum, x) => sum + (x - tables / 10) ** 2 / (tables / 10), 0);
      const middle = own.reduce((sum, x) => sum + (x - DRAWS / 2) / tables, 0);
      const z = middle / Math.sqrt(((DRAWS + 1) ** 2 - 1) / 12 / tables);
      // Of 6 designs with 6 parameters and two tests each, one fails by chance in about 1 of 10,000 runs: a chi-squared
      // with 9 degrees of freedom above 44.1, or a normal beyond 4.83, has a probability of 1e-4 / 72.
      assert.ok(chi < 44.1, `parameter ${p}: chi-squared ${chi.toFixed(1)}, counts ${counts}`);
      assert.ok(Math.abs(z) < 4.83, `parameter ${p}: z ${z.toFixed(2)}`);
    });
  });
}
