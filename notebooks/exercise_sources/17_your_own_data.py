# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises 17: Your own data, any size
#
# These exercises belong to [notebook 17](../17_your_own_data.ipynb).
# In each task, replace the line `raise NotImplementedError(...)` by your code, run the cell, and run the check below it.
# A check says that your answer is right, or gives a hint.
# It writes small files to a temporary folder, or hands over tables, and compares what your function makes of them.
# Names of files, columns and contributors differ from those of the examples.
#
# An *aim* is the number of an item in the notebook's list *You will learn*.
#
# | task | aim | what it practises | points |
# |---|---|---|---|
# | 17.1 | 1 | go from a CSV file to cells, with every name as it is in the file | 1 |
# | 17.2 | 4 | reduce a folder of parts, and merge their cells | 2 |
# | 17.3 | 5 | read a saved posterior again, and know when the next rows need a new model | 2 |
# | 17.4 | 3 | fit a nested table under two scales of the means, and say what may be claimed | 3 |
# | 17.5 | 2 | bring your own data, and report which layers of a table can be told apart | 3 |
# | 17.6 | 2 | say which differences a table tells at equal numbers, such as kilometers | 3 |

# %%
import dataclasses
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import xarray as xr

import mlm_tutorial as mlm

rng = np.random.default_rng(mlm.notebook_seed(111))
folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
path = Path(folder.name)

# %% [markdown]
# A few files to try your functions on: a CSV file as spreadsheets write it where the decimal mark is a comma, a folder of parts, and a stand-in for a saved posterior.
# The stand-in has the names and shapes that `mlm.sample` gives, and random numbers for draws.
# Its `mlm_codes` say for each cell who contributes: 0 is the baseline, 1 and 2 are the centers, 3 and 4 the drivers.

# %%
lines = ["center;route;minutes", "NA;007;31,5", "North;7;40,25", "NA;7;28,0", "North;007;35,5"]
(path / "export.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")

march = pd.DataFrame(
    {
        "center": ["North", "South", "South", "North", "South", "North"],
        "driver": ["Ada", "Ben", "Ada", "Ben", "Ben", "Ada"],
        "minutes": [31.5, 40.0, 28.0, 35.5, 41.0, 30.0],
    }
)
(path / "parts").mkdir()
march[:1].to_parquet(path / "parts" / "day-1.parquet", index=False)
march[1:4].to_csv(path / "parts" / "day-2.csv", index=False)
march[4:].to_parquet(path / "parts" / "day-3.parquet", index=False)

cells = mlm.cell_statistics(march, total="minutes", layers=["center", "driver"])
labels = {name: list(cells.labels[name]) for name in cells.layers}
draws = {
    f"{kind}_{name}": (("chain", "draw", name), rng.normal(size=(4, 1000, len(labels[name]))))
    for kind in ("mu", "sigma")
    for name in cells.layers
}
data = {"mlm_codes": (("mlm_cell", "mlm_layer"), cells.codes + [1, 3]), "mlm_n": ("mlm_cell", cells.n)}
saved = xr.DataTree.from_dict({"posterior": xr.Dataset(draws, labels), "constant_data": xr.Dataset(data)})
mlm.save_posterior(saved, path / "march.nc")

# A table for 17.4: three parcels weighed by each of four clerks, two at each of two counters.
clerks = {"Eve": ("east", 4.0), "Ed": ("east", 1.0), "Wim": ("west", -2.0), "Wes": ("west", -1.0)}
weighed = pd.DataFrame(
    [(counter, clerk, 50 + mean + noise) for clerk, (counter, mean) in clerks.items() for noise in (-1, 0, 1)],
    columns=["counter", "clerk", "grams"],
)
differences = {
    "Eve - Ed": {("clerk", "Eve"): 1, ("clerk", "Ed"): -1},
    "east - west": {("counter", "east"): 1, ("counter", "west"): -1},
}

# A table for 17.6: two drivers for each of three centers, and the kilometers from the center to its district.
kilometers = {"Harbor": 11.0, "North": 4.0, "South": 4.0}
rows = [(center, driver, km, 20 + 2 * km) for center, km in kilometers.items() for driver in ("Ada", "Ben")] * 2
tours = pd.DataFrame(rows, columns=["center", "driver", "km", "minutes"])
tours["minutes"] += rng.normal(size=len(tours))
about_tours = {
    "Ada - Ben": {("driver", "Ada"): 1, ("driver", "Ben"): -1},
    "Harbor - North": {("center", "Harbor"): 1, ("center", "North"): -1},
    "North - South": {("center", "North"): 1, ("center", "South"): -1},
}

# %% [markdown] tags=["task:17.1"]
# ## 17.1 A file with decimal commas (easy)
#
# A spreadsheet wrote a CSV file with `;` between columns and `,` as the decimal mark, because it runs in Germany.
# One center is called `NA`, and two of the routes are called `007` and `7`.
# No entry is missing in the file.
# Return its cells, with labels that are texts, exactly as in the file.


# %% tags=["solution:17.1"]
def cells_of_csv(file, total, layers):
    """Cells of a CSV file with decimal commas.

    file: pathlib.Path
    total: str, name of the column with the totals
    layers: list of str, names of the columns with labels
    Returns Cells. For example, cells_of_csv(path / "export.csv", "minutes", ["center", "route"]) has four cells, and
    the labels {'center': ('NA', 'North'), 'route': ('007', '7')}.
    """
    ### BEGIN SOLUTION: read the file so that totals are numbers and labels stay texts, then make cells
    table = pd.read_csv(file, sep=";", decimal=",", keep_default_na=False, dtype=dict.fromkeys(layers, str))
    return mlm.cell_statistics(table, total, layers)
    ### END SOLUTION


# %% tags=["check:17.1"]
mlm.check("17.1", cells_of_csv)


# %% tags=["mistake:17.1"]
# earns: missing labels
def cells_of_csv(file, total, layers):
    table = pd.read_csv(file, sep=";", decimal=",", dtype=dict.fromkeys(layers, str))
    return mlm.cell_statistics(table, total, layers)


# %% tags=["mistake:17.1"]
# earns: rows were dropped
def cells_of_csv(file, total, layers):
    table = pd.read_csv(file, sep=";", decimal=",").dropna()
    return mlm.cell_statistics(table, total, layers)


# %% tags=["mistake:17.1"]
# earns: must be numeric
def cells_of_csv(file, total, layers):
    table = pd.read_csv(file, sep=";", keep_default_na=False)
    return mlm.cell_statistics(table, total, layers)


# %% tags=["mistake:17.1"]
# earns: with their leading zeros
def cells_of_csv(file, total, layers):
    table = pd.read_csv(file, sep=";", decimal=",", keep_default_na=False)
    return mlm.cell_statistics(table, total, layers)


# %% tags=["mistake:17.1"]
# earns: no column
def cells_of_csv(file, total, layers):
    return mlm.cell_statistics(pd.read_csv(file, decimal=",", keep_default_na=False), total, layers)


# %% tags=["mistake:17.1"]
# earns: should stay as they are in the file
def cells_of_csv(file, total, layers):
    table = pd.read_csv(file, sep=";", decimal=",", dtype=dict.fromkeys(layers, str)).fillna("missing")
    return mlm.cell_statistics(table, total, layers)


# %% tags=["mistake:17.1"]
# earns: should stay as they are in the file
def cells_of_csv(file, total, layers):
    points = file.with_name("with points.csv")
    points.write_text(file.read_text(encoding="utf-8").replace(",", "."), encoding="utf-8")
    table = pd.read_csv(points, sep=";", keep_default_na=False, dtype=dict.fromkeys(layers, str))
    return mlm.cell_statistics(table, total, layers)


# %% [markdown] tags=["task:17.2"]
# ## 17.2 A folder of parts (medium)
#
# A folder holds one file a day.
# Some days come as Parquet files, whose names end in `.parquet`, others as CSV files, whose names end in `.csv`.
# Any other file is none of the data.
# A day may have a single row, or a single center.
#
# Return the cells of all days together.
# A year of such files need not fit in your memory, so reduce each file by itself, and merge.
# The check looks at the cells, not at your memory.
# Polars reads both kinds lazily, with `pl.scan_parquet` and `pl.scan_csv`.


# %% tags=["solution:17.2"]
def cells_of_folder(folder, total, layers):
    """Cells of all files in a folder.

    folder: pathlib.Path, a folder with files that end in .parquet or .csv, and perhaps others
    total: str, name of the column with the totals
    layers: list of str, names of the columns with labels
    Returns Cells. For example, cells_of_folder(path / "parts", "minutes", ["center", "driver"]) shows itself as
    <Cells: 6 observations in 4 cells; center: 2, driver: 2>.
    """
    ### BEGIN SOLUTION: make cells of each file, merge them into those of the files before, and return the last
    readers = {".parquet": pl.scan_parquet, ".csv": pl.scan_csv}
    merged = None
    for file in sorted(folder.iterdir()):
        if file.suffix in readers:
            part = mlm.cell_statistics(readers[file.suffix](file), total, layers, partial=True)
            merged = part if merged is None else merged.merge(part)
    return merged
    ### END SOLUTION


# %% tags=["check:17.2"]
mlm.check("17.2", cells_of_folder)


# %% tags=["mistake:17.2"]
# earns: two observations at least
def cells_of_folder(folder, total, layers):
    merged = None
    for file in sorted(x for x in folder.iterdir() if x.suffix in (".parquet", ".csv")):
        table = pl.scan_parquet(file) if file.suffix == ".parquet" else pl.scan_csv(file)
        part = mlm.cell_statistics(table, total, layers)
        merged = part if merged is None else merged.merge(part)
    return merged


# %% tags=["mistake:17.2"]
# earns: only the Parquet files were read
def cells_of_folder(folder, total, layers):
    return mlm.cell_statistics(pl.scan_parquet(folder / "*.parquet"), total, layers)


# %% tags=["mistake:17.2"]
# earns: sums of squares do not simply add
def cells_of_folder(folder, total, layers):
    parts = []
    for file in sorted(x for x in folder.iterdir() if x.suffix in (".parquet", ".csv")):
        table = pl.scan_parquet(file) if file.suffix == ".parquet" else pl.scan_csv(file)
        parts.append(mlm.cell_statistics(table, total, layers, partial=True).to_frame())
    both = pd.concat(parts)
    both["mean"] *= both["n"]
    both = both.groupby(layers, as_index=False).sum()
    codes = both[layers].apply(lambda x: x.astype("category").cat.codes).to_numpy().astype(int)
    labels = {name: tuple(sorted(both[name].unique())) for name in layers}
    n = both["n"].to_numpy()
    return mlm.Cells(tuple(layers), labels, codes, n, both["mean"].to_numpy() / n, both["sum_sq"].to_numpy())


# %% tags=["mistake:17.2"]
# earns: the rows of one file
def cells_of_folder(folder, total, layers):
    for file in sorted(x for x in folder.iterdir() if x.suffix in (".parquet", ".csv")):
        table = pl.scan_parquet(file) if file.suffix == ".parquet" else pl.scan_csv(file)
        merged = mlm.cell_statistics(table, total, layers, partial=True)
    return merged


# %% tags=["mistake:17.2"]
# earns: should be Cells
def cells_of_folder(folder, total, layers):
    return [mlm.cell_statistics(pl.scan_csv(file), total, layers, partial=True) for file in folder.glob("*.csv")]


# %% [markdown] tags=["task:17.3"]
# ## 17.3 Refit or compile? (medium)
#
# The posterior of an earlier fit is saved in a file, and you have the cells of new rows.
# Does the compiled model of that fit take them with `with_cells`, or must a model be made and compiled anew?
#
# `with_cells` would tell you itself: it refuses cells that do not fit the model.
# (`with_data` would not. It compares shapes only, and cannot notice a new driver in the place of another one.)
# But the compiled model is on another computer, so decide from the file and the new cells.
# Return `"refit"` if `with_cells` takes the new cells, and `"compile"` if not.
# The layers are the same in both; their names, and all else, may be any.


# %% tags=["solution:17.3"]
def refit_or_compile(file, cells):
    """Whether new cells fit into the compiled model that gave a saved posterior.

    file: pathlib.Path, a posterior that was saved with mlm.save_posterior
    cells: Cells of the new data
    Returns "refit" or "compile". For example, refit_or_compile(path / "march.nc", cells) is "refit".
    """
    ### BEGIN SOLUTION: load the tree, and compare what must not change with the new cells
    tree = xr.load_datatree(file, engine="h5netcdf")
    same_labels = all(tree["posterior"][name].values.tolist() == list(cells.labels[name]) for name in cells.layers)
    same_number = tree["constant_data"].sizes["mlm_cell"] == len(cells)
    return "refit" if same_labels and same_number else "compile"
    ### END SOLUTION


# %% tags=["check:17.3"]
mlm.check("17.3", refit_or_compile)


# %% tags=["mistake:17.3"]
# earns: a new driver replaces another one
def refit_or_compile(file, cells):
    tree = xr.load_datatree(file, engine="h5netcdf")
    sizes = [tree["posterior"].sizes[name] for name in cells.layers]
    same = sizes == [len(cells.labels[name]) for name in cells.layers]
    return "refit" if same and tree["constant_data"].sizes["mlm_cell"] == len(cells) else "compile"


# %% tags=["mistake:17.3"]
# earns: so there are fewer cells
def refit_or_compile(file, cells):
    tree = xr.load_datatree(file, engine="h5netcdf")
    same = all(tree["posterior"][name].values.tolist() == list(cells.labels[name]) for name in cells.layers)
    return "refit" if same else "compile"


# %% tags=["mistake:17.3"]
# earns: only counts and totals are new
def refit_or_compile(file, cells):
    tree = xr.load_datatree(file, engine="h5netcdf")
    return "refit" if np.array_equal(tree["constant_data"]["mlm_n"], cells.n) else "compile"


# %% tags=["mistake:17.3"]
# earns: other combinations occur
def refit_or_compile(file, cells):
    tree = xr.load_datatree(file, engine="h5netcdf")
    same = all(tree["posterior"][name].values.tolist() == list(cells.labels[name]) for name in cells.layers)
    codes = tree["constant_data"]["mlm_codes"].values
    return "refit" if same and np.array_equal(codes - codes.min(axis=0), cells.codes) else "compile"


# %% tags=["mistake:17.3"]
# earns: should be one of
def refit_or_compile(file, cells):
    return xr.load_datatree(file, engine="h5netcdf")["constant_data"].sizes["mlm_cell"] == len(cells)


# %% [markdown] tags=["task:17.4"]
# ## 17.4 What may be claimed? (hard)
#
# Members are nested in groups, such as clerks at counters, and an instrument reads something off each.
# Its error is known, and neither groups nor members add a spread of their own: they shift the reading, and that is all.
#
# Fit the table twice without pooling: all as `mlm.Priors.from_cells` has it, except that `mu_sd` is the first of two scales, and then the second.
# All spreads are known here, so of the notebook's two priors only the scale of the means is left to vary.
# Sample with any seed, and check that both runs have converged.
# Then say which of the questions may be claimed: those that the data fix, and whose equal-tailed 89 % interval excludes zero under both scales. (`mlm.claims` shows intervals of the first fit only, and asks for more: that a number hardly moves.)
#
# Building such a model warns you. That is what this task is about.


# %% tags=["solution:17.4"]
def what_may_be_claimed(table, total, layers, questions, sigma, scales):
    """Two posteriors of a nested table, and the questions that may be claimed.

    table: pandas.DataFrame, one row a reading
    total: str, name of the column with the readings
    layers: list of str, names of the columns with the groups and the members
    questions: dict of str to dict, combinations of means as the contrasts of mlm.identification
    sigma: float, the known standard deviation of the baseline; that of every layer is 0
    scales: pair of float, the scales of the means, `mu_sd`
    Returns a pair: a list of the two posteriors that mlm.sample returns, in the order of the scales, and a set of str,
    the names of the questions that may be claimed.
    For example, the set is {"Eve - Ed"} for the table of clerks, with
    what_may_be_claimed(weighed, "grams", ["counter", "clerk"], differences, 1.0, (3.5, 0.6)).
    """
    ### BEGIN SOLUTION: fit with each scale, known spreads and no pooling; look at the design and at both intervals
    cells = mlm.cell_statistics(table, total, layers)
    known = {"baseline": sigma} | dict.fromkeys(layers, 0)
    priors = mlm.Priors.from_cells(cells, pooled=False, known_sigma=known)
    fits = []
    for scale in scales:
        model = mlm.cell_model(cells, dataclasses.replace(priors, mu_sd=scale))
        fits.append(mlm.sample(model, seed=17))
        mlm.check_convergence(fits[-1])
    fixed = mlm.identification(cells, contrasts=questions)["means"]
    sure = set()
    for name, weights in questions.items():
        draws = [
            sum(w * fit["posterior"][f"mu_{layer}"].sel({layer: x}) for (layer, x), w in weights.items())
            for fit in fits
        ]
        lower, upper = np.quantile(draws, [0.055, 0.945], axis=(1, 2))
        if fixed[name] and np.all((lower > 0) | (upper < 0)):
            sure.add(name)
    return fits, sure
    ### END SOLUTION


# %% tags=["check:17.4"]
mlm.check("17.4", what_may_be_claimed)


# %% tags=["mistake:17.4"]
# earns: what stayed is the prior
right = what_may_be_claimed


def what_may_be_claimed(table, total, layers, questions, sigma, scales):
    fits, _ = right(table, total, layers, questions, sigma, scales)
    sure = set(questions)
    for fit in fits:
        for name, weights in questions.items():
            draws = sum(w * fit["posterior"][f"mu_{layer}"].sel({layer: x}) for (layer, x), w in weights.items())
            if abs((draws > 0).mean() - 0.5) < 0.445:
                sure.discard(name)
    return fits, sure


# %% tags=["mistake:17.4"]
# earns: under the scale of 3.5 only
right = what_may_be_claimed


def what_may_be_claimed(table, total, layers, questions, sigma, scales):
    fits, sure = right(table, total, layers, questions, sigma, scales)
    judged = mlm.claims({"first": fits[0], "again": fits[0]}, mlm.cell_statistics(table, total, layers), questions)
    return fits, sure | {name for name in questions if judged.loc[name, "claim"] == "yes"}


# %% tags=["mistake:17.4"]
# earns: which the data fix; but zero lies inside
right = what_may_be_claimed


def what_may_be_claimed(table, total, layers, questions, sigma, scales):
    fits, _ = right(table, total, layers, questions, sigma, scales)
    fixed = mlm.identification(mlm.cell_statistics(table, total, layers), contrasts=questions)["means"]
    return fits, {name for name in questions if fixed[name]}


# %% tags=["mistake:17.4"]
# earns: is that of the other scale
def what_may_be_claimed(table, total, layers, questions, sigma, scales):
    cells = mlm.cell_statistics(table, total, layers)
    known = {"baseline": sigma} | dict.fromkeys(layers, 0)
    priors = mlm.Priors.from_cells(cells, pooled=False, known_sigma=known)
    fit = mlm.sample(mlm.cell_model(cells, dataclasses.replace(priors, mu_sd=scales[1])), seed=1)
    return [fit, fit], set()


# %% tags=["mistake:17.4"]
# earns: estimates sigma_baseline
def what_may_be_claimed(table, total, layers, questions, sigma, scales):
    cells = mlm.cell_statistics(table, total, layers)
    priors = mlm.Priors.from_cells(cells, pooled=False, known_sigma=dict.fromkeys(layers, 0))
    fit = mlm.sample(mlm.cell_model(cells, dataclasses.replace(priors, mu_sd=scales[0])), seed=1)
    return [fit, fit], set()


# %% tags=["mistake:17.4"]
# earns: pools the contributors
def what_may_be_claimed(table, total, layers, questions, sigma, scales):
    cells = mlm.cell_statistics(table, total, layers)
    known = {"baseline": sigma} | dict.fromkeys(layers, 0)
    priors = mlm.Priors.from_cells(cells, known_sigma=known)
    options = {"seed": 1, "target_accept": 0.99, "draws": 2000}
    fit = mlm.sample(mlm.cell_model(cells, dataclasses.replace(priors, mu_sd=scales[0])), **options)
    return [fit, fit], set()


# %% tags=["mistake:17.4"]
# earns: should be a pair
def what_may_be_claimed(table, total, layers, questions, sigma, scales):
    return set(questions)


# %% [markdown] tags=["task:17.5"]
# ## 17.5 Bring your own data (hard)
#
# Bring a table of your own, small or large, and say which of its columns is the total and which ones are layers.
# Whoever checks your notebook needs the table, too: type it into the cell, or paste it.
# Make up the numbers if you have none.
# It is ready for a fit if
#
# - it has two layers or more, and every contributor has two rows or more;
# - no total and no label is missing, and the totals are not exact sums of what the contributors add.
#
# Its layers may be nested: then your report says so, and pooling has to split them.
#
# Before you fit a table that you have never seen, you want to know what its layers can tell.
# So also write a function `report_on`, for your table and for any other.
# The table may come from pandas, Polars (also lazy), PyArrow or DuckDB.
# The function returns its cells, and a report with one row a layer:
#
# - `contributors`: how many contributors the layer has;
# - `fewest`: the number of rows of the contributor that has the fewest;
# - `separable`: whether the data alone can tell differences between this layer's contributors from those between other layers' contributors.
#
# A layer of $m$ contributors is separable if the rank of the design falls by $m - 1$ when the layer's columns are left out.
# The design, `cells.design()`, has one row a cell, a column of ones for the baseline, and then one column a contributor, layer by layer, 1 where the contributor takes part.
# It comes as a sparse array, which `.toarray()` turns into a plain one.
# The rank of a matrix, `np.linalg.matrix_rank`, is the largest number of its columns of which none is a combination of the others.
# `mlm.identification` looks at the same rank.
# If each driver drives for one center only, for instance, drivers and centers are not separable.


# %% tags=["solution:17.5"]
def your_data():
    """A table of your own, and a function that reports on any table.

    Returns four things: table, total, layers, report_on.
    table: data frame of your own, whose rows are in no notebook or exercise of this course
    total: str, name of its column with the totals
    layers: list of str, names of its columns with labels, two or more
    report_on(table, total, layers): function, uncalled. Its table is a data frame of pandas, Polars (also lazy),
    PyArrow or DuckDB. It returns a pair: Cells, and a pandas DataFrame with the names of the layers as its index and
    the columns contributors (int), fewest (int) and separable (bool).
    For example, in report_on(march, "minutes", ["center", "driver"]) the report has two rows, with 2 contributors each,
    3 rows for the contributor with the fewest, and True.
    """
    ### BEGIN SOLUTION: return your table, the names of its total and of its layers, and the function report_on
    # Made up: minutes that guests of a canteen waited.
    waits = [
        ("Mon", "grill", 12.0),
        ("Mon", "grill", 9.5),
        ("Mon", "soup", 4.0),
        ("Tue", "grill", 11.0),
        ("Tue", "soup", 6.5),
        ("Tue", "soup", 3.0),
        ("Wed", "grill", 15.5),
        ("Wed", "soup", 8.0),
    ]
    table = pd.DataFrame(waits, columns=["weekday", "counter", "waited"])

    def report_on(table, total, layers):
        cells = mlm.cell_statistics(table, total, layers)
        design = cells.design().toarray()
        rank = np.linalg.matrix_rank(design)
        rows, start = {}, 1
        for name in layers:
            m = len(cells.labels[name])
            others = np.delete(design, np.s_[start : start + m], axis=1)
            rows[name] = {
                "contributors": m,
                "fewest": cells.counts(name).min(),
                "separable": rank - np.linalg.matrix_rank(others) == m - 1,
            }
            start += m
        return cells, pd.DataFrame.from_dict(rows, orient="index")

    return table, "waited", ["weekday", "counter"], report_on
    ### END SOLUTION


# %% tags=["check:17.5"]
mlm.check("17.5", your_data)


# %% tags=["mistake:17.5"]
# earns: two groups of drivers and centers never meet
right = your_data


def your_data():
    def report_on(table, total, layers):
        cells = mlm.cell_statistics(table, total, layers)
        where = cells.to_frame()
        rows = []
        for name in layers:
            nested = [
                other != name
                and min(where.groupby(a)[b].nunique().max() for a, b in [(name, other), (other, name)]) == 1
                for other in layers
            ]
            rows.append((len(cells.labels[name]), cells.counts(name).min(), not any(nested)))
        return cells, pd.DataFrame(rows, columns=["contributors", "fewest", "separable"], index=layers)

    return (*right()[:3], report_on)


# %% tags=["mistake:17.5"]
# earns: judge each layer by itself
right = your_data


def your_data():
    def report_on(table, total, layers):
        cells = mlm.cell_statistics(table, total, layers)
        m = [len(cells.labels[name]) for name in layers]
        separable = np.linalg.matrix_rank(cells.design().toarray()) == 1 + sum(m) - len(m)
        fewest = [cells.counts(name).min() for name in layers]
        return cells, pd.DataFrame({"contributors": m, "fewest": fewest, "separable": separable}, index=layers)

    return (*right()[:3], report_on)


# %% tags=["mistake:17.5"]
# earns: yours counts cells
right = your_data


def your_data():
    def report_on(table, total, layers):
        cells = mlm.cell_statistics(table, total, layers)
        counts = [cells.to_frame()[name].value_counts() for name in layers]
        report = {"contributors": [len(x) for x in counts], "fewest": [x.min() for x in counts], "separable": True}
        return cells, pd.DataFrame(report, index=layers)

    return (*right()[:3], report_on)


# %% tags=["mistake:17.5"]
# earns: stopped with
right = your_data


def your_data():
    def report_on(table, total, layers):
        counts = [table[name].value_counts() for name in layers]
        report = {"contributors": [len(x) for x in counts], "fewest": [x.min() for x in counts], "separable": True}
        return mlm.cell_statistics(table, total, layers), pd.DataFrame(report, index=layers)

    return (*right()[:3], report_on)


# %% tags=["mistake:17.5"]
# earns: each driver has one center here
right = your_data


def your_data():
    def report_on(table, total, layers):
        cells = mlm.cell_statistics(table, total, layers)
        report = {
            "contributors": [len(cells.labels[name]) for name in layers],
            "fewest": [cells.counts(name).min() for name in layers],
            "separable": True,
        }
        return cells, pd.DataFrame(report, index=layers)

    return (*right()[:3], report_on)


# %% tags=["mistake:17.5"]
# earns: two layers or more
right = your_data


def your_data():
    table, total, layers, report_on = right()
    return table, total, layers[:1], report_on


# %% tags=["mistake:17.5"]
# earns: this table is that of the radon homes
right = your_data


def your_data():
    radon = mlm.load_radon()[["county", "floor", "log_radon"]]
    radon = radon[radon.groupby("county")["floor"].transform("size") > 20]
    return radon, "log_radon", ["county", "floor"], right()[3]


# %% tags=["mistake:17.5"]
# earns: this table is the example of this set
right = your_data


def your_data():
    return march, "minutes", ["driver", "center"], right()[3]


# %% tags=["mistake:17.5"]
# earns: the means explain every total exactly
right = your_data


def your_data():
    table, total, layers, report_on = right()
    table[total] = table["weekday"].map({"Mon": 3.0, "Tue": 5.0, "Wed": 4.0}) + (table["counter"] == "soup")
    return table, total, layers, report_on


# %% tags=["mistake:17.5"]
# earns: looking at pairs of layers
right = your_data


def your_data():
    def report_on(table, total, layers):
        cells = mlm.cell_statistics(table, total, layers)
        frame = cells.to_frame()
        apart = dict.fromkeys(layers, True)
        for one in layers:
            for other in set(layers) - {one}:
                both = mlm.cell_statistics(frame, "mean", [one, other])
                design = both.design().toarray()
                if np.linalg.matrix_rank(design) < design.shape[1] - 2:
                    apart[one] = False
        report = {
            "contributors": [len(cells.labels[name]) for name in layers],
            "fewest": [cells.counts(name).min() for name in layers],
            "separable": list(apart.values()),
        }
        return cells, pd.DataFrame(report, index=layers)

    return (*right()[:3], report_on)


# %% tags=["mistake:17.5"]
# earns: this table is that of the flights
right = your_data


def your_data():
    flights = mlm.load_flights().sample(2000, random_state=1)
    flights = flights[flights.groupby("carrier", observed=True)["origin"].transform("size") > 20]
    flights = flights.astype({"carrier": str, "origin": str})
    flights = flights.rename(columns={"carrier": "shop", "origin": "town", "minutes_lost": "profit"})
    return flights[["shop", "town", "profit"]], "profit", ["shop", "town"], right()[3]


# %% tags=["mistake:17.5"]
# earns: this table is that of the paste
right = your_data


def your_data():
    paste = mlm.load_paste().rename(columns={"strength": "score", "batch": "class", "sample": "pupil"})
    return paste, "score", ["class", "pupil"], right()[3]


# %% tags=["mistake:17.5"]
# earns: cannot be fitted yet
right = your_data


def your_data():
    table, total, layers, report_on = right()
    table.loc[0, total] = np.nan
    return table, total, layers, report_on


# %% tags=["mistake:17.5"]
# earns: has a single row
right = your_data


def your_data():
    table, total, layers, report_on = right()
    table.loc[0, "weekday"] = "Thu"
    return table, total, layers, report_on


# %% tags=["mistake:17.5"]
# earns: should be four things
right = your_data


def your_data():
    return right()[3]


# %% [markdown] tags=["task:17.6"]
# ## 17.6 At equal kilometers (hard)
#
# A table has numbers beside its labels.
# Some differ from row to row, such as the weight of a parcel. Others follow from the labels, such as the kilometers from a center to its district.
# Somebody asks about differences of contributors, and you say what the table can answer, however many rows of this kind it has:
#
# - `"at equal numbers"`: it tells the difference that is left between rows whose numbers are equal;
# - `"as they are"`: it does not, but it tells the difference with whatever the numbers add to it;
# - `"neither"`: it tells none of the two.
#
# Give each question the first verdict that holds.
# No fit is needed, and no number in the columns of the totals matters.


# %% tags=["solution:17.6"]
def what_it_tells(table, total, layers, numbers, questions):
    """Verdicts on what a table can tell about differences of contributors.

    table: pandas.DataFrame, one row an observation
    total: str, name of the column with the totals
    layers: list of str, names of the columns with labels
    numbers: list of str, names of the columns with numbers beside the labels
    questions: dict of str to dict, combinations of means as the contrasts of mlm.identification
    Returns a dict of str to str: for each question "at equal numbers", "as they are" or "neither".
    For example, what_it_tells(tours, "minutes", ["center", "driver"], ["km"], about_tours) is
        {"Ada - Ben": "at equal numbers", "Harbor - North": "as they are", "North - South": "at equal numbers"}.
    """
    ### BEGIN SOLUTION: return a dict with a verdict on each question
    fixed = []
    for covariates in (numbers, []):
        cells = mlm.cell_statistics(table, total, layers, covariates=covariates)
        fixed.append(mlm.identification(cells, contrasts=questions)["means"])
    equal, as_is = fixed
    verdicts = {}
    for name in questions:
        verdicts[name] = "at equal numbers" if equal[name] else "as they are" if as_is[name] else "neither"
    return verdicts
    ### END SOLUTION


# %% tags=["check:17.6"]
mlm.check("17.6", what_it_tells)


# %% tags=["mistake:17.6"]
# earns: follow from the labels
def what_it_tells(table, total, layers, numbers, questions):
    report = mlm.identification(mlm.cell_statistics(table, total, layers), contrasts=questions)
    return {name: "at equal numbers" if report["means"][name] else "neither" for name in questions}


# %% tags=["mistake:17.6"]
# earns: the two have the same number
def what_it_tells(table, total, layers, numbers, questions):
    with_numbers = mlm.identification(mlm.cell_statistics(table, total, layers, covariates=numbers))["means"]
    without = mlm.identification(mlm.cell_statistics(table, total, layers), contrasts=questions)["means"]
    verdicts = {}
    for name, weights in questions.items():
        equal = all(with_numbers[layer] for layer, _ in weights)
        verdicts[name] = "at equal numbers" if equal else "as they are" if without[name] else "neither"
    return verdicts


# %% tags=["mistake:17.6"]
# earns: judge each question by itself
def what_it_tells(table, total, layers, numbers, questions):
    with_numbers = mlm.identification(mlm.cell_statistics(table, total, layers, covariates=numbers))["means"]
    without = mlm.identification(mlm.cell_statistics(table, total, layers), contrasts=questions)["means"]
    best = "at equal numbers" if with_numbers["covariates"] else "as they are"
    return {name: best if without[name] else "neither" for name in questions}


# %% tags=["mistake:17.6"]
# earns: differ from row to row
def what_it_tells(table, total, layers, numbers, questions):
    without = mlm.identification(mlm.cell_statistics(table, total, layers), contrasts=questions)["means"]
    verdicts = {}
    for name, weights in questions.items():
        gap = sum(w * table.loc[table[layer] == x, numbers].mean() for (layer, x), w in weights.items())
        equal = without[name] and (gap.abs() < 1e-9).all()
        verdicts[name] = "at equal numbers" if equal else "as they are" if without[name] else "neither"
    return verdicts


# %% tags=["mistake:17.6"]
# earns: but it tells the sum of both
def what_it_tells(table, total, layers, numbers, questions):
    report = mlm.identification(mlm.cell_statistics(table, total, layers, covariates=numbers), contrasts=questions)
    return {name: "at equal numbers" if report["means"][name] else "neither" for name in questions}


# %% tags=["mistake:17.6"]
# earns: should be one of
def what_it_tells(table, total, layers, numbers, questions):
    report = mlm.identification(mlm.cell_statistics(table, total, layers, covariates=numbers), contrasts=questions)
    return report["means"].loc[list(questions)].to_dict()


# %% tags=["mistake:17.6"]
# earns: should be a dict
def what_it_tells(table, total, layers, numbers, questions):
    return set(questions)


# %% tags=["mistake:17.6"]
# earns: though either number differs between rows
def what_it_tells(table, total, layers, numbers, questions):
    def told(covariates):
        cells = mlm.cell_statistics(table, total, layers, covariates=covariates)
        return mlm.identification(cells, contrasts=questions)["means"]

    one_by_one, as_is = [told([name]) for name in numbers], told([])
    verdicts = {}
    for name in questions:
        equal = all(means[name] for means in one_by_one)
        verdicts[name] = "at equal numbers" if equal else "as they are" if as_is[name] else "neither"
    return verdicts


# %% tags=["mistake:17.6"]
# earns: though either number differs between rows
def what_it_tells(table, total, layers, numbers, questions):
    as_is = mlm.identification(mlm.cell_statistics(table, total, layers), contrasts=questions)["means"]
    verdicts = {}
    for name, weights in questions.items():
        equal = as_is[name]
        for number in numbers:
            for layer in layers:
                of_label = table.groupby(layer)[number].agg(["min", "max"])
                if (of_label["min"] == of_label["max"]).all():
                    equal &= sum(w * of_label["min"][x] for (which, x), w in weights.items() if which == layer) == 0
        verdicts[name] = "at equal numbers" if equal else "as they are" if as_is[name] else "neither"
    return verdicts
