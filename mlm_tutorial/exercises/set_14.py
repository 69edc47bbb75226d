"""Checks of the exercises of notebook 14."""

import functools
from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

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
    number,
    pair,
    too_far,
)

RELATIONS = ("nested", "crossed", "neither")


def read_layers(answer: Answer, rng: np.random.Generator) -> str:
    """Check 14.1."""
    wrong = []
    for right, frame, group, member in _tables(rng):
        case, labels = pair(answer.call(frame, group, member), "the answer")
        wrong.append((right, choice(case, RELATIONS, "the case"), frame, group, member))
        labels = _checked_labels(labels, frame, group, member)
    # Whatever a text puts between the two parts, in either order, may be a part of a label, too.
    rows = [("Qj", "Xk"), ("Qj", "Wv"), ("Zy", "Xk"), ("Zy", "Zy")]
    frame = pd.DataFrame(rows, columns=["batch", "cask"])
    labels = _checked_labels(pair(answer.call(frame, "batch", "cask"), "the answer")[1], frame, "batch", "cask")
    for mark in _marks(labels[0], "Qj", "Xk"):
        both_ways = [("A", f"B{mark}C"), (f"A{mark}B", "C"), ("C", f"A{mark}B"), (f"B{mark}C", "A")]
        frame = pd.DataFrame([*both_ways, ("A", "C"), ("D", "D")], columns=["batch", "cask"])
        _checked_labels(pair(answer.call(frame, "batch", "cask"), "the answer")[1], frame, "batch", "cask", mark)
    wrong = [row for row in wrong if row[0] != row[1]]
    if not wrong:
        return "Who occurs with whom is in the table; whether an a is always the same a is not."
    if all(given == _by_numbers(frame, group, member) for _, given, frame, group, member in wrong):
        raise Hint("how many labels there are says nothing about who occurs with whom")
    if all(given == _relation(frame, member, group) for _, given, frame, group, member in wrong):
        raise Hint("this is the other way round: it asks in how many members a group occurs")
    if all(right == "neither" and given == "crossed" for right, given, *_ in wrong):
        raise Hint("what is not nested need not be crossed: is every member in every group?")
    if all(right == "neither" and given == "nested" for right, given, *_ in wrong):
        raise Hint("a table is nested here if every single member occurs in one group only")
    right, given, frame, group, member = wrong[0]
    occurs = frame.groupby(member)[group].nunique()
    counts = f"its members occur in {occurs.min()} to {occurs.max()} of {frame[group].nunique()} groups"
    raise Hint(f"a table is called {given!r}, but {counts}")


def _marks(label: object, one: str, other: str) -> list[str]:
    """Return the text between two parts of a label, for each order in which it holds them."""
    found = []
    for left, right in ((one, other), (other, one)):
        _, is_there, rest = label.partition(left) if isinstance(label, str) else ("", "", "")
        between, follows, _ = rest.partition(right)
        if is_there and follows:
            found.append(between)
    return found


def _relation(frame: pd.DataFrame, group: str, member: str) -> str:
    occurs = frame.groupby(member)[group].nunique()
    if (occurs == 1).all():
        return "nested"
    return "crossed" if (occurs == frame[group].nunique()).all() else "neither"


def _by_numbers(frame: pd.DataFrame, group: str, member: str) -> str:
    return "nested" if frame[member].nunique() > frame[group].nunique() else "crossed"


def _tables(rng: np.random.Generator) -> list[tuple[str, pd.DataFrame, str, str]]:
    """Return tables of each kind: case, table, names of the columns."""

    def made(right, rows, group="lot", member="wafer"):
        rows = [row for row in rows for _ in range(rng.integers(1, 4))]
        frame = pd.DataFrame(rows, columns=[group, member]).sample(frac=1, random_state=rng)
        assert _relation(frame, group, member) == right
        return right, frame.reset_index(drop=True), group, member

    few, many = int(rng.integers(2, 4)), int(rng.integers(5, 8))
    letters = [chr(97 + i) for i in range(many)]
    tables = [
        made("crossed", [(g, m) for g in range(few) for m in letters], "operator", "part"),
        made("crossed", [(g, m) for g in letters for m in range(few)], "batch", "cask"),
        made("nested", [(g, few * k + g) for g in range(few) for k in range(int(rng.integers(2, 5)))]),
        # One member in each group of many: as many members as groups.
        made("nested", [(g, g.upper()) for g in letters], "batch", "sample"),
        # Members are what lies around the groups.
        made("neither", [(k, k % few) for k in range(many)]),
        made("neither", [(g, m) for g in letters[:4] for m in range(many) if (m, g) != (0, "a")]),
        # All but one member are in a single group.
        made("neither", [(g, m) for g in range(few) for m in ("shared", f"only {g}", f"also {g}")]),
        # Joined without a mark, or with one that occurs in labels, two pairs have the same text.
        made("neither", [(1, 11), (11, 1), (1, 1), (11, 11), (2, 1)]),
    ]
    tables.append(made("neither", [("A", "B"), ("A", "C"), ("C", "B"), ("D", "D")]))
    return tables


def _checked_labels(labels: object, frame: pd.DataFrame, group: str, member: str, mark: str = "") -> list:
    if isinstance(labels, pd.Index):
        labels = labels.to_series()
    if isinstance(labels, (pd.Series, np.ndarray)):
        if isinstance(labels, pd.Series) and not labels.index.equals(frame.index) and len(labels) == len(frame):
            raise Hint("the labels should be in the order of the rows, but their index is another one")
        labels = [tuple(x) if isinstance(x, np.ndarray) else x for x in labels]
    if not isinstance(labels, Sequence) or isinstance(labels, (str, bytes)):
        raise Hint(f"the labels should be a sequence with one for each row, but they are {describe(labels)}")
    if len(labels) != len(frame):
        raise Hint(f"there should be a label for each of the {len(frame)} rows, but there are {len(labels)}")
    labels = [tuple(x) if isinstance(x, list) else x for x in labels]
    if not all(isinstance(x, Hashable) for x in labels):
        raise Hint("labels are to be compared and counted, and these cannot be: use numbers, texts or tuples")
    wanted = list(zip(frame[group], frame[member], strict=True))
    by_pair: dict = {}
    by_label: dict = {}
    for label, both in zip(labels, wanted, strict=True):
        if by_pair.setdefault(both, label) != label:
            raise Hint(f"two rows that agree in both columns have different labels, {by_pair[both]!r} and {label!r}")
        other = by_label.setdefault(label, both)
        if other == both:
            continue
        if other[1] == both[1]:
            raise Hint(f"members called {both[1]!r} of different groups share a label, {label!r}")
        shown = f"{other} and {both} share the label {label!r}"
        if mark:
            raise Hint(f"{shown}: a label may hold the mark that joins the two parts")
        raise Hint(f"{shown}: different pairs may end with the same text")
    return labels


def gauge_rr(answer: Answer, rng: np.random.Generator) -> str:
    """Check 14.2."""
    for n in (400, 151):
        frame, mu_operator, limit = _draws(rng, n)
        value = answer.call(frame, mu_operator, limit)
        if not isinstance(value, (tuple, list, np.ndarray)) or len(value) != 4:
            raise Hint(f"the answer should be four numbers, two ends and two probabilities; it is {describe(value)}")
        whats = ("the lower end", "the upper end", "the probability for any operator", "that for those in the table")
        low, high, p, p_these = (number(x, what) for x, what in zip(value, whats, strict=True))
        _check_ends(low, high, frame)
        rr = _rr(frame)
        right = float(np.mean(rr < limit))
        mistakes = [
            (float(np.mean(rr > limit)), "the probability: this is that of being above the limit"),
            (100 * right, "a probability lies between 0 and 1"),
            (float(np.mean(rr / 100 < limit)), "the limit is in percent; so should be what it is compared with"),
            (float(_rr(frame.mean().to_frame().T)[0] < limit), "the probability: ask each draw, not their average"),
        ]
        expect(p, right, mistakes, "the probability is the share of draws below the limit; it is off", rtol=1e-9)
        these = _below_of_these(frame, mu_operator, limit)
        mistakes = [
            (right, "those in the table: this takes the operators of the population once more"),
            (these["var"], "those in the table: divide by their number; nothing is estimated about other operators"),
            (these["sum"], "those in the table: a reading has one operator, so average their squared means"),
        ]
        expect(p_these, these["mean"], mistakes, "the probability for the operators in the table is off", rtol=1e-9)
    return "Every draw has a gauge table of its own, and each table says for whom it holds."


def _below_of_these(frame: pd.DataFrame, mu_operator: pd.DataFrame, limit: float) -> dict[str, float]:
    """Return the share of draws below the limit for the operators in the table, by ways to take their variance."""
    squares = mu_operator**2
    ways = {"mean": squares.mean(axis=1), "var": mu_operator.var(axis=1), "sum": squares.sum(axis=1)}
    return {name: float(np.mean(_rr(frame.assign(operator=values)) < limit)) for name, values in ways.items()}


def _rr(frame: pd.DataFrame) -> np.ndarray:
    gauge = frame["operator"] + frame["pair"] + frame["repeat"]
    return (100 * np.sqrt(gauge / (gauge + frame["part"]))).to_numpy()


def _draws(rng: np.random.Generator, n: int) -> tuple[pd.DataFrame, pd.DataFrame, float]:
    """Return variances, the operators' with a long tail, operators' means, and a limit with draws on either side."""
    median = {"repeat": 0.5, "part": 50, "pair": 0.8, "operator": 2.0}
    width = {"repeat": 0.2, "part": 0.5, "pair": 0.4, "operator": 1.5}
    names = list(rng.permutation(list(median)))
    while True:
        scale = rng.uniform(0.5, 2)
        frame = pd.DataFrame({name: scale * median[name] * np.exp(rng.normal(0, width[name], n)) for name in names})
        limit = float(np.quantile(_rr(frame), rng.uniform(0.55, 0.85)))
        means = np.sqrt(scale) * (rng.normal(0, 1.5, 3) + rng.normal(0, 0.3, (n, 3)))
        mu_operator = pd.DataFrame(means - means.mean(axis=1, keepdims=True), columns=["Ada", "Ben", "Cem"])
        told_apart = [np.mean(_rr(frame) < limit), *_below_of_these(frame, mu_operator, limit).values()]
        if np.diff(np.sort(told_apart)).min() > 0.02:
            return frame, mu_operator, limit


def _check_ends(low: float, high: float, frame: pd.DataFrame) -> None:
    sd, total = np.sqrt(frame), frame.sum(axis=1)
    gauge = total - frame["part"]
    mean = frame.mean()
    plain = 100 * np.sqrt(1 - mean["part"] / mean.sum())
    percent_of_ends = [100 * np.quantile(np.sqrt(gauge), p) / np.quantile(np.sqrt(total), p) for p in (0.05, 0.95)]
    ratios = [
        (100 * gauge / total, "this is the gauge's share of the variance; % R&R compares standard deviations"),
        (
            100 * np.sqrt((frame["operator"] + frame["repeat"]) / total),
            "the pairs belong to the measurement, to its reproducibility",
        ),
        (
            100 * np.sqrt((frame["pair"] + frame["repeat"]) / total),
            "the operators belong to the measurement, to its reproducibility",
        ),
        (100 * np.sqrt(frame["repeat"] / total), "this is repeatability alone; reproducibility is missing"),
        (
            100 * np.sqrt((frame["operator"] + frame["pair"]) / total),
            "this is reproducibility alone; repeatability is missing",
        ),
        (100 * np.sqrt(gauge / frame["part"]), "this is in percent of the parts; % R&R is in percent of all readings"),
        (
            100 * (sd.sum(axis=1) - sd["part"]) / sd.sum(axis=1),
            "standard deviations do not add up; variances do",
        ),
        (np.sqrt(gauge / total), "this is a ratio; the limit is in percent"),
        (100 * np.sqrt(frame["part"] / total), "this is the parts' share; the gauge is all the rest"),
    ]
    right = _rr(frame)
    mistakes = [
        (
            (plain, plain),
            "this is one number for all draws, from averages; compute % R&R in each draw, then its interval",
        ),
        (percent_of_ends, "these are ratios of two ends, not the ends of a ratio; divide within each draw"),
        (np.quantile(right, [0.025, 0.975]), "this interval holds 95 % of the draws"),
        (np.quantile(right, [0.055, 0.945]), "this interval holds 89 % of the draws; the task asks for 90 %"),
        (
            np.quantile(right, [0.1, 0.9]),
            "this interval holds 80 % of the draws; 5 % lie on either side of the right one",
        ),
        ((right.min(), right.max()), "these are the least and the greatest draw"),
        (np.quantile(right, [0.95, 0.05]), "the lower end comes first"),
    ]
    mistakes += [(np.quantile(ratio, [0.05, 0.95]), hint) for ratio, hint in ratios]
    otherwise = "the interval is off; % R&R is the gauge's standard deviation in percent of that of all readings"
    # Rules for quantiles differ by a part of the distance of neighboring draws.
    sorted_rr = np.sort(right)
    for given, p in ((low, 0.05), (high, 0.95)):
        k = int(p * (len(right) - 1))
        if not sorted_rr[k - 1] * (1 - 1e-9) <= given <= sorted_rr[k + 2] * (1 + 1e-9):
            expect([low, high], np.quantile(right, [0.05, 0.95]), mistakes, otherwise, rtol=1e-6)


def not_fixed(answer: Answer, rng: np.random.Generator) -> str:
    """Check 14.3."""
    wrong, loose = [], []
    for right, frame, total, layers, differences, steady in _designs(rng):
        first, second = pair(answer.call(frame, total, layers, differences, steady), "the answer (two sets)")
        if isinstance(first, (set, frozenset, list, tuple)) and "baseline" in first:
            raise Hint("the baseline is not a layer; the first set holds names of layers")
        given = choices(first, layers, "the first set")
        if given != right:
            wrong.append((given, right, frame, layers))
        loose.append((choices(second, list(differences), "the second set"), frame, layers, differences, steady))
    if wrong:
        _explain_layers(wrong)
    _check_differences(loose)
    return "Where the design does not split means or spreads, a prior does, and no check of the sampler objects."


def _check_differences(cases: list[tuple]) -> None:
    """Raise a hint unless the second sets hold the differences of variances that are not fixed."""
    right = [_loose(*case) for _, *case in cases]
    given = [found for found, *_ in cases]
    if given == right:
        return
    mistakes = [
        (
            [_loose(frame, layers, differences, []) for _, frame, layers, differences, _ in cases],
            "`steady` has no part in your second set, as if it were about means; a variance that is known cannot trade",
        ),
        (
            [set(case[-2]) for case in cases],
            "your second set always holds everything; what two variances have in common drops out of a difference",
        ),
        ([set() for _ in cases], "your second set is always empty, but some of these variances can trade with others"),
        (
            [set(case[-2]) - found for case, found in zip(cases, right, strict=True)],
            "your second set holds the differences which the data do fix; the task asks for the others",
        ),
    ]
    for wrong, hint in mistakes:
        if given == wrong:
            raise Hint(hint)
    found, wanted, (_, _, layers, differences, steady) = next(
        x for x in zip(given, right, cases, strict=True) if x[0] != x[1]
    )
    name = sorted(found ^ wanted)[0]
    table = f"a table with {', '.join(layers)}" + (f", where {' and '.join(steady)} have no spread" if steady else "")
    said = "is in your second set, but is fixed" if name in found else "is not fixed, and is not in your second set"
    raise Hint(f"for {table}, the difference {name} of the layer {differences[name][0]!r} {said}")


def _loose(frame: pd.DataFrame, layers: list[str], differences: dict, steady: list[str]) -> set[str]:
    """Return the names of the differences of variances that the variances of cells do not determine."""
    columns = pd.get_dummies(frame[[x for x in layers if x not in steady]], prefix_sep="\n", dtype=float)
    design = columns.drop_duplicates().assign(baseline=1.0)
    rank, found = np.linalg.matrix_rank(design), set()
    for name, (layer, one, other) in differences.items():
        weights = [float(x == f"{layer}\n{one}") - float(x == f"{layer}\n{other}") for x in design]
        if np.linalg.matrix_rank(np.vstack([design, weights])) > rank:
            found.add(name)
    return found


def _explain_layers(wrong: list[tuple]) -> None:
    """Raise the hint for sets of layers that are not right."""
    if all(given == set(layers) for given, _, _, layers in wrong):
        if all(right for _, right, _, _ in wrong):
            raise Hint("all layers are in the set as soon as one is; some of these are fixed all the same")
        raise Hint("this looks like an answer about those of the spreads; the task asks for means")
    if all(not given for given, _, _, _ in wrong) and len(wrong) > 1:
        raise Hint("the set is empty for every table; some of these have layers whose means only a prior splits")
    if all(given == _in_one_another(frame, layers) for given, _, frame, layers in wrong):
        text = "this looks at one layer inside another, or at two at a time; three can hide what no two of them do"
        raise Hint(text)
    if all(given == set(layers) - right for given, right, _, layers in wrong):
        raise Hint("these are the layers which the data do fix; the task asks for the others")
    if all(given == _finer(frame, layers) for given, _, frame, layers in wrong):
        raise Hint("this is the finer layer alone; if it can take over from the coarser one, neither is fixed")
    given, right, _, layers = wrong[0]
    if given - right:
        raise Hint(
            f"{sorted(given - right)[0]!r} is in the set of a table with {', '.join(layers)}, but is fixed there"
        )
    raise Hint(f"a layer is missing from the set of a table with {', '.join(layers)}")


def _lies_in(frame: pd.DataFrame, a: str, b: str) -> bool:
    return bool(frame.groupby(a)[b].nunique().eq(1).all())


def _finer(frame: pd.DataFrame, layers: list[str]) -> set[str]:
    return {a for a in layers for b in layers if a != b and _lies_in(frame, a, b)}


def _in_one_another(frame: pd.DataFrame, layers: list[str]) -> set[str]:
    return {x for a in layers for b in layers if a != b and _lies_in(frame, a, b) for x in (a, b)}


def _designs(rng: np.random.Generator) -> list[tuple]:
    """Return the layers whose means a table does not fix (known from how it is made), the table, and what is asked."""

    def made(right, rows, layers, total, steady=(), more=()):
        rows = [row for row in rows for _ in range(2)]
        frame = pd.DataFrame(rows, columns=layers).astype(str)
        asked = [(x, *rng.permutation(frame[x].unique())[:2].tolist()) for x in layers if x not in steady]
        differences = {f"{one} - {other}": (layer, one, other) for layer, one, other in [*asked, *more]}
        frame[total] = rng.normal(50, 5, len(frame)).round(2)
        order = list(rng.permutation(layers))
        frame = frame.sample(frac=1, random_state=rng).reset_index(drop=True)
        return set(right), frame[[*rng.permutation([*layers, total])]], total, order, differences, list(steady)

    p, o = int(rng.integers(4, 7)), int(rng.integers(3, 5))
    crossed = [(i, f"op {j}") for i in range(p) for j in range(o)]
    pairs = [(i, j, f"{i} with {j}") for i, j in crossed]
    nested = [(f"b{i}", f"b{i}c{k}") for i in range(p) for k in range(int(rng.integers(2, 4)))]
    beside = [(*row, shift) for row in nested for shift in ("early", "late", "night")]
    six = [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 0)]
    hidden = [(f"x{i}", f"y{j}", f"z{(i + j) % 3}") for i, j in six]
    gauge, same_batch = ["part", "operator", "pair"], [("sample", "b0c0", "b0c1"), ("sample", "b1c0", "b0c1")]
    return [
        made((), crossed, ["part", "operator"], "impedance"),
        made(gauge, pairs, gauge, "impedance"),
        made(gauge, pairs, gauge, "impedance", ["pair"]),
        made(gauge, pairs, gauge, "impedance", ["part"]),
        made(("batch", "sample"), nested, ["batch", "sample"], "strength", (), same_batch),
        made(("batch", "sample"), nested, ["batch", "sample"], "strength", ["sample"]),
        made(("batch", "sample"), beside, ["batch", "sample", "shift"], "strength", (), same_batch),
        made(("tool", "recipe", "lot"), hidden, ["tool", "recipe", "lot"], "width"),
    ]


TAU_SCALE, BATCHES, CASKS, TESTS = 4.0, 8, 3, 2


@fits_a_model
def batches_or_casks(answer: Answer, rng: np.random.Generator) -> str:
    """Check 14.4."""
    frame, test_sd, right = _paste(int(rng.integers(2**31)))
    frame = frame.copy()  # an answer may change it
    given = answer.call(frame, test_sd, int(rng.integers(2**31)))
    idata, p = pair(given, "the answer")
    if isinstance(idata, xr.DataTree) and "posterior" in idata.children:
        names = set(map(str, idata["posterior"].data_vars))
        if "mu_batch" in names and "tau_batch" not in names:
            raise Hint("this model is not pooled: it has no tau, so nothing is learned about how far batches differ")
    draws = trusted_draws(idata, ("tau_batch", "tau_cask"), "the run")
    for name in ("tau_batch", "tau_cask"):
        if draws[name].ndim != 2:
            raise Hint(f"{name} should be one number in each draw, but its shape is {draws[name].shape[2:]}")
    spreads = {
        "baseline": "the test's spread is known; here it is learned from the readings",
        "batch": "the batches have a spread of their own here",
        "cask": "the casks have a spread of their own here",
    }
    for name, hint in spreads.items():
        if f"sigma_{name}" in draws and float(draws[f"sigma_{name}"].std(("chain", "draw")).max()) > 1e-9:
            raise Hint(hint)
    others = [
        (_crossed(frame, test_sd), "cask a is one cask here, in all batches; the casks of two batches need two labels"),
        (_nested(frame, test_sd**2), "the test's standard deviation is taken for its variance, or squared"),
        (_nested(frame, np.sqrt(test_sd)), "the test's standard deviation is a root of what was given"),
        (_nested(frame, test_sd, 2.5 * frame["strength"].std(ddof=0)), "the scale of tau is the default, not 4"),
        (_nested(frame, test_sd, 4 * TAU_SCALE), "the scale of tau is squared, or four times as large"),
        (_nested(frame, test_sd, TAU_SCALE / 2), "the scale of tau is half of that in the text, or its root"),
    ]
    for name in ("tau_cask", "tau_batch"):
        mistakes = [(*other[name], hint) for other, hint in others]
        mean, sd = right[name]
        expect_moments(draws[name], mean, sd, name, mistakes)
    p = number(p, "the probability")
    _check_probability(p, right["larger"], draws)
    return "Casks and batches are told apart by their labels, and by nothing else in the table."


def _check_probability(p: float, right: float, draws: xr.Dataset) -> None:
    import arviz as az

    larger = (draws["tau_cask"] > draws["tau_batch"]).astype(float)
    # Near 0 and 1 the error estimated from few draws is too small.
    error = max(1.3 * float(az.mcse(larger.values)), 0.002)
    if not too_far(p, right, error):
        return
    if p in (0.0, 1.0):
        raise Hint("the probability: every draw gives its own answer; count them, and do not compare averages")
    if not 0 <= p <= 1:
        raise Hint(f"a probability lies between 0 and 1, but it is {p:.3g}")
    if not too_far(p, 1 - right, error):
        raise Hint("this is the probability that batches differ more than casks")
    raise Hint(
        f"the posterior is right, but the probability {p:.3f} is not the share of draws with the larger tau_cask"
    )


@functools.lru_cache(maxsize=4)  # the next try is checked with the same table
def _paste(seed: int) -> tuple[pd.DataFrame, float, dict]:
    """Return a table of paste, the sd of the test, and what :func:`_nested` says of them.

    Effects are spread evenly, so that no tau is near zero, where a run may fail; the probability is not near 0 or 1.
    """
    rng = np.random.default_rng(seed)
    while True:
        test_sd = round(float(rng.uniform(0.5, 0.8)), 2)
        batch = _even(BATCHES) * rng.uniform(2.2, 3)
        cask = np.stack([rng.permutation(_even(CASKS)) * rng.uniform(1.2, 3.2) for _ in range(BATCHES)])
        cask += rng.normal(0, 0.4, cask.shape)
        values = 60 + rng.permutation(batch)[:, None, None] + cask[..., None]
        values = np.round(values + rng.normal(0, test_sd, (BATCHES, CASKS, TESTS)), 2)
        rows = [
            (chr(65 + i), "abc"[j], values[i, j, k]) for i in range(BATCHES) for j in range(CASKS) for k in range(TESTS)
        ]
        frame = pd.DataFrame(rows, columns=["batch", "cask", "strength"]).sample(frac=1, random_state=rng)
        frame = frame.reset_index(drop=True)
        exact = _nested(frame, test_sd)
        if 0.15 < exact["larger"] < 0.4 and all(m > 3.5 * s for m, s in (exact["tau_cask"],)):
            return frame, test_sd, exact


def _even(m: int) -> np.ndarray:
    scores = stats.norm.ppf((np.arange(m) + 0.5) / m)
    return scores / scores.std(ddof=1)


def _nested(frame: pd.DataFrame, test_sd: float, scale: float = TAU_SCALE) -> dict:
    """Return exact moments of both taus, and the probability that that of casks is larger."""
    cell = frame.pivot_table("strength", "batch", "cask")
    batch = cell.mean(axis=1)
    of_batch = CASKS * TESTS * float(((batch - batch.mean()) ** 2).sum())
    of_cask = TESTS * float((cell.sub(batch, axis=0) ** 2).to_numpy().sum())

    def expected(tau_batch, tau_cask):
        inner = test_sd**2 + TESTS * tau_cask**2
        return (of_batch, BATCHES - 1, inner + CASKS * TESTS * tau_batch**2), (of_cask, BATCHES * (CASKS - 1), inner)

    return _quadrature(expected, scale)


def _crossed(frame: pd.DataFrame, test_sd: float) -> dict:
    """Return the same for casks that are taken to be three, the same in all batches."""
    cell = frame.pivot_table("strength", "batch", "cask")
    batch, cask = cell.mean(axis=1), cell.mean(axis=0)
    of_batch = CASKS * TESTS * float(((batch - batch.mean()) ** 2).sum())
    of_cask = BATCHES * TESTS * float(((cask - cask.mean()) ** 2).sum())

    def expected(tau_batch, tau_cask):
        v = test_sd**2
        of = v + CASKS * TESTS * tau_batch**2, v + BATCHES * TESTS * tau_cask**2
        return (of_batch, BATCHES - 1, of[0]), (of_cask, CASKS - 1, of[1])

    return _quadrature(expected, TAU_SCALE)


def _quadrature(expected, scale: float) -> dict:
    """Integrate over both taus; sums of squares over their expectation are chi-squared."""
    tau = 6 * scale * (np.arange(1500) + 0.5) / 1500
    tau_batch, tau_cask = tau[:, None], tau[None, :]
    log_weight = -0.5 * (tau_batch**2 + tau_cask**2) / scale**2
    for squares, df, variance in expected(tau_batch, tau_cask):
        log_weight = log_weight - 0.5 * df * np.log(variance) - 0.5 * squares / variance
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()

    def moments(w):
        mean = float(w @ tau)
        return mean, float(np.sqrt(w @ (tau - mean) ** 2))

    above = np.triu(weight, 1).sum() + 0.5 * np.trace(weight)  # columns are casks
    return {"tau_batch": moments(weight.sum(1)), "tau_cask": moments(weight.sum(0)), "larger": float(above)}


def next_study(answer: Answer, rng: np.random.Generator) -> str:
    """Check 14.5."""
    for exactly in (False, False, True):
        plans, variances, budget = _plans(rng, exactly)
        given, best = pair(answer.call(plans, *variances, budget), "the answer")
        errors = array(given, (len(plans),), "the errors")
        right = _relative_errors(plans, *variances)
        _check_errors(errors, right, plans, variances)
        position = number(best, "the position")
        readings = np.prod(plans, axis=1)
        wanted = int(np.argmin(np.where(readings <= budget, right, np.inf)))
        if position == wanted:
            continue
        if position != int(position) or not 0 <= position < len(plans):
            raise Hint(f"the position should be that of one of {len(plans)} plans, counted from 0, but it is {best!r}")
        if readings[int(position)] > budget and position == np.argmin(right):
            raise Hint(f"the errors are right, but the plan {plans[int(position)]} has more readings than the budget")
        if position == int(np.argmin(np.where(readings < budget, right, np.inf))):
            raise Hint("the errors are right, but a plan with exactly as many readings as the budget is within it, too")
        if position == int(np.argmin(right[readings <= budget])):
            raise Hint("the errors are right; the position counts all plans, those beyond the budget too")
        if readings[int(position)] > budget:
            raise Hint(f"the plan {plans[int(position)]} has more readings than the budget, and it is not the best")
        if position == int(np.argmax(np.where(readings <= budget, readings, 0))):
            raise Hint("the errors are right, but the plan with the most readings is not the best")
        if position == _most_operators(plans, budget):
            raise Hint(
                "the errors are right, but the plan with the most operators is not the best here: parts and repeats "
                "decide how much of a mean square is the operators'"
            )
        if position == wanted + 1:
            raise Hint("the errors are right; positions count from 0")
        raise Hint("the errors are right, but another plan within the budget has a smaller one")
    return "Degrees of freedom of operators come first; parts and repeats decide how much of a mean square is theirs."


def _most_operators(plans: list[tuple[int, int, int]], budget: int) -> int:
    """Return the position of the plan with the most operators within a budget."""
    return int(np.argmax([o if p * o * r <= budget else 0 for p, o, r in plans]))


def _relative_errors(plans, operator: float, pair: float, repeat: float) -> np.ndarray:
    p, o, r = np.array(plans, dtype=float).T
    of_pair = repeat + r * pair
    of_operator = of_pair + p * r * operator
    return np.sqrt(2 * of_operator**2 / (o - 1) + 2 * of_pair**2 / ((o - 1) * (p - 1))) / (p * r * operator)


def _plans(
    rng: np.random.Generator, exactly: bool
) -> tuple[list[tuple[int, int, int]], tuple[float, float, float], int]:
    """Return plans of which neither the last nor that with most operators is the best of the budget.

    The best one uses the budget up where it should do so exactly, and has fewer readings otherwise; a plan that is
    beyond the budget comes before it.
    """
    while True:
        plans = [(int(rng.integers(3, 16)), int(rng.integers(2, 13)), int(rng.integers(1, 9))) for _ in range(7)]
        first, second, third = map(float, rng.uniform([0.2, 0.3, 0.5], [1.0, 2.0, 4.0]))
        variances = (first, second, third)
        readings, errors = np.prod(plans, axis=1), _relative_errors(plans, *variances)
        budget = int(np.sort(readings)[4])
        within = np.where(readings <= budget, errors, np.inf)
        best = int(np.argmin(within))
        largest = int(np.argmax(np.where(readings <= budget, readings, 0)))
        others = [int(np.argmin(errors)), _most_operators(plans, budget), int(np.argmin(errors[readings <= budget]))]
        others += [int(np.argmax(np.where(readings <= budget, np.array(plans)[:, 0], 0)))]  # that with most parts
        others += [] if exactly else [largest]
        apart = exactly == (best == largest) and best not in (*others, *(position - 1 for position in others), 6)
        apart = apart and (exactly or largest != _most_operators(plans, budget))
        clear = len(set(plans)) == 7 and len(set(readings)) == 7 and np.sort(within)[1] > 1.02 * within[best]
        if clear and apart:
            return plans, variances, budget


def _check_errors(errors: np.ndarray, right: np.ndarray, plans, variances) -> None:
    if close(errors, right, rtol=1e-6):
        return
    operator, pair_, repeat = variances
    p, o, r = np.array(plans, dtype=float).T
    of_pair = repeat + r * pair_
    of_operator = of_pair + p * r * operator
    first, second = 2 * of_operator**2 / (o - 1), 2 * of_pair**2 / ((o - 1) * (p - 1))
    unit = p * r * operator
    counted = np.sqrt(2 * of_operator**2 / o + 2 * of_pair**2 / (o * p)) / unit
    half = np.sqrt(first + 2 * of_pair**2 / (o * p)) / unit
    mistakes = [
        (counted, "degrees of freedom count differences: three operators make two differences"),
        (half, "the degrees of freedom of pairs are a product of two numbers of differences"),
        (np.sqrt(first + 2 * of_pair**2 / (o * p - 1)) / unit, "pairs have fewer degrees of freedom than that"),
        (np.sqrt(first) / unit, "this leaves one of the two mean squares out"),
        (np.sqrt(first - second) / unit, "variances of independent numbers add up in a difference, too"),
        (right * operator, "this is not in units of the operators' variance"),
        (right**2, "this is a variance of the estimate; a standard error is its root"),
        (right * unit, "the estimate is a difference divided by p r; so is its error"),
        (right * p * r, "the estimate is a difference divided by p r; so is its error"),
        (right / np.sqrt(2), "the variance of a mean square has a factor of two"),
        ((np.sqrt(first) + np.sqrt(second)) / unit, "standard errors do not add up; their squares do"),
    ]
    expect(errors, right, mistakes, "the errors are off; do the expectations belong to the plan's p, o and r?")


CHECKERS = {
    "14.1": read_layers,
    "14.2": gauge_rr,
    "14.3": not_fixed,
    "14.4": batches_or_casks,
    "14.5": next_study,
}
