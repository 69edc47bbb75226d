// The default priors, as `mlm.Priors.from_cells` makes them where every contributor's own spread is known to be 0.
((module) => {
  const apart = (globalThis.apart ??= /** @type {any} */ ({ modules: [] }));
  apart.modules.push(module);
  module(apart);
})(
  /** @param {Apart} apart */
  function priors(apart) {
    "use strict";

    // Baseline: normal. A layer's means: normal with a scale tau less their average, tau half-normal. The residual's
    // standard deviation: Weibull(2, sigmaScale), so that its square is exponential.
    apart.priors = function priors(cells) {
      const { center, variance } = apart.totalMoments(cells);
      const sd = Math.sqrt(variance);
      return {
        baselineMu: cells.offset + center,
        baselineSd: 5 * sd,
        tauScale: cells.layers.map(() => 2.5 * sd),
        sigmaScale: Math.sqrt(apart.residual(cells).variance),
      };
    };

    // Mean (relative to the cells' offset) and variance of all totals together.
    apart.totalMoments = function totalMoments(cells) {
      let sum = 0;
      for (let c = 0; c < cells.n.length; c++) sum += cells.n[c] * cells.mean[c];
      const center = sum / cells.rows;
      let squares = 0;
      for (let c = 0; c < cells.n.length; c++) squares += cells.sumSq[c] + cells.n[c] * (cells.mean[c] - center) ** 2;
      return { center, variance: squares / (cells.rows - 1) };
    };

    /**
     * Found before: several modules ask, and large tables take long.
     * @type {WeakMap<Cells, ReturnType<Apart["residual"]>>}
     */
    const residuals = new WeakMap();

    // The variance about an additive fit; that of all totals where the fit leaves no residual.
    apart.residual = function residual(cells) {
      const before = residuals.get(cells);
      if (before) return before;
      const fitted = apart.additiveMeans(cells);
      let squares = 0;
      let largest = 0;
      for (let c = 0; c < fitted.length; c++) {
        squares += cells.sumSq[c] + cells.n[c] * (cells.mean[c] - fitted[c]) ** 2;
        largest = Math.max(largest, Math.abs(cells.offset + cells.mean[c]));
      }
      const { variance } = apart.totalMoments(cells);
      const rounding = 8 * Number.EPSILON * largest;
      const exact = squares <= Math.max(1e-12 * variance, rounding ** 2) * cells.rows;
      const dof = cells.rows - apart.rankOfDesign(cells);
      const found = { exact, dof, variance: dof <= 0 || exact ? variance : squares / dof };
      residuals.set(cells, found);
      return found;
    };
  },
);
