"""Measure the growth of memory from fit to fit in one kernel: ``python -m tools.stress.long_run``, about ten minutes.

Fits are made in two ways: with new data in one compiled model, and with a model that is compiled again each time.
"""

import argparse
import gc
import time
from functools import cache

import numpy as np
import psutil

import mlm_tutorial as mlm
from tools import machine, results
from tools.lock import exit_with, only_writer

LAYERS = ["paint", "size"]
TRUTH = mlm.LayeredSum.from_coefficients(
    [{0: (10, 2)}, {"red": (1, 1), "blue": (-1, 2)}, {10: (1, 1), 2: (0, 0.5), 7: (-1, 1)}], names=LAYERS
)


def cells_of(seed):
    """Return the cells of 300 simulated rows, the same cells for every seed."""
    return mlm.cell_statistics(TRUTH.simulate(300, rng=seed), layers=LAYERS)


@cache
def compiled():
    """Return the one model that is compiled once."""
    return mlm.compile_model(mlm.cell_model(cells_of(0)))


def refit(model):
    """Return a function that fits new data with a compiled model."""
    return lambda seed: mlm.sample(model.with_cells(cells_of(seed)), seed, progress=False)


def compile_anew(seed):
    """Compile a model of new data and fit it."""
    return mlm.sample(mlm.cell_model(cells_of(seed)), seed, progress=False)


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
    """Measure both ways, and store the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=50, help="fits with new data (50)")
    parser.add_argument("--compiled", type=int, default=50, help="fits that compile again (50)")
    options = parser.parse_args(arguments)
    with only_writer(results.path_of("memory"), "measuring memory"):
        measure(options)
    return 0


def measure(options):
    """Fit again and again in both ways, and store the memory after each."""
    compiled()
    content = {"date": machine.today(), "machine": machine.record(), "memory": {}}
    ways = {"new data, one compiled model": (refit(compiled()), options.n)}
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
        results.store("memory", content, table(content["memory"]))
        print(row)


def table(memory):
    """Return the table of the site's page, in Markdown."""
    header = ["Fits in one kernel", "fits", "after the first, MB", "after the last, MB", "growth of a fit, MB"]
    columns = ("fits", "first_mb", "last_mb", "mb_per_fit")
    return results.markdown_table(header, [[name, *(row[x] for x in columns)] for name, row in memory.items()], True)


if __name__ == "__main__":
    exit_with(main)
