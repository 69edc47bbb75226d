"""Counts of distinct totals, and the model of totals with skew and heavy tails."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import stats

import mlm_tutorial as mlm
from tests.package.test_inverse_gaussian import of_scipy

LAYERS = ["layer_1", "layer_2"]


def whole_totals(n, seed):
    frame = mlm.PRESETS["cc_27"].simulate(n, rng=seed)
    return frame.assign(total=frame["total"].round())


def rows_of(counts):
    """Return one row per observation: its cell's labels and its total, sorted."""
    codes = counts.cells.codes[counts.cell]
    labels = {name: np.array(counts.cells.labels[name])[codes[:, j]] for j, name in enumerate(counts.cells.layers)}
    frame = pd.DataFrame(labels | {"total": counts.value}).loc[np.repeat(np.arange(len(counts)), counts.n)]
    return frame.sort_values([*labels, "total"], ignore_index=True)


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, lambda f: pl.DataFrame(f).lazy(), pa.Table.from_pandas])
def test_counts_hold_every_row_and_the_cells_statistics(kind):
    frame = whole_totals(2000, seed=1)
    frame = frame.astype(dict.fromkeys(LAYERS, int))
    counts = mlm.count_totals(kind(frame), layers=LAYERS)
    expected = frame[[*LAYERS, "total"]].sort_values([*LAYERS, "total"], ignore_index=True)
    pd.testing.assert_frame_equal(rows_of(counts), expected, check_dtype=False)
    assert len(counts) == len(frame[[*LAYERS, "total"]].drop_duplicates()) < 400
    cells = mlm.cell_statistics(frame, layers=LAYERS)
    assert counts.cells.labels == cells.labels
    np.testing.assert_array_equal(counts.cells.codes, cells.codes)
    for name in ("n", "mean", "sum_sq"):
        np.testing.assert_allclose(getattr(counts.cells, name), getattr(cells, name), rtol=1e-12, atol=1e-12)


def test_bins_keep_the_means_of_cells_and_their_totals_apart_by_less_than_a_width():
    frame = mlm.PRESETS["cc_27"].simulate(2000, rng=2)
    counts = mlm.count_totals(frame, layers=LAYERS, width=3)
    cells = mlm.cell_statistics(frame, layers=LAYERS)
    np.testing.assert_allclose(counts.cells.mean, cells.mean, rtol=1e-12)
    assert len(counts) < 200
    pairs = pd.DataFrame({"cell": counts.cell, "bin": np.floor(counts.value / 3)})
    assert not pairs.duplicated().any()


def test_parts_merge_to_the_counts_of_the_whole():
    frame = whole_totals(3000, seed=3)
    whole = mlm.count_totals(frame, layers=LAYERS, width=2)
    first, rest = (mlm.count_totals(part, layers=LAYERS, width=2, partial=True) for part in (frame[:40], frame[40:]))
    merged = first.merge(rest)
    np.testing.assert_array_equal(merged.n, whole.n)
    np.testing.assert_array_equal(merged.cell, whole.cell)
    np.testing.assert_allclose(merged.value, whole.value, rtol=1e-12)
    with pytest.raises(ValueError, match="expected 2, got None"):
        first.merge(mlm.count_totals(frame, layers=LAYERS))
    with pytest.raises(TypeError, match="expected TotalCounts to merge with, got Cells"):
        first.merge(whole.cells)


def test_an_offset_of_a_billion_costs_no_digits():
    frame = mlm.PRESETS["cc_27"].simulate(2000, rng=2)
    near = mlm.count_totals(frame.assign(total=frame["total"].round(2)), layers=LAYERS)
    far = mlm.count_totals(frame.assign(total=frame["total"].round(2) + 1e9), layers=LAYERS)
    np.testing.assert_allclose(far.cells.sum_sq, near.cells.sum_sq, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(far.value - 1e9, near.value, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"total": [np.nan, *[1.0] * 19]}, ValueError, "total.*missing"),
        ({"total": [np.inf, *[1.0] * 19]}, ValueError, "total.*infinite"),
        ({"total": ["a"] * 20}, TypeError, "'total' must be numeric"),
        ({"total": [1.0] * 20}, ValueError, "all totals are equal"),
        ({"layer_1": [None, *[1] * 19]}, ValueError, "layer_1.*missing"),
    ],
)
def test_bad_tables_are_refused_in_words_about_the_readers_columns(change, error, message):
    frame = whole_totals(20, seed=4).assign(**change)
    with pytest.raises(error, match=message) as caught:
        mlm.count_totals(frame, layers=LAYERS)
    assert "total counted" not in str(caught.value)


def test_bad_arguments_are_refused():
    frame = whole_totals(20, seed=4)
    for width in (0, -1, np.inf, np.nan, "3"):
        with pytest.raises(ValueError, match="width must be a positive number"):
            mlm.count_totals(frame, layers=LAYERS, width=width)
    with pytest.raises(TypeError, match="missing 1 required argument: 'layers'"):
        mlm.count_totals(frame)
    with pytest.raises(KeyError, match="layer_9"):
        mlm.count_totals(frame, layers=["layer_1", "layer_9"])
    with pytest.raises(TypeError, match="make them with mlm.count_totals"):
        mlm.tail_model(mlm.cell_statistics(frame, layers=LAYERS))


def test_the_models_density_is_that_of_every_row():
    frame = whole_totals(300, seed=5)
    counts = mlm.count_totals(frame, layers=LAYERS)
    model = mlm.tail_model(counts)
    rng = np.random.default_rng(6)
    names = ["mu_baseline", "sigma_baseline", *(f"{kind}_{name}" for kind in ("mu", "sigma") for name in LAYERS)]
    wanted = [model[name] for name in [*names, "skewness", "tail_weight"]]
    values = model.compile_fn([*model.replace_rvs_by_values(wanted), model.observedlogp], on_unused_input="ignore")
    for _ in range(3):
        point = {name: value + 0.2 * rng.normal(size=np.shape(value)) for name, value in model.initial_point().items()}
        *found, logp = values(point)
        at = dict(zip([*names, "skewness", "tail_weight"], found, strict=True))
        codes = [frame[name].cat.codes.to_numpy() for name in LAYERS]
        mean = at["mu_baseline"] + sum(at[f"mu_{name}"][code] for name, code in zip(LAYERS, codes, strict=True))
        variance = at["sigma_baseline"] ** 2
        variance = variance + sum(at[f"sigma_{name}"][code] ** 2 for name, code in zip(LAYERS, codes, strict=True))
        rows = of_scipy(mean, np.sqrt(variance), at["skewness"], at["tail_weight"]).logpdf(frame["total"])
        assert logp == pytest.approx(rows.sum(), rel=1e-9)


def skewed_totals(truth, n, skewness, tail_weight, seed):
    """Return rows whose contributions are normal-inverse-Gaussian, drawn by SciPy."""
    rng = np.random.default_rng(seed)
    frame = truth.simulate(n, rng=rng)[LAYERS].astype(int)
    total = np.zeros(n)
    for layer in truth:
        labels = frame[layer.name] if layer.name in frame else pd.Series(np.zeros(n, int))
        mu, sigma = (labels.map(dict(zip(layer.labels, x, strict=True))).to_numpy() for x in (layer.mu, layer.sigma))
        total += of_scipy(mu, sigma, skewness, tail_weight).rvs(size=n, random_state=rng)
    return frame.assign(total=total)


@pytest.mark.slow
def test_means_spreads_and_tails_are_recovered_and_a_normal_model_is_beaten():
    """Every true value within 4.5 posterior standard deviations: 17 of them fail by chance in 1 of 8,000 tables."""
    truth = mlm.PRESETS["cc_27"].centered()
    frame = skewed_totals(truth, 20_000, 0.4, 3.0, seed=7)
    idata = mlm.sample(mlm.tail_model(mlm.count_totals(frame, layers=LAYERS, width=0.2)), seed=1)
    mlm.check_convergence(idata)
    found = mlm.recovery(idata, truth)
    means = found.filter(like="mu_", axis="index")
    assert (abs(means["mean"] - means["truth"]) < 4.5 * means["sd"]).all()
    for name, value in {"skewness": 0.4, "tail_weight": 3.0}.items():
        draws = idata["posterior"][name]
        assert abs(draws.mean() - value) < 4.5 * draws.std()
        assert draws.std() < 0.1


def test_sums_of_contributions_have_the_distribution_of_their_total():
    """Kolmogorov-Smirnov with 50,000 sums: fails by chance in 1 of 10,000 runs, sees 2 % of another distribution."""
    truth = mlm.LayeredSum.from_coefficients([{0: (1.0, 2.0)}, {0: (0.5, 1.0), 1: (-0.5, 1.0)}, {0: (0, 1), 1: (0, 1)}])
    frame = skewed_totals(truth, 100_000, -0.6, 2.0, seed=8)
    totals = frame.loc[frame["layer_1"] == 0, "total"]
    assert stats.kstest(totals, of_scipy(1.5, np.sqrt(6), -0.6, 2.0).cdf).pvalue > 1e-4
    assert stats.kstest(totals, stats.norm(1.5, np.sqrt(6)).cdf).pvalue < 1e-10
