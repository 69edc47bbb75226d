"""Layers with many contributors: seconds, R-hat, ESS and divergences at default settings.

Run with ``python benchmarks/many_contributors.py [problem ...]``; without names, all problems. Each is compiled once
and sampled with three seeds; medians are printed, and the worst R-hat and number of divergences.
"""

import sys
import time

import arviz as az
import numpy as np
import pandas as pd

import mlm_tutorial as mlm

SEEDS = (1, 2, 3)


def zipf(m):
    """Return probabilities of m contributors, the k-th proportional to 1 / k."""
    weight = 1 / np.arange(1, m + 1)
    return weight / weight.sum()


def unequal(sizes, n, seed=5):
    """Return cells of n simulated observations of layers whose contributors have Zipf counts."""
    truth = mlm.draw_layered_sum([1, *sizes], rng=seed)
    probabilities = {name: zipf(m) for name, m in zip(truth.names, sizes, strict=True)}
    return mlm.cell_statistics(truth.simulate(n, rng=seed + 1, probabilities=probabilities), layers=list(truth.names))


def flights(*columns):
    """Return cells of the flights, with one layer whose contributors are the combinations of some columns."""
    frame = mlm.load_flights()
    frame = frame.assign(flown=frame[list(columns)].astype(str).agg("-".join, axis=1))
    return mlm.cell_statistics(frame, total="minutes_lost", layers=["flown"])


def crossed(sizes=(3000, 1000), n=70_000, seed=7):
    """Return cells of crossed layers, nearly one a row: ratings of lecturers by students, in spirit."""
    rng = np.random.default_rng(seed)
    codes = [rng.choice(m, n, p=rng.dirichlet(np.full(m, a))) for m, a in zip(sizes, (3.0, 1.0), strict=True)]
    means = [rng.normal(0, scale, m) for m, scale in zip(sizes, (0.33, 0.52), strict=True)]
    variances = [
        level * np.exp(rng.normal(-(spread**2) / 2, spread, m))
        for m, level, spread in zip(sizes, (0.4, 0.5), (0.6, 0.4), strict=True)
    ]
    variance = 0.5 + sum(v[k] for v, k in zip(variances, codes, strict=True))
    total = 3.2 + sum(mu[k] for mu, k in zip(means, codes, strict=True)) + rng.normal(size=n) * np.sqrt(variance)
    frame = pd.DataFrame({"total": total, "student": codes[0], "lecturer": codes[1]})
    return mlm.cell_statistics(frame, layers=["student", "lecturer"])


# Name: cells, whether contributors are pooled, and options of `mlm.sample`.
PROBLEMS = {
    "flights, 104 destinations": (lambda: flights("dest"), False, {}),
    "flights, 185 carriers x months": (lambda: flights("carrier", "month"), False, {}),
    "flights, 185 carriers x months, pooled": (lambda: flights("carrier", "month"), True, {}),
    "200 x 20 Zipf": (lambda: unequal([200, 20], 50_000), False, {}),
    "200 x 20 Zipf, pooled": (lambda: unequal([200, 20], 50_000), True, {}),
    "1,000 x 20 Zipf": (lambda: unequal([1000, 20], 200_000), False, {}),
    "3,000 x 1,000 crossed, pooled": (crossed, True, {"tune": 500, "draws": 500}),
}


def measure(name):
    """Return one row of the table: a compilation and a few fits of one problem."""
    make, pooled, options = PROBLEMS[name]
    cells = make()
    compiled = mlm.compile_model(mlm.cell_model(cells, mlm.Priors.from_cells(cells, pooled=pooled)))
    rows = []
    for seed in SEEDS:
        before = time.process_time()
        idata = mlm.sample(compiled, seed=seed, **options)
        cpu = time.process_time() - before
        posterior = idata["posterior"].to_dataset()
        named = posterior[[x for x in posterior if x.startswith(("mu_", "sigma_")) and x != "mu_offset"]]
        rows.append(
            {
                "seconds": idata.attrs["sampling_seconds"],
                "cpu_seconds": cpu,
                "rhat": max(float(x.max()) for x in az.rhat(named).data_vars.values()),
                "ess_bulk": min(float(x.min()) for x in az.ess(named, method="bulk").data_vars.values()),
                "ess_tail": min(float(x.min()) for x in az.ess(named, method="tail").data_vars.values()),
                "divergences": int(idata["sample_stats"]["diverging"].sum()),
                "steps": float(idata["sample_stats"]["n_steps"].mean()),
            }
        )
    table = pd.DataFrame(rows)
    worst = table[["rhat", "divergences"]].max()
    return pd.concat(
        [
            pd.Series(
                {"cells": len(cells), "dimensions": compiled.compiled.n_dim, "compile": compiled.compile_seconds}
            ),
            table.drop(columns=worst.index).median(),
            worst,
        ]
    ).rename(name)


def main(names=()):
    """Print a table of all problems, or of those named, one row as soon as it is measured."""
    rows = []
    for name in names or PROBLEMS:
        rows.append(measure(name))
        print(pd.DataFrame(rows[-1:]).round(3).to_string(), flush=True)
    print(pd.DataFrame(rows).round(3).to_string())


if __name__ == "__main__":
    main(sys.argv[1:])
