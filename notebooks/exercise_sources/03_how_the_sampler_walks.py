# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises 03: How the sampler walks
#
# These exercises belong to [notebook 03](../03_how_the_sampler_walks.ipynb).
# In each task, replace the line `raise NotImplementedError(...)` by your code, run the cell, and run the check below it.
# A check says that your answer is right, or gives a hint.
# It tries your function with inputs of its own, so an answer that fits one example only will not pass.
#
# An *aim* is the number of an item in the notebook's list *You will learn*.
#
# | task | aim | what it practises | points |
# |---|---|---|---|
# | 03.1 | 1 | pay for a rise of the energy | 1 |
# | 03.2 | 2 | roll a ball in leapfrog steps | 2 |
# | 03.3 | 3 | find the longest step for a posterior | 2 |
# | 03.4 | 4 | repair a sampler that gives wrong draws without a word | 3 |
# | 03.5 | 5 | fit a model and read what the sampler saw | 3 |

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm

import mlm_tutorial as mlm

rng = np.random.default_rng(mlm.notebook_seed(203))
mlm.use_style()

# %% [markdown] tags=["task:03.1"]
# ## 03.1 What does a path cost? (easy)
#
# A path starts at one state and ends at another.
# A state is a pair $(q, p)$ of position and momentum.
# Return the change of the energy from start to end, and the probability that the end is accepted.


# %% tags=["solution:03.1"]
def energy_and_acceptance(log_density, start, end):
    """Change of the energy along a path, and the probability that its end is accepted.

    log_density: function of a position, returns a float
    start, end: pairs (q, p) of arrays of d floats, position and momentum
    Returns a pair of floats: the energy at the end minus that at the start, and a probability.
    For example, with log_density = lambda q: -0.5 * np.sum(q**2), from (np.array([0.0]), np.array([1.0])) to
    (np.array([1.0]), np.array([1.0])) the pair is about (0.5, 0.607).
    """
    ### BEGIN SOLUTION: return the pair (change of the energy, probability)
    (q_start, p_start), (q_end, p_end) = start, end
    energy_start = -log_density(q_start) + 0.5 * np.sum(p_start**2)
    energy_end = -log_density(q_end) + 0.5 * np.sum(p_end**2)
    change = energy_end - energy_start
    return change, np.exp(-max(change, 0.0))
    ### END SOLUTION


# %% tags=["check:03.1"]
mlm.check("03.1", energy_and_acceptance)


# %% tags=["mistake:03.1"]
# earns: minus the log density
def energy_and_acceptance(log_density, start, end):
    energies = [log_density(q) + 0.5 * np.sum(p**2) for q, p in (start, end)]
    change = energies[1] - energies[0]
    return change, min(1.0, np.exp(-change))


# %% tags=["mistake:03.1"]
# earns: the half is missing
def energy_and_acceptance(log_density, start, end):
    energies = [-log_density(q) + np.sum(p**2) for q, p in (start, end)]
    change = energies[1] - energies[0]
    return change, min(1.0, np.exp(-change))


# %% tags=["mistake:03.1"]
# earns: squares of the momenta
def energy_and_acceptance(log_density, start, end):
    energies = [-log_density(q) + 0.5 * np.linalg.norm(p) for q, p in (start, end)]
    change = energies[1] - energies[0]
    return change, min(1.0, np.exp(-change))


# %% tags=["mistake:03.1"]
# earns: change of height alone
def energy_and_acceptance(log_density, start, end):
    change = log_density(start[0]) - log_density(end[0])
    return change, min(1.0, np.exp(-change))


# %% tags=["mistake:03.1"]
# earns: the sign is turned round
def energy_and_acceptance(log_density, start, end):
    energies = [-log_density(q) + 0.5 * np.sum(p**2) for q, p in (start, end)]
    change = energies[0] - energies[1]
    return change, min(1.0, np.exp(change))


# %% tags=["mistake:03.1"]
# earns: a probability is never above 1
def energy_and_acceptance(log_density, start, end):
    energies = [-log_density(q) + 0.5 * np.sum(p**2) for q, p in (start, end)]
    change = energies[1] - energies[0]
    return change, np.exp(-change)


# %% tags=["mistake:03.1"]
# earns: accepts a rise of the energy for certain
def energy_and_acceptance(log_density, start, end):
    energies = [-log_density(q) + 0.5 * np.sum(p**2) for q, p in (start, end)]
    change = energies[1] - energies[0]
    return change, min(1.0, np.exp(change))


# %% tags=["mistake:03.1"]
# earns: not refused for certain
def energy_and_acceptance(log_density, start, end):
    energies = [-log_density(q) + 0.5 * np.sum(p**2) for q, p in (start, end)]
    change = energies[1] - energies[0]
    return change, float(change <= 0)


# %% tags=["mistake:03.1"]
# earns: costs nothing, whatever its size
def energy_and_acceptance(log_density, start, end):
    energies = [-log_density(q) + 0.5 * np.sum(p**2) for q, p in (start, end)]
    change = energies[1] - energies[0]
    return change, np.exp(-abs(change))


# %% [markdown] tags=["task:03.2"]
# ## 03.2 Where is the ball after some steps? (medium)
#
# Let a ball roll from position `q` with momentum `p`, in leapfrog steps.
# Return its position and its momentum at the end.
#
# By hand first: in a bowl with gradient $-q$, start at $q = 1$ with $p = 0$ and take one step of 0.2.
# Half a push gives $p = -0.1$, the glide gives $q = 0.98$, and half a push gives $p = -0.198$.


# %% tags=["solution:03.2"]
def leapfrog_end(gradient, q, p, step, n_steps):
    """Position and momentum after some leapfrog steps.

    gradient: function of a position, returns the gradient of the log density there, an array of d floats
    q, p: arrays of d floats, position and momentum at the start
    step: float
    n_steps: int, at least 1
    Returns a pair of arrays of d floats: position and momentum at the end.
    """
    ### BEGIN SOLUTION: return the pair (position, momentum) after n_steps leapfrog steps
    for _ in range(n_steps):
        p = p + 0.5 * step * gradient(q)
        q = q + step * p
        p = p + 0.5 * step * gradient(q)
    return q, p
    ### END SOLUTION


# %% tags=["check:03.2"]
mlm.check("03.2", leapfrog_end)


# %% tags=["mistake:03.2"]
# earns: rolls uphill
def leapfrog_end(gradient, q, p, step, n_steps):
    for _ in range(n_steps):
        p = p - step / 2 * gradient(q)
        q = q + step * p
        p = p - step / 2 * gradient(q)
    return q, p


# %% tags=["mistake:03.2"]
# earns: Euler's rule
def leapfrog_end(gradient, q, p, step, n_steps):
    for _ in range(n_steps):
        q, p = q + step * p, p + step * gradient(q)
    return q, p


# %% tags=["mistake:03.2"]
# earns: the first push is a whole one
def leapfrog_end(gradient, q, p, step, n_steps):
    for _ in range(n_steps):
        p = p + step * gradient(q)
        q = q + step * p
    return q, p


# %% tags=["mistake:03.2"]
# earns: the glide comes first
def leapfrog_end(gradient, q, p, step, n_steps):
    for _ in range(n_steps):
        q = q + step * p
        p = p + step * gradient(q)
    return q, p


# %% tags=["mistake:03.2"]
# earns: the second half of the push is missing
def leapfrog_end(gradient, q, p, step, n_steps):
    for _ in range(n_steps):
        p = p + step / 2 * gradient(q)
        q = q + step * p
    return q, p


# %% tags=["mistake:03.2"]
# earns: the slope at the new place
def leapfrog_end(gradient, q, p, step, n_steps):
    for _ in range(n_steps):
        slope = gradient(q)
        p = p + step / 2 * slope
        q = q + step * p
        p = p + step / 2 * slope
    return q, p


# %% tags=["mistake:03.2"]
# earns: after a single step
def leapfrog_end(gradient, q, p, step, n_steps):
    p = p + step / 2 * gradient(q)
    q = q + step * p
    return q, p + step / 2 * gradient(q)


# %% tags=["mistake:03.2"]
# earns: as it arrives
def leapfrog_end(gradient, q, p, step, n_steps):
    for _ in range(n_steps):
        p = p + step / 2 * gradient(q)
        q = q + step * p
        p = p + step / 2 * gradient(q)
    return q, -p


# %% tags=["mistake:03.2"]
# earns: pushed twice as hard
def leapfrog_end(gradient, q, p, step, n_steps):
    for _ in range(n_steps):
        p = p + step * gradient(q)
        q = q + step * p
        p = p + step * gradient(q)
    return q, p


# %% [markdown] tags=["task:03.3"]
# ## 03.3 The longest step (medium)
#
# A posterior of $d$ unknowns is normal with a known covariance matrix: the variances of the unknowns on the diagonal, and beside it how each two of them vary together.
# The sampler walks in these unknowns as they are, with pushes from a standard normal.
# Beyond which step does the energy of a leapfrog path explode?
#
# (The variances along the directions of a normal distribution are the eigenvalues of its covariance matrix, `np.linalg.eigvalsh`.)


# %% tags=["solution:03.3"]
def largest_step(covariance):
    """Step beyond which leapfrog paths explode.

    covariance: array of shape (d, d), symmetric, with positive eigenvalues
    Returns a float, in the units of the unknowns.
    For example, largest_step(np.array([[9.0]])) is 6.0.
    """
    ### BEGIN SOLUTION: return the longest step that does not explode
    narrowest_variance = np.linalg.eigvalsh(covariance).min()
    return 2 * np.sqrt(narrowest_variance)
    ### END SOLUTION


# %% tags=["check:03.3"]
mlm.check("03.3", largest_step)


# %% tags=["mistake:03.3"]
# earns: not an axis
def largest_step(covariance):
    return 2 * np.sqrt(np.diag(covariance).min())


# %% tags=["mistake:03.3"]
# earns: one standard deviation of the narrowest
def largest_step(covariance):
    return np.sqrt(np.linalg.eigvalsh(covariance).min())


# %% tags=["mistake:03.3"]
# earns: the widest direction
def largest_step(covariance):
    return 2 * np.sqrt(np.linalg.eigvalsh(covariance).max())


# %% tags=["mistake:03.3"]
# earns: the matrix holds variances
def largest_step(covariance):
    return 2 * np.linalg.eigvalsh(covariance).min()


# %% tags=["mistake:03.3"]
# earns: one over a length
def largest_step(covariance):
    return 2 / np.sqrt(np.linalg.eigvalsh(covariance).min())


# %% tags=["mistake:03.3"]
# earns: the widest direction
def largest_step(covariance):
    return 2 / np.sqrt(np.linalg.eigvalsh(np.linalg.inv(covariance)).min())


# %% tags=["mistake:03.3"]
# earns: not an axis
def largest_step(covariance):
    return 2 / np.sqrt(np.diag(np.linalg.inv(covariance)).max())


# %% tags=["mistake:03.3"]
# earns: not set by an average
def largest_step(covariance):
    return 2 * np.sqrt(np.trace(covariance) / len(covariance))


# %% [markdown] tags=["task:03.4"]
# ## 03.4 Repair a sampler (hard)
#
# A colleague wrote Hamiltonian Monte Carlo for a single chain.
# It raises no error, and its draws are wrong.
# The next cell runs it on a standard normal and shows the draws beside the exact curve.
# It holds three mistakes.
# Write a version without them.


# %% mystnb={"image": {"alt": "Histogram of the draws of the broken sampler and the curve of a standard normal, which it does not follow."}}
def broken(log_density, gradient, q, step, n_steps, n_draws, rng):
    draws = []
    p = rng.normal(size=len(q))
    for _ in range(n_draws):
        q_end, p_end = q, p
        for _ in range(n_steps):
            p_end = p_end + step / 2 * gradient(q_end)
            q_end = q_end + step * p_end
            p_end = p_end + step / 2 * gradient(q_end)
        change = log_density(q) + 0.5 * np.sum(p**2) - log_density(q_end) - 0.5 * np.sum(p_end**2)
        if rng.random() < np.exp(-change):
            q, p = q_end, p_end
            draws.append(q)
    return np.array(draws)


draws = broken(lambda q: -0.5 * np.sum(q**2), lambda q: -q, np.array([1.0]), 1.4, 3, 5000, rng)
grid = np.linspace(-4, 4, 200)
fig, ax = plt.subplots()
ax.hist(draws[:, 0], bins=60, density=True, color=mlm.COLORS["data"], label="draws of the broken sampler")
ax.plot(grid, np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi), color=mlm.COLORS["truth"], label="exact")
ax.set(xlabel="unknown", ylabel="density", xlim=(-4, 4))
ax.legend()
plt.show()


# %% tags=["solution:03.4"]
def repaired(log_density, gradient, q, step, n_steps, n_draws, rng):
    """Draws of Hamiltonian Monte Carlo, one chain.

    log_density, gradient: functions of a position, return a float and an array of d floats
    q: array of d floats, where the chain starts
    step, n_steps: float and int, the leapfrog steps of a path
    n_draws: int
    rng: numpy.random.Generator, the source of all random numbers
    Returns an array of shape (n_draws, d): where the chain is after each path; the start is not one of them.
    """
    ### BEGIN SOLUTION: return the draws of a sampler without the three mistakes
    draws = []
    for _ in range(n_draws):
        p = rng.normal(size=len(q))
        q_end, p_end = q, p
        for _ in range(n_steps):
            p_end = p_end + step / 2 * gradient(q_end)
            q_end = q_end + step * p_end
            p_end = p_end + step / 2 * gradient(q_end)
        change = -log_density(q_end) + 0.5 * np.sum(p_end**2) + log_density(q) - 0.5 * np.sum(p**2)
        if rng.random() < np.exp(-max(change, 0.0)):
            q = q_end
        draws.append(q)
    return np.array(draws)
    ### END SOLUTION


# %% tags=["check:03.4"]
mlm.check("03.4", repaired)


# %% tags=["mistake:03.4"]
# earns: pushed once
def repaired(log_density, gradient, q, step, n_steps, n_draws, rng):
    draws = []
    p = rng.normal(size=len(q))
    for _ in range(n_draws):
        q_end, p_end = q, p
        for _ in range(n_steps):
            p_end = p_end + step / 2 * gradient(q_end)
            q_end = q_end + step * p_end
            p_end = p_end + step / 2 * gradient(q_end)
        change = -log_density(q_end) + 0.5 * np.sum(p_end**2) + log_density(q) - 0.5 * np.sum(p**2)
        if rng.random() < np.exp(-change):
            q, p = q_end, p_end
        draws.append(q)
    return np.array(draws)


# %% tags=["mistake:03.4"]
# earns: the old place counts once more
def repaired(log_density, gradient, q, step, n_steps, n_draws, rng):
    draws = []
    for _ in range(n_draws):
        p = rng.normal(size=len(q))
        q_end, p_end = q, p
        for _ in range(n_steps):
            p_end = p_end + step / 2 * gradient(q_end)
            q_end = q_end + step * p_end
            p_end = p_end + step / 2 * gradient(q_end)
        change = -log_density(q_end) + 0.5 * np.sum(p_end**2) + log_density(q) - 0.5 * np.sum(p**2)
        if rng.random() < np.exp(-change):
            q = q_end
            draws.append(q)
    return np.array(draws)


# %% tags=["mistake:03.4"]
# earns: accepts every one of them
def repaired(log_density, gradient, q, step, n_steps, n_draws, rng):
    draws = []
    while len(draws) < n_draws:
        p = rng.normal(size=len(q))
        q_end, p_end = q, p
        for _ in range(n_steps):
            p_end = p_end + step / 2 * gradient(q_end)
            q_end = q_end + step * p_end
            p_end = p_end + step / 2 * gradient(q_end)
        change = -log_density(q_end) + 0.5 * np.sum(p_end**2) + log_density(q) - 0.5 * np.sum(p**2)
        if rng.random() < np.exp(-change):
            q = q_end
            draws.append(q)
    return np.array(draws)


# %% tags=["mistake:03.4"]
# earns: accepts every one of them
def repaired(log_density, gradient, q, step, n_steps, n_draws, rng):
    draws = []
    for _ in range(n_draws):
        p = rng.normal(size=len(q))
        for _ in range(n_steps):
            p = p + step / 2 * gradient(q)
            q = q + step * p
            p = p + step / 2 * gradient(q)
        draws.append(q)
    return np.array(draws)


# %% tags=["mistake:03.4"]
# earns: of the paths are accepted
def repaired(log_density, gradient, q, step, n_steps, n_draws, rng):
    draws = []
    for _ in range(n_draws):
        p = rng.normal(size=len(q))
        q_end, p_end = q, p
        for _ in range(n_steps):
            p_end = p_end + step / 2 * gradient(q_end)
            q_end = q_end + step * p_end
            p_end = p_end + step / 2 * gradient(q_end)
        # the sign of the energies of motion is still wrong
        change = log_density(q) + 0.5 * np.sum(p**2) - log_density(q_end) - 0.5 * np.sum(p_end**2)
        if rng.random() < np.exp(-change):
            q = q_end
        draws.append(q)
    return np.array(draws)


# %% tags=["mistake:03.4"]
# earns: too few by far
def repaired(log_density, gradient, q, step, n_steps, n_draws, rng):
    draws = []
    for _ in range(n_draws):
        p = rng.normal(size=len(q))
        q_end, p_end = q, p
        for _ in range(n_steps):
            p_end = p_end + step / 2 * gradient(q_end)
            q_end = q_end + step * p_end
            p_end = p_end + step / 2 * gradient(q_end)
        if rng.random() < np.exp(log_density(q_end) - log_density(q)):  # height alone
            q = q_end
        draws.append(q)
    return np.array(draws)


# %% tags=["mistake:03.4"]
# earns: one draw too many
def repaired(log_density, gradient, q, step, n_steps, n_draws, rng):
    draws = [q]
    for _ in range(n_draws):
        p = rng.normal(size=len(q))
        q_end, p_end = q, p
        for _ in range(n_steps):
            p_end = p_end + step / 2 * gradient(q_end)
            q_end = q_end + step * p_end
            p_end = p_end + step / 2 * gradient(q_end)
        change = -log_density(q_end) + 0.5 * np.sum(p_end**2) + log_density(q) - 0.5 * np.sum(p**2)
        if rng.random() < np.exp(-change):
            q = q_end
        draws.append(q)
    return np.array(draws)


# %% tags=["mistake:03.4"]
# earns: use the `rng` that you get
def repaired(log_density, gradient, q, step, n_steps, n_draws, rng):
    rng = np.random.default_rng()
    draws = []
    for _ in range(n_draws):
        p = rng.normal(size=len(q))
        q_end, p_end = q, p
        for _ in range(n_steps):
            p_end = p_end + step / 2 * gradient(q_end)
            q_end = q_end + step * p_end
            p_end = p_end + step / 2 * gradient(q_end)
        change = -log_density(q_end) + 0.5 * np.sum(p_end**2) + log_density(q) - 0.5 * np.sum(p**2)
        if rng.random() < np.exp(-change):
            q = q_end
        draws.append(q)
    return np.array(draws)


# %% [markdown] tags=["task:03.5"]
# ## 03.5 Fit, and read what the sampler saw (hard)
#
# Parcels go by the road and through one of two sorting centers, Harbor and Mill.
# You get the center of each parcel and how many minutes late it was, and you want to know what the road adds and what each center adds:
#
# $$\text{late}_i \sim \text{Normal}(\text{road} + \text{center}_{k(i)},\ 5), \qquad \text{road} \sim \text{Normal}(0, 10), \quad \text{center}_k \sim \text{Normal}(0, 5).$$
#
# The numbers are standard deviations, in minutes, and the 5 is known.
# Sample the model with `mlm.sample(model, seed=...)`, as in the notebook.
# Return the fit and a report of the walk: what you would read before you trust it.


# %% tags=["solution:03.5"]
def fit_and_read(parcels):
    """Posterior of the road's and the centers' minutes, and a report of the walk.

    parcels: pandas.DataFrame with one row a parcel and the columns center ("Harbor" or "Mill") and late (float, minutes)
    Returns a pair: what mlm.sample returns, and a dict with four numbers.
    The posterior has the variables road (a number) and center (two numbers: Harbor, then Mill).
    The dict has the entries
        divergences: how many draws diverged, in all chains together
        acceptance: the average acceptance rate of the draws
        deepest: the largest tree depth of a draw
        gradients_per_draw: how many leapfrog steps a draw took, on average (those that were kept, without warm-up)
    """
    ### BEGIN SOLUTION: return the pair (fit, report)
    centers = ["Harbor", "Mill"]
    k = pd.Categorical(parcels["center"], categories=centers).codes
    with pm.Model(coords={"place": centers}) as model:
        road = pm.Normal("road", 0, 10)
        center = pm.Normal("center", 0, 5, dims="place")
        pm.Normal("late", road + center[k], 5, observed=parcels["late"])
    fit = mlm.sample(model, seed=203)
    seen = fit["sample_stats"]
    report = {
        "divergences": int(seen["diverging"].sum()),
        "acceptance": float(seen["acceptance_rate"].mean()),
        "deepest": int(seen["tree_depth"].max()),
        "gradients_per_draw": float(seen["n_steps"].mean()),
    }
    return fit, report
    ### END SOLUTION


# %% tags=["check:03.5"]
mlm.check("03.5", fit_and_read)


# %% tags=["mistake:03.5"]
# earns: not a variance
def fit_and_read(parcels):
    k = pd.Categorical(parcels["center"], categories=["Harbor", "Mill"]).codes
    with pm.Model() as model:
        road = pm.Normal("road", 0, 10**0.5)
        center = pm.Normal("center", 0, 5**0.5, shape=2)
        pm.Normal("late", road + center[k], 5, observed=parcels["late"])
    return mlm.sample(model, seed=203), {}


# %% tags=["mistake:03.5"]
# earns: changed places
def fit_and_read(parcels):
    k = (parcels["center"] == "Harbor").to_numpy().astype(int)
    with pm.Model() as model:
        road = pm.Normal("road", 0, 10)
        center = pm.Normal("center", 0, 5, shape=2)
        pm.Normal("late", road + center[k], 5, observed=parcels["late"])
    return mlm.sample(model, seed=203), {}


# %% tags=["mistake:03.5"]
# earns: has not seen a single parcel
def fit_and_read(parcels):
    with pm.Model() as model:
        pm.Normal("road", 0, 10)
        pm.Normal("center", 0, 5, shape=2)
    return mlm.sample(model, seed=203), {}


# %% tags=["mistake:03.5"]
# earns: left at 1 minute
def fit_and_read(parcels):
    k = pd.Categorical(parcels["center"], categories=["Harbor", "Mill"]).codes
    with pm.Model() as model:
        road = pm.Normal("road", 0, 10)
        center = pm.Normal("center", 0, 5, shape=2)
        pm.Normal("late", road + center[k], observed=parcels["late"])
    return mlm.sample(model, seed=203), {}


# %% tags=["mistake:03.5"]
# earns: does not pass mlm.check_convergence
def fit_and_read(parcels):
    k = pd.Categorical(parcels["center"], categories=["Harbor", "Mill"]).codes
    with pm.Model() as model:
        road = pm.Normal("road", 0, 10)
        center = pm.Normal("center", 0, 5, shape=2)
        pm.Normal("late", road + center[k], 5, observed=parcels["late"])
    return mlm.sample(model, seed=203, draws=50), {}


# %% tags=["mistake:03.5"]
# earns: the gradients of the warm-up
def fit_and_read(parcels):
    k = pd.Categorical(parcels["center"], categories=["Harbor", "Mill"]).codes
    with pm.Model() as model:
        road = pm.Normal("road", 0, 10)
        center = pm.Normal("center", 0, 5, shape=2)
        pm.Normal("late", road + center[k], 5, observed=parcels["late"])
    fit = mlm.sample(model, seed=203)
    seen = fit["sample_stats"]
    return fit, {
        "divergences": int(seen["diverging"].sum()),
        "acceptance": float(seen["acceptance_rate"].mean()),
        "deepest": int(seen["tree_depth"].max()),
        "gradients_per_draw": fit.attrs["gradients"] / seen["n_steps"].size,
    }


# %% tags=["mistake:03.5"]
# earns: one number for all chains together
def fit_and_read(parcels):
    k = pd.Categorical(parcels["center"], categories=["Harbor", "Mill"]).codes
    with pm.Model() as model:
        road = pm.Normal("road", 0, 10)
        center = pm.Normal("center", 0, 5, shape=2)
        pm.Normal("late", road + center[k], 5, observed=parcels["late"])
    fit = mlm.sample(model, seed=203)
    seen = fit["sample_stats"]
    return fit, {
        "divergences": int(seen["diverging"].sum()),
        "acceptance": seen["acceptance_rate"].mean("draw"),
        "deepest": int(seen["tree_depth"].max()),
        "gradients_per_draw": float(seen["n_steps"].mean()),
    }


# %% tags=["mistake:03.5"]
# earns: the average tree depth; the task asks for the largest
def fit_and_read(parcels):
    k = pd.Categorical(parcels["center"], categories=["Harbor", "Mill"]).codes
    with pm.Model() as model:
        road = pm.Normal("road", 0, 10)
        center = pm.Normal("center", 0, 5, shape=2)
        pm.Normal("late", road + center[k], 5, observed=parcels["late"])
    fit = mlm.sample(model, seed=203)
    seen = fit["sample_stats"]
    return fit, {
        "divergences": int(seen["diverging"].sum()),
        "acceptance": float(seen["acceptance_rate"].mean()),
        "deepest": float(seen["tree_depth"].mean()),
        "gradients_per_draw": float(seen["n_steps"].mean()),
    }
