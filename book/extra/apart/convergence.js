// Whether chains agree: rank-normalized split R-hat and effective sample sizes, by the definitions that ArviZ uses.
// Vehtari et al. 2021, Rank-normalization, folding, and localization: an improved R-hat for assessing convergence.
((module) => {
  const apart = (globalThis.apart ??= /** @type {any} */ ({ modules: [] }));
  apart.modules.push(module);
  module(apart);
})(
  /** @param {Apart} apart */
  function convergence(apart) {
    "use strict";

    /** @typedef {Float64Array[]} Chains one array of draws for each chain, all of the same length */

    apart.rhat = function rhat(chains) {
      const halves = split(chains);
      const center = apart.quantile(sortedTogether(halves), 0.5);
      const folded = halves.map((half) => half.map((x) => Math.abs(x - center)));
      return Math.max(plainRhat(normalScores(halves)), plainRhat(normalScores(folded)));
    };

    apart.ess = function ess(chains) {
      return plainEss(normalScores(split(chains)));
    };

    apart.essTail = function essTail(chains) {
      const sorted = sortedTogether(chains);
      const ofQuantile = (/** @type {number} */ p) => {
        const limit = apart.quantile(sorted, p);
        return plainEss(split(chains.map((chain) => chain.map((x) => (x <= limit ? 1 : 0)))));
      };
      return Math.min(ofQuantile(0.05), ofQuantile(0.95));
    };

    // A quantile of sorted numbers, between two of them in proportion (NumPy's default).
    apart.quantile = function quantile(sorted, p) {
      const place = p * (sorted.length - 1);
      const below = Math.floor(place);
      const above = Math.min(below + 1, sorted.length - 1);
      return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
    };

    function sortedTogether(/** @type {Chains} */ chains) {
      const all = new Float64Array(chains.reduce((size, chain) => size + chain.length, 0));
      let start = 0;
      for (const chain of chains) {
        all.set(chain, start);
        start += chain.length;
      }
      return all.sort();
    }

    function split(/** @type {Chains} */ chains) {
      const half = Math.floor(chains[0].length / 2);
      return [...chains.map((chain) => chain.slice(0, half)), ...chains.map((chain) => chain.slice(chain.length - half))];
    }

    // Normal quantiles of the draws' ranks among all draws; draws that are equal share their average rank.
    function normalScores(/** @type {Chains} */ chains) {
      const sorted = sortedTogether(chains);
      const size = sorted.length;
      /** @type {Map<number, number>} */
      const scores = new Map();
      for (let start = 0; start < size; ) {
        let end = start + 1;
        while (end < size && sorted[end] === sorted[start]) end++;
        const rank = (start + 1 + end) / 2;
        scores.set(sorted[start], apart.normalQuantile((rank - 0.375) / (size + 0.25)));
        start = end;
      }
      return chains.map((chain) => chain.map((x) => scores.get(x) ?? NaN));
    }

    const meanOf = (/** @type {ArrayLike<number>} */ x) => {
      let sum = 0;
      for (let i = 0; i < x.length; i++) sum += x[i];
      return sum / x.length;
    };

    // The variance with divisor N - 1.
    function varianceOf(/** @type {ArrayLike<number>} */ x) {
      const center = meanOf(x);
      let sum = 0;
      for (let i = 0; i < x.length; i++) sum += (x[i] - center) ** 2;
      return sum / (x.length - 1);
    }

    function plainRhat(/** @type {Chains} */ chains) {
      const size = chains[0].length;
      const between = size * varianceOf(chains.map(meanOf));
      const within = meanOf(chains.map(varianceOf));
      return Math.sqrt((between / within + size - 1) / size);
    }

    // Autocorrelations are summed as far as Geyer's initial monotone sequence goes (Geyer 1992, Practical Markov chain
    // Monte Carlo); so they are computed lag by lag, not all at once.
    function plainEss(/** @type {Chains} */ chains) {
      const size = chains[0].length;
      const all = chains.length * size;
      const centers = chains.map(meanOf);
      const centered = chains.map((chain, i) => chain.map((x) => x - centers[i]));
      const autocovariance = (/** @type {number} */ lag) => {
        let sum = 0;
        for (const x of centered) for (let i = lag; i < size; i++) sum += x[i] * x[i - lag];
        return sum / all;
      };
      const within = (autocovariance(0) * size) / (size - 1);
      if (within === 0 && chains.every((chain) => chain[0] === chains[0][0])) return all;
      const variance = autocovariance(0) + (chains.length > 1 ? varianceOf(centers) : 0);
      const correlation = (/** @type {number} */ lag) => 1 - (within - autocovariance(lag)) / variance;
      const rho = [1, correlation(1)];
      let [even, odd] = rho;
      let t = 1;
      for (; t < size - 3 && even + odd > 0; t += 2) {
        even = correlation(t + 1);
        odd = correlation(t + 2);
        if (even + odd >= 0) {
          rho[t + 1] = even;
          rho[t + 2] = odd;
        }
      }
      const last = t - 2;
      if (even > 0) rho[last + 1] = even;
      for (t = 1; t <= last - 2; t += 2) {
        if (rho[t + 1] + rho[t + 2] > rho[t - 1] + rho[t]) {
          rho[t + 1] = (rho[t - 1] + rho[t]) / 2;
          rho[t + 2] = rho[t + 1];
        }
      }
      let sum = -1 + (rho[last + 1] ?? 0);
      for (t = 0; t <= last; t++) sum += 2 * rho[t];
      return all / Math.max(sum, 1 / Math.log10(all));
    }
  },
);
