# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises 06: Non-centered
#
# These exercises belong to [notebook 06](../06_noncentered.ipynb).
# In each task, replace the line `raise NotImplementedError(...)` by your code, run the cell, and run the check below it.
# A check says that your answer is right, or gives a hint.
# It tries your function with inputs of its own, so an answer that fits one example only will not pass.
#
# An *aim* is the number of an item in the notebook's list *You will learn*.
#
# | task | aim | what it practises | points |
# |---|---|---|---|
# | 06.1 | 5 | choose a form by how much the data say about each contributor | 1 |
# | 06.2 | 4 | compare samplers fairly, and only runs that converged | 2 |
# | 06.3 | 1 | write a centered model with two levels in its non-centered form | 2 |
# | 06.4 | 3 | fit a model with a suspect fixed, and with the suspect free | 3 |
# | 06.5 | 2 | prove in code that two forms are one model | 3 |

# %%
import numpy as np
import pandas as pd
import pymc as pm

import mlm_tutorial as mlm

# %% [markdown] tags=["task:06.1"]
# ## 06.1 A form for each contributor (easy)
#
# The means of a layer are drawn from $\mu_k \sim \text{Normal}(0, \tau)$.
# Contributor $k$ has `counts[k]` observations, and each observation has a standard deviation of `noise` about its contributor's mean.
# You have a good guess of $\tau$ from earlier data.
# Choose the form of each contributor by the rule of the notebook.


# %% tags=["solution:06.1"]
def choose_forms(counts, noise, tau):
    """Form of each contributor.

    counts: array of int, shape (m,), number of observations of each contributor
    noise: float, standard deviation of one observation
    tau: float, standard deviation of the contributors' means
    Returns a list of m texts, each "centered" or "noncentered".
    With noise 5 and tau 1, the counts [2, 2000] give ["noncentered", "centered"].
    """
    ### BEGIN SOLUTION: return a list of texts, centered or noncentered, one for each contributor
    turning_point = noise**2 / tau**2
    return ["centered" if n > turning_point else "noncentered" for n in counts]
    ### END SOLUTION


# %% tags=["check:06.1"]
mlm.check("06.1", choose_forms)


# %% tags=["mistake:06.1"]
# earns: the forms are swapped
def choose_forms(counts, noise, tau):
    return ["noncentered" if n > (noise / tau) ** 2 else "centered" for n in counts]


# %% tags=["mistake:06.1"]
# earns: compare variances
def choose_forms(counts, noise, tau):
    return np.where(counts > noise / tau, "centered", "noncentered")


# %% tags=["mistake:06.1"]
# earns: the spread of the means, tau, matters
def choose_forms(counts, noise, tau):
    return ["centered" if n > noise**2 else "noncentered" for n in counts]


# %% tags=["mistake:06.1"]
# earns: a limit like the notebook's 25
def choose_forms(counts, noise, tau):
    return ["centered" if n > 25 else "noncentered" for n in counts]


# %% tags=["mistake:06.1"]
# earns: a fixed limit explains your answers
def choose_forms(counts, noise, tau):
    return ["centered" if n >= 100 else "noncentered" for n in counts]


# %% tags=["mistake:06.1"]
# earns: not against other counts
def choose_forms(counts, noise, tau):
    return ["centered" if n > np.mean(counts) else "noncentered" for n in counts]


# %% tags=["mistake:06.1"]
# earns: one form for all
def choose_forms(counts, noise, tau):
    return ["centered" if np.mean(counts) > noise**2 / tau**2 else "noncentered"] * len(counts)


# %% tags=["mistake:06.1"]
# earns: each value should be one of
def choose_forms(counts, noise, tau):
    return counts > noise**2 / tau**2


# %% [markdown] tags=["task:06.2"]
# ## 06.2 A fair race (medium)
#
# A table holds one row for each run of a sampler.
# A run converged if its largest R-hat is at most 1.01, its least bulk ESS and its least tail ESS are at least 400, and it has no divergence.
# Return the effective draws of each run per 1,000 gradients and per second of sampling.
# Effective draws are the least bulk ESS.
# A run that did not converge gets NaN in both columns, because its ESS cannot be compared.
#
# Try your function on the three runs below before you check it: which of them looks fastest, and may you say so?

# %%
runs = pd.DataFrame(
    {
        "form": ["centered", "noncentered", "noncentered"],
        "max_rhat": [1.31, 1.004, 1.002],
        "min_ess_bulk": [2400.0, 1200.0, 1500.0],
        "min_ess_tail": [900.0, 1000.0, 260.0],
        "divergences": [0, 0, 0],
        "gradients": [30_000, 60_000, 50_000],
        "compile_seconds": [9.0, 11.0, 11.0],
        "sampling_seconds": [0.6, 1.5, 1.2],
    },
    index=["a", "b", "c"],
)
runs


# %% tags=["solution:06.2"]
def compare_runs(runs):
    """Effective draws per gradient and per second.

    runs: pandas DataFrame with the columns of the table above; any number of rows, any index
    Returns a pandas DataFrame with the same index and the columns ess_per_1000_gradients and ess_per_second.
    For the table above, row "b" is (20.0, 800.0), and the rows "a" and "c" are NaN.
    """
    ### BEGIN SOLUTION: return a DataFrame with ess_per_1000_gradients and ess_per_second, NaN for runs that failed
    converged = (
        (runs["max_rhat"] <= 1.01)
        & (runs["min_ess_bulk"] >= 400)
        & (runs["min_ess_tail"] >= 400)
        & (runs["divergences"] == 0)
    )
    ess = runs["min_ess_bulk"].where(converged)
    return pd.DataFrame(
        {
            "ess_per_1000_gradients": 1000 * ess / runs["gradients"],
            "ess_per_second": ess / runs["sampling_seconds"],
        }
    )
    ### END SOLUTION


# %% tags=["check:06.2"]
mlm.check("06.2", compare_runs)


# %% tags=["mistake:06.2"]
# earns: ranks a run that has R-hat above
def compare_runs(runs):
    return pd.DataFrame(
        {
            "ess_per_1000_gradients": 1000 * runs["min_ess_bulk"] / runs["gradients"],
            "ess_per_second": runs["min_ess_bulk"] / runs["sampling_seconds"],
        }
    )


# %% tags=["mistake:06.2"]
# earns: a tail ESS below 400
def compare_runs(runs):
    fine = (runs["max_rhat"] <= 1.01) & (runs["min_ess_bulk"] >= 400) & (runs["divergences"] == 0)
    ess = runs["min_ess_bulk"].where(fine)
    return pd.DataFrame(
        {"ess_per_1000_gradients": 1000 * ess / runs["gradients"], "ess_per_second": ess / runs["sampling_seconds"]}
    )


# %% tags=["mistake:06.2"]
# earns: count it apart
def compare_runs(runs):
    fine = (runs["max_rhat"] <= 1.01) & (runs[["min_ess_bulk", "min_ess_tail"]] >= 400).all(axis=1)
    ess = runs["min_ess_bulk"].where(fine & (runs["divergences"] == 0))
    seconds = runs["compile_seconds"] + runs["sampling_seconds"]
    return pd.DataFrame({"ess_per_1000_gradients": 1000 * ess / runs["gradients"], "ess_per_second": ess / seconds})


# %% tags=["mistake:06.2"]
# earns: should keep all
def compare_runs(runs):
    fine = (runs["max_rhat"] <= 1.01) & (runs[["min_ess_bulk", "min_ess_tail"]] >= 400).all(axis=1)
    good = runs[fine & (runs["divergences"] == 0)]
    return pd.DataFrame(
        {
            "ess_per_1000_gradients": 1000 * good["min_ess_bulk"] / good["gradients"],
            "ess_per_second": good["min_ess_bulk"] / good["sampling_seconds"],
        }
    )


# %% tags=["mistake:06.2"]
# earns: per 1,000 gradients
def compare_runs(runs):
    fine = (runs["max_rhat"] <= 1.01) & (runs[["min_ess_bulk", "min_ess_tail"]] >= 400).all(axis=1)
    ess = runs["min_ess_bulk"].where(fine & (runs["divergences"] == 0))
    return pd.DataFrame(
        {"ess_per_1000_gradients": ess / runs["gradients"], "ess_per_second": ess / runs["sampling_seconds"]}
    )


# %% tags=["mistake:06.2"]
# earns: infinity ranks first
def compare_runs(runs):
    fine = (
        (runs["max_rhat"] <= 1.01)
        & (runs[["min_ess_bulk", "min_ess_tail"]] >= 400).all(axis=1)
        & (runs["divergences"] == 0)
    )
    ess = runs["min_ess_bulk"].where(fine, np.inf)
    return pd.DataFrame(
        {"ess_per_1000_gradients": 1000 * ess / runs["gradients"], "ess_per_second": ess / runs["sampling_seconds"]}
    )


# %% tags=["mistake:06.2"]
# earns: a run that has R-hat above 1.01
def compare_runs(runs):
    fine = (
        (runs["max_rhat"] <= 1.02)
        & (runs[["min_ess_bulk", "min_ess_tail"]] >= 400).all(axis=1)
        & (runs["divergences"] == 0)
    )
    ess = runs["min_ess_bulk"].where(fine)
    return pd.DataFrame(
        {"ess_per_1000_gradients": 1000 * ess / runs["gradients"], "ess_per_second": ess / runs["sampling_seconds"]}
    )


# %% tags=["mistake:06.2"]
# earns: a run that has a bulk ESS below 400
def compare_runs(runs):
    fine = (
        (runs["max_rhat"] <= 1.01)
        & (runs[["min_ess_bulk", "min_ess_tail"]] >= 200).all(axis=1)
        & (runs["divergences"] == 0)
    )
    ess = runs["min_ess_bulk"].where(fine)
    return pd.DataFrame(
        {"ess_per_1000_gradients": 1000 * ess / runs["gradients"], "ess_per_second": ess / runs["sampling_seconds"]}
    )


# %% tags=["mistake:06.2"]
# earns: a run that has divergences
def compare_runs(runs):
    fine = (
        (runs["max_rhat"] <= 1.01)
        & (runs[["min_ess_bulk", "min_ess_tail"]] >= 400).all(axis=1)
        & (runs["divergences"] <= 5)
    )
    ess = runs["min_ess_bulk"].where(fine)
    return pd.DataFrame(
        {"ess_per_1000_gradients": 1000 * ess / runs["gradients"], "ess_per_second": ess / runs["sampling_seconds"]}
    )


# %% tags=["mistake:06.2"]
# earns: include the limit
def compare_runs(runs):
    fine = (
        (runs["max_rhat"] < 1.01)
        & (runs[["min_ess_bulk", "min_ess_tail"]] > 400).all(axis=1)
        & (runs["divergences"] == 0)
    )
    ess = runs["min_ess_bulk"].where(fine)
    return pd.DataFrame(
        {"ess_per_1000_gradients": 1000 * ess / runs["gradients"], "ess_per_second": ess / runs["sampling_seconds"]}
    )


# %% tags=["mistake:06.2"]
# earns: but it is a polars DataFrame
def compare_runs(runs):
    import polars as pl

    return pl.DataFrame({"ess_per_1000_gradients": runs["gradients"], "ess_per_second": runs["gradients"]})


# %% [markdown] tags=["task:06.3"]
# ## 06.3 Stops on bus lines (medium)
#
# A city records by how many minutes buses are late.
# Every stop belongs to one line.
# The stops of a line scatter around the line's mean, and the lines scatter around `mu`.
# The next cell has this model in its centered form.
# Write it in its non-centered form, at both levels.
#
# Give the standard normal variables the names `z_line` and `z_stop`.
# Keep all other names; `line` and `stop_mean` become `pm.Deterministic`.
# The check compares the densities of your model, variable by variable; it does not sample.


# %%
def centered_delays(delay, stop, line_of_stop, n_lines):
    """Return the centered model; its arguments are those of the task."""
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        tau_line = pm.Weibull("tau_line", 2, 3)
        tau_stop = pm.Weibull("tau_stop", 2, 1)
        sigma = pm.Weibull("sigma", 2, 5)
        line = pm.Normal("line", mu, tau_line, shape=n_lines)
        stop_mean = pm.Normal("stop_mean", line[line_of_stop], tau_stop, shape=len(line_of_stop))
        pm.Normal("delay", stop_mean[stop], sigma, observed=delay)
    return model


# %% tags=["solution:06.3"]
def noncentered_delays(delay, stop, line_of_stop, n_lines):
    """Non-centered model of delays.

    delay: array of float, shape (n,), minutes
    stop: array of int, shape (n,), the stop of each row: 0 to n_stops - 1
    line_of_stop: array of int, shape (n_stops,), the line of each stop: 0 to n_lines - 1
    n_lines: int
    Returns a pm.Model with the free variables mu, tau_line, tau_stop, sigma, z_line of shape (n_lines,)
    and z_stop of shape (n_stops,), the deterministics line and stop_mean, and the observed delay.
    """
    ### BEGIN SOLUTION: return a pm.Model in which line and stop_mean are computed from z_line and z_stop
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        tau_line = pm.Weibull("tau_line", 2, 3)
        tau_stop = pm.Weibull("tau_stop", 2, 1)
        sigma = pm.Weibull("sigma", 2, 5)
        z_line = mlm.StandardNormal("z_line", shape=n_lines)
        z_stop = mlm.StandardNormal("z_stop", shape=len(line_of_stop))
        line = pm.Deterministic("line", mu + tau_line * z_line)
        stop_mean = pm.Deterministic("stop_mean", line[line_of_stop] + tau_stop * z_stop)
        pm.Normal("delay", stop_mean[stop], sigma, observed=delay)
    return model
    ### END SOLUTION


# %% tags=["check:06.3"]
mlm.check("06.3", noncentered_delays)


# %% tags=["mistake:06.3"]
# earns: `line` is still sampled
def noncentered_delays(delay, stop, line_of_stop, n_lines):
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 10), pm.Weibull("sigma", 2, 5)
        tau_line, tau_stop = pm.Weibull("tau_line", 2, 3), pm.Weibull("tau_stop", 2, 1)
        line = pm.Normal("line", mu, tau_line, shape=n_lines)
        z_stop = pm.Normal("z_stop", shape=len(line_of_stop))
        stop_mean = pm.Deterministic("stop_mean", line[line_of_stop] + tau_stop * z_stop)
        pm.Normal("delay", stop_mean[stop], sigma, observed=delay)
    return model


# %% tags=["mistake:06.3"]
# earns: stretched twice
def noncentered_delays(delay, stop, line_of_stop, n_lines):
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 10), pm.Weibull("sigma", 2, 5)
        tau_line, tau_stop = pm.Weibull("tau_line", 2, 3), pm.Weibull("tau_stop", 2, 1)
        z_line = pm.Normal("z_line", 0, tau_line, shape=n_lines)
        z_stop = pm.Normal("z_stop", 0, tau_stop, shape=len(line_of_stop))
        line = pm.Deterministic("line", mu + tau_line * z_line)
        stop_mean = pm.Deterministic("stop_mean", line[line_of_stop] + tau_stop * z_stop)
        pm.Normal("delay", stop_mean[stop], sigma, observed=delay)
    return model


# %% tags=["mistake:06.3"]
# earns: the stops scatter around mu
def noncentered_delays(delay, stop, line_of_stop, n_lines):
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 10), pm.Weibull("sigma", 2, 5)
        tau_line, tau_stop = pm.Weibull("tau_line", 2, 3), pm.Weibull("tau_stop", 2, 1)
        z_line = pm.Normal("z_line", shape=n_lines)
        z_stop = pm.Normal("z_stop", shape=len(line_of_stop))
        pm.Deterministic("line", mu + tau_line * z_line)
        stop_mean = pm.Deterministic("stop_mean", mu + tau_stop * z_stop)
        pm.Normal("delay", stop_mean[stop], sigma, observed=delay)
    return model


# %% tags=["mistake:06.3"]
# earns: with pm.Deterministic
def noncentered_delays(delay, stop, line_of_stop, n_lines):
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 10), pm.Weibull("sigma", 2, 5)
        tau_line, tau_stop = pm.Weibull("tau_line", 2, 3), pm.Weibull("tau_stop", 2, 1)
        z_line = pm.Normal("z_line", shape=n_lines)
        z_stop = pm.Normal("z_stop", shape=len(line_of_stop))
        line = mu + tau_line * z_line
        stop_mean = line[line_of_stop] + tau_stop * z_stop
        pm.Normal("delay", stop_mean[stop], sigma, observed=delay)
    return model


# %% tags=["mistake:06.3"]
# earns: z_stop should have the shape
def noncentered_delays(delay, stop, line_of_stop, n_lines):
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 10), pm.Weibull("sigma", 2, 5)
        tau_line, tau_stop = pm.Weibull("tau_line", 2, 3), pm.Weibull("tau_stop", 2, 1)
        z_line = pm.Normal("z_line", shape=n_lines)
        z_stop = pm.Normal("z_stop", shape=len(delay))
        line = pm.Deterministic("line", mu + tau_line * z_line)
        stop_mean = pm.Deterministic("stop_mean", line[line_of_stop[stop]] + tau_stop * z_stop)
        pm.Normal("delay", stop_mean, sigma, observed=delay)
    return model


# %% [markdown] tags=["task:06.4"]
# ## 06.4 Fix the suspect (hard)
#
# A carrier has eight sorting centers.
# Of each you have the average lateness of its parcels, `average[k]` minutes, and the standard error of this average, `error[k]`.
# The model says that the centers' means scatter around `mu`:
#
# $$
# \text{mu} \sim \text{Normal}(0, 10), \qquad
# \text{tau} \sim \text{HalfNormal}(5), \qquad
# \text{center}_k \sim \text{Normal}(\text{mu}, \text{tau}), \qquad
# \text{average}_k \sim \text{Normal}(\text{center}_k, \text{error}_k).
# $$
#
# Somebody wrote it in the centered form, and the chains get stuck.
# You suspect `tau`.
# Write a function that samples the model with `tau` fixed at a value, and with `tau` free; both runs should converge.
# Which form does that take, if each center has no more than one average, and a noisy one?
#
# Sample with `mlm.sample(model, seed=seed, target_accept=0.99)`: shorter steps than usual, because the data are few.
# The check compares your posteriors with exact ones, so it takes some seconds.


# %% tags=["solution:06.4"]
def fit_centers(average, error, seed, tau=None):
    """Posterior of the centers' means.

    average, error: arrays of float, shape (8,), minutes
    seed: int, for mlm.sample
    tau: float, the value to fix tau at, or None to sample it
    Returns what mlm.sample returns, with mu, with center of shape (8,), and with tau where it is sampled.
    """
    ### BEGIN SOLUTION: build the model, sample it as the text says, and return the result
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        spread = pm.HalfNormal("tau", 5) if tau is None else tau
        z = mlm.StandardNormal("z", shape=len(average))
        center = pm.Deterministic("center", mu + spread * z)
        pm.Normal("average", center, error, observed=average)
    return mlm.sample(model, seed=seed, target_accept=0.99)
    ### END SOLUTION


# %% tags=["check:06.4"]
mlm.check("06.4", fit_centers)


# %% tags=["mistake:06.4"]
# earns: does not pass mlm.check_convergence
def fit_centers(average, error, seed, tau=None):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        spread = pm.HalfNormal("tau", 5) if tau is None else tau
        center = pm.Normal("center", mu, spread, shape=len(average))
        pm.Normal("average", center, error, observed=average)
    return mlm.sample(model, seed=seed, target_accept=0.99)


# %% tags=["mistake:06.4"]
# earns: tau is sampled although it was given
def fit_centers(average, error, seed, tau=None):
    with pm.Model() as model:
        mu, spread = pm.Normal("mu", 0, 10), pm.HalfNormal("tau", 5)
        center = pm.Deterministic("center", mu + spread * mlm.StandardNormal("z", shape=len(average)))
        pm.Normal("average", center, error, observed=average)
    return mlm.sample(model, seed=seed, target_accept=0.99)


# %% tags=["mistake:06.4"]
# earns: mu has its prior as a posterior
def fit_centers(average, error, seed, tau=None):
    with pm.Model() as model:
        pm.Normal("mu", 0, 10)
        spread = pm.HalfNormal("tau", 5) if tau is None else tau
        center = pm.Deterministic("center", spread * mlm.StandardNormal("z", shape=len(average)))
        pm.Normal("average", center, error, observed=average)
    return mlm.sample(model, seed=seed, target_accept=0.99)


# %% tags=["mistake:06.4"]
# earns: a standard error is used as a variance
def fit_centers(average, error, seed, tau=None):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 10)
        spread = pm.HalfNormal("tau", 5) if tau is None else tau
        center = pm.Deterministic("center", mu + spread * mlm.StandardNormal("z", shape=len(average)))
        pm.Normal("average", center, error**2, observed=average)
    return mlm.sample(model, seed=seed, target_accept=0.99)


# %% tags=["mistake:06.4"]
# earns: has no group named posterior
def fit_centers(average, error, seed, tau=None):
    with pm.Model():
        mu = pm.Normal("mu", 0, 10)
        spread = pm.HalfNormal("tau", 5) if tau is None else tau
        center = pm.Deterministic("center", mu + spread * mlm.StandardNormal("z", shape=len(average)))
        pm.Normal("average", center, error, observed=average)
        return pm.sample_prior_predictive(100, random_seed=seed)


# %% [markdown] tags=["task:06.5"]
# ## 06.5 One model at every setting of the dial (hard)
#
# The notebook has a model with a dial $w_k$ for each contributor.
# It samples $\text{raw}_k$ and computes $\mu_k = \tau^{1 - w_k}\, \text{raw}_k$.
# The sampler does not see $\tau$ either, but $\log\tau$, which may be any number.
# So a point of the sampler is $(\log\tau, \text{raw}_1, \dots, \text{raw}_m)$, and the same point of the centered model is $(\tau, \mu_1, \dots, \mu_m)$.
#
# You get the log density of the centered model as a function `log_centered(tau, mu)`.
# Return the log density of the dial model at a point of the sampler.
# Do not write any prior or likelihood yourself: translate the point, and count how the volume is stretched.
# If your result agrees with the dial model written out, the two are one model; this is what the check compares.


# %% tags=["solution:06.5"]
def dial_log_density(log_centered, log_tau, raw, w):
    """Log density of the point (log_tau, raw).

    log_centered: function of tau (float) and mu (array of shape (m,)) that returns the log density
        of the centered model at the point (tau, mu), a float
    log_tau: float
    raw: array of float, shape (m,)
    w: array of float between 0 and 1, shape (m,), the dial of each contributor
    Returns one float. Where log_centered is 0 everywhere, log_tau = 1.0 and w = [0, 0, 1] give 3.0.
    """
    ### BEGIN SOLUTION: return the log density of the dial model, one float, from log_centered and a log Jacobian
    tau = np.exp(log_tau)
    mu = tau ** (1 - w) * raw
    log_jacobian = log_tau + np.sum((1 - w) * log_tau)
    return log_centered(tau, mu) + log_jacobian
    ### END SOLUTION


# %% tags=["check:06.5"]
mlm.check("06.5", dial_log_density)


# %% tags=["mistake:06.5"]
# earns: does not know that volume is stretched
def dial_log_density(log_centered, log_tau, raw, w):
    tau = np.exp(log_tau)
    return log_centered(tau, tau ** (1 - w) * raw)


# %% tags=["mistake:06.5"]
# earns: but as its logarithm
def dial_log_density(log_centered, log_tau, raw, w):
    tau = np.exp(log_tau)
    return log_centered(tau, tau ** (1 - w) * raw) + np.sum(1 - w) * log_tau


# %% tags=["mistake:06.5"]
# earns: wrong sign
def dial_log_density(log_centered, log_tau, raw, w):
    tau = np.exp(log_tau)
    return log_centered(tau, tau ** (1 - w) * raw) - np.sum(1 - w) * log_tau - log_tau


# %% tags=["mistake:06.5"]
# earns: w = 1, is not stretched
def dial_log_density(log_centered, log_tau, raw, w):
    tau = np.exp(log_tau)
    return log_centered(tau, tau ** (1 - w) * raw) + np.sum(w) * log_tau + log_tau


# %% tags=["mistake:06.5"]
# earns: it was given raw
def dial_log_density(log_centered, log_tau, raw, w):
    return log_centered(np.exp(log_tau), raw) + np.sum(1 - w) * log_tau + log_tau


# %% tags=["mistake:06.5"]
# earns: should be one number
def dial_log_density(log_centered, log_tau, raw, w):
    tau = np.exp(log_tau)
    return log_centered(tau, tau ** (1 - w) * raw) + (1 - w) * log_tau + log_tau
