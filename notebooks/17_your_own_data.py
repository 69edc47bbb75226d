# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 17 Your own data, any size
#
# You have a file of your own: a number in every row, and a few columns that say who had a hand in it.
# This notebook takes such a file to a saved posterior and a figure in one page of code that you can copy.
# Then it shows what changes if the file does not fit into memory: one line.
#
# **You will learn**
#
# 1. to go from a CSV or Parquet file to a saved posterior, and to read it again;
# 2. to hand over a table from pandas, Polars, PyArrow or DuckDB, or a folder of parts, and get the same cells;
# 3. to recognise what bad input looks like, and what the package says about it;
# 4. to refit next month's file without compiling again;
# 5. to go through a checklist before you claim anything;
# 6. to say of a table of your own which of its layers can be told apart; an exercise shows how.
#
# **You need** [09](09_integrating_out.ipynb) for cells, [10](10_what_the_data_cannot_say.ipynb) for what may be claimed, [12](12_decomposing_a_total.ipynb) for splitting a total.
#
# **Time** 25 minutes of reading, under two minutes of running.

# %%
import functools
import io
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import arviz as az
import duckdb
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import xarray as xr

import mlm_tutorial as mlm

SEED = mlm.notebook_seed(1111)
rng = np.random.default_rng(SEED)
mlm.use_style()

# %% [markdown]
# ## A file that is not the course's
#
# A parcel service notes how many minutes each delivery took, from which depot it came, who drove and on what day.
# The file is simulated and written to a temporary folder, so that you know the truth and the notebook needs no download.
# From the next section on, forget where the file came from.

# %%
truth = mlm.LayeredSum.from_coefficients(
    [
        {0: (35, 6)},
        {"North": (3, 2), "South": (-4, 2), "Harbour": (1, 5)},
        {"Ada": (-4, 2), "Ben": (0, 2), "Chen": (1, 2), "Dina": (-2, 2), "Eli": (5, 5)},
        {"Mon": (1, 2), "Tue": (-1, 2), "Wed": (-1, 2), "Thu": (0, 2), "Fri": (4, 4), "Sat": (-3, 2)},
    ],
    names=["baseline", "depot", "courier", "weekday"],
)
folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
path = Path(folder.name)


def simulate_month(truth, n):
    """Return n deliveries as plain columns of text and numbers, as they would arrive in a file."""
    return truth.simulate(n, rng=rng).rename(columns={"total": "minutes"}).round({"minutes": 2})


simulate_month(truth, 20_000).to_csv(path / "march.csv", index=False)
print("\n".join((path / "march.csv").read_text().splitlines()[:5]))

# %% [markdown]
# ## From the file to a saved posterior, in a page
#
# Copy this cell, change the first lines, and you have your analysis.
# A layer is any column whose entries may add something to the total.
# The priors have fixed scales, as in most notebooks before; without `pooled=False` they pool, as in [13](13_partial_pooling.ipynb), and you want that where contributors are many or have few rows.

# %%
FILE, TOTAL, LAYERS, UNIT = path / "march.csv", "minutes", ["depot", "courier", "weekday"], "minutes"

frame = pd.read_csv(FILE, keep_default_na=False, na_values=[""])  # for Parquet: pd.read_parquet(FILE)
cells = mlm.cell_statistics(frame, total=TOTAL, layers=LAYERS)
priors = mlm.Priors.from_cells(cells, pooled=False)
model = mlm.cell_model(cells, priors)
compiled = mlm.compile_model(model)
idata = mlm.sample(compiled, seed=SEED)
print(cells)
print({name: round(value, 2) for name, value in vars(priors).items() if isinstance(value, float)})
print(mlm.check_convergence(idata).round(3).to_string())
mlm.save_posterior(idata, path / "march.nc")

# %% mystnb={"image": {"alt": "Mean contributions of five couriers in minutes, sorted, with intervals. Eli is slowest, about five minutes above the average of the couriers, and Ada is fastest, about four minutes below."}}
mlm.plot_contributors(idata, "courier", unit=UNIT)
plt.show()

# %% [markdown]
# The second printed line holds the scales of the priors, in minutes.
# Intervals in the figure are for each courier's mean contribution, in minutes above or below the average of the five, with depot and weekday accounted for.
# [NetCDF](https://www.unidata.ucar.edu/software/netcdf/) is a file format for labelled arrays that most scientific software reads.
# The file holds draws, sampler statistics, the cells, the seed and the versions of the libraries.
#
# ## Does the model fit? One check before the figure is shown around
#
# In each draw of the posterior, compute two numbers and compare each with what the model itself would produce.
# The first sums up how far the cells' averages lie from their expected values: do baseline and layers add up?
# The second is the largest misfit of the spread within any cell.
# The posterior predictive p-value is the share of draws in which the model's own number is at least as large as that of the data.
# A value near 0 or 1 is a warning; [07](07_diagnostics.ipynb) and [15](15_flights.ipynb) show what to do then.


# %%
def predictive_check(cells, idata):
    """Return p-values of the cells' means and of their spreads under the posterior predictive distribution."""
    posterior = idata["posterior"].to_dataset()
    mu, v = posterior["mu_baseline"], posterior["sigma_baseline"] ** 2
    for j, name in enumerate(cells.layers):
        code = xr.DataArray(cells.codes[:, j], dims="cell")
        mu = mu + posterior[f"mu_{name}"].isel({name: code}).drop_vars(name)
        v = v + posterior[f"sigma_{name}"].isel({name: code}).drop_vars(name) ** 2
    n, mean, sum_sq = (xr.DataArray(x, dims="cell") for x in (cells.n, cells.mean, cells.sum_sq))
    fit_of_means, fit_of_spreads = (
        (n * (mean - mu) ** 2 / v).sum("cell"),
        np.abs(np.log(sum_sq / v / (n - 1))).max("cell"),
    )
    like_means = rng.chisquare(len(cells), fit_of_means.shape)
    replicated = rng.chisquare(cells.n - 1, (*fit_of_spreads.shape, len(cells))) / (cells.n - 1)
    like_spreads = np.abs(np.log(replicated)).max(axis=-1)
    return {
        "means add up": float((like_means >= fit_of_means.values).mean()),
        "largest misfit of a cell's spread": float((like_spreads >= fit_of_spreads.values).mean()),
    }


for name, p_value in predictive_check(cells, idata).items():
    print(f"{name}: p = {p_value:.2f}")

# %% [markdown]
# ## Bad input is named, not dropped
#
# Real files have holes.
# Nothing is silently left out: you are told which column, what was wrong and where, and you decide.
# The last example is a trap of its own: a depot is coded `NA`, and `pd.read_csv` takes the letters NA for a missing value.
# The template above avoids it with `keep_default_na=False`.

# %% tags=["nbval-check-output"]
good = pd.DataFrame(
    {
        "minutes": [31.5, 40.0, 28.0, 35.5],
        "depot": ["North", "South", "South", "North"],
        "courier": ["Ada", "Ben", "Ada", "Ben"],
    }
)
with_na = "minutes,depot,courier\n31.5,North,Ada\n40.0,NA,Ben\n28.0,NA,Ada\n35.5,North,Ben\n"
attempts = {
    "misspelt column": (good, ["depot", "currier"]),
    "missing label": (good.assign(courier=["Ada", None, "Ada", "Ben"]), ["depot", "courier"]),
    "missing total": (good.assign(minutes=[31.5, 40.0, np.nan, 35.5]), ["depot", "courier"]),
    "text instead of numbers": (good.assign(minutes=["31,5", "40", "28", "35,5"]), ["depot", "courier"]),
    "one contributor only": (good.assign(depot="North"), ["depot", "courier"]),
    "a depot called NA": (pd.read_csv(io.StringIO(with_na)), ["depot", "courier"]),
}
for name, (table, layers) in attempts.items():
    try:
        mlm.cell_statistics(table, total="minutes", layers=layers)
    except (KeyError, TypeError, ValueError) as error:
        print(f"{name}\n    {type(error).__name__}: {error.args[0]}")
    else:
        raise AssertionError(f"{name} was accepted")

# %% [markdown]
# ## Any table gives the same cells, and so the same posterior
#
# `cell_statistics` takes whatever [narwhals](https://narwhals-dev.github.io/narwhals/) understands, a library that speaks to many kinds of table.
# An *eager* table is in memory.
# A *lazy* one is a plan: the rows stay in the file, the engine reads them in passing, and only the cells come back.
#
# **Predict first.** Six ways to read the same rows, one posterior each.
# By how much will the posteriors differ: not at all, by rounding, or by Monte Carlo error?

# %%
frame.to_parquet(path / "march.parquet", index=False)
tables = {
    "pandas": pd.read_parquet(path / "march.parquet"),
    "Polars, eager": pl.read_parquet(path / "march.parquet"),
    "Polars, lazy": pl.scan_parquet(path / "march.parquet"),
    "PyArrow": pq.read_table(path / "march.parquet"),
    "DuckDB": duckdb.read_parquet(str(path / "march.parquet")),
    "DuckDB, from CSV": duckdb.read_csv(str(path / "march.csv")),
}


def same_cells(first, second):
    """Return whether labels and counts are equal, and means and sums of squares up to rounding."""
    return (
        first.labels == second.labels
        and np.array_equal(first.codes, second.codes)
        and np.array_equal(first.n, second.n)
        and np.allclose(first.mean, second.mean, rtol=1e-10, atol=0)
        and np.allclose(first.sum_sq, second.sum_sq, rtol=1e-8, atol=0)
    )


rows = []
for name, table in tables.items():
    its_cells = mlm.cell_statistics(table, total=TOTAL, layers=LAYERS)
    assert same_cells(its_cells, cells), name
    refit = mlm.sample(compiled.with_cells(its_cells), seed=SEED)
    mlm.check_convergence(refit)
    both = [tree["posterior"].to_dataset()[["mu_courier", "sigma_courier"]] for tree in (refit, idata)]
    gap = both[0].mean(["chain", "draw"]) - both[1].mean(["chain", "draw"])
    error = np.sqrt(sum(az.mcse(draws) ** 2 for draws in both))
    z = max(float(np.abs(x).max()) for x in (gap / error).data_vars.values())
    assert z < 5.5, name
    rows.append((name, np.abs(its_cells.mean - cells.mean).max(), z))
pd.DataFrame(rows, columns=["table", "cells differ (minutes)", "posteriors differ (MC errors)"])

# %% [markdown]
# Cells agree up to rounding: sums taken in another order round differently.
# Where cells are equal to the last bit, so are the draws, since the seed is the same.
# Where they differ in the last bit, a sampler's path soon departs, as it would with another seed, and posterior means differ by Monte Carlo error.
# The posterior itself is the same.
#
# ### Dask and PySpark
#
# Narwhals accepts tables of Dask and PySpark too.
# They are not installed with this course, and the cells below were not run here.
# If your data live there, this is all it takes:
#
# ```python
# import dask.dataframe as dd                     # pip install "dask[dataframe]"
# table = dd.read_parquet("deliveries/*.parquet")
# cells = mlm.cell_statistics(table, total="minutes", layers=["depot", "courier", "weekday"])
# ```
#
# ```python
# from pyspark.sql import SparkSession            # pip install pyspark; needs Java
# table = SparkSession.builder.getOrCreate().read.parquet("deliveries/")
# cells = mlm.cell_statistics(table, total="minutes", layers=["depot", "courier", "weekday"])
# ```
#
# Check the first use on a sample that also fits into pandas: the two sets of cells must agree, as above.
#
# ## A folder of parts: reduce each, merge the cells
#
# Sometimes the data come in pieces: a file a day, a machine a region.
# Then make cells of each piece and merge them; the result equals that of one pass over all rows.
# A piece may lack couriers or have a single weekday, which would be an error for whole data.
# `partial=True` says that this is a piece.

# %%
(path / "days").mkdir()
for number, (day, part) in enumerate(frame.groupby("weekday")):
    part.to_parquet(path / "days" / f"part-{number}-{day}.parquet", index=False)

parts = (
    mlm.cell_statistics(pl.scan_parquet(file), total=TOTAL, layers=LAYERS, partial=True)
    for file in sorted((path / "days").glob("*.parquet"))
)
merged = functools.reduce(mlm.Cells.merge, parts)
assert same_cells(merged, cells)
print(merged)

# %% [markdown]
# Merging uses counts, means and sums of squares, never the rows (Chan, Golub and LeVeque 1979).
# So the pieces can be reduced in parallel, on different machines, or months apart.
#
# ## What does ten million rows cost?
#
# Now write files of a thousand to ten million rows, in chunks, and measure the way from files to cells.
# Each way of reading runs in a process of its own, smallest file first, and a thread notes the largest memory of that process.

# %%
SIZES = [1_000, 10_000, 100_000, 1_000_000, 10_000_000]
CHUNK = 1_000_000
for size in SIZES:
    (path / f"rows-{size}").mkdir()
    for number, start in enumerate(range(0, size, CHUNK)):
        rows = truth.simulate(min(CHUNK, size - start), rng=rng).rename(columns={"total": "minutes"})
        rows.to_parquet(path / f"rows-{size}" / f"part-{number:02d}.parquet", index=False)

WORKER = """
import functools, glob, json, sys, threading, time
import duckdb, pandas as pd, polars as pl, psutil
import mlm_tutorial as mlm

def cells(table, **options):
    return mlm.cell_statistics(table, total="minutes", layers=["depot", "courier", "weekday"], **options)

WAYS = {
    "pandas, all in memory": lambda folder: cells(pd.read_parquet(folder)),
    "Polars, lazy": lambda folder: cells(pl.scan_parquet(folder + "/*.parquet")),
    "DuckDB": lambda folder: cells(duckdb.read_parquet(folder + "/*.parquet")),
    "pandas, file by file, merged": lambda folder: functools.reduce(
        mlm.Cells.merge, (cells(pd.read_parquet(file), partial=True) for file in sorted(glob.glob(folder + "/*.parquet")))
    ),
}
me, peak = psutil.Process(), 0

def watch():
    global peak
    while True:
        peak = max(peak, me.memory_info().rss)
        time.sleep(0.002)

threading.Thread(target=watch, daemon=True).start()
way, folders = sys.argv[1], sys.argv[2:]
WAYS[way](folders[0])  # the first call loads libraries; it is not what we want to time
for folder in folders:
    start = time.perf_counter()
    result = WAYS[way](folder)
    print(json.dumps([way, result.n_observations, time.perf_counter() - start, peak / 2**20]))
"""
WAYS = ["pandas, all in memory", "pandas, file by file, merged", "Polars, lazy", "DuckDB"]
folders = [str(path / f"rows-{size}") for size in SIZES]
lines = []
for way in WAYS:
    done = subprocess.run([sys.executable, "-c", WORKER, way, *folders], capture_output=True, text=True, check=True)
    lines += [json.loads(line) for line in done.stdout.splitlines()]
cost = pd.DataFrame(lines, columns=["way", "rows", "seconds", "MB"])
assert cost["rows"].isin(SIZES).all()
assert len(cost) == len(WAYS) * len(SIZES)
at_most = cost[cost["rows"] == SIZES[-1]].set_index("way")["MB"]
assert at_most["pandas, file by file, merged"] < at_most["pandas, all in memory"]
print("seconds:")
cost.pivot_table(index="way", columns="rows", values="seconds").round(2)

# %% [markdown]
# Next, fit the model at each size.
# The compiled model is reused: new cells go in with `with_cells`, and the priors stay as they are.

# %%
fit_seconds, gradients, courier_sd = {}, {}, {}
for size in SIZES:
    table = pl.scan_parquet(path / f"rows-{size}" / "*.parquet")
    its_cells = mlm.cell_statistics(table, total=TOTAL, layers=LAYERS)
    if len(its_cells) != len(cells):  # a thousand rows may, rarely, miss a combination
        print(f"{size:,} rows have {len(its_cells)} cells: left out")
        continue
    fit = mlm.sample(compiled.with_cells(its_cells), seed=SEED)
    mlm.check_convergence(fit)
    fit_seconds[size] = fit.attrs["sampling_seconds"]
    gradients[size] = fit.attrs["gradients"]
    courier_sd[size] = float(fit["posterior"]["mu_courier"].std(["chain", "draw"]).mean())
assert gradients[SIZES[-1]] < 3 * gradients[10_000]
assert 0.07 < courier_sd[SIZES[-1]] / courier_sd[100_000] < 0.14
pd.DataFrame(
    {"seconds": fit_seconds, "gradients": gradients, "posterior sd of a courier's mean (minutes)": courier_sd}
).rename_axis("rows").round(3)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two panels against rows from a thousand to ten million, logarithmic axes. Left: seconds to reduce files to cells rise with the rows, for four ways of reading, while the seconds to sample do not rise with rows. Right: the memory of the process in megabytes; reading everything with pandas rises most steeply."}} tags=["hide-input"]
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2))
styles = dict(
    zip(
        WAYS,
        [("truth", "s", "-"), ("prior", "D", "-."), ("estimate", "o", "--"), ("alternative", "^", ":")],
        strict=True,
    )
)
for way, (role, marker, line) in styles.items():
    part = cost[cost["way"] == way]
    for ax, column in ((left, "seconds"), (right, "MB")):
        ax.plot(part["rows"], part[column], color=mlm.COLORS[role], marker=marker, linestyle=line, label=way)
left.plot(list(fit_seconds), list(fit_seconds.values()), color="#8A8A8A", linewidth=3, label="sampling the posterior")
left.set_yscale("log")
left.set_ylabel("seconds")
right.set_ylabel("peak memory of the process (MB)")
right.set_ylim(0)
for ax in (left, right):
    ax.set_xscale("log")
    ax.set_xlabel("rows")
fig.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
plt.show()

# %% [markdown]
# Beyond a hundred thousand rows or so, the time to read grows with the rows, as it must: each row is looked at once or twice.
# The time to sample does not grow, because the sampler sees cells, and there are as many cells at ten million rows as at a thousand.
# (The smallest file may even take longest: its posterior is far wider than the one that the sampler's coordinates were set up for.)
# So nothing changes in sampling when the data grow.
# What changes is the posterior of all that the data decide.
# The last column of the table above shows it: with a hundred times the rows, the standard deviation of a courier's mean is a tenth.
# `sigma_baseline` does not become certain in this way, as [10](10_what_the_data_cannot_say.ipynb) showed.
#
# The ways of reading differ in time, as the first table shows, and in memory.
# Reading everything needs room for all rows.
# File by file needs room for the largest file, whatever the number of files.
# A lazy engine decides for itself how much it holds at a time.
# What does cost the sampler is *contributors*, not rows: more of them mean more parameters and more cells.
#
# ## Next month: refit without compiling
#
# April's file has the same layers and the same contributors.
# `with_cells` puts its cells into the compiled model, and the prior stays March's, so that the two months are comparable.
# In April, Eli got a better van; say you do not know that.

# %%
april_truth = mlm.LayeredSum.from_coefficients(
    [layer.coefficients if layer.name != "courier" else layer.coefficients | {"Eli": (1, 3)} for layer in truth],
    names=["baseline", "depot", "courier", "weekday"],
)
simulate_month(april_truth, 25_000).to_csv(path / "april.csv", index=False)

april = mlm.cell_statistics(pl.scan_csv(path / "april.csv"), total=TOTAL, layers=LAYERS)
april_idata = mlm.sample(compiled.with_cells(april), seed=SEED + 1)
mlm.check_convergence(april_idata)
mlm.save_posterior(april_idata, path / "april.nc")
print(f"compiling: {compiled.compile_seconds:.1f} s in March, {april_idata.attrs['compile_seconds']:.1f} s in April;")
print(f"sampling: {april_idata.attrs['sampling_seconds']:.1f} s.")

# %% [markdown]
# Other contributors than in March, or more or fewer combinations, need a new model.
# `with_cells` then refuses and says what differs, and you compile anew.
# It also refuses if Zoe drives in Eli's place and all else stays the same; otherwise her minutes would be reported under the name Eli.
#
# ## Load the posteriors again and use them
#
# Days later, in another process, all that is needed is the file.
# Did a courier change between the months?
#
# Means in a layer sum to zero, so if one courier of five becomes five minutes faster, the average of all five falls by one minute, and the other four *seem* one minute slower against it.
# Compare what does not depend on the other couriers: baseline plus courier, the minutes of a courier at an average depot on an average day.

# %%
months = {month: xr.load_datatree(path / f"{month}.nc", engine="h5netcdf") for month in ("march", "april")}
minutes = {
    month: (tree["posterior"]["mu_baseline"] + tree["posterior"]["mu_courier"]).stack(sample=["chain", "draw"])
    for month, tree in months.items()
}
change = minutes["april"].values - minutes["march"].values  # two fits are independent, so draws may be paired freely
couriers = minutes["march"]["courier"].values.tolist()
change_table = pd.DataFrame(
    {
        "change (minutes)": change.mean(axis=1),
        "lower": np.quantile(change, 0.055, axis=1),
        "upper": np.quantile(change, 0.945, axis=1),
        "chance of being faster": (change < 0).mean(axis=1),
    },
    index=couriers,
)
true_change = {
    name: april_truth.centered()["baseline"].mu[0]
    + april_truth.centered()["courier"].coefficients[name][0]
    - truth.centered()["baseline"].mu[0]
    - truth.centered()["courier"].coefficients[name][0]
    for name in couriers
}
error = change_table["change (minutes)"] - pd.Series(true_change)
assert np.all(np.abs(error) < 4.5 * change.std(axis=1))
change_table.round(2)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Expected minutes of each of five couriers in March and April, with intervals. Eli drops by about four minutes from March to April; the other four hardly change."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(8, 3.2))
for shift, (month, marker, role) in zip(
    (-0.12, 0.12), (("march", "o", "estimate"), ("april", "s", "alternative")), strict=True
):
    draws = minutes[month].values
    rows = np.arange(len(couriers)) + shift
    ax.hlines(rows, *np.quantile(draws, [0.055, 0.945], axis=1), color=mlm.COLORS[role], linewidth=2)
    ax.plot(draws.mean(axis=1), rows, marker, color=mlm.COLORS[role], label=month.capitalize())
ax.set_yticks(range(len(couriers)), couriers)
ax.invert_yaxis()
ax.set_xlabel("expected minutes at an average depot and day (89 % intervals)")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# Eli became about four minutes faster, and the interval is far from zero.
# For the other four the data show no clear change.
#
# The saved posterior also splits a new delivery, as in [12](12_decomposing_a_total.ipynb).
# How the surprise in a total is shared among components depends on their spreads, and with it on the prior, as [10](10_what_the_data_cannot_say.ipynb) showed.
# Say so when you show this figure.

# %% mystnb={"image": {"alt": "Waterfall of one delivery of 62 minutes in March: the baseline gives the largest part, then depot Harbour, courier Eli and weekday Friday add the rest; whiskers are one posterior standard deviation."}}
late = pd.DataFrame({"minutes": [62.0], "depot": ["Harbour"], "courier": ["Eli"], "weekday": ["Fri"]})
split = mlm.decompose(months["march"], late, total=TOTAL, layers=LAYERS)
assert abs(float(split["mean"].sum()) - 62.0) < 1e-8
mlm.plot_decomposition(
    split,
    observation=0,
    labels={name: f"{name}: {late[name][0]}" for name in LAYERS},
    unit="minutes of one delivery",
)
plt.show()

# %% [markdown]
# ## A checklist for an analysis
#
# 1. **Question.** Write down the quantity you want, with its unit, before you look: "minutes that courier A takes more than courier B at the same depot on the same day".
# 2. **Total.** Is it a sum, or nearly one? Effects that multiply become sums after a logarithm.
# 3. **Layers.** Each row has exactly one contributor in each. A column with one label is no layer. Interactions are not modelled: a contributor's mean is the same whoever else takes part. If you expect one between two layers, make the pair a layer of its own.
# 4. **Counts.** `cells.counts(layer)`: contributors with few rows want partial pooling, as in [13](13_partial_pooling.ipynb); leave out `pooled=False`. Two layers that always go together cannot be told apart; `mlm.identification(cells)` says which means and spreads the data fix.
# 5. **Priors.** Their scales are in the units of the total. `print(priors)`, and ask if a contributor's mean of twice `mu_sd` would surprise you. It should.
# 6. **Converge.** `mlm.check_convergence(idata)` before any number is read.
# 7. **Check predictive.** Do cells add up, are spreads right, are the tails right? If not, the intervals of the means are wrong too, usually too narrow.
# 8. **Prior sensitivity.** Fit again with another `sigma_scale`. Means, differences of variances within a layer, and the total variance should stay; the split between baseline and layers will not.
# 9. **Claims.** You may claim what stayed. "Caused by" needs more than this model: couriers are rarely assigned to depots at random.
# 10. **Record.** Save the posterior. Its file holds seed, data and versions.
#
# Points 4 and 8, in code.
# The second prior expects less variance in the baseline and more in the layers.

# %%
for layer in LAYERS:
    print(f"{layer}: fewest rows {cells.counts(layer).min():,}, most {cells.counts(layer).max():,}")

wide = replace(
    priors,
    sigma_scale={"baseline": 0.3 * priors.sigma_scale, **dict.fromkeys(LAYERS, 1.5 * priors.sigma_scale)},
)
wide_idata = mlm.sample(mlm.cell_model(cells, wide), seed=SEED)
mlm.check_convergence(wide_idata)


def summarise(idata):
    """Return posterior means of quantities that a report might want."""
    posterior = idata["posterior"]
    eli, ada = ({"courier": name} for name in ("Eli", "Ada"))
    return {
        "mean: Eli - Ada (minutes)": posterior["mu_courier"].sel(eli) - posterior["mu_courier"].sel(ada),
        "variance: Eli - Ada (minutes^2)": posterior["sigma_courier"].sel(eli) ** 2
        - posterior["sigma_courier"].sel(ada) ** 2,
        "sigma_baseline (minutes)": posterior["sigma_baseline"],
    }


first, second = summarise(idata), summarise(wide_idata)
sensitivity = pd.DataFrame(
    {
        "equal shares": {name: float(x.mean()) for name, x in first.items()},
        "other split": {name: float(x.mean()) for name, x in second.items()},
        "posterior sd": {name: float(x.std()) for name, x in first.items()},
    }
)
moved = (sensitivity["other split"] - sensitivity["equal shares"]).abs() / sensitivity["posterior sd"]
assert moved["mean: Eli - Ada (minutes)"] < 0.3
assert moved["variance: Eli - Ada (minutes^2)"] < 0.6
assert moved["sigma_baseline (minutes)"] > 1.5
sensitivity.assign(**{"moved, in posterior sds": moved}).round(2)

# %% [markdown]
# The difference of two couriers' means stays, and so does that of their variances.
# `sigma_baseline` follows the prior, by more than its own posterior standard deviation admits.
# Report the first two.
#
# Last, remove the temporary folder; with your own file you would not.

# %%
folder.cleanup()

# %% [markdown]
# ## Check yourself
#
# The quiz asks about ideas.
# The [exercises](exercises/17_exercises.ipynb) let you use them, from easy to hard, and tell you at once whether you are right.

# %%
mlm.quiz("17")

# %% [markdown]
# ## What to remember
#
# - File, cells, model, sample, check, save: the same page of code, whatever the size.
# - Rows are reduced where they are. For data larger than memory, hand over a lazy table or merge cells of parts.
# - Sampling costs what cells and contributors cost, not rows.
# - Compile once; next month's cells go in with `with_cells`, under the same priors.
# - Report what does not move when the prior of the split moves.
#
# ## Going further
#
# - Chan, T. F., Golub, G. H. and LeVeque, R. J. (1979). *Updating formulae and a pairwise algorithm for computing sample variances*. Technical report STAN-CS-79-773, Stanford University.
# - Gelman, A. and others (2020). *Bayesian workflow*. [arXiv:2011.01808](https://arxiv.org/abs/2011.01808)
# - Kallioinen, N., Paananen, T., Bürkner, P.-C. and Vehtari, A. (2024). Detecting and diagnosing prior and likelihood sensitivity with power-scaling. *Statistics and Computing* 34, 57. [doi:10.1007/s11222-023-10366-5](https://doi.org/10.1007/s11222-023-10366-5)
# - Raasveldt, M. and Mühleisen, H. (2019). DuckDB: an embeddable analytical database. *Proceedings of SIGMOD 2019*, 1981-1984. [doi:10.1145/3299869.3320212](https://doi.org/10.1145/3299869.3320212)

# %%
print(mlm.version_line())
