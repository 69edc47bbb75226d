"""Checks of the exercises of notebook 03."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from mlm_tutorial.exercises.answered_posteriors import expect_moments, fits_a_model, trusted_draws
from mlm_tutorial.exercises.answers import Answer, Hint, array, describe, expect, instance, number, pair, too_far


def energy_and_acceptance(answer: Answer, rng: np.random.Generator) -> str:
    """Check 03.1."""
    d = int(rng.integers(2, 5))
    mean, sd = rng.normal(0, 2, d), rng.uniform(0.5, 3, d)

    def log_density(q):
        return float(-0.5 * np.sum(((q - mean) / sd) ** 2) + 2.7)

    # Two ways between two states, so that the energy rises and falls; then a fall so deep that exp overflows.
    low, high = (mean + 0.3 * sd, rng.normal(0, 1, d)), (mean - 1.6 * sd, rng.normal(0, 1, d))
    low, high = sorted((low, high), key=lambda state: _energy(log_density, *state))
    deep = (mean + 60 * sd, rng.normal(0, 1, d))
    for start, end in ((low, high), (high, low), (deep, low)):
        first, second = pair(answer.call(log_density, start, end), "the answer")
        right = _energy(log_density, *end) - _energy(log_density, *start)
        change = number(first, "the change of the energy")
        heights = [-log_density(q) for q, _ in (start, end)]
        motions = [0.5 * np.sum(p**2) for _, p in (start, end)]
        height, motion = heights[1] - heights[0], motions[1] - motions[0]
        norms = np.linalg.norm(end[1]) - np.linalg.norm(start[1])
        mistakes = [
            (-right, "the sign is turned round: the change is the energy at the end minus that at the start"),
            (motion - height, "the height of the landscape is minus the log density; likely places lie low"),
            (height - motion, "both parts of the energy are added; the energy of motion is never negative"),
            (height + 2 * motion, "the energy of motion is half of the sum of the squares; the half is missing"),
            (height + norms / 2, "the energy of motion takes squares of the momenta, not the length of the push"),
            (height + norms, "the energy of motion takes squares of the momenta, not the length of the push"),
            (height, "this is the change of height alone; a moving ball has energy of motion, too"),
            (motion, "this is the change of the energy of motion alone; where the ball is matters, too"),
            (
                heights[1] + motions[1],
                "this is the energy at the end; the task asks how much it differs from the start",
            ),
        ]
        expect(change, right, mistakes, "the change of the energy is off; what are the two parts of an energy?")
        if isinstance(second, (float, np.floating)) and np.isposinf(second):
            raise Hint("the probability is infinite after a deep fall of the energy, and no probability is above 1")
        probability = number(second, "the probability")
        free = "yours accepts a rise of the energy for certain; which of the two is free?"
        mistakes = [
            (np.exp(-right), "a probability is never above 1, but yours is where the energy falls"),
            (1.0, free) if right > 0 else (np.exp(right), "a fall of the energy costs nothing, whatever its size"),
            (np.exp(right), "yours grows with the energy error; a rise of the energy has to be paid for"),
            (min(0.0, -right), "this is the logarithm of the probability"),
            (1 - min(1.0, np.exp(-right)), "this is the probability that the move is refused"),
            (float(right <= 0), "a rise of the energy is not refused for certain; a small one is mostly accepted"),
            (
                1 / (1 + np.exp(right)),
                "this rule exists, but the notebook accepts every fall of the energy for certain",
            ),
        ]
        otherwise = "the probability does not follow from the change of the energy by the notebook's rule"
        expect(probability, min(1.0, np.exp(-right)), mistakes, otherwise)
    nowhere = pair(
        answer.call(lambda q: -np.inf if q[0] > 5 else 0.0, (np.zeros(2), np.ones(2)), (np.full(2, 9.0),) * 2)
    )
    if not isinstance(nowhere[1], (float, int, np.number)) or nowhere[1] != 0:
        raise Hint("a path ended where the density is zero; the probability that it is accepted should be 0 there")
    return "A fall of the energy is free, and a rise is paid for by the chance of staying."


def _energy(log_density, q, p):
    return -log_density(q) + 0.5 * np.sum(p**2)


def leapfrog_end(answer: Answer, rng: np.random.Generator) -> str:
    """Check 03.2."""
    for n_steps, d in ((1, 2), (6, 3), (3, 1)):
        scale = rng.uniform(0.5, 2, d)

        def gradient(q, scale=scale):
            return -q / scale - 0.3 * q**3

        q, p = rng.normal(0, 1, d), rng.normal(0, 1, d)
        step = rng.uniform(0.1, 0.3)
        q_end, p_end = pair(answer.call(gradient, q, p, step, n_steps), "the answer")
        given = np.concatenate([array(q_end, (d,), "the position"), array(p_end, (d,), "the momentum")])
        args = (gradient, q, p, step, n_steps)
        right = _walk(_leapfrog, *args)
        mistakes = [
            (
                _walk(_leapfrog, lambda x, g=gradient: -g(x), q, p, step, n_steps),
                "the ball rolls uphill, away from the "
                "likely places; the gradient of the log density points there already",
            ),
            (_walk(_euler, *args), "position and momentum both use the old state; this is Euler's rule"),
            (_walk(_kick_glide, *args), "the first push is a whole one; leapfrog begins with half a push"),
            (_walk(_glide_kick, *args), "the glide comes first here; leapfrog begins with half a push"),
            (_walk(_no_last_half, *args), "the second half of the push is missing at the end of a step"),
            (
                _walk(_old_slope, *args),
                "the second half of the push takes the slope at the new place, not at the old one",
            ),
            (_walk(_old_glide, *args), "the glide uses the momentum before the half push, not the one after it"),
            (_walk(_half_glide, *args), "half a step is for the pushes alone; the glide takes a whole one"),
            (_walk(_two_whole_pushes, *args), "both pushes are whole ones, so the ball is pushed twice as hard"),
        ]
        if n_steps > 1:
            mistakes.append((_walk(_leapfrog, gradient, q, p, step, 1), "this is the state after a single step"))
            mistakes.append((_walk(_leapfrog, gradient, q, p, step, n_steps - 1), "one step is missing at the end"))
        mistakes.append((_walk(_leapfrog, gradient, q, p, step, n_steps + 1), "this is one step too many"))
        mistakes.append((np.concatenate([right[d:], right[:d]]), "position comes first in the pair, then momentum"))
        turned = np.concatenate([right[:d], -right[d:]])
        mistakes.append((turned, "the momentum at the end is turned round; the task asks for the state as it arrives"))
        otherwise = f"the state after {n_steps} steps is off; half a push, a glide and half a push make one step"
        expect(given, right, mistakes, otherwise, rtol=1e-8)
    return "Three short lines, and the order of them is what keeps the volume."


def _walk(one_step, gradient, q, p, step, n_steps):
    for _ in range(n_steps):
        q, p = one_step(gradient, q, p, step)
    return np.concatenate([q, p])


def _leapfrog(gradient, q, p, step):
    p = p + step / 2 * gradient(q)
    q = q + step * p
    return q, p + step / 2 * gradient(q)


def _euler(gradient, q, p, step):
    return q + step * p, p + step * gradient(q)


def _kick_glide(gradient, q, p, step):
    p = p + step * gradient(q)
    return q + step * p, p


def _glide_kick(gradient, q, p, step):
    q = q + step * p
    return q, p + step * gradient(q)


def _no_last_half(gradient, q, p, step):
    p = p + step / 2 * gradient(q)
    return q + step * p, p


def _old_slope(gradient, q, p, step):
    slope = gradient(q)
    p = p + step / 2 * slope
    return q + step * p, p + step / 2 * slope


def _old_glide(gradient, q, p, step):
    half = p + step / 2 * gradient(q)
    q = q + step * p
    return q, half + step / 2 * gradient(q)


def _half_glide(gradient, q, p, step):
    p = p + step / 2 * gradient(q)
    q = q + step / 2 * p
    return q, p + step / 2 * gradient(q)


def _two_whole_pushes(gradient, q, p, step):
    p = p + step * gradient(q)
    q = q + step * p
    return q, p + step * gradient(q)


def largest_step(answer: Answer, rng: np.random.Generator) -> str:
    """Check 03.3."""
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    sd = np.array([0.4, 1.5, 6.0]) * rng.uniform(0.8, 1.2, 3)
    rho = rng.uniform(0.85, 0.97)
    cases = [
        np.diag(rng.permutation(sd) ** 2),  # no correlation: the axes are the directions
        np.array([[1.0, rho], [rho, 1.0]]) * rng.uniform(2, 9),  # a ridge whose axes look alike
        np.array([[1.0, -rho], [-rho, 1.0]]) * rng.uniform(2, 9),
        turn @ np.diag(sd**2) @ turn.T,
        np.array([[rng.uniform(0.01, 30)]]),
    ]
    for covariance in cases:
        covariance = (covariance + covariance.T) / 2
        given = number(answer.call(covariance), "the step")
        variances, variances_of_axes = np.linalg.eigvalsh(covariance), np.diag(covariance)
        narrow = np.sqrt(variances[0])
        on_axes = 1 / np.sqrt(np.diag(np.linalg.inv(covariance)))
        axes = "this is right where unknowns are not correlated; the narrowest direction of a ridge is not an axis"
        mistakes = [
            (2 * np.sqrt(variances_of_axes.min()), axes),
            (2 * on_axes.min(), axes),
            (narrow, "this is one standard deviation of the narrowest direction; look at the limit once more"),
            (2 * np.sqrt(variances[-1]), "this is the limit of the widest direction; which one explodes first?"),
            (2 * np.sqrt(variances_of_axes.max()), "this is the limit of the widest unknown; which explodes first?"),
            (2 * variances[0], "the matrix holds variances, and a step is as long as a standard deviation"),
            (2 / narrow, "this is one over a length; the wider the bowl, the longer a step may be"),
            (4 * variances[0], "this is the square of the limit"),
            (2 * np.sqrt(variances.mean()), "the limit is not set by an average; one direction is enough to explode"),
            (2 * np.prod(variances) ** (0.5 / len(variances)), "the limit is not set by an average of the directions"),
        ]
        otherwise = "the step is off; which direction is the narrowest, and how does its width limit a step?"
        expect(given, 2 * narrow, mistakes, otherwise)
    return "The narrowest direction sets the step, and the widest sets how many of them a draw needs."


def repaired(answer: Answer, rng: np.random.Generator) -> str:
    """Check 03.4."""
    sd, step, n_steps = np.array([1.0, 1.6]), 1.4, 3
    mean = rng.normal(0, 5, 2)
    log_density, gradient = _normal(mean, sd)

    # A tiny step keeps the energy, so nothing is refused; then a ball that is pushed once follows a plain oscillation.
    bowl, slope = _normal(np.zeros(1), np.ones(1))
    gentle = _draws(answer, bowl, slope, np.array([0.7]), 0.05, 11, 60, rng)[:, 0]
    angle = 11 * np.arccos(1 - 0.05**2 / 2)
    if np.median(np.abs(gentle[2:] + gentle[:-2] - 2 * np.cos(angle) * gentle[1:-1])) < 1e-6:
        raise Hint("the ball is pushed once and rolls on for ever; it keeps the energy with which it began")
    if np.ptp(gentle) == 0:
        raise Hint("no draw differs from the others, although the steps are so short that hardly a path is refused")

    seed = int(rng.integers(2**31))
    first, again, other = (
        _draws(answer, log_density, gradient, mean, step, n_steps, 30, np.random.default_rng(seed + k))
        for k in (0, 0, 1)
    )
    if not np.array_equal(first, again) or np.array_equal(first, other):
        raise Hint("the same generator should give the same draws, and another one others: use the `rng` that you get")

    n_draws = 6000
    draws = _draws(answer, log_density, gradient, mean + sd * rng.normal(size=2), step, n_steps, n_draws, rng)
    moved = (np.diff(draws, axis=0) != 0).any(axis=1)
    share, expected = moved.mean(), _acceptance(log_density, gradient, mean, sd, step, n_steps, rng)
    if moved.all():
        raise Hint("with such long steps some paths gain much energy, and yours accepts every one of them")
    # Acceptances are nearly independent from draw to draw; three times the error leaves room for the rest.
    if too_far(share, expected, 3 * np.sqrt(expected * (1 - expected) / n_draws), n_comparisons=2):
        if share < expected:
            raise Hint(
                f"only {share:.0%} of the paths are accepted, too few by far; look at the sign and at both parts of "
                "the energy in the rule that accepts"
            )
        raise Hint(f"{share:.0%} of the paths are accepted, too many; what should a rise of the energy cost?")
    values = xr.DataArray(draws.reshape(4, -1, 2), dims=("chain", "draw", "unknown"))
    too_wide = sd / np.sqrt(1 - step**2 / (4 * sd**2))
    mistakes = [(mean, too_wide, "the draws are as wide as those of a sampler that accepts every path")]
    otherwise = "is every push a fresh standard normal one, and does the energy have both of its parts?"
    expect_moments(values, mean, sd, "the two unknowns", mistakes, otherwise)
    return "Three small mistakes, no error message: only a known answer showed them."


def _normal(mean, sd):
    return (
        lambda q: float(-0.5 * np.sum(((q - mean) / sd) ** 2)),
        lambda q: -(q - mean) / sd**2,
    )


def _draws(answer: Answer, log_density, gradient, q, step, n_steps, n_draws, rng) -> np.ndarray:
    value = answer.call(log_density, gradient, q, step, n_steps, n_draws, rng)
    try:
        shape = np.shape(value)
    except Exception:
        shape = ()
    if len(shape) == 2 and shape[1] == len(q):
        if shape[0] == n_draws + 1:
            raise Hint("there is one draw too many: the start is where the walk begins, and not a draw of it")
        if shape[0] < n_draws:
            raise Hint(
                f"there are {shape[0]} draws instead of {n_draws}: where a path is refused, the ball stays, and the "
                "old place counts once more"
            )
    return array(value, (n_draws, len(q)), "the draws")


def _acceptance(log_density, gradient, mean, sd, step, n_steps, rng) -> float:
    """Return the expected share of accepted paths, from 20,000 independent states."""
    q, p = mean + sd * rng.normal(size=(20_000, 2)), rng.normal(size=(20_000, 2))

    def energies(q, p):
        return 0.5 * np.sum(((q - mean) / sd) ** 2, axis=1) + 0.5 * np.sum(p**2, axis=1)

    before = energies(q, p)
    for _ in range(n_steps):
        q, p = _leapfrog(gradient, q, p, step)
    return float(np.exp(-np.maximum(energies(q, p) - before, 0)).mean())


SCATTER, ROAD_SD, CENTER_SD = 5.0, 10.0, 5.0


@fits_a_model
def fit_and_read(answer: Answer, rng: np.random.Generator) -> str:
    """Check 03.5."""
    import pandas as pd

    n = int(rng.integers(30, 41))
    is_mill = rng.permutation(np.arange(n) < n // 4).astype(int)  # Harbor is first by the alphabet, and more frequent
    late = rng.normal(6, 1) + np.where(is_mill, 5.0, -3.0) + rng.normal(0, SCATTER, n)
    parcels = pd.DataFrame({"center": np.where(is_mill, "Mill", "Harbor"), "late": late})
    first, report = pair(answer.call(parcels), "the answer")
    posterior = trusted_draws(first, ["road", "center"], "the first of the pair")
    if posterior["center"].ndim != 3 or posterior["center"].shape[2] != 2:
        raise Hint("`center` should hold two numbers a draw, one for each sorting center, Harbor and Mill")
    _check_posterior(posterior, late, is_mill)
    _check_report(report, first)
    return "A posterior, and a record of the walk that made it."


def _exact(late, is_mill, road_sd=ROAD_SD, center_sd=CENTER_SD, scatter=SCATTER):
    """Return mean and standard deviation of road, Harbor, Mill, road + Harbor, and road + Mill."""
    design = np.column_stack([np.ones(len(late)), 1 - is_mill, is_mill])
    prior_precision = np.diag(np.array([road_sd, center_sd, center_sd]) ** -2.0)
    covariance = np.linalg.inv(prior_precision + design.T @ design / scatter**2)
    mean = covariance @ design.T @ late / scatter**2
    return _with_sums(mean.T).T, np.sqrt(np.diag(_with_sums(_with_sums(covariance).T)))


def _with_sums(values: np.ndarray) -> np.ndarray:
    """Append the sums of road with each center, along the last axis: the data know these, and not their parts."""
    return np.concatenate([values, values[..., :1] + values[..., 1:]], axis=-1)


def _check_posterior(posterior: xr.Dataset, late, is_mill):
    center = posterior["center"].values
    parts = np.concatenate([posterior["road"].values[..., None], center], axis=-1)
    together = xr.DataArray(_with_sums(parts), dims=("chain", "draw", "unknown"))
    mean, sd = _exact(late, is_mill)
    wrong = [
        (_exact(late, 1 - is_mill), "Harbor and Mill have changed places; Harbor comes first, by the alphabet"),
        (_exact(late[:0], is_mill[:0]), "this is the prior: the model has not seen a single parcel"),
        (
            _exact(late, is_mill, np.sqrt(ROAD_SD), np.sqrt(CENTER_SD)),
            "the priors are too narrow: pm.Normal takes a standard deviation, not a variance",
        ),
        (_exact(late, is_mill, ROAD_SD, ROAD_SD), "the prior of the centers is as wide as that of the road"),
        (_exact(late, is_mill, CENTER_SD, CENTER_SD), "the prior of the road is as narrow as that of the centers"),
        (_exact(late, is_mill, scatter=1.0), "the scatter of a single parcel is left at 1 minute, and it is 5"),
        (
            _exact(late, is_mill, scatter=np.sqrt(SCATTER)),
            "the scatter is too small: pm.Normal takes a standard deviation, not a variance",
        ),
        (_exact(late - late.mean(), is_mill), "the totals were centered first; then the road has nothing to explain"),
    ]
    expect_moments(together, mean, sd, "road, centers and their sums", [(*moments, hint) for moments, hint in wrong])


def _check_report(report: object, fit: xr.DataTree):
    instance(report, Mapping, "a dictionary", "the second of the pair")
    needed = ("divergences", "acceptance", "deepest", "gradients_per_draw")
    for name in needed:
        if name not in report:
            raise Hint(f"the report has no entry {name!r}; it has {', '.join(map(str, report)) or 'none'}")
    missing = {"diverging", "acceptance_rate", "tree_depth", "n_steps"} - set(
        fit["sample_stats"].data_vars if "sample_stats" in fit.children else ()
    )
    if missing:
        raise Hint(f"the group sample_stats lacks {min(missing)}; sample with mlm.sample, which keeps it")
    seen = fit["sample_stats"].to_dataset()
    n_draws = seen["n_steps"].size
    steps, depth, rate = (seen[name].values.astype(float) for name in ("n_steps", "tree_depth", "acceptance_rate"))
    warm = fit.attrs.get("gradients", np.nan)
    rows = {
        "divergences": (
            float(seen["diverging"].sum()),
            [(float(n_draws - seen["diverging"].sum()), "this counts the draws that did not diverge")],
            "the number of divergences counts the draws of all chains that are marked as diverging",
        ),
        "acceptance": (
            rate.mean(),
            [
                (100 * rate.mean(), "the acceptance is a share between 0 and 1, not a percentage"),
                (rate.max(), "this is the largest acceptance of a draw; the task asks for the average"),
                (rate.min(), "this is the smallest acceptance of a draw; the task asks for the average"),
                (0.9, "this is the target of the warm-up; what was reached is in sample_stats"),
            ],
            "the acceptance is the average over all draws of what sample_stats holds",
        ),
        "deepest": (
            depth.max(),
            [
                (depth.mean(), "this is the average tree depth; the task asks for the largest"),
                (steps.max(), "this is the largest number of steps; a tree of depth d has about 2 to the d of them"),
                (2.0 ** depth.max() - 1, "this is a number of steps; the depth counts doublings"),
            ],
            "the entry 'deepest' is the largest tree depth of all draws in all chains",
        ),
        "gradients_per_draw": (
            steps.mean(),
            [
                (
                    warm / n_draws,
                    "this counts the gradients of the warm-up, too; the draws that were kept have their own",
                ),
                (steps.sum(), "this is the number of gradients of all draws together"),
                (steps.max(), "this is the most expensive draw; the task asks for the average"),
                (depth.mean(), "this is the average tree depth, and each level doubles the gradients"),
                ((2**depth - 1).mean(), "this assumes that every tree was completed; the steps were counted, too"),
                (steps.sum() / seen.sizes["draw"], "this divides by the draws of one chain; there are several chains"),
            ],
            "the gradients per draw are the average number of leapfrog steps of the draws that were kept",
        ),
    }
    for name, (right, mistakes, otherwise) in rows.items():
        value = report[name]
        if np.ndim(value) if isinstance(value, (np.ndarray, xr.DataArray, list, tuple)) else False:
            raise Hint(f"the entry {name!r} should be one number for all chains together, but it is {describe(value)}")
        expect(number(value, f"the entry {name!r}"), right, mistakes, otherwise, rtol=1e-5)


CHECKERS = {
    "03.1": energy_and_acceptance,
    "03.2": leapfrog_end,
    "03.3": largest_step,
    "03.4": repaired,
    "03.5": fit_and_read,
}
