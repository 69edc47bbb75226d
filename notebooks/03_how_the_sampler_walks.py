# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 03 How the sampler walks
#
# In [02](02_a_first_fit.ipynb) you asked for a posterior, and a few seconds later 8,000 draws came back.
# Tomorrow you tell an airline how many minutes it loses, plus or minus so many.
# Its statistician asks back: "Eight thousand of what? Who made these numbers, and what would you have seen if they were wrong?"
#
# What would you answer today?
# You might say that the chains agreed.
# That is a good sign, and this notebook shows what stands behind it.
# You build the program that makes the draws, in some twenty lines.
# You break it on purpose, and you see how it looks when it breaks by itself.
#
# **You will learn**
#
# 1. to compute the energy of a sampler's state, and the probability that a move is accepted;
# 2. to write Hamiltonian Monte Carlo in some twenty lines of NumPy;
# 3. to say how long a step may be, from the shape of the posterior;
# 4. to test a sampler against an answer that is known, so that a broken one is caught;
# 5. to read what nutpie reports: step size, tree depth, acceptance, energy and divergences.
#
# **You need** [02](02_a_first_fit.ipynb) for posterior, draw, chain and R-hat.
# From school you need the slope of a curve.
# Two checks use a determinant and an eigenvalue; you may take both on trust.
#
# **Time** 40 minutes to read, less than a minute to run.

# %%
from collections.abc import Callable
from typing import NamedTuple

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm
from scipy import stats

import mlm_tutorial as mlm

SEED = mlm.notebook_seed(203)
rng = np.random.default_rng(SEED)
mlm.use_style()

# %% [markdown]
# ## A posterior is a landscape
#
# A parcel company has two couriers, Ann and Ben.
# The unknowns are how many minutes late each of them is on average.
# Each has been timed on 25 parcels, and a single parcel scatters by 5 minutes around its courier's mean.
# So each mean is known to about $5 / \sqrt{25} = 1$ minute.
# Ann's average was 3 minutes late, and Ben's 1 minute early.
# With a prior that is nearly flat the posterior is two normal distributions: one around 3, one around -1, both with standard deviation 1.
#
# For this posterior nobody needs a sampler.
# That is why you begin with it: you know what has to come out.
#
# A sampler does not know the answer.
# It may ask two things about any place $q$, which stands for one value of every unknown:
#
# - the **log density**, the logarithm of the posterior density there, up to a constant that nobody has to know;
# - the **gradient**, the slope of the log density in each direction. It points uphill, to where the posterior is larger.
#
# Turn the log density upside down and you have a landscape.
# Its height is minus the log density, so likely places lie low.
# The class holds the two answers, and the function makes them for a normal distribution.
# Its spread is a **covariance matrix**: the variances of the unknowns on the diagonal, and beside them how each two vary together.
# Ann's parcels say nothing about Ben, so here the matrix has 1 on the diagonal and 0 beside it.
# The last axis of `q` holds the unknowns, so that many places can be asked about at once.


# %%
class Landscape(NamedTuple):
    """What a sampler may ask about a posterior."""

    log_density: Callable
    gradient: Callable


def normal_landscape(mean, covariance):
    """Landscape of a normal distribution."""
    precision = np.linalg.inv(covariance)
    return Landscape(
        log_density=lambda q: -0.5 * ((q - mean) @ precision * (q - mean)).sum(axis=-1),
        gradient=lambda q: -(q - mean) @ precision,
    )


bowl_mean, bowl_covariance = np.array([3.0, -1.0]), np.eye(2)
bowl = normal_landscape(bowl_mean, bowl_covariance)

# %% [markdown]
# Never trust a gradient that you worked out by hand.
# Compare it with the change of the log density over a tiny distance.

# %%
place, tiny = np.array([4.5, 0.5]), 1e-6
slopes = [
    (bowl.log_density(place + tiny * side) - bowl.log_density(place - tiny * side)) / (2 * tiny) for side in np.eye(2)
]
print(f"gradient {bowl.gradient(place)}, by small differences {np.round(slopes, 6)}")
np.testing.assert_allclose(bowl.gradient(place), slopes, rtol=1e-6)

# %% [markdown]
# ## The simplest walk: try a step, keep it or stay
#
# In 1953 Metropolis and his co-authors walked through a landscape like this.
# From where you are, try a random step.
# If the new place is more likely, go.
# If it is less likely, go with a probability equal to the ratio of the two densities, and stay otherwise.
# A stay counts: the old place is written down once more.
#
# Why does this work?
# Take two places A and B, of which B is half as likely.
# From a crowd that is spread as the posterior says, twice as many start at A as at B.
# A random step leads from A to B as often as from B to A.
# Half of those who try A to B go, and all of those who try B to A.
# Equally many walk in both directions, and so the crowd keeps its shape.
# A crowd that starts elsewhere drifts toward that shape; the next section tests that it does.


# %%
def metropolis(landscape, q, step, n_draws, rng):
    """Draws of Metropolis's walk, shape (chains, draws, unknowns)."""
    draws = []
    for _ in range(n_draws):
        tried = q + step * rng.normal(size=q.shape)
        log_ratio = landscape.log_density(tried) - landscape.log_density(q)
        go = rng.random(len(q)) < np.exp(np.minimum(log_ratio, 0))
        q = np.where(go[:, None], tried, q)
        draws.append(q)
    return np.stack(draws, axis=1)


# %% [markdown]
# ## A test that a sampler can fail
#
# The posterior of Ann and Ben is known exactly, so the draws can be tested.
# Start 4,000 chains at one bad place, five standard deviations off for each of the two couriers.
# Let them walk, and look only at where each of them stands in the end.
# A sampler that works has forgotten the start by then.
# The 4,000 last places are then independent draws from the posterior, and textbook statistics apply without any correction:
# their average is normal, and the sum of their squared deviations is **chi-squared**, the distribution of a sum of squares of independent standard normals.
#
# The function puts the draws in units in which they should be standard normal.
# It then returns the smallest p-value of all means and variances, corrected for how many there are.
# A p-value below one in a million counts as a failure.
# So a sampler that works fails this test once in a million times.

# %%
FALSE_ALARM = 1e-6
N_CHAINS = 4000


def p_value(draws, mean, covariance):
    """Smallest p-value of means and variances of independent draws, shape (draws, unknowns), corrected."""
    z = np.linalg.solve(np.linalg.cholesky(covariance), (draws - mean).T)
    n = z.shape[1]
    p_means = 2 * stats.norm.sf(np.abs(z.mean(axis=1)) * np.sqrt(n))
    below = stats.chi2(n - 1).cdf((n - 1) * z.var(axis=1, ddof=1))
    p_variances = 2 * np.minimum(below, 1 - below)
    return min(1.0, 2 * len(z) * min(p_means.min(), p_variances.min()))


far_start = np.tile(bowl_mean + 5, (N_CHAINS, 1))
last = metropolis(bowl, far_start, step=1.5, n_draws=150, rng=rng)[:, -1]
p = p_value(last, bowl_mean, bowl_covariance)
print(f"averages {last.mean(axis=0).round(2)}, standard deviations {last.std(axis=0).round(2)}, p-value {p:.2g}")
assert p > FALSE_ALARM

# %% [markdown]
# What could this test have noticed?
# A check that nothing can fail is worth nothing, so work out its **power**: how large an error it finds nine times in ten.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
limit = stats.norm.isf(FALSE_ALARM / (2 * 4))  # four comparisons, two sides
reach = limit + stats.norm.isf(0.1)
print(f"found nine times in ten: an average that is off by {reach / np.sqrt(N_CHAINS):.2f} standard deviations,")
print(f"or a standard deviation that is off by {reach / np.sqrt(2 * N_CHAINS):.0%}")

# %% [markdown]
# ## Give it a push
#
# Metropolis's walk is blind: it knows the height of a place after it has tried it.
# The gradient knows beforehand where the valley is.
# But always walking downhill would end at the bottom, at one single place, and a posterior is not a single place.
#
# The idea of **Hamiltonian Monte Carlo** (Duane and others 1987) is to let a ball roll.
# Put it where you are and give it a random push.
# It rolls downhill, gains speed, and climbs the other side.
# After a while write down where it is.
# Then push it again, in a new random direction.
#
# The push is called **momentum**, $p$, with one number for each unknown, each drawn from a standard normal.
# A ball has two kinds of energy, that of its height and that of its motion.
# Their sum is the **energy** of the state $(q, p)$:
#
# $$H(q, p) = -\log \text{density}(q) + \tfrac12 \sum_k p_k^2 .$$


# %%
def energy(landscape, q, p):
    """Height plus energy of motion."""
    return -landscape.log_density(q) + 0.5 * (p**2).sum(axis=-1)


# %% [markdown]
# A real ball rolls smoothly.
# A computer has to take steps.
# The steps used almost everywhere are called **leapfrog**, because position and momentum overtake each other in turn:
# half a push by the slope, a full glide, half a push by the slope at the new place.
# (The slope pushes at every step; the random push comes once, at the start of a path.)


# %%
def leapfrog(gradient, q, p, step, n_steps):
    """States (q, p) along a path, the start included."""
    path = [(q, p)]
    for _ in range(n_steps):
        p = p + step / 2 * gradient(q)  # half a push
        q = q + step * p  # a glide
        p = p + step / 2 * gradient(q)  # half a push
        path.append((q, p))
    return path


# %% [markdown]
# **Predict first.** A ball without friction keeps its energy.
# Does the energy of a leapfrog path stay the same, grow, or swing?

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Left: the contours of a round bowl around 3 and -1 minutes, with one path of dots that turns on a closed curve around the middle. Right: the energy error along the path, which swings between zero and a small value and comes back each time."}} tags=["hide-input"]
GRID = np.linspace(-1, 1, 101)


def draw_landscape(ax, landscape, center, half_width, levels=(0.5, 2, 4.5, 8)):
    """Contours of the height above the lowest point."""
    x, y = center[0] + half_width * GRID, center[1] + half_width * GRID
    q = np.stack(np.meshgrid(x, y), axis=-1)
    height = -landscape.log_density(q)
    ax.contour(x, y, height - height.min(), levels=levels, colors=mlm.COLORS["data"], linewidths=1)
    ax.set_aspect("equal")


def positions_of(path):
    """Positions along a path, shape (steps + 1, ...)."""
    return np.array([q for q, _ in path])


def energy_errors(landscape, path):
    """Energy along a path minus the energy at its start."""
    energies = np.array([energy(landscape, q, p) for q, p in path])
    return energies - energies[0]


turning = leapfrog(bowl.gradient, bowl_mean + [2.0, 0.5], np.array([-0.3, 1.2]), step=0.3, n_steps=40)
where, errors = positions_of(turning), energy_errors(bowl, turning)

fig, axes = plt.subplots(1, 2, figsize=(10, 4))
draw_landscape(axes[0], bowl, bowl_mean, 4)
axes[0].plot(*where.T, ".-", color=mlm.COLORS["estimate"])
axes[0].plot(*where[0], "o", color=mlm.COLORS["truth"], label="start")
axes[0].set(xlabel="Ann, minutes late", ylabel="Ben, minutes late")
axes[0].legend(loc="upper left")
axes[1].plot(errors, ".-", color=mlm.COLORS["estimate"])
axes[1].axhline(0, color=mlm.COLORS["truth"], linestyle="--")
axes[1].set(xlabel="leapfrog steps", ylabel="energy minus energy at the start")
plt.show()

# %% [markdown]
# The path turns around the bottom, as a planet does.
# Its energy is not constant, but it does not run away either: it swings, and comes back.
#
# ## Two properties that make it honest
#
# Leapfrog has two properties, and the whole method rests on them.
#
# 1. It is **reversible**. Turn the momentum round at the end, walk as many steps, and you are back at the start.
# 2. It **preserves volume**. Take a small cloud of states $(q, p)$ and let each of them walk. The cloud changes its shape, but not its volume. A method that squeezed clouds would crowd draws together where the posterior does not.
#
# The factor by which a map changes a small volume is the determinant of its matrix of slopes.
# You compute the slopes by small differences, and beside leapfrog you put the naive rule: glide by the old momentum, push by the old slope.
# (It is called Euler's.)
# The landscape of this test is bent, because a bowl is too simple a test.


# %%
def bent_log_density(q):
    x, off = q[..., 0], q[..., 1] - 2 * np.sin(q[..., 0])
    return -0.5 * x**2 - 0.5 * off**2


def bent_gradient(q):
    x, off = q[..., 0], q[..., 1] - 2 * np.sin(q[..., 0])
    return np.stack([-x + 2 * np.cos(x) * off, -off], axis=-1)


bent = Landscape(bent_log_density, bent_gradient)


def euler(gradient, q, p, step, n_steps):
    """The naive rule, for contrast."""
    path = [(q, p)]
    for _ in range(n_steps):
        q, p = q + step * p, p + step * gradient(q)
        path.append((q, p))
    return path


# %% jupyter={"source_hidden": true} tags=["hide-input"]
def volume_factor(walk, state, tiny=1e-5):
    """Determinant of the slopes of the map from the first to the last state of a walk of 10 steps."""

    def end(state):
        q, p = walk(bent.gradient, state[:2], state[2:], 0.1, 10)[-1]
        return np.concatenate([q, p])

    slopes = [(end(state + tiny * side) - end(state - tiny * side)) / (2 * tiny) for side in np.eye(4)]
    return np.linalg.det(np.array(slopes))


def return_distance(walk, state):
    """How far from its start a walk ends that is turned round after 10 steps and goes back."""
    q, p = walk(bent.gradient, state[:2], state[2:], 0.1, 10)[-1]
    back, _ = walk(bent.gradient, q, -p, 0.1, 10)[-1]
    return np.linalg.norm(back - state[:2])


states = rng.normal(size=(200, 4))
table = pd.DataFrame(
    {
        name: {
            "largest distance from the start after going back": max(return_distance(walk, s) for s in states),
            "largest |volume factor - 1|": max(abs(volume_factor(walk, s) - 1) for s in states),
        }
        for name, walk in {"leapfrog": leapfrog, "Euler": euler}.items()
    }
)
assert table["leapfrog"].max() < 1e-5  # rounding, and the small differences
assert table["Euler"].min() > 1e-2
table.map("{:.1e}".format)

# %% [markdown]
# From 200 random states leapfrog comes back and keeps the volume, up to rounding.
# Euler's rule does neither.
#
# ## Hamiltonian Monte Carlo in twenty lines
#
# One property is missing: the energy is not kept exactly.
# Metropolis's rule repairs that.
# The end of the path is accepted with probability
#
# $$\min\left(1,\ e^{-\Delta H}\right), \qquad \Delta H = H(\text{end}) - H(\text{start}),$$
#
# and otherwise the old place counts once more.
# Since $e^{-H}$ is the density of $q$ times the density of the push, this is the same argument of a crowd as before.
# Reversibility and volume make sure that equally many can walk in both directions.
#
# This is the whole sampler.


# %%
def hmc_draw(landscape, q, step, n_steps, rng):
    """The next place of each chain, and the probability with which its path was accepted."""
    p = rng.normal(size=q.shape)  # a new push
    q_end, p_end = leapfrog(landscape.gradient, q, p, step, n_steps)[-1]
    energy_error = energy(landscape, q_end, p_end) - energy(landscape, q, p)
    acceptance = np.exp(-np.maximum(energy_error, 0))
    accepted = rng.random(len(q)) < acceptance
    return np.where(accepted[:, None], q_end, q), acceptance


def hmc(landscape, q, step, n_steps, n_draws, rng):
    """Draws of Hamiltonian Monte Carlo, shape (chains, draws, unknowns)."""
    draws = []
    for _ in range(n_draws):
        q, _ = hmc_draw(landscape, q, step, n_steps, rng)
        draws.append(q)
    return np.stack(draws, axis=1)


# %% [markdown]
# **Predict first.** Below, the sampler runs beside two broken versions of itself.
# One accepts every path.
# The other pushes once, at the beginning, and lets the ball roll on with the momentum that it has.
# Which of the three pass the test, and what is wrong with the draws of those that fail?


# %%
def hmc_accepts_all(landscape, q, step, n_steps, n_draws, rng):
    """Broken: no path is refused."""
    for _ in range(n_draws):
        q, _ = leapfrog(landscape.gradient, q, rng.normal(size=q.shape), step, n_steps)[-1]
    return q[:, None]


def hmc_pushes_once(landscape, q, step, n_steps, n_draws, rng):
    """Broken: the momentum is not drawn again."""
    p = rng.normal(size=q.shape)
    for _ in range(n_draws):
        q_end, p_end = leapfrog(landscape.gradient, q, p, step, n_steps)[-1]
        error = energy(landscape, q_end, p_end) - energy(landscape, q, p)
        accepted = (rng.random(len(q)) < np.exp(-np.maximum(error, 0)))[:, None]
        q, p = np.where(accepted, q_end, q), np.where(accepted, p_end, -p)
    return q[:, None]


versions = {"healthy": hmc, "accepts every path": hmc_accepts_all, "pushes once": hmc_pushes_once}
last = {name: walk(bowl, far_start, 1.5, 3, 40, rng)[:, -1] for name, walk in versions.items()}
verdict = pd.DataFrame(
    {
        name: {
            "average of Ann": draws[:, 0].mean(),
            "sd of Ann": draws[:, 0].std(),
            "p-value": p_value(draws, bowl_mean, bowl_covariance),
        }
        for name, draws in last.items()
    }
).T
print("exact: average", bowl_mean[0], "and sd", np.sqrt(bowl_covariance[0, 0]))
assert verdict.loc["healthy", "p-value"] > FALSE_ALARM
assert (verdict.drop("healthy")["p-value"] < FALSE_ALARM).all()
accepted = hmc_draw(bowl, last["healthy"], 1.5, 3, np.random.default_rng(SEED))[1].mean()
print(f"healthy: {accepted:.0%} of the paths are accepted")
verdict.map("{:.2g}".format)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Three clouds of last places over the contours of the bowl. The healthy cloud fills the contours; that of the sampler that accepts every path is wider; that of the sampler that pushes once keeps the trace of its start and has the wrong place or shape."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 3, figsize=(11, 4), sharex=True, sharey=True)
for ax, (name, draws) in zip(axes, last.items(), strict=True):
    role = "estimate" if name == "healthy" else "alternative"
    ax.plot(*draws[:1500].T, ".", color=mlm.COLORS[role], markersize=2)
    x = bowl_mean[0] + 9 * GRID
    q = np.stack(np.meshgrid(x, bowl_mean[1] + 9 * GRID), axis=-1)
    ax.contour(
        x, bowl_mean[1] + 9 * GRID, -bowl.log_density(q), levels=[2, 4.5], colors=mlm.COLORS["truth"], linewidths=1
    )
    ax.set(title=name, xlabel="Ann, minutes late", aspect="equal")
axes[0].set_ylabel("Ben, minutes late")
plt.show()

# %% [markdown]
# The black circles are the exact posterior, at two and three standard deviations from its middle.
# The healthy sampler passes, although its steps are long and many paths are refused: refusing them makes up for the error of the long steps.
# Without acceptance the draws are too wide, and nothing crashed: only the comparison with a known answer told you.
# (For a bowl of standard deviation 1 the width can be worked out, $1 / \sqrt{1 - \varepsilon^2 / 4}$ for a step $\varepsilon$.)
# Pushed once, the ball keeps the energy that it began with and never forgets its start.
#
# ## How long may a step be?
#
# Small steps follow the path closely, and they cost time.
# How does the error grow with the step?
# Here the same push runs through Ann and Ben's bowl three times.

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Three paths in the bowl with steps of 0.3, 1.9 and 2.05 minutes. The first is a smooth turn, the second jumps back and forth across the bowl and stays within it, the third jumps ever farther and leaves the bowl, on a scale that is many times wider."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 3, figsize=(11, 4))
for ax, (step, n_steps) in zip(axes, [(0.3, 20), (1.9, 12), (2.05, 8)], strict=True):
    path = leapfrog(bowl.gradient, bowl_mean + [2.0, 0.5], np.array([-0.3, 1.2]), step, n_steps)
    where = positions_of(path)
    half_width = 1.1 * max(4, np.abs(where - bowl_mean).max())
    draw_landscape(ax, bowl, bowl_mean, half_width)
    ax.plot(*where.T, ".-", color=mlm.COLORS["alternative" if step > 2 else "estimate"])
    ax.plot(*where[0], "o", color=mlm.COLORS["truth"])
    ax.set(title=f"step {step}, {n_steps} steps", xlabel="Ann, minutes late")
axes[0].set_ylabel("Ben, minutes late")
plt.show()

# %% [markdown]
# Between 1.9 and 2.05 something happens.
# In a bowl of standard deviation $s$, one leapfrog step multiplies two numbers, the distance from the bottom and the momentum, by a fixed matrix.
# The determinant of the matrix is 1, since leapfrog preserves volume.
# The sum of its diagonal is $2 - \varepsilon^2 / s^2$ for a step $\varepsilon$.
# As long as this sum lies between -2 and 2, the matrix turns the two numbers round, as a rotation does.
# Below -2 it stretches them, by the same factor at every step.
# That happens as soon as
#
# $$\varepsilon > 2 s.$$
#
# The code checks it.
# It takes the matrix from the leapfrog function itself, and asks for the factor by which it can stretch in the long run.


# %% jupyter={"source_hidden": true} tags=["hide-input"]
def stretch(sd, step):
    """Largest absolute eigenvalue of one leapfrog step in a bowl of this standard deviation."""
    gradient = normal_landscape(np.zeros(1), np.array([[sd**2]])).gradient
    ends = [leapfrog(gradient, np.array([q]), np.array([p]), step, 1)[-1] for q, p in [(1.0, 0.0), (0.0, 1.0)]]
    return np.abs(np.linalg.eigvals(np.array(ends).reshape(2, 2))).max()


for sd in (0.1, 1.0, 7.0):
    below, above = stretch(sd, 1.99 * sd), stretch(sd, 2.01 * sd)
    print(f"standard deviation {sd}: factor {below:.3f} just below 2 sd, {above:.3f} just above")
    assert np.isclose(below, 1)
    assert above > 1.1

# %% [markdown]
# ### On a ridge the narrow side decides
#
# A bowl is the kindest landscape there is.
# Now a common one.
# Sixteen parcels went by the road and through the sorting center Mill, and you know each parcel's total only.
# The model is: total = `road` + `mill`, with a scatter of 5 minutes for a single parcel; the priors of `road` and `mill` are normal with mean 0 and standard deviation 5.
# The sum of the two is known well.
# How it splits is not: to the parcels, 6 and -2 are as good as 1 and 3.
# Such a posterior is a **ridge**, long in one direction and narrow in another.
# For normal priors and normal data it is exactly normal.
# Its covariance matrix follows from a rule that you know from [02](02_a_first_fit.ipynb): precisions add up.
# Here the precision is a matrix, the inverse of the covariance matrix.

# %%
SCATTER, PRIOR_SD, N_PARCELS = 5.0, 5.0, 16
late = rng.normal(4, SCATTER, size=N_PARCELS)  # minutes, of parcels through Mill

ones = np.ones(2)  # road and mill enter a total once each
precision = np.eye(2) / PRIOR_SD**2 + N_PARCELS * np.outer(ones, ones) / SCATTER**2
ridge_covariance = np.linalg.inv(precision)
ridge_mean = ridge_covariance @ ones * late.sum() / SCATTER**2
ridge = normal_landscape(ridge_mean, ridge_covariance)
narrow, wide = np.sqrt(np.linalg.eigvalsh(ridge_covariance))
correlation = ridge_covariance[0, 1] / ridge_covariance[0, 0]
print(f"narrow side {narrow:.2f} minutes, long side {wide:.2f}; correlation {correlation:.2f}")
print(f"standard deviation of road alone {np.sqrt(ridge_covariance[0, 0]):.2f} minutes")

# %% [markdown]
# **Predict first.** `road` alone has a standard deviation of several minutes.
# What is the longest step on this ridge?

# %%
steps = np.geomspace(0.02, 12, 60)
worst = {}
for name, landscape, mean in [("bowl", bowl, bowl_mean), ("ridge", ridge, ridge_mean)]:
    start, push = mean + np.array([0.8, 0.9]), np.array([0.7, -0.4])
    with np.errstate(over="ignore", invalid="ignore"):  # beyond the limit numbers overflow
        errors = [energy_errors(landscape, leapfrog(landscape.gradient, start, push, step, 200)) for step in steps]
    worst[name] = np.nan_to_num(np.abs(errors), nan=1e9).max(axis=1).clip(max=1e9)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Largest energy error along 200 steps against the step, both axes logarithmic. For bowl and ridge it rises as a straight line of slope two and shoots up at a dashed line, at two standard deviations for the bowl and at two narrow standard deviations for the ridge."}} tags=["hide-input"]
fig, ax = plt.subplots()
for (name, errors), role, sd in zip(worst.items(), ("estimate", "alternative"), (1.0, narrow), strict=True):
    ax.plot(steps, errors, ".-", color=mlm.COLORS[role], label=name)
    ax.axvline(2 * sd, color=mlm.COLORS[role], linestyle="--", label=f"2 x {sd:.2f} minutes")
road_alone = np.sqrt(ridge_covariance[0, 0])
ax.axvline(2 * road_alone, color=mlm.COLORS["data"], linestyle=":", label="2 x the sd of road alone")
ax.set(
    xscale="log",
    yscale="log",
    ylim=(1e-5, 1e6),
    xlabel="step, in minutes",
    ylabel="largest energy error\nin 200 steps",
)
ax.legend(loc="upper left")
plt.show()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
for name, sd in (("bowl", 1.0), ("ridge", narrow)):
    errors, relative = worst[name], steps / (2 * sd)
    slope = np.polyfit(np.log(steps[relative < 0.2]), np.log(errors[relative < 0.2]), 1)[0]
    print(f"{name}: where steps are short, the error grows as the step to the power {slope:.2f}")
    assert abs(slope - 2) < 0.1
    assert errors[relative < 0.9].max() < 1000 < errors[relative > 1.1].min()

# %% [markdown]
# While steps are short, half the step gives a quarter of the error; beyond the limit the error explodes.
# The limit is twice the standard deviation of the *narrowest direction*, which is neither of the two axes here.
# The long side does not help: the ridge has to be walked in steps that fit its narrow side.
# The more unequal the sides, the more steps a draw costs.
#
# Move the slider to see a path on the ridge change with its step.


# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Left: a path of 20 steps of 0.4 minutes on the contours of the ridge. Right: its energy error at each step. Longer steps have larger errors, and beyond the limit the path leaves the ridge."}} tags=["hide-input"]
def path_on_the_ridge(step):
    """Draw one path of 20 steps on the ridge and its energy error."""
    path = leapfrog(ridge.gradient, ridge_mean + [2.5, -2.0], np.array([0.3, 1.0]), step, 20)
    where, errors = positions_of(path), energy_errors(ridge, path)
    fig, axes = plt.subplots(1, 2, figsize=(9, 4))
    draw_landscape(axes[0], ridge, ridge_mean, 1.1 * max(12, np.abs(where - ridge_mean).max()))
    axes[0].plot(*where.T, ".-", color=mlm.COLORS["estimate"])
    axes[0].set(xlabel="road, minutes", ylabel="mill, minutes")
    axes[1].plot(errors, ".-", color=mlm.COLORS["estimate"])
    axes[1].set(xlabel="leapfrog steps", ylabel="energy error")
    return fig


mlm.slider(
    path_on_the_ridge,
    alt="A path of 20 steps on the ridge, and its energy error at each step.",
    start={"step": 0.4},
    step=[round(0.1 * k, 1) for k in range(1, 21)],
)


# %% [markdown]
# ## Warm-up finds the step
#
# Nobody tells the sampler how narrow the posterior is.
# It finds out by trying.
# If paths are accepted too often, the steps are shorter than they need be; if too rarely, they are too long.
# So before the draws that count, the sampler tunes its step until the acceptance meets a target, 0.9 here.
# (In 02 you asked for `target_accept=0.99`: a higher target means shorter steps.)
# This is **warm-up**, also called tuning.
# Its draws are thrown away: while the rule of the walk still changes, the argument of the crowd does not hold.


# %%
def warm_up(landscape, q, step, n_draws, rng, target=0.9):
    """The step after each draw of a warm-up."""
    steps = []
    for t in range(1, n_draws + 1):
        n_steps = rng.integers(3, 13)  # so that no length of a path is special
        q, acceptance = hmc_draw(landscape, q, step, n_steps, rng)
        step = step * np.exp((acceptance.mean() - target) / np.sqrt(t))
        steps.append(step)
    return np.array(steps)


N_WARM_UP = 600
tuned = {
    (name, first): warm_up(landscape, np.tile(mean, (10, 1)), first, N_WARM_UP, rng)
    for name, landscape, mean in [("bowl", bowl, bowl_mean), ("ridge", ridge, ridge_mean)]
    for first in (0.1, 1.5)
}

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Step against draw of the warm-up, logarithmic step, for bowl and ridge, each from a short and a long first step. The two lines of each landscape come together, below the dashed limit of that landscape."}} tags=["hide-input"]
fig, ax = plt.subplots()
for (name, first), steps_taken in tuned.items():
    role = "estimate" if name == "bowl" else "alternative"
    ax.plot(steps_taken, color=mlm.COLORS[role], label=name if first == 0.1 else None)
for sd, role in ((1.0, "estimate"), (narrow, "alternative")):
    ax.axhline(2 * sd, color=mlm.COLORS[role], linestyle="--")
ax.set(yscale="log", xlabel="draw of the warm-up", ylabel="step, in minutes")
ax.legend()
plt.show()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
settled = {key: np.exp(np.log(steps_taken[-300:]).mean()) for key, steps_taken in tuned.items()}
for name, sd in (("bowl", 1.0), ("ridge", narrow)):
    low, high = settled[name, 0.1], settled[name, 1.5]
    print(f"{name}: step {low:.2f} from a short start, {high:.2f} from a long one; limit {2 * sd:.2f}")
    assert 0.8 < low / high < 1.25
    assert max(low, high) < 2 * sd

# %% [markdown]
# From a short start and from a long one, the step settles at about the same value, below the limit.
# (The ridge has the lower limit, and yet its step is not the shorter one: in the bowl two directions add to the energy error, on the ridge only the narrow one does.)
# nutpie's warm-up does this too, and it learns one more thing: the scales of the unknowns, and for small models their correlations.
# It then walks in stretched coordinates, in which a ridge looks more like a bowl.
#
# ## When to turn back
#
# One number is still set by hand: how many steps a path has.
# Too few, and the ball stops near where it started, like Metropolis's walk.
#
# **Predict first.** Is a path of twice the length twice as good?

# %%
starts = rng.multivariate_normal(bowl_mean, bowl_covariance, size=N_CHAINS)  # exact draws
path = leapfrog(bowl.gradient, starts, rng.normal(size=starts.shape), step=0.15, n_steps=44)
where = positions_of(path)
lengths = 0.15 * np.arange(45)
correlations = np.array([np.corrcoef(where[0, :, 0], q[:, 0])[0, 1] for q in where])

# The rule of the U-turn: is the ball still moving away from where it started?
start, end_momentum = turning[0][0], np.array([p for _, p in turning])
moving_away = ((positions_of(turning) - start) * end_momentum).sum(axis=-1) >= 0
u_turn = np.flatnonzero(~moving_away)[0]

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Left: a path in the bowl, whose first part moves away from the start up to a marked point, after which a lighter part comes back. Right: the correlation of start and end against the length of the path follows a cosine, from 1 through 0 to -1 and back to 1 after a full turn."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(10, 4))
draw_landscape(axes[0], bowl, bowl_mean, 4)
turning_where = positions_of(turning)
axes[0].plot(*turning_where[u_turn:22].T, ".-", color=mlm.COLORS["prior"], label="coming back")
axes[0].plot(*turning_where[: u_turn + 1].T, ".-", color=mlm.COLORS["estimate"], label="moving away")
axes[0].plot(*turning_where[0], "o", color=mlm.COLORS["truth"])
axes[0].annotate(
    "",
    xy=turning_where[u_turn],
    xytext=turning_where[0],
    arrowprops={"arrowstyle": "->", "color": mlm.COLORS["truth"]},
)
axes[0].set(xlabel="Ann, minutes late", ylabel="Ben, minutes late")
axes[0].legend(loc="upper left", fontsize="small")
axes[1].plot(lengths, correlations, ".", color=mlm.COLORS["estimate"], label=f"{N_CHAINS:,} paths")
axes[1].plot(lengths, np.cos(lengths), "--", color=mlm.COLORS["truth"], label="cosine")
axes[1].set(xlabel="length of the path, in steps times step size", ylabel="correlation of start and end")
axes[1].legend()
plt.show()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
assert np.abs(correlations - np.cos(lengths)).max() < 0.01 + 6 / np.sqrt(N_CHAINS)

# %% [markdown]
# In the bowl a quarter turn, a length of about 1.6, makes start and end uncorrelated, which is what you want of draws.
# A full turn brings every ball back to where it was, and all its gradients were for nothing.
#
# How would the sampler know where a quarter turn is, in a landscape that it has never seen?
# The **No-U-Turn Sampler**, NUTS (Hoffman and Gelman 2014), watches the path.
# The arrow goes from the start to the end of the path.
# While the momentum at the end points along the arrow, even at a slant, the ball moves away; once it points against it, the path has begun to come back.
# NUTS doubles a path, to 1, 3, 7, 15 steps and so on, forward or backward at random, until one of its ends turns back.
# The number of doublings is the **tree depth**: a draw of depth $d$ costs about $2^d - 1$ gradients.
# In a bowl a path turns back after half a turn or more, later than you want; but the draw need not be the end of the path.
# NUTS picks one place from all of it at random, where a place with a larger energy has less of a chance.
# So a path that goes astray is not refused as a whole: its good part may still be used.
# This is the sampler in nutpie, Stan and PyMC.
#
# ## The same price, another distance
#
# Was the gradient worth the trouble?
# On the ridge, let both samplers pay the same: 40,000 evaluations for each of four chains.
# A leapfrog step costs one evaluation, because the slope at its end is the slope at the start of the next (our short code computes it twice); a draw costs one more for the energy.
# For Metropolis take the best of four steps.
#
# Neighboring draws of a walk are alike, so 1,000 of them tell you less than 1,000 independent ones would.
# The number of independent draws that would tell you as much is the number of **effective draws** of 02, also called the effective sample size, ESS.
# `az.ess` estimates it from how fast a chain forgets where it was.

# %%
BUDGET, N_STEPS = 40_000, 7
middle = np.tile(ridge_mean, (4, 1))
walks = {f"Metropolis, step {step}": metropolis(ridge, middle, step, BUDGET, rng) for step in (1.0, 2.0, 4.0, 8.0)}
walks["Hamiltonian"] = hmc(ridge, middle, 1.2, N_STEPS, BUDGET // (N_STEPS + 1), rng)

efficiency = pd.DataFrame(
    {
        name: {
            "draws": draws[..., 0].size,
            "R-hat": max(float(az.rhat(draws[..., k])) for k in range(2)),
            "effective draws": min(float(az.ess(draws[..., k])) for k in range(2)),
        }
        for name, draws in walks.items()
    }
).T
efficiency["per 1,000 evaluations"] = efficiency["effective draws"] / (4 * BUDGET / 1000)
efficiency.round({"draws": 0, "R-hat": 3, "effective draws": 0, "per 1,000 evaluations": 1})

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two panels over the contours of the ridge, each with a walk of 200 evaluations from the middle. Metropolis's walk has many draws that repeat a few places; the Hamiltonian walk has fewer draws, most of them at new places."}} tags=["hide-input"]
best = efficiency.drop("Hamiltonian")["effective draws"].idxmax()
fig, axes = plt.subplots(1, 2, figsize=(10, 4.5), sharex=True, sharey=True)
for ax, name, role in zip(axes, (best, "Hamiltonian"), ("alternative", "estimate"), strict=True):
    n_draws = 200 if name == best else 200 // (N_STEPS + 1)
    draw_landscape(ax, ridge, ridge_mean, 15)
    ax.plot(*walks[name][0, :n_draws].T, ".-", color=mlm.COLORS[role], linewidth=0.8)
    n_places = len(np.unique(walks[name][0, :n_draws], axis=0))
    ax.set(title=f"{name}: {n_draws} draws at {n_places} places", xlabel="road, minutes")
axes[0].set_ylabel("mill, minutes")
plt.show()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
gain = efficiency.loc["Hamiltonian", "effective draws"] / efficiency.loc[best, "effective draws"]
print(f"for the same number of evaluations: {gain:.1f} times the effective draws of the best Metropolis walk")
for name in (best, "Hamiltonian"):  # compare only what has converged
    assert efficiency.loc[name, "R-hat"] < 1.01
    assert efficiency.loc[name, "effective draws"] > 400
assert gain > 2

# %% [markdown]
# Both walks are right, and both were paid alike.
# The Hamiltonian walk has far fewer draws, and they are worth more: Metropolis's long steps are mostly refused, and its short ones lead nowhere.
# With two unknowns blind steps can still compete; with fifty, nearly every blind step of a useful length leads uphill.
#
# ## Where the walk breaks
#
# A bowl has one width, and a ridge has two.
# The next landscape has a different width at every height.
#
# A courier starts work tomorrow.
# Her mean will differ from the others' by $y$ minutes, and you know how such differences come about: $y \sim \text{Normal}(0, \sigma)$.
# But you do not know $\sigma$; your prior is $\log\sigma \sim \text{Normal}(0, 1.5)$.
# There are no data yet.
# If $\sigma$ is large, $y$ may be anything; if $\sigma$ is tiny, $y$ must be tiny.
# Drawn with $\log\sigma$ upwards, this is the **funnel** of Neal (2003), wide at the top with a narrow neck below.
# It appears whenever a model learns how much contributors differ.

# %%
SD_LOG_SIGMA = 1.5


def funnel_log_density(q):
    log_sigma, y = q[..., 0], q[..., 1]
    return -0.5 * (log_sigma / SD_LOG_SIGMA) ** 2 - log_sigma - 0.5 * (y * np.exp(-log_sigma)) ** 2


def funnel_gradient(q):
    log_sigma, y = q[..., 0], q[..., 1]
    by_log_sigma = -log_sigma / SD_LOG_SIGMA**2 - 1 + (y * np.exp(-log_sigma)) ** 2
    by_y = -y * np.exp(-2 * log_sigma)
    return np.stack([by_log_sigma, by_y], axis=-1)


funnel = Landscape(funnel_log_density, funnel_gradient)

# %% [markdown]
# **Predict first.** At a height where $\sigma$ is 0.05, how long may a step be?
# What becomes of a step of 0.2 there?
#
# Across the funnel, at one height, the landscape is a bowl of standard deviation $\sigma$.
# You know its limit.
# Where the neck is too narrow for the step, the energy explodes.
# A path whose energy error exceeds 1,000 is called **divergent**, and the sampler stops it and marks the draw.
# (The 1,000 is the usual choice, in Stan and nutpie too; a path that is well never gets near.)
#
# The next function is `hmc` with a notebook in its hand.
# For each divergent path it notes three places: the draw that is kept and marked, where the path broke (its error first exceeds 1), and where it was stopped (its error exceeds 1,000).


# %%
def walk_and_watch(landscape, q, step, n_steps, n_draws, rng):
    """Draws; three places for each divergent path, the marked draw, the break, the stop; and its chain."""
    draws, places, chains = [], [], []
    for _ in range(n_draws):
        path = leapfrog(landscape.gradient, q, rng.normal(size=q.shape), step, n_steps)
        where, errors = positions_of(path), energy_errors(landscape, path)
        divergent = ~(errors < 1000).all(axis=0)  # an error that is not a number counts
        accepted = (rng.random(len(q)) < np.exp(-np.maximum(errors[-1], 0))) & ~divergent
        for chain in np.flatnonzero(divergent):
            broke = np.argmax(~(np.abs(errors[:, chain]) < 1))
            stopped = np.argmax(~(errors[:, chain] < 1000))
            places.append([q[chain], where[broke, chain], where[stopped, chain]])
            chains.append(chain)
        q = np.where(accepted[:, None], where[-1], q)
        draws.append(q)
    return np.stack(draws, axis=1), np.array(places).reshape(-1, 3, 2), np.array(chains)


STEP = 0.2
floor = np.log(STEP / 2)  # where two standard deviations are one step
mouth = np.tile([0.0, 1.0], (200, 1))
with np.errstate(over="ignore", invalid="ignore"):
    draws, places, chains = walk_and_watch(funnel, mouth, STEP, n_steps=20, n_draws=250, rng=rng)
marked, broke, stopped = places.transpose(1, 0, 2)
of_chain = np.bincount(chains, minlength=len(mouth))
print(f"{len(places):,} of {draws[..., 0].size:,} paths diverged, {len(places) / draws[..., 0].size:.1%}")
print(f"they belong to {np.sum(of_chain > 0)} of {len(mouth)} chains; the chain with most has {of_chain.max()}")

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Draws in the shape of a funnel, log sigma upwards, that end near a dashed line although the funnel goes on. Orange crosses, the marked draws, are spread over the height of the funnel, most of them well above the line; blue triangles, the places where those paths broke, lie in the neck near and below the line. Thin lines join a few of them."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(8, 5.5))
some = draws[:, ::25].reshape(-1, 2)
ax.plot(some[:, 1], some[:, 0], ".", color=mlm.COLORS["data"], markersize=3, label="draws")
height = np.linspace(-4, 3, 200)
for side in (-2, 2):
    ax.plot(side * np.exp(height), height, color=mlm.COLORS["prior"], linewidth=1)
shown = rng.choice(len(places), size=40, replace=False)
ax.plot(
    [marked[shown, 1], broke[shown, 1]],
    [marked[shown, 0], broke[shown, 0]],
    color=mlm.COLORS["estimate"],
    linewidth=0.4,
)
ax.plot(marked[shown, 1], marked[shown, 0], "x", color=mlm.COLORS["alternative"], label="marked as divergent")
ax.plot(broke[shown, 1], broke[shown, 0], "^", color=mlm.COLORS["estimate"], markersize=5, label="where it broke")
ax.axhline(floor, color=mlm.COLORS["truth"], linestyle="--", label="a step is 2 sigma")
ax.set(xlim=(-6, 6), ylim=(-4.5, 2.5), xlabel="y, minutes", ylabel="log sigma, sigma in minutes")
ax.legend(loc="lower left", fontsize="small")
plt.show()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
lower = pd.Series(broke[:, 0] < marked[:, 0]).groupby(chains).mean()  # chain by chain
print("median of log sigma:")
for name, place in {"marked draw": marked, "where the path broke": broke, "where it was stopped": stopped}.items():
    print(f"  {name:20} {np.median(place[:, 0]):5.1f}")
print(f"a step is 2 sigma at {floor:.1f}")
print(f"the break lies lower than the mark in {lower.mean():.0%} of a chain's divergent paths, on average over chains")
assert (of_chain > 0).mean() > 0.5
assert lower.mean() > 0.85
assert np.median(marked[:, 0]) > floor + 1
assert np.median(broke[:, 0]) < floor + 0.3

# %% [markdown]
# The crosses are what a plot of divergent draws shows you.
# In your sampler a divergent path is refused, so its mark sits on the draw where the path began.
# In NUTS it sits on some place of the good part of the path.
# (A chain that refuses path after path contributes many divergences of the same draw; so they were counted chain by chain.)
# The trouble is elsewhere: in the neck, near and below the line where a step is two standard deviations.
# Even the place where a path was stopped is a poor guide: by then the ball has often been flung out of the neck.
# Marks say *that* something is narrow, and that it can be reached from there.
# They do not say that it is narrow *there*.
#
# What do the lost paths do to the answer?
# The exact distribution of $\log\sigma$ is known: it is its prior, since there are no data.

# %%
shares = {}
with np.errstate(over="ignore", invalid="ignore"):
    for step in (0.4, 0.1, 0.025):
        walked, *_ = walk_and_watch(funnel, mouth, step, round(4 / step), 250, rng)
        shares[step] = walked[:, 50:, 0]
exact_share = stats.norm(0, SD_LOG_SIGMA).cdf(-3)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Three histograms of log sigma, for steps of 0.4, 0.1 and 0.025, each with the exact normal curve and a dashed line where a step is two sigma. With the longest step the histogram breaks off soon after the line, where the curve goes on; the line moves left as the step gets shorter."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 3, figsize=(11, 3.5), sharey=True)
grid = np.linspace(-5, 5, 200)
for ax, (step, values) in zip(axes, shares.items(), strict=True):
    ax.hist(values.ravel(), bins=np.linspace(-5, 5, 41), density=True, color=mlm.COLORS["data"], label="draws")
    ax.plot(grid, stats.norm(0, SD_LOG_SIGMA).pdf(grid), color=mlm.COLORS["truth"], label="exact")
    ax.axvline(np.log(step / 2), color=mlm.COLORS["alternative"], linestyle="--", label="a step is 2 sigma")
    ax.set(title=f"step {step}", xlabel="log sigma")
axes[-1].legend(loc="upper left", bbox_to_anchor=(1, 1))
axes[0].set_yticks([])
plt.show()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
for step, values in shares.items():
    print(f"step {step:5}: {(values < -3).mean():.2%} of the draws have log sigma below -3, exact {exact_share:.2%}")
assert (shares[0.4] < -3).mean() < 0.6 * exact_share < (shares[0.025] < -3).mean()

# %% [markdown]
# Soon after the step no longer fits, the histogram stops.
# Long steps do not reach a small $\sigma$, and every average that depends on $\sigma$ is off.
# Short steps go deeper, and cost more: the last panel used sixteen times as many gradients for each draw as the first.
# But a funnel has no bottom, so no step is short enough for all of it.
# What helps is another set of coordinates, and that is the theme of [06](06_noncentered.ipynb).
#
# ## The same pictures from nutpie
#
# Now leave your sampler and read the real one.
# `mlm.sample` runs nutpie's NUTS, with a target acceptance of 0.9 here, and stores what it saw in the group `sample_stats`.
# The model is the ridge.
# You sample it twice.
# The first run learns one scale for each unknown in its warm-up, and the second learns correlations too (the course's default for small models).

# %%
with pm.Model() as ridge_model:
    road = pm.Normal("road", 0, PRIOR_SD)
    mill = pm.Normal("mill", 0, PRIOR_SD)
    pm.Normal("total", road + mill, SCATTER, observed=late)

compiled = mlm.compile_model(ridge_model)
fits = {
    name: mlm.sample(compiled, seed=SEED, draws=2000, adaptation=adaptation, target_accept=0.9)
    for name, adaptation in {"learns scales": "diag", "learns correlations": "low_rank"}.items()
}
for fit in fits.values():
    mlm.check_convergence(fit)


def what_it_saw(fit):
    """Statistics of a run, one row a chain."""
    seen = fit["sample_stats"].to_dataset()
    return pd.DataFrame(
        {
            "step size": seen["step_size"].isel(draw=-1),
            "acceptance": seen["acceptance_rate"].mean("draw"),
            "largest tree depth": seen["tree_depth"].max("draw"),
            "gradients per draw": seen["n_steps"].mean("draw"),
            "divergences": seen["diverging"].sum("draw"),
        }
    ).rename_axis("chain")


pd.concat({name: what_it_saw(fit) for name, fit in fits.items()}, names=["run"]).round(2)

# %% [markdown]
# Read the table from left to right.
#
# - **Step size** is what warm-up settled on, in the stretched coordinates in which nutpie walks. There each unknown has a spread of about 1.
# - **Acceptance** is near the target in both runs: warm-up did its work.
# - **Tree depth** and **gradients per draw** say how long the paths were. The run that learns scales alone still walks on a ridge, so its steps are shorter and its paths have more of them.
# - **Divergences** are zero, as they should be where nothing is narrower than the steps.
#
# Both runs converged, so they may be compared.
# And because the posterior is known, both can be tested.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
exact_sd = np.sqrt(np.diag(ridge_covariance))
for name, fit in fits.items():
    for k, variable in enumerate(("road", "mill")):
        draws = fit["posterior"][variable].values
        error = 1.2 * float(az.mcse(draws))  # a standard error of the average, and some slack: it is itself an estimate
        print(
            f"{name:20} {variable}: average {draws.mean():5.2f}, exact {ridge_mean[k]:5.2f}; "
            f"sd {draws.std():.2f}, exact {exact_sd[k]:.2f}; effective draws {float(az.ess(draws)):,.0f}"
        )
        assert abs(draws.mean() - ridge_mean[k]) < limit * error
        assert abs(draws.std() - exact_sd[k]) < limit * 1.2 * float(az.mcse(draws, method="sd"))
cost = {name: float(fit["sample_stats"]["n_steps"].mean()) for name, fit in fits.items()}
size = {name: float(az.ess(fit["posterior"]["road"].values)) for name, fit in fits.items()}
assert cost["learns scales"] > 1.5 * cost["learns correlations"]
assert size["learns correlations"] > size["learns scales"]
for fit in fits.values():
    assert abs(float(fit["sample_stats"]["acceptance_rate"].mean()) - 0.9) < 0.05
    assert int(fit["sample_stats"]["diverging"].sum()) == 0

# %% [markdown]
# Both runs pass.
# From equally many draws, the run that learned the correlations got more effective draws, with fewer gradients for each.
#
# ### Energy
#
# nutpie stores the energy of every draw, too.
# For two unknowns and a normal posterior its distribution is known: the energy above its lowest value is half of a sum of four squared standard normals, two for the position and two for the push.
# That is a gamma distribution of shape 2, with a mean of 2.
# An energy is known only up to a constant, which differs between chains, so subtract each chain's average.

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Histogram of the energy of the draws around each chain's average, steep on the left with a long tail to the right, and the exact gamma curve of shape 2 that runs along its top."}} tags=["hide-input"]
energies = fits["learns correlations"]["sample_stats"]["energy"]
around = (energies - energies.mean("draw")).values.ravel()
grid = np.linspace(-2, 8, 300)

fig, ax = plt.subplots()
ax.hist(around, bins=np.linspace(-2, 8, 51), density=True, color=mlm.COLORS["data"], label="nutpie's draws")
ax.plot(grid, stats.gamma(2, loc=-2).pdf(grid), color=mlm.COLORS["truth"], label="exact: gamma of shape 2")
ax.set(xlabel="energy around the chain's average", ylabel="density")
ax.legend()
plt.show()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
print(f"variance of the energy {around.var():.2f}, exact 2")
assert abs(around.var() - 2) < 0.5

# %% [markdown]
# Each path keeps the energy that its push gave it.
# So the energy changes only from push to push, and a sampler has to get through this whole distribution by pushes alone.
# Where pushes are too weak for that, the chain creeps; [07](07_diagnostics.ipynb) has a number for it.
#
# ### The funnel, chain by chain
#
# Last, the funnel, with eight new couriers instead of one.
#
# **Predict first.** Will the run pass `mlm.check_convergence`?
# If it fails, will every chain look ill?

# %%
with pm.Model() as funnel_model:
    log_sigma = pm.Normal("log_sigma", 0, SD_LOG_SIGMA)
    pm.Normal("y", 0, pm.math.exp(log_sigma), shape=8)

funnel_fit = mlm.sample(funnel_model, seed=SEED, target_accept=0.9)
try:
    mlm.check_convergence(funnel_fit)
except mlm.ConvergenceError as error:
    print(error)
    failed = True
else:
    failed = False
assert failed, "the lesson: this funnel cannot be walked"

# %%
of_chain = funnel_fit["posterior"]["log_sigma"]
table = what_it_saw(funnel_fit)
table["average log sigma"] = of_chain.mean("draw")
table["lowest log sigma"] = of_chain.min("draw")
table["places visited"] = [len(np.unique(values)) for values in of_chain.values]
deep = float((of_chain < -2.5).mean())
print(
    f"log sigma below -2.5: {deep:.1%} of the draws, exact {stats.norm(0, SD_LOG_SIGMA).cdf(-2.5):.1%}; average: exact 0"
)
table.round(2)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Four panels, one for each chain, with draws of log sigma against one courier's difference: the upper part of a funnel that ends at a different height in each chain, some of them with crosses for divergent draws."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 4, figsize=(12, 4), sharex=True, sharey=True)
height = np.linspace(-5, 3, 200)
for chain, ax in enumerate(axes):
    values = funnel_fit["posterior"].isel(chain=chain)
    bad = funnel_fit["sample_stats"]["diverging"].values[chain]
    first = values["y"].values[:, 0]
    ax.plot(first, values["log_sigma"], ".", color=mlm.COLORS["estimate"], markersize=2)
    ax.plot(first[bad], values["log_sigma"].values[bad], "x", color=mlm.COLORS["alternative"])
    for side in (-2, 2):
        ax.plot(side * np.exp(height), height, "--", color=mlm.COLORS["truth"], linewidth=1)
    ax.set(title=f"chain {chain}: {bad.sum()} divergent", xlabel="y of one courier, minutes")
axes[0].set(xlim=(-8, 8), ylim=(-5, 4), ylabel="log sigma")
plt.show()

# %% [markdown]
# The run fails; the cell that sampled it would have stopped otherwise.
# Read it chain by chain.
# The chains end at different heights of the neck, and each of them creeps up and down; this is what R-hat and the effective draws see.
# Do not compare the step sizes: each chain counts them in the scales that it learned in its own warm-up.
# The printed line compares how often the draws were deep in the neck with how often they should have been.
#
# Now look at the divergences.
# There may be only a handful, or none at all, although the neck was not explored as it should be.
# So the absence of divergences is no proof of health.
# And where there are many, they may all come from one chain that got stuck, which the column of places visited would show.
# Before you say where divergences gather, look at the chains one by one.
#
# ## What to answer
#
# Back to the statistician.
# Eight thousand places on the paths of a rolling ball: four chains, 2,000 pushes each, one place a push, after a warm-up that chose the step and was thrown away.
# How would you have noticed that they were wrong?
# The chains might have disagreed, or crept, so that thousands of draws were worth a few dozen.
# Paths might have diverged.
# And where you can work out the answer by other means, as with Ann and Ben, the draws would have failed a test whose power you know.
# None of these alone is enough: the sampler without acceptance never complained, and a chain in the funnel may show no divergence.
# That is why a check comes after every fit in this course, and why it has several parts.
#
# ## Check yourself
#
# The quiz asks about ideas.
# The [exercises](exercises/03_exercises.ipynb) let you use them, from easy to hard, and tell you at once whether you are right.

# %%
mlm.quiz("03")

# %% [markdown]
# ## What to remember
#
# - A sampler asks a posterior for its log density and its gradient, and for nothing else.
# - Hamiltonian Monte Carlo pushes a ball, rolls it by leapfrog steps, and accepts the end with probability min(1, exp(-energy error)).
# - Leapfrog is reversible and preserves volume; without acceptance it still samples from the wrong distribution.
# - A step must stay below two standard deviations of the narrowest direction. Warm-up finds such a step; tree depth says how often a path was doubled.
# - A divergence means that the energy exploded. The mark is on the draw that was kept, not where the path broke.
# - No divergences is not proof. Look chain by chain, and test against a known answer where you have one.
#
# ## Going further
#
# - Metropolis, Rosenbluth, Rosenbluth, Teller and Teller (1953), *Equation of state calculations by fast computing machines*, Journal of Chemical Physics 21. [doi:10.1063/1.1699114](https://doi.org/10.1063/1.1699114)
# - Duane, Kennedy, Pendleton and Roweth (1987), *Hybrid Monte Carlo*, Physics Letters B 195. The first Hamiltonian Monte Carlo. [doi:10.1016/0370-2693(87)91197-X](https://doi.org/10.1016/0370-2693%2887%2991197-X)
# - Neal (2003), *Slice sampling*, Annals of Statistics 31. The funnel is one of its examples. [doi:10.1214/aos/1056562461](https://doi.org/10.1214/aos/1056562461)
# - Neal (2011), *MCMC using Hamiltonian dynamics*, in the Handbook of Markov Chain Monte Carlo. Leapfrog and its limit, in detail. [arXiv:1206.1901](https://arxiv.org/abs/1206.1901)
# - Hoffman and Gelman (2014), *The No-U-Turn Sampler*, Journal of Machine Learning Research 15. [jmlr.org/papers/v15/hoffman14a.html](https://jmlr.org/papers/v15/hoffman14a.html)
# - Betancourt (2017), *A conceptual introduction to Hamiltonian Monte Carlo*. Pictures and reasons. [arXiv:1701.02434](https://arxiv.org/abs/1701.02434)

# %%
print(mlm.version_line())
