"""Checks of the exercises of notebook 09."""

import tracemalloc
from collections.abc import Iterable

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from mlm_tutorial.exercises.answered_posteriors import expect_moments, fits_a_model, trusted_draws
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
)


def marginal(answer: Answer, rng: np.random.Generator) -> str:
    """Check 09.1."""
    for size in (2, 4, 3):
        mu, sigma = rng.normal(3, 4, size), rng.uniform(0.5, 3, size)
        weights = np.append(rng.choice([-1.0, 0.5, 2.0, 3.0], size - 1), -2.0)
        draws = np.append(rng.permutation(np.arange(2, 1 + size)), 1)
        first, second = pair(answer.call(mu, sigma, weights, draws))
        mean, variance = number(first, "the mean"), number(second, "the variance")
        wv, v = weights**2 * sigma**2, sigma**2
        once = "this takes one contribution from every component; `draws` says how many there are"
        mistakes = [
            (np.sum(weights * mu), once),
            (np.sum(draws * mu), "each contribution is multiplied by its weight before it is added; the mean shows it"),
            (np.sum(draws * np.abs(weights) * mu), "a negative weight subtracts; the mean must show its sign"),
        ]
        expect(
            mean,
            np.sum(draws * weights * mu),
            mistakes,
            "the mean: what does one draw add to it, and how many are there?",
        )
        mistakes = [
            (np.sqrt(np.sum(draws * wv)), "the second part is the standard deviation; the task asks for the variance"),
            (np.sum(wv), once),
            (
                np.sum(draws * weights * v),
                "two copies of the same draw deviate together, and fresh draws do not; your variance treats a weight "
                "like a number of draws",
            ),
            (
                np.sum(draws**2 * wv),
                "your variance treats fresh draws as one contribution counted several times; they deviate "
                "independently",
            ),
            (np.sum(draws * v), "the variance of a contribution changes when it is multiplied by its weight"),
            (np.sum(draws * np.abs(weights) * sigma) ** 2, "standard deviations do not add; variances do"),
            (np.sum(draws * weights * sigma) ** 2, "standard deviations do not add; variances do"),
        ]
        otherwise = "variances of independent draws add; think about what a weight does to a variance"
        expect(variance, np.sum(draws * wv), mistakes, otherwise)
    return "A draw counted twice has four times the variance, two fresh draws have twice the variance."


def log_likelihood(answer: Answer, rng: np.random.Generator) -> str:
    """Check 09.2."""
    for with_single in (False, True):  # NaN in a cell with one row would hide every other mistake
        n = rng.permutation([2, 3, 5, 12, 40])
        if with_single:
            n = np.insert(n, rng.integers(6), 1)
        mu, sigma = rng.normal(0, 3, len(n)), rng.uniform(2, 5, len(n))
        rows = [rng.normal(m + 1, s * 1.3, k) for m, s, k in zip(mu, sigma, n, strict=True)]
        right = np.array([stats.norm.logpdf(x, m, s).sum() for x, m, s in zip(rows, mu, sigma, strict=True)])
        average = np.array([x.mean() for x in rows])
        sum_sq = np.array([np.sum((x - x.mean()) ** 2) for x in rows])
        sd = np.array([pd.Series(x).std() for x in rows])
        given = answer.call(n, average, sd, mu, sigma)
        is_a_vector = isinstance(given, np.ndarray) and given.shape == n.shape and given.dtype == float
        if with_single and is_a_vector and np.isnan(given[n == 1]).all():
            raise Hint("a cell with one row gives NaN; one row has no spread, but it has a likelihood")
        given = array(given, n.shape, "the log likelihood")
        log_scale, distance = np.log(2 * np.pi * sigma**2), n * (average - mu) ** 2
        whole = -n / 2 * log_scale - (sum_sq + distance) / (2 * sigma**2)
        published = (
            "the published standard deviation is turned into a sum of squares with the wrong factor; "
            "see what it divides by"
        )
        mistakes = [
            (right - sum_sq / np.maximum(n - 1, 1) / (2 * sigma**2), published),
            (right + (sum_sq - sum_sq / np.maximum(n - 1, 1)) / (2 * sigma**2), published),
            (right + (sum_sq - np.nan_to_num(sd)) / (2 * sigma**2), published),
            (right + (n - 1) / 2 * log_scale, "the scale enters once a cell here, but every row has one"),
            (right + distance / (2 * sigma**2), "the sum says nothing of how far the average is from mu"),
            (whole + (n - 1) / n * distance / (2 * sigma**2), "each of the rows has the distance from average to mu"),
            (np.exp(right), "this is the likelihood; the task asks for its logarithm"),
            (-right, "the sign is wrong: this is minus the log likelihood"),
            (
                -n / 2 * np.log(2 * np.pi * sigma) - (sum_sq + distance) / (2 * sigma),
                "sigma is a standard deviation; the formula of the notebook has the variance V",
            ),
        ]
        expect(given, right, mistakes, "compare with the sum of log densities of a few rows that you make up")
    return "Three published numbers a cell are as good as all its rows."


#: Scales of the priors of 09.3: of a center's mean, and of the common standard deviation.
_MU_SCALE, _SIGMA_SCALE = 10.0, 3.0


@fits_a_model
def fit_postcard(answer: Answer, rng: np.random.Generator) -> str:
    """Check 09.3."""
    # Few parcels, which scatter more than the prior of sigma expects: another prior would show.
    n = rng.permutation([1, 3, 5, 8])
    sigma = rng.uniform(4, 7)
    rows = [rng.normal(rng.choice([-1, 1]) * rng.uniform(3, 9), sigma, size) for size in n]
    average = np.array([x.mean() for x in rows])
    sum_sq = np.array([np.sum((x - x.mean()) ** 2) for x in rows])
    given = answer.call(n, average, sum_sq, int(rng.integers(2**31)))
    _require_one_sigma(given)
    draws = trusted_draws(given, ("mu", "sigma"))
    mu, sigma = draws["mu"], draws["sigma"]
    if mu.ndim != 3 or mu.transpose("chain", "draw", ...).shape[2] != len(n):
        raise Hint(f"`mu` should have one number for each of the {len(n)} centers; its sizes are {dict(mu.sizes)}")
    divided = "the sums of squares were divided by something; the likelihood has them as they are"
    of_average = "the average of many parcels is treated like one parcel; that average varies less"
    wrong = [
        ((n, sum_sq / np.maximum(n - 1, 1), n - 1), divided),
        ((n, sum_sq / n, n - 1), divided),
        ((n, np.sqrt(sum_sq / np.maximum(n - 1, 1)), n - 1), "standard deviations stand where sums of squares belong"),
        ((np.ones(4), sum_sq, n - 1), of_average),
        ((np.ones(4), sum_sq, np.zeros(4)), "each line counts as one parcel; `n` says how many there are"),
        ((n, sum_sq + n * average**2, n - 1), "the squares are about zero; they should be about the averages"),
        ((n, np.zeros(4), np.zeros(4)), "only the averages are used; the sums of squares say how parcels scatter"),
        ((n, sum_sq, n), "count the logarithms of sigma: n parcels have n of them, the average's included"),
    ]
    right = _postcard_posterior(average, n, sum_sq, n - 1)
    mistakes = [(_postcard_posterior(average, *case), hint) for case, hint in wrong]
    prior = "the prior of sigma is wider than the task says, and with few parcels that shows"
    mistakes += [(_postcard_posterior(average, n, sum_sq, n - 1, scale), prior) for scale in (5.0, 10.0, np.inf)]
    for name, values in (("sigma", sigma), ("mu", mu)):
        mean, sd = right[name]
        expect_moments(values, mean, sd, f"`{name}`", [(*moments[name], hint) for moments, hint in mistakes])
    return "Four lines gave the posterior of all parcels."


def _require_one_sigma(given: object) -> None:
    """Raise a hint where each center has its own sigma; one of a center with a single parcel samples badly."""
    if isinstance(given, xr.DataTree) and "posterior" in given.children and "sigma" in given["posterior"]:
        sizes = given["posterior"]["sigma"].shape[2:]
        if sizes:
            raise Hint(f"`sigma` is one number for all centers, but a draw of yours has the shape {sizes}")


def _postcard_posterior(average, weight, sum_sq, free, sigma_scale=_SIGMA_SCALE) -> dict[str, tuple]:
    """Return exact moments: given sigma the means are conjugate, and sigma is integrated on a grid.

    An average has the variance sigma^2 / weight; a line's squares have the density sigma^-free exp(-S / (2 sigma^2)).
    """
    sigma = np.linspace(0, 60, 40_001)[1:]
    variance = sigma[:, None] ** 2 / weight
    log_p = -((sigma / sigma_scale) ** 2) / 2 - np.sum(free) * np.log(sigma)  # the prior, up to a constant
    log_p -= np.sum(sum_sq) / (2 * sigma**2)
    log_p += stats.norm.logpdf(average, 0, np.sqrt(_MU_SCALE**2 + variance)).sum(axis=1)
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    pull = _MU_SCALE**2 / (_MU_SCALE**2 + variance)
    mean = p @ (pull * average)
    spread = p @ (pull * variance + (pull * average - mean) ** 2)
    return {"mu": (mean, np.sqrt(spread)), "sigma": (p @ sigma, np.sqrt(p @ sigma**2 - (p @ sigma) ** 2))}


def _one_array(batches: Iterable, size: int):
    """Yield batches in one array of a size that is filled again each time."""
    buffer = np.zeros(size)
    for batch in batches:
        buffer[: len(batch)] = batch
        yield buffer[: len(batch)]


def statistics_of_stream(answer: Answer, rng: np.random.Generator) -> str:
    """Check 09.4."""
    plans = [  # sizes of the batches, offset; the first batch is smaller than the last: they tell themselves apart
        ([30, 7, 1, 50, 20], 0.0),
        ([0, 12, 0, 40, 25, 0], 0.0),
        ([400] * 5 + [17], 1.7e9),
    ]
    for sizes, offset in plans:
        batches = [offset + rng.normal(rng.normal(0, 6), 4, size) for size in sizes]
        values = array(
            answer.call(_one_array(batches, max(sizes))), (3,), "the answer (count, average, sum of squares)"
        )
        x = np.concatenate(batches) - offset
        right = np.array([len(x), x.mean(), np.sum((x - x.mean()) ** 2)])
        given = values - [0, offset, 0]
        if not close(given[0], right[0]):
            raise Hint(f"the stream has {len(x)} totals, but your count is {values[0]:g}")
        full = [batch - offset for batch in batches if len(batch)]
        last = np.zeros(max(sizes))
        for batch in full:
            last[: len(batch)] = batch
        stale = np.concatenate([last[:size] for size in sizes])
        overwritten = "you kept batches for later, but they had been overwritten by then; keep their statistics alone"
        mistakes: list[tuple] = [
            (stale.mean(), overwritten),
            (np.mean([b.mean() for b in full]), "batches of different sizes count alike in your average"),
            (full[-1].mean(), "this is the average of the last batch; merge it with what came before"),
        ]
        # Time stamps of 1.7e9 are stored to about 2e-7.
        otherwise = "the average should be that of all totals, not of batches"
        expect(given[1], right[1], mistakes, otherwise, atol=1e-4 if offset else 1e-9)
        mistakes = [
            (np.sum((stale - stale.mean()) ** 2), overwritten),
            (
                sum(np.sum((b - b.mean()) ** 2) for b in full),
                "the batches' averages differ, and the sum of squares should say so; one term is missing",
            ),
            (right[2] / len(x), "this is a variance; the sum of squares is not divided by anything"),
            (right[2] / (len(x) - 1), "this is a variance; the sum of squares is not divided by anything"),
        ]
        otherwise = "the sum of squares should be about the average of all totals; see how the notebook merges cells"
        if offset:
            otherwise = "with totals above a thousand million the digits are lost; subtract before you square"
        expect(given[2], right[2], mistakes, otherwise, rtol=1e-5)
    # Only now: what the function imports or prepares at its first call has its memory already.
    _check_memory(answer, rng)
    return "One pass, three numbers in memory, and all digits are there."


def _check_memory(answer: Answer, rng: np.random.Generator) -> None:
    """Raise a hint if a long stream takes more memory than a short one.

    NumPy and Python report all memory for numbers to tracemalloc, so this depends on no clock and on no other program.
    Other threads of a kernel report theirs too, so the least growth of three trials counts.
    """
    short, long, largest = 1_000, 5_000, 8
    sizes = rng.integers(1, largest + 1, size=long)

    def peak(n_batches: int) -> int:
        stream = _one_array((rng.normal(0, 4, size) for size in sizes[:n_batches]), largest)
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        answer.call(stream)
        return tracemalloc.get_traced_memory()[1] - before

    started = not tracemalloc.is_tracing()
    if started:
        tracemalloc.start()
    try:
        # Half of what one number for each batch takes; a right answer needs none of it.
        allowed = (long - short) * 8 / 2
        for _ in range(3):
            peaks = peak(short), peak(long)
            if peaks[1] - peaks[0] <= allowed:
                return
    finally:
        if started:
            tracemalloc.stop()
    raise Hint(
        f"the numbers are right, but your function held {peaks[0] / 1e3:.0f} kB at once for a stream of {short:,} "
        f"small batches and {peaks[1] / 1e3:.0f} kB for one of {long:,}; its memory grows with the stream. What has to "
        "be kept of a batch once the next one comes?"
    )


def days(answer: Answer, rng: np.random.Generator) -> str:
    """Check 09.5."""
    n = np.array([1, 2, 3, 8, 30])
    settings = 6
    counts = np.tile(n, settings).astype(float)
    mu, own, shared = rng.normal(0, 2, counts.size), rng.uniform(1, 3, counts.size), rng.uniform(1, 3, counts.size)
    value = np.tile(
        np.column_stack([rng.normal(0, 3, n.size), np.where(n > 1, rng.chisquare(n) * 4, 0.0)]), (settings, 1)
    )
    given = _log_density(_variable(answer.call(mu, own, shared, counts), counts.size), value)
    _check_log_density(given, value, mu, own, shared, counts)
    _check_draws(answer, rng)
    return "What all rows of a day share is in their average and not in their spread."


def _variable(given, n_cells: int):
    from pytensor.tensor.variable import TensorVariable

    wanted = "a variable, as pm.CustomDist.dist(...) returns it"
    instance(given, TensorVariable, wanted, "what your function returns")
    if given.ndim != 2:
        raise Hint(
            f"the variable should have two dimensions, {n_cells} days and 2 statistics, but it has {given.ndim}; "
            "the signature says that a value is a vector of length 2"
        )
    return given


def _evaluate(variable, what: str):
    import pytensor

    try:
        return pytensor.function([], variable, mode="FAST_COMPILE")()
    except Exception as error:
        raise Hint(f"{what} stopped with {type(error).__name__}: {str(error)[:300]}") from None


def _log_density(variable, value: np.ndarray) -> np.ndarray:
    import pymc as pm

    try:
        density = pm.logp(variable, value)
    except Exception as error:
        raise Hint(f"the log density stopped with {type(error).__name__}: {str(error)[:300]}") from None
    given = np.asarray(_evaluate(density, "the log density"))
    one_ride = value[:, 1] == 0
    if given.shape == one_ride.shape and np.array_equal(~np.isfinite(given), one_ride):
        raise Hint("the log density is not finite on days with one ride; there S is always 0 and says nothing")
    return array(given, one_ride.shape, "the log density")


def _check_log_density(given, value, mu, own, shared, n) -> None:
    average, sum_sq = value.T
    vo, vs = own**2, shared**2

    def reference(log_spread, spread, of_average):  # of_average is n times the variance of the average
        logs = (n - 1) * np.log(log_spread) + np.log(of_average)
        return -(logs + sum_sq / spread + n * (average - mu) ** 2 / of_average) / 2

    def without_constant(density):  # what depends on parameters: one line a setting, one column a cell
        table = np.reshape(density, (-1, 5))
        return table - table.mean(axis=0)

    right = reference(vo, vo, vo + n * vs)
    logs = ((n - 1) * np.log(vo) + np.log(vo + n * vs)) / 2
    mistakes = [
        (reference(vo + vs, vo + vs, vo + vs), "your log density is right as if every ride had a fresh contribution"),
        (
            reference(vo + vs, vo + vs, vo + n * vs),
            "S is made of deviations from the average, and the shared contribution cancels in them",
        ),
        (
            reference(vo, vo, vo + vs),
            "the average of many rides keeps the shared contribution; averaging shrinks the rest",
        ),
        (reference(vo, vo, vo / n + vs), "nearly right: check where n belongs in the terms with the average"),
        (right + logs, "your log density leaves out the logarithms of the standard deviations"),
        (right - np.log(vo) / 2, "count the logarithms: n rows leave n - 1 free deviations and one average"),
        (reference(vo, vo, vo), "your log density leaves out the shared contribution"),
        (reference(own, own, own + n * shared), "a standard deviation stands where a variance belongs"),
    ]
    mistakes = [(without_constant(wrong), hint) for wrong, hint in mistakes]
    otherwise = (
        "the log density depends on the parameters in another way than the rows' does; "
        "for two rides you can compare it with scipy.stats.multivariate_normal"
    )
    expect(without_constant(given), without_constant(right), mistakes, otherwise, rtol=1e-6, atol=1e-6)


def _check_draws(answer: Answer, rng: np.random.Generator) -> None:
    """Draw many days at once: 4,000 of each size."""
    import pymc as pm

    repeats = 4000
    sizes = (1.0, 3.0, 10.0)
    n = np.repeat(sizes, repeats)
    # Rides differ more than days do, so that it shows in an average what becomes of either part.
    mu, own, shared = rng.normal(0, 2, n.size), rng.uniform(1.5, 3, n.size), rng.uniform(1, 2, n.size)
    variable = _variable(answer.call(mu, own, shared, n), n.size)

    def draw(rng: np.random.Generator) -> np.ndarray:
        try:
            drawn = pm.draw(variable, random_seed=int(rng.integers(2**31)), mode="FAST_COMPILE")
        except Exception as error:
            raise Hint(f"the random draws stopped with {type(error).__name__}: {str(error)[:300]}") from None
        return array(drawn, (n.size, 2), "what is drawn")

    average, sum_sq = draw(rng).T
    if np.any(sum_sq[n == 1] != 0):
        raise Hint("a day with one ride has no spread, but its sum of squares is drawn as another number than 0")
    z = (average - mu) / np.sqrt(own**2 / n + shared**2)
    many = n > 1
    chi_squared = sum_sq[many] / own[many] ** 2
    # Eleven tests of a right answer, false alarm FALSE_ALARM altogether.
    limit = FALSE_ALARM / 11
    alike = stats.kstest(z, "norm").pvalue >= limit
    if not alike and abs(z.mean()) > 0.1:
        raise Hint("the averages that you draw are not around mu")
    for each in sizes:
        squares = np.sum(z[n == each] ** 2)
        if 2 * min(stats.chi2.sf(squares, repeats), stats.chi2.cdf(squares, repeats)) < limit:
            where = "with one ride" if each == 1 else f"with {each:.0f} rides"
            raise Hint(
                f"the averages that you draw vary too {'little' if squares < repeats else 'much'} on days {where}; "
                "an average has two parts: which of them does averaging shrink, and how much, and which one do all "
                "rides share?"
            )
    if not alike:
        raise Hint("the averages that you draw have another distribution than those of rows")
    if stats.kstest(stats.chi2.cdf(chi_squared, n[many] - 1), "uniform").pvalue < limit:
        ratio = chi_squared.mean() / (n[many] - 1).mean()
        size = "small" if ratio < 0.97 else "large" if ratio > 1.03 else ""
        what = f"are too {size} on average" if size else "have another distribution than those of rows"
        raise Hint(f"the sums of squares that you draw {what}; see the scale and the degrees of freedom")
    for each in (3.0, 10.0):
        if stats.spearmanr(z[n == each], sum_sq[n == each] / own[n == each] ** 2).pvalue < limit:
            raise Hint("average and sum of squares should be drawn independently of each other")
    # Neighbors, and days that are half of all days apart, of the same size.
    for values in (z, np.where(many, sum_sq / own**2, rng.normal(size=n.size))):
        for one, two in ((values[::2], values[1::2]), np.split(values.reshape(3, -1), 2, axis=1)):
            if stats.spearmanr(_ranked(one), _ranked(two)).pvalue < limit:
                raise Hint("pairs of days share random numbers; every day needs fresh ones")
    expect_numbers_from_rng(lambda rng: dict(zip(("averages", "sums of squares"), draw(rng).T, strict=True)), rng)


def _ranked(values: np.ndarray) -> np.ndarray:
    """Return ranks within each third, so that days of different sizes can be compared."""
    return stats.rankdata(values.reshape(3, -1), axis=1).ravel()


CHECKERS = {
    "09.1": marginal,
    "09.2": log_likelihood,
    "09.3": fit_postcard,
    "09.4": statistics_of_stream,
    "09.5": days,
}
