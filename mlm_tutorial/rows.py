"""From a table's rows to numbers: totals, and the positions of labels among those that are known.

A table is read in pieces, so that its rows need not fit into memory as Python objects; what is kept of a row is a few
numbers.
"""

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
import xarray as xr

from mlm_tutorial.names import is_missing, positions
from mlm_tutorial.tables import TOTALS, bad_values, covariate_column, labels_column, open_labels, open_table

#: Rows that are turned into Python objects at a time.
PIECE = 100_000

#: Code of a layer that is absent in a row.
ABSENT = -1

#: Number of known labels that an error message lists.
SHOWN = 10


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a table as numbers, N rows in J layers.

    Attributes
    ----------
    layers : tuple of str
    codes : numpy.ndarray of int, shape (N, J)
        Position of each row's contributors among the known ones; -1 where the layer is absent. Contributors that are
        not known have positions after the known ones, in the order of `new`.
    totals : numpy.ndarray of float, shape (N,), or None
    x : numpy.ndarray of float, shape (N, K)
        Values of the covariates.
    new : dict of str to tuple
        Labels of each layer that are not known, in the order in which they occur first.
    """

    layers: tuple[str, ...]
    codes: np.ndarray
    totals: np.ndarray | None
    x: np.ndarray
    new: dict[str, tuple]

    def __len__(self) -> int:
        return len(self.codes)


class Table:
    """A table whose columns are checked, and whose rows are not read yet.

    Parameters
    ----------
    frame : data frame or lazy frame
        Any table that narwhals supports.
    layers : list of str
        Names of the columns with the contributors' labels.
    total : str, optional
        Name of the column with the totals. Without it, totals are neither needed nor read.
    covariates : sequence of str
        Names of the columns with the covariates.

    Raises
    ------
    TypeError
        If `frame` is not a table, `total` or a covariate is not numeric, or a name is not a string.
    KeyError
        If a column does not exist.
    ValueError
        If `layers` is empty, or a column is named twice.
    """

    def __init__(self, frame: Any, layers: Sequence[str], total: str | None = None, covariates: Sequence[str] = ()):
        data, names, covariates = (
            open_labels(frame, layers, covariates) if total is None else open_table(frame, total, layers, covariates)
        )
        self.layers, self.total, self.covariates = tuple(names), total, tuple(covariates)
        self._numbers = ([] if total is None else [TOTALS]) + [covariate_column(k) for k in range(len(covariates))]
        self._data = data.select(*(labels_column(j) for j in range(len(names))), *self._numbers)

    def rows(
        self,
        known: Mapping[str, xr.DataArray | Sequence[Hashable]],
        absent: Collection[str] = (),
        new: Collection[str] = (),
        hint: Mapping[str, str] | None = None,
    ) -> Rows:
        """Read all rows.

        Parameters
        ----------
        known : mapping
            For each layer its known labels, or the coordinate of its dim in a posterior.
        absent : collection of str
            Layers that may be absent in a row; their label is then missing.
        new : collection of str
            Layers whose labels need not be known.
        hint : mapping of str to str, optional
            By layer, what to add to the error about a label that is not known.

        Returns
        -------
        Rows

        Raises
        ------
        TypeError
            If a label is not hashable.
        ValueError
            If there are no rows, a total or a covariate is missing or infinite, or a label is missing or not known
            where it must be.
        """
        columns = [
            _Codes(name, known[name], name in absent, name in new, (hint or {}).get(name)) for name in self.layers
        ]
        codes: list[np.ndarray] = []
        numbers: list[np.ndarray] = []
        bad, n = [_Bad() for _ in self._numbers], 0
        for labels, values in _pieces(self._data, len(self.layers), self._numbers):
            codes.append(np.stack([column.of(part, n) for column, part in zip(columns, labels, strict=True)], axis=1))
            for wrong, flags in zip(bad, ~np.isfinite(values.T), strict=True):
                wrong.look_at(flags, n)
            numbers.append(values)
            n += len(codes[-1])
        if n == 0:
            raise ValueError("the frame is empty; expected one row at least")
        names = [*([] if self.total is None else [self.total]), *self.covariates]
        for name, wrong in zip(names, bad, strict=True):
            wrong.require_none(name, f"missing or infinite {'totals' if name == self.total else 'values'}")
        found = np.concatenate(numbers)
        first = len(names) - len(self.covariates)
        for column in columns:
            column.require_labels()
        return Rows(
            layers=self.layers,
            codes=np.concatenate(codes),
            totals=None if self.total is None else found[:, 0],
            x=found[:, first:],
            new={column.layer: tuple(column.new) for column in columns},
        )


class _Bad:
    """Counts invalid values, and keeps the row of the first."""

    def __init__(self):
        self.count, self.first = 0, 0

    def look_at(self, flags: np.ndarray, start: int) -> None:
        found = int(np.count_nonzero(flags))
        if found and not self.count:
            self.first = start + int(np.argmax(flags))
        self.count += found

    def require_none(self, column: str | None, kind: str) -> None:
        if self.count:
            raise ValueError(bad_values(column, self.count, kind, f"in row {self.first} (counted from 0)"))


class _Codes:
    """Positions of one layer's labels, piece by piece. Each label is looked up once, however many rows it has."""

    def __init__(self, layer: str, known, may_be_absent: bool, may_be_new: bool, hint: str | None):
        self.layer, self.known, self.hint = layer, known, hint
        self.may_be_absent, self.may_be_new = may_be_absent, may_be_new
        self.new: list[Hashable] = []
        self._code: dict[Hashable, int] = {}
        self._missing = _Bad()
        self._place = None if isinstance(known, xr.DataArray) else {label: k for k, label in enumerate(known)}

    def of(self, labels: list, start: int) -> np.ndarray:
        try:
            # In the order of the rows, so that new labels get the same numbers in every piece and on every machine.
            unseen = [label for label in dict.fromkeys(labels) if label not in self._code]
        except TypeError:
            self._refuse_what_has_no_hash(labels, start)
            raise
        unseen = [label for label in unseen if not is_missing(label)]
        places = self._places(unseen)
        if not self.may_be_new and (places < 0).any():
            label = unseen[int(np.argmax(places < 0))]
            row = start + next(i for i, other in enumerate(labels) if other in {label})
            raise ValueError(self._unknown(label, row))
        for label, place in zip(unseen, places.tolist(), strict=True):
            if place < 0:
                place = len(self.known) + len(self.new)
                self.new.append(label)
            self._code[label] = place
        # A missing label is never stored: to a dict, every NaN is another key.
        codes = np.fromiter((self._code.get(label, ABSENT) for label in labels), np.int64, len(labels))
        if not self.may_be_absent:
            self._missing.look_at(codes == ABSENT, start)
        return codes

    def require_labels(self) -> None:
        self._missing.require_none(self.layer, "missing labels")

    def _places(self, labels: list) -> np.ndarray:
        if self._place is None:
            return positions(self.known, labels)
        return np.array([self._place.get(label, -1) for label in labels], dtype=int)

    def _unknown(self, label, row: int) -> str:
        known = self.known.values.tolist() if isinstance(self.known, xr.DataArray) else list(self.known)
        more = f" and {len(known) - SHOWN:,} more" if len(known) > SHOWN else ""
        text = (
            f"column {self.layer!r} has the label {label!r} in row {row} (counted from 0), which is not known; "
            f"known labels are {known[:SHOWN]}{more}"
        )
        twins = [other for other in known if str(other) == str(label)]
        if twins:
            text += f". It has {twins[0]!r}, of type {type(twins[0]).__name__} and not {type(label).__name__}"
        return f"{text}. {self.hint}" if self.hint else text

    def _refuse_what_has_no_hash(self, labels: list, start: int) -> None:
        for i, label in enumerate(labels):
            try:
                hash(label)
            except TypeError:
                raise TypeError(
                    f"column {self.layer!r} has {label!r} of type {type(label).__name__} in row {start + i} (counted "
                    "from 0), which cannot be a label; convert the column to text or tuples first"
                ) from None


def _pieces(data, n_layers: int, numbers: list[str]) -> Iterator[tuple[list[list], np.ndarray]]:
    """Yield labels of every layer, and numbers, in batches of rows in the order of the table."""
    if data.implementation.is_spark_like():
        # Only one partition at a time is on the driver.
        for part in batched(data.to_native().toLocalIterator(), PIECE):
            columns = list(zip(*part, strict=True))
            rows = [[np.nan if v is None else v for v in column] for column in columns[n_layers:]]
            x = np.array(rows, dtype=float).T if rows else np.zeros((len(part), 0))
            yield [list(column) for column in columns[:n_layers]], x
        return
    for table in _eager_parts(data):
        for start in range(0, len(table), PIECE):
            piece = table[start : start + PIECE]
            values = [piece[name].to_numpy().astype(float) for name in numbers]
            x = np.stack(values, axis=1) if values else np.zeros((len(piece), 0))
            yield [piece[labels_column(j)].to_list() for j in range(n_layers)], x


def _eager_parts(data) -> Iterator[nw.DataFrame]:
    """Yield the rows of a table as tables in memory: in one piece if they are in memory already, else part by part."""
    native = data.to_native()
    if isinstance(data, nw.DataFrame):
        yield data
    elif data.implementation.is_duckdb():
        for batch in native.to_arrow_reader(PIECE):
            yield nw.from_native(pa.Table.from_batches([batch]), eager_only=True)
    elif data.implementation.is_dask():
        for i in range(native.npartitions):
            yield nw.from_native(native.get_partition(i).compute(), eager_only=True)
    elif data.implementation.is_polars() and hasattr(native, "collect_batches"):
        for batch in native.collect_batches(chunk_size=PIECE, maintain_order=True, engine="streaming"):
            yield nw.from_native(batch, eager_only=True)
    else:
        yield data.collect()
