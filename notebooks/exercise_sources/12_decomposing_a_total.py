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
# An *aim* is the number of an item in the notebook's list *You will learn*. Not every aim has a task.
#
# | task | aim | what it practises | points |
# |---|---|---|---|
# | 12.1 | 1 | split one total into contributions, with their uncertainty | 1 |
# | 12.2 | 3 | draw all contributions of a total together | 2 |
# | 12.3 | 7 | turn posterior draws into a share of variance | 2 |
# | 12.4 | 5 | tell which statements the data support | 2 |
# | 12.5 | 6 | find how far a prior can move a decomposition | 3 |

# %%
import matplotlib.pyplot as plt
import numpy as np

import mlm_tutorial as mlm

rng = np.random.default_rng(mlm.notebook_seed(108))
mlm.use_style()

# %% [markdown] tags=["task:12.1"]
# ## 12.1 Split one total (easy)
#
# The total `x` is a sum of independent normal contributions.
# You know their means `mu` and their standard deviations `sigma`.
# Return the mean and the standard deviation of every contribution, given that they add up to `x`.


# %% tags=["solution:12.1"]
def split_total(x, mu, sigma):
    """Means and standard deviations of contributions, given their sum.

    x: float, the total
    mu, sigma: arrays of float, shape (m,); means and standard deviations before the total is known
    Returns a pair of arrays of shape (m,): means given the total, standard deviations given the total.
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


# %% [markdown] tags=["task:12.2"]
# ## 12.2 Draws that add up, with parameters from a posterior (medium)
#
# In the notebook all joint draws of a total had the same parameters.
# A posterior gives you many sets of parameters instead.
# Row `s` of `mu` and of `v` is one of them: the means and the variances of all components.
# As always, contributions are independent and normal before their sum is known.
# Return one joint draw of all contributions for each row.
# Row `s` of the result is drawn with the parameters in row `s`, and it adds up to the total `x`.


# %% tags=["solution:12.2"]
def joint_draws(x, mu, v, rng):
    """Joint draws of all contributions to one total, each with its own parameters.

    x: float, the total
    mu, v: arrays of float, shape (draws, components); means and variances of the contributions
    rng: numpy.random.Generator
    Returns an array of shape (draws, components); each of its rows adds up to x.
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


# %% [markdown] tags=["task:12.3"]
# ## 12.3 How much of the variance do means explain? (medium)
#
# A layer adds two parts to the variance of all totals: one from its contributors' means and one from their spreads.
# All other layers and the baseline together add the variance `v_rest`.
# You have posterior draws of all these numbers.
# Contributor $k$ of the layer takes part with probability $p_k$.
# Ask which share of the variance of all totals is due to the layer's *means*.
# Return the posterior mean and the posterior standard deviation of this share.


# %% tags=["solution:12.3"]
def share_of_means(mu, sigma, v_rest, p):
    """Posterior of the share that a layer's means have in the variance of all totals.

    mu, sigma: arrays of float, shape (draws, m); draws of the contributors' means and standard deviations
    v_rest: array of float, shape (draws,); draws of the variance due to everything but this layer
    p: array of float, shape (m,); probabilities of the contributors
    Returns a pair of floats: posterior mean and posterior standard deviation of the share.
    For the two draws mu = [[-1, 1], [-2, 2]], sigma = [[1, 1], [1, 1]] and v_rest = [2, 1], and with p = [0.5, 0.5],
    the shares are 0.25 and 0.667, and the result is (0.458, 0.208), rounded. The check has
    hundreds of draws, so that it does not matter whether a standard deviation divides by n or by n - 1.
    """
    ### BEGIN SOLUTION: compute the share in every draw, and return the pair (its mean, its standard deviation)
    center = np.sum(p * mu, axis=1, keepdims=True)
    means = np.sum(p * (mu - center) ** 2, axis=1)
    spreads = np.sum(p * sigma**2, axis=1)
    share = means / (means + spreads + v_rest)
    return share.mean(), share.std()
    ### END SOLUTION


# %% tags=["check:12.3"]
mlm.check("12.3", share_of_means)


# %% tags=["mistake:12.3"]
# earns: a share of averages is another number
def share_of_means(mu, sigma, v_rest, p):
    mu, sigma = mu.mean(axis=0), sigma.mean(axis=0)
    means = p @ (mu - p @ mu) ** 2
    return means / (means + p @ sigma**2 + v_rest.mean()), 0.1


# %% tags=["mistake:12.3"]
# earns: equally frequent
def share_of_means(mu, sigma, v_rest, p):
    means = np.var(mu, axis=1)
    share = means / (means + np.mean(sigma**2, axis=1) + v_rest)
    return share.mean(), share.std()


# %% tags=["mistake:12.3"]
# earns: a part of the variance, too
def share_of_means(mu, sigma, v_rest, p):
    means = (mu - (mu @ p)[:, None]) ** 2 @ p
    share = means / (means + v_rest)
    return share.mean(), share.std()


# %% tags=["mistake:12.3"]
# earns: how well the draws know the mean
def share_of_means(mu, sigma, v_rest, p):
    means = (mu - (mu @ p)[:, None]) ** 2 @ p
    share = means / (means + sigma**2 @ p + v_rest)
    return share.mean(), share.std() / np.sqrt(len(share))


# %% [markdown]
# ## Two truths that no data can tell apart
#
# The time of a parcel, in hours, is a sum of a baseline and the time in a depot.
# In the first truth the baseline has variance 16, the depot `north` 1 and the depot `south` 9.
# In the second truth 12 of the baseline's variance moved to *each* depot: the baseline has 4, `north` 13 and `south` 21.
# The means are the same.
# The figure shows 100,000 parcels of each truth; its legend says how much of a surprise at the depot `south` goes to the baseline.

# %% mystnb={"image": {"alt": "Two panels with histograms of parcel times, one for each depot. In both panels the filled histogram of the first truth and the outlined one of the second truth coincide. The legend gives the baseline a weight of 0.64 in the first truth and 0.16 in the second."}}
truths = {
    "first truth": [{"all": (30, 4)}, {"north": (-3, 1), "south": (3, 3)}],
    "second truth": [{"all": (30, 2)}, {"north": (-3, np.sqrt(13)), "south": (3, np.sqrt(21))}],
}
styles = {
    "first truth": {"histtype": "stepfilled", "color": mlm.COLORS["data"]},
    "second truth": {"histtype": "step", "color": mlm.COLORS["estimate"], "linewidth": 1.5},
}
fig, axes = plt.subplots(1, 2, figsize=(9, 3.5), sharey=True)
for name, coefficients in truths.items():
    truth = mlm.LayeredSum.from_coefficients(coefficients, names=["depot"])
    parcels = truth.simulate(100_000, rng=rng)
    v = truth["baseline"].sigma[0] ** 2, truth["depot"].sigma[1] ** 2
    label = f"{name}: weight {v[0] / sum(v):.2f}"
    for ax, depot in zip(axes, ["north", "south"], strict=True):
        times = parcels["total"][parcels["depot"] == depot]
        ax.hist(times, bins=np.arange(5, 56, 1), density=True, label=label, **styles[name])
        ax.set(title=depot, xlabel="time of a parcel (hours)")
axes[0].set_ylabel("density")
axes[1].legend()
plt.show()

# %% [markdown] tags=["task:12.4"]
# ## 12.4 What may you say? (medium)
#
# Now the time of a parcel has a part for its courier, too.
# You recorded 10,000 parcels, each with its time, its depot (`north` or `south`) and its courier (`bike` or `van`).
# All four combinations are frequent.
# You fitted the model of notebook 12, with baseline, depot and courier, and with wide priors.
# You know nothing else about the spreads.
# One parcel came by `south` and `van` and took 44 hours.
# Which of these statements would another wide prior leave as they are, but for small changes?
#
# | | statement |
# |---|---|
# | a | Parcels that come by `south` and `van` take 30 hours on average. |
# | b | This parcel took 14 hours more than expected. |
# | c | Fewer than one in a hundred parcels by `south` and `van` are so slow. |
# | d | Nine of the 14 hours are due to the baseline. |
# | e | The time at `south` varies more than the time at `north`. |
# | f | The time at `south` varies more than the time with `van`. |
# | g | Differences between the depots' means make up a fifth of the variance of all times. |
# | h | Spreads of depots make up a fifth of the variance of all times. |
# | i | All spreads together, those of baseline, depots and couriers, make up seven tenths of the variance of all times. |


# %% tags=["solution:12.4"]
def supported():
    """Return the set of letters of all statements that the data support, such as {"b", "f"}."""
    ### BEGIN SOLUTION: return a set of letters
    return {"a", "b", "c", "e", "g", "i"}
    ### END SOLUTION


# %% tags=["check:12.4"]
mlm.check("12.4", supported)


# %% tags=["mistake:12.4"]
# earns: shares out a surprise
def supported():
    return set("abcdefghi")


# %% tags=["mistake:12.4"]
# earns: spreads of different layers
def supported():
    return set("abcefgi")


# %% tags=["mistake:12.4"]
# earns: a share of spreads
def supported():
    return set("abceghi")


# %% tags=["mistake:12.4"]
# earns: it cancels
def supported():
    return set("abcgi")


# %% tags=["mistake:12.4"]
# earns: means or totals alone
def supported():
    return set("acegi")


# %% tags=["mistake:12.4"]
# earns: should be a set of texts
def supported():
    return "abcegi"


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
# earns: these are variances
def weight_bounds(v_baseline, v_layers, codes):
    own = np.array([v_layers[j][k] for j, k in enumerate(codes)])
    least = np.array([v.min() for v in v_layers])
    lowest = np.concatenate([[0], own - least])
    return np.column_stack([lowest, lowest + v_baseline + least.sum()])
