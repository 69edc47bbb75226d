"""Figures of the results, and in words what they show."""

from pathlib import Path

from tools.benchmarks import tables
from tools.benchmarks.samplers import LEAST
from tools.benchmarks.store import FOLDER

IMAGES = FOLDER / "figures"
#: Subsets with a figure.
WITH_FIGURE = ("samplers", "rows", "contributors", "cold")


def path_of(subset: str) -> Path:
    """Return where the figure of a subset is stored."""
    return IMAGES / f"benchmark_{subset}.png"


def draw(subset: str, content: dict, path: Path | None = None) -> None:
    """Draw one subset's results into a file."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    import seaborn as sns

    sns.set_theme(style="whitegrid", palette="colorblind")
    figure = {"samplers": _samplers, "rows": _rows, "contributors": _contributors, "cold": _cold}[subset](content, plt)
    figure.savefig(path or path_of(subset), dpi=150, metadata={"Software": None})
    plt.close(figure)


def alt(subset: str, content: dict) -> str:
    """Return the alternative text of a figure: what is drawn, and what it says."""
    drawn = {
        "samplers": "Bulk effective sample size a second of every way of sampling that passes, on a logarithmic axis.",
        "rows": "Two panels against the number of rows, on a logarithmic axis: seconds of the pass, logarithmic "
        "too, and peak of memory; a line for each backend.",
        "contributors": "Seconds of sampling against the number of contributors, both axes logarithmic, a line for "
        "equal counts, one for unequal counts, and one for unequal counts with a pooled prior.",
        "cold": "One bar for each state of the cache, divided into the seconds of the stages.",
    }[subset]
    return " ".join([drawn, *tables.claims(subset, content)])


MARKERS = "osD^vPX"


def _samplers(content, plt):
    rows = sorted(
        (row for row in content["rows"] if row["passed"]), key=lambda row: row["ess_bulk_per_second"]["median"]
    )
    data = list(dict.fromkeys(row["data"] for row in content["rows"]))
    counts = [max(1, sum(row["data"] == name for row in rows)) for name in data]
    figure, axes = plt.subplots(
        len(data), 1, sharex=True, squeeze=False, layout="constrained", height_ratios=counts,
        figsize=(8, 1.6 + 0.3 * sum(counts)),
    )  # fmt: skip
    colors = {"nutpie": "C0", "pymc": "C1", "numpyro": "C2"}
    for axis, name in zip(axes[:, 0], data, strict=True):
        shown = [row for row in rows if row["data"] == name]
        for i, row in enumerate(shown):
            found = row["ess_bulk_per_second"]
            marker = MARKERS[list(colors).index(row["sampler"])]
            axis.plot([found["min"], found["max"]], [i, i], color=colors[row["sampler"]])
            axis.plot(found["median"], i, marker, color=colors[row["sampler"]])
        labels = [
            f"{row['likelihood']}, {row['coordinates']}, {row['sampler']}"
            + ("" if row["settings"] == LEAST else ", more steps")
            for row in shown
        ]
        axis.set(xscale="log", yticks=range(len(shown)), yticklabels=labels, title=tables._data({"data": name}))
        axis.set_ylim(-0.7, len(shown) - 0.3)
    figure.supxlabel("bulk effective sample size a second: median, least and largest", fontsize="medium")
    return figure


def _rows(content, plt):
    rows = [row for row in content["rows"] if row["goal"] == "cells" and not row["problem"]]
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    for i, backend in enumerate(dict.fromkeys(row["backend"] for row in rows)):
        shown = [row for row in rows if row["backend"] == backend]
        n = [row["rows"] for row in shown]
        style = {"marker": MARKERS[i % len(MARKERS)], "label": backend}
        axes[0].plot(n, [row["seconds"]["median"] for row in shown], **style)
        axes[1].plot(n, [row["peak_bytes"]["median"] / 1e9 for row in shown], **style)
    axes[0].set(xscale="log", yscale="log", xlabel="rows", ylabel="seconds of the pass")
    axes[1].set(xscale="log", xlabel="rows", ylabel="peak of memory, GB")
    axes[1].set_ylim(bottom=0)
    axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return figure


def _contributors(content, plt):
    figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
    kinds = (("equal", False), ("unequal", False), ("unequal", True))
    for i, (counts, pooled) in enumerate(kinds):
        shown = [row for row in content["rows"] if (row["counts"], row["pooled"]) == (counts, pooled) and row["passed"]]
        n = [row["sizes"][0] for row in shown]
        found = [row["sampling_seconds"] for row in shown]
        label = f"{counts} counts, pooled" if pooled else f"{counts} counts"
        axis.plot(n, [x["median"] for x in found], marker=MARKERS[i], label=label)
        axis.vlines(n, [x["min"] for x in found], [x["max"] for x in found], color=f"C{i}")
    axis.set(xscale="log", yscale="log", xlabel="contributors of the layer", ylabel="seconds of sampling")
    axis.legend(frameon=False)
    return figure


def _cold(content, plt):
    rows = content["rows"]
    figure, axis = plt.subplots(figsize=(8, 1.4 + 0.6 * len(rows)), layout="constrained")
    left = [0.0] * len(rows)
    for i, (name, text) in enumerate(tables.STAGES.items()):
        width = [row[name]["median"] for row in rows]
        axis.barh([f"{row['cache']} cache" for row in rows], width, left=left, label=text, color=f"C{i}")
        left = [a + b for a, b in zip(left, width, strict=True)]
    axis.set(xlabel="seconds")
    axis.invert_yaxis()
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.35), ncols=3, frameon=False)
    return figure
