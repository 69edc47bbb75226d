# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises 13: Partial pooling
#
# These exercises belong to [notebook 13](../13_partial_pooling.ipynb).
# In each task, replace the line `raise NotImplementedError(...)` by your code, run the cell, and run the check below it.
# A check says that your answer is right, or gives a hint.
# It tries your function with inputs of its own, so an answer that fits one example only will not pass.
#
# An *aim* is the number of an item in the notebook's list *You will learn*.
#
# | task | aim | what it practises | points |
# |---|---|---|---|
# | 13.1 | 1 | compute complete, no and partial pooling, with a county that has no home | 1 |
# | 13.2 | 3 | predict homes of a county that was never measured | 2 |
# | 13.3 | 4 | choose centered or non-centered for each contributor by how much its data say | 2 |
# | 13.4 | 5 | decide which counties should build pipes | 2 |
# | 13.5 | 2 | write a partially pooled model with a predictor, sample it and check it | 3 |
# | 13.6 | 2 | find the slopes that the rows can tell, and compare contributors with them | 3 |

# %%
import numpy as np
import pandas as pd
import pymc as pm
from scipy import stats

import mlm_tutorial as mlm

# %% [markdown] tags=["task:13.1"]
# ## 13.1 Three estimates, and a county without homes (easy)
#
# Home `i` is in county `county[i]` and has the log radon `y[i]`, in a basement.
# Some of the counties 0, 1, ... have no home among the data.
# (A county has its number whether or not anybody measured there.)
# The standard deviations `tau` (between counties) and `sigma` (between homes of a county) are known.
# Return three estimates of every county's level.
#
# - `complete`: the average of all homes.
# - `no`: the average of the county's own homes.
# - `partial`: a weighted average of the county's own average and `mu_baseline`.
#   A county with $n_k$ homes gives its own average the weight $w_k = n_k\tau^2/(n_k\tau^2 + \sigma^2)$.
#
# For `mu_baseline` take the average of the counties' own averages, weighted by $w_k$.
# Where an estimate has no answer for a county, return `np.nan`.


# %% tags=["solution:13.1"]
def three_estimates(y, county, n_counties, tau, sigma):
    """Complete, no and partial pooling of the counties' levels.

    y: array of float, shape (homes,); log radon
    county: array of int, shape (homes,); county of each home, from 0 to n_counties - 1
    n_counties: int
    tau, sigma: float; standard deviation between counties, and between homes of a county
    Returns a pandas.DataFrame with n_counties rows, in order, and the columns complete, no and partial.
    For y = [1, 2, 3] and county = [0, 0, 1], with n_counties = 3, tau = 1 and sigma = 1, the column partial is
    [1.714, 2.571, 2.143], rounded.
    """
    ### BEGIN SOLUTION: return a pandas DataFrame with the columns complete, no and partial, one row a county
    n = np.bincount(county, minlength=n_counties)
    own = pd.Series(y).groupby(county).mean().reindex(range(n_counties))
    weight = n * tau**2 / (n * tau**2 + sigma**2)
    mu_baseline = np.sum(weight * own.fillna(0)) / np.sum(weight)
    partial = weight * own.fillna(0) + (1 - weight) * mu_baseline
    return pd.DataFrame({"complete": np.mean(y), "no": own, "partial": partial})
    ### END SOLUTION


# %% tags=["check:13.1"]
mlm.check("13.1", three_estimates)


# %% tags=["mistake:13.1"]
# earns: has no homes, and counts
def three_estimates(y, county, n_counties, tau, sigma):
    own = pd.Series(y).groupby(county).agg(["size", "mean"])
    weight = own["size"] * tau**2 / (own["size"] * tau**2 + sigma**2)
    mu = np.average(own["mean"], weights=weight)
    return pd.DataFrame(
        {"complete": np.mean(y), "no": own["mean"], "partial": weight * own["mean"] + (1 - weight) * mu}
    )


# %% tags=["mistake:13.1"]
# earns: complete pooling knows no counties
def three_estimates(y, county, n_counties, tau, sigma):
    own = pd.Series(y).groupby(county).mean().reindex(range(n_counties))
    return pd.DataFrame({"complete": own.mean(), "no": own, "partial": own})


# %% tags=["mistake:13.1"]
# earns: NaN is how to say so
def three_estimates(y, county, n_counties, tau, sigma):
    n = np.bincount(county, minlength=n_counties)
    own = np.bincount(county, weights=y, minlength=n_counties) / np.maximum(n, 1)
    return pd.DataFrame({"complete": np.mean(y), "no": own, "partial": own})


# %% tags=["mistake:13.1"]
# earns: partial pooling has an estimate for it
def three_estimates(y, county, n_counties, tau, sigma):
    n = np.bincount(county, minlength=n_counties)
    own = pd.Series(y).groupby(county).mean().reindex(range(n_counties))
    weight = n * tau**2 / (n * tau**2 + sigma**2)
    mu = np.nansum(weight * own) / weight.sum()
    return pd.DataFrame({"complete": np.mean(y), "no": own, "partial": weight * own + (1 - weight) * mu})


# %% tags=["mistake:13.1"]
# earns: shrink to the average of homes
def three_estimates(y, county, n_counties, tau, sigma):
    n = np.bincount(county, minlength=n_counties)
    own = pd.Series(y).groupby(county).mean().reindex(range(n_counties))
    weight = n * tau**2 / (n * tau**2 + sigma**2)
    partial = weight * own.fillna(0) + (1 - weight) * np.mean(y)
    return pd.DataFrame({"complete": np.mean(y), "no": own, "partial": partial})


# %% tags=["mistake:13.1"]
# earns: has no homes, and counts
def three_estimates(y, county, n_counties, tau, sigma):
    n = np.bincount(county)
    own = np.bincount(county, weights=y) / np.where(n > 0, n, np.nan)
    weight = n * tau**2 / (n * tau**2 + sigma**2)
    mu = np.nansum(weight * own) / weight.sum()
    partial = np.where(n > 0, weight * own, 0) + (1 - weight) * mu
    return pd.DataFrame({"complete": np.mean(y), "no": own, "partial": partial})


# %% tags=["mistake:13.1"]
# earns: weights are made of variances
def three_estimates(y, county, n_counties, tau, sigma):
    n = np.bincount(county, minlength=n_counties)
    own = pd.Series(y).groupby(county).mean().reindex(range(n_counties))
    weight = n * tau / (n * tau + sigma)
    mu = np.sum(weight * own.fillna(0)) / weight.sum()
    partial = weight * own.fillna(0) + (1 - weight) * mu
    return pd.DataFrame({"complete": np.mean(y), "no": own, "partial": partial})


# %% tags=["mistake:13.1"]
# earns: the formula says what is left
def three_estimates(y, county, n_counties, tau, sigma):
    n = np.bincount(county, minlength=n_counties)
    own = pd.Series(y).groupby(county).mean().reindex(range(n_counties))
    weight = n * tau**2 / (n * tau**2 + sigma**2)
    mu = np.nansum(weight * own) / weight.sum()
    partial = (weight * own + (1 - weight) * mu).fillna(np.mean(y))
    return pd.DataFrame({"complete": np.mean(y), "no": own, "partial": partial})


# %% [markdown] tags=["task:13.2"]
# ## 13.2 Neighbors in a new county (medium)
#
# A county was never measured, but the uranium in its soil is known.
# You have posterior draws of the notebook's model with uranium.
# Predict `homes` basements of this *one* county, each in pCi/L, jointly.
# Row `s` of the result uses draw `s` of the parameters.


# %% tags=["solution:13.2"]
def predict_homes(mu_baseline, uranium_effect, tau, sigma, log_uranium, homes, rng):
    """Draws of the radon in several homes of one new county.

    mu_baseline, uranium_effect, tau, sigma: arrays of float, shape (draws,); posterior draws
    log_uranium: float, of the new county
    homes: int, number of homes to predict
    rng: numpy.random.Generator
    Returns an array of shape (draws, homes), radon in pCi/L and not in log pCi/L. For example, one draw with the
    parameters 1.0, 0.5, 0.0 and 0.0 puts every home of a county whose log_uranium is 2.0 at exp(2.0), which is 7.39.
    """
    ### BEGIN SOLUTION: draw the county's level, then its homes, and return their radon, shape (draws, homes)
    level = rng.normal(mu_baseline + uranium_effect * log_uranium, tau)
    log_radon = rng.normal(level[:, None], sigma[:, None], size=(len(level), homes))
    return np.exp(log_radon)
    ### END SOLUTION


# %% tags=["check:13.2"]
mlm.check("13.2", predict_homes)


# %% tags=["mistake:13.2"]
# earns: counties of the same soil differ
def predict_homes(mu_baseline, uranium_effect, tau, sigma, log_uranium, homes, rng):
    level = mu_baseline + uranium_effect * log_uranium
    return np.exp(rng.normal(level[:, None], sigma[:, None], size=(len(level), homes)))


# %% tags=["mistake:13.2"]
# earns: every home has a level of its own
def predict_homes(mu_baseline, uranium_effect, tau, sigma, log_uranium, homes, rng):
    center = (mu_baseline + uranium_effect * log_uranium)[:, None]
    level = rng.normal(center, tau[:, None], size=(len(tau), homes))
    return np.exp(rng.normal(level, sigma[:, None]))


# %% tags=["mistake:13.2"]
# earns: still logarithms
def predict_homes(mu_baseline, uranium_effect, tau, sigma, log_uranium, homes, rng):
    level = rng.normal(mu_baseline + uranium_effect * log_uranium, tau)
    return rng.normal(level[:, None], sigma[:, None], size=(len(level), homes))


# %% tags=["mistake:13.2"]
# earns: but not the shape
def predict_homes(mu_baseline, uranium_effect, tau, sigma, log_uranium, homes, rng):
    level = mu_baseline + uranium_effect * log_uranium + tau * rng.choice([-1, 1], len(tau))
    return np.exp(rng.normal(level[:, None], sigma[:, None], size=(len(level), homes)))


# %% tags=["mistake:13.2"]
# earns: but not the shape
def predict_homes(mu_baseline, uranium_effect, tau, sigma, log_uranium, homes, rng):
    level = rng.normal(mu_baseline + uranium_effect * log_uranium, tau)
    return np.exp(level[:, None] + sigma[:, None] * rng.choice([-1, 1], (len(level), homes)))


# %% tags=["mistake:13.2"]
# earns: what is uncertain about them belongs in
def predict_homes(mu_baseline, uranium_effect, tau, sigma, log_uranium, homes, rng):
    center = np.mean(mu_baseline) + np.mean(uranium_effect) * log_uranium
    level = rng.normal(center, tau)
    return np.exp(rng.normal(level[:, None], sigma[:, None], size=(len(level), homes)))


# %% tags=["mistake:13.2"]
# earns: you leave it out
def predict_homes(mu_baseline, uranium_effect, tau, sigma, log_uranium, homes, rng):
    level = rng.normal(mu_baseline, tau)
    return np.exp(rng.normal(level[:, None], sigma[:, None], size=(len(level), homes)))


# %% tags=["mistake:13.2"]
# earns: homes of a county are alike
def predict_homes(mu_baseline, uranium_effect, tau, sigma, log_uranium, homes, rng):
    level = rng.normal(mu_baseline + uranium_effect * log_uranium, np.sqrt(tau**2 + sigma**2))
    return np.exp(level[:, None] * np.ones(homes))


# %% tags=["mistake:13.2"]
# earns: some random numbers come from elsewhere
def predict_homes(mu_baseline, uranium_effect, tau, sigma, log_uranium, homes, rng):
    rng = np.random.default_rng()
    level = rng.normal(mu_baseline + uranium_effect * log_uranium, tau)
    return np.exp(rng.normal(level[:, None], sigma[:, None], size=(len(level), homes)))


# %% tags=["mistake:13.2"]
# earns: `rng` has no part in them
def predict_homes(mu_baseline, uranium_effect, tau, sigma, log_uranium, homes, rng):
    rng = np.random.default_rng(0)
    level = rng.normal(mu_baseline + uranium_effect * log_uranium, tau)
    return np.exp(rng.normal(level[:, None], sigma[:, None], size=(len(level), homes)))


# %% tags=["mistake:13.2"]
# earns: different draws are related
def predict_homes(mu_baseline, uranium_effect, tau, sigma, log_uranium, homes, rng):
    z = np.repeat(rng.normal(size=(len(tau) // 2, homes + 1)), 2, axis=0)  # noise shared by pairs of draws
    level = mu_baseline + uranium_effect * log_uranium + tau * z[:, 0]
    return np.exp(level[:, None] + sigma[:, None] * z[:, 1:])


# %% tags=["mistake:13.2"]
# earns: uranium_effect too
def predict_homes(mu_baseline, uranium_effect, tau, sigma, log_uranium, homes, rng):
    level = rng.normal(mu_baseline + np.mean(uranium_effect) * log_uranium, tau)
    return np.exp(rng.normal(level[:, None], sigma[:, None], size=(len(level), homes)))


# %% [markdown] tags=["task:13.3"]
# ## 13.3 Which counties want the centered form? (medium)
#
# In the notebook all homes were measured alike, so a county's number of homes said how much its data tell.
# Now there are two kinds of detectors, and one is noisier.
# Homes of one county may have either kind, so the number of homes alone does not decide.
# The table `homes` has one row a home: its county, and the standard deviation `sigma` with which its measurement scatters about the county's level.
# `tau` is the standard deviation of the levels.
# Return the counties that want the centered form: those whose own homes say more about their level than the population does.


# %% tags=["solution:13.3"]
def centered_counties(homes, tau):
    """Counties that want the centered form.

    homes: pandas.DataFrame with the columns county (str) and sigma (float), one row a home
    tau: float, standard deviation of the counties' levels
    Returns a set of names of counties, such as {"CLAY", "POLK"}.
    """
    ### BEGIN SOLUTION: compare the precision of each county's own homes with that of the population
    precision = (1 / homes["sigma"] ** 2).groupby(homes["county"]).sum()
    return set(precision.index[precision > 1 / tau**2])
    ### END SOLUTION


# %% tags=["check:13.3"]
mlm.check("13.3", centered_counties)


# %% tags=["mistake:13.3"]
# earns: the other half
def centered_counties(homes, tau):
    precision = (1 / homes["sigma"] ** 2).groupby(homes["county"]).sum()
    return set(precision.index[precision <= 1 / tau**2])


# %% tags=["mistake:13.3"]
# earns: detectors differ
def centered_counties(homes, tau):
    n = homes["county"].value_counts()
    return set(n.index[n > homes["sigma"].mean() ** 2 / tau**2])


# %% tags=["mistake:13.3"]
# earns: precisions are made of variances
def centered_counties(homes, tau):
    precision = (1 / homes["sigma"]).groupby(homes["county"]).sum()
    return set(precision.index[precision > 1 / tau])


# %% tags=["mistake:13.3"]
# earns: one average sigma does not say
def centered_counties(homes, tau):
    sigma = homes.groupby("county")["sigma"]
    precision = sigma.size() / sigma.mean() ** 2
    return set(precision.index[precision > 1 / tau**2])


# %% tags=["mistake:13.3"]
# earns: stands for its whole county
def centered_counties(homes, tau):
    sigma = homes.groupby("county")["sigma"]
    precision = sigma.size() / sigma.first() ** 2
    return set(precision.index[precision > 1 / tau**2])


# %% tags=["mistake:13.3"]
# earns: more than one home is not the question
def centered_counties(homes, tau):
    n = homes["county"].value_counts()
    return set(n.index[n > 1])


# %% tags=["mistake:13.3"]
# earns: should be one of
def centered_counties(homes, tau):
    precision = (1 / homes["sigma"] ** 2).groupby(homes["county"]).sum()
    return precision > 1 / tau**2


# %% tags=["mistake:13.3"]
# earns: the most precise detector
def centered_counties(homes, tau):
    sigma = homes.groupby("county")["sigma"]
    precision = sigma.size() / sigma.min() ** 2
    return set(precision.index[precision > 1 / tau**2])


# %% tags=["mistake:13.3"]
# earns: the noisiest detector
def centered_counties(homes, tau):
    sigma = homes.groupby("county")["sigma"]
    precision = sigma.size() / sigma.max() ** 2
    return set(precision.index[precision > 1 / tau**2])


# %% tags=["mistake:13.3"]
# earns: one average sigma does not say
def centered_counties(homes, tau):
    sigma = homes.groupby("county")["sigma"]
    precision = sigma.size() / sigma.agg(stats.hmean) ** 2
    return set(precision.index[precision > 1 / tau**2])


# %% tags=["mistake:13.3"]
# earns: does not depend on tau
def centered_counties(homes, tau):
    precision = (1 / homes["sigma"] ** 2).groupby(homes["county"]).sum()
    return set(precision.index[precision > 1 / 0.25**2])


# %% tags=["mistake:13.3"]
# earns: a home is taken away for the average
def centered_counties(homes, tau):
    sigma = homes.groupby("county")["sigma"]
    precision = sigma.agg(lambda x: np.sum(1 / x**2) * (len(x) - 1) / len(x))
    return set(precision.index[precision > 1 / tau**2])


# %% tags=["mistake:13.3"]
# earns: compared with those of other counties
def centered_counties(homes, tau):
    precision = (1 / homes["sigma"] ** 2).groupby(homes["county"]).sum()
    return set(precision.index[precision > precision.mean()])


# %% [markdown] tags=["task:13.4"]
# ## 13.4 Where should the pipe be built? (medium)
#
# You have posterior draws of the levels of several counties, and of `sigma`.
# In a new house a pipe costs `now` dollars.
# Without it, a house whose basement exceeds `limit` pCi/L has to be cured for `later` dollars; one that does not costs nothing.
#
# For each county compute the chance that the basement of a new home exceeds the limit, with all that is uncertain about the county.
# For each draw the chance has a formula, so nothing needs to be simulated.
# Then say where the pipe costs less than what is expected without it.


# %% tags=["solution:13.4"]
def build_pipes(level, sigma, limit, now, later):
    """Chance of a new home above the limit, and where a pipe pays.

    level: array of float, shape (draws, counties); levels of the counties, in log pCi/L
    sigma: array of float, shape (draws,); standard deviation of homes about the level, in log pCi/L
    limit: float, in pCi/L
    now, later: float, in dollars
    Returns two arrays of shape (counties,): the chances (float), and whether to build (bool).
    For level = [[1.0], [1.4]], sigma = [0.8, 0.8], limit = 4.0, now = 500.0 and later = 1500.0, they are [0.411], rounded,
    and [True].
    """
    ### BEGIN SOLUTION: return two arrays, the chance of each county and whether to build there
    chance = stats.norm.sf((np.log(limit) - level) / sigma[:, None]).mean(axis=0)
    return chance, chance * later > now
    ### END SOLUTION


# %% tags=["check:13.4"]
mlm.check("13.4", build_pipes)


# %% tags=["mistake:13.4"]
# earns: are logarithms
def build_pipes(level, sigma, limit, now, later):
    chance = stats.norm.sf((limit - level) / sigma[:, None]).mean(axis=0)
    return chance, chance * later > now


# %% tags=["mistake:13.4"]
# earns: typical home
def build_pipes(level, sigma, limit, now, later):
    chance = np.mean(np.exp(level) > limit, axis=0)
    return chance, chance * later > now


# %% tags=["mistake:13.4"]
# earns: averages of level and sigma
def build_pipes(level, sigma, limit, now, later):
    chance = stats.norm.sf((np.log(limit) - level.mean(axis=0)) / sigma.mean())
    return chance, chance * later > now


# %% tags=["mistake:13.4"]
# earns: at or below the limit
def build_pipes(level, sigma, limit, now, later):
    chance = stats.norm.cdf((np.log(limit) - level) / sigma[:, None]).mean(axis=0)
    return chance, chance * later > now


# %% tags=["mistake:13.4"]
# earns: more likely than not
def build_pipes(level, sigma, limit, now, later):
    chance = stats.norm.sf((np.log(limit) - level) / sigma[:, None]).mean(axis=0)
    return chance, chance > 0.5


# %% tags=["mistake:13.4"]
# earns: does not depend on the prices
def build_pipes(level, sigma, limit, now, later):
    chance = stats.norm.sf((np.log(limit) - level) / sigma[:, None]).mean(axis=0)
    return chance, chance > 1 / 3


# %% tags=["mistake:13.4"]
# earns: the other counties
def build_pipes(level, sigma, limit, now, later):
    chance = stats.norm.sf((np.log(limit) - level) / sigma[:, None]).mean(axis=0)
    return chance, chance * later < now


# %% tags=["mistake:13.4"]
# earns: only without the pipe
def build_pipes(level, sigma, limit, now, later):
    chance = stats.norm.sf((np.log(limit) - level) / sigma[:, None]).mean(axis=0)
    return chance, chance * later > (1 - chance) * now


# %% tags=["mistake:13.4"]
# earns: a vote of draws
def build_pipes(level, sigma, limit, now, later):
    chance = stats.norm.sf((np.log(limit) - level) / sigma[:, None])
    return chance.mean(axis=0), np.mean(chance * later > now, axis=0) > 0.5


# %% tags=["mistake:13.4"]
# earns: use the chances that you computed
def build_pipes(level, sigma, limit, now, later):
    chance = stats.norm.sf((np.log(limit) - level) / sigma[:, None]).mean(axis=0)
    return chance, stats.norm.sf((np.log(limit) - level.mean(axis=0)) / sigma.mean()) * later > now


# %% tags=["mistake:13.4"]
# earns: costs `later` and nothing else
def build_pipes(level, sigma, limit, now, later):
    chance = stats.norm.sf((np.log(limit) - level) / sigma[:, None]).mean(axis=0)
    return chance, now + 0 * chance < chance * (later - now)


# %% [markdown] tags=["task:13.5"]
# ## 13.5 Schools, with and without pupils (hard)
#
# Pupils of several schools took a test.
# For every school you know its `funding`, a number that is zero for an average school.
# Some schools have no pupil among the data, and you want to predict for them, too: they get a level as all others do.
# Write the partially pooled model with funding as a predictor of schools, sample it, and return what `mlm.sample` returns.
#
# | variable | what it is |
# |---|---|
# | `mu_baseline` | Normal(0, 5) |
# | `funding_effect` | Normal(0, 2.5) |
# | `tau` | half-normal with scale 1 |
# | `sigma` | half-normal with scale 2 |
# | `school_level` | one for each school, dim `school`: Normal about the line `mu_baseline + funding_effect * funding`, with standard deviation `tau` |
# | `score` | observed: Normal about the `school_level` of the pupil's school, with standard deviation `sigma` |
#
# The coordinate `school` holds the names of all schools.
# Centered or non-centered, as you like: the check reads the posterior, which has to pass `mlm.check_convergence`.
# It takes some seconds.


# %% tags=["solution:13.5"]
def fit_schools(pupils, schools, seed):
    """Posterior of a partially pooled model of scores, with a predictor of schools.

    pupils: pandas.DataFrame with the columns school (str) and score (float), one row a pupil
    schools: pandas.DataFrame with the columns school (str) and funding (float), one row a school, in no special order
    seed: int
    Returns what mlm.sample returns, with all variables of the table.
    """
    ### BEGIN SOLUTION: build the model inside `with pm.Model(coords=...) as model:`, sample it, and return the run
    coords = {"school": schools["school"].tolist()}
    code = pd.Index(coords["school"]).get_indexer(pupils["school"])
    funding = schools["funding"].to_numpy()
    with pm.Model(coords=coords) as model:
        mu_baseline = pm.Normal("mu_baseline", 0, 5)
        funding_effect = pm.Normal("funding_effect", 0, 2.5)
        tau = pm.HalfNormal("tau", 1)
        sigma = pm.HalfNormal("sigma", 2)
        z_school = pm.Normal("z_school", 0, 1, dims="school")
        center = mu_baseline + funding_effect * funding
        school_level = pm.Deterministic("school_level", center + tau * z_school, dims="school")
        pm.Normal("score", school_level[code], sigma, observed=pupils["score"].to_numpy())
    return mlm.sample(model, seed=seed, draws=2000, target_accept=0.95)
    ### END SOLUTION


# %% tags=["check:13.5"]
mlm.check("13.5", fit_schools)


# %% tags=["mistake:13.5"]
# earns: funding of one school goes to another
def fit_schools(pupils, schools, seed):
    coords = {"school": schools["school"].tolist()}
    code = pd.Index(coords["school"]).get_indexer(pupils["school"])
    funding = schools.sort_values("school")["funding"].to_numpy()
    with pm.Model(coords=coords) as model:
        mu_baseline = pm.Normal("mu_baseline", 0, 5)
        funding_effect = pm.Normal("funding_effect", 0, 2.5)
        tau = pm.HalfNormal("tau", 1)
        sigma = pm.HalfNormal("sigma", 2)
        z_school = pm.Normal("z_school", 0, 1, dims="school")
        center = mu_baseline + funding_effect * funding
        school_level = pm.Deterministic("school_level", center + tau * z_school, dims="school")
        pm.Normal("score", school_level[code], sigma, observed=pupils["score"].to_numpy())
    return mlm.sample(model, seed=seed, draws=2000, target_accept=0.95)


# %% tags=["mistake:13.5"]
# earns: pupils are joined with the wrong schools
def fit_schools(pupils, schools, seed):
    coords = {"school": schools["school"].tolist()}
    code = pd.Categorical(pupils["school"]).codes.astype(int)
    funding = schools["funding"].to_numpy()
    with pm.Model(coords=coords) as model:
        mu_baseline = pm.Normal("mu_baseline", 0, 5)
        funding_effect = pm.Normal("funding_effect", 0, 2.5)
        tau = pm.HalfNormal("tau", 1)
        sigma = pm.HalfNormal("sigma", 2)
        z_school = pm.Normal("z_school", 0, 1, dims="school")
        center = mu_baseline + funding_effect * funding
        school_level = pm.Deterministic("school_level", center + tau * z_school, dims="school")
        pm.Normal("score", school_level[code], sigma, observed=pupils["score"].to_numpy())
    return mlm.sample(model, seed=seed, draws=2000, target_accept=0.95)


# %% tags=["mistake:13.5"]
# earns: schools of the same funding differ, too
def fit_schools(pupils, schools, seed):
    coords = {"school": schools["school"].tolist()}
    code = pd.Index(coords["school"]).get_indexer(pupils["school"])
    funding = schools["funding"].to_numpy()
    with pm.Model(coords=coords) as model:
        mu_baseline = pm.Normal("mu_baseline", 0, 5)
        funding_effect = pm.Normal("funding_effect", 0, 2.5)
        tau = pm.HalfNormal("tau", 1)
        sigma = pm.HalfNormal("sigma", 2)
        z_school = pm.Normal("z_school", 0, 1, dims="school")
        center = mu_baseline + funding_effect * funding
        school_level = pm.Deterministic("school_level", center + 0 * tau * z_school, dims="school")
        pm.Normal("score", school_level[code], sigma, observed=pupils["score"].to_numpy())
    return mlm.sample(model, seed=seed, draws=2000, target_accept=0.95)


# %% tags=["mistake:13.5"]
# earns: has kept its prior
def fit_schools(pupils, schools, seed):
    coords = {"school": schools["school"].tolist()}
    code = pd.Index(coords["school"]).get_indexer(pupils["school"])
    funding = 0
    with pm.Model(coords=coords) as model:
        mu_baseline = pm.Normal("mu_baseline", 0, 5)
        funding_effect = pm.Normal("funding_effect", 0, 2.5)
        tau = pm.HalfNormal("tau", 1)
        sigma = pm.HalfNormal("sigma", 2)
        z_school = pm.Normal("z_school", 0, 1, dims="school")
        center = mu_baseline + funding_effect * funding
        school_level = pm.Deterministic("school_level", center + tau * z_school, dims="school")
        pm.Normal("score", school_level[code], sigma, observed=pupils["score"].to_numpy())
    return mlm.sample(model, seed=seed, draws=2000, target_accept=0.95)


# %% tags=["mistake:13.5"]
# earns: prior of tau
def fit_schools(pupils, schools, seed):
    coords = {"school": schools["school"].tolist()}
    code = pd.Index(coords["school"]).get_indexer(pupils["school"])
    funding = schools["funding"].to_numpy()
    with pm.Model(coords=coords) as model:
        mu_baseline = pm.Normal("mu_baseline", 0, 5)
        funding_effect = pm.Normal("funding_effect", 0, 2.5)
        tau = pm.HalfNormal("tau", 0.1)
        sigma = pm.HalfNormal("sigma", 2)
        z_school = pm.Normal("z_school", 0, 1, dims="school")
        center = mu_baseline + funding_effect * funding
        school_level = pm.Deterministic("school_level", center + tau * z_school, dims="school")
        pm.Normal("score", school_level[code], sigma, observed=pupils["score"].to_numpy())
    return mlm.sample(model, seed=seed, draws=2000, target_accept=0.95)


# %% tags=["mistake:13.5"]
# earns: a school without pupils has a level, too
def fit_schools(pupils, schools, seed):
    school = pd.Categorical(pupils["school"])
    funding = schools.set_index("school")["funding"][school.categories].to_numpy()
    with pm.Model(coords={"school": school.categories.tolist()}) as model:
        mu_baseline = pm.Normal("mu_baseline", 0, 5)
        funding_effect = pm.Normal("funding_effect", 0, 2.5)
        tau = pm.HalfNormal("tau", 1)
        sigma = pm.HalfNormal("sigma", 2)
        z_school = pm.Normal("z_school", 0, 1, dims="school")
        center = mu_baseline + funding_effect * funding
        school_level = pm.Deterministic("school_level", center + tau * z_school, dims="school")
        pm.Normal("score", school_level[school.codes], sigma, observed=pupils["score"].to_numpy())
    return mlm.sample(model, seed=seed, draws=2000, target_accept=0.95)


# %% [markdown] tags=["task:13.6"]
# ## 13.6 Which school is ahead when its pupils are older? (hard)
#
# Pupils of several schools took one test.
# Older pupils score more, and schools differ in the ages of their pupils.
# So an average of a school says how it teaches and whom it teaches, all in one.
#
# The table `pupils` has one row a pupil, with the `school`, the `score`, and the numbers whose columns are listed in `numbers`.
# Give every school a level of its own, without pooling.
# A score is the level of the pupil's school, plus a slope times each number, plus scatter.
#
# Some of the numbers are those of the school: they are the same for all of its pupils.
# Find out which slopes the scores can tell, and estimate those together, by least squares; leave out the other numbers altogether.
# Then return the level of each school at the average pupil, for whom each number has its average over all pupils.
#
# A hint: `mlm.cell_statistics` with `covariates` keeps all that you need.
# With a level for each school, least squares has the equations of [notebook 09](../09_integrating_out.ipynb): sums over cells of products of deviations.


# %% tags=["solution:13.6"]
def compare_schools(pupils, numbers):
    """Slopes of numbers that pupils can tell, and levels of schools at the average pupil.

    pupils: pandas.DataFrame with the columns school (str), score (float) and those in numbers, one row a pupil
    numbers: list of str, names of columns of pupils
    Returns two pandas.Series of float: the slopes, indexed by those of numbers that have one, and the levels, indexed by
    school.
    For pupils = pandas.DataFrame({"school": ["A", "A", "B", "B"], "age": [10, 12, 12, 14], "funding": [1, 1, 2, 2],
    "score": [4.0, 8.0, 6.0, 10.0]}) and numbers = ["age", "funding"], the slope of age is 2 and the levels are 8 and 6.
    """
    ### BEGIN SOLUTION: return two pandas Series, the slopes indexed by names of numbers and the levels by school
    cells = mlm.cell_statistics(pupils, "score", ["school"], covariates=numbers)
    products, with_score = cells.x_products.sum(axis=0), cells.x_total.sum(axis=0)
    told = np.diag(products) > 1e-9 * len(pupils)
    slopes = np.linalg.solve(products[np.ix_(told, told)], with_score[told])
    center, _ = cells.covariate_moments()
    levels = cells.mean - (cells.x_mean - center)[:, told] @ slopes
    return pd.Series(slopes, np.array(numbers)[told]), pd.Series(levels, cells.labels["school"])
    ### END SOLUTION


# %% tags=["check:13.6"]
mlm.check("13.6", compare_schools)


# %% tags=["mistake:13.6"]
# earns: also compare pupils of different schools
def compare_schools(pupils, numbers):
    told = [name for name in numbers if pupils.groupby("school")[name].agg(np.ptp).max() > 0]
    x = pupils[told] - pupils[told].mean()
    slopes = np.linalg.lstsq(x, pupils["score"] - pupils["score"].mean(), rcond=None)[0]
    levels = (pupils["score"] - x @ slopes).groupby(pupils["school"]).mean()
    return pd.Series(slopes, told), levels


# %% tags=["mistake:13.6"]
# earns: also compare pupils of different schools
def compare_schools(pupils, numbers):
    told = [name for name in numbers if pupils.groupby("school")[name].agg(np.ptp).max() > 0]
    x = pupils[numbers] - pupils[numbers].mean()
    slopes = pd.Series(np.linalg.lstsq(x, pupils["score"] - pupils["score"].mean(), rcond=None)[0], numbers)[told]
    levels = (pupils["score"] - x[told] @ slopes).groupby(pupils["school"]).mean()
    return slopes, levels


# %% tags=["mistake:13.6"]
# earns: slopes of the schools' averages
def compare_schools(pupils, numbers):
    told = [name for name in numbers if pupils.groupby("school")[name].agg(np.ptp).max() > 0]
    average = pupils.groupby("school")[[*told, "score"]].mean()
    deviation = average - average.mean()
    slopes = np.linalg.lstsq(deviation[told], deviation["score"], rcond=None)[0]
    return pd.Series(slopes, told), average["score"] - (average[told] - pupils[told].mean()) @ slopes


# %% tags=["mistake:13.6"]
# earns: a school's level can make up for any slope
def compare_schools(pupils, numbers):
    x = np.column_stack([pd.get_dummies(pupils["school"]), pupils[numbers] - pupils[numbers].mean()]).astype(float)
    found = np.linalg.lstsq(x, pupils["score"], rcond=None)[0]
    schools = sorted(pupils["school"].unique())
    return pd.Series(found[len(schools) :], numbers), pd.Series(found[: len(schools)], schools)


# %% tags=["mistake:13.6"]
# earns: differs between the pupils of one school
def compare_schools(pupils, numbers):
    told = [name for name in numbers if pupils.groupby("school")[name].agg(np.ptp).min() > 0]
    deviation = pupils[[*told, "score"]] - pupils.groupby("school")[[*told, "score"]].transform("mean")
    slopes = np.linalg.lstsq(deviation[told], deviation["score"], rcond=None)[0]
    levels = (pupils["score"] - (pupils[told] - pupils[told].mean()) @ slopes).groupby(pupils["school"]).mean()
    return pd.Series(slopes, told), levels


# %% tags=["mistake:13.6"]
# earns: each slope is found alone
def compare_schools(pupils, numbers):
    cells = mlm.cell_statistics(pupils, "score", ["school"], covariates=numbers)
    squares, with_score = np.diag(cells.x_products.sum(axis=0)), cells.x_total.sum(axis=0)
    told = squares > 0
    slopes = with_score[told] / squares[told]
    center, _ = cells.covariate_moments()
    levels = cells.mean - (cells.x_mean - center)[:, told] @ slopes
    return pd.Series(slopes, np.array(numbers)[told]), pd.Series(levels, cells.labels["school"])


# %% tags=["mistake:13.6"]
# earns: only the scores are counted from their school's average
def compare_schools(pupils, numbers):
    told = [name for name in numbers if pupils.groupby("school")[name].agg(np.ptp).max() > 0]
    y = pupils["score"] - pupils.groupby("school")["score"].transform("mean")
    x = pupils[told] - pupils[told].mean()
    slopes = np.linalg.lstsq(x, y, rcond=None)[0]
    return pd.Series(slopes, told), (pupils["score"] - x @ slopes).groupby(pupils["school"]).mean()


# %% tags=["mistake:13.6"]
# earns: averages of the schools' own pupils
def compare_schools(pupils, numbers):
    told = [name for name in numbers if pupils.groupby("school")[name].agg(np.ptp).max() > 0]
    average = pupils.groupby("school")[[*told, "score"]].transform("mean")
    deviation = pupils[[*told, "score"]] - average
    slopes = np.linalg.lstsq(deviation[told], deviation["score"], rcond=None)[0]
    return pd.Series(slopes, told), pupils.groupby("school")["score"].mean()


# %% tags=["mistake:13.6"]
# earns: numbers are all zero
def compare_schools(pupils, numbers):
    told = [name for name in numbers if pupils.groupby("school")[name].agg(np.ptp).max() > 0]
    average = pupils.groupby("school")[[*told, "score"]].transform("mean")
    deviation = pupils[[*told, "score"]] - average
    slopes = np.linalg.lstsq(deviation[told], deviation["score"], rcond=None)[0]
    return pd.Series(slopes, told), (pupils["score"] - pupils[told] @ slopes).groupby(pupils["school"]).mean()


# %% tags=["mistake:13.6"]
# earns: every pupil should
def compare_schools(pupils, numbers):
    told = [name for name in numbers if pupils.groupby("school")[name].agg(np.ptp).max() > 0]
    average = pupils.groupby("school")[[*told, "score"]].mean()
    deviation = pupils[[*told, "score"]] - average.loc[pupils["school"]].to_numpy()
    slopes = np.linalg.lstsq(deviation[told], deviation["score"], rcond=None)[0]
    return pd.Series(slopes, told), average["score"] - (average[told] - average[told].mean()) @ slopes


# %% tags=["mistake:13.6"]
# earns: moved the wrong way
def compare_schools(pupils, numbers):
    cells = mlm.cell_statistics(pupils, "score", ["school"], covariates=numbers)
    products, with_score = cells.x_products.sum(axis=0), cells.x_total.sum(axis=0)
    told = np.diag(products) > 0
    slopes = np.linalg.solve(products[np.ix_(told, told)], with_score[told])
    center, _ = cells.covariate_moments()
    levels = cells.mean + (cells.x_mean - center)[:, told] @ slopes
    return pd.Series(slopes, np.array(numbers)[told]), pd.Series(levels, cells.labels["school"])
