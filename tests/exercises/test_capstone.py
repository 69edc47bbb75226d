"""The capstone: what is planted can be found, what cannot be said cannot be said, and claims are graded one by one."""

import contextlib
import io
import itertools
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mlm_tutorial as mlm
from mlm_tutorial.exercises import capstone as planted
from mlm_tutorial.exercises.answers import Hint
from mlm_tutorial.exercises.capstone import CANNOT, CLAIMED, FOUND, MISSED, QUESTIONS
from tests.support.classroom import table_of
from tools.grading.reading import set_of
from tools.grading.sources import read_source, read_sources, solved, stub_notebook

ROOT = Path(__file__).resolve().parents[2]
SOURCE = read_source(ROOT / "notebooks" / "exercise_sources" / "capstone.py")
SEEDS = range(200)
#: Every seed's case, drawn once.
CASES = {}


def case_of(seed):
    if seed not in CASES:
        CASES[seed] = planted.draw(np.random.default_rng(seed))
    return CASES[seed]


def loaves_of(case):
    return case.table.dropna(subset="divider").reset_index(drop=True)


def true_claims(case):
    """Return a right claim for each question; an interval around its truth."""
    claims = dict(case.truth)
    claims["share"] = (max(claims["share"] - 0.1, 0), min(claims["share"] + 0.1, 1))
    if claims["scale"] != CANNOT:
        claims["scale"] = (claims["scale"] / 1.4, claims["scale"] * 1.4)
    return claims


def score(case, claims):
    """Return the share of all points."""
    report = planted.Capstone(0, case.table, "", case).grade(claims)
    return report["points"].sum() / report["of"].sum()


# --- what is planted ---


def test_a_seed_has_its_own_table():
    one, again, other = mlm.capstone(5), mlm.capstone(5), mlm.capstone(6)
    pd.testing.assert_frame_equal(one.table, again.table)
    assert not one.table.equals(other.table)
    assert "D1" not in repr(one)
    assert repr(one) == "Capstone(seed=5)"


def test_each_trap_is_in_some_tables_and_not_in_others():
    plans = pd.DataFrame([case_of(seed).plan for seed in SEEDS])
    for name in ("own", "day", "tails", "reference"):
        assert 0.35 < plans[name].mean() < 0.65, name
    assert 0.35 < (plans["wide"] >= 0).mean() < 0.65
    truths = pd.DataFrame([case_of(seed).truth for seed in SEEDS])
    assert truths["mislabelled"].value_counts(normalize=True).between(0.15, 0.35).all()
    assert 0.4 < (truths["baker"] == CANNOT).mean() < 0.75
    assert truths["largest"].value_counts(normalize=True).between(0.08, 0.45).all()
    assert set(truths["largest"]) == {"divider", "pocket", "date", CANNOT}


def test_planted_means_are_what_the_answers_say():
    for seed in SEEDS:
        case = case_of(seed)
        effects = case.effects
        sds = {
            "divider": np.sqrt(np.mean(effects["divider"] ** 2)),
            "pocket": np.sqrt(np.mean(effects["pocket"] ** 2)),
            "date": effects["date"].std(),
        }
        assert np.allclose(effects["divider"].reshape(2, 3).mean(axis=1), 0)
        assert np.allclose(effects["pocket"].mean(axis=1), 0)
        assert (sds["date"] == 0) == (case.truth["day"] == "no")
        assert np.all(effects["pocket"] == effects["pocket"][0]) == (case.truth["pocket"] == "shared")
        first, second, _ = sorted(sds, key=sds.get, reverse=True)
        if case.truth["largest"] == CANNOT:
            assert sds["divider"] == pytest.approx(sds["pocket"], rel=1e-12)
            assert {first, second} == {"divider", "pocket"}
        else:
            assert case.truth["largest"] == first
            assert sds[first] >= 1.99 * sds[second]
        best, next_best = np.sort(effects["baker"])[[-1, -2]]
        assert best - next_best >= 5 or case.truth["baker"] == CANNOT


def differences_of_bakers_are_fixed(loaves):
    """Return whether the design determines the difference of every two bakers, by its rank."""
    place = loaves["divider"] + loaves["pocket"]
    blocks = [pd.get_dummies(column, dtype=float).to_numpy() for column in (place, loaves["baker"], loaves["date"])]
    design = np.unique(np.hstack(blocks), axis=0)
    start = blocks[0].shape[1]
    rank = np.linalg.matrix_rank(design)
    contrasts = np.zeros((blocks[1].shape[1] - 1, design.shape[1]))
    contrasts[:, start] = -1
    contrasts[np.arange(len(contrasts)), start + 1 + np.arange(len(contrasts))] = 1
    return np.linalg.matrix_rank(np.vstack([design, contrasts])) == rank


@pytest.mark.slow
def test_bakers_whose_difference_the_data_do_not_fix_cannot_be_compared():
    seen = set()
    for seed in range(60):
        case = case_of(seed)
        fixed = differences_of_bakers_are_fixed(loaves_of(case))
        assert fixed == (case.plan["bakers"] != "apart" and case.truth["mislabelled"] != "baker")
        assert fixed or case.truth["baker"] == CANNOT
        seen.add((fixed, case.truth["baker"] == CANNOT))
    assert seen == {(True, True), (True, False), (False, True)}


def test_bakers_who_are_not_told_apart_have_the_same_mean_or_are_not_compared():
    for seed in SEEDS:
        case = case_of(seed)
        if case.truth["baker"] == CANNOT and case.plan["bakers"] == "tied" and case.truth["mislabelled"] != "baker":
            first, second, third = np.sort(case.effects["baker"])[[-1, -2, -3]]
            assert first == second
            assert second - third >= 5


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_the_scale_is_known_only_from_rows_without_a_loaf(seed):
    case = case_of(seed)
    layers = ["divider", "pocket", "baker"]
    reference = case.table["divider"].isna().any()
    cells = mlm.cell_statistics(case.table, "weight_g", layers, allow_absent=layers if reference else [])
    assert mlm.identification(cells).loc["baseline", "spreads"] == reference == (case.truth["scale"] != CANNOT)


def test_a_mislabelled_column_contradicts_the_note_and_no_other_does():
    for seed in SEEDS:
        case = case_of(seed)
        loaves = loaves_of(case)
        found = set()
        dividers = loaves.groupby("baker")["divider"].nunique()
        assert (dividers == 1).all() or (dividers > 1).all()
        found |= {"baker"} if (dividers == 1).all() else set()
        sizes = loaves["batch"].value_counts()
        assert (sizes == 1).all() or sizes.median() == 6
        found |= {"batch"} if (sizes == 1).all() else set()
        follows = abs(loaves["room_c"].corr(loaves["weight_g"]))
        assert follows > 0.999 or follows < 0.2
        found |= {"room_c"} if follows > 0.999 else set()
        assert (found or {"none"}) == {case.truth["mislabelled"]}
        # The others hold what the note says.
        assert len(loaves[["divider", "line"]].drop_duplicates()) == loaves["divider"].nunique()
        assert set(loaves["pocket"]) == set("1234")
        assert loaves["room_c"].between(10, 26).all()


# --- grading ---


@pytest.mark.parametrize("seed", range(0, 200, 20))
def test_true_claims_get_all_points_and_each_wrong_one_loses_its_own(seed):
    case = case_of(seed)
    right = true_claims(case)
    assert score(case, right) == 1
    for name in QUESTIONS:
        for wrong in wrong_claims(name, case):
            points = sum(question.points for question in QUESTIONS.values())
            assert score(case, right | {name: wrong}) == pytest.approx(1 - QUESTIONS[name].points / points)


def wrong_claims(name, case):
    """Return wrong claims that can be read."""
    truth = case.truth[name]
    if name not in ("share", "scale"):
        return [claim for claim in [*case.options(name), CANNOT] if claim != truth]
    if truth == CANNOT:
        return [(1.0, 2.0)]
    width = 0.2 if name == "share" else 1
    too_wide = (max(truth - 0.2, 0), min(truth + 0.2, 1)) if name == "share" else (truth / 2, truth * 2)
    return [CANNOT, (truth + 1e-9, min(truth + width, 1 if name == "share" else 9)), too_wide]


@pytest.mark.parametrize(
    ("claim", "truth", "verdict"),
    [
        ("yes", "yes", FOUND),
        ("no", "no", FOUND),
        (CANNOT, CANNOT, FOUND),
        ("no", "yes", MISSED),
        ("none", "D1", MISSED),
        (CANNOT, "yes", MISSED),
        (CANNOT, "no", MISSED),
        ("yes", "no", CLAIMED),
        ("D1", "none", CLAIMED),
        ("D1", "D2", CLAIMED),
        ("Ana", CANNOT, CLAIMED),
    ],
)
def test_a_claim_is_found_missed_or_claimed_too_much(claim, truth, verdict):
    assert planted.judged_choice(claim, truth)[0] == verdict


def test_an_interval_holds_the_truth_and_is_no_wider_than_asked():
    judged = planted.judged_interval
    assert judged("share", (0.4, 0.6), 0.5)[0] == FOUND
    assert judged("share", np.array([0.4, 0.6]), 0.5)[0] == FOUND
    assert judged("share", [0.25, 0.6], 0.5)[0] == MISSED
    assert judged("share", (0.51, 0.6), 0.5)[0] == CLAIMED
    assert judged("share", (0.0, 0.4), 0.5)[0] == CLAIMED
    assert judged("scale", (1.0, 2.4), 2.0)[0] == FOUND
    assert judged("scale", (0.0, 2.4), 2.0)[0] == MISSED
    assert judged("scale", (1.0, 2.4), CANNOT)[0] == CLAIMED
    assert judged("scale", CANNOT, CANNOT)[0] == FOUND
    assert judged("scale", CANNOT, 2.0)[0] == MISSED


@pytest.mark.parametrize(
    ("name", "claim", "says"),
    [
        ("day", "maybe", "should be one of 'yes', 'no', 'cannot be said'"),
        ("day", True, "should be one of"),
        ("spread", "D9", "should be one of 'D1'"),
        ("share", (0.6, 0.4), "0 <= lower < upper <= 1"),
        ("share", (0.4, 1.2), "0 <= lower < upper <= 1"),
        ("share", "no", "where it is a text, should be one of 'cannot be said'"),
        ("share", 0.5, "a pair"),
        ("scale", (1, float("nan")), "finite"),
        ("scale", (1, float("inf")), "finite"),
    ],
)
def test_what_is_no_claim_gets_a_sentence_and_no_points(name, claim, says):
    case = mlm.capstone(1)
    with pytest.raises(Hint) as hint:
        planted.judged(name, claim, case_of(1))
    assert says in str(hint.value)
    report = case.grade({name: claim})
    assert report.loc[name, "verdict"] == planted.UNREADABLE
    assert report.loc[name, "points"] == 0
    assert says in report.loc[name, "feedback"]
    assert set(report["verdict"].drop(name)) == {MISSED}


def test_claims_that_nobody_asked_for_are_refused():
    with pytest.raises(ValueError, match="no claim 'weather'; there are mislabelled, day"):
        mlm.capstone(1).grade({"weather": "no"})
    with pytest.raises(TypeError, match="claims must be a mapping"):
        mlm.capstone(1).grade(["no"])


def test_feedback_leads_to_a_notebook_and_keeps_the_truth():
    for seed in range(40):
        case = case_of(seed)
        for name in QUESTIONS:
            for wrong in wrong_claims(name, case):
                _, feedback = planted.judged(name, wrong, case)
                assert "notebook" in feedback
                assert feedback.endswith(".")
                # The same words whatever the truth is, for one claim and one verdict.
                truth = str(case.truth[name])
                assert truth in ("yes", "no", "none", "divider", "date", "pocket", "own", "shared") or (
                    truth not in feedback
                )
    said = {}
    for seed, name in itertools.product(range(60), QUESTIONS):
        for wrong in wrong_claims(name, case_of(seed)):
            verdict, feedback = planted.judged(name, wrong, case_of(seed))
            said.setdefault((name, verdict, isinstance(wrong, str) and wrong in planted.SILENT), set()).add(feedback)
    assert all(len(texts) <= 2 for texts in said.values())


def test_a_claim_may_be_a_function_that_is_still_a_stub():
    def day():
        raise NotImplementedError("capstone.2: return your claim")

    report = mlm.capstone(1).grade({"day": day, "tails": lambda: "yes"})
    assert report.loc["day", "feedback"] == "Nothing was claimed: capstone.2: return your claim."
    assert report.loc["tails", "verdict"] in (FOUND, CLAIMED)


# --- the check ---


def test_the_check_grades_the_claim_of_its_seed():
    for seed in range(3):
        right = true_claims(case_of(seed))
        for number, name in enumerate(QUESTIONS, 1):
            assert mlm.check(f"capstone.{number}", right[name], seed=seed)
            assert mlm.check(f"capstone.{number}", lambda claim=right[name]: claim, seed=seed)
            for wrong in wrong_claims(name, case_of(seed)):
                result = mlm.check(f"capstone.{number}", wrong, seed=seed)
                assert result.outcome == "hint"
                assert result.message == planted.judged(name, wrong, case_of(seed))[1]


def test_the_notebook_asks_for_each_claim_with_the_points_that_grade_gives():
    assert [task.number for task in SOURCE.tasks] == [f"capstone.{k}" for k in range(1, len(QUESTIONS) + 1)]
    assert [task.points for task in SOURCE.tasks] == [question.points for question in QUESTIONS.values()]
    first = SOURCE.cells[0][2].source
    for task, name in zip(SOURCE.tasks, QUESTIONS, strict=True):
        assert f"def {name}():" in task.solution
        assert task.check.strip() == f'mlm.check("{task.number}", {name}, seed=SEED)'
        assert any(
            line.startswith(f"| {task.number} |") and line.endswith(f"| {task.points} |") for line in first.splitlines()
        )
    assert str(planted.WIDEST_SHARE) in SOURCE.tasks[5].solution
    assert str(planted.WIDEST_SCALE) in SOURCE.tasks[6].solution


def notebook_with(claims, seed):
    """Return the notebook as handed in with these claims, for a seed."""
    notebook = stub_notebook(SOURCE)
    names = dict(zip((task.number for task in SOURCE.tasks), QUESTIONS, strict=True))
    for cell in notebook.cells:
        cell.source = cell.source.replace("mlm.notebook_seed(2026)", str(seed))
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        number = grade_id.removeprefix("solution-").replace("-", ".")
        if number in names and names[number] in claims:
            cell.source = f"def {names[number]}():\n    return {claims[names[number]]!r}"
    return notebook


@pytest.mark.parametrize(
    ("change", "name"),
    [(None, "essay"), ("metadata", "essay"), ("all", "my Capstone (2)")],
    ids=["it", "checks", "name"],
)
def test_the_grader_knows_a_capstone(change, name):
    notebook = notebook_with({}, 3)
    if change:
        notebook.metadata = {}
    if change == "all":
        notebook.cells = []
    assert set_of(notebook, name, list(read_sources())) == "capstone"


@pytest.mark.slow
def test_the_grader_gives_the_points_of_each_claim(tmp_path):
    pytest.importorskip("nbgrader", reason="grading needs the extra `teach`")
    case = case_of(7)
    right = true_claims(case)
    wrong = {name: wrong_claims(name, case)[0] for name in QUESTIONS}
    claims = {
        "right": right,
        "wrong": wrong,
        "day and largest": right | {"day": wrong["day"], "largest": wrong["largest"]},
        "half": dict(list(right.items())[:4]),
    }
    (tmp_path / "class").mkdir()
    for student, made in claims.items():
        nbformat.write(notebook_with(made, 7), tmp_path / "class" / f"{student}.ipynb")
    command = [sys.executable, "-m", "tools.grading", str(tmp_path / "class")]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=600)
    table = table_of(tmp_path / "class_graded")
    for student, made in claims.items():
        wanted = mlm.capstone(7).grade(made)["points"]
        got = [float(table[student][task.number]) for task in SOURCE.tasks]
        assert got == list(wanted), student
        assert table[student]["set"] == "capstone"
    assert float(table["right"]["points"]) == float(table["right"]["of"]) == 18
    assert float(table["wrong"]["points"]) == 0


# --- analyses ---


def solutions(seed, monkeypatch):
    """Return the names that the cells of the solution define for a seed."""
    monkeypatch.setenv("MLM_SEED", str(seed))
    namespace = {"__name__": "capstone"}
    with contextlib.redirect_stdout(io.StringIO()):
        for source in [*SOURCE.setup, *(solved(task.solution) for task in SOURCE.tasks)]:
            exec(compile(source, "<capstone>", "exec"), namespace)
    return namespace


def largest_by_least_squares(found):
    """Return the claim on the largest layer, from least squares and the moments of its errors."""
    loaves = found["loaves"]
    layers = ["place", "date"] if found["mislabelled"]() == "baker" else ["place", "baker", "date"]
    design = pd.concat([pd.get_dummies(loaves[name], dtype=float) for name in layers], axis=1)
    left, rank = found["residuals"](loaves, layers)
    spent = (len(loaves) - rank) / len(loaves)
    design = design.to_numpy()
    # By way of the small square matrix: of its eigenvalues, those that should be zero are some 1e-13 of the largest.
    inverse = np.linalg.pinv(design.T @ design, rcond=1e-10, hermitian=True) @ design.T
    means = inverse @ loaves["weight_g"].to_numpy()
    own = (left**2).groupby(loaves["divider"]).transform("mean").to_numpy() / spent
    covariance = (inverse * own) @ inverse.T
    places = loaves.drop_duplicates("place").sort_values("place")
    n_places, n_dates = len(places), loaves["date"].nunique()

    def averaged(labels):
        same = np.equal.outer(labels.to_numpy(), labels.to_numpy())
        return same / same.sum(axis=1, keepdims=True)

    by_divider, by_line, by_pocket = (averaged(places[name]) for name in ("divider", "line", "pocket"))
    deviation = np.eye(n_places) - by_divider
    if found["pocket"]() == "shared":
        deviation = by_pocket @ deviation
    pick = {
        "divider": (np.arange(n_places), by_divider - by_line),
        "pocket": (np.arange(n_places), deviation),
        "date": (np.arange(len(means) - n_dates, len(means)), np.eye(n_dates) - 1 / n_dates),
    }
    sizes = {}
    for name, (at, take) in pick.items():
        effect, noise = take @ means[at], take @ covariance[np.ix_(at, at)] @ take.T
        square = np.mean(effect**2) - np.trace(noise) / len(effect)
        error = np.sqrt(max(4 * effect @ noise @ effect - 2 * np.sum(noise**2), 2 * np.sum(noise**2))) / len(effect)
        sizes[name] = (square, error)
    first, second, _ = sorted(sizes, key=lambda name: -sizes[name][0])
    gap = sizes[first][0] - sizes[second][0]
    return first if gap > 3.7 * np.hypot(sizes[first][1], sizes[second][1]) else CANNOT


def analysed(seed, monkeypatch):
    """Return the claims of the solution, where the last needs no sampling."""
    found = solutions(seed, monkeypatch)
    return {name: found[name]() for name in QUESTIONS if name != "largest"} | {
        "largest": largest_by_least_squares(found)
    }


def missed_in(seeds, monkeypatch):
    """Return for each question the seeds whose claims, found by analysis, are not right."""
    missed = {name: [] for name in QUESTIONS}
    for seed in seeds:
        for name, claim in analysed(seed, monkeypatch).items():
            if planted.judged(name, claim, case_of(seed))[0] != FOUND:
                missed[name].append(seed)
    return missed


@pytest.mark.slow
def test_a_good_analysis_finds_what_is_planted(monkeypatch):
    missed = missed_in(range(12), monkeypatch)
    assert sum(map(len, missed.values())) <= 1, missed


@pytest.mark.slow(60)
def test_each_claim_is_found_by_a_good_analysis_in_nearly_every_table(monkeypatch):
    """A claim that is found in 99.5 % of tables misses more than five of 120 in one of 28,000 runs; 90 %: 98 %."""
    missed = missed_in(range(1000, 1120), monkeypatch)
    limit = stats.binom.ppf(1 - 1e-4, 120, 0.005)
    assert all(len(seeds) <= limit for seeds in missed.values()), missed


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 4])
def test_the_stored_analysis_samples_and_gets_all_points(seed, monkeypatch):
    found = solutions(seed, monkeypatch)
    report = mlm.capstone(seed).grade({name: found[name] for name in QUESTIONS})
    assert set(report["verdict"]) == {FOUND}, report.to_string()


# --- strategies that must lose ---


def everything(case):
    """Claim that every trap is there, with names from plain averages."""
    loaves = loaves_of(case)
    means = loaves.groupby("baker")["weight_g"].mean()
    return {
        "mislabelled": "room_c",
        "day": "yes",
        "pocket": "own",
        "tails": "yes",
        "spread": loaves.groupby("divider")["weight_g"].std().idxmax(),
        "share": (0.35, 0.6),
        "scale": (1.2, 3.0),
        "baker": means.idxmax(),
        "largest": "pocket",
    }


def nothing(case):
    """Claim nothing anywhere."""
    return dict.fromkeys(QUESTIONS, CANNOT)


def absent(case):
    """Claim that no trap is there."""
    usual = {"mislabelled": "none", "day": "no", "pocket": "shared", "tails": "no", "spread": "none"}
    return nothing(case) | usual | {"share": (0.35, 0.6)}


def averages(case):
    """Read everything off plain averages of one column at a time, without a model."""
    loaves = loaves_of(case)
    total = loaves["weight_g"]
    means = {name: loaves.groupby(name)["weight_g"].mean() for name in ("divider", "pocket", "baker", "date")}
    spreads = loaves.groupby("divider")["weight_g"].std()
    between = sum((part[loaves[name]].to_numpy() - total.mean()) ** 2 for name, part in means.items()).mean()
    ratio = stats.f_oneway(*(part for _, part in loaves.groupby("date")["weight_g"]))
    share = min(between / total.var(), 0.99)
    return {
        "mislabelled": "none",
        "day": "yes" if ratio.pvalue < 0.05 else "no",
        "pocket": "shared",
        "tails": "yes" if stats.kurtosistest(total).pvalue < 0.05 else "no",
        "spread": spreads.idxmax(),
        "share": (max(share - 0.05, 0), min(share + 0.05, 1)),
        "scale": CANNOT,
        "baker": means["baker"].idxmax(),
        "largest": max(("divider", "pocket", "date"), key=lambda name: means[name].std()),
    }


def unpooled(case):
    """Read off a fit without pooling, identification or errors, with labels as they are in the table.

    Where the data say nothing, such a fit returns its prior: here the solution of least squares with the least squares.
    """
    loaves = loaves_of(case)
    layers = ("divider", "pocket", "baker", "date")
    blocks = {name: pd.get_dummies(loaves[name], dtype=float) for name in layers}
    design = pd.concat(blocks, axis=1)
    found = np.linalg.lstsq(design.to_numpy(), loaves["weight_g"] - loaves["weight_g"].mean(), rcond=None)[0]
    means = {name: pd.Series(found[design.columns.get_loc(name)], blocks[name].columns) for name in layers}
    left = loaves["weight_g"] - loaves["weight_g"].mean() - design.to_numpy() @ found
    share = 1 - left.var() / loaves["weight_g"].var()
    part = left.std() / np.sqrt(1 + len(layers))  # a prior that gives each component an equal part
    return {
        "mislabelled": "none",
        "day": "yes",
        "pocket": "shared",
        "tails": "yes" if stats.kurtosis(left) > 0.3 else "no",
        "spread": left.groupby(loaves["divider"]).std().idxmax(),
        "share": (max(share - 0.05, 0), min(share + 0.05, 1)),
        "scale": (0.8 * part, 1.2 * part),
        "baker": means["baker"].idxmax(),
        "largest": max(("divider", "pocket", "date"), key=lambda name: means[name].std()),
    }


def at_random(case):
    """Guess."""
    rng = np.random.default_rng(len(case.table))
    claims = {name: rng.choice([*case.options(name), CANNOT]) for name in QUESTIONS if name not in ("share", "scale")}
    return {name: str(claim) for name, claim in claims.items()} | {"share": (0.35, 0.6), "scale": CANNOT}


@pytest.mark.slow
@pytest.mark.parametrize("strategy", [everything, nothing, absent, averages, unpooled, at_random])
def test_a_wrong_strategy_loses_a_third_of_the_points_at_least(strategy):
    scores = [score(case_of(seed), strategy(case_of(seed))) for seed in SEEDS[:100]]
    assert np.mean(scores) < 0.62
    assert np.quantile(scores, 0.95) < 0.9
