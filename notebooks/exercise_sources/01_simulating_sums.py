# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises 01: Simulating sums
#
# These exercises belong to [notebook 01](../01_simulating_sums.ipynb).
# In each task, replace the line `raise NotImplementedError(...)` by your code, run the cell, and run the check below it.
# A check says that your answer is right, or gives a hint.
# It tries your function with inputs of its own, so an answer that fits one example only will not pass.
#
# An *aim* is the number of an item in the notebook's list *You will learn*.
#
# | task | aim | what it practises | points |
# |---|---|---|---|
# | 01.1 | 2 | write down the exact distribution of the totals | 1 |
# | 01.2 | 3 | say why means may be made to sum to zero | 1 |
# | 01.3 | 1 | simulate a structure that is not in the notebook | 2 |
# | 01.4 | 4 | split the variance of the totals among the layers | 3 |

# %%
import numpy as np
import pandas as pd

import mlm_tutorial as mlm

rng = np.random.default_rng(mlm.notebook_seed(101))

# %% [markdown] tags=["task:01.1"]
# ## 01.1 How wide is a total? (easy)
#
# An observation has one contributor in every layer.
# You know the standard deviation of the baseline and those of the contributors that take part.
# Return the standard deviation of the total.


# %% tags=["solution:01.1"]
def total_sd(sigma_baseline, sigma_contributors):
    """Standard deviation of a total.

    sigma_baseline: float
    sigma_contributors: list of float, one for each layer after the baseline
    Returns one float. For example, total_sd(5, [1, 1]) is about 5.196.
    """
    ### BEGIN SOLUTION: return the standard deviation of the total, one float
    return np.sqrt(sigma_baseline**2 + np.sum(np.square(sigma_contributors)))
    ### END SOLUTION


# %% tags=["check:01.1"]
mlm.check("01.1", total_sd)


# %% tags=["mistake:01.1"]
# earns: standard deviations do not add
def total_sd(sigma_baseline, sigma_contributors):
    return sigma_baseline + sum(sigma_contributors)


# %% tags=["mistake:01.1"]
# earns: this is the variance
def total_sd(sigma_baseline, sigma_contributors):
    return sigma_baseline**2 + sum(s**2 for s in sigma_contributors)


# %% tags=["mistake:01.1"]
# earns: the baseline takes part
def total_sd(sigma_baseline, sigma_contributors):
    return np.sqrt(sum(s**2 for s in sigma_contributors))


# %% tags=["mistake:01.1"]
# earns: should be one number
def total_sd(sigma_baseline, sigma_contributors):
    return np.sqrt(sigma_baseline**2 + np.square(sigma_contributors))


# %% [markdown] tags=["task:01.2"]
# ## 01.2 Make the means sum to zero (easy)
#
# A layer has means `mu_layer`, and the baseline has the mean `mu_baseline`.
# Return new means that sum to zero in the layer and give the totals the same distribution.


# %% tags=["solution:01.2"]
def centered_means(mu_baseline, mu_layer):
    """Means of one layer that sum to zero, and the baseline's mean that goes with them.

    mu_baseline: float
    mu_layer: array of float, shape (m,)
    Returns a pair: the new baseline's mean (float) and the layer's new means (array of shape (m,)).
    For example, centered_means(0, np.array([1.0, 3.0])) is (2.0, array([-1., 1.])).
    """
    ### BEGIN SOLUTION: return the pair (mean of the baseline, means of the layer)
    shift = np.mean(mu_layer)
    return mu_baseline + shift, mu_layer - shift
    ### END SOLUTION


# %% tags=["check:01.2"]
mlm.check("01.2", centered_means)


# %% tags=["mistake:01.2"]
# earns: the baseline did not take up
def centered_means(mu_baseline, mu_layer):
    return mu_baseline, mu_layer - np.mean(mu_layer)


# %% tags=["mistake:01.2"]
# earns: the wrong direction
def centered_means(mu_baseline, mu_layer):
    shift = np.mean(mu_layer)
    return mu_baseline - shift, mu_layer - shift


# %% tags=["mistake:01.2"]
# earns: do not sum to zero
def centered_means(mu_baseline, mu_layer):
    return mu_baseline + mu_layer[-1], mu_layer - mu_layer[-1]


# %% tags=["mistake:01.2"]
# earns: pair
def centered_means(mu_baseline, mu_layer):
    return mu_layer - np.mean(mu_layer)


# %% [markdown] tags=["task:01.3"]
# ## 01.3 Rain on some days (medium)
#
# The time of a bicycle ride is a sum of normal contributions.
# The baseline has mean 30 and standard deviation 4 minutes.
# The layer `route` has the contributors `"river"` with mean -2 and standard deviation 1, and `"hill"` with mean 2 and standard deviation 3.
# The layer `weather` has the contributors `"dry"` with mean -3 and standard deviation 1, and `"rain"` with mean 3 and standard deviation 2.
# Each ride goes by the river or over the hill with probability 1/2, and has rain with probability `p_rain`, whatever the route.
# No ride knows of another one.
# Return a table of simulated rides, with the contributions, and take all random numbers from `rng`.


# %% tags=["solution:01.3"]
def simulate_rides(n, p_rain, rng):
    """Simulated rides and their contributions.

    n: int, number of rides
    p_rain: float, probability of rain
    rng: numpy.random.Generator
    Returns a pandas DataFrame of n rows with the columns total, route, weather, y_baseline, y_route, y_weather.
    """
    ### BEGIN SOLUTION: build the truth with mlm.LayeredSum.from_coefficients, then simulate from it
    truth = mlm.LayeredSum.from_coefficients(
        [{"all": (30, 4)}, {"river": (-2, 1), "hill": (2, 3)}, {"dry": (-3, 1), "rain": (3, 2)}],
        names=["route", "weather"],
    )
    often = {"weather": {"dry": 1 - p_rain, "rain": p_rain}}
    return truth.simulate(n, rng=rng, probabilities=often, contributions=True)
    ### END SOLUTION


# %% tags=["check:01.3"]
mlm.check("01.3", simulate_rides)


# %% tags=["mistake:01.3"]
# earns: share of rainy rides
def simulate_rides(n, p_rain, rng):
    truth = mlm.LayeredSum.from_coefficients(
        [{"all": (30, 4)}, {"river": (-2, 1), "hill": (2, 3)}, {"dry": (-3, 1), "rain": (3, 2)}],
        names=["route", "weather"],
    )
    return truth.simulate(n, rng=rng, contributions=True)


# %% tags=["mistake:01.3"]
# earns: lacks the column
def simulate_rides(n, p_rain, rng):
    truth = mlm.LayeredSum.from_coefficients(
        [{"all": (30, 4)}, {"river": (-2, 1), "hill": (2, 3)}, {"dry": (-3, 1), "rain": (3, 2)}],
        names=["route", "weather"],
    )
    return truth.simulate(n, rng=rng, probabilities={"weather": [1 - p_rain, p_rain]})


# %% tags=["mistake:01.3"]
# earns: one value for each contributor
def simulate_rides(n, p_rain, rng):
    rows = pd.DataFrame(
        {"route": rng.choice(["river", "hill"], n), "weather": rng.choice(["dry", "rain"], n, p=[1 - p_rain, p_rain])}
    )
    rows["y_baseline"] = rng.normal(30, 4, n)
    rows["y_route"] = rows["route"].map({"river": -2.0, "hill": 2.0})
    rows["y_weather"] = rows["weather"].map({"dry": -3.0, "rain": 3.0})
    return rows.assign(total=rows[["y_baseline", "y_route", "y_weather"]].sum(axis=1))


# %% tags=["mistake:01.3"]
# earns: a variance where a standard deviation
def simulate_rides(n, p_rain, rng):
    truth = mlm.LayeredSum.from_coefficients(
        [{"all": (30, 16)}, {"river": (-2, 1), "hill": (2, 9)}, {"dry": (-3, 1), "rain": (3, 4)}],
        names=["route", "weather"],
    )
    return truth.simulate(n, rng=rng, probabilities={"weather": [1 - p_rain, p_rain]}, contributions=True)


# %% tags=["mistake:01.3"]
# earns: the weather does not know the route
def simulate_rides(n, p_rain, rng):
    u = rng.uniform(size=n)
    rows = pd.DataFrame({"route": np.where(u < 0.5, "river", "hill"), "weather": np.where(u < p_rain, "rain", "dry")})
    rows["y_baseline"] = rng.normal(30, 4, n)
    rows["y_route"] = rng.normal(np.where(rows["route"] == "hill", 2, -2), np.where(rows["route"] == "hill", 3, 1))
    rows["y_weather"] = rng.normal(np.where(rows["weather"] == "rain", 3, -3), np.where(u < p_rain, 2, 1))
    return rows.assign(total=rows[["y_baseline", "y_route", "y_weather"]].sum(axis=1))


# %% tags=["mistake:01.3"]
# earns: contributions are normal, and these are not
def simulate_rides(n, p_rain, rng):
    hill, rain = rng.uniform(size=n) < 0.5, rng.uniform(size=n) < p_rain
    rows = pd.DataFrame({"route": np.where(hill, "hill", "river"), "weather": np.where(rain, "rain", "dry")})
    z = rng.uniform(-np.sqrt(3), np.sqrt(3), (3, n))
    rows["y_baseline"] = 30 + 4 * z[0]
    rows["y_route"] = np.where(hill, 2 + 3 * z[1], -2 + z[1])
    rows["y_weather"] = np.where(rain, 3 + 2 * z[2], -3 + z[2])
    return rows.assign(total=rows[["y_baseline", "y_route", "y_weather"]].sum(axis=1))


# %% tags=["mistake:01.3"]
# earns: random numbers of its own
def simulate_rides(n, p_rain, rng):
    hill, rain, z = rng.uniform(size=n) < 0.5, rng.uniform(size=n) < p_rain, rng.normal(size=n)
    rows = pd.DataFrame({"route": np.where(hill, "hill", "river"), "weather": np.where(rain, "rain", "dry")})
    rows["y_baseline"] = 30 + 4 * z
    rows["y_route"] = np.where(hill, 2 + 3 * z, -2 + z)
    rows["y_weather"] = np.where(rain, 3 + 2 * z, -3 + z)
    return rows.assign(total=rows[["y_baseline", "y_route", "y_weather"]].sum(axis=1))


# %% tags=["mistake:01.3"]
# earns: go together, with a correlation
def simulate_rides(n, p_rain, rng):
    rain = rng.uniform(size=n) < p_rain
    rows = pd.DataFrame(
        {"route": np.where(np.arange(n) % 2, "hill", "river"), "weather": np.where(rain, "rain", "dry")}
    )
    hill = rows["route"] == "hill"
    rows["y_baseline"] = rng.normal(30, 4, n)
    rows["y_route"] = rng.normal(np.where(hill, 2, -2), np.where(hill, 3, 1))
    rows["y_weather"] = rng.normal(np.where(rain, 3, -3), np.where(rain, 2, 1))
    return rows.assign(total=rows[["y_baseline", "y_route", "y_weather"]].sum(axis=1))


# %% tags=["mistake:01.3"]
# earns: `rng` has no part in them
def simulate_rides(n, p_rain, rng):
    truth = mlm.LayeredSum.from_coefficients(
        [{"all": (30, 4)}, {"river": (-2, 1), "hill": (2, 3)}, {"dry": (-3, 1), "rain": (3, 2)}],
        names=["route", "weather"],
    )
    return truth.simulate(n, rng=1, probabilities={"weather": [1 - p_rain, p_rain]}, contributions=True)


# %% tags=["mistake:01.3"]
# earns: come from elsewhere
def simulate_rides(n, p_rain, rng):
    own = np.random.default_rng()
    hill, rain = rng.uniform(size=n) < 0.5, rng.uniform(size=n) < p_rain
    rows = pd.DataFrame({"route": np.where(hill, "hill", "river"), "weather": np.where(rain, "rain", "dry")})
    rows["y_baseline"] = own.normal(30, 4, n)
    rows["y_route"] = own.normal(np.where(hill, 2, -2), np.where(hill, 3, 1))
    rows["y_weather"] = own.normal(np.where(rain, 3, -3), np.where(rain, 2, 1))
    return rows.assign(total=rows[["y_baseline", "y_route", "y_weather"]].sum(axis=1))


# %% tags=["mistake:01.3"]
# earns: the same random number serves several rides
def simulate_rides(n, p_rain, rng):
    hill, rain = rng.uniform(size=n) < 0.5, rng.uniform(size=n) < p_rain
    rows = pd.DataFrame({"route": np.where(hill, "hill", "river"), "weather": np.where(rain, "rain", "dry")})
    z = np.repeat(rng.normal(size=((n + 1) // 2, 3)), 2, axis=0)[:n]
    rows["y_baseline"] = 30 + 4 * z[:, 0]
    rows["y_route"] = np.where(hill, 2 + 3 * z[:, 1], -2 + z[:, 1])
    rows["y_weather"] = np.where(rain, 3 + 2 * z[:, 2], -3 + z[:, 2])
    return rows.assign(total=rows[["y_baseline", "y_route", "y_weather"]].sum(axis=1))


# %% tags=["mistake:01.3"]
# earns: a probability is no quota
def simulate_rides(n, p_rain, rng):
    hill, rain = rng.uniform(size=n) < 0.5, rng.permutation(n) < round(n * p_rain)
    rows = pd.DataFrame({"route": np.where(hill, "hill", "river"), "weather": np.where(rain, "rain", "dry")})
    rows["y_baseline"] = rng.normal(30, 4, n)
    rows["y_route"] = rng.normal(np.where(hill, 2, -2), np.where(hill, 3, 1))
    rows["y_weather"] = rng.normal(np.where(rain, 3, -3), np.where(rain, 2, 1))
    return rows.assign(total=rows[["y_baseline", "y_route", "y_weather"]].sum(axis=1))


# %% [markdown] tags=["task:01.4"]
# ## 01.4 Variance by layer when contributors are not equally frequent (hard)
#
# In the notebook all contributors were equally frequent.
# Here contributor $k$ of a layer takes part with probability $p_k$.
# Return the two parts that the layer has in the variance of the totals: the part from its contributors' spreads, and the part from their means.


# %% tags=["solution:01.4"]
def layer_variance(mu, sigma, p):
    """Parts of one layer in the variance of the totals.

    mu, sigma, p: arrays of float, shape (m,); means, standard deviations and probabilities of the contributors
    Returns a pair of floats: the part from spreads, the part from means.
    With p = [0.5, 0.5], mu = [1, -1] and sigma = [1, 3], it is (5.0, 1.0).
    """
    ### BEGIN SOLUTION: return the pair (part from spreads, part from means)
    spreads = np.sum(p * sigma**2)
    means = np.sum(p * (mu - np.sum(p * mu)) ** 2)
    return spreads, means
    ### END SOLUTION


# %% tags=["check:01.4"]
mlm.check("01.4", layer_variance)


# %% tags=["mistake:01.4"]
# earns: equally frequent
def layer_variance(mu, sigma, p):
    return np.mean(sigma**2), np.var(mu)


# %% tags=["mistake:01.4"]
# earns: you square after averaging
def layer_variance(mu, sigma, p):
    return np.sum(p * sigma) ** 2, np.sum(p * (mu - np.sum(p * mu)) ** 2)


# %% tags=["mistake:01.4"]
# earns: the center that you measure from
def layer_variance(mu, sigma, p):
    return np.sum(p * sigma**2), np.sum(p * (mu - np.mean(mu)) ** 2)


# %% tags=["mistake:01.4"]
# earns: the other order
def layer_variance(mu, sigma, p):
    return np.sum(p * (mu - np.sum(p * mu)) ** 2), np.sum(p * sigma**2)
