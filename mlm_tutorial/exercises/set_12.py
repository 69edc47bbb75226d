"""Checks of the exercises of notebook 12."""

import numpy as np

from mlm_tutorial.exercises.answers import (
    Answer,
    Hint,
    array,
    choices,
    close,
    expect,
    number,
    pair,
    too_far,
    too_far_from_normal,
)


def split_total(answer: Answer, rng: np.random.Generator) -> str:
    """Check 12.1."""
    for m in (3, 2, 5):
        mu, sigma = rng.normal(3, 2, m), rng.uniform(0.5, 4, m)
        surprise = rng.choice([-1, 1]) * rng.uniform(2, 9)
        x = mu.sum() + surprise
        first, second = pair(answer.call(x, mu, sigma), "the answer")
        mean, sd = array(first, (m,), "the first part, the means"), array(second, (m,), "the second part, the sds")
        v = sigma**2
        w = v / v.sum()
        mistakes = [
            (
                mu + sigma / sigma.sum() * surprise,
                "the surprise is not shared out in proportion to standard deviations",
            ),
            (mu + surprise / m, "equal parts of the surprise; a contributor that varies more should get more of it"),
            (mu / mu.sum() * x, "this shares out the total in proportion to the means, as if nothing varied"),
            (w * x, "the whole total is shared out; share out only the surprise, beyond what was expected of each"),
            (mu, "these are the means before the total was known; the surprise belongs to somebody"),
            (mu - w * surprise, "the sign: where the total is larger than expected, contributions are, too"),
        ]
        otherwise = "where the total is as expected, so is every contribution; who answers for the rest of the total?"
        expect(mean, mu + w * surprise, mistakes, f"means: they add up to {mean.sum():.3g}, x is {x:.3g}; {otherwise}")
        mistakes = [
            (sigma, "these are the standard deviations before the total was known; knowing it tells something"),
            (v - v**2 / v.sum(), "these are variances; the task asks for standard deviations"),
            (v / sigma.sum(), "the second part mixes standard deviations and weights; work with variances"),
            (np.sqrt(v**2 / v.sum()), "this is what the total explains of each contribution; ask for what is left"),
        ]
        otherwise = "the second part: how much less uncertain is a contribution once the total is known?"
        expect(sd, np.sqrt(v - v**2 / v.sum()), mistakes, otherwise)
    return "The means depend on the total, the standard deviations do not."


def joint_draws(answer: Answer, rng: np.random.Generator) -> str:
    """Check 12.2."""
    # Two sets of parameters in random order, so that draws can be compared with the exact moments of each set.
    n, m = 20_000, 3
    mu_of = np.array([[2.0, -1, 1], [4.0, 1, -2]]) + rng.normal(0, 0.3, (2, m))
    v_of = np.array([[9.0, 4, 1], [3.0, 8, 2]]) * rng.uniform(0.9, 1.1, (2, m))
    which = rng.permutation(np.repeat([0, 1], n))
    x = rng.uniform(9, 12)
    y = array(answer.call(x, mu_of[which], v_of[which], rng), (2 * n, m), "the result")
    off = y.sum(axis=1) - x
    if np.abs(off).max() > 1e-8 * abs(x):
        said = f"draws must add up to x, every single one; one of them misses it by {np.abs(off).max():.2g}"
        if abs(off.mean()) < 0.1:
            raise Hint(f"{said}. On average they do: were the contributions drawn one by one?")
        raise Hint(f"{said}. Share out what is missing")
    for s in (0, 1):
        mu, v, mine = mu_of[s], v_of[s], y[which == s]
        if mine.std(axis=0).min() < 1e-9:
            raise Hint("draws with the same parameters are all alike; these are means, and the task asks for draws")
        surprise = x - mu.sum()
        w = v / v.sum()
        cov = np.diag(v) - np.outer(v, v) / v.sum()
        _check_means(mine, mu, v, surprise, mu_of.mean(axis=0), v_of.mean(axis=0))
        found = np.cov(mine.T)
        for i in range(m):
            for j in range(i + 1):
                # Standard error of a sample covariance of normal draws; 18 comparisons here, more for safety.
                error = np.sqrt((cov[i, i] * cov[j, j] + cov[i, j] ** 2) / n)
                if too_far(found[i, j], cov[i, j], error, n_comparisons=40):
                    if i == j:
                        what = (
                            f"of contribution {i}: the variance is {found[i, i]:.2f}, not near {v[i] * (1 - w[i]):.2f}"
                        )
                    else:
                        what = f"of contributions {j} and {i}: the covariance is {found[i, j]:.2f}"
                    raise Hint(f"means are right, but not how draws vary; {what}. Every contribution should vary")
        _check_shape(mine, mu + w * surprise, np.sqrt(np.diag(cov)))
    return "Parts that add up to a known total must make room for each other."


def _check_shape(mine: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> None:
    """Raise a hint unless each contribution has the distribution function of a normal one."""
    for j in range(len(mean)):
        # There are six of these. Moments take 0.6 of the false-alarm rate, so these may take 0.4: six of 15.
        off = too_far_from_normal(mine[:, j], mean[j], sd[j], n_comparisons=15)
        if off:
            raise Hint(
                f"means and variances are right, but contribution {j} has another shape: its distribution function "
                f"differs from that of a normal one by up to {off:.2f}. What distribution do contributions have?"
            )


def _check_means(mine, mu, v, surprise, average_mu, average_v):
    n, m = mine.shape
    w = v / v.sum()
    found = mine.mean(axis=0)
    errors = mine.std(axis=0) / np.sqrt(n)

    def near(wanted):
        return not any(too_far(found[j], wanted[j], errors[j], n_comparisons=20) for j in range(m))

    if near(mu + w * surprise):
        return
    moved = mu.sum() + surprise - average_mu.sum()
    others = [
        (mu + surprise / m, "what is missing is shared out in equal parts; who varies more should get more"),
        (mu + np.eye(m)[0] * surprise, "all that is missing went to the first component; all of them may have a part"),
        (mu + np.sqrt(v) / np.sqrt(v).sum() * surprise, "shares in proportion to standard deviations; v are variances"),
        (average_mu + average_v / average_v.sum() * moved, "use the parameters of row s for draw s, not averages"),
    ]
    for wanted, hint in others:
        if near(wanted):
            raise Hint(hint)
    raise Hint(
        "draws add up to x, but their means are wrong: what is missing must be shared out in another way; multiplying "
        "all parts by one number is no way to do it"
    )


def share_of_means(answer: Answer, rng: np.random.Generator) -> str:
    """Check 12.3."""
    n, m = 500, 4
    for _ in range(2):
        mu = rng.normal(0, 2, m) + rng.normal(0, 0.5, (n, m))
        mu -= mu.mean(axis=1, keepdims=True)
        sigma, v_rest = rng.uniform(0.5, 3, (n, m)), rng.uniform(1, 9, n)
        p = rng.dirichlet(np.full(m, 2.0))
        first, second = pair(answer.call(mu, sigma, v_rest, p), "the answer")
        mean, sd = number(first, "the first part, the mean"), number(second, "the second part, the sd")

        def share(mu, sigma, v_rest, p):
            means = np.sum(p * (mu - np.sum(p * mu, axis=-1, keepdims=True)) ** 2, axis=-1)
            return means, np.sum(p * sigma**2, axis=-1), v_rest

        means, spreads, rest = share(mu, sigma, v_rest, p)
        right = means / (means + spreads + rest)
        equal = share(mu, sigma, v_rest, np.full(m, 1 / m))
        at_average = share(mu.mean(axis=0), sigma.mean(axis=0), v_rest.mean(), p)
        plug_in = "compute the share in every draw, then average; a share of averages is another number"
        mistakes = [
            (at_average[0] / sum(at_average), plug_in),
            (means.mean() / (means + spreads + rest).mean(), plug_in),
            (
                np.mean(means / (means + rest)),
                "the spreads of this layer's contributors are a part of the variance, too",
            ),
            (np.mean(means / (spreads + rest)), "the whole has to contain the part: add the layer's means to it"),
            (np.mean(equal[0] / sum(equal)), "this takes all contributors as equally frequent; weight them by p"),
            (np.mean((means + spreads) / (means + spreads + rest)), "this is means and spreads; asked for means alone"),
            (
                np.mean(spreads / (means + spreads + rest)),
                "this is the share of the layer's spreads; asked for its means",
            ),
            (means.mean(), "this is a variance; a share is a part of the variance of all totals"),
        ]
        otherwise = "the first part: for a single draw, which part belongs to the layer's means, and what is the whole?"
        expect(mean, right.mean(), mistakes, otherwise)
        mistakes = [
            (right.std() / np.sqrt(n), "that is how well the draws know the mean; asked is how wide the posterior is"),
            (right.var(), "the second part is a variance; the task asks for a standard deviation"),
        ]
        # Both divisors, n and n - 1, are fine.
        otherwise = "the second part is the standard deviation of the share over draws"
        expect(sd, right.std(), mistakes, otherwise, rtol=1.5 / n)
    return "No prior of the spreads moves this share: the data fix both the layer's means and the whole."


STATEMENTS = tuple("abcdefghi")


def supported(answer: Answer, rng: np.random.Generator) -> str:
    """Check 12.4."""
    given = choices(answer.value(), STATEMENTS, "the answer")
    right = set("abcegi")
    hints = [
        ("-", "ab", "you left out a statement about means or totals alone; those the data see"),
        ("+", "d", "you keep a statement that shares out a surprise. Do the two truths of the figure agree on it?"),
        (
            "+",
            "f",
            "you compare spreads of different layers. Is there a change that only one of the two layers takes part in?",
        ),
        ("+", "h", "you keep a share of spreads. Which number does the figure's second truth give for it?"),
        ("-", "c", "you left out a statement about how unusual a total is; it takes the spread of totals, no more"),
        (
            "-",
            "e",
            "within one layer, a constant was added to all variances. Think of a statement that it cancels from",
        ),
        ("-", "g", "a share is safe where both the part and the whole are; think of the means"),
        ("-", "i", "the sum of all spreads: does it change when a variance moves from one component to another?"),
    ]
    for sign, letters, hint in hints:
        if set(letters) & (right - given if sign == "-" else given - right):
            raise Hint(hint)
    return "What totals show, the data decide; who owns the common part of the variance, they do not."


def weight_bounds(answer: Answer, rng: np.random.Generator) -> str:
    """Check 12.5."""
    for sizes in ((3, 2), (3,), (2, 4, 3)):
        v_0 = rng.uniform(2, 9)
        layers = [rng.uniform(0.5, 6, m) for m in sizes]
        codes = [int(np.argmax(v)) for v in layers]  # not the smallest: there some mistakes look alike
        given = array(answer.call(v_0, layers, codes), (1 + len(sizes), 2), "the bounds")
        own = np.array([v[k] for v, k in zip(layers, codes, strict=True)])
        least = np.array([v.min() for v in layers])
        whole = v_0 + own.sum()
        low = np.concatenate([[0], own - least]) / whole
        high = np.concatenate([[v_0 + least.sum()], own - least + v_0 + least.sum()]) / whole
        if close(given[:, ::-1], np.column_stack([low, high])):
            raise Hint("these are the right numbers in the other order: the lowest weight comes first")
        if close(given, np.column_stack([low, high]) * whole):
            raise Hint("these are variances; a weight is a part of the variance of this total")
        current = np.concatenate([[v_0], own]) / whole
        one_truth = "these are the weights of one truth; others give the same totals"
        mistakes = [
            (np.zeros(len(low)), "a contributor cannot give away more than the steadiest one of its layer has"),
            (current, one_truth),
        ]
        otherwise = "lowest weights: which other contributors must give as well, and what stops them?"
        expect(given[:, 0], low, mistakes, otherwise)
        everything = "not everything can be moved: variances of contributors outside this row stay positive, too"
        mistakes = [(1.0, everything), (current[0], one_truth)]
        expect(given[0, 1], high[0], mistakes, "the baseline's highest weight: how much can every layer give away?")
        mistakes = [
            (np.ones(len(sizes)), everything),
            (current[1:], one_truth),
            ((own + v_0) / whole, "another layer's variance can move too: first to the baseline, and on from there"),
        ]
        otherwise = "highest weights of contributors: from which components can variance come, and how much from each?"
        expect(given[1:, 1], high[1:], mistakes, otherwise)
    return "The data do bound a weight, and between its bounds the prior decides."


CHECKERS = {
    "12.1": split_total,
    "12.2": joint_draws,
    "12.3": share_of_means,
    "12.4": supported,
    "12.5": weight_bounds,
}
