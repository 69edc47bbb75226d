"""Sampling with nutpie: compile once, sample often, keep a record."""

import dataclasses
import gc
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version

import numpy as np
import nutpie
import pyarrow as pa
import pymc as pm
import pytensor
import xarray as xr
from arviz import dict_to_dataset
from pymc.backends.arviz import find_constants, find_observations

from mlm_tutorial.builders import KNOWN_SIGMA
from mlm_tutorial.callbacks import callbacks_by_address
from mlm_tutorial.cells import Cells
from mlm_tutorial.constants import changeable_as_data, constants_as_data, name_of_changeable
from mlm_tutorial.models import CellModel, LayeredModel, sampler_options
from mlm_tutorial.priors import Priors
from mlm_tutorial.progress import INTERVAL, SamplingProgress, show_progress

__all__ = ["CompiledModel", "compile_model", "sample"]

_LIBRARIES = ("arviz", "nutpie", "numpy", "pymc", "pytensor", "mlm-tutorial")

# ArviZ's names for nutpie's statistics; the others are for nutpie's developers.
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
    nutpie_model : nutpie.compile_pymc.CompiledPyMCModel
    compile_seconds : float
        Time that the compilation took.
    data : dict of str to numpy.ndarray
        Values of the model's ``pm.Data``, see :meth:`with_data`.
    starts : dict of str to numpy.ndarray
        Values of free variables at which chains start; PyMC's own where there are none.
    """

    model: pm.Model
    nutpie_model: object
    compile_seconds: float
    data: dict[str, np.ndarray]
    starts: dict[str, np.ndarray]
    _start_variables: dict

    def with_cells(self, cells: Cells) -> "CompiledModel":
        """Replace the data of a cell model without compiling again; chains start at points estimated from these data.

        Parameters
        ----------
        cells : Cells
            Cells of the same number, layers and labels as those of the model. Its priors are not changed.

        Returns
        -------
        CompiledModel

        Raises
        ------
        TypeError, ValueError
            If the model is not a cell model, or `cells` do not fit it.
        """
        if not isinstance(self.model, CellModel):
            raise TypeError("only a model made by mlm.cell_model takes cells; use with_data for others")
        data, starts = self.model.refit(cells)
        return dataclasses.replace(self.with_data(**data), starts=starts)

    def with_priors(self, priors: Priors) -> "CompiledModel":
        """Replace the priors of a cell model, usually without compiling again; data and starts stay as they are.

        Where two vectors of the first priors had the same numbers, the compiled function does not tell them apart, and
        the model is compiled again; so is one in log coordinates.

        Parameters
        ----------
        priors : Priors
            Pooled if those of the model are, with the same known spreads.

        Returns
        -------
        CompiledModel

        Raises
        ------
        TypeError, ValueError
            If the model is not one of cells, or the priors differ in more than numbers.
        """
        if not isinstance(self.model, CellModel):
            raise TypeError("only a model made by mlm.cell_model takes priors; make and compile a new model")
        model = self.model.with_priors(priors)
        values = {name_of_changeable(name): x for name, x in model.prior_values.items() if x.size}
        if not values or not values.keys() <= {variable.name for variable in self.nutpie_model.shared_var_keys}:
            data = {name: value for name, value in self.data.items() if name != KNOWN_SIGMA}
            return dataclasses.replace(compile_model(model).with_data(**data), starts=self.starts)
        return dataclasses.replace(self, model=model, nutpie_model=self.nutpie_model.with_data(**values))

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
            if name == KNOWN_SIGMA:
                raise KeyError("known spreads are part of the compiled model; make and compile a new one")
            if name not in self.data:
                raise KeyError(f"the model has no data named {name!r}; it has {', '.join(sorted(self.data))}")
            expected, arrived = self.data[name].shape, np.shape(value)
            if expected != arrived:
                raise ValueError(f"data {name!r} must have shape {expected}, got {arrived}")
        # Data that are not used by the density are not in the compiled functions.
        in_density = {variable.name for variable in self.nutpie_model.shared_var_keys}
        updates = {name: value for name, value in data.items() if name in in_density}
        return dataclasses.replace(
            self,
            nutpie_model=self.nutpie_model.with_data(**updates),
            data=self.data | {name: np.asarray(value, self.data[name].dtype) for name, value in data.items()},
        )


def compile_model(model: pm.Model) -> CompiledModel:
    """Compile a PyMC model for nutpie.

    Parameters
    ----------
    model : pymc.Model
        A :class:`CellModel` brings starting points and options for sampling; other models start at PyMC's own.

    Returns
    -------
    CompiledModel
        Pass it to :func:`sample` instead of the model.
    """
    starts = model.starts if isinstance(model, CellModel) else {}
    # Not as `initval`: PyMC cannot copy a model that has one, and so could not compute its log likelihood. Shared, so
    # that a refit can move them without compiling again.
    variables = {name: pytensor.shared(value, name=f"mlm_start_{name}") for name, value in starts.items()}
    start = time.perf_counter()
    with _fewer_interruptions(), callbacks_by_address(), changeable_as_data(model) as known, constants_as_data(known):
        compiled = nutpie.compile_pymc_model(model, initial_points=variables)
    seconds = time.perf_counter() - start
    data = {variable.name: variable.get_value() for variable in model.data_vars}
    return CompiledModel(model, compiled, seconds, data, starts, variables)


@contextmanager
def _fewer_interruptions() -> Iterator[None]:
    """Return a context in which PyTensor compiles the same functions in five sixths of the time.

    It makes millions of small objects that live until the end, so Python's search for garbage finds nothing, again and
    again. And every new node would record the lines of code that it comes from; the model's own nodes have done so.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        with pytensor.config.change_flags(traceback__limit=0):
            yield
    finally:
        if collecting:
            gc.enable()


def sample(
    model: pm.Model | CompiledModel,
    seed: int | None = None,
    draws: int | None = None,
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
    draws : int, optional
        Draws kept in each chain. Default: 1,000, or 2,000 for cells whose contributors are pooled, up to 150
        dimensions.
    chains : int
    tune : int, optional
        Tuning draws before them. Default: 1,000, or 500 above 150 dimensions.
    progress : bool, optional
        Whether a line says how far sampling is. Default: not in tests, and not where ``CI`` is set.
    **nutpie_options
        Further options of ``nutpie.sample``. By default ``adaptation`` is ``"low_rank"`` up to 150 dimensions and
        ``"diag"`` above, and ``target_accept`` is 0.9, or 0.98 for cells of fewer than 500 observations.

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
    progress = show_progress(progress)
    shown = SamplingProgress(progress, chains)
    if isinstance(model, pm.Model):
        shown.compiling()
        compiled = compile_model(model)
        compile_seconds = compiled.compile_seconds
    elif isinstance(model, CompiledModel):
        compiled, compile_seconds = model, 0.0
    else:
        raise TypeError(f"expected a PyMC model or a CompiledModel, got {type(model).__name__}")
    if seed is None:
        seed = int(np.random.default_rng().integers(2**31))
    reporting = {"progress_callback": shown.report, "progress_rate": int(1000 * INTERVAL)}
    options = _default_options(compiled) | (reporting if progress else {}) | nutpie_options
    asked = {"draws": draws, "tune": tune}
    options |= {"chains": chains, "seed": seed} | {name: n for name, n in asked.items() if n is not None}
    keep_warmup = options.pop("save_warmup", False)  # the count of gradients needs it in any case
    start = time.perf_counter()
    shown.sampling()
    try:
        tree = _run(compiled, progress_bar=False, **options)
    except BaseException:
        shown.stop()
        raise
    sampling_seconds = time.perf_counter() - start
    shown.end(options["draws"], tree["sample_stats"], compile_seconds)
    gradients = sum(int(tree[group]["n_steps"].sum()) for group in ("sample_stats", "warmup_sample_stats"))
    tree["sample_stats"] = _tidy_statistics(tree["sample_stats"].to_dataset())
    if not keep_warmup:
        tree = tree.filter(lambda node: not node.name or not node.name.startswith("warmup_"))
    for group, values in _data_of(compiled.model).items():
        tree[group] = values
    if isinstance(compiled.model, LayeredModel):
        tree["posterior"] = _with_written_labels(tree["posterior"].to_dataset(), compiled.model.written_labels)
    tree.attrs = {
        "seed": seed,
        "compile_seconds": compile_seconds,
        "sampling_seconds": sampling_seconds,
        "gradients": gradients,
        "sampler": "nutpie",
        "adaptation": options["adaptation"],
    } | {f"version_{name.replace('-', '_')}": version(name) for name in _LIBRARIES}
    if isinstance(compiled.model, LayeredModel) and compiled.model.cells.absent:
        tree.attrs["absent"] = sorted(compiled.model.cells.absent)
    return tree


def sample_quickly(
    compiled: CompiledModel, names: Sequence[str], seed: int, draws: int, tune: int, chains: int
) -> tuple[xr.Dataset, int]:
    """Return draws of some variables and the number of divergences, as :func:`sample` would, for hundreds of fits.

    Turning all variables, statistics and tuning draws into a tree takes as long as sampling a small model does.
    """
    options = _default_options(compiled) | {"draws": draws, "tune": tune, "chains": chains, "seed": seed}
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
    # nutpie reads starting points from the model itself and from the shared variables that it was compiled with.
    for name, value in compiled.data.items():
        compiled.model[name].set_value(value)
    for name, value in compiled.starts.items():
        compiled._start_variables[name].set_value(value)
    with warnings.catch_warnings():
        # A layer may have this name: its dimension is one of contributors.
        warnings.filterwarnings("ignore", "Found dimension named 'sample'", UserWarning)
        # A run that is stopped while it tunes has no draw.
        warnings.filterwarnings("ignore", "Found chain dimension to be longer than draw", UserWarning)
        return nutpie.sample(compiled.nutpie_model, **nutpie_options)


def _default_options(compiled: CompiledModel) -> dict:
    """Return nutpie's options that suit the model."""
    if isinstance(compiled.model, CellModel):
        return compiled.model.sampler_options
    return sampler_options(compiled.nutpie_model.n_dim)


def _with_written_labels(posterior: xr.Dataset, written: dict[str, str]) -> xr.Dataset:
    """Record in the attributes of each layer's coordinate how its labels are written there."""
    for dim, how in written.items():
        posterior[dim].attrs["written"] = how
    return posterior


def _tidy_statistics(statistics: xr.Dataset) -> xr.Dataset:
    """Return the statistics that ArviZ reads, under the names it reads."""
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
    """Return the posterior of a tree, chains and draws first; raise ValueError where there is none."""
    groups = getattr(idata, "children", {})
    if "posterior" not in groups:
        raise ValueError(
            f"expected a DataTree with a posterior, got {type(idata).__name__} with {', '.join(groups) or 'no groups'}"
        )
    # xarray's arithmetic may reorder dims, and values are read by position.
    return idata["posterior"].to_dataset().transpose("chain", "draw", ..., missing_dims="ignore")
