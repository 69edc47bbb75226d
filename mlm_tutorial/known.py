"""Standard deviations that are known before a fit: of an instrument, or of layers that add no spread of their own."""

from collections.abc import Hashable, Mapping
from numbers import Real
from typing import Any

import numpy as np

from mlm_tutorial.cells import Cells
from mlm_tutorial.layers import BASELINE
from mlm_tutorial.names import require_layer

__all__ = ["Known", "checked_known_sigma", "known_vector", "require_number"]

#: By component, or for some labels of a layer, as a mapping of label to standard deviation.
Known = Mapping[str, float | Mapping[Hashable, float]]


def checked_known_sigma(given: Known | None) -> dict:
    """Return known standard deviations; raise TypeError or ValueError unless they are finite and not negative."""
    given = {} if given is None else given
    if not isinstance(given, Mapping):
        raise TypeError(f"known_sigma must map a component to its standard deviation, got {given!r}")
    for name, value in given.items():
        for label, sigma in value.items() if isinstance(value, Mapping) else [(None, value)]:
            where = f"known_sigma[{name!r}]" + ("" if label is None else f"[{label!r}]")
            if not (np.isfinite(require_number(sigma, where)) and sigma >= 0):
                raise ValueError(f"{where} must be zero or positive, and finite, got {sigma}")
    return dict(given)


def known_vector(cells: Cells, known_sigma: Known) -> np.ndarray:
    """Return known standard deviations of baseline and all contributors, NaN where not known, shape (1 + sum of m_j,).

    Raises
    ------
    TypeError, ValueError
        If a component or a label is not one of `cells`, or a cell is left without variance.
    """
    for name in known_sigma:
        if name != BASELINE:
            require_layer(name, cells.layers)
    baseline = known_sigma.get(BASELINE, np.nan)
    if isinstance(baseline, Mapping):
        raise TypeError(f"known_sigma[{BASELINE!r}] must be a number, got {baseline!r}")
    parts = [np.array([baseline], dtype=float)]
    for name in cells.layers:
        given, labels = known_sigma.get(name, np.nan), cells.labels[name]
        if isinstance(given, Mapping):
            missing = [label for label in given if label not in labels]
            if missing:
                raise ValueError(f"known_sigma[{name!r}] names {missing[0]!r}, which is not a label of that layer")
            parts.append(np.array([given.get(label, np.nan) for label in labels], dtype=float))
        else:
            parts.append(np.full(len(labels), given, dtype=float))
    known = np.concatenate(parts)
    variance = cells.design() @ np.where(np.isnan(known), 1.0, known**2)
    if (variance == 0).any():
        cell = int(np.argmin(variance))
        where = {
            name: cells.labels[name][k] if k >= 0 else None
            for name, k in zip(cells.layers, cells.codes[cell], strict=True)
        }
        raise ValueError(f"known_sigma leaves the totals of {where} without variance: all of their components are 0")
    return known


def require_number(value: Any, name: str) -> float:
    """Return a number; raise TypeError if it is not one."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    return float(value)
