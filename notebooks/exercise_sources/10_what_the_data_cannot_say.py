# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises 10: What the data cannot say
#
# These exercises belong to [notebook 10](../10_what_the_data_cannot_say.ipynb).
# In each task, replace the line `raise NotImplementedError(...)` by your code, run the cell, and run the check below it.
# A check says that your answer is right, or gives a hint.
# It tries your function with inputs of its own, so an answer that fits one example only will not pass.
#
# An *aim* is the number of an item in the notebook's list *You will learn*.
#
# | task | aim | what it practises | points |
# |---|---|---|---|
# | 10.1 | 3 | name what the data fix in a nested table | 1 |
# | 10.2 | 4 | read a simulation-based calibration | 1 |
# | 10.3 | 2 | count flat directions, of variances and of means | 2 |
# | 10.4 | 3 | move along the flat directions, up to their bounds | 2 |
# | 10.5 | 1 | fit a model under two priors, check it and compare | 3 |

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm
from scipy import stats

import mlm_tutorial as mlm
from mlm_tutorial.exercises.set_10 import rank_panels

rng = np.random.default_rng(mlm.notebook_seed(107))
mlm.use_style()

# %% [markdown] tags=["task:10.1"]
# ## 10.1 Which of these have the data decided? (easy)
#
# Ann and Ben drive for Airport only, Cleo and Dov for Mill only.
# There are many parcels of each driver.
# A parcel's delay is a contribution of the road, one of its center and one of its driver.
# Write $\mu_\text{Ann}$ for a mean and $v_\text{Ann}$ for a variance; $v_0$ is the variance of the road.
# The means of each layer sum to zero.
# Six quantities are reported:
#
# - **A** $\mu_\text{Ben} - \mu_\text{Ann}$
# - **B** $\mu_\text{Cleo} - \mu_\text{Ann}$
# - **C** $v_\text{Dov} - v_\text{Cleo}$
# - **D** $v_\text{Ben} \,/\, v_\text{Ann}$
# - **E** $v_0 + v_\text{Mill} + v_\text{Cleo}$
# - **F** $v_0 + v_\text{Mill}$
#
# All chains have converged.
# Which of the six are identified, that is, fixed by the data and not by the prior?


# %% tags=["solution:10.1"]
def identified():
    """Letters of the quantities that are identified.

    Returns a set of texts, such as {"B", "D"}.
    """
    ### BEGIN SOLUTION: return the set of letters of the identified quantities
    return {"A", "C", "E"}
    ### END SOLUTION


# %% tags=["check:10.1"]
mlm.check("10.1", identified)


# %% tags=["mistake:10.1"]
# earns: never drove for the same center
def identified():
    return {"A", "B", "C", "E"}


# %% tags=["mistake:10.1"]
# earns: their ratio
def identified():
    return {"A", "C", "D", "E"}


# %% tags=["mistake:10.1"]
# earns: part of a total
def identified():
    return {"A", "C", "E", "F"}


# %% tags=["mistake:10.1"]
# earns: something is missing
def identified():
    return {"A", "E"}


# %% tags=["mistake:10.1"]
# earns: a set of texts
def identified():
    return "ACE"


# %% [markdown] tags=["task:10.2"]
# ## 10.2 Four calibrations (easy)
#
# Each panel below shows a simulation-based calibration of another program, with 2,000 replicates.
# The *rank* of a replicate counts how many of its 99 posterior draws are below the true value.
# So ranks go from 0 to 99.
# The grey band holds any one bar of a right program with a probability of 99 %.
# A panel has twenty bars, so about one right program in six shows a bar outside its band by chance.
#
# What is wrong with the posteriors of each program?
# Choose from
#
# - `"right"`: nothing is wrong,
# - `"too narrow"`: they are over-confident,
# - `"too wide"`: they are under-confident,
# - `"too high"`: most of their draws are above the true value,
# - `"too low"`: most of their draws are below it.

# %% mystnb={"image": {"alt": "Four histograms of ranks, A to D, each with a grey band at the height that is expected of a right program. A has a hump in the middle, B falls from left to right, C is flat, D is high at both ends."}}
panels = rank_panels(rng)
low, high = stats.binom.ppf([0.005, 0.995], 2000, 5 / 100)  # a bar has 5 of the 100 possible ranks
fig, axes = plt.subplots(1, 4, figsize=(11, 3), sharex=True, sharey=True)
for ax, (name, ranks) in zip(axes, panels.items(), strict=True):
    ax.axhspan(low, high, color=mlm.COLORS["data"])
    ax.hist(ranks, np.arange(0, 101, 5), histtype="step", linewidth=2, color=mlm.COLORS["estimate"])
    ax.set(title=name, xlabel="rank of the true value")
axes[0].set_ylabel("replicates")
plt.show()


# %% tags=["solution:10.2"]
def diagnoses():
    """What is wrong with the posteriors of each program.

    Returns a dict with the keys "A", "B", "C" and "D".
    Each value is one of the texts "right", "too narrow", "too wide", "too high" and "too low".
    """
    ### BEGIN SOLUTION: return a dict that gives each panel, A to D, one of the five texts
    return {"A": "too wide", "B": "too high", "C": "right", "D": "too narrow"}
    ### END SOLUTION


# %% tags=["check:10.2"]
mlm.check("10.2", diagnoses)


# %% tags=["mistake:10.2"]
# earns: is the true value among its draws
def diagnoses():
    return {"A": "too narrow", "B": "too high", "C": "right", "D": "too wide"}


# %% tags=["mistake:10.2"]
# earns: how many of them are below
def diagnoses():
    return {"A": "too wide", "B": "too low", "C": "right", "D": "too narrow"}


# %% tags=["mistake:10.2"]
# earns: leans to neither side
def diagnoses():
    return {"A": "too wide", "B": "too high", "C": "right", "D": "too low"}


# %% tags=["mistake:10.2"]
# earns: are uniform
def diagnoses():
    return {"A": "right", "B": "too high", "C": "too narrow", "D": "too wide"}


# %% [markdown] tags=["task:10.3"]
# ## 10.3 Count the flat directions (medium)
#
# Before you fit anything, you want to know in how many directions a table is silent.
# Each row is a parcel, each column a layer, each entry the contributor that took part.
# Besides, the road, the baseline, takes part in every row.
#
# Every component, that is the baseline and each contributor of each layer, has a mean and a variance.
# The means of each layer sum to zero.
# A label may occur in two layers; it stands for two different contributors.
#
# Return two numbers: how many directions of the variances leave no trace in the data, and how many of the means.


# %% tags=["solution:10.3"]
def n_flat_directions(rows):
    """Numbers of flat directions of the variances and of the means.

    rows: pandas DataFrame of str, a column for each layer, a row for each parcel
    Returns a pair of int. Two centers and three drivers of whom each works at both centers give (2, 0).
    """
    ### BEGIN SOLUTION: return the pair (flat directions of the variances, flat directions of the means), two int
    blocks = [np.ones((len(rows), 1))]
    blocks += [pd.get_dummies(rows[layer]).to_numpy(float) for layer in rows]
    design = np.hstack(blocks)
    layer_of = np.repeat(np.arange(len(blocks)), [block.shape[1] for block in blocks])
    rules = [layer_of == j for j in range(1, len(blocks))]
    with_rules = np.vstack([design, *rules])
    n = design.shape[1]
    return int(n - np.linalg.matrix_rank(design)), int(n - np.linalg.matrix_rank(with_rules))
    ### END SOLUTION


# %% tags=["check:10.3"]
mlm.check("10.3", n_flat_directions)


# %% tags=["mistake:10.3"]
# earns: the rank counts
def n_flat_directions(rows):
    design = np.hstack([np.ones((len(rows), 1)), *(pd.get_dummies(rows[x]).to_numpy(float) for x in rows)])
    return int(np.linalg.matrix_rank(design)), 0


# %% tags=["mistake:10.3"]
# earns: not every table
def n_flat_directions(rows):
    return rows.shape[1], 0


# %% tags=["mistake:10.3"]
# earns: means that sum to zero may still
def n_flat_directions(rows):
    design = np.hstack([np.ones((len(rows), 1)), *(pd.get_dummies(rows[x]).to_numpy(float) for x in rows)])
    return int(design.shape[1] - np.linalg.matrix_rank(design)), 0


# %% tags=["mistake:10.3"]
# earns: have a rule that the variances lack
def n_flat_directions(rows):
    design = np.hstack([np.ones((len(rows), 1)), *(pd.get_dummies(rows[x]).to_numpy(float) for x in rows)])
    flat = int(design.shape[1] - np.linalg.matrix_rank(design))
    return flat, flat


# %% tags=["mistake:10.3"]
# earns: the road takes part
def n_flat_directions(rows):
    design = np.hstack([pd.get_dummies(rows[x]).to_numpy(float) for x in rows])
    flat = int(design.shape[1] - np.linalg.matrix_rank(design))
    return flat, flat - rows.shape[1] + 1


# %% tags=["mistake:10.3"]
# earns: a label of two layers
def n_flat_directions(rows):
    labels = sorted(set(rows.to_numpy().ravel()))
    design = np.array([[1, *(label in row for label in labels)] for row in rows.to_numpy().tolist()], float)
    flat = int(design.shape[1] - np.linalg.matrix_rank(design))
    return flat, flat - rows.shape[1]


# %% tags=["mistake:10.3"]
# earns: a rule of its own
def n_flat_directions(rows):
    design = np.hstack([np.ones((len(rows), 1)), *(pd.get_dummies(rows[x]).to_numpy(float) for x in rows)])
    n = design.shape[1]
    with_rule = np.vstack([design, np.arange(n) > 0])
    return int(n - np.linalg.matrix_rank(design)), int(n - np.linalg.matrix_rank(with_rule))


# %% tags=["mistake:10.3"]
# earns: not every kind of row says something new
def n_flat_directions(rows):
    flat = max(0, 1 + sum(rows.nunique()) - len(rows.drop_duplicates()))
    return flat, max(0, flat - rows.shape[1])


# %% tags=["mistake:10.3"]
# earns: pair
def n_flat_directions(rows):
    design = np.hstack([np.ones((len(rows), 1)), *(pd.get_dummies(rows[x]).to_numpy(float) for x in rows)])
    return int(design.shape[1] - np.linalg.matrix_rank(design))


# %% [markdown] tags=["task:10.4"]
# ## 10.4 Any answer you like (medium)
#
# A fit explains a table of parcels with a variance for the baseline, the road, and one for each contributor.
# Every combination of contributors occurs in the table.
# The manager would like another standard deviation of the road.
# Give her one: find variances of the contributors that go with it and leave the variance of every cell as it was.
# No variance may be negative.
#
# There may be many ways; return any of them.
# Where there is none, return `None`.


# %% tags=["solution:10.4"]
def with_baseline(v_baseline, v_layers, sigma_wanted):
    """Variances of the contributors that go with another standard deviation of the baseline.

    v_baseline: float, variance of the baseline's contribution in the fit
    v_layers: list of arrays of float, variances of each layer's contributors in the fit
    sigma_wanted: float, the wanted standard deviation of the baseline
    Returns a list of arrays with the same shapes as in v_layers, or None.
    With v_baseline = 4 and v_layers = [[3, 2], [1, 5]], sigma_wanted = 2.5 can be had, for example with
    [[1.5, 0.5], [0.25, 4.25]]; sigma_wanted = 2.7 cannot.
    """
    ### BEGIN SOLUTION: return one array of variances for each layer, or None where there is no way
    gain = sigma_wanted**2 - v_baseline
    smallest = np.array([np.min(v) for v in v_layers])
    if gain > smallest.sum():
        return None
    return [v - gain * share for v, share in zip(v_layers, smallest / smallest.sum(), strict=True)]
    ### END SOLUTION


# %% tags=["check:10.4"]
mlm.check("10.4", with_baseline)


# %% tags=["mistake:10.4"]
# earns: negative
def with_baseline(v_baseline, v_layers, sigma_wanted):
    gain = sigma_wanted**2 - v_baseline
    if gain > sum(np.min(v) for v in v_layers):
        return None
    return [v_layers[0] - gain, *v_layers[1:]]


# %% tags=["mistake:10.4"]
# earns: negative
def with_baseline(v_baseline, v_layers, sigma_wanted):
    gain = sigma_wanted**2 - v_baseline
    if gain > sum(np.min(v) for v in v_layers):
        return None
    return [v - gain / len(v_layers) for v in v_layers]


# %% tags=["mistake:10.4"]
# earns: there is a way
def with_baseline(v_baseline, v_layers, sigma_wanted):
    gain = sigma_wanted**2 - v_baseline
    return None if gain > np.min(v_layers[0]) else [v_layers[0] - gain, *v_layers[1:]]


# %% tags=["mistake:10.4"]
# earns: every layer gives the whole
def with_baseline(v_baseline, v_layers, sigma_wanted):
    gain = sigma_wanted**2 - v_baseline
    return None if gain > sum(np.min(v) for v in v_layers) else [v - gain for v in v_layers]


# %% tags=["mistake:10.4"]
# earns: by the same amount
def with_baseline(v_baseline, v_layers, sigma_wanted):
    total = v_baseline + sum(np.mean(v) for v in v_layers)
    factor = (total - sigma_wanted**2) / (total - v_baseline)
    return [v * factor for v in v_layers] if factor > 0 else None


# %% tags=["mistake:10.4"]
# earns: the bound
def with_baseline(v_baseline, v_layers, sigma_wanted):
    gain = sigma_wanted**2 - v_baseline
    smallest = np.array([np.min(v) for v in v_layers])
    return [v - gain * share for v, share in zip(v_layers, smallest / smallest.sum(), strict=True)]


# %% tags=["mistake:10.4"]
# earns: does not balance
def with_baseline(v_baseline, v_layers, sigma_wanted):
    gain = sigma_wanted - np.sqrt(v_baseline)
    return [v - gain / len(v_layers) for v in v_layers]


# %% tags=["mistake:10.4"]
# earns: here the baseline gives
def with_baseline(v_baseline, v_layers, sigma_wanted):
    gain = sigma_wanted**2 - v_baseline
    smallest = np.array([np.min(v) for v in v_layers])
    if not 0 <= gain <= smallest.sum():
        return None
    return [v - gain * share for v, share in zip(v_layers, smallest / smallest.sum(), strict=True)]


# %% [markdown] tags=["task:10.5"]
# ## 10.5 Two opinions on one table (hard)
#
# Each driver of a parcel service drives for one center only.
# You have every driver's average delay with its standard error, and the number of the driver's center.
# Nora and Sam fit the same model to them, with these names:
#
# - `mu ~ Normal(0, 10)`;
# - `center`, what each center adds, independent `Normal(0, center_sd)`;
# - `driver`, what each driver adds, independent `Normal(0, driver_sd)`;
# - a driver's average is normal about `mu` plus the center's part plus the driver's part, with its standard error.
#
# The means of this model need not sum to zero.
# Nora believes that centers differ and drivers hardly do: `center_sd=3`, `driver_sd=1`.
# Sam believes the opposite: `center_sd=1`, `driver_sd=3`.
#
# Fit the model under both priors, with 2,000 draws a chain: a center and its drivers are hard to tell apart.
# Both runs must pass `mlm.check_convergence`.
# Then read them.
# Drivers 0 and 1 both drive for center 0.
# Return Nora's posterior, Sam's, and how far apart the two are on each of two questions:
#
# - `"centers"`: by how many minutes is center 1 slower than center 0, `center[1] - center[0]`?
# - `"drivers"`: by how many minutes is driver 1 slower than driver 0, `driver[1] - driver[0]`?
#
# *How far apart* is Nora's posterior mean minus Sam's, in minutes.


# %% tags=["solution:10.5"]
def two_opinions(average, error, center_of, n_centers, seed):
    """Posteriors under two priors, and how far apart they are on two questions.

    average, error: arrays of float, shape (K,), the drivers' averages and standard errors, in minutes
    center_of: array of int, shape (K,), the center of each driver: 0, 1, ..., n_centers - 1
    n_centers: int
    seed: int, for mlm.sample(model, seed=seed, draws=2000)
    Returns three values: what mlm.sample returns for Nora, the same for Sam, and a dict such as
    {"centers": 0.8, "drivers": -0.1}. The posteriors hold mu, center (n_centers values a draw) and driver (K values).
    """
    ### BEGIN SOLUTION: return three values, Nora's posterior, Sam's, and a dict with the keys "centers" and "drivers"
    fits, answers = [], []
    for center_sd, driver_sd in ((3, 1), (1, 3)):
        with pm.Model() as model:
            mu = pm.Normal("mu", 0, 10)
            center = pm.Normal("center", 0, center_sd, shape=n_centers)
            driver = pm.Normal("driver", 0, driver_sd, shape=len(average))
            pm.Normal("average", mu + center[center_of] + driver, error, observed=average)
        fit = mlm.sample(model, seed=seed, draws=2000)
        mlm.check_convergence(fit)
        fits.append(fit)
        mean = fit["posterior"].to_dataset().mean(("chain", "draw"))
        answers.append([float(mean[name][1] - mean[name][0]) for name in ("center", "driver")])
    centers, drivers = np.subtract(*answers)
    return *fits, {"centers": centers, "drivers": drivers}
    ### END SOLUTION


# %% tags=["check:10.5"]
mlm.check("10.5", two_opinions)


# %% tags=["mistake:10.5"]
# earns: no posterior of Sam
def two_opinions(average, error, center_of, n_centers, seed):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        center = pm.Normal("center", 0, 3, shape=n_centers)
        driver = pm.Normal("driver", 0, 1, shape=len(average))
        pm.Normal("average", mu + center[center_of] + driver, error, observed=average)
    fit = mlm.sample(model, seed=seed, draws=2000)
    return fit, fit, {"centers": 0.0, "drivers": 0.0}


# %% tags=["mistake:10.5"]
# earns: nothing in this model makes
def two_opinions(average, error, center_of, n_centers, seed):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        center = pm.ZeroSumNormal("center", 3, shape=n_centers)
        driver = pm.ZeroSumNormal("driver", 1, shape=len(average))
        pm.Normal("average", mu + center[center_of] + driver, error, observed=average)
    fit = mlm.sample(model, seed=seed, draws=2000)
    return fit, fit, {"centers": 0.0, "drivers": 0.0}


# %% tags=["mistake:10.5"]
# earns: what the driver adds to the center
def two_opinions(average, error, center_of, n_centers, seed):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        center = pm.Normal("center", 0, 3, shape=n_centers)
        driver = pm.Deterministic("driver", center[center_of] + pm.Normal("own", 0, 1, shape=len(average)))
        pm.Normal("average", mu + driver, error, observed=average)
    fit = mlm.sample(model, seed=seed, draws=2000)
    return fit, fit, {"centers": 0.0, "drivers": 0.0}


# %% tags=["mistake:10.5"]
# earns: not of the same center
def two_opinions(average, error, center_of, n_centers, seed):
    fits, means = [], []
    for center_sd, driver_sd in ((3, 1), (1, 3)):
        with pm.Model() as model:
            mu = pm.Normal("mu", 0, 10)
            center = pm.Normal("center", 0, center_sd, shape=n_centers)
            driver = pm.Normal("driver", 0, driver_sd, shape=len(average))
            pm.Normal("average", mu + center[center_of] + driver, error, observed=average)
        fits.append(mlm.sample(model, seed=seed, draws=2000))
        means.append(fits[-1]["posterior"].to_dataset().mean(("chain", "draw")))
    one, other = means
    centers = float((one["center"][1] - one["center"][0]) - (other["center"][1] - other["center"][0]))
    drivers = float((one["driver"][-1] - one["driver"][0]) - (other["driver"][-1] - other["driver"][0]))
    return *fits, {"centers": centers, "drivers": drivers}


# %% tags=["mistake:10.5"]
# earns: Sam's minus Nora's
def two_opinions(average, error, center_of, n_centers, seed):
    fits, means = [], []
    for center_sd, driver_sd in ((3, 1), (1, 3)):
        with pm.Model() as model:
            mu = pm.Normal("mu", 0, 10)
            center = pm.Normal("center", 0, center_sd, shape=n_centers)
            driver = pm.Normal("driver", 0, driver_sd, shape=len(average))
            pm.Normal("average", mu + center[center_of] + driver, error, observed=average)
        fits.append(mlm.sample(model, seed=seed, draws=2000))
        means.append(fits[-1]["posterior"].to_dataset().mean(("chain", "draw")))
    one, other = means
    shift = {f"{x}s": float((other[x][1] - other[x][0]) - (one[x][1] - one[x][0])) for x in ("center", "driver")}
    return *fits, shift


# %% tags=["mistake:10.5"]
# earns: a size without its sign
def two_opinions(average, error, center_of, n_centers, seed):
    fits, means = [], []
    for center_sd, driver_sd in ((3, 1), (1, 3)):
        with pm.Model() as model:
            mu = pm.Normal("mu", 0, 10)
            center = pm.Normal("center", 0, center_sd, shape=n_centers)
            driver = pm.Normal("driver", 0, driver_sd, shape=len(average))
            pm.Normal("average", mu + center[center_of] + driver, error, observed=average)
        fits.append(mlm.sample(model, seed=seed, draws=2000))
        means.append(fits[-1]["posterior"].to_dataset().mean(("chain", "draw")))
    one, other = means
    shift = {f"{x}s": float(abs((one[x][1] - one[x][0]) - (other[x][1] - other[x][0]))) for x in ("center", "driver")}
    return *fits, shift
