// One chain of a blocked Gibbs sampler for the classical model: contributors shift a total, one residual is left.
((module) => {
  const apart = (globalThis.apart ??= /** @type {any} */ ({ modules: [] }));
  apart.modules.push(module);
  module(apart);
})(
  /** @param {Apart} apart */
  function gibbs(apart) {
    "use strict";

    // Draws of contributors' means that a chain keeps, at most: by number, and by their floats in all.
    const MOST_KEPT = 1000;
    const MOST_FLOATS = 5e6;

    // No tau is below this share of its prior's scale. Its prior probability is as small, and a chain that starts far off
    // would first step there, where numbers underflow.
    const LEAST = 1e-8;

    /**
     * The model of a cell's n rows, with u_j independent of one another and of mu:
     *
     *     total ~ Normal(mu + sum_j d_j[k_j], sigma)        mu ~ Normal(baselineMu, baselineSd)
     *     d_j = u_j - average(u_j)                          u_j[k] ~ Normal(0, tau_j),  tau_j ~ HalfNormal(tauScale_j)
     *                                                       sigma ~ Weibull(2, sigmaScale)
     *
     * The average of u_j is in no total: it is not part of the state, and drawn from its prior where a move needs it.
     *
     * A sweep draws tau_j, mu and d_j together for each layer: tau_j with the means integrated out, by slice sampling of
     * its logarithm (Neal 2003, Slice sampling), then the means given tau_j (Papaspiliopoulos, Roberts and Zanella 2020,
     * Scalable inference for crossed random effects models). Then sigma. For each layer b nested in a layer a follow
     * moves that leave their sums, which the data fix, as they are: normal shifts of a's means against those of b; both
     * scales given the means; and one factor for tau_a and a's means (Liu and Sabatti 2000, Generalised Gibbs sampler).
     */
    apart.chain = function chain(cells, priors, seed) {
      const random = apart.random(seed);
      const { n, index } = cells;
      const size = n.length;
      const layers = cells.layers.map((_, j) => layerOf(cells, j));
      const starts = apart.startsOf(cells).map((start) => start - 1);
      const parameters = starts[layers.length];
      const center = priors.baselineMu - cells.offset;
      const spread = priors.baselineSd ** 2;
      const pairs = nestings(cells);
      let within = 0;
      for (let c = 0; c < size; c++) within += cells.sumSq[c];

      // The state. Chains start apart: scales from their priors' range, on either side of what is likely.
      let baseline = center + 0.2 * priors.baselineSd * random.normal();
      const means = layers.map(({ m }) => new Float64Array(m));
      const tau = Float64Array.from(priors.tauScale, (scale) => scale * Math.exp(-2.5 * random.uniform()));
      let sigma = priors.sigmaScale * Math.exp(random.uniform() - 0.5);
      const residual = Float64Array.from(cells.mean);

      const kept = keeper(layers.length, parameters, starts);

      function refresh() {
        for (let c = 0; c < size; c++) {
          let fitted = baseline;
          for (let j = 0; j < layers.length; j++) fitted += means[j][index[j][c]];
          residual[c] = cells.mean[c] - fitted;
        }
      }

      function updateLayer(/** @type {number} */ j) {
        const { m, counts, kinds, average, shift, weight } = layers[j];
        const codes = index[j];
        const mean = means[j];
        // Each contributor's average total less the other layers' parts: `average`, about the prior mean of mu.
        average.fill(0);
        for (let c = 0; c < size; c++) average[codes[c]] += n[c] * residual[c];
        for (const kind of kinds) kind.sum = kind.square = 0;
        for (let k = 0; k < m; k++) {
          average[k] = average[k] / counts[k] + mean[k] + baseline - center;
          const kind = kinds[layers[j].kindOf[k]];
          kind.sum += average[k];
          kind.square += average[k] ** 2;
        }
        tau[j] *= Math.exp(slice((x) => logMarginal(j, tau[j] * Math.exp(x)), random));
        const square = tau[j] ** 2;
        let weights = 0;
        let sum = 0;
        let shrunk = 0; // the sum over contributors of 1 less their share of tau^2 in the variance of their average
        for (let k = 0; k < m; k++) {
          weight[k] = 1 / (square + sigma ** 2 / counts[k]);
          weights += weight[k];
          sum += weight[k] * average[k];
          shrunk += (sigma ** 2 / counts[k]) * weight[k];
        }
        // mu + d has the prior covariance tau^2 I + b 11' with b = spread - tau^2 / m, which may be negative.
        const divisor = shrunk / m + spread * weights;
        const common = ((spread - square / m) / divisor) * sum;
        const stretch = Math.sqrt((m * spread) / (square * divisor)) - 1;
        // The draw is diagonal, and longer or shorter by a factor along one direction.
        let along = 0;
        for (let k = 0; k < m; k++) {
          const left = (sigma ** 2 / counts[k]) * weight[k];
          shift[k] = random.normal();
          along += Math.sqrt(left) * shift[k];
        }
        along = (along * stretch * tau[j]) / shrunk;
        let next = 0;
        for (let k = 0; k < m; k++) {
          const share = square * weight[k];
          const left = (sigma ** 2 / counts[k]) * weight[k];
          const noise = tau[j] * Math.sqrt(left) * shift[k] + left * along;
          weight[k] = center + common + share * (average[k] - common) + noise;
          next += weight[k];
        }
        next /= m;
        for (let k = 0; k < m; k++) {
          shift[k] = weight[k] - baseline - mean[k];
          mean[k] = weight[k] - next;
        }
        baseline = next;
        for (let c = 0; c < size; c++) residual[c] -= shift[codes[c]];
      }

      // Log density of log tau of a layer, its means and mu integrated out; contributors with equal counts in one term.
      function logMarginal(/** @type {number} */ j, /** @type {number} */ scale) {
        if (scale < LEAST * priors.tauScale[j]) return -Infinity;
        const { m, kinds } = layers[j];
        const square = scale ** 2;
        let weights = 0;
        let sum = 0;
        let value = Math.log(scale) - 0.5 * (scale / priors.tauScale[j]) ** 2;
        let shrunk = 0;
        for (const kind of kinds) {
          const noise = sigma ** 2 / kind.count;
          const w = 1 / (square + noise);
          value += 0.5 * kind.size * Math.log(w) - 0.5 * w * kind.square;
          weights += kind.size * w;
          sum += w * kind.sum;
          shrunk += kind.size * noise * w;
        }
        const divisor = shrunk / m + spread * weights;
        return value - 0.5 * Math.log(divisor) + 0.5 * ((spread - square / m) / divisor) * sum ** 2;
      }

      function updateSigma() {
        let squares = within;
        for (let c = 0; c < size; c++) squares += n[c] * residual[c] ** 2;
        const power = 2 - cells.rows;
        const half = (0.5 * squares) / sigma ** 2;
        const prior = (sigma / priors.sigmaScale) ** 2;
        sigma *= Math.exp(
          slice((x) => power * x - half * Math.exp(-2 * x) - prior * Math.exp(2 * x), random, 4 / Math.sqrt(cells.rows)),
        );
      }

      function updateScale(/** @type {number} */ j) {
        const { m } = layers[j];
        let squares = 0;
        for (let k = 0; k < m; k++) squares += means[j][k] ** 2;
        const half = (0.5 * squares) / tau[j] ** 2;
        const prior = 0.5 * (tau[j] / priors.tauScale[j]) ** 2;
        const least = Math.log((LEAST * priors.tauScale[j]) / tau[j]);
        const logDensity = (/** @type {number} */ x) =>
          x < least ? -Infinity : (2 - m) * x - half * Math.exp(-2 * x) - prior * Math.exp(2 * x);
        tau[j] *= Math.exp(slice(logDensity, random));
      }

      // Shifts each mean of layer a by e, and those nested in it by -e.
      function shiftNested(/** @type {Nesting} */ { a, b, parents, children, along }) {
        const [first, second] = [means[a], means[b]];
        const [m, finer] = [first.length, second.length];
        const [precise, finePrecise] = [tau[a] ** -2, tau[b] ** -2];
        const averages = [tau[a] / Math.sqrt(m), tau[b] / Math.sqrt(finer)].map((sd) => sd * random.normal());
        const e = new Float64Array(m);
        for (let l = 0; l < finer; l++) e[parents[l]] += finePrecise * (second[l] + averages[1]);
        const off = (baseline - center) / spread;
        let products = 0;
        let squares = 0;
        for (let k = 0; k < m; k++) {
          const precision = precise + children[k] * finePrecise;
          e[k] = (e[k] - precise * (first[k] + averages[0]) - along[k] * off) / precision;
          products += along[k] * e[k];
          squares += along[k] ** 2 / precision;
        }
        // mu takes what the averages of a and b change by; its prior adds a term along that direction.
        const shrink = squares > 0 ? (1 / Math.sqrt(1 + squares / spread) - 1) / squares : 0;
        const noise = new Float64Array(m);
        let noises = 0;
        for (let k = 0; k < m; k++) {
          noise[k] = random.normal() / Math.sqrt(precise + children[k] * finePrecise);
          noises += along[k] * noise[k];
        }
        let change = 0;
        for (let k = 0; k < m; k++) {
          const direction = along[k] / (precise + children[k] * finePrecise);
          e[k] += noise[k] + direction * (shrink * noises - products / (spread + squares));
          change += along[k] * e[k];
        }
        baseline += change;
        for (let k = 0; k < m; k++) first[k] += e[k];
        for (let l = 0; l < finer; l++) second[l] -= e[parents[l]];
        centerAt(first);
        centerAt(second);
      }

      // One factor for tau_a and a's means; means of b and mu keep all sums as they are.
      function scaleNested(/** @type {Nesting} */ { a, b, parents }) {
        const [first, second] = [means[a], means[b]];
        const finer = second.length;
        let average = 0;
        for (let l = 0; l < finer; l++) average += first[parents[l]] / finer;
        let squares = 0;
        let products = 0;
        for (let l = 0; l < finer; l++) {
          const part = first[parents[l]] - average;
          squares += part ** 2;
          products += part * second[l];
        }
        const curve = (0.5 * squares) / tau[b] ** 2 + (0.5 * average ** 2) / spread;
        const slope = products / tau[b] ** 2 + (average * (baseline - center)) / spread;
        const prior = 0.5 * (tau[a] / priors.tauScale[a]) ** 2;
        const change = slice((x) => {
          const g = Math.exp(x);
          if (tau[a] * g < LEAST * priors.tauScale[a]) return -Infinity;
          return x - prior * g ** 2 - curve * (g - 1) ** 2 + slope * (g - 1);
        }, random);
        const g = Math.exp(change);
        for (let l = 0; l < finer; l++) second[l] -= (g - 1) * (first[parents[l]] - average);
        for (let k = 0; k < first.length; k++) first[k] *= g;
        baseline -= (g - 1) * average;
        tau[a] *= g;
      }

      function sweep() {
        refresh();
        for (let j = 0; j < layers.length; j++) updateLayer(j);
        updateSigma();
        for (const pair of pairs) {
          shiftNested(pair);
          updateScale(pair.a);
          updateScale(pair.b);
          scaleNested(pair);
        }
      }

      return {
        run(sweeps, keep) {
          for (let i = 0; i < sweeps; i++) {
            sweep();
            if (keep) kept.add(baseline, sigma, tau, means);
          }
        },
        scales: kept.scales,
        means: kept.means,
      };
    };

    function layerOf(/** @type {Cells} */ cells, /** @type {number} */ j) {
      const counts = apart.countsOf(cells, j);
      const m = counts.length;
      const distinct = [...new Set(counts)];
      const place = new Map(distinct.map((count, i) => [count, i]));
      const kindOf = Int32Array.from(counts, (count) => place.get(count) ?? 0);
      const kinds = distinct.map((count) => ({ count, size: 0, sum: 0, square: 0 }));
      for (const kind of kindOf) kinds[kind].size++;
      const empty = () => new Float64Array(m);
      return { m, counts, kindOf, kinds, average: empty(), shift: empty(), weight: empty() };
    }

    /** @returns {Nesting[]} pairs of layers of which the second determines the first */
    function nestings(/** @type {Cells} */ cells) {
      const found = [];
      for (let a = 0; a < cells.layers.length; a++) {
        for (let b = 0; b < cells.layers.length; b++) {
          const [m, finer] = [a, b].map((j) => cells.layers[j].labels.length);
          // Of two layers with the same contributors each one determines the other: once is enough.
          if (a === b || m > finer || (m === finer && a > b)) continue;
          const parents = apart.parentsOf(cells, b, a);
          if (!parents) continue;
          const children = new Float64Array(m);
          for (const parent of parents) children[parent]++;
          found.push({ a, b, parents, children, along: children.map((count) => 1 / m - count / finer) });
        }
      }
      return found;
    }

    function centerAt(/** @type {Float64Array} */ values) {
      let average = 0;
      for (let k = 0; k < values.length; k++) average += values[k];
      average /= values.length;
      for (let k = 0; k < values.length; k++) values[k] -= average;
    }

    // A draw from a density on the line, given its logarithm, from the point 0: stepping out, then shrinking.
    function slice(/** @type {(x: number) => number} */ logDensity, /** @type {Random} */ random, width = 1) {
      const level = logDensity(0) + Math.log(random.uniform());
      let low = -width * random.uniform();
      let high = low + width;
      while (logDensity(low) > level) low -= width;
      while (logDensity(high) > level) high += width;
      for (;;) {
        const x = low + (high - low) * random.uniform();
        if (logDensity(x) >= level) return x;
        if (x < 0) low = x;
        else high = x;
      }
    }

    /**
     * Draws of one chain: all of the scales and of mu, and the contributors' means of every thin-th, such that their
     * number stays below a limit: where it is reached, every second one is dropped.
     */
    function keeper(/** @type {number} */ layers, /** @type {number} */ parameters, /** @type {number[]} */ starts) {
      const names = layers + 2;
      let room = 1024;
      let columns = Array.from({ length: names }, () => new Float64Array(room));
      let draws = 0;
      const most = Math.max(100, Math.min(MOST_KEPT, Math.floor(MOST_FLOATS / parameters)));
      const stored = new Float32Array(most * parameters);
      let thin = 1;
      let count = 0;
      return {
        add(
          /** @type {number} */ baseline,
          /** @type {number} */ sigma,
          /** @type {Float64Array} */ tau,
          /** @type {Float64Array[]} */ means,
        ) {
          if (draws === room) {
            room *= 2;
            columns = columns.map((column) => {
              const longer = new Float64Array(room);
              longer.set(column);
              return longer;
            });
          }
          columns[0][draws] = baseline;
          columns[1][draws] = sigma;
          for (let j = 0; j < layers; j++) columns[2 + j][draws] = tau[j];
          if (draws % thin === 0) {
            if (count === most) {
              for (let i = 0; 2 * i < most; i++) {
                stored.copyWithin(i * parameters, 2 * i * parameters, (2 * i + 1) * parameters);
              }
              count = Math.ceil(most / 2);
              thin *= 2;
            }
            if (draws % thin === 0) {
              for (let j = 0; j < layers; j++) stored.set(means[j], count * parameters + starts[j]);
              count++;
            }
          }
          draws++;
        },
        // From draw `first` on; mu is relative to the cells' offset.
        scales(first = 0) {
          const [baseline, sigma, ...tau] = columns.map((column) => column.slice(first, draws));
          return { baseline, sigma, tau };
        },
        // One row of all contributors for each draw whose number is in `at`.
        means() {
          return { at: Int32Array.from({ length: count }, (_, i) => i * thin), values: stored.slice(0, count * parameters) };
        },
      };
    }
  },
);
