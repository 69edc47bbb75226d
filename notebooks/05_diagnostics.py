# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 05 Diagnostics
#
# A sampler always returns numbers.
# Nothing in the table of a posterior tells you whether the chains explored it, whether the model resembles the data, or whether the data speak about the parameter at all.
# These are three different questions, and each has its own instruments.
# Here you read every instrument twice: once on a run that is fine and once on a run that is not.
#
# **You will learn** to
#
# 1. compute R-hat yourself, and read R-hat, effective sample size, Monte Carlo error, rank plots, energy and divergences;
# 2. say what each of them compares, what it misses, and what to do when it is bad;
# 3. say how many digits a Monte Carlo error lets you print, and how many draws a smaller one takes;
# 4. check the prior and the posterior by the data that they predict;
# 5. use leave-one-out cross-validation and its calibration plot, and know when they cannot be used;
# 6. test intervals on simulated truth, and ask whether a conclusion comes from the prior or from the data.
#
# **You need** [03](03_centered.ipynb) and [04](04_noncentered.ipynb).
#
# **Time** 50 minutes to read; one to two minutes to run.

# %%
import logging
import warnings

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm
from arviz_stats.ecdf_utils import ecdf_pit
from matplotlib.ticker import FixedLocator, NullLocator
from scipy import stats

import mlm_tutorial as mlm

SEED = mlm.notebook_seed(345)
rng = np.random.default_rng(SEED)
mlm.use_style()
logging.getLogger("pymc").setLevel(logging.ERROR)  # no line for every variable that PyMC draws
logging.getLogger("arviz_stats.psense").setLevel(logging.ERROR)  # its table says the same
warnings.filterwarnings("ignore", message="Estimated shape parameter of Pareto")  # we count them ourselves

# %% [markdown]
# ## One posterior, two runs
#
# The data are the 500 rows of 03 and 04, with the same priors.
# The *bad* run samples the centered model of 03: every contribution is an unknown, 1,000 of them beside the parameters.
# The *good* run samples the same posterior of the parameters without contributions: they are integrated out by algebra.
# It sees the data as 12 *cells*; a cell is all the rows that share their contributors.
# Its coordinates are made for this posterior.
# [06](06_integrating_out.ipynb) explains the algebra and the cells, and [07](07_what_the_data_cannot_say.ipynb) the coordinates; here it serves as a run without defects.
# Prior and data are the same in both, so the exact posterior of every mean and standard deviation is the same too.

# %%
layers = ["layer_1", "layer_2"]
truth = mlm.PRESETS["cc_27"]
rows = truth.simulate(500, rng=SEED)
cells = mlm.cell_statistics(rows, layers=layers)
priors = mlm.Priors.from_cells(cells, pooled=False)

centered = mlm.observation_model(rows, layers=layers, parametrization="centered", priors=priors)
bad = mlm.sample(centered, seed=SEED)

compiled = mlm.compile_model(mlm.cell_model(cells, priors))
good = mlm.sample(compiled, seed=SEED)

# %% [markdown]
# `mlm.check_convergence` raises an error unless R-hat is at most 1.01 and both effective sample sizes are at least 400 for every parameter, with no divergence.
# These thresholds are those of Vehtari and others (2021).
# The good run passes and the bad one does not.
# The rest of this part takes the verdict apart.

# %%
print("good:", mlm.check_convergence(good).round(3).to_dict())
try:
    mlm.check_convergence(bad)
except mlm.ConvergenceError as error:
    print("bad: ", error)
else:
    raise AssertionError("the centered run was meant to fail")

# %% [markdown]
# ## R-hat: do the chains tell the same story?
#
# **What it compares.** Four [chains](../book/glossary.md) start at different places and should end up exploring one distribution.
# If they do, the chains' averages differ no more than chance allows, given the spread *within* the chains.
# R-hat compares the spread *between* the averages with the spread within.
# Split every chain in two, so that a chain that drifts disagrees with itself.
# With half-chains of length $n$, the average $W$ of their variances, and the variance $B/n$ of their means,
#
# $$\hat R = \sqrt{\frac{\frac{n-1}{n} W + \frac{B}{n}}{W}}.$$
#
# **Good** is 1.00, at most 1.01. **Bad** is anything larger: pooled draws are wider than the single chains that make them up.
# **What to do.** Look at the chains. A better parametrization or a stronger prior cures more often than a longer run.

# %%
parameters = ["mu_baseline", "mu_layer_1", "mu_layer_2", "sigma_baseline", "sigma_layer_1", "sigma_layer_2"]


def split_rhat(draws):
    """Return R-hat of an array of shape (chains, draws)."""
    halves = np.concatenate(np.split(draws, 2, axis=1))
    n = halves.shape[1]
    within = halves.var(axis=1, ddof=1).mean()
    between_over_n = halves.mean(axis=1).var(ddof=1)
    return np.sqrt(((n - 1) / n * within + between_over_n) / within)


for name, idata in {"good": good, "bad": bad}.items():
    draws = idata["posterior"]["sigma_baseline"].values
    by_arviz = az.rhat(draws, method="split")
    ranked = az.rhat(draws)
    np.testing.assert_allclose(split_rhat(draws), by_arviz)
    print(f"{name:4}  by hand {split_rhat(draws):.4f}   ArviZ, split {by_arviz:.4f}   ArviZ, default {ranked:.4f}")

assert az.rhat(good["posterior"]["sigma_baseline"].values) < 1.01 < az.rhat(bad["posterior"]["sigma_baseline"].values)

# %% [markdown]
# The lines by hand agree with ArviZ.
# Its default, `method="rank"`, does the same to *ranks* of the draws instead of the draws, which survives heavy tails.
# It does so twice: the second time for distances from the median, so that chains with equal averages and unequal widths are caught as well.
# The larger of the two is reported.
#
# ## Rank plots: which chain, and where?
#
# R-hat is one number; a rank plot shows what is behind it.
# Rank all draws of all chains together.
# If all chains explore the same distribution, the ranks of each chain are spread evenly from first to last.
# The figure draws, for each chain, the share of its draws below each rank, minus the share that an even spread has: the difference of two cumulative distributions.
# A chain that misses low values lies below zero on the left.
#
# **Predict first.** Four lines are drawn for `sigma_baseline` in each run.
# How far from zero do you expect them to go in the good run? And in the bad one?

# %% mystnb={"image": {"alt": "Two panels with four lines each, one line a chain. In the left panel, the good run, all lines stay close to zero. In the right panel, the bad run, lines swing far away from zero in different directions."}} tags=["hide-input"]
_, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True)
for ax, (name, idata) in zip(axes, {"good": good, "bad": bad}.items(), strict=True):
    draws = idata["posterior"]["sigma_baseline"].values
    ranks = stats.rankdata(draws).reshape(draws.shape) / draws.size
    for chain, style in enumerate(["-", "--", "-.", ":"]):
        x = np.sort(ranks[chain])
        share = np.arange(1, len(x) + 1) / len(x)
        ax.plot(x, share - x, style, color=mlm.COLORS["estimate"], label=f"chain {chain}")
    ax.axhline(0, color=mlm.COLORS["truth"], linewidth=0.8)
    ax.set(title=f"{name} run: sigma_baseline", xlabel="rank among all draws, as a fraction")
axes[0].set_ylabel("share below the rank, minus even spread")
axes[1].legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()


# %% [markdown]
# In the bad run chains dwell in different parts of the distribution for long stretches.
# `az.plot_rank(bad, var_names="sigma_baseline")` draws the same in one line.
# The older form of this figure is a histogram of ranks for each chain: flat is good.
#
# ## Effective sample size: how many draws is this worth?
#
# **What it compares.** Neighbouring draws of a chain resemble each other.
# The effective sample size, ESS, is the number of *independent* draws that would determine an average equally well.
# *Bulk* ESS is about the middle of a distribution: means and medians.
# *Tail* ESS is about the ends of intervals: the smaller of the ESS of a low and of a high quantile.
# `mlm.check_convergence` takes the 5 % and the 95 % quantile; ArviZ's table below takes the 11 % and the 89 % quantile, after its default interval of 89 %.
#
# **Good** is at least 400, or 100 a chain; below that, R-hat and ESS themselves cannot be trusted.
# **Bad** is below, however many draws you stored. If only the tail is bad, do not report intervals.
# **What to do.** If it is low and the rest is well, draw more. If it is tiny, change coordinates: ESS grows in proportion to draws, so 20 can be made 400 only with twenty times the time.

# %%
table = pd.concat(
    {
        name: az.summary(idata, var_names=parameters, kind="diagnostics", round_to="none")
        for name, idata in {"good": good, "bad": bad}.items()
    },
    axis="columns",
)
table = table.astype(float)

scales = table.index.str.startswith("sigma")
for kind in ["ess_bulk", "ess_tail"]:
    assert table["good", kind].min() >= 400 > table["bad", kind].min()
print(f"least bulk ESS of 4,000 draws, good run: {table['good', 'ess_bulk'].min():.0f}")
print(
    f"least bulk ESS of 4,000 draws, bad run: means {table.loc[~scales, ('bad', 'ess_bulk')].min():.0f}, "
    f"standard deviations {table.loc[scales, ('bad', 'ess_bulk')].min():.0f}"
)
assert table.loc[scales, ("bad", "ess_bulk")].min() < table.loc[~scales, ("bad", "ess_bulk")].min()
table.loc[:, (slice(None), ["ess_bulk", "ess_tail"])].round(0).astype(int)

# %% [markdown]
# In the good run the bulk ESS of some parameters may be larger than the 4,000 draws, and that is no mistake.
# If a draw above the average tends to be followed by one below, their errors cancel, and the average is better than that of independent draws.
# The bad run is not equally bad for everything: its standard deviations suffer far more than its means.
# A diagnostic belongs to one quantity of one run, so look at the worst, and at all that you report.
#
# ## MCSE: how many digits may I print?
#
# **What it compares.** Run the sampler again with another seed and the posterior mean comes out slightly different.
# The Monte Carlo standard error, MCSE, is the standard deviation of these posterior means from run to run.
# It is estimated from a single run: the posterior standard deviation divided by the square root of the ESS of the mean.
# It is about the computation; the posterior standard deviation is about the world.
#
# **Good** is small beside the posterior standard deviation, and smaller than the last digit that you print.
# **Bad** is a table with digits that the next seed changes. **What to do.** Fewer digits, which `az.summary` chooses by itself, or more draws: half the error takes four times as many.
#
# You need not take its word for it.
# Sample the good model 20 times with 20 seeds, and compare.

# %%
means, claimed = [], []
for seed in rng.integers(2**31, size=20):
    draws = mlm.sample(compiled, seed=int(seed), draws=250, tune=500, chains=2)["posterior"]["mu_baseline"]
    means.append(draws.mean().item())
    claimed.append(az.mcse(draws.values).item())
ratio = np.std(means, ddof=1) / np.sqrt(np.mean(np.square(claimed)))
print(f"standard deviation of 20 posterior means {np.std(means, ddof=1):.4f}, MCSE says {np.mean(claimed):.4f}")

lower, upper = np.sqrt(stats.chi2.ppf([5e-5, 1 - 5e-5], df=19) / 19)
assert lower < ratio < upper, "20 runs contradict the MCSE; chance does that once in 10,000 times"

# %% [markdown]
# The error that was promised is the error that occurs.
# In the bad run you cannot count on that: while chains disagree, ESS and MCSE are estimates made from too little.
# So read R-hat first.
# The next cell prints the MCSE of `sigma_baseline` in both runs.
# Its table lists the average of each chain: what you would report if that chain were the only one.

# %%
print(f"MCSE of sigma_baseline: good {table.loc['sigma_baseline', ('good', 'mcse_mean')]:.3f}", end=", ")
print(f"bad {table.loc['sigma_baseline', ('bad', 'mcse_mean')]:.3f}")
assert table.loc["sigma_baseline", ("bad", "mcse_mean")] > 2 * table.loc["sigma_baseline", ("good", "mcse_mean")]
pd.DataFrame(
    {
        name: idata["posterior"]["sigma_baseline"].mean("draw").to_series()
        for name, idata in (("good", good), ("bad", bad))
    }
).round(2).T

# %% [markdown]
# ## Energy: can the sampler change levels?
#
# **What it compares.** The sampler of this course is a Hamiltonian Monte Carlo: it lets a ball roll without friction over a landscape.
# The height of the landscape is the negative log density, so the ball is low where the posterior is dense.
# Every move to a new draw begins with a random push.
# The *energy* is the kinetic energy of that push plus the height at which the ball gets it.
# During a move the energy stays the same; only a new push changes it.
# If the pushes change the energy by far less than the energy varies across the posterior, the sampler needs many draws to get from low to high density, as from a funnel's mouth to its neck.
# E-BFMI, the estimated Bayesian fraction of missing information, is the mean squared step of the energy divided by its variance.
#
# **Good** is near 1; **bad** is below 0.3.
# **What to do.** Change the parametrization; longer runs and smaller steps leave the cause as it is.

# %% mystnb={"image": {"alt": "Two panels, each with two histograms: energies about their mean, and changes of energy from draw to draw. In the left panel, the good run, both are about equally wide. In the right panel, the bad run, the changes are much narrower than the energies."}}
_, axes = plt.subplots(1, 2, figsize=(9, 3.8))
bfmi = {}
for ax, (name, idata) in zip(axes, {"good": good, "bad": bad}.items(), strict=True):
    energy = idata["sample_stats"]["energy"].values
    bfmi[name] = (np.diff(energy, axis=1) ** 2).mean(axis=1) / energy.var(axis=1, ddof=1)
    np.testing.assert_allclose(bfmi[name], az.bfmi(idata)["energy"].values)
    level = (energy - energy.mean()).ravel()
    change = np.diff(energy, axis=1).ravel()
    bins = np.linspace(*np.quantile(np.concatenate([level, change]), [0.001, 0.999]), 50)
    ax.hist(level, bins, density=True, color=mlm.COLORS["data"], label="energy, about its mean")
    ax.hist(change, bins, density=True, histtype="step", linewidth=2, color=mlm.COLORS["estimate"], label="change")
    ax.set(title=f"{name} run: least E-BFMI {bfmi[name].min():.2f}", xlabel="energy (no unit)")
axes[0].set_ylabel("density")
axes[1].legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

assert bfmi["bad"].max() < 0.3 < bfmi["good"].min()

# %% [markdown]
# All chains of the bad run fail: a single push moves the sampler a small part of the way between levels.
# `az.plot_energy` draws the same figure.
#
# ## Divergences: where did the simulation break down?
#
# **What it compares.** A move is computed in small straight steps that should keep the energy constant.
# Where the density bends more sharply than the step is long, the energy error explodes; that draw is marked as a *divergent transition*.
# So divergences point at a *place*: draws from its far side are missing, and what is missing biases the answer.
#
# **Good** is none. **Bad** is any that cluster.
# **What to do.** First raise `target_accept`, which shortens the steps.
# If divergences stay, or the ESS does, change the coordinates of the place that they point at.
#
# First, count them in your two runs.
# The number of the bad run may be zero or not; it changes with the seed.
# **No divergence does not mean no problem**: that run fails by R-hat, ESS and energy whatever this number is.
#
# To see divergences reliably, take the model of the good run in coordinates that are not made for it, the logarithm of every standard deviation, and ask for longer or shorter steps than usual.
# (Unless you say otherwise, `mlm.sample` uses `target_accept=0.9`, and 0.98 for cells of fewer than 500 observations.)
# Prior, data and posterior are those of before.

# %%
for name, idata in {"good": good, "bad": bad}.items():
    print(f"{name}: {int(idata['sample_stats']['diverging'].sum())} divergences in 4,000 draws")
assert good["sample_stats"]["diverging"].sum() == 0

in_logs = mlm.compile_model(mlm.cell_model(cells, priors, coordinates="log"))
runs = {
    accept: [mlm.sample(in_logs, seed=SEED + i, target_accept=accept) for i in range(3)] for accept in (0.5, 0.8, 0.99)
}
by_accept = pd.DataFrame(
    {
        accept: {
            "divergences": sum(int(run["sample_stats"]["diverging"].sum()) for run in three),
            "gradients per draw": np.mean([run["sample_stats"]["n_steps"].mean() for run in three]).round(1),
            "least bulk ESS, median of runs": np.median(
                [mlm.efficiency(run)["min_ess_bulk"][0] for run in three]
            ).round(),
        }
        for accept, three in runs.items()
    }
).T.rename_axis("target_accept")
assert by_accept.loc[0.5, "divergences"] > by_accept.loc[0.99, "divergences"]
assert by_accept["least bulk ESS, median of runs"].max() < table["good", "ess_bulk"].min()
by_accept

# %% mystnb={"image": {"alt": "Scatter plot of two standard deviations on logarithmic axes, the baseline's and a contributor's. Grey dots, all draws, form a curved ridge. Orange crosses, divergent draws, lie further to the left than most, where the baseline's standard deviation is small."}}
draws = pd.concat(
    run["posterior"]
    .to_dataset()[["sigma_baseline", "sigma_layer_1"]]
    .isel(layer_1=0, drop=True)
    .assign(diverging=run["sample_stats"]["diverging"])
    .to_dataframe()
    for run in runs[0.5]
)
diverging = draws[draws["diverging"]]
_, ax = plt.subplots(figsize=(7, 4.5))
ax.plot("sigma_baseline", "sigma_layer_1", ".", data=draws, color="#A8A8A8", markersize=2, label="draw")
ax.plot("sigma_baseline", "sigma_layer_1", "x", data=diverging, color=mlm.COLORS["alternative"], label="divergent draw")
ax.set(xscale="log", yscale="log", xlim=(0.2, 10), ylim=(0.1, 10))
for axis in (ax.xaxis, ax.yaxis):
    axis.set_major_locator(FixedLocator([0.1, 0.2, 0.5, 1, 2, 5, 10]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter("{x:g}")
ax.set(xlabel="sigma_baseline, units of the total", ylabel="sigma_layer_1[0], units of the total")
ax.legend(loc="lower left")
plt.show()

print(f"median sigma_baseline: {draws['sigma_baseline'].median():.2f} of all draws", end=", ")
print(f"{diverging['sigma_baseline'].median():.2f} of divergent ones")
assert diverging["sigma_baseline"].median() < draws["sigma_baseline"].median()

# %% [markdown]
# Divergent draws are more frequent where `sigma_baseline` is smaller than usual, in the left arm of the ridge.
# Shorter steps remove most of them and cost several times as many gradients.
# But even then the ESS stays below that of the good run, with other coordinates and cheap steps.
#
# ## Prior predictive check: does the model know the size of things?
#
# From here on the computation is not in question. The model is.
#
# **What it compares.** Draw parameters from the prior, then totals from the model, and lay them beside what you know about totals *before* looking at the data in detail.
# **Good** covers everything that is possible and little that is absurd; it need not resemble the data closely.
# **Bad** puts most of its weight on values that nobody would believe, or none where data can be.
# **What to do.** Change the prior's scale. Here 500 draws of the prior so far, with scales from the data, and of a prior a thousand times wider that calls itself "uninformative".

# %% mystnb={"image": {"alt": "Two panels with histograms of absolute totals on a logarithmic axis: the data in grey and prior predictive totals as an outline. In the left panel, the prior with scales from the data, the outline overlaps the data and reaches about ten times further. In the right panel, the wide prior, almost all of the outline lies a thousand times further out."}}
model = mlm.observation_model(rows, layers=layers, priors=priors)  # marginal: one likelihood term a row
wide = mlm.observation_model(
    rows,
    layers=layers,
    priors=mlm.Priors(
        baseline_mu=priors.baseline_mu,
        baseline_mu_sd=1_000 * priors.baseline_mu_sd,
        mu_sd=1_000 * priors.mu_sd,
        sigma_scale=1_000 * priors.sigma_scale,
        pooled=False,
    ),
)
quickly = {"mode": "FAST_COMPILE"}  # compiling with numba would take longer than drawing
totals = {
    name: pm.sample_prior_predictive(500, model=prior_model, random_seed=SEED, compile_kwargs=quickly)
    for name, prior_model in {"scales from the data": model, "wide prior": wide}.items()
}
totals = {name: drawn["prior_predictive"]["total"].values.ravel() for name, drawn in totals.items()}

_, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True)
bins = np.geomspace(0.1, 1e6, 60)
for ax, (name, drawn) in zip(axes, totals.items(), strict=True):
    ax.hist(
        rows["total"].abs(), bins, weights=np.full(len(rows), 1 / len(rows)), color=mlm.COLORS["data"], label="data"
    )
    weights = np.full(len(drawn), 1 / len(drawn))
    ax.hist(
        np.abs(drawn), bins, weights=weights, histtype="step", linewidth=2, color=mlm.COLORS["prior"], label="prior"
    )
    ax.set(xscale="log", title=name, xlabel="absolute total, units of the total")
axes[0].set_ylabel("share of totals")
axes[1].legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

largest = rows["total"].abs().max()
for name, drawn in totals.items():
    print(f"{name}: {np.mean(np.abs(drawn) > 10 * largest):.0%} of totals exceed ten times the largest in the data")
assert np.mean(np.abs(totals["scales from the data"]) > 10 * largest) < 0.05
assert np.mean(np.abs(totals["wide prior"]) > 10 * largest) > 0.8

# %% [markdown]
# The prior of `mlm.Priors.from_cells` takes its scales from the totals, so that it always has their size; it knows nothing else about them.
# Such a prior uses a little of the data twice. With 500 rows and scales this generous it hardly matters; it is a choice that you should state.
#
# ## Posterior predictive check: could the model have produced these data?
#
# **What it compares.** For every posterior draw, simulate 500 new totals for the same contributors.
# Compute one statistic of the real data and of each simulated set.
# **Good**: the real one looks like one of many. **Bad**: it lies outside.
# **What to do.** A statistic that fails says in which respect the model is wrong; change that part.
#
# The bad example is a second data set: the same contributors, means and variances, but the noise is a squared normal, centred and scaled, so it has a long right tail.
# The model of the good run is fitted to it; only the totals change, so `with_cells` puts the new cells into the compiled model.

# %%
coefficients = {name: truth[name].coefficients for name in layers}
mean = truth["baseline"].mu[0] + sum(np.array([coefficients[x][k][0] for k in rows[x]]) for x in layers)
variance = truth["baseline"].sigma[0] ** 2 + sum(
    np.array([coefficients[x][k][1] for k in rows[x]]) ** 2 for x in layers
)
skewed_rows = rows.assign(total=mean + np.sqrt(variance) * (rng.chisquare(df=1, size=len(rows)) - 1) / np.sqrt(2))

skewed_cells = mlm.cell_statistics(skewed_rows, layers=layers)
skewed = mlm.sample(compiled.with_cells(skewed_cells), seed=SEED)
print(mlm.check_convergence(skewed).round(3).to_dict())
print(f"least E-BFMI {az.bfmi(skewed)['energy'].min().item():.2f}")

# %% [markdown]
# Every diagnostic of the first part is content.
# They are about the sampler, and the sampler did what it was asked.
#
# **Predict first.** Two statistics are checked: the standard deviation of the totals and the skewness of the residuals (totals minus the average of their cell).
# Which of them tells the skewed data from the model?

# %% mystnb={"image": {"alt": "Four histograms of statistics of simulated data with a black line for the real data. Top, the data that fit the model: the line lies within both histograms. Bottom, the skewed data: the line lies within the histogram of standard deviations, and far to the right of the histogram of skewness."}}
skewed_model = mlm.observation_model(skewed_rows, layers=layers, priors=priors)
for idata, fitted in ((good, model), (skewed, skewed_model)):
    del idata["observed_data"], idata["constant_data"]  # those of the cells; the rows' come in
    pm.sample_posterior_predictive(idata, model=fitted, random_seed=SEED, extend_inferencedata=True, progressbar=False)

cell_of_row = rows.groupby(layers, observed=True).ngroup().to_numpy()
membership = np.eye(len(cells))[cell_of_row]  # one row a row, one column a cell


def residual_skewness(total):
    """Return the skewness of totals about the averages of their cells, along the last axis."""
    averages = total @ membership / membership.sum(axis=0)
    return stats.skew(total - averages @ membership.T, axis=-1)


statistics = {"standard deviation": lambda total: total.std(axis=-1), "residual skewness": residual_skewness}

_, axes = plt.subplots(2, 2, figsize=(9, 5.5), sharex="col")
scores = pd.DataFrame(index=["data of the model", "skewed data"], columns=list(statistics), dtype=float)
for row, idata in zip(axes, (good, skewed), strict=True):
    label = scores.index[0 if idata is good else 1]
    for ax, (name, statistic) in zip(row, statistics.items(), strict=True):
        replicated = statistic(idata["posterior_predictive"]["total"].values.reshape(-1, len(rows)))
        observed = statistic(idata["observed_data"]["total"].values)
        scores.loc[label, name] = (observed - replicated.mean()) / replicated.std()
        ax.hist(replicated, 40, histtype="stepfilled", color=mlm.COLORS["estimate"], label="simulated")
        ax.axvline(observed, color=mlm.COLORS["truth"], linewidth=2, label="observed")
        ax.set(title=f"{label}: {name}", yticks=[])
axes[1, 0].set_xlabel("units of the total")
axes[1, 1].set_xlabel("skewness (no unit)")
axes[0, 1].legend(loc="upper right")
plt.show()

assert scores["standard deviation"].abs().max() < 4
assert abs(scores.loc["data of the model", "residual skewness"]) < 4.5 < scores.loc["skewed data", "residual skewness"]
scores.round(1)

# %% [markdown]
# The table counts how many standard deviations the real statistic is away from the average of the simulated ones.
# Chance makes values of one or two, seldom three; it does not make ten or more.
# The standard deviation passes for both, because the model has parameters that fit it; such a check can hardly fail.
# **Choose statistics that no parameter fits**, and that matter to your question.
#
# ## LOO: how well does it predict a row that it has not seen?
#
# **What it compares.** Leave one row out, fit the others, and look up the log density of the row left out; sum over all rows.
# The result is the expected log predictive density, ELPD: larger is better, and differences between models *of the same data* are what counts.
# Nobody fits 500 times: Pareto-smoothed importance sampling, PSIS, reweights the draws of a single fit.
# A draw counts less, the better it predicts the row that is left out.
#
# If a few draws then carry most of the weight, the result cannot be trusted.
# The weights' Pareto k is large in that case. **Good** is below 0.7 for every row.
# **Bad** is above: that row changes the posterior too much to be taken away by weights.
# k is an estimate itself, and for a single row it can move by some tenths with the seed of the sampler, so do not take fright at one row just above.
# **What to do.** Integrate out what belongs to a single row; refit without the few rows concerned; or use K-fold cross-validation.
#
# PSIS needs the log likelihood of every row.
# The good run sees only cells, but `model`, made above for the prior predictive check, has a likelihood for each row.
# It is the *marginal* model: contributions are integrated out there too, and its parameters have the same names.
# So the draws of the good run serve for it as well.
# Compare with the centered run, where the likelihood of a row is conditional on that row's own contributions.

# %%
for idata, fitted in ((good, model), (skewed, skewed_model), (bad, centered)):
    pm.compute_log_likelihood(idata, model=fitted, progressbar=False)

loo = {"good: marginal": az.loo(good, pointwise=True), "bad: conditional on contributions": az.loo(bad, pointwise=True)}
k = {name.split(":")[0]: one.pareto_k.values for name, one in loo.items()}
assert np.mean(k["good"] > 0.7) < 0.01 < 0.1 < np.mean(k["bad"] > 0.7)
assert loo["bad: conditional on contributions"].elpd > loo["good: marginal"].elpd
print(f"largest k: good {k['good'].max():.2f}, bad {k['bad'].max():.2f}")
pd.DataFrame(
    {
        name: {
            "ELPD": one.elpd,
            "standard error": one.se,
            "effective parameters p_loo": one.p,
            "rows with k > 0.7": int((one.pareto_k > 0.7).sum()),
        }
        for name, one in loo.items()
    }
).T.round(1)

# %% [markdown]
# The centered model seems to predict better, and that is an illusion.
# Its ELPD measures how well a row is predicted by contributions that were inferred from that very row.
# Take the row away, and all that is known about them is the mean and the spread of their contributors.
# That is why many rows have a k above 0.7.
# The marginal model asks the question that you meant: a new row, of which only the contributors are known.
# This is about the likelihood, not about convergence: a perfect centered run would show it too (Merkle and others 2019).
#
# ## LOO-PIT: are its predictions as sure as they should be?
#
# **What it compares.** The probability integral transform, PIT, of a row is the probability that the model gave to totals below the one that came.
# Leave the row out first, so that it does not predict itself.
# If predictions are calibrated, these values are uniform.
# **Good** stays within the band. **Bad** leaves it.
# A curve above zero all along has too many low totals: predictions are too high. Below all along, they are too low.
# A curve first above and then below zero means predictions that are too narrow; first below and then above, too wide.
# **What to do.** Change the family or the spread; the shape says which.

# %% mystnb={"image": {"alt": "Two panels with the cumulative distribution of LOO-PIT values minus the uniform one, and a grey band. Left, the data of the model: the curve stays within the band. Right, the skewed data: the curve swings far out of the band below and above."}}
_, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True)
pit = {}
for ax, (name, idata) in zip(axes, {"data of the model": good, "skewed data": skewed}.items(), strict=True):
    pit[name] = az.loo_pit(idata)["total"].values
    x, ecdf, lower, upper = ecdf_pit(pit[name], 0.99, n_simulations=1000)
    ax.fill_between(x, lower - x, upper - x, step="post", color=mlm.COLORS["data"], label="99% band")
    ax.step(x, ecdf - x, where="post", color=mlm.COLORS["estimate"], label="LOO-PIT")
    ax.axhline(0, color=mlm.COLORS["truth"], linewidth=0.8)
    ax.set(title=name, xlabel="LOO-PIT of a row")
axes[0].set_ylabel("share below, minus uniform")
axes[1].legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

p_value = {name: stats.kstest(values, "uniform").pvalue for name, values in pit.items()}
print("Kolmogorov-Smirnov:", ", ".join(f"{name} p = {p:.2g}" for name, p in p_value.items()))
assert p_value["data of the model"] > 1e-4 > p_value["skewed data"]

# %% [markdown]
# The skewed data leave the band: no total comes as low as the normal model allows, and more than it expects lie just below the average.
# `az.plot_loo_pit` draws this figure with a test of its own.
#
# ## Recovery and coverage: does an interval keep its promise?
#
# **What it compares.** The only truth that you ever know is one that you made yourself.
# Simulate from known parameters, fit, and count how often an 89 % interval contains the truth.
# One data set tells little, as a right interval misses 11 times in 100; so do it 60 times.
# **Good** is a count that a binomial distribution with 89 % explains. **Bad** is any other.
# (With 60 replicates even 60 of 60 is within chance; intervals that are too wide show only with more.)
# **What to do.** Below: suspect code, model, prior or sampler, in this order. If all are right, the data do not know this parameter.
#
# Strictly, Bayesian intervals keep the 89 % on average over truths drawn *from the prior*; [07](07_what_the_data_cannot_say.ipynb) tests that.
# At a single truth it holds nearly, wherever data outweigh the prior.
#
# **Predict first.** The course's sampler is fine and the model is true. Will all parameters be covered about 53 times in 60?

# %% mystnb={"image": {"alt": "Dot plot of how often each parameter's interval contained the truth in 60 replicates, with a grey band of what chance allows. All means lie in the band. The standard deviation of the baseline lies far to the left of it."}}
replicates = 60
covered = []
for seed in rng.integers(2**31, size=replicates):
    new = mlm.cell_statistics(truth.simulate(500, rng=int(seed)), layers=layers)
    refitted = compiled.with_cells(new)
    idata = mlm.sample(refitted, seed=int(seed), draws=500, tune=500, chains=2)
    mlm.check_convergence(idata, max_rhat=1.05, min_ess=100, max_divergences=5)
    covered.append(mlm.recovery(idata, truth)["covered"])
count = pd.concat(covered, axis="columns").sum(axis="columns")

of_means = count.index.str.startswith("mu")
false_alarm = 1e-4
per_test = false_alarm / of_means.sum()  # Bonferroni: a false alarm of any of the means
lower, upper = stats.binom.ppf([per_test / 2, 1 - per_test / 2], replicates, 0.89)
print(f"if 89 % is true, each mean is covered {lower:.0f} to {upper:.0f} times in {replicates}")
assert count[of_means].between(lower, upper).all(), count
assert count["sigma_baseline"] < lower

_, ax = plt.subplots(figsize=(8, 5))
y = np.arange(len(count))
ax.axvspan(lower, upper, color=mlm.COLORS["data"], label="within chance")
ax.axvline(0.89 * replicates, color=mlm.COLORS["truth"], linewidth=1, label="89 %")
ax.plot(count[of_means], y[of_means], "o", color=mlm.COLORS["estimate"], label="mean")
ax.plot(count[~of_means], y[~of_means], "s", color=mlm.COLORS["alternative"], label="standard deviation")
ax.set_yticks(y, count.index)
ax.invert_yaxis()
ax.set(xlim=(-1, replicates + 1), xlabel=f"replicates of {replicates} whose interval contains the truth")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# All eight means are covered as often as promised.
# `sigma_baseline` is not, although every single fit converged, and although the model is the one that made the data.
# The prior pulls the interval the same way in every replicate, below the true value of 5.
# The data cannot correct that: only sums of variances are seen, and [07](07_what_the_data_cannot_say.ipynb) is about that.
# For the same reason the other standard deviations carry no promise, and most of them fall short too.
#
# ## Power-scaling: is it the data that speak, or the prior?
#
# A real data set comes without the truth. Yet there is a way to ask.
#
# **What it compares.** Raise the prior's density to a power slightly above and below 1, which makes it slightly stronger and weaker, and see how far each posterior moves; then do the same to the likelihood.
# Importance weights do it without a new fit.
# **Good** is a prior sensitivity below 0.05 with a likelihood sensitivity above: the data speak.
# **Bad** is a prior sensitivity above 0.05.
# If the likelihood's is small, the prior decides ("potential strong prior / weak likelihood"); if both are large, they may pull in different directions ("potential prior-data conflict").
# **What to do.** Say so; justify the prior by knowledge of the matter, or report a quantity that is not sensitive.
#
# `az.psense_summary` needs the groups `log_likelihood`, which LOO already has, and `log_prior`.

# %%
pm.stats.compute_log_prior(good, model=model, progressbar=False)
sensitivity = az.psense_summary(good, var_names=parameters)
means_rows = sensitivity.index.str.startswith("mu")
assert (sensitivity.loc[means_rows, "prior"].astype(float) < 0.05).all()
assert (sensitivity.loc[means_rows, "likelihood"].astype(float) > 0.05).all()
assert float(sensitivity.loc["sigma_baseline", "prior"]) > 0.05
sensitivity

# %% [markdown]
# The means follow the data; `sigma_baseline` is sensitive to the prior, and other standard deviations may be so for the same reason.
# A tick says only that the prior sensitivity is below 0.05.
# Where the likelihood's is small too, the data still say little, so read both columns.
# From one fit, without the truth, the check names the parameter that the simulation study found out.
#
# ## Check yourself
#
# The quiz asks about ideas.
# The [exercises](exercises/05_diagnostics.ipynb) let you use them, from easy to hard, and tell you at once whether you are right.

# %%
mlm.quiz("05")

# %% [markdown]
# ## What to remember
#
# - First ask the sampler (R-hat, ESS, energy, divergences), then the model (predictive checks, LOO-PIT), then the question (coverage, sensitivity). A pass in one says nothing about the next.
# - R-hat at most 1.01, bulk and tail ESS at least 400, E-BFMI above 0.3, no divergences, for everything that you report. Each of them can pass while another fails.
# - The usual cure is a better parametrization, not a longer run.
# - Check statistics that no parameter fits, and integrate out what belongs to a single row before using LOO.
# - A converged fit of the true model can miss the truth if the data do not speak about it. Power-scaling tells.
#
# ## Going further
#
# - Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), *Rank-normalization, folding, and localization: an improved R-hat for assessing convergence of MCMC*. [doi:10.1214/20-BA1221](https://doi.org/10.1214/20-BA1221)
# - Betancourt (2017), *A conceptual introduction to Hamiltonian Monte Carlo*. [arXiv:1701.02434](https://arxiv.org/abs/1701.02434)
# - Vehtari, Gelman and Gabry (2017), *Practical Bayesian model evaluation using leave-one-out cross-validation and WAIC*. [doi:10.1007/s11222-016-9696-4](https://doi.org/10.1007/s11222-016-9696-4)
# - Merkle, Furr and Rabe-Hesketh (2019), *Bayesian comparison of latent variable models: conditional versus marginal likelihoods*. [doi:10.1007/s11336-019-09679-0](https://doi.org/10.1007/s11336-019-09679-0)
# - Kallioinen, Paananen, Bürkner and Vehtari (2024), *Detecting and diagnosing prior and likelihood sensitivity with power-scaling*. [doi:10.1007/s11222-023-10366-5](https://doi.org/10.1007/s11222-023-10366-5)

# %%
print(mlm.version_line())
