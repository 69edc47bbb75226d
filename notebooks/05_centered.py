# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 05 Centered
#
# A parcel leaves the sorting center at Mill, Ann drives it, and it arrives 13 minutes late.
# The road had a part in that, Mill had one, and Ann had one.
# Nobody held a stopwatch at the hand-over.
# How many of the 13 minutes were Mill's?
#
# Write down an answer before you go on.
#
# The plainest model says word for word what happened.
# Every parcel has a share from its center and a share from its driver (01 called a share a *contribution*), and each share is a normal variable around its owner's mean.
# This is the *centered* form.
# For 500 parcels it has 1,000 such shares, and 14 more numbers beside them.
# You meet two failures here.
# The first is a wrong model: it has three numbers where the data know one.
# The second is the right model, and still the sampler cannot walk through it.
#
# **You will learn**
#
# 1. to see which parameters the data never reach, by comparing prior and posterior;
# 2. to make a layer's means sum to zero, and to say what each way of doing so assumes;
# 3. to recognize a funnel, and to find the divergences in it;
# 4. to fit a layer whose spreads are known, and to check and read its posterior;
# 5. to write a model with one contribution for every observation.
#
# **You need** [01](01_simulating_sums.ipynb) for the equation of the total, [03](03_how_the_sampler_walks.ipynb) for divergences and the funnel, and [04](04_custom_distribution.ipynb) for how PyMC sees a distribution.
#
# **Time** 30 minutes to read, between one and two minutes to run.

# %%
import logging

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import nutpie
import pandas as pd
import pymc as pm
from scipy import stats

import mlm_tutorial as mlm

logging.getLogger("pymc").setLevel(logging.ERROR)  # PyMC's notes on what it draws
SEED = mlm.notebook_seed(345)
rng = np.random.default_rng(SEED)
mlm.use_style()

# %% [markdown]
# ## Why sample what was integrated away?
#
# [01](01_simulating_sums.ipynb) needed no shares.
# A sum of independent normal variables is normal, so a total follows from means and variances alone: the shares are integrated out.
# Then why would you give each share to the sampler?
#
# Because in most models you cannot do otherwise.
# Shares that are skewed, or multiply, or are cut off at zero, have sums without a formula.
# People who fit such models sample every share, and have to know when that goes wrong.
# Here you can check: the same posterior can be had without the shares, and you will see the two runs side by side.
#
# ## One offset for each center
#
# This course grew out of a notebook whose model was simpler.
# It gave each contributor $c$ one *offset* $y_c$ that is added to all of its totals:
#
# $$y_c \sim \text{Normal}(\mu_c, \sigma_c), \qquad x_i \sim \text{Normal}(\mu_0 + y_{c(i)}, \sigma_0).$$
#
# Here is a truth to try it on: one courier, three sorting centers, no other drivers, all in minutes late.
# The road (weather, traffic, everything without a name) is the baseline, with a standard deviation of 5.
# Each center has a mean of its own and a standard deviation of 1.

# %%
truth = mlm.LayeredSum.from_coefficients(
    [{"road": (0, 5)}, {"Airport": (1, 1), "Harbor": (-1, 1), "Mill": (4, 1)}],
    names=["center"],
)
many_parcels = truth.simulate(2_000, rng=SEED)
groups = many_parcels.groupby("center", observed=True)["total"].agg(["size", "mean", "std"])
groups.round(2)

# %% [markdown]
# Keep this table in mind.
# The three averages are near the centers' means, 1, -1 and 4.
# The three standard deviations are near $\sqrt{5^2 + 1^2} \approx 5.1$, because variances add.
#
# The original gave $\mu_c$ an exponential prior, and no rate with it.
# PyMC takes a rate of one without a word, but no rate repairs the choice: an exponential variable is never negative, and Harbor's mean is.
# Three changes make the model run, and the rest stays as it was:
#
# - $\mu_c \sim \text{Normal}(0, 10)$, which can be negative;
# - a wide prior for the baseline, $\mu_0 \sim \text{Normal}(0, 10)$;
# - standard deviations with a Weibull prior of shape 2, also called Rayleigh, for which the variance is exponential. The course uses it from here on, because it is the variances that add up.

# %%
codes = many_parcels["center"].cat.codes.to_numpy()

with pm.Model(coords={"center": groups.index}) as offset_model:
    mu_baseline = pm.Normal("mu_baseline", 0, 10)
    sigma_baseline = pm.Weibull("sigma_baseline", 2, 5)
    mu = pm.Normal("mu_center", 0, 10, dims="center")
    sigma = pm.Weibull("sigma_center", 2, 2, dims="center")
    y = pm.Normal("y_center", mu, sigma, dims="center")
    late = many_parcels["total"]
    pm.Normal("late", mu_baseline + y[codes], sigma_baseline, observed=late)

compiled_offsets = mlm.compile_model(offset_model)
offset_fit = mlm.sample(compiled_offsets, seed=SEED)
divergences = int(offset_fit["sample_stats"]["diverging"].sum())
print(f"{divergences} of 4,000 draws are marked as divergent")
assert divergences > 0
az.summary(offset_fit, round_to=2)

# %% [markdown]
# The sampler complains: there are [divergences](../book/glossary.md).
# You will see in a moment where they are.
#
# Read the `sd` column now.
# Hundreds of parcels went into each center's average, which is known to about 12 seconds.
# Yet the means and offsets of the table are known to no better than some minutes.
#
# **Predict first.** Each center has a mean, a standard deviation and an offset.
# Which of the three have the 2,000 parcels pinned down?
# How wide is the posterior of each beside its prior?

# %%
posterior = offset_fit["posterior"].to_dataset()
first = posterior.sel(center="Airport")
known_sum = first["mu_baseline"] + first["y_center"]
weibull = stats.weibull_min(2, scale=2)
panels = {
    "mean": (first["mu_center"], stats.norm(0, 10)),
    "standard deviation": (first["sigma_center"], weibull),
    "offset": (first["y_center"], stats.norm(0, np.sqrt(10**2 + 2**2))),
    "baseline + offset": (known_sum, stats.norm(0, np.sqrt(2 * 10**2 + 2**2))),
}
known = pd.DataFrame(
    {
        "prior sd": {name: p.std() for name, (_, p) in panels.items()},
        "posterior sd": {name: float(d.std()) for name, (d, _) in panels.items()},
    }
)
known["posterior / prior"] = known["posterior sd"] / known["prior sd"]
known.round(3)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Four panels for the center Airport, each with a prior curve and a posterior histogram. The standard deviation's histogram fills its prior, mean and offset fill a good part of theirs, and baseline plus offset is a spike at the average of the data."}} tags=["hide-input"]
fig, axes = plt.subplots(2, 2, figsize=(9, 5.5))
for ax, (name, (values, distribution)) in zip(axes.flat, panels.items(), strict=True):
    grid = np.linspace(*distribution.ppf([0.001, 0.999]), 300)
    blue = mlm.COLORS["estimate"]
    ax.hist(values.values.ravel(), bins=40, density=True, color=blue, ec=blue, label="posterior")
    ax.plot(grid, distribution.pdf(grid), color=mlm.COLORS["prior"], linewidth=3, label="prior")
    ax.set_title(f"Airport's {name}" if name != "baseline + offset" else f"{name} of Airport")
    ax.set_xlabel("minutes")
    ax.set_yticks([])
average = groups["mean"]["Airport"]
ax.plot(average, 0, "^", color=mlm.COLORS["truth"], ms=10, clip_on=False, label="average of the data")
ax.legend(loc="upper left")
plt.show()

# %% [markdown]
# Only the sum in the last panel is pinned down, to about a hundredth of its prior.
# Mean and offset are narrower than their priors merely because they are parts of a known sum.
# The likelihood sees a center through one number, $\mu_0 + y_c$, and through nothing else.
# How this sum is split, and which mean and spread the offset was drawn with, is left to the prior.
#
# The standard deviation is the clearest case.
# Someone who tells you *one* draw from a normal distribution with unknown mean has told you next to nothing about its spread.
# So $\sigma_c$ has its prior for a posterior, with 2,000 parcels as with 10.
#
# And where did the centers' own spread go, which was 1 in the simulation?
# An offset is drawn once per center, so within a center this model has one source of variation, $\sigma_0$.
# The code checks all of this.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
center_sd = posterior["sigma_center"]
contraction = center_sd.std(["chain", "draw"]) / weibull.std()
shift = (center_sd.mean(["chain", "draw"]) - weibull.mean()) / weibull.std()
print("standard deviation, posterior against prior, for each center")
print("  width as a fraction of the prior's:", contraction.values.round(2))
print("  shift in prior standard deviations:", shift.values.round(2))
# The run is not healthy, so its Monte Carlo errors are a rough guide: half a prior width would be noticed.
assert (np.abs(contraction - 1) < 0.1 + 4 * az.mcse(center_sd, method="sd") / weibull.std()).all()
assert (np.abs(shift) < 0.1 + 4 * az.mcse(center_sd) / weibull.std()).all()
assert known.loc["baseline + offset", "posterior / prior"] < 0.02

n = groups["size"]
within = np.sqrt((groups["std"] ** 2 * (n - 1)).sum() / (n.sum() - len(n)))
estimate = float(posterior["sigma_baseline"].mean())
print(f"true standard deviation of the road:           {truth.baseline.sigma[0]:.2f}")
print(f"standard deviation of totals within centers:   {within:.2f}")
print(f"posterior mean of sigma_baseline:              {estimate:.2f}")
assert abs(estimate - within) < 0.05

# %% [markdown]
# The road's standard deviation has taken the centers' spread.
# It estimates the spread of a total, $\sqrt{\sigma_0^2 + \sigma_c^2}$, and not the spread of the road.
#
# ### Where the divergences are
#
# The data are silent about $\sigma_c$ and about $y_c - \mu_c$, so the two follow their prior.
# Given $\sigma_c$, the difference is a normal draw with that standard deviation: small where $\sigma_c$ is small.
# Drawn with $\log\sigma_c$ upwards this is the *funnel* of [notebook 03](03_how_the_sampler_walks.ipynb), in which the steps of the mouth are too long for the neck.
#
# The draw that is marked as divergent is the one that was kept, not the place where the path broke.
# nutpie can also store the last step of each path that it had to stop.
# This cell repeats the run, seed and all, and asks for it.

# %%
stored = nutpie.sample(
    compiled_offsets.nutpie_model,
    seed=SEED,
    chains=4,
    tune=1_000,  # this and the next two as mlm.sample has them for few unknowns
    adaptation="low_rank",
    target_accept=0.9,
    store_divergences=True,
    progress_bar=False,
)["sample_stats"]
diverging = stored["diverging"].values
stopped = stored["divergence_start"].values[diverging]
labels = stored["unconstrained_parameter"].values.tolist()


def where(name):
    """Values of mean, offset or log sigma of the three centers where a path was stopped."""
    return stopped[:, [labels.index(f"{name}_{k}") for k in range(3)]]


stop_heights = where("sigma_center_log__")
stop_differences = where("y_center") - where("mu_center")
print(f"{len(stopped)} paths were stopped, chain by chain: {diverging.sum(axis=1)}")
assert len(stopped) == divergences  # the same run as above

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "A cloud of draws in the shape of a funnel that narrows downwards, with its edges as dashed lines. Crosses mark where paths were stopped; most lie low, at the level of the neck, many of them to the left or right of the funnel."}} tags=["hide-input"]
log_sigma = np.log(posterior["sigma_center"])
difference = posterior["y_center"] - posterior["mu_center"]
edge = np.linspace(-6, 2, 200)
fig, ax = plt.subplots(figsize=(8, 5))
gray = mlm.COLORS["data"]
cloud = difference.values.ravel(), log_sigma.values.ravel()
ax.plot(*cloud, ".", color=gray, markersize=2, label="draws, all centers")
# Of its three centers each path is drawn at the one whose funnel it left by most.
left = np.abs(stop_differences / np.exp(stop_heights)).argmax(axis=1)
places = np.arange(len(stopped)), left
ax.plot(
    stop_differences[places],
    stop_heights[places],
    "x",
    color=mlm.COLORS["alternative"],
    label="a path before its last step",
)
for side in (-2, 2):
    ax.plot(side * np.exp(edge), edge, "--", color=mlm.COLORS["truth"])
ax.set(xlim=(-10, 10), ylim=(-6, 2))
ax.set(xlabel="offset minus its mean (minutes)", ylabel=r"$\log\,\sigma_c$ ($\sigma_c$ in minutes)")
ax.legend(loc="lower left")
plt.show()

typical, low = np.median(log_sigma), np.median(stop_heights[places])
print(f"median height: of all draws {typical:.2f}, of stopped paths {low:.2f}")
assert low < typical

# %% [markdown]
# Dashed lines are two standard deviations to either side.
# A path that slides into the neck meets walls that are closer together than its step is long.
# It is thrown out sideways, its energy explodes, and the sampler stops it.
# That is why crosses tend to lie lower than draws do, and many of them beside the funnel; each is drawn at the center whose funnel the path left.
# Where crosses lie far outside there is hardly a draw, so the draws alone cannot tell what was missed.
# More data would not help: the funnel is the prior, and the data say nothing there.
#
# So this is a wrong model with a hard geometry.
# What is wrong is easily said: shares are fresh for every parcel, and the model draws one for all.
#
# ## Two ways to sum to zero
#
# Before you write the right model, one thing is missing.
# Add 7 minutes to every mean of a layer and take 7 from the baseline's, and all totals stay as they were.
# So a layer's means must be tied down, and the course ties them by $\sum_k \mu_k = 0$.
#
# One way is to draw all but the last, and to let the last be minus their sum.
# The other is `pm.ZeroSumNormal`, which draws independent normals and, in effect, subtracts their average.
#
# **Predict first.** Four drivers, Ann, Ben, Cleo and Dov: which of them has the widest prior under each?

# %%
scale, m = 1.0, 4
free = pm.Normal.dist(0, scale, shape=m - 1)
last_is_minus_the_rest = pm.math.concatenate([free, -pm.math.sum(free, keepdims=True)])
zero_sum = pm.ZeroSumNormal.dist(sigma=scale, shape=m)
both = pm.draw([last_is_minus_the_rest, zero_sum], draws=20_000, random_seed=rng)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two panels of violins for four drivers. On the left the last one is much wider than the other three; on the right all four are alike."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True)
titles = ["the last is minus the rest", "pm.ZeroSumNormal"]
drivers = ["Ann", "Ben", "Cleo", "Dov"]
for ax, values, title in zip(axes, both, titles, strict=True):
    for part in ax.violinplot(values, showextrema=False)["bodies"]:
        part.set(facecolor=mlm.COLORS["prior"], alpha=1)
    sds = values.std(0)
    ax.set_xticks(range(1, m + 1), [f"{who}\nsd {sd:.2f}" for who, sd in zip(drivers, sds, strict=True)])
    ax.set(title=title, xlabel="driver")
axes[0].set_ylabel("prior of the mean (minutes)")
plt.show()

# The standard deviation of a variance of 20,000 draws is 1 % of it, so 5 % off would be noticed.
assert np.allclose(both[0].var(0), scale**2 * np.array([1, 1, 1, m - 1]), rtol=0.05)
assert np.allclose(both[1].var(0), scale**2 * (1 - 1 / m), rtol=0.05)
assert np.allclose(both[0].sum(1), 0)
assert np.allclose(both[1].sum(1), 0)

# %% [markdown]
# The last driver has $m - 1$ times the variance of the others, only because Dov comes last in the alphabet.
# `ZeroSumNormal` treats all alike: each has variance $s^2 (1 - 1/m)$.
#
# Does it matter?
# Take four averages with a standard error of 1, and a normal prior for the four means.
# The prior's *covariance matrix* $\Sigma$ has the means' variances on its diagonal, and beside it how each two of them vary together.
# Then the posterior mean is known exactly, $\Sigma (\Sigma + I)^{-1}$ times the averages, with the identity matrix $I$ for their errors.
# (For a single mean with prior variance $s^2$ it is $s^2 / (s^2 + 1)$ times the average.)
# Now let each driver in turn be the last.

# %% tags=["nbval-check-output"]
averages = np.array([3.0, 1.0, -1.0, -3.0])


def posterior_means(covariance):
    """Posterior means of four drivers whose averages have a standard error of 1."""
    return covariance @ np.linalg.solve(covariance + np.eye(m), averages)


table = {}
for last, who in enumerate(["Ann", "Ben", "Cleo", "Dov"]):
    basis = np.delete(np.eye(m), last, axis=1)  # the free drivers as they are ...
    basis[last] = -1  # ... and the last as minus their sum
    table[f"{who} is the last"] = posterior_means(scale**2 * basis @ basis.T)
table["ZeroSumNormal"] = posterior_means(scale**2 * (np.eye(m) - 1 / m))
pd.DataFrame(table, index=["Ann", "Ben", "Cleo", "Dov"]).T.round(2)

# %% [markdown]
# The same data, four answers: the order of the labels has become an assumption.
# Labels are names, so an answer should not depend on their order.
# With many observations the prior fades and so does the difference, but a sound prior costs nothing.
# The course uses `ZeroSumNormal` from here on.
#
# ## One contribution for each observation
#
# Now the model that matches what happened.
# Three centers and four drivers, 500 parcels; notebooks 06 and 07 use the same 500.
# Every parcel has a contribution of its own from each layer,
#
# $$y_{j,i} \sim \text{Normal}(\mu_{j,k_j(i)},\ \sigma_{j,k_j(i)}), \qquad x_i \sim \text{Normal}\Big(\mu_0 + \sum_j y_{j,i},\ \sigma_0\Big).$$
#
# The road's contribution needs no variable: it is what is left of the total.

# %%
parcels = mlm.LayeredSum.from_coefficients(
    [
        {"road": (0, 5)},
        {"Airport": (1, 1), "Harbor": (-1, 1), "Mill": (4, 1)},
        {"Ann": (3, 1), "Ben": (-1, 1), "Cleo": (-1, 1), "Dov": (-1, 1)},
    ],
    names=["center", "driver"],
)
layers = ["center", "driver"]
rows = parcels.simulate(500, rng=SEED)
cells = mlm.cell_statistics(rows, layers=layers)
priors = mlm.Priors.from_cells(cells, pooled=False)

print(f"totals spread {rows['total'].std():.2f} minutes")
print(f"mu_baseline ~ Normal({priors.baseline_mu:.2f}, {priors.baseline_mu_sd:.1f})")
print(f"means of a layer ~ ZeroSumNormal({priors.mu_sd:.1f})")
print(f"every standard deviation ~ Weibull(2, {priors.sigma_scale:.2f})")
weibull = stats.weibull_min(2, scale=priors.sigma_scale)
for true in (5, 1):
    print(f"share of that prior below a true {true}: {weibull.cdf(true):.0%}")

# %% [markdown]
# The scales of the priors come from the data's spread, through `mlm.Priors.from_cells`, which wants the count, mean and spread of each combination, a [cell](../book/glossary.md).
# Scales of means are generous.
# The scale of the standard deviations is not, and it says something that you should know.
#
# **The equal split.** Two parcels with the same center and the same driver still differ, and the variance of their totals is what the road, the center and the driver share.
# The prior hands the same part of it to each of the three: a third, in the mean.
# The truth is far from equal, 25 for the road and 1 for each layer.
# So the prior's mean is a wrong split, and the last two lines show it: the road's true 5 lies far up in the prior of its standard deviation, and the layers' true 1 far down.
# How much that matters, and that more data do not cure it, is the subject of [10](10_what_the_data_cannot_say.ipynb).
# The sampler's trouble is another matter: two runs below have this prior, and one of them is healthy.
#
# By default the package also *pools*: it learns the scales of each layer from its contributors, as [02](02_a_first_fit.ipynb) did for means.
# This notebook and those up to 12 ask for fixed scales, with `pooled=False`.

# %%
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

moved = centered_model.initial_point()
print(f"numbers to sample: {sum(np.size(value) for value in moved.values()):,}")

# %% [markdown]
# Later notebooks take these lines from the package, as `mlm.observation_model(..., parametrization="centered")`.
# Two models with the same variables are the same model if their log densities agree everywhere, so compare them at random points.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
packaged = mlm.observation_model(rows, layers=layers, parametrization="centered", priors=priors)
here, there = (model.compile_logp(mode="FAST_COMPILE") for model in (centered_model, packaged))
for _ in range(3):
    point = {name: value + 0.3 * rng.normal(size=np.shape(value)) for name, value in moved.items()}
    print(f"written out {here(point):.6f}   from the package {there(point):.6f}")
    assert np.isclose(here(point), there(point), rtol=1e-10)

# %% [markdown]
# ## A right model that does not sample
#
# Beside it runs the same model with the shares integrated out.
# Its priors for means and standard deviations are the same lines, so its posterior for them is the same too.
# It has 14 unknowns instead of 1,014; [09](09_integrating_out.ipynb) writes it out.
#
# **Predict first.** The model is right, and the prior is reasonable.
# Will the four chains of the centered run agree on the standard deviations?

# %%
compiled_centered = mlm.compile_model(centered_model)
centered_fit = mlm.sample(compiled_centered, seed=SEED)
integrated_fit = mlm.sample(mlm.cell_model(cells, priors), seed=SEED)
mlm.check_convergence(integrated_fit)

# %%
try:
    mlm.check_convergence(centered_fit)
except mlm.ConvergenceError as error:
    print(str(error).replace("; ", ";\n"))
else:
    raise AssertionError("the centered run has converged: rewrite this section")

# %% [markdown]
# The integrated run passes, and the centered run is refused by a wide margin.
# Its R-hat and its effective draws (ESS, for the middle of a distribution and for its ends) miss the limits that [02](02_a_first_fit.ipynb) named; [07](07_diagnostics.ipynb) takes them apart.
# (The check counts 1,016 parameters where 1,014 are sampled, since the last mean of each layer follows from the others.)
#
# Look at the sick run beside the healthy one: the same parameter, the same posterior, one color a chain.

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Traces of the logarithm of Mill's standard deviation, one color for each of four chains. Left, the centered run: chains wander slowly, with long stretches high or low, and do not cover each other. Right, the integrated run: all four chains fill the same band like noise. A dashed line marks the truth."}} tags=["hide-input"]
chain_colors = plt.get_cmap("viridis")(np.linspace(0, 0.9, 4))
fig, axes = plt.subplots(1, 2, figsize=(10, 4), sharex=True, sharey=True)
fits = {"centered: 1,014 unknowns": centered_fit, "integrated: 14 unknowns": integrated_fit}
for ax, (title, fit) in zip(axes, fits.items(), strict=True):
    log_sigma = np.log(fit["posterior"]["sigma_center"].sel(center="Mill"))
    for chain, color in enumerate(chain_colors):
        ax.plot(log_sigma.values[chain], color=color, linewidth=0.8, label=f"chain {chain}")
    ax.axhline(0, color=mlm.COLORS["truth"], linestyle="--", linewidth=1, label="truth")
    ax.set(title=title, xlabel="draw")
axes[0].set_ylabel("log sigma of Mill (sigma in minutes)")
axes[0].set_ylim(-4, 2.2)
axes[1].legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

divergent = centered_fit["sample_stats"]["diverging"].sum("draw").values
print(f"divergent draws of the centered run, chain by chain: {divergent}")

# %% [markdown]
# The right panel is what one posterior looks like when it is sampled well: four chains like noise, and each like the others.
# On the left are four slow walks through the same distribution.
# Read the divergences chain by chain too.
# A chain may report none and be lost all the same; and a chain that is stuck can report one at nearly every draw.
#
# ## The funnel, drawn
#
# What stops the sampler?
# Take Mill, with about a third of the parcels.
# On the left is its share in one parcel against $\log\sigma$, a funnel.
# On the right is the *root mean square* of all its shares' distances from their mean, again against $\log\sigma$.

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Left, one of Mill's shares minus its mean against log sigma: a funnel that narrows downwards inside dashed lines. Right, the spread of all of Mill's shares against log sigma: a needle along the diagonal, one color for each chain."}} tags=["hide-input"]
posterior = centered_fit["posterior"].to_dataset()
mills = np.flatnonzero(rows["center"] == "Mill")
mu, sigma = (posterior[f"{kind}_center"].sel(center="Mill") for kind in ("mu", "sigma"))
distances = posterior["y_center"].isel(observation=mills) - mu
spread = np.sqrt((distances**2).mean("observation"))
log_sigma, log_spread = np.log(sigma).values, np.log(spread).values
edge = np.linspace(log_sigma.min(), log_sigma.max(), 200)

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.5), sharey=True)
one = distances.isel(observation=0).values
left.plot(one.ravel(), log_sigma.ravel(), ".", color=mlm.COLORS["data"], markersize=3)
for side in (-2, 2):
    left.plot(side * np.exp(edge), edge, "--", color=mlm.COLORS["truth"])
left.set(xlabel="one share minus its mean (minutes)", ylabel="log sigma of Mill")
for chain, color in enumerate(chain_colors):
    places = log_spread[chain], log_sigma[chain]
    right.plot(*places, ".", color=color, markersize=3, label=f"chain {chain}")
right.axline((0, 0), slope=1, linestyle="--", color=mlm.COLORS["truth"])
right.set(xlabel="log of the root mean square\nof all its shares' distances")
right.legend(markerscale=4)
plt.show()

allowed = 1 / np.sqrt(2 * len(mills))
healthy = np.log(integrated_fit["posterior"]["sigma_center"].sel(center="Mill"))
print(f"parcels from Mill: {len(mills)}")
print(f"room for log sigma, given the shares: 1 / sqrt(2 n) = {allowed:.3f}")
print(f"sd of log sigma in the posterior (integrated run):    {float(healthy.std()):.3f}")
assert float(healthy.std()) > 2 * allowed

# %% [markdown]
# On the left the dashed lines are two standard deviations: a funnel again.
# On the right is why this one is so hard.
# Every parcel of Mill makes such a funnel with the same $\sigma$, and together they leave almost no room.
# Given the $n$ shares, $\log\sigma$ can only move by about $1/\sqrt{2n}$, because $n$ normal draws say how wide their distribution is.
# The posterior, known from the healthy run, is several times wider.
#
# To change $\sigma$ by half, all of these shares must move towards their mean or away from it, together.
# The sampler does that in tiny steps along the needle.
#
# ## Longer warm-up and smaller steps
#
# Now you may think of what [notebook 03](03_how_the_sampler_walks.ipynb) did for a narrow place: smaller steps.
# And of patience: more warm-up, so that the sampler learns the scales better.
#
# **Predict first.** Four times the warm-up (2,000 instead of 500), and a target acceptance of 0.95 instead of 0.9, which makes steps smaller.
# (Each chain keeps 500 draws, to spare you a minute.)
# Will the run pass?

# %%
patient_fit = mlm.sample(compiled_centered, seed=SEED, tune=2_000, draws=500, target_accept=0.95)
try:
    mlm.check_convergence(patient_fit)
except mlm.ConvergenceError as error:
    print(str(error).replace("; ", ";\n"))
else:
    raise AssertionError("the patient run has converged: rewrite this section")

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Traces of the logarithm of Mill's standard deviation in the patient run, one color for each of four chains. The chains wander slowly or stand still, and do not cover each other."}} tags=["hide-input"]
log_sigma = np.log(patient_fit["posterior"]["sigma_center"].sel(center="Mill")).values
fig, ax = plt.subplots(figsize=(8, 3.5))
for chain, color in enumerate(chain_colors):
    ax.plot(log_sigma[chain], color=color, linewidth=0.8, label=f"chain {chain}")
ax.axhline(0, color=mlm.COLORS["truth"], linestyle="--", linewidth=1, label="truth")
ax.set(xlabel="draw", ylabel="log sigma of Mill", title="warm-up of 2,000, target 0.95", ylim=(-4, 2.2))
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

divergent = patient_fit["sample_stats"]["diverging"].sum("draw").values
print(f"divergent draws, chain by chain: {divergent}")
print(f"gradients: {patient_fit.attrs['gradients']:,}; in the integrated run {integrated_fit.attrs['gradients']:,}")

# %% [markdown]
# R-hat refuses it as well, after several times the gradients that the healthy run needed for all of its draws.
# (Whether it is worse or better than the first centered run, nobody can say: both failed, and this one kept half as many draws.)
# Smaller steps cure a step that is too long for the neck.
# They do nothing about the length of the way: the needle is as long as the posterior is wide, and with smaller steps it takes more of them.
# Warm-up learns one scale for each unknown, and along a needle that runs across more than a hundred unknowns at once, no such scales help.
#
# ## How many of the 13 minutes?
#
# From the centered run you can say nothing.
# It holds a number for Mill's share in every parcel, and not one of them can be trusted.
# The healthy run knows means and spreads, and these are enough: given the total, a share is normal again.
# [12](12_decomposing_a_total.ipynb) derives the two lines in the middle of the next cell.

# %%
draws = integrated_fit["posterior"].to_dataset().sel(center="Mill", driver="Ann")
v_mill = draws["sigma_center"] ** 2
v_total = draws["sigma_baseline"] ** 2 + v_mill + draws["sigma_driver"] ** 2
expected = draws["mu_baseline"] + draws["mu_center"] + draws["mu_driver"]

mean = draws["mu_center"] + v_mill / v_total * (13 - expected)
sd = np.sqrt(v_mill * (1 - v_mill / v_total))

share = rng.normal(mean, sd)
lower, upper = np.quantile(share, [0.055, 0.945])
print(f"expected lateness of a parcel from Mill with Ann: {float(expected.mean()):.1f} minutes")
print(f"of 13 minutes, Mill's share beyond an average center's: {share.mean():.1f}")
print(f"89 % interval: {lower:.1f} to {upper:.1f} minutes")

exact = parcels.centered()  # the truth, with means that sum to zero
mu_true = [exact.baseline.mu[0], exact["center"].mu[2], exact["driver"].mu[0]]  # road, Mill, Ann
best = stats.norm(mu_true[1] + 1 / 27 * (13 - sum(mu_true)), np.sqrt(1 - 1 / 27))  # variances 25, 1, 1
print(f"whoever knew the truth: {best.mean():.1f}, {best.ppf(0.055):.1f} to {best.ppf(0.945):.1f} minutes")

# %% [markdown]
# The interval is wide, as it should be where nobody held a stopwatch.
# Even with the true means and standard deviations there would be one: the last line has it.
# The model's is wider still, because it does not know how road, center and driver share the variance.
# (It counts from the average center, because means sum to zero. And part of it is the equal split's doing: see 10.)
# How far was your answer from it?
#
# You got this number because the shares of this model can be integrated out.
# For models where they cannot, there is another way: keep the shares, and walk in other coordinates.
# In [06](06_noncentered.ipynb) you write the same model so.
#
# ## Check yourself
#
# The quiz asks about ideas.
# The [exercises](exercises/05_exercises.ipynb) let you use them, from easy to hard, and tell you at once whether you are right.

# %%
mlm.quiz("05")

# %% [markdown]
# ## What to remember
#
# - One draw tells next to nothing about the spread of the distribution that it came from, if you do not know its mean. A mean, a standard deviation and an offset for each contributor are three numbers for one.
# - Compare every posterior with its prior. Where they agree, the data have not spoken.
# - `pm.ZeroSumNormal` treats all contributors alike. "Last is minus the rest" gives the last one more room, and makes the answer depend on the order of labels.
# - With `pooled=False` the course's prior splits the variance equally, in the mean, among baseline and layers. Know that it does.
# - In the centered form a contribution's scale is itself a parameter. That makes a funnel, and many contributions with one scale make a needle.
# - A right model can fail to sample, and longer warm-up and smaller steps need not save it. R-hat and ESS tell, even where there is no divergence.
#
# ## Going further
#
# - Neal, R. M. (2003). Slice sampling. *The Annals of Statistics* 31(3), 705-767. [doi:10.1214/aos/1056562461](https://doi.org/10.1214/aos/1056562461). Section 8 has the funnel.
# - Betancourt, M. and Girolami, M. (2015). Hamiltonian Monte Carlo for hierarchical models. In *Current Trends in Bayesian Methodology with Applications*. [arXiv:1312.0906](https://arxiv.org/abs/1312.0906). Why hierarchical models make funnels.
# - Betancourt, M. (2017). A conceptual introduction to Hamiltonian Monte Carlo. [arXiv:1701.02434](https://arxiv.org/abs/1701.02434). What a divergence is, in pictures.
# - Vehtari, A., Gelman, A., Simpson, D., Carpenter, B. and Bürkner, P.-C. (2021). Rank-normalization, folding, and localization: an improved R-hat for assessing convergence of MCMC. *Bayesian Analysis* 16(2), 667-718. [doi:10.1214/20-BA1221](https://doi.org/10.1214/20-BA1221). The limits 1.01 and 400.

# %%
print(mlm.version_line())
