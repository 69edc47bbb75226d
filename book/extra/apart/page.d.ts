// Types of what the page's scripts share, for `tsc --checkJs`; see jsconfig.json. Nothing of this is loaded.

/** The different texts of a column, and for each row which of them. */
interface TextColumn {
  name: string;
  labels: string[];
  codes: Int32Array;
}

interface TextTable {
  columns: TextColumn[];
  rows: number;
  /** Whether the first line holds the names of the columns. */
  header: boolean | null;
  separator: string;
  /** Lines that were left out for their number of fields. */
  ragged: number[];
  /** Sentences about what had to be guessed or left out. */
  notes: string[];
}

interface DescribedColumn extends TextColumn {
  /** The number in each label; NaN where there is none. */
  values: Float64Array;
  kind: "number" | "date" | "text" | "empty";
  /** Different labels, without those that stand for no value. */
  distinct: number;
  /** Different numbers. */
  numbers: number;
  whole: boolean;
  /** Whether the column numbers rows or repeats. */
  numbering: boolean;
  longest: number;
  mark: "." | ",";
  note: string | null;
  /** Names of the columns whose pairs these labels are: outer, inner. */
  pair?: [string, string];
}

interface ChosenLayer extends Layer {
  /** Groups of labels that differ in capital letters or spaces only. */
  near: string[][];
  /** Labels that are counted as others, by their own. */
  joined: Record<string, string>;
}

interface Chosen {
  /** Of the total; empty without one. */
  name: string;
  total: Float64Array;
  layers: ChosenLayer[];
  /** Rows of the table that are used. */
  rows: Int32Array;
  /** Sentences about rows that are not used. */
  leftOut: string[];
  /** Why nothing can be fitted; null if something can. */
  problem: string | null;
}

interface Example {
  text: string;
  total: string;
  layers: string[];
  python: string;
}

/** What the page knows; later steps are null until the earlier ones are done. */
interface PageState {
  /** What the page calls the table. */
  name: string;
  /** Its file's name. */
  file: string;
  text: string | null;
  encoding: string;
  notes: string[];
  /** The example that was chosen, if one was. */
  preset: Example | null;
  table: TextTable;
  columns: DescribedColumn[];
  chosen: Chosen;
  /** The decimal mark that the reader chose, if so. */
  mark: "." | "," | null;
  /** Sentences to keep in mind when results are read. */
  warnings: string[];
  cells: Cells | null;
}

interface Bar {
  name: string;
  mean: number;
  lower: number;
  upper: number;
  raw?: number;
}

interface Page {
  state: PageState;
  fitting: AbortController | null;
  say(text: string, id?: string): void;
  shown(): Promise<unknown>;
  endFit(): void;
  hideFound(): void;
  showTable(): void;
  forget(): void;
}

interface Apart {
  page: Page;
  offer(): void;
  Refusal: ErrorConstructor;
  SEPARATORS: Record<string, string>;
  /** The largest file that is read. */
  MAX_BYTES: number;
  counted(count: number, noun: string): string;
  decode(bytes: Uint8Array): { text: string; encoding: string; notes: string[] };
  parse(text: string, options?: { header?: boolean | null; onProgress?: (share: number) => void }): Promise<TextTable>;
  describe(column: TextColumn, separator: string, mark?: "." | "," | null): DescribedColumn;
  guess(columns: DescribedColumn[]): { total: number; layers: number[]; note: string | null };
  isMissing(text: string): boolean;
  numberOf(text: string, mark: "." | ","): number | null;
  choose(columns: DescribedColumn[], total: number, layers: number[], join?: boolean): Chosen;
  remarksOf(name: string, total: Float64Array): string[];
  within(inner: TextColumn, outer: TextColumn): TextColumn;
  element(id: string): any;
  make(tag: string, properties?: Record<string, any>, ...children: (Node | string)[]): any;
  shortened(text: string, longest?: number): string;
  partName(layer: string): string;
  tableOf(caption: string, header: string[], rows: (string | number)[][]): HTMLElement;
  listOf(sentences: string[]): HTMLElement;
  formatter(scale: number): (value: number) => string;
  toCsv(rows: (string | number)[][]): string;
  save(name: string, text: string, type: string): void;
  toSvg(svg: SVGElement): string;
  pythonOf(answers: Answers, state: PageState): string;
  intervals(rows: Bar[], width: number, label: string, domain?: [number, number]): SVGElement;
  waterfall(parts: Bar[], total: number, width: number, label: string): SVGElement;
  show(place: HTMLElement, draw: (width: number) => SVGElement, text: string, name: string): void;
  showFound(answers: Answers, state: PageState): void;
}

/** Tables that the build writes into examples.js. */
declare var apartExamples: Record<string, Example>;
// Libraries that the site ships.
declare var Papa: any;
declare var Plot: any;
