"""Prediction: the distribution is the posterior's mixture, new contributors come from their population."""

import time
import tracemalloc

import arviz as az
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import integrate, special, stats

import mlm_tutorial as mlm
from mlm_tutorial import parameters, prediction, rows
from tests.support.backends import BACKENDS
from tests.support.posteriors import at_rows, posterior_of_arrays, random_posterior, random_values

FALSE_ALARM = 1e-6  # of one test function, shared among its comparisons (Bonferroni)
LABELS = {"paint": ["blue", "red"], "size": [2, 7, 10]}
LAYERS = list(LABELS)
ROWS = [("red", 2), ("blue", 10), ("red", 2), ("blue", 7)]
STATISTICS = ["mean", "sd", "lower", "upper"]


def frame_of(rows, **columns):
    labels = {name: pd.Series([row[j] for row in rows], dtype=object) for j, name in enumerate(LAYERS)}
    return pd.DataFrame(labels | columns)


def mixture_cdf(x, mu, v):
    """Return the cdf of an equal mixture of normals, at one point."""
    return stats.norm.cdf(x, mu, np.sqrt(v)).mean()


def of_one_draw(values, repeats):
    """Return values in which the first draw stands `repeats` times."""
    return {key: np.repeat(array[:1], repeats, axis=0) for key, array in values.items()}


def population_by_hand(values, layer, s=0):
    """Return mean and sd of a new contributor's mean, its floor's and its excess's mean square, in one draw."""
    known = values["mu", layer][s]
    return (
        known.mean(),
        values["tau", layer][s] * np.sqrt(1 + 1 / len(known)),
        values["floor", layer][s] ** 2,
        values["spread", layer][s] ** 2,
    )


class TestKnownContributors:
    def test_mean_and_sd_are_those_of_the_mixture(self):
        values = random_values(LABELS, n_draws=30)
        found = mlm.predict(posterior_of_arrays(LABELS, values), frame_of(ROWS), LAYERS)
        mu, v = (array.sum(axis=2) for array in at_rows(LABELS, values, ROWS))
        np.testing.assert_allclose(found["mean"], mu.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(found["sd"], np.sqrt(v.mean(axis=0) + mu.var(axis=0)), rtol=1e-12)
        assert set(found.data_vars) == set(STATISTICS)
        assert all(found[name].dims == ("observation",) for name in STATISTICS)
        assert found["observation"].values.tolist() == [0, 1, 2, 3]

    @pytest.mark.parametrize("prob", [0.02, 0.5, 0.89, 0.999])
    @pytest.mark.parametrize("apart", [0, 1, 30, 1e4])
    def test_bounds_are_the_quantiles_of_the_mixture(self, prob, apart):
        values = random_values(LABELS, n_draws=30)
        values["mu", "baseline"] = apart * values["mu", "baseline"]
        found = mlm.predict(posterior_of_arrays(LABELS, values), frame_of(ROWS), LAYERS, ci_prob=prob)
        mu, v = (array.sum(axis=2) for array in at_rows(LABELS, values, ROWS))
        for i in range(len(ROWS)):
            for name, p in (("lower", (1 - prob) / 2), ("upper", (1 + prob) / 2)):
                # Between parts that lie far apart the cdf is flat, and every point there is a quantile.
                assert abs(mixture_cdf(found[name].values[i], mu[:, i], v[:, i]) - p) < 1e-7

    def test_parameters_that_are_known_give_the_normal_distribution(self):
        values = of_one_draw(random_values(LABELS), 2)
        found = mlm.predict(posterior_of_arrays(LABELS, values), frame_of(ROWS), LAYERS, ci_prob=0.8)
        mu, v = (array[0].sum(axis=1) for array in at_rows(LABELS, values, ROWS))
        np.testing.assert_allclose(found["lower"], stats.norm.ppf(0.1, mu, np.sqrt(v)), rtol=1e-9)
        np.testing.assert_allclose(found["upper"], stats.norm.ppf(0.9, mu, np.sqrt(v)), rtol=1e-9)

    @pytest.mark.parametrize(("offset", "scale"), [(1e9, 1e-3), (0, 1e-9), (0, 1e12)])
    def test_units_do_not_matter(self, offset, scale):
        values = random_values(LABELS, n_draws=30)
        found = mlm.predict(posterior_of_arrays(LABELS, values), frame_of(ROWS), LAYERS)
        changed = {key: array * scale for key, array in values.items()}
        changed["mu", "baseline"] = changed["mu", "baseline"] + offset
        other = mlm.predict(posterior_of_arrays(LABELS, changed), frame_of(ROWS), LAYERS)
        tolerance = 1e-4 if offset else 1e-9  # at 1e9, numbers have steps of 1e-7
        np.testing.assert_allclose(other["sd"] / scale, found["sd"], rtol=tolerance)
        for name in ("mean", "lower", "upper"):
            np.testing.assert_allclose((other[name] - offset) / scale, found[name], rtol=tolerance, atol=tolerance)

    def test_an_absent_layer_adds_nothing(self):
        values = random_values(LABELS, n_draws=30, absent=LAYERS)
        found_rows = [("red", None), (None, 7), (None, None)]
        found = mlm.predict(posterior_of_arrays(LABELS, values, LAYERS), frame_of(found_rows), LAYERS)
        mu, v = (array.sum(axis=2) for array in at_rows(LABELS, values, found_rows))
        np.testing.assert_allclose(found["mean"], mu.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(found["sd"], np.sqrt(v.mean(axis=0) + mu.var(axis=0)), rtol=1e-12)

    def test_draws_have_the_distribution_of_the_mixture(self):
        values = random_values(LABELS, n_draws=4)
        n = 40_000
        found = mlm.predict(posterior_of_arrays(LABELS, values), frame_of(ROWS), LAYERS, draws=n, rng=1)["draws"]
        assert found.dims == ("sample", "observation")
        assert found.shape == (n, len(ROWS))
        mu, v = (array.sum(axis=2) for array in at_rows(LABELS, values, ROWS))
        for i in range(len(ROWS)):
            x = np.sort(found.values[:, i])
            cdf = stats.norm.cdf(x[:, None], mu[:, i], np.sqrt(v[:, i])).mean(axis=1)
            assert stats.kstest(cdf, "uniform").pvalue > FALSE_ALARM / len(ROWS)
        # Rows share the parameters, and nothing else.
        covariance = np.cov(mu.T, ddof=0)
        errors = found.values - mu.mean(axis=0)
        for i, k in ((0, 2), (0, 1), (1, 3)):
            product = errors[:, i] * errors[:, k]
            score = (product.mean() - covariance[i, k]) / (product.std() / np.sqrt(n))
            assert abs(score) < stats.norm.isf(FALSE_ALARM / 2 / 3)

    def test_the_same_seed_gives_the_same_draws(self):
        idata = random_posterior(LABELS)
        one, two, three = (mlm.predict(idata, frame_of(ROWS), LAYERS, draws=5, rng=rng)["draws"] for rng in (1, 1, 2))
        assert one.equals(two)
        assert not one.equals(three)


class TestNewContributors:
    ROW = ("green", 2)

    def posterior(self, n_draws=4_000, seed=3, absent=()):
        values = of_one_draw(random_values(LABELS, pooled=LAYERS, seed=seed, absent=absent), n_draws)
        return values, posterior_of_arrays(LABELS, values, absent)

    def cdf(self, values, x):
        """Return the cdf at x of a total with a new paint, given one draw, by numerical integration."""
        mean, sd, floor_sq, spread_sq = population_by_hand(values, "paint")
        mu = values["mu", "baseline"][0] + values["mu", "size"][0, 0] + mean
        v = values["sigma", "baseline"][0] ** 2 + values["sigma", "size"][0, 0] ** 2 + sd**2 + floor_sq
        integrand = lambda u: np.exp(-u) * stats.norm.cdf(x, mu, np.sqrt(v + spread_sq * u))  # noqa: E731
        return integrate.quad(integrand, 0, 60)[0]

    def density(self, values, x):
        return (self.cdf(values, x + 1e-4) - self.cdf(values, x - 1e-4)) / 2e-4

    def test_bounds_are_quantiles_of_the_integrated_distribution(self):
        values, idata = self.posterior()
        for prob in (0.5, 0.89, 0.99):
            found = mlm.predict(idata, frame_of([self.ROW]), LAYERS, ci_prob=prob)
            # Excesses are drawn in 4,000 strata: the error is some 1e-5.
            assert abs(self.cdf(values, found["lower"].item()) - (1 - prob) / 2) < 1e-4
            assert abs(self.cdf(values, found["upper"].item()) - (1 + prob) / 2) < 1e-4

    @pytest.mark.parametrize("absent", [(), ("paint",)], ids=str)
    def test_mean_and_sd_are_those_of_the_population(self, absent):
        """Where the layer may be absent, its means have an average of their own."""
        values, idata = self.posterior(absent=absent)
        assert (abs(values["mu", "paint"][0].mean()) > 0.1) == bool(absent)
        found = mlm.predict(idata, frame_of([self.ROW]), LAYERS)
        mean, sd, floor_sq, spread_sq = population_by_hand(values, "paint")
        others = values["sigma", "baseline"][0] ** 2 + values["sigma", "size"][0, 0] ** 2
        assert np.isclose(found["mean"].item(), values["mu", "baseline"][0] + values["mu", "size"][0, 0] + mean)
        assert np.isclose(found["sd"].item() ** 2, others + sd**2 + floor_sq + spread_sq, rtol=1e-3)

    def test_two_layers_may_be_new_at_once(self):
        values, idata = self.posterior()
        found = mlm.predict(idata, frame_of([("green", 99)]), LAYERS, draws=200_000, rng=1)
        variance = values["sigma", "baseline"][0] ** 2
        for name in LAYERS:
            _, sd, floor_sq, spread_sq = population_by_hand(values, name)
            variance += sd**2 + floor_sq + spread_sq
        assert np.isclose(found["sd"].item() ** 2, variance, rtol=1e-2)
        inside = (found["draws"] > found["lower"]) & (found["draws"] < found["upper"])
        # The excesses of two layers are paired by chance, 4,000 times.
        assert abs(inside.mean().item() - az.rcParams["stats.ci_prob"]) < 5e-3
        one, other = (prediction.stratified_exponentials(4_000, name) for name in LAYERS)
        assert abs(np.corrcoef(one, other)[0, 1]) < stats.norm.isf(FALSE_ALARM / 2) / np.sqrt(4_000)

    def test_the_density_is_that_of_the_integrated_distribution(self):
        values, idata = self.posterior()
        totals = np.linspace(-5, 25, 7)
        found = mlm.log_predictive_density(idata, frame_of([self.ROW] * 7, total=totals), layers=LAYERS)
        expected = np.log([self.density(values, x) for x in totals])
        np.testing.assert_allclose(found, expected, atol=2e-3)

    def test_draws_have_the_marginal_distribution(self):
        values = random_values(LABELS, n_draws=2_000, pooled=LAYERS, absent=["paint"])
        idata = posterior_of_arrays(LABELS, values, ["paint"])
        n = 40_000
        found = mlm.predict(idata, frame_of([self.ROW, (None, 99)]), LAYERS, draws=n, rng=1)
        for i in range(2):
            for name, p in (("lower", 0.055), ("upper", 0.945)):
                below = (found["draws"][:, i] < found[name][i]).mean().item()
                # Errors of the draws, and of the excesses that the bounds were computed with.
                assert abs(below - p) < stats.norm.isf(FALSE_ALARM / 8) * np.sqrt(p * (1 - p) * (1 / n + 1 / 2_000))

    def test_predictions_do_not_depend_on_other_rows_or_new_names(self):
        idata = random_posterior(LABELS, n_draws=60, pooled=LAYERS)
        many = mlm.predict(idata, frame_of([("green", 2), ("red", 2), ("pink", 2), ("green", 99)]), LAYERS)
        alone = mlm.predict(idata, frame_of([("yellow", 2)]), LAYERS[::-1])
        for name in STATISTICS:
            assert many[name].values[0] == many[name].values[2]
            assert np.isclose(alone[name].item(), many[name].values[0], rtol=1e-12)
            assert len(set(many[name].values)) == 3

    def test_rows_with_the_same_new_label_share_a_contributor(self):
        """Two rows of one new contributor have tau^2 (1 + 1/m) in common, of two new ones tau^2 / m."""
        n = 60_000
        values, idata = self.posterior(n_draws=2)
        table = [("green", 2), ("green", 7), ("pink", 2), ("red", 2)]
        draws = mlm.predict(idata, frame_of(table), LAYERS, draws=n, rng=2)["draws"].values
        tau_sq, m = values["tau", "paint"][0] ** 2, len(LABELS["paint"])
        errors = draws - draws.mean(axis=0)
        for (i, k), expected in {
            (0, 1): tau_sq * (1 + 1 / m),
            (0, 2): tau_sq / m,
            (1, 2): tau_sq / m,
            (0, 3): 0,
        }.items():
            product = errors[:, i] * errors[:, k]
            assert abs(product.mean() - expected) < stats.norm.isf(FALSE_ALARM / 8) * product.std() / np.sqrt(n)

    def test_rows_with_the_same_new_label_share_a_spread(self):
        """Where means are all the same and the floor is zero, the sizes of two such rows' errors are correlated."""
        values = of_one_draw(random_values({"paint": ["blue", "red"]}, pooled=["paint"]), 2)
        for key, number in ((("sigma", "baseline"), 1e-3), (("tau", "paint"), 0), (("floor", "paint"), 0)):
            values[key] = np.full(2, number)
        idata = posterior_of_arrays({"paint": ["blue", "red"]}, values)
        frame = pd.DataFrame({"paint": ["green", "green", "pink"]})
        draws = mlm.predict(idata, frame, ["paint"], draws=60_000, rng=3)["draws"].values
        # The kurtosis is 6, so that a variance has a relative error of the root of 5 / 60,000.
        np.testing.assert_allclose(draws.var(axis=0), values["spread", "paint"][0] ** 2, rtol=0.05)
        sizes = np.abs(draws - draws.mean(axis=0))
        sizes -= sizes.mean(axis=0)
        # A size is sigma |z|, and the root of a standard exponential has the variance 1 - pi / 4.
        shared = values["spread", "paint"][0] ** 2 * (1 - np.pi / 4) * 2 / np.pi
        for (i, k), expected in {(0, 1): shared, (0, 2): 0}.items():
            product = sizes[:, i] * sizes[:, k]
            assert abs(product.mean() - expected) < stats.norm.isf(FALSE_ALARM / 4) * product.std() / np.sqrt(60_000)

    def test_a_new_contributor_has_the_known_equal_spread(self):
        for known in (0.0, 0.7):
            values = of_one_draw(random_values(LABELS, pooled=LAYERS, known={"paint": known}), 2)
            found = mlm.predict(posterior_of_arrays(LABELS, values), frame_of([self.ROW]), LAYERS)
            tau_sq = values["tau", "paint"][0] ** 2 * 1.5
            others = values["sigma", "baseline"][0] ** 2 + values["sigma", "size"][0, 0] ** 2
            assert np.isclose(found["sd"].item() ** 2, others + tau_sq + known**2, rtol=1e-12)

    def test_unequal_known_spreads_refuse_new_contributors(self):
        values = random_values(LABELS, pooled=LAYERS, known={"paint": np.array([0.5, 0.6])})
        with pytest.raises(
            ValueError, match="new label 'green', and the spreads of layer 'paint' are known but differ"
        ):
            mlm.predict(posterior_of_arrays(LABELS, values), frame_of([self.ROW]), LAYERS)
        mlm.predict(posterior_of_arrays(LABELS, values), frame_of([("red", 99)]), LAYERS)

    def test_unpooled_layers_refuse_new_contributors(self):
        idata = random_posterior(LABELS, pooled=["size"])
        message = r"column 'paint' has the label 'green' in row 1 .* Layer 'paint' is not pooled"
        with pytest.raises(ValueError, match=message):
            mlm.predict(idata, frame_of([("red", 2), self.ROW]), LAYERS)
        with pytest.raises(ValueError, match=message):
            mlm.log_predictive_density(idata, frame_of([("red", 2), self.ROW], total=[1.0, 2.0]), layers=LAYERS)
        mlm.predict(idata, frame_of([("red", 99)]), LAYERS)


def draws_given_data(rng, y, sigma, tau_scale, n_draws):
    """Return draws of tau, of the layer's average mean, and of deviations from it, exact for one balanced layer.

    The model: y_k = b + z_k + error_k, b ~ flat, z_k ~ Normal(0, tau), tau ~ HalfNormal(tau_scale), error's sd known.
    """
    m = len(y)
    tau = np.linspace(0, 5 * tau_scale, 801)[1:]
    v = tau**2 + sigma**2
    # b integrated out: the density of the deviations from their average.
    log_p = stats.halfnorm.logpdf(tau, scale=tau_scale) - (m - 1) / 2 * np.log(v) - ((y - y.mean()) ** 2).sum() / 2 / v
    tau = rng.choice(tau, size=n_draws, p=special.softmax(log_p))
    v = tau**2 + sigma**2
    b = y.mean() + rng.normal(size=n_draws) * np.sqrt(v / m)
    shrink = (tau**2 / v)[:, None]
    z = shrink * (y - b[:, None]) + rng.normal(size=(n_draws, m)) * np.sqrt(shrink) * sigma
    average = z.mean(axis=1)
    return tau, b + average, z - average[:, None]


@pytest.mark.slow
@pytest.mark.parametrize("row", ["new", "known"])
def test_intervals_have_their_nominal_coverage(row):
    """Contributors from the population, exact posteriors, then the total of a new or a known one."""
    rng = np.random.default_rng(12)
    m, tau_scale, sigma, baseline, floor, spread, n_rows = 3, 2.0, 0.5, 0.3, 0.4, 0.6, 1_200
    labels = {"day": list(range(m))}
    ranks = []
    for _ in range(n_rows):
        tau = abs(rng.normal(0, tau_scale))
        b = rng.normal(0, 50)
        z = rng.normal(0, tau, m)
        y = b + z + rng.normal(0, sigma, m)
        own = np.sqrt(floor**2 + spread**2 * rng.exponential(size=m + 1))
        tau_draws, mu_baseline, mu = draws_given_data(rng, y, sigma, tau_scale, 200)
        values = {
            ("mu", "baseline"): mu_baseline,
            ("sigma", "baseline"): np.full(200, baseline),
            ("mu", "day"): mu,
            ("sigma", "day"): np.tile(own[:m], (200, 1)),
            ("tau", "day"): tau_draws,
            ("floor", "day"): np.full(200, floor),
            ("spread", "day"): np.full(200, spread),
        }
        if row == "new":
            total = rng.normal(b + rng.normal(0, tau), np.hypot(baseline, own[m]))
        else:
            total = rng.normal(b + z[0], np.hypot(baseline, own[0]))
        frame = pd.DataFrame({"day": [m if row == "new" else 0]})
        found = mlm.predict(posterior_of_arrays(labels, values), frame, ["day"], ci_prob=0.8)
        ranks.append([total < found["lower"].item(), total > found["upper"].item()])
    below, above = np.mean(ranks, axis=0)
    bound = stats.norm.isf(FALSE_ALARM / 8) * np.sqrt(0.1 * 0.9 / n_rows)
    # A posterior of 200 draws adds an error of its own, a fifteenth of that of 1,200 rows... on average none.
    assert abs(below - 0.1) < bound
    assert abs(above - 0.1) < bound
    assert abs(below + above - 0.2) < stats.norm.isf(FALSE_ALARM / 4) * np.sqrt(0.2 * 0.8 / n_rows)


class TestDensity:
    def test_it_is_the_logarithm_of_the_average_density(self):
        values = random_values(LABELS, n_draws=30)
        totals = np.array([3.0, 8.0, 11.0, 14.5])
        found = mlm.log_predictive_density(
            posterior_of_arrays(LABELS, values), frame_of(ROWS, total=totals), layers=LAYERS
        )
        mu, v = (array.sum(axis=2) for array in at_rows(LABELS, values, ROWS))
        expected = special.logsumexp(stats.norm.logpdf(totals, mu, np.sqrt(v)), axis=0) - np.log(30)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        assert found.dims == ("observation",)
        assert found["observation"].values.tolist() == [0, 1, 2, 3]

    def test_it_is_a_density(self):
        x = np.linspace(-60, 80, 14_001)
        idata = random_posterior(LABELS, pooled=LAYERS)
        for row in (("red", 2), ("green", 7)):
            found = mlm.log_predictive_density(idata, frame_of([row] * len(x), total=x), layers=LAYERS)
            assert np.isclose(integrate.trapezoid(np.exp(found.values), x), 1, atol=1e-9)

    def test_equal_totals_of_different_contributors_have_densities_of_their_own(self):
        idata = random_posterior(LABELS)
        found = mlm.log_predictive_density(idata, frame_of(ROWS, total=[9.0] * 4), layers=LAYERS).values
        alone = [mlm.log_predictive_density(idata, frame_of([row], total=[9.0]), layers=LAYERS).item() for row in ROWS]
        np.testing.assert_allclose(found, alone, rtol=1e-12)
        assert len(set(found)) == 3

    def test_far_totals_have_a_finite_logarithm(self):
        values = of_one_draw(random_values(LABELS), 2)
        found = mlm.log_predictive_density(
            posterior_of_arrays(LABELS, values), frame_of([("red", 2)], total=[1e6]), layers=LAYERS
        )
        mu, v = (array[0, 0].sum() for array in at_rows(LABELS, values, [("red", 2)]))
        assert np.isclose(found.item(), stats.norm.logpdf(1e6, mu, np.sqrt(v)), rtol=1e-12)

    def test_equal_rows_have_equal_densities_whatever_their_order(self):
        rng = np.random.default_rng(4)
        table = [ROWS[k] for k in rng.integers(4, size=200)]
        totals = rng.integers(5, 15, size=200).astype(float)
        idata = random_posterior(LABELS)
        together = mlm.log_predictive_density(idata, frame_of(table, total=totals), layers=LAYERS).values
        for i in range(0, 200, 17):
            alone = mlm.log_predictive_density(idata, frame_of([table[i]], total=[totals[i]]), layers=LAYERS)
            assert np.isclose(alone.item(), together[i], rtol=1e-12)

    def test_the_name_of_the_totals_is_an_argument(self):
        idata = random_posterior(LABELS)
        frame = frame_of(ROWS, total=[1.0, 2.0, 3.0, 4.0])
        expected = mlm.log_predictive_density(idata, frame, layers=LAYERS)
        found = mlm.log_predictive_density(idata, frame.rename(columns={"total": "y"}), "y", LAYERS)
        xr.testing.assert_equal(found, expected)

    def test_layers_are_required(self):
        with pytest.raises(TypeError, match="missing 1 required argument: 'layers'"):
            mlm.log_predictive_density(random_posterior(LABELS), frame_of(ROWS, total=1.0))

    def test_a_bad_total_is_reported_with_its_row(self):
        frame = frame_of(ROWS, total=[1.0, np.nan, np.inf, 2.0])
        with pytest.raises(ValueError, match="'total' has 2 missing or infinite totals; the first is in row 1"):
            mlm.log_predictive_density(random_posterior(LABELS), frame, layers=LAYERS)


class TestTables:
    COLUMNS = {
        "total": np.random.default_rng(1).normal(10, 3, 60).tolist(),
        "paint": (["red", "blue", "green"] * 20),
        "size": ([2, 7, 10, 2] * 15),
    }

    @pytest.mark.parametrize("piece", [7, 100_000])
    @pytest.mark.parametrize("backend", BACKENDS)
    def test_tables_and_pieces_give_the_same_predictions(self, backend, piece, monkeypatch):
        idata = random_posterior(LABELS, n_draws=40, pooled=["paint"])
        frame = pd.DataFrame(self.COLUMNS)
        expected = mlm.predict(idata, frame, LAYERS)
        density = mlm.log_predictive_density(idata, frame, layers=LAYERS)
        monkeypatch.setattr(rows, "PIECE", piece)
        monkeypatch.setattr(parameters, "BLOCK", 40 * 4 * piece)
        xr.testing.assert_allclose(mlm.predict(idata, BACKENDS[backend](self.COLUMNS), LAYERS), expected, rtol=1e-12)
        found = mlm.log_predictive_density(idata, BACKENDS[backend](self.COLUMNS), layers=LAYERS)
        xr.testing.assert_allclose(found, density, rtol=1e-12)

    def test_no_totals_are_needed(self):
        mlm.predict(random_posterior(LABELS), frame_of(ROWS), LAYERS)
        mlm.predict(random_posterior(LABELS), frame_of(ROWS, total=["what", "ever", "it", "is"]), LAYERS)

    def test_a_posterior_predicts_the_same_after_saving(self, tmp_path):
        labels = {"day/shift": [pd.Timestamp(2024, 1, day) for day in (1, 2, 3)], "ok": [False, True]}
        idata = random_posterior(labels, n_draws=60, pooled=["day/shift"], absent=["ok"])
        mlm.save_posterior(idata, tmp_path / "a.nc")
        loaded = xr.load_datatree(tmp_path / "a.nc", engine="h5netcdf")
        days = pd.to_datetime(["2024-01-02", "2024-01-05", "2024-01-01"])
        frame = pd.DataFrame({"day/shift": days, "ok": pd.Series([True, False, None], dtype=object)})
        expected = mlm.predict(idata, frame, list(labels), draws=3, rng=1)
        xr.testing.assert_allclose(mlm.predict(loaded, frame, list(labels), draws=3, rng=1), expected, rtol=1e-12)

    def test_memory_does_not_grow_with_rows_times_draws(self):
        n, m = 300_000, 60
        idata = random_posterior({name: list(range(m)) for name in LAYERS}, n_draws=2_000, pooled=["size"])
        rng = np.random.default_rng(1)
        frame = pd.DataFrame({"paint": rng.integers(0, m, n), "size": rng.integers(0, m + 5, n)})
        frame["total"] = rng.integers(0, 10, n).astype(float)
        mlm.predict(idata, frame.head(10), LAYERS)
        tracemalloc.start()
        start = time.process_time()
        mlm.predict(idata, frame, LAYERS)
        mlm.log_predictive_density(idata, frame, layers=LAYERS)
        seconds = time.process_time() - start
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 120e6  # rows times draws would be 4.8 GB, cells times draws 58 MB an array
        assert seconds < 20


class TestBadInput:
    @pytest.mark.parametrize("prob", [0, 1, -0.5, 1.5, float("nan")])
    def test_an_invalid_probability_is_refused(self, prob):
        with pytest.raises(ValueError, match="ci_prob must be between 0 and 1"):
            mlm.predict(random_posterior(LABELS), frame_of(ROWS), LAYERS, ci_prob=prob)

    def test_the_default_probability_is_arvizs(self):
        idata = random_posterior(LABELS)
        with az.rc_context({"stats.ci_prob": 0.5}):
            found = mlm.predict(idata, frame_of(ROWS), LAYERS)
        xr.testing.assert_equal(found, mlm.predict(idata, frame_of(ROWS), LAYERS, ci_prob=0.5))

    def test_layers_must_be_those_of_the_posterior(self):
        with pytest.raises(ValueError, match=r"sums of all layers, but 'size' is not among \['paint'\]"):
            mlm.predict(random_posterior(LABELS), frame_of(ROWS), ["paint"])
        with pytest.raises(ValueError, match="the posterior has no 'mu_shop'"):
            mlm.predict(random_posterior(LABELS), frame_of(ROWS).assign(shop="a"), [*LAYERS, "shop"])

    def test_a_missing_label_is_reported_with_its_row(self):
        with pytest.raises(ValueError, match="column 'size' has 1 missing label; the first is in row 1"):
            mlm.predict(random_posterior(LABELS), frame_of([("red", 2), ("red", None)]), LAYERS)

    def test_a_tree_without_a_posterior_is_refused(self):
        with pytest.raises(ValueError, match="expected a DataTree with a posterior"):
            mlm.predict(xr.DataTree(), frame_of(ROWS), LAYERS)


def test_quantiles_of_any_mixture_are_found():
    """Parts of very different scales, some of them far away: the cdf at the quantile is the probability."""
    rng = np.random.default_rng(6)
    mu = rng.standard_cauchy((300, 25)) * 10 ** rng.uniform(-3, 3, (300, 1))
    sigma = 10 ** rng.uniform(-4, 2, (300, 25))
    mean, sd = mu.mean(axis=1), np.sqrt((sigma**2).mean(axis=1) + mu.var(axis=1))
    for p in (1e-4, 0.055, 0.5, 0.945, 0.9999):
        x = prediction.mixture_quantile(p, mu, sigma, mean, sd)
        cdf = stats.norm.cdf(x[:, None], mu, sigma).mean(axis=1)
        # Numbers of 1e7 have steps of 1e-9, and the cdf may rise by 1/25 within 1e-4.
        np.testing.assert_allclose(cdf, p, atol=1e-7)
