"""Signs of problems in a table before a fit; they are hints, not proofs."""

import re
from itertools import combinations, permutations

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.special import fdtrc

from mlm_tutorial.cells import Cells
from mlm_tutorial.directions import (
    FEW_PARAMETERS,
    MOVES,
    System,
    component_of_each,
    lengths_of,
    nests,
    project,
    solve,
)
from mlm_tutorial.layers import BASELINE
from mlm_tutorial.wording import first_few, listed, readable

#: Number of cells up to which signs that need a dense matrix of cells by cells are searched for.
FEW_CELLS = 500

#: Cells, and means to estimate, up to which an interaction is tested; a larger table is tested in a random part.
PART_CELLS, PART_MEANS = 3_000, 600

#: Note on totals that leave no residual.
EXACT_SUMS = (
    "the layers' means explain every total exactly, so nothing is left over for spreads. "
    "Is the total computed from the layers, or does it hold averages?"
)

#: Labels, in lower case, that stand for several contributors whose names nobody wrote down.
PLACEHOLDERS = frozenset({"", "-", "--", "?", "missing", "n/a", "n.a.", "na", "nan", "none", "null", "unknown"})

#: Those that are left when such a label is joined with that of another layer, as in "R1-nan".
JOINED_PLACEHOLDERS = frozenset({"", "?", "missing", "nan", "<na>", "none", "null", "unknown"})

#: Rows per pair of contributors above which small interactions are found that do not matter.
MANY_ROWS = 10

#: Probability of a false alarm where a sign is a statistical test.
FALSE_ALARM = 1e-4


def notes_on_residuals(cells: Cells, spreads: System) -> list[tuple[set[str], str]]:
    """Return notes on designs without residuals, or whose residuals do not show whose spread it is."""
    everywhere = {BASELINE}
    if not _leaves_residuals(cells):
        text = (
            "no residual degree of freedom is left: the means fit every row, so spreads show nowhere, and only pooling"
        )
        return [(everywhere, f"{text} or a prior separates them from means. Repeat some rows.")]
    if cells.exactly_additive():
        return [(everywhere, EXACT_SUMS)]
    return _notes_on_unrepeated_cells(cells, spreads)


def _leaves_residuals(cells: Cells) -> bool:
    """Return whether there are more rows than means that the data identify."""
    rows, columns = cells.design().shape
    if cells.n_observations > rows or rows > columns:
        return True
    # Rows are fewer than means; some of them depend on others if not all vectors lie in the span of the columns.
    vector = np.random.default_rng(0).normal(size=(rows, 1))
    return bool(lengths_of(project(csr_array(cells.design().T), None, vector))[0] > MOVES)


def _notes_on_unrepeated_cells(cells: Cells, spreads: System) -> list[tuple[set[str], str]]:
    """Return notes on spreads that the design fixes, but that residuals do not show.

    With M the projector on what the means leave over, variances V of single rows show in the residuals up to the null
    space of the squared entries of M (Rao 1970, *Estimation of heteroscedastic variances in linear models*).
    """
    single = cells.n == 1
    if not single.any() or len(cells) > FEW_CELLS or len(spreads.scale) > FEW_PARAMETERS:
        return []
    design = cells.design().toarray()
    projector = np.eye(len(cells)) - design @ np.linalg.pinv(design.T @ design, rtol=1e-10, hermitian=True) @ design.T
    seen = projector[np.ix_(single, single)] ** 2
    seen = csr_array(np.vstack([design[~single], seen @ design[single]]).round(12))
    through_residuals = solve(cells, spreads.codes, spreads.free, seen)
    lost = [
        name
        for name in spreads.components
        if (spreads.fixes(name) and not through_residuals.fixes(name))
        or (name != BASELINE and spreads.fixes_differences(name) and not through_residuals.fixes_differences(name))
    ]
    if not lost:
        return []
    text = f"cells with one row do not tell spreads of {listed(lost)} apart: means can follow either. Only pooling or a"
    return [(set(lost), f"{text} prior does. Repeat some rows.")]


def notes_on_rows(cells: Cells) -> list[tuple[set[str], str]]:
    """Return notes on layers with few rows per contributor."""
    found = []
    for name in cells.layers:
        counts = cells.counts(name)
        single = np.flatnonzero(counts == 1)
        if not len(counts):
            continue
        if len(single) == len(counts):
            text = f"every {readable(name)} has a single row: what it adds cannot be told from the baseline's spread."
            found.append(({name}, f"{text} Leave it out."))
        elif counts.mean() < 3:
            text = f"{readable(name)} has {counts.mean():.1f} rows per contributor on average:"
            found.append(({name}, f"{text} too few to tell a contributor from chance without pooling."))
        elif len(single):
            shown = first_few(cells.labels[name][k] for k in single)
            text = f"{len(single)} of {len(counts)} contributors of {readable(name)} have a single row ({shown}):"
            found.append(({name}, f"{text} without pooling that row decides."))
    return found


def notes_on_constant_totals(cells: Cells) -> list[tuple[set[str], str]]:
    """Return notes on contributors whose totals are all equal."""
    found = []
    for name, codes in zip(cells.layers, cells.codes.T, strict=True):
        has = codes >= 0
        frame = pd.DataFrame({"code": codes[has], "n": cells.n[has], "mean": cells.mean[has], "ss": cells.sum_sq[has]})
        groups = frame.groupby("code").agg(n=("n", "sum"), low=("mean", "min"), high=("mean", "max"), ss=("ss", "max"))
        equal = groups.index[(groups["n"] > 2) & (groups["low"] == groups["high"]) & (groups["ss"] == 0)]
        if len(equal):
            shown = first_few(cells.labels[name][k] for k in equal)
            text = f"all totals of {shown} in {readable(name)} are equal: a value that was filled in, or rounded?"
            found.append(
                ({name}, f"{text} Its spread is then near zero, which is hard to sample: leave it out or check.")
            )
    return found


def notes_on_labels(cells: Cells) -> list[tuple[set[str], str]]:
    """Return notes on labels that look alike, and on labels that say that a name is missing."""
    found = []
    for name in cells.layers:
        nameless = [label for label in cells.labels[name] if str(label).strip().casefold() in PLACEHOLDERS]
        if nameless:
            text = f"{readable(name)} has a contributor called {first_few(map(repr, nameless))}. If its rows belong to"
            text += " several whose names are missing, leave them out: what they connect is not connected."
            found.append(({name}, text))
        parts = [(label, re.split(r"[-:/_.| ]", str(label).strip())) for label in cells.labels[name]]
        joined = [label for label, part in parts if len(part) > 1 and part[-1].casefold() in JOINED_PLACEHOLDERS]
        joined = [label for label in joined if label not in nameless]
        if joined:
            text = f"{readable(name)} has the contributors {first_few(map(repr, joined))}. If these are labels of"
            found.append(({name}, f"{text} another layer joined with a name that is missing, leave their rows out."))
    for name, groups in cells.lookalikes().items():
        shown = [" and ".join(map(repr, labels)) for labels in groups]
        text = f"labels of {readable(name)} differ only in case, spaces or type: {first_few(shown)}."
        found.append(({name}, f"{text} If they mean the same contributor, write them alike."))
    return found


def notes_on_absent_labels(cells: Cells, means: System) -> list[tuple[set[str], str]]:
    """Return notes on nested layers whose means the data fix because some rows lack one of the two.

    Without such rows no data fix them: what a group adds and what all of its members add is the same.
    """
    found = []
    for i, j in permutations(range(len(cells.layers)), 2):
        codes, sizes = cells.codes[:, [i, j]], [len(cells.labels[cells.layers[k]]) for k in (i, j)]
        present = (codes >= 0).all(axis=1)
        if present.all() or (0, 1) not in nests(codes[present], sizes):
            continue
        finer, coarser = cells.layers[i], cells.layers[j]
        for name, code in zip((finer, coarser), codes.T, strict=True):
            without = int(cells.n[code < 0].sum())
            if without and means.fixes(coarser):
                one, other, what = map(readable, (coarser, finer, name))
                text = (
                    f"only the {without:,} of {cells.n.sum():,.0f} rows without a {what} tell {one} and {other} apart"
                )
                text += f". That is right if no {what} took part in them, and wrong if its label was not written down."
                found.append(({coarser, finer}, text))
    return found


def notes_on_reused_labels(cells: Cells) -> list[tuple[set[str], str]]:
    """Return notes on labels that seem to stand for other contributors in each group of another layer.

    Then nearly all labels occur in nearly all groups, and the cells of both differ from the sum of their parts. That is
    an interaction of the two layers, and a genuine interaction looks the same. With many rows per pair there is a note
    only where the reused labels' own averages say nothing, as averages of others do.
    """
    found = []
    for i, j in combinations(range(len(cells.layers)), 2):
        group, reused = sorted((i, j), key=lambda x: -len(cells.labels[cells.layers[x]]))
        test = _interaction(cells, group, reused)
        if test is None or test[1] >= FALSE_ALARM:
            continue
        names = (cells.layers[group], cells.layers[reused])
        one, other = map(readable, names)
        text = f"nearly every {other} occurs in nearly every {one}, and their cells miss the sum of their parts"
        text += f" (F = {test[0]:.1f}; by chance, fewer than one in {1 / FALSE_ALARM:,.0f} tables do so)."
        first, label = (cells.labels[name][0] for name in names)
        if test[2]:
            text += f" {other}'s own averages say nothing."
        text += f" If {other} {label} of one {one} is not {other} {label} of another, give each its own label,"
        text += f" such as {f'{first}:{label}'!r}. Else {one} and {other} interact: add that pair as a layer."
        found.append((set(names), text))
    return found


def _interaction(cells: Cells, group: int, reused: int) -> tuple[float, float, bool] | None:
    """Return F and its p-value for the interaction of two layers, and whether the second has no effect beyond it.

    None where the layers are not nearly crossed, no residual is left to compare with, other layers have too many
    contributors, or rows are many and the second layer has effects of its own.

    Each contributor has a spread of its own, and an F-test that assumes equal spreads raises a false alarm in up to 2 %
    of tables at a nominal 1e-4. So degrees of freedom are those of Box (1954, *Some theorems on quadratic forms*):
    in 54,000 simulated tables without interaction, at three kinds of spreads, none fell below 1e-4.
    """
    present = (cells.codes[:, [group, reused]] >= 0).all(axis=1)
    sizes = [len(cells.labels[cells.layers[x]]) for x in (group, reused)]
    code = np.where(present, cells.codes[:, group] * sizes[1] + cells.codes[:, reused], -1)
    pairs, pair = np.unique(code, return_inverse=True)
    pair = pair.ravel()
    n_pairs = int((pairs >= 0).sum())
    if min(sizes) < 2 or n_pairs < 0.8 * sizes[0] * sizes[1]:
        return None
    many_rows = cells.n[present].sum() > MANY_ROWS * n_pairs
    kept = np.arange(len(cells))
    if len(cells) > PART_CELLS or n_pairs + sum(map(len, cells.labels.values())) > PART_MEANS:
        kept = _part(cells.codes[:, [group, reused]], sizes)
    codes, n, mean, sum_sq, pair = (x[kept] for x in (cells.codes, cells.n, cells.mean, cells.sum_sq, pair))
    design, owners = cells.design()[kept], component_of_each(cells)
    there = design.sum(axis=0) > 0
    owners = owners[there]
    of_pair = pair == np.flatnonzero(pairs >= 0)[:, None]
    of_pair = of_pair[of_pair.any(axis=1)].T
    if there.sum() + of_pair.shape[1] > PART_MEANS:
        return None
    design = design[:, np.flatnonzero(there)].toarray()
    root = np.sqrt(n)
    response = root * (mean - np.average(mean, weights=n))

    def fit(columns):
        """Return an orthonormal basis of weighted columns."""
        weighted = root[:, None] * columns
        value, vector = np.linalg.eigh(weighted.T @ weighted)
        used = value > 1e-10 * value[-1]
        return weighted @ (vector[:, used] / np.sqrt(value[used]))

    without, additive, full = map(fit, (design[:, owners != reused + 1], design, np.hstack([design, of_pair])))
    rank_0, rank_1, rank_2 = (basis.shape[1] for basis in (without, additive, full))
    if rank_2 == rank_1 or n.sum() <= rank_2:
        return None
    by_without, by_additive, by_full = (basis @ (basis.T @ response) for basis in (without, additive, full))
    leverage = {name: np.sum(basis**2, axis=1) for name, basis in (("additive", additive), ("full", full))}
    dof, within = n - leverage["full"], sum_sq + (response - by_full) ** 2
    if within.sum() <= 1e-12 * (response @ response):
        return None
    # Contributors have spreads of their own. Their ratios are taken from all that an additive fit leaves over.
    squares, rows = sum_sq + (response - by_additive) ** 2, n - leverage["additive"]
    shape = np.ones(len(n))
    for code in codes[:, [group, reused]].T:
        used = code >= 0
        left, dof_left = (np.bincount(code[used], x[used]) for x in (squares, rows))
        ratio = np.where(dof_left > 0.1, left / np.maximum(dof_left, 0.1), squares.sum() / rows.sum())
        shape[used] *= ratio[code[used]] / (squares.sum() / rows.sum())
    shape = np.maximum(shape, 1e-6)
    share = ((leverage["full"] - leverage["additive"]) * shape).sum()
    square = response @ (by_full - by_additive)
    f = float((square / share) / (within.sum() / (dof @ shape)))

    def trace(one, other):
        """Return the trace of P S Q S, for the projectors P and Q on two bases and S with `shape` in its diagonal."""
        return np.sum((one.T @ (shape[:, None] * other)) ** 2)

    dof_1 = share**2 / (trace(full, full) - 2 * trace(full, additive) + trace(additive, additive))
    dof_2 = (dof @ shape) ** 2 / (dof @ shape**2)
    own = response @ (by_additive - by_without) / max(rank_1 - rank_0, 1)
    interaction = square / (rank_2 - rank_1)
    nothing = interaction > 0 and fdtrc(max(rank_1 - rank_0, 1), rank_2 - rank_1, own / interaction) > 0.01
    # Many rows show interactions that are too small to matter. Reused labels leave a trace of their own.
    if not nothing and many_rows:
        return None
    return f, float(fdtrc(dof_1, dof_2, f)), bool(nothing)


def _part(codes: np.ndarray, sizes: list[int]) -> np.ndarray:
    """Return positions of some cells of two crossed layers: of 300 pairs of contributors at most, drawn at random."""
    rng = np.random.default_rng(0)
    n_reused = min(sizes[1], 30)
    kept = (codes >= 0).all(axis=1)
    for code, size, n in zip(codes.T, sizes, (300 // n_reused, n_reused), strict=True):
        kept &= np.isin(code, rng.permutation(size)[:n])
    places = np.flatnonzero(kept)
    return np.sort(rng.permutation(places)[:PART_CELLS])
