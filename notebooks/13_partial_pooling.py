# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 13 Partial pooling
#
# Until now every contributor had hundreds of observations, and its mean could be estimated from its own rows alone.
# Real contributors are rarely so well off.
# Radon is a radioactive gas that seeps from the ground into homes, and it was measured in 919 homes of Minnesota.
# Two counties have more than a hundred of these homes each, three counties have a single one.
# What should you believe about a county with one home?
# This notebook gives the answer that multilevel models are famous for: let the counties learn from each other, and let the data decide how much.
#
# **You will learn**
#
# 1. to write complete, no and partial pooling in PyMC, and to say what each assumes;
# 2. to read a shrinkage plot, and to predict how far an estimate moves from how many observations it has;
# 3. to add a predictor of contributors, and to predict a contributor that was never seen;
# 4. to choose between the centered and the non-centered form for each contributor by how much its own data say about it.
#
# **You need** [05](05_centered.ipynb) and [06](06_noncentered.ipynb) for the two forms, [09](09_integrating_out.ipynb) for cells.
#
# **Time** 35 minutes of reading, about a minute of running.

# %%
import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm

import mlm_tutorial as mlm

SEED = mlm.notebook_seed(909)
rng = np.random.default_rng(SEED)
mlm.use_style()

# %% [markdown]
# ## The most extreme counties are the smallest ones
#
# Each row is a home.
# The total is `log_radon`, the natural logarithm of the concentration in picocuries per litre (pCi/L).
# `floor` says where the detector stood: 0 in the basement, 1 on the first floor, farther from the ground.
# `log_uranium` is the logarithm of the uranium in the county's soil; radon is what uranium decays into.

# %% tags=["nbval-check-output"]
radon = mlm.load_radon()
by_county = radon.groupby("county").agg(
    homes=("log_radon", "size"), mean=("log_radon", "mean"), log_uranium=("log_uranium", "first")
)
homes = by_county["homes"].to_numpy()
print(f"{len(radon)} homes in {len(by_county)} counties; {(homes == 1).sum()} counties have one home,")
print(f"half of the counties have {np.median(homes):.0f} or fewer, the largest has {homes.max()}.")
center, spread = radon["log_radon"].mean(), radon["log_radon"].std()
outside = (np.abs(by_county["mean"] - center) > 1.96 * spread / np.sqrt(homes)).sum()
print(
    f"If counties were equal, {0.05 * len(by_county):.0f} averages or so would lie outside the funnel below; {outside} do."
)
by_county.sort_values("mean").iloc[[0, 1, 2, -3, -2, -1]].round(2)

# %% [markdown]
# **Predict first.** Suppose that all counties were equal and homes differed by chance alone.
# Would the highest and the lowest county averages come from counties with many homes, or with few?

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "County averages of log radon against the number of homes on a logarithmic axis. Averages of counties with few homes spread widely, from about 0.3 to 2.6; those of large counties lie close together. A funnel shows where 95 percent of averages would lie if all counties were equal."}} tags=["hide-input"]
grid = np.geomspace(1, 130, 100)
fig, ax = plt.subplots()
ax.fill_between(
    grid,
    center - 1.96 * spread / np.sqrt(grid),
    center + 1.96 * spread / np.sqrt(grid),
    color=mlm.COLORS["data"],
    alpha=0.5,
    label="95 % of averages, were all counties equal",
)
ax.axhline(center, color=mlm.COLORS["truth"], linewidth=1, linestyle="--", label="average of all homes")
jittered = homes * np.exp(rng.uniform(-0.06, 0.06, len(homes)))
ax.plot(jittered, by_county["mean"], "o", color=mlm.COLORS["estimate"], markersize=5, label="average of a county")
ax.set_xscale("log")
ax.set_xticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
ax.set_xlabel("homes measured in the county (shifted a little to part the points)")
ax.set_ylabel("log radon (log pCi/L)")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# With few.
# An average of n homes varies by the spread of homes divided by the root of n, so small counties stand at both ends of the ranking: none of the six in the table has more than nine homes.
# A table of the "worst counties" is mostly a table of the smallest ones.
# Still, more averages leave the funnel than the one in twenty that chance would send out, as the last line above the table says: counties do differ.
# A good estimate must take both facts in.

# %% [markdown]
# ## Two extremes: one county, or 85 strangers
#
# *Complete pooling* ignores counties: all homes share one level.
# *No pooling* treats counties as strangers: each has a level of its own, learnt from its own homes alone.
# Both have the same effect of the floor and the same spread of homes.
# A county's *level* is its expected log radon in a basement.

# %%
county = pd.Categorical(radon["county"])
coords = {"county": county.categories.tolist(), "home": radon.index}
code, floor, log_radon = county.codes, radon["floor"].to_numpy(), radon["log_radon"].to_numpy()

with pm.Model(coords=coords) as complete_model:
    mu_baseline = pm.Normal("mu_baseline", 0, 5)
    floor_effect = pm.Normal("floor_effect", 0, 2.5)
    sigma = pm.Weibull("sigma", 2, 1)
    pm.Normal("log_radon", mu_baseline + floor_effect * floor, sigma, observed=log_radon, dims="home")

with pm.Model(coords=coords) as no_pooling_model:
    county_level = pm.Normal("county_level", 0, 5, dims="county")
    floor_effect = pm.Normal("floor_effect", 0, 2.5)
    sigma = pm.Weibull("sigma", 2, 1)
    pm.Normal("log_radon", county_level[code] + floor_effect * floor, sigma, observed=log_radon, dims="home")

complete_idata = mlm.sample(complete_model, seed=SEED)
no_pooling_idata = mlm.sample(no_pooling_model, seed=SEED)
pd.DataFrame(
    {name: mlm.check_convergence(idata) for name, idata in [("complete", complete_idata), ("no", no_pooling_idata)]}
)

# %% [markdown]
# ## Partial pooling: the data say how alike the counties are
#
# Between the extremes lies one more line.
# The levels are themselves drawn from a distribution: `county_level ~ Normal(mu_baseline, tau)`.
# *Partial pooling* means that this distribution is learnt together with the levels.
# Its spread `tau` is the dial.
# At `tau = 0` all counties are equal, which is complete pooling.
# As `tau` grows without end, a county learns nothing from the others, which is no pooling.
#
# The prior of `tau` is a half-normal and not the course's `Weibull(2, s)`, whose density is zero at zero.
# For `tau`, zero is a sensible value and must not be ruled out beforehand.

# %%
with pm.Model(coords=coords) as partial_model:
    mu_baseline = pm.Normal("mu_baseline", 0, 5)
    tau = pm.HalfNormal("tau", 1)
    county_level = pm.Normal("county_level", mu_baseline, tau, dims="county")
    floor_effect = pm.Normal("floor_effect", 0, 2.5)
    sigma = pm.Weibull("sigma", 2, 1)
    pm.Normal("log_radon", county_level[code] + floor_effect * floor, sigma, observed=log_radon, dims="home")

partial_idata = mlm.sample(partial_model, seed=SEED)
mlm.check_convergence(partial_idata)
az.summary(partial_idata, var_names=["mu_baseline", "floor_effect", "tau", "sigma"], kind="stats")

# %% [markdown]
# Take `exp(floor_effect)` to read the effect of the floor as a ratio: a measurement on the first floor finds about half the radon of one in the basement.
# `tau` is well away from zero and well below `sigma`: counties differ, but less than two homes of one county do.
#
# **Predict first.** A line will lead from each county's estimate without pooling to its estimate with partial pooling.
# Which lines are long, and where do they lead?

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Shrinkage plot. County levels against the number of homes on a logarithmic axis. Open circles are estimates without pooling, filled dots those with partial pooling, joined by lines. For one to three homes the lines are long and lead to a horizontal dashed line near 1.5; for fifty homes and more, circle and dot nearly coincide."}} tags=["hide-input"]
no_pooling = no_pooling_idata["posterior"]["county_level"].mean(["chain", "draw"]).values
partial = partial_idata["posterior"]["county_level"].mean(["chain", "draw"]).values
pooled_level = float(complete_idata["posterior"]["mu_baseline"].mean())
center = float(partial_idata["posterior"]["mu_baseline"].mean())

fig, ax = plt.subplots(figsize=(9, 4.5))
for x, start, end in zip(jittered, no_pooling, partial, strict=True):
    ax.plot([x, x], [start, end], color="#8A8A8A", linewidth=0.9, zorder=1)
ax.plot(
    jittered, no_pooling, "o", markerfacecolor="white", markeredgecolor=mlm.COLORS["alternative"], label="no pooling"
)
ax.plot(jittered, partial, "o", color=mlm.COLORS["estimate"], markersize=5, label="partial pooling")
ax.axhline(center, color=mlm.COLORS["truth"], linestyle="--", linewidth=1, label="mu_baseline, partial pooling")
ax.axhline(pooled_level, color=mlm.COLORS["truth"], linestyle=":", linewidth=1.5, label="complete pooling")
ax.set_xscale("log")
ax.set_xticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
ax.set_xlabel("homes measured in the county (shifted a little to part the points)")
ax.set_ylabel("level of the county\n(log pCi/L, basement)")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# Estimates move towards `mu_baseline`: this is *shrinkage*.
# The fewer homes a county has, the larger the part of its way to `mu_baseline` that it moves.
# The largest counties hardly move at all.
# The two horizontal lines differ for a reason: complete pooling weighs homes equally, so the largest counties dominate it.
# `mu_baseline` is the average of counties, large or small.
#
# How far an estimate moves can be computed by hand.
# Take the other parameters as known.
# The expected level is then an average of the county's own estimate and `mu_baseline`.
# Each is weighted by its precision, one over its variance (Gelman and Hill 2006, equation 12.1).
# The county's own estimate has the variance $\sigma^2/n_k$, and levels vary about `mu_baseline` with the variance $\tau^2$:
#
# $$\frac{n_k/\sigma^2}{n_k/\sigma^2 + 1/\tau^2} \quad\text{is the weight of the county's own homes.}$$

# %%
posterior = partial_idata["posterior"]
mean_of = {name: float(posterior[name].mean()) for name in ("mu_baseline", "floor_effect", "tau", "sigma")}
ratio = (mean_of["tau"] / mean_of["sigma"]) ** 2
weight = homes * ratio / (homes * ratio + 1)
own = radon.assign(basement=log_radon - mean_of["floor_effect"] * floor).groupby("county")["basement"].mean()
by_hand = weight * own.to_numpy() + (1 - weight) * mean_of["mu_baseline"]
gap, level_sd = np.abs(by_hand - partial), posterior["county_level"].std(["chain", "draw"]).values
print(f"Weight of a county's own homes: {weight[homes == 1][0]:.2f} with one home, {weight.max():.2f} with the most.")
print(f"Half the weight lies on the county's own homes at {1 / ratio:.1f} homes.")
print(f"Formula against sampler: at most {np.max(gap / level_sd):.2f} posterior standard deviations apart.")
assert np.all(gap < 0.35 * level_sd)

# %% [markdown]
# ## Partial pooling predicts better than either extreme
#
# A prettier picture is no proof, so hide data and predict it.
# Take one random home out of every county that has two or more, estimate the levels from the rest, and predict the hidden homes.
# Repeat with other hidden homes.
# To be quick, each estimate uses its formula: the average of all homes, the average of a county, or the weighted average above, of a county's average and an estimate of `mu_baseline`.
# The values of $\sigma$, $\tau$ and the floor effect come from all homes, the hidden ones included, so the comparison is not strict.
# The floor effect serves all three estimates, $\sigma$ and $\tau$ only the last.

# %%
basement = log_radon - mean_of["floor_effect"] * floor
several = np.flatnonzero(homes > 1)
errors = []
for _ in range(400):
    shuffled = rng.permutation(len(radon))
    codes, first = np.unique(code[shuffled], return_index=True)
    hidden = shuffled[first][several]
    kept = np.setdiff1d(np.arange(len(radon)), hidden)
    n = np.bincount(code[kept], minlength=len(homes))
    average = np.bincount(code[kept], basement[kept], minlength=len(homes)) / n
    own_weight = n * ratio / (n * ratio + 1)
    population = np.average(average, weights=own_weight)
    estimates = {
        "complete": np.full(len(homes), basement[kept].mean()),
        "no": average,
        "partial": own_weight * average + (1 - own_weight) * population,
    }
    errors.append({name: np.mean((basement[hidden] - level[several]) ** 2) for name, level in estimates.items()})
rmse = np.sqrt(pd.DataFrame(errors).mean()).rename("error of prediction (log pCi/L)")
assert rmse["partial"] < rmse["complete"]
assert rmse["partial"] < rmse["no"]
rmse.round(3).to_frame()

# %% [markdown]
# Partial pooling has the smallest error (root mean square over 400 repetitions).
# The differences look small because most of the error is the spread between two homes of one county, which no estimate of levels can remove.
# The no-pooling estimate does worst: it believes every small county.
#
# ## Two questions that a layer must answer
#
# In notebooks 01 to 12 a layer's means summed to zero and had a wide prior of fixed scale.
# Here the levels come from a distribution with a learnt spread.
# Two choices are mixed in that sentence.
#
# - *Is the spread of the means fixed or learnt?* Fixed and wide is close to no pooling; learnt is partial pooling.
#   `pm.ZeroSumNormal("mu_county", sigma=tau)` would pool partially and sum to zero.
#   The package's models do that unless you ask for `pooled=False`, as notebooks 05 to 12 did.
# - *Are these all the contributors there are?* A sum-to-zero layer has exactly its members, and the baseline is their average.
#   `Normal(mu_baseline, tau)` sees them as a sample of a population, and `mu_baseline` is the average of that population.
#
# Pass from the second view to the first by subtracting, in every draw, the average of the levels.
# No home's expected total changes.

# %%
level = posterior["county_level"]
mu_county = level - level.mean("county")  # sums to zero in every draw
views = {"population (mu_baseline)": posterior["mu_baseline"], "these 85 counties": level.mean("county")}
assert float(views["these 85 counties"].std()) < float(views["population (mu_baseline)"].std())
assert float(np.abs(mu_county.sum("county")).max()) < 1e-9
pd.DataFrame({name: {"mean": float(x.mean()), "sd": float(x.std())} for name, x in views.items()}).T.round(3)

# %% [markdown]
# The average of the counties at hand is known better than that of the population, as it has to be: it lacks the uncertainty about which counties there might be.
# Use the sum-to-zero view for seven weekdays, the population view for counties, patients or customers: contributors of which more may come.
#
# One more difference: this model has one `sigma` for all homes.
# A county shifts the mean and has no spread of its own, so the question of [10](10_what_the_data_cannot_say.ipynb), which component owns the spread, does not arise.
# `tau` is a spread *between* means, and the data speak about it because many counties have more than one home.
#
# ## Uranium in the soil explains most of what counties differ by
#
# Counties differ for a reason.
# A *predictor of contributors* is a number known for each contributor, here log uranium.
# It goes where the levels come from: `county_level ~ Normal(mu_baseline + uranium_effect * log_uranium, tau)`.
# The centre is now a line, and `mu_baseline` is its height where log uranium is 0.
# What the line leaves over is the county's own, with a smaller `tau`.
# A smaller `tau` favours the non-centered form of [06](06_noncentered.ipynb), for reasons that the end of this notebook measures.

# %%
log_uranium = by_county.loc[coords["county"], "log_uranium"].to_numpy()

with pm.Model(coords=coords) as uranium_model:
    mu_baseline = pm.Normal("mu_baseline", 0, 5)
    uranium_effect = pm.Normal("uranium_effect", 0, 2.5)
    tau = pm.HalfNormal("tau", 1)
    z_county = mlm.StandardNormal("z_county", dims="county")
    county_level = pm.Deterministic(
        "county_level", mu_baseline + uranium_effect * log_uranium + tau * z_county, dims="county"
    )
    floor_effect = pm.Normal("floor_effect", 0, 2.5)
    sigma = pm.Weibull("sigma", 2, 1)
    pm.Normal("log_radon", county_level[code] + floor_effect * floor, sigma, observed=log_radon, dims="home")

uranium_idata = mlm.sample(uranium_model, seed=SEED, draws=2000)
mlm.check_convergence(uranium_idata)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Level of each county against log uranium in its soil. A rising line fits the counties. Open circles without pooling scatter widely about the line; filled dots with vertical intervals, estimated with partial pooling and uranium, lie close to it."}} tags=["hide-input"]
draws = uranium_idata["posterior"]
with_uranium = draws["county_level"].mean(["chain", "draw"]).values
sds = draws["county_level"].std(["chain", "draw"]).values
x = np.linspace(log_uranium.min() - 0.05, log_uranium.max() + 0.05, 50)
fig, ax = plt.subplots(figsize=(9, 4.5))
ax.plot(
    log_uranium, no_pooling, "o", markerfacecolor="white", markeredgecolor=mlm.COLORS["alternative"], label="no pooling"
)
ax.errorbar(
    log_uranium,
    with_uranium,
    yerr=sds,
    fmt="o",
    color=mlm.COLORS["estimate"],
    markersize=4,
    linewidth=0.8,
    label="partial pooling with uranium\n(one posterior sd either way)",
)
line = float(draws["mu_baseline"].mean()) + float(draws["uranium_effect"].mean()) * x
ax.plot(x, line, color=mlm.COLORS["truth"], linestyle="--", linewidth=1.2, label="line in log uranium")
ax.set_xlabel("log uranium in the county's soil (log ppm)")
ax.set_ylabel("level of the county\n(log pCi/L, basement)")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# Small counties now shrink towards the line, that is towards counties with the same soil.
# That is the right company: a county with one home and much uranium should not be pulled down to the average of all counties.
#
# ## The published estimates, reproduced
#
# Gelman and Hill (2006) fitted both models by restricted maximum likelihood (sections 12.4 and 12.6).
# That method gives a best value for each parameter instead of a posterior.
# They print two decimals.
# Posterior means under weak priors need not equal these estimates, but with 919 homes they should be close.
# The check asks for half a published standard error; for standard deviations, which have none, for half a posterior standard deviation.

# %%
published = {
    ("varying levels", "mu_baseline"): (1.46, 0.05),
    ("varying levels", "floor_effect"): (-0.69, 0.07),
    ("varying levels", "tau"): (0.33, None),
    ("varying levels", "sigma"): (0.76, None),
    ("with uranium", "mu_baseline"): (1.47, 0.04),
    ("with uranium", "floor_effect"): (-0.67, 0.07),
    ("with uranium", "uranium_effect"): (0.72, 0.09),
    ("with uranium", "tau"): (0.16, None),
    ("with uranium", "sigma"): (0.76, None),
}
fits = {"varying levels": partial_idata["posterior"], "with uranium": uranium_idata["posterior"]}
rows = []
for (model_name, parameter), (estimate, error) in published.items():
    ours = fits[model_name][parameter]
    rows.append((model_name, parameter, estimate, error, float(ours.mean()), float(ours.std())))
table = pd.DataFrame(rows, columns=["model", "parameter", "published", "published se", "mean", "sd"])
tolerance = 0.5 * table["published se"].fillna(table["sd"])
assert np.all((table["mean"] - table["published"]).abs() < tolerance)
table.round(3)

# %% [markdown]
# Both models agree with the book.
# Compare `tau` of the two fits: uranium takes away half of the standard deviation between counties, and three quarters or so of the variance.
# `sigma` stays where it was, because a number that is the same for all homes of a county cannot explain why they differ.
#
# ## What can be said about a county that was never measured?
#
# No pooling has no answer: it has no parameter for such a county, and nothing to learn one from.
# Partial pooling has one: draw a level from the population, then a home from the county.
# With uranium, the population is narrower.
# The United States Environmental Protection Agency recommends action above 4 pCi/L, so ask for the chance of that.


# %%
def predict_home(levels, sigma):
    """Return draws of one basement's radon in pCi/L from draws of its county's level."""
    return np.exp(rng.normal(levels, sigma))


plain = az.extract(partial_idata)
rich = az.extract(uranium_idata)
low, high = np.quantile(log_uranium, [0.05, 0.95])
largest, single = coords["county"][int(np.argmax(homes))], coords["county"][int(np.argmin(homes))]


def new_level(u):
    """Return draws of a new county's level, whose log uranium is u."""
    return rng.normal(rich["mu_baseline"] + rich["uranium_effect"] * u, rich["tau"])


predictions = {
    f"{largest}, {homes.max()} homes": (rich["county_level"].sel(county=largest), rich["sigma"]),
    f"{single}, 1 home": (rich["county_level"].sel(county=single), rich["sigma"]),
    "new county, much uranium": (new_level(high), rich["sigma"]),
    "new county, little uranium": (new_level(low), rich["sigma"]),
    "new county, uranium unknown": (rng.normal(plain["mu_baseline"], plain["tau"]), plain["sigma"]),
}
home_draws = {
    name: predict_home(np.asarray(levels), np.asarray(sigma)) for name, (levels, sigma) in predictions.items()
}
for name, values in home_draws.items():
    level_sd = np.std(predictions[name][0])
    print(f"{name:28s} sd of the level {level_sd:.2f}; chance of more than 4 pCi/L {np.mean(values > 4):.0%}")
assert np.std(predictions["new county, uranium unknown"][0]) > np.std(predictions["new county, much uranium"][0])

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Horizontal intervals of radon in pCi/L on a logarithmic axis for five cases. Thick bars, for the county's typical home, are narrow for the county with most homes and wide for a new county of unknown uranium. Thin lines, for a single home, are long in all cases and reach across the action level of 4."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(9, 3.5))
for row, name in enumerate(predictions):
    levels = np.exp(np.asarray(predictions[name][0]))
    ax.hlines(row, *np.quantile(home_draws[name], [0.055, 0.945]), color=mlm.COLORS["estimate"], linewidth=1.5)
    ax.hlines(row, *np.quantile(levels, [0.055, 0.945]), color=mlm.COLORS["estimate"], linewidth=7)
    ax.plot(np.median(levels), row, "o", color="white", markersize=4)
ax.hlines([], 0, 0, color=mlm.COLORS["estimate"], linewidth=7, label="typical home of the county")
ax.hlines([], 0, 0, color=mlm.COLORS["estimate"], linewidth=1.5, label="one home")
ax.axvline(4, color=mlm.COLORS["alternative"], linestyle="--", linewidth=1.5, label="action level")
ax.set_xscale("log")
ax.set_xticks([0.5, 1, 2, 4, 8, 16], ["0.5", "1", "2", "4", "8", "16"])
ax.minorticks_off()
ax.set_yticks(range(len(predictions)), list(predictions))
ax.invert_yaxis()
ax.set_xlabel("radon in a basement (pCi/L), 89 % intervals")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# Knowing the soil narrows the level of a new county to little more than that of a county with one home.
# A single home stays hard to predict in every case, because `sigma` is the largest spread there is.
#
# ## Centered or non-centered? It depends on the count
#
# The partial model above sampled levels as they are, the *centered* form: `county_level ~ Normal(mu_baseline, tau)`.
# The uranium model sampled `z_county` and computed the level as the line plus `tau * z_county`, the *non-centered* form.
# In [06](06_noncentered.ipynb) the question was about every single contribution.
# Here it is about every contributor, and the same rule decides: which is stronger, the prior or the contributor's own data?
#
# - With few homes the prior is stronger. A level then moves with `mu_baseline` and `tau`, and sampling it as it is means walking into the neck of a funnel. The non-centered form removes this dependence.
# - With many homes the data are stronger. The level is then known, so `z_county` must move whenever `mu_baseline` or `tau` does. The centered form removes this dependence.
#
# One model can do both, with a switch for each county (after Papaspiliopoulos, Roberts and Sköld 2007).
# Where `centered` is 1, `e` is the level; where it is 0, `e` is a standard normal.
# The switches are data, so all forms share one compilation.
# So do all data sets, because the 919 homes become 145 cells (county and floor), as in [09](09_integrating_out.ipynb).

# %%
cells = mlm.cell_statistics(radon, total="log_radon", layers=["county", "floor"])
cell_county = cells.codes[:, 0]
cell_floor = np.array(cells.labels["floor"])[cells.codes[:, 1]]

with pm.Model(coords={"county": cells.labels["county"]}) as switch_model:
    centered = pm.Data("centered", np.ones(len(homes)), dims="county")
    n = pm.Data("n", cells.n.astype(float))
    statistics = pm.Data("statistics", np.column_stack([cells.mean, cells.sum_sq]))
    mu_baseline = pm.Normal("mu_baseline", 0, 5)
    tau = pm.HalfNormal("tau", 1)
    e = pm.Normal("e", centered * mu_baseline, tau**centered, dims="county")
    county_level = pm.Deterministic(
        "county_level", (1 - centered) * mu_baseline + tau ** (1 - centered) * e, dims="county"
    )
    floor_effect = pm.Normal("floor_effect", 0, 2.5)
    sigma = pm.Weibull("sigma", 2, 1)
    mlm.NormalCells("cells", county_level[cell_county] + floor_effect * cell_floor, sigma, n, observed=statistics)

switch = mlm.compile_model(switch_model)

# %% [markdown]
# First, Minnesotas that never were: every county has the same number of homes, simulated with the estimates above.
# For each number, three data sets, each sampled in both forms.
# Prior and data are the same for both forms, only the coordinates differ.
# With `adaptation="diag"`, the default of most software, the sampler learns one scale for each coordinate and no correlations.
# So it cannot correct a bad choice of coordinates by itself.
# The measure is the smallest bulk [effective sample size](../book/glossary.md) of levels, `mu_baseline` and `tau`, per thousand gradients.

# %%
ONES, ZEROS = np.ones(len(homes)), np.zeros(len(homes))
has_both = np.bincount(cell_county) == 2


def split_homes(per_county):
    """Return homes in each cell if every county has `per_county`, a sixth of them measured on the first floor."""
    upstairs = max(1, round(per_county / 6))
    downstairs = np.where(has_both[cell_county], per_county - upstairs, per_county)
    return np.where(cell_floor == 1, upstairs, downstairs).astype(float)


def simulate_statistics(n, rng):
    """Return mean and centred sum of squares of every cell, from the generative model of notebook 09."""
    level = rng.normal(mean_of["mu_baseline"], mean_of["tau"], len(homes))
    mean = rng.normal(level[cell_county] + mean_of["floor_effect"] * cell_floor, mean_of["sigma"] / np.sqrt(n))
    sum_sq = np.where(n > 1, mean_of["sigma"] ** 2 * rng.chisquare(np.maximum(n - 1, 1)), 0)
    return np.column_stack([mean, sum_sq])


def ess_per_gradient(seed, **data):
    """Return the least bulk ESS of levels, mu_baseline and tau per 1,000 gradients."""
    idata = mlm.sample(switch.with_data(**data), seed=seed, draws=500, tune=500, adaptation="diag")
    ess = az.ess(idata["posterior"].to_dataset()[["county_level", "mu_baseline", "tau"]], method="bulk")
    return 1000 * min(float(x.min()) for x in ess.data_vars.values()) / idata.attrs["gradients"]


rows = []
for per_county in (2, 8, 32, 128):
    n = split_homes(per_county)
    for replicate in range(3):
        statistics = simulate_statistics(n, rng)
        for form, switches in (("centered", ONES), ("non-centered", ZEROS)):
            ess = ess_per_gradient(SEED + replicate, n=n, statistics=statistics, centered=switches)
            rows.append((per_county, replicate, form, ess))
experiment = pd.DataFrame(rows, columns=["homes", "replicate", "form", "ess"])

advantage = experiment.pivot_table(
    index="homes", columns="form", values="ess", aggfunc=lambda x: np.exp(np.log(x).mean())
)
advantage["centered / non-centered"] = advantage["centered"] / advantage["non-centered"]
assert advantage.loc[2, "centered / non-centered"] < 1
assert advantage.loc[128, "centered / non-centered"] > 5
advantage.round(2)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Effective sample size per thousand gradients against homes per county, both axes logarithmic, three points for each form and count. The centered form rises steeply with the count; the non-centered form is better at 2 homes and far worse at 128. The lines cross near a vertical line that marks where prior and data weigh the same."}} tags=["hide-input"]
fig, ax = plt.subplots()
for form, role, marker in (("centered", "alternative", "s"), ("non-centered", "estimate", "o")):
    part = experiment[experiment["form"] == form]
    middle = np.exp(np.log(part["ess"]).groupby(part["homes"]).mean())
    ax.plot(part["homes"], part["ess"], marker, color=mlm.COLORS[role], markersize=5, alpha=0.7)
    ax.plot(middle.index, middle, color=mlm.COLORS[role], marker=marker, markersize=5, label=form)
ax.axvline(1 / ratio, color=mlm.COLORS["truth"], linestyle="--", linewidth=1, label="prior and data weigh the same")
ax.set_xscale("log")
ax.set_yscale("log")
ax.set_xticks([2, 8, 32, 128], ["2", "8", "32", "128"])
ax.minorticks_off()
ax.set_xlabel("homes in every county")
ax.set_ylabel("least bulk ESS\nper 1,000 gradients")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# The two forms change places.
# The dashed line is $n = \sigma^2/\tau^2$, where a county's own homes and the prior weigh the same: the one half of the shrinkage formula.
# So a shrinkage weight tells you which form a contributor wants.
#
# The real Minnesota has counties on both sides of the line.
# Then why not choose for each county?

# %%
real = {"n": cells.n.astype(float), "statistics": np.column_stack([cells.mean, cells.sum_sq])}
forms = {"centered": ONES, "non-centered": ZEROS, "by county": (homes > 1 / ratio).astype(float)}
choice = pd.DataFrame(
    {
        form: [ess_per_gradient(SEED + s, centered=switches, **real) for s in range(3)]
        for form, switches in forms.items()
    },
    index=pd.Index([f"seed {s}" for s in range(3)], name="least bulk ESS per 1,000 gradients"),
)
assert choice["by county"].mean() > 1.2 * choice[["centered", "non-centered"]].mean().max()
choice.round(1)

# %% [markdown]
# The choice by county beats both uniform choices, which are about as good as each other here: each suits one part of the counties.
# The posterior is the same in all three.
# A last check compares the fit by county with the partial model of the 919 rows: posterior means may differ by Monte Carlo error only.

# %%
mixed_idata = mlm.sample(switch.with_data(centered=forms["by county"], **real), seed=SEED)
mlm.check_convergence(mixed_idata)
names = ["county_level", "mu_baseline", "tau", "floor_effect", "sigma"]
both = [idata["posterior"].to_dataset()[names] for idata in (mixed_idata, partial_idata)]
difference = both[0].mean(["chain", "draw"]) - both[1].mean(["chain", "draw"])
error = np.sqrt(sum(az.mcse(x) ** 2 for x in both))
largest_z = max(float(np.abs(x).max()) for x in (difference / error).data_vars.values())
print(f"919 rows, centered, against 145 cells, by county: means differ by {largest_z:.1f} Monte Carlo errors at most,")
print(f"the largest of {sum(x.size for x in difference.data_vars.values())} comparisons.")
assert largest_z < 5.5

# %% [markdown]
# ## Check yourself
#
# The quiz asks about ideas.
# The [exercises](exercises/13_exercises.ipynb) let you use them, from easy to hard, and tell you at once whether you are right.

# %%
mlm.quiz("13")

# %% [markdown]
# ## What to remember
#
# - Small groups have extreme averages. Rank them only after partial pooling.
# - Partial pooling learns the spread `tau` between contributors; complete and no pooling are its ends, `tau = 0` and `tau` without limit.
# - A contributor's own data have the weight $n\tau^2/(n\tau^2 + \sigma^2)$. The rest comes from the others.
# - A predictor of contributors belongs in the centre of their distribution. It lowers `tau`, not `sigma`, and makes predictions for new contributors sharper.
# - Variances can be pooled as well as means. `mlm.Priors.from_cells(cells)` does both; `pooled=False` asks for fixed scales. Where a layer has many contributors, pool: without it, each one's prior prefers a small variance, and their number decides the split that [10](10_what_the_data_cannot_say.ipynb) is about.
# - The same weight chooses coordinates: below one half non-centered, above one half centered, and contributor by contributor where counts differ.
#
# ## Going further
#
# - Gelman, A. and Hill, J. (2006). *Data Analysis Using Regression and Multilevel/Hierarchical Models*. Cambridge University Press. Chapter 12. [doi:10.1017/CBO9780511790942](https://doi.org/10.1017/CBO9780511790942)
# - Gelman, A. (2006). Prior distributions for variance parameters in hierarchical models. *Bayesian Analysis* 1(3), 515-534. [doi:10.1214/06-BA117A](https://doi.org/10.1214/06-BA117A)
# - Papaspiliopoulos, O., Roberts, G. O. and Sköld, M. (2007). A general framework for the parametrization of hierarchical models. *Statistical Science* 22(1), 59-73. [doi:10.1214/088342307000000014](https://doi.org/10.1214/088342307000000014)
# - Betancourt, M. and Girolami, M. (2015). Hamiltonian Monte Carlo for hierarchical models. In *Current Trends in Bayesian Methodology with Applications*. [arXiv:1312.0906](https://arxiv.org/abs/1312.0906)
# - Price, P. N., Nero, A. V. and Gelman, A. (1996). Bayesian prediction of mean indoor radon concentrations for Minnesota counties. *Health Physics* 71(6), 922-936. [doi:10.1097/00004032-199612000-00009](https://doi.org/10.1097/00004032-199612000-00009)

# %%
print(mlm.version_line())
