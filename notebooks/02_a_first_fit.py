# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 02 A first fit
#
# On 15 January 2013 one Hawaiian jet left New York and made up 47 minutes on its way to Honolulu.
# Two Frontier flights to Denver lost 20 and 32 minutes.
# Are Hawaiian's pilots the best in town, and Frontier's the worst?
#
# You would not say so after three flights. You would say it after three thousand.
# Somewhere between three and three thousand lies a rule for how far to trust an average.
# In this notebook the data find that rule.
#
# **You will learn**
#
# 1. to turn a prior and a likelihood into a posterior, by hand for one carrier;
# 2. to write a model of all carriers in PyMC, sample it, and judge whether the draws can be trusted;
# 3. to say what complete, no and partial pooling assume, and to predict whose estimate is shrunk most;
# 4. to learn how far carriers differ, to see whether the prior of that spread matters, and to predict a carrier that you have never seen.
#
# **You need** notebook [01](01_simulating_sums.ipynb): mean, standard deviation, standard error, normal distribution. No Bayesian statistics.
#
# **Time** 40 minutes to read, less than a minute to run.

# %%
import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm
from scipy import stats

import mlm_tutorial as mlm

SEED = mlm.notebook_seed(202)
rng = np.random.default_rng(SEED)
mlm.use_style()

# %% [markdown]
# ## Three flights, three hundred, and a whole year
#
# Each row is a flight from one of New York's three airports.
# It leaves `dep_delay` minutes late and arrives `arr_delay` minutes late; a negative number is early.
# The difference is what it lost on the way: `minutes_lost = arr_delay - dep_delay`.
# A flight with -47 minutes lost made up 47 minutes.
# These are the three flights of the first paragraph.

# %%
flights = mlm.load_flights()
airlines = mlm.load_airlines().str.replace(r" (Inc\.|Co\.|Corporation)$", "", regex=True)  # names by code
columns = ["carrier", "origin", "dest", "dep_delay", "arr_delay", "minutes_lost"]
first_three = flights.query("month == 1 and day == 15 and carrier in ['HA', 'F9']")[columns]
assert set(first_three["minutes_lost"]) == {-47, 20, 32}
first_three

# %% [markdown]
# Now imagine that you can afford to look at 300 flights.
# The table has more than 300,000, so draw 300 of them at random and put the rest aside.
# The rest is a luxury that few textbooks have: a truth to check every answer against.
# The sample goes into the estimates; the rest is opened at the end.

# %%
sample = flights.sample(300, random_state=rng)
rest = flights.drop(sample.index)
by_carrier = sample.groupby("carrier", observed=False)["minutes_lost"].agg(["size", "mean"])
n, average = by_carrier["size"], by_carrier["mean"]  # a carrier without a flight has no average: NaN
print(f"{len(sample)} flights in the sample, {len(rest):,} in the rest")
print(f"a flight of the sample lost {sample['minutes_lost'].mean():.1f} minutes on average")
print(f"carriers with one or two flights: {n.between(1, 2).sum()}; with none: {(n == 0).sum()}")

# %% [markdown]
# **Predict first.** Rank the carriers by their averages in the sample.
# Some have fifty flights in it and some have one.
# Who will stand at the two ends of the ranking?

# %%
ranking = by_carrier.dropna().sort_values("mean").assign(name=lambda table: airlines[table.index])
ranking.columns = ["flights", "average minutes lost", "name"]
ranking.round(1)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Average minutes lost of each carrier in the sample against its number of flights on a logarithmic axis. Averages of one or a few flights spread over tens of minutes; those of thirty flights and more lie within several minutes of the dotted line, the average of all flights."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(8, 4))
seen = average[n > 0].index
overall = sample["minutes_lost"].mean()
ax.axhline(overall, color="#8A8A8A", linestyle=":", linewidth=1.5, label="average of all flights of the sample")
ax.plot(n[seen], average[seen], "o", mfc="white", mec=mlm.COLORS["alternative"], label="average of a carrier")
for code in seen:
    ax.annotate(code, (n[code], average[code]), xytext=(5, 3), textcoords="offset points", fontsize=8)
ax.set_xscale("log")
ax.set_xticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
ax.minorticks_off()
ax.set_xlabel("flights of the carrier in the sample")
ax.set_ylabel("average minutes lost")
ax.legend(loc="lower right", fontsize=9)
plt.show()

# %% [markdown]
# The carriers with few flights spread widely.
# Those with many flights huddle near the dotted line.
# You know the reason from [01](01_simulating_sums.ipynb): an average of $n$ flights has the standard error $s/\sqrt n$.
# A single flight scatters by some 18 minutes, so an average of one flight does too; an average of fifty scatters by two or three.
# So a ranking by averages tends to put small carriers at its ends, whether or not they are special.
#
# There are two easy ways out, and both are wrong.
# You may believe every average as it stands.
# Or you may believe that all carriers are equal and that only the average of all flights counts.
# Something between them is needed, and it has to treat one flight differently from fifty.
#
# ## Prior times likelihood is posterior
#
# Start with one unknown number: Hawaiian's **mean**, the minutes that its flights lose in the long run.
# It takes three steps to learn about it from a single flight.
#
# 1. *Before the flight.* You know how airlines are: their means lie around -5 minutes, most of them within 5 minutes of that.
#    Written as a distribution, this is the **prior**: Normal(-5, 5).
# 2. *The flight.* Flights of one carrier scatter about its mean by 18 minutes or so.
#    For every candidate mean $m$, the density of Normal($m$, 18) at the observed -47 says how well $m$ explains the flight.
#    As a function of $m$, this is the **likelihood**.
# 3. *After the flight.* Multiply the two, candidate by candidate, and scale the product so that it integrates to 1.
#    This is the **posterior**: what you believe about the mean, given the flight.
#
# That is Bayes' rule. All that follows in this course is the same step for more unknowns, and ways to check it.
# The three numbers -5, 5 and 18 are borrowed for the moment; the next section learns them from the sample.
#
# **Predict first.** A typical carrier has -5, and Hawaiian's only flight has -47.
# Write down a number between them: your estimate of Hawaiian's mean.

# %%
step = 0.1
candidate = np.arange(-80, 60, step)  # candidates for the mean, in minutes
prior = stats.norm.pdf(candidate, -5, 5)


def posterior_of_mean(minutes):
    """Return likelihood and posterior of a carrier's mean on the grid, given its flights."""
    likelihood = np.prod([stats.norm.pdf(x, candidate, 18) for x in minutes], axis=0)
    posterior = prior * likelihood
    return likelihood, posterior / (posterior.sum() * step)


by_hand = {"Hawaiian, one flight": [-47], "Frontier, two flights": [20, 32]}
for name, minutes in by_hand.items():
    _, posterior = posterior_of_mean(minutes)
    center = (candidate * posterior).sum() * step
    spread = np.sqrt(((candidate - center) ** 2 * posterior).sum() * step)
    print(f"{name}: average {np.mean(minutes):+.0f}, posterior mean {center:+.1f}, standard deviation {spread:.1f}")

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two panels, Hawaiian and Frontier, with three curves over the carrier's mean in minutes lost: a prior centered at minus 5, a wide and flat likelihood centered at the average of the flights, and a posterior that is a little narrower than the prior and moved a little way toward the flights."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(10, 3.5), sharey=True)
for ax, (name, minutes) in zip(axes, by_hand.items(), strict=True):
    likelihood, posterior = posterior_of_mean(minutes)
    ax.plot(candidate, prior, color=mlm.COLORS["prior"], linestyle="--", label="prior")
    scaled = likelihood / (likelihood.sum() * step)
    ax.plot(candidate, scaled, color=mlm.COLORS["alternative"], linestyle=":", label="likelihood, scaled to area 1")
    ax.fill_between(candidate, posterior, color=mlm.COLORS["estimate"], alpha=0.25)
    ax.plot(candidate, posterior, color=mlm.COLORS["estimate"], label="posterior")
    ax.plot(minutes, np.zeros(len(minutes)), "|", color=mlm.COLORS["truth"], markersize=16, label="flights")
    ax.set_title(name)
    ax.set_xlabel("the carrier's mean (minutes lost)")
axes[0].set_ylabel("density")
axes[1].legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# The posterior hardly leaves the prior.
# A flight that scatters by 18 minutes is a weak witness against a prior that is 5 minutes wide.
# The pull of an estimate from its own average toward a common value is called **shrinkage**.
#
# For normal distributions you can do it without a grid.
# Call the prior Normal($\mu$, $\tau$), the scatter of flights $\sigma$, the number of flights $n$ and their average $\bar x$.
# A **precision** is one over a variance.
# The prior's precision is $1/\tau^2$, that of an average of $n$ flights is $n/\sigma^2$, and the two add up.
# The posterior mean is an average of both sides, each weighted by its precision:
#
# $$
# w\,\bar x + (1-w)\,\mu, \qquad w = \frac{n/\sigma^2}{n/\sigma^2 + 1/\tau^2}, \qquad
# \text{standard deviation}\ \frac{1}{\sqrt{n/\sigma^2 + 1/\tau^2}} .
# $$

# %%
for name, minutes in by_hand.items():
    data, before = len(minutes) / 18**2, 1 / 5**2  # precisions
    w = data / (data + before)
    center = w * np.mean(minutes) + (1 - w) * -5
    _, posterior = posterior_of_mean(minutes)
    np.testing.assert_allclose(center, (candidate * posterior).sum() * step, atol=0.01)
    print(f"{name}: weight of its own flights {w:.2f}, posterior mean {center:+.1f}")

# %% [markdown]
# Formula and grid agree to a hundredth of a minute; the cell would have stopped otherwise.
#
# So far so good, but who gave you -5, 5 and 18?
# The 5 matters most: it is how far carriers differ, and it decides how far to trust an average.
# The data know something about it, because there are 16 carriers.
#
# ## One page of code learns all of it at once
#
# Say what is unknown, and give each unknown a prior.
#
# | unknown | in words | prior |
# |---|---|---|
# | `mu_baseline` | where the carriers' means lie | Normal(0, 20): anywhere between 40 minutes made up and 40 lost |
# | `tau` | how far the carriers' means differ | half-normal with scale 10: from nothing to some 20 minutes |
# | `sigma` | how far flights of one carrier scatter | half-normal with scale 30: up to an hour |
# | `carrier_mean` | a mean for each of 16 carriers | Normal(`mu_baseline`, `tau`) |
#
# A *half-normal* distribution is the positive half of a normal one, made for standard deviations.
#
# The last row is the idea of this whole course.
# The carriers' prior is not given: its center and its spread are unknowns too, and are learned together with the means.
# A mean is written as `mu_baseline + tau * z` with a standard normal `z`, which is the same as Normal(`mu_baseline`, `tau`).
# This form is easier to sample when some carriers have few flights; notebooks [05](05_centered.ipynb) and [06](06_noncentered.ipynb) show why.

# %%
carriers = flights["carrier"].cat.categories.tolist()
position = sample["carrier"].cat.codes.to_numpy()  # of each flight's carrier in that list
lost = sample["minutes_lost"].to_numpy()

with pm.Model(coords={"carrier": carriers}) as model:
    code = pm.Data("code", position)
    minutes = pm.Data("minutes", lost)
    tau_scale = pm.Data("tau_scale", 10.0)

    mu_baseline = pm.Normal("mu_baseline", 0, 20)
    tau = pm.HalfNormal("tau", tau_scale)
    sigma = pm.HalfNormal("sigma", 30)
    z = pm.Normal("z", 0, 1, dims="carrier")
    carrier_mean = pm.Deterministic("carrier_mean", mu_baseline + tau * z, dims="carrier")
    pm.Normal("minutes_lost", carrier_mean[code], sigma, observed=minutes)

compiled = mlm.compile_model(model)

# %% [markdown]
# Read the model from its last line up.
# The last line is the likelihood: each flight is normal about the mean of *its* carrier, and `observed` says that flights are data.
# `carrier_mean[code]` picks the right mean for each of the 300 flights.
# Every other line with a distribution is a prior.
# `dims="carrier"` makes one value for each carrier in `coords`, and `pm.Deterministic` keeps a quantity that is computed from unknowns.
# `pm.Data` holds numbers that can be exchanged later without compiling again, such as another 300 flights.
#
# There are 19 unknowns now, and a grid with 100 candidates for each would have $10^{38}$ points.
# So nobody computes the posterior on a grid.
# A **sampler** walks through the space of the unknowns, so that it visits each region as often as the posterior says.
# Each stop is a **draw**: one value for every unknown at once.
# A walk is a **chain**; four chains start at different places and know nothing of each other.
# Averages over draws are averages over the posterior.
# How the sampler finds its way is the subject of [03](03_how_the_sampler_walks.ipynb); its name here is nutpie.
# `mlm.compile_model` turns the model into fast code once, and `mlm.sample` lets nutpie walk four chains with it.

# %%
idata = mlm.sample(compiled, seed=SEED, draws=2000, target_accept=0.99)
az.summary(idata, var_names=["mu_baseline", "tau", "sigma"], kind="stats").round(2)

# %% [markdown]
# `target_accept=0.99` asks for small, careful steps.
# The table gives the posterior mean, the standard deviation and the two ends of an 89 % interval of each unknown: given model and data, it lies there with probability 0.89.
# (Why 89? It is ArviZ's default, and no more arbitrary than 95.)
# Compare with the borrowed numbers -5, 5 and 18: those were somebody's guess, and these come with a plus and minus.
# The draws themselves are in `idata["posterior"]`, by name, with one row a chain.
#
# ## Four chains that agree
#
# Before you believe a table, look at the walks.
# Below, each color is a chain.
# On the left are its draws as a distribution, on the right the same draws in the order in which they were made, which is called a **trace**.
#
# **Predict first.** If all four chains sample the same posterior, what should the right side look like?

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Traces of mu_baseline, tau and sigma in minutes. Left, four density curves, one a chain, that nearly coincide. Right, the draws in order: four bands of noise that overlap over the whole length, without trend, jump or pause."}} tags=["hide-input"]
fig, axes = plt.subplots(3, 2, figsize=(10, 6), width_ratios=[1, 2])
chain_colors = plt.get_cmap("viridis")(np.linspace(0, 0.9, idata["posterior"].sizes["chain"]))
for (left, right), name in zip(axes, ["mu_baseline", "tau", "sigma"], strict=True):
    for values, color in zip(idata["posterior"][name].values, chain_colors, strict=True):
        grid = np.linspace(values.min(), values.max(), 200)
        left.plot(grid, stats.gaussian_kde(values)(grid), color=color)
        right.plot(values, color=color, linewidth=0.4, alpha=0.8)
    left.set_xlabel(f"{name} (minutes)")
    left.set_ylabel("density")
    right.set_ylabel(f"{name}\n(minutes)")
axes[-1, 1].set_xlabel("draw")
plt.show()

# %% [markdown]
# These are healthy chains.
# The four colors cover the same range: no chain sits somewhere else.
# There is no trend, so none is still on its way.
# No flat piece shows a chain that got stuck.
# A right side like this is said to look like a hairy caterpillar.
# `tau` ends at zero, because a spread cannot be negative.
#
# Eyes are not enough for 19 unknowns, so three numbers go with every fit.
#
# - **R-hat** compares the spread of all draws with the spread within single chains. It is 1 when chains agree; at most 1.01 is accepted.
# - **Effective draws**: neighboring draws are alike, so 8,000 of them are worth fewer independent ones. At least 400 are asked for.
# - **Divergences** are steps that went wrong. None is accepted.
#
# `mlm.check_convergence` looks at all unknowns and stops with an error if a limit is missed.
# Notebook [07](07_diagnostics.ipynb) takes these numbers apart.

# %%
mlm.check_convergence(idata)

# %% [markdown]
# What would this check have noticed?
# Try it: shift one of the four chains of `mu_baseline` by a fraction of its standard deviation, and look at R-hat.

# %%
draws = idata["posterior"]["mu_baseline"].values  # one row a chain
for shift in [0, 0.1, 0.2, 0.3, 0.4, 0.5]:
    moved = draws.copy()
    moved[0] += shift * draws.std()
    r_hat = float(az.rhat(moved))
    print(f"one chain off by {shift:.1f} standard deviations: R-hat {r_hat:.3f}", "" if r_hat <= 1.01 else "refused")

# %% [markdown]
# A chain that is off by half a standard deviation is noticed; one that is off by a tenth is not.
# And four chains that all missed the same region would look as healthy as these.
# The check can refuse a run. It cannot prove one.
#
# ## Complete, no and partial pooling
#
# *Pooling* means to let carriers share what they know.
# The spread `tau` is a dial for it.
#
# - **Complete pooling**, `tau = 0`: all carriers have the same mean.
# - **No pooling**, `tau` without limit: the others say nothing about a carrier; each mean is learned from its own flights alone.
# - **Partial pooling**: `tau` is learned, as above.
#
# To have all three side by side, write the page once more with one change: `tau` is now a number that you set.

# %%
with pm.Model(coords={"carrier": carriers}) as fixed_model:
    tau = pm.Data("tau", 0.0)  # a number, no longer an unknown
    mu_baseline = pm.Normal("mu_baseline", 0, 20)
    sigma = pm.HalfNormal("sigma", 30)
    z = pm.Normal("z", 0, 1, dims="carrier")
    carrier_mean = pm.Deterministic("carrier_mean", mu_baseline + tau * z, dims="carrier")
    pm.Normal("minutes_lost", carrier_mean[position], sigma, observed=lost)

fixed = mlm.compile_model(fixed_model)
fits = {
    "complete": mlm.sample(fixed.with_data(tau=0.0), seed=SEED, draws=2000),
    "no": mlm.sample(fixed.with_data(tau=1000.0), seed=SEED, draws=2000),
    "partial": idata,
}
pd.DataFrame({name: mlm.check_convergence(fit) for name, fit in fits.items()}).round(3)

# %% [markdown]
# **Predict first.** In the figure below, a line leads from each carrier's estimate without pooling to its estimate with partial pooling.
# Whose line will be longest, in minutes?
# And who loses the largest part of the distance to the common value?

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "One row for each carrier, sorted by its number of flights in the sample, over minutes lost. Open circles are estimates without pooling with wide intervals for carriers with few flights, filled dots those with partial pooling with shorter intervals, joined by lines. Dots lie on the way from the circles to the dotted vertical line of complete pooling. For fifty flights circle and dot nearly coincide, for one flight they may lie far apart. Carriers without a flight have a dot but no circle."}} tags=["hide-input"]
estimates = {name: fit["posterior"]["carrier_mean"].mean(["chain", "draw"]).values for name, fit in fits.items()}
estimates = pd.DataFrame(estimates, index=carriers)
order = n.sort_values(ascending=False, kind="stable").index


def draw_estimates(ax, intervals=True):
    """Draw no and partial pooling of every carrier, one row each, with a line for complete pooling."""
    for row, code in enumerate(order):
        for name, shift, color in (("no", -0.17, "alternative"), ("partial", 0.17, "estimate")):
            if not intervals:
                continue
            if name == "no" and n[code] == 0:
                place = {"xy": (0.99, row - 0.1), "xycoords": ("axes fraction", "data"), "ha": "right"}
                ax.annotate("no answer without pooling", **place, fontsize=8, color=mlm.COLORS[color])
                continue
            values = fits[name]["posterior"]["carrier_mean"].sel(carrier=code)
            ax.hlines(row + shift, *np.quantile(values, [0.055, 0.945]), color=mlm.COLORS[color], linewidth=1.2)
        if n[code]:
            pair = estimates.loc[code, ["no", "partial"]]
            ax.plot(pair, [row - 0.17, row + 0.17], color="#8A8A8A", linewidth=0.9, zorder=1)
    there = n[order].to_numpy() > 0
    rows = np.arange(len(order))
    no, partial = (estimates.loc[order, name].to_numpy() for name in ("no", "partial"))
    ax.plot(no[there], rows[there] - 0.17, "o", mfc="white", mec=mlm.COLORS["alternative"], label="no pooling")
    ax.plot(partial, rows + 0.17, "o", color=mlm.COLORS["estimate"], markersize=5, label="partial pooling")
    ax.axvline(estimates["complete"].mean(), color="#8A8A8A", linestyle=":", linewidth=1.5, label="complete pooling")
    ax.set_yticks(rows, [f"{airlines[code]} ({n[code]})" for code in order])
    ax.set_ylim(len(order) - 0.4, -0.6)
    ax.set_xlabel("mean of the carrier (minutes lost)")
    ax.set_ylabel("carrier (flights in the sample)")


fig, ax = plt.subplots(figsize=(10, 6))
draw_estimates(ax)
ax.hlines([], 0, 0, color=mlm.COLORS["truth"], linewidth=1.2, label="89 % interval")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
move = (estimates["partial"] - estimates["no"]).abs()[n > 0]
posterior = idata["posterior"]
typical = {name: float(posterior[name].mean()) for name in ("mu_baseline", "tau", "sigma")}
weight = (n / typical["sigma"] ** 2) / (n / typical["sigma"] ** 2 + 1 / typical["tau"] ** 2)
table = pd.DataFrame({"flights": n, "weight": weight, "no": estimates["no"], "partial": estimates["partial"]})
table = table[n > 0].assign(moved=move).sort_values("moved", ascending=False)
top = move.idxmax()
print(f"{airlines[top]} moves furthest: {move[top]:.1f} minutes, with {n[top]} flight(s) in the sample.")
half = (typical["sigma"] / typical["tau"]) ** 2
print(f"One flight has the weight {1 / (1 + half):.2f}; a carrier keeps half its distance with {half:.0f} flights.")
table.round(2)

# %% [markdown]
# Who is shrunk most?
# The carriers with the fewest flights lose the largest part of their distance: the column `weight` is what they keep.
# How many minutes that is depends on the distance too.
# A carrier with one flight that happened to be ordinary has nowhere to go.
#
# The column comes from the formula by hand, with the posterior means of `tau` and `sigma` in place of the borrowed 5 and 18.
# The model needed no formula, and it does one thing more: it knows that `tau` is uncertain.
#
# Without pooling, a carrier with no flight gets no answer: its interval is thousands of minutes wide.
# With partial pooling it gets the answer that a sensible person would give: it is probably like the others.
#
# Check that the fixed fits are what they claim to be: no pooling should return the plain averages, and complete pooling the average of all flights.

# %%
pooled_sd = float(fits["complete"]["posterior"]["mu_baseline"].std())
own_sd = fits["no"]["posterior"]["carrier_mean"].std(["chain", "draw"]).values
off_own = np.abs(estimates["no"] - average)[n > 0] / own_sd[n > 0]
off_complete = abs(estimates["complete"].iloc[0] - overall) / pooled_sd
print(f"No pooling against plain averages: at most {off_own.max():.2f} posterior standard deviations apart.")
print(f"Complete pooling against the average of all flights: {off_complete:.2f} apart.")
assert off_own.max() < 0.25  # draws worth 400 independent ones or more: five standard errors
assert off_complete < 0.25

# %% [markdown]
# ## The data turn the dial
#
# What does the learned `tau` do to the estimates?
# Turn the dial by hand: fix `tau` at every value in turn and compute all carriers' estimates by the formula.
# For `mu_baseline`, take the average of the carriers' averages.
# Each scatters about `mu_baseline` with the variance $\tau^2 + \sigma^2 / n$, and one over that is its weight.


# %%
def estimates_at(tau, sigma):
    """Return the carriers' posterior means for a given spread, with a flat prior of mu_baseline."""
    own = average[seen]
    variance = sigma**2 / n[seen]  # of a carrier's average about its mean
    mu = np.average(own, weights=1 / (variance + tau**2))
    w = tau**2 / (tau**2 + variance)
    return w * own + (1 - w) * mu


dial = np.geomspace(0.1, 100, 200)
curves = np.array([estimates_at(tau, typical["sigma"]) for tau in dial])

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Upper panel: estimates of all carriers in minutes lost against the spread tau on a logarithmic axis from 0.1 to 100 minutes. At the left all lines meet in one value, complete pooling; to the right they fan out to the averages of the sample, no pooling. Lines of carriers with few flights leave the common value last. Lower panel: a histogram of the draws of tau, from where the lines are still together to where they fan out."}} tags=["hide-input"]
fig, (upper, lower) = plt.subplots(2, 1, figsize=(8, 6), sharex=True, height_ratios=[3, 1])
for code, curve in zip(seen, curves.T, strict=True):
    few = n[code] <= 2
    upper.plot(dial, curve, color=mlm.COLORS["alternative" if few else "estimate"], linewidth=1.6 if few else 1)
upper.plot([], [], color=mlm.COLORS["alternative"], label="carriers with one or two flights")
upper.plot([], [], color=mlm.COLORS["estimate"], label="the others")
upper.legend(loc="upper left", title="complete pooling is left, no pooling is right", fontsize=9, title_fontsize=9)
upper.set_ylabel("estimated mean\n(minutes lost)")
tau_draws = posterior["tau"].values.ravel()
lower.hist(tau_draws, bins=np.geomspace(0.1, 100, 61), color=mlm.COLORS["data"], edgecolor=mlm.COLORS["truth"], lw=0.3)
lower.set_xscale("log")
lower.set_xticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
lower.set_xlabel("tau: how far carriers differ (minutes)")
lower.set_ylabel("posterior draws")
plt.show()

# %% [markdown]
# On the left all carriers are one, on the right each stands alone.
# The draws of `tau` say how far along the lines these 300 flights lead, and they leave much room.
# Partial pooling is the average of each line over all these draws, not its value at one of them.
# Check it: the formula, averaged over draws of `tau`, against the model.

# %%
over_draws = np.mean([estimates_at(tau, typical["sigma"]) for tau in tau_draws[::20]], axis=0)
own_sd = posterior["carrier_mean"].sel(carrier=list(seen)).std(["chain", "draw"]).values
apart = np.abs(over_draws - estimates.loc[seen, "partial"]) / own_sd
print(f"formula and model are at most {apart.max():.2f} posterior standard deviations apart")
assert apart.max() < 0.35  # the formula takes sigma as known and no prior of mu_baseline

# %% [markdown]
# ## Does the answer depend on the prior of the spread?
#
# You chose a half-normal prior with scale 10 for `tau`.
# Somebody else would have chosen another.
# Andrew Gelman (2006) showed that a popular prior of the variance $\tau^2$ which pretends to say nothing, the inverse gamma, can distort the answer.
# He suggests a uniform prior of the spread itself, or, with few contributors, a half-t prior, the positive half of a t distribution.
# The half-Cauchy, with its long tail, and the half-normal are the two ends of the half-t family; a very wide half-normal is nearly uniform.
#
# **Predict first.** The prior's scale goes from 10 to 100 minutes, ten times as wide.
# How many minutes will the most sensitive carrier's estimate move?

# %%
with pm.Model(coords={"carrier": carriers}) as cauchy_model:
    mu_baseline = pm.Normal("mu_baseline", 0, 20)
    tau = pm.HalfCauchy("tau", 10)
    sigma = pm.HalfNormal("sigma", 30)
    z = pm.Normal("z", 0, 1, dims="carrier")
    carrier_mean = pm.Deterministic("carrier_mean", mu_baseline + tau * z, dims="carrier")
    pm.Normal("minutes_lost", carrier_mean[position], sigma, observed=lost)

careful = {"seed": SEED, "draws": 2000, "target_accept": 0.99}
by_prior = {
    "half-normal, scale 10": idata,
    "half-normal, scale 100": mlm.sample(compiled.with_data(tau_scale=100.0), **careful),
    "half-Cauchy, scale 10": mlm.sample(cauchy_model, **careful),
    "half-normal, scale 0.5": mlm.sample(compiled.with_data(tau_scale=0.5), **careful),
}
rows = {}
for name, fit in by_prior.items():
    mlm.check_convergence(fit)
    tau_of = fit["posterior"]["tau"]
    means = fit["posterior"]["carrier_mean"].mean(["chain", "draw"])
    change = np.abs(means.values - estimates["partial"])
    low, middle, high = np.quantile(tau_of, [0.055, 0.5, 0.945])
    rows[name] = {"tau: 5.5 %": low, "median": middle, "94.5 %": high, "largest change (minutes)": change.max()}
prior_table = pd.DataFrame.from_dict(rows, orient="index")
prior_table.round(1)

# %% [markdown]
# The first three priors differ greatly, and the answers little: sixteen carriers and 300 flights say enough about `tau` to overrule them.
# Compare the last column with the width of the carriers' intervals in the figure above.
# The last prior is of another kind.
# It says beforehand that carriers differ by about a minute at most, and no data of this size can argue with that: the estimates end up near complete pooling.
# A wide prior for a spread is a question; a narrow one is an answer.
#
# With three or four carriers instead of sixteen, expect the first three to differ more; Gelman shows it with three schools.
# So the habit to take away is this cell: change the prior, fit again, and look.
#
# ## A carrier that nobody has seen
#
# Next year a seventeenth airline comes to New York.
# What will its mean be, and what will its first flight lose?
# The model has the answer already: the new mean comes from Normal(`mu_baseline`, `tau`), the flight from Normal(mean, `sigma`).
# Draw both once for every draw of the posterior, and all uncertainty is carried along.
#
# **Predict first.** Which will be wider: the interval of the new carrier's mean, or that of its first flight?

# %%
flat = az.extract(idata)  # chains joined: one long row of draws
new_mean = rng.normal(flat["mu_baseline"], flat["tau"])
new_flight = rng.normal(new_mean, flat["sigma"])

for what, values in (("mean", new_mean), ("first flight", new_flight)):
    low, high = np.quantile(values, [0.055, 0.945])
    print(f"{what} of a new carrier: {values.mean():+.0f} minutes lost, 89 % interval {low:+.0f} to {high:+.0f}")
print(f"chance that its first flight loses more than 15 minutes: {np.mean(new_flight > 15):.0%}")
for code in carriers:
    if n[code] == 0:
        low, high = np.quantile(flat["carrier_mean"].sel(carrier=code), [0.055, 0.945])
        print(f"{airlines[code]}, not in the sample: mean {low:+.0f} to {high:+.0f}")

# %% [markdown]
# A carrier that is missing in the sample is such a newcomer, and the model treats it as one: its interval is that of the new mean.
# The flight's interval is several times as wide, because flights of one carrier scatter far more than carriers differ.
#
# ## Open the rest of the year
#
# Now compare the three estimates with the truth: the carriers' means in the flights that were put aside.
# The measure is the root mean square error (**RMSE**): the errors of the carriers squared, averaged, and the root of it.
# Without pooling there is no estimate for a carrier without a flight.
# So the three are compared on the same carriers, those that the sample contains; the others are shown on a line of their own.


# %%
def rmse(errors):
    return np.sqrt(np.mean(np.square(errors)))


truth = rest.groupby("carrier", observed=False)["minutes_lost"].mean()
errors = estimates.sub(truth, axis=0)
for name in ("no", "complete", "partial"):
    print(f"{name:8s} pooling: error {rmse(errors.loc[n > 0, name]):.1f} minutes over {(n > 0).sum()} carriers")
if (n == 0).any():
    print(f"carriers not in the sample, partial pooling: {rmse(errors.loc[n == 0, 'partial']):.1f} minutes")

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "One row for each carrier, sorted by its number of flights in the sample, over minutes lost. Open circles without pooling, filled dots with partial pooling, and black diamonds for the mean in the rest of the year. Circles of carriers with few flights lie far out on both sides, dots close to the dotted line of complete pooling, and the diamonds on either side of both."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(10, 6))
draw_estimates(ax, intervals=False)
rows = np.arange(len(order))
ax.plot(truth[order], rows, "D", color=mlm.COLORS["truth"], fillstyle="none", label="rest of the year")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# Shrinking does not improve every estimate.
# A carrier that is truly unusual is pulled away from its truth, and others gain; the measure is the error over all.
#
# (The truth is itself an average. For SkyWest it is one of fewer than thirty flights and uncertain by two or three minutes; for most carriers by a tenth or so.)
#
# One sample may have been luck.
# Having the year, you can do what no analyst of 300 flights can: draw 40 such samples and repeat everything.
# For no and complete pooling the averages do, as the check above showed.
# Partial pooling is fitted with the model itself, which needs no new compilation.
# Every fit is checked; one that misses a limit is repeated with more draws and smaller steps, and has to pass then.


# %%
large = flights["carrier"].value_counts(sort=False) >= 10_000  # flights in the year


def fit_partial(part, seed):
    """Return draws of the carriers' means from a converged fit to 300 flights, and whether it was repeated."""
    data = compiled.with_data(code=part["carrier"].cat.codes.to_numpy(), minutes=part["minutes_lost"].to_numpy())
    fit, repeated = mlm.sample(data, seed=seed, target_accept=0.95), False
    try:
        mlm.check_convergence(fit)
    except mlm.ConvergenceError:
        fit, repeated = mlm.sample(data, seed=seed, draws=5000, target_accept=0.995), True
        mlm.check_convergence(fit)
    return fit["posterior"]["carrier_mean"], repeated


def one_trial(part, seed):
    """Return the errors of the three estimates from one sample against the rest of the year."""
    means, repeated = fit_partial(part, seed)
    truth = flights.drop(part.index).groupby("carrier", observed=False)["minutes_lost"].mean()
    own = part.groupby("carrier", observed=False)["minutes_lost"].mean()
    there = own.notna()
    partial = means.mean(["chain", "draw"]).values
    low, high = np.quantile(means, [0.055, 0.945], axis=(0, 1))
    return {
        "no": rmse((own - truth)[there]),
        "complete": rmse((part["minutes_lost"].mean() - truth)[there]),
        "partial": rmse((partial - truth)[there]),
        "covered, large carriers": np.mean((low <= truth)[large] & (truth <= high)[large]),
        "covered, small carriers": np.mean((low <= truth)[~large] & (truth <= high)[~large]),
        "repeated": repeated,
    }


trials = pd.DataFrame([one_trial(flights.sample(300, random_state=rng), SEED + k) for k in range(40)])

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Three rows of dots, one dot for each of 40 samples, over the error of the carriers' means in minutes. Without pooling the dots spread widely and far to the right; with complete pooling they lie close together; with partial pooling they lie close together too, most a little farther left. A vertical bar marks the average of each row."}} tags=["hide-input"]
kinds = ["no", "complete", "partial"]
fig, ax = plt.subplots(figsize=(8, 3))
for row, (name, color) in enumerate(zip(kinds, ["alternative", "truth", "estimate"], strict=True)):
    height = row + np.linspace(-0.22, 0.22, len(trials))
    ax.plot(trials[name], height, "o", color=mlm.COLORS[color], alpha=0.55, markersize=5)
    ax.vlines(trials[name].mean(), row - 0.38, row + 0.38, color=mlm.COLORS[color], linewidth=2.5)
ax.set_yticks(range(3), [f"{name} pooling" for name in kinds])
ax.set_ylim(2.5, -0.5)
ax.set_xlim(0)
ax.set_xlabel("error of the carriers' means (RMSE, minutes)")
plt.show()

# %%
for name in kinds:
    print(f"{name:8s} pooling: {trials[name].mean():.1f} minutes on average over {len(trials)} samples")
nearest = (trials["partial"] < trials[["no", "complete"]].min(axis=1)).mean()
print(f"partial pooling is nearest in {nearest:.0%} of the samples")
for name in ("no", "complete"):
    gain = trials[name] - trials["partial"]
    print(f"gain over {name} pooling: {gain.mean():.2f} minutes, standard error {gain.sem():.2f}")
    assert (gain > 0).mean() > 0.5  # partial pooling is nearer in most of the samples
print(f"fits that were repeated: {trials['repeated'].sum()} of {len(trials)}")

# %% [markdown]
# No pooling is worst: it believes every single flight.
# Complete pooling does better by believing none.
# Partial pooling is better than either, on average and in most samples, and nobody told it how far to trust an average.
# It is not nearest every time: now and then one of the other two happens to be.
#
# ## Is Hawaiian the best?
#
# Back to 15 January.
# Suppose that a carrier is known by one such flight alone, and that all else is as the model learned it.
# What should you believe, and what did the year say?

# %%
year = flights.groupby("carrier", observed=False)["minutes_lost"].agg(["size", "mean", "std"]).sort_values("mean")
year["standard error"] = year["std"] / np.sqrt(year["size"])
assert (flights.loc[flights["carrier"] == "HA", "dest"] == "HNL").all()
year.assign(name=airlines[year.index])[["name", "size", "mean", "standard error"]].iloc[[0, 1, 2, -3, -2, -1]].round(1)

# %%
w = (flat["tau"] ** 2 / (flat["tau"] ** 2 + flat["sigma"] ** 2)).values  # the weight of one flight
surplus = flat["mu_baseline"].values + 47  # minutes that the flight made up beyond the usual
over_the_year = year["mean"].mean() - year.loc["HA", "mean"]
best = (flat["carrier_mean"].idxmin("carrier") == "HA").values.mean()
worst = (flat["carrier_mean"].idxmax("carrier") == "F9").values.mean()
place = {1: "first", 2: "second", 3: "third"}.get(year.index.get_loc("HA") + 1, "further down")
print(f"From the 300 flights: chance that Hawaiian is best {best:.0%}, that Frontier is worst {worst:.0%}.\n")
print(
    f"One flight tells you little about an airline: of the {surplus.mean():.0f} minutes by which Hawaiian's flight beat\n"
    f"the usual, the model believes {(w * surplus).mean():.0f}; over the year Hawaiian beat it by {over_the_year:.0f}, "
    f"and came {place}, behind {airlines[year.index[0]]}."
)

# %% [markdown]
# That is the sentence for dinner.
# Hawaiian is good, and another one is better.
# Frontier does end up last, but by less than a standard error: it shares the place with AirTran.
# Three flights could not have told you any of this, and the model knew that they could not.
#
# "Pilots" was never in the data.
# Every Hawaiian flight in the table goes to Honolulu, some ten hours away, with more room to make up time than a hop to Boston has.
# And the carrier writes the timetable that it is measured by.
# The means are facts about carriers as they fly; why they differ is another question.
#
# ## Two things that this model does not know
#
# The model's estimates come nearest.
# Are its intervals right, too?
# An 89 % interval should contain the truth in 89 % of cases.
# Count, over the 40 samples, separately for the nine carriers with 10,000 flights or more in the year and the seven smaller ones.

# %%
spread = year["mean"].groupby(large[year.index]).std()
for name, is_large in (("large", True), ("small", False)):
    share = trials[f"covered, {name} carriers"]
    print(f"{name} carriers: intervals contain the truth in {share.mean():.0%}, standard error {share.sem():.0%};")
    print(f"    over the year the standard deviation of their means is {spread[is_large]:.1f} minutes")
assert trials["covered, small carriers"].mean() < 0.75

# %% [markdown]
# For large carriers not far from it.
# For small ones the intervals are far too short.
# The line `carrier_mean ~ Normal(mu_baseline, tau)` says that, before the flights, nothing sets one carrier apart from another.
# Here something does: several of the small ones fly long routes of their own, and the means of small carriers differ more.
# The model has one `tau` for all of them, and nearly all flights of a sample are flights of large carriers.
# What you know about contributors belongs in the model: [13](13_partial_pooling.ipynb) shows how, and [08](08_checking_a_model.ipynb) how to find out without a truth at hand.
#
# The second thing is time.
# The 300 flights were drawn at random from the year, and the model takes them as unrelated.
# Flights of one day share their wind and their storms.
#
# **Predict first.** You draw the 300 flights from a single week instead. Do the errors grow, and for which kind of pooling?

# %%
day = pd.to_datetime({"year": 2013, "month": flights["month"], "day": flights["day"]}).dt.day_of_year
week = (day - 1) // 7
weeks = rng.choice(52, size=8, replace=False)
weekly = pd.DataFrame([one_trial(flights[week == k].sample(300, random_state=rng), SEED + int(k)) for k in weeks])
kinds_of_sample = {"300 flights of the year": trials, "300 flights of one week": weekly}
pd.concat({name: table[kinds].agg(["mean", "sem"]).T for name, table in kinds_of_sample.items()}, axis=1).round(1)

# %% [markdown]
# Errors grow (`mean` is in minutes, `sem` is the standard error of that mean), and partial pooling loses some or all of its advantage over complete pooling.
# It learns the week's means, and the week is not the year.
# No estimate can see that from inside the week.
# Notebook [15](15_flights.ipynb) takes it up: there the day becomes a layer of its own.
#
# ## Check yourself
#
# The quiz asks about ideas.
# In the [exercises](exercises/02_exercises.ipynb) you shrink by hand, predict a newcomer, and write, sample and read a model of your own.
# For a table of your own you can [drop a file on this page](../book/apart.md): it pools in your browser, without Python.

# %%
mlm.quiz("02")

# %% [markdown]
# ## What to remember
#
# - Averages of few observations tend to stand at the ends of a ranking.
# - Prior times likelihood is posterior. For normal distributions, precisions add up and the posterior mean is an average weighted by precision.
# - Complete pooling believes that all are equal, no pooling that the others say nothing. Partial pooling learns from the data where between them to stand: its dial is `tau`.
# - Estimates from few observations lose the largest part of their distance from the common value. A contributor that was never seen gets the common value, give or take as much as contributors differ.
# - Look at traces, then at R-hat, effective draws and divergences, before you read a posterior. The check can refuse a run; it cannot prove one.
# - Change the prior of the spread and fit again: it costs a cell.
#
# Next, [03](03_how_the_sampler_walks.ipynb) opens the sampler. [13](13_partial_pooling.ipynb) comes back to partial pooling with predictors and 85 contributors.
#
# ## Going further
#
# - Efron, B. and Morris, C. (1977). Stein's paradox in statistics. *Scientific American* 236(5), 119-127. [doi:10.1038/scientificamerican0577-119](https://doi.org/10.1038/scientificamerican0577-119). The same idea with baseball players: their first 45 times at bat, and the rest of the season as the truth.
# - Gelman, A. (2006). Prior distributions for variance parameters in hierarchical models. *Bayesian Analysis* 1(3), 515-534. [doi:10.1214/06-BA117A](https://doi.org/10.1214/06-BA117A). Which prior for a spread such as `tau`, and which not.
# - Gelman, A. and Hill, J. (2006). *Data Analysis Using Regression and Multilevel/Hierarchical Models*. Cambridge University Press. [doi:10.1017/CBO9780511790942](https://doi.org/10.1017/CBO9780511790942). Chapter 12 introduces the three kinds of pooling.

# %%
print(mlm.version_line())
