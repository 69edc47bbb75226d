"""Sentences on what a design fixes and what it does not."""

import re
from collections.abc import Hashable, Iterable

import numpy as np

from mlm_tutorial.cells import Cells
from mlm_tutorial.directions import (
    MOVES,
    Pair,
    System,
    aliases,
    beyond_pairs,
    component_of_each,
    layer_sizes,
    moves_with_baseline,
    nested_in,
    pairs_of_layers,
)
from mlm_tutorial.layers import BASELINE
from mlm_tutorial.names import COVARIATES


def readable(name: str) -> str:
    """Return a name, quoted where it is more than one word."""
    return name if re.fullmatch(r"\w+", name) else repr(name)


def listed(names: Iterable[str], each: str = "") -> str:
    """Return names as a list in words."""
    names = [each + (name if name == BASELINE else readable(name)) for name in names]
    names = [f"the {name}" if name == BASELINE else name for name in names]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def first_few(labels: Iterable[Hashable], n: int = 3) -> str:
    """Return the first labels as text, with dots for the others."""
    texts = [str(x) for x in labels]
    return ", ".join(texts[:n]) + (", ..." if len(texts) > n else "")


_SPLIT = "decided by pooling alone, not by the data"


def sentences(system: System) -> list[tuple[set[str], str]]:
    """Return the reasons why means are not fixed, each with the layers it concerns."""
    cells, layers = system.cells, system.cells.layers
    pairs = pairs_of_layers(system)
    found = [
        ({name}, f"no row lacks {readable(name)}: what it adds on average cannot be told from the baseline.")
        for name in sorted(cells.absent, key=layers.index)
        if moves_with_baseline(system)[layers.index(name)]
    ]
    found += alias_sentences(cells)
    same, nested = aliases(cells), nested_in(cells)
    confounded = {frozenset((layers[p.first], layers[p.second])) for p in pairs if p.directions > 0}
    for finer in layers:
        coarser = [name for name in nested[finer] if {finer, name} in confounded]
        if coarser:
            where = listed(coarser, "one ")
            text = f"every {readable(finer)} lies in {where}:{_where_no_row_lacks(cells, finer, coarser)} the split"
            text += f" between their means is {_SPLIT}."
            if len(coarser) == 1:
                text += f" What {readable(finer)} adds can be compared inside one {readable(coarser[0])} only."
            else:
                text += f" Of {readable(finer)} they fix what cancels in {listed(coarser, 'every ')}: the interaction."
            found.append(({finer, *coarser}, text))
    apart: dict[bytes, list[Pair]] = {}
    for pair in pairs:
        one, other = layers[pair.first], layers[pair.second]
        if pair.directions > 0 and not (other in same[one] + nested[one] or one in nested[other]):
            # Pairs that fall into the same groups of cells are reported once.
            key = np.unique(pair.of_cell, return_index=True, return_inverse=True)
            order = np.argsort(np.argsort(key[1]))
            apart.setdefault(order[key[2].ravel()].tobytes(), []).append(pair)
    found += [_groups_sentence(cells, group) for group in apart.values()]
    found += _sentences_on_slopes(system)
    told = set().union(*(names for names, _ in found))
    beyond = [name for name in beyond_pairs(system, pairs) if not (COVARIATES in told and name in {BASELINE, *told})]
    lost = [name for name in layers if not system.fixes(name)]
    untold = beyond or ([] if told.issuperset(lost) else lost)
    names = [name for name in untold if not system.fixes(name)]
    if names:
        alone = not any(pair <= set(names) for pair in confounded)
        found.append((set(names), _tied_sentence(cells, names, alone)))
    return found


def _where_no_row_lacks(cells: Cells, finer: str, coarser: list[str]) -> str:
    """Return which contributors of a coarser layer a sentence is about, if rows of some lack the finer layer."""
    if finer not in cells.absent or len(coarser) > 1:
        return ""
    one, other = (cells.codes[:, cells.layers.index(name)] for name in (coarser[0], finer))
    without = np.setdiff1d(one[one >= 0], one[other < 0])
    if len(without) in (0, len(cells.labels[coarser[0]])):
        return ""
    shown = first_few(cells.labels[coarser[0]][k] for k in without)
    return f" where no row lacks {readable(finer)} ({shown}),"


def _sentences_on_slopes(system: System) -> list[tuple[set[str], str]]:
    """Return a sentence on covariates whose slopes the data do not fix beside the contributors' means."""
    if COVARIATES not in system.components or system.fixes(COVARIATES):
        return []
    moved = np.abs(system.block(COVARIATES)).max(axis=1, initial=0) > MOVES
    names = [name for name, moves in zip(system.cells.covariates, moved, strict=True) if moves]
    layers = [name for name in system.confounded_with(COVARIATES) if name != BASELINE]
    slope = "its slope" if len(names) == 1 else "their slopes"
    if not layers:
        text = f"{listed(names)} say the same: how they share what they add is decided by the prior, not by the data."
        return [({COVARIATES}, text)]
    verb = "follows" if len(names) == 1 else "follow"
    text = f"{listed(names)} {verb} from the labels of {listed(layers)}: the split between {slope} and the means is"
    return [({COVARIATES, *layers}, f"{text} {_SPLIT}.")]


def alias_sentences(cells: Cells) -> list[tuple[set[str], str]]:
    """Return sentences on layers with the same contributors."""
    same = aliases(cells)
    found: list[tuple[set[str], str]] = []
    for name in cells.layers:
        group = (name, *same[name])
        if len(group) > 1 and not any(name in names for names, _ in found):
            text = f"{listed(group)} have the same contributors under other labels: "
            text += "nothing in the data tells them apart."
            found.append((set(group), text + f" Leave {'one' if len(group) == 2 else 'all but one'} of them out."))
    return found


def _groups_sentence(cells: Cells, pairs: list[Pair]) -> tuple[set[str], str]:
    """Return a sentence on layers that fall into groups without a common cell."""
    places = sorted({j for pair in pairs for j in (pair.first, pair.second)})
    names = [cells.layers[j] for j in places]
    pair = min(pairs, key=lambda p: min(len(g) for g in p.groups))
    n_groups = len(np.unique(pair.of_cell[(cells.codes[:, [pair.first, pair.second]] >= 0).any(axis=1)]))
    if n_groups == 1:
        text = f"{listed(names)} take part in the same rows: the data fix what they add together;"
        return set(names), f"{text} the split between their averages is {_SPLIT}."
    j, group = min(zip((pair.first, pair.second), pair.groups, strict=True), key=lambda x: len(x[1]))
    labels = cells.labels[cells.layers[j]]
    shown = [first_few(labels[k] for k in np.flatnonzero(group == x)) for x in np.unique(group)][:3]
    text = f"{listed(names)} fall into {n_groups} groups that never meet"
    text += f" ({readable(cells.layers[j])} {' | '.join(shown)}{' | ...' if len(np.unique(group)) > 3 else ''}):"
    text += f" how their means differ between groups is {_SPLIT}. Compare within a group, or observe across groups."
    sizes = [np.bincount(x[x >= 0], minlength=pair.n_groups) for x in pair.groups]
    alone = np.flatnonzero((sizes[0] == 1) & (sizes[1] == 1))
    if len(alone):
        first, second = (cells.layers[x] for x in (pair.first, pair.second))
        pairs_alone = [[int(np.argmax(x == k)) for x in pair.groups] for k in alone[:4]]
        come = [f"{cells.labels[first][a]} with {cells.labels[second][b]}" for a, b in pairs_alone]
        text += f" Always together: {readable(first)} {first_few(come)} of {readable(second)}."
    return set(names), text


def _tied_sentence(cells: Cells, names: list[str], alone: bool) -> str:
    layers = [name for name in names if name != BASELINE]
    text = f"{listed(names)} are tied to one another"
    text += ", although any two of these layers could be told apart:" if len(layers) > 2 and alone else ":"
    sizes = zip(cells.layers, layer_sizes(cells), strict=True)
    needed = 1 + sum(size - (name not in cells.absent) for name, size in sizes)
    if len(cells) < needed:
        text += f" the table has {len(cells)} combinations of contributors for {needed} means, so"
    return f"{text} how their means share a sum is {_SPLIT}. Leave one layer out, or observe more combinations."


def words_of_means(system: System) -> dict[str, str]:
    """Return a sentence for every component on the identification of its means."""
    cells = system.cells
    reasons = sentences(system) if system.moved.any() else []
    words = {}
    for name in system.components:
        if not system.fixes(name):
            told = [text for names, text in reasons if name in names]
            if name == BASELINE and not told:
                told = [f"it moves with the means of {listed(system.confounded_with(name))}."]
            words[name] = f"not fixed by the data: {' Also: '.join(told)}"
        elif name in (BASELINE, COVARIATES):
            words[name] = "fixed by the data."
        else:
            of = "what each contributor adds" if name in cells.absent else "differences from the layer's average"
            words[name] = f"fixed by the data, as {of}."
    return words


def words_of_spreads(system: System) -> dict[str, str]:
    """Return a sentence for every component on the identification of its spreads."""
    pairs = [p for p in pairs_of_layers(system) if p.directions > 0]
    return {name: _words_of_spread(system, name, pairs) for name in system.components}


def _words_of_spread(system: System, name: str, pairs: list[Pair]) -> str:
    layers = system.cells.layers
    free = system.free[component_of_each(system.cells) == system.components.index(name)]
    if not free.any():
        return "known."
    if system.fixes(name):
        return "fixed by the data." if free.all() else "fixed by the data where not known."
    others = system.confounded_with(name)
    if name == BASELINE:
        text = "not fixed by the data. The prior decides how much of the spread is the baseline's own, and how much all"
        text = f"{text} contributors of {listed(others)} share with it."
        return f"{text} Known spreads (known_sigma) or rows that lack a layer would fix it."
    if system.fixes_differences(name) and free.all() and len(free) > 1:
        if moves_with_baseline(system)[layers.index(name)]:
            others = [BASELINE]
        text = "differences between contributors' spreads are fixed by the data; how much spread all of them share with"
        return f"{text} {listed(others)} is not: the prior decides."
    partners = [layers[p.second if layers[p.first] == name else p.first] for p in pairs]
    partners = [x for x, p in zip(partners, pairs, strict=True) if name in (layers[p.first], layers[p.second])]
    text = "not fixed by the data, nor are differences between contributors' spreads: the data fix sums with those of"
    if len(free) == 1:
        text = "not fixed by the data, which say only what it is together with"
    return f"{text} {listed(partners or others or [BASELINE])}, and the prior decides how they are split."


def estimable(means: System, spreads: System, weights: np.ndarray) -> tuple[bool, bool, str]:
    """Return whether a contrast of means, and of variances, is estimable, and why not."""
    found, words = [], []
    for system in (means, spreads):
        vector = _for_system(weights, system)[system.free] / system.scale
        size = np.linalg.norm(vector)
        # What lies in the row space leaves nothing in the null space.
        found.append(size == 0 or bool(np.linalg.norm(system.project(vector[:, None])) <= MOVES * size))
    for kind, system, good in zip(("means", "variances"), (means, spreads), found, strict=True):
        if good:
            words.append(f"This combination of {kind} is fixed by the data.")
        else:
            used = np.unique(system.owners[system.free & (_for_system(weights, system) != 0)])
            names = [system.components[j] for j in used if not system.fixes(system.components[j])]
            lost = listed(names)
            words.append(f"This combination of {kind} is not: it depends on what the data do not fix of {lost}.")
    return found[0], found[1], " ".join(words)


def _for_system(weights: np.ndarray, system: System) -> np.ndarray:
    """Return weights of contributors with zeros for a system's slopes."""
    return np.append(weights, np.zeros(len(system.free) - len(weights)))
