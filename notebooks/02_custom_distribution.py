# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 02 A custom distribution
#
# PyMC comes with dozens of distributions, and one day you need one that it has not.
# In this course that day is [notebook 06](06_integrating_out.ipynb).
# So here you build the smallest distribution there is, a standard normal without any parameters, and every part that PyMC may ask for.
# Because you know all answers, you can test each part.
# At the end the small thing turns out useful: it is one half of the trick that makes the models of this course easier to sample.
#
# **You will learn**
#
# 1. to name what PyMC asks of a distribution, and who asks for it;
# 2. to write a log density as a graph that PyMC can differentiate;
# 3. to write a distribution as a `pm.CustomDist` and as a class;
# 4. to test draws, log density, distribution function and quantiles against SciPy and against PyMC's own;
# 5. to show by code that a variable without parameters is a free variable like any other;
# 6. to write a model in its non-centered form, and to see once what it buys.
#
# **You need** [01](01_simulating_sums.ipynb) for the idea of a [contribution](../book/glossary.md) and for checks with a false-alarm probability.
# What a prior and a posterior are is said below in a sentence each.
#
# **Time** about 30 minutes to read, less than a minute to run.

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
# | `logp` | the logarithm of the density | the sampler, many thousand times |
# | `logcdf` | the logarithm of the probability of a smaller value | truncated and censored data |
# | `icdf` | the quantile: the value with a given probability below it | truncated draws, and you, to look at a prior |
# | `support_point` | one value of positive density | the sampler, for a place to start |
#
# The sampler is the program that finds out what data say about the unknowns of a model.
# It walks from one set of values to the next, and the log density tells it where to go; the values that it visits are draws too.
# Draws and `logp` are all that most models need.
# Logarithms are used because densities of thousands of observations multiply to numbers too small for a computer; logarithms of them add up.
#
# Write $\Phi$ for the probability of a smaller value.
# It has no simple formula, but numerical libraries have the *complementary error function* erfc and its inverse, erfcinv, and these are enough.
# For the standard normal,
#
# $$ \log f(z) = -\tfrac12 z^2 - \tfrac12 \log 2\pi, \qquad \log \Phi(z) = \log\big(\tfrac12 \operatorname{erfc}(-z/\sqrt2)\big), \qquad \Phi^{-1}(p) = -\sqrt2\, \operatorname{erfcinv}(2p) . $$
#
# ## The quick way: `pm.CustomDist`
#
# Write the parts as functions, and hand them over.
# They take and return variables of PyTensor, the library below PyMC (`pt` in the code of this notebook).
# Such a variable is no number but a recipe, a **graph**; PyMC differentiates it and compiles it to fast code.
# `.eval()` follows the recipe and returns the number.


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
# Read it from below.
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
    assert equal_computations([getattr(StandardNormal, name)(value)], [getattr(mlm.StandardNormal, name)(value)])
np.testing.assert_array_equal(
    pm.draw(StandardNormal.dist(shape=5), random_seed=SEED), pm.draw(mlm.StandardNormal.dist(shape=5), random_seed=SEED)
)
print("same graphs, same draws")

# %% [markdown]
# ## Test every part
#
# SciPy has a standard normal, and so has PyMC.
# One compiled function gives all values at once, for the class above and for `pm.Normal(0, 1)`.

# %%
parts = {"logp": pm.logp, "logcdf": pm.logcdf, "icdf": pm.icdf}
ours, pymcs = StandardNormal.dist(), pm.Normal.dist(0, 1)
compiled = pytensor.function([value], [part(rv, value) for rv in (ours, pymcs) for part in parts.values()])


def evaluate(points):
    """Values of the class and of pm.Normal(0, 1) at the points."""
    results = compiled(np.asarray(points, dtype=float))
    return dict(zip(parts, results[:3], strict=True)), dict(zip(parts, results[3:], strict=True))


points = np.array([-40, -8, -1, 0, 1, 8, 40.0])
mine, normal = evaluate(points)
np.testing.assert_allclose(mine["logp"], stats.norm.logpdf(points), rtol=1e-13)
np.testing.assert_allclose(mine["logp"], normal["logp"], rtol=1e-13)
np.testing.assert_allclose(mine["logcdf"], stats.norm.logcdf(points), rtol=1e-12)
np.testing.assert_allclose(mine["logcdf"], normal["logcdf"], rtol=1e-5)  # PyMC rounds the root of 2 to single precision

probabilities = np.array([0, 1e-300, 1e-10, 0.025, 0.5, 0.975, 1])
mine, normal = evaluate(probabilities)
np.testing.assert_allclose(mine["icdf"], stats.norm.ppf(probabilities), rtol=1e-12, atol=1e-15)
np.testing.assert_allclose(mine["icdf"], normal["icdf"], rtol=1e-12, atol=1e-15)
assert np.isnan(evaluate([-0.1, 1.1])[0]["icdf"]).all()  # no quantile outside [0, 1]
pd.DataFrame({"icdf": mine["icdf"], "SciPy": stats.norm.ppf(probabilities)}, index=pd.Index(probabilities, name="p"))

# %% [markdown]
# All agree, at -40 and at a probability of $10^{-300}$ too.
# Is such care needed?
#
# **Predict first.**
# The obvious formula for `logcdf` is `log(erfc(-z / sqrt(2)) / 2)`.
# Where does it break, if a computer's smallest positive number is about $10^{-308}$ and its numbers have 16 digits?

# %% mystnb={"image": {"alt": "Minus the log probability of a smaller value against z from -45 to 12, on a logarithmic axis. The class's curve lies on SciPy's over the whole range. The obvious formula's thick grey line stops near -38 on the left and near 8 on the right."}}
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

# %%
sample = pm.draw(StandardNormal.dist(shape=10_000), random_seed=rng)
test = stats.kstest(sample, stats.norm.cdf)
print(f"largest difference {test.statistic:.4f}, p-value {test.pvalue:.2f}")
assert test.pvalue > FALSE_ALARM
assert pm.draw(StandardNormal.dist(shape=(4, 3))).shape == (4, 3)
assert (pm.draw(StandardNormal.dist(shape=2), draws=2, random_seed=rng) != 0).all()
with pm.Model() as start:
    StandardNormal("z", shape=(4, 3))
np.testing.assert_array_equal(start.initial_point()["z"], np.zeros((4, 3)))

# %% [markdown]
# ## A standard normal makes every normal
#
# A model has a **prior**: the distribution of its unknowns before any data.
# `pm.sample_prior_predictive` draws from it, and also draws the data that would follow, of which this model has none.
# Such draws are the first thing to look at in any model.
#
# **Predict first.** `z` is a standard normal. What is the distribution of `-1 + 3 * z`?

# %% mystnb={"image": {"alt": "Two histograms of prior draws with exact densities as black curves. The left one, z, is a standard normal around 0. The right one, minus 1 plus 3 z, is three times as wide and centred on minus 1. Curves follow the bars in both."}}
with pm.Model() as contribution:
    z = StandardNormal("z")
    y = pm.Deterministic("y", -1 + 3 * z)  # a function of z, not a new unknown

prior = pm.sample_prior_predictive(10_000, model=contribution, random_seed=rng)["prior"]
exact = {"z": stats.norm(0, 1), "y": stats.norm(-1, 3)}
fig, axes = plt.subplots(1, 2, figsize=(9, 3), sharex=True, sharey=True)
x = np.linspace(-12, 10, 400)
for ax, (name, distribution) in zip(axes, exact.items(), strict=True):
    numbers = prior[name].values.ravel()
    assert stats.kstest(numbers, distribution.cdf).pvalue > FALSE_ALARM
    sns.histplot(x=numbers, stat="density", bins=np.arange(-12, 10.1, 0.5), color=mlm.COLORS["data"], alpha=1, ax=ax)
    ax.plot(x, distribution.pdf(x), color=mlm.COLORS["truth"])
    ax.set(title={"z": "$z$", "y": "$y = -1 + 3z$"}[name], xlabel="value (units)", ylabel="density (per unit)")
plt.show()

# %% [markdown]
# Multiplying by 3 stretches, adding -1 moves: `y` is normal with mean -1 and standard deviation 3.
# So `mu + sigma * z` is a contribution of notebook 01, built from a part that knows nothing of `mu` and `sigma`.
#
# ## Does the sampler leave such a variable alone?
#
# `z` has no parameters, so there is nothing to learn about it, one might think.
# The notebook that this course grew out of thought so: the sampler would take `z` as given noise and not as an unknown.
# Look at what the sampler sees.
# It sees how many numbers it may move, and the log density of a position with its gradient (its slope).

# %% tags=["nbval-check-output"]
with pm.Model() as with_class:
    StandardNormal("z", shape=2)
with pm.Model() as with_normal:
    pm.Normal("z", 0, 1, shape=2)

for model in (with_class, with_normal):
    position = {"z": np.array([0.5, -2.0])}
    print(
        f"free variables {[rv.name for rv in model.free_RVs]}, log density {model.compile_logp()(position):.4f}, "
        f"gradient {model.compile_dlogp()(position)}"
    )

# %% [markdown]
# The same numbers in both models.
# A sampler cannot treat two models differently that are the same to it, and nobody believes that `pm.Normal(0, 1)` is left alone.
# A **free variable** is an unknown that the sampler moves, and `z` is one.
#
# Now sample.
# Data turn the prior into the **posterior**: the distribution of the unknowns given the data.
# Let one `z` meet data and another meet none: a total of 5 is observed, made of a contribution $1 + 2z$ and noise with standard deviation 1.
# This posterior can be had by hand.
# The data say that $z$ is $(5 - 1)/2 = 2$ with standard deviation $1/2$, and the prior says 0 with standard deviation 1.
# Two normal distributions of one unknown combine by their precisions (one over the variance), here 4 and 1.
# Precisions add up to 5, so the posterior has standard deviation $1/\sqrt 5 \approx 0.45$.
# Its mean is the average weighted by precision, $(4 \cdot 2 + 1 \cdot 0)/5 = 1.6$.

# %%
with pm.Model(coords={"which": ["meets data", "meets none"]}) as model:
    z = StandardNormal("z", dims="which")
    pm.Normal("total", 1 + 2 * z[0], 1, observed=5.0)

compiled_model = mlm.compile_model(model)  # nutpie turns the graph into machine code
idata = mlm.sample(compiled_model, seed=SEED)
print(f"dimensions that the sampler moves in: {compiled_model.nutpie_model.n_dim}")
mlm.check_convergence(idata)

# %% [markdown]
# nutpie, the sampler of this course, compiled our class and drew 4 chains of 1,000 draws.
# A **chain** is one walk through the space of the unknowns.
# `check_convergence` stops the notebook unless the chains agree; [notebook 05](05_diagnostics.ipynb) explains its numbers.
#
# **Predict first.** Two unknowns, one with data and one without. Which of them moves? Which of them ends where its prior was?

# %% mystnb={"image": {"alt": "Left: two traces of 200 draws each, both restless, one around 1.6 and one around 0. Right: histograms of both unknowns. The one that meets no data lies on the dashed prior, a wide bell around 0. The one that meets data is narrow, lies around 1.6, and follows the black exact posterior."}} tags=["hide-input"]
z_draws = idata["posterior"]["z"]
exact = {"meets data": stats.norm(4 * 2 / (4 + 1), 1 / np.sqrt(4 + 1)), "meets none": stats.norm(0, 1)}
colors = {"meets data": mlm.COLORS["estimate"], "meets none": mlm.COLORS["prior"]}

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), width_ratios=[3, 2], sharey=True)
for which, distribution in exact.items():
    one = z_draws.sel(which=which)
    left.plot(one.sel(chain=0)[:200], color=colors[which], lw=1)
    sns.histplot(y=one.values.ravel(), stat="density", bins=40, color=colors[which], label=which, ax=right)
    y = np.linspace(-4, 4, 300)
    line, label = ("-", "exact posterior") if which == "meets data" else ("--", "prior")
    right.plot(distribution.pdf(y), y, color=mlm.COLORS["truth"], linestyle=line, label=label)
left.set(xlabel="draw (of chain 0)", ylabel="$z$ (standard deviations)")
right.set(xlabel="density")
right.legend(loc="lower right")
plt.show()

# %% [markdown]
# Both move.
# The figure shows chain 0; the next cell counts the steps of all four.
# The one without data wanders through its prior (dashed), as an unknown should about which nothing was learned.
# The one with data has left its prior, and lies on the exact posterior (solid).
#
# How exactly?
# The mean of the draws has a Monte Carlo standard error, MCSE, as a simulated mean has in notebook 01, only that neighbouring draws resemble each other; ArviZ takes that into account.

# %%
limit = stats.norm.isf(FALSE_ALARM / 2)
mcse = az.mcse(idata)["z"]
for which, distribution in exact.items():
    one = z_draws.sel(which=which)
    moves = float((one.diff("draw") != 0).mean())
    off = float((one.mean() - distribution.mean()) / mcse.sel(which=which))
    print(
        f"{which}: moves in {moves:.0%} of the steps; posterior mean {float(one.mean()):+.3f}, "
        f"exact {distribution.mean():+.3f}, off by {off:+.1f} MCSE"
    )
    assert moves > 0.5
    assert abs(off) < limit
distance_from_prior = float(z_draws.sel(which="meets data").mean() / mcse.sel(which="meets data"))
print(f"the one that meets data is {distance_from_prior:.0f} MCSE from its prior mean of 0")
assert distance_from_prior > 20

# %% [markdown]
# So the belief is wrong in each of its parts: `z` counts as a dimension, it moves, and data change it.
# What does one gain, then, by writing a contribution as `mu + sigma * z`?
#
# ## What it buys: the non-centered form
#
# Suppose that `sigma` is unknown too, as it is in all that follows.
# Nine contributions with mean 0 share it.
# You can say this in two ways.
#
# - **Centered**: `y ~ Normal(0, sigma)`. The sampler moves `sigma` and every `y`.
# - **Non-centered**: `z ~ StandardNormal()`, `y = sigma * z`. The sampler moves `sigma` and every `z`; the `y` follow.
#
# The distribution of `sigma` and `y` is the same in both, as the section on stretching showed.
# Because `sigma` must be positive, the model draws its logarithm, which may be any number.
# There are no data here, so the posterior is the prior and we know the truth.
# `log_sigma` is normal with mean 0 and standard deviation 1.5, and 5 % of its draws should lie below its 5 % quantile, -2.47.
#
# **Predict first.** Will it make a difference to the sampler?

# %%
with pm.Model() as centered:
    log_sigma = pm.Normal("log_sigma", 0, 1.5)
    y = pm.Normal("y", 0, pm.math.exp(log_sigma), shape=9)

with pm.Model() as noncentered:
    log_sigma = pm.Normal("log_sigma", 0, 1.5)
    z = StandardNormal("z", shape=9)
    y = pm.Deterministic("y", pm.math.exp(log_sigma) * z)

threshold = stats.norm.ppf(0.05, 0, 1.5)
runs, rows = {}, []
for name, model in {"centered": centered, "non-centered": noncentered}.items():
    compiled_model = mlm.compile_model(model)
    for seed in [SEED, SEED + 1, SEED + 2]:
        run = runs[name, seed] = mlm.sample(compiled_model, seed=seed)
        try:
            mlm.check_convergence(run)
            converged = True
        except mlm.ConvergenceError:
            converged = False
        below = (run["posterior"]["log_sigma"] < threshold).astype(float)
        rows.append(
            {
                "form": name,
                "seed": seed,
                "converged": converged,
                "divergences": int(run["sample_stats"]["diverging"].sum()),
                "share below the 5 % quantile": float(below.mean()),
            }
        )
        # The lesson: one form fails with every seed, the other passes and is right within its Monte Carlo error.
        assert converged == (name == "non-centered")
        if converged:
            assert abs(rows[-1]["share below the 5 % quantile"] - 0.05) < limit * float(az.mcse(below))
pd.DataFrame(rows).round(3)

# %% mystnb={"image": {"alt": "Two scatter plots of log sigma against the first contribution y. Left, centered: the draws form the upper part of a funnel with a mouth at the top, and few or none reach the neck below a dotted line; orange crosses mark divergences, if there are any. Right, non-centered: the draws fill the whole funnel, neck included."}}
fig, axes = plt.subplots(1, 2, figsize=(10, 4), sharex=True, sharey=True)
for ax, name in zip(axes, ["centered", "non-centered"], strict=True):
    run = runs[name, SEED]
    diverging = run["sample_stats"]["diverging"].values.ravel()
    y_0, log_sigma = run["posterior"]["y"][..., 0].values.ravel(), run["posterior"]["log_sigma"].values.ravel()
    ax.plot(y_0, log_sigma, ".", color=mlm.COLORS["estimate"], markersize=3, alpha=0.5, label="draw")
    ax.plot(y_0[diverging], log_sigma[diverging], "X", color=mlm.COLORS["alternative"], label="divergence")
    ax.axhline(threshold, color=mlm.COLORS["truth"], linestyle=":", label="exact 5 % quantile")
    ax.set(title=name, xlim=(-20, 20), xlabel="first contribution $y$ (units)", ylabel=r"$\log\,\sigma$")
axes[1].legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# One distribution, two sets of coordinates, and only one of them gives runs that can be trusted.
# Both panels show `y` and `log_sigma`, so both should show the same *funnel*, with a wide mouth at the top and a narrow neck at the bottom.
# The last column of the table gives the share of each run's draws below the dotted line, which should be 0.05: a centered run can miss that part altogether.
# The non-centered draws fill the neck, although the sampler did not have to walk in it: it moved `z`, and `y` was computed from `z`.
# Where `sigma` is small, the centered `y` are confined to a narrow neck, and steps that suit the wide mouth are too long there.
# A **divergence** is a step that went astray in this way; the sampler reports it.
# Do not count on it: a run can miss the neck and report hardly any. Compare the last two columns of the table.
# The `z` have the same width whatever `sigma` is.
# This is what a standard normal buys: not that the sampler leaves it alone, but that its prior does not depend on anything else.
#
# Do not conclude that non-centered is always better.
# Here there were no data.
# Where many observations inform one and the same variable, such as a contributor's mean, the centered form wins.
# [03](03_centered.ipynb) and [04](04_noncentered.ipynb) take both apart.
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
print(f"log density of Normal(10, 2) at 10: exact {exact:.3f}, after the careless class {damaged:.3f}")
print(f"                                    repaired {repaired:.3f}")
assert not np.isclose(damaged, exact)
assert np.isclose(repaired, exact)

# %% [markdown]
# Nobody had touched `pm.Normal`, no error was raised, and every normal in every model of the program was wrong.
# Our class has a type of its own, `StandardNormalRV`, so its entry is its own too.
#
# ## Check yourself
#
# The quiz asks about ideas.
# The [exercises](exercises/02_custom_distribution.ipynb) let you use them, from easy to hard, and tell you at once whether you are right.

# %%
mlm.quiz("02")

# %% [markdown]
# ## What to remember
#
# - Draws and `logp` make a distribution; `logcdf`, `icdf` and `support_point` make it complete. `dist` puts them together.
# - `pm.CustomDist` is quick. A class has quantiles and a name, and is written once.
# - Test each part where you know the answer, far out in the tails too.
# - A variable without parameters is a free variable: it counts, it moves, and data change it.
# - `mu + sigma * z` is the non-centered form. The prior of `z` depends on nothing, and that can make sampling possible.
#
# ## Going further
#
# - PyMC developers. *Implementing a Distribution*, PyMC documentation, [developer guide](https://www.pymc.io/projects/docs/en/stable/contributing/implementing_distribution.html). All parts, with PyMC's own test helpers.
# - Neal, R. M. (2003). Slice sampling. *The Annals of Statistics* 31(3), 705-767. [doi:10.1214/aos/1056562461](https://doi.org/10.1214/aos/1056562461). Section 8 has the funnel with nine variables.
# - Papaspiliopoulos, O., Roberts, G. O. and Sköld, M. (2007). A general framework for the parametrization of hierarchical models. *Statistical Science* 22(1), 59-73. [doi:10.1214/088342307000000014](https://doi.org/10.1214/088342307000000014). Centered and non-centered, and when each wins.
# - Betancourt, M. and Girolami, M. (2015). Hamiltonian Monte Carlo for hierarchical models. In *Current Trends in Bayesian Methodology with Applications*. [arXiv:1312.0906](https://arxiv.org/abs/1312.0906). Why the funnel defeats the sampler.

# %%
print(mlm.version_line())
