# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 04 Non-centered
#
# The centered model of [03](03_centered.ipynb) was right, and the sampler could not walk through it.
# A model is a distribution, and a distribution can be written in many coordinates.
# The *non-centered* form draws a standard normal for each contribution, then shifts and stretches it.
# It is the same model, and the sampler meets a different landscape.
# It is no cure for everything: you also see where it falls short, and where the centered form beats it.
#
# **You will learn**
#
# 1. to write a centered model in its non-centered form;
# 2. to prove in code that two forms are one model;
# 3. to compare samplers fairly, by effective draws per gradient and per second;
# 4. to choose between the forms by how much the data say about each contributor;
# 5. to see when neither form helps.
#
# **You need** [02](02_custom_distribution.ipynb) for `StandardNormal`, and [03](03_centered.ipynb) for the centered model, R-hat and ESS.
#
# **Time** 30 minutes to read, between one and two minutes to run.

# %%
import arviz as az
import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm
from scipy import stats

import mlm_tutorial as mlm

SEED = mlm.notebook_seed(345)
rng = np.random.default_rng(SEED)
mlm.use_style()

# %% [markdown]
# ## One model, written twice
#
# Data and priors are those of 03: 500 totals of `cc_27`, and priors of fixed scales.
# The centered model comes from the package.

# %%
layers = ["layer_1", "layer_2"]
rows = mlm.PRESETS["cc_27"].simulate(500, rng=SEED)
priors = mlm.Priors.from_cells(mlm.cell_statistics(rows, layers=layers), pooled=False)
centered_model = mlm.observation_model(rows, layers=layers, parametrization="centered", priors=priors)

# %% [markdown]
# A normal variable with mean $\mu$ and standard deviation $\sigma$ is a standard normal one, stretched by $\sigma$ and shifted by $\mu$:
#
# $$y \sim \text{Normal}(\mu, \sigma) \qquad\Longleftrightarrow\qquad y = \mu + \sigma z, \quad z \sim \text{Normal}(0, 1).$$
#
# So one line of the model changes.
# The contribution $y$ is no longer sampled, it is computed from $z$.

# %%
coords = {name: rows[name].cat.categories for name in layers} | {"observation": rows.index}
with pm.Model(coords=coords) as noncentered_model:
    mu_baseline = pm.Normal("mu_baseline", priors.baseline_mu, priors.baseline_mu_sd)
    sigma_baseline = pm.Weibull("sigma_baseline", 2, priors.sigma_scale)
    expected = mu_baseline
    for name in layers:
        k = rows[name].cat.codes.to_numpy()
        mu = pm.ZeroSumNormal(f"mu_{name}", sigma=priors.mu_sd, dims=name)
        sigma = pm.Weibull(f"sigma_{name}", 2, priors.sigma_scale, dims=name)
        z = mlm.StandardNormal(f"z_{name}", dims="observation")
        y = pm.Deterministic(
            f"y_{name}", mu[k] + sigma[k] * z, dims="observation"
        )  # was pm.Normal(..., mu[k], sigma[k])
        expected = expected + y
    pm.Normal("total", expected, sigma_baseline, observed=rows["total"], dims="observation")

# %% [markdown]
# ## Proof that they are one model
#
# Two forms are one model if their densities agree wherever you look.
# A density changes when its variable is stretched.
# If $y = \mu + \sigma z$, then a small interval of $z$ becomes one of $y$ that is $\sigma$ times as long, and the same probability lies in it:
#
# $$p(z) = p(y)\, \sigma, \qquad\text{so}\qquad \log p_\text{noncentered} = \log p_\text{centered} + \sum_i \sum_j \log \sigma_{j, k_j(i)}.$$
#
# Here $k_j(i)$ is the contributor of layer $j$ in observation $i$, so the sum has one term for each contribution.
# The sum is the log of the *Jacobian*, the factor by which volume is stretched.
# Draw random points, translate them, and compare.

# %%
log_density = {"centered": centered_model.compile_logp(), "noncentered": noncentered_model.compile_logp()}
translated = noncentered_model.replace_rvs_by_values(
    [noncentered_model[f"{kind}_{name}"] for kind in ("y", "sigma") for name in layers]
)
translate = noncentered_model.compile_fn(translated, inputs=noncentered_model.value_vars, on_unused_input="ignore")

start = noncentered_model.initial_point()
for _ in range(3):
    point = {name: value + 0.5 * rng.normal(size=np.shape(value)) for name, value in start.items()}
    y_1, y_2, sigma_1, sigma_2 = translate(point)
    log_jacobian = sum(
        np.log(sigma[rows[name].cat.codes]).sum() for name, sigma in zip(layers, (sigma_1, sigma_2), strict=True)
    )
    same = {name: value for name, value in point.items() if not name.startswith("z_")}
    left = log_density["noncentered"](point)
    right = log_density["centered"](same | {"y_layer_1": y_1, "y_layer_2": y_2})
    print(
        f"noncentered {left:.6f}   centered {right:.6f} + log Jacobian {log_jacobian:.6f} = {right + log_jacobian:.6f}"
    )
    assert np.isclose(left, right + log_jacobian, rtol=1e-9)

# %% [markdown]
# The densities agree to rounding.
# The priors of the contributions agree as well, and draws of one contribution show it for mean and standard deviation.
# The exact standard deviation follows from adding two variances.
# One is that of the contributor's mean, $s^2 (1 - 1/m)$ as in 03, with $m = 3$ contributors and $s$ the `mu_sd` of the priors.
# The other is that of a draw around this mean, $E[\sigma^2]$, which for a Weibull prior of shape 2 is the square of its scale.

# %%
n_draws = 10_000
exact = np.sqrt(priors.mu_sd**2 * (1 - 1 / 3) + priors.sigma_scale**2)
for form, model in {"centered": centered_model, "noncentered": noncentered_model}.items():
    draws = pm.draw(model["y_layer_1"], draws=n_draws, random_seed=rng)[:, 0]
    print(f"{form:12} prior mean {draws.mean():6.3f} (exact 0), prior sd {draws.std():.3f} (exact {exact:.3f})")
    # Five Monte Carlo standard errors; the kurtosis of this mixture is below 4.
    assert abs(draws.mean()) < 5 * exact / np.sqrt(n_draws)
    assert abs(draws.std() / exact - 1) < 5 * np.sqrt(3 / (4 * n_draws))

# %% [markdown]
# Every statement about means, standard deviations and contributions is therefore the same in both forms.
# What differs is the path of the sampler.
#
# ## What changes for the sampler
#
# **Predict first.** Draw $\log\sigma$ against $y - \mu$ from the prior, and $\log\sigma$ against $z$.
# What shape has each cloud?

# %% mystnb={"image": {"alt": "Two clouds of prior draws. In centered coordinates a funnel that narrows downwards inside dashed lines, in non-centered ones a cloud between two vertical lines whose width is the same at every height."}}
log_sigma = np.log(stats.weibull_min(2, scale=priors.sigma_scale).rvs(3000, random_state=rng))
z = rng.normal(size=3000)
height = np.linspace(log_sigma.min(), log_sigma.max(), 100)

fig, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
axes[0].plot(np.exp(log_sigma) * z, log_sigma, ".", color=mlm.COLORS["prior"], markersize=3)
axes[1].plot(z, log_sigma, ".", color=mlm.COLORS["prior"], markersize=3)
for side in (-2, 2):
    axes[0].plot(side * np.exp(height), height, "--", color=mlm.COLORS["truth"])
    axes[1].axvline(side, linestyle="--", color=mlm.COLORS["truth"])
axes[0].set(title="centered", xlabel="y - mu, in units of the total", ylabel="log sigma")
axes[1].set(title="non-centered", xlabel="z, without unit")
plt.show()

# %% [markdown]
# Dashed lines are two standard deviations to either side.
# On the left they close to a neck.
# On the right they are upright, because $z$ does not know about $\sigma$; the cloud is thin at the bottom only because small $\sigma$ are rare.
# The funnel is gone.
#
# ## Does it help on the 500 rows?
#
# Compile both, sample both with three seeds, and compare.
# A fair comparison counts what the sampler does, and not what the machine was doing besides.
# The work of the sampler is to evaluate the *gradient*, the direction in which the log density rises, once for every step.
# So you compare effective draws (the ESS of 03) per gradient, which does not depend on the machine or how busy it is, and effective draws per second, which is what you wait for.
# Compile time is a cost of its own, paid once for each model.
# `mlm.efficiency` lists all of them.

# %%
compiled = {"centered": mlm.compile_model(centered_model), "noncentered": mlm.compile_model(noncentered_model)}
fits = {(form, i): mlm.sample(compiled[form], seed=SEED + i) for form in compiled for i in range(3)}
for form in compiled:
    print(
        f"{form:12} compiled in {compiled[form].compile_seconds:4.1f} s, {compiled[form].nutpie_model.n_dim:,} numbers to sample"
    )

# %%
parameters = [name for name in fits["centered", 0]["posterior"] if name.startswith(("mu_", "sigma_"))]


def efficiency_of(fit, names):
    """Efficiency of some variables, with ratios also where the chains have not converged."""
    part = fit.copy()
    part["posterior"] = fit["posterior"].to_dataset()[names]
    row = mlm.efficiency(part).iloc[0]
    row["max_rhat"] = max(float(r.max()) for r in az.rhat(part["posterior"].to_dataset()).values())
    row["ess_per_1000_gradients"] = 1000 * row["min_ess_bulk"] / row["gradients"]
    row["ess_per_second"] = row["min_ess_bulk"] / row["sampling_seconds"]
    return row


shown = [
    "converged",
    "max_rhat",
    "min_ess_bulk",
    "gradients",
    "sampling_seconds",
    "ess_per_second",
    "ess_per_1000_gradients",
]
table = pd.DataFrame({key: efficiency_of(fit, parameters)[shown] for key, fit in fits.items()}).T
table.infer_objects().round(3).rename_axis(["form", "run"])

# %% [markdown]
# Each row shows the largest R-hat and the smallest ESS among all means and standard deviations.
# Read the column `converged` before anything else.
# Neither form passes, on any seed, so the last two columns only rank two failures.
# Where chains disagree, an ESS is a rough guess at best.
#
# Which parameters are to blame?

# %%
ess = pd.DataFrame(
    {
        (form, i): {name: float(az.ess(fit["posterior"][name]).min()) for name in parameters}
        for (form, i), fit in fits.items()
    }
)
ess.T.groupby(level=0).mean().T.round(0).astype(int).rename_axis("least ESS, mean of three runs")

# %%
layer_sigmas = ["sigma_layer_1", "sigma_layer_2"]
log_ess = {
    form: np.mean(
        [
            np.log(az.ess(fits[form, i]["posterior"][name]).values / fits[form, i].attrs["gradients"]).mean()
            for i in range(3)
            for name in layer_sigmas
        ]
    )
    for form in compiled
}
gain = np.exp(log_ess["noncentered"] - log_ess["centered"])
print(f"standard deviations of the layers: non-centered has {gain:.1f} times the effective draws per gradient")
assert gain > 1.2
for key in fits:
    assert table.loc[key, "min_ess_bulk"] < 400, "the lesson: neither form converges here"
    assert not table.loc[key, "converged"]

# %% [markdown]
# The non-centered form helps with the standard deviations of the layers, whose contributions it rewrote.
# (The factor is per gradient; the table counts whole runs.)
# The means have an ESS above 400 in both forms.
# Among the standard deviations, each run has some far below that, in either form.
# In the non-centered form the baseline's standard deviation is among the parameters with the smallest ESS, so look there next.
#
# ## What it cannot cure
#
# **Predict first.** You have written the layers' contributions non-centered.
# In which form is the baseline's contribution?
#
# It is what is left of the total, $x_i - \sum_j y_{j,i}$.
# Its density has mean $\mu_0$ and standard deviation $\sigma_0$: that is a centered contribution.
# So $\sigma_0$ should show the needle of 03.

# %% mystnb={"image": {"alt": "Log of the baseline's standard deviation against the spread of what is left of the totals, in one non-centered run: a narrow needle along the diagonal."}}
posterior = fits["noncentered", 0]["posterior"].to_dataset()
totals = fits["noncentered", 0]["observed_data"]["total"]
left_over = totals - posterior["mu_baseline"] - posterior["y_layer_1"] - posterior["y_layer_2"]
spread = np.sqrt((left_over**2).mean("observation"))
log_sigma = np.log(posterior["sigma_baseline"])

fig, ax = plt.subplots(figsize=(6, 4.5))
ax.plot(np.log(spread).values.ravel(), log_sigma.values.ravel(), ".", color=mlm.COLORS["estimate"], markersize=3)
ax.axline((1.3, 1.3), slope=1, linestyle="--", color=mlm.COLORS["truth"])
ax.set(xlabel="log of the root mean square of what is left", ylabel="log sigma_baseline")
plt.show()

# %%
allowed = 1 / np.sqrt(2 * len(rows))
across = (log_sigma - np.log(spread)).std().item()
along = log_sigma.std().item()
print(
    f"width of the needle {across:.3f}, expected 1 / sqrt(2 n) = {allowed:.3f}; its length in these draws {along:.3f}"
)
assert np.isclose(across, allowed, rtol=0.35)
assert along > 2 * allowed

# %% [markdown]
# On the dashed line both logarithms are equal.
# The draws keep close to it and spread far along it: this is the needle.
# It is in the centered form too, because the posterior is the same and the baseline's contribution was not rewritten.
# It cannot be removed in this way: the total is observed, so one contribution always follows from the others.
# The cure is to have no contributions at all.
# A sum of independent normals is normal, so all of them can be *integrated out*: a formula averages over them, and the sampler never meets them.
# That is [06](06_integrating_out.ipynb): what remains to be sampled are the means and standard deviations alone.
#
# ## Data can undo it
#
# Non-centered coordinates are good for the prior, because in them the prior has no funnel.
# Data can make a funnel go, and they can make one come.
#
# Take the simplest hierarchical model: the means of a layer are drawn from $\mu_k \sim \text{Normal}(0, \tau)$, and you see the average of $n$ observations of each.
# The unknown spread $\tau$ is shared, so contributors inform one another; this is *partial pooling*, the theme of [09](09_partial_pooling.ipynb).
# For one contributor the posterior has two dimensions, and you can plot it on a grid, without any sampling.
# In centered coordinates its density is proportional to $p(\tau)\, p(\mu \mid \tau)\, p(\bar x \mid \mu)$.
# In non-centered ones it is proportional to $p(\tau)\, p(z)\, p(\bar x \mid \tau z)$.
# The plots have $\log\tau$ upwards, so both get one more Jacobian factor, $\tau$ (`+ log_tau` in the code).
# The average is $\bar x = 2$, and a single observation has a known standard deviation of 5, the noise.

# %%
NOISE = 5.0  # standard deviation of one observation about its contributor's mean
tau_prior = stats.weibull_min(2, scale=2)


def posterior_density(n, form, average=2.0):
    """Posterior of one contributor's mean, or of its z, and log tau, on a grid; the largest value is one."""
    log_tau, x = np.meshgrid(np.linspace(-3, 2, 200), np.linspace(-6, 6, 401), indexing="ij")
    tau = np.exp(log_tau)
    mu = x if form == "centered" else tau * x
    prior = stats.norm.logpdf(x, 0, tau if form == "centered" else 1) + tau_prior.logpdf(tau) + log_tau
    log_p = prior + stats.norm.logpdf(average, mu, NOISE / np.sqrt(n))
    return x, log_tau, np.exp(log_p - log_p.max())


def draw_posterior(n, form, ax):
    """Draw the posterior for n observations in one form."""
    x, log_tau, density = posterior_density(n, form)
    ax.contourf(x, log_tau, density, levels=[0.02, 0.1, 0.3, 0.6, 1], cmap="Blues")
    ax.contour(x, log_tau, density, levels=[0.02, 0.1, 0.3, 0.6], colors=mlm.COLORS["estimate"], linewidths=0.8)
    ax.set_title(f"{form}, n = {n:,}")
    ax.set_xlabel("mean, in units of the total" if form == "centered" else "z, without unit")


# %% [markdown]
# **Predict first.** With one observation the centered form has a funnel.
# What happens to both forms when a contributor has a thousand?

# %% mystnb={"image": {"alt": "Six contour plots of log tau: centered above, non-centered below, for 1, 30 and 1,000 observations. Centered is a funnel for 1 and an upright strip for 1,000; non-centered is a round blob for 1 and a thin bent curve for 1,000."}}
fig, axes = plt.subplots(2, 3, figsize=(11, 6.5), sharey=True)
for ax_row, form in zip(axes, ["centered", "noncentered"], strict=True):
    for ax, n in zip(ax_row, [1, 30, 1000], strict=True):
        draw_posterior(n, form, ax)
    ax_row[0].set_ylabel("log tau")
plt.show()

# %% [markdown]
# With one observation the centered form (above) has a narrow neck, and the non-centered form is round.
# With a thousand observations it is the other way round.
# The average fixes $\mu$, so the centered form is a plain strip.
# The non-centered form has to keep $\tau z$ at the same value, and so it bends into a thin arc: small $\tau$ needs large $z$.
#
# Move the slider to see the change happen.
# (It needs a running kernel; the figure above makes the point without one.)


# %% tags=["remove-output"]
@ipywidgets.interact(n=ipywidgets.IntSlider(30, min=1, max=1000, description="n", continuous_update=False))
def both_forms(n):
    """Draw both forms for n observations."""
    fig, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True)
    for ax, form in zip(axes, ["centered", "noncentered"], strict=True):
        draw_posterior(n, form, ax)
    axes[0].set_ylabel("log tau")
    plt.show()


# %% [markdown]
# ## When centered wins
#
# Now let the sampler say which it prefers.
# There are twenty contributors whose means have a true spread of 1, and each observation has a noise of 5, which you know.
# The average of $n$ rows is then all that the data say about a contributor, and it is normal with standard error $5 / \sqrt n$.
#
# Both forms fit into one model with a dial $w_k$ for each contributor:
#
# $$\text{raw}_k \sim \text{Normal}(0, \tau^{w_k}), \qquad \mu_k = \tau^{1 - w_k}\, \text{raw}_k.$$
#
# With $w_k = 1$ it is centered, with $w_k = 0$ non-centered, and $\mu_k \sim \text{Normal}(0, \tau)$ always (Papaspiliopoulos, Roberts and Sköld 2007).
# The dial and the averages are data, so the model is compiled once.

# %%
K = 20
with pm.Model() as dial_model:
    average = pm.Data("average", np.zeros(K))
    standard_error = pm.Data("standard_error", np.ones(K))
    w = pm.Data("w", np.ones(K))
    tau = pm.Weibull("tau", 2, 2)
    raw = pm.Normal("raw", 0, tau**w, shape=K)
    mu = pm.Deterministic("mu", tau ** (1 - w) * raw)
    pm.Normal("observed_average", mu, standard_error, observed=average)
dial = mlm.compile_model(dial_model)
print(f"compiled once, in {dial.compile_seconds:.1f} s")


def fit_dial(n, w, seed):
    """Simulate averages of n rows for each contributor and fit them; the same seed gives the same data."""
    data_rng = np.random.default_rng([SEED, seed])
    standard_error = np.broadcast_to(NOISE / np.sqrt(n), K)
    average = data_rng.normal(data_rng.normal(0, 1, K), standard_error)
    data = {"average": average, "standard_error": standard_error, "w": np.broadcast_to(w, K).astype(float)}
    return mlm.sample(dial.with_data(**data), seed=SEED + seed, adaptation="diag")


# %% [markdown]
# Before it keeps draws, the sampler adapts to the shape of the posterior.
# Here it uses the plain diagonal adaptation (`adaptation="diag"`) in both forms: it learns one scale for each number, and no correlations.
# For models this small `mlm.sample` by default learns some correlations too, which can make up for a part of a bad choice.

# %%
results = []
for n in (2, 20, 200, 2000):
    for form, w in {"centered": 1, "noncentered": 0}.items():
        for seed in range(3):
            fit = fit_dial(n, w, seed)
            row = efficiency_of(fit, ["tau", "mu"])  # what both forms have in common
            results.append({"n": n, "form": form, "seed": seed} | row.to_dict())
results = pd.DataFrame(results)
results.groupby(["n", "form"])[shown].mean().astype(float).round(3)

# %% mystnb={"image": {"alt": "Effective draws per 1,000 gradients against observations per contributor, both axes logarithmic, three seeds a form. The non-centered line is above on the left and falls; the centered line rises and is above on the right."}}
fig, ax = plt.subplots()
for form, role, marker in (("centered", "alternative", "s"), ("noncentered", "estimate", "o")):
    part = results[results["form"] == form]
    ax.plot(part["n"], part["ess_per_1000_gradients"], marker, color=mlm.COLORS[role])
    middle = part.groupby("n")["ess_per_1000_gradients"].median()
    ax.plot(middle.index, middle, color=mlm.COLORS[role], marker=marker, label=form)
ax.axvline(NOISE**2, color=mlm.COLORS["truth"], linestyle="--", label="n = noise² / tau²")
ax.set(xscale="log", yscale="log", xlabel="observations per contributor", ylabel="effective draws per 1,000 gradients")
ax.legend()
plt.show()

# %%
per_gradient = results.pivot_table(index=["n", "seed"], columns="form", values="ess_per_1000_gradients")
advantage = per_gradient["noncentered"] / per_gradient["centered"]
for n in (2, 2000):
    winner = "noncentered" if n == 2 else "centered"
    print(f"n = {n}: noncentered / centered, one number a seed:", advantage[n].round(2).tolist(), "->", winner)
    # The form that wins must also be one that you can trust. The largest of many R-hats may pass 1.01 by chance.
    trusted = results.query("n == @n and form == @winner")
    assert (trusted["max_rhat"] < 1.02).all()
    assert (trusted["min_ess_bulk"] > 400).all()
assert (advantage[2] > 1.5).all()
assert (advantage[2000] < 1 / 1.5).all()

# %% [markdown]
# With few observations the non-centered form wins, with many the centered form does, on every seed.
# The change comes between 20 and 200 observations, not far from where data and prior say equally much about a mean, $n = \text{noise}^2 / \tau^2 = 25$, the dashed line.
# Far from there the losing form is not merely slow.
# The column `converged` says on what fraction of the seeds a form can be trusted: see the centered form with 2 observations and the non-centered form with 2,000.
#
# Real data are rarely balanced.
# Let eight contributors have 20,000 observations each, and twelve only one.
# Now set the dial for each contributor by itself.

# %%
counts = np.where(np.arange(K) < 8, 20_000, 1)
choices = {"all centered": 1, "all noncentered": 0, "each its own": counts > NOISE**2}
mixed = pd.DataFrame(
    {
        (choice, seed): efficiency_of(fit_dial(counts, w, seed), ["tau", "mu"])[shown]
        for choice, w in choices.items()
        for seed in range(3)
    }
).T
mixed.infer_objects().round(3).rename_axis(["choice", "seed"])

# %%
best = mixed.loc["each its own", "ess_per_1000_gradients"]
for other in ("all centered", "all noncentered"):
    ratio = (best / mixed.loc[other, "ess_per_1000_gradients"]).astype(float)
    print(f"each its own against {other}: {ratio.round(1).tolist()} times as many effective draws per gradient")
    assert (ratio > 1.5).all()
assert (mixed.loc["each its own", "max_rhat"] < 1.02).all()
assert (mixed.loc["each its own", "min_ess_bulk"] > 400).all()

# %% [markdown]
# The runs with all centered converge here, unlike those with 2 observations for everyone: eight well-known means keep $\tau$ away from the neck.
# They still give several times fewer effective draws than the runs with each its own.
# So the choice is not one for a model, but one for each contributor.
# The rule is the same in all cases: centered where the data say more about a mean than its prior does, non-centered where they say less.
# A single contribution $y_{j,i}$ to a total is an extreme case of "less", since one total is all that anyone ever sees of it.
# This is why 500 rows asked for the non-centered form.
#
# ## Check yourself
#
# The quiz asks about ideas.
# The [exercises](exercises/04_noncentered.ipynb) let you use them, from easy to hard, and tell you at once whether you are right.

# %%
mlm.quiz("04")

# %% [markdown]
# ## What to remember
#
# - $y = \mu + \sigma z$ is the same model as $y \sim \text{Normal}(\mu, \sigma)$. The densities differ by the Jacobian, $\sum \log \sigma$, and nothing else.
# - Changing coordinates changes the sampler's path, not the answer.
# - Non-centered suits weak data, centered suits strong data. With unequal counts, choose for each contributor.
# - Compare effective draws per gradient and per second, over several seeds, and only between runs that converged. Count compilation apart.
# - On the 500 rows neither form converges, because the baseline's contribution stays centered. The cure is to integrate the contributions out.
#
# ## Going further
#
# - Papaspiliopoulos, Roberts and Sköld (2007), *A general framework for the parametrization of hierarchical models*, Statistical Science 22. [doi:10.1214/088342307000000014](https://doi.org/10.1214/088342307000000014)
# - Betancourt and Girolami (2015), *Hamiltonian Monte Carlo for hierarchical models*. [arXiv:1312.0906](https://arxiv.org/abs/1312.0906)
# - Yu and Meng (2011), *To center or not to center: that is not the question*, Journal of Computational and Graphical Statistics 20. [doi:10.1198/jcgs.2011.203main](https://doi.org/10.1198/jcgs.2011.203main)
# - Betancourt (2020), *Hierarchical modeling*, a case study with centered, non-centered and mixed forms.

# %%
print(mlm.version_line())
