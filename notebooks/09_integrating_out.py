# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 09 Integrating out
#
# Notebooks 05 and 06 drew a contribution for every layer of every row.
# With 500 rows and two layers that made 1,000 unknowns, of which nobody asked to see a single one.
# The question was about 16 parameters.
# In this notebook you remove the contributions from the model by algebra, exactly, and then you remove the rows too.
# What is left of 10,000 rows is a table of 12 lines, and the posterior is the same.
#
# **You will learn** to
#
# 1. integrate normal contributions out of a sum, and check such a derivation with numbers;
# 2. reduce the rows of each cell (a combination of contributors) to three numbers, and compute the log likelihood from these alone;
# 3. merge the cells of separate parts of the data;
# 4. write a multivariate custom distribution for PyMC, with a log density and random draws;
# 5. recognize the textbook formula for a sum of squares that fails on a computer;
# 6. measure what one evaluation of a log density costs, and show that two models have one posterior.
#
# **You need** [01](01_simulating_sums.ipynb), [04](04_custom_distribution.ipynb) and
# [06](06_noncentered.ipynb).
#
# **Time** About 35 minutes to read, one to two minutes to run.

# %%
import time
import warnings

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
from scipy import stats

import mlm_tutorial as mlm

SEED = mlm.notebook_seed(678)
rng = np.random.default_rng(SEED)
mlm.use_style()
# A random function written in NumPy cannot be compiled. It runs as Python, and that is what this warning says.
warnings.filterwarnings("ignore", message="Numba will use object mode")

# %% [markdown]
# The data are 10,000 totals of the preset `cc_27`: a baseline, a layer of three contributors and a layer of four.
# Every contributor has a standard deviation of 1 and the baseline one of 5.
# The means are centred, so they sum to zero in each layer.

# %%
truth = mlm.PRESETS["cc_27"].centered()
layers = ["layer_1", "layer_2"]
rows = truth.simulate(10_000, rng=SEED)
truth.to_frame().round(2)

# %% [markdown]
# ## A sum of independent normals is normal
#
# Take one layer first.
# Its contribution $y$ is normal with mean $m$ and variance $v$.
# Everything else that is in the total, call it $e$, is normal with mean $c$ and variance $r$, and independent of $y$.
# You see $x = y + e$ only, so you must add up all the ways in which $y$ could have been part of $x$:
#
# $$p(x) = \int \text{Normal}(y \mid m, v)\; \text{Normal}(x - y \mid c, r)\; dy .$$
#
# In this section the second argument of Normal is a variance.
# Both factors are exponentials of a square in $y$.
# Complete the square: collect the terms in $y^2$ and $y$, and write what is left over apart.
# The product becomes
#
# $$\text{Normal}(y \mid m, v)\; \text{Normal}(x - y \mid c, r)
# = \underbrace{\text{Normal}(x \mid m + c,\; v + r)}_{\text{no } y \text{ in here}}\;
# \underbrace{\text{Normal}\!\left(y \,\middle|\, m + w\,(x - m - c),\; w\,r\right)}_{\text{integrates to 1}},
# \qquad w = \frac{v}{v + r}.$$
#
# The integral over $y$ leaves the first factor: **means add, variances add**.
# Nothing is lost, since the second factor tells how $y$ is distributed once $x$ is known.
# Notebook [12](12_decomposing_a_total.ipynb) is built on it.
#
# Never trust completed squares that you did not check.
# Here are both sides of the equation at 1,000 random settings.


# %% tags=["nbval-check-output"]
def normal(x, mean, variance):
    """Return the density of the normal distribution with this variance."""
    return np.exp(-((x - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)


m, c, y, x = rng.normal(0, 2, size=(4, 1000))
v, r = rng.uniform(0.5, 4, size=(2, 1000))
w = v / (v + r)
left = normal(y, m, v) * normal(x - y, c, r)
right = normal(x, m + c, v + r) * normal(y, m + w * (x - m - c), w * r)
np.testing.assert_allclose(left, right, rtol=1e-9)
print("both sides agree at 1,000 settings, to nine digits or more")

# %% [markdown]
# With $J$ layers you do this $J$ times.
# Each time one layer's contribution leaves the integral, and its mean and variance join those of the rest.
# So the total of observation $i$, whose contributor in layer $j$ is $k_j(i)$, is
#
# $$x_i \sim \text{Normal}\Big(\mu_0 + \sum_j \mu_{j,k_j(i)},\; v_0 + \sum_j v_{j,k_j(i)}\Big), \qquad v = \sigma^2 .$$
#
# This is the *marginal* distribution of the total: the one that is left when all other unknowns of the observation are
# integrated out.
#
# Now the same by brute force, without any algebra.
# Put a grid over both contributions and add up the density of everything that gives the total $x$.

# %%
combination = {"layer_1": 0, "layer_2": 0}
(mu_0,), (sigma_0,) = truth.baseline.mu, truth.baseline.sigma
mu_1, sd_1 = truth["layer_1"].coefficients[combination["layer_1"]]
mu_2, sd_2 = truth["layer_2"].coefficients[combination["layer_2"]]

grid_1 = np.linspace(mu_1 - 9 * sd_1, mu_1 + 9 * sd_1, 400)[:, None]
grid_2 = np.linspace(mu_2 - 9 * sd_2, mu_2 + 9 * sd_2, 400)[None, :]
area = (grid_1[1, 0] - grid_1[0, 0]) * (grid_2[0, 1] - grid_2[0, 0])
checks = []
for total in (-10.0, 0.0, 4.0, 15.0):
    y_baseline = total - grid_1 - grid_2
    joint = normal(grid_1, mu_1, sd_1**2) * normal(grid_2, mu_2, sd_2**2) * normal(y_baseline, mu_0, sigma_0**2)
    formula = normal(total, mu_0 + mu_1 + mu_2, sigma_0**2 + sd_1**2 + sd_2**2)
    checks.append({"total": total, "integrated on a grid": joint.sum() * area, "formula": formula})
checks = pd.DataFrame(checks)
np.testing.assert_allclose(checks["integrated on a grid"], checks["formula"], rtol=1e-9)
checks

# %% [markdown]
# 160,000 grid points and one line of algebra give the same density.
# The sampler of notebook 06 did the work of the grid, one random draw at a time.
#
# **Predict first.** The simulation never used the formula: it drew contributions and added them.
# How many different bell curves do you need to describe 10,000 totals of `cc_27`?

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Twelve small histograms of totals in three rows and four columns, one for each combination of contributors. A black normal curve lies on each histogram; the curves have the same width and different centres."}} tags=["hide-input"]
expected = truth.combinations().set_index(layers)
edges = np.linspace(rows["total"].min(), rows["total"].max(), 40)
x = np.linspace(edges[0], edges[-1], 200)
fig, axes = plt.subplots(3, 4, figsize=(10, 6), sharex=True, sharey=True)
for (k1, k2), curve in expected.iterrows():
    ax = axes[k1, k2]
    part = rows.loc[(rows["layer_1"] == k1) & (rows["layer_2"] == k2), "total"]
    ax.hist(part, edges, density=True, color=mlm.COLORS["data"], edgecolor="white", label="simulated totals")
    ax.plot(x, normal(x, curve["mu"], curve["sigma"] ** 2), color=mlm.COLORS["truth"], label="formula")
    ax.set_title(f"layer_1 = {k1}, layer_2 = {k2}", fontsize="medium")
    ax.set_yticks([])
fig.supxlabel("total, in units of the total")
fig.supylabel("density")
fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
plt.show()

z = rows.merge(expected.reset_index(), on=layers).eval("(total - mu) / sigma")
test = stats.kstest(z, "norm")
print(f"{len(expected)} curves for {len(rows):,} totals")
print(f"Kolmogorov-Smirnov test of the standardized totals against the standard normal: p = {test.pvalue:.2f}")
assert test.pvalue > 1e-5  # a right formula fails here once in 100,000 seeds

# %% [markdown]
# Twelve: three contributors times four.
# A set of rows with the same contributors is called a *cell*.
# All rows of a cell share one mean and one variance, and that is the key to the rest of this notebook.
#
# ## All that the rows of a cell can say is three numbers
#
# Write $M$ and $V$ for the mean and variance that the model gives a cell.
# The log likelihood of its $n$ rows is
#
# $$-\frac{n}{2} \log(2\pi V) - \frac{1}{2V} \sum_{i=1}^{n} (x_i - M)^2 .$$
#
# Split each deviation at the cell's average $\bar x$, as $(x_i - \bar x) + (\bar x - M)$, and square.
# The mixed terms cancel, because deviations from an average sum to zero:
#
# $$\sum_i (x_i - M)^2 = \underbrace{\sum_i (x_i - \bar x)^2}_{S} + n\,(\bar x - M)^2 .$$
#
# So the rows enter the likelihood through $n$, $\bar x$ and the *centred sum of squares* $S$, and in no other way.
# Such numbers are called *sufficient statistics*: two data sets that share them have the same posterior, whatever the
# prior.

# %%
cells = mlm.cell_statistics(rows, "total", layers)
print(cells)
cells.to_frame().round(2)

# %% [markdown]
# That is the whole data set, as far as this model is concerned.
# Check it: the log likelihood of all rows against that of the 12 cells, at parameter values drawn at random.

# %%
totals = rows["total"].to_numpy()
cell_of_row = rows.groupby(layers, observed=True, sort=True).ngroup().to_numpy()


def log_likelihood_of_rows(mean, variance):
    """Add up log densities, row by row; `mean` and `variance` hold one number a cell."""
    return stats.norm.logpdf(totals, mean[cell_of_row], np.sqrt(variance)[cell_of_row]).sum()


def log_likelihood_of_cells(mean, variance):
    """Compute the same from the sufficient statistics."""
    squares = cells.sum_sq + cells.n * (cells.mean - mean) ** 2
    return np.sum(-cells.n / 2 * np.log(2 * np.pi * variance) - squares / (2 * variance))


settings = [(rng.normal(0, 5, 12), rng.uniform(5, 60, 12)) for _ in range(100)]
by_rows = np.array([log_likelihood_of_rows(*setting) for setting in settings])
by_cells = np.array([log_likelihood_of_cells(*setting) for setting in settings])
np.testing.assert_allclose(by_rows, by_cells, rtol=1e-10)
print(f"largest relative difference at 100 settings: {np.max(np.abs(by_rows / by_cells - 1)):.0e}")

# %% [markdown]
# Equal to rounding error.
# This is no approximation: it is exact for 10 rows as for 10,000.
#
# ## A cell as a distribution
#
# PyMC has no distribution for "average and sum of squares of $n$ normal observations".
# Notebook [04](04_custom_distribution.ipynb) said what it asks of one; here the value is a vector of two numbers.
# The *signature* `(),(),()->(2)` says so: three scalar parameters in, which are `mu`, `sigma` and `n`, and a vector of length 2 out.
# PyMC repeats the distribution over cells by broadcasting.
#
# From here on $\mu = M$ and $\sigma = \sqrt V$ are the mean and standard deviation of a total in the cell, and the second argument of Normal is a standard deviation again.
# The random draws need the distribution of both statistics.
# The two are independent: $\bar x \sim \text{Normal}(\mu, \sigma / \sqrt n)$ and $S \sim \sigma^2 \chi^2_{n-1}$.
# Here $\chi^2_{n-1}$, chi-squared with $n - 1$ degrees of freedom, is the distribution of a sum of $n - 1$ squared independent standard normals.
# A cell with one row has no spread: its $S$ is 0.


# %%
def cells_logp(value, mu, sigma, n):
    """Return the log density of the cells' rows."""
    mean, sum_sq = value[..., 0], value[..., 1]
    return -n / 2 * pt.log(2 * np.pi * sigma**2) - (sum_sq + n * (mean - mu) ** 2) / (2 * sigma**2)


def cells_random(mu, sigma, n, rng=None, size=None):
    """Draw averages and sums of squares."""
    mean = rng.normal(mu, sigma / np.sqrt(n), size=size)
    chi_squared = rng.chisquare(np.maximum(n - 1, 1), size=size)
    sum_sq = np.where(n > 1, sigma**2 * chi_squared, 0.0)
    return np.stack([mean, sum_sq], axis=-1)


def normal_cells(mu, sigma, n):
    """Make a variable, outside of a model, for any number of cells."""
    return pm.CustomDist.dist(mu, sigma, n, logp=cells_logp, random=cells_random, signature="(),(),()->(2)")


# %% [markdown]
# The package has the same distribution as a class, `mlm.NormalCells`.
# It can do more, such as refuse a negative sum of squares, but its log density must be the one above.
# Compare both with the rows.

# %%
statistics = np.column_stack([cells.mean, cells.sum_sq])
mean, variance = settings[0]
arguments = (mean, np.sqrt(variance), cells.n.astype(float))
ours = pm.logp(normal_cells(*arguments), statistics).eval()
package = pm.logp(mlm.NormalCells.dist(*arguments), statistics).eval()
each_row = stats.norm.logpdf(totals, mean[cell_of_row], np.sqrt(variance)[cell_of_row])
row_sums = np.bincount(cell_of_row, weights=each_row)

np.testing.assert_allclose(ours, package, rtol=1e-12)
np.testing.assert_allclose(ours, row_sums, rtol=1e-10)
columns = {"written out here": ours, "mlm.NormalCells": package, "sum over the cell's rows": row_sums}
pd.DataFrame(columns, index=pd.MultiIndex.from_frame(cells.to_frame()[layers])).round(3)

# %% [markdown]
# An expert will ask: is that the density *of* $(\bar x, S)$?
# Not quite.
# It is the density of the rows, and the two differ by a factor.
# If the factor held a parameter, the posterior would be wrong.
# So compute both at different parameters and look at the difference.

# %%
n, average, sum_sq = cells.n[0], cells.mean[0], cells.sum_sq[0]
comparison = []
for mu, sigma in [(0, 4), (2, 5), (-3, 6), (10, 9)]:
    density_of_rows = float(pm.logp(normal_cells(mu, sigma, n), statistics[0]).eval())
    density_of_average = stats.norm.logpdf(average, mu, sigma / np.sqrt(n))
    density_of_sum_sq = stats.chi2.logpdf(sum_sq / sigma**2, n - 1) - np.log(sigma**2)
    density_of_both = density_of_average + density_of_sum_sq
    comparison.append((mu, sigma, density_of_rows, density_of_both, density_of_both - density_of_rows))
columns = ["mu", "sigma", "log density of the rows", "of average and sum of squares", "difference"]
comparison = pd.DataFrame(comparison, columns=columns)
np.testing.assert_allclose(comparison["difference"], comparison["difference"].mean(), rtol=1e-9)
comparison.round(3)

# %% [markdown]
# The difference is a constant.
# It depends on $n$ and on the data, never on `mu` or `sigma`, so no posterior can notice.
# Fisher's factorization says that this is what sufficiency means.
# Keeping the density of the rows has an advantage: log likelihoods of rows and cells can be compared directly.
#
# ## The draws are those of real rows
#
# **Predict first.** Take cells of $n = 6$ rows from a normal with standard deviation 5.
# Does the sum of squares have a symmetric distribution?
# Where is its average?

# %% mystnb={"image": {"alt": "Two panels of histograms. Left, averages of cells of six rows: a symmetric bell around 2. Right, sums of squares: skewed to the right with a long tail. In both, the blue outline of direct draws follows the grey bars of simulated rows."}}
n_small, mu, sigma, n_draws = 6, 2.0, 5.0, 4000
drawn = pm.draw(normal_cells(mu, sigma, n_small), draws=n_draws, random_seed=SEED)
small = rng.normal(mu, sigma, size=(n_draws, n_small))
from_rows = np.column_stack([small.mean(axis=1), ((small - small.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)])
for j, name in enumerate(["average", "sum of squares"]):
    p = stats.ks_2samp(drawn[:, j], from_rows[:, j]).pvalue
    print(f"{name:<15} drawn {drawn[:, j].mean():7.2f}   from rows {from_rows[:, j].mean():7.2f}   p = {p:.2f}")
    assert p > 1e-5  # by chance once in 100,000 seeds
print(f"expected: {mu:.2f} and (n - 1) sigma^2 = {(n_small - 1) * sigma**2:.0f}")

fig, axes = plt.subplots(1, 2, figsize=(9, 3.5))
units = ["average of a cell, in units of the total", "sum of squares, in squared units of the total"]
for j, (ax, unit) in enumerate(zip(axes, units, strict=True)):
    bins = np.histogram_bin_edges(from_rows[:, j], 40)
    ax.hist(from_rows[:, j], bins, color=mlm.COLORS["data"], label="computed from rows")
    ax.hist(drawn[:, j], bins, histtype="step", color=mlm.COLORS["estimate"], linewidth=2, label="drawn directly")
    ax.set_xlabel(unit)
    ax.set_yticks([])
axes[0].set_ylabel("share of cells")
axes[1].legend()
plt.show()

# %% [markdown]
# The sum of squares is skewed, and its average is $(n - 1)\sigma^2$.
# With these draws you can make prior and posterior predictive checks of averages and spreads from cells alone.
# The shape within a cell, such as the skewness in [07](07_diagnostics.ipynb), can only be checked on rows.
#
# ## The formula that you must not use
#
# Many books compute $S$ as $\sum x_i^2 - n \bar x^2$.
# On paper that is the same.
#
# **Predict first.** Add a constant to every total.
# The spread does not change, so $S$ must not.
# What does the book's formula say when the constant is a thousand million?


# %%
def sum_sq_of_the_books(x):
    """Compute a sum of squares the wrong way."""
    return np.sum(x**2) - len(x) * np.mean(x) ** 2


one_cell = totals[cell_of_row == 0]
table = []
for offset in (0.0, 1e3, 1e6, 1e9):
    shifted = one_cell + offset
    two_passes = np.sum((shifted - shifted.mean()) ** 2)
    package = mlm.cell_statistics(rows.assign(total=totals + offset), "total", layers).sum_sq[0]
    table.append((f"{offset:.0e}", sum_sq_of_the_books(shifted), two_passes, package))
table = pd.DataFrame(table, columns=["offset", "sum(x^2) - n mean^2", "sum((x - mean)^2)", "mlm.cell_statistics"])
table = table.set_index("offset")
right = table.iloc[0, 1]
assert abs(table.iloc[-1, 0] / right - 1) > 0.5  # not a single digit is right
np.testing.assert_allclose(table.iloc[:, 1:], right, rtol=1e-6)
size = np.sum((one_cell + 1e9) ** 2)
gap = np.spacing(size)
print(f"with 1e9 added, sum(x^2) is {size:.1e}; the next number that a 64-bit float can hold is {gap:,.0f} away")
table.round(3)

# %% [markdown]
# The two terms of the book's formula are huge and almost equal.
# Their difference is smaller than the gap between neighbouring floating point numbers, so what you get is noise.
# It can be zero, or negative.
# Numbers of that size are ordinary: time stamps in seconds are above $10^9$.
# Subtract first, square afterwards.
#
# ## Cells of two parts merge into the cells of the whole
#
# Data often come in parts: one file a month, one machine a shard, too many rows for the memory.
# Reduce each part to its cells, then merge.
# Take one cell, seen in two parts $a$ and $b$.
# Its counts add, and its average is that of the parts' averages, weighted by the counts.
# The sum of squares needs a third term, because the parts' averages differ:
#
# $$S = S_a + S_b + \frac{n_a n_b}{n_a + n_b}\,(\bar x_b - \bar x_a)^2 .$$
#
# This formula, of Chan, Golub and LeVeque, subtracts before it squares.


# %%
def merge_cell(a, b):
    """Merge (n, mean, sum_sq) of two parts of one cell."""
    (n_a, mean_a, sum_sq_a), (n_b, mean_b, sum_sq_b) = a, b
    n, delta = n_a + n_b, mean_b - mean_a
    return n, mean_a + delta * n_b / n, sum_sq_a + sum_sq_b + delta**2 * n_a * n_b / n


def statistics_of(x):
    """Return count, average and centred sum of squares."""
    return len(x), x.mean(), np.sum((x - x.mean()) ** 2)


merged = merge_cell(statistics_of(one_cell[:100]), statistics_of(one_cell[100:]))
np.testing.assert_allclose(merged, statistics_of(one_cell), rtol=1e-10)

parts = [mlm.cell_statistics(rows.iloc[i : i + 1500], "total", layers, partial=True) for i in range(0, 10_000, 1500)]
whole = parts[0]
for part in parts[1:]:
    whole = whole.merge(part)
np.testing.assert_array_equal(whole.n, cells.n)
np.testing.assert_allclose(whole.mean, cells.mean, rtol=1e-10)
np.testing.assert_allclose(whole.sum_sq, cells.sum_sq, rtol=1e-10)
print(f"{len(parts)} parts merged: {whole}")

# %% [markdown]
# Merged or computed at once, the cells are the same.
# The order of the parts does not matter, so they can be streamed or spread over machines.
# Notebook [17](17_your_own_data.ipynb) does that.
#
# ## What one evaluation costs
#
# A sampler evaluates the log density tens of thousands of times.
# So measure one evaluation, for 1,000 to 10 million rows.
#
# **Predict first.** By what factor does the time grow from 1,000 to 10 million rows, for rows and for cells?
#
# Both versions below are NumPy, in the fastest form that stays readable.
# The timing takes the fastest of several repetitions, on the machine that ran this notebook.
# What an evaluation costs does not depend on the values, so longer data repeat the 10,000 rows.
# Making the cells costs one pass over the rows; it is measured apart, once.


# %%
def seconds(function, repetitions):
    """Return the time of one call, the fastest of some repetitions of about 20 ms or one call each."""
    best = np.inf
    for _ in range(repetitions):
        calls, start = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < 0.02 or calls == 0:
            function()
            calls += 1
        best = min(best, elapsed / calls)
    return best


mean, variance = settings[0]
costs = []
for n_rows in 10 ** np.arange(3, 8):
    x = np.resize(totals, n_rows)
    cell = np.resize(cell_of_row.astype(np.int8), n_rows)

    def evaluate_rows(x=x, cell=cell):
        """Evaluate the log likelihood row by row."""
        log_scale = np.log(2 * np.pi * variance)
        return -0.5 * np.sum(log_scale[cell] + (x - mean[cell]) ** 2 / variance[cell])

    long = pd.DataFrame({"total": x} | {k: np.resize(rows[k].astype(np.int8), n_rows) for k in layers})
    start = time.perf_counter()
    few = mlm.cell_statistics(long, "total", layers)
    one_pass = time.perf_counter() - start

    def evaluate_cells(n=few.n, average=few.mean, sum_sq=few.sum_sq):
        """Evaluate the log likelihood from the cells."""
        squares = sum_sq + n * (average - mean) ** 2
        return np.sum(-n / 2 * np.log(2 * np.pi * variance) - squares / (2 * variance))

    np.testing.assert_allclose(evaluate_rows(), evaluate_cells(), rtol=1e-8)
    repetitions = 3 if n_rows >= 10**7 else 5
    costs.append((n_rows, seconds(evaluate_rows, repetitions), seconds(evaluate_cells, repetitions), one_pass))
    del x, cell, long, evaluate_rows
costs = pd.DataFrame(costs, columns=["rows", "row by row", "by cells", "one pass to make the cells"]).set_index("rows")

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Seconds against the number of rows, both axes logarithmic. The line of row by row evaluation rises in proportion to the rows; the line of evaluation by cells is flat: near the other at a thousand rows, far below it at millions. A dashed line for the one pass that makes the cells is flat at first and then rises too."}} tags=["hide-input"]
fig, ax = plt.subplots()
ax.plot(costs["row by row"], "o-", color=mlm.COLORS["alternative"], label="one evaluation, row by row")
ax.plot(costs["by cells"], "s-", color=mlm.COLORS["estimate"], label="one evaluation, by cells")
ax.plot(costs.iloc[:, 2], "^--", color=mlm.COLORS["truth"], label="making the cells, once")
ax.set(xscale="log", yscale="log", xlabel="rows", ylabel="seconds")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

longest = costs.iloc[-1]
growth = longest / costs.iloc[0]
print(f"from 1,000 to 10,000,000 rows: rows x {growth.iloc[0]:,.0f}, cells x {growth.iloc[1]:.1f}")
print(f"at 10,000,000 rows an evaluation by cells is {longest.iloc[0] / longest.iloc[1]:,.0f} times faster")
print(f"making the cells costs as much as {longest.iloc[2] / longest.iloc[0]:.0f} evaluations row by row")
assert longest.iloc[0] > 100 * longest.iloc[1]

# %% [markdown]
# Row by row, the time grows with the rows, but not by exactly 10,000 times: at 1,000 rows much of it is the fixed cost of calling NumPy.
# By cells, it does not grow, apart from the noise of the clock.
# Making the cells costs as much as a number of evaluations, but it is done once, before the sampler starts.
# After that, ten million rows cost the sampler what a thousand do.
# The price is a condition: rows can only be pooled where they share all contributors.
# A layer with as many contributors as rows leaves nothing to pool.
# Nor does a predictor that changes from row to row, such as the length of a flight.
#
# ## The same posterior as in notebook 06
#
# A model in which every contribution is an unknown is called *latent* here; the model without them is *marginal*.
# Algebra says that both have the same posterior of means and standard deviations.
# Show it with samplers: the 500 rows of notebooks 05 to 07, the same priors, two models.
# One is non-centered and has 1,000 latent numbers; the other knows 12 cells.
# The latent model gets twice the draws and smaller steps (`target_accept=0.98`), which it needs; the cells get neither.

# %%
seed_04 = mlm.notebook_seed(345)
rows_04 = mlm.PRESETS["cc_27"].simulate(500, rng=seed_04)
cells_04 = mlm.cell_statistics(rows_04, "total", layers)
priors = mlm.Priors.from_cells(cells_04, pooled=False)

latent = mlm.observation_model(rows_04, "total", layers, parametrization="noncentered", priors=priors)
marginal = mlm.cell_model(cells_04, priors=priors)
latent_idata = mlm.sample(latent, seed=SEED, draws=2000, target_accept=0.98)
compiled = mlm.compile_model(marginal)
marginal_idata = mlm.sample(compiled, seed=SEED)
mlm.check_convergence(marginal_idata)

costs = pd.concat([mlm.efficiency(latent_idata), mlm.efficiency(marginal_idata)])
costs.index = ["non-centered, 1,000 latent numbers", "cells"]
costs[["converged", "min_ess_bulk", "gradients", "sampling_seconds"]].T

# %% [markdown]
# The cells pass the convergence check.
# The latent model may not: the standard deviations of baseline and layers move slowly there, and chains that do not
# agree with each other cannot be compared with those of another model.
# Notebook [06](06_noncentered.ipynb) took this apart.
# The data hardly tell these standard deviations from one another, which is the subject of notebook
# [10](10_what_the_data_cannot_say.ipynb), and the contributions hold each of them where it is.
# So compare what both have sampled well: every mean, and the standard deviation of a total in each cell.
#
# The difference of two averages of draws has a Monte Carlo standard error (MCSE, see
# [07](07_diagnostics.ipynb)), the root of the sum of both squared errors.
# In units of it, a difference should look like a draw of a standard normal.


# %%
def well_sampled(idata):
    """Return all means, and the standard deviation of a total in each of the 12 cells."""
    draws = idata["posterior"].to_dataset()
    code = {k: cells_04.codes[:, j] for j, k in enumerate(layers)}
    variance = draws["sigma_baseline"] ** 2
    for name in layers:
        variance = variance + (draws[f"sigma_{name}"] ** 2).isel({name: ("cell", code[name])}).drop_vars(name)
    means = draws[["mu_baseline", *(f"mu_{name}" for name in layers)]]
    return means.assign(sd_total=np.sqrt(variance))


def summary(idata):
    """Return mean, Monte Carlo standard error and ESS of what was sampled well."""
    draws = well_sampled(idata)
    table = {"mean": draws.mean(["chain", "draw"]), "mcse": az.mcse(draws), "ess": az.ess(draws)}
    columns = {k: np.concatenate([v.values.ravel() for v in x.data_vars.values()]) for k, x in table.items()}
    names = [f"{name} {i}" for name, values in table["mean"].data_vars.items() for i in range(values.size)]
    return pd.DataFrame(columns, index=names)


latent_summary, marginal_summary = summary(latent_idata), summary(marginal_idata)
error = np.hypot(latent_summary["mcse"], marginal_summary["mcse"])
z = (latent_summary["mean"] - marginal_summary["mean"]) / error
least_ess = latent_summary["ess"].min(), marginal_summary["ess"].min()
print("least ESS of what is compared: latent {:.0f}, cells {:.0f}".format(*least_ess))
print(f"{len(z)} comparisons, largest difference {z.abs().max():.1f} Monte Carlo standard errors")
limit = stats.norm.isf(1e-5 / 2 / len(z))
assert latent_summary["ess"].min() > 100
assert z.abs().max() < limit, z
print(f"a limit of {limit:.1f} would be passed by chance once in 100,000 runs")

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "A scatter of posterior means under the model of cells against those under the latent model. All points lie on the diagonal line."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(5, 5))
ends = [latent_summary["mean"].min() - 0.5, latent_summary["mean"].max() + 0.5]
ax.plot(ends, ends, color=mlm.COLORS["truth"], linewidth=0.8, label="equal")
for kind, marker in (("mu", "o"), ("sd_total", "s")):
    chosen = latent_summary.index.str.startswith(kind)
    label = {"mu": "means of contributors", "sd_total": "standard deviations of totals"}[kind]
    points = latent_summary["mean"][chosen], marginal_summary["mean"][chosen]
    role = {"mu": "estimate", "sd_total": "alternative"}[kind]
    ax.plot(*points, marker, color=mlm.COLORS[role], fillstyle="none", label=label)
ax.set_aspect("equal")
ax.set_xlabel("posterior mean, 1,000 latent numbers\n(units of the total)")
ax.set_ylabel("posterior mean, 12 cells\n(units of the total)")
ax.legend()
plt.show()

# %% [markdown]
# One posterior, by two routes.
# And the short route does not get longer with the data.
# With `with_cells` the compiled model takes the 10,000 rows of this notebook as a new set of 12 cells, without compiling again.
# The priors stay those of the 500 rows.

# %%
large_idata = mlm.sample(compiled.with_cells(cells), seed=SEED)
mlm.check_convergence(large_idata)
for name, idata in {"500 rows": marginal_idata, "10,000 rows": large_idata}.items():
    cost = mlm.efficiency(idata).iloc[0]
    print(f"{name:>11}: {cost['gradients']:,} gradients in {cost['sampling_seconds']:.1f} s of sampling")

# %% [markdown]
# ## Check yourself
#
# The quiz asks about ideas.
# The [exercises](exercises/09_exercises.ipynb) let you use them, from easy to hard, and tell you at once whether you are right.

# %%
mlm.quiz("09")

# %% [markdown]
# ## What to remember
#
# - A sum of independent normals is normal: means add, variances add. Contributions can be integrated out exactly.
# - Rows with the same contributors form a cell. Count, mean and centred sum of squares say all that they can say.
# - A custom distribution of these statistics needs the log density of the rows and draws of a normal and a chi-squared.
# - Subtract before you square. $\sum x^2 - n \bar x^2$ loses all digits when the mean is large.
# - Cells of parts merge exactly, and the cost of an evaluation depends on the cells, not on the rows.
#
# ## Going further
#
# - Tony F. Chan, Gene H. Golub and Randall J. LeVeque (1983). Algorithms for computing the sample variance: analysis
#   and recommendations. *The American Statistician* 37(3).
#   [doi:10.1080/00031305.1983.10483115](https://doi.org/10.1080/00031305.1983.10483115)
# - Ronald A. Fisher (1922). On the mathematical foundations of theoretical statistics. *Philosophical Transactions of
#   the Royal Society A* 222. [doi:10.1098/rsta.1922.0009](https://doi.org/10.1098/rsta.1922.0009)
# - George Casella and Roger L. Berger (2002). *Statistical Inference*, second edition, sections 5.3 and 6.2.
# - Alan E. Gelfand and Adrian F. M. Smith (1990). Sampling-based approaches to calculating marginal densities.
#   *Journal of the American Statistical Association* 85(410).
#   [doi:10.1080/01621459.1990.10476213](https://doi.org/10.1080/01621459.1990.10476213)

# %%
print(mlm.version_line())
