"""The normal-inverse-Gaussian distribution: density, limits, sums, draws, and its Bessel function."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import stats
from scipy.special import kve

from mlm_tutorial.inverse_gaussian import NormalInverseGaussian, log_bessel_k1e

SHAPES = [(0.0, 0.5), (0.45, 2.0), (-0.9, 1.0), (0.6, 0.05)]


def log_density(x, mu, sigma, skewness, tail_weight):
    return pm.logp(NormalInverseGaussian.dist(mu, sigma, skewness, tail_weight), np.asarray(x)).eval()


def of_scipy(mu, sigma, skewness, tail_weight):
    rest = 1 - skewness**2
    alpha = 1 / (tail_weight * rest)
    beta, gamma = skewness * alpha, alpha * np.sqrt(rest)
    delta = sigma**2 * gamma**3 / alpha**2
    return stats.norminvgauss(alpha * delta, beta * delta, loc=mu - delta * beta / gamma, scale=delta)


def test_the_bessel_function_and_its_slope_are_those_of_scipy():
    z = np.concatenate([np.geomspace(1e-8, 1e4, 4001), np.linspace(1.9, 2.1, 201)])
    x = pt.dvector()
    value = log_bessel_k1e(x)
    value, slope = pytensor.function([x], [value, pt.grad(value.sum(), x)])(z)
    # A relative error of K_1 is an absolute one of its logarithm.
    np.testing.assert_allclose(value, np.log(kve(1, z)), rtol=1e-12, atol=1e-12)
    exact = 1 - kve(0, z) / kve(1, z) - 1 / z
    np.testing.assert_allclose(slope, exact, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("skewness", "tail_weight"), SHAPES)
def test_the_density_is_that_of_scipy_and_has_the_stated_moments(skewness, tail_weight):
    x = np.linspace(-12, 12, 241)
    frozen = of_scipy(1.5, 2.0, skewness, tail_weight)
    assert frozen.stats("mvsk") == pytest.approx(
        (1.5, 4, 3 * skewness * tail_weight / 2, 3 * (1 + 4 * skewness**2) * tail_weight**2 / 4)
    )
    ours = log_density(x, 1.5, 2.0, skewness, tail_weight)
    np.testing.assert_allclose(ours, frozen.logpdf(x), rtol=1e-8, atol=1e-8)


def test_light_tails_are_normal_without_loss_of_digits():
    x = np.linspace(-8, 8, 33)
    for tail_weight in (1e-5, 1e-8):
        ours = log_density(x, 0.0, 1.3, 0.5, tail_weight)
        np.testing.assert_allclose(ours, stats.norm(0, 1.3).logpdf(x), atol=1e3 * tail_weight)


@pytest.mark.slow
def test_draws_have_the_distribution_of_the_density():
    """Kolmogorov-Smirnov with 20,000 draws: fails by chance in 1 of 10,000 runs."""
    variable = NormalInverseGaussian.dist(1.5, 2.0, 0.5, 3.0, shape=20_000)
    draws = pm.draw(variable, random_seed=3)
    assert stats.kstest(draws, of_scipy(1.5, 2.0, 0.5, 3.0).cdf).pvalue > 1e-4
    assert stats.kstest(draws, of_scipy(1.5, 2.0, -0.5, 3.0).cdf).pvalue < 1e-10


def test_shapes_broadcast_and_wrong_parameters_are_refused():
    variable = NormalInverseGaussian.dist(np.zeros(3), 2, 0.5, np.ones((2, 1)))
    assert pm.draw(variable, random_seed=1).shape == variable.eval().shape == (2, 3)
    with pm.Model() as model:
        NormalInverseGaussian("x", 1.0, 2, 0.5, 1, shape=4)
    assert model.initial_point()["x"].tolist() == [1] * 4
    for wrong in ((0.0, 0.5, 1.0), (1.0, 1.0, 1.0), (1.0, 0.5, 0.0)):
        with pytest.raises(pm.logprob.utils.ParameterValueError):
            log_density([0.0], 0.0, *wrong)
