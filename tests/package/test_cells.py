"""Cells: the same statistics from every table, in every order, from every partition of the rows."""

import inspect
import math
from datetime import date, datetime, time
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from uuid import UUID

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlm_tutorial as mlm
from mlm_tutorial import Cells, cell_statistics
from mlm_tutorial.cells import rank_of_layers
from tests.support.backends import BACKENDS

LAYERS = ["carrier", "month"]
modest = settings(max_examples=25, deadline=None, derandomize=True)


def exact_cells(columns, layers=tuple(LAYERS)):
    """Return {labels: (n, mean, sum of squares)}, computed in rational numbers and rounded once."""
    rows = {}
    for x, *key in zip(columns["total"], *(columns[name] for name in layers), strict=True):
        rows.setdefault(tuple(key), []).append(Fraction(float(x)))
    result = {}
    for key, xs in rows.items():
        mean = sum(xs) / len(xs)
        result[key] = (len(xs), float(mean), float(sum((x - mean) ** 2 for x in xs)))
    return result


def as_dict(cells):
    """Return {labels: (n, mean, sum of squares)}."""
    # The last entry is where a code of -1 points to: no label.
    labels = [[(*cells.labels[name], None)[k] for k in cells.codes[:, j]] for j, name in enumerate(cells.layers)]
    return dict(zip(zip(*labels, strict=True), zip(cells.n, cells.mean, cells.sum_sq, strict=True), strict=True))


def assert_same_cells(one, other, scale=0.0, rtol=1e-10):
    """Check that two Cells agree up to rounding; `scale` is the size of the totals, from which the rounding comes."""
    assert one.layers == other.layers
    assert one.absent == other.absent
    assert one.labels == other.labels
    np.testing.assert_array_equal(one.codes, other.codes)
    np.testing.assert_array_equal(one.n, other.n)
    np.testing.assert_allclose(one.mean, other.mean, rtol=rtol, atol=1e-13 * scale)
    np.testing.assert_allclose(one.sum_sq, other.sum_sq, rtol=rtol, atol=1e-13 * scale**2)


def random_columns(offset, n=3_000, seed=1):
    """Return columns with cells of 1 to over 1,000 rows, spread 1 about cell means that differ a little."""
    rng = np.random.default_rng(seed)
    carrier = rng.choice(np.array(["UA", "AA", "9E", "é", ""], object), p=[0.9, 0.08, 0.015, 0.004, 0.001], size=n)
    month = rng.choice([1, 2, 12], p=[0.7, 0.29, 0.01], size=n)
    total = offset + rng.normal(size=n) + month / 4 + (carrier == "AA")
    total[0], carrier[0], month[0] = offset + 0.1, "alone", 12
    return {"total": total, "carrier": carrier.tolist(), "month": month}


def far_apart(n=3_000):
    """Return columns with cells whose means are a million standard deviations apart."""
    rng = np.random.default_rng(4)
    carrier = rng.choice(["near", "far"], size=n)
    return {
        "total": rng.normal(size=n) + 1e6 * (carrier == "far"),
        "carrier": carrier.tolist(),
        "month": [1, 2] * (n // 2),
    }


def assert_exact_spreads(frame, columns, rel=1e-10):
    """Check the cells of a frame with totals up to a million against rational numbers."""
    got = as_dict(cell_statistics(frame, "total", LAYERS))
    for key, (_, mean, sum_sq) in exact_cells(columns).items():
        assert got[key][1] == pytest.approx(mean, abs=1e-8)
        assert got[key][2] == pytest.approx(sum_sq, rel=rel)


@pytest.fixture(scope="module")
def columns():
    return random_columns(10.0)


@pytest.fixture(scope="module")
def cells(columns):
    return cell_statistics(pd.DataFrame(columns), "total", LAYERS)


# Rows of two layers with so few labels that parts share cells, and so few rows that they do not share all.
ROWS = st.lists(
    st.tuples(
        st.floats(-1e6, 1e6, allow_subnormal=False),
        st.integers(1, 2),
        st.sampled_from(["", "ß"]),
    ),
    min_size=1,
    max_size=30,
)


def part(rows):
    """Return cells of some of the rows."""
    return cell_statistics(pd.DataFrame(rows, columns=["total", *LAYERS]), "total", LAYERS, partial=True)


def size_of(rows):
    return max(abs(row[0]) for row in rows)


# --- one pass over the rows ---


@pytest.mark.parametrize("offset", [0.0, 1e9, -1e9])
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_kind_of_table_gives_the_exact_cells(backend, offset):
    columns = random_columns(offset)
    got = as_dict(cell_statistics(BACKENDS[backend](columns), "total", LAYERS))
    expected = exact_cells(columns)
    assert got.keys() == expected.keys()
    sizes = [n for n, _, _ in expected.values()]
    assert min(sizes) == 1
    assert max(sizes) > 1_000
    for key, (n, mean, sum_sq) in expected.items():
        assert got[key][0] == n
        assert got[key][1] == pytest.approx(mean, rel=1e-10)
        assert got[key][2] == pytest.approx(sum_sq, rel=1e-10, abs=0)


def test_the_textbook_formula_would_fail_where_this_does_not():
    """Guard the test above: at an offset of 1e9, sum(x^2) - n mean^2 has no correct digit."""
    columns = random_columns(1e9)
    x = np.array(columns["total"])[np.array(columns["carrier"]) == "AA"]
    exact = exact_cells(columns | {"carrier": ["AA"] * len(x), "month": [1] * len(x), "total": x})["AA", 1][2]
    assert abs(np.sum(x**2) - len(x) * x.mean() ** 2 - exact) > 0.1 * exact


def assert_plain_cells(got, rows):
    """Assert that cells are those of a plain computation in exact arithmetic."""
    expected = exact_cells(dict(zip(["total", *LAYERS], zip(*rows, strict=True), strict=True)))
    scale = size_of(rows)
    assert got.keys() == expected.keys()
    for key, (n, mean, sum_sq) in expected.items():
        assert got[key][0] == n
        assert got[key][1] == pytest.approx(mean, rel=1e-12, abs=1e-14 * scale)
        assert got[key][2] == pytest.approx(sum_sq, rel=1e-10, abs=1e-13 * scale**2)


@modest
@given(ROWS)
def test_cells_equal_a_plain_computation_on_any_rows(rows):
    assert_plain_cells(as_dict(part(rows)), rows)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_cell_of_one_row_has_no_spread_at_all(backend):
    columns = {"total": [1e9 + 0.1, 0.1, 1 / 3, -7e-3], "carrier": ["a", "a", "b", "b"], "month": [1, 2, 1, 2]}
    cells = cell_statistics(BACKENDS[backend](columns), "total", LAYERS)
    assert cells.n.tolist() == [1, 1, 1, 1]
    assert cells.sum_sq.tolist() == [0.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_order_of_rows_is_irrelevant(backend, columns, cells):
    order = np.random.default_rng(2).permutation(len(columns["total"]))
    shuffled = {name: np.array(column)[order].tolist() for name, column in columns.items()}
    assert_same_cells(cell_statistics(BACKENDS[backend](shuffled), "total", LAYERS), cells)


@pytest.mark.parametrize("backend", BACKENDS)
def test_cells_come_sorted_with_the_same_types_from_every_table(backend, columns, cells):
    got = cell_statistics(BACKENDS[backend](columns), "total", LAYERS)
    assert got.labels == {"carrier": ("", "9E", "AA", "UA", "alone", "é"), "month": (1, 2, 12)}
    assert {type(label) for label in got.labels["carrier"]} == {str}
    assert {type(label) for label in got.labels["month"]} == {int}
    assert got.codes.tolist() == sorted(got.codes.tolist())
    assert (got.codes.dtype, got.n.dtype, got.mean.dtype, got.sum_sq.dtype) == (np.int64, np.int64, float, float)
    assert_same_cells(got, cells)


@pytest.mark.parametrize("backend", BACKENDS)
def test_layers_may_come_in_any_order_and_columns_have_any_names(backend, columns):
    renamed = {"__mean": columns["total"], "my layer": columns["carrier"], "month": columns["month"], "n": [0] * 3_000}
    got = cell_statistics(BACKENDS[backend](renamed), "__mean", ("month", "my layer"))
    assert got.layers == ("month", "my layer")
    assert {(b, a): value for (a, b), value in as_dict(got).items()}.keys() == exact_cells(columns).keys()


@pytest.mark.parametrize("backend", BACKENDS)
def test_integers_are_valid_totals(backend):
    columns = {"total": [2**31 - 1, 2**31 - 3, 5, 8], "carrier": list("aabb")}
    cells = cell_statistics(BACKENDS[backend](columns), "total", ["carrier"])
    assert cells.mean.tolist() == [2**31 - 2, 6.5]
    assert cells.sum_sq.tolist() == [2.0, 4.5]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "float32", "Int16", "Float64", "int64[pyarrow]"])
def test_narrow_and_nullable_numbers_are_valid_totals(dtype):
    frame = pd.DataFrame({"total": pd.array([100, 120, 90, 60], dtype=dtype), "carrier": list("aabb")})
    cells = cell_statistics(frame, "total", ["carrier"])
    assert cells.mean.tolist() == [110, 75]
    assert cells.sum_sq.tolist() == [200, 450]


def test_an_index_that_repeats_does_not_matter(columns, cells):
    frame = pd.DataFrame(columns)
    assert_same_cells(cell_statistics(frame.set_axis(frame.index % 7), "total", LAYERS), cells)


def test_categories_that_do_not_occur_are_no_contributors(columns, cells):
    frame = pd.DataFrame(columns)
    frame["carrier"] = pd.Categorical(frame["carrier"], categories=["never", *reversed(cells.labels["carrier"])])
    assert_same_cells(cell_statistics(frame, "total", LAYERS), cells)


def test_a_table_in_chunks_gives_the_same_cells(columns, cells):
    table = pa.table(columns)
    chunked = pa.concat_tables([table.slice(0, 10), table.slice(10, 0), table.slice(10)])
    assert_same_cells(cell_statistics(chunked, "total", LAYERS), cells)


TOTALS = {
    "Arrow in pandas": lambda x: pd.DataFrame({"total": pd.array(x, dtype="double[pyarrow]")}),
    "decimals of Arrow in pandas": lambda x: pd.DataFrame(
        {"total": pd.array([Decimal(str(v)) for v in x], dtype=pd.ArrowDtype(pa.decimal128(10, 2)))}
    ),
    "decimals of PyArrow": lambda x: pa.table({"total": pa.array([Decimal(str(v)) for v in x])}),
    "decimals of Polars": lambda x: pl.DataFrame({"total": [Decimal(str(v)) for v in x]}),
    "decimals of DuckDB": lambda x: duckdb.from_arrow(pa.table({"total": [Decimal(str(v)) for v in x]})),
    "float32 of Polars": lambda x: pl.DataFrame({"total": pl.Series(x, dtype=pl.Float32)}),
    "huge integers of DuckDB": lambda x: duckdb.from_arrow(pa.table({"total": x})).project("total::hugeint as total"),
}


@pytest.mark.parametrize("make", TOTALS.values(), ids=TOTALS)
def test_decimals_and_small_floats_are_valid_totals(make):
    frame = make([110.0, 120.0, 90.0, 60.0])
    layer = list("aabb")
    if isinstance(frame, pa.Table):
        frame = frame.append_column("carrier", [layer])
    elif isinstance(frame, pl.DataFrame):
        frame = frame.with_columns(carrier=pl.Series(layer))
    elif isinstance(frame, pd.DataFrame):
        frame["carrier"] = layer
    else:
        frame = frame.project("total, case when total > 100 then 'a' else 'b' end as carrier")
    cells = cell_statistics(frame, "total", ["carrier"])
    assert cells.mean.tolist() == [115, 75]
    assert cells.sum_sq.tolist() == [50, 450]


@pytest.mark.parametrize(("offset", "scale"), [(1e9, 1e-3), (-1e9, 1e-3), (0, 1e-9), (0, 1e12), (1e12, 1e9)], ids=str)
@pytest.mark.parametrize("backend", BACKENDS)
def test_totals_of_any_size_keep_their_spread(backend, offset, scale):
    rng = np.random.default_rng(11)
    x = offset + scale * rng.normal(size=400)
    columns = {"total": x, "carrier": ["UA", "AA"] * 200, "month": [1, 1, 2, 2] * 100}
    got = as_dict(cell_statistics(BACKENDS[backend](columns), "total", LAYERS))
    for key, (n, mean, sum_sq) in exact_cells(columns).items():
        assert got[key][0] == n
        assert got[key][1] == pytest.approx(mean, rel=1e-12)
        assert got[key][2] == pytest.approx(sum_sq, rel=1e-6)  # the totals themselves are rounded to 1e-7 at 1e9


@pytest.mark.parametrize("far", [1e8, -1e8])
@pytest.mark.parametrize("backend", BACKENDS)
def test_one_extreme_row_does_not_affect_other_cells(backend, far):
    columns = random_columns(0.0)
    columns["total"][0] = far  # the first row, alone in its cell
    got, expected = as_dict(cell_statistics(BACKENDS[backend](columns), "total", LAYERS)), exact_cells(columns)
    for key, (_, mean, sum_sq) in expected.items():
        assert got[key][1:] == pytest.approx((mean, sum_sq), rel=1e-10, abs=0)


def test_groups_with_very_different_spreads_keep_them():
    rng = np.random.default_rng(12)
    spreads = {"a": 1.0, "b": 1.8, "c": 4.7, "d": 8.5}
    layer = np.array(list(spreads))[np.arange(40_000) % 4]
    x = rng.normal(size=40_000) * np.vectorize(spreads.get)(layer)
    cells = cell_statistics(pd.DataFrame({"total": x, "layer": layer}), layers=["layer"])
    np.testing.assert_allclose(np.sqrt(cells.sum_sq / cells.n), list(spreads.values()), rtol=0.03)


FRAMES = {
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "polars lazy": lambda columns: pl.DataFrame(columns).lazy().with_columns(total=pl.col("total") + 0),
    "pyarrow": pa.table,
}


@pytest.mark.parametrize("kind", FRAMES)
def test_the_table_is_not_modified(kind, columns):
    frame = FRAMES[kind](columns)
    before = frame.copy(deep=True) if kind == "pandas" else pl.DataFrame(columns)
    cell_statistics(frame, "total", LAYERS)
    if kind == "pandas":
        pd.testing.assert_frame_equal(frame, before)
    else:
        after = pl.from_arrow(frame) if kind == "pyarrow" else frame.lazy().collect()
        assert after.equals(before)


@pytest.mark.parametrize("backend", BACKENDS)
def test_cells_far_from_each_other_keep_their_small_spreads(backend):
    assert_exact_spreads(BACKENDS[backend](far_apart()), far_apart())


@pytest.mark.parametrize("ascending", [True, False])
def test_rows_sorted_by_their_totals_lose_little(ascending):
    frame = pd.DataFrame(far_apart()).sort_values("total", ascending=ascending)
    # Sorted rows are the worst case of a running mean (Welford 1962); sum(x^2) - n mean^2 would be off by 1e-4.
    assert_exact_spreads(frame, far_apart(), rel=1e-8)


# --- labels ---


@pytest.mark.parametrize(
    ("labels", "dtype"),
    [
        ((2, 10), "int64"),
        ((0.5, 10.0), "float64"),
        ((False, True), "bool"),
        (("10", "9"), "str"),
        ((pd.Timestamp("2013-01-01"), pd.Timestamp("2013-02-01")), "datetime64[us]"),
        ((date(2013, 1, 1), date(2013, 2, 1)), "object"),
        (((1, "a"), (2, "b")), "object"),
        ((2**60 + 1, "b"), "object"),
    ],
    ids=str,
)
def test_labels_keep_their_type(labels, dtype):
    column = pd.Series([labels[1], labels[0]] * 2, dtype=dtype)
    frame = pd.DataFrame({"total": [1.0, 2.0, 3.0, 5.0], "layer": column, "as_category": column.astype("category")})
    for name in ("layer", "as_category"):
        cells = cell_statistics(frame, "total", [name])
        assert cells.labels[name] == labels
        table = cells.to_frame()
        assert table[name].tolist() == list(labels)
        assert table[name].dtype == column.dtype
        assert table["mean"].tolist() == [3.5, 2.0]


PANDAS_LABELS = {
    "dates": (date(2024, 1, 1), date(2024, 1, 2)),
    "times": (time(8), time(9)),
    "periods": tuple(pd.period_range("2024-01", periods=2, freq="M")),
    "intervals": tuple(pd.cut([1.0, 2.0], 2).categories),
    "decimals": (Decimal("1.10"), Decimal("2")),
    "tuples": ((1, "a"), (2, "b")),
    "bytes": (b"a", b"b"),
    "UUIDs": (UUID(int=1), UUID(int=2)),
    "integers and text": (2, "x"),
    "timestamps with a zone": tuple(
        pd.date_range("2024-10-27", periods=2, freq="h", tz="UTC").tz_convert("Europe/Berlin")
    ),
    "spans of time": (pd.Timedelta("1h"), pd.Timedelta("1D")),
    "truth values": (False, True),
    "codes with gaps": (3, 900),
}


@pytest.mark.parametrize("labels", PANDAS_LABELS.values(), ids=PANDAS_LABELS)
@pytest.mark.parametrize("dtype", [None, "object", "category"])
def test_any_hashable_label_fits(labels, dtype):
    column = pd.Series([labels[1], labels[0], labels[1], labels[0]], dtype=dtype)
    cells = cell_statistics(pd.DataFrame({"total": [1.0, 2.0, 3.0, 5.0], "layer": column}), layers=["layer"])
    assert cells.labels["layer"] == labels
    assert list(map(type, cells.labels["layer"])) == list(map(type, labels))
    assert cells.to_frame()["layer"].tolist() == list(labels)
    assert cells.mean.tolist() == [3.5, 2.0]


@pytest.mark.parametrize("make", [pa.table, pl.DataFrame, pl.LazyFrame, lambda c: duckdb.from_arrow(pa.table(c))])
@pytest.mark.parametrize("kind", ["dates", "times", "decimals", "bytes", "truth values"])
def test_labels_of_typed_tables_fit(make, kind):
    labels = PANDAS_LABELS[kind]
    frame = make({"total": [1.0, 2.0, 3.0, 5.0], "layer": [labels[1], labels[0]] * 2})
    cells = cell_statistics(frame, layers=["layer"])
    assert cells.labels["layer"] == labels
    assert list(map(type, cells.labels["layer"])) == list(map(type, labels))


def test_enumerations_of_polars_and_their_unused_members_fit():
    layer = pl.Series(["b", "a", "b", "a"], dtype=pl.Enum(["never", "b", "a"]))
    cells = cell_statistics(pl.DataFrame({"total": [1.0, 2.0, 3.0, 5.0], "layer": layer}), layers=["layer"])
    assert cells.labels["layer"] == ("a", "b")


def test_labels_that_do_not_compare_are_ordered():
    labels = ["x", 3, (1, 2), 2, "a"]
    frame = pd.DataFrame({"total": range(5), "layer": pd.Series(labels, dtype=object)})
    cells = cell_statistics(frame, "total", ["layer"])
    assert cells.labels["layer"] == (2, 3, "a", "x", (1, 2))
    assert_same_cells(cell_statistics(frame[::-1], "total", ["layer"]), cells)


@pytest.mark.parametrize(
    "labels",
    [(2, 10, "a"), (frozenset("a"), frozenset("ab"), frozenset("b")), (1j, 2j), ((1, None), (1, "a"))],
    ids=["numbers beside text", "sets", "complex", "tuples with None"],
)
def test_the_order_of_labels_does_not_depend_on_rows(labels):
    frame = pd.DataFrame({"total": [1.0, 2.0, 5.0][: len(labels)], "layer": pd.Series(labels, dtype=object)})
    orders = [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] if len(labels) == 3 else [[0, 1], [1, 0]]
    found = {cell_statistics(frame.iloc[order], layers=["layer"]).labels["layer"] for order in orders}
    assert len(found) == 1
    if 10 in labels:
        assert found == {(2, 10, "a")}


@pytest.mark.parametrize("backend", ["polars", "polars_lazy", "duckdb", "pyarrow"])
def test_dates_and_times_are_labels(backend):
    days = [datetime(2013, 1, 1), datetime(2013, 2, 1)]
    cells = cell_statistics(BACKENDS[backend]({"total": [1.0, 2.0, 4.0], "day": [*days, days[0]]}), "total", ["day"])
    assert cells.labels["day"] == tuple(days)


def test_simulated_labels_of_every_kind_can_be_cells():
    kinds = {(1, 2): (0, 1), "x": (1, 1), 3: (1, 2), 2.5: (0, 1)}
    data = mlm.LayeredSum.from_coefficients([{"all": (0, 1)}, kinds, {True: (0, 1), False: (1, 1)}]).simulate(500, 1)
    cells = cell_statistics(data, "total", ["layer_1", "layer_2"])
    assert set(cells.labels["layer_1"]) == set(kinds)
    assert cells.n_observations == 500


def test_to_frame_has_the_layers_then_the_statistics(cells):
    table = cells.to_frame()
    assert list(table.columns) == [*LAYERS, "n", "mean", "sum_sq"]
    assert len(table) == len(cells)
    key = list(table[LAYERS].itertuples(index=False, name=None))
    assert key == list(as_dict(cells))
    np.testing.assert_array_equal(table[["n", "mean", "sum_sq"]], np.column_stack([cells.n, cells.mean, cells.sum_sq]))


ODD_NAMES = ["a.b", "tool/chamber", "two words", "größe", "sample", "sigma", "*", "^a$", ".", 'a"b', " lead", "x`y"]


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_column_of_any_name_is_read_as_that_column(backend, name):
    columns = {"a": ["no"] * 4, "y": [1.0, 2.0, 3.0, 4.5], name: list("uvuv")}
    cells = cell_statistics(BACKENDS[backend](columns), "y", [name])
    assert cells.layers == (name,)
    assert cells.labels == {name: ("u", "v")}
    assert cells.mean.tolist() == [2.0, 3.25]
    columns = {"a": [0.0] * 4, name: [1.0, 2.0, 3.0, 4.5], "layer": list("uvuv")}
    assert cell_statistics(BACKENDS[backend](columns), name, ["layer"]).mean.tolist() == [2.0, 3.25]


@pytest.mark.parametrize("backend", BACKENDS)
def test_odd_names_are_named_in_messages(backend):
    columns = {"a.b": [1.0, 2.0, 3.0], "*": ["u", None, "v"]}
    with pytest.raises(ValueError, match=r"column '\*' has 1 missing label"):
        cell_statistics(BACKENDS[backend](columns), "a.b", ["*"])


# --- rows that lack a layer ---

NAN = float("nan")
LACKING = {
    "total": [1.0, 2.0, 3.0, 4.0, 5.5, 6.0, 8.0],
    "text": ["x", None, "y", "x", None, "y", None],
    "whole": [1, 1, 2, 2, 1, 2, 1],
    "number": [0.5, None, 1.5, None, 0.5, 1.5, NAN],
    "integer": [7, None, 9, 7, None, 9, None],
    "moment": [
        datetime(2024, 1, 1),
        None,
        datetime(2024, 1, 2),
        None,
        datetime(2024, 1, 1),
        datetime(2024, 1, 2),
        None,
    ],
}
MAY_LACK = ["text", "number", "integer", "moment"]


def lacking(**changes):
    return cell_statistics(
        pd.DataFrame(LACKING | changes), layers=["text", "number"], allow_absent=["text", "number"], partial=True
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_missing_label_is_an_absent_layer(backend):
    cells = cell_statistics(
        BACKENDS[backend](LACKING), layers=["text", "whole", "number"], allow_absent=["text", "number"]
    )
    assert cells.absent == {"text", "number"}
    assert cells.labels == {"text": ("x", "y"), "whole": (1, 2), "number": (0.5, 1.5)}
    assert as_dict(cells) == {
        (None, 1, None): (2, 5.0, 18.0),
        (None, 1, 0.5): (1, 5.5, 0.0),
        ("x", 1, 0.5): (1, 1.0, 0.0),
        ("x", 2, None): (1, 4.0, 0.0),
        ("y", 2, 1.5): (2, 4.5, 4.5),
    }
    assert cells.codes.tolist() == sorted(cells.codes.tolist())
    assert cells.codes.min() == -1


@pytest.mark.parametrize("layer", MAY_LACK)
@pytest.mark.parametrize("backend", BACKENDS)
def test_all_missing_labels_are_found_in_all_tables(backend, layer):
    frame = BACKENDS[backend](LACKING)
    cells = cell_statistics(frame, layers=[layer], allow_absent=[layer])
    present = [label is not None and label == label for label in LACKING[layer]]
    assert cells.n[cells.codes[:, 0] < 0].tolist() == [7 - sum(present)]
    assert cells.labels[layer] == tuple(sorted({x for x, there in zip(LACKING[layer], present, strict=True) if there}))
    with pytest.raises(ValueError, match=f"column '{layer}' has {7 - sum(present)} missing label"):
        cell_statistics(frame, layers=[layer])
    with pytest.raises(ValueError, match=f"column '{layer}' has {7 - sum(present)} missing label"):
        cell_statistics(frame, layers=["whole", layer], allow_absent=["whole"], partial=True)


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["x", pd.NA, "y", None, NAN], dtype=object),
        pd.Series(["x", None, "y", None, None], dtype="category"),
        pd.Series(["x", None, "y", None, None], dtype="string"),
        pd.Series([1, None, 2, None, None], dtype="Int64"),
        pd.Series([(1, 2), None, (1, 3), None, None], dtype=object),
        pd.Series([Decimal(1), None, Decimal(2), Decimal("NaN"), None], dtype=object),
        pd.Series(pd.PeriodIndex(["2024-01", "NaT", "2024-02", "NaT", "NaT"], freq="M")),
    ],
    ids=["object", "category", "string", "nullable", "tuples", "decimals", "periods"],
)
def test_all_missing_labels_of_pandas_share_one_cell(column):
    cells = cell_statistics(pd.DataFrame({"total": range(5), "a": column}), layers=["a"], allow_absent=["a"])
    assert cells.codes.ravel().tolist() == [-1, 0, 1]
    assert cells.n.tolist() == [3, 1, 1]
    assert cells.labels["a"] == (column[0], column[2])


def test_integers_that_pandas_made_floats_are_restored():
    cells = cell_statistics(pd.DataFrame(LACKING), layers=["integer"], allow_absent=["integer"])
    assert cells.labels["integer"] == (7, 9)
    assert {type(label) for label in cells.labels["integer"]} == {int}
    assert {type(label) for label in lacking().labels["number"]} == {float}


def test_counts_leave_out_the_rows_that_lack_the_layer():
    cells = lacking()
    assert cells.counts("text").tolist() == [2, 2]
    assert cells.counts("number").tolist() == [2, 2]


def test_the_design_has_no_entry_where_a_layer_is_absent():
    cells = lacking()
    expected = [[1, a == "x", a == "y", b == 0.5, b == 1.5] for a, b in as_dict(cells)]
    np.testing.assert_array_equal(cells.design().toarray(), expected)
    np.testing.assert_array_equal(cells.design().T @ cells.n, [7, 2, 2, 2, 2])


def test_to_frame_has_none_where_a_layer_is_absent():
    table = lacking().to_frame()
    assert table["text"].tolist() == [None, None, "x", "x", "y"]
    assert table["number"].tolist() == [None, 0.5, None, 0.5, 1.5]
    assert table["text"][0] is None
    assert table["n"].sum() == 7


def test_additive_fit_with_absent_layers_is_that_of_the_rows():
    truth = mlm.PRESETS["cc_27"]
    rows = truth.simulate(600, rng=3, absent={"layer_1": 0.1, "layer_2": 0.3})
    cells = cell_statistics(rows, layers=truth.names, allow_absent=truth.names)
    blocks = [rows[[name]].to_numpy() == np.array(cells.labels[name]) for name in truth.names]
    design = np.hstack([np.ones((600, 1)), *blocks]).astype(float)
    fit, _, rank, _ = np.linalg.lstsq(design, rows["total"])
    assert cells.rank() == rank == 8  # of 8: the rows that lack both layers show the baseline
    residual = rows["total"] - design @ fit
    assert cells.residual_variance() == pytest.approx(residual @ residual / (600 - rank), rel=1e-8)
    by_cell = dict(
        zip(
            rows[list(truth.names)].astype(object).where(rows.notna(), None).itertuples(index=False, name=None),
            design @ fit,
            strict=True,
        )
    )
    np.testing.assert_allclose(cells.additive_means(), [by_cell[key] for key in as_dict(cells)], atol=1e-6)


LACKING_ROWS = st.lists(
    st.tuples(
        st.floats(-1e6, 1e6, allow_subnormal=False), st.sampled_from([1, 2, None]), st.sampled_from(["", "ß", None])
    ),
    min_size=1,
    max_size=30,
)


def lacking_part(rows):
    frame = pd.DataFrame(rows, columns=["total", *LAYERS]).astype({"carrier": object, "month": object})
    return cell_statistics(frame, "total", LAYERS, partial=True, allow_absent=LAYERS)


@modest
@given(LACKING_ROWS)
def test_cells_with_absent_layers_equal_a_plain_computation_on_any_rows(rows):
    assert_plain_cells(as_dict(lacking_part(rows)), rows)


@modest
@given(LACKING_ROWS, LACKING_ROWS)
def test_parts_with_absent_layers_merge_to_the_whole(one, other):
    whole = lacking_part(one + other)
    assert_same_cells(lacking_part(one).merge(lacking_part(other)), whole, scale=size_of(one + other))


def test_a_part_may_lack_a_layer_everywhere_or_nowhere():
    everywhere = lacking(text=[None] * 7)
    assert everywhere.labels["text"] == ()
    assert everywhere.counts("text").tolist() == []
    assert everywhere.to_frame()["text"].tolist() == [None] * len(everywhere)
    assert everywhere.design().shape == (len(everywhere), 1 + 0 + 2)
    nowhere = lacking(text=list("xyxyxyx"))
    assert nowhere.codes[:, 0].min() == 0
    merged = everywhere.merge(nowhere)
    assert merged.labels["text"] == ("x", "y")
    assert merged.n[merged.codes[:, 0] < 0].sum() == 7
    merged.require_decomposable()


def test_a_layer_that_may_be_absent_needs_only_one_contributor():
    """A surcharge is there or not: the rows without it show what it adds."""
    frame = pd.DataFrame({"total": [1.0, 2.0, 3.0, 5.0], "surcharge": ["night", None, "night", None]})
    cells = cell_statistics(frame, layers=["surcharge"], allow_absent=["surcharge"])
    assert cells.labels["surcharge"] == ("night",)
    assert cells.rank() == 2


# --- merging ---


@modest
@given(ROWS, st.integers(0, 30))
def test_cells_of_two_halves_merge_to_the_whole(rows, at):
    at = 1 + at % max(len(rows) - 1, 1)
    parts = [part(half) for half in (rows[:at], rows[at:]) if half]
    assert_same_cells(reduce(Cells.merge, parts), part(rows), scale=size_of(rows))


@modest
@given(ROWS, ROWS)
def test_merging_is_commutative(one, other):
    a, b = part(one), part(other)
    assert_same_cells(a.merge(b), b.merge(a), scale=size_of(one + other))


@modest
@given(ROWS, ROWS, ROWS)
def test_merging_is_associative(one, two, three):
    a, b, c = part(one), part(two), part(three)
    assert_same_cells(a.merge(b).merge(c), a.merge(b.merge(c)), scale=size_of(one + two + three))


@settings(modest, max_examples=10)
@given(ROWS)
def test_single_rows_merge_to_the_whole(rows):
    assert_same_cells(reduce(Cells.merge, [part([row]) for row in rows]), part(rows), scale=size_of(rows))


# A mean is a 64-bit float: at 1e9 it is rounded to 1e-7, and what is computed from several means inherits that.
@pytest.mark.parametrize(("offset", "rtol"), [(0.0, 1e-10), (1e9, 1e-6)])
def test_shuffled_chunks_merge_to_the_whole(offset, rtol):
    frame = pd.DataFrame(random_columns(offset))
    shuffled = frame.sample(frac=1, random_state=3)
    chunks = [cell_statistics(shuffled[i::7], "total", LAYERS, partial=True) for i in range(7)]
    merged = reduce(Cells.merge, chunks)
    assert_same_cells(merged, cell_statistics(frame, "total", LAYERS), rtol=rtol)
    assert merged.n.dtype == np.int64


def test_chunks_without_a_common_label_merge_to_the_whole(columns, cells):
    frame = pd.DataFrame(columns)
    chunks = [chunk for _, chunk in frame.groupby("carrier")]
    parts = [cell_statistics(chunk, "total", LAYERS, partial=True) for chunk in chunks]
    assert all(len(cells.labels["carrier"]) == 1 for cells in parts)
    merged = reduce(Cells.merge, parts[::-1])
    assert_same_cells(merged, cells)
    assert merged.labels["carrier"] == cells.labels["carrier"]


def test_files_read_in_batches_merge_to_the_whole(tmp_path, columns, cells):
    frame = pd.DataFrame(columns)
    for i, rows in enumerate((slice(0, 1), slice(1, 900), slice(900, None))):
        frame[rows].to_parquet(tmp_path / f"{i}.parquet", row_group_size=250)
    files = pyarrow.dataset.dataset(tmp_path)
    batches = (pa.table(batch) for batch in files.to_batches(batch_size=200) if batch.num_rows)
    parts = [cell_statistics(batch, "total", LAYERS, partial=True) for batch in batches]
    assert len(parts) > 10
    assert_same_cells(reduce(Cells.merge, parts), cells)


def test_merging_changes_neither_part(columns):
    frame = pd.DataFrame(columns)
    halves = [cell_statistics(frame[i::2], "total", LAYERS) for i in (0, 1)]
    before = [as_dict(half) for half in halves]
    halves[0].merge(halves[1])
    assert [as_dict(half) for half in halves] == before


def test_a_part_alone_need_not_be_decomposable():
    alone = part([(1.0, 1, "a")])
    assert (alone.n.tolist(), alone.mean.tolist(), alone.sum_sq.tolist()) == ([1], [1.0], [0.0])
    merged = alone.merge(part([(3.0, 1, "a"), (3.0, 2, "b")]))
    assert merged.mean.tolist() == [2.0, 3.0]
    assert merged.sum_sq.tolist() == [2.0, 0.0]


def layer_part(labels, **options):
    frame = pd.DataFrame({"total": np.arange(len(labels)), "tool": pd.Series(labels, dtype=object)})
    return cell_statistics(frame, layers=["tool"], partial=True, **options)


@pytest.mark.parametrize(
    ("one", "other", "fragments"),
    [
        ([101, 102], ["101", "2A"], ["101 (int)", "'101' (str)"]),
        (["7", "8"], [7.0, 8.5], ["'7' (str)", "7.0 (float)"]),
        (["007", "008"], [7, 8], ["'007' (str)", "7 (int)"]),
        ([" 12 "], [12], ["' 12 ' (str)", "12 (int)"]),
        ([True], [1, 0], ["True (bool)", "1 (int)"]),
        ([True, False], ["True", "no"], ["True (bool)", "'True' (str)"]),
        ([date(2024, 1, 1)], ["2024-01-01"], ["datetime.date(2024, 1, 1) (date)", "'2024-01-01' (str)"]),
        ([date(2024, 1, 1)], [pd.Timestamp("2024-01-01")], ["(date)", "(Timestamp)"]),
        ([pd.Timestamp("2024-01-01 08:00")], ["2024-01-01T08:00:00"], ["(Timestamp)", "(str)"]),
        ([101, "x"], ["101", "x"], ["101 (int)", "'101' (str)"]),
    ],
    ids=str,
)
def test_parts_with_one_label_of_two_types_are_not_merged(one, other, fragments):
    for a, b in ((one, other), (other, one)):
        with pytest.raises(ValueError) as caught:
            layer_part(a).merge(layer_part(b))
        for fragment in ["layer 'tool'", *fragments, "dtype={'tool': str}"]:
            assert fragment in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ([1, 2], [2.0, 3.0], (1, 2, 3)),
        ([Decimal(1)], [1, 2], (1, 2)),
        (["7", "8"], ["07", "8"], ("07", "7", "8")),
        ([1, 2], ["x", "y"], (1, 2, "x", "y")),
        ([1, "x"], ["x", 1], (1, "x")),
        ([True], [False], (False, True)),
        ([101, "101"], [102], (101, 102, "101")),
    ],
    ids=str,
)
def test_parts_with_labels_that_differ_or_are_equal_are_merged(one, other, together):
    for a, b in ((one, other), (other, one)):
        assert layer_part(a).merge(layer_part(b)).labels["tool"] == together


# --- what is computed from cells ---


def dummies(columns):
    """Return totals and a full matrix of dummies, one row per observation."""
    blocks = [np.ones((len(columns["total"]), 1))]
    blocks += [np.array(columns[name])[:, None] == sorted(set(columns[name])) for name in LAYERS]
    return np.array(columns["total"]), np.hstack(blocks).astype(float)


def test_counts_are_those_of_the_rows(columns, cells):
    for name in LAYERS:
        expected = pd.Series(columns[name]).value_counts().sort_index()
        assert dict(zip(cells.labels[name], cells.counts(name), strict=True)) == expected.to_dict()
        assert cells.counts(name).dtype.kind == "i"
    assert cells.n_observations == 3_000


@pytest.mark.parametrize(("offset", "rel"), [(0.0, 1e-12), (1e9, 1e-6)])
def test_mean_and_variance_of_the_totals_are_those_of_all_rows(offset, rel):
    columns = random_columns(offset)
    mean, variance = cell_statistics(pd.DataFrame(columns), "total", LAYERS).total_moments()
    exact = [Fraction(x) for x in columns["total"].tolist()]
    center = sum(exact) / len(exact)
    assert mean == pytest.approx(float(center), rel=1e-14, abs=1e-14)
    assert variance == pytest.approx(float(sum((x - center) ** 2 for x in exact) / (len(exact) - 1)), rel=rel)


def test_variance_of_a_single_observation_is_zero():
    assert part([(2.0, 1, "a")]).total_moments() == (2.0, 0.0)


def test_the_design_has_a_baseline_and_each_cells_contributors(columns, cells):
    design = cells.design()
    labels = list(as_dict(cells))
    expected = [
        [1.0, *(a == x for x in cells.labels["carrier"]), *(b == x for x in cells.labels["month"])] for a, b in labels
    ]
    np.testing.assert_array_equal(design.toarray(), expected)
    np.testing.assert_array_equal(design.T @ cells.n, [3_000, *cells.counts("carrier"), *cells.counts("month")])


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_additive_means_are_the_least_squares_fit_of_the_rows(offset):
    columns = random_columns(offset)
    cells = cell_statistics(pd.DataFrame(columns), "total", LAYERS)
    x, design = dummies(columns)
    center = x.mean()
    fitted = center + design @ np.linalg.lstsq(design, x - center)[0]
    by_cell = {key: f for *key, f in zip(*(columns[name] for name in LAYERS), fitted, strict=True) for key in [(*key,)]}
    expected = [by_cell[key] for key in as_dict(cells)]
    np.testing.assert_allclose(cells.additive_means(), expected, rtol=0, atol=1e-6 + 1e-14 * offset)


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_residual_variance_is_that_of_the_least_squares_fit_of_the_rows(offset):
    columns = random_columns(offset)
    x, design = dummies(columns)
    fit, _, rank, _ = np.linalg.lstsq(design, x - x.mean())
    expected = np.sum((x - x.mean() - design @ fit) ** 2) / (len(x) - rank)
    cells = cell_statistics(pd.DataFrame(columns), "total", LAYERS)
    assert cells.residual_variance() == pytest.approx(expected, rel=1e-8)


def test_residual_variance_includes_the_interaction():
    rows = [(x, a, b) for a, b, x in ((0, "a", 1.0), (0, "b", -1.0), (1, "a", -1.0), (1, "b", 1.0))]
    assert part(rows).residual_variance() == pytest.approx(4.0)  # 4 rows, 3 means, residuals of 1


def test_residual_variance_counts_each_mean_once():
    rows = [(1.0, 0, "a"), (3.0, 0, "a"), (4.0, 1, "b")]  # two means, three rows, residuals of -1, 1 and 0
    assert part(rows).residual_variance() == pytest.approx(2.0)


def full_rank(codes):
    """Return the rank of the dummies, by dense linear algebra."""
    blocks = [code[:, None] == np.arange(code.max() + 1) for code in codes.T]
    return np.linalg.matrix_rank(np.hstack([np.ones((len(codes), 1)), *blocks]).astype(float))


def test_the_rank_is_that_of_the_design_on_random_small_tables():
    rng = np.random.default_rng(5)
    deficient = 0
    for _ in range(400):
        sizes = rng.integers(1, 6, size=rng.integers(1, 5))
        codes = np.unique(rng.integers(-1, sizes, size=(rng.integers(1, 20), len(sizes))), axis=0)
        assert rank_of_layers(codes) == full_rank(codes)
        free = 1 + sum(len(np.unique(code)) - 1 for code in codes.T)
        deficient += full_rank(codes) < min(free, len(codes))
    assert deficient > 10  # some of them are confounded


PUBLIC_RANKS = {
    "paste": (mlm.load_paste, "strength", ["batch", "sample"], 30),
    "paste with letters": (mlm.load_paste, "strength", ["batch", "cask"], 12),
    "gauge": (mlm.load_gauge, "impedance", ["part", "operator"], 12),
    "gauge with pairs": (
        lambda: mlm.load_gauge().assign(pair=lambda x: x["part"].astype(str) + x["operator"]),
        "impedance",
        ["part", "operator", "pair"],
        30,
    ),
}


@pytest.mark.parametrize(("load", "total", "layers", "rank"), PUBLIC_RANKS.values(), ids=PUBLIC_RANKS)
def test_residual_variance_of_nested_and_pair_layers_is_that_of_the_rows(load, total, layers, rank):
    rows = load()
    cells = cell_statistics(rows, total, layers)
    assert cells.rank() == rank
    design = np.hstack([np.ones((len(rows), 1)), *(pd.get_dummies(rows[name].astype(str)) for name in layers)])
    x = rows[total] - rows[total].mean()
    fit = np.linalg.lstsq(design.astype(float), x)[0]
    expected = np.sum((x - design @ fit) ** 2) / (len(rows) - rank)
    assert cells.residual_variance() == pytest.approx(expected, rel=1e-8)


def test_the_rank_of_a_large_table_is_exact_or_close():
    rng = np.random.default_rng(6)
    n, sizes = 30_000, (1_500, 500, 14)
    free = np.column_stack([rng.integers(0, m, n) for m in sizes])
    assert rank_of_layers(free) == sum(sizes) - 2
    # Twenty regions that share no contributor: each loses two directions, not all together.
    region = np.arange(n) % 20
    apart = np.column_stack([region * m + rng.integers(0, m, n) for m in (75, 25, 4)])
    exact = 20 * (75 + 25 + 4 - 2)
    assert abs(rank_of_layers(apart) - exact) < 5 * np.sqrt(2 * 38 / 8)
    # Two layers, and one in which both are nested, are exact at any size.
    assert rank_of_layers(apart[:, :2]) == 20 * (75 + 25 - 1)
    assert rank_of_layers(np.column_stack([region, apart[:, 0], region // 5])) == 20 * 75


def test_exactly_additive_totals_are_seen_at_any_offset():
    a, b = np.divmod(np.arange(63), 9)
    for offset, scale in ((0, 1), (1e9, 1), (1e9, 1e-3), (0, 1e-9)):
        exact = pd.DataFrame({"total": offset + scale * (np.sqrt(2 + a) + np.log(2 + b)), "a": a, "b": b})
        assert cell_statistics(exact, layers=["a", "b"]).exactly_additive()
        measured = exact.assign(total=exact["total"] + 0.1 * scale * np.sin(np.arange(63)))
        assert not cell_statistics(measured, layers=["a", "b"]).exactly_additive()


def test_labels_that_differ_in_spaces_case_or_type_are_listed():
    labels = ["Mill 1", "mill 1 ", "Mill  1", "Mill 2", 101, "101", "ﬁne", "FINE"]
    rows = pd.DataFrame({"total": range(8), "tool": pd.Series(labels, dtype=object), "day": range(8)})
    cells = cell_statistics(rows, layers=["tool", "day"])
    groups = cells.lookalikes()
    assert groups.keys() == {"tool"}
    assert sorted(map(set, groups["tool"]), key=len) == [
        {101, "101"},
        {"ﬁne", "FINE"},
        {"Mill 1", "mill 1 ", "Mill  1"},
    ]
    assert cell_statistics(rows, layers=["day"]).lookalikes() == {}


def test_layers_are_required_and_options_have_names():
    frame = pd.DataFrame({"total": [1.0, 2.0], "a": ["x", "y"]})
    with pytest.raises(TypeError, match="missing 1 required argument: 'layers'"):
        cell_statistics(frame)
    with pytest.raises(TypeError, match="positional"):
        cell_statistics(frame, "total", ["a"], True)
    kinds = {name: p.kind.name for name, p in inspect.signature(cell_statistics).parameters.items()}
    assert kinds["partial"] == kinds["allow_absent"] == "KEYWORD_ONLY"


@pytest.mark.parametrize(
    "rows",
    [
        [(1.0, 0, "a"), (2.0, 1, "b")],  # as many means as rows
        [(1.0, 0, "a"), (3.0, 0, "b"), (4.0, 1, "a"), (6.0, 1, "b")],  # exactly additive
    ],
    ids=["as many means as rows", "no residual"],
)
def test_residual_variance_falls_back_to_the_variance_of_all_totals(rows):
    assert part(rows).residual_variance() == np.var([row[0] for row in rows], ddof=1)


def test_repr_gives_the_sizes(cells):
    assert repr(cells) == f"<Cells: 3,000 observations in {len(cells)} cells; carrier: 6, month: 3>"


def test_means_of_cells_add_up_to_the_mean_of_the_rows(columns, cells):
    assert math.fsum(cells.n * cells.mean) == pytest.approx(math.fsum(columns["total"]), rel=1e-13)
