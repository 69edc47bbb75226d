"""New rows whose labels may mean others than in the fit are reported: moved contributors and labels that look alike."""

import linecache
import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import mlm_tutorial as mlm
from mlm_tutorial.models import places_of
from tests.support.posteriors import posterior_of_arrays, random_values

LABELS = {"tool": ["A", "B"], "lot": [1, 2, 3, 4], "day": ["Mon", "Tue"]}
LAYERS = list(LABELS)
#: Lots 1 and 2 are of tool A, 3 and 4 of B; every lot is measured on both days.
NESTED = [(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 2, 0), (1, 2, 1), (1, 3, 0), (1, 3, 1)]
CALLS = {
    "predict": lambda fit, frame, layers: mlm.predict(fit, frame, layers),
    "log_predictive_density": lambda fit, frame, layers: mlm.log_predictive_density(fit, frame, "total", layers),
    "decompose": lambda fit, frame, layers: mlm.decompose(fit, frame, "total", layers),
}
each_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


def fit_of(codes, absent=(), labels=LABELS):
    """Return a posterior of pooled layers with the cells that it was fitted to."""
    fit = posterior_of_arrays(labels, random_values(labels, pooled=LAYERS, absent=absent), absent)
    places = places_of(np.array(codes), [len(labels) for labels in LABELS.values()])
    fit["constant_data"] = xr.Dataset({"mlm_codes": (("mlm_cell", "mlm_layer"), places)}, {"mlm_layer": LAYERS})
    return fit


def rows(*labels):
    return pd.DataFrame(labels, columns=LAYERS).assign(total=10.0)


@each_call
@pytest.mark.parametrize("layers", [LAYERS, LAYERS[::-1]])
def test_a_lot_of_another_tool_is_reported_at_the_line_of_the_call(call, layers):
    frame = rows(("A", 1, "Mon"), ("A", 3, "Tue"), ("B", 2, "Mon"), ("B", 4, "Mon"))
    with pytest.warns(
        UserWarning, match="but 2 of 4 rows differ: in the first, lot 3 is of tool A, .*of tool B"
    ) as one:
        call(fit_of(NESTED), frame, layers)
    assert len(one) == 1
    assert one[0].filename == __file__
    assert "lambda fit, frame, layers: mlm." in linecache.getline(__file__, one[0].lineno)


def test_a_known_lot_of_a_new_tool_is_reported():
    with pytest.warns(UserWarning, match="lot 3 is of tool C, and in the fit it was of tool B"):
        mlm.predict(fit_of(NESTED), rows(("C", 3, "Mon")), LAYERS)


@pytest.mark.parametrize(
    ("codes", "frame"),
    [
        pytest.param(NESTED, rows(("A", 1, "Mon"), ("B", 4, "Tue")), id="as in the fit"),
        pytest.param(NESTED, rows(("A", 9, "Mon"), ("C", 9, "Mon")), id="a new lot"),
        pytest.param([*NESTED, (0, 2, 0)], rows(("B", 1, "Mon")), id="crossed by one row"),
    ],
)
def test_other_rows_are_not(codes, frame):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mlm.predict(fit_of(codes), frame, LAYERS)


@pytest.mark.parametrize(("lot", "reported"), [(None, False), (3, True)])
def test_rows_may_lack_the_nested_layer(lot, reported):
    frame = rows(("A", lot, "Mon"), ("A", 1, "Mon")).astype({"lot": object})
    fit = fit_of([*NESTED, (0, -1, 0)], absent=["lot"])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mlm.predict(fit, frame, LAYERS)
    assert bool(caught) == reported


@pytest.mark.parametrize(
    ("lot", "advice"), [(3, "a label of its own, such as 'A:3'$"), ("B-3", "a label that is not in the fit$")]
)
def test_advice_on_labels_depends_on_whether_they_are_joined(lot, advice):
    labels = LABELS | {"lot": [f"{'AB'[k // 2]}-{k + 1}" for k in range(4)] if lot == "B-3" else LABELS["lot"]}
    with pytest.warns(UserWarning, match=advice):
        mlm.predict(fit_of(NESTED, labels=labels), rows(("A", lot, "Mon")), LAYERS)


@pytest.mark.parametrize(("label", "alike"), [("1", 1), ("wed", None), (5, None)])
def test_a_new_label_that_looks_like_a_known_one_is_reported(label, alike):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mlm.predict(fit_of([*NESTED, (0, 2, 0)]), rows(("A", label, "Mon")), LAYERS)
    assert bool(caught) == (alike is not None)
    if caught:
        assert f"lot {label!r} is new" in str(caught[0].message)
        assert f"the fit has {alike!r}" in str(caught[0].message)
        assert caught[0].filename == __file__


def test_a_fit_without_its_cells_is_not_asked():
    fit = fit_of(NESTED)
    del fit["constant_data"]
    mlm.predict(fit, rows(("A", 3, "Mon")), LAYERS)


def test_a_label_without_the_group_that_it_was_joined_with_is_reported():
    labels = LABELS | {"lot": ["A:1", "A:2", "B:1", "B:2"]}
    with pytest.warns(UserWarning, match="lot '2' is new, .* the fit has 'B:2'. If the two are the same"):
        mlm.predict(fit_of(NESTED, labels=labels), rows(("B", "2", "Mon")), LAYERS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mlm.predict(fit_of(NESTED, labels=labels), rows(("B", "B:3", "Mon")), LAYERS)
