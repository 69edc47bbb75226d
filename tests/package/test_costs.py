"""The cost of reading is measured in another process, and every way gives the same cells."""

import numpy as np
import pandas as pd
import pytest

from mlm_tutorial.costs import WAYS, reading_cost


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    rng = np.random.default_rng(0)
    paths = []
    for size in (40, 400):
        path = tmp_path_factory.mktemp(f"rows-{size}")
        frame = pd.DataFrame({"who": rng.choice(["Ada", "Ben"], size), "total": rng.normal(size=size)})
        for i, part in enumerate(np.array_split(np.arange(size), 3)):
            frame.iloc[part].to_parquet(path / f"part-{i}.parquet", index=False)
        paths.append(path)
    return paths


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_each_way_reads_all_rows(folders, way):
    cost = reading_cost(way, folders, "total", ["who"])
    assert cost["rows"].tolist() == [40, 400]
    assert (cost["seconds"] > 0).all()
    assert cost["MB"].is_monotonic_increasing
    assert cost["MB"].iloc[0] > 20


def test_ways_give_the_same_cells(folders):
    cells = [read(str(folders[0]), total="total", layers=["who"]) for read in WAYS.values()]
    for other in cells[1:]:
        assert other.labels == cells[0].labels
        np.testing.assert_allclose(other.mean, cells[0].mean)
        np.testing.assert_allclose(other.sum_sq, cells[0].sum_sq)


def test_an_unknown_way_is_named(folders):
    with pytest.raises(ValueError, match="unknown way 'by hand'"):
        reading_cost("by hand", folders, "total", ["who"])


@pytest.mark.slow
def test_a_process_that_fails_says_why(folders):
    with pytest.raises(RuntimeError, match="no column 'minutes'"):
        reading_cost("Polars, lazy", folders, "minutes", ["who"])
