"""Constants and sizes of a model as data, so that models of the same structure share one compilation.

PyTensor looks a compiled function up in its cache by the function's graph, in which constants count. Numbers that
come from a table are other ones for every table: observed totals, scales of priors, units of coordinates, and where in
a vector one layer ends and the next begins. As shared variables they do not count, and the next table with as many
layers finds the function compiled.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import pymc.pytensorf
import pytensor
import pytensor.tensor as pt
from pytensor.compile.ops import ViewOp
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.replace import clone_replace
from pytensor.graph.traversal import io_toposort
from pytensor.raise_op import CheckAndRaise
from pytensor.tensor.basic import Alloc, Join, MakeVector, ScalarFromTensor, Split, TensorFromScalar
from pytensor.tensor.elemwise import CAReduce, DimShuffle, Elemwise
from pytensor.tensor.shape import Reshape, Shape, Shape_i
from pytensor.tensor.special import LogSoftmax, Softmax
from pytensor.tensor.subtensor import AdvancedIncSubtensor, AdvancedSubtensor, IncSubtensor, Subtensor
from pytensor.tensor.type import TensorType
from pytensor.tensor.variable import TensorConstant

__all__ = ["constants_as_data"]

# Operations whose whole numbers are sizes, or positions that follow from sizes, with the first input that is one.
_SIZES_FROM = {Subtensor: 1, IncSubtensor: 2, Reshape: 1, Alloc: 1, MakeVector: 0}
# Operations that compute the same whether they know the sizes of their inputs or not.
_FREE_OF_SIZES = (
    *_SIZES_FROM,
    AdvancedIncSubtensor,
    AdvancedSubtensor,
    CAReduce,
    CheckAndRaise,
    DimShuffle,
    Elemwise,
    Join,
    LogSoftmax,
    ScalarFromTensor,
    Shape,
    Shape_i,
    Softmax,
    Split,
    TensorFromScalar,
    ViewOp,
)

_compile = pymc.pytensorf.compile
_patching = threading.Lock()


@contextmanager
def constants_as_data() -> Iterator[None]:
    """Return a context in which ``nutpie.compile_pymc_model`` compiles constants and sizes as data."""
    with _patching, patch.object(pymc.pytensorf, "compile", _compile_with_data):
        yield


def _compile_with_data(inputs, outputs, *args, **kwargs):
    """Compile a function as PyMC does; where numba is to compile it, with constants as shared variables."""
    if kwargs.get("mode") == "NUMBA":
        given = kwargs.pop("givens", [])
        inputs, outputs = with_constants_shared(list(inputs), clone_replace(list(outputs), dict(given)))
    return _compile(inputs, outputs, *args, **kwargs)


def with_constants_shared(inputs: Sequence, outputs: Sequence) -> tuple[list, list]:
    """Return the same graph with shared variables in place of constants that look like data, and of sizes.

    Parameters
    ----------
    inputs, outputs : sequence of pytensor.graph.basic.Variable

    Returns
    -------
    inputs, outputs : list of pytensor.graph.basic.Variable
        New variables. Only dimensions of one entry have a fixed size, since they are the ones that are broadcast.
    """
    new: dict[Variable, Variable] = {x: _free_type(x.type)(name=x.name) for x in inputs}

    def data(x, is_size=False):
        if x not in new:
            if is_size and not isinstance(x, TensorConstant):  # a scalar of the kind that indices are
                new[x] = pt.scalar_from_tensor(pytensor.shared(np.asarray(x.data)))
            else:
                new[x] = pytensor.shared(x.data, shape=_free_type(x.type).shape, borrow=True)
        return new[x]

    for node in io_toposort([], outputs):
        sizes_from = _SIZES_FROM.get(type(node.op), len(node.inputs))
        arguments = []
        for i, x in enumerate(node.inputs):
            if i >= sizes_from and _is_size(x):
                arguments.append(data(x, is_size=True))
            elif _looks_like_data(x):
                arguments.append(data(x))
            else:
                arguments.append(new.get(x, x))
        for old, made in zip(node.outputs, _again(node, arguments).outputs, strict=True):
            new[old] = _with_single_entries(made, old.type)
    return [new[x] for x in inputs], [data(x) if _looks_like_data(x) else new.get(x, x) for x in outputs]


def _again(node: Apply, arguments: list) -> Apply:
    """Return the node's operation on other arguments."""
    if isinstance(node.op, _FREE_OF_SIZES):
        return node.clone_with_new_inputs(arguments, strict=False)
    sized = [
        pt.specify_shape(new, old.type.shape) if isinstance(old.type, TensorType) and new.type != old.type else new
        for new, old in zip(arguments, node.inputs, strict=True)
    ]
    return node.clone_with_new_inputs(sized)


def _free_type(kind: Any) -> Any:
    """Return a type of arrays without sizes other than one."""
    return kind.clone(shape=tuple(1 if size == 1 else None for size in kind.shape))


def _with_single_entries(variable: Variable, kind: Any) -> Variable:
    """Return a variable, told of the dimensions that have a single entry in a type."""
    if not isinstance(kind, TensorType):
        return variable
    sizes = zip(kind.shape, variable.type.shape, strict=True)
    axes = [axis for axis, (size, now) in enumerate(sizes) if size == 1 and now != 1]
    return pt.specify_broadcastable(variable, *axes) if axes else variable


def _is_size(variable: Any) -> bool:
    """Return whether a variable is a whole number above one; zero and one mean the same in tables of every size."""
    if not isinstance(variable, Constant) or np.size(variable.data) != 1:
        return False
    value = np.asarray(variable.data)
    return bool(np.issubdtype(value.dtype, np.integer) and value.item() > 1)


def _looks_like_data(variable: Any) -> bool:
    """Return whether a variable is an array of several entries, or a number that is no multiple of a half.

    Halves and whole numbers are part of formulas, and PyTensor simplifies formulas that have them.
    """
    if not isinstance(variable, TensorConstant):
        return False
    values = np.asarray(variable.data)
    if values.size != 1:
        return values.size > 1
    value = values.item()
    return isinstance(value, float) and np.isfinite(value) and not (2 * value).is_integer()
