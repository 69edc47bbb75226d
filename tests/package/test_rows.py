"""Rows to numbers: the same from every table and in pieces of every size, and errors that name the row."""

import datetime
import decimal
import os
import shutil
import sys
import uuid

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray as xr

from mlm_tutorial import rows as module
from mlm_tutorial.names import coordinate_of
from mlm_tutorial.rows import Table
from tests.support.backends import BACKENDS, EAGER, spark_session

N = 1_000


def columns(seed=3):
    rng = np.random.default_rng(seed)
    carrier = rng.choice(np.array(["UA", "AA", "é"], object), size=N).tolist()
    return {"total": rng.normal(size=N), "carrier": carrier, "month": rng.integers(1, 13, N).tolist()}


KNOWN = {"carrier": ["AA", "UA", "é"], "month": list(range(1, 13))}


def coordinates(labels):
    found = {}
    for name, values in labels.items():
        written_labels, written = coordinate_of(values)
        found[name] = xr.DataArray(written_labels, dims=name, attrs={"written": written})
    return found


def expected_codes(table=None):
    table = table or columns()
    return np.array([[KNOWN["carrier"].index(c), m - 1] for c, m in zip(table["carrier"], table["month"], strict=True)])


@pytest.fixture(params=[7, 100_000], ids=["many pieces", "one piece"])
def _piece(request, monkeypatch):
    monkeypatch.setattr(module, "PIECE", request.param)


@pytest.mark.usefixtures("_piece")
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("known", [KNOWN, coordinates(KNOWN)], ids=["labels", "coordinates"])
def test_tables_and_piece_sizes_give_the_same_numbers(backend, known):
    rows = Table(BACKENDS[backend](columns()), ["carrier", "month"], "total").rows(known)
    np.testing.assert_array_equal(rows.codes, expected_codes())
    np.testing.assert_array_equal(rows.totals, columns()["total"])
    assert rows.new == {"carrier": (), "month": ()}
    assert len(rows) == N


@pytest.mark.usefixtures("_piece")
@pytest.mark.parametrize("backend", BACKENDS)
def test_totals_are_read_only_if_they_are_asked_for(backend):
    table = columns() | {"total": ["no", "numbers"] * (N // 2)}
    rows = Table(BACKENDS[backend](table), ["month", "carrier"]).rows(KNOWN)
    assert rows.totals is None
    np.testing.assert_array_equal(rows.codes, expected_codes()[:, ::-1])


@pytest.mark.usefixtures("_piece")
@pytest.mark.parametrize("backend", BACKENDS)
def test_new_labels_are_numbered_after_the_known_ones(backend):
    table = columns()
    for i, label in ((5, "ZZ"), (40, "B6"), (700, "ZZ")):
        table["carrier"][i] = label
    rows = Table(BACKENDS[backend](table), ["carrier"], "total").rows(coordinates(KNOWN), new=["carrier"])
    assert rows.new == {"carrier": ("ZZ", "B6")}
    assert rows.codes[[5, 40, 700], 0].tolist() == [3, 4, 3]


@pytest.mark.usefixtures("_piece")
@pytest.mark.parametrize("backend", sorted(set(BACKENDS)))
def test_a_missing_label_is_an_absent_layer_where_that_is_allowed(backend):
    table = columns()
    table["carrier"][5] = table["carrier"][777] = None
    frame = BACKENDS[backend](table)
    rows = Table(frame, ["carrier", "month"], "total").rows(KNOWN, absent=["carrier"])
    assert np.flatnonzero(rows.codes[:, 0] == -1).tolist() == [5, 777]
    with pytest.raises(ValueError, match=r"column 'carrier' has 2 missing labels; the first is in row 5 \(counted"):
        Table(frame, ["carrier", "month"], "total").rows(KNOWN, absent=["month"])


@pytest.mark.parametrize("missing", [None, np.nan, float("nan"), pd.NA, pd.NaT, decimal.Decimal("nan")])
def test_every_kind_of_missing_label_is_found(missing):
    frame = pd.DataFrame({"a": pd.Series(["x", missing, "y", missing], dtype=object)})
    assert Table(frame, ["a"]).rows({"a": ["x", "y"]}, absent=["a"]).codes.ravel().tolist() == [0, -1, 1, -1]
    # An unknown label is still found.
    with pytest.raises(ValueError, match="'y' in row 2"):
        Table(frame, ["a"]).rows({"a": ["x"]}, absent=["a"])


@pytest.mark.usefixtures("_piece")
@pytest.mark.parametrize("backend", BACKENDS)
def test_an_unknown_label_is_named_with_row_and_known_labels(backend):
    table = columns()
    table["month"][312] = 13
    with pytest.raises(
        ValueError, match=r"column 'month' has the label 13 in row 312 \(counted from 0\).*\[1, 2, 3.*\] and 2 more"
    ):
        Table(BACKENDS[backend](table), ["carrier", "month"], "total").rows(coordinates(KNOWN))


def test_a_label_of_another_type_is_pointed_out():
    frame = pd.DataFrame({"a": [102]})
    with pytest.raises(ValueError, match=r"It has '102', of type str and not int\. Ask$"):
        Table(frame, ["a"]).rows(coordinates({"a": ["102", "103"]}), hint={"a": "Ask"})


@pytest.mark.usefixtures("_piece")
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bad", [None, float("nan"), float("inf"), -float("inf")])
def test_bad_totals_are_counted_and_the_first_is_shown(backend, bad):
    table = columns() | {"total": columns()["total"].tolist()}
    for i in (123, 124, 999):
        table["total"][i] = bad
    with pytest.raises(
        ValueError, match=r"column 'total' has 3 missing or infinite totals; the first is in row 123 \(counted from 0\)"
    ):
        Table(BACKENDS[backend](table), ["carrier"], "total").rows(KNOWN)


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "int64[pyarrow]", "float32", "int8"])
def test_totals_of_every_numeric_type_become_floats(dtype):
    frame = pd.DataFrame({"total": pd.Series([1, 2, 3], dtype=dtype), "a": ["x", "y", "x"]})
    totals = Table(frame, ["a"], "total").rows({"a": ["x", "y"]}).totals
    assert totals.dtype == float
    assert totals.tolist() == [1, 2, 3]


LABELS = {
    "dates": [datetime.date(2024, 1, day) for day in (1, 2, 3)],
    "datetimes": [pd.Timestamp(2024, 1, day, 12) for day in (1, 2, 3)],
    "time zones": [pd.Timestamp(2024, 1, day, tz="Europe/Berlin") for day in (1, 2, 3)],
    "times": [datetime.time(hour) for hour in (1, 2, 3)],
    "periods": list(pd.period_range("2024-01", periods=3, freq="M")),
    "intervals": list(pd.interval_range(0, 3)),
    "decimals": [decimal.Decimal(x) for x in ("1.10", "1.25", "3")],
    "tuples": [(1, "a"), (1, "b"), (2, "a")],
    "bytes": [b"a", b"b", b"\xff"],
    "uuids": [uuid.UUID(int=k) for k in (1, 2, 3)],
    "booleans": [False, True],
    "numbers and text": [101, "101", 7],
    "floats": [0.5, 1.5, 2.25],
    "whole numbers": [3, 1, 2],
    "text": ["b", "a", "A", "a "],
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_any_kind_are_found(kind):
    labels = LABELS[kind]
    order = np.random.default_rng(1).integers(len(labels), size=50)
    frame = pd.DataFrame({"a": pd.Series([labels[k] for k in order])})
    for known in (labels, coordinates({"a": labels})["a"]):
        np.testing.assert_array_equal(Table(frame, ["a"]).rows({"a": known}).codes.ravel(), order)


@pytest.mark.parametrize("kind", ["dates", "datetimes", "times", "booleans", "decimals"])
@pytest.mark.parametrize("backend", ["polars", "pyarrow", "polars_lazy", "duckdb"])
def test_labels_of_other_tables_are_found(kind, backend):
    labels = LABELS[kind]
    order = np.random.default_rng(1).integers(len(labels), size=50)
    plain = [x.to_pydatetime() if isinstance(x, pd.Timestamp) else x for x in labels]
    frame = BACKENDS[backend]({"a": [plain[k] for k in order]})
    if kind == "decimals":
        labels = [decimal.Decimal(x) for x in ("1.10", "1.25", "3.00")]  # a column has one number of digits
    codes = Table(frame, ["a"]).rows(coordinates({"a": labels})).codes
    np.testing.assert_array_equal(codes.ravel(), order)


@pytest.mark.parametrize("backend", ["pandas", "polars"])
def test_what_cannot_be_a_label_is_refused_by_name(backend):
    frame = EAGER[backend]({"a": [[1], [2, 3]]})
    with pytest.raises(TypeError, match=r"column 'a' (has|holds) .*\[1\].* label"):
        Table(frame, ["a"]).rows({"a": [(1,)]})


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_table_without_rows_is_refused(backend):
    frame = BACKENDS[backend](columns())
    frame = (
        frame.filter("month > 12") if backend == "duckdb" else frame.head(0) if hasattr(frame, "head") else frame[:0]
    )
    with pytest.raises(ValueError, match="the frame is empty"):
        Table(frame, ["carrier"], "total").rows(KNOWN)


@pytest.mark.parametrize(
    ("layers", "total", "error", "message"),
    [
        (["colour"], None, KeyError, "no column 'colour' in the frame; it has total, carrier, month"),
        (["carrier"], "Total", KeyError, "no column 'Total'"),
        ("carrier", None, TypeError, "layers must be a list of column names, got 'carrier'"),
        ([], "total", ValueError, "layers is empty"),
        (["carrier", 3], None, TypeError, "column names must be strings, got 3"),
        (["carrier", "carrier"], None, ValueError, "column 'carrier' is named 2 times"),
        (["carrier", "total"], "total", ValueError, "column 'total' is named 2 times"),
        (["month"], "carrier", TypeError, "column 'carrier' must be numeric"),
    ],
)
def test_columns_are_checked_before_a_row_is_read(layers, total, error, message):
    with pytest.raises(error, match=message):
        Table(pl.LazyFrame(columns()), layers, total)


def test_other_objects_than_tables_are_refused():
    with pytest.raises(TypeError, match="expected a data frame .* got dict"):
        Table({"a": [1]}, ["a"])


@pytest.mark.slow
@pytest.mark.versions
class TestTablesInOtherProcesses:
    """Dask and PySpark give their rows partition by partition; `python course.py test --all` installs both."""

    def check(self, frame):
        rows = Table(frame, ["carrier", "month"], "total").rows(coordinates(KNOWN), absent=["carrier"], new=["month"])
        table = columns()
        order = np.argsort(rows.totals)
        expected = np.argsort(table["total"])
        np.testing.assert_array_equal(rows.totals[order], table["total"][expected])
        codes = expected_codes()
        codes[3, 0] = -1
        np.testing.assert_array_equal(rows.codes[order], codes[expected])
        with pytest.raises(ValueError, match="column 'carrier' has 1 missing label"):
            Table(frame, ["carrier"], "total").rows(KNOWN)
        with pytest.raises(ValueError, match="column 'month' has the label "):
            Table(frame, ["month"]).rows({"month": [1, 2]})

    def columns(self):
        table = columns()
        table["carrier"][3] = None
        return table

    @pytest.mark.usefixtures("_piece")
    def test_dask(self):
        dd = pytest.importorskip("dask.dataframe")
        frame = dd.from_pandas(pd.DataFrame(self.columns()), npartitions=5)
        self.check(frame)
        # Rows keep their order.
        totals = Table(frame, ["carrier"], "total").rows(KNOWN, absent=["carrier"]).totals
        np.testing.assert_array_equal(totals, columns()["total"])

    @pytest.mark.usefixtures("_piece")
    @pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas")
    def test_pyspark(self, monkeypatch):
        pytest.importorskip("pyspark")
        if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
            pytest.skip("needs Java")
        monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
        with spark_session("rows") as session:
            table = self.columns()
            data = list(zip(table["total"].tolist(), table["carrier"], table["month"], strict=True))
            self.check(session.createDataFrame(data, list(table)).repartition(3, "month"))
