"""The script that fits random structures: its draws, and the checks of its reasons."""

import json
import re

import numpy as np
import pandas as pd
import pytest

import mlm_tutorial as mlm
from tools.stress import structures


def test_structures_are_reproducible_and_within_the_limits():
    sizes = []
    for number in range(30):
        truth, frame, names, row = structures.draw_structure(1, number)
        _, again, _, _ = structures.draw_structure(1, number)
        pd.testing.assert_frame_equal(frame, again)
        assert row["contributors"] == [len(layer) for layer in truth.layers]
        assert 1 <= len(names) <= 5
        assert all(2 <= m <= 20 for m in row["contributors"])
        assert 10 <= len(frame) <= 100_000
        sizes.append((len(names), len(frame)))
    assert len(set(sizes)) > 25


def test_a_refusal_must_match_the_data():
    frame = pd.DataFrame({"total": [1.0, 2.0, 4.0, 3.0], "a": list("xyxy"), "b": list("zzzz")})
    with pytest.raises(ValueError, match="single contributor") as refusal:
        mlm.cell_model(mlm.cell_statistics(frame, layers=["a", "b"]))
    assert structures.refusal_is_true(str(refusal.value), frame, ["a", "b"])
    assert not structures.refusal_is_true(str(refusal.value), frame.assign(b=frame["a"]), ["a", "b"])
    assert not structures.refusal_is_true("the machine did not feel like it", frame, ["a", "b"])


def test_a_verdict_must_match_the_draws():
    rng = np.random.default_rng(1)
    good = mlm_tree(rng.normal(size=(4, 1000)))
    stuck = mlm_tree(rng.normal(size=(4, 1000)) + np.arange(4)[:, None])
    diverging = mlm_tree(rng.normal(size=(4, 1000)), diverging=1)
    for tree, converged in ((good, True), (stuck, False), (diverging, False)):
        assert structures.verdict_is_true(converged, tree)
        assert not structures.verdict_is_true(not converged, tree)


def test_a_reason_must_be_complete():
    rng = np.random.default_rng(1)
    stuck = rng.normal(size=(4, 1000)) + np.arange(4)[:, None]
    for tree in (mlm_tree(stuck), mlm_tree(stuck, diverging=3), mlm_tree(rng.normal(size=(4, 1000)), diverging=1)):
        with pytest.raises(mlm.ConvergenceError) as refusal:
            mlm.check_convergence(tree)
        reason = str(refusal.value)
        assert structures.reason_is_true(reason, tree)
        numbers = list(re.finditer(r"\d+(?= of )|(?<= of )\d+|[\d.]+(?=;|$)|\d+(?= div)", reason))
        assert numbers
        for number in numbers:
            wrong = reason[: number.start()] + "9" + number.group() + reason[number.end() :]
            assert not structures.reason_is_true(wrong, tree), wrong
        for part in reason.split("; "):
            assert not structures.reason_is_true(reason.replace(part, ""), tree)
    assert structures.reason_is_true("", mlm_tree(rng.normal(size=(4, 1000))))


def test_reasons_are_counted_by_kind():
    reasons = ["1 divergent transitions, at most 0 expected", "7 divergent transitions, at most 0 expected"]
    reasons.append("tail ESS should be at least 400, but 2 of 9 parameters miss it: x 221.5, y 222; " + reasons[0])
    rows = [{"outcome": "not converged", "reason": "not converged. " + reason} for reason in reasons]
    rows.append({"outcome": "refused", "reason": "layer 'a' has a single contributor, 0. The means"})
    rows = [row | {"number": k, "seconds": 1.0, "true": True} for k, row in enumerate(rows)]
    rows[0] |= {"gradients": 100, "at 0.95": {"outcome": "converged", "gradients": 150}}
    content = {"structures": rows, "reasons_not_true": [], "limits": {"layers": (1, 5)}}
    lines = structures.table(content | {"asked": {"pooled": True, "targets": [0.95]}}).splitlines()
    for line in ("| 2 | divergent transitions |", "| 1 | tail ESS, divergent transitions |"):
        assert line in lines
    assert "| 1 | layer has a single contributor |" in lines
    assert lines[0] == "Limits: 1 to 5 layers. Priors are pooled."
    assert "| the default | 1 of 1 | 1.00 |" in lines
    assert "| 0.95 | 0 of 1 | 1.50 |" in lines
    assert "Of those with divergent transitions alone, 1 have a single one." in lines


def mlm_tree(draws, diverging=0):
    import xarray as xr

    flags = np.zeros(draws.shape, bool)
    flags.flat[:diverging] = True
    datasets = {
        "posterior": xr.Dataset({"mu_baseline": (("chain", "draw"), draws)}),
        "sample_stats": xr.Dataset({"diverging": (("chain", "draw"), flags)}),
    }
    return xr.DataTree.from_dict(datasets)


def test_runs_resume_only_with_the_same_seed_and_code(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    rows = [{"number": k, "outcome": "converged", "true": k != 1} for k in (1, 0)]
    content = structures.write_results(path, rows, seed=5)
    assert content["reasons_not_true"] == [1]
    assert [row["number"] for row in structures.read_results(path, 5)] == [0, 1]
    assert structures.read_results(path, 6) == []
    monkeypatch.setattr(structures, "package_digest", lambda: "other code")
    assert structures.read_results(path, 5) == []


def test_stored_structures_are_complete_and_every_reason_is_true():
    content = json.loads(structures.OUTPUT.read_text(encoding="utf-8"))
    rows = content["structures"]
    assert [row["number"] for row in rows] == list(range(len(rows)))
    assert len(rows) >= 20
    assert content["reasons_not_true"] == []
    assert {row["outcome"] for row in rows} <= set(structures.OUTCOMES) - {"failed"}
    assert all(row.get("reason") for row in rows if row["outcome"] != "converged")
    assert (structures.TABLES / "structures.md").read_text(encoding="utf-8") == structures.table(content)


def test_one_stored_structure_of_fifty_at_most_is_refused_by_the_convergence_check():
    """Pooled, at the default target acceptance rate; and means are covered as often as their intervals promise."""
    content = json.loads(structures.OUTPUT.read_text(encoding="utf-8"))
    assert content["asked"]["pooled"]
    rows = content["structures"]
    assert sum(row["outcome"] == "not converged" for row in rows) <= len(rows) / 50
    covered, means = (sum(row.get(name, 0) for row in rows) for name in ("means_covered", "means"))
    # Means of one fit share their errors: its number of means counts as a fourth of them.
    error = np.sqrt(structures.INTERVAL * (1 - structures.INTERVAL) / (means / 4))
    assert abs(covered / means - structures.INTERVAL) < 4 * error
