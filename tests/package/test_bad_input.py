"""Bad input raises the right type of error, and the message says what was expected, what arrived, and where.

KeyError for what does not exist, TypeError for the wrong type, ValueError for the rest.
"""

from decimal import Decimal

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import mlm_tutorial as mlm
from tests.support.backends import BACKENDS, EAGER

NAN, INF = float("nan"), float("inf")
BASELINE = {0: (0, 5)}
PAIR = {"a": (0, 1), "b": (0, 1)}
CC_12 = mlm.PRESETS["cc_12"]


def assert_raises(call, error, fragments):
    """Check that the call raises exactly this error, with every fragment in its message."""
    with pytest.raises(error) as caught:
        call()
    # `except` accepts subclasses, but an error raised by narwhals or NumPy does not say what to do.
    assert caught.type is error
    for fragment in fragments:
        assert fragment in str(caught.value)


def case(name, call, error, *fragments):
    return pytest.param(call, error, fragments, id=name)


def build(*coefficients, names=None):
    return lambda: mlm.LayeredSum.from_coefficients(list(coefficients), names=names)


def simulate(**arguments):
    return lambda: CC_12.simulate(**{"n": 10, "rng": 0} | arguments)


def draw(*arguments, **keywords):
    return lambda: mlm.draw_layered_sum(*arguments, rng=0, **keywords)


# --- the truth of a simulation ---

TRUTH = [
    case(
        "zero sigma", build(BASELINE, {"a": (0, 1), "b": (0, 0)}), ValueError, "'layer_1'", "'b'", "positive", "got 0"
    ),
    case("negative sigma", build({"all": (0, -5)}), ValueError, "'baseline'", "'all'", "positive", "got -5"),
    case("infinite sigma", build({0: (0, INF)}), ValueError, "'baseline'", "finite", "inf"),
    case("missing sigma", build({0: (0, NAN)}), ValueError, "'baseline'", "finite", "nan"),
    case("missing mean", build({0: (NAN, 1)}), ValueError, "mean must be finite", "nan"),
    case("sigma left out", build({0: (1,)}), TypeError, "'baseline'", "pair (mean, standard deviation)", "(1,)"),
    case("sigma as text", build({0: (1, "2")}), TypeError, "'baseline'", "pair", "(1, '2')"),
    case("text as pair", build({0: "12"}), TypeError, "'baseline'", "pair", "'12'"),
    case("number as pair", build({0: 12}), TypeError, "'baseline'", "pair", "12"),
    case("None as label", build(BASELINE, {None: (0, 1), 1: (0, 1)}), ValueError, "'layer_1'", "None", "missing"),
    case("NaN as label", build(BASELINE, {NAN: (0, 1), 1: (0, 1)}), ValueError, "'layer_1'", "nan", "missing"),
    case("one contributor", build(BASELINE, {"x": (0, 1)}), ValueError, "'layer_1'", "'x'", "single", "sum to zero"),
    case("no contributor", build(BASELINE, {}), ValueError, "'layer_1'", "no contributors", "at least one"),
    case("list as layer", build(BASELINE, [(0, 1)]), TypeError, "'layer_1'", "mapping", "list"),
    case("two baselines", build(PAIR), ValueError, "baseline", "exactly one", "got 2", "['a', 'b']"),
    case("nothing", build(), ValueError, "empty", "baseline"),
    case("one mapping", lambda: mlm.LayeredSum.from_coefficients(PAIR), TypeError, "list", "dict"),
    case("too few names", build(BASELINE, PAIR, PAIR, names=["x"]), ValueError, "expected 2 names", "got 1", "'x'"),
    case("names as text", build(BASELINE, PAIR, names="x"), TypeError, "list of strings", "'x'"),
    case("names as number", build(BASELINE, PAIR, names=3), TypeError, "list of strings", "got 3"),
    case("number as name", build(BASELINE, PAIR, names=[3]), TypeError, "non-empty string", "got 3"),
    case("empty name", build(BASELINE, PAIR, names=[""]), TypeError, "non-empty string", "''"),
    case("name twice", build(BASELINE, PAIR, PAIR, names=["x", "x"]), ValueError, "'x' is taken", "two columns"),
    case("layer named total", build(BASELINE, PAIR, names=["total"]), ValueError, "'total' is taken"),
    case("layer named as a part", build(BASELINE, PAIR, PAIR, names=["x", "y_x"]), ValueError, "'y_x' is taken"),
    case("layer of the model's own", build(BASELINE, PAIR, names=["chain"]), ValueError, "'chain' cannot name a layer"),
    case("layer named as a variable", build(BASELINE, PAIR, PAIR, names=["x", "mu_x"]), ValueError, "'mu_x'", "'x'"),
    case("one name for two", build(BASELINE, PAIR, PAIR, names=["a/b", "a_b"]), ValueError, "'a/b'", "'a_b'", "both"),
    case(
        "combinations of sigma", lambda: build(BASELINE, PAIR, names=["sigma"])().combinations(), ValueError, "'sigma'"
    ),
    case("centered, no layer", lambda: CC_12.centered(absent=["layer_2"]), ValueError, "no layer named", "'layer_2'"),
    case("centered, a text", lambda: CC_12.centered(absent="layer_1"), TypeError, "list of names", "'layer_1'"),
    case("centered, a number", lambda: CC_12.centered(absent=1), TypeError, "list of names", "got 1"),
    case("baseline unnamed", lambda: mlm.LayeredSum(mlm.Layer("x", BASELINE), []), ValueError, "'baseline'", "'x'"),
    case("no Layer", lambda: mlm.LayeredSum(CC_12.baseline, [PAIR]), TypeError, "Layer", "{'a': (0, 1)"),
    case("one Layer", lambda: mlm.LayeredSum(CC_12.baseline, CC_12.layers[0]), TypeError, "list of Layer", "got Layer"),
    case("no list", lambda: mlm.LayeredSum(CC_12.baseline, 5), TypeError, "list of Layer", "int"),
    case("unknown layer", lambda: CC_12["layer_2"], KeyError, "'layer_2'", "['baseline', 'layer_1']"),
    case("unknown preset", lambda: mlm.PRESETS["cc_13"], KeyError, "'cc_13'", "cc_12, cc_22, cc_27, cc_14, cc_343"),
]

SIMULATE = [
    case("n zero", simulate(n=0), ValueError, "n must be at least 1", "got 0"),
    case("n negative", simulate(n=-3), ValueError, "n must be at least 1", "got -3"),
    case("n fraction", simulate(n=2.0), TypeError, "n must be an integer", "2.0"),
    case("n text", simulate(n="2"), TypeError, "n must be an integer", "'2'"),
    case("n bool", simulate(n=True), TypeError, "n must be an integer", "True"),
    case("rng text", simulate(rng="x"), TypeError, "int", "x"),
    case("p list", simulate(probabilities=[0.5, 0.5]), TypeError, "map a layer's name", "list", "layer_1"),
    case("p text", simulate(probabilities="ab"), TypeError, "map a layer's name", "str"),
    case("p unknown", simulate(probabilities={"layer_2": [1]}), ValueError, "no layer named", "'layer_2'", "'layer_1'"),
    case("p short", simulate(probabilities={"layer_1": [1]}), ValueError, "'layer_1'", "2 probabilities", "(1,)"),
    case("p number", simulate(probabilities={"layer_1": 0.5}), ValueError, "'layer_1'", "2 probabilities", "()"),
    case("p words", simulate(probabilities={"layer_1": ["a", "b"]}), TypeError, "'layer_1'", "numbers", "['a', 'b']"),
    case("p sum", simulate(probabilities={"layer_1": [0.5, 0.6]}), ValueError, "'layer_1'", "sum to 1", "1.1"),
    case("p negative", simulate(probabilities={"layer_1": [1.5, -0.5]}), ValueError, "non-negative", "[1.5, -0.5]"),
    case("p NaN", simulate(probabilities={"layer_1": [0.5, NAN]}), ValueError, "'layer_1'", "nan"),
    case(
        "p labels", simulate(probabilities={"layer_1": {0: 0.5, 2: 0.5}}), ValueError, "'layer_1'", "[0, 1]", "[0, 2]"
    ),
    case("p lacks one", simulate(probabilities={"layer_1": {0: 1}}), ValueError, "'layer_1'", "[0, 1]", "[0]"),
    case("absent unknown", simulate(absent={"layer_2": 0.1}), ValueError, "no layer named", "'layer_2'", "'layer_1'"),
    case("absent baseline", simulate(absent={"baseline": 0.1}), ValueError, "no layer named", "'baseline'"),
    case("absent negative", simulate(absent={"layer_1": -0.1}), ValueError, "'layer_1'", "from 0", "got -0.1"),
    case("absent always", simulate(absent={"layer_1": 1}), ValueError, "'layer_1'", "not including 1", "got 1"),
    case("absent NaN", simulate(absent={"layer_1": NAN}), ValueError, "'layer_1'", "got nan"),
    case("absent text", simulate(absent={"layer_1": "0.1"}), TypeError, "'layer_1'", "number", "'0.1'"),
    case("absent bool", simulate(absent={"layer_1": True}), TypeError, "'layer_1'", "number", "True"),
    case("absent None", simulate(absent={"layer_1": None}), TypeError, "'layer_1'", "number", "None"),
    case("absent list", simulate(absent=["layer_1"]), TypeError, "map a layer's name", "list", "layer_1"),
    case("absent share", simulate(absent=0.1), TypeError, "map a layer's name", "float", "layer_1"),
    case("p combinations", lambda: CC_12.combinations({"x": [1]}), ValueError, "no layer named", "'x'", "'layer_1'"),
]

DRAW = [
    case("baseline of two", draw([2, 2]), ValueError, "begin with 1", "[2, 2]"),
    case("empty", draw([]), ValueError, "begin with 1", "[]"),
    case("single contributor", draw([1, 3, 1]), ValueError, "'layer_2'", "single", "sum to zero"),
    case("no contributor", draw([1, 0]), ValueError, "positive", "got 0", "layer 1"),
    case("fraction", draw([1, 2.5]), TypeError, "integers", "2.5", "layer 1"),
    case("bool", draw([1, True]), TypeError, "integers", "True", "layer 1"),
    case("number", draw(3), TypeError, "list of integers", "got 3"),
    case("text", draw("12"), TypeError, "list of integers", "'12'"),
    case("mu_scale zero", draw([1, 2], mu_scale=0), ValueError, "mu_scale", "positive", "got 0"),
    case("mu_scale infinite", draw([1, 2], mu_scale=INF), ValueError, "mu_scale", "finite", "inf"),
    case("mu_scale text", draw([1, 2], mu_scale="1"), TypeError, "mu_scale", "number", "'1'"),
    case("log_sigma_mean NaN", draw([1, 2], log_sigma_mean=NAN), ValueError, "log_sigma_mean", "finite", "nan"),
    case("log_sigma_mean None", draw([1, 2], log_sigma_mean=None), TypeError, "log_sigma_mean", "number", "None"),
]


@pytest.mark.parametrize(("call", "error", "fragments"), TRUTH)
def test_a_bad_truth_is_refused(call, error, fragments):
    assert_raises(call, error, fragments)


@pytest.mark.parametrize(("call", "error", "fragments"), SIMULATE)
def test_a_bad_simulation_is_refused(call, error, fragments):
    assert_raises(call, error, fragments)


@pytest.mark.parametrize(("call", "error", "fragments"), DRAW)
def test_a_bad_random_truth_is_refused(call, error, fragments):
    assert_raises(call, error, fragments)


def test_a_contributor_without_rows_is_not_in_the_cells():
    truth = mlm.PRESETS["cc_343"]
    data = truth.simulate(100, rng=0, probabilities={"layer_1": [0.5, 0.5, 0, 0]})
    assert mlm.cell_statistics(data, "total", truth.names).labels["layer_1"] == (0, 1)


# --- tables of observations: all functions that read one refuse the same input ---

GOOD = {
    "total": [1.5, 2.0, 4.0, 3.0, 7.0],
    "a": ["x", "y", "x", "y", "y"],
    "b": [1, 2, 2, 1, 1],
    "c": [0.5, 1.5, 0.5, 1.5, 1.5],
}


def good_frame():
    return pd.DataFrame(GOOD)


def cells_of(*arguments, **keywords):
    return mlm.cell_statistics(*arguments, **keywords)


def model_of(*arguments, **keywords):
    return mlm.observation_model(*arguments, **keywords)


# Every backend through cell_statistics, one eager and one lazy one through observation_model (PyMC is imported late).
READERS = [pytest.param(cells_of, name, id=f"cell_statistics-{name}") for name in BACKENDS] + [
    pytest.param(model_of, name, id=f"observation_model-{name}") for name in ("pandas", "polars_lazy")
]
ON_EVERY_TABLE = pytest.mark.parametrize(("read", "backend"), READERS)


def changed(backend, **columns):
    return BACKENDS[backend](GOOD | columns)


@ON_EVERY_TABLE
def test_the_good_table_is_accepted(read, backend):
    assert read(BACKENDS[backend](GOOD), "total", ["a", "b"]) is not None


@pytest.mark.parametrize(
    ("total", "layers", "missing"),
    [("totl", ["a"], "totl"), ("total", ["a", "bb"], "bb"), ("total", ["A"], "A"), ("Total", ["a"], "Total")],
)
@ON_EVERY_TABLE
def test_a_missing_column_is_named_with_the_existing_ones(read, backend, total, layers, missing):
    frame = BACKENDS[backend](GOOD)
    assert_raises(lambda: read(frame, total, layers), KeyError, [f"no column '{missing}'", "total, a, b, c"])


@pytest.mark.parametrize(
    ("total", "layers", "twice"), [("total", ["a", "b", "a"], "a"), ("total", ["a", "total"], "total")]
)
@ON_EVERY_TABLE
def test_a_column_requested_twice_is_named(read, backend, total, layers, twice):
    frame = BACKENDS[backend](GOOD)
    assert_raises(lambda: read(frame, total, layers), ValueError, [f"column '{twice}' is named 2 times", "differ"])


@pytest.mark.parametrize(
    "make",
    [
        lambda: pd.DataFrame([[1.0, 2.0, "x"], [2.0, 1.0, "y"]], columns=["total", "total", "a"]),
        lambda: pa.table([[1.0, 2.0], [2.0, 1.0], ["x", "y"]], names=["total", "total", "a"]),
        lambda: duckdb.sql("select 1.0 as total, 2.0 as total, 'x' as a"),
    ],
    ids=["pandas", "pyarrow", "duckdb"],
)
@pytest.mark.parametrize("read", [cells_of, model_of])
def test_a_table_with_two_columns_of_one_name_is_refused(read, make):
    frame = make()
    assert_raises(lambda: read(frame, "total", ["a"]), ValueError, ["more than one column named 'total'"])


@pytest.mark.parametrize(
    ("total", "kinds"),
    [(["1", "2", "3", "4", "5"], ["String", "Categorical"]), ([True, False, True, False, False], ["Boolean"])],
    ids=["text", "booleans"],
)
@ON_EVERY_TABLE
def test_totals_must_be_numbers(read, backend, total, kinds):
    with pytest.raises(TypeError, match=f"column 'total' must be numeric, got ({'|'.join(kinds)}); convert it"):
        read(changed(backend, total=total), "total", ["a"])


@pytest.mark.parametrize(
    "column", [np.array([1, 2, 3, 4, 5], dtype=object), pd.to_timedelta(range(5)), np.arange(5) * 1j], ids=str
)
def test_totals_that_only_look_like_numbers_are_refused(column):
    frame = good_frame().assign(total=column)
    assert_raises(lambda: cells_of(frame, "total", ["a"]), TypeError, ["column 'total' must be numeric", "got "])


@pytest.mark.parametrize(
    ("total", "fragments"),
    [
        (["1,234.5", "2,000", "1", "2", "3"], ["'1,234.5'", "str.replace(',', '')", "thousands=','", "decimal=','"]),
        ([None, "1", "2", "3", "4"], ["'1'", "pandas.to_numeric(frame['total'])"]),
        ([Decimal("1.5")] * 5, ["Decimal('1.5')", "frame['total'].astype(float)"]),
        (pd.to_timedelta(range(5), unit="h"), ["frame['total'].dt.total_seconds()"]),
        ([None] * 5, ["convert it to numbers first"]),
    ],
    ids=["thousands", "text", "decimals", "spans of time", "nothing"],
)
def test_a_refusal_of_totals_says_how_to_convert_them(total, fragments):
    frame = good_frame().assign(total=pd.Series(total, dtype=None if len(fragments) == 1 else object))
    assert_raises(lambda: cells_of(frame, "total", ["a"]), TypeError, ["column 'total' must be numeric", *fragments])


@pytest.mark.parametrize("index", ["a", ["a", "b"], ["total", "a"]], ids=str)
def test_a_column_in_the_index_is_reported_as_such(index):
    frame = good_frame().set_index(index)
    missing = "total" if "total" in index else "a"
    fragments = [f"no column '{missing}'", f"'{missing}' is in the index", "reset_index()"]
    assert_raises(lambda: cells_of(frame, "total", ["a"]), KeyError, fragments)


def test_a_missing_column_is_not_reported_in_the_index():
    with pytest.raises(KeyError) as caught:
        cells_of(good_frame().set_index("b"), "total", ["z"])
    assert "index" not in str(caught.value)


def test_multi_level_columns_are_refused_with_advice():
    frame = pd.DataFrame([[1.0, "x"], [2.0, "y"]], columns=pd.MultiIndex.from_tuples([("total", ""), ("tool", "id")]))
    way = "frame.columns = ['_'.join(map(str, c)) for c in frame.columns]"
    assert_raises(lambda: cells_of(frame, "total", ["tool"]), KeyError, ["several levels", way])
    assert_raises(
        lambda: cells_of(frame, ("total", ""), ["tool"]), TypeError, ["must be strings", "('total', '')", way]
    )
    frame.columns = ["_".join(map(str, c)) for c in frame.columns]
    assert cells_of(frame, "total_", ["tool_id"]).n_observations == 2


def test_numeric_column_names_are_refused_with_advice():
    frame = pd.DataFrame([[1.0, "x"], [2.0, "y"]])
    way = "frame.columns = frame.columns.map(str)"
    assert_raises(lambda: cells_of(frame, 0, [1]), TypeError, ["names must be strings, got 0", way])
    assert_raises(lambda: cells_of(frame, "0", [1]), TypeError, ["names must be strings, got 1", way])
    assert_raises(lambda: cells_of(frame, "0", ["1"]), KeyError, ["no column '0'", "it has 0, 1", way])
    frame.columns = frame.columns.map(str)
    assert cells_of(frame, "0", ["1"]).n_observations == 2


LISTS, STRUCTS = [[1], [2], [1], [2], [2]], [{"k": 1}, {"k": 2}] * 2 + [{"k": 1}]


@pytest.mark.parametrize(("values", "kind", "first"), [(LISTS, "list", "[1]"), (STRUCTS, "struct", "{'k': 1}")])
@pytest.mark.parametrize("backend", [name for name in BACKENDS if not name.endswith(("categorical", "dictionary"))])
def test_lists_and_structs_are_refused_as_labels(backend, values, kind, first):
    kind = {"list": "list", "struct": "dict"}[kind] if backend == "pandas" else kind
    fragments = ["column 'd' holds", kind, first, "hashed", "frame['d'].map(str)"]
    assert_raises(lambda: cells_of(changed(backend, d=values), "total", ["b", "d"]), TypeError, fragments)


@pytest.mark.parametrize("bad", [[3], {3}, {"k": 3}, (1, [2]), np.array([1])], ids=str)
def test_the_first_label_that_cannot_be_hashed_is_shown(bad):
    column = pd.Series(["x", "y", bad, "x", [9]], dtype=object)
    fragments = ["column 'd'", f"a {type(bad).__name__} in row 2 (counted from 0)", repr(bad)]
    assert_raises(lambda: cells_of(good_frame().assign(d=column), "total", ["a", "d"]), TypeError, fragments)


def test_labels_that_cannot_be_grouped_are_refused():
    table = pa.table(GOOD).append_column("d", pa.array([bytes(16)] * 5, pa.uuid()))
    assert_raises(lambda: cells_of(table, "total", ["d"]), TypeError, ["'d'", "uuid", "Convert the labels to text"])


ABSENCE = [
    case(
        "no layer",
        lambda: cells_of(good_frame(), layers=["a"], allow_absent=["b"]),
        ValueError,
        "'b'",
        "no layer",
        "'a'",
    ),
    case(
        "total", lambda: cells_of(good_frame(), layers=["a"], allow_absent=["total"]), ValueError, "'total'", "no layer"
    ),
    case("text", lambda: cells_of(good_frame(), layers=["a"], allow_absent="a"), TypeError, "list of names", "'a'"),
    case("bool", lambda: cells_of(good_frame(), layers=["a"], allow_absent=True), TypeError, "list of names", "True"),
    case("None", lambda: cells_of(good_frame(), layers=["a"], allow_absent=None), TypeError, "list of names", "None"),
]


@pytest.mark.parametrize(("call", "error", "fragments"), ABSENCE)
def test_layers_that_may_be_absent_must_be_layers(call, error, fragments):
    assert_raises(call, error, fragments)


def cells_with_absence(frame, total, layers, **options):
    return mlm.cell_statistics(frame, total, layers, allow_absent=["a"], **options)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_layer_that_is_absent_in_every_row_is_refused(backend):
    frame = changed(backend, a=pd.array([None] * 5, dtype="string") if backend.startswith("pandas") else [None] * 5)
    fragments = ["layer 'a' is absent in every row", "leave it out"]
    assert_raises(lambda: cells_with_absence(frame, "total", ["b", "a"]), ValueError, fragments)
    assert cells_with_absence(frame, "total", ["b", "a"], partial=True).labels["a"] == ()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_layer_that_is_never_absent_is_not_declared(backend):
    frame = BACKENDS[backend](GOOD)
    fragments = ["layer 'a' is in allow_absent", "every row has a label", "take 'a' out of allow_absent"]
    assert_raises(lambda: cells_with_absence(frame, "total", ["b", "a"]), ValueError, fragments)
    assert cells_with_absence(frame, "total", ["b", "a"], partial=True).labels["a"] == ("x", "y")


@pytest.mark.parametrize("bad", [NAN, INF, -INF, None], ids=str)
@ON_EVERY_TABLE
def test_bad_totals_are_counted_and_the_first_is_shown(read, backend, bad):
    frame = changed(backend, total=[1.0, 2.0, bad, 4.0, bad])
    where = "row 2" if backend in EAGER else "labels {'a': 'x', 'b': 2}"
    fragments = ["column 'total'", "2 missing or infinite totals", "first", where]
    assert_raises(lambda: read(frame, "total", ["a", "b"]), ValueError, fragments)


@pytest.mark.parametrize(
    ("column", "values"),
    [("a", ["x", None, "x", "y", None]), ("c", [0.5, NAN, 0.5, 1.5, NAN]), ("c", [0.5, None, 0.5, 1.5, None])],
    ids=["None in text", "NaN in numbers", "None in numbers"],
)
@ON_EVERY_TABLE
def test_missing_labels_are_counted_and_the_first_is_shown(read, backend, column, values):
    frame = changed(backend, **{column: values})
    where = "row 1" if backend in EAGER else "total 2.0"
    fragments = [f"column '{column}'", "2 missing labels", "first", where, "leave its row out", "allow_absent"]
    assert_raises(lambda: read(frame, "total", ["b", column]), ValueError, fragments)


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["x", pd.NA, "y", "x", "y"], dtype=object),
        pd.Series(["x", NAN, 3, "x", 3], dtype=object),
        pd.Series([1, None, 2, 1, 2], dtype="Int64"),
        pd.to_datetime(pd.Series(["2013-01-01", None, "2013-02-01", "2013-01-01", "2013-02-01"])),
    ],
    ids=["object", "mixed", "nullable", "time"],
)
def test_all_missing_labels_of_pandas_are_found(column):
    frame = good_frame().assign(a=column)
    assert_raises(lambda: cells_of(frame, "total", ["a"]), ValueError, ["column 'a' has 1 missing label", "row 1"])


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "float64[pyarrow]"])
def test_all_missing_totals_of_pandas_are_found(dtype):
    frame = good_frame().assign(total=pd.array([1, 2, 3, None, 4], dtype=dtype))
    assert_raises(lambda: cells_of(frame, "total", ["a"]), ValueError, ["column 'total' has 1 missing", "row 3"])


@ON_EVERY_TABLE
def test_a_table_without_rows_is_refused(read, backend):
    if backend.startswith("pandas"):
        frame = good_frame().iloc[:0]
    elif backend == "duckdb":
        frame = BACKENDS[backend](GOOD).filter("false")
    elif backend.startswith("polars"):
        frame = BACKENDS[backend](GOOD).head(0)
    else:
        frame = BACKENDS[backend](GOOD).slice(0, 0)
    assert_raises(lambda: read(frame, "total", ["a"]), ValueError, ["frame is empty", "expected two observations"])


@ON_EVERY_TABLE
def test_a_single_observation_is_refused(read, backend):
    frame = BACKENDS[backend]({"total": [1.0], "a": ["x"]})
    assert_raises(lambda: read(frame, "total", ["a"]), ValueError, ["expected two observations at least", "got 1"])


@ON_EVERY_TABLE
def test_a_layer_with_a_single_contributor_is_refused(read, backend):
    frame = changed(backend, a=["x"] * 5)
    fragments = ["layer 'a' has a single contributor, 'x'", "sum to zero", "leave the layer out"]
    assert_raises(lambda: read(frame, "total", ["b", "a"]), ValueError, fragments)


@pytest.mark.parametrize("total", [0.1, -1e9 + 0.1, 3.0])
@ON_EVERY_TABLE
def test_equal_totals_are_refused_although_they_are_rounded(read, backend, total):
    frame = BACKENDS[backend]({"total": [total] * 30, "a": list("xyyzzz") * 5})
    assert_raises(lambda: read(frame, "total", ["a"]), ValueError, [f"all totals are equal ({total:g})", "no spread"])


ARGUMENTS = [
    ("total", "a", TypeError, ["layers must be a list", "'a'"]),
    ("total", None, TypeError, ["layers must be a list", "None"]),
    ("total", 3, TypeError, ["layers must be a list", "3"]),
    ("total", ["a", 1], TypeError, ["names must be strings", "got 1"]),
    (1, ["a"], TypeError, ["names must be strings", "got 1"]),
    (None, ["a"], TypeError, ["names must be strings", "got None"]),
    ("total", [], ValueError, ["layers is empty", "at least one"]),
]


@pytest.mark.parametrize(("total", "layers", "error", "fragments"), ARGUMENTS)
@pytest.mark.parametrize("read", [cells_of, model_of])
def test_column_names_must_be_strings(read, total, layers, error, fragments):
    assert_raises(lambda: read(good_frame(), total, layers), error, fragments)


@pytest.mark.parametrize(
    "name", ["baseline", "total", "n", "mean", "sum_sq", "chain", "draw", "observation", "component", "__n", "mlm_x"]
)
@pytest.mark.parametrize("read", [cells_of, model_of])
def test_a_layer_cannot_have_a_name_that_models_use(read, name):
    frame = good_frame().rename(columns={"total": "y", "a": name})
    assert_raises(lambda: read(frame, "y", [name]), ValueError, [f"'{name}' cannot name a layer", "rename"])


@pytest.mark.parametrize(
    ("layers", "fragments"),
    [
        ([""], ["empty", "rename"]),
        (["a", "mu_a"], ["'mu_a'", "beside 'a'", "rename"]),
        (["sigma_a", "a"], ["'sigma_a'", "beside 'a'", "rename"]),
        (["tool/chamber", "tool_chamber"], ["'tool/chamber'", "'tool_chamber'", "rename"]),
    ],
    ids=str,
)
def test_two_layers_cannot_share_a_name_in_a_model(layers, fragments):
    frame = pd.DataFrame({"total": [1.0, 2.0, 4.0]} | dict.fromkeys(layers, ["x", "y", "x"]))
    assert_raises(lambda: cells_of(frame, "total", layers), ValueError, fragments)


@pytest.mark.parametrize("frame", [GOOD, np.zeros((3, 2)), [1, 2], None, "total", pd.Series([1.0], name="total")])
@pytest.mark.parametrize("read", [cells_of, model_of])
def test_other_objects_than_tables_are_refused(read, frame):
    fragments = ["expected a data frame", "pandas, Polars, PyArrow, DuckDB", f"got {type(frame).__name__}"]
    assert_raises(lambda: read(frame, "total", ["a"]), TypeError, fragments)


# --- cells and models ---


def part(**columns):
    return mlm.cell_statistics(pd.DataFrame(GOOD | columns), "total", ["a", "b"], partial=True)


def priors(**changed):
    return mlm.Priors(**{"baseline_mu": 0, "baseline_mu_sd": 1, "mu_sd": 1, "sigma_scale": 1} | changed)


def known(given):
    return lambda: mlm.Priors.from_cells(part(), known_sigma=given)


MODELS = [
    case("merge with a frame", lambda: part().merge(good_frame()), TypeError, "expected Cells", "DataFrame"),
    case(
        "merge other layers",
        lambda: part().merge(mlm.cell_statistics(good_frame(), "total", ["b", "a"])),
        ValueError,
        "same layers",
        "('a', 'b')",
        "('b', 'a')",
    ),
    case(
        "merge other absences",
        lambda: part().merge(mlm.cell_statistics(good_frame(), layers=["a", "b"], partial=True, allow_absent=["b"])),
        ValueError,
        "same allow_absent",
        "[]",
        "['b']",
    ),
    case(
        "merge numbers with their text",
        lambda: part().merge(part(b=list("12211"))),
        ValueError,
        "'b'",
        "1 (int)",
        "'1' (str)",
    ),
    case("counts of no layer", lambda: part().counts("z"), ValueError, "'z'", "('a', 'b')"),
    case("cell model of a frame", lambda: mlm.cell_model(good_frame()), TypeError, "expected Cells", "DataFrame"),
    case(
        "cell model of one contributor", lambda: mlm.cell_model(part(a=["x"] * 5)), ValueError, "'a'", "single", "'x'"
    ),
    case("cell model of equal totals", lambda: mlm.cell_model(part(total=[2.0] * 5)), ValueError, "equal (2)"),
    case(
        "cell model of one observation",
        lambda: mlm.cell_model(mlm.cell_statistics(good_frame()[:1], "total", ["a"], partial=True)),
        ValueError,
        "two observations",
        "got 1",
    ),
    case(
        "unknown coordinates",
        lambda: mlm.cell_model(part(), coordinates="logs"),
        ValueError,
        "coordinates 'logs'",
        "identified, log",
    ),
    case(
        "unknown parametrization",
        lambda: mlm.observation_model(good_frame(), "total", ["a"], parametrization="non-centered"),
        ValueError,
        "parametrization 'non-centered'",
        "marginal, noncentered, centered",
    ),
    case("known sigma of no component", known({"z": 1}), ValueError, "no layer named 'z'", "('a', 'b')"),
    case("known sigma of no label", known({"a": {"z": 1}}), ValueError, "known_sigma['a'] names 'z'"),
    case("known sigma negative", known({"a": -1}), ValueError, "known_sigma['a'] must be zero or positive", "-1"),
    case("known sigma infinite", known({"a": {"x": INF}}), ValueError, "known_sigma['a']['x']", "finite", "inf"),
    case("known sigma text", known({"a": "1"}), TypeError, "known_sigma['a'] must be a number", "'1'"),
    case("known sigma no mapping", known(0), TypeError, "known_sigma must map a component", "0"),
    case("baseline known by label", known({"baseline": {"x": 1}}), TypeError, "known_sigma['baseline']", "number"),
    case("no variance left", known({"baseline": 0, "a": 0, "b": 0}), ValueError, "without variance", "'a'", "'b'"),
    case(
        "no variance left in some cells",
        known({"baseline": 0, "a": {"x": 0}, "b": 0}),
        ValueError,
        "leaves the totals of {'a': 'x', 'b': ",
    ),
    case("pooled by position", lambda: mlm.Priors.from_cells(part(), True), TypeError, "positional"),
    case("priors by position", lambda: mlm.Priors(0, 1, 1, 1), TypeError, "positional"),
    case("pooled is not a truth value", lambda: priors(pooled="a"), TypeError, "pooled must be True or False", "'a'"),
    case("priors of another kind", lambda: mlm.cell_model(part(), {"mu_sd": 1}), TypeError, "mlm.Priors", "dict"),
    case("layers are required", lambda: mlm.observation_model(good_frame(), "total"), TypeError, "'layers'"),
    case("baseline_mu NaN", lambda: priors(baseline_mu=NAN), ValueError, "baseline_mu must be finite", "nan"),
    case(
        "baseline_mu_sd zero", lambda: priors(baseline_mu_sd=0), ValueError, "baseline_mu_sd must be positive", "got 0"
    ),
    case("mu_sd negative", lambda: priors(mu_sd=-1), ValueError, "mu_sd must be positive", "-1"),
    case("mu_sd of a layer", lambda: priors(mu_sd={"a": 1, "b": 0}), ValueError, "mu_sd must be", "'b': 0"),
    case("sigma_scale infinite", lambda: priors(sigma_scale=INF), ValueError, "sigma_scale", "finite", "inf"),
    case("sigma_scale text", lambda: priors(sigma_scale="x"), TypeError, "sigma_scale must be a number"),
    case("mu_sd lacks a layer", lambda: mlm.cell_model(part(), priors(mu_sd={"a": 1})), ValueError, "mu_sd", "'b'"),
    case(
        "sigma_scale lacks the baseline",
        lambda: mlm.observation_model(good_frame(), "total", ["a"], priors=priors(sigma_scale={"a": 1})),
        ValueError,
        "sigma_scale",
        "'baseline'",
    ),
]


@pytest.mark.parametrize(("call", "error", "fragments"), MODELS)
def test_a_bad_model_is_refused(call, error, fragments):
    assert_raises(call, error, fragments)


def test_all_incomplete_columns_are_named_at_once():
    frame = pd.DataFrame({"total": [1.0, np.nan, 3.0, 4.0], "a": ["x", "y", None, "y"], "b": [None, "u", "v", None]})
    fragments = ["'total' has 1 missing", "Also incomplete: 'a' (1), 'b' (2)", "leave its row out"]
    assert_raises(lambda: mlm.cell_statistics(frame, "total", ["a", "b"]), ValueError, fragments)
