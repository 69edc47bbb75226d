"""Whether a model could have produced a table: averages and spreads of cells, and the shape that no parameter fits."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from mlm_tutorial.cells import REQUIRED
from mlm_tutorial.layers import TOTAL
from mlm_tutorial.levy import draw_totals
from mlm_tutorial.parameters import Parameters, covariates_of, distinct
from mlm_tutorial.rows import Table

__all__ = ["predictive_check"]

#: Simulated tables that a table is compared with.
TABLES = 1000

#: Rows up to which all are looked at; of more rows a random part.
MAX_ROWS = 20_000

_AVERAGES, _PAIRS, _SPREADS = "averages of cells", "averages of pairs", "spreads within cells"
_LEAN, _TAILS = "lean", "tails"


def predictive_check(
    idata: xr.DataTree,
    frame: Any,
    total: str = TOTAL,
    layers: Sequence[str] = REQUIRED,
    *,
    draws: int = TABLES,
    max_rows: int = MAX_ROWS,
    rng: int | np.random.Generator | None = 0,
) -> pd.DataFrame:
    r"""Compare a table with tables that the model simulates from its posterior.

    With mean M and variance V of a row's total in one draw of the posterior, each row has a residual
    :math:`r = (x - M) / \sqrt{V}`. If the model is right, residuals are independent and have mean 0 and variance 1.
    For every draw of the posterior the rows' own residuals and simulated ones give some numbers, which are large where
    the model does not fit:

    - averages of cells: the average of n times a cell's squared mean residual; large where layers do not simply add up,
      or rows are not independent;
    - averages of pairs, with three layers or more: the same for the G combinations of contributors of two layers, minus
      1 and times :math:`\sqrt{G / 2}`, for the two layers where that is largest. Few combinations have many rows each,
      so this finds that two layers do not add up where cells have hardly any repeats;
    - spreads within cells: the average of :math:`(S - \nu)^2 / 2\nu`, with S a cell's centered sum of squares and
      :math:`\nu = n - 1`; large where the variance of a cell is not the sum of its parts;
    - lean: the absolute skewness of all residuals;
    - tails: their kurtosis, 3 for a normal distribution.

    Mean and variance of a row have parameters of their own, which fit them. Lean and tails have none, except in a
    posterior of :func:`tail_model`. Rounding is part of what is simulated: where all totals are multiples of one step,
    such as a minute, simulated ones are too.

    Parameters
    ----------
    idata : xarray.DataTree
        A posterior with variables named as in :func:`cell_model`.
    frame : data frame
        The rows: any table that :func:`cell_statistics` takes.
    total : str
        Name of the column with the totals.
    layers : list of str
        Names of the columns with the contributors of each layer.
    draws : int
        Number of simulated tables, each with parameters from another draw of the posterior.
    max_rows : int
        Number of rows up to which all are looked at. Of more rows, so many are chosen at random.
    rng : int or numpy.random.Generator, optional
        A seed or a generator. The result is the same each time unless another one is given.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``aspect``. ``data`` and ``model`` are the medians over draws of the two numbers, ``p`` is the share
        of draws in which the simulated one is at least as large (the posterior predictive p-value of Gelman, Meng and
        Stern 1996), ``alarm`` whether that never or almost never happens (p below 0.001), and ``asks`` says what the
        number is for, which two layers it names, and how many cells have two rows or more, where not all have: averages
        of cells and spreads within them need such cells. Where no cell has two rows, ``p`` of the spreads within cells
        is missing.

    Raises
    ------
    TypeError, KeyError, ValueError
        For bad input as in :func:`decompose`.

    Notes
    -----
    Data enter twice, for the fit and for the comparison, so the check finds large faults and misses small ones.
    """
    if layers is REQUIRED:
        raise TypeError("predictive_check() missing 1 required argument: 'layers'")
    table = Table(frame, layers, total, covariates_of(idata))
    parameters = Parameters.of(idata, table.layers)
    rows = table.rows(parameters.coordinates, parameters.absent)
    rng = np.random.default_rng(rng)
    x, codes, covariates = np.asarray(rows.totals), rows.codes, rows.x
    step = _step(x)
    if len(x) > max_rows:
        chosen = rng.permutation(len(x))[:max_rows]
        x, codes, covariates = x[chosen], codes[chosen], covariates[chosen]
    unique, cell = distinct(codes)
    n = np.bincount(cell)
    pairs = _pairs_of_layers(unique)
    size = parameters.n_draws
    picked = rng.choice(size, draws, replace=draws > size)
    own, simulated = np.empty((2, draws, 5))
    worst = np.zeros(max(len(pairs), 1), int)
    for i, s in enumerate(picked):
        mean, variance = (values[cell, 0] for values in parameters.totals(unique, slice(s, s + 1)))
        mean = mean + parameters.of_covariates(covariates, slice(s, s + 1))[:, 0]
        own[i], least = _misfits((x - mean) / np.sqrt(variance), cell, n, pairs)
        worst[least] += 1
        tails = parameters.tails and (parameters.tails[0][s], parameters.tails[1][s])
        new = _simulate(mean, variance, tails, step, x[0], rng)
        simulated[i], _ = _misfits((new - mean) / np.sqrt(variance), cell, n, pairs)
    p = np.where(np.isnan(own).any(axis=0), np.nan, (simulated >= own).mean(axis=0))
    repeated = int((n > 1).sum())
    # The fewer cells have repeats, the less their averages and spreads can find.
    of_these = "" if repeated == len(n) else f" {repeated:,} of {len(n):,} cells have two rows"
    of_these = of_these if repeated > len(n) / 3 else f" It sees little:{of_these}"
    named = " and ".join(table.layers[j] for j in list(pairs)[int(worst.argmax())]) if pairs else ""
    asks = {
        _AVERAGES: f"do the layers add up?{of_these}"
        if repeated
        else "without repeats, what does not add up looks like spread",
        _PAIRS: f"do each two layers add up? Least: {named}",
        _SPREADS: f"do the spreads add up?{of_these}" if repeated else "no cell has two rows",
        _LEAN: "does one side reach further than the other?",
        _TAILS: f"are there more far totals than {'a normal' if parameters.tails is None else 'the model'} has?",
    }
    columns = {"data": np.median(own, axis=0), "model": np.median(simulated, axis=0), "p": p, "alarm": p < 0.001}
    found = pd.DataFrame(columns | {"asks": list(asks.values())}, index=pd.Index(asks, name="aspect"))
    return found if pairs else found.drop(index=_PAIRS)


def _pairs_of_layers(codes: np.ndarray) -> dict[tuple[int, int], np.ndarray]:
    """Return each cell's combination of contributors, for every two of three layers or more; pairs of two are cells."""
    layers = range(codes.shape[1])
    return {(j, k): distinct(codes[:, [j, k]])[1] for j, k in combinations(layers, 2)} if len(layers) > 2 else {}


def _misfits(r: np.ndarray, cell: np.ndarray, n: np.ndarray, pairs: dict) -> tuple[list[float], int]:
    """Return the numbers of :func:`predictive_check` for residuals r of rows, and which pair of layers is the worst."""
    sums = np.bincount(cell, r)
    average = sums / n
    each = [np.bincount(pair, sums) ** 2 / np.bincount(pair, n) for pair in pairs.values()] or [np.ones(1)]
    of_pairs = [(x.mean() - 1) * np.sqrt(len(x) / 2) for x in each]
    within = np.bincount(cell, (r - average[cell]) ** 2)
    dof = n - 1
    repeated = dof > 0
    spreads = np.nan
    if repeated.any():
        spreads = np.mean((within[repeated] - dof[repeated]) ** 2 / (2 * dof[repeated]))
    centered = r - r.mean()
    variance = np.mean(centered**2)
    lean, tails = 0.0, 0.0
    if variance > 0:
        lean, tails = abs(np.mean(centered**3)) / variance**1.5, np.mean(centered**4) / variance**2
    numbers = [float(np.mean(n * average**2)), float(max(of_pairs)), float(spreads), float(lean), float(tails)]
    return numbers, int(np.argmax(of_pairs))


def _simulate(mean, variance, tails, step: float | None, start: float, rng: np.random.Generator) -> np.ndarray:
    """Return new totals, rounded as the table's are."""
    if step is None:
        return draw_totals(mean, variance, tails, rng)
    # Rounding adds a variance of step**2 / 12, which the fitted one contains (Sheppard 1898).
    before = np.maximum(variance - step**2 / 12, variance / 100)
    return start + step * np.rint((draw_totals(mean, before, tails, rng) - start) / step)


def _step(x: np.ndarray) -> float | None:
    """Return the step to whose multiples totals are rounded, None where there is none."""
    values = np.unique(x)
    # A few different values are multiples of some step by chance.
    if len(values) < 2 or (len(values) < 6 and len(x) < 2 * len(values)):
        return None
    step = float(np.diff(values).min())
    multiples = (values - values[0]) / step
    digits = np.spacing(np.abs(values).max()) / step
    return step if np.all(np.abs(multiples - np.rint(multiples)) <= max(1e-9, 4 * digits) * (1 + multiples)) else None
