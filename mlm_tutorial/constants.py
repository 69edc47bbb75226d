"""Constants of a model as data, so that models of the same structure share one compilation.

PyTensor looks a compiled function up in its cache by the function's graph, in which constants count. Numbers that
come from a table, such as observed totals, scales of priors and units of coordinates, are other ones for every table.
As shared variables they do not count, and the next table of the same structure finds the function compiled.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import pymc.pytensorf
import pytensor
from pytensor.graph.replace import clone_replace
from pytensor.graph.traversal import ancestors
from pytensor.tensor.variable import TensorConstant

__all__ = ["constants_as_data"]

_compile = pymc.pytensorf.compile
_patching = threading.Lock()


@contextmanager
def constants_as_data() -> Iterator[None]:
    """Return a context in which ``nutpie.compile_pymc_model`` compiles constants as data."""
    with _patching, patch.object(pymc.pytensorf, "compile", _compile_with_data):
        yield


def _compile_with_data(inputs, outputs, *args, **kwargs):
    """Compile a function as PyMC does; where numba is to compile it, with constants as shared variables."""
    if kwargs.get("mode") == "NUMBA":
        outputs = with_constants_shared(list(outputs))
    return _compile(inputs, outputs, *args, **kwargs)


def with_constants_shared(outputs: Sequence) -> list:
    """Return the same outputs of a graph with shared variables in place of constants that look like data."""
    constants = [variable for variable in ancestors(outputs) if _looks_like_data(variable)]
    shared = {x: pytensor.shared(x.data, shape=x.type.shape, borrow=True) for x in constants}
    return clone_replace(outputs, shared)


def _looks_like_data(variable: Any) -> bool:
    """Return whether a variable is an array of several entries, or a number with more than three digits.

    Short numbers, such as 2 or 0.5, are part of formulas, and PyTensor simplifies formulas that have them.
    """
    if not isinstance(variable, TensorConstant):
        return False
    values = np.asarray(variable.data)
    if values.size != 1:
        return values.size > 1
    value = values.item()
    return isinstance(value, float) and np.isfinite(value) and float(f"{value:.3g}") != value
