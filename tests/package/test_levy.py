"""Contributions given their total, where totals are sums of increments of one Lévy process."""

import numpy as np
import pytest
from scipy import stats

from mlm_tutorial.levy import (
    draw_totals,
    draw_variances_given_total,
    local_variance,
    log_density,
    mixing_moments,
    slope,
)
from tests.package.test_inverse_gaussian import SHAPES, of_scipy


def moments_given_total(x, parts, shape):
    """Return mean and variance of the first of two contributions given their sum, by integrating their densities."""
    (mu_1, sigma_1), (mu_2, sigma_2) = parts
    y = np.linspace(-60, 60, 400_001)
    log = log_density(y - mu_1, sigma_1**2, *shape) + log_density(x - y - mu_2, sigma_2**2, *shape)
    weight = np.exp(log - log.max())
    mean = np.average(y, weights=weight)
    return mean, np.average((y - mean) ** 2, weights=weight)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("x", [-6.0, 0.5, 1.0, 7.0])
def test_mean_and_variance_given_the_total_are_those_of_the_two_densities(x, shape):
    parts = [(0.5, 1.0), (0.2, 1.5)]
    variance = 1.0**2 + 1.5**2
    w = 1.0 / variance
    mean, spread = moments_given_total(x, parts, shape)
    assert mean == pytest.approx(0.5 + w * (x - 0.7), rel=1e-5, abs=1e-5)
    assert local_variance(x - 0.7, variance, *shape) * w * (1 - w) == pytest.approx(spread, rel=1e-5)


def test_with_light_tails_the_variance_is_that_of_the_normal():
    np.testing.assert_allclose(local_variance(np.linspace(-5, 5, 11), 4.0, 0.5, 1e-4), 4, rtol=1e-3)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_density_is_that_of_scipy(shape):
    x = np.linspace(-8, 8, 33)
    np.testing.assert_allclose(log_density(x, 4.0, *shape), of_scipy(0, 2.0, *shape).logpdf(x), rtol=1e-8, atol=1e-8)


@pytest.mark.slow
def test_random_variances_mix_normals_to_the_distribution_of_the_total():
    """Kolmogorov-Smirnov with 50,000 draws: fails by chance in 1 of 10,000 runs."""
    rng = np.random.default_rng(1)
    x = draw_totals(np.zeros(50_000), np.full(50_000, 4.0), (0.5, 2.0), rng)
    assert stats.kstest(x, of_scipy(0, 2.0, 0.5, 2.0).cdf).pvalue > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(0.45, 2.0), (-0.9, 1.0)])
def test_random_variances_given_the_total_have_the_moments_of_the_contributions(shape):
    """Of 40,000 draws, within 5 standard errors: eight comparisons fail by chance in 1 of 200,000 runs."""
    rng = np.random.default_rng(2)
    v, mu, n = np.array([1.0, 0.0, 2.25, 0.5]), np.array([0.5, 0.3, 0.2, -1.0]), 40_000
    x = 5.0
    z = draw_variances_given_total(np.full(n, x - mu.sum()), v, *shape, rng)
    assert (z[:, 1] == 0).all()
    assert (z[:, [0, 2, 3]] > 0).all()
    beta = slope(*shape)
    y = mu + beta * (z - v * (1 - shape[0] ** 2)) + np.sqrt(z) * rng.standard_normal(z.shape)
    y += z / z.sum(axis=1, keepdims=True) * (x - y.sum(axis=1, keepdims=True))
    w = v / v.sum()
    expected = mu + w * (x - mu.sum())
    a = local_variance(x - mu.sum(), v.sum(), *shape)
    assert (abs(y.mean(axis=0) - expected) <= 5 * y.std(axis=0) / np.sqrt(n) + 1e-12).all()
    squares = (y - expected) ** 2
    error = squares.std(axis=0) / np.sqrt(n)
    assert (abs(squares.mean(axis=0) - a * w * (1 - w)) <= 5 * error + 1e-12).all()
    cross = (y[:, 0] - expected[0]) * (y[:, 2] - expected[2])
    assert abs(cross.mean() + a * w[0] * w[2]) < 5 * cross.std() / np.sqrt(n)


@pytest.mark.slow
def test_random_variances_given_the_total_are_distributed_as_before_it_was_known():
    """Two-sample Kolmogorov-Smirnov, 20,000 draws: three parts, fails by chance in 3 of 10,000 runs."""
    rng = np.random.default_rng(3)
    v, shape, n = np.array([1.0, 2.25, 0.5]), (0.45, 2.0), 20_000
    expected, lam = mixing_moments(v, *shape)
    before = rng.wald(expected, lam, (n, 3))
    parts = slope(*shape) * (before - expected) + np.sqrt(before) * rng.standard_normal((n, 3))
    after = draw_variances_given_total(parts.sum(axis=1), v, *shape, rng)
    for j in range(3):
        shares = [z[:, j] / z.sum(axis=1) for z in (before, after)]
        assert stats.ks_2samp(*shares).pvalue > 1e-4
