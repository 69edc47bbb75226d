import time

import numpy as np
import nutpie
import pymc as pm
import pytest
from pytensor.raise_op import Assert

import mlm_tutorial as mlm
from mlm_tutorial.callbacks import callbacks_by_address
from mlm_tutorial.layers import PRESETS

SETTINGS = {"draws": 50, "tune": 100, "chains": 2, "seed": 3, "progress_bar": False}


def cells():
    table = PRESETS["cc_27"].simulate(500, rng=1)
    return mlm.cell_statistics(table, "total", ["layer_1", "layer_2"])


def without_data():
    with pm.Model() as model:
        scale = pm.HalfNormal("scale")
        pm.Normal("x", 0, scale, shape=3)
    return model


def with_data_of_several_kinds():
    with pm.Model() as model:
        codes = pm.Data("codes", np.array([0, 1, 1, 2]))
        table = pm.Data("table", np.arange(12.0).reshape(4, 3))
        mu = pm.Normal("mu", shape=3)
        pm.Deterministic("mean_of_table", table.mean(axis=0) + mu)
        pm.Normal("y", mu[codes] + table[:, 1], 1, observed=np.array([0.5, 1.0, 2.0, -1.0]))
    return model


MODELS = {
    "cells": lambda: mlm.cell_model(cells()),
    "no data": without_data,
    "data of several kinds": with_data_of_several_kinds,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_draws_are_those_of_nutpies_own_callbacks(name):
    """The same seed gives the same draws, up to the order in which a compiler adds."""
    model = MODELS[name]()
    with callbacks_by_address():
        ours = nutpie.compile_pymc_model(model)
    theirs = nutpie.compile_pymc_model(model)
    ours, theirs = (nutpie.sample(compiled, **SETTINGS) for compiled in (ours, theirs))
    assert set(ours.posterior) == set(theirs.posterior)
    for variable in theirs.posterior:
        np.testing.assert_allclose(ours.posterior[variable], theirs.posterior[variable], rtol=1e-5, atol=1e-8)


def test_data_of_another_shape_are_read_where_they_end():
    with pm.Model() as model:
        values = pm.Data("values", np.zeros(3))
        mu = pm.Normal("mu", 0, 100)
        pm.Deterministic("n", values.shape[0] + 0 * mu)
        pm.Potential("fit", -0.5 * ((values - mu) ** 2).sum())
    with callbacks_by_address():
        compiled = nutpie.compile_pymc_model(model)
    tree = nutpie.sample(compiled.with_data(values=np.full(400, 7.0)), **SETTINGS)
    assert (tree.posterior["n"] == 400).all()
    assert abs(tree.posterior["mu"].mean() - 7) < 0.1  # its standard error is 0.05 / sqrt(ESS)


@pytest.mark.slow
def test_an_error_in_the_density_ends_the_run_as_in_nutpie():
    with pm.Model() as model:
        x = pm.Normal("x")
        pm.Potential("never", Assert("x must be huge")(x, pm.math.gt(x, 1e6)))
    messages = []
    for ours in (True, False):
        if ours:
            with callbacks_by_address():
                compiled = nutpie.compile_pymc_model(model)
        else:
            compiled = nutpie.compile_pymc_model(model)
        with pytest.raises(RuntimeError) as error:
            nutpie.sample(compiled, **SETTINGS)
        messages.append(str(error.value))
    assert messages[0] == messages[1]


def test_an_error_at_some_points_is_a_divergence():
    """The density raises beyond 1, where a normal lies in 16 % of its draws."""
    with pm.Model() as model:
        x = pm.Normal("x", initval=0)
        pm.Potential("wall", 1e-9 * Assert("too large")(x, pm.math.lt(x, 1)))
    tree = mlm.sample(model, seed=1, draws=200, chains=2, progress=False)
    assert tree.sample_stats["diverging"].sum() > 0
    assert (tree.posterior["x"] < 1).all()


@pytest.mark.slow
def test_a_second_fit_does_not_compile_again():
    """Twelve cells. Processor time, because the clock also counts other tests."""
    first, second = (PRESETS["cc_27"].simulate(500, rng=seed) for seed in (1, 2))
    compiled = mlm.compile_model(mlm.cell_model(mlm.cell_statistics(first, "total", ["layer_1", "layer_2"])))
    other = mlm.cell_statistics(second, "total", ["layer_1", "layer_2"])
    mlm.sample(compiled, seed=1)
    start = time.process_time()
    mlm.sample(compiled.with_cells(other), seed=1)
    assert time.process_time() - start < 5
