// A file becomes a table: bytes to text, text to rows, rows to columns of labels. Nothing of a file is ever run.
"use strict";

/** @type {any} */ (globalThis).apart ??= { modules: [] };

(() => {
  const MAX_BYTES = 100e6;
  const MAX_ROWS = 1e6;
  const MAX_COLUMNS = 500;
  const CHUNK = 2 ** 21; // characters between two pauses, in which the page can answer
  const SEPARATORS = { ",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar" };

  /** A file that cannot be read; the message is a sentence for the reader. */
  class Refusal extends Error {}

  /** What files begin with that are no text. @type {[number[], string][]} */
  const MAGIC = [
    [[0x50, 0x4b, 0x03, 0x04], "a workbook of Excel or another zip file. Open it there and save the sheet as CSV"],
    [[0xd0, 0xcf, 0x11, 0xe0], "an old workbook of Excel. Open it there and save the sheet as CSV"],
    [[0x25, 0x50, 0x44, 0x46], "a PDF. Save the table that it shows as CSV"],
    [[0x1f, 0x8b], "compressed with gzip. Unpack it first"],
    [[0x50, 0x41, 0x52, 0x31], "a Parquet file. Save it as CSV, or read it with Python as notebook 17 does"],
    [[0x89, 0x50, 0x4e, 0x47], "a picture"],
    [[0xff, 0xd8, 0xff], "a picture"],
  ];

  /** @param {number} count @param {string} noun */
  const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

  /**
   * Texts without a byte order mark that have two bytes a letter: every other byte is zero.
   * @param {Uint8Array} bytes
   */
  function guessUtf16(bytes) {
    const zeros = [0, 0];
    const seen = Math.min(bytes.length, 2000);
    for (let i = 0; i < seen; i++) if (bytes[i] === 0) zeros[i % 2]++;
    if (zeros[1] > 0.3 * seen && zeros[0] < 0.02 * seen) return "utf-16le";
    return zeros[0] > 0.3 * seen && zeros[1] < 0.02 * seen ? "utf-16be" : null;
  }

  /**
   * The text of a file, and what had to be guessed for it.
   * @param {Uint8Array} bytes
   * @returns {{text: string, encoding: string, notes: string[]}}
   */
  function decode(bytes) {
    if (bytes.length > MAX_BYTES) {
      const size = Math.round(bytes.length / 1e6);
      throw new Refusal(
        `This file has ${size} MB, and a page in a browser reads up to ${MAX_BYTES / 1e6} MB. Use notebook 17.`,
      );
    }
    for (const [begin, what] of MAGIC) {
      if (begin.every((byte, i) => bytes[i] === byte)) throw new Refusal(`This is not a CSV file but ${what}.`);
    }
    const marked =
      bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : null;
    const wide = marked ?? guessUtf16(bytes);
    if (wide) return { text: new TextDecoder(wide).decode(bytes), encoding: wide, notes: [] };
    if (bytes.subarray(0, 1e6).includes(0))
      throw new Refusal("This file is not text: it holds bytes that no letter has.");
    try {
      return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes), encoding: "utf-8", notes: [] };
    } catch {
      const note = "The file is not in UTF-8; it was read as Windows-1252 (Latin-1). Check letters such as é, ö and ñ.";
      return { text: new TextDecoder("windows-1252").decode(bytes), encoding: "windows-1252", notes: [note] };
    }
  }

  /** Refuse texts that are no table. @param {string} text */
  function refuseOtherTexts(text) {
    const begin = text.slice(0, 2000).trimStart();
    if (text.trim() === "") throw new Refusal("There is nothing in it: no names of columns, and no rows.");
    if (/^<(!doctype|html|\?xml|table|head|body|svg|script)/i.test(begin)) {
      throw new Refusal(
        "This is a page of the web (HTML or XML), not a CSV file. Save the table that it shows as CSV.",
      );
    }
    if (/^(\[\s*[[{"\d]|\{\s*("|\}))/.test(begin)) {
      throw new Refusal(
        "This is JSON, not a CSV file. Save the table as CSV: one row a line, the same columns in each.",
      );
    }
    const odd = begin.match(/[\u0000-\u0008\u000e-\u001f\ufffd]/g)?.length ?? 0;
    if (odd > 0.02 * begin.length) throw new Refusal("This file is not text: most of it is bytes that no letter has.");
  }

  /** Whether a first line holds values: a number that is not a year is no name of a column. @param {string[]} fields */
  function looksLikeValues(fields) {
    return fields.some((field) => {
      const text = field.trim();
      return /^[+-]?\d*[.,]?\d+(e[+-]?\d+)?$/i.test(text) && !/^(1[5-9]|20|21)\d\d$/.test(text);
    });
  }

  /** Names of columns: each has one, and no two have the same. @param {string[]} fields @param {string[]} notes */
  function namesOf(fields, notes) {
    const seen = new Set();
    return fields.map((field, i) => {
      const wanted = field.trim() || `column ${i + 1}`;
      let name = wanted;
      for (let k = 2; seen.has(name); k++) name = `${wanted} (${k})`;
      if (name !== wanted) notes.push(`Two columns are called ${wanted}; the later one is shown as ${name}.`);
      seen.add(name);
      return name;
    });
  }

  /** One column: the different texts in it, and for each row which of them. */
  class Column {
    /** @param {string} name */
    constructor(name) {
      this.name = name;
      /** @type {string[]} */
      this.labels = [];
      this.known = new Map();
      this.filled = 0;
      this.space = new Int32Array(1024);
    }

    /** @param {string} field */
    push(field) {
      let code = this.known.get(field);
      if (code === undefined) {
        code = this.labels.push(field) - 1;
        this.known.set(field, code);
      }
      if (this.filled === this.space.length) {
        const larger = new Int32Array(2 * this.space.length);
        larger.set(this.space);
        this.space = larger;
      }
      this.space[this.filled++] = code;
    }

    get codes() {
      return this.space.subarray(0, this.filled);
    }
  }

  /** Rows as they come from the parser, put into columns. */
  class Table {
    /** @param {boolean | null} header whether the first line holds names; null guesses */
    constructor(header) {
      this.header = header;
      /** @type {Column[]} */
      this.columns = [];
      /** @type {string[]} */
      this.notes = [];
      /** @type {number[]} */
      this.ragged = [];
      this.rows = 0;
      this.seen = 0; // lines that are not empty, the header included
      this.empty = 0;
      this.separator = ",";
    }

    /** @param {string[]} fields */
    begin(fields) {
      if (fields.length > MAX_COLUMNS) {
        throw new Refusal(
          `The first line has ${fields.length.toLocaleString("en")} columns; this page reads up to ${MAX_COLUMNS}.`,
        );
      }
      const guessed = this.header === null;
      this.header ??= !looksLikeValues(fields);
      if (!this.header && guessed) {
        this.notes.push("The first line holds numbers, so it was read as a row, and columns are numbered.");
      }
      const names = namesOf(this.header ? fields : fields.map(() => ""), this.notes);
      this.columns = names.map((name) => new Column(name));
      if (!this.header) this.row(fields);
    }

    /** @param {string[]} fields */
    push(fields) {
      if (fields.length === 1 && fields[0].trim() === "") {
        this.empty++;
        return;
      }
      this.seen++;
      if (this.seen === 1) this.begin(fields);
      else this.row(fields);
    }

    /** @param {string[]} fields */
    row(fields) {
      if (
        this.header &&
        this.rows === 0 &&
        this.ragged.length === 0 &&
        fields.length === this.columns.length + 1 &&
        fields.at(-1) !== ""
      ) {
        this.columns.unshift(new Column("row")); // as R writes tables: names of rows have no name
        this.notes.push("Rows have one field more than the first line: their first field is shown as the column row.");
      }
      const width = this.columns.length;
      if (fields.length < width || fields.slice(width).some((field) => field.trim() !== "")) {
        this.ragged.push(this.seen);
        return;
      }
      if (this.rows === MAX_ROWS) {
        throw new Refusal(
          `The table has more than ${MAX_ROWS.toLocaleString("en")} rows. ` +
            "Take a sample of them, or use notebook 17, which reads any number.",
        );
      }
      this.rows++;
      for (let i = 0; i < width; i++) this.columns[i].push(fields[i]);
    }

    /** Refuse what is no table, once every row is known. */
    finish() {
      const width = this.columns.length;
      if (this.ragged.length > this.rows) {
        throw new Refusal(
          `Most lines do not have as many fields as the first, which has ${width}. ` +
            "Is this a table, and is its separator one of these: " +
            `${Object.values(SEPARATORS).join(", ")}?`,
        );
      }
      if (width < 2) {
        throw new Refusal(
          "There is one column only. A table that can be taken apart has a total and at least one column of labels, " +
            `with one of these between them: ${Object.values(SEPARATORS).join(", ")}.`,
        );
      }
      if (this.rows === 0) throw new Refusal("There are names of columns, and no rows below them.");
      if (this.empty) this.notes.push(`${counted(this.empty, "empty line")} left out.`);
      if (this.ragged.length) {
        const where = this.ragged
          .slice(0, 3)
          .map((line) => line.toLocaleString("en"))
          .join(", ");
        const more = this.ragged.length > 3 ? ", …" : "";
        this.notes.push(
          `${counted(this.ragged.length, "line")} left out, for not having ${width} fields: line ${where}${more} ` +
            "(empty lines not counted).",
        );
      }
    }
  }

  /**
   * The table in a text.
   * @param {string} text
   * @param {{header?: boolean | null, onProgress?: (share: number) => void}} [options]
   * @returns {Promise<Table>}
   */
  function parse(text, { header = null, onProgress = () => {} } = {}) {
    refuseOtherTexts(text);
    const body = text.replace(/(\r\n|\r|\n)+$/, "");
    const table = new Table(header);
    return new Promise((resolve, reject) => {
      Papa.parse(body, {
        chunkSize: CHUNK,
        delimitersToGuess: ["\t", ";", "|", ","], // a comma may also be a decimal mark
        chunk(/** @type {any} */ results, /** @type {any} */ parser) {
          try {
            const unclosed = results.errors.find((/** @type {any} */ error) => error.type === "Quotes");
            if (unclosed) {
              const line = (table.seen + unclosed.row + 1).toLocaleString("en");
              throw new Refusal(`A quotation mark is not closed, or stands within a field, near line ${line}.`);
            }
            table.separator = results.meta.delimiter;
            for (const fields of results.data) table.push(fields);
          } catch (error) {
            reject(error); // first: an abort completes
            parser.abort();
            return;
          }
          if (results.meta.cursor < body.length) {
            onProgress(results.meta.cursor / body.length);
            parser.pause();
            setTimeout(() => parser.resume(), 0);
          }
        },
        complete() {
          try {
            table.finish();
            resolve(table);
          } catch (error) {
            reject(error);
          }
        },
      });
    });
  }

  Object.assign(apart, { Refusal, decode, parse, counted, SEPARATORS, MAX_BYTES });
})();
