"""Identification: the same verdict as dense linear algebra, in words that name the layers and say what to do."""

import inspect
import time
import warnings
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path
from string import ascii_lowercase

import numpy as np
import pandas as pd
import pytest

import mlm_tutorial as mlm
from mlm_tutorial import directions
from mlm_tutorial.identifiability import UnidentifiedWarning, aliases, identification, nested_in, warn_if_not_identified

FOLDERS = [Path(mlm.__file__).parent / "data", Path(__file__).resolve().parents[3] / "shared" / "data"]


def table(rows, layers, repeats=2, seed=0, **options):
    """Return cells of a table with some rows, each repeated, and totals that are noise."""
    frame = pd.DataFrame([row for row in rows for _ in range(repeats)], columns=list(layers), dtype=object)
    frame["total"] = np.random.default_rng(seed).normal(size=len(frame))
    return mlm.cell_statistics(frame, layers=list(layers), partial=True, **options)


def public_table(name):
    """Return one of the small public tables; renamed where a layer has a reserved name."""
    found = [folder / f"{name}.csv" for folder in FOLDERS if (folder / f"{name}.csv").exists()]
    if not found:
        pytest.skip(f"needs the public table {name}")
    return pd.read_csv(found[0]).rename(columns={"sample": "specimen"})


def crossed(*sizes):
    return product(*map(range, sizes))


def verdicts(frame, column):
    return dict(frame[column])


def notes(cells):
    return " ".join(identification(cells).attrs["notes"])


def rows_that_lack_layers():
    """Return cells of cc_27, where 1,000 of 10,000 rows lack both layers and 1,000 more lack the second."""
    frame = mlm.PRESETS["cc_27"].simulate(10_000, rng=1).astype({"layer_1": object, "layer_2": object})
    frame.loc[:999, ["layer_1", "layer_2"]] = None
    frame.loc[1000:1999, "layer_2"] = None
    return mlm.cell_statistics(frame, layers=["layer_1", "layer_2"], allow_absent=["layer_1", "layer_2"])


STATES = [(city // 3, city) for city in range(12)]
TIED = [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 0)]


# --- the same as dense linear algebra ---


def null_space(matrix):
    """Return an orthonormal basis of the null space, by a singular value decomposition."""
    _, value, right = np.linalg.svd(matrix)
    return right[np.sum(value > 1e-9 * max(value.max(initial=0), 1)) :].T


def random_design(rng):
    """Return cells of a random small design, and spreads that are known in it."""
    n_layers, n_cells = rng.integers(1, 5), rng.integers(2, 25)
    codes = np.column_stack([rng.integers(m, size=n_cells) for m in rng.integers(2, 6, size=n_layers)])
    kind = rng.choice(["crossed", "nested", "pair", "alias", "groups", "tied"])
    if n_layers > 1 and kind in ("nested", "alias"):
        codes[:, 1] = codes[:, 0] // 2 if kind == "nested" else 7 - codes[:, 0]
    if n_layers > 2 and kind in ("pair", "tied"):
        codes[:, 2] = codes[:, 0] * 10 + codes[:, 1] if kind == "pair" else (codes[:, 0] + codes[:, 1]) % 3
    if kind == "groups":
        codes[n_cells // 2 :] += 10
    layers = [f"layer_{j}" for j in range(n_layers)]
    frame = pd.DataFrame(codes, columns=layers).astype(object)
    absent = [name for name in layers if rng.random() < 0.3]
    for name in absent:
        frame.loc[np.append(False, rng.random(n_cells - 1) < 0.4), name] = None
    frame = pd.concat([frame, frame.iloc[rng.integers(n_cells, size=rng.integers(n_cells))]])
    frame["total"] = rng.normal(size=len(frame))
    cells = mlm.cell_statistics(frame, layers=layers, allow_absent=absent, partial=True)
    known = {"baseline": 1.0} if rng.random() < 0.2 else {}
    for name in layers:
        if rng.random() < 0.2:
            known[name] = 0.0
        elif rng.random() < 0.3:
            known[name] = {label: 0.1 for label in cells.labels[name] if rng.random() < 0.4}
    return cells, known


def owners_of(cells):
    return np.repeat(np.arange(1 + len(cells.layers)), [1, *(len(cells.labels[x]) for x in cells.layers)])


def dense_null_spaces(cells, known):
    """Return bases of the means and of the variances that the data do not show."""
    owners, design = owners_of(cells), cells.design().toarray()
    rules = [owners == j for j, name in enumerate(cells.layers, 1) if name not in cells.absent]
    free = np.ones(len(owners), bool)
    for name, given in known.items():
        own = np.flatnonzero(owners == ("baseline", *cells.layers).index(name))
        free[own] = [label not in given for label in cells.labels[name]] if isinstance(given, dict) else False
    variances = np.zeros((len(owners), 0))
    if free.any():
        part = null_space(design[:, free])
        variances = np.zeros((len(owners), part.shape[1]))
        variances[free] = part
    return null_space(np.vstack([design, *rules])), variances, free


@pytest.mark.slow
@pytest.mark.parametrize("few", [100, 0], ids=["dense", "iterative"])
def test_verdicts_are_those_of_dense_linear_algebra(monkeypatch, few):
    monkeypatch.setattr(directions, "FEW_PARAMETERS", few)
    seen = set()
    for seed in range(200):
        cells, known = random_design(np.random.default_rng(seed))
        means, variances, _ = dense_null_spaces(cells, known)
        owners = owners_of(cells)
        got = identification(cells, known)
        for column, basis in (("means", means), ("spreads", variances)):
            expected = [bool(np.abs(basis[owners == j]).max(initial=0) < 1e-8) for j in range(owners.max() + 1)]
            assert list(got[column]) == expected, (seed, column)
            seen |= {(column, verdict) for verdict in expected}
    assert len(seen) == 4


@pytest.mark.slow(4)
@pytest.mark.parametrize("few", [100, 0], ids=["dense", "iterative"])
def test_a_contrast_is_estimable_if_it_is_orthogonal_to_the_null_space(monkeypatch, few):
    monkeypatch.setattr(directions, "FEW_PARAMETERS", few)
    seen = set()
    for seed in range(100):
        rng = np.random.default_rng(seed)
        cells, known = random_design(rng)
        names = ["baseline", *((layer, label) for layer in cells.layers for label in cells.labels[layer])]
        weights = rng.integers(-1, 2, size=len(names)) * (rng.random(len(names)) < 0.4)
        if seed % 2:  # a combination of rows of the design is always estimable
            weights = rng.integers(-1, 2, size=len(cells)) @ cells.design().toarray()
        if not weights.any():
            continue
        contrast = {name: float(w) for name, w in zip(names, weights, strict=True) if w}
        got = identification(cells, known, {"asked": contrast}).loc["asked"]
        means, variances, free = dense_null_spaces(cells, known)
        expected = [
            bool(np.abs(w @ basis).max(initial=0) < 1e-8)
            for w, basis in ((weights, means), (weights * free, variances))
        ]
        assert [got["means"], got["spreads"]] == expected, seed
        seen |= {(seed % 2, *expected)}
    assert {(1, True, True), (0, True, False), (0, False, False)} <= seen


def test_ties_beyond_pairs_are_distinguished_from_pairs():
    """The null space is spanned by those of two layers each, unless three or more are reported as tied."""
    seen = set()
    for seed in range(120):
        cells, _ = random_design(np.random.default_rng(seed))
        if cells.absent:
            continue
        owners, design = owners_of(cells), cells.design().toarray()
        spans = [np.zeros((len(owners), 1))]
        for i in range(len(cells.layers)):
            for j in range(i):
                used = np.isin(owners, [0, i + 1, j + 1])
                part = null_space(design[:, used])
                spans.append(np.zeros((len(owners), part.shape[1])))
                spans[-1][used] = part
        # With one layer its own average is all that can move.
        gap = null_space(design).shape[1] - max(np.linalg.matrix_rank(np.hstack(spans), tol=1e-9), len(cells.layers))
        words = " ".join(identification(cells)["because"])
        assert ("tied to one another" in words) == (gap > 0), seed
        seen.add(gap > 0)
    assert seen == {True, False}


def test_every_mean_that_is_not_fixed_has_a_reason_that_names_a_layer():
    for seed in range(60):
        cells, known = random_design(np.random.default_rng(seed))
        got = identification(cells, known)
        for name, row in got.iterrows():
            if not row["means"]:
                reason = row["because"].split("not fixed by the data: ")[1].split("Spreads:")[0]
                assert any(layer in reason for layer in cells.layers), (seed, name)
            assert row["because"].startswith(f"Means: {'' if row['means'] else 'not '}fixed by the data")


# --- what each design means ---


def test_crossed_layers_fix_means_and_differences_of_spreads_alone():
    cells = mlm.cell_statistics(mlm.PRESETS["cc_27"].simulate(10_000, rng=1), layers=["layer_1", "layer_2"])
    got = identification(cells)
    assert got.index.name == "component"
    assert list(got.columns) == ["means", "spreads", "because"]
    assert got["means"].dtype == got["spreads"].dtype == bool
    assert verdicts(got, "means") == {"baseline": True, "layer_1": True, "layer_2": True}
    assert verdicts(got, "spreads") == {"baseline": False, "layer_1": False, "layer_2": False}
    for name in cells.layers:
        words = "differences between contributors' spreads are fixed by the data; how much spread all of them share"
        assert f"{words} with the baseline is not: the prior decides" in got.loc[name, "because"]
    assert "contributors of layer_1 and layer_2 share with it" in got.loc["baseline", "because"]
    assert got.attrs["notes"] == []


def test_a_known_baseline_leaves_layers_to_share_with_one_another():
    got = identification(table(crossed(3, 4), "ab"), known_sigma={"baseline": 0.3})
    assert verdicts(got, "spreads") == {"baseline": True, "a": False, "b": False}
    assert "Spreads: known." in got.loc["baseline", "because"]
    assert "share with b is not" in got.loc["a", "because"]
    assert identification(table(crossed(3), "a"), known_sigma={"baseline": 0.3})["spreads"].all()


def test_one_known_contributor_fixes_the_spreads_of_its_layer():
    got = identification(table(crossed(3, 4), "ab"), known_sigma={"a": {1: 0.2}})
    assert verdicts(got, "spreads") == {"baseline": False, "a": True, "b": False}
    assert "fixed by the data where not known" in got.loc["a", "because"]


def test_with_known_spreads_of_all_layers_the_residual_is_identified():
    cells = mlm.cell_statistics(public_table("gauge"), "impedance", layers=["part", "operator"])
    got = identification(cells, known_sigma={"part": 0, "operator": 0})
    assert got["means"].all()
    assert got["spreads"].all()
    assert "Spreads: known." in got.loc["part", "because"]
    assert "Spreads: fixed by the data." in got.loc["baseline", "because"]
    everything = identification(cells, known_sigma={"baseline": 1, "part": 0, "operator": 0})
    assert everything["spreads"].all()


def test_rows_that_lack_a_layer_identify_everything():
    cells = rows_that_lack_layers()
    assert np.linalg.matrix_rank(cells.design().toarray()) == 8
    got = identification(cells)
    assert got["means"].all()
    assert got["spreads"].all()
    assert "as what each contributor adds" in got.loc["layer_2", "because"]


def test_rows_that_lack_one_layer_identify_that_layer():
    rows = [*crossed(3, 4), *((a, None) for a in range(3))]
    got = identification(table(rows, "ab", allow_absent=["b"]))
    assert got["means"].all()
    assert verdicts(got, "spreads") == {"baseline": False, "a": False, "b": True}


def test_a_layer_never_absent_moves_with_the_baseline():
    got = identification(table(crossed(3, 4), "ab", allow_absent=["b"]))
    assert verdicts(got, "means") == {"baseline": False, "a": True, "b": False}
    assert "no row lacks b" in got.loc["b", "because"]
    assert "moves with the means of b" in got.loc["baseline", "because"]


def test_rows_with_one_of_two_layers_fix_their_group():
    """Rows of state 0 without a city identify what the state adds, but not in the other states."""
    cells = table([*STATES, (0, None)], ["state", "city"], allow_absent=["city"])
    contrasts = {state: {("state", 0): 1, ("state", state): -1} for state in (1, 2)}
    contrasts["city_0"] = {("city", 0): 1}
    got = identification(cells, contrasts=contrasts)
    assert verdicts(got, "means") == {
        "baseline": False,
        "state": False,
        "city": False,
        1: False,
        2: False,
        "city_0": True,
    }
    # Each state has rows without a city here, so these two are not the reason why tools are not fixed.
    rows = [(s, c, t, f"r{t}") for s, c in [*crossed(3, 2), *((s, None) for s in range(3))] for t in range(2)]
    cells = table(rows, ["state", "city", "tool", "recipe"], allow_absent=["city"])
    (message,) = caught(cells, pooled=False)
    assert "the means of tool and recipe" in message
    assert "state" not in message
    assert "city" not in message


def test_layers_that_are_absent_together_share_their_averages():
    rows = [*crossed(3, 4), (None, None)]
    got = identification(table(rows, "ab", allow_absent=["a", "b"]))
    assert verdicts(got, "means") == {"baseline": True, "a": False, "b": False}
    assert "a and b take part in the same rows: the data fix what they add together" in got.loc["a", "because"]


def test_cities_inside_states_are_split_by_pooling_alone():
    cells = table(STATES, ["state", "city"], repeats=5)
    contrasts = {
        "inside": {("city", 0): 1, ("city", 1): -1},
        "across": {("city", 0): 1, ("city", 3): -1},
        "sum": {("city", 0): 1, ("state", 0): 1, "baseline": 1},
    }
    got = identification(cells, contrasts=contrasts)
    assert list(got.index) == ["baseline", "state", "city", "inside", "across", "sum"]
    assert got["means"].dtype == got["spreads"].dtype == bool
    assert verdicts(got, "means") == {
        "baseline": True,
        "state": False,
        "city": False,
        "inside": True,
        "across": False,
        "sum": True,
    }
    assert not got["spreads"][:3].any()
    words = "every city lies in one state: the split between their means is decided by pooling alone, not by the data"
    for name in ("state", "city"):
        assert words in got.loc[name, "because"]
        assert "nor are differences between contributors' spreads" in got.loc[name, "because"]
    assert verdicts(got, "spreads")["inside"]
    assert not verdicts(got, "spreads")["across"]
    assert "depends on what the data do not fix of city" in got.loc["across", "because"]
    assert nested_in(cells) == {"state": (), "city": ("state",)}


def test_a_nested_layer_says_which_groups_have_no_row_without_it():
    states = sorted({state for state, _ in STATES})
    rows = [*STATES, *((state, None) for state in states[:-1])]
    contrasts = {
        "two with such rows": {("state", states[0]): 1, ("state", states[1]): -1},
        "one without": {("state", states[0]): 1, ("state", states[-1]): -1},
    }
    got = identification(table(rows, ["state", "city"], allow_absent=["city"]), contrasts=contrasts)
    assert got.loc[list(contrasts), "means"].tolist() == [True, False]
    assert (
        f"every city lies in one state: where no row lacks city ({states[-1]}), the split"
        in got.loc["state", "because"]
    )


def test_unequal_numbers_of_cities_leave_the_baseline_open_too():
    got = identification(table([*STATES, (3, 12)], ["state", "city"]))
    assert not got["means"].any()
    assert "moves with the means of state and city" in got.loc["baseline", "because"]


def test_a_layer_crossed_with_nested_ones_stays_identified():
    rows = [(s, c, d) for s, c in STATES for d in range(4)]
    got = identification(table(rows, ["state", "city", "day"]))
    assert verdicts(got, "means") == {"baseline": True, "state": False, "city": False, "day": True}
    assert "day" not in got.loc["city", "because"]
    assert "differences between contributors' spreads are fixed" in got.loc["day", "because"]


def test_a_pair_layer_is_nested_in_both_of_its_parts():
    rows = [(p, o, f"{p}:{o}") for p, o in crossed(10, 3)]
    cells = table(rows, ["part", "operator", "pair"], repeats=3)
    interaction = {("pair", "0:0"): 1, ("pair", "0:1"): -1, ("pair", "1:0"): -1, ("pair", "1:1"): 1}
    got = identification(cells, contrasts={"interaction": interaction})
    assert verdicts(got, "means") == {
        "baseline": True,
        "part": False,
        "operator": False,
        "pair": False,
        "interaction": True,
    }
    for name in cells.layers:
        assert "every pair lies in one part and one operator" in got.loc[name, "because"]
    assert "they fix what cancels in every part and every operator: the interaction" in got.loc["pair", "because"]
    assert "tied" not in " ".join(got["because"])
    assert nested_in(cells) == {"part": (), "operator": (), "pair": ("part", "operator")}


def test_layers_with_the_same_contributors_are_reported_as_one():
    cells = table([(i, "WXYZ"[i]) for i in range(4)], ["tool", "recipe"], repeats=20)
    got = identification(cells)
    assert verdicts(got, "means") == {"baseline": True, "tool": False, "recipe": False}
    for name in cells.layers:
        assert "tool and recipe have the same contributors under other labels" in got.loc[name, "because"]
        assert "Leave one of them out" in got.loc[name, "because"]
    assert aliases(cells) == {"tool": ("recipe",), "recipe": ("tool",)}
    assert nested_in(cells) == {"tool": (), "recipe": ()}


def test_groups_that_never_meet_are_shown():
    rows = [*product("AB", (1, 2, 3)), *product("CD", (4, 5))]
    got = identification(table(rows, ["operator", "part"]))
    assert verdicts(got, "means") == {"baseline": False, "operator": False, "part": False}
    words = "operator and part fall into 2 groups that never meet (operator A, B | C, D)"
    assert words in got.loc["part", "because"]
    assert "Compare within a group" in got.loc["part", "because"]


def test_groups_of_three_layers_are_reported_once():
    rows = [(*x, g) for g in (0, 1) for x in crossed(2, 3)]
    rows = [(f"{g}{a}", f"{g}{b}", f"{g}{c}") for g in (0, 1) for a, b, c in crossed(2, 3, 2)]
    because = identification(table(rows, "abc")).loc["a", "because"]
    assert because.count("never meet") == 1
    assert "a, b and c fall into 2 groups" in because


def test_contributors_that_always_come_together_are_named():
    rows = [*product("AB", (1, 2, 3)), ("C", 4)]
    because = identification(table(rows, ["operator", "part"])).loc["operator", "because"]
    assert "Always together: operator C with 4 of part" in because


def test_three_layers_can_be_tied_although_no_two_are():
    cells = table([(i, j, (i + j) % 3) for i, j in TIED], "abc", repeats=3)
    got = identification(cells)
    assert verdicts(got, "means") == {"baseline": True, "a": False, "b": False, "c": False}
    for name in "abc":
        assert "a, b and c are tied to one another, although any two" in got.loc[name, "because"]
        assert "6 combinations of contributors for 7 means" in got.loc[name, "because"]
    for two in ("ab", "ac", "bc"):
        frame = cells.to_frame().rename(columns={"mean": "total"})
        assert identification(mlm.cell_statistics(frame, layers=list(two)))["means"].all()


def test_ties_and_confounded_pairs_are_both_reported():
    because = identification(table([(i, f"r{i}", j, (i + j) % 3) for i, j in TIED], "adbc"))["because"]
    assert "a and d have the same contributors" in because["a"]
    assert "a, d, b and c are tied to one another:" in because["a"]  # no claim about pairs of them


def test_names_that_are_not_words_are_quoted():
    because = identification(table(STATES, ["a.b", "c d"])).loc["a.b", "because"]
    assert "every 'c d' lies in one 'a.b'" in because


def test_public_tables_get_the_right_verdicts():
    paste = public_table("paste")
    nested = identification(mlm.cell_statistics(paste, "strength", layers=["batch", "specimen"]))
    assert verdicts(nested, "means") == {"baseline": True, "batch": False, "specimen": False}
    reused = identification(mlm.cell_statistics(paste, "strength", layers=["batch", "cask"]))
    assert reused["means"].all()
    penicillin = public_table("penicillin")
    got = identification(mlm.cell_statistics(penicillin, "diameter", layers=["plate", "specimen"]))
    assert got["means"].all()
    assert got.attrs["notes"] == []
    gauge = public_table("gauge")
    gauge["pair"] = [f"{p}:{o}" for p, o in zip(gauge["part"], gauge["operator"], strict=True)]
    got = identification(mlm.cell_statistics(gauge, "impedance", layers=["part", "operator", "pair"]))
    assert verdicts(got, "means") == {"baseline": True, "part": False, "operator": False, "pair": False}


def test_flights_fix_all_means():
    frame = mlm.load_flights()
    frame = frame.assign(minutes_lost=frame["arr_delay"] - frame["dep_delay"])
    got = identification(mlm.cell_statistics(frame, "minutes_lost", layers=["carrier", "origin", "month"]))
    assert got["means"].all()
    assert not got["spreads"].any()


# --- any size ---


def large_cells(codes):
    codes = np.unique(codes, axis=0)
    layers = tuple("abcd"[: codes.shape[1]])
    labels = {name: tuple(range(codes[:, j].max() + 1)) for j, name in enumerate(layers)}
    totals = np.random.default_rng(0).normal(size=len(codes))
    return mlm.Cells(layers, labels, codes, np.full(len(codes), 2), totals, np.ones(len(codes)))


def test_70_000_cells_take_seconds():
    rng = np.random.default_rng(3)
    codes = np.column_stack([rng.integers(3_000, size=70_000), rng.integers(1_000, size=70_000)])
    cells = large_cells(np.column_stack([codes, codes[:, 0] // 214]))
    start = time.perf_counter()
    got = identification(cells)
    seconds = time.perf_counter() - start
    assert verdicts(got, "means") == {"baseline": False, "a": False, "b": True, "c": False}
    assert "every a lies in one c" in got.loc["a", "because"]
    assert "differences between contributors' spreads are fixed" in got.loc["b", "because"]
    assert seconds < 10  # alone on two cores it is under 2; other programs may want them too


def test_a_chain_of_a_thousand_links_holds_until_one_is_cut():
    """The weakest direction of a chain is a thousand times weaker than its strongest: hard for an iterative solver."""
    chain = np.array([link for i, j in pairwise(range(501)) for link in ((i, i), (i, j))][:-1])
    assert identification(large_cells(chain))["means"].all()
    cut = identification(large_cells(np.delete(chain, 601, axis=0)))
    assert not cut["means"][["a", "b"]].any()
    assert "2 groups that never meet" in cut.loc["a", "because"]


# --- how layers are related ---


def test_nesting_requires_the_coarser_layer_in_every_row():
    assert nested_in(table(STATES, ["state", "city"]))["city"] == ("state",)
    for city in (5, 12):  # in rows with a state too, or never
        lacking = [*STATES, (None, city)]
        assert nested_in(table(lacking, ["state", "city"], allow_absent=["state"]))["city"] == ()
    other_way = [*STATES, (2, None)]
    assert nested_in(table(other_way, ["state", "city"], allow_absent=["city"]))["city"] == ("state",)
    assert nested_in(table([*STATES, (1, 0)], ["state", "city"]))["city"] == ()
    more_states = [*STATES, *((state, None) for state in range(4, 20))]
    assert nested_in(table(more_states, ["state", "city"], allow_absent=["city"]))["city"] == ()


def test_nesting_is_reported_through_several_levels():
    rows = [(city // 6, city // 3, city) for city in range(12)]
    assert nested_in(table(rows, "abc")) == {"a": (), "b": ("a",), "c": ("a", "b")}


def test_aliases_differ_in_rows_that_lack_one_of_them():
    rows = [(i, f"r{i}") for i in range(3)]
    assert aliases(table(rows, "ab"))["a"] == ("b",)
    assert aliases(table([*rows, (None, None)], "ab", allow_absent=["a", "b"]))["a"] == ("b",)
    assert aliases(table([*rows, (0, None)], "ab", allow_absent=["b"]))["a"] == ()


# --- residuals ---


def test_a_saturated_table_leaves_no_residual():
    rows = [(p, o, f"{p}:{o}") for p, o in crossed(4, 3)]
    cells = table(rows, ["part", "operator", "pair"], repeats=1)
    known = {"part": 0, "operator": 0, "pair": 0}
    got = identification(cells, known_sigma=known)
    assert got["spreads"].all()  # by the rank of the design; the words add what it overlooks
    assert "no residual degree of freedom is left" in got.loc["baseline", "because"]
    assert "no residual degree" not in notes(table(rows, ["part", "operator", "pair"]))
    assert "no residual degree" not in notes(table(crossed(4, 3), "ab", repeats=1))


def test_residual_degrees_of_freedom_use_the_rank():
    seen = set()
    for seed in range(100):
        cells, _ = random_design(np.random.default_rng(seed))
        expected = cells.n_observations <= np.linalg.matrix_rank(cells.design().toarray())
        assert ("no residual degree" in notes(cells)) == expected, seed
        seen.add(bool(expected))
    assert seen == {True, False}


def test_totals_that_are_sums_of_the_layers_are_noticed():
    frame = pd.DataFrame(crossed(4, 3), columns=["a", "b"])
    for offset in (0, 1e9, 1e14 / 3):
        exact = frame.assign(total=offset + frame["a"] * 2.5 - frame["b"])
        assert "explain every total exactly" in notes(mlm.cell_statistics(exact, layers=["a", "b"]))
    cells = mlm.cell_statistics(frame.assign(total=1e12 + frame["a"] * 2.5 - frame["b"]), layers=["a", "b"])
    rounded = replace(cells, mean=np.nextafter(cells.mean, np.where(frame["a"] == frame["b"], np.inf, -np.inf)))
    assert "explain every total exactly" in notes(rounded)
    noise = np.random.default_rng(1).normal(scale=1e-3, size=len(frame))
    near = frame.assign(total=1e9 + frame["a"] * 2.5 - frame["b"] + noise)
    assert "exactly" not in notes(mlm.cell_statistics(near, layers=["a", "b"]))


def test_two_operators_without_repeats_hide_whose_spread_it_is():
    """The residual is only the difference of two readings of a part: Grubbs (1948) needed a third instrument."""
    known = {"part": 0}
    two = identification(table(crossed(10, 2), ["part", "operator"], repeats=1), known)
    assert "do not tell spreads of operator apart" in two.loc["operator", "because"]
    three = identification(table(crossed(10, 3), ["part", "operator"], repeats=1), known)
    assert "do not tell spreads" not in " ".join(three["because"])
    repeated = identification(table(crossed(10, 2), ["part", "operator"], repeats=2), known)
    assert "do not tell spreads" not in " ".join(repeated["because"])


def test_what_residuals_hide_is_the_null_space_of_their_covariance():
    """By brute force: the covariance of every combination of rows that is free of means."""
    seen = set()
    for seed in range(80):
        cells, known = random_design(np.random.default_rng(seed))
        _, variances, free = dense_null_spaces(cells, known)
        owners = owners_of(cells)
        rows = np.repeat(cells.design().toarray(), cells.n, axis=0)
        contrasts = null_space(rows.T)
        if not contrasts.size or not free.any():
            continue
        effects = [(contrasts.T @ (column[:, None] * contrasts)).ravel() for column in rows[:, free].T]
        part = null_space(np.linalg.qr(np.array(effects).T, mode="r"))
        hidden = np.zeros((len(owners), part.shape[1]))
        hidden[free] = part
        lost = []
        for j, name in enumerate(("baseline", *cells.layers)):
            own, other = variances[owners == j], hidden[owners == j]
            zero = [np.abs(x).max(initial=0) < 1e-8 for x in (own, other)]
            alike = [np.abs(x - x.mean(axis=0)).max(initial=0) < 1e-8 for x in (own, other)]
            if (zero[0] and not zero[1]) or (j and alike[0] and not alike[1]):
                lost.append(name)
        because = identification(cells, known)["because"]
        assert [name for name in because.index if "do not tell spreads" in because[name]] == lost, seed
        seen.add(bool(lost))
    assert seen == {True, False}


# --- signs of trouble ---


def grouped_readings(n_groups, n_reused, repeats, seed, effect=0.0, own=0.0, sd=1.0):
    """Return cells of groups by reused labels, where each group's label has a mean of its own beside the label's."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        product(range(n_groups), ascii_lowercase[:n_reused], range(repeats)), columns=["batch", "cask", "_"]
    )
    mean = rng.normal(size=n_groups)[frame["batch"]]
    mean = mean + own * rng.normal(size=n_reused)[frame["cask"].map(ascii_lowercase.index)]
    mean = mean + effect * np.repeat(rng.normal(size=n_groups * n_reused), repeats)
    spread = np.exp(rng.normal(0, np.log(sd), size=n_groups))[frame["batch"]]
    frame["total"] = mean + spread * rng.normal(size=len(frame))
    return mlm.cell_statistics(frame, layers=["batch", "cask"])


def test_labels_that_are_reused_in_every_group_are_pointed_out():
    found = [notes(grouped_readings(10, 3, 2, seed, effect=3.0)) for seed in range(40)]
    assert np.mean(["If cask a of one batch is not cask a of another" in x for x in found]) > 0.85
    assert np.mean(["cask's own averages say nothing" in x for x in found]) > 0.8
    told = identification(grouped_readings(10, 3, 4, 0, effect=3.0))["because"]
    assert "such as '0:a'" in told["cask"]
    assert "such as '0:a'" in told["batch"]
    assert "Note" not in told["baseline"]


@pytest.mark.slow(4)
@pytest.mark.parametrize("sd", [1.0, 2.0], ids=["spreads alike", "spreads of their own"])
def test_crossed_layers_raise_no_alarm_of_reused_labels(sd):
    for seed in range(100):
        assert "miss the sum" not in notes(grouped_readings(10, 3, 2, seed, own=2.0, sd=sd)), seed


def test_a_third_layer_does_not_hide_labels_that_are_reused():
    cells = grouped_readings(10, 3, 2, 1, effect=3.0)
    frame = pd.concat([cells.to_frame().assign(day=day, total=cells.mean + day) for day in (0, 1)])
    frame["total"] += np.random.default_rng(0).normal(size=len(frame))
    three = mlm.cell_statistics(frame[["batch", "cask", "day", "total"]], layers=["batch", "cask", "day"])
    assert "If cask a of one batch is not cask a of another" in notes(three)
    frame["sample"] = [f"{b}{c}" for b, c in zip(frame["batch"], frame["cask"], strict=True)]
    frame = frame[["batch", "cask", "sample", "total"]].rename(columns={"sample": "pair"})
    assert "miss the sum" not in notes(mlm.cell_statistics(frame, layers=["batch", "cask", "pair"]))


@pytest.mark.slow(4)
@pytest.mark.parametrize("repeats", [12, 150])
def test_reused_labels_are_found_with_many_rows_and_small_interactions_are_not(repeats):
    reused = [notes(grouped_readings(8, 4, repeats, seed, effect=1.0)) for seed in range(20)]
    assert np.mean(["If cask a of one batch is not cask a of another" in x for x in reused]) > 0.85
    small = [notes(grouped_readings(8, 4, repeats, seed, effect=0.5, own=3.0)) for seed in range(20)]
    assert not any("miss the sum" in x for x in small)
    assert not any("miss the sum" in notes(grouped_readings(8, 4, repeats, seed, sd=2.0)) for seed in range(40))


@pytest.mark.parametrize("rows", [600, 3_000])
def test_a_layer_of_dates_does_not_hide_labels_that_are_reused(rows):
    """Dates make many small cells."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        site, machine, date = (rng.integers(size, size=rows) for size in (6, 5, 60))
        frame = pd.DataFrame({"site": site, "machine": machine, "date": date})
        noise = rng.normal(0, 1.5, 60)[date] + rng.normal(0, 5, rows)
        reused, crossed = (rng.normal(0, 4, (n, 5))[site % n, machine] + noise for n in (6, 1))
        cells = [mlm.cell_statistics(frame.assign(total=x), layers=list(frame)) for x in (reused, crossed)]
        assert len(cells[0]) > 490
        assert "If machine 0 of one site is not machine 0 of another" in notes(cells[0])
        assert "miss the sum" not in notes(cells[1])


@pytest.mark.parametrize(("effect", "found"), [(3.0, 20), (0.0, 0)])
def test_a_random_part_of_a_large_table_shows_labels_that_are_reused(effect, found):
    """40 groups of 26 labels: 1,040 pairs, of which some 290 are tested."""
    told = [notes(grouped_readings(40, 26, 2, seed, effect=effect)) for seed in range(20)]
    assert sum("If cask a of one batch is not cask a of another" in x for x in told) == found


def test_operators_of_the_gauge_study_interact_with_parts():
    cells = mlm.cell_statistics(public_table("gauge"), "impedance", layers=["part", "operator"])
    assert "Else part and operator interact: add that pair as a layer" in notes(cells)
    assert "say nothing" not in notes(cells)  # operators differ by more than they interact


def test_the_casks_of_paste_are_pointed_out():
    cells = mlm.cell_statistics(public_table("paste"), "strength", layers=["batch", "cask"])
    assert "cask's own averages say nothing. If cask a of one batch is not cask a of another" in notes(cells)


@pytest.mark.parametrize("label", ["unknown", "N/A", " - ", "?", "None"])
def test_a_label_that_stands_for_missing_ones_is_no_contributor(label):
    """Filled in for lots of several tools, it connects tools whose difference the data do not fix."""
    frame = nested_with(label)
    report = identification(
        mlm.cell_statistics(frame, "y", ["tool", "lot"]), contrasts={"A - B": {("tool", "A"): 1, ("tool", "B"): -1}}
    )
    assert report.loc["A - B", "means"]  # which is why somebody has to be told
    assert f"lot has a contributor called {label!r}" in report.loc["lot", "because"]


def nested_with(label):
    """Return rows of three lots in each of two tools; one row in six has `label` in place of its lot."""
    rng = np.random.default_rng(11)
    tool, lot = np.repeat(["A", "B"], 36), np.tile(np.repeat(["1", "2", "3"], 12), 2)
    lot = np.where(np.arange(72) % 6 == 0, label, np.char.add(tool, lot))
    return pd.DataFrame({"tool": tool, "lot": lot, "y": rng.normal(size=72)})


def test_rows_that_lack_a_nested_layer_are_said_to_tell_it_from_its_group():
    frame = nested_with("x")
    frame["lot"] = frame["lot"].astype(object).where(frame["lot"] != "x", None)
    report = identification(mlm.cell_statistics(frame, "y", ["tool", "lot"], allow_absent=["lot"]))
    assert report.loc["tool", "means"]
    assert "only the 12 of 72 rows without a lot tell tool and lot apart" in report.loc["tool", "because"]
    one_tool = frame[frame["lot"].notna() | (frame["tool"] == "A")]
    report = identification(mlm.cell_statistics(one_tool, "y", ["tool", "lot"], allow_absent=["lot"]))
    assert not report.loc["tool", "means"]
    assert not any("tell tool and lot apart" in note for note in report.attrs["notes"])


def test_rows_that_lack_a_group_are_said_to_tell_it_from_its_members():
    """Four wards that nobody wrote down would otherwise decide the split of wards and nurses, without a word."""
    frame = nested_with("x")
    frame["lot"] = frame["tool"] + frame["lot"].where(frame["lot"] != "x", "9").str[-1]
    frame["tool"] = frame["tool"].astype(object).where(~frame.index.isin([1, 40]), None)
    report = identification(mlm.cell_statistics(frame, "y", ["tool", "lot"], allow_absent=["tool"]))
    assert report.loc["tool", "means"]
    assert "only the 2 of 72 rows without a tool tell tool and lot apart" in report.loc["lot", "because"]


@pytest.mark.parametrize("ending", ["-unknown", ":", "/nan", " None", "_?"])
def test_a_missing_label_is_seen_after_it_was_joined_with_another(ending):
    frame = nested_with("x")
    frame["lot"] = np.where(frame["lot"] == "x", frame["tool"] + ending, frame["lot"])
    because = identification(mlm.cell_statistics(frame, "y", ["tool", "lot"]))["because"]
    joined = ", ".join(repr(tool + ending) for tool in "AB")
    assert f"lot has the contributors {joined}. If these are labels of another layer joined" in because["lot"]


@pytest.mark.parametrize("label", ["unknown-soldier", "Ti-Na", "line 7"])
def test_labels_that_only_contain_such_a_word_are_left_alone(label):
    frame = nested_with("unknown").replace({"lot": {"unknown": label}})
    found = identification(mlm.cell_statistics(frame, "y", ["tool", "lot"])).attrs["notes"]
    assert not any("called" in note or "joined" in note for note in found)


def test_labels_that_differ_in_case_spaces_or_type_are_listed():
    rows = product(["Ann", "ann ", "Bo", "B o", 101, "101", "Cy", 7], range(3))
    because = identification(table(rows, ["who", "day"]))["because"]
    assert "labels of who differ only in case, spaces or type" in because["who"]
    for pair in ("101 and '101'", "'Ann' and 'ann '", "'B o' and 'Bo'"):
        assert pair in because["who"]
    assert "Cy" not in because["who"]
    assert "differ only" not in because["day"]


def test_labels_of_any_kind_are_compared():
    rows = product([True, 1.5, ("a", 1), b"x", None, pd.Timestamp("2020-01-01")], range(2))
    assert "differ only" not in notes(table(rows, "ab", allow_absent=["a"]))


def test_contributors_with_few_rows_are_counted():
    rows = [(i, i % 3) for i in range(12)]
    assert "a has 2.0 rows per contributor on average" in notes(table(rows, "ab", repeats=2))
    assert "rows per contributor" not in notes(table(rows, "ab", repeats=3))
    assert "every a has a single row" in notes(table(rows, "ab", repeats=1))
    frame = table([*crossed(3, 4)] * 2, "ab").to_frame().rename(columns={"mean": "total"}).drop(columns=["n", "sum_sq"])
    frame = pd.concat([frame] * 3 + [pd.DataFrame({"a": [99], "b": [0], "total": [0.5]})])
    assert "1 of 4 contributors of a have a single row (99)" in notes(mlm.cell_statistics(frame, layers=["a", "b"]))


# --- warnings of models ---


def caught(cells, pooled):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        warn_if_not_identified(cells, None, pooled)
    assert all(x.category is UnidentifiedWarning for x in found)
    return [str(x.message) for x in found]


def test_an_unpooled_model_warns_of_unidentified_means():
    (message,) = caught(table(STATES, ["state", "city"]), pooled=False)
    assert message.startswith("the data do not fix the means of state and city")
    assert "every city lies in one state" in message
    assert "pooled=True" in message
    assert caught(table(STATES, ["state", "city"]), pooled=True) == []


def test_models_of_crossed_layers_do_not_warn():
    for cells in (table(crossed(3, 4), "ab"), rows_that_lack_layers()):
        assert caught(cells, pooled=False) == caught(cells, pooled=True) == []


def test_a_pooled_model_warns_of_layers_with_the_same_contributors():
    cells = table([(i, "WXYZ"[i]) for i in range(4)], ["tool", "recipe"])
    (message,) = caught(cells, pooled=True)
    assert "tool and recipe have the same contributors" in message
    (message,) = caught(cells, pooled=False)
    assert "pooled=True" not in message  # pooling would not help


def test_a_warning_points_to_the_line_that_made_the_model():
    def model(cells):
        warn_if_not_identified(cells, {}, pooled=False, stacklevel=3)

    cells = table(STATES, ["state", "city"])
    with pytest.warns(UnidentifiedWarning) as found:
        model(cells)
    here = inspect.currentframe().f_lineno - 1
    assert (found[0].filename, found[0].lineno) == (__file__, here)


def test_looking_at_a_dozen_cells_takes_milliseconds():
    for cells in (table(crossed(3, 4), "ab"), table(STATES, ["state", "city"])):
        seconds = []
        for _ in range(5):
            start = time.perf_counter()
            caught(cells, pooled=False)
            seconds.append(time.perf_counter() - start)
        assert min(seconds) < 0.02


def test_the_package_gives_the_public_names():
    assert mlm.identification is identification
    assert mlm.UnidentifiedWarning is UnidentifiedWarning
    assert issubclass(UnidentifiedWarning, UserWarning)


# --- bad input ---


def test_other_objects_than_cells_are_refused():
    with pytest.raises(TypeError, match=r"expected Cells, got DataFrame; make them with mlm\.cell_statistics"):
        identification(pd.DataFrame())


@pytest.mark.parametrize(
    ("known", "error", "message"),
    [
        ({"c": 0}, ValueError, "no layer named 'c'; there are"),
        ({"a": {9: 0}}, ValueError, r"known_sigma\['a'\] names 9, which is not a label of that layer"),
        ({"a": -1}, ValueError, r"known_sigma\['a'\] must be zero or positive"),
        ({"a": "1"}, TypeError, r"known_sigma\['a'\] must be a number, got '1'"),
        ({"baseline": {0: 1}}, TypeError, r"known_sigma\['baseline'\] must be a number"),
        (3, TypeError, "known_sigma must map a component"),
    ],
)
def test_known_spreads_must_be_of_these_cells(known, error, message):
    with pytest.raises(error, match=message):
        identification(table(crossed(2, 3), "ab"), known_sigma=known)


@pytest.mark.parametrize(
    ("contrast", "error", "message"),
    [
        ({("c", 0): 1}, ValueError, "no layer named 'c'; there are"),
        ({("a", 7): 1}, ValueError, "contrast 'x' names 7, which is not a label of layer 'a'"),
        ({"a": 1}, TypeError, r"contrast 'x': expected 'baseline' or a pair \(layer, label\), got 'a'"),
        ({("a", 0): "1"}, TypeError, "the weight of .* must be a finite number, got '1'"),
        ({("a", 0): 0}, ValueError, "contrast 'x': all weights are zero"),
        ([("a", 0)], TypeError, "contrast 'x': expected a mapping"),
    ],
)
def test_a_contrast_must_name_contributors_of_these_cells(contrast, error, message):
    with pytest.raises(error, match=message):
        identification(table(crossed(2, 3), "ab"), contrasts={"x": contrast})


def test_a_contrast_cannot_have_the_name_of_a_component():
    with pytest.raises(ValueError, match="a contrast cannot be called 'a'"):
        identification(table(crossed(2, 3), "ab"), contrasts={"a": {"baseline": 1}})
