"""Comparing stored outputs with fresh ones: words, numbers, and allowed differences."""

import math

import numpy as np
import pandas as pd
import pytest

from tests.support.outputs import numbers, printed, shown, statuses, stream
from tools import comparison
from tools.outputs import read_outputs


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("mean +0.90, off by -1.4 of 1,234 rows", [0.90, -1.4, 1234.0]),
        ("cc_27 has layer_1 and x^2", [2.0]),
        ("p = 2.8e-38 (0, 5)", [2.8e-38, 0.0, 5.0]),
        ("from 2013-01-01 on", []),
        ("R-hat 1.01; 3 x 4", [1.01, 3.0, 4.0]),
        ("10,20 and 1,000", [10.0, 20.0, 1000.0]),
    ],
)
def test_numbers_are_found_but_not_in_names(text, values):
    assert numbers(printed(text)) == values


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0.3 s of sampling", "seconds"),
        ("took 12.5 ms", "seconds"),
        ("7 minutes", "seconds"),
        ("cells are 11,221 times faster", "seconds"),
        ("numpy 2.5.5", "versions"),
        ("2026-11-25 10:00", "dates"),
        ("0.3 sd", ""),
        ("12 samples", ""),
    ],
)
def test_times_and_versions_are_recognized(text, why):
    (token,) = [token for token in printed(text)[0].tokens if token.value is not None or token.unjudged]
    assert token.unjudged == why


def test_numbers_of_a_table_know_their_row_and_column():
    table = pd.DataFrame({"ess": [55.0, 3813.5], "sampling_seconds": [7.2, 0.3]}, index=["latent", "cells"])
    for shape, label in ((table, "cells, ess"), (table.T, "ess, cells")):
        tokens = [token for token in shown(shape)[0].tokens if token.value is not None]
        assert {token.label: token.value for token in tokens}[label] == 3813.5
        assert sorted(token.unjudged for token in tokens) == ["", "", "seconds", "seconds"]


def test_labels_of_rows_are_words_also_where_they_are_numbers():
    assert numbers(shown(pd.DataFrame({"mean": [0.5, 0.25]}, index=[10, 20]))) == [0.5, 0.25]


def test_table_with_several_levels_of_labels_keeps_its_columns():
    index = pd.MultiIndex.from_product([["a", "b"], ["c", "d"]])
    labels = [token.label for token in shown(pd.DataFrame({"x": range(4)}, index=index))[0].tokens if token.label]
    assert labels[0] == "a c, x"
    assert labels[2] == "b c, x"


def test_stream_in_pieces_is_one_output():
    pieces = read_outputs({"cells": [{"outputs": [stream("mean 1"), stream(".5\n")]}]})
    assert pieces == printed("mean 1.5\n")


def test_equal_outputs_are_the_same_however_wide_they_are_printed():
    assert statuses(printed("mean 1.0   sd 2"), printed("mean  1.0 sd   2")) == ["same", "same"]


def test_changed_exact_number_is_reported_despite_other_seeds():
    stored, fresh = printed("sum 419.82"), printed("sum 421.82")
    assert statuses(stored, fresh, fresh, [fresh] * 5) == ["changed"]


def test_last_digit_of_an_exact_number_is_rounding():
    stored, fresh = printed("log density 0.0020371"), printed("log density 0.0020372")
    assert statuses(stored, fresh, fresh, [fresh] * 5) == ["rounding"]
    stored, fresh = printed("12 cells"), printed("13 cells")  # a count does not round
    assert statuses(stored, fresh, fresh, [fresh] * 5) == ["changed"]


def runs_with(seeds, shift=0.0):
    return [printed(f"estimate {10 + shift + np.random.default_rng(seed).normal():.3f}") for seed in seeds]


def test_difference_within_the_spread_of_seeds_is_no_change():
    for seed in range(100, 140):
        (stored,) = runs_with([seed])
        (fresh,) = runs_with([seed + 1000])
        assert statuses(stored, fresh, fresh, runs_with(range(5))) == ["within"]


def test_difference_beyond_the_spread_of_seeds_is_a_change():
    (stored,), (fresh,) = runs_with([100], shift=20.0), runs_with([100])
    assert statuses(stored, fresh, fresh, runs_with(range(5))) == ["changed"]


def test_false_alarms_are_as_rare_as_said():
    rng = np.random.default_rng(5)
    alarms = 0
    for _ in range(500):
        runs = [printed(" ".join(f"{x:.5f}" for x in rng.normal(size=10))) for _ in range(7)]
        alarms += "changed" in statuses(runs[0], runs[1], runs[1], runs[2:])
    assert alarms <= 500 * comparison.FALSE_ALARM + 4 * math.sqrt(500 * comparison.FALSE_ALARM)


def test_p_values_are_compared_by_their_order_of_magnitude():
    others = [printed(f"p {p:.2g}") for p in (1e-30, 3e-36, 2e-41, 8e-33)]
    fresh = printed("p 5e-37")
    assert statuses(printed("p 4e-35"), fresh, fresh, others) == ["within"]
    assert statuses(printed("p 0.5"), fresh, fresh, others) == ["changed"]


def test_irreproducible_numbers_may_differ_by_a_factor():
    fresh, again = printed("rows x 6,900"), printed("rows x 7,012")
    for stored, status in (("7,440", "within"), ("14,000", "within"), ("70", "changed"), ("69,000", "changed")):
        assert statuses(printed(f"rows x {stored}"), fresh, again, [fresh] * 3) == [status]


def test_numbers_beside_varying_words_are_compared():
    def run(seed, x):
        return printed(f"start {'abcdefghi'[seed]}: {x:.3f}")

    others = [run(seed, x) for seed, x in enumerate((10.3, 9.1, 10.9, 9.6), start=1)]
    fresh = run(0, 10.0)
    assert statuses(run(0, 9.5), fresh, fresh, others) == ["within"]
    assert statuses(run(0, 95.0), fresh, fresh, others) == ["changed"]
    longer = [printed(f"{output[0].tokens[0].text} 1 2 3") for output in others]
    assert statuses(run(0, 95.0), fresh, fresh, longer) == ["words vary"]


def test_changed_words_are_a_change_unless_they_depend_on_the_seed():
    stored, fresh = printed("worst: mu_layer_1"), printed("worst: mu_layer_2")
    assert statuses(stored, fresh, fresh, [fresh, fresh]) == ["changed"]
    assert statuses(stored, fresh, fresh, [fresh, stored]) == ["words vary"]


def test_new_warning_or_missing_figure_is_a_change():
    cell = [stream("mean 1")]
    stored = read_outputs({"cells": [{"outputs": cell}]})
    warned = read_outputs({"cells": [{"outputs": [*cell, stream("DeprecationWarning: old", "stderr")]}]})
    figure = {"output_type": "display_data", "data": {"image/png": "x", "text/plain": "<Figure>"}}
    drawn = read_outputs({"cells": [{"outputs": [figure, *cell]}]})
    assert statuses(stored, warned) == statuses(drawn, stored) == ["changed"]
    (verdict,) = comparison.compare(stored, warned)
    assert (verdict.stored, verdict.fresh) == ("nothing", "stderr in cell 1")


def test_seconds_and_versions_never_count_as_changed():
    stored, fresh = printed("0.3 s\nnumpy 2.5.5"), printed("9.9 s\nnumpy 2.6.0")
    assert statuses(stored, fresh) == ["seconds", "versions"]
