// Seeded random numbers, and the normal distribution.
((module) => {
  const apart = (globalThis.apart ??= /** @type {any} */ ({ modules: [] }));
  apart.modules.push(module);
  module(apart);
})(
  /** @param {Apart} apart */
  function random(apart) {
    "use strict";

    // A generator with 128 bits of state (Chris Doty-Humphrey's sfc32, of PractRand), seeded by mixing one number.
    apart.random = function random(seed) {
      let mixed = seed >>> 0;
      let high = Math.floor(seed / 4294967296) >>> 0;
      const next = () => {
        mixed = (mixed + 0x9e3779b9) | 0;
        let z = mixed ^ high;
        z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
        z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
        return (z ^ (z >>> 16)) | 0;
      };
      let a = next();
      let b = next();
      high = 0;
      let c = next();
      let counter = 1;
      const word = () => {
        const sum = (((a + b) | 0) + counter) | 0;
        counter = (counter + 1) | 0;
        a = b ^ (b >>> 9);
        b = (c + (c << 3)) | 0;
        c = ((c << 21) | (c >>> 11)) + sum;
        c |= 0;
        return sum >>> 0;
      };
      for (let i = 0; i < 20; i++) word();
      const uniform = () => ((word() >>> 5) * 67108864 + (word() >>> 6) + 0.5) / 9007199254740992;
      // Two normals at a time, by the polar method (Marsaglia and Bray 1964).
      let spare = NaN;
      const normal = () => {
        if (spare === spare) {
          const kept = spare;
          spare = NaN;
          return kept;
        }
        let x = 0;
        let y = 0;
        let square = 0;
        do {
          x = 2 * uniform() - 1;
          y = 2 * uniform() - 1;
          square = x * x + y * y;
        } while (square >= 1 || square === 0);
        const factor = Math.sqrt((-2 * Math.log(square)) / square);
        spare = y * factor;
        return x * factor;
      };
      // Marsaglia and Tsang 2000, A simple method for generating gamma variables.
      /** @type {(shape: number) => number} */
      const gamma = (shape) => {
        if (shape < 1) return gamma(shape + 1) * Math.pow(uniform(), 1 / shape);
        const d = shape - 1 / 3;
        const step = 1 / Math.sqrt(9 * d);
        for (;;) {
          const x = normal();
          const v = (1 + step * x) ** 3;
          if (v > 0 && Math.log(uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
        }
      };
      return { uniform, normal, gamma, chiSquared: (dof) => (dof > 0 ? 2 * gamma(dof / 2) : 0) };
    };

    // The probability below z: a continued fraction in the tails, a series elsewhere (Abramowitz and Stegun, 26.2.11
    // and 26.2.14), to about 1e-15.
    apart.normalCdf = function normalCdf(z) {
      const x = Math.abs(z);
      const density = Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
      let above = 0;
      if (x > 4) {
        let fraction = x;
        for (let k = 60; k > 0; k--) fraction = x + k / fraction;
        above = density / fraction;
      } else {
        let term = x;
        let sum = x;
        for (let k = 3; term > 1e-17 * sum; k += 2) {
          term *= (x * x) / k;
          sum += term;
        }
        above = 0.5 - density * sum;
      }
      return z > 0 ? 1 - above : above;
    };

    // Wichura 1988, Algorithm AS 241: relative accuracy about 1e-16.
    const NEAR = [
      [3.387132872796366608, 133.14166789178437745, 1971.5909503065514427, 13731.693765509461125,
        45921.953931549871457, 67265.770927008700853, 33430.575583588128105, 2509.0809287301226727],
      [1, 42.313330701600911252, 687.1870074920579083, 5394.1960214247511077,
        21213.794301586595867, 39307.89580009271061, 28729.085735721942674, 5226.495278852854561],
    ];
    const FAR = [
      [1.42343711074968357734, 4.6303378461565452959, 5.7694972214606914055, 3.64784832476320460504,
        1.27045825245236838258, 0.24178072517745061177, 0.0227238449892691845833, 7.7454501427834140764e-4],
      [1, 2.05319162663775882187, 1.6763848301838038494, 0.68976733498510000455,
        0.14810397642748007459, 0.0151986665636164571966, 5.475938084995344946e-4, 1.05075007164441684324e-9],
    ];
    const FURTHEST = [
      [6.6579046435011037772, 5.4637849111641143699, 1.7848265399172913358, 0.29656057182850489123,
        0.026532189526576123093, 0.0012426609473880784386, 2.71155556874348757815e-5, 2.01033439929228813265e-7],
      [1, 0.59983220655588793769, 0.13692988092273580531, 0.0148753612908506148525,
        7.868691311456132591e-4, 1.8463183175100546818e-5, 1.4215117583164458887e-7, 2.04426310338993978564e-15],
    ];
    const ratio = (/** @type {number[][]} */ [above, below], /** @type {number} */ x) =>
      above.reduceRight((sum, c) => sum * x + c, 0) / below.reduceRight((sum, c) => sum * x + c, 0);

    apart.normalQuantile = function normalQuantile(p) {
      const q = p - 0.5;
      if (Math.abs(q) <= 0.425) return q * ratio(NEAR, 0.180625 - q * q);
      const r = Math.sqrt(-Math.log(q < 0 ? p : 1 - p));
      return Math.sign(q) * (r <= 5 ? ratio(FAR, r - 1.6) : ratio(FURTHEST, r - 5));
    };
  },
);
