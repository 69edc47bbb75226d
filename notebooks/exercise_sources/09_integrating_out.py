# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises 09: Integrating out
#
# These exercises belong to [notebook 09](../09_integrating_out.ipynb).
# In each task, replace the line `raise NotImplementedError(...)` by your code, run the cell, and run the check below it.
# A check says that your answer is right, or gives a hint.
# It tries your function with inputs of its own, so an answer that fits one example only will not pass.
#
# An *aim* is the number of an item in the notebook's list *You will learn*.
#
# | task | aim | what it practises | points |
# |---|---|---|---|
# | 09.1 | 1 | integrate contributions out of a sum that is not in the notebook | 1 |
# | 09.2 | 2 | compute the log likelihood of rows that you never see | 1 |
# | 09.3 | 5 | fit a model to a postcard, and get the posterior of the rows | 2 |
# | 09.4 | 3 | compute and merge sums of squares that keep their digits, in one pass | 2 |
# | 09.5 | 4 | write a custom distribution with a log density and random draws | 3 |

# %%
import warnings

import numpy as np
import pymc as pm
import pytensor.tensor as pt

import mlm_tutorial as mlm

# A random function written in NumPy cannot be compiled. It runs as Python, and that is what this warning says.
warnings.filterwarnings("ignore", message="Numba will use object mode")

# %% [markdown] tags=["task:09.1"]
# ## 09.1 Twice the same, or two of a kind (easy)
#
# In the notebook each of road, center and driver has one contribution in a total, and it counts once.
# Call each of these a component. Here component $j$ makes `draws[j]` contributions.
# They are fresh and independent, all normal with mean `mu[j]` and standard deviation `sigma[j]`.
# Each of them is multiplied by `weights[j]`, and then all are added up.
#
# Two tickets at the same unknown price are one draw with weight 2.
# Two parcels of unknown weight are two draws with weight 1.
# What is subtracted has a negative weight.
#
# Integrate all contributions out: return the mean and the variance of the total.


# %% tags=["solution:09.1"]
def marginal(mu, sigma, weights, draws):
    """Mean and variance of a total.

    mu, sigma, weights: arrays of float, shape (K,), one number for each component
    draws: array of int, shape (K,), how many fresh contributions each component makes
    Returns a pair of floats: the mean and the variance.
    With mu = [10, 3], sigma = [2, 1]:
    weights = [1, 2] and draws = [1, 1] give (16.0, 8.0), weights = [1, 1] and draws = [1, 2] give (16.0, 6.0).
    """
    ### BEGIN SOLUTION: return the pair (mean, variance) of the total
    return np.sum(draws * weights * mu), np.sum(draws * weights**2 * sigma**2)
    ### END SOLUTION


# %% tags=["check:09.1"]
mlm.check("09.1", marginal)


# %% tags=["mistake:09.1"]
# earns: the same draw
def marginal(mu, sigma, weights, draws):
    return np.sum(draws * weights * mu), np.sum(draws * weights * sigma**2)


# %% tags=["mistake:09.1"]
# earns: as one contribution counted several times
def marginal(mu, sigma, weights, draws):
    return np.sum(draws * weights * mu), np.sum((draws * weights * sigma) ** 2)


# %% tags=["mistake:09.1"]
# earns: the standard deviation
def marginal(mu, sigma, weights, draws):
    return np.sum(draws * weights * mu), np.sqrt(np.sum(draws * weights**2 * sigma**2))


# %% tags=["mistake:09.1"]
# earns: one contribution from every component
def marginal(mu, sigma, weights, draws):
    return np.sum(weights * mu), np.sum(weights**2 * sigma**2)


# %% [markdown] tags=["task:09.2"]
# ## 09.2 The likelihood of somebody else's data (easy)
#
# A colleague publishes a table with one line a cell: the number of rows, their average and their sample standard deviation.
# The rows themselves are secret.
# Your model gives each cell a mean `mu` and a standard deviation `sigma` of a total.
# Return the log likelihood of the rows of each cell.
#
# The table comes from pandas.
# So the sample standard deviation is the root of $S / (n - 1)$, with the centered sum of squares $S$.
# Where a cell has one row only, it is NaN, "not a number".


# %% tags=["solution:09.2"]
def log_likelihood(n, average, sd, mu, sigma):
    """Log likelihood of the rows of each cell.

    n: array of int, shape (C,), rows in each cell
    average, sd: arrays of float, shape (C,), what was published; sd is NaN where n is 1
    mu, sigma: arrays of float, shape (C,), what the model says
    Returns an array of float, shape (C,).
    With n = [3, 1], average = [1, 0], sd = [2, nan], mu = [0, 0] and sigma = [1, 1] it is about [-8.257, -0.919].
    """
    ### BEGIN SOLUTION: return one log likelihood a cell, an array of shape (C,)
    sum_sq = np.where(n > 1, (n - 1) * sd**2, 0.0)
    return -n / 2 * np.log(2 * np.pi * sigma**2) - (sum_sq + n * (average - mu) ** 2) / (2 * sigma**2)
    ### END SOLUTION


# %% tags=["check:09.2"]
mlm.check("09.2", log_likelihood)


# %% tags=["mistake:09.2"]
# earns: a cell with one row
def log_likelihood(n, average, sd, mu, sigma):
    return -n / 2 * np.log(2 * np.pi * sigma**2) - ((n - 1) * sd**2 + n * (average - mu) ** 2) / (2 * sigma**2)


# %% tags=["mistake:09.2"]
# earns: divides by
def log_likelihood(n, average, sd, mu, sigma):
    sum_sq = np.where(n > 1, n * sd**2, 0.0)
    return -n / 2 * np.log(2 * np.pi * sigma**2) - (sum_sq + n * (average - mu) ** 2) / (2 * sigma**2)


# %% tags=["mistake:09.2"]
# earns: once a cell
def log_likelihood(n, average, sd, mu, sigma):
    sum_sq = np.where(n > 1, (n - 1) * sd**2, 0.0)
    return -np.log(2 * np.pi * sigma**2) / 2 - (sum_sq + n * (average - mu) ** 2) / (2 * sigma**2)


# %% tags=["mistake:09.2"]
# earns: far the average is from
def log_likelihood(n, average, sd, mu, sigma):
    sum_sq = np.where(n > 1, (n - 1) * sd**2, 0.0)
    return -n / 2 * np.log(2 * np.pi * sigma**2) - sum_sq / (2 * sigma**2)


# %% tags=["mistake:09.2"]
# earns: of shape
def log_likelihood(n, average, sd, mu, sigma):
    sum_sq = np.where(n > 1, (n - 1) * sd**2, 0.0)
    return np.sum(-n / 2 * np.log(2 * np.pi * sigma**2) - (sum_sq + n * (average - mu) ** 2) / (2 * sigma**2))


# %% [markdown] tags=["task:09.3"]
# ## 09.3 A fit from a postcard (medium)
#
# Lena's colleague at another depot sends a postcard, too.
# It has one line for each of four sorting centers: the number of parcels, their average in minutes late, and their centered sum of squares.
# The parcels themselves are gone.
# The model says that parcel $i$ from center $k$ is late by
#
# $$
# x_i \sim \text{Normal}(\text{mu}_k, \text{sigma}), \qquad
# \text{mu}_k \sim \text{Normal}(0, 10), \qquad
# \text{sigma} \sim \text{HalfNormal}(3),
# $$
#
# where `sigma` is one number for all centers.
# Fit it to the postcard, so that the posterior is that of the parcels.
# Sample with `mlm.sample(model, seed=seed)`.
# The check knows the exact posterior and compares yours with it, so it takes some seconds.


# %% tags=["solution:09.3"]
def fit_postcard(n, average, sum_sq, seed):
    """Posterior of the centers' means and of the common standard deviation.

    n: array of int, shape (4,), parcels of each center; some center has only one
    average: array of float, shape (4,), minutes
    sum_sq: array of float, shape (4,), centered sums of squares
    seed: int, for mlm.sample
    Returns what mlm.sample returns, with mu of shape (4,) and sigma, a single number.
    """
    ### BEGIN SOLUTION: build a model of the four lines, sample it, and return the result
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10, shape=len(n))
        sigma = pm.HalfNormal("sigma", 3)
        mlm.NormalCells("lines", mu=mu, sigma=sigma, n=n, observed=np.column_stack([average, sum_sq]))
    return mlm.sample(model, seed=seed)
    ### END SOLUTION


# %% tags=["check:09.3"]
mlm.check("09.3", fit_postcard)


# %% tags=["mistake:09.3"]
# earns: divided by something
def fit_postcard(n, average, sum_sq, seed):
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 10, shape=len(n)), pm.HalfNormal("sigma", 3)
        lines = np.column_stack([average, sum_sq / np.maximum(n - 1, 1)])
        mlm.NormalCells("lines", mu=mu, sigma=sigma, n=n, observed=lines)
    return mlm.sample(model, seed=seed)


# %% tags=["mistake:09.3"]
# earns: that average varies less
def fit_postcard(n, average, sum_sq, seed):
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 10, shape=len(n)), pm.HalfNormal("sigma", 3)
        pm.Normal("averages", mu, sigma, observed=average)
        pm.Potential("squares", -np.sum(n - 1) * pt.log(sigma) - np.sum(sum_sq) / (2 * sigma**2))
    return mlm.sample(model, seed=seed)


# %% tags=["mistake:09.3"]
# earns: about zero
def fit_postcard(n, average, sum_sq, seed):
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 10, shape=len(n)), pm.HalfNormal("sigma", 3)
        pm.Normal("averages", mu, sigma / np.sqrt(n), observed=average)
        squares = np.sum(sum_sq + n * average**2)
        pm.Potential("squares", -np.sum(n - 1) * pt.log(sigma) - squares / (2 * sigma**2))
    return mlm.sample(model, seed=seed)


# %% tags=["mistake:09.3"]
# earns: `sigma` is one number
def fit_postcard(n, average, sum_sq, seed):
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 10, shape=len(n)), pm.HalfNormal("sigma", 3, shape=len(n))
        mlm.NormalCells("lines", mu=mu, sigma=sigma, n=n, observed=np.column_stack([average, sum_sq]))
    return mlm.sample(model, seed=seed, target_accept=0.99)


# %% tags=["mistake:09.3"]
# earns: the prior of sigma is wider
def fit_postcard(n, average, sum_sq, seed):
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 10, shape=len(n)), pm.HalfNormal("sigma", 10)
        mlm.NormalCells("lines", mu=mu, sigma=sigma, n=n, observed=np.column_stack([average, sum_sq]))
    return mlm.sample(model, seed=seed)


# %% tags=["mistake:09.3"]
# earns: has no group named posterior
def fit_postcard(n, average, sum_sq, seed):
    with pm.Model():
        mu, sigma = pm.Normal("mu", 0, 10, shape=len(n)), pm.HalfNormal("sigma", 3)
        mlm.NormalCells("lines", mu=mu, sigma=sigma, n=n, observed=np.column_stack([average, sum_sq]))
        return pm.sample_prior_predictive(100, random_seed=seed)


# %% [markdown] tags=["task:09.4"]
# ## 09.4 A stream that you see once (medium)
#
# The totals of one cell come in batches, because the memory cannot hold them all.
# The reader fills the same array again for every batch: once the next batch arrives, the last one is overwritten.
# A batch may be empty.
# The totals may be time stamps in seconds, so a thousand million and more.
#
# Return count, average and centered sum of squares of all totals, in one pass.
# Your function must not need more memory for a long stream than for a short one.
# The check measures that with many small batches: neither totals nor a number for each batch may pile up.


# %% tags=["solution:09.4"]
def statistics_of_stream(batches):
    """Count, average and centered sum of squares of all batches together.

    batches: generator of arrays of float, shape (any,); it can be read only once
    Returns three numbers: the count n (int), the average and the centered sum of squares (floats).
    For example, statistics_of_stream(iter([np.array([1.0, 3.0]), np.array([]), np.array([5.0])])) is (3, 3.0, 8.0).
    """
    ### BEGIN SOLUTION: return count, average and centered sum of squares, three numbers
    n, mean, sum_sq = 0, 0.0, 0.0
    for batch in batches:
        size = len(batch)
        if size == 0:
            continue
        average = np.mean(batch)
        spread = np.sum((batch - average) ** 2)
        delta = average - mean
        sum_sq = sum_sq + spread + delta**2 * n * size / (n + size)
        mean = mean + delta * size / (n + size)
        n = n + size
    return n, mean, sum_sq
    ### END SOLUTION


# %% tags=["check:09.4"]
mlm.check("09.4", statistics_of_stream)


# %% tags=["mistake:09.4"]
# earns: thousand million
def statistics_of_stream(batches):
    n, first, second = 0, 0.0, 0.0
    for batch in batches:
        n, first, second = n + len(batch), first + np.sum(batch), second + np.sum(batch**2)
    return n, first / n, second - n * (first / n) ** 2


# %% tags=["mistake:09.4"]
# earns: overwritten
def statistics_of_stream(batches):
    x = np.concatenate(list(batches))
    return len(x), np.mean(x), np.sum((x - np.mean(x)) ** 2)


# %% tags=["mistake:09.4"]
# earns: its memory grows with the stream
def statistics_of_stream(batches):
    x = np.concatenate([batch.copy() for batch in batches])
    return len(x), np.mean(x), np.sum((x - np.mean(x)) ** 2)


# %% tags=["mistake:09.4"]
# earns: its memory grows with the stream
def statistics_of_stream(batches):
    x = []
    for batch in batches:
        x.extend(batch.tolist())
    return len(x), np.mean(x), np.sum((np.array(x) - np.mean(x)) ** 2)


# %% tags=["mistake:09.4"]
# earns: its memory grows with the stream
def statistics_of_stream(batches):
    parts = [(len(b), np.mean(b), np.sum((b - np.mean(b)) ** 2)) for b in batches if len(b)]
    n, means, squares = (np.array(column) for column in zip(*parts, strict=True))
    mean = np.sum(n * means) / np.sum(n)
    return np.sum(n), mean, np.sum(squares) + np.sum(n * (means - mean) ** 2)


# %% tags=["mistake:09.4"]
# earns: the batches' averages differ
def statistics_of_stream(batches):
    n, total, sum_sq = 0, 0.0, 0.0
    for batch in batches:
        n, total = n + len(batch), total + np.sum(batch)
        if len(batch):
            sum_sq += np.sum((batch - np.mean(batch)) ** 2)
    return n, total / n, sum_sq


# %% tags=["mistake:09.4"]
# earns: finite
def statistics_of_stream(batches):
    n, mean, sum_sq = 0, 0.0, 0.0
    for batch in batches:
        size, average = len(batch), np.sum(batch) / np.float64(len(batch))
        delta, both = average - mean, n + size
        sum_sq += np.sum((batch - average) ** 2) + delta**2 * n * size / both
        mean, n = mean + delta * size / both, both
    return n, mean, sum_sq


# %% tags=["mistake:09.4"]
# earns: batches of different sizes
def statistics_of_stream(batches):
    n, means, sum_sq = 0, [], 0.0
    for batch in batches:
        if len(batch):
            means.append(np.mean(batch))
            n, sum_sq = n + len(batch), sum_sq + np.sum((batch - means[-1]) ** 2)
    return n, np.mean(means), sum_sq


# %% [markdown] tags=["task:09.5"]
# ## 09.5 Rows that share a contribution (hard)
#
# In the notebook every row has fresh contributions.
# Now think of the rides of one day: the weather's contribution is drawn once a day and is the same number in all $n$ rides.
# So row $i$ of a day is
#
# $$x_i = \mu + y + e_i, \qquad y \sim \text{Normal}(0, \sigma_\text{shared}), \qquad e_i \sim \text{Normal}(0, \sigma_\text{own}),$$
#
# where all $e_i$ and $y$ are independent.
# A cell is one day.
# Integrate $y$ out: given the parameters, the rows of a day are no longer independent, but average and centered sum of squares $S$ are still all that they can say.
#
# Two questions lead to the answer.
# What does $y$ do to the deviations of the rows from their average?
# And what is the variance of the average?
# The average and $S$ are independent, as in the notebook.
#
# Return a distribution of the pair (average, $S$) for PyMC, with a log density and random draws.
# The log density may be that of the rows or that of the pair: they differ by a number without parameters, which the check ignores.
# A day with one ride has $S = 0$.


# %% tags=["solution:09.5"]
def days(mu, sigma_own, sigma_shared, n):
    """Distribution of average and sum of squares of each day, a variable outside of a model.

    mu, sigma_own, sigma_shared: arrays of float, shape (C,), one number a day
    n: array of float, shape (C,), rides of each day
    Returns what pm.CustomDist.dist(...) returns: a variable of shape (C, 2), average and S of each day.
    As in the notebook, write one function for the log density (pt) and one for the draws (np), and give a signature.
    If yours is the density of the rows, then for mu = 0, sigma_own = 1, sigma_shared = 1 and n = 2
    the log density at the value (0, 0) is about -2.387.
    """
    ### BEGIN SOLUTION: return pm.CustomDist.dist(...) with logp, random and signature

    def logp(value, mu, sigma_own, sigma_shared, n):
        average, sum_sq = value[..., 0], value[..., 1]
        variance = sigma_own**2 + n * sigma_shared**2  # n times that of the average
        log_scales = (n - 1) * pt.log(sigma_own**2) + pt.log(variance) + n * np.log(2 * np.pi)
        return -(log_scales + sum_sq / sigma_own**2 + n * (average - mu) ** 2 / variance) / 2

    def random(mu, sigma_own, sigma_shared, n, rng=None, size=None):
        average = rng.normal(mu, np.sqrt(sigma_own**2 / n + sigma_shared**2), size=size)
        chi_squared = rng.chisquare(np.maximum(n - 1, 1), size=size)
        return np.stack([average, np.where(n > 1, sigma_own**2 * chi_squared, 0.0)], axis=-1)

    return pm.CustomDist.dist(mu, sigma_own, sigma_shared, n, logp=logp, random=random, signature="(),(),(),()->(2)")
    ### END SOLUTION


# %% tags=["check:09.5"]
mlm.check("09.5", days)


# %% tags=["mistake:09.5"]
# earns: as if every ride had a fresh
def days(mu, sigma_own, sigma_shared, n):
    return mlm.NormalCells.dist(mu, np.sqrt(sigma_own**2 + sigma_shared**2), n)


# %% tags=["mistake:09.5"]
# earns: one ride
def days(mu, sigma_own, sigma_shared, n):
    def logp(value, mu, own, shared, n):
        scales = (n - 1) * pt.log(own**2) + pt.log(own**2 + n * shared**2)
        return -(scales + value[..., 1] / own**2 + n * (value[..., 0] - mu) ** 2 / (own**2 + n * shared**2)) / 2

    def random(mu, own, shared, n, rng=None, size=None):
        average = rng.normal(mu, np.sqrt(own**2 / n + shared**2), size=size)
        return np.stack([average, own**2 * rng.chisquare(np.maximum(n - 1, 1), size=size)], axis=-1)

    return pm.CustomDist.dist(mu, sigma_own, sigma_shared, n, logp=logp, random=random, signature="(),(),(),()->(2)")


# %% tags=["mistake:09.5"]
# earns: averages that you draw vary too little
def days(mu, sigma_own, sigma_shared, n):
    def logp(value, mu, own, shared, n):
        scales = (n - 1) * pt.log(own**2) + pt.log(own**2 + n * shared**2)
        return -(scales + value[..., 1] / own**2 + n * (value[..., 0] - mu) ** 2 / (own**2 + n * shared**2)) / 2

    def random(mu, own, shared, n, rng=None, size=None):
        average = rng.normal(mu, np.sqrt((own**2 + shared**2) / n), size=size)
        chi_squared = rng.chisquare(np.maximum(n - 1, 1), size=size)
        return np.stack([average, np.where(n > 1, own**2 * chi_squared, 0.0)], axis=-1)

    return pm.CustomDist.dist(mu, sigma_own, sigma_shared, n, logp=logp, random=random, signature="(),(),(),()->(2)")


# %% tags=["mistake:09.5"]
# earns: vary too little on days with one ride
def days(mu, sigma_own, sigma_shared, n):
    def logp(value, mu, own, shared, n):
        scales = (n - 1) * pt.log(own**2) + pt.log(own**2 + n * shared**2)
        return -(scales + value[..., 1] / own**2 + n * (value[..., 0] - mu) ** 2 / (own**2 + n * shared**2)) / 2

    def random(mu, own, shared, n, rng=None, size=None):
        average = rng.normal(mu, shared, size=size)
        chi_squared = rng.chisquare(np.maximum(n - 1, 1), size=size)
        return np.stack([average, np.where(n > 1, own**2 * chi_squared, 0.0)], axis=-1)

    return pm.CustomDist.dist(mu, sigma_own, sigma_shared, n, logp=logp, random=random, signature="(),(),(),()->(2)")


# %% tags=["mistake:09.5"]
# earns: vary too much on days with 3 rides
def days(mu, sigma_own, sigma_shared, n):
    def logp(value, mu, own, shared, n):
        scales = (n - 1) * pt.log(own**2) + pt.log(own**2 + n * shared**2)
        return -(scales + value[..., 1] / own**2 + n * (value[..., 0] - mu) ** 2 / (own**2 + n * shared**2)) / 2

    def random(mu, own, shared, n, rng=None, size=None):
        average = rng.normal(mu, np.sqrt(own**2 + shared**2), size=size)
        chi_squared = rng.chisquare(np.maximum(n - 1, 1), size=size)
        return np.stack([average, np.where(n > 1, own**2 * chi_squared, 0.0)], axis=-1)

    return pm.CustomDist.dist(mu, sigma_own, sigma_shared, n, logp=logp, random=random, signature="(),(),(),()->(2)")


# %% tags=["mistake:09.5"]
# earns: vary too little on days with 3 rides
def days(mu, sigma_own, sigma_shared, n):
    def logp(value, mu, own, shared, n):
        scales = (n - 1) * pt.log(own**2) + pt.log(own**2 + n * shared**2)
        return -(scales + value[..., 1] / own**2 + n * (value[..., 0] - mu) ** 2 / (own**2 + n * shared**2)) / 2

    def random(mu, own, shared, n, rng=None, size=None):
        average = rng.normal(mu, np.sqrt((own / n) ** 2 + shared**2), size=size)
        chi_squared = rng.chisquare(np.maximum(n - 1, 1), size=size)
        return np.stack([average, np.where(n > 1, own**2 * chi_squared, 0.0)], axis=-1)

    return pm.CustomDist.dist(mu, sigma_own, sigma_shared, n, logp=logp, random=random, signature="(),(),(),()->(2)")


# %% tags=["mistake:09.5"]
# earns: the shared contribution cancels
def days(mu, sigma_own, sigma_shared, n):
    def logp(value, mu, own, shared, n):
        total = own**2 + shared**2
        scales = (n - 1) * pt.log(total) + pt.log(own**2 + n * shared**2)
        return -(scales + value[..., 1] / total + n * (value[..., 0] - mu) ** 2 / (own**2 + n * shared**2)) / 2

    def random(mu, own, shared, n, rng=None, size=None):
        average = rng.normal(mu, np.sqrt(own**2 / n + shared**2), size=size)
        chi_squared = rng.chisquare(np.maximum(n - 1, 1), size=size)
        return np.stack([average, np.where(n > 1, (own**2 + shared**2) * chi_squared, 0.0)], axis=-1)

    return pm.CustomDist.dist(mu, sigma_own, sigma_shared, n, logp=logp, random=random, signature="(),(),(),()->(2)")


# %% tags=["mistake:09.5"]
# earns: leaves out the logarithms
def days(mu, sigma_own, sigma_shared, n):
    def logp(value, mu, own, shared, n):
        return -(value[..., 1] / own**2 + n * (value[..., 0] - mu) ** 2 / (own**2 + n * shared**2)) / 2

    def random(mu, own, shared, n, rng=None, size=None):
        average = rng.normal(mu, np.sqrt(own**2 / n + shared**2), size=size)
        return np.stack([average, own**2 * rng.chisquare(np.maximum(n - 1, 1), size=size)], axis=-1)

    return pm.CustomDist.dist(mu, sigma_own, sigma_shared, n, logp=logp, random=random, signature="(),(),(),()->(2)")


# %% tags=["mistake:09.5"]
# earns: a variable
def days(mu, sigma_own, sigma_shared, n):
    average = np.random.default_rng(0).normal(mu, np.sqrt(sigma_own**2 / n + sigma_shared**2))
    return np.stack([average, sigma_own**2 * (n - 1)], axis=-1)


# %% tags=["mistake:09.5"]
# earns: `rng` has no part in them
def days(mu, sigma_own, sigma_shared, n):
    def logp(value, mu, own, shared, n):
        scales = (n - 1) * pt.log(own**2) + pt.log(own**2 + n * shared**2)
        return -(scales + value[..., 1] / own**2 + n * (value[..., 0] - mu) ** 2 / (own**2 + n * shared**2)) / 2

    def random(mu, own, shared, n, rng=None, size=None):
        rng = np.random.default_rng(1)
        average = rng.normal(mu, np.sqrt(own**2 / n + shared**2), size=size)
        chi_squared = rng.chisquare(np.maximum(n - 1, 1), size=size)
        return np.stack([average, np.where(n > 1, own**2 * chi_squared, 0.0)], axis=-1)

    return pm.CustomDist.dist(mu, sigma_own, sigma_shared, n, logp=logp, random=random, signature="(),(),(),()->(2)")


# %% tags=["mistake:09.5"]
# earns: come from elsewhere
def days(mu, sigma_own, sigma_shared, n):
    def logp(value, mu, own, shared, n):
        scales = (n - 1) * pt.log(own**2) + pt.log(own**2 + n * shared**2)
        return -(scales + value[..., 1] / own**2 + n * (value[..., 0] - mu) ** 2 / (own**2 + n * shared**2)) / 2

    def random(mu, own, shared, n, rng=None, size=None):
        average = np.random.default_rng().normal(mu, np.sqrt(own**2 / n + shared**2), size=size)
        chi_squared = rng.chisquare(np.maximum(n - 1, 1), size=size)
        return np.stack([average, np.where(n > 1, own**2 * chi_squared, 0.0)], axis=-1)

    return pm.CustomDist.dist(mu, sigma_own, sigma_shared, n, logp=logp, random=random, signature="(),(),(),()->(2)")


# %% tags=["mistake:09.5"]
# earns: every day needs fresh ones
def days(mu, sigma_own, sigma_shared, n):
    def logp(value, mu, own, shared, n):
        scales = (n - 1) * pt.log(own**2) + pt.log(own**2 + n * shared**2)
        return -(scales + value[..., 1] / own**2 + n * (value[..., 0] - mu) ** 2 / (own**2 + n * shared**2)) / 2

    def random(mu, own, shared, n, rng=None, size=None):
        weather = np.repeat(rng.normal(size=(np.size(mu) + 1) // 2), 2)[: np.size(mu)]
        average = mu + shared * weather + rng.normal(0, own / np.sqrt(n), size=size)
        chi_squared = rng.chisquare(np.maximum(n - 1, 1), size=size)
        return np.stack([average, np.where(n > 1, own**2 * chi_squared, 0.0)], axis=-1)

    return pm.CustomDist.dist(mu, sigma_own, sigma_shared, n, logp=logp, random=random, signature="(),(),(),()->(2)")
