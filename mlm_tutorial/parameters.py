"""The parameters of a posterior as arrays indexed by rows and cells, in blocks that fit into memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr

from mlm_tutorial.layers import BASELINE
from mlm_tutorial.names import COVARIATE, COVARIATE_MEAN, COVARIATES, dim_of, variable_of
from mlm_tutorial.sampling import posterior_of

__all__ = ["Parameters", "absent_layers", "covariate_means", "covariates_of", "distinct", "distinct_rows"]

#: Numbers in one array of a block: 2 MB, which fit into a processor's cache.
BLOCK = 2**18


@dataclass(frozen=True, eq=False)
class Parameters:
    """Means and variances of all components in S draws.

    Attributes
    ----------
    layers : tuple of str
        J layers, in the order in which they were asked for.
    mu, variance : list of numpy.ndarray
        For the baseline, shape (S,), and then for each layer, shape (m_j + 1, S). The last row of a layer is zero: code
        -1, the code of an absent layer, points to it.
    coordinates : dict of str to xarray.DataArray
        Labels of each layer as the posterior has them, see :func:`mlm_tutorial.names.positions`.
    absent : frozenset of str
        Layers that a row may lack.
    tails : tuple of numpy.ndarray, optional
        Skewness and tail weight in each draw, both of shape (S,); None where totals are normal.
    covariates : tuple of str
        Names of the K covariates.
    slope : numpy.ndarray, shape (K, S)
    center : numpy.ndarray, shape (K,)
        Values from which covariates count.
    """

    layers: tuple[str, ...]
    mu: list[np.ndarray]
    variance: list[np.ndarray]
    coordinates: dict[str, xr.DataArray]
    absent: frozenset[str]
    tails: tuple[np.ndarray, np.ndarray] | None = None
    covariates: tuple[str, ...] = ()
    slope: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    center: np.ndarray = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def of(cls, idata: xr.DataTree, layers: Sequence[str]) -> "Parameters":
        """Return the parameters of a posterior whose layers are exactly `layers`.

        Raises
        ------
        ValueError
            If there is no posterior, or it lacks a layer or has an extra one.
        """
        posterior = posterior_of(idata)
        components = (BASELINE, *layers)
        for variable in (variable_of(kind, name) for name in components for kind in ("mu", "sigma")):
            if variable not in posterior:
                raise ValueError(f"the posterior has no {variable!r}; it has {', '.join(posterior.data_vars)}")
        dims = [dim_of(name) for name in layers]
        for variable, values in posterior.data_vars.items():
            dim = variable.removeprefix("mu_")
            if dim != variable and dim in values.dims and dim not in dims:
                raise ValueError(
                    f"the posterior's totals are sums of all layers, but {dim!r} is not among {list(layers)}"
                )
        mu, sigma = ([_by_draw(posterior, kind, name) for name in components] for kind in ("mu", "sigma"))
        return cls(
            layers=tuple(layers),
            mu=mu,
            variance=[values**2 for values in sigma],
            coordinates={name: posterior[dim] for name, dim in zip(layers, dims, strict=True)},
            absent=absent_layers(idata) & set(layers),
            tails=_tails(posterior),
            **_slopes(idata),
        )

    @property
    def n_draws(self) -> int:
        """Number of draws S, of all chains together."""
        return self.mu[0].size

    @property
    def components_of_a_total(self) -> list[str]:
        """Baseline and layers, and what the covariates add where there are any."""
        return [BASELINE, *self.layers, *([COVARIATES] if self.covariates else [])]

    def of_covariates(self, x: np.ndarray, draws: Any = slice(None)) -> np.ndarray:
        """Return the covariates' part of each row's total in some draws, shape (N, S), for `x` of shape (N, K).

        Without covariates it is zero, of shape (N, 1).
        """
        return (x - self.center) @ self.slope[:, draws] if self.covariates else np.zeros((len(x), 1))

    def at(self, draws: np.ndarray) -> "Parameters":
        """Return the parameters of some of the draws."""
        mu, variance = ([x[..., draws] for x in values] for values in (self.mu, self.variance))
        tails = None if self.tails is None else (self.tails[0][draws], self.tails[1][draws])
        return replace(self, mu=mu, variance=variance, tails=tails, slope=self.slope[:, draws])

    def totals(
        self, codes: np.ndarray, draws: slice = slice(None), x: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and variance of the totals of some cells, each of shape (C, S), or in some of the draws.

        They are at covariates `x`, shape (C, K), or where these count from.
        """
        mean, variance = (np.tile(values[0][draws], (len(codes), 1)) for values in (self.mu, self.variance))
        for j in range(len(self.layers)):
            mean += self.mu[1 + j][:, draws][codes[:, j]]
            variance += self.variance[1 + j][:, draws][codes[:, j]]
        if self.covariates and x is not None:
            mean += self.of_covariates(x, draws)
        return mean, variance

    def components(self, codes: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and variance of the components of cells at covariates `x`, each of shape (1 + J, C, S).

        With covariates there is one component more, which has no variance.
        """
        mean, variance = np.empty((2, len(self.components_of_a_total), len(codes), self.n_draws))
        if self.covariates:
            mean[-1], variance[-1] = self.of_covariates(x), 0.0
        for values, out in ((self.mu, mean), (self.variance, variance)):
            out[0] = values[0]
            for j in range(len(self.layers)):
                np.take(values[1 + j], codes[:, j], axis=0, out=out[1 + j], mode="wrap")
        return mean, variance

    def blocks(self, n: int, arrays: int = 1) -> Iterator[slice]:
        """Yield slices of `n` rows, so short that `arrays` arrays of a slice's rows and all draws fit into a block."""
        return in_blocks(n, self.n_draws * arrays)


def in_blocks(n: int, width: int) -> Iterator[slice]:
    """Yield slices of `n` rows, so short that an array of a slice's rows and `width` columns fits into a block."""
    step = max(1, BLOCK // max(width, 1))
    return (slice(start, min(start + step, n)) for start in range(0, n, step))


def _tails(posterior: xr.Dataset) -> tuple[np.ndarray, np.ndarray] | None:
    """Return skewness and tail weight of a posterior of :func:`mlm_tutorial.tail_model`."""
    if not {"skewness", "tail_weight"} <= set(posterior.data_vars):
        return None
    skewness, weight = (posterior[x].transpose("chain", "draw").values.ravel() for x in ("skewness", "tail_weight"))
    return skewness, weight


def covariates_of(idata: xr.DataTree) -> tuple[str, ...]:
    """Return the covariates of a posterior; none where there are no slopes."""
    posterior = posterior_of(idata)
    return tuple(map(str, posterior[COVARIATE].values)) if COVARIATE in posterior.get("slope", posterior).dims else ()


def covariate_means(idata: xr.DataTree) -> dict[str, float]:
    """Return the values of a posterior's covariates at which a total's mean is the sum of means alone, by name."""
    names = covariates_of(idata)
    if names and ("constant_data" not in idata.children or COVARIATE_MEAN not in idata["constant_data"]):
        raise ValueError(f"the posterior has slopes, but the group constant_data lacks {COVARIATE_MEAN!r}")
    return dict(zip(names, idata["constant_data"][COVARIATE_MEAN].values.tolist(), strict=True)) if names else {}


def _slopes(idata: xr.DataTree) -> dict[str, Any]:
    """Return names, slopes and centers of the covariates."""
    posterior, means = posterior_of(idata), covariate_means(idata)
    if not means:
        return {"slope": np.zeros((0, posterior.sizes["chain"] * posterior.sizes["draw"]))}
    values = posterior["slope"].transpose("chain", "draw", COVARIATE).values.astype(float)
    return {
        "covariates": tuple(means),
        "slope": values.reshape(-1, values.shape[-1]).T,
        "center": np.array(list(means.values())),
    }


def _by_draw(posterior: xr.Dataset, kind: str, component: str) -> np.ndarray:
    """Return one variable with all draws of all chains in the last dimension, and a row of zeros after its rows."""
    values = posterior[variable_of(kind, component)]
    if component == BASELINE:
        return values.transpose("chain", "draw").values.astype(float).ravel()
    values = values.transpose("chain", "draw", dim_of(component)).values
    values = values.reshape(-1, values.shape[-1])
    out = np.zeros((values.shape[1] + 1, values.shape[0]))
    out[:-1] = values.T
    return out


def absent_layers(idata: xr.DataTree) -> frozenset[str]:
    """Return the layers that may be absent in a row, from the root's attribute ``absent``."""
    named = getattr(idata, "attrs", {}).get("absent", ())
    # NetCDF returns a list of one string as that string, and longer lists as arrays.
    return frozenset([named] if isinstance(named, str) else map(str, named)) - {""}


def distinct_rows(codes: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return distinct rows of codes, their covariates, and for each row its position among them.

    With covariates nearly every row is another one, and each is taken for distinct.
    """
    if x.shape[1]:
        return codes, x, np.arange(len(codes))
    unique, position = distinct(codes)
    return unique, np.zeros((len(unique), 0)), position


def distinct(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct rows of codes, all at least -1, and for each row its position among them."""
    sizes = [int(column.max()) + 2 for column in codes.T]
    if np.prod([float(size) for size in sizes]) >= 2**62:
        unique, position = np.unique(codes, axis=0, return_inverse=True)
        return unique, position.ravel()
    # One number a row: sorting numbers takes a fraction of the time that sorting rows takes.
    key = np.ravel_multi_index(tuple(codes.T + 1), sizes)
    _, first, position = np.unique(key, return_index=True, return_inverse=True)
    return codes[first], position.ravel()
