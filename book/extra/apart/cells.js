// Rows to cells: all rows with the same contributors, described by their number, mean and sums of powers.
((module) => {
  const apart = (globalThis.apart ??= /** @type {any} */ ({ modules: [] }));
  apart.modules.push(module);
  module(apart);
})(
  /** @param {Apart} apart */
  function cells(apart) {
    "use strict";

    const FEWEST_ROWS = (apart.FEWEST_ROWS = 3);

    apart.cells = function cells(total, layers) {
      const rows = total.length;
      check(total, layers);
      // Totals are taken relative to their average, so that an offset costs no digits.
      let sum = 0;
      for (let i = 0; i < rows; i++) sum += total[i] - total[0];
      const offset = total[0] + sum / rows;
      const order = sorted(layers, rows);
      const starts = boundaries(layers, order);
      const size = starts.length - 1;
      const found = {
        n: new Float64Array(size),
        mean: new Float64Array(size),
        sumSq: new Float64Array(size),
        sumCube: new Float64Array(size),
        sumFourth: new Float64Array(size),
      };
      const index = layers.map(() => new Int32Array(size));
      for (let c = 0; c < size; c++) {
        const n = starts[c + 1] - starts[c];
        let mean = 0;
        // The second time for what rounding has left of the first.
        for (let pass = 0; pass < 2; pass++) {
          let left = 0;
          for (let i = starts[c]; i < starts[c + 1]; i++) left += total[order[i]] - offset - mean;
          mean += left / n;
        }
        for (let i = starts[c]; i < starts[c + 1]; i++) {
          const d = total[order[i]] - offset - mean;
          found.sumSq[c] += d * d;
          found.sumCube[c] += d * d * d;
          found.sumFourth[c] += d * d * d * d;
        }
        found.n[c] = n;
        found.mean[c] = mean;
        layers.forEach((layer, j) => (index[j][c] = layer.codes[order[starts[c]]]));
      }
      const named = layers.map(({ name, labels }) => ({ name, labels: labels.map(String) }));
      return { ...found, index, layers: named, rows, offset, unit: step(total), origin: total[0] - offset };
    };

    function check(/** @type {Float64Array} */ total, /** @type {Layer[]} */ layers) {
      const rows = total.length;
      if (rows < FEWEST_ROWS) throw new Error(`A table needs ${FEWEST_ROWS} rows at least; this one has ${rows}.`);
      if (!layers.length) throw new Error("No layer is chosen: choose at least one column with labels.");
      let equal = true;
      for (let i = 0; i < rows; i++) {
        if (!Number.isFinite(total[i])) throw new Error(`Row ${i + 1} has no finite total: ${total[i]}.`);
        equal &&= total[i] === total[0];
      }
      if (equal) throw new Error(`All totals are ${total[0]}: there is nothing to take apart.`);
      for (const { name, labels, codes } of layers) {
        if (codes.length !== rows) throw new Error(`${name} has ${codes.length} codes for ${rows} rows.`);
        if (new Set(labels).size < labels.length) throw new Error(`${name} has the same label twice.`);
        if (labels.length < 2) {
          throw new Error(`${name} has one label only (${labels[0]}): its part cannot be told from the average.`);
        }
        const seen = new Uint8Array(labels.length);
        for (let i = 0; i < rows; i++) {
          if (!(codes[i] >= 0 && codes[i] < labels.length)) throw new Error(`Row ${i + 1} has no label of ${name}.`);
          seen[codes[i]] = 1;
        }
        const missing = seen.indexOf(0);
        if (missing >= 0) throw new Error(`No row has the label ${labels[missing]} of ${name}.`);
      }
    }

    // Rows ordered by the codes of all layers: one stable counting sort per layer, the last layer first.
    function sorted(/** @type {Layer[]} */ layers, /** @type {number} */ rows) {
      let order = Int32Array.from({ length: rows }, (_, i) => i);
      for (const { codes, labels } of [...layers].reverse()) {
        const start = new Int32Array(labels.length + 1);
        for (let i = 0; i < rows; i++) start[codes[i] + 1]++;
        for (let k = 0; k < labels.length; k++) start[k + 1] += start[k];
        const next = new Int32Array(rows);
        for (let i = 0; i < rows; i++) next[start[codes[order[i]]]++] = order[i];
        order = next;
      }
      return order;
    }

    function boundaries(/** @type {Layer[]} */ layers, /** @type {Int32Array} */ order) {
      const starts = [0];
      for (let i = 1; i < order.length; i++) {
        if (layers.some(({ codes }) => codes[order[i]] !== codes[order[i - 1]])) starts.push(i);
      }
      return [...starts, order.length];
    }

    // The step of which all totals are multiples, such as a minute; null where there is none.
    function step(/** @type {Float64Array} */ total) {
      const values = Float64Array.from(total).sort();
      let distinct = 1;
      let smallest = Infinity;
      for (let i = 1; i < values.length; i++) {
        const gap = values[i] - values[i - 1];
        if (gap > 0) {
          distinct++;
          smallest = Math.min(smallest, gap);
        }
      }
      // A few different values are multiples of some step by chance.
      if (distinct < 2 || (distinct < 6 && total.length < 2 * distinct)) return null;
      const largest = Math.max(Math.abs(values[0]), Math.abs(values[values.length - 1]));
      // Gaps between neighbors, which are few steps, not distances from the first, which may be too many to count.
      const tolerance = Math.max(1e-9, (4 * largest * Number.EPSILON) / smallest);
      let steps = 0;
      for (let i = 1; i < values.length; i++) {
        const multiple = (values[i] - values[i - 1]) / smallest;
        const allowed = tolerance * (1 + multiple);
        if (allowed > 0.1 || Math.abs(multiple - Math.round(multiple)) > allowed) return null;
        steps += Math.round(multiple);
      }
      return (values[values.length - 1] - values[0]) / steps;
    }
  },
);
