"""Constants and sizes of a model as data, so that models of the same structure share one compilation.

PyTensor looks a compiled function up in its cache by the function's graph, in which constants count. Numbers that
come from a table are other ones for every table: observed totals, scales of priors, units of coordinates, and where in
a vector one layer ends and the next begins. As shared variables they do not count, and the next table with as many
layers finds the function compiled.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np
import pymc as pm
import pymc.pytensorf
import pytensor
import pytensor.tensor as pt
from pytensor.compile.mode import get_mode
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.replace import clone_replace
from pytensor.graph.rewriting.basic import GraphRewriter
from pytensor.graph.traversal import ancestors
from pytensor.raise_op import Assert
from pytensor.tensor.basic import Alloc, AllocEmpty, MakeVector, Split
from pytensor.tensor.rewriting.scalarize import ScalarizeRewriter, ScalarSubtensor
from pytensor.tensor.shape import Reshape, SpecifyShape
from pytensor.tensor.subtensor import IncSubtensor, Subtensor
from pytensor.tensor.variable import TensorConstant

__all__ = ["changeable", "changeable_as_data", "constants_as_data", "name_of_changeable"]

# Operations whose whole numbers are sizes, or positions that follow from sizes, with the first input that is one.
_SIZES_FROM = {
    Alloc: 1,
    AllocEmpty: 0,
    IncSubtensor: 2,
    MakeVector: 0,
    Reshape: 1,
    ScalarSubtensor: 1,
    SpecifyShape: 1,
    Split: 1,
    Subtensor: 1,
}
# Keeps the vectors of sizes and numbers among a function's inputs until they are read.
_ANCHOR = Assert("the vectors of sizes and numbers begin with zero")

_CHANGEABLE = "mlm_changeable_"

_AFTER_ALL_OTHERS = 1000.0  # PyTensor's own rewrites have positions up to 100

_compile = pymc.pytensorf.compile
_patching = threading.Lock()


def changeable(values, name: str) -> Variable:
    """Return a constant vector for which `changeable_as_data` compiles a function that does not depend on its values.

    Other constants are folded first, and a vector whose entries are equal becomes one number. In the compiled function
    the values are those of the shared variable :func:`name_of_changeable`.
    """
    return pt.constant(np.asarray(values, float), name=name_of_changeable(name))


def name_of_changeable(name: str) -> str:
    """Return the name of the shared variable that stands for a changeable constant."""
    return _CHANGEABLE + name


def _is_changeable(variable: Variable) -> bool:
    return (variable.name or "").startswith(_CHANGEABLE)


@contextmanager
def changeable_as_data(model: pm.Model) -> Iterator[dict[str, Variable]]:
    """Return a context in which a model's log density has shared variables in place of changeable constants.

    They are what the context gives, by name.
    """
    logp = model.logp()
    found = {x: pytensor.shared(x.data, x.name, shape=x.type.shape) for x in ancestors([logp]) if _is_changeable(x)}
    [logp] = clone_replace([logp], found)
    with patch.object(model, "logp", lambda: logp):
        yield {variable.name: variable for variable in found.values()}


@contextmanager
def constants_as_data(known: Mapping[str, Variable] | None = None) -> Iterator[None]:
    """Return a context in which ``nutpie.compile_pymc_model`` compiles constants and sizes as data.

    Changeable constants become those that are `known` by their names: the density and what is computed from draws read
    the same numbers.
    """
    compile_function = partial(_compile_with_data, known or {})
    with _patching, patch.object(pymc.pytensorf, "compile", compile_function):
        yield


def _compile_with_data(known, inputs, outputs, *args, **kwargs):
    """Compile a function as PyMC does; where numba is to compile it, with constants and sizes as shared variables."""
    if kwargs.get("mode") != "NUMBA":
        return _compile(inputs, outputs, *args, **kwargs)
    first, *others = with_constants_shared(outputs, known)
    sizes, numbers = pytensor.shared(np.zeros(1, int), "mlm_sizes"), pytensor.shared(np.zeros(1), "mlm_numbers")
    kwargs["mode"] = get_mode("NUMBA").register((_SizesAsData(sizes, numbers), _AFTER_ALL_OTHERS))
    return _compile(inputs, [_ANCHOR(first, pt.eq(sizes[0], 0), pt.eq(numbers[0], 0)), *others], *args, **kwargs)


def with_constants_shared(outputs: Sequence, known: Mapping[str, Variable]) -> list:
    """Return the same outputs of a graph with shared variables in place of constants that look like data."""
    constants = [variable for variable in ancestors(outputs) if _looks_like_data(variable)]
    shared = {x: pytensor.shared(x.data, shape=x.type.shape, borrow=True) for x in constants if x.name not in known}
    shared |= {x: known[x.name] for x in constants if x.name in known}
    return clone_replace(list(outputs), shared)


class _SizesAsData(GraphRewriter):
    """Read sizes, and numbers that were computed from sizes, from shared vectors.

    It comes last, so that all other rewrites know the sizes. Every place where a size is used has an entry of its own,
    because sizes that are equal in one table are not in the next.

    Parameters
    ----------
    sizes, numbers : pytensor shared variables
        Vectors of whole and of other numbers, to be filled; the functions that are rewritten depend on both.
    """

    def __init__(self, sizes: Variable, numbers: Variable):
        super().__init__()
        self.vectors = (sizes, numbers)

    def apply(self, fgraph):
        """Replace constants in a graph, and fill the vectors."""
        inputs = {variable.name: variable for variable in fgraph.inputs}
        vectors = [inputs[vector.name] for vector in self.vectors]
        entries: tuple[list, list] = ([0], [0.0])
        for node in fgraph.toposort():
            if node.op == _ANCHOR:
                fgraph.replace(node.outputs[0], node.inputs[0])
                continue
            first_size = _SIZES_FROM.get(type(node.op), len(node.inputs))
            for i, constant in enumerate(node.inputs):
                if i >= first_size and _is_size(constant):
                    new = _entry(constant, vectors[0], entries[0])
                elif i < first_size and _is_number(constant):
                    new = _entry(constant, vectors[1], entries[1])
                else:
                    continue
                fgraph.change_node_input(node, i, new, check=False)  # the type may be one of more digits
        for vector, values in zip(self.vectors, entries, strict=True):
            vector.set_value(np.array(values))
        ScalarizeRewriter().apply(fgraph)


def _entry(constant: Constant, vector: Variable, values: list) -> Variable:
    """Append a constant's values to those of a vector; return a variable that reads them from the vector."""
    start = len(values)
    values.extend(np.ravel(constant.data).tolist())
    if np.ndim(constant.data) == 1:
        read = vector[start : len(values)]
        return pt.specify_broadcastable(read, 0) if len(constant.data) == 1 else read
    return vector[start] if isinstance(constant, TensorConstant) else pt.scalar_from_tensor(vector[start])


def _is_size(variable: Variable) -> bool:
    """Return whether a constant has whole numbers above one; zero and one mean the same in tables of every size."""
    if not isinstance(variable, Constant) or np.ndim(variable.data) > 1:
        return False
    values = np.asarray(variable.data)
    return bool(np.issubdtype(values.dtype, np.integer) and np.any(values > 1))


def _is_number(variable: Variable) -> bool:
    """Return whether a constant was computed from sizes or data; what was data before is no constant any more."""
    return _looks_like_data(variable) and variable.type.dtype == "float64" and variable.type.ndim < 2


def _looks_like_data(variable: Any) -> bool:
    """Return whether a variable is changeable, an array of several entries, or a number that is no multiple of a half.

    Halves and whole numbers are part of formulas, and PyTensor simplifies formulas that have them.
    """
    if not isinstance(variable, TensorConstant):
        return False
    values = np.asarray(variable.data)
    if values.size != 1 or _is_changeable(variable):
        return values.size > 0
    value = values.item()
    return isinstance(value, float) and np.isfinite(value) and not (2 * value).is_integer()
