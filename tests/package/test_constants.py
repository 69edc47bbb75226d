"""Constants as data: the same density, and one compilation for tables of the same structure."""

import os
import subprocess
import sys

import numpy as np
import pymc as pm
import pymc.pytensorf
import pytensor.tensor as pt
import pytest
from pytensor.graph.basic import Constant

import mlm_tutorial as mlm
from mlm_tutorial.constants import constants_as_data


def constants(function):
    """Return the values of the constants in a compiled function, as text."""
    nodes = function.maker.fgraph.toposort()
    return {str(np.asarray(x.data)) for node in nodes for x in node.inputs if isinstance(x, Constant)}


def compiled(inputs, outputs):
    with constants_as_data():
        return pymc.pytensorf.compile(inputs, outputs, mode="NUMBA")


x = pt.vector("x", shape=(5,), dtype="float64")
matrix = pt.matrix("matrix", shape=(2, 2), dtype="float64")
GRAPHS = {
    "arrays and a number": (x, [x[:3] * 1.2345 + pt.as_tensor(np.arange(3.0)) ** 2]),
    "positions": (x, [x[pt.as_tensor(np.array([4, 0]))] * 0.5, x[2:4] + x[3], x[:-1]]),
    "what follows from a size": (x, [x * (2.0 / x.shape[0]), x - x.mean(), x[:3].sum() / 3]),
    "a slice of one entry": (x, [x[3:4] * x, pt.cumsum(x)[2:3] + x, x.reshape((5, 1)) * x.reshape((1, 5))]),
    "setting": (x, [x[2:4].set(0.0), x[1:].inc(x[:4]), pt.zeros(7)[2:].set(x)]),
    "gradients": (x, [pt.grad(pt.concatenate([x[:2] ** 2, x[2:] ** 3, pt.zeros(4)]).sum(), x)]),
    "linear algebra": (matrix, [pt.linalg.cholesky(matrix), pt.diag(matrix) + pt.sort(matrix[0])]),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_functions_with_constants_as_data_give_the_same_numbers(name):
    given, outputs = GRAPHS[name]
    at = np.array([0.1, -3.0, 7.0, 2.5, 0.3]) if given is x else np.array([[2.0, 0.5], [0.5, 1.0]])
    for ours, expected in zip(compiled([given], outputs)(at), outputs, strict=True):
        np.testing.assert_allclose(ours, expected.eval({given: at}), rtol=1e-14)


@pytest.mark.parametrize("name", ["positions", "what follows from a size", "setting", "gradients"])
def test_functions_of_other_sizes_have_the_same_constants(name):
    """Zero and one, and the literals of formulas; and the numbers of the places where others are read."""
    sizes = {}
    for n in (5, 8):
        y = pt.vector("x", shape=(n,), dtype="float64")
        outputs = {
            "positions": [y[2 : n - 1] + y[n - 1], y[n - 2]],
            "what follows from a size": [y / n, y - y.mean(), y[: n - 2].sum() / (n - 2)],
            "setting": [y[2 : n - 1].set(0.0), pt.zeros(n + 2)[2:].set(y)],
            "gradients": [pt.grad(pt.concatenate([y[: n - 3] ** 2, y[n - 3 :] ** 3, pt.zeros(n)]).sum(), y)],
        }[name]
        function = compiled([y], outputs)
        sizes[n] = constants(function), [str(node.op) for node in function.maker.fgraph.toposort()]
    assert sizes[5] == sizes[8]


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
import dataclasses, sys
import mlm_tutorial as mlm
m = int(sys.argv[1])
layers = [{k: (k, 1 + k / m) for k in range(size)} for size in (1, m, m + 1)]
table = mlm.LayeredSum.from_coefficients(layers).simulate(400 + m, rng=m)
cells = mlm.cell_statistics(table, "total", ["layer_1", "layer_2"])
priors = mlm.Priors.from_cells(cells)  # the same scale for each layer
if m == 5:
    scales = {"baseline": 1, "layer_1": 2, "layer_2": 3.3}
    priors = dataclasses.replace(priors, baseline_mu=0, baseline_mu_sd=5, mu_sd=scales, sigma_scale=scales)
mlm.compile_model(mlm.cell_model(cells, priors))
"""


@pytest.mark.slow(70)
def test_another_table_with_as_many_layers_compiles_nothing_new(tmp_path):
    """Two processes, one cache: the second one's table has more contributors and other priors, and adds nothing."""

    def compiled_functions():
        return {path.name for path in tmp_path.rglob("*.nbc")}

    flags = {"PYTENSOR_FLAGS": f"base_compiledir={tmp_path}", "NUMBA_CACHE_DIR": str(tmp_path)}
    for size in (3, 5):
        before = compiled_functions()
        subprocess.run([sys.executable, "-c", COMPILE, str(size)], check=True, env={**os.environ, **flags})
    assert before
    assert compiled_functions() == before
