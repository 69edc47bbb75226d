"""Data sets for the benchmarks."""

import numpy as np
import pandas as pd

import mlm_tutorial as mlm

#: The course's own problem: baseline, 3 and 4 contributors.
SIMULATED = mlm.PRESETS["cc_27"]


def data(name: str, seed: int = 1) -> tuple[pd.DataFrame, str, list[str]]:
    """Return a table, the name of its total, and those of its layers.

    Parameters
    ----------
    name : str
        ``"flights"``, or ``"cc_27"`` with a number of rows, such as ``"cc_27 10000"``.
    seed : int
        Seed of a simulation.
    """
    if name == "flights":
        return mlm.load_flights(), "minutes_lost", ["carrier", "origin", "month"]
    preset, n = name.split()
    truth = mlm.PRESETS[preset]
    return truth.simulate(int(n), rng=seed), "total", truth.names


def _zipf(n: int) -> np.ndarray:
    """Return probabilities of n contributors, the k-th proportional to 1 / k (Zipf's law)."""
    weight = 1 / np.arange(1, n + 1)
    return weight / weight.sum()


def one_large_layer(n_contributors: int, unequal: bool, seed: int = 1) -> mlm.Cells:
    """Return the cells of a layer with many contributors beside one of ten, 100 rows per contributor.

    Parameters
    ----------
    n_contributors : int
        Contributors of the large layer.
    unequal : bool
        Whether the k-th contributor has 1 / k of the rows of the first, instead of the same number.
    seed : int
        Seed of truth and simulation.
    """
    rng = np.random.default_rng(seed)
    truth = mlm.draw_layered_sum([1, n_contributors, 10], rng=rng)
    chances = {truth.names[0]: _zipf(n_contributors)} if unequal else None
    rows = truth.simulate(max(2_000, 100 * n_contributors), rng=rng, probabilities=chances)
    return mlm.cell_statistics(rows, "total", truth.names)


def unequal_layers(sizes=(1_000, 20), n: int = 200_000, seed: int = 5) -> mlm.Cells:
    """Return the cells of n rows of layers whose contributors all have unequal counts."""
    truth = mlm.draw_layered_sum([1, *sizes], rng=seed)
    chances = {name: _zipf(m) for name, m in zip(truth.names, sizes, strict=True)}
    return mlm.cell_statistics(truth.simulate(n, rng=seed + 1, probabilities=chances), "total", truth.names)


def crossed_layers(sizes=(3_000, 1_000), n: int = 70_000, seed: int = 7) -> mlm.Cells:
    """Return cells of crossed layers, nearly one per row, such as ratings of lecturers by students."""
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
    return mlm.cell_statistics(frame, "total", ["student", "lecturer"])
