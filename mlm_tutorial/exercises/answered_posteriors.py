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
