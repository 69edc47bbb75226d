# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 03 Centered
#
# A total is a sum of contributions, and every contribution has a mean and a standard deviation.
# The plainest model of that says so word for word: each contribution is a normal variable around its mean.
# This is the *centered* form.
# It is easy to write and easy to get wrong.
# You meet two failures here.
# The first is a wrong model: it has three numbers where the data know one.
# The second is the right model, and still the sampler cannot walk through it.
#
# **You will learn**
#
# 1. to run a model from the prior to the trace plot;
# 2. to see which parameters the data never reach, by comparing prior and posterior;
# 3. to write a model with one contribution for every observation;
# 4. to make a layer's means sum to zero, and to know what each way of doing so assumes;
# 5. to recognize a funnel, and to find the divergences in it.
#
# **You need** [01](01_simulating_sums.ipynb) for the equation of the total, and [02](02_custom_distribution.ipynb) for how PyMC sees a distribution.
#
# **Time** 30 minutes to read, between one and two minutes to run.

# %%
import logging

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm
from scipy import stats

import mlm_tutorial as mlm

logging.getLogger("pymc").setLevel(logging.ERROR)  # PyMC's notes on what it draws
SEED = mlm.notebook_seed(345)
rng = np.random.default_rng(SEED)
mlm.use_style()

# %% [markdown]
# ## One offset for each contributor
#
# This course grew out of a notebook whose model looked like this.
# There is one layer of five contributors, and each contributor $c$ has one *offset* $y_c$ that is added to all of its totals:
#
# $$y_c \sim \text{Normal}(\mu_c, \sigma_c), \qquad x_i \sim \text{Normal}(\mu_0 + y_{c(i)}, \sigma_0).$$
#
# You simulate 10,000 totals whose truth you know.
# The baseline has mean 3 and standard deviation 5.
# The contributors have means -2 to 2 and standard deviation 1.

# %%
truth = mlm.LayeredSum.from_coefficients(
    [{0: (3, 5)}, {0: (-2, 1), 1: (-1, 1), 2: (0, 1), 3: (1, 1), 4: (2, 1)}],
    names=["contributor"],
)
many_rows = truth.simulate(10_000, rng=SEED)
groups = many_rows.groupby("contributor", observed=True)["total"].agg(["size", "mean", "std"])
groups.round(2)

# %% [markdown]
# Keep this table in mind.
# The five averages are near $3 + \mu_c$.
# The five standard deviations are near $\sqrt{5^2 + 1^2} \approx 5.1$, because variances add.
#
# ### The prior of the means
#
# The original gave $\mu_c$ an exponential prior, and no rate with it.
# What does PyMC make of that?

# %%
draws = pm.draw(pm.Exponential.dist(), draws=10_000, random_seed=rng)
print(f"exponential without a rate: mean {draws.mean():.2f}, smallest {draws.min():.5f}, largest {draws.max():.1f}")

# %% [markdown]
# The mean of one shows that this PyMC takes a rate of one, without a word.
# No rate repairs the choice, because an exponential variable is never negative.
# Two of the five true means are.
# Five means that are never negative can sum to zero only if all of them are zero.
#
# Three changes make the model run, and the rest stays as it was:
#
# - $\mu_c \sim \text{Normal}(0, 10)$, which can be negative;
# - a wide prior for the baseline, $\mu_0 \sim \text{Normal}(0, 10)$;
# - standard deviations with a Weibull prior of shape 2, also called Rayleigh, for which the variance is exponential. The course uses it throughout, because it is the variances that add up.
#
# (The original wrote the offset as $\mu_c + \sigma_c z_c$ with one standard normal $z_c$ for each contributor. That is the same model; [04](04_noncentered.ipynb) proves it.)

# %%
codes = many_rows["contributor"].cat.codes.to_numpy()

with pm.Model(coords={"contributor": groups.index}) as offset_model:
    mu_baseline = pm.Normal("mu_baseline", 0, 10)
    sigma_baseline = pm.Weibull("sigma_baseline", 2, 5)
    mu = pm.Normal("mu_contributor", 0, 10, dims="contributor")
    sigma = pm.Weibull("sigma_contributor", 2, 2, dims="contributor")
    y = pm.Normal("y_contributor", mu, sigma, dims="contributor")
    pm.Normal("total", mu_baseline + y[codes], sigma_baseline, observed=many_rows["total"])

# %% [markdown]
# ### From the prior to the summary
#
# Before you look at the data through a model, look at the model without the data.
# The *prior predictive distribution* is what the model thinks totals may look like before it has seen any.

# %% mystnb={"image": {"alt": "Cumulative curves of 40 simulated data sets from the prior, spread over tens of units to either side of zero, and one steeper curve of the 10,000 totals near the middle."}}
prior = pm.sample_prior_predictive(40, model=offset_model, random_seed=SEED)
quantiles = np.linspace(0.005, 0.995, 100)
simulated = np.quantile(prior["prior_predictive"]["total"].values[0], quantiles, axis=1)

fig, ax = plt.subplots()
ax.plot(simulated, quantiles, color=mlm.COLORS["prior"], alpha=0.5, linewidth=1)
ax.plot([], [], color=mlm.COLORS["prior"], label="data sets drawn from the prior")
ax.plot(np.quantile(many_rows["total"], quantiles), quantiles, color=mlm.COLORS["truth"], linewidth=3, label="the data")
ax.set_xlabel("total, in its units")
ax.set_ylabel("fraction of totals below")
ax.legend()
plt.show()

# %% [markdown]
# The prior allows for totals far to either side, and the data lie well inside what it allows.
# So you sample, with two seeds, because one run may be lucky or unlucky.

# %%
compiled = mlm.compile_model(offset_model)
offset_fits = [mlm.sample(compiled, seed=SEED + i) for i in range(2)]
for fit in offset_fits:
    divergences = int(fit["sample_stats"]["diverging"].sum())
    print(f"seed {fit.attrs['seed']}: {divergences} divergences")
    assert divergences > 0
az.summary(offset_fits[0])

# %% [markdown]
# The sampler complains: there are [divergences](../book/glossary.md).
# A divergence is a step at which the simulated path of the sampler leaves the path that it should follow, because the density bends faster than the step can.
# You will see in a moment where they are.
#
# Read the table's `sd` column and its interval now; `eti89_lb` and `eti89_ub` are the ends of the middle 89 % of the draws.
# (The columns to their right are about the sampler, and come further down.)
# Each average of the data is known to about a tenth of a unit, since some 2,000 totals went into it.
# Yet most rows of the table have standard deviations of several units.
# A *trace plot* shows the draws in the order in which the chains made them, beside their density.
# The black ticks at the foot of each panel mark divergences.

# %% mystnb={"image": {"alt": "Densities and traces of five parameters. The traces of the baseline's mean, of a contributor's mean and of its offset spread over twenty units or more; that of the baseline's standard deviation stays within a fifth of a unit of 5.1."}}
az.plot_trace_dist(
    offset_fits[0],
    var_names=["mu_baseline", "mu_contributor", "sigma_contributor", "y_contributor", "sigma_baseline"],
    coords={"contributor": [0]},
    compact=False,
    combined=True,
    figure_kwargs={"figsize": (10, 9)},
)
plt.show()

# %% [markdown]
# ## Three numbers where the data know one
#
# **Predict first.** Each contributor has a mean, a standard deviation and an offset.
# Which of the three have the 10,000 totals pinned down?
# How wide is the posterior of each beside its prior?

# %%
posterior = offset_fits[0]["posterior"].to_dataset()
first = posterior.sel(contributor=0)
average = first["mu_baseline"] + first["y_contributor"]
weibull = stats.weibull_min(2, scale=2)
panels = {
    "mean mu_0": (first["mu_contributor"], stats.norm(0, 10)),
    "standard deviation sigma_0": (first["sigma_contributor"], weibull),
    "offset y_0": (first["y_contributor"], stats.norm(0, np.sqrt(10**2 + 2**2))),
    "baseline + offset": (average, stats.norm(0, np.sqrt(2 * 10**2 + 2**2))),
}
known = pd.DataFrame(
    {
        "prior sd": {name: p.std() for name, (_, p) in panels.items()},
        "posterior sd": {name: float(d.std()) for name, (d, _) in panels.items()},
    }
)
known["posterior / prior"] = known["posterior sd"] / known["prior sd"]
known.round(3)

# %% mystnb={"image": {"alt": "Four panels, each with a prior curve and a posterior histogram. The standard deviation's histogram fills its prior, mean and offset fill a good part of theirs, and baseline plus offset is a spike at the average of the data."}} tags=["hide-input"]
fig, axes = plt.subplots(2, 2, figsize=(9, 6))
for ax, (name, (values, distribution)) in zip(axes.flat, panels.items(), strict=True):
    grid = np.linspace(*distribution.ppf([0.001, 0.999]), 300)
    ax.hist(
        values.values.ravel(),
        bins=40,
        density=True,
        color=mlm.COLORS["estimate"],
        edgecolor=mlm.COLORS["estimate"],
        label="posterior",
    )
    ax.plot(grid, distribution.pdf(grid), color=mlm.COLORS["prior"], linewidth=3, label="prior")
    ax.set_title(name)
    ax.set_xlabel("units of the total")
    ax.set_yticks([])
ax.plot(groups["mean"][0], 0, "^", color=mlm.COLORS["truth"], markersize=10, clip_on=False, label="average of the data")
ax.legend(loc="upper left")
plt.show()

# %% [markdown]
# The panels show contributor 0, so the index 0 in their titles is its label and not the baseline's.
# Only the sum in the last panel is pinned down, to about a hundredth of its prior.
# Mean and offset are narrower than their priors merely because they are parts of a known sum.
# The likelihood sees a contributor through one number, the sum $\mu_0 + y_c$, and through nothing else.
# How this sum is split, and which mean and spread the offset was drawn with, is left to the prior.
#
# The standard deviation is the clearest case.
# Someone who tells you *one* draw from a normal distribution with unknown mean has told you nothing about its spread.
# Here the mean is almost unknown: integrated over it, the prior of the offset is $\text{Normal}(0, \sqrt{10^2 + \sigma_c^2})$, which hardly changes with $\sigma_c$.
# So $\sigma_c$ has its prior for a posterior, with 10,000 rows as with 10.
# Mean and offset differ by a draw of this size, hence the data cannot tell them apart either.
#
# And where did the contributors' own spread go, which was 1 in the simulation?
# An offset is drawn once per contributor, so within a contributor this model has one source of variation, $\sigma_0$.
# The code checks all of this.

# %%
contraction = posterior["sigma_contributor"].std(["chain", "draw"]) / weibull.std()
shift = (posterior["sigma_contributor"].mean(["chain", "draw"]) - weibull.mean()) / weibull.std()
correlation = np.corrcoef(first["mu_contributor"].values.ravel(), first["y_contributor"].values.ravel())[0, 1]
print("standard deviation, posterior against prior, for each contributor")
print("  width as a fraction of the prior's:", contraction.values.round(2))
print("  shift in prior standard deviations:", shift.values.round(2))
print(f"correlation of mean and offset of contributor 0: {correlation:.2f}")
contributor_sd = posterior["sigma_contributor"]  # a chain that is stuck has large Monte Carlo errors
assert (np.abs(contraction - 1) < 0.1 + 4 * az.mcse(contributor_sd, method="sd") / weibull.std()).all()
assert (np.abs(shift) < 0.1 + 4 * az.mcse(contributor_sd) / weibull.std()).all()
assert correlation > 0.8
assert known.loc["baseline + offset", "posterior / prior"] < 0.02

n = groups["size"]
within = np.sqrt((groups["std"] ** 2 * (n - 1)).sum() / (n.sum() - len(n)))
estimate = float(posterior["sigma_baseline"].mean())
print(f"true standard deviation of the baseline:         {truth.baseline.sigma[0]:.2f}")
print(f"standard deviation of totals within contributors: {within:.2f}")
print(f"posterior mean of sigma_baseline:                 {estimate:.2f}")
assert abs(estimate - within) < 0.02

# %% [markdown]
# The baseline's standard deviation has taken the contributors' spread.
# It estimates the spread of a total, $\sqrt{\sigma_0^2 + \sigma_c^2}$, and not the spread of the baseline.
#
# ### Where the divergences are
#
# Since the data are silent about $\sigma_c$ and about $y_c - \mu_c$, the two follow their prior:
# given $\sigma_c$, the difference is a normal draw with that standard deviation.
# Where $\sigma_c$ is small, the difference must be small.
# Drawn with $\log\sigma_c$ upwards, this is Neal's *funnel* (Neal 2003).
# The sampler walks on $\log\sigma$, because PyMC gives it unconstrained variables.

# %% mystnb={"image": {"alt": "A cloud of draws in the shape of a funnel that narrows downwards, with its edges as dashed lines. Marked divergences gather in the lower, narrow part."}}
fit = offset_fits[0]
log_sigma = np.log(posterior["sigma_contributor"])
difference = posterior["y_contributor"] - posterior["mu_contributor"]
diverging = fit["sample_stats"]["diverging"].values
height = np.linspace(-4, 2, 200)

fig, ax = plt.subplots(figsize=(8, 5))
ax.plot(difference.values.ravel(), log_sigma.values.ravel(), ".", color=mlm.COLORS["data"], markersize=2, label="draws")
lowest = log_sigma.argmin("contributor")  # the contributor with the smallest sigma, draw by draw
ax.plot(
    difference.isel(contributor=lowest).values[diverging],
    log_sigma.isel(contributor=lowest).values[diverging],
    "x",
    color=mlm.COLORS["alternative"],
    label="divergent draws",
)
for side in (-2, 2):
    ax.plot(side * np.exp(height), height, "--", color=mlm.COLORS["truth"])
ax.set(
    xlim=(-8, 8), ylim=(-4, 2), xlabel="offset minus its mean, in units of the total", ylabel="log sigma of the offset"
)
ax.legend(loc="lower left")
plt.show()

lowest_of_divergent = log_sigma.min("contributor").values[diverging].mean()
lowest_of_all = log_sigma.min("contributor").mean().item()
print(f"smallest log sigma of a draw, on average: divergent {lowest_of_divergent:.2f}, all draws {lowest_of_all:.2f}")
for bound in (-1, -1.5, -2):
    visited = np.mean([(np.log(f["posterior"]["sigma_contributor"]) < bound).mean().item() for f in offset_fits])
    print(f"log sigma below {bound:4}: {visited:.2%} of the draws, {weibull.cdf(np.exp(bound)):.2%} of the prior")
assert lowest_of_divergent < lowest_of_all

# %% [markdown]
# Dashed lines are two standard deviations to either side, and each divergent draw is shown by its smallest $\sigma_c$.
# The divergences gather towards the neck, where a step that suits the wide part is far too long.
# The printed lines also compare how often the draws go down there with how often they should, by the prior.
# Where the two disagree, the sampler has missed the neck or stuck in it, and averages over the draws are biased.
# More data would not help: the funnel is the prior, and the data say nothing there.
# So this is a wrong model with a hard geometry.
# What is wrong is easily said: contributions are fresh for every observation, and the model draws one for all.
#
# ## Two ways to sum to zero
#
# Before you write the right model, one thing is missing.
# Add 7 to every mean of a layer and take 7 from the baseline's, and all totals stay as they were.
# So a layer's means must be tied down, and the course ties them by $\sum_k \mu_k = 0$.
#
# One way is to draw all but the last, and to let the last be minus their sum.
# The other is `pm.ZeroSumNormal`, which draws independent normals and, in effect, subtracts their average.
#
# **Predict first.** Four contributors: which of them has the widest prior under each?

# %% mystnb={"image": {"alt": "Two panels of violins for four contributors. On the left the last one is much wider than the other three; on the right all four are alike."}}
scale, m = 1.0, 4
free = pm.Normal.dist(0, scale, shape=m - 1)
last_is_minus_the_rest = pm.math.concatenate([free, -pm.math.sum(free, keepdims=True)])
zero_sum = pm.ZeroSumNormal.dist(sigma=scale, shape=m)
minus_draws, zero_sum_draws = pm.draw([last_is_minus_the_rest, zero_sum], draws=20_000, random_seed=rng)

fig, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True)
titles = ["the last is minus the rest", "pm.ZeroSumNormal"]
for ax, values, title in zip(axes, [minus_draws, zero_sum_draws], titles, strict=True):
    for part in ax.violinplot(values, showextrema=False)["bodies"]:
        part.set(facecolor=mlm.COLORS["prior"], alpha=1)
    ax.set_xticks(range(1, m + 1), [f"{k}\nsd {values[:, k - 1].std():.2f}" for k in range(1, m + 1)])
    ax.set(title=title, xlabel="contributor")
axes[0].set_ylabel("prior of the mean, in units of the total")
plt.show()

# The standard deviation of a variance of 20,000 draws is 1 % of it.
assert np.allclose(minus_draws.var(0), scale**2 * np.array([1, 1, 1, m - 1]), rtol=0.05)
assert np.allclose(zero_sum_draws.var(0), scale**2 * (1 - 1 / m), rtol=0.05)
assert np.allclose(minus_draws.sum(1), 0)
assert np.allclose(zero_sum_draws.sum(1), 0)

# %% [markdown]
# The last contributor has $m - 1$ times the variance of the others, only because it comes last.
# `ZeroSumNormal` treats all alike: each has variance $s^2 (1 - 1/m)$.
#
# Does it matter?
# Take four averages with a standard error of 1, and a normal prior for the four means.
# The prior's *covariance matrix* $\Sigma$ has the means' variances on its diagonal, and beside it how each two of them vary together.
# Then the posterior mean is known exactly, $\Sigma (\Sigma + I)^{-1}$ times the averages, with the identity matrix $I$ for their errors.
# (For a single mean with prior variance $s^2$ it is $s^2 / (s^2 + 1)$ times the average.)
# Now let each contributor in turn be the last.

# %% tags=["nbval-check-output"]
averages = np.array([3.0, 1.0, -1.0, -3.0])


def posterior_means(covariance):
    """Posterior means of four contributors whose averages have a standard error of 1."""
    return covariance @ np.linalg.solve(covariance + np.eye(m), averages)


table = {}
for last in range(m):
    basis = np.delete(np.eye(m), last, axis=1)  # the free contributors as they are ...
    basis[last] = -1  # ... and the last as minus their sum
    table[f"contributor {last + 1} is the last"] = posterior_means(scale**2 * basis @ basis.T)
table["ZeroSumNormal"] = posterior_means(scale**2 * (np.eye(m) - 1 / m))
pd.DataFrame(table, index=[f"mean of {k}" for k in range(1, m + 1)]).T.round(2)

# %% [markdown]
# The same data, four answers: the order of the labels has become an assumption.
# Labels are names, so an answer should not depend on their order.
# With many observations the prior fades and so does the difference, but a sound prior costs nothing.
# The course uses `ZeroSumNormal` from here on.
#
# ## One contribution for each observation
#
# Now the model that matches the simulation.
# You use 500 totals of the preset `cc_27`, with two layers of three and four contributors.
# Notebooks 04 and 05 use the same 500.
# Every observation has a contribution of its own from each layer,
#
# $$y_{j,i} \sim \text{Normal}(\mu_{j,k_j(i)},\ \sigma_{j,k_j(i)}), \qquad x_i \sim \text{Normal}\Big(\mu_0 + \sum_j y_{j,i},\ \sigma_0\Big).$$
#
# The baseline's contribution needs no variable: it is what is left of the total.
# Scales of the priors come from the data's spread, through `mlm.Priors.from_cells`.
# By default the package *pools*: it learns the scales of each layer from its contributors, as [09](09_partial_pooling.ipynb) explains.
# This notebook and those up to 08 ask for fixed scales, with `pooled=False`.
# It needs the count, mean and spread of the totals of each combination of contributors, a *cell*; [06](06_integrating_out.ipynb) is about them.

# %%
layers = ["layer_1", "layer_2"]
rows = mlm.PRESETS["cc_27"].simulate(500, rng=SEED)
priors = mlm.Priors.from_cells(mlm.cell_statistics(rows, layers=layers), pooled=False)

coords = {name: rows[name].cat.categories for name in layers} | {"observation": rows.index}
with pm.Model(coords=coords) as centered_model:
    mu_baseline = pm.Normal("mu_baseline", priors.baseline_mu, priors.baseline_mu_sd)
    sigma_baseline = pm.Weibull("sigma_baseline", 2, priors.sigma_scale)
    expected = mu_baseline
    for name in layers:
        k = rows[name].cat.codes.to_numpy()
        mu = pm.ZeroSumNormal(f"mu_{name}", sigma=priors.mu_sd, dims=name)
        sigma = pm.Weibull(f"sigma_{name}", 2, priors.sigma_scale, dims=name)
        y = pm.Normal(f"y_{name}", mu[k], sigma[k], dims="observation")
        expected = expected + y
    pm.Normal("total", expected, sigma_baseline, observed=rows["total"], dims="observation")

# %% [markdown]
# Later notebooks take these lines from the package.
# Two models with the same variables are the same model if their log densities agree everywhere, so compare them at random points.

# %%
packaged = mlm.observation_model(rows, layers=layers, parametrization="centered", priors=priors)
here, there = centered_model.compile_logp(), packaged.compile_logp()
start = centered_model.initial_point()
for _ in range(3):
    point = {name: value + 0.3 * rng.normal(size=np.shape(value)) for name, value in start.items()}
    print(f"written out {here(point):.6f}   from the package {there(point):.6f}")
    assert np.isclose(here(point), there(point), rtol=1e-10)
print(f"numbers to sample: {sum(np.size(value) for value in start.values()):,}")

# %% [markdown]
# ## A right model that does not sample
#
# **Predict first.** The model is right, and the prior is reasonable.
# Will four chains agree on the standard deviations?
#
# You need two numbers here; [05](05_diagnostics.ipynb) explains them at length.
# *R-hat* compares the spread between the chains with the spread within them, and should be below 1.01.
# *ESS*, the effective sample size, is how many independent draws the 4,000 correlated ones of four chains are worth, and should be above 400.
# It is given for the middle of a distribution (bulk) and for its ends (tail).
# `mlm.check_convergence` asks for both numbers, and for no divergences.
# It counts 1,016 parameters where 1,014 are sampled, since the last mean of each layer follows from the others.

# %%
compiled = mlm.compile_model(centered_model)
centered_fits = [mlm.sample(compiled, seed=SEED + i) for i in range(3)]


def health(fit):
    """Worst diagnostics among means and standard deviations."""
    table = az.summary(fit, var_names=["mu_", "sigma_"], filter_vars="like", kind="diagnostics", round_to="none")
    return {
        "max R-hat": table["r_hat"].max(),
        "min bulk ESS": table["ess_bulk"].min(),
        "divergences": int(fit["sample_stats"]["diverging"].sum()),
        "gradients": fit.attrs["gradients"],
    }


for fit in centered_fits:
    assert health(fit)["max R-hat"] > 1.01
    assert health(fit)["min bulk ESS"] < 400

try:
    mlm.check_convergence(centered_fits[0])
except mlm.ConvergenceError as error:
    print(str(error).replace("; ", ";\n"))

pd.DataFrame([health(fit) for fit in centered_fits], index=[f"seed {fit.attrs['seed']}" for fit in centered_fits])

# %% [markdown]
# All runs fail, and by a wide margin.
# Look at the divergences, too: a run may have few, or none at all.
# So the absence of divergences is no proof of health.
#
# ## The funnel, drawn
#
# What stops the sampler?
# Take contributor 0 of layer 1, with about a third of the rows.
# On the left is one of its contributions against $\log\sigma$, as in Neal's funnel.
# On the right is the *root mean square* of all its contributions' distances from their mean, again against $\log\sigma$.

# %% mystnb={"image": {"alt": "Left, one contribution minus its mean against log sigma: a funnel that narrows downwards inside dashed lines. Right, the spread of all contributions of this contributor against log sigma: a needle along the diagonal, one colour for each chain."}}
posterior = centered_fits[0]["posterior"].to_dataset()
mine = np.flatnonzero(rows["layer_1"] == 0)
mu, sigma = (posterior[f"{kind}_layer_1"].sel(layer_1=0) for kind in ("mu", "sigma"))
distances = posterior["y_layer_1"].isel(observation=mine) - mu
spread = np.sqrt((distances**2).mean("observation"))
height = np.linspace(np.log(sigma).min().item(), np.log(sigma).max().item(), 200)

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.5), sharey=True)
left.plot(
    distances.isel(observation=0).values.ravel(),
    np.log(sigma).values.ravel(),
    ".",
    color=mlm.COLORS["data"],
    markersize=3,
)
for side in (-2, 2):
    left.plot(side * np.exp(height), height, "--", color=mlm.COLORS["truth"])
left.set(xlabel="one contribution minus its mean,\nin units of the total", ylabel="log sigma_layer_1[0]")
for chain, color in zip(range(4), plt.get_cmap("viridis")(np.linspace(0, 0.9, 4)), strict=True):
    right.plot(
        np.log(spread).values[chain],
        np.log(sigma).values[chain],
        ".",
        color=color,
        markersize=3,
        label=f"chain {chain}",
    )
right.axline((0, 0), slope=1, linestyle="--", color=mlm.COLORS["truth"])
right.set(xlabel="log of the root mean square\nof all its contributions' distances")
right.legend(markerscale=4)
plt.show()

allowed = 1 / np.sqrt(2 * len(mine))
ratio = np.log(sigma / spread)
print(f"rows of this contributor: {len(mine)}")
print(f"1 / sqrt(2 n):                                {allowed:.3f}")
print(f"sd of log sigma beside what the rows allow:   {ratio.std().item():.3f}")
print(f"sd of log sigma in the draws, all chains:     {np.log(sigma).std().item():.3f}")
assert np.isclose(ratio.std().item(), allowed, rtol=0.35)
assert np.log(sigma).std().item() > 2 * allowed

# %% [markdown]
# On the left the dashed lines are two standard deviations, and most draws keep inside: this is the funnel again.
# On the right is why this funnel is so hard.
# Every row of the contributor makes such a funnel with the same $\sigma$, and together they leave almost no room.
# Given the $n$ contributions, $\log\sigma$ can only move by about $1/\sqrt{2n}$, because $n$ normal draws say how wide their distribution is.
# The posterior itself is many times wider.
#
# To change $\sigma$ by half, all of these contributions must move towards their mean or away from it, together.
# The sampler does that in tiny steps along the needle, and the trace shows it.

# %% mystnb={"image": {"alt": "Traces of log sigma, one panel for each of the four chains: slow wandering, with long stretches high or low, unlike noise."}}
fig, axes = plt.subplots(4, 1, figsize=(9, 6), sharex=True, sharey=True)
for chain, ax in enumerate(axes):
    ax.plot(np.log(sigma).values[chain], color=mlm.COLORS["estimate"], linewidth=1)
    ax.axhline(0, color=mlm.COLORS["truth"], linestyle="--", linewidth=1)
    ax.set_ylabel(f"chain {chain}")
axes[0].set_title("log sigma_layer_1[0]; dashed, the truth")
axes[-1].set_xlabel("draw")
plt.show()

# %% [markdown]
# A healthy trace looks like noise, and these look like walks.
# (Whether they walk around the truth is another matter; [07](07_what_the_data_cannot_say.ipynb) takes it up.)
# Smaller steps or longer runs do not widen a needle.
# But nothing forces you to walk in these coordinates.
# In [04](04_noncentered.ipynb) you write the same model in others.
#
# ## Check yourself
#
# The quiz asks about ideas.
# The [exercises](exercises/03_centered.ipynb) let you use them, from easy to hard, and tell you at once whether you are right.

# %%
mlm.quiz("03")

# %% [markdown]
# ## What to remember
#
# - One draw tells nothing about the spread of the distribution that it came from. A mean, a standard deviation and an offset for each contributor are three numbers for one.
# - Compare every posterior with its prior. Where they agree, the data have not spoken.
# - `pm.ZeroSumNormal` treats all contributors alike. "Last is minus the rest" gives the last one more room, and makes the answer depend on the order of labels.
# - In the centered form a contribution's scale is itself a parameter. That makes a funnel, and many contributions with one scale make a needle.
# - A right model can fail to sample. R-hat and ESS tell, even where there is no divergence.
#
# ## Going further
#
# - Neal (2003), *Slice sampling*, Annals of Statistics 31, where the funnel comes from. [doi:10.1214/aos/1056562461](https://doi.org/10.1214/aos/1056562461)
# - Betancourt and Girolami (2015), *Hamiltonian Monte Carlo for hierarchical models*. [arXiv:1312.0906](https://arxiv.org/abs/1312.0906)
# - Betancourt (2017), *A conceptual introduction to Hamiltonian Monte Carlo*. [arXiv:1701.02434](https://arxiv.org/abs/1701.02434)
# - Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), *Rank-normalization, folding, and localization: an improved R-hat for assessing convergence of MCMC*, Bayesian Analysis 16. [doi:10.1214/20-BA1221](https://doi.org/10.1214/20-BA1221)

# %%
print(mlm.version_line())
