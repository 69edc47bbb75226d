"""Directions in which parameters can move without any effect on the data, and how pairs of layers are connected."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from scipy.sparse import coo_array, csr_array, diags_array, hstack, vstack
from scipy.sparse.csgraph import connected_components

from mlm_tutorial.cells import Cells
from mlm_tutorial.layers import BASELINE
from mlm_tutorial.names import COVARIATES

#: Parameters up to which all flat directions are computed; beyond, an iterative solver finds a few random ones.
FEW_PARAMETERS = 100

#: A smaller coefficient of a unit vector counts as zero: rounding leaves about 1e-12, real ones are 1e-3 or more.
MOVES = 1e-6


@dataclass(frozen=True, eq=False)
class System:
    """The equations that the data give for all means, or for all variances.

    Attributes
    ----------
    cells : Cells
    codes : numpy.ndarray of int, shape (C, J)
        Positions of contributors, -1 where the layer is absent or the contributor's parameter is known.
    free : numpy.ndarray of bool, shape (P,)
        Which parameters are not known; baseline first, then the contributors, layer by layer, and slopes of covariates.
    scale : numpy.ndarray of float, shape (F,)
        Length of the columns of the F free parameters.
    matrix : scipy.sparse.csr_array, shape (., F)
        The equations, each column of unit length.
    null : numpy.ndarray or None
        An orthonormal basis of the null space of `matrix`, where it is small.
    directions : numpy.ndarray, shape (P, K)
        Changes of the parameters that the data do not show; with many parameters, a random sample of them.
    moved : numpy.ndarray of bool, shape (1 + J, K)
        Which components take part in them.
    """

    cells: Cells
    codes: np.ndarray
    free: np.ndarray
    scale: np.ndarray
    matrix: csr_array
    null: np.ndarray | None
    directions: np.ndarray
    moved: np.ndarray

    @property
    def components(self) -> tuple[str, ...]:
        """Baseline and layers, and the covariates where there are equations of slopes."""
        names = (BASELINE, *self.cells.layers)
        return names if len(self.free) == 1 + sum(layer_sizes(self.cells)) else (*names, COVARIATES)

    @property
    def owners(self) -> np.ndarray:
        """The component of every parameter: 0 for the baseline, then 1, 2, ..., shape (P,)."""
        found = component_of_each(self.cells)
        return np.append(found, np.full(len(self.free) - len(found), 1 + len(self.cells.layers)))

    def block(self, component: str) -> np.ndarray:
        """Return the directions' part in one component, shape (m, K)."""
        return self.directions[self.owners == self.components.index(component)]

    def fixes(self, component: str) -> bool:
        """Return whether the data fix all parameters of a component, or they are known."""
        return not self.moved[self.components.index(component)].any()

    def fixes_differences(self, layer: str) -> bool:
        """Return whether the parameters of a layer can only move together."""
        moved = self.moved[self.components.index(layer)]
        part = self.block(layer)[:, moved]
        return bool(np.all(np.ptp(part, axis=0) <= 1e-5 * np.abs(part).max(axis=0, initial=0)))

    def confounded_with(self, component: str) -> list[str]:
        """Return the other components that share flat directions with one, directly or through others."""
        if self.fixes(component):
            return []
        own = self._group[self.components.index(component)]
        return [name for name, x in zip(self.components, self._group, strict=True) if x == own and name != component]

    @cached_property
    def _group(self) -> np.ndarray:
        links = self.moved.astype(float)
        return connected_components(links @ links.T, directed=False)[1]

    def project(self, vectors: np.ndarray) -> np.ndarray:
        """Return the part of vectors, shape (F, K), in the null space of `matrix`."""
        return project(self.matrix, self.null, vectors)


def system_of_means(cells: Cells) -> System:
    """Return the equations of means and slopes.

    They are those of the cells, a sum to zero for each layer that is never absent, and what covariates say inside of
    cells.
    """
    sizes, owners = layer_sizes(cells), component_of_each(cells)
    ruled = [j for j, name in enumerate(cells.layers, 1) if name not in cells.absent]
    # Any factor would do. With this one a constraint weighs about as much as a cell's equation.
    rule = np.array([np.where(owners == j, np.sqrt(len(cells)) / sizes[j - 1], 0.0) for j in ruled])
    matrix = cells.design()
    if ruled:
        matrix = vstack([matrix, csr_array(rule)])
    if cells.covariates:
        center, covariance = cells.covariate_moments()
        unit = np.sqrt(np.diag(covariance))
        between = np.zeros((matrix.shape[0], len(unit)))
        between[: len(cells)] = (cells.x_mean - center) / unit
        inside = cells.x_products.sum(axis=0) / (unit[:, None] * unit * cells.n_observations)
        matrix = hstack([matrix, csr_array(between)])
        matrix = vstack([matrix, hstack([csr_array((len(unit), len(owners))), csr_array(len(cells) * inside)])])
    return solve(cells, cells.codes, np.ones(len(owners) + len(cells.covariates), bool), matrix)


def system_of_variances(cells: Cells, known: np.ndarray) -> System:
    """Return the equations of the variances that are not known."""
    codes = cells.codes.copy()
    for j, size in enumerate(layer_sizes(cells)):
        start = 1 + sum(layer_sizes(cells)[:j])
        codes[np.append(known[start : start + size], False)[codes[:, j]], j] = -1
    return solve(cells, codes, ~known, cells.design())


def solve(cells: Cells, codes: np.ndarray, free: np.ndarray, matrix) -> System:
    """Return the flat directions of equations among the parameters that are not known."""
    owners = component_of_each(cells)
    slopes = len(free) - len(owners)
    owners = np.append(owners, np.full(slopes, 1 + len(cells.layers)))[free]
    matrix = matrix.tocsc()[:, np.flatnonzero(free)]
    scale = np.sqrt(np.asarray(matrix.power(2).sum(axis=0)).ravel())
    scale[scale == 0] = 1  # a parameter in no equation
    matrix = (matrix @ diags_array(1 / scale)).tocsr()
    if len(owners) <= FEW_PARAMETERS:
        gram = (matrix.T @ matrix).toarray()
        value, vector = np.linalg.eigh(gram) if len(gram) else (np.ones(0), gram)
        null = vector[:, value < 1e-10]
        moves = null @ null.T  # has the rank of the null space, so the result is exact
    else:
        # Each vector lies in one component, so that its projection shows only what moves with that component.
        null, rng = None, np.random.default_rng(0)
        moves = project(matrix, null, rng.normal(size=(len(owners), 1)) * (owners[:, None] == np.unique(owners)))
    moves = moves[:, np.abs(moves).max(axis=0, initial=0) > MOVES]
    of_component = owners == np.arange(1 + len(cells.layers) + (slopes > 0))[:, None]
    moved = np.array([np.abs(moves[own]).max(axis=0, initial=0) > MOVES for own in of_component])
    directions = np.zeros((len(free), moves.shape[1]))
    directions[free] = moves / scale[:, None]
    return System(cells, codes, free, scale, matrix, null, directions, moved)


def project(matrix, null: np.ndarray | None, vectors: np.ndarray) -> np.ndarray:
    """Return vectors without their part in the row space of a matrix.

    Conjugate gradients for least squares (Bjorck 1996, *Numerical Methods for Least Squares Problems*, section 7.4),
    on all vectors at once. Products of long vectors are computed as sums, not by BLAS, whose threads may
    spend more time waiting than computing.
    """
    if null is not None:
        return null @ (null.T @ vectors)
    left, transposed = vectors.astype(float), matrix.T.tocsr()
    goal, tiny = 1e-13 * lengths_of(left), np.finfo(float).tiny
    residual = matrix @ left
    gradient = step = transposed @ residual
    slope = lengths_of(gradient) ** 2
    for _ in range(10 * min(matrix.shape) + 100):
        if np.all(lengths_of(residual) <= goal):
            break
        image = matrix @ step
        size = slope / np.maximum(lengths_of(image) ** 2, tiny)
        left -= size * step
        residual -= size * image
        gradient, last = transposed @ residual, slope
        slope = lengths_of(gradient) ** 2
        step = gradient + slope / np.maximum(last, tiny) * step
    return left


def lengths_of(columns: np.ndarray) -> np.ndarray:
    """Return the length of every column."""
    return np.sqrt(np.einsum("ij,ij->j", columns, columns))


def layer_sizes(cells: Cells) -> list[int]:
    """Return the number of contributors of every layer."""
    return [len(cells.labels[name]) for name in cells.layers]


def component_of_each(cells: Cells) -> np.ndarray:
    """Return the component of every parameter: 0 for the baseline, then 1, 2, ... for the layers, shape (P,)."""
    return np.repeat(np.arange(1 + len(cells.layers)), [1, *layer_sizes(cells)])


# --- how two layers are related ---


def which_determine(cells: Cells) -> np.ndarray:
    """Return a (J, J) table: whether all rows with a contributor of one layer have the same one of the other."""
    return _determines(cells.codes, layer_sizes(cells))


def _determines(codes: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    result = np.eye(len(sizes), dtype=bool)
    for i, j in np.ndindex(result.shape):
        if i != j:
            present = codes[:, i] >= 0
            one, other = codes[present, i], codes[present, j]
            last = np.full(sizes[i], -1)
            last[one] = other
            result[i, j] = present.any() and other.min() >= 0 and bool(np.all(last[one] == other))
    return result


def nests(codes: np.ndarray, sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Return the positions of each layer and of a layer in which it is nested.

    Parameters
    ----------
    codes : numpy.ndarray of int, shape (N, J)
        Contributors of rows or cells, -1 where a layer is absent.
    sizes : sequence of int
        Numbers of contributors of the J layers.
    """
    determines = _determines(codes, sizes)
    return [(i, j) for i, j in zip(*np.nonzero(determines), strict=True) if sizes[j] < sizes[i]]


@dataclass(frozen=True, eq=False)
class Pair:
    """Connected groups of the contributors of two layers: those that share a cell are in the same group.

    In a group, all parameters of one layer can rise while those of the other fall, with no effect on the data, unless
    some cell of the group has a contributor of one layer only.

    Attributes
    ----------
    first, second : int
        Positions of the two layers.
    groups : tuple of numpy.ndarray of int
        Group of every contributor of the first and the second layer; -1 for a group that cannot move.
    n_groups : int
        Number of groups that can move.
    of_cell : numpy.ndarray of int
        Group of every cell.
    directions : int
        Number of flat directions of these two layers, besides those that each of them has with the baseline.
    """

    first: int
    second: int
    groups: tuple[np.ndarray, np.ndarray]
    n_groups: int
    of_cell: np.ndarray
    directions: int


def pairs_of_layers(system: System) -> list[Pair]:
    """Return the connected groups of every pair of layers."""
    sizes = layer_sizes(system.cells)
    with_baseline = moves_with_baseline(system)
    return [
        _pair(system.codes, i, j, sizes, both=with_baseline[i] and with_baseline[j])
        for i, j in combinations(range(len(sizes)), 2)
    ]


def _pair(codes: np.ndarray, i: int, j: int, sizes: Sequence[int], both: bool) -> Pair:
    alone = sizes[i] + sizes[j]  # stands for "without the other layer"
    left = np.where(codes[:, i] >= 0, codes[:, i], alone)
    right = np.where(codes[:, j] >= 0, sizes[i] + codes[:, j], alone)
    edges = coo_array((np.ones(len(codes)), (left, right)), (alone + 1, alone + 1))
    component = connected_components(edges, directed=False)[1]
    occurs = np.zeros(alone + 1, bool)
    occurs[left] = occurs[right] = True
    moves = occurs & (component != component[alone])
    number = np.full(component.max() + 1, -1)
    found = np.unique(component[moves])
    number[found] = np.arange(len(found))
    group = np.where(moves, number[component], -1)
    return Pair(i, j, (group[: sizes[i]], group[sizes[i] : -1]), len(found), group[left], len(found) - both)


def moves_with_baseline(system: System) -> np.ndarray:
    """Return for each layer whether it can rise as a whole while the baseline falls, constraints aside."""
    return (system.codes >= 0).all(axis=0) & system.free[0]


def _explained(system: System, pairs: list[Pair]) -> csr_array:
    """Return, as columns, the flat directions of the layers with the baseline and of pairs of layers."""
    cells = system.cells
    starts = np.cumsum([1, *layer_sizes(cells)])
    parts = []
    for j in np.flatnonzero(moves_with_baseline(system)):
        column = np.zeros((starts[-1], 1))
        column[0], column[starts[j] : starts[j + 1]] = -1, 1
        parts.append(csr_array(column))
    for pair in pairs:
        rows, columns, values = [], [], []
        for layer, group, sign in zip((pair.first, pair.second), pair.groups, (1, -1), strict=True):
            member = np.flatnonzero(group >= 0)
            rows.append(starts[layer] + member)
            columns.append(group[member])
            values.append(np.full(len(member), sign))
        place = (np.concatenate(rows), np.concatenate(columns))
        parts.append(csr_array((np.concatenate(values), place), (starts[-1], max(pair.n_groups, 1))))
    return hstack(parts).tocsr() if parts else csr_array((starts[-1], 1))


def beyond_pairs(system: System, pairs: list[Pair]) -> list[str]:
    """Return the components that share flat directions which no layer has with the baseline and no pair has."""
    if not system.moved.any():
        return []
    moves = system.directions[system.free] * system.scale[:, None]
    if moves.shape[1] > 4:  # a few random sums of them do as well
        moves = moves @ np.random.default_rng(0).normal(size=(moves.shape[1], 3))
    explained = _explained(system, pairs)
    explained = vstack([explained, csr_array((len(system.free) - explained.shape[0], explained.shape[1]))]).tocsr()
    known = (diags_array(system.scale) @ explained[np.flatnonzero(system.free)]).tocsr()
    length = np.sqrt(np.asarray(known.power(2).sum(axis=0)).ravel())
    known = (known @ diags_array(1 / np.where(length > 0, length, 1))).tocsr()
    left = project(csr_array(known.T), None, moves)
    owners = system.owners[system.free]
    large = MOVES * np.abs(moves).max(initial=1)
    return [name for j, name in enumerate(system.components) if np.abs(left[owners == j]).max(initial=0) > large]


def nested_in(cells: Cells) -> dict[str, tuple[str, ...]]:
    """Return for each layer the layers in which it is nested.

    A layer is nested in another one if each of its contributors occurs with one contributor of the other, in every row,
    and the other has fewer contributors.

    Parameters
    ----------
    cells : Cells

    Returns
    -------
    dict of str to tuple of str
    """
    pairs = nests(cells.codes, layer_sizes(cells))
    return {
        finer: tuple(coarser for j, coarser in enumerate(cells.layers) if (i, j) in pairs)
        for i, finer in enumerate(cells.layers)
    }


def aliases(cells: Cells) -> dict[str, tuple[str, ...]]:
    """Return for each layer the layers that have the same contributors under other labels, in every row.

    Parameters
    ----------
    cells : Cells

    Returns
    -------
    dict of str to tuple of str
    """
    determines = which_determine(cells)
    same = determines & determines.T
    return {
        name: tuple(other for j, other in enumerate(cells.layers) if i != j and same[i, j])
        for i, name in enumerate(cells.layers)
    }
