"""Totals whose contributions are skewed and have heavy tails: counts of distinct totals, and their model."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
import pymc as pm
import pytensor.tensor as pt

from mlm_tutorial.builders import ParameterBuilder
from mlm_tutorial.cells import REQUIRED, Cells, cell_statistics
from mlm_tutorial.identifiability import warn_if_not_identified
from mlm_tutorial.inverse_gaussian import NormalInverseGaussian, log_bessel_k1e_over_z
from mlm_tutorial.layers import BASELINE, TOTAL
from mlm_tutorial.levy import log_front, log_rest
from mlm_tutorial.models import CellModel, checked_priors, model_coords, places_of, sampler_options, sum_of_layers
from mlm_tutorial.priors import Priors
from mlm_tutorial.tables import open_table

__all__ = ["TotalCounts", "count_totals", "tail_model"]


@dataclasses.dataclass(frozen=True, eq=False)
class TotalCounts:
    """How often each distinct total, or each bin of totals, occurs in each cell: K counts in C cells.

    Attributes
    ----------
    cells : Cells
        Statistics of the cells.
    cell : numpy.ndarray of int, shape (K,)
        Position of each count's cell in `cells`.
    value : numpy.ndarray of float, shape (K,)
        The total, or the average of the totals in the bin, so that a cell keeps its mean.
    n : numpy.ndarray of int, shape (K,)
        Number of observations.
    width : float or None
        Width of the bins, in the unit of the totals; None where totals are counted as they are.
    """

    cells: Cells
    cell: np.ndarray
    value: np.ndarray
    n: np.ndarray
    width: float | None
    _groups: Cells

    def __len__(self) -> int:
        return len(self.n)

    def __repr__(self) -> str:
        how = "distinct totals" if self.width is None else f"bins of {self.width:g}"
        rows, cells = self.cells.n_observations, len(self.cells)
        return f"<TotalCounts: {rows:,} observations, {len(self):,} {how} in {cells:,} cells>"

    def by_row(self, totals: np.ndarray | None = None) -> "TotalCounts":
        """Return one count for each observation, of other totals if any are given, in the order of the counts.

        Parameters
        ----------
        totals : numpy.ndarray, shape (N,), optional
        """
        repeated = np.repeat(np.arange(len(self)), self.n)
        codes = self.cells.codes[self.cell[repeated]]
        each = np.arange(len(repeated))
        totals = self.value[repeated] if totals is None else np.asarray(totals, float)
        name = self._groups.layers[-1]
        groups = Cells(
            self._groups.layers,
            {**self.cells.labels, name: tuple(each.tolist())},
            np.column_stack([codes, each]),
            np.ones(len(each), np.int64),
            totals,
            np.zeros(len(each)),
            self.cells.absent,
        )
        return _counts(groups, None)

    def merge(self, other: "TotalCounts") -> "TotalCounts":
        """Combine with the counts of another part of the data.

        Parameters
        ----------
        other : TotalCounts
            Counts with the same layers and the same width.

        Returns
        -------
        TotalCounts
            What :func:`count_totals` gives for both parts together.

        Raises
        ------
        TypeError, ValueError
            If `other` is not `TotalCounts`, has another width, or its cells cannot be merged, see :meth:`Cells.merge`.
        """
        if not isinstance(other, TotalCounts):
            raise TypeError(f"expected TotalCounts to merge with, got {type(other).__name__}")
        if self.width != other.width:
            raise ValueError(f"counts to merge must have the same width: expected {self.width}, got {other.width}")
        return _counts(self._groups.merge(other._groups), self.width)


def count_totals(
    frame: Any,
    total: str = TOTAL,
    layers: Sequence[str] = REQUIRED,
    width: float | None = None,
    *,
    partial: bool = False,
    allow_absent: Sequence[str] = (),
) -> TotalCounts:
    """Count the distinct totals in each cell of a table.

    Where totals are not normal, a cell's mean and sum of squares no longer hold all that its rows say; how often each
    total occurs does. Totals in whole minutes repeat, so that there are far fewer counts than rows.

    Parameters
    ----------
    frame : data frame or lazy frame
        One row per observation, as for :func:`cell_statistics`.
    total, layers : str, list of str
        Names of the columns with the totals, and with the contributors of each layer.
    width : float, optional
        Count in bins of this width, each represented by the average of its totals; by default every total by itself.
        Keep bins narrow. In 327,346 flights, whose totals have a standard deviation of 18 minutes, bins of 3 minutes
        moved no mean by more than 0.07 of its posterior standard deviation, bins of 10 minutes moved one by half of it.
        With bins of two standard deviations no fit converged.
    partial, allow_absent : bool, list of str
        As for :func:`cell_statistics`.

    Returns
    -------
    TotalCounts

    Raises
    ------
    TypeError, KeyError, ValueError
        For bad input as in :func:`cell_statistics`, or a `width` that is not a positive number.
    """
    if layers is REQUIRED:
        raise TypeError("count_totals() missing 1 required argument: 'layers'")
    if width is not None and not (isinstance(width, (int, float)) and 0 < width < math.inf):
        raise ValueError(f"width must be a positive number, or None to count every total by itself, got {width!r}")
    _, layers, _ = open_table(frame, total, layers)  # says what is wrong with the columns
    counted = f"{total} counted"
    value = nw.col(total).cast(nw.Float64) + 0.0  # 0.0 and -0.0 are one total
    value = value if width is None else (value / width).floor()
    # A missing total becomes a label of its own here, so that the message about it is that of a total.
    data = nw.from_native(frame).with_columns(value.alias(counted))
    groups = cell_statistics(
        data.to_native(), total, [*layers, counted], partial=True, allow_absent=[*allow_absent, counted]
    )
    counts = _counts(dataclasses.replace(groups, absent=frozenset(allow_absent)), width)
    if not partial:
        counts.cells.require_decomposable()
    return counts


def _counts(groups: Cells, width: float | None) -> TotalCounts:
    """Return counts from cells in which the distinct totals are one more layer."""
    layers = groups.layers[:-1]
    codes, cell = np.unique(groups.codes[:, :-1], axis=0, return_inverse=True)
    cell = cell.ravel()
    n = np.bincount(cell, weights=groups.n)
    # Deviations from one pivot: an offset of 1e9 would otherwise cost nine digits.
    pivot = groups.mean[0]
    mean = np.bincount(cell, weights=groups.n * (groups.mean - pivot)) / n
    sum_sq = np.bincount(cell, weights=groups.sum_sq + groups.n * (groups.mean - pivot - mean[cell]) ** 2)
    labels = {name: groups.labels[name] for name in layers}
    cells = Cells(layers, labels, codes, n.astype(np.int64), pivot + mean, sum_sq, groups.absent)
    return TotalCounts(cells, cell, groups.mean, groups.n, width, groups)


class TailModel(CellModel):
    """A PyMC model of counted totals, with starting points for chains and options for sampling.

    Made by :func:`tail_model`.
    """

    def with_priors(self, priors: Priors) -> "TailModel":
        """Raise TypeError: a model with tails is made anew for other priors."""
        raise TypeError("the priors of a model with tails cannot be replaced; make and compile a new model")

    def refit(self, counts: Any) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return data and starts of this model for other counts.

        Parameters
        ----------
        counts : TotalCounts
            As many counts as those of the model, in cells with the same layers and labels. Priors are not changed.

        Raises
        ------
        TypeError, ValueError
            If `counts` is not a :class:`TotalCounts`, or does not fit the model.
        """
        _check_counts(counts)
        data, starts = super().refit(counts.cells)
        if len(counts) != self.n_counts:
            raise ValueError(f"the model has {self.n_counts} counts, got {len(counts)}; make and compile a new model")
        return {"mlm_codes": data["mlm_codes"]} | _data(counts), starts


def tail_model(counts: TotalCounts, priors: Priors | None = None) -> TailModel:
    r"""Return the exact marginal model of totals whose contributions are skewed and have heavy tails.

    Every contribution is normal-inverse-Gaussian with its own mean and variance; the skewness :math:`\rho` and the tail
    weight :math:`\kappa` are shared. So the total is of the same kind, its mean the sum of the means and its variance
    the sum of the variances, see :class:`mlm_tutorial.NormalInverseGaussian`. With a tail weight of zero it is
    :func:`cell_model`.

    Parameters
    ----------
    counts : TotalCounts
    priors : Priors, optional
        Default :meth:`Priors.from_cells`, which pools the contributors of each layer.

    Returns
    -------
    TailModel
        A PyMC model with the variables of :func:`cell_model`, and ``skewness``, uniform between -1 and 1, and
        ``tail_weight``, half-normal with the prior scale of the baseline's standard deviation and in the unit of the
        totals. A total of variance V has skewness :math:`3\rho\kappa/\sqrt V` and excess kurtosis
        :math:`3(1 + 4\rho^2)\kappa^2/V`.

    Raises
    ------
    TypeError, KeyError, ValueError
        If `counts` is not a :class:`TotalCounts` or cannot be decomposed, or `priors` names a layer or label that is
        not in it.

    Warns
    -----
    UnidentifiedWarning
        As :func:`cell_model` does.
    """
    _check_counts(counts)
    cells = counts.cells
    cells.require_decomposable()
    priors = Priors.from_cells(cells) if priors is None else checked_priors(priors)
    warn_if_not_identified(cells, priors.known_sigma, priors.pooled, stacklevel=3)
    parameters = ParameterBuilder(cells, priors)
    coords = model_coords(cells) | {"mlm_cell": np.arange(len(cells)), "mlm_count": np.arange(len(counts))}
    with TailModel(coords=coords, check_bounds=False) as model:
        codes = pm.Data(
            "mlm_codes",
            places_of(cells.codes, [len(cells.labels[name]) for name in cells.layers]),
            dims=("mlm_cell", "mlm_layer"),
        )
        cell, n, value = (pm.Data(name, values, dims="mlm_count") for name, values in _data(counts).items())
        mu, variance, _ = parameters.identified()
        skewness = pm.Uniform("skewness", -1, 1)
        tail_weight = pm.HalfNormal("tail_weight", priors.sigma_scale_of(BASELINE))
        absent = bool(cells.absent)
        mean = sum_of_layers(mu, codes, range(len(cells.layers)), absent)
        variance = sum_of_layers(variance, codes, parameters.with_spread, absent)
        pm.CustomDist(
            "mlm_counts",
            mean[cell],
            variance[cell],
            # By cell, not by count: its logarithm takes as long as half of the rest.
            log_front(variance, skewness, tail_weight, pt)[cell],
            skewness,
            tail_weight,
            n,
            logp=_log_density_of_counts,
            dist=_draw_totals,
            observed=value,
            dims="mlm_count",
        )
    model.describe(cells, priors)
    model.coordinates, model.parameters, model.n_counts = "identified", parameters, len(counts)
    model.starts = parameters.starts(cells)
    model.sampler_options = sampler_options(parameters.n_free + 2, cells.n_observations)
    return model


def _check_counts(counts: Any) -> None:
    if not isinstance(counts, TotalCounts):
        raise TypeError(f"expected TotalCounts, got {type(counts).__name__}; make them with mlm.count_totals")


def _data(counts: TotalCounts) -> dict[str, np.ndarray]:
    """Return the data of counts by name."""
    return {"mlm_cell_of": counts.cell, "mlm_n": counts.n.astype(float), "mlm_values": counts.value}


def _log_density_of_counts(value, mean, variance, front, skewness, tail_weight, n):
    return n * (front + log_rest(value - mean, variance, skewness, tail_weight, pt, log_bessel_k1e_over_z))


def _draw_totals(mean, variance, front, skewness, tail_weight, n, size):
    return NormalInverseGaussian.dist(mean, pm.math.sqrt(variance), skewness, tail_weight, size=size)
