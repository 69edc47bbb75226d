# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 06 Non-centered
#
# Vera looks after twenty sorting centers.
# She has two parcels from each, and by how many minutes they were late.
# How far do the centers lie apart?
# Her model samples in less than a second, and the chains do not agree.
# A colleague changes one line, and they agree.
# A year later each center has 2,000 parcels.
# Now the colleague's line fails, and Vera's old line works.
#
# Whose line was right?
# Decide before you read on.
#
# A model is a distribution, and a distribution can be written in many coordinates.
# The *centered* form of [05](05_centered.ipynb) samples a contribution itself.
# The *non-centered* form samples a standard normal, then stretches and shifts it.
# The answer is the same; the landscape that the sampler walks through is not.
#
# **You will learn**
#
# 1. to write a centered model in its non-centered form;
# 2. to prove in code that two forms are one model;
# 3. to find out what makes a sampler slow, by fixing one thing at a time;
# 4. to compare samplers fairly, by effective draws per gradient, and only runs that converged;
# 5. to choose between the forms by how much the data say about each contributor.
#
# **You need** [03](03_how_the_sampler_walks.ipynb) for gradient and energy, [04](04_custom_distribution.ipynb) for `StandardNormal`, and [05](05_centered.ipynb) for the centered model, R-hat and effective draws (ESS).
#
# **Time** 35 minutes to read, between one and two minutes to run.

# %%
import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr
from scipy import stats

import mlm_tutorial as mlm

SEED = mlm.notebook_seed(345)
rng = np.random.default_rng(SEED)
mlm.use_style()

# %% [markdown]
# ## One model, written twice
#
# Start with the 500 parcels of 05.
# Each went through one sorting center and was carried by one driver.
# Its delay is the sum of three contributions: that of the center, that of the driver, and the baseline, which is the road.
# The priors are those of 05, and the centered model comes from the package.

# %%
parcels = mlm.LayeredSum.from_coefficients(
    [
        {"road": (0, 5)},
        {"Airport": (1, 1), "Harbor": (-1, 1), "Mill": (4, 1)},
        {"Ann": (3, 1), "Ben": (-1, 1), "Cleo": (-1, 1), "Dov": (-1, 1)},
    ],
    names=["center", "driver"],
)
layers = parcels.names
rows = parcels.simulate(500, rng=SEED)
cells = mlm.cell_statistics(rows, layers=layers)
priors = mlm.Priors.from_cells(cells, pooled=False)
centered = mlm.observation_model(rows, layers=layers, parametrization="centered", priors=priors)

# %% [markdown]
# A normal variable with mean $\mu$ and standard deviation $\sigma$ is a standard normal one, stretched by $\sigma$ and shifted by $\mu$:
#
# $$y \sim \text{Normal}(\mu, \sigma) \qquad\Longleftrightarrow\qquad y = \mu + \sigma z, \quad z \sim \text{Normal}(0, 1).$$
#
# So one line of the model becomes two.
# The contribution $y$ is no longer sampled; it is computed from $z$.

# %%
coords = {name: parcels[name].labels for name in layers} | {"observation": rows.index}
k = {name: rows[name].cat.codes.to_numpy() for name in layers}  # who took part in each row

with pm.Model(coords=coords) as noncentered:
    mu_baseline = pm.Normal("mu_baseline", priors.baseline_mu, priors.baseline_mu_sd)
    sigma_baseline = pm.Weibull("sigma_baseline", 2, priors.sigma_scale)
    expected = mu_baseline
    for name in layers:
        mu = pm.ZeroSumNormal(f"mu_{name}", sigma=priors.mu_sd, dims=name)
        sigma = pm.Weibull(f"sigma_{name}", 2, priors.sigma_scale, dims=name)
        # centered: y = pm.Normal(f"y_{name}", mu[k[name]], sigma[k[name]], dims="observation")
        z = mlm.StandardNormal(f"z_{name}", dims="observation")
        y = pm.Deterministic(f"y_{name}", mu[k[name]] + sigma[k[name]] * z, dims="observation")
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
#
# Draw random points, translate them from $z$ to $y$, and compare.

# %%
MODE = {"mode": "FAST_COMPILE"}  # three points are not worth a compilation
log_noncentered = noncentered.compile_logp(**MODE)
log_centered = centered.compile_logp(**MODE)
wanted = [noncentered[f"{kind}_{name}"] for kind in ("y", "sigma") for name in layers]
translate = noncentered.compile_fn(
    noncentered.replace_rvs_by_values(wanted), inputs=noncentered.value_vars, on_unused_input="ignore", **MODE
)

for _ in range(3):
    start = noncentered.initial_point()
    point = {name: value + 0.5 * rng.normal(size=np.shape(value)) for name, value in start.items()}
    *y, sigma_center, sigma_driver = translate(point)
    log_jacobian = np.log(sigma_center[k["center"]]).sum() + np.log(sigma_driver[k["driver"]]).sum()
    translated = {name: value for name, value in point.items() if not name.startswith("z_")}
    translated |= {f"y_{name}": value for name, value in zip(layers, y, strict=True)}
    left, right = log_noncentered(point), log_centered(translated)
    print(
        f"non-centered {left:.6f}, centered {right:.6f} + log Jacobian {log_jacobian:.6f} = {right + log_jacobian:.6f}"
    )
    assert np.isclose(left, right + log_jacobian, rtol=1e-9)

# %% [markdown]
# The densities agree to rounding.
# Priors agree as well, and draws of one contribution show it.
# Its exact prior standard deviation follows from adding two variances.
# One is that of the contributor's mean, $s^2 (1 - 1/m)$ as in 05, with $m = 3$ centers and $s$ the `mu_sd` of the priors.
# The other is that of a draw around this mean, $E[\sigma^2]$, which for a Weibull prior of shape 2 is the square of its scale.

# %%
n_draws = 4_000
exact = np.sqrt(priors.mu_sd**2 * (1 - 1 / 3) + priors.sigma_scale**2)
for form, model in {"centered": centered, "non-centered": noncentered}.items():
    draws = pm.draw(model["y_center"][0], draws=n_draws, random_seed=rng)
    print(f"{form:12} prior mean {draws.mean():6.3f} (exact 0), prior sd {draws.std():.3f} (exact {exact:.3f})")
    # Five Monte Carlo standard errors; the kurtosis of this mixture is below 4.
    assert abs(draws.mean()) < 5 * exact / np.sqrt(n_draws)
    assert abs(draws.std() / exact - 1) < 5 * np.sqrt(3 / (4 * n_draws))

# %% [markdown]
# The two checks differ in power.
# The densities agree to nine digits at each point, so a wrong line would show.
# The draws would miss a standard deviation that is off by less than some seven percent.
#
# Every statement about means, standard deviations and contributions is therefore the same in both forms.
# What differs is the path of the sampler.
#
# ## What changes for the sampler
#
# **Predict first.** Draw $\log\sigma$ against $y - \mu$ from the prior, and $\log\sigma$ against $z$.
# What shape has each cloud?

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two clouds of prior draws. In centered coordinates a funnel that narrows downwards inside dashed lines, in non-centered ones a cloud between two vertical lines whose width is the same at every height."}} tags=["hide-input"]
log_sigma = np.log(stats.weibull_min(2, scale=priors.sigma_scale).rvs(3000, random_state=rng))
z = rng.normal(size=3000)
height = np.linspace(log_sigma.min(), log_sigma.max(), 100)

fig, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
axes[0].plot(np.exp(log_sigma) * z, log_sigma, ".", color=mlm.COLORS["prior"], markersize=3)
axes[1].plot(z, log_sigma, ".", color=mlm.COLORS["prior"], markersize=3)
for side in (-2, 2):
    axes[0].plot(side * np.exp(height), height, "--", color=mlm.COLORS["truth"])
    axes[1].axvline(side, linestyle="--", color=mlm.COLORS["truth"])
axes[0].set(title="centered", xlabel="y - mu (minutes)", ylabel="log sigma (sigma in minutes)")
axes[1].set(title="non-centered", xlabel="z (no unit)")
plt.show()

# %% [markdown]
# Dashed lines are two standard deviations to either side.
# On the left they close to a neck.
# On the right they are upright, because $z$ does not know about $\sigma$; the cloud is thin at the bottom only because small $\sigma$ are rare.
# The funnel is gone from the prior.
# Is it the prior that made the 500 parcels hard?
#
# ## Does it help with the 500 parcels?
#
# Notebook 05 saw the centered form fail on them.
# Run the non-centered form on three seeds.
# To find out later what makes it slow, give each standard deviation a *lever*: a number in `pm.Data`.
# Where it is zero, the standard deviation is sampled; where it is not, the standard deviation is fixed at it.
# Data can be replaced without compiling again, so one compilation serves all that follows.


# %%
def lever(sampled, fixed):
    """The fixed value where there is one, else what is sampled."""
    return pm.math.switch(pm.math.gt(fixed, 0), fixed, sampled)


with pm.Model(coords=coords) as with_levers:
    expected = pm.Normal("mu_baseline", priors.baseline_mu, priors.baseline_mu_sd)
    sigma_baseline = pm.Weibull("sigma_baseline", 2, priors.sigma_scale)
    for name in layers:
        mu = pm.ZeroSumNormal(f"mu_{name}", sigma=priors.mu_sd, dims=name)
        sigma = pm.Weibull(f"sigma_{name}", 2, priors.sigma_scale, dims=name)
        sigma = lever(sigma, pm.Data(f"fix_{name}", 0.0))
        z = mlm.StandardNormal(f"z_{name}", dims="observation")
        expected = expected + mu[k[name]] + sigma[k[name]] * z
    spread = lever(sigma_baseline, pm.Data("fix_baseline", 0.0))
    pm.Normal("total", expected, spread, observed=rows["total"], dims="observation")

compiled = mlm.compile_model(with_levers)
print(f"compiled in {compiled.compile_seconds:.0f} s; {compiled.nutpie_model.n_dim:,} numbers to sample")

# %%
N_RUNS = 3


def judged(fit):
    """The convergence check of all means and standard deviations, and what the run cost."""
    names = [name for name in fit["posterior"] if name.startswith(("mu", "sigma", "tau"))]
    part = fit.copy()
    part["posterior"] = fit["posterior"].to_dataset()[names]
    row = mlm.efficiency(part).iloc[0]
    row["max_rhat"] = max(float(rhat.max()) for rhat in az.rhat(part["posterior"].to_dataset()).values())
    row["divergences"] = int(fit["sample_stats"]["diverging"].sum())
    row["bfmi"] = float(az.bfmi(fit)["energy"].min())
    return row


def run(compiled, fixed=None, **options):
    """One row for each run with some levers pulled, or with none; the draws themselves are not kept."""
    ready = compiled.with_data(**fixed or {})
    seeds = range(SEED, SEED + N_RUNS)
    rows = [judged(mlm.sample(ready, seed=seed, progress=False, **options)) for seed in seeds]
    return pd.DataFrame(rows).reset_index(drop=True)


SHOWN = ["converged", "max_rhat", "min_ess_bulk", "min_ess_tail", "divergences", "bfmi"]
free = run(compiled)
free[SHOWN].round(3).rename_axis("run")

# %%
assert not free["converged"].any()
assert (free["min_ess_bulk"] < 400).all(), "the lesson: the non-centered form does not converge here"

# %% [markdown]
# No run converges (`converged`: R-hat at most 1.01, at least 400 effective draws in bulk and tails, no divergence).
# The last column is a number that [07](07_diagnostics.ipynb) explains, BFMI: how far one new momentum changes the energy of the walk (03), compared with how much the energy has to change altogether.
# Below 0.3 the sampler creeps from level to level.
#
# One line was changed, and it did not suffice. What is to blame?
#
# ## The first suspect
#
# **Predict first.** You have written the layers' contributions non-centered.
# In which form is the baseline's contribution?
# The figure has its standard deviation against the spread of what is left of the totals.

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Log of the baseline's standard deviation against the log of the spread of what is left of the totals, draws of one non-centered run: a narrow needle along the diagonal, many times as long as it is wide."}} tags=["hide-input"]
one_run = mlm.sample(compiled, seed=SEED, progress=False)
posterior = one_run["posterior"].to_dataset()
left_over = one_run["observed_data"]["total"] - posterior["mu_baseline"]
for name in layers:
    of_row = xr.DataArray(k[name], dims="observation")
    mu, sigma = (posterior[f"{kind}_{name}"].isel({name: of_row}) for kind in ("mu", "sigma"))
    left_over = left_over - mu - sigma * posterior[f"z_{name}"]
spread = np.sqrt((left_over**2).mean("observation"))

fig, ax = plt.subplots(figsize=(6, 4.5))
log_spread, log_sigma = np.log(spread).values.ravel(), np.log(posterior["sigma_baseline"]).values.ravel()
ax.plot(log_spread, log_sigma, ".", color=mlm.COLORS["estimate"], markersize=3)
ax.axline((1.3, 1.3), slope=1, linestyle="--", color=mlm.COLORS["truth"])
ax.set(
    xlabel="log of the root mean square of what is left (in minutes)",
    ylabel="log sigma_baseline (in minutes)",
)
plt.show()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
allowed = 1 / np.sqrt(2 * len(rows))
across, along = (log_sigma - log_spread).std(), log_sigma.std()
print(
    f"width of the needle {across:.3f}, expected 1 / sqrt(2 n) = {allowed:.3f}; its length in these draws {along:.3f}"
)
assert np.isclose(across, allowed, rtol=0.35)
assert along > 2 * allowed

# %% [markdown]
# The baseline's contribution is what is left of the total, $x_i - \sum_j y_{j,i}$.
# Its density has mean $\mu_0$ and standard deviation $\sigma_0$: that is a centered contribution.
# Some contribution has to be: the total is observed, so one of them always follows from the others.
# So $\sigma_0$ has the needle of 05.
#
# On the dashed line both logarithms are equal.
# As long as the contributions stay where they are, $\sigma_0$ can move by the width of the needle only; in the long run it has to move along its whole length.
# (How long it is, a run that failed cannot say exactly.)
#
# It is tempting to stop here and to call the needle the cause.
# But nobody has tried.
#
# ## Fix one thing at a time
#
# A cause is found by removing it and nothing else.
# Pull the lever of the baseline: with $\sigma_0$ fixed there is no needle.
#
# **Predict first.** Fix $\sigma_0$ at its true value of 5 minutes, then at 3.5 minutes.
# Will both runs converge?

# %%
tried = {
    "nothing": {},
    "baseline at 5 (true)": {"fix_baseline": 5.0},
    "baseline at 3.5": {"fix_baseline": 3.5},
    "layers at 1 (true)": {"fix_center": 1.0, "fix_driver": 1.0},
    "layers at 2.7": {"fix_center": 2.7, "fix_driver": 2.7},
    "baseline at 3.5, center at 2.7": {"fix_baseline": 3.5, "fix_center": 2.7},
}
verdicts = {"nothing": free}
for what, fixed in tried.items():
    if fixed:
        verdicts[what] = run(compiled, fixed)
verdicts = pd.concat(verdicts, names=["standard deviations fixed", "run"])
verdicts[SHOWN].round(3)

# %% [markdown]
# One suspect is left that no lever removes: the thousand contributions themselves.
# You can remove them, because a sum of independent normals is normal (01).
# Average over the contributions, and each total is normal with the sum of the means and the sum of the variances.
# This is called *integrating out*, and it is the subject of [09](09_integrating_out.ipynb).
# Here it is six lines, with all standard deviations free.

# %%
with pm.Model(coords=coords) as without_contributions:
    mean = pm.Normal("mu_baseline", priors.baseline_mu, priors.baseline_mu_sd)
    variance = pm.Weibull("sigma_baseline", 2, priors.sigma_scale) ** 2
    for name in layers:
        mean += pm.ZeroSumNormal(f"mu_{name}", sigma=priors.mu_sd, dims=name)[k[name]]
        variance += pm.Weibull(f"sigma_{name}", 2, priors.sigma_scale, dims=name)[k[name]] ** 2
    pm.Normal("total", mean, pm.math.sqrt(variance), observed=rows["total"], dims="observation")

integrated = mlm.compile_model(without_contributions)
verdicts_without = run(integrated, draws=3000, target_accept=0.95)  # draws are cheap here
verdicts_without[SHOWN].round(3).rename_axis("run")

# %% jupyter={"source_hidden": true} tags=["hide-input"]
assert (verdicts.loc["nothing", "bfmi"] < 0.3).all()
for what in ("baseline at 5 (true)", "baseline at 3.5"):
    assert (verdicts.loc[what, "bfmi"] > 0.3).all()
assert not verdicts.loc["baseline at 3.5", "converged"].all()
good = [part for what, part in verdicts.groupby(level=0) if what not in ("nothing", "baseline at 3.5")]
for part in [*good, verdicts_without]:  # the largest of many R-hats may pass 1.01 by chance, so the limit is 1.02
    assert (part["max_rhat"] < 1.02).all()
    assert (part["min_ess_bulk"] > 400).all()

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Largest R-hat of each run on a logarithmic axis, one row for each thing that was fixed, with a dashed line at 1.01. Runs with nothing fixed lie far right of the line. Runs with the layers fixed and runs without contributions lie left of it or close to it; runs with the baseline fixed lie between, further right at 3.5 than at 5."}} tags=["hide-input"]
drawn = dict(list(verdicts.groupby(level=0, sort=False)))
drawn["nothing, no contributions"] = verdicts_without
fig, ax = plt.subplots(figsize=(8, 3.8))
for place, part in enumerate(drawn.values()):
    excess = np.maximum(part["max_rhat"].astype(float) - 1, 1e-4)
    for role, marker, chosen in (
        ("estimate", "o", part["converged"].astype(bool)),
        ("alternative", "X", ~part["converged"].astype(bool)),
    ):
        ax.plot(excess[chosen], np.full(chosen.sum(), place), marker, color=mlm.COLORS[role], linestyle="none")
ax.plot([], [], "o", color=mlm.COLORS["estimate"], label="converged")
ax.plot([], [], "X", color=mlm.COLORS["alternative"], label="did not")
ax.axvline(0.01, linestyle="--", color=mlm.COLORS["truth"])
ax.set(xscale="log", xlabel="largest R-hat of a run", ylabel="fixed", yticks=range(len(drawn)))
ax.set_xticks([0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3], ["1.002", "1.005", "1.01", "1.02", "1.05", "1.1", "1.3"])
ax.minorticks_off()
ax.set_yticklabels(drawn)
ax.invert_yaxis()
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# Go through the rows one by one. `converged` decides; a run close to a limit may fall to either side of it by chance.
#
# - **Nothing fixed.** No run converges, and BFMI is low.
# - **Baseline fixed.** BFMI is up, at either value. So the energy failed because $\sigma_0$ was free to move along its needle. At the true value the runs get through. At 3.5 minutes they do not all: effective draws are too few, although the baseline has no needle any more. So the needle is not all.
# - **Layers fixed, baseline free.** The baseline's contribution is as centered as before, and its needle as thin. Yet the runs converge, even at 2.7 minutes, far from the truth: what the layers do not take of the variance must be the baseline's, so the needle is short.
# - **Baseline at 3.5 and center at 2.7.** With the center's standard deviations fixed as well, these runs get through. What was slow at 3.5 is how center and driver share what the baseline leaves.
# - **No contributions.** With all standard deviations free and the contributions averaged out, BFMI is fine, chains agree, and there are effective draws enough; if such a run is refused, it is for a stray divergence or for a tail with too few effective draws, not because chains disagree. These runs are longer, with shorter steps, because the trade alone still slows the sampler; [10](10_what_the_data_cannot_say.ipynb) has coordinates against that, and the healthy run of 05, which has the same posterior, uses them. (In 05 neither longer runs nor shorter steps saved the centered form.)
#
# So the failure takes two things together.
# The data fix the variance of a total, but hardly how road, center and driver share it, so the three can trade over a long range.
# And the contributions hold every standard deviation where it is, as long as they stay where they are.
# Take either away, and the sampler gets through.
# Centered or not, a line that rewrites the contributions takes neither away.
#
# One thing stays unexplained: center and driver can trade when the baseline is fixed at 5, too, and there it does no harm.
# A guess is that a narrower baseline lets each total hold its contributions more tightly; this notebook has not tested it.
#
# ## Data can undo it
#
# Non-centered coordinates are good for the prior, because in them the prior has no funnel.
# Data can make a funnel go, and they can make one come.
#
# Take Vera's question in its simplest form: the centers' means are drawn from $\mu_k \sim \text{Normal}(0, \tau)$, and you see the average of $n$ parcels of each.
# The unknown spread $\tau$ is shared, so centers inform one another: partial pooling, as in [02](02_a_first_fit.ipynb).
# For one center the posterior has two dimensions, and you can plot it on a grid, without any sampling.
# In centered coordinates its density is proportional to $p(\tau)\, p(\mu \mid \tau)\, p(\bar x \mid \mu)$.
# In non-centered ones it is proportional to $p(\tau)\, p(z)\, p(\bar x \mid \tau z)$.
# The plots have $\log\tau$ upwards, so both get one more Jacobian factor, $\tau$ (`+ log_tau` in the code).
# The average is $\bar x = 2$ minutes, and a single parcel has a known standard deviation of 5 minutes about its center's mean, the noise.

# %%
NOISE = 5.0  # minutes, standard deviation of one parcel about its center's mean
tau_prior = stats.weibull_min(2, scale=2)


def posterior_density(n, form, average=2.0):
    """Posterior of one center's mean, or of its z, and log tau, on a grid; the largest value is one."""
    log_tau, x = np.meshgrid(np.linspace(-3, 2, 200), np.linspace(-6, 6, 401), indexing="ij")
    tau = np.exp(log_tau)
    mu = x if form == "centered" else tau * x
    log_p = stats.norm.logpdf(x, 0, tau if form == "centered" else 1)
    log_p += tau_prior.logpdf(tau) + log_tau
    log_p += stats.norm.logpdf(average, mu, NOISE / np.sqrt(n))
    return x, log_tau, np.exp(log_p - log_p.max())


# %% [markdown]
# **Predict first.** With one parcel the centered form has a funnel.
# What happens to both forms when a center has a thousand?


# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Six contour plots of log tau: centered above, non-centered below, for 1, 30 and 1,000 parcels. Centered is a funnel for 1 and an upright strip for 1,000; non-centered is a round blob for 1 and a thin bent curve for 1,000."}} tags=["hide-input"]
def draw_posterior(n, form, ax):
    """Draw the posterior for n parcels in one form."""
    x, log_tau, density = posterior_density(n, form)
    ax.contourf(x, log_tau, density, levels=[0.02, 0.1, 0.3, 0.6, 1], cmap="Blues")
    ax.contour(x, log_tau, density, levels=[0.02, 0.1, 0.3, 0.6], colors=mlm.COLORS["estimate"], linewidths=0.8)
    ax.set_title(f"{form}, n = {n:,}")
    ax.set_xlabel("mean (minutes)" if form == "centered" else "z (no unit)")


fig, axes = plt.subplots(2, 3, figsize=(11, 6.5), sharey=True)
for ax_row, form in zip(axes, ["centered", "non-centered"], strict=True):
    for ax, n in zip(ax_row, [1, 30, 1000], strict=True):
        draw_posterior(n, form, ax)
    ax_row[0].set_ylabel("log tau (tau in minutes)")
plt.show()

# %% [markdown]
# With one parcel the centered form (above) has a narrow neck, and the non-centered form is round.
# With a thousand it is the other way round.
# The average fixes $\mu$, so the centered form is a plain strip.
# The non-centered form has to keep $\tau z$ at the same value, and so it bends into a thin arc: small $\tau$ needs large $z$.
#
# Move the slider to see the change happen.


# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Contours of log tau for 30 parcels, centered on the left and non-centered on the right. With fewer parcels the left one is a funnel and the right one round; with more the left one is an upright strip and the right one a bent arc."}} tags=["hide-input"]
def both_forms(n):
    """Draw both forms for n parcels."""
    fig, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True)
    for ax, form in zip(axes, ["centered", "non-centered"], strict=True):
        draw_posterior(n, form, ax)
    axes[0].set_ylabel("log tau (tau in minutes)")
    return fig


mlm.slider(
    both_forms,
    alt="The posterior in both forms, centered on the left and non-centered on the right.",
    start={"n": 30},
    n=[1, 3, 10, 30, 100, 300, 1000],
)


# %% [markdown]
# ## Vera's twenty centers
#
# Now let the sampler say which form it prefers.
# The twenty means have a true spread of one minute, and each parcel a noise of five, which you know.
# The average of $n$ parcels is then all that the data say about a center, and it is normal with standard error $5 / \sqrt n$.
#
# Both forms fit into one model with a *dial* $w_k$ for each center:
#
# $$\text{raw}_k \sim \text{Normal}(0, \tau^{w_k}), \qquad \mu_k = \tau^{1 - w_k}\, \text{raw}_k.$$
#
# With $w_k = 1$ it is centered, with $w_k = 0$ non-centered, and $\mu_k \sim \text{Normal}(0, \tau)$ always.
# Papaspiliopoulos, Roberts and Sköld (2007) describe forms between the two; the dial in this shape, one number for each variable, is from Gorinova, Moore and Hoffman (2020), who also let a program find it.
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


def fit_dial(n, w, seed):
    """Simulate averages of n parcels of each center and fit them; the same seed gives the same data."""
    data_rng = np.random.default_rng([SEED, seed])
    standard_error = np.broadcast_to(NOISE / np.sqrt(n), K)
    average = data_rng.normal(data_rng.normal(0, 1, K), standard_error)
    data = {"average": average, "standard_error": standard_error, "w": np.broadcast_to(w, K).astype(float)}
    return mlm.sample(dial.with_data(**data), seed=SEED + seed, adaptation="diag", progress=False)


# %% [markdown]
# Before it keeps draws, the sampler adapts to the shape of the posterior (03).
# Here it learns one scale for each number, and no correlations (`adaptation="diag"`).
# For models this small `mlm.sample` by default learns some correlations too, which can make up for a part of a bad choice.
#
# A fair comparison counts what the sampler does, and not what the machine was doing besides.
# Its work is to evaluate the gradient (03), once for every step.
# So the measure is *effective draws per 1,000 gradients*.
# It exists only for runs that converged: where chains disagree, an ESS is a rough guess at best, and so is any ratio made of it.
# What you wait for is seconds, and compilation is a cost of its own, paid once for each model; `mlm.efficiency` lists them all.

# %%
results = []
for n in (2, 20, 60, 200, 2000):
    for form, w in {"centered": 1, "non-centered": 0}.items():
        for seed in range(3):
            row = judged(fit_dial(n, w, seed))
            row["per_1000_gradients"] = 1000 * row["ess_bulk_per_gradient"]  # NaN if not converged
            results.append({"n": n, "form": form, "seed": seed} | row.to_dict())
results = pd.DataFrame(results)
by_form = results.groupby(["n", "form"])
by_form.agg(
    converged=("converged", "sum"),
    worst_rhat=("max_rhat", "max"),
    ess_per_1000_gradients=("per_1000_gradients", "median"),
).round(3)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Effective draws per 1,000 gradients against parcels per center, both axes logarithmic, only runs that converged. Non-centered points are high on the left and fall to the right; centered points are high on the right and fall to the left. Crosses at the bottom mark runs that did not converge: centered ones on the left, non-centered ones on the right."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(8, 4.5))
floor = results["per_1000_gradients"].min() / 3
for form, role, marker, shift in (("centered", "alternative", "s", 0.94), ("non-centered", "estimate", "o", 1.06)):
    part = results[results["form"] == form]
    passed = part[part["converged"].astype(bool)]
    failed = part[~part["converged"].astype(bool)]
    ax.plot(passed["n"] * shift, passed["per_1000_gradients"], marker, color=mlm.COLORS[role], label=form)
    ax.plot(
        failed["n"] * shift, np.full(len(failed), floor), "x", color=mlm.COLORS[role], label=f"{form}, did not converge"
    )
ax.axvline(NOISE**2, color=mlm.COLORS["truth"], linestyle="--", label="n = noise² / tau²")
ax.set(xscale="log", yscale="log", xlabel="parcels per center", ylabel="effective draws per 1,000 gradients")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
for n, winner in ((2, "non-centered"), (2000, "centered")):
    mine = results[(results["n"] == n) & (results["form"] == winner)]
    others = results[(results["n"] == n) & (results["form"] != winner)]
    print(
        f"n = {n}: {winner} converged {mine['converged'].sum()} times of 3, the other form {others['converged'].sum()}"
    )
    # The largest of many R-hats may pass 1.01 by chance, so the winner is held to 1.02.
    assert (mine["max_rhat"] < 1.02).all()
    assert (mine["min_ess_bulk"] > 400).all()
    assert others["converged"].sum() <= 1
ratio = results.pivot_table(index=["n", "seed"], columns="form", values="per_1000_gradients").dropna()
ratio = ratio["centered"] / ratio["non-centered"]
print("centered / non-centered where both converged:", ratio.groupby("n").median().round(1).to_dict())

# %% [markdown]
# With two parcels a center the non-centered form converges, with two thousand the centered form does.
# In between there are counts at which both do, and there the numbers may be compared: the centered form gains as $n$ grows.
# The change comes not far from where data and prior say equally much about a mean, $n = \text{noise}^2 / \tau^2 = 25$, the dashed line.
#
# Real data are rarely balanced.
# Let eight centers have 20,000 parcels each, and twelve only one.
# Now set the dial for each center by itself.

# %%
counts = np.where(np.arange(K) < 8, 20_000, 1)
choices = {"all centered": 1, "all non-centered": 0, "each its own": counts > NOISE**2}
mixed = pd.DataFrame(
    {(what, seed): judged(fit_dial(counts, w, seed)) for what, w in choices.items() for seed in range(3)}
).T.infer_objects()
mixed["per_1000_gradients"] = 1000 * mixed["ess_bulk_per_gradient"]
mixed[["converged", "max_rhat", "per_1000_gradients"]].round(3).rename_axis(["choice", "seed"])

# %% jupyter={"source_hidden": true} tags=["hide-input"]
best = mixed.loc["each its own"]
assert (best["max_rhat"] < 1.02).all()
assert (best["min_ess_bulk"] > 400).all()
for other in ("all centered", "all non-centered"):
    ratio = (best["per_1000_gradients"] / mixed.loc[other, "per_1000_gradients"]).dropna()
    if len(ratio):
        print(f"each its own against {other}: {ratio.round(1).tolist()} times as many effective draws per gradient")
        assert (ratio > 1.5).all()
    else:
        print(f"each its own against {other}: no pair of runs that both converged")

# %% [markdown]
# So the choice is not one for a model, but one for each contributor.
# The rule is the same in all cases: centered where the data say more about a mean than its prior does, non-centered where they say less.
# A single contribution $y_{j,i}$ to a total is an extreme case of "less": one total is all that anyone ever sees of it.
#
# ## Whose line was right?
#
# Both lines were, because both are one model: you compared their densities.
# With two parcels a center the prior says more about a center than its parcels do, and the colleague's line suits; with two thousand it is the other way round, and Vera's old line does.
# If some centers are busy and some are not, neither line is the best for all of them, and the dial takes both.
# And for the 500 parcels neither line was good enough; leaving the contributions out was.
#
# ## Check yourself
#
# The quiz asks about ideas.
# The [exercises](exercises/06_exercises.ipynb) let you use them, from easy to hard, and tell you at once whether you are right.

# %%
mlm.quiz("06")

# %% [markdown]
# ## What to remember
#
# - $y = \mu + \sigma z$ is the same model as $y \sim \text{Normal}(\mu, \sigma)$. The densities differ by the Jacobian, $\sum \log \sigma$, and nothing else.
# - Changing coordinates changes the sampler's path, not the answer.
# - A cause is found by removing it and nothing else. Levers in `pm.Data` make that cheap.
# - On the 500 parcels two things together stop the sampler: standard deviations that can trade, and contributions that hold them. Rewriting contributions removes neither; integrating them out removes the second.
# - Non-centered suits weak data, centered suits strong data. With unequal counts, choose for each contributor.
# - Compare effective draws per gradient, over several seeds, and only between runs that converged. Count compilation apart.
#
# ## Going further
#
# - Papaspiliopoulos, O., Roberts, G. O. and Sköld, M. (2007). A general framework for the parametrization of hierarchical models. *Statistical Science* 22(1), 59-73. [doi:10.1214/088342307000000014](https://doi.org/10.1214/088342307000000014). When centering works and when not, with theory.
# - Gorinova, M. I., Moore, D. and Hoffman, M. D. (2020). Automatic reparameterisation of probabilistic programs. *Proceedings of the 37th International Conference on Machine Learning*, PMLR 119, 3648-3657. [proceedings.mlr.press/v119/gorinova20a](https://proceedings.mlr.press/v119/gorinova20a.html). The dial, and how a program sets it.
# - Betancourt, M. and Girolami, M. (2015). Hamiltonian Monte Carlo for hierarchical models. [arXiv:1312.0906](https://arxiv.org/abs/1312.0906). The funnel, as the sampler of this course meets it.
# - Yu, Y. and Meng, X.-L. (2011). To center or not to center: that is not the question. *Journal of Computational and Graphical Statistics* 20(3), 531-570. [doi:10.1198/jcgs.2011.203main](https://doi.org/10.1198/jcgs.2011.203main). Use both forms in turn.
# - Betancourt, M. (2020). [Hierarchical modeling](https://betanalpha.github.io/assets/case_studies/hierarchical_modeling.html). A case study with centered, non-centered and mixed forms.

# %%
print(mlm.version_line())
