// The design of cells: what it maps to zero, its rank, and least squares fits. Nothing is stored as a matrix.
((module) => {
  const apart = (globalThis.apart ??= /** @type {any} */ ({ modules: [] }));
  apart.modules.push(module);
  module(apart);
})(
  /** @param {Apart} apart */
  function design(apart) {
    "use strict";

    const dot = (/** @type {Float64Array} */ a, /** @type {Float64Array} */ b) => {
      let sum = 0;
      for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
      return sum;
    };

    // Places of the layers in a vector of the baseline and all contributors; the last one is its length.
    apart.startsOf = function startsOf(cells) {
      const starts = [1];
      for (const { labels } of cells.layers) starts.push(starts[starts.length - 1] + labels.length);
      return starts;
    };

    // Rows of each contributor of a layer.
    apart.countsOf = function countsOf(cells, j) {
      const counts = new Float64Array(cells.layers[j].labels.length);
      for (let c = 0; c < cells.n.length; c++) counts[cells.index[j][c]] += cells.n[c];
      return counts;
    };

    // For each contributor of layer `finer` the one of layer `coarser` with which it occurs in every row; null where
    // some occur with several.
    apart.parentsOf = function parentsOf(cells, finer, coarser) {
      const parents = new Int32Array(cells.layers[finer].labels.length).fill(-1);
      for (let c = 0; c < cells.n.length; c++) {
        const k = cells.index[finer][c];
        const parent = cells.index[coarser][c];
        if (parents[k] < 0) parents[k] = parent;
        else if (parents[k] !== parent) return null;
      }
      return parents;
    };

    /**
     * Equations of the cells, in columns of unit length, each cell weighted; with `rules`, also those by which a
     * layer's means sum to zero, of about the weight of a cell's.
     * @param {Cells} cells
     * @param {{weights?: Float64Array, rules?: boolean}} options
     */
    function equations(cells, { weights, rules = false }) {
      const size = cells.n.length;
      const starts = apart.startsOf(cells);
      const parameters = starts[starts.length - 1];
      const layers = cells.layers.length;
      const w = weights ?? new Float64Array(size).fill(1);
      const rule = cells.layers.map(({ labels }) => Math.sqrt(size) / labels.length);
      const scale = new Float64Array(parameters);
      for (let c = 0; c < size; c++) {
        scale[0] += w[c] ** 2;
        for (let j = 0; j < layers; j++) scale[starts[j] + cells.index[j][c]] += w[c] ** 2;
      }
      for (let j = 0; j < layers; j++) {
        if (rules) for (let k = starts[j]; k < starts[j + 1]; k++) scale[k] += rule[j] ** 2;
      }
      for (let k = 0; k < parameters; k++) scale[k] = scale[k] > 0 ? 1 / Math.sqrt(scale[k]) : 1;
      const height = size + (rules ? layers : 0);
      const times = (/** @type {Float64Array} */ vector) => {
        const image = new Float64Array(height);
        for (let c = 0; c < size; c++) {
          let sum = vector[0] * scale[0];
          for (let j = 0; j < layers; j++) {
            const k = starts[j] + cells.index[j][c];
            sum += vector[k] * scale[k];
          }
          image[c] = sum * w[c];
        }
        if (rules) {
          for (let j = 0; j < layers; j++) {
            for (let k = starts[j]; k < starts[j + 1]; k++) image[size + j] += rule[j] * vector[k] * scale[k];
          }
        }
        return image;
      };
      const transposed = (/** @type {Float64Array} */ image) => {
        const vector = new Float64Array(parameters);
        for (let c = 0; c < size; c++) {
          const value = image[c] * w[c];
          vector[0] += value;
          for (let j = 0; j < layers; j++) vector[starts[j] + cells.index[j][c]] += value;
        }
        if (rules) {
          for (let j = 0; j < layers; j++) {
            for (let k = starts[j]; k < starts[j + 1]; k++) vector[k] += rule[j] * image[size + j];
          }
        }
        for (let k = 0; k < parameters; k++) vector[k] *= scale[k];
        return vector;
      };
      return { times, transposed, scale, parameters, height };
    }

    // Conjugate gradients for least squares (Bjorck 1996, Numerical Methods for Least Squares Problems, section 7.4):
    // returns what is left of `residual` when the span of the equations is taken out, and the solution.
    function leastSquares(
      /** @type {ReturnType<typeof equations>} */ system,
      /** @type {Float64Array} */ residual,
      /** @type {number} */ tolerance,
    ) {
      const solution = new Float64Array(system.parameters);
      let gradient = system.transposed(residual);
      let direction = Float64Array.from(gradient);
      let slope = dot(gradient, gradient);
      const goal = tolerance ** 2 * slope;
      const most = 10 * Math.min(system.parameters, system.height) + 100;
      for (let i = 0; i < most && slope > goal && slope > 0; i++) {
        const image = system.times(direction);
        const step = slope / dot(image, image);
        for (let k = 0; k < solution.length; k++) solution[k] += step * direction[k];
        for (let c = 0; c < residual.length; c++) residual[c] -= step * image[c];
        gradient = system.transposed(residual);
        const last = slope;
        slope = dot(gradient, gradient);
        for (let k = 0; k < solution.length; k++) direction[k] = gradient[k] + (slope / last) * direction[k];
      }
      return solution;
    }

    // The cells' means by an additive fit, weighted by the cells' rows.
    apart.additiveMeans = function additiveMeans(cells) {
      const weights = cells.n.map(Math.sqrt);
      const system = equations(cells, { weights });
      const residual = cells.mean.map((x, c) => x * weights[c]);
      const solution = leastSquares(system, residual, 1e-12);
      return system.times(solution).map((x, c) => x / weights[c]);
    };

    /**
     * Which components move with which in what the data do not show: a random vector in each component, less its part
     * in the span of the equations. It keeps something exactly where the component has a mean that is not fixed.
     * @returns {boolean[][]} by component (baseline first), the components that move with it
     */
    apart.movesOfMeans = function movesOfMeans(cells) {
      const system = equations(cells, { rules: true });
      const starts = [0, ...apart.startsOf(cells)];
      const random = apart.random(1);
      return starts.slice(0, -1).map((start, i) => {
        const vector = new Float64Array(system.parameters);
        for (let k = start; k < starts[i + 1]; k++) vector[k] = random.normal();
        const left = project(system, vector);
        return starts.slice(0, -1).map((from, j) => left.subarray(from, starts[j + 1]).some((x) => Math.abs(x) > 1e-6));
      });
    };

    // The part of a vector that the equations map to zero.
    function project(/** @type {ReturnType<typeof equations>} */ system, /** @type {Float64Array} */ vector) {
      const residual = system.times(vector);
      const found = leastSquares(system, residual, 1e-12);
      return vector.map((x, k) => x - found[k]);
    }

    /**
     * Rank of the design, the number of means that the data identify. Exact for one and two layers of those that no
     * other one determines, and up to 600 contributors; else an estimate without bias, itself exact where the layers
     * mix freely: the expected squared length of a projected normal vector is the dimension that it is projected on.
     */
    apart.rankOfDesign = function rankOfDesign(cells) {
      const bySize = cells.layers.map((_, j) => j);
      bySize.sort((i, j) => cells.layers[j].labels.length - cells.layers[i].labels.length);
      // A layer that a finer one determines adds nothing.
      /** @type {number[]} */
      const kept = [];
      for (const j of bySize) if (!kept.some((finer) => apart.parentsOf(cells, finer, j))) kept.push(j);
      const reduced = {
        ...cells,
        layers: kept.map((j) => cells.layers[j]),
        index: kept.map((j) => cells.index[j]),
      };
      const starts = apart.startsOf(reduced);
      const contributors = starts[kept.length] - 1;
      if (kept.length === 1) return contributors;
      if (kept.length === 2) return contributors - apart.groupsOf(reduced, 0, 1).size;
      if (contributors <= 600) return denseRank(reduced, starts);
      const system = equations(reduced, {});
      const random = apart.random(2);
      const vectors = 8;
      let squares = 0;
      for (let i = 0; i < vectors; i++) {
        const vector = Float64Array.from({ length: system.parameters }, random.normal);
        // Each layer's indicators sum to the baseline's: these directions are known, and taken out.
        const left = withoutKnown(project(system, vector), system.scale, starts);
        squares += dot(left, left);
        if (i === 0 && squares < 1e-6) break;
      }
      return contributors - (kept.length - 1) - Math.round(squares / vectors);
    };

    function withoutKnown(
      /** @type {Float64Array} */ vector,
      /** @type {Float64Array} */ scale,
      /** @type {number[]} */ starts,
    ) {
      /** @type {Float64Array[]} */
      const basis = [];
      for (let j = 0; j + 1 < starts.length; j++) {
        const direction = new Float64Array(vector.length);
        direction[0] = -1 / scale[0];
        for (let k = starts[j]; k < starts[j + 1]; k++) direction[k] = 1 / scale[k];
        for (const other of basis) remove(direction, other);
        const length = Math.sqrt(dot(direction, direction));
        basis.push(direction.map((x) => x / length));
      }
      for (const direction of basis) remove(vector, direction);
      return vector;
    }

    function remove(/** @type {Float64Array} */ vector, /** @type {Float64Array} */ unit) {
      const along = dot(vector, unit);
      for (let k = 0; k < vector.length; k++) vector[k] -= along * unit[k];
    }

    // Cholesky's decomposition of the normal equations with the largest pivot first; it ends at the rank.
    function denseRank(/** @type {Cells} */ cells, /** @type {number[]} */ starts) {
      const size = starts[starts.length - 1] - 1;
      const gram = Array.from({ length: size }, () => new Float64Array(size));
      for (let c = 0; c < cells.n.length; c++) {
        const at = cells.index.map((codes, j) => starts[j] - 1 + codes[c]);
        for (const a of at) for (const b of at) gram[a][b]++;
      }
      const unit = gram.map((row, k) => 1 / Math.sqrt(row[k]));
      gram.forEach((row, a) => row.forEach((x, b) => (row[b] = x * unit[a] * unit[b])));
      const left = gram.map((_, k) => k);
      for (let rank = 0; left.length; rank++) {
        const pivot = left.reduce((best, k) => (gram[k][k] > gram[best][best] ? k : best), left[0]);
        if (gram[pivot][pivot] < 1e-9) return rank;
        left.splice(left.indexOf(pivot), 1);
        for (const a of left) {
          const factor = gram[a][pivot] / gram[pivot][pivot];
          if (factor !== 0) for (const b of left) gram[a][b] -= factor * gram[pivot][b];
        }
      }
      return size;
    }

    /**
     * Groups of the contributors of two layers: those that share a cell are in the same group (union-find).
     * @returns {{size: number, first: Int32Array, second: Int32Array}} their number, and the group of every contributor
     */
    apart.groupsOf = function groupsOf(cells, i, j) {
      const m = cells.layers[i].labels.length;
      const above = Int32Array.from({ length: m + cells.layers[j].labels.length }, (_, k) => k);
      const top = (/** @type {number} */ k) => {
        while (above[k] !== k) k = above[k] = above[above[k]];
        return k;
      };
      for (let c = 0; c < cells.n.length; c++) above[top(cells.index[i][c])] = top(m + cells.index[j][c]);
      /** @type {Map<number, number>} */
      const number = new Map();
      const group = above.map((_, k) => {
        const root = top(k);
        if (!number.has(root)) number.set(root, number.size);
        return /** @type {number} */ (number.get(root));
      });
      return { size: number.size, first: group.slice(0, m), second: group.slice(m) };
    };
  },
);
