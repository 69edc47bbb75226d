"""Checks of the exercises of notebook 05."""

from functools import cache

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr
from scipy import stats

from mlm_tutorial.exercises.answered_models import density_of, require_dim, require_shapes, variables_of
from mlm_tutorial.exercises.answered_posteriors import expect_moments, fits_a_model, trusted_draws
from mlm_tutorial.exercises.answers import Answer, Hint, array, choices, close, expect, instance, number, pair, shape_of


def not_reached(answer: Answer, rng: np.random.Generator) -> str:
    """Check 05.1."""
    # Posterior minus prior mean and posterior sd, both in prior sds, whether chains sit apart, whether the data were
    # silent, and the hint where it is misjudged.
    apart = "its four chains sit at different places; its spread is that of all draws together, of all chains"
    cases = [
        (0.05, 0.86, False, True, "its posterior is 86 % as wide as its prior; compare sds, not variances"),
        (0.19, 0.90, False, True, "its mean moved by 0.19 of its prior's standard deviation; that is the unit"),
        (0.08, 1.10, False, True, "its posterior is even a little wider than its prior, and at the same place"),
        (0.03, 0.92, True, True, apart),
        (0.0, 0.3, False, False, "its posterior has the prior's mean and is much narrower; data can confirm a mean"),
        (1.5, 0.98, False, False, "its posterior is as wide as its prior, and lies elsewhere; compare the means too"),
        (-1.2, 1.02, False, False, "its posterior lies far below its prior; a move down is a move"),
        (0.4, 0.02, False, False, "its posterior is far narrower than its prior"),
        (0.1, 0.65, False, False, "its posterior is 65 % as wide as its prior"),
        (0.0, 0.77, False, False, "its posterior is 77 % as wide as its prior, below the limit in the text"),
        (-0.23, 0.95, False, False, "its mean moved by 0.23 prior sds, beyond the limit in the text"),
    ]
    for _ in range(2):
        letters = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda"
        names = rng.permutation(letters.split()).tolist()
        prior, posterior = {}, {}
        for name, (moved, narrowed, chains_apart, _, _) in zip(names, cases, strict=True):
            mean, sd = rng.normal(0, 50), np.exp(rng.normal(0, 2))
            prior[name] = ("chain", "draw"), mean + sd * _standardized((1, 1000), rng)
            z = _standardized((4, 500), rng, np.array([-1.5, -0.5, 0.5, 1.5]) if chains_apart else 0)
            posterior[name] = ("chain", "draw"), mean + moved * sd + narrowed * sd * z
        idata = xr.DataTree.from_dict({"/prior": xr.Dataset(prior), "/posterior": xr.Dataset(posterior)})
        given = choices(answer.call(idata), names)
        for name, (_, _, _, silent, hint) in zip(names, cases, strict=True):
            if silent and name not in given:
                raise Hint(f"the data never reached {name!r}, and your answer lacks it: {hint}")
            if not silent and name in given:
                raise Hint(f"the data did reach {name!r}: {hint}")
    return "What agrees with its prior in place and width was not learned from data."


def _standardized(shape: tuple[int, int], rng: np.random.Generator, places=0) -> np.ndarray:
    """Return draws whose moments are exact, so that chance cannot refuse a right answer; chains may sit apart."""
    z = rng.normal(size=shape) + np.reshape(places, (-1, 1))
    return (z - z.mean()) / z.std()


def difference_sds(answer: Answer, rng: np.random.Generator) -> str:
    """Check 05.2."""
    for m in (5, 3, 8):
        s = rng.uniform(0.5, 4)
        first, second = pair(answer.call(m, s), "the answer")
        last, zero_sum = number(first, "the first part"), number(second, "the second part")
        right_last, right_zero_sum = s * np.sqrt(m + 2), s * np.sqrt(2)
        if close([last, zero_sum], [right_zero_sum, right_last]):
            raise Hint("both parts are right, but they come in the other order")
        off = np.abs(np.array([last / right_last, zero_sum / right_zero_sum]) - 1)
        if 1e-6 < off.max() < 0.04:
            raise Hint("close, and not exact: the task asks for a formula, not for a simulation")
        if close([last, zero_sum], np.square([right_last, right_zero_sum])):
            raise Hint("these are variances; the task asks for standard deviations")
        mistakes = [
            (
                s * np.sqrt(m),
                "with last minus the rest, variances of the two were added as if they were independent; but the last "
                "contains the first",
            ),
            (s * np.sqrt(m - 2), "with last minus the rest: the last contains minus the first, so they pull apart"),
            (s * np.sqrt(2), "with last minus the rest: this is the difference of two that are both free"),
            (s * np.sqrt(m - 1), "with last minus the rest: this is the last one itself, not a difference"),
        ]
        expect(last, right_last, mistakes, "with last minus the rest: write the difference as a sum of free means")
        mistakes = [
            (
                s * np.sqrt(2 * (1 - 1 / m)),
                "with ZeroSumNormal, variances of the two were added as if they were independent; they share the "
                "average that is subtracted",
            ),
            (s * np.sqrt(1 - 1 / m), "with ZeroSumNormal: this is one mean, not a difference"),
        ]
        expect(zero_sum, right_zero_sum, mistakes, "with ZeroSumNormal: what becomes of the average in a difference?")
    return (
        "In a difference the subtracted average cancels, so ZeroSumNormal compares contributors as if they were free."
    )


def divergent_shares(answer: Answer, rng: np.random.Generator) -> str:
    """Check 05.3."""
    for labels in (["a", "b", "c"], [10, 20, 30, 40]):
        idata = _funnels(labels, rng)
        sigma = idata["posterior"]["sigma"]
        diverging = idata["sample_stats"]["diverging"]
        m = len(labels)
        given = answer.call(idata.copy(deep=True))
        kinds = (np.ndarray, xr.DataArray, pd.Series, list, tuple)
        given = array(instance(given, kinds, "an array"), (m,), "the answer")
        low = sigma < sigma.quantile(0.1, ["chain", "draw"])
        right = _share(low, diverging)
        if close(given, right):
            continue
        if np.abs(given - 0.1).max() < 0.02:
            raise Hint(
                "a tenth for everybody, whatever diverged: take the quantiles of all draws, and the shares among the "
                "divergent ones"
            )
        if close(np.sort(given), np.sort(right)):
            raise Hint("the shares are right, but in another order; keep the contributors as they come")
        of_low = "this is the share of low draws that diverged; asked is the share of divergent draws that are low"
        one_limit = "one limit was used for all contributors; each needs the quantile of its own draws"
        chain_limit = "each chain has its own limit here; one limit comes from the contributor's draws of all chains"
        mistakes = [
            (100 * right, "these are percentages; give fractions"),
            (_share(diverging, low), of_low),
            (_share(low, ~diverging), "this takes the draws that did not diverge"),
            (_share(sigma < sigma.quantile(0.1), diverging), one_limit),
            (_share(sigma < sigma.quantile(0.1, "draw"), diverging), chain_limit),
            (right * float(diverging.mean()), "you divide by the number of all draws, not of those that diverged"),
            (_share(sigma > sigma.quantile(0.9, ["chain", "draw"]), diverging), "this is the wide end, not the neck"),
            (1 - right, "this is the share above the limit; necks are below"),
        ]
        wrong = "count, among the divergent draws, those with a sigma below its 10 % quantile"
        expect(given, right, mistakes, wrong)
    return "A tenth is what chance gives; far more means a neck. Quantiles are the same draws in sigma and log sigma."


def _share(what: xr.DataArray, among: xr.DataArray) -> np.ndarray:
    """Return the share of draws with one property among those with another, for each contributor."""
    return what.where(among).mean(["chain", "draw"]).values


def _funnels(labels: list, rng: np.random.Generator) -> xr.DataTree:
    """Return draws in which divergences gather where the sigma of one contributor is small."""
    m, n_chains, n_draws = len(labels), 4, 300
    guilty = rng.integers(m)
    place = rng.normal(0, 0.3, (n_chains, 1, 1))  # chains differ, as they do in funnels
    log_sigma = rng.normal(size=(n_chains, n_draws, m)) + place + 2 * np.arange(m)
    rank = stats.rankdata(log_sigma[..., guilty]).reshape(n_chains, n_draws) / (n_chains * n_draws)
    diverging = rng.random((n_chains, n_draws)) < 0.02 + 0.4 * (rank < 0.15)
    posterior = xr.Dataset(
        {"sigma": (("chain", "draw", "contributor"), np.exp(log_sigma))}, coords={"contributor": labels}
    )
    statistics = xr.Dataset({"diverging": (("chain", "draw"), diverging)})
    return xr.DataTree.from_dict({"/posterior": posterior, "/sample_stats": statistics})


@fits_a_model
def center_means(answer: Answer, rng: np.random.Generator) -> str:
    """Check 05.4."""
    labels = ["Airport", "Harbor", "Mill"]
    k = rng.permutation(np.repeat(np.arange(3), rng.permutation([5, 10, 20])))
    sigma_center, sigma_road = rng.permutation([2.0, 4.0, 8.0]), rng.uniform(2, 4)
    means = rng.normal(0, 3, 3)
    late = rng.normal(6, 2) + means[k] + rng.normal(0, sigma_center[k]) + rng.normal(0, sigma_road, len(k))
    parcels = pd.DataFrame({"center": np.array(labels)[k], "late": late})
    known = dict(zip(labels, sigma_center.tolist(), strict=True))
    draws = trusted_draws(answer.call(parcels, float(sigma_road), known), ("mu_baseline", "mu_center"))
    baseline, means = draws["mu_baseline"], draws["mu_center"]
    if baseline.dims != ("chain", "draw") or set(means.dims) != {"chain", "draw", "center"}:
        raise Hint(f"mu_center should have the dim 'center' beside chain and draw, but its dims are {means.dims}")
    if sorted(means["center"].values.tolist()) != labels:
        raise Hint(f"the coordinate 'center' should hold {', '.join(labels)}, so that draws carry their names")
    means = means.sel(center=labels).transpose("chain", "draw", "center")

    fresh = np.diag(sigma_center[k] ** 2)
    road = np.diag(np.full(len(k), sigma_road**2))
    offsets = np.where(k[:, None] == k, (sigma_center**2)[k], 0)
    zero_sum = _CENTER_SCALE**2 * (np.eye(3) - 1 / 3)
    last = np.array([[1, 0], [0, 1], [-1, -1]])
    wrong = [
        (road, zero_sum, "this is the posterior of a model in which centers shift a parcel and add no spread to it"),
        (road + offsets, zero_sum, "this model draws one offset for each center; a share is fresh for every parcel"),
        (
            (np.sqrt(road) + np.sqrt(fresh)) ** 2,
            zero_sum,
            "standard deviations were added; which quantity adds up in a sum?",
        ),
        (road + fresh, _CENTER_SCALE**2 * last @ last.T, "here the last mean is minus the rest, so it has more room"),
        (road + fresh, _CENTER_SCALE**2 * np.eye(3), "these means do not sum to zero"),
    ]
    mean, sd = _center_posterior(k, late, road + fresh, zero_sum)
    mistakes = [(*_center_posterior(k, late, noise, prior), hint) for noise, prior, hint in wrong]
    expect_moments(means, mean[1:], sd[1:], "`mu_center`", [(m[1:], s[1:], hint) for m, s, hint in mistakes])
    expect_moments(baseline, mean[0], sd[0], "`mu_baseline`", [(m[0], s[0], hint) for m, s, hint in mistakes])
    return (
        "With known spreads there is no funnel: shares may be sampled or integrated out, and the posterior is the same."
    )


_BASELINE_SCALE, _CENTER_SCALE = 20.0, 3.0


def _center_posterior(k: np.ndarray, late: np.ndarray, noise: np.ndarray, prior: np.ndarray):
    """Return exact moments of the baseline's mean and the centers' means: all is normal, and all spreads are known."""
    design = np.column_stack([np.ones(len(k)), np.eye(3)[k]])
    covariance = np.zeros((4, 4))
    covariance[0, 0], covariance[1:, 1:] = _BASELINE_SCALE**2, prior
    gain = np.linalg.solve(design @ covariance @ design.T + noise, design @ covariance).T
    return gain @ late, np.sqrt(np.diag(covariance - gain @ design @ covariance))


def relay_model(answer: Answer, rng: np.random.Generator) -> str:
    """Check 05.5."""
    parcels = _parcels()
    n, drivers = len(parcels), sorted({*parcels["first"], *parcels["second"]})
    model = answer.call(parcels)
    reference, right_terms, start = _reference()
    free = ("mu_baseline", "sigma_baseline", "mu_driver", "sigma_driver", "y_first", "y_second")
    variables = variables_of(model, free, "late")
    for name in ("y_first", "y_second"):
        if shape_of(variables[name]) == (len(drivers),):
            raise Hint(f"{name!r} has one value a driver: an offset; a contribution is drawn afresh for every parcel")
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(("y_first", "y_second", "late"), (n,))
    shapes |= {"mu_baseline": (), "sigma_baseline": (), "mu_driver": (len(drivers),), "sigma_driver": (len(drivers),)}
    require_shapes(variables, shapes)
    require_dim(model, ("mu_driver", "sigma_driver"), "driver")
    if list(model.coords.get("driver") or ()) != drivers:
        raise Hint(f"the coordinate 'driver' should hold {', '.join(drivers)}, in alphabetical order")
    values = {name: model.rvs_to_values[variable].name for name, variable in variables.items() if name in free}
    right_values = {name: reference.rvs_to_values[reference[name]].name for name in free}
    for name in free:
        if values[name] != right_values[name]:
            what = "must sum to zero" if name == "mu_driver" else "has another kind of prior in the text"
            raise Hint(f"{name!r} {what}; the sampler walks on {values[name]!r} here")

    points = [
        {name: np.asarray(value + 0.3 * rng.normal(size=np.shape(value))) for name, value in start.items()}
        for _ in range(2)
    ]
    density = density_of(model, jacobian=True)
    found = [{name: np.sum(term) for name, term in density(point)[0].items()} for point in points]
    for point, given in zip(points, found, strict=True):
        right = right_terms(point)
        for name in ("mu_baseline", "sigma_baseline", "mu_driver", "sigma_driver"):
            if not close(given[name], right[name]):
                raise Hint(f"the prior of {name!r} is not the one in the text")
        for name in ("y_first", "y_second"):
            if not close(given[name], right[name]):
                other = {"y_first": "y_second", "y_second": "y_first"}[name]
                beside = f"{other!r} is right: " if close(given[other], right[other]) else ""
                raise Hint(
                    f"the density of {name!r} is wrong. {beside}does every parcel find mean and standard deviation "
                    f"of its own driver {name[2:]!r}, although some drivers never drive there?"
                )
        if not close(given["late"], right["late"]):
            raise Hint("the density of 'late' is wrong: mean, standard deviation and data should be those of the text")
    return "One layer, two contributions: the index says which driver, the dim says that each parcel draws afresh."


@cache
def _parcels() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    pairs = [
        ("Cem", "Ana"),
        ("Ana", "Dia"),
        ("Cem", "Eli"),
        ("Eli", "Bo"),
        ("Ana", "Bo"),
        ("Cem", "Dia"),
        ("Eli", "Ana"),
    ]
    parcels = pd.DataFrame(pairs, columns=["first", "second"])
    return parcels.assign(late=rng.normal(10, 8, len(parcels)).round(1))


def _relay(parcels: pd.DataFrame) -> pm.Model:
    drivers = sorted({*parcels["first"], *parcels["second"]})
    with pm.Model(coords={"driver": drivers, "parcel": parcels.index}) as model:
        mu_baseline = pm.Normal("mu_baseline", 10, 20)
        sigma_baseline = pm.Weibull("sigma_baseline", 2, 5)
        mu = pm.ZeroSumNormal("mu_driver", sigma=10, dims="driver")
        sigma = pm.Weibull("sigma_driver", 2, 5, dims="driver")
        expected = mu_baseline
        for role in ("first", "second"):
            k = parcels[role].map(drivers.index).to_numpy()
            expected = expected + pm.Normal(f"y_{role}", mu[k], sigma[k], dims="parcel")
        pm.Normal("late", expected, sigma_baseline, observed=parcels["late"], dims="parcel")
    return model


@cache
def _reference():
    model = _relay(_parcels())
    density = density_of(model, jacobian=True)
    return model, lambda point: {name: np.sum(x) for name, x in density(point)[0].items()}, model.initial_point()


CHECKERS = {
    "05.1": not_reached,
    "05.2": difference_sds,
    "05.3": divergent_shares,
    "05.4": center_means,
    "05.5": relay_model,
}
