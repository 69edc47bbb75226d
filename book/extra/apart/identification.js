// What the data say about means, before a fit: as `mlm.identification` does, for the classical model.
((module) => {
  const apart = (globalThis.apart ??= /** @type {any} */ ({ modules: [] }));
  apart.modules.push(module);
  module(apart);
})(
  /** @param {Apart} apart */
  function identification(apart) {
    "use strict";

    const BY_POOLING = "decided by pooling alone, not by the data";

    const few = (/** @type {string[]} */ labels, n = 3) =>
      labels.slice(0, n).join(", ") + (labels.length > n ? ", ..." : "");
    const listed = (/** @type {string[]} */ names) =>
      names.length === 1 ? names[0] : `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`;

    /**
     * Means follow the rule that each layer's sum to zero. A component's means are fixed if nothing in the null space
     * of the design with these rules moves them: random vectors are projected on it by conjugate gradients, so the time
     * is a few passes over the cells, however many contributors there are. Why they are not fixed is then looked for:
     * layers that determine one another in one pass, groups that never meet by union-find.
     */
    apart.identification = function identification(cells) {
      const names = ["baseline", ...cells.layers.map(({ name }) => name)];
      const moves = apart.movesOfMeans(cells);
      const fixed = moves.map((row, i) => !row[i]);
      const reasons = fixed.every(Boolean) ? [] : reasonsOf(cells, fixed);
      const notes = notesOf(cells);
      return names.map((component, i) => {
        const why = reasons.filter(({ layers }) => layers.includes(i - 1)).map(({ text }) => text);
        let verdict = i === 0 ? "Fixed by the data." : "Fixed by the data, as differences from the layer's average.";
        if (!fixed[i]) {
          const others = names.filter((_, j) => j !== i && moves[i][j]);
          if (!why.length) why.push(`It moves with the means of ${listed(others)}.`);
          verdict = "Not fixed by the data.";
        }
        const noted = notes.filter(({ layers }) => layers.includes(i - 1)).map(({ text }) => text);
        return { component, means: fixed[i], verdict, remarks: fixed[i] ? noted : [...why, ...noted] };
      });
    };

    /** @typedef {{layers: number[], text: string}} Sentence */

    function reasonsOf(/** @type {Cells} */ cells, /** @type {boolean[]} */ fixed) {
      const { layers } = cells;
      const names = layers.map(({ name }) => name);
      /** @type {Sentence[]} */
      const found = [];
      const told = new Set();
      const seen = new Set();
      const say = (/** @type {number[]} */ about, /** @type {string} */ text) => {
        about.forEach((j) => told.add(j));
        found.push({ layers: about, text });
      };
      const determines = layers.map((_, i) => layers.map((__, j) => i !== j && apart.parentsOf(cells, i, j) !== null));
      layers.forEach((_, i) => {
        const same = layers.map((__, j) => j).filter((j) => i === j || (determines[i][j] && determines[j][i]));
        if (same.length < 2 || same[0] !== i) return;
        const leave = same.length === 2 ? "one" : "all but one";
        const text = `${listed(same.map((j) => names[j]))} have the same contributors under other labels:`;
        say(same, `${text} nothing in the data tells them apart. Leave ${leave} of them out.`);
      });
      layers.forEach((_, finer) => {
        const coarser = layers.map((__, j) => j).filter((j) => determines[finer][j] && !determines[j][finer]);
        if (!coarser.length) return;
        const every = coarser.map((j) => `every ${names[j]}`);
        const lies = listed(coarser.map((j) => `one ${names[j]}`));
        let text = `Every ${names[finer]} lies in ${lies}: the split between their means is ${BY_POOLING}.`;
        text +=
          coarser.length === 1
            ? ` What ${names[finer]} adds can be compared inside one ${names[coarser[0]]} only.`
            : ` Of ${names[finer]} they fix what cancels in ${listed(every)}: the interaction.`;
        say([finer, ...coarser], text);
      });
      for (let i = 0; i < layers.length; i++) {
        for (let j = i + 1; j < layers.length; j++) {
          if (determines[i][j] || determines[j][i]) continue;
          const groups = apart.groupsOf(cells, i, j);
          if (groups.size === 1) continue;
          const [shown, group] = layers[i].labels.length <= layers[j].labels.length ? [i, groups.first] : [j, groups.second];
          const members = Array.from({ length: Math.min(groups.size, 3) }, (_, g) =>
            few(layers[shown].labels.filter((__, k) => group[k] === g)),
          );
          const parts = members.join(" | ") + (groups.size > 3 ? " | ..." : "");
          const text = `${names[i]} and ${names[j]} fall into ${groups.size} groups that never meet`;
          say(
            [i, j],
            `${text} (${names[shown]} ${parts}): how their means differ between groups is ${BY_POOLING}. ` +
              "Compare within a group, or observe across groups.",
          );
          seen.add(i).add(j);
        }
      }
      const untold = layers.map((_, j) => j).filter((j) => !fixed[1 + j] && !told.has(j));
      if (untold.length) {
        const needed = layers.reduce((sum, { labels }) => sum + labels.length - 1, 1);
        let text = `The means of ${listed(untold.map((j) => names[j]))} are tied to one another:`;
        if (cells.n.length < needed) {
          text += ` the table has ${cells.n.length} combinations of contributors for ${needed} means, so`;
        }
        text += ` how they share a sum is ${BY_POOLING}. Leave one layer out, or observe more combinations.`;
        say(untold, text);
      }
      return found;
    }

    // Signs of problems; -1 stands for the baseline.
    function notesOf(/** @type {Cells} */ cells) {
      /** @type {Sentence[]} */
      const found = [];
      const residual = apart.residual(cells);
      if (residual.dof <= 0) {
        const text = "There are as many means as rows, so no residual is left: only pooling and the priors tell";
        found.push({ layers: [-1], text: `${text} contributors from chance. Repeat some rows.` });
      } else if (residual.exact) {
        const text = "The layers explain every total exactly, so nothing is left over for the residual.";
        found.push({ layers: [-1], text: `${text} Is the total computed from the layers, or does it hold averages?` });
      }
      cells.layers.forEach(({ name, labels }, j) => {
        const counts = apart.countsOf(cells, j);
        const single = counts.filter((count) => count === 1).length;
        if (single === labels.length) {
          const text = `Every ${name} has a single row: what it adds cannot be told from the residual.`;
          found.push({ layers: [-1, j], text: `${text} Leave it out.` });
        } else if (cells.rows / labels.length < 3) {
          const text = `${name} has ${(cells.rows / labels.length).toFixed(1)} rows per contributor on average:`;
          found.push({ layers: [j], text: `${text} only pooling tells a contributor from chance.` });
        } else if (single) {
          const shown = few(labels.filter((_, k) => counts[k] === 1));
          const text = `${single} of ${labels.length} contributors of ${name} have a single row (${shown}).`;
          found.push({ layers: [j], text });
        }
        const alike = apart.nearlyEqual(labels);
        if (alike.length) {
          const shown = few(alike.map((group) => group.map((label) => `"${label}"`).join(" and ")));
          const text = `Labels of ${name} differ only in case or spaces: ${shown}.`;
          found.push({ layers: [j], text: `${text} If they mean the same contributor, write them alike.` });
        }
      });
      return found;
    }

    // Labels that differ in case or spaces only.
    apart.nearlyEqual = function nearlyEqual(labels) {
      /** @type {Map<string, string[]>} */
      const groups = new Map();
      for (const label of labels) {
        const plain = label.normalize("NFKC").replace(/\s+/g, "").toLowerCase();
        groups.set(plain, [...(groups.get(plain) ?? []), label]);
      }
      return [...groups.values()].filter((group) => group.length > 1);
    };
  },
);
