"""A thousand replicates of simulation-based calibration of a 10,000-row problem."""

import time

from tools.benchmarks.words import Table, number
from tools.benchmarks.workers import measure

LIMIT = 900


def run(quick: bool = False, repeats: int = 1, report=print) -> list[dict]:
    """Measure one calibration, which repeats itself a thousand times; return its row."""
    n = 5 if quick else 1_000
    row = measure("tools.benchmarks.calibration:prepare", LIMIT, data="cc_27 10000", n_simulations=n)
    del row["prepare_seconds"]
    report(f"{n:,} replicates: {row['seconds']:.0f} s")
    return [row]


def prepare(data: str, n_simulations: int):
    """Return a function that calibrates the course's default model of `data`."""
    import arviz as az
    import numpy as np
    from scipy import stats

    import mlm_tutorial as mlm
    from tools.benchmarks import problems

    frame, total, layers = problems.data(data)
    cells = mlm.cell_statistics(frame, total, layers)

    def answer() -> dict:
        start = time.perf_counter()
        compiled = mlm.compile_model(mlm.cell_model(cells))
        ranks = mlm.calibrate(cells, n_simulations, seed=1, progress=False, compiled=compiled)
        seconds = time.perf_counter() - start
        # Ten bins of ranks; the least of many p-values, times their number (Bonferroni).
        edges = np.linspace(0, ranks.attrs["n_ranks"] + 1, 11)
        table = az.dataset_to_dataframe(ranks, sample_dims=["simulation"])
        p = [stats.chisquare(np.histogram(table[name], edges)[0]).pvalue for name in table]
        return {
            "replicates": n_simulations,
            "rows": cells.n_observations,
            "parameters": len(p),
            "seconds": seconds,
            "compile_seconds": compiled.compile_seconds,
            "seconds_per_replicate": (seconds - compiled.compile_seconds) / n_simulations,
            "failed": ranks.attrs["failed"],
            "least_p": min(1.0, len(p) * float(min(p))),
        }

    return answer


def costs(content: dict) -> Table:
    """Return the table of what calibration costs."""
    header = ("replicates", "rows", "all, s", "of which compiling, s", "a replicate, s", "replicates that failed")
    names = ("seconds", "compile_seconds", "seconds_per_replicate")
    return header, [
        (f"{row['replicates']:,}", f"{row['rows']:,}", *(number(row[name]) for name in names), f"{row['failed']:,}")
        for row in content["rows"]
    ]


TABLES = [("Simulation-based calibration", costs)]


def claims(content: dict) -> list[str]:
    """Return the results in sentences."""
    row = content["rows"][0]
    return [
        f"{row['replicates']:,} replicates took {number(row['seconds'] / 60)} minutes. "
        f"The least p-value for uniform ranks among {row['parameters']} parameters is {number(row['least_p'])}, "
        "corrected for their number."
    ]
