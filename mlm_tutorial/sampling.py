"""Sampling with nutpie: compile once, sample often, keep a record."""

import dataclasses
import os
import time
from collections.abc import Sequence
from importlib.metadata import version

import numpy as np
import nutpie
import pyarrow as pa
import pymc as pm
import xarray as xr
from arviz import dict_to_dataset
from pymc.backends.arviz import find_constants, find_observations

from mlm_tutorial.models import MANY_DIMENSIONS

__all__ = ["CompiledModel", "compile_model", "sample"]

_LIBRARIES = ("arviz", "nutpie", "numpy", "pymc", "pytensor", "mlm-tutorial")

# What ArviZ calls nutpie's statistics; the rest is for nutpie's developers.
_STATISTICS = {
    "diverging": "diverging",
    "energy": "energy",
    "logp": "lp",
    "mean_tree_accept": "acceptance_rate",
    "n_steps": "n_steps",
    "depth": "tree_depth",
    "maxdepth_reached": "reached_max_treedepth",
    "step_size": "step_size",
}


@dataclasses.dataclass(frozen=True, eq=False)
class CompiledModel:
    """A PyMC model compiled for nutpie, ready to be sampled any number of times.

    Attributes
    ----------
    model : pymc.Model
    compiled : nutpie.compile_pymc.CompiledPyMCModel
    compile_seconds : float
        Time that the compilation took.
    data : dict of str to numpy.ndarray
        Values of the model's ``pm.Data``, see :meth:`with_data`.
    """

    model: pm.Model
    compiled: object
    compile_seconds: float
    data: dict[str, np.ndarray]

    def with_data(self, **data: np.ndarray) -> "CompiledModel":
        """Replace data of the same shape without compiling again.

        Parameters
        ----------
        **data : array_like
            New values of the model's ``pm.Data`` by name.

        Returns
        -------
        CompiledModel

        Raises
        ------
        KeyError
            If the model has no such data.
        ValueError
            If a shape differs.
        """
        for name, value in data.items():
            if name not in self.data:
                raise KeyError(f"the model has no data named {name!r}; it has {', '.join(sorted(self.data))}")
            expected, arrived = self.data[name].shape, np.shape(value)
            if expected != arrived:
                raise ValueError(f"data {name!r} must have shape {expected}, got {arrived}")
        # Data that only say where chains start are not part of the compiled density.
        in_density = {variable.name for variable in self.compiled.shared_var_keys}
        updates = {name: value for name, value in data.items() if name in in_density}
        return dataclasses.replace(
            self,
            compiled=self.compiled.with_data(**updates),
            data=self.data | {name: np.asarray(value, self.data[name].dtype) for name, value in data.items()},
        )


def compile_model(model: pm.Model) -> CompiledModel:
    """Compile a PyMC model for nutpie.

    Parameters
    ----------
    model : pymc.Model
        Data named ``start_<variable>`` say where chains start.

    Returns
    -------
    CompiledModel
        To be given to :func:`sample` instead of the model.
    """
    # Not as `initval`: PyMC cannot copy a model that has one, and so could not compute its log likelihood.
    starts = {x.name: model[f"start_{x.name}"] for x in model.free_RVs if f"start_{x.name}" in model.named_vars}
    start = time.perf_counter()
    compiled = nutpie.compile_pymc_model(model, initial_points=starts)
    seconds = time.perf_counter() - start
    data = {variable.name: variable.get_value() for variable in model.data_vars}
    return CompiledModel(model, compiled, seconds, data)


def sample(
    model: pm.Model | CompiledModel,
    seed: int | None = None,
    draws: int = 1000,
    tune: int | None = None,
    chains: int = 4,
    progress: bool | None = None,
    **nutpie_options,
) -> xr.DataTree:
    """Draw from the posterior with nutpie's NUTS.

    Parameters
    ----------
    model : pymc.Model or CompiledModel
        A model is compiled first; a compiled one is sampled at once.
    seed : int, optional
        Seed of all randomness. Without one, a seed is drawn, and recorded.
    draws, chains : int
        Draws kept in each chain, and chains.
    tune : int, optional
        Tuning draws before them. Default: 1,000, and 500 above 150 dimensions.
    progress : bool, optional
        Whether to show a progress bar. Default: not in tests, and not where ``CI`` is set.
    **nutpie_options
        Further options of ``nutpie.sample``. By default ``adaptation`` is ``"low_rank"`` up to 150 dimensions and
        ``"diag"`` above; ``target_accept`` is nutpie's own, but 0.9 for pooled models up to 150 dimensions.

    Returns
    -------
    xarray.DataTree
        Groups ``posterior``, ``sample_stats``, ``observed_data`` and ``constant_data``. Root attributes are ``seed``,
        ``compile_seconds`` (0 for a compiled model), ``sampling_seconds`` (tuning and draws), ``gradients`` (the
        number of evaluations, tuning included), ``sampler``, ``adaptation`` and library versions as
        ``version_<library>``. Save it with :func:`save_posterior`.

    Raises
    ------
    TypeError
        If `model` is neither a PyMC model nor compiled.
    """
    if isinstance(model, pm.Model):
        compiled = compile_model(model)
        compile_seconds = compiled.compile_seconds
    elif isinstance(model, CompiledModel):
        compiled, compile_seconds = model, 0.0
    else:
        raise TypeError(f"expected a PyMC model or a CompiledModel, got {type(model).__name__}")
    if seed is None:
        seed = int(np.random.default_rng().integers(2**31))
    options = _adaptation(compiled) | nutpie_options
    options |= {"draws": draws, "chains": chains, "seed": seed} | ({} if tune is None else {"tune": tune})
    start = time.perf_counter()
    tree = _run(compiled, progress_bar=show_progress(progress), **options)
    sampling_seconds = time.perf_counter() - start
    gradients = sum(int(tree[group]["n_steps"].sum()) for group in ("sample_stats", "warmup_sample_stats"))
    tree["sample_stats"] = _tidy_statistics(tree["sample_stats"].to_dataset())
    if not nutpie_options.get("save_warmup", False):
        tree = tree.filter(lambda node: not node.name or not node.name.startswith("warmup_"))
    for group, values in _data_of(compiled.model).items():
        tree[group] = values
    tree.attrs = {
        "seed": seed,
        "compile_seconds": compile_seconds,
        "sampling_seconds": sampling_seconds,
        "gradients": gradients,
        "sampler": "nutpie",
        "adaptation": options["adaptation"],
    } | {f"version_{name.replace('-', '_')}": version(name) for name in _LIBRARIES}
    return tree


def sample_quickly(
    compiled: CompiledModel, names: Sequence[str], seed: int, draws: int, tune: int, chains: int
) -> tuple[xr.Dataset, int]:
    """Return draws of some variables and the number of divergences, as :func:`sample` would, for hundreds of fits.

    Turning all variables, statistics and tuning draws into a tree takes as long as sampling a small model does.
    """
    options = _adaptation(compiled) | {"draws": draws, "tune": tune, "chains": chains, "seed": seed}
    trace = _run(compiled, progress_bar=False, return_raw_trace=True, **options)
    dims, coords = compiled.model.named_vars_to_dims, compiled.model.coords
    posterior, divergences = {name: [] for name in names}, 0
    for batch, statistics in zip(*trace.get_arrow_trace(), strict=True):
        kept = ~pa.array(statistics.column("tuning")).to_numpy(zero_copy_only=False)
        divergences += int(pa.array(statistics.column("diverging")).to_numpy(zero_copy_only=False)[kept].sum())
        for name in names:
            column = pa.array(batch.column(name))
            shape = [len(coords[dim]) for dim in dims.get(name, ())]
            values = column.flatten() if shape else column
            posterior[name].append(values.to_numpy(zero_copy_only=False).reshape(len(kept), *shape)[kept])
    variables = {name: (("chain", "draw", *dims.get(name, ())), np.stack(values)) for name, values in posterior.items()}
    used = {dim for name in names for dim in dims.get(name, ())}
    return xr.Dataset(variables, coords={dim: list(coords[dim]) for dim in used}), divergences


def _run(compiled: CompiledModel, **nutpie_options):
    for name, value in compiled.data.items():
        compiled.model[name].set_value(value)  # starting points are read from the model itself
    return nutpie.sample(compiled.compiled, **nutpie_options)


def _adaptation(compiled: CompiledModel) -> dict:
    """Return nutpie's options that depend on the number of dimensions and on pooling."""
    if compiled.compiled.n_dim > MANY_DIMENSIONS:
        return {"adaptation": "diag", "tune": 500}
    if "sigma_spread" in compiled.model.named_vars:
        # A pooled variance may come as near to its floor as it likes: shorter steps round the bend there.
        return {"adaptation": "low_rank", "tune": 1000, "target_accept": 0.9}
    return {"adaptation": "low_rank", "tune": 1000}


def show_progress(progress: bool | None) -> bool:
    """Return whether to show a progress bar: as asked, else where no test or build runs."""
    return not ("CI" in os.environ or "PYTEST_VERSION" in os.environ) if progress is None else progress


def _tidy_statistics(statistics: xr.Dataset) -> xr.Dataset:
    """Keep what ArviZ reads, under the names it reads."""
    kept = {old: new for old, new in _STATISTICS.items() if old in statistics}
    return statistics[list(kept)].rename(kept)


def _data_of(model: pm.Model) -> dict[str, xr.Dataset]:
    """Return the observed and constant data that the posterior is conditioned on."""
    groups = {"observed_data": find_observations(model), "constant_data": find_constants(model)}
    dims = {name: list(d) for name, d in model.named_vars_to_dims.items()}
    coords = {name: np.asarray(values) for name, values in model.coords.items() if values is not None}
    return {
        group: dict_to_dataset(values, dims=dims, coords=coords, sample_dims=[])
        for group, values in groups.items()
        if values
    }


def posterior_of(idata: xr.DataTree) -> xr.Dataset:
    """Return the posterior of a tree; raise ValueError where there is none."""
    groups = getattr(idata, "children", {})
    if "posterior" not in groups:
        raise ValueError(
            f"expected a DataTree with a posterior, got {type(idata).__name__} with {', '.join(groups) or 'no groups'}"
        )
    return idata["posterior"].to_dataset()
