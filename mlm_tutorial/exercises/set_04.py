"""Checks of the exercises of notebook 04."""

from unittest import mock

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import xarray as xr
from pymc.distributions.custom import CustomDistRV, CustomSymbolicDistRV
from pytensor.compile.mode import Mode
from scipy import stats

from mlm_tutorial.distributions import StandardNormal
from mlm_tutorial.exercises.answered_models import density_of, require_shapes, variables_of
from mlm_tutorial.exercises.answered_posteriors import (
    expect_moments,
    fits_a_model,
    hierarchical_moments,
    trusted_draws,
)
from mlm_tutorial.exercises.answers import (
    FALSE_ALARM,
    Answer,
    Hint,
    array,
    choice,
    close,
    expect,
    instance,
    number,
    pair,
    shape_of,
)


def half_normal_logp(answer: Answer, rng: np.random.Generator) -> str:
    """Check 04.1."""
    value = pt.vector("value")
    with mock.patch.object(pm, "logp", side_effect=pm.logp) as asked:
        graph = answer.call(value)
    if asked.called:
        raise Hint("this asks PyMC for the log density; the task asks for the formula, written by you")
    if isinstance(graph, (tuple, list, np.ndarray, float)):
        raise Hint("the answer should be a graph made from `value`, with functions of pt; this is a finished number")
    instance(graph, pt.TensorVariable, "a graph of PyTensor")
    z = np.concatenate([rng.uniform(-3, -0.5, 2), rng.uniform(0.2, 3, 4), [40.0]])
    (given,) = _evaluate([graph], value, z)
    if given.ndim == 0:
        raise Hint("the answer is one number for all values; give one log density for each of them, without a sum")
    _require_shape(given, z.shape, "the log density")
    positive = z > 0
    inside, right = given[positive], stats.halfnorm.logpdf(z[positive])
    if not np.isfinite(inside[-1]) and close(inside[:-1], right[:-1]):
        raise Hint("right near 0 and infinite at 40, where the density rounds to 0: simplify the logarithm by hand")
    mistakes = [
        (np.exp(right), "this is the density; the sampler asks for its logarithm"),
        (right - np.log(2), "above 0 this is the normal's own density, and it covers only 1/2; a density covers 1"),
        (-0.5 * z[positive] ** 2, "the constant is missing: without it the density does not cover an area of 1"),
    ]
    expect(inside, right, mistakes, "wrong for values above 0; compare with stats.halfnorm.logpdf at a few of them")
    outside = given[~positive]
    if np.isnan(outside).any():
        raise Hint("the log density is not a number below zero; what is the logarithm of 0?")
    if close(outside, 0.0 * outside):
        raise Hint("the log density is 0 below zero, so the density is 1 there; what is the logarithm of 0?")
    if not np.isneginf(outside).all():
        raise Hint("values below zero cannot occur, but the log density is finite there: a sampler would visit them")
    return "Minus infinity is how a log density says: not here."


def numbers_moved(answer: Answer, rng: np.random.Generator) -> str:
    """Check 04.2."""
    for n_rounds, n_drivers in zip(rng.permutation([4, 5, 6, 7])[:2].tolist(), (4, 6), strict=True):
        n_z = n_drivers * n_rounds
        with pm.Model() as model:
            mu = pm.Normal("mu", 0, 10)
            mu_center = pm.ZeroSumNormal("mu_center", sigma=10, shape=3)
            sigma = pm.Weibull("sigma", 2, 5, shape=n_drivers)
            z = StandardNormal("z", shape=(n_drivers, n_rounds))
            y = pm.Deterministic("y", mu + sigma[:, None] * z)
            pm.Normal("late", y[0] + mu_center[0], 1, observed=np.zeros(n_rounds))
        right = 1 + 2 + n_drivers + n_z
        computed = "`y` is computed from other variables, so the sampler does not move it"
        data = "`late` is observed: data are known, so the sampler does not move them"
        by_shape = (
            "this counts the shapes of the variables, but the three means of `mu_center` sum to zero: the sampler "
            "moves in coordinates of its own, and these can be fewer"
        )
        names = "this counts names, and one name may stand for an array of numbers"
        mistakes = [
            (4, names),
            (5, f"{names}; one of these is not moved at all"),
            (6, f"{names}; two of these are not moved at all"),
            (right - n_z, "`z` has no parameters, and yet it is a free variable"),
            (right + 1, by_shape),
            (right + n_z, computed),
            (right + 1 + n_z, computed),
            (right + n_rounds, data),
            (right + 1 + n_rounds, data),
            (right + n_z + n_rounds, f"{computed}; and {data}"),
            (right + 1 + n_z + n_rounds, f"{computed}; and {data}"),
        ]
        expect(number(answer.call(model)), right, mistakes, "count the numbers in the free variables, all of them")
    return "A variable without parameters counts like any other."


def wrong_part(answer: Answer, rng: np.random.Generator) -> str:
    """Check 04.3."""
    names = ["draws", "logp", "logcdf", "icdf", "none"]
    for name, changed, exact, hint in _cases():
        # Quantiles in random order stand for draws: no chance is involved, so a right test is right for every seed.
        quantiles = rng.permutation(exact.ppf((np.arange(10_000) + 0.5) / 10_000))
        parts = {"draws": quantiles, "logp": exact.logpdf, "logcdf": exact.logcdf, "icdf": exact.ppf}
        parts |= {part: make(quantiles, rng) if part == "draws" else make for part, make in changed.items()}
        given = choice(answer.call(parts, exact), names)
        if given == name:
            continue
        if name == "none" and given == "draws":
            raise Hint(
                "all four parts are right here, and you name 'draws': right draws have a p-value below 0.05 once in "
                "twenty times, and below 0.01 once in a hundred; which level does the task name?"
            )
        if name == "none":
            raise Hint(
                f"all four parts are right here, and you name {given!r}: compare like with like, logarithms with "
                "logarithms, and allow for rounding"
            )
        if given != "none":
            raise Hint(f"here {name!r} is wrong and {given!r} is right, but you name {given!r}")
        raise Hint(f"{name!r} is wrong here, and your test does not notice: {hint}")
    return "A part is tested where it may fail: far out, and over the whole range."


def _cases():
    normal, logistic = stats.norm(), stats.logistic()

    def rounded(part):  # no two programs agree in the last digit
        return lambda x: part(x) * (1 + 1e-13)

    def moved(distance, waves=0.5):
        """Return draws whose distribution function is off by a distance, in one wave or in several."""
        return lambda q, rng: normal.ppf(_probabilities(q) - distance * np.sin(2 * np.pi * waves * _probabilities(q)))

    def same_moments(q, rng):
        draws = moved(0.05, waves=2)(q, rng)
        return rng.permutation((draws - draws.mean()) / draws.std())

    same = {"logp": rounded(normal.logpdf), "logcdf": rounded(normal.logcdf), "icdf": rounded(normal.ppf)}
    yield "none", same, normal, ""
    yield "none", {}, logistic, ""
    yield "logp", {"logp": lambda x: -0.5 * x**2}, normal, "differences of log densities are right, their level is not"
    yield "logp", {"logp": normal.pdf}, normal, "it gives densities, not their logarithms"
    right_half = "it is right up to 0 and wrong above; try values on both sides"
    yield "logp", {"logp": lambda x: normal.logpdf(np.where(x > 1, 1.1 * x, x))}, normal, right_half
    far = "it stops falling far out, beyond 24 standard deviations"
    yield "logp", {"logp": lambda x: np.maximum(normal.logpdf(x), -300)}, normal, far
    one = "it is right at some probabilities and wrong at others, so one or two do not test it"
    yield "icdf", {"icdf": lambda p: -normal.ppf(p)}, normal, one
    yield "icdf", {"icdf": lambda p: normal.ppf(p) + 0.3 * np.maximum(0.4 - p, 0)}, normal, one
    yield "icdf", {"icdf": lambda p: normal.ppf(p) - 0.3 * np.maximum(p - 0.6, 0)}, normal, one
    yield "logcdf", {"logcdf": normal.logsf}, normal, "at 0 it is right; look on both sides"
    yield "logcdf", {"logcdf": lambda x: normal.logcdf(-np.abs(x))}, normal, right_half
    yield "logcdf", {"logcdf": lambda x: np.log(normal.cdf(x))}, normal, "it breaks only far out, below -38"
    yield "draws", {"draws": lambda q, rng: 1.3 * q}, normal, "their mean is right, and they spread too far"
    yield (
        "draws",
        {"draws": lambda q, rng: rng.permutation(stats.laplace(0, np.sqrt(0.5)).ppf(normal.cdf(q)))},
        normal,
        "mean and standard deviation are right, and the shape is not: test the whole distribution",
    )
    yield (
        "draws",
        {"draws": same_moments},
        normal,
        "mean, standard deviation and tails are right, and the shape is not: test the whole distribution",
    )
    yield "draws", {"draws": lambda q, rng: 0.2 + q}, logistic, "they are shifted"
    # The p-value of a Kolmogorov-Smirnov test is near 0.002 here, and near 1e-9 there.
    yield "none", {"draws": moved(0.0187)}, normal, ""
    yield "draws", {"draws": moved(0.034)}, normal, "the p-value of a Kolmogorov-Smirnov test is near 1e-9"


def _probabilities(quantiles: np.ndarray) -> np.ndarray:
    return stats.norm.cdf(quantiles)


@fits_a_model
def driver_delays(answer: Answer, rng: np.random.Generator) -> str:
    """Check 04.4."""
    n = 6
    error = rng.uniform(3, 6, n)
    measured = rng.normal(2, 4, n) + rng.normal(0, error)
    model, posterior = pair(answer.call(measured, error), "the answer")
    _check_driver_model(model, measured, error, rng)
    draws = trusted_draws(posterior, ("mu", "sigma", "z", "delay"), "the second part")
    mu, sigma, delay = (draws[name].transpose("chain", "draw", ...) for name in ("mu", "sigma", "delay"))
    if delay.shape[2:] != (n,):
        raise Hint(f"`delay` should have one value for each of {n} drivers, but its shape is {delay.shape[2:]}")
    if not close(delay, mu + sigma * draws["z"].transpose("chain", "draw", ...), rtol=1e-5, atol=1e-5):
        raise Hint("in the draws `delay` is not mu + sigma * z; is this the posterior of the model that you return?")
    right = _delays(measured, error)
    swapped = _delays(measured, np.full(n, error.mean()))
    of_mean = "the drivers' errors differ, but this posterior treats them alike; is it that of the model you return?"
    for name, values in (("mu", mu), ("sigma", sigma), ("delay", delay)):
        (mean, sd), (wrong_mean, wrong_sd) = right[name], swapped[name]
        expect_moments(values, mean, sd, f"`{name}`", [(wrong_mean, wrong_sd, of_mean)])
    return "Same prior for the delays, and the sampler moves only z, whose prior depends on nothing."


def _check_driver_model(model, measured: np.ndarray, error: np.ndarray, rng: np.random.Generator) -> None:
    """Raise a hint unless this is the non-centered model of the drivers' delays."""
    n = len(measured)
    if isinstance(model, xr.DataTree):
        raise Hint("the first part should be the model, and the second its posterior; this is the other order")
    centered = "the sampler moves `delay` itself: this is the centered form; compute `delay` from mu, sigma and z"
    variables = variables_of(model, ("mu", "sigma", "z"), "measured", ("delay",), {"delay": centered})
    if shape_of(variables["z"]) in ((), (1,)):
        raise Hint("there is one z for all drivers, so all delays are alike; each driver needs its own")
    require_shapes(variables, {"mu": (), "sigma": (), "z": (n,), "measured": (n,)})
    values = {
        name: model.rvs_to_values[variable].name for name, variable in variables.items() if name in ("mu", "sigma", "z")
    }
    if values != {"mu": "mu", "sigma": "sigma_log__", "z": "z"}:
        raise Hint("a prior is not the one in the text: mu and z may be any number, and sigma must be positive")

    mu, sigma, z = rng.normal(0, 5), rng.uniform(2, 9), rng.normal(size=n)
    point = {"mu": np.array(mu), "sigma_log__": np.array(np.log(sigma)), "z": z}
    terms, (delay,) = density_of(model, ("delay",), jacobian=True)(point)
    delay = array(delay, (n,), "`delay`")
    mistakes = [
        (sigma * z, "`delay` does not contain mu"),
        (mu + sigma**2 * z, "a variance stretches z in `delay`; a standard deviation should"),
        (mu + z, "`delay` does not contain sigma"),
    ]
    expect(delay, mu + sigma * z, mistakes, "`delay` should have mean mu and standard deviation sigma")
    terms = {name: np.sum(term) for name, term in terms.items()}
    right = {
        "mu": stats.norm.logpdf(mu, 0, 10),
        "sigma": stats.weibull_min.logpdf(sigma, 2, scale=5) + np.log(sigma),
        "z": stats.norm.logpdf(z).sum(),
        "measured": stats.norm.logpdf(measured, delay, error).sum(),
    }
    for name, hint in {
        "mu": "the prior of mu is not the one in the text",
        "sigma": "the prior of sigma is not the one in the text",
        "z": "z is not a standard normal",
        "measured": "the log density of `measured` is wrong: its mean is `delay`, its standard deviation `error`",
    }.items():
        if not close(terms[name], right[name]):
            raise Hint(hint)


def _delays(measured: np.ndarray, error: np.ndarray) -> dict[str, tuple]:
    """Return mean and standard deviation of mu, sigma and the delays."""
    moments = hierarchical_moments(measured, error, stats.weibull_min(2, scale=5))
    return {"mu": moments["mu"], "sigma": moments["tau"], "delay": moments["level"]}


def laplace(answer: Answer, rng: np.random.Generator) -> str:
    """Check 04.5."""
    n = 10_000
    variable = instance(answer.call(n), pt.TensorVariable, "an unnamed variable, as CustomDist.dist makes it")
    if variable.owner is None or not isinstance(variable.owner.op, (CustomDistRV, CustomSymbolicDistRV)):
        raise Hint("this variable was not made by pm.CustomDist.dist; the task asks for a distribution of your own")
    value = pt.vector("value")
    graphs = []
    for part, make in {"logp": pm.logp, "logcdf": pm.logcdf}.items():
        try:
            graphs.append(make(variable, value))
        except Exception as error:
            raise Hint(
                f"PyMC finds no {part} in this distribution ({type(error).__name__}: {str(error)[:150]})"
            ) from None
    z = np.concatenate([rng.uniform(-5, -0.1, 3), rng.uniform(0.1, 5, 3), [-800.0, 40.0, 800.0]])
    middle = np.abs(z) < 10
    logp, logcdf = _evaluate(graphs, value, z)
    for part, given in {"logp": logp, "logcdf": logcdf}.items():
        _require_shape(given, z.shape, part)
    right = -np.abs(z) - np.log(2)  # SciPy's own is minus infinity far out
    mistakes = [
        (-np.abs(z[middle]), "logp lacks its constant: without it the density does not cover an area of 1"),
        (np.exp(right[middle]), "logp gives the density; PyMC asks for its logarithm"),
        (-z[middle] - np.log(2), "logp grows without end to the left; the density depends on the distance from 0"),
    ]
    expect(logp[middle], right[middle], mistakes, "logp is wrong near 0; compare with stats.laplace.logpdf")
    if not close(logp, right):
        raise Hint("logp is right near 0 and wrong far out: simplify the logarithm before coding it")
    right = stats.laplace.logcdf(z[middle])
    mistakes = [
        (np.exp(right), "logcdf gives the probability; PyMC asks for its logarithm"),
        (stats.laplace.logsf(z[middle]), "logcdf gives the probability of a larger value"),
    ]
    expect(logcdf[middle], right, mistakes, "logcdf is wrong near 0; compare with stats.laplace.logcdf")
    if not close(logcdf[-3], -800 - np.log(2)):
        raise Hint("logcdf breaks far to the left, at -800: a probability rounds to 0 before its logarithm is taken")
    # Beyond rounding of a sum with 1, only a relative error tells a wrong answer from a right one.
    if not close(logcdf[-2], -0.5 * np.exp(-40), atol=0) or not close(logcdf[-1], 0):
        raise Hint("logcdf breaks far to the right: at 40 it should be about -2e-18, and a sum rounds it away")

    if shape_of(variable) != (n,):
        raise Hint(
            f"asked for {n} values, and the variable has shape {shape_of(variable)}; who gets `size`, who `shape`?"
        )
    draws = np.asarray(pm.draw(variable, random_seed=int(rng.integers(2**31)), mode="FAST_COMPILE"))
    _require_shape(draws, (n,), "the draws")
    if len(np.unique(draws)) < n / 2:
        raise Hint("the draws repeat each other: your function of draws must pass `size` on")
    if stats.kstest(draws, stats.laplace.cdf).pvalue < FALSE_ALARM:
        if draws.min() >= 0:
            raise Hint("the draws are never negative; half of them should be")
        if abs(draws.mean()) < 0.1 and abs(draws.std() / np.sqrt(2) - 1) < 0.1:
            raise Hint("the draws have the right mean and standard deviation, but not the shape of the log density")
        raise Hint(
            f"the draws do not follow the log density: their standard deviation is {draws.std():.2f}, and the "
            "Laplace distribution has 1.41"
        )
    return "Two branches keep the logarithm exact in both tails, and draws, density and probability agree."


def _evaluate(graphs: list, value, points: np.ndarray) -> list[np.ndarray]:
    """Return the values of graphs of `value` at the points; a graph that cannot be computed is a hint."""
    try:
        # The graph is rewritten as `.eval()` rewrites it, and run by Python: nothing is compiled to C or by Numba.
        function = pytensor.function([value], graphs, mode=Mode("py", "fast_run"), on_unused_input="ignore")
        return [np.asarray(result, dtype=float) for result in function(points)]
    except Exception as error:
        raise Hint(f"the graph could not be computed: {type(error).__name__}: {str(error)[:200]}") from None


def _require_shape(given: np.ndarray, shape: tuple, what: str) -> None:
    if given.shape != shape:
        raise Hint(f"{what} should have shape {shape} here, but its shape is {given.shape}")


CHECKERS = {
    "04.1": half_normal_logp,
    "04.2": numbers_moved,
    "04.3": wrong_part,
    "04.4": driver_delays,
    "04.5": laplace,
}
