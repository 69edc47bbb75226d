# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises 07: Diagnostics
#
# These exercises belong to [notebook 07](../07_diagnostics.ipynb).
# In each task, replace the line `raise NotImplementedError(...)` by your code, run the cell, and run the check below it.
# A check says that your answer is right, or gives a hint.
# It tries your function with inputs of its own, so an answer that fits one example only will not pass.
#
# An *aim* is the number of an item in the notebook's list *You will learn*.
#
# | task | aim | what it practises | points |
# |---|---|---|---|
# | 07.1 | 1 | read rank plots, R-hat and effective sample size together | 1 |
# | 07.2 | 2 | turn a Monte Carlo error into a number of draws | 1 |
# | 07.3 | 1 | compute the R-hat that also looks at widths | 2 |
# | 07.4 | 3 | find the chains that cannot change levels of energy | 2 |
# | 07.5 | 4 | sample a model in the form that passes, with draws enough, and read it | 3 |

# %%
import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm
from scipy import stats

import mlm_tutorial as mlm
from mlm_tutorial.exercises.set_07 import four_runs

rng = np.random.default_rng(mlm.notebook_seed(105))
mlm.use_style()

# %% [markdown] tags=["task:07.1"]
# ## 07.1 Which run failed, and how? (easy)
#
# Four runs, A to D, have four chains of 500 draws each.
# The next cell shows each run twice.
# Above are the draws in their order, with one colour for each chain.
# Below is the rank plot of the notebook: for each chain the share of its draws below a rank, minus the share that an even spread has.
# The table has R-hat and the bulk ESS of each run.
#
# One run has no fault.
# In one, a single chain explores another place than the others.
# In one, all chains move so slowly that none has seen the whole distribution.
# In one, a single chain has another width than the others.
# Say which is which.

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Four columns, runs A to D. Above, draws of four chains in order. Below, rank plots. A: all four lines above drift, and rank lines swing away from zero in different directions. B: draws overlap; one rank line dips below zero on the left and rises above it on the right, the others mirror it. C: draws overlap, rank lines stay near zero. D: one chain's draws lie higher, and its rank line is far below zero all along, the others above it."}} tags=["hide-input"]
runs = four_runs(rng)
chain_colors = ["#345995", "#b8860b", "#3a7d44", "#8c3b2e"]
_, axes = plt.subplots(2, 4, figsize=(12, 5.5), sharey="row")
for (upper, lower), (name, draws) in zip(axes.T, runs.items(), strict=True):
    ranks = stats.rankdata(draws).reshape(draws.shape) / draws.size
    for chain, (color, style) in enumerate(zip(chain_colors, ["-", "--", "-.", ":"], strict=True)):
        upper.plot(draws[chain], color=color, linewidth=0.5)
        x = np.sort(ranks[chain])
        lower.plot(x, np.arange(1, len(x) + 1) / len(x) - x, style, color=color, label=f"chain {chain}")
    upper.set(title=f"run {name}", xlabel="draw")
    lower.axhline(0, color=mlm.COLORS["truth"], linewidth=0.8)
    lower.set_xlabel("rank, as a fraction")
axes[0, 0].set_ylabel("value, in its own units")
axes[1, 0].set_ylabel("share below, minus even")
axes[1, 3].legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

pd.DataFrame({name: {"R-hat": float(az.rhat(x)), "bulk ESS": float(az.ess(x))} for name, x in runs.items()}).T.round(2)


# %% tags=["solution:07.1"]
def what_failed():
    """Cause of each run's failure.

    Returns a dict with the keys "A", "B", "C" and "D". Each value is one of the texts
    "fine", "one chain elsewhere", "slow chains" and "unequal widths".
    """
    ### BEGIN SOLUTION: return a dict that gives one of the four texts to each of the runs A, B, C and D
    return {
        "A": "slow chains",
        "B": "unequal widths",
        "C": "fine",
        "D": "one chain elsewhere",
    }
    ### END SOLUTION


# %% tags=["check:07.1"]
mlm.check("07.1", what_failed)


# %% tags=["mistake:07.1"]
# earns: the averages agree
def what_failed():
    return {"A": "slow chains", "B": "fine", "C": "unequal widths", "D": "one chain elsewhere"}


# %% tags=["mistake:07.1"]
# earns: run A
def what_failed():
    return {"A": "one chain elsewhere", "B": "unequal widths", "C": "fine", "D": "slow chains"}


# %% tags=["mistake:07.1"]
# earns: run D
def what_failed():
    return {"A": "slow chains", "B": "unequal widths", "C": "fine", "D": "slow chains"}


# %% tags=["mistake:07.1"]
# earns: nothing about run 'D'
def what_failed():
    return {"A": "slow chains", "B": "unequal widths", "C": "fine"}


# %% [markdown] tags=["task:07.2"]
# ## 07.2 How long must it run? (easy)
#
# A short run gave `n_draws` draws of a parameter, all chains together.
# Their standard deviation is `sd`, and the ESS of their mean is `ess`.
# You want to report the posterior mean with an MCSE of at most `target`.
# Assume that the ESS grows in proportion to the draws.
# How many draws do you need, all chains together and those that you have included?


# %% tags=["solution:07.2"]
def draws_needed(sd, ess, n_draws, target):
    """Number of draws for a Monte Carlo standard error of at most target.

    sd, ess, target: float
    n_draws: int
    Returns a whole number. For example, draws_needed(2.0, 500.0, 1000, 0.07) is 1633.
    """
    ### BEGIN SOLUTION: return the number of draws, a whole number
    ess_needed = (sd / target) ** 2
    return int(np.ceil(n_draws * ess_needed / ess))
    ### END SOLUTION


# %% tags=["check:07.2"]
mlm.check("07.2", draws_needed)


# %% tags=["mistake:07.2"]
# earns: mind the square
def draws_needed(sd, ess, n_draws, target):
    mcse = sd / np.sqrt(ess)
    return int(np.ceil(n_draws * mcse / target))


# %% tags=["mistake:07.2"]
# earns: the ESS that you need
def draws_needed(sd, ess, n_draws, target):
    return int(np.ceil((sd / target) ** 2))


# %% tags=["mistake:07.2"]
# earns: how many draws to add
def draws_needed(sd, ess, n_draws, target):
    return int(np.ceil(n_draws * (sd / target) ** 2 / ess)) - n_draws


# %% tags=["mistake:07.2"]
# earns: rounded down
def draws_needed(sd, ess, n_draws, target):
    return int(n_draws * (sd / target) ** 2 / ess)


# %% tags=["mistake:07.2"]
# earns: rounded to the nearest whole number
def draws_needed(sd, ess, n_draws, target):
    return round(n_draws * (sd / target) ** 2 / ess)


# %% [markdown] tags=["task:07.3"]
# ## 07.3 An R-hat for places and widths (medium)
#
# The R-hat that the notebook computes by hand compares averages.
# Chains that have the same average and different widths pass it.
# So compute R-hat twice: once of the draws, and once of their distances $|x - \text{median}|$ from the median of all draws of all chains.
# Return the larger of the two.
#
# Split every chain into its first and its last half.
# If the number of draws is odd, the draw in the middle belongs to neither half; it still counts for the median.
# Do not use ranks: for these draws, `az.rhat` gives a slightly different number.


# %% tags=["solution:07.3"]
def larger_rhat(draws):
    """R-hat of the draws or of their distances from the median, whichever is larger.

    draws: array of float, shape (chains, draws), two chains or more
    Returns one float. For np.array([[1.0, 3.0, 2.0, 4.0], [1.0, 9.0, 5.0, 2.0]]) it is about 1.016.
    """
    ### BEGIN SOLUTION: return the larger R-hat, one float

    def split_rhat(x):
        n = x.shape[1] // 2
        halves = np.concatenate([x[:, :n], x[:, -n:]])
        within = halves.var(axis=1, ddof=1).mean()
        between_over_n = halves.mean(axis=1).var(ddof=1)
        return np.sqrt(((n - 1) / n * within + between_over_n) / within)

    distances = np.abs(draws - np.median(draws))
    return max(split_rhat(draws), split_rhat(distances))
    ### END SOLUTION


# %% tags=["check:07.3"]
mlm.check("07.3", larger_rhat)


# %% tags=["mistake:07.3"]
# earns: the second R-hat is missing
def larger_rhat(draws):
    n = draws.shape[1] // 2
    halves = np.concatenate([draws[:, :n], draws[:, -n:]])
    within = halves.var(axis=1, ddof=1).mean()
    return np.sqrt(((n - 1) / n * within + halves.mean(axis=1).var(ddof=1)) / within)


# %% tags=["mistake:07.3"]
# earns: chains are not split
def larger_rhat(draws):
    def rhat(x):
        n = x.shape[1]
        within = x.var(axis=1, ddof=1).mean()
        return np.sqrt(((n - 1) / n * within + x.mean(axis=1).var(ddof=1)) / within)

    return max(rhat(draws), rhat(np.abs(draws - np.median(draws))))


# %% tags=["mistake:07.3"]
# earns: one median for all
def larger_rhat(draws):
    def rhat(x):
        n = x.shape[1] // 2
        halves = np.concatenate([x[:, :n], x[:, -n:]])
        within = halves.var(axis=1, ddof=1).mean()
        return np.sqrt(((n - 1) / n * within + halves.mean(axis=1).var(ddof=1)) / within)

    return max(rhat(draws), rhat(np.abs(draws - np.median(draws, axis=1, keepdims=True))))


# %% tags=["mistake:07.3"]
# earns: divide a variance by n - 1
def larger_rhat(draws):
    def rhat(x):
        n = x.shape[1] // 2
        halves = np.concatenate([x[:, :n], x[:, -n:]])
        within = halves.var(axis=1).mean()
        return np.sqrt(((n - 1) / n * within + halves.mean(axis=1).var()) / within)

    return max(rhat(draws), rhat(np.abs(draws - np.median(draws))))


# %% tags=["mistake:07.3"]
# earns: the middle draw (this case has an odd number
def larger_rhat(draws):
    def rhat(x):
        n = x.shape[1] // 2
        halves = np.concatenate([x[:, :n], x[:, n : 2 * n]])
        within = halves.var(axis=1, ddof=1).mean()
        return np.sqrt(((n - 1) / n * within + halves.mean(axis=1).var(ddof=1)) / within)

    return max(rhat(draws), rhat(np.abs(draws - np.median(draws))))


# %% [markdown] tags=["task:07.4"]
# ## 07.4 Which chains crawl through the energies? (medium)
#
# You have the energy of every draw of a run.
# Compute E-BFMI for each chain, and list the chains that are bad by the notebook's limit.
# Chains count from 0.


# %% tags=["solution:07.4"]
def slow_chains(energy):
    """E-BFMI of each chain, and the chains for which it is bad.

    energy: array of float, shape (chains, draws)
    Returns a pair: an array of shape (chains,) and a list of whole numbers,
    such as (array([0.21, 0.88]), [0]).
    """
    ### BEGIN SOLUTION: return the pair (E-BFMI of each chain, list of bad chains)
    bfmi = (np.diff(energy, axis=1) ** 2).mean(axis=1) / energy.var(axis=1, ddof=1)
    return bfmi, np.flatnonzero(bfmi < 0.3).tolist()
    ### END SOLUTION


# %% tags=["check:07.4"]
mlm.check("07.4", slow_chains)


# %% tags=["mistake:07.4"]
# earns: all chains share one variance
def slow_chains(energy):
    bfmi = (np.diff(energy, axis=1) ** 2).mean(axis=1) / energy.var()
    return bfmi, np.flatnonzero(bfmi < 0.3).tolist()


# %% tags=["mistake:07.4"]
# earns: E-BFMI compares squares
def slow_chains(energy):
    ratio = np.sqrt((np.diff(energy, axis=1) ** 2).mean(axis=1)) / energy.std(axis=1, ddof=1)
    return ratio, np.flatnonzero(ratio < 0.3).tolist()


# %% tags=["mistake:07.4"]
# earns: squared before they are averaged
def slow_chains(energy):
    bfmi = np.abs(np.diff(energy, axis=1)).mean(axis=1) / energy.var(axis=1, ddof=1)
    return bfmi, np.flatnonzero(bfmi < 0.3).tolist()


# %% tags=["mistake:07.4"]
# earns: but not the list of chains
def slow_chains(energy):
    bfmi = (np.diff(energy, axis=1) ** 2).mean(axis=1) / energy.var(axis=1, ddof=1)
    return bfmi, np.flatnonzero(bfmi < 0.5).tolist()


# %% tags=["mistake:07.4"]
# earns: it holds True and False
def slow_chains(energy):
    bfmi = (np.diff(energy, axis=1) ** 2).mean(axis=1) / energy.var(axis=1, ddof=1)
    return bfmi, bfmi < 0.3


# %% [markdown] tags=["task:07.5"]
# ## 07.5 Six depots, one sick run (hard)
#
# A parcel service measured the average lateness of six depots, and the standard error of each average.
# Somebody wrote this model, and its run fails:
#
# ```python
# with pm.Model(coords={"depot": table["depot"]}) as model:
#     mu = pm.Normal("mu", 0, 10)
#     tau = pm.HalfNormal("tau", 5)
#     level = pm.Normal("level", mu, tau, dims="depot")
#     pm.Normal("minutes", level, table["error"], observed=table["minutes"], dims="depot")
# ```
#
# Hand over a run of the *same* model (the same priors, and variables with the names `mu`, `tau` and `level`) that
#
# - passes `mlm.check_convergence` with its default limits,
# - and has an MCSE of the posterior mean of `mu` of at most `target` minutes.
#
# Then name the depot whose level has the highest posterior mean.


# %% tags=["solution:07.5"]
def fit_depots(table, target, seed):
    """Posterior of the depots' levels, and the latest depot.

    table: DataFrame with the columns depot, minutes and error
    target: float, the largest MCSE of the posterior mean of mu, in minutes
    seed: int, for mlm.sample(model, seed=seed)
    Returns a pair: what mlm.sample returns, and the name of a depot.
    """
    ### BEGIN SOLUTION: return the pair (posterior, name of a depot)
    with pm.Model(coords={"depot": table["depot"]}) as model:
        mu = pm.Normal("mu", 0, 10)
        tau = pm.HalfNormal("tau", 5)
        z = pm.Normal("z", 0, 1, dims="depot")
        level = pm.Deterministic("level", mu + tau * z, dims="depot")
        pm.Normal("minutes", level, table["error"], observed=table["minutes"], dims="depot")
    compiled = mlm.compile_model(model)
    draws = 2_000
    while True:
        idata = mlm.sample(compiled, seed=seed, draws=draws, target_accept=0.99)
        error = az.mcse(idata["posterior"]["mu"].values)
        if error <= target:
            break
        draws = int(1.3 * draws * (error / target) ** 2)
    mlm.check_convergence(idata)
    latest = idata["posterior"]["level"].mean(["chain", "draw"]).idxmax().item()
    return idata, latest
    ### END SOLUTION


# %% tags=["check:07.5"]
mlm.check("07.5", fit_depots)


# %% tags=["mistake:07.5"]
# earns: does not pass mlm.check_convergence
def fit_depots(table, target, seed):
    with pm.Model(coords={"depot": table["depot"]}) as model:
        mu = pm.Normal("mu", 0, 10)
        tau = pm.HalfNormal("tau", 5)
        level = pm.Normal("level", mu, tau, dims="depot")
        pm.Normal("minutes", level, table["error"], observed=table["minutes"], dims="depot")
    idata = mlm.sample(model, seed=seed)
    return idata, idata["posterior"]["level"].mean(["chain", "draw"]).idxmax().item()


# %% tags=["mistake:07.5"]
# earns: how many draws does that take
def fit_depots(table, target, seed):
    with pm.Model(coords={"depot": table["depot"]}) as model:
        mu = pm.Normal("mu", 0, 10)
        tau = pm.HalfNormal("tau", 5)
        z = pm.Normal("z", 0, 1, dims="depot")
        level = pm.Deterministic("level", mu + tau * z, dims="depot")
        pm.Normal("minutes", level, table["error"], observed=table["minutes"], dims="depot")
    idata = mlm.sample(model, seed=seed, target_accept=0.99)
    return idata, idata["posterior"]["level"].mean(["chain", "draw"]).idxmax().item()


# %% tags=["mistake:07.5"]
# earns: every depot has its own error
def fit_depots(table, target, seed):
    error = np.sqrt(np.mean(table["error"] ** 2))
    with pm.Model(coords={"depot": table["depot"]}) as model:
        mu = pm.Normal("mu", 0, 10)
        tau = pm.HalfNormal("tau", 5)
        z = pm.Normal("z", 0, 1, dims="depot")
        level = pm.Deterministic("level", mu + tau * z, dims="depot")
        pm.Normal("minutes", level, error, observed=table["minutes"], dims="depot")
    idata = mlm.sample(model, seed=seed, target_accept=0.99, draws=5_000)
    return idata, idata["posterior"]["level"].mean(["chain", "draw"]).idxmax().item()


# %% tags=["mistake:07.5"]
# earns: the highest average, but also the largest error
def fit_depots(table, target, seed):
    with pm.Model(coords={"depot": table["depot"]}) as model:
        mu = pm.Normal("mu", 0, 10)
        tau = pm.HalfNormal("tau", 5)
        z = pm.Normal("z", 0, 1, dims="depot")
        level = pm.Deterministic("level", mu + tau * z, dims="depot")
        pm.Normal("minutes", level, table["error"], observed=table["minutes"], dims="depot")
    idata = mlm.sample(model, seed=seed, target_accept=0.99, draws=8_000)
    return idata, table["depot"][table["minutes"].idxmax()]
