"""Constants as data: the same density, and one compilation for tables of the same structure."""

import os
import subprocess
import sys

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.graph.basic import Constant

import mlm_tutorial as mlm
from mlm_tutorial.constants import with_constants_shared


def constants(outputs):
    """Return the values of a graph's constants, as lists."""
    found = {x for x in pytensor.graph.traversal.ancestors(outputs) if isinstance(x, Constant)}
    return sorted((np.asarray(x.data).tolist() for x in found), key=str)


def test_a_graph_with_shared_constants_gives_the_same_numbers():
    x = pt.vector("x", shape=(3,), dtype="float64")
    outputs = [x * 1.2345 + pt.as_tensor(np.arange(3.0)) ** 2, x[pt.as_tensor(np.array([2, 0]))] * 0.5, x[1:3] + x[2]]
    inputs, ours = with_constants_shared([x], outputs)
    assert constants(ours) == [0.5, 1, 2]  # of 0.5, of 1: and of ** 2; positions 2 and 3 and arrays are data
    at = np.array([0.1, -3.0, 7.0])
    for a, b in zip(ours, outputs, strict=True):
        np.testing.assert_array_equal(a.eval({inputs[0]: at}), b.eval({x: at}))


def test_dimensions_of_one_entry_are_broadcast_as_before():
    """Their size is part of the formula, also where it follows from positions that are now data."""
    x = pt.vector("x", shape=(5,), dtype="float64")
    outputs = [x[3:4] * x, x.reshape((5, 1)) * x.reshape((1, 5)), pt.cumsum(x)[2:3] + x]
    inputs, ours = with_constants_shared([x], outputs)
    assert not any(getattr(x.type, "shape", ()) == (5,) for x in pytensor.graph.traversal.ancestors(ours[:2]))
    at = np.linspace(1, 2, 5)
    for a, b in zip(ours, outputs, strict=True):
        np.testing.assert_array_equal(a.eval({inputs[0]: at}), b.eval({x: at}))


def test_other_kinds_of_operations_see_the_sizes_that_they_were_built_with():
    matrix = pt.matrix("matrix", shape=(2, 2), dtype="float64")
    outputs = [pt.linalg.cholesky(matrix), pt.diag(matrix) + pt.sort(matrix[0])]
    inputs, ours = with_constants_shared([matrix], outputs)
    at = np.array([[2.0, 0.5], [0.5, 1.0]])
    for a, b in zip(ours, outputs, strict=True):
        np.testing.assert_allclose(a.eval({inputs[0]: at}), b.eval({matrix: at}))


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
m = int(sys.argv[1])
layers = [{k: (k, 1 + k / m) for k in range(size)} for size in (1, m, m + 1)]
table = mlm.LayeredSum.from_coefficients(layers).simulate(400 + m, rng=m)
mlm.compile_model(mlm.cell_model(mlm.cell_statistics(table, "total", ["layer_1", "layer_2"])))
"""


@pytest.mark.slow
def test_another_table_with_as_many_layers_compiles_nothing_new(tmp_path):
    """Two processes with a cache of their own: the second one's table, with more contributors, leaves nothing in it."""

    def compiled_functions():
        return {path.name for path in tmp_path.rglob("*.nbc")}

    flags = {"PYTENSOR_FLAGS": f"base_compiledir={tmp_path}", "NUMBA_CACHE_DIR": str(tmp_path)}
    for size in (3, 5):
        before = compiled_functions()
        subprocess.run([sys.executable, "-c", COMPILE, str(size)], check=True, env={**os.environ, **flags})
    assert before
    assert compiled_functions() == before
