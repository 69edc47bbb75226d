"""Reading a posterior that a student's function returns: whether it can be trusted, and whether it is the right one."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import xarray as xr

from mlm_tutorial.exercises.answers import Hint, describe, too_far

#: A Monte Carlo standard error is itself an estimate, off by a tenth or so in a run that has converged.
_SLACK = 1.2


def fits_a_model(check: Callable) -> Callable:
    """Mark the check of a task that samples a posterior: it takes seconds, so tests try it with fewer seeds."""
    check.fits = True
    return check


def trusted_draws(value: object, names: Iterable[str], what: str = "the answer") -> xr.Dataset:
    """Return the draws of a posterior that passes the convergence check.

    Parameters
    ----------
    value : object
        What the student's function returned; right is the DataTree of ``mlm.sample``, ``pm.sample`` or nutpie.
    names : iterable of str
        Variables that the posterior must have.
    what : str
        What a hint calls the value.

    Returns
    -------
    xarray.Dataset
        The posterior group, dims (chain, draw, ...).

    Raises
    ------
    Hint
        If there is no posterior, a variable is missing, draws are too few to be judged, or the run has not converged.
    """
    from mlm_tutorial.diagnostics import ConvergenceError, check_convergence

    if not isinstance(value, xr.DataTree):
        wanted = "what mlm.sample returns, a DataTree with a posterior"
        raise Hint(f"{what} should be {wanted}, but it is {describe(value)}")
    if "posterior" not in value.children:
        groups = ", ".join(value.children) or "none"
        raise Hint(f"{what} has no group named posterior; its groups are {groups}. Was the model sampled?")
    posterior = value["posterior"].to_dataset()
    missing = [name for name in names if name not in posterior]
    if missing:
        has = ", ".join(map(str, posterior.data_vars))
        raise Hint(f"{what} has no variable named {missing[0]!r} in its posterior; it has {has}")
    chains, draws = posterior.sizes["chain"], posterior.sizes["draw"]
    if chains < 2:
        raise Hint(f"{what} holds one chain; several have to agree before you can trust any")
    try:
        check_convergence(value)
    except ConvergenceError as error:
        raise Hint(f"the run of {chains} x {draws} draws does not pass mlm.check_convergence: {error}") from None
    return posterior


def expect_moments(
    draws: xr.DataArray,
    mean: Any,
    sd: Any,
    what: str,
    mistakes: Iterable[tuple[Any, Any, str]] = (),
    otherwise: str = "is this the model that the task describes, with its priors and all of its data?",
) -> None:
    """Raise a hint unless draws have the mean and the standard deviation of the right posterior.

    A right posterior is refused with probability `FALSE_ALARM` at most, for all its values together. With 4,000 draws
    worth 2,000 independent ones, a mean that is off by a seventh of a standard deviation, or a standard deviation that
    is off by a tenth, is noticed.

    Parameters
    ----------
    draws : xarray.DataArray
        Draws of one variable, dims (chain, draw, ...).
    mean, sd : float or array
        Exact moments, of the shape of one draw.
    what : str
        What a hint calls the variable.
    mistakes : iterable of (mean, sd, str)
        Moments that typical mistakes lead to, and the hint that each of them earns.
    otherwise : str
        The end of the hint for every other posterior.
    """
    difference = _first_difference(draws, mean, sd)
    if difference is None:
        return
    for wrong_mean, wrong_sd, hint in mistakes:
        if _first_difference(draws, wrong_mean, wrong_sd) is None:
            raise Hint(hint)
    moment, found = difference
    raise Hint(f"the posterior {moment} of {what} is {found:.4g}, too far from the right one to be chance; {otherwise}")


def _first_difference(draws: xr.DataArray, mean: Any, sd: Any) -> tuple[str, float] | None:
    """Return the name and the value of the first moment that is off by more than chance, or None."""
    import arviz as az

    values = draws.transpose("chain", "draw", ...)
    flat = values.values.reshape(*values.shape[:2], -1)
    means, sds = (np.broadcast_to(np.asarray(x, float), values.shape[2:]).ravel() for x in (mean, sd))
    for k in range(flat.shape[-1]):
        one = flat[..., k]
        for name, given, right in (("mean", one.mean(), means[k]), ("standard deviation", one.std(), sds[k])):
            error = float(az.mcse(one, method="mean" if name == "mean" else "sd"))
            if too_far(given, right, _SLACK * error, n_comparisons=2 * len(means)):
                return name, float(given)
    return None


def hierarchical_moments(
    average: np.ndarray,
    error: np.ndarray,
    tau_prior: Any,
    mu_sd: float = 10.0,
    spread: Callable[[np.ndarray], np.ndarray] = lambda tau: tau,
) -> dict[str, tuple[Any, Any]]:
    """Return exact posterior moments of a hierarchical normal model, by quadrature over tau.

    The model is ``mu ~ Normal(0, mu_sd)``, ``level[k] ~ Normal(mu, spread(tau))`` and
    ``average[k] ~ Normal(level[k], error[k])``. Given tau all is normal, and precisions add up; the law of total
    variance joins the values of tau.

    Parameters
    ----------
    average : ndarray of float, shape (K,)
    error : ndarray of float, shape (K,)
        Standard errors, infinite where nothing was observed.
    tau_prior : frozen distribution of scipy.stats, or float
        Prior of tau, or the value at which it is fixed.
    mu_sd : float
        Prior standard deviation of mu.
    spread : callable
        Standard deviation of the levels, from tau.

    Returns
    -------
    dict of str to (mean, standard deviation)
        ``"mu"`` and ``"tau"``, numbers, and ``"level"``, arrays of shape (K,).
    """
    if isinstance(tau_prior, (int, float)):
        tau, log_weight = np.array([float(tau_prior)]), np.zeros(1)
    else:
        tau = tau_prior.isf(1e-30) * (np.arange(6_000) + 0.5) / 6_000
        log_weight = tau_prior.logpdf(tau)
    seen = np.isfinite(error)
    between, noise, own = spread(tau)[:, None] ** 2, error[seen] ** 2, average[seen]
    precision = 1 / (between + noise)  # of an average about mu
    total = precision.sum(axis=1) + 1 / mu_sd**2
    mu = (precision * own).sum(axis=1) / total
    residual = (precision * own**2).sum(axis=1) - total * mu**2
    log_weight = log_weight + 0.5 * (np.log(precision).sum(axis=1) - np.log(total) - residual)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()

    pull = np.zeros((len(tau), len(average)))  # from mu to the average
    pull[:, seen] = between * precision
    level = mu[:, None] + pull * (np.where(seen, average, 0) - mu[:, None])
    level_variance = (1 - pull) * between + (1 - pull) ** 2 / total[:, None]

    def moments(mean, variance):
        overall = weight @ mean
        return overall, np.sqrt(weight @ (variance + (mean - overall) ** 2))

    return {
        "mu": moments(mu, 1 / total),
        "tau": moments(tau, np.zeros_like(tau)),
        "level": moments(level, level_variance),
    }
