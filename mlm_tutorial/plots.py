"""Figures that more than one notebook shows, and the colors that all of them share."""

from collections.abc import Sequence

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from arviz_stats.ecdf_utils import compute_ecdf, ecdf_pit
from matplotlib.axes import Axes

from mlm_tutorial.layers import LayeredSum
from mlm_tutorial.names import dim_of, positions, variable_of
from mlm_tutorial.parameters import absent_layers

__all__ = [
    "COLORS",
    "component_colors",
    "plot_calibration",
    "plot_contributors",
    "plot_decomposition",
    "plot_recovery",
    "use_style",
]

#: Colors by role, the same in every figure. Their lightness differs by a tenth of the scale or more, so that they
#: can be distinguished in grayscale and by color-blind readers.
COLORS = {
    "truth": "#111111",
    "estimate": "#0B5FA5",
    "alternative": "#D55E00",
    "prior": "#E69F00",
    "data": "#D0D0D0",
}


def use_style() -> None:
    """Set the course's style for seaborn, Matplotlib and ArviZ."""
    sns.set_theme(
        context="notebook",
        style="ticks",
        palette=[COLORS[role] for role in ("estimate", "alternative", "prior", "truth")],
        rc={
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#ECECEC",
            "figure.figsize": (8, 4),
            "figure.dpi": 100,
            "figure.constrained_layout.use": True,
            "legend.frameon": False,
        },
    )
    az.rcParams["plot.backend"] = "matplotlib"


def component_colors(components: Sequence[str]) -> dict[str, tuple]:
    """Return one color for the baseline and each layer, dark to light."""
    return dict(zip(components, sns.color_palette("viridis", len(components)), strict=True))


def plot_recovery(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw intervals of parameters with their true values.

    Parameters
    ----------
    table : pandas.DataFrame
        Made by :func:`recovery`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(8, 0.8 + 0.3 * len(table)))
    _intervals(ax, table, list(table.index))
    ax.plot(table["truth"], np.arange(len(table)), "D", color=COLORS["truth"], fillstyle="none", label="truth")
    ax.set_xlabel("value, in units of the total")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def plot_contributors(
    idata: xr.DataTree,
    layer: str,
    kind: str = "mu",
    truth: LayeredSum | None = None,
    names: pd.Series | None = None,
    unit: str = "units of the total",
    sort: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw the means or standard deviations of one layer's contributors with their intervals.

    Parameters
    ----------
    idata : xarray.DataTree
        A posterior with variables named as in :func:`cell_model`.
    layer : str
        Name of the layer.
    kind : {"mu", "sigma"}
        What to draw.
    truth : LayeredSum, optional
        True values to mark; compared after centering.
    names : pandas.Series, optional
        Names to show, indexed by label.
    unit : str
        Unit of the total, for the axis.
    sort : bool
        Whether to sort the contributors by their estimates.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
    """
    draws = idata["posterior"][variable_of(kind, layer)]
    lower, upper = az.eti(draws).transpose("ci_bound", ...).values
    coordinate = draws[dim_of(layer)]
    labels = coordinate.values.tolist()
    columns = {"mean": draws.mean(["chain", "draw"]).values, "lower": lower, "upper": upper}
    table = pd.DataFrame(columns, index=pd.Index(labels, tupleize_cols=False))
    if truth is not None:
        true_layer = truth.centered(absent=absent_layers(idata))[layer]
        places = positions(coordinate, true_layer.labels)
        table.loc[table.index[places[places >= 0]], "truth"] = getattr(true_layer, kind)[places >= 0]
    if sort:
        table = table.sort_values("mean", ascending=False)
    if ax is None:
        _, ax = plt.subplots(figsize=(8, 0.8 + 0.3 * len(table)))
    _intervals(ax, table, [label if names is None else names[label] for label in table.index])
    if truth is not None:
        ax.plot(table["truth"], np.arange(len(table)), "D", color=COLORS["truth"], fillstyle="none", label="truth")
    if kind == "mu":
        ax.axvline(0, color=COLORS["truth"], linewidth=0.8)
    word = {"mu": "mean", "sigma": "standard deviation"}[kind]
    ax.set_xlabel(f"{word} of the contribution, in {unit}")
    ax.set_ylabel(layer)
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def plot_decomposition(
    parts: xr.Dataset,
    observation: int,
    labels: dict[str, str] | None = None,
    unit: str = "units of the total",
    ax: Axes | None = None,
) -> Axes:
    """Draw how one total is made up: each contribution starts where the one before it ends.

    Parameters
    ----------
    parts : xarray.Dataset
        Made by :func:`decompose`.
    observation : int
        Which observation.
    labels : dict of str to str, optional
        What to call the components, such as ``{"carrier": "carrier: JetBlue"}``.
    unit : str
        Unit of the total, for the axis.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        Bars are expected contributions; whiskers are one posterior standard deviation either way.
    """
    one = parts.sel(observation=observation)
    components = one["component"].values.tolist()
    mean, sd = one["mean"].values, one["sd"].values
    ends = np.cumsum(mean)
    starts = ends - mean
    if ax is None:
        _, ax = plt.subplots(figsize=(8, 1.2 + 0.5 * len(components)))
    rows = np.arange(len(components) + 1)
    colors = list(component_colors(components).values())
    ax.barh(rows[:-1], mean, left=starts, color=colors, height=0.6, zorder=2)
    ax.errorbar(ends, rows[:-1], xerr=sd, fmt="none", color=COLORS["truth"], capsize=3, zorder=3)
    ax.barh(rows[-1], ends[-1], color=COLORS["data"], edgecolor=COLORS["truth"], height=0.6, zorder=2)
    for row, end in zip(rows[:-1], ends, strict=True):
        ax.plot([end, end], [row, row + 1], color=COLORS["truth"], linewidth=0.8, zorder=1)
    texts = [*(f"{value:+.1f} ± {error:.1f}" for value, error in zip(mean, sd, strict=True)), f"{ends[-1]:+.1f}"]
    for row, text in zip(rows, texts, strict=True):
        ax.annotate(text, (1.01, row), xycoords=("axes fraction", "data"), va="center")
    ax.axvline(0, color=COLORS["truth"], linewidth=0.8)
    ax.set_yticks(rows, [*((labels or {}).get(name, name) for name in components), "total"])
    ax.invert_yaxis()
    ax.set_xlabel(unit)
    return ax


def plot_calibration(
    ranks: xr.Dataset, columns: Sequence[str] | None = None, ci_prob: float = 0.99, ax: Axes | None = None
) -> Axes:
    """Draw the ranks of simulation-based calibration, one curve per parameter.

    A curve is the cumulative distribution of a parameter's ranks minus that of uniform ranks. The band contains the
    whole curve of a uniform parameter with probability `ci_prob` (Säilynoja, Bürkner and Vehtari 2022, *Graphical test
    for discrete uniformity*); of a hundred curves one may leave a 99 % band by chance.

    Parameters
    ----------
    ranks : xarray.Dataset
        Made by :func:`calibrate`.
    columns : sequence of str, optional
        Which parameters to draw, such as ``mu_layer_1[0]``; all by default.
    ci_prob : float
        Probability of the simultaneous band.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        Curves that leave the band are named in the legend.
    """
    table = az.dataset_to_dataframe(ranks, sample_dims=["simulation"])
    table = table.dropna(axis="columns")
    columns = list(table.columns) if columns is None else list(columns)
    rng = np.random.default_rng(0)  # spreads integer ranks evenly over their bins
    if ax is None:
        _, ax = plt.subplots()
    # The band is simulated, and is the same for all curves.
    x, _, lower, upper = ecdf_pit(np.full(len(table), 0.5), ci_prob, n_simulations=1000)
    outside = 0
    for column in columns:
        pit = (table[column].to_numpy() + rng.random(len(table))) / (ranks.attrs["n_ranks"] + 1)
        ecdf = np.concatenate([[0.0], compute_ecdf(pit, x[1:-1]), [1.0]])
        leaves = np.any((ecdf < lower) | (ecdf > upper))
        outside += int(leaves)
        ax.step(
            x,
            ecdf - x,
            where="post",
            color=COLORS["alternative" if leaves else "estimate"],
            linewidth=2 if leaves else 1,
            alpha=1 if leaves else 0.6,
            label=column if leaves else None,
        )
    ax.fill_between(
        x, lower - x, upper - x, color=COLORS["data"], step="post", zorder=0, label=f"{ci_prob * 100:g}% band"
    )
    ax.axhline(0, color=COLORS["truth"], linewidth=0.8)
    ax.set_title(f"{outside} of {len(columns)} curves leave the band")
    ax.set_xlabel("rank of the truth, as a fraction")
    ax.set_ylabel("ECDF minus uniform")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def _intervals(ax: Axes, table: pd.DataFrame, names: Sequence) -> None:
    """Draw the rows of a table with mean, lower and upper as points with lines, the first on top."""
    rows = np.arange(len(table))
    percent = f"{az.rcParams['stats.ci_prob']:.0%}"
    ax.hlines(rows, table["lower"], table["upper"], color=COLORS["estimate"], linewidth=2, label=f"{percent} interval")
    ax.plot(table["mean"], rows, "o", color=COLORS["estimate"], label="posterior mean")
    ax.set_yticks(rows, [str(name) for name in names])
    ax.invert_yaxis()
