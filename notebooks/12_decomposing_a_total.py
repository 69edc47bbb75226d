# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 12 Decomposing a total
#
# Mrs. Ito's parcel came 22 minutes late.
# It went through the sorting center Mill, and Ann drove it.
# A parcel from Mill with Ann is 7 minutes late on average, so 15 minutes are unexplained.
# The depot has a rule that whoever loses minutes answers for them.
# Ann asks: "How many of the 22 are mine?"
#
# Write down a number, and how sure you are of it.
#
# The parts were never measured, only their sum.
# Still, their distribution given the sum is known exactly, as long as you know the parameters and the parts are independent and normal.
# If you learned the parameters from the sums, you may say some things about this parcel and not others.
# Here you find out which.
#
# **You will learn**
#
# 1. to split one total into parts that add up to it, with intervals;
# 2. to draw all parts of a total together, and to say why they are correlated;
# 3. to decompose totals with a fitted model, and to test the result on parts that were simulated;
# 4. to tell which statements about one total the data support, and how far a prior can move the others;
# 5. to split the variance of all totals, with the covariance of layers that do not occur independently.
#
# **You need** [09](09_integrating_out.ipynb) for the normal variable that was integrated out, and [10](10_what_the_data_cannot_say.ipynb) for what the data cannot say.
#
# **Time** 35 minutes to read, less than a minute to run.

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

import mlm_tutorial as mlm

SEED = mlm.notebook_seed(678)
rng = np.random.default_rng(SEED)
mlm.use_style()

# %% [markdown]
# ## One parcel, three suspects
#
# The depot is that of 09 and 10.
# For now you know all parameters, as nobody ever does.
# Means are counted from the average center and the average driver: they sum to zero in each layer.

# %%
parcels = mlm.LayeredSum.from_coefficients(
    [
        {"road": (0, 5)},
        {"Airport": (1, 1), "Harbor": (-1, 1), "Mill": (4, 1)},
        {"Ann": (3, 1), "Ben": (-1, 1), "Cleo": (-1, 1), "Dov": (-1, 1)},
    ],
    names=["center", "driver"],
)
truth = parcels.centered()
layers = ["center", "driver"]
suspects = ["road", "Mill", "Ann"]

x = 22.0  # minutes late
mu = np.array([truth.baseline.mu[0], truth["center"].mu[2], truth["driver"].mu[0]])
v = np.array([truth.baseline.sigma[0], truth["center"].sigma[2], truth["driver"].sigma[0]]) ** 2
print(f"expected {mu.sum():.0f} minutes, {x:.0f} came: a surprise of {x - mu.sum():+.0f}")
pd.DataFrame({"mean (minutes)": mu, "variance (minutes²)": v}, index=suspects).round(2)

# %% [markdown]
# Call the total minus what was expected the *surprise* (elsewhere: the residual).
#
# **Predict first.** The road has a standard deviation of 5 minutes, Mill and Ann have one of 1 minute each.
# How much of the surprise would you give to each of the three?
#
# ## The parts, given their sum
#
# The parts $y_j$ are independent, $y_j \sim \text{Normal}(\mu_j, v_j)$ (a variance, as in 09), and $x$ is their sum.
# So $x$ has mean $M = \sum_j \mu_j$ and variance $V = \sum_j v_j$.
# The covariance of $y_j$ with $x$ is $v_j$, because $y_j$ is the only term of the sum that varies with it.
# Parts and sum are jointly normal, and for these there is a rule: the mean of $y_j$ moves by covariance over variance, $v_j / V$, for each minute that $x$ lies above $M$.
# Variances and covariances lose what $x$ explains:
#
# $$E[y_j \mid x] = \mu_j + w_j\,(x - M), \qquad w_j = \frac{v_j}{V}, \qquad \mathrm{Cov}[y \mid x] = \mathrm{diag}(v) - \frac{v v^\top}{V}.$$
#
# Here $\mathrm{diag}(v)$ is the matrix with the variances on its diagonal and zeros elsewhere.
# The surprise is dealt out in proportion to variances.
# Call $w_j$ the *weight* of a part: who varies much gets much of the surprise.
# (Others call $w_j$ the reliability, and its complement the shrinkage. With known variances and means estimated by generalized least squares, the rule is the best linear unbiased prediction, BLUP.)


# %%
def condition(x, mu, v):
    """Return mean and covariance of the parts, given their sum x."""
    weights = v / v.sum()
    mean = mu + weights * (x - mu.sum())
    covariance = np.diag(v) - np.outer(v, v) / v.sum()
    return mean, covariance


mean, covariance = condition(x, mu, v)
assert np.isclose(mean.sum(), x)
split = pd.DataFrame({"weight": v / v.sum(), "minutes": mean, "sd": np.sqrt(np.diag(covariance))}, index=suspects)
print(f"the parts add up to {mean.sum():.1f} minutes")
split.round(2)

# %% [markdown]
# Nearly all of the surprise goes to the road, because weights are shares of *variance*: 25 against 1 and 1.
# Ann keeps little more than the minutes that she is expected to lose anyway.
# The estimate is *shrunk*: it is pulled toward her mean, and what she really added today moves it little.
#
# Do not trust a formula that you can test.
# Simulate the three parts millions of times, and keep a draw when its sum falls within 0.05 minutes of 22.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
window = 0.05
accepted = []
for _ in range(10):
    y = rng.normal(mu, np.sqrt(v), size=(1_000_000, 3))
    accepted.append(y[np.abs(y.sum(axis=1) - x) < window])
accepted = np.concatenate(accepted)
kept = len(accepted)
table = pd.DataFrame({"formula": mean, "kept draws": accepted.mean(axis=0)}, index=suspects)
table["sd, formula"], table["sd, kept draws"] = np.sqrt(np.diag(covariance)), accepted.std(axis=0, ddof=1)
# Four and a half standard errors, and a little for the width of the window and the slope of the density in it.
error = np.sqrt(np.diag(covariance) / kept)
assert np.all(np.abs(table["kept draws"] - table["formula"]) < 4.5 * error + window**2)
assert np.all(np.abs(table["sd, kept draws"] - table["sd, formula"]) < 4.5 * error / np.sqrt(2) + window**2)
print(f"{kept:,} of 10,000,000 draws were kept")
table.round(2)

# %% [markdown]
# **Predict first.** Road, Mill and Ann are independent of each other.
# Given their sum, are the road's minutes and Ann's still uncorrelated?

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two scatter plots of Ann's minutes against the road's minutes. Left, the sum unknown: a wide cloud without slope. Right, the sum known to be 22: a narrow cloud further right that falls from upper left to lower right, most of it inside the formula's ellipse."}} tags=["hide-input"]
free = rng.normal(mu, np.sqrt(v), size=(3000, 3))
angle = np.linspace(0, 2 * np.pi, 200)
circle = np.sqrt(stats.chi2.ppf(0.95, 2)) * np.vstack([np.cos(angle), np.sin(angle)])
fig, axes = plt.subplots(1, 2, figsize=(9, 4), sharex=True, sharey=True)
panels = [("sum unknown", free, mu, np.diag(v)), ("sum known", accepted[:3000], mean, covariance)]
for ax, (title, draws, center, cov) in zip(axes, panels, strict=True):
    ax.plot(draws[:, 0], draws[:, 2], ".", ms=2, color="#808080", label="simulated")
    two = np.ix_([0, 2], [0, 2])
    ellipse = center[[0, 2], None] + np.linalg.cholesky(cov[two]) @ circle
    ax.plot(*ellipse, color=mlm.COLORS["truth"], label="formula, 95 %")
    correlation = cov[0, 2] / np.sqrt(cov[0, 0] * cov[2, 2])
    ax.set(title=f"{title}: correlation {correlation:.2f}", xlabel="road (minutes)")
axes[0].set_ylabel("Ann (minutes)")
axes[1].legend(loc="lower left")
plt.show()

# %% [markdown]
# Knowing the sum ties them together: minutes that the road took cannot be Ann's.
# Compare the widths, too.
# Along the road's axis the right cloud is far narrower than the left one; along Ann's it is about as long.
# The sum says much about the road, which varies most, and little about Ann.
#
# ## Parts that add up
#
# An interval for one part is its mean plus or minus some standard deviations.
# For a statement about several parts you need them together.
# A *joint draw* takes two lines: simulate as if the sum were unknown, then share out what is missing.


# %%
def joint_draws(x, mu, v, size, rng):
    """Return draws of all parts given their sum, shape (size, parts)."""
    y = rng.normal(mu, np.sqrt(v), size=(size, len(mu)))
    return y + v / v.sum() * (x - y.sum(axis=1, keepdims=True))


drawn = joint_draws(x, mu, v, 100_000, rng)
assert np.allclose(drawn.sum(axis=1), x)
people = drawn[:, 1] + drawn[:, 2]
alone = np.sqrt(covariance[1, 1] + covariance[2, 2])
print(f"sd of Mill plus Ann: {people.std():.3f} minutes; {alone:.3f} if they were independent")
print(f"sd of road plus Mill plus Ann: {drawn.sum(axis=1).std():.3f}")
pd.DataFrame(np.corrcoef(drawn.T), index=suspects, columns=suspects).round(2)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
error = np.sqrt((np.outer(np.diag(covariance), np.diag(covariance)) + covariance**2) / len(drawn))
assert np.all(np.abs(np.cov(drawn.T) - covariance) < 5 * error)
print("the draws' covariances are the formula's")

# %% [markdown]
# Every draw adds up to 22 exactly: the sum of all three has no uncertainty, because the total is known.
# All correlations are negative, so a sum of parts is less uncertain than it would be if they were independent.
#
# One thing is missing in the formula: the covariance does not contain $x$.
# With known parameters, a parcel that is 22 minutes late is split no less precisely than one that is on time.
#
# ## Now with parameters that were learned
#
# In practice, parameters come from a posterior.
# `mlm.decompose` does the above in each of its draws, and averages.
# So the result also carries what is uncertain about the parameters.
#
# The model sees a year of 10,000 parcels, their totals and who took part.
# The simulation also kept the parts, in columns that only you look at, later.
# The year is that of 10, and so is *Nora's prior*: its scales are fixed (`pooled=False`), and it expects the same variance of the road, of a center and of a driver.

# %%
year = truth.simulate(10_000, rng=SEED, contributions=True)
parts_of_year = year[["y_baseline", "y_center", "y_driver"]].to_numpy()
cells = mlm.cell_statistics(year, layers=layers)
priors = mlm.Priors.from_cells(cells, pooled=False)
compiled = mlm.compile_model(mlm.cell_model(cells, priors))
fit = mlm.sample(compiled, seed=SEED)
mlm.check_convergence(fit)

# %%
ito = pd.DataFrame({"total": [x], "center": ["Mill"], "driver": ["Ann"]})
parts = mlm.decompose(fit, ito, layers=layers)
assert np.isclose(parts["mean"].sum(), x)
split["minutes, learned"] = parts["mean"].values[0]
split["sd, learned"] = parts["sd"].values[0]
split.drop(columns="weight").round(2)

# %% [markdown]
# A *waterfall* shows how the parts add up to 22 again: each bar starts where the one above ends, and the last bar is the total.
# Whiskers are one standard deviation either way.

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two waterfall figures of Mrs. Ito's parcel, one above the other. Bars for road, Mill and Ann follow one another and end at the total of 22 minutes. Above, with known parameters, the road's bar is by far the longest. Below, with learned parameters, the road's bar is shorter, those of Mill and Ann are longer, and the whiskers are wider."}} tags=["hide-input"]
dims = ("observation", "component")
known_split = xr.Dataset(
    {"mean": (dims, mean[None]), "sd": (dims, np.sqrt(np.diag(covariance))[None])},
    {"observation": [0], "component": ["baseline", *layers]},
)
labels = {"baseline": "road (and average\ncenter and driver)", "center": "Mill", "driver": "Ann"}
fig, axes = plt.subplots(2, 1, figsize=(8.5, 5.5), sharex=True)
titles = ["parameters known", "parameters learned from 10,000 parcels"]
for ax, which, title in zip(axes, (known_split, parts), titles, strict=True):
    mlm.plot_decomposition(which, 0, labels=labels, unit="minutes late", ax=ax)
    ax.set_title(title, loc="left")
axes[0].set_xlabel("")
plt.show()
assert split.loc["road", "minutes, learned"] < split.loc["road", "minutes"] - 1
assert (split["sd, learned"] > split["sd"] + 0.2).all()

# %% [markdown]
# Ten thousand parcels, and the split is not the one that you would make if you knew the parameters.
# Ann is charged with more minutes than somebody who knew the parameters would expect of her.
# Whiskers are wider, too, mainly for two reasons.
# The weights are uncertain now, and a large surprise multiplies that uncertainty.
# And the fit takes Mill and Ann for more variable than they are, so even with fixed weights it would leave more of their parts open.
#
# ## Compared with the truth
#
# One parcel proves nothing.
# For all 10,000 you can look behind the curtain.
# Four ways to share out a surprise:
#
# - *known parameters*: the formula with the true ones, on average the best that totals allow;
# - *learned*: the decomposition above;
# - *all to the road*: everybody gets their learned mean, the road also gets the whole surprise;
# - *a third each*: everybody gets their learned mean and a third of the surprise.
#
# **Predict first.** Which of the last three comes nearest to the parts that were simulated?


# %% jupyter={"source_hidden": true} tags=["hide-input"]
def of_rows(baseline, of_center, of_driver):
    """Return a parameter of road, center and driver for each parcel, shape (10,000, 3)."""
    codes = [year[name].cat.codes.to_numpy() for name in layers]
    return np.column_stack([np.full(len(year), baseline), of_center[codes[0]], of_driver[codes[1]]])


totals = year["total"].to_numpy()[:, None]
true_mu = of_rows(truth.baseline.mu[0], truth["center"].mu, truth["driver"].mu)
true_v = of_rows(truth.baseline.sigma[0], truth["center"].sigma, truth["driver"].sigma) ** 2
true_w = true_v / true_v.sum(axis=1, keepdims=True)
learned = fit["posterior"].to_dataset().mean(["chain", "draw"])
learned_mu = of_rows(learned["mu_baseline"].item(), learned["mu_center"].values, learned["mu_driver"].values)
surprise = totals - learned_mu.sum(axis=1, keepdims=True)
ways = {
    "known parameters": true_mu + true_w * (totals - true_mu.sum(axis=1, keepdims=True)),
    "learned": mlm.decompose(fit, year, layers=layers)["mean"].values,
    "all to the road": learned_mu + np.array([1, 0, 0]) * surprise,
    "a third each": learned_mu + surprise / 3,
}
rmse = pd.DataFrame(
    {way: np.sqrt(((given - parts_of_year) ** 2).mean(axis=0)) for way, given in ways.items()},
    index=["road", "center", "driver"],
).T
average = rmse.mean(axis=1)
assert average.idxmin() == "known parameters"
assert average["all to the road"] < average["learned"] < average["a third each"]
print("root mean squared error in minutes")
rmse.round(2)

# %% [markdown]
# Knowing the parameters is best, and the learned split beats "a third each".
# But "all to the road" beats the learned split!
# It is not wise, it is lucky: the true road has 25 of the 27 minutes² of variance, and the rule acts as if it had all of them.
# The posterior cannot know that, as 10 showed.
# Its prior deals the variance more evenly, and no number of parcels corrects it.
#
# Intervals show the same.

# %%
some = year.iloc[:1000]
draws = mlm.decompose(fit, some, layers=layers, draws=1000, rng=rng)["draws"]
low, high = draws.quantile([0.055, 0.945], dim="sample").values
half = stats.norm.ppf(0.945) * np.sqrt(true_v * (1 - true_w))
inside = {
    "known parameters": np.abs(ways["known parameters"] - parts_of_year) < half,
    "learned": (low < parts_of_year[:1000]) & (parts_of_year[:1000] < high),
}
coverage = pd.DataFrame({way: share.mean(axis=0) for way, share in inside.items()}, index=rmse.columns).T
print("share of simulated parts inside their 89 % interval")
coverage.round(3)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
noise = 4.5 * np.sqrt(0.89 * 0.11 / len(year))
assert (np.abs(coverage.loc["known parameters"] - 0.89) < noise).all()
print(f"with known parameters chance moves a share by less than {noise:.3f}, nearly always")

# %% [markdown]
# With known parameters, intervals hold what they promise.
# Learned ones (of 1,000 parcels) leave room for splits that this truth does not have.
# That is no mistake: a Bayesian interval covers with its probability on average over the prior, not for each single truth.
# It does mean that the split of a surprise is as good as the prior of the split.
#
# ## What may be claimed
#
# Then change the prior, and see what moves.
# Somebody who knows the traffic says: the road varies by about 5 minutes, a center or a driver by about one and a half.
# Both fits see the same 10,000 totals.

# %%
scales = {"baseline": 5.0, "center": 1.5, "driver": 1.5}
informed = mlm.sample(compiled.with_priors(replace(priors, sigma_scale=scales)), seed=SEED + 1)
mlm.check_convergence(informed)
fits = {"Nora's prior": fit, "road varies most": informed}
both = {name: mlm.decompose(one, ito, layers=layers)["mean"].values[0] for name, one in fits.items()}
pd.DataFrame(both | {"known parameters": mean}, index=suspects).round(2)

# %% [markdown]
# One parcel, one year of data, two decompositions, and they differ by minutes.
# Which statements about Mrs. Ito's parcel do they share?
#
# [10](10_what_the_data_cannot_say.ipynb) has a way to know before any fit: the rank.
# `mlm.identification` says which means and which variances the table of cells fixes.
# You can ask it for differences as well.

# %%
ann_minus_ben = {("driver", "Ann"): 1, ("driver", "Ben"): -1}
known = mlm.identification(cells, contrasts={"Ann minus Ben": ann_minus_ben})
known[["means", "spreads"]]

# %% [markdown]
# All means are fixed *as differences from the average colleague*: the model makes them sum to zero.
# How many minutes an average driver adds, no parcel says ([11](11_making_the_data_say_it.ipynb)); in the waterfall they are in the road's bar.
# No component's spread is fixed.
# But the difference of two drivers' variances is: whatever the prior moves from the drivers to the road, it moves for all drivers alike.
#
# **Predict first.** Seven statements follow in the table.
# For which of them will the two fits disagree?


# %% jupyter={"source_hidden": true} tags=["hide-input"]
def statements(one):
    """Return draws of what one might say about a parcel from Mill with Ann that is 22 minutes late."""
    p = one["posterior"].to_dataset()
    ann, ben = (p[["mu_driver", "sigma_driver"]].sel(driver=who, drop=True) for who in ("Ann", "Ben"))
    mill = p[["mu_center", "sigma_center"]].sel(center="Mill", drop=True)
    expected = p["mu_baseline"] + mill["mu_center"] + ann["mu_driver"]
    variance = p["sigma_baseline"] ** 2 + mill["sigma_center"] ** 2 + ann["sigma_driver"] ** 2
    weights = p["sigma_baseline"] ** 2 / variance, ann["sigma_driver"] ** 2 / variance
    return {
        "expected of such parcels (min)": expected,
        "surprise (min)": x - expected,
        "sd of such parcels (min)": np.sqrt(variance),
        "Ann's mean minus Ben's (min)": ann["mu_driver"] - ben["mu_driver"],
        "Ann's variance minus Ben's (min²)": ann["sigma_driver"] ** 2 - ben["sigma_driver"] ** 2,
        "weight of the road": weights[0],
        "Ann's part of the surprise (min)": weights[1] * (x - expected),
    }


said = {name: statements(one) for name, one in fits.items()}
mean_of, sd_of = (
    pd.DataFrame({n: {what: float(getattr(d, moment)()) for what, d in values.items()} for n, values in said.items()})
    for moment in ("mean", "std")
)
gap = (mean_of["Nora's prior"] - mean_of["road varies most"]).abs() / sd_of.min(axis=1)
ratio = sd_of.max(axis=1) / sd_of.min(axis=1)
assert gap.iloc[[0, 1, 3]].max() < 0.5
assert ratio.iloc[[0, 1, 3]].max() < 1.3 < 2 < ratio.iloc[[5, 6]].min()
assert abs(mean_of.loc["sd of such parcels (min)"].diff().iloc[1]) < 0.2
assert mean_of.loc["weight of the road"].diff().iloc[1] > 0.1
assert mean_of.loc["Ann's part of the surprise (min)"].diff().iloc[1] < -0.4
claims = pd.DataFrame(
    {n: [f"{m:.2f} ± {sd:.2f}" for m, sd in zip(mean_of[n], sd_of[n], strict=True)] for n in fits}, index=mean_of.index
)
drivers = truth["driver"]
of_truth = [
    mu.sum(),
    x - mu.sum(),
    np.sqrt(v.sum()),
    drivers.mu[0] - drivers.mu[1],
    drivers.sigma[0] ** 2 - drivers.sigma[1] ** 2,
    v[0] / v.sum(),
    v[2] / v.sum() * (x - mu.sum()),
]
claims["gap"], claims["ratio of sds"] = gap.round(1), ratio.round(1)
claims.assign(truth=np.round(of_truth, 2))

# %% [markdown]
# Each entry is a posterior mean and standard deviation.
# The gap is the distance between the two means, in units of the smaller standard deviation; the ratio is the larger one over the smaller.
# Where the data decide, both priors leave the same uncertainty.
# In the last two rows it changes by a factor of five: that uncertainty was the prior's.
#
# - **The data decide** what was expected, how large the surprise is, and how Ann compares with Ben on average.
# - **The data speak** about the standard deviation of such parcels, and so about how unusual this one is, and about the difference of two drivers' variances. Both are fixed by enough data. With 10,000 parcels the difference is still uncertain, and a tight prior pulls it toward zero; the standard deviation moves along a little.
# - **The prior decides** the last two: how the surprise is shared. (A prior that expects equal variances need not end at a third for the road, see 10.)
#
# What the data say need not be right.
# The difference of Ann's and Ben's variances is zero in the truth, and the table says otherwise.
# How much did the parcels vary about the means of their cells?

# %% jupyter={"source_hidden": true} tags=["hide-input"]
about = year["total"] - year.groupby(layers, observed=True)["total"].transform("mean")
seen, error_of = {}, {}
for who in ("Ann", "Ben"):
    its = about[year["driver"] == who]
    df = len(its) - 3  # a mean for each center
    seen[who] = (its**2).sum() / df
    error_of[who] = v.sum() * np.sqrt(2 / df)
    off = (seen[who] - v.sum()) / error_of[who]
    print(f"{who}: {seen[who]:.1f} minutes², truth {v.sum():.0f}: {off:+.1f} standard errors off")
off = (seen["Ann"] - seen["Ben"]) / np.hypot(*error_of.values())
rare = 2 * stats.norm.sf(abs(off))
print(
    f"their difference: {off:+.1f} standard errors off; so far off, for two drivers named before, in {rare:.2%} of years"
)
row = "Ann's variance minus Ben's (min²)", "Nora's prior"
assert abs(mean_of.loc[row] - (seen["Ann"] - seen["Ben"])) < sd_of.loc[row]

# %% [markdown]
# This year Ann's parcels happened to vary little, and Ben's much. (Hers lower the third row as well.)
# (Nobody named these two drivers for their variances before the year, and with four there are six pairs. So in more years than that, some pair is so far off.)
# The model reports what it saw.
# Where you can believe that drivers are alike, pool their spreads ([13](13_partial_pooling.ipynb)): such a year is then pulled back, part of the way.
#
# How far could a prior go?
# Of variances the data fix only the sum in each cell. So any variances fit that keep these sums, and none may be negative.
# In this truth all drivers vary alike, and so do all centers.
# So the drivers' whole variance can be moved to the road, or the road's and the centers' to the drivers: Ann's weight can be anything from 0 to 1, and her part of the surprise anything from nothing to all of it.
# Where contributors of a layer vary differently, the bounds are closer; you compute them in the exercises.
#
# ## Averages over many parcels
#
# Surprises cancel when you average them over all parcels of a contributor, late and early ones.
# So such an average part may be claimed even where no single part may.
# (Among late parcels only, surprises do not cancel, and the average depends on the prior again.)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two panels. Left: average minutes of seven centers and drivers over their parcels under two priors; circles and squares coincide, close to the simulated averages. Right: minutes of drivers in 300 single parcels under one prior against those under the other; points lie on stripes, one color a driver, that are flatter than the diagonal."}} tags=["hide-input"]
splits = {name: mlm.decompose(one, year, layers=layers)["mean"].values for name, one in fits.items()}
places = {who: (j, (year[name] == who).to_numpy()) for j, name in enumerate(layers, 1) for who in truth[name].labels}


def averages(given):
    """Return the average part of each contributor over its parcels."""
    return np.array([given[chosen, j].mean() for j, chosen in places.values()])


fig, axes = plt.subplots(1, 2, figsize=(10, 4))
looks = ("o", 5, "full", "estimate"), ("s", 10, "none", "alternative")
for (name, given), (marker, size, fill, role) in zip(splits.items(), looks, strict=True):
    look = {"ms": size, "fillstyle": fill, "color": mlm.COLORS[role], "label": name}
    axes[0].plot(averages(given), range(7), marker, **look)
axes[0].plot(averages(parts_of_year), range(7), "|", ms=16, color=mlm.COLORS["truth"], label="simulated")
axes[0].set_yticks(range(7), places)
axes[0].invert_yaxis()
axes[0].set_xlabel("average over all parcels (minutes)")
axes[0].legend()
first, second = (given[:300, 2] for given in splits.values())
for who, color in mlm.component_colors(truth["driver"].labels).items():
    its = places[who][1][:300]
    axes[1].plot(first[its], second[its], "o", ms=4, color=color, label=who)
axes[1].axline((0, 0), slope=1, color=mlm.COLORS["truth"], lw=0.8, label="equal")
axes[1].set(xlabel="Nora's prior (minutes)", ylabel="road varies most (minutes)")
axes[1].legend(title="part in one parcel")
plt.show()

gaps = [np.abs(averages(given) - averages(parts_of_year)).max() for given in splits.values()]
apart = np.abs(np.subtract(*map(averages, splits.values()))).max()
print(f"largest error of an average: {gaps[0]:.2f} and {gaps[1]:.2f} minutes;", end=" ")
print(f"between the priors: {apart:.3f}")
assert max(gaps) < 0.4  # more than four standard errors of a driver's mean
assert apart < 0.05

# %% [markdown]
# On the left both priors agree, close to what was simulated.
# On the right each point is one parcel.
# Stripes belong to drivers; each is flatter than the diagonal, because the second prior gives drivers less of every surprise.
#
# ## What makes parcels differ?
#
# Now ask the same of all parcels at once.
# By the [law of total variance](../book/glossary.md) the variance of all totals is a sum.
# The road brings its spread, each layer a part by its *means* (contributors differ from one another) and one by its *spreads* (the part of one contributor differs from parcel to parcel).
# One more part belongs to no layer alone, the *covariance* of the means: it is twice the covariance between the mean of a parcel's center and that of its driver.
#
# Who makes the plan decides on it.
# In the year above, the dispatcher gave parcels to drivers at random.
# About a third of Ann's parcels came from Mill.
# Suppose two other dispatchers, with the same people and the same road: with one, two thirds of Ann's parcels come from Mill, and with the other none.
# Both give each driver a quarter of all parcels and take a third from each center, so each layer alone looks as before.
# Means and spreads are those learned above; only the frequencies of the pairs are new.
#
# **Predict first.** Mill and Ann are the slowest.
# In which of the three years do totals vary most?

# %%
plans = {  # parcels of each center (rows) and driver (columns, Ann first)
    "Ann at Mill": [[750, 1750, 1750, 1750], [750, 1750, 1750, 1750], [3000, 1000, 1000, 1000]],
    "Ann elsewhere": [[2250, 1250, 1250, 1250], [2250, 1250, 1250, 1250], [0, 2000, 2000, 2000]],
}
others = truth.simulate(40_000, rng=SEED + 1)
place = tuple(others[name].cat.codes.to_numpy() for name in layers)
turn = others.groupby(layers, observed=True).cumcount()
years = {"at random": cells}
assert abs((year.loc[year["driver"] == "Ann", "center"] == "Mill").mean() - 1 / 3) < 0.05
for name, plan in plans.items():
    plan = np.array(plan)
    assert (plan.sum(axis=1) == 6000).all()
    assert (plan.sum(axis=0) == 4500).all()
    years[name] = mlm.cell_statistics(others[turn < plan[place]], layers=layers)
    assert years[name].n_observations == plan.sum()
tables = {name: mlm.variance_shares(fit, its_cells) for name, its_cells in years.items()}
rows = tables["at random"].set_index(["component", "source"])[["mean", "lower", "upper"]]
rows.round(2) + 0.0  # adding 0 turns -0.0 into 0.0

# %% [markdown]
# Shares of the variance, with 89 % intervals, for the year at random.
# Those of means and covariance are narrow: the data fix them.
# Those of spreads are wide, since the data fix only their sum.
# Compare the posterior means of the three years.

# %%
shares = pd.DataFrame({name: table.set_index(["component", "source"])["mean"] for name, table in tables.items()})
shares.round(2) + 0.0

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Stacked bars of variance in squared minutes for three years: spreads, means of centers, means of drivers, and their covariance. At random the covariance is near zero. With Ann at Mill it adds to the bar; with Ann elsewhere it lies below zero. A line marks the sum of the parts: at the top of the bar in the first two years, below it in the third. A diamond marks the variance of the totals, on the line or close to it."}} tags=["hide-input"]
squares = (fit["posterior"].to_dataset() ** 2).mean(["chain", "draw"])
observed, variances = {}, {}  # of the totals; under the fit, by the law of total variance
for name, its_cells in years.items():
    center, driver = its_cells.codes.T
    f = its_cells.n / its_cells.n_observations
    means = learned["mu_center"].values[center] + learned["mu_driver"].values[driver]
    inside = squares["sigma_center"].values[center] + squares["sigma_driver"].values[driver]
    variances[name] = squares["sigma_baseline"].item() + f @ (inside + (means - f @ means) ** 2)
    observed[name] = its_cells.total_moments()[1]
observed, variances = pd.Series(observed), pd.Series(variances)
spreads = shares.xs("spreads", level="source").sum()
heights = pd.DataFrame(
    {
        "all spreads": spreads,
        "means of centers": shares.loc[("center", "means")],
        "means of drivers": shares.loc[("driver", "means")],
        "covariance": shares.loc[("covariance", "means")],
    }
).mul(variances, axis=0)
fig, ax = plt.subplots(figsize=(8, 4.2))
base = np.zeros(3)
of = mlm.component_colors(["baseline", *layers])
colors = [mlm.COLORS["data"], of["center"], of["driver"], mlm.COLORS["prior"]]
for name, color in zip(heights, colors, strict=True):
    value = heights[name].to_numpy()
    bottom = np.where(value >= 0, base, 0)
    ax.bar(range(3), value, 0.55, bottom=bottom, color=color, edgecolor="white", label=name)
    base = base + np.maximum(value, 0)
at, color = np.arange(3), mlm.COLORS["truth"]
ax.hlines(variances, at - 0.2, at + 0.2, color=color, label="sum of the parts")
ax.plot(at, observed, "D", color=color, label="variance of the totals")
ax.axhline(0, color=mlm.COLORS["truth"], lw=0.8)
ax.set_xticks(range(3), years)
ax.set_ylabel("variance (minutes²)")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

without = heights.drop(columns="covariance").sum(axis=1)
sums = {"totals": observed, "sum of the parts": variances, "without covariance": without}
print(pd.DataFrame(sums).round(1))
n = np.array([its_cells.n_observations for its_cells in years.values()])
error = observed * np.sqrt(2 / n + 2 / len(year))  # of the totals, and of the fit
assert ((variances - observed).abs() < 4 * error).all()
assert without.max() - without.min() < 0.02 * without.max()
assert abs(shares.loc[("covariance", "means"), "at random"]) < 0.03
assert shares.loc[("covariance", "means"), "Ann at Mill"] > 0.05
assert shares.loc[("covariance", "means"), "Ann elsewhere"] < -0.05

# %% [markdown]
# So you can count on the layers' parts to sum to the variance of the totals only where layers occur independently of one another.
# The parts are the fit's, which saw only the first year; a diamond is what the totals of a year did.
# They need not meet; they do, up to the errors of two estimated variances.
# Without the covariance the three bars are nearly equal, since each layer alone looks as before.
# With Ann at Mill, the slow meet the slow: the covariance is positive, and totals vary more than the layers' parts say.
# With Ann elsewhere they vary less, and the covariance is negative.
# A negative part is no mistake; the others then add up to more than the whole.
# Read shares together with their covariance, or not at all.
#
# The two priors agree on means, covariance and the sum of all spreads, not on how it is shared.

# %%
two_priors = {name: mlm.variance_shares(one, years["Ann at Mill"]) for name, one in fits.items()}
two_priors = pd.DataFrame({name: t.set_index(["component", "source"])["mean"] for name, t in two_priors.items()})
two_priors.loc[("all", "spreads"), :] = two_priors.xs("spreads", level="source").sum()
two_priors.round(2) + 0.0

# %% jupyter={"source_hidden": true} tags=["hide-input"]
moved = (two_priors["Nora's prior"] - two_priors["road varies most"]).abs()
safe = [("center", "means"), ("driver", "means"), ("covariance", "means"), ("all", "spreads")]
assert moved[safe].max() < 0.01
assert moved[("baseline", "spreads")] > 0.05
print(f"largest move of a safe row: {moved[safe].max():.3f}; of the road's share: {moved[('baseline', 'spreads')]:.3f}")

# %% [markdown]
# ## How many of the 22 are Ann's?
#
# The answer has two halves.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
lead = fit["posterior"]["mu_driver"].sel(driver="Ann")
low, high = lead.quantile([0.055, 0.945]).values
print(f"Ann loses {float(lead.mean()):.1f} minutes more than the average driver", end=" ")
print(f"(89 %: {low:.1f} to {high:.1f})")
a, b = mean_of.loc["Ann's part of the surprise (min)"]
print(f"of the surprise, {a:.1f} minutes are hers under one prior, {b:.1f} under the other")
so_late = {}
for name, values in said.items():
    surprise, sd = values["surprise (min)"], values["sd of such parcels (min)"]
    so_late[name] = float(stats.norm.sf(surprise / sd).mean())
print("a parcel from Mill with Ann is so late, or later, in", end=" ")
print(" or ".join(f"{1000 * chance:.1f}" for chance in so_late.values()), "of 1,000 cases, by the two priors;", end=" ")
print(f"{1000 * stats.norm.sf((x - mu.sum()) / np.sqrt(v.sum())):.1f} in truth")
assert max(so_late.values()) < 0.01
before, after = np.sqrt([v[2], covariance[2, 2]])
print(f"whoever knew the parameters would give her {mean[2] - mu[2]:.1f} of it, and in all")
low, high = mean[2] + stats.norm.ppf([0.055, 0.945]) * after
print(f"{mean[2]:.1f} ± {after:.2f} of the 22, more than an average driver's;", end=" ")
print(f"89 %: {low:.1f} to {high:.1f}; before the parcel came, {mu[2]:.1f} ± {before:.2f}")
assert after / before > 0.95
assert abs(float(lead.mean()) - mu[2]) < 5 * float(lead.std())

# %% [markdown]
# **You may tell Ann**: from the same center, parcels with you are later than those of the average driver, by this much; I am quite sure.
# (It is about you because the dispatcher dealt parcels at random. Had you always had the far district, the number would contain the district's minutes, too.)
# You may also tell Mrs. Ito how unusual her parcel was: so few of 1,000 such parcels are as late. (The printed chances take parcels as normal, and Ann's as steady as this year.)
#
# **You may not tell Ann** how many of these 22 minutes were hers, for two reasons.
# The parcels do not say how much drivers vary, so her share of the surprise would be a prior's.
# And had they said it, her part would still be known only as 3.6 minutes more than an average driver's, give or take 1 (89 %: 2.0 to 5.1), nearly what one would have said before the parcel came: one total says next to nothing about a part that varies little.
#
# If it matters, do not fit longer: record something else, for instance parcels that no driver carried ([11](11_making_the_data_say_it.ipynb)).
# Then the data speak about the drivers' spread as well, and with enough such parcels Ann's bar of the waterfall becomes a claim, whisker and all.
# That removes the first reason, never the second.
#
# ## Check yourself
#
# The quiz asks about ideas.
# The [exercises](exercises/12_exercises.ipynb) let you use them, from easy to hard, and tell you at once whether you are right.

# %%
mlm.quiz("12")

# %% [markdown]
# ## What to remember
#
# - Given the parameters, the parts of a total are jointly normal: each gets its mean and a share `v_j / V` of the surprise.
# - Parts add up exactly. With known parameters they are negatively correlated, and their uncertainty does not depend on the total; with learned ones it grows with the surprise.
# - Whiskers of a learned split hold the prior's view of who varies how much. More rows of the same kind do not change that.
# - Safe to claim: what was expected, how large and how unusual the surprise is; and, where layers are separable (ask `mlm.identification`), means and their differences, averages of contributions over many rows that were not picked by their totals, and differences of variances within a layer. Each with its interval.
# - A difference of means is about the contributors themselves only if their rows were dealt at random. Otherwise it also contains what came with those rows.
# - Not safe, unless the design or a measurement fixes the spreads: who took how much of one surprise. It also rests on parts that are independent, which totals cannot show (a driver who hurries after a slow road can get a negative share), and normal: where one part alone has a heavy tail, a large surprise is mostly that part's (for tails that all parts share, see [16](16_tails_that_add_up.ipynb)).
# - Parts of layers are sure to sum to the variance of totals only where layers occur independently; elsewhere there is a covariance that belongs to no layer alone.
#
# ## Going further
#
# - Gelman, A. and others (2013). *Bayesian Data Analysis*, third edition, appendix A: the conditional normal distribution. [sites.stat.columbia.edu/gelman/book](https://sites.stat.columbia.edu/gelman/book/)
# - Henderson, C. R. (1975). Best linear unbiased estimation and prediction under a selection model. *Biometrics* 31(2), 423-447. [doi:10.2307/2529430](https://doi.org/10.2307/2529430)
# - Robinson, G. K. (1991). That BLUP is a good thing: the estimation of random effects. *Statistical Science* 6(1), 15-32. [doi:10.1214/ss/1177011926](https://doi.org/10.1214/ss/1177011926). Shrunken parts, from animal breeding to credibility in insurance.
# - Gelman, A. (2005). Analysis of variance: why it is more important than ever. *The Annals of Statistics* 33(1), 1-53. [doi:10.1214/009053604000001048](https://doi.org/10.1214/009053604000001048)

# %%
print(mlm.version_line())
