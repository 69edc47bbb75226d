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
# On the first Monday after the middle of March, Noor finds a file in her inbox: 2,400 deliveries, two weeks, twelve drivers.
# She plans the routes of a parcel service.
# On average, a delivery by Eli took more than ten minutes longer than one by Ada.
# Her boss wants Eli to sit beside Ada for a week and learn.
# But Eli drives from the Harbor and Ada from the Mill, and nobody drives from both.
#
# Is Eli slow, or is the Harbor far?
# Write down what you would tell the boss before you read on.
#
# A file of your own looks like Noor's: a number in every row, and a few columns that say who had a hand in it.
# Here you get a page of code that takes such a file to a table of claims, and you try it on hers.
# Then you see what ten million rows change: for the cells one line, for the sampler more.
#
# **You will learn**
#
# 1. to go from a CSV or Parquet file to cells, and to recognize what bad input looks like;
# 2. to say, before a fit, which questions your table can answer, and which layers, or numbers beside them, cannot be told apart;
# 3. to criticize a fit, to vary both of its priors, and to end in a table of claims;
# 4. to hand over a table from pandas, Polars, PyArrow or DuckDB, or a folder of parts, and get the same cells;
# 5. to refit new rows without compiling, and to know when that is refused.
#
# **You need** [09](09_integrating_out.ipynb) for cells, [10](10_what_the_data_cannot_say.ipynb) for what may be claimed, [12](12_decomposing_a_total.ipynb) for splitting a total, [13](13_partial_pooling.ipynb) for pooling.
#
# **Time** 45 minutes to read, up to two minutes to run.

# %%
import dataclasses
import functools
import io
import tempfile
from pathlib import Path

import duckdb
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import xarray as xr

import mlm_tutorial as mlm
from mlm_tutorial.costs import WAYS, reading_cost

SEED = mlm.notebook_seed(1111)
rng = np.random.default_rng(SEED)
mlm.use_style()
pd.set_option("display.max_colwidth", None)  # sentences in tables

# %% [markdown]
# Noor's file is simulated and written to a temporary folder, so that the notebook needs no download, and the truth can be shown beside the claims.
# The next cell does that. Do not open it yet: it holds the answer.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
CENTERS = {"Airport": -2.0, "Harbor": 11.0, "Mill": -5.0, "North": -4.0}
DRIVERS = {
    "Ann": ("Airport", -3, 3),
    "Ben": ("Airport", 1, 2),
    "Cleo": ("Airport", 2, 5),
    "Eli": ("Harbor", -3, 3),
    "Fay": ("Harbor", 2, 2),
    "Gus": ("Harbor", 1, 5),
    "Ada": ("Mill", -1, 3),
    "Dov": ("Mill", 3, 2),
    "Hana": ("Mill", -2, 5),
    "Ivo": ("North", 0, 3),
    "Jana": ("North", 2, 2),
    "Kofi": ("North", -2, 5),
}
DATES = pd.bdate_range("2026-03-02", "2026-03-14", freq="C", weekmask="Mon Tue Wed Thu Fri Sat")
OF_DATE = np.array([1, -2, -1, 0, 3, -3, 1, -2, -1, 6, 2, -4])  # on the 12th a bridge was closed
SPREAD_OF_DATE = np.array([3, 2, 2, 3, 4, 3, 3, 2, 2, 4, 3, 3])


def deliveries(n, rng):
    """Return n deliveries as they would arrive in a file: a date, names, and whole minutes."""
    driver, date = rng.integers(len(DRIVERS), size=n), rng.integers(len(DATES), size=n)
    center, mu, sigma = (np.array(column) for column in zip(*DRIVERS.values(), strict=True))
    far = np.array([CENTERS[name] for name in center])
    mean = 35 + (far + mu)[driver] + OF_DATE[date]
    minutes = mean + rng.standard_normal(n) * np.sqrt(25 + 4 + sigma[driver] ** 2 + SPREAD_OF_DATE[date] ** 2)
    names = list(DRIVERS)
    return pd.DataFrame(
        {
            "date": pd.Categorical.from_codes(date, DATES.strftime("%Y-%m-%d")),
            "center": pd.Categorical.from_codes(pd.Categorical(center).codes[driver], sorted(CENTERS)),
            "driver": pd.Categorical.from_codes(driver, names),
            "minutes": np.rint(minutes).astype(int),
        }
    )


folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
path = Path(folder.name)
deliveries(2_400, rng).to_csv(path / "march.csv", index=False)

# %% [markdown]
# ## A page of code that you can copy
#
# The ten short visible cells from here to *Save* are the template, with the imports above.
# Copy them, and leave out the folded ones: they draw Noor's figures and check this notebook.
# Let `path` be a folder of your own and `SEED` any whole number.
# Then change the first two cells to your file and your questions, and the few other lines that name her columns: the averages under *Look*, the rows under *Predict*, and, with nested layers, `OUTER` and two scales in your unit.
# The template is for totals that are nearly normal about their mean (not for yes or no, nor for small counts), for a pandas table, and for up to some hundred thousand rows; for more, see *What do ten million rows cost?*
# (For a first look, [drop the file on this page](../book/apart.md). It shows what was read, what the data identify and the classical model's answers.)
#
# ### 1 Look
#
# A *layer* is any column whose entries may add something to the total.
# `keep_default_na=False` is for those who have a center called `NA`: pandas takes these letters for a missing value.
# If your file writes `NA` for a missing *total*, say so for that column only: `na_values={**dict.fromkeys(LAYERS, [""]), TOTAL: ["", "NA"]}`.
# Labels are read as text, dates too: otherwise `007` and `7` would be the same number, without a word. So in your questions driver 7 is `"7"`. (Parquet keeps types: there, it is 7 if the column holds numbers.)
# Cut a time stamp such as `2026-03-02 08:15` to its day, or nearly every row has a date of its own: `table["date"] = table["date"].astype(str).str[:10]`. From Parquet it makes dates text, too, as *Predict* expects.
# Two lines of the cell are commented out. One leaves out incomplete rows: count them first, and ask why they are incomplete. The other is for labels that start anew in every group: then driver 1 of one center is not driver 1 of another.
# A row has to be a single total. An average of several counts as one total here, whatever it averages.

# %%
FILE, TOTAL, LAYERS, UNIT = path / "march.csv", "minutes", ["center", "driver", "date"], "minutes"

text = dict.fromkeys(LAYERS, str)  # 007 is not 7; for Parquet: pd.read_parquet(FILE)
table = pd.read_csv(FILE, dtype=text, keep_default_na=False, na_values=[""])
# table = table.dropna(subset=[TOTAL, *LAYERS])
# table["driver"] = table["center"].astype(str) + ":" + table["driver"].astype(str)
cells = mlm.cell_statistics(table, total=TOTAL, layers=LAYERS)
print(cells)
table.groupby(["center", "driver"])[TOTAL].agg(["size", "mean", "std"]).round(1)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Average minutes of twelve drivers as points, grouped by their four centers. The three drivers of the Harbor lie several minutes or more above all others; within a center, drivers lie a few minutes apart."}} tags=["hide-input"]
_, ax = plt.subplots(figsize=(8, 3.4))
averages = table.groupby(["center", "driver"])[TOTAL].agg(["mean", "sem"]).reset_index()
for k, (center, part) in enumerate(averages.groupby("center")):
    color = mlm.COLORS["estimate" if k % 2 else "alternative"]
    ax.errorbar(part.index, part["mean"], 2 * part["sem"], fmt="o", color=color)
    ax.annotate(center, (part.index[1], 1.02), xycoords=("data", "axes fraction"), ha="center")
    if k:
        ax.axvline(part.index[0] - 0.5, color="#BBBBBB", linewidth=1)
ax.set_xticks(averages.index, averages["driver"])
ax.set_xlabel("driver")
ax.set_ylabel("average minutes\n(± 2 standard errors)")
plt.show()

# %% [markdown]
# Two facts are visible already.
# Deliveries of all three drivers of the Harbor take long, and each driver occurs at one center only: drivers are *nested* in centers.
#
# ### 2 Ask the design, before any fit
#
# Write down your questions as sums of means with weights, and let the design say which of them the data can answer.
# (Not how well. That takes a fit.)
#
# **Predict first.** Noor writes down five.
# Which of them would ten years of such deliveries answer?
#
# - Is Eli slower than Fay? Both drive from the Harbor.
# - Is Eli slower than Ada, as a driver?
# - Does a delivery by Eli from the Harbor take longer than one by Ada from the Mill?
# - Is the Harbor farther than the Mill?
# - Do deliveries from the Harbor, by its own three drivers, take longer than those from the Mill by its own?

# %%
QUESTIONS = {
    "Eli - Fay": {("driver", "Eli"): 1, ("driver", "Fay"): -1},
    "Eli - Ada": {("driver", "Eli"): 1, ("driver", "Ada"): -1},
    "Eli at Harbor - Ada at Mill": {
        ("center", "Harbor"): 1,
        ("driver", "Eli"): 1,
        ("center", "Mill"): -1,
        ("driver", "Ada"): -1,
    },
    "Harbor - Mill": {("center", "Harbor"): 1, ("center", "Mill"): -1},
    "Harbor - Mill, with their drivers": {
        ("center", "Harbor"): 1,
        **{("driver", name): 1 / 3 for name in ("Eli", "Fay", "Gus")},
        ("center", "Mill"): -1,
        **{("driver", name): -1 / 3 for name in ("Ada", "Dov", "Hana")},
    },
}

# %%
report = mlm.identification(cells, contrasts=QUESTIONS)
report

# %% jupyter={"source_hidden": true} tags=["hide-input"]
assert report["means"].loc[list(QUESTIONS)].tolist() == [True, False, True, False, True]
assert not report["means"]["center"]
assert not report["means"]["driver"]
assert report["means"]["date"]

# %% [markdown]
# The first, the third and the fifth. They compare sums that were measured.
# The other two ask how such a sum divides into center and driver, and no delivery shows that: add 5 minutes to the Harbor, take 5 from each of its drivers, and no total changes.
# More rows of the same kind do not help. Drivers who change centers would, if they link every center to the others.
#
# The fifth is what somebody often means who asks which center is slow: a center *with its own drivers*.
# It is an answer about these drivers. Who asks about the next drivers of that center asks for the center alone, which is the fourth.
#
# The last column says it in words, and names other things to look at, such as rows too few or labels that differ by a space. (In a script: `for name, why in report["because"].items(): print(name, why)`.)
# The `spreads` are as in 10: without rows that lack a layer, or a known spread, their split is the prior's. (True beside a question says that this combination of *variances* is fixed: whether Eli scatters more than Fay can be answered.)
#
# ### 3 Fit, and ask the sampler
#
# The priors pool, as in 13: the contributors of a layer are alike as far as the data say.
# Their scales come from the data, and are in the units of the total.
# `mu_sd` is the scale for how far contributors' means differ: the standard deviation of a layer's means (`tau_driver`, and so on) has a half-normal prior with it. Make sure that it is larger than any such difference you believe in. If it is not, put in another before you compile: `priors = dataclasses.replace(priors, mu_sd=40)`, in the units of your total.
# `sigma_scale` is the scale of the spreads: the square root of what the prior expects of the *variance* of baseline, center, driver and date, each.

# %%
priors = mlm.Priors.from_cells(cells)
compiled = mlm.compile_model(mlm.cell_model(cells, priors))
idata = mlm.sample(compiled, seed=SEED)
print(f"mu_sd = {priors.mu_sd:.1f} {UNIT}, sigma_scale = {priors.sigma_scale:.1f} {UNIT}")
print(mlm.check_convergence(idata).round(3).to_string())

# %% [markdown]
# `check_convergence` would have stopped the notebook, had one of these numbers been bad: they are the worst of all parameters.
# If it stops you because `min_ess` is small, take more draws: `mlm.sample(compiled, draws=4000, seed=SEED)`. If it names divergences, take shorter steps: `mlm.sample(compiled, target_accept=0.99, seed=SEED)`, and the same options in step 5. For the rest see [07](07_diagnostics.ipynb).
#
# ### 4 Criticize
#
# Could the model have produced this table?
# As in [08](08_checking_a_model.ipynb), compare the data with simulated ones, by five numbers.
# Two ask whether averages and spreads of cells are sums of their parts. They need cells of two rows or more: with one row a cell, `p` of the spreads is missing, and that of the averages says nothing.
# A third, for three layers or more, asks the same of each two layers, whose pairs of contributors have more rows; it names the two that fit least.
# The other two are about the shape, which no parameter fits, and need no repeats.
# *Lean* is here the skewness without its sign, 0 for a symmetric shape (08 measured the lean in minutes). *Tails* is the kurtosis, 3 for a normal distribution.
# `p` is the share of 1,000 simulated tables in which the number is at least as large, and an `alarm` is a number that none of them reaches.
# `data` is the number for your table, `model` the median of simulated ones. For averages and spreads of cells it is about 1 if the layers add up, and larger if not. For pairs it is the largest of several that scatter around 0.

# %%
mlm.predictive_check(idata, table, TOTAL, LAYERS).round(3)

# %% [markdown]
# Noor's minutes are whole numbers, and so are the simulated ones: the check finds the step to which totals are rounded.
#
# All five look at the layers that you named.
# None of them sees what rows share *beside* these: a shift, a vehicle, a street.
# If your file has such a column, group by it as in *What a silent check has said* (there by center and date), or make it a layer, before you believe the width of any interval.
#
# ### 5 Vary both priors
#
# There are two kinds of scale in the prior: of means and of spreads.
# Each fit below changes one of them, and nothing else: a quarter of the scale of means; nearly all of the spread in the layers, and hardly any in the baseline.
# (`both_ways=True` adds the opposite directions, for two more fits.)
# `with_priors` puts the other numbers into the compiled model, so nothing is compiled again.

# %%
fits = {"as it is": idata}
for name, other in mlm.prior_variants(priors, cells).items():
    fits[name] = mlm.sample(compiled.with_priors(other), seed=SEED)
    mlm.check_convergence(fits[name])
print(*fits, sep="\n")

# %% [markdown]
# ### 6 Decide what may be claimed
#
# A claim needs two things: it *stayed* when the priors changed, and that was the *data's* doing.
# The first is seen in the fits. The second comes from step 2: where the design says nothing, what stays is the prior.

# %%
claims = mlm.claims(fits, cells, QUESTIONS)
claims.round(2)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Intervals of five differences in minutes, with a vertical line at zero. Eli against Fay lies below zero; Eli at the Harbor against Ada at the Mill, and the Harbor against the Mill with their drivers, lie far above zero; Eli against Ada and Harbor against Mill have the widest intervals and another color, because the data do not fix them. Black diamonds mark the truth."}} tags=["hide-input"]
_, ax = plt.subplots(figsize=(8, 3.2))
truths = {  # of the simulation; with your own file there are none
    "Eli - Fay": DRIVERS["Eli"][1] - DRIVERS["Fay"][1],
    "Eli - Ada": DRIVERS["Eli"][1] - DRIVERS["Ada"][1],
    "Harbor - Mill": CENTERS["Harbor"] - CENTERS["Mill"],
}
truths["Eli at Harbor - Ada at Mill"] = truths["Eli - Ada"] + truths["Harbor - Mill"]
truths["Harbor - Mill, with their drivers"] = truths["Harbor - Mill"] + sum(
    sign * mu / 3 for center, mu, _ in DRIVERS.values() for sign in [{"Harbor": 1, "Mill": -1}.get(center, 0)]
)
labeled = set()
for k, name in enumerate(QUESTIONS):
    row = claims.loc[name]
    label = "fixed by the data" if row["fixed"] else "under pooling only"
    color = mlm.COLORS["estimate" if row["fixed"] else "prior"]
    ax.hlines(k, row["lower"], row["upper"], color=color, linewidth=4, label=None if label in labeled else label)
    ax.plot(row["mean"], k, "o", color=color)
    ax.plot(truths[name], k, "D", color=mlm.COLORS["truth"], markersize=5, label=None if k else "truth")
    labeled.add(label)
ax.axvline(0, color="#888888", linewidth=1)
ax.set_yticks(range(len(QUESTIONS)), QUESTIONS)
ax.invert_yaxis()
ax.set_xlabel("difference of means (minutes, 89 % intervals)")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()
outside = [name for name in QUESTIONS if not claims.loc[name, "lower"] < truths[name] < claims.loc[name, "upper"]]
print("intervals that miss the truth:", ", ".join(outside) or "none")
for name in QUESTIONS:
    sd = (claims.loc[name, "upper"] - claims.loc[name, "lower"]) / 3.2  # an 89 % interval is 3.2 sds long, nearly
    print(f"{name}: the truth lies {(truths[name] - claims.loc[name, 'mean']) / sd:+.1f} posterior sds from the mean")

draws = {}
for name in ("Eli - Fay", "Eli at Harbor - Ada at Mill", "Harbor - Mill, with their drivers"):
    mu = {layer: idata["posterior"][f"mu_{layer}"] for layer in LAYERS}
    draws[name] = sum(w * mu[layer].sel({layer: who}) for (layer, who), w in QUESTIONS[name].items()).values.ravel()
together = np.random.default_rng([SEED, 3]).multivariate_normal(np.zeros(3), np.corrcoef(list(draws.values())), 100_000)
two_or_more = ((np.abs(together) > 1.6).sum(axis=1) > 1).mean()
print(f"if such intervals hold in 89 % of tables, two or more of the three that are fixed miss in {two_or_more:.0%}")
average = table.groupby("driver")[TOTAL].mean()
luck = {name: average[name] - (35 + CENTERS[DRIVERS[name][0]] + DRIVERS[name][1]) for name in ("Eli", "Fay", "Ada")}
print("averages minus the truth:", ", ".join(f"{name} {value:+.1f}" for name, value in luck.items()), UNIT)

halves = {"as it is": idata.isel(chain=[0, 1]), "the other chains": idata.isel(chain=[2, 3])}
noise = mlm.claims(halves, cells, QUESTIONS)["moved"]
print(f"two halves of the first fit's chains, one prior: `moved` is at most {noise.max():.2f} ({noise.idxmax()})")

assert noise.max() < 0.25
assert claims.loc["Eli - Fay", "claim"] == "yes"
assert claims.loc["Eli at Harbor - Ada at Mill", "claim"] == "yes"
assert claims.loc["Harbor - Mill, with their drivers", "claim"] == "yes"
assert claims.loc["sd of a total about its mean", "claim"] == "yes"
assert not claims.loc[["Eli - Ada", "Harbor - Mill"], "claim"].isin(["yes"]).any()
assert claims.loc["sd of the baseline alone", "claim"] == "no"

# %% [markdown]
# The diamonds are the truth. An 89 % interval misses it in about one table of nine, and questions that share a driver tend to miss together.
# The lines below the figure say which miss, and how often two or more do.
# Such an interval ends at about 1.6 posterior standard deviations (so a printed 1.6 may lie on either side). A little more is ordinary bad luck, and 4 would not be.
# Three drivers' averages, less what the simulation expects of them, show whose luck it was.
#
# Now read the column `claim`.
#
# - **yes**: the data fix it, and none of these priors moved it. Then the number may be said, with its sign. (*Yes* does not turn 89 % into 100 %.) It is a verdict on the number, not the answer to your question: asked whether Eli is slower, a number below zero says no.
# - **yes, if alike**: the data do not fix it. Pooling does, because it takes the drivers of all centers for one kind of people, and the centers for one kind of place. Say that sentence with the number.
# - **open**: one of the two above, but zero lies inside the interval.
# - **see note**: as one of these, but step 2 has a note that labels may mean several contributors.
# - **no**: a prior moved it (`moved` is the share of the interval's width), or nothing but the prior holds it.
#
# The rows `sd of the means of ...` are about a size, and a size is never below zero. There, *open* means that the lower end is below a tenth of the upper one: the layer may add nothing.
#
# `moved` has a limit of 0.25. That is a convention. How much is noise of the draws? The last line below the figure compares the two halves of the chains of one fit; whole fits have less.
# That a number stays under two other priors does not prove that no prior would move it.
# Both variants change all layers alike, but what splits two *nested* layers is how alike the centers are, compared with the drivers.
# So with nested layers try a third kind of prior: a small scale for the outer one alone. (Without nested layers, skip the cell.)
#
# **Predict first.** Suppose you had expected, before you saw the file, that centers differ by a few minutes (a scale of 3), or hardly at all (1). Drivers and dates keep their scale.
# Which of the five answers will move?

# %%
OUTER, SCALES = "center", (3, 1)  # the layer in which another one is nested, and small scales for it

for scale in SCALES:
    small = dataclasses.replace(priors, mu_sd=dict.fromkeys(LAYERS, priors.mu_sd) | {OUTER: scale})
    fit = mlm.sample(compiled.with_priors(small), seed=SEED, chains=2)  # half of the usual four
    mlm.check_convergence(fit)
    fits[f"{OUTER}: scale {scale}"] = fit


def answer(fit, weights):
    """Return mean and 89 % interval of a sum of contributors' means, each with its weight."""
    mu = {layer: fit["posterior"][f"mu_{layer}"] for layer in LAYERS}
    draws = sum(weight * mu[layer].sel({layer: name}) for (layer, name), weight in weights.items())
    low, high = draws.quantile([0.055, 0.945]).values
    return f"{float(draws.mean()):.1f} ({low:.1f} to {high:.1f})"


shown = ["as it is", *(f"{OUTER}: scale {scale}" for scale in SCALES)]
splits = pd.DataFrame({name: {q: answer(fits[name], weights) for q, weights in QUESTIONS.items()} for name in shown})
claims = mlm.claims(fits, cells, QUESTIONS)  # judged again, under all these priors
splits.assign(claim=claims["claim"])

# %% jupyter={"source_hidden": true} tags=["hide-input"]
moved = claims.loc[list(QUESTIONS), "moved"]
assert moved[["Eli - Fay", "Eli at Harbor - Ada at Mill", "Harbor - Mill, with their drivers"]].max() < 0.25
assert moved[["Eli - Ada", "Harbor - Mill"]].min() > 0.8
assert (claims.loc[["Eli - Ada", "Harbor - Mill"], "claim"] == "no").all()

# %% [markdown]
# The two that the design does not answer, and only they.
# Who expects that centers hardly differ gives the minutes between Harbor and Mill to their drivers, and Eli is slow after all.
# The file speaks against that only if drivers are alike: then the three slowest of twelve share a center by chance once in 55 times ($2/11 \times 1/10$), and here they do.
# What could settle it is not in the file: a map, for instance, that shows how far the Harbor's districts are.
# Take the smallest scale that you could defend, and put it into the sentence.
# From here on `claims` is judged under all of these priors, and both splits are *no*.
# And "alike" fails outright if one center hires other people than the rest; no prior shows that.
#
# ### 7 Predict
#
# What comes next: a delivery by Eli on a day that has not come yet, and two by Max, whom nobody has seen?
# The day and Max are new labels, and pooled layers know what new contributors are like.

# %%
new = pd.DataFrame({"center": ["Harbor", "Harbor", "Mill"], "driver": ["Eli", "Max", "Max"], "date": "2026-03-16"})
expected = mlm.predict(idata, new, LAYERS)
new.assign(**{name: expected[name].values for name in ("mean", "lower", "upper")}).round(1)

# %% [markdown]
# `lower` and `upper` hold 89 % of *single deliveries*, not of averages.
# (An interval of a *new driver at the Harbor* needs the center by itself, so it rests on pooling, as above.)
#
# ### 8 Save
#
# [NetCDF](https://www.unidata.ucar.edu/software/netcdf/) is a file format for labeled arrays.
# The file holds draws, sampler statistics, the cells, the seed and the versions of the libraries.
# Save the claims beside it.

# %%
mlm.save_posterior(idata, path / "march.nc")
claims.to_csv(path / "claims.csv")

# %% [markdown]
# ### 9 Load it again and use it
#
# A delivery by Eli took 62 minutes on the 12th. Who is responsible?

# %% mystnb={"image": {"alt": "Waterfall of one delivery of 62 minutes: the baseline gives the largest part, the center Harbor and the date of the closed bridge add minutes, the driver next to nothing; whiskers are one posterior standard deviation."}}
saved = xr.load_datatree(path / "march.nc", engine="h5netcdf")
late = pd.DataFrame({"minutes": [62.0], "center": ["Harbor"], "driver": ["Eli"], "date": ["2026-03-12"]})
split = mlm.decompose(saved, late, total=TOTAL, layers=LAYERS)
assert abs(float(split["mean"].sum()) - 62.0) < 1e-8
print(f"expected of such a delivery: {float(mlm.predict(saved, late, LAYERS)['mean'].item()):.0f} {UNIT}")
labels = {name: f"{name}: {late[name][0]}" for name in LAYERS}
mlm.plot_decomposition(split, observation=0, labels=labels, unit="minutes of one delivery")
plt.show()

# %% [markdown]
# Every bar is the contributor's mean plus its share of the surprise. The spreads decide the share, and the prior splits the spreads ([10](10_what_the_data_cannot_say.ipynb), [12](12_decomposing_a_total.ipynb)).
# Eli's bar is short because two things nearly cancel there: his mean is below that of the average driver, and his share of the surprise is above zero.
# How the Harbor and Eli divide what they have in common holds only if drivers are alike, as in step 6.
# So say the sum, 62 minutes and how far above the printed expectation that is, and do not blame anybody with a bar.
#
# ## A number beside the labels
#
# Suppose instead that floors cost time, and that Noor's file had two more columns.
# The folded cell makes *another* fortnight, in which they do.
# It has the floor to which each parcel was carried, and `km`, from the center to its district.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
own = np.random.default_rng([SEED, 2])  # so that no other number of this notebook depends on it
second = deliveries(2_400, own)
second["floor"] = own.integers(0, 6, len(second)) + 4 * (second["driver"] == "Fay")  # her district has towers
second["km"] = second["center"].astype(str).map({"Airport": 7.5, "Harbor": 13.0, "Mill": 4.0, "North": 5.5})
second["minutes"] = (second["minutes"] + 1.5 * second["floor"]).round().astype(int)
second.head(3)

# %% [markdown]
# Neither is a label: a total may gain so many minutes with each unit.
# Name them as `covariates` in the line that makes the cells; rows that you predict or split need the columns, too.
# The template goes on as before, with two gaps: the table of claims has no row for a slope, and step 5 does not vary its prior.
#
# **Predict first.** Will the table tell what a floor costs? And what a kilometer costs?

# %%
with_numbers = mlm.cell_statistics(second, total=TOTAL, layers=LAYERS, covariates=["floor", "km"])
print(with_numbers)
answers = mlm.identification(with_numbers, contrasts=QUESTIONS)
print(answers.loc["covariates", "because"])
answers[["means"]]

# %% jupyter={"source_hidden": true} tags=["hide-input"]
assert answers["means"].loc[list(QUESTIONS)].tolist() == [True, False, False, False, False]
assert not answers["means"]["covariates"]

# %% [markdown]
# A floor, yes: the printed sentence names `km` only, and `covariates` is False because one of the two fails.
# A kilometer, no: every center has one distance, so `km` says nothing that `center` does not say already.
# It even costs you two answers: *Eli at Harbor - Ada at Mill* and *Harbor - Mill, with their drivers* now ask for a comparison at equal kilometers, and no delivery shows one.
# Leave `km` out: four distances are too few for pooling to learn from.
#
# What a floor costs is a matter of least squares, and the cells hold all that it takes.
# (A fit has it as `idata["posterior"]["slope"]`; [15](15_flights.ipynb) has one, and checks whether such an interval is to be believed.)

# %%
floor_cells = mlm.cell_statistics(second, total=TOTAL, layers=LAYERS, covariates=["floor"])
matrix, right = floor_cells.slope_equations()  # of one slope, with all drivers, centers and dates beside it
slope = (right / matrix).item()
error = np.sqrt(floor_cells.residual_variance() / matrix.item())
print(f"{slope:.2f} {UNIT} for each floor, standard error {error:.2f} (the truth is 1.5)")

at_ground_floor = second[TOTAL] - slope * second["floor"]
for name, values in {"as they are": second[TOTAL], "at equal floors": at_ground_floor}.items():
    average = values.groupby(second["driver"], observed=True).mean()
    print(f"Eli - Fay, averages {name}: {average['Eli'] - average['Fay']:.1f} {UNIT}")

# %% jupyter={"source_hidden": true} tags=["hide-input"]
assert abs(slope - 1.5) < 4 * error < 0.5
assert mlm.identification(floor_cells)["means"]["covariates"]

# %% [markdown]
# About half of what Fay takes longer than Eli goes up the stairs of her towers.
# Without the column, it would be Fay's.
#
# ## What stays may be the prior
#
# A shorter rule is tempting: fit again with another scale of spreads, and report what stays.
# Try it on a table with a classical answer: the gauge study of [14](14_how_good_is_the_measurement.ipynb), ten parts that three operators measured three times each.
# Somebody adds the pair of part and operator as a third layer, for the interaction, and does not pool.
# How much of the differences between the 30 cells belongs to the parts?
#
# Without pooling you need no sampler for that.
# Given the spreads, means have a normal prior and a normal likelihood, so their posterior is a formula:
# with the design $D$, prior covariance $K$ and the variances $R$ of the cells' averages, $K D^T (D K D^T + R)^{-1}$ pulls the means towards the data.

# %%
gauge = mlm.load_gauge()
gauge["pair"] = gauge["part"].astype(str) + "/" + gauge["operator"].astype(str)
gauge_cells = mlm.cell_statistics(gauge, "impedance", ["part", "operator", "pair"])
fixed_scales = mlm.Priors.from_cells(gauge_cells, pooled=False)
sizes = [len(gauge_cells.labels[name]) for name in gauge_cells.layers]
owner = np.repeat(range(4), [1, *sizes])  # 0 is the baseline


def shares_of_layers(mu_sd, variance):
    """Return the layers' shares in the variance of means, with fixed prior scales and one variance of rows."""
    design = gauge_cells.design().toarray()
    prior = np.diag((owner == 0) * fixed_scales.baseline_mu_sd**2)
    for j, m in enumerate(sizes, 1):  # means that sum to zero
        prior[np.ix_(owner == j, owner == j)] = mu_sd**2 * (np.eye(m) - 1 / m)
    totals = design @ prior @ design.T + np.diag(variance / gauge_cells.n)
    pull = prior @ design.T @ np.linalg.inv(totals)
    mean = pull @ (gauge_cells.mean - fixed_scales.baseline_mu)
    draws = rng.multivariate_normal(mean, prior - pull @ design @ prior, 4_000, method="eigh")
    parts = np.array([draws[:, owner == j].var(axis=1) for j in (1, 2, 3)])
    return (parts / parts.sum(axis=0)).mean(axis=1)


noise, mu_sd = gauge_cells.residual_variance(), fixed_scales.mu_sd
shares = pd.DataFrame(
    {
        "default scales": shares_of_layers(mu_sd, noise),
        "spread / 2": shares_of_layers(mu_sd, noise / 4),
        "spread * 2": shares_of_layers(mu_sd, noise * 4),
        "mu_sd / 4": shares_of_layers(mu_sd / 4, noise),
    },
    index=gauge_cells.layers,
)
fixed = mlm.identification(gauge_cells)["means"].loc[shares.index]
shares.assign(**{"fixed by the data": fixed}).round(2)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
assert (shares[["spread / 2", "spread * 2"]].sub(shares["default scales"], axis=0).abs() < 0.03).all(axis=None)
assert shares.loc["part", "mu_sd / 4"] > shares.loc["part", "default scales"] + 0.15
assert not fixed.any()

# %% [markdown]
# Halve or double the standard deviation of rows itself, which is more than another scale could do: the three shares hardly move.
# They are far from the classical ones: REML's variances are 48.29 for parts, 0.565 for operators and 0.728 for pairs, which gives parts more than nine tenths of the differences.
# What stayed was `mu_sd`, which this test never touched. Touch it (fourth column), and everything moves.
#
# Two things uncover it: the last column, which asks the design, and a variation of *both* scales.
# A third helps: pooling learns the scales, and in 14 it finds about the classical answer. That, too, holds if the contributors of each layer are alike, since the design still does not fix it.
# The template has all three.
#
# ## What a silent check has said
#
# Noor's table passed the predictive check.
# Would it have noticed anything? Break the table on purpose: on one delivery in fifty, add an hour for a flat tire.

# %%
broken = table.assign(minutes=table["minutes"] + 60 * (rng.random(len(table)) < 0.02))
broken_cells = mlm.cell_statistics(broken, total=TOTAL, layers=LAYERS)
broken_idata = mlm.sample(compiled.with_cells(broken_cells), seed=SEED, chains=2)  # half of the usual four
mlm.check_convergence(broken_idata)
alarms = mlm.predictive_check(broken_idata, broken, TOTAL, LAYERS)
assert alarms.loc[["lean", "tails"], "alarm"].all()
alarms.round(3)

# %% [markdown]
# The sampler is content, the check is not.
# A normal model spreads the hours over all deliveries, so no interval of a single delivery can be trusted.
# [16](16_tails_that_add_up.ipynb) has a model for them; do not just delete the awkward rows.
#
# An hour is a break that the check could hardly miss.
# Now a small one: a crane blocks the quay, and on one day every delivery from the Harbor takes five minutes more.
# The layers do not add up any more, since the day is longer at one center only.

# %%
crane = (table["center"] == "Harbor") & (table["date"] == table["date"].max())
bent = table.assign(minutes=table["minutes"] + 5 * crane)
bent_cells = mlm.cell_statistics(bent, total=TOTAL, layers=LAYERS)
bent_idata = mlm.sample(compiled.with_cells(bent_cells), seed=SEED, chains=2)
mlm.check_convergence(bent_idata)
mlm.predictive_check(bent_idata, bent, TOTAL, LAYERS).loc[["averages of cells", "averages of pairs"]].round(3)

# %% [markdown]
# It passes. Compare with step 4: the number for pairs has risen, but not as far as an alarm.
# Both numbers average over dozens of groups, and one day at one center drowns among them.
# A closer look asks about the groups one by one, as [15](15_flights.ipynb) asks about days: how much does a center miss on a date, in standard deviations of that sum?

# %%
expected = mlm.predict(bent_idata, bent, LAYERS)
missed = pd.DataFrame({"missed": bent[TOTAL] - expected["mean"].values, "variance": expected["sd"].values ** 2})
groups = missed.assign(deliveries=1).groupby([bent["center"], bent["date"]], observed=True).sum()
groups["minutes a delivery"] = groups["missed"] / groups["deliveries"]
groups["standard deviations"] = groups["missed"] / np.sqrt(groups["variance"])
print(len(groups), "groups; those that miss most:")
groups.sort_values("standard deviations", key=np.abs, ascending=False).iloc[:3, 2:].round(1)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
assert groups.loc[("Harbor", table["date"].max()), "standard deviations"] > 0.5  # 3.4 on average, with a scatter of 0.9

# %% [markdown]
# There it is. The day and the drivers have taken some of the five minutes, and the rest stands out.
# (The fit has taken its share of every group, so by chance these numbers scatter by less than 1: of the 48 groups, only $3 \times 11$ are free, which makes it $\sqrt{33/48} = 0.83$. One of them beyond 3 is rare, beyond 2 is common.)
#
# ## Bad input is named, not dropped
#
# Real files have holes.
# Nothing is silently left out: you are told which column, what was wrong and where, and you decide.

# %% tags=["nbval-check-output"]
good = pd.DataFrame(
    {
        "minutes": [31.5, 40.0, 28.0, 35.5],
        "center": ["Harbor", "Mill", "Mill", "Harbor"],
        "driver": ["Ada", "Ben", "Ada", "Ben"],
    }
)
with_na = "minutes,center,driver\n31.5,Harbor,Ada\n40.0,NA,Ben\n28.0,NA,Ada\n35.5,Harbor,Ben\n"
attempts = {
    "misspelt column": (good, ["center", "drivr"]),
    "missing label": (good.assign(driver=["Ada", None, "Ada", "Ben"]), ["center", "driver"]),
    "missing total": (good.assign(minutes=[31.5, 40.0, np.nan, 35.5]), ["center", "driver"]),
    "text instead of numbers": (good.assign(minutes=["31,5", "40", "28", "35,5"]), ["center", "driver"]),
    "one contributor only": (good.assign(center="Harbor"), ["center", "driver"]),
    "a center called NA": (pd.read_csv(io.StringIO(with_na)), ["center", "driver"]),
}
for name, (bad, layers) in attempts.items():
    try:
        mlm.cell_statistics(bad, total="minutes", layers=layers)
    except (KeyError, TypeError, ValueError) as error:
        print(f"{name}\n    {type(error).__name__}: {error.args[0]}")
    else:
        raise AssertionError(f"{name} was accepted")

# %% [markdown]
# ## Any table gives the same cells
#
# `cell_statistics` takes whatever [narwhals](https://narwhals-dev.github.io/narwhals/) understands, a library that speaks to many kinds of table.
# An *eager* table is in memory.
# A *lazy* one is a plan: the rows stay in the file, the engine reads them in passing, and only the cells come back.

# %%
table.to_parquet(path / "march.parquet", index=False)
tables = {
    "pandas": pd.read_parquet(path / "march.parquet"),
    "Polars, eager": pl.read_parquet(path / "march.parquet"),
    "Polars, lazy": pl.scan_parquet(path / "march.parquet"),
    "PyArrow": pq.read_table(path / "march.parquet"),
    "DuckDB": duckdb.read_parquet(str(path / "march.parquet")),
}
differences = {}
for name, its_table in tables.items():
    its_cells = mlm.cell_statistics(its_table, total=TOTAL, layers=LAYERS)
    assert its_cells.labels == cells.labels
    assert np.array_equal(its_cells.n, cells.n)
    differences[name] = np.abs(its_cells.mean - cells.mean).max()
    assert differences[name] < 1e-10
pd.Series(differences, name="largest difference of a cell's mean (minutes)").to_frame()

# %% [markdown]
# The cells are the same up to rounding, so the posterior is the same.
# But a date that is text in one file and a date in another is two labels.
#
# Narwhals takes tables of Dask and PySpark as well. They were not run here: `dd.read_parquet("deliveries/*.parquet")` and `spark.read.parquet("deliveries/")` go in where the tables above did.
# Check the first use on a sample that fits into pandas, too: the two sets of cells must agree.
#
# ## A folder of parts: reduce each, merge the cells
#
# Sometimes the data come in pieces: a file a day, a machine a region.
# Then make cells of each piece and merge them; the result equals that of one pass over all rows.
# A piece may lack drivers or have a single date, which would be an error for whole data.
# `partial=True` says that this is a piece.

# %%
(path / "days").mkdir()
for day, part in table.groupby("date"):
    part.to_parquet(path / "days" / f"{day}.parquet", index=False)

parts = (
    mlm.cell_statistics(pl.scan_parquet(file), total=TOTAL, layers=LAYERS, partial=True)
    for file in sorted((path / "days").glob("*.parquet"))
)
merged = functools.reduce(mlm.Cells.merge, parts)
assert merged.labels == cells.labels
assert np.array_equal(merged.n, cells.n)
assert np.allclose(merged.sum_sq, cells.sum_sq)
print(merged)

# %% [markdown]
# Merging uses counts, means and sums of squares, never the rows (Chan, Golub and LeVeque 1979).
# So the pieces can be reduced in parallel, on different machines, or months apart.
#
# ## What do ten million rows cost?
#
# **Predict first.** Noor's boss asks for the whole company: ten million deliveries, by the same drivers on the same dates.
# How much longer does it take to read them than a million? And to sample?
#
# The folded cell writes files of ten thousand to ten million rows.
# `reading_cost` reduces them to cells, each way in a process of its own, and notes seconds and the largest memory.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
SIZES = [10_000, 100_000, 1_000_000, 10_000_000]
CHUNK = 1_000_000
for size in SIZES:
    (path / f"rows-{size}").mkdir()
    for number, start in enumerate(range(0, size, CHUNK)):
        rows = deliveries(min(CHUNK, size - start), rng)
        rows.to_parquet(path / f"rows-{size}" / f"part-{number:02d}.parquet", index=False)

# %%
folders = [path / f"rows-{size}" for size in SIZES]
cost = pd.concat([reading_cost(way, folders, TOTAL, LAYERS) for way in WAYS], ignore_index=True)
print("seconds:")
cost.pivot_table(index="way", columns="rows", values="seconds").round(2)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
assert len(cost) == len(WAYS) * len(SIZES)
assert cost["rows"].isin(SIZES).all()
at_most = cost[cost["rows"] == SIZES[-1]].set_index("way")["MB"]
assert at_most["pandas, file by file, merged"] < at_most["pandas, all in memory"]

# %% [markdown]
# Next, sample. The template's model is compiled already; the others' cells go in with `with_cells`, and the priors stay as they are.


# %%
def widths(fit):
    """Return the standard deviations of two differences of means."""
    mu = fit["posterior"]["mu_driver"]
    return {
        f"sd of Eli - {other}": float((mu.sel(driver="Eli") - mu.sel(driver=other)).std()) for other in ("Fay", "Ada")
    }


rows_of = {size: pl.scan_parquet(path / f"rows-{size}" / "*.parquet") for size in SIZES}
cells_of = {size: mlm.cell_statistics(rows_of[size], total=TOTAL, layers=LAYERS) for size in SIZES[1:]}
of_size, passed = {len(table): idata}, [len(table)]
for size in SIZES[1:3]:
    of_size[size] = mlm.sample(compiled.with_cells(cells_of[size]), seed=SEED, chains=2)  # half of the usual four
    try:
        mlm.check_convergence(of_size[size], min_ess=200)  # half of the limit, too
        passed.append(size)
        print(f"{size:,} rows: passes")
    except mlm.ConvergenceError as error:
        print(f"{size:,} rows: {error}")

fit_cost = {}
for size, fit in of_size.items():
    gradients, seconds = fit.attrs["gradients"], fit.attrs["sampling_seconds"]
    per_chain = {
        "gradients of a chain": gradients / fit["posterior"].sizes["chain"],
        "µs a gradient": 1e6 * seconds / gradients,
    }
    fit_cost[size] = per_chain | (widths(fit) if size in passed else {})
fit_cost = pd.DataFrame(fit_cost).T.rename_axis("rows")
fit_cost.round(2).astype(object).fillna("")

# %% [markdown]
# What the data fix needs no sampler at that size. Least squares gives it, from the cells of all rows:


# %%
def least_squares(cells, weights):
    """Return a combination of means that the data fix, and its standard error, if all rows scatter alike."""
    places = [(layer, label) for layer in cells.layers for label in cells.labels[layer]]
    asked = np.array([0, *(weights.get(place, 0) for place in places)])  # the first column is the baseline's
    root = np.sqrt(cells.n)
    inverse = np.linalg.pinv(root[:, None] * cells.design().toarray(), rtol=1e-10)  # nested: columns depend on others
    error = np.sqrt(cells.residual_variance() * np.sum((asked @ inverse) ** 2))
    return asked @ inverse @ (root * cells.mean), error


errors = {}
for size, its_cells in {len(table): cells, **cells_of}.items():
    estimate, errors[size] = least_squares(its_cells, QUESTIONS["Eli - Fay"])
    print(f"{size:>10,} rows in {len(its_cells)} cells: Eli - Fay {estimate:.3f} ± {errors[size]:.3f} {UNIT}")
mlm.identification(cells_of[SIZES[-1]], contrasts=QUESTIONS).loc[list(QUESTIONS), ["means"]]

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two panels against rows up to ten million, logarithmic axes. Left: seconds to reduce files to cells, for four ways of reading, rise with the rows; a grey line, the seconds of 1,000 gradients of the template's model, stays nearly level. Right: the memory of the process in megabytes; reading everything with pandas rises most steeply."}} tags=["hide-input"]
# Rows grow 400 times; the rest is room for a clock that other programs use, too.
assert fit_cost["µs a gradient"].max() < 20 * fit_cost["µs a gradient"].min()
assert 0.012 < errors[SIZES[-1]] / errors[len(table)] < 0.02  # the square root of 2,400 in ten million: 0.015
assert abs(estimate - truths["Eli - Fay"]) < 4.5 * errors[SIZES[-1]]

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2))
roles = [("truth", "s", "-"), ("prior", "D", "-."), ("estimate", "o", "--"), ("alternative", "^", ":")]
for way, (role, marker, line) in zip(WAYS, roles, strict=True):
    part = cost[cost["way"] == way]
    for ax, column in ((left, "seconds"), (right, "MB")):
        ax.plot(part["rows"], part[column], color=mlm.COLORS[role], marker=marker, linestyle=line, label=way)
thousand = fit_cost["µs a gradient"] / 1000
left.plot(
    thousand.index, thousand, color="#8A8A8A", linewidth=3, marker="o", label="1,000 gradients of the template's model"
)
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
# Reading grows with the rows, as it must. (From one million to ten it takes pandas about ten times as long, and the lazy engines less than that.)
# A gradient costs no more than it did, because the sampler sees cells, and there are as many cells at ten million rows as at 2,400.
# How many gradients it takes depends on the shape of the posterior, and here more rows make that harder.
# What the data fix becomes extremely narrow, and what only pooling decides stays nearly as wide as it was (*Eli - Ada*, from 2,400 to 100,000 rows): the more rows, the more and the smaller steps it takes from one end of the posterior to the other.
# At about a million rows the defaults are no longer to be relied on: the printed line says whether this run, with half of the chains, passed. (Where it did not, its row of the table says what it cost, and its widths are left out.) Then `check_convergence` stops you and says what to try, and you have two other ways.
# A random part of the rows answers what pooling decides, since more rows add little there; what the data fix, least squares gives from all rows.
#
# The ways of reading differ in memory, too.
# Reading everything needs room for all rows; file by file needs room for the largest file; a lazy engine decides for itself how much it holds at a time.
#
# With four thousand times the rows, one thing changed and one did not.
# The standard error of Eli against Fay shrank to about a sixtieth.
# (Do not believe such a number of real deliveries: what rows share beyond the layers, a shift, a vehicle, a street, is likely far larger. [15](15_flights.ipynb) counts such an error by blocks.)
# But of Noor's five questions, the same two stay without an answer: ten million deliveries do not answer a question that the design does not ask.
#
# ## New rows without compiling
#
# `with_cells` has put other rows into a compiled model: same layers, same contributors, same number of cells.
# The next fortnight has other dates. May its cells go in?

# %%
later = table.assign(date=table["date"].str.replace("2026-03", "2026-04"))
try:
    compiled.with_cells(mlm.cell_statistics(later, total=TOTAL, layers=LAYERS))
except ValueError as error:
    print(error)
else:
    raise AssertionError("cells of other dates were accepted")

# %% [markdown]
# No. Other contributors, or another number of cells, are another model; compile it anew.
# It refuses as well if Zoe drives in Eli's place and all else stays the same. Her minutes would be reported under the name Eli.
#
# ## A checklist for an analysis
#
# 1. **Question.** Write down the quantity you want, with its unit, before you look: "minutes that Eli takes more than Fay from the same center on the same day".
# 2. **Total.** Is it a sum, or nearly one? Effects that multiply become sums after a logarithm.
# 3. **Layers.** Each row has exactly one contributor in each. If you expect an interaction of two layers, make the pair a layer of its own, and pool: without pooling a prior splits it from the two.
#
#    A label is missing. Did the layer take no part in that total? Declare it with `allow_absent` ([11](11_making_the_data_say_it.ipynb)). Or did nobody write the label down? Compare such rows with complete ones that share their other labels. Then leave them out, and say how many they are; if they differ, speak of labeled rows only. Never fill in "unknown": it would be one contributor who works everywhere, and would seem to connect what the data do not.
# 4. **Numbers.** A column of numbers that a total may depend on, such as floors or kilograms, is a covariate. If it follows from the labels, it is a predictor of contributors, and only pooling can tell its slope. With many contributors it is worth having, as uranium was with 85 counties ([13](13_partial_pooling.ipynb)): it steadies small contributors and predicts new ones; say "if alike" with its slope. With a handful, leave it out.
# 5. **Nesting.** Does each label of one layer occur with one label of another only? `mlm.identification(cells)` names such layers. Are labels reused for different people (driver 1, 2, 3 at every center)? Make them unique, as the commented line of step 1 does if no label has a colon, after the rows without a label are out. There is a note where labels seem to be reused (and claims about them are *see note*); where drivers hardly differ, or rows are few, it may not see that, so ask.
# 6. **Shared.** What do rows have in common that is no layer: a shift, a vehicle, a week? Make it a pooled layer, or count the error of a difference by blocks ([15](15_flights.ipynb)). Say whether you speak of these dates or of dates in general.
# 7. **Counts.** `cells.counts(layer)`: where contributors have few rows, pooling carries the answer.
# 8. **Fit.** Steps 3 to 5, and with nested layers the outer one's scale. After the five numbers look at groups that you have a reason to doubt, one by one.
# 9. **Claims.** Claim what stayed *and* is fixed by the data, or what pooling says, with the words "if alike". `QUESTIONS` are about means. Does somebody scatter more? Compare the variances, `idata["posterior"]["sigma_driver"] ** 2`, where `identification` says that the data fix their differences. "Caused by" needs more than this model: nobody assigned drivers to centers at random.
# 10. **Record.** Save the posterior and the claims.
#
# ## What Noor tells her boss
#
# From the Harbor, Eli needs about 13 minutes more than Ada from the Mill. That the data fix.
# How these divide into center and driver they do not say.
# Who expected beforehand that centers differ by a few minutes gives, by best guess, all of them to the Harbor, and Eli may still be several minutes slower than Ada, or faster.
# Who expected a minute gives most of them to Eli.
# So this file gives no reason to send Eli to Ada, and none against it.
#
# Should Fay sit beside Eli? From the same center, the data do say that his deliveries took less time than hers.
# But part of that may be stairs. In the fortnight that we made up they were half of such a gap, and nothing here says whether they are: the file has no column for floors.
# So nobody sits beside anybody yet: Noor asks for the floors first.
# And whoever wants to know how Eli compares with Ada lets several drivers change centers for some weeks: a new kind of row, not a million of the old kind.
# One driver of the Harbor who works a day from the Mill would be enough for the rank, but a day's 17 deliveries pin the difference down only to about three minutes either way. And if nobody else moves, nothing shows whether a driver is the same driver in streets that are new to him.

# %%
row = claims.loc["Eli - Fay"]
print(f"Eli - Fay: {row['mean']:.1f} minutes, {row['lower']:.1f} to {row['upper']:.1f}")
print(f"17 deliveries: {1.6 * claims.loc['sd of a total about its mean', 'mean'] / np.sqrt(17):.1f} minutes either way")
assert row["upper"] < 0

# %% [markdown]
# Last, remove the temporary folder; with your own file you would not.

# %%
folder.cleanup()

# %% [markdown]
# ## Check yourself
#
# The quiz asks about ideas.
# The [exercises](exercises/17_exercises.ipynb) let you use them, from easy to hard, and tell you at once whether you are right.
# The [capstone](exercises/capstone_exercises.ipynb) hands you a table with traps, and judges what you claim.

# %%
mlm.quiz("17")

# %% [markdown]
# ## What to remember
#
# - Look, ask the design, fit, criticize, vary both priors, claim, predict, save. Beyond some hundred thousand rows, ask a random part of them what pooling decides, and all of them what the data fix.
# - More rows of the same kind answer no question that the first rows could not.
# - What stays under another prior may be the prior. Claim what stayed and is fixed by the data.
# - For data larger than memory, hand over a lazy table or merge cells of parts.
# - A gradient costs what cells and contributors cost, not rows; but more rows can take more gradients.
# - A silent check has ruled out large faults. Break the table on purpose, by as much as would matter to you, and see whether it rings.
#
# ## Going further
#
# - Searle, S. R. (1971). *Linear Models*. Wiley. Chapter 5: what is estimable.
# - Gelman, A., Meng, X.-L. and Stern, H. (1996). Posterior predictive assessment of model fitness via realized discrepancies. *Statistica Sinica* 6(4), 733-807. [stat.sinica.edu.tw](https://www3.stat.sinica.edu.tw/statistica/oldpdf/A6n41.pdf)
# - Gelman, A. and others (2020). *Bayesian workflow*. [arXiv:2011.01808](https://arxiv.org/abs/2011.01808)
# - Kallioinen, N., Paananen, T., Bürkner, P.-C. and Vehtari, A. (2024). Detecting and diagnosing prior and likelihood sensitivity with power-scaling. *Statistics and Computing* 34, 57. [doi:10.1007/s11222-023-10366-5](https://doi.org/10.1007/s11222-023-10366-5)
# - Chan, T. F., Golub, G. H. and LeVeque, R. J. (1979). *Updating formulae and a pairwise algorithm for computing sample variances*. Technical report STAN-CS-79-773, Stanford University.
# - Raasveldt, M. and Mühleisen, H. (2019). DuckDB: an embeddable analytical database. *Proceedings of SIGMOD 2019*, 1981-1984. [doi:10.1145/3299869.3320212](https://doi.org/10.1145/3299869.3320212)

# %%
print(mlm.version_line())
