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
# An *aim* is the number of an item in the notebook's list *You will learn*.
#
# | task | aim | what it practises | points |
# |---|---|---|---|
# | 15.1 | 1 | give the model another layer: pairs in the place of two layers | 1 |
# | 15.2 | 2 | find out with a check whether flights of a day move together | 2 |
# | 15.3 | 5 | split a single flight, and say how far the data fix its parts | 2 |
# | 15.4 | 3 | correct standard errors for flights that share a day | 3 |
# | 15.5 | 4 | fit past days, and predict tomorrow's average | 3 |
# | 15.6 | 5 | tell the slope of a line through all flights from the slope at equal labels | 3 |

# %%
import numpy as np
import pymc as pm
from scipy import stats

import mlm_tutorial as mlm

# %% [markdown] tags=["task:15.1"]
# ## 15.1 Extend the model: a layer for pairs (easy)
#
# Two layers do not add up: the effect of one depends on the contributor of the other.
# So you replace the two by one layer, whose contributors are the pairs that occur.
# (That suits pairs which you have all seen. To keep what pairs of one contributor have in common, and to predict new ones, leave the two layers in beside it.)
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

    table: pandas.DataFrame, one row an observation; columns may be text, numbers or categorical
    total: str, name of the column with the totals
    layers: list of str, names of the layers
    pair: tuple of two str, the layers to combine
    Returns a pair: Cells, and a PyMC model. With flights = mlm.load_flights(),
    the cells of model_with_pair(flights, "minutes_lost", ["carrier", "origin", "month"], ("origin", "month"))
    show themselves as <Cells: 327,346 observations in 399 cells; carrier: 16, origin_month: 36>.
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
# earns: a label may hold what you join with
def model_with_pair(table, total, layers, pair):
    first, second = pair
    labels = table[second].astype(str) + " @:: " + table[first].astype(str)
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
# earns: of the column 'lost'
def model_with_pair(table, total, layers, pair):
    name = "_".join(pair)
    table = table.assign(**{name: table.groupby(list(pair), observed=True).ngroup()})
    cells = mlm.cell_statistics(table, "minutes", [x for x in layers if x not in pair] + [name])
    return cells, mlm.cell_model(cells)


# %% tags=["mistake:15.1"]
# earns: the layers should be
def model_with_pair(table, total, layers, pair):
    name = "_".join(pair)
    table = table.assign(**{name: table.groupby(list(pair), observed=True).ngroup()})
    kept = [x for x in ("carrier", "gate", "month", "day_part") if x not in pair]
    cells = mlm.cell_statistics(table, total, [*kept, name])
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
# ## 15.2 Do the flights of a day move together? (medium)
#
# You have draws of a posterior, as each cell's mean and variance.
# In the model, flights are independent given these parameters.
#
# For each draw, do this for every day.
# Add up what the day's flights miss: their totals minus the means of their cells.
# Divide the sum by the standard deviation that the model gives to such a sum, and square.
# The *sum of squares* of the draw is the sum of these squares over the days.
#
# If the model holds, the sum of squares at the right parameters has a distribution that you know: each day contributes the square of a standard normal variable.
# So there is nothing to simulate.
# The p-value of a draw is the probability of a sum at least as large as the observed one, and the p-value of the check is the average over the draws.


# %% tags=["solution:15.2"]
def days_move_together(x, day, cell, mean, variance):
    """Posterior predictive check of independence within days.

    x: array of float, shape (n,), the totals
    day: array of str, shape (n,), the day of each flight
    cell: array of int, shape (n,), position of each flight's cell
    mean, variance: arrays of float, shape (draws, cells), mean and variance of a total in each cell
    Returns a pair: the sums of squares (array, shape (draws,)) and the p-value (float).
    With x = [2, 4, 3], day = ["a", "a", "b"], cell = [0, 0, 1], mean = [[1, 3]] and variance = [[8, 1]], all arrays, the
    sums of squares are [1.0] and the p-value is about 0.607.
    """
    ### BEGIN SOLUTION: for every draw add up by day what flights miss and what the model allows; then a chi-square tail
    days, code = np.unique(day, return_inverse=True)
    by_day = code[:, None] == np.arange(len(days))
    missed, allowed = (x - mean[:, cell]) @ by_day, variance[:, cell] @ by_day
    squares = np.sum(missed**2 / allowed, axis=1)
    return squares, np.mean(stats.chi2.sf(squares, len(days)))
    ### END SOLUTION


# %% tags=["check:15.2"]
mlm.check("15.2", days_move_together)


# %% tags=["mistake:15.2"]
# earns: each draw has its own means and variances
def days_move_together(x, day, cell, mean, variance):
    days, code = np.unique(day, return_inverse=True)
    by_day = code[:, None] == np.arange(len(days))
    missed, allowed = (x - mean.mean(axis=0)[cell]) @ by_day, variance.mean(axis=0)[cell] @ by_day
    squares = np.full(len(mean), np.sum(missed**2 / allowed))
    return squares, np.mean(stats.chi2.sf(squares, len(days)))


# %% tags=["mistake:15.2"]
# earns: add up the flights of a day first
def days_move_together(x, day, cell, mean, variance):
    squares = np.sum((x - mean[:, cell]) ** 2 / variance[:, cell], axis=1)
    return squares, np.mean(stats.chi2.sf(squares, len(x)))


# %% tags=["mistake:15.2"]
# earns: variances add up, not standard deviations
def days_move_together(x, day, cell, mean, variance):
    days, code = np.unique(day, return_inverse=True)
    by_day = code[:, None] == np.arange(len(days))
    missed, allowed = (x - mean[:, cell]) @ by_day, np.sqrt(variance[:, cell]) @ by_day
    squares = np.sum((missed / allowed) ** 2, axis=1)
    return squares, np.mean(stats.chi2.sf(squares, len(days)))


# %% tags=["mistake:15.2"]
# earns: the variance of a single flight, not of the average
def days_move_together(x, day, cell, mean, variance):
    days, code = np.unique(day, return_inverse=True)
    share = (code[:, None] == np.arange(len(days))) / np.bincount(code)
    missed, allowed = (x - mean[:, cell]) @ share, variance[:, cell] @ share
    squares = np.sum(missed**2 / allowed, axis=1)
    return squares, np.mean(stats.chi2.sf(squares, len(days)))


# %% tags=["mistake:15.2"]
# earns: on the other side
def days_move_together(x, day, cell, mean, variance):
    days, code = np.unique(day, return_inverse=True)
    by_day = code[:, None] == np.arange(len(days))
    missed, allowed = (x - mean[:, cell]) @ by_day, variance[:, cell] @ by_day
    squares = np.sum(missed**2 / allowed, axis=1)
    return squares, np.mean(stats.chi2.cdf(squares, len(days)))


# %% tags=["mistake:15.2"]
# earns: as many squares as days
def days_move_together(x, day, cell, mean, variance):
    days, code = np.unique(day, return_inverse=True)
    by_day = code[:, None] == np.arange(len(days))
    missed, allowed = (x - mean[:, cell]) @ by_day, variance[:, cell] @ by_day
    squares = np.sum(missed**2 / allowed, axis=1)
    return squares, np.mean(stats.chi2.sf(squares, len(x)))


# %% tags=["mistake:15.2"]
# earns: this is the p-value of the average
def days_move_together(x, day, cell, mean, variance):
    days, code = np.unique(day, return_inverse=True)
    by_day = code[:, None] == np.arange(len(days))
    missed, allowed = (x - mean[:, cell]) @ by_day, variance[:, cell] @ by_day
    squares = np.sum(missed**2 / allowed, axis=1)
    return squares, stats.chi2.sf(squares.mean(), len(days))


# %% [markdown] tags=["task:15.3"]
# ## 15.3 How much can you blame the carrier? (medium)
#
# A flight lost `minutes`.
# For its baseline, carrier, origin and month you know the means $\mu_j$ and the variances $v_j$ under one split of the variance.
# The part of each of these four is its mean plus the share $v_j / V$ of the surprise, where $V$ is the sum of the four variances and the surprise is `minutes` minus the sum of the four means.
#
# Other splits fit the data equally well.
# Take the same number from the variance of every contributor of a layer and give it to another layer, to each of its contributors, or to the baseline: no total's variance changes.
# Such moves may be repeated, between any two of the four, until a variance would become negative.
# `least` holds the smallest variance of any contributor of each layer, under the same split; the baseline has one variance only.
#
# Return the smallest and the largest part that one layer can have under any such split.


# %% tags=["solution:15.3"]
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


# %% tags=["check:15.3"]
mlm.check("15.3", blame_range)


# %% tags=["mistake:15.3"]
# earns: the baseline is not alone
def blame_range(minutes, usual, variance, least, layer):
    surprise = minutes - sum(usual.values())
    variances = [variance[layer] - least[layer], variance[layer] + variance["baseline"]]
    return tuple(sorted(usual[layer] + v / sum(variance.values()) * surprise for v in variances))


# %% tags=["mistake:15.3"]
# earns: stopped with KeyError
def blame_range(minutes, usual, variance, least, layer):
    names = ["baseline", "carrier", "origin", "month"]
    surprise = minutes - sum(usual[name] for name in names)
    from_others = sum(least[name] for name in names if name != layer)
    variances = [variance[layer] - least[layer], variance[layer] + from_others]
    total = sum(variance[name] for name in names)
    return tuple(sorted(usual[layer] + v / total * surprise for v in variances))


# %% tags=["mistake:15.3"]
# earns: the smallest part comes first
def blame_range(minutes, usual, variance, least, layer):
    surprise = minutes - sum(usual.values())
    variances = [variance[layer] - least[layer], variance[layer] + sum(least.values()) - least[layer]]
    return tuple(usual[layer] + v / sum(variance.values()) * surprise for v in variances)


# %% tags=["mistake:15.3"]
# earns: cannot reach 0 and 1
def blame_range(minutes, usual, variance, least, layer):
    surprise = minutes - sum(usual.values())
    return usual[layer] + min(0, surprise), usual[layer] + max(0, surprise)


# %% tags=["mistake:15.3"]
# earns: the contributor's mean belongs
def blame_range(minutes, usual, variance, least, layer):
    surprise = minutes - sum(usual.values())
    variances = [variance[layer] - least[layer], variance[layer] + sum(least.values()) - least[layer]]
    return tuple(sorted(v / sum(variance.values()) * surprise for v in variances))


# %% tags=["mistake:15.3"]
# earns: not the whole of the minutes
def blame_range(minutes, usual, variance, least, layer):
    variances = [variance[layer] - least[layer], variance[layer] + sum(least.values()) - least[layer]]
    return tuple(sorted(usual[layer] + v / sum(variance.values()) * minutes for v in variances))


# %% [markdown] tags=["task:15.4"]
# ## 15.4 Flights of the same day (hard)
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


# %% tags=["solution:15.4"]
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


# %% tags=["check:15.4"]
mlm.check("15.4", shared_days)


# %% tags=["mistake:15.4"]
# earns: so they are worth fewer
def shared_days(days_a, days_b, day_sd, own_sd):
    v = day_sd**2 + own_sd**2
    return len(days_a), np.sqrt(v / len(days_a) + v / len(days_b))


# %% tags=["mistake:15.4"]
# earns: takes the two averages as independent
def shared_days(days_a, days_b, day_sd, own_sd):
    v = []
    for days in (days_a, days_b):
        share = np.unique(days, return_counts=True)[1] / len(days)
        v.append(day_sd**2 * np.sum(share**2) + own_sd**2 / len(days))
    return (day_sd**2 + own_sd**2) / v[0], np.sqrt(v[0] + v[1])


# %% tags=["mistake:15.4"]
# earns: days do not weigh the same
def shared_days(days_a, days_b, day_sd, own_sd):
    v_a = day_sd**2 / len(np.unique(days_a)) + own_sd**2 / len(days_a)
    v_b = day_sd**2 / len(np.unique(days_b)) + own_sd**2 / len(days_b)
    return (day_sd**2 + own_sd**2) / v_a, np.sqrt(v_a + v_b)


# %% tags=["mistake:15.4"]
# earns: shifts cancel only where
def shared_days(days_a, days_b, day_sd, own_sd):
    share = np.unique(days_a, return_counts=True)[1] / len(days_a)
    v_a = day_sd**2 * np.sum(share**2) + own_sd**2 / len(days_a)
    return (day_sd**2 + own_sd**2) / v_a, own_sd * np.sqrt(1 / len(days_a) + 1 / len(days_b))


# %% tags=["mistake:15.4"]
# earns: this is the number of days
def shared_days(days_a, days_b, day_sd, own_sd):
    return len(np.unique(days_a)), np.sqrt(day_sd**2 + own_sd**2)


# %% [markdown] tags=["task:15.5"]
# ## 15.5 Tomorrow's average (hard)
#
# You run the desk at a gate.
# You know the minutes lost of some flights of past days, and tomorrow `n_tomorrow` flights leave from your gate.
# Will they lose more than `limit` minutes on average?
#
# Write the model and sample it.
#
# | unknown | prior |
# |---|---|
# | `mu`, where days lie on average | Normal(0, 20) |
# | `tau`, how far the means of days differ | half-normal with scale 10 |
# | `day_mean`, a mean for each of `n_days` days | Normal(`mu`, `tau`) |
#
# A flight is normal about its day's mean, and flights of one day scatter about it with the known standard deviation `own_sd`.
# Tomorrow is a day like the others, but with a mean of its own that nobody has seen.
#
# The posterior must hold `mu`, `tau`, `day_mean` and `tomorrow`: the **average** of tomorrow's flights.
# Also return the probability that `tomorrow` exceeds `limit`, from the draws that you return.
# The check reads the posterior, so the run has to pass `mlm.check_convergence`.
# If it does not, remember what [05](../05_centered.ipynb) and [06](../06_noncentered.ipynb) did about it.


# %% tags=["solution:15.5"]
def predict_tomorrow(minutes, day, n_days, own_sd, n_tomorrow, limit, seed):
    """Posterior of past days and of tomorrow's average, and a probability.

    minutes: array of float, shape (n,), minutes lost
    day: array of int, shape (n,), the day of each flight, 0 to n_days - 1
    n_days: int
    own_sd: float, standard deviation of flights about the mean of their day
    n_tomorrow: int, number of tomorrow's flights
    limit: float, in minutes
    seed: int, for mlm.sample(model, seed=seed)
    Returns a pair: what mlm.sample returns, with the variables mu, tau, day_mean (one value a day) and tomorrow; and a
    float, the probability that tomorrow exceeds the limit.
    """
    ### BEGIN SOLUTION: write the model with a day more than the table has, sample it, and count draws above the limit
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 20)
        tau = pm.HalfNormal("tau", 10)
        day_mean = pm.Normal("day_mean", mu, tau, shape=n_days)
        pm.Normal("minutes", day_mean[day], own_sd, observed=minutes)
        new_day = mu + tau * pm.Normal("z", 0, 1)  # non-centered: no flight informs it
        pm.Normal("tomorrow", new_day, own_sd / np.sqrt(n_tomorrow))
    idata = mlm.sample(model, seed=seed, target_accept=0.99)
    mlm.check_convergence(idata)
    return idata, float((idata["posterior"]["tomorrow"] > limit).mean())
    ### END SOLUTION


# %% tags=["check:15.5"]
mlm.check("15.5", predict_tomorrow)


# %% tags=["mistake:15.5"]
# earns: tomorrow is a day of its own
def predict_tomorrow(minutes, day, n_days, own_sd, n_tomorrow, limit, seed):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 20)
        tau = pm.HalfNormal("tau", 10)
        day_mean = pm.Normal("day_mean", mu, tau, shape=n_days)
        pm.Normal("minutes", day_mean[day], own_sd, observed=minutes)
        pm.Normal("tomorrow", mu, own_sd / np.sqrt(n_tomorrow))
    idata = mlm.sample(model, seed=seed, target_accept=0.99)
    return idata, float((idata["posterior"]["tomorrow"] > limit).mean())


# %% tags=["mistake:15.5"]
# earns: scatters about that mean
def predict_tomorrow(minutes, day, n_days, own_sd, n_tomorrow, limit, seed):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 20)
        tau = pm.HalfNormal("tau", 10)
        day_mean = pm.Normal("day_mean", mu, tau, shape=n_days)
        pm.Normal("minutes", day_mean[day], own_sd, observed=minutes)
        new_day = mu + tau * pm.Normal("z", 0, 1)
        pm.Deterministic("tomorrow", new_day)
    idata = mlm.sample(model, seed=seed, target_accept=0.99)
    return idata, float((idata["posterior"]["tomorrow"] > limit).mean())


# %% tags=["mistake:15.5"]
# earns: this is a single flight of tomorrow
def predict_tomorrow(minutes, day, n_days, own_sd, n_tomorrow, limit, seed):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 20)
        tau = pm.HalfNormal("tau", 10)
        day_mean = pm.Normal("day_mean", mu, tau, shape=n_days)
        pm.Normal("minutes", day_mean[day], own_sd, observed=minutes)
        new_day = mu + tau * pm.Normal("z", 0, 1)
        pm.Normal("tomorrow", new_day, own_sd)
    idata = mlm.sample(model, seed=seed, target_accept=0.99)
    return idata, float((idata["posterior"]["tomorrow"] > limit).mean())


# %% tags=["mistake:15.5"]
# earns: a variance or a root is in its place
def predict_tomorrow(minutes, day, n_days, own_sd, n_tomorrow, limit, seed):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 20)
        tau = pm.HalfNormal("tau", 10)
        day_mean = pm.Normal("day_mean", mu, tau, shape=n_days)
        pm.Normal("minutes", day_mean[day], np.sqrt(own_sd), observed=minutes)
        new_day = mu + tau * pm.Normal("z", 0, 1)
        pm.Normal("tomorrow", new_day, own_sd / np.sqrt(n_tomorrow))
    idata = mlm.sample(model, seed=seed, target_accept=0.99)
    return idata, float((idata["posterior"]["tomorrow"] > limit).mean())


# %% tags=["mistake:15.5"]
# earns: the chance is that of mu
def predict_tomorrow(minutes, day, n_days, own_sd, n_tomorrow, limit, seed):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 20)
        tau = pm.HalfNormal("tau", 10)
        day_mean = pm.Normal("day_mean", mu, tau, shape=n_days)
        pm.Normal("minutes", day_mean[day], own_sd, observed=minutes)
        new_day = mu + tau * pm.Normal("z", 0, 1)
        pm.Normal("tomorrow", new_day, own_sd / np.sqrt(n_tomorrow))
    idata = mlm.sample(model, seed=seed, target_accept=0.99)
    return idata, float((idata["posterior"]["mu"] > limit).mean())


# %% tags=["mistake:15.5"]
# earns: has no variable named 'tomorrow'
def predict_tomorrow(minutes, day, n_days, own_sd, n_tomorrow, limit, seed):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 20)
        tau = pm.HalfNormal("tau", 10)
        day_mean = pm.Normal("day_mean", mu, tau, shape=n_days)
        pm.Normal("minutes", day_mean[day], own_sd, observed=minutes)
        pm.Normal("new_day", mu, tau)
    idata = mlm.sample(model, seed=seed, target_accept=0.99)
    return idata, float((idata["posterior"]["new_day"] > limit).mean())


# %% tags=["mistake:15.5"]
# earns: gives each of tomorrow's flights a day of its own
def predict_tomorrow(minutes, day, n_days, own_sd, n_tomorrow, limit, seed):
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 20)
        tau = pm.HalfNormal("tau", 10)
        day_mean = pm.Normal("day_mean", mu, tau, shape=n_days)
        pm.Normal("minutes", day_mean[day], own_sd, observed=minutes)
        pm.Normal("tomorrow", mu, pm.math.sqrt((tau**2 + own_sd**2) / n_tomorrow))
    idata = mlm.sample(model, seed=seed, target_accept=0.99)
    return idata, float((idata["posterior"]["tomorrow"] > limit).mean())


# %% [markdown] tags=["task:15.6"]
# ## 15.6 Two slopes (hard)
#
# Cells have labels and one number beside them, such as the distance of each flight.
# Return two slopes of the total on the number, both by least squares over all *rows*, from the cells alone:
#
# - that of one straight line through all rows, whatever their labels;
# - that at equal labels: of a regression that also fits a mean to each contributor of every layer.
#
# Where the number is a sum with one part for each contributor, such as one distance for each carrier, the contributors' means can take over any slope, and only a prior could tell the second one.
# Then return `None` in its place.
# (A number that depends on the *pair* of two labels is no such sum.)
#
# What you may use of the cells: `n`, `mean`, and for the number `x_mean[:, 0]`, the averages in the cells; `x_products[:, 0, 0]`, its sums of squared deviations from them; and `x_total[:, 0]`, the sums of products of these deviations and those of the totals.
# `slope_equations()` returns `matrix`, shape (1, 1), and `right`, shape (1,): the slope at equal labels solves `matrix * slope = right`. Where it cannot be told, the matrix is 0.


# %% tags=["solution:15.6"]
def two_slopes(cells):
    """Slope of a line through all rows, and slope at equal labels.

    cells: Cells with one covariate
    Returns a pair: a float, and a float or None.
    For example, for the cells of the flights
        flights = mlm.load_flights().join(mlm.load_distances() / 1000, on=["origin", "dest"])
        cells = mlm.cell_statistics(flights, "minutes_lost", ["carrier", "origin", "month"], covariates=["distance"])
    two_slopes(cells) is about (-2.57, -1.18).
    """
    ### BEGIN SOLUTION: return a pair, the slope of the line through all rows, and that at equal labels or None
    x, y = (value - np.average(value, weights=cells.n) for value in (cells.x_mean[:, 0], cells.mean))
    products = cells.x_total[:, 0].sum() + np.sum(cells.n * x * y)
    squares = cells.x_products[:, 0, 0].sum() + np.sum(cells.n * x**2)
    (((left,),), (right,)) = cells.slope_equations()
    return products / squares, right / left if left > 0 else None
    ### END SOLUTION


# %% tags=["check:15.6"]
mlm.check("15.6", two_slopes)


# %% tags=["mistake:15.6"]
# earns: a line through the averages of cells
def two_slopes(cells):
    (((left,),), (right,)) = cells.slope_equations()
    slope = np.polyfit(cells.x_mean[:, 0], cells.mean, 1, w=np.sqrt(cells.n))[0]
    return slope, right / left if left > 0 else None


# %% tags=["mistake:15.6"]
# earns: as if each had one row
def two_slopes(cells):
    (((left,),), (right,)) = cells.slope_equations()
    return np.polyfit(cells.x_mean[:, 0], cells.mean, 1)[0], right / left if left > 0 else None


# %% tags=["mistake:15.6"]
# earns: cells also differ from one another
def two_slopes(cells):
    (((left,),), (right,)) = cells.slope_equations()
    slope = cells.x_total[:, 0].sum() / max(cells.x_products[:, 0, 0].sum(), 1e-12)
    return slope, right / left if left > 0 else None


# %% tags=["mistake:15.6"]
# earns: this is the one at equal labels
def two_slopes(cells):
    (((left,),), (right,)) = cells.slope_equations()
    slope = right / left if left > 0 else 0.0
    return slope, slope


# %% tags=["mistake:15.6"]
# earns: this compares rows of one cell only
def two_slopes(cells):
    center = cells.n @ cells.x_mean[:, 0] / cells.n.sum()
    x = cells.x_mean[:, 0] - center
    within = cells.x_products[:, 0, 0].sum()
    slope = (cells.x_total[:, 0].sum() + cells.n @ (x * cells.mean)) / (within + cells.n @ x**2)
    return slope, cells.x_total[:, 0].sum() / within if within > 0 else None


# %% tags=["mistake:15.6"]
# earns: the number is a sum of the contributors' own numbers
def two_slopes(cells):
    center = cells.n @ cells.x_mean[:, 0] / cells.n.sum()
    x = cells.x_mean[:, 0] - center
    slope = (cells.x_total[:, 0].sum() + cells.n @ (x * cells.mean)) / (
        cells.x_products[:, 0, 0].sum() + cells.n @ x**2
    )
    (((left,),), (right,)) = cells.slope_equations()
    return slope, right / left if left > 0 else 0.0


# %% tags=["mistake:15.6"]
# earns: should be a pair
def two_slopes(cells):
    matrix, right = cells.slope_equations()
    return right / matrix
