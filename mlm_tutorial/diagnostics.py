"""Diagnostics of a fit: convergence, efficiency, and recovery of a known truth."""

import warnings
from collections import Counter
from collections.abc import Mapping
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr

from mlm_tutorial.layers import BASELINE, LayeredSum
from mlm_tutorial.names import COVARIATE, OWN, dim_of, positions, variable_of
from mlm_tutorial.parameters import absent_layers, covariate_means
from mlm_tutorial.sampling import posterior_of

__all__ = ["ConvergenceError", "check_convergence", "efficiency", "recovery"]


class ConvergenceError(RuntimeError):
    """The chains do not agree, move too little, or diverged. The message names the worst offenders."""


def check_convergence(
    idata: xr.DataTree,
    max_rhat: float = 1.01,
    min_ess: float = 400,
    max_divergences: int = 0,
) -> pd.Series:
    """Raise an error unless every parameter's chains have converged.

    Thresholds are those of Vehtari et al. (2021), *Rank-normalization, folding, and localization*.

    Parameters
    ----------
    idata : xarray.DataTree
        A posterior of two chains or more.
    max_rhat : float
        Largest rank-normalized split R-hat allowed.
    min_ess : float
        Least bulk and tail effective sample size allowed, in draws of all chains together.
    max_divergences : int
        Number of divergent transitions allowed.

    Returns
    -------
    pandas.Series
        ``max_rhat``, ``min_ess_bulk``, ``min_ess_tail`` and ``divergences``.

    Raises
    ------
    ConvergenceError
        If a threshold is missed or a statistic is undefined (one chain, or a parameter that never moved).
    ValueError
        If `idata` has no posterior.
    """
    statistics, divergences = _convergence_statistics(idata), _divergences(idata)
    problems = _problems(statistics, divergences, max_rhat, min_ess, max_divergences)
    if problems:
        raise ConvergenceError("not converged. " + "; ".join(problems) + _remedy(statistics, divergences, min_ess))
    return pd.Series(
        {
            "max_rhat": statistics["rhat"].max(),
            "min_ess_bulk": statistics["ess_bulk"].min(),
            "min_ess_tail": statistics["ess_tail"].min(),
            "divergences": divergences,
        },
        name="convergence",
    )


def _problems(statistics, divergences, max_rhat=1.01, min_ess=400, max_divergences=0) -> list[str]:
    """Return a sentence for each threshold that is missed, with the worst parameters."""
    problems = []
    checks = {
        "rhat": ("R-hat", lambda x: x <= max_rhat, f"at most {max_rhat}", "max"),
        "ess_bulk": ("bulk ESS", lambda x: x >= min_ess, f"at least {min_ess}", "min"),
        "ess_tail": ("tail ESS", lambda x: x >= min_ess, f"at least {min_ess}", "min"),
    }
    for column, (title, passes, expected, worst_is) in checks.items():
        failed = statistics[column][~passes(statistics[column])]
        if len(failed):
            # Undefined statistics first, then the worst.
            failed = failed.sort_values(ascending=worst_is == "min", na_position="first")
            worst = ", ".join(f"{name} {value:.4g}" for name, value in failed.head(3).items())
            problems.append(
                f"{title} should be {expected}, but {len(failed)} of {len(statistics)} parameters miss it: {worst}"
            )
    if divergences > max_divergences:
        problems.append(f"{divergences} divergent transitions, at most {max_divergences} expected")
    return problems


def _remedy(statistics, divergences, min_ess) -> str:
    """Return advice in words where a simple remedy is likely to help, else an empty text."""
    close = statistics["rhat"].max() <= 1.05 and statistics[["ess_bulk", "ess_tail"]].min(axis=None) >= min_ess / 4
    if not close:
        return ""
    if divergences:
        return ". Few and close: shorter steps may help, mlm.sample(..., target_accept=0.99)"
    return ". Close: more draws may help, mlm.sample(..., draws=4000)"


def efficiency(idata: xr.DataTree) -> pd.DataFrame:
    """Return the effective sample sizes of a posterior and their cost.

    Parameters
    ----------
    idata : xarray.DataTree
        A posterior made by :func:`sample`.

    Returns
    -------
    pandas.DataFrame
        One row: ``converged`` (whether :func:`check_convergence` passes), ``min_ess_bulk``, ``min_ess_tail``,
        ``gradients`` (evaluations, tuning included), ``compile_seconds``, ``sampling_seconds`` (tuning included),
        and for bulk and tail ``ess_..._per_second`` of sampling and ``ess_..._per_gradient``. Ratios are NaN where
        the chains did not converge: the ESS of chains that disagree means nothing.

    Raises
    ------
    ValueError
        If `idata` has no posterior, or does not carry the costs that :func:`sample` records.
    """
    missing = {"sampling_seconds", "gradients", "compile_seconds"} - set(idata.attrs)
    if missing:
        raise ValueError(f"expected a posterior made by mlm.sample; it lacks {sorted(missing)}")
    statistics = _convergence_statistics(idata)
    converged = not _problems(statistics, _divergences(idata))
    row: dict[str, Any] = {"converged": converged}
    costs = {"second": idata.attrs["sampling_seconds"], "gradient": idata.attrs["gradients"]}
    ess = {kind: statistics[f"ess_{kind}"].min() for kind in ("bulk", "tail")}
    row |= {f"min_ess_{kind}": value for kind, value in ess.items()}
    row |= {key: idata.attrs[key] for key in ("gradients", "compile_seconds", "sampling_seconds")}
    for unit, cost in costs.items():
        for kind, value in ess.items():
            row[f"ess_{kind}_per_{unit}"] = value / cost if converged else np.nan
    return pd.DataFrame([row])


def recovery(
    idata: xr.DataTree, truth: LayeredSum, ci_prob: float | None = None, *, slopes: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Compare a posterior with the truth that its data were simulated from.

    Parameters
    ----------
    idata : xarray.DataTree
        A posterior.
    truth : LayeredSum
        Compared after centering, because the models' means sum to zero in every layer that no row lacks.
    ci_prob : float, optional
        Probability of the equal-tailed intervals; ArviZ's default if None.
    slopes : mapping of str to float, optional
        True slopes of the covariates, as for :meth:`LayeredSum.simulate`. The baseline's true mean is then that at the
        covariates' averages, where the models have theirs.

    Returns
    -------
    pandas.DataFrame
        One row per parameter, indexed by its name with its label such as ``mu_layer_1[0]``: ``truth``, ``mean``,
        ``sd``, ``lower``, ``upper``, and ``covered``, whether the interval contains the truth.

    Raises
    ------
    ValueError
        If the posterior lacks a layer or a contributor of the truth, or has other covariates.
    """
    posterior = posterior_of(idata)
    slopes, rows = dict(slopes or {}), {}
    means = covariate_means(idata)
    if set(slopes) != set(means):
        raise ValueError(f"the posterior has the covariates {list(means)}, slopes name {list(slopes)}")
    shift = sum(slopes[name] * mean for name, mean in means.items())
    for layer in truth.centered(absent=absent_layers(idata)):
        for kind, truths in (("mu", layer.mu), ("sigma", layer.sigma)):
            variable = variable_of(kind, layer.name)
            if variable not in posterior:
                raise ValueError(f"the posterior has no {variable!r}; it has {', '.join(posterior)}")
            draws = posterior[variable]
            if layer.name == BASELINE:
                true = truths[0] + (shift if kind == "mu" else 0.0)
                rows[variable] = {"truth": true} | _summary(draws, ci_prob)
                continue
            places = positions(draws[dim_of(layer.name)], layer.labels)
            for label, place, true in zip(layer.labels, places, truths, strict=True):
                if place < 0:
                    raise ValueError(f"the posterior of {variable!r} has no contributor {label!r}")
                rows[f"{variable}[{label}]"] = {"truth": true} | _summary(draws[..., place], ci_prob)
    for name in means:
        draws = posterior["slope"].sel({COVARIATE: name})
        rows[f"slope[{name}]"] = {"truth": slopes[name]} | _summary(draws, ci_prob)
    table = pd.DataFrame.from_dict(rows, orient="index")
    table["covered"] = (table["lower"] <= table["truth"]) & (table["truth"] <= table["upper"])
    return table.rename_axis("parameter")


def _summary(draws: xr.DataArray, ci_prob: float | None) -> dict[str, float]:
    lower, upper = az.eti(draws.values.ravel(), prob=ci_prob)
    return {"mean": float(draws.mean()), "sd": float(draws.std(ddof=1)), "lower": lower, "upper": upper}


def _convergence_statistics(idata: xr.DataTree) -> pd.DataFrame:
    """Return R-hat, bulk and tail ESS, one row per scalar parameter that was estimated."""
    posterior = posterior_of(idata)
    known = known_parameters(idata)
    of_variable = Counter(name.partition("[")[0] for name in known)
    n_draws = posterior.sizes["chain"] * posterior.sizes["draw"]
    sizes = {name: values.size // n_draws for name, values in posterior.items()}
    to_find = [name for name, size in sizes.items() if not name.startswith(OWN) and of_variable[name] < size]
    posterior = posterior[to_find]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Found dimension named 'sample'", UserWarning)  # a layer may be called so
        statistics = {
            "rhat": az.rhat(posterior),
            "ess_bulk": az.ess(posterior, method="bulk"),
            # The quantiles of Vehtari et al. (2021); ArviZ would take those of its default interval.
            "ess_tail": az.ess(posterior, method="tail", prob=(0.05, 0.95)),
        }
        dim = f"{OWN}statistic"
        joined = xr.concat(list(statistics.values()), dim=pd.Index(list(statistics), name=dim))
        table = az.dataset_to_dataframe(joined, sample_dims=[dim]).T
    return table.drop(index=known_parameters(idata), errors="ignore")


def known_parameters(idata: xr.DataTree) -> list[str]:
    """Return the names of standard deviations that were known, such as ``sigma_part[3]``."""
    if "constant_data" not in idata.children or "mlm_known" not in idata["constant_data"].coords:
        return []
    return idata["constant_data"]["mlm_known"].values.tolist()


def _divergences(idata: xr.DataTree) -> int:
    if "sample_stats" not in idata.children or "diverging" not in idata["sample_stats"]:
        return 0
    return int(idata["sample_stats"]["diverging"].sum())
