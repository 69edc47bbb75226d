"""The predictive check rings where a model is wrong, and not where a table is merely small or rounded."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray as xr

import mlm_tutorial as mlm

LAYERS = ["a", "b"]
MU = {"a": [1.0, -1.0, 0.0], "b": [2.0, -0.5, -1.0, -0.5]}
SIGMA = {"a": [0.5, 1.0, 1.5], "b": [0.5, 0.5, 1.0, 1.0]}


def posterior(scale=1.0, draws=400, step=0.0):
    """Return a posterior that is certain of the truth: then residuals are exactly standard normal.

    Rounding to multiples of `step` adds a variance of step**2 / 12, which a fit puts somewhere: here, in the baseline.
    """
    data = {
        f"{kind}_{name}": (("chain", "draw", name), np.broadcast_to(scale * np.array(values), (1, draws, len(values))))
        for kind, of in (("mu", MU), ("sigma", SIGMA))
        for name, values in of.items()
    }
    baseline = {"mu": scale, "sigma": np.sqrt(scale**2 + step**2 / 12)}
    data |= {f"{kind}_baseline": (("chain", "draw"), np.full((1, draws), value)) for kind, value in baseline.items()}
    coords = {name: list(range(len(values))) for name, values in MU.items()}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(data, coords)})


def table(rng, repeats=5, scale=1.0, noise=None):
    """Return a balanced table of that truth; `noise` draws standardized residuals."""
    rows = pd.MultiIndex.from_product([range(3), range(4), range(repeats)]).to_frame(index=False, name=["a", "b", "_"])
    mean = 1 + np.array(MU["a"])[rows["a"]] + np.array(MU["b"])[rows["b"]]
    sd = np.sqrt(1 + np.array(SIGMA["a"])[rows["a"]] ** 2 + np.array(SIGMA["b"])[rows["b"]] ** 2)
    z = rng.standard_normal(len(rows)) if noise is None else noise(rng, len(rows))
    return rows.drop(columns="_").assign(total=scale * (mean + sd * z))


def check(frame, idata=None, **options):
    return mlm.predictive_check(posterior() if idata is None else idata, frame, layers=LAYERS, **options)


@pytest.mark.slow
@pytest.mark.parametrize("repeats", [1, 2, 20])
def test_p_values_of_a_right_model_are_uniform(repeats):
    p = np.array([check(table(np.random.default_rng(i), repeats), draws=100)["p"] for i in range(150)])
    if repeats == 1:
        assert np.isnan(p[:, 1]).all()
        p = np.delete(p, 1, axis=1)
    # Binomial: 150 tables, 5 % each; 20 or more have a probability of 3e-5.
    assert ((p <= 0.05).sum(axis=0) < 20).all()
    assert ((p >= 0.5).sum(axis=0) > 45).all()


@pytest.mark.parametrize(
    ("noise", "aspect"),
    [
        (lambda rng, n: rng.standard_t(1.5, n), "tails"),
        (lambda rng, n: rng.exponential(size=n) - 1, "lean"),
        (lambda rng, n: rng.standard_normal(n) * np.where(np.arange(n) // 20 % 2, 1.6, 0.4), "spreads within cells"),
        (lambda rng, n: rng.standard_normal(n) + np.where(np.arange(n) // 20 % 2, 0.8, -0.8), "averages of cells"),
    ],
)
def test_a_wrong_model_rings_at_the_aspect_that_is_wrong(noise, aspect):
    for seed in range(5):
        assert check(table(np.random.default_rng(seed), 20, noise=noise)).loc[aspect, "alarm"]


def test_a_table_without_repeats_can_be_checked():
    result = check(table(np.random.default_rng(0), 1))
    assert not result["alarm"].any()
    assert result.loc["spreads within cells", "asks"] == "no cell has two rows"
    assert result["p"].drop("spreads within cells").notna().all()


def test_a_table_with_few_repeats_says_how_few():
    rows = table(np.random.default_rng(0), 1)
    asks = check(pd.concat([rows, rows.iloc[:1]]))["asks"]
    few = f"1 of {len(rows)} cells have two rows"
    assert asks.str.endswith(few).tolist() == [True, True, False, False]
    assert asks.str.contains("sees little").tolist() == [True, True, False, False]
    assert not check(table(np.random.default_rng(0), 2))["asks"].str.contains("cells").any()


def three_layers(rng, interaction):
    """Return a table without repeats, as each row has a day of its own, and its posterior, which is certain."""
    rows = table(rng, 10).assign(day=np.arange(120))
    rows["total"] += interaction * np.where(rows["a"] == 0, 1, -0.5) * np.where(rows["b"] < 2, 1, -1)
    idata = posterior()
    zeros = np.zeros((1, 400, 120))
    days = {f"{kind}_day": (("chain", "draw", "day"), zeros) for kind in ("mu", "sigma")}
    return rows, xr.DataTree.from_dict({"posterior": idata["posterior"].to_dataset().assign(days)})


def test_two_layers_that_do_not_add_up_ring_where_no_cell_has_repeats():
    alarms = 0
    for seed in range(10):
        rows, idata = three_layers(np.random.default_rng(seed), 1.0)
        found = mlm.predictive_check(idata, rows, layers=["a", "b", "day"])
        assert not found.loc["averages of cells", "alarm"]
        alarms += found.loc["averages of pairs", "alarm"] and found.loc["averages of pairs", "asks"].endswith(
            ": a and b"
        )
    assert alarms >= 8
    assert "averages of pairs" not in check(table(np.random.default_rng(0))).index  # two layers: pairs are cells


@pytest.mark.slow
def test_averages_of_pairs_have_uniform_p_values_under_a_right_model():
    layers, p = ["a", "b", "day"], []
    for seed in range(150):
        rows, idata = three_layers(np.random.default_rng(seed), 0.0)
        p.append(mlm.predictive_check(idata, rows, layers=layers, draws=100).loc["averages of pairs", "p"])
    # As above.
    assert np.sum(np.array(p) <= 0.05) < 20
    assert np.sum(np.array(p) >= 0.5) > 45


def test_heavy_tails_ring_without_repeats_too():
    frames = [table(np.random.default_rng(i), 1, noise=lambda rng, n: rng.standard_t(1.5, n)) for i in range(20)]
    rows = pd.concat(frames).assign(b=lambda x: x["b"])
    assert check(rows).loc["tails", "alarm"]


@pytest.mark.parametrize("step", [0.5, 1, 3])
def test_rounding_is_no_alarm_though_all_readings_of_a_cell_are_equal(step):
    """A step of 3 is about twice the standard deviation of a row."""
    alarms = constant = 0
    for seed in range(20):
        rows = table(np.random.default_rng(seed), 5)
        rounded = rows.assign(total=step * np.rint(rows["total"] / step))
        constant += rounded.groupby(LAYERS)["total"].agg(np.ptp).eq(0).sum()
        alarms += check(rounded, posterior(step=step), draws=400)["alarm"].sum()
    assert constant > 0 or step < 3
    assert alarms <= 1


def test_a_large_table_is_looked_at_in_part_and_the_same_way_each_time():
    rows = table(np.random.default_rng(1), 200)
    some = check(rows, max_rows=300, draws=100)
    pd.testing.assert_frame_equal(some, check(rows, max_rows=300, draws=100))
    pd.testing.assert_frame_equal(some, check(pl.from_pandas(rows).lazy(), max_rows=300, draws=100))
    other = check(rows, max_rows=300, draws=100, rng=5)
    assert not np.allclose(some["data"], other["data"])


def test_bad_input_is_named():
    rows = table(np.random.default_rng(1))
    with pytest.raises(TypeError, match="layers"):
        mlm.predictive_check(posterior(), rows)
    with pytest.raises(ValueError, match="not among"):
        mlm.predictive_check(posterior(), rows, layers=["a"])
    with pytest.raises(ValueError, match="missing or infinite"):
        check(rows.assign(total=np.nan))
