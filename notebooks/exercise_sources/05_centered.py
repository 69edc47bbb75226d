# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises 05: Centered
#
# These exercises belong to [notebook 05](../05_centered.ipynb).
# In each task, replace the line `raise NotImplementedError(...)` by your code, run the cell, and run the check below it.
# A check says that your answer is right, or gives a hint.
# It tries your function with inputs of its own, so an answer that fits one example only will not pass.
#
# An *aim* is the number of an item in the notebook's list *You will learn*.
#
# | task | aim | what it practises | points |
# |---|---|---|---|
# | 05.1 | 1 | see which parameters the data never reach | 1 |
# | 05.2 | 2 | know what each way to sum to zero assumes | 2 |
# | 05.3 | 3 | find the divergences in a funnel | 2 |
# | 05.4 | 4 | fit and check a layer whose spreads are known | 2 |
# | 05.5 | 5 | write a model with one contribution for every observation | 3 |

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr

import mlm_tutorial as mlm

rng = np.random.default_rng(mlm.notebook_seed(103))
mlm.use_style()

# %% [markdown] tags=["task:05.1"]
# ## 05.1 Which parameters did the data never reach? (easy)
#
# You get draws from the prior and from the posterior of the same parameters.
# Say that the data never reached a parameter if both of these hold:
#
# - the posterior's standard deviation is more than 0.8 times the prior's;
# - the two means differ by less than 0.2 times the prior's standard deviation.
#
# Return the names of these parameters.


# %% tags=["solution:05.1"]
def not_reached(idata):
    """Names of the parameters that the data never reached.

    idata: xarray.DataTree with the groups "prior" and "posterior", as PyMC and nutpie return them
        idata["prior"]["alpha"] holds the prior draws of the parameter alpha, with the dims chain and draw.
        idata["prior"].data_vars lists all names. Every parameter is one number; the numbers of draws may differ.
    Returns a set of texts, such as {"alpha", "eta"}.
    """
    ### BEGIN SOLUTION: return the set of names for which both conditions hold
    names = set()
    for name in idata["prior"].data_vars:
        prior, posterior = idata["prior"][name], idata["posterior"][name]
        wide = posterior.std() > 0.8 * prior.std()
        near = abs(posterior.mean() - prior.mean()) < 0.2 * prior.std()
        if wide and near:
            names.add(name)
    return names
    ### END SOLUTION


# %% tags=["check:05.1"]
mlm.check("05.1", not_reached)


# %% tags=["mistake:05.1"]
# earns: compare the means too
def not_reached(idata):
    prior, posterior = idata["prior"], idata["posterior"]
    return {name for name in prior.data_vars if posterior[name].std() > 0.8 * prior[name].std()}


# %% tags=["mistake:05.1"]
# earns: can confirm a mean
def not_reached(idata):
    prior, posterior = idata["prior"], idata["posterior"]
    return {
        name for name in prior.data_vars if abs(posterior[name].mean() - prior[name].mean()) < 0.2 * prior[name].std()
    }


# %% tags=["mistake:05.1"]
# earns: sds, not variances
def not_reached(idata):
    prior, posterior = idata["prior"], idata["posterior"]
    return {
        name
        for name in prior.data_vars
        if posterior[name].var() > 0.8 * prior[name].var()
        and abs(posterior[name].mean() - prior[name].mean()) < 0.2 * prior[name].std()
    }


# %% tags=["mistake:05.1"]
# earns: that is the unit
def not_reached(idata):
    prior, posterior = idata["prior"], idata["posterior"]
    return {
        name
        for name in prior.data_vars
        if posterior[name].std() > 0.8 * prior[name].std()
        and abs(posterior[name].mean() - prior[name].mean()) < 0.2 * posterior[name].std()
    }


# %% tags=["mistake:05.1"]
# earns: a move down is a move
def not_reached(idata):
    prior, posterior = idata["prior"], idata["posterior"]
    return {
        name
        for name in prior.data_vars
        if posterior[name].std() > 0.8 * prior[name].std()
        and posterior[name].mean() - prior[name].mean() < 0.2 * prior[name].std()
    }


# %% tags=["mistake:05.1"]
# earns: 77 % as wide
def not_reached(idata):
    prior, posterior = idata["prior"], idata["posterior"]
    return {
        name
        for name in prior.data_vars
        if posterior[name].std() > 0.7 * prior[name].std()
        and abs(posterior[name].mean() - prior[name].mean()) < 0.2 * prior[name].std()
    }


# %% tags=["mistake:05.1"]
# earns: moved by 0.23
def not_reached(idata):
    prior, posterior = idata["prior"], idata["posterior"]
    return {
        name
        for name in prior.data_vars
        if posterior[name].std() > 0.8 * prior[name].std()
        and abs(posterior[name].mean() - prior[name].mean()) < 0.35 * prior[name].std()
    }


# %% tags=["mistake:05.1"]
# earns: of all draws together
def not_reached(idata):
    prior, posterior = idata["prior"], idata["posterior"]
    return {
        name
        for name in prior.data_vars
        if posterior[name].std("draw").mean() > 0.8 * prior[name].std()
        and abs(posterior[name].mean() - prior[name].mean()) < 0.2 * prior[name].std()
    }


# %% [markdown] tags=["task:05.2"]
# ## 05.2 How far apart may two contributors be? (medium)
#
# A layer has $m$ contributors with means $\mu_1, \dots, \mu_m$ that sum to zero.
# There are two priors:
#
# - *last minus the rest*: $\mu_1, \dots, \mu_{m-1}$ are independent and $\text{Normal}(0, s)$, and $\mu_m$ is minus their sum;
# - `pm.ZeroSumNormal(sigma=s)`: draw $m$ independent $\text{Normal}(0, s)$, and subtract their average.
#
# The notebook compared single means.
# What a model is asked for is mostly a difference.
# Return the prior standard deviation of $\mu_1 - \mu_m$, the first minus the last, under each prior.
# Give exact numbers, not simulated ones.


# %% tags=["solution:05.2"]
def difference_sds(m, s):
    """Prior standard deviations of the first mean minus the last.

    m: int, number of contributors, at least 3
    s: float, scale of the prior
    Returns a pair of floats: with last minus the rest, with ZeroSumNormal.
    For example, the first of the pair difference_sds(7, 1.0) is 3.0.
    """
    ### BEGIN SOLUTION: return the pair (last minus the rest, ZeroSumNormal)
    # The first minus the last is twice the first plus the other m - 2 free means.
    last_minus_rest = s * np.sqrt(2**2 + (m - 2))
    # The average is subtracted from both, so it cancels: two independent normals are left.
    zero_sum = s * np.sqrt(2)
    return last_minus_rest, zero_sum
    ### END SOLUTION


# %% tags=["check:05.2"]
mlm.check("05.2", difference_sds)


# %% tags=["mistake:05.2"]
# earns: the last contains the first
def difference_sds(m, s):
    return s * np.sqrt(1 + (m - 1)), s * np.sqrt(2)


# %% tags=["mistake:05.2"]
# earns: they share the average
def difference_sds(m, s):
    return s * np.sqrt(m + 2), s * np.sqrt(2 * (1 - 1 / m))


# %% tags=["mistake:05.2"]
# earns: these are variances
def difference_sds(m, s):
    return s**2 * (m + 2), 2 * s**2


# %% tags=["mistake:05.2"]
# earns: not for a simulation
def difference_sds(m, s):
    free = rng.normal(0, s, size=(100_000, m - 1))
    means = rng.normal(0, s, size=(100_000, m))
    return (free[:, 0] + free.sum(1)).std(), (means[:, 0] - means[:, -1]).std()


# %% tags=["mistake:05.2"]
# earns: the other order
def difference_sds(m, s):
    return s * np.sqrt(2), s * np.sqrt(m + 2)


# %% [markdown] tags=["task:05.3"]
# ## 05.3 In whose neck are the divergences? (medium)
#
# Every contributor has a funnel of its own, with its neck where its $\sigma$ is small.
# Some draws diverged, and you want to know in whose neck.
# The next figure shows an example.
# A divergent draw has a cross in each of the three columns, since a draw has a $\sigma$ for every contributor.
# In one column only, the crosses gather below the dashed line, which cuts off the lowest tenth of all draws.
#
# For each contributor, return the share of the divergent draws in which its $\sigma$ lies below the 10 % quantile of its own draws.

# %% mystnb={"image": {"alt": "Three columns of grey draws of log sigma, for the contributors north, south and west, each with a dashed line near the lower end. Orange crosses mark divergent draws. For north and west they are spread over the column; for south most of them lie below the line."}}
log_sigma = rng.normal(size=(4, 500, 3))
in_the_neck = log_sigma[:, :, 1] < -1.5
diverging = rng.random((4, 500)) < np.where(in_the_neck, 0.5, 0.005)
example = xr.DataTree.from_dict(
    {
        "/posterior": xr.Dataset(
            {"sigma": (("chain", "draw", "contributor"), np.exp(log_sigma))},
            coords={"contributor": ["north", "south", "west"]},
        ),
        "/sample_stats": xr.Dataset({"diverging": (("chain", "draw"), diverging)}),
    }
)

fig, ax = plt.subplots(figsize=(8, 4))
for column in range(3):
    place = column + rng.uniform(-0.3, 0.3, size=(4, 500))
    height = log_sigma[:, :, column]
    ax.plot(place.ravel(), height.ravel(), ".", color=mlm.COLORS["data"], markersize=3)
    ax.plot(place[diverging], height[diverging], "x", color=mlm.COLORS["alternative"])
    ax.plot([column - 0.35, column + 0.35], [np.quantile(height, 0.1)] * 2, "--", color=mlm.COLORS["truth"])
ax.set_xticks(range(3), ["north", "south", "west"])
ax.set(xlabel="contributor", ylabel="log sigma; crosses: divergent draws")
plt.show()


# %% tags=["solution:05.3"]
def divergent_shares(idata):
    """Share of the divergent draws that lie in the lowest tenth of each contributor's sigma.

    idata: xarray.DataTree, as nutpie returns it
        idata["posterior"]["sigma"] has the dims chain, draw and contributor (m of them).
        idata["sample_stats"]["diverging"] has the dims chain and draw, and is True where a draw diverged.
    Returns an array of m fractions, in the order of the contributors.
    For the example in the figure it is about [0.1, 0.9, 0.1].
    """
    ### BEGIN SOLUTION: return an array with one share for each contributor
    sigma = idata["posterior"]["sigma"]
    low = sigma < sigma.quantile(0.1, dim=["chain", "draw"])
    diverging = idata["sample_stats"]["diverging"]
    return low.values[diverging.values].mean(axis=0)
    ### END SOLUTION


# %% tags=["check:05.3"]
mlm.check("05.3", divergent_shares)


# %% tags=["mistake:05.3"]
# earns: the share of low draws that diverged
def divergent_shares(idata):
    sigma, diverging = idata["posterior"]["sigma"], idata["sample_stats"]["diverging"]
    low = sigma < sigma.quantile(0.1, dim=["chain", "draw"])
    return diverging.where(low).mean(["chain", "draw"]).values


# %% tags=["mistake:05.3"]
# earns: one limit was used for all contributors
def divergent_shares(idata):
    sigma, diverging = idata["posterior"]["sigma"], idata["sample_stats"]["diverging"]
    return (sigma < sigma.quantile(0.1)).values[diverging.values].mean(axis=0)


# %% tags=["mistake:05.3"]
# earns: a tenth for everybody
def divergent_shares(idata):
    sigma = idata["posterior"]["sigma"]
    return (sigma < sigma.quantile(0.1, dim=["chain", "draw"])).mean(["chain", "draw"])


# %% tags=["mistake:05.3"]
# earns: the number of all draws
def divergent_shares(idata):
    sigma, diverging = idata["posterior"]["sigma"], idata["sample_stats"]["diverging"]
    low = sigma < sigma.quantile(0.1, dim=["chain", "draw"])
    return (low & diverging).mean(["chain", "draw"])


# %% tags=["mistake:05.3"]
# earns: whatever diverged
def divergent_shares(idata):
    sigma = idata["posterior"]["sigma"].values[idata["sample_stats"]["diverging"].values]
    return (sigma < np.quantile(sigma, 0.1, axis=0)).mean(axis=0)


# %% [markdown] tags=["task:05.4"]
# ## 05.4 A stopwatch for the spreads (medium)
#
# For a week somebody held a stopwatch at the hand-over, so the standard deviations of road and centers are known.
# Their means are not.
# Parcel $i$ from center $c(i)$ is late by
#
# $$\text{late}_i \sim \text{Normal}(\mu_0 + y_i,\ \sigma_0), \qquad y_i \sim \text{Normal}(\mu_{c(i)}, \sigma_{c(i)}),$$
#
# with a fresh share $y_i$ for every parcel.
# The priors are $\mu_0 \sim \text{Normal}(0, 20)$ for `mu_baseline`, and `pm.ZeroSumNormal` with scale 3 for `mu_center`.
# You may sample the shares or integrate them out.
# Sample the model with `mlm.sample(model, seed=...)`, try `mlm.check_convergence` on the result, and return what `mlm.sample` gave.


# %% tags=["solution:05.4"]
def center_means(parcels, sigma_road, sigma_center):
    """Posterior of the means of road and centers, whose standard deviations are known.

    parcels: pandas DataFrame with the columns center (text) and late (minutes), one row a parcel
    sigma_road: float, standard deviation of the road in minutes
    sigma_center: dict from center to its standard deviation in minutes, such as {"Airport": 1.0, "Mill": 2.5}
    Returns what mlm.sample gives. Its posterior has mu_baseline (a number) and mu_center, whose dim "center" holds the
    names of the centers.
    """
    ### BEGIN SOLUTION: return what mlm.sample gives for the model with mu_baseline and mu_center
    centers = sorted(sigma_center)
    k = pd.Categorical(parcels["center"], categories=centers).codes
    spread = np.array([sigma_center[name] for name in centers])
    with pm.Model(coords={"center": centers}) as model:
        mu_baseline = pm.Normal("mu_baseline", 0, 20)
        mu = pm.ZeroSumNormal("mu_center", sigma=3, dims="center")
        pm.Normal("late", mu_baseline + mu[k], np.hypot(sigma_road, spread[k]), observed=parcels["late"])
    return mlm.sample(model, seed=5)
    ### END SOLUTION


# %% tags=["check:05.4"]
mlm.check("05.4", center_means)


# %% tags=["mistake:05.4"]
# earns: add no spread
def center_means(parcels, sigma_road, sigma_center):
    centers = sorted(sigma_center)
    k = pd.Categorical(parcels["center"], categories=centers).codes
    with pm.Model(coords={"center": centers}) as model:
        mu_baseline = pm.Normal("mu_baseline", 0, 20)
        mu = pm.ZeroSumNormal("mu_center", sigma=3, dims="center")
        pm.Normal("late", mu_baseline + mu[k], sigma_road, observed=parcels["late"])
    return mlm.sample(model, seed=5)


# %% tags=["mistake:05.4"]
# earns: one offset for each center
def center_means(parcels, sigma_road, sigma_center):
    centers = sorted(sigma_center)
    k = pd.Categorical(parcels["center"], categories=centers).codes
    spread = np.array([sigma_center[name] for name in centers])
    with pm.Model(coords={"center": centers}) as model:
        mu_baseline = pm.Normal("mu_baseline", 0, 20)
        mu = pm.ZeroSumNormal("mu_center", sigma=3, dims="center")
        offset = mu + spread * pm.Normal("z", 0, 1, dims="center")
        pm.Normal("late", mu_baseline + offset[k], sigma_road, observed=parcels["late"])
    return mlm.sample(model, seed=5)


# %% tags=["mistake:05.4"]
# earns: standard deviations were added
def center_means(parcels, sigma_road, sigma_center):
    centers = sorted(sigma_center)
    k = pd.Categorical(parcels["center"], categories=centers).codes
    spread = np.array([sigma_center[name] for name in centers])
    with pm.Model(coords={"center": centers}) as model:
        mu_baseline = pm.Normal("mu_baseline", 0, 20)
        mu = pm.ZeroSumNormal("mu_center", sigma=3, dims="center")
        pm.Normal("late", mu_baseline + mu[k], sigma_road + spread[k], observed=parcels["late"])
    return mlm.sample(model, seed=5)


# %% tags=["mistake:05.4"]
# earns: the last mean is minus the rest
def center_means(parcels, sigma_road, sigma_center):
    centers = sorted(sigma_center)
    k = pd.Categorical(parcels["center"], categories=centers).codes
    spread = np.array([sigma_center[name] for name in centers])
    with pm.Model(coords={"center": centers}) as model:
        mu_baseline = pm.Normal("mu_baseline", 0, 20)
        free = pm.Normal("free", 0, 3, shape=2)
        both = pm.math.concatenate([free, -pm.math.sum(free, keepdims=True)])
        mu = pm.Deterministic("mu_center", both, dims="center")
        pm.Normal("late", mu_baseline + mu[k], np.hypot(sigma_road, spread[k]), observed=parcels["late"])
    return mlm.sample(model, seed=5)


# %% tags=["mistake:05.4"]
# earns: does not pass mlm.check_convergence
def center_means(parcels, sigma_road, sigma_center):
    centers = sorted(sigma_center)
    k = pd.Categorical(parcels["center"], categories=centers).codes
    spread = np.array([sigma_center[name] for name in centers])
    with pm.Model(coords={"center": centers}) as model:
        mu_baseline = pm.Normal("mu_baseline", 0, 20)
        mu = pm.ZeroSumNormal("mu_center", sigma=3, dims="center")
        pm.Normal("late", mu_baseline + mu[k], np.hypot(sigma_road, spread[k]), observed=parcels["late"])
    return mlm.sample(model, seed=5, draws=50)


# %% [markdown] tags=["task:05.5"]
# ## 05.5 A relay: two contributions from one layer (hard)
#
# Long rounds are driven in relay: a first driver takes parcel $i$ half of the way, a second one the rest.
# The minutes it is late are a sum: a baseline, a contribution of the first driver $a(i)$, and a contribution of the second driver $b(i)$.
# There is one layer, `driver`: whoever drives, first or second, has the same mean and the same standard deviation.
# Contributions are fresh draws for every parcel:
#
# $$y_{\text{first},i} \sim \text{Normal}(\mu_{a(i)}, \sigma_{a(i)}), \qquad y_{\text{second},i} \sim \text{Normal}(\mu_{b(i)}, \sigma_{b(i)}),$$
#
# $$\text{late}_i \sim \text{Normal}(\mu_0 + y_{\text{first},i} + y_{\text{second},i},\ \sigma_0).$$
#
# The priors are
#
# - `mu_baseline` ($\mu_0$): normal with mean 10 and standard deviation 20;
# - `mu_driver` ($\mu$): `pm.ZeroSumNormal` with scale 10;
# - `sigma_baseline` ($\sigma_0$) and `sigma_driver` ($\sigma$): `pm.Weibull` with shape 2 and scale 5.
#
# Some drivers always drive first, and some always second.
# Return the model in its centered form.


# %% tags=["solution:05.5"]
def relay_model(parcels):
    """Centered model of the lateness of parcels that two drivers brought.

    parcels: pandas DataFrame with one row a parcel and the columns first, second (drivers, text) and late (float)
        For example pd.DataFrame({"first": ["Ana", "Cem"], "second": ["Bo", "Ana"], "late": [8.0, 15.5]}).
    Returns a pm.Model with the free variables mu_baseline and sigma_baseline (numbers), mu_driver and sigma_driver (dim
    "driver"), y_first and y_second (one value a parcel), and the observed variable late (one value a parcel).
    The coordinate "driver" holds the names of all drivers in alphabetical order.
    """
    ### BEGIN SOLUTION: return a pm.Model with the variables that the docstring names
    drivers = sorted(set(parcels["first"]) | set(parcels["second"]))
    first = pd.Categorical(parcels["first"], categories=drivers).codes
    second = pd.Categorical(parcels["second"], categories=drivers).codes
    with pm.Model(coords={"driver": drivers, "parcel": parcels.index}) as model:
        mu_baseline = pm.Normal("mu_baseline", 10, 20)
        sigma_baseline = pm.Weibull("sigma_baseline", 2, 5)
        mu = pm.ZeroSumNormal("mu_driver", sigma=10, dims="driver")
        sigma = pm.Weibull("sigma_driver", 2, 5, dims="driver")
        y_first = pm.Normal("y_first", mu[first], sigma[first], dims="parcel")
        y_second = pm.Normal("y_second", mu[second], sigma[second], dims="parcel")
        pm.Normal("late", mu_baseline + y_first + y_second, sigma_baseline, observed=parcels["late"], dims="parcel")
    return model
    ### END SOLUTION


# %% tags=["check:05.5"]
mlm.check("05.5", relay_model)


# %% tags=["mistake:05.5"]
# earns: although some drivers never drive there
def relay_model(parcels):
    drivers = sorted(set(parcels["first"]) | set(parcels["second"]))
    with pm.Model(coords={"driver": drivers, "parcel": parcels.index}) as model:
        expected = pm.Normal("mu_baseline", 10, 20)
        sigma_baseline = pm.Weibull("sigma_baseline", 2, 5)
        mu = pm.ZeroSumNormal("mu_driver", sigma=10, dims="driver")
        sigma = pm.Weibull("sigma_driver", 2, 5, dims="driver")
        for role in ("first", "second"):
            k = parcels[role].astype("category").cat.codes.to_numpy()
            expected = expected + pm.Normal(f"y_{role}", mu[k], sigma[k], dims="parcel")
        pm.Normal("late", expected, sigma_baseline, observed=parcels["late"], dims="parcel")
    return model


# %% tags=["mistake:05.5"]
# earns: drawn afresh for every parcel
def relay_model(parcels):
    drivers = sorted(set(parcels["first"]) | set(parcels["second"]))
    with pm.Model(coords={"driver": drivers, "parcel": parcels.index}) as model:
        expected = pm.Normal("mu_baseline", 10, 20)
        sigma_baseline = pm.Weibull("sigma_baseline", 2, 5)
        mu = pm.ZeroSumNormal("mu_driver", sigma=10, dims="driver")
        sigma = pm.Weibull("sigma_driver", 2, 5, dims="driver")
        for role in ("first", "second"):
            k = pd.Categorical(parcels[role], categories=drivers).codes
            expected = expected + pm.Normal(f"y_{role}", mu, sigma, dims="driver")[k]
        pm.Normal("late", expected, sigma_baseline, observed=parcels["late"], dims="parcel")
    return model


# %% tags=["mistake:05.5"]
# earns: must sum to zero
def relay_model(parcels):
    drivers = sorted(set(parcels["first"]) | set(parcels["second"]))
    with pm.Model(coords={"driver": drivers, "parcel": parcels.index}) as model:
        expected = pm.Normal("mu_baseline", 10, 20)
        sigma_baseline = pm.Weibull("sigma_baseline", 2, 5)
        mu = pm.Normal("mu_driver", 0, 10, dims="driver")
        sigma = pm.Weibull("sigma_driver", 2, 5, dims="driver")
        for role in ("first", "second"):
            k = pd.Categorical(parcels[role], categories=drivers).codes
            expected = expected + pm.Normal(f"y_{role}", mu[k], sigma[k], dims="parcel")
        pm.Normal("late", expected, sigma_baseline, observed=parcels["late"], dims="parcel")
    return model


# %% tags=["mistake:05.5"]
# earns: no free variable 'y_first'
def relay_model(parcels):
    drivers = sorted(set(parcels["first"]) | set(parcels["second"]))
    with pm.Model(coords={"driver": drivers, "parcel": parcels.index}) as model:
        expected = pm.Normal("mu_baseline", 10, 20)
        variance = pm.Weibull("sigma_baseline", 2, 5) ** 2
        mu = pm.ZeroSumNormal("mu_driver", sigma=10, dims="driver")
        sigma = pm.Weibull("sigma_driver", 2, 5, dims="driver")
        for role in ("first", "second"):
            k = pd.Categorical(parcels[role], categories=drivers).codes
            expected, variance = expected + mu[k], variance + sigma[k] ** 2
        pm.Normal("late", expected, pm.math.sqrt(variance), observed=parcels["late"], dims="parcel")
    return model


# %% tags=["mistake:05.5"]
# earns: the prior of 'sigma_driver'
def relay_model(parcels):
    drivers = sorted(set(parcels["first"]) | set(parcels["second"]))
    with pm.Model(coords={"driver": drivers, "parcel": parcels.index}) as model:
        expected = pm.Normal("mu_baseline", 10, 20)
        sigma_baseline = pm.Weibull("sigma_baseline", 2, 5)
        mu = pm.ZeroSumNormal("mu_driver", sigma=10, dims="driver")
        sigma = pm.HalfNormal("sigma_driver", 5, dims="driver")
        for role in ("first", "second"):
            k = pd.Categorical(parcels[role], categories=drivers).codes
            expected = expected + pm.Normal(f"y_{role}", mu[k], sigma[k], dims="parcel")
        pm.Normal("late", expected, sigma_baseline, observed=parcels["late"], dims="parcel")
    return model


# %% tags=["mistake:05.5"]
# earns: does not know the data
def relay_model(parcels):
    drivers = sorted(set(parcels["first"]) | set(parcels["second"]))
    with pm.Model(coords={"driver": drivers, "parcel": parcels.index}) as model:
        expected = pm.Normal("mu_baseline", 10, 20)
        sigma_baseline = pm.Weibull("sigma_baseline", 2, 5)
        mu = pm.ZeroSumNormal("mu_driver", sigma=10, dims="driver")
        sigma = pm.Weibull("sigma_driver", 2, 5, dims="driver")
        for role in ("first", "second"):
            k = pd.Categorical(parcels[role], categories=drivers).codes
            expected = expected + pm.Normal(f"y_{role}", mu[k], sigma[k], dims="parcel")
        pm.Normal("late", expected, sigma_baseline, dims="parcel")
    return model
