# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises 16: Tails that add up
#
# These exercises belong to [notebook 16](../16_tails_that_add_up.ipynb).
# In each task, replace the line `raise NotImplementedError(...)` by your code, run the cell, and run the check below it.
# A check says that your answer is right, or gives a hint.
# It tries your function with inputs of its own, so an answer that fits one example only will not pass.
#
# An *aim* is the number of an item in the notebook's list *You will learn*.
#
# | task | aim | what it practises | points |
# |---|---|---|---|
# | 16.1 | 2 | draw the contributions of many totals, with skewness and tails | 1 |
# | 16.2 | 1 | compute how often a limit is passed, and how wrong the normal is | 2 |
# | 16.3 | 5 | take totals apart with the draws of a posterior | 2 |
# | 16.4 | 3 | write a Bessel function of any order for PyMC | 2 |
# | 16.5 | 4 | fit a table of totals with tails | 3 |

# %%
import numpy as np
import pytensor.tensor as pt
from scipy import stats

import mlm_tutorial as mlm

# %% [markdown] tags=["task:16.1"]
# ## 16.1 Every contribution has its own trouble (easy)
#
# A total is the sum of J contributions, which are independent.
# Contribution $j$ has the mean $m_j$ and the variance $v_j$; the skewness $\rho$ and the tail weight $\kappa$ are the same for all.
# Draw the contributions of `n` totals, one row a total.
#
# As in the notebook, each contribution is normal given its own trouble $Z$:
#
# $$ y = m + \beta\,(Z - E[Z]) + \sqrt Z\,\varepsilon, \qquad \beta = \frac{\rho}{\kappa\,(1 - \rho^2)}. $$
#
# $Z$ is inverse Gaussian, in NumPy `rng.wald(mean, scale)`, with the mean $v\,(1 - \rho^2)$ and the scale $(v / \kappa)^2\,(1 - \rho^2)$.


# %% tags=["solution:16.1"]
def draw_contributions(mean, variance, skewness, tail_weight, n, rng):
    """Contributions of n totals.

    mean, variance: arrays of float, shape (J,), of each contribution
    skewness: float between -1 and 1
    tail_weight: float, positive
    n: int, number of totals; may be 1
    rng: numpy.random.Generator, the source of all random numbers
    Returns an array of float, shape (n, J).
    """
    ### BEGIN SOLUTION: draw a trouble and a noise for each of n times J contributions, and put them together
    rest = 1 - skewness**2
    beta = skewness / (tail_weight * rest)
    trouble = rng.wald(variance * rest, (variance / tail_weight) ** 2 * rest, size=(n, len(mean)))
    noise = rng.normal(size=trouble.shape)
    return mean + beta * (trouble - variance * rest) + np.sqrt(trouble) * noise
    ### END SOLUTION


# %% tags=["check:16.1"]
mlm.check("16.1", draw_contributions)


# %% tags=["mistake:16.1"]
# earns: the expected trouble is not subtracted
def draw_contributions(mean, variance, skewness, tail_weight, n, rng):
    rest = 1 - skewness**2
    z = rng.wald(variance * rest, (variance / tail_weight) ** 2 * rest, size=(n, len(mean)))
    return mean + skewness / (tail_weight * rest) * z + np.sqrt(z) * rng.normal(size=z.shape)


# %% tags=["mistake:16.1"]
# earns: the noise needs a standard deviation
def draw_contributions(mean, variance, skewness, tail_weight, n, rng):
    rest = 1 - skewness**2
    z = rng.wald(variance * rest, (variance / tail_weight) ** 2 * rest, size=(n, len(mean)))
    return mean + skewness / (tail_weight * rest) * (z - variance * rest) + z * rng.normal(size=z.shape)


# %% tags=["mistake:16.1"]
# earns: trouble costs no time here
def draw_contributions(mean, variance, skewness, tail_weight, n, rng):
    rest = 1 - skewness**2
    z = rng.wald(variance * rest, (variance / tail_weight) ** 2 * rest, size=(n, len(mean)))
    return mean + np.sqrt(z) * rng.normal(size=z.shape)


# %% tags=["mistake:16.1"]
# earns: is one trouble drawn for all rows
def draw_contributions(mean, variance, skewness, tail_weight, n, rng):
    rest = 1 - skewness**2
    z = rng.wald(variance * rest, (variance / tail_weight) ** 2 * rest)
    return mean + skewness / (tail_weight * rest) * (z - variance * rest) + np.sqrt(z) * rng.normal(size=(n, len(mean)))


# %% tags=["mistake:16.1"]
# earns: the contributions of a row are not independent
def draw_contributions(mean, variance, skewness, tail_weight, n, rng):
    rest, share = 1 - skewness**2, variance / variance.sum()
    # The total's noise, shared out: each column is right only by itself.
    z = rng.wald(variance * rest, (variance / tail_weight) ** 2 * rest, size=(n, len(mean)))
    noise = np.repeat(rng.normal(size=(n, 1)), len(share), axis=1)
    return mean + skewness / (tail_weight * rest) * (z - variance * rest) + np.sqrt(z) * noise


# %% tags=["mistake:16.1"]
# earns: trouble is drawn twice
def draw_contributions(mean, variance, skewness, tail_weight, n, rng):
    rest = 1 - skewness**2
    z, other = (rng.wald(variance * rest, (variance / tail_weight) ** 2 * rest, size=(n, len(mean))) for _ in range(2))
    return mean + skewness / (tail_weight * rest) * (z - variance * rest) + np.sqrt(other) * rng.normal(size=z.shape)


# %% tags=["mistake:16.1"]
# earns: the factor 1 - rho^2 is missing
def draw_contributions(mean, variance, skewness, tail_weight, n, rng):
    rest = 1 - skewness**2
    z = rng.wald(variance * rest, (variance / tail_weight) ** 2 * rest, size=(n, len(mean)))
    return mean + skewness / tail_weight * (z - variance * rest) + np.sqrt(z) * rng.normal(size=z.shape)


# %% tags=["mistake:16.1"]
# earns: in its scale
def draw_contributions(mean, variance, skewness, tail_weight, n, rng):
    rest = 1 - skewness**2
    z = rng.wald(variance * rest, variance / tail_weight * rest, size=(n, len(mean)))
    return mean + skewness / (tail_weight * rest) * (z - variance * rest) + np.sqrt(z) * rng.normal(size=z.shape)


# %% tags=["mistake:16.1"]
# earns: not the average of the draws
def draw_contributions(mean, variance, skewness, tail_weight, n, rng):
    rest = 1 - skewness**2
    z = rng.wald(variance * rest, (variance / tail_weight) ** 2 * rest, size=(n, len(mean)))
    return mean + skewness / (tail_weight * rest) * (z - z.mean(axis=0)) + np.sqrt(z) * rng.normal(size=z.shape)


# %% tags=["mistake:16.1"]
# earns: where is the random trouble
def draw_contributions(mean, variance, skewness, tail_weight, n, rng):
    return rng.normal(mean, np.sqrt(variance), size=(n, len(mean)))


# %% tags=["mistake:16.1"]
# earns: some random numbers come from elsewhere
def draw_contributions(mean, variance, skewness, tail_weight, n, rng):
    rest = 1 - skewness**2
    z = np.random.default_rng().wald(variance * rest, (variance / tail_weight) ** 2 * rest, size=(n, len(mean)))
    return mean + skewness / (tail_weight * rest) * (z - variance * rest) + np.sqrt(z) * rng.normal(size=z.shape)


# %% [markdown] tags=["task:16.2"]
# ## 16.2 How often is the limit passed? (medium)
#
# A total has a density, and you get its logarithm as a function that takes an array.
# You also know its mean and its standard deviation.
# With what probability does the total exceed `t`?
# And how many times as large is this as the probability under the *normal* distribution with the same mean and standard deviation?
#
# Integrate numerically.
# The check wants both numbers right to one part in a thousand.
# Units differ from case to case: a standard deviation may be 0.05 or 4,000.
# What lies beyond 100 standard deviations from the mean may be left out. What lies beyond 10 may not: some tails are heavy.
# The limit may lie below the mean, or so far above it that a normal total almost never gets there.


# %% tags=["solution:16.2"]
def beyond(log_density, t, mean, sd):
    """Probability that a total exceeds t, and its ratio to that of a normal total.

    log_density: function of an array of float; returns the log density at each value
    t: float, the limit
    mean, sd: float, mean and standard deviation of the total
    Returns a pair of floats, such as (0.0080, 230.0): 230 times as often as the normal.
    """
    ### BEGIN SOLUTION: make a grid from t to far above, sum the density over it, and divide by the normal's tail
    x = np.linspace(t, mean + 100 * sd, 100_001)
    probability = np.trapezoid(np.exp(log_density(x)), x)
    return probability, probability / stats.norm.sf(t, mean, sd)
    ### END SOLUTION


# %% tags=["check:16.2"]
mlm.check("16.2", beyond)


# %% tags=["mistake:16.2"]
# earns: stays below the limit
def beyond(log_density, t, mean, sd):
    x = np.linspace(mean - 100 * sd, t, 100_001)
    probability = np.trapezoid(np.exp(log_density(x)), x)
    return probability, probability / stats.norm.cdf(t, mean, sd)


# %% tags=["mistake:16.2"]
# earns: heavy tails reach farther
def beyond(log_density, t, mean, sd):
    x = np.linspace(t, t + 5 * sd, 100_001)
    probability = np.trapezoid(np.exp(log_density(x)), x)
    return probability, probability / stats.norm.sf(t, mean, sd)


# %% tags=["mistake:16.2"]
# earns: integrates the logarithm of the density
def beyond(log_density, t, mean, sd):
    x = np.linspace(t, mean + 100 * sd, 100_001)
    probability = np.trapezoid(log_density(x), x)
    return probability, probability / stats.norm.sf(t, mean, sd)


# %% tags=["mistake:16.2"]
# earns: has its width
def beyond(log_density, t, mean, sd):
    x = np.linspace(t, mean + 100 * sd, 100_001)
    probability = np.sum(np.exp(log_density(x)))
    return probability, probability / stats.norm.sf(t, mean, sd)


# %% tags=["mistake:16.2"]
# earns: this is the density at the limit
def beyond(log_density, t, mean, sd):
    probability = np.exp(log_density(np.array([t])))[0]
    return probability, probability / stats.norm.pdf(t, mean, sd)


# %% tags=["mistake:16.2"]
# earns: too far, or too coarse
def beyond(log_density, t, mean, sd):
    x = np.linspace(t, mean + 100 * sd, 201)
    probability = np.trapezoid(np.exp(log_density(x)), x)
    return probability, probability / stats.norm.sf(t, mean, sd)


# %% tags=["mistake:16.2"]
# earns: upside down
def beyond(log_density, t, mean, sd):
    x = np.linspace(t, mean + 100 * sd, 100_001)
    probability = np.trapezoid(np.exp(log_density(x)), x)
    return probability, stats.norm.sf(t, mean, sd) / probability


# %% tags=["mistake:16.2"]
# earns: has no digits left
def beyond(log_density, t, mean, sd):
    x = np.linspace(t, mean + 100 * sd, 100_001)
    probability = np.trapezoid(np.exp(log_density(x)), x)
    return probability, probability / (1 - stats.norm.cdf(t, mean, sd))


# %% tags=["mistake:16.2"]
# earns: the standard deviation is taken for a variance
def beyond(log_density, t, mean, sd):
    x = np.linspace(t, mean + 100 * sd, 100_001)
    probability = np.trapezoid(np.exp(log_density(x)), x)
    return probability, probability / stats.norm.sf(t, mean, np.sqrt(sd))


# %% tags=["mistake:16.2"]
# earns: this is the normal's probability
def beyond(log_density, t, mean, sd):
    return stats.norm.sf(t, mean, sd), 1.0


# %% [markdown] tags=["task:16.3"]
# ## 16.3 Take totals apart (medium)
#
# Each draw of a posterior is one set of parameters: it has a mean and a variance for each of the J contributions.
# Given these and a total, the expected part of a contribution is its mean plus the share of the surprise that its variance has in the sum of variances, with tails as without.
#
# You have several draws, and the totals of n flights, all with the same contributors.
# Return the posterior mean of each part: compute the parts with each draw, and average over the draws.


# %% tags=["solution:16.3"]
def split(total, mean, variance):
    """Expected parts of totals, averaged over draws.

    total: array of float, shape (n,)
    mean, variance: arrays of float, shape (draws, J)
    Returns an array of float, shape (n, J), each row of which adds up to its total. For example,
        split(np.array([9.0]), np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]])) is [[3.0, 6.0]].
    """
    ### BEGIN SOLUTION: for every draw and total add means and shares of the surprise, then average over the draws
    surprise = total[:, None] - mean.sum(axis=1)
    share = variance / variance.sum(axis=1, keepdims=True)
    parts = mean + surprise[:, :, None] * share
    return parts.mean(axis=1)
    ### END SOLUTION


# %% tags=["check:16.3"]
mlm.check("16.3", split)


# %% tags=["mistake:16.3"]
# earns: takes averages of the draws first
def split(total, mean, variance):
    m, v = mean.mean(axis=0), variance.mean(axis=0)
    return m + (total[:, None] - m.sum()) * v / v.sum()


# %% tags=["mistake:16.3"]
# earns: shares the surprise equally
def split(total, mean, variance):
    m = mean.mean(axis=0)
    return m + (total[:, None] - m.sum()) / len(m)


# %% tags=["mistake:16.3"]
# earns: not of the standard deviations
def split(total, mean, variance):
    sd = np.sqrt(variance)
    share = sd / sd.sum(axis=1, keepdims=True)
    return np.mean(mean + (total[:, None] - mean.sum(axis=1))[:, :, None] * share, axis=1)


# %% tags=["mistake:16.3"]
# earns: the contribution's own mean is missing
def split(total, mean, variance):
    share = variance / variance.sum(axis=1, keepdims=True)
    return np.mean((total[:, None] - mean.sum(axis=1))[:, :, None] * share, axis=1)


# %% tags=["mistake:16.3"]
# earns: the total minus all means, not the total
def split(total, mean, variance):
    share = variance / variance.sum(axis=1, keepdims=True)
    return np.mean(total[:, None, None] * share, axis=1)


# %% tags=["mistake:16.3"]
# earns: not the means minus the total
def split(total, mean, variance):
    share = variance / variance.sum(axis=1, keepdims=True)
    return np.mean(mean + (mean.sum(axis=1) - total[:, None])[:, :, None] * share, axis=1)


# %% [markdown] tags=["task:16.4"]
# ## 16.4 Another function that PyMC needs (medium)
#
# The distribution of the notebook needs $K_1$. Its relatives, the generalized hyperbolic distributions, need other orders $\nu$, whole or not:
#
# $$ K_\nu(z) = \int_0^\infty e^{-z\cosh t}\,\cosh(\nu t)\;dt. $$
#
# Write $\log\big(e^z K_\nu(z)\big)$ with elementary operations of `pt`, by the trapezoidal rule.
# The check asks for orders from 0 to 3 and for `z` from 0.01 to 1,000, everywhere with an error of the logarithm below $10^{-8}$, and for a gradient.
#
# Do not copy nodes: these orders and this range may need other ones.
# Where is the integrand widest, and where narrowest?


# %% tags=["solution:16.4"]
def log_kve(order, z):
    """Logarithm of exp(z) times the modified Bessel function of the second kind.

    order: float, from 0 to 3
    z: PyTensor vector, shape (n,), positive
    Returns a PyTensor vector, shape (n,).
    """
    ### BEGIN SOLUTION: choose nodes and their weights, and return the logarithm of a weighted sum over them
    step = 0.02
    t = np.arange(0, 11, step)
    weight = np.where(t == 0, 0.5, 1.0) * step * np.cosh(order * t)
    return pt.log(pt.sum(weight * pt.exp(-z[:, None] * (np.cosh(t) - 1)), axis=1))
    ### END SOLUTION


# %% tags=["check:16.4"]
mlm.check("16.4", log_kve)


# %% tags=["mistake:16.4"]
# earns: zero to the computer
def log_kve(order, z):
    t = np.arange(0, 11, 0.02)
    weight = np.where(t == 0, 0.5, 1.0) * 0.02 * np.cosh(order * t)
    return z + pt.log(pt.sum(weight * pt.exp(-z[:, None] * np.cosh(t)), axis=1))


# %% tags=["mistake:16.4"]
# earns: counts the first node half
def log_kve(order, z):
    t = np.arange(0, 11, 0.02)
    return pt.log(pt.sum(0.02 * np.cosh(order * t) * pt.exp(-z[:, None] * (np.cosh(t) - 1)), axis=1))


# %% tags=["mistake:16.4"]
# earns: the integrand reaches farther
def log_kve(order, z):
    t = np.arange(0, 5, 0.02)
    weight = np.where(t == 0, 0.5, 1.0) * 0.02 * np.cosh(order * t)
    return pt.log(pt.sum(weight * pt.exp(-z[:, None] * (np.cosh(t) - 1)), axis=1))


# %% tags=["mistake:16.4"]
# earns: the integrand is a narrow peak
def log_kve(order, z):
    t = np.arange(0, 11, 0.1)
    weight = np.where(t == 0, 0.5, 1.0) * 0.1 * np.cosh(order * t)
    return pt.log(pt.sum(weight * pt.exp(-z[:, None] * (np.cosh(t) - 1)), axis=1))


# %% tags=["mistake:16.4"]
# earns: the order plays no part
def log_kve(order, z):
    t = np.arange(0, 11, 0.02)
    weight = np.where(t == 0, 0.5, 1.0) * 0.02 * np.cosh(t)
    return pt.log(pt.sum(weight * pt.exp(-z[:, None] * (np.cosh(t) - 1)), axis=1))


# %% tags=["mistake:16.4"]
# earns: a factor inside of cosh
def log_kve(order, z):
    t = np.arange(0, 11, 0.02)
    weight = np.where(t == 0, 0.5, 1.0) * 0.02 * np.cosh(t) ** order
    return pt.log(pt.sum(weight * pt.exp(-z[:, None] * (np.cosh(t) - 1)), axis=1))


# %% tags=["mistake:16.4"]
# earns: wrong by the same factor
def log_kve(order, z):
    t = np.arange(0, 11, 0.02)
    weight = np.where(t == 0, 0.5, 1.0) * np.cosh(order * t)
    return pt.log(pt.sum(weight * pt.exp(-z[:, None] * (np.cosh(t) - 1)), axis=1))


# %% tags=["mistake:16.4"]
# earns: the task asks for its logarithm
def log_kve(order, z):
    t = np.arange(0, 11, 0.02)
    weight = np.where(t == 0, 0.5, 1.0) * 0.02 * np.cosh(order * t)
    return pt.sum(weight * pt.exp(-z[:, None] * (np.cosh(t) - 1)), axis=1)


# %% tags=["mistake:16.4"]
# earns: calls SciPy's Bessel function
def log_kve(order, z):
    return pt.log(pt.kve(order, z))


# %% [markdown] tags=["task:16.5"]
# ## 16.5 Late buses (hard)
#
# Mara's next customers come by bus.
# A table has one row a bus, with its minutes late, a whole number, and who was responsible: a line, a depot or a driver.
# There are thousands of rows, four contributors, and tails.
#
# Fit the notebook's model with tails to the counts of the *distinct* totals, under the default priors.
# Wide bins saved time in the notebook, and here nothing needs to be saved.
# Return the posterior, which must pass `mlm.check_convergence`.


# %% tags=["solution:16.5"]
def fit_tails(frame, total, layers, seed):
    """Posterior of totals with tails.

    frame: pandas.DataFrame, one row an observation; it may have columns that play no part
    total: str, name of the column with the totals
    layers: list of str, names of the layers
    seed: int, for mlm.sample(model, seed=seed)
    Returns what mlm.sample returns.
    """
    ### BEGIN SOLUTION: count the totals, make the model, sample it, check the run and return it
    counts = mlm.count_totals(frame, total, layers)
    idata = mlm.sample(mlm.tail_model(counts), seed=seed)
    mlm.check_convergence(idata)
    return idata
    ### END SOLUTION


# %% tags=["check:16.5"]
mlm.check("16.5", fit_tails)


# %% tags=["mistake:16.5"]
# earns: its totals are normal
def fit_tails(frame, total, layers, seed):
    # Few draws, here and in the next two: the hint names what the model lacks, whatever its draws say.
    return mlm.sample(mlm.cell_model(mlm.cell_statistics(frame, total, layers)), seed=seed, draws=100, tune=100)


# %% tags=["mistake:16.5"]
# earns: are counted in bins
def fit_tails(frame, total, layers, seed):
    counts = mlm.count_totals(frame, total, layers, width=5)
    return mlm.sample(mlm.tail_model(counts), seed=seed, draws=100, tune=100)


# %% tags=["mistake:16.5"]
# earns: far ones matter most
def fit_tails(frame, total, layers, seed):
    usual = (frame[total] - frame[total].mean()).abs() < 3 * frame[total].std()
    return mlm.sample(mlm.tail_model(mlm.count_totals(frame[usual], total, layers)), seed=seed, draws=100, tune=100)


# %% tags=["mistake:16.5"]
# earns: under the default priors
def fit_tails(frame, total, layers, seed):
    counts = mlm.count_totals(frame, total, layers)
    priors = mlm.Priors(baseline_mu=0, baseline_mu_sd=20, mu_sd=5, sigma_scale=1)
    return mlm.sample(mlm.tail_model(counts, priors), seed=seed)


# %% tags=["mistake:16.5"]
# earns: does not pass mlm.check_convergence
def fit_tails(frame, total, layers, seed):
    return mlm.sample(mlm.tail_model(mlm.count_totals(frame, total, layers)), seed=seed, draws=50)


# %% tags=["mistake:16.5"]
# earns: Was the model sampled
def fit_tails(frame, total, layers, seed):
    import xarray as xr

    return xr.DataTree()
