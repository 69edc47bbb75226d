"""Checks of the exercises of notebook 17."""

import itertools
import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from mlm_tutorial.cells import Cells, cell_statistics
from mlm_tutorial.datasets import load_flights, load_gauge, load_paste, load_penicillin, load_radon
from mlm_tutorial.exercises.answered_posteriors import expect_moments, fits_a_model, trusted_draws
from mlm_tutorial.exercises.answers import Answer, Hint, array, choice, choices, close, frame, instance, pair


def cells_of_csv(answer: Answer, rng: np.random.Generator) -> str:
    """Check 17.1."""
    routes = ["007", "7", "12"]
    # A comma in a name is no decimal mark.
    tables = [
        pd.DataFrame({"center": ["NA", "North", "South"] * 20, "route": rng.choice(routes, 60)}),
        pd.DataFrame({"plot": rng.choice(routes, 60), "farmer": ["None", "nan", "Berg, Olga"] * 20}),
    ]
    for table, total in zip(tables, ["minutes", "yield"], strict=True):
        layers = list(table)
        numbers = next(name for name in layers if name in ("route", "plot"))
        table.loc[:2, numbers] = routes
        table[total] = rng.normal(35, 6, len(table)).round(2)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            path = Path(folder) / "export.csv"
            table.to_csv(path, sep=";", decimal=",", index=False)
            given = answer.call(path, total, layers)
        given = _cells(given, layers)
        if given.n_observations != len(table):
            raise Hint(
                f"the file has {len(table)} rows, your cells hold {given.n_observations}: rows were dropped, "
                "such as those of a name that looks like a missing value"
            )
        right = cell_statistics(table, total, layers)
        for layer in layers:
            found, wanted = list(given.labels[layer]), list(right.labels[layer])
            if any(not isinstance(label, str) for label in found) or (layer == numbers and "007" not in found):
                raise Hint(
                    f"labels of the {layer} are names, even those of digits, with their leading zeros; yours: {found}"
                )
            if found != wanted:
                raise Hint(f"the labels of the {layer} should stay as they are in the file; yours are {found}")
        _expect_cells(given, right)
    return "A name is text, whatever it looks like."


def _cells(given: Any, layers: list[str], what: str = "the answer") -> Cells:
    instance(given, Cells, "Cells, from mlm.cell_statistics", what)
    if list(given.layers) != layers:
        raise Hint(f"the layers of the cells should be {layers}, but they are {list(given.layers)}")
    return given


def _expect_cells(given: Cells, right: Cells) -> None:
    """Raise a hint unless cells with the right number of observations and labels are right."""
    if not (np.array_equal(given.codes, right.codes) and np.array_equal(given.n, right.n)):
        raise Hint("some cells do not have the table's counts; does every row go to the cell of its own labels?")
    if not close(given.mean, right.mean):
        raise Hint("the counts are right, but not the cells' means")
    if not close(given.sum_sq, right.sum_sq):
        raise Hint("counts and means are right, but not the cells' sums of squares")


def refit_or_compile(answer: Answer, rng: np.random.Generator) -> str:
    """Check 17.3."""
    full = _visits(["Ada", "Ben", "Chen"], [1, 2])
    sparse = [("Ada", 1), ("Ben", 2), ("Chen", 3), ("Dina", 1), ("Ada", 2), ("Ben", 3)]
    square = _visits(["Ada", "Ben"], [1, 2, 3])
    less = [row for row in full if row != ("Ben", 2)]
    cases = [
        ("full", full * 3, "refit", "only counts and totals are new"),
        ("full", _replaced(full, "Chen", "Zoe"), "compile", "a new driver replaces another one, under the same shapes"),
        ("full", _replaced(full, 2, 3), "compile", "another month replaces one, under the same shapes"),
        ("full", less, "compile", "one combination does not occur, so there are fewer cells"),
        ("all but one", less, "refit", "other combinations occur than before, but as many"),
        ("all but one", full, "compile", "one combination is new, so there are more cells"),
        ("sparse", square, "compile", "two drivers are gone, and there are as many cells as before"),
        ("square", sparse, "compile", "two drivers are new, and there are as many cells as before"),
        ("sparse", sparse * 2, "refit", "only counts and totals are new"),
    ]
    for old, rows, right, what in cases:
        new = _cells_of_visits(rows, rng, _NAMES_OF[old])
        given = choice(answer.call(Path(_saved_posteriors().name) / f"{old}.nc", new), ("refit", "compile"))
        if given != right:
            advice = {
                "refit": "the compiled model takes these as data",
                "compile": "numbers of the old model would go to wrong contributors, or not fit at all",
            }
            raise Hint(f"where {what}, your answer is {given!r}, but {advice[right]}")
    return "Counts and totals are data; contributors, and the number of cells, are the model's shape."


#: Names of the layers in each of the saved files.
_NAMES_OF = {
    "full": ("driver", "month"),
    "all but one": ("driver", "month"),
    "sparse": ("nurse", "ward"),
    "square": ("nurse", "ward"),
}


def _visits(people: list, places: list) -> list[tuple]:
    return list(itertools.product(people, places))


def _replaced(rows: list[tuple], old: object, new: object) -> list[tuple]:
    return [tuple(new if x == old else x for x in row) for row in rows]


def _cells_of_visits(rows: list[tuple], rng: np.random.Generator, names: tuple[str, str]) -> Cells:
    table = pd.DataFrame(rows * 3, columns=list(names))
    return cell_statistics(table.assign(total=rng.normal(35, 6, len(table))), "total", list(names))


@cache
def _saved_posteriors() -> tempfile.TemporaryDirectory:
    """Return a folder with a posterior of each kind of cells: files take long."""
    rng = np.random.default_rng(0)
    folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    full = _visits(["Ada", "Ben", "Chen"], [1, 2])
    rows = {
        "full": full,
        "all but one": [row for row in full if row != ("Ada", 1)],
        "sparse": [("Ada", 1), ("Ben", 2), ("Chen", 3), ("Dina", 1), ("Ada", 2), ("Ben", 3)],
        "square": _visits(["Ada", "Ben"], [1, 2, 3]),
    }
    for name, part in rows.items():
        tree = _posterior_like(_cells_of_visits(part, rng, _NAMES_OF[name]), rng)
        tree.to_netcdf(Path(folder.name) / f"{name}.nc", engine="h5netcdf")
    return folder


def _posterior_like(cells: Cells, rng: np.random.Generator) -> xr.DataTree:
    """Return a tree that has the names and shapes of a posterior, and no fit behind it."""
    posterior: dict[str, tuple] = {
        f"{kind}_baseline": (("chain", "draw"), rng.normal(9, 1, (2, 5))) for kind in ("mu", "sigma")
    }
    for name in cells.layers:
        for kind in ("mu", "sigma"):
            shape = (2, 5, len(cells.labels[name]))
            posterior[f"{kind}_{name}"] = (("chain", "draw", name), rng.normal(9, 1, shape))
    coords = {name: list(cells.labels[name]) for name in cells.layers}
    # A contributor's position is that among the baseline and the contributors of all layers.
    starts = np.cumsum([1, *(len(cells.labels[name]) for name in cells.layers)])[:-1]
    data = {
        "mlm_codes": (("mlm_cell", "mlm_layer"), cells.codes + starts),
        "mlm_n": ("mlm_cell", cells.n.astype(float)),
    }
    cell = {"mlm_cell": np.arange(len(cells)), "mlm_layer": list(cells.layers)}
    return xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset(posterior, coords),
            "constant_data": xr.Dataset(data, cell),
        }
    )


def cells_of_folder(answer: Answer, rng: np.random.Generator) -> str:
    """Check 17.2."""
    total, *layers = [["minutes", "center", "driver"], ["grams", "farm", "crate"]][int(rng.integers(2))]
    one, other = layers
    n = 80
    table = pd.DataFrame({one: rng.choice(["North", "South"], n), other: rng.choice(["Ada", "Ben", "Chen"], n)})
    table[total] = rng.normal(35, 6, n)
    table.loc[:0, layers] = ["South", "Dina"]  # somebody who has one row in all
    # The first part has one row, the second one contributor; the third part lacks some by chance alone.
    edges = np.array([0, 1, 20, 45, 60, n])
    parts = [table.iloc[a:b] for a, b in zip(edges[:-1], edges[1:], strict=True)]
    parts[1] = parts[1].assign(**{one: "North"})
    whole = pd.concat(parts)
    names = ["day-1.parquet", "day-2.csv", "late.parquet", "from the south.csv", "day-5.parquet"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for name, part in zip(names, parts, strict=True):
            path = Path(folder) / name
            part.to_parquet(path, index=False) if path.suffix == ".parquet" else part.to_csv(path, index=False)
        (Path(folder) / "readme.txt").write_text("One file a day.\n", encoding="utf-8")
        given = answer.call(Path(folder), total, layers)
    given = _cells(given, layers)
    if given.n_observations != n:
        kinds = {
            "Parquet": sum(len(part) for part, name in zip(parts, names, strict=True) if name.endswith("parquet")),
            "CSV": sum(len(part) for part, name in zip(parts, names, strict=True) if name.endswith("csv")),
        }
        for kind, rows in kinds.items():
            if given.n_observations == rows:
                raise Hint(f"only the {kind} files were read; the folder has parts of both kinds")
        if given.n_observations == sum(len(p) for p, name in zip(parts, names, strict=True) if name.startswith("day")):
            raise Hint("files that are called otherwise than those of the example were left out; go by their endings")
        if given.n_observations in [len(part) for part in parts]:
            raise Hint("your cells hold the rows of one file; add each file's cells to those of the files before it")
        raise Hint(f"the files have {n} rows together, your cells hold {given.n_observations}")
    right = cell_statistics(whole, total, layers)
    if given.labels != right.labels:
        raise Hint(f"the contributors should be {right.labels}, but they are {given.labels}")
    by_part = pd.concat([cell_statistics(part, total, layers, partial=True).to_frame() for part in parts])
    grouped = by_part.groupby(layers)
    if len(given) == len(grouped):
        if close(given.mean, grouped["mean"].mean()):
            raise Hint("the cells' means are plain averages of the files' means; files have different numbers of rows")
        if close(given.mean, right.mean) and close(given.sum_sq, grouped["sum_sq"].sum()):
            raise Hint("sums of squares do not simply add: each file's rows scatter about the average of that file")
    _expect_cells(given, right)
    return "Merged cells are those of all rows, however many files there are."


@fits_a_model
def what_may_be_claimed(answer: Answer, rng: np.random.Generator) -> str:
    """Check 17.4."""
    from mlm_tutorial.identifiability import UnidentifiedWarning

    layers, total = [(["lot", "wafer"], "thickness"), (["farm", "crate"], "grams")][int(rng.integers(2))]
    table, questions, kinds = _nested_table(rng, layers, total)
    sigma, scales = 1.0, (3.5, 0.6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnidentifiedWarning)  # the task is about what it says
        first, second = pair(answer.call(table, total, layers, questions, sigma, scales), "the answer")
    fits = pair(first, "the first part of the answer")
    cells = cell_statistics(table, total, layers)
    for i, (fit, scale) in enumerate(zip(fits, scales, strict=True)):
        what = f"your posterior with a scale of {scale}"
        variables = [f"{kind}_{name}" for kind in ("mu", "sigma") for name in ("baseline", *layers)]
        draws = trusted_draws(fit, variables, what)
        _expect_the_model(draws, cells, layers, sigma, what)
        other = _exact_means(cells, scales[1 - i])
        own = _exact_means(cells, scale)
        for name in layers:
            mistakes = [(*other[name], f"{what} is that of the other scale; one posterior for each, in their order")]
            known = "is the scale that of all means, and sigma known?"
            expect_moments(draws[f"mu_{name}"], *own[name], f"mu_{name} in {what}", mistakes, known)
    claimed = choices(second, list(questions), "the second part of the answer")
    for name, kind in kinds.items():
        if name in claimed and kind == "not fixed":
            raise Hint(
                f"you claim {name!r}, and its interval excludes zero under both scales; but no row shows how a sum "
                "divides between a group and its members, so what stayed is the prior"
            )
        if name in claimed and kind == "one scale":
            raise Hint(
                f"you claim {name!r}, which the data fix; but its interval excludes zero under the scale of "
                f"{scales[0]} only, so a prior has a say"
            )
        if name in claimed and kind == "near zero":
            raise Hint(f"you claim {name!r}, which the data fix; but zero lies inside its interval")
        if name not in claimed and kind == "claim":
            raise Hint(f"you do not claim {name!r}, but the data fix it, and zero lies outside both intervals")
    return "What stays under two priors may still be the prior. The design says which."


def _nested_table(rng: np.random.Generator, layers: list[str], total: str) -> tuple[pd.DataFrame, dict, dict]:
    """Return a table of three groups with three members each, questions, and what may be said of each question."""
    outer, inner = layers
    groups = [f"{outer[0].upper()}{k}" for k in rng.permutation(9)[:3] + 1]
    members = {group: [f"{group}.{k}" for k in range(1, 4)] for group in groups}
    # The middle group's first two are 1.8 posterior standard deviations apart under one scale, 1.4 under the other.
    deviations = {group: np.array([3.0, -1.4, -1.6]) for group in groups} | {groups[1]: np.array([1.285, 0, -1.285])}
    level = dict(zip(groups, [8, 0, -8] + rng.uniform(-1, 1, 3), strict=True))
    rows = []
    for group in groups:
        jitter = 0 if group == groups[1] else rng.uniform(-0.05, 0.05, 3)
        for member, deviation in zip(members[group], deviations[group] + jitter, strict=True):
            z = rng.normal(size=4)
            # Averages are exact, so that no question is decided by chance.
            values = 50 + level[group] + deviation * (1 if group == groups[0] else -1) + (z - z.mean())
            rows += [(group, member, x) for x in values]
    table = pd.DataFrame(rows, columns=[outer, inner, total]).iloc[rng.permutation(len(rows))].reset_index(drop=True)
    (high, _, low), (a, b, c), (d, *_) = groups, members[groups[0]], members[groups[2]]
    one, other, _ = members[groups[1]]
    kinds, questions = {}, {}
    for name, kind, weights in [
        (f"{a} - {b}", "claim", {(inner, a): 1, (inner, b): -1}),
        (f"{b} - {c}", "near zero", {(inner, b): 1, (inner, c): -1}),
        (f"{one} - {other}", "one scale", {(inner, one): 1, (inner, other): -1}),
        (f"{high} - {low}", "not fixed", {(outer, high): 1, (outer, low): -1}),
        (
            f"{a} in {high} - {d} in {low}",
            "claim",
            {(outer, high): 1, (inner, a): 1, (outer, low): -1, (inner, d): -1},
        ),
        (f"{a} - {d}", "not fixed", {(inner, a): 1, (inner, d): -1}),
    ]:
        questions[name], kinds[name] = weights, kind
    order = rng.permutation(len(questions))
    return table, {name: questions[name] for name in np.array(list(questions))[order].tolist()}, kinds


def _expect_the_model(draws: xr.Dataset, cells: Cells, layers: list[str], sigma: float, what: str) -> None:
    """Raise a hint unless spreads are the known ones, and contributors are not pooled."""
    if any(name.startswith("tau_") for name in draws):
        raise Hint(f"{what} pools the contributors; the task asks for fixed scales, without pooling")
    if not np.allclose(draws["sigma_baseline"], sigma):
        raise Hint(f"{what} estimates sigma_baseline, but the instrument's error is known to be {sigma}")
    for name in layers:
        if not np.allclose(draws[f"sigma_{name}"], 0):
            raise Hint(f"{what} gives the contributors of {name!r} a spread of their own; the task says they have none")


def _exact_means(cells: Cells, scale: float, sigma: float = 1.0) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return exact posterior means and standard deviations of each layer's means, where all spreads are known.

    Prior and likelihood of the means are normal, so the posterior is (Gelman et al. 2013, *Bayesian Data Analysis*,
    section 14.8).
    """
    from mlm_tutorial.priors import Priors

    priors = Priors.from_cells(cells, pooled=False)
    sizes = [len(cells.labels[name]) for name in cells.layers]
    owner = np.repeat(np.arange(1 + len(sizes)), [1, *sizes])
    prior = np.diag((owner == 0) * priors.baseline_mu_sd**2).astype(float)
    for j, m in enumerate(sizes, 1):
        prior[np.ix_(owner == j, owner == j)] = scale**2 * (np.eye(m) - 1 / m)
    design = cells.design().toarray()
    totals = design @ prior @ design.T + np.diag(sigma**2 / cells.n)
    pull = np.linalg.solve(totals, design @ prior).T
    mean, variance = pull @ (cells.mean - priors.baseline_mu), np.diag(prior - pull @ design @ prior)
    return {
        name: (mean[owner == j], np.sqrt(np.maximum(variance[owner == j], 0))) for j, name in enumerate(cells.layers, 1)
    }


def your_data(answer: Answer, rng: np.random.Generator) -> str:
    """Check 17.5."""
    given = instance(answer.value(), (tuple, list), "four things: table, total, layers, report_on")
    if len(given) != 4:
        raise Hint(f"the answer should be four things, table, total, layers and report_on; yours has {len(given)}")
    *own, function = given
    report_on = Answer(function)
    for what, table, given_table, layers, separable, hint in _tables_to_report_on(rng):
        answered = report_on.call(given_table(table), "minutes", layers)
        told = _check_report(answered, what, cell_statistics(table, "minutes", layers))
        if not close(told, separable):
            raise Hint(hint(told.astype(bool).tolist()) if callable(hint) else hint)
    cells = _check_own_table(*own)
    told = _check_report(report_on.call(*own), "your own table", cells)
    right = _separable(cells)
    for name, said, is_so in zip(cells.layers, told.astype(bool), right, strict=True):
        if said != is_so:
            raise Hint(
                f"your own table: the layer {name!r} is {'' if is_so else 'not '}separable, and the report differs"
            )
    nested = [name for name, is_so in zip(cells.layers, right, strict=True) if not is_so]
    remark = (
        f"In your own table the means of {' and '.join(nested)} are split by pooling or by a prior."
        if nested
        else "In your own table all layers can be told apart."
    )
    return f"{remark} Its {cells.n_observations} rows in {len(cells)} cells are ready for a fit."


def _tables_to_report_on(rng: np.random.Generator) -> list[tuple]:
    """Return tables with what they are called, how they are handed over, their layers, what is right, and a hint."""
    import duckdb
    import polars as pl
    import pyarrow as pa

    crossed = _crossed(rng)
    nested = crossed.assign(center=crossed["driver"].map({"Ada": "North", "Ben": "North", "Chen": "South"}.get))
    nested["center"] = nested["center"].fillna("Harbor")
    # Drivers and centers fall into two groups that never meet, though nobody has one center only.
    first = crossed["driver"].isin(["Ada", "Ben"])
    groups = crossed.assign(
        center=np.where(first, crossed["center"].map({"North": "North"}.get).fillna("South"), crossed["center"])
    )
    groups.loc[~first, "center"] = groups.loc[~first, "center"].replace({"North": "Docks", "South": "Harbor"})
    # Every two layers are connected, and yet all three together are not separable.
    triples = [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 0)]
    ring = pd.DataFrame(
        [(f"a{i}", f"b{j}", f"c{(i + j) % 3}") for i, j in triples * 4], columns=["part", "tool", "lot"]
    )
    ring["minutes"] = rng.normal(35, 6, len(ring))
    layers = ["center", "driver", "weekday"]
    all_of_them = "where every driver meets every center on every weekday, all layers can be told apart"

    def about(told: list[bool], otherwise: str) -> str:
        if told[2]:
            return otherwise
        return (
            "center and driver cannot be told apart, but weekday can: "
            "judge each layer by itself, not the whole design at once"
        )

    def about_nested(told: list[bool]) -> str:
        return about(
            told,
            "each driver has one center here: adding a number to a center and taking it from its drivers "
            "changes no total; a driver who says all about the center makes both layers inseparable",
        )

    def about_groups(told: list[bool]) -> str:
        return about(
            told,
            "two groups of drivers and centers never meet here, though every driver has several centers: "
            "one group's drivers may gain what its centers lose; comparing layers label by label does not find this",
        )

    about_ring = (
        "there is a table of three layers in which every two of them are connected, and none is separable: "
        "looking at pairs of layers is not enough"
    )
    return [
        ("a pandas table", crossed, lambda x: x, layers, [True] * 3, all_of_them),
        ("a lazy Polars table", nested, lambda x: pl.from_pandas(x).lazy(), layers, [False, False, True], about_nested),
        (
            "a PyArrow table",
            groups,
            lambda x: pa.Table.from_pandas(x, preserve_index=False),
            layers,
            [False, False, True],
            about_groups,
        ),
        ("a table of parts", ring, lambda x: x, list(ring)[:3], _separable(_cells_of(ring)), about_ring),
        ("a DuckDB table", crossed, duckdb.connect().from_df, layers, [True] * 3, all_of_them),
    ]


def _cells_of(table: pd.DataFrame) -> Cells:
    return cell_statistics(table, "minutes", [name for name in table if name != "minutes"])


def _check_report(answered: object, what: str, right: Cells) -> np.ndarray:
    """Return the column `separable` of a report, not yet judged; anything else that is wrong is a hint."""
    layers = list(right.layers)
    first, second = pair(answered, "what report_on returns")
    given = _cells(first, layers, "the first part of what report_on returns")
    if given.n_observations != right.n_observations or given.labels != right.labels:
        raise Hint(f"{what}: the cells do not hold all rows and contributors")
    _expect_cells(given, right)
    report = frame(second, ["contributors", "fewest", "separable"], "the report")
    if list(report.index) != layers:
        raise Hint(f"the report should have one row a layer, with the index {layers}; it has {list(report.index)}")
    contributors, fewest, told = (
        array(report[name], (len(layers),), f"the column {name}") for name in ("contributors", "fewest", "separable")
    )
    if not close(contributors, [len(right.labels[name]) for name in layers]):
        raise Hint(f"{what}: the numbers of contributors are not right")
    if not close(fewest, [right.counts(name).min() for name in layers]):
        if close(fewest, [np.bincount(right.codes[:, j]).min() for j in range(len(layers))]):
            raise Hint("`fewest` should count rows; yours counts cells")
        if close(fewest, [right.n.min()] * len(layers)):
            raise Hint("`fewest` should be a contributor's number of rows, not that of a cell")
        raise Hint(f"{what}: `fewest` should be the number of rows of the contributor that has the fewest")
    return told


#: Size of the design up to which a table is welcome: 200 MB as a plain array.
_LARGEST_DESIGN = 25_000_000


def _check_own_table(table: object, total: object, layers: object) -> Cells:
    """Return the cells of the table that a learner brings; a table that is not fit for a fit is a hint."""
    instance(total, str, "a text, the name of a column", "the name of your total")
    instance(layers, (list, tuple), "a list of texts", "the names of your layers")
    for name in layers:
        instance(name, str, "a text, the name of a column", "each of your layers")
    if len(layers) < 2:
        raise Hint(f"your own table should have two layers or more, and you name {len(layers)}")
    try:
        cells = cell_statistics(table, total, layers)
    except Exception as error:  # the package says what is wrong with a table
        raise Hint(f"your own table cannot be fitted yet: {error.args[0] if error.args else error}") from None
    for name in layers:
        least = cells.counts(name).argmin()
        if cells.counts(name)[least] < 2:
            raise Hint(
                f"your own table: {cells.labels[name][least]!r} of the layer {name!r} has a single row, which says "
                "nothing about how much its totals vary; give every contributor two rows or more"
            )
    if cells.exactly_additive():
        raise Hint("your own table: the means explain every total exactly; real totals vary from row to row")
    if len(cells) * sum(map(len, cells.labels.values())) > _LARGEST_DESIGN:
        raise Hint(f"your own table has {len(cells)} cells; take a part of it that needs less memory, for this task")
    if whose := _whose(cells):
        raise Hint(f"this table is {whose}; bring one of your own, however small")
    return cells


def _separable(cells: Cells) -> list[bool]:
    """Return for each layer whether the data tell its contributors from those of all other layers."""
    # The matrix of normal equations has the rank of the design, and is small however many cells there are.
    design = cells.design()
    gram = (design.T @ design).toarray()
    rank, edges = np.linalg.matrix_rank(gram), np.cumsum([1, *(len(cells.labels[name]) for name in cells.layers)])
    result = []
    for a, b in zip(edges[:-1], edges[1:], strict=True):
        others = np.delete(np.delete(gram, np.s_[a:b], axis=0), np.s_[a:b], axis=1)
        result.append(bool(rank - np.linalg.matrix_rank(others) == b - a - 1))
    return result


def _whose(cells: Cells) -> str:
    """Return which of the course's tables these cells are of, whatever their columns are called; empty for none."""
    labels = [frozenset(map(str, cells.labels[name])) for name in cells.layers]
    flights, radon = load_flights(), load_radon()
    names = {
        "that of the flights": [flights[name] for name in ("carrier", "origin", "dest")],
        "that of the radon homes": [radon["county"]],
    }
    for whose, columns in names.items():
        for column in columns:
            known = set(column.astype(str).unique())
            if any(len(own) > 1 and own <= known for own in labels):
                return whose
    people = [
        ("the example of this set", {"North", "South"}, {"Ada", "Ben"}),
        ("the example of this set", {"Harbor", "North", "South"}, {"Ada", "Ben"}),
        (
            "the example of the notebook",
            {"Airport", "Harbor", "Mill", "North"},
            {"Ada", "Ann", "Ben", "Cleo", "Dov", "Eli", "Fay", "Gus", "Hana", "Ivo", "Jana", "Kofi"},
        ),
    ]
    for whose, one, other in people:
        if one in labels and other in labels:
            return whose
    # Labels of single letters say nothing, so these tables are known by their totals.
    small = {"gauge study": load_gauge(), "penicillin": load_penicillin(), "paste": load_paste()}
    for whose, table in small.items():
        total = table.select_dtypes("number").iloc[:, -1]
        if len(total) == cells.n_observations and np.allclose(
            [total.mean(), total.var()], cells.total_moments(), rtol=1e-9
        ):
            return f"that of the {whose}"
    return ""


def _crossed(rng: np.random.Generator) -> pd.DataFrame:
    """Return deliveries in which every combination occurs, some often."""
    names = {
        "center": ["Harbor", "North", "South"],
        "driver": ["Ada", "Ben", "Chen", "Dina"],
        "weekday": ["Mon", "Tue"],
    }
    table = pd.MultiIndex.from_product(names.values(), names=names).to_frame(index=False)
    table = table.loc[table.index.repeat(rng.integers(1, 5, len(table)))].reset_index(drop=True)
    return table.assign(minutes=rng.normal(35, 6, len(table)))


AT_EQUAL, AS_THEY_ARE, NEITHER = VERDICTS = ("at equal numbers", "as they are", "neither")


def what_it_tells(answer: Answer, rng: np.random.Generator) -> str:
    """Check 17.6."""
    for table, layers, numbers, questions in _tables_with_numbers(rng):
        asked = {name: weights for name, (weights, _, _) in questions.items()}
        given = instance(
            answer.call(table, "minutes", layers, numbers, asked), dict, "a dict with a verdict on each question"
        )
        missing = [name for name in asked if name not in given]
        if missing:
            raise Hint(f"the answer has no verdict on {missing[0]!r}, which is one of the questions")
        verdicts = {name: choice(given[name], VERDICTS, f"the verdict on {name!r}") for name in asked}
        if set(verdicts.values()) == {AS_THEY_ARE} and len(numbers) > 1:
            raise Hint(
                f"you say {AS_THEY_ARE!r} of all questions to a table with the numbers {' and '.join(numbers)}; "
                "a number that follows from one layer leaves other differences alone: judge each question by itself"
            )
        for name, (_, right, hints) in questions.items():
            if verdicts[name] != right:
                where = f"with the layers {' and '.join(layers)} and the numbers {' and '.join(numbers)}"
                raise Hint(f"{where}, the verdict on {name!r} is not {verdicts[name]!r}: {hints[verdicts[name]]}")
    return "A number that follows from labels is equal only for those that share it."


def _tables_with_numbers(rng: np.random.Generator) -> list[tuple[pd.DataFrame, list[str], list[str], dict]]:
    """Return tables, layers, numbers, and questions with weights, the verdict, and a hint for each wrong verdict."""
    names = [("center", "driver", "km", "kg"), ("ward", "nurse", "beds", "age")]
    place, person, fixed, own = names[int(rng.integers(len(names)))]
    a, b, c, d = places = [f"{place[0].upper()}{k}" for k in rng.permutation(9)[:4] + 1]
    people = ["Ada", "Ben", "Chen"]
    near, far = int(rng.integers(1, 5)), int(rng.integers(6, 12))
    of_place = {a: near, b: near, c: far, d: far + 1}
    crossed = pd.DataFrame(_visits(places, people) * 4, columns=[place, person])
    nested = pd.DataFrame([(x, f"{x}.{k}") for x in places for k in (1, 2)] * 4, columns=[place, person])
    for table in (crossed, nested):
        table[fixed] = table[place].map(of_place)
        # Contributors differ in their averages, and yet their rows overlap.
        table[own] = rng.normal(30, 6, len(table)) + 3.0 * pd.factorize(table[person])[0] + table[fixed]
        table["minutes"] = rng.normal(35, 6, len(table))

    # Each of two numbers differs from row to row, but their difference is a sum of one part for each contributor.
    of_person = dict(zip(people, [1, 1, 4], strict=True))
    larger, smaller = f"{own}_in_all", f"{own}_alone"
    linked = crossed.rename(columns={own: smaller}).drop(columns=fixed)
    linked[larger] = linked[smaller] + crossed[fixed] + linked[person].map(of_person)

    def minus(layer, first, second):
        return {(layer, first): 1, (layer, second): -1}

    def with_members(first, second):
        return minus(place, first, second) | minus(person, f"{first}.1", f"{second}.1")

    varies = (
        f"values of {own} differ from row to row, so rows of both can be compared at equal values, "
        "even where the averages of the two differ"
    )
    same = f"the two have the same number of {fixed}, so it cannot be what makes them differ"
    follows = f"values of {fixed} follow from the labels of {place}, so their slope and this difference can trade"
    summed = f"the table cannot say how much of it {fixed} adds, but it tells the sum of both"
    apart = f"each {person} has one {place}, so this can pass from one layer to the other, and no total changes"
    tells = {AS_THEY_ARE: varies, NEITHER: varies}
    shares = {AS_THEY_ARE: same, NEITHER: same}
    trades = {AT_EQUAL: follows, NEITHER: summed}
    cannot = {AT_EQUAL: apart, AS_THEY_ARE: apart}
    people_and_places = {
        "Ada - Ben": (minus(person, "Ada", "Ben"), AT_EQUAL, tells),
        f"{a} - {b}": (minus(place, a, b), AT_EQUAL, shares),
        f"{c} - {a}": (minus(place, c, a), AS_THEY_ARE, trades),
    }
    both = f"{larger} minus {smaller} is a sum of a part for each {place} and a part for each {person}"
    alike = dict.fromkeys((AS_THEY_ARE, NEITHER), f"{both}, and the two have the same part")
    traded = {
        AT_EQUAL: f"{both}, so their slopes and this difference can trade, though either number differs between rows",
        NEITHER: "the table cannot say how much of it the numbers add, but it tells the sum of all",
    }
    of_differences = {
        "Ada - Ben": (minus(person, "Ada", "Ben"), AT_EQUAL, alike),
        "Chen - Ada": (minus(person, "Chen", "Ada"), AS_THEY_ARE, traded),
        f"{a} - {b}": (minus(place, a, b), AT_EQUAL, alike),
        f"{c} - {a}": (minus(place, c, a), AS_THEY_ARE, traded),
    }
    free = {name: (weights, AT_EQUAL, tells) for name, (weights, _, _) in people_and_places.items()}
    members = {
        f"{a}.1 - {a}.2": (minus(person, f"{a}.1", f"{a}.2"), AT_EQUAL, tells),
        f"{d} - {b}": (minus(place, d, b), NEITHER, cannot),
        f"{a}.1 in {a} - {b}.1 in {b}": (with_members(a, b), AT_EQUAL, shares),
        f"{d}.1 in {d} - {b}.1 in {b}": (with_members(d, b), AS_THEY_ARE, trades),
    }
    return [
        (crossed, [place, person], [own], free),
        (crossed, [place, person], [fixed, own], people_and_places),
        (nested, [place, person], [own, fixed], members),
        (linked, [place, person], [smaller, larger], of_differences),
    ]


CHECKERS = {
    "17.1": cells_of_csv,
    "17.2": cells_of_folder,
    "17.3": refit_or_compile,
    "17.4": what_may_be_claimed,
    "17.5": your_data,
    "17.6": what_it_tells,
}
