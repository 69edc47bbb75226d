"""Decomposition: parts add up, follow the formulas, and have the right uncertainty."""

import datetime
import time
import tracemalloc
import uuid
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray as xr
from scipy import stats
from scipy.sparse.linalg import lsqr

import mlm_tutorial as mlm
from mlm_tutorial import decomposition, parameters, rows
from mlm_tutorial.parameters import absent_layers
from tests.support.backends import BACKENDS
from tests.support.posteriors import at_rows, posterior_of_arrays, random_posterior, random_values
from tests.support.problems import LAYERS, SMALL_TRUTH, small_cells, small_frame

FALSE_ALARM = 1e-6  # of one test function, shared among its comparisons (Bonferroni)
COMPONENTS = ["baseline", *LAYERS]


def known(truth, repeats=1):
    """Return a posterior of which every draw is the truth; labels in the truth's own order."""
    truth = truth.centered()
    variables = {}
    for layer in truth:
        for kind, values in (("mu", layer.mu), ("sigma", layer.sigma)):
            if layer.name == "baseline":
                variables[f"{kind}_baseline"] = (("chain", "draw"), np.full((1, repeats), values[0]))
            else:
                dims = ("chain", "draw", layer.name)
                variables[f"{kind}_{layer.name}"] = (dims, np.tile(values, (1, repeats, 1)))
    coords = {layer.name: list(layer.labels) for layer in truth.layers}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(variables, coords)})


def few_draws(n=7):
    """Return a posterior of a few draws that differ widely."""
    return random_posterior({"paint": ["blue", "red"], "size": [2, 7, 10]}, n_draws=2 * n)


def by_hand(posterior, x, labels):
    """Return mean and covariance of one total's contributions, (1 + J,) and (1 + J, 1 + J), draw by draw."""
    means, covariances = [], []
    for chain in posterior["chain"]:
        for draw in posterior["draw"]:
            at = posterior.sel(chain=chain, draw=draw)
            mu, v = (
                np.array(
                    [float(at[f"{kind}_baseline"])] + [float(at[f"{kind}_{k}"].sel({k: labels[k]})) for k in LAYERS]
                )
                for kind in ("mu", "sigma")
            )
            v = v**2
            means.append(mu + v / v.sum() * (x - mu.sum()))
            covariances.append(np.diag(v) - np.outer(v, v) / v.sum())
    # The law of total covariance: expected covariance plus covariance of the expectations.
    return np.mean(means, axis=0), np.mean(covariances, axis=0) + np.cov(np.transpose(means), ddof=0)


@pytest.fixture(scope="module")
def simulated():
    """Return many rows with their true contributions."""
    frame = SMALL_TRUTH.centered().simulate(40_000, rng=92, contributions=True)
    return frame, frame[[f"y_{name}" for name in COMPONENTS]].to_numpy()


def test_expected_contributions_add_up_to_the_total():
    parts = mlm.decompose(few_draws(), small_frame(), layers=LAYERS)
    np.testing.assert_allclose(parts["mean"].sum("component"), small_frame()["total"], rtol=1e-9)


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_joint_draws_add_up_to_the_total(offset):
    frame = small_frame().assign(total=lambda f: f["total"] + offset)
    parts = mlm.decompose(few_draws(), frame, layers=LAYERS, draws=20, rng=1)
    assert parts["draws"].dims == ("sample", "observation", "component")
    assert parts["draws"].shape == (20, 300, 3)
    total = np.broadcast_to(frame["total"], (20, 300))
    np.testing.assert_allclose(parts["draws"].sum("component"), total, rtol=1e-9)
    np.testing.assert_allclose(parts["mean"].sum("component"), frame["total"], rtol=1e-9)


def test_parts_are_named():
    parts = mlm.decompose(few_draws(), small_frame().head(5), layers=LAYERS)
    assert set(parts.data_vars) == {"mean", "sd"}
    assert parts["mean"].dims == parts["sd"].dims == ("observation", "component")
    assert parts["component"].values.tolist() == COMPONENTS
    assert parts["observation"].values.tolist() == list(range(5))


@pytest.mark.parametrize("posterior", [known(SMALL_TRUTH), few_draws()], ids=["known parameters", "many draws"])
def test_mean_and_sd_are_the_formulas_averaged_over_draws(posterior):
    frame = small_frame().head(40)
    parts = mlm.decompose(posterior, frame, layers=LAYERS)
    for i, row in frame.iterrows():
        mean, covariance = by_hand(posterior["posterior"].to_dataset(), row["total"], row)
        np.testing.assert_allclose(parts["mean"].sel(observation=i), mean, rtol=1e-9)
        np.testing.assert_allclose(parts["sd"].sel(observation=i), np.sqrt(np.diag(covariance)), rtol=1e-9)


def test_known_parameters_give_what_simulation_gives():
    """Of many simulated totals, those near a value have contributions with the predicted mean and sd."""
    rng, x, width = np.random.default_rng(93), 14.0, 0.05
    truth = SMALL_TRUTH.centered()
    mu, sd = np.array([truth.baseline.mu[0], 1.0, 0.0]), np.array([2.0, 1.0, 0.5])  # red, and size 2
    y = rng.normal(mu, sd, size=(2_000_000, 3))
    y = y[np.abs(y.sum(axis=1) - x) < width]
    frame = pd.DataFrame({"total": [x], "paint": ["red"], "size": [2]})
    parts = mlm.decompose(known(truth), frame, layers=LAYERS)
    bound = stats.norm.isf(FALSE_ALARM / 2 / 6)
    mean, expected_sd = parts["mean"].values[0], parts["sd"].values[0]
    # The window moves the mean by far less than its width, and adds width^2 / 3 to variances at most.
    assert np.all(np.abs(y.mean(axis=0) - mean) < bound * expected_sd / np.sqrt(len(y)) + width / 10)
    assert np.all(np.abs(y.var(axis=0) / expected_sd**2 - 1) < bound * np.sqrt(2 / len(y)) + width**2)


def test_joint_draws_have_the_means_sds_and_correlations_of_the_formulas():
    n, frame, posterior = 20_000, small_frame().head(6), few_draws()
    parts = mlm.decompose(posterior, frame, layers=LAYERS, draws=n, rng=2)
    bound = stats.norm.isf(FALSE_ALARM / 2 / (6 * 9))
    for i, row in frame.iterrows():
        mean, covariance = by_hand(posterior["posterior"].to_dataset(), row["total"], row)
        error = parts["draws"].sel(observation=i).values - mean
        products = np.concatenate(
            [error, (error[:, :, None] * error[:, None, :]).reshape(n, 9)[:, [0, 1, 2, 4, 5, 8]]], axis=1
        )
        expected = np.concatenate([np.zeros(3), covariance.ravel()[[0, 1, 2, 4, 5, 8]]])
        score = (products.mean(axis=0) - expected) / (products.std(axis=0) / np.sqrt(n))
        assert np.abs(score).max() < bound


def test_each_joint_draw_uses_another_draw_of_the_posterior():
    """With as many joint draws as the posterior has, each of its draws is used once: the noise-free parts show it."""
    posterior = few_draws()
    for name in ("sigma_paint", "sigma_size"):
        posterior["posterior"][name][:] = 1e-12  # contributions are then the means
    frame = small_frame().head(1)
    draws = mlm.decompose(posterior, frame, layers=LAYERS, draws=14, rng=3)["draws"].sel(
        observation=0, component="paint"
    )
    expected = posterior["posterior"]["mu_paint"].sel(paint=frame["paint"][0]).values.ravel()
    np.testing.assert_allclose(np.sort(draws), np.sort(expected), atol=1e-8)


def test_the_same_seed_gives_the_same_joint_draws():
    first, second, third = (
        mlm.decompose(few_draws(), small_frame().head(3), layers=LAYERS, draws=4, rng=rng)["draws"] for rng in (5, 5, 6)
    )
    assert first.equals(second)
    assert not first.equals(third)


def test_true_contributions_lie_as_far_from_their_means_as_predicted(simulated):
    """With known parameters, errors over sds are standard normal in every component."""
    frame, truths = simulated
    parts = mlm.decompose(known(SMALL_TRUTH), frame, layers=LAYERS)
    z = (truths - parts["mean"].values) / parts["sd"].values
    bound = FALSE_ALARM / 6
    n = len(z)
    assert np.abs(z.mean(axis=0) * np.sqrt(n)).max() < stats.norm.isf(bound / 2)
    chi2 = (z**2).sum(axis=0)
    assert np.all((stats.chi2.ppf(bound / 2, n) < chi2) & (chi2 < stats.chi2.isf(bound / 2, n)))
    # What is left over has nothing to do with the total.
    for column in z.T:
        assert abs(np.corrcoef(column, frame["total"])[0, 1]) * np.sqrt(n) < stats.norm.isf(FALSE_ALARM / 6)


def test_a_row_is_decomposed_independently_of_others():
    everything = mlm.decompose(few_draws(), small_frame(), layers=LAYERS)
    for i in (0, 17, 299):
        alone = mlm.decompose(few_draws(), small_frame().iloc[[i]], layers=LAYERS)
        for name in ("mean", "sd"):
            np.testing.assert_allclose(alone[name][0], everything[name][i], rtol=1e-9)


def test_rows_keep_their_order_and_index_does_not_matter():
    frame = small_frame().sample(frac=1, random_state=2)
    shuffled = mlm.decompose(few_draws(), frame, layers=LAYERS)["mean"].values
    np.testing.assert_allclose(
        shuffled, mlm.decompose(few_draws(), small_frame(), layers=LAYERS)["mean"].values[frame.index], rtol=1e-12
    )


@pytest.mark.parametrize(
    "convert",
    [
        lambda f: f.astype(
            {"paint": pd.CategoricalDtype(["red", "blue"]), "size": pd.CategoricalDtype([10, 2, 7, 99])}
        ),
        lambda f: f.astype({"paint": str, "size": "int64"}),
        lambda f: pl.from_pandas(f.astype({"paint": str, "size": "int64"})),
        lambda f: pl.from_pandas(f.astype({"paint": str, "size": "int64"})).lazy(),
        lambda f: f.astype({"paint": str, "size": "int64"})[["size", "total", "paint"]],
    ],
    ids=["categories in another order", "plain", "polars", "polars lazy", "columns in another order"],
)
def test_labels_are_found_by_name_in_any_table(convert):
    expected = mlm.decompose(few_draws(), small_frame(), layers=LAYERS)
    found = mlm.decompose(few_draws(), convert(small_frame()), layers=LAYERS)
    xr.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_posterior_with_labels_in_another_order_gives_the_same_parts():
    reordered = xr.DataTree.from_dict(
        {"posterior": few_draws()["posterior"].to_dataset().isel(paint=[1, 0], size=[2, 0, 1])}
    )
    expected = mlm.decompose(few_draws(), small_frame(), layers=LAYERS)
    xr.testing.assert_allclose(mlm.decompose(reordered, small_frame(), layers=LAYERS), expected, rtol=1e-12)
    shares = [mlm.variance_shares(idata, small_cells()) for idata in (few_draws(), reordered)]
    pd.testing.assert_frame_equal(*shares)


def test_layers_may_be_named_in_another_order():
    expected = mlm.decompose(few_draws(), small_frame(), layers=LAYERS)
    found = mlm.decompose(few_draws(), small_frame(), layers=LAYERS[::-1])
    xr.testing.assert_allclose(found.sel(component=COMPONENTS), expected, rtol=1e-12)


def test_some_contributors_are_enough():
    frame = small_frame().query("paint == 'red' and size == 10").reset_index(drop=True)
    rows = small_frame().query("paint == 'red' and size == 10").index
    found = mlm.decompose(few_draws(), frame, layers=LAYERS)
    expected = mlm.decompose(few_draws(), small_frame(), layers=LAYERS).isel(observation=rows)
    np.testing.assert_allclose(found["mean"], expected["mean"], rtol=1e-12)
    np.testing.assert_allclose(found["sd"], expected["sd"], rtol=1e-12)


class TestBadInput:
    def test_an_unknown_contributor_is_named(self):
        frame = pd.DataFrame({"total": [1.0, 2.0], "paint": ["red", "green"], "size": [2, 2]})
        with pytest.raises(
            ValueError, match=r"column 'paint' has the label 'green' in row 1 .* \['blue', 'red'\].*`predict`"
        ):
            mlm.decompose(few_draws(), frame, layers=LAYERS)

    def test_layers_are_required(self):
        with pytest.raises(TypeError, match="missing 1 required argument: 'layers'"):
            mlm.decompose(few_draws(), small_frame())

    def test_a_layer_that_is_absent_is_refused_unless_the_model_allows_it(self):
        frame = pd.DataFrame({"total": [1.0, 2.0], "paint": ["red", None], "size": [2, 2]})
        with pytest.raises(ValueError, match="column 'paint' has 1 missing label; the first is in row 1"):
            mlm.decompose(few_draws(), frame, layers=LAYERS)

    def test_a_layer_that_the_posterior_lacks_is_named(self):
        frame = small_frame().rename(columns={"size": "width"})
        with pytest.raises(ValueError, match="the posterior has no 'mu_width'; it has mu_baseline"):
            mlm.decompose(few_draws(), frame, layers=["paint", "width"])
        with pytest.raises(ValueError, match="the posterior has no 'mu_width'; it has mu_baseline"):
            mlm.variance_shares(few_draws(), mlm.cell_statistics(frame, layers=["paint", "width"]))

    def test_a_missing_column_is_named(self):
        with pytest.raises(KeyError, match="no column 'colour'"):
            mlm.decompose(few_draws(), small_frame(), layers=["colour", "size"])

    def test_a_missing_total_is_reported_with_its_row(self):
        frame = small_frame().head(4).assign(total=[1.0, 2.0, np.nan, 3.0])
        with pytest.raises(ValueError, match="'total' has 1 missing or infinite total; the first is in row 2"):
            mlm.decompose(few_draws(), frame, layers=LAYERS)

    def test_a_tree_without_a_posterior_is_refused(self):
        prior = xr.DataTree.from_dict({"prior": few_draws()["posterior"].to_dataset()})
        with pytest.raises(ValueError, match="expected a DataTree with a posterior, got DataTree with prior"):
            mlm.decompose(prior, small_frame(), layers=LAYERS)
        with pytest.raises(ValueError, match="expected a DataTree with a posterior, got DataTree with prior"):
            mlm.variance_shares(prior, small_cells())

    def test_layers_of_the_posterior_must_be_in_the_list(self):
        """A layer left out would make the parts add up to another model's total."""
        with pytest.raises(ValueError, match=r"sums of all layers, but 'size' is not among \['paint'\]"):
            mlm.decompose(few_draws(), small_frame(), layers=["paint"])


ABSENT_LABELS = {"paint": ["blue", "red"], "size": [2, 7, 10]}
ABSENT_ROWS = [("red", 2), (None, 2), ("blue", None), (None, None), ("red", 10)]


def frame_of_rows(rows, totals=None, layers=LAYERS):
    totals = np.linspace(5, 15, len(rows)) if totals is None else totals
    columns = {name: pd.Series([row[j] for row in rows], dtype=object) for j, name in enumerate(layers)}
    return pd.DataFrame({"total": totals} | columns)


class TestAbsentLayers:
    def test_an_absent_layer_contributes_exactly_nothing(self):
        idata = random_posterior(ABSENT_LABELS, absent=LAYERS)
        parts = mlm.decompose(idata, frame_of_rows(ABSENT_ROWS), layers=LAYERS, draws=6, rng=1)
        for i, row in enumerate(ABSENT_ROWS):
            for label, name in zip(row, LAYERS, strict=True):
                at = parts.sel(observation=i, component=name)
                for values in (at["mean"].values, at["sd"].values, at["draws"].values):
                    assert np.all(values == 0) if label is None else np.all(values != 0)
        np.testing.assert_allclose(parts["mean"].sum("component"), np.linspace(5, 15, 5), rtol=1e-12)
        # What is left is the baseline's, with certainty.
        alone = parts.sel(observation=3, component="baseline")
        assert np.isclose(alone["mean"], 12.5)
        assert alone["sd"] < 1e-7

    def test_present_layers_share_the_total_as_if_there_were_no_other(self):
        idata = random_posterior(ABSENT_LABELS, absent=LAYERS)
        without = idata.copy(deep=True)
        without["posterior"] = without["posterior"].to_dataset().drop_vars(["mu_paint", "sigma_paint", "paint"])
        frame = frame_of_rows([(None, 2), (None, 10), (None, None)])
        found = mlm.decompose(idata, frame, layers=LAYERS).sel(component=["baseline", "size"])
        expected = mlm.decompose(without, frame, layers=["size"])
        np.testing.assert_allclose(found["mean"], expected["mean"], rtol=1e-12)
        np.testing.assert_allclose(found["sd"], expected["sd"], rtol=1e-9, atol=1e-7)

    @pytest.mark.parametrize("backend", BACKENDS)
    def test_every_kind_of_table_may_lack_a_layer(self, backend):
        idata = random_posterior(ABSENT_LABELS, absent=["paint"])
        columns = {"total": [1.0, 2.0, 3.0], "paint": ["red", None, "blue"], "size": [2, 2, 7]}
        parts = mlm.decompose(idata, BACKENDS[backend](columns), layers=LAYERS)
        assert (parts["mean"].sel(component="paint").values == 0).tolist() == [False, True, False]

    @pytest.mark.parametrize("names", [[], ["paint"], ["paint", "size"]])
    def test_the_posterior_knows_its_absent_layers_after_saving(self, names, tmp_path):
        idata = random_posterior(ABSENT_LABELS, absent=names)
        mlm.save_posterior(idata, tmp_path / "a.nc")
        loaded = xr.load_datatree(tmp_path / "a.nc", engine="h5netcdf")
        assert absent_layers(idata) == absent_layers(loaded) == frozenset(names)

    def test_a_posterior_without_the_attribute_has_no_absent_layers(self):
        idata = few_draws()
        idata.attrs = {}
        assert absent_layers(idata) == frozenset()


class TestKnownSpreads:
    def test_a_contributor_without_spread_contributes_its_mean(self):
        idata = random_posterior(ABSENT_LABELS, known={"paint": 0.0})
        frame = small_frame().head(20)
        parts = mlm.decompose(idata, frame, layers=LAYERS, draws=14, rng=1).sel(component="paint")
        mu = idata["posterior"]["mu_paint"].sel(paint=frame["paint"].to_numpy()).values.reshape(14, 20)
        np.testing.assert_allclose(parts["mean"], mu.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(parts["sd"], mu.std(axis=0), rtol=1e-9)
        np.testing.assert_allclose(np.sort(parts["draws"], axis=0), np.sort(mu, axis=0), rtol=1e-12)

    def test_the_baseline_gets_the_rest_if_no_layer_has_spread(self):
        idata = random_posterior(ABSENT_LABELS, known={"paint": 0.0, "size": 0.0})
        frame = small_frame().head(20)
        parts = mlm.decompose(idata, frame, layers=LAYERS)
        others = parts["mean"].sel(component=LAYERS).sum("component")
        np.testing.assert_allclose(parts["mean"].sel(component="baseline"), frame["total"] - others, rtol=1e-9)

    def test_known_means_without_spread_are_certain(self):
        labels = {"paint": ["blue", "red"]}
        values = random_values(labels, n_draws=2, known={"paint": 0.0, "baseline": 0.3})
        values = {key: np.repeat(array[:1], 2, axis=0) for key, array in values.items()}
        parts = mlm.decompose(posterior_of_arrays(labels, values), small_frame().head(3), layers=["paint"])
        np.testing.assert_allclose(parts["sd"], 0, atol=1e-12)


def test_contributions_given_parameters_match_scipy():
    """log p(y | x) = log p(y, x) - log p(x), for contributions whose last one is what is left of the total."""
    rng = np.random.default_rng(7)
    values = random_values(ABSENT_LABELS, n_draws=2)
    values = {key: np.repeat(array[:1], 2, axis=0) for key, array in values.items()}
    x = 13.0
    idata = posterior_of_arrays(ABSENT_LABELS, values)
    parts = mlm.decompose(idata, frame_of_rows([("red", 7)], [x]), layers=LAYERS, draws=50_000, rng=1)
    mu, v = (array[0, 0] for array in at_rows(ABSENT_LABELS, values, [("red", 7)]))
    add = np.vstack([np.eye(3)[:2], np.ones(3)])  # two contributions and the total
    joint = stats.multivariate_normal(add @ mu, add @ np.diag(v) @ add.T)
    total = stats.norm(mu.sum(), np.sqrt(v.sum()))
    drawn = parts["draws"].values[:, 0, :2]
    covariance = np.cov(drawn.T)
    given = stats.multivariate_normal(parts["mean"].values[0, :2], covariance)
    for y in rng.normal(mu[:2], np.sqrt(v[:2]), (20, 2)):
        expected = joint.logpdf([*y, x]) - total.logpdf(x)
        # The draws' covariance is known to 1 in sqrt(50,000 / 2).
        assert abs(given.logpdf(y) - expected) < 0.05 * (1 + abs(expected))
    np.testing.assert_allclose(parts["sd"].values[0, :2], np.sqrt(np.diag(covariance)), rtol=0.02)


class TestManyRows:
    @pytest.mark.parametrize("piece", [1, 7, 300])
    def test_pieces_of_any_size_give_the_same_parts(self, piece, monkeypatch):
        expected = mlm.decompose(few_draws(), small_frame(), layers=LAYERS, draws=5, rng=1)
        monkeypatch.setattr(rows, "PIECE", piece)
        monkeypatch.setattr(parameters, "BLOCK", 14 * 3 * piece)
        found = mlm.decompose(few_draws(), small_frame(), layers=LAYERS, draws=5, rng=1)
        xr.testing.assert_allclose(found, expected, rtol=1e-12)

    def test_memory_does_not_grow_with_rows_times_draws(self):
        n, m = 300_000, 60
        idata = random_posterior({"paint": list(range(m)), "size": list(range(m))}, n_draws=2_000)
        rng = np.random.default_rng(1)
        frame = pd.DataFrame({name: rng.integers(0, m, n) for name in LAYERS} | {"total": rng.normal(10, 3, n)})
        cells = mlm.cell_statistics(frame, layers=LAYERS)
        assert len(cells) == m * m
        mlm.decompose(idata, frame.head(10), layers=LAYERS)
        tracemalloc.start()
        start = time.process_time()
        mlm.decompose(idata, frame, layers=LAYERS)
        with warnings.catch_warnings(action="ignore"):
            mlm.variance_shares(idata, cells)
        seconds = time.process_time() - start
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 120e6  # rows times draws would be 4.8 GB, cells times draws and components 170 MB an array
        assert seconds < 20


LABELS = {
    "dates": [datetime.date(2024, 1, day) for day in (1, 2, 3)],
    "timestamps": [pd.Timestamp(2024, 1, day) for day in (1, 2, 3)],
    "time zones": [pd.Timestamp(2024, 1, day, tz="Europe/Berlin") for day in (1, 2, 3)],
    "intervals": list(pd.interval_range(0, 3)),
    "tuples": [(1, "a"), (1, "b"), (2, "a")],
    "uuids": [uuid.UUID(int=k) for k in (1, 2, 3)],
    "booleans": [False, True],
    "numbers and text": [101, "101", 7],
    "whole numbers": [3, 1, 2],
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_any_kind_are_found_before_and_after_saving(kind, tmp_path):
    labels = LABELS[kind]
    idata = random_posterior({"a/b": labels})
    mlm.save_posterior(idata, tmp_path / "saved.nc")
    loaded = xr.load_datatree(tmp_path / "saved.nc", engine="h5netcdf")
    order = np.random.default_rng(1).integers(len(labels), size=9)
    frame = pd.DataFrame({"total": np.arange(9.0), "a/b": pd.Series([labels[k] for k in order])})
    with_numbers = random_posterior({"a/b": list(range(len(labels)))})
    expected = mlm.decompose(with_numbers, frame.assign(**{"a/b": order}), layers=["a/b"])
    cells = mlm.cell_statistics(frame, layers=["a/b"])
    shares = mlm.variance_shares(with_numbers, mlm.cell_statistics(frame.assign(**{"a/b": order}), layers=["a/b"]))
    for tree in (idata, loaded):
        xr.testing.assert_allclose(mlm.decompose(tree, frame, layers=["a/b"]), expected, rtol=1e-12)
        pd.testing.assert_frame_equal(mlm.variance_shares(tree, cells), shares)


def variance_by_hand(labels, values, rows):
    """Return the parts of the variance of these rows' totals in each draw, row by row."""
    mu, v = at_rows(labels, values, rows)
    parts = {("baseline", "spreads"): v[:, :, 0].mean(axis=1)}
    for j, name in enumerate(labels, start=1):
        parts[name, "means"] = mu[:, :, j].var(axis=1)
        parts[name, "spreads"] = v[:, :, j].mean(axis=1)
    if len(labels) > 1:
        means = sum(parts[name, "means"] for name in labels)
        parts["covariance", "means"] = mu.sum(axis=2).var(axis=1) - means
    return parts


def random_rows(labels, n, absent=(), seed=5):
    """Return rows whose labels do not occur independently."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        u = rng.random()
        row = []
        for name, of_layer in labels.items():
            k = int(np.clip((u + rng.normal(0, 0.3)) * len(of_layer), 0, len(of_layer) - 1))
            row.append(None if name in absent and rng.random() < 0.2 else of_layer[k])
        rows.append(tuple(row))
    return rows


@pytest.mark.filterwarnings("ignore::mlm_tutorial.VarianceMismatchWarning")
class TestVarianceShares:
    @pytest.mark.parametrize("absent", [(), ("size",), ("paint", "size", "shop")], ids=str)
    @pytest.mark.parametrize(
        "known", [{}, {"paint": 0.0}, {"baseline": 0.4, "size": 0.0, "paint": 0.0, "shop": 0.0}], ids=str
    )
    def test_parts_are_those_of_the_rows_in_every_draw(self, absent, known, monkeypatch):
        labels = {"paint": ["blue", "red"], "size": [2, 7, 10], "shop": ["a", "b", "c", "d"]}
        values = random_values(labels, n_draws=50, known=known, absent=absent)
        rows = random_rows(labels, 200, absent)
        frame = frame_of_rows(rows, layers=list(labels))
        cells = mlm.cell_statistics(frame, layers=list(labels), allow_absent=list(absent))
        monkeypatch.setattr(parameters, "BLOCK", 50 * 2 * 7)
        table = mlm.variance_shares(posterior_of_arrays(labels, values, absent), cells, ci_prob=0.8)
        parts = variance_by_hand(labels, values, rows)
        variance = sum(parts.values())
        assert list(zip(table["component"], table["source"], strict=True)) == list(parts)
        for row, part in zip(table.itertuples(), parts.values(), strict=True):
            share = part / variance
            expected = [share.mean(), share.std(ddof=1), *np.quantile(share, [0.1, 0.9])]
            np.testing.assert_allclose([row.mean, row.sd, row.lower, row.upper], expected, rtol=1e-9, atol=1e-13)
        assert np.isclose(table["mean"].sum(), 1, rtol=1e-12)

    def test_parts_have_names_and_the_covariance_comes_last(self):
        table = mlm.variance_shares(few_draws(), small_cells())
        assert list(zip(table["component"], table["source"], strict=True)) == [
            ("baseline", "spreads"),
            ("paint", "means"),
            ("paint", "spreads"),
            ("size", "means"),
            ("size", "spreads"),
            ("covariance", "means"),
        ]
        assert list(table.columns) == ["component", "source", "mean", "sd", "lower", "upper"]

    def test_with_one_layer_there_is_no_covariance(self):
        idata = random_posterior({"paint": ["blue", "red"]})
        table = mlm.variance_shares(idata, mlm.cell_statistics(small_frame(), layers=["paint"]))
        assert table["component"].tolist() == ["baseline", "paint", "paint"]
        assert np.isclose(table["mean"].sum(), 1)

    def test_in_a_balanced_table_the_covariance_is_zero(self):
        rows = [(paint, size) for paint in ("blue", "red") for size in (2, 7, 10)] * 4
        table = mlm.variance_shares(few_draws(), mlm.cell_statistics(frame_of_rows(rows), layers=LAYERS))
        last = table.iloc[-1]
        np.testing.assert_allclose(last[["mean", "sd", "lower", "upper"]].astype(float), 0, atol=1e-12)

    def test_known_parameters_give_the_variances_by_hand(self):
        truth = mlm.LayeredSum.from_coefficients(
            [{0: (5, 2)}, {"a": (1, 1), "b": (-1, 3)}, {0: (2, 1), 1: (-2, 2)}], names=["paint", "size"]
        )
        # Ten a to thirty b, half of each size: p = (1/4, 3/4) and (1/2, 1/2).
        cells = mlm.Cells(
            ("paint", "size"),
            {"paint": ("a", "b"), "size": (0, 1)},
            np.array([[0, 0], [0, 1], [1, 0], [1, 1]]),
            np.array([5, 5, 15, 15]),
            np.arange(4.0),
            np.ones(4),
        )
        table = mlm.variance_shares(known(truth, repeats=3), cells)
        # Var[mu] = 4 p q; E[v] = 1/4 + 9 * 3/4; and 4; 1/2 + 4/2.
        parts = np.array([4, 4 * 3 / 16, 7, 4, 2.5, 0])
        np.testing.assert_allclose(table["mean"], parts / parts.sum(), rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(table["lower"], table["upper"], rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(table["sd"], 0, atol=1e-12)

    def test_the_parts_are_those_of_the_simulated_variance(self, simulated):
        frame, truths = simulated
        cells = mlm.cell_statistics(frame, layers=LAYERS)
        table = mlm.variance_shares(known(SMALL_TRUTH, repeats=2), cells).set_index(["component", "source"])["mean"]
        variances = truths.var(axis=0)
        expected = variances / variances.sum()
        shares = table.groupby("component", sort=False).sum()
        np.testing.assert_allclose(shares[COMPONENTS], expected, atol=6 * np.sqrt(2 / len(frame)))

    def test_covariance_of_the_flights_means_is_negative(self):
        """The design's numbers: 5.22 % in the parts, 5.03 % together, so that the covariance is -0.19 %."""
        flights = mlm.load_flights()
        flights = flights.assign(minutes_lost=flights["arr_delay"] - flights["dep_delay"])
        layers = ["carrier", "origin", "month"]
        cells = mlm.cell_statistics(flights, "minutes_lost", layers)
        weight = np.sqrt(cells.n)
        center, variance = cells.total_moments()
        effects = lsqr(
            cells.design().multiply(weight[:, None]).tocsr(), (cells.mean - center) * weight, atol=0, btol=0
        )[0]
        values, start = {("mu", "baseline"): np.full(2, center)}, 1
        between = cells.n @ (cells.additive_means() - center) ** 2 / cells.n_observations
        values["sigma", "baseline"] = np.full(2, np.sqrt(variance - between))
        for name in layers:
            m = len(cells.labels[name])
            values["mu", name] = np.tile(effects[start : (start := start + m)], (2, 1))
            values["sigma", name] = np.zeros((2, m))
        idata = posterior_of_arrays(cells.labels, values)
        shares = mlm.variance_shares(idata, cells).set_index(["component", "source"])["mean"]
        parts = shares.loc[[(name, "means") for name in layers]].sum()
        assert round(parts, 4) == 0.0522
        assert round(parts + shares["covariance", "means"], 4) == 0.0503

    def test_an_offset_of_the_totals_changes_nothing(self):
        labels = {"paint": ["blue", "red"], "size": [2, 7, 10]}
        values = random_values(labels)
        expected = mlm.variance_shares(posterior_of_arrays(labels, values), small_cells())
        values["mu", "baseline"] = values["mu", "baseline"] + 1e9
        found = mlm.variance_shares(posterior_of_arrays(labels, values), small_cells())
        pd.testing.assert_frame_equal(found, expected, rtol=1e-12)

    def test_some_contributors_are_enough(self):
        labels = {"paint": ["blue", "red"], "size": [2, 7, 10]}
        values = random_values(labels)
        rows = [("blue", 7), ("red", 7), ("red", 10), ("red", 10)]
        cells = mlm.cell_statistics(frame_of_rows(rows), layers=LAYERS)
        table = mlm.variance_shares(posterior_of_arrays(labels, values), cells)
        parts = variance_by_hand(labels, values, rows)
        expected = [(part / sum(parts.values())).mean() for part in parts.values()]
        np.testing.assert_allclose(table["mean"], expected, rtol=1e-9)

    def test_layers_may_be_named_in_another_order(self):
        one = mlm.variance_shares(few_draws(), small_cells())
        other = mlm.variance_shares(few_draws(), mlm.cell_statistics(small_frame(), layers=LAYERS[::-1]))
        keys = ["component", "source"]
        pd.testing.assert_frame_equal(one.set_index(keys).sort_index(), other.set_index(keys).sort_index())

    def test_the_default_interval_is_arvizs(self):
        import arviz as az

        default = mlm.variance_shares(few_draws(), small_cells())
        with az.rc_context({"stats.ci_prob": 0.5}):
            narrow = mlm.variance_shares(few_draws(), small_cells())
        pd.testing.assert_frame_equal(narrow, mlm.variance_shares(few_draws(), small_cells(), ci_prob=0.5))
        assert np.all(narrow["upper"] - narrow["lower"] < default["upper"] - default["lower"])

    def test_a_contributor_that_the_posterior_lacks_is_named(self):
        cells = mlm.cell_statistics(frame_of_rows([("green", 2), ("red", 7)] * 2), layers=LAYERS)
        with pytest.raises(ValueError, match="the posterior has no contributor 'green' in layer 'paint'"):
            mlm.variance_shares(few_draws(), cells)

    def test_cells_that_lack_a_layer_need_a_model_that_knows_it(self):
        cells = mlm.cell_statistics(frame_of_rows(ABSENT_ROWS), layers=LAYERS, allow_absent=["paint", "size"])
        with pytest.raises(ValueError, match="some cells lack the layer 'size', and in the posterior's model no row"):
            mlm.variance_shares(random_posterior(ABSENT_LABELS, absent=["paint"]), cells)


def one_layer_posterior(rng, x, code, m, sigma, scale, n_draws=200):
    """Return exact draws from the posterior of m independent means with prior Normal(0, scale), sigma known."""
    n = np.bincount(code, minlength=m)
    precision = n / sigma**2 + 1 / scale**2
    mean = np.bincount(code, x, m) / sigma**2 / precision
    return mean + rng.normal(size=(n_draws, m)) / np.sqrt(precision)


def moments_of(mu, code, sigma):
    between = mu[:, code].var(axis=1)
    within = np.full(len(mu), sigma**2)
    return {
        "between": between,
        "within": within,
        "within_sq": within**2,
        "product": between * within,
        "cumulants": 0 * within,
    }


class TestAnotherVariance:
    def test_the_p_value_is_that_of_replicated_data(self):
        """Against simulation, in a table with unequal variances whose means and variances differ by draw."""
        rng = np.random.default_rng(8)
        labels = {"paint": ["blue", "red"], "size": [2, 7, 10]}
        values = random_values(labels, n_draws=40)
        rows = random_rows(labels, 60)
        cells = mlm.cell_statistics(frame_of_rows(rows), layers=LAYERS)
        posterior = parameters.Parameters.of(posterior_of_arrays(labels, values), LAYERS)
        codes = decomposition.codes_of(cells, posterior)
        f = cells.n / cells.n_observations
        centered = []
        for j in range(2):
            p = np.bincount(codes[:, j], f, len(posterior.mu[1 + j]))
            centered.append(posterior.mu[1 + j] - p @ posterior.mu[1 + j])
        moments = decomposition.moments_of_totals(posterior, centered, codes, f, cells)
        mu, v = (array.sum(axis=2) for array in at_rows(labels, values, rows))
        n_replicates = 2_000
        x = mu[:, None] + np.sqrt(v[:, None]) * rng.standard_normal((40, n_replicates, len(rows)))
        sum_sq = x.var(axis=2).ravel() * len(rows)
        for level in (0.02, 0.2, 0.5, 0.9, 0.99):
            q = np.quantile(sum_sq, level)
            found = decomposition.predictive_p_value(q, len(rows), moments)
            # Three standard errors of the simulation, and the error of the gamma distribution.
            expected = 2 * min(level, 1 - level)
            assert abs(found - expected) < 3 * 2 * np.sqrt(level * (1 - level) / len(sum_sq)) + 0.01

    def test_false_alarms_are_as_rare_as_promised(self):
        """Truths from the prior, posteriors exact: p-values below 0.1 in fewer than a fifth of data sets, and so on."""
        rng, m, n, sigma, scale = np.random.default_rng(9), 8, 24, 1.0, 1.5
        p = []
        for _ in range(3_000):
            code = rng.permutation(np.arange(n) % m)
            x = rng.normal(0, scale, m)[code] + rng.normal(0, sigma, n)
            mu = one_layer_posterior(rng, x, code, m, sigma, scale)
            p.append(decomposition.predictive_p_value(x.var() * n, n, moments_of(mu, code, sigma)))
        p = np.array(p)
        for level in (0.001, 0.01, 0.1):
            alarms = int((p < level).sum())
            assert stats.binom.sf(alarms - 1, len(p), 2 * level) > FALSE_ALARM / 3
        # The p-value is one: it does get small.
        assert (p < 0.5).any()

    def shares(self, factor, n=300):
        """Return a table for a posterior whose variance is `factor` times that of the totals."""
        labels = {"paint": ["blue", "red"]}
        rng = np.random.default_rng(10)
        frame = pd.DataFrame({"total": rng.normal(0, 2, n), "paint": np.array(["blue", "red"])[np.arange(n) % 2]})
        cells = mlm.cell_statistics(frame, layers=["paint"])
        sd = np.sqrt(cells.total_moments()[1] * factor)
        values = {
            ("mu", "baseline"): np.zeros(20),
            ("sigma", "baseline"): sd * np.linspace(0.99, 1.01, 20),
            ("mu", "paint"): np.zeros((20, 2)),
            ("sigma", "paint"): np.zeros((20, 2)),
        }
        return mlm.variance_shares(posterior_of_arrays(labels, values), cells)

    @pytest.mark.parametrize("factor", [0.5, 2.0])
    def test_another_variance_than_the_totals_is_reported(self, factor):
        with pytest.warns(mlm.VarianceMismatchWarning, match="shares are of a variance of .* and these totals have"):
            self.shares(factor)

    @pytest.mark.parametrize(("factor", "n"), [(1.0, 300), (1.15, 100_000), (2.0, 6)])
    def test_small_or_uncertain_differences_are_not_reported(self, factor, n):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.shares(factor, n)

    def test_means_that_cancel_one_another_are_named(self):
        """Ten batches with three casks each, fitted without pooling: the posterior only knows the sum of the two."""
        rng = np.random.default_rng(11)
        batch = np.repeat(np.arange(10), 6)
        cask = np.repeat(np.arange(30), 2)
        effects = rng.normal(0, 1.3, 10)[batch] + rng.normal(0, 2.9, 30)[cask]
        frame = pd.DataFrame({"total": 60 + effects + rng.normal(0, 0.8, 60), "batch": batch, "cask": cask})
        cells = mlm.cell_statistics(frame, layers=["batch", "cask"])
        shift = rng.normal(0, 4, (100, 10))  # what the prior alone decides
        casks = cells.mean - cells.total_moments()[0] - np.repeat(shift, 3, axis=1)
        values = {
            ("mu", "baseline"): np.full(100, 60.0),
            ("sigma", "baseline"): np.full(100, 0.8),
            ("mu", "batch"): shift - shift.mean(axis=1, keepdims=True),
            ("mu", "cask"): casks + shift.mean(axis=1, keepdims=True),
            ("sigma", "batch"): np.zeros((100, 10)),
            ("sigma", "cask"): np.zeros((100, 30)),
        }
        idata = posterior_of_arrays(cells.labels, values)
        with pytest.warns(mlm.VarianceMismatchWarning, match="means of batch, cask cancel one another"):
            table = mlm.variance_shares(idata, cells)
        assert table["mean"].iloc[-1] < -1
        assert np.isclose(table["mean"].sum(), 1)

    def test_a_warning_points_to_the_callers_line(self):
        with pytest.warns(mlm.VarianceMismatchWarning) as caught:
            self.shares(2.0)
        assert caught[0].filename == __file__
