# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises 11: Making the data say it
#
# These exercises belong to [notebook 11](../11_making_the_data_say_it.ipynb).
# In each task, replace the line `raise NotImplementedError(...)` by your code, run the cell, and run the check below it.
# A check says that your answer is right, or gives a hint.
# It tries your function with inputs of its own, so an answer that fits one example only will not pass.
#
# An *aim* is the number of an item in the notebook's list *You will learn*.
#
# | task | aim | what it practises | points |
# |---|---|---|---|
# | 11.1 | 1 | say whether a plan answers a question | 1 |
# | 11.2 | 2 | compute the standard error that a plan promises | 2 |
# | 11.3 | 5 | find out what becomes of the other spreads when a stated one is wrong | 2 |
# | 11.4 | 4 | fit rows that lack a layer under one prior, check the fit and read it | 3 |
# | 11.5 | 3 | spend a budget on the rows that a question needs | 3 |

# %%
from itertools import combinations

import numpy as np

import mlm_tutorial as mlm

# %% [markdown] tags=["task:11.1"]
# ## 11.1 Will the plan answer? (easy)
#
# A plan lists kinds of rows, and a kind lists the components that take part in such a row.
# A question asks for a weighted sum of the components' variances.
# Some variances may be known already, and need not be found.
#
# Does the plan answer the question, given rows enough of each kind?
# A component that takes part in no row has a variance, too, and nobody sees it.


# %% tags=["solution:11.1"]
def answered(kinds, question, known):
    """Whether the variances of the kinds determine what is asked.

    kinds: list of lists of text, such as [["road", "Mill", "Ann"], ["road", "Mill"]]
    question: dict of component (text) to weight (float), such as {"Ann": 1.0}
    known: list of text, the components whose variance is known
    Returns True or False. For example, the kinds and the question above, and known = [], give True.
    """
    ### BEGIN SOLUTION: return True or False
    names = {name for kind in kinds for name in kind} | set(question)
    unknown = sorted(names - set(known))
    design = np.array([[float(name in kind) for name in unknown] for kind in kinds])
    asked = np.array([question.get(name, 0.0) for name in unknown])
    return bool(np.linalg.matrix_rank(np.vstack([design, asked])) == np.linalg.matrix_rank(design))
    ### END SOLUTION


# %% tags=["check:11.1"]
mlm.check("11.1", answered)


# %% tags=["mistake:11.1"]
# earns: where does the question enter your answer
def answered(kinds, question, known):
    names = {name for kind in kinds for name in kind} | set(question)
    unknown = sorted(names - set(known))
    design = np.array([[float(name in kind) for name in unknown] for kind in kinds])
    return bool(np.linalg.matrix_rank(design) == len(unknown))


# %% tags=["mistake:11.1"]
# earns: `known` has no part in your answer
def answered(kinds, question, known):
    names = sorted({name for kind in kinds for name in kind} | set(question))
    design = np.array([[float(name in kind) for name in names] for kind in kinds])
    asked = np.array([question.get(name, 0.0) for name in names])
    return bool(np.linalg.matrix_rank(np.vstack([design, asked])) == np.linalg.matrix_rank(design))


# %% tags=["mistake:11.1"]
# earns: it drops out of the question, too
def answered(kinds, question, known):
    names = sorted({name for kind in kinds for name in kind} | set(question))
    design = np.array([[float(name in kind and name not in known) for name in names] for kind in kinds])
    asked = np.array([question.get(name, 0.0) for name in names])
    return bool(np.linalg.matrix_rank(np.vstack([design, asked])) == np.linalg.matrix_rank(design))


# %% tags=["mistake:11.1"]
# earns: can its variance be told from the others'
def answered(kinds, question, known):
    return all(any(name in kind for kind in kinds) for name in question)


# %% tags=["mistake:11.1"]
# earns: a difference is not a sum
def answered(kinds, question, known):
    names = {name for kind in kinds for name in kind} | set(question)
    unknown = sorted(names - set(known))
    design = np.array([[float(name in kind) for name in unknown] for kind in kinds])
    asked = np.array([float(name in question) for name in unknown])
    return bool(np.linalg.matrix_rank(np.vstack([design, asked])) == np.linalg.matrix_rank(design))


# %% tags=["mistake:11.1"]
# earns: a difference, too, can be left to the prior
def answered(kinds, question, known):
    if sum(question.values()) == 0:
        return True
    names = {name for kind in kinds for name in kind} | set(question)
    unknown = sorted(names - set(known))
    design = np.array([[float(name in kind) for name in unknown] for kind in kinds])
    asked = np.array([question.get(name, 0.0) for name in unknown])
    return bool(np.linalg.matrix_rank(np.vstack([design, asked])) == np.linalg.matrix_rank(design))


# %% tags=["mistake:11.1"]
# earns: more than two of them at a time
def answered(kinds, question, known):
    names = {name for kind in kinds for name in kind} | set(question)
    unknown = sorted(names - set(known))
    design = np.array([[float(name in kind) for name in unknown] for kind in kinds])
    asked = np.array([question.get(name, 0.0) for name in unknown])
    rows = [*design, *(a - b for a in design for b in design)]
    return any(np.allclose(row, asked) for row in rows)


# %% tags=["mistake:11.1"]
# earns: always True
def answered(kinds, question, known):
    return True


# %% [markdown] tags=["task:11.2"]
# ## 11.2 What the plan promises (medium)
#
# Before the first row is measured, compute the standard error of what a question asks: a weighted sum of variances.
# A cell of $n$ totals with variance $V$ carries the information $n / 2V^2$ about $V$.
# Use all of it: where several estimates answer the question, take the error of the best.
# A plan that does not answer the question has an infinite error.


# %% tags=["solution:11.2"]
def standard_error(design, n, sigma, question):
    """Standard error of a weighted sum of the components' variances.

    design: array of zeros and ones, shape (C, P): which of P components take part in each of C cells
    n: array of int, shape (C,), the number of rows in each cell
    sigma: array of float, shape (P,), the standard deviations that you assume of the components
    question: array of float, shape (P,), the weights of the components' variances
    Returns one float, np.inf where the plan does not answer. For example,
    standard_error(np.array([[1, 0], [1, 1]]), np.array([200, 200]), np.array([2.0, 1.0]), np.array([0, 1])) is
    about 0.64.
    """
    ### BEGIN SOLUTION: return the standard error, or np.inf
    longer = np.vstack([design, question])
    if np.linalg.matrix_rank(longer) > np.linalg.matrix_rank(design):
        return np.inf
    variance = design @ sigma**2
    information = (design.T * n / (2 * variance**2)) @ design
    return float(np.sqrt(question @ np.linalg.pinv(information) @ question))
    ### END SOLUTION


# %% tags=["check:11.2"]
mlm.check("11.2", standard_error)


# %% tags=["mistake:11.2"]
# earns: a pseudo-inverse gives a number
def standard_error(design, n, sigma, question):
    variance = design @ sigma**2
    information = (design.T * n / (2 * variance**2)) @ design
    return float(np.sqrt(question @ np.linalg.pinv(information) @ question))


# %% tags=["mistake:11.2"]
# earns: a question about means
def standard_error(design, n, sigma, question):
    if np.linalg.matrix_rank(np.vstack([design, question])) > np.linalg.matrix_rank(design):
        return np.inf
    information = (design.T * n / (design @ sigma**2)) @ design
    return float(np.sqrt(question @ np.linalg.pinv(information) @ question))


# %% tags=["mistake:11.2"]
# earns: variances add up
def standard_error(design, n, sigma, question):
    if np.linalg.matrix_rank(np.vstack([design, question])) > np.linalg.matrix_rank(design):
        return np.inf
    information = (design.T * n / (2 * (design @ sigma) ** 4)) @ design
    return float(np.sqrt(question @ np.linalg.pinv(information) @ question))


# %% tags=["mistake:11.2"]
# earns: invert the whole matrix
def standard_error(design, n, sigma, question):
    if np.linalg.matrix_rank(np.vstack([design, question])) > np.linalg.matrix_rank(design):
        return np.inf
    information = (design.T * n / (2 * (design @ sigma**2) ** 2)) @ design
    return float(np.sqrt(question**2 @ (1 / np.diag(information))))


# %% tags=["mistake:11.2"]
# earns: take its root
def standard_error(design, n, sigma, question):
    if np.linalg.matrix_rank(np.vstack([design, question])) > np.linalg.matrix_rank(design):
        return np.inf
    information = (design.T * n / (2 * (design @ sigma**2) ** 2)) @ design
    return float(question @ np.linalg.pinv(information) @ question)


# %% tags=["mistake:11.2"]
# earns: although its rank is not full
def standard_error(design, n, sigma, question):
    if np.linalg.matrix_rank(design) < design.shape[1]:
        return np.inf
    information = (design.T * n / (2 * (design @ sigma**2) ** 2)) @ design
    return float(np.sqrt(question @ np.linalg.inv(information) @ question))


# %% tags=["mistake:11.2"]
# earns: not every kind of row contains the first component
def standard_error(design, n, sigma, question):
    design = np.array(design, float)
    design[:, 0] = 1
    if np.linalg.matrix_rank(np.vstack([design, question])) > np.linalg.matrix_rank(design):
        return np.inf
    information = (design.T * n / (2 * (design @ sigma**2) ** 2)) @ design
    return float(np.sqrt(question @ np.linalg.pinv(information) @ question))


# %% tags=["mistake:11.2"]
# earns: the weights of the question matter
def standard_error(design, n, sigma, question):
    if np.linalg.matrix_rank(np.vstack([design, question])) > np.linalg.matrix_rank(design):
        return np.inf
    information = (design.T * n / (2 * (design @ sigma**2) ** 2)) @ design
    question = np.sign(question)
    return float(np.sqrt(question @ np.linalg.pinv(information) @ question))


# %% tags=["mistake:11.2"]
# earns: take all cells as equally well known
def standard_error(design, n, sigma, question):
    if np.linalg.matrix_rank(np.vstack([design, question])) > np.linalg.matrix_rank(design):
        return np.inf
    weight = question @ np.linalg.pinv(design)
    return float(np.sqrt(weight**2 @ (2 * (design @ sigma**2) ** 2 / n)))


# %% [markdown] tags=["task:11.3"]
# ## 11.3 What becomes of the others (medium)
#
# With infinitely many rows, the data show the variance of each cell exactly.
# Somebody states the standard deviations of some components, truly or not, and you take the statement for true.
# Which variances will you report?
#
# If no variances agree both with the statement and with all cells, or only negative ones do, the data contradict the statement.
# (With the statement the design leaves no flat direction, so there are never two answers.)


# %% tags=["solution:11.3"]
def reported(design, variance, stated):
    """Variances of all components that agree with the cells and with what is stated.

    design: array of zeros and ones, shape (C, P): which of P components take part in each of C cells
    variance: array of float, shape (C,), the variance of a total in each cell
    stated: dict of int to float, a component's position and its stated standard deviation
    Returns an array of P variances, the stated ones among them, or None if there are none. For example, with
    design = np.array([[1, 1, 0], [1, 0, 1]]), variance = np.array([9.0, 8.0]) and stated = {0: 2.0}, the answer is
    [4, 5, 4].
    """
    ### BEGIN SOLUTION: return an array of variances, or None
    found = np.zeros(design.shape[1])
    for place, sd in stated.items():
        found[place] = sd**2
    free = [place for place in range(len(found)) if place not in stated]
    found[free] = np.linalg.lstsq(design[:, free], variance - design @ found, rcond=None)[0]
    agrees = np.allclose(design @ found, variance) and np.all(found > -1e-9)
    return found if agrees else None
    ### END SOLUTION


# %% tags=["check:11.3"]
mlm.check("11.3", reported)


# %% tags=["mistake:11.3"]
# earns: square it first
def reported(design, variance, stated):
    found = np.zeros(design.shape[1])
    for place, sd in stated.items():
        found[place] = sd
    free = [place for place in range(len(found)) if place not in stated]
    found[free] = np.linalg.lstsq(design[:, free], variance - design @ found, rcond=None)[0]
    return found if np.allclose(design @ found, variance) and np.all(found > -1e-9) else None


# %% tags=["mistake:11.3"]
# earns: what is stated has no part in your answer
def reported(design, variance, stated):
    return np.linalg.lstsq(design, variance, rcond=None)[0]


# %% tags=["mistake:11.3"]
# earns: one of your variances is negative
def reported(design, variance, stated):
    found = np.zeros(design.shape[1])
    for place, sd in stated.items():
        found[place] = sd**2
    free = [place for place in range(len(found)) if place not in stated]
    found[free] = np.linalg.lstsq(design[:, free], variance - design @ found, rcond=None)[0]
    return found if np.allclose(design @ found, variance) else None


# %% tags=["mistake:11.3"]
# earns: least squares also solves what has no solution
def reported(design, variance, stated):
    found = np.zeros(design.shape[1])
    for place, sd in stated.items():
        found[place] = sd**2
    free = [place for place in range(len(found)) if place not in stated]
    found[free] = np.linalg.lstsq(design[:, free], variance - design @ found, rcond=None)[0]
    return found if np.all(found > -1e-9) else None


# %% tags=["mistake:11.3"]
# earns: no longer adds up to what the cells show
def reported(design, variance, stated):
    found = np.zeros(design.shape[1])
    for place, sd in stated.items():
        found[place] = sd**2
    free = [place for place in range(len(found)) if place not in stated]
    found[free] = np.linalg.lstsq(design[:, free], variance - design @ found, rcond=None)[0]
    return np.maximum(found, 0)


# %% tags=["mistake:11.3"]
# earns: the stated ones as well
def reported(design, variance, stated):
    found = np.zeros(design.shape[1])
    for place, sd in stated.items():
        found[place] = sd**2
    free = [place for place in range(len(found)) if place not in stated]
    return np.linalg.lstsq(design[:, free], variance - design @ found, rcond=None)[0]


# %% tags=["mistake:11.3"]
# earns: not every kind of row contains the first component
def reported(design, variance, stated):
    design = np.array(design, float)
    design[:, 0] = 1
    found = np.zeros(design.shape[1])
    for place, sd in stated.items():
        found[place] = sd**2
    free = [place for place in range(len(found)) if place not in stated]
    found[free] = np.linalg.lstsq(design[:, free], variance - design @ found, rcond=None)[0]
    return found if np.allclose(design @ found, variance) and np.all(found > -1e-9) else None


# %% [markdown] tags=["task:11.4"]
# ## 11.4 Fit rows that lack a layer (hard)
#
# A small depot has recorded some forty to ninety delays, in minutes.
# Every parcel has the road, which is the baseline.
# The table has a column for each of two layers, and each layer has a single contributor.
# Where the label is missing, the layer took no part.
#
# Fit the model of the notebook with these priors, not pooled:
#
# - the baseline's mean, and what each layer adds on average, are $\text{Normal}(0, 10)$;
# - all three standard deviations are Weibull of shape 2 and scale 5, the exponential prior of a variance.
#
# Check the fit.
# Then read it: how probable is it that the second layer varies more than the first?
# One prior is enough here; the notebook shows what changes under another one.
#
# Names as in the course: `mu_baseline`, `sigma_baseline`, and `mu_<layer>` and `sigma_<layer>` for each layer.
# `mlm.Priors(...)` takes scales by name; its docstring says which is which.


# %% tags=["solution:11.4"]
def fit_plan(table, layers, seed):
    """Posterior of a plan's rows, and the probability that the second layer varies more than the first.

    table: pandas.DataFrame with a column "total" and one for each layer
    layers: list of two texts, the names of these columns; labels are missing (None) where the layer took no part
    seed: int, for the sampler
    Returns a pair: what mlm.sample returns, and one float.
    """
    ### BEGIN SOLUTION: return what mlm.sample returns, and a probability
    cells = mlm.cell_statistics(table, layers=layers, allow_absent=layers)
    priors = mlm.Priors(baseline_mu=0, baseline_mu_sd=10, mu_sd=10, sigma_scale=5, pooled=False)
    idata = mlm.sample(mlm.cell_model(cells, priors), seed=seed)
    mlm.check_convergence(idata)
    first, second = (idata["posterior"][f"sigma_{layer}"].values for layer in layers)
    return idata, float((second > first).mean())
    ### END SOLUTION


# %% tags=["check:11.4"]
mlm.check("11.4", fit_plan)


# %% tags=["mistake:11.4"]
# earns: a missing label is not a contributor
def fit_plan(table, layers, seed):
    cells = mlm.cell_statistics(table.fillna("nobody"), layers=layers)
    priors = mlm.Priors(baseline_mu=0, baseline_mu_sd=10, mu_sd=10, sigma_scale=5, pooled=False)
    idata = mlm.sample(mlm.cell_model(cells, priors), seed=seed)
    first, second = (idata["posterior"][f"sigma_{layer}"].values[..., 0] for layer in layers)
    return idata, float((second > first).mean())


# %% tags=["mistake:11.4"]
# earns: this model pools
def fit_plan(table, layers, seed):
    cells = mlm.cell_statistics(table, layers=layers, allow_absent=layers)
    priors = mlm.Priors(baseline_mu=0, baseline_mu_sd=10, mu_sd=10, sigma_scale=5)
    idata = mlm.sample(mlm.cell_model(cells, priors), seed=seed, draws=2000)
    first, second = (idata["posterior"][f"sigma_{layer}"].values for layer in layers)
    return idata, float((second > first).mean())


# %% tags=["mistake:11.4"]
# earns: the first of the layers varies more
def fit_plan(table, layers, seed):
    cells = mlm.cell_statistics(table, layers=layers, allow_absent=layers)
    priors = mlm.Priors(baseline_mu=0, baseline_mu_sd=10, mu_sd=10, sigma_scale=5, pooled=False)
    idata = mlm.sample(mlm.cell_model(cells, priors), seed=seed)
    first, second = (idata["posterior"][f"sigma_{layer}"].values for layer in layers)
    return idata, float((first > second).mean())


# %% tags=["mistake:11.4"]
# earns: a probability is a share of draws
def fit_plan(table, layers, seed):
    cells = mlm.cell_statistics(table, layers=layers, allow_absent=layers)
    priors = mlm.Priors(baseline_mu=0, baseline_mu_sd=10, mu_sd=10, sigma_scale=5, pooled=False)
    idata = mlm.sample(mlm.cell_model(cells, priors), seed=seed)
    first, second = (idata["posterior"][f"sigma_{layer}"].values for layer in layers)
    return idata, float(second.mean() > first.mean())


# %% tags=["mistake:11.4"]
# earns: take their scales from the totals
def fit_plan(table, layers, seed):
    cells = mlm.cell_statistics(table, layers=layers, allow_absent=layers)
    priors = mlm.Priors.from_cells(cells, pooled=False)
    idata = mlm.sample(mlm.cell_model(cells, priors), seed=seed)
    first, second = (idata["posterior"][f"sigma_{layer}"].values for layer in layers)
    return idata, float((second > first).mean())


# %% [markdown] tags=["task:11.5"]
# ## 11.5 Spend the budget (hard)
#
# Nothing is recorded yet.
# Each offer sells rows of one kind at a price a row, and you know roughly how much each component varies.
# One question is asked, and there is a budget.
#
# Write the plan: how many rows to buy of each offer.
# It has to answer the question, to cost no more than the budget, and to come close to the best.
# Its standard error may be at most 10 % above the least one that any plan reaches for the money.
# (The error is that of 11.2. Numbers of rows need not be whole.)
# If no combination of the offers answers the question, say so.
#
# The notebook has a rule for the numbers of rows once you know the weights $a_i$, by which the variances of the kinds add up to the answer: $n_i \propto |a_i| V_i / \sqrt{p_i}$.
# Spent in this way, the money buys an error in proportion to $\sum_i |a_i| V_i \sqrt{p_i}$.
# Often several sets of weights give the answer, and they are not equally expensive.
# With six offers a computer can look at every subset.


# %% tags=["solution:11.5"]
def spend(offers, sigma, question, budget):
    """The plan that makes the standard error of a question (nearly) as small as the budget allows.

    offers: dict of name to (kind, price): a list of the components that take part, and euros a row
    sigma: dict of component to its assumed standard deviation
    question: dict of component to the weight of its variance, such as {"Ann": 1.0}
    budget: float, euros
    Returns a dict of name of an offer to number of rows (offers that are left out get none), or None if no plan
    answers. For example, spend({"x": (["road"], 1.0), "y": (["road", "Ann"], 4.0)}, {"road": 5.0, "Ann": 1.0},
    {"road": 1.0}, 100.0) is {"x": 100.0}.
    """
    ### BEGIN SOLUTION: return a dict of numbers of rows, or None
    names = list(sigma)
    asked = np.array([question.get(name, 0.0) for name in names])
    best = None
    for size in range(1, len(names) + 1):
        for chosen in combinations(offers, size):
            design = np.array([[float(name in offers[k][0]) for name in names] for k in chosen])
            weight = np.linalg.lstsq(design.T, asked, rcond=None)[0]
            if not np.allclose(weight @ design, asked):
                continue
            price = np.array([offers[k][1] for k in chosen])
            money = np.abs(weight) * (design @ np.square(list(sigma.values()))) * np.sqrt(price)
            if best is None or money.sum() < best[0]:
                rows = budget * money / money.sum() / price
                best = money.sum(), dict(zip(chosen, rows, strict=True))
    return None if best is None else best[1]
    ### END SOLUTION


# %% tags=["check:11.5"]
mlm.check("11.5", spend)


# %% tags=["mistake:11.5"]
# earns: same money
def spend(offers, sigma, question, budget):
    return {name: budget / len(offers) / price for name, (_, price) in offers.items()}


# %% tags=["mistake:11.5"]
# earns: same number of rows
def spend(offers, sigma, question, budget):
    total = sum(price for _, price in offers.values())
    return dict.fromkeys(offers, budget / total)


# %% tags=["mistake:11.5"]
# earns: does not answer the question
def spend(offers, sigma, question, budget):
    cheapest = min(offers, key=lambda name: offers[name][1])
    return {cheapest: budget / offers[cheapest][1]}


# %% tags=["mistake:11.5"]
# earns: there are only
def spend(offers, sigma, question, budget):
    return {name: budget / price for name, (_, price) in offers.items()}


# %% tags=["mistake:11.5"]
# earns: the prices have no part
def spend(offers, sigma, question, budget):
    free = {name: (kind, 1.0) for name, (kind, _) in offers.items()}
    names = list(sigma)
    asked = np.array([question.get(name, 0.0) for name in names])
    best = None
    for size in range(1, len(names) + 1):
        for chosen in combinations(free, size):
            design = np.array([[float(name in free[k][0]) for name in names] for k in chosen])
            weight = np.linalg.lstsq(design.T, asked, rcond=None)[0]
            if np.allclose(weight @ design, asked):
                share = np.abs(weight) * (design @ np.square(list(sigma.values())))
                if best is None or share.sum() < best[0]:
                    best = share.sum(), dict(zip(chosen, share, strict=True))
    if best is None:
        return None
    scale = budget / sum(offers[name][1] * share for name, share in best[1].items())
    return {name: scale * share for name, share in best[1].items()}


# %% tags=["mistake:11.5"]
# earns: no combination of the offers answers
def spend(offers, sigma, question, budget):
    names = list(sigma)
    design = np.array([[float(name in kind) for name in names] for kind, _ in offers.values()])
    price = np.array([price for _, price in offers.values()])
    asked = np.array([question.get(name, 0.0) for name in names])
    best = None
    for size in range(1, len(names) + 1):
        for chosen in combinations(range(len(price)), size):
            part = design[list(chosen)]
            weight = np.linalg.lstsq(part.T, asked, rcond=None)[0]
            money = np.abs(weight) * (part @ np.square(list(sigma.values()))) * np.sqrt(price[list(chosen)])
            miss = np.abs(weight @ part - asked).sum().round(8)
            if best is None or (miss, money.sum()) < best[:2]:
                rows = budget * money / money.sum() / price[list(chosen)]
                best = miss, money.sum(), {list(offers)[k]: row for k, row in zip(chosen, rows, strict=True)}
    return best[2]


# %% tags=["mistake:11.5"]
# earns: are sold for less
def spend(offers, sigma, question, budget):
    names = list(sigma)
    design = np.array([[float(name in kind) for name in names] for kind, _ in offers.values()])
    asked = np.array([question.get(name, 0.0) for name in names])
    if np.linalg.matrix_rank(np.vstack([design, asked])) > np.linalg.matrix_rank(design):
        return None
    weight = np.abs(np.linalg.lstsq(design.T, asked, rcond=None)[0])  # the shortest weights, not the cheapest
    price = np.array([price for _, price in offers.values()])
    money = weight * (design @ np.square(list(sigma.values()))) * np.sqrt(price)
    return dict(zip(offers, budget * money / money.sum() / price, strict=True))


# %% tags=["mistake:11.5"]
# earns: variances add up
def spend(offers, sigma, question, budget):
    names = list(sigma)
    asked = np.array([question.get(name, 0.0) for name in names])
    best = None
    for size in range(1, len(names) + 1):
        for chosen in combinations(offers, size):
            design = np.array([[float(name in offers[k][0]) for name in names] for k in chosen])
            weight = np.linalg.lstsq(design.T, asked, rcond=None)[0]
            if not np.allclose(weight @ design, asked):
                continue
            price = np.array([offers[k][1] for k in chosen])
            money = np.abs(weight) * (design @ list(sigma.values())) * np.sqrt(price)
            if best is None or money.sum() < best[0]:
                rows = budget * money / money.sum() / price
                best = money.sum(), dict(zip(chosen, rows, strict=True))
    return None if best is None else best[1]


# %% tags=["mistake:11.5"]
# earns: the variances of the kinds have no part
def spend(offers, sigma, question, budget):
    names = list(sigma)
    asked = np.array([question.get(name, 0.0) for name in names])
    best = None
    for size in range(1, len(names) + 1):
        for chosen in combinations(offers, size):
            design = np.array([[float(name in offers[k][0]) for name in names] for k in chosen])
            weight = np.linalg.lstsq(design.T, asked, rcond=None)[0]
            if not np.allclose(weight @ design, asked):
                continue
            price = np.array([offers[k][1] for k in chosen])
            money = np.abs(weight) * np.sqrt(price)
            if best is None or money.sum() < best[0]:
                rows = budget * money / money.sum() / price
                best = money.sum(), dict(zip(chosen, rows, strict=True))
    return None if best is None else best[1]


# %% tags=["mistake:11.5"]
# earns: not every kind of row contains the first component
def spend(offers, sigma, question, budget):
    names = list(sigma)
    offers = {name: ([names[0], *kind], price) for name, (kind, price) in offers.items()}
    asked = np.array([question.get(name, 0.0) for name in names])
    best = None
    for size in range(1, len(names) + 1):
        for chosen in combinations(offers, size):
            design = np.array([[float(name in offers[k][0]) for name in names] for k in chosen])
            weight = np.linalg.lstsq(design.T, asked, rcond=None)[0]
            if not np.allclose(weight @ design, asked):
                continue
            price = np.array([offers[k][1] for k in chosen])
            money = np.abs(weight) * (design @ np.square(list(sigma.values()))) * np.sqrt(price)
            if best is None or money.sum() < best[0]:
                rows = budget * money / money.sum() / price
                best = money.sum(), dict(zip(chosen, rows, strict=True))
    return None if best is None else best[1]


# %% tags=["mistake:11.5"]
# earns: the weights of the question matter
def spend(offers, sigma, question, budget):
    names = list(sigma)
    asked = np.array([float(name in question) for name in names])
    best = None
    for size in range(1, len(names) + 1):
        for chosen in combinations(offers, size):
            design = np.array([[float(name in offers[k][0]) for name in names] for k in chosen])
            weight = np.linalg.lstsq(design.T, asked, rcond=None)[0]
            if not np.allclose(weight @ design, asked):
                continue
            price = np.array([offers[k][1] for k in chosen])
            money = np.abs(weight) * (design @ np.square(list(sigma.values()))) * np.sqrt(price)
            if best is None or money.sum() < best[0]:
                rows = budget * money / money.sum() / price
                best = money.sum(), dict(zip(chosen, rows, strict=True))
    return None if best is None else best[1]
