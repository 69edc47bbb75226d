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
# Chains can agree, predictions can be perfect, and a number in the table can still be one that the data never spoke
# about.
# This notebook lets you find such a number in a model that passes every check of notebook 07.
# Then it shows why no check of that kind can find it, how to find it all the same, and what you may claim.
# If you keep one notebook of this course, keep this one.
#
# **You will learn** to
#
# 1. tell apart "the sampler has converged" and "the data have decided";
# 2. find the directions in which a likelihood is flat, with the rank of a matrix;
# 3. say where a flat direction ends, because no variance is negative, and what bound that gives;
# 4. read a prior sensitivity table, and name the quantities that do not depend on the split of a prior;
# 5. choose sampler coordinates along and across the flat directions, and measure what that brings;
# 6. run a simulation-based calibration, read its ranks, and say what it proves and what not.
#
# **You need** [07](07_diagnostics.ipynb) and [09](09_integrating_out.ipynb).
#
# **Time** About 50 minutes to read, under two minutes to run.

# %%
import logging
from dataclasses import replace

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import pytensor.tensor as pt
import xarray as xr
from scipy import stats

import mlm_tutorial as mlm

SEED = mlm.notebook_seed(678)
rng = np.random.default_rng(SEED)
mlm.use_style()
logging.getLogger("pymc").setLevel(logging.ERROR)  # PyMC announces each predictive draw
logging.getLogger("arviz_stats.psense").setLevel(logging.ERROR)  # its table says the same

# %% [markdown]
# ## A fit that passes every check
#
# The data are those of notebook 09: 10,000 totals of `cc_27`, reduced to 12 cells.
# The baseline's standard deviation is 5 and that of every contributor is 1.
# Fit the model with priors whose scales are fixed, as in the notebooks before; they expect the same variance from baseline and layers.
# Then check convergence, and run a posterior predictive check: replicate the average and the standard deviation of each
# cell, and compare with the data.

# %%
truth = mlm.PRESETS["cc_27"].centered()
layers = ["layer_1", "layer_2"]
rows = truth.simulate(10_000, rng=SEED)
cells = mlm.cell_statistics(rows, "total", layers)
equal_shares = mlm.Priors.from_cells(cells, pooled=False)

model = mlm.cell_model(cells, priors=equal_shares)
compiled = mlm.compile_model(model)
idata = mlm.sample(compiled, seed=SEED)
print(mlm.check_convergence(idata).round(3).to_string())


def predictive(fitted_model, posterior):
    """Return replicated averages and standard deviations of the cells, and the observed ones."""
    drawn = pm.sample_posterior_predictive(
        posterior,
        model=fitted_model,
        random_seed=SEED,
        progressbar=False,
        compile_kwargs={"mode": "FAST_COMPILE"},  # compiling with numba would take longer than drawing
    )
    both = {"replicated": drawn["posterior_predictive"]["mlm_cells"], "observed": drawn["observed_data"]["mlm_cells"]}
    for kind, pair in both.items():
        average, sum_sq = (pair.sel(mlm_statistic=name, drop=True) for name in ("mean", "sum_sq"))
        sd = np.sqrt(sum_sq / xr.DataArray(cells.n - 1, dims="mlm_cell"))
        both[kind] = xr.Dataset({"average": average, "sd": sd})
    return both["replicated"], both["observed"]


def surprise(replicated, observed):
    """Return how far observed statistics are from replicated ones, in standard deviations of the latter."""
    z = (observed - replicated.mean(["chain", "draw"])) / replicated.std(["chain", "draw"])
    return np.concatenate([z["average"].values, z["sd"].values])


replicated, observed = predictive(model, idata)
z = surprise(replicated, observed)
print(f"24 statistics; the most surprising is {np.abs(z).max():.1f} standard deviations from its prediction")
assert np.abs(z).max() < 5

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two panels, cells on the horizontal axis: averages on the left, standard deviations on the right. Black diamonds, the observed statistics, lie within the blue intervals of their replicates, with hardly an exception."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(10, 4))
place = np.arange(12)
names = [f"{a}, {b}" for a, b in cells.to_frame()[layers].itertuples(index=False)]
for ax, name, title in zip(axes, ["average", "sd"], ["average", "standard deviation"], strict=True):
    low, high = replicated[name].quantile([0.005, 0.995], dim=["chain", "draw"]).values
    ax.vlines(place, low, high, color=mlm.COLORS["estimate"], linewidth=4, alpha=0.6, label="99 % of replicates")
    ax.plot(place, observed[name], "D", color=mlm.COLORS["truth"], fillstyle="none", label="observed")
    ax.set_xticks(place, names, rotation=60)
    ax.set_xlabel("cell: labels of layer_1, layer_2")
    ax.set_ylabel(f"{title} of the cell\n(units of the total)")
fig.legend(*axes[1].get_legend_handles_labels(), loc="outside upper center", ncols=2)
plt.show()

# %% [markdown]
# Converged with room to spare, and predictions as good as predictions can be.
#
# **Predict first.** The chains agree and predictions are perfect, with 10,000 rows.
# How far from the true 5 will the estimate of `sigma_baseline` be?

# %% mystnb={"image": {"alt": "Intervals of all parameters with true values. Means are narrow and near the truth. Standard deviations have wide intervals; the baseline's lies to the left of its truth 5, and most of the contributors' lie to the right of their truth 1."}}
recovered = mlm.recovery(idata, truth)
sigma_baseline = idata["posterior"]["sigma_baseline"]
print(f"true sigma_baseline 5.00, posterior mean {float(sigma_baseline.mean()):.2f}")
print(f"posterior probability that it is 5 or more: {float((sigma_baseline >= 5).mean()):.3f}")
assert 5 - sigma_baseline.mean() > 0.4
mlm.plot_recovery(recovered)
plt.show()

# %% [markdown]
# The means are found, to about two tenths of a unit.
# The baseline's standard deviation is too small, and the contributors' are too large: most estimates are around 2 where
# the truth is 1.
# Something took variance from the baseline and gave it to the layers.
# It was not the data.
#
# ## Two priors, two answers
#
# Change one thing: what the prior expects of the *split* of the variance.
# The prior so far expects a third of it in the baseline and a third in each layer.
# A second prior expects 10 % in the baseline and 45 % in each layer.
# The expected variance of a total is the same under both, and so are the data and the priors of all means.

# %% mystnb={"image": {"alt": "Two histograms of sigma_baseline. Under equal shares it peaks between 4 and 5 with a tail to the left; under mostly layers it is broad, with most of it below 3. A black vertical line marks the truth at 5. Thin lines show both priors."}}
variance = cells.residual_variance()


def split_prior(baseline_share):
    """Return the priors with this share of the expected variance in the baseline, the rest in equal parts."""
    shares = {"baseline": baseline_share, "layer_1": (1 - baseline_share) / 2, "layer_2": (1 - baseline_share) / 2}
    return replace(equal_shares, sigma_scale={name: float(np.sqrt(share * variance)) for name, share in shares.items()})


priors = {"equal shares": equal_shares, "mostly layers": split_prior(0.1)}
second = mlm.cell_model(cells, priors=priors["mostly layers"])
models = {"equal shares": model, "mostly layers": second}
both_compiled = {"equal shares": compiled, "mostly layers": mlm.compile_model(second)}
fits = {"equal shares": idata, "mostly layers": mlm.sample(both_compiled["mostly layers"], seed=SEED)}
estimates = {}
for name, fit in fits.items():
    mlm.check_convergence(fit)
    draws = fit["posterior"]["sigma_baseline"]
    estimates[name] = float(draws.mean())
    worst = np.abs(surprise(*predictive(models[name], fit))).max()
    assert worst < 5
    print(f"{name:<13} sigma_baseline {estimates[name]:.2f} ± {float(draws.std()):.2f}; ", end="")
    print(f"most surprising of 24 predictions {worst:.1f} standard deviations off")
assert estimates["equal shares"] - estimates["mostly layers"] > 1.5

roles = {"equal shares": "alternative", "mostly layers": "estimate"}
fig, ax = plt.subplots()
x = np.linspace(0, 8, 400)
edges = np.linspace(0, 5.6, 57)
for name, style in (("equal shares", "--"), ("mostly layers", ":")):
    draws = fits[name]["posterior"]["sigma_baseline"].values.ravel()
    color = mlm.COLORS[roles[name]]
    ax.hist(draws, edges, density=True, histtype="stepfilled", alpha=0.6, color=color, label=f"posterior, {name}")
    prior_density = stats.rayleigh.pdf(x, scale=priors[name].sigma_scale_of("baseline") / np.sqrt(2))
    ax.plot(x, prior_density, style, color=mlm.COLORS["truth"], linewidth=1.5, label=f"prior, {name}")
ax.axvline(5, color=mlm.COLORS["truth"], linewidth=2, label="truth")
ax.set_xlabel("sigma_baseline, in units of the total")
ax.set_ylabel("density")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# One data set, one likelihood, two answers, and equally good predictions.
# All chains converged, each to its own posterior.
# One answer is nearer to the truth, because its prior is.
# Without the truth, nothing in the data would have told you which one to believe.
#
# ## Why: variance can move without a trace
#
# Write $v = \sigma^2$ for the variance of each component.
# The data show the variance of each cell, $V = v_0 + v_{1,k_1} + v_{2,k_2}$, and none of its parts.
# Take a constant $c$ from the baseline's variance and add it to the variance of *every* contributor of layer 1.
# Each total has exactly one contributor of layer 1, so each $V$ loses $c$ once and gains it once.


# %% tags=["nbval-check-output"]
def variances_of_cells(v_baseline, v_1, v_2):
    """Return the variance of a total in each cell."""
    return v_baseline + v_1[cells.codes[:, 0]] + v_2[cells.codes[:, 1]]


def log_likelihood(v_baseline, v_1, v_2, mean):
    """Return the exact log likelihood of all 10,000 rows, from the cells."""
    v = variances_of_cells(v_baseline, v_1, v_2)
    return np.sum(-cells.n / 2 * np.log(2 * np.pi * v) - (cells.sum_sq + cells.n * (cells.mean - mean) ** 2) / (2 * v))


true_mean = truth.combinations()["mu"].to_numpy()
true_v = truth.baseline.sigma[0] ** 2, truth["layer_1"].sigma ** 2, truth["layer_2"].sigma ** 2
at_truth = log_likelihood(*true_v, true_mean)
for c in (-0.9, 0.0, 8.0, 16.0, 24.0):
    v_0, v_1, v_2 = true_v[0] - c, true_v[1] + c, true_v[2]
    change = log_likelihood(v_0, v_1, v_2, true_mean) / at_truth - 1
    assert abs(change) < 1e-12
    print(f"c = {c:5.1f}   sigma_baseline {np.sqrt(v_0):.2f}   sigma_layer_1 {np.sqrt(v_1[0]):.2f}   ", end="")
    print(f"log likelihood unchanged: {abs(change) < 1e-12}")

# %% [markdown]
# Not "almost flat" but exactly flat: a baseline with standard deviation 5 explains every row as well as one with 1.
# Such a parameter is *not identified*: different values give the data the same distribution.
# More rows do not help, because every row has the same freedom.
# The means have it too, which is why they must sum to zero in each layer.
# No such rule is natural for variances, which must stay positive.
#
# **Predict first.** Below, the variance of the baseline's contribution shrinks and that of layer 1 grows.
# What happens to the distribution of the totals?


# %%
def draw_moved(c, axes, **style):
    """Draw densities of contributions and of the total in cell (0, 0) after moving a variance c."""
    v_0, v_1, v_2 = true_v[0] - c, true_v[1][0] + c, true_v[2][0]
    x = np.linspace(-18, 18, 400)
    panels = [(truth.baseline.mu[0], v_0), (truth["layer_1"].mu[0], v_1), (true_mean[0], v_0 + v_1 + v_2)]
    for ax, (mu, v) in zip(axes, panels, strict=True):
        ax.plot(x, stats.norm.pdf(x, mu, np.sqrt(v)), **style)
    for ax, title in zip(axes, ["baseline", "layer_1[0]", "total of cell (0, 0)"], strict=True):
        ax.set(title=title, xlabel="units of the total", ylim=(0, 0.45))
    axes[0].set_ylabel("density")


# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Three panels of densities, each with three curves for a moved variance of 0, 12 and 24. The baseline's curve gets narrower, that of layer 1 gets wider, and in the panel of the total all three curves lie on one another."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 3, figsize=(11, 3.5), sharey=True)
for c, role, line, width in [(0, "data", "-", 6), (12, "alternative", "--", 2.5), (24, "estimate", ":", 2.5)]:
    draw_moved(c, axes, color=mlm.COLORS[role], linestyle=line, linewidth=width, label=f"variance moved: {c}")
axes[2].legend()
plt.show()


# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "The three panels of densities again, before and after a variance is moved. Wherever the slider stands, the two curves of the total lie on one another."}} tags=["hide-input"]
def explore(variance_moved):
    """Draw the densities before and after moving a variance."""
    fig, axes = plt.subplots(1, 3, figsize=(11, 3.5), sharey=True)
    draw_moved(0, axes, color=mlm.COLORS["data"], linewidth=5)
    draw_moved(variance_moved, axes, color=mlm.COLORS["estimate"])
    return fig


mlm.slider(
    explore,
    alt="Densities of the baseline, of layer 1 and of the total before and after a variance is moved.",
    start={"variance_moved": 12},
    variance_moved=[0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24],
)


# %% [markdown]
# Move the slider: the parts change, the total does not.
#
# ## How many such directions are there?
#
# All variances together form a vector $v$, and the cells see $D v$.
# $D$ has a row for each cell and a column for each component, 1 where the component takes part and 0 elsewhere.
# A direction that $D$ maps to zero leaves no trace.
# The *rank* of $D$, the number of its linearly independent columns, counts the directions that do leave one.
#
# The *Fisher information* tells the same story about curvature.
# It is the expected curvature of the log likelihood.
# For the variances of normal totals it is $D^\top \mathrm{diag}(n / 2V^2)\, D$.
# An eigenvalue of zero means no curvature in a direction, and no finite standard error there.

# %%
design = cells.design().toarray()
print(design.astype(int))
rank = np.linalg.matrix_rank(design)
print(f"{design.shape[1]} variances, rank {rank}: {design.shape[1] - rank} directions without a trace")

flat = np.array([[-1, 1, 1, 1, 0, 0, 0, 0], [-1, 0, 0, 0, 1, 1, 1, 1]])
assert np.all(design @ flat.T == 0)
assert design.shape[1] - rank == len(layers) == np.linalg.matrix_rank(flat)

v_cells = variances_of_cells(*true_v)
information = design.T @ np.diag(cells.n / (2 * v_cells**2)) @ design
print("eigenvalues of the Fisher information:", np.linalg.eigvalsh(information)[::-1].round(3) + 0.0)
assert np.linalg.matrix_rank(information) == rank

# %% [markdown]
# One direction for each layer: from the baseline into all of the layer's contributors.
# Is that an accident of this data set?
# Count for all five presets.
# For the means, add the rows of the sum-to-zero rule, one for each layer.
# And ask what other kind of observation would help: one that adds to the rank.

# %% tags=["nbval-check-output"]
counted = {}
for name, preset in mlm.PRESETS.items():
    D = mlm.cell_statistics(preset.simulate(1000, rng=rng), "total", preset.names).design().toarray()
    owner = np.repeat(np.arange(len(preset.layers)), [len(layer) for layer in preset.layers])
    sum_to_zero = np.column_stack([np.zeros(len(preset.layers)), owner == np.arange(len(preset.layers))[:, None]])
    counted[name] = {
        "layers": len(preset.layers),
        "variances": D.shape[1],
        "rank": np.linalg.matrix_rank(D),
        "means": D.shape[1],
        "rank with sum-to-zero": np.linalg.matrix_rank(np.vstack([D, sum_to_zero])),
    }
counted = pd.DataFrame(counted).T
print(counted.to_string())
assert (counted["variances"] - counted["rank"] == counted["layers"]).all()
assert (counted["rank with sum-to-zero"] == counted["means"]).all()

baseline_alone, with_layer_1 = [1, 0, 0, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0, 0, 0]
print("\ncc_27 with rows of the baseline alone, rank:   ", np.linalg.matrix_rank([*design, baseline_alone]))
print("and with rows of baseline and layer_1, rank:   ", np.linalg.matrix_rank([*design, baseline_alone, with_layer_1]))

# %% [markdown]
# $J$ layers, $J$ flat directions for the variances, and none for the means once they sum to zero.
# This holds where cells link all contributors.
# If two contributors always appear together, more is lost.
# For data of your own, `mlm.identification(cells)` says in words which means and which spreads they fix.
#
# The last two lines are good news for whoever can plan the measurements.
# Rows that lack a layer, such as the baseline alone, raise the rank.
# With $J$ such kinds of rows, well chosen, all variances are identified.
# More rows of the old kinds never do.
#
# ## What the data do fix
#
# Whatever keeps its value when variance moves along the flat directions is identified:
#
# - the means,
# - the standard deviation of a total in each cell,
# - differences of variances inside a layer, $v_{jk} - v_{jl}$,
# - and the sum $A = v_0 + \sum_j \min_k v_{jk}$.
#
# The last one gives bounds.
# The smallest variance of a layer is the most that can move into the baseline, so $0 < v_0 < A$, and every value in
# between gives the same likelihood.
# The data say "at most $\sqrt A$" about `sigma_baseline`, and not a word more.


# %%
def quantities(posterior):
    """Return groups of quantities, first the identified ones."""
    draws = posterior["posterior"].to_dataset()
    v = {name: draws[f"sigma_{name}"] ** 2 for name in ("baseline", *layers)}
    chosen = {name: xr.DataArray(cells.codes[:, j], dims="cell") for j, name in enumerate(layers)}
    total = v["baseline"] + sum(v[name].isel({name: chosen[name]}).drop_vars(name) for name in layers)
    groups = {"means": draws[["mu_baseline", *(f"mu_{name}" for name in layers)]]}
    groups["sd of a total in each cell"] = xr.Dataset({"sd_total": np.sqrt(total)})
    differences = {
        f"difference_{name}": v[name].isel({name: slice(1, None)}) - v[name].isel({name: 0}, drop=True)
        for name in layers
    }
    groups["differences of variances in a layer"] = xr.Dataset(differences)
    largest = v["baseline"] + sum(v[name].min(name) for name in layers)
    groups["bound sqrt(A) of sigma_baseline"] = xr.Dataset({"bound": np.sqrt(largest)})
    groups["sigma_baseline"] = draws[["sigma_baseline"]]
    groups["sigma of contributors"] = draws[[f"sigma_{name}" for name in layers]]
    return groups


def flatten(function, dataset):
    """Apply a function to every variable and return all numbers in one vector."""
    return np.concatenate([function(x).values.ravel() for x in dataset.data_vars.values()])


def mean_and_sd(dataset):
    """Return posterior means and standard deviations of everything in a dataset."""
    dims = ["chain", "draw"]
    return flatten(lambda x: x.mean(dims), dataset), flatten(lambda x: x.std(dims), dataset)


groups = {name: quantities(fit) for name, fit in fits.items()}
agreement = []
for group in groups["mostly layers"]:
    (mean_a, sd_a), (mean_b, sd_b) = (mean_and_sd(groups[name][group]) for name in priors)
    shift = np.abs(mean_a - mean_b)
    relative = shift / np.sqrt((sd_a**2 + sd_b**2) / 2)
    agreement.append((group, len(shift), shift.max(), relative.max()))
columns = ["quantity", "how many", "largest difference between priors", "in posterior standard deviations"]
agreement = pd.DataFrame(agreement, columns=columns).set_index("quantity")
assert agreement.iloc[:4, 2].max() < 1 < 1.5 < agreement.loc["sigma_baseline"].iloc[2]
agreement.round(3)

# %% [markdown]
# Differences between priors are in units of the total, for differences of variances in its square.
# In the first four rows, the two answers differ by less than their own uncertainty.
# Any prior pulls a little; what counts is whether the pull fades as data come in.
# So give the same two compiled models more data.
#
# **Predict first.** From 10,000 to 1,000,000 rows, what becomes of the gap in `sigma_baseline`?

# %% mystnb={"image": {"alt": "Largest difference between the answers under two priors against the number of rows, both axes logarithmic. The line of sigma_baseline stays near 2; that of the standard deviations of totals falls towards zero, and so does that of the means."}}
gaps = []
for n_rows in (10_000, 100_000, 1_000_000):
    more = cells if n_rows == len(rows) else mlm.cell_statistics(truth.simulate(n_rows, rng=rng), "total", layers)
    means = {}
    for name in priors:
        refit = both_compiled[name].with_cells(more)
        found = fits[name] if more is cells else mlm.sample(refit, seed=SEED)
        mlm.check_convergence(found)
        means[name] = {group: mean_and_sd(dataset)[0] for group, dataset in quantities(found).items()}
    one, other = means.values()
    gaps.append({"rows": n_rows} | {group: np.abs(one[group] - other[group]).max() for group in one})
gaps = pd.DataFrame(gaps).set_index("rows")
assert gaps["sigma_baseline"].iloc[-1] > 1.5
assert gaps["sd of a total in each cell"].iloc[-1] < 0.02

fig, ax = plt.subplots()
for group, marker, role in [
    ("sigma_baseline", "o", "alternative"),
    ("bound sqrt(A) of sigma_baseline", "^", "prior"),
    ("sd of a total in each cell", "s", "estimate"),
    ("means", "D", "truth"),
]:
    ax.plot(gaps[group], f"{marker}-", color=mlm.COLORS[role], label=group)
ax.set(xscale="log", yscale="log", xlabel="rows", ylabel="difference between two priors\n(units of the total)")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# A hundred times the data, and the gap in `sigma_baseline` stays where it was.
# Everything that is identified agrees better and better, down to Monte Carlo error.
#
# ## The prior alone decides, and you can compute how
#
# Given $A$ and the differences inside the layers, what is left open is how $A$ is shared: $p_0$ to the baseline, $p_j$
# to layer $j$.
# The likelihood does not contain $p$.
# So its posterior, given $A$, is its prior, given $A$.
# Here a variance has an exponential prior with mean $s^2$, so its density falls like $\exp(-v / s^2)$.
# The part $A\, p_j$ is in the variance of each of the $m_j$ contributors of layer $j$, so it counts $m_j$ times:
#
# $$p(p_0, \dots, p_J \mid A) \propto \exp\Big(-A \sum_j b_j\, p_j\Big), \qquad b_j = m_j / s_j^2, \quad m_0 = 1 .$$
#
# For two layers the density of $p_0$ follows in closed form.
# No totals enter except through $A$.
# So no sampler is needed to see what any prior makes of these data.
#
# **Predict first.** Let the share that the prior expects in the baseline go from 2 % to 98 %.
# Which values of `sigma_baseline` can you make the posterior report?


# %% mystnb={"image": {"alt": "Two panels. Left, the sampled histograms of sigma_baseline under two priors, each with a matching black outline of draws from the prior given A. Right, a band of the posterior of sigma_baseline that rises from below 2 to 5 as the share expected by the prior grows from 0 to 1; two sampled intervals lie on the band."}}
def draw_sigma_baseline(A, prior):
    """Draw sigma_baseline from its prior given A, by inverting the distribution function on a grid."""
    b_0 = 1 / prior.sigma_scale_of("baseline") ** 2
    b_1, b_2 = (len(truth[name]) / prior.sigma_scale_of(name) ** 2 for name in layers)
    p_0 = (np.arange(1000) + 0.5) / 1000
    left, a = 1 - p_0, A[:, None]
    density = np.exp(-a * b_0 * p_0) * (np.exp(-a * b_2 * left) - np.exp(-a * b_1 * left)) / (b_1 - b_2)
    distribution = density.cumsum(axis=1) / density.sum(axis=1, keepdims=True)
    position = (distribution < rng.random((len(A), 1))).sum(axis=1)
    return np.sqrt(A * p_0[position])


predicted = {}
for name, fit in fits.items():
    sampled = fit["posterior"]["sigma_baseline"]
    A = quantities(fit)["bound sqrt(A) of sigma_baseline"]["bound"].values.ravel() ** 2
    predicted[name] = draw_sigma_baseline(A, priors[name])
    difference = predicted[name].mean() - float(sampled.mean())
    error = np.hypot(float(az.mcse(sampled)), predicted[name].std() / np.sqrt(predicted[name].size))
    print(
        f"{name:<13} sampled {float(sampled.mean()):.3f}, from the prior given A {predicted[name].mean():.3f}, ", end=""
    )
    print(f"difference {difference / error:+.1f} standard errors")
    assert abs(difference) < 5 * error

fig, axes = plt.subplots(1, 2, figsize=(11, 4))
for name, fit in fits.items():
    draws = fit["posterior"]["sigma_baseline"].values.ravel()
    axes[0].hist(draws, edges, density=True, color=mlm.COLORS[roles[name]], alpha=0.6, label=f"sampled, {name}")
    axes[0].hist(predicted[name], edges, density=True, histtype="step", color=mlm.COLORS["truth"])
axes[0].plot([], color=mlm.COLORS["truth"], label="from the prior given A")
axes[0].set(xlabel="sigma_baseline, in units of the total", ylabel="density")
A = quantities(idata)["bound sqrt(A) of sigma_baseline"]["bound"].values.ravel() ** 2
shares = np.linspace(0.02, 0.98, 33)
bands = np.array([np.quantile(draw_sigma_baseline(A, split_prior(s)), [0.055, 0.5, 0.945]) for s in shares])
axes[1].fill_between(shares, bands[:, 0], bands[:, 2], color=mlm.COLORS["data"], label="89 % of the posterior")
axes[1].plot(shares, bands[:, 1], color=mlm.COLORS["truth"], linewidth=1, label="median")
axes[1].axhline(5, color=mlm.COLORS["truth"], linestyle="--", linewidth=1, label="truth")
for (name, fit), share, marker in zip(fits.items(), (1 / 3, 0.1), "os", strict=True):
    low, middle, high = fit["posterior"]["sigma_baseline"].quantile([0.055, 0.5, 0.945]).values
    style = {"color": mlm.COLORS[roles[name]], "capsize": 4, "fmt": marker, "label": f"sampled, {name}"}
    axes[1].errorbar(share, middle, [[middle - low], [high - middle]], **style)
axes[1].set(xlabel="share of the variance that the prior expects in the baseline", ylim=(0, 5.8))
axes[1].set_ylabel("sigma_baseline (units of the total)")
axes[0].legend(loc="upper left")
axes[1].legend(loc="lower right")
plt.show()

# %% [markdown]
# On the left you have reproduced two posteriors of `sigma_baseline` from a prior and the draws of one quantity, $A$.
# On the right you can have almost any value up to $\sqrt A$, as you like.
# The right panel takes $A$ from the fit under equal shares; under another prior $A$ itself moves a little, as the table
# above showed.
# The formula also explains why equal shares gave too small an answer: the prior spreads variance over baseline and
# layers, and these data were made with nearly all of it in the baseline.
#
# ## Power scaling finds it without a second fit
#
# You will not always think of a second prior.
# `az.psense_summary` raises prior and likelihood to powers near 1 and asks which posteriors move.
# It needs the log density of both at every draw.
# PyMC computes them from the same model written with plain parameters, `coordinates="log"`, which you meet again below.

# %%
log_model = mlm.cell_model(cells, priors=equal_shares, coordinates="log")
checked = idata.copy()
checked["posterior"] = idata["posterior"].to_dataset().merge(quantities(idata)["sd of a total in each cell"])
with log_model:
    pm.stats.compute_log_likelihood(checked, progressbar=False)
    pm.stats.compute_log_prior(checked, progressbar=False)
sigmas = ["sigma_baseline", "sigma_layer_1", "sigma_layer_2"]
sensitivity = az.psense_summary(checked, var_names=["mu_baseline", "mu_layer_1", "mu_layer_2", *sigmas, "sd_total"])
flagged = sensitivity["prior"] >= 0.05  # ArviZ's own limit
assert flagged["sigma_baseline"]
assert not flagged[sensitivity.index.str.startswith(("mu", "sd_total"))].any()
sensitivity

# %% [markdown]
# The means and the standard deviations of totals move with the likelihood and hardly with the prior.
# (A number says how far a posterior moves; ArviZ flags the prior from 0.05 on.)
# `sigma_baseline` and the contributors' standard deviations move with the prior, and the last column says so in words where the limit is passed.
# A number close to the limit says much the same on either side of it, so read the numbers, not only the words.
# Read this table for every model whose parameters you report.
# It is a local check, of powers near 1, so no flag is no proof; the rank of the design is.
#
# ## Coordinates along and across the ridge
#
# A flat direction is also a trap for samplers.
# In logarithms of the standard deviations it is a long, thin, bent ridge: a step along it soon leaves it sideways.
# So let the sampler walk in other coordinates, some that the data fix and some that only the prior knows:
#
# | coordinate | what it is | who decides |
# |---|---|---|
# | $t$ | locates $T = v_0 + \sum_j v_{j,r_j}$, with a reference contributor $r_j$ for each layer | data |
# | $c_{jk}$ | $v_{jk} - v_{j,r_j}$, in units of its rough posterior scale $d_{jk}$ | data |
# | logits | $\log(p_j / p_0)$: how $A$ is shared among baseline and layers | prior |
#
# The reference is the layer's contributor with most observations.
# The way back, from these coordinates to standard deviations, takes a few lines if contributors have many observations,
# as all of ours have.
#
# Changing coordinates must not change the model.
# The density in the new coordinates carries the log determinant of the Jacobian, as in notebook 06.
# If that term is right, the posterior is the same, so check it against finite differences.
# A constant may differ, because it cancels.


# %%
transform = mlm.IdentifiedScales(
    [cells.counts(name) for name in layers], [equal_shares.sigma_scale_of(name) ** 2 for name in layers], variance
)
references = [int(np.argmax(cells.counts(name))) for name in layers]
unit = 3 * variance * np.sqrt(2 / len(rows))


def softplus(x):
    """Return log(1 + exp(x)): positive, and close to x where x is large."""
    return np.logaddexp(0, x)


def standard_deviations(coordinates):
    """Go from t, differences c (two of layer_1, three of layer_2) and two logits to eight standard deviations."""
    t, by_layer, logits = coordinates[0], np.split(coordinates[1:6], [2]), coordinates[6:]
    scaled, floors = [], []
    for name, r, c in zip(layers, references, by_layer, strict=True):
        scaled.append(c * variance * np.sqrt(2 / np.delete(cells.counts(name), r)))
        floors.append(max(0.0, -scaled[-1].min()))  # what the reference needs so that no variance is negative
    A = unit * softplus(t - sum(floors) / unit)
    p = np.exp(np.append(0, logits))
    p = p / p.sum()
    v = [np.array([A * p[0]])]
    for j, r in enumerate(references):
        v_reference = A * p[j + 1] + floors[j]
        v.append(np.insert(v_reference + scaled[j], r, v_reference))
    return np.sqrt(np.concatenate(v))


point = pt.vector("point")
package = pytensor.function([point], [transform.backward(point), transform.log_jac_det(point)])
center = np.concatenate([[variance / unit], np.zeros(7)])
points = [center + rng.normal(size=8) for _ in range(20)]
for coordinates in points:
    np.testing.assert_allclose(standard_deviations(coordinates), package(coordinates)[0], rtol=1e-8)
print("20 random points: the lines above and mlm.IdentifiedScales agree")


def numerical_log_determinant(coordinates, step=1e-5):
    """Return the log determinant of the Jacobian by finite differences."""
    columns = [
        (standard_deviations(coordinates + step * e) - standard_deviations(coordinates - step * e)) / (2 * step)
        for e in np.eye(8)
    ]
    return np.linalg.slogdet(np.column_stack(columns))[1]


offsets = np.array([package(x)[1] - numerical_log_determinant(x) for x in points])
np.testing.assert_allclose(offsets, np.median(offsets), atol=1e-5)
print(f"offset between formula and numbers: {np.median(offsets):.5f}, spread {np.ptp(offsets):.0e}")

# %% [markdown]
# Same model, same prior, same data; now both coordinate systems, three seeds each.
#
# **Predict first.** With which coordinates will the number of divergences be zero?

# %%
log_compiled = mlm.compile_model(log_model)
comparison = []
for seed in (SEED, SEED + 1, SEED + 2):
    for coordinates, sampler in {"log": log_compiled, "identified": compiled}.items():
        fit = mlm.sample(sampler, seed=seed)
        row = mlm.efficiency(fit).iloc[0]
        divergences = int(fit["sample_stats"]["diverging"].sum())
        columns = ["converged", "min_ess_bulk", "sampling_seconds", "ess_bulk_per_second"]
        comparison.append({"coordinates": coordinates, "seed": seed, "divergences": divergences, **row[columns]})
comparison = pd.DataFrame(comparison).set_index(["coordinates", "seed"]).sort_index(ascending=[False, True])
assert not comparison.loc["log", "converged"].any()
assert comparison.loc["identified", "converged"].all()
comparison.round({"min_ess_bulk": 0, "sampling_seconds": 2, "ess_bulk_per_second": 0})

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two scatter plots of the same posterior draws. Left, logarithms of the standard deviations of baseline and a contributor: a thin bent band with a corner. Right, total reference variance against a logit of the shares: a shapeless cloud without correlation."}} tags=["hide-input"]
draws = idata["posterior"].to_dataset().isel(draw=slice(None, None, 2))
v_0, v_1, v_2 = (draws[name] ** 2 for name in sigmas)
reference_total = v_0 + v_1.isel(layer_1=references[0]) + v_2.isel(layer_2=references[1])
logit = np.log(v_1.min("layer_1") / v_0)
style = {"marker": ".", "linestyle": "none", "color": mlm.COLORS["estimate"], "alpha": 0.3}
fig, axes = plt.subplots(1, 2, figsize=(10, 4))
axes[0].plot(np.log(draws["sigma_baseline"]).values.ravel(), np.log(v_1.isel(layer_1=0)).values.ravel() / 2, **style)
axes[0].set(title="log coordinates", xlabel="log sigma_baseline", ylabel="log sigma_layer_1[0]")
axes[1].plot(reference_total.values.ravel(), logit.values.ravel(), **style)
axes[1].set(
    title="identified coordinates", xlabel="T, in squared units of the total", ylabel="logit of layer_1's share"
)
plt.show()

# %% [markdown]
# The log coordinates fail with every seed.
# An ESS per second of chains that have not converged means nothing, so the table has none.
# The identified coordinates pass each time.
# The figure shows draws of one fit in both systems.
# On the left a bend, whose width changes along its way; no single step size fits it.
# On the right a cloud.
# Good coordinates make a ridge easy to walk.
# They do not make the data say more.
#
# ## Calibration: right on average over the prior
#
# *Simulation-based calibration* checks model and sampler together.
# Draw parameters from the prior, simulate data from them, fit, and note the rank of the true value among posterior
# draws.
# If everything is right, ranks are uniform, for each parameter.
# 200 fits take a while, and a line counts them; the model is compiled once.
# `mlm.calibrate` returns a Dataset of ranks, with the names that the parameters have in a posterior, and `total` for the standard deviation of a total in each cell.
#
# The figure shows the cumulative distribution of the ranks minus the uniform one.
# The grey band holds one curve as a whole with a probability of 99 %.
# Of so many curves one may leave it by chance, and then others in its company: totals of cells that share a contributor
# have similar ranks.
# So do not decide by eye.
# Test each quantity's ranks for uniformity, and divide the probability of a false alarm, here 1 in 10,000, by the
# number of tests.
# A test that cannot fail is worth nothing, so give it also the ranks of posteriors three times too narrow.


# %% mystnb={"image": {"alt": "Curves of the cumulative distribution of ranks minus the uniform one, one for each parameter and each cell's total, inside a grey band around zero, with few or no exceptions."}}
def least_p_value(fractions):
    """Return the smallest of the Kolmogorov-Smirnov tests of uniformity, one a column."""
    return min(stats.kstest(column, "uniform").pvalue for column in fractions.T)


ranks = mlm.calibrate(cells, 200, seed=SEED, draws=250, tune=300, compiled=compiled)
by_quantity = az.dataset_to_dataframe(ranks, sample_dims=["simulation"])  # one row a replicate
print(f"{len(by_quantity)} replicates, {by_quantity.shape[1]} quantities, {ranks.attrs['failed']} fits with a warning")
mlm.plot_calibration(ranks)
plt.show()

fractions = (by_quantity.to_numpy() + rng.random(by_quantity.shape)) / (ranks.attrs["n_ranks"] + 1)
limit = 1e-4 / fractions.shape[1]
too_narrow = stats.norm.cdf(3 * stats.norm.ppf(fractions))
print(f"least p-value {least_p_value(fractions):.1e}; alarm below {limit:.1e}")
print(f"posteriors three times too narrow: {least_p_value(too_narrow):.1e}")
assert least_p_value(fractions) > limit
assert least_p_value(too_narrow) < limit

# %% [markdown]
# Model and sampler pass, `sigma_baseline` included.
# And `sigma_baseline` is still decided by the prior.
# There is no contradiction.
# The true values of a calibration are drawn from the prior, so a posterior that only repeats the prior is right on
# average.
# See it with no data at all: rank draws of the prior among draws of the prior.
# Then let the true values come from another prior than the one in the model.

# %%
n_replicates, n_draws = 200, 100
scale = equal_shares.sigma_scale_of("baseline") / np.sqrt(2)
true_values = stats.rayleigh.rvs(scale=scale, size=(n_replicates, 1), random_state=rng)
answers = stats.rayleigh.rvs(scale=scale, size=(n_replicates, n_draws), random_state=rng)
no_data = (answers < true_values).mean(axis=1)
print(f"no data, the prior as the answer: p = {stats.kstest(no_data, 'uniform').pvalue:.2g}")

for name, world in {"the model's own prior": equal_shares, "another prior": split_prior(0.8)}.items():
    v_0 = rng.exponential(world.sigma_scale_of("baseline") ** 2, n_replicates)
    smallest = [
        rng.exponential(world.sigma_scale_of(k) ** 2, (n_replicates, len(truth[k]))).min(axis=1) for k in layers
    ]
    A = v_0 + sum(smallest)  # as if the data had fixed it without error
    answers = draw_sigma_baseline(np.repeat(A, n_draws), equal_shares).reshape(n_replicates, n_draws)
    fraction = (answers < np.sqrt(v_0)[:, None]).mean(axis=1)
    p = stats.kstest(fraction, "uniform").pvalue
    print(f"truth from {name}, all data that one could wish for: p = {p:.2g}")
assert p < 1e-4

# %% [markdown]
# Calibration says that the computation is right.
# It does not say that the data decide, and it does not say that your prior is that of the world.
# In a world with another split, the same model is wrong about `sigma_baseline` however much data it sees.
#
# ## What may be claimed
#
# - **May be claimed from the data:** contributors' means; the mean and standard deviation of totals in each cell; which
#   contributor of a layer varies more, and by how much variance; that `sigma_baseline` is at most $\sqrt A$.
# - **May be claimed with the prior named beside it:** `sigma_baseline`, every `sigma` of a contributor, and the share
#   of the variance that is "due to" a layer. Show the answer under a second prior.
# - **May not be claimed:** that convergence, a good predictive check, calibration or more rows of the same kind turn the
#   second list into the first.
#
# Notebook [12](12_decomposing_a_total.ipynb) splits single totals into contributions, and keeps to these rules.
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
# - Convergence is about the sampler, predictive checks are about the data's distribution. Neither is about
#   identification.
# - A constant moved from the baseline's variance into all variances of a layer leaves the likelihood exactly as it was:
#   $J$ layers, $J$ flat directions.
# - The rank of the design counts them before you fit. `az.psense_summary` and a second prior show them after.
# - Report identified quantities as findings, and the split with its prior.
# - Coordinates along and across a ridge make sampling fast. They add no information.
#
# ## Going further
#
# - Sean Talts, Michael Betancourt, Daniel Simpson, Aki Vehtari and Andrew Gelman (2018). Validating Bayesian inference
#   algorithms with simulation-based calibration. [arXiv:1804.06788](https://arxiv.org/abs/1804.06788)
# - Noa Kallioinen, Topi Paananen, Paul-Christian Bürkner and Aki Vehtari (2024). Detecting and diagnosing prior and
#   likelihood sensitivity with power-scaling. *Statistics and Computing* 34.
#   [doi:10.1007/s11222-023-10366-5](https://doi.org/10.1007/s11222-023-10366-5)
# - Teemu Säilynoja, Paul-Christian Bürkner and Aki Vehtari (2022). Graphical test for discrete uniformity and its
#   applications in goodness-of-fit evaluation and multiple sample comparison. *Statistics and Computing* 32.
#   [doi:10.1007/s11222-022-10090-6](https://doi.org/10.1007/s11222-022-10090-6)
# - Thomas J. Rothenberg (1971). Identification in parametric models. *Econometrica* 39(3).
#   [doi:10.2307/1913267](https://doi.org/10.2307/1913267)
# - Charles F. Manski (2003). *Partial Identification of Probability Distributions*. Springer.

# %%
print(mlm.version_line())
