"""Partially pooled contributors: the same model in both coordinate systems, and splits that ignore their number."""

import dataclasses
from functools import cache
from types import SimpleNamespace

import arviz as az
import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import stats

import mlm_tutorial as mlm
from mlm_tutorial.moments import moment_estimates
from tests.support import problems
from tests.support.problems import AS_IT_STANDS, LAYERS, function, named_parameters, small_cells
from tools.benchmarks.problems import unequal_layers

FALSE_ALARM = 1e-6  # of one test function, shared among its comparisons (Bonferroni)
PRIORS = dataclasses.replace(problems.PRIORS, pooled=True)


def parameters_of(layers):
    return named_parameters(layers) + [f"{kind}_{name}" for name in layers for kind in ("tau", "floor", "spread")]


@pytest.mark.parametrize("coordinates", ["identified", "log"])
def test_prior_draws_have_the_priors_moments(coordinates):
    """A variance has the same mean as without pooling; what it has beyond its floor is exponential."""
    n = 2000
    model = mlm.cell_model(small_cells(), PRIORS, coordinates)
    names = parameters_of(LAYERS)
    draws = dict(zip(names, pm.draw([model[x] for x in names], draws=n, random_seed=5, mode=AS_IT_STANDS), strict=True))
    scores = []

    def compare(values, mean, sd):
        scores.extend(np.ravel((values.mean(axis=0) - mean) / (sd / np.sqrt(n))))

    for name, m in (("paint", 2), ("size", 3)):
        spread, floor = draws[f"spread_{name}"] ** 2, draws[f"floor_{name}"] ** 2
        variance, half = draws[f"sigma_{name}"] ** 2, PRIORS.sigma_scale_of(name) ** 2 / 2
        compare(floor, half, half)
        compare(spread, half, half)
        # The excess is the spread times a standard exponential: variance 3 half^2. The floor adds half^2.
        compare(variance, 2 * half, 2 * half)
        excess = (variance - floor[:, None]) / spread[:, None]
        compare(excess, 1, 1)
        compare(excess**2, 2, np.sqrt(20))
        compare((excess[:, 0] - 1) * (excess[:, 1] - 1), 0, 1)  # contributors are independent given the layer
        scale = draws[f"tau_{name}"]
        compare(scale**2, PRIORS.mu_sd_of(name) ** 2, np.sqrt(2) * PRIORS.mu_sd_of(name) ** 2)
        z = draws[f"mu_{name}"] / scale[:, None]
        np.testing.assert_allclose(z.sum(axis=1), 0, atol=1e-10)
        compare(z**2, 1 - 1 / m, np.sqrt(2) * (1 - 1 / m))
    assert np.abs(scores).max() < stats.norm.isf(FALSE_ALARM / 2 / len(scores))


def test_means_are_standardized_by_their_conditional_posterior():
    """In a layer of normal means with a known scale, the coordinates are exactly standard normal: no correlation."""
    n, tau, variance = np.array([1, 5, 40, 1000]), 0.7, 2.0
    effects = np.array([0.5, -1.0, 0.2, 0.0])
    effects -= np.average(effects, weights=n)
    transform = mlm.PooledMeans([n], [effects], [np.zeros(4)], 3.0, variance)
    x = pt.dvector()
    sd = pt.as_tensor(np.array([1e6, tau, tau, tau, tau]))
    backward = function([x], transform.backward(x, None, None, pt.zeros(5), sd))
    origin = backward(np.zeros(5))
    matrix = np.array([backward(e) - origin for e in np.eye(5)]).T
    # Posterior of raw means: baseline plus a mean minus the layer's average is observed with precision n / V.
    design = np.column_stack([np.ones(4), np.eye(4) - 1 / 4])
    precision = design.T @ np.diag(n / variance) @ design + np.diag([1e-12, *np.full(4, tau**-2)])
    np.testing.assert_allclose(matrix.T @ precision @ matrix, np.eye(5), atol=1e-8)
    center = np.linalg.solve(precision, design.T @ (n / variance * (3.0 + effects)))
    np.testing.assert_allclose(origin, center, atol=1e-8)


# --- Moment estimates ------------------------------------------------------------------------------------------------


def many_contributors(m=40, n=4000, seed=6):
    """Return a frame whose layer `many` has log-normal variances beside a baseline of 2.5, and the truth."""
    rng = np.random.default_rng(seed)
    many, few = rng.choice(m, n, p=rng.dirichlet(np.full(m, 2.0))), rng.integers(3, size=n)
    mu, v = rng.normal(0, 1, m), 1.5 * np.exp(rng.normal(-0.18, 0.6, m))
    x = mu[many] + np.array([0.5, -0.5, 0.0])[few] + rng.normal(size=n) * np.sqrt(2.5 + v[many])
    return pd.DataFrame({"total": x, "many": many, "few": few}), mu, v


def test_moment_estimates_are_near_the_truth():
    frame, mu, v = many_contributors(n=40_000)
    cells = mlm.cell_statistics(frame, layers=["many", "few"])
    rough, n = moment_estimates(cells), cells.counts("many")
    error = rough.means[0] - (mu - np.average(mu, weights=n))
    assert np.abs(error / np.sqrt(rough.variance / n)).max() < stats.norm.isf(1e-6 / 2 / 40) + 1  # V is an average
    assert np.corrcoef(rough.variances[0], v)[0, 1] > 0.9
    assert 0.6 < rough.mean_scales[0] < 1.5
    for effects, name in zip(rough.means + rough.variances, cells.layers * 2, strict=True):
        assert abs(np.average(effects, weights=cells.counts(name))) < 1e-10


# --- Posteriors ---------------------------------------------------------------------------------------------------


@cache
def pooled_fit():
    frame, mu, v = many_contributors()
    cells = mlm.cell_statistics(frame, layers=["many", "few"])
    compiled = mlm.compile_model(mlm.cell_model(cells, mlm.Priors.from_cells(cells)))
    return SimpleNamespace(cells=cells, compiled=compiled, mu=mu, v=v, idata=mlm.sample(compiled, seed=7))


@pytest.mark.slow
def test_a_pooled_posterior_converges_at_default_settings_and_covers_the_truth():
    fit = pooled_fit()
    mlm.check_convergence(fit.idata)
    posterior = fit.idata["posterior"]
    error = posterior["mu_many"] - (fit.mu - fit.mu.mean())
    z = (error.mean(("chain", "draw")) / error.std(("chain", "draw"))).values
    assert np.abs(z).max() < 4.5
    # 40 standardized errors of about unit size: their squares' sum, were they independent, within a 1e-6 interval.
    assert stats.chi2.ppf(5e-7, 30) < np.sum(z**2) < stats.chi2.isf(5e-7, 40)
    total = posterior["sigma_baseline"] ** 2 + posterior["sigma_many"] ** 2 + (posterior["sigma_few"] ** 2).mean("few")
    error = total.values.reshape(-1, 40) - (2.5 + fit.v)
    assert np.abs(error.mean(axis=0) / error.std(axis=0)).max() < 4.5
    assert np.corrcoef(total.mean(("chain", "draw")), fit.v)[0, 1] > 0.6


@pytest.mark.slow
def test_new_data_are_fitted_without_compiling():
    """Totals moved by 100 and doubled: the posterior moves and doubles, within Monte Carlo error."""
    fit = pooled_fit()
    c = fit.cells
    moved = mlm.Cells(c.layers, c.labels, c.codes, c.n, c.mean + 3, c.sum_sq)
    again = mlm.sample(fit.compiled.with_cells(moved), seed=8)
    assert again.attrs["compile_seconds"] == 0
    mlm.check_convergence(again)
    a, b = (x["posterior"].to_dataset() for x in (fit.idata, again))
    for name in ("mu_few", "sigma_many", "sigma_baseline", "tau_many"):
        error = np.sqrt(az.mcse(a[name]) ** 2 + az.mcse(b[name]) ** 2)
        score = (a[name].mean(("chain", "draw")) - b[name].mean(("chain", "draw"))) / error
        assert np.abs(np.asarray(score.to_array() if hasattr(score, "to_array") else score)).max() < 5.5
    assert abs(float(b["mu_baseline"].mean() - a["mu_baseline"].mean()) - 3) < 0.05


def moments(idata, names):
    """Return means and mean squares of parameters, one after another, and their Monte Carlo errors."""
    posterior = idata["posterior"].to_dataset()[names]
    values = [f(posterior[name]) for name in names for f in (lambda x: x, np.square)]
    return (
        np.concatenate([np.ravel(x.mean(("chain", "draw"))) for x in values]),
        np.concatenate([np.ravel(az.mcse(x)) for x in values]),
    )


@pytest.mark.slow
def test_both_coordinate_systems_have_the_same_posterior():
    """Long chains with tiny steps in plain coordinates agree with the default settings in identified ones."""
    cells, names = small_cells(), parameters_of(LAYERS)
    identified = mlm.sample(mlm.cell_model(cells, PRIORS), seed=11)
    mlm.check_convergence(identified)
    settings = {"adaptation": "diag", "tune": 2000, "draws": 8000, "target_accept": 0.99}
    log = mlm.sample(mlm.cell_model(cells, PRIORS, "log"), seed=12, **settings)
    (a, error_a), (b, error_b) = moments(identified, names), moments(log, names)
    z = (a - b) / np.hypot(error_a, error_b)
    assert np.abs(z).max() < stats.norm.isf(FALSE_ALARM / 2 / len(z))


@pytest.mark.slow(25)
def test_contributor_numbers_decide_the_split_only_without_pooling():
    """All totals have one distribution, so the data do not decide the split, and the number of labels should not."""
    x = np.random.default_rng(3).normal(0, 2, 12_800)
    share = {}
    for pooled in (False, True):
        for m in (4, 32):
            cells = mlm.cell_statistics(pd.DataFrame({"total": x, "many": np.arange(len(x)) % m}), layers=["many"])
            model = mlm.cell_model(cells, mlm.Priors.from_cells(cells, pooled=pooled))
            # The smallest of many equal variances moves slowly without pooling.
            idata = mlm.sample(model, seed=13, draws=2000 if m == 32 and not pooled else 1000)
            mlm.check_convergence(idata)
            posterior = idata["posterior"]
            v0 = posterior["sigma_baseline"] ** 2
            share[pooled, m] = (v0 / (v0 + (posterior["sigma_many"] ** 2).mean("many"))).values
    # Without pooling, every contributor makes the prior of the split narrower.
    assert share[False, 32].std() < share[False, 4].std() / 4
    assert abs(share[True, 32].mean() - share[True, 4].mean()) < 0.06
    assert share[True, 32].std() > 0.8 * share[True, 4].std()


@pytest.mark.slow(50)
@pytest.mark.rare
def test_a_thousand_unequal_contributors_converge_at_default_settings():
    """Layers of 1,000 and 20 contributors, the k-th with 1/k of the first one's rows; the benchmark has more such.

    Two chains of the usual four take half as long.
    """
    idata = mlm.sample(mlm.cell_model(unequal_layers()), seed=14, chains=2)
    # The largest of 2,000 R-hats; the benchmark measures the seconds.
    mlm.check_convergence(idata, max_rhat=1.015)
    assert idata.attrs["gradients"] < 120_000  # 187,000 and 196,000 were measured in four chains
