# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 10 What the data cannot say
#
# Nora and Sam at head office have Lena's whole year now: 10,000 parcels of her depot.
# Their manager has money for one thing, better routes or training for centers and drivers.
# So she asks what she asked in [07](07_diagnostics.ipynb): by how many minutes do deliveries vary because of the road alone?
#
# This time Sam uses Nora's model, Nora's data and Nora's sampler.
# Only their priors differ.
# Nora expects a third of the variance on the road, and Sam, who has driven himself, a tenth.
# Both runs converge, both predict the parcels equally well, and the two answers lie more than a minute apart.
#
# "How many more parcels do you have to record to settle it?", asks the manager.
# Write down a number before you go on.
#
# **You will learn**
#
# 1. to find a number that the prior decided, in a fit that converged and predicts well;
# 2. to count, with the rank of a matrix, the directions in which data say nothing, for variances and for means;
# 3. to name what the data do fix: contrasts, sums and bounds;
# 4. to read a calibration, and to say what it proves, what it could have noticed and what it cannot see.
#
# **You need** [07](07_diagnostics.ipynb) for convergence, [08](08_checking_a_model.ipynb) for predictive checks and power-scaling, and [09](09_integrating_out.ipynb) for cells.
#
# **Time** 40 minutes to read, up to two minutes to run.

# %%
import logging
import warnings
from dataclasses import replace
from importlib.resources import files

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr
from scipy import stats

import mlm_tutorial as mlm

SEED = mlm.notebook_seed(678)
rng = np.random.default_rng(SEED)
mlm.use_style()
logging.getLogger("pymc").setLevel(logging.ERROR)  # no line for every variable that PyMC draws
logging.getLogger("arviz_stats.psense").setLevel(logging.ERROR)  # its table says the same

# %% [markdown]
# ## A fit that passes every check
#
# A parcel's delay is the sum of three contributions, in minutes: one of the road, one of its sorting center, one of its driver.
# The road is the baseline: weather, traffic, everything without a name.
# These parcels are simulated, so there is a truth: the road has a standard deviation of 5 minutes, and every center and driver has one of 1.
# The 10,000 parcels become 12 [cells](../book/glossary.md), as in 09.
#
# Nora's prior has fixed scales (`pooled=False`), and expects the same variance of the road, of a center and of a driver.

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
rows = parcels.simulate(10_000, rng=SEED)
cells = mlm.cell_statistics(rows, layers=layers)

nora = mlm.Priors.from_cells(cells, pooled=False)
compiled = {"Nora": mlm.compile_model(mlm.cell_model(cells, nora))}
fits = {"Nora": mlm.sample(compiled["Nora"], seed=SEED)}
mlm.check_convergence(fits["Nora"])
mlm.efficiency(fits["Nora"])[["min_ess_bulk", "min_ess_tail"]].round(0)

# %% [markdown]
# The sampler is content.
# Now the predictions.
# One matrix $D$ leads from the eight components to the 12 cells.
# It has a row for each cell and a column for each component: 1 where the component takes part, 0 elsewhere.
# If $m$ holds the eight means and $v$ the eight variances, the cells have the means $D m$ and the variances $D v$.

# %%
design = cells.design().toarray()
print(design.astype(int))


def parts(draws):
    """Means and variances of road, centers and drivers, a row for each draw."""
    found = []
    for kind in ("mu", "sigma"):
        columns = [draws[f"{kind}_{name}"].values for name in ("baseline", *layers)]
        found.append(np.hstack([x.reshape(columns[0].size, -1) for x in columns]))
    mu, sigma = found
    return mu, sigma**2


observed = np.concatenate([cells.mean, np.sqrt(cells.sum_sq / (cells.n - 1))])


def surprises(fit):
    """How far averages and sds of the cells are from new ones, in sds of these; and these sds."""
    mu, v = parts(fit["posterior"])
    mean, variance = mu @ design.T, v @ design.T
    average = rng.normal(mean, np.sqrt(variance / cells.n))
    sd = np.sqrt(variance * rng.chisquare(cells.n - 1, variance.shape) / (cells.n - 1))
    new = np.hstack([average, sd])
    return (observed - new.mean(axis=0)) / new.std(axis=0), new.std(axis=0)


z = {}
z["Nora"], scale = surprises(fits["Nora"])
largest = np.abs(z["Nora"]).max()
print(f"24 statistics; the most surprising is {largest:.1f} sds from its prediction")
of_average, of_sd = 3 * scale[:12].mean(), 3 * np.mean(scale[12:] / observed[12:])
print(f"3 sds are {of_average:.1f} minutes for an average and {of_sd:.0%} for an sd")
assert largest < 3  # strict for 24 statistics: the data made their own prediction

# %% [markdown]
# Of 12 averages and 12 standard deviations none is a surprise.
# The last line is how far an average or an sd must lie from its prediction. The same cells made the prediction, six free means for twelve averages, so a single odd cell pulls it part of the way along, and has to be off by more before the check notices.
# A wrong split of the totals it cannot notice, as you will see.
#
# **Predict first.** The chains agree, the predictions hold, the model is the one that made the parcels, and there are 10,000 of them.
# How far from the true 5 minutes will the estimate of the road's standard deviation be?

# %% mystnb={"image": {"alt": "Intervals of all parameters with true values. Means are narrow and near the truth. Standard deviations have wide intervals; the road's lies to the left of its truth, 5, and most of the centers' and drivers' lie to the right of their truth, 1."}}
road = fits["Nora"]["posterior"]["sigma_baseline"]
print(f"the road's standard deviation: true 5.00, Nora's {float(road.mean()):.2f} minutes")
print(f"posterior probability of 5 or more: {float((road >= 5).mean()):.3f}")
assert 5 - road.mean() > 0.4
ax = mlm.plot_recovery(mlm.recovery(fits["Nora"], parcels))
ax.set_xlabel("minutes")
plt.show()

# %% [markdown]
# The means are found to a fraction of a minute.
# The road's standard deviation is too small, and those of most centers and drivers are too large.
# Something took variance from the road and gave it to the people.
# Most of that was not the data's doing.
#
# ## Two priors, two answers
#
# Sam changes one thing, the *split* that the prior expects: a tenth of the variance on the road, 45 % in each layer.
# The expected variance of a total stays, and so do the data and the priors of all means.

# %%
variance = cells.residual_variance()


def split(road_share):
    """Nora's prior with this share of the expected variance on the road, the rest in halves."""
    other = (1 - road_share) / 2
    shares = {"baseline": road_share, "center": other, "driver": other}
    scales = {name: float(np.sqrt(share * variance)) for name, share in shares.items()}
    return replace(nora, sigma_scale=scales)


priors = {"Nora": nora, "Sam": split(0.1)}
compiled["Sam"] = compiled["Nora"].with_priors(priors["Sam"])  # other numbers, same compiled model
fits["Sam"] = mlm.sample(compiled["Sam"], seed=SEED)
mlm.check_convergence(fits["Sam"])
z["Sam"], _ = surprises(fits["Sam"])

estimates = {name: fit["posterior"]["sigma_baseline"] for name, fit in fits.items()}
for name, draws in estimates.items():
    print(f"{name:<5} road {float(draws.mean()):.2f} ± {float(draws.std()):.2f} minutes,", end=" ")
    print(f"most surprising of 24 predictions: {np.abs(z[name]).max():.1f} sds off")
assert np.abs(z["Sam"]).max() < 3
assert estimates["Nora"].mean() - estimates["Sam"].mean() > 1.2

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two histograms of the road's standard deviation. Nora's peaks between 4 and 5 minutes with a tail to the left; Sam's is broad, with most of it below 3. A black vertical line marks the truth at 5. Thin lines show both priors."}} tags=["hide-input"]
roles = {"Nora": "alternative", "Sam": "estimate"}
fig, ax = plt.subplots()
x, edges = np.linspace(0, 8, 400), np.linspace(0, 5.6, 57)
for name, style in (("Nora", "--"), ("Sam", ":")):
    color = mlm.COLORS[roles[name]]
    filled = {"density": True, "histtype": "stepfilled", "alpha": 0.6, "color": color}
    ax.hist(estimates[name].values.ravel(), edges, label=f"{name}'s posterior", **filled)
    density = stats.rayleigh.pdf(x, scale=priors[name].sigma_scale_of("baseline") / np.sqrt(2))
    ax.plot(x, density, style, color=color, linewidth=1.5, label=f"{name}'s prior")
ax.axvline(5, color=mlm.COLORS["truth"], linewidth=2, label="truth")
ax.set(xlabel="standard deviation of the road (minutes)", ylabel="density")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# One data set, one likelihood, two answers, and equally good predictions.
# Nora is nearer to the truth because her prior is.
# Without the truth, nothing in the likelihood tells you where the road is.
#
# Perhaps they need more parcels?
#
# **Predict first.** From 10,000 to 1,000,000 parcels, what becomes of the gap between Nora and Sam?

# %%
gaps = {}
for n_rows in (10_000, 100_000, 1_000_000):
    more = cells
    if n_rows > len(rows):
        more = mlm.cell_statistics(parcels.simulate(n_rows, rng=rng), layers=layers)
    found = []
    for name in priors:
        fit = fits[name]
        if more is not cells:
            fit = mlm.sample(compiled[name].with_cells(more), seed=SEED)
        mlm.check_convergence(fit)
        mu, v = parts(fit["posterior"])
        found.append([x.mean(axis=0) for x in (np.sqrt(v[:, 0]), mu, np.sqrt(v @ design.T))])
    gaps[n_rows] = [np.abs(one - other).max() for one, other in zip(*found, strict=True)]
gaps = pd.DataFrame(gaps, ["the road's sd", "means", "sd of a total in a cell"]).T
gaps.rename_axis("parcels").round(4)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Largest difference between Nora's and Sam's posterior means against the number of parcels, both axes logarithmic. The line of the road's standard deviation stays near 2 minutes; those of the means and of the standard deviations of totals lie far below it and fall."}} tags=["hide-input"]
fig, ax = plt.subplots()
for name, marker, role in zip(gaps, "osD", ("alternative", "truth", "estimate"), strict=True):
    ax.plot(gaps[name], f"{marker}-", color=mlm.COLORS[role], label=name)
ax.set(xscale="log", yscale="log", xlabel="parcels", ylabel="difference between\nNora and Sam (minutes)")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

assert gaps["the road's sd"].iloc[-1] > 0.9 * gaps["the road's sd"].iloc[0]
assert gaps["sd of a total in a cell"].iloc[-1] < gaps["sd of a total in a cell"].iloc[0] / 5

# %% [markdown]
# A hundred times the parcels, and the gap does not shrink.
# It even grows a little; you will see why.
# Standard deviations of totals approach one another as $1/n$, as under any two priors.
# The means agree from the start: their gap is Monte Carlo error.
# So there is no number to give the manager: no count of parcels settles it.
#
# ## Why: variance moves without a trace
#
# The data show the variance of each cell, $V = v_\text{road} + v_\text{center} + v_\text{driver}$, and none of its parts.
# Take a constant $c$ from the road's variance and add it to the variance of *every* center.
# Each parcel has exactly one center, so each $V$ loses $c$ once and gains it once.


# %% tags=["nbval-check-output"]
def log_likelihood(mu, v, data=cells):
    """The exact log likelihood of all rows, from the cells; a number for each row of mu and v."""
    mean, variance = mu @ design.T, v @ design.T
    squares = data.sum_sq + data.n * (data.mean - mean) ** 2
    return np.sum(-data.n / 2 * np.log(2 * np.pi * variance) - squares / (2 * variance), axis=-1)


centered = parcels.centered()  # each layer's means sum to zero, as in the model
components = [centered.baseline, *(centered[name] for name in layers)]
true_mu = np.concatenate([component.mu for component in components])
true_v = np.concatenate([component.sigma for component in components]) ** 2
to_centers = np.array([-1, 1, 1, 1, 0, 0, 0, 0])
at_truth = log_likelihood(true_mu, true_v)
for c in (-0.9, 0.0, 8.0, 16.0, 24.0):
    moved = true_v + c * to_centers
    change = log_likelihood(true_mu, moved) / at_truth - 1
    assert abs(change) < 1e-12
    print(f"c = {c:4.1f}   sd of the road {np.sqrt(moved[0]):.2f}, of Mill {np.sqrt(moved[3]):.2f}", end="   ")
    print(f"log likelihood unchanged: {abs(change) < 1e-12}")

# %% [markdown]
# Not "almost flat" but exactly flat.
# A road with a standard deviation of 5 minutes explains every parcel as well as a road with 1.
# Such a parameter is *not identified*: different values give the data the same distribution.
# More parcels do not help, because every parcel has the same freedom.
#
# Move the slider: two parts change, and the total does not.


# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Three panels of densities of minutes late, before and after a variance is moved. The road's curve gets narrower, that of Mill gets wider, and the two curves of the total of Mill and Ann lie on one another."}} tags=["hide-input"]
def explore(moved):
    """Draw the densities before and after a variance is moved from the road to the centers."""
    fig, axes = plt.subplots(1, 3, figsize=(11, 3.5), sharey=True)
    x = np.linspace(-18, 24, 400)
    chosen = {"road": [0], "Mill": [3], "total of Mill and Ann": [0, 3, 4]}
    for ax, (title, places) in zip(axes, chosen.items(), strict=True):
        for v, role, width in ((true_v, "data", 5), (true_v + moved * to_centers, "estimate", 2)):
            density = stats.norm.pdf(x, true_mu[places].sum(), np.sqrt(v[places].sum()))
            label = "before" if role == "data" else "after"
            ax.plot(x, density, color=mlm.COLORS[role], linewidth=width, label=label)
        ax.set(title=title, xlabel="minutes", ylim=(0, 0.45))
    axes[0].set_ylabel("density")
    axes[2].legend()
    return fig


mlm.slider(
    explore,
    alt="Densities of the road, of Mill and of the total of Mill and Ann before and after a variance is moved.",
    start={"moved": 16},
    moved=[0, 4, 8, 12, 16, 20, 24],
)

# %% [markdown]
# ## How many such directions are there?
#
# The cells see $D v$.
# A direction that $D$ maps to zero leaves no trace.
# The *rank* of $D$, the number of its linearly independent columns, counts the directions that do leave one.
# So the number of variances minus the rank counts the flat directions, and you can have it before the first fit.
#
# The *Fisher information* says the same in terms of curvature.
# It is minus the expected second derivative of the log likelihood: how sharply the likelihood bends down around its peak, on average over data.
# For the variances of normal totals it is $D^\top \mathrm{diag}(n / 2V^2)\, D$.
# An eigenvalue of zero is a direction without curvature, in which no standard error is finite.

# %%
rank = np.linalg.matrix_rank(design)
print(f"{design.shape[1]} variances, rank {rank}: {design.shape[1] - rank} flat directions")
to_drivers = np.array([-1, 0, 0, 0, 1, 1, 1, 1])
assert np.all(design @ to_centers == 0)
assert np.all(design @ to_drivers == 0)

information = design.T @ np.diag(cells.n / (2 * (design @ true_v) ** 2)) @ design
print("eigenvalues of the Fisher information:", np.linalg.eigvalsh(information)[::-1].round(3) + 0.0)
assert np.linalg.matrix_rank(information) == rank == design.shape[1] - 2

# %% [markdown]
# One flat direction for each layer: from the road into all centers, and from the road into all drivers.
#
# ### The means have flat directions, too
#
# The cells see $D m$ in the same way, so the means have the same freedom.
# There a rule removes it: the means of each layer sum to zero.
# No such rule is natural for variances, which have to stay positive.
# The rule adds a row to $D$ for each layer.
#
# Does one rule a layer always suffice?
# Count for three tables:
#
# - **crossed**: the parcels, in which every driver works at every center;
# - **nested**: only the parcels of Ann and Ben at Airport, of Cleo at Harbor and of Dov at Mill;
# - **pairs**: a gauge study by Houf and Berman (14 tells its story). Three *operators* measure ten *parts* three times each. An operator may handle one part unlike the others, so every *pair* of part and operator is a contributor of a third layer.
#
# **Predict first.** In which of the three do the data fix all means?


# %% tags=["nbval-check-output"]
def flat_directions(cells):
    """Number of flat directions of the variances, and of the means with their rules."""
    design = cells.design().toarray()
    sizes = [1, *(len(cells.labels[name]) for name in cells.layers)]
    layer_of = np.repeat(np.arange(len(sizes)), sizes)  # 0 for the baseline
    rules = [layer_of == j for j in range(1, len(sizes))]
    rank, with_rules = np.linalg.matrix_rank(design), np.linalg.matrix_rank(np.vstack([design, *rules]))
    return {"components": sum(sizes), "flat, variances": sum(sizes) - rank, "flat, means": sum(sizes) - with_rules}


home = {"Ann": "Airport", "Ben": "Airport", "Cleo": "Harbor", "Dov": "Mill"}
nested = mlm.cell_statistics(rows[rows["center"].astype(str) == rows["driver"].astype(str).map(home)], layers=layers)
gauge_layers = ["part", "operator", "pair"]
readings = mlm.load_gauge()
readings["pair"] = readings["part"].astype(str) + readings["operator"]
gauge = mlm.cell_statistics(readings, "impedance", gauge_layers)

counted = pd.DataFrame(
    {"crossed": flat_directions(cells), "nested": flat_directions(nested), "pairs": flat_directions(gauge)}
).T
assert (counted["flat, means"] > 0).tolist() == [False, True, True]
counted

# %% [markdown]
# In the crossed table the rule suffices.
# In the nested one it does not: make Mill a minute slower and Dov a minute faster, Harbor and Cleo the other way round, and no parcel notices.
# In the gauge study a part and its three pairs trade in the same way, and so do an operator and her ten pairs.
# **"Means are identified" holds only where layers are separable**, that is, where rows tell each contributor's part from those of the other layers.
#
# `mlm.identification` looks for you, at any size of table, and says in words what it found.
# It also takes *contrasts*: combinations of parameters that you would like to report.
# A contrast of variances is *estimable* if it is a combination of rows of the design, because then a combination of cells measures it.
# For means the rules that they sum to zero count as rows, too.

# %%
difference = {("part", 2): 1, ("part", 1): -1}
with_pairs = difference | {("pair", f"{part}{o}"): w / 3 for part, w in ((2, 1), (1, -1)) for o in "ABC"}
found = mlm.identification(
    gauge, contrasts={"part 2 - part 1": difference, "part 2 - part 1, with its pairs": with_pairs}
)
assert found["means"].tolist() == [True, False, False, False, False, True]
print(found.loc["pair", "because"].split(" Spreads:")[0], end="\n\n")
found[["means", "spreads"]]

# %% [markdown]
# Even "part 2 minus part 1" cannot be reported, unless you say what you mean: part 2 minus part 1, averaged over the three operators, pairs included.
# That is a difference of averages of readings, and no prior is needed for it.
#
# ## A gauge that blames the wrong one
#
# What happens if you fit the gauge study all the same?
# A buyer wants to know how much of the variance of readings is that of the parts.
# To look at means alone, let the spread within a cell be one number, the gauge's own: `known_sigma` sets the spreads of the three layers to zero.
#
# The classical answer is an *analysis of variance*.
# In this table it agrees with [REML](../book/glossary.md), *restricted maximum likelihood*, which most programs for multilevel models print.
# [14](14_how_good_is_the_measurement.ipynb) derives its shares; here they are only the yardstick.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
table = readings.pivot_table("impedance", "part", "operator").to_numpy()
(n_parts, n_operators), repeats = table.shape, 3
part, operator = table.mean(axis=1, keepdims=True), table.mean(axis=0, keepdims=True)
interaction = table - part - operator + table.mean()
mean_square = {
    "part": repeats * n_operators * part.var(ddof=1),
    "operator": repeats * n_parts * operator.var(ddof=1),
    "pair": repeats * np.sum(interaction**2) / ((n_parts - 1) * (n_operators - 1)),
    "gauge": gauge.sum_sq.sum() / (gauge.n.sum() - table.size),
}
classical = pd.Series(
    {
        "part": (mean_square["part"] - mean_square["pair"]) / (repeats * n_operators),
        "operator": (mean_square["operator"] - mean_square["pair"]) / (repeats * n_parts),
        "pair": (mean_square["pair"] - mean_square["gauge"]) / repeats,
        "gauge": mean_square["gauge"],
    }
)
assert classical.min() > 0
print("shares of the variance:", (classical / classical.sum()).round(3).to_dict())
print(f"sum of the variances {classical.sum():.0f}, variance of the readings", end=" ")
print(f"{readings['impedance'].var():.0f}")

# %% [markdown]
# Now the model, without pooling.
# Look at the warning.

# %%
spreads = {"part": 0, "operator": 0, "pair": 0}
default = mlm.Priors.from_cells(gauge, pooled=False, known_sigma=spreads)


def variances_of(compiled):
    """Fit the gauge study; return each layer's variance, averaged over draws."""
    fit = mlm.sample(compiled, seed=SEED, chains=2)  # enough for averages, in half the time
    mlm.check_convergence(fit)
    draws = fit["posterior"]
    found = {name: draws[f"mu_{name}"].var(name, ddof=1) for name in gauge_layers}
    found["gauge"] = draws["sigma_baseline"] ** 2
    return {name: float(v.mean()) for name, v in found.items()}


def with_shares(variances):
    """Variances of every fit, their sum, and what share of it each has."""
    table = pd.DataFrame(variances).T
    total = table.sum(axis=1)
    blocks = {"variance": table.assign(sum=total), "share": table.div(total, axis=0)}
    return pd.concat(blocks, axis=1)


with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", mlm.UnidentifiedWarning)
    gauge_model = mlm.compile_model(mlm.cell_model(gauge, default))
variances = {"REML": classical, "not pooled": variances_of(gauge_model)}
warned = [w.message for w in caught if w.category is mlm.UnidentifiedWarning]
print(warned[0], end="\n\n")
compared = with_shares(variances)
assert compared.loc["not pooled", ("variance", "sum")] > 2 * readings["impedance"].var()
compared.round(2)

# %% [markdown]
# It converged, and it gives the pairs two fifths of the variance.
# Look at the variances, not only at the shares: together, the layers have several times the variance of the readings.
# Raise a part and lower its pairs by as much, and no reading notices.
# So the draws carry opposite effects as large as the prior allows.
# They cancel in every reading and add up in every layer's variance.
#
# A careful analyst tries a second prior: she makes the scale of the *spread* three times larger.
# Another one makes the scale of the pairs' *means* ten times smaller.
# A third one pools: each layer's scale of means is learned from the layer itself.
#
# **Predict first.** Which of the three second opinions will raise an alarm?

# %%
wider = replace(default, sigma_scale=3 * default.sigma_scale)
variances["another scale of spread"] = variances_of(gauge_model.with_priors(wider))
mu_sd = {"part": default.mu_sd, "operator": default.mu_sd, "pair": default.mu_sd / 10}
small_pairs = replace(default, mu_sd=mu_sd)
variances["another scale of pairs"] = variances_of(gauge_model.with_priors(small_pairs))
pooled = mlm.Priors.from_cells(gauge, known_sigma=spreads)
variances["pooled"] = variances_of(mlm.cell_model(gauge, pooled))
compared = with_shares(variances)
share = compared["share"]
assert abs(share.loc["not pooled", "part"] - share.loc["another scale of spread", "part"]) < 0.05
assert share.loc["another scale of pairs", "part"] - share.loc["not pooled", "part"] > 0.2
assert (share.loc["pooled"] - share.loc["REML"]).abs().max() < 0.02
compared.round(2)

# %% [markdown]
# The scale of the spread changed nothing, and the parts' share is still half of REML's.
# The other two opinions raise the alarm.
# What stays under a second prior is the data's doing only if the second prior differs where the data are silent.
# Ask the rank first: it says where that is.
#
# Pooling finds REML's answer, because it has something to learn from: thirty pairs whose averages are close to what part and operator add up to say that pairs matter little.
# That is information about the *layer*, and no direction is flat for it here.
# It is still an assumption, that the contributors of a layer are alike, and it is the one that REML makes.
#
# ## What the data do fix
#
# Back to the parcels.
# Whatever keeps its value when variance moves along the flat directions is identified:
#
# - the means, in a crossed table;
# - the standard deviation of a total in each cell;
# - differences of variances inside a layer, such as $v_\text{Ben} - v_\text{Ann}$;
# - the sum $A = v_\text{road} + \min_k v_{\text{center},k} + \min_k v_{\text{driver},k}$.
#
# Why $A$? Where every driver works at every center, some cell has the steadiest of both, so $A$ is the smallest variance of a total in any cell.
#
# The last two items of the list give *bounds*, since no variance is negative.
# The smallest variance of a layer is the most that can move from it into the road.
# So $0 < v_\text{road} < A$: the road's standard deviation is at most $\sqrt A$, and every value below gives the same likelihood.
# A contributor has bounds on both sides.
# If Ben's variance is 9 above that of the steadiest driver, then Ben's standard deviation is at least 3 minutes, whatever the prior.


# %%
def quantities(fit):
    """Groups of quantities: the identified ones first."""
    mu, v = parts(fit["posterior"])
    road, center, driver = v[:, :1], v[:, 1:4], v[:, 4:]
    smallest = center.min(axis=1, keepdims=True) + driver.min(axis=1, keepdims=True)
    return {
        "means": mu,
        "sd of a total in each cell": np.sqrt(v @ design.T),
        "differences of variances": np.hstack([x[:, 1:] - x[:, :1] for x in (center, driver)]),
        "bound of the road, root of A": np.sqrt(road + smallest),
        "sd of the road": np.sqrt(road),
        "sds of centers and drivers": np.sqrt(v[:, 1:]),
    }


agreement = {}
both = {name: quantities(fit) for name, fit in fits.items()}
for group, first in both["Nora"].items():
    second = both["Sam"][group]
    shift = np.abs(first.mean(axis=0) - second.mean(axis=0))
    sd = np.sqrt((first.var(axis=0) + second.var(axis=0)) / 2)
    agreement[group] = [len(shift), shift.max(), (shift / sd).max()]
agreement = pd.DataFrame(agreement, ["how many", "largest shift", "in posterior sds"]).T
assert agreement.iloc[:4, 2].max() < 0.3 < 1 < agreement.loc["sd of the road", "in posterior sds"]
agreement.astype({"how many": int}).round(2)

# %% [markdown]
# Shifts are in minutes, for differences of variances in minutes squared.
# In the first four rows Nora and Sam differ by a small part of their own uncertainty.
#
# ### The rest is the prior's, and you can compute it
#
# Given $A$ **and the differences inside the layers**, one thing is left open: how $A$ is shared, a part $p_0$ for the road, $p_1$ for centers and $p_2$ for drivers.
# The likelihood does not contain $p$, so its posterior is its prior, given $A$ and the differences.
# Here a variance has an exponential prior with mean $s^2$, whose density falls like $\exp(-v / s^2)$.
# A layer's part $A\,p_j$ is in the variance of each of its $m_j$ contributors, so it counts $m_j$ times:
#
# $$p(p_0, p_1, p_2 \mid A, \text{differences}) \propto \exp\Big(-A \sum_j b_j\, p_j\Big), \qquad b_j = m_j / s_j^2, \quad m_0 = 1 .$$
#
# The differences have dropped out: they enter the prior as a factor of their own, which does not depend on $p$.
# For two layers the density of $p_0$ follows in closed form, so you need no sampler to see what any prior makes of these parcels.
#
# **Predict first.** Let the share that the prior expects on the road go from 2 % to 98 %.
# Which answers can the manager be given?


# %%
def draw_road(A, prior):
    """Draw the road's sd from its prior given A: invert the distribution function on a grid."""
    b_0 = 1 / prior.sigma_scale_of("baseline") ** 2
    b_1, b_2 = (len(parcels[name]) / prior.sigma_scale_of(name) ** 2 for name in layers)
    p_0 = (np.arange(1000) + 0.5) / 1000
    left, a = 1 - p_0, A[:, None]
    density = (np.exp(-a * b_2 * left) - np.exp(-a * b_1 * left)) / (b_1 - b_2)
    density *= np.exp(-a * b_0 * p_0)
    distribution = density.cumsum(axis=1) / density.sum(axis=1, keepdims=True)
    level = rng.permutation((np.arange(len(A)) + 0.5) / len(A))  # less noise than rng.random
    position = (distribution < level[:, None]).sum(axis=1)
    return np.sqrt(A * p_0[position])


for name, prior in priors.items():
    A = both[name]["bound of the road, root of A"].ravel() ** 2
    drawn, sampled = draw_road(A, prior), estimates[name].values.ravel()
    for how, x in (("sampled", sampled), ("from the prior given A", drawn)):
        print(f"{name:<5} 5.5, 50 and 94.5 %: {np.quantile(x, [0.055, 0.5, 0.945]).round(2)} {how}")
    assert stats.ks_2samp(drawn, sampled).statistic < 0.07

true_A = true_v[0] + true_v[1:4].min() + true_v[4:].min()
means = [draw_road(np.full(1_000, true_A), prior).mean() for prior in priors.values()]
gap = means[0] - means[1]
print(f"from the priors given the true A: means {means[0]:.1f} and {means[1]:.1f}, gap {gap:.1f}")
assert abs(gap - gaps["the road's sd"].iloc[-1]) < 0.15

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "A band of the posterior of the road's standard deviation against the share of the variance that the prior expects on the road. Its median rises from less than 1 to almost 5 minutes, the truth at 5 as a dashed line; the sampled intervals of Sam, at a tenth, and of Nora, at a third, lie on it."}} tags=["hide-input"]
A = both["Nora"]["bound of the road, root of A"].ravel()[::4] ** 2
expected = np.linspace(0.02, 0.98, 25)
bands = np.array([np.quantile(draw_road(A, split(s)), [0.055, 0.5, 0.945]) for s in expected])
fig, ax = plt.subplots()
ax.fill_between(expected, bands[:, 0], bands[:, 2], color=mlm.COLORS["data"], label="89 % of the posterior")
ax.plot(expected, bands[:, 1], color=mlm.COLORS["truth"], linewidth=1, label="median")
ax.axhline(5, color=mlm.COLORS["truth"], linestyle="--", linewidth=1, label="truth")
for name, share, marker in (("Nora", 1 / 3, "o"), ("Sam", 0.1, "s")):
    low, middle, high = estimates[name].quantile([0.055, 0.5, 0.945]).values
    style = {"color": mlm.COLORS[roles[name]], "capsize": 4, "fmt": marker, "label": f"{name}, sampled"}
    ax.errorbar(share, middle, [[middle - low], [high - middle]], **style)
ax.set(xlabel="share of the variance that the prior expects on the road", ylim=(0, 5.8))
ax.set_ylabel("sd of the road (minutes)")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# You have reproduced two posteriors from a prior and the draws of one identified number.
# Order any answer up to $\sqrt A$, and there is a prior that delivers it.
# (The band takes $A$ from Nora's fit; under another prior $A$ moves a little, as the table above shows.)
#
# Now you see why the gap between Nora and Sam grew with the parcels.
# With 10,000 parcels $A$ comes out below its true value.
# Given the true one, there is more variance to share, and the gap is that of a million parcels.
#
# The parcels do rank the two priors.
# Averaged over Nora's draws, the ratio of Sam's prior to hers is how probable the parcels are under his, relative to hers.
# Sam's draws give the inverse.


# %% jupyter={"source_hidden": true} tags=["hide-input"]
def log_prior_of(name, v):
    """Logarithm of a prior's density of all standard deviations, for each row of v."""
    scales = [priors[name].sigma_scale_of(layer) for layer in ("baseline", *layers)]
    each = stats.weibull_min(2, scale=np.repeat(scales, [1, 3, 4]))
    return each.logpdf(np.sqrt(v)).sum(axis=1)


factors = []
for name, other, power in (("Nora", "Sam", -1), ("Sam", "Nora", 1)):
    _, v = parts(fits[name]["posterior"])
    weight = np.exp(log_prior_of(other, v) - log_prior_of(name, v))
    factors.append(weight.mean() ** power)
    effective = weight.sum() ** 2 / np.sum(weight**2)
    print(f"from {name}'s draws: {factors[-1]:.1f} times as probable under Nora's prior", end=" ")
    print(f"(worth {effective:.0f} draws)")
assert min(factors) > 3
assert abs(np.log(factors[0] / factors[1])) < 0.5

# %% [markdown]
# Nora's prior expects smaller differences and a larger $A$ than Sam's, and the parcels agree with her.
# That is a verdict about the differences and about $A$, and not about $p$.
# Another prior with the same verdict can put the road elsewhere.
#
# Which standard tools notice all this?
# Power-scaling does.
# Coordinates help only the sampler.
# Calibration cannot notice it.
#
# ## Power-scaling finds it without a second fit
#
# You will not always think of Sam's prior.
# [08](08_checking_a_model.ipynb) introduced `az.psense_summary`: it raises prior and likelihood to powers near 1 and asks which posteriors move.
# It needs both log densities at every draw.

# %%
draws = fits["Nora"]["posterior"].to_dataset()
mu, v = parts(draws)
shape = draws.sizes["chain"], draws.sizes["draw"]
log_prior = stats.norm.logpdf(mu[:, 0], nora.baseline_mu, nora.baseline_mu_sd)
log_prior += stats.norm.logpdf(mu[:, 1:], 0, nora.mu_sd).sum(axis=1)
log_prior += stats.weibull_min(2, scale=nora.sigma_scale).logpdf(np.sqrt(v)).sum(axis=1)
draws["sd_total"] = (("chain", "draw", "cell"), np.sqrt(v @ design.T).reshape(*shape, -1))
densities = {"log_prior": log_prior, "log_likelihood": log_likelihood(mu, v)}
tree = {group: xr.Dataset({"cells": (("chain", "draw"), x.reshape(shape))}) for group, x in densities.items()}
names = ["mu_baseline", "mu_center", "mu_driver", "sd_total", "sigma_baseline", "sigma_center", "sigma_driver"]
sensitivity = az.psense_summary(xr.DataTree.from_dict({"posterior": draws} | tree), var_names=names)

limit = 0.05  # ArviZ's own
fixed = sensitivity.index.str.startswith(("mu", "sd_total"))
assert float(sensitivity.loc["sigma_baseline", "prior"]) > limit
assert (sensitivity.loc[fixed, "prior"].astype(float) < limit).all()
sensitivity

# %% [markdown]
# Means and standard deviations of totals move with the likelihood and hardly with the prior.
# The road and the people move with the prior.
# Read the numbers, not only the words.
# Power-scaling is a local check, of powers near 1: no flag is no proof.
# The rank of the design is a proof.
#
# ## A flat direction is a trap for the sampler, too
#
# In 07 Nora's model diverged as soon as the sampler walked in logarithms of the standard deviations.
# The reason is what you have just seen: in those coordinates the flat direction is a long ridge, and it is bent.
# A step along it soon leaves it sideways.
# The model's own coordinates, `mlm.IdentifiedScales`, run along and across the ridge: some numbers that the data fix, and some that only the prior knows.
# Below are the same draws of one posterior in both systems.

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two scatter plots of the same posterior draws. Left, logarithms of the standard deviations of the road and of Mill: a thin bent band with a corner. Right, the largest variance that the road could have against the logit of the part of the centers: a shapeless cloud."}} tags=["hide-input"]
thin = v[::2]
A = thin[:, 0] + thin[:, 1:4].min(axis=1) + thin[:, 4:].min(axis=1)
style = {"marker": ".", "linestyle": "none", "color": mlm.COLORS["estimate"], "alpha": 0.3}
fig, axes = plt.subplots(1, 2, figsize=(10, 4))
axes[0].plot(np.log(thin[:, 0]) / 2, np.log(thin[:, 3]) / 2, **style)
axes[0].set(title="logarithms", xlabel="log sd of the road", ylabel="log sd of Mill")
axes[1].plot(A, np.log(thin[:, 1:4].min(axis=1) / thin[:, 0]), **style)
axes[1].set(
    title="along and across", xlabel="A, in minutes squared (data)", ylabel="log (centers' part / road's part) (prior)"
)
plt.show()

# %% [markdown]
# On the left a bend, and no single step size fits it; on the right a cloud.
# Good coordinates make a ridge easy to walk.
# They do not make the data say more.
#
# ## Calibration: right on average over the prior
#
# 08 tested intervals at one truth.
# *Simulation-based calibration* tests model and sampler over all truths that the prior allows (Talts and others 2018).
# Draw parameters from the prior, simulate data from them, fit, and note the *rank* of the true value among posterior draws (its place in line; nothing to do with the rank of a matrix).
# If everything is right, ranks are uniform, for each parameter.
#
# As in 08, ask first what a study could notice.
# Let each posterior be too narrow by a factor, and let the alarm ring wrongly once in 10,000 studies, for any of 29 quantities.
# Two tests: the Kolmogorov-Smirnov test sees any departure from uniform ranks; a test of width looks only for true values that lie too far out.

# %%
alarm = 1e-4 / 29


def power(replicates, factor, studies=1_000):
    """Probability that each test notices posteriors that are too narrow by a factor."""
    z = factor * rng.normal(size=(studies, replicates))  # true values, in posterior sds
    u, i = np.sort(stats.norm.cdf(z), axis=1), np.arange(replicates + 1) / replicates
    distance = np.maximum(i[1:] - u, u - i[:-1]).max(axis=1)
    ks = distance > stats.kstwo.isf(alarm, replicates)
    width = np.sum(z**2, axis=1) > stats.chi2.isf(alarm, replicates)
    return {"Kolmogorov-Smirnov": ks.mean(), "width": width.mean()}


factors = np.array([1.0, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0])
powers = {n: pd.DataFrame([power(n, f) for f in factors], index=factors) for n in (200, 1_000)}
for n, table in powers.items():
    print(f"{n:,} replicates, too narrow by a factor of")
    print(table.loc[[1.2, 1.5]].map("{:.1%}".format), end="\n\n")

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Probability of an alarm against the factor by which posteriors are too narrow, four curves. The Kolmogorov-Smirnov test with 200 replicates is all but blind to a factor of 1.5 and certain at 3; with 1,000 replicates it is certain at 1.5. Each test of width rises earlier, that with 1,000 replicates first of all."}} tags=["hide-input"]
fig, ax = plt.subplots()
for (n, table), role in zip(powers.items(), ("alternative", "estimate"), strict=True):
    for test, style in (("Kolmogorov-Smirnov", "o-"), ("width", "s--")):
        ax.plot(table[test], style, color=mlm.COLORS[role], label=f"{test}, {n:,} replicates")
ax.set(xlabel="posteriors are too narrow by this factor", ylabel="probability of an alarm")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

general = {n: table["Kolmogorov-Smirnov"] for n, table in powers.items()}
assert general[200][1.5] < 0.1 < 0.9 < min(general[1_000][1.5], general[200][3.0])
assert min(powers[200].loc[1.5, "width"], powers[1_000].loc[1.2, "width"]) > 0.99

# %% [markdown]
# With the general test, 200 replicates find a gross fault, three times too narrow, and nearly always miss a factor of 1.5; 1,000 hardly ever miss it.
# A test that is made for the fault you fear sees it much sooner: 1.5 with 200, 1.2 with 1,000.
# This one also rises when posteriors are shifted, and cannot see posteriors that are too wide.
#
# You have time for 200 here.
# A thousand were made beforehand with the same process, prior and sampler; they lie in the package.
#
# In the figures a curve is the cumulative distribution of a quantity's ranks minus the uniform one.
# The grey band holds one curve as a whole with a probability of 99 %.

# %%
live = mlm.calibrate(cells, 200, seed=SEED, draws=250, tune=300, compiled=compiled["Nora"])
table = pd.read_parquet(files("mlm_tutorial") / "data" / "parcel_ranks.parquet")
stored = xr.Dataset({name: ("simulation", table[name]) for name in table}, attrs=table.attrs)
calibrations = {"200 live": live, "1,000 stored": stored}


def p_values(ranks):
    """P-values of both tests for every quantity; integer ranks are spread over their bins."""
    columns = az.dataset_to_dataframe(ranks, sample_dims=["simulation"])
    u = (columns + rng.random(columns.shape)) / (ranks.attrs["n_ranks"] + 1)
    width = stats.chi2.sf(np.sum(stats.norm.ppf(u) ** 2, axis=0), len(u))
    ks = [stats.kstest(u[name], "uniform").pvalue for name in u]
    return pd.DataFrame({"Kolmogorov-Smirnov": ks, "width": width}, index=columns.columns)


for name, ranks in calibrations.items():
    p = p_values(ranks)
    assert len(p) == 29
    print(f"{name}: {ranks.attrs['failed']} fits with a warning, least p-values", end=" ")
    print(", ".join(f"{test} {p[test].min():.1e}" for test in p), f"(alarm below {alarm:.1e})")
    assert p.min(axis=None) > alarm

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two panels with curves of the cumulative distribution of ranks minus the uniform one, one curve for each of 29 quantities, inside a grey band around zero with few or no exceptions. Left 200 replicates; right 1,000, with a band less than half as wide."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(11, 4), sharey=True)
for ax, (name, ranks) in zip(axes, calibrations.items(), strict=True):
    mlm.plot_calibration(ranks, ax=ax)
    ax.set_title(f"{name}: {ax.get_title()}", fontsize="medium")
    ax.get_legend().remove()
axes[1].set_ylabel("")
plt.show()
print(f"if 29 curves were independent, one or more would leave a 99 % band with probability {1 - 0.99**29:.0%}")

# %% [markdown]
# Do not decide by the curves that leave the band: of 29 one may by chance, and then others like it in its company.
# The tests are the decision; their false alarm is set for all quantities together.
# They are silent, so you may say: *no quantity's posteriors are 1.2 times too narrow throughout the prior, as far as 1,000 replicates can show*, the road's included.
# (Your own 200 exclude 1.5.)
# A fault in a corner of the prior could still hide there.
# (Fits with a warning stay in. One fit of 1,000 moves a curve by at most 0.001, so a few of them neither raise an alarm nor hide one.)
#
# And yet the prior decides about the road.
# There is no contradiction: the true values of a calibration come from the prior, so a posterior that only repeats the prior is right on average.
#
# ### A program that never looks at the data
#
# A lazy program returns draws of the prior, whatever the data are.
#
# **Predict first.** Does it pass?

# %%
prior = pm.sample_prior_predictive(
    1_000, model=compiled["Nora"].model, random_seed=SEED, compile_kwargs={"mode": "FAST_COMPILE"}
)
prior_mu, prior_v = parts(prior["prior"])
simulated = prior["prior_predictive"]["mlm_cells"].values.reshape(1_000, len(cells), 2)
lazy = []
for i in range(200):
    answer = rng.choice(np.arange(200, 1_000), 100, replace=False)  # draws of the prior, no look at the data
    data = replace(cells, mean=simulated[i, :, 0], sum_sq=simulated[i, :, 1])
    score = log_likelihood(prior_mu[answer], prior_v[answer], data)
    lazy.append(
        {
            "sigma_baseline": np.sum(prior_v[answer, 0] < prior_v[i, 0]),
            "mu_center[Mill]": np.sum(prior_mu[answer, 3] < prior_mu[i, 3]),
            "log_likelihood": np.sum(score < log_likelihood(prior_mu[i], prior_v[i], data)),
        }
    )
lazy = xr.Dataset({name: ("simulation", x) for name, x in pd.DataFrame(lazy).items()}, attrs={"n_ranks": 100})
compared = pd.DataFrame(
    {name: p_values(ranks)["Kolmogorov-Smirnov"][list(lazy)] for name, ranks in (("lazy", lazy), ("Nora's", live))}
)
assert compared["lazy"].drop("log_likelihood").min() > alarm > compared.loc["log_likelihood", "lazy"]
compared.map("{:.1e}".format)

# %% [markdown]
# The parameters pass.
# What exposes the program is a quantity that depends on the *data*: the log likelihood of the simulated parcels (Modrák and others 2023).
# The true parameters made these data, so they explain them far better than any draw of the prior does, in every replicate.
# Draws of the right posterior explain the data about as well as the truth does, and the ranks are uniform.
# That is why `mlm.calibrate` ranks `log_likelihood` beside the parameters.
#
# So calibration, with such a quantity, says that the program computes *its* posterior from the data that it is given: on average over data that the prior makes, and within its power.
# It does not say that the data decide, and it does not say that your prior is that of the world.
#
# ## What Nora and Sam tell the manager
#
# No number of parcels of this kind will settle it.
# The table has two directions in which it is silent, and every new parcel is silent in the same two.
#
# | | claim |
# |---|---|
# | **from the data** | means of centers and drivers; mean and standard deviation of the delay for each center and driver together; which driver varies more than another, and by how much variance, with its interval; that the road varies by less than totals do on average |
# | **with the prior beside it** | the road's standard deviation; that of any one center or driver; the share "due to" a layer. Show it under a second prior that differs there |
# | **not at all** | that convergence, good predictions, calibration or more parcels of the same kind move a number from the second row to the first |
#
# What they can send today is the first row, and with it:

# %%
average = both["Nora"]["sd of a total in each cell"] ** 2 @ (cells.n / cells.n.sum())
bound = np.sqrt(np.quantile(average, 0.945))
answers = ", ".join(f"{name} {float(x.mean()):.1f}" for name, x in estimates.items())
print(f"the road alone varies by at most {bound:.1f} minutes (posterior probability 94.5 %)")
print("below that, priors decide:", answers)
assert abs(average.mean() - true_A) < 4 * average.std()  # in truth, totals of all cells vary alike

for name in priors:
    A = both[name]["bound of the road, root of A"] ** 2
    low = (true_A - A.mean()) / A.std()
    print(f"{name:<5} A {A.mean():.1f} ± {A.std():.1f}, true {true_A:.1f}: {low:.1f} sds too low")
    assert low > 0.5

# %% [markdown]
# This bound is the average variance of a total: no total varies less than its road.
# Why not $\sqrt A$, which is never above it?
# Nora and Sam agree about $A$, and both miss it by more than three posterior standard deviations.
# So the agreement of two priors is no proof.
# Both expect that contributors differ.
# In truth all twelve cells vary alike, and the smallest of twelve uncertain numbers lies below the number that they share.
# (The rest is chance: Ann's parcels varied little this year, see [12](12_decomposing_a_total.ipynb).)
# More parcels bring $A$ up to its true value: in minutes this error fades, unlike the gap between Nora and Sam.
# Until then an average, which favors no contributor, is the safer bound.
#
# Rows of other *kinds* would settle the rest: a parcel that its owner collects at the center had no driver, one that the truck drops at the door had neither center nor driver.
# Each of these kinds adds to the rank, and [11](11_making_the_data_say_it.ipynb) plans them.
# Better routes, or training? Until then the manager's money has no answer from these parcels; 11 gets one.
# [12](12_decomposing_a_total.ipynb) splits single delays into contributions, and keeps to the table above.
#
# ## Check yourself
#
# The quiz asks about ideas.
# The [exercises](exercises/10_exercises.ipynb) let you use them, from easy to hard, and tell you at once whether you are right.

# %%
mlm.quiz("10")

# %% [markdown]
# ## What to remember
#
# - Convergence is about the sampler, predictive checks are about totals. Neither is about who gave what to a total.
# - The rank of the design counts the flat directions before you fit. Crossed layers have one each for their variances, and none for their means. Nested layers, and pairs beside their parts, have them for their means as well.
# - What stays under a second prior is the data's doing only if that prior differs where the data are silent. Vary the scales of means *and* of spreads. Even then, both may expect what is not so.
# - Report what is estimable as a finding, with bounds where there are any. Report the rest with its prior.
# - A calibration tests the computation on average over the prior, within its power. Without a quantity that depends on the data it cannot notice a program that ignores part of them. It does not say who decided.
#
# ## Going further
#
# - Rothenberg, T. J. (1971). Identification in parametric models. *Econometrica* 39(3), 577-591. [doi:10.2307/1913267](https://doi.org/10.2307/1913267)
# - Manski, C. F. (2003). *Partial Identification of Probability Distributions*. Springer. [doi:10.1007/b97478](https://doi.org/10.1007/b97478)
# - Gustafson, P. (2015). *Bayesian Inference for Partially Identified Models: Exploring the Limits of Limited Data*. CRC Press. What a posterior becomes where data fix a bound and the prior the rest.
# - Searle, S. R. (1971). *Linear Models*. Wiley. Chapter 5 is about estimable functions. [ISBN 0-471-18499-3](https://www.worldcat.org/isbn/0471184993)
# - Talts, S., Betancourt, M., Simpson, D., Vehtari, A. and Gelman, A. (2018). Validating Bayesian inference algorithms with simulation-based calibration. [arXiv:1804.06788](https://arxiv.org/abs/1804.06788)
# - Modrák, M., Moon, A. H., Kim, S., Bürkner, P.-C., Huurre, N., Faltejsková, K., Gelman, A. and Vehtari, A. (2023). Simulation-based calibration checking for Bayesian computation: the choice of test quantities shapes sensitivity. *Bayesian Analysis*. [doi:10.1214/23-BA1404](https://doi.org/10.1214/23-BA1404)
# - Säilynoja, T., Bürkner, P.-C. and Vehtari, A. (2022). Graphical test for discrete uniformity and its applications in goodness-of-fit evaluation and multiple sample comparison. *Statistics and Computing* 32, 32. [doi:10.1007/s11222-022-10090-6](https://doi.org/10.1007/s11222-022-10090-6)
# - Kallioinen, N., Paananen, T., Bürkner, P.-C. and Vehtari, A. (2024). Detecting and diagnosing prior and likelihood sensitivity with power-scaling. *Statistics and Computing* 34, 57. [doi:10.1007/s11222-023-10366-5](https://doi.org/10.1007/s11222-023-10366-5)
# - Houf, R. E. and Berman, D. B. (1988). Statistical analysis of power module thermal test equipment performance. *IEEE Transactions on Components, Hybrids, and Manufacturing Technology* 11(4), 516-520. [doi:10.1109/33.16692](https://doi.org/10.1109/33.16692)

# %%
print(mlm.version_line())
