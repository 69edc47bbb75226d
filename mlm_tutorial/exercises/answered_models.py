"""Reading a PyMC model that a student's function returns: its variables, their shapes, and its log density."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mlm_tutorial.exercises.answers import Hint, instance, shape_of


def variables_of(
    model: object,
    free: Sequence[str],
    observed: str,
    computed: Sequence[str] = (),
    not_free: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return a model's free, observed and computed variables by name.

    Parameters
    ----------
    model : object
        What the student's function returned.
    free : sequence of str
        The free variables that the model should have, and no others.
    observed : str
        The one observed variable.
    computed : sequence of str
        Variables that should be there by ``pm.Deterministic``; the model may have more.
    not_free : mapping of str to str, optional
        Hints for variables that must not be free, by name.

    Raises
    ------
    Hint
        If the model has other variables.
    """
    import pymc as pm

    instance(model, pm.Model, "a PyMC model, a pm.Model")
    found_free = {variable.name: variable for variable in model.free_RVs}
    found_observed = {variable.name: variable for variable in model.observed_RVs}
    found_computed = {variable.name: variable for variable in model.deterministics}
    for name, hint in (not_free or {}).items():
        if name in found_free:
            raise Hint(hint)
    for name in free:
        if name not in found_free:
            note = " (it is computed; here it should be sampled)" if name in found_computed else ""
            raise Hint(f"there is no free variable {name!r}{note}; there are {', '.join(found_free) or 'none'}")
    if observed in found_free:
        raise Hint(f"`{observed}` is a free variable: the model does not know the data, so give them as `observed`")
    if observed not in found_observed:
        raise Hint(f"there is no observed variable {observed!r}")
    for name in computed:
        if name not in found_computed:
            raise Hint(f"there is no computed variable {name!r}; give it its name with pm.Deterministic")
    potentials = [potential.name for potential in model.potentials]
    more = sorted({*found_free, *found_observed, *potentials} - {*free, observed})
    if more:
        raise Hint(f"the model has more variables than the text asks for: {', '.join(more)}")
    return {**found_free, **found_observed, **{name: found_computed[name] for name in computed}}


def require_shapes(variables: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise a hint unless variables have these shapes."""
    for name, wanted in shapes.items():
        found = shape_of(variables[name])
        if found != wanted:
            raise Hint(f"{name} should have the shape {wanted}, but its shape is {found}")


def require_dim(model: Any, names: Iterable[str], dim: str) -> None:
    """Raise a hint unless variables of a model have one dim."""
    for name in names:
        found = model.named_vars_to_dims.get(name)
        if found is None or tuple(found) != (dim,):
            raise Hint(f"{name} should have the dim {dim!r}, so that draws carry its labels; its dims are {found}")


def sampled_values(model: Any, values: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return values of the free variables in the coordinates of the sampler, which are logarithms or the values."""
    point = {}
    for variable in model.free_RVs:
        name, value = model.rvs_to_values[variable].name, np.asarray(values[variable.name], dtype=float)
        if name not in (variable.name, f"{variable.name}_log__"):
            raise Hint(f"{variable.name} is sampled in coordinates of your own, {name}; leave the transform to PyMC")
        point[name] = value if name == variable.name else np.log(value)
    return point


def density_of(
    model: Any, computed: Sequence[str] = (), jacobian: bool = False
) -> Callable[[Mapping[str, Any]], tuple[dict[str, np.ndarray], list[np.ndarray]]]:
    """Return a function from a point in the coordinates of the sampler to log densities and computed variables.

    Parameters
    ----------
    model : pymc.Model
    computed : sequence of str
        Variables whose values the function returns, too.
    jacobian : bool
        Whether log densities are those of the sampler's coordinates.

    Returns
    -------
    callable
        Gives the log density of each variable by name, and a list of the values of `computed`. It raises a `Hint` where
        they cannot be computed, as this function does.
    """
    names = [variable.name for variable in model.basic_RVs]

    def attempt(function, *arguments):
        try:
            return function(*arguments)
        except Exception as error:
            reason = f"{type(error).__name__}: {str(error)[:150]}"
            raise Hint(f"the log density cannot be computed ({reason}); do all shapes fit?") from None

    def compiled():
        graphs = model.logp(jacobian=jacobian, sum=False)
        graphs = [*graphs, *model.replace_rvs_by_values([model[name] for name in computed])]
        return model.compile_fn(graphs, inputs=model.value_vars, mode="FAST_COMPILE", on_unused_input="ignore")

    function = attempt(compiled)

    def evaluate(point):
        found = attempt(function, point)
        return dict(zip(names, found, strict=False)), found[len(names) :]

    return evaluate
