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
# Karin builds a house in Waseca County, Minnesota.
# Radon, a radioactive gas, seeps from the ground into basements.
# The United States Environmental Protection Agency (EPA) recommends action from 4 picocuries per liter (pCi/L) upward.
# While the floor is open, a pipe that leads the gas to the roof costs her 500 dollars. Once the house stands, it costs 1,500.
# Four homes of her county were measured: 0.4, 0.9, 1.7 and 9.3 pCi/L.
# Should she pay for the pipe now?
#
# Her cousin Nils builds at the other end of the state, in Lac qui Parle.
# Two homes were measured there: 11.3 and 16.0 pCi/L. No county has a higher average.
#
# Write down two numbers: the chance that Karin's basement will exceed 4 pCi/L, and the chance that Nils's will.
#
# You know from [02](02_a_first_fit.ipynb) what to do with averages of two and of four: let the contributors learn from one another.
# Counties have something that the airlines lacked: a known reason why they differ. It lies in the soil.
# Here you put the reason into the model, predict homes where nobody measured, and give both cousins an answer.
# Then you test it on homes that their counties' levels have not seen.
#
# **You will learn**
#
# 1. to compute complete, no and partial pooling by hand, with one formula and one dial;
# 2. to add a predictor of contributors, to fit the model by hand and with the package, and to compare both with published estimates;
# 3. to predict homes of a contributor that was never measured;
# 4. to choose the centered or the non-centered form for each contributor;
# 5. to turn a posterior into a decision, and to test the decision on data that were held out.
#
# **You need** [02](02_a_first_fit.ipynb) for pooling, [06](06_noncentered.ipynb) for the two forms and the dial between them, [09](09_integrating_out.ipynb) for cells.
#
# **Time** 40 minutes of reading, one to two minutes of running.

# %%
import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm
from scipy import stats

import mlm_tutorial as mlm

SEED = mlm.notebook_seed(909)
rng = np.random.default_rng(SEED)
mlm.use_style()

# %% [markdown]
# ## 919 homes in 85 counties
#
# Each row is a home.
# A picocurie is 2.2 decaying atoms a minute, so at 4 pCi/L nine atoms decay each minute in every liter of air.
# Homes differ by factors, so the model works with the natural logarithm, `log_radon`.
# `floor` says where the detector stood: 0 in the basement, 1 on the first floor, farther from the ground.
# `log_uranium` is the logarithm of the uranium in the county's soil, in parts per million; radon is what uranium decays into.

# %%
radon = mlm.load_radon()
two = radon[radon["county"].isin(["Waseca", "Lac Qui Parle"])].assign(radon=np.exp(radon["log_radon"]))
assert sorted(two["radon"].round(1)) == [0.4, 0.9, 1.7, 9.3, 11.3, 16.0]
two.rename(columns={"radon": "radon (pCi/L)"}).round(2)

# %% tags=["nbval-check-output"]
by_county = radon.groupby("county").agg(
    homes=("log_radon", "size"), mean=("log_radon", "mean"), log_uranium=("log_uranium", "first")
)
homes = by_county["homes"].to_numpy()
print(f"{len(radon)} homes in {len(by_county)} counties.")
print(f"Half of the counties have {np.median(homes):.0f} homes or fewer; the largest has {homes.max()}.")
print(f"Homes above 4 pCi/L: {np.mean(radon['log_radon'] > np.log(4)):.0%}.")
ranking = by_county.sort_values("mean").assign(typical=lambda table: np.exp(table["mean"]))
ranking = ranking.rename(columns={"mean": "mean of log radon", "typical": "its exponential (pCi/L)"})
ranking.iloc[[0, 1, 2, -3, -2, -1]].round(2)

# %% [markdown]
# Each cousin lives at one end of the ranking. None of the six counties there has more than nine homes.
# That is what 02 found with airlines: averages of few stand at the ends, whether or not they are special.
#
# ## Partial pooling, with a line for the floor
#
# A county's **level** is its expected log radon in a basement.
# The model is that of 02, with one more line for the floor.

# %%
county = pd.Categorical(radon["county"])
coords = {"county": county.categories.tolist(), "home": radon.index}
code, floor, log_radon = county.codes, radon["floor"].to_numpy(), radon["log_radon"].to_numpy()

with pm.Model(coords=coords) as partial_model:
    mu_baseline = pm.Normal("mu_baseline", 0, 5)
    tau = pm.HalfNormal("tau", 1)
    sigma = pm.HalfNormal("sigma", 1)
    floor_effect = pm.Normal("floor_effect", 0, 2.5)
    county_level = pm.Normal("county_level", mu_baseline, tau, dims="county")
    pm.Normal("log_radon", county_level[code] + floor_effect * floor, sigma, observed=log_radon, dims="home")

partial_idata = mlm.sample(partial_model, seed=SEED)
mlm.check_convergence(partial_idata)
population = ["mu_baseline", "floor_effect", "tau", "sigma"]
az.summary(partial_idata, var_names=population, kind="stats", round_to=2)[["mean", "sd"]]

# %% [markdown]
# `tau` is how far counties differ, `sigma` how far homes of one county differ.
# Counties differ, but less than two homes of the same county do.
# `floor_effect` is a difference of logarithms, so its exponential is a ratio: a first floor has about half the radon of a basement.
#
# ## One formula, one dial
#
# For given `tau`, `sigma` and `floor_effect` nobody needs a sampler.
# The formula of 02 gives the weight that a county's own homes get:
#
# $$
# w_k = \frac{n_k/\sigma^2}{n_k/\sigma^2 + 1/\tau^2} = \frac{\tau^2}{\tau^2 + \sigma^2/n_k} .
# $$
#
# The rest of the weight goes to the center of all counties, `mu_baseline`.
# For that center take an average of the counties' averages.
# An average of many homes says more about it than one of few, so weigh each with its precision about the center, $1/(\tau^2 + \sigma^2/n_k)$.
#
# **Predict first.** Without pooling, Lac qui Parle has the highest level of all, from two homes; Waseca has one of the lowest, from four.
# Which share of its distance to the center does each of them keep?
# And how many homes must a county have to keep half?


# %%
def by_formula(average, n, tau, sigma, predictors):
    """Return each county's level, its standard deviation and its center, for given tau and sigma."""
    precision = 1 / (tau**2 + sigma**2 / n)  # of a county's average about its center
    weighted = predictors.T * precision
    center = predictors @ np.linalg.solve(weighted @ predictors, weighted @ average)
    weight = tau**2 * precision
    return weight * average + (1 - weight) * center, np.sqrt(weight * sigma**2 / n), center


posterior = partial_idata["posterior"]
mean_of = {name: float(posterior[name].mean()) for name in population}
basement = log_radon - mean_of["floor_effect"] * floor  # as if measured in the basement
own = np.bincount(code, basement) / homes
constant = np.ones((len(homes), 1))  # the same center for all counties
by_hand, _, center_by_hand = by_formula(own, homes, mean_of["tau"], mean_of["sigma"], constant)

partial = posterior["county_level"].mean(["chain", "draw"]).values
gap = np.abs(by_hand - partial) / posterior["county_level"].std(["chain", "draw"]).values
print(f"Formula against sampler: at most {gap.max():.2f} posterior standard deviations apart.\n")
assert gap.max() < 0.15
assert abs(center_by_hand[0] - mean_of["mu_baseline"]) < 0.01  # an average without weights is 0.03 off

half = (mean_of["sigma"] / mean_of["tau"]) ** 2
weight = homes / (homes + half)
assert coords["county"][own.argmax()] == "Lac Qui Parle"
print(f"A county keeps half of its distance with {half:.0f} homes, and {weight.max():.0%} with {homes.max()}.")
for name in ("Lac Qui Parle", "Waseca"):
    k = coords["county"].index(name)
    print(
        f"{name}, {homes[k]} homes: keeps {weight[k]:.0%}; its level moves from {own[k]:.2f} to {partial[k]:.2f}, "
        f"{np.exp(own[k]):.1f} to {np.exp(partial[k]):.1f} pCi/L."
    )

# %% [markdown]
# (Lac qui Parle starts above both of its homes, because one of them was measured on the first floor: in a basement the model expects about twice as much.)
#
# `tau` is the dial.
# At 0 all counties have one level: complete pooling.
# As `tau` grows without end, each keeps its own average: no pooling.
# The slider starts at the value that the data chose.
#
# **Predict first.** Turn the dial to 0.1.
# Which counties still stand on their own?


# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "County levels against the number of homes on a logarithmic axis. Open circles are averages of the counties' own homes, filled dots the levels by partial pooling, joined by lines. With one to three homes the lines are long and lead most of the way to a dashed line, the center of counties; with fifty homes and more circle and dot nearly coincide."}} tags=["hide-input"]
jittered = homes * np.exp(rng.uniform(-0.06, 0.06, len(homes)))


def shrinkage(tau):
    """Draw the level of each county for one value of tau, beside the average of its own homes."""
    levels, _, center = by_formula(own, homes, tau, mean_of["sigma"], constant)
    fig, ax = plt.subplots(figsize=(9, 4.5))
    ax.vlines(jittered, own, levels, color="#8A8A8A", linewidth=0.9, zorder=1)
    ax.plot(jittered, own, "o", mfc="white", mec=mlm.COLORS["alternative"], label="own homes (no pooling)")
    ax.plot(jittered, levels, "o", color=mlm.COLORS["estimate"], markersize=5, label=f"level, tau = {tau:.2f}")
    ax.axhline(center[0], color=mlm.COLORS["truth"], linestyle="--", linewidth=1, label="center of counties")
    for name in ("Lac Qui Parle", "Waseca"):
        k = coords["county"].index(name)
        ax.annotate(name, (jittered[k], own[k]), xytext=(7, 0), textcoords="offset points", va="center", fontsize=9)
    ax.set_xscale("log")
    ax.set_xticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
    ax.minorticks_off()
    ax.set_xlabel("homes measured in the county (shifted a little to part the points)")
    ax.set_ylabel("level of the county\n(log pCi/L, basement)")
    ax.legend(loc="upper right")
    return fig


learned = round(mean_of["tau"], 2)
mlm.slider(
    shrinkage,
    alt="Levels of counties for one value of tau, joined by lines with the averages of the counties' own homes.",
    start={"tau": learned},
    tau=sorted({0.0, 0.1, 0.2, learned, 0.5, 1.0, 3.0}),
)

# %% [markdown]
# The fewer homes, the larger the part of its way that a county moves.
# At `tau` = 0.1 hardly any stands on its own: a county then needs some sixty homes to keep half of its distance, and even the largest gives up a third.
# The data chose `tau`, and with it whom to believe.
#
# ## The reason why counties differ
#
# Why should Waseca move to the center of *all* counties?
# Its soil holds more uranium than the average county's.
# A **predictor of contributors** is a number that is known for each contributor, here log uranium.
# It goes where the levels come from: their center becomes a line,
# `mu_baseline + uranium_effect * log_uranium`, and `tau` is what the line leaves over.
#
# **Predict first.** Which of `tau` and `sigma` will become smaller?
# And in which direction will Waseca's level move, compared with the model without uranium?

# %%
log_uranium = by_county.loc[coords["county"], "log_uranium"].to_numpy()

with pm.Model(coords=coords) as uranium_model:
    mu_baseline = pm.Normal("mu_baseline", 0, 5)
    uranium_effect = pm.Normal("uranium_effect", 0, 2.5)
    tau = pm.HalfNormal("tau", 1)
    sigma = pm.HalfNormal("sigma", 1)
    floor_effect = pm.Normal("floor_effect", 0, 2.5)
    z_county = mlm.StandardNormal("z_county", dims="county")
    center = mu_baseline + uranium_effect * log_uranium
    county_level = pm.Deterministic("county_level", center + tau * z_county, dims="county")
    pm.Normal("log_radon", county_level[code] + floor_effect * floor, sigma, observed=log_radon, dims="home")

uranium_idata = mlm.sample(uranium_model, seed=SEED, draws=2000)
mlm.check_convergence(uranium_idata)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Level of each county against log uranium in its soil. A dashed line rises through the counties. Open circles, averages of the counties' own homes, scatter widely about it; filled dots with vertical intervals, estimated with uranium, lie close to it. Waseca's circle lies far below the line and its dot just below; Lac Qui Parle's circle lies far above and its dot just above."}} tags=["hide-input"]
draws = uranium_idata["posterior"]
with_uranium = draws["county_level"].mean(["chain", "draw"]).values
sds = draws["county_level"].std(["chain", "draw"]).values
x = np.linspace(log_uranium.min() - 0.05, log_uranium.max() + 0.05, 50)
line = float(draws["mu_baseline"].mean()) + float(draws["uranium_effect"].mean()) * x
fig, ax = plt.subplots(figsize=(9, 4.5))
ax.plot(log_uranium, own, "o", mfc="white", mec=mlm.COLORS["alternative"], label="own homes (no pooling)")
label = "partial pooling with uranium\n(one posterior sd either way)"
style = {"fmt": "o", "color": mlm.COLORS["estimate"], "markersize": 4, "linewidth": 0.8}
ax.errorbar(log_uranium, with_uranium, yerr=sds, label=label, **style)
ax.plot(x, line, color=mlm.COLORS["truth"], linestyle="--", linewidth=1.2, label="line in log uranium")
for name in ("Lac Qui Parle", "Waseca"):
    k = coords["county"].index(name)
    ax.vlines(log_uranium[k], *sorted((own[k], with_uranium[k])), color="#8A8A8A", linewidth=0.9, zorder=1)
    place = {"xytext": (-7, -9), "ha": "right"} if name == "Waseca" else {"xytext": (7, 0), "ha": "left"}
    ax.annotate(name, (log_uranium[k], own[k]), textcoords="offset points", va="center", fontsize=9, **place)
ax.set_xlabel("log uranium in the county's soil (log ppm)")
ax.set_ylabel("level of the county\n(log pCi/L, basement)")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %%
fits = {"without uranium": partial_idata["posterior"], "with uranium": uranium_idata["posterior"]}
by_model = {}
for name, fit in fits.items():
    waseca = fit["county_level"].sel(county="Waseca")
    by_model[name] = {"tau": fit["tau"].mean(), "sigma": fit["sigma"].mean(), "Waseca": waseca.mean()}
by_model = pd.DataFrame(by_model).astype(float)
assert by_model.loc["tau", "with uranium"] < 0.75 * by_model.loc["tau", "without uranium"]
assert by_model.loc["Waseca", "with uranium"] > by_model.loc["Waseca", "without uranium"]
by_model.round(2)

# %% [markdown]
# Uranium takes away about half of `tau`, and so three quarters of the variance between counties.
# `sigma` stays: a number that all homes of a county share cannot explain why those homes differ.
# A small county now moves toward counties with the same soil, and that is better company.
# Waseca goes up, away from its own four homes.
#
# ## Hide a home, and predict it
#
# Take one random home out of every county that has two or more, estimate the levels from the rest, and predict the homes that you hid.
# Repeat with other homes.
# All four estimates are the formula with another dial or another center.
# (`tau`, `sigma` and the floor effect come from all homes, so the comparison is not quite strict. Homes that were measured upstairs are converted to basements.)

# %%
design = np.column_stack([np.ones(len(homes)), log_uranium])
tau_of = {name: float(fit["tau"].mean()) for name, fit in fits.items()}
kinds = {
    "complete": (0, constant),
    "no": (1e6, constant),
    "partial": (tau_of["without uranium"], constant),
    "partial, uranium": (tau_of["with uranium"], design),
}
several = np.flatnonzero(homes > 1)


def hide_one_home_each():
    """Return the hidden home of each county, and each estimate's level and standard deviation for it."""
    shuffled = rng.permutation(len(radon))
    hidden = shuffled[np.unique(code[shuffled], return_index=True)[1]][several]
    kept = np.setdiff1d(np.arange(len(radon)), hidden)
    n = np.bincount(code[kept], minlength=len(homes))
    average = np.bincount(code[kept], basement[kept], minlength=len(homes)) / n
    guesses = pd.DataFrame({"county": several, "hidden": basement[hidden]})
    for name, (dial, predictors) in kinds.items():
        level, sd, _ = by_formula(average, n, dial, mean_of["sigma"], predictors)
        guesses[name], guesses[f"sd {name}"] = level[several], np.hypot(sd, mean_of["sigma"])[several]
    return guesses


trials = pd.concat([hide_one_home_each() for _ in range(400)])
few = homes[trials["county"]] <= 4
error = {
    group: {name: np.sqrt(np.mean((trials["hidden"] - trials[name])[chosen] ** 2)) for name in kinds}
    for group, chosen in {"all counties": few | True, "counties with 2 to 4 homes": few}.items()
}
error = pd.DataFrame(error)
assert (error.loc["partial"] < error.loc[["complete", "no"]].min()).all()
assert (error.loc["partial, uranium"] < error.loc["partial"]).all()
error.round(3)

# %%
squared = (trials[list(kinds)].sub(trials["hidden"], axis=0) ** 2).groupby(trials["county"]).mean()
small = homes[squared.index] <= 4
steps = {"from complete to partial": ("complete", "partial"), "from no to partial": ("no", "partial")}
steps["from partial to partial, uranium"] = ("partial", "partial, uranium")
steps_saved = {}
for step, (before, after) in steps.items():
    gained = squared[before] - squared[after]
    groups = {"all counties": gained, "counties with 2 to 4 homes": gained[small]}
    steps_saved[step] = {group: f"{x.mean():.3f} ± {x.sem():.3f}" for group, x in groups.items()}
pd.DataFrame(steps_saved).T

# %% [markdown]
# The first table has the error of prediction, a root mean square in log pCi/L.
# No pooling does worst, above all where counties are small: it believes every home.
# Partial pooling has a smaller error than both extremes, and with uranium it is smaller once more.
#
# Would that hold for other counties?
# Repeating averages over which home is hidden, and not over counties: these are always the same ones.
# So the second table has the squared error that each step saves, and its standard error over counties.
# Over all counties each step saves some two standard errors.
# In counties with few homes only the step from no pooling does. The other two save one, the size of chance: do not lean on them.
# The differences look small because most of each error is the scatter of homes, `sigma`, which no estimate of a level can remove.
#
# ## A county where nobody measured
#
# Minnesota has 87 counties, and 85 are in the table.
# Grant and Red Lake are not.
# No pooling has no answer for them.
# Partial pooling draws a level from the population of counties, and then a home from that level.
# If you know the soil, the population is narrower: it is that of counties with such soil.
# The table has no soil for the two either, so suppose that Grant has that of Stevens, its neighbor in the south, and Red Lake that of Pennington in the north.
#
# (This is the **population view**: the counties in the table stand for those that might be, and the next one comes from the same distribution. A layer whose scale of means is fixed has only its prior to say about another member. A pooled one has learned how far members lie apart, so its answer comes from the data. Seven weekdays are all there are; counties, patients and customers are not.)
#
# **Predict first.** Which is wider: the interval of a new county's level, or that of one home in the county with most homes?

# %%
plain = az.extract(partial_idata)
rich = az.extract(uranium_idata)
most = coords["county"][int(np.argmax(homes))]


def new_level(like):
    """Return draws of the level of a new county with the soil of another one."""
    center = rich["mu_baseline"] + rich["uranium_effect"] * by_county.loc[like, "log_uranium"]
    return rng.normal(center, rich["tau"])


levels = {
    f"{name} ({by_county.loc[name, 'homes']} homes)": rich["county_level"].sel(county=name).values
    for name in (most, "Waseca", "Lac Qui Parle")
}
levels["Grant, soil as in Stevens"] = new_level("Stevens")
levels["Red Lake, soil as in Pennington"] = new_level("Pennington")
levels["either, soil unknown"] = rng.normal(plain["mu_baseline"], plain["tau"])
new_homes = {}
for name, level in levels.items():
    sigma = (plain if "unknown" in name else rich)["sigma"].values
    new_homes[name] = np.exp(rng.normal(level, sigma))
    exceeds = stats.norm.sf((np.log(4) - level) / sigma).mean()  # given level and sigma, then averaged over draws
    print(f"{name:32s} sd of the level {np.std(level):.2f}, chance of a home above 4 pCi/L {exceeds:.0%}")
assert np.std(levels["either, soil unknown"]) > 1.3 * np.std(levels["Grant, soil as in Stevens"])

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Horizontal intervals of radon in pCi/L on a logarithmic axis for six cases. Thick bars, for a county's typical home, are short for the county with most homes, longer for Waseca, Lac Qui Parle and new counties with known soil, and longest for a new county with unknown soil. Thin lines, for a single home, are long in all six cases and reach across the action level of 4."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(9, 3.5))
for row, (name, level) in enumerate(levels.items()):
    ax.hlines(row, *np.quantile(new_homes[name], [0.055, 0.945]), color=mlm.COLORS["estimate"], linewidth=1.5)
    ax.hlines(row, *np.exp(np.quantile(level, [0.055, 0.945])), color=mlm.COLORS["estimate"], linewidth=7)
    ax.plot(np.exp(np.median(level)), row, "o", color="white", markersize=4)
ax.hlines([], 0, 0, color=mlm.COLORS["estimate"], linewidth=7, label="typical home of the county")
ax.hlines([], 0, 0, color=mlm.COLORS["estimate"], linewidth=1.5, label="one home")
ax.axvline(4, color=mlm.COLORS["alternative"], linestyle="--", linewidth=1.5, label="action level")
ax.set_xscale("log")
ax.set_xticks([0.5, 1, 2, 4, 8, 16], ["0.5", "1", "2", "4", "8", "16"])
ax.minorticks_off()
ax.set_yticks(range(len(levels)), list(levels))
ax.invert_yaxis()
ax.set_xlabel("radon in a basement (pCi/L), 89 % intervals")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# Phillip Price, Anthony Nero and Andrew Gelman analyzed this survey in 1996 with such a model.
# Their laboratory published a prediction for each county, and they knew the soil of Grant: 191 ± 27 becquerels per cubic meter for the typical home, and 192 ± 29 for Lac qui Parle.
# One pCi/L is 37 of these.
# Their typical home is one of the survey, where some were measured upstairs, so let yours be one, too.

# %%
upstairs = rich["floor_effect"].values * radon["floor"].mean()
for name, (mean, sd) in {"Grant, soil as in Stevens": (191, 27), "Lac Qui Parle (2 homes)": (192, 29)}.items():
    typical = np.exp(levels[name] + upstairs)
    print(f"{name}: {typical.mean():.1f} ± {typical.std():.1f} pCi/L here, {mean / 37:.1f} ± {sd / 37:.1f} published")
    assert abs(typical.mean() - mean / 37) < sd / 37
explained = 1 - (tau_of["with uranium"] / tau_of["without uranium"]) ** 2
print(f"Variance between counties that the soil explains: {explained:.0%} here, about 80% published")

# %% [markdown]
# Two analyses of the same survey, and in both counties the same answer within their errors.
# The two homes in Lac qui Parle, 11.3 and 16.0, did not impress the others either.
#
# Look at the thick bars again: knowing the soil makes a new county's level nearly as certain as Waseca's, which has four homes.
# A single home stays hard to predict everywhere, because homes of one county differ most of all.
#
# ## The pipe
#
# Back to Karin and Nils.
# Say, to keep it simple, that the pipe cures the house, early or late, and that a house above 4 pCi/L has to be cured.
# Built in now, it costs 500 dollars for certain.
# Left out, it costs 1,500 dollars with the chance $p$ that the basement exceeds 4.
# So it pays if $1{,}500\,p > 500$: if $p$ is above one third.
# (The EPA's estimates in 2008 were 350 to 500 dollars in a new house and 800 to 2,500 in an old one.)
#
# Given a level and `sigma`, the chance is a tail of a normal distribution.
# Average it over the posterior draws: without the pipe the expected cost is proportional to $p$, so the average is all that the decision needs.

# %%
NOW, LATER, LIMIT = 500, 1500, np.log(4)
share = stats.norm.sf((LIMIT - rich["county_level"].values) / rich["sigma"].values)  # counties x draws
share_plain = stats.norm.sf((LIMIT - plain["county_level"].values) / plain["sigma"].values)
own_level, own_sd, _ = by_formula(own, homes, 1e6, mean_of["sigma"], constant)
chance = pd.DataFrame(
    {
        "own homes alone": stats.norm.sf((LIMIT - own_level) / np.hypot(own_sd, mean_of["sigma"])),
        "partial pooling": share_plain.mean(axis=1),
        "partial pooling, uranium": share.mean(axis=1),
    },
    index=coords["county"],
)
for name in ("Waseca", "Lac Qui Parle"):
    chance.loc[name, "soil alone"] = stats.norm.sf((LIMIT - new_level(name)) / rich["sigma"]).mean()
(100 * chance.loc[["Waseca", "Lac Qui Parle"]]).round(0).astype(int).rename_axis("chance in percent")

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Each county as a dot: the chance of a new home above 4 pCi/L from the county's own homes alone on the horizontal axis, and from partial pooling with uranium on the vertical one. Own homes spread from about 10 to 95 percent, partial pooling from about 20 to 75. Lines at one third cut the plane; some counties, Waseca among them, lie to the left of one line and above the other."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(7, 5))
x, y = 100 * chance["own homes alone"], 100 * chance["partial pooling, uranium"]
changed = (x > 100 * NOW / LATER) != (y > 100 * NOW / LATER)
for chosen, role, label in ((~changed, "estimate", "same decision"), (changed, "alternative", "another decision")):
    ax.scatter(x[chosen], y[chosen], s=8 + 3 * homes[chosen], color=mlm.COLORS[role], alpha=0.75, label=label)
ax.plot([0, 100], [0, 100], color="#8A8A8A", linestyle=":", linewidth=1)
ax.axvline(100 * NOW / LATER, color=mlm.COLORS["truth"], linestyle="--", linewidth=1)
ax.axhline(100 * NOW / LATER, color=mlm.COLORS["truth"], linestyle="--", linewidth=1, label="the pipe pays: one third")
for name in ("Waseca", "Lac Qui Parle"):
    place = {"xytext": (8, 18) if name != "Waseca" else (-6, 8), "textcoords": "offset points", "ha": "right"}
    ax.annotate(name, (x[name], y[name]), fontsize=9, **place)
ax.set_xlim(0, 100)
ax.set_ylim(0, 100)
ax.set_xlabel("chance of more than 4 pCi/L, from own homes alone (%)")
ax.set_ylabel("the same, from partial pooling with uranium (%)")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1), title="area: homes measured", alignment="left")
plt.show()
assert x["Waseca"] < 100 / 3 < y["Waseca"]
assert y["Lac Qui Parle"] < x["Lac Qui Parle"]

# %%
pays = chance > NOW / LATER
half_uranium = (mean_of["sigma"] / tau_of["with uranium"]) ** 2  # homes for half the weight
print(f"Counties where the pipe pays: {pays['partial pooling, uranium'].sum()} of {len(pays)}.")
print(f"Own homes alone would decide otherwise in {changed.sum()}; these have {homes[changed].max()} homes at most.")
for name in ("Waseca", "Lac Qui Parle"):
    k = coords["county"].index(name)
    low, high = np.quantile(share[k], [0.055, 0.945])
    print(
        f"{name}: share of homes above 4 pCi/L between {low:.0%} and {high:.0%}; "
        f"chance that it is below one third {np.mean(share[k] < NOW / LATER):.0%}; "
        f"weight of its own homes {homes[k] / (homes[k] + half_uranium):.0%}."
    )

# %% [markdown]
# Karin's neighbors made the pipe look like a waste, and Nils's made it look like a must.
# With soil and other counties in the account, both should build it.
# How far are the two chances that you wrote down from those of the third column?
# Compare the last two columns of the table: the soil alone gives most of the answer, and the homes move it by some points.
# So a county with two measured homes should neither trust them nor throw them away.
# It should look up its soil, and give the homes the weight that two homes have.
# (Even the first column borrows: its `sigma` and floor effect come from all homes, because so few homes tell neither.)
#
# ## Would it have saved money?
#
# The hidden homes can say.
# Let each kind of estimate decide about each hidden home without seeing it, and then pay the bill: the pipe now, or 1,500 dollars if the home turned out above 4.
# (As before, the level of its county is estimated without it; `tau`, `sigma` and the floor effect are not.)
#
# **Predict first.** Two rules need no data at all: never build the pipe, and always.
# Where will they stand among the others?

# %%
above = trials["hidden"] > LIMIT
chances = {
    name: stats.norm.sf((LIMIT - trials[name]) / trials[f"sd {name}"]) for name in ("no", "partial", "partial, uranium")
}
chances = {"never": 0.0, "own homes alone": chances.pop("no"), **chances, "always": 1.0}
chances = pd.DataFrame(chances, index=trials.index)
bill = {
    now: {rule: np.where(chances[rule] > now / LATER, now, LATER * above).mean() for rule in chances}
    for now in (300, 500, 700, 900)
}
bill = pd.DataFrame(bill).T.rename_axis("pipe now (dollars)")
assert bill.loc[NOW, "partial, uranium"] < bill.loc[NOW, "own homes alone"] < bill.loc[NOW, "never"]
bill.round(0)


# %%
def saved(rule, now, by="partial, uranium"):
    """Return how many dollars a home the rule `by` saves where `rule` is given up for it, ± the error over counties."""
    bills = [np.where(chances[kind] > now / LATER, now, LATER * above) for kind in (rule, by)]
    by_county = pd.Series(bills[0] - bills[1]).groupby(trials["county"].to_numpy()).mean()
    return f"{by_county.mean():z.0f} ± {by_county.sem():.0f}"  # z: no minus sign before a 0


print(f"At {NOW} dollars 'always' saves {saved('own homes alone', NOW, by='always')} over own homes alone.")
savings = {}
for now in bill.index:
    blind = bill.loc[now, ["never", "always"]].idxmin()  # the better of the two rules without data
    savings[now] = {rule: saved(rule, now) for rule in ("own homes alone", "partial")}
    savings[now]["better of never and always"] = f"{saved(blind, now)} ({blind})"
pd.DataFrame(savings).T.rename_axis("pipe now (dollars)")

# %%
third = pd.qcut(chances["partial, uranium"], 3, labels=["lowest", "middle", "highest"]).to_numpy()
outcome = pd.DataFrame({"predicted": chances["partial, uranium"], "found": above})
checked = outcome.groupby(third, observed=True).mean()
off = outcome["found"] - outcome["predicted"]
off -= off.groupby(third).transform("mean")
of_county = off.groupby([third, trials["county"].to_numpy()]).sum()  # homes of a county count as one
checked["standard error"] = np.sqrt((of_county**2).groupby(level=0).sum()) / off.groupby(third).size()
print("Chances that were predicted, and the share that was found above 4 pCi/L, in three groups of hidden homes.")
print("The standard error is that of found minus predicted, over counties.")
for points in (10, 3):
    shows = stats.norm.sf(1.96 - points / 100 / checked["standard error"])
    print(f"An error of {points} points shows in {shows.min():.0%} to {shows.max():.0%} of such tests.")
assert (checked["predicted"] - checked["found"]).abs().max() < 0.12
(100 * checked.loc[["lowest", "middle", "highest"]]).round(1).rename_axis("in percent")

# %% [markdown]
# The first table has dollars a home.
# (More than half of these homes exceed 4: here each county counts the same, and homes measured upstairs are converted to basements.)
# The second has what the model with uranium saves over other rules, with its standard error.
#
# At 500 dollars, deciding by a county's own homes cost 31 dollars more here than building everywhere, less than two standard errors.
# The model with uranium is level with building everywhere, because it builds in most counties, too.
# What it saves over own homes is about two standard errors: likely and not proved.
#
# At 700 and 900 dollars it matters where you build. There the model with uranium has the lowest bill, and pooling without the soil saves nothing over own homes.
# Over own homes, the model saves one and a half standard errors at most: a lead, not a finding.
# At 900 dollars the better rule without data is "never", and over it the model saves about two and a half standard errors.
# That is the clearest of twelve entries about the same homes, so it is likely and not proved, too.
#
# In each third the share found is within five points of the chance predicted, about one standard error. That rules out gross errors only: where a chance lies within a few points of the ratio of prices, this test cannot vouch for the decision.
#
# Minnesota chose "always": since 2009 its building code asks for the pipe in all new homes.
#
# Here is what the model leaves out.
# The survey measured homes that stood already, and Karin's is new.
# It measured for some days in winter on the lowest level, which finds more than the average over a year in the rooms where people live.
# The model has one floor effect for all counties. And a home that was measured on the first floor may have no basement at all: `floor_effect` compares homes, not the two floors of one home.
# A pipe without a fan lowers radon by about half and does not cure every house.
# And none of this replaces a test: once Karin's house stands, a kit for 25 dollars says more about it than all other homes of the county.
#
# ## Beside the book
#
# You can now answer both cousins. The rest of the notebook is for those who will build such a model again.
#
# Andrew Gelman and Jennifer Hill fitted both models, without and with uranium, in 2006, by restricted maximum likelihood (sections 12.4 and 12.6 of their book).
# That method gives one best value for each parameter. With 919 homes, posterior means should be close.
# The cell asks for half a published standard error, or half a posterior standard deviation where the book has no error.

# %%
published = [
    ("without uranium", "mu_baseline", 1.46, 0.05),
    ("without uranium", "floor_effect", -0.69, 0.07),
    ("without uranium", "tau", 0.33, None),
    ("without uranium", "sigma", 0.76, None),
    ("with uranium", "mu_baseline", 1.47, 0.04),
    ("with uranium", "floor_effect", -0.67, 0.07),
    ("with uranium", "uranium_effect", 0.72, 0.09),
    ("with uranium", "tau", 0.16, None),
    ("with uranium", "sigma", 0.76, None),
]
published_table = pd.DataFrame(published, columns=["model", "parameter", "book", "book's error"])
pairs = list(zip(published_table["model"], published_table["parameter"], strict=True))
published_table["here"] = [float(fits[model][parameter].mean()) for model, parameter in pairs]
published_table["posterior sd"] = [float(fits[model][parameter].std()) for model, parameter in pairs]
allowed = published_table["book's error"].fillna(published_table["posterior sd"]) / 2
assert np.all((published_table["here"] - published_table["book"]).abs() < allowed)
published_table.round(3)

# %% [markdown]
# Both models agree with the book.
#
# ## The same with the package
#
# The package takes numbers that stand beside the labels as *covariates*, as in [09](09_integrating_out.ipynb), and gives each a slope.
# `floor` is a number of the home.
# `log_uranium` is one of the county, written into the row of each of its homes.
#
# **Predict first.** Suppose that nothing is pooled, and every county has a level of its own.
# Can 919 homes then tell the slope of log uranium?

# %%
for names in (["floor"], ["floor", "log_uranium"]):
    home_cells = mlm.cell_statistics(radon, "log_radon", ["county"], covariates=names)
    told = mlm.identification(home_cells).loc["covariates"]
    print(f"{' and '.join(names)}. {told['because']}")
assert not told["means"]

# %% [markdown]
# The floor's slope they can tell: some counties have homes with detectors on both floors.
# That of uranium they cannot.
# Whatever a slope adds to the homes of a county, the county's level can take away again.
# Only a common distribution of the levels says that small deviations from the line are more plausible than large ones.
#
# So pool.
# `known_sigma={"county": 0}` gives all homes one residual standard deviation, as in your model: a county moves the level and adds no spread of its own.

# %%
package_priors = mlm.Priors.from_cells(home_cells, known_sigma={"county": 0})
package_idata = mlm.sample(mlm.cell_model(home_cells, package_priors), seed=SEED)
mlm.check_convergence(package_idata)

# %%
package = package_idata["posterior"]
same = {
    "floor_effect": package["slope"].sel(covariate="floor"),
    "uranium_effect": package["slope"].sel(covariate="log_uranium"),
    "tau": package["tau_county"],
    "sigma": package["sigma_baseline"],
}
beside = published_table[published_table["model"] == "with uranium"].set_index("parameter").loc[list(same)]
beside = beside.rename(columns={"here": "by hand", "posterior sd": "sd by hand"})
beside["package"] = [float(values.mean()) for values in same.values()]
beside["sd, package"] = [float(values.std()) for values in same.values()]
allowed = beside["book's error"].fillna(beside["sd by hand"]) / 2
assert np.all((beside["package"] - beside["book"]).abs() < allowed)
beside[["book", "by hand", "package", "sd by hand", "sd, package"]].round(3)

# %% [markdown]
# Once more the book's numbers.
# The package counts covariates from their averages over all homes, so its `mu_baseline` is the log radon expected at the average floor and the average log uranium. In your model it was that of a basement where log uranium is 0.
# And its `mu_county` is what a county has besides the line, with a sum of zero over counties, so a level has to be put together.
# `mlm.predict` does that, for a home in each county, measured in the basement.

# %%
basements = by_county.loc[coords["county"]].reset_index().assign(floor=0)
assembled = mlm.predict(package_idata, basements, ["county"])["mean"].values
gap = np.abs(assembled - with_uranium) / sds
print(f"Levels by hand and with the package: at most {gap.max():.2f} posterior sd apart.")
assert gap.max() < 0.15

# %% [markdown]
# ## Does the prior of `tau` rule out zero?
#
# The half-normal prior has its highest density at `tau` = 0.
# The prior that the package gives to spreads, Weibull with shape 2, has density 0 there.
# That sounds as if one allowed equal counties and the other forbade them.
# But no continuous prior gives a chance to exactly zero, and both allow values as small as you like.
# What counts is how much of the prior lies where the data leave `tau` open, and that depends on its scale *and* its shape.
#
# No new fit is needed.
# Give each draw the weight (new prior density) / (old prior density), as in the power-scaling of [08](08_checking_a_model.ipynb).

# %%
by_prior = {}
for scale in (1, 0.2):
    halfnormal, weibull = stats.halfnorm(scale=scale), stats.weibull_min(2, scale=scale)
    for name, prior in {"half-normal": halfnormal, "Weibull": weibull}.items():
        column = {("prior", f"chance of tau < {x}"): prior.cdf(x) for x in (0.02, 0.1)}
        for model, fit in fits.items():
            values = fit["tau"].values.ravel()
            ratio = prior.pdf(values) / stats.halfnorm(scale=1).pdf(values)
            assert ratio.sum() ** 2 / np.sum(ratio**2) > 400  # the weighted draws are worth as many
            for x in (0.02, 0.1):
                column[model, f"chance of tau < {x}"] = np.average(values < x, weights=ratio)
            column[model, "mean of tau"] = np.average(values, weights=ratio)
        by_prior[f"{name}, scale {scale}"] = column
by_prior = pd.DataFrame(by_prior)
for model, fit in fits.items():
    assert np.ptp(by_prior.loc[model, "mean of tau"]) < float(fit["tau"].std())
by_prior.round(3)

# %% [markdown]
# At scale 1 the half-normal has eight times as much below 0.1 as the Weibull.
# A Weibull of scale 0.2 has more there than a half-normal of scale 1, and less below 0.02.
# Without uranium, the data leave nothing below 0.1 for a prior to decide.
# With uranium they do leave something, and how much depends on the prior.
# Even so, the means of `tau` differ by less than one posterior standard deviation: for that, 85 counties say enough.
# With three or four counties, look again.
#
# ## Centered or non-centered, county by county
#
# The first model sampled levels as they are, the *centered* form.
# The uranium model sampled `z_county` and computed levels from it, the *non-centered* form.
# [06](06_noncentered.ipynb) put a dial on each of Vera's centers, which had 20,000 parcels or one.
# Counties have any number of homes from one to 116, so where is the border?
# By the rule of 06 it lies where the weight of a county's own homes is one half: above it the centered form suits, below it the non-centered form.
# (The weight needs `tau` and `sigma`; the first fit gave them.)
#
# The model has the dial of 06 with two positions.
# Where `centered` is 1, `raw` is the level; where it is 0, `raw` is a standard normal.
# The homes become cells, by county and floor, as in [09](09_integrating_out.ipynb).

# %%
cells = mlm.cell_statistics(radon, total="log_radon", layers=["county", "floor"])
cell_county = cells.codes[:, 0]
cell_floor = np.array(cells.labels["floor"])[cells.codes[:, 1]]
assert list(cells.labels["county"]) == coords["county"]

with pm.Model(coords={"county": coords["county"]}) as dial_model:
    centered = pm.Data("centered", np.ones(len(homes)), dims="county")
    mu_baseline = pm.Normal("mu_baseline", 0, 5)
    tau = pm.HalfNormal("tau", 1)
    sigma = pm.HalfNormal("sigma", 1)
    floor_effect = pm.Normal("floor_effect", 0, 2.5)
    raw = pm.Normal("raw", centered * mu_baseline, tau**centered, dims="county")
    computed = (1 - centered) * mu_baseline + tau ** (1 - centered) * raw
    county_level = pm.Deterministic("county_level", computed, dims="county")
    expected = county_level[cell_county] + floor_effect * cell_floor
    statistics = np.column_stack([cells.mean, cells.sum_sq])
    mlm.NormalCells("cells", expected, sigma, cells.n.astype(float), observed=statistics)

dial = mlm.compile_model(dial_model)

# %% [markdown]
# The measure is that of 06: the smallest bulk [effective sample size](../book/glossary.md), here among levels, `mu_baseline` and `tau`, for each thousand gradients.
# A run that misses a limit of the convergence check is left out.
# `adaptation="diag"`, the default of most software, learns a scale for each coordinate and no correlations, so it cannot make up for a bad choice.
# (`mlm.sample` learns some correlations in a model of this size; what the choice is worth there was not measured here.)
#
# **Predict first.** Half of the counties have five homes or fewer.
# Which wins: all centered, all non-centered, or each as its weight says? By how much?

# %%
settings = {"all centered": weight >= 0, "all non-centered": weight > 1, "by weight": weight > 0.5}


def ess_per_gradient(setting, seed):
    """Return the smallest bulk ESS of each parameter for each 1,000 gradients, of a run that converged."""
    idata = mlm.sample(dial.with_data(centered=setting.astype(float)), seed=seed, draws=2000, adaptation="diag")
    try:
        mlm.check_convergence(idata)
    except mlm.ConvergenceError:
        return pd.Series(dtype=float)  # an ESS of chains that disagree is a guess
    ess = az.ess(idata["posterior"].to_dataset()[["county_level", "mu_baseline", "tau"]], method="bulk")
    return pd.Series({k: 1000 * float(v.min()) / idata.attrs["gradients"] for k, v in ess.data_vars.items()})


each = {
    name: pd.DataFrame([ess_per_gradient(setting, SEED + k) for k in range(4)]) for name, setting in settings.items()
}
runs = pd.DataFrame({name: ess.min(axis=1) for name, ess in each.items()})

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Three rows of four dots over the smallest effective sample size for each thousand gradients. The dots of the choice by weight lie clearly to the right of those of all centered and of all non-centered."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(8, 2.4))
for row, (name, role) in enumerate(zip(runs, ("alternative", "prior", "estimate"), strict=True)):
    height = row + np.linspace(-0.15, 0.15, len(runs))
    ax.plot(runs[name], height, "o", color=mlm.COLORS[role], alpha=0.7)
    ax.vlines(runs[name].mean(), row - 0.33, row + 0.33, color=mlm.COLORS[role], linewidth=2.5)
ax.set_yticks(range(3), [f"{name} ({int(setting.sum())} centered)" for name, setting in settings.items()])
ax.set_ylim(2.5, -0.5)
ax.set_xlim(0)
ax.set_xlabel("smallest bulk ESS per 1,000 gradients, four seeds")
plt.show()
print("runs that converged, of 4:", runs.notna().sum().to_dict())
assert runs.notna().all()["by weight"]
assert runs["by weight"].mean() > 1.2 * runs[["all centered", "all non-centered"]].mean().max()
pd.DataFrame({name: ess.mean() for name, ess in each.items()}).round(0)

# %% [markdown]
# The choice by weight beats both.
# What gains most is `tau`, the slowest parameter in each setting.
# A small county that is centered lets `tau` move only as fast as its level follows: the funnel of 05.
# A large county that is not centered moves its level with `tau`, and its data forbid that.
# So either form alone holds `tau` back.
# By the same rule a predictor changes the choice: it lowers `tau`, so more counties get the non-centered form.
#
# All settings are the same model.
# Check the winner twice: its runs, on cells, and runs of the first model, on 919 rows, may differ by Monte Carlo error only.

# %%
by_weight = dial.with_data(centered=settings["by weight"].astype(float))
parameters = ["county_level", *population]
for k, first_form in enumerate([partial_idata, mlm.sample(partial_model, seed=SEED + 1)]):
    pair = [first_form, mlm.sample(by_weight, seed=SEED + k)]
    for idata in pair:
        mlm.check_convergence(idata)
    pair = [idata["posterior"].to_dataset()[parameters] for idata in pair]
    difference = pair[0].mean(["chain", "draw"]) - pair[1].mean(["chain", "draw"])
    mc_error = np.sqrt(sum(az.mcse(draws) ** 2 for draws in pair))
    z = np.concatenate([x.values.ravel() for x in (difference / mc_error).data_vars.values()])
    largest_z = np.abs(z).max()
    p_value = 1 - (1 - 2 * stats.norm.sf(largest_z)) ** len(z)
    print(
        f"Pair {k + 1}: largest of {len(z)} differences of posterior means "
        f"{largest_z:.1f} Monte Carlo errors, p at most {p_value:.2f}"
    )
    assert largest_z < 5.5
print(f"Half the weight: {half:.0f} homes without uranium, {half_uranium:.0f} with it.")

# %% [markdown]
# As in 09, the chance counts all comparisons as if they were independent.
# Dependence makes so large a difference rarer, hence "at most".
# A fault would show in both pairs.
#
# ## Check yourself
#
# The quiz asks about ideas.
# In the [exercises](exercises/13_exercises.ipynb) you pool by hand, predict a new county, choose forms, decide about pipes, fit a model with a predictor, and find the slopes that rows can tell.

# %%
mlm.quiz("13")

# %% [markdown]
# ## What to remember
#
# - A contributor's own data have the weight $\tau^2/(\tau^2 + \sigma^2/n)$. The rest comes from the others, and `tau` is the dial.
# - A predictor of contributors belongs in the center of their distribution. One that predicts well lowers `tau`, not `sigma`; small contributors then learn from those that are like them.
# - The package takes numbers of rows and of contributors as `covariates`. If one follows from the labels, only pooling can tell its slope from the contributors' means.
# - New contributors come from the population of contributors: draw a level, then an observation.
# - With 85 counties, four priors of `tau` gave means that differ by less than its posterior standard deviation. With three or four contributors they may differ by more: try two priors.
# - The same weight chooses coordinates: above one half centered, below one half non-centered (about twice as many effective draws of `tau` per gradient here, if the sampler learns no correlations).
# - A decision needs the chance of the event that costs money. Test it on data held out, beside rules that need no model.
# - From here on the package pools for you: `mlm.Priors.from_cells(cells)` pools means, and variances in the same way. `pooled=False`, as in 05 to 12, asks for fixed scales.
#
# ## Going further
#
# - Gelman, A. and Hill, J. (2006). *Data Analysis Using Regression and Multilevel/Hierarchical Models*. Cambridge University Press. Chapter 12. [doi:10.1017/CBO9780511790942](https://doi.org/10.1017/CBO9780511790942)
# - Price, P. N., Nero, A. V. and Gelman, A. (1996). Bayesian prediction of mean indoor radon concentrations for Minnesota counties. *Health Physics* 71(6), 922-936. [doi:10.1097/00004032-199612000-00009](https://doi.org/10.1097/00004032-199612000-00009). The survey, its measurements, how far counties differ, and how much of it the soil explains.
# - Lawrence Berkeley National Laboratory. [Minnesota screening indoor radon concentrations by county](http://eetd.lbl.gov/IEP/high-radon/data/minn-tbl.html). The predictions for Grant and Lac qui Parle.
# - Lin, C., Gelman, A., Price, P. N. and Krantz, D. H. (1999). Analysis of local decisions using hierarchical modeling, applied to home radon measurement and remediation. *Statistical Science* 14(3), 305-337. [PDF](http://www.stat.columbia.edu/~gelman/research/published/lin.pdf). The decision of this notebook, done in full: who should measure, and who should act.
# - Gelman, A. (2006). Prior distributions for variance parameters in hierarchical models. *Bayesian Analysis* 1(3), 515-534. [doi:10.1214/06-BA117A](https://doi.org/10.1214/06-BA117A)
# - Papaspiliopoulos, O., Roberts, G. O. and Sköld, M. (2007). A general framework for the parametrization of hierarchical models. *Statistical Science* 22(1), 59-73. [doi:10.1214/088342307000000014](https://doi.org/10.1214/088342307000000014)
# - EPA (2008). [Making homes greener and safer from radon](https://yosemite.epa.gov/opa/admpress.nsf/8b770facf5edf6f185257359003fb69e/2af4ace26ae46789852573d9006629c9!OpenDocument): the prices. [Minnesota Rules 1303.2400](https://www.revisor.mn.gov/rules/1303.2400/): the pipe in new homes.

# %%
print(mlm.version_line())
