// The engine of the page, loaded as a page loads it, and tables to try it on.
"use strict";

const path = require("node:path");

const FOLDER = path.join(__dirname, "..", "..", "book", "extra", "apart");
const MODULES = [
  "random", "cells", "design", "priors", "identification", "gibbs", "convergence", "fit", "answers",
];
for (const name of MODULES) require(path.join(FOLDER, `${name}.js`));

// A layer of labels, one for each row.
function layer(name, column) {
  const labels = [...new Set(column.map(String))].sort();
  const place = new Map(labels.map((label, k) => [label, k]));
  return { name, labels, codes: Int32Array.from(column, (label) => place.get(String(label))) };
}

// Cells of a table given as columns by name.
function cellsOf(columns, total, layers) {
  return apart.cells(Float64Array.from(columns[total]), layers.map((name) => layer(name, columns[name])));
}

module.exports = { FOLDER, MODULES, cellsOf, layer };
