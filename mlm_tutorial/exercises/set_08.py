"""Checks of the exercises of notebook 08."""

import numpy as np
from scipy import optimize, special, stats

from mlm_tutorial.exercises.answered_posteriors import expect_moments, fits_a_model, trusted_draws
from mlm_tutorial.exercises.answers import (
    Answer,
    Hint,
    choice,
    close,
    describe,
    expect,
    number,
    pair,
    too_far,
)


def alarm_probability(answer: Answer, rng: np.random.Generator) -> str:
    """Check 08.1."""
    cases = [(2000, 0.866, 0.89, 1e-3), (200, 0.8, 0.89, 1e-3), (40, 0.97, 0.8, 0.01), (120, 0.7, 0.8, 1e-4)]
    for replicates, coverage, nominal, false_alarm in cases:
        coverage = float(np.round(coverage + rng.uniform(-0.01, 0.01), 3))
        given = number(answer.call(replicates, coverage, nominal, false_alarm), "the probability")

        def alarm(c, tail, r=replicates, nominal=nominal):
            lower, upper = stats.binom.ppf([tail, 1 - tail], r, nominal)
            return stats.binom.cdf(lower - 1, r, c), stats.binom.sf(upper, r, c), stats.binom.pmf([lower, upper], r, c)

        below, above, edges = alarm(coverage, false_alarm / 2)
        right = below + above
        mistakes = [
            (1 - right, "this is the probability that the check stays silent"),
            (sum(alarm(nominal, false_alarm / 2)[:2]), "this is the false alarm; the true coverage has no part in it"),
            (below, "the check rings at both ends; this counts low coverage only"),
            (above, "the check rings at both ends; this counts high coverage only"),
            (right + edges[0], "a count at the lower limit is still within the limits and rings no bell"),
            (right + edges.sum(), "a count at one of the limits is still within them and rings no bell"),
            (right + edges[1], "a count at the upper limit is still within the limits and rings no bell"),
            (sum(alarm(coverage, false_alarm)[:2]), "the false alarm is shared by both ends, half for each"),
        ]
        otherwise = (
            "first the two limits, if the promise holds; then the probability of a count outside, if it does not"
        )
        expect(given, right, mistakes, otherwise, rtol=1e-6, atol=1e-12)
    return "A check that stays silent has said something only if it would have rung."


class _Recorder:
    """A statistic that keeps the shape of what it was given and the value that it returned."""

    def __init__(self, statistic):
        self.statistic, self.shapes, self.values = statistic, [], []

    def __call__(self, totals):
        value = float(self.statistic(totals))
        self.shapes.append(np.shape(totals))
        self.values.append(value)
        return value


def predictive_p(answer: Answer, rng: np.random.Generator) -> str:
    """Check 08.2."""
    n, chains, draws = 30, 6, 500
    for statistic in (np.max, np.ptp):
        mu = _chains(rng, chains, draws, 0.8)
        sigma = np.exp(0.4 * _chains(rng, chains, draws, 0.95))
        simulated = _simulated(mu, sigma, n, statistic, rng)
        total = rng.normal(0, 1, n)
        # Stretched until its statistic is the 80 % quantile of the simulated ones.
        total = total * np.quantile(simulated, 0.8) / statistic(total)
        recorder, before = _Recorder(statistic), rng.bit_generator.state
        value = answer.call(total, mu, sigma, recorder, rng)
        first, second = pair(value, "the answer")
        p, mcse = number(first, "the p-value"), number(second, "its MCSE")
        if rng.bit_generator.state == before:
            raise Hint("the new totals should come from the generator rng that the function is given")
        observed = statistic(total)
        own = _sets_of(recorder, observed, mu.shape, n)
        _check_p(p, own, simulated, observed, (mu, sigma, n, statistic), rng)
        _check_mcse(mcse, own >= observed, own, mu)
    return "A p-value is an average over draws, so it has an ESS and an MCSE like any other."


def _sets_of(recorder: _Recorder, observed: float, shape: tuple[int, int], n: int) -> np.ndarray:
    """Return the statistic of each simulated set, as the student's function computed it, in the order of draws."""
    if any(len(x) > 1 for x in recorder.shapes):
        raise Hint("the statistic takes the totals of one set, an array with one axis; it was given more than one set")
    if any(x != (n,) for x in recorder.shapes):
        x = next(x for x in recorder.shapes if x != (n,))
        raise Hint(
            f"a new set has as many totals as the real one, {n}; the statistic was given {np.prod(x, dtype=int)}"
        )
    values = list(recorder.values)
    for i, value in enumerate(values):
        if value == observed:
            del values[i]
            break
    n_draws = shape[0] * shape[1]
    if len(values) % n_draws and len([v for v in values if v != observed]) % n_draws == 0:
        values = [v for v in values if v != observed]  # the real statistic was computed more than once
    if len(values) != n_draws:
        raise Hint(
            f"there are {n_draws} draws and each makes one new set, but the statistic was computed {len(values)} times"
        )
    return np.reshape(values, shape)


def _check_p(p: float, own, simulated, observed: float, model: tuple, rng: np.random.Generator) -> None:
    mu, sigma, n, statistic = model
    if not close(p, np.mean(own >= observed), rtol=1e-9):
        mistakes = [
            (
                np.mean(own < observed),
                "this counts the simulated sets below the real one; the task asks for those above",
            ),
            (
                np.mean(own <= observed),
                "this counts the simulated sets below the real one; the task asks for those above",
            ),
            (
                2 * min(np.mean(own >= observed), np.mean(own < observed)),
                "this is two-sided; the task asks for the share above",
            ),
        ]
        expect(
            p,
            np.mean(own >= observed),
            mistakes,
            f"{p:.3f} is not the share of your simulated sets at or above the real one",
        )
    # Given mu and sigma only the new totals differ, and the two shares have a standard error below this.
    right = np.mean(simulated >= observed)
    scale = np.sqrt(2 * right * (1 - right) / own.size)
    if _off(p, right, scale):
        flat = _simulated(np.full(mu.shape, mu.mean()), np.full(mu.shape, sigma.mean()), n, statistic, rng)
        if not _off(p, np.mean(flat >= observed), scale):
            raise Hint("each draw has its own mu and sigma; with their averages alone, the posterior's width is lost")
        raise Hint(
            f"the p-value is {p:.3f}, too far from the right one to be chance; are the new totals those of each draw?"
        )
    # The statistic of a set follows its own draw: its expectation is an increasing function of sigma.
    if stats.spearmanr(own.ravel(), sigma.ravel()).statistic < 0.3:
        raise Hint("the set of a draw does not follow the mu and sigma of that draw; are draws in another order?")


def _check_mcse(mcse: float, above: np.ndarray, own: np.ndarray, mu: np.ndarray) -> None:
    import arviz as az

    above = above.astype(float)
    p, transposed = above.mean(), above.T.reshape(above.shape)
    spread = above.std()
    mistakes = [
        (spread / np.sqrt(above.size), "this MCSE takes draws as independent; neighbors of a chain are alike"),
        (spread, "this is the standard deviation of what is averaged, not the error of the average"),
        (spread / np.sqrt(len(above)), "chains are not the only thing that is averaged; each has many draws"),
        (_mcse(above) ** 2, "this is the square of an error"),
        (float(az.mcse(above, method="sd")), "this is the MCSE of a standard deviation; a p-value is an average"),
        (spread / np.sqrt(float(az.ess(mu))), "the ESS belongs to what is averaged, and that is not mu"),
        (_mcse(own), "this is the MCSE of the average statistic; the p-value is the average of something else"),
        (_mcse(above.reshape(1, -1)), "the chains were joined into one; hand them over one by one"),
        (_mcse(transposed), "chains and draws are mixed up: the shape is (chains, draws)"),
    ]
    otherwise = "the MCSE is off: a p-value is an average over draws; which numbers does it average?"
    if p * (1 - p) > 0:
        expect(mcse, _mcse(above), mistakes, otherwise, rtol=0.01)


def _chains(rng: np.random.Generator, chains: int, draws: int, rho: float) -> np.ndarray:
    """Return standard normal chains in which neighbours have the correlation `rho`, shape (chains, draws)."""
    from scipy.signal import lfilter

    noise = rng.normal(size=(chains, draws)) * np.sqrt(1 - rho**2)
    noise[:, 0] /= np.sqrt(1 - rho**2)
    return lfilter([1], [1, -rho], noise, axis=1)


def _simulated(mu, sigma, n: int, statistic, rng: np.random.Generator) -> np.ndarray:
    new = rng.normal(mu[..., None], sigma[..., None], (*mu.shape, n))
    return statistic(new, axis=-1)


def _mcse(values: np.ndarray) -> float:
    import arviz as az

    return float(az.mcse(values.astype(float)))


def _off(given: float, right: float, standard_error: float) -> bool:
    return too_far(given, right, standard_error, n_comparisons=2)


def compare_pointwise(answer: Answer, rng: np.random.Generator) -> str:
    """Check 08.3."""
    for n in (80, 230):
        easy = rng.normal(-3, 1.2, n)  # rows are hard or easy for both models
        a, b = easy + rng.normal(0.15, 0.4, n), easy + rng.normal(0, 0.4, n)
        k_a, k_b = rng.uniform(0, 0.45, n), rng.uniform(0, 0.45, n)
        places = rng.choice(n, 7, replace=False)
        k_a[places[:2]], k_b[places[1:4]], k_a[places[4:]] = 0.9, 1.1, [0.55, 0.66, 0.72]
        value = answer.call(a, b, k_a, k_b)
        if not isinstance(value, (tuple, list)) or len(value) != 3:
            raise Hint(f"the answer should be three values, two numbers and a list, but it is {describe(value)}")
        difference = a - b
        mistakes = [
            (-difference.sum(), "this is the second model minus the first"),
            (difference.mean(), "the ELPD is a sum over rows, and so is the difference; this is an average"),
        ]
        expect(number(value[0], "the difference"), difference.sum(), mistakes, "sum over rows, first minus second")
        se = np.sqrt(n) * difference.std()
        mistakes = [
            (
                np.sqrt(n * (a.var() + b.var())),
                "a row that is hard for one model is hard for the other: compare row by row",
            ),
            (np.sqrt(n) * abs(a.std() - b.std()), "a difference of errors is not the error of a difference"),
            (difference.std() / np.sqrt(n), "this is the error of an average over rows; the difference is a sum"),
            (difference.std(), "this is how much rows differ; a sum of n rows has a larger error"),
            (n * difference.var(), "this is a variance; take its root"),
        ]
        otherwise = "the standard error of a sum of n numbers: what is its root-n rule?"
        expect(number(value[1], "its standard error"), se, mistakes, otherwise, rtol=0.01)
        given = value[2]
        if isinstance(given, (str, dict)) or not hasattr(given, "__iter__"):
            raise Hint(f"the third value should be a list of positions of rows, but it is {describe(given)}")
        if not all(isinstance(x, (int, np.integer)) and not isinstance(x, (bool, np.bool_)) for x in given):
            raise Hint("the third value should be a list of whole numbers, the positions of rows")
        given, right = {int(x) for x in given}, set(np.flatnonzero((k_a > 0.7) | (k_b > 0.7)).tolist())
        if given != right:
            for wrong, hint in [
                (k_a > 0.7, "the second model has rows that PSIS cannot leave out, too"),
                (k_b > 0.7, "the first model has rows that PSIS cannot leave out, too"),
                ((k_a > 0.7) & (k_b > 0.7), "a row spoils the comparison if either of its two k is too large"),
                ((k_a > 0.5) | (k_b > 0.5), "the notebook's limit for k is larger"),
                ((k_a > 1) | (k_b > 1), "the notebook's limit for k is smaller"),
            ]:
                if given == set(np.flatnonzero(wrong).tolist()):
                    raise Hint(hint)
            raise Hint("the rows are not those whose k is above the notebook's limit in one of the models")
    return "Two models are compared row by row; that is what makes their difference sharper than either of them."


#: Degrees of freedom of the heavy-tailed model of 08.4, and scales of the priors of both.
NU, MU_SCALE, SIGMA_SCALE = 4, 20, 10


@fits_a_model
def better_model(answer: Answer, rng: np.random.Generator) -> str:
    """Check 08.4."""
    minutes = _minutes(rng)
    first, second = pair(answer.call(minutes, int(rng.integers(2**31))), "the answer")
    posterior = trusted_draws(first, ("mu", "sigma"), "the first value")
    exact = {name: _exact(minutes, nu) for name, nu in {"t": NU, "normal": np.inf}.items()}
    wrong_model = "this is the posterior of the other model: which of the two predicts better?"
    variance = "sigma is the scale of the t distribution, not its standard deviation"
    shrunk = np.sqrt((NU - 2) / NU)
    for name in ("sigma", "mu"):  # sigma tells the models apart, mu hardly
        mean, sd = exact["t"][name]
        mistakes = [
            (*exact["normal"][name], wrong_model),
            (*_exact(minutes, 30)[name], "its tails are lighter than those of the text; how many degrees of freedom?"),
            (*_exact(minutes, 1)[name], "its tails are heavier than those of the text; how many degrees of freedom?"),
        ]
        if name == "sigma":
            mistakes.append((mean / shrunk, sd / shrunk, variance))
        expect_moments(posterior[name], mean, sd, name, mistakes)
    right = exact["t"]["elpd"] - exact["normal"]["elpd"]
    in_sample = exact["t"]["lpd"] - exact["normal"]["lpd"]
    given = number(second, "the difference of ELPD")
    # PSIS from 4,000 draws is off by less than a tenth here.
    mistakes = [
        (-right, "this is the normal model minus the other one"),
        (in_sample, "this compares rows that each model has seen; leave one out"),
        (exact["t"]["elpd"], "this is the ELPD of one model; a difference takes two"),
        (-2 * right, "this is on the deviance scale, minus two times the logarithm"),
    ]
    otherwise = f"{given:.1f} is too far from the difference of the two ELPD; az.compare or two calls of az.loo give it"
    expect(given, right, mistakes, otherwise, rtol=0, atol=0.45)
    return "The heavy tails cost nothing where they are not needed, and much is won where they are."


def _minutes(rng: np.random.Generator) -> np.ndarray:
    """Return 80 delays of which a few are far out: far enough for t, and not so far that PSIS fails for the normal."""
    while True:
        regular = rng.normal(0, 3, 74)
        far = rng.choice([-1, 1], 6) * rng.uniform(13, 17, 6)
        minutes = np.round(rng.normal(5, 2) + rng.permutation(np.concatenate([regular, far])), 1)
        heavy, normal = _exact(minutes, NU), _exact(minutes, np.inf)
        gain, seen = heavy["elpd"] - normal["elpd"], heavy["lpd"] - normal["lpd"]
        apart = abs(heavy["sigma"][0] - normal["sigma"][0]) > 3 * normal["sigma"][1]
        if gain > 4 and abs(gain - seen) > 1.2 and apart:
            return minutes


def _exact(minutes: np.ndarray, nu: float) -> dict:
    """Return exact moments of mu and sigma, the exact leave-one-out ELPD and the log density in the sample."""
    center, spread = np.median(minutes), minutes.std()
    mu = np.linspace(center - spread, center + spread, 161)[:, None]
    sigma = np.geomspace(spread / 5, 2 * spread, 120)[None, :]
    squares = ((minutes[:, None, None] - mu) / sigma) ** 2
    if np.isfinite(nu):
        constant = special.gammaln((nu + 1) / 2) - special.gammaln(nu / 2) - np.log(nu * np.pi) / 2
        each = constant - (nu + 1) / 2 * np.log1p(squares / nu) - np.log(sigma)
    else:
        each = -squares / 2 - np.log(2 * np.pi) / 2 - np.log(sigma)
    prior = stats.norm.logpdf(mu, 0, MU_SCALE) + stats.halfnorm.logpdf(sigma, 0, SIGMA_SCALE) + np.log(sigma)
    log_weight = each.sum(axis=0) + prior  # the grid of sigma is even in its logarithm
    log_weight -= special.logsumexp(log_weight)
    weight = np.exp(log_weight)

    def moments(x):
        mean = np.sum(weight * x)
        return float(mean), float(np.sqrt(np.sum(weight * (x - mean) ** 2)))

    return {
        "mu": moments(mu),
        "sigma": moments(sigma),
        "elpd": float(-np.sum(special.logsumexp(log_weight - each, axis=(1, 2)))),
        "lpd": float(np.sum(special.logsumexp(log_weight + each, axis=(1, 2)))),
    }


VERDICTS = ("data", "prior", "both", "neither")


def prior_or_data(answer: Answer, rng: np.random.Generator) -> str:
    """Check 08.5."""
    # The limit, and both sensitivities as multiples of it: near enough that another limit gives another verdict.
    cases = [
        ("data", 0.25, 0.92, 3.0),
        ("both", 0.25, 1.08, 2.0),
        ("prior", 0.2, 1.1, 0.9),
        ("neither", 0.40, 0.92, 0.85),
        ("data", 0.40, 0.85, 1.08),
    ]
    for wanted, limit, of_prior, of_likelihood in cases:
        draws = rng.normal(0, 1, 2000) if wanted == "both" else np.sqrt(rng.gamma(1.5, 1, 2000))
        draws = rng.uniform(1, 5) + rng.uniform(0.5, 4) * draws
        # Log densities of real models are far from zero: so far that their exponential is no number to work with.
        parts = {
            "prior": _with_sensitivity(draws, rng, limit * of_prior, wide=wanted != "both") - 4000,
            "likelihood": _with_sensitivity(draws, rng, limit * of_likelihood, wide=wanted == "prior") - 9000,
        }
        value = answer.call(draws, parts["prior"], parts["likelihood"], limit)
        if not isinstance(value, (tuple, list)) or len(value) != 3:
            raise Hint(f"the answer should be three values, two numbers and a text, but it is {describe(value)}")
        right = {part: _sensitivity(draws, log_density) for part, log_density in parts.items()}
        for given, part, other in zip(value, parts, reversed(parts), strict=False):
            _check_sensitivity(given, f"the sensitivity to the {part}", right[part], right[other], draws, parts[part])
        verdict = choice(value[2], VERDICTS, "the verdict")
        if verdict != wanted:
            numbers = f"{right['prior']:.3f} for the prior, {right['likelihood']:.3f} for the likelihood"
            if wanted == "neither":
                raise Hint(f"with {numbers} and a limit of {limit}, neither moves the estimate; what does that leave?")
            raise Hint(f"the numbers are right, {numbers}, but with the limit {limit} the verdict is not {verdict!r}")
    return "One fit and four sets of weights tell whether data or prior hold an estimate in its place."


def _with_sensitivity(draws: np.ndarray, rng: np.random.Generator, wanted: float, wide: bool) -> np.ndarray:
    """Return a log density, up to a constant, to which the draws have a certain sensitivity.

    With `wide` the width changes more than the mean moves, but the mean moves enough for it to matter about which mean
    the width is taken; otherwise the mean moves more.
    """
    x = (draws - draws.mean()) / draws.std()
    while True:
        slope = rng.uniform(-2, 2)
        shape = slope * x - x**2 if wide else np.sign(slope) * x - 0.05 * x**2
        factor = optimize.brentq(lambda c, shape=shape: _sensitivity(draws, c * shape) - wanted, 1e-4, 6)
        (strong, strong_sd), (weak, weak_sd) = (_moments(draws, factor * shape, power - 1) for power in POWERS)
        ratio = abs(strong - weak) / draws.std() / abs(np.log(strong_sd / weak_sd))
        if 0.6 < ratio < 0.9 if wide else ratio > 1.2:
            return factor * shape


def _check_sensitivity(given, what: str, right: float, other: float, draws: np.ndarray, log_density: np.ndarray):
    if isinstance(given, (float, np.floating)) and np.isnan(given):
        raise Hint(f"{what} is NaN: the weights are too small or too large for the computer; only their ratios matter")
    (strong, strong_sd), (weak, weak_sd) = (_moments(draws, log_density, power - 1) for power in POWERS)
    move, narrowing, sd = abs(strong - weak) / DOUBLINGS, abs(np.log(strong_sd / weak_sd)) / DOUBLINGS, draws.std()
    (_, about_plain), (_, about_plain_weak) = (
        _moments(draws, log_density, power - 1, about=draws.mean()) for power in POWERS
    )
    plain = abs(np.log(about_plain / about_plain_weak)) / DOUBLINGS
    doubled = "the draws carry the density once already; weights are for what the new power adds to it or takes away"
    mistakes = [
        (other, "prior and likelihood come in the other order: prior first"),
        (_sensitivity(draws, log_density, carried=0), f"{what}: {doubled}"),
        (right * DOUBLINGS, f"{what} counts per doubling of the power, and from 0.8 to 1.25 is less than one"),
        (right / 2, f"{what} counts per doubling of the power; how many doublings lead from 0.8 to 1.25?"),
        (right * DOUBLINGS / np.log(1.25 / 0.8), f"{what} counts per doubling: the logarithm to the base 2"),
        (max(move / sd, plain), f"{what}: a weighted standard deviation is about the weighted mean"),
        (narrowing, f"{what} is the larger of two numbers; here the mean moves more than the width changes"),
        (move / sd, f"{what} is the larger of two numbers; here the width changes more than the mean moves"),
        (max(move, narrowing), f"{what}: the move of the mean counts in posterior standard deviations"),
        (min(move / sd, narrowing), f"{what} is the larger of the two numbers; this is the smaller"),
        (move / sd + narrowing, f"{what} is the larger of the two numbers; this is their sum"),
        (max(move / sd, 2 * narrowing), f"{what} looks at the standard deviation; this looks at the variance"),
    ]
    otherwise = f"{what} is off; are mean and standard deviation those of the weighted draws?"
    # Whether the standard deviation divides by S or S - 1 makes a difference of 0.00025 at most.
    expect(number(given, what), right, mistakes, otherwise, rtol=4e-4, atol=1e-9)


#: Powers of 08.5, and how many doublings lead from one to the other.
POWERS = (1.25, 0.8)
DOUBLINGS = float(np.log2(1.25 / 0.8))


def _moments(draws: np.ndarray, log_density: np.ndarray, exponent: float, about: float | None = None):
    """Return mean and standard deviation of draws weighted by a power of a density."""
    log_weights = exponent * log_density
    weights = np.exp(log_weights - log_weights.max())
    weights /= weights.sum()
    mean = np.sum(weights * draws)
    return mean, np.sqrt(np.sum(weights * (draws - (mean if about is None else about)) ** 2))


def _sensitivity(draws: np.ndarray, log_density: np.ndarray, carried: float = 1) -> float:
    """Return how far mean and width move if one part of the posterior becomes stronger or weaker, per doubling."""
    (strong, strong_sd), (weak, weak_sd) = (_moments(draws, log_density, power - carried) for power in POWERS)
    return max(abs(strong - weak) / draws.std(), abs(np.log(strong_sd / weak_sd))) / DOUBLINGS


CHECKERS = {
    "08.1": alarm_probability,
    "08.2": predictive_p,
    "08.3": compare_pointwise,
    "08.4": better_model,
    "08.5": prior_or_data,
}
