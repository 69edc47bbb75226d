# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 01 Simulating sums
#
# On 1 January 2013 the first three planes in the table took off from New York soon after five in the morning, and each lost time on the way.
# United's from Newark to Houston lost 9 minutes, United's from LaGuardia to Houston lost 16, and American's from Kennedy to Miami lost 31.
# How many of American's 31 minutes would you put down to American?
# Write a number down; the last section comes back to it.
#
# The airline had a part in it, and the airport, and the month, and much that has no name.
# You see the 31 minutes; you do not see the parts.
# This course is about getting the parts back: what each airline usually adds, how much that varies, and how one total splits up.
# The way there begins in the other direction.
# In this notebook you choose the parts and make the totals, so that later you can ask of every method: does it find what you put in?
#
# **You will learn**
#
# 1. to write a total as a sum of one contribution per layer, as an equation and in code, and to simulate such totals;
# 2. to write down the exact distribution of the totals and lay it over a histogram;
# 3. to say why the means of a layer may be made to sum to zero, and what the baseline's mean then is;
# 4. to split the variance of the totals among the layers.
#
# **You need** Python, NumPy arrays, and what a mean, a standard deviation and a normal distribution are.
# No earlier notebook and no Bayesian statistics.
#
# **Time** about 35 minutes to read, less than a minute to run.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from scipy import stats

import mlm_tutorial as mlm

SEED = mlm.notebook_seed(1)
rng = np.random.default_rng(SEED)  # every random number of this notebook comes from here
mlm.use_style()

# %%
mlm.load_flights().head(3)

# %% [markdown]
# The column `minutes_lost` is the delay on arrival less the delay on departure.
# There are 327,346 such rows, and notebook [02](02_a_first_fit.ipynb) begins with 300 of them.
#
# ## A total is a sum of contributions
#
# Five words come back all through the course.
#
# - The **total** is the number you observe, such as the minutes that a flight lost.
# - A **layer** is one way of asking "who had a part in it?": airline, airport, month.
# - A **contributor** is one possible answer: American or United; January or July. Exactly one contributor of each layer has a part in an observation.
# - A **contribution** is what that contributor added this time. It is a fresh draw each time, from the contributor's own normal distribution.
# - The **baseline** is a layer with one contributor, which takes part in every total.
#
# Number the layers $j = 0, 1, \dots, J$, with 0 for the baseline, and the contributors of layer $j$ by $k = 1, \dots, m_j$.
# The total of observation $i$ is
#
# $$
# x_i = \sum_{j=0}^{J} \sum_{k=1}^{m_j} a_{ijk}\, y_{jk,i},
# \qquad y_{jk,i} \sim \text{Normal}(\mu_{jk}, \sigma_{jk}),
# \qquad a_{ijk} \in \{0, 1\},
# \quad \sum_{k=1}^{m_j} a_{ijk} = 1,
# \quad m_0 = 1 .
# $$
#
# Here $y_{jk,i}$ is a contribution, with the contributor's mean $\mu_{jk}$ and standard deviation $\sigma_{jk}$.
# The $a_{ijk}$ are switches: $a_{ijk}$ is 1 if contributor $k$ of layer $j$ takes part in observation $i$, and 0 if not.
# In each layer exactly one switch is on.
# All contributions are independent of each other.
#
# ## A simulation is four lines of NumPy
#
# Real flights do not tell you their parts, so make something up that does.
# A courier's parcels come from two sorting centers, Harbor and Mill.
# How many minutes late is a parcel?
# The baseline, which is weather, traffic and everything without a name, has mean 0 and standard deviation 5 minutes.
# Harbor adds 1 minute on average and Mill takes 1 off, each with a standard deviation of 1.
# Draw who contributes, draw the contributions, add.

# %%
n = 10_000
mu, sigma = np.array([1.0, -1.0]), np.array([1.0, 1.0])  # Harbor, Mill

center = rng.integers(2, size=n)  # who contributes: the switches a, written as a position
y_baseline = rng.normal(0, 5, size=n)
y_center = rng.normal(mu[center], sigma[center])
total = y_baseline + y_center

# %% [markdown]
# **Predict first.** Harbor's parcels are two minutes later than Mill's on average.
# Lay the two histograms over each other: how much of them overlaps?

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two histograms of delays in minutes, parcels from Harbor and from Mill, laid over each other. Both are bell-shaped and reach from about minus 15 to 15; they overlap almost everywhere, and their two means, drawn as dotted lines, are two minutes apart."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(8, 3.5))
edges = np.arange(-20, 21, 1)
for k, (name, role) in enumerate([("Harbor", "estimate"), ("Mill", "alternative")]):
    ax.hist(total[center == k], bins=edges, histtype="step", linewidth=1.8, color=mlm.COLORS[role], label=name)
    ax.axvline(mu[k], color=mlm.COLORS["truth"], linestyle=":")
ax.set(xlabel="minutes late", ylabel="parcels")
ax.legend(title="sorting center")
plt.show()
print(f"overlap of the exact distributions: {2 * stats.norm.cdf(-1 / np.hypot(5, 1)):.0%}")

# %% [markdown]
# Most of it: a good four fifths of each lies under the other.
# Nobody could tell from one parcel where it came from.
# The averages of five thousand parcels each do tell.
# They will be near 1 and -1, and not equal to them: a simulation is a sample.
# How near is near enough?
# The mean of $n$ independent totals with standard deviation $s$ has itself a standard deviation of $s / \sqrt n$ around the true value, its **standard error**.
# A distance of more than four standard errors would be a surprise: it happens once in 16,000 times.

# %%
for k, name in enumerate(["Harbor", "Mill"]):
    chosen = total[center == k]
    standard_error = chosen.std() / np.sqrt(len(chosen))
    off = (chosen.mean() - mu[k]) / standard_error
    print(f"{name:6} mean {chosen.mean():+.2f}, standard error {standard_error:.2f}, off by {off:+.1f} of them")

# %% [markdown]
# ## The same with the course's package
#
# `LayeredSum` holds the truth of a simulation: for each layer a dictionary of label to (mean, standard deviation), the baseline first.
# Its `simulate` runs the lines above, for any number of layers.
# Each row is one observation: its total, who contributed, and, because we ask for `contributions`, the parts.
# With real data you have the first two columns only.

# %%
courier = mlm.LayeredSum.from_coefficients([{"road": (0, 5)}, {"Harbor": (1, 1), "Mill": (-1, 1)}], names=["center"])
rows = courier.simulate(10_000, rng=rng, contributions=True)
np.testing.assert_allclose(rows["total"], rows["y_baseline"] + rows["y_center"])  # in every row
rows.head().round(2)

# %% [markdown]
# The parts add up to the total in every row; the code would have stopped otherwise.
# The numbers are not those of the program above, because the draws differ.
# Do both programs draw from the same distribution?
#
# To compare two samples as wholes, use the **two-sample Kolmogorov-Smirnov test**.
# For every number it takes the share of each sample that lies below it, and it looks for the largest difference of the two shares.
# Its **p-value** is the probability of a difference this large or larger if both samples come from one distribution.
#
# A program needs a yes or a no, so we fix a limit: below it we say "these differ".
# If both distributions are the same, a p-value falls below $10^{-5}$ once in 100,000 runs.
# This is the **false-alarm probability** of the check.
# Its other side is its **power**: with two samples of 10,000, shares that differ by less than some 0.03 mostly go unnoticed.
# In this course both are stated where a kind of check is first met.

# %%
FALSE_ALARM = 1e-5

test = stats.ks_2samp(total, rows["total"])
print(f"largest difference of the shares {test.statistic:.4f}, p-value {test.pvalue:.2f}")
assert test.pvalue > FALSE_ALARM

# %% [markdown]
# ## Labels are labels
#
# This course grew out of a notebook with five simulated problems.
# They are called *presets*, and the package has them by name.
# They have no units, and their layers have no names but `layer_1` and `layer_2`.
# You meet them here as what they are, and once more in tests; the story of the course goes on with parcels.
# Each entry of the table is a contributor: its label, then its (mean, standard deviation).

# %% tags=["nbval-check-output"]
presets = pd.concat({name: preset.to_frame() for name, preset in mlm.PRESETS.items()}, names=["preset", None])
column = "contributor: (mean, sd)"
presets[column] = [f"{row.contributor}: ({row.mu:g}, {row.sigma:g})" for row in presets.itertuples()]
presets.pivot_table(index="preset", columns="layer", values=column, aggfunc=",  ".join, fill_value="", sort=False)

# %% [markdown]
# Look at `layer_2` of `cc_343`: its contributors are called 0, 1 and 3, and there is no 2.
# A label is a name, not a position.
# Code that takes label 3 for "the fourth entry" reads past the end of a list of three.
# With names, nothing can be mixed up, and you can choose better ones.
# Here are parcels with two layers, the sorting center and the driver.
# They are the preset `cc_27` with names and a unit, minutes late, and Part II of the course is about them.

# %%
parcels = mlm.LayeredSum.from_coefficients(
    [
        {"road": (0, 5)},
        {"Airport": (1, 1), "Harbor": (-1, 1), "Mill": (4, 1)},
        {"Ann": (3, 1), "Ben": (-1, 1), "Cleo": (-1, 1), "Dov": (-1, 1)},
    ],
    names=["center", "driver"],
)
delivered = parcels.simulate(10_000, rng=rng)
delivered.head().round(1)

# %% [markdown]
# Contributors need not be equally frequent.
# How frequent they are is the argument `probabilities`; each layer's contributor is drawn independently of the other layers'.
# This courier sends eight parcels in ten through Mill:

# %%
often = {"center": {"Airport": 0.1, "Harbor": 0.1, "Mill": 0.8}}  # drivers, left out here, are equally frequent
busy_mill = parcels.simulate(10_000, rng=rng, probabilities=often)
busy_mill.groupby("center", observed=True)["total"].agg(["count", "mean", "std"]).round(1)

# %% [markdown]
# ## The exact distribution of the totals
#
# **Predict first.**
# In `cc_12` half of the totals have a contributor with mean 1 and the other half one with mean -1.
# In `cc_343` one contributor of each layer stands out, by 4 and by 3.
# In which of the five presets will the histogram of the totals have two peaks?
#
# You need not guess for long, because the distribution can be written down.
# Two facts do it.
#
# 1. *A sum of independent normals is normal.* Means add up, and so do variances (the squares of standard deviations). So, once you know the contributors, the total is normal with mean $\mu_0 + \sum_j \mu_{jk}$ and variance $\sigma_0^2 + \sum_j \sigma_{jk}^2$. Here $\mu_0$ and $\sigma_0$ belong to the baseline, and $k$ is the contributor of layer $j$ that takes part.
# 2. *If you do not know the contributors, average over them.* The density of all totals is the average of the normal densities, one for each combination of contributors, weighted by how frequent the combination is. Such an average of distributions is called a **mixture**.
#
# The method `combinations` lists what is mixed.

# %% tags=["nbval-check-output"]
mlm.PRESETS["cc_22"].combinations().round(3)

# %% [markdown]
# Four combinations, each with probability 1/4.
# Check one row by head: both contributors 0 give the mean $0 + 1 + 1 = 2$ and the standard deviation $\sqrt{25 + 1 + 1} \approx 5.196$.
# The mixture's density is a weighted sum, and so is its cumulative distribution function, the probability of a total below $x$.
# The next cell writes both down, and the one after it lays the density over 10,000 simulated totals of each preset.


# %%
def mixture_density(x, combinations):
    """Density of the totals at the points x."""
    densities = stats.norm.pdf(np.asarray(x)[:, None], combinations["mu"], combinations["sigma"])
    return densities @ combinations["probability"].to_numpy()


def mixture_cdf(x, combinations):
    """Probability of a total below each of the points x."""
    below = stats.norm.cdf(np.asarray(x)[:, None], combinations["mu"], combinations["sigma"])
    return below @ combinations["probability"].to_numpy()


simulated = {name: preset.simulate(10_000, rng=rng) for name, preset in mlm.PRESETS.items()}

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Five histograms of simulated totals, one for each preset, each with a black curve of the exact density that follows the tops of the bars. All five have a single peak."}} tags=["hide-input"]
grid, bins = np.linspace(-25, 30, 300), np.arange(-25, 31, 1.25)
bars = {"x": "total", "stat": "density", "color": mlm.COLORS["data"], "alpha": 1}
fig, axes = plt.subplots(1, 5, figsize=(12, 3), sharex=True, sharey=True)
for ax, (name, preset) in zip(axes, mlm.PRESETS.items(), strict=True):
    sns.histplot(simulated[name], bins=bins, ax=ax, **bars)
    ax.plot(grid, mixture_density(grid, preset.combinations()), color=mlm.COLORS["truth"])
    ax.set(title=name, xlabel="total (units)", ylabel="density (per unit)")
plt.show()

# %% [markdown]
# The one-sample Kolmogorov-Smirnov test compares sample and distribution: the exact cumulative distribution function takes the place of the second sample's shares.

# %%
for name, preset in mlm.PRESETS.items():
    test = stats.kstest(simulated[name]["total"], mixture_cdf, args=(preset.combinations(),))
    print(f"{name:7} largest difference {test.statistic:.4f}, p-value {test.pvalue:.2f}")
    assert test.pvalue > FALSE_ALARM  # five tests: one false alarm in 20,000 runs

# %% [markdown]
# One peak everywhere.
# The baseline's standard deviation of 5 blurs distances of 2, 3 or 4 between the means.
# The curves follow the bars, and no test objects.
#
# ## One layer at a time
#
# A histogram of all totals hides who contributed.
# Take the parcels apart by sorting center.
# The exact density given the center is again a mixture, now over the drivers only.
# Nothing new has to be computed: keep the rows of `combinations` with that center and let their probabilities sum to one again.


# %%
def given(combinations, layer, label):
    """Combinations that have this contributor, with probabilities that sum to one."""
    chosen = combinations[combinations[layer] == label]
    return chosen.assign(probability=chosen["probability"] / chosen["probability"].sum())


given(parcels.combinations(), "center", "Mill").round(3)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Three histograms of delays in minutes, one for each sorting center, with the exact density as a black curve on each. Mill's lies further right than the other two, and all three overlap widely."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 3, figsize=(10, 3), sharex=True, sharey=True)
for ax, (label, (mean, _)) in zip(axes, parcels["center"].coefficients.items(), strict=True):
    sns.histplot(delivered[delivered["center"] == label], bins=bins, ax=ax, **bars)
    ax.plot(grid, mixture_density(grid, given(parcels.combinations(), "center", label)), color=mlm.COLORS["truth"])
    ax.axvline(mean, color=mlm.COLORS["truth"], linestyle=":")
    ax.set(title=f"{label}, own mean {mean:g}", xlabel="minutes late", ylabel="density (per minute)")
plt.show()

# %% [markdown]
# Each curve is centered on the center's own mean, the dotted line, because here the baseline's mean and the average of the drivers' means are both zero.
# The three histograms overlap widely.
# From one parcel you could not tell which center it came through; from thousands you can tell the centers' means.
#
# A **box plot** shows both layers in less space.
# The box holds the middle half of the totals, the line in it is the median, and here the whiskers reach from the 5 % to the 95 % **quantile**: the values with 5 % and 95 % of the totals below them.
# Black diamonds are the exact quantiles, found where `mixture_cdf` reaches those probabilities.

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Box plots of delays in minutes, three for the sorting centers and four for the drivers. Black diamonds mark the exact quantiles and lie close to the edges of the boxes, the medians and the ends of the whiskers. Mill and Ann lie highest."}} tags=["hide-input"]
probabilities = [0.05, 0.25, 0.5, 0.75, 0.95]
fine = np.linspace(-40, 40, 4_001)
fig, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, width_ratios=[3, 4])
for ax, layer in zip(axes, parcels.names, strict=True):
    reach = {"whis": (5, 95), "showfliers": False}  # codespell:ignore whis
    sns.boxplot(delivered, x=layer, y="total", color=mlm.COLORS["data"], width=0.5, ax=ax, **reach)
    for position, label in enumerate(parcels[layer].labels):
        quantiles = np.interp(probabilities, mixture_cdf(fine, given(parcels.combinations(), layer, label)), fine)
        exact = ax.plot([position] * 5, quantiles, "D", color=mlm.COLORS["truth"], markersize=5)
    ax.set(xlabel=layer, ylabel="minutes late")
axes[1].legend(exact, ["exact quantile"], loc="upper right")
plt.show()

# %% [markdown]
# The diamonds sit close to the boxes' edges, the medians and the whiskers' ends.
# One center stands out, and one driver.
# The boxes are tall compared with the distances between them: much of the spread comes from elsewhere.
# How much is the question of a later section.
#
# ## Means that sum to zero
#
# The means of the three centers are 1, -1 and 4 minutes.
# Subtract 1 from each of the three, and add 1 to the baseline's mean.
#
# **Predict first.** What happens to the delays?

# %%
moved = mlm.LayeredSum(parcels.baseline.shifted(1), (parcels["center"].shifted(-1), parcels["driver"]))
pd.testing.assert_frame_equal(moved.combinations(), parcels.combinations(), rtol=1e-12)
pd.DataFrame({"before": parcels.combinations()["mu"], "after": moved.combinations()["mu"]}).head(4)

# %% [markdown]
# Nothing: all twelve combinations keep their means.
# Every parcel has exactly one center, so it loses 1 minute there and gains 1 from the baseline.
# Totals therefore cannot tell one set of means from the other; there are infinitely many that do equally well.
# To speak of *the* means, we must choose one.
# The usual choice is that **the means of every layer sum to zero**.
# A contributor's mean is then its distance to the plain average of its layer.
# The method `centered` finds it.
#
# Totals keep their distribution, and that can be proved.
# Their distribution is the mixture of `combinations`.
# So it is enough that every combination keeps its probability, its mean and its standard deviation.

# %% tags=["nbval-check-output"]
centered = parcels.centered()
for layer in centered.layers:
    assert abs(layer.mu.sum()) < 1e-12
pd.testing.assert_frame_equal(parcels.combinations(), centered.combinations(), rtol=1e-12)
print(f"all {len(parcels.combinations())} combinations are the same before and after centering")

both = parcels.to_frame().rename(columns={"mu": "mu as given"})
both.insert(3, "mu centered", centered.to_frame()["mu"])
both.round(3)

# %% [markdown]
# The baseline took up the 4/3 by which the centers were shifted; the drivers had summed to zero before.
#
# What does the baseline's mean say now?
#
# **Predict first.** Think of the courier who sends eight parcels in ten through Mill.
# Will the average of all delays be the baseline's mean?

# %%
share = np.array([often["center"][label] for label in centered["center"].labels])
mean_total = centered.baseline.mu[0] + share @ centered["center"].mu + centered["driver"].mu.mean()
average, n = busy_mill["total"].mean(), len(busy_mill)
standard_error = busy_mill["total"].std() / np.sqrt(n)
print(f"baseline's mean            {centered.baseline.mu[0]:.2f} minutes")
print(f"mean of all combinations   {centered.combinations()['mu'].mean():.2f}")
print(f"mean total with busy Mill  {mean_total:.2f}")
print(f"average of {n:,} parcels {average:.2f}, standard error {standard_error:.2f}")
assert abs(average - mean_total) < 5 * standard_error  # false alarm: once in two million runs
assert abs(average - centered.baseline.mu[0]) > 5 * standard_error

# %% [markdown]
# It is not.
# The baseline's mean is the *unweighted* average over all combinations of contributors: each counts once, however often it occurs.
# It is the mean of the totals only where contributors are equally frequent.
# With a busy Mill a parcel is later on average than the baseline says, and nothing is wrong with either number.
#
# Now the same by simulation: draw totals from both, and compare the samples.
# A test that never rejects proves nothing, so a third sample has the mistake that one makes easily: its layers are centered, but the baseline did not take up the shift.

# %%
forgotten = mlm.LayeredSum(parcels.baseline, centered.layers)

as_given = parcels.simulate(10_000, rng=rng)["total"]
for name, other in {"centered": centered, "baseline forgotten": forgotten}.items():
    test = stats.ks_2samp(as_given, other.simulate(10_000, rng=rng)["total"])
    print(f"{name:19} largest difference {test.statistic:.3f}, p-value {test.pvalue:.2g}")
    # False alarm if centering is right: 1e-5. The mistake must be found.
    assert (test.pvalue > FALSE_ALARM) == (name == "centered")

# %% [markdown]
# The centered truth passes and the mistake is caught.
# Standard deviations were not touched.
# They have a freedom of the same kind, with no such simple cure; [notebook 10](10_what_the_data_cannot_say.ipynb) is about it.
#
# ## Truths drawn at random
#
# Five presets are a small world.
# A method that works on them may fail elsewhere, so you also want truths that nobody chose.
# Draw means from a normal distribution, and standard deviations from a distribution on positive numbers: the exponential of a normal, called **log-normal**.
# The package's `draw_layered_sum` does what the first lines of the next cell do.
# With `mu_scale` you choose how far apart the means are, and with `log_sigma_mean` how large the standard deviations are.

# %%
m = [1, 3, 4]  # contributors in the baseline and in two layers
coefficients = [{k: (rng.normal(0, 4), np.exp(rng.normal(0, 0.5))) for k in range(m_j)} for m_j in m]
drawn = {
    "random truth by hand": mlm.LayeredSum.from_coefficients(coefficients).centered(),
    "draw_layered_sum": mlm.draw_layered_sum(m, mu_scale=4, log_sigma_mean=0, rng=rng),
    "draw_layered_sum again": mlm.draw_layered_sum(m, mu_scale=4, log_sigma_mean=0, rng=rng),
}

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Three histograms of totals, each from another random truth, with the exact density as a black curve on each. The curve follows the bars in every panel, while center, width and shape differ between panels."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 3, figsize=(10, 3))
for ax, (name, random_truth) in zip(axes, drawn.items(), strict=True):
    totals = random_truth.simulate(10_000, rng=rng)
    sns.histplot(totals, bins=40, ax=ax, **bars)
    x = np.linspace(totals["total"].min(), totals["total"].max(), 300)
    ax.plot(x, mixture_density(x, random_truth.combinations()), color=mlm.COLORS["truth"])
    ax.set(title=name, xlabel="total (units)", ylabel="density (per unit)")
plt.show()

# %% [markdown]
# With means this far apart compared with the spreads, a mixture need not look like one normal any more.
# It may have shoulders, a flat top or several peaks.
# Each of the three curves is still an average of $3 \times 4 = 12$ normal densities, one for each combination.
#
# ## When do two contributors show as two peaks?
#
# Take two equally frequent sorting centers, with means $-d/2$ and $d/2$.
# Given the center, the standard deviation of the total is $s = \sqrt{\sigma_0^2 + \sigma_1^2}$ for both.
# A mixture of two such normals has two peaks exactly if $d > 2s$ (Schilling, Watkins and Watkins 2002).
# The figure draws the two halves and their sum for four distances $d$.


# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Four panels with growing distance between two sorting centers, 2, 8, 12 and 18 minutes, at a baseline standard deviation of 5. A dashed and a dotted bell curve move apart; the black curve of all totals has one peak in the first two panels and two peaks in the last two."}} tags=["hide-input"]
def two_centers(distance, sd_baseline):
    """Combinations of two centers of standard deviation 1, `distance` apart."""
    pair = {"early": (-distance / 2, 1), "late": (distance / 2, 1)}
    return mlm.LayeredSum.from_coefficients([{"road": (0, sd_baseline)}, pair], names=["center"]).combinations()


def draw_two_centers(distance, sd_baseline, ax):
    combinations = two_centers(distance, sd_baseline)
    x = np.linspace(-25, 25, 501)
    for (_, one), line in zip(combinations.iterrows(), ["--", ":"], strict=True):
        half = one["probability"] * stats.norm.pdf(x, one["mu"], one["sigma"])
        ax.plot(x, half, line, color=mlm.COLORS["estimate"], label=f"{one['center']} center")
    density = mixture_density(x, combinations)
    ax.plot(x, density, color=mlm.COLORS["truth"], label="all totals")
    peaks = int(np.sum((density[1:-1] > density[:-2]) & (density[1:-1] > density[2:])))
    s = combinations["sigma"].iloc[0]
    ax.set(
        title=f"$d$ = {distance:g}, $2s$ = {2 * s:.1f}: {peaks} peak{'s' if peaks > 1 else ''}", xlabel="minutes late"
    )
    return peaks, s


fig, axes = plt.subplots(1, 4, figsize=(12, 3.2), sharex=True, sharey=True)
for distance, ax in zip([2, 8, 12, 18], axes, strict=True):
    peaks, s = draw_two_centers(distance, 5, ax)
    assert peaks == (2 if distance > 2 * s else 1)
axes[0].set_ylabel("density (per minute)")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
plt.show()

# %% [markdown]
# A distance of 2 or 8 gives one peak, 12 and 18 give two: the border is at $2s$.
# So two centers that differ by 8 minutes can hide below one smooth hill.
# No histogram of totals shows them, but the column that says which center it was does.
#
# Move the sliders and find the border yourself.


# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "The bell curves of two sorting centers, dashed and dotted, and the black curve of all totals, for a distance of 8 minutes and a baseline standard deviation of 5: one peak. The title counts the peaks."}} tags=["hide-input"]
def explore(distance, sd_baseline):
    """Draw both centers and all totals for a distance and a baseline standard deviation, in minutes."""
    fig, ax = plt.subplots(figsize=(7, 3.5))
    draw_two_centers(distance, sd_baseline, ax)
    ax.set_ylabel("density (per minute)")
    ax.legend(loc="upper right")
    return fig


mlm.slider(
    explore,
    alt="The bell curves of two sorting centers and the curve of all totals; the title counts its peaks.",
    start={"distance": 8, "sd_baseline": 5},
    distance=range(0, 25, 2),
    sd_baseline=[2, 5, 8],
)


# %% [markdown]
# ## Where does the variance come from?
#
# Totals differ for two reasons: other contributors took part, and each contribution is a fresh draw.
# The **law of total variance** adds up both.
# The variance of a layer's contribution is the average of its contributors' variances, plus the variance of their means:
#
# $$
# \operatorname{Var}(x) = \sigma_0^2 + \sum_{j=1}^{J} \Big( \underbrace{\operatorname{E}_k[\sigma_{jk}^2]}_{\text{spreads}} + \underbrace{\operatorname{Var}_k[\mu_{jk}]}_{\text{means}} \Big) .
# $$
#
# The average $\operatorname{E}_k$ and the variance $\operatorname{Var}_k$ are over the contributors of the layer, weighted by how frequent they are.
# Layers simply add, because who contributes in one layer is drawn independently of the others.
# (With real data that need not hold: an airline may fly from one airport only. Then covariances between layers come in.)
#
# **Predict first.** What is behind most of the variance of the parcels' delays: the road, the centers or the drivers?


# %%
def variance_parts(layered_sum):
    """Parts of the variance of totals, for equally frequent contributors that are independent between layers."""
    parts = {("baseline", "spreads"): layered_sum.baseline.sigma[0] ** 2}
    for layer in layered_sum.layers:
        parts[layer.name, "spreads"] = np.mean(layer.sigma**2)
        parts[layer.name, "means"] = np.var(layer.mu)
    return pd.Series(parts, name="variance").rename_axis(["layer", "source"])


parts = variance_parts(parcels)
pd.DataFrame({"variance": parts, "share": parts / parts.sum()}).round(3)

# %% [markdown]
# The road, by far.
# Compare the sum of the parts with the variance of simulated totals, for all presets.
# A simulated variance has a **Monte Carlo error**: another seed gives another value.
# Its standard error is about $\sqrt{(q - V^2) / n}$.
# Here $V$ is the variance and $q = \operatorname{E}[(x - \operatorname{E} x)^4]$ is the fourth central moment, which the mixture gives exactly.
# Of a normal with mean $M$ and variance $v$ the fourth moment around $c$ is $(M - c)^4 + 6 (M - c)^2 v + 3 v^2$.


# %%
def variance_standard_error(combinations, n):
    """Standard error of the variance of n simulated totals."""
    p, m, v = (combinations[name].to_numpy() for name in ("probability", "mu", "sigma"))
    v = v**2
    off = m - p @ m
    fourth = p @ (off**4 + 6 * off**2 * v + 3 * v**2)
    return np.sqrt((fourth - (p @ (off**2 + v)) ** 2) / n)


limit = stats.norm.isf(FALSE_ALARM / 2)  # in standard errors, for a two-sided check
table = pd.DataFrame(
    {
        "computed": [variance_parts(preset).sum() for preset in mlm.PRESETS.values()],
        "simulated": [simulated[name]["total"].var() for name in mlm.PRESETS],
        "standard error": [variance_standard_error(preset.combinations(), 10_000) for preset in mlm.PRESETS.values()],
    },
    index=list(mlm.PRESETS),
)
table["off by (standard errors)"] = (table["simulated"] - table["computed"]) / table["standard error"]
assert (table["off by (standard errors)"].abs() < limit).all()  # five checks: one false alarm in 20,000 runs
print(f"allowed: {limit:.1f} standard errors either way")
table.round(2)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Stacked horizontal bars of the variance of totals, one bar for each preset, with segments for the baseline and for spreads and means of each layer. The baseline's segment is by far the longest in every bar. Black points with error bars, the simulated variances, lie at the ends of the bars."}} tags=["hide-input"]
colors = mlm.component_colors(["baseline", "layer_1", "layer_2"])
fig, ax = plt.subplots(figsize=(9, 3.6))
left = pd.Series(0.0, index=list(mlm.PRESETS))
table_of_parts = pd.DataFrame({name: variance_parts(preset) for name, preset in mlm.PRESETS.items()}).fillna(0)
for layer, source in variance_parts(mlm.PRESETS["cc_27"]).index:
    width = table_of_parts.loc[(layer, source), list(mlm.PRESETS)]
    ax.barh(
        list(mlm.PRESETS),
        width,
        left=left,
        height=0.6,
        color=colors[layer],
        edgecolor="white",
        hatch="///" if source == "means" else None,
        label=f"{layer}, {source}",
    )
    left += width
ax.errorbar(
    table["simulated"],
    list(mlm.PRESETS),
    xerr=2 * table["standard error"],
    fmt="o",
    color=mlm.COLORS["truth"],
    capsize=3,
    label="simulated, ± 2 standard errors",
)
ax.invert_yaxis()
ax.set(xlabel="variance of the total (units squared)", ylabel="preset")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# The baseline is behind most of the variance in every preset.
# The layers are what you want to know about, and they are the smaller part: this is what makes the problem worth a course.
# In `cc_14` the one contributor that stands out by 4 is behind most of what the layer adds.
#
# ## Thirty-one minutes
#
# How many of American's 31 minutes did you put down to American?
# One total cannot tell you, and now you can say why.
# Every split into airline, airport, month and baseline that adds up to 31 gives the same flight, and the baseline alone may be wide enough for all of it.
# What can be found are the distributions behind the parts, from many totals whose contributors you know: their means add, their variances add, and a mean has a meaning once you say from where it is measured.
# Given those, even a single total can be split, with an honest plus or minus: that is notebook [12](12_decomposing_a_total.ipynb).
# The next step is smaller.
# Take three hundred flights and ask one thing: which airline loses least?
#
# ## Check yourself
#
# The quiz asks about ideas.
# The [exercises](exercises/01_exercises.ipynb) let you use them, from easy to hard, and tell you at once whether you are right.

# %%
mlm.quiz("01")

# %% [markdown]
# ## What to remember
#
# - A total is a sum of one contribution per layer; each contribution is a fresh draw from its contributor's normal distribution.
# - Given the contributors, totals are normal: means add and variances add. Without them, totals are a mixture of those normals.
# - A constant moves freely between the baseline's mean and a layer's means. Means that sum to zero are the choice that settles it, and totals keep their distribution.
# - The baseline's mean is then the average over all combinations, each counted once. It is the mean total only where contributors are equally frequent.
# - The variance of totals is the baseline's, plus, for every layer, the average variance of its contributors and the variance of their means.
# - Compare simulated with exact numbers in units of their Monte Carlo error, and state the false-alarm probability of each check.
#
# Notebook [02](02_a_first_fit.ipynb) turns round: you have the totals of 300 flights, and look for the airlines' means. It is your first fit.
#
# ## Going further
#
# - Gelman, A. and Hill, J. (2006). *Data Analysis Using Regression and Multilevel/Hierarchical Models*. Cambridge University Press. [doi:10.1017/CBO9780511790942](https://doi.org/10.1017/CBO9780511790942). The standard book on models with layers of groups; its chapter 8 is on simulation.
# - Schilling, M. F., Watkins, A. E. and Watkins, W. (2002). Is human height bimodal? *The American Statistician* 56(3), 223-229. [doi:10.1198/00031300265](https://doi.org/10.1198/00031300265). When a mixture of two normals has two peaks.
# - Blitzstein, J. K. and Hwang, J. (2019). *Introduction to Probability*, 2nd edition. Chapman and Hall/CRC. [doi:10.1201/9780429428357](https://doi.org/10.1201/9780429428357). The law of total variance (there "Eve's law") in chapter 9.

# %%
print(mlm.version_line())
