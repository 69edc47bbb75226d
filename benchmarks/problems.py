"""The data that are measured on."""

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


def one_large_layer(n_contributors: int, unequal: bool, seed: int = 1) -> mlm.Cells:
    """Return the cells of a layer with many contributors beside one of ten, 100 rows a contributor.

    Parameters
    ----------
    n_contributors : int
        Contributors of the large layer.
    unequal : bool
        Whether the k-th contributor has 1 / k of the rows of the first (Zipf's law) rather than as many.
    seed : int
        Seed of truth and simulation.
    """
    rng = np.random.default_rng(seed)
    truth = mlm.draw_layered_sum([1, n_contributors, 10], rng=rng)
    weight = 1 / np.arange(1, n_contributors + 1) if unequal else np.ones(n_contributors)
    chances = {truth.names[0]: weight / weight.sum()}
    rows = truth.simulate(max(2_000, 100 * n_contributors), rng=rng, probabilities=chances)
    return mlm.cell_statistics(rows, "total", truth.names)
