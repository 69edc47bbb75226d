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
# Lena runs a parcel depot.
# In a year she has written down 10,000 parcels: the sorting center, the driver, and how many minutes late each one was.
# Head office wants to fit the model of [05](05_centered.ipynb) to them, and sends her a postcard with twelve empty lines.
# "Please write on it all that we need."
#
# Can a postcard say as much about the model as 10,000 parcels?
# Decide before you read on.
#
# The model of 05 and [06](06_noncentered.ipynb) had a share for the center and one for the driver in each parcel.
# For 500 parcels that made 1,000 unknowns, and nobody asked to see a single one.
# Here you remove them by algebra.
# Nothing is approximated.
# Then you remove the rows as well.
#
# **You will learn**
#
# 1. to integrate normal contributions out of a sum, and to check such algebra with numbers;
# 2. to reduce the rows of a cell to three numbers, or to six with a covariate, and to compute their log likelihood from these alone;
# 3. to compute and merge these numbers without losing digits;
# 4. to write a custom distribution whose value is a pair of numbers;
# 5. to fit a model to cells, and to show that it has the posterior of the model with all contributions.
#
# **You need** [01](01_simulating_sums.ipynb) for the sum of normal variables, [04](04_custom_distribution.ipynb) for custom distributions, and
# [06](06_noncentered.ipynb) for the model with all contributions, and [07](07_diagnostics.ipynb) for the Monte Carlo standard error.
#
# **Time** 35 minutes to read, one to two minutes to run.

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
# These are Lena's parcels.
# The road is the baseline: weather, traffic, everything without a name.
# It varies most, with a standard deviation of 5 minutes; every center and every driver has one of 1 minute.

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
late = rows["total"].to_numpy()  # minutes
rows.head().round(1)

# %% [markdown]
# ## A sum of independent normals is normal
#
# Take one layer first, the center.
# Its contribution $y$ is normal with mean $m$ and variance $v$.
# Everything else that is in the total, call it $e$, is normal with mean $c$ and variance $r$, and independent of $y$.
# You see $x = y + e$ only.
# So you must add up all the ways in which $y$ could have been a part of $x$:
#
# $$p(x) = \int \text{Normal}(y \mid m, v)\; \text{Normal}(x - y \mid c, r)\; dy .$$
#
# In this section the second argument of Normal is a variance.
# Both factors are exponentials of a square in $y$.
# Complete the square: gather all terms with $y$ in a single square, and keep apart what does not contain $y$.
# The product becomes
#
# $$\begin{aligned}
# &\text{Normal}(y \mid m, v)\; \text{Normal}(x - y \mid c, r) \\
# &\quad = \underbrace{\text{Normal}(x \mid m + c,\; v + r)}_{\text{no } y \text{ in here}} \\
# &\qquad \times \underbrace{\text{Normal}\!\left(y \,\middle|\, m + w\,(x - m - c),\; w\,r\right)}_{\text{integrates to 1}},
# \end{aligned}$$
#
# $$w = \frac{v}{v + r}.$$
#
# The integral over $y$ leaves the first factor: **means add, variances add**.
# Nothing is lost, since the second factor says how $y$ is distributed once $x$ is known.
# It is the answer to "how many of these minutes were the center's?", and [12](12_decomposing_a_total.ipynb) is built on it.
#
# Never trust a completed square that you did not check.
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
# So the total of parcel $i$, whose contributor in layer $j$ is $k_j(i)$, is
#
# $$x_i \sim \text{Normal}\Big(\mu_0 + \sum_j \mu_{j,k_j(i)},\; v_0 + \sum_j v_{j,k_j(i)}\Big), \qquad v = \sigma^2 .$$
#
# This is the *marginal* distribution of the total: what is left when all other unknowns of the parcel are integrated out.
#
# These contributions belong to one parcel each.
# What all parcels of a driver share is the driver's mean, and that is still a parameter.
# So parcels are independent, given the means and standard deviations.
# In classical random-effects models that shared mean is what is integrated out.
# Then the rows of one driver are correlated: the covariance matrix of all rows, $ZGZ^\top + R$ in their notation, has entries off its diagonal.
# The cells' numbers, which come below, still suffice there, but no longer cell by cell.
# [13](13_partial_pooling.ipynb) pools such means and samples them.
#
# Here is the same by brute force, for a parcel from Mill that Ann drove.
# A grid over both contributions adds up the density of everything that gives the total.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
(mu_0,), (sigma_0,) = parcels.baseline.mu, parcels.baseline.sigma
mu_1, sd_1 = parcels["center"].coefficients["Mill"]
mu_2, sd_2 = parcels["driver"].coefficients["Ann"]
grid_1 = np.linspace(mu_1 - 9 * sd_1, mu_1 + 9 * sd_1, 400)[:, None]
grid_2 = np.linspace(mu_2 - 9 * sd_2, mu_2 + 9 * sd_2, 400)[None, :]
area = (grid_1[1, 0] - grid_1[0, 0]) * (grid_2[0, 1] - grid_2[0, 0])
checks = []
for total in (-5.0, 3.0, 7.0, 20.0):
    of_road = total - grid_1 - grid_2
    joint = normal(grid_1, mu_1, sd_1**2) * normal(grid_2, mu_2, sd_2**2) * normal(of_road, mu_0, sigma_0**2)
    formula = normal(total, mu_0 + mu_1 + mu_2, sigma_0**2 + sd_1**2 + sd_2**2)
    checks.append({"minutes late": total, "density, added up on the grid": joint.sum() * area, "formula": formula})
checks = pd.DataFrame(checks)
np.testing.assert_allclose(checks.iloc[:, 1], checks["formula"], rtol=1e-9)
print(f"{grid_1.size * grid_2.size:,} points of the grid for each total")
checks

# %% [markdown]
# A large grid and one line of algebra give the same density.
# The sampler of 06 did the work of the grid, one random step at a time.
#
# ## How many bell curves?
#
# The simulation never used the formula: it drew contributions and added them.
#
# **Predict first.** Look at the means and standard deviations above.
# How many *different* bell curves do you need to describe Lena's 10,000 parcels?
# And how many must the model have, which does not know these numbers?

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Twelve small histograms of minutes late, three rows for the centers and four columns for the drivers. A black normal curve lies on each histogram. All curves have the same width; within a row, those of Ben, Cleo and Dov are in the same place and that of Ann lies further right."}} tags=["hide-input"]
expected = parcels.combinations().set_index(layers)
edges = np.linspace(late.min(), late.max(), 40)
x = np.linspace(edges[0], edges[-1], 200)
fig, axes = plt.subplots(3, 4, figsize=(10, 6), sharex=True, sharey=True)
for ax, ((center, driver), curve) in zip(axes.flat, expected.iterrows(), strict=True):
    part = rows.loc[(rows["center"] == center) & (rows["driver"] == driver), "total"]
    ax.hist(part, edges, density=True, color=mlm.COLORS["data"], edgecolor="white", label="simulated parcels")
    ax.plot(x, normal(x, curve["mu"], curve["sigma"] ** 2), color=mlm.COLORS["truth"], label="formula")
    ax.set_title(f"{center}, {driver}", fontsize="medium")
    ax.set_yticks([])
fig.supxlabel("minutes late")
fig.supylabel("density")
fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
plt.show()

# %%
different = expected[["mu", "sigma"]].round(9).drop_duplicates()
print(f"{len(expected)} combinations of center and driver, {len(different)} different curves")
variance = expected["sigma"].iloc[0] ** 2  # the same in all combinations
many = parcels.simulate(1_000_000, rng=SEED + 1).merge(expected.reset_index(), on=layers)
found = ((many["total"] - many["mu"]) ** 2).mean()
standard_error = variance * np.sqrt(2 / len(many))
print(f"variance around the formula's means: {variance:.0f} by the formula,", end=" ")
print(f"{found:.2f} in a million new parcels, standard error {standard_error:.2f}")
assert abs(found - variance) < 4.5 * standard_error  # by chance once in 100,000 seeds

# %% [markdown]
# The formula holds: without the variance of one layer it would say 26.
# Six curves are enough for the truth: Ben, Cleo and Dov have the same mean and the same spread.
# But the model does not know that they are alike.
# It must allow each combination its own curve: three centers times four drivers make twelve.
#
# Rows with the same contributors form a [cell](../book/glossary.md).
# All rows of a cell share one mean and one variance.
# That is the key to the rest.
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
# So the rows enter the likelihood through $n$, $\bar x$ and the *centered sum of squares* $S$, and in no other way.
# Such numbers are called *sufficient statistics*: under this model, two data sets that share them have the same posterior, whatever the prior.

# %%
cells = mlm.cell_statistics(rows, "total", layers)
postcard = cells.to_frame()
print(cells)
postcard.round(2)

# %% [markdown]
# Here is the postcard.
# Check it: the log likelihood of all rows against that of the twelve lines, at parameter values drawn at random.

# %%
cell_of_row = rows.groupby(layers, observed=True, sort=True).ngroup().to_numpy()


def log_likelihood_of_rows(mean, variance):
    """Add up log densities, row by row; `mean` and `variance` hold one number a cell."""
    return stats.norm.logpdf(late, mean[cell_of_row], np.sqrt(variance)[cell_of_row]).sum()


def log_likelihood_of_cells(mean, variance):
    """Compute the same from the twelve lines."""
    squares = cells.sum_sq + cells.n * (cells.mean - mean) ** 2
    return np.sum(-cells.n / 2 * np.log(2 * np.pi * variance) - squares / (2 * variance))


settings = [(rng.normal(0, 5, 12), rng.uniform(5, 60, 12)) for _ in range(100)]
by_rows = np.array([log_likelihood_of_rows(*setting) for setting in settings])
by_cells = np.array([log_likelihood_of_cells(*setting) for setting in settings])
np.testing.assert_allclose(by_rows, by_cells, rtol=1e-10)
print(f"largest relative difference at 100 settings: {np.max(np.abs(by_rows / by_cells - 1)):.0e}")

# %% [markdown]
# They are equal up to rounding.
# This holds for 10 rows as for 10,000.
#
# ## A cell as a distribution
#
# PyMC has no distribution for "average and sum of squares of $n$ normal observations".
# [04](04_custom_distribution.ipynb) said what PyMC asks of a distribution; here the value is a pair of numbers.
# The *signature* `(),(),()->(2)` says so: three scalar parameters go in, `mu`, `sigma` and `n`, and a vector of length 2 comes out.
# PyMC repeats the distribution over cells by itself.
#
# From here on $\mu = M$ and $\sigma = \sqrt V$ are the mean and standard deviation of a total in the cell, and the second argument of Normal is a standard deviation again.
# Random draws need the distribution of both statistics.
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
    """Return a variable, outside of a model, for any number of cells."""
    functions = {"logp": cells_logp, "random": cells_random}
    return pm.CustomDist.dist(mu, sigma, n, signature="(),(),()->(2)", **functions)


# %% [markdown]
# The package has the same distribution as a class, `mlm.NormalCells`, which also refuses what cannot be, such as a negative sum of squares.
# The table has both beside the rows, cell by cell.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
statistics = np.column_stack([cells.mean, cells.sum_sq])
mean, variance = settings[0]
arguments = (mean, np.sqrt(variance), cells.n.astype(float))
ours = pm.logp(normal_cells(*arguments), statistics).eval()
package = pm.logp(mlm.NormalCells.dist(*arguments), statistics).eval()
each_row = stats.norm.logpdf(late, mean[cell_of_row], np.sqrt(variance)[cell_of_row])
row_sums = np.bincount(cell_of_row, weights=each_row)

np.testing.assert_allclose(ours, package, rtol=1e-12)
np.testing.assert_allclose(ours, row_sums, rtol=1e-10)
columns = {"written out here": ours, "mlm.NormalCells": package, "sum over the cell's rows": row_sums}
pd.DataFrame(columns, index=pd.MultiIndex.from_frame(postcard[layers])).round(3)

# %% [markdown]
# An expert will ask: is that the density *of* $(\bar x, S)$?
# Not quite.
# It is the density of the rows, and the two differ by a factor.
# If the factor held a parameter, the posterior would be wrong.
# So compute both for one cell at different parameters, and look at the difference of the logarithms.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
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
# It depends on $n$ and on the data, never on `mu` or `sigma`, so no posterior of these can notice, as long as the cells are observed.
# (Cells that are themselves unknown must not be sampled with this density.)
# This is what sufficiency means (the Fisher-Neyman factorization).
# With the density of the rows, log likelihoods of rows and cells can be compared directly.
#
# ## The draws are those of real rows
#
# **Predict first.** Take cells of $n = 6$ parcels whose standard deviation is 5 minutes.
# Does the sum of squares have a symmetric distribution?
# Where is its average?

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two panels of histograms. Left, averages of cells of six parcels: a symmetric bell around 2 minutes. Right, sums of squares: skewed to the right with a long tail. In both, the blue outline of direct draws follows the grey bars that were computed from rows."}} tags=["hide-input"]
n_small, mu, sigma, n_draws = 6, 2.0, 5.0, 4000
drawn = pm.draw(normal_cells(mu, sigma, n_small), draws=n_draws, random_seed=SEED)
small = rng.normal(mu, sigma, size=(n_draws, n_small))
from_rows = np.column_stack([small.mean(axis=1), ((small - small.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)])
for j, name in enumerate(["average", "sum of squares"]):
    p = stats.ks_2samp(drawn[:, j], from_rows[:, j]).pvalue
    print(f"{name:<15} drawn {drawn[:, j].mean():7.2f}   from rows {from_rows[:, j].mean():7.2f}   p = {p:.2f}")
    assert p > 1e-5  # by chance once in 100,000 seeds
print(f"expected: {mu:.2f} and (n - 1) sigma^2 = {(n_small - 1) * sigma**2:.0f}")
t = (drawn[:, 0] - mu) / np.sqrt(drawn[:, 1] / (n_small * (n_small - 1)))
p = stats.kstest(t, "t", args=(n_small - 1,)).pvalue
print(f"ratio of the two against Student's t with {n_small - 1} degrees of freedom: p = {p:.2f}")
assert p > 1e-5

fig, axes = plt.subplots(1, 2, figsize=(9, 3.5))
for j, (ax, unit) in enumerate(zip(axes, ["average (minutes)", "sum of squares (minutes²)"], strict=True)):
    bins = np.histogram_bin_edges(from_rows[:, j], 40)
    ax.hist(from_rows[:, j], bins, color=mlm.COLORS["data"], label="computed from rows")
    ax.hist(drawn[:, j], bins, histtype="step", color=mlm.COLORS["estimate"], linewidth=2, label="drawn directly")
    ax.set_xlabel(unit)
    ax.set_yticks([])
axes[0].set_ylabel("cells")
axes[1].legend()
plt.show()

# %% [markdown]
# The sum of squares is skewed, and its average is $(n - 1)\sigma^2$.
# Each of the two can be right and the pair wrong.
# So the third test takes $(\bar x - \mu) \big/ \sqrt{S / (n(n-1))}$, which is Student's t if they are independent.
# With these draws you can make predictive checks of averages and spreads from cells alone.
# The shape within a cell, such as the long tail of [08](08_checking_a_model.ipynb), can only be checked on rows: three numbers do not hold it.
#
# ## The formula that you must not use
#
# Many books compute $S$ as $\sum x_i^2 - n \bar x^2$.
# On paper that is the same.
#
# **Predict first.** Computers count time in seconds since 1970, so a moment is a number above $10^9$.
# Say that a faulty scanner adds such a number, $10^9$, to every delay.
# A constant that is added to every total does not change the spread, so $S$ must not change.
# What does the book's formula say?


# %%
def sum_sq_of_the_books(x):
    """Compute a sum of squares the wrong way."""
    return np.sum(x**2) - len(x) * np.mean(x) ** 2


one_cell = late[cell_of_row == 0]
table = {}
for offset in (0.0, 1e3, 1e6, 1e9):
    x = one_cell + offset
    moved = mlm.cell_statistics(rows.assign(total=late + offset), "total", layers)
    table[f"{offset:.0e}"] = {
        "sum(x^2) - n mean^2": sum_sq_of_the_books(x),
        "sum((x - mean)^2)": np.sum((x - x.mean()) ** 2),
        "mlm.cell_statistics": moved.sum_sq[0],
    }
table = pd.DataFrame(table).T.rename_axis("offset")
table.round(3)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
right = table.iloc[0, 1]
assert abs(table.iloc[-1, 0] / right - 1) > 0.5  # not a single digit is right
np.testing.assert_allclose(table.iloc[:, 1:], right, rtol=1e-6)
size = np.sum((one_cell + 1e9) ** 2)
gap = np.spacing(size)
print(f"with 1e9 added, sum(x^2) is {size:.1e}; the next number that a 64-bit float can hold is {gap:,.0f} away")

# %% [markdown]
# The two terms of the book's formula are huge and almost equal.
# Their difference is smaller than the gap between neighboring floating point numbers, so what you get is noise.
# It can be zero, or negative.
# Subtract first, square afterwards.
#
# ## Twelve monthly postcards make one for the year
#
# Data often come in parts: a file a month, one machine of many, too many rows for the memory.
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
    """Return count, average and centered sum of squares."""
    return len(x), x.mean(), np.sum((x - x.mean()) ** 2)


merged = merge_cell(statistics_of(one_cell[:100]), statistics_of(one_cell[100:]))
np.testing.assert_allclose(merged, statistics_of(one_cell), rtol=1e-10)

# %% [markdown]
# `Cells.merge` does this for all cells at once.
# Here the year's rows are cut into twelve parts that stand for months, reduced part by part, and put together again.

# %%
months = np.array_split(np.arange(len(rows)), 12)
postcards = [mlm.cell_statistics(rows.iloc[month], "total", layers, partial=True) for month in months]
year = postcards[0]
for month in postcards[1:]:
    year = year.merge(month)
np.testing.assert_array_equal(year.n, cells.n)
np.testing.assert_allclose(year.mean, cells.mean, rtol=1e-10)
np.testing.assert_allclose(year.sum_sq, cells.sum_sq, rtol=1e-10)
print(f"{len(postcards)} months merged: {year}")

# %% [markdown]
# Merged or computed at once, the cells are the same.
# So parts can be streamed or spread over machines, in any order, as in [17](17_your_own_data.ipynb).
#
# ## What one evaluation costs
#
# A sampler evaluates the log density tens or hundreds of thousands of times.
# So the next cell measures one evaluation, for 1,000 to 10 million parcels, row by row and by cells, both in NumPy.
#
# **Predict first.** By what factor does the time grow from 1,000 to 10 million rows, for rows and for cells?


# %% jupyter={"source_hidden": true} tags=["hide-input"]
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
    # What an evaluation costs does not depend on the values, so longer data repeat the 10,000 rows.
    x = np.resize(late, n_rows)
    cell = np.resize(cell_of_row.astype(np.int8), n_rows)

    def evaluate_rows(x=x, cell=cell):
        """Evaluate the log likelihood row by row."""
        log_scale = np.log(2 * np.pi * variance)
        return -0.5 * np.sum(log_scale[cell] + (x - mean[cell]) ** 2 / variance[cell])

    long = pd.DataFrame({"total": x} | {name: np.resize(rows[name].cat.codes, n_rows) for name in layers})
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

longest = costs.iloc[-1]
growth = longest / costs.iloc[0]
print(f"from 1,000 to 10,000,000 rows: row by row x {growth.iloc[0]:,.0f}, by cells x {growth.iloc[1]:.1f}")
print(f"at 10,000,000 rows an evaluation by cells is {longest.iloc[0] / longest.iloc[1]:,.0f} times faster")
print(f"making the cells costs as much as {longest.iloc[2] / longest.iloc[0]:.0f} evaluations row by row")
assert longest.iloc[0] > 100 * longest.iloc[1]

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Seconds against the number of rows, both axes logarithmic. The line of row by row evaluation rises in proportion to the rows; the line of evaluation by cells is flat: near the other at a thousand rows, far below it at millions. A dashed line for the one pass that makes the cells is flat at first and then rises too."}} tags=["hide-input"]
fig, ax = plt.subplots()
ax.plot(costs["row by row"], "o-", color=mlm.COLORS["alternative"], label="one evaluation, row by row")
ax.plot(costs["by cells"], "s-", color=mlm.COLORS["estimate"], label="one evaluation, by cells")
ax.plot(costs.iloc[:, 2], "^--", color=mlm.COLORS["truth"], label="making the cells, once")
ax.set(xscale="log", yscale="log", xlabel="rows", ylabel="seconds")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# Row by row, the time grows about as the rows do.
# (At 1,000 rows a good part of it is the fixed cost of calling NumPy.)
# By cells it does not grow, apart from the noise of the clock.
# Making the cells costs as much as a number of evaluations, but it is done once, before the sampler starts.
#
# The price is a condition: rows can only be put together where they share all contributors.
# A layer with as many contributors as rows leaves nothing to put together.
# And where the mean depends on a number of the row itself, such as the distance to the customer, no two rows share a mean.
# Is that the end of the postcard?
#
# ## A distance for every parcel
#
# Lena also wrote down how far away each customer lives.
# A number that a row has beside its labels is a [covariate](../book/glossary.md).
# Say that parcel $i$ went $d_i$ kilometers and that each of them costs $b$ minutes, the [slope](../book/glossary.md) of the distance.
# Then the parcel's mean is $M + b\,d_i$, another one for each row of the cell.
#
# Do what you did before, and split each deviation at the cell's averages, $\bar x$ of the totals and $\bar d$ of the distances:
#
# $$\begin{aligned}
# x_i - M - b\,d_i = {}& \underbrace{(x_i - \bar x) - b\,(d_i - \bar d)}_{\text{sums to zero over the cell}} \\
# &+ \underbrace{(\bar x - M - b\,\bar d)}_{\text{the same in every row}} .
# \end{aligned}$$
#
# Square and add up.
# The mixed terms cancel again, and what is left of the rows is sums:
#
# $$\begin{aligned}
# \sum_i (x_i - M - b\,d_i)^2 = {}& S - 2b\,S_{dx} + b^2 S_{dd} \\
# &+ n\,(\bar x - M - b\,\bar d)^2 ,
# \end{aligned}$$
#
# $$S_{dx} = \sum_i (d_i - \bar d)(x_i - \bar x), \qquad S_{dd} = \sum_i (d_i - \bar d)^2 .$$
#
# This takes the place of the sum of squares in the log likelihood.
# `mlm.cell_statistics` keeps what it needs, if you name the column.
#
# **Predict first.** Head office wants to try any slope that it likes.
# How many numbers does a cell need now: four, six or one for every parcel?

# %%
far = rows.assign(distance=rng.gamma(4, 2, len(rows)))  # kilometers
far["total"] += 0.5 * far["distance"]  # minutes
far_cells = mlm.cell_statistics(far, "total", layers, covariates=["distance"])

mean_distance = far_cells.x_mean[:, 0]
s_dx, s_dd = far_cells.x_total[:, 0], far_cells.x_products[:, 0, 0]
far_cells.to_frame().assign(S_dx=s_dx, S_dd=s_dd).round(2)

# %% [markdown]
# Twelve lines of six numbers: $n$, $\bar x$, $S$, $\bar d$, $S_{dx}$ and $S_{dd}$, none of which depends on $M$, $V$ or $b$.
# Check them as you checked those of three: rows against cells, at random parameters and slopes.

# %%
slopes = rng.normal(0, 1, len(settings))
by_rows, by_cells = [], []
for (mean, variance), slope in zip(settings, slopes, strict=True):
    of_row = mean[cell_of_row] + slope * far["distance"]
    sd_of_row = np.sqrt(variance)[cell_of_row]
    by_rows.append(stats.norm.logpdf(far["total"], of_row, sd_of_row).sum())

    squares = far_cells.sum_sq - 2 * slope * s_dx + slope**2 * s_dd
    squares += far_cells.n * (far_cells.mean - mean - slope * mean_distance) ** 2
    log_scale = np.log(2 * np.pi * variance)
    of_cell = -far_cells.n / 2 * log_scale - squares / (2 * variance)
    by_cells.append(of_cell.sum())
np.testing.assert_allclose(by_rows, by_cells, rtol=1e-10)
difference = np.max(np.abs(np.divide(by_rows, by_cells) - 1))
print(f"largest relative difference at 100 settings: {difference:.0e}")

# %% [markdown]
# Equal up to rounding, for any slope.
# If each cell may have any mean, the slope that fits best by least squares is the sum of all $S_{dx}$ divided by that of all $S_{dd}$.
# (Means that are sums over layers let different cells tell about the slope, too; [15](15_flights.ipynb) uses that.)

# %%
within = s_dx.sum() / s_dd.sum()
standard_error = expected["sigma"].max() / np.sqrt(s_dd.sum())
print(f"slope within the cells: {within:.3f} minutes a kilometer, standard error {standard_error:.3f}")
assert abs(within - 0.5) < 4.5 * standard_error  # by chance once in 100,000 seeds

# %% [markdown]
# Lena's parcels were made with half a minute a kilometer.
# The ratio compares parcels of the same center and driver only, so no center's or driver's mean can get into it.
# Elsewhere it is called the *within* or *fixed-effects* estimator.
#
# With $K$ covariates $b$ and $\bar d$ are vectors and $S_{dd}$ is a matrix, and a cell has $3 + 2K + K(K+1)/2$ numbers.
# Such cells merge as before, with products of two differences in place of the square.
# `mlm.cell_model` adds one variable for them, `slope`, and counts each covariate from its average over all rows.
# [13](13_partial_pooling.ipynb) fits a table like that.
#
# What the algebra needs is a mean that is *linear* in the slopes.
# A curve can be written like that: give the square of the distance, or its logarithm, a column of its own.
# One with an unknown inside cannot, such as a distance, yet to be found, beyond which a kilometer costs more. For that you need rows.
# Nor does the postcard survive a spread that grows with the distance in a way that the model must learn: every guess would weigh the rows of a cell differently.
# A slope of each driver's own would survive, since a cell has one driver, but the package has one slope for all.
#
# ## The same posterior as with all contributions
#
# A model in which every contribution is an unknown is called *latent* here; the model without them is *marginal*.
# Algebra says that both have the same posterior of means and standard deviations.
#
# Compare densities first, on the 500 parcels of 06.
# In the year above every contributor had a spread of 1 minute; at a random point each has another.
# The latent density is one of contributions and totals.
# Subtract the log density of the contributions given the totals, the second factor of the completed square, one layer after the other.
# What is left must be the log density of the cells.

# %%
rows_06 = parcels.simulate(500, rng=mlm.notebook_seed(345))
cells_06 = mlm.cell_statistics(rows_06, layers=layers)
priors_06 = mlm.Priors.from_cells(cells_06, pooled=False)


def both_models(priors):
    """Return the model with all contributions and that of the cells, in the same plain coordinates."""
    latent = mlm.observation_model(rows_06, layers=layers, parametrization="noncentered", priors=priors)
    return latent, mlm.cell_model(cells_06, priors, coordinates="log")


# %% jupyter={"source_hidden": true} tags=["hide-input"]
QUICK = {"mode": "FAST_COMPILE"}  # three points are not worth a compilation
latent, marginal = both_models(priors_06)
log_latent, log_marginal = (model.compile_logp(**QUICK) for model in (latent, marginal))
wanted = [marginal[f"{kind}_{name}"] for kind in ("mu", "sigma") for name in ("baseline", *layers)]
parameters_at = marginal.compile_fn(marginal.replace_rvs_by_values(wanted), inputs=marginal.value_vars, **QUICK)
codes = [rows_06[name].cat.codes.to_numpy() for name in layers]

for _ in range(3):
    start = marginal.initial_point()
    point = {name: value + rng.normal(size=np.shape(value)) for name, value in start.items()}
    mu_0, *mus, sigma_0, sigma_1, sigma_2 = parameters_at(point)
    mus = [mu[k] for mu, k in zip(mus, codes, strict=True)]
    sigmas = [sigma[k] for sigma, k in zip((sigma_1, sigma_2), codes, strict=True)]
    x, mean, variance = rows_06["total"].to_numpy(), mu_0 + sum(mus), sigma_0**2 + sum(sigma**2 for sigma in sigmas)
    z, log_contributions = {}, 0.0
    for name, m, sigma in zip(layers, mus, sigmas, strict=True):
        w = sigma**2 / variance
        of_y = stats.norm(m + w * (x - mean), sigma * np.sqrt(1 - w))
        y = of_y.rvs(random_state=rng)
        z[f"z_{name}"] = (y - m) / sigma  # its density is that of y times sigma, see 06
        log_contributions += np.sum(of_y.logpdf(y) + np.log(sigma))
        x, mean, variance = x - y, mean - m, variance - sigma**2  # what is left of the totals
    without, of_cells = log_latent(point | z) - log_contributions, log_marginal(point)
    print(f"contributions taken out {without:.6f}, twelve cells {of_cells:.6f}")
    np.testing.assert_allclose(without, of_cells, rtol=1e-9)

# %% [markdown]
# The densities agree to nine digits or more.
# Two runs of the sampler should agree too.
#
# For that both must converge, and with these parcels the latent model did so only when some standard deviations were fixed, and best with those of the layers.
# So give both models the true ones, 1 minute each, with `known_sigma`.
# Means and the road's standard deviation stay unknown, with the same priors in both.
# The two differ in the contributions only: coordinates, adaptation, tuning, draws and chains are the same.

# %%
known = {"center": 1.0, "driver": 1.0}
priors = mlm.Priors.from_cells(cells_06, pooled=False, known_sigma=known)
models = [mlm.compile_model(model) for model in both_models(priors)]
names = ["mu_baseline", "mu_center", "mu_driver", "sigma_baseline"]
options = {"adaptation": "diag", "tune": 1000, "draws": 2000, "chains": 8, "target_accept": 0.9}


def sample_both(seed):
    """Return a fit of each model, with the parameters alone: they are compared, so they have to converge."""
    fits = [mlm.sample(model, seed=seed, **options) for model in models]
    for fit in fits:
        fit["posterior"] = fit["posterior"].to_dataset()[names]
        mlm.check_convergence(fit)
    return fits


latent_fit, marginal_fit = sample_both(SEED)

# %%
work = pd.concat([mlm.efficiency(latent_fit), mlm.efficiency(marginal_fit)])
work.index = ["1,000 contributions", "12 cells"]
work["ess_per_1000_gradients"] = 1000 * work["ess_bulk_per_gradient"]
columns = ["converged", "gradients", "min_ess_bulk", "ess_per_1000_gradients", "sampling_seconds"]
ess = work["ess_per_1000_gradients"]
assert ess.iloc[1] > 2 * ess.iloc[0]
work[columns].round(1).T

# %% [markdown]
# Read the fourth line: the cells give several times as many effective draws for 1,000 gradients.
# The run with all contributions also took more gradients, and more seconds.
# (Effective draws can be more than draws: where neighbors lie on opposite sides, their errors cancel.)
#
# Both converged, so they may be compared.
# Compare means first: nine parameters, nine differences.
# But a posterior that is too narrow can have the right mean.
# So compare widths as well: the average squared distance of a parameter's draws from one point, halfway between the two posterior means.
#
# Divide each difference by its Monte Carlo standard error (MCSE, see [07](07_diagnostics.ipynb)), the root of the sum of both squared errors.
# If both sample one posterior, the largest of eighteen exceeds 5.0 about once in 100,000 runs.
# Two pairs are compared, because a real fault shows again and chance seldom does.
# The printed chances count the eighteen differences as if they were independent.


# %% jupyter={"source_hidden": true} tags=["hide-input"]
def summary(fit, center):
    """Return mean, sd and MCSE of every parameter, and of its squared distance from `center`."""
    draws, over = fit["posterior"].to_dataset(), ["chain", "draw"]
    draws = draws.merge(((draws - center) ** 2).rename({name: f"{name} squared" for name in names}))
    columns = {"mean": draws.mean(over), "sd": draws.std(over), "mcse": az.mcse(draws)}
    labels = [f"{name} {i}" for name, values in columns["mean"].data_vars.items() for i in range(values.size)]
    values = {k: np.concatenate([v.values.ravel() for v in x.data_vars.values()]) for k, x in columns.items()}
    return pd.DataFrame(values, index=labels)


for run, fits in {"first": (latent_fit, marginal_fit), "second": sample_both(SEED + 1)}.items():
    center = sum(fit["posterior"].to_dataset().mean(["chain", "draw"]) for fit in fits) / 2
    one, two = (summary(fit, center) for fit in fits)
    error = np.hypot(one["mcse"], two["mcse"])
    z = (one["mean"] - two["mean"]) / error
    limit = stats.norm.isf(1e-5 / 2 / len(z))
    largest = z.abs().max()
    assert largest < limit, z
    chance = 1 - (1 - 2 * stats.norm.sf(largest)) ** len(z)
    print(f"{run} pair: largest of {len(z)} differences {largest:.1f} standard errors;", end=" ")
    print(f"one as large comes by chance in {chance:.0%} of runs")
print(f"a limit of {limit:.1f} would be passed by chance once in 100,000 runs")
squared = z.index.str.contains("squared")
seen = ((limit + 2) * error / two["sd"])[~squared].max()
print(f"means that differ by {seen:.2f} posterior standard deviations would be noticed in 98 of 100 runs")
relative = (error / two["mean"])[squared].max()
narrower = 1 - np.sqrt(1 - (limit + 2) * relative)
print(f"so would a posterior that is {narrower:.0%} narrower than the other;", end=" ")
print(f"one that is 20 % narrower lies {(1 - 0.8**2) / relative:.0f} standard errors away")

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Outlines of posterior histograms, one panel each for Mill's mean, Ann's mean and the road's standard deviation. In each panel the outline of the model with a thousand contributions and that of the model of twelve cells lie on each other. A dashed line marks the truth."}} tags=["hide-input"]
pick = {
    "Mill's mean": lambda p: p["mu_center"].sel(center="Mill"),
    "Ann's mean": lambda p: p["mu_driver"].sel(driver="Ann"),
    "the road's standard deviation": lambda p: p["sigma_baseline"],
}
exact = parcels.centered()  # means of each layer sum to zero, as in the models
true = dict(zip(pick, (exact["center"].mu[2], exact["driver"].mu[0], exact.baseline.sigma[0]), strict=True))
fig, axes = plt.subplots(1, 3, figsize=(10, 3.2))
for ax, (title, of) in zip(axes, pick.items(), strict=True):
    values = [of(fit["posterior"]).values.ravel() for fit in (latent_fit, marginal_fit)]
    bins = np.histogram_bin_edges(np.concatenate(values), 30)
    for draws, role, label in zip(values, ["alternative", "estimate"], work.index, strict=True):
        ax.hist(draws, bins, histtype="step", density=True, linewidth=2, color=mlm.COLORS[role], label=label)
    ax.axvline(true[title], color=mlm.COLORS["truth"], linestyle="--", linewidth=1, label="truth")
    ax.set(title=title, xlabel="minutes")
    ax.set_yticks([])
axes[0].set_ylabel("posterior density")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
plt.show()

# %% [markdown]
# One posterior, by two routes.
# The last two printed lines say what the comparison would have noticed.
# Anything smaller would have shown in the densities, where every center and driver had a spread of its own.
#
# Can a program do the algebra?
# In part.
# The library `pymc-extras` has a function `marginalize` that removes a normal variable from a PyMC model where a normal one depends on it (since 2026), and a function `conditional` that brings it back afterwards.
# (This course does not install it, so nothing of that is run here.)
# Version 0.15.1 removes the contributions of one layer from a total and refuses those of a second, and it leaves a term for every row.
# To see that rows can be put together, somebody has to look at the likelihood, as you did.
#
# ## The postcard
#
# Head office has twelve lines, and no row.
# Now all standard deviations are unknown again; with that, no run of 06 that sampled contributions converged.
# Two things are different here: contributions are gone, and `cell_model` has coordinates of its own, see [10](10_what_the_data_cannot_say.ipynb).
# Without contributions but in plain coordinates, 06 took longer runs with shorter steps.
# First the 500 parcels, then Lena's 10,000: `with_cells` gives the compiled model a new set of twelve lines.

# %%
compiled = mlm.compile_model(mlm.cell_model(cells_06, mlm.Priors.from_cells(cells_06, pooled=False)))
fits = {"500 parcels": mlm.sample(compiled, seed=SEED)}
fits["10,000 parcels"] = mlm.sample(compiled.with_cells(year), seed=SEED)
microseconds = []  # of a run, chains side by side, for each gradient
for name, fit in fits.items():
    mlm.check_convergence(fit)
    microseconds.append(1e6 * fit.attrs["sampling_seconds"] / fit.attrs["gradients"])
    print(f"{name:>14}: {fit.attrs['gradients']:,} gradients, {microseconds[-1]:.0f} microseconds of the run for each")
assert microseconds[1] < 5 * microseconds[0]  # the rows are twenty times as many

# %%
answer = fits["10,000 parcels"]["posterior"]["mu_center"]
table = az.summary(answer, kind="stats", round_to="none").astype(float)
table["truth"] = exact["center"].mu
table["missed"] = (table["truth"] < table["eti89_lb"]) | (table["truth"] > table["eti89_ub"])
off = (table["mean"] - table["truth"]).to_numpy()
table["z"] = off / table["sd"]
two = answer.values.reshape(-1, 3)[:, :2]  # the third is minus their sum
p = stats.chi2.sf(off[:2] @ np.linalg.solve(np.cov(two.T), off[:2]), 2)
print(f"all three means together: p = {p:.3f}")
assert p > 1e-5
table.round(2)

# %% [markdown]
# Twenty times the parcels, and a gradient costs about what it did, because twelve lines are twelve lines.
# What is left is the fixed cost of a run, and the noise of the clock.
# (How many gradients a run takes depends on the shape of the posterior. The priors are those of the 500 parcels.)
# An 89 % interval misses the truth about once in nine times, but seldom by as much as Airport's: `z` counts posterior standard deviations.
# The three means sum to zero, so where one is too low, others are too high.
# The printed p judges them together: the share of such years in which chance alone puts them as far off.
# The rows would have said the same.
#
# So can a postcard say as much as 10,000 parcels?
# For this model, yes: twelve lines of three numbers give the likelihood of all rows, up to rounding, and so the same posterior.
# What the postcard cannot say is whether the model is right about the shape of a cell, nor whether rows of a cell depend on each other (a bad week) or on something that is not on the card.
# For that somebody must look at rows.
# So must whoever wants the ELPD by parcels of 08: from a model of cells, `az.loo` leaves out a whole cell at a time.
#
# And one thing the likelihood does not say, on a postcard or in full: how road, center and driver share the spread.
# [10](10_what_the_data_cannot_say.ipynb) asks that.
#
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
# - Rows with the same contributors form a cell. Count, average and centered sum of squares say all that they can say about a normal model.
# - So do averages and products of deviations where the mean is linear in numbers of each row, its covariates.
# - A custom distribution of these statistics needs the log density of the rows, and draws of a normal and a chi-squared.
# - Subtract before you square. $\sum x^2 - n \bar x^2$ loses digits as the mean grows beside the spread, in the end all of them.
# - Cells of parts merge exactly, and the cost of an evaluation depends on the cells, not on the rows.
# - Compare two models' draws only where both runs converged. Fix what keeps one from converging, in both.
#
# ## Going further
#
# - Chan, T. F., Golub, G. H. and LeVeque, R. J. (1983). Algorithms for computing the sample variance: analysis and recommendations. *The American Statistician* 37(3), 242-247. [doi:10.1080/00031305.1983.10483115](https://doi.org/10.1080/00031305.1983.10483115). The merging formula, and why the textbook formula fails.
# - Fisher, R. A. (1922). On the mathematical foundations of theoretical statistics. *Philosophical Transactions of the Royal Society A* 222, 309-368. [doi:10.1098/rsta.1922.0009](https://doi.org/10.1098/rsta.1922.0009). Where sufficiency comes from.
# - Gelfand, A. E. and Smith, A. F. M. (1990). Sampling-based approaches to calculating marginal densities. *Journal of the American Statistical Association* 85(410), 398-409. [doi:10.1080/01621459.1990.10476213](https://doi.org/10.1080/01621459.1990.10476213). What people do when the integral has no formula.
# - Laird, N. M. and Ware, J. H. (1982). Random-effects models for longitudinal data. *Biometrics* 38(4), 963-974. [doi:10.2307/2529876](https://doi.org/10.2307/2529876). Where the shared means are integrated out, too, and the rows become correlated.
# - pymc-extras, pull requests [688](https://github.com/pymc-devs/pymc-extras/pull/688) and [704](https://github.com/pymc-devs/pymc-extras/pull/704) (2026). How a program integrates normal variables out, and brings them back.

# %%
print(mlm.version_line())
