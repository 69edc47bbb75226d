"""Diagnostics pass sound posteriors and name faults of others, made up so that the answer is known."""

import dataclasses

import arviz as az
import numpy as np
import pytest
import xarray as xr
from scipy import stats

import mlm_tutorial as mlm
from mlm_tutorial import calibration
from tests.support.problems import LAYERS, PRIORS, SMALL_TRUTH, small_cells, small_compiled

CHAINS, DRAWS = 4, 1000
COSTS = {"sampling_seconds": 2.0, "gradients": 40_000, "compile_seconds": 8.0}


def tree(variables=None, divergences=0, attrs=None, chains=CHAINS, draws=DRAWS):
    """Return a posterior of independent draws: ``mu_baseline`` and ``mu_size`` with contributors 2, 7 and 10."""
    rng = np.random.default_rng(81)
    posterior = {
        "mu_baseline": (("chain", "draw"), rng.normal(size=(chains, draws))),
        "mu_size": (("chain", "draw", "size"), rng.normal(size=(chains, draws, 3))),
    } | (variables or {})
    diverging = np.zeros((chains, draws), bool)
    diverging.flat[:divergences] = True
    groups = {
        "posterior": xr.Dataset(posterior, {"chain": range(chains), "draw": range(draws), "size": [2, 7, 10]}),
        "sample_stats": xr.Dataset({"diverging": (("chain", "draw"), diverging)}),
    }
    result = xr.DataTree.from_dict(groups)
    result.attrs = COSTS if attrs is None else attrs
    return result


def sizes(change):
    """Return the variable mu_size after `change` of its values, shape (chain, draw, 3)."""
    values = np.random.default_rng(82).normal(size=(CHAINS, DRAWS, 3))
    change(values)
    return {"mu_size": (("chain", "draw", "size"), values)}


def apart(values):
    values[0, :, 1] += 3  # one chain elsewhere


def slow(values):
    values[..., 2] = np.random.default_rng(83).normal(size=(CHAINS, DRAWS // 50)).repeat(50, axis=1)


def heavy_at_times(values):
    """Let the scale change slowly: the middle is explored well, the tails are not."""
    scale = np.exp(np.random.default_rng(84).normal(0, 1.5, size=(CHAINS, DRAWS // 50)).repeat(50, axis=1))
    values[..., 0] *= scale


def constant(values):
    values[..., 1] = 3.0


class TestCheckConvergence:
    def test_independent_draws_pass(self):
        found = mlm.check_convergence(tree())
        assert list(found.index) == ["max_rhat", "min_ess_bulk", "min_ess_tail", "divergences"]
        assert 0.99 < found["max_rhat"] < 1.01
        assert 3000 < found["min_ess_bulk"] < 5500  # of 4,000 independent draws
        assert found["divergences"] == 0

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (apart, r"R-hat should be at most 1\.01, but 1 of 4 parameters miss it: mu_size\[7\] 1\."),
            (slow, r"bulk ESS should be at least 400, but 1 of 4 parameters miss it: mu_size\[10\] \d+"),
            (heavy_at_times, r"tail ESS should be at least 400, but 1 of 4 parameters miss it: mu_size\[2\] \d+"),
            (constant, r"R-hat should be .* mu_size\[7\] nan"),
        ],
    )
    def test_the_offender_is_named(self, change, message):
        with pytest.raises(mlm.ConvergenceError, match=message):
            mlm.check_convergence(tree(sizes(change)))

    def test_poor_tails_are_seen_where_the_middle_is_good(self):
        with pytest.raises(mlm.ConvergenceError) as error:
            mlm.check_convergence(tree(sizes(heavy_at_times)), max_rhat=2)
        assert "tail ESS" in str(error.value)
        assert "bulk ESS" not in str(error.value)

    def test_the_worst_offender_is_named_first(self):
        def change(values):
            apart(values)
            values[1, :, 0] += 1

        with pytest.raises(mlm.ConvergenceError, match=r"2 of 4 parameters miss it: mu_size\[7\] .*, mu_size\[2\] "):
            mlm.check_convergence(tree(sizes(change)))

    def test_divergences_are_counted(self):
        with pytest.raises(mlm.ConvergenceError, match="3 divergent transitions, at most 2 expected"):
            mlm.check_convergence(tree(divergences=3), max_divergences=2)
        assert mlm.check_convergence(tree(divergences=3), max_divergences=3)["divergences"] == 3

    def test_a_single_chain_is_not_enough(self):
        with pytest.raises(mlm.ConvergenceError, match="R-hat should be .* 4 of 4 parameters miss it: .* nan"):
            mlm.check_convergence(tree(chains=1))

    def test_all_problems_are_reported_at_once(self):
        with pytest.raises(mlm.ConvergenceError) as error:
            mlm.check_convergence(tree(sizes(apart), divergences=1))
        assert all(text in str(error.value) for text in ("R-hat", "bulk ESS", "1 divergent"))

    def test_thresholds_are_the_callers(self):
        poor = tree(sizes(slow))
        assert mlm.check_convergence(poor, max_rhat=2, min_ess=20)["min_ess_bulk"] < 400
        with pytest.raises(mlm.ConvergenceError, match="at least 6000, but 4 of 4"):
            mlm.check_convergence(tree(), min_ess=6000)
        with pytest.raises(mlm.ConvergenceError, match=r"at most 0\.9, but 4 of 4"):
            mlm.check_convergence(tree(), max_rhat=0.9)

    def test_a_posterior_without_statistics_of_its_sampler_can_be_checked(self):
        assert mlm.check_convergence(tree().filter(lambda node: node.name != "sample_stats"))["divergences"] == 0

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            (xr.DataTree.from_dict({"prior": xr.Dataset()}), "got DataTree with prior"),
            (xr.DataTree(), "got DataTree with no groups"),
            (xr.Dataset(), "got Dataset"),
        ],
    )
    def test_a_tree_without_a_posterior_is_refused(self, wrong, message):
        with pytest.raises(ValueError, match=message):
            mlm.check_convergence(wrong)


class TestEfficiency:
    def test_ratios_are_of_the_least_ess(self):
        idata = tree()
        row, found = mlm.efficiency(idata).iloc[0], mlm.check_convergence(idata)
        assert row["converged"]
        for kind in ("bulk", "tail"):
            assert row[f"min_ess_{kind}"] == found[f"min_ess_{kind}"]
            assert np.isclose(row[f"ess_{kind}_per_second"], found[f"min_ess_{kind}"] / 2.0)
            assert np.isclose(row[f"ess_{kind}_per_gradient"], found[f"min_ess_{kind}"] / 40_000)
        assert row["gradients"] == 40_000
        assert row["compile_seconds"] == 8.0
        assert row["sampling_seconds"] == 2.0

    @pytest.mark.parametrize("idata", [tree(sizes(apart)), tree(divergences=1), tree(chains=1)])
    def test_unconverged_chains_have_no_efficiency(self, idata):
        row = mlm.efficiency(idata).iloc[0]
        assert not row["converged"]
        assert row.filter(like="_per_").isna().all()

    def test_a_posterior_without_costs_is_refused(self):
        with pytest.raises(ValueError, match=r"made by mlm\.sample; it lacks \['compile_seconds', 'gradients'\]"):
            mlm.efficiency(tree(attrs={"sampling_seconds": 1.0}))


class TestRecovery:
    truth = SMALL_TRUTH  # not centered: means of layers are (1, -1) and (1, 0, -1) once ordered

    @staticmethod
    def posterior(center, draws=5000, sd=0.5):
        """Return draws about the parameters of `center`, whose labels are sorted."""
        rng = np.random.default_rng(85)
        variables, coords = {}, {"chain": range(4), "draw": range(draws)}
        for layer in center:
            order = np.argsort(layer.labels) if len(layer) > 1 else [0]
            for kind, values in (("mu", layer.mu), ("sigma", layer.sigma)):
                x = values[order] + sd * rng.normal(size=(4, draws, len(order)))
                if layer.name == "baseline":
                    variables[f"{kind}_baseline"] = (("chain", "draw"), x[..., 0])
                else:
                    variables[f"{kind}_{layer.name}"] = (("chain", "draw", layer.name), x)
                    coords[layer.name] = sorted(layer.labels)
        return xr.DataTree.from_dict({"posterior": xr.Dataset(variables, coords)})

    def test_there_is_one_row_per_parameter(self):
        table = mlm.recovery(self.posterior(self.truth.centered()), self.truth)
        assert table.index.name == "parameter"
        assert set(table.index) == {
            *("mu_baseline", "sigma_baseline", "mu_paint[red]", "mu_paint[blue]", "sigma_paint[red]"),
            *("sigma_paint[blue]", "mu_size[10]", "mu_size[2]", "mu_size[7]", "sigma_size[10]", "sigma_size[2]"),
            "sigma_size[7]",
        }
        assert list(table.columns) == ["truth", "mean", "sd", "lower", "upper", "covered"]

    def test_truths_are_centered_and_matched_by_label(self):
        truth = mlm.LayeredSum.from_coefficients(
            [{0: (10, 2)}, {"red": (5, 1), "blue": (1, 2)}, {10: (4, 1), 2: (0, 0.5), 7: (-1, 3)}], names=LAYERS
        )
        table = mlm.recovery(self.posterior(truth.centered()), truth)
        expected = {
            "mu_baseline": 14.0,
            "mu_paint[red]": 2.0,
            "mu_paint[blue]": -2.0,
            "mu_size[10]": 3.0,
            "mu_size[2]": -1.0,
            "mu_size[7]": -2.0,
            "sigma_baseline": 2.0,
            "sigma_paint[blue]": 2.0,
            "sigma_size[2]": 0.5,
            "sigma_size[7]": 3.0,
        }
        for name, value in expected.items():
            assert np.isclose(table.loc[name, "truth"], value)
            assert abs(table.loc[name, "mean"] - value) < 6 * 0.5 / np.sqrt(20_000)
        assert table["covered"].all()
        np.testing.assert_allclose(table["sd"], 0.5, rtol=0.05)

    @pytest.mark.parametrize("prob", [0.5, 0.9, 0.99])
    def test_intervals_are_equal_tailed_quantiles(self, prob):
        idata = self.posterior(self.truth.centered())
        row = mlm.recovery(idata, self.truth, ci_prob=prob).loc["mu_size[7]"]
        draws = idata["posterior"]["mu_size"].sel(size=7).values.ravel()
        half = stats.norm.isf((1 - prob) / 2) * 0.5
        assert np.isclose(np.mean(draws < row["lower"]), (1 - prob) / 2, atol=1e-3)
        assert np.isclose(np.mean(draws > row["upper"]), (1 - prob) / 2, atol=1e-3)
        assert np.isclose(row["upper"] - row["lower"], 2 * half, rtol=0.1)
        # A baseline is that of one draw: the mean +- sd cover each other, not the average's error.
        assert row["covered"] == (row["lower"] <= row["truth"] <= row["upper"])

    def test_a_truth_outside_its_interval_is_not_covered(self):
        elsewhere = mlm.LayeredSum.from_coefficients(
            [{0: (10, 2)}, {"red": (9, 1), "blue": (-9, 2)}, {10: (1, 1), 2: (0, 0.5), 7: (-1, 1)}], names=LAYERS
        )
        table = mlm.recovery(self.posterior(self.truth.centered()), elsewhere)
        assert table.index[~table["covered"]].tolist() == ["mu_paint[red]", "mu_paint[blue]"]

    def test_a_layer_that_the_posterior_lacks_is_named(self):
        truth = mlm.LayeredSum.from_coefficients([{0: (0, 1)}, {"red": (1, 1), "blue": (-1, 2)}], names=["colour"])
        with pytest.raises(ValueError, match="the posterior has no 'mu_colour'; it has mu_baseline"):
            mlm.recovery(self.posterior(self.truth), truth)

    def test_a_contributor_that_the_posterior_lacks_is_named(self):
        truth = mlm.LayeredSum.from_coefficients([{0: (0, 1)}, {"red": (1, 1), "green": (-1, 2)}], names=["paint"])
        with pytest.raises(ValueError, match="the posterior of 'mu_paint' has no contributor 'green'"):
            mlm.recovery(self.posterior(self.truth), truth)

    def test_a_tree_without_a_posterior_is_refused(self):
        with pytest.raises(ValueError, match="expected a DataTree with a posterior"):
            mlm.recovery(xr.DataTree(), self.truth)


class TestCalibrate:
    @pytest.mark.parametrize("n", [0, -1])
    def test_there_must_be_simulations(self, n):
        with pytest.raises(ValueError, match=f"n_simulations must be at least 1, got {n}"):
            mlm.calibrate(small_cells(), n, seed=1)

    def test_draws_must_be_a_multiple_of_ranks(self):
        with pytest.raises(ValueError, match=r"must be a multiple of n_ranks, got 30 \* 2 and 50"):
            mlm.calibrate(small_cells(), 1, seed=1, draws=30, chains=2, n_ranks=50)

    def test_coordinates_must_be_known(self):
        with pytest.raises(ValueError, match="unknown coordinates 'polar'; expected one of identified, log"):
            mlm.calibrate(small_cells(), 1, seed=1, coordinates="polar")

    def test_ranks_say_what_they_are(self, monkeypatch):
        """Two replicates in few draws: names, range and attributes, and the same again with the same seed."""
        monkeypatch.setattr(calibration, "compile_model", lambda model: small_compiled())  # which is that model
        arguments = {"priors": PRIORS, "draws": 50, "tune": 100, "chains": 2, "n_ranks": 20}
        ranks = mlm.calibrate(small_cells(), 2, seed=9, **arguments)
        table = az.dataset_to_dataframe(ranks, sample_dims=["simulation"])
        assert table.shape == (2, 12 + 6 + 1)
        assert {"mu_baseline", "sigma_paint[blue]", "mu_size[10]", "total[0]", "log_likelihood"} <= set(table.columns)
        assert table.to_numpy().min() >= 0
        assert table.to_numpy().max() <= 20
        assert ranks.attrs["n_ranks"] == 20
        assert ranks.attrs["seed"] == 9
        assert 0 <= ranks.attrs["failed"] <= 2
        xr.testing.assert_identical(mlm.calibrate(small_cells(), 2, seed=9, **arguments), ranks)
        assert not mlm.calibrate(small_cells(), 2, seed=10, **arguments).equals(ranks)
        monkeypatch.setattr(calibration, "compile_model", lambda model: pytest.fail("it is compiled already"))
        again = mlm.calibrate(small_cells(), 2, seed=9, compiled=small_compiled(), **arguments)
        xr.testing.assert_identical(again, ranks)
        cells = small_cells()
        more = dataclasses.replace(cells, n=100 * cells.n, sum_sq=100 * cells.sum_sq)
        mlm.sample(small_compiled().with_cells(more), seed=9, draws=50, tune=50, chains=1)  # its data stay in the model
        again = mlm.calibrate(cells, 2, seed=9, compiled=small_compiled(), **arguments)
        xr.testing.assert_identical(again, ranks)
