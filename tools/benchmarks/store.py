"""The file of results: what was measured, when, on what; subsets measured later replace older ones."""

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import course

FOLDER = Path(__file__).resolve().parents[2] / "results"
RESULTS = FOLDER / "benchmarks.json"
LIBRARIES = (
    *("pymc", "pytensor", "nutpie", "numpyro", "jax", "numpy", "polars", "duckdb", "pyarrow", "dask", "pyspark"),
    *("statsmodels", "mixedlm", "gpboost"),
)


def load(path: Path = RESULTS) -> dict:
    """Return the stored results by subset; empty if there are none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def save(subset: str, rows: list[dict], seconds: float, settings: dict, path: Path = RESULTS) -> None:
    """Store the rows of one subset; those of the others stay as they are."""
    content = load(path)
    content[subset] = {
        "date": time.strftime("%Y-%m-%d"),
        "seconds": round(seconds),
        "machine": machine(),
        "settings": settings,
        "rows": [_rounded(row) for row in rows],
    }
    course.write_whole(path, json.dumps(dict(sorted(content.items())), indent=1, allow_nan=False) + "\n")


def machine() -> dict:
    """Return what the times depend on, and how busy it is with other things."""
    return {
        "cores": os.cpu_count(),
        "system": sys.platform,
        "processor": platform.machine(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[2], 1) if hasattr(os, "getloadavg") else None,
        "versions": {name: found for name in LIBRARIES if (found := _version(name))},
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median, least and largest of repeated measurements, and how many there were."""
    values = [float(value) for value in values]
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "repeats": len(values)}


def spreads(answers: Sequence[dict]) -> dict[str, dict[str, float]]:
    """Return the spread of everything that repeats have measured, by name; empty without repeats."""
    measured = [name for name in (answers[0] if answers else ()) if name not in ("problem", "prepare_seconds")]
    return {name: spread([answer[name] for answer in answers]) for name in measured}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _rounded(value):
    """Keep four digits of every number that is not whole; leave nothing that JSON has no word for."""
    if isinstance(value, dict):
        return {key: _rounded(x) for key, x in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(x) for x in value]
    if isinstance(value, float):
        return float(f"{value:.4g}") if abs(value) < float("inf") else None
    return value
