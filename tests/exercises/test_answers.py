"""Reading answers and wording hints: whole sentences, libraries by name, pairs of any kind, numbers from `rng`."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray as xr
from scipy import stats

import mlm_tutorial as mlm
from mlm_tutorial.exercises.answered_posteriors import hierarchical_moments
from mlm_tutorial.exercises.answers import (
    Answer,
    Hint,
    Result,
    describe,
    expect_numbers_from_rng,
    frame,
    pair,
    sentence,
)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("standard deviations do not add", "Standard deviations do not add."),
        ("which contributions take part?", "Which contributions take part?"),
        ("half-chains are too short.", "Half-chains are too short."),
        ("a share of averages", "A share of averages."),
        ("run A: look at its means", "Run A: look at its means."),
        ("`line` shifts z_line", "`line` shifts z_line."),
        ("y_route and y_weather go together", "y_route and y_weather go together."),
        ("there(v)[0] should be a logarithm", "there(v)[0] should be a logarithm."),
        ("total_sd(1, 2) stopped at the line `return a`", "total_sd(1, 2) stopped at the line `return a`."),
        ("logp is wrong near 0", "logp is wrong near 0."),
        ("z is not a standard normal", "z is not a standard normal."),
        ("R-hat is a ratio", "R-hat is a ratio."),
        ("25 is one of many limits", "25 is one of many limits."),
        ("the label is 'north.'", "The label is 'north.'"),
        ("", ""),
    ],
)
def test_a_message_is_shown_as_a_sentence(message, said):
    assert sentence(message) == said
    assert str(Result("01.1", "hint", message)) == f"01.1 not right yet. {said}".strip()


def test_the_message_itself_stays_as_it_was_written():
    result = mlm.check("01.1", lambda sigma_baseline, sigma_contributors: sigma_baseline + sum(sigma_contributors))
    assert result.message.startswith("standard deviations do not add")
    assert str(result).startswith("01.1 not right yet. Standard deviations do not add")
    assert str(result).endswith((".", "?"))


def test_a_table_of_another_library_is_named_together_with_it():
    table = pl.DataFrame({"total": [1.0]})
    with pytest.raises(Hint, match="should be a pandas DataFrame, but it is a polars DataFrame"):
        frame(table, ["total"], "the table")
    assert describe(xr.Dataset()) == "an xarray Dataset"
    assert describe(pd.Series([1])) == "a pandas Series"
    assert describe(pd.DataFrame({"a": [1]})).startswith("a pandas DataFrame with 1 rows")


@pytest.mark.parametrize(
    "value", [(1.0, 2.0), [1.0, 2.0], np.array([1.0, 2.0]), pd.Series([1.0, 2.0]), xr.DataArray([1.0, 2.0])]
)
def test_a_pair_may_be_any_sequence_of_two(value):
    first, second = pair(value)
    assert (float(first), float(second)) == (1.0, 2.0)


@pytest.mark.parametrize("value", [(1,), (1, 2, 3), "ab", b"ab", {1, 2}, {"a": 1, "b": 2}, np.zeros((2, 2)), None, 2])
def test_what_is_no_pair_is_a_hint(value):
    with pytest.raises(Hint, match="should be a pair"):
        pair(value)


def test_numbers_from_the_given_generator_pass():
    expect_numbers_from_rng(lambda rng: {"x": rng.normal(size=5)}, np.random.default_rng(1))


@pytest.mark.parametrize(
    ("run", "hint"),
    [
        (lambda rng: {"x": np.random.default_rng().normal(size=5)}, "come from elsewhere"),
        (lambda rng: {"x": rng.normal(size=5), "y": np.random.default_rng(0).normal(size=5)}, "the same y"),
    ],
)
def test_numbers_from_another_generator_earn_a_hint(run, hint):
    with pytest.raises(Hint, match=hint):
        expect_numbers_from_rng(run, np.random.default_rng(1))


def test_a_function_gets_copies_of_all_that_it_could_change():
    cells = mlm.cell_statistics(mlm.PRESETS["cc_12"].simulate(20, rng=1), layers=["layer_1"])
    table = xr.DataArray([1.0, 2.0])
    given = Answer(lambda cells, table: (cells, table)).call(cells, table)
    assert not np.shares_memory(given[0].sum_sq, cells.sum_sq)
    assert not np.shares_memory(given[1].values, table.values)
    np.testing.assert_array_equal(given[0].sum_sq, cells.sum_sq)


@pytest.mark.parametrize("tau_prior", [3.0, stats.halfnorm(scale=4)], ids=["tau is fixed", "tau is learned"])
def test_moments_of_a_hierarchical_model_agree_with_dense_linear_algebra(tau_prior):
    average, error, mu_sd = np.array([7.0, -2.0, 3.5, 0.0]), np.array([2.0, 5.0, 1.0, np.inf]), 6.0
    grid = [tau_prior] if isinstance(tau_prior, float) else (np.arange(3000) + 0.5) / 100
    weights, means, squares = [], [], []
    for tau in grid:
        prior = np.full((5, 5), mu_sd**2) + np.diag([0, *[tau**2] * 4])  # of mu and the four levels
        gain = np.linalg.solve(prior[1:4, 1:4] + np.diag(error[:3] ** 2), prior[1:4]).T
        prior_of_tau = 1 if isinstance(tau_prior, float) else tau_prior.pdf(tau)
        likelihood = stats.multivariate_normal(np.zeros(3), prior[1:4, 1:4] + np.diag(error[:3] ** 2))
        weights.append(prior_of_tau * likelihood.pdf(average[:3]))
        means.append(gain @ average[:3])
        squares.append(np.diag(prior - gain @ prior[1:4]) + means[-1] ** 2)
    mean, square = np.average(means, axis=0, weights=weights), np.average(squares, axis=0, weights=weights)
    moments = hierarchical_moments(average, error, tau_prior, mu_sd)
    found = np.array([np.append(*pair) for pair in zip(moments["mu"], moments["level"], strict=True)])
    np.testing.assert_allclose(found, [mean, np.sqrt(square - mean**2)], rtol=1e-4)
    np.testing.assert_allclose(moments["tau"][0], np.average(grid, weights=weights), rtol=1e-4)
