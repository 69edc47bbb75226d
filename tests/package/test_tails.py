"""Counts of distinct totals, and the model of totals with skew and heavy tails."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr
from scipy import stats

import mlm_tutorial as mlm
from mlm_tutorial.levy import local_variance
from tests.package.test_inverse_gaussian import of_scipy

LAYERS = ["layer_1", "layer_2"]
TAILS = {"skewness": 0.6, "tail_weight": 4.0}


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


def test_other_priors_do_not_turn_a_model_with_tails_into_a_normal_one():
    model = mlm.tail_model(mlm.count_totals(whole_totals(200, seed=3), layers=LAYERS))
    with pytest.raises(TypeError, match="priors of a model with tails"):
        model.with_priors(model.priors)


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


@pytest.mark.slow(3)
@pytest.mark.parametrize("pooled", [True, False])
@pytest.mark.parametrize(
    ("absent", "known"), [({}, {}), ({"layer_1": 0.3}, {}), ({"layer_1": 0.3}, {"layer_2": 0, "layer_1": {1: 0.7}})]
)
def test_the_models_density_is_that_of_every_row(pooled, absent, known):
    frame = mlm.PRESETS["cc_27"].simulate(300, rng=5, absent=absent)
    frame = frame.assign(total=frame["total"].round())
    counts = mlm.count_totals(frame, layers=LAYERS, allow_absent=list(absent))
    priors = mlm.Priors.from_cells(counts.cells, pooled=pooled, known_sigma=known)
    model = mlm.tail_model(counts, priors)
    rng = np.random.default_rng(6)
    names = [f"{kind}_{name}" for kind in ("mu", "sigma") for name in ("baseline", *LAYERS)] + list(TAILS)
    wanted = [*model.replace_rvs_by_values([model[name] for name in names]), model.observedlogp]
    values = model.compile_fn(wanted, on_unused_input="ignore", mode="FAST_COMPILE")
    codes = [frame[name].cat.codes.to_numpy() for name in LAYERS]
    for _ in range(3):
        point = {name: value + 0.2 * rng.normal(size=np.shape(value)) for name, value in model.initial_point().items()}
        *found, logp = values(point)
        at = dict(zip(names, found, strict=True))
        # A code of -1 points to the last place, which is that of an absent layer.
        parts = [[np.append(at[f"{kind}_{name}"], 0.0) for name in LAYERS] for kind in ("mu", "sigma")]
        mean = at["mu_baseline"] + sum(mu[code] for mu, code in zip(parts[0], codes, strict=True))
        variance = at["sigma_baseline"] ** 2 + sum(sd[code] ** 2 for sd, code in zip(parts[1], codes, strict=True))
        rows = of_scipy(mean, np.sqrt(variance), at["skewness"], at["tail_weight"]).logpdf(frame["total"])
        assert logp == pytest.approx(rows.sum(), rel=1e-9)
        for name, value in known.items():
            if value == 0:
                assert (at[f"sigma_{name}"] == 0).all()


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
@pytest.mark.rare
def test_means_and_tails_are_recovered():
    """Every true value within 4.5 posterior standard deviations: ten of them fail by chance in 1 of 14,000 tables."""
    truth = mlm.PRESETS["cc_27"].centered()
    frame = skewed_totals(truth, 20_000, 0.4, 3.0, seed=7)
    model = mlm.tail_model(mlm.count_totals(frame, layers=LAYERS, width=0.2))
    # Spreads are equal here, so their scale may be close to zero, where a chain can stay for a while.
    idata = mlm.sample(model, seed=1, draws=1500)
    mlm.check_convergence(idata)
    found = mlm.recovery(idata, truth)
    means = found.filter(like="mu_", axis="index")
    assert (abs(means["mean"] - means["truth"]) < 4.5 * means["sd"]).all()
    for name, value in {"skewness": 0.4, "tail_weight": 3.0}.items():
        draws = idata["posterior"][name]
        assert abs(draws.mean() - value) < 4.5 * draws.std()
        assert draws.std() < 0.2


@pytest.mark.slow
def test_sums_of_contributions_have_the_distribution_of_their_total():
    """Kolmogorov-Smirnov with 50,000 sums: fails by chance in 1 of 10,000 runs, sees 2 % of another distribution."""
    truth = mlm.LayeredSum.from_coefficients([{0: (1.0, 2.0)}, {0: (0.5, 1.0), 1: (-0.5, 1.0)}, {0: (0, 1), 1: (0, 1)}])
    frame = skewed_totals(truth, 100_000, -0.6, 2.0, seed=8)
    totals = frame.loc[frame["layer_1"] == 0, "total"]
    assert stats.kstest(totals, of_scipy(1.5, np.sqrt(6), -0.6, 2.0).cdf).pvalue > 1e-4
    assert stats.kstest(totals, stats.norm(1.5, np.sqrt(6)).cdf).pvalue < 1e-10


@pytest.fixture(scope="module")
def shop():
    """Return a truth, rows with tails, and a posterior that holds the truth in every draw."""
    truth = mlm.PRESETS["cc_27"].centered()
    frame = skewed_totals(truth, 400, 0.6, 4.0, seed=9)
    draws = np.ones((2, 1000, 1))
    variables = {name: (("chain", "draw"), value * draws[..., 0]) for name, value in TAILS.items()}
    for kind in ("mu", "sigma"):
        variables[f"{kind}_baseline"] = (("chain", "draw"), getattr(truth.baseline, kind) * draws[..., 0])
        for layer in truth.layers:
            variables[f"{kind}_{layer.name}"] = (("chain", "draw", layer.name), getattr(layer, kind) * draws)
    posterior = xr.Dataset(variables, {layer.name: list(layer.labels) for layer in truth.layers})
    return truth, frame, xr.DataTree.from_dict({"posterior": posterior})


def moments(truth, frame):
    """Return mean and variance of every component of every row, each of shape (N, 1 + J)."""
    labels = {layer.name: frame[layer.name] for layer in truth.layers} | {"baseline": [0] * len(frame)}
    pairs = np.array([[layer.coefficients[k] for k in labels[layer.name]] for layer in truth])
    return pairs[..., 0].T, pairs[..., 1].T ** 2


@pytest.mark.slow
def test_a_total_is_split_as_by_the_density_of_its_parts(shop):
    truth, frame, idata = shop
    mu, v = moments(truth, frame)
    x, total = frame["total"].to_numpy()[:, None], v.sum(axis=1, keepdims=True)
    found = mlm.decompose(idata, frame, layers=LAYERS, draws=400, rng=1)
    w = v / total
    deviation = x - mu.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found["mean"], mu + w * deviation, atol=1e-8)
    a = local_variance(deviation, total, 0.6, 4.0)
    np.testing.assert_allclose(found["sd"], np.sqrt(a * w * (1 - w)), rtol=1e-8)
    assert a.max() > 2 * total.max()
    draws = found["draws"].to_numpy()
    np.testing.assert_allclose(draws.sum(axis=2), np.broadcast_to(x[:, 0], draws.shape[:2]), atol=1e-8)
    # Squares of 400 x 400 standardized draws, each component: their average is 1 within five standard errors.
    squares = ((draws - found["mean"].to_numpy()) / found["sd"].to_numpy()) ** 2
    by_row = squares.mean(axis=0)
    assert (abs(by_row.mean(axis=0) - 1) < 5 * by_row.std(axis=0) / np.sqrt(len(frame))).all()


def test_predictions_have_the_quantiles_and_densities_of_the_total(shop):
    truth, frame, idata = shop
    mu, v = moments(truth, frame)
    mean, sd = mu.sum(axis=1), np.sqrt(v.sum(axis=1))
    exact = of_scipy(mean, sd, 0.6, 4.0)
    found = mlm.predict(idata, frame, LAYERS, ci_prob=0.9, draws=2000, rng=1)
    np.testing.assert_allclose(found["mean"], mean, atol=1e-8)
    np.testing.assert_allclose(found["sd"], sd, rtol=1e-8)
    for name, p in (("lower", 0.05), ("upper", 0.95)):
        np.testing.assert_allclose(exact.cdf(found[name].to_numpy()), p, atol=0.004)
    first = found["draws"].to_numpy()[:, 0]
    assert stats.kstest(first, of_scipy(mean[0], sd[0], 0.6, 4.0).cdf).pvalue > 1e-4
    density = mlm.log_predictive_density(idata, frame, layers=LAYERS)
    np.testing.assert_allclose(density, exact.logpdf(frame["total"]), rtol=1e-8)


def test_shares_do_not_warn_of_a_sum_of_squares_that_tails_explain(shop):
    truth, _, idata = shop
    for seed in range(20):
        cells = mlm.cell_statistics(skewed_totals(truth, 60, 0.6, 4.0, seed), layers=LAYERS)
        with warnings.catch_warnings():
            warnings.simplefilter("error", mlm.VarianceMismatchWarning)
            mlm.variance_shares(idata, cells)


def test_a_check_against_the_model_with_tails_raises_no_alarm(shop):
    _, frame, idata = shop
    table = mlm.predictive_check(idata, frame, layers=LAYERS)
    assert not table["alarm"].any()
    normal = xr.DataTree.from_dict(
        {"posterior": idata["posterior"].to_dataset().drop_vars(["skewness", "tail_weight"])}
    )
    assert mlm.predictive_check(normal, frame, layers=LAYERS).loc["tails", "alarm"]


@pytest.mark.slow(80)
def test_ranks_of_the_truth_are_uniform():
    """100 replicates, each of 20 p-values above 1e-6: fails by chance in 1 of 50,000 runs. Of a posterior
    half as wide as it should be, nine p-values of ten are below 1e-9.
    """
    counts = mlm.count_totals(mlm.PRESETS["cc_22"].simulate(100, rng=10), layers=LAYERS)
    ranks = mlm.calibrate(counts, 100, seed=11, draws=300, tune=200, chains=1)
    assert ranks.attrs["failed"] <= 5
    assert {"skewness", "tail_weight", "log_likelihood"} <= set(ranks.data_vars)
    for values in ranks.data_vars.values():
        for row in np.atleast_2d(values.transpose("simulation", ...).to_numpy().reshape(100, -1).T):
            observed = np.histogram(row, bins=20, range=(0, 101))[0]
            assert stats.chisquare(observed).pvalue > 1e-6
