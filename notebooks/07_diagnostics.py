# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 07 Diagnostics
#
# Nora and Sam plan the tours of a parcel service.
# On Friday their manager wants one number in minutes: how much do deliveries vary because of the road alone, whoever sorts and whoever drives?
# Both take the same 500 parcels, the same model and the same prior.
# Only the coordinates in which their samplers walk differ.
# Both runs end without an error, and both print a number.
#
# Whose number goes to the manager? And with how many digits?
#
# A sampler always returns numbers.
# In this notebook you read every instrument that says whether to believe them, and you read it twice: on a healthy run and on a sick one.
#
# **You will learn**
#
# 1. to compute R-hat yourself, and to read it beside rank plots and effective sample sizes;
# 2. to say how many digits a Monte Carlo error lets you print, and how many draws a smaller one takes;
# 3. to read energy and divergences, and to say what each of them misses;
# 4. to choose a cure by its symptom, and to hand over a run that passes.
#
# **You need** [03](03_how_the_sampler_walks.ipynb) for energy, steps and divergences, [05](05_centered.ipynb) and [06](06_noncentered.ipynb) for the parcels.
#
# **Time** 35 minutes to read, about a minute to run.

# %%
import logging

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import FixedLocator, NullLocator
from scipy import stats

import mlm_tutorial as mlm

SEED = mlm.notebook_seed(345)
rng = np.random.default_rng(SEED)
mlm.use_style()
logging.getLogger("pymc").setLevel(logging.ERROR)  # PyMC's notes on what it draws

# %% [markdown]
# ## One posterior, two runs
#
# The parcels are those of 05 and 06.
# How late a parcel is, in minutes, is a sum: the road (weather, traffic, everything without a name), the sorting center, the driver.
#
# - Sam samples the *centered* model of 05. Every contribution of every parcel is an unknown, 1,000 of them beside the parameters. This is the **bad** run.
# - Nora samples the same parameters without contributions: they are integrated out by algebra. Her model sees the parcels as 12 *cells*; a cell is all the parcels with the same center and driver. Its coordinates are made for this posterior. This is the **good** run.
#
# [09](09_integrating_out.ipynb) explains the algebra and [10](10_what_the_data_cannot_say.ipynb) the coordinates.
# Here it is enough that prior and data are the same, so that the exact posterior of every mean and standard deviation is the same too.

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
rows = parcels.simulate(500, rng=np.random.default_rng(SEED))
cells = mlm.cell_statistics(rows, layers=layers)
priors = mlm.Priors.from_cells(cells, pooled=False)

centered = mlm.observation_model(rows, layers=layers, parametrization="centered", priors=priors)
bad = mlm.sample(centered, seed=SEED)

compiled = mlm.compile_model(mlm.cell_model(cells, priors))
good = mlm.sample(compiled, seed=SEED)

# %% [markdown]
# The baseline of this sum is the road, so the number for the manager is the parameter `sigma_baseline`, in minutes.
# This is what each chain of each run would report if it were the only one.

# %%
pd.DataFrame(
    {
        name: idata["posterior"]["sigma_baseline"].mean("draw").to_series()
        for name, idata in (("good (Nora)", good), ("bad (Sam)", bad))
    }
).round(2).T.rename_axis(columns="chain")

# %% [markdown]
# `mlm.check_convergence` raises an error unless R-hat is at most 1.01 and both effective sample sizes are at least 400 for every parameter, with no divergence.
# The limits for R-hat and effective sample size are those of Vehtari and others (2021).
# The good run passes and the bad one does not.
# The rest of the notebook takes this verdict apart.

# %%
print("good:", mlm.check_convergence(good).round(3).to_dict())
try:
    mlm.check_convergence(bad)
except mlm.ConvergenceError as error:
    print("bad: ", error)
else:
    raise AssertionError("the centered run was meant to fail")

# %% [markdown]
# Before any number, look.
# A healthy trace is a hedge: all chains cover the same range, at every time.

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two panels with the 1,000 draws of sigma_baseline of four chains, in their order. Left, the good run: the four chains overlap in one even band. Right, the bad run: single lines wander slowly up and down, each chain in a part of the range for hundreds of draws."}} tags=["hide-input"]
chain_colors = ["#0B5FA5", "#D55E00", "#E69F00", "#111111"]
_, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
for ax, (name, idata) in zip(axes, {"good": good, "bad": bad}.items(), strict=True):
    for chain, color in enumerate(chain_colors):
        ax.plot(idata["posterior"]["sigma_baseline"].values[chain], color=color, linewidth=0.6, label=f"chain {chain}")
    ax.set(title=f"{name} run", xlabel="draw")
axes[0].set_ylabel("sigma_baseline (minutes)")
axes[1].legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

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
# **What to do.** Look at the chains. Another parametrization cures more often than a longer run.


# %%
def split_rhat(draws):
    """Return R-hat of an array of shape (chains, draws)."""
    halves = np.concatenate(np.split(draws, 2, axis=1))
    n = halves.shape[1]
    within = halves.var(axis=1, ddof=1).mean()
    between_over_n = halves.mean(axis=1).var(ddof=1)
    return np.sqrt(((n - 1) / n * within + between_over_n) / within)


for name, idata in {"good": good, "bad": bad}.items():
    draws = idata["posterior"]["sigma_baseline"].values
    by_hand, by_arviz = split_rhat(draws), az.rhat(draws, method="split")
    np.testing.assert_allclose(by_hand, by_arviz)
    print(f"{name:4}  by hand {by_hand:.4f}, ArviZ {by_arviz:.4f}, ArviZ by ranks {az.rhat(draws):.4f}")
    assert (az.rhat(draws) < 1.01) == (name == "good")

# %% [markdown]
# The lines by hand agree with ArviZ.
# Its default, `method="rank"`, does the same to *ranks* of the draws instead of the draws, which survives heavy tails.
# It does so twice: the second time for distances from the median, so that chains with equal averages and unequal widths are caught as well.
# The larger of the two is reported.
#
# **What it misses.** A place that no chain found.
#
# ## Rank plots: which chain, and where?
#
# R-hat is one number; a rank plot shows what is behind it.
# Rank all draws of all chains together.
# If all chains explore the same distribution, the ranks of each chain are spread evenly from first to last.
# The figure draws, for each chain, the share of its draws below each rank, minus the share that an even spread has.
# A chain that misses low values lies below zero on the left.
#
# How far from zero is far?
# Simulate it: four chains of independent draws, ranked together, 1,000 times.
# The band in the figure is as wide as it must be for 99 % of these simulations to stay inside with all four lines and from end to end.
# That is a *simultaneous* band, after Säilynoja, Bürkner and Vehtari (2022); a band made for one rank at a time would be left somewhere by most healthy runs.
# Draws of a chain resemble their neighbors, so keep every second before you rank: then those of a healthy run are about as good as independent.
#
# **Predict first.** Four lines are drawn for `sigma_baseline` in each run.
# How many of them leave the band in the good run? And in the bad one?


# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two panels with a grey band about zero and four lines each, one line a chain. In the left panel, the good run, all lines stay within or close to the band. In the right panel, the bad run, lines swing far out of the band in different directions."}} tags=["hide-input"]
def rank_lines(chain_of_rank, n_chains):
    """Return each chain's share of draws below every rank, minus an even spread; ranks are on the last axis."""
    share = np.stack([np.cumsum(chain_of_rank == chain, axis=-1) for chain in range(n_chains)])
    n_ranks = chain_of_rank.shape[-1]
    return n_chains * share / n_ranks - np.arange(1, n_ranks + 1) / n_ranks


thinned = {name: idata["posterior"]["sigma_baseline"].values[:, ::2] for name, idata in (("good", good), ("bad", bad))}
n_chains, n_draws = thinned["good"].shape
chains_in_order = np.repeat(np.arange(n_chains), n_draws)
simulated = rank_lines(rng.permuted(np.tile(chains_in_order, (1_000, 1)), axis=1), n_chains)
at_one_rank = np.maximum(simulated.std(axis=(0, 1)), 1e-9)
band = np.quantile(np.abs(simulated / at_one_rank).max(axis=(0, 2)), 0.99) * at_one_rank

_, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True)
fraction = np.arange(1, n_chains * n_draws + 1) / (n_chains * n_draws)
furthest = {}
for ax, (name, draws) in zip(axes, thinned.items(), strict=True):
    lines = rank_lines(chains_in_order[np.argsort(draws.ravel())], n_chains)
    furthest[name] = (np.abs(lines) / band).max(axis=1)
    ax.fill_between(fraction, -band, band, color=mlm.COLORS["data"], label="99 % of healthy runs")
    for chain, (line, color, style) in enumerate(zip(lines, chain_colors, ["-", "--", "-.", ":"], strict=True)):
        ax.plot(fraction, line, style, color=color, label=f"chain {chain}")
    ax.set(title=f"{name} run: sigma_baseline", xlabel="rank among all draws, as a fraction")
axes[0].set_ylabel("share below the rank, minus even spread")
axes[1].legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

for name, distance in furthest.items():
    print(f"{name}: lines go as far as {distance.round(1)} times the band's half-width")
assert furthest["good"].max() < 1.3 < furthest["bad"].max()

# %% [markdown]
# In the bad run chains dwell in different parts of the distribution for long stretches.
# One healthy run in a hundred leaves the band a little; a sick one leaves it by far.
# `az.plot_rank(bad, var_names="sigma_baseline")` draws these lines, too; instead of a band it marks the points that are out of the ordinary.
# (Its `method="envelope"` has a band, but keeps only about as many draws as the ESS is worth. From a sick run that leaves a few dozen, and the evidence is gone.)
# The older form is a histogram of ranks for each chain: flat is good.
#
# ## Effective sample size: how many draws is this worth?
#
# **What it compares.** Neighboring draws of a chain resemble each other.
# The effective sample size, ESS, is the number of *independent* draws that would determine an average equally well.
# *Bulk* ESS is about the middle of a distribution: means and medians.
# *Tail* ESS is about the ends of intervals: the smaller of the ESS of a low and of a high quantile.
# `mlm.check_convergence` takes the 5 % and the 95 % quantile, as Vehtari and others (2021) do; ArviZ's table below takes the 11 % and the 89 % quantile, so its numbers differ.
#
# **Good** is at least 400, or 100 a chain; below that, R-hat and ESS themselves cannot be trusted.
# **Bad** is below, however many draws you stored. If only the tail is bad, do not report intervals.
# **What to do.** If it is low and the rest is well, draw more. If it is tiny, change coordinates: ESS grows in proportion to draws, so 20 becomes 400 only with twenty times the time.

# %%
parameters = ["mu_baseline", "mu_center", "mu_driver", "sigma_baseline", "sigma_center", "sigma_driver"]
table = pd.concat(
    {
        name: az.summary(idata, var_names=parameters, kind="diagnostics", round_to="none")
        for name, idata in {"good": good, "bad": bad}.items()
    },
    axis="columns",
).astype(float)
table.loc[:, (slice(None), ["ess_bulk", "ess_tail"])].round(0).astype(int)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
scales = table.index.str.startswith("sigma")
for kind in ["ess_bulk", "ess_tail"]:
    assert table["good", kind].min() >= 400 > table["bad", kind].min()
print(f"good run: 4,000 draws are worth {table['good', 'ess_bulk'].min():.0f} independent ones or more")
print(
    f"bad run: they are worth {table.loc[~scales, ('bad', 'ess_bulk')].min():.0f} for a mu, "
    f"and {table.loc[scales, ('bad', 'ess_bulk')].min():.0f} for a sigma, at worst"
)

# %% [markdown]
# In the good run the bulk ESS of some parameters may be larger than the 4,000 draws, and that is no mistake.
# If a draw above the average tends to be followed by one below, their errors cancel, and the average is better than that of independent draws.
# A diagnostic belongs to one quantity of one run, so look at the worst, and at all that you report.
#
# ## MCSE: how many digits may I print?
#
# **What it compares.** Run the sampler again with another seed and the posterior mean comes out slightly different.
# The Monte Carlo standard error, MCSE, is the standard deviation of these posterior means from run to run.
# It is estimated from a single run: the posterior standard deviation divided by the square root of the ESS of the mean.
# It is about the computation; the posterior standard deviation is about the world.
#
# **Good** is small beside the posterior standard deviation, and at most half a unit of the last digit that you print.
# **Bad** is a table with digits that the next seed changes. **What to do.** Fewer digits, which `az.summary` chooses by itself, or more draws: half the error takes four times as many.
#
# You need not take its word for it.
# Sample the good model 20 times with 20 seeds, and compare.

# %%
means, claimed = [], []
for seed in rng.integers(2**31, size=20):
    short = mlm.sample(compiled, seed=int(seed), draws=250, tune=500, chains=2)
    # Short on purpose, so that errors are large enough to see; hence laxer limits.
    mlm.check_convergence(short, max_rhat=1.05, min_ess=50, max_divergences=5)
    draws = short["posterior"]["sigma_baseline"].values
    means.append(draws.mean())
    claimed.append(az.mcse(draws))
ratio = np.std(means, ddof=1) / np.sqrt(np.mean(np.square(claimed)))
print(f"standard deviation of 20 posterior means: {np.std(means, ddof=1):.3f} minutes")
print(f"MCSE of a single run, on average:         {np.mean(claimed):.3f} minutes")

# %% jupyter={"source_hidden": true} tags=["hide-input"]
# The MCSE of a run of 500 draws is itself off by a tenth or so, hence the slack.
lower, upper = np.sqrt(stats.chi2.ppf([5e-5, 1 - 5e-5], df=19) / 19) * [1 / 1.1, 1.1]
assert lower < ratio < upper, "20 runs contradict the MCSE"

# %% [markdown]
# The error that was promised is the error that occurs.
# (Twenty runs do not show a tenth. The check in the folded cell notices an MCSE that is three times too small 99 times in 100, and one that is twice too small two times in three.)
#
# In the bad run the promise is empty.
# While chains disagree, ESS and MCSE are estimates made from too little.
# So read R-hat first, and the MCSE only where R-hat is good.

# %%
number = good["posterior"]["sigma_baseline"].mean().item()
error = table.loc["sigma_baseline", ("good", "mcse_mean")]
decimals = int(np.floor(-np.log10(2 * error)))
print(f"posterior mean {number:.4f}, MCSE {error:.4f}: decimals worth printing {decimals}")
print(f"so report {number:.{decimals}f} minutes")

# %% [markdown]
# ## Energy: can the sampler change levels?
#
# **What it compares.** The height of the sampler's landscape is the negative log density, so its ball is low where the posterior is dense.
# Every move to a new draw begins with a random push.
# The *energy* is the kinetic energy of that push plus the height at which the ball gets it.
# During a move the energy stays the same; only a new push changes it.
# If the pushes change the energy by far less than the energy varies across the posterior, the sampler needs many draws to get from low to high density, as from a funnel's mouth to its neck.
# E-BFMI, the estimated Bayesian fraction of missing information, is the mean squared step of the energy divided by its variance, chain by chain (Betancourt 2017).
#
# **Good** is near 1; **bad** is below 0.3.
# **What to do.** Change the parametrization; longer runs and smaller steps leave the cause as it is.

# %%
bfmi = {}
for name, idata in {"good": good, "bad": bad}.items():
    energy = idata["sample_stats"]["energy"].values
    bfmi[name] = (np.diff(energy, axis=1) ** 2).mean(axis=1) / energy.var(axis=1, ddof=1)
    np.testing.assert_allclose(bfmi[name], az.bfmi(idata)["energy"].values)
    print(f"{name}: E-BFMI of the chains {bfmi[name].round(2)}")
assert bfmi["bad"].max() < 0.3 < bfmi["good"].min()

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two panels, each with two histograms: energies about their mean, and changes of energy from draw to draw. In the left panel, the good run, both are about equally wide. In the right panel, the bad run, the changes are much narrower than the energies."}} tags=["hide-input"]
_, axes = plt.subplots(1, 2, figsize=(9, 3.8))
for ax, (name, idata) in zip(axes, {"good": good, "bad": bad}.items(), strict=True):
    energy = idata["sample_stats"]["energy"].values
    level = (energy - energy.mean()).ravel()
    change = np.diff(energy, axis=1).ravel()
    bins = np.linspace(*np.quantile(np.concatenate([level, change]), [0.001, 0.999]), 50)
    ax.hist(level, bins, density=True, color=mlm.COLORS["data"], label="energy, about its mean")
    ax.hist(change, bins, density=True, histtype="step", linewidth=2, color=mlm.COLORS["estimate"], label="change")
    ax.set(title=f"{name} run", xlabel="energy (no unit)")
axes[0].set_ylabel("density")
axes[1].legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# All chains of the bad run fail: a single push moves the sampler a small part of the way between levels.
# `az.plot_energy` draws the same figure.
#
# **What it misses.** Everything that is not a matter of height: two separate peaks of the same height have a perfect energy.
#
# ## Divergences: did the path break?
#
# **What it compares.** A move is computed in small straight steps that should keep the energy constant.
# Where the density bends more sharply than the step is long, the energy error explodes; the move is stopped and its draw is marked as a *divergent transition*.
# The path could not go on, so draws from behind that place may be missing, and what is missing biases the answer.
#
# **Good** is none. **Bad** is any, until you have shown that it is harmless.
# **What to do.** Raise `target_accept`, which shortens the steps. If divergences stay, or the ESS is low, change the coordinates.
#
# First, count them in your two runs.

# %%
for name, idata in {"good": good, "bad": bad}.items():
    print(f"{name}: {int(idata['sample_stats']['diverging'].sum())} divergences in 4,000 draws")
assert good["sample_stats"]["diverging"].sum() == 0

# %% [markdown]
# The number of the bad run changes with the seed, and it can be zero.
# **No divergence does not mean no problem**: that run fails by R-hat, ESS and energy whatever this number is.
#
# To see divergences, give Nora's model coordinates that are not made for it: the logarithm of every standard deviation.
# Ask for long steps (0.5), for those of most software (0.8) and for short ones (0.99), three runs each.
# (Unless you say otherwise, `mlm.sample` uses `target_accept=0.9`, and 0.98 for cells of fewer than 500 observations.)
# Prior, data and posterior are those of before.

# %%
in_logs = mlm.compile_model(mlm.cell_model(cells, priors, coordinates="log"))
runs = {
    accept: [mlm.sample(in_logs, seed=SEED + i, target_accept=accept) for i in range(3)] for accept in (0.5, 0.8, 0.99)
}
divergences = {accept: [int(run["sample_stats"]["diverging"].sum()) for run in three] for accept, three in runs.items()}
pd.DataFrame(
    {
        accept: {
            "divergences in each run": divergences[accept],
            "gradients per draw": np.mean([run["sample_stats"]["n_steps"] for run in three]).round(1),
            "runs that pass": sum(mlm.efficiency(run)["converged"].iloc[0] for run in three),
        }
        for accept, three in runs.items()
    }
).T.rename_axis("target_accept")

# %% jupyter={"source_hidden": true} tags=["hide-input"]
assert sum(divergences[0.5]) > sum(divergences[0.99])

# %% [markdown]
# **Predict first.** The data know what two variances add up to, and hardly how the sum is split.
# So the draws of the next figure lie along a bent ridge.
# Will the divergent draws lie at the bend, at one end, or everywhere?

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two scatter plots of two standard deviations on logarithmic axes, the road's and a sorting center's. Grey dots, all draws, form a bent cloud. Orange crosses are divergent draws. Left, with long steps, crosses crowd on the side where the standard deviation of the road is small, and the cloud breaks off there; right, with shorter steps, the cloud reaches further to that side, with crosses mostly towards its end."}} tags=["hide-input"]
clouds = {}
_, axes = plt.subplots(1, 2, figsize=(10, 4.3), sharex=True, sharey=True)
for ax, accept in zip(axes, (0.5, 0.8), strict=True):
    clouds[accept] = pd.concat(
        run["posterior"]
        .to_dataset()[["sigma_baseline", "sigma_center"]]
        .isel(center=0, drop=True)
        .assign(diverging=run["sample_stats"]["diverging"])
        .to_dataframe()
        for run in runs[accept]
    )
    crosses = clouds[accept][clouds[accept]["diverging"]]
    ax.plot("sigma_baseline", "sigma_center", ".", data=clouds[accept], color="#A8A8A8", markersize=2, label="draw")
    ax.plot(
        "sigma_baseline", "sigma_center", "x", data=crosses, color=mlm.COLORS["alternative"], label="divergent draw"
    )
    ax.set(xscale="log", yscale="log", xlim=(0.2, 10), ylim=(0.1, 10), title=f"target_accept={accept}")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(FixedLocator([0.1, 0.2, 0.5, 1, 2, 5, 10]))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter("{x:g}")
    ax.set_xlabel("sigma_baseline (minutes)")
axes[0].set_ylabel("sigma_center of the Airport (minutes)")
axes[0].legend(loc="lower left")
plt.show()

# %%
# How often each run comes to a small sigma_baseline
reached = {f"target_accept={accept}": draws["sigma_baseline"] for accept, draws in clouds.items()}
reached["good run"] = good["posterior"]["sigma_baseline"].values.ravel()
for name, values in reached.items():
    print(f"{name}: {np.mean(values < 1.5):.2%} of the draws have a sigma_baseline below 1.5 minutes")
share_error = az.mcse((good["posterior"]["sigma_baseline"].values < 1.5).astype(float))
print(f"Monte Carlo error of the good run's share: {share_error:.2%}")
low = clouds[0.5][clouds[0.5]["diverging"]]["sigma_baseline"].median()
print(f"median sigma_baseline with long steps: {low:.2f} minutes of the divergent draws", end=", ")
print(f"{clouds[0.5]['sigma_baseline'].median():.2f} of all")

# %% jupyter={"source_hidden": true} tags=["hide-input"]
assert low < clouds[0.5]["sigma_baseline"].median()
assert np.mean(reached["target_accept=0.5"] < 1.5) < np.mean(reached["good run"] < 1.5)

# %% [markdown]
# The crosses crowd towards one end of the ridge, where `sigma_baseline` is small, and not at its bend.
# (A cross marks where the draw ended up, not the point at which its path broke; 03 shows the difference.)
# That is where the cloud thins out or breaks off: compare the first printed line with the third, the share of the good run.
# What is missing there is missing from every average.
#
# ### A few scattered crosses: good or bad?
#
# Look at the single runs at 0.8 in the table above: one has a handful of crosses, the next may have none, or two dozen.
# A handful is too few to crowd anywhere.
# You will read that scattered divergences are false alarms. Some are, and no picture tells which.
# So the rule of this course is: **they are bad until a run without them says the same**.
#
# 1. Raise `target_accept` until there are none.
# 2. Compare what you report with the run before, in Monte Carlo errors.
# 3. If both agree, the crosses were harmless, and you report the run without them. If not, they were the only sign of a bias. (The second printed line above, beside the third, begins such a comparison. With other parcels it may come out either way.)
# 4. If you cannot get rid of them, or only with steps so short that the ESS is too low, they are not a matter of the step. Change the coordinates.
#
# The table above has the last case: short steps remove the crosses, for several times as many gradients, and its last column says how many of those runs pass even so.
# In other coordinates, those of the good run, cheap steps do.
#
# ## What to do, in this order
#
# | what you see | what it says | what to do first |
# |---|---|---|
# | R-hat above 1.01, rank lines out of the band | chains are in different places | look at the chains; another parametrization |
# | E-BFMI below 0.3 | pushes are too weak for the heights to be climbed | another parametrization; longer warm-up and shorter steps leave the cause as it is |
# | divergences that crowd | part of the posterior is cut off there | shorter steps; then other coordinates of that place |
# | a few scattered divergences | perhaps the same, perhaps not | shorter steps until none is left, then compare |
# | ESS below 400, all else well | too few draws | more draws |
# | tail ESS alone below 400 | interval ends are not known yet | more draws, or report no intervals |
# | MCSE too large, all else well | the last digit is noise | fewer digits, or four times the draws for half the error |
#
# Do not drop a chain that looks odd, do not report the chain that looks best, and do not average runs that failed.
# Any single instrument can be content while another is not.
#
# ## Whose number goes to the manager?
#
# Nora's. Sam's run has not passed, so there is no number to send, however many digits it prints.
# Sam can run longer, but at the pace that his energies and his ESS show he would need many times the draws; [06](06_noncentered.ipynb) and [09](09_integrating_out.ipynb) have better cures.

# %%
interval = az.eti(good["posterior"]["sigma_baseline"].values.ravel())
print(f"the road alone: {number:.{decimals}f} minutes (89 % interval {interval[0]:.1f} to {interval[1]:.1f})")
print(f"the truth of the simulation: {parcels['baseline'].sigma[0]:.0f} minutes")
assert number + 0.6 < parcels["baseline"].sigma[0]

# %% [markdown]
# And it is wrong.
# Every instrument of this notebook is content, the chains have explored the posterior, and the truth lies far above its mean.
# No diagnostic of a sampler could have known.
# They say whether the draws represent *this model with this prior and these data*, and nothing about whether the model deserves it.
# That takes other instruments, and they are in [08](08_checking_a_model.ipynb).
#
# ## Check yourself
#
# The quiz asks about ideas.
# The [exercises](exercises/07_exercises.ipynb) let you use them, from easy to hard, and tell you at once whether you are right.

# %%
mlm.quiz("07")

# %% [markdown]
# ## What to remember
#
# - Look at the chains, then at R-hat (at most 1.01), bulk and tail ESS (at least 400), E-BFMI (above 0.3) and divergences (none), for everything that you report. Each of them can pass while another fails.
# - A rank plot says which chain is elsewhere, and where; its band is simultaneous.
# - Read the MCSE last. It limits the digits, and it means nothing while chains disagree.
# - Divergences are bad until a run without them says the same.
# - The usual cure is a better parametrization, not a longer run.
# - A run that passes everything can still be far from the truth.
#
# ## Going further
#
# - Vehtari, A., Gelman, A., Simpson, D., Carpenter, B. and Bürkner, P.-C. (2021). Rank-normalization, folding, and localization: an improved R-hat for assessing convergence of MCMC. *Bayesian Analysis* 16(2), 667-718. [doi:10.1214/20-BA1221](https://doi.org/10.1214/20-BA1221)
# - Säilynoja, T., Bürkner, P.-C. and Vehtari, A. (2022). Graphical test for discrete uniformity and its applications in goodness-of-fit evaluation and multiple sample comparison. *Statistics and Computing* 32, 32. [doi:10.1007/s11222-022-10090-6](https://doi.org/10.1007/s11222-022-10090-6)
# - Betancourt, M. (2017). A conceptual introduction to Hamiltonian Monte Carlo. [arXiv:1701.02434](https://arxiv.org/abs/1701.02434)

# %%
print(mlm.version_line())
