# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises 02: A first fit
#
# These exercises belong to [notebook 02](../02_a_first_fit.ipynb).
# In each task, replace the line `raise NotImplementedError(...)` by your code, run the cell, and run the check below it.
# A check says that your answer is right, or gives a hint.
# It tries your function with inputs of its own, so an answer that fits one example only will not pass.
#
# An *aim* is the number of an item in the notebook's list *You will learn*.
#
# | task | aim | what it practises | points |
# |---|---|---|---|
# | 02.1 | 3 | recognize complete, no and partial pooling by their estimates | 1 |
# | 02.2 | 1 | turn a prior and flights into a posterior by hand | 2 |
# | 02.3 | 4 | predict a flight of a carrier that was never seen | 2 |
# | 02.4 | 2 | write a model of partial pooling, sample it and check it | 3 |

# %%
import numpy as np
import pymc as pm

import mlm_tutorial as mlm

# %% [markdown] tags=["task:02.1"]
# ## 02.1 Who made which column? (easy)
#
# Three colleagues estimated the means of the same six carriers from the same flights.
# One pooled completely, one not at all, one partially.
# They mailed one table and forgot to say whose column is whose.
# The rows are carriers; `flights` is the number of flights of the carrier.
# Here is an example.
#
# | flights | A | B | C |
# |---|---|---|---|
# | 50 | -7.2 | -7.8 | -5.1 |
# | 30 | -4.4 | -4.2 | -5.1 |
# | 15 | -5.9 | -6.6 | -5.1 |
# | 6 | -1.6 | 6.9 | -5.1 |
# | 2 | -6.3 | -15.0 | -5.1 |
# | 1 | -3.9 | 11.0 | -5.1 |
#
# Write a function that finds out for any such table.


# %% tags=["solution:02.1"]
def name_the_columns(table):
    """Which column comes from which kind of pooling.

    table: DataFrame with the columns flights, A, B and C, one row a carrier
    Returns a dictionary with the keys "complete", "no" and "partial"; the values are the letters "A", "B" and "C".
    """
    ### BEGIN SOLUTION: find the letter of each kind, and return them in a dictionary
    spread = table[["A", "B", "C"]].std()
    letters = {"complete": spread.idxmin(), "no": spread.idxmax()}
    letters["partial"] = (set("ABC") - set(letters.values())).pop()
    return letters
    ### END SOLUTION


# %% tags=["check:02.1"]
mlm.check("02.1", name_the_columns)


# %% tags=["mistake:02.1"]
# earns: the same letters for every table
def name_the_columns(table):
    return {"complete": "C", "no": "B", "partial": "A"}


# %% tags=["mistake:02.1"]
# earns: do its estimates lie close together
def name_the_columns(table):
    complete, no, partial = table[["A", "B", "C"]].std().sort_values().index
    return {"complete": complete, "no": no, "partial": partial}


# %% tags=["mistake:02.1"]
# earns: complete pooling treats all carriers as one
def name_the_columns(table):
    partial, complete, no = table[["A", "B", "C"]].std().sort_values().index
    return {"complete": complete, "no": no, "partial": partial}


# %% tags=["mistake:02.1"]
# earns: complete pooling treats all carriers as one
def name_the_columns(table):
    no, partial, complete = table[["A", "B", "C"]].std().sort_values().index
    return {"complete": complete, "no": no, "partial": partial}


# %% tags=["mistake:02.1"]
# earns: the wrong way round
def name_the_columns(table):
    letters = table[["A", "B", "C"]].std().sort_values().index
    return dict(zip(letters, ["complete", "partial", "no"], strict=True))


# %% tags=["mistake:02.1"]
# earns: have the same letter here
def name_the_columns(table):
    spread = table[["A", "B", "C"]].std()
    return {"complete": spread.idxmin(), "no": spread.idxmax(), "partial": spread.idxmax()}


# %% [markdown] tags=["task:02.2"]
# ## 02.2 A posterior by hand (medium)
#
# A carrier's flights scatter about its mean with the standard deviation `sigma`.
# Before you saw any of them, your prior of the mean was Normal(`mu`, `tau`).
# Return the mean and the standard deviation of the posterior.
# A carrier may also have no flight at all.


# %% tags=["solution:02.2"]
def posterior_of_mean(minutes, mu, tau, sigma):
    """Posterior of a carrier's mean.

    minutes: array of float, shape (flights,); minutes lost by each of its flights, maybe none
    mu, tau: float; mean and standard deviation of the prior
    sigma: float; standard deviation of flights about the mean
    Returns a pair of floats, mean and standard deviation.
    For example, posterior_of_mean(np.array([20.0, 32.0]), -5.0, 5.0, 18.0) is (-0.86, 4.65), rounded.
    """
    ### BEGIN SOLUTION: return the posterior's mean and standard deviation
    of_data, of_prior = len(minutes) / sigma**2, 1 / tau**2
    precision = of_data + of_prior
    mean = (np.sum(minutes) / sigma**2 + of_prior * mu) / precision
    return mean, precision**-0.5
    ### END SOLUTION


# %% tags=["check:02.2"]
mlm.check("02.2", posterior_of_mean)


# %% tags=["mistake:02.2"]
# earns: the weights are swapped
def posterior_of_mean(minutes, mu, tau, sigma):
    a, b = len(minutes) / sigma**2, 1 / tau**2
    return (b * np.mean(minutes) + a * mu) / (a + b), 1 / np.sqrt(a + b)


# %% tags=["mistake:02.2"]
# earns: spreads are not squared
def posterior_of_mean(minutes, mu, tau, sigma):
    a, b = len(minutes) / sigma, 1 / tau
    return (a * np.mean(minutes) + b * mu) / (a + b), 1 / np.sqrt(a + b)


# %% tags=["mistake:02.2"]
# earns: more precise than one flight
def posterior_of_mean(minutes, mu, tau, sigma):
    a, b = 1 / sigma**2, 1 / tau**2
    return (a * np.mean(minutes) + b * mu) / (a + b), 1 / np.sqrt(a + b)


# %% tags=["mistake:02.2"]
# earns: this is the variance
def posterior_of_mean(minutes, mu, tau, sigma):
    a, b = len(minutes) / sigma**2, 1 / tau**2
    return (np.sum(minutes) / sigma**2 + b * mu) / (a + b), 1 / (a + b)


# %% tags=["mistake:02.2"]
# earns: that of the average alone
def posterior_of_mean(minutes, mu, tau, sigma):
    a, b = len(minutes) / sigma**2, 1 / tau**2
    return (np.sum(minutes) / sigma**2 + b * mu) / (a + b), sigma / np.sqrt(len(minutes))


# %% tags=["mistake:02.2"]
# earns: the flights' own average
def posterior_of_mean(minutes, mu, tau, sigma):
    return np.mean(minutes), sigma / np.sqrt(len(minutes))


# %% tags=["mistake:02.2"]
# earns: the flights have no part in it
def posterior_of_mean(minutes, mu, tau, sigma):
    return mu, tau


# %% tags=["mistake:02.2"]
# earns: leave you surer
def posterior_of_mean(minutes, mu, tau, sigma):
    a, b = len(minutes) / sigma**2, 1 / tau**2
    return (np.sum(minutes) / sigma**2 + b * mu) / (a + b), np.sqrt(tau**2 + sigma**2 / len(minutes))


# %% tags=["mistake:02.2"]
# earns: without a flight has no average
def posterior_of_mean(minutes, mu, tau, sigma):
    a, b = len(minutes) / sigma**2, 1 / tau**2
    return (a * np.mean(minutes) + b * mu) / (a + b), 1 / np.sqrt(a + b)


# %% [markdown] tags=["task:02.3"]
# ## 02.3 The first flight of a newcomer (medium)
#
# An airline that is not in the data starts flying from New York.
# You have posterior draws of the notebook's model.
# For every draw, predict one flight of such a newcomer.
# Draw `s` of the result uses draw `s` of the parameters, and has a newcomer of its own.


# %% tags=["solution:02.3"]
def new_flights(mu_baseline, tau, sigma, rng):
    """Draws of the minutes lost by a flight of a carrier that was never seen.

    mu_baseline, tau, sigma: arrays of float, shape (draws,); posterior draws
    rng: numpy.random.Generator
    Returns an array of float, shape (draws,).
    """
    ### BEGIN SOLUTION: draw a newcomer and its flight for every draw, and return the flights
    newcomer = rng.normal(mu_baseline, tau)
    return rng.normal(newcomer, sigma)
    ### END SOLUTION


# %% tags=["check:02.3"]
mlm.check("02.3", new_flights)


# %% tags=["mistake:02.3"]
# earns: not an average one
def new_flights(mu_baseline, tau, sigma, rng):
    return rng.normal(mu_baseline, sigma)


# %% tags=["mistake:02.3"]
# earns: means of new carriers
def new_flights(mu_baseline, tau, sigma, rng):
    return rng.normal(mu_baseline, tau)


# %% tags=["mistake:02.3"]
# earns: standard deviations do not add
def new_flights(mu_baseline, tau, sigma, rng):
    return rng.normal(mu_baseline, tau + sigma)


# %% tags=["mistake:02.3"]
# earns: used as variances
def new_flights(mu_baseline, tau, sigma, rng):
    return rng.normal(rng.normal(mu_baseline, np.sqrt(tau)), np.sqrt(sigma))


# %% tags=["mistake:02.3"]
# earns: here they are squared
def new_flights(mu_baseline, tau, sigma, rng):
    return rng.normal(rng.normal(mu_baseline, tau**2), sigma**2)


# %% tags=["mistake:02.3"]
# earns: not their averages
def new_flights(mu_baseline, tau, sigma, rng):
    newcomers = rng.normal(np.mean(mu_baseline), np.mean(tau), size=len(tau))
    return rng.normal(newcomers, np.mean(sigma))


# %% tags=["mistake:02.3"]
# earns: a new carrier of its own
def new_flights(mu_baseline, tau, sigma, rng):
    z = rng.choice([-1, 1]) * rng.uniform(0.7, 1.5)
    return rng.normal(mu_baseline + tau * z, sigma)


# %% tags=["mistake:02.3"]
# earns: take every random number from rng
def new_flights(mu_baseline, tau, sigma, rng):
    rng = np.random.default_rng()
    return rng.normal(rng.normal(mu_baseline, tau), sigma)


# %% tags=["mistake:02.3"]
# earns: do not seed them yourself
def new_flights(mu_baseline, tau, sigma, rng):
    rng = np.random.default_rng(1)
    return rng.normal(rng.normal(mu_baseline, tau), sigma)


# %% tags=["mistake:02.3"]
# earns: random numbers of its own
def new_flights(mu_baseline, tau, sigma, rng):
    half = len(tau) // 2
    z = np.tile(rng.normal(size=half), 2)
    return mu_baseline + np.sqrt(tau**2 + sigma**2) * z


# %% [markdown] tags=["task:02.4"]
# ## 02.4 Your own first fit (hard)
#
# A small airport has eight carriers and some hundred flights.
# How far flights of one carrier scatter is known here: `sigma` is a number.
# Write this model of partial pooling, sample it, check it with `mlm.check_convergence`, and return what `mlm.sample` returned.
#
# | variable | what it is |
# |---|---|
# | `mu_baseline` | Normal(0, 20) |
# | `tau` | half-normal with scale 5 |
# | `carrier_mean` | one for each carrier, also for a carrier without a flight: Normal(`mu_baseline`, `tau`) |
# | the flights | observed: Normal with the mean of the flight's carrier, and `sigma` |
#
# You may sample `carrier_mean` as it is, or compute it from standard normals as the notebook does.
# Ask for `draws=2000` and `target_accept=0.99`; if the check of convergence fails, ask for more.
# The check computes the exact posterior by another way and compares means and standard deviations.


# %% tags=["solution:02.4"]
def fit_carriers(minutes, position, n_carriers, sigma, seed):
    """Posterior of a model of partial pooling.

    minutes: array of float, shape (flights,); minutes lost
    position: array of int, shape (flights,); carrier of each flight, from 0 to n_carriers - 1
    n_carriers: int
    sigma: float; standard deviation of flights about their carrier's mean
    seed: int, for mlm.sample
    Returns the DataTree of mlm.sample, with mu_baseline, tau and carrier_mean in its posterior.
    """
    ### BEGIN SOLUTION: write the model, sample it with mlm.sample, check it, and return the draws
    with pm.Model(coords={"carrier": range(n_carriers)}) as model:
        mu_baseline = pm.Normal("mu_baseline", 0, 20)
        tau = pm.HalfNormal("tau", 5)
        z = pm.Normal("z", 0, 1, dims="carrier")
        carrier_mean = pm.Deterministic("carrier_mean", mu_baseline + tau * z, dims="carrier")
        pm.Normal("minutes_lost", carrier_mean[position], sigma, observed=minutes)
    idata = mlm.sample(model, seed=seed, draws=2000, target_accept=0.99)
    mlm.check_convergence(idata)
    return idata
    ### END SOLUTION


# %% tags=["check:02.4"]
mlm.check("02.4", fit_carriers)


# %% tags=["mistake:02.4"]
# earns: there is no tau in the posterior
def fit_carriers(minutes, position, n_carriers, sigma, seed):  # no pooling
    with pm.Model() as model:
        mu_baseline = pm.Normal("mu_baseline", 0, 20)
        carrier_mean = pm.Normal("carrier_mean", mu_baseline, 100, shape=n_carriers)
        pm.Normal("minutes_lost", carrier_mean[position], sigma, observed=minutes)
    return mlm.sample(model, seed=seed)


# %% tags=["mistake:02.4"]
# earns: which is complete pooling
def fit_carriers(minutes, position, n_carriers, sigma, seed):
    with pm.Model() as model:
        mu_baseline = pm.Normal("mu_baseline", 0, 20)
        pm.HalfNormal("tau", 5)
        carrier_mean = pm.Deterministic("carrier_mean", mu_baseline + np.zeros(n_carriers))
        pm.Normal("minutes_lost", carrier_mean[position], sigma, observed=minutes)
    return mlm.sample(model, seed=seed, draws=2000, target_accept=0.99)


# %% tags=["mistake:02.4"]
# earns: tau has kept its prior
def fit_carriers(minutes, position, n_carriers, sigma, seed):  # no pooling
    with pm.Model() as model:
        pm.Normal("mu_baseline", 0, 20)
        pm.HalfNormal("tau", 5)
        carrier_mean = pm.Normal("carrier_mean", 0, 20, shape=n_carriers)
        pm.Normal("minutes_lost", carrier_mean[position], sigma, observed=minutes)
    return mlm.sample(model, seed=seed, draws=2000, target_accept=0.99)


# %% tags=["mistake:02.4"]
# earns: pm.Normal takes one
def fit_carriers(minutes, position, n_carriers, sigma, seed):
    with pm.Model() as model:
        mu_baseline = pm.Normal("mu_baseline", 0, 20)
        tau = pm.HalfNormal("tau", 5)
        z = pm.Normal("z", 0, 1, shape=n_carriers)
        carrier_mean = pm.Deterministic("carrier_mean", mu_baseline + tau * z)
        pm.Normal("minutes_lost", carrier_mean[position], sigma**2, observed=minutes)
    return mlm.sample(model, seed=seed, draws=3000, target_accept=0.99)


# %% tags=["mistake:02.4"]
# earns: here it stands for their variance
def fit_carriers(minutes, position, n_carriers, sigma, seed):
    with pm.Model() as model:
        mu_baseline = pm.Normal("mu_baseline", 0, 20)
        tau = pm.HalfNormal("tau", 5)
        z = pm.Normal("z", 0, 1, shape=n_carriers)
        carrier_mean = pm.Deterministic("carrier_mean", mu_baseline + pm.math.sqrt(tau) * z)
        pm.Normal("minutes_lost", carrier_mean[position], sigma, observed=minutes)
    return mlm.sample(model, seed=seed, draws=3000, target_accept=0.99)


# %% tags=["mistake:02.4"]
# earns: the prior of tau is not the one in the text
def fit_carriers(minutes, position, n_carriers, sigma, seed):
    with pm.Model() as model:
        mu_baseline = pm.Normal("mu_baseline", 0, 20)
        tau = pm.HalfNormal("tau", 10)
        z = pm.Normal("z", 0, 1, shape=n_carriers)
        carrier_mean = pm.Deterministic("carrier_mean", mu_baseline + tau * z)
        pm.Normal("minutes_lost", carrier_mean[position], sigma, observed=minutes)
    return mlm.sample(model, seed=seed, draws=2000, target_accept=0.99)


# %% tags=["mistake:02.4"]
# earns: the last has no flight
def fit_carriers(minutes, position, n_carriers, sigma, seed):
    with pm.Model() as model:
        mu_baseline = pm.Normal("mu_baseline", 0, 20)
        tau = pm.HalfNormal("tau", 5)
        z = pm.Normal("z", 0, 1, shape=len(np.unique(position)))
        carrier_mean = pm.Deterministic("carrier_mean", mu_baseline + tau * z)
        pm.Normal("minutes_lost", carrier_mean[position], sigma, observed=minutes)
    return mlm.sample(model, seed=seed, draws=2000, target_accept=0.99)


# %% tags=["mistake:02.4"]
# earns: should be what mlm.sample returns
def fit_carriers(minutes, position, n_carriers, sigma, seed):
    with pm.Model() as model:
        mu_baseline = pm.Normal("mu_baseline", 0, 20)
        tau = pm.HalfNormal("tau", 5)
        carrier_mean = pm.Normal("carrier_mean", mu_baseline, tau, shape=n_carriers)
        pm.Normal("minutes_lost", carrier_mean[position], sigma, observed=minutes)
    return model
