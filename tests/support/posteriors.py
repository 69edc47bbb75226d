"""Synthetic posteriors: their draws are known, so that every result can be computed independently."""

import numpy as np
import xarray as xr

from mlm_tutorial.names import coordinate_of, dim_of, variable_of

CHAINS = 2


def posterior_of_arrays(labels, values, absent=()):
    """Return a posterior as `mlm.sample` does.

    `labels` maps a layer to its labels; `values` maps (kind, component) to an array with draws first, (S,) or (S, m).
    """
    variables, coords = {}, {}
    for name, of_layer in labels.items():
        written_labels, written = coordinate_of(of_layer)
        coords[dim_of(name)] = (dim_of(name), written_labels, {"written": written})
    for (kind, component), array in values.items():
        array = np.asarray(array, dtype=float)
        array = array.reshape(CHAINS, -1, *array.shape[1:])
        dims = ("chain", "draw", dim_of(component))[: array.ndim]
        variables[variable_of(kind, component)] = (dims, array)
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(variables, coords)})
    tree.attrs = {"seed": 1, "absent": sorted(absent)}
    return tree


def random_values(labels, n_draws=14, seed=91, pooled=(), known=None, absent=()):
    """Return draws that differ widely, as `posterior_of_arrays` takes them. `known` maps a component to its spread."""
    rng = np.random.default_rng(seed)
    known = known or {}
    values = {("mu", "baseline"): rng.normal(10, 2, n_draws)}
    values["sigma", "baseline"] = (
        np.full(n_draws, known["baseline"]) if "baseline" in known else rng.uniform(0.5, 3, n_draws)
    )
    for name, of_layer in labels.items():
        shape = (n_draws, len(of_layer))
        mu = rng.normal(0, 2, shape)
        values["mu", name] = mu if name in absent else mu - mu.mean(axis=1, keepdims=True)
        values["sigma", name] = np.full(shape, known[name]) if name in known else rng.uniform(0.5, 3, shape)
        if name in pooled:
            values["tau", name] = rng.uniform(1, 3, n_draws)
            if name not in known:
                values["floor", name], values["spread", name] = rng.uniform(0.3, 1.5, (2, n_draws))
    return values


def random_posterior(labels, absent=(), **options):
    return posterior_of_arrays(labels, random_values(labels, absent=absent, **options), absent)


def at_rows(labels, values, rows):
    """Return means and variances (S, N, 1 + J) of the components of rows, tuples of labels; None is absent."""
    n_draws = len(values["mu", "baseline"])
    mu, v = np.zeros((2, n_draws, len(rows), 1 + len(labels)))
    for i, row in enumerate(rows):
        mu[:, i, 0], v[:, i, 0] = values["mu", "baseline"], values["sigma", "baseline"] ** 2
        for j, (name, label) in enumerate(zip(labels, row, strict=True), start=1):
            if label is not None:
                k = list(labels[name]).index(label)
                mu[:, i, j], v[:, i, j] = values["mu", name][:, k], values["sigma", name][:, k] ** 2
    return mu, v
