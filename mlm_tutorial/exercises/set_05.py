"""Checks of the exercises of notebook 05."""

import numpy as np
from scipy import stats

from mlm_tutorial.exercises.answers import (
    Answer,
    Hint,
    choice,
    close,
    describe,
    expect,
    instance,
    number,
    pair,
    too_far,
)

CAUSES = ("fine", "one chain elsewhere", "slow chains", "unequal widths")


def four_runs(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the four simulated runs of 05.1, arrays of 4 chains and 500 draws."""
    widths, places = np.ones((4, 1)), np.zeros((4, 1))
    widths[rng.integers(4)], places[rng.integers(4)] = 0.4, 1.5
    return {
        "A": _chains(rng, 4, 500, 0.99),
        "B": _chains(rng, 4, 500, 0) * widths,
        "C": _chains(rng, 4, 500, 0),
        "D": _chains(rng, 4, 500, 0) + places,
    }


def causes(answer: Answer, rng: np.random.Generator) -> str:
    """Check 05.1."""
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
    """Check 05.2."""
    for target in (0.05, 0.01, 0.2):
        while True:
            sd, n_draws = rng.uniform(0.5, 4), int(rng.integers(10, 60)) * 100
            ess = rng.uniform(0.05, 0.4) * n_draws
            exact = n_draws * (sd / target) ** 2 / ess
            if 0.1 < exact % 1 < 0.9:  # rounding must not depend on the order of operations
                break
        given = number(answer.call(sd, ess, n_draws, target), "the number of draws")
        mistakes = [
            (exact, "draws come in whole numbers; which way do you round, so that the target is met?"),
            (np.floor(exact), "rounded down, the error is just above the target"),
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
    """Check 05.3."""
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


def predictive_p(answer: Answer, rng: np.random.Generator) -> str:
    """Check 05.4."""
    # Many chains: then the averages of chains give a good MCSE, too. From four chains it is off by 40 percent.
    n, chains, draws = 30, 40, 500
    for statistic in (np.max, np.ptp):
        mu = _chains(rng, chains, draws, 0.8)
        sigma = np.exp(0.4 * _chains(rng, chains, draws, 0.95))
        simulated = _simulated(mu, sigma, n, statistic, rng)
        total = rng.normal(0, 1, n)
        # Stretched until its statistic is the 80 % quantile of the simulated ones.
        total = total * np.quantile(simulated, 0.8) / statistic(total)
        observed = statistic(total)
        above = simulated >= observed
        right, error = above.mean(), _mcse(above)
        first, second = pair(answer.call(total, mu, sigma, statistic, rng), "the answer")
        p, mcse = number(first, "the p-value"), number(second, "its MCSE")
        # Both p-values are random. Given mu and sigma, only the new totals differ, with a standard error below
        # sqrt(p (1 - p) / draws) for each of them; two statistics are compared.
        scale = np.sqrt(2 * right * (1 - right) / above.size)
        plug_in = np.mean(
            _simulated(np.full(mu.shape, mu.mean()), np.full(mu.shape, sigma.mean()), n, statistic, rng) >= observed
        )
        if _off(p, right, scale):
            mistakes = [
                (1 - right, "this counts the simulated sets below the real one; the task asks for those above"),
                (2 * min(right, 1 - right), "this is a two-sided p-value; the task asks for the share above"),
                (
                    plug_in,
                    "each draw has its own mu and sigma; with their averages alone, the posterior's width is lost",
                ),
            ]
            for wrong, hint in mistakes:
                if not _off(p, wrong, scale):
                    raise Hint(hint)
            raise Hint(
                f"the p-value is {p:.3f}, too far from the right one to be chance; "
                f"each draw makes one set of {n} new totals, and each set has one value of the statistic"
            )
        spread = np.sqrt(p * (1 - p))
        mistakes = [
            (spread / np.sqrt(above.size), "this MCSE takes draws as independent; neighbours of a chain are alike"),
            (spread, "this is the standard deviation of what is averaged, not the error of the average"),
            (spread / np.sqrt(chains), "chains are not the only thing that is averaged; each has many draws"),
            (error**2, "this is the square of an error"),
        ]
        for wrong, hint in mistakes:
            if close(mcse, wrong, rtol=0.02):
                raise Hint(hint)
        if close(mcse, _mcse(simulated), rtol=0.25):
            raise Hint("this is the MCSE of the average statistic; the p-value is the average of something else")
        # In 600 trials the ratio to ours was 1.00 with ArviZ (standard deviation 0.05), 0.94 from averages of chains
        # (0.10), 0.88 from batches of 100 draws (0.08), and never above 0.35 with draws taken as independent. Averages
        # of 40 chains leave these bounds about once in a million checks, by the chi-square distribution.
        if not 0.45 < mcse / error < 1.8:
            raise Hint("the MCSE is off: a p-value is an average over draws; which numbers does it average?")
    return "A p-value is an average over draws, so it has an ESS and an MCSE like any other."


def _chains(rng: np.random.Generator, chains: int, draws: int, rho: float) -> np.ndarray:
    """Return standard normal chains in which neighbours have the correlation `rho`, shape (chains, draws)."""
    from scipy.signal import lfilter

    noise = rng.normal(size=(chains, draws)) * np.sqrt(1 - rho**2)
    noise[:, 0] /= np.sqrt(1 - rho**2)
    return lfilter([1], [1, -rho], noise, axis=1)


def _simulated(mu, sigma, n: int, statistic, rng: np.random.Generator) -> np.ndarray:
    new = rng.normal(mu[..., None], sigma[..., None], (*mu.shape, n))
    return statistic(new, axis=-1)


def _mcse(indicator: np.ndarray) -> float:
    import arviz as az

    return float(az.mcse(indicator.astype(float)))


def _off(given: float, right: float, standard_error: float) -> bool:
    return too_far(given, right, standard_error, n_comparisons=2)


def prior_or_data(answer: Answer, rng: np.random.Generator) -> str:
    """Check 05.5."""
    # Mean of n normal totals with known noise: (sd of the prior, its mean, noise, n).
    cases = {"data": (50.0, 0.0, 1.0, 40), "prior": (0.5, 1.0, 30.0, 10), "both": (1.0, -6.0, 2.0, 4)}
    for wanted in cases:
        prior_sd, prior_mean, noise, n = cases[wanted]
        total = rng.normal(3, noise, n)
        total += 3 - total.mean()
        precision = 1 / prior_sd**2 + n / noise**2
        center = (prior_mean / prior_sd**2 + total.sum() / noise**2) / precision
        draws = rng.normal(center, 1 / np.sqrt(precision), 2000)
        # Log densities of real models are far from zero: so far that their exponential is no number to work with.
        log_prior = stats.norm.logpdf(draws, prior_mean, prior_sd) - 4000
        log_likelihood = stats.norm.logpdf(total[:, None], draws, noise).sum(axis=0) - 9000
        value = answer.call(draws, log_prior, log_likelihood)
        if not isinstance(value, (tuple, list)) or len(value) != 3:
            raise Hint(f"the answer should be three values, two numbers and a text, but it is {describe(value)}")
        parts = {"prior": log_prior, "likelihood": log_likelihood}
        right = {part: _sensitivity(draws, log_density) for part, log_density in parts.items()}
        for given, part, other in zip(value, parts, reversed(parts), strict=False):
            _check_sensitivity(given, f"the sensitivity to the {part}", right[part], right[other], draws, parts[part])
        verdict = choice(value[2], ("data", "prior", "both"), "the verdict")
        if verdict != wanted:
            raise Hint(
                f"the numbers are right: {right['prior']:.3f} for the prior, {right['likelihood']:.3f} for the "
                f"likelihood; the verdict {verdict!r} does not go with them"
            )
    return "One fit and four sets of weights tell whether data or prior hold an estimate in its place."


def _check_sensitivity(given, what: str, right: float, other: float, draws: np.ndarray, log_density: np.ndarray):
    if isinstance(given, (float, np.floating)) and np.isnan(given):
        raise Hint(f"{what} is NaN: the weights are too small or too large for the computer; only their ratios matter")
    (strong, strong_sd), (weak, weak_sd) = (_moments(draws, log_density, power - 1) for power in (1.25, 0.8))
    move, narrowing, sd = abs(strong - weak), abs(np.log(strong_sd / weak_sd)), draws.std()
    doubled = "the draws carry the density once already; weights are for what the new power adds to it or takes away"
    mistakes = [
        (other, "prior and likelihood come in the other order: prior first"),
        (_sensitivity(draws, log_density, carried=0), f"{what}: {doubled}"),
        (narrowing, f"{what} is the larger of two numbers; here the mean moves more than the width changes"),
        (move / sd, f"{what} is the larger of two numbers; here the width changes more than the mean moves"),
        (max(move, narrowing), f"{what}: the move of the mean counts in posterior standard deviations"),
        (min(move / sd, narrowing), f"{what} is the larger of the two numbers; this is the smaller"),
        (move / sd + narrowing, f"{what} is the larger of the two numbers; this is their sum"),
        (max(move / sd, 2 * narrowing), f"{what} looks at the standard deviation; this looks at the variance"),
    ]
    otherwise = f"{what} is off; are mean and standard deviation those of the weighted draws?"
    # Whether the standard deviation divides by S or S - 1 is no matter here.
    expect(number(given, what), right, mistakes, otherwise, rtol=1e-3, atol=1e-6)


def _moments(draws: np.ndarray, log_density: np.ndarray, exponent: float) -> tuple[float, float]:
    """Return mean and standard deviation of draws weighted by a power of a density."""
    log_weights = exponent * log_density
    weights = np.exp(log_weights - log_weights.max())
    weights /= weights.sum()
    mean = np.sum(weights * draws)
    return mean, np.sqrt(np.sum(weights * (draws - mean) ** 2))


def _sensitivity(draws: np.ndarray, log_density: np.ndarray, carried: float = 1) -> float:
    """Return how far mean and width move if one part of the posterior becomes stronger or weaker."""
    (strong, strong_sd), (weak, weak_sd) = (_moments(draws, log_density, power - carried) for power in (1.25, 0.8))
    return max(abs(strong - weak) / draws.std(), abs(np.log(strong_sd / weak_sd)))


CHECKERS = {
    "05.1": causes,
    "05.2": draws_needed,
    "05.3": widest_rhat,
    "05.4": predictive_p,
    "05.5": prior_or_data,
}
