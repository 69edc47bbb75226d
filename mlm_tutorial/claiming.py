"""What may be claimed after a fit: what stayed when the priors were varied, and whether that was the data's doing."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr

from mlm_tutorial.cells import Cells
from mlm_tutorial.directions import component_of_each
from mlm_tutorial.identifiability import Contrast, identification, layers_of
from mlm_tutorial.known import known_vector
from mlm_tutorial.layers import BASELINE
from mlm_tutorial.names import positions, variable_of
from mlm_tutorial.parameters import Parameters
from mlm_tutorial.priors import Priors
from mlm_tutorial.sampling import posterior_of
from mlm_tutorial.wording import listed

__all__ = ["claims", "prior_variants"]

#: Share of an interval's width by which an end of it may move under another prior. Two runs of 400 effective draws
#: differ by more with a probability below one in a million.
MAY_MOVE = 0.25
#: A layer whose standard deviation's interval begins below this share of its end may have none.
NEAR_ZERO = 0.1


def prior_variants(priors: Priors, cells: Cells, *, both_ways: bool = False) -> dict[str, Priors]:
    """Return priors that differ from the given ones in one respect each.

    Parameters
    ----------
    priors : Priors
        Those of the analysis.
    cells : Cells
        For the layers, and for what has a spread that is not known.
    both_ways : bool
        Whether each kind of scale is varied in both directions, which takes twice as many fits.

    Returns
    -------
    dict of str to Priors
        One with a quarter of the scale of the contributors' means, and one in which nearly all of a row's variance,
        whose prior mean is the same, is expected in the layers. With `both_ways`, also one with four times the scale,
        and one in which nearly all is expected in the baseline. Where only the baseline or only layers have a free
        spread, its scale is doubled instead, and with `both_ways` also halved. Where all spreads are known, only means
        vary.
    """
    means = {name: priors.mu_sd_of(name) for name in cells.layers}
    variants: dict[str, dict] = {
        f"means: scale {what}": {"mu_sd": {name: sd * factor for name, sd in means.items()}}
        for what, factor in (("/ 4", 0.25), ("x 4", 4.0))
    }
    owner = component_of_each(cells)
    free = np.isnan(known_vector(cells, priors.known_sigma))
    names = [name for j, name in enumerate([BASELINE, *cells.layers]) if free[owner == j].any()]
    scale = {name: priors.sigma_scale_of(name) for name in names}
    if BASELINE in scale and len(scale) > 1:
        baseline, layers = scale[BASELINE] ** 2, sum(sd**2 for name, sd in scale.items() if name != BASELINE)
        for where, new in (("layers", baseline / 10), ("baseline", baseline + 0.9 * layers)):
            factor = np.sqrt((baseline + layers - new) / layers)
            split = {name: float(sd * factor) for name, sd in scale.items()} | {BASELINE: float(np.sqrt(new))}
            variants[f"spreads: in the {where}"] = {"sigma_scale": split}
    elif scale:
        for what, factor in (("x 2", 2.0), ("/ 2", 0.5)):
            variants[f"spreads: scale {what}"] = {"sigma_scale": {name: sd * factor for name, sd in scale.items()}}
    chosen = list(variants) if both_ways else list(variants)[::2]
    return {name: dataclasses.replace(priors, **variants[name]) for name in chosen}


def claims(
    fits: Mapping[str, xr.DataTree],
    cells: Cells,
    questions: Mapping[str, Contrast] | None = None,
    *,
    ci_prob: float | None = None,
) -> pd.DataFrame:
    """Return a table of quantities, and whether each of them may be claimed.

    A quantity may be claimed if it stays when the priors are varied, and if that is the data's doing. The first is seen
    from the fits; the second is not: where the data say nothing, what stays is the prior. It follows from the design,
    as in :func:`identification`.

    Parameters
    ----------
    fits : mapping of str to xarray.DataTree
        Posteriors of these cells, two or more, each checked with :func:`check_convergence`. The first is that of the
        analysis, the others have other priors, such as those of :func:`prior_variants`.
    cells : Cells
        Sufficient statistics of the observations.
    questions : mapping, optional
        Combinations of means by name, as the contrasts of :func:`identification`. Each is taken for a difference, which
        may be zero.
    ci_prob : float, optional
        Probability of the equal-tailed intervals; ArviZ's default if None.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``quantity``: the questions; for each layer the standard deviation of its contributors' means; the
        standard deviation of a total about its mean, averaged over rows as a variance; and that of the baseline alone,
        unless it is known. Columns are ``mean``, ``lower`` and ``upper`` of the first fit; ``moved``, how far an end of
        the interval moves at most in the other fits, as a share of its width; ``fixed``, whether the data fix the
        quantity; ``claim``, and ``because``, in words. A claim is

        - ``yes``: the data fix it, and none of these priors moved it;
        - ``yes, if alike``: the data do not fix it, but pooling does, which takes the contributors of a layer as alike;
          none of these priors moved it;
        - ``open``: as one of these, but zero lies within the interval, or, for a layer's standard deviation, which is
          positive whatever the data say, its lower end is below a tenth of its upper one;
        - ``see note``: one of these, but :func:`identification` has a note that labels of its layers may not stand for
          one contributor each, or that these layers do not add up;
        - ``no``: a prior moved it, or the data do not fix it and layers are not pooled.

    Raises
    ------
    ValueError
        If there are fewer than two fits, or a posterior or a question does not belong to the cells.
    """
    if len(fits) < 2:
        raise ValueError("expected two fits at least, with different priors; mlm.prior_variants makes such priors")
    questions = questions or {}
    first, *others = fits
    identified = identification(cells, _known_sigma(fits[first], cells), questions)
    pooled = {name for name in cells.layers if variable_of("tau", name) in posterior_of(fits[first])}
    draws = {name: _draws(idata, cells, questions) for name, idata in fits.items()}
    # What has to be fixed by the data, and the layers whose pooling may stand in for it.
    needs = {name: (name, "means", layers_of(asked)) for name, asked in questions.items()}
    of_layers = {_sd_of_means(name): (name, "means", {name}) for name in cells.layers}
    needs |= of_layers
    needs |= {SD_OF_BASELINE: (BASELINE, "spreads", {BASELINE})}
    prob = az.rcParams["stats.ci_prob"] if ci_prob is None else ci_prob
    rows = {}
    for name, own in draws[first].items():
        lower, upper = (float(end) for end in az.eti(own, prob=prob))
        moved, worst = 0.0, others[0]
        for other in others:
            ends = az.eti(draws[other][name], prob=prob)
            distance = float(np.abs(np.subtract(ends, (lower, upper))).max() / (upper - lower))
            if distance > moved:
                moved, worst = distance, other
        fixed, alike, doubts = True, True, []
        if name in needs:
            component, what, layers = needs[name]
            fixed, alike = bool(identified.loc[component, what]), layers <= pooled
            doubts = [layer for layer in identified.attrs["doubtful"] if layer in layers]
        zero = "zero lies inside the interval" if name in questions and lower <= 0 <= upper else ""
        if name in of_layers and lower < NEAR_ZERO * upper:
            zero = "the interval begins close to zero"
        claim, because = verdict_of(moved, worst, fixed, alike, zero)
        if doubts and claim != "no":
            note = f"mlm.identification has a note on {listed(doubts)}"
            claim, because = "see note", f"{note}; if that is settled: {because}"
        rows[name] = (float(own.mean()), lower, upper, moved, fixed, claim, because)
    columns = ["mean", "lower", "upper", "moved", "fixed", "claim", "because"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("quantity")


SD_OF_TOTAL = "sd of a total about its mean"
SD_OF_BASELINE = "sd of the baseline alone"


def _sd_of_means(layer: str) -> str:
    return f"sd of the means of {layer}"


def _draws(idata: xr.DataTree, cells: Cells, questions: Mapping[str, Contrast]) -> dict[str, np.ndarray]:
    """Return all quantities of a table of claims by name, each of shape (S,)."""
    parameters = Parameters.of(idata, cells.layers)
    mu, variance = {}, parameters.variance[0].copy()
    for j, name in enumerate(cells.layers):
        place = positions(parameters.coordinates[name], cells.labels[name])
        if (place < 0).any():
            label = cells.labels[name][int(np.argmax(place < 0))]
            raise ValueError(f"the posterior has no contributor {label!r} in layer {name!r}")
        mu[name] = parameters.mu[1 + j][place]
        variance += cells.counts(name) / cells.n_observations @ parameters.variance[1 + j][place]
    own = {_sd_of_means(name): values.std(axis=0) for name, values in mu.items()}
    own[SD_OF_TOTAL] = np.sqrt(variance)
    if np.ptp(parameters.variance[0]) > 0:
        own[SD_OF_BASELINE] = np.sqrt(parameters.variance[0])
    found = {}
    for name, contrast in questions.items():
        if name in own:
            raise ValueError(f"a question cannot be called {name!r}, another row of the table has that name")
        found[name] = np.zeros(parameters.n_draws)
        for key, weight in contrast.items():
            values = parameters.mu[0] if key == BASELINE else mu[key[0]][cells.labels[key[0]].index(key[1])]
            found[name] = found[name] + weight * values
    return found | own


def _known_sigma(idata: xr.DataTree, cells: Cells) -> dict:
    """Return the standard deviations that are the same in all draws: they were known."""
    parameters = Parameters.of(idata, cells.layers)
    known: dict[str, Any] = {}
    if np.ptp(parameters.variance[0]) == 0:
        known[BASELINE] = float(np.sqrt(parameters.variance[0][0]))
    for j, name in enumerate(cells.layers):
        variance = parameters.variance[1 + j][positions(parameters.coordinates[name], cells.labels[name])]
        same = np.ptp(variance, axis=1) == 0
        if same.any():
            labels = zip(cells.labels[name], variance[:, 0], same, strict=True)
            known[name] = {label: float(np.sqrt(v)) for label, v, is_known in labels if is_known}
    return known


def verdict_of(moved: float, worst: str, fixed: bool, alike: bool, zero: str = "") -> tuple[str, str]:
    """Return whether a quantity may be claimed, and why; `zero` says why it may be zero, where it may."""
    if moved > MAY_MOVE:
        whose = "the data say too little" if fixed else "the data do not fix it"
        return "no", f"{whose}: it moved with the prior ({worst})"
    if not (fixed or alike):
        return "no", "the data do not fix it: what stayed is the prior"
    why = "the data fix it" if fixed else "pooling decides it: contributors of a layer are taken as alike"
    if zero:
        return "open", f"{why}, but {zero}"
    return ("yes" if fixed else "yes, if alike"), f"{why}, and none of these priors moved it"
