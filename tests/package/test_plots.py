"""Colors that every reader can distinguish, and figures that show their data."""

from itertools import combinations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from colorspacious import cspace_convert, deltaE

import mlm_tutorial as mlm

mpl.use("Agg")

PAIRS = list(combinations(mlm.COLORS, 2))
DEFICIENCIES = ["deuteranomaly", "protanomaly", "tritanomaly"]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def rgb(color):
    return np.array(mpl.colors.to_rgb(color))


def lightness(color):
    return cspace_convert(rgb(color), "sRGB1", "CIELab")[0]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_roles_differ_in_grayscale(first, second):
    # Ten units of CIELAB lightness are several just noticeable differences.
    assert abs(lightness(mlm.COLORS[first]) - lightness(mlm.COLORS[second])) > 10


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_roles_differ_for_color_blind_readers(first, second, deficiency):
    # Full dichromacy after Machado, Oliveira and Fernandes (2009), as colorspacious implements it.
    space = {"name": "sRGB1+CVD", "cvd_type": deficiency, "severity": 100}
    seen = [np.clip(cspace_convert(rgb(mlm.COLORS[role]), space, "sRGB1"), 0, 1) for role in (first, second)]
    assert deltaE(*seen, input_space="sRGB1") > 15


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_components_go_from_dark_to_light(n):
    shades = [lightness(color) for color in mlm.component_colors([str(i) for i in range(n)]).values()]
    assert np.min(np.diff(shades)) > 8


@pytest.mark.parametrize("role", ["truth", "estimate", "alternative"])
def test_lines_and_points_contrast_with_white(role):
    # Web Content Accessibility Guidelines 2.2, criterion 1.4.11: graphical objects need a contrast of 3.
    channels = rgb(mlm.COLORS[role])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    assert 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05) > 3


def posterior():
    rng = np.random.default_rng(1)
    labels = ["b", "a", "c"]
    return xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset(
                {
                    f"{kind}_layer_1": (
                        ("chain", "draw", "layer_1"),
                        rng.normal([3, 1, 2], 0.1, size=(2, 50, 3)),
                    )
                    for kind in ("mu", "sigma")
                },
                coords={"layer_1": labels},
            )
        }
    )


def test_contributors_are_drawn_from_largest_to_smallest_with_their_names():
    names = pd.Series({"a": "Anna", "b": "Bob", "c": "Cleo"})
    ax = mlm.plot_contributors(posterior(), "layer_1", names=names, unit="minutes")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Bob", "Cleo", "Anna"]
    assert "minutes" in ax.get_xlabel()


def test_true_values_are_drawn_beside_their_contributors():
    coefficients = {"a": (1, 4), "b": (2, 5), "c": (3, 6)}
    truth = mlm.LayeredSum.from_coefficients([{0: (0, 1)}, coefficients])
    ax = mlm.plot_contributors(posterior(), "layer_1", kind="sigma", truth=truth)
    (drawn,) = [line for line in ax.get_lines() if line.get_label() == "truth"]
    shown = [label.get_text() for label in ax.get_yticklabels()]
    assert [coefficients[label][1] for label in shown] == list(drawn.get_xdata())


def test_bars_of_a_decomposition_end_at_the_total():
    parts = xr.Dataset(
        {
            name: (("observation", "component"), values)
            for name, values in {"mean": [[1.0, 5.0, -2.0]], "sd": [[1.0, 1.0, 1.0]]}.items()
        },
        coords={"observation": [7], "component": ["baseline", "layer_1", "layer_2"]},
    )
    ax = mlm.plot_decomposition(parts, 7, {"layer_1": "first"}, unit="minutes")
    *bars, total = ax.patches
    assert [bar.get_x() for bar in bars] == [0, 1, 6]
    assert bars[-1].get_x() + bars[-1].get_width() == total.get_width() == 4
    assert [label.get_text() for label in ax.get_yticklabels()] == ["baseline", "first", "layer_2", "total"]


def test_calibration_names_the_curve_that_leaves_the_band():
    rng = np.random.default_rng(1)
    ranks = {"good": rng.integers(0, 101, 300), "bad": rng.integers(0, 70, 300)}
    ranks = xr.Dataset({name: ("simulation", x) for name, x in ranks.items()}, attrs={"n_ranks": 100})
    ax = mlm.plot_calibration(ranks, ci_prob=0.999)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["bad", "99.9% band"]
    assert ax.get_title() == "1 of 2 curves leave the band"


def test_recovery_marks_truth_and_interval_of_each_parameter():
    table = pd.DataFrame({"truth": [1.0], "mean": [2.0], "lower": [0.0], "upper": [3.0]}, index=["mu_baseline"])
    ax = mlm.plot_recovery(table)
    assert {text.get_text() for text in ax.get_legend().get_texts()} == {"89% interval", "posterior mean", "truth"}
