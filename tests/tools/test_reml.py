"""On public tables the pooled model agrees with REML, and the model without pooling does not."""

import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mlm_tutorial as mlm
from tools.benchmarks import reml, store

#: Variances that REML finds, by layer, and of the residual. Those of penicillin and paste are in lme4's documentation.
PUBLISHED = {
    "gauge": (48.48, 0.62, 1.02),
    "gauge with pairs": (48.29, 0.565, 0.728, 0.511),
    "penicillin": (0.717, 3.731, 0.302),
    "paste": (1.66, 8.43, 0.68),
}
#: Both models of every case are compared where they are stored; some are fitted again.
FITS = [*((case, "one") for case in reml.CASES), ("gauge with pairs", "own")]


@cache
def estimates(case):
    return reml.reml(*reml.load(case))


@cache
def draws(case, spreads="one", pooled=True):
    """Return draws of the variances; the chains must pass where contributors are pooled."""
    frame, total, layers = reml.load(case)
    idata = reml.fit(frame, total, layers, spreads, pooled=pooled)
    if pooled:
        mlm.check_convergence(idata)
    return reml.variances(idata, layers)


def uncertainty(case):
    """Return the uncertainty of the variance of contributors' means in a table, if REML's variances were the truth.

    Given the variances, effects u are normal about their best linear unbiased predictions (Henderson 1975), so the
    moments of their sample variance are those of a quadratic form. Its mean is REML's own estimate, because REML is a
    fixed point of the EM algorithm (Dempster, Laird and Rubin 1977): that is why both may be compared. For a residual
    with f degrees of freedom, the standard deviation is that of a scaled chi-squared variable.

    Returns
    -------
    dict of str to (mean, sd), and dict of str to int
        By component, the mean and standard deviation, and the degrees of freedom.
    """
    frame, total, layers = reml.load(case)
    found, y = estimates(case), frame[total].to_numpy()
    design = {name: pd.get_dummies(frame[name], dtype=float).to_numpy() for name in layers}
    ones, n = np.ones((len(y), 1)), len(y)
    covariance = found["residual"] * np.eye(n) + sum(found[name] * z @ z.T for name, z in design.items())
    inverse = np.linalg.inv(covariance)
    projection = inverse - inverse @ ones @ ones.T @ inverse / (ones.T @ inverse @ ones)
    rank = np.linalg.matrix_rank(np.column_stack([ones, *design.values()]))
    moments, degrees = {}, {"residual": n - rank}
    for name, z in design.items():
        m = z.shape[1]
        center = np.eye(m) - 1 / m
        predicted = found[name] * z.T @ projection @ y
        spread = center @ (found[name] * np.eye(m) - found[name] ** 2 * z.T @ projection @ z) @ center
        mean = predicted @ center @ predicted + np.trace(spread)
        variance = 2 * np.trace(spread @ spread) + 4 * predicted @ spread @ predicted
        moments[name] = mean / (m - 1), np.sqrt(variance) / (m - 1)
        # A layer that others are nested in, as casks in batches, has its own contributors' degrees.
        others = np.linalg.matrix_rank(np.column_stack([ones, *(x for key, x in design.items() if key != name)]))
        degrees[name] = int(rank - others) or m - 1
    moments["residual"] = found["residual"], found["residual"] * np.sqrt(2 / degrees["residual"])
    return moments, degrees


def disagreements(case, medians):
    """Return the components whose variance in the table differs from REML's by more than its uncertainty."""
    moments, _ = uncertainty(case)
    return [name for name, (_, sd) in moments.items() if abs(medians[name] - estimates(case)[name]) > sd]


def medians_of(found):
    return {name: np.median(values) for name, values in found["seen"].items()}


@pytest.mark.parametrize("case", reml.CASES)
def test_reml_is_what_was_published(case):
    assert tuple(estimates(case).values()) == pytest.approx(PUBLISHED[case], rel=0.01)
    assert list(estimates(case)) == [*reml.CASES[case][1], "residual"]


@pytest.mark.parametrize("case", reml.CASES)
def test_the_expected_variance_of_contributors_is_that_of_reml(case):
    moments, _ = uncertainty(case)
    for name, (mean, _) in moments.items():
        assert mean == pytest.approx(estimates(case)[name], rel=1e-3), name


def test_degrees_of_freedom_are_those_of_the_analysis_of_variance():
    assert uncertainty("gauge with pairs")[1] == {"residual": 60, "part": 9, "operator": 2, "pair": 18}
    assert uncertainty("paste")[1] == {"residual": 30, "batch": 9, "sample": 20}


@pytest.mark.parametrize("spreads", reml.MODELS.values())
@pytest.mark.parametrize("case", reml.CASES)
def test_stored_variances_are_those_of_reml(case, spreads):
    content = store.load()
    assert "reml" in content, "not measured: python course.py bench reml"
    rows = {row["component"]: row for row in content["reml"]["rows"] if row["case"] == case}
    assert disagreements(case, {name: row[f"{spreads}_seen"] for name, row in rows.items()}) == []
    for name, row in rows.items():
        assert row[f"{spreads}_problem"] == ""
        assert row["reml"] == pytest.approx(estimates(case)[name], rel=1e-3)
        assert row[f"{spreads}_lower"] < row["reml"] < row[f"{spreads}_upper"], name


@pytest.mark.slow
@pytest.mark.parametrize(("case", "spreads"), FITS)
def test_variances_of_the_contributors_are_those_of_reml(case, spreads):
    assert disagreements(case, medians_of(draws(case, spreads))) == []


@pytest.mark.slow
@pytest.mark.parametrize(("case", "spreads"), FITS)
def test_reml_estimates_lie_in_the_populations_intervals(case, spreads):
    for name, values in draws(case, spreads)["population"].items():
        low, high = np.quantile(values, [0.05, 0.95])
        assert low < estimates(case)[name] < high, name


@pytest.mark.slow
@pytest.mark.parametrize("case", reml.CASES)
def test_the_population_variance_has_the_theoretical_median(case):
    """With f degrees of freedom and a flat prior of tau, tau squared is f s^2 / chi-squared of f - 1 (Gelman 2006).

    That is for means that are known. The prior is flat where there are many contributors, about ten.
    """
    moments, degrees = uncertainty(case)
    for name, values in draws(case, "one")["population"].items():
        s2, f = estimates(case)[name], degrees[name]
        if f >= 9 and moments[name][1] < s2 / 4:
            expected = f * s2 / stats.chi2.median(f - 1)
            assert np.median(values) == pytest.approx(expected, rel=0.15), name


@pytest.mark.slow
def test_unpooled_nested_variances_differ_from_reml():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the means are not identified is the point
        found = draws("gauge with pairs", pooled=False)
    assert {"operator", "pair"} <= set(disagreements("gauge with pairs", medians_of(found)))
    assert set(found["population"]) == {"residual"}
