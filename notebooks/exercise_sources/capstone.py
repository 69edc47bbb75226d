# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Capstone: what may be claimed?
#
# A bakery sells bread by the 500 g.
# Two lines with three dividers each cut the dough, bakers run them, and one scale weighs the loaves.
# Marta, who runs the night shift, has exported six weeks of readings, some 1,400.
# She wants to know who or what makes the loaves differ, and she will act on what you say: replace a pocket, move a baker, buy a scale.
#
# Her table is different for every seed, and so is what is hidden in it.
# A trap may be there or not: labels that are used again, a day that shifts everything, tails, a divider that scatters, layers that the data cannot keep apart, a column that holds something else than its name promises.
# You make nine claims. Each is graded against the truth:
#
# | verdict | means | points |
# |---|---|---|
# | found | your claim is true, or says rightly that the data cannot say it; an interval holds the true value and is no wider than asked | all, if the output of a cell shows why |
# | missed | there was something to find, and you said `no`, `none` or nothing; or the data hold an answer, and you said `cannot be said`; or your interval is too wide | none |
# | claimed although the data do not say it | any other claim that is not true, such as a wrong name, a trap that is not there, or an interval without the true value; or any answer where the data cannot say it | none |
#
# A claim too much costs as much as one too few.
# What is planted is large: where the data show it, a test has a p-value below 0.0001, a difference is more than 3.7 of its standard errors, or a posterior probability is above 0.999. Take anything weaker as not shown.
# What does not show is absent, or cannot be said: ask what the design could have shown.
# `"cannot be said"` is an answer to every question, and sometimes the right one.
#
# | claim | what it is about | points |
# |---|---|---|
# | capstone.1 | a column that does not hold what it promises | 1 |
# | capstone.2 | a day effect | 1 |
# | capstone.3 | labels that are used again: the same shift in every divider, or not? | 2 |
# | capstone.4 | tails | 2 |
# | capstone.5 | who scatters most | 2 |
# | capstone.6 | how much of the variance means make up | 2 |
# | capstone.7 | the scale's own spread | 2 |
# | capstone.8 | whose mean is highest | 3 |
# | capstone.9 | which layer differs most | 3 |
#
# Put a number of your own in the place of 2026, or the number that your instructor gave you, and leave it there.
# Add as many cells as you like above each claim.
# A claim that was found keeps its points only if the output of a cell shows why: a count, a test, a plot or a fit.
# For `day`, `F = 9.1, p = 1e-35` is enough; a printed `yes` is not, and averages of raw readings are not.
# So look in cells of your own above the claim, or print what your function computes. The check cannot see this; your instructor looks at it afterwards ([rubric](../../book/project.md)).
# `case.grade({"day": "no"})` grades any number of claims at once, as a table.

# %%
import numpy as np
import pandas as pd
from scipy import stats

import mlm_tutorial as mlm

SEED = mlm.notebook_seed(2026)
case = mlm.capstone(SEED)
print(case)
print(case.note)
case.table.head()

# %% [markdown]
# Two helpers save you typing.
# `residuals` takes layers out of the readings by least squares; it knows no pooling and no prior.
# `fit` is the pooled fit of notebook 14 with its check: contributors shift a loaf, and one residual has all the scatter.
#
# Three tests of SciPy need no sampling.
# Each has a [p-value](../../book/glossary.md): the probability of a result at least as extreme where there is nothing to find.
#
# - The *F test* asks whether more means are worth having. $F$ is what the sum of squares of the residuals loses for each mean added, divided by the variance of the residuals that are left. It is about 1 where the added means are all alike. `stats.f.sf(F, added, left)` is its p-value, with the number of means added and the number of rows minus that of all means.
# - *Levene's test*, `stats.levene(..., center="median")`, asks whether groups scatter alike. It compares how far readings are from the median of their group on average, and a few far readings move that less than a variance.
# - *Kurtosis* is the average fourth power of residuals in units of their standard deviation: 3 for a normal distribution, more where tails are heavier. `stats.kurtosistest` asks whether it is 3; its `statistic` is positive where tails are heavier.
#
# You ask many questions of one table, so a p-value of 0.03 shows little.


# %%
def residuals(rows, layers):
    """What least squares leaves of weight_g, and how many means the table fixes."""
    design = pd.concat([pd.get_dummies(rows[name], dtype=float) for name in layers], axis=1).to_numpy()
    means, _, rank, _ = np.linalg.lstsq(design, rows["weight_g"], rcond=None)
    return rows["weight_g"] - design @ means, rank


def fit(rows, layers):
    """Draws of a pooled fit with one residual that has passed its check."""
    cells = mlm.cell_statistics(rows, total="weight_g", layers=layers)
    priors = mlm.Priors.from_cells(cells, known_sigma=dict.fromkeys(layers, 0))
    idata = mlm.sample(mlm.cell_model(cells, priors), seed=SEED)
    mlm.check_convergence(idata)
    return idata["posterior"].to_dataset().stack(sample=("chain", "draw"))


# %% [markdown]
# The rows with loaves, and the pockets by unique labels.

# %%
loaves = case.table.dropna(subset="divider").copy()
loaves["place"] = loaves["divider"] + "/" + loaves["pocket"]
loaves.groupby("place")["weight_g"].agg(["size", "mean", "std"]).round(1).head(8)

# %% [markdown] tags=["task:capstone.1"]
# ## capstone.1 A column that holds something else (easy)
#
# Which column cannot hold what the note promises?
# At most one does not.
# Answer with its name, with `"none"`, or with `"cannot be said"`.


# %% tags=["solution:capstone.1"]
def mislabelled():
    """Returns a str: the name of a column, "none" or "cannot be said"."""
    ### BEGIN SOLUTION: return the name of a column, "none" or "cannot be said"
    # The note promises bakers who change dividers, batches of several loaves, and a temperature.
    pairs, bakers = len(loaves[["baker", "divider"]].drop_duplicates()), loaves["baker"].nunique()
    # No temperature follows the weight of the loaf that happens to be on the scale.
    with_weight = loaves["room_c"].corr(loaves["weight_g"])
    print(
        f"{bakers} bakers at {pairs} pairs of baker and divider, {loaves['batch'].nunique()} batches of {len(loaves)}"
    )
    print(f"loaves, and a correlation of {with_weight:.2f} between temperature and weight")
    if pairs == bakers:
        return "baker"
    if loaves["batch"].is_unique:
        return "batch"
    return "room_c" if with_weight > 0.99 else "none"
    ### END SOLUTION


# %% tags=["check:capstone.1"]
mlm.check("capstone.1", mislabelled, seed=SEED)

# %% [markdown] tags=["task:capstone.2"]
# ## capstone.2 The day (easy)
#
# Do readings of one date have something in common, once all else is taken out?
# Answer `"yes"`, `"no"` or `"cannot be said"`.


# %% tags=["solution:capstone.2"]
def day():
    """Returns a str: "yes", "no" or "cannot be said"."""
    ### BEGIN SOLUTION: return "yes", "no" or "cannot be said"
    without, rank = residuals(loaves, ["place", "baker"])
    with_it, more = residuals(loaves, ["place", "baker", "date"])
    ratio = (np.sum(without**2) - np.sum(with_it**2)) / (more - rank) / (np.sum(with_it**2) / (len(loaves) - more))
    p = stats.f.sf(ratio, more - rank, len(loaves) - more)
    print(f"a mean for each date: F = {ratio:.2f}, p = {p:.2g}")
    return "yes" if p < 0.0001 else "no"
    ### END SOLUTION


# %% tags=["check:capstone.2"]
mlm.check("capstone.2", day, seed=SEED)

# %% [markdown] tags=["task:capstone.3"]
# ## capstone.3 Pocket 1, and pocket 1 (medium)
#
# Does a number in `pocket` shift a loaf by the same amount in every divider?
# Answer `"shared"` if it does, `"own"` if the shifts differ from divider to divider, or `"cannot be said"`.


# %% tags=["solution:capstone.3"]
def pocket():
    """Returns a str: "shared", "own" or "cannot be said"."""
    ### BEGIN SOLUTION: return "shared", "own" or "cannot be said"
    # One mean for each number, or one for each number in each divider?
    crossed, rank = residuals(loaves, ["divider", "pocket", "baker", "date"])
    nested, more = residuals(loaves, ["place", "baker", "date"])
    ratio = (np.sum(crossed**2) - np.sum(nested**2)) / (more - rank) / (np.sum(nested**2) / (len(loaves) - more))
    p = stats.f.sf(ratio, more - rank, len(loaves) - more)
    print(f"a shift for each pocket of each divider: F = {ratio:.2f}, p = {p:.2g}")
    return "own" if p < 0.0001 else "shared"
    ### END SOLUTION


# %% tags=["check:capstone.3"]
mlm.check("capstone.3", pocket, seed=SEED)

# %% [markdown] tags=["task:capstone.4"]
# ## capstone.4 Tails (medium)
#
# Given all contributors, and a spread for each divider, are there more loaves far from their mean than a normal distribution has?
# Answer `"yes"`, `"no"` or `"cannot be said"`.


# %% tags=["solution:capstone.4"]
def tails():
    """Returns a str: "yes", "no" or "cannot be said"."""
    ### BEGIN SOLUTION: return "yes", "no" or "cannot be said"
    left, _ = residuals(loaves, ["place", "baker", "date"])
    # Dividers that scatter differently would look like heavy tails, so each residual is in units of its divider.
    units = left / left.groupby(loaves["divider"]).transform("std")
    test = stats.kurtosistest(units)
    print(f"kurtosis {stats.kurtosis(units, fisher=False):.2f}, where a normal has 3: p = {test.pvalue:.2g}")
    return "yes" if test.pvalue < 0.0001 and test.statistic > 0 else "no"
    ### END SOLUTION


# %% tags=["check:capstone.4"]
mlm.check("capstone.4", tails, seed=SEED)

# %% [markdown] tags=["task:capstone.5"]
# ## capstone.5 Who scatters most? (medium)
#
# In which divider do loaves scatter most about their means?
# Answer with its label, with `"none"` if all scatter alike, or with `"cannot be said"`.


# %% tags=["solution:capstone.5"]
def spread():
    """Returns a str: the label of a divider, "none" or "cannot be said"."""
    ### BEGIN SOLUTION: return the label of a divider, "none" or "cannot be said"
    left, _ = residuals(loaves, ["place", "baker", "date"])
    groups = {name: part.to_numpy() for name, part in left.groupby(loaves["divider"])}
    # Absolute deviations from the median: a few far loaves move them little.
    p = stats.levene(*groups.values(), center="median").pvalue
    deviations = {name: stats.median_abs_deviation(values) for name, values in groups.items()}
    print(
        "median deviations in g:", {name: round(float(x), 2) for name, x in deviations.items()}, f"Levene: p = {p:.2g}"
    )
    return max(deviations, key=deviations.get) if p <= 0.0001 else "none"
    ### END SOLUTION


# %% tags=["check:capstone.5"]
mlm.check("capstone.5", spread, seed=SEED)

# %% [markdown] tags=["task:capstone.6"]
# ## capstone.6 What means make up (medium)
#
# The readings of the loaves vary, because means of contributors differ and because readings scatter about their means.
# Which share of their variance comes from the means?
# Answer with an interval, a pair such as `(0.1, 0.2)`, at most 0.3 wide, or with `"cannot be said"`.


# %% tags=["solution:capstone.6"]
def share():
    """Returns a pair of floats from 0 to 1, lower and upper, or "cannot be said"."""
    ### BEGIN SOLUTION: return an interval at most 0.3 wide, or "cannot be said"
    left, rank = residuals(loaves, ["place", "baker", "date"])
    n, total = len(loaves), loaves["weight_g"].var()
    within = np.sum(left**2) / (n - rank)
    between = total - within
    # Far loaves make the variance within uncertain: its error grows with the fourth moment.
    of_within = (stats.kurtosis(left, fisher=False) - 1) * (between * within / total**2) ** 2
    of_between = 4 * between * within * (within / total**2) ** 2
    error = np.sqrt((of_within + of_between) / n)
    print(f"{between:.1f} of {total:.1f} g^2, a share of {between / total:.3f} +- {error:.3f}")
    return max(between / total - 3.7 * error, 0), min(between / total + 3.7 * error, 1)
    ### END SOLUTION


# %% tags=["check:capstone.6"]
mlm.check("capstone.6", share, seed=SEED)

# %% [markdown] tags=["task:capstone.7"]
# ## capstone.7 The scale's own spread (medium)
#
# Marta would buy a better scale, if this one were to blame.
# Which standard deviation, in g, does the scale by itself give to readings of one date?
# Answer with an interval, a pair such as `(0.8, 1.6)` whose upper end is at most 2.5 times the lower one, or with `"cannot be said"`.


# %% tags=["solution:capstone.7"]
def scale():
    """Returns a pair of floats in g, lower and upper, or "cannot be said"."""
    ### BEGIN SOLUTION: return an interval whose ends differ by a factor of 2.5 at most, or "cannot be said"
    # On a loaf, the scale's spread and the loaf's come together always. Rows without a divider have the scale's alone.
    reference, unknown = case.table[case.table["divider"].isna()], "cannot be said"
    print(f"{len(reference)} readings without a loaf's divider")
    if reference.empty:
        return unknown
    sum_of_squares = np.sum((reference["weight_g"] - reference.groupby("date")["weight_g"].transform("mean")) ** 2)
    degrees = len(reference) - reference["date"].nunique()
    lower, upper = np.sqrt(sum_of_squares / stats.chi2.ppf([0.999, 0.001], degrees))
    return lower, upper
    ### END SOLUTION


# %% tags=["check:capstone.7"]
mlm.check("capstone.7", scale, seed=SEED)

# %% [markdown] tags=["task:capstone.8"]
# ## capstone.8 The heaviest hand (hard)
#
# Whose loaves are heaviest on average, with line, divider, pocket and date the same?
# Answer with the baker's name, or with `"cannot be said"`.


# %% tags=["solution:capstone.8"]
def baker():
    """Returns a str: the name of a baker, or "cannot be said"."""
    ### BEGIN SOLUTION: return the name of a baker, or "cannot be said"
    layers, unknown = ["place", "baker", "date"], "cannot be said"
    if mislabelled() == "baker":
        return unknown
    cells = mlm.cell_statistics(loaves, total="weight_g", layers=layers)
    first, *others = cells.labels["baker"]
    differences = {f"{name} - {first}": {("baker", name): 1, ("baker", first): -1} for name in others}
    fixed = mlm.identification(cells, contrasts=differences)["means"][list(differences)]
    print(f"the data fix {fixed.sum()} of {len(fixed)} differences between bakers")
    if not fixed.all():
        return unknown
    design = pd.concat([pd.get_dummies(loaves[name], dtype=float) for name in layers], axis=1)
    left, rank = residuals(loaves, layers)
    inverse = np.linalg.pinv(design.to_numpy(), rcond=1e-10)
    means = pd.Series(inverse @ loaves["weight_g"], design.columns)
    best, second = means[list(cells.labels["baker"])].nlargest(2).index
    contrast = (design.columns == best).astype(float) - (design.columns == second)
    error = np.sqrt(np.sum((contrast @ inverse) ** 2) * np.sum(left**2) / (len(loaves) - rank))
    print(f"{best} and {second}: {means[best] - means[second]:.2f} +- {error:.2f} g")
    return best if means[best] - means[second] > 3.7 * error else unknown
    ### END SOLUTION


# %% tags=["check:capstone.8"]
mlm.check("capstone.8", baker, seed=SEED)

# %% [markdown] tags=["task:capstone.9"]
# ## capstone.9 Which layer differs most? (hard)
#
# Compare the standard deviations of means: of dividers about the mean of their line, of pockets about the mean of their divider, and of dates.
# Which is the largest?
# Answer `"divider"`, `"pocket"`, `"date"`, or `"cannot be said"`.


# %% tags=["solution:capstone.9"]
def largest():
    """Returns a str: "divider", "pocket", "date" or "cannot be said"."""
    ### BEGIN SOLUTION: return "divider", "pocket", "date" or "cannot be said"
    others = ["date"] if mislabelled() == "baker" else ["baker", "date"]
    # Each place lies in one divider, so the data cannot split their means, and their sum is enough: a mean for each.
    layers = ["place"] if pocket() == "own" else ["divider", "pocket"]
    draws = fit(loaves, [*layers, *others])
    names = loaves[["line", "divider", "pocket", "place"]].drop_duplicates().sort_values("place")
    parts = [draws[f"mu_{name}"].sel({name: names[name].to_numpy()}).transpose("sample", name) for name in layers]
    sums = sum(part.to_numpy() for part in parts)
    dividers = pd.DataFrame(sums.T).groupby(names["divider"].to_numpy()).transform("mean")
    lines = pd.DataFrame(sums.T).groupby(names["line"].to_numpy()).transform("mean")
    sds = {
        "divider": np.sqrt(np.mean((dividers - lines) ** 2, axis=0)),
        "pocket": np.sqrt(np.mean((sums.T - dividers) ** 2, axis=0)),
        "date": draws["mu_date"].std("date").to_numpy(),
    }
    probability = pd.DataFrame(sds).idxmax(axis=1).value_counts(normalize=True)
    print("probabilities of being the largest:", probability.round(4).to_dict())
    return probability.index[0] if probability.iloc[0] > 0.999 else "cannot be said"
    ### END SOLUTION


# %% tags=["check:capstone.9"]
mlm.check("capstone.9", largest, seed=SEED)
