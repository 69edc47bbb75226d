"""Identification before a fit: the means and spreads that the design fixes, and those that only a prior decides.

The total's mean is a sum of means, its variance a sum of variances, and both sums follow from one design: a row per
cell, a column per component, 1 where the component takes part. The data do not show what the design maps to zero.
"""

import warnings
from collections.abc import Hashable, Mapping
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from mlm_tutorial.cells import Cells
from mlm_tutorial.directions import aliases, layer_sizes, nested_in, system_of_means, system_of_variances
from mlm_tutorial.known import Known, checked_known_sigma, known_vector
from mlm_tutorial.layers import BASELINE
from mlm_tutorial.names import COVARIATES, require_layer
from mlm_tutorial.signs import (
    EXACT_SUMS,
    notes_on_absent_labels,
    notes_on_constant_totals,
    notes_on_labels,
    notes_on_residuals,
    notes_on_reused_labels,
    notes_on_rows,
)
from mlm_tutorial.wording import (
    alias_sentences,
    estimable,
    first_few,
    listed,
    sentences,
    words_of_means,
    words_of_spreads,
)

__all__ = ["UnidentifiedWarning", "aliases", "identification", "layers_of", "nested_in", "warn_if_not_identified"]

Contrast = Mapping[str | tuple[str, Hashable], float]


class UnidentifiedWarning(UserWarning):
    """Warns that a model has parameters that the data do not identify."""


def identification(
    cells: Cells, known_sigma: Known | None = None, contrasts: Mapping[str, Contrast] | None = None
) -> pd.DataFrame:
    """Return a table of the means and spreads that the data fix, and of the reasons why others are not fixed.

    Only the design is used. A mean is fixed by the data if the means of all cells determine it; a variance, if the
    variances of all cells do. Means follow the sum-to-zero rule, except those of a layer that may be absent. The number
    of rows in a cell does not matter, with one exception that is reported in words: a variance can be estimated only
    from repeated rows of a cell, or from residuals of the means.

    Parameters
    ----------
    cells : Cells
        Sufficient statistics of the observations.
    known_sigma : mapping, optional
        Standard deviations that are known: of a component (``"baseline"`` or a layer), or of some of a layer's
        contributors, as a mapping of label to standard deviation.
    contrasts : mapping, optional
        Combinations of parameters to look at, by name. A combination maps ``(layer, label)``, or ``"baseline"``, to a
        weight: ``{("carrier", "UA"): 1, ("carrier", "AA"): -1}`` is a difference of two carriers.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``component``: the baseline, the layers, the covariates where there are some (for which ``means``
        says whether all slopes are fixed), and the contrasts that were asked for. ``means`` and
        ``spreads`` say whether all of the component's means, and all of its variances, are fixed by the data; for a
        contrast, whether that combination of means, and that of variances, is estimable. ``because`` says why in
        words. ``attrs["notes"]`` lists possible problems of the table: signs, not proofs. ``attrs["doubtful"]`` names
        the layers of which a note says that labels may not stand for one contributor each, or do not add up.

    Raises
    ------
    TypeError, ValueError
        If `cells` is not a :class:`Cells`, or `known_sigma` or a contrast names a component or a label that it lacks.

    Notes
    -----
    A linear combination is estimable if it lies in the row space of the design (Searle 1971, *Linear Models*,
    chapter 5). In large designs, random vectors are projected on the null space: a coefficient that keeps nothing
    is fixed by the data.
    """
    _require_cells(cells)
    known = ~np.isnan(known_vector(cells, checked_known_sigma(known_sigma)))
    means, spreads = system_of_means(cells), system_of_variances(cells, known)
    means_words, spreads_words = words_of_means(means), words_of_spreads(spreads)
    net = cells.without_covariates()
    on_labels, on_reused_labels = notes_on_labels(cells), notes_on_reused_labels(net)
    notes = [*notes_on_residuals(cells, spreads), *notes_on_rows(cells), *on_labels]
    notes += [*notes_on_absent_labels(cells, means), *notes_on_constant_totals(net), *on_reused_labels]
    in_doubt = set().union(*(names for names, _ in [*on_labels, *on_reused_labels]))
    doubtful = [name for name in cells.layers if name in in_doubt]
    rows = {}
    for name in (BASELINE, *cells.layers):
        words = [f"Means: {means_words[name]}", f"Spreads: {spreads_words[name]}"]
        words += [f"Note: {text}" for names, text in notes if name in names]
        rows[name] = (means.fixes(name), spreads.fixes(name), " ".join(words))
    if cells.covariates:
        rows[COVARIATES] = (means.fixes(COVARIATES), True, f"Slopes: {means_words[COVARIATES]}")
    for name, contrast in (contrasts or {}).items():
        if name in rows:
            raise ValueError(f"a contrast cannot be called {name!r}, a component has that name")
        weights = _contrast_weights(cells, name, contrast)
        mean_fixed, spread_fixed, reason = estimable(means, spreads, weights)
        asked = [layer for layer in doubtful if layer in layers_of(contrast)]
        if asked:
            reason += f" First read the note on {listed(asked)}."
        rows[name] = (mean_fixed, spread_fixed, reason)
    fixed_means, fixed_spreads, because = zip(*rows.values(), strict=True)
    frame = pd.DataFrame(
        {"means": fixed_means, "spreads": fixed_spreads, "because": because}, index=pd.Index(rows, name="component")
    )
    frame.attrs["notes"] = [text for _, text in notes]
    frame.attrs["doubtful"] = doubtful
    return frame


def layers_of(contrast: Contrast) -> set[str]:
    """Return the names of the layers that a contrast has weights for."""
    return {key[0] for key in contrast if isinstance(key, tuple)}


def warn_if_not_identified(cells: Cells, known_sigma: Known | None, pooled: bool, stacklevel: int = 2) -> None:
    """Warn of a model with means that the data do not fix.

    Where the data say nothing, a model without pooling returns its prior, and the result looks like any other. A pooled
    model splits what layers have in common by what it learned about each; it causes a warning only if two layers have
    the same contributors, which nothing can distinguish, or if there are as many means as rows.

    Parameters
    ----------
    cells : Cells
    known_sigma : mapping or None
        As for :func:`identification`. Means do not depend on it.
    pooled : bool
        Whether the model's contributors are pooled.
    stacklevel : int
        As for :func:`warnings.warn`: 2 is the line that calls this function.

    Warns
    -----
    UnidentifiedWarning

    Raises
    ------
    ValueError
        If totals are exact sums of the layers although there are more rows than means, and no spread is known: then the
        density is unbounded at spreads of zero.
    """
    known = np.nan_to_num(known_vector(cells, checked_known_sigma(known_sigma)))
    saturated = cells.n_observations <= cells.rank()
    if not saturated and cells.exactly_additive() and not (cells.design() @ known).all():
        raise ValueError(f"{EXACT_SUMS} If spreads are known, give them as known_sigma")
    if saturated:
        texts = ["there are as many means as rows, so the prior decides what is a mean and what is spread."]
        more = "Repeat some rows; mlm.identification(cells) says more."
    elif pooled:
        texts = [text for _, text in alias_sentences(cells)]
        more = "mlm.identification(cells) says more."
    else:
        means = system_of_means(cells)
        lost = [name for name in cells.layers if not means.fixes(name)]
        if not lost:
            return
        texts = [f"the data do not fix the means of {listed(lost)}, so without pooling the prior decides them:"]
        reasons = [text for _, text in sentences(means)]
        texts += reasons
        more = "mlm.identification(cells) says more."
        if len(reasons) > len(alias_sentences(cells)):
            more = f"Use pooled priors (pooled=True); {more}"
    if texts:
        warnings.warn(" ".join([*texts, more]), UnidentifiedWarning, stacklevel=stacklevel)


# --- what the caller gave ---


def _require_cells(cells: Any) -> None:
    if not isinstance(cells, Cells):
        raise TypeError(f"expected Cells, got {type(cells).__name__}; make them with mlm.cell_statistics")


def _contrast_weights(cells: Cells, name: str, contrast: Contrast) -> np.ndarray:
    """Return a contrast as weights of baseline and all contributors, shape (P,)."""
    where = f"contrast {name!r}"
    if not isinstance(contrast, Mapping) or not contrast:
        raise TypeError(f"{where}: expected a mapping of (layer, label) to a weight, got {contrast!r}")
    starts = np.cumsum([1, *layer_sizes(cells)])
    weights = np.zeros(starts[-1])
    for key, weight in contrast.items():
        if isinstance(weight, bool) or not isinstance(weight, Real) or not np.isfinite(weight):
            raise TypeError(f"{where}: the weight of {key!r} must be a finite number, got {weight!r}")
        if isinstance(key, str) and key == BASELINE:
            weights[0] = weight
            continue
        if not isinstance(key, tuple) or len(key) != 2:
            raise TypeError(f"{where}: expected {BASELINE!r} or a pair (layer, label), got {key!r}")
        layer, label = key
        require_layer(layer, cells.layers)
        weights[starts[cells.layers.index(layer)] + _position(cells, layer, label, where)] = weight
    if not weights.any():
        raise ValueError(f"{where}: all weights are zero")
    return weights


def _position(cells: Cells, layer: str, label: Hashable, where: str) -> int:
    try:
        return cells.labels[layer].index(label)
    except ValueError:
        shown = first_few(map(repr, cells.labels[layer]), 5)
        text = f"{where} names {label!r}, which is not a label of layer {layer!r}; labels are {shown}"
        raise ValueError(text) from None
