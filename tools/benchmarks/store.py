"""The file of results: what was measured, when, on what; subsets measured later replace older ones."""

import json
import statistics
from collections.abc import Sequence
from pathlib import Path

from mlm_tutorial import libraries
from mlm_tutorial.atomic import write_atomically
from tools import machine, results

RESULTS = results.path_of("benchmarks")


def load(path: Path = RESULTS) -> dict:
    """Return the stored results by subset; empty if there are none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def save(subset: str, rows: list[dict], seconds: float, settings: dict, path: Path = RESULTS) -> None:
    """Store the rows of one subset; those of the others stay as they are."""
    content = load(path)
    content[subset] = {
        "date": machine.today(),
        "seconds": round(seconds),
        "machine": {**machine.record(), "versions": libraries.versions(libraries.IN_BENCHMARKS)},
        "settings": settings,
        "rows": [_rounded(row) for row in rows],
    }
    write_atomically(path, json.dumps(dict(sorted(content.items())), indent=1, allow_nan=False) + "\n")


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median, least and largest of repeated measurements, and how many there were."""
    values = [float(value) for value in values]
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "repeats": len(values)}


def spreads(answers: Sequence[dict]) -> dict[str, dict[str, float]]:
    """Return the spread of everything that repeats have measured, by name; empty without repeats."""
    measured = [name for name in (answers[0] if answers else ()) if name not in ("problem", "prepare_seconds")]
    return {name: spread([answer[name] for answer in answers]) for name in measured}


def _rounded(value):
    """Keep four digits of every number that is not whole; replace what JSON cannot represent."""
    if isinstance(value, dict):
        return {key: _rounded(x) for key, x in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(x) for x in value]
    if isinstance(value, float):
        return float(f"{value:.4g}") if abs(value) < float("inf") else None
    return value
