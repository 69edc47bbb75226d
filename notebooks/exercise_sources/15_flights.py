# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises 15: Flights
#
# These exercises belong to [notebook 15](../15_flights.ipynb).
# In each task, replace the line `raise NotImplementedError(...)` by your code, run the cell, and run the check below it.
# A check says that your answer is right, or gives a hint.
# It tries your function with inputs of its own, which are small and not the flights.
#
# An *aim* is the number of an item in the notebook's list *You will learn*. Not every aim has a task.
#
# | task | aim | what it practises | points |
# |---|---|---|---|
# | 15.1 | 5 | extend the model: put one layer of pairs in the place of two | 1 |
# | 15.2 | 5 | compare changes of the model on flights that it has not seen | 2 |
# | 15.3 | 4 | find a failure with a posterior predictive check | 2 |
# | 15.4 | 3 | split a single flight, and say how far the data fix its parts | 2 |
# | 15.5 | 6 | correct standard errors for flights that share a day | 3 |

# %%
import numpy as np

import mlm_tutorial as mlm

rng = np.random.default_rng(mlm.notebook_seed(110))
flights = mlm.load_flights()
total, layers = "minutes_lost", ["carrier", "origin", "month"]

# %% [markdown] tags=["task:15.1"]
# ## 15.1 Extend the model: a layer for pairs (easy)
#
# Two layers do not add up: the effect of one depends on the contributor of the other.
# So you replace the two by one layer, whose contributors are the pairs that occur.
# Return the cells of the table with this layer, and the package's model of these cells, with the default priors, which pool.
# Do not compile the model.
#
# The other layers keep their order, and the new layer comes last.
# Its name is those of the pair with `_` between them, such as `"origin_month"`.
# Its labels may be texts or numbers, as long as different pairs have different ones.
# Labels of the table may hold any mark: spaces, commas, dashes.


# %% tags=["solution:15.1"]
def model_with_pair(table, total, layers, pair):
    """Cells in which one layer of pairs replaces two layers, and their model.

    table: DataFrame, one row an observation; columns may be text, numbers or categorical
    total: str, name of the column with the totals
    layers: list of str, names of the layers
    pair: tuple of two str, the layers to combine
    Returns a pair: Cells, and a PyMC model. For the flights, the cells of
    model_with_pair(flights, total, layers, ("origin", "month")) show themselves as
    <Cells: 327,346 observations in 399 cells; carrier: 16, origin_month: 36>.
    """
    ### BEGIN SOLUTION: add a column that names the pair in each row, make cells of the table, and a model of the cells
    name = "_".join(pair)
    labels = [str(both) for both in zip(*(table[layer] for layer in pair), strict=True)]
    kept = [layer for layer in layers if layer not in pair]
    cells = mlm.cell_statistics(table.assign(**{name: labels}), total, [*kept, name])
    return cells, mlm.cell_model(cells, mlm.Priors.from_cells(cells))
    ### END SOLUTION


# %% tags=["check:15.1"]
mlm.check("15.1", model_with_pair)


# %% tags=["mistake:15.1"]
# earns: think of gate 1 in month 11
def model_with_pair(table, total, layers, pair):
    first, second = pair
    labels = table[first].astype(str) + table[second].astype(str)
    table = table.assign(**{f"{first}_{second}": labels})
    cells = mlm.cell_statistics(table, total, [x for x in layers if x not in pair] + [f"{first}_{second}"])
    return cells, mlm.cell_model(cells)


# %% tags=["mistake:15.1"]
# earns: a label may hold what you join with
def model_with_pair(table, total, layers, pair):
    first, second = pair
    labels = table[first].astype(str) + " " + table[second].astype(str)
    table = table.assign(**{f"{first}_{second}": labels})
    cells = mlm.cell_statistics(table, total, [x for x in layers if x not in pair] + [f"{first}_{second}"])
    return cells, mlm.cell_model(cells)


# %% tags=["mistake:15.1"]
# earns: still among the layers
def model_with_pair(table, total, layers, pair):
    name = "_".join(pair)
    table = table.assign(**{name: table.groupby(list(pair), observed=True).ngroup()})
    cells = mlm.cell_statistics(table, total, layers + [name])
    return cells, mlm.cell_model(cells)


# %% tags=["mistake:15.1"]
# earns: the layers should be
def model_with_pair(table, total, layers, pair):
    table = table.assign(both=table.groupby(list(pair), observed=True).ngroup())
    cells = mlm.cell_statistics(table, total, [x for x in layers if x not in pair] + ["both"])
    return cells, mlm.cell_model(cells)


# %% tags=["mistake:15.1"]
# earns: stopped with TypeError
def model_with_pair(table, total, layers, pair):
    first, second = pair
    name = f"{first}_{second}"
    table = table.assign(**{name: table[first] + " " + table[second]})
    cells = mlm.cell_statistics(table, total, [x for x in layers if x not in pair] + [name])
    return cells, mlm.cell_model(cells)


# %% tags=["mistake:15.1"]
# earns: was every row kept
def model_with_pair(table, total, layers, pair):
    name = "_".join(pair)
    table = table.assign(**{name: table.groupby(list(pair), observed=True).ngroup()}).drop_duplicates(layers)
    cells = mlm.cell_statistics(table, total, [x for x in layers if x not in pair] + [name])
    return cells, mlm.cell_model(cells)


# %% tags=["mistake:15.1"]
# earns: not a model of the new cells
def model_with_pair(table, total, layers, pair):
    name = "_".join(pair)
    old = mlm.cell_statistics(table, total, layers)
    table = table.assign(**{name: table.groupby(list(pair), observed=True).ngroup()})
    return mlm.cell_statistics(table, total, [x for x in layers if x not in pair] + [name]), mlm.cell_model(old)


# %% tags=["mistake:15.1"]
# earns: were they made for other cells
def model_with_pair(table, total, layers, pair):
    name = "_".join(pair)
    priors = mlm.Priors.from_cells(mlm.cell_statistics(table, total, layers))
    table = table.assign(**{name: table.groupby(list(pair), observed=True).ngroup()})
    cells = mlm.cell_statistics(table, total, [x for x in layers if x not in pair] + [name])
    return cells, mlm.cell_model(cells, priors)


# %% tags=["mistake:15.1"]
# earns: pool the contributors
def model_with_pair(table, total, layers, pair):
    name = "_".join(pair)
    table = table.assign(**{name: table.groupby(list(pair), observed=True).ngroup()})
    cells = mlm.cell_statistics(table, total, [x for x in layers if x not in pair] + [name])
    return cells, mlm.cell_model(cells, mlm.Priors.from_cells(cells, pooled=False))


# %% tags=["mistake:15.1"]
# earns: should be a PyMC model
def model_with_pair(table, total, layers, pair):
    name = "_".join(pair)
    table = table.assign(**{name: table.groupby(list(pair), observed=True).ngroup()})
    cells = mlm.cell_statistics(table, total, [x for x in layers if x not in pair] + [name])
    return cells, mlm.Priors.from_cells(cells)


# %% tags=["mistake:15.1"]
# earns: should be a pair
def model_with_pair(table, total, layers, pair):
    name = "_".join(pair)
    table = table.assign(**{name: table.groupby(list(pair), observed=True).ngroup()})
    return mlm.cell_statistics(table, total, [x for x in layers if x not in pair] + [name])


# %% [markdown] tags=["task:15.2"]
# ## 15.2 Additive or not, on unseen flights (medium)
#
# You have the cells of two halves of the data, and the rows are gone.
# The first half predicts each row of the second half in two ways:
#
# - by the additive mean of its cell, `train.additive_means()`, a least-squares fit without interactions;
# - by its cell's own mean, `train.mean`, which allows every interaction.
#
# Return the average squared error per unseen row of both ways.
# Every cell of the second half occurs in the first half.
# But the second half may lack cells, and whole contributors.
#
# The flights are here to try your function on.

# %%
position = flights.groupby(layers, observed=True).cumcount()
first_half = mlm.cell_statistics(flights[position % 2 == 0], total, layers)
second_half = mlm.cell_statistics(flights[position % 2 == 1], total, layers)
print(first_half)
print(second_half)


# %% tags=["solution:15.2"]
def unseen_errors(train, test):
    """Average squared error of two predictions of unseen rows.

    train: Cells of the first half
    test: Cells of the second half, with the same layers in the same order
    Returns a pair of floats: the error of the additive means, the error of the cells' own means.
    For the flights, unseen_errors(first_half, second_half) is about (309.0, 303.1) minutes squared.
    """
    ### BEGIN SOLUTION: match the cells by label, then average squared errors over rows, with n, mean and sum_sq
    names = list(train.layers)
    predicted = train.to_frame()[names].assign(additive=train.additive_means(), own=train.mean)
    both = test.to_frame().merge(predicted, how="left", on=names)
    errors = [
        (both["sum_sq"] + both["n"] * (both["mean"] - both[way]) ** 2).sum() / both["n"].sum()
        for way in ["additive", "own"]
    ]
    return errors[0], errors[1]
    ### END SOLUTION


# %% tags=["check:15.2"]
mlm.check("15.2", unseen_errors)


# %% tags=["mistake:15.2"]
# earns: rows scatter about their cell's average
def unseen_errors(train, test):
    names = list(train.layers)
    predicted = train.to_frame()[names].assign(additive=train.additive_means(), own=train.mean)
    both = test.to_frame().merge(predicted, how="left", on=names)
    return tuple(np.average((both["mean"] - both[way]) ** 2, weights=both["n"]) for way in ["additive", "own"])


# %% tags=["mistake:15.2"]
# earns: matched by code or position
def unseen_errors(train, test):
    n = len(test)
    return tuple(
        np.sum(test.sum_sq + test.n * (test.mean - means[:n]) ** 2) / test.n_observations
        for means in (train.additive_means(), train.mean)
    )


# %% tags=["mistake:15.2"]
# earns: matched by code or position
def unseen_errors(train, test):
    place = {tuple(code): i for i, code in enumerate(train.codes)}
    at = [place.get(tuple(code), 0) for code in test.codes]
    return tuple(
        np.sum(test.sum_sq + test.n * (test.mean - means[at]) ** 2) / test.n_observations
        for means in (train.additive_means(), train.mean)
    )


# %% tags=["mistake:15.2"]
# earns: has seen the rows
def unseen_errors(train, test):
    return tuple(
        np.sum(test.sum_sq + test.n * (test.mean - means) ** 2) / test.n_observations
        for means in (test.additive_means(), test.mean)
    )


# %% tags=["mistake:15.2"]
# earns: every row counts once
def unseen_errors(train, test):
    names = list(train.layers)
    predicted = train.to_frame()[names].assign(additive=train.additive_means(), own=train.mean)
    both = test.to_frame().merge(predicted, how="left", on=names)
    return tuple(np.mean(both["sum_sq"] / both["n"] + (both["mean"] - both[way]) ** 2) for way in ["additive", "own"])


# %% [markdown] tags=["task:15.3"]
# ## 15.3 Is the right tail too long? (medium)
#
# You have draws of the posterior, as each cell's mean and variance.
# The statistic of this check is the number of rows whose total lies more than 3 standard deviations of the cell above the cell's mean.
# Mean and standard deviation are those of the draw, so each draw has its own observed count.
#
# For each draw, simulate all rows from the model and count again.
# The p-value is the share of draws whose simulated count is at least as large as the observed count.
# Return the observed counts and the p-value.


# %% tags=["solution:15.3"]
def right_tail(x, cell, mean, variance, rng):
    """Posterior predictive check of the right tail.

    x: array of float, shape (n,), the totals
    cell: array of int, shape (n,), position of each row's cell
    mean, variance: arrays of float, shape (draws, cells), mean and variance of a total in each cell
    rng: numpy.random.Generator
    Returns a pair: the observed counts (array, shape (draws,)) and the p-value (float).
    With x = [0, 5], cell = [0, 1], mean = [[0, 1], [0, 2]] and variance = [[1, 1], [1, 4]], all arrays, the counts are
    [1, 0].
    """
    ### BEGIN SOLUTION: count rows beyond 3 standard deviations, observed and simulated, for every draw
    center, sd = mean[:, cell], np.sqrt(variance[:, cell])
    observed = np.sum((x - center) / sd > 3, axis=1)
    simulated = np.sum((rng.normal(center, sd) - center) / sd > 3, axis=1)
    return observed, np.mean(simulated >= observed)
    ### END SOLUTION


# %% tags=["check:15.3"]
mlm.check("15.3", right_tail)


# %% tags=["mistake:15.3"]
# earns: a simulated count that equals
def right_tail(x, cell, mean, variance, rng):
    center, sd = mean[:, cell], np.sqrt(variance[:, cell])
    observed = np.sum((x - center) / sd > 3, axis=1)
    simulated = np.sum(rng.normal(size=center.shape) > 3, axis=1)
    return observed, np.mean(simulated > observed)


# %% tags=["mistake:15.3"]
# earns: both tails
def right_tail(x, cell, mean, variance, rng):
    center, sd = mean[:, cell], np.sqrt(variance[:, cell])
    observed = np.sum(np.abs(x - center) / sd > 3, axis=1)
    simulated = np.sum(np.abs(rng.normal(size=center.shape)) > 3, axis=1)
    return observed, np.mean(simulated >= observed)


# %% tags=["mistake:15.3"]
# earns: not standard deviations
def right_tail(x, cell, mean, variance, rng):
    center, sd = mean[:, cell], variance[:, cell]
    observed = np.sum((x - center) / sd > 3, axis=1)
    simulated = np.sum((rng.normal(center, sd) - center) / sd > 3, axis=1)
    return observed, np.mean(simulated >= observed)


# %% tags=["mistake:15.3"]
# earns: each draw has its own mean
def right_tail(x, cell, mean, variance, rng):
    center, sd = mean.mean(axis=0)[cell], np.sqrt(variance.mean(axis=0))[cell]
    observed = np.full(len(mean), np.sum((x - center) / sd > 3))
    simulated = np.sum(rng.normal(size=(len(mean), len(x))) > 3, axis=1)
    return observed, np.mean(simulated >= observed)


# %% tags=["mistake:15.3"]
# earns: on the other side
def right_tail(x, cell, mean, variance, rng):
    center, sd = mean[:, cell], np.sqrt(variance[:, cell])
    observed = np.sum((x - center) / sd > 3, axis=1)
    simulated = np.sum((rng.normal(center, sd) - center) / sd > 3, axis=1)
    return observed, np.mean(simulated <= observed)


# %% [markdown] tags=["task:15.4"]
# ## 15.4 How much can you blame the carrier? (medium)
#
# A flight lost `minutes`.
# For its baseline, carrier, origin and month you know the means $\mu_j$ and the variances $v_j$ under one split of the variance.
# A component's part is its mean plus the share $v_j / V$ of the surprise, where $V$ is the sum of the four variances and the surprise is `minutes` minus the sum of the four means.
#
# Other splits fit the data equally well.
# Take the same number from the variance of every contributor of a layer and give it to another component, to each of its contributors: no total's variance changes.
# Such moves may be repeated, between any two components, until a variance would become negative.
# `least` holds the smallest variance of any contributor of each layer, under the same split; the baseline has one variance only.
#
# Return the smallest and the largest part that one layer can have under any such split.


# %% tags=["solution:15.4"]
def blame_range(minutes, usual, variance, least, layer):
    """Smallest and largest part of one layer in a flight's minutes.

    minutes: float
    usual: dict of float, means of the flight's contributors, by component: "baseline" and three layers
    variance: dict of float, variances of the flight's contributors, by component
    least: dict of float, the smallest variance of any contributor, by component
    layer: str, one of the three layers, such as "carrier"
    Returns a pair of floats, the smaller one first. For example,
        usual = {"baseline": -5.0, "carrier": 2.0, "origin": 1.0, "month": 0.0}
        variance = {"baseline": 100.0, "carrier": 80.0, "origin": 60.0, "month": 160.0}
        least = {"baseline": 100.0, "carrier": 40.0, "origin": 50.0, "month": 50.0}
        blame_range(38.0, usual, variance, least, "carrier") is (6.0, 30.0).
    """
    ### BEGIN SOLUTION: find the layer's smallest and largest variance, and the part that goes with each
    surprise = minutes - sum(usual.values())
    from_others = sum(value for name, value in least.items() if name != layer)
    variances = [variance[layer] - least[layer], variance[layer] + from_others]
    parts = [usual[layer] + v / sum(variance.values()) * surprise for v in variances]
    return min(parts), max(parts)
    ### END SOLUTION


# %% tags=["check:15.4"]
mlm.check("15.4", blame_range)


# %% tags=["mistake:15.4"]
# earns: the baseline is not alone
def blame_range(minutes, usual, variance, least, layer):
    surprise = minutes - sum(usual.values())
    variances = [variance[layer] - least[layer], variance[layer] + variance["baseline"]]
    return tuple(sorted(usual[layer] + v / sum(variance.values()) * surprise for v in variances))


# %% tags=["mistake:15.4"]
# earns: the smallest part comes first
def blame_range(minutes, usual, variance, least, layer):
    surprise = minutes - sum(usual.values())
    variances = [variance[layer] - least[layer], variance[layer] + sum(least.values()) - least[layer]]
    return tuple(usual[layer] + v / sum(variance.values()) * surprise for v in variances)


# %% tags=["mistake:15.4"]
# earns: cannot reach 0 and 1
def blame_range(minutes, usual, variance, least, layer):
    surprise = minutes - sum(usual.values())
    return usual[layer] + min(0, surprise), usual[layer] + max(0, surprise)


# %% tags=["mistake:15.4"]
# earns: the contributor's mean belongs
def blame_range(minutes, usual, variance, least, layer):
    surprise = minutes - sum(usual.values())
    variances = [variance[layer] - least[layer], variance[layer] + sum(least.values()) - least[layer]]
    return tuple(sorted(v / sum(variance.values()) * surprise for v in variances))


# %% tags=["mistake:15.4"]
# earns: not the whole of the minutes
def blame_range(minutes, usual, variance, least, layer):
    variances = [variance[layer] - least[layer], variance[layer] + sum(least.values()) - least[layer]]
    return tuple(sorted(usual[layer] + v / sum(variance.values()) * minutes for v in variances))


# %% [markdown] tags=["task:15.5"]
# ## 15.5 Flights of the same day (hard)
#
# Flights of one day share weather and crowded skies.
# Suppose that the surprise of a flight were the sum of two parts with mean zero.
# The first part is the shift of the day, the same for all flights of that day whatever their carrier; its standard deviation is `day_sd`.
# The second part is the flight's own deviation, with standard deviation `own_sd`.
# Shifts of different days and deviations of different flights are all independent.
#
# Carriers A and B fly on the days in `days_a` and `days_b`, one entry a flight.
# Days may have any number of flights.
# Average the surprises of A's flights, and those of B's.
#
# Return two numbers.
# The first is how many independent flights A's flights are worth.
# An average of so many independent surprises, each with the variance of one surprise, has the variance of A's average.
# The second is the standard error of A's average minus B's average.


# %% tags=["solution:15.5"]
def shared_days(days_a, days_b, day_sd, own_sd):
    """What the flights of two carriers are worth when flights of one day share a shift.

    days_a, days_b: arrays, shapes (n_a,) and (n_b,), the day of each flight, as numbers or texts
    day_sd, own_sd: float, standard deviations of a day's shift and of a flight's own deviation
    Returns a pair of floats: the number of independent flights that A's are worth, and the standard error of the
    difference of the two averages.
    For example, shared_days(np.array([1, 1, 2]), np.array([1, 2, 2]), 1.0, 2.0) is about (2.647, 1.700).
    """
    ### BEGIN SOLUTION: return the pair (number of independent flights, standard error of the difference)
    days = np.union1d(days_a, days_b)
    share_a = np.array([np.mean(days_a == day) for day in days])
    share_b = np.array([np.mean(days_b == day) for day in days])
    variance_a = day_sd**2 * np.sum(share_a**2) + own_sd**2 / len(days_a)
    left_of_days = day_sd**2 * np.sum((share_a - share_b) ** 2)
    variance_difference = left_of_days + own_sd**2 * (1 / len(days_a) + 1 / len(days_b))
    return (day_sd**2 + own_sd**2) / variance_a, np.sqrt(variance_difference)
    ### END SOLUTION


# %% tags=["check:15.5"]
mlm.check("15.5", shared_days)


# %% tags=["mistake:15.5"]
# earns: so they are worth fewer
def shared_days(days_a, days_b, day_sd, own_sd):
    v = day_sd**2 + own_sd**2
    return len(days_a), np.sqrt(v / len(days_a) + v / len(days_b))


# %% tags=["mistake:15.5"]
# earns: takes the two averages as independent
def shared_days(days_a, days_b, day_sd, own_sd):
    v = []
    for days in (days_a, days_b):
        share = np.unique(days, return_counts=True)[1] / len(days)
        v.append(day_sd**2 * np.sum(share**2) + own_sd**2 / len(days))
    return (day_sd**2 + own_sd**2) / v[0], np.sqrt(v[0] + v[1])


# %% tags=["mistake:15.5"]
# earns: days do not weigh the same
def shared_days(days_a, days_b, day_sd, own_sd):
    v_a = day_sd**2 / len(np.unique(days_a)) + own_sd**2 / len(days_a)
    v_b = day_sd**2 / len(np.unique(days_b)) + own_sd**2 / len(days_b)
    return (day_sd**2 + own_sd**2) / v_a, np.sqrt(v_a + v_b)


# %% tags=["mistake:15.5"]
# earns: shifts cancel only where
def shared_days(days_a, days_b, day_sd, own_sd):
    share = np.unique(days_a, return_counts=True)[1] / len(days_a)
    v_a = day_sd**2 * np.sum(share**2) + own_sd**2 / len(days_a)
    return (day_sd**2 + own_sd**2) / v_a, own_sd * np.sqrt(1 / len(days_a) + 1 / len(days_b))


# %% tags=["mistake:15.5"]
# earns: this is the number of days
def shared_days(days_a, days_b, day_sd, own_sd):
    return len(np.unique(days_a)), np.sqrt(day_sd**2 + own_sd**2)
