"""Layers, presets and totals drawn from them."""

from datetime import date
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import mlm_tutorial as mlm

PRESETS = {
    "cc_12": [{0: (0, 5)}, {0: (1, 1), 1: (-1, 1)}],
    "cc_22": [{0: (0, 5)}, {0: (1, 1), 1: (-1, 1)}, {0: (1, 1), 1: (-1, 1)}],
    "cc_27": [
        {0: (0, 5)},
        {0: (1, 1), 1: (-1, 1), 2: (4, 1)},
        {0: (3, 1), 1: (-1, 1), 2: (-1, 1), 3: (-1, 1)},
    ],
    "cc_14": [{0: (0, 5)}, {0: (0, 1), 1: (0, 1), 2: (0, 1), 3: (4, 2)}],
    "cc_343": [{0: (0, 5)}, {0: (0, 1), 1: (0, 1), 2: (0, 1), 3: (4, 2)}, {0: (0, 1), 1: (0, 1), 3: (3, 2)}],
}
N = 200_000
FALSE_ALARM = 1e-6  # of one test function, shared among its comparisons (Bonferroni)

LABELS = st.one_of(
    st.integers(),
    st.text(max_size=5),
    st.booleans(),
    st.floats(allow_nan=False),
    st.dates(),
    st.tuples(st.integers(0, 3), st.text(max_size=2)),
)
MEANS_AND_SDS = st.tuples(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
LAYERED_SUMS = st.builds(
    lambda baseline, layers: mlm.LayeredSum.from_coefficients([baseline, *layers]),
    st.dictionaries(LABELS, MEANS_AND_SDS, min_size=1, max_size=1),
    st.lists(st.dictionaries(LABELS, MEANS_AND_SDS, min_size=2, max_size=5), max_size=3),
)
modest = settings(max_examples=60, deadline=None, derandomize=True)


def assert_mean_and_variance(x, mean, variance, false_alarm):
    """Check a normal sample: z for the mean, chi-squared for the variance, each two-sided at half of false_alarm."""
    n, tail = len(x), false_alarm / 4
    z = (np.mean(x) - mean) / np.sqrt(variance / n)
    assert abs(z) < stats.norm.isf(tail)
    chi2 = (n - 1) * np.var(x, ddof=1) / variance
    assert stats.chi2.ppf(tail, n - 1) < chi2 < stats.chi2.isf(tail, n - 1)


@pytest.fixture(scope="module")
def cc_343():
    """Return the preset with a label missing from its range, and a simulation with all contributions."""
    truth = mlm.PRESETS["cc_343"]
    return truth, truth.simulate(N, rng=20_240_801, contributions=True)


# --- presets and construction ---


def test_there_are_five_presets():
    assert list(mlm.PRESETS) == list(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_preset_is_what_the_design_states(name):
    preset = mlm.PRESETS[name]
    assert [layer.coefficients for layer in preset] == PRESETS[name]
    assert preset.names == tuple(f"layer_{j}" for j in range(1, len(PRESETS[name])))


def test_labels_are_labels_and_not_positions(cc_343):
    truth, data = cc_343
    assert truth["layer_2"].labels == (0, 1, 3)
    assert set(data["layer_2"]) == {0, 1, 3}
    assert data.groupby("layer_2", observed=True)["y_layer_2"].mean()[3] == pytest.approx(3, abs=0.1)


def test_names_may_be_given_with_and_without_the_baseline():
    one, two = (
        mlm.LayeredSum.from_coefficients(PRESETS["cc_22"], names=names)
        for names in (["time", "place"], ["baseline", "time", "place"])
    )
    assert one == two
    assert one.names == ("time", "place")


def test_to_frame_has_one_row_per_contributor():
    frame = mlm.PRESETS["cc_343"].to_frame()
    assert list(frame.columns) == ["layer", "contributor", "mu", "sigma"]
    assert frame.iloc[[0, 4, 7]].to_numpy().tolist() == [
        ["baseline", 0, 0, 5],
        ["layer_1", 3, 4, 2],
        ["layer_2", 3, 3, 2],
    ]
    assert len(frame) == 1 + 4 + 3


@modest
@given(LAYERED_SUMS)
def test_labels_of_any_kind_come_back_as_they_were_given(truth):
    data = truth.simulate(20, rng=0)
    for layer in truth.layers:
        for returned in (data[layer.name].cat.categories, truth.combinations()[layer.name].drop_duplicates()):
            assert set(returned) == set(layer.labels)
        assert list(map(type, data[layer.name].cat.categories)) == list(map(type, layer.labels))
    frame = truth.to_frame()
    assert list(frame["contributor"]) == [label for layer in truth for label in layer.labels]


@pytest.mark.parametrize(
    "labels",
    [
        (2**60 + 1, 0.5),
        (True, 2),
        ((1, 2), (1, 3)),
        ((1, 2), "x", 3),
        (date(2013, 1, 1), date(2013, 2, 1)),
        (pd.Timestamp("2013-01-01"), pd.Timestamp("2013-02-01")),
        ("b", "a"),
        (2**70, -1),
    ],
    ids=str,
)
def test_simulated_column_holds_the_labels_themselves(labels):
    truth = mlm.LayeredSum.from_coefficients([{"all": (0, 1)}, dict.fromkeys(labels, (0, 1))])
    column = truth.simulate(100, rng=0)["layer_1"]
    assert tuple(column.cat.categories) == labels
    assert set(column.tolist()) == set(labels)


# --- combinations and centering ---


def test_a_combination_adds_means_and_variances():
    table = mlm.PRESETS["cc_343"].combinations().set_index(["layer_1", "layer_2"])
    assert len(table) == 12
    assert table.loc[(3, 3), "mu"] == 0 + 4 + 3
    assert table.loc[(3, 3), "sigma"] == pytest.approx(np.sqrt(25 + 4 + 4))
    assert table.loc[(1, 0), "sigma"] == pytest.approx(np.sqrt(25 + 1 + 1))
    assert table["probability"].to_numpy() == pytest.approx(1 / 12)


def test_probability_of_a_combination_is_the_product_of_its_contributors():
    p = {"layer_1": [0.1, 0.2, 0.3, 0.4], "layer_2": {3: 0.5, 0: 0.2, 1: 0.3}}
    table = mlm.PRESETS["cc_343"].combinations(p).set_index(["layer_1", "layer_2"])["probability"]
    expected = {(a, b): p["layer_1"][a] * p["layer_2"][b] for a, b in product(range(4), (0, 1, 3))}
    assert table.to_dict() == pytest.approx(expected)


@pytest.mark.parametrize("name", PRESETS)
def test_centered_means_of_every_layer_sum_to_zero(name):
    for layer in mlm.PRESETS[name].centered().layers:
        assert layer.mu.sum() == pytest.approx(0, abs=1e-12)


@modest
@given(LAYERED_SUMS)
def test_centering_keeps_the_distribution_of_totals(truth):
    before, after = truth.combinations(), truth.centered().combinations()
    np.testing.assert_allclose(after["mu"], before["mu"], rtol=0, atol=1e-9)
    np.testing.assert_array_equal(after["sigma"], before["sigma"])
    pd.testing.assert_frame_equal(after.drop(columns=["mu", "sigma"]), before.drop(columns=["mu", "sigma"]))


@modest
@given(LAYERED_SUMS)
def test_centering_is_idempotent(truth):
    once = truth.centered()
    for layer, twice in zip(once, once.centered(), strict=True):
        np.testing.assert_allclose(twice.mu, layer.mu, rtol=0, atol=1e-9)
        np.testing.assert_array_equal(twice.sigma, layer.sigma)
    assert all(abs(layer.mu.sum()) < 1e-9 for layer in once.layers)


def test_centering_moves_the_shift_to_the_baseline():
    centered = mlm.PRESETS["cc_27"].centered()
    assert centered.baseline.coefficients[0] == pytest.approx((4 / 3, 5))
    assert centered["layer_1"].mu == pytest.approx(np.array([1, -1, 4]) - 4 / 3)
    assert centered["layer_2"].mu == pytest.approx([3, -1, -1, -1])


def test_centering_keeps_a_layer_that_may_be_absent():
    truth = mlm.PRESETS["cc_27"]
    centered = truth.centered(absent=["layer_1"])
    assert centered["layer_1"] == truth["layer_1"]
    assert centered["layer_2"].mu.sum() == pytest.approx(0, abs=1e-12)
    assert centered.baseline.mu == pytest.approx([0.0])  # the mean of layer_2, which is 0
    assert truth.centered(absent=["layer_2"]).baseline.mu == pytest.approx([4 / 3])
    assert truth.centered(absent=truth.names) == truth
    # Rows without layer_1 keep their distribution too: the baseline takes nothing of it.
    expected = truth.baseline.mu + truth["layer_2"].mu
    np.testing.assert_allclose(centered.baseline.mu + centered["layer_2"].mu, expected, atol=1e-12)


# --- simulation ---


def test_simulate_gives_totals_and_categorical_layers():
    data = mlm.PRESETS["cc_343"].simulate(50, rng=1)
    assert list(data.columns) == ["total", "layer_1", "layer_2"]
    assert data["total"].dtype == np.float64
    assert list(data["layer_1"].cat.categories) == [0, 1, 2, 3]
    assert list(data["layer_2"].cat.categories) == [0, 1, 3]
    assert data.index.equals(pd.RangeIndex(50))
    assert not data.isna().any(axis=None)


def test_contributions_add_up_to_the_total(cc_343):
    _, data = cc_343
    assert list(data.columns) == ["total", "layer_1", "layer_2", "y_baseline", "y_layer_1", "y_layer_2"]
    parts = data[["y_baseline", "y_layer_1", "y_layer_2"]].to_numpy()
    np.testing.assert_allclose(parts.sum(axis=1), data["total"], rtol=1e-14, atol=1e-13)


def test_asking_for_contributions_does_not_change_the_totals(cc_343):
    truth, data = cc_343
    pd.testing.assert_frame_equal(truth.simulate(N, rng=20_240_801), data[["total", "layer_1", "layer_2"]])


def test_seeds_repeat_and_generators_advance():
    simulate = mlm.PRESETS["cc_22"].simulate
    pd.testing.assert_frame_equal(simulate(9, rng=5), simulate(np.int64(9), rng=np.random.default_rng(5)))
    assert not simulate(9, rng=5).equals(simulate(9, rng=6))
    generator = np.random.default_rng(5)
    assert not simulate(9, rng=generator).equals(simulate(9, rng=generator))
    assert not simulate(9).equals(simulate(9))


def test_simulating_does_not_touch_the_global_generator():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    mlm.PRESETS["cc_12"].simulate(10)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_every_contributor_has_its_own_mean_and_sd(cc_343):
    truth, data = cc_343
    groups = [
        (data.loc[data[layer.name] == label, f"y_{layer.name}"], mu, sigma)
        for layer in truth.layers
        for label, (mu, sigma) in layer.coefficients.items()
    ]
    groups.append((data["y_baseline"], 0, 5))
    for x, mu, sigma in groups:
        assert_mean_and_variance(x, mu, sigma**2, FALSE_ALARM / len(groups))


def test_totals_of_every_cell_have_the_mean_and_sd_of_their_combination(cc_343):
    truth, data = cc_343
    cells = data.groupby(["layer_1", "layer_2"], observed=True)["total"]
    for _, row in truth.combinations().iterrows():
        x = cells.get_group((row["layer_1"], row["layer_2"]))
        assert_mean_and_variance(x, row["mu"], row["sigma"] ** 2, FALSE_ALARM / 12)


def test_contributions_of_different_layers_are_independent(cc_343):
    _, data = cc_343
    within = data[["y_baseline", "y_layer_1", "y_layer_2"]].to_numpy()
    z = np.arctanh(np.corrcoef(within.T)[np.triu_indices(3, k=1)]) * np.sqrt(N - 3)
    assert np.all(np.abs(z) < stats.norm.isf(FALSE_ALARM / 6))


@pytest.mark.parametrize(
    "given_to",
    [
        {"layer_1": [0.1, 0.2, 0.3, 0.4]},
        {"layer_1": {3: 0.4, 0: 0.1, 2: 0.3, 1: 0.2}},
        {"layer_1": np.array([0.1, 0.2, 0.3, 0.4]), "layer_2": {0: 0.25, 1: 0.0, 3: 0.75}},
        {},
        None,
    ],
    ids=["list", "mapping", "both layers", "empty", "none"],
)
def test_contributors_occur_as_often_as_their_probabilities_say(given_to):
    truth = mlm.PRESETS["cc_343"]
    data = truth.simulate(N, rng=11, probabilities=given_to)
    p_1 = [0.1, 0.2, 0.3, 0.4] if given_to else [0.25] * 4
    p_2 = [0.25, 0, 0.75] if given_to and "layer_2" in given_to else [1 / 3] * 3
    observed = pd.crosstab(data["layer_1"], data["layer_2"], dropna=False).reindex(columns=[0, 1, 3], fill_value=0)
    expected = N * np.outer(p_1, p_2)
    assert np.all(observed.to_numpy()[expected == 0] == 0)
    possible = expected > 0
    assert stats.chisquare(observed.to_numpy()[possible], expected[possible]).pvalue > FALSE_ALARM


def test_a_contributor_that_never_occurs_stays_a_category():
    column = mlm.PRESETS["cc_12"].simulate(100, rng=0, probabilities={"layer_1": {0: 1, 1: 0}})["layer_1"]
    assert set(column) == {0}
    assert list(column.cat.categories) == [0, 1]


# --- rows that lack a layer ---

SHARES = {"layer_1": 0.1, "layer_2": 0.4}


@pytest.fixture(scope="module")
def cc_27_lacking():
    return mlm.PRESETS["cc_27"].simulate(N, rng=20_240_802, contributions=True, absent=SHARES)


def test_contributions_with_tails_have_the_moments_of_their_shape():
    """Means and variances as without tails; skewness and excess kurtosis of each contribution as its formulas say."""
    rho, kappa, n = 0.5, 2.0, 400_000
    limit = stats.norm.isf(FALSE_ALARM / 2 / 16)
    frame = mlm.PRESETS["cc_27"].simulate(n, rng=4, contributions=True, skewness=rho, tail_weight=kappa)
    np.testing.assert_allclose(frame["total"], frame.filter(like="y_").sum(axis="columns"))
    for layer in mlm.PRESETS["cc_27"]:
        for k, (mu, sigma) in layer.coefficients.items():
            y = frame[f"y_{layer.name}"]
            y = y if layer.name == "baseline" else y[frame[layer.name] == k]
            heavy = 3 * (1 + 4 * rho**2) * kappa**2 / sigma**2
            noise = np.sqrt((2 + heavy) / len(y))
            assert abs(y.mean() - mu) < limit * sigma / np.sqrt(len(y))
            assert abs(y.var() / sigma**2 - 1) < limit * noise
            # Of the third power only that it is the shape's: its error depends on the sixth moment.
            assert stats.skew(y) == pytest.approx(3 * rho * kappa / sigma, rel=0.15)


def test_without_tails_draws_are_the_normal_ones_and_impossible_shapes_are_refused():
    plain = mlm.PRESETS["cc_27"].simulate(50, rng=4)
    pd.testing.assert_frame_equal(plain, mlm.PRESETS["cc_27"].simulate(50, rng=4, skewness=0.0, tail_weight=0))
    assert not plain["total"].equals(mlm.PRESETS["cc_27"].simulate(50, rng=4, tail_weight=1.0)["total"])
    for shape, says in (
        ({"skewness": 1.0, "tail_weight": 1}, "between -1 and 1"),
        ({"skewness": np.nan, "tail_weight": 1}, "between -1 and 1"),
        ({"tail_weight": -1}, "not negative"),
        ({"tail_weight": np.inf}, "finite"),
        ({"skewness": 0.2}, "give them a tail_weight"),
    ):
        with pytest.raises(ValueError, match=says):
            mlm.PRESETS["cc_27"].simulate(5, **shape)
    with pytest.raises(TypeError, match="skewness must be a number"):
        mlm.PRESETS["cc_27"].simulate(5, skewness="0.5", tail_weight=1)


def test_an_absent_layer_has_no_label_and_adds_zero(cc_27_lacking):
    for name in SHARES:
        lacking = cc_27_lacking[name].isna()
        assert lacking.any()
        assert (cc_27_lacking.loc[lacking, f"y_{name}"] == 0).all()
        assert (cc_27_lacking.loc[~lacking, f"y_{name}"] != 0).all()
    parts = cc_27_lacking[["y_baseline", "y_layer_1", "y_layer_2"]].to_numpy()
    np.testing.assert_allclose(parts.sum(axis=1), cc_27_lacking["total"], rtol=1e-14, atol=1e-13)


def test_labels_keep_their_type_where_some_are_missing(cc_27_lacking):
    assert cc_27_lacking["layer_2"].cat.categories.tolist() == [0, 1, 2, 3]
    assert cc_27_lacking["layer_2"].cat.categories.dtype == np.int64


def test_layers_are_absent_independently_with_their_shares(cc_27_lacking):
    lacking = cc_27_lacking[list(SHARES)].isna()
    observed = pd.crosstab(lacking["layer_1"], lacking["layer_2"]).to_numpy()
    expected = N * np.outer([0.9, 0.1], [0.6, 0.4])
    assert stats.chisquare(observed.ravel(), expected.ravel()).pvalue > FALSE_ALARM


def test_absence_does_not_change_other_rows(cc_27_lacking):
    whole = mlm.PRESETS["cc_27"].simulate(N, rng=20_240_802, contributions=True)
    pd.testing.assert_series_equal(cc_27_lacking["y_baseline"], whole["y_baseline"])
    for name in SHARES:
        kept = cc_27_lacking[name].notna()
        columns = [name, f"y_{name}"]
        pd.testing.assert_frame_equal(cc_27_lacking.loc[kept, columns], whole.loc[kept, columns])


@pytest.mark.parametrize("absent", [None, {}, {"layer_2": 0.0}, {"layer_1": 0}], ids=str)
def test_without_a_share_no_row_lacks_a_layer(absent):
    simulate = mlm.PRESETS["cc_27"].simulate
    pd.testing.assert_frame_equal(simulate(200, rng=1, absent=absent), simulate(200, rng=1))


def test_absent_layers_show_what_a_layer_adds():
    truth = mlm.PRESETS["cc_27"]
    rows = truth.simulate(N, rng=7, absent={"layer_1": 0.5})
    cells = mlm.cell_statistics(rows, layers=truth.names, allow_absent=["layer_1"])
    means = cells.to_frame().set_index(list(truth.names))["mean"]
    added = means.xs(2, level="layer_1") - means[means.index.get_level_values("layer_1").isna()].droplevel("layer_1")
    bound = stats.norm.isf(FALSE_ALARM / 8) * np.sqrt(2 * 28 / (N / 4 / 6))
    assert (np.abs(added - 4) < bound).all()


# --- names ---


@pytest.mark.parametrize("name", ["sample", "sigma", "tool/chamber", "a.b", "two words", "größe", "layer"])
def test_a_layer_of_any_name_can_be_simulated_and_reduced_to_cells(name):
    truth = mlm.LayeredSum.from_coefficients([{0: (0, 1)}, {"a": (0, 1), "b": (1, 1)}], names=[name])
    cells = mlm.cell_statistics(truth.simulate(50, rng=1), layers=[name])
    assert cells.labels == {name: ("a", "b")}


def test_total_variance_follows_the_law_of_total_variance():
    truth = mlm.PRESETS["cc_343"]
    p = {"layer_1": [0.1, 0.2, 0.3, 0.4], "layer_2": [0.2, 0.3, 0.5]}
    totals = truth.simulate(N, rng=12, probabilities=p)["total"]

    # By layers: choices and contributions of different layers are independent.
    mean, variance = truth.baseline.mu[0], truth.baseline.sigma[0] ** 2
    for layer in truth.layers:
        weight = np.array(p[layer.name])
        mean += weight @ layer.mu
        variance += weight @ layer.sigma**2 + weight @ (layer.mu - weight @ layer.mu) ** 2
    # By combinations, and with the fourth moment that the variance of a sample variance takes.
    table = truth.combinations(p)
    weight, shift, v = table["probability"], table["mu"] - mean, table["sigma"] ** 2
    assert weight @ (v + shift**2) == pytest.approx(variance, rel=1e-12)
    fourth = weight @ (shift**4 + 6 * shift**2 * v + 3 * v**2)

    bound = stats.norm.isf(FALSE_ALARM / 4)
    assert abs(totals.mean() - mean) < bound * np.sqrt(variance / N)
    assert abs(totals.var() - variance) < bound * np.sqrt((fourth - variance**2) / N)


# --- random truths ---


def test_a_drawn_sum_is_centered_and_has_the_requested_sizes():
    truth = mlm.draw_layered_sum([1, 2, 5], rng=0)
    assert [layer.labels for layer in truth] == [(0,), (0, 1), (0, 1, 2, 3, 4)]
    assert truth.names == ("layer_1", "layer_2")
    assert all(abs(layer.mu.sum()) < 1e-12 for layer in truth.layers)
    assert mlm.draw_layered_sum((1,), rng=0).names == ()


def test_a_drawn_sum_depends_on_the_seed_alone():
    draw = mlm.draw_layered_sum
    assert draw([1, 3], rng=4) == draw(np.array([1, 3]), rng=np.random.default_rng(4))
    assert draw([1, 3], rng=4) != draw([1, 3], rng=5)


def test_drawn_parameters_have_the_distributions_asked_for():
    m = 20_000
    layer = mlm.draw_layered_sum([1, m], mu_scale=3, log_sigma_mean=-1, rng=13)["layer_1"]
    # Centering takes only one degree of freedom: with so many means the correction is negligible.
    for x, mean, sd in ((layer.mu, 0, 3), (np.log(layer.sigma), -1, 0.5)):
        assert stats.kstest(x, stats.norm(mean, sd).cdf).pvalue > FALSE_ALARM / 4
        assert_mean_and_variance(x, mean, sd**2, FALSE_ALARM / 4)
