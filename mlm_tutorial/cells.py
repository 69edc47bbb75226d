"""From rows to sufficient statistics: one cell for every combination of contributors that occurs.

All observations with the same contributors share one mean and one variance, so a cell's count, mean and centred sum of
squares say all that its rows say about them.
"""

import warnings
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.sparse.linalg import lsqr

from mlm_tutorial.layers import BASELINE, TOTAL, label_index, single_contributor_message

# Names that models, posteriors and the tables made here use for columns and dimensions of their own.
RESERVED_NAMES = frozenset(
    {BASELINE, TOTAL, "n", "mean", "sum_sq", "sample"}
    | {"cell", "chain", "component", "draw", "observation", "parameter", "statistic"}
)


@dataclass(frozen=True, eq=False)
class Cells:
    """Sufficient statistics of observations, C cells in J layers.

    Attributes
    ----------
    layers : tuple of str
        Names of the layers.
    labels : dict of str to tuple
        Labels of the contributors of each layer, sorted.
    codes : numpy.ndarray of int, shape (C, J)
        Position of each cell's contributors in `labels`.
    n : numpy.ndarray of int, shape (C,)
        Observations in each cell.
    mean : numpy.ndarray of float, shape (C,)
        Average total of each cell.
    sum_sq : numpy.ndarray of float, shape (C,)
        Sum of squared deviations from the cell's mean.
    """

    layers: tuple[str, ...]
    labels: Mapping[str, tuple]
    codes: np.ndarray
    n: np.ndarray
    mean: np.ndarray
    sum_sq: np.ndarray

    def __len__(self) -> int:
        return len(self.n)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name}: {len(self.labels[name])}" for name in self.layers)
        return f"<Cells: {self.n_observations:,} observations in {len(self)} cells; {sizes}>"

    @property
    def n_observations(self) -> int:
        """Number of observations in all cells."""
        return int(self.n.sum())

    def counts(self, layer: str) -> np.ndarray:
        """Return the number of observations of each contributor of `layer`, shape (m_j,)."""
        if layer not in self.layers:
            raise ValueError(f"no layer named {layer!r} in these cells; there are {self.layers}")
        code = self.codes[:, self.layers.index(layer)]
        return np.bincount(code, weights=self.n, minlength=len(self.labels[layer])).astype(int)

    def pooled(self) -> tuple[float, float]:
        """Return mean and variance of all totals together (the variance divides by N - 1)."""
        center = np.average(self.mean, weights=self.n)
        deviation = self.mean - center
        total = self.sum_sq.sum() + self.n @ deviation**2
        return float(center), float(total / max(self.n_observations - 1, 1))

    def design(self) -> csr_array:
        """Return which contributors each cell has, as zeros and ones.

        Returns
        -------
        scipy.sparse.csr_array, shape (C, 1 + sum of m_j)
            A column of ones for the baseline, then one column a contributor, layer by layer.
        """
        sizes = [len(self.labels[name]) for name in self.layers]
        starts = np.cumsum([1, *sizes])
        columns = np.hstack([np.zeros((len(self), 1), int), self.codes + starts[:-1]])
        rows = np.repeat(np.arange(len(self)), 1 + len(sizes))
        return csr_array((np.ones(columns.size), (rows, columns.ravel())), (len(self), starts[-1]))

    def additive_means(self) -> np.ndarray:
        """Return the cells' means as an additive fit gives them: weighted least squares on the layers, shape (C,)."""
        return self._additive_means.copy()

    @cached_property
    def _additive_means(self) -> np.ndarray:  # seconds with thousands of contributors, and asked for several times
        center, _ = self.pooled()
        design = self.design()
        weight = np.sqrt(self.n)
        fit = lsqr(
            design.multiply(weight[:, None]).tocsr(),
            (self.mean - center) * weight,
            atol=1e-10,
            btol=1e-10,
        )[0]
        return center + design @ fit

    def residual_variance(self) -> float:
        """Return the variance of the totals about :meth:`additive_means`.

        This is V of the course: the rough size of one observation's variance once contributors' means are taken out.
        Where the fit leaves no degree of freedom or no residual, the variance of all totals takes its place.

        Returns
        -------
        float
            A variance, in squared units of the total; always positive.
        """
        _, pooled = self.pooled()
        residual = np.sum(self.sum_sq + self.n * (self.mean - self.additive_means()) ** 2)
        dof = self.n_observations - (1 + sum(len(self.labels[name]) - 1 for name in self.layers))
        if dof <= 0 or residual <= 1e-12 * pooled * self.n_observations:
            return pooled
        return float(residual / dof)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a cell: a column for each layer, then ``n``, ``mean`` and ``sum_sq``.

        Returns
        -------
        pandas.DataFrame
        """
        columns = {name: label_index(self.labels[name]).take(self.codes[:, j]) for j, name in enumerate(self.layers)}
        return pd.DataFrame(columns | {"n": self.n, "mean": self.mean, "sum_sq": self.sum_sq})

    def merge(self, other: "Cells") -> "Cells":
        """Combine with the cells of another part of the data.

        The result is what :func:`cell_statistics` gives for both parts together (Chan, Golub and LeVeque 1979,
        *Updating formulae and a pairwise algorithm for computing sample variances*).

        Parameters
        ----------
        other : Cells
            Cells with the same layers in the same order; their contributors may differ.

        Returns
        -------
        Cells

        Raises
        ------
        TypeError, ValueError
            If `other` is not `Cells`, or has other layers.
        """
        if not isinstance(other, Cells):
            raise TypeError(f"expected Cells to merge with, got {type(other).__name__}")
        if self.layers != other.layers:
            raise ValueError(f"cells to merge must have the same layers: expected {self.layers}, got {other.layers}")
        labels = {name: _sorted_labels([*self.labels[name], *other.labels[name]]) for name in self.layers}
        codes = np.vstack([part._recode(labels) for part in (self, other)])
        unique, position = np.unique(codes, axis=0, return_inverse=True)
        n, mean, sum_sq = np.zeros((3, 2, len(unique)))
        for i, part in enumerate((self, other)):
            cell = position.ravel()[i * len(self) :][: len(part)]
            n[i, cell], mean[i, cell], sum_sq[i, cell] = part.n, part.mean, part.sum_sq
        both = n.sum(axis=0)
        delta = np.where((n > 0).all(axis=0), mean[1] - mean[0], 0.0)
        first = np.where(n[0] > 0, mean[0], mean[1])
        return Cells(
            layers=self.layers,
            labels=labels,
            codes=unique,
            n=both.astype(np.int64),
            mean=first + delta * n[1] / both,
            sum_sq=sum_sq.sum(axis=0) + delta**2 * n[0] * n[1] / both,
        )

    def _recode(self, labels: Mapping[str, tuple]) -> np.ndarray:
        """Return `codes` as positions in other, longer, tuples of labels."""
        columns = []
        for j, name in enumerate(self.layers):
            position = {label: k for k, label in enumerate(labels[name])}
            columns.append(np.array([position[x] for x in self.labels[name]])[self.codes[:, j]])
        return np.stack(columns, axis=1)

    def require_whole(self) -> None:
        """Raise ValueError unless these cells are enough to fit a model.

        Needed are two observations at least, totals that differ, and two contributors in every layer.
        """
        if self.n_observations < 2:
            raise ValueError(f"expected two observations at least, got {self.n_observations}")
        for name in self.layers:
            if len(self.labels[name]) < 2:
                raise ValueError(single_contributor_message(name, self.labels[name][0]))
        if self.sum_sq.max() == 0 and np.all(self.mean == self.mean[0]):
            raise ValueError(f"all totals are equal ({self.mean[0]:g}), so there is no spread to decompose")


def cell_statistics(frame: Any, total: str = TOTAL, layers: Sequence[str] = (), partial: bool = False) -> Cells:
    """Reduce a table of observations to its cells.

    The table may be any that narwhals knows: pandas, Polars (lazy too), PyArrow, DuckDB, Dask or PySpark. Lazy tables
    are reduced where they are; only the cells come back.

    Parameters
    ----------
    frame : data frame or lazy frame
        One row an observation.
    total : str
        Name of the column with the totals.
    layers : list of str
        Names of the columns with the contributors' labels, one for each layer after the baseline.
    partial : bool
        Whether `frame` is only a part of the data, whose cells will be merged with those of other parts. A part may
        have one observation, equal totals, or a layer with a single contributor; the whole may not.

    Returns
    -------
    Cells
        Sorted by the layers' labels, whatever the order of the rows.

    Raises
    ------
    TypeError
        If `frame` is no table, `total` is not numeric, or a name is not a string.
    KeyError
        If a column does not exist.
    ValueError
        If a column is named twice, the frame is empty, a total is missing or infinite, a label is missing, or the
        whole cannot be decomposed (see `partial`).
    """
    data = _as_narwhals(frame)
    layers = _checked_columns(data, total, layers)
    schema = data.collect_schema()
    if not schema[total].is_numeric():
        raise TypeError(f"column {total!r} must be numeric, got {schema[total]}; convert it to numbers first")
    data = data.select(nw.col(total).cast(nw.Float64).alias("__x"), *layers)
    grouped = _group(data, layers)
    if grouped.empty or _has_bad_values(grouped, layers):
        _check_values(data, total, layers)  # says which value, and where
    labels, codes = {}, []
    for name in layers:
        column = grouped[name].tolist()
        labels[name] = _sorted_labels(column)
        position = {label: k for k, label in enumerate(labels[name])}
        codes.append([position[label] for label in column])
    codes = np.array(codes, dtype=np.int64).T
    order = np.lexsort(codes.T[::-1])
    n, mean, sum_sq = (grouped[name].to_numpy()[order] for name in ("__n", "__mean", "__sum_sq"))
    cells = Cells(
        layers=tuple(layers),
        labels=labels,
        codes=codes[order],
        n=n,
        mean=grouped["__pivot"].to_numpy()[order] + mean,
        sum_sq=sum_sq,
    )
    if not partial:
        cells.require_whole()
    return cells


def _as_narwhals(frame: Any):
    # Before narwhals sees it: its own error does not say which table, and DuckDB takes the first of two columns.
    # Polars has no two columns of one name, and lists a lazy frame's only at a cost.
    if not hasattr(frame, "collect_schema"):
        names = getattr(frame, "column_names", getattr(frame, "columns", ()))
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise ValueError(f"the frame has more than one column named {twice[0]!r}")
    try:
        with warnings.catch_warnings():
            # narwhals will ask for a package `narwhals-dask` some day; today there is none to install.
            warnings.filterwarnings("ignore", "Dask support is moving", FutureWarning)
            return nw.from_native(frame)
    except TypeError:
        raise TypeError(
            f"expected a data frame (pandas, Polars, PyArrow, DuckDB, Dask or PySpark), got {type(frame).__name__}"
        ) from None


def _checked_columns(data, total: str, layers: Sequence[str]) -> list[str]:
    if isinstance(layers, str) or not isinstance(layers, Iterable):
        raise TypeError(f"layers must be a list of column names, got {layers!r}")
    layers = list(layers)
    if not layers:
        raise ValueError("layers is empty; name at least one column of contributors")
    for name in (total, *layers):
        if not isinstance(name, str):
            raise TypeError(f"column names must be strings, got {name!r}")
    for name, count in Counter([total, *layers]).items():
        if count > 1:
            raise ValueError(f"column {name!r} is named {count} times; total and layers must all differ")
    reserved = [name for name in layers if name in RESERVED_NAMES or name.startswith("__")]
    if reserved:
        raise ValueError(f"{reserved[0]!r} cannot name a layer, the package uses that name; rename the column")
    columns = data.collect_schema().names()
    missing = [name for name in (total, *layers) if name not in columns]
    if missing:
        raise KeyError(f"no column {missing[0]!r} in the frame; it has {', '.join(map(str, columns))}")
    return layers


def _group(data, layers: list[str]) -> pd.DataFrame:
    """Return a row a cell in one pass: labels, ``__n``, ``__count`` of totals, ``__pivot``, ``__mean``, ``__sum_sq``.

    Means are those of x minus a pivot: an offset of 1e9 would otherwise cost nine digits.
    """
    if data.implementation.is_dask():
        return _group_partitions(data.to_native(), layers)
    # The middle of a few rows, for a mean of all would take a pass of its own. Only this one number comes back.
    middle = data.select("__x").filter(nw.col("__x").is_finite()).head(1_000).select(nw.col("__x").median())
    pivot = _collect(middle)["__x"].to_list()[0] or 0.0
    # The grouped variance is each backend's own, and none of those left computes it as sum(x^2) - n mean^2.
    grouped = _collect(
        data.with_columns(nw.col("__x") - pivot)
        .group_by(*layers)
        .agg(
            nw.len().alias("__n"),
            nw.col("__x").count().alias("__count"),
            nw.col("__x").mean().alias("__mean"),
            nw.col("__x").var(ddof=0).alias("__var"),
        )
    )
    table = {name: pd.Series(grouped[name].to_list(), dtype=object) for name in layers}
    table |= {name: grouped[name].to_numpy().astype(np.int64) for name in ("__n", "__count")}
    n, variance = table["__n"], np.nan_to_num(grouped["__var"].to_numpy().astype(float))
    # A cell with one row has no spread; rounding must not leave one, nor a negative one.
    sum_sq = np.where(n > 1, np.maximum(variance, 0) * n, 0.0)
    mean = grouped["__mean"].to_numpy().astype(float)
    return pd.DataFrame(table | {"__pivot": float(pivot), "__mean": mean, "__sum_sq": sum_sq})


def _collect(data) -> nw.DataFrame:
    """Compute a lazy frame; Polars in batches, so that the rows need not fit into memory."""
    data = data.lazy()
    return data.collect(engine="streaming") if data.implementation.is_polars() else data.collect()


def _group_partitions(frame, layers: list[str]) -> pd.DataFrame:
    """Group a Dask frame: each partition where it is, then the cells of several partitions, as in a tree.

    Dask's own grouped variance is sum(x^2) - n mean^2.
    """
    return frame.reduction(
        _group_partition,
        aggregate=_merge_groups,
        combine=_merge_groups,
        chunk_kwargs={"layers": layers},
        aggregate_kwargs={"layers": layers},
        combine_kwargs={"layers": layers},
        meta=_group_partition(frame._meta, layers),
        split_every=8,
    ).compute()


def _group_partition(frame: pd.DataFrame, layers: list[str]) -> pd.DataFrame:
    return _group(nw.from_native(frame), layers)


def _merge_groups(groups: pd.DataFrame, layers: list[str]) -> pd.DataFrame:
    """Merge cells with the same labels (Chan, Golub and LeVeque 1979); each part comes with its own pivot."""
    if groups.empty:
        return groups
    # The difference of two pivots is exact or nearly so; adding a pivot to a mean would round the mean.
    pivot = groups["__pivot"].iloc[0]
    groups["__mean"] += groups["__pivot"] - pivot
    key = groups.groupby(layers, sort=False, dropna=False).ngroup().to_numpy()
    first = np.unique(key, return_index=True)[1]
    n, mean = groups["__n"].to_numpy(), groups["__mean"].to_numpy()

    def add(values):
        return np.bincount(key, weights=values)

    merged = groups.iloc[first].reset_index(drop=True)
    merged["__n"], merged["__count"] = add(n).astype(np.int64), add(groups["__count"]).astype(np.int64)
    merged["__pivot"], merged["__mean"] = pivot, add(n * mean) / add(n)
    between = n * (mean - merged["__mean"].to_numpy()[key]) ** 2
    merged["__sum_sq"] = add(groups["__sum_sq"] + between)
    return merged


def _has_bad_values(grouped: pd.DataFrame, layers: list[str]) -> bool:
    """Return whether a label or a total is missing, or a total is infinite."""
    labels = any(grouped[name].isna().any() for name in layers)
    return labels or (grouped["__n"] != grouped["__count"]).any() or not np.isfinite(grouped["__mean"]).all()


def _check_values(data, total: str, layers: list[str]) -> None:
    """Raise ValueError if there are no rows, or missing or infinite values, and say where."""
    schema = data.collect_schema()
    bad = {total: nw.col("__x").is_null() | ~nw.col("__x").is_finite()}
    for name in layers:
        bad[name] = nw.col(name).is_null()
        if schema[name].is_float():
            bad[name] = bad[name] | nw.col(name).is_nan().fill_null(True)
    # Sums of flags rather than counts: one pass over the rows, the same on every backend.
    flags = data.with_columns(*(flag.cast(nw.Int64).alias(f"__bad_{i}") for i, flag in enumerate(bad.values())))
    summary = (
        flags.select(
            nw.len().alias("__n"),
            *(nw.col(f"__bad_{i}").sum() for i in range(len(bad))),
        )
        .lazy()
        .collect()
    )
    if summary["__n"].to_list()[0] == 0:
        raise ValueError("the frame is empty; expected two observations at least")
    for i, name in enumerate(bad):
        count = summary[f"__bad_{i}"].to_list()[0]
        if count:
            kind = "missing or infinite totals" if name == total else "missing labels"
            where = _first_bad_row(data, list(bad.values())[i], layers)
            raise ValueError(f"column {name!r} has {count} {kind}; the first is {where}")


def _first_bad_row(data, flag, layers: list[str]) -> str:
    if isinstance(data, nw.DataFrame):
        position = data.with_columns(flag.alias("__bad"))["__bad"].to_list().index(True)
        return f"in row {position} (counted from 0)"
    row = data.filter(flag).head(1).collect().rows(named=True)[0]
    return f"in the row with total {row.pop('__x')} and labels {row}"


def _sorted_labels(labels: Sequence[Hashable]) -> tuple:
    """Return the distinct labels in ascending order; labels that do not compare are ordered by type, then text."""
    distinct = list(dict.fromkeys(labels))
    try:
        return tuple(sorted(distinct))
    except TypeError:
        return tuple(sorted(distinct, key=lambda x: (type(x).__name__, str(x))))
