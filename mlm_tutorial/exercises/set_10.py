"""Checks of the exercises of notebook 10, and the simulated ranks of one of its figures."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd

from mlm_tutorial.exercises.answered_posteriors import expect_moments, fits_a_model, trusted_draws
from mlm_tutorial.exercises.answers import (
    Answer,
    Hint,
    array,
    choice,
    choices,
    close,
    describe,
    expect,
    instance,
    number,
    pair,
)


def identified(answer: Answer, rng: np.random.Generator) -> str:
    """Check 10.1."""
    given = choices(answer.value(), list("ABCDEF"), "the set of letters")
    if "B" in given:
        raise Hint(
            "one of your quantities compares two drivers who never drove for the same center; "
            "what would happen to it if one center were a minute slower and its drivers a minute faster?"
        )
    if "D" in given:
        raise Hint("adding a constant to two variances leaves their difference alone; does it leave their ratio alone?")
    if "F" in given:
        raise Hint("one of your quantities is part of a total only; can it trade with the part that is left out?")
    if given != {"A", "C", "E"}:
        raise Hint(
            "all that you name is identified, but something is missing; move a constant along each flat direction "
            "and see what stays"
        )
    return "Inside one center drivers can be compared, and a whole total can be measured; the rest is the prior's."


#: For each panel of 10.2 its diagnosis, and how posteriors are distorted: shift and factor of their standard deviation.
PANELS = {
    "A": ("too wide", 0.0, 2.0),
    "B": ("too high", 0.6, 1.0),
    "C": ("right", 0.0, 1.0),
    "D": ("too narrow", 0.0, 0.5),
}


def rank_panels(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the ranks of four simulated calibrations, 2,000 replicates each.

    The truth is a standard normal, the datum adds a standard normal, and so the posterior is
    Normal(datum / 2, sqrt(1/2)) where it is right.
    """
    panels = {}
    for name, (_, shift, factor) in PANELS.items():
        truth = rng.normal(size=2000)
        center, sd = (truth + rng.normal(size=2000)) / 2, np.sqrt(0.5)
        draws = rng.normal(center + shift * sd, factor * sd, size=(99, 2000))
        panels[name] = np.sum(draws < truth, axis=0)
    return panels


def diagnoses(answer: Answer, rng: np.random.Generator) -> str:
    """Check 10.2."""
    given = instance(answer.value(), dict, "a dict")
    for panel in PANELS:
        if panel not in given:
            raise Hint(f"the dict lacks the panel {panel!r}")
    options = ["right", "too narrow", "too wide", "too high", "too low"]
    given = {panel: choice(given[panel], options, f"panel {panel}") for panel in PANELS}
    for panel, (right, _, _) in PANELS.items():
        if given[panel] == right:
            continue
        if "right" in (right, given[panel]):
            raise Hint(
                f"panel {panel}: the ranks of a right program are uniform, and chance moves bars within the band"
            )
        if {right, given[panel]} == {"too narrow", "too wide"}:
            raise Hint(
                f"panel {panel}: take a posterior that is too narrow; is the true value among its draws, or outside?"
            )
        if {right, given[panel]} == {"too high", "too low"}:
            raise Hint(f"panel {panel}: if all draws are above the true value, how many of them are below it?")
        if right in ("too narrow", "too wide"):
            raise Hint(f"panel {panel}: this histogram leans to neither side")
        raise Hint(f"panel {panel}: this histogram leans to one side")
    return "Ranks at both ends mean surprises, ranks in the middle mean needless doubt, and a slope means bias."


def n_flat_directions(answer: Answer, rng: np.random.Generator) -> str:
    """Check 10.3."""
    for rows in _tables(rng):
        first, second = pair(answer.call(rows), "the answer (two numbers)")
        variances, means = number(first, "the first number"), number(second, "the second number")
        design, sizes = _design(rows)
        n, j = design.shape[1], len(sizes)
        flat = n - _rank(design)
        shown = f"for a table with {' and '.join(map(str, sizes))} contributors"
        merged = sorted(set(rows.to_numpy().ravel()))
        one_a_label = np.array([[1, *(x in row for x in merged)] for row in rows.to_numpy().tolist()], float)
        few = "not every kind of row says something new, and a kind can say more than one thing"
        mistakes = [
            (n - flat, f"{shown}: the rank counts the directions that leave a trace"),
            (n - 1 - _rank(design[:, 1:]), f"{shown}: the road takes part in every row, so it has a column as well"),
            (j, f"{shown}: one flat direction a layer holds for crossed tables, not every table"),
            (
                one_a_label.shape[1] - _rank(one_a_label),
                f"{shown}: a label of two layers stands for two contributors; count it in each",
            ),
            (max(0, n - len(rows.drop_duplicates())), f"{shown}: {few}"),
            (max(0, n - len(rows)), f"{shown}: {few}"),
            (n, f"{shown}: this is the number of all variances; some directions do leave a trace"),
            (flat - j, f"{shown}: the first number is for the variances, the second for the means"),
        ]
        otherwise = f"{shown}, variances: which matrix turns the variances of components into those of totals?"
        expect(variances, flat, mistakes, otherwise)
        shared = np.vstack([design, np.arange(n) > 0])
        with_baseline = np.vstack([design, np.ones(n)])
        mistakes = [
            (0, f"{shown}: means that sum to zero may still trade with those of another layer"),
            (flat, f"{shown}: means have a rule that the variances lack"),
            (n - _rank(shared), f"{shown}: the sum to zero is not one rule for all; each layer has a rule of its own"),
            (n - _rank(with_baseline), f"{shown}: each layer has a rule of its own, and the road has none"),
            (flat - 1, f"{shown}: each layer has a rule of its own"),
            (n - flat + j, f"{shown}: the rank counts the directions that leave a trace"),
        ]
        otherwise = f"{shown}, means: what does the rule of each layer add to the matrix?"
        expect(means, flat - j, mistakes, otherwise)
    return "Two ranks tell before the first fit where a table is silent."


def _rank(matrix: np.ndarray) -> int:
    return int(np.linalg.matrix_rank(matrix))


def _design(rows: pd.DataFrame) -> tuple[np.ndarray, list[int]]:
    """Return the design of a table, with the baseline first, and the number of contributors of each layer."""
    blocks = [pd.get_dummies(rows[name]).to_numpy(float) for name in rows]
    return np.hstack([np.ones((len(rows), 1)), *blocks]), [block.shape[1] for block in blocks]


def _tables(rng: np.random.Generator) -> list[pd.DataFrame]:
    """Return tables; between them every mistake shows, at a table where its number is no other mistake's."""
    a, b = int(rng.integers(2, 4)), int(rng.integers(4, 6))
    crossed = list(product(range(a), range(b)))  # labels of both layers overlap
    nested = [(f"center {k % 3}", f"driver {k}") for k in range(3 + b)]
    pairs = [(f"part {i}", f"operator {k}", f"{i} by {k}") for i, k in product(range(b), range(a))]
    groups = [*product("AB", "xyz"), *product("CD", "uvw")]  # two depots that never meet
    alone = [(k,) for k in range(b)]
    # Any two of these three layers are connected, and the three together are not separable.
    tied = [(i, j, (i + j) % 3) for i, j in ((0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 0))]
    found = []
    for kinds in (pairs, groups, crossed, nested, tied, alone):
        numbers = np.concatenate([np.arange(len(kinds)), rng.integers(len(kinds), size=12)])
        chosen = [kinds[k] for k in rng.permutation(numbers)]
        names = ["center", "driver", "day"] if kinds is not pairs else ["part", "operator", "pair"]
        found.append(pd.DataFrame(chosen, columns=names[: len(kinds[0])]).astype(str))
    return found


def with_baseline(answer: Answer, rng: np.random.Generator) -> str:
    """Check 10.4."""
    for sizes in ([2, 3], [3, 2, 4]):
        v_baseline = rng.uniform(2, 9)
        # One layer can give much less than the others: equal shares would take more from it than it has.
        smallest = rng.permutation([rng.uniform(0.2, 0.4), *rng.uniform(1.5, 2, len(sizes) - 1)])
        v_layers = [low + np.append(0, rng.uniform(0.5, 4, m - 1)) for low, m in zip(smallest, sizes, strict=True)]
        v_layers = [rng.permutation(v) for v in v_layers]
        most = sum(v.min() for v in v_layers)
        for gain in (-0.6 * v_baseline, 0.3 * most, 0.99 * most):
            _check_split(answer, v_baseline, v_layers, np.sqrt(v_baseline + gain))
        given = answer.call(v_baseline, v_layers, np.sqrt(v_baseline + 1.01 * most))
        if given is not None:
            instance(given, (list, tuple), "None where there is no way", "the answer")
            raise Hint("where more is wanted than the data allow, the answer should be None; see the bound sqrt(A)")
    return "The data allow everything up to their bound, and they cannot tell any of it from the rest."


def _check_split(answer: Answer, v_baseline: float, v_layers: list[np.ndarray], sigma_wanted: float) -> None:
    given = answer.call(v_baseline, v_layers, sigma_wanted)
    start = f"from a standard deviation of {np.sqrt(v_baseline):.2f} to {sigma_wanted:.2f}"
    if given is None:
        if sigma_wanted**2 < v_baseline:
            raise Hint(f"{start} there is a way, but you found none; here the baseline gives, and the layers take")
        raise Hint(f"{start} there is a way, but you found none; can more than one layer give?")
    instance(given, (list, tuple), "a list of arrays, one for each layer")
    if len(given) != len(v_layers):
        raise Hint(f"the list should hold {len(v_layers)} arrays, one for each layer, but it holds {len(given)}")
    given = [array(v, old.shape, f"layer {j + 1}") for j, (v, old) in enumerate(zip(given, v_layers, strict=True))]
    taken = [old - v for v, old in zip(given, v_layers, strict=True)]
    for each in taken:
        if not close(each, np.full(each.shape, each[0]), rtol=1e-8, atol=1e-8):
            raise Hint(
                f"{start}: all contributors of a layer must change by the same amount of variance, "
                "or some cell will notice"
            )
    gave, gain = sum(each[0] for each in taken), sigma_wanted**2 - v_baseline
    mistakes = [
        (
            len(taken) * gain,
            "every layer gives the whole of what the baseline gains; one total takes part in all layers",
        ),
        (-gain, "variance went the wrong way: what the baseline gains, the layers lose"),
        (0.0, "the layers are as they were, but the baseline has changed"),
    ]
    expect(
        gave, gain, mistakes, f"{start}: what the layers give does not balance what the variance of the baseline gains"
    )
    if min(v.min() for v in given) < -1e-9:
        raise Hint(f"{start}: the balance is right, but a variance is negative; a layer gave more than it can")


#: Prior standard deviations of centers and of drivers in 10.5, and of their common mean.
SCALES = {"Nora": (3.0, 1.0), "Sam": (1.0, 3.0)}
MU_SD = 10.0


@fits_a_model
def two_opinions(answer: Answer, rng: np.random.Generator) -> str:
    """Check 10.5."""
    average, error, center_of = _drivers(rng)
    n_centers = int(center_of.max()) + 1
    value = answer.call(average, error, center_of, n_centers, int(rng.integers(2**31)))
    if not isinstance(value, (tuple, list)) or len(value) != 3:
        raise Hint(f"the answer should be three values, two posteriors and a dict, but it is {describe(value)}")
    sizes = {"center": n_centers, "driver": len(average)}
    for name, posterior in zip(SCALES, value, strict=False):
        draws = trusted_draws(posterior, ("mu", "center", "driver"), f"{name}'s posterior")
        for variable, size in sizes.items():
            if draws[variable].shape[2:] != (size,):
                raise Hint(f"{name}'s posterior should hold {size} values of {variable!r} in every draw")
        _check_opinion(name, draws, average, error, center_of)
    _check_shifts(value[2], value[:2])
    return "One question has two answers, and the other has one: only the second was answered by the data."


def _drivers(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return averages, standard errors and centers of drivers; the first two drive for center 0, the last does not.

    Driver 1 is slower than driver 0 where center 1 is slower than center 0.
    """
    n_centers = int(rng.integers(2, 4))
    center_of = np.concatenate([[0, 0], rng.permutation(np.repeat(np.arange(n_centers), 2)), [1]])
    error = rng.uniform(0.3, 0.6, len(center_of))
    centers = rng.normal(0, 0.5, n_centers) + np.append([0, 4 * rng.choice([-1, 1])], np.zeros(n_centers - 2))
    average = rng.normal(5, 1) + centers[center_of] + rng.normal(0, 0.7, len(center_of))
    # So the two shifts have different signs: each opinion shrinks one layer more. That of the drivers is no rounded 0.
    average[1] = average[0] + np.sign(centers[1] - centers[0]) * rng.uniform(1.5, 2.5)
    return np.round(average, 2), np.round(error, 2), center_of


def _nested(average, error, center_of, center_sd, driver_sd, total: float = 0.0) -> dict[str, np.ndarray]:
    """Return exact posterior moments of mu, centers and drivers, in this order.

    With `total`, the sums of both layers are observed to be zero, with that standard error.
    """
    n_centers, k = int(center_of.max()) + 1, len(average)
    design = np.hstack([np.ones((k, 1)), np.eye(n_centers)[center_of], np.eye(k)])
    prior = np.concatenate([[MU_SD], np.full(n_centers, center_sd), np.full(k, driver_sd)])
    weights = design.T / np.square(error)
    precision = np.diag(prior**-2.0) + weights @ design
    if total:
        layer = np.repeat([0, 1, 2], [1, n_centers, k])
        precision += sum(np.outer(layer == j, layer == j) for j in (1, 2)) / total**2
    covariance = np.linalg.inv(precision)
    return {"mean": covariance @ weights @ average, "covariance": covariance}


def _check_opinion(name: str, draws, average, error, center_of) -> None:
    """Compare one posterior with the exact one."""
    k, n_centers = len(average), int(center_of.max()) + 1
    places = {"mu": slice(0, 1), "center": slice(1, 1 + n_centers), "driver": slice(1 + n_centers, None)}
    other = next(x for x in SCALES if x != name)
    center_sd, driver_sd = SCALES[name]
    squared = "a prior has the root or the square of its scale; pm.Normal takes a standard deviation"
    ignored = "every average counts alike here; each has a standard error of its own"
    typical = [
        (_nested(average, error, center_of, *SCALES[other]), f"it is that of {other}, with the scales swapped"),
        (
            _nested(average, error, center_of, center_sd, driver_sd, 1e-4),
            "nothing in this model makes means sum to zero",
        ),
        (_nested(average, error, center_of, center_sd**0.5, driver_sd**0.5), squared),
        (_nested(average, error, center_of, center_sd**2, driver_sd**2), squared),
        (_nested(average, error**2, center_of, center_sd, driver_sd), "standard errors are used as variances"),
        (_nested(average, np.ones(k), center_of, center_sd, driver_sd), ignored),
        (_nested(average, np.full(k, error.mean()), center_of, center_sd, driver_sd), ignored),
    ]
    right = _nested(average, error, center_of, center_sd, driver_sd)
    for variable, place in places.items():
        mistakes = []
        for moments, hint in typical:
            mean, sd = moments["mean"][place], np.sqrt(np.diag(moments["covariance"])[place])
            text = f"this is no posterior of {name}: {hint}"
            mistakes.append((mean if variable != "mu" else mean[0], sd if variable != "mu" else sd[0], text))
        mean, sd = right["mean"][place], np.sqrt(np.diag(right["covariance"])[place])
        if variable == "driver":
            sums = np.hstack([np.zeros((k, 1)), np.eye(n_centers)[center_of], np.eye(k)])
            for matrix in (sums, sums + np.eye(sums.shape[1])[0]):
                found = matrix @ right["mean"], np.sqrt(np.diag(matrix @ right["covariance"] @ matrix.T))
                mistakes.append((*found, f"{name}: `driver` should be what the driver adds to the center, without it"))
        if variable == "mu":
            mean, sd = mean[0], sd[0]
        expect_moments(draws[variable], mean, sd, f"{variable} ({name})", mistakes)


def _check_shifts(given: object, fits: Sequence) -> None:
    """Compare the two shifts with those of the student's own posteriors."""
    keys = {"centers": "center", "drivers": "driver"}
    instance(given, dict, "a dict with the keys 'centers' and 'drivers'", "the third value")
    if set(given) != set(keys):
        raise Hint(f"the third value should have the keys 'centers' and 'drivers'; it has {describe(list(given))}")
    for key, variable in keys.items():
        shift = number(given[key], f"the shift {key!r}")
        one, other = (
            fit["posterior"][variable].values.reshape(-1, fit["posterior"][variable].shape[-1]) for fit in fits
        )
        answers = [(x[:, 1] - x[:, 0]).mean() for x in (one, other)]
        right, sd = answers[0] - answers[1], (one[:, 1] - one[:, 0]).std()
        far = [(x[:, -1] - x[:, 0]).mean() for x in (one, other)]
        single = one[:, 1].mean() - other[:, 1].mean()
        mistakes = [
            (-right, f"{key}: the sign; is this Sam's minus Nora's, or 0 minus 1, or a size without its sign?"),
            (0.0, f"{key}: the two opinions are not equal; do both posteriors enter your answer?"),
            (right / sd, f"{key}: this counts in posterior standard deviations; the task asks for minutes"),
            (answers[0], f"{key}: this is Nora's answer; how far is it from Sam's?"),
            (answers[1], f"{key}: this is Sam's answer; how far is it from Nora's?"),
            (single, f"{key}: this compares the two opinions on one {variable}; the question is about two of them"),
        ]
        if variable == "driver":
            mistakes.append((far[0] - far[1], f"{key}: this compares drivers who are not of the same center"))
        otherwise = f"{key}: take the posterior mean of 1 minus 0 from each posterior, then Nora's minus Sam's"
        # A rounded answer is right.
        expect(shift, right, mistakes, otherwise, rtol=1e-6, atol=0.006)


CHECKERS = {
    "10.1": identified,
    "10.2": diagnoses,
    "10.3": n_flat_directions,
    "10.4": with_baseline,
    "10.5": two_opinions,
}
