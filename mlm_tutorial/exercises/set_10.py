"""Checks of the exercises of notebook 10, and the simulated ranks of one of its figures."""

import numpy as np

from mlm_tutorial.exercises.answers import (
    Answer,
    Hint,
    array,
    choice,
    choices,
    close,
    expect,
    instance,
    number,
    pair,
)


def identified(answer: Answer, rng: np.random.Generator) -> str:
    """Check 10.1."""
    given = choices(answer.value(), ["A", "B", "C", "D", "E"], "the set of letters")
    if "B" in given:
        raise Hint("adding a constant to two variances leaves their difference alone; does it leave their ratio alone?")
    if "C" in given:
        raise Hint("one of your quantities compares variances from different layers, and each layer can move by itself")
    if "D" in given:
        raise Hint("one of your quantities keeps its value along only one of the two flat directions")
    if given != {"A", "E"}:
        raise Hint(
            "all that you name is identified, but something is missing; move a variance along each flat direction "
            "and see what stays"
        )
    return "Both are differences between cells of the table, and differences are what the cells can show."


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
    for kinds in _plans(rng):
        components = sorted({name for kind in kinds for name in kind})
        design = np.array([[kind.count(name) for name in components] for kind in kinds], dtype=float)
        rank = int(np.linalg.matrix_rank(design))
        given = number(answer.call(kinds), "the number of flat directions")
        once = len(components) - int(np.linalg.matrix_rank(np.minimum(design, 1)))
        shown = f"for {len(kinds)} kinds of rows with {len(components)} components"
        unlike = len({tuple(sorted(kind)) for kind in kinds})
        mistakes = [
            (rank, f"{shown}: the rank counts the directions that leave a trace"),
            (once, f"{shown}: a component that is listed twice enters your count as if it were listed once"),
            (
                len(kinds[0]) - 1,
                f"{shown}: the rule of one direction a layer holds for the notebook's data, not for every plan",
            ),
            (max(0, len(components) - len(kinds)), f"{shown}: not all kinds of rows say something new"),
            (len(components) - unlike, f"{shown}: not all kinds of rows say something new"),
            (len(components), f"{shown}: this is the number of all variances; some directions do leave a trace"),
        ]
        otherwise = f"{shown}: write down the matrix that turns variances of components into those of totals"
        expect(given, len(components) - rank, mistakes, otherwise)
    return "A plan tells before the first measurement what it will identify."


def _plans(rng: np.random.Generator) -> list[list[list[str]]]:
    """Return plans of measurements; between them every mistake shows."""
    first = [f"driver {i}" for i in range(rng.integers(3, 6))]
    second = [f"car {i}" for i in range(rng.integers(2, 4))]
    crossed = [["baseline", a, b] for a in first for b in second]
    nested = [["baseline", a, f"home of {a}"] for a in first]
    with_lone = [*crossed, ["baseline", first[0]]]
    all_known = [*with_lone, ["baseline", second[0]]]
    twice = [*crossed, ["baseline", first[-1], second[0], second[0]]]
    apart = [["baseline", a] for a in first] + [[b, "garage"] for b in second]
    return [_mixed(plan, rng) for plan in (crossed, nested, with_lone, twice, all_known, apart)]


def _mixed(plan: list[list[str]], rng: np.random.Generator) -> list[list[str]]:
    return [[plan[i][j] for j in rng.permutation(len(plan[i]))] for i in rng.permutation(len(plan))]


def with_baseline(answer: Answer, rng: np.random.Generator) -> str:
    """Check 10.4."""
    for sizes in ([2, 3], [3, 2, 4]):
        v_baseline = rng.uniform(2, 9)
        v_layers = [rng.uniform(1, 2) + np.append(0, rng.uniform(0.5, 4, size - 1)) for size in sizes]
        v_layers = [rng.permutation(v) for v in v_layers]
        most = sum(v.min() for v in v_layers)
        for gain in (-0.6 * v_baseline, 0.3 * most, 0.9 * most):
            _check_split(answer, v_baseline, v_layers, np.sqrt(v_baseline + gain))
        given = answer.call(v_baseline, v_layers, np.sqrt(v_baseline + 1.1 * most))
        if given is not None:
            instance(given, (list, tuple), "None where there is no way", "the answer")
            raise Hint("where more is wanted than the data allow, the answer should be None; see the bound sqrt(A)")
    return "The data allow everything up to their bound, and they cannot tell any of it from the rest."


def _check_split(answer: Answer, v_baseline: float, v_layers: list[np.ndarray], sigma_wanted: float) -> None:
    given = answer.call(v_baseline, v_layers, sigma_wanted)
    start = f"from a standard deviation of {np.sqrt(v_baseline):.2f} to {sigma_wanted:.2f}"
    if given is None:
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


def coordinates(answer: Answer, rng: np.random.Generator) -> str:
    """Check 10.5."""
    first, second = pair(answer.value(), "the answer (two functions)")
    there, back = Answer(first), Answer(second)
    for m in (3, 2, 5):
        v = rng.uniform(1, 9, 1 + m)
        # Any contributor may be the smallest, the first one included; it comes last, as its mistake is the rarer one.
        for k in [*range(2, m + 1), 1]:
            planted = v.copy()
            planted[k] = 0.5
            _check_there(array(there.call(planted), v.shape, "there(v)"), planted)
    for m in (3, 2, 5):
        x = np.concatenate([rng.normal(0, 1, 2), rng.normal(0, 1, m - 1)])
        for lower in (6.0, 0.0):  # where all differences are negative, the first contributor is not the smallest
            moved = np.append(x[:2], x[2:] - lower)
            _check_back(array(back.call(moved), x.shape, "back(x)"), moved)
    for m in (3, 2):
        # Farther out than the draws above, yet near enough for float64 to keep the smaller part of A.
        far = np.append(rng.choice([-12.0, 12.0], 2), rng.normal(0, 9, m - 1))
        for x in (far, -far):
            again = array(there.call(array(back.call(x), x.shape, "back(x)")), x.shape, "there(back(x))")
            if not close(again, x, rtol=1e-5, atol=1e-5):
                raise Hint(
                    f"there(back(x)) is not x again where x is [{_listed(x)}], but [{_listed(again)}]; "
                    "a sampler may walk that far"
                )
    return "Every point is allowed, none is left out, and the prior's part has a coordinate of its own."


def _listed(x: np.ndarray) -> str:
    return ", ".join(f"{value:.2f}" for value in x)


def _check_there(given: np.ndarray, v: np.ndarray) -> None:
    smallest = v[1:].min()
    not_smallest = "the first contributor does not have to be the smallest of the layer"
    left_out = "there(v)[0]: the first contributor can be the smallest, too; here your minimum leaves it out"
    mistakes = [
        (np.log(v[0] + v[1]), f"there(v)[0]: {not_smallest}"),
        (np.log(v[0] + v[2:].min()), left_out),
        (v[0] + smallest, "there(v)[0] should be a logarithm"),
        (np.log(v[0] + v[1:].mean()), "there(v)[0] should have the smallest variance of the layer, not the average"),
        (np.log(v.min() + v[0]), "there(v)[0]: the smallest of the layer is wanted; the baseline is not part of it"),
    ]
    expect(given[0], np.log(v[0] + smallest), mistakes, "there(v)[0] should be the logarithm of A")
    mistakes = [
        (np.log(v[0] / v[1]), f"there(v)[1]: {not_smallest}"),
        (np.log(smallest / v[0]), "there(v)[1] is the other way round; its sign is wrong"),
        (np.log(v[0] / (v[0] + smallest)), "there(v)[1] compares the baseline with A; it should compare it with s"),
        (v[0] / smallest, "there(v)[1] should be a logarithm"),
    ]
    expect(given[1], np.log(v[0] / smallest), mistakes, "there(v)[1] should say how A is shared")
    mistakes = [
        (v[2:] - smallest, "there(v)[2:] are differences to the first contributor, not to the smallest"),
        (v[1] - v[2:], "the differences in there(v)[2:] have the wrong sign"),
        (np.sqrt(v[2:]) - np.sqrt(v[1]), "the differences in there(v)[2:] are of variances, not standard deviations"),
    ]
    expect(given[2:], v[2:] - v[1], mistakes, "there(v)[2:] should be differences of variances in the layer")


def _check_back(given: np.ndarray, x: np.ndarray) -> None:
    total, share = np.exp(x[0]), 1 / (1 + np.exp(-x[1]))
    above = np.append(0.0, x[2:])
    if np.any(given <= 0):
        raise Hint(
            "back(x) has a variance that is not positive, at coordinates "
            f"[{_listed(x)}]; which contributor has the smallest variance there?"
        )
    swapped = "back(x) shares A between baseline and layer the other way round"
    mistakes = [(total * (1 - share), swapped), (total, "back(x) gives all of A to the baseline")]
    expect(given[0], total * share, mistakes, "back(x)[0] should be the baseline's part of A")
    smallest = given[1:].min()
    if not close(given[1:] - given[1], above, rtol=1e-6, atol=1e-8):
        raise Hint(
            "back(x) does not keep the differences between contributors; if something was missing to make a variance "
            "positive, see where you could have added it without changing a difference"
        )
    if not close(smallest, total * (1 - share), rtol=1e-6, atol=1e-9):
        if smallest < total * (1 - share):
            raise Hint("back(x) leaves less than its part of A to the contributor with the smallest variance")
        raise Hint("back(x) leaves more than its part of A to the contributor with the smallest variance")


CHECKERS = {
    "10.1": identified,
    "10.2": diagnoses,
    "10.3": n_flat_directions,
    "10.4": with_baseline,
    "10.5": coordinates,
}
