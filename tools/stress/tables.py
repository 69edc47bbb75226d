"""Fit small tables at the defaults under ten seeds each: ``python -m tools.stress.tables``, about five minutes.

Public tables and others of a few rows, nested, with pairs, or with few contributors: those that a right fit was refused
for before contributors were pooled and nested layers had coordinates of their own.
"""

import argparse

import numpy as np
import pandas as pd

import mlm_tutorial as mlm
from mlm_tutorial.libraries import package_digest
from tools import machine, results
from tools.lock import exit_with, only_writer

SEEDS = 10


def pairs():
    """Return the gauge study with a third layer, the pair of part and operator."""
    gauge = mlm.load_gauge()
    return gauge.assign(
        pair=[f"{part}:{operator}" for part, operator in zip(gauge["part"], gauge["operator"], strict=True)]
    )


def six_groups():
    """Return 18 rows in six groups."""
    rng = np.random.default_rng(5)
    group = np.repeat(np.arange(6), 3)
    return pd.DataFrame({"y": rng.normal(0, 1.5, 6)[group] + rng.normal(size=18), "group": group})


def few_rows():
    """Return 20 rows of the course's main problem."""
    return mlm.PRESETS["cc_27"].simulate(20, rng=3)


# How to get each table, and the names of its totals and layers.
TABLES = {
    "gauge": (mlm.load_gauge, "impedance", ["part", "operator"]),
    "gauge with pairs": (pairs, "impedance", ["part", "operator", "pair"]),
    "penicillin": (mlm.load_penicillin, "diameter", ["plate", "sample"]),
    "paste": (mlm.load_paste, "strength", ["batch", "sample"]),
    "six groups": (six_groups, "y", ["group"]),
    "radon": (mlm.load_radon, "log_radon", ["county", "floor"]),
    "twenty rows": (few_rows, "total", ["layer_1", "layer_2"]),
}


def compiled(name):
    """Return the compiled model of a table, at the defaults."""
    load, total, layers = TABLES[name]
    return mlm.compile_model(mlm.cell_model(mlm.cell_statistics(load(), total, layers)))


def fit(model, seed):
    """Return the diagnostics of one fit, or the reason for which the convergence check refuses it."""
    idata = mlm.sample(model, seed=seed, progress=False)
    row = {"seed": seed}
    try:
        return row | {name: round(float(value), 4) for name, value in mlm.check_convergence(idata).items()}
    except mlm.ConvergenceError as error:
        return row | {"reason": str(error)}


def table(fits):
    """Return the table in Markdown: for each table, the fits that passed and the worst diagnostics of these."""
    rows = []
    for name, found in fits.items():
        passed = [row for row in found if "reason" not in row]
        rhat = max((row["max_rhat"] for row in passed), default=np.nan)
        ess = min((min(row["min_ess_bulk"], row["min_ess_tail"]) for row in passed), default=np.nan)
        rows.append([name, f"{len(passed)} of {len(found)}", f"{rhat:.3f}", f"{ess:,.0f}"])
    return results.markdown_table(["table", "passed", "largest R-hat", "smallest ESS"], rows, True)


def main(arguments=None):
    """Fit every table and store the results; return 0 if every fit passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args(arguments)
    with only_writer(results.path_of("small_tables"), "fitting small tables"):
        fits = {}
        for name in TABLES:
            model = compiled(name)
            fits[name] = [fit(model, seed) for seed in range(SEEDS)]
            print(f"{name}: {sum('reason' not in row for row in fits[name])} of {SEEDS} passed", flush=True)
        content = {"date": machine.today(), "machine": machine.record(), "code": package_digest(), "fits": fits}
        results.store("small_tables", content, table(fits))
    return int(any("reason" in row for found in fits.values() for row in found))


if __name__ == "__main__":
    exit_with(main)
