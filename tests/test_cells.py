"""Cells: the same statistics from every table, in every order, from every way of cutting the rows."""

import math
from datetime import date, datetime
from fractions import Fraction
from functools import reduce

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pytest
from backends import BACKENDS
from hypothesis import given, settings
from hypothesis import strategies as st

import mlm_tutorial as mlm
from mlm_tutorial import Cells, cell_statistics

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
    labels = [[cells.labels[name][k] for k in cells.codes[:, j]] for j, name in enumerate(cells.layers)]
    return dict(zip(zip(*labels, strict=True), zip(cells.n, cells.mean, cells.sum_sq, strict=True), strict=True))


def assert_same_cells(one, other, scale=0.0, rtol=1e-10):
    """Check that two Cells agree to rounding; `scale` is the size of the totals, whose rounding is inherited."""
    assert one.layers == other.layers
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


@modest
@given(ROWS)
def test_cells_equal_a_plain_computation_on_any_rows(rows):
    got = as_dict(part(rows))
    expected = exact_cells(dict(zip(["total", *LAYERS], zip(*rows, strict=True), strict=True)))
    scale = size_of(rows)
    assert got.keys() == expected.keys()
    for key, (n, mean, sum_sq) in expected.items():
        assert got[key][0] == n
        assert got[key][1] == pytest.approx(mean, rel=1e-12, abs=1e-14 * scale)
        assert got[key][2] == pytest.approx(sum_sq, rel=1e-10, abs=1e-13 * scale**2)


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
def test_whole_numbers_are_totals_too(backend):
    columns = {"total": [2**31 - 1, 2**31 - 3, 5, 8], "carrier": list("aabb")}
    cells = cell_statistics(BACKENDS[backend](columns), "total", ["carrier"])
    assert cells.mean.tolist() == [2**31 - 2, 6.5]
    assert cells.sum_sq.tolist() == [2.0, 4.5]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "float32", "Int16", "Float64", "int64[pyarrow]"])
def test_narrow_and_nullable_numbers_are_totals_too(dtype):
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


def test_labels_that_do_not_compare_have_an_order_all_the_same():
    labels = ["x", 3, (1, 2), 2, "a"]
    frame = pd.DataFrame({"total": range(5), "layer": pd.Series(labels, dtype=object)})
    cells = cell_statistics(frame, "total", ["layer"])
    assert cells.labels["layer"] == (2, 3, "a", "x", (1, 2))
    assert_same_cells(cell_statistics(frame[::-1], "total", ["layer"]), cells)


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


def test_a_part_may_be_what_the_whole_may_not():
    alone = part([(1.0, 1, "a")])
    assert (alone.n.tolist(), alone.mean.tolist(), alone.sum_sq.tolist()) == ([1], [1.0], [0.0])
    merged = alone.merge(part([(3.0, 1, "a"), (3.0, 2, "b")]))
    assert merged.mean.tolist() == [2.0, 3.0]
    assert merged.sum_sq.tolist() == [2.0, 0.0]


# --- what is computed from cells ---


def dummies(columns):
    """Return totals and a full matrix of dummies, one row an observation."""
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
def test_pooled_mean_and_variance_are_those_of_all_rows(offset, rel):
    columns = random_columns(offset)
    mean, variance = cell_statistics(pd.DataFrame(columns), "total", LAYERS).pooled()
    exact = [Fraction(x) for x in columns["total"].tolist()]
    center = sum(exact) / len(exact)
    assert mean == pytest.approx(float(center), rel=1e-14, abs=1e-14)
    assert variance == pytest.approx(float(sum((x - center) ** 2 for x in exact) / (len(exact) - 1)), rel=rel)


def test_pooled_variance_of_a_single_observation_is_zero():
    assert part([(2.0, 1, "a")]).pooled() == (2.0, 0.0)


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


def test_residual_variance_sees_the_interaction_and_not_only_the_spread_within_cells():
    rows = [(x, a, b) for a, b, x in ((0, "a", 1.0), (0, "b", -1.0), (1, "a", -1.0), (1, "b", 1.0))]
    assert part(rows).residual_variance() == pytest.approx(4.0)  # 4 rows, 3 means, residuals of 1


@pytest.mark.parametrize(
    "rows",
    [
        [(1.0, 0, "a"), (2.0, 1, "b")],  # as many means as rows
        [(1.0, 0, "a"), (3.0, 0, "b"), (4.0, 1, "a"), (6.0, 1, "b")],  # exactly additive
        [(1.0, 0, "a"), (3.0, 0, "a"), (4.0, 1, "b")],  # layers that move together: fewer means than contributors
    ],
    ids=["as many means as rows", "no residual", "confounded layers"],
)
def test_residual_variance_falls_back_to_the_variance_of_all_totals(rows):
    assert part(rows).residual_variance() == np.var([row[0] for row in rows], ddof=1)


def test_repr_says_how_much_there_is(cells):
    assert repr(cells) == f"<Cells: 3,000 observations in {len(cells)} cells; carrier: 6, month: 3>"


def test_means_of_cells_add_up_to_the_mean_of_the_rows(columns, cells):
    assert math.fsum(cells.n * cells.mean) == pytest.approx(math.fsum(columns["total"]), rel=1e-13)
