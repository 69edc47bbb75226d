"""The share of each layer in one total, and in the variance of all totals."""

import warnings
from collections.abc import Sequence
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import gammainc, gammaincc

from mlm_tutorial.cells import REQUIRED, Cells
from mlm_tutorial.layers import BASELINE, TOTAL
from mlm_tutorial.levy import draw_variances_given_total, local_variance, slope
from mlm_tutorial.names import COVARIATES, positions
from mlm_tutorial.new_rows import warn_of_moved_contributors
from mlm_tutorial.parameters import Parameters, covariates_of, distinct, distinct_rows, in_blocks
from mlm_tutorial.rows import Table

__all__ = ["VarianceMismatchWarning", "decompose", "variance_shares"]

#: Name of the part of a variance that belongs to no single layer.
COVARIANCE = "covariance"

#: Two-sided posterior predictive p-value below which the variance of a model is not that of the totals.
MISMATCH_P = 0.001

#: Relative difference of variances below which there is no warning, however significant it is.
MISMATCH_SIZE = 0.2

#: Draws of the posterior over which what the parameters leave open is averaged where totals have tails.
DRAWS_WITH_TAILS = 64


class VarianceMismatchWarning(UserWarning):
    """Warns that parts of a variance mislead: they cancel, or are parts of another variance than the totals'."""


def decompose(
    idata: xr.DataTree,
    frame: Any,
    total: str = TOTAL,
    layers: Sequence[str] = REQUIRED,
    *,
    draws: int = 0,
    rng: int | np.random.Generator | None = None,
) -> xr.Dataset:
    r"""Split totals into the contributions of the baseline and of each layer.

    Given the parameters, the contributions to a total are jointly normal given their sum. With
    :math:`w_j = v_j / V`, :math:`M` the mean and :math:`V` the variance of the total,

    .. math:: E[y_j \mid x] = \mu_j + w_j (x - M), \quad \mathrm{Cov}[y \mid x] = \mathrm{diag}(v) - v v^T / V

    (a multivariate normal conditioned on a linear combination; Gelman et al. 2013, *Bayesian Data Analysis*,
    appendix A). The result is averaged over the draws of the posterior, so that it carries the parameters' uncertainty,
    including what only the prior says about how a layer's variance is shared.

    Of a posterior of :func:`tail_model` the expectation is the same, and the covariance has a larger or smaller factor
    than V that depends on x. That part of ``sd`` is averaged over 64 draws.

    A layer that is absent in a row contributes exactly zero to it. A contributor whose spread is known to be zero
    contributes its mean. What covariates add, :math:`(x_i - \bar x)^\top \beta`, is a component of its own, as
    uncertain as the slopes are.

    Parameters
    ----------
    idata : xarray.DataTree
        A posterior with variables named as in :func:`cell_model`.
    frame : data frame
        One row per observation: any table that :func:`cell_statistics` takes, with the model's covariates. It is read
        in pieces.
    total : str
        Name of the column with the totals.
    layers : list of str
        Names of the columns with the contributors of each layer.
    draws : int
        Number of joint draws of all contributions, each with parameters from another draw of the posterior.
    rng : int or numpy.random.Generator, optional
        A seed or a generator, for `draws`.

    Returns
    -------
    xarray.Dataset
        ``mean`` and ``sd`` of every contribution in the units of the total, dims (observation, component). Components
        are ``baseline``, the layers, and ``covariates`` where the model has some; means add up to the total. With
        `draws`, also ``draws``, dims (sample, observation, component), each of which adds up to the total.

    Raises
    ------
    TypeError, KeyError
        For bad input as in :func:`cell_statistics`.
    ValueError
        If the posterior lacks a layer or has an extra one, or the frame has a contributor that is not in the posterior;
        for other bad input as in :func:`cell_statistics`.

    Warns
    -----
    UserWarning
        If each contributor of a layer belongs to one of another layer in the fit, and to another one here: a lot of
        tool A, say, that comes with tool B. It counts as the same.
    """
    if layers is REQUIRED:
        raise TypeError("decompose() missing 1 required argument: 'layers'")
    table = Table(frame, layers, total, covariates_of(idata))
    parameters = Parameters.of(idata, table.layers)
    hint = dict.fromkeys(
        table.layers,
        "Only the totals of contributors that were in the data can be decomposed; where a layer is pooled, `predict` "
        "gives the distribution of a new contributor's totals",
    )
    rows = table.rows(parameters.coordinates, parameters.absent, hint=hint)
    warn_of_moved_contributors(idata, parameters, rows, stacklevel=3)
    x, codes = np.asarray(rows.totals), rows.codes
    mean, sd = _split(parameters, x, codes, rows.x)
    data: dict[str, Any] = {"mean": (("observation", "component"), mean), "sd": (("observation", "component"), sd)}
    if draws:
        rng = np.random.default_rng(rng)
        data["draws"] = (("sample", "observation", "component"), _joint_draws(parameters, x, codes, rows.x, draws, rng))
    return xr.Dataset(data, {"observation": np.arange(len(x)), "component": parameters.components_of_a_total})


def _split(
    parameters: Parameters, x: np.ndarray, codes: np.ndarray, covariates: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and sd of every contribution, each of shape (N, 1 + J), or one column more with covariates.

    Within a cell, the expected contribution is linear in x with coefficients that vary by draw. So a cell is described
    by the coefficients' first and second moments, and no array has both rows and draws.
    """
    unique, at, cell = distinct_rows(codes, covariates)
    n_components = len(parameters.components_of_a_total)
    # By cell: the totals' expected mean; then intercept and slope, their variances and covariance, and what is left.
    center = np.empty(len(unique))
    a, b, var_a, var_b, cov, within = np.empty((6, len(unique), n_components))
    for block in parameters.blocks(len(unique), n_components):
        mu, v = parameters.components(unique[block], at[block])
        total_mean, total_variance = mu.sum(axis=0), v.sum(axis=0)
        center[block] = total_mean.mean(axis=-1)
        w = v / total_variance
        intercept = mu + w * (center[block][:, None] - total_mean)
        a[block], b[block] = intercept.mean(axis=-1).T, w.mean(axis=-1).T
        intercept -= a[block].T[..., None]
        within[block] = np.einsum("jcs,jcs->cj", v, 1 - w) / parameters.n_draws
        w -= b[block].T[..., None]
        for out, first, second in ((var_a, intercept, intercept), (var_b, w, w), (cov, intercept, w)):
            out[block] = np.einsum("jcs,jcs->cj", first, second) / parameters.n_draws
    mean, sd = np.empty((2, len(x), n_components))
    for rows in in_blocks(len(x), 4 * n_components):
        k = cell[rows]
        deviation = (x[rows] - center[k])[:, None]
        mean[rows] = a[k] + b[k] * deviation
        left = (
            within[k]
            if parameters.tails is None
            else _left_with_tails(parameters, parameters.tails, x[rows], codes[rows])
        )
        variance = left + var_a[k] + 2 * deviation * cov[k] + deviation**2 * var_b[k]
        # Rounding may leave a variance of -1e-30 where a contribution is certain.
        sd[rows] = np.sqrt(np.maximum(variance, 0))
    return mean, sd


def _left_with_tails(parameters: Parameters, tails: tuple, x: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return the variance of every contribution given the parameters, (N, 1 + J), averaged over some of the draws.

    With tails it depends on the total, and is an integral for each total and draw.
    """
    some = np.unique(np.linspace(0, parameters.n_draws - 1, DRAWS_WITH_TAILS).astype(int))
    few = parameters.at(some)
    skewness, tail_weight = (values[some] for values in tails)
    totals, place = np.unique(np.column_stack([codes, x]), axis=0, return_inverse=True)
    unique, cell = distinct(totals[:, :-1].astype(int))
    out = np.empty((len(totals), 1 + codes.shape[1]))
    for block in few.blocks(len(totals), 4 * out.shape[1]):
        mu, v = few.components(unique[cell[block]], np.zeros((len(cell[block]), 0)))
        mean, variance = mu.sum(axis=0), v.sum(axis=0)
        a = local_variance(totals[block, -1:] - mean, variance, skewness, tail_weight)
        w = v / variance
        out[block] = (a * w * (1 - w)).mean(axis=-1).T
    return out[place.ravel()]


def _joint_draws(parameters: Parameters, x, codes, covariates, n_draws: int, rng) -> np.ndarray:
    """Return draws (n_draws, N, components): simulate from the model, then distribute the rest of the total."""
    size = parameters.n_draws
    picked = rng.choice(size, size=n_draws, replace=n_draws > size)
    y = np.empty((n_draws, len(x), len(parameters.components_of_a_total)))
    for block in in_blocks(n_draws, y[0].size):
        draws = picked[block]
        out, v = y[block], np.empty_like(y[block])
        for values, into in ((parameters.mu, out), (parameters.variance, v)):
            into[..., 0] = values[0][draws, None]
            for j, code in enumerate(codes.T):
                into[..., j + 1] = values[j + 1][:, draws].T[:, code]
        if parameters.covariates:
            out[..., -1], v[..., -1] = parameters.of_covariates(covariates, draws).T, 0.0
        if parameters.tails is not None:
            # Given their random variances, contributions are normal as well; the mean of each moves with its variance.
            skewness, weight = (values[draws, None] for values in parameters.tails)
            z = draw_variances_given_total(x - out.sum(axis=-1), v, skewness, weight, rng)
            out += (slope(skewness, weight)[..., None]) * (z - v * (1 - skewness**2)[..., None])
            v = z
        out += np.sqrt(v) * rng.standard_normal(out.shape)
        missing = x[:, None] - out.sum(axis=-1, keepdims=True)
        out += v / v.sum(axis=-1, keepdims=True) * missing
    return y


def variance_shares(idata: xr.DataTree, cells: Cells, *, ci_prob: float | None = None) -> pd.DataFrame:
    r"""Return the shares of baseline and layers in the variance of the totals.

    The rows of `cells` stand for the population: row i has contributor :math:`k_j(i)` in layer j, or none. Under the
    model, the variance of its N totals is that of their means plus the average of their variances (the law of total
    variance), and the means are sums over layers:

    .. math::

        \mathrm{Var}[x] = {} &\sum_j \mathrm{Var}_i[\mu_{j,k_j(i)}] \\
        &+ 2 \sum_{j<l} \mathrm{Cov}_i[\mu_{j,k_j(i)}, \mu_{l,k_l(i)}] \\
        &+ v_0 + \sum_j E_i[v_{j,k_j(i)}]

    Variances and covariances of means are taken over rows (divided by N), and the mean and the variance of an absent
    layer are 0 in its row. What covariates add is a component with a mean and no variance. Where layers occur
    independently of one another, as in a balanced table, the covariances are zero. Elsewhere they belong to no layer
    alone and have a row of their own, which may be negative.

    The data fix the sum of all parts. They fix the parts that come from means only where layers are separable: in
    nested layers, pairs beside their parts, or contributors that always come together, the means of one layer can rise
    where those of another fall, and only pooling or the prior decides (:func:`identification` lists them). How the
    spreads are shared among baseline and layers is decided by the prior, unless spreads are known or rows lack a layer.

    Parameters
    ----------
    idata : xarray.DataTree
        A posterior with variables named as in :func:`cell_model`.
    cells : Cells
        For the frequencies of the contributors, alone and together.
    ci_prob : float, optional
        Probability of the equal-tailed intervals; ArviZ's default if None.

    Returns
    -------
    pandas.DataFrame
        One row for each ``component`` and ``source`` (``means`` or ``spreads``), with ``mean``, ``sd``, ``lower`` and
        ``upper`` of its part in the variance. With two layers or more, the last row is the ``covariance`` of
        ``means``. Parts sum to 1.

    Raises
    ------
    ValueError
        If the posterior lacks a layer or has an extra one, `cells` have a contributor that is not in it, or other
        covariates.

    Warns
    -----
    VarianceMismatchWarning
        If the variance under the model is not that of the totals in `cells`: it is off by more than 20 %, and the
        two-sided posterior predictive p-value of the totals' sum of squares is below 0.001. For a right model and
        prior, that happens in at most 2 of 1,000 data sets (Meng 1994, *Posterior predictive p-values*, Annals of
        Statistics 22: a p-value below a is at most twice as probable as a). Then the shares are
        of another variance than that of these totals. Also if the covariance of means is below -20 %: then the means of
        layers cancel one another, and each part alone says little. That is a property of the table that is returned,
        not a test.
    """
    parameters = Parameters.of(idata, cells.layers)
    codes = codes_of(cells, parameters)
    require_covariates(cells, parameters.covariates)
    f = cells.n / cells.n_observations
    parts, centered = {(BASELINE, "spreads"): parameters.variance[0]}, []
    for j, name in enumerate(cells.layers):
        mu, v = parameters.mu[1 + j], parameters.variance[1 + j]
        # The last position is that of rows without the layer, whose mean and variance are zero.
        p = np.bincount(codes[:, j] % len(mu), weights=f, minlength=len(mu))
        centered.append(mu - p @ mu)
        parts[name, "means"] = p @ centered[-1] ** 2
        parts[name, "spreads"] = p @ v
    if cells.covariates:
        _, covariance = cells.covariate_moments()
        share = (cells.n_observations - 1) / cells.n_observations
        parts[COVARIATES, "means"] = share * np.einsum("ks,km,ms->s", parameters.slope, covariance, parameters.slope)
    moments = moments_of_totals(parameters, centered, codes, f, cells)
    means = [part for (_, source), part in parts.items() if source == "means"]
    if len(means) > 1:
        parts[COVARIANCE, "means"] = moments["between"] - sum(means)
    variance: Any = sum(parts.values())
    prob = az.rcParams["stats.ci_prob"] if ci_prob is None else ci_prob
    rows = []
    for (component, source), part in parts.items():
        share = part / variance
        rows.append((component, source, share.mean(), share.std(ddof=1), *az.eti(share, prob=prob)))
    table = pd.DataFrame(rows, columns=["component", "source", "mean", "sd", "lower", "upper"])
    _warn_of_another_variance(cells, variance, moments)
    _warn_of_cancelling_means(table)
    return table


def codes_of(cells: Cells, parameters: Parameters) -> np.ndarray:
    """Return the cells' codes as positions in the posterior, -1 for an absent layer."""
    codes = np.full_like(cells.codes, -1)
    for j, name in enumerate(cells.layers):
        place = positions(parameters.coordinates[name], cells.labels[name])
        if (place < 0).any():
            label = cells.labels[name][int(np.argmax(place < 0))]
            raise ValueError(f"the posterior has no contributor {label!r} in layer {name!r}")
        here = cells.codes[:, j] >= 0
        if not here.all() and name not in parameters.absent:
            raise ValueError(f"some cells lack the layer {name!r}, and in the posterior's model no row lacks it")
        codes[here, j] = place[cells.codes[here, j]]
    return codes


def require_covariates(cells: Cells, expected: tuple[str, ...]) -> None:
    """Raise ValueError unless cells have the covariates of a posterior, in its order."""
    if cells.covariates != expected:
        raise ValueError(f"the posterior has the covariates {list(expected)}, the cells have {list(cells.covariates)}")


def moments_of_totals(parameters: Parameters, centered, codes, f, cells: Cells) -> dict[str, np.ndarray]:
    """Return moments of the cells' means and variances in each draw: averages over rows, shape (S,).

    ``between`` is the variance of means, ``within`` the average variance, ``within_sq`` the average square of the
    variance, ``product`` the average of the variance times the mean's squared deviation. ``cumulants`` is
    the average of what third and fourth cumulants add to the variance of a squared deviation, 0 for normal totals.
    """
    names = ("between", "within", "within_sq", "product", "cumulants")
    moments = {name: np.zeros(parameters.n_draws) for name in names}
    skewness, tail_weight = (0.0, 0.0) if parameters.tails is None else parameters.tails
    center, _ = cells.covariate_moments()
    for block in parameters.blocks(len(codes), 2):
        # Without the baseline's mean: a large offset would cost digits in the squares.
        shift = sum(values[codes[block, j]] for j, values in enumerate(centered))
        if cells.covariates:
            shift = shift + (cells.x_mean[block] - center) @ parameters.slope
        deviation = shift**2
        if cells.covariates:  # the rows of a cell differ in their means, too
            products = cells.x_products[block] / cells.n[block, None, None]
            deviation += np.einsum("ckm,ks,ms->cs", products, parameters.slope, parameters.slope)
        variance = parameters.variance[0] + sum(
            values[codes[block, j]] for j, values in enumerate(parameters.variance[1:])
        )
        weight = f[block]
        moments["between"] += weight @ deviation
        moments["within"] += weight @ variance
        moments["product"] += weight @ (deviation * variance)
        moments["within_sq"] += weight @ variance**2
        fourth = 3 * (1 + 4 * skewness**2) * tail_weight**2 * variance
        moments["cumulants"] += weight @ (fourth + 4 * shift * 3 * skewness * tail_weight * variance)
    return moments


def _warn_of_another_variance(cells: Cells, variance: np.ndarray, moments: dict[str, np.ndarray]) -> None:
    """Warn if the totals' sum of squares is implausible under the model, and the difference is large."""
    n = cells.n_observations
    if n < 2:
        return
    _, totals = cells.total_moments()
    p = predictive_p_value(totals * (n - 1), n, moments)
    model = variance.mean()
    if p < MISMATCH_P and abs(model / totals - 1) > MISMATCH_SIZE:
        warnings.warn(
            f"shares are of a variance of {model:.3g} under the model, and these totals have {totals:.3g}. Either the "
            "posterior is not of these data, or the model does not describe them; where contributors have few rows "
            "each, a prior without pooling makes their means lie too far apart",
            VarianceMismatchWarning,
            stacklevel=3,
        )


def predictive_p_value(sum_sq: float, n: int, moments: dict[str, np.ndarray]) -> float:
    """Return the two-sided posterior predictive p-value of the totals' centered sum of squares.

    In each draw the sum of squares is a quadratic form in normal variables. Its mean and variance are exact, its shape
    is taken as a gamma distribution's (Satterthwaite 1946, *An approximate distribution of estimates of variance
    components*).
    """
    mean = n * moments["between"] + (n - 1) * moments["within"]
    squares = (n - 2) * moments["within_sq"] + moments["within"] ** 2
    variance = 2 * squares + 4 * n * moments["product"] + n * moments["cumulants"]
    shape = mean**2 / variance
    x = sum_sq * mean / variance
    return float(2 * min(gammainc(shape, x).mean(), gammaincc(shape, x).mean()))


def _warn_of_cancelling_means(table: pd.DataFrame) -> None:
    last = table.iloc[-1]
    if last["component"] == COVARIANCE and last["mean"] < -MISMATCH_SIZE:
        names = ", ".join(table["component"][table["source"] == "means"].iloc[:-1])
        warnings.warn(
            f"without their covariance, the parts sum to {1 - last['mean']:.0%} of the variance: means of {names} "
            "cancel one another, so the part of one layer alone says little. Layers that are nested, or whose "
            "contributors come together, cannot be told apart by these data; `identification` names them, and pooling "
            "helps",
            VarianceMismatchWarning,
            stacklevel=3,
        )
