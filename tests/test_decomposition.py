"""Decomposition: parts add up, follow the formulas, and are as uncertain as they say."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray as xr
from problems import LAYERS, SMALL_TRUTH, small_cells, small_frame, small_posterior
from scipy import stats

import mlm_tutorial as mlm

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
    """Return a posterior of a few draws that differ much."""
    rng = np.random.default_rng(91)
    variables = {"mu_baseline": (("chain", "draw"), rng.normal(10, 2, (2, n)))}
    variables["sigma_baseline"] = (("chain", "draw"), rng.uniform(0.5, 3, (2, n)))
    coords = {"paint": ["blue", "red"], "size": [2, 7, 10]}
    for name, labels in coords.items():
        mu = rng.normal(0, 2, (2, n, len(labels)))
        variables[f"mu_{name}"] = (("chain", "draw", name), mu - mu.mean(axis=-1, keepdims=True))
        variables[f"sigma_{name}"] = (("chain", "draw", name), rng.uniform(0.5, 3, (2, n, len(labels))))
    return xr.DataTree.from_dict({"posterior": xr.Dataset(variables, coords)})


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
    parts = mlm.decompose(small_posterior(), small_frame(), layers=LAYERS)
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


def test_an_observation_is_decomposed_alike_alone_and_in_company():
    everything = mlm.decompose(small_posterior(), small_frame(), layers=LAYERS)
    for i in (0, 17, 299):
        alone = mlm.decompose(small_posterior(), small_frame().iloc[[i]], layers=LAYERS)
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
        with pytest.raises(ValueError, match=r"column 'paint' has the label 'green' in row 1 .* \['blue', 'red'\]"):
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

    def test_a_total_that_is_missing_is_placed(self):
        frame = small_frame().head(4).assign(total=[1.0, 2.0, np.nan, 3.0])
        with pytest.raises(ValueError, match="'total' has 1 missing or infinite totals; the first is in row 2"):
            mlm.decompose(few_draws(), frame, layers=LAYERS)

    def test_what_has_no_posterior_is_refused(self):
        prior = xr.DataTree.from_dict({"prior": few_draws()["posterior"].to_dataset()})
        with pytest.raises(ValueError, match="expected a DataTree with a posterior, got DataTree with prior"):
            mlm.decompose(prior, small_frame(), layers=LAYERS)
        with pytest.raises(ValueError, match="expected a DataTree with a posterior, got DataTree with prior"):
            mlm.variance_shares(prior, small_cells())

    def test_layers_of_the_posterior_must_be_in_the_list(self):
        """A layer left out would make the parts add up to another model's total."""
        with pytest.raises(ValueError, match=r"sums of all layers, but 'size' is not among \['paint'\]"):
            mlm.decompose(few_draws(), small_frame(), layers=["paint"])


class TestVarianceShares:
    def test_shares_sum_to_one(self):
        for idata in (few_draws(), small_posterior()):
            table = mlm.variance_shares(idata, small_cells())
            assert np.isclose(table["mean"].sum(), 1)
            assert table["mean"].between(0, 1).all()
            assert (table["lower"] <= table["upper"]).all()
        assert list(zip(table["component"], table["source"], strict=True)) == [
            ("baseline", "spreads"),
            ("paint", "means"),
            ("paint", "spreads"),
            ("size", "means"),
            ("size", "spreads"),
        ]

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
        parts = np.array([4, 4 * 3 / 16, 7, 4, 2.5])
        np.testing.assert_allclose(table["mean"], parts / parts.sum(), rtol=1e-12)
        np.testing.assert_allclose(table["lower"], table["upper"], rtol=1e-12)
        np.testing.assert_allclose(table["sd"], 0, atol=1e-12)

    def test_the_parts_are_those_of_the_simulated_variance(self, simulated):
        frame, truths = simulated
        cells = mlm.cell_statistics(frame, layers=LAYERS)
        table = mlm.variance_shares(known(SMALL_TRUTH, repeats=2), cells).set_index(["component", "source"])["mean"]
        variances = truths.var(axis=0)
        expected = variances / variances.sum()
        shares = table.groupby("component", sort=False).sum()
        np.testing.assert_allclose(shares[COMPONENTS], expected, atol=6 * np.sqrt(2 / len(frame)))

    def test_intervals_are_those_of_the_draws(self):
        idata, cells = few_draws(200), small_cells()
        table = mlm.variance_shares(idata, cells, ci_prob=0.8).set_index(["component", "source"])
        posterior = idata["posterior"]
        parts = {("baseline", "spreads"): posterior["sigma_baseline"].values.ravel() ** 2}
        for name in LAYERS:
            p = cells.counts(name) / 300
            mu, v = (posterior[f"{kind}_{name}"].values.reshape(400, -1) for kind in ("mu", "sigma"))
            parts[name, "means"] = np.array([np.average((m - np.average(m, weights=p)) ** 2, weights=p) for m in mu])
            parts[name, "spreads"] = np.array([np.average(s**2, weights=p) for s in v])
        total = sum(parts.values())
        for key, part in parts.items():
            share = part / total
            assert np.isclose(table.loc[key, "mean"], share.mean())
            assert np.isclose(table.loc[key, "sd"], share.std(ddof=1))
            np.testing.assert_allclose(table.loc[key, ["lower", "upper"]], np.quantile(share, [0.1, 0.9]))
