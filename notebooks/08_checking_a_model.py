# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 08 Checking a model
#
# Maya flies from New York and changes planes on the way.
# She has 45 minutes between two gates.
# Her first flight may leave late, but that is another story: whenever it leaves, it can still lose 45 minutes on the way.
# Does that happen to one flight in 500, or to one in 50?
#
# A model answers such a question without hesitation, whether it fits the flights or not.
# [07](07_diagnostics.ipynb) asked the sampler for its health; nothing there asked whether the *model* is any good.
# Here you go once around the loop that analysts call the workflow: write a model, look at what it expects, fit it, look for what it gets wrong, improve it, compare.
# At the end you know what to tell Maya, and you can check it against 326,346 flights that no model has seen.
#
# **You will learn**
#
# 1. to check a prior and a posterior by the data that they predict, with a statistic that can fail;
# 2. to improve a model because of a check that failed;
# 3. to compare models by leave-one-out cross-validation, and to see when its shortcut breaks down;
# 4. to test intervals on simulated truth, and to say what such a test could have noticed;
# 5. to ask whether a conclusion comes from the prior or from the data.
#
# **You need** [02](02_a_first_fit.ipynb) for the model of the carriers, [07](07_diagnostics.ipynb) for convergence; for the parcels [05](05_centered.ipynb) and [06](06_noncentered.ipynb).
#
# **Time** 45 minutes to read, between one and two minutes to run.

# %%
import dataclasses
import logging
import warnings

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr
from arviz_stats.ecdf_utils import ecdf_pit
from scipy import optimize, stats

import mlm_tutorial as mlm

SEED = mlm.notebook_seed(208)
rng = np.random.default_rng(SEED)
mlm.use_style()
logging.getLogger("pymc").setLevel(logging.ERROR)  # no line for every variable that PyMC draws
logging.getLogger("arviz_stats.psense").setLevel(logging.ERROR)  # its table says the same
warnings.filterwarnings("ignore", message="Estimated shape parameter of Pareto")  # we count them ourselves

# %% [markdown]
# ## A thousand flights, and a model
#
# Of the year's flights you get 1,000, drawn at random.
# The minutes lost on the way are the delay at arrival minus the delay at departure; they are negative where a flight made up time.

# %%
flights = mlm.load_flights()
chosen = rng.permutation(len(flights))[:1000]
sample, rest = flights.iloc[chosen], flights.drop(flights.index[chosen])

lost = sample["minutes_lost"].to_numpy()
carrier = pd.Categorical(sample["carrier"].astype(str))
code = carrier.codes
coords = {"carrier": carrier.categories, "flight": np.arange(len(sample))}
print(f"{len(sample)} flights of {len(carrier.categories)} carriers lose {lost.mean():.1f} minutes on average,")
print(f"at least {lost.min():.0f}, at most {lost.max():.0f}; {np.sum(lost >= 45)} of them lose 45 or more")

# %% [markdown]
# Start with the model of 02: each carrier has a level, the levels are alike as far as the data say, and flights of a carrier are normal about its level.


# %%
def carrier_levels(scale=1):
    """Write the part that all models share; `scale` multiplies the scales of the priors."""
    mu = pm.Normal("mu", 0, 20 * scale)
    tau = pm.HalfNormal("tau", 10 * scale)
    level = pm.Normal("level", mu, tau, dims="carrier")
    return level[code]


with pm.Model(coords=coords) as normal_model:
    sigma = pm.HalfNormal("sigma", 30)
    pm.Normal("lost", carrier_levels(), sigma, observed=lost, dims="flight")

# %% [markdown]
# ## Prior predictive check: does the model know the size of things?
#
# **What it compares.** Draw parameters from the prior, then flights from the model, and lay them beside what you know about flights *before* looking at the data.
# You know, for instance, that a plane in the air does not lose or make up six hours.
#
# **Good** covers everything that is possible and little that is absurd; it need not resemble the data closely.
# **Bad** puts most of its weight on values that nobody would believe, or none where data can be.
# **What to do.** Change the prior's scales.
# For comparison, a prior a thousand times wider, of the kind that calls itself "uninformative".

# %%
with pm.Model(coords=coords) as wide_model:
    sigma = pm.HalfNormal("sigma", 30_000)
    pm.Normal("lost", carrier_levels(scale=1000), sigma, observed=lost, dims="flight")

predicted = {
    name: pm.sample_prior_predictive(
        200,
        model=model,
        random_seed=SEED,
        compile_kwargs={"mode": "FAST_COMPILE"},  # a faster compilation for slower draws
    )["prior_predictive"]["lost"].values.ravel()
    for name, model in {"the model's prior": normal_model, "a wide prior": wide_model}.items()
}
absurd = {name: np.mean(np.abs(values) > 360) for name, values in predicted.items()}
for name, share in absurd.items():
    print(f"{name}: {share:.1%} of flights lose or make up more than six hours")
assert absurd["the model's prior"] < 0.05 < 0.8 < absurd["a wide prior"]

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two panels with histograms of absolute minutes lost on a logarithmic axis: the 1,000 flights in grey, prior predictive flights as an outline, a line at six hours. Left, the model's prior: the outline overlaps the flights and reaches a few times further, short of the line. Right, the wide prior: almost all of the outline lies beyond the line, a thousand times further out than the flights."}} tags=["hide-input"]
_, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
bins = np.geomspace(0.5, 1e6, 60)
for ax, (name, values) in zip(axes, predicted.items(), strict=True):
    observed = np.abs(lost)
    ax.hist(observed, bins, weights=np.full(len(lost), 1 / len(lost)), color=mlm.COLORS["data"], label="the flights")
    weights = np.full(len(values), 1 / len(values))
    ax.hist(
        np.abs(values), bins, weights=weights, histtype="step", linewidth=2, color=mlm.COLORS["prior"], label="prior"
    )
    ax.axvline(360, color=mlm.COLORS["truth"], linewidth=1, linestyle="--", label="six hours")
    ax.set(xscale="log", title=name, xlabel="minutes lost or made up")
axes[0].set_ylabel("share of flights")
axes[1].legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# ## Fit, and ask the sampler first
#
# A check of the model is worth nothing if the draws do not represent its posterior, so the questions of 07 come first.

# %%
how = {"draws": 2000, "target_accept": 0.99}  # tau mixes slowly: many of the 16 carriers have few flights
fits = {"normal": mlm.sample(normal_model, seed=SEED, **how)}
mlm.check_convergence(fits["normal"])

# %% [markdown]
# ## Posterior predictive check: could the model have produced these flights?
#
# **What it compares.** For every posterior draw, simulate 1,000 new flights with the same carriers.
# Compute one statistic of the real flights and of each simulated set.
# **Good**: the real one looks like one of many. **Bad**: it lies outside.
# **What to do.** A statistic that fails says in which respect the model is wrong; change that part.
#
# Three statistics:
#
# - the standard deviation;
# - the share of flights that lose 45 minutes or more, which is Maya's question;
# - the *lean*: how many minutes further the 95 % quantile lies above the median than the 5 % quantile lies below.
#
# **Predict first.** Which of the three can a normal model fail, and which can it hardly fail, whatever the data are?


# %%
def lean(minutes):
    """Return how much further the upper tail reaches than the lower one, in minutes."""
    low, middle, high = np.quantile(minutes, [0.05, 0.5, 0.95], axis=-1)
    return (high - middle) - (middle - low)


statistics = {
    "standard deviation (minutes)": lambda minutes: minutes.std(axis=-1),
    "share that loses 45 minutes": lambda minutes: (minutes >= 45).mean(axis=-1),
    "lean (minutes)": lean,
}
predictions, simulated, scores = {}, {}, {}
quick = {"compile_kwargs": {"mode": "FAST_COMPILE"}}  # drawn once: compiling costs more than drawing


def check_predictions(name, model):
    """Simulate new flights from every fourth draw; compare them with the real ones."""
    thin = fits[name]["posterior"].to_dataset().isel(draw=slice(None, None, 4))
    drawn = pm.sample_posterior_predictive(thin, model=model, random_seed=SEED, progressbar=False, **quick)
    predictions[name] = drawn["posterior_predictive"].to_dataset()
    # Real minutes are whole numbers.
    simulated[name] = np.rint(predictions[name]["lost"].values.reshape(-1, len(lost)))
    scores[name] = {what: np.mean(of(simulated[name]) >= of(lost)) for what, of in statistics.items()}


check_predictions("normal", normal_model)
pd.DataFrame(scores).round(3)

# %% [markdown]
# The table has the share of simulated sets whose statistic is at least that of the real flights: the *posterior predictive p-value*.
# Near 0 or 1 the model does not produce such flights.
# (Between 0.01 and 0.99 you cannot tell: this check has 1,000 simulated sets, and data enter it twice, for the fit and for the comparison. It is made to find large faults.)


# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Three histograms of statistics of flights that the normal model simulates, each with a black line for the real flights. Standard deviation: the line lies in the middle of the histogram. Share that loses 45 minutes, and lean: the line lies to the right of the histogram."}} tags=["hide-input"]
def show_predictions(names):
    """Draw the statistics of simulated flights, one row for each model, with lines for the real flights."""
    _, axes = plt.subplots(len(names), 3, figsize=(10, 0.6 + 2.3 * len(names)), sharex="col", squeeze=False)
    for row, name in zip(axes, names, strict=True):
        for ax, of in zip(row, statistics.values(), strict=True):
            values = of(simulated[name])
            # A share of 1,000 flights comes in steps of a thousandth.
            bins = 30 if values.max() > 1 else np.arange(values.min() - 5e-4, values.max() + 1e-3, 1e-3)
            ax.hist(values, bins, histtype="stepfilled", color=mlm.COLORS["estimate"], label="simulated")
            ax.axvline(of(lost), color=mlm.COLORS["truth"], linewidth=2, label="real flights")
            ax.set_yticks([])
        row[0].set_ylabel(name)
    for ax, what in zip(axes[-1], statistics, strict=True):
        ax.set_xlabel(what)
    axes[0, 2].legend(loc="upper left", bbox_to_anchor=(1, 1))


show_predictions(["normal"])
plt.show()

assert 0.01 < scores["normal"]["standard deviation (minutes)"] < 0.99
assert scores["normal"]["lean (minutes)"] < 0.01

# %% [markdown]
# The standard deviation passes, because the model has a parameter that fits it; such a check can hardly fail.
# The lean fails: real flights lose much more easily than they make up, and a normal distribution is the same to both sides.
# And the model sends too few flights beyond 45 minutes, so it would comfort Maya too much.
# **Choose statistics that no parameter fits**, and that matter to your question.
#
# ## A better model, because of the check
#
# First idea: *heavier tails*. A Student t distribution has a parameter for them, its degrees of freedom.
# Second idea: *a wait*. Most of a flight is regular, and then it waits, for a runway or behind a storm.
# Sum a normal part and an exponential wait, and you have what is called an ex-Gaussian.
# It leans to the side of the wait.
# The average wait is a multiple of `sigma` here, and a tenth at least.
# (Below a twentieth PyMC takes the density of a plain normal instead, against rounding errors. The density jumps there, and where a prior let the wait reach that far, one chain in some thirty got stuck at the jump.)

# %%
with pm.Model(coords=coords) as t_model:
    sigma = pm.HalfNormal("sigma", 30)
    freedom = pm.Gamma("freedom", 2, 0.1)
    pm.StudentT("lost", nu=freedom, mu=carrier_levels(), sigma=sigma, observed=lost, dims="flight")

with pm.Model(coords=coords) as wait_model:
    sigma = pm.HalfNormal("sigma", 30)
    ratio = pm.TruncatedNormal("ratio", 1, 1, lower=0.1)
    wait = pm.Deterministic("wait", ratio * sigma)  # the average wait, in minutes
    pm.ExGaussian("lost", mu=carrier_levels(), sigma=sigma, nu=wait, observed=lost, dims="flight")

models = {"normal": normal_model, "Student t": t_model, "normal + wait": wait_model}
for name in ["Student t", "normal + wait"]:
    fits[name] = mlm.sample(models[name], seed=SEED, **how)
    mlm.check_convergence(fits[name])
    check_predictions(name, models[name])
pd.DataFrame(scores).round(3)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Six histograms of statistics of simulated flights, the upper row for the Student t model and the lower row for the normal model with a wait, with black lines for the real flights. Student t: the line of the lean lies to the right of the histogram. Normal with a wait: all three lines lie within the histograms."}} tags=["hide-input"]
show_predictions(["Student t", "normal + wait"])
plt.show()

assert scores["Student t"]["lean (minutes)"] < 0.01 < scores["normal + wait"]["lean (minutes)"]

# %% [markdown]
# Heavier tails are not enough: the Student t model is still the same to both sides.
# To reach far out on one side it must reach far out on the other, too.
# The model with a wait produces flights like the real ones in all three respects.
# (That does not prove that flights wait. It says that minutes lost have about the shape that such a wait would give them.)
#
# ## LOO: how well does a model predict a flight that it has not seen?
#
# **What it compares.** Leave one flight out, fit the others, and look up the log density of the flight left out; sum over all flights.
# The result estimates the expected log predictive density for new flights, ELPD: larger is better, and only differences between models *of the same data* mean something.
# Nobody fits 1,000 times: Pareto-smoothed importance sampling, PSIS, reweights the draws of a single fit (Vehtari, Gelman and Gabry 2017).
# A draw counts less, the better it predicts the flight that is left out.
#
# If a few draws carry most of the weight, the result cannot be trusted.
# The weights' Pareto k is large in that case. **Good** is below 0.7 for every row (Vehtari and others 2024).
# **Bad** is above: that row changes the posterior too much to be taken away by weights.
# **What to do.** Integrate out what belongs to a single row; refit without the few rows concerned; or use K-fold cross-validation, which fits ten times without a tenth of the rows.

# %%
loo = {}
for name, model in models.items():
    pm.compute_log_likelihood(fits[name], model=model, progressbar=False)
    loo[name] = az.loo(fits[name], pointwise=True)
largest_k = {name: float(one.pareto_k.max()) for name, one in loo.items()}
print("largest k:", {name: round(k, 2) for name, k in largest_k.items()})
az.compare(loo, round_to=1)[["rank", "elpd", "p", "elpd_diff", "dse"]]

# %% [markdown]
# `elpd_diff` is the difference to the best model, and `dse` its standard error.
# (`p` is the effective number of parameters: how much better a model predicts the flights that it has seen.)
# The error of the difference is smaller than the errors of the two ELPD: a flight that is hard to predict is hard for both models, so the comparison is made flight by flight.
# A difference of several errors is a clear answer.
# A difference below about 4, or below two errors, is none, and then you keep the model that you understand better.
# (Below 4 the error itself cannot be trusted: Sivula and others 2020.)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
gain = loo["normal + wait"].elpd_i.values - loo["normal"].elpd_i.values
print(f"normal + wait against normal: {gain.sum():.0f}, standard error {np.sqrt(len(gain)) * gain.std():.0f}")
assert gain.sum() > 1.5 * np.sqrt(len(gain)) * gain.std()
assert all(np.mean(one.pareto_k.values > 0.7) < 0.01 for one in loo.values())

# %% [markdown]
# ## LOO-PIT: are its predictions as sure as they should be?
#
# **What it compares.** The probability integral transform, PIT, of a flight is the probability that the model gave to fewer minutes than it lost.
# Leave the flight out first, so that it does not predict itself.
# If predictions are calibrated, these values are uniform.
# **Good** stays within the band, a simultaneous one as in 07 (Säilynoja, Bürkner and Vehtari 2022). **Bad** leaves it.
# A curve above zero all along has too many low values: predictions are too high. Below all along, they are too low.
# A curve first above and then below zero means predictions that are too narrow; first below and then above, too wide.
# **What to do.** Change the family or the spread; the shape says which.

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two panels with the cumulative distribution of LOO-PIT values minus the uniform one, and a grey band. Left, the normal model: the curve leaves the band. Right, the normal model with a wait: the curve stays near zero, within the band."}} tags=["hide-input"]
_, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
pit = {}
for ax, name in zip(axes, ["normal", "normal + wait"], strict=True):
    groups = {group: fits[name][group].to_dataset() for group in ("posterior", "log_likelihood")}
    groups = {group: values.isel(draw=slice(None, None, 4)) for group, values in groups.items()}
    groups["posterior_predictive"] = predictions[name]
    groups["observed_data"] = fits[name]["observed_data"].to_dataset()
    tree = xr.DataTree.from_dict(groups)
    pit[name] = az.loo_pit(tree)["lost"].values
    x, ecdf, lower, upper = ecdf_pit(pit[name], 0.99, n_simulations=1000)
    ax.fill_between(x, lower - x, upper - x, step="post", color=mlm.COLORS["data"], label="99 % band")
    ax.step(x, ecdf - x, where="post", color=mlm.COLORS["estimate"], label="LOO-PIT")
    ax.axhline(0, color=mlm.COLORS["truth"], linewidth=0.8)
    ax.set(title=name, xlabel="LOO-PIT of a flight")
axes[0].set_ylabel("share below, minus uniform")
axes[1].legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

p_value = {name: stats.kstest(values, "uniform").pvalue for name, values in pit.items()}
print("Kolmogorov-Smirnov:", ", ".join(f"{name} p = {p:.2g}" for name, p in p_value.items()))
assert p_value["normal"] < 0.05
assert p_value["normal + wait"] > 1e-3

# %% [markdown]
# The normal model leaves the band: it expects more flights to be far on the early side than there are, and fewer near the middle. That is the lean again.
# `az.plot_loo_pit` draws such a curve; instead of a band it marks the points that contribute most to a deviation.
#
# ## What to tell Maya
#
# **Predict first.** The normal model has the right mean and the right standard deviation.
# By what factor is its answer to Maya wrong: hardly, by two, by ten?

# %%
truth = np.mean(rest["minutes_lost"] >= 45)
answer = {name: np.mean(minutes >= 45) for name, minutes in simulated.items()}
for name, share in answer.items():
    print(f"{name:14} loses 45 minutes: one flight in {1 / share:.0f}")
print(f"the other {len(rest):,} flights of the year: one in {1 / truth:.0f}")

draws = fits["normal + wait"]["posterior"].to_dataset().isel(draw=slice(None, None, 4))
level, spread, wait = (draws[name].values for name in ("level", "sigma", "wait"))
spread, wait = spread[..., None], wait[..., None]  # one for all carriers
share = stats.exponnorm.sf(45, wait / spread, level, spread) @ (np.bincount(code) / len(code))
low, high = np.quantile(share, [0.055, 0.945])
print(f"normal + wait, 89 % interval: one flight in {1 / high:.0f} to one in {1 / low:.0f}")

# %% [markdown]
# How much of that nearness is luck?
# Fit the same curve, without carriers, to the rest of the year: that is the best that it can do.

# %%
minutes, how_many = np.unique(rest["minutes_lost"], return_counts=True)


def misfit(parameters):
    """Return minus the average log density of the rest of the year."""
    center, log_spread, log_wait = parameters
    density = stats.exponnorm.logpdf(minutes, np.exp(log_wait - log_spread), center, np.exp(log_spread))
    return -np.average(density, weights=how_many)


best = optimize.minimize(misfit, [lost.mean(), np.log(lost.std()), np.log(lost.std())], method="Nelder-Mead").x
of_year = stats.exponnorm.sf(45, np.exp(best[2] - best[1]), best[0], np.exp(best[1]))
on_time = rest.loc[rest["dep_delay"].abs() <= 5, "minutes_lost"]
print(f"the same curve fitted to the rest of the year: one in {1 / of_year:.0f}")
print(f"flights of the year that left within five minutes of schedule: one in {1 / np.mean(on_time >= 45):.0f}")

# %% jupyter={"source_hidden": true} tags=["hide-input"]
off = {name: abs(np.log(share / truth)) for name, share in answer.items()}
assert off["normal + wait"] < off["normal"]
assert off["normal"] > np.log(1.5)
assert 1.2 < truth / of_year < 1.6

# %% [markdown]
# The normal model comforts Maya with odds that are several times too good, although it converged and its mean and standard deviation are right.
# The check that failed was about her question, and the model that was improved because of it comes much nearer.
# A thousand flights leave its answer uncertain by the interval printed.
# The last printout shows what they cannot.
# Given the whole year, the same curve is still too kind, because its tail is too light; how near this sample came to the year is partly luck.
# Flights that left on time are another group with another answer.
# That is the next turn of the loop.
# [15](15_flights.ipynb) asks who loses the time, and there the answer for one carrier differs from that for another.
#
# ## When the shortcut breaks down: a latent for every row
#
# In 07 two models of 500 parcels had the same posterior: the *centered* one, in which every contribution is an unknown, and the *marginal* one, from which they are integrated out.
# Which of them predicts a new parcel better?
#
# Neither can.
# The contributions of a parcel belong to this parcel alone.
# Leave the parcel out, and what is left to say about its contributions is what the parameters say, and that is what the marginal model averages over.
# Exact leave-one-out is the *same number* for both.
#
# Now let PSIS estimate it for both.
# So that nothing can be blamed on a sampler, draw the contributions exactly: take the parameters from a converged run of the marginal model, and each parcel's contributions from their distribution given these parameters and the parcel's total, which is normal.
# Center and driver enter through their sum only.

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
rows = parcels.simulate(500, rng=rng)
cells = mlm.cell_statistics(rows, layers=layers)
priors = mlm.Priors.from_cells(cells, pooled=False)
compiled = mlm.compile_model(mlm.cell_model(cells, priors))
marginal = mlm.sample(compiled, seed=SEED)
mlm.check_convergence(marginal)

# %%
posterior = marginal["posterior"].to_dataset()
total = xr.DataArray(rows["total"].to_numpy(), dims="parcel")
mean, own_variance = 0, 0  # of the sum of the parcel's contributions, given the parameters
for layer in layers:
    of_row = {layer: xr.DataArray(rows[layer].astype(str).to_numpy(), dims="parcel")}
    mean = mean + posterior[f"mu_{layer}"].sel(of_row).drop_vars(layer)
    own_variance = own_variance + posterior[f"sigma_{layer}"].sel(of_row).drop_vars(layer) ** 2
road_variance = posterior["sigma_baseline"] ** 2
share = own_variance / (own_variance + road_variance)  # the contributions' share of the variance

residual = total - posterior["mu_baseline"] - mean
noise = xr.DataArray(rng.normal(size=residual.shape), dims=residual.dims)
contributions = mean + share * residual + np.sqrt(share * road_variance) * noise


def elpd_of(expected, variance):
    """Return PSIS-LOO for totals that are normal given the draws."""
    density = stats.norm.logpdf(total, expected.transpose("chain", "draw", "parcel"), np.sqrt(variance))
    density = xr.Dataset({"total": (("chain", "draw", "parcel"), density)})
    return az.loo(xr.DataTree.from_dict({"posterior": posterior, "log_likelihood": density}), pointwise=True)


total_variance = (own_variance + road_variance).transpose("chain", "draw", "parcel")
road = road_variance.expand_dims(parcel=len(rows)).transpose("chain", "draw", "parcel")
by_psis = {
    "marginal": elpd_of(posterior["mu_baseline"] + mean, total_variance),
    "conditional on contributions": elpd_of(posterior["mu_baseline"] + contributions, road),
}
k = {name: one.pareto_k.values for name, one in by_psis.items()}
pd.DataFrame(
    {
        name: {"ELPD by PSIS": one.elpd, "standard error": one.se, "rows with k > 0.7": np.sum(k[name] > 0.7)}
        for name, one in by_psis.items()
    }
).T.round(1)

# %% [markdown]
# The same quantity, the same posterior, exact draws, and two numbers.
# The first is right. The second is a failed estimate, and the last column says so: in many rows k is above 0.7.
# Read as a model comparison, the two lines would say that the conditional model predicts better, and they would be wrong.
#
# Why it fails can be computed.
# Given the parameters, what is left of a parcel's total has a variance smaller than the road's by the factor `share`, the contributions' part of the variance.
# The weight of a draw is one over the density of the total, which grows like $\exp(r^2 / 2\sigma_0^2)$ with what is left, $r$.
# So weights above a large $t$ have a probability of about $t^{-1/\text{share}}$, and that is a Pareto tail with $k = \text{share}$.
#
# Two things raise the estimates of k above the share.
# The share differs from draw to draw, and the draws in which the road varies least have the largest one and rule the tail.
# And for a parcel far from what its center and driver lead you to expect, $r$ is far from zero on average; the weights' tail falls like $t^{-1/\text{share}}$ only farther out than any run goes.
# So sampling longer does not bring k down.
# (The k in the figure are estimated from the largest weights of 4,000 draws, with an error of about a tenth. Hence the points below the line.)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Pareto k of the 500 parcels against the share of the variance that their own contributions have, in groups of the same share. The k of the conditional likelihood scatter about and above a rising line, k equal to the average share, and many pass a dashed line at 0.7; those of the marginal likelihood lie near zero."}} tags=["hide-input"]
_, ax = plt.subplots(figsize=(7.5, 4.2))
x = share.mean(["chain", "draw"]).values
ax.plot(x, k["conditional on contributions"], ".", color=mlm.COLORS["alternative"], label="conditional")
ax.plot(x, k["marginal"], ".", color=mlm.COLORS["estimate"], label="marginal")
ax.plot([x.min(), x.max()], [x.min(), x.max()], color=mlm.COLORS["truth"], label="k = average share")
ax.axhline(0.7, color=mlm.COLORS["truth"], linestyle="--", linewidth=1, label="limit 0.7")
ax.set(xlabel="contributions' share of the variance of a total, posterior mean", ylabel="Pareto k of the row")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

assert np.mean(k["marginal"] > 0.7) < 0.01 < 0.1 < np.mean(k["conditional on contributions"] > 0.7)
assert by_psis["conditional on contributions"].elpd > by_psis["marginal"].elpd + 10

# %% [markdown]
# **What to do.** Integrate out what belongs to a single row before you use PSIS.
#
# Latents that *many rows share* are another matter.
# The level of a carrier stays known when one of its flights is left out, and becomes unknown when the carrier is.
# Those are two questions, a new flight of a known carrier and a flight of a new carrier, with two right answers (Merkle, Furr and Rabe-Hesketh 2019).
#
# ## Recovery and coverage: does an interval keep its promise?
#
# **What it compares.** The only truth that you ever know is one that you made yourself.
# Simulate from known parameters, fit, and count how often an 89 % interval contains the truth.
# One data set tells little, as a right interval misses 11 times in 100; so do it 60 times.
# **Good** is a count that a binomial distribution with 89 % explains. **Bad** is any other.
# **What to do.** Below: suspect code, model, prior or sampler, in this order. If all are right, the data do not know this parameter.
#
# Before you run it, ask what such a study could notice.
# Let the alarm ring wrongly once in 10,000 studies, for any of eight parameters.


# %%
def limits(replicates, false_alarm=1e-4 / 8):
    """Return the counts between which an interval that covers 89 % nearly always stays."""
    return stats.binom.ppf([false_alarm / 2, 1 - false_alarm / 2], replicates, 0.89)


def power(replicates, coverage):
    """Return the probability that the alarm rings if an interval covers the truth this often."""
    lower, upper = limits(replicates)
    return stats.binom.cdf(lower - 1, replicates, coverage) + stats.binom.sf(upper, replicates, coverage)


for replicates in (60, 240, 960):
    print(f"{replicates} replicates, true coverage 75 %: an alarm in {power(replicates, 0.75):.0%} of studies")

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Probability of an alarm against the true coverage, a curve each for 60, 240 and 960 replicates. All curves are near one for low coverage and fall to zero towards 89 percent; the curve for 60 replicates falls between 50 and 80 percent, that for 960 just below 89 percent."}} tags=["hide-input"]
_, ax = plt.subplots(figsize=(7.5, 3.6))
coverage = np.linspace(0.4, 1, 300)
for replicates, style in ((60, "-"), (240, "--"), (960, ":")):
    ax.plot(
        100 * coverage,
        power(replicates, coverage),
        style,
        color=mlm.COLORS["estimate"],
        label=f"{replicates} replicates",
    )
ax.axvline(89, color=mlm.COLORS["truth"], linewidth=1, label="promise")
ax.set(xlabel="true coverage (%)", ylabel="probability of an alarm")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# Sixty replicates find an interval that is hopeless, and let one pass that covers 75 % nine times in ten.
# They also cannot see intervals that are too wide.
# With a thousand, which take minutes, 82 % stands out.
# So with sixty you may say "not grossly wrong", parameter by parameter, and no more.
# Taken *together*, the intervals of the eight means say more, because there are eight times as many.


# %%
def covered_by(compiled, seed):
    """Fit a new data set; return whether each interval contains the truth, and the number of repeated runs."""
    new = mlm.cell_statistics(parcels.simulate(500, rng=np.random.default_rng(seed)), layers=layers)
    for repeated, draws in enumerate((1000, 4000, 16000)):  # a run that misses the limits of 07 is repeated, longer
        idata = mlm.sample(compiled.with_cells(new), seed=int(seed), draws=draws, tune=300, chains=2)
        try:
            mlm.check_convergence(idata)
        except mlm.ConvergenceError:
            continue
        return mlm.recovery(idata, parcels)["covered"].rename(seed), repeated
    raise AssertionError("a replicate does not converge")


replicates = 60
coverage_seeds = rng.integers(2**31, size=replicates)
covered, repeated = zip(*[covered_by(compiled, seed) for seed in coverage_seeds], strict=True)
covered = pd.concat(covered, axis="columns").T
count = covered.sum()
print(f"{replicates} data sets, every fit within the limits of 07, after {sum(repeated)} longer runs")

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Dot plot of how often each parameter's interval contained the truth in 60 replicates, with a grey band of what chance allows. The means lie in the band. The standard deviation of the baseline, the road, lies far to the left of it."}} tags=["hide-input"]
of_means = count.index.str.startswith("mu")
lower, upper = limits(replicates)
_, ax = plt.subplots(figsize=(8, 4.8))
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

together = covered.loc[:, of_means].mean(axis=1)  # of each replicate; its eight means depend on each other
error = together.std(ddof=1) / np.sqrt(replicates)
print(f"the eight means together are covered {together.mean():.1%} of the time, standard error {error:.1%}")
print("the alarm rings at four such errors from 89 %,", end=" ")
print(f"nine times in ten if the true coverage is {0.89 - 5.3 * error:.0%} or less")
assert count[of_means].between(lower, upper).all(), count
assert abs(together.mean() - 0.89) < 4 * error
assert count["sigma_baseline"] < lower

# %% [markdown]
# The means are covered as promised, as far as this study can tell.
# The spread of the road is not, although every single fit passed the limits of 07, and although the model is the one that made the data.
# Most other standard deviations fall short, too.
# This is what 07 ended with.
#
# Look at the prior.
# The default takes its scales from the totals, which uses a little of the data twice, and splits them equally.
# The variances of road, center and driver have the same prior mean, each a third of what the residuals vary by.
# In the truth the road has nearly everything.
# The data know the sum of the three very well and its split hardly at all, so the prior's equal split decides.
# That is a claim about a cause, so test it: change the split of the prior to that of the truth, and nothing else.

# %%
prior_of_sigma = stats.weibull_min(2, scale=priors.sigma_scale)
true_spread = parcels["baseline"].sigma[0]
print(f"true spread of the road: {true_spread:.0f} minutes")
print(f"prior probability of less: {prior_of_sigma.cdf(true_spread):.0%}")

split = dataclasses.replace(priors, sigma_scale={"baseline": 5, "center": 1, "driver": 1})
compiled_split = compiled.with_priors(split)  # other numbers in the same compiled model
now = [covered_by(compiled_split, seed)[0] for seed in coverage_seeds[:16]]  # the same data sets
now = pd.concat(now, axis="columns").T
spreads = [name for name in now if name.startswith("sigma")]
for what, part in (("equal", covered.iloc[:16]), ("true", now)):
    print(f"{what} split: the road's spread is covered in {part['sigma_baseline'].sum()} of 16 data sets,", end=" ")
    print(f"the other spreads in {part[spreads[1:]].mean(axis=None):.0%}")
assert now["sigma_baseline"].sum() > 8 > covered["sigma_baseline"].iloc[:16].sum()

# %% [markdown]
# Only the prior's split was changed, and the spreads are covered.
# So a scale may be generous for a *mean*, and decisive for a *spread* that the data do not split.
# (In a real problem nobody hands you the true split. What you can do about that is the subject of 10.)
# [10](10_what_the_data_cannot_say.ipynb) counts what data cannot split.
#
# (Strictly, Bayesian intervals keep the 89 % on average over truths drawn *from the prior*; 10 tests that. At a single truth it holds nearly, wherever data outweigh the prior.)
#
# ## Power-scaling: is it the data that speak, or the prior?
#
# Real parcels come without the truth. Yet there is a way to ask.
#
# **What it compares.** Raise the prior's density to a power slightly above and below 1, which makes it slightly stronger and weaker, and see how far each posterior moves; then do the same to the likelihood (Kallioinen and others 2024).
# Importance weights do it without a new fit.
# **Good** is a prior sensitivity below 0.05 with a likelihood sensitivity above: the data speak.
# **Bad** is a prior sensitivity above 0.05.
# If the likelihood's is small, the prior decides ("potential strong prior / weak likelihood"); if both are large, they may pull in different directions ("potential prior-data conflict").
# Where both are small the data say little, too; ArviZ puts its ✓ there as well, so read both columns.
# **What to do.** Say so; justify the prior by knowledge of the matter, or report a quantity that is not sensitive.
#
# `az.psense_summary` needs the log likelihood and the log prior of every draw.

# %%
log_prior = stats.norm.logpdf(posterior["mu_baseline"], priors.baseline_mu, priors.baseline_mu_sd)
log_prior = log_prior + prior_of_sigma.logpdf(posterior["sigma_baseline"])
for layer in layers:
    # That the means sum to zero changes the density by a constant, and constants do not matter here.
    log_prior = log_prior + stats.norm.logpdf(posterior[f"mu_{layer}"], 0, priors.mu_sd).sum(axis=-1)
    log_prior = log_prior + prior_of_sigma.logpdf(posterior[f"sigma_{layer}"]).sum(axis=-1)
densities = {
    "log_prior": (("chain", "draw"), log_prior),
    "log_likelihood": (
        ("chain", "draw", "parcel"),
        stats.norm.logpdf(
            total, (posterior["mu_baseline"] + mean).transpose("chain", "draw", "parcel"), np.sqrt(total_variance)
        ),
    ),
}
tree = xr.DataTree.from_dict(
    {"posterior": posterior} | {group: xr.Dataset({"total": values}) for group, values in densities.items()}
)
names = ["mu_baseline", "mu_center", "mu_driver", "sigma_baseline", "sigma_center", "sigma_driver"]
sensitivity = az.psense_summary(tree, var_names=names)
sensitivity

# %% jupyter={"source_hidden": true} tags=["hide-input"]
mean_rows = sensitivity.index.str.startswith("mu")
assert (sensitivity.loc[mean_rows, "prior"].astype(float) < 0.05).all()
assert (sensitivity.loc[mean_rows, "likelihood"].astype(float) > 0.05).all()
assert float(sensitivity.loc["sigma_baseline", "prior"]) > 0.05

# %% [markdown]
# The means follow the data; `sigma_baseline` is sensitive to the prior, and the other standard deviations lie near the limit, on either side of it.
# From one fit, without the truth, the check names the parameter that the simulation study found worst.
# It does not name all that the study found: some standard deviations with a ✓ had intervals that missed too often. The limit of 0.05 is a convention, not a border.
# Nora, who sent a number in 07, should send this table with it.
#
# ## Check yourself
#
# The quiz asks about ideas.
# The [exercises](exercises/08_exercises.ipynb) let you use them, from easy to hard, and tell you at once whether you are right.

# %%
mlm.quiz("08")

# %% [markdown]
# ## What to remember
#
# - Ask the sampler first (07), then the model (predictive checks, LOO-PIT), then the question (coverage, sensitivity). A pass in one says nothing about the next.
# - Check statistics that no parameter fits, and that matter to your question. A check that fails says what to improve.
# - Compare models row by row: the difference of ELPD and its error. No answer is an answer.
# - PSIS needs k below 0.7. Integrate out what belongs to a single row: exact leave-one-out is the same, the estimate is not.
# - A study of coverage that finds nothing has said only what it could have found. Compute that before.
# - A converged fit of the true model can miss the truth where the prior decides. Power-scaling can tell.
#
# ## Going further
#
# - Gelman, A., Vehtari, A., Simpson, D. and others (2020). Bayesian workflow. [arXiv:2011.01808](https://arxiv.org/abs/2011.01808)
# - Vehtari, A., Gelman, A. and Gabry, J. (2017). Practical Bayesian model evaluation using leave-one-out cross-validation and WAIC. *Statistics and Computing* 27(5), 1413-1432. [doi:10.1007/s11222-016-9696-4](https://doi.org/10.1007/s11222-016-9696-4)
# - Sivula, T., Magnusson, M., Matamoros, A. A. and Vehtari, A. (2020). Uncertainty in Bayesian leave-one-out cross-validation based model comparison. [arXiv:2008.10296](https://arxiv.org/abs/2008.10296)
# - Vehtari, A., Simpson, D., Gelman, A., Yao, Y. and Gabry, J. (2024). Pareto smoothed importance sampling. *Journal of Machine Learning Research* 25(72), 1-58. [jmlr.org/papers/v25/19-556](https://jmlr.org/papers/v25/19-556.html)
# - Säilynoja, T., Bürkner, P.-C. and Vehtari, A. (2022). Graphical test for discrete uniformity and its applications in goodness-of-fit evaluation and multiple sample comparison. *Statistics and Computing* 32, 32. [doi:10.1007/s11222-022-10090-6](https://doi.org/10.1007/s11222-022-10090-6)
# - Merkle, E. C., Furr, D. and Rabe-Hesketh, S. (2019). Bayesian comparison of latent variable models: conditional versus marginal likelihoods. *Psychometrika* 84(3), 802-829. [doi:10.1007/s11336-019-09679-0](https://doi.org/10.1007/s11336-019-09679-0)
# - Kallioinen, N., Paananen, T., Bürkner, P.-C. and Vehtari, A. (2024). Detecting and diagnosing prior and likelihood sensitivity with power-scaling. *Statistics and Computing* 34, 57. [doi:10.1007/s11222-023-10366-5](https://doi.org/10.1007/s11222-023-10366-5)

# %%
print(mlm.version_line())
