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
# An *aim* is the number of an item in the notebook's list *You will learn*. Not every aim has a task.
#
# | task | aim | what it practises | points |
# |---|---|---|---|
# | 13.1 | 2 | predict how far an estimate moves | 1 |
# | 13.2 | 1 | compute complete, no and partial pooling, and say what each assumes | 2 |
# | 13.3 | 3 | predict homes of a county that was never measured | 2 |
# | 13.4 | 4 | choose centered or non-centered for each contributor by how much its data say | 2 |
# | 13.5 | 3 | write a partially pooled model with a predictor in PyMC | 3 |

# %%
import numpy as np
import pandas as pd
import pymc as pm

import mlm_tutorial as mlm

# %% [markdown] tags=["task:13.1"]
# ## 13.1 Shrink by hand (easy)
#
# County $k$ has the average `mean[k]` of its own `n[k]` homes.
# Its level comes from a population with mean `mu` and standard deviation `tau`.
# In the notebook homes had the same standard deviation everywhere; here homes of county $k$ have their own, `sigma[k]`.
# All these numbers are known.
# Return the partially pooled estimate of every county's level.


# %% tags=["solution:13.1"]
def pooled_levels(mean, n, sigma, mu, tau):
    """Partially pooled estimates of the counties' levels.

    mean, n, sigma: arrays of shape (counties,); average, number and standard deviation of a county's homes
    mu, tau: float; mean and standard deviation of the population of levels
    Returns an array of float, shape (counties,).
    For example, pooled_levels(np.array([2.0, 2.0]), np.array([1, 9]), np.array([1.0, 1.0]), 1.0, 0.5) is
    [1.2, 1.692], rounded.
    """
    ### BEGIN SOLUTION: return one estimate a county, between its own average and mu
    own = n / sigma**2
    weight = own / (own + 1 / tau**2)
    return weight * mean + (1 - weight) * mu
    ### END SOLUTION


# %% tags=["check:13.1"]
mlm.check("13.1", pooled_levels)


# %% tags=["mistake:13.1"]
# earns: the weights are swapped
def pooled_levels(mean, n, sigma, mu, tau):
    weight = (n / sigma**2) / (n / sigma**2 + 1 / tau**2)
    return weight * mu + (1 - weight) * mean


# %% tags=["mistake:13.1"]
# earns: more precise, the more homes
def pooled_levels(mean, n, sigma, mu, tau):
    weight = tau**2 / (tau**2 + sigma**2)
    return weight * mean + (1 - weight) * mu


# %% tags=["mistake:13.1"]
# earns: one over a variance
def pooled_levels(mean, n, sigma, mu, tau):
    weight = n * tau / (n * tau + sigma)
    return weight * mean + (1 - weight) * mu


# %% tags=["mistake:13.1"]
# earns: its own sigma
def pooled_levels(mean, n, sigma, mu, tau):
    weight = n * tau**2 / (n * tau**2 + np.mean(sigma) ** 2)
    return weight * mean + (1 - weight) * mu


# %% tags=["mistake:13.1"]
# earns: this is no pooling
def pooled_levels(mean, n, sigma, mu, tau):
    return mean


# %% [markdown] tags=["task:13.2"]
# ## 13.2 Three estimates, and a county without homes (medium)
#
# Home `i` is in county `county[i]` and has the log radon `y[i]`, in a basement.
# Some of the counties 0, 1, ... have no home among the data.
# The spreads `tau` (between counties) and `sigma` (between homes of a county) are known.
# Return three estimates of every county's level.
#
# - `complete`: the average of all homes.
# - `no`: the average of the county's own homes.
# - `partial`: a weighted average of the county's own average and `mu_baseline`.
#   A county with $n_k$ homes gives its own average the weight $w_k = n_k\tau^2/(n_k\tau^2 + \sigma^2)$.
#
# For `mu_baseline` take the average of the counties' own averages, weighted by $w_k$.
# Where an estimate has no answer for a county, return `np.nan`.


# %% tags=["solution:13.2"]
def three_estimates(y, county, n_counties, tau, sigma):
    """Complete, no and partial pooling of the counties' levels.

    y: array of float, shape (homes,); log radon
    county: array of int, shape (homes,); county of each home, from 0 to n_counties - 1
    n_counties: int
    tau, sigma: float; standard deviation between counties, and between homes of a county
    Returns a DataFrame with n_counties rows, in order, and the columns complete, no and partial.
    For y = [1, 2, 3] and county = [0, 0, 1], with n_counties = 3, tau = 1 and sigma = 1, the column partial is
    [1.714, 2.571, 2.143], rounded.
    """
    ### BEGIN SOLUTION: return a DataFrame with the columns complete, no and partial, one row a county
    n = np.bincount(county, minlength=n_counties)
    own = pd.Series(y).groupby(county).mean().reindex(range(n_counties))
    weight = n * tau**2 / (n * tau**2 + sigma**2)
    mu_baseline = np.sum(weight * own.fillna(0)) / np.sum(weight)
    partial = weight * own.fillna(0) + (1 - weight) * mu_baseline
    return pd.DataFrame({"complete": np.mean(y), "no": own, "partial": partial})
    ### END SOLUTION


# %% tags=["check:13.2"]
mlm.check("13.2", three_estimates)


# %% tags=["mistake:13.2"]
# earns: has no homes, and counts
def three_estimates(y, county, n_counties, tau, sigma):
    own = pd.Series(y).groupby(county).agg(["size", "mean"])
    weight = own["size"] * tau**2 / (own["size"] * tau**2 + sigma**2)
    mu = np.average(own["mean"], weights=weight)
    return pd.DataFrame(
        {"complete": np.mean(y), "no": own["mean"], "partial": weight * own["mean"] + (1 - weight) * mu}
    )


# %% tags=["mistake:13.2"]
# earns: complete pooling knows no counties
def three_estimates(y, county, n_counties, tau, sigma):
    own = pd.Series(y).groupby(county).mean().reindex(range(n_counties))
    return pd.DataFrame({"complete": own.mean(), "no": own, "partial": own})


# %% tags=["mistake:13.2"]
# earns: NaN is how to say so
def three_estimates(y, county, n_counties, tau, sigma):
    n = np.bincount(county, minlength=n_counties)
    own = np.bincount(county, weights=y, minlength=n_counties) / np.maximum(n, 1)
    return pd.DataFrame({"complete": np.mean(y), "no": own, "partial": own})


# %% tags=["mistake:13.2"]
# earns: partial pooling has an estimate for it
def three_estimates(y, county, n_counties, tau, sigma):
    n = np.bincount(county, minlength=n_counties)
    own = pd.Series(y).groupby(county).mean().reindex(range(n_counties))
    weight = n * tau**2 / (n * tau**2 + sigma**2)
    mu = np.nansum(weight * own) / weight.sum()
    return pd.DataFrame({"complete": np.mean(y), "no": own, "partial": weight * own + (1 - weight) * mu})


# %% tags=["mistake:13.2"]
# earns: shrink to the average of homes
def three_estimates(y, county, n_counties, tau, sigma):
    n = np.bincount(county, minlength=n_counties)
    own = pd.Series(y).groupby(county).mean().reindex(range(n_counties))
    weight = n * tau**2 / (n * tau**2 + sigma**2)
    partial = weight * own.fillna(0) + (1 - weight) * np.mean(y)
    return pd.DataFrame({"complete": np.mean(y), "no": own, "partial": partial})


# %% [markdown] tags=["task:13.3"]
# ## 13.3 Neighbours in a new county (medium)
#
# A county was never measured, but the uranium in its soil is known.
# You have posterior draws of the notebook's model with uranium.
# Predict `homes` basements of this *one* county, each in pCi/L, jointly.
# Row `s` of the result uses draw `s` of the parameters.


# %% tags=["solution:13.3"]
def predict_homes(mu_baseline, uranium_effect, tau, sigma, log_uranium, homes, rng):
    """Draws of the radon in several homes of one new county.

    mu_baseline, uranium_effect, tau, sigma: arrays of float, shape (draws,); posterior draws
    log_uranium: float, of the new county
    homes: int, number of homes to predict
    rng: numpy.random.Generator
    Returns an array of shape (draws, homes), radon in pCi/L and not in log pCi/L.
    """
    ### BEGIN SOLUTION: draw the county's level, then its homes, and return their radon, shape (draws, homes)
    level = rng.normal(mu_baseline + uranium_effect * log_uranium, tau)
    log_radon = rng.normal(level[:, None], sigma[:, None], size=(len(level), homes))
    return np.exp(log_radon)
    ### END SOLUTION


# %% tags=["check:13.3"]
mlm.check("13.3", predict_homes)


# %% tags=["mistake:13.3"]
# earns: counties of the same soil differ
def predict_homes(mu_baseline, uranium_effect, tau, sigma, log_uranium, homes, rng):
    level = mu_baseline + uranium_effect * log_uranium
    return np.exp(rng.normal(level[:, None], sigma[:, None], size=(len(level), homes)))


# %% tags=["mistake:13.3"]
# earns: every home has a level of its own
def predict_homes(mu_baseline, uranium_effect, tau, sigma, log_uranium, homes, rng):
    center = (mu_baseline + uranium_effect * log_uranium)[:, None]
    level = rng.normal(center, tau[:, None], size=(len(tau), homes))
    return np.exp(rng.normal(level, sigma[:, None]))


# %% tags=["mistake:13.3"]
# earns: still logarithms
def predict_homes(mu_baseline, uranium_effect, tau, sigma, log_uranium, homes, rng):
    level = rng.normal(mu_baseline + uranium_effect * log_uranium, tau)
    return rng.normal(level[:, None], sigma[:, None], size=(len(level), homes))


# %% tags=["mistake:13.3"]
# earns: but not the shape
def predict_homes(mu_baseline, uranium_effect, tau, sigma, log_uranium, homes, rng):
    level = mu_baseline + uranium_effect * log_uranium + tau * rng.choice([-1, 1], len(tau))
    return np.exp(rng.normal(level[:, None], sigma[:, None], size=(len(level), homes)))


# %% tags=["mistake:13.3"]
# earns: but not the shape
def predict_homes(mu_baseline, uranium_effect, tau, sigma, log_uranium, homes, rng):
    level = rng.normal(mu_baseline + uranium_effect * log_uranium, tau)
    return np.exp(level[:, None] + sigma[:, None] * rng.choice([-1, 1], (len(level), homes)))


# %% tags=["mistake:13.3"]
# earns: what is uncertain about them belongs in
def predict_homes(mu_baseline, uranium_effect, tau, sigma, log_uranium, homes, rng):
    center = np.mean(mu_baseline) + np.mean(uranium_effect) * log_uranium
    level = rng.normal(center, tau)
    return np.exp(rng.normal(level[:, None], sigma[:, None], size=(len(level), homes)))


# %% tags=["mistake:13.3"]
# earns: you leave it out
def predict_homes(mu_baseline, uranium_effect, tau, sigma, log_uranium, homes, rng):
    level = rng.normal(mu_baseline, tau)
    return np.exp(rng.normal(level[:, None], sigma[:, None], size=(len(level), homes)))


# %% tags=["mistake:13.3"]
# earns: homes of a county are alike
def predict_homes(mu_baseline, uranium_effect, tau, sigma, log_uranium, homes, rng):
    level = rng.normal(mu_baseline + uranium_effect * log_uranium, np.sqrt(tau**2 + sigma**2))
    return np.exp(level[:, None] * np.ones(homes))


# %% [markdown] tags=["task:13.4"]
# ## 13.4 Which counties want the centered form? (medium)
#
# In the notebook all homes were measured alike, so a county's number of homes said how much its data tell.
# Now there are two kinds of detectors, and one is noisier.
# Homes of one county may have either kind, so the number of homes alone does not decide.
# The table `homes` has one row a home: its county, and the standard deviation `sigma` with which its measurement scatters about the county's level.
# `tau` is the standard deviation of the levels.
# Return the counties that want the centered form: those whose own homes say more about their level than the population does.


# %% tags=["solution:13.4"]
def centered_counties(homes, tau):
    """Counties that want the centered form.

    homes: DataFrame with the columns county (str) and sigma (float), one row a home
    tau: float, standard deviation of the counties' levels
    Returns a set of names of counties, such as {"CLAY", "POLK"}.
    """
    ### BEGIN SOLUTION: compare the precision of each county's own homes with that of the population
    precision = (1 / homes["sigma"] ** 2).groupby(homes["county"]).sum()
    return set(precision.index[precision > 1 / tau**2])
    ### END SOLUTION


# %% tags=["check:13.4"]
mlm.check("13.4", centered_counties)


# %% tags=["mistake:13.4"]
# earns: the other half
def centered_counties(homes, tau):
    precision = (1 / homes["sigma"] ** 2).groupby(homes["county"]).sum()
    return set(precision.index[precision <= 1 / tau**2])


# %% tags=["mistake:13.4"]
# earns: detectors differ
def centered_counties(homes, tau):
    n = homes["county"].value_counts()
    return set(n.index[n > homes["sigma"].mean() ** 2 / tau**2])


# %% tags=["mistake:13.4"]
# earns: precisions are made of variances
def centered_counties(homes, tau):
    precision = (1 / homes["sigma"]).groupby(homes["county"]).sum()
    return set(precision.index[precision > 1 / tau])


# %% tags=["mistake:13.4"]
# earns: one average sigma does not say
def centered_counties(homes, tau):
    sigma = homes.groupby("county")["sigma"]
    precision = sigma.size() / sigma.mean() ** 2
    return set(precision.index[precision > 1 / tau**2])


# %% tags=["mistake:13.4"]
# earns: stands for its whole county
def centered_counties(homes, tau):
    sigma = homes.groupby("county")["sigma"]
    precision = sigma.size() / sigma.first() ** 2
    return set(precision.index[precision > 1 / tau**2])


# %% tags=["mistake:13.4"]
# earns: more than one home is not the question
def centered_counties(homes, tau):
    n = homes["county"].value_counts()
    return set(n.index[n > 1])


# %% tags=["mistake:13.4"]
# earns: should be one of
def centered_counties(homes, tau):
    precision = (1 / homes["sigma"] ** 2).groupby(homes["county"]).sum()
    return precision > 1 / tau**2


# %% [markdown] tags=["task:13.5"]
# ## 13.5 Schools, with and without pupils (hard)
#
# Pupils of several schools took a test.
# For every school you know its `funding`, a number that is zero for an average school.
# Some schools have no pupil among the data, and you want to predict for them, too: they get a level as all others do.
# Write the partially pooled model in its *non-centered* form, with funding as a predictor of schools.
#
# | variable | what it is |
# |---|---|
# | `mu_baseline` | Normal(0, 5) |
# | `funding_effect` | Normal(0, 2.5) |
# | `tau` | HalfNormal(1) |
# | `z_school` | standard normal, one for each school, dim `school` |
# | `school_level` | a deterministic, one for each school, dim `school`: what the school's pupils score on average |
# | `sigma` | Weibull(2, 1) |
# | `score` | observed: Normal with the pupil's `school_level` as mean, and `sigma` |
#
# The coordinate `school` holds the names of all schools.
# The check compares the density of your model with that of the right one; it does not sample.


# %% tags=["solution:13.5"]
def school_model(pupils, schools):
    """Partially pooled model of scores, non-centered, with a predictor of schools.

    pupils: DataFrame with the columns school (str) and score (float), one row a pupil
    schools: DataFrame with the columns school (str) and funding (float), one row a school, in no special order
    Returns a pymc.Model.
    """
    ### BEGIN SOLUTION: build the model inside `with pm.Model(coords=...) as model:`, and return it
    coords = {"school": schools["school"].tolist()}
    code = pd.Index(coords["school"]).get_indexer(pupils["school"])
    funding = schools["funding"].to_numpy()
    with pm.Model(coords=coords) as model:
        mu_baseline = pm.Normal("mu_baseline", 0, 5)
        funding_effect = pm.Normal("funding_effect", 0, 2.5)
        tau = pm.HalfNormal("tau", 1)
        z_school = mlm.StandardNormal("z_school", dims="school")
        center = mu_baseline + funding_effect * funding
        school_level = pm.Deterministic("school_level", center + tau * z_school, dims="school")
        sigma = pm.Weibull("sigma", 2, 1)
        pm.Normal("score", school_level[code], sigma, observed=pupils["score"].to_numpy())
    return model
    ### END SOLUTION


# %% tags=["check:13.5"]
mlm.check("13.5", school_model)


# %% tags=["mistake:13.5"]
# earns: the centered form
def school_model(pupils, schools):
    code = pd.Index(schools["school"]).get_indexer(pupils["school"])
    with pm.Model(coords={"school": schools["school"].tolist()}) as model:
        mu_baseline = pm.Normal("mu_baseline", 0, 5)
        funding_effect = pm.Normal("funding_effect", 0, 2.5)
        tau = pm.HalfNormal("tau", 1)
        center = mu_baseline + funding_effect * schools["funding"].to_numpy()
        school_level = pm.Normal("school_level", center, tau, dims="school")
        sigma = pm.Weibull("sigma", 2, 1)
        pm.Normal("score", school_level[code], sigma, observed=pupils["score"].to_numpy())
    return model


# %% tags=["mistake:13.5"]
# earns: a school without pupils has a level, too
def school_model(pupils, schools):
    school = pd.Categorical(pupils["school"])
    funding = schools.set_index("school")["funding"][school.categories].to_numpy()
    with pm.Model(coords={"school": school.categories.tolist()}) as model:
        mu_baseline = pm.Normal("mu_baseline", 0, 5)
        funding_effect = pm.Normal("funding_effect", 0, 2.5)
        tau = pm.HalfNormal("tau", 1)
        z_school = pm.Normal("z_school", 0, 1, dims="school")
        school_level = pm.Deterministic(
            "school_level", mu_baseline + funding_effect * funding + tau * z_school, dims="school"
        )
        sigma = pm.Weibull("sigma", 2, 1)
        pm.Normal("score", school_level[school.codes], sigma, observed=pupils["score"].to_numpy())
    return model


# %% tags=["mistake:13.5"]
# earns: funding of one school goes to another
def school_model(pupils, schools):
    school = pd.Categorical(pupils["school"], categories=sorted(schools["school"]))
    with pm.Model(coords={"school": school.categories.tolist()}) as model:
        mu_baseline = pm.Normal("mu_baseline", 0, 5)
        funding_effect = pm.Normal("funding_effect", 0, 2.5)
        tau = pm.HalfNormal("tau", 1)
        z_school = pm.Normal("z_school", 0, 1, dims="school")
        center = mu_baseline + funding_effect * schools["funding"].to_numpy()
        school_level = pm.Deterministic("school_level", center + tau * z_school, dims="school")
        sigma = pm.Weibull("sigma", 2, 1)
        pm.Normal("score", school_level[school.codes], sigma, observed=pupils["score"].to_numpy())
    return model


# %% tags=["mistake:13.5"]
# earns: pupils are joined with the wrong schools
def school_model(pupils, schools):
    code = pd.Categorical(pupils["school"]).codes
    with pm.Model(coords={"school": schools["school"].tolist()}) as model:
        mu_baseline = pm.Normal("mu_baseline", 0, 5)
        funding_effect = pm.Normal("funding_effect", 0, 2.5)
        tau = pm.HalfNormal("tau", 1)
        z_school = pm.Normal("z_school", 0, 1, dims="school")
        center = mu_baseline + funding_effect * schools["funding"].to_numpy()
        school_level = pm.Deterministic("school_level", center + tau * z_school, dims="school")
        sigma = pm.Weibull("sigma", 2, 1)
        pm.Normal("score", school_level[code], sigma, observed=pupils["score"].to_numpy())
    return model


# %% tags=["mistake:13.5"]
# earns: the prior of sigma
def school_model(pupils, schools):
    code = pd.Index(schools["school"]).get_indexer(pupils["school"])
    with pm.Model(coords={"school": schools["school"].tolist()}) as model:
        mu_baseline = pm.Normal("mu_baseline", 0, 5)
        funding_effect = pm.Normal("funding_effect", 0, 2.5)
        tau = pm.HalfNormal("tau", 1)
        z_school = pm.Normal("z_school", 0, 1, dims="school")
        center = mu_baseline + funding_effect * schools["funding"].to_numpy()
        school_level = pm.Deterministic("school_level", center + tau * z_school, dims="school")
        sigma = pm.HalfNormal("sigma", 1)
        pm.Normal("score", school_level[code], sigma, observed=pupils["score"].to_numpy())
    return model


# %% tags=["mistake:13.5"]
# earns: should be a PyMC model
def school_model(pupils, schools):
    with pm.Model():
        pm.Normal("mu_baseline", 0, 5)
