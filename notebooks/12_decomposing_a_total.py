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
# A total of 22 arrives where 7 was expected.
# Who is responsible: the baseline, or one of the contributors?
# The contributions themselves are never seen, only their sum.
# Still, their distribution given the sum is known exactly, and so is what you may claim about it.
#
# **You will learn** to
#
# 1. split one total into contributions that add up to it, with intervals;
# 2. derive the split from the normal distribution, and check it by brute force;
# 3. draw all contributions of a total together, and see why they are negatively correlated;
# 4. test a decomposition against simulated contributions;
# 5. tell which statements about a decomposition the data support, and which ones are the prior's;
# 6. say how far a prior moves a decomposition, and in an exercise how far it can;
# 7. turn posterior draws into a layer's share of the variance.
#
# **You need** [01](01_simulating_sums.ipynb), [09](09_integrating_out.ipynb) and [10](10_what_the_data_cannot_say.ipynb).
#
# **Time**: 35 minutes to read, about a minute to run.

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm
from scipy import stats

import mlm_tutorial as mlm

SEED = mlm.notebook_seed(678)
rng = np.random.default_rng(SEED)
mlm.use_style()

# %% [markdown]
# ## One total, three suspects
#
# The rows are the 10,000 of notebooks 09 and 10.
# This time the simulation also hands over the contributions, for you to test against.
# No model sees them.
# Means are centred, as everywhere: in each layer they sum to zero.

# %%
truth = mlm.PRESETS["cc_27"].centered()
layers = ["layer_1", "layer_2"]
components = ["baseline", *layers]
rows = truth.simulate(10_000, rng=SEED, contributions=True)
contributions = rows[[f"y_{name}" for name in components]].set_axis(components, axis=1)
assert np.allclose(rows["total"], mlm.PRESETS["cc_27"].simulate(10_000, rng=SEED)["total"])
rows.head().round(2)

# %% [markdown]
# For now you know all parameters.
# Each row then has a mean `mu` and a variance `v` for each of its three components: the baseline and the two contributors that took part.

# %%
true_mu = np.column_stack(
    [truth[name].mu[rows[name].cat.codes if name in layers else [0] * len(rows)] for name in components]
)
true_v = (
    np.column_stack(
        [truth[name].sigma[rows[name].cat.codes if name in layers else [0] * len(rows)] for name in components]
    )
    ** 2
)
expected = true_mu.sum(axis=1)
surprise = rows["total"] - expected

i = (surprise - 8).abs().idxmin()  # a row about 8 above what was expected
x, mu, v = rows["total"][i], true_mu[i], true_v[i]
print(f"row {i}: contributor {rows['layer_1'][i]} of layer_1, contributor {rows['layer_2'][i]} of layer_2")
print(f"total {x:.2f}, expected {expected[i]:.2f}, so a surprise of {surprise[i]:+.2f}")
pd.DataFrame({"mean": mu, "variance": v}, index=components).round(2)

# %% [markdown]
# ## The distribution of contributions given their sum
#
# Contributions `y_j` are independent, `y_j ~ Normal(mu_j, v_j)`, and `x` is their sum.
# As in notebook 09, the second argument of Normal is a variance here.
# The sum `x` has mean `M = sum(mu)` and variance `V = sum(v)`.
# The covariance of `y_j` with `x` is `v_j`, because `y_j` is the only term of the sum that varies with it.
# `y` and `x` are jointly normal, so there is a rule for the distribution of `y` once `x` is known.
# The mean of `y_j` moves by `v_j / V`, covariance over variance, for each unit that `x` lies above `M`.
# Variances and covariances lose the part that `x` explains:
#
# $$E[y_j \mid x] = \mu_j + w_j\,(x - M), \qquad w_j = \frac{v_j}{V}, \qquad \mathrm{Cov}[y \mid x] = \mathrm{diag}(v) - \frac{v v^\top}{V}.$$
#
# Here $\mathrm{diag}(v)$ is the matrix with the variances on its diagonal and zeros elsewhere.
# Call `x - M` the *surprise*: the total minus what was expected.
# It is dealt out in proportion to variances.
# Call `w_j` the *weight* of a component: who varies much gets much of the surprise.


# %%
def condition(x, mu, v):
    """Return mean and covariance of the contributions given their sum x."""
    weights = v / v.sum()
    mean = mu + weights * (x - mu.sum())
    covariance = np.diag(v) - np.outer(v, v) / v.sum()
    return mean, covariance


mean, covariance = condition(x, mu, v)
print("mean", mean.round(3), "which adds up to", mean.sum().round(3), "as the total does:", round(x, 3))
print("covariance")
print(covariance.round(3))
assert np.isclose(mean.sum(), x)

# %% [markdown]
# ## Brute force agrees
#
# Do not trust a formula that you can test.
# Simulate the three contributions millions of times, and accept a draw when its sum falls within 0.02 of the total.
# What is left are draws of the contributions given the sum.

# %%
window = 0.02
accepted = []
for _ in range(10):
    y = rng.normal(mu, np.sqrt(v), size=(1_000_000, 3))
    accepted.append(y[np.abs(y.sum(axis=1) - x) < window])
accepted = np.concatenate(accepted)
n = len(accepted)
print(f"accepted {n:,} of 10,000,000 draws")
table = pd.DataFrame({"formula": mean, "accepted": accepted.mean(axis=0)}, index=components)
table["sd, formula"], table["sd, accepted"] = np.sqrt(np.diag(covariance)), accepted.std(axis=0, ddof=1)

error_of_mean = np.sqrt(np.diag(covariance) / n)
error_of_sd = np.sqrt(np.diag(covariance) / (2 * n))
assert np.all(np.abs(table["accepted"] - table["formula"]) < 4.5 * error_of_mean + window**2)
assert np.all(np.abs(table["sd, accepted"] - table["sd, formula"]) < 4.5 * error_of_sd + window**2)
table.round(3)

# %% [markdown]
# The assertions allow four and a half standard errors of the simulation, and a little for the width of the window.
#
# **Predict first.**
# The three contributions are independent of each other.
# Given their sum, are those of the baseline and of `layer_1` still uncorrelated?

# %% mystnb={"image": {"alt": "Two scatter plots of the contribution of layer 1 against that of the baseline. Left, without knowing the sum: a wide cloud without any slope. Right, given the sum: a narrow cloud that falls from upper left to lower right, inside the formula's ellipse."}}
free = rng.normal(mu, np.sqrt(v), size=(3000, 3))
angle = np.linspace(0, 2 * np.pi, 200)
circle = np.sqrt(stats.chi2.ppf(0.95, 2)) * np.vstack([np.cos(angle), np.sin(angle)])
fig, axes = plt.subplots(1, 2, figsize=(9, 4), sharex=True, sharey=True)
panels = [("sum unknown", free, mu, np.diag(v)), ("sum known", accepted[:3000], mean, covariance)]
for ax, (title, draws, center, cov) in zip(axes, panels, strict=True):
    ax.plot(draws[:, 0], draws[:, 1], ".", ms=2, color="#808080", label="simulated")
    ellipse = center[:2, None] + np.linalg.cholesky(cov[:2, :2]) @ circle
    ax.plot(*ellipse, color=mlm.COLORS["truth"], label="formula, 95%")
    correlation = cov[0, 1] / np.sqrt(cov[0, 0] * cov[1, 1])
    ax.set(title=f"{title}: correlation {correlation:.2f}", xlabel="baseline, in units of the total")
axes[0].set_ylabel("layer_1, in units of the total")
axes[1].legend(loc="lower left")
plt.show()

# %% [markdown]
# Knowing the sum ties them together.
# If the baseline took more of it, less is left for the others: the correlation is negative.
# Compare the widths, too.
# Along the baseline's axis the right cloud is far narrower than the left one; along that of `layer_1` it is about as long.
# The sum says much about the baseline, which varies most, and little about `layer_1`.
#
# ## Weights shrink
#
# As a function of the total, each expected contribution is a straight line with slope `w_j`.
# The slopes add up to 1.
#
# **Predict first.**
# The baseline has a standard deviation of 5, each contributor one of 1.
# Of a surprise of 10, how much goes to the baseline?

# %% mystnb={"image": {"alt": "Three straight lines: expected contribution against the surprise. The baseline's line is steep with a slope near 0.93; those of both layers are nearly flat with slopes near 0.04. Shaded bands of 89 percent around them keep the same width everywhere."}}
surprises = np.linspace(-15, 15, 50)
colors = mlm.component_colors(components)
half = stats.norm.ppf(0.945) * np.sqrt(np.diag(covariance))
fig, ax = plt.subplots()
for j, (name, style) in enumerate(zip(components, ["-", "--", ":"], strict=True)):
    line = mu[j] + v[j] / v.sum() * surprises
    ax.plot(surprises, line, style, color=colors[name], lw=2.5, label=f"{name}: weight {v[j] / v.sum():.2f}")
    ax.fill_between(surprises, line - half[j], line + half[j], color=colors[name], alpha=0.15)
ax.set(xlabel="surprise: total minus expected, in units of the total", ylabel="contribution, in units of the total")
ax.legend()
plt.show()

# %% [markdown]
# The baseline gets 25/27 of it, or 9.3, because weights are shares of *variance*: 25 against 1 and 1.
# The lines of the layers are almost flat.
# Whatever the total, a layer's expected contribution stays near its mean.
# Such an estimate is *shrunk*: it is pulled toward a mean, and what the contributor really added this time moves it little.
# The bands hold 89 % of the contributions given the total.
# They are as wide for a small surprise as for a large one.
#
# ## Draws that add up
#
# An interval for one contribution is its mean plus or minus some standard deviations.
# For a statement about several contributions you need them together.
# A joint draw takes two lines: simulate as if the sum were unknown, then share out what is missing.


# %%
def joint_draws(x, mu, v, size, rng):
    """Return draws of all contributions given their sum, shape (size, components)."""
    y = rng.normal(mu, np.sqrt(v), size=(size, len(mu)))
    return y + v / v.sum() * (x - y.sum(axis=1, keepdims=True))


drawn = joint_draws(x, mu, v, 100_000, rng)
assert np.allclose(drawn.sum(axis=1), x)
error = np.sqrt((np.outer(np.diag(covariance), np.diag(covariance)) + covariance**2) / len(drawn))
assert np.all(np.abs(np.cov(drawn.T) - covariance) < 5 * error)

both = drawn[:, 1] + drawn[:, 2]
naive = np.sqrt(covariance[1, 1] + covariance[2, 2])
print(f"sd of layer_1 plus layer_2: {both.std():.3f} from draws, {naive:.3f} if they were independent")
print(f"sd of baseline plus layers: {drawn.sum(axis=1).std():.3f} from draws")
pd.DataFrame(np.corrcoef(drawn.T), index=components, columns=components).round(2)

# %% [markdown]
# Every draw adds up to the total exactly.
# All correlations are negative, so a sum of parts is less uncertain than it would be if they were independent.
# The sum of all three has no uncertainty at all, because the total is known.
#
# ## Now with estimated parameters
#
# In earnest you know the parameters from a posterior only.
# `mlm.decompose` does the above for each draw of the posterior and averages.
# The result then also carries what is uncertain about the parameters.
# The model and the rows are those of notebooks 09 and 10, and so are the priors: fixed scales, and equal shares of the variance for baseline and layers.

# %%
cells = mlm.cell_statistics(rows, layers=layers)
priors = mlm.Priors.from_cells(cells, pooled=False)
compiled = mlm.compile_model(mlm.cell_model(cells, priors))
idata = mlm.sample(compiled, seed=SEED)
print(mlm.check_convergence(idata))

parts = mlm.decompose(idata, rows, layers=layers)
assert np.allclose(parts["mean"].sum("component"), rows["total"])


# %%
def in_words(parts, i):
    """Print one decomposition as sentences."""
    part, sd = (parts[name].sel(observation=i).to_series() for name in ["mean", "sd"])
    print(f"Row {i}: of a total of {rows['total'][i]:+.1f},")
    print(f"   {part['baseline']:+.1f} (sd {sd['baseline']:.1f}) are the baseline's,")
    for layer in layers:
        print(f"   {part[layer]:+.1f} (sd {sd[layer]:.1f}) are due to contributor {rows[layer][i]} of {layer},")
    print("   if you share the prior's view of who varies how much.")


usual, largest = surprise.abs().idxmin(), rows["total"].idxmax()
for row in (i, usual, largest):
    in_words(parts, row)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Three waterfall figures for the row with a surprise of 8, the least surprising row and the row with the largest total. Bars of baseline, layer 1 and layer 2 follow one another and end at the total. Axes differ; whiskers are longest for the largest total. Black diamonds mark the true contributions' cumulated ends."}} tags=["hide-input"]
fig, axes = plt.subplots(3, 1, figsize=(8.5, 7.5))
for ax, row, title in zip(axes, (i, usual, largest), ["surprise of 8", "least surprise", "largest total"], strict=True):
    labels = {layer: f"{layer}: contributor {rows[layer][row]}" for layer in layers}
    mlm.plot_decomposition(parts, row, labels=labels, ax=ax)
    starts = np.cumsum(parts["mean"].sel(observation=row).values) - parts["mean"].sel(observation=row).values
    ax.plot(
        starts + contributions.loc[row].to_numpy(),
        range(3),
        "D",
        color=mlm.COLORS["truth"],
        fillstyle="none",
        label="truth",
    )
    ax.set_title(f"row {row}: {title}", loc="left")
axes[0].legend(loc="lower right", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# Each bar starts where the one above ends.
# A diamond marks where the bar would end had it the true length.
# Whiskers are one posterior standard deviation either way; mind that the three axes differ.
# They are longest for the largest total.
# The weights are uncertain now, and a large surprise multiplies that uncertainty.
# In that row the fit also gives the layers several units of a surprise that is mostly the baseline's.
#
# ## Compared with the truth
#
# Here you can look behind the curtain for all 10,000 rows.
# Four ways to attribute:
#
# - *known parameters*: the formula with the true parameters, the best that anyone can do;
# - *posterior*: the decomposition above;
# - *all to the baseline*: each component gets its estimated `mu`, and the baseline also the whole surprise;
# - *equal parts*: each component gets its estimated `mu` and a third of the surprise.

# %%
at_mean = idata["posterior"].to_dataset().mean(["chain", "draw"])
fitted_mu = np.column_stack(
    [
        np.full(len(rows), at_mean["mu_baseline"]),
        *(at_mean[f"mu_{name}"].values[rows[name].cat.codes] for name in layers),
    ]
)
fitted_surprise = (rows["total"].to_numpy() - fitted_mu.sum(axis=1))[:, None]
attributions = {
    "known parameters": true_mu + true_v / true_v.sum(axis=1, keepdims=True) * surprise.to_numpy()[:, None],
    "posterior": parts["mean"].values,
    "all to the baseline": fitted_mu + np.array([1, 0, 0]) * fitted_surprise,
    "equal parts": fitted_mu + fitted_surprise / 3,
}
rmse = pd.DataFrame({name: np.sqrt(((a - contributions) ** 2).mean()) for name, a in attributions.items()}).T
assert rmse.sum(axis=1).idxmin() == "known parameters"
average = rmse.mean(axis=1)
assert average["all to the baseline"] < average["posterior"] < average["equal parts"]
rmse.round(2)

# %% [markdown]
# The table shows the root mean squared error (RMSE) of each component, in units of the total.
# Knowing the parameters is best.
# The posterior beats equal parts.
# And "all to the baseline" beats the posterior!
# It is not wise, it is lucky: the true baseline has 25 of 27 parts of the variance, and the rule gives it 27.
# The posterior cannot know that, as notebook 10 showed.
# Its prior deals the common variance more evenly, and no data correct it.

# %%
quantiles = mlm.decompose(idata, rows.iloc[:1000], layers=layers, draws=1000, rng=rng)["draws"].quantile(
    [0.055, 0.945], dim="sample"
)
inside = (quantiles[0] < contributions[:1000].to_numpy()) & (contributions[:1000].to_numpy() < quantiles[1])
weights = (idata["posterior"]["sigma_baseline"] ** 2).mean() / cells.residual_variance()
print(f"weight of the baseline: true {25 / 27:.2f}, posterior about {float(weights):.2f}")
print("share of true contributions inside their 89% intervals, first 1,000 rows:")
inside.mean("observation").to_series().round(3)

# %% [markdown]
# Intervals cover too often: they allow for splits that this truth does not have.
# Does this mean that the method is wrong?
# A Bayesian interval promises to cover with its probability *on average over the prior*, not for each single truth.
#
# ## Calibrated over the prior
#
# Test the promise.
# Draw a truth from the prior, simulate 10,000 rows from it, fit, decompose 200 of the rows, count.
# Repeat 40 times.
# With two short chains each, the check of convergence is a little milder, and failures are counted.
# The compiled model is reused, so that a replicate takes a fraction of a second.

# %%
names = [f"{kind}_{name}" for name in components for kind in ("mu", "sigma")]
drawn_truths = pm.draw([compiled.model[name] for name in names], draws=40, random_seed=SEED)
coverage, errors, failed = [], [], []
for k in range(40):
    values = {name: np.atleast_1d(draws[k]) for name, draws in zip(names, drawn_truths, strict=True)}
    pairs = [dict(enumerate(zip(values[f"mu_{c}"], values[f"sigma_{c}"], strict=True))) for c in components]
    simulated = mlm.LayeredSum.from_coefficients(pairs).simulate(10_000, rng=rng, contributions=True)
    known = simulated[[f"y_{name}" for name in components]].to_numpy()[:200]
    its_cells = mlm.cell_statistics(simulated, layers=layers)
    fit = mlm.sample(compiled.with_cells(its_cells), seed=SEED + k, draws=500, chains=2)
    try:
        mlm.check_convergence(fit, max_rhat=1.05, min_ess=100)
    except mlm.ConvergenceError as error:
        failed.append(str(error))
    split = mlm.decompose(fit, simulated.iloc[:200], layers=layers, draws=500, rng=rng)
    low, high = split["draws"].quantile([0.055, 0.945], dim="sample").values
    coverage.append(((low < known) & (known < high)).mean(axis=0))
    fitted = fit["posterior"].to_dataset().mean(["chain", "draw"])
    mu_k = np.column_stack(
        [np.full(200, fitted["mu_baseline"])] + [fitted[f"mu_{c}"].values[simulated[c].cat.codes[:200]] for c in layers]
    )
    missing = simulated["total"].to_numpy()[:200, None] - mu_k.sum(axis=1, keepdims=True)
    rules = [split["mean"].values, mu_k + np.array([1, 0, 0]) * missing, mu_k + missing / 3]
    errors.append([((rule - known) ** 2).mean() for rule in rules])
coverage, errors = np.array(coverage), np.array(errors)
print(f"{len(failed)} of 40 fits failed the check of convergence")
assert len(failed) <= 4
standard_error = coverage.std(axis=0, ddof=1) / np.sqrt(len(coverage))
print(
    "coverage of 89% intervals over 40 truths:",
    coverage.mean(axis=0).round(3),
    "standard error",
    standard_error.round(3),
)
over_truths = pd.Series(
    np.sqrt(errors.mean(axis=0)), index=["posterior", "all to the baseline", "equal parts"], name="RMSE"
)
assert np.all(np.abs(coverage.mean(axis=0) - 0.89) < 4.5 * standard_error + 0.01)
for k, rule in enumerate(over_truths.index[1:], start=1):
    excess = errors[:, k] - errors[:, 0]
    print(
        f"{rule}: excess of its squared error {excess.mean():.2f}, standard error {excess.std(ddof=1) / np.sqrt(40):.2f}"
    )
assert over_truths.idxmin() == "posterior"
over_truths.round(2)

# %% mystnb={"image": {"alt": "Dot plot of the coverage of 89 percent intervals for 40 truths drawn from the prior, one column of dots for the baseline and each layer. Most dots scatter between about 0.75 and 1; their averages, marked by diamonds, lie near the line at 0.89."}}
fig, ax = plt.subplots(figsize=(7, 3.8))
for j, name in enumerate(components):
    ax.plot(j + rng.uniform(-0.15, 0.15, len(coverage)), coverage[:, j], "o", ms=4, color=colors[name], alpha=0.7)
    ax.plot(j + 0.25, coverage[:, j].mean(), "D", color=mlm.COLORS["truth"], label="average" if j == 0 else None)
ax.axhline(0.89, color=mlm.COLORS["truth"], lw=0.8, label="89 %")
ax.set_xticks(range(3), components)
ax.set(ylabel="share of contributions in\ntheir 89% intervals", ylim=(min(0.6, coverage.min() - 0.02), 1.02))
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# Over truths from the prior, intervals cover as promised, and neither rule of thumb does better than the posterior.
# For a single truth coverage may be higher or lower.
# So a decomposition is as good as the prior of the split: if you know that the baseline varies most, say so in the prior.
#
# ## What may be claimed
#
# Say it, then.
# Fit the same rows again with a prior that gives the baseline most of the variance.
# Both fits see the same 10,000 totals.

# %%
informed_priors = replace(priors, sigma_scale={"baseline": 5.0, "layer_1": 1.5, "layer_2": 1.5})
informed = mlm.sample(mlm.cell_model(cells, informed_priors), seed=SEED + 1)
print(mlm.check_convergence(informed))
fits = {"equal shares": idata, "prior for the baseline": informed}
splits = {name: mlm.decompose(fit, rows, layers=layers) for name, fit in fits.items()}
view = pd.DataFrame({name: split["mean"].sel(observation=largest).to_series() for name, split in splits.items()})
view["truth"] = contributions.loc[largest]
print(f"row {largest}, the largest total:")
view.round(2)

# %% [markdown]
# One row, one set of data, two decompositions.
# They differ by units, not by decimals.
# Which statements do they share?


# %%
def statements(fit):
    """Return posterior mean and sd of what one might say about the largest total."""
    p = fit["posterior"]
    at = {name: {name: rows[name][largest]} for name in layers}
    others = {name: {name: next(k for k in truth[name].labels if k != rows[name][largest])} for name in layers}
    v = {"baseline": p["sigma_baseline"] ** 2} | {name: p[f"sigma_{name}"].sel(at[name]) ** 2 for name in layers}
    mean = p["mu_baseline"] + sum(p[f"mu_{name}"].sel(at[name], drop=True) for name in layers)
    total_v = sum(value.drop_vars(layers, errors="ignore") for value in v.values())
    said = {
        "expected total": mean,
        "surprise": rows["total"][largest] - mean,
        "sd of such totals": np.sqrt(total_v),
        "mean of the layer_1 contributor": p["mu_layer_1"].sel(at["layer_1"]),
        "layer_1: its variance minus another's": v["layer_1"]
        - p["sigma_layer_1"].sel(others["layer_1"]).drop_vars("layer_1") ** 2,
        "weight of the baseline": v["baseline"] / total_v,
        "surprise due to the baseline": v["baseline"] / total_v * (rows["total"][largest] - mean),
    }
    return pd.DataFrame({k: {"mean": float(s.mean()), "sd": float(s.std())} for k, s in said.items()}).T


said = {name: statements(fit) for name, fit in fits.items()}
table = pd.concat(said, axis=1).set_axis([f"{column}, {name}" for name in said for column in ["mean", "sd"]], axis=1)
one, two = said.values()
table["gap in sd"] = (one["mean"] - two["mean"]).abs() / two["sd"]
assert table["gap in sd"].iloc[:4].max() < 2
assert table["gap in sd"].iloc[5:].min() > 3
table.round(2)

# %% [markdown]
# The last column is the distance between the two means, in posterior standard deviations of the second fit.
# It is below two, and mostly far below, where the data decide: what was expected, how large the surprise is, how unusual it is, and the contributors' means.
# The data also speak about differences of variances within a layer, if not loudly.
# With some 3,000 rows each, such a difference is uncertain, and a tight prior pulls it toward zero.
# The data do not say how the surprise is shared: the last two gaps are several standard deviations.
# The prior of equal shares at least admits it: its weight of the baseline has the larger standard deviation.
#
# Averages over many rows are safe as well, because surprises cancel.

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two panels. Left: average contribution of each of seven contributors under two priors; circles and squares coincide, close to the true averages. Right: contributions of 200 single rows to layer 1 under one prior against those under the other; points lie on stripes that are flatter than the diagonal."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(10, 4))
labels = [f"{name}[{k}]" for name in layers for k in truth[name].labels]
for (name, split), marker, role in zip(splits.items(), "os", ["estimate", "alternative"], strict=True):
    averages = [
        split["mean"].sel(component=c).values[(rows[c] == k).to_numpy()].mean() for c in layers for k in truth[c].labels
    ]
    axes[0].plot(
        averages,
        range(7),
        marker,
        ms=9 if marker == "s" else 5,
        fillstyle="none" if marker == "s" else "full",
        color=mlm.COLORS[role],
        label=name,
    )
actual = [contributions[c][rows[c] == k].mean() for c in layers for k in truth[c].labels]
axes[0].plot(actual, range(7), "|", ms=16, color=mlm.COLORS["truth"], label="truth")
axes[0].set_yticks(range(7), labels)
axes[0].invert_yaxis()
axes[0].set_xlabel("average contribution, in units of the total")
axes[0].legend(loc="lower right")
one, two = (split["mean"].sel(component="layer_1").values[:200] for split in splits.values())
axes[1].plot(one, two, "o", ms=4, color=mlm.COLORS["estimate"])
axes[1].axline((0, 0), slope=1, color=mlm.COLORS["truth"], lw=0.8, label="equal")
axes[1].set(xlabel="layer_1 in single rows, equal shares", ylabel="layer_1, prior for the baseline")
axes[1].legend()
plt.show()

# %% [markdown]
# On the left both priors agree with each other, and they lie close to the truth.
# On the right each point is one row.
# Three stripes belong to the three contributors; each is flatter than the diagonal, because the second prior gives `layer_1` less of every surprise.
#
# ## Shares of variance
#
# The same question for all rows at once: which layer makes totals differ?
# By the [law of total variance](../book/glossary.md) the variance of all totals is a sum of parts.
# Of each layer there is the part of its *means* (contributors differ) and that of its *spreads* (contributions of one contributor differ).
# One more part belongs to no layer alone: the *covariance* of the means.
# It is positive if contributors with high means come together more often than chance would have it, and negative if they avoid each other.
# Here contributors meet by chance, so it is close to zero, and may be on either side.
# A negative share is no mistake: the others then add up to more than one.

# %%
true_shares = {("baseline", "spreads"): truth.baseline.sigma[0] ** 2}
for name in layers:
    p = cells.counts(name) / len(rows)
    true_shares[name, "means"] = p @ (truth[name].mu - p @ truth[name].mu) ** 2
    true_shares[name, "spreads"] = p @ truth[name].sigma ** 2
true_means = [truth[name].mu[code] for name, code in zip(layers, cells.codes.T, strict=True)]
true_shares["covariance", "means"] = 2 * np.cov(*true_means, fweights=cells.n, ddof=0)[0, 1]
shares = pd.DataFrame(
    {name: mlm.variance_shares(fit, cells).set_index(["component", "source"])["mean"] for name, fit in fits.items()}
)
shares["truth"] = pd.Series(true_shares) / sum(true_shares.values())
spreads = shares.xs("spreads", level="source")
by_means = shares.xs("means", level="source")
assert (by_means["equal shares"] - by_means["prior for the baseline"]).abs().max() < 0.005
assert (
    abs(
        shares.loc[("baseline", "spreads"), "equal shares"]
        - shares.loc[("baseline", "spreads"), "prior for the baseline"]
    )
    > 0.05
)
print("all spreads together:", spreads.sum().round(3).to_dict())
shares.round(3)

# %% [markdown]
# Shares of the means agree, and so does the sum of all spreads.
# How the spreads divide among baseline and layers moves with the prior, as it did in notebook 10.
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
# - Given the parameters, the contributions to a total are jointly normal: each gets its mean and a share `v_j / V` of the surprise.
# - Parts add up exactly and are negatively correlated.
#   With known parameters their uncertainty is the same for large and small surprises; with estimated ones it grows with the surprise.
# - Averaging over the posterior carries the uncertainty of the parameters into the parts.
# - Intervals are calibrated over the prior, and the split of a single surprise is as good as the prior of the split.
# - Safe to claim: what was expected, how large and how unusual the surprise is, contributors' means, averages over many rows.
#
# ## Going further
#
# - A. Gelman et al. (2013), *Bayesian Data Analysis*, third edition, appendix A: the conditional normal distribution.
# - C. R. Henderson (1975), *Best linear unbiased estimation and prediction under a selection model*, [doi:10.2307/2529430](https://doi.org/10.2307/2529430).
# - G. K. Robinson (1991), *That BLUP is a good thing: the estimation of random effects*, [doi:10.1214/ss/1177011926](https://doi.org/10.1214/ss/1177011926).
# - A. Gelman (2005), *Analysis of variance: why it is more important than ever*, [doi:10.1214/009053604000001048](https://doi.org/10.1214/009053604000001048).

# %%
print(mlm.version_line())
