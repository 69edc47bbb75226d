// Answers the questions of a Python test: reads [task, argument] pairs as JSON, writes a list of results.
"use strict";

const fs = require("node:fs");
const { cellsOf } = require("./engine.js");

const TASKS = {
  diagnose: (chains) => {
    const draws = chains.map((x) => Float64Array.from(x));
    return [apart.rhat(draws), apart.ess(draws), apart.essTail(draws)];
  },
  normal: (values) => values.map((p) => [apart.normalQuantile(p), apart.normalCdf(apart.normalQuantile(p))]),
  describe: ({ columns, total, layers }) => {
    const cells = cellsOf(columns, total, layers);
    return { priors: apart.priors(cells), rank: apart.rankOfDesign(cells), identified: apart.identification(cells) };
  },
  // Draws of all parameters by chain, in the units of the total; means are those of every contributor, layer by layer.
  fit: async ({ columns, total, layers, row, ...options }) => {
    const cells = cellsOf(columns, total, layers);
    const result = await apart.fit(cells, { workers: false, ...options });
    const parameters = apart.startsOf(cells).at(-1) - 1;
    const answers = apart.answers(result, cells);
    return {
      converged: result.converged,
      seconds: result.seconds,
      baseline: result.scales.map((x) => Array.from(x.baseline, (value) => value + cells.offset)),
      sigma: result.scales.map((x) => [...x.sigma]),
      tau: result.scales.map((x) => x.tau.map((column) => [...column])),
      means: result.means.map(({ at, values }) =>
        Array.from(at, (_, i) => [...values.subarray(i * parameters, (i + 1) * parameters)]),
      ),
      components: answers.components(),
      check: answers.check(),
      parts: row && answers.decompose(columns[total][row], labelsOf(columns, layers, row)),
      predicted: row && answers.predict(labelsOf(columns, layers, row)),
      new: row && answers.predict({ ...labelsOf(columns, layers, row), [layers[0]]: "never seen" }),
      python: answers.python({ file: "table.csv", total }),
    };
  },
};

const labelsOf = (columns, layers, row) => Object.fromEntries(layers.map((name) => [name, String(columns[name][row])]));

(async () => {
  const results = [];
  for (const [task, argument] of JSON.parse(fs.readFileSync(0, "utf8"))) results.push(await TASKS[task](argument));
  process.stdout.write(JSON.stringify(results));
})();
