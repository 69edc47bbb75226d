"""Sampling: one compilation for many data sets, and a posterior that records its origin."""

import dataclasses
import gc

import arviz as az
import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import pytest
import xarray as xr
from pytensor.graph.replace import clone_replace
from scipy import stats

import mlm_tutorial as mlm
from mlm_tutorial import sampling
from tests.support.problems import (
    AS_IT_STANDS,
    LAYERS,
    PRIORS,
    function,
    named_parameters,
    small_cells,
    small_compiled,
    small_posterior,
)

FALSE_ALARM = 1e-4  # of one test function, shared among its comparisons (Bonferroni)


@pytest.fixture(scope="module")
def line():
    """Return a model that compiles fast: one normal mean with data."""
    with pm.Model(coords={"row": list("abcd")}) as model:
        x = pm.Data("x", np.array([1.0, 2.0, 3.0, 4.0]), dims="row")
        mean = pm.Normal("mean", 0, 10)
        pm.Normal("total", mean, 1, observed=x, dims="row")
    return mlm.compile_model(model)


def swapped(cells):
    """Return cells whose contributors of the first layer are swapped."""
    order = np.lexsort([cells.codes[:, 1], 1 - cells.codes[:, 0]])
    codes = np.column_stack([1 - cells.codes[order, 0], cells.codes[order, 1]])
    # Both layouts have every combination, so that the shapes agree.
    assert np.array_equal(codes, cells.codes)
    return mlm.Cells(cells.layers, cells.labels, codes, cells.n[order], cells.mean[order], cells.sum_sq[order])


def parameters(idata):
    return idata["posterior"].to_dataset()[named_parameters(LAYERS)]


def test_a_posterior_carries_seed_times_and_versions():
    attrs = small_posterior().attrs
    assert attrs["seed"] == 4
    assert attrs["compile_seconds"] == 0  # the compiled model was reused
    assert 0 < attrs["sampling_seconds"] < 60
    assert attrs["sampler"] == "nutpie"
    assert attrs["adaptation"] == "low_rank"
    assert attrs["version_pymc"] == pm.__version__
    assert attrs["version_mlm_tutorial"] == mlm.__version__
    assert {f"version_{name}" for name in ("arviz", "nutpie", "numpy", "pytensor")} <= set(attrs)


def test_gradients_count_tuning_and_draws():
    """Each transition takes one step of the trajectory at least; four chains of 2,000 transitions."""
    idata = small_posterior()
    in_draws = int(idata["sample_stats"]["n_steps"].sum())
    assert idata.attrs["gradients"] >= in_draws + 4 * 1000


def test_a_model_is_compiled_first_and_the_time_recorded():
    with pm.Model() as model:
        pm.Normal("mean")
    attrs = mlm.sample(model, seed=1, draws=20, tune=20, chains=1).attrs
    assert attrs["compile_seconds"] > 0.05


def test_compiled_models_know_how_long_they_took():
    assert small_compiled().compile_seconds > 0.1


def test_the_same_seed_gives_the_same_draws():
    again = mlm.sample(small_compiled(), seed=4)
    xr.testing.assert_identical(
        again["posterior"].to_dataset().drop_attrs(), small_posterior()["posterior"].to_dataset().drop_attrs()
    )
    other = mlm.sample(small_compiled(), seed=5)
    assert not np.array_equal(other["posterior"]["mu_baseline"], again["posterior"]["mu_baseline"])


def test_without_a_seed_one_is_drawn_and_recorded(line):
    first, second = mlm.sample(line, draws=50), mlm.sample(line, draws=50)
    assert first.attrs["seed"] != second.attrs["seed"]
    again = mlm.sample(line, seed=first.attrs["seed"], draws=50)
    np.testing.assert_array_equal(again["posterior"]["mean"], first["posterior"]["mean"])


def test_draws_and_chains_are_as_many_as_asked(line):
    idata = mlm.sample(line, seed=1, draws=30, tune=40, chains=3)
    assert dict(idata["posterior"].sizes) == {"chain": 3, "draw": 30}


@pytest.mark.slow
def test_default_draws_are_more_where_scales_are_learned_from_few_contributors(line):
    """2,000 in each chain of a pooled cell model, 1,000 without pooling, in many dimensions, and for other models."""
    cells, wide = (
        small_cells(),
        mlm.cell_statistics(
            pd.DataFrame({"total": np.arange(600.0) % 7, "a": np.arange(600) % 40, "b": np.arange(600) % 39}),
            layers=["a", "b"],
        ),
    )
    pooled, plain = mlm.cell_model(cells), mlm.cell_model(cells, mlm.Priors.from_cells(cells, pooled=False))
    draws = [model.sampler_options["draws"] for model in (pooled, plain, mlm.cell_model(wide))]
    assert draws == [2000, 1000, 1000]
    assert mlm.sample(line, seed=1)["posterior"].sizes["draw"] == 1000
    quick = mlm.sample(mlm.compile_model(pooled), seed=1, chains=1, tune=20)
    assert quick["posterior"].sizes["draw"] == 2000


def test_groups_and_dims_are_named():
    idata = small_posterior()
    assert set(idata.children) == {"posterior", "sample_stats", "observed_data", "constant_data"}
    posterior = idata["posterior"]
    for layer in LAYERS:
        for kind in ("mu", "sigma"):
            assert posterior[f"{kind}_{layer}"].dims == ("chain", "draw", layer)
    assert posterior["paint"].values.tolist() == ["blue", "red"]
    assert posterior["size"].values.tolist() == [2, 7, 10]
    assert posterior["mu_baseline"].dims == posterior["sigma_baseline"].dims == ("chain", "draw")
    assert dict(posterior.sizes)["draw"] == 1000
    assert dict(posterior.sizes)["chain"] == 4
    assert {"diverging", "energy", "lp", "n_steps", "tree_depth"} <= set(idata["sample_stats"])


def test_means_of_every_layer_sum_to_zero_in_every_draw():
    for layer in LAYERS:
        np.testing.assert_allclose(small_posterior()["posterior"][f"mu_{layer}"].sum(layer), 0, atol=1e-12)


def test_observed_data_are_the_cells():
    cells, observed = small_cells(), small_posterior()["observed_data"]["mlm_cells"]
    np.testing.assert_array_equal(observed.sel(mlm_statistic="mean"), cells.mean)
    np.testing.assert_array_equal(observed.sel(mlm_statistic="sum_sq"), cells.sum_sq)
    np.testing.assert_array_equal(small_posterior()["constant_data"]["mlm_n"], cells.n)


def test_an_option_goes_through_to_nutpie(line):
    """Steps are smaller where more of them should be accepted."""
    careful, bold = (mlm.sample(line, seed=1, target_accept=accept) for accept in (0.99, 0.6))
    step = [float(idata["sample_stats"]["step_size"].mean()) for idata in (careful, bold)]
    assert step[0] < 0.8 * step[1]
    assert mlm.sample(line, seed=1, draws=20, adaptation="diag").attrs["adaptation"] == "diag"


@pytest.mark.parametrize("collects", [True, False])
def test_compiling_leaves_the_collection_of_garbage_as_it_was(line, collects):
    limit, before = pytensor.config.traceback__limit, gc.isenabled()
    try:
        (gc.enable if collects else gc.disable)()
        mlm.compile_model(line.model)
        assert gc.isenabled() == collects
        with pytest.raises(AttributeError):
            mlm.compile_model(None)
        assert gc.isenabled() == collects
        assert pytensor.config.traceback__limit == limit
    finally:
        (gc.enable if before else gc.disable)()


def test_warm_up_is_kept_only_on_request(line):
    assert "warmup_posterior" in mlm.sample(line, seed=1, draws=20, save_warmup=True).children
    assert "warmup_posterior" not in mlm.sample(line, seed=1, draws=20, save_warmup=False).children
    assert "warmup_posterior" not in mlm.sample(line, seed=1, draws=20).children


@pytest.mark.parametrize("wrong", [None, "model", small_cells])
def test_other_objects_than_models_are_refused(wrong):
    with pytest.raises(TypeError, match=f"expected a PyMC model or a CompiledModel, got {type(wrong).__name__}"):
        mlm.sample(wrong)


# --- New data -----------------------------------------------------------------------------------------------------


def test_new_data_are_fitted_without_compiling(line):
    """Known answer: with a flat prior the posterior mean is the data's, its sd 1/2."""
    other = line.with_data(x=[11.0, 12.0, 13.0, 14.0])
    idata = mlm.sample(other, seed=1)
    assert idata.attrs["compile_seconds"] == 0
    assert abs(float(idata["posterior"]["mean"].mean()) - 12.5) < 0.1
    assert abs(float(mlm.sample(line, seed=1)["posterior"]["mean"].mean()) - 2.5) < 0.1  # the first is as it was
    np.testing.assert_array_equal(idata["observed_data"]["total"], [11, 12, 13, 14])


def differences_of_densities(idata, model):
    """Return the model's log density minus the sampler's at each draw: a constant, if both are of one posterior."""
    free, transforms = model.free_RVs, model.rvs_to_transforms
    x = [rv.type() for rv in free]
    at_draw = clone_replace(
        [transforms[rv].forward(rv, *rv.owner.inputs) for rv in free], dict(zip(free, x, strict=True))
    )
    forward = function(x, at_draw)
    density = function(model.value_vars, model.logp())
    posterior = idata["posterior"].to_dataset().stack(each=("chain", "draw"))
    sampler = idata["sample_stats"]["lp"].stack(each=("chain", "draw")).values
    found = []
    for i, lp in enumerate(sampler):
        found.append(float(density(*forward(*(posterior[rv.name].isel(each=i).values for rv in free)))) - lp)
    return np.array(found)


def test_a_refit_samples_the_density_of_a_fresh_model_of_the_new_data():
    """The sampler's log density at its own draws is the fresh model's plus the coordinates' Jacobian, to a constant."""
    cells = swapped(small_cells())
    refit = small_compiled().with_cells(cells)
    idata = mlm.sample(refit, seed=6, draws=25, tune=300, chains=2)
    np.testing.assert_array_equal(idata["observed_data"]["mlm_cells"].sel(mlm_statistic="mean"), cells.mean)
    # The same density from the model as it stands, of data that it never saw compiled.
    fresh = mlm.cell_model(small_cells(), PRIORS)
    with fresh:
        pm.set_data(fresh.refit(cells)[0])
    assert np.ptp(differences_of_densities(idata, fresh)) < 1e-6


def other_numbers(priors):
    """Return priors that differ from the first ones in every number."""
    scales = {"baseline": 1.3, "paint": 0.6, "size": 2.0}
    return dataclasses.replace(priors, baseline_mu=11.0, baseline_mu_sd=0.5, mu_sd=0.7, sigma_scale=scales)


@pytest.mark.slow
@pytest.mark.parametrize("known", [{}, {"paint": 0}])
def test_replaced_priors_change_the_density_without_compiling(known):
    first = mlm.Priors.from_cells(small_cells(), known_sigma=known)
    compiled = mlm.compile_model(mlm.cell_model(small_cells(), first))
    changed = compiled.with_priors(other_numbers(first))
    assert changed.nutpie_model.compiled_logp_func is compiled.nutpie_model.compiled_logp_func
    assert (changed.model.priors, compiled.model.priors) == (other_numbers(first), first)
    idata = mlm.sample(changed, seed=1, draws=25, tune=100, chains=1)
    fresh = mlm.cell_model(small_cells(), other_numbers(first))
    assert np.ptp(differences_of_densities(idata, fresh)) < 1e-6
    assert np.ptp(differences_of_densities(idata, compiled.model)) > 1


@pytest.mark.slow
def test_replaced_priors_give_the_same_posterior_as_compiling_anew():
    other = other_numbers(PRIORS)
    changed = mlm.sample(small_compiled().with_priors(other), seed=2)
    fresh, first = mlm.sample(mlm.cell_model(small_cells(), other), seed=3), small_posterior()
    a, b, c = (parameters(idata) for idata in (changed, fresh, first))
    worst = []
    for x in (b, c):
        error = np.sqrt(az.mcse(a) ** 2 + az.mcse(x) ** 2)
        scores = (a.mean(["chain", "draw"]) - x.mean(["chain", "draw"])) / error
        worst.append(max(float(abs(score).max()) for score in scores.data_vars.values()))
    assert worst[0] < stats.norm.isf(FALSE_ALARM / 2 / 12)
    assert worst[1] > 20  # the priors are so strong that the first ones would be seen


@pytest.mark.slow
def test_vectors_of_priors_with_the_same_numbers_are_told_apart():
    """PyTensor merges equal constants: then the model is compiled again, and keeps its data."""
    equal = mlm.Priors(baseline_mu=8, baseline_mu_sd=1, mu_sd=1, sigma_scale=2**0.5)
    moved = dataclasses.replace(small_cells(), mean=small_cells().mean + 1)
    compiled = mlm.compile_model(mlm.cell_model(small_cells(), equal)).with_cells(moved)
    idata = mlm.sample(compiled.with_priors(other_numbers(equal)), seed=1, draws=25, tune=100, chains=1)
    fresh = mlm.cell_model(small_cells(), other_numbers(equal))
    with fresh:
        pm.set_data(fresh.refit(moved)[0])
    assert np.ptp(differences_of_densities(idata, fresh)) < 1e-6


def test_priors_that_are_compiled_are_not_replaced(line):
    with pytest.raises(TypeError, match=r"only a model made by mlm\.cell_model takes priors"):
        line.with_priors(PRIORS)
    with pytest.raises(ValueError, match="other pooled than the model's"):
        small_compiled().with_priors(dataclasses.replace(PRIORS, pooled=True))
    with pytest.raises(ValueError, match="other known_sigma than the model's"):
        small_compiled().with_priors(dataclasses.replace(PRIORS, known_sigma={"paint": 0}))
    with pytest.raises(TypeError, match=r"priors must be mlm\.Priors"):
        small_compiled().with_priors({"mu_sd": 1})


def test_swapped_contributors_swap_their_posteriors():
    """Contributors of one layer have the same prior, so exchanging their data exchanges their posteriors."""
    refit = mlm.sample(small_compiled().with_cells(swapped(small_cells())), seed=7)
    first, second = parameters(small_posterior()), parameters(refit)
    second = second.isel(paint=[1, 0]).assign_coords(paint=first["paint"])
    scores = []
    for f in (lambda x: x, lambda x: (x - first.mean()) ** 2):
        a, b = f(first), f(second)
        error = np.sqrt(az.mcse(a) ** 2 + az.mcse(b) ** 2)
        scores += [
            score
            for x in ((a.mean(["chain", "draw"]) - b.mean(["chain", "draw"])) / error).data_vars.values()
            for score in np.ravel(x)
        ]
    assert len(scores) == 24
    assert np.abs(scores).max() < stats.norm.isf(FALSE_ALARM / 2 / len(scores))


def test_sampling_leaves_the_data_of_other_models_alone():
    """The first model's data come back after a refit of others."""
    mlm.sample(small_compiled().with_cells(swapped(small_cells())), seed=8, draws=10, tune=10)
    again = mlm.sample(small_compiled(), seed=4)
    np.testing.assert_array_equal(again["observed_data"]["mlm_cells"], small_posterior()["observed_data"]["mlm_cells"])
    np.testing.assert_array_equal(again["posterior"]["mlm_sigma"], small_posterior()["posterior"]["mlm_sigma"])


def test_data_of_an_unknown_name_are_refused(line):
    with pytest.raises(KeyError, match="no data named 'y'; it has x"):
        line.with_data(y=np.zeros(4))


def test_data_of_another_shape_are_refused(line):
    with pytest.raises(ValueError, match=r"data 'x' must have shape \(4,\), got \(5,\)"):
        line.with_data(x=np.zeros(5))


# --- Elsewhere ----------------------------------------------------------------------------------------------------


def test_a_posterior_survives_its_file(tmp_path):
    path = tmp_path / "posterior.nc"
    idata = small_posterior()
    idata.to_netcdf(path)
    for loaded in (xr.open_datatree(path), az.from_netcdf(path)):
        with loaded:
            assert dict(loaded.attrs) == idata.attrs
            assert set(loaded.children) == set(idata.children)
            for group in idata.children:
                xr.testing.assert_equal(loaded[group].to_dataset(), idata[group].to_dataset())
            assert loaded["posterior"]["size"].values.tolist() == [2, 7, 10]
            mlm.check_convergence(loaded)
            assert mlm.efficiency(loaded)["converged"].item()


def test_arviz_reads_a_posterior():
    table = az.summary(small_posterior(), var_names=["mu_paint", "sigma_size"])
    assert list(table.index) == ["mu_paint[blue]", "mu_paint[red]", "sigma_size[2]", "sigma_size[7]", "sigma_size[10]"]


@pytest.mark.slow
def test_pymcs_own_sampler_runs_on_the_identified_model():
    with mlm.cell_model(small_cells(), PRIORS):
        idata = pm.sample(
            10, tune=20, chains=1, cores=1, random_seed=1, nuts_sampler="pymc", progressbar=False,
            compute_convergence_checks=False, compile_kwargs={"mode": AS_IT_STANDS},
        )  # fmt: skip
    assert np.all(idata["posterior"]["mlm_sigma"] > 0)
    assert idata["posterior"]["mu_paint"].dims == ("chain", "draw", "paint")
    assert np.ptp(idata["posterior"]["mu_baseline"].values) > 0


def test_quick_sampling_gives_the_draws_of_the_usual_one():
    compiled = small_compiled()
    names = ["mu_baseline", "sigma_baseline", "mu_size", "sigma_size"]
    usual = mlm.sample(compiled, seed=3, draws=60, tune=80, chains=2)
    quick, divergences = sampling.sample_quickly(compiled, names, seed=3, draws=60, tune=80, chains=2)
    for name in names:
        assert quick[name].dims == usual["posterior"][name].dims
        np.testing.assert_array_equal(quick[name], usual["posterior"][name])
    assert divergences == int(usual["sample_stats"]["diverging"].sum())
    np.testing.assert_array_equal(quick["size"], usual["posterior"]["size"])
