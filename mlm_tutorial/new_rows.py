"""Warnings on new rows whose labels may not mean what they meant in the fit."""

import re
import warnings

import numpy as np
import xarray as xr

from mlm_tutorial.directions import nests
from mlm_tutorial.names import folded
from mlm_tutorial.parameters import Parameters
from mlm_tutorial.rows import Rows

__all__ = ["warn_of_lookalikes", "warn_of_moved_contributors"]


def warn_of_lookalikes(parameters: Parameters, rows: Rows, stacklevel: int) -> None:
    """Warn where a label that is new looks like a known one: it differs in case, spaces or type, or is its last part.

    Parameters
    ----------
    parameters : Parameters
    rows : Rows
        New rows, whose contributors may be new.
    stacklevel : int
        As for :func:`warnings.warn`: 2 is the line that calls this function.
    """
    for name, new in rows.new.items():
        labels = parameters.coordinates[name].values.tolist()
        # Labels that were joined with their group's, such as 'B:N2', are often asked for without it.
        known = {folded(re.split(r"[-:/_|]", label)[-1]): label for label in labels if isinstance(label, str)}
        known |= {folded(label): label for label in labels}
        alike = [(label, known[folded(label)]) for label in new if folded(label) in known]
        if alike:
            label, other = alike[0]
            warnings.warn(
                f"{name} {label!r} is new, and its total is predicted as that of a {name} that nobody has seen; the "
                f"fit has {other!r}. If the two are the same, write them alike",
                UserWarning,
                stacklevel=stacklevel,
            )


def warn_of_moved_contributors(idata: xr.DataTree, parameters: Parameters, rows: Rows, stacklevel: int) -> None:
    """Warn where new rows put a contributor of a nested layer into another group than all rows of the fit did.

    Lot 7 of tool B is another lot than lot 7 of tool A, where every lot of the data belongs to one tool. A fit without
    its cells, such as one that was put together by hand, cannot be asked.

    Parameters
    ----------
    idata : xarray.DataTree
    parameters : Parameters
        Those of `idata`.
    rows : Rows
        New rows, with labels as in `parameters`.
    stacklevel : int
        As for :func:`warnings.warn`: 2 is the line that calls this function.
    """
    fitted = _codes_of_the_fit(idata, parameters)
    if fitted is None:
        return
    labels = {name: list(parameters.coordinates[name].values) for name in rows.layers}
    for finer, coarser in nests(fitted, [len(labels[name]) for name in rows.layers]):
        group, present = np.full(len(labels[rows.layers[finer]]), -1), fitted[:, finer] >= 0
        group[fitted[present, finer]] = fitted[present, coarser]
        member, place = rows.codes[:, finer], rows.codes[:, coarser]
        known = (member >= 0) & (member < len(group)) & (place >= 0)
        moved = np.flatnonzero(known)[group[member[known]] != place[known]]
        if moved.size:
            inner, outer = rows.layers[finer], rows.layers[coarser]
            one = member[moved[0]]
            label, there = labels[inner][one], labels[outer][group[one]]
            here = [*labels[outer], *rows.new.get(outer, ())][place[moved[0]]]
            joined = str(label).startswith(str(there))  # labels that are unique already
            own = "that is not in the fit" if joined else f"of its own, such as {f'{here}:{label}'!r}"
            warnings.warn(
                f"every {inner} of the fit belongs to one {outer}, but {moved.size} of {len(rows)} rows differ: in the "
                f"first, {inner} {label!s} is of {outer} {here!s}, and in the fit it was of {outer} {there!s}. It is "
                f"taken for the same {inner}, moved: how much of its mean moves with it only pooling decides, not the "
                f"data. If it is another {inner}, give it a label {own}",
                UserWarning,
                stacklevel=stacklevel,
            )


def _codes_of_the_fit(idata: xr.DataTree, parameters: Parameters) -> np.ndarray | None:
    """Return the distinct combinations of contributors that were fitted, in the order of the parameters' layers."""
    data = idata["constant_data"] if "constant_data" in idata.children else {}
    if "mlm_codes" not in data:
        return None
    places, order = np.unique(data["mlm_codes"].values, axis=0), data["mlm_layer"].values.tolist()
    starts = np.cumsum([1, *(parameters.coordinates[name].size for name in order)])
    codes = np.where(places == starts[-1], -1, places - starts[:-1])
    return codes[:, [order.index(name) for name in parameters.layers]]
