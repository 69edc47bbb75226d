# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 04 A custom distribution
#
# Nine new drivers start on Monday at the depot by the harbor.
# Vera, who plans their rounds, has not seen one of them drive.
# She knows only this: how much drivers differ might be a matter of five seconds a parcel or of twelve minutes.
# She writes it down twice.
#
# - "Each driver's delay comes from a normal distribution, whose width I do not know."
# - "Each driver's delay is a standard normal number, times a width that I do not know."
#
# To Vera these are one sentence.
# To the sampler of [notebook 03](03_how_the_sampler_walks.ipynb) they are not: it gets the answer right for one of them, and fails on the other.
# Which one, would you say?
#
# To try the second sentence you need a standard normal, a distribution without parameters.
# You build it here yourself, with every part that PyMC may ask for.
# Hardly any distribution is simpler, and you know all answers, so you can test each part.
# [Notebook 09](09_integrating_out.ipynb) builds one that nobody has built for you.
#
# **You will learn**
#
# 1. to write a log density as a graph that PyMC can differentiate;
# 2. to say which numbers of a model the sampler moves;
# 3. to test draws, log density, distribution function and quantiles where you know the answer;
# 4. to write a model in its non-centered form, and to fit, check and read it;
# 5. to write a distribution as a `pm.CustomDist` and as a class.
#
# **You need** [01](01_simulating_sums.ipynb) for the idea of a [contribution](../book/glossary.md), [02](02_a_first_fit.ipynb) for prior and posterior, [03](03_how_the_sampler_walks.ipynb) for what a sampler does with a log density.
#
# **Time** 30 minutes to read, less than a minute to run.

# %%
import logging

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import pytensor.tensor as pt
import seaborn as sns
from scipy import stats

import mlm_tutorial as mlm

SEED = mlm.notebook_seed(2)
rng = np.random.default_rng(SEED)
FALSE_ALARM = 1e-5  # of every statistical check below
logging.getLogger("pymc").setLevel(logging.ERROR)  # PyMC announces each prediction otherwise
mlm.use_style()

# %% [markdown]
# ## What PyMC asks of a distribution
#
# You describe a model once, and PyMC does several things with the description.
# Each needs another part of the distribution.
#
# | part | what it gives | who asks for it |
# |---|---|---|
# | `dist` | an unnamed variable, from parameters and a shape | you, whenever you use the distribution |
# | random draws | numbers that follow the distribution | simulation: `pm.draw`, prior and posterior prediction |
# | `logp` | the logarithm of the density | the sampler, many thousand times, for its [gradient](../book/glossary.md) too |
# | `logcdf` | the logarithm of the probability of a smaller value | data that are cut off at a limit (*truncated*), or known only to lie beyond one (*censored*) |
# | `icdf` | the quantile: the value with a given probability below it | truncated draws, and you, to look at a prior |
# | `support_point` | one value of positive density | the sampler, for a place to start |
#
# Draws and `logp` are all that most models need.
# Densities of thousands of observations multiply to numbers too small for a computer; their logarithms add up.
#
# Write $\Phi$ for the probability of a smaller value.
# It has no simple formula.
# Numerical libraries have the *complementary error function* erfc and its inverse, erfcinv, and these are enough.
# For the standard normal,
#
# $$ \log f(z) = -\tfrac12 z^2 - \tfrac12 \log 2\pi, \qquad \log \Phi(z) = \log\big(\tfrac12 \operatorname{erfc}(-z/\sqrt2)\big), \qquad \Phi^{-1}(p) = -\sqrt2\, \operatorname{erfcinv}(2p) . $$
#
# ## The quick way: `pm.CustomDist`
#
# Write the parts as functions, and hand them over.
# They take and return variables of PyTensor, the library below PyMC (`pt` in the code of this notebook).
# Such a variable is not a number but a recipe, a **graph**.
# PyMC differentiates it and compiles it to fast code; `.eval()` follows the recipe and returns the number.


# %%
def draws(size):
    return pm.Normal.dist(0, 1, size=size)


def log_density(value):
    return -0.5 * value**2 - 0.5 * np.log(2 * np.pi)


with pm.Model() as quick:
    z = pm.CustomDist("z", dist=draws, logp=log_density, shape=3)

print("three draws      ", pm.draw(z, random_seed=SEED).round(2))
print("log density at 0 ", pm.logp(z, np.zeros(3)).eval().round(4))
print("support point    ", quick.initial_point()["z"])

# %% [markdown]
# That is enough to simulate and to sample.
# (You could leave out `logp` as well: PyMC would derive it from `draws`.
# With `random=` instead of `dist=` the draws may be any NumPy code, but PyTensor's default compiler cannot compile such code and warns that it falls back to slower Python.)
#
# What `CustomDist` does not take is a quantile function, and it has to be put together anew in every model.

# %% tags=["nbval-check-output"]
try:
    pm.icdf(z, np.full(3, 0.5))
except NotImplementedError:
    print("this CustomDist has no quantiles")
else:
    raise AssertionError("CustomDist has learned to give quantiles: rewrite this section")

# %% [markdown]
# ## The lasting way: a class
#
# A distribution in PyMC is a pair of classes.
# `StandardNormalRV` makes draws; `StandardNormal` holds everything that is a formula.
# These are the lines of the package's `mlm_tutorial/distributions.py`.

# %%
from pymc.distributions.continuous import Continuous
from pymc.distributions.distribution import SymbolicRandomVariable
from pymc.pytensorf import normalize_rng_param
from pytensor.tensor.random.utils import normalize_size_param


class StandardNormalRV(SymbolicRandomVariable):
    """Draws of the standard normal: a normal whose parameters are the constants 0 and 1."""

    name = "standard_normal"
    extended_signature = "[rng],[size]->[rng],()"
    _print_name = ("StandardNormal", "\\operatorname{StandardNormal}")

    @classmethod
    def rv_op(cls, *, rng=None, size=None):
        rng = normalize_rng_param(rng)
        size = normalize_size_param(size)
        next_rng, draws = pt.random.normal(0.0, 1.0, size=size, rng=rng, return_next_rng=True)
        return cls(inputs=[rng, size], outputs=[next_rng, draws])(rng, size)


class StandardNormal(Continuous):
    """Standard normal distribution, without parameters."""

    rv_type = StandardNormalRV
    rv_op = StandardNormalRV.rv_op

    @classmethod
    def dist(cls, **kwargs):
        return super().dist([], **kwargs)

    def support_point(rv, size):
        return pt.zeros_like(rv)

    def logp(value):
        return -0.5 * value**2 - 0.5 * np.log(2 * np.pi)

    def logcdf(value):
        return pt.where(
            value < -1,
            pt.log(pt.erfcx(-value / np.sqrt(2)) / 2) - 0.5 * value**2,
            pt.log1p(-pt.erfc(value / np.sqrt(2)) / 2),
        )

    def icdf(value):
        return pt.where((value >= 0) & (value <= 1), -np.sqrt(2) * pt.erfcinv(2 * value), np.nan)


# %% [markdown]
# Read it from the bottom up.
#
# - `logp`, `logcdf` and `icdf` take a value and return a graph. They have no `self`: PyMC collects them when the class is made, and calls them as plain functions. A distribution with parameters gets those after the value.
# - `support_point` is 0, where the density is highest, in the variable's shape.
# - `dist` hands over the list of parameters, which is empty.
# - `rv_type` ties the formulas to the draws. `Continuous` says that values are real numbers, so the sampler may go anywhere without a transformation.
# - `rv_op` writes the recipe of a draw: PyTensor's own normal with mean 0 and standard deviation 1. The two functions called `normalize_...` bring the random generator and the size into the form that PyTensor expects.
# - `extended_signature` reads: from a random generator and a size, make a new generator and a scalar. PyTensor passes generators along openly, so that one seed gives the same draws every time.
#
# Is this what the package uses?
# PyTensor can compare two graphs, and one seed must give the same draws.

# %% tags=["nbval-check-output"]
from pytensor.graph.basic import equal_computations

value = pt.vector("value")
for name in ["logp", "logcdf", "icdf"]:
    mine, packaged = getattr(StandardNormal, name)(value), getattr(mlm.StandardNormal, name)(value)
    assert equal_computations([mine], [packaged])
mine, packaged = StandardNormal.dist(shape=5), mlm.StandardNormal.dist(shape=5)
np.testing.assert_array_equal(pm.draw(mine, random_seed=SEED), pm.draw(packaged, random_seed=SEED))
print("same graphs, same draws")

# %% [markdown]
# ## Test every part
#
# SciPy has a standard normal, and so has PyMC.
# One compiled function gives all values at once, for the class above and for `pm.Normal(0, 1)`.

# %%
parts = {"logp": pm.logp, "logcdf": pm.logcdf, "icdf": pm.icdf}
ours, pymcs = StandardNormal.dist(), pm.Normal.dist(0, 1)
graphs = [part(rv, value) for rv in (ours, pymcs) for part in parts.values()]
compiled = pytensor.function([value], graphs)


def evaluate(points):
    """Values of the class and of pm.Normal(0, 1) at the points."""
    results = compiled(np.asarray(points, dtype=float))
    return dict(zip(parts, results[:3], strict=True)), dict(zip(parts, results[3:], strict=True))


points = np.array([-40, -8, -1, 0, 1, 8, 40.0])
mine, normal = evaluate(points)
np.testing.assert_allclose(mine["logp"], stats.norm.logpdf(points), rtol=1e-13)
np.testing.assert_allclose(mine["logp"], normal["logp"], rtol=1e-13)
np.testing.assert_allclose(mine["logcdf"], stats.norm.logcdf(points), rtol=1e-12)
# PyMC rounds the root of 2 to single precision.
np.testing.assert_allclose(mine["logcdf"], normal["logcdf"], rtol=1e-5)

probabilities = np.array([0, 1e-300, 1e-10, 0.025, 0.5, 0.975, 1])
mine, normal = evaluate(probabilities)
np.testing.assert_allclose(mine["icdf"], stats.norm.ppf(probabilities), rtol=1e-12, atol=1e-15)
np.testing.assert_allclose(mine["icdf"], normal["icdf"], rtol=1e-12, atol=1e-15)
assert np.isnan(evaluate([-0.1, 1.1])[0]["icdf"]).all()  # no quantile outside [0, 1]
quantiles = {"icdf": mine["icdf"], "SciPy": stats.norm.ppf(probabilities)}
pd.DataFrame(quantiles, index=pd.Index(probabilities, name="p"))

# %% [markdown]
# All agree, at -40 and at a probability of $10^{-300}$ too.
# Is such care needed?
#
# **Predict first.**
# The obvious formula for `logcdf` is `log(erfc(-z / sqrt(2)) / 2)`.
# Where does it break, if a computer's smallest positive number is about $10^{-308}$ and its numbers have 16 digits?

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Minus the log probability of a smaller value against z from -45 to 12, on a logarithmic axis. The class's curve lies on SciPy's over the whole range. The obvious formula's thick grey line stops near -38 on the left and near 8 on the right."}} tags=["hide-input"]
z_grid = np.linspace(-45, 12, 2_000)
accurate = evaluate(z_grid)[0]["logcdf"]
with np.errstate(divide="ignore"):
    obvious = np.log(stats.norm.cdf(z_grid))

fig, ax = plt.subplots()
ax.plot(z_grid, np.where(obvious < 0, -obvious, np.nan), color=mlm.COLORS["data"], lw=8, label="obvious formula")
ax.plot(z_grid, -accurate, color=mlm.COLORS["estimate"], label="logcdf of the class")
ax.plot(z_grid[::80], -stats.norm.logcdf(z_grid[::80]), ".", color=mlm.COLORS["truth"], label="SciPy")
ax.set(yscale="log", xlabel="$z$ (standard deviations)", ylabel=r"$-\log\,\Phi(z)$")
ax.legend(loc="lower left")
plt.show()
print(f"obvious formula: -infinity up to z = {z_grid[np.isinf(obvious)].max():.1f}")
print(f"                 exactly 0 from z = {z_grid[obvious == 0].min():.1f}")

# %% [markdown]
# On the left the probability rounds to 0, and its logarithm is minus infinity.
# There the grey line ends, and a sampler would have no slope to follow.
# On the right $\Phi$ rounds to 1 and its logarithm to 0, which a logarithmic axis cannot show.
# So the class has two branches, as PyMC's normal has.
# Below -1 it uses $\operatorname{erfcx}(x) = e^{x^2} \operatorname{erfc}(x)$, which does not become too small; the term `- 0.5 * value**2` puts the logarithm of the factor back.
# Above -1 it uses `log1p(x)`, which computes $\log(1 + x)$ without rounding $1 + x$ first.
#
# The random draws are left.
# The Kolmogorov-Smirnov test of [01](01_simulating_sums.ipynb) compares them with SciPy's distribution function.
# A passed test is worth what it would have noticed, so the cell prints that too.

# %%
sample = pm.draw(StandardNormal.dist(shape=10_000), random_seed=rng)
test = stats.kstest(sample, stats.norm.cdf)
print(f"largest difference {test.statistic:.4f}, p-value {test.pvalue:.2f}")
assert test.pvalue > FALSE_ALARM

allowed = np.sqrt(np.log(2 / FALSE_ALARM) / (2 * len(sample)))
print(f"the test accepts differences up to {allowed:.4f}")
grid = np.linspace(-3, 3, 601)
for spread in (1.05, 1.1, 1.2):
    difference = np.abs(stats.norm.cdf(grid / spread) - stats.norm.cdf(grid)).max()
    print(f"draws that spread {spread:.2f} times too far differ by {difference:.4f}")

# %% [markdown]
# A spread that is wrong by a fifth would be caught almost surely, and one that is wrong by a twentieth would pass.
# (A sample strays about 0.01 to either side of its own distribution.)
# Such a test finds coarse mistakes; the exact comparisons above find fine ones.
#
# ## A standard normal makes every normal
#
# A model without data is its prior, and `pm.sample_prior_predictive` draws from it.
# (With data in the model it also draws what the data may look like before anybody has seen any: the *prior predictive distribution*.)
#
# **Predict first.** `z` is a standard normal. What is the distribution of `-1 + 3 * z`?

# %%
with pm.Model() as contribution:
    z = StandardNormal("z")
    y = pm.Deterministic("y", -1 + 3 * z)  # a function of z, not a new unknown

prior = pm.sample_prior_predictive(10_000, model=contribution, random_seed=rng)["prior"]

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two histograms of prior draws with exact densities as black curves. The left one, z, is a standard normal around 0. The right one, minus 1 plus 3 z, is three times as wide and centered on minus 1. Curves follow the bars in both."}} tags=["hide-input"]
exact = {"z": stats.norm(0, 1), "y": stats.norm(-1, 3)}
titles = {"z": "$z$", "y": "$y = -1 + 3z$"}
fig, axes = plt.subplots(1, 2, figsize=(9, 3), sharex=True, sharey=True)
x = np.linspace(-12, 10, 400)
for ax, (name, distribution) in zip(axes, exact.items(), strict=True):
    numbers = prior[name].values.ravel()
    assert stats.kstest(numbers, distribution.cdf).pvalue > FALSE_ALARM
    bins = np.arange(-12, 10.1, 0.5)
    sns.histplot(x=numbers, stat="density", bins=bins, color=mlm.COLORS["data"], alpha=1, ax=ax)
    ax.plot(x, distribution.pdf(x), color=mlm.COLORS["truth"])
    ax.set(title=titles[name], xlabel={"z": "$z$ (no unit)", "y": "$y$ (minutes late)"}[name], ylabel="density")
plt.show()

# %% [markdown]
# Multiplying by 3 stretches, adding -1 moves: `y` is normal with mean -1 and standard deviation 3.
# So `mu + sigma * z` is a contribution of notebook 01, here that of a driver who is a minute early on average.
# It is built from a part that knows nothing of `mu` and `sigma`.
#
# ## Nothing to learn about it?
#
# `z` has no parameters, so there is nothing to learn about it, one might think.
# The notebook that this course grew out of thought so: the sampler would take `z` as given noise, not as an unknown.
# But the sampler sees only how many numbers it may move and the log density of each position.
# A **free variable** is an unknown that the sampler moves, with or without parameters in its prior.
# `model.initial_point()` lists what is moved, in the sampler's coordinates.
#
# Put it to a test.
# One `z` meets data and another meets none.
# A parcel is 5 minutes late: $1 + 2z$ from the driver, and noise with standard deviation 1.
# The data say that $z$ is $(5 - 1)/2 = 2$ with standard deviation $1/2$, and the prior says 0 with standard deviation 1.
# Two normal distributions of one unknown combine by their **precisions** (one over the variance), here 4 and 1.
# So the posterior mean is $(4 \cdot 2 + 1 \cdot 0)/5 = 1.6$, and the standard deviation $1/\sqrt 5$.

# %%
with pm.Model(coords={"which": ["meets data", "meets none"]}) as model:
    z = StandardNormal("z", dims="which")
    pm.Normal("late", 1 + 2 * z[0], 1, observed=5.0)

idata = mlm.sample(model, seed=SEED)
print("moved:", {name: start.shape for name, start in model.initial_point().items()})
mlm.check_convergence(idata)

# %%
z_draws = idata["posterior"]["z"]
table = pd.DataFrame(
    {
        "mean": z_draws.mean(["chain", "draw"]),
        "exact mean": [1.6, 0.0],
        "sd": z_draws.std(["chain", "draw"]),
        "exact sd": [1 / np.sqrt(5), 1.0],
        "MCSE of the mean": az.mcse(idata)["z"],
    },
    index=z_draws["which"].values,
)
off = (table["mean"] - table["exact mean"]) / table["MCSE of the mean"]
assert (np.abs(off) < stats.norm.isf(FALSE_ALARM / 4)).all()
table.round(3)

# %% [markdown]
# Both numbers were moved, and the one that meets data left its prior for the exact posterior.
# (MCSE is the Monte Carlo standard error of notebook 01, for draws that resemble their neighbors. The check in the cell would almost surely notice a mean that is wrong by seven of them, and miss one that is wrong by two.)
# So `z` counts, it moves, and data change it.
# What does Vera gain, then, by the second sentence?
#
# ## What it buys: the non-centered form
#
# Nine drivers, no data, and a width that nobody knows.
# A width is positive, so the model draws its logarithm: `log_sigma` is normal with mean 0 and standard deviation 1.5.
# Nine times in ten the width then lies between 5 seconds and 12 minutes.
#
# - **Centered**, the first sentence: `y ~ Normal(0, sigma)`. The sampler moves `log_sigma` and every `y`.
# - **Non-centered**, the second: `z ~ StandardNormal()`, `y = sigma * z`. The sampler moves `log_sigma` and every `z`; the `y` follow.
#
# The distribution of `sigma` and `y` is the same in both, as the section on stretching showed.
# Without data the posterior is the prior, so you know the truth: 5 % of the draws of `log_sigma` should lie below its 5 % quantile, -2.47, which is five seconds.
#
# **Predict first.** Which of the two will the sampler get right?

# %%
with pm.Model() as centered:
    log_sigma = pm.Normal("log_sigma", 0, 1.5)
    y = pm.Normal("y", 0, pm.math.exp(log_sigma), shape=9)

with pm.Model() as noncentered:
    log_sigma = pm.Normal("log_sigma", 0, 1.5)
    z = StandardNormal("z", shape=9)
    y = pm.Deterministic("y", pm.math.exp(log_sigma) * z)

runs = {
    "centered": mlm.sample(centered, seed=SEED),
    "non-centered": mlm.sample(noncentered, seed=SEED),
}
mlm.check_convergence(runs["non-centered"])

# %%
try:
    mlm.check_convergence(runs["centered"])
except mlm.ConvergenceError as error:
    print("centered:", str(error).replace("; ", ";\n"))
else:
    raise AssertionError("the centered funnel has converged: rewrite this section")

# %% [markdown]
# The non-centered run passed, and the centered run is refused.
# Look at each chain by itself, because a chain tells what a sum over chains hides.

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Five panels of log sigma against the delay of the first driver. Four show the chains of the centered run, whose clouds are not alike and cover the neck of the funnel below a dotted line badly or not at all; orange crosses mark divergent draws, if there are any. The fifth shows a chain of the non-centered run, which fills the funnel, neck included."}} tags=["hide-input"]
threshold = stats.norm.ppf(0.05, 0, 1.5)
panels = [("centered", chain) for chain in range(4)] + [("non-centered", 0)]
fig, axes = plt.subplots(1, 5, figsize=(13, 4), sharex=True, sharey=True)
for ax, (name, chain) in zip(axes, panels, strict=True):
    one = runs[name].isel(chain=chain)
    delay, height = one["posterior"]["y"][:, 0].values, one["posterior"]["log_sigma"].values
    diverging = one["sample_stats"]["diverging"].values
    color = mlm.COLORS["estimate"]
    ax.plot(delay, height, ".", color=color, markersize=3, alpha=0.5, label="draw")
    ax.plot(delay[diverging], height[diverging], "X", color=mlm.COLORS["alternative"], label="divergent")
    ax.axhline(threshold, color=mlm.COLORS["truth"], linestyle=":", label="5 seconds")
    ax.set(title=f"{name}\nchain {chain}", xlim=(-15, 15), xlabel="$y$ (minutes)")
axes[0].set_ylabel(r"$\log\,\sigma$ ($\sigma$ in minutes)")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
plt.show()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
rows = []
for name, run in runs.items():
    log_sigma, statistics = run["posterior"]["log_sigma"], run["sample_stats"]
    for chain in range(4):
        here = {"chain": chain}
        rows.append(
            {
                "form": name,
                "chain": chain,
                "divergent draws": int(statistics["diverging"].sel(here).sum()),
                "step size": float(statistics["step_size"].sel(here)[-1]),
                "sd of log_sigma": float(log_sigma.sel(here).std()),
                "share below 5 seconds": float((log_sigma.sel(here) < threshold).mean()),
            }
        )
below = (runs["non-centered"]["posterior"]["log_sigma"] < threshold).astype(float)
assert abs(float(below.mean()) - 0.05) < stats.norm.isf(FALSE_ALARM / 2) * float(az.mcse(below))
pd.DataFrame(rows).set_index(["form", "chain"]).round(4)

# %% [markdown]
# The four non-centered chains agree: `log_sigma` has a standard deviation near the 1.5 that it should have, and about one draw in twenty lies below five seconds.
# The four centered chains are walks through the same distribution, so each of their pictures should be like the fifth.
# Compare how deep each of them goes into the neck, and the last column of the table with 0.05.
#
# Read the table's centered rows with care.
# A chain may report few divergences or none, and yet hardly, or never, enter the part below the dotted line.
# With another seed a chain can also sit still: then its standard deviation is near 0, nearly every one of its draws is marked as divergent, and it owns most divergences of the run.
# Such crosses show where one chain is stuck, and nothing else.
# So the number of divergences does not measure how badly a run went, and its absence is no proof of health.
#
# What makes the difference?
# Where the width is five seconds, all nine centered `y` must lie within seconds of zero, and a step that suits minutes is far too long.
# That narrow part is the neck of the funnel from notebook 03.
# Every `z` has the same width, whatever `sigma` is, so one step size suits all places.
# This is what a standard normal buys: not that the sampler leaves it alone, but that its prior does not depend on anything else.
#
# So Vera's second sentence is the one to give to the sampler, on the day when she has no data.
# Do not conclude that it always is.
# Once each driver has delivered enough parcels to fix the driver's delay, the first sentence is the easier one.
# [05](05_centered.ipynb) and [06](06_noncentered.ipynb) take both apart, and 06 finds how many parcels are enough.
#
# ## For experts: never register a `logp` on PyMC's own normal
#
# (Skip this at first reading.)
# There is a shorter class: let `rv_op` be that of `pm.Normal`, and hand 0 and 1 to it in `dist`.
# It works, and inherits everything, as long as it defines no method of its own.
# If it defines `logp`, a trap closes.
# PyMC keeps one table from the type of a random variable to its log density, for the whole program.
# A class that shares its type with `pm.Normal` overwrites the entry of `pm.Normal`.

# %% tags=["nbval-check-output"]
from pymc.logprob.abstract import _logprob

normal_rv = type(pm.Normal.rv_op)
pymcs_own = _logprob.dispatch(normal_rv)


class Careless(Continuous):
    rv_op = pm.Normal.rv_op  # the same random variable as pm.Normal

    @classmethod
    def dist(cls, **kwargs):
        return super().dist([0.0, 1.0], **kwargs)

    def logp(value, mu, sigma):  # correct for 0 and 1 only
        return -0.5 * value**2 - 0.5 * np.log(2 * np.pi)


exact = stats.norm.logpdf(10, loc=10, scale=2)
damaged = float(pm.logp(pm.Normal.dist(10, 2), 10.0).eval())
_logprob.register(normal_rv)(pymcs_own)  # repair
repaired = float(pm.logp(pm.Normal.dist(10, 2), 10.0).eval())
print("log density of Normal(10, 2) at 10")
print(f"exact {exact:.3f}, after the careless class {damaged:.3f}, repaired {repaired:.3f}")
assert not np.isclose(damaged, exact)
assert np.isclose(repaired, exact)

# %% [markdown]
# Nobody had touched `pm.Normal`, no error was raised, and from then on every normal in the program, whatever its mean and spread, had the log density of the standard normal.
# Our class has a type of its own, `StandardNormalRV`, so its entry is its own too.
#
# ## Check yourself
#
# The quiz asks about ideas.
# The [exercises](exercises/04_exercises.ipynb) let you use them, from easy to hard, and tell you at once whether you are right.

# %%
mlm.quiz("04")

# %% [markdown]
# ## What to remember
#
# - Draws and `logp` make a distribution; `logcdf`, `icdf` and `support_point` make it complete. `dist` puts them together.
# - `pm.CustomDist` is quick. A class has quantiles and a name, and is written once.
# - Test each part where you know the answer, far out in the tails too.
# - A variable without parameters is a free variable: it counts, it moves, and data change it. `model.initial_point()` lists what is moved.
# - `mu + sigma * z` is the non-centered form. The prior of `z` depends on nothing, and that can make sampling possible.
# - Look at a run that failed chain by chain. One chain that is stuck can own all divergences.
#
# ## Going further
#
# - PyMC developers. *Implementing a Distribution*, PyMC documentation, [developer guide](https://www.pymc.io/projects/docs/en/stable/contributing/implementing_distribution.html). All parts, with PyMC's own test helpers.
# - Neal, R. M. (2003). Slice sampling. *The Annals of Statistics* 31(3), 705-767. [doi:10.1214/aos/1056562461](https://doi.org/10.1214/aos/1056562461). Section 8 has the funnel that the nine drivers are.
# - Papaspiliopoulos, O., Roberts, G. O. and Sköld, M. (2007). A general framework for the parametrization of hierarchical models. *Statistical Science* 22(1), 59-73. [doi:10.1214/088342307000000014](https://doi.org/10.1214/088342307000000014). Centered and non-centered, and when each wins.
# - Betancourt, M. and Girolami, M. (2015). Hamiltonian Monte Carlo for hierarchical models. In *Current Trends in Bayesian Methodology with Applications*. [arXiv:1312.0906](https://arxiv.org/abs/1312.0906). Why the funnel defeats the sampler.

# %%
print(mlm.version_line())
