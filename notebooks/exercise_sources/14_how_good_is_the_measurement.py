# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises 14: How good is the measurement?
#
# These exercises belong to [notebook 14](../14_how_good_is_the_measurement.ipynb).
# In each task, replace the line `raise NotImplementedError(...)` by your code, run the cell, and run the check below it.
# A check says that your answer is right, or gives a hint.
# It tries your function with inputs of its own, so an answer that fits one example only will not pass.
#
# An *aim* is the number of an item in the notebook's list *You will learn*.
#
# | task | aim | what it practises | points |
# |---|---|---|---|
# | 14.1 | 1 | tell crossed from nested, and make labels unique | 1 |
# | 14.2 | 4 | compute a gauge table from draws, for any operator and for those in the table | 2 |
# | 14.3 | 3 | find the means and the spreads that only a prior can split | 2 |
# | 14.4 | 2 | fit a nested table whose labels repeat, and read it | 3 |
# | 14.5 | 5 | choose the next study | 3 |

# %%
import numpy as np

import mlm_tutorial as mlm

# %% [markdown] tags=["task:14.1"]
# ## 14.1 Does this wafer belong to one lot? (easy)
#
# A table has a column with groups, such as lots, and a column with members, such as wafers.
# Three cases:
#
# - `"nested"`: each member's label occurs in one group only;
# - `"crossed"`: each member's label occurs in every group;
# - `"neither"`: everything else.
#
# (There are two groups at least. You look at labels, so implicit nesting looks crossed.)
#
# Return the case, and a label for each row that is right even if labels were used again in every group: two rows get equal labels exactly if they agree in both columns.
# Labels are numbers or texts, and a text may hold any mark, such as `:` or `/`.


# %% tags=["solution:14.1"]
def read_layers(frame, group, member):
    """How the labels of two columns occur together, and a unique label for each row.

    frame: pandas.DataFrame
    group, member: str, names of columns
    Returns a pair: "nested", "crossed" or "neither", and a sequence with a label for each row,
    in the order of the rows.
    """
    ### BEGIN SOLUTION: return the pair (case, one label for each row)
    occurs_in = frame.groupby(member)[group].nunique()
    if (occurs_in == 1).all():
        case = "nested"
    else:
        case = "crossed" if (occurs_in == frame[group].nunique()).all() else "neither"
    return case, list(zip(frame[group], frame[member], strict=True))
    ### END SOLUTION


# %% tags=["check:14.1"]
mlm.check("14.1", read_layers)


# %% tags=["mistake:14.1"]
# earns: how many labels there are says nothing
def read_layers(frame, group, member):
    case = "nested" if frame[member].nunique() > frame[group].nunique() else "crossed"
    return case, list(zip(frame[group], frame[member], strict=True))


# %% tags=["mistake:14.1"]
# earns: the other way round
def read_layers(frame, group, member):
    occurs_in = frame.groupby(group)[member].nunique()
    if (occurs_in == 1).all():
        case = "nested"
    else:
        case = "crossed" if (occurs_in == frame[member].nunique()).all() else "neither"
    return case, list(zip(frame[group], frame[member], strict=True))


# %% tags=["mistake:14.1"]
# earns: what is not nested need not be crossed
def read_layers(frame, group, member):
    nested = frame.groupby(member)[group].nunique().eq(1).all()
    return "nested" if nested else "crossed", list(zip(frame[group], frame[member], strict=True))


# %% tags=["mistake:14.1"]
# earns: with the same text
def read_layers(frame, group, member):
    occurs_in = frame.groupby(member)[group].nunique()
    case = "nested" if (occurs_in == 1).all() else "neither"
    case = "crossed" if (occurs_in == frame[group].nunique()).all() else case
    return case, (frame[group].astype(str) + frame[member].astype(str)).tolist()


# %% tags=["mistake:14.1"]
# earns: may hold the mark
def read_layers(frame, group, member):
    occurs_in = frame.groupby(member)[group].nunique()
    case = "nested" if (occurs_in == 1).all() else "neither"
    case = "crossed" if (occurs_in == frame[group].nunique()).all() else case
    return case, (frame[group].astype(str) + ":" + frame[member].astype(str)).tolist()


# %% tags=["mistake:14.1"]
# earns: of different groups share a label
def read_layers(frame, group, member):
    occurs_in = frame.groupby(member)[group].nunique()
    case = "nested" if (occurs_in == 1).all() else "neither"
    case = "crossed" if (occurs_in == frame[group].nunique()).all() else case
    return case, frame[member]


# %% tags=["mistake:14.1"]
# earns: agree in both columns have different labels
def read_layers(frame, group, member):
    occurs_in = frame.groupby(member)[group].nunique()
    case = "nested" if (occurs_in == 1).all() else "neither"
    case = "crossed" if (occurs_in == frame[group].nunique()).all() else case
    return case, list(range(len(frame)))


# %% tags=["mistake:14.1"]
# earns: may hold the mark
def read_layers(frame, group, member):
    occurs_in = frame.groupby(member)[group].nunique()
    case = "nested" if (occurs_in == 1).all() else "neither"
    case = "crossed" if (occurs_in == frame[group].nunique()).all() else case
    return case, (frame[member].astype(str) + " of " + frame[group].astype(str)).tolist()


# %% tags=["mistake:14.1"]
# earns: may hold the mark
def read_layers(frame, group, member):
    occurs_in = frame.groupby(member)[group].nunique()
    case = "nested" if (occurs_in == 1).all() else "neither"
    case = "crossed" if (occurs_in == frame[group].nunique()).all() else case
    return case, [f"{group} {a}, {member} {b}" for a, b in zip(frame[group], frame[member], strict=True)]


# %% [markdown] tags=["task:14.2"]
# ## 14.2 The gauge table has an interval (medium)
#
# `variance` has a row for each draw from the posterior, and the columns `part`, `operator`, `pair` and `repeat`: variances in the population.
#
# `mu_operator` has the same draws, and a column for each operator in the table: their means, which sum to zero.
#
# Compute the % R&R as in the notebook, and return four numbers: for *any* operator the two ends of its equal-tailed 90 % interval, and the posterior probability that it is below `limit`; then that probability if only the operators in the table read, each as often as the others (pairs stay those of the population).


# %% tags=["solution:14.2"]
def gauge_rr(variance, mu_operator, limit):
    """90 % interval of the % R&R, and probabilities that it is below a limit.

    variance: pandas.DataFrame of float, a row a draw
    mu_operator: pandas.DataFrame of float, a row a draw, a column an operator
    limit: float, in percent
    Returns four floats, such as (14.9, 38.7, 0.93, 0.99) for a limit of 30. For a single draw with the variances 40, 1,
    0.6 and 0.4, and the means 1, -1 and 0, and for a limit of 21, they are 21.8, 21.8, 0 and 1.
    """
    ### BEGIN SOLUTION: return the lower end, the upper end and both probabilities
    these = variance.assign(operator=(mu_operator**2).mean(axis=1))
    ratios = []
    for table in (variance, these):
        gauge = table["operator"] + table["pair"] + table["repeat"]
        ratios.append(100 * np.sqrt(gauge / (gauge + table["part"])))
    anyone, three = ratios
    return anyone.quantile(0.05), anyone.quantile(0.95), (anyone < limit).mean(), (three < limit).mean()
    ### END SOLUTION


# %% tags=["check:14.2"]
mlm.check("14.2", gauge_rr)


# %% tags=["mistake:14.2"]
# earns: one number for all draws
def gauge_rr(variance, mu_operator, limit):
    mean = variance.mean()
    gauge = mean["operator"] + mean["pair"] + mean["repeat"]
    rr = 100 * np.sqrt(gauge / (gauge + mean["part"]))
    return rr, rr, float(rr < limit), 0.5


# %% tags=["mistake:14.2"]
# earns: of two ends, not the ends of a ratio
def gauge_rr(variance, mu_operator, limit):
    gauge = np.sqrt(variance["operator"] + variance["pair"] + variance["repeat"])
    total = np.sqrt(variance.sum(axis=1))
    low, high = (100 * gauge.quantile(p) / total.quantile(p) for p in (0.05, 0.95))
    return low, high, (100 * gauge / total < limit).mean(), 0.5


# %% tags=["mistake:14.2"]
# earns: share of the variance
def gauge_rr(variance, mu_operator, limit):
    gauge = variance["operator"] + variance["pair"] + variance["repeat"]
    rr = 100 * gauge / (gauge + variance["part"])
    return rr.quantile(0.05), rr.quantile(0.95), (rr < limit).mean(), 0.5


# %% tags=["mistake:14.2"]
# earns: the pairs belong to the measurement
def gauge_rr(variance, mu_operator, limit):
    gauge = variance["operator"] + variance["repeat"]
    rr = 100 * np.sqrt(gauge / variance.sum(axis=1))
    return rr.quantile(0.05), rr.quantile(0.95), (rr < limit).mean(), 0.5


# %% tags=["mistake:14.2"]
# earns: in percent of the parts
def gauge_rr(variance, mu_operator, limit):
    gauge = variance["operator"] + variance["pair"] + variance["repeat"]
    rr = 100 * np.sqrt(gauge / variance["part"])
    return rr.quantile(0.05), rr.quantile(0.95), (rr < limit).mean(), 0.5


# %% tags=["mistake:14.2"]
# earns: standard deviations do not add
def gauge_rr(variance, mu_operator, limit):
    sd = np.sqrt(variance)
    rr = 100 * (sd["operator"] + sd["pair"] + sd["repeat"]) / sd.sum(axis=1)
    return rr.quantile(0.05), rr.quantile(0.95), (rr < limit).mean(), 0.5


# %% tags=["mistake:14.2"]
# earns: holds 95 % of the draws
def gauge_rr(variance, mu_operator, limit):
    gauge = variance["operator"] + variance["pair"] + variance["repeat"]
    rr = 100 * np.sqrt(gauge / (gauge + variance["part"]))
    return rr.quantile(0.025), rr.quantile(0.975), (rr < limit).mean(), 0.5


# %% tags=["mistake:14.2"]
# earns: above the limit
def gauge_rr(variance, mu_operator, limit):
    gauge = variance["operator"] + variance["pair"] + variance["repeat"]
    rr = 100 * np.sqrt(gauge / (gauge + variance["part"]))
    return rr.quantile(0.05), rr.quantile(0.95), (rr > limit).mean(), 0.5


# %% tags=["mistake:14.2"]
# earns: the limit is in percent
def gauge_rr(variance, mu_operator, limit):
    gauge = variance["operator"] + variance["pair"] + variance["repeat"]
    rr = np.sqrt(gauge / (gauge + variance["part"]))
    return rr.quantile(0.05), rr.quantile(0.95), (rr < limit).mean(), 0.5


# %% tags=["mistake:14.2"]
# earns: the operators of the population once more
right = gauge_rr


def gauge_rr(variance, mu_operator, limit):
    low, high, p, _ = right(variance, mu_operator, limit)
    return low, high, p, p


# %% tags=["mistake:14.2"]
# earns: nothing is estimated about other operators
right = gauge_rr


def gauge_rr(variance, mu_operator, limit):
    low, high, p, _ = right(variance, mu_operator, limit)
    _, _, these, _ = right(variance.assign(operator=mu_operator.var(axis=1)), mu_operator, limit)
    return low, high, p, these


# %% tags=["mistake:14.2"]
# earns: a reading has one operator
right = gauge_rr


def gauge_rr(variance, mu_operator, limit):
    low, high, p, _ = right(variance, mu_operator, limit)
    _, _, these, _ = right(variance.assign(operator=(mu_operator**2).sum(axis=1)), mu_operator, limit)
    return low, high, p, these


# %% tags=["mistake:14.2"]
# earns: holds 89 % of the draws
def gauge_rr(variance, mu_operator, limit):
    gauge = variance["operator"] + variance["pair"] + variance["repeat"]
    rr = 100 * np.sqrt(gauge / (gauge + variance["part"]))
    return rr.quantile(0.055), rr.quantile(0.945), (rr < limit).mean(), 0.5


# %% [markdown] tags=["task:14.3"]
# ## 14.3 Who splits this variance? (medium)
#
# Without pooling, a layer's variance may come from the prior alone, and the run looks healthy.
# Where spreads are left free, so may the answer to the question whose hand is less steady.
# The design tells both before the fit.
#
# You get a table, the name of its total and those of its layers, some differences of two contributors' variances, and the layers that are known to have no spread of their own.
# All other spreads are left free. Return two sets:
#
# - the layers whose *means* the data do not fix;
# - the names of the differences of *variances* that the data do not fix.
#
# A set is empty where the data fix everything.


# %% tags=["solution:14.3"]
def not_fixed(frame, total, layers, differences, steady):
    """Layers whose means the data do not fix, and differences of variances that they do not fix.

    frame: pandas.DataFrame, a row for each observation
    total: str, name of a column
    layers: list of str, names of columns
    differences: dict of str to (layer, label, label), such as {"A - B": ("operator", "A", "B")}
    steady: list of str, the layers that are known to have no spread of their own
    Returns a pair of sets of str, such as ({"batch", "sample"}, {"A - B"}).
    """
    ### BEGIN SOLUTION: return a set of names of layers, and a set of names of differences
    cells = mlm.cell_statistics(frame, total=total, layers=layers)
    contrasts = {name: {(layer, a): 1, (layer, b): -1} for name, (layer, a, b) in differences.items()}
    table = mlm.identification(cells, known_sigma=dict.fromkeys(steady, 0), contrasts=contrasts)
    loose = {name for name in differences if not table.loc[name, "spreads"]}
    return {name for name in layers if not table.loc[name, "means"]}, loose
    ### END SOLUTION


# %% tags=["check:14.3"]
mlm.check("14.3", not_fixed)


# %% tags=["mistake:14.3"]
# earns: those of the spreads
def not_fixed(frame, total, layers, differences, steady):
    table = mlm.identification(mlm.cell_statistics(frame, total=total, layers=layers))
    return set(table.index[~table["spreads"]]) - {"baseline"}, set()


# %% tags=["mistake:14.3"]
# earns: which the data do fix
def not_fixed(frame, total, layers, differences, steady):
    table = mlm.identification(mlm.cell_statistics(frame, total=total, layers=layers))
    return set(layers) & set(table.index[table["means"]]), set()


# %% tags=["mistake:14.3"]
# earns: looks at one layer inside another
def not_fixed(frame, total, layers, differences, steady):
    found = set()
    for a in layers:
        for b in layers:
            if a != b and frame.groupby(a)[b].nunique().eq(1).all():
                found |= {a, b}
    return found, set()


# %% tags=["mistake:14.3"]
# earns: all layers are in the set as soon as one is
def not_fixed(frame, total, layers, differences, steady):
    table = mlm.identification(mlm.cell_statistics(frame, total=total, layers=layers))
    return set() if table["means"].all() else set(layers), set()


# %% tags=["mistake:14.3"]
# earns: the finer layer alone
def not_fixed(frame, total, layers, differences, steady):
    finer = {a for a in layers if any(a != b and frame.groupby(a)[b].nunique().eq(1).all() for b in layers)}
    return finer, set()


# %% tags=["mistake:14.3"]
# earns: `steady` has no part in your second set
def not_fixed(frame, total, layers, differences, steady):
    cells = mlm.cell_statistics(frame, total=total, layers=layers)
    contrasts = {name: {(layer, a): 1, (layer, b): -1} for name, (layer, a, b) in differences.items()}
    table = mlm.identification(cells, contrasts=contrasts)
    loose = {name for name in differences if not table.loc[name, "spreads"]}
    return {name for name in layers if not table.loc[name, "means"]}, loose


# %% tags=["mistake:14.3"]
# earns: as if it were about means
def not_fixed(frame, total, layers, differences, steady):
    cells = mlm.cell_statistics(frame, total=total, layers=layers)
    contrasts = {name: {(layer, a): 1, (layer, b): -1} for name, (layer, a, b) in differences.items()}
    table = mlm.identification(cells, known_sigma=dict.fromkeys(steady, 0), contrasts=contrasts)
    loose = {name for name in differences if not table.loc[name, "means"]}
    return {name for name in layers if not table.loc[name, "means"]}, loose


# %% tags=["mistake:14.3"]
# earns: what two variances have in common
def not_fixed(frame, total, layers, differences, steady):
    cells = mlm.cell_statistics(frame, total=total, layers=layers)
    contrasts = {name: {(layer, a): 1, (layer, b): -1} for name, (layer, a, b) in differences.items()}
    table = mlm.identification(cells, known_sigma=dict.fromkeys(steady, 0), contrasts=contrasts)
    loose = {name for name, (layer, _, _) in differences.items() if not table.loc[layer, "spreads"]}
    return {name for name in layers if not table.loc[name, "means"]}, loose


# %% tags=["mistake:14.3"]
# earns: which the data do fix; the task asks for the others
def not_fixed(frame, total, layers, differences, steady):
    cells = mlm.cell_statistics(frame, total=total, layers=layers)
    contrasts = {name: {(layer, a): 1, (layer, b): -1} for name, (layer, a, b) in differences.items()}
    table = mlm.identification(cells, known_sigma=dict.fromkeys(steady, 0), contrasts=contrasts)
    loose = {name for name in differences if table.loc[name, "spreads"]}
    return {name for name in layers if not table.loc[name, "means"]}, loose


# %% [markdown] tags=["task:14.4"]
# ## 14.4 Batches or casks? (hard)
#
# A plant tests paste: eight batches, three casks from each, two tests of each cask.
# The columns are `batch`, `cask` and `strength`.
# The casks of every batch are called a, b and c, and no cask belongs to two batches.
#
# The model is the pooled one of the notebook, with the layers `batch` and `cask`:
#
# - batches and casks shift the strength and have no spread of their own;
# - the test's standard deviation is known from its certificate, `test_sd`;
# - the baseline's mean has the prior Normal(60, 20), and the means of both layers have the scale `mu_sd=4` (so each tau has the prior HalfNormal(4)).
#
# Fit it with `mlm.Priors(...)`, `mlm.cell_model` and `mlm.sample`. (`sigma_scale` can be any number here: no spread is left to be learned.)
# Return the posterior, and the posterior probability that casks of one batch differ more than batches do: that `tau_cask` is larger than `tau_batch`.
# The run must pass `mlm.check_convergence`.


# %% tags=["solution:14.4"]
def batches_or_casks(frame, test_sd, seed):
    """Posterior of the nested model, and the probability that casks differ more than batches.

    frame: pandas.DataFrame with 48 rows and the columns batch, cask and strength
    test_sd: float
    seed: int, for mlm.sample(model, seed=seed)
    Returns a pair: what mlm.sample returns, and a float between 0 and 1.
    """
    ### BEGIN SOLUTION: return the pair (posterior, probability)
    frame = frame.assign(cask=frame["batch"] + ":" + frame["cask"])
    cells = mlm.cell_statistics(frame, total="strength", layers=["batch", "cask"])
    known = {"baseline": test_sd, "batch": 0, "cask": 0}
    priors = mlm.Priors(baseline_mu=60, baseline_mu_sd=20, mu_sd=4, sigma_scale=1, known_sigma=known)
    idata = mlm.sample(mlm.cell_model(cells, priors), seed=seed)
    mlm.check_convergence(idata)
    larger = idata["posterior"]["tau_cask"] > idata["posterior"]["tau_batch"]
    return idata, float(larger.mean())
    ### END SOLUTION


# %% tags=["check:14.4"]
mlm.check("14.4", batches_or_casks)


# %% tags=["mistake:14.4"]
# earns: cask a is one cask here
def batches_or_casks(frame, test_sd, seed):
    cells = mlm.cell_statistics(frame, total="strength", layers=["batch", "cask"])
    known = {"baseline": test_sd, "batch": 0, "cask": 0}
    priors = mlm.Priors(baseline_mu=60, baseline_mu_sd=20, mu_sd=4, sigma_scale=1, known_sigma=known)
    idata = mlm.sample(mlm.cell_model(cells, priors), seed=seed)
    return idata, float((idata["posterior"]["tau_cask"] > idata["posterior"]["tau_batch"]).mean())


# %% tags=["mistake:14.4"]
# earns: learned from the readings
def batches_or_casks(frame, test_sd, seed):
    frame = frame.assign(cask=frame["batch"] + ":" + frame["cask"])
    cells = mlm.cell_statistics(frame, total="strength", layers=["batch", "cask"])
    known = {"batch": 0, "cask": 0}
    priors = mlm.Priors(baseline_mu=60, baseline_mu_sd=20, mu_sd=4, sigma_scale=1, known_sigma=known)
    idata = mlm.sample(mlm.cell_model(cells, priors), seed=seed)
    return idata, float((idata["posterior"]["tau_cask"] > idata["posterior"]["tau_batch"]).mean())


# %% tags=["mistake:14.4"]
# earns: is not pooled
def batches_or_casks(frame, test_sd, seed):
    import warnings

    frame = frame.assign(cask=frame["batch"] + ":" + frame["cask"])
    cells = mlm.cell_statistics(frame, total="strength", layers=["batch", "cask"])
    known = {"baseline": test_sd, "batch": 0, "cask": 0}
    priors = mlm.Priors(baseline_mu=60, baseline_mu_sd=20, mu_sd=4, sigma_scale=1, known_sigma=known, pooled=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        idata = mlm.sample(mlm.cell_model(cells, priors), seed=seed)
    sd = {name: idata["posterior"][f"mu_{name}"].std(name) for name in ("batch", "cask")}
    return idata, float((sd["cask"] > sd["batch"]).mean())


# %% tags=["mistake:14.4"]
# earns: the probability that batches
def batches_or_casks(frame, test_sd, seed):
    frame = frame.assign(cask=frame["batch"] + ":" + frame["cask"])
    cells = mlm.cell_statistics(frame, total="strength", layers=["batch", "cask"])
    known = {"baseline": test_sd, "batch": 0, "cask": 0}
    priors = mlm.Priors(baseline_mu=60, baseline_mu_sd=20, mu_sd=4, sigma_scale=1, known_sigma=known)
    idata = mlm.sample(mlm.cell_model(cells, priors), seed=seed)
    return idata, float((idata["posterior"]["tau_cask"] < idata["posterior"]["tau_batch"]).mean())


# %% tags=["mistake:14.4"]
# earns: every draw gives its own answer
def batches_or_casks(frame, test_sd, seed):
    frame = frame.assign(cask=frame["batch"] + ":" + frame["cask"])
    cells = mlm.cell_statistics(frame, total="strength", layers=["batch", "cask"])
    known = {"baseline": test_sd, "batch": 0, "cask": 0}
    priors = mlm.Priors(baseline_mu=60, baseline_mu_sd=20, mu_sd=4, sigma_scale=1, known_sigma=known)
    idata = mlm.sample(mlm.cell_model(cells, priors), seed=seed)
    return idata, float(idata["posterior"]["tau_cask"].mean() > idata["posterior"]["tau_batch"].mean())


# %% [markdown] tags=["task:14.5"]
# ## 14.5 Six operators or nine repeats? (hard)
#
# A balanced study has `p` parts, `o` operators and `r` repeats.
# The variance of the operators is estimated by
#
# $$\frac{\text{MS}_\text{operator} - \text{MS}_\text{pair}}{p\,r}.$$
#
# The two mean squares are independent. A mean square with the expectation $E$ and $\text{df}$ degrees of freedom has the variance $2E^2/\text{df}$, and
#
# $$E_\text{operator} = v_\text{repeat} + r\,v_\text{pair} + p\,r\,v_\text{operator}, \qquad E_\text{pair} = v_\text{repeat} + r\,v_\text{pair}.$$
#
# Their degrees of freedom are $o - 1$ and $(p - 1)(o - 1)$.
# For each plan, compute the standard error of the estimate *in units of* $v_\text{operator}$.
# Then choose: the plan with the smallest error among those with at most `budget` readings.


# %% tags=["solution:14.5"]
def next_study(plans, operator, pair, repeat, budget):
    """Relative standard error of the operators' variance for each plan, and the best plan.

    plans: list of tuples (parts, operators, repeats)
    operator, pair, repeat: float, the variances
    budget: int, the most readings
    Returns a pair: an array of float, shape (number of plans,), and the position of the best plan, counted from 0 among
    all plans. For example, next_study([(10, 3, 2), (10, 6, 1)], 1.0, 1.0, 1.0, 60) is ([1.15, 0.76], 1), rounded.
    """
    ### BEGIN SOLUTION: return the pair (relative standard errors, position of the best plan)
    p, o, r = np.array(plans, dtype=float).T
    of_pair = repeat + r * pair
    of_operator = of_pair + p * r * operator
    variance = 2 * of_operator**2 / (o - 1) + 2 * of_pair**2 / ((o - 1) * (p - 1))
    error = np.sqrt(variance) / (p * r * operator)
    return error, int(np.argmin(np.where(p * o * r <= budget, error, np.inf)))
    ### END SOLUTION


# %% tags=["check:14.5"]
mlm.check("14.5", next_study)


# %% tags=["mistake:14.5"]
# earns: three operators make two differences
def next_study(plans, operator, pair, repeat, budget):
    p, o, r = np.array(plans, dtype=float).T
    of_pair = repeat + r * pair
    of_operator = of_pair + p * r * operator
    error = np.sqrt(2 * of_operator**2 / o + 2 * of_pair**2 / (o * p)) / (p * r * operator)
    return error, int(np.argmin(np.where(p * o * r <= budget, error, np.inf)))


# %% tags=["mistake:14.5"]
# earns: leaves one of the two mean squares out
def next_study(plans, operator, pair, repeat, budget):
    p, o, r = np.array(plans, dtype=float).T
    of_operator = repeat + r * pair + p * r * operator
    error = np.sqrt(2 * of_operator**2 / (o - 1)) / (p * r * operator)
    return error, int(np.argmin(np.where(p * o * r <= budget, error, np.inf)))


# %% tags=["mistake:14.5"]
# earns: variances of independent numbers add up in a difference
def next_study(plans, operator, pair, repeat, budget):
    p, o, r = np.array(plans, dtype=float).T
    of_pair = repeat + r * pair
    of_operator = of_pair + p * r * operator
    variance = 2 * of_operator**2 / (o - 1) - 2 * of_pair**2 / ((o - 1) * (p - 1))
    error = np.sqrt(variance) / (p * r * operator)
    return error, int(np.argmin(np.where(p * o * r <= budget, error, np.inf)))


# %% tags=["mistake:14.5"]
# earns: not in units of the operators' variance
def next_study(plans, operator, pair, repeat, budget):
    p, o, r = np.array(plans, dtype=float).T
    of_pair = repeat + r * pair
    of_operator = of_pair + p * r * operator
    variance = 2 * of_operator**2 / (o - 1) + 2 * of_pair**2 / ((o - 1) * (p - 1))
    error = np.sqrt(variance) / (p * r)
    return error, int(np.argmin(np.where(p * o * r <= budget, error, np.inf)))


# %% tags=["mistake:14.5"]
# earns: a variance of the estimate
def next_study(plans, operator, pair, repeat, budget):
    p, o, r = np.array(plans, dtype=float).T
    of_pair = repeat + r * pair
    of_operator = of_pair + p * r * operator
    variance = 2 * of_operator**2 / (o - 1) + 2 * of_pair**2 / ((o - 1) * (p - 1))
    error = variance / (p * r * operator) ** 2
    return error, int(np.argmin(np.where(p * o * r <= budget, error, np.inf)))


# %% tags=["mistake:14.5"]
# earns: more readings than the budget
def next_study(plans, operator, pair, repeat, budget):
    p, o, r = np.array(plans, dtype=float).T
    of_pair = repeat + r * pair
    of_operator = of_pair + p * r * operator
    variance = 2 * of_operator**2 / (o - 1) + 2 * of_pair**2 / ((o - 1) * (p - 1))
    error = np.sqrt(variance) / (p * r * operator)
    return error, int(np.argmin(error))


# %% tags=["mistake:14.5"]
# earns: the most operators is not the best
right = next_study


def next_study(plans, operator, pair, repeat, budget):
    errors, _ = right(plans, operator, pair, repeat, budget)
    return errors, int(np.argmax([o if p * o * r <= budget else 0 for p, o, r in plans]))


# %% tags=["mistake:14.5"]
# earns: the most readings is not the best
def next_study(plans, operator, pair, repeat, budget):
    p, o, r = np.array(plans, dtype=float).T
    of_pair = repeat + r * pair
    of_operator = of_pair + p * r * operator
    variance = 2 * of_operator**2 / (o - 1) + 2 * of_pair**2 / ((o - 1) * (p - 1))
    error = np.sqrt(variance) / (p * r * operator)
    return error, int(np.argmax(np.where(p * o * r <= budget, p * o * r, 0)))


# %% tags=["mistake:14.5"]
# earns: exactly as many readings as the budget
def next_study(plans, operator, pair, repeat, budget):
    p, o, r = np.array(plans, dtype=float).T
    of_pair = repeat + r * pair
    of_operator = of_pair + p * r * operator
    variance = 2 * of_operator**2 / (o - 1) + 2 * of_pair**2 / ((o - 1) * (p - 1))
    error = np.sqrt(variance) / (p * r * operator)
    return error, int(np.argmin(np.where(p * o * r < budget, error, np.inf)))


# %% tags=["mistake:14.5"]
# earns: the position counts all plans
def next_study(plans, operator, pair, repeat, budget):
    p, o, r = np.array(plans, dtype=float).T
    of_pair = repeat + r * pair
    of_operator = of_pair + p * r * operator
    variance = 2 * of_operator**2 / (o - 1) + 2 * of_pair**2 / ((o - 1) * (p - 1))
    error = np.sqrt(variance) / (p * r * operator)
    return error, int(np.argmin(error[p * o * r <= budget]))
