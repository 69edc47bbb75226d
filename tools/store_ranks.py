"""Make the 1,000 ranks of a calibration that notebook 10 shows beside its own 200: `python -m tools.store_ranks`.

They take minutes, too long for a notebook, and depend on nothing that a reader changes.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

#: Where the ranks are stored: a row per replicate, a column per quantity, `settings` in the table's attributes.
FILE = Path(__file__).resolve().parents[1] / "mlm_tutorial" / "data" / "parcel_ranks.parquet"

#: The parcels of notebooks 05 to 12, and the seed of notebook 10.
PARCELS = [
    {"road": (0, 5)},
    {"Airport": (1, 1), "Harbor": (-1, 1), "Mill": (4, 1)},
    {"Ann": (3, 1), "Ben": (-1, 1), "Cleo": (-1, 1), "Dov": (-1, 1)},
]
LAYERS = ["center", "driver"]
ROWS, SEED = 10_000, 678

#: Arguments of `mlm.calibrate`. Draws and warm-up are those of the notebook.
N_SIMULATIONS = 1_000
ARGUMENTS = {"seed": 1_000 + SEED, "n_ranks": 100, "draws": 250, "tune": 300, "chains": 2}


def design():
    """Return the cells of the calibration, and the priors of its model."""
    import mlm_tutorial as mlm

    parcels = mlm.LayeredSum.from_coefficients(PARCELS, names=LAYERS)
    cells = mlm.cell_statistics(parcels.simulate(ROWS, rng=SEED), layers=LAYERS)
    return cells, mlm.Priors.from_cells(cells, pooled=False)


def settings() -> dict:
    """Return all that the ranks depend on, besides versions of libraries."""
    cells, priors = design()
    scales = ("baseline_mu", "baseline_mu_sd", "mu_sd", "sigma_scale")
    return {
        "replicates": N_SIMULATIONS,
        "rows_of_cells": cells.n.tolist(),
        "priors": {name: round(float(getattr(priors, name)), 9) for name in scales} | {"pooled": priors.pooled},
        **ARGUMENTS,
    }


def ranks() -> pd.DataFrame:
    """Calibrate; return a table of ranks."""
    import arviz as az

    import mlm_tutorial as mlm

    cells, priors = design()
    compiled = mlm.compile_model(mlm.cell_model(cells, priors))
    found = mlm.calibrate(cells, N_SIMULATIONS, compiled=compiled, **ARGUMENTS)
    table = az.dataset_to_dataframe(found, sample_dims=["simulation"]).astype(np.uint8).reset_index(drop=True)
    table.attrs = {"n_ranks": found.attrs["n_ranks"], "failed": found.attrs["failed"], "settings": settings()}
    return table


def main() -> None:
    """Store the ranks."""
    table = ranks()
    table.to_parquet(FILE, compression="zstd")
    print(f"{len(table)} replicates, {table.attrs['failed']} with a warning: {FILE.stat().st_size:,} bytes")
    print(json.dumps(table.attrs["settings"]))


if __name__ == "__main__":
    main()
