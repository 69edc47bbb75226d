// Types of the engine's modules, for `tsc --checkJs`; see jsconfig.json. Nothing of this is loaded.

/** A column of labels: for each row the place of its label. */
interface Layer {
  name: string;
  labels: string[];
  codes: Int32Array;
}

/** Rows with the same contributors, C cells. Sums of powers are about the cell's mean. */
interface Cells {
  /** Rows of each cell. */
  n: Float64Array;
  /** Average total of each cell, less `offset`. */
  mean: Float64Array;
  sumSq: Float64Array;
  sumCube: Float64Array;
  sumFourth: Float64Array;
  /** For each layer the place of each cell's label. */
  index: Int32Array[];
  layers: { name: string; labels: string[] }[];
  /** Number of rows of the table. */
  rows: number;
  /** Average of all totals. */
  offset: number;
  /** Step of which all totals are multiples; null where there is none. */
  unit: number | null;
  /** One of the totals, less `offset`: the others differ from it by multiples of `unit`. */
  origin: number;
}

interface Priors {
  baselineMu: number;
  baselineSd: number;
  tauScale: ArrayLike<number> & Iterable<number>;
  sigmaScale: number;
}

interface Identified {
  component: string;
  /** Whether the data fix the component's means. */
  means: boolean;
  /** Whether they are fixed, as a sentence. */
  verdict: string;
  /** Why not, and what else is worth knowing about the component. */
  remarks: string[];
}

/** Draws of one chain; `baseline` is less the cells' offset. */
interface Scales {
  baseline: Float64Array;
  sigma: Float64Array;
  tau: Float64Array[];
}

/** All contributors' means, layer after layer, in a row for each draw whose number is in `at`. */
interface Means {
  at: Int32Array;
  values: Float32Array;
}

interface Random {
  uniform(): number;
  normal(): number;
  gamma(shape: number): number;
  chiSquared(dof: number): number;
}

interface Nesting {
  a: number;
  b: number;
  parents: Int32Array;
  children: Float64Array;
  along: Float64Array;
}

interface Chain {
  run(sweeps: number, keep: boolean): void;
  scales(first?: number): Scales;
  means(): Means;
}

interface Progress {
  /** Draws of all chains together. */
  draws: number;
  /** Largest R-hat, NaN before the first check. */
  rhat: number;
  /** Least bulk or tail ESS, NaN before the first check. */
  ess: number;
  /** Effective draws at which the fit ends: `target`, or more where that costs little. */
  wanted: number;
  /** Component that R-hat or ESS is worst for. */
  worst: string;
  seconds: number;
}

interface Result extends Progress {
  converged: boolean;
  target: number;
  seed: number;
  priors: Priors;
  /** By chain. */
  scales: Scales[];
  means: Means[];
}

interface FitOptions {
  priors?: Priors;
  seed?: number;
  /** Effective draws that every scale needs, in bulk and tails; small tables go on to 2,000. */
  target?: number;
  maxSeconds?: number;
  /** Stops the chains and hands over what they drew. */
  signal?: AbortSignal;
  /** Ends the chains at once, also where they were stopped and do not answer; the fit is rejected. */
  kill?: AbortSignal;
  onProgress?: (progress: Progress) => void;
  /** Whether chains run in web workers; by default, where there is a page. */
  workers?: boolean;
}

interface Summary {
  mean: number;
  sd: number;
  median: number;
  lower: number;
  upper: number;
}

type Part = Summary & { component: string; label: string };

interface Aspect {
  aspect: string;
  /** Median of the table's own number; for averages of cells that have several rows, the F of lack of fit. */
  data: number;
  /** Median of simulated tables' numbers. */
  model: number;
  /** Share of simulated tables with a number at least as large; NaN where nothing can be said. */
  p: number;
  /** Whether p is below 0.001. */
  alarm: boolean;
  /** Whether p is below 0.05, without an alarm. */
  doubt: boolean;
  sentence: string;
}

interface Answers {
  /**
   * Scale and share of the variance of each layer and of the residual. Shown are medians of scales and means of shares:
   * only means add up to 1. Few `labels` leave the upper ends to the prior; the residual has null.
   */
  components(): { component: string; labels: number | null; sd: Summary; share: Summary }[];
  baseline(): Summary;
  /**
   * Each label with its number of rows; `raw`, the average of its rows less that of all rows; and what it adds to a
   * total, less the layer's average.
   */
  contributors(
    layer: string,
  ): { label: string; n: number; raw: number; mean: number; sd: number; lower: number; upper: number }[];
  /** Baseline, layers and rest of one total; means add up to it. */
  decompose(total: number, labelsByLayer: Record<string, string>): { total: number; parts: Part[] };
  /** A new total. A label that is not in the table is a new contributor, and its layer is in `unknown`. */
  predict(
    labelsByLayer: Record<string, string>,
  ): { mean: number; sd: number; lower: number; upper: number; unknown: string[] };
  /** Whether the model could have produced the table. */
  check(seed?: number): Aspect[];
  /** Lines of Python that fit the same; `reading` takes the place of the line that reads the file. */
  python(names?: { file?: string; total?: string; reading?: string[] }): string;
  toJSON(): object;
}

interface Apart {
  /** Each module's function, whose text a worker runs. */
  modules: ((apart: Apart) => void)[];
  random(seed: number): Random;
  normalCdf(z: number): number;
  normalQuantile(p: number): number;
  cells(total: Float64Array, layers: Layer[]): Cells;
  startsOf(cells: Cells): number[];
  countsOf(cells: Cells, layer: number): Float64Array;
  parentsOf(cells: Cells, finer: number, coarser: number): Int32Array | null;
  additiveMeans(cells: Cells): Float64Array;
  movesOfMeans(cells: Cells): boolean[][];
  rankOfDesign(cells: Cells): number;
  groupsOf(cells: Cells, i: number, j: number): { size: number; first: Int32Array; second: Int32Array };
  priors(cells: Cells): Priors;
  totalMoments(cells: Cells): { center: number; variance: number };
  residual(cells: Cells): { exact: boolean; dof: number; variance: number };
  identification(cells: Cells): Identified[];
  nearlyEqual(labels: string[]): string[][];
  /** The probability of an interval. */
  INTERVAL: number;
  /** Rows that a table needs at least. */
  FEWEST_ROWS: number;
  /** The p-value below which a check raises an alarm. */
  ALARM: number;
  lackOfFit(cells: Cells): { data: number; model: number; p: number } | null;
  chain(cells: Cells, priors: Priors, seed: number): Chain;
  rhat(chains: Float64Array[]): number;
  ess(chains: Float64Array[]): number;
  essTail(chains: Float64Array[]): number;
  quantile(sorted: ArrayLike<number>, p: number): number;
  /** Why a fit would be rejected, in a sentence; null where it would not. */
  problem(cells: Cells): string | null;
  serveChain(
    start: { cells: Cells; priors: Priors; seed: number },
    send: (message: { scales?: Scales; means?: Means }) => void,
  ): { step(limit?: number): void; finish(): void };
  fit(cells: Cells, options?: FitOptions): Promise<Result>;
  answers(result: Result, cells: Cells): Answers;
}

declare var apart: Apart;
