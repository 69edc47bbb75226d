"""Checks of the exercises of notebook 17."""

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from mlm_tutorial.cells import Cells, cell_statistics
from mlm_tutorial.datasets import load_flights, load_gauge, load_paste, load_penicillin, load_radon
from mlm_tutorial.exercises.answers import Answer, Hint, array, choice, choices, close, frame, instance, pair


def cells_of_csv(answer: Answer, rng: np.random.Generator) -> str:
    """Check 11.1."""
    routes = ["007", "7", "12"]
    table = pd.DataFrame(
        {
            "depot": ["NA", "North", "South", *rng.choice(["NA", "North", "South"], 57)],
            "route": [*routes, *rng.choice(routes, 57)],
            "minutes": rng.normal(35, 6, 60).round(2),
        }
    )
    layers = ["depot", "route"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "deliveries.csv"
        table.to_csv(path, sep=";", decimal=",", index=False)
        given = answer.call(path, "minutes", layers)
    given = _cells(given, layers)
    if given.n_observations != len(table):
        raise Hint(
            f"the file has {len(table)} rows, your cells hold {given.n_observations}: rows were dropped, "
            "such as those of a depot whose name looks like a missing value"
        )
    right = cell_statistics(table, "minutes", layers)
    for layer in layers:
        found, wanted = list(given.labels[layer]), list(right.labels[layer])
        if any(not isinstance(label, str) for label in found) or (layer == "route" and "007" not in found):
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
    """Check 11.2."""
    march = _deliveries(rng, ["Ada", "Ben", "Chen"], [1, 2])
    more = _deliveries(rng, ["Ada", "Ben", "Chen"], [1, 2], repeats=4)
    cases = [
        ("all", more, "refit", "only counts and totals are new"),
        ("all", march.replace("Chen", "Zoe"), "compile", "a new courier replaces another one, under the same shapes"),
        ("all", _without(march, "Ben", 2), "compile", "one combination does not occur, so there are fewer cells"),
        ("but one", _without(march, "Ben", 2), "refit", "other combinations occur than before, but as many"),
    ]
    for old, table, right, what in cases:
        new = cell_statistics(table, "minutes", ["courier", "month"])
        given = choice(answer.call(Path(_saved_posteriors().name) / f"{old}.nc", new), ("refit", "compile"))
        if given != right:
            advice = {
                "refit": "the compiled model takes these as data",
                "compile": "numbers of the old model would go to wrong contributors, or not fit at all",
            }
            raise Hint(f"where {what}, your answer is {given!r}, but {advice[right]}")
    return "Counts and totals are data; contributors, and the number of cells, are the model's shape."


def _deliveries(rng: np.random.Generator, couriers: list, months: list, repeats: int = 3) -> pd.DataFrame:
    """Return deliveries in which every combination occurs."""
    rows = [(courier, month) for courier in couriers for month in months] * repeats
    table = pd.DataFrame(rows, columns=["courier", "month"])
    return table.assign(minutes=rng.normal(35, 6, len(table)))


def _without(table: pd.DataFrame, courier: str, month: int) -> pd.DataFrame:
    return table[(table["courier"] != courier) | (table["month"] != month)]


@cache
def _saved_posteriors() -> tempfile.TemporaryDirectory:
    """Return a folder with a posterior of cells of all combinations, and one of all but one: files take long."""
    rng = np.random.default_rng(0)
    folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    table = _deliveries(rng, ["Ada", "Ben", "Chen"], [1, 2])
    for name, part in (("all", table), ("but one", _without(table, "Ada", 1))):
        tree = _posterior_like(cell_statistics(part, "minutes", ["courier", "month"]), rng)
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


PROBLEMS = (
    "missing column",
    "repeated column",
    "text totals",
    "missing total",
    "missing label",
    "single contributor",
)


def problems_of(answer: Answer, rng: np.random.Generator) -> str:
    """Check 11.3."""
    good = _deliveries(rng, ["Ada", "Ben"], [1, 2]).assign(depot="North", note="")
    good.loc[good.index[::3], "depot"] = "South"
    at = int(rng.integers(len(good)))
    here = good.index == at
    texts = good["minutes"].map(lambda x: f"{x:.2f}".replace(".", ","))
    lacks_label = good.assign(depot=good["depot"].mask(here, None))
    layers = ["courier", "depot", "month"]
    cases = [
        ("nothing is wrong with", good, set()),
        (
            "a courier is missing in one row of",
            good.assign(courier=good["courier"].mask(here, None)),
            {"missing label"},
        ),
        (
            "a label is missing in a categorical column of",
            lacks_label.assign(depot=lacks_label["depot"].astype("category")),
            {"missing label"},
        ),
        (
            "a month, which is a number, is missing in one row of",
            good.assign(month=good["month"].astype(float).mask(here)),
            {"missing label"},
        ),
        ("a total is missing in", good.assign(minutes=good["minutes"].mask(here)), {"missing total"}),
        ("a total is infinite in", good.assign(minutes=good["minutes"].mask(here, -np.inf)), {"missing total"}),
        ("totals have decimal commas in", good.assign(minutes=texts), {"text totals"}),
        (
            "totals are texts, and one is missing, in",
            good.assign(minutes=texts.astype(object).mask(here, None)),
            {"text totals", "missing total"},
        ),
        ("all months are the same in", good.assign(month=7), {"single contributor"}),
        (
            "depots are either North or missing in",
            good.assign(depot=np.where(np.arange(len(good)) % 2 == 0, "North", None)),
            {"single contributor", "missing label"},
        ),
        ("a layer occurs twice in", pd.concat([good, good[["depot"]]], axis=1), {"repeated column"}),
        (
            "a column that is no layer occurs twice in",
            pd.concat([good, good[["note"]]], axis=1),
            {"repeated column"},
        ),
        ("a layer is not a column of", good.drop(columns="month"), {"missing column"}),
        (
            "a column that is no layer has missing entries, and nothing else is wrong, in",
            good.assign(note=None),
            set(),
        ),
        (
            "a layer is not a column, and a total is missing, in",
            good.drop(columns="depot").assign(minutes=good["minutes"].mask(here)),
            {"missing column", "missing total"},
        ),
    ]
    for what, table, right in cases:
        given = choices(answer.call(table, "minutes", layers), PROBLEMS)
        if given != right:
            told = ", ".join(sorted(given)) or "nothing"
            lacking, extra = sorted(right - given), sorted(given - right)
            blame = f"does not name {lacking[0]!r}" if lacking else f"names {extra[0]!r} too"
            raise Hint(f"{what} a table; your answer {blame} (it says: {told})")
    return "The package stops at the first problem; a list of all of them saves you the next runs."


def cells_of_folder(answer: Answer, rng: np.random.Generator) -> str:
    """Check 11.4."""
    layers = ["depot", "courier"]
    n = 80
    table = pd.DataFrame({"depot": rng.choice(["North", "South"], n), "courier": rng.choice(["Ada", "Ben", "Chen"], n)})
    table["minutes"] = rng.normal(35, 6, n)
    table.loc[:0, ["depot", "courier"]] = ["South", "Dina"]  # a courier who has one delivery in all
    # The first part has one row, the second one depot; the third part lacks a depot's couriers by chance alone.
    edges = np.array([0, 1, 20, 45, 60, n])
    parts = [table.iloc[a:b] for a, b in zip(edges[:-1], edges[1:], strict=True)]
    parts[1] = parts[1].assign(depot="North")
    whole = pd.concat(parts)
    names = ["day-1.parquet", "day-2.csv", "day-3.parquet", "day-4.csv", "day-5.parquet"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for name, part in zip(names, parts, strict=True):
            path = Path(folder) / name
            part.to_parquet(path, index=False) if path.suffix == ".parquet" else part.to_csv(path, index=False)
        (Path(folder) / "readme.txt").write_text("One file a day.\n", encoding="utf-8")
        given = answer.call(Path(folder), "minutes", layers)
    given = _cells(given, layers)
    if given.n_observations != n:
        kinds = {
            "Parquet": sum(len(part) for part, name in zip(parts, names, strict=True) if name.endswith("parquet")),
            "CSV": sum(len(part) for part, name in zip(parts, names, strict=True) if name.endswith("csv")),
        }
        for kind, rows in kinds.items():
            if given.n_observations == rows:
                raise Hint(f"only the {kind} files were read; the folder has parts of both kinds")
        if given.n_observations in [len(part) for part in parts]:
            raise Hint("your cells hold the rows of one file; add each file's cells to those of the files before it")
        raise Hint(f"the files have {n} rows together, your cells hold {given.n_observations}")
    right = cell_statistics(whole, "minutes", layers)
    if given.labels != right.labels:
        raise Hint(f"the contributors should be {right.labels}, but they are {given.labels}")
    by_part = pd.concat([cell_statistics(part, "minutes", layers, partial=True).to_frame() for part in parts])
    grouped = by_part.groupby(layers)
    if len(given) == len(grouped):
        if close(given.mean, grouped["mean"].mean()):
            raise Hint("the cells' means are plain averages of the files' means; files have different numbers of rows")
        if close(given.mean, right.mean) and close(given.sum_sq, grouped["sum_sq"].sum()):
            raise Hint("sums of squares do not simply add: each file's rows scatter about the average of that file")
    _expect_cells(given, right)
    return "Merged cells are those of all rows, however many files there are."


def your_data(answer: Answer, rng: np.random.Generator) -> str:
    """Check 11.5."""
    import duckdb
    import polars as pl
    import pyarrow as pa

    given = instance(answer.value(), (tuple, list), "four things: table, total, layers, report_on")
    if len(given) != 4:
        raise Hint(f"the answer should be four things, table, total, layers and report_on; yours has {len(given)}")
    *own, function = given
    report_on = Answer(function)
    layers = ["depot", "courier", "weekday"]
    crossed = _crossed(rng)
    nested = crossed.assign(depot=crossed["courier"].map({"Ada": "North", "Ben": "North", "Chen": "South"}.get))
    nested["depot"] = nested["depot"].fillna("Harbour")
    # Couriers and depots fall into two groups that never meet, though nobody has one depot only.
    first = crossed["courier"].isin(["Ada", "Ben"])
    groups = crossed.assign(
        depot=np.where(first, crossed["depot"].map({"North": "North"}.get).fillna("South"), crossed["depot"])
    )
    groups.loc[~first, "depot"] = groups.loc[~first, "depot"].replace({"North": "Docks", "South": "Harbour"})
    cases = [
        ("a pandas table", crossed, crossed, [True] * 3),
        ("a lazy Polars table", nested, pl.from_pandas(nested).lazy(), [False, False, True]),
        ("a PyArrow table", groups, pa.Table.from_pandas(groups, preserve_index=False), [False, False, True]),
    ]
    cases.append(("a DuckDB table", crossed, duckdb.connect().from_df(crossed), [True] * 3))
    for what, table, given_table, separable in cases:
        answered = report_on.call(given_table, "minutes", layers)
        told = _check_report(answered, what, cell_statistics(table, "minutes", layers))
        if not close(told, separable):
            raise Hint(_about_separable(told.astype(bool).tolist(), table is crossed, table is nested))
    cells = _check_own_table(*own)
    told = _check_report(report_on.call(*own), "your own table", cells)
    if not close(told, np.ones(len(told))):
        raise Hint("your own table: the report says that a layer is not separable, but it is")
    return (
        "Where two layers cannot be told apart, the prior alone splits their means. In your own table they can: "
        f"{cells.n_observations} rows in {len(cells)} cells are ready for a fit."
    )


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
    if not cells.residual_variance() > 0:
        raise Hint("your own table: the means explain every total exactly; real totals vary from row to row")
    if len(cells) * sum(map(len, cells.labels.values())) > _LARGEST_DESIGN:
        raise Hint(f"your own table has {len(cells)} cells; take a part of it that needs less memory, for this task")
    for j, separable in enumerate(_separable(cells)):
        if not separable:
            raise Hint(f"your own table: {_why_not_separable(cells, j)}; bring one whose layers can be told apart")
    labels = {frozenset(map(str, cells.labels[name])) for name in layers}
    march = labels == {frozenset(["North", "South"]), frozenset(["Ada", "Ben"])}
    if whose := "the example of this notebook" if march else _whose({total, *layers}):
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


def _why_not_separable(cells: Cells, j: int) -> str:
    name = cells.layers[j]
    labels = cells.to_frame()
    for other in cells.layers:
        for a, b in ((name, other), (other, name)):
            if other != name and labels.groupby(a, observed=True)[b].nunique().max() == 1:
                return f"each {a} occurs with one {b} only"
    return f"contributors of {name!r} do not meet enough of those of the other layers"


def _whose(columns: set[str]) -> str:
    """Return which of the course's own tables has all these columns; empty for none."""
    known = {
        "that of the flights": set(load_flights().columns),
        "that of the radon homes": set(load_radon().columns),
        "that of the gauge study": set(load_gauge().columns),
        "that of the penicillin": set(load_penicillin().columns),
        "that of the paste": set(load_paste().columns),
    }
    return next((what for what, theirs in known.items() if columns <= theirs), "")


def _about_separable(told: list[bool], crossed: bool, nested: bool) -> str:
    if crossed:
        return "where every courier meets every depot on every weekday, all layers can be told apart"
    if not told[2]:
        return (
            "depot and courier cannot be told apart, but weekday can: "
            "judge each layer by itself, not the whole design at once"
        )
    if nested:
        return (
            "each courier has one depot here: adding a number to a depot and taking it from its couriers "
            "changes no total; a courier who says all about the depot makes both layers inseparable"
        )
    return (
        "two groups of couriers and depots never meet here, though every courier has several depots: "
        "one group's couriers may gain what its depots lose; comparing layers label by label does not find this"
    )


def _crossed(rng: np.random.Generator) -> pd.DataFrame:
    """Return deliveries in which every combination occurs, some often."""
    names = {
        "depot": ["Harbour", "North", "South"],
        "courier": ["Ada", "Ben", "Chen", "Dina"],
        "weekday": ["Mon", "Tue"],
    }
    table = pd.MultiIndex.from_product(names.values(), names=names).to_frame(index=False)
    table = table.loc[table.index.repeat(rng.integers(1, 5, len(table)))].reset_index(drop=True)
    return table.assign(minutes=rng.normal(35, 6, len(table)))


CHECKERS = {
    "17.1": cells_of_csv,
    "17.2": refit_or_compile,
    "17.3": problems_of,
    "17.4": cells_of_folder,
    "17.5": your_data,
}
