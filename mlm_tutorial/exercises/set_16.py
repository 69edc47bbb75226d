"""Checks of the exercises of notebook 16."""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import xarray as xr
from scipy import integrate, optimize, special, stats

from mlm_tutorial.exercises.answered_posteriors import fits_a_model, trusted_draws
from mlm_tutorial.exercises.answers import (
    FALSE_ALARM,
    Answer,
    Hint,
    array,
    close,
    expect,
    expect_numbers_from_rng,
    instance,
    number,
    pair,
    too_far,
    too_far_from_normal,
)
from mlm_tutorial.levy import draw_totals, log_density, mixing_moments, slope

#: Draws of each case of 16.1, its calls that ask for one draw, and an upper limit of the number of comparisons.
N_DRAWS, N_SINGLE, COMPARISONS = 60_000, 1_500, 60


def draw_contributions(answer: Answer, rng: np.random.Generator) -> str:
    """Check 16.1."""
    shapes = [_shape(rng, n, sign, relative) for n, sign, relative in ((3, 1, 0.6), (2, -1, 2.0), (4, 1, 1.2))]
    few = (50, len(shapes[0][0]))
    expect_numbers_from_rng(lambda own: {"contributions": array(answer.call(*shapes[0], 50, own), few)}, rng)

    def given(shape, n):
        own = np.random.default_rng(rng.integers(2**62))
        return array(answer.call(*shape, n, own), (n, len(shape[0])))

    cases = [(shape, given(shape, N_DRAWS)) for shape in shapes]
    if not all(_is_right(y, *shape) for shape, y in cases):
        raise Hint(_what_is_wrong(cases, rng))
    for (mean, variance, *tails), y in cases:
        each = [x for values in (y - mean, np.abs(y - mean)) for x in values.T]
        total = y.sum(axis=1, keepdims=True)
        if not _is_right(total, [mean.sum()], [variance.sum()], *tails) or _related(each[0], each[1]):
            raise Hint("each column is right, but the contributions of a row are not independent of one another")
        if len(np.unique(y)) < y.size or any(_related(x[1:], x[:-1]) for x in each):
            raise Hint("each column is right, but its rows are not independent draws")
    single = np.vstack([given(shapes[1], 1) for _ in range(N_SINGLE)])
    if not _is_right(single, *shapes[1]):
        raise Hint("right for many rows, not for one: subtract the expectation, not the average of the draws")
    return "Their sums have the same two numbers of shape: no other tail weight, and no other skewness."


def _shape(rng: np.random.Generator, n: int, sign: int, relative: float) -> tuple:
    """Return means, variances, skewness and tail weight of n contributions."""
    sd = rng.permutation(np.linspace(5, 9, n)) * rng.uniform(0.8, 1.2)
    return rng.normal(0, 10, n), sd**2, sign * float(rng.uniform(0.5, 0.7)), relative * 7 * float(rng.uniform(0.9, 1.1))


def _is_right(y: np.ndarray, mean, variance, skewness: float, tail_weight: float) -> bool:
    """Return whether the columns of y are draws of contributions, as far as chance allows."""
    for x, m, v in zip(y.T, mean, variance, strict=True):
        grid = np.sqrt(v) * np.sinh(np.linspace(-7, 7, 4_001)) / 2
        density = np.exp(log_density(grid, v, skewness, tail_weight))
        cumulative = integrate.cumulative_trapezoid(density, grid, initial=0)
        scores = stats.norm.ppf(np.interp(x - m, grid, cumulative / cumulative[-1]))
        if too_far_from_normal(scores, 0, 1, COMPARISONS):
            return False
    return True


def _related(x: np.ndarray, y: np.ndarray) -> bool:
    return too_far(stats.spearmanr(x, y).statistic, 0, 1 / np.sqrt(len(x)), COMPARISONS)


def _what_is_wrong(cases: list, rng: np.random.Generator) -> str:
    """Return the hint for columns that are not draws of the contributions asked for."""
    off, normal = False, True
    for (mean, variance, *_), y in cases:
        normal &= all(not too_far_from_normal(x, x.mean(), x.std()) for x in y.T)
        off |= any(too_far(x.mean(), m, np.sqrt(v / len(y))) for x, m, v in zip(y.T, mean, variance, strict=True))
        off |= bool(np.max(np.abs(y.var(axis=0) / variance - 1)) > 0.1)
    if normal and off:
        return "each column is normal, with a mean or a variance that is off: is one trouble drawn for all rows?"
    if normal:
        return "these are normal draws, with the right means and variances; where is the random trouble?"
    mistakes = [_mistakes_of_draws(shape, y.shape, rng) for shape, y in cases]
    for hint in mistakes[0]:
        if all(_look_alike(y, made[hint]) for (_, y), made in zip(cases, mistakes, strict=True)):
            return hint
    return "a mean or a variance is off" if off else "means and variances are right, but the shape is another one"


def _look_alike(y: np.ndarray, z: np.ndarray) -> bool:
    limit = np.sqrt(np.log(2 * COMPARISONS / FALSE_ALARM) / len(y))
    return all(stats.ks_2samp(a, b, method="asymp").statistic < limit for a, b in zip(y.T, z.T, strict=True))


def _mistakes_of_draws(shape: tuple, size, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the draws of typical mistakes, by the hint that each mistake earns."""
    mean, variance, rho, kappa = shape
    m, scale = mixing_moments(variance, rho, kappa)
    z, other, short = (rng.wald(m, s, size) for s in (scale, scale, np.sqrt(scale * (1 - rho**2))))

    def late_of(trouble):
        return slope(rho, kappa) * (trouble - m)

    noise, late = np.sqrt(z) * rng.standard_normal(size), late_of(z)
    return {
        "the expected trouble is not subtracted: the means move": mean + late - late_of(0) + noise,
        "trouble is a variance; the noise needs a standard deviation": mean + late + np.sqrt(z) * noise,
        "trouble costs no time here: the draws are not skewed": mean + noise,
        "the draws lean to the wrong side": mean - late + noise,
        "beta: the factor 1 - rho^2 is missing from it": mean + late * (1 - rho**2) + noise,
        "rho is not the slope beta: the tail weight is missing from it": mean + rho * (z - m) + noise,
        "trouble is drawn twice, but it is one number": mean + late_of(other) + noise,
        "trouble: in its scale, variance / kappa is squared": mean + late_of(short) + np.sqrt(short / z) * noise,
    }


def beyond(answer: Answer, rng: np.random.Generator) -> str:
    """Check 16.2."""
    for density, above, t, mean, sd in _densities(rng):
        asked: list[np.ndarray] = []

        def recorded(x, density=density, asked=asked):
            asked.append(np.array(x, dtype=float))
            return density(asked[-1])[()]

        first, factor = pair(answer.call(recorded, t, mean, sd), "the answer")
        p = number(first, "the probability")
        right, normal = float(above(t)), float(stats.norm.sf(t, mean, sd))
        if not close(p, right, rtol=1e-3, atol=0):
            mistakes = [
                (1 - right, "this is the probability that a total stays below the limit"),
                (np.exp(density(np.array(t))), "this is the density at the limit, not the probability beyond it"),
                (normal, "this is the normal's probability; the density that was given is another one"),
                *_mistakes_on_grid(asked, density, above, t, mean, sd),
            ]
            otherwise = f"the probability is {p:.3g} where it should be {right:.3g}: add up the density from t on"
            expect(p, right, mistakes, otherwise, rtol=1e-3, atol=0)
        digits = "the factor: 1 minus a probability near 1 has no digits left; SciPy's sf computes the tail itself"
        if isinstance(factor, float) and np.isinf(factor):
            raise Hint(digits)
        factor = number(factor, "the factor")
        wrong = [
            (normal / right, "the factor is upside down: above 1 where the normal expects too few"),
            (right / stats.norm.sf(t, mean, sd**2), "the factor: SciPy's normal takes the standard deviation itself"),
            (right / stats.norm.sf(t, mean, np.sqrt(sd)), "the factor: the standard deviation is taken for a variance"),
            (right / stats.norm.pdf(t, mean, sd), "the factor: divide by the normal's probability, not by its density"),
        ]
        lost = normal < 1e-13 and factor != 0 and abs(right / factor - normal) < 3e-16
        otherwise = digits if lost else "the factor: divide by the probability that a normal total exceeds the limit"
        expect(factor, right / normal, wrong, otherwise, rtol=2e-3, atol=0)
    return "Mean and spread agree in every case here, and the tails differ by any factor you like."


def _mistakes_on_grid(asked: list, density: Callable, above: Callable, t, mean, sd) -> Iterator[tuple[float, str]]:
    """Yield what mistakes lead to at the points at which the density was asked for."""
    grid = np.unique(np.concatenate([x.ravel() for x in asked])) if asked else np.zeros(0)
    for x in (grid, grid[grid >= t]):
        if len(x) < 3:
            continue
        if above(x[-1]) > 1e-3 * above(t):
            far = f"{(x[-1] - mean) / sd:.0f} standard deviations above the mean"
            yield above(t) - above(x[-1]), f"the integral ends too early, {far}: heavy tails reach farther"
        values, step = density(x), np.diff(x).mean()
        yield np.exp(values).sum(), "this adds up densities; each of them stands for a step, and has its width"
        for rule in (integrate.trapezoid, lambda y, x, step=step: y.sum() * step):
            yield rule(values, x), "this integrates the logarithm of the density, not the density"
            start = (x[0] - mean) / sd
            coarse = f"a grid from {start:.1f} sd in steps of {step / sd:.2g} sd: too far, or too coarse"
            yield rule(np.exp(values), x), coarse


def _densities(rng: np.random.Generator) -> list[tuple]:
    """Return log densities, their tail probabilities, limits, means and standard deviations, on all scales."""

    def case(law, sd, limit):
        mean, sd = float(rng.normal(0, 3 * sd)), float(sd * rng.uniform(0.7, 1.4))
        scale = sd / law.std()
        law = law.dist(*law.args, loc=mean - scale * law.mean(), scale=scale)
        return law.logpdf, law.sf, mean + limit * sd, mean, sd

    return [
        case(stats.norm(), 15, rng.uniform(0.5, 2)),
        case(stats.t(4), 0.05, rng.uniform(3.5, 5)),
        case(stats.norminvgauss(0.5, 0.25), 15, rng.uniform(3, 5)),
        case(stats.norminvgauss(1, -0.6), 4_000, -rng.uniform(0.3, 1)),
        case(stats.t(4), 15, rng.uniform(8.5, 9)),
    ]


def split(answer: Answer, rng: np.random.Generator) -> str:
    """Check 16.3."""
    for n, draws, parts in ((5, 40, 4), (1, 30, 3), (3, 1, 2)):
        mean = rng.normal(0, 8, parts) + rng.normal(0, 4, (draws, parts))
        variance = rng.uniform(20, 120, parts) * np.exp(rng.normal(0, 0.6, (draws, parts)))
        total = mean.sum(axis=1).mean() + rng.normal(0, 40, n)
        given = array(answer.call(total, mean, variance), (n, parts))

        def parts_of(share, mean=mean, total=total):
            surprise = total[:, None] - mean.sum(axis=1)
            return mean.mean(axis=0) + np.mean(surprise[..., None] * share, axis=1)

        def shares(weight):
            return weight / weight.sum(axis=1, keepdims=True)

        share = shares(variance)
        right, average = parts_of(share), mean.mean(axis=0)
        m, v = mean.mean(axis=0, keepdims=True), variance.mean(axis=0, keepdims=True)
        plain = "this takes averages of the draws first; every draw makes a split of its own, and these are averaged"
        of_total = "what is shared out by variances is the surprise, the total minus all means, not the total"
        mistakes = [
            (parts_of(shares(v), mean=m), plain),
            (parts_of(share.mean(axis=0)), plain),
            (parts_of(share.mean(axis=0), mean=m), plain),
            (parts_of(np.full_like(share, 1 / parts)), "this shares the surprise equally; variances say who gets more"),
            (parts_of(shares(np.sqrt(variance))), "shares are those of the variances, not of the standard deviations"),
            (right - average, "this is the share of the surprise; the contribution's own mean is missing"),
            (total[:, None] * share.mean(axis=0), of_total),
            (average + total[:, None] * share.mean(axis=0), of_total),
            (2 * average - right, "the surprise is the total minus the means, not the means minus the total"),
            (np.broadcast_to(average, right.shape), "these are the means; the total says more than they do"),
        ]
        adds_up = close(given.sum(axis=1), total)
        expect(given, right, mistakes, "the parts are off" if adds_up else "the parts do not add up to their total")
    return "Skewness and tail weight are not in the formula. They are in how certain the parts are."


def log_kve(answer: Answer, rng: np.random.Generator) -> str:
    """Check 16.4."""
    import pytensor
    import pytensor.tensor as pt
    from pytensor.graph.traversal import ancestors
    from pytensor.tensor.variable import TensorVariable

    points = rng.permutation(np.append(np.exp(rng.uniform(np.log(0.01), np.log(1000), 30)), [0.01, 1000]))
    cases, slopes = [], []
    for order in (1.0, 0.0, float(rng.uniform(1.5, 2.9))):
        z = pt.dvector("z")
        value = instance(answer.call(order, z), TensorVariable, "a PyTensor variable, made of z")
        if value.ndim != 1:
            raise Hint(f"the answer should be a vector as z is, but it has {value.ndim} dimensions")
        names = [type(getattr(x.owner.op, "scalar_op", None)).__name__ for x in ancestors([value]) if x.owner]
        if {"Kve", "Kv"} & set(names):
            raise Hint("this calls SciPy's Bessel function through PyTensor; the task asks for elementary operations")
        try:
            graphs = [value, pytensor.grad(value.sum(), z)]
            given, gradient = pytensor.function([z], graphs, mode="FAST_COMPILE")(points)
        except Exception as error:  # several types, among them those for operations without a gradient
            raise Hint(f"PyTensor cannot compute the answer and its gradient: {type(error).__name__}") from None
        if given.shape != points.shape:
            raise Hint(f"the answer for {len(points)} arguments has the shape {given.shape}")
        cases.append((order, given))
        slopes.append(gradient)
    _check_values(cases, points)
    for (order, _), gradient in zip(cases, slopes, strict=True):
        scaled = [special.kve(x, points) for x in (order - 1, order, order + 1)]
        if not close(gradient, 1 - (scaled[0] + scaled[2]) / (2 * scaled[1]), rtol=1e-6, atol=1e-9):
            raise Hint("the values are right, but not their gradient, which NUTS needs, too")
    return "PyTensor differentiates and compiles it like any other formula."


def _check_values(cases: list[tuple[float, np.ndarray]], z: np.ndarray) -> None:
    """Raise a hint unless the logarithms are right at all arguments and for all orders."""
    t = np.arange(0, 14, 0.01)

    def logs(order, weight=None):
        if weight is None:
            return np.log(special.kve(order, z))
        return np.log(integrate.trapezoid(np.exp(-z[:, None] * (np.cosh(t) - 1)) * weight, t, axis=1))

    errors = np.array([given - logs(order) for order, given in cases])
    lost = ~np.isfinite(errors).all(axis=0)
    if lost.any() and not lost[z < 500].any() or close(errors, np.broadcast_to(-z, errors.shape), atol=1e-6):
        raise Hint("exp(-z cosh t) is zero to the computer where z is large; multiply by exp(z) inside of the integral")
    if lost.any():
        raise Hint(f"the logarithm is not finite at z = {z[lost].max():.4g}")
    if np.abs(errors).max() < 1e-8:
        return
    mistakes: list[tuple[Callable, str]] = [
        (lambda order: logs(1), "the order plays no part: this is order 1 whatever was asked for"),
        (lambda order: logs(0), "the order plays no part: this is order 0, without its cosh"),
        (lambda order: logs(order, np.cosh(t) ** order), "the order is a factor inside of cosh, not a power of it"),
        (lambda order: np.exp(logs(order)), "this is the integral; the task asks for its logarithm"),
    ]
    for wrong, hint in mistakes:
        if all(close(given, wrong(order), rtol=1e-7, atol=1e-7) for order, given in cases):
            raise Hint(hint)
    excess = np.array([np.exp(given) - np.exp(logs(order)) for order, given in cases])[:2]
    if excess.min() > 0 and np.ptp(excess) < 1e-3 * excess.mean():
        raise Hint("the trapezoidal rule counts the first node half, and here it counts whole")
    if np.ptp(errors) < 1e-6:
        raise Hint(f"every integral is wrong by the same factor, {np.exp(errors.mean()):.3g}: the width of a step?")
    small, large = errors[:, z < 0.5], errors[:, z > 100]
    if np.abs(large).max() < 1e-8 and small.min() < 0:
        raise Hint("right for large z, too small for small z: there the integrand reaches farther than your nodes")
    if np.abs(small).max() < 1e-8:
        raise Hint("right for small z only: at large z the integrand is a narrow peak, and your steps are too wide")
    raise Hint(f"the logarithm is off, by {np.abs(errors).max():.2g} where it is worst")


@fits_a_model
def fit_tails(answer: Answer, rng: np.random.Generator) -> str:
    """Check 16.5."""
    frame, total, layer = _late_buses(rng)
    given = answer.call(frame, total, [layer], int(rng.integers(2**31)))
    if isinstance(given, xr.DataTree) and "posterior" in given.children:
        has = given["posterior"].data_vars
        if f"mu_{layer}" in has and "skewness" not in has:
            raise Hint("this model has no skewness and no tail weight: its totals are normal")
        if f"mu_{layer}" in has and f"tau_{layer}" not in has:
            raise Hint(f"this model has no tau_{layer}: the default priors pool the contributors of a layer")
        _check_counts(given, frame, total, layer)
    names = ("mu_baseline", "sigma_baseline", f"mu_{layer}", f"sigma_{layer}", "skewness", "tail_weight")
    draws = trusted_draws(given, names, "the answer")
    labels = list(np.unique(frame[layer]))
    for name in names[2:4]:
        if layer not in draws[name].dims or list(draws[name][layer].values) != labels:
            raise Hint(f"{name} should hold one value for each of {', '.join(labels)}")
    mean = draws["mu_baseline"] + draws[f"mu_{layer}"]
    variance = draws["sigma_baseline"] ** 2 + draws[f"sigma_{layer}"] ** 2
    by_label = [x.transpose(layer, ...).values for x in (mean, np.log(variance))]
    shape = [np.arctanh(draws["skewness"].values), np.log(draws["tail_weight"].values)]
    values = [x.ravel() for x in (*by_label[0], *by_label[1], *shape)]
    best, error = _likeliest(frame, total, layer)
    what = [f"the mean of {x}" for x in labels] + [f"the variance of {x}" for x in labels] + ["skewness", "tail_weight"]
    for one, center, sd, name in zip(values, best, error, what, strict=True):
        # The priors pull a little: in 16 tables by up to 0.16 errors, and by 0.32 in variances.
        limit = 0.8 if "variance" in name else 0.4
        if abs(one.mean() - center) > limit * sd or not 0.8 < one.std() / sd < 1.25:
            raise Hint(f"the posterior of {name} is not that of all rows of the table under the default priors")
    return "A few hundred counts hold all that thousands of rows say, tails included."


def _check_counts(given: xr.DataTree, frame: pd.DataFrame, total: str, layer: str) -> None:
    """Raise a hint if the tree shows that the model was not given the counts of all distinct totals."""
    constants = given["constant_data"] if "constant_data" in given.children else {}
    if "mlm_n" not in constants:
        return  # a model of the student's own
    n, right = constants["mlm_n"].values, frame.groupby([layer, total]).size()
    if n.sum() != len(frame):
        raise Hint(f"the table has {len(frame):,} rows, but the counts add up to {n.sum():,.0f}; far ones matter most")
    if len(n) < len(right):
        raise Hint(f"the totals are counted in bins, {len(n)} of them; the {len(right)} distinct ones are few enough")


def _late_buses(rng: np.random.Generator) -> tuple[pd.DataFrame, str, str]:
    """Return totals in whole minutes with tails, in a table, and the names of its columns."""
    total, layer = str(rng.choice(["minutes", "late", "delay"])), str(rng.choice(["line", "depot", "driver"]))
    labels = np.array([f"{layer} {x}" for x in sorted(rng.choice(list("ABCDEFGHKLM"), 4, replace=False))])
    k = rng.permutation(np.repeat(np.arange(4), [500, 650, 800, 1_050]))
    mean = rng.normal(5, 3) + rng.permutation([-5, -2, 2, 5])[k] * rng.uniform(0.8, 1.2)
    variance = 30 + rng.permutation([8, 25, 60, 110])[k] * rng.uniform(0.8, 1.2)
    tails = rng.choice([-1, 1]) * rng.uniform(0.3, 0.6), rng.uniform(6, 9)
    frame = pd.DataFrame({layer: labels[k], total: np.round(draw_totals(mean, variance, tails, rng))})
    return frame.assign(stop=rng.integers(1, 9, len(frame))), total, layer


def _likeliest(frame: pd.DataFrame, total: str, layer: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the likeliest means, log variances, atanh of the skewness and log tail weight, and their errors."""
    counts = frame.groupby([layer, total]).size()
    code, x = counts.index.codes[0], counts.index.get_level_values(1).to_numpy()
    start = frame.groupby(layer)[total].agg(["mean", "var"])
    m = len(start)

    def minus(p):
        deviation, variance = x - p[:m][code], np.exp(p[m : 2 * m])[code]
        return -np.sum(counts.to_numpy() * log_density(deviation, variance, np.tanh(p[-2]), np.exp(p[-1])))

    p0 = np.concatenate([start["mean"], np.log(start["var"]), [0, np.log(0.5 * frame[total].std())]])
    best = optimize.minimize(minus, p0, method="BFGS", options={"gtol": 1e-2}).x
    step, eye = 1e-3, np.eye(len(best)) * 1e-3
    value = np.array([[minus(best + a + b) - minus(best + a - b) for b in eye] for a in eye])
    back = np.array([[minus(best - a + b) - minus(best - a - b) for b in eye] for a in eye])
    return best, np.sqrt(np.diag(np.linalg.inv((value - back) / (4 * step**2))))


CHECKERS = {
    "16.1": draw_contributions,
    "16.2": beyond,
    "16.3": split,
    "16.4": log_kve,
    "16.5": fit_tails,
}
