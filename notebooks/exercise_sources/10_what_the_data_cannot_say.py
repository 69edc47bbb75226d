# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises 10: What the data cannot say
#
# These exercises belong to [notebook 10](../10_what_the_data_cannot_say.ipynb).
# In each task, replace the line `raise NotImplementedError(...)` by your code, run the cell, and run the check below it.
# A check says that your answer is right, or gives a hint.
# It tries your function with inputs of its own, so an answer that fits one example only will not pass.
#
# An *aim* is the number of an item in the notebook's list *You will learn*. Not every aim has a task.
#
# | task | aim | what it practises | points |
# |---|---|---|---|
# | 10.1 | 4 | name the quantities that do not depend on the split of a prior | 1 |
# | 10.2 | 6 | read a simulation-based calibration | 1 |
# | 10.3 | 2 | count flat directions with the rank of a matrix | 2 |
# | 10.4 | 3 | move along the flat directions, up to their ends | 2 |
# | 10.5 | 5 | write sampler coordinates along and across a flat direction | 3 |

# %%
import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

import mlm_tutorial as mlm
from mlm_tutorial.exercises.set_10 import rank_panels

rng = np.random.default_rng(mlm.notebook_seed(107))
mlm.use_style()

# %% [markdown] tags=["task:10.1"]
# ## 10.1 Which of these have the data decided? (easy)
#
# The time of a ride has a baseline, a layer `route` (river or hill) and a layer `weather` (dry or rain).
# There are many rides of all four kinds.
# Write $v_0$ for the variance of the baseline's contribution, and $v_\text{hill}$ and so on for that of a contributor.
# Five quantities are reported:
#
# - **A** $v_\text{rain} - v_\text{dry}$
# - **B** $v_\text{rain} \,/\, v_\text{dry}$
# - **C** $v_\text{hill} - v_\text{rain}$
# - **D** $v_0 + v_\text{hill}$
# - **E** $(v_\text{hill} + v_\text{rain}) - (v_\text{river} + v_\text{dry})$
#
# All chains have converged.
# Which of the five are identified, that is, fixed by the data and not by the prior of the split?


# %% tags=["solution:10.1"]
def identified():
    """Letters of the quantities that are identified.

    Returns a set of texts, such as {"B", "C"}.
    """
    ### BEGIN SOLUTION: return the set of letters of the identified quantities
    return {"A", "E"}
    ### END SOLUTION


# %% tags=["check:10.1"]
mlm.check("10.1", identified)


# %% tags=["mistake:10.1"]
# earns: their ratio
def identified():
    return {"A", "B", "E"}


# %% tags=["mistake:10.1"]
# earns: from different layers
def identified():
    return {"A", "C", "E"}


# %% tags=["mistake:10.1"]
# earns: one of the two flat directions
def identified():
    return {"A", "D", "E"}


# %% tags=["mistake:10.1"]
# earns: something is missing
def identified():
    return {"A"}


# %% tags=["mistake:10.1"]
# earns: a set of texts
def identified():
    return "AE"


# %% [markdown] tags=["task:10.2"]
# ## 10.2 Four calibrations (easy)
#
# Each panel below shows a simulation-based calibration of another program, with 2,000 replicates.
# The *rank* of a replicate counts how many of its 99 posterior draws are below the true value.
# So ranks go from 0 to 99.
# The grey band holds any one bar of a right program with a probability of 99 %.
# A panel has twenty bars, so about one right program in six shows a bar outside its band by chance.
#
# What is wrong with the posteriors of each program?
# Choose from
#
# - `"right"`: nothing is wrong,
# - `"too narrow"`: they are over-confident,
# - `"too wide"`: they are under-confident,
# - `"too high"`: most of their draws are above the true value,
# - `"too low"`: most of their draws are below it.

# %% mystnb={"image": {"alt": "Four histograms of ranks, A to D, each with a grey band at the height that is expected of a right program. A has a hump in the middle, B falls from left to right, C is flat, D is high at both ends."}}
panels = rank_panels(rng)
low, high = stats.binom.ppf([0.005, 0.995], 2000, 5 / 100)  # a bar has 5 of the 100 possible ranks
fig, axes = plt.subplots(1, 4, figsize=(11, 3), sharex=True, sharey=True)
for ax, (name, ranks) in zip(axes, panels.items(), strict=True):
    ax.axhspan(low, high, color=mlm.COLORS["data"])
    ax.hist(ranks, np.arange(0, 101, 5), histtype="step", linewidth=2, color=mlm.COLORS["estimate"])
    ax.set(title=name, xlabel="rank of the true value")
axes[0].set_ylabel("replicates")
plt.show()


# %% tags=["solution:10.2"]
def diagnoses():
    """What is wrong with the posteriors of each program.

    Returns a dict with the keys "A", "B", "C" and "D".
    Each value is one of the texts "right", "too narrow", "too wide", "too high" and "too low".
    """
    ### BEGIN SOLUTION: return a dict that gives each panel, A to D, one of the five texts
    return {"A": "too wide", "B": "too high", "C": "right", "D": "too narrow"}
    ### END SOLUTION


# %% tags=["check:10.2"]
mlm.check("10.2", diagnoses)


# %% tags=["mistake:10.2"]
# earns: is the true value among its draws
def diagnoses():
    return {"A": "too narrow", "B": "too high", "C": "right", "D": "too wide"}


# %% tags=["mistake:10.2"]
# earns: how many of them are below
def diagnoses():
    return {"A": "too wide", "B": "too low", "C": "right", "D": "too narrow"}


# %% tags=["mistake:10.2"]
# earns: leans to neither side
def diagnoses():
    return {"A": "too wide", "B": "too high", "C": "right", "D": "too low"}


# %% tags=["mistake:10.2"]
# earns: are uniform
def diagnoses():
    return {"A": "right", "B": "too high", "C": "too narrow", "D": "too wide"}


# %% [markdown] tags=["task:10.3"]
# ## 10.3 Count the flat directions (medium)
#
# Before you measure anything, you want to know what a plan of measurements will identify.
# A plan lists *kinds of rows*.
# Each kind lists the components that take part: the baseline, or contributors of any layer.
# Not every kind has to contain the baseline, or a contributor of every layer.
# A component that is listed twice makes two fresh, independent contributions, each with its own draw.
#
# Every component has a variance, the same in all kinds of rows where it takes part.
# The data show the variance of a total of each kind.
# Return the number of directions in which the variances of all components can move without a trace in the data.


# %% tags=["solution:10.3"]
def n_flat_directions(kinds):
    """Number of flat directions of the variances.

    kinds: list of lists of str, the components of each kind of rows
    Returns one int. The four kinds of rides
        [["baseline", "river", "dry"], ["baseline", "river", "rain"],
         ["baseline", "hill", "dry"], ["baseline", "hill", "rain"]]
    leave 2 directions. With the kind ["baseline", "river", "river", "dry"] as well, 1 is left.
    """
    ### BEGIN SOLUTION: return the number of flat directions, one int
    components = sorted({name for kind in kinds for name in kind})
    design = np.array([[kind.count(name) for name in components] for kind in kinds])
    return int(len(components) - np.linalg.matrix_rank(design))
    ### END SOLUTION


# %% tags=["check:10.3"]
mlm.check("10.3", n_flat_directions)


# %% tags=["mistake:10.3"]
# earns: the rank counts
def n_flat_directions(kinds):
    components = sorted({name for kind in kinds for name in kind})
    return int(np.linalg.matrix_rank(np.array([[kind.count(name) for name in components] for kind in kinds])))


# %% tags=["mistake:10.3"]
# earns: as if it were listed once
def n_flat_directions(kinds):
    components = sorted({name for kind in kinds for name in kind})
    design = np.array([[name in kind for name in components] for kind in kinds], dtype=float)
    return int(len(components) - np.linalg.matrix_rank(design))


# %% tags=["mistake:10.3"]
# earns: say something new
def n_flat_directions(kinds):
    return max(0, len({name for kind in kinds for name in kind}) - len(kinds))


# %% tags=["mistake:10.3"]
# earns: one direction a layer
def n_flat_directions(kinds):
    return len(kinds[0]) - 1


# %% tags=["mistake:10.3"]
# earns: should be one number
def n_flat_directions(kinds):
    components = sorted({name for kind in kinds for name in kind})
    return np.linalg.svd(np.array([[kind.count(name) for name in components] for kind in kinds]))[1]


# %% [markdown] tags=["task:10.4"]
# ## 10.4 Any answer you like (medium)
#
# A fit explains the data with a variance for the baseline and one for each contributor.
# Every combination of contributors occurs in the data.
# Someone would like another standard deviation of the baseline.
# Give them one: find variances of the contributors that go with it and leave the variance of every cell as it was.
# No variance may be negative.
#
# There may be many ways; return any of them.
# Where there is none, return `None`.


# %% tags=["solution:10.4"]
def with_baseline(v_baseline, v_layers, sigma_wanted):
    """Variances of the contributors that go with another standard deviation of the baseline.

    v_baseline: float, variance of the baseline's contribution in the fit
    v_layers: list of arrays of float, variances of each layer's contributors in the fit
    sigma_wanted: float, the wanted standard deviation of the baseline
    Returns a list of arrays with the same shapes as in v_layers, or None.
    With v_baseline = 4 and v_layers = [[3, 2], [1, 5]], sigma_wanted = 2.5 can be had, for example with
    [[1.5, 0.5], [0.25, 4.25]]; sigma_wanted = 2.7 cannot.
    """
    ### BEGIN SOLUTION: return one array of variances for each layer, or None where there is no way
    gain = sigma_wanted**2 - v_baseline
    smallest = np.array([np.min(v) for v in v_layers])
    if gain > smallest.sum():
        return None
    return [v - gain * share for v, share in zip(v_layers, smallest / smallest.sum(), strict=True)]
    ### END SOLUTION


# %% tags=["check:10.4"]
mlm.check("10.4", with_baseline)


# %% tags=["mistake:10.4"]
# earns: negative
def with_baseline(v_baseline, v_layers, sigma_wanted):
    gain = sigma_wanted**2 - v_baseline
    if gain > sum(np.min(v) for v in v_layers):
        return None
    return [v_layers[0] - gain, *v_layers[1:]]


# %% tags=["mistake:10.4"]
# earns: there is a way
def with_baseline(v_baseline, v_layers, sigma_wanted):
    gain = sigma_wanted**2 - v_baseline
    return None if gain > np.min(v_layers[0]) else [v_layers[0] - gain, *v_layers[1:]]


# %% tags=["mistake:10.4"]
# earns: every layer gives the whole
def with_baseline(v_baseline, v_layers, sigma_wanted):
    gain = sigma_wanted**2 - v_baseline
    return None if gain > sum(np.min(v) for v in v_layers) else [v - gain for v in v_layers]


# %% tags=["mistake:10.4"]
# earns: by the same amount
def with_baseline(v_baseline, v_layers, sigma_wanted):
    total = v_baseline + sum(np.mean(v) for v in v_layers)
    factor = (total - sigma_wanted**2) / (total - v_baseline)
    return [v * factor for v in v_layers] if factor > 0 else None


# %% tags=["mistake:10.4"]
# earns: the bound
def with_baseline(v_baseline, v_layers, sigma_wanted):
    gain = sigma_wanted**2 - v_baseline
    smallest = np.array([np.min(v) for v in v_layers])
    return [v - gain * share for v, share in zip(v_layers, smallest / smallest.sum(), strict=True)]


# %% tags=["mistake:10.4"]
# earns: does not balance
def with_baseline(v_baseline, v_layers, sigma_wanted):
    gain = sigma_wanted - np.sqrt(v_baseline)
    return [v - gain / len(v_layers) for v in v_layers]


# %% [markdown] tags=["task:10.5"]
# ## 10.5 Coordinates for one layer (hard)
#
# A model has a baseline with variance $v_0$ and one layer of $m$ contributors, two or more, with variances $v_1, \dots, v_m$.
# With $s = \min(v_1, \dots, v_m)$ for the smallest of the layer, use the coordinates
#
# $$\big(\log(v_0 + s), \quad \log(v_0 / s), \quad v_2 - v_1, \quad \dots, \quad v_m - v_1\big) .$$
#
# The first and the differences are fixed by the data.
# The second says how $A = v_0 + s$ is shared between baseline and layer: only the prior knows.
#
# Write both directions: `there`, from variances to coordinates, and `back`, from coordinates to variances.
# A sampler walks anywhere.
# So `back` must give positive variances at *every* vector of real numbers, and `there(back(x))` must be `x` again.
# Coordinates do not say which contributor has the smallest variance; you have to find out.


# %% tags=["solution:10.5"]
def coordinates():
    """Two functions, there and back.

    there(v): from the variances v_0, v_1, ..., v_m, an array of shape (1 + m,), to the coordinates, the same shape
    back(x): from the coordinates to the variances
    Returns the pair of functions (there, back), uncalled.
    For example, there(np.array([6.0, 3.0, 2.0])) is [log(8), log(3), -1], about [2.079, 1.099, -1.0].
    """
    ### BEGIN SOLUTION: return the pair of functions (there, back)

    def there(v):
        smallest = np.min(v[1:])
        return np.concatenate([[np.log(v[0] + smallest), np.log(v[0] / smallest)], v[2:] - v[1]])

    def back(x):
        baseline, smallest = np.exp(x[0]) / (1 + np.exp([-x[1], x[1]]))
        above_first = np.append(0.0, x[2:])
        return np.append(baseline, smallest + (above_first - np.min(above_first)))

    return there, back
    ### END SOLUTION


# %% tags=["check:10.5"]
mlm.check("10.5", coordinates)


# %% tags=["mistake:10.5"]
# earns: does not have to be the smallest
def coordinates():
    def there(v):
        return np.concatenate([[np.log(v[0] + v[1]), np.log(v[0] / v[1])], v[2:] - v[1]])

    def back(x):
        total, share = np.exp(x[0]), 1 / (1 + np.exp(-x[1]))
        return np.concatenate([[total * share, total * (1 - share)], total * (1 - share) + x[2:]])

    return there, back


# %% tags=["mistake:10.5"]
# earns: variance that is not positive
def coordinates():
    def there(v):
        smallest = np.min(v[1:])
        return np.concatenate([[np.log(v[0] + smallest), np.log(v[0] / smallest)], v[2:] - v[1]])

    def back(x):
        total, share = np.exp(x[0]), 1 / (1 + np.exp(-x[1]))
        return np.concatenate([[total * share, total * (1 - share)], total * (1 - share) + x[2:]])

    return there, back


# %% tags=["mistake:10.5"]
# earns: the other way round
def coordinates():
    def there(v):
        smallest = np.min(v[1:])
        return np.concatenate([[np.log(v[0] + smallest), np.log(v[0] / smallest)], v[2:] - v[1]])

    def back(x):
        total, share = np.exp(x[0]), 1 / (1 + np.exp(x[1]))
        first = total * (1 - share) + max(0, -np.min(x[2:]))
        return np.concatenate([[total * share, first], first + x[2:]])

    return there, back


# %% tags=["mistake:10.5"]
# earns: where you could have added it
def coordinates():
    def there(v):
        smallest = np.min(v[1:])
        return np.concatenate([[np.log(v[0] + smallest), np.log(v[0] / smallest)], v[2:] - v[1]])

    def back(x):
        total, share = np.exp(x[0]), 1 / (1 + np.exp(-x[1]))
        return np.concatenate([[total * share, total * (1 - share)], np.maximum(total * (1 - share) + x[2:], 1e-6)])

    return there, back


# %% tags=["mistake:10.5"]
# earns: pair
def coordinates():
    return lambda v: np.concatenate([[np.log(v[0] + np.min(v[1:])), np.log(v[0] / np.min(v[1:]))], v[2:] - v[1]])


# %% tags=["mistake:10.5"]
# earns: can be the smallest, too
def coordinates():
    def there(v):
        smallest = np.min(v[2:])
        return np.concatenate([[np.log(v[0] + smallest), np.log(v[0] / smallest)], v[2:] - v[1]])

    def back(x):
        baseline, smallest = np.exp(x[0]) / (1 + np.exp([-x[1], x[1]]))
        above_first = np.append(0.0, x[2:])
        return np.append(baseline, smallest + (above_first - np.min(above_first)))

    return there, back


# %% tags=["mistake:10.5"]
# earns: is not x again
def coordinates():
    def there(v):
        smallest = np.min(v[1:])
        return np.concatenate([[np.log(v[0] + smallest), np.log(v[0] / smallest)], v[2:] - v[1]])

    def back(x):
        share = 1 / (1 + np.exp(-np.clip(x[1], -5, 5)))
        first = np.exp(x[0]) * (1 - share) + max(0, -np.min(x[2:]))
        return np.concatenate([[np.exp(x[0]) * share, first], first + x[2:]])

    return there, back
