"""Names and labels: any column can be a layer, and every label is found again in a posterior, also in a file."""

import enum
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from mlm_tutorial.names import (
    RESERVED,
    check_layer_names,
    coordinate_of,
    dim_of,
    is_missing,
    positions,
    text_of,
    variable_of,
)


class Line(enum.Enum):
    NORTH = 1
    SOUTH = 2


class Paint(str, enum.Enum):  # noqa: UP042 (str() of such a member is not its value)
    RED = "red"
    GREEN = "green"


BERLIN = tuple(pd.date_range("2024-10-27", periods=6, freq="h", tz="Europe/Berlin"))  # 2 o'clock occurs twice
KINDS = {
    "integers": (1, -5, 2**40),
    "numpy's integers": (np.int64(3), np.int8(4)),
    "integers that no file holds": (2**63, 1),
    "huge integers": (2**70, 3),
    "floats": (0.1 + 0.2, 1e300, float("inf"), -2.5),
    "an integer beside a float": (2**60 + 1, 0.5),
    "text": ("a", "", "ü ", "a/b", "日", "None", "nan"),
    "text that HDF5 cuts off": ("a\0", "a"),
    "text that has no UTF-8": ("\udc80", "b"),
    "numpy's text": (np.str_("x"), "y"),
    "truth values": (False, True),
    "numpy's truth values": (np.True_, np.False_),
    "dates": (date(2024, 1, 1), date(1, 1, 1)),
    "times": (time(8), time(9, 0, 0, 5), time(9, tzinfo=UTC)),
    "datetimes": (datetime(2024, 1, 1), datetime(2024, 1, 1, 6), datetime(9999, 1, 1)),
    "timestamps": tuple(pd.date_range("2024-01-01", periods=3, freq="7h")),
    "nanoseconds": (pd.Timestamp("2024-01-01 00:00:00.000000001"), pd.Timestamp("2024-01-01")),
    "timestamps with a zone": BERLIN,
    "timestamps with and without a zone": (pd.Timestamp("2024-01-01", tz="UTC"), pd.Timestamp("2024-01-01")),
    "a date beside its midnight": (date(2024, 1, 1), pd.Timestamp("2024-01-01")),
    "spans of time": (timedelta(1), pd.Timedelta("3h")),
    "periods": tuple(pd.period_range("2024-01", periods=3, freq="M")),
    "intervals": tuple(pd.cut([1.0, 2.0, 3.0], 3).categories),
    "decimals": (Decimal("1.10"), Decimal("2.5"), Decimal("3"), Decimal("1e400")),
    "fractions": (Fraction(1, 3), Fraction(1, 2)),
    "tuples": ((1, "a"), (1,), (), (None, "1"), ((1, 2), 3)),
    "bytes": (b"a", b"\0"),
    "UUIDs": (UUID(int=1), UUID(int=2)),
    "enumerations": (Line.NORTH, Line.SOUTH),
    "enumerations of text": (Paint.RED, Paint.GREEN),
    "sets": (frozenset("ab"), frozenset("a")),
    "complex numbers": (1j, 2 + 0j),
    "integers and text": (101, "x", 2.5),
    "101 and its text": (101, "101"),
    "truth values and their text": (True, "True", 1.5, "1.5"),
}
modest = settings(max_examples=200, deadline=None, derandomize=True)


def dataset_of(labels):
    values, written = coordinate_of(labels)
    coordinate = xr.Variable("layer", values, attrs={"written": written})
    return xr.Dataset({"mu": ("layer", np.arange(len(labels)))}, {"layer": coordinate})


def saved(dataset, path):
    dataset.to_netcdf(path, engine="h5netcdf")
    return xr.load_dataset(path, engine="h5netcdf")


# --- labels ---


@pytest.mark.parametrize("labels", KINDS.values(), ids=KINDS)
def test_every_label_is_found_again_also_in_a_file(labels, tmp_path):
    data = dataset_of(labels)
    for coordinate in (data["layer"], saved(data, tmp_path / "posterior.nc")["layer"]):
        assert positions(coordinate, labels).tolist() == list(range(len(labels)))
        assert positions(coordinate, labels[::-1]).tolist() == list(range(len(labels)))[::-1]


@pytest.mark.parametrize("labels", KINDS.values(), ids=KINDS)
def test_unknown_and_missing_labels_have_no_position(labels, tmp_path):
    coordinate = saved(dataset_of(labels), tmp_path / "posterior.nc")["layer"]
    others = [7, -0.25, "another", date(1999, 9, 9), ("z",), b"z", None, float("nan"), pd.NaT, pd.NA, Decimal("NaN")]
    assert positions(coordinate, others).tolist() == [-1] * len(others)


@pytest.mark.parametrize("numbers", [(0, 1), (0.0, 1.0, 2.5)], ids=str)
def test_truth_values_and_numbers_are_distinguished(numbers):
    of_numbers, of_truth = dataset_of(numbers)["layer"], dataset_of((False, True))["layer"]
    for truth in ((False, True), (np.False_, np.True_)):
        assert positions(of_numbers, truth).tolist() == [-1, -1]
        assert positions(of_truth, truth).tolist() == [0, 1]
        assert positions(xr.DataArray(list(numbers), dims="layer"), truth).tolist() == [-1, -1]
    assert positions(of_truth, (0, 1, 0.0, 1.0)).tolist() == [-1] * 4


@pytest.mark.parametrize(
    ("labels", "written"),
    [
        ((1, 2), [1, 2]),
        ((0.5, 2), [0.5, 2.0]),
        ((2**63, 1), ["9223372036854775808", "1"]),
        (("b", "a"), ["b", "a"]),
        ((True, False), ["True", "False"]),
        ((pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-01 06:00")), ["2024-01-01", "2024-01-01 06:00:00"]),
        (BERLIN[2:4], ["2024-10-27 02:00:00+02:00", "2024-10-27 02:00:00+01:00"]),
        ((pd.Period("2024-01", "M"), pd.Period("2024-02", "M")), ["2024-01", "2024-02"]),
        (tuple(pd.interval_range(0, 2)), ["(0, 1]", "(1, 2]"]),
        ((Decimal("1.10"), Decimal("3.00")), ["1.1", "3"]),
        (((1, "a"), (2, "b")), ["(1, 'a')", "(2, 'b')"]),
        ((101, "x"), ["101", "x"]),
        ((101, "101"), ["101", "'101'"]),
    ],
    ids=str,
)
def test_labels_are_written_as_a_reader_would_write_them(labels, written):
    assert coordinate_of(labels)[0] == written


@pytest.mark.parametrize(
    ("known", "same"),
    [
        ((101, 102), (101.0, Decimal(102))),
        ((101, "x"), (101.0, "x")),
        ((Decimal("1.10"), Decimal("2")), (Decimal("1.1"), 2)),
        (BERLIN, tuple(moment.tz_convert("Asia/Tokyo") for moment in BERLIN)),
        ((pd.Timestamp("2024-01-01"), pd.Timestamp("2024-02-01")), (datetime(2024, 1, 1), datetime(2024, 2, 1))),
        ((timedelta(1), timedelta(2)), (pd.Timedelta("1D"), pd.Timedelta("48h"))),
        (("red", "green"), (Paint.RED, Paint.GREEN)),
        ((np.int64(3), np.int64(4)), (3, 4)),
        ((frozenset("abcdef"), frozenset()), (frozenset("fedcba"), frozenset())),
    ],
    ids=lambda labels: type(labels[0]).__name__,
)
def test_equal_labels_of_another_type_are_found(known, same, tmp_path):
    assert known == same
    coordinate = saved(dataset_of(known), tmp_path / "posterior.nc")["layer"]
    assert positions(coordinate, same).tolist() == list(range(len(known)))


def test_equal_times_are_found_in_every_zone_and_library():
    coordinate = dataset_of(BERLIN)["layer"]
    for zone in (UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("Europe/London"), ZoneInfo("Asia/Tokyo")):
        labels = [moment.to_pydatetime().astimezone(zone) for moment in BERLIN]
        assert positions(coordinate, labels).tolist() == list(range(len(BERLIN)))
    assert positions(coordinate, [BERLIN[2].tz_localize(None)]).tolist() == [-1]


LABELS = st.one_of(
    st.integers(),
    st.text(max_size=4),
    st.booleans(),
    st.floats(allow_nan=False),
    st.dates(),
    st.datetimes(),
    st.timedeltas(),
    st.decimals(allow_nan=False, places=2),
    st.binary(max_size=3),
    st.tuples(st.integers(0, 3), st.text(max_size=2)),
)


@modest
@given(st.lists(LABELS, min_size=1, max_size=8, unique=True))
def test_labels_of_any_mixture_are_found_again(labels):
    assert positions(dataset_of(labels)["layer"], labels).tolist() == list(range(len(labels)))


def test_a_coordinate_without_attribute_is_read_as_is_or_as_text():
    moments = pd.date_range("2024-01-01", periods=2)
    for values in (moments.to_numpy(), moments.to_numpy().astype("datetime64[ns]"), ["2024-01-01", "2024-01-02"]):
        coordinate = xr.DataArray(values, dims="layer")
        for labels in (list(moments), [moment.date() for moment in moments], moments.to_pydatetime()):
            assert positions(coordinate, labels).tolist() == [0, 1]
    assert positions(xr.DataArray([False, True], dims="layer"), [True, False, 1, 0]).tolist() == [1, 0, -1, -1]
    assert positions(xr.DataArray(["1", "2"], dims="layer"), [2, "1", 3]).tolist() == [1, 0, -1]


def test_a_set_has_the_same_text_in_every_process():
    code = "from mlm_tutorial.names import text_of; print(text_of(frozenset(['a', 'b', 'c', ('d', 1)])))"
    texts = {
        subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True).stdout
        for seed in ("1", "2", "3")
    }
    assert texts == {b"{'a', 'b', 'c', ('d', 1)}\n"}
    assert text_of(frozenset("ba")) == "{'a', 'b'}"


def test_labels_with_the_same_text_are_refused():
    class Twin:
        def __repr__(self):
            return "twin"

    with pytest.raises(ValueError, match="two labels are both written as twin"):
        coordinate_of([Twin(), Twin()])


@pytest.mark.parametrize("label", [None, float("nan"), np.nan, pd.NaT, pd.NA, Decimal("NaN")], ids=str)
def test_missing_labels_are_recognized(label):
    assert is_missing(label)


@pytest.mark.parametrize("label", [0, "", "nan", (), (None,), (1, None), b"", False, pd.Interval(0, 1)], ids=str)
def test_other_labels_are_not_missing(label):
    assert not is_missing(label)


# --- names ---

FREE = [
    *("s", "sigma", "cells", "offset", "mu_offset", "contributor", "variance_part", "cell_n", "cell_codes"),
    *("cell_statistics", "start_sigma", "scale", "spread", "floor", "variance", "totals", "layer", "sample", "cell"),
    *(
        "parameter",
        "statistic",
        "tool/chamber",
        "a.b",
        "two words",
        " lead",
        "größe",
        "日",
        "*",
        "^a$",
        ".",
        "..",
        "%s",
    ),
    *("a'b", 'a"b', "x`y", "a\nb", "a:b", "a\\b", "a[b]", "{x}", "index", "1", "mu", "tau", "Total", "a\0b"),
]


@pytest.mark.parametrize("name", FREE)
def test_a_column_of_any_name_can_be_a_layer_and_be_saved(name, tmp_path):
    check_layer_names([name, "another"])
    dim, variable = dim_of(name), variable_of("mu", name)
    data = xr.Dataset({variable: (dim, [1.0, 2.0])}, {dim: ["p", "q"]})
    xr.DataTree.from_dict({"/posterior": data}).to_netcdf(tmp_path / "tree.nc", engine="h5netcdf")
    loaded = xr.load_datatree(tmp_path / "tree.nc", engine="h5netcdf")["posterior"].to_dataset()
    xr.testing.assert_equal(loaded, data)


@pytest.mark.parametrize(
    ("layers", "fragments"),
    [
        ([""], ["empty"]),
        *([[name], [f"'{name}' cannot name a layer", "rename"]] for name in sorted(RESERVED)),
        (["__n"], ["'__n'"]),
        (["mlm_scale"], ["'mlm_scale'"]),
        (["x", "mu_x"], ["'mu_x'", "'x'", "rename"]),
        (["sigma_x", "x"], ["'sigma_x'", "'x'", "rename"]),
        (["x", "tau_x"], ["'tau_x'", "'x'"]),
        (["mu_baseline"], ["'mu_baseline'", "'baseline'"]),
        (["tool/chamber", "tool_chamber"], ["'tool/chamber'", "'tool_chamber'", "both"]),
    ],
    ids=str,
)
def test_reserved_names_are_refused(layers, fragments):
    with pytest.raises(ValueError) as caught:
        check_layer_names(layers)
    for fragment in fragments:
        assert fragment in str(caught.value)


def test_variables_of_layers_that_are_accepted_never_share_a_name():
    names = ["x", "mu", "sigma", "floor", "y", "a_b", "b", "a", "tau", "spread"]
    check_layer_names(names)
    kinds = ("mu", "sigma", "tau", "floor", "spread", "y", "z")
    variables = [variable_of(kind, name) for kind in kinds for name in names]
    assert len({*variables, *map(dim_of, names)}) == len(variables) + len(names)
