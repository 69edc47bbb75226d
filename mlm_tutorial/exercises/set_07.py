"""Checks of the exercises of notebook 07."""

import numpy as np
import pandas as pd
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
    choice,
    describe,
    expect,
    instance,
    number,
    pair,
)

CAUSES = ("fine", "one chain elsewhere", "slow chains", "unequal widths")


def four_runs(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the four simulated runs of 07.1, arrays of 4 chains and 500 draws."""
    widths, places = np.ones((4, 1)), np.zeros((4, 1))
    widths[rng.integers(4)], places[rng.integers(4)] = 0.4, 1.5
    return {
        "A": _chains(rng, 4, 500, 0.99),
        "B": _chains(rng, 4, 500, 0) * widths,
        "C": _chains(rng, 4, 500, 0),
        "D": _chains(rng, 4, 500, 0) + places,
    }


def causes(answer: Answer, rng: np.random.Generator) -> str:
    """Check 07.1."""
    given = instance(answer.value(), dict, "a dict from the name of a run to a text")
    right = {"A": "slow chains", "B": "unequal widths", "C": "fine", "D": "one chain elsewhere"}
    for run in right:
        if run not in given:
            raise Hint(f"the answer says nothing about run {run!r}")
        choice(given[run], CAUSES, f"the text about run {run}")
    if len(given) > len(right):
        raise Hint("there are four runs, A to D; the answer names more")
    hints = {
        "A": "run A: every chain is off zero, each in its own way. Look at the numbers: what do 2,000 draws come to?",
        "B": "run B: the averages agree, and ranks are uneven at both ends. What would give a chain few extreme ranks?",
        "C": "run C: do its lines go further from zero than chance takes them, and does any number miss its threshold?",
        "D": "run D: one rank line stays on one side of zero, the other three agree. What do the draws above show?",
    }
    for run, cause in right.items():
        if given[run] != cause:
            raise Hint(hints[run])
    return "Run B has the R-hat of a failure although all averages agree: R-hat looks at widths as well."


def draws_needed(answer: Answer, rng: np.random.Generator) -> str:
    """Check 07.2."""
    # The fraction decides what rounding does: above one half only rounding down is wrong, below it to the nearest, too.
    for target, fractions in ((0.05, (0.6, 0.9)), (0.01, (0.1, 0.4)), (0.2, (0.1, 0.4)), (0.08, (0.6, 0.9))):
        while True:
            sd, n_draws = rng.uniform(0.5, 4), int(rng.integers(10, 60)) * 100
            ess = rng.uniform(0.05, 0.4) * n_draws
            exact = n_draws * (sd / target) ** 2 / ess
            if fractions[0] < exact % 1 < fractions[1]:
                break
        to_nearest = "rounded to the nearest whole number, the error can stay above the target"
        given = number(answer.call(sd, ess, n_draws, target), "the number of draws")
        mistakes = [
            (exact, "draws come in whole numbers; which way do you round, so that the target is met?"),
            (np.floor(exact), "rounded down, the error is just above the target" if exact % 1 > 0.5 else to_nearest),
            (np.ceil((sd / target) ** 2), "this is the ESS that you need; one draw is worth less than one of those"),
            ((sd / target) ** 2, "this is the ESS that you need; one draw is worth less than one of those"),
            (np.ceil(exact - n_draws), "this is how many draws to add; the task asks for all draws together"),
            (np.ceil(n_draws * sd / target / np.sqrt(ess)), "twice the draws do not halve the error: mind the square"),
            (np.ceil(n_draws * sd / target / ess), "the MCSE falls with the root of the ESS, not with the ESS itself"),
        ]
        otherwise = "how does the MCSE depend on the ESS, and what did a draw of this run add to the ESS?"
        expect(given, np.ceil(exact), mistakes, otherwise, rtol=0, atol=1e-3)
    return "Ten times the precision costs a hundred times the draws."


def widest_rhat(answer: Answer, rng: np.random.Generator) -> str:
    """Check 07.3."""
    shift = np.array([[0.0], [0.0], [0.0], [0.8]])
    cases = [
        rng.normal(0, 1, (4, 300)) + shift,  # another place
        rng.normal(0, 1, (4, 250)) * np.array([[1.0], [1.0], [1.0], [3.0]]),  # another width
        rng.normal(0, 1, (3, 400)) + np.linspace(-1, 1, 400),  # chains that agree and drift
        rng.normal(0, 1, (4, 201)) + rng.normal(0, 0.3, (4, 1)),  # an odd number of draws
        rng.normal(0, 1, (4, 20)),  # short
    ]
    for draws in cases:
        odd = " (this case has an odd number of draws)" if draws.shape[1] % 2 else ""
        given = number(answer.call(draws), f"R-hat{odd}")
        # Even with an odd number of draws: all draws have part in the median.
        folded = np.abs(draws - np.median(draws))
        plain, wide = _rhat(_halves(draws)), _rhat(_halves(folded))
        own_medians = np.abs(draws - np.median(draws, axis=1, keepdims=True))
        around_mean = np.abs(draws - draws.mean())
        mistakes = [
            (plain, "chains of equal averages and unequal widths pass; the second R-hat is missing, or not compared"),
            (wide, "this compares widths alone; chains of equal width in different places pass"),
            (np.minimum(plain, wide), "the smaller of the two hides the failure that the other one has seen"),
            (max(_rhat(draws), _rhat(folded)), "chains are not split: a chain that drifts must disagree with itself"),
            (max(plain, _rhat(_halves(own_medians))), "take distances from one median for all, that of all draws"),
            (max(plain, _rhat(_halves(around_mean))), "take distances from the median, not from the average"),
            (
                max(_rhat(_halves(x), ddof=0) for x in (draws, folded)),
                "divide a variance by n - 1, for draws and means",
            ),
            (max(_rhat(_halves(x)) ** 2 for x in (draws, folded)), "R-hat is a ratio of widths; this one is squared"),
            (
                max(_rhat(_halves(x), times_n=True) for x in (draws, folded)),
                "B/n is the variance of the half-chains' averages; yours is n times that",
            ),
        ]
        if draws.shape[1] % 2:
            start, end = draws[:, :-1], draws[:, 1:]
            for kept in (start, end):
                away = np.abs(kept - np.median(draws))
                for x in (away, np.abs(kept - np.median(kept))):
                    mistakes.append((max(_rhat(_halves(kept)), _rhat(_halves(x))), "leave out the middle draw" + odd))
        otherwise = f"neither R-hat of the draws nor that of the distances{odd}; try the notebook's formula on paper"
        expect(given, max(plain, wide), mistakes, otherwise)
    return "The larger of the two sees chains in different places and chains of different widths."


def _halves(draws: np.ndarray) -> np.ndarray:
    half = draws.shape[1] // 2
    return np.concatenate([draws[:, :half], draws[:, -half:]])


def _rhat(chains: np.ndarray, ddof: int = 1, times_n: bool = False) -> float:
    n = chains.shape[1]
    within = chains.var(axis=1, ddof=ddof).mean()
    between = chains.mean(axis=1).var(ddof=ddof) * (n if times_n else 1)
    return np.sqrt(((n - 1) / n * within + between) / within)


def _chains(rng: np.random.Generator, chains: int, draws: int, rho: float) -> np.ndarray:
    """Return standard normal chains in which neighbours have the correlation `rho`, shape (chains, draws)."""
    from scipy.signal import lfilter

    noise = rng.normal(size=(chains, draws)) * np.sqrt(1 - rho**2)
    noise[:, 0] /= np.sqrt(1 - rho**2)
    return lfilter([1], [1, -rho], noise, axis=1)


def slow_energies(answer: Answer, rng: np.random.Generator) -> str:
    """Check 07.4."""
    wanted = [(0.12, 0.2, 0.26, 0.9), (0.35, 0.6, 0.34, 1.1), (0.15, 0.8, 0.37, 1.0, 0.25)]
    for rates in wanted:
        energy = _energies(rng, rng.permutation(rates))
        changes, levels = np.diff(energy, axis=1), energy - energy.mean(axis=1, keepdims=True)
        of_changes, variance = np.mean(changes**2, axis=1), levels.var(axis=1, ddof=1)
        right = of_changes / variance
        first, second = pair(answer.call(energy), "the answer")
        values = array(first, (len(energy),), "the E-BFMI of the chains")
        apart = "a chain's changes belong beside the variance of its own energies"
        mistakes = [
            (of_changes / energy.var(), f"all chains share one variance here; {apart}"),
            (np.full(len(energy), of_changes.mean() / variance.mean()), f"all chains have one value here; {apart}"),
            (np.full(len(energy), of_changes.mean() / energy.var()), f"all chains have one value here; {apart}"),
            (1 / right, "this is upside down: small changes beside a large variance should give a small number"),
            (
                of_changes / np.sqrt(variance),
                "the squares of changes belong beside a variance, not a standard deviation",
            ),
            (np.sqrt(right), "this is a ratio of standard deviations; E-BFMI compares squares"),
            (changes.var(axis=1, ddof=1) / np.mean(energy**2, axis=1), "the variance of energies is about their mean"),
            (of_changes / np.mean(energy**2, axis=1), "the variance of energies is about their mean, not about zero"),
            (np.mean(np.abs(changes), axis=1) / variance, "the changes are to be squared before they are averaged"),
        ]
        otherwise = (
            "E-BFMI: the mean squared change from draw to draw, divided by the variance; which of the two is off?"
        )
        expect(values, right, mistakes, otherwise, rtol=0.01)
        _check_slow(second, right)
    return "A single push has to change the energy by a good part of what the energy varies."


def _energies(rng: np.random.Generator, rates) -> np.ndarray:
    """Return energies of chains with certain values of E-BFMI, about levels and with scales of their own."""
    chains = np.concatenate([_chains(rng, 1, 800, 1 - rate / 2) for rate in rates])
    for chain, rate in zip(chains, rates, strict=True):
        # A chain of finite length has another value; white noise or a moving average brings it near the wanted one.
        for _ in range(200):
            found = np.mean(np.diff(chain) ** 2) / chain.var(ddof=1)
            if abs(np.log(found / rate)) < 0.05:
                break
            chain[:] = _chains(rng, 1, 800, 1 - rate / 2)[0]
    return 500 + rng.normal(0, 20, (len(rates), 1)) + chains * rng.uniform(3, 30, (len(rates), 1))


def _check_slow(given: object, right: np.ndarray) -> None:
    if isinstance(given, (str, dict)) or not hasattr(given, "__iter__"):
        raise Hint(f"the second value should be a list of the positions of chains, but it is {describe(given)}")
    given = list(given)
    flags = [isinstance(x, (bool, np.bool_)) for x in given]
    if flags and all(flags):
        raise Hint("the second value should be a list of positions such as [0, 2], but it holds True and False")
    if not all(isinstance(x, (int, np.integer)) for x in given):
        raise Hint(f"the second value should be a list of whole numbers, but it is {describe(given)}")
    if sorted(given) != np.flatnonzero(right < 0.3).tolist():
        shown = ", ".join(f"{x:.2f}" for x in right)
        raise Hint(f"the values {shown} are right, but not the list of chains {given}: see the notebook's limit")


@fits_a_model
def fit_depots(answer: Answer, rng: np.random.Generator) -> str:
    """Check 07.5."""
    table = _depots(rng)
    grid = _depot_moments(table)
    target = 0.0105 * grid["mu"][1]
    first, second = pair(answer.call(table, target, int(rng.integers(2**31))), "the answer")
    posterior = trusted_draws(first, ("mu", "tau", "level"), "the first value")
    if posterior["level"].size != len(table) * posterior["mu"].size:
        raise Hint(f"level should have one value for each of the {len(table)} depots")
    means = table.assign(error=np.sqrt(np.mean(table["error"] ** 2)))
    mistakes = {
        "every depot has its own error; here all have one": _depot_moments(means),
        "the prior of tau is not the one in the text": _depot_moments(table, tau_scale=10.0),
        "errors are standard deviations; here they seem to be used as variances": _depot_moments(
            table.assign(error=np.sqrt(table["error"]))
        ),
        "the prior of mu is not the one in the text": _depot_moments(table, mu_scale=1.0),
    }
    for name, (mean, sd) in grid.items():
        expect_moments(posterior[name], mean, sd, name, [(*wrong[name], hint) for hint, wrong in mistakes.items()])
    error = _mcse(posterior["mu"].transpose("chain", "draw").values)
    if error > target:
        raise Hint(
            f"the posterior is right, but the MCSE of mu is {error:.3f} minutes and should be at most {target:.3f}; "
            "how many draws does that take?"
        )
    names = table["depot"].tolist()
    given = choice(second, names, "the second value")
    order = np.argsort(grid["level"][0])
    if given != names[order[-1]]:
        if given == names[int(np.argmax(table["minutes"]))]:
            raise Hint("this depot has the highest average, but also the largest error; what does its level come to?")
        raise Hint("another depot has the highest level; read the posterior means of level")
    return "The chains were right before the answer was: first the form, then the number of draws, then the reading."


def _depots(rng: np.random.Generator) -> pd.DataFrame:
    """Return six depots of which the highest average is the least certain and not the highest level."""
    while True:
        error = rng.permutation([3.0, 3.5, 4.0, 5.0, 6.0, 11.0])
        minutes = np.round(rng.normal(4, np.sqrt(3.0**2 + error**2)), 1)
        table = pd.DataFrame({"depot": rng.permutation(list("ABCDEF")), "minutes": minutes, "error": error})
        if np.argmax(minutes) != np.argmax(error) or np.ptp(minutes) > 35:
            continue
        levels = _depot_moments(table)["level"][0]
        second, first = np.sort(levels)[-2:]
        if np.argmax(levels) != np.argmax(minutes) and first - second > 0.5:
            return table


def _depot_moments(table: pd.DataFrame, tau_scale: float = 5.0, mu_scale: float = 10.0) -> dict[str, tuple]:
    """Return exact mean and standard deviation of mu, tau and level."""
    minutes, error = table["minutes"].to_numpy(), table["error"].to_numpy()
    return hierarchical_moments(minutes, error, stats.halfnorm(scale=tau_scale), mu_scale)


def _mcse(draws: np.ndarray) -> float:
    import arviz as az

    return float(az.mcse(draws))


CHECKERS = {
    "07.1": causes,
    "07.2": draws_needed,
    "07.3": widest_rhat,
    "07.4": slow_energies,
    "07.5": fit_depots,
}
