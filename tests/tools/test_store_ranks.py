"""The stored ranks of notebook 10 are those of the present model, and the notebook uses the same settings."""

import re
from pathlib import Path

import pandas as pd
from scipy import stats

from tools import store_ranks

ROOT = Path(__file__).resolve().parents[2]


def stored():
    return pd.read_parquet(store_ranks.FILE)


def test_ranks_were_made_with_the_present_settings():
    table = stored()
    assert table.attrs["settings"] == store_ranks.settings(), "run `python -m tools.store_ranks`"
    assert table.attrs["n_ranks"] == store_ranks.ARGUMENTS["n_ranks"]
    assert len(table) == store_ranks.N_SIMULATIONS == 1_000


def test_ranks_hold_every_quantity():
    cells, _ = store_ranks.design()
    labels = [(layer, label) for layer in cells.layers for label in cells.labels[layer]]
    expected = {f"{kind}_{layer}[{label}]" for kind in ("mu", "sigma") for layer, label in labels}
    expected |= {"mu_baseline", "sigma_baseline", "log_likelihood", *(f"total[{k}]" for k in range(len(cells)))}
    table = stored()
    assert set(table.columns) == expected
    assert table.to_numpy().min() >= 0
    assert table.to_numpy().max() <= table.attrs["n_ranks"]
    for name in table:
        counts = table[name].floordiv(10).clip(upper=9).value_counts()
        # The last of ten bins holds one rank more, so the expected counts differ a little.
        assert stats.chisquare(counts.sort_index(), [1000 * 10 / 101] * 9 + [1000 * 11 / 101]).pvalue > 1e-6, name


def test_the_notebook_draws_from_the_same_process():
    text = next((ROOT / "notebooks").glob("10_*.py")).read_text(encoding="utf-8")
    listed = re.search(r"from_coefficients\(\s*(\[.*?\]),\s*names", text, re.DOTALL).group(1)
    assert eval(listed) == store_ranks.PARCELS
    assert f"SEED = mlm.notebook_seed({store_ranks.SEED})" in text
    arguments = store_ranks.ARGUMENTS
    assert f"draws={arguments['draws']}, tune={arguments['tune']}" in text
