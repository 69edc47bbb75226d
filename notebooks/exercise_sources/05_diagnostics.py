# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises 05: Diagnostics
#
# These exercises belong to [notebook 05](../05_diagnostics.ipynb).
# In each task, replace the line `raise NotImplementedError(...)` by your code, run the cell, and run the check below it.
# A check says that your answer is right, or gives a hint.
# It tries your function with inputs of its own, so an answer that fits one example only will not pass.
#
# An *aim* is the number of an item in the notebook's list *You will learn*. Not every aim has a task.
#
# | task | aim | what it practises | points |
# |---|---|---|---|
# | 05.1 | 1 | read rank plots, R-hat and effective sample size together | 1 |
# | 05.2 | 3 | turn a Monte Carlo error into a number of draws | 1 |
# | 05.3 | 1 | compute the R-hat that also looks at widths | 2 |
# | 05.4 | 4 | check a model by the data that it predicts, and know the error of the check | 2 |
# | 05.5 | 6 | ask whether a conclusion comes from the prior or from the data | 3 |

# %%
import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy import stats

import mlm_tutorial as mlm
from mlm_tutorial.exercises.set_05 import four_runs

rng = np.random.default_rng(mlm.notebook_seed(105))
mlm.use_style()

# %% [markdown] tags=["task:05.1"]
# ## 05.1 Which run failed, and how? (easy)
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

# %% mystnb={"image": {"alt": "Four columns, runs A to D. Above, draws of four chains in order. Below, rank plots. A: all four lines above drift, and rank lines swing away from zero in different directions. B: draws overlap; one rank line dips below zero on the left and rises above it on the right, the others mirror it. C: draws overlap, rank lines stay near zero. D: one chain's draws lie higher, and its rank line is far below zero all along, the others above it."}} tags=["hide-input"]
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


# %% tags=["solution:05.1"]
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


# %% tags=["check:05.1"]
mlm.check("05.1", what_failed)


# %% tags=["mistake:05.1"]
# earns: the averages agree
def what_failed():
    return {"A": "slow chains", "B": "fine", "C": "unequal widths", "D": "one chain elsewhere"}


# %% tags=["mistake:05.1"]
# earns: run A
def what_failed():
    return {"A": "one chain elsewhere", "B": "unequal widths", "C": "fine", "D": "slow chains"}


# %% tags=["mistake:05.1"]
# earns: run D
def what_failed():
    return {"A": "slow chains", "B": "unequal widths", "C": "fine", "D": "slow chains"}


# %% tags=["mistake:05.1"]
# earns: nothing about run 'D'
def what_failed():
    return {"A": "slow chains", "B": "unequal widths", "C": "fine"}


# %% [markdown] tags=["task:05.2"]
# ## 05.2 How long must it run? (easy)
#
# A short run gave `n_draws` draws of a parameter, all chains together.
# Their standard deviation is `sd`, and the ESS of their mean is `ess`.
# You want to report the posterior mean with an MCSE of at most `target`.
# Assume that the ESS grows in proportion to the draws.
# How many draws do you need, all chains together and those that you have included?


# %% tags=["solution:05.2"]
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


# %% tags=["check:05.2"]
mlm.check("05.2", draws_needed)


# %% tags=["mistake:05.2"]
# earns: mind the square
def draws_needed(sd, ess, n_draws, target):
    mcse = sd / np.sqrt(ess)
    return int(np.ceil(n_draws * mcse / target))


# %% tags=["mistake:05.2"]
# earns: the ESS that you need
def draws_needed(sd, ess, n_draws, target):
    return int(np.ceil((sd / target) ** 2))


# %% tags=["mistake:05.2"]
# earns: how many draws to add
def draws_needed(sd, ess, n_draws, target):
    return int(np.ceil(n_draws * (sd / target) ** 2 / ess)) - n_draws


# %% tags=["mistake:05.2"]
# earns: rounded down
def draws_needed(sd, ess, n_draws, target):
    return int(n_draws * (sd / target) ** 2 / ess)


# %% [markdown] tags=["task:05.3"]
# ## 05.3 An R-hat for places and widths (medium)
#
# The R-hat that the notebook computes by hand compares averages.
# Chains that have the same average and different widths pass it.
# So compute R-hat twice: once of the draws, and once of their distances $|x - \text{median}|$ from the median of all draws of all chains.
# Return the larger of the two.
#
# Split every chain into its first and its last half.
# If the number of draws is odd, the draw in the middle belongs to neither half; it still counts for the median.
# Do not use ranks: for these draws, `az.rhat` gives a slightly different number.


# %% tags=["solution:05.3"]
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


# %% tags=["check:05.3"]
mlm.check("05.3", larger_rhat)


# %% tags=["mistake:05.3"]
# earns: the second R-hat is missing
def larger_rhat(draws):
    n = draws.shape[1] // 2
    halves = np.concatenate([draws[:, :n], draws[:, -n:]])
    within = halves.var(axis=1, ddof=1).mean()
    return np.sqrt(((n - 1) / n * within + halves.mean(axis=1).var(ddof=1)) / within)


# %% tags=["mistake:05.3"]
# earns: chains are not split
def larger_rhat(draws):
    def rhat(x):
        n = x.shape[1]
        within = x.var(axis=1, ddof=1).mean()
        return np.sqrt(((n - 1) / n * within + x.mean(axis=1).var(ddof=1)) / within)

    return max(rhat(draws), rhat(np.abs(draws - np.median(draws))))


# %% tags=["mistake:05.3"]
# earns: one median for all
def larger_rhat(draws):
    def rhat(x):
        n = x.shape[1] // 2
        halves = np.concatenate([x[:, :n], x[:, -n:]])
        within = halves.var(axis=1, ddof=1).mean()
        return np.sqrt(((n - 1) / n * within + halves.mean(axis=1).var(ddof=1)) / within)

    return max(rhat(draws), rhat(np.abs(draws - np.median(draws, axis=1, keepdims=True))))


# %% tags=["mistake:05.3"]
# earns: divide a variance by n - 1
def larger_rhat(draws):
    def rhat(x):
        n = x.shape[1] // 2
        halves = np.concatenate([x[:, :n], x[:, -n:]])
        within = halves.var(axis=1).mean()
        return np.sqrt(((n - 1) / n * within + halves.mean(axis=1).var()) / within)

    return max(rhat(draws), rhat(np.abs(draws - np.median(draws))))


# %% tags=["mistake:05.3"]
# earns: the middle draw (this case has an odd number
def larger_rhat(draws):
    def rhat(x):
        n = x.shape[1] // 2
        halves = np.concatenate([x[:, :n], x[:, n : 2 * n]])
        within = halves.var(axis=1, ddof=1).mean()
        return np.sqrt(((n - 1) / n * within + halves.mean(axis=1).var(ddof=1)) / within)

    return max(rhat(draws), rhat(np.abs(draws - np.median(draws))))


# %% [markdown] tags=["task:05.4"]
# ## 05.4 A p-value and its error (medium)
#
# A model says that totals are independent, $x_i \sim \text{Normal}(\mu, \sigma)$.
# You have draws of $\mu$ and $\sigma$ from its posterior, and the real totals.
# For each draw, simulate one new set of as many totals, and compute the statistic of each set.
# The *posterior predictive p-value* is the share of simulated sets whose statistic is at least that of the real totals.
#
# This share is an average over draws of a chain, one number for each draw.
# So it has an MCSE, which takes into account that neighbouring draws resemble each other.
# Return both.


# %% tags=["solution:05.4"]
def predictive_p(total, mu, sigma, statistic, rng):
    """Posterior predictive p-value, and its Monte Carlo standard error.

    total: array of float, shape (n,), the real totals
    mu, sigma: arrays of float, shape (chains, draws), draws from the posterior
    statistic: function of an array of shape (n,) that returns one float, such as np.max
    rng: numpy.random.Generator
    Returns a pair of floats: the p-value and its MCSE, such as (0.21, 0.02).
    """
    ### BEGIN SOLUTION: return the pair (p-value, its MCSE)
    simulated = np.empty(mu.shape)
    for i in np.ndindex(mu.shape):
        simulated[i] = statistic(rng.normal(mu[i], sigma[i], len(total)))
    at_least = (simulated >= statistic(total)).astype(float)
    return at_least.mean(), az.mcse(at_least)
    ### END SOLUTION


# %% tags=["check:05.4"]
mlm.check("05.4", predictive_p)


# %% tags=["mistake:05.4"]
# earns: the posterior's width is lost
def predictive_p(total, mu, sigma, statistic, rng):
    simulated = [statistic(rng.normal(mu.mean(), sigma.mean(), len(total))) for _ in range(mu.size)]
    at_least = (np.reshape(simulated, mu.shape) >= statistic(total)).astype(float)
    return at_least.mean(), az.mcse(at_least)


# %% tags=["mistake:05.4"]
# earns: takes draws as independent
def predictive_p(total, mu, sigma, statistic, rng):
    new = rng.normal(mu[..., None], sigma[..., None], (*mu.shape, len(total)))
    p = np.mean(np.apply_along_axis(statistic, -1, new) >= statistic(total))
    return p, np.sqrt(p * (1 - p) / mu.size)


# %% tags=["mistake:05.4"]
# earns: those above
def predictive_p(total, mu, sigma, statistic, rng):
    new = rng.normal(mu[..., None], sigma[..., None], (*mu.shape, len(total)))
    below = (np.apply_along_axis(statistic, -1, new) < statistic(total)).astype(float)
    return below.mean(), az.mcse(below)


# %% tags=["mistake:05.4"]
# earns: the average of something else
def predictive_p(total, mu, sigma, statistic, rng):
    new = rng.normal(mu[..., None], sigma[..., None], (*mu.shape, len(total)))
    simulated = np.apply_along_axis(statistic, -1, new)
    return np.mean(simulated >= statistic(total)), az.mcse(simulated)


# %% [markdown] tags=["task:05.5"]
# ## 05.5 Power-scaling by hand (hard)
#
# Raise the prior's density to the power $\alpha$ and leave the likelihood as it is: with $\alpha = 1.25$ the prior is stronger, with $\alpha = 0.8$ it is weaker.
# You have draws from the posterior, and the log density of the prior at each of them.
# No new fit is needed: give each draw a weight, so that weighted draws stand for the changed posterior.
# A draw's weight is the ratio of its changed posterior density to its present one, up to a factor that all draws share.
#
# Compare the two changed posteriors, the one for $\alpha = 1.25$ and the one for $\alpha = 0.8$.
# Compute two numbers:
#
# - the distance between their means, divided by the standard deviation of the unweighted draws;
# - the absolute difference of the logarithms of their standard deviations.
#
# Call the larger of the two the *sensitivity* to the prior.
# The sensitivity to the likelihood is the same with the likelihood raised to $\alpha$, and the prior left as it is.
#
# Then give a verdict.
# A sensitivity below 0.05 is small.
# The verdict is `"data"` if the sensitivity to the prior is small, `"prior"` if only the sensitivity to the likelihood is small, and `"both"` if neither is.
#
# Mind the size of the numbers: the log density of a model with many rows may be -9,000.


# %% tags=["solution:05.5"]
def prior_or_data(draws, log_prior, log_likelihood):
    """Sensitivities of a parameter's posterior, and what they say.

    draws: array of float, shape (S,), draws of one parameter from the posterior
    log_prior, log_likelihood: arrays of float, shape (S,), at each draw; the likelihood's is that of all rows together
    Returns three values: the sensitivity to the prior (float), that to the likelihood (float), and the verdict,
    one of the texts "data", "prior" and "both". For example, (0.003, 0.22, "data").
    """
    ### BEGIN SOLUTION: return three values, the sensitivities to prior and likelihood and a verdict

    def sensitivity(log_density):
        means, sds = [], []
        for power in (1.25, 0.8):
            log_weight = (power - 1) * log_density
            weight = np.exp(log_weight - log_weight.max())
            mean = np.average(draws, weights=weight)
            means.append(mean)
            sds.append(np.sqrt(np.average((draws - mean) ** 2, weights=weight)))
        return max(abs(means[0] - means[1]) / draws.std(), abs(np.log(sds[0] / sds[1])))

    prior, likelihood = sensitivity(log_prior), sensitivity(log_likelihood)
    verdict = "data" if prior < 0.05 else "prior" if likelihood < 0.05 else "both"
    return prior, likelihood, verdict
    ### END SOLUTION


# %% tags=["check:05.5"]
mlm.check("05.5", prior_or_data)


# %% tags=["mistake:05.5"]
# earns: only their ratios matter
def prior_or_data(draws, log_prior, log_likelihood):
    found = []
    for log_density in (log_prior, log_likelihood):
        (m_1, s_1), (m_2, s_2) = (
            (np.sum(w * draws) / w.sum(), np.sqrt(np.sum(w * draws**2) / w.sum() - (np.sum(w * draws) / w.sum()) ** 2))
            for w in (np.exp(0.25 * log_density), np.exp(-0.2 * log_density))
        )
        found.append(max(abs(m_1 - m_2) / draws.std(), abs(np.log(s_1 / s_2))))
    return *found, "data" if found[0] < 0.05 else "prior" if found[1] < 0.05 else "both"


# %% tags=["mistake:05.5"]
# earns: carry the density once already
def prior_or_data(draws, log_prior, log_likelihood):
    def sensitivity(log_density):
        means, sds = [], []
        for power in (1.25, 0.8):
            weight = np.exp(power * (log_density - log_density.max()))
            means.append(np.average(draws, weights=weight))
            sds.append(np.sqrt(np.average((draws - means[-1]) ** 2, weights=weight)))
        return max(abs(means[0] - means[1]) / draws.std(), abs(np.log(sds[0] / sds[1])))

    prior, likelihood = sensitivity(log_prior), sensitivity(log_likelihood)
    return prior, likelihood, "data" if prior < 0.05 else "prior" if likelihood < 0.05 else "both"


# %% tags=["mistake:05.5"]
# earns: the width changes more
def prior_or_data(draws, log_prior, log_likelihood):
    def sensitivity(log_density):
        relative = log_density - log_density.mean()
        strong, weak = (np.average(draws, weights=np.exp((power - 1) * relative)) for power in (1.25, 0.8))
        return abs(strong - weak) / draws.std()

    prior, likelihood = sensitivity(log_prior), sensitivity(log_likelihood)
    return prior, likelihood, "data" if prior < 0.05 else "prior" if likelihood < 0.05 else "both"


# %% tags=["mistake:05.5"]
# earns: does not go with them
def prior_or_data(draws, log_prior, log_likelihood):
    def sensitivity(log_density):
        means, sds = [], []
        for power in (1.25, 0.8):
            weight = np.exp((power - 1) * (log_density - log_density.mean()))
            means.append(np.average(draws, weights=weight))
            sds.append(np.sqrt(np.average((draws - means[-1]) ** 2, weights=weight)))
        return max(abs(means[0] - means[1]) / draws.std(), abs(np.log(sds[0] / sds[1])))

    prior, likelihood = sensitivity(log_prior), sensitivity(log_likelihood)
    return prior, likelihood, "data" if prior < likelihood else "prior"
