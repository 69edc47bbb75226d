"""Cells of distributed tables: Dask and PySpark reduce them on their workers.

The clusters are local and small. ``python course.py test --all`` installs both; PySpark needs Java 17 besides.
"""

import importlib.util
import os
import shutil
from contextlib import suppress
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mlm_tutorial import cell_statistics
from tests.package.test_cells import (
    LAYERS,
    as_dict,
    assert_exact_spreads,
    assert_same_cells,
    exact_cells,
    far_apart,
    random_columns,
)
from tests.support.backends import spark_session

MISSING = [name for name in ("dask", "distributed", "pyspark") if importlib.util.find_spec(name) is None]
if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
    MISSING.append("Java")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.versions,
    pytest.mark.skipif(bool(MISSING) and "CI" not in os.environ, reason="needs " + " and ".join(MISSING)),
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas"),
]

N_PARTS = 16
EMPTY_PARTS = (0, 7, N_PARTS - 1)


def part_of(columns, i):
    """Return the rows of partition `i` as pandas; some partitions are empty, the others differ in size."""
    frame = pd.DataFrame(columns)
    filled = [k for k in range(N_PARTS) if k not in EMPTY_PARTS]
    if i in EMPTY_PARTS:
        return frame.iloc[:0]
    bounds = (len(frame) * (np.arange(len(filled) + 1) / len(filled)) ** 2).astype(int)
    k = filled.index(i)
    return frame.iloc[bounds[k] : bounds[k + 1]]


def dask_frame(columns, read=part_of):
    """Return a Dask frame that reads its partitions only when a worker asks for them."""
    import dask.dataframe as dd

    return dd.from_map(partial(read, columns), range(N_PARTS), meta=pd.DataFrame(columns).iloc[:0])


def spark_frame(columns):
    """Return a Spark frame in partitions, some of them empty."""
    from pyspark.sql import SparkSession

    # Whole numbers hash to a few of the partitions only.
    return SparkSession.getActiveSession().createDataFrame(pa.table(columns)).repartition(N_PARTS, "month")


@pytest.fixture(scope="module")
def dask_client():
    from distributed import Client, LocalCluster

    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "memory_limit": 0}
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        yield client


@pytest.fixture(scope="module")
def spark():
    settings = {
        "sql_shuffle_partitions": "4",
        # Spark itself refuses a job whose results, sent to the driver, take more than this.
        "driver_maxResultSize": "300k",
        "sql_execution_arrow_pyspark_enabled": "true",
    }
    with spark_session("cells", **settings) as session:
        yield session


@pytest.fixture(params=["dask", "pyspark"])
def distributed_frame(request):
    """Return the function that spreads columns over the processes of a cluster."""
    request.getfixturevalue({"dask": "dask_client", "pyspark": "spark"}[request.param])
    return {"dask": dask_frame, "pyspark": spark_frame}[request.param]


@pytest.mark.parametrize("offset", [0.0, 1e9, -1e9])
def test_partitions_give_the_exact_cells(distributed_frame, offset):
    columns = random_columns(offset)
    got = cell_statistics(distributed_frame(columns), "total", LAYERS)
    expected = exact_cells(columns)
    assert as_dict(got).keys() == expected.keys()
    for key, (n, mean, sum_sq) in expected.items():
        assert as_dict(got)[key][0] == n
        assert as_dict(got)[key][1:] == pytest.approx((mean, sum_sq), rel=1e-10, abs=0)
    assert_same_cells(got, cell_statistics(pd.DataFrame(columns), "total", LAYERS))
    assert {type(label) for label in got.labels["month"]} == {int}


def test_covariates_keep_their_products_with_totals_and_one_another(distributed_frame):
    columns = random_columns(1e9)
    rng = np.random.default_rng(3)
    columns |= {"heat": rng.normal(size=len(columns["total"])), "age": rng.integers(90, size=len(columns["total"]))}
    options = {"total": "total", "layers": LAYERS, "covariates": ["heat", "age"]}
    got = cell_statistics(distributed_frame(columns), **options)
    expected = cell_statistics(pd.DataFrame(columns), **options)
    assert_same_cells(got, expected)
    for name in ("x_mean", "x_products", "x_total"):
        found, exact = getattr(got, name), getattr(expected, name)
        np.testing.assert_allclose(found, exact, rtol=1e-9, atol=1e-9 * np.abs(exact).max())


def test_cells_far_from_each_other_keep_their_small_spreads(distributed_frame):
    assert_exact_spreads(distributed_frame(far_apart()), far_apart())


def test_dasks_own_variance_would_fail_where_this_does_not(dask_client):
    """Guard the test above."""
    columns = far_apart()
    own = dask_frame(columns).groupby("carrier")["total"].var(ddof=0).compute()
    exact = {key[0]: sum_sq / n for key, (n, _, sum_sq) in exact_cells(columns).items()}
    assert abs(own["far"] / exact["far"] - 1) > 1e-6


@pytest.mark.parametrize(
    ("column", "value", "fragments"),
    [
        ("total", None, ("'total'", "1 missing or infinite total", "'carrier': 'UA'", "'month': 2")),
        ("total", float("nan"), ("'total'", "1 missing or infinite total", "'month': 2")),
        ("total", float("inf"), ("'total'", "1 missing or infinite total", "inf")),
        ("carrier", None, ("'carrier'", "1 missing label", "the row with total 0.25")),
    ],
)
def test_bad_values_are_counted_and_the_first_is_shown(distributed_frame, column, value, fragments):
    columns = {"total": [0.25, 1.5, 2.0, 3.5, 2.5], "carrier": ["UA", "AA", "UA", "AA", "UA"], "month": [2, 1, 1, 2, 1]}
    columns[column][0] = value
    with pytest.raises(ValueError) as error:
        cell_statistics(distributed_frame(columns), "total", LAYERS)
    for fragment in fragments:
        assert fragment in str(error.value)


def test_rows_that_lack_a_layer_are_cells_of_their_own(distributed_frame):
    columns = random_columns(0.0)
    columns["carrier"] = [None if x == "AA" else x for x in columns["carrier"]]
    columns["hour"] = [float(i % 3) if i % 5 else None for i in range(3_000)]
    options = {"layers": [*LAYERS, "hour"], "allow_absent": ["carrier", "hour"]}
    got = cell_statistics(distributed_frame(columns), **options)
    assert_same_cells(got, cell_statistics(pd.DataFrame(columns), **options))
    assert as_dict(got).keys() == exact_cells(columns, options["layers"]).keys()
    assert got.codes.min(axis=0).tolist() == [-1, 0, -1]
    assert got.labels["hour"] == (0, 1, 2)
    with pytest.raises(ValueError, match="column 'hour' has 600 missing labels"):
        cell_statistics(distributed_frame(columns), layers=options["layers"], allow_absent=["carrier"])


@pytest.mark.parametrize("name", ["a.b", "tool/chamber", "*", "two words", "größe", "x`y"])
def test_a_column_of_any_name_is_read_as_that_column(distributed_frame, name):
    columns = {"a": ["no"] * 40, "month": [1, 2] * 20, "y": np.arange(40.0), name: list("uuvv") * 10}
    cells = cell_statistics(distributed_frame(columns), "y", [name])
    assert cells.labels == {name: ("u", "v")}
    assert cells.mean.tolist() == [18.5, 20.5]


def test_a_table_without_rows_is_refused(distributed_frame):
    columns = {"total": np.zeros(0), "carrier": np.zeros(0, str), "month": np.zeros(0, int)}
    with pytest.raises(ValueError, match="the frame is empty"):
        cell_statistics(distributed_frame(columns), "total", LAYERS)


def test_partitions_may_know_different_categories(dask_client):
    def categorical(columns, i):
        part = part_of(columns, i)
        return part.astype({"carrier": "category"})

    columns = random_columns(0.0)
    frame = dask_frame(columns, categorical)
    assert_same_cells(cell_statistics(frame, "total", LAYERS), cell_statistics(pd.DataFrame(columns), "total", LAYERS))


def test_cells_survive_the_death_of_a_worker(dask_client, tmp_path):
    def deadly(columns, i):
        if i == 10:
            with suppress(FileExistsError):
                (tmp_path / "died").touch(exist_ok=False)  # only the first who gets here dies
                os._exit(1)
        return part_of(columns, i)

    columns = random_columns(0.0)
    got = cell_statistics(dask_frame(columns, deadly), "total", LAYERS)
    assert (tmp_path / "died").exists()
    assert_same_cells(got, cell_statistics(pd.DataFrame(columns), "total", LAYERS))


def test_dask_rows_stay_on_the_workers(dask_client, tmp_path, monkeypatch):
    def noted(columns, i):
        (tmp_path / f"{i}_{os.getpid()}").touch()
        return part_of(columns, i)

    received = []
    gather = dask_client.gather

    def counting(*arguments, **options):
        results = gather(*arguments, **options)
        received.extend(len(x) for x in results)
        return results

    monkeypatch.setattr(dask_client, "gather", counting)
    columns = random_columns(0.0)
    frame = dask_frame(columns, noted)
    assert not list(tmp_path.iterdir())
    cells = cell_statistics(frame, "total", LAYERS)
    readers = [path.name.split("_") for path in tmp_path.iterdir()]
    assert {int(i) for i, _ in readers} == set(range(N_PARTS))
    assert str(os.getpid()) not in {pid for _, pid in readers}
    assert received == [len(cells)]
    received.clear()
    frame.compute()
    assert sum(received) >= 3_000  # the trap works


def test_spark_rows_stay_on_the_workers(spark):
    from py4j.protocol import Py4JJavaError

    rng = np.random.default_rng(0)
    n = 200_000
    columns = {"total": rng.normal(size=n), "carrier": rng.choice(["a", "b"], n), "month": rng.integers(1, 3, n)}
    frame = spark_frame(columns)
    assert cell_statistics(frame, "total", LAYERS).n_observations == n
    with pytest.raises(Py4JJavaError, match="maxResultSize"):  # the trap works
        frame.select("total").collect()
