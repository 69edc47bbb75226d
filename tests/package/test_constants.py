"""Constants as data: the same density, and one compilation for tables of the same structure."""

import os
import subprocess
import sys

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest

import mlm_tutorial as mlm
from mlm_tutorial.constants import with_constants_shared


def n_constants(outputs):
    return sum(isinstance(x, pt.TensorConstant) for x in pytensor.graph.traversal.ancestors(outputs))


def test_a_graph_with_shared_constants_gives_the_same_numbers():
    x = pt.dvector()
    outputs = [x * 1.2345 + pt.as_tensor(np.arange(3.0)) ** 2, x[pt.as_tensor(np.array([2, 0]))] * 0.5]
    ours = with_constants_shared(outputs)
    assert n_constants(ours) == n_constants(outputs) - 3  # 1.2345 and two arrays; 2 and 0.5 stay
    at = np.array([0.1, -3.0, 7.0])
    for a, b in zip(ours, outputs, strict=True):
        np.testing.assert_array_equal(a.eval({x: at}), b.eval({x: at}))


def test_data_that_are_constants_in_a_model_are_still_its_data():
    """The observed values of an ordinary PyMC model; the posterior is known: Normal(mean, 1 / sqrt(n))."""
    observed = np.linspace(2.0, 4.0, 400)
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1000)
        pm.Normal("x", mu, 1, observed=observed)
    draws = mlm.sample(model, seed=1)["posterior"]["mu"]
    assert abs(draws.mean() - 3) < 5 * 0.05 / np.sqrt(1000)  # ESS above 1,000; the error of 0.05 is 1 / sqrt(400)
    assert abs(draws.std() - 0.05) < 0.01


COMPILE = """
import sys
import mlm_tutorial as mlm
from mlm_tutorial.layers import PRESETS
for seed in map(int, sys.argv[1:]):
    table = PRESETS["cc_27"].simulate(400 + seed, rng=seed)
    mlm.compile_model(mlm.cell_model(mlm.cell_statistics(table, "total", ["layer_1", "layer_2"])))
"""


@pytest.mark.slow
def test_another_table_of_the_same_structure_compiles_nothing_new(tmp_path):
    """Two processes with a cache of their own: the second one's table leaves no new function in it."""

    def compiled_functions():
        return {path.name for path in tmp_path.rglob("*.nbc")}

    flags = {"PYTENSOR_FLAGS": f"base_compiledir={tmp_path}", "NUMBA_CACHE_DIR": str(tmp_path)}
    for seed in (1, 2):
        before = compiled_functions()
        subprocess.run([sys.executable, "-c", COMPILE, str(seed)], check=True, env={**os.environ, **flags})
    assert before
    assert compiled_functions() == before
