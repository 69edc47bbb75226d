"""Checks of the exercises of notebook 12."""

import numpy as np
import pandas as pd
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
    pair,
    too_far,
    too_far_from_normal,
)


def split_total(answer: Answer, rng: np.random.Generator) -> str:
    """Check 12.1."""
    sign = rng.choice([-1, 1])
    for m in (3, 2, 5):
        mu, sigma = rng.normal(3, 2, m), rng.uniform(0.5, 4, m)
        sign = -sign  # totals above and below what was expected
        surprise = sign * rng.uniform(2, 9)
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
            (
                mu - w * surprise,
                f"the sign: this total is {'larger' if sign > 0 else 'smaller'} than expected, and your parts are not",
            ),
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


#: Relative error of a sum in 12.2: draws with a singular covariance matrix, which are right, miss it by some 1e-8.
_ADDS_UP = 1e-6


def joint_draws(answer: Answer, rng: np.random.Generator) -> str:
    """Check 12.2."""
    # Two sets of parameters in random order, so that draws can be compared with the exact moments of each set.
    n, m = 20_000, 3
    mu_of = np.array([[2.0, -1, 1], [4.0, 1, -2]]) + rng.normal(0, 0.3, (2, m))
    v_of = np.array([[9.0, 4, 1], [3.0, 8, 2]]) * rng.uniform(0.9, 1.1, (2, m))
    which = rng.permutation(np.repeat([0, 1], n))
    x = rng.uniform(9, 12)
    y = array(answer.call(x, mu_of[which], v_of[which], rng), (2 * n, m), "the result").copy()
    off = y.sum(axis=1) - x
    if np.abs(off).max() > _ADDS_UP * abs(x):
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
        y[which == s] = (mine - mu - w * surprise) / np.sqrt(np.diag(cov))
    _check_pairs(y)
    for m in (2, 5):  # other numbers of components
        mu, v = rng.normal(0, 3, (50, m)), rng.uniform(1, 9, (50, m))
        few = array(answer.call(x, mu, v, rng), (50, m), f"the result for {m} components")
        if np.abs(few.sum(axis=1) - x).max() > _ADDS_UP * abs(x):
            raise Hint(f"with {m} components, draws do not add up to x")
    expect_numbers_from_rng(lambda rng: {"draws": answer.call(x, mu_of[which], v_of[which], rng)}, rng)
    return "Parts that add up to a known total must make room for each other."


def _check_pairs(z: np.ndarray) -> None:
    """Raise a hint if standardized draws go together that are neighbors, or half of all draws apart."""
    for one, two in ((z[::2], z[1::2]), np.split(z, 2)):
        for j in range(z.shape[1]):
            # There are six of these, each with a small part of the false-alarm rate.
            if stats.spearmanr(one[:, j], two[:, j]).pvalue < FALSE_ALARM / 60:
                raise Hint("pairs of draws share random numbers; each row should have its own")


def _check_shape(mine: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> None:
    """Raise a hint unless each contribution has the distribution function of a normal one."""
    for j in range(len(mean)):
        # There are six of these. Moments take 0.6 of the false-alarm rate and pairs 0.1; six of 20 are 0.3.
        off = too_far_from_normal(mine[:, j], mean[j], sd[j], n_comparisons=20)
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


def shares_of_means(answer: Answer, rng: np.random.Generator) -> str:
    """Check 12.3."""
    n, k, m = 400, 3, 4
    for sign in (1, -1):
        center = np.sort(rng.normal(0, 2, k)) + rng.normal(0, 0.8, (n, k)) + rng.normal(0, 1)
        driver = sign * np.sort(rng.normal(0, 2, m)) + rng.normal(0, 0.8, (n, m)) + rng.normal(0, 1)
        # High means of one layer come with high ones of the other, or with low ones.
        near = np.exp(-2 * (np.linspace(0, 1, k)[:, None] - np.linspace(0, 1, m)) ** 2)
        p = near * rng.dirichlet(np.full(k * m, 8.0)).reshape(k, m)
        p /= p.sum()
        v = rng.uniform(2, 9, n)
        given = array(answer.call(center, driver, v, p), (3,), "the answer")
        parts = _variance_parts(center, driver, p)
        right = np.mean(parts / (parts.sum(axis=0) + v), axis=1)
        half = parts * np.array([[1], [1], [0.5]])
        alone = parts * np.array([[1], [1], [0]])
        equal = _variance_parts(center, driver, np.full((k, m), 1 / (k * m)))
        at_average = _variance_parts(center.mean(axis=0)[None], driver.mean(axis=0)[None], p)[:, 0]
        chance = "the shares are those of a table in which all combinations go as if centers and drivers met by chance"
        plug_in = "split the variance in every draw, then average; a share of averages is another number"
        raw = np.stack([center**2 @ p.sum(axis=1), driver**2 @ p.sum(axis=0), parts[2]])
        mistakes = [
            (np.mean(alone / (alone.sum(axis=0) + v), axis=1), chance),
            (
                np.mean(half / (half.sum(axis=0) + v), axis=1),
                "the variance of a sum has two times the covariance, and yours has it once",
            ),
            (
                np.mean(half / (parts.sum(axis=0) + v), axis=1),
                "the variance of a sum has two times the covariance, and your third share has it once",
            ),
            (np.mean(parts / (alone.sum(axis=0) + v), axis=1), "the whole lacks the covariance; then shares miss 1"),
            (np.mean(parts / parts.sum(axis=0), axis=1), "the spreads are a part of the variance of all totals, too"),
            (np.mean(parts / v, axis=1), "the whole has to contain the parts: add the means to the spreads"),
            (
                np.mean(equal / (equal.sum(axis=0) + v), axis=1),
                "this takes all combinations as equally frequent; `p` has their shares",
            ),
            (at_average / (at_average.sum() + v.mean()), plug_in),
            (parts.mean(axis=1) / (parts.sum(axis=0) + v).mean(), plug_in),
            (
                np.mean(raw / (raw.sum(axis=0) + v), axis=1),
                "means are squared as they are; subtract their average first",
            ),
            (parts.mean(axis=1), "these are variances; a share is a part of the variance of all totals"),
            (right[[1, 0, 2]], "these are the right numbers, but drivers come before centers"),
        ]
        otherwise = "for one draw: what is the variance over parcels of the center's mean plus the driver's mean?"
        expect(given, right, mistakes, otherwise)
    return "A covariance belongs to no layer alone, and it can be negative."


def _variance_parts(center: np.ndarray, driver: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return variances of the means and two times their covariance in each draw, shape (3, draws)."""
    of_center, of_driver = p.sum(axis=1), p.sum(axis=0)
    center = center - (center @ of_center)[:, None]
    driver = driver - (driver @ of_driver)[:, None]
    covariance = np.sum((center @ p) * driver, axis=1)
    return np.stack([center**2 @ of_center, driver**2 @ of_driver, 2 * covariance])


_CENTERS, _DRIVERS = ["Airport", "Harbor", "Mill"], ["Ann", "Ben", "Cleo", "Dov"]

#: Scales of the priors of 12.4: of the baseline's mean, and of the means of both layers.
_BASELINE_SCALE, _MEAN_SCALE = 20.0, 3.0

_SIZE = 4_000


@fits_a_model
def fit_and_split(answer: Answer, rng: np.random.Generator) -> str:
    """Check 12.4."""
    n = 12
    center = rng.permutation(np.tile(np.arange(3), n // 3))
    driver = rng.permutation(np.tile(np.arange(4), n // 4))
    sigma = [rng.uniform(2, 3), rng.permutation([1.5, 2, 2.5]), rng.permutation([2.0, 2.5, 3.0, 4.0])]
    v = np.column_stack([np.full(n, sigma[0]), sigma[1][center], sigma[2][driver]]) ** 2
    total = 5 + rng.normal(0, 3, 3)[center] + rng.normal(0, 3, 4)[driver] + rng.normal(0, np.sqrt(v.sum(axis=1)))
    # One parcel stands out, and its label is the position of another one. Its driver's weight is large enough for
    # wrong weights and wrong standard deviations to show in 4,000 draws; few parcels leave the means uncertain.
    row = int(np.argmin(np.abs(v[:, 2] / v.sum(axis=1) - 0.65)))
    total[row] += rng.choice([-1, 1]) * rng.uniform(14, 18)
    labels = np.roll(np.arange(n), 5)
    table = {"total": total, "center": np.array(_CENTERS)[center], "driver": np.array(_DRIVERS)[driver]}
    parcels = pd.DataFrame(table, index=labels)
    known = {
        "baseline": float(sigma[0]),
        "center": dict(zip(_CENTERS, sigma[1].tolist(), strict=True)),
        "driver": dict(zip(_DRIVERS, sigma[2].tolist(), strict=True)),
    }
    first, second = pair(answer.call(parcels, known, int(labels[row]), int(rng.integers(2**31))), "the answer")
    posterior = trusted_draws(first, ("mu_baseline", "mu_center", "mu_driver"), "the first part of the answer")
    design = np.column_stack([np.ones(n), np.eye(3)[center], np.eye(4)[driver]])
    mean, cov = _means_given(design, total, v.sum(axis=1))
    sd = np.sqrt(np.diag(cov))
    for name, names, place in (("center", _CENTERS, slice(1, 4)), ("driver", _DRIVERS, slice(4, 8))):
        values = posterior[f"mu_{name}"]
        if name not in values.dims or sorted(map(str, values[name].values)) != names:
            raise Hint(f"`mu_{name}` should have the dim {name!r} with the labels {', '.join(names)}")
        expect_moments(values.sel({name: names}), mean[place], sd[place], f"`mu_{name}`")
    expect_moments(posterior["mu_baseline"], mean[0], sd[0], "`mu_baseline`")
    draws = [posterior["mu_baseline"].expand_dims("one", -1)]
    draws += [posterior["mu_center"].sel(center=_CENTERS), posterior["mu_driver"].sel(driver=_DRIVERS)]
    means = np.concatenate([x.transpose("chain", "draw", ...).values for x in draws], axis=-1)
    _check_part(array(second, (_SIZE,), "the second part of the answer"), row, design, v, total, mean, cov, means)
    return "The surprise is shared by spreads that were measured, so this split may be claimed."


def _means_given(design: np.ndarray, total: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the exact posterior mean and covariance of all means: everything is normal."""
    prior = np.zeros((8, 8))
    prior[0, 0] = _BASELINE_SCALE**2
    prior[1:4, 1:4] = _MEAN_SCALE**2 * (np.eye(3) - 1 / 3)
    prior[4:, 4:] = _MEAN_SCALE**2 * (np.eye(4) - 1 / 4)
    gain = np.linalg.solve(design @ prior @ design.T + np.diag(noise), design @ prior).T
    return gain @ total, prior - gain @ design @ prior


def _check_part(given, row, design, v, total, mean, cov, means) -> None:
    """Raise a hint unless draws are those of the driver's part in a parcel; `means` are the student's own draws."""
    import arviz as az

    def coefficients(row, component, w):  # of all means in a part's expectation
        own = design[row].copy()
        own[[k for k in range(8) if (0 if k == 0 else 1 if k < 4 else 2) != component]] = 0
        return own - w * design[row]

    def part(row, component, weight=None, x=None):  # its mean; its variance by the means, and by what the total leaves
        w = v[row, component] / v[row].sum() if weight is None else weight
        a = coefficients(row, component, w)
        rest = v[row, component] * (1 - w)
        return a @ mean + w * (total[row] if x is None else x), a @ cov @ a, rest

    right = part(row, 2)
    # Squared Monte Carlo errors of what the means do, in units of its variance, with a slack as in `expect_moments`.
    # Of more draws than 4,000 only a part was used.
    expectation = means @ coefficients(row, 2, v[row, 2] / v[row].sum())
    scale = 1.44 * max(1, expectation.size / _SIZE) / right[1]
    of_mean, of_sd = (scale * float(az.mcse(expectation, method=x)) ** 2 for x in ("mean", "sd"))

    def near(expected, by_means, rest):
        # The draws of the means may have been taken with replacement; those of the rest are independent.
        variance = by_means + rest
        error = np.sqrt(of_mean * by_means + variance / _SIZE)
        error_of_sd = np.sqrt(of_sd * by_means**2 / variance + variance / (2 * _SIZE))
        return not (
            too_far(given.mean(), expected, error, n_comparisons=2)
            or too_far(given.std(), np.sqrt(variance), error_of_sd, n_comparisons=2)
        )

    if near(*right):
        return
    expected, by_means, rest = right
    variances = v[row] / v[row].sum()
    sds = np.sqrt(v[row]) / np.sqrt(v[row]).sum()
    own_mean, own_variance, _ = part(row, 2, weight=0.0)
    others = [
        ((own_mean, own_variance, v[row, 2]), "these are draws as if the total were unknown; condition on it"),
        ((expected, 0, rest), "the middle is right, but what is uncertain about the means is lost; use every draw"),
        ((expected, by_means, 0), "these are expected parts, one a draw; the total leaves more open than that"),
        ((expected, 0, v[row, 2]), "knowing the total makes a part less uncertain; your draws are too wide"),
        ((expected, by_means, v[row, 2]), "knowing the total makes a part less uncertain; your draws are too wide"),
        (
            (expected, by_means, rest * (1 - variances[2])),
            "your draws are too narrow: the total explains a share of the variance, not of the standard deviation",
        ),
        (part(row, 1), "these are the minutes of the center; the task asks for the driver's"),
        (part(row, 0), "these are the minutes of the road; the task asks for the driver's"),
        *[
            ((*part(row, 2, weight=weight)[:2], left), hint)
            for weight, hint in (
                (1 / 3, "equal parts of the surprise; who varies more gets more of it"),
                (sds[2], "the surprise is shared in proportion to standard deviations, not variances"),
            )
            for left in (v[row, 2] * (1 - weight), rest)
        ],
        ((variances[2] * total[row], 0, rest), "the whole total is shared out; share out only the surprise"),
    ]
    for wrong, hint in others:
        if near(*wrong):
            raise Hint(hint)
    for other in range(len(total)):
        if near(*part(other, 2)):
            raise Hint("these are minutes of another parcel; `i` is a label of the index, not a position")
    raise Hint(
        f"the driver's part has a mean of {given.mean():.2f} and a standard deviation of {given.std():.2f} minutes, "
        "too far from the exact ones to be chance; in each draw of the posterior, what is the surprise, whose is it?"
    )


def weight_bounds(answer: Answer, rng: np.random.Generator) -> str:
    """Check 12.5."""
    for sizes, pick in (((3, 2), np.argmin), ((3,), None), ((2, 4, 3), np.argmax), ((4, 3, 2), np.argmin)):
        v_0 = rng.uniform(2, 9)
        layers = [rng.uniform(0.5, 6, m) for m in sizes]
        # Of three or more neither the largest nor the smallest, where some mistakes look alike; of two, each in turn.
        codes = [int(rng.choice(np.argsort(v)[1:-1])) if len(v) > 2 else int(pick(v)) for v in layers]
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
        largest = np.array([v.max() for v in layers])
        low_of_largest = np.concatenate([[0], largest - least])
        high_of_largest = low_of_largest + v_0 + least.sum()
        if close(given, np.column_stack([low_of_largest, high_of_largest]) / (v_0 + largest.sum())):
            raise Hint("you took the largest variance of each layer; `codes` says whose part in the total is asked")
        others = np.array([np.delete(v, k).min() for v, k in zip(layers, codes, strict=True)])
        itself = "the contributor that takes part may itself be the steadiest one of its layer"
        mistakes = [
            (np.zeros(len(low)), "a contributor cannot give away more than the steadiest one of its layer has"),
            (current, one_truth),
            (np.concatenate([[0], own - others]) / whole, itself),
        ]
        otherwise = "lowest weights: which other contributors must give as well, and what stops them?"
        expect(given[:, 0], low, mistakes, otherwise)
        everything = "not everything can be moved: variances of contributors outside this row stay positive, too"
        mistakes = [(1.0, everything), (current[0], one_truth), ((v_0 + others.sum()) / whole, itself)]
        expect(given[0, 1], high[0], mistakes, "the baseline's highest weight: how much can every layer give away?")
        mistakes = [
            (np.ones(len(sizes)), everything),
            (current[1:], one_truth),
            (
                (own + v_0) / whole,
                "another layer's variance can move too: first to the baseline, and on from there",
            ),
        ]
        otherwise = "highest weights of contributors: from which components can variance come, and how much from each?"
        expect(given[1:, 1], high[1:], mistakes, otherwise)
    return "The data do bound a weight, and between its bounds the prior decides."


CHECKERS = {
    "12.1": split_total,
    "12.2": joint_draws,
    "12.3": shares_of_means,
    "12.4": fit_and_split,
    "12.5": weight_bounds,
}
