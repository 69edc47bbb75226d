"""Checks of the exercises of notebook 02."""

import copy
import warnings
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from mlm_tutorial.exercises.answered_posteriors import (
    expect_moments,
    fits_a_model,
    hierarchical_moments,
    trusted_draws,
)
from mlm_tutorial.exercises.answers import (
    Answer,
    Hint,
    array,
    describe,
    expect,
    instance,
    number,
    pair,
    too_far,
    too_far_from_normal,
)

POOLINGS = ("complete", "no", "partial")


def name_the_columns(answer: Answer, rng: np.random.Generator) -> str:
    """Check 02.1."""
    pairs = []
    for letters in ("ABC", "BCA", "CAB", "ACB"):  # of complete, no and partial pooling
        right = dict(zip(POOLINGS, letters, strict=True))
        pairs.append((_columns(answer.call(_estimates(right, rng))), right))
    if all(given == right for given, right in pairs):
        return "One value for all, the plain averages, and between them what the data allow."
    if all(given == pairs[0][0] for given, _ in pairs):
        raise Hint("your function names the same letters for every table; the numbers in a column say what it is")
    for given, right in pairs:
        if given["complete"] != right["complete"]:
            raise Hint("complete pooling treats all carriers as one; how many different estimates can it have?")
        if given["no"] != right["no"]:
            raise Hint("no pooling believes each carrier's own flights alone; do its estimates lie close together?")
    return ""


def _columns(value: object) -> dict[str, str]:
    given = instance(value, Mapping, "a dictionary with the keys complete, no and partial")
    if set(given) <= set("ABC") and given:
        raise Hint("the dictionary is the wrong way round: its keys are the kinds of pooling, its values the letters")
    for name in POOLINGS:
        if name not in given:
            raise Hint(f"the dictionary has no key {name!r}; its keys should be complete, no and partial")
        if given[name] not in set("ABC"):
            raise Hint(f"the value of {name!r} should be one of the letters A, B and C, but it is {given[name]!r:.40}")
    if len({given[name] for name in POOLINGS}) < 3:
        raise Hint("two kinds of pooling have the same letter here; each column is the work of one of them")
    return {name: given[name] for name in POOLINGS}


def _estimates(letters: Mapping[str, str], rng: np.random.Generator) -> pd.DataFrame:
    """Return estimates of six carriers by three models, in columns with these letters."""
    while True:
        n = rng.permutation([1, 2, 6, 15, 30, 50])
        tau = rng.uniform(2, 9)
        own = rng.normal(-5, np.sqrt(tau**2 + 17**2 / n))
        weight = tau**2 / (tau**2 + 17**2 / n)
        center = np.average(own, weights=weight)
        partial = weight * own + (1 - weight) * center
        if 0.1 < np.std(partial) / np.std(own) < 0.8:
            break
    values = {"complete": np.full(6, np.average(own, weights=n)), "no": own, "partial": partial}
    table = {letters[name]: column for name, column in values.items()}
    return pd.DataFrame({"flights": n, **{letter: table[letter] for letter in "ABC"}})


def posterior_of_mean(answer: Answer, rng: np.random.Generator) -> str:
    """Check 02.2."""
    for n in (5, 30, 1, 0):
        mu, tau, sigma = rng.normal(-5, 3), rng.uniform(3, 8), rng.uniform(12, 20)
        minutes = rng.normal(mu + rng.choice([-1, 1]) * 15, sigma, n)
        if n == 0:
            _without_flights(answer, minutes, mu, tau, sigma)
            continue
        given = pair(answer.call(minutes, mu, tau, sigma), "the answer")
        mean, sd = (number(x, what) for x, what in zip(given, ("the mean", "the standard deviation"), strict=True))
        own, of_data, of_prior = minutes.mean(), n / sigma**2, 1 / tau**2

        def between(data, prior, own=own, mu=mu):
            return (data * own + prior * mu) / (data + prior)

        mistakes = [
            (own, "the mean: this is the flights' own average; the prior has no part in it"),
            (mu, "the mean: this is the prior's mean; the flights have no part in it"),
            (between(of_prior, of_data), "the mean: the weights are swapped; many flights should count more, not less"),
            (between(1 / sigma**2, of_prior), "the mean: an average of many flights is more precise than one flight"),
            (between(n / sigma, 1 / tau), "the mean: a precision is one over a variance; here spreads are not squared"),
            (
                between(n**2 / sigma**2, of_prior),
                "the mean: the variance of an average falls with n, not with n squared",
            ),
            ((own + mu) / 2, "the mean: halfway, whatever the number of flights; precisions should decide"),
        ]
        otherwise = "the mean lies between the flights' average and mu; which weight does each of them have?"
        expect(mean, between(of_data, of_prior), mistakes, otherwise)
        mistakes = [
            (1 / (of_data + of_prior), "the standard deviation: this is the variance"),
            (of_data + of_prior, "the standard deviation: this is the precision"),
            (np.sqrt(of_data + of_prior), "the standard deviation: this is its inverse"),
            (sigma / np.sqrt(n), "the standard deviation: this is that of the average alone; you know more than that"),
            (tau, "the standard deviation: this is the prior's; the flights should make it smaller"),
            (sigma, "the standard deviation: this is that of a single flight about the mean"),
            (
                np.sqrt(tau**2 + sigma**2 / n),
                "the standard deviation: two sources should leave you surer, not less sure",
            ),
            (1 / np.sqrt(1 / sigma**2 + of_prior), "the standard deviation: every flight adds to the precision"),
        ]
        otherwise = "the standard deviation: precisions of prior and flights add up; what is it then?"
        expect(sd, 1 / np.sqrt(of_data + of_prior), mistakes, otherwise)
    return "Precisions add up; the mean lies nearer to the side that has more of it."


def _without_flights(answer: Answer, minutes: np.ndarray, mu: float, tau: float, sigma: float) -> None:
    hint = "a carrier without a flight has no average, but it has a posterior: that of knowing nothing new"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the mean of no numbers warns; the hint says more
        try:
            given = pair(answer.call(minutes, mu, tau, sigma), "the answer")
            values = [number(x, "the answer") for x in given]
        except Hint as error:
            raise Hint(f"{hint} (called without flights: {error})") from None
    if not np.allclose(values, (mu, tau)):
        raise Hint(hint)


def new_flights(answer: Answer, rng: np.random.Generator) -> str:
    """Check 02.3."""
    n = 20_000
    mu, tau, sigma = rng.normal(-5, 3, n), rng.uniform(3, 12, n), rng.uniform(6, 14, n)
    again = copy.deepcopy(rng)
    y = array(answer.call(mu, tau, sigma, rng), (n,), "the result")
    if not np.array_equal(y, array(answer.call(mu, tau, sigma, again), (n,), "the result")):
        raise Hint("the same rng in the same state gives other flights: take every random number from rng")
    if np.array_equal(y, array(answer.call(mu, tau, sigma, rng), (n,), "the result")):
        raise Hint("every call gives the same flights: take the random numbers from rng, and do not seed them yourself")

    def normal(center, sd, keep=slice(None)):
        return not too_far_from_normal(((y - center) / sd)[keep], 0, 1, n_comparisons=10)

    right = np.sqrt(tau**2 + sigma**2)
    wide_tau, wide_sigma = tau > np.median(tau), sigma > np.median(sigma)
    parts = (slice(None), wide_tau, ~wide_tau, wide_sigma, ~wide_sigma, mu > np.median(mu), mu <= np.median(mu))
    if not all(normal(mu, right, keep) for keep in parts):
        z0 = np.linalg.lstsq(tau[:, None], y - mu, rcond=None)[0][0]  # the one deviation, if all draws share it
        average = np.sqrt(np.mean(tau) ** 2 + np.mean(sigma) ** 2)
        mistakes = [
            (
                mu,
                sigma,
                "a new carrier is not an average one: carriers differ by tau, and nobody knows where it stands",
            ),
            (mu, tau, "these are means of new carriers; a single flight scatters about its carrier's mean"),
            (mu, tau + sigma, "standard deviations do not add; draw in two steps, the carrier and then its flight"),
            (mu, np.sqrt(tau + sigma), "tau and sigma are standard deviations; here they are used as variances"),
            (mu, np.sqrt(tau**4 + sigma**4), "tau and sigma are standard deviations; here they are squared"),
            (mu + z0 * tau, sigma, "all flights belong to one carrier here; each draw needs a new carrier of its own"),
            (np.mean(mu), average, "draw s of the flights needs draw s of the parameters, not their averages"),
            (np.mean(mu), right, "draw s of the flights needs mu_baseline of draw s, not its average"),
            (mu, average, "draw s of the flights needs tau and sigma of draw s, not their averages"),
        ]
        for center, sd, hint in mistakes:
            if normal(center, sd):
                raise Hint(hint)
        raise Hint("the flights do not have the right distribution: which spreads has a flight of an unknown carrier?")
    z = (y - mu) / right
    for one, other in ((z[:-1], z[1:]), (z[: n // 2], z[n // 2 :])):
        if too_far(float(np.mean(one * other)), 0, 1 / np.sqrt(len(one)), n_comparisons=2):
            raise Hint("flights of different draws are related here; each needs random numbers of its own")
    return "A newcomer is uncertain twice: where its mean lies, and how one flight falls."


TAU_SCALE = 5.0


@fits_a_model
def fit_carriers(answer: Answer, rng: np.random.Generator) -> str:
    """Check 02.4."""
    minutes, position, n_carriers, sigma = _flights(rng)
    given = answer.call(minutes, position, n_carriers, sigma, int(rng.integers(2**31)))
    if isinstance(given, xr.DataTree) and "posterior" in given.children and "tau" not in given["posterior"]:
        raise Hint("there is no tau in the posterior: in partial pooling, how far carriers differ is an unknown, too")
    draws = trusted_draws(given, ("mu_baseline", "tau", "carrier_mean"), "the run")
    means = draws["carrier_mean"]
    found = means.shape[2:]
    if found == (n_carriers - 1,):
        raise Hint(f"there are {n_carriers} carriers, and the last has no flight; it has a mean nevertheless")
    if found != (n_carriers,):
        raise Hint(f"carrier_mean should hold {n_carriers} means in each draw, but their shape is {found}")
    if float(np.ptp(means.values, axis=-1).max()) < 1e-9:
        raise Hint("all carriers have the same mean in every draw, which is complete pooling")
    if draws["tau"].ndim != 2 or draws["mu_baseline"].ndim != 2:
        raise Hint(f"tau and mu_baseline should be single numbers in each draw; tau is {describe(draws['tau'].values)}")

    def exact(**changed):
        return _exact(minutes, position, n_carriers, **({"sigma": sigma} | changed))

    prior_of_tau = stats.halfnorm(scale=TAU_SCALE)
    squared = "sigma is a standard deviation, and pm.Normal takes one; a variance is in its place, or a root"
    variance = "tau is the standard deviation of the carriers' means; here it stands for their variance, or squared"
    prior = "the prior of tau is not the one in the text"
    mistakes = [
        (exact(sigma=sigma**2), squared),
        (exact(sigma=np.sqrt(sigma)), squared),
        (exact(spread=np.sqrt), variance),
        (exact(spread=np.square), variance),
        (exact(scale=10.0), prior),
        (exact(scale=1.0), prior),
        (exact(scale=100.0), prior),
    ]
    right = exact()
    if not _agrees(draws, right):
        for moments, hint in mistakes:
            if _agrees(draws, moments):
                raise Hint(hint)
        prior_alone = {"tau": (prior_of_tau.mean(), prior_of_tau.std())}
        if _agrees(draws, prior_alone):
            raise Hint("tau has kept its prior: the means do not depend on it, so this is not partial pooling")
        for name, (mean, sd) in right.items():
            expect_moments(draws[name], mean, sd, name)
    return "The carriers have learned from each other, and the one without a flight has an answer, too."


def _agrees(draws: xr.Dataset, moments: Mapping[str, tuple]) -> bool:
    """Return whether all these variables have these means and standard deviations, as far as draws can tell."""
    try:
        for name, (mean, sd) in moments.items():
            expect_moments(draws[name], mean, sd, name)
    except Hint:
        return False
    return True


def _flights(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, int, float]:
    """Return minutes lost, the position of each flight's carrier, the number of carriers, and sigma.

    The last carrier has no flight. Means are spread evenly, so that tau is never near zero, where a run may fail.
    """
    counts = np.array([*rng.permutation([1, 3, 8, 15, 25, 30, 40]), 0])
    scores = stats.norm.ppf((np.arange(len(counts)) + 0.5) / len(counts))
    means = rng.normal(-5, 3) + 10 * rng.permutation(scores / scores.std())
    sigma = float(rng.uniform(10, 13))
    position = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    return rng.normal(means[position], sigma), position, len(counts), sigma


def _exact(
    minutes: np.ndarray,
    position: np.ndarray,
    n_carriers: int,
    sigma: float,
    scale: float = TAU_SCALE,
    spread: Callable = lambda tau: tau,
) -> dict[str, tuple]:
    """Return exact posterior means and standard deviations; the average of a carrier has its standard error."""
    n = np.bincount(position, minlength=n_carriers)
    own = np.bincount(position, minutes, minlength=n_carriers) / np.maximum(n, 1)
    error = np.where(n > 0, sigma / np.sqrt(np.maximum(n, 1)), np.inf)
    moments = hierarchical_moments(own, error, stats.halfnorm(scale=scale), mu_sd=20, spread=spread)
    return {"tau": moments["tau"], "mu_baseline": moments["mu"], "carrier_mean": moments["level"]}


CHECKERS = {
    "02.1": name_the_columns,
    "02.2": posterior_of_mean,
    "02.3": new_flights,
    "02.4": fit_carriers,
}
