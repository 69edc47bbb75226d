# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises 08: Checking a model
#
# These exercises belong to [notebook 08](../08_checking_a_model.ipynb).
# In each task, replace the line `raise NotImplementedError(...)` by your code, run the cell, and run the check below it.
# A check says that your answer is right, or gives a hint.
# It tries your function with inputs of its own, so an answer that fits one example only will not pass.
#
# An *aim* is the number of an item in the notebook's list *You will learn*.
#
# | task | aim | what it practises | points |
# |---|---|---|---|
# | 08.1 | 4 | say what a check of coverage could have noticed | 1 |
# | 08.2 | 1 | check a model by the data that it predicts, and know the error of the check | 2 |
# | 08.3 | 3 | compare two models row by row, and find the rows that spoil it | 2 |
# | 08.4 | 2 | fit a model, doubt it, improve it, and hand over the better posterior | 3 |
# | 08.5 | 5 | ask whether a conclusion comes from the prior or from the data | 3 |

# %%
import arviz as az
import numpy as np
import pymc as pm
from scipy import stats

import mlm_tutorial as mlm

# %% [markdown] tags=["task:08.1"]
# ## 08.1 Would the alarm have rung? (easy)
#
# A simulation study counts in how many of `replicates` data sets an interval contains the truth.
# The interval promises the coverage `nominal`.
# If it keeps the promise, the count has a binomial distribution.
# The study rings an alarm if the count is below the lower or above the upper limit.
# The limits are the quantiles `false_alarm / 2` and `1 - false_alarm / 2` of that distribution, as `scipy.stats.binom.ppf` gives them.
#
# The true coverage is `coverage`.
# How probable is an alarm?


# %% tags=["solution:08.1"]
def alarm_probability(replicates, coverage, nominal, false_alarm):
    """Probability that the study rings an alarm.

    replicates: int
    coverage, nominal, false_alarm: float between 0 and 1
    Returns one float. For example, alarm_probability(60, 0.6, 0.89, 0.001) is about 0.978.
    """
    ### BEGIN SOLUTION: return the probability of a count outside the limits
    lower, upper = stats.binom.ppf([false_alarm / 2, 1 - false_alarm / 2], replicates, nominal)
    return stats.binom.cdf(lower - 1, replicates, coverage) + stats.binom.sf(upper, replicates, coverage)
    ### END SOLUTION


# %% tags=["check:08.1"]
mlm.check("08.1", alarm_probability)


# %% tags=["mistake:08.1"]
# earns: stays silent
def alarm_probability(replicates, coverage, nominal, false_alarm):
    lower, upper = stats.binom.ppf([false_alarm / 2, 1 - false_alarm / 2], replicates, nominal)
    return stats.binom.cdf(upper, replicates, coverage) - stats.binom.cdf(lower - 1, replicates, coverage)


# %% tags=["mistake:08.1"]
# earns: the true coverage has no part in it
def alarm_probability(replicates, coverage, nominal, false_alarm):
    lower, upper = stats.binom.ppf([false_alarm / 2, 1 - false_alarm / 2], replicates, nominal)
    return stats.binom.cdf(lower - 1, replicates, nominal) + stats.binom.sf(upper, replicates, nominal)


# %% tags=["mistake:08.1"]
# earns: a count at the lower limit is still within
def alarm_probability(replicates, coverage, nominal, false_alarm):
    lower, upper = stats.binom.ppf([false_alarm / 2, 1 - false_alarm / 2], replicates, nominal)
    return stats.binom.cdf(lower, replicates, coverage) + stats.binom.sf(upper, replicates, coverage)


# %% tags=["mistake:08.1"]
# earns: the false alarm is shared by both ends
def alarm_probability(replicates, coverage, nominal, false_alarm):
    lower, upper = stats.binom.ppf([false_alarm, 1 - false_alarm], replicates, nominal)
    return stats.binom.cdf(lower - 1, replicates, coverage) + stats.binom.sf(upper, replicates, coverage)


# %% tags=["mistake:08.1"]
# earns: this counts low coverage only
def alarm_probability(replicates, coverage, nominal, false_alarm):
    lower = stats.binom.ppf(false_alarm / 2, replicates, nominal)
    return stats.binom.cdf(lower - 1, replicates, coverage)


# %% [markdown] tags=["task:08.2"]
# ## 08.2 A p-value and its error (medium)
#
# A model says that totals are independent, $x_i \sim \text{Normal}(\mu, \sigma)$.
# You have draws of $\mu$ and $\sigma$ from its posterior, and the real totals.
# For each draw, simulate one new set of as many totals, and compute the statistic of each set.
# The *posterior predictive p-value* is the share of simulated sets whose statistic is at least that of the real totals.
#
# This share is an average over draws of chains, one number for each draw.
# So it has an MCSE, which `az.mcse` computes from an array of shape (chains, draws); it takes into account that neighboring draws resemble each other.
# Return both.


# %% tags=["solution:08.2"]
def predictive_p(total, mu, sigma, statistic, rng):
    """Posterior predictive p-value, and its Monte Carlo standard error.

    total: array of float, shape (n,), the real totals
    mu, sigma: arrays of float, shape (chains, draws), draws from the posterior
    statistic: function of an array of shape (n,) that returns one float, such as np.max
    rng: numpy.random.Generator, the source of all new totals
    Returns a pair of floats: the p-value and its MCSE, such as (0.21, 0.02).
    """
    ### BEGIN SOLUTION: return the pair (p-value, its MCSE)
    simulated = np.empty(mu.shape)
    for i in np.ndindex(mu.shape):
        simulated[i] = statistic(rng.normal(mu[i], sigma[i], len(total)))
    at_least = (simulated >= statistic(total)).astype(float)
    return at_least.mean(), az.mcse(at_least)
    ### END SOLUTION


# %% tags=["check:08.2"]
mlm.check("08.2", predictive_p)


# %% tags=["mistake:08.2"]
# earns: the posterior's width is lost
def predictive_p(total, mu, sigma, statistic, rng):
    simulated = [statistic(rng.normal(mu.mean(), sigma.mean(), len(total))) for _ in range(mu.size)]
    at_least = (np.reshape(simulated, mu.shape) >= statistic(total)).astype(float)
    return at_least.mean(), az.mcse(at_least)


# %% tags=["mistake:08.2"]
# earns: takes draws as independent
def predictive_p(total, mu, sigma, statistic, rng):
    new = rng.normal(mu[..., None], sigma[..., None], (*mu.shape, len(total)))
    p = np.mean(np.apply_along_axis(statistic, -1, new) >= statistic(total))
    return p, np.sqrt(p * (1 - p) / mu.size)


# %% tags=["mistake:08.2"]
# earns: those above
def predictive_p(total, mu, sigma, statistic, rng):
    new = rng.normal(mu[..., None], sigma[..., None], (*mu.shape, len(total)))
    below = (np.apply_along_axis(statistic, -1, new) < statistic(total)).astype(float)
    return below.mean(), az.mcse(below)


# %% tags=["mistake:08.2"]
# earns: the average of something else
def predictive_p(total, mu, sigma, statistic, rng):
    new = rng.normal(mu[..., None], sigma[..., None], (*mu.shape, len(total)))
    simulated = np.apply_along_axis(statistic, -1, new)
    return np.mean(simulated >= statistic(total)), az.mcse(simulated)


# %% tags=["mistake:08.2"]
# earns: MCSE of a standard deviation
def predictive_p(total, mu, sigma, statistic, rng):
    new = rng.normal(mu[..., None], sigma[..., None], (*mu.shape, len(total)))
    above = (np.apply_along_axis(statistic, -1, new) >= statistic(total)).astype(float)
    return above.mean(), az.mcse(above, method="sd")


# %% tags=["mistake:08.2"]
# earns: the ESS belongs to what is averaged
def predictive_p(total, mu, sigma, statistic, rng):
    new = rng.normal(mu[..., None], sigma[..., None], (*mu.shape, len(total)))
    above = (np.apply_along_axis(statistic, -1, new) >= statistic(total)).astype(float)
    return above.mean(), above.std() / np.sqrt(az.ess(mu))


# %% tags=["mistake:08.2"]
# earns: the MCSE is off
def predictive_p(total, mu, sigma, statistic, rng):
    new = rng.normal(mu[..., None], sigma[..., None], (*mu.shape, len(total)))
    above = (np.apply_along_axis(statistic, -1, new) >= statistic(total)).astype(float)
    return above.mean(), 1.5 * az.mcse(above)


# %% tags=["mistake:08.2"]
# earns: a new set has as many totals as the real one
def predictive_p(total, mu, sigma, statistic, rng):
    new = rng.normal(mu, sigma)
    above = np.array([[statistic(x[None]) >= statistic(total) for x in chain] for chain in new]).astype(float)
    return above.mean(), az.mcse(above)


# %% tags=["mistake:08.2"]
# earns: from the generator rng
def predictive_p(total, mu, sigma, statistic, rng):
    new = np.random.default_rng(0).normal(mu[..., None], sigma[..., None], (*mu.shape, len(total)))
    above = (np.apply_along_axis(statistic, -1, new) >= statistic(total)).astype(float)
    return above.mean(), az.mcse(above)


# %% [markdown] tags=["task:08.3"]
# ## 08.3 Which model predicts better, and by how much? (medium)
#
# Two models were fitted to the same n rows.
# For each row you have the log predictive density that each model gives to it when it is left out, and the Pareto k of each estimate.
# Return three things: the difference of the two ELPD (first minus second), its standard error, and the rows for which PSIS cannot be trusted in one model at least, by the notebook's limit.
# Rows count from 0.
# For the standard error, take the rows' differences as independent draws.


# %% tags=["solution:08.3"]
def compare_pointwise(elpd_a, elpd_b, k_a, k_b):
    """Difference of two expected log predictive densities, its standard error, and rows not to be trusted.

    elpd_a, elpd_b, k_a, k_b: arrays of float, shape (n,)
    Returns three values: two floats and a list of whole numbers, such as (12.3, 4.5, [7, 30]).
    """
    ### BEGIN SOLUTION: return three values, the difference, its standard error and a list of rows
    difference = elpd_a - elpd_b
    rows = np.flatnonzero((k_a > 0.7) | (k_b > 0.7))
    return difference.sum(), np.sqrt(len(difference)) * difference.std(), rows.tolist()
    ### END SOLUTION


# %% tags=["check:08.3"]
mlm.check("08.3", compare_pointwise)


# %% tags=["mistake:08.3"]
# earns: compare row by row
def compare_pointwise(elpd_a, elpd_b, k_a, k_b):
    n = len(elpd_a)
    se = np.sqrt(n * elpd_a.var() + n * elpd_b.var())
    return elpd_a.sum() - elpd_b.sum(), se, np.flatnonzero((k_a > 0.7) | (k_b > 0.7)).tolist()


# %% tags=["mistake:08.3"]
# earns: the error of an average over rows
def compare_pointwise(elpd_a, elpd_b, k_a, k_b):
    difference = elpd_a - elpd_b
    se = difference.std() / np.sqrt(len(difference))
    return difference.sum(), se, np.flatnonzero((k_a > 0.7) | (k_b > 0.7)).tolist()


# %% tags=["mistake:08.3"]
# earns: this is an average
def compare_pointwise(elpd_a, elpd_b, k_a, k_b):
    difference = elpd_a - elpd_b
    return difference.mean(), difference.std(), np.flatnonzero((k_a > 0.7) | (k_b > 0.7)).tolist()


# %% tags=["mistake:08.3"]
# earns: the second model minus the first
def compare_pointwise(elpd_a, elpd_b, k_a, k_b):
    difference = elpd_b - elpd_a
    se = np.sqrt(len(difference)) * difference.std()
    return difference.sum(), se, np.flatnonzero((k_a > 0.7) | (k_b > 0.7)).tolist()


# %% tags=["mistake:08.3"]
# earns: the second model has rows that PSIS cannot leave out
def compare_pointwise(elpd_a, elpd_b, k_a, k_b):
    difference = elpd_a - elpd_b
    se = np.sqrt(len(difference)) * difference.std()
    return difference.sum(), se, np.flatnonzero(k_a > 0.7).tolist()


# %% tags=["mistake:08.3"]
# earns: limit for k is larger
def compare_pointwise(elpd_a, elpd_b, k_a, k_b):
    difference = elpd_a - elpd_b
    se = np.sqrt(len(difference)) * difference.std()
    return difference.sum(), se, np.flatnonzero((k_a > 0.5) | (k_b > 0.5)).tolist()


# %% [markdown] tags=["task:08.4"]
# ## 08.4 A model that survives a flat tire (hard)
#
# `minutes` holds how late 80 parcels were.
# Most tours went as planned, and a few met a flat tire or an empty motorway.
# Two models are on the table, both with the priors `mu ~ Normal(0, 20)` and `sigma ~ HalfNormal(10)`:
#
# - every total is `Normal(mu, sigma)`;
# - every total has a Student t distribution with 4 degrees of freedom, center `mu` and scale `sigma`.
#
# Fit both, and compare them by leave-one-out.
# Return the posterior of the one that predicts better, with variables `mu` and `sigma`, and by how much its ELPD is larger.
# The run that you return must pass `mlm.check_convergence`.


# %% tags=["solution:08.4"]
def better_model(minutes, seed):
    """Posterior of the model that predicts better, and its advantage in ELPD.

    minutes: array of float, shape (80,)
    seed: int, for mlm.sample(model, seed=seed)
    Returns a pair: what mlm.sample returns, and a float such as 3.2.
    """
    ### BEGIN SOLUTION: return the pair (posterior of the better model, difference of the two ELPD)
    idata, elpd = {}, {}
    for name in ("t", "normal"):
        with pm.Model() as model:
            mu = pm.Normal("mu", 0, 20)
            sigma = pm.HalfNormal("sigma", 10)
            if name == "t":
                pm.StudentT("minutes", nu=4, mu=mu, sigma=sigma, observed=minutes)
            else:
                pm.Normal("minutes", mu, sigma, observed=minutes)
        idata[name] = mlm.sample(model, seed=seed)
        pm.compute_log_likelihood(idata[name], model=model, progressbar=False)
        elpd[name] = az.loo(idata[name])
    mlm.check_convergence(idata["t"])
    gain = elpd["t"].elpd - elpd["normal"].elpd
    return (idata["t"], gain) if gain > 0 else (idata["normal"], -gain)
    ### END SOLUTION


# %% tags=["check:08.4"]
mlm.check("08.4", better_model)


# %% tags=["mistake:08.4"]
# earns: the posterior of the other model
def better_model(minutes, seed):
    idata, elpd = {}, {}
    for name in ("t", "normal"):
        with pm.Model() as model:
            mu = pm.Normal("mu", 0, 20)
            sigma = pm.HalfNormal("sigma", 10)
            if name == "t":
                pm.StudentT("minutes", nu=4, mu=mu, sigma=sigma, observed=minutes)
            else:
                pm.Normal("minutes", mu, sigma, observed=minutes)
        idata[name] = mlm.sample(model, seed=seed)
        pm.compute_log_likelihood(idata[name], model=model, progressbar=False)
        elpd[name] = az.loo(idata[name])
    return idata["normal"], elpd["t"].elpd - elpd["normal"].elpd


# %% tags=["mistake:08.4"]
# earns: the normal model minus the other one
def better_model(minutes, seed):
    idata, elpd = {}, {}
    for name in ("t", "normal"):
        with pm.Model() as model:
            mu = pm.Normal("mu", 0, 20)
            sigma = pm.HalfNormal("sigma", 10)
            if name == "t":
                pm.StudentT("minutes", nu=4, mu=mu, sigma=sigma, observed=minutes)
            else:
                pm.Normal("minutes", mu, sigma, observed=minutes)
        idata[name] = mlm.sample(model, seed=seed)
        pm.compute_log_likelihood(idata[name], model=model, progressbar=False)
        elpd[name] = az.loo(idata[name])
    return idata["t"], elpd["normal"].elpd - elpd["t"].elpd


# %% tags=["mistake:08.4"]
# earns: leave one out
def better_model(minutes, seed):
    idata, elpd = {}, {}
    for name in ("t", "normal"):
        with pm.Model() as model:
            mu = pm.Normal("mu", 0, 20)
            sigma = pm.HalfNormal("sigma", 10)
            if name == "t":
                pm.StudentT("minutes", nu=4, mu=mu, sigma=sigma, observed=minutes)
            else:
                pm.Normal("minutes", mu, sigma, observed=minutes)
        idata[name] = mlm.sample(model, seed=seed)
        pm.compute_log_likelihood(idata[name], model=model, progressbar=False)
        density = idata[name]["log_likelihood"]["minutes"]
        elpd[name] = np.log(np.exp(density).mean(["chain", "draw"])).sum().item()
    return idata["t"], elpd["t"] - elpd["normal"]


# %% tags=["mistake:08.4"]
# earns: tails are lighter than those of the text
def better_model(minutes, seed):
    idata, elpd = {}, {}
    for name in ("t", "normal"):
        with pm.Model() as model:
            mu = pm.Normal("mu", 0, 20)
            sigma = pm.HalfNormal("sigma", 10)
            if name == "t":
                pm.StudentT("minutes", nu=30, mu=mu, sigma=sigma, observed=minutes)
            else:
                pm.Normal("minutes", mu, sigma, observed=minutes)
        idata[name] = mlm.sample(model, seed=seed)
        pm.compute_log_likelihood(idata[name], model=model, progressbar=False)
        elpd[name] = az.loo(idata[name])
    return idata["t"], elpd["t"].elpd - elpd["normal"].elpd


# %% [markdown] tags=["task:08.5"]
# ## 08.5 Power-scaling by hand (hard)
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
# Divide the larger of the two by the number of *doublings* that lead from 0.8 to 1.25, $\log_2(1.25 / 0.8)$.
# Call this the *sensitivity* to the prior.
# The sensitivity to the likelihood is the same with the likelihood raised to $\alpha$, and the prior left as it is.
#
# Then give a verdict.
# A sensitivity below `limit` is small.
# The verdict is `"both"` if neither is small, `"data"` if only the sensitivity to the prior is small, `"prior"` if only that to the likelihood is, and `"neither"` if both are.
# (ArviZ compares whole distributions, not means and widths, so its numbers are smaller: for normal posteriors its limit of 0.05 is a move of about a quarter of a standard deviation a doubling.)
#
# Mind the size of the numbers: the log density of a model with many rows may be -9,000.


# %% tags=["solution:08.5"]
def prior_or_data(draws, log_prior, log_likelihood, limit):
    """Sensitivities of a parameter's posterior, and what they say.

    draws: array of float, shape (S,), draws of one parameter from the posterior
    log_prior, log_likelihood: arrays of float, shape (S,), at each draw; the likelihood's is that of all rows together
    limit: float, below which a sensitivity is small
    Returns three values: the sensitivity to the prior (float), that to the likelihood (float), and the verdict,
    one of the texts "data", "prior", "both" and "neither". For example, (0.003, 0.72, "data").
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
        larger = max(abs(means[0] - means[1]) / draws.std(), abs(np.log(sds[0] / sds[1])))
        return larger / np.log2(1.25 / 0.8)

    prior, likelihood = sensitivity(log_prior), sensitivity(log_likelihood)
    names = {(False, False): "both", (True, False): "data", (False, True): "prior", (True, True): "neither"}
    return prior, likelihood, names[bool(prior < limit), bool(likelihood < limit)]
    ### END SOLUTION


# %% tags=["check:08.5"]
mlm.check("08.5", prior_or_data)


# %% tags=["mistake:08.5"]
# earns: carry the density once already
def prior_or_data(draws, log_prior, log_likelihood, limit):
    def sensitivity(log_density):
        means, sds = [], []
        for power in (1.25, 0.8):
            weight = np.exp(power * (log_density - log_density.max()))
            means.append(np.average(draws, weights=weight))
            sds.append(np.sqrt(np.average((draws - means[-1]) ** 2, weights=weight)))
        return max(abs(means[0] - means[1]) / draws.std(), abs(np.log(sds[0] / sds[1]))) / np.log2(1.25 / 0.8)

    prior, likelihood = sensitivity(log_prior), sensitivity(log_likelihood)
    names = {(False, False): "both", (True, False): "data", (False, True): "prior", (True, True): "neither"}
    return prior, likelihood, names[bool(prior < limit), bool(likelihood < limit)]


# %% tags=["mistake:08.5"]
# earns: is about the weighted mean
def prior_or_data(draws, log_prior, log_likelihood, limit):
    def sensitivity(log_density):
        means, sds = [], []
        for power in (1.25, 0.8):
            weight = np.exp((power - 1) * (log_density - log_density.mean()))
            means.append(np.average(draws, weights=weight))
            sds.append(np.sqrt(np.average((draws - draws.mean()) ** 2, weights=weight)))
        return max(abs(means[0] - means[1]) / draws.std(), abs(np.log(sds[0] / sds[1]))) / np.log2(1.25 / 0.8)

    prior, likelihood = sensitivity(log_prior), sensitivity(log_likelihood)
    names = {(False, False): "both", (True, False): "data", (False, True): "prior", (True, True): "neither"}
    return prior, likelihood, names[bool(prior < limit), bool(likelihood < limit)]


# %% tags=["mistake:08.5"]
# earns: the width changes more
def prior_or_data(draws, log_prior, log_likelihood, limit):
    def sensitivity(log_density):
        means, sds = [], []
        for power in (1.25, 0.8):
            weight = np.exp((power - 1) * (log_density - log_density.mean()))
            means.append(np.average(draws, weights=weight))
            sds.append(np.sqrt(np.average((draws - means[-1]) ** 2, weights=weight)))
        return abs(means[0] - means[1]) / draws.std() / np.log2(1.25 / 0.8)

    prior, likelihood = sensitivity(log_prior), sensitivity(log_likelihood)
    names = {(False, False): "both", (True, False): "data", (False, True): "prior", (True, True): "neither"}
    return prior, likelihood, names[bool(prior < limit), bool(likelihood < limit)]


# %% tags=["mistake:08.5"]
# earns: counts per doubling of the power
def prior_or_data(draws, log_prior, log_likelihood, limit):
    def sensitivity(log_density):
        means, sds = [], []
        for power in (1.25, 0.8):
            weight = np.exp((power - 1) * (log_density - log_density.mean()))
            means.append(np.average(draws, weights=weight))
            sds.append(np.sqrt(np.average((draws - means[-1]) ** 2, weights=weight)))
        return max(abs(means[0] - means[1]) / draws.std(), abs(np.log(sds[0] / sds[1])))

    prior, likelihood = sensitivity(log_prior), sensitivity(log_likelihood)
    names = {(False, False): "both", (True, False): "data", (False, True): "prior", (True, True): "neither"}
    return prior, likelihood, names[bool(prior < limit), bool(likelihood < limit)]


# %% tags=["mistake:08.5"]
# earns: neither moves the estimate
def prior_or_data(draws, log_prior, log_likelihood, limit):
    def sensitivity(log_density):
        means, sds = [], []
        for power in (1.25, 0.8):
            weight = np.exp((power - 1) * (log_density - log_density.mean()))
            means.append(np.average(draws, weights=weight))
            sds.append(np.sqrt(np.average((draws - means[-1]) ** 2, weights=weight)))
        return max(abs(means[0] - means[1]) / draws.std(), abs(np.log(sds[0] / sds[1]))) / np.log2(1.25 / 0.8)

    prior, likelihood = sensitivity(log_prior), sensitivity(log_likelihood)
    return prior, likelihood, "data" if prior < limit else "prior" if likelihood < limit else "both"


# %% tags=["mistake:08.5"]
# earns: the verdict is not
def prior_or_data(draws, log_prior, log_likelihood, limit):
    def sensitivity(log_density):
        means, sds = [], []
        for power in (1.25, 0.8):
            weight = np.exp((power - 1) * (log_density - log_density.mean()))
            means.append(np.average(draws, weights=weight))
            sds.append(np.sqrt(np.average((draws - means[-1]) ** 2, weights=weight)))
        return max(abs(means[0] - means[1]) / draws.std(), abs(np.log(sds[0] / sds[1]))) / np.log2(1.25 / 0.8)

    prior, likelihood = sensitivity(log_prior), sensitivity(log_likelihood)
    names = {(False, False): "both", (True, False): "data", (False, True): "prior", (True, True): "neither"}
    return prior, likelihood, names[bool(prior < 0.25), bool(likelihood < 0.25)]


# %% tags=["mistake:08.5"]
# earns: only their ratios matter
def prior_or_data(draws, log_prior, log_likelihood, limit):
    found = []
    for log_density in (log_prior, log_likelihood):
        means = [np.sum(w * draws) / w.sum() for w in (np.exp(0.25 * log_density), np.exp(-0.2 * log_density))]
        found.append(abs(means[0] - means[1]) / draws.std())
    return *found, "data"
