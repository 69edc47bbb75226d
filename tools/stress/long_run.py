"""Does memory grow from fit to fit in one kernel? ``python tests/long_run.py``, about ten minutes.

Fits are made in two ways: with new data in one compiled model, and of a model that is compiled anew each time.
"""

import argparse
import gc
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import psutil

import mlm_tutorial as mlm
from mlm_tutorial.files import write_whole
from tests.support.problems import LAYERS, SMALL_TRUTH, small_cells, small_compiled
from tools.lock import exit_with, only_writer

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "results" / "memory.json"


def refit(compiled):
    """Return a function that fits new data with a compiled model."""
    return lambda seed: mlm.sample(compiled.with_cells(small_cells()), seed, progress=False)


def compile_anew(seed):
    """Compile a model of new data and fit it."""
    cells = mlm.cell_statistics(SMALL_TRUTH.simulate(300, rng=seed), layers=LAYERS)
    return mlm.sample(mlm.cell_model(cells), seed, progress=False)


def memory_after(fit, n, report=lambda text: None):
    """Return the bytes that this process holds after each of n fits."""
    held = []
    for seed in range(n):
        started = time.monotonic()
        fit(seed)
        gc.collect()
        held.append(psutil.Process().memory_info().rss)
        report(f"[{seed + 1}/{n}] {held[-1] / 1e6:.0f} MB, {time.monotonic() - started:.1f} s")
    return held


def slope(held, warmup):
    """Return the bytes that a fit adds: the median slope between two measurements (Theil 1950, Sen 1968)."""
    late = np.array(held[warmup:], float)
    i, j = np.triu_indices(len(late), 1)
    return float(np.median((late[j] - late[i]) / (j - i)))


def growth(fit, n, warmup):
    """Return the bytes that each fit adds once the first ones are done."""
    return slope(memory_after(fit, n), warmup)


def main(arguments=None):
    """Measure both ways, and store what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=50, help="fits with new data (50)")
    parser.add_argument("--compiled", type=int, default=50, help="fits that compile anew (50)")
    options = parser.parse_args(arguments)
    with only_writer(OUTPUT, "measuring memory"):
        measure(options)
    return 0


def measure(options):
    """Fit again and again in both ways, and store the memory after each."""
    small_compiled()
    machine = {"cores": os.cpu_count(), "python": sys.version.split()[0], "system": sys.platform}
    content = {"date": time.strftime("%Y-%m-%d"), "machine": machine, "memory": {}}
    ways = {"new data, one compiled model": (refit(small_compiled()), options.n)}
    ways["compiled anew"] = (compile_anew, options.compiled)
    for name, (fit, n) in ways.items():
        if n < 4:
            continue
        print(name, flush=True)
        held = memory_after(fit, n, lambda text: print(text, flush=True))
        warmup = n // 4
        row = {"fits": n, "first_mb": round(held[0] / 1e6), "last_mb": round(held[-1] / 1e6)}
        row |= {"warmup": warmup, "mb_per_fit": round(slope(held, warmup) / 1e6, 3)}
        content["memory"][name] = row
        write_whole(OUTPUT, (json.dumps(content, indent=1) + "\n").encode("utf-8"))
        print(row)
    lines = ["| Fits in one kernel | fits | after the first, MB | after the last, MB | growth of a fit, MB |"]
    lines += ["|---|---:|---:|---:|---:|"]
    for name, row in content["memory"].items():
        lines.append(f"| {name} | {row['fits']} | {row['first_mb']} | {row['last_mb']} | {row['mb_per_fit']} |")
    write_whole(ROOT / "results" / "tables" / "memory.md", ("\n".join(lines) + "\n").encode("utf-8"))


if __name__ == "__main__":
    exit_with(main)
