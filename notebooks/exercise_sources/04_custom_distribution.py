# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises 04: A custom distribution
#
# These exercises belong to [notebook 04](../04_custom_distribution.ipynb).
# In each task, replace the line `raise NotImplementedError(...)` by your code, run the cell, and run the check below it.
# A check says that your answer is right, or gives a hint.
# It tries your function with inputs of its own, so an answer that fits one example only will not pass.
#
# An *aim* is the number of an item in the notebook's list *You will learn*.
#
# | task | aim | what it practises | points |
# |---|---|---|---|
# | 04.1 | 1 | write a log density as a graph | 1 |
# | 04.2 | 2 | tell what the sampler moves | 1 |
# | 04.3 | 3 | test draws, log density, distribution function and quantiles | 2 |
# | 04.4 | 4 | write, fit and check a model in its non-centered form | 2 |
# | 04.5 | 5 | write a distribution as a `CustomDist`, exact in both tails | 3 |

# %%
import numpy as np
import pymc as pm
import pytensor.tensor as pt
from scipy import stats

import mlm_tutorial as mlm

# %% [markdown] tags=["task:04.1"]
# ## 04.1 Half of a normal (easy)
#
# Draw from a standard normal and drop the sign.
# The result has a *half-normal* distribution: values below 0 cannot occur, and values above 0 are twice as frequent as before.
# Return its log density, written by you as a formula: PyMC's own `pm.HalfNormal` would spare you the exercise.


# %% tags=["solution:04.1"]
def half_normal_logp(value):
    """Log density of the half-normal distribution.

    value: vector of PyTensor, such as pt.vector("value"); its numbers may be negative, none of them is 0
    Returns a graph of PyTensor with one log density for each number of the vector.
    To try it, half_normal_logp(pt.as_tensor([1.0, -1.0])).eval() is about [-0.726, -inf].
    """
    ### BEGIN SOLUTION: return the log density, a graph made from `value`
    above_zero = np.log(2) - 0.5 * np.log(2 * np.pi) - 0.5 * value**2
    return pt.where(value > 0, above_zero, -np.inf)
    ### END SOLUTION


# %% tags=["check:04.1"]
mlm.check("04.1", half_normal_logp)


# %% tags=["mistake:04.1"]
# earns: covers only 1/2
def half_normal_logp(value):
    return pt.where(value > 0, -0.5 * value**2 - 0.5 * np.log(2 * np.pi), -np.inf)


# %% tags=["mistake:04.1"]
# earns: finite there
def half_normal_logp(value):
    return np.log(2) - 0.5 * np.log(2 * np.pi) - 0.5 * value**2


# %% tags=["mistake:04.1"]
# earns: this is the density
def half_normal_logp(value):
    return pt.where(value > 0, 2 * pt.exp(-0.5 * value**2) / np.sqrt(2 * np.pi), 0)


# %% tags=["mistake:04.1"]
# earns: so the density is 1 there
def half_normal_logp(value):
    return pt.where(value > 0, np.log(2) - 0.5 * np.log(2 * np.pi) - 0.5 * value**2, 0)


# %% tags=["mistake:04.1"]
# earns: infinite at 40
def half_normal_logp(value):
    return pt.log(pt.where(value > 0, 2 * pt.exp(-0.5 * value**2) / np.sqrt(2 * np.pi), 0))


# %% tags=["mistake:04.1"]
# earns: without a sum
def half_normal_logp(value):
    return pt.sum(np.log(2) - 0.5 * np.log(2 * np.pi) - 0.5 * value**2)


# %% tags=["mistake:04.1"]
# earns: asks PyMC for the log density
def half_normal_logp(value):
    return pm.logp(pm.HalfNormal.dist(1), value)


# %% [markdown] tags=["task:04.2"]
# ## 04.2 How many numbers does the sampler move? (easy)
#
# You get a model of parcels with normal, Weibull and standard normal variables.
# Three means of sorting centers in it sum to zero, by `pm.ZeroSumNormal`: two of them may be any number, and the third follows.
# The model also has data, and variables computed with `pm.Deterministic`.
# Return how many numbers the sampler moves when it samples this model.


# %% tags=["solution:04.2"]
def numbers_moved(model):
    """Count the numbers that the sampler moves.

    model: pm.Model
    Returns one int. For a model of a single StandardNormal("z", shape=(2, 4)), it is 8.
    """
    ### BEGIN SOLUTION: return the number of numbers in the model's free variables
    return sum(start.size for start in model.initial_point().values())
    ### END SOLUTION


# %% tags=["check:04.2"]
mlm.check("04.2", numbers_moved)


# %% tags=["mistake:04.2"]
# earns: the shapes of the variables
def numbers_moved(model):
    return sum(int(np.prod(variable.shape.eval())) for variable in model.free_RVs)


# %% tags=["mistake:04.2"]
# earns: one of these is not moved
def numbers_moved(model):
    return len(model.basic_RVs)


# %% tags=["mistake:04.2"]
# earns: this counts names
def numbers_moved(model):
    return len(model.free_RVs)


# %% tags=["mistake:04.2"]
# earns: `y` is computed
def numbers_moved(model):
    return sum(int(np.prod(variable.type.shape)) for variable in model.unobserved_RVs)


# %% tags=["mistake:04.2"]
# earns: and yet it is a free variable
def numbers_moved(model):
    return sum(start.size for name, start in model.initial_point().items() if name != "z")


# %% tags=["mistake:04.2"]
# earns: data are known
def numbers_moved(model):
    return sum(int(np.prod(variable.type.shape)) for variable in model.basic_RVs)


# %% [markdown] tags=["task:04.3"]
# ## 04.3 Which part is wrong? (medium)
#
# Somebody wrote a distribution in four parts, and one of the parts may be wrong.
# SciPy's version of the same distribution is right.
# Test each part against it, and return the name of the wrong one.
# Call the draws wrong only if the p-value of a Kolmogorov-Smirnov test is below $10^{-6}$: you test many distributions, and right ones should pass.
# Errors may sit anywhere, far out too, so try values from -40 to 40 and more than one or two probabilities.


# %% tags=["solution:04.3"]
def wrong_part(parts, exact):
    """Name of the part that disagrees with SciPy.

    parts: dict with the keys "draws", "logp", "logcdf" and "icdf"
        parts["draws"] is an array of 10,000 numbers; the others are functions from an array to an array.
    exact: distribution of SciPy, such as stats.norm(); it has the methods cdf, logpdf, logcdf and ppf (the quantiles)
    Returns one of the texts "draws", "logp", "logcdf", "icdf", or "none" if all parts are right.
    """
    ### BEGIN SOLUTION: return the name of the wrong part, or the text none
    z = np.linspace(-40, 40, 801)
    p = np.array([1e-10, 0.025, 0.3, 0.5, 0.7, 0.975])
    if not np.allclose(parts["logp"](z), exact.logpdf(z)):
        return "logp"
    if not np.allclose(parts["logcdf"](z), exact.logcdf(z)):
        return "logcdf"
    if not np.allclose(parts["icdf"](p), exact.ppf(p)):
        return "icdf"
    if stats.kstest(parts["draws"], exact.cdf).pvalue < 1e-6:
        return "draws"
    return "none"
    ### END SOLUTION


# %% tags=["check:04.3"]
mlm.check("04.3", wrong_part)


# %% tags=["mistake:04.3"]
# earns: beyond 24
def wrong_part(parts, exact):
    z, p = np.linspace(-4, 4, 81), np.linspace(0.01, 0.99, 99)
    for name, points in {"logp": z, "logcdf": z, "icdf": p}.items():
        right = {"logp": exact.logpdf, "logcdf": exact.logcdf, "icdf": exact.ppf}[name]
        if not np.allclose(parts[name](points), right(points)):
            return name
    return "draws" if stats.kstest(parts["draws"], exact.cdf).pvalue < 1e-6 else "none"


# %% tags=["mistake:04.3"]
# earns: right up to 0 and wrong above
def wrong_part(parts, exact):
    z, p = np.linspace(-40, 0, 401), np.linspace(0.01, 0.99, 99)
    for name, points in {"logp": z, "logcdf": z, "icdf": p}.items():
        right = {"logp": exact.logpdf, "logcdf": exact.logcdf, "icdf": exact.ppf}[name]
        if not np.allclose(parts[name](points), right(points)):
            return name
    return "draws" if stats.kstest(parts["draws"], exact.cdf).pvalue < 1e-6 else "none"


# %% tags=["mistake:04.3"]
# earns: right at some probabilities
def wrong_part(parts, exact):
    z, p = np.linspace(-40, 40, 801), np.array([0.975])
    for name, points in {"logp": z, "logcdf": z, "icdf": p}.items():
        right = {"logp": exact.logpdf, "logcdf": exact.logcdf, "icdf": exact.ppf}[name]
        if not np.allclose(parts[name](points), right(points)):
            return name
    return "draws" if stats.kstest(parts["draws"], exact.cdf).pvalue < 1e-6 else "none"


# %% tags=["mistake:04.3"]
# earns: which level does the task name
def wrong_part(parts, exact):
    z, p = np.linspace(-40, 40, 801), np.linspace(0.01, 0.99, 99)
    for name, points in {"logp": z, "logcdf": z, "icdf": p}.items():
        right = {"logp": exact.logpdf, "logcdf": exact.logcdf, "icdf": exact.ppf}[name]
        if not np.allclose(parts[name](points), right(points)):
            return name
    return "draws" if stats.kstest(parts["draws"], exact.cdf).pvalue < 0.05 else "none"


# %% tags=["mistake:04.3"]
# earns: they spread too far
def wrong_part(parts, exact):
    z, p = np.linspace(-40, 40, 801), np.linspace(0.01, 0.99, 99)
    for name, points in {"logp": z, "logcdf": z, "icdf": p}.items():
        right = {"logp": exact.logpdf, "logcdf": exact.logcdf, "icdf": exact.ppf}[name]
        if not np.allclose(parts[name](points), right(points)):
            return name
    return "draws" if abs(parts["draws"].mean() - exact.mean()) > 0.1 else "none"


# %% tags=["mistake:04.3"]
# earns: standard deviation and tails are right
def wrong_part(parts, exact):
    z, p = np.linspace(-40, 40, 801), np.linspace(0.01, 0.99, 99)
    for name, points in {"logp": z, "logcdf": z, "icdf": p}.items():
        right = {"logp": exact.logpdf, "logcdf": exact.logcdf, "icdf": exact.ppf}[name]
        if not np.allclose(parts[name](points), right(points)):
            return name
    draws = parts["draws"]
    off = abs(draws.mean() - exact.mean()) > 0.1 or abs(draws.std() - exact.std()) > 0.1
    off = off or abs(stats.kurtosis(draws) - exact.stats("k")) > 0.5
    return "draws" if off else "none"


# %% tags=["mistake:04.3"]
# earns: allow for rounding
def wrong_part(parts, exact):
    z, p = np.linspace(-40, 40, 801), np.linspace(0.01, 0.99, 99)
    for name, points in {"logp": z, "logcdf": z, "icdf": p}.items():
        right = {"logp": exact.logpdf, "logcdf": exact.logcdf, "icdf": exact.ppf}[name]
        if (parts[name](points) != right(points)).any():
            return name
    return "draws" if stats.kstest(parts["draws"], exact.cdf).pvalue < 1e-6 else "none"


# %% tags=["mistake:04.3"]
# earns: their level is not
def wrong_part(parts, exact):
    z, p = np.linspace(-40, 40, 801), np.linspace(0.01, 0.99, 99)
    if not np.allclose(np.diff(parts["logp"](z)), np.diff(exact.logpdf(z))):
        return "logp"
    if not np.allclose(parts["logcdf"](z), exact.logcdf(z)):
        return "logcdf"
    if not np.allclose(parts["icdf"](p), exact.ppf(p)):
        return "icdf"
    return "draws" if stats.kstest(parts["draws"], exact.cdf).pvalue < 1e-6 else "none"


# %% [markdown] tags=["task:04.4"]
# ## 04.4 Six drivers, measured badly (medium)
#
# In her second week Vera has a rough measurement of each driver's delay, in minutes.
# Driver $d$ has the delay $\text{delay}_d \sim \text{Normal}(\mu, \sigma)$, and is measured with a known standard error:
#
# $$\text{measured}_d \sim \text{Normal}(\text{delay}_d, \text{error}_d).$$
#
# The priors are $\mu \sim \text{Normal}(0, 10)$ and $\sigma \sim \text{Weibull}(2, 5)$, where 2 is the shape `alpha` and 5 the scale `beta`.
# Write this model in its non-centered form: the sampler moves `mu`, `sigma` and a standard normal `z` for each driver.
# Then sample it with `mlm.sample(model, seed=...)`, and try `mlm.check_convergence` on the result.
# If a run just misses a limit, take more draws (`draws=2000`), or shorter steps (`target_accept=0.95`).
# Return the model and its posterior.
# (You can check the model first: return `None` for the posterior, and the check tells you what is wrong with the model.)


# %% tags=["solution:04.4"]
def driver_delays(measured, error):
    """Non-centered model of the drivers' delays, and its posterior.

    measured, error: arrays of float, shape (n,); measured delays and their standard errors in minutes, one a driver
    Returns a pair. First a pm.Model with the free variables mu, sigma (numbers) and z (shape (n,)), the computed
    variable delay (shape (n,)), and the observed variable measured (shape (n,)). Second what mlm.sample gives for it.
    """
    ### BEGIN SOLUTION: return the pair of a pm.Model and of what mlm.sample gives for it
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        sigma = pm.Weibull("sigma", 2, 5)
        z = mlm.StandardNormal("z", shape=len(measured))
        delay = pm.Deterministic("delay", mu + sigma * z)
        pm.Normal("measured", delay, error, observed=measured)
    return model, mlm.sample(model, seed=4, target_accept=0.95)
    ### END SOLUTION


# %% tags=["check:04.4"]
mlm.check("04.4", driver_delays)


# %% tags=["mistake:04.4"]
# earns: the centered form
def driver_delays(measured, error):
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 10), pm.Weibull("sigma", 2, 5)
        delay = pm.Normal("delay", mu, sigma, shape=len(measured))
        pm.Normal("measured", delay, error, observed=measured)
    return model, None


# %% tags=["mistake:04.4"]
# earns: does not contain mu
def driver_delays(measured, error):
    with pm.Model() as model:
        pm.Normal("mu", 0, 10)
        sigma = pm.Weibull("sigma", 2, 5)
        z = mlm.StandardNormal("z", shape=len(measured))
        delay = pm.Deterministic("delay", sigma * z)
        pm.Normal("measured", delay, error, observed=measured)
    return model, None


# %% tags=["mistake:04.4"]
# earns: one z for all drivers
def driver_delays(measured, error):
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 10), pm.Weibull("sigma", 2, 5)
        z = mlm.StandardNormal("z")
        delay = pm.Deterministic("delay", mu + sigma * z)
        pm.Normal("measured", delay, error, observed=measured)
    return model, None


# %% tags=["mistake:04.4"]
# earns: does not know the data
def driver_delays(measured, error):
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 10), pm.Weibull("sigma", 2, 5)
        z = mlm.StandardNormal("z", shape=len(measured))
        delay = pm.Deterministic("delay", mu + sigma * z)
        pm.Normal("measured", delay, error)
    return model, None


# %% tags=["mistake:04.4"]
# earns: log density of `measured` is wrong
def driver_delays(measured, error):
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 10), pm.Weibull("sigma", 2, 5)
        z = mlm.StandardNormal("z", shape=len(measured))
        pm.Deterministic("delay", mu + sigma * z)
        pm.Normal("measured", mu, error, observed=measured)
    return model, None


# %% tags=["mistake:04.4"]
# earns: prior of sigma
def driver_delays(measured, error):
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 10), pm.HalfNormal("sigma", 5)
        z = mlm.StandardNormal("z", shape=len(measured))
        delay = pm.Deterministic("delay", mu + sigma * z)
        pm.Normal("measured", delay, error, observed=measured)
    return model, None


# %% tags=["mistake:04.4"]
# earns: Was the model sampled
def driver_delays(measured, error):
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 10), pm.Weibull("sigma", 2, 5)
        z = mlm.StandardNormal("z", shape=len(measured))
        delay = pm.Deterministic("delay", mu + sigma * z)
        pm.Normal("measured", delay, error, observed=measured)
    return model, pm.sample_prior_predictive(1000, model=model, random_seed=4)


# %% tags=["mistake:04.4"]
# earns: does not pass mlm.check_convergence
def driver_delays(measured, error):
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 10), pm.Weibull("sigma", 2, 5)
        z = mlm.StandardNormal("z", shape=len(measured))
        delay = pm.Deterministic("delay", mu + sigma * z)
        pm.Normal("measured", delay, error, observed=measured)
    return model, mlm.sample(model, seed=4, draws=50)


# %% tags=["mistake:04.4"]
# earns: the posterior mean of `mu`
def driver_delays(measured, error):
    def model_of(data):
        with pm.Model() as model:
            mu, sigma = pm.Normal("mu", 0, 10), pm.Weibull("sigma", 2, 5)
            z = mlm.StandardNormal("z", shape=len(measured))
            delay = pm.Deterministic("delay", mu + sigma * z)
            pm.Normal("measured", delay, error, observed=data)
        return model

    return model_of(measured), mlm.sample(model_of(measured + 10), seed=4, target_accept=0.95)


# %% [markdown] tags=["task:04.5"]
# ## 04.5 A Laplace distribution of your own (hard)
#
# The *Laplace* distribution has the density $f(z) = \tfrac12 e^{-|z|}$.
# The probability of a smaller value is $F(z) = \tfrac12 e^{z}$ below 0 and $F(z) = 1 - \tfrac12 e^{-z}$ above.
# The difference of two independent exponential variables of rate 1 follows it.
#
# Build it with `pm.CustomDist.dist`, which makes an unnamed variable from functions, as `pm.CustomDist` makes a named one.
# Its argument `logcdf` takes a function from a value to a graph, as `logp` does.
# Both logarithms must be right from -800 to 800; $F$ itself rounds to 0 at one end and to 1 at the other.


# %% tags=["solution:04.5"]
def laplace(n):
    """Variables that follow the Laplace distribution.

    n: int
    Returns an unnamed variable of shape (n,), made by pm.CustomDist.dist with draws, logp and logcdf.
    To try it, pm.logcdf(laplace(3), np.array([-800.0, 0.5, 40.0])).eval() is about [-800.69, -0.36, -2.1e-18],
    and stats.laplace is SciPy's version, which is right near 0.
    """
    ### BEGIN SOLUTION: return an unnamed variable, pm.CustomDist.dist(...) with draws, logp and logcdf

    def draws(size):
        return pm.Exponential.dist(1, size=size) - pm.Exponential.dist(1, size=size)

    def logp(value):
        return -pt.abs(value) - np.log(2)

    def logcdf(value):
        above_zero = pt.log1p(-0.5 * pt.exp(-pt.abs(value)))
        return pt.where(value < 0, value - np.log(2), above_zero)

    return pm.CustomDist.dist(dist=draws, logp=logp, logcdf=logcdf, shape=n)
    ### END SOLUTION


# %% tags=["check:04.5"]
mlm.check("04.5", laplace)


# %% tags=["mistake:04.5"]
# earns: far to the left
def laplace(n):
    def draws(size):
        return pm.Exponential.dist(1, size=size) - pm.Exponential.dist(1, size=size)

    def logp(value):
        return -pt.abs(value) - np.log(2)

    def logcdf(value):
        return pt.log(pt.where(value < 0, pt.exp(value) / 2, 1 - pt.exp(-value) / 2))

    return pm.CustomDist.dist(dist=draws, logp=logp, logcdf=logcdf, shape=n)


# %% tags=["mistake:04.5"]
# earns: never negative
def laplace(n):
    def draws(size):
        return pm.Exponential.dist(1, size=size)

    def logp(value):
        return -pt.abs(value) - np.log(2)

    def logcdf(value):
        return pt.where(value < 0, value - np.log(2), pt.log1p(-pt.exp(-pt.abs(value)) / 2))

    return pm.CustomDist.dist(dist=draws, logp=logp, logcdf=logcdf, shape=n)


# %% tags=["mistake:04.5"]
# earns: no logcdf
def laplace(n):
    def draws(size):
        return pm.Exponential.dist(1, size=size) - pm.Exponential.dist(1, size=size)

    def logp(value):
        return -pt.abs(value) - np.log(2)

    return pm.CustomDist.dist(dist=draws, logp=logp, shape=n)


# %% tags=["mistake:04.5"]
# earns: logp grows without end
def laplace(n):
    def draws(size):
        return pm.Exponential.dist(1, size=size) - pm.Exponential.dist(1, size=size)

    def logp(value):
        return -value - np.log(2)

    def logcdf(value):
        return pt.where(value < 0, value - np.log(2), pt.log1p(-pt.exp(-pt.abs(value)) / 2))

    return pm.CustomDist.dist(dist=draws, logp=logp, logcdf=logcdf, shape=n)


# %% tags=["mistake:04.5"]
# earns: far to the right
def laplace(n):
    def draws(size):
        return pm.Exponential.dist(1, size=size) - pm.Exponential.dist(1, size=size)

    def logp(value):
        return -pt.abs(value) - np.log(2)

    def logcdf(value):
        return pt.where(value < 0, value - np.log(2), pt.log(pt.where(value < 0, 0.5, 1 - pt.exp(-value) / 2)))

    return pm.CustomDist.dist(dist=draws, logp=logp, logcdf=logcdf, shape=n)


# %% tags=["mistake:04.5"]
# earns: not the shape of the log density
def laplace(n):
    def draws(size):
        return pm.Normal.dist(0, np.sqrt(2), size=size)

    def logp(value):
        return -pt.abs(value) - np.log(2)

    def logcdf(value):
        return pt.where(value < 0, value - np.log(2), pt.log1p(-pt.exp(-pt.abs(value)) / 2))

    return pm.CustomDist.dist(dist=draws, logp=logp, logcdf=logcdf, shape=n)


# %% tags=["mistake:04.5"]
# earns: not made by pm.CustomDist.dist
def laplace(n):
    return pm.Laplace.dist(0, 1, shape=n)
