"""The parameters of a posterior as arrays indexed by rows and cells, in blocks that fit into memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from mlm_tutorial.layers import BASELINE
from mlm_tutorial.names import dim_of, variable_of
from mlm_tutorial.sampling import posterior_of

__all__ = ["Parameters", "absent_layers", "distinct"]

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
    """

    layers: tuple[str, ...]
    mu: list[np.ndarray]
    variance: list[np.ndarray]
    coordinates: dict[str, xr.DataArray]
    absent: frozenset[str]
    tails: tuple[np.ndarray, np.ndarray] | None = None

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
        )

    @property
    def n_draws(self) -> int:
        """Number of draws S, of all chains together."""
        return self.mu[0].size

    def at(self, draws: np.ndarray) -> "Parameters":
        """Return the parameters of some of the draws."""
        mu, variance = ([x[..., draws] for x in values] for values in (self.mu, self.variance))
        tails = None if self.tails is None else (self.tails[0][draws], self.tails[1][draws])
        return replace(self, mu=mu, variance=variance, tails=tails)

    def totals(self, codes: np.ndarray, draws: slice = slice(None)) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and variance of the totals of some cells, each of shape (C, S), or in some of the draws."""
        mean, variance = (np.tile(values[0][draws], (len(codes), 1)) for values in (self.mu, self.variance))
        for j in range(len(self.layers)):
            mean += self.mu[1 + j][:, draws][codes[:, j]]
            variance += self.variance[1 + j][:, draws][codes[:, j]]
        return mean, variance

    def components(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and variance of the components of some cells, each of shape (1 + J, C, S)."""
        mean, variance = np.empty((2, 1 + len(self.layers), len(codes), self.n_draws))
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
