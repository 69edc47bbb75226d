"""Custom distributions: a standard normal without parameters, and a cell's statistics, also with covariates."""

import numpy as np
import pytensor
import pytensor.tensor as pt
from pymc.distributions.continuous import Continuous
from pymc.distributions.dist_math import check_parameters
from pymc.distributions.distribution import Distribution, SymbolicRandomVariable
from pymc.distributions.shape_utils import implicit_size_from_params, rv_size_is_none
from pymc.pytensorf import normalize_rng_param
from pytensor.tensor.random.utils import normalize_size_param

__all__ = ["NormalCells", "RegressionCells", "StandardNormal"]


class StandardNormalRV(SymbolicRandomVariable):
    """Draws of the standard normal: a normal whose parameters are the constants 0 and 1."""

    name = "standard_normal"
    extended_signature = "[rng],[size]->[rng],()"
    _print_name = ("StandardNormal", "\\operatorname{StandardNormal}")

    @classmethod
    def rv_op(cls, *, rng=None, size=None):
        rng = normalize_rng_param(rng)
        size = normalize_size_param(size)
        next_rng, draws = pt.random.normal(0.0, 1.0, size=size, rng=rng, return_next_rng=True)
        return cls(inputs=[rng, size], outputs=[next_rng, draws])(rng, size)


class StandardNormal(Continuous):
    r"""Standard normal distribution, without parameters.

    .. math:: f(z) = \frac{1}{\sqrt{2\pi}} e^{-z^2/2}

    ========  ==========================
    Support   :math:`z \in \mathbb{R}`
    Mean      0
    Variance  1
    ========  ==========================

    It is a free variable of a model like any other. It is made for the non-centered form
    ``mu + sigma * z``, in which the prior of `z` does not depend on `mu` or `sigma`.

    Examples
    --------
    >>> with pm.Model():  # doctest: +SKIP
    ...     z = mlm.StandardNormal("z", shape=3)
    """

    rv_type = StandardNormalRV
    rv_op = StandardNormalRV.rv_op

    @classmethod
    def dist(cls, **kwargs):
        """Return an unnamed variable; keyword arguments such as ``shape`` as for any PyMC distribution."""
        return super().dist([], **kwargs)

    def support_point(rv, size):
        """Return the mode, 0, in the variable's shape."""
        return pt.zeros_like(rv)

    def logp(value):
        """Return the log density."""
        return -0.5 * value**2 - 0.5 * np.log(2 * np.pi)

    def logcdf(value):
        """Return the log of the distribution function, accurate in both tails."""
        return pt.where(
            value < -1,
            pt.log(pt.erfcx(-value / np.sqrt(2)) / 2) - 0.5 * value**2,
            pt.log1p(-pt.erfc(value / np.sqrt(2)) / 2),
        )

    def icdf(value):
        """Return the quantile of a probability; NaN outside [0, 1]."""
        return pt.where((value >= 0) & (value <= 1), -np.sqrt(2) * pt.erfcinv(2 * value), np.nan)


class NormalCellsRV(SymbolicRandomVariable):
    """Draws of a cell's mean and centered sum of squares."""

    name = "normal_cells"
    extended_signature = "[rng],[size],(),(),()->[rng],(s)"
    _print_name = ("NormalCells", "\\operatorname{NormalCells}")

    @classmethod
    def rv_op(cls, mu, sigma, n, *, rng=None, size=None):
        mu, sigma, n = (pt.as_tensor(x) for x in (mu, sigma, n))
        rng = normalize_rng_param(rng)
        size = normalize_size_param(size)
        if rv_size_is_none(size):
            size = implicit_size_from_params(mu, sigma, n, ndims_params=cls.ndims_params)
        rng_1, mean = pt.random.normal(mu, sigma / pt.sqrt(n), size=size, rng=rng, return_next_rng=True)
        # A chi-squared needs at least one degree of freedom; a cell of one observation has none, and no spread.
        rng_2, chi2 = pt.random.chisquare(pt.maximum(n - 1, 1), size=size, rng=rng_1, return_next_rng=True)
        draws = pt.stack([mean, pt.where(n > 1, sigma**2 * chi2, 0.0)], axis=-1)
        return cls(inputs=[rng, size, mu, sigma, n], outputs=[rng_2, draws])(rng, size, mu, sigma, n)


class NormalCells(Distribution):
    r"""Mean and centered sum of squares of `n` independent normal observations.

    The value of one cell is the pair :math:`(\bar x, S)` with :math:`\bar x = \frac1n\sum x_i` and
    :math:`S = \sum (x_i - \bar x)^2`. The log density is that of the cell's rows,

    .. math:: -\frac n2 \log(2\pi\sigma^2) - \frac{S + n(\bar x - \mu)^2}{2\sigma^2},

    so that a model of cells has the likelihood of the model of all rows, up to a constant. It differs from the density
    of :math:`(\bar x, S)` by a factor that depends on `n` and the data but not on the parameters (Fisher 1922,
    factorization of a sufficient statistic). Draws are :math:`\bar x \sim \text{Normal}(\mu, \sigma/\sqrt n)` and
    :math:`S \sim \sigma^2\chi^2_{n-1}`; S is 0 where n is 1.

    Parameters
    ----------
    mu : tensor_like of float
        Mean of one observation.
    sigma : tensor_like of float
        Standard deviation of one observation, positive.
    n : tensor_like of int
        Number of observations, positive.

    Notes
    -----
    Shapes of the parameters broadcast to the batch; a last axis of length 2 holds mean and sum of squares.
    """

    rv_type = NormalCellsRV
    rv_op = NormalCellsRV.rv_op

    @classmethod
    def dist(cls, mu, sigma, n, **kwargs):
        """Return an unnamed variable; keyword arguments such as ``shape`` as for any PyMC distribution."""
        # Integer constants get the smallest type that holds them, in which their squares may overflow.
        mu, sigma = (pt.cast(x, pytensor.config.floatX) for x in (mu, sigma))
        return super().dist([mu, sigma, n], **kwargs)

    def support_point(rv, size, mu, sigma, n):
        """Return the expected mean and sum of squares."""
        mu, sigma, n = pt.broadcast_arrays(mu, sigma, n)
        point = pt.stack([mu, (n - 1) * sigma**2], axis=-1)
        return point if rv_size_is_none(size) else pt.broadcast_to(point, [*size, 2])

    def logp(value, mu, sigma, n):
        """Return the log density of the cell's rows."""
        mean, sum_sq = value[..., 0], value[..., 1]
        variance = sigma**2
        logp = -0.5 * n * pt.log(2 * np.pi * variance) - (sum_sq + n * (mean - mu) ** 2) / (2 * variance)
        logp = pt.where(sum_sq >= 0, logp, -np.inf)
        return check_parameters(logp, sigma > 0, n > 0, msg="sigma > 0, n > 0")


class RegressionCellsRV(SymbolicRandomVariable):
    """Draws of a cell's mean, centered sum of squares, and products with covariates."""

    name = "regression_cells"
    extended_signature = "[rng],[size],(),(),(),(k),(k,k)->[rng],(s)"
    _print_name = ("RegressionCells", "\\operatorname{RegressionCells}")

    @classmethod
    def rv_op(cls, mu, sigma, n, slope, root, *, rng=None, size=None):
        mu, sigma, n, slope, root = (pt.as_tensor(x) for x in (mu, sigma, n, slope, root))
        rng = normalize_rng_param(rng)
        size = normalize_size_param(size)
        if rv_size_is_none(size):
            size = implicit_size_from_params(mu, sigma, n, slope, root, ndims_params=cls.ndims_params)
        rng_1, mean = pt.random.normal(mu, sigma / pt.sqrt(n), size=size, rng=rng, return_next_rng=True)
        # Each column of the root is a direction in which a cell's covariates vary; zeros are none.
        varies = pt.neq(root, 0).any(axis=-2).astype(pytensor.config.floatX)
        shape = pt.concatenate([size, slope.shape[-1:]])
        rng_2, noise = pt.random.normal(0.0, 1.0, size=shape, rng=rng_1, return_next_rng=True)
        along = (root * slope[..., None]).sum(axis=-2) + sigma[..., None] * noise * varies
        left = n - 1 - varies.sum(axis=-1)
        rng_3, chi2 = pt.random.chisquare(pt.maximum(left, 1), size=size, rng=rng_2, return_next_rng=True)
        sum_sq = (along**2).sum(axis=-1) + pt.where(left > 0, sigma**2 * chi2, 0.0)
        products = (root * along[..., None, :]).sum(axis=-1)
        draws = pt.concatenate([mean[..., None], sum_sq[..., None], products], axis=-1)
        return cls(inputs=[rng, size, mu, sigma, n, slope, root], outputs=[rng_3, draws])(
            rng, size, mu, sigma, n, slope, root
        )


class RegressionCells(Distribution):
    r"""Mean, centered sum of squares and products with K covariates, of `n` normal observations on a plane.

    Observation i of a cell is :math:`y_i \sim \text{Normal}(\mu + (x_i - \bar x)^\top \beta, \sigma)`. With
    :math:`S_{yy}`, :math:`S_{xy}` and :math:`S_{xx} = R R^\top` the sums of products of deviations from the cell's
    averages, the value is :math:`(\bar y, S_{yy}, S_{xy})`, and the log density is that of the cell's rows,

    .. math::

        -\frac n2 \log(2\pi\sigma^2)
        - \frac{S_{yy} - 2\beta^\top S_{xy} + \beta^\top S_{xx} \beta + n (\bar y - \mu)^2}{2 \sigma^2},

    so that a model of cells has the likelihood of the model of all rows, up to a constant. Without covariates it is
    :class:`NormalCells`. Draws are :math:`\bar y \sim \text{Normal}(\mu, \sigma/\sqrt n)`,
    :math:`S_{xy} = R u` with :math:`u \sim \text{Normal}(R^\top \beta, \sigma)` in the r directions in which the
    covariates vary, and :math:`S_{yy} \sim u^\top u + \sigma^2 \chi^2_{n-1-r}`.

    Parameters
    ----------
    mu : tensor_like of float
        Mean of an observation at the cell's average covariates.
    sigma : tensor_like of float
        Standard deviation of one observation about the plane, positive.
    n : tensor_like of int
        Number of observations, positive.
    slope : tensor_like of float, shape (K,)
    root : tensor_like of float, shape (K, K)
        R; a column for each direction in which the cell's covariates vary, and zeros in the others.

    Notes
    -----
    Shapes of the parameters broadcast to the batch; the last axis has the length 2 + K.
    """

    rv_type = RegressionCellsRV
    rv_op = RegressionCellsRV.rv_op

    @classmethod
    def dist(cls, mu, sigma, n, slope, root, **kwargs):
        """Return an unnamed variable; keyword arguments such as ``shape`` as for any PyMC distribution."""
        mu, sigma, slope, root = (pt.cast(x, pytensor.config.floatX) for x in (mu, sigma, slope, root))
        return super().dist([mu, sigma, n, slope, root], **kwargs)

    def support_point(rv, size, mu, sigma, n, slope, root):
        """Return the expected mean, sum of squares and products."""
        along = (root * slope[..., None]).sum(axis=-2)
        products = (root * along[..., None, :]).sum(axis=-1)
        mean, sum_sq = pt.broadcast_arrays(mu, (n - 1) * sigma**2 + (along**2).sum(axis=-1))
        shape = pt.concatenate([mean.shape, slope.shape[-1:]])
        point = pt.concatenate([mean[..., None], sum_sq[..., None], pt.broadcast_to(products, shape)], axis=-1)
        return point if rv_size_is_none(size) else pt.broadcast_to(point, [*size, 2 + slope.shape[-1]])

    def logp(value, mu, sigma, n, slope, root):
        """Return the log density of the cell's rows."""
        mean, sum_sq, products = value[..., 0], value[..., 1], value[..., 2:]
        along = (root * slope[..., None]).sum(axis=-2)
        squares = sum_sq - 2 * (products * slope).sum(axis=-1) + (along**2).sum(axis=-1)
        variance = sigma**2
        logp = -0.5 * n * pt.log(2 * np.pi * variance) - (squares + n * (mean - mu) ** 2) / (2 * variance)
        logp = pt.where(sum_sq >= 0, logp, -np.inf)
        return check_parameters(logp, sigma > 0, n > 0, msg="sigma > 0, n > 0")
