"""Cost against the number of rows: from a Parquet file to cells on several backends, then to a posterior."""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from tools.benchmarks import words
from tools.benchmarks.store import spread
from tools.benchmarks.words import MARKERS, Table, number, size
from tools.benchmarks.workers import OutOfTimeError, measure, peak_memory

SIZES = [10**k for k in range(3, 9)]
#: Maximum number of rows on each backend: those that hold the table in memory get fewer.
BACKENDS = {
    "polars": 10**8,
    "duckdb": 10**8,
    "pyarrow": 10**7,
    "pyarrow batches": 10**8,
    "dask": 10**8,
    "pyspark": 10**8,
    "pandas": 10**7,
}
#: The backend whose cells go on to a posterior.
POSTERIOR_BACKENDS = ("polars",)
LIMIT = 300
CHUNK = 10**6


def run(quick: bool = False, repeats: int = 3, report=print) -> list[dict]:
    """Measure every size on every backend; return a row for each, and for each size one that ends with a posterior."""
    sizes = [1_000, 5_000] if quick else SIZES
    backends = {name: BACKENDS[name] for name in ("polars", "pyarrow batches")} if quick else BACKENDS
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for n in sizes:
            path = Path(folder) / f"{n}.parquet"
            start = time.perf_counter()
            write(path, n)
            report(f"{n:,} rows written in {time.perf_counter() - start:.1f} s")
            for name in [name for name, most in backends.items() if n <= most]:
                rows.append(_row(n, "cells", name, "pass_with", repeats=repeats, path=path))
                report(_in_words(rows[-1]))
            if n == sizes[-1] or not quick:
                # Most of the time to a posterior is compilation, the same for every size: repeat only the largest.
                times = repeats if n == sizes[-1] else 1
                for name in POSTERIOR_BACKENDS:
                    rows.append(_row(n, "posterior", name, "posterior_with", repeats=times, path=path))
                    report(_in_words(rows[-1]))
            path.unlink()
    return rows


def write(path: Path, n: int, slopes: Mapping[str, float] | None = None) -> None:
    """Simulate `n` rows of the course's own problem into a Parquet file, a million at a time.

    Covariates, by name, have these slopes.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tools.benchmarks.problems import SIMULATED

    rng = np.random.default_rng(n)
    slopes = dict(slopes or {})
    numbers = [(name, pa.float64()) for name in ("total", *slopes)]
    schema = pa.schema(numbers + [(name, pa.int32()) for name in SIMULATED.names])
    with pq.ParquetWriter(path, schema) as file:
        for done in range(0, n, CHUNK):
            frame = SIMULATED.simulate(min(CHUNK, n - done), rng=rng, slopes=slopes)
            file.write_table(pa.table({name: frame[name].to_numpy() for name in schema.names}, schema=schema))


def _row(n: int, goal: str, backend: str, function: str, repeats: int, path: Path) -> dict:
    """Measure in a new process each time, because a process keeps its peak of memory."""
    row = {"rows": n, "goal": goal, "backend": backend, "problem": ""}
    answers = []
    try:
        for _ in range(repeats):
            answers.append(measure(f"tools.benchmarks.rows:{function}", LIMIT, backend=backend, path=str(path)))
    except OutOfTimeError as error:
        return row | {"problem": str(error)}
    for name in answers[0]:
        if name != "prepare_seconds":
            row[name] = spread([answer[name] for answer in answers])
    return row


def _in_words(row: dict) -> str:
    what = f"{row['rows']:>11,} rows to {row['goal']}, {row['backend']}"
    if row["problem"]:
        return f"{what}: {row['problem']}"
    return f"{what}: {row['seconds']['median']:.2f} s, {row['peak_bytes']['median'] / 1e9:.2f} GB"


# Functions that run in a process of their own


def pass_with(backend: str, path: str, covariates: Sequence[str] = ()):
    """Return a function that reduces the file to cells on one backend."""
    import mlm_tutorial as mlm

    read = reader_of(backend, covariates)
    mlm.cell_statistics  # noqa: B018 - imports pandas and narwhals, which does not belong to the pass

    def answer() -> dict:
        start = time.perf_counter()
        cells = read(path)
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "peak_bytes": peak_memory(), "cells": len(cells)}

    return answer


def posterior_with(backend: str, path: str, covariates: Sequence[str] = ()):
    """Return a function from the file to a converged posterior; its time includes importing and compiling."""
    began = time.perf_counter()

    def answer() -> dict:
        import mlm_tutorial as mlm

        start = time.perf_counter()
        cells = reader_of(backend, covariates)(path)
        pass_seconds = time.perf_counter() - start
        tree = mlm.sample(mlm.cell_model(cells), seed=1, progress=False)
        mlm.check_convergence(tree)
        return {
            "seconds": time.perf_counter() - began,
            "pass_seconds": pass_seconds,
            "compile_seconds": tree.attrs["compile_seconds"],
            "sampling_seconds": tree.attrs["sampling_seconds"],
            "peak_bytes": peak_memory(),
        }

    return answer


def reader_of(backend: str, covariates: Sequence[str] = ()):
    """Return a function from a path to cells; imports and start-up of a backend happen here."""
    import mlm_tutorial as mlm
    from tools.benchmarks.problems import SIMULATED

    layers = list(SIMULATED.names)
    columns = ["total", *layers, *covariates]

    def reduced(frame, **options):
        return mlm.cell_statistics(frame, "total", layers, covariates=covariates, **options)

    if backend == "polars":
        import polars as pl

        return lambda path: reduced(pl.scan_parquet(path))
    if backend == "duckdb":
        import duckdb

        return lambda path: reduced(duckdb.read_parquet(path))
    if backend == "pyarrow":
        import pyarrow.parquet as pq

        return lambda path: reduced(pq.read_table(path, columns=columns))
    if backend == "pyarrow batches":
        from functools import reduce

        import pyarrow.parquet as pq

        def in_batches(path):
            file = pq.ParquetFile(path)
            # One row group after the other: `iter_batches` reads far ahead.
            tables = (file.read_row_group(i, columns) for i in range(file.num_row_groups))
            parts = (reduced(table, partial=True) for table in tables)
            return reduce(mlm.Cells.merge, parts)

        return in_batches
    if backend == "pandas":
        import pandas as pd

        return lambda path: reduced(pd.read_parquet(path, columns=columns))
    if backend == "dask":
        import dask.dataframe as dd

        return lambda path: reduced(dd.read_parquet(path, columns=columns, split_row_groups=4))
    if backend == "pyspark":
        session = _spark()
        return lambda path: reduced(session.read.parquet(path))
    raise ValueError(f"unknown backend {backend!r}; expected one of {', '.join(BACKENDS)}")


def _spark():
    import os

    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(f"local[{os.cpu_count()}]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
    builder = builder.config("spark.driver.memory", "1g").config("spark.log.level", "ERROR")
    session = builder.config("spark.ui.showConsoleProgress", "false").getOrCreate()
    session.range(1).collect()
    return session


def seconds(content: dict) -> Table:
    """Return the table of seconds of the pass against rows, a column for each backend."""
    return _by_backend(content, lambda row: words.spread(row["seconds"]))


def memory(content: dict) -> Table:
    """Return the table of peaks of memory against rows, a column for each backend."""
    return _by_backend(content, lambda row: size(row["peak_bytes"]["median"]))


def _by_backend(content: dict, write: Callable[[dict], str]) -> Table:
    found = {(row["rows"], row["backend"]): row for row in content["rows"] if row["goal"] == "cells"}
    backends = list(dict.fromkeys(backend for _, backend in found))

    def cell(row):
        return "not tried" if row is None else "not finished" if row["problem"] else write(row)

    sizes = dict.fromkeys(n for n, _ in found)
    return ("rows", *backends), [(f"{n:,}", *(cell(found.get((n, name))) for name in backends)) for n in sizes]


def posteriors(content: dict) -> Table:
    """Return the table of the whole way from a file to a posterior, in a new process."""
    header = ("rows", "backend", "all, s", "pass, s", "compiling, s", "sampling, s", "peak of memory")
    table = []
    for row in content["rows"]:
        if row["goal"] == "posterior":
            start = (f"{row['rows']:,}", row["backend"])
            if row["problem"]:
                table.append((*start, "not finished", "", "", "", ""))
                continue
            names = ("seconds", "pass_seconds", "compile_seconds", "sampling_seconds")
            table.append((*start, *(words.spread(row[name]) for name in names), words.spread(row["peak_bytes"], size)))
    return header, table


TABLES = [
    ("Seconds of the pass over the rows", seconds),
    ("Peak of memory of the pass", memory),
    ("From a file to a posterior", posteriors),
]


def claims(content: dict) -> list[str]:
    """Return the results in sentences."""
    done = [row for row in content["rows"] if row["goal"] == "posterior" and not row["problem"]]
    if not done:
        return []
    small, large = done[0], done[-1]
    times = [f"{number(row['sampling_seconds']['median'])} s" for row in (small, large)]
    return [
        f"From {large['rows']:,} rows in a Parquet file to a converged posterior, in a new process, "
        f"{large['backend']} took {number(large['seconds']['median'])} s and {size(large['peak_bytes']['median'])}.",
        f"Sampling took {times[0]} for {small['rows']:,} rows and {times[1]} for {large['rows']:,}.",
    ]


DRAWN = (
    "Two panels against the number of rows, on a logarithmic axis: seconds of the pass, logarithmic too, and peak of "
    "memory; a line for each backend."
)


def draw(content: dict, plt):
    """Return the figure."""
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
