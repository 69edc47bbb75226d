"""From rows to sufficient statistics: one cell for every combination of contributors that occurs.

All observations with the same contributors share one mean and one variance, for which a cell's count, mean and centered
sum of squares are sufficient.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import lsqr

from mlm_tutorial.layers import label_index, single_contributor_message
from mlm_tutorial.names import TOTAL, folded, require_layer, text_of
from mlm_tutorial.tables import group_rows, labels_column, open_table, product_column


@dataclass(frozen=True, eq=False)
class Cells:
    r"""Sufficient statistics of observations, C cells in J layers.

    Attributes
    ----------
    layers : tuple of str
        Names of the layers.
    labels : dict of str to tuple
        Labels of the contributors of each layer, sorted.
    codes : numpy.ndarray of int, shape (C, J)
        Position of each cell's contributors in `labels`; -1 where the cell's rows lack the layer.
    n : numpy.ndarray of int, shape (C,)
        Observations in each cell.
    mean : numpy.ndarray of float, shape (C,)
        Average total of each cell.
    sum_sq : numpy.ndarray of float, shape (C,)
        Sum of squared deviations from the cell's mean.
    absent : frozenset of str
        Names of the layers that a row may lack.
    covariates : tuple of str
        Names of the K numbers that each row has beside its labels.
    x_mean : numpy.ndarray of float, shape (C, K)
        Averages of the covariates in each cell.
    x_products : numpy.ndarray of float, shape (C, K, K)
        Sums of products of the covariates' deviations from the cell's averages.
    x_total : numpy.ndarray of float, shape (C, K)
        Sums of products of these deviations and those of the totals.

    Notes
    -----
    With covariates, a total's mean is the cell's plus :math:`(x_i - \bar x)^\top\beta`. Count, means and sums of
    products are sufficient for it: the density of a cell's rows is a function of them (section 14.2 of Gelman et al.
    2013, *Bayesian Data Analysis*).
    """

    layers: tuple[str, ...]
    labels: Mapping[str, tuple]
    codes: np.ndarray
    n: np.ndarray
    mean: np.ndarray
    sum_sq: np.ndarray
    absent: frozenset[str] = frozenset()
    covariates: tuple[str, ...] = ()
    x_mean: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    x_products: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0)))
    x_total: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))

    def __post_init__(self):
        if not self.covariates:  # the same shapes as with covariates, so that nothing has to ask
            for name, shape in {"x_mean": (0,), "x_products": (0, 0), "x_total": (0,)}.items():
                object.__setattr__(self, name, np.zeros((len(self.n), *shape)))

    def __len__(self) -> int:
        return len(self.n)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name}: {len(self.labels[name])}" for name in self.layers)
        if self.covariates:
            sizes += f"; covariates {', '.join(self.covariates)}"
        return f"<Cells: {self.n_observations:,} observations in {len(self)} cells; {sizes}>"

    @property
    def n_observations(self) -> int:
        """Number of observations in all cells."""
        return int(self.n.sum())

    def counts(self, layer: str) -> np.ndarray:
        """Return the number of observations of each contributor of `layer`, shape (m_j,).

        Rows that lack the layer are not counted.
        """
        require_layer(layer, self.layers)
        code = self.codes[:, self.layers.index(layer)]
        present = code >= 0
        return np.bincount(code[present], weights=self.n[present], minlength=len(self.labels[layer])).astype(int)

    def total_moments(self) -> tuple[float, float]:
        """Return mean and variance of all totals together (the variance divides by N - 1)."""
        center = np.average(self.mean, weights=self.n)
        deviation = self.mean - center
        total = self.sum_sq.sum() + self.n @ deviation**2
        return float(center), float(total / max(self.n_observations - 1, 1))

    def covariate_moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the covariates' means, shape (K,), and covariances, shape (K, K), over all rows (divisor N - 1)."""
        center = self.n @ self.x_mean / self.n_observations
        deviation = self.x_mean - center
        products = self.x_products.sum(axis=0) + (self.n[:, None] * deviation).T @ deviation
        return center, products / max(self.n_observations - 1, 1)

    def net_of(self, slopes: np.ndarray) -> "Cells":
        """Return the cells of totals less what the covariates add to them, which have no covariates.

        Parameters
        ----------
        slopes : array_like of float, shape (K,)
            What a total gains with a unit of each covariate. Covariates count from their means over all rows.
        """
        slopes = np.asarray(slopes, float)
        center, _ = self.covariate_moments()
        fitted = np.einsum("ckl,k,l->c", self.x_products, slopes, slopes)
        return replace(
            self,
            mean=self.mean - (self.x_mean - center) @ slopes,
            # Not below zero by rounding: a sum of squares is none.
            sum_sq=np.maximum(self.sum_sq - 2 * self.x_total @ slopes + fitted, 0.0),
            covariates=(),
        )

    def without_covariates(self) -> "Cells":
        """Return the cells of totals less the least squares estimate of what the covariates add to them."""
        return self._net

    def slope_equations(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the normal equations of the slopes, with all contributors' means fitted, shapes (K, K) and (K,).

        Their solution is the least squares estimate of a regression of the totals on layers and covariates (Frisch and
        Waugh 1933, *Partial time regressions as compared with individual trends*). A covariate that is a sum of
        one number for each contributor leaves a row of zeros.
        """
        matrix, right = self._slope_equations
        return matrix.copy(), right.copy()

    @cached_property
    def _slope_equations(self) -> tuple[np.ndarray, np.ndarray]:
        center, _ = self.covariate_moments()
        x = self.x_mean - center
        residual = np.stack([column - self._fitted(column) for column in x.T], axis=1) if self.covariates else x
        # What is left of a covariate that the labels determine is rounding.
        scale = np.sqrt(self.n @ x**2)
        residual = np.where(np.sqrt(self.n @ residual**2) > 1e-7 * scale, residual, 0.0)
        weighted = self.n[:, None] * residual
        mean, _ = self.total_moments()
        return self.x_products.sum(axis=0) + weighted.T @ residual, self.x_total.sum(axis=0) + weighted.T @ (
            self.mean - mean
        )

    @cached_property
    def _net(self) -> "Cells":
        """The cells less the least squares estimate of what their covariates add."""
        if not self.covariates:
            return self
        matrix, right, unit = self._scaled_slope_equations
        return self.net_of(np.linalg.lstsq(matrix, right, rcond=1e-10)[0] / unit)

    @cached_property
    def _rank_of_slopes(self) -> int:
        """Number of slopes that the data estimate beside the means of all contributors."""
        matrix, _, unit = self._scaled_slope_equations
        return int(np.linalg.matrix_rank(matrix, hermitian=True, rtol=1e-10)) if unit.size else 0

    @property
    def _scaled_slope_equations(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The equations with ones on the diagonal, and the units of the slopes: these may differ by powers of ten."""
        matrix, right = self._slope_equations
        unit = np.sqrt(np.maximum(np.diag(matrix), np.finfo(float).tiny))
        return matrix / np.outer(unit, unit), right / unit, unit

    def design(self) -> csr_array:
        """Return the design matrix: the contributors of each cell as zeros and ones.

        Returns
        -------
        scipy.sparse.csr_array, shape (C, 1 + sum of m_j)
            A column of ones for the baseline, then one per contributor, layer by layer. A cell has no entry for
            a layer that its rows lack.
        """
        sizes = [len(self.labels[name]) for name in self.layers]
        starts = np.cumsum([1, *sizes])
        columns = np.hstack([np.zeros((len(self), 1), int), self.codes + starts[:-1]])
        rows, layers = np.nonzero(np.hstack([np.ones((len(self), 1), bool), self.codes >= 0]))
        return csr_array((np.ones(rows.size), (rows, columns[rows, layers])), (len(self), starts[-1]))

    def additive_means(self) -> np.ndarray:
        """Return the cells' means from an additive fit by weighted least squares on the layers, shape (C,).

        With covariates they are part of the fit, and a cell's mean is that at its average covariates.
        """
        return self._additive_means.copy()

    @cached_property
    def _additive_means(self) -> np.ndarray:  # cached: seconds with thousands of contributors
        center, _ = self.total_moments()
        if self.covariates:
            return self.mean - self._net.mean + self._net._additive_means
        return center + self._fitted(self.mean - center)

    def _fitted(self, values: np.ndarray) -> np.ndarray:
        """Return the weighted least squares fit of one value of each cell by the layers, shape (C,)."""
        design, weight = self.design(), np.sqrt(self.n)
        scaled = design.multiply(weight[:, None]).tocsr()
        return design @ lsqr(scaled, values * weight, atol=1e-10, btol=1e-10)[0]

    def rank(self) -> int:
        """Return the rank of :meth:`design`, the number of means that the data identify.

        With J layers whose labels mix freely it is the sum of m_j less J - 1; layers that are nested in one another or
        that move together have a lower one. It is exact for one and two layers (of those that no other layer
        determines) and for up to 600 contributors, and an unbiased estimate for larger tables, itself exact where the
        layers mix freely.
        """
        return self._rank

    @cached_property
    def _rank(self) -> int:
        return rank_of_layers(self.codes)

    def residual_variance(self) -> float:
        """Return the variance of the totals about :meth:`additive_means`.

        This is V of the course: the rough size of one observation's variance once contributors' means are taken out.
        Where the fit leaves no degree of freedom or no residual, the variance of all totals takes its place.

        Returns
        -------
        float
            A variance, in squared units of the total; always positive.
        """
        # Means that the data cannot distinguish use up no degrees of freedom: the rank counts, not the contributors.
        dof = self.n_observations - self.rank() - self._rank_of_slopes
        if dof <= 0 or self.exactly_additive():
            return self.total_moments()[1]
        return self._residual_sum_sq / dof

    def exactly_additive(self) -> bool:
        """Return whether every total is the sum of its contributors' means up to rounding, without a residual.

        This holds where totals were computed, not measured, and where there are as many means as rows.
        """
        rounding = 8 * np.finfo(float).eps * np.abs(self.mean).max()
        smallest = max(1e-12 * self.total_moments()[1], rounding**2)
        return self._residual_sum_sq <= smallest * self.n_observations

    @cached_property
    def _residual_sum_sq(self) -> float:
        net = self._net
        return float(np.sum(net.sum_sq + net.n * (net.mean - net._additive_means) ** 2))

    def lookalikes(self) -> dict[str, list[tuple]]:
        """Return labels that differ only in case, in spaces or in their type, such as 101 and "101".

        Returns
        -------
        dict of str to list of tuple
            For each layer that has any, the groups of labels that look alike.
        """
        alike = {}
        for name in self.layers:
            groups: dict[str, list] = {}
            for label in self.labels[name]:
                groups.setdefault(folded(label), []).append(label)
            found = [tuple(group) for group in groups.values() if len(group) > 1]
            if found:
                alike[name] = found
        return alike

    def to_frame(self) -> pd.DataFrame:
        """Return one row per cell: a column for each layer, then ``n``, ``mean`` and ``sum_sq``, and covariates' means.

        Returns
        -------
        pandas.DataFrame
            Labels keep their type. Where rows lack a layer the label is None, and the column holds objects.
        """
        columns = {name: _label_column(self.labels[name], self.codes[:, j]) for j, name in enumerate(self.layers)}
        covariates = dict(zip(self.covariates, self.x_mean.T, strict=True))
        return pd.DataFrame(columns | {"n": self.n, "mean": self.mean, "sum_sq": self.sum_sq} | covariates)

    def merge(self, other: "Cells") -> "Cells":
        """Combine with the cells of another part of the data.

        The result is what :func:`cell_statistics` gives for both parts together (Chan, Golub and LeVeque 1979,
        *Updating formulae and a pairwise algorithm for computing sample variances*).

        Parameters
        ----------
        other : Cells
            Cells with the same layers in the same order, of which the same may be absent; their contributors may
            differ.

        Returns
        -------
        Cells

        Raises
        ------
        TypeError, ValueError
            If `other` is not `Cells`, or has other layers, or other layers that may be absent, or if a label is of one
            type here and of another type there, such as 101 and "101": that would be two contributors.
        """
        if not isinstance(other, Cells):
            raise TypeError(f"expected Cells to merge with, got {type(other).__name__}")
        if self.layers != other.layers:
            raise ValueError(f"cells to merge must have the same layers: expected {self.layers}, got {other.layers}")
        if self.absent != other.absent:
            raise ValueError(
                "cells to merge must be made with the same allow_absent: "
                f"expected {sorted(self.absent)}, got {sorted(other.absent)}"
            )
        if self.covariates != other.covariates:
            raise ValueError(
                "cells to merge must have the same covariates in the same order: "
                f"expected {self.covariates}, got {other.covariates}"
            )
        for name in self.layers:
            _refuse_one_label_of_two_types(name, self.labels[name], other.labels[name])
        labels = {name: _sorted_labels([*self.labels[name], *other.labels[name]]) for name in self.layers}
        codes = np.vstack([part._recode(labels) for part in (self, other)])
        unique, position = np.unique(codes, axis=0, return_inverse=True)
        # The total first, then the covariates: means, and sums of products of deviations.
        size = 1 + len(self.covariates)
        n, mean, products = np.zeros((2, len(unique))), np.zeros((2, len(unique), size)), []
        for i, part in enumerate((self, other)):
            cell = position.ravel()[i * len(self) :][: len(part)]
            n[i, cell], mean[i, cell] = part.n, np.column_stack([part.mean, part.x_mean])
            found = np.zeros((len(unique), size, size))
            found[cell, 0, 0], found[cell, 0, 1:], found[cell, 1:, 1:] = part.sum_sq, part.x_total, part.x_products
            products.append(found)
        both = n.sum(axis=0)
        delta = np.where((n > 0).all(axis=0)[:, None], mean[1] - mean[0], 0.0)
        first = np.where((n[0] > 0)[:, None], mean[0], mean[1])
        mean = first + delta * (n[1] / both)[:, None]
        between = np.einsum("c,ci,ck->cik", n[0] * n[1] / both, delta, delta)
        product = products[0] + products[1] + between
        return Cells(
            layers=self.layers,
            labels=labels,
            codes=unique,
            n=both.astype(np.int64),
            mean=mean[:, 0],
            sum_sq=product[:, 0, 0],
            absent=self.absent,
            covariates=self.covariates,
            x_mean=mean[:, 1:],
            x_products=product[:, 1:, 1:],
            x_total=product[:, 0, 1:],
        )

    def _recode(self, labels: Mapping[str, tuple]) -> np.ndarray:
        """Return `codes` as positions in other, longer, tuples of labels."""
        columns = []
        for j, name in enumerate(self.layers):
            position = {label: k for k, label in enumerate(labels[name])}
            # The last entry is where a code of -1 points to.
            columns.append(np.array([*(position[x] for x in self.labels[name]), -1])[self.codes[:, j]])
        return np.stack(columns, axis=1)

    def require_decomposable(self) -> None:
        """Raise ValueError unless these cells are enough to fit a model.

        A fit needs at least two observations, totals that differ, and two contributors in every layer. A layer that may
        be absent must be absent in some rows and present in others, but one contributor is enough for it.
        """
        if self.n_observations < 2:
            raise ValueError(f"expected two observations at least, got {self.n_observations}")
        for j, name in enumerate(self.layers):
            lacking = self.codes[:, j] < 0
            if lacking.all():
                raise ValueError(f"layer {name!r} is absent in every row: its labels are all missing; leave it out")
            if name in self.absent and not lacking.any():
                raise ValueError(
                    f"layer {name!r} is in allow_absent but every row has a label there, so nothing shows what it "
                    f"adds; take {name!r} out of allow_absent"
                )
            if len(self.labels[name]) < 2 and name not in self.absent:
                raise ValueError(single_contributor_message(name, self.labels[name][0]))
        for name, products, mean in zip(self.covariates, self.x_products.T.diagonal().T, self.x_mean.T, strict=True):
            if products.max() == 0 and np.all(mean == mean[0]):
                raise ValueError(f"covariate {name!r} is {mean[0]:g} in every row, so nothing shows what it adds")
        if self.sum_sq.max() == 0 and np.all(self.mean == self.mean[0]):
            raise ValueError(f"all totals are equal ({self.mean[0]:g}), so there is no spread to decompose")


#: Default of a required argument that follows one with a default.
REQUIRED: Any = object()


def cell_statistics(
    frame: Any,
    total: str = TOTAL,
    layers: Sequence[str] = REQUIRED,
    *,
    partial: bool = False,
    allow_absent: Sequence[str] = (),
    covariates: Sequence[str] = (),
) -> Cells:
    """Reduce a table of observations to its cells.

    The table may be any that narwhals supports: pandas, Polars (lazy too), PyArrow, DuckDB, Dask or PySpark. Lazy
    tables are reduced where they are; only the cells are collected.

    Parameters
    ----------
    frame : data frame or lazy frame
        One row per observation.
    total : str
        Name of the column with the totals.
    layers : list of str
        Names of the columns with the contributors' labels, one for each layer after the baseline.
    partial : bool
        Whether `frame` is only a part of the data, whose cells will be merged with those of other parts. A part may
        have one observation, equal totals, a layer with a single contributor, or a layer that is absent in all rows or
        in none; the whole may not.
    allow_absent : list of str
        Names of the layers that a row may lack: there a missing label (None, NaN or NaT) means that the layer took no
        part in the total. In all other layers a missing label is an error.
    covariates : list of str
        Names of columns with numbers that a total depends on linearly beside its labels, such as a distance or a
        temperature. A column of zeros and ones will do.

    Returns
    -------
    Cells
        Sorted by the layers' labels, whatever the order of the rows.

    Raises
    ------
    TypeError
        If `frame` is not a table, `total` or a covariate is not numeric, a name is not a string, labels are lists or
        other things that cannot be hashed, or `layers` is not given.
    KeyError
        If a column does not exist.
    ValueError
        If a column is named twice, a layer has a name that a model needs for something else, the frame is empty, a
        total or a covariate is missing or infinite, a label is missing, a name in `allow_absent` is not a layer, a
        covariate is the same in all rows, or the whole cannot be decomposed (see `partial`).
    """
    if layers is REQUIRED:  # Python cannot require an argument that follows one with a default
        raise TypeError("cell_statistics() missing 1 required argument: 'layers'")
    data, layers, covariates = open_table(frame, total, layers, covariates)
    absent = _checked_absent(allow_absent, layers)
    grouped = group_rows(data, total, layers, absent, covariates)
    labels: dict[str, tuple] = {}
    columns: list[list[int]] = []
    for j, name in enumerate(layers):
        column = grouped[labels_column(j)].tolist()
        labels[name] = _sorted_labels([label for label in column if label is not None])
        if name in absent:
            labels[name] = _without_float(labels[name])
        position = {label: k for k, label in enumerate(labels[name])} | {None: -1}
        columns.append([position[label] for label in column])
    codes = np.array(columns, dtype=np.int64).T
    order = np.lexsort(codes.T[::-1])
    n, mean, sum_sq = (grouped[name].to_numpy()[order] for name in ("__n", "__mean", "__sum_sq"))
    cells = Cells(
        layers=tuple(layers),
        labels=labels,
        codes=codes[order],
        n=n,
        mean=grouped["__pivot"].to_numpy()[order] + mean,
        sum_sq=sum_sq,
        absent=absent,
        covariates=tuple(covariates),
        **_covariate_statistics(grouped.iloc[order], len(covariates)),
    )
    if not partial:
        cells.require_decomposable()
    return cells


def _covariate_statistics(grouped: pd.DataFrame, k: int) -> dict[str, np.ndarray]:
    """Return means and sums of products of the covariates from columns of :func:`group_rows`."""
    (mean, total), products = np.zeros((2, len(grouped), k)), np.zeros((len(grouped), k, k))
    for i in range(k):
        mean[:, i] = grouped[f"__pivot_z{i}"] + grouped[f"__mean_z{i}"]
        total[:, i] = grouped[f"__xz{i}"]
        for m in range(i, k):
            products[:, i, m] = products[:, m, i] = grouped[product_column(i, m)]
    return {"x_mean": mean, "x_products": products, "x_total": total}


def _checked_absent(allow_absent: Sequence[str], layers: list[str]) -> frozenset[str]:
    if isinstance(allow_absent, str) or not isinstance(allow_absent, Iterable):
        raise TypeError(f"allow_absent must be a list of names of layers, got {allow_absent!r}")
    allow_absent = list(allow_absent)
    for name in allow_absent:
        require_layer(name, layers)
    return frozenset(allow_absent)


def _label_column(labels: Sequence[Hashable], codes: np.ndarray) -> pd.Index | pd.Series:
    """Return the labels at `codes`, None where the code is -1."""
    if (codes >= 0).all():
        return label_index(labels).take(codes)
    labels = [*labels, None]  # the last is where a code of -1 points to
    return pd.Series([labels[k] for k in codes], dtype=object)


def rank_of_layers(codes: np.ndarray) -> int:
    """Return the rank of a matrix of dummies with a column of ones, from positions of shape (C, J); -1 is a label too.

    With the ones in the span, the indicator of "absent" is one minus the layer's other indicators: so it can be treated
    as one more contributor without a change of rank, and then the ones are in the span of every layer.
    """
    columns = [np.unique(code, return_inverse=True)[1].ravel() for code in codes.T]
    # A layer is determined by a finer one if each label of the finer occurs with one label of it. Its indicators are
    # sums of the finer one's, so it adds nothing.
    kept: list[np.ndarray] = []
    for code in sorted(columns, key=lambda code: -code.max()):
        if not any(_determines(finer, code) for finer in kept):
            kept.append(code)
    sizes = [int(code.max()) + 1 for code in kept]
    if len(kept) == 1:
        return sizes[0]
    if len(kept) == 2:
        edges = coo_array((np.ones(len(codes)), (kept[0], kept[1] + sizes[0])), (sum(sizes),) * 2)
        return sum(sizes) - int(connected_components(edges, directed=False)[0])
    rows = np.tile(np.arange(len(codes)), len(kept))
    positions = np.concatenate([code + start for code, start in zip(kept, np.cumsum([0, *sizes[:-1]]), strict=True)])
    design = csr_array((np.ones(len(rows)), (rows, positions)), (len(codes), sum(sizes)))
    length = np.sqrt(np.bincount(positions))
    design = (design / length).tocsr()
    if sum(sizes) <= 600:
        eigenvalues = np.linalg.eigvalsh((design.T @ design).toarray())
        return int(np.sum(eigenvalues > 1e-10 * eigenvalues[-1]))
    return sum(sizes) - (len(kept) - 1) - _nullity_beyond_layers(design, sizes, length)


def _determines(finer: np.ndarray, coarser: np.ndarray) -> bool:
    last = np.empty(finer.max() + 1, dtype=coarser.dtype)
    last[finer] = coarser
    return bool((last[finer] == coarser).all())


def _nullity_beyond_layers(design: csr_array, sizes: list[int], length: np.ndarray) -> int:
    """Return an estimate of the dimension of the null space besides that of layers which each sum to the ones.

    The trace of a projector is the expected squared length of a projected standard normal vector. Where that length is
    zero, so is the dimension, with certainty; else it has a standard error of half the root of the dimension.
    """
    starts = np.cumsum([0, *sizes])
    known = np.zeros((len(length), len(sizes) - 1))
    for j in range(1, len(sizes)):
        known[starts[0] : starts[1], j - 1] = -length[starts[0] : starts[1]]
        known[starts[j] : starts[j + 1], j - 1] = length[starts[j] : starts[j + 1]]
    known = np.linalg.qr(known)[0]
    rng = np.random.default_rng(0)
    squares = []
    for _ in range(8):
        probe = rng.standard_normal(len(length))
        probe -= known @ (known.T @ probe)
        left = probe - lsqr(design, design @ probe, atol=1e-12, btol=1e-12)[0]
        squares.append(left @ left)
        if squares[0] < 1e-6:  # the null space is trivial: no more draws are needed
            return 0
    return round(np.mean(squares))


def _without_float(labels: tuple) -> tuple:
    """Return whole floats as integers: pandas turns a column of integers into floats where one is missing."""
    whole = all(isinstance(label, float) and label.is_integer() for label in labels)
    return tuple(int(label) for label in labels) if whole else labels


def _refuse_one_label_of_two_types(layer: str, mine: Sequence[Hashable], theirs: Sequence[Hashable]) -> None:
    """Raise ValueError if a label of one part and a label of the other are one value read as two types."""
    kinds = {_kind(label) for label in (*mine, *theirs)}
    if len(kinds) < 2:
        return
    known = {reading: label for label in mine for reading in _readings(label)}
    for label in theirs:
        for reading in sorted(_readings(label) & known.keys()):
            other = known[reading]
            if _kind(label) != _kind(other):
                raise ValueError(
                    f"layer {layer!r} has {other!r} ({type(other).__name__}) in one part and {label!r} "
                    f"({type(label).__name__}) in the other, which would be two contributors; read the column with "
                    f"one type in all parts, for instance pandas.read_csv(..., dtype={{{layer!r}: str}})"
                )


def _kind(label: Hashable) -> str:
    for kind, types in _KINDS_OF_LABELS.items():
        if isinstance(label, types):
            return kind
    return type(label).__name__


# Labels of one kind that look alike are equal; bool comes first, because a truth value is a number too.
_KINDS_OF_LABELS: dict[str, Any] = {"bool": (bool, np.bool_), "number": (Real, Decimal), "text": str, "time": datetime}


def _readings(label: Hashable) -> set[str]:
    """Return the texts that may have stood in the file from which this label was read."""
    text = text_of(label).strip()
    readings = {text}
    if isinstance(label, str):
        for read in (Decimal, datetime.fromisoformat):
            with suppress(ValueError, InvalidOperation):
                readings.add(text_of(read(text)))
    elif isinstance(label, (bool, np.bool_)):
        readings.add(str(int(label)))
    return readings


def _sorted_labels(labels: Sequence[Hashable]) -> tuple:
    """Return the distinct labels in ascending order; labels that cannot be compared, by type and text."""
    distinct = list(dict.fromkeys(labels))
    if not any(isinstance(label, frozenset) for label in distinct):  # "<" of sets means "is a subset of"
        with suppress(TypeError):
            return tuple(sorted(distinct))
    types: dict[str, list] = {}
    for label in distinct:
        types.setdefault(type(label).__name__, []).append(label)
    if len(types) == 1:
        return tuple(sorted(distinct, key=text_of))
    return tuple(label for name in sorted(types) for label in _sorted_labels(types[name]))
