// What a fit says: components, contributors, one total taken apart, predictions, and whether the model holds.
((module) => {
  const apart = (globalThis.apart ??= /** @type {any} */ ({ modules: [] }));
  apart.modules.push(module);
  module(apart);
})(
  /** @param {Apart} apart */
  function answers(apart) {
    "use strict";

    const INTERVAL = (apart.INTERVAL = 0.89); // equal-tailed, as ArviZ's and the package's
    const TABLES = 1000; // simulated ones that a table is compared with
    const MOST_ROWS = 20000; // of a table whose rows are simulated one by one
    const MOST_REPEATED = 5000; // cells whose sums of squares are simulated one by one
    const MOST_STEPS = 4e6; // cells, times layers, or rows looked at by a check in all, about
    const ALARM = (apart.ALARM = 0.001);
    const DOUBT = 0.05;

    apart.answers = function answers(result, cells) {
      const { layers, offset } = cells;
      const starts = apart.startsOf(cells).map((start) => start - 1);
      const parameters = starts[layers.length];
      const draws = jointDraws(result, parameters);

      /** Codes of labels by layer; a label that is not in the data has none, -1. */
      function codesOf(/** @type {Record<string, string>} */ labelsByLayer) {
        return layers.map(({ name, labels }) => {
          if (labelsByLayer[name] === undefined) throw new Error(`Which ${name}?`);
          return labels.indexOf(String(labelsByLayer[name]));
        });
      }

      function components() {
        const squares = result.scales.flatMap(({ sigma, tau }) =>
          Array.from(sigma, (_, i) => [...tau.map((x) => x[i] ** 2), sigma[i] ** 2]),
        );
        const sums = squares.map((parts) => parts.reduce((sum, x) => sum + x, 0));
        return [...layers.map(({ name }) => name), "residual"].map((component, j) => ({
          component,
          labels: layers[j]?.labels.length ?? null,
          sd: summary(squares.map((parts) => Math.sqrt(parts[j]))),
          share: summary(squares.map((parts, i) => parts[j] / sums[i])),
        }));
      }

      function baseline() {
        return shifted(summary(result.scales.flatMap((x) => Array.from(x.baseline))), offset);
      }

      function contributors(/** @type {string} */ name) {
        const j = layers.findIndex((layer) => layer.name === name);
        if (j < 0) throw new Error(`There is no layer ${name}; there are ${layers.map((x) => x.name).join(", ")}.`);
        const counts = apart.countsOf(cells, j);
        const sums = new Float64Array(counts.length);
        for (let c = 0; c < cells.n.length; c++) sums[cells.index[j][c]] += cells.n[c] * cells.mean[c];
        const { center } = apart.totalMoments(cells);
        return layers[j].labels.map((label, k) => {
          const { mean, sd, lower, upper } = summary(draws.map(({ means, at }) => means[at + starts[j] + k]));
          return { label, n: counts[k], raw: sums[k] / counts[k] - center, mean, sd, lower, upper };
        });
      }

      function decompose(/** @type {number} */ total, /** @type {Record<string, string>} */ labelsByLayer) {
        if (!Number.isFinite(total)) throw new Error(`The total must be a number, not ${total}.`);
        const codes = codesOf(labelsByLayer);
        const unknown = codes.indexOf(-1);
        if (unknown >= 0) {
          const { name } = layers[unknown];
          throw new Error(`${labelsByLayer[name]} is no ${name} of the table: its total can be predicted only.`);
        }
        const own = codes.map((code, j) => draws.map(({ means, at }) => means[at + starts[j] + code]));
        const rest = draws.map((draw, i) => total - offset - draw.baseline - own.reduce((sum, x) => sum + x[i], 0));
        const parts = [
          { component: "baseline", label: "", ...shifted(summary(draws.map((draw) => draw.baseline)), offset) },
          ...layers.map(({ name, labels }, j) => ({ component: name, label: labels[codes[j]], ...summary(own[j]) })),
        ];
        const last = { component: "rest", label: "", ...summary(rest) };
        // What rounding leaves goes to the rest, so that the parts add up.
        last.mean = total - parts.reduce((sum, part) => sum + part.mean, 0);
        return { total, parts: [...parts, last] };
      }

      function predict(/** @type {Record<string, string>} */ labelsByLayer) {
        const codes = codesOf(labelsByLayer);
        // Given a draw a new total is normal. A new contributor's mean has the variance tau^2 (1 + 1 / m): means are
        // deviations from the average of the m contributors of the data, not from the population's.
        const normals = draws.map(({ baseline, sigma, tau, means, at }) => {
          let mean = baseline;
          let variance = sigma ** 2;
          codes.forEach((code, j) => {
            if (code >= 0) mean += means[at + starts[j] + code];
            else variance += tau[j] ** 2 * (1 + 1 / layers[j].labels.length);
          });
          return { mean, variance };
        });
        const average = normals.reduce((sum, x) => sum + x.mean, 0) / normals.length;
        const variance = normals.reduce((sum, x) => sum + x.variance + (x.mean - average) ** 2, 0) / normals.length;
        const sd = Math.sqrt(variance);
        const ends = [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2];
        const [lower, upper] = ends.map((p) => mixtureQuantile(p, normals, average, sd));
        return {
          mean: offset + average,
          sd,
          lower: offset + lower,
          upper: offset + upper,
          unknown: layers.filter((_, j) => codes[j] < 0).map(({ name }) => name),
        };
      }

      function check(seed = 0) {
        const random = apart.random(seed);
        const repeated = cells.n.some((n) => n > 1);
        const byRow = cells.rows <= MOST_ROWS;
        const cost = cells.n.length * (layers.length + 2) + (byRow ? cells.rows : 0);
        const most = Math.min(TABLES, Math.floor(MOST_STEPS / cost));
        // What takes long is to look at all cells: a large table's numbers are few, each compared with many simulated.
        const fits = Math.max(byRow ? 200 : 10, most);
        const tables = byRow ? fits : TABLES;
        const simulate = byRow ? null : statisticsOf(cells, random);
        /** @type {number[][]} */
        const own = [];
        /** @type {number[][]} */
        const simulated = [];
        /** @type {number[]} */
        const sigmas = [];
        const fitted = new Float64Array(cells.n.length);
        for (let t = 0; t < tables; t++) {
          if (t < fits) {
            const draw = draws[Math.floor(random.uniform() * draws.length)];
            for (let c = 0; c < fitted.length; c++) {
              fitted[c] = draw.baseline;
              for (let j = 0; j < layers.length; j++) fitted[c] += draw.means[draw.at + starts[j] + cells.index[j][c]];
            }
            own.push(misfits(cells, fitted, draw.sigma));
            sigmas.push(draw.sigma);
          }
          simulated.push(simulate ? simulate(sigmas[t % fits]) : newRows(cells, fitted, sigmas[t], random));
        }
        const lack = apart.lackOfFit(cells);
        return ASPECTS.map(({ aspect, holds, doubtful, fails, missing }, i) => {
          const needs = i === 1 && !repeated;
          const column = (/** @type {number[][]} */ x) => Float64Array.from(x, (row) => row[i]).sort();
          let data = needs ? NaN : apart.quantile(column(own), 0.5);
          let model = needs ? NaN : apart.quantile(column(simulated), 0.5);
          let p = needs ? NaN : simulated.filter((row, t) => row[i] >= own[t % fits][i]).length / tables;
          let least = 0.5 / tables;
          if (i === 0 && lack) {
            ({ data, model, p } = lack);
            least = 0;
          }
          const alarm = p < Math.max(ALARM, least);
          const doubt = !alarm && p < DOUBT;
          const sentence = needs ? /** @type {string} */ (missing) : alarm ? fails : doubt ? doubtful : holds;
          return { aspect, data, model, p, alarm, doubt, sentence };
        });
      }

      function python({ file = "table.csv", total = "total", reading = /** @type {string[] | null} */ (null) } = {}) {
        const names = layers.map(({ name }) => name);
        const text = (/** @type {unknown} */ x) => JSON.stringify(x);
        return [
          "import mlm_tutorial as mlm",
          "import pandas as pd",
          "",
          `layers = [${names.map(text).join(", ")}]`,
          ...(reading ?? [`frame = pd.read_csv(${text(file)}, dtype=dict.fromkeys(layers, str))`]),
          `cells = mlm.cell_statistics(frame, total=${text(total)}, layers=layers)`,
          "priors = mlm.Priors.from_cells(cells, known_sigma=dict.fromkeys(layers, 0))",
          `idata = mlm.sample(mlm.cell_model(cells, priors=priors), seed=${result.seed % 2147483648})`,
          "print(mlm.check_convergence(idata))",
          `print(mlm.predictive_check(idata, frame, total=${text(total)}, layers=layers))`,
          "print(mlm.variance_shares(idata, cells))",
        ].join("\n");
      }

      function toJSON() {
        const { converged, rhat, ess, draws: number, seconds, seed, priors } = result;
        return {
          rows: cells.rows,
          cells: cells.n.length,
          interval: INTERVAL,
          fit: { converged, rhat, ess, draws: number, seconds, seed },
          priors: { ...priors, tauScale: Array.from(priors.tauScale) },
          baseline: baseline(),
          components: components(),
          contributors: Object.fromEntries(layers.map(({ name }) => [name, contributors(name)])),
        };
      }

      return { components, baseline, contributors, decompose, predict, check, python, toJSON };
    };

    // Draws of all parameters together: those with which the contributors' means were kept.
    function jointDraws(/** @type {Result} */ result, /** @type {number} */ parameters) {
      return result.means.flatMap(({ at, values }, chain) => {
        const { baseline, sigma, tau } = result.scales[chain];
        return Array.from(at, (i, row) => ({
          baseline: baseline[i],
          sigma: sigma[i],
          tau: tau.map((x) => x[i]),
          means: values,
          at: row * parameters,
        }));
      });
    }

    function summary(/** @type {number[]} */ values) {
      const sorted = Float64Array.from(values).sort();
      const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
      const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (values.length - 1);
      const [lower, median, upper] = [(1 - INTERVAL) / 2, 0.5, (1 + INTERVAL) / 2].map((p) => apart.quantile(sorted, p));
      return { mean, sd: Math.sqrt(variance), median, lower, upper };
    }

    function shifted(/** @type {Summary} */ { mean, sd, median, lower, upper }, /** @type {number} */ by) {
      return { mean: mean + by, sd, median: median + by, lower: lower + by, upper: upper + by };
    }

    // By halving the interval between bounds that hold it.
    function mixtureQuantile(
      /** @type {number} */ p,
      /** @type {{mean: number, variance: number}[]} */ normals,
      /** @type {number} */ center,
      /** @type {number} */ sd,
    ) {
      // Cantelli's inequality: no quantile is further than this from the mean.
      let low = center - sd * Math.sqrt((1 - p) / p);
      let high = center + sd * Math.sqrt(p / (1 - p));
      const sds = normals.map((x) => Math.sqrt(x.variance));
      // Where sd is tiny beside the mean, no two numbers may be as close as that.
      for (let i = 0; i < 100 && high - low > 1e-8 * sd; i++) {
        const x = (low + high) / 2;
        let sum = 0;
        for (let i = 0; i < normals.length; i++) sum += apart.normalCdf((x - normals[i].mean) / sds[i]);
        if (sum < p * normals.length) low = x;
        else high = x;
      }
      return (low + high) / 2;
    }

    const ASPECTS = [
      {
        aspect: "averages of cells",
        holds: "The layers add up: the cells' averages miss their sums by no more than chance does.",
        doubtful:
          "It is doubtful that the layers add up: the cells' averages miss their sums by more than they would by " +
          "chance in most tables. A pair of layers as a layer of its own may help.",
        fails:
          "The layers do not simply add up, or rows of a cell are alike: the cells' averages miss their sums by more " +
          "than chance does. A pair of layers as a layer of its own may help.",
      },
      {
        aspect: "spreads within cells",
        holds: "One residual fits: the spreads within cells differ by no more than chance makes them.",
        doubtful:
          "It is doubtful that one residual fits: the spreads within cells differ by more than they would by chance " +
          "in most tables.",
        fails:
          "One residual does not fit: the spreads within cells differ by more than chance makes them. Some contributors " +
          "vary more than others, which this model leaves out.",
        missing: "No cell has two rows, so whether spreads differ between cells cannot be seen here.",
      },
      {
        aspect: "lean",
        holds: "Neither side reaches further than the other by more than chance.",
        doubtful: "One side reaches further than the other, by more than it would by chance in most tables.",
        fails: "One side reaches further than the other: the residual is not normal, and intervals for rows mislead.",
      },
      {
        aspect: "tails",
        holds: "There are no more far totals than a normal residual has.",
        doubtful: "There may be more far totals than a normal residual has: most tables have fewer by chance.",
        fails: "There are more far totals than a normal residual has: extremes are more likely than predicted here.",
      },
    ];

    // Four numbers that are large where the model does not fit, from residuals of rows in units of sigma: the average of
    // n times a cell's squared mean; of the squared difference of a cell's sum of squares from n - 1, over 2 (n - 1);
    // the absolute skewness; the kurtosis.
    function misfits(
      /** @type {Pick<Cells, "n" | "mean" | "sumSq" | "sumCube" | "sumFourth" | "rows">} */ cells,
      /** @type {Float64Array} */ fitted,
      /** @type {number} */ sigma,
    ) {
      const { n, mean, sumSq, sumCube, sumFourth, rows } = cells;
      let averages = 0;
      let spreads = 0;
      let repeated = 0;
      const sums = [0, 0, 0, 0];
      for (let c = 0; c < n.length; c++) {
        const d = (mean[c] - fitted[c]) / sigma;
        const square = sumSq[c] / sigma ** 2;
        const cube = sumCube[c] / sigma ** 3;
        averages += n[c] * d ** 2;
        sums[0] += n[c] * d;
        sums[1] += square + n[c] * d ** 2;
        sums[2] += cube + 3 * d * square + n[c] * d ** 3;
        sums[3] += sumFourth[c] / sigma ** 4 + 4 * d * cube + 6 * d ** 2 * square + n[c] * d ** 4;
        const dof = n[c] - 1;
        if (dof > 0) {
          spreads += (square - dof) ** 2 / (2 * dof);
          repeated++;
        }
      }
      const [first, second, third, fourth] = sums.map((sum) => sum / rows);
      const variance = second - first ** 2;
      const skewness = (third - 3 * first * second + 2 * first ** 3) / variance ** 1.5;
      const kurtosis = (fourth - 4 * first * third + 6 * first ** 2 * second - 3 * first ** 4) / variance ** 2;
      return [averages / n.length, spreads / repeated, Math.abs(skewness), kurtosis];
    }

    // The same numbers of rows that the model simulates, rounded as the table's are.
    function newRows(
      /** @type {Cells} */ cells,
      /** @type {Float64Array} */ fitted,
      /** @type {number} */ sigma,
      /** @type {Random} */ random,
    ) {
      const { n, unit, origin, rows } = cells;
      // Rounding adds a variance of unit^2 / 12, which sigma contains (Sheppard 1898).
      const sd = unit ? Math.sqrt(Math.max(sigma ** 2 - unit ** 2 / 12, sigma ** 2 / 100)) : sigma;
      const empty = () => new Float64Array(n.length);
      const found = { n, rows, mean: empty(), sumSq: empty(), sumCube: empty(), sumFourth: empty() };
      const values = new Float64Array(n.reduce((most, x) => Math.max(most, x), 0));
      for (let c = 0; c < n.length; c++) {
        let sum = 0;
        for (let i = 0; i < n[c]; i++) {
          const x = fitted[c] + sd * random.normal();
          values[i] = unit ? origin + unit * Math.round((x - origin) / unit) : x;
          sum += values[i];
        }
        found.mean[c] = sum / n[c];
        for (let i = 0; i < n[c]; i++) {
          const d = values[i] - found.mean[c];
          found.sumSq[c] += d ** 2;
          found.sumCube[c] += d ** 3;
          found.sumFourth[c] += d ** 4;
        }
      }
      return misfits(found, fitted, sigma);
    }

    // The same for large tables, without rows: cells' means and sums of squares are drawn from their distributions,
    // skewness and kurtosis of many normal numbers from their limits (standard errors are roots of 6 / N and 24 / N).
    function statisticsOf(/** @type {Cells} */ cells, /** @type {Random} */ random) {
      const { n, rows, unit } = cells;
      const dofs = n.filter((x) => x > 1).map((x) => x - 1);
      const repeated = dofs.length;
      const inverses = dofs.reduce((sum, dof) => sum + 1 / dof, 0);
      return (/** @type {number} */ sigma) => {
        let spreads = 0;
        if (repeated <= MOST_REPEATED) {
          for (const dof of dofs) spreads += (random.chiSquared(dof) - dof) ** 2 / (2 * dof) / repeated;
        } else {
          // The variance of one cell's number is 2 + 12 / (n - 1).
          spreads = 1 + (Math.sqrt(2 * repeated + 12 * inverses) / repeated) * random.normal();
        }
        // What rounding takes from the fourth cumulant.
        const flatter = unit ? (unit / sigma) ** 4 / 120 : 0;
        return [
          random.chiSquared(n.length) / n.length,
          spreads,
          Math.abs(Math.sqrt(6 / rows) * random.normal()),
          3 - flatter + Math.sqrt(24 / rows) * random.normal(),
        ];
      };
    }

    /**
     * Where cells have several rows, the scatter within them is known without the layers, and the cells' averages are
     * held against it: the fitted residual would grow with the misfit, and hide it. The F test of lack of fit, about
     * least squares sums (Draper and Smith 1998, Applied Regression Analysis, section 2.1); null where there is nothing
     * to test.
     */
    apart.lackOfFit = function lackOfFit(cells) {
      const { dof, variance, exact } = apart.residual(cells);
      const within = cells.rows - cells.n.length;
      const between = dof - within;
      if (within <= 0 || between <= 0 || exact) return null;
      let pure = 0;
      for (let c = 0; c < cells.n.length; c++) pure += cells.sumSq[c];
      const lack = Math.max(0, variance * dof - pure);
      // Rows of a cell that are rounded to the same number do scatter.
      const scatter = Math.max(pure / within, (cells.unit ?? 0) ** 2 / 12);
      const data = lack / between / scatter;
      let [low, high] = [0, 1];
      while (fAbove(high, between, within) > 0.5) high *= 2;
      for (let i = 0; i < 50; i++) {
        const x = (low + high) / 2;
        if (fAbove(x, between, within) > 0.5) low = x;
        else high = x;
      }
      return { data, model: low, p: fAbove(data, between, within) };
    };

    // The probability that a ratio of two average squares, of so many normal numbers each, is above f: an incomplete
    // beta integral, as a continued fraction (NIST Digital Library of Mathematical Functions, 8.17.22).
    function fAbove(/** @type {number} */ f, /** @type {number} */ above, /** @type {number} */ below) {
      const [a, b] = [below / 2, above / 2];
      const x = below / (below + above * f);
      if (!(x > 0)) return 0;
      if (x >= 1) return 1;
      const y = (above * f) / (below + above * f);
      const front = Math.exp(a * Math.log(x) + b * Math.log(y) + logGamma(a + b) - logGamma(a) - logGamma(b));
      return x < (a + 1) / (a + b + 2) ? (front * fraction(a, b, x)) / a : 1 - (front * fraction(b, a, y)) / b;
    }

    // By Lentz's method, from the first terms on.
    function fraction(/** @type {number} */ a, /** @type {number} */ b, /** @type {number} */ x) {
      const TINY = 1e-300;
      let c = 1;
      let d = 1 / (1 - ((a + b) * x) / (a + 1) || TINY);
      let value = d;
      for (let m = 1; m < 1e5; m++) {
        const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
        const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
        for (const term of [even, odd]) {
          d = 1 / (1 + term * d || TINY);
          c = 1 + term / c || TINY;
          value *= c * d;
        }
        if (Math.abs(c * d - 1) < 1e-14) break;
      }
      return value;
    }

    // Stirling's series, for numbers above 10; smaller ones are led there.
    function logGamma(/** @type {number} */ x) {
      let below = 0;
      for (; x < 10; x++) below += Math.log(x);
      const series = 1 / (12 * x) - 1 / (360 * x ** 3) + 1 / (1260 * x ** 5) - 1 / (1680 * x ** 7);
      return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series - below;
    }
  },
);
