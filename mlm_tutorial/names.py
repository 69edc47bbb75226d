"""Names and labels in models and posteriors, and the conversion from those of a user's table.

A layer may have the name of any column, and a contributor any hashable label. PyMC, nutpie and netCDF are stricter:
they allow only numbers and text, and no ``/`` in a name. All conversion between the two is here.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import xarray as xr

BASELINE = "baseline"
TOTAL = "total"

#: Dim of the slopes, and the component that is what all covariates add to a total.
COVARIATE = "covariate"
COVARIATES = "covariates"

#: Prefix of the package's own variables, dims and data.
OWN = "mlm_"

#: Data of a model with covariates: the values at which a total's mean is the sum of the contributors' means alone.
COVARIATE_MEAN = f"{OWN}covariate_mean"

#: Kinds of parameters; the variable of a layer is ``<kind>_<layer>``. The last two are contributions of single rows.
KINDS = ("mu", "sigma", "tau", "floor", "spread", "excess", "y", "z")

#: Names that no layer can have: dims of ArviZ, and names that the tables and models made here need.
RESERVED = frozenset(
    {BASELINE, TOTAL, "chain", "draw", "observation", "component", "covariance", "n", "mean", "sum_sq"}
)


def dim_of(layer: str) -> str:
    """Return the dim of a layer in models and posteriors: its name, with ``_`` for what a file cannot hold."""
    # xarray's trees forbid "/", HDF5 cuts a name at NUL and takes "." for the group itself.
    return "_" if layer == "." else layer.replace("/", "_").replace("\0", "_")


def variable_of(kind: str, layer: str) -> str:
    """Return the name of a layer's variable, such as ``mu_carrier``."""
    return f"{kind}_{dim_of(layer)}"


def parameter_names(kind: str, layers: Sequence[str], labels: Mapping[str, Sequence]) -> list[str]:
    """Return the names of one kind of parameter in tables: ``mu_baseline``, then ``mu_<layer>[label]``."""
    names = [variable_of(kind, BASELINE)]
    for layer in layers:
        names += [f"{variable_of(kind, layer)}[{label}]" for label in coordinate_of(labels[layer])[0]]
    return names


def check_layer_names(layers: Sequence[str], covariates: Sequence[str] = ()) -> None:
    """Raise ValueError if a model of these layers and covariates would use one name for two things."""
    for name in covariates:
        if not name:
            raise ValueError("a covariate's name is empty; rename the column")
        if name in (BASELINE, COVARIATES, "n", "mean", "sum_sq") or name.startswith((OWN, "__")):
            raise ValueError(f"{name!r} cannot name a covariate, the package uses that name; rename the column")
    for name in {COVARIATE, COVARIATES} & set(layers) if covariates else ():
        raise ValueError(f"{name!r} cannot name a layer where there are covariates; rename the column")
    for name in layers:
        if not name:
            raise ValueError("a layer's name is empty; rename the column")
        if name in RESERVED or name.startswith((OWN, "__")):
            raise ValueError(f"{name!r} cannot name a layer, the package uses that name; rename the column")
    taken: dict[str, str] = {}
    for name in layers:
        dim = dim_of(name)
        if dim in taken:
            raise ValueError(f"layers {taken[dim]!r} and {name!r} would both be called {dim!r}; rename one")
        taken[dim] = name
    for name in (BASELINE, *layers):
        for kind in KINDS:
            variable = variable_of(kind, name)
            if variable in taken:
                raise ValueError(
                    f"{taken[variable]!r} cannot name a layer beside {name!r}, whose variable has that name; "
                    "rename one of the two columns"
                )


def require_layer(name: Any, layers: Sequence[str]) -> None:
    """Raise ValueError unless `name` is one of the layers."""
    if name not in layers:
        raise ValueError(f"no layer named {name!r}; there are {tuple(layers)}")


def is_missing(label: Any) -> bool:
    """Return whether a label is None, NaN, NaT or NA."""
    missing = pd.isna(label)  # an array for a list
    return isinstance(missing, (bool, np.bool_)) and bool(missing)


def folded(label: Hashable) -> str:
    """Return a label without case, spaces and type: labels that differ in nothing else look alike."""
    return "".join(unicodedata.normalize("NFKC", text_of(label)).split()).casefold()


def text_of(label: Hashable) -> str:
    """Return a label as a reader would write it, the same for labels that are equal and in every process."""
    if isinstance(label, str):
        return _plain_text(label) if _is_text(label) else repr(_plain_text(label))
    if isinstance(label, (np.datetime64, datetime)):
        moment = pd.Timestamp(label)
        midnight = moment.tzinfo is None and moment == moment.normalize()
        return str(moment.date() if midnight else moment)
    if isinstance(label, (np.timedelta64, timedelta)):
        with suppress(pd.errors.OutOfBoundsTimedelta):
            return str(pd.Timedelta(label))
    if isinstance(label, (tuple, frozenset)) or _is_number(label):
        return _repr(label)
    return str(label)


def coordinate_of(labels: Sequence[Hashable]) -> tuple[list, str]:
    """Return labels as the coordinate of a dim, and the way they are written there.

    Parameters
    ----------
    labels : sequence of hashable
        Distinct labels of one layer.

    Returns
    -------
    values : list of int, float, or str
        Integers, real numbers and text stay what they are where all labels are of that kind; other labels are written
        as text, and labels that are equal have the same text, such as 1.10 and 1.1 as decimals.
    written : {"as is", "str", "repr"}
        How the labels are written: ``repr`` where two labels have the same text, such as 101 and "101".

    Raises
    ------
    ValueError
        If two labels have the same text either way.
    """
    kinds: tuple[tuple[Any, Any], ...] = ((_plain_text, _is_text), (int, _is_integer), (float, _is_float))
    for kind, fits in kinds:
        if all(fits(label) and not isinstance(label, Decimal) for label in labels):
            return [kind(label) for label in labels], "as is"
    for written in ("str", "repr"):
        texts = [_WRITE[written](label) for label in labels]
        if len(set(texts)) == len(texts):
            return texts, written
    twice = next(text for text, count in Counter(texts).items() if count > 1)
    raise ValueError(f"two labels are both written as {twice}; rename one")


def positions(coordinate: xr.DataArray, labels: Iterable[Hashable]) -> np.ndarray:
    """Return the positions of labels in the coordinate of a posterior's dim, -1 for a label that is not there.

    Parameters
    ----------
    coordinate : xarray.DataArray
        Coordinate of a layer's dim. Its attribute ``written`` says how labels are written, see :func:`coordinate_of`;
        without it, a label is looked for as it is, then as text.
    labels : iterable of hashable
        A missing label (None, NaN) has the position -1.

    Returns
    -------
    numpy.ndarray of int
    """
    values = coordinate.values
    values = pd.Index(values).tolist() if values.dtype.kind in "mM" else values.tolist()
    written = coordinate.attrs.get("written")
    ways: list[tuple[Any, dict]]
    if written is None:
        ways = [(way, {way(value): k for k, value in enumerate(values)}) for way in (_key, text_of)]
    else:
        ways = [(_WRITE[written], {value: k for k, value in enumerate(values)})]
        if written == "str":
            ways.append((_moment, _moments(values)))
    found = []
    for label in labels:
        places = [] if is_missing(label) else (place.get(way(label), -1) for way, place in ways)
        found.append(next((place for place in places if place >= 0), -1))
    return np.array(found, dtype=int)


def _is_text(label: Any) -> bool:
    """Return whether a label is text that a file can hold: HDF5 cuts it at NUL, and has no lone surrogates."""
    return isinstance(label, str) and "\0" not in label and not any("\ud800" <= x <= "\udfff" for x in label)


def _plain_text(label: str) -> str:
    return str.__str__(label)  # a member of an enumeration, too: `str` would return its name


def _is_number(label: Any) -> bool:
    return isinstance(label, (Real, Decimal)) and not isinstance(label, (bool, np.bool_))


def _is_integer(label: Any) -> bool:
    return isinstance(label, Integral) and _is_number(label) and -(2**63) <= int(label) < 2**63


def _is_float(label: Any) -> bool:
    """Return whether a label is a number that a float holds exactly, and not an integer beyond 2**53."""
    if not _is_number(label) or (isinstance(label, Integral) and abs(int(label)) > 2**53):
        return False
    return isinstance(label, float) or float(label) == label


def _key(label: Hashable) -> Hashable:
    """Return a key that distinguishes truth values from numbers, which are equal in Python."""
    return ("bool", bool(label)) if isinstance(label, (bool, np.bool_)) else label


def _repr(label: Any) -> str:
    """Return a label as Python would write it; numbers that are equal are written alike."""
    if isinstance(label, str):
        return repr(_plain_text(label))
    if isinstance(label, tuple):
        return f"({', '.join(map(_repr, label))})"
    if isinstance(label, frozenset):  # its order differs between processes
        return f"{{{', '.join(sorted(map(_repr, label)))}}}"
    if isinstance(label, datetime):
        return repr(pd.Timestamp(label))
    if _is_float(label):
        return str(int(label)) if abs(label) <= 2**53 and label == int(label) else repr(float(label))
    return format(label.normalize(), "f") if isinstance(label, Decimal) else repr(label)


def _moment(label: Hashable) -> datetime | None:
    """Return a time with a zone in UTC, None for other labels."""
    return label.astimezone(UTC) if isinstance(label, datetime) and label.tzinfo is not None else None


def _moments(texts: list[str]) -> dict[datetime, int]:
    """Return the positions of texts that are times with a zone, by time in UTC: equal times are equal labels."""
    moments = {}
    for k, text in enumerate(texts):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            continue
        if moment.tzinfo is not None:
            moments[moment.astimezone(UTC)] = k
    return moments


_WRITE = {"as is": _key, "str": text_of, "repr": _repr}
