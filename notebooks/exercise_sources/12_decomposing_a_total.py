# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises 12: Decomposing a total
#
# These exercises belong to [notebook 12](../12_decomposing_a_total.ipynb).
# In each task, replace the line `raise NotImplementedError(...)` by your code, run the cell, and run the check below it.
# A check says that your answer is right, or gives a hint.
# It tries your function with inputs of its own, so an answer that fits one example only will not pass.
#
# An *aim* is the number of an item in the notebook's list *You will learn*.
#
# | task | aim | what it practises | points |
# |---|---|---|---|
# | 12.1 | 1 | split one total into parts, with their uncertainty | 1 |
# | 12.2 | 2 | draw all parts of a total together, with parameters from a posterior | 2 |
# | 12.3 | 5 | split the variance of all totals, with its covariance | 2 |
# | 12.4 | 3 | fit a model, and split one parcel's minutes with it | 3 |
# | 12.5 | 4 | find how far a prior can move a weight | 3 |

# %%
import numpy as np
import pymc as pm

import mlm_tutorial as mlm

# %% [markdown] tags=["task:12.1"]
# ## 12.1 Split one total (easy)
#
# A parcel is `x` minutes late.
# Road, center, driver and whoever else had a hand in it contributed independent normal parts.
# You know their means `mu` and their standard deviations `sigma`, in minutes.
# Return the mean and the standard deviation of every part, given that they add up to `x`.


# %% tags=["solution:12.1"]
def split_total(x, mu, sigma):
    """Means and standard deviations of the parts, given their sum.

    x: float, the total, minutes
    mu, sigma: arrays of float, shape (m,); means and standard deviations before the total is known
    Returns a pair of two arrays of shape (m,): means given the total, standard deviations given the total.
    For example, split_total(8.0, np.array([1.0, 2.0]), np.array([2.0, 1.0])) is ([5, 3], [0.894, 0.894]), rounded.
    """
    ### BEGIN SOLUTION: return the pair (means given x, standard deviations given x)
    v = sigma**2
    w = v / np.sum(v)
    return mu + w * (x - np.sum(mu)), np.sqrt(v * (1 - w))
    ### END SOLUTION


# %% tags=["check:12.1"]
mlm.check("12.1", split_total)


# %% tags=["mistake:12.1"]
# earns: not shared out in proportion to standard deviations
def split_total(x, mu, sigma):
    w = sigma / np.sum(sigma)
    return mu + w * (x - np.sum(mu)), sigma * np.sqrt(1 - w)


# %% tags=["mistake:12.1"]
# earns: share out only the surprise
def split_total(x, mu, sigma):
    w = sigma**2 / np.sum(sigma**2)
    return w * x, sigma * np.sqrt(1 - w)


# %% tags=["mistake:12.1"]
# earns: equal parts
def split_total(x, mu, sigma):
    return mu + (x - np.sum(mu)) / len(mu), sigma


# %% tags=["mistake:12.1"]
# earns: before the total was known; knowing it tells something
def split_total(x, mu, sigma):
    w = sigma**2 / np.sum(sigma**2)
    return mu + w * (x - np.sum(mu)), sigma


# %% tags=["mistake:12.1"]
# earns: these are variances
def split_total(x, mu, sigma):
    w = sigma**2 / np.sum(sigma**2)
    return mu + w * (x - np.sum(mu)), sigma**2 * (1 - w)


# %% tags=["mistake:12.1"]
# earns: than expected, and your parts are not
def split_total(x, mu, sigma):
    w = sigma**2 / np.sum(sigma**2)
    return mu + w * abs(x - np.sum(mu)), sigma * np.sqrt(1 - w)


# %% [markdown] tags=["task:12.2"]
# ## 12.2 Draws that add up, with parameters from a posterior (medium)
#
# In the notebook all joint draws of a total had the same parameters.
# A posterior gives you many sets of parameters instead.
# Row `s` of `mu` and of `v` is one of them: the means and the variances of all components.
# As always, contributions are independent and normal before their sum is known.
# Return one joint draw of all contributions for each row.
# Row `s` of the result is drawn with the parameters in row `s`, and it adds up to the total `x`.
# Each row has random numbers of its own, and all of them come from `rng`.


# %% tags=["solution:12.2"]
def joint_draws(x, mu, v, rng):
    """Joint draws of all contributions to one total, each with its own parameters.

    x: float, the total
    mu, v: arrays of float, shape (draws, components); means and variances of the contributions
    rng: numpy.random.Generator
    Returns an array of shape (draws, components); each of its rows adds up to x. For example, with
    mu = np.array([[1.0, 2.0]]) and v = np.array([[0.0, 3.0]]) a total of 10.0 has one draw only, [[1.0, 9.0]].
    """
    ### BEGIN SOLUTION: draw as if the sum were unknown, then share out what is missing in each draw
    y = rng.normal(mu, np.sqrt(v))
    w = v / v.sum(axis=1, keepdims=True)
    return y + w * (x - y.sum(axis=1, keepdims=True))
    ### END SOLUTION


# %% tags=["check:12.2"]
mlm.check("12.2", joint_draws)


# %% tags=["mistake:12.2"]
# earns: drawn one by one
def joint_draws(x, mu, v, rng):
    w = v / v.sum(axis=1, keepdims=True)
    return rng.normal(mu + w * (x - mu.sum(axis=1, keepdims=True)), np.sqrt(v * (1 - w)))


# %% tags=["mistake:12.2"]
# earns: for 2 components
def joint_draws(x, mu, v, rng):
    y = rng.normal(mu[:, :3], np.sqrt(v[:, :3]))
    off = x - y[:, 0] - y[:, 1] - y[:, -1]
    return np.column_stack([y[:, k] + v[:, k] / v.sum(axis=1) * off for k in (0, 1, -1)])


# %% tags=["mistake:12.2"]
# earns: the task asks for draws
def joint_draws(x, mu, v, rng):
    w = v / v.sum(axis=1, keepdims=True)
    return mu + w * (x - mu.sum(axis=1, keepdims=True))


# %% tags=["mistake:12.2"]
# earns: went to the first component
def joint_draws(x, mu, v, rng):
    y = rng.normal(mu, np.sqrt(v))
    y[:, 0] += x - y.sum(axis=1)
    return y


# %% tags=["mistake:12.2"]
# earns: not averages
def joint_draws(x, mu, v, rng):
    mu, v = mu.mean(axis=0), v.mean(axis=0) * np.ones(v.shape)
    y = rng.normal(mu, np.sqrt(v))
    return y + v / v.sum(axis=1, keepdims=True) * (x - y.sum(axis=1, keepdims=True))


# %% tags=["mistake:12.2"]
# earns: v are variances
def joint_draws(x, mu, v, rng):
    y = rng.normal(mu, np.sqrt(v))
    w = np.sqrt(v) / np.sqrt(v).sum(axis=1, keepdims=True)
    return y + w * (x - y.sum(axis=1, keepdims=True))


# %% tags=["mistake:12.2"]
# earns: not how draws vary
def joint_draws(x, mu, v, rng):
    w = v / v.sum(axis=1, keepdims=True)
    y = mu + w * (x - mu.sum(axis=1, keepdims=True))
    noise = rng.normal(size=y.shape)
    return y + noise - noise.mean(axis=1, keepdims=True)


# %% tags=["mistake:12.2"]
# earns: has another shape
def joint_draws(x, mu, v, rng):
    y = mu + rng.choice([-1, 1], mu.shape) * np.sqrt(v)
    w = v / v.sum(axis=1, keepdims=True)
    return y + w * (x - y.sum(axis=1, keepdims=True))


# %% tags=["mistake:12.2"]
# earns: has another shape
def joint_draws(x, mu, v, rng):
    y = mu + rng.uniform(-1, 1, mu.shape) * np.sqrt(3 * v)
    w = v / v.sum(axis=1, keepdims=True)
    return y + w * (x - y.sum(axis=1, keepdims=True))


# %% tags=["mistake:12.2"]
# earns: come from elsewhere
def joint_draws(x, mu, v, rng):
    y = np.random.default_rng().normal(mu, np.sqrt(v))
    return y + v / v.sum(axis=1, keepdims=True) * (x - y.sum(axis=1, keepdims=True))


# %% tags=["mistake:12.2"]
# earns: `rng` has no part in them
def joint_draws(x, mu, v, rng):
    y = np.random.default_rng(7).normal(mu, np.sqrt(v))
    return y + v / v.sum(axis=1, keepdims=True) * (x - y.sum(axis=1, keepdims=True))


# %% tags=["mistake:12.2"]
# earns: share random numbers
def joint_draws(x, mu, v, rng):
    y = mu + np.sqrt(v) * np.repeat(rng.normal(size=(len(mu) // 2, mu.shape[1])), 2, axis=0)
    return y + v / v.sum(axis=1, keepdims=True) * (x - y.sum(axis=1, keepdims=True))


# %% tags=["mistake:12.2"]
# earns: share random numbers
def joint_draws(x, mu, v, rng):
    y = mu + np.sqrt(v) * np.tile(rng.normal(size=(len(mu) // 2, mu.shape[1])), (2, 1))
    return y + v / v.sum(axis=1, keepdims=True) * (x - y.sum(axis=1, keepdims=True))


# %% [markdown] tags=["task:12.3"]
# ## 12.3 When the slow meet the slow (medium)
#
# Centers and drivers both have means, and some combinations of them are more frequent than others.
# `p[k, l]` is the share of all parcels that go through center $k$ with driver $l$.
# You have posterior draws of the means of centers and drivers, and of `v_spreads`, the part that all spreads together have in the variance of all totals.
#
# Split the variance of all totals: which share of it is due to the means of centers, which to the means of drivers, and which to their covariance?
# Return the posterior means of the three shares.
# Together with the share of the spreads they add up to 1.


# %% tags=["solution:12.3"]
def shares_of_means(mu_center, mu_driver, v_spreads, p):
    """Shares that means have in the variance of all totals.

    mu_center: array of float, shape (draws, K), posterior draws of the centers' means
    mu_driver: array of float, shape (draws, L), posterior draws of the drivers' means
    v_spreads: array of float, shape (draws,), what all spreads together add to the variance of the totals
    p: array of float, shape (K, L), the share of each combination of center and driver; adds up to 1
    Returns an array of shape (3,): posterior means of the shares of centers, of drivers, of their covariance.
    For one draw, mu_center = [[-1, 1]], mu_driver = [[-1, 1]], v_spreads = [2] and p = [[0.4, 0.1], [0.1, 0.4]],
    it is [0.192, 0.192, 0.231], rounded.
    """
    ### BEGIN SOLUTION: split the variance in every draw, and return the averages of the three shares
    of_center, of_driver = p.sum(axis=1), p.sum(axis=0)
    center = mu_center - (mu_center @ of_center)[:, None]
    driver = mu_driver - (mu_driver @ of_driver)[:, None]
    covariance = 2 * np.einsum("sk,kl,sl->s", center, p, driver)
    three = np.stack([center**2 @ of_center, driver**2 @ of_driver, covariance])
    return np.mean(three / (three.sum(axis=0) + v_spreads), axis=1)
    ### END SOLUTION


# %% tags=["check:12.3"]
mlm.check("12.3", shares_of_means)


# %% tags=["mistake:12.3"]
# earns: as if centers and drivers met by chance
def shares_of_means(mu_center, mu_driver, v_spreads, p):
    of_center, of_driver = p.sum(axis=1), p.sum(axis=0)
    center = mu_center - (mu_center @ of_center)[:, None]
    driver = mu_driver - (mu_driver @ of_driver)[:, None]
    three = np.stack([center**2 @ of_center, driver**2 @ of_driver, np.zeros(len(v_spreads))])
    return np.mean(three / (three.sum(axis=0) + v_spreads), axis=1)


# %% tags=["mistake:12.3"]
# earns: two times the covariance
def shares_of_means(mu_center, mu_driver, v_spreads, p):
    of_center, of_driver = p.sum(axis=1), p.sum(axis=0)
    center = mu_center - (mu_center @ of_center)[:, None]
    driver = mu_driver - (mu_driver @ of_driver)[:, None]
    covariance = np.einsum("sk,kl,sl->s", center, p, driver)
    three = np.stack([center**2 @ of_center, driver**2 @ of_driver, covariance])
    return np.mean(three / (three.sum(axis=0) + v_spreads), axis=1)


# %% tags=["mistake:12.3"]
# earns: the whole lacks the covariance
def shares_of_means(mu_center, mu_driver, v_spreads, p):
    of_center, of_driver = p.sum(axis=1), p.sum(axis=0)
    center = mu_center - (mu_center @ of_center)[:, None]
    driver = mu_driver - (mu_driver @ of_driver)[:, None]
    covariance = 2 * np.einsum("sk,kl,sl->s", center, p, driver)
    three = np.stack([center**2 @ of_center, driver**2 @ of_driver, covariance])
    return np.mean(three / (three[:2].sum(axis=0) + v_spreads), axis=1)


# %% tags=["mistake:12.3"]
# earns: equally frequent
def shares_of_means(mu_center, mu_driver, v_spreads, p):
    three = np.stack([mu_center.var(axis=1), mu_driver.var(axis=1), np.zeros(len(v_spreads))])
    return np.mean(three / (three.sum(axis=0) + v_spreads), axis=1)


# %% tags=["mistake:12.3"]
# earns: a share of averages is another number
def shares_of_means(mu_center, mu_driver, v_spreads, p):
    of_center, of_driver = p.sum(axis=1), p.sum(axis=0)
    center, driver = mu_center.mean(axis=0), mu_driver.mean(axis=0)
    center, driver = center - of_center @ center, driver - of_driver @ driver
    three = np.array([of_center @ center**2, of_driver @ driver**2, 2 * center @ p @ driver])
    return three / (three.sum() + v_spreads.mean())


# %% [markdown] tags=["task:12.4"]
# ## 12.4 One parcel of a depot whose spreads are known (hard)
#
# A depot has had its road, its centers and its drivers timed, one by one.
# So all standard deviations are known, and the split of a surprise is not the prior's.
# The means are still to be learned, from few parcels:
#
# $$
# \text{mu\_baseline} \sim \text{Normal}(0, 20), \qquad
# \text{mu\_center} \sim \text{ZeroSumNormal}(3), \qquad
# \text{mu\_driver} \sim \text{ZeroSumNormal}(3).
# $$
#
# Fit the model with all contributions integrated out.
# Then say how many minutes the driver of parcel `i`, one of the rows, contributed to it: return 4,000 draws of this part, given the parcel's total.
# They should carry both what is uncertain about the means and what the total leaves open.
#
# `mlm.Priors` takes `known_sigma=known` (and then any `sigma_scale`) and `pooled=False`; or write the model yourself.
# Sample with `mlm.sample(model, seed=seed)`.
# The check compares with the exact answer, so it takes some seconds.


# %% tags=["solution:12.4"]
def fit_and_split(parcels, known, i, seed):
    """Posterior of the means, and draws of a driver's part in one parcel.

    parcels: pandas DataFrame with the columns total (minutes late), center and driver; one row a parcel
    known: dict, standard deviations in minutes: known["baseline"] is a float, known["center"] and known["driver"]
        are dicts of label to float
    i: label of the parcel's row in the index of `parcels`, so that parcels.loc[i] is the parcel
    seed: int, for mlm.sample and for draws of your own
    Returns a pair: what mlm.sample returns, with mu_baseline, mu_center (dim center) and mu_driver (dim driver);
        and an array of float, shape (4000,), draws of the driver's part in parcel i.
    """
    ### BEGIN SOLUTION: fit, decompose the parcel in the posterior's draws, and return the pair
    layers = ["center", "driver"]
    priors = mlm.Priors(baseline_mu=0, baseline_mu_sd=20, mu_sd=3, sigma_scale=1, pooled=False, known_sigma=known)
    model = mlm.cell_model(mlm.cell_statistics(parcels, layers=layers), priors)
    idata = mlm.sample(model, seed=seed)
    parts = mlm.decompose(idata, parcels.loc[[i]], layers=layers, draws=4000, rng=seed)
    return idata, parts["draws"].sel(component="driver").values[:, 0]
    ### END SOLUTION


# %% tags=["check:12.4"]
mlm.check("12.4", fit_and_split)


# %% tags=["mistake:12.4"]
# earns: as if the total were unknown
def fit_and_split(parcels, known, i, seed):
    layers = ["center", "driver"]
    priors = mlm.Priors(baseline_mu=0, baseline_mu_sd=20, mu_sd=3, sigma_scale=1, pooled=False, known_sigma=known)
    idata = mlm.sample(mlm.cell_model(mlm.cell_statistics(parcels, layers=layers), priors), seed=seed)
    row = parcels.loc[i]
    mean = idata["posterior"]["mu_driver"].sel(driver=row["driver"]).values.ravel()[:4000]
    return idata, np.random.default_rng(seed).normal(mean, known["driver"][row["driver"]])


# %% tags=["mistake:12.4"]
# earns: what is uncertain about the means is lost
def fit_and_split(parcels, known, i, seed):
    layers = ["center", "driver"]
    priors = mlm.Priors(baseline_mu=0, baseline_mu_sd=20, mu_sd=3, sigma_scale=1, pooled=False, known_sigma=known)
    idata = mlm.sample(mlm.cell_model(mlm.cell_statistics(parcels, layers=layers), priors), seed=seed)
    row, p = parcels.loc[i], idata["posterior"].to_dataset().mean(["chain", "draw"])
    v = np.array([known["baseline"], known["center"][row["center"]], known["driver"][row["driver"]]]) ** 2
    mu = [float(p["mu_baseline"]), float(p["mu_center"].sel(center=row["center"]))]
    mu.append(float(p["mu_driver"].sel(driver=row["driver"])))
    w = v[2] / v.sum()
    mean = mu[2] + w * (row["total"] - np.sum(mu))
    return idata, np.random.default_rng(seed).normal(mean, np.sqrt(v[2] * (1 - w)), 4000)


# %% tags=["mistake:12.4"]
# earns: expected parts
def fit_and_split(parcels, known, i, seed):
    layers = ["center", "driver"]
    priors = mlm.Priors(baseline_mu=0, baseline_mu_sd=20, mu_sd=3, sigma_scale=1, pooled=False, known_sigma=known)
    idata = mlm.sample(mlm.cell_model(mlm.cell_statistics(parcels, layers=layers), priors), seed=seed)
    row, p = parcels.loc[i], idata["posterior"].to_dataset()
    v = np.array([known["baseline"], known["center"][row["center"]], known["driver"][row["driver"]]]) ** 2
    driver = p["mu_driver"].sel(driver=row["driver"], drop=True)
    expected = p["mu_baseline"] + p["mu_center"].sel(center=row["center"], drop=True) + driver
    return idata, (driver + v[2] / v.sum() * (row["total"] - expected)).values.ravel()


# %% tags=["mistake:12.4"]
# earns: your draws are too wide
def fit_and_split(parcels, known, i, seed):
    layers = ["center", "driver"]
    priors = mlm.Priors(baseline_mu=0, baseline_mu_sd=20, mu_sd=3, sigma_scale=1, pooled=False, known_sigma=known)
    idata = mlm.sample(mlm.cell_model(mlm.cell_statistics(parcels, layers=layers), priors), seed=seed)
    row, p = parcels.loc[i], idata["posterior"].to_dataset()
    v = np.array([known["baseline"], known["center"][row["center"]], known["driver"][row["driver"]]]) ** 2
    driver = p["mu_driver"].sel(driver=row["driver"], drop=True)
    expected = p["mu_baseline"] + p["mu_center"].sel(center=row["center"], drop=True) + driver
    mean = (driver + v[2] / v.sum() * (row["total"] - expected)).values.ravel()
    return idata, np.random.default_rng(seed).normal(mean, np.sqrt(v[2]))


# %% tags=["mistake:12.4"]
# earns: your draws are too narrow
def fit_and_split(parcels, known, i, seed):
    layers = ["center", "driver"]
    priors = mlm.Priors(baseline_mu=0, baseline_mu_sd=20, mu_sd=3, sigma_scale=1, pooled=False, known_sigma=known)
    idata = mlm.sample(mlm.cell_model(mlm.cell_statistics(parcels, layers=layers), priors), seed=seed)
    row, p = parcels.loc[i], idata["posterior"].to_dataset()
    v = np.array([known["baseline"], known["center"][row["center"]], known["driver"][row["driver"]]]) ** 2
    driver = p["mu_driver"].sel(driver=row["driver"], drop=True)
    expected = p["mu_baseline"] + p["mu_center"].sel(center=row["center"], drop=True) + driver
    mean = (driver + v[2] / v.sum() * (row["total"] - expected)).values.ravel()
    return idata, np.random.default_rng(seed).normal(mean, np.sqrt(v[2]) * (1 - v[2] / v.sum()))


# %% tags=["mistake:12.4"]
# earns: in proportion to standard deviations
def fit_and_split(parcels, known, i, seed):
    layers = ["center", "driver"]
    priors = mlm.Priors(baseline_mu=0, baseline_mu_sd=20, mu_sd=3, sigma_scale=1, pooled=False, known_sigma=known)
    idata = mlm.sample(mlm.cell_model(mlm.cell_statistics(parcels, layers=layers), priors), seed=seed)
    row, p = parcels.loc[i], idata["posterior"].to_dataset()
    v = np.array([known["baseline"], known["center"][row["center"]], known["driver"][row["driver"]]]) ** 2
    driver = p["mu_driver"].sel(driver=row["driver"], drop=True)
    expected = p["mu_baseline"] + p["mu_center"].sel(center=row["center"], drop=True) + driver
    mean = (driver + np.sqrt(v[2]) / np.sqrt(v).sum() * (row["total"] - expected)).values.ravel()
    return idata, np.random.default_rng(seed).normal(mean, np.sqrt(v[2] * (1 - v[2] / v.sum())))


# %% tags=["mistake:12.4"]
# earns: of the center
def fit_and_split(parcels, known, i, seed):
    layers = ["center", "driver"]
    priors = mlm.Priors(baseline_mu=0, baseline_mu_sd=20, mu_sd=3, sigma_scale=1, pooled=False, known_sigma=known)
    idata = mlm.sample(mlm.cell_model(mlm.cell_statistics(parcels, layers=layers), priors), seed=seed)
    parts = mlm.decompose(idata, parcels.loc[[i]], layers=layers, draws=4000, rng=seed)
    return idata, parts["draws"].sel(component="center").values[:, 0]


# %% tags=["mistake:12.4"]
# earns: of another parcel
def fit_and_split(parcels, known, i, seed):
    layers = ["center", "driver"]
    priors = mlm.Priors(baseline_mu=0, baseline_mu_sd=20, mu_sd=3, sigma_scale=1, pooled=False, known_sigma=known)
    idata = mlm.sample(mlm.cell_model(mlm.cell_statistics(parcels, layers=layers), priors), seed=seed)
    parts = mlm.decompose(idata, parcels.iloc[[i]], layers=layers, draws=4000, rng=seed)
    return idata, parts["draws"].sel(component="driver").values[:, 0]


# %% tags=["mistake:12.4"]
# earns: should be a pair
def fit_and_split(parcels, known, i, seed):
    with pm.Model() as model:
        pm.Normal("mu_baseline", 0, 20)
    return model


# %% [markdown] tags=["task:12.5"]
# ## 12.5 How far can a prior move a weight? (hard)
#
# The data do not fix a decomposition, but they do bound it.
# You know one set of variances that fits all totals: that of the baseline, and those of every contributor in every layer.
# Another set fits as well if it gives every combination of contributors the same sum of variances.
# No variance may be negative; zero is allowed.
#
# Take one combination, in which one contributor of each layer takes part.
# The weight of a component is its share in the sum of the variances of this combination.
# Return the lowest and the highest weight that each component has in any set that fits.


# %% tags=["solution:12.5"]
def weight_bounds(v_baseline, v_layers, codes):
    """Lowest and highest weights of the components of one combination of contributors.

    v_baseline: float, variance of the baseline
    v_layers: list of arrays of float; for each layer, the variances of all its contributors
    codes: list of int; for each layer, the position of the contributor that takes part
    Returns an array of shape (1 + number of layers, 2), one row a component, the baseline first: lowest, highest weight.
    For example, weight_bounds(4.0, [np.array([1.0, 3.0])], [1]) is [[0, 0.714], [0.286, 1]], rounded.
    """
    ### BEGIN SOLUTION: find what every layer could give away, and return an array of lowest and highest weights
    own = np.array([v_layers[j][k] for j, k in enumerate(codes)])
    movable = np.array([v.min() for v in v_layers])  # what all contributors of a layer can give away together
    common = v_baseline + movable.sum()  # what can be moved to any one component
    lowest = np.concatenate([[0], own - movable])
    return np.column_stack([lowest, lowest + common]) / (v_baseline + own.sum())
    ### END SOLUTION


# %% tags=["check:12.5"]
mlm.check("12.5", weight_bounds)


# %% tags=["mistake:12.5"]
# earns: the steadiest one
def weight_bounds(v_baseline, v_layers, codes):
    return np.array([[0.0, 1.0]] * (1 + len(codes)))


# %% tags=["mistake:12.5"]
# earns: the largest variance of each layer
def weight_bounds(v_baseline, v_layers, codes):
    own = np.array([v.max() for v in v_layers])
    least = np.array([v.min() for v in v_layers])
    lowest = np.concatenate([[0], own - least])
    return np.column_stack([lowest, lowest + v_baseline + least.sum()]) / (v_baseline + own.sum())


# %% tags=["mistake:12.5"]
# earns: not everything can be moved
def weight_bounds(v_baseline, v_layers, codes):
    own = np.array([v_layers[j][k] for j, k in enumerate(codes)])
    least = np.array([v.min() for v in v_layers])
    lowest = np.concatenate([[0], own - least]) / (v_baseline + own.sum())
    return np.column_stack([lowest, np.ones(len(lowest))])


# %% tags=["mistake:12.5"]
# earns: another layer's variance can move too
def weight_bounds(v_baseline, v_layers, codes):
    own = np.array([v_layers[j][k] for j, k in enumerate(codes)])
    least = np.array([v.min() for v in v_layers])
    lowest = np.concatenate([[0], own - least])
    highest = np.concatenate([[v_baseline + least.sum()], own + v_baseline])
    return np.column_stack([lowest, highest]) / (v_baseline + own.sum())


# %% tags=["mistake:12.5"]
# earns: these are the weights of one truth
def weight_bounds(v_baseline, v_layers, codes):
    own = np.array([v_layers[j][k] for j, k in enumerate(codes)])
    v = np.concatenate([[v_baseline], own])
    return np.column_stack([v, v]) / v.sum()


# %% tags=["mistake:12.5"]
# earns: may itself be the steadiest one
def weight_bounds(v_baseline, v_layers, codes):
    own = np.array([v_layers[j][k] for j, k in enumerate(codes)])
    least = np.array([np.delete(v_layers[j], k).min() for j, k in enumerate(codes)])
    lowest = np.concatenate([[0], np.maximum(own - least, 0)])
    return np.column_stack([lowest, lowest + v_baseline + least.sum()]) / (v_baseline + own.sum())


# %% tags=["mistake:12.5"]
# earns: these are variances
def weight_bounds(v_baseline, v_layers, codes):
    own = np.array([v_layers[j][k] for j, k in enumerate(codes)])
    least = np.array([v.min() for v in v_layers])
    lowest = np.concatenate([[0], own - least])
    return np.column_stack([lowest, lowest + v_baseline + least.sum()])
