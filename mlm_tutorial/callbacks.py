"""Callbacks for nutpie that call PyTensor's compiled functions by address.

nutpie hands its sampler two C callbacks, one for the density and its gradient, one for the variables of the trace.
In every process it compiles each of them together with the function that PyTensor has already compiled, which takes
several times as long as loading that function from PyTensor's cache. The callbacks here know the function's address
only, so that nothing is compiled twice. What they compute is the same.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import numba
import numpy as np
import nutpie.compile_pymc
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

__all__ = ["callbacks_by_address"]

_NUMBERS = types.CPointer(types.float64)
_DENSITY = types.int64(types.uint64, _NUMBERS, _NUMBERS, _NUMBERS, types.voidptr)
_TRACE = types.int64(types.uint64, types.uint64, _NUMBERS, _NUMBERS, types.voidptr)

_patching = threading.Lock()


@contextmanager
def callbacks_by_address() -> Iterator[None]:
    """Return a context in which ``nutpie.compile_pymc_model`` makes its callbacks with this module."""
    with _patching, patch.multiple(nutpie.compile_pymc, _make_c_logp_func=_density, _make_c_expand_func=_trace):
        yield


def _density(n_dim, function, user_data, shared_keys, shared_data):
    """Return the callback of the log density and its gradient, and its C signature; takes what nutpie passes."""
    call = _call_by_address(function, n_dim, shared_keys, shared_data)

    # Plain loops: assignment to a slice takes numba much longer to compile.
    def callback(dim, point, gradient, logp, data):
        if dim != n_dim:
            return -1
        try:
            value, derivatives = call(point, data)
            logp[0] = value.item()
            finite = True
            for i in range(n_dim):
                gradient[i] = derivatives[i]
                finite &= np.isfinite(derivatives[i])
        except Exception:  # numba catches nothing more specific
            return 1
        if not finite:
            return 3
        return 0 if np.isfinite(logp[0]) else 4

    return callback, _DENSITY


def _trace(n_dim, n_expanded, function, user_data, shared_keys, shared_data):
    """Return the callback of the trace's variables, and its C signature; takes what nutpie passes."""
    call = _call_by_address(function, n_dim, shared_keys, shared_data)

    def callback(dim, expanded, point, out, data):
        if dim != n_dim or expanded != n_expanded:
            return -1
        try:
            (values,) = call(point, data)
            for i in range(n_expanded):
                out[i] = values[i]
        except Exception:  # numba catches nothing more specific
            return -2
        return 0

    return callback, _TRACE


def _call_by_address(function, n_dim: int, shared_keys: list[str], shared_data: dict[str, np.ndarray]):
    """Return a function for numba code, ``call(point, data)``, that gives the results of a compiled function.

    Parameters
    ----------
    function : numba dispatcher
        Takes a point of length `n_dim`, then the shared arrays of `shared_keys` in this order.
    shared_data : dict of str to numpy.ndarray
        All shared arrays, in the order of nutpie's record. The record begins with their addresses, then come their
        sizes, then their shapes, each a whole number of 64 bits.
    """
    arrays = [shared_data[key] for key in shared_keys]
    given = (
        types.Array(types.float64, 1, "C"),
        *(types.Array(numba.from_dtype(array.dtype), array.ndim, "C") for array in arrays),
    )
    # PyTensor's functions take all of their arguments as one tuple.
    expected = tuple(function.get_call_template(given, {})[2])
    compiled = function.overloads[expected]
    address = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
    results = compiled.signature.return_type

    ranks = [array.ndim for array in shared_data.values()]
    first_extent = [2 * len(ranks) + sum(ranks[:k]) for k in range(len(ranks))]
    places = [list(shared_data).index(key) for key in shared_keys]

    @intrinsic
    def call(typing_context, point, data):
        def generate(context, builder, signature, values):
            def number(value):
                return context.get_constant(types.intp, int(value))

            def entry(i):
                return builder.load(cgutils.gep_inbounds(builder, record, i))

            def array(kind, start, shape):
                item = context.get_data_type(kind.dtype)
                strides: list = []
                step = number(context.get_abi_sizeof(item))
                for extent in reversed(shape):
                    strides.insert(0, step)
                    step = builder.mul(step, extent)
                made = make_array(kind)(context, builder)
                populate_array(
                    made,
                    data=builder.bitcast(start, item.as_pointer()),
                    shape=shape,
                    strides=strides,
                    itemsize=number(context.get_abi_sizeof(item)),
                    meminfo=None,
                )
                return made._getvalue()

            at, record = values
            record = builder.bitcast(record, context.get_value_type(types.intp).as_pointer())
            arguments = [array(given[0], at, [number(n_dim)])]
            for kind, k in zip(given[1:], places, strict=True):
                start = builder.inttoptr(entry(k), cgutils.voidptr_t)
                arguments.append(array(kind, start, [entry(first_extent[k] + axis) for axis in range(kind.ndim)]))
            if expected != given:
                arguments = [context.make_tuple(builder, expected[0], arguments)]
            kind = context.call_conv.get_function_type(results, expected)
            target = builder.inttoptr(context.get_constant(types.uintp, address), kind.as_pointer())
            status, result = context.call_conv.call_function(builder, target, results, expected, arguments)
            with builder.if_then(status.is_error, likely=False):
                context.call_conv.return_status_propagate(builder, status)
            return result

        return results(point, data), generate

    return call
