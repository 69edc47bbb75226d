"""The normal-inverse-Gaussian distribution of totals whose contributions are skewed and have heavy tails."""

import functools

import numpy as np
import pytensor
import pytensor.tensor as pt
from numpy.polynomial import Chebyshev, Polynomial
from pymc.distributions.continuous import Continuous
from pymc.distributions.dist_math import check_parameters
from pymc.distributions.distribution import SymbolicRandomVariable
from pymc.distributions.shape_utils import implicit_size_from_params, rv_size_is_none
from pymc.pytensorf import normalize_rng_param
from pytensor.tensor.random.utils import normalize_size_param
from scipy.special import digamma, factorial, kve

from mlm_tutorial.levy import log_front, log_rest, mixing_moments, slope

__all__ = ["NormalInverseGaussian", "log_bessel_k1e", "log_bessel_k1e_over_z"]

#: Below this argument the power series of K_1 is summed, above it the logarithm is a polynomial in its inverse.
BORDER = 2.0

#: Terms of the power series, the last of which is below 1e-13 at the border, and degree of the polynomial.
N_TERMS, DEGREE = 9, 15


def log_bessel_k1e(z):
    """Return the logarithm of exp(z) K_1(z), see :func:`log_bessel_k1e_over_z`."""
    z = pt.as_tensor(z)
    return log_bessel_k1e_over_z(z) + pt.log(z)


def log_bessel_k1e_over_z(z):
    r"""Return :math:`\log(e^z K_1(z) / z)`, K_1 the modified Bessel function of the second kind, of order one.

    Up to 2 it is the power series (Abramowitz and Stegun 1964, *Handbook of mathematical functions*, 9.6.11)

    .. math:: K_1(z) = \frac1z + \log\frac z2\, I_1(z)
        - \frac z4 \sum_k \frac{\psi(k+1) + \psi(k+2)}{k!\,(k+1)!} \Big(\frac{z^2}4\Big)^k,

    and above 2, where :math:`K_1(z) \approx \sqrt{\pi/2z}\, e^{-z}`, the logarithm of their ratio is a polynomial in
    :math:`1/z` through Chebyshev points. Everything is elementary, so that PyTensor differentiates and compiles it. The
    absolute error of the logarithm is below 1e-12 from 1e-8 to 1e4, that of its derivative below 1e-10,
    relative where it is large.

    Parameters
    ----------
    z : tensor_like of float
        Positive.

    Returns
    -------
    pytensor.tensor.TensorVariable
        Of the shape of `z`.
    """
    z = pt.as_tensor(z)
    below = z < BORDER
    small = pt.minimum(z, BORDER)
    of_i1, of_sum = _series()
    square = small**2 / 4
    k1_over_z = 1 / small**2 + 0.5 * pt.log(small / 2) * _polynomial(of_i1, square) - _polynomial(of_sum, square) / 4
    inverse = 1 / pt.maximum(z, BORDER)
    leading = np.sqrt(np.pi / 2) * inverse * pt.sqrt(inverse)
    # One logarithm for both: it is what takes most of the time.
    exponent = pt.where(below, small, _polynomial(_ratio(), 2 * BORDER * inverse - 1))
    return pt.log(pt.where(below, k1_over_z, leading)) + exponent


def _series() -> tuple[np.ndarray, np.ndarray]:
    """Return the coefficients of (z / 2)^2k in the power series of I_1 and of the rest of K_1."""
    k = np.arange(N_TERMS + 1)
    weights = 1 / (factorial(k) * factorial(k + 1))
    return weights, weights * (digamma(k + 1) + digamma(k + 2))


@functools.cache
def _ratio() -> np.ndarray:
    """Return the coefficients of a polynomial in y = 4 / z - 1, whose values lie between -1 and 1 for z above 2."""

    def log_ratio(y):
        z = BORDER * 2 / np.maximum(1 + y, 1e-12)
        return np.log(kve(1, z) * np.sqrt(2 * z / np.pi))

    return Chebyshev.interpolate(log_ratio, DEGREE).convert(kind=Polynomial).coef


def _polynomial(coefficients: np.ndarray, x):
    """Return a polynomial, constant first, by Estrin's scheme.

    Neighbouring terms are joined, then pairs of them: unlike in Horner's rule, a processor need not wait for one
    product before it begins the next.
    """
    terms = list(coefficients)
    while len(terms) > 1:
        pairs = [a + b * x for a, b in zip(terms[::2], terms[1::2], strict=False)]
        terms = pairs + terms[len(terms) - len(terms) % 2 :]
        x = x**2
    return terms[0]


class NormalInverseGaussianRV(SymbolicRandomVariable):
    """Draws: a normal whose variance is drawn from an inverse Gaussian."""

    name = "normal_inverse_gaussian"
    extended_signature = "[rng],[size],(),(),(),()->[rng],()"
    _print_name = ("NormalInverseGaussian", "\\operatorname{NormalInverseGaussian}")

    @classmethod
    def rv_op(cls, mu, sigma, skewness, tail_weight, *, rng=None, size=None):
        mu, sigma, skewness, tail_weight = (pt.as_tensor(x) for x in (mu, sigma, skewness, tail_weight))
        rng = normalize_rng_param(rng)
        size = normalize_size_param(size)
        if rv_size_is_none(size):
            size = implicit_size_from_params(mu, sigma, skewness, tail_weight, ndims_params=cls.ndims_params)
        mean, shape = mixing_moments(sigma**2, skewness, tail_weight)
        rng_1, z = pt.random.wald(mean, shape, size=size, rng=rng, return_next_rng=True)
        rng_2, noise = pt.random.normal(0.0, 1.0, size=size, rng=rng_1, return_next_rng=True)
        draws = mu + slope(skewness, tail_weight) * (z - mean) + pt.sqrt(z) * noise
        inputs = [rng, size, mu, sigma, skewness, tail_weight]
        return cls(inputs=inputs, outputs=[rng_2, draws])(*inputs)


class NormalInverseGaussian(Continuous):
    r"""Skewed, heavy-tailed distribution whose sums are of the same kind, by mean and standard deviation.

    With :math:`\alpha = 1 / (\kappa (1 - \rho^2))`, :math:`\beta = \rho\alpha`, :math:`u = x - \mu`,
    :math:`t = \alpha u`, :math:`z_0 = \sigma^2\alpha^2(1 - \rho^2)` and :math:`z = \sqrt{z_0^2 + 2\rho t z_0 + t^2}`,
    the density is

    .. math:: f(x) = \frac{\alpha z_0 \sqrt{1 - \rho^2}}{\pi z}\, e^z K_1(z)\,
        \exp\frac{\rho t (z - z_0) - t^2}{z + z_0}

    (Barndorff-Nielsen 1997, *Normal inverse Gaussian distributions and stochastic volatility modelling*, with
    :math:`\gamma = \alpha\sqrt{1 - \rho^2}`, :math:`\delta = \sigma^2\gamma^3/\alpha^2` and its location
    :math:`\mu - \delta\beta/\gamma`, in an order of operations that does not cancel where the tails are light).

    ===============  ==========================================
    Support          :math:`x \in \mathbb{R}`
    Mean             :math:`\mu`
    Variance         :math:`\sigma^2`
    Skewness         :math:`3 \rho \kappa / \sigma`
    Excess kurtosis  :math:`3 (1 + 4 \rho^2) \kappa^2 / \sigma^2`
    ===============  ==========================================

    Independent variables with the same :math:`\rho` and :math:`\kappa` add up to one with these, the sum of their
    means and the sum of their variances. As :math:`\kappa` goes to zero the distribution becomes normal.

    Parameters
    ----------
    mu : tensor_like of float
        Mean.
    sigma : tensor_like of float
        Standard deviation, positive.
    skewness : tensor_like of float
        :math:`\rho`, between -1 and 1: the direction of the longer tail.
    tail_weight : tensor_like of float
        :math:`\kappa`, positive, in the unit of the values: roughly the size of single large deviations.
    """

    rv_type = NormalInverseGaussianRV
    rv_op = NormalInverseGaussianRV.rv_op

    @classmethod
    def dist(cls, mu, sigma, skewness, tail_weight, **kwargs):
        """Return an unnamed variable; keyword arguments such as ``shape`` as for any PyMC distribution."""
        # Integer constants get the smallest type that holds them, in which their squares may overflow.
        parameters = [pt.cast(x, pytensor.config.floatX) for x in (mu, sigma, skewness, tail_weight)]
        return super().dist(parameters, **kwargs)

    def support_point(rv, size, mu, sigma, skewness, tail_weight):
        """Return the mean."""
        mu, *_ = pt.broadcast_arrays(mu, sigma, skewness, tail_weight)
        return mu if rv_size_is_none(size) else pt.full(size, mu)

    def logp(value, mu, sigma, skewness, tail_weight):
        """Return the log density."""
        shape = (sigma**2, skewness, tail_weight, pt)
        logp = log_front(*shape) + log_rest(value - mu, *shape, log_bessel_k1e_over_z)
        right = (sigma > 0, abs(skewness) < 1, tail_weight > 0)
        return check_parameters(logp, *right, msg="sigma > 0, -1 < skewness < 1, tail_weight > 0")
