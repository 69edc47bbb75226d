"""What may be claimed: what stayed, and whether that was the data's doing; notebook 17's template on many tables."""

import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import mlm_tutorial as mlm
from mlm_tutorial.claiming import verdict_of


def nested(rng, n=5):
    """Return a table of four lots with three wafers each, and two tools."""
    rows = pd.MultiIndex.from_product([range(4), range(3), ["x", "y"], range(n)]).to_frame(index=False)
    rows.columns = ["lot", "wafer", "tool", "_"]
    lots, wafers = rng.normal(0, 3, 4), rng.normal(0, 1, (4, 3))
    total = lots[rows["lot"]] + wafers[rows["lot"], rows["wafer"]] + (rows["tool"] == "x") + rng.normal(size=len(rows))
    wafer = rows["lot"].astype(str) + "-" + rows["wafer"].astype(str)
    return pd.DataFrame({"lot": rows["lot"], "wafer": wafer, "tool": rows["tool"], "total": total})


LAYERS = ["lot", "wafer", "tool"]


def posterior_like(cells, rng, pooled=True, shift=0.0, sigma_baseline=None):
    """Return a tree with the variables of a posterior, and random numbers for draws."""
    shape = (2, 500)
    data = {f"{kind}_baseline": (("chain", "draw"), rng.normal(5, 0.1, shape)) for kind in ("mu", "sigma")}
    if sigma_baseline is not None:
        data["sigma_baseline"] = (("chain", "draw"), np.full(shape, sigma_baseline))
    for name in cells.layers:
        size = (*shape, len(cells.labels[name]))
        data[f"mu_{name}"] = (("chain", "draw", name), rng.normal(np.arange(size[-1]) * (1 + shift), 0.1, size))
        data[f"sigma_{name}"] = (("chain", "draw", name), rng.normal(2, 0.1, size))
        if pooled:
            data[f"tau_{name}"] = (("chain", "draw"), rng.normal(2, 0.1, shape))
    coords = {name: list(cells.labels[name]) for name in cells.layers}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(data, coords)})


QUESTIONS = {
    "tools": {("tool", "x"): 1, ("tool", "y"): -1},
    "lots": {("lot", 0): 1, ("lot", 1): -1},
    "wafers of a lot": {("wafer", "0-1"): 1, ("wafer", "0-0"): -1},
    "wafers": {("wafer", "0-0"): 1, ("wafer", "1-0"): -1},
    "no difference": {("wafer", "0-0"): 1, ("wafer", "0-1"): -1, ("tool", "x"): -1, ("tool", "y"): 1},
    "level": {"baseline": 1},
}


@pytest.fixture(scope="module")
def cells():
    return mlm.cell_statistics(nested(np.random.default_rng(0)), layers=LAYERS)


def test_questions_are_fixed_where_the_design_says_so(cells):
    fits = {name: posterior_like(cells, np.random.default_rng(i)) for i, name in enumerate(["first", "second"])}
    table = mlm.claims(fits, cells, QUESTIONS)
    assert table["fixed"][list(QUESTIONS)].tolist() == [True, False, True, False, True, True]
    assert table.loc["tools", "claim"] == "yes"
    assert table.loc["wafers of a lot", "claim"] == "yes"
    assert table.loc["lots", "claim"] == "yes, if alike"
    assert table.loc["sd of the means of tool", "claim"] == "yes"
    assert table.loc["sd of the means of wafer", "claim"] == "yes, if alike"
    assert table.loc["sd of a total about its mean", "claim"] == "yes"
    assert not table.loc["sd of the baseline alone", "fixed"]


def test_numbers_are_those_of_the_first_fit(cells):
    fits = {name: posterior_like(cells, np.random.default_rng(i)) for i, name in enumerate(["first", "second"])}
    row = mlm.claims(fits, cells, QUESTIONS, ci_prob=0.8).loc["tools"]
    mu = fits["first"]["posterior"]["mu_tool"]
    draws = (mu.sel(tool="x") - mu.sel(tool="y")).values.ravel()
    np.testing.assert_allclose(
        row[["mean", "lower", "upper"]].tolist(), [draws.mean(), *np.quantile(draws, [0.1, 0.9])]
    )


def test_what_moved_with_a_prior_is_no_claim(cells):
    fits = {
        "first": posterior_like(cells, np.random.default_rng(0)),
        "same": posterior_like(cells, np.random.default_rng(1)),
    }
    fits["other"] = posterior_like(cells, np.random.default_rng(2), shift=0.3)
    table = mlm.claims(fits, cells, QUESTIONS)
    assert table.loc["tools", "claim"] == "no"
    assert "other" in table.loc["tools", "because"]
    assert table.loc["tools", "moved"] > 0.25


def test_without_pooling_what_stays_is_the_prior(cells):
    fits = {name: posterior_like(cells, np.random.default_rng(i), False) for i, name in enumerate(["first", "second"])}
    table = mlm.claims(fits, cells, QUESTIONS)
    assert table.loc["lots", "claim"] == "no"
    assert "what stayed is the prior" in table.loc["lots", "because"]
    assert table.loc["tools", "claim"] == "yes"


def test_no_claim_is_plain_where_labels_may_be_reused(cells):
    """Wafers 0, 1 and 2 of every lot: fixed by the design, and averages over wafers that have nothing in common."""
    rng = np.random.default_rng(3)
    table = nested(rng, n=10)
    reused = table.assign(wafer=table["wafer"].str[-1])
    reused.loc[reused["wafer"] == "1", "total"] += 3 * (reused["lot"] - 1.5)
    its_cells = mlm.cell_statistics(reused, layers=LAYERS)
    questions = {"wafers": {("wafer", "1"): 1, ("wafer", "0"): -1}, "tools": {("tool", "x"): 1, ("tool", "y"): -1}}
    fits = {"one": posterior_like(its_cells, rng), "other": posterior_like(its_cells, rng)}
    found = mlm.claims(fits, its_cells, questions)
    assert found.loc["wafers", "fixed"]
    assert found.loc["wafers", "claim"] == "see note"
    assert "a note on wafer; if that is settled: the data fix it" in found.loc["wafers", "because"]
    assert found.loc["sd of the means of wafer", "claim"] == "see note"
    assert found.loc["tools", "claim"] == "yes"
    report = mlm.identification(its_cells, contrasts=questions)
    assert report.attrs["doubtful"] == ["lot", "wafer"]
    assert report.loc["wafers", "because"].endswith("First read the note on wafer.")
    assert "note" not in report.loc["tools", "because"]


def test_a_known_baseline_is_no_quantity_and_fixes_no_less(cells):
    fits = {name: posterior_like(cells, np.random.default_rng(i), sigma_baseline=3.0) for i, name in enumerate("ab")}
    assert "sd of the baseline alone" not in mlm.claims(fits, cells).index


@pytest.mark.parametrize(("size", "claim"), [(0.0, "open"), (0.3, "yes")])
def test_a_layer_that_may_add_nothing_is_open(cells, size, claim):
    """Draws of two tools' means that differ by `size`, with an error of 0.02."""
    fits = {name: posterior_like(cells, np.random.default_rng(i)) for i, name in enumerate(["first", "second"])}
    for fit in fits.values():
        mu = fit["posterior"]["mu_tool"]
        half = (size + 0.02 * np.random.default_rng(5).normal(size=mu.shape[:2])) / 2
        mu.values[...] = np.stack([half, -half], axis=-1)
    row = mlm.claims(fits, cells).loc["sd of the means of tool"]
    assert (row["claim"], row["fixed"]) == (claim, True)
    assert ("begins close to zero" in row["because"]) == (claim == "open")


def test_words_of_a_verdict():
    assert verdict_of(0.1, "b", True, False)[0] == "yes"
    assert verdict_of(0.1, "b", True, True, "zero")[0] == "open"
    assert verdict_of(0.1, "b", False, True)[0] == "yes, if alike"
    assert verdict_of(0.1, "b", False, True, "zero")[0] == "open"
    assert verdict_of(0.1, "b", False, False)[0] == "no"
    assert verdict_of(0.9, "b", True, True, "zero")[0] == "no"


def test_bad_claims_are_named(cells):
    one = posterior_like(cells, np.random.default_rng(0))
    with pytest.raises(ValueError, match="two fits"):
        mlm.claims({"first": one}, cells)
    with pytest.raises(ValueError, match="not a label"):
        mlm.claims({"first": one, "second": one}, cells, {"lots": {("lot", 9): 1}})
    with pytest.raises(ValueError, match="another row"):
        mlm.claims({"first": one, "second": one}, cells, {"sd of the means of lot": {("lot", 0): 1}})
    with pytest.raises(ValueError, match="no contributor"):
        mlm.claims({"first": one.map_over_datasets(lambda x: x.isel(wafer=slice(2)) if x else x)} | {"b": one}, cells)


# --- priors ---


def test_variants_change_one_thing_each(cells):
    priors = mlm.Priors.from_cells(cells)
    variants = mlm.prior_variants(priors, cells, both_ways=True)
    assert len(variants) == 4
    assert list(mlm.prior_variants(priors, cells)) == list(variants)[::2]
    for name, other in variants.items():
        assert (other.mu_sd == priors.mu_sd) == name.startswith("spreads")
        assert (other.sigma_scale == priors.sigma_scale) == name.startswith("means")
        variance = sum(other.sigma_scale_of(c) ** 2 for c in ("baseline", *LAYERS))
        assert variance == pytest.approx(4 * priors.sigma_scale**2)
    sizes = [variants[f"spreads: in the {x}"].sigma_scale_of("baseline") for x in ("layers", "baseline")]
    assert sizes[0] < priors.sigma_scale < sizes[1]


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (dict.fromkeys(LAYERS, 0), {"spreads: scale x 2", "spreads: scale / 2"}),
        ({"baseline": 1}, {"spreads: scale x 2", "spreads: scale / 2"}),
        ({"baseline": 1} | dict.fromkeys(LAYERS, 0), set()),
        ({"lot": 0}, {"spreads: in the layers", "spreads: in the baseline"}),
    ],
)
def test_variants_leave_known_spreads_alone(cells, known, expected):
    variants = mlm.prior_variants(mlm.Priors.from_cells(cells, known_sigma=known), cells, both_ways=True)
    assert {name for name in variants if name.startswith("spreads")} == expected
    for other in variants.values():
        mlm.cell_model(cells, other)


# --- the template of notebook 17 ---


def template(table, total, layers, questions=None, variants=1):
    """Run the notebook's page of code, with two chains; return its claims, its check and its posterior.

    Each variant of the priors takes a fit: the nested table tries them all, the others the first.
    """
    cells = mlm.cell_statistics(table, total, layers)
    mlm.identification(cells, contrasts=questions)
    priors = mlm.Priors.from_cells(cells)
    compiled = mlm.compile_model(mlm.cell_model(cells, priors))
    fits = {"as it is": mlm.sample(compiled, seed=1, chains=2)}
    check = mlm.predictive_check(fits["as it is"], table, total, layers)
    for name, other in list(mlm.prior_variants(priors, cells).items())[:variants]:
        fits[name] = mlm.sample(compiled.with_priors(other), seed=1, chains=2)
    for idata in fits.values():
        mlm.check_convergence(idata)
    claims = mlm.claims(fits, cells, questions)
    mlm.predict(fits["as it is"], table, layers)
    return claims, check, fits["as it is"]


@pytest.mark.slow
def test_template_on_a_nested_table():
    paste = mlm.load_paste()
    claims, check, idata = template(paste, "strength", ["batch", "sample"], variants=None)
    moved = paste.iloc[[0]].assign(batch=paste["batch"].iloc[-1])
    with pytest.warns(UserWarning, match="every sample of the fit belongs to one batch"):
        mlm.predict(idata, moved, ["batch", "sample"])
    assert not check["alarm"].any()
    assert not claims.loc["sd of the means of batch", "fixed"]
    assert claims.loc["sd of a total about its mean", "claim"] == "yes"
    # The squares of REML's estimates are 1.66 and 8.43.
    assert 0.5 < claims.loc["sd of the means of batch", "mean"] < 2.2
    assert 2.2 < claims.loc["sd of the means of sample", "mean"] < 3.5


def gauge_with_pairs():
    gauge = mlm.load_gauge()
    return gauge.assign(pair=gauge["part"].astype(str) + "/" + gauge["operator"].astype(str))


@pytest.mark.slow
def test_template_on_a_gauge_with_its_pairs():
    claims, check, idata = template(gauge_with_pairs(), "impedance", ["part", "operator", "pair"])
    assert not check["alarm"].any()
    v = claims["mean"][[f"sd of the means of {x}" for x in ("part", "operator", "pair")]] ** 2
    assert v.iloc[0] / v.sum() > 0.8


@pytest.mark.slow
@pytest.mark.rare
def test_what_stayed_in_a_gauge_without_pooling_was_the_prior():
    """Another `sigma_scale` gives the same means, which are wrong; `mu_sd` and the rank expose it."""
    table, layers = gauge_with_pairs(), ["part", "operator", "pair"]
    cells = mlm.cell_statistics(table, "impedance", layers)
    priors = mlm.Priors.from_cells(cells, pooled=False)
    variants = mlm.prior_variants(priors, cells)
    fits = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mlm.UnidentifiedWarning)
        chosen = {"as it is": priors} | {x: variants[x] for x in ("spreads: in the layers", "means: scale / 4")}
        for name, its in chosen.items():
            fits[name] = mlm.sample(mlm.cell_model(cells, its), seed=1, target_accept=0.99, chains=2)
    sds = pd.DataFrame({n: [float(f["posterior"][f"mu_{x}"].std(x).mean()) for x in layers] for n, f in fits.items()})
    assert (np.abs(sds["spreads: in the layers"] / sds["as it is"] - 1) < 0.15).all()
    assert (sds["means: scale / 4"] / sds["as it is"])[1:].max() < 0.5
    two = {name: fits[name] for name in ("as it is", "spreads: in the layers")}
    judged = mlm.claims(two, cells)
    assert (judged.loc[[f"sd of the means of {x}" for x in layers], "claim"] == "no").all()


@pytest.mark.slow
def test_template_on_one_row_a_cell():
    table = mlm.load_penicillin()
    claims, check, _ = template(table, "diameter", ["plate", "sample"])
    assert not check["alarm"].any()
    assert np.isnan(check.loc["spreads within cells", "p"])
    assert claims.loc["sd of the means of sample", "claim"] == "yes"


@pytest.mark.slow
def test_template_on_integers_with_cells_of_equal_readings():
    rows = nested(np.random.default_rng(3), n=3)
    rows["total"] = np.rint(0.7 * rows["total"]).astype(int)
    assert rows.groupby(LAYERS)["total"].agg(np.ptp).eq(0).any()
    claims, check, _ = template(rows, "total", LAYERS, QUESTIONS)
    assert not check["alarm"].any()
    assert claims.loc["sd of a total about its mean", "claim"] == "yes"


@pytest.mark.slow
def test_template_on_a_file_with_dates(tmp_path):
    rng = np.random.default_rng(4)
    days = pd.date_range("2026-03-02", periods=8)
    day, who = rng.integers(8, size=400), rng.integers(4, size=400)
    minutes = 30 + rng.normal(0, 2, 8)[day] + 2.0 * who + rng.normal(0, 3, 400)
    frame = pd.DataFrame({"date": days[day].strftime("%Y-%m-%d"), "who": np.array([*"ABCD"])[who], "minutes": minutes})
    frame.to_csv(tmp_path / "days.csv", index=False)
    table = pd.read_csv(tmp_path / "days.csv", parse_dates=["date"])
    questions = {
        "first two days": {("date", table["date"].min()): 1, ("date", sorted(table["date"].unique())[1]): -1},
        "D - A": {("who", "D"): 1, ("who", "A"): -1},
    }
    claims, check, idata = template(table, "minutes", ["date", "who"], questions)
    assert not check["alarm"].any()
    assert claims.loc["D - A", "claim"] == "yes"
    assert claims.loc["first two days", "fixed"]
    new = pd.DataFrame({"date": [days[-1] + pd.Timedelta(days=1)], "who": ["A"]})
    assert mlm.predict(idata, new, ["date", "who"])["sd"].item() > 3


@pytest.mark.slow
def test_heavy_tails_pass_convergence_and_fail_the_check():
    rng = np.random.default_rng(5)
    rows = nested(rng, n=8)
    rows["total"] += rng.standard_t(1.5, len(rows))
    cells = mlm.cell_statistics(rows, layers=LAYERS)
    idata = mlm.sample(mlm.cell_model(cells), seed=1)
    mlm.check_convergence(idata)
    assert mlm.predictive_check(idata, rows, layers=LAYERS).loc["tails", "alarm"]
