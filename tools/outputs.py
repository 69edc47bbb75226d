"""The text outputs of a notebook, split into words and numbers, with a reason why some numbers cannot be reproduced."""

import re
from dataclasses import dataclass
from html.parser import HTMLParser

__all__ = ["Output", "Token", "read_outputs"]

# A number that stands by itself: not a part of a name (cc_27), of a date (2013-01-01) or of a version (1.2.3).
_NUMBER = r"(?<![\w.])[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[+-]?\d+)?(?![\w]|\.\d|-\d)"
_VERSION = r"\d+\.\d+\.\d+[\w.+]*"
_DATE = r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?"
_WORD = r"[^\s\d+-]+|\S"
_TOKEN = re.compile(f"(?P<date>{_DATE})|(?P<version>{_VERSION})|(?P<number>{_NUMBER})|(?P<word>{_WORD})")
_UNIT = re.compile(r"\s?(?:ns|µs|us|ms|s|sec|seconds?|min|minutes?)\b")
# Words of a label or a line that mark its numbers as measured with a clock, or computed from such numbers.
_CLOCK = re.compile(r"second|\btimes? (?:as|faster|slower)|faster|slower|as long|_per_s\b|\btime\b", re.IGNORECASE)


@dataclass(frozen=True)
class Token:
    """A word or a number of an output.

    Attributes
    ----------
    text : str
        As it is printed.
    value : float or None
        The number; None for a word.
    unit : float
        Size of one step of the last printed digit; 0 for a word.
    label : str
        Place of the number: row and column of a table, or the words before it.
    unjudged : str
        ``seconds``, ``versions`` or ``dates`` where the number is of this kind, else empty.
    """

    text: str
    value: float | None = None
    unit: float = 0.0
    label: str = ""
    unjudged: str = ""

    @property
    def is_number(self) -> bool:
        """Whether this is a number, including numbers that are not judged."""
        return self.value is not None or bool(self.unjudged)


@dataclass(frozen=True)
class Output:
    """One output of a code cell.

    Attributes
    ----------
    cell : int
        Position of the cell in the notebook, from 1.
    kind : str
        ``text``, ``table``, ``stderr`` or ``error``; ``other`` for figures, widgets and the like.
    tokens : tuple of Token
        Words and numbers in their order; empty for ``other``.
    """

    cell: int
    kind: str
    tokens: tuple[Token, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """The words, which must be equal for numbers to be comparable one by one."""
        return tuple("" if token.is_number else token.text for token in self.tokens)

    @property
    def numbers(self) -> tuple[Token, ...]:
        """The tokens that are numbers, including those that are not judged."""
        return tuple(token for token in self.tokens if token.is_number)


def read_outputs(notebook: dict) -> list[Output]:
    """Return the outputs of all code cells.

    Parameters
    ----------
    notebook : dict
        Content of an .ipynb file.

    Returns
    -------
    list of Output
        In their order. Pieces of one stream are one output, however the kernel split it.
    """
    found = []
    for position, cell in enumerate(notebook["cells"], 1):
        streams = {}
        for output in cell.get("outputs", []):
            if output["output_type"] == "stream":
                streams[output["name"]] = streams.get(output["name"], "") + _joined(output["text"])
            elif output["output_type"] == "error":
                found.append(Output(position, "error", tuple(_read_line(output["ename"]))))
            else:
                found.append(_read_data(position, output["data"]))
        for name, text in streams.items():
            tokens = [token for line in text.splitlines() for token in _read_line(line)]
            found.append(Output(position, "text" if name == "stdout" else name, tuple(tokens)))
    return found


def _joined(text) -> str:
    """Return a multi-line string of an .ipynb file as one."""
    return text if isinstance(text, str) else "".join(text)


def _read_data(position, data) -> Output:
    html, plain = _joined(data.get("text/html", "")), _joined(data.get("text/plain", ""))
    if "<table" in html:
        return Output(position, "table", tuple(_read_table(html)))
    if set(data) - {"text/plain"}:
        return Output(position, "other")  # the plain text of a figure or of a widget is its address or its size
    return Output(position, "text", tuple(token for line in plain.splitlines() for token in _read_line(line)))


def _read_line(line, label="", clock=False):
    """Yield the tokens of a line; `label` and `clock` come from the table that it is a cell of."""
    words, clock = [], clock or bool(_CLOCK.search(line))
    for match in _TOKEN.finditer(line):
        text, kind = match.group(), match.lastgroup
        where = label or " ".join(words[-6:])
        if kind == "word":
            words.append(text)
            yield Token(text)
        elif kind in ("version", "date"):
            yield Token(text, label=where, unjudged="versions" if kind == "version" else "dates")
        else:
            seconds = clock or _UNIT.match(line, match.end())
            value = float(text.replace(",", ""))
            yield Token(text, value, _last_digit(text), where, "seconds" if seconds else "")


def _last_digit(text) -> float:
    mantissa, _, exponent = text.partition("e")
    decimals = len(mantissa.partition(".")[2])
    return 10.0 ** (int(exponent or 0) - decimals)


def _read_table(html):
    """Yield the tokens of an HTML table of pandas, labeled by row and column."""
    reader = _TableReader()
    reader.feed(html)
    header = reader.rows[: reader.heads]
    names = [" ".join(filter(None, (row[i] for row in header if i < len(row)))) for i in range(reader.width)]
    for name in names:
        yield from (Token(word) for word in name.split())
    for row, labels in zip(reader.rows[reader.heads :], reader.labels[reader.heads :], strict=True):
        before = " ".join(row[:labels])
        for i, text in enumerate(row):
            if i < labels:  # a label is a word, also where it is a number
                yield from (Token(word) for word in text.split())
            else:
                label = ", ".join(filter(None, (before, names[i] if i < len(names) else "")))
                yield from _read_line(text, label, clock=bool(_CLOCK.search(label)))


class _TableReader(HTMLParser):
    """Rows of the tables of a text, each row a list of texts; cells that span several columns count as often."""

    def __init__(self):
        super().__init__()
        self.rows, self.labels, self.heads, self.width = [], [], 0, 0
        self._in_head = False
        self._cell = None

    def handle_starttag(self, tag, attrs):
        if tag == "thead":
            self._in_head = True
        elif tag == "tr":
            self.rows.append([])
            self.labels.append(0)
        elif tag in ("th", "td") and self.rows:
            self._cell = (tag, int(dict(attrs).get("colspan") or 1), [])

    def handle_data(self, data):
        if self._cell:
            self._cell[2].append(data)

    def handle_endtag(self, tag):
        if tag == "thead":
            self._in_head, self.heads = False, len(self.rows)
        elif tag in ("th", "td") and self._cell:
            kind, span, texts = self._cell
            self.rows[-1] += ["".join(texts).strip()] * span
            self.labels[-1] += span if kind == "th" else 0
            self.width = max(self.width, len(self.rows[-1]))
            self._cell = None
