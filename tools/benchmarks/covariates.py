"""What covariates add to the cost of many rows: the pass from a Parquet file to cells, and sampling."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from tools.benchmarks import rows, words
from tools.benchmarks.store import spread, spreads
from tools.benchmarks.words import Table, number, size
from tools.benchmarks.workers import measure

SLOPES = {"heat": 0.5, "age": -2.0, "load": 1.0}
BACKENDS = ("polars", "duckdb", "pyarrow batches", "pandas")
#: Rows of the pass; sampling is measured with a thousandth of them as well.
N = 10**7
LIMIT = 300


def run(quick: bool = False, repeats: int = 5, report: Callable[[str], None] = print) -> list[dict]:
    """Measure the pass without and with covariates in turn, and the way to a posterior for few rows and many."""
    n = 5_000 if quick else N
    backends = ("polars",) if quick else BACKENDS
    found = []
    with tempfile.TemporaryDirectory() as folder:
        files = {size_: Path(folder) / f"{size_}.parquet" for size_ in (max(n // 1000, 1000), n)}
        for size_, path in files.items():
            rows.write(path, size_, SLOPES)
        for backend in backends:
            taken: dict[str, list[dict]] = {"without": [], "with": []}
            for _ in range(repeats):
                for kind, answers in taken.items():
                    names = list(SLOPES) if kind == "with" else []
                    answers.append(_answer("pass_with", backend, files[n], names))
            row = {"goal": "cells", "rows": n, "backend": backend}
            for kind, answers in taken.items():
                for what in ("seconds", "peak_bytes"):
                    row[f"{what}_{kind}"] = spread([answer[what] for answer in answers])
            found.append(row)
            report(_in_words(row))
        for size_, path in files.items():
            answer = _answer("posterior_with", "polars", path, list(SLOPES))
            found.append({"goal": "posterior", "rows": size_, "backend": "polars"} | spreads([answer]))
            report(f"{size_:,} rows, sampling: {number(answer['sampling_seconds'])} s")
    return found


def _answer(function: str, backend: str, path: Path, covariates: list[str]) -> dict:
    where = f"tools.benchmarks.rows:{function}"
    return measure(where, LIMIT, backend=backend, path=str(path), covariates=covariates)


def ratio(row: dict, what: str) -> float:
    """Return how many times the seconds or the memory of a pass without covariates one with them takes."""
    return row[f"{what}_with"]["median"] / row[f"{what}_without"]["median"]


def _in_words(row: dict) -> str:
    return (
        f"{row['rows']:,} rows, {row['backend']}: {ratio(row, 'seconds'):.2f} times the seconds and "
        f"{ratio(row, 'peak_bytes'):.2f} times the memory"
    )


def passes(content: dict) -> Table:
    """Return the table of seconds and memory of the pass, without and with covariates."""
    header = ("rows", "backend", "without, s", f"with {len(SLOPES)}, s", "times", "memory without", "with", "times")
    table = []
    for row in content["rows"]:
        if row["goal"] == "cells":
            cells = []
            for what, write in (("seconds", number), ("peak_bytes", size)):
                cells += [words.spread(row[f"{what}_{kind}"], write) for kind in ("without", "with")]
                cells.append(f"{ratio(row, what):.2f}")
            table.append((f"{row['rows']:,}", row["backend"], *cells))
    return header, table


def posteriors(content: dict) -> Table:
    """Return the table of sampling with covariates, for few rows and for many."""
    names = {"pass_seconds": "pass, s", "compile_seconds": "compiling, s", "sampling_seconds": "sampling, s"}
    done = [row for row in content["rows"] if row["goal"] == "posterior"]
    table = [(f"{row['rows']:,}", *(words.spread(row[name]) for name in names)) for row in done]
    return ("rows", *names.values()), table


TABLES = [
    ("The pass over the rows without and with covariates", passes),
    ("Sampling with covariates", posteriors),
]


def claims(content: dict) -> list[str]:
    """Return the results in sentences."""
    done = {row["backend"]: row for row in content["rows"] if row["goal"] == "cells"}
    most = max(ratio(row, "seconds") for row in done.values())
    few, many = (row for row in content["rows"] if row["goal"] == "posterior")
    return [
        f"With {len(SLOPES)} covariates the pass over {many['rows']:,} rows took "
        f"{ratio(done['polars'], 'seconds'):.2f} times the seconds on Polars, and {most:.2f} times where it took most.",
        f"Sampling took {number(few['sampling_seconds']['median'])} s for {few['rows']:,} rows and "
        f"{number(many['sampling_seconds']['median'])} s for {many['rows']:,}.",
    ]
