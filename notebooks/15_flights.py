# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 15 Flights
#
# Some planes make up a late start, others lose still more time.
# Who loses time in the air: the carrier, the airport, or the month?
# You fit the 327,346 flights from New York in 2013 whose delays are known, and the sampling takes seconds.
# Then comes the larger half of the work: you find out where the model is wrong, and what a change is worth.
#
# **You will learn** to
#
# 1. reduce real data to cells and fit them with priors whose scales come from the totals;
# 2. read means, spreads and shares of variance, and tell which of them the data fix;
# 3. split a single flight's minutes into parts, in words and in a figure;
# 4. find three ways in which the model fails, with posterior predictive checks;
# 5. change the model, and compare changes on flights that it has not seen;
# 6. say why standard errors are too small where flights share a day; an exercise corrects them.
#
# **You need** [09](09_integrating_out.ipynb), [10](10_what_the_data_cannot_say.ipynb) and [12](12_decomposing_a_total.ipynb).
#
# **Time**: 40 minutes to read, one to two minutes to run.

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from scipy import stats

import mlm_tutorial as mlm

SEED = mlm.notebook_seed(2013)
rng = np.random.default_rng(SEED)
mlm.use_style()

# %% [markdown]
# ## A minute lost is measured against a timetable
#
# A flight leaves `dep_delay` minutes late and arrives `arr_delay` minutes late.
# What it lost on the way is the difference, `minutes_lost = arr_delay - dep_delay`.
# "In the air" is a loose way to say it: both delays are taken at the gate, so taxiing counts too.
# And the carrier writes the timetable.
# A carrier that plans generously "makes up time" without flying faster.

# %% tags=["nbval-check-output"]
flights = mlm.load_flights()
airlines = mlm.load_airlines()
total, layers = "minutes_lost", ["carrier", "origin", "month"]
print(f"{len(flights):,} flights")
print(
    f"they lost {flights[total].mean():.1f} minutes on average, with a standard deviation of {flights[total].std():.1f}"
)
print(f"{(flights[total] < 0).mean():.0%} made up time")
flights.head()

# %% mystnb={"image": {"alt": "Two histograms of minutes lost. On a plain axis they look like a bell with its top near minus 8 minutes. On a logarithmic axis the right side reaches much farther out than the left one, up to almost 200 minutes."}}
fig, axes = plt.subplots(1, 2, figsize=(9, 3.5))
for ax, scale in zip(axes, ["linear", "log"], strict=True):
    ax.hist(
        flights[total], bins=np.arange(-110, 200, 3), color=mlm.COLORS["data"], edgecolor=mlm.COLORS["truth"], lw=0.3
    )
    ax.set_yscale(scale)
    ax.set_xlabel("minutes lost")
    ax.set_ylabel(f"flights in 3 minutes ({scale} scale)")
plt.show()

# %% [markdown]
# Most flights made up a few minutes.
# The plain axis shows a bell, the logarithmic one shows a long right tail.
# Keep the tail in mind.
# The model below knows nothing of it.
#
# ## 399 cells hold all that a normal model can use
#
# Every flight has one carrier, one airport of origin and one month.
# Flights that share all three form a [cell](../book/glossary.md), and a cell's count, mean and sum of squares are all that the model needs.

# %% tags=["nbval-check-output"]
cells = mlm.cell_statistics(flights, total, layers)
print(cells)
by_size = cells.to_frame().sort_values("n", kind="stable")
print(f"{(cells.n < 30).sum()} cells have fewer than 30 flights, and {(cells.n == 1).sum()} only one")
pd.concat([by_size.head(3), by_size.tail(3)]).round(1)

# %% [markdown]
# `sum_sq` is the sum of squared deviations from the cell's mean; one flight has none.
# The model of these cells is the one of notebook 09 with three layers, and with fixed scales (`pooled=False`) as there.

# %%
priors = mlm.Priors.from_cells(cells, pooled=False)
compiled = mlm.compile_model(mlm.cell_model(cells, priors))
idata = mlm.sample(compiled, seed=SEED)
print(f"compiled in {compiled.compile_seconds:.0f} s, sampled in {idata.attrs['sampling_seconds']:.1f} s")
mlm.check_convergence(idata)

# %% [markdown]
# Sampling takes seconds, because its cost depends on the number of cells and not on the number of flights.
#
# ## Who makes up time?
#
# A contributor's mean is measured from the plain average of its layer, since means sum to zero in each layer.
# So 0 is the average carrier, not the average flight.
# A negative mean says that this carrier makes up more time than the average one.
#
# **Predict first.**
# The smallest carrier in the figure below has 29 flights and the largest one nearly 58,000.
# How much wider will the small one's interval be?

# %% mystnb={"image": {"alt": "Means of 16 carriers with 89 percent intervals, sorted from about plus 7 minutes lost to about minus 11. The intervals of large carriers are hidden behind their points. SkyWest with 29 flights has an interval many minutes wide, and Hawaiian, Mesa, Frontier and Alaska have visible ones."}}
counts = pd.Series(cells.counts("carrier"), index=list(cells.labels["carrier"]))
names = pd.Series({code: f"{airlines[code]} ({counts[code]:,})" for code in counts.index})
ax = mlm.plot_contributors(idata, "carrier", names=names, unit="minutes")
ax.set_ylabel("carrier (flights)")
plt.show()

# %%
mu = idata["posterior"]["mu_carrier"]
small, large, second = counts.idxmin(), *counts.nlargest(2).index
sd_small, sd_large = (float(mu.sel(carrier=code).std()) for code in [small, large])
sd_difference = float((mu.sel(carrier=large) - mu.sel(carrier=second)).std())
print(f"posterior sd of the mean: {airlines[small]} {sd_small:.2f} min, {airlines[large]} {sd_large:.2f} min")
print(f"posterior sd of {airlines[large]} minus {airlines[second]}: {sd_difference:.2f} min")
assert sd_small > 5 * sd_large > 5 * sd_difference

# %% [markdown]
# The small carrier's interval is some ten times as wide.
# By the counts alone it would be about 45 times as wide, by the square root of 57,782 / 29.
# The large carrier's mean is measured from the average of all carriers, and that average is uncertain because of the small ones.
# Compare two large carriers directly, and the difference is far more certain.
# A carrier with few flights, whose mean is estimated from its own flights alone, can land at either end of such a ranking by chance.
# So read the intervals before the ranks.
# Notebook [13](13_partial_pooling.ipynb) shows how *pooling*, which lets carriers inform one another, tames such means.

# %% mystnb={"image": {"alt": "Two panels with means and 89 percent intervals. Left: three airports within about 2 minutes of each other, Newark the highest and Kennedy the lowest. Right: twelve months in order, December highest at about plus 4 minutes, September lowest at about minus 5."}}
airports = pd.Series({"EWR": "Newark", "JFK": "Kennedy", "LGA": "LaGuardia"})
months = pd.Series(dict(enumerate(pd.date_range("2013-01", periods=12, freq="MS").month_name(), start=1)))
fig, axes = plt.subplots(1, 2, figsize=(10, 4), width_ratios=[1, 1])
mlm.plot_contributors(idata, "origin", names=airports, unit="minutes", ax=axes[0]).get_legend().remove()
mlm.plot_contributors(idata, "month", names=months, unit="minutes", sort=False, ax=axes[1])
for ax in axes:
    ax.set_xlabel("mean of the contribution, in minutes")
plt.show()

# %% [markdown]
# December loses most and September least.
# The airports differ little, with Newark losing most.
# The plain averages of their flights say something else.

# %% tags=["nbval-check-output"]
flights.groupby("origin", observed=True)[total].mean().rename(index=airports).round(2)

# %% [markdown]
# By plain averages LaGuardia loses most.
# Each airport has its own mix of carriers, and LaGuardia has many of those that lose time anyway.
# The model compares airports at equal carrier and month.
#
# ## How much do the three layers explain?
#
# `mlm.variance_shares` splits the variance of the totals as notebook 12 explains: a part for how far a layer's means lie apart, and a part for how much its contributions vary.
# Carriers do not choose airports and months by lot, so the covariance of the means has a part as well.

# %%
shares = mlm.variance_shares(idata, cells)
explained = shares.loc[shares["source"] == "means", "mean"].sum()
print(f"carrier, airport and month together explain {explained:.1%} of the variance with their means")
shares.round(4)

# %% [markdown]
# Knowing who flies, from where and when says little about how many minutes one flight will lose.
# The rest is spread, and notebook [10](10_what_the_data_cannot_say.ipynb) warns about how spread is shared.
# Do not take the warning on trust.
# Fit the same cells with a prior that gives the baseline the larger part.

# %%
scale = priors.sigma_scale_of("carrier")
other_priors = replace(priors, sigma_scale={"baseline": 1.7 * scale} | dict.fromkeys(layers, 0.6 * scale))
other = mlm.sample(mlm.cell_model(cells, other_priors), seed=SEED + 1)
print(mlm.check_convergence(other))
both = {"equal shares": idata, "prior for the baseline": other}
pd.DataFrame(
    {
        prior: mlm.variance_shares(fit, cells).set_index(["component", "source"])["mean"].round(3)
        for prior, fit in both.items()
    }
)

# %% [markdown]
# The rows named `means` agree, except for the last digit.
# The rows named `spreads` do not: a common part can move between the baseline and a layer without any change to a flight's variance, and only the prior says where it belongs.
# The freedom has a limit, because no variance is negative.
# Flights in July vary far more than flights in November, and that difference must belong to the month.
# So the data give each layer's spread a least value, and the baseline's a greatest one.
#
# For a single carrier the same holds: its standard deviation moves with the prior, the difference of its variance to another carrier's does not, if both have many flights.

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two panels with one row for each of 16 carriers and a circle and a square for two priors. Left, standard deviations: the square lies left of the circle for every carrier, by up to 2 minutes. Right, differences of variances to United: circle and square coincide for all large carriers."}} tags=["hide-input"]
reference = "UA"
fig, axes = plt.subplots(1, 2, figsize=(10, 5), sharey=True)
order = idata["posterior"]["sigma_carrier"].mean(["chain", "draw"]).to_series().sort_values().index
for (prior, fit), marker, role in zip(both.items(), "os", ["estimate", "alternative"], strict=True):
    sigma = fit["posterior"]["sigma_carrier"].sel(carrier=list(order))
    v = sigma**2
    for ax, values in zip(axes, [sigma, v - v.sel(carrier=reference)], strict=True):
        lower, center, upper = values.quantile([0.055, 0.5, 0.945], dim=["chain", "draw"]).values
        rows = np.arange(len(order)) + (0.12 if marker == "s" else -0.12)
        ax.hlines(rows, lower, upper, color=mlm.COLORS[role], lw=1.5)
        ax.plot(
            center,
            rows,
            marker,
            ms=5,
            color=mlm.COLORS[role],
            label=prior,
            fillstyle="full" if marker == "o" else "none",
        )
axes[0].set_yticks(np.arange(len(order)), [airlines[code] for code in order])
axes[0].set_xlabel("standard deviation, in minutes")
axes[1].set_xlabel("variance minus United's, minutes squared")
axes[1].legend(loc="lower right")
plt.show()

# %%
distance = {}
for name in ["mu_carrier", "mu_origin", "mu_month"]:
    one, two = (fit["posterior"][name] for fit in both.values())
    gap = abs(one.mean(["chain", "draw"]) - two.mean(["chain", "draw"])) / one.std(["chain", "draw"])
    distance[name] = float(gap.max())
print("largest shift of a mean between the priors, in posterior standard deviations:")
print({name: round(value, 2) for name, value in distance.items()})
assert max(distance.values()) < 0.3

# %% [markdown]
# Means are safe to report, and so are differences of variances for carriers with many flights.
# Report a carrier's own standard deviation only together with the prior of the split.
#
# ## Three flights, decomposed
#
# Take the flight that lost most, the one that made up most, and one about as usual as a flight can be.
# Each splits into what carrier, airport and month, and the baseline account for.
# The baseline is "the rest": all that no layer of the model names.

# %%
one = idata["posterior"].to_dataset().mean(["chain", "draw"])
expected = (
    float(one["mu_baseline"])
    + one["mu_carrier"].sel(carrier=flights["carrier"].to_numpy().astype(str)).values
    + one["mu_origin"].sel(origin=flights["origin"].to_numpy().astype(str)).values
    + one["mu_month"].sel(month=flights["month"].to_numpy()).values
)
surprise = flights[total] - expected
chosen = flights.loc[[flights[total].idxmax(), flights[total].idxmin(), surprise.abs().idxmin()]]
parts = mlm.decompose(idata, chosen, total, layers)
assert np.allclose(parts["mean"].sum("component"), chosen[total])

for i, (row, flight) in enumerate(chosen.iterrows()):
    share = parts["mean"].sel(observation=i).to_series()
    print(
        f"{airlines[flight['carrier']]}, {airports[flight['origin']]} to {flight['dest']} in {months[flight['month']]} "
        f"lost {flight[total]:+.0f} minutes.\n"
        f"   Expected were {expected[row]:+.1f}, so {surprise[row]:+z.1f} are a surprise.\n"
        f"   To the carrier {share['carrier']:+.1f}, to the airport {share['origin']:+.1f}, "
        f"to the month {share['month']:+.1f}, to the rest {share['baseline']:+.1f}."
    )

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Three waterfall figures, one below the other. In each, bars for baseline, carrier, airport and month follow one another and end at the flight's total. For the two extreme flights some bars are tens of minutes long; for the usual flight all are short, a few minutes at most, on an axis of its own. Whiskers are one posterior standard deviation either way."}} tags=["hide-input"]
fig, axes = plt.subplots(3, 1, figsize=(8.5, 8))
for i, ((_, flight), ax) in enumerate(zip(chosen.iterrows(), axes, strict=True)):
    labels = {
        "baseline": "the rest (baseline)",
        "carrier": airlines[flight["carrier"]],
        "origin": airports[flight["origin"]],
        "month": months[flight["month"]],
    }
    mlm.plot_decomposition(parts, i, labels=labels, unit="minutes lost", ax=ax)
    ax.set_title(f"to {flight['dest']}: {flight[total]:+.0f} minutes", loc="left")
plt.show()

# %% [markdown]
# Parts add up to the flight's minutes exactly.
# How far may you trust them?
# Each part is the contributor's mean plus a share of the surprise.
# The mean is fixed by the data, the share is not.

# %%
usual = {"baseline": float(one["mu_baseline"])}
worst = chosen.iloc[0]
usual |= {layer: float(one[f"mu_{layer}"].sel({layer: worst[layer]})) for layer in layers}
table = pd.DataFrame({"mean of the contributor": usual})
for prior, fit in both.items():
    table[f"total part, {prior}"] = mlm.decompose(fit, chosen.iloc[:1], total, layers)["mean"].isel(observation=0)
print("the flight that lost most, in minutes:")
table.round(1)

# %% [markdown]
# Two fits that no flight can tell apart give the baseline different parts of one flight's minutes.
# So say: "the flight was so many minutes worse than its carrier, airport and month led us to expect".
# Do not say: "the carrier is to blame for so many of them", unless you can defend the prior of the split.
#
# ## Criticism, first part: single flights have a right tail
#
# A [posterior predictive check](../book/glossary.md) asks whether data from the fitted model look like the data at hand.
# You need each cell's mean and variance for some draws of the posterior.


# %%
def cell_moments(fit, cells, n_draws=200):
    """Return mean and variance of a flight in every cell, shape (draws, cells)."""
    draws = fit["posterior"].to_dataset().stack(sample=("chain", "draw"), create_index=False)
    draws = draws.isel(sample=np.linspace(0, draws.sizes["sample"] - 1, n_draws).astype(int))
    mean, variance = draws["mu_baseline"], draws["sigma_baseline"] ** 2
    for j, layer in enumerate(cells.layers):
        label = xr.DataArray(np.array(cells.labels[layer])[cells.codes[:, j]], dims="cell")
        mean = mean + draws[f"mu_{layer}"].sel({layer: label}).drop_vars(layer)
        variance = variance + draws[f"sigma_{layer}"].sel({layer: label}).drop_vars(layer) ** 2
    return mean.transpose("sample", "cell").values, variance.transpose("sample", "cell").values


def cell_of_rows(frame, cells):
    """Return the position of each row's cell in `cells`."""
    place = cells.to_frame()[list(cells.layers)].assign(cell=range(len(cells)))
    both = frame[list(cells.layers)].astype(str).merge(place.astype(str), how="left", on=list(cells.layers))
    return both["cell"].astype(int).to_numpy()


mean, variance = cell_moments(idata, cells)
cell = cell_of_rows(flights, cells)
assert np.array_equal(np.bincount(cell, minlength=len(cells)), cells.n)

# %% [markdown]
# Simulate all flights twenty times, each time with another draw of the parameters.
# Compare what the likelihood does not look at: [skewness](../book/glossary.md) (0 for a symmetric distribution, positive with a long right tail) and extremes.
# To compare flights of different cells, divide each flight's surprise by its cell's standard deviation.
# That depends on the draw, so the column `flights` is an average over the twenty draws, and its counts need not be whole.

# %%
x = flights[total].to_numpy()


def summary(totals, k):
    z = (totals - mean[k][cell]) / np.sqrt(variance[k][cell])
    return {
        "skewness": stats.skew(z),
        "above +5 sd": (z > 5).sum(),
        "below -5 sd": (z < -5).sum(),
        "largest": totals.max(),
    }


draws = np.linspace(0, len(mean) - 1, 20).astype(int)
observed = pd.DataFrame([summary(x, k) for k in draws]).mean()
replicated = pd.DataFrame([summary(rng.normal(mean[k][cell], np.sqrt(variance[k])[cell]), k) for k in draws])
check = pd.DataFrame({"flights": observed, "least simulated": replicated.min(), "most simulated": replicated.max()})
assert observed["skewness"] > 1 > 10 * replicated["skewness"].abs().max()
check.round(2)

# %% mystnb={"image": {"alt": "Histogram of standardized surprises on a logarithmic axis with the normal density as a line. Both agree near the middle. The histogram is higher just left of zero, lower from about minus 2 to minus 4 and, beyond plus 3 standard deviations, far above the normal density, reaching to plus 11."}}
z = (x - mean.mean(axis=0)[cell]) / np.sqrt(variance.mean(axis=0)[cell])
grid = np.linspace(-6, 12, 400)
fig, ax = plt.subplots()
ax.hist(
    z,
    bins=np.arange(-6, 12, 0.2),
    density=True,
    color=mlm.COLORS["data"],
    edgecolor=mlm.COLORS["truth"],
    lw=0.3,
    label="flights",
)
ax.plot(grid, stats.norm.pdf(grid), color=mlm.COLORS["estimate"], lw=2, label="the model's normal")
ax.set(
    yscale="log", ylim=(1e-7, 1), xlabel="surprise, in standard deviations of the cell", ylabel="density (log scale)"
)
ax.legend()
plt.show()

# %% [markdown]
# No simulated data set comes near the flights' skewness, or near their number beyond +5 standard deviations.
# A plane can be sent into a holding pattern for hours, but it can hardly make up hours.
# Within a cell a sum of normals is symmetric, so no values of the parameters can mend this.
# Only a layer that names the cause of long delays could.
#
# ## Criticism, second part: the cells do not add up
#
# The model says that an airport shifts every month alike.
# If so, a cell's average lies within a few standard errors of the sum of its parts.
#
# **Predict first.**
# A *standardized residual* is what a cell's average misses, divided by its standard error.
# Over the 399 cells these have a standard deviation of about 1 if the model holds.
# What will you see?

# %%
standardized = (cells.mean - mean) / np.sqrt(variance / cells.n)  # for each draw and cell
discrepancy = (standardized**2).sum(axis=1)
simulated = rng.chisquare(len(cells), size=len(discrepancy))  # what cells simulated at these parameters would give
print(f"sum of squared standardized residuals: {discrepancy.mean():,.0f} observed, {simulated.mean():,.0f} simulated")
print(f"posterior predictive p-value: {np.mean(simulated >= discrepancy):.3f}")
assert discrepancy.min() > 5 * simulated.max()

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two panels. Left: standardized residuals of 399 cell means spread from about minus 20 to plus 14, much wider than the standard normal curve. Right: ratio of observed to predicted standard deviation against the number of flights in the cell; many cells lie outside the shaded 99 percent band, small ones from below 0.6 to about 1.5 and large ones by a tenth or two."}} tags=["hide-input"]
residual = standardized.mean(axis=0)
several = cells.n >= 10
ratio = np.sqrt(cells.sum_sq[several] / (cells.n[several] - 1) / variance.mean(axis=0)[several])
fig, axes = plt.subplots(1, 2, figsize=(10, 4))
axes[0].hist(
    residual,
    bins=np.arange(-22, 16, 0.5),
    density=True,
    color=mlm.COLORS["data"],
    edgecolor=mlm.COLORS["truth"],
    lw=0.3,
    label="cells",
)
grid = np.linspace(-22, 16, 600)
axes[0].plot(grid, stats.norm.pdf(grid), color=mlm.COLORS["estimate"], lw=2, label="if the model held")
axes[0].set(xlabel="residual of the cell's mean, in standard errors", ylabel="density")
axes[0].legend(loc="upper left")
n_grid = np.geomspace(10, cells.n.max(), 200)
lower, upper = (np.sqrt(stats.chi2.ppf(p, n_grid - 1) / (n_grid - 1)) for p in (0.005, 0.995))
axes[1].fill_between(n_grid, lower, upper, color=mlm.COLORS["data"], label="99% if the model held")
axes[1].plot(cells.n[several], ratio, "o", ms=4, color=mlm.COLORS["estimate"], label="cells")
axes[1].axhline(1, color=mlm.COLORS["truth"], lw=0.8)
axes[1].set(xscale="log", xlabel="flights in the cell", ylabel="observed sd / predicted sd")
axes[1].legend()
plt.show()

# %% [markdown]
# The posterior predictive p-value printed above is the share of simulated data sets that miss by at least as much as the flights do: none.
# The cells' means miss the sum of their parts by far more than chance allows, and so do their standard deviations.
# With hundreds of thousands of flights even a small error is found, so look at its size in minutes and for its pattern.

# %% mystnb={"image": {"alt": "Heat map of 3 airports by 12 months with the average residual in minutes in each square. Kennedy made up more than two minutes more than expected in January and lost more than two more in June and July; LaGuardia and Newark show the opposite in some months."}}
frame = cells.to_frame().assign(missing=cells.n * (cells.mean - mean.mean(axis=0)))
sums = frame.groupby(["origin", "month"], observed=True)[["missing", "n"]].sum()
sums["residual"] = sums["missing"] / sums["n"]
pattern = sums.pivot_table("residual", "origin", "month", observed=True).rename(index=airports)
fig, ax = plt.subplots(figsize=(9, 2.6))
sns.heatmap(pattern, annot=True, fmt="+.1f", cmap="vlag", center=0, ax=ax, cbar_kws={"label": "minutes"})
ax.set(xlabel="month", ylabel="", title="Average residual: what airport plus month do not explain")
ax.tick_params(axis="y", rotation=0)
ax.grid(False)
plt.show()

# %% [markdown]
# Kennedy is better than the sum of its parts in January and worse in June and July.
# Such a failure of adding up is an *interaction*: the effect of one layer depends on the contributor of another.
#
# ## Criticism, third part: flights are not independent
#
# The file lists each month's flights in order of time.
# The model treats every flight as a fresh draw.
# Then the surprises of flights that follow each other must be uncorrelated.

# %%
shuffled = rng.permutation(z)
lags = [1, 10, 100, 1000, 10_000]
lagged = pd.DataFrame(
    {
        "as in the file": [np.corrcoef(z[k:], z[:-k])[0, 1] for k in lags],
        "shuffled": [np.corrcoef(shuffled[k:], shuffled[:-k])[0, 1] for k in lags],
    },
    index=pd.Index(lags, name="flights apart"),
)
assert lagged.loc[1, "as in the file"] > 0.1 > 10 * lagged["shuffled"].abs().max()
lagged.round(3)

# %% [markdown]
# Neighbours share weather and crowded skies, and they are surprised together.
# So thousands of flights are worth fewer independent ones, and the intervals above are too narrow.
# They describe flights drawn one by one, not what another year would bring.
# A layer for the day would be the remedy.
# You would pool its 365 contributors, as in [13](13_partial_pooling.ipynb).
#
# ## What is a change worth?
#
# Two changes keep the cells and the speed.
# The first replaces origin and month by one layer for their combination, which allows any interaction of the two.
# The second adds a layer for the destination.
# Destinations with fewer than 4,000 flights share one label, to keep the run short.
#
# Compare models on flights that they have not seen: fit one half, and see what density the fit gives to each flight of the other half.
# Average this density over the posterior and take its logarithm.
# A higher [log predictive density](../book/glossary.md) is better.
# The halves are split within each combination of labels, so that no model meets an unknown contributor.

# %%
often = flights["dest"].map(flights["dest"].value_counts()).astype(int) >= 4000
data = flights.assign(
    origin_month=flights["origin"].astype(str) + " " + flights["month"].astype(str).str.zfill(2),
    dest=flights["dest"].astype(str).where(often, "elsewhere"),
).sample(frac=1, random_state=np.random.default_rng(SEED))
position = data.groupby([*layers, "dest"], observed=True).cumcount()
train, test = data[position % 2 == 0], data[position % 2 == 1]
print(f"{len(train):,} flights to fit, {len(test):,} to compare on, {data['dest'].nunique()} destinations")

# %%
designs = {
    "three layers": layers,
    "airport and month together": ["carrier", "origin_month"],
    "and destination": [*layers, "dest"],
}
fits, training = {}, {}
for name, names_of_layers in designs.items():
    training[name] = mlm.cell_statistics(train, total, names_of_layers)
    if name == "three layers":  # the cells are those of the first fit: only the data change
        model = compiled.with_cells(training[name])
    else:
        model = mlm.cell_model(training[name], mlm.Priors.from_cells(training[name], pooled=False))
    fits[name] = mlm.sample(model, seed=SEED + 2)
    found = mlm.check_convergence(fits[name])
    print(
        f"{name}: {len(training[name])} cells, R-hat {found['max_rhat']:.3f}, ESS {found['min_ess_bulk']:.0f}, {fits[name].attrs['sampling_seconds']:.0f} s"
    )

# %% [markdown]
# For each flight, average the density (not its logarithm) over draws, then take the logarithm.
# A model's *gain* is this logarithm minus that of the three layers, added up over 1,000 flights.
# A gain of 10 means that the density of a typical flight grows by 1 %.
# For the destination the cell also computes the gain of its spreads alone, with the means of the three layers.
# Beside the gain stands the size of the cells' misfit: the standard deviation of the standardized residuals of the cells of unseen flights, about 1 if the model holds.


# %%
def log_densities(fit, cells, rows):
    """Return log predictive density, mean and variance of every row."""
    mean, variance = cell_moments(fit, cells, n_draws=100)
    cell, x = cell_of_rows(rows, cells), rows[total].to_numpy()
    result = np.full(len(x), -np.inf)
    for m, v in zip(mean, variance, strict=True):
        result = np.logaddexp(result, stats.norm.logpdf(x, m[cell], np.sqrt(v)[cell]))
    return result - np.log(len(mean)), mean.mean(axis=0)[cell], variance.mean(axis=0)[cell]


log_density, misfit, moments = {}, {}, {}
by_cell = cell_of_rows(test, cells)
for name in designs:
    log_density[name], m, v = log_densities(fits[name], training[name], test)
    missing, allowed = (np.bincount(by_cell, w, minlength=len(cells)) for w in (test[total] - m, v))
    seen = allowed > 0
    misfit[name] = np.std(missing[seen] / np.sqrt(allowed[seen]))
    moments[name] = m, np.sqrt(v)

x_test, (m, sd) = test[total].to_numpy(), moments["three layers"]
both_gain = (log_density["and destination"] - log_density["three layers"]).mean()
only_spread = (stats.norm.logpdf(x_test, m, moments["and destination"][1]) - log_density["three layers"]).mean()
print(
    f"gain of the destination for 1,000 flights {1000 * both_gain:.1f}; with its spreads but the old means {1000 * only_spread:.1f}"
)
assert only_spread > both_gain / 2
for code in ["BOS", "LAX"]:
    print(
        f"flights to {code} have a standard deviation of {flights.loc[flights['dest'] == code, total].std():.1f} minutes"
    )

# %% [markdown]
# What would a better shape be worth?
# Measure it without a new model: standardize each flight by the first fit, then fit a Johnson distribution, a skewed and heavy-tailed relative of the normal, to the first half.

# %%
m_cells, v_cells = (values.mean(axis=0) for values in cell_moments(fits["three layers"], training["three layers"]))
by_training = cell_of_rows(train, training["three layers"])
z_train = (train[total].to_numpy() - m_cells[by_training]) / np.sqrt(v_cells[by_training])
shape = stats.johnsonsu.fit(z_train[::10])  # every tenth flight is plenty for four numbers
log_density["three layers, skewed shape"] = stats.johnsonsu.logpdf((x_test - m) / sd, *shape) - np.log(sd)

gain = pd.DataFrame({name: values - log_density["three layers"] for name, values in log_density.items()})
comparison = pd.DataFrame(
    {
        "gain for 1,000 flights": 1000 * gain.mean(),
        "standard error": 1000 * gain.std() / np.sqrt(len(gain)),
        "misfit of cells": pd.Series(misfit),
    }
)
for name in ["airport and month together", "and destination"]:
    assert comparison.loc[name, "gain for 1,000 flights"] > 5 * comparison.loc[name, "standard error"]
assert comparison["gain for 1,000 flights"].idxmax() == "three layers, skewed shape"
assert comparison["misfit of cells"].min() > 2
comparison.round(2)

# %% [markdown]
# The standard errors treat flights as independent, and both halves share days.
# So they are too small, and "unseen" means "another flight of the same days".
# The order is clear all the same.
# A layer for the destination is worth more than the interaction, and most of that comes from its spreads: long flights vary more than short ones.
# Neither brings the cells' misfit near 1.
# (The skewed shape keeps the means of the first fit, so its misfit is not computed again.)
# A shape with a right tail is worth more than both.
#
# Why not use it at once?
# The sum of skewed contributions has no simple density, and cells are sufficient for the normal only.
# A heavy-tailed model needs the rows again, hundreds of thousands of them, in every step of the sampler.
# For means the normal does well: a cell's average is near normal whatever the shape of its rows.
# For statements about single flights and for extremes, it does not.
#
# ## Who "loses" time depends on what else is in the model
#
# Some carriers serve a few cities only.
#
# **Predict first.**
# Whose means will change when the model knows the destination: those of carriers with many destinations, or with few?

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Means of 16 carriers with 89 percent intervals under two models, one with a layer for the destination and one without. AirTran moves left by more than two minutes, American and Virgin move right by more than one; the others move by less than one."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(8, 5.5))
order = (
    fits["three layers"]["posterior"]["mu_carrier"]
    .mean(["chain", "draw"])
    .to_series()
    .sort_values(ascending=False)
    .index
)
for shift, marker, role, name, label in [
    (-0.15, "o", "estimate", "three layers", "three layers"),
    (0.15, "s", "alternative", "and destination", "with destination"),
]:
    values = fits[name]["posterior"]["mu_carrier"].sel(carrier=list(order))
    lower, center, upper = values.quantile([0.055, 0.5, 0.945], dim=["chain", "draw"]).values
    rows = np.arange(len(order)) + shift
    ax.hlines(rows, lower, upper, color=mlm.COLORS[role])
    ax.plot(center, rows, marker, color=mlm.COLORS[role], label=label, fillstyle="full" if marker == "o" else "none")
ax.set_yticks(np.arange(len(order)), names[order])
ax.axvline(0, color=mlm.COLORS["truth"], lw=0.8)
ax.invert_yaxis()
ax.set(xlabel="mean of the carrier, in minutes", ylabel="carrier (flights)")
ax.legend()
plt.show()

# %%
before, after = (
    fits[name]["posterior"]["mu_carrier"].mean(["chain", "draw"]).to_series()
    for name in ["three layers", "and destination"]
)
routes = flights.groupby("carrier", observed=True)["dest"].agg(
    destinations="nunique",
    busiest=lambda d: d.value_counts().idxmax(),
    share=lambda d: d.value_counts(normalize=True).iloc[0],
)
routes["change of mean"] = after - before
most = routes.loc[counts[counts > 1000].index, "change of mean"].abs().idxmax()
print(
    f"of carriers with more than 1,000 flights {airlines[most]} changes most: {routes.loc[most, 'change of mean']:+.1f} minutes"
)
kennedy_honolulu = flights[(flights["origin"] == "JFK") & (flights["dest"] == "HNL")]["carrier"].unique()
print("from Kennedy to Honolulu fly:", ", ".join(airlines[list(kennedy_honolulu)]))
assert most == "FL"
routes.rename(index=airlines).sort_values("destinations").head(6).round(2)

# %% [markdown]
# AirTran flies mostly to Atlanta, and flights to Atlanta make up less time than most.
# Part of what looked like the carrier's belongs to the destination.
# But few destinations alone do not move a mean: Frontier flies to Denver only, and hardly moves.
# American and Virgin, with more destinations than AirTran, move by more than a minute the other way.
# Hawaiian hardly moves, since Honolulu is "elsewhere" in this model.
# A layer of its own for Honolulu would not settle the matter either.
# Nobody else flies there from Kennedy, so carrier and route always come together: they are *confounded*.
# The model could tell them apart only by assuming that effects add up, with the help of United's flights from Newark to Honolulu.
# And you have just seen that effects do not add up.
#
# A carrier's mean is a description: its flights lost so many minutes more than the average carrier's, at equal airport and month.
# It is no verdict on its pilots.
# Carriers fly different routes, at different hours, against timetables of their own making.
# A causal claim needs to say what would be changed, and what would be held fixed.
#
# ## Check yourself
#
# The quiz asks about ideas.
# The [exercises](exercises/15_exercises.ipynb) let you use them, from easy to hard, and tell you at once whether you are right.

# %%
mlm.quiz("15")

# %% [markdown]
# ## What to remember
#
# - Hundreds of thousands of rows become some hundred cells, and the exact model is sampled in seconds.
# - Means are identified, spreads of single layers are not: the split between baseline and layers is the prior's.
# - Say "so many minutes more than expected"; say "because of the carrier" only with the prior of the split in hand.
# - Fit, then criticize: shape of single rows, cells that do not add up, rows that are not independent.
# - Compare changes on data that the models have not seen, and in units that matter.
#
# ## Going further
#
# - A. Gelman, X.-L. Meng and H. Stern (1996), *Posterior predictive assessment of model fitness via realized discrepancies*, Statistica Sinica 6.
# - A. Vehtari, A. Gelman and J. Gabry (2017), *Practical Bayesian model evaluation using leave-one-out cross-validation and WAIC*, [doi:10.1007/s11222-016-9696-4](https://doi.org/10.1007/s11222-016-9696-4).
# - A. Gelman (2005), *Analysis of variance: why it is more important than ever*, [doi:10.1214/009053604000001048](https://doi.org/10.1214/009053604000001048).
# - M. A. Hernán and J. M. Robins (2020), *Causal Inference: What If*, Chapman & Hall/CRC.

# %%
print(mlm.version_line())
