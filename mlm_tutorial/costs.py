"""What it costs to reduce files to cells: seconds and memory, measured in a process of its own."""

import functools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mlm_tutorial.cells import Cells, cell_statistics

__all__ = ["WAYS", "reading_cost"]

#: Seconds between two looks at a process's memory.
INTERVAL = 0.002


def reading_cost(way: str, folders: Sequence[str | Path], total: str, layers: Sequence[str]) -> pd.DataFrame:
    """Return seconds and memory that it takes to make cells of folders of Parquet files.

    A new Python process reads one folder after the other, and a thread in it notes its memory. The first folder is read
    twice, because the first time loads libraries.

    Parameters
    ----------
    way : str
        One of :data:`WAYS`.
    folders : list of str or Path
        Smallest first: the memory of a process is its largest so far.
    total : str
        Name of the column with the totals.
    layers : list of str
        Names of the columns with the contributors of each layer.

    Returns
    -------
    pandas.DataFrame
        One row per folder: ``way``, ``rows``, ``seconds`` and ``MB``, the largest memory of the process until then.

    Raises
    ------
    ValueError
        If there is no such way.
    RuntimeError
        If the process fails; the message is its own.
    """
    if way not in WAYS:
        raise ValueError(f"unknown way {way!r}; expected one of {', '.join(WAYS)}")
    task = json.dumps({"way": way, "folders": [str(x) for x in folders], "total": total, "layers": list(layers)})
    done = subprocess.run([sys.executable, "-m", "mlm_tutorial.costs", task], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the process that reads with {way} failed:\n{done.stderr}")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return pd.DataFrame(lines, columns=["way", "rows", "seconds", "MB"])


def _with_pandas(folder: str, **names) -> Cells:
    return cell_statistics(pd.read_parquet(folder), **names)


def _file_by_file(folder: str, **names) -> Cells:
    files = sorted(Path(folder).glob("*.parquet"))
    parts = (cell_statistics(pd.read_parquet(file), **names, partial=True) for file in files)
    return functools.reduce(Cells.merge, parts)


def _with_polars(folder: str, **names) -> Cells:
    import polars as pl

    return cell_statistics(pl.scan_parquet(f"{folder}/*.parquet"), **names)


def _with_duckdb(folder: str, **names) -> Cells:
    import duckdb

    return cell_statistics(duckdb.read_parquet(f"{folder}/*.parquet"), **names)


#: Ways from a folder of Parquet files to cells.
WAYS = {
    "pandas, all in memory": _with_pandas,
    "pandas, file by file, merged": _file_by_file,
    "Polars, lazy": _with_polars,
    "DuckDB": _with_duckdb,
}


class _Peak:
    """The largest memory of this process, in MB, as far as a thread has seen it."""

    def __init__(self):
        import psutil

        self.mb, self._process = 0.0, psutil.Process()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            self.mb = max(self.mb, self._process.memory_info().rss / 2**20)
            time.sleep(INTERVAL)


def _measure(way: str, folders: Sequence[str], total: str, layers: Sequence[str]) -> None:
    """Print a line for each folder: way, rows, seconds and MB as JSON."""
    peak, read = _Peak(), WAYS[way]
    read(folders[0], total=total, layers=layers)
    for folder in folders:
        start = time.perf_counter()
        cells = read(folder, total=total, layers=layers)
        print(json.dumps([way, cells.n_observations, time.perf_counter() - start, peak.mb]))


if __name__ == "__main__":
    _measure(**json.loads(sys.argv[1]))
