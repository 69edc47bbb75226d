"""Checks of the exercises of notebook 02."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pymc.distributions.custom import CustomDistRV, CustomSymbolicDistRV
from pytensor.compile.mode import Mode
from scipy import stats

from mlm_tutorial.distributions import StandardNormal
from mlm_tutorial.exercises.answered_models import density_of, require_shapes, variables_of
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
    shape_of,
)


def half_normal_logp(answer: Answer, rng: np.random.Generator) -> str:
    """Check 02.1."""
    value = pt.vector("value")
    graph = answer.call(value)
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
    """Check 02.2."""
    for k in rng.permutation([3, 4, 5, 6])[:2]:
        n_z = 3 * int(k)
        with pm.Model() as model:
            mu = pm.Normal("mu", 0, 10)
            sigma = pm.Weibull("sigma", 2, 5, shape=3)
            z = StandardNormal("z", shape=(3, int(k)))
            y = pm.Deterministic("y", mu + sigma[:, None] * z)
            pm.Normal("total", y[0], 1, observed=np.zeros(int(k)))
        right = 1 + 3 + n_z
        computed = "`y` is computed from other variables, so the sampler does not move it"
        data = "`total` is observed: data are known, so the sampler does not move them"
        mistakes = [
            (3, "this counts variables, and one variable may hold an array of numbers"),
            (4, "`z` has no parameters, and yet it is a free variable"),
            (5, "this counts names, those of data and of computed variables too; count numbers that are moved"),
            (right + n_z, computed),
            (right + k, data),
            (right + n_z + k, f"{computed}; and {data}"),
        ]
        expect(number(answer.call(model)), right, mistakes, "count the numbers in the free variables, all of them")
    return "A variable without parameters counts like any other."


def wrong_part(answer: Answer, rng: np.random.Generator) -> str:
    """Check 02.3."""
    names = ["draws", "logp", "logcdf", "icdf", "none"]
    for name, changed, exact, hint in _cases():
        # Quantiles in random order stand for draws: no chance is involved, so a right test is right for every seed.
        quantiles = rng.permutation(exact.ppf((np.arange(10_000) + 0.5) / 10_000))
        parts = {"draws": quantiles, "logp": exact.logpdf, "logcdf": exact.logcdf, "icdf": exact.ppf}
        parts |= {part: make(quantiles, rng) if part == "draws" else make for part, make in changed.items()}
        given = choice(answer.call(parts, exact), names)
        if given == name:
            continue
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

    same = {"logp": rounded(normal.logpdf), "logcdf": rounded(normal.logcdf), "icdf": rounded(normal.ppf)}
    yield "none", same, normal, ""
    yield "none", {}, logistic, ""
    yield "logp", {"logp": lambda x: -0.5 * x**2}, normal, "differences of log densities are right, their level is not"
    yield "logp", {"logp": normal.pdf}, normal, "it gives densities, not their logarithms"
    yield "icdf", {"icdf": lambda p: -normal.ppf(p)}, normal, "its median is right; look at other probabilities too"
    yield "logcdf", {"logcdf": normal.logsf}, normal, "at 0 it is right; look on both sides"
    yield "logcdf", {"logcdf": lambda x: np.log(normal.cdf(x))}, normal, "it breaks only far out, below -38"
    yield "draws", {"draws": lambda q, rng: 1.3 * q}, normal, "their mean is right, and they spread too far"
    yield (
        "draws",
        {"draws": lambda q, rng: rng.permutation(stats.laplace(0, np.sqrt(0.5)).ppf(normal.cdf(q)))},
        normal,
        "mean and standard deviation are right, and the shape is not: test the whole distribution",
    )
    yield "draws", {"draws": lambda q, rng: 0.2 + q}, logistic, "they are shifted"


def school_model(answer: Answer, rng: np.random.Generator) -> str:
    """Check 02.4."""
    n = 5
    measured, error = rng.normal(3, 8, n), rng.uniform(3, 9, n)
    model = answer.call(measured, error)
    centered = "the sampler moves `effect` itself: this is the centered form; compute `effect` from mu, sigma and z"
    variables = variables_of(model, ("mu", "sigma", "z"), "measured", ("effect",), {"effect": centered})
    if shape_of(variables["z"]) in ((), (1,)):
        raise Hint("there is one z for all schools, so all effects are alike; each school needs its own")
    require_shapes(variables, {"mu": (), "sigma": (), "z": (n,), "measured": (n,)})
    values = {
        name: model.rvs_to_values[variable].name for name, variable in variables.items() if name in ("mu", "sigma", "z")
    }
    if values != {"mu": "mu", "sigma": "sigma_log__", "z": "z"}:
        raise Hint("a prior is not the one in the text: mu and z may be any number, and sigma must be positive")

    mu, sigma, z = rng.normal(0, 5), rng.uniform(2, 9), rng.normal(size=n)
    point = {"mu": np.array(mu), "sigma_log__": np.array(np.log(sigma)), "z": z}
    terms, (effect,) = density_of(model, ("effect",), jacobian=True)(point)
    effect = array(effect, (n,), "`effect`")
    mistakes = [
        (sigma * z, "`effect` does not contain mu"),
        (mu + sigma**2 * z, "a variance stretches z in `effect`; a standard deviation should"),
        (mu + z, "`effect` does not contain sigma"),
    ]
    expect(effect, mu + sigma * z, mistakes, "`effect` should have mean mu and standard deviation sigma")
    terms = {name: np.sum(term) for name, term in terms.items()}
    right = {
        "mu": stats.norm.logpdf(mu, 0, 10),
        "sigma": stats.weibull_min.logpdf(sigma, 2, scale=5) + np.log(sigma),
        "z": stats.norm.logpdf(z).sum(),
        "measured": stats.norm.logpdf(measured, effect, error).sum(),
    }
    for name, hint in {
        "mu": "the prior of mu is not the one in the text",
        "sigma": "the prior of sigma is not the one in the text",
        "z": "z is not a standard normal",
        "measured": "the log density of `measured` is wrong: its mean is `effect`, its standard deviation `error`",
    }.items():
        if not close(terms[name], right[name]):
            raise Hint(hint)
    return "Same prior for the effects, and the sampler moves only z, whose prior depends on nothing."


def laplace(answer: Answer, rng: np.random.Generator) -> str:
    """Check 02.5."""
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
        raise Hint(
            f"the draws do not follow the log density: their standard deviation is {draws.std():.2f}, and the "
            "Laplace distribution has 1.41"
        )
    return "Two branches keep the logarithm exact in both tails, and draws, density and probability agree."


def _evaluate(graphs: list, value, points: np.ndarray) -> list[np.ndarray]:
    """Return what graphs of `value` give at the points; a graph that cannot be computed is a hint."""
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
    "02.1": half_normal_logp,
    "02.2": numbers_moved,
    "02.3": wrong_part,
    "02.4": school_model,
    "02.5": laplace,
}
