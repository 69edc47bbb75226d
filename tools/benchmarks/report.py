"""The results of any benchmark as sentences, tables and a figure; the site and the command line show the same.

A benchmark is a module with ``run``, ``TABLES`` and ``claims``; one with a figure also has ``DRAWN`` and ``draw``.
"""

from pathlib import Path

from tools import project
from tools.benchmarks import browser, calibration, cold, contributors, covariates, ratings, reml, rows, samplers, tails
from tools.benchmarks.words import Table

#: The benchmarks by name, in the order in which they are measured.
BENCHMARKS = {
    "samplers": samplers,
    "rows": rows,
    "covariates": covariates,
    "contributors": contributors,
    "calibration": calibration,
    "cold": cold,
    "reml": reml,
    "ratings": ratings,
    "tails": tails,
    "browser": browser,
}


def claims(subset: str, content: dict) -> list[str]:
    """Return one benchmark's results in sentences."""
    return BENCHMARKS[subset].claims(content)


def tables(subset: str, content: dict) -> list[tuple[str, Table]]:
    """Return captions and tables of one benchmark's results."""
    return [(caption, make(content)) for caption, make in BENCHMARKS[subset].TABLES]


def has_figure(subset: str) -> bool:
    """Return whether a benchmark draws a figure."""
    return hasattr(BENCHMARKS[subset], "draw")


def path_of_figure(subset: str) -> Path:
    """Return the path of a benchmark's figure."""
    return project.RESULTS / "figures" / f"benchmark_{subset}.png"


def alt(subset: str, content: dict) -> str:
    """Return the alternative text of a figure: its contents, and its message."""
    return " ".join([BENCHMARKS[subset].DRAWN, *claims(subset, content)])


def draw(subset: str, content: dict, path: Path | None = None) -> None:
    """Draw one benchmark's results into a file."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    import seaborn as sns

    sns.set_theme(style="whitegrid", palette="colorblind")
    figure = BENCHMARKS[subset].draw(content, plt)
    figure.savefig(path or path_of_figure(subset), dpi=150, metadata={"Software": None})
    plt.close(figure)


def conditions(content: dict) -> str:
    """Return a sentence on date, machine and versions of a measurement."""
    machine = content["machine"]
    busy = f", while {machine['load']} processes on average wanted to run" if machine["load"] is not None else ""
    versions = ", ".join(f"{name} {number_}" for name, number_ in machine["versions"].items())
    return (
        f"Measured on {content['date']} with {machine['cores']} cores, {machine['system']} and Python "
        f"{machine['python']}{busy}. {versions}."
    )
