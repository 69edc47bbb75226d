# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 11 Making the data say it
#
# Better routes, or training for centers and drivers?
# The manager has money for one of them, and Nora and Sam have sent her two answers that lie more than a minute apart.
# 10,000 parcels cannot tell the road from the people, and a million cannot either ([10](10_what_the_data_cannot_say.ipynb)).
#
# So she stops asking for more parcels, and asks for other ones.
# Lena, who runs the depot, sends her five offers.
#
# | offer | what it is | price |
# |---|---|---|
# | lottery | A consultant records another 10,000 parcels, and a lottery decides which center and which driver each one gets. | 5,000 euros |
# | collect | A customer collects the parcel at the sorting center. No driver takes part. | 1 euro a parcel |
# | drop | The truck drops the parcel at the customer's door as it passes. Neither center nor driver takes part. | 2 euros a parcel |
# | hand over | The truck hands the parcel to a driver at the roadside. No center takes part. | 3 euros a parcel |
# | certificate | The haulier has loggers in its trucks and sells one number: by how much the road varies. | 900 euros |
#
# One of the five answers nothing that last year's parcels left open. Which?
# And which does she need?
# Decide before you read on.
#
# You can answer both without measuring anything.
# What a plan can say follows from the plan alone.
# How precisely takes one number more, the variance of last year's parcels.
#
# **You will learn**
#
# 1. to say which questions a plan answers, before anything is measured;
# 2. to compute the standard errors that a plan promises, and to test that computation;
# 3. to write a plan of your own, and to spend its money where the question is;
# 4. to fit rows that lack a layer, and to show for which questions the prior no longer decides;
# 5. to say what happens when something that a plan takes for granted is false.
#
# **You need** [10](10_what_the_data_cannot_say.ipynb) for flat directions, rank and Fisher information, and [09](09_integrating_out.ipynb) for cells.
#
# **Time** 45 minutes to read, about two minutes to run.

# %%
from dataclasses import replace
from itertools import combinations, product

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

import mlm_tutorial as mlm

SEED = mlm.notebook_seed(211)
rng = np.random.default_rng(SEED)
mlm.use_style()

# %% [markdown]
# ## A plan is a list of kinds
#
# These are the parcels of 09 and 10: a road that varies by 5 minutes, three centers and four drivers that vary by 1 minute each.
# You know that, because you make the data. Nobody at the depot does.

# %%
parcels = mlm.LayeredSum.from_coefficients(
    [
        {"road": (0, 5)},
        {"Airport": (1, 1), "Harbor": (-1, 1), "Mill": (4, 1)},
        {"Ann": (3, 1), "Ben": (-1, 1), "Cleo": (-1, 1), "Dov": (-1, 1)},
    ],
    names=["center", "driver"],
)
layers = parcels.names
NAMES = ["road", *parcels["center"].labels, *parcels["driver"].labels]

# %% [markdown]
# A parcel of a *kind* has certain layers and lacks the others.
# The road is the baseline, so every parcel has it.
# A *plan* says how many parcels of each kind will be recorded.
# The depot sends 10,000 a year, and in the plans below at most a tenth of them is handled in another way.
# The last two plans below leave the parcels as they are, and are *told* a variance instead.
# The certificate tells the road's.
# "Steady" is no offer and costs nothing: somebody just says that drivers add no spread, that each of them is late by the same minutes every day.

# %%
KINDS = {"usual": ["center", "driver"], "collected": ["center"], "dropped": [], "handed over": ["driver"]}
PRICE = {"usual": 0, "collected": 1, "dropped": 2, "handed over": 3}  # euros a parcel
FEE = {"lottery": 5_000, "certificate": 900}  # euros, once
KNOWN = {"certificate": ["road"], "steady": list(parcels["driver"].labels)}

plans = {
    "as today": {"usual": 10_000},
    "lottery": {"usual": 20_000},
    "collect": {"usual": 9_000, "collected": 1_000},
    "drop": {"usual": 9_000, "dropped": 1_000},
    "collect and drop": {"usual": 9_000, "collected": 500, "dropped": 500},
    "certificate": {"usual": 10_000},
    "steady": {"usual": 10_000},
}

# %% [markdown]
# From a plan you can write down its design $D$ as in 10: a row for each cell, a column for each component, and a one wherever a component takes part.
# No total occurs in it.


# %%
def cells_of(plan):
    """Return who takes part in each cell of a plan, and how many parcels the cell gets."""
    design, n = [], []
    for kind, number in plan.items():
        groups = list(product(*(parcels[layer].labels for layer in KINDS[kind])))
        for group in groups:
            design.append([name == "road" or name in group for name in NAMES])
            n.append(number / len(groups))
    return np.array(design, dtype=float), np.array(n)


design, n = cells_of(plans["collect and drop"])
print(f"{len(design)} cells, {design.shape[1]} components")

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "The design of the plan collect and drop as a grid, a row for each of 16 cells and a column for each of 8 components. The first twelve rows, usual parcels, have three dark squares each: road, one center, one driver. The next three, collected parcels, have two: road and one center. The last row, dropped parcels, has the road alone."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(5.5, 5))
ax.pcolormesh(design, cmap="Blues", vmin=0, vmax=1.3, edgecolors="white", linewidth=2)
ax.set_xticks(np.arange(len(NAMES)) + 0.5, NAMES, rotation=60)
kind_of_cell = np.repeat(["usual", "collected", "dropped"], [12, 3, 1])
ax.set_yticks(
    np.arange(len(design)) + 0.5, [f"{kind} ({count:.0f})" for kind, count in zip(kind_of_cell, n, strict=True)]
)
ax.invert_yaxis()
ax.set(xlabel="component", ylabel="cell (parcels in it)")
ax.grid(visible=False)
plt.show()

# %% [markdown]
# Cover the last four rows of the figure with your hand.
# In every row that you still see there are three dark squares: road, one center, one driver.
# Move variance from the road to all centers, and no row notices.
# Take the hand away. The last row notices: it has no center to make up for what the road has lost.
#
# ## Rank before money
#
# **Predict first.** There are eight variances, and today's design has rank 6: two flat directions, one for each layer.
# What is the rank of the most expensive plan, the lottery?
# What does each of the others gain?


# %%
def unknown(plan_name):
    """Return which of the variances a plan leaves to be found."""
    return np.array([name not in KNOWN.get(plan_name, []) for name in NAMES])


def cost(plan, fee=0):
    """Return the price of a plan in euros."""
    return fee + sum(PRICE[kind] * number for kind, number in plan.items())


rows = {}
for name, plan in plans.items():
    design = cells_of(plan)[0][:, unknown(name)]
    rank = int(np.linalg.matrix_rank(design))
    euros, variances = cost(plan, FEE.get(name, 0)), design.shape[1]
    rows[name] = {"euros": euros, "unknown variances": variances, "rank": rank, "flat directions": variances - rank}
ranks = pd.DataFrame(rows).T
ranks

# %% jupyter={"source_hidden": true} tags=["hide-input"]
flat = ranks["flat directions"]
assert flat["lottery"] == flat["as today"] == len(layers)
assert (flat[["collect", "drop", "certificate", "steady"]] == 1).all()
assert flat["collect and drop"] == 0
assert ranks["euros"].idxmax() == "lottery"

# %% [markdown]
# The lottery costs most and leaves both directions flat.
# Drawing lots, in the trade *random assignment* or randomization, is the right tool for another question: it breaks the ties between a driver and her usual center, so that one is not blamed for the other.
# Here every driver already meets every center, and still each parcel has a road, a center and a driver.
#
# Every other single offer in the table removes one flat direction, even *drop*, which leaves out two layers.
# Two directions take two offers, and not just any two, as you will see.
#
# ## Which plan answers which question?
#
# "One flat direction is left" is not yet an answer.
# The manager has questions, and some of them may not care about that direction.
# A question about variances is a weight for each component: how much of each variance it counts.


# %%
def weights(**shares):
    """Return a weight for each component; a layer's weight is shared evenly by its contributors."""
    of = {"road": ["road"]} | {layer: list(parcels[layer].labels) for layer in layers}
    total = dict.fromkeys(NAMES, 0.0)
    for component, share in shares.items():
        for name in of.get(component, [component]):
            total[name] += share / len(of.get(component, [component]))
    return np.array(list(total.values()))


questions = {
    "road": weights(road=1),
    "center": weights(center=1),
    "driver": weights(driver=1),
    "center + driver": weights(center=1, driver=1),
    "Mill - Airport": weights(Mill=1, Airport=-1),
}

# %% [markdown]
# "Center" asks for the centers' variances, averaged over the three, "Mill - Airport" whether Mill varies more than the Airport does.
#
# The data show the variance of each cell, and so every weighted sum of those.
# So a question is answered exactly if its weights are a weighted sum of the rows of $D$: appended to $D$ as a further row, it does not raise the rank.
# Then it is *estimable*, as in 10.
# Components whose variance is known drop out of both.


# %%
def answered(design, question, free):
    """Return whether the variances of the cells determine what is asked."""
    design, question = design[:, free], question[free]
    longer = np.vstack([design, question])
    return np.linalg.matrix_rank(longer) == np.linalg.matrix_rank(design)


table = pd.DataFrame(
    {
        name: {what: answered(cells_of(plan)[0], c, unknown(name)) for what, c in questions.items()}
        for name, plan in plans.items()
    }
).T.astype(bool)
table.replace({True: "yes", False: "-"})

# %% [markdown]
# Read the table by columns, as the manager would.
# Whoever asks for the road alone buys dropped parcels, and needs nothing else.
# (The certificate says yes there because it states the answer, and so does "steady" for the drivers.)
# Dropped parcels also say how much center and driver vary *together*, and not how the two share it.
# Whoever asks for the drivers alone buys collected parcels.
# Whether Mill varies more than the Airport, last year's parcels say already, for nothing.
# Only "collect and drop" answers everything.
# One offer has no row here. Which question would *hand over* answer alone? Work it out before you meet it again at the end.
#
# `mlm.identification` does the same for any table, and says it in words.
# It wants cells, so make some: simulate the plan with any parameters that you like, because only the design counts.
# A label that is missing means that the layer took no part, and `allow_absent` says for which layers that may happen.
# (Elsewhere a missing label stays an error.
# `parcels.simulate(10_000, absent={"driver": 0.1})` makes such rows, too: there chance decides which rows lack the layer.)


# %%
def measure(plan):
    """Simulate the parcels of a plan."""
    parts = []
    for kind, number in plan.items():
        rows = parcels.simulate(number, rng=rng, contributions=True)
        for layer in set(layers) - set(KINDS[kind]):
            rows["total"] -= rows[f"y_{layer}"]
            rows[layer] = None
        parts.append(rows[["total", *layers]])
    return pd.concat(parts, ignore_index=True)


def reduce(rows):
    """Return the cells of some parcels; a layer may be absent if it is absent somewhere."""
    lacking = [layer for layer in layers if rows[layer].isna().any()]
    return mlm.cell_statistics(rows, layers=layers, allow_absent=lacking)


collect = reduce(measure(plans["collect"]))
for name, words in mlm.identification(collect)["because"].items():
    print(f"{name}: {words.split('Spreads: ')[1]}\n")

# %% jupyter={"source_hidden": true} tags=["hide-input"]
component = {"road": "baseline"} | {who: (layer, who) for layer in layers for who in parcels[layer].labels}
contrasts = {
    f"question: {what}": {component[k]: w for k, w in zip(NAMES, c, strict=True) if w} for what, c in questions.items()
}
for name, plan in plans.items():
    known_sigma = {"certificate": {"baseline": 5.0}, "steady": {"driver": 0}}.get(name)
    report = mlm.identification(reduce(measure(plan)), known_sigma, contrasts)
    assert (report.loc[list(contrasts), "spreads"].to_numpy() == table.loc[name].to_numpy()).all(), name
print(f"{table.size} answers of the rank rule, and mlm.identification agrees with each")

# %% [markdown]
# The same matrix decides about *means*.
# Last year's parcels know that Mill adds more minutes than the Airport, and cannot know how many minutes a center adds, because no parcel ever went without one.
# That is why the means of a layer had to sum to zero.
# For a layer that may be absent the package drops this rule: `mu_center` is then what each center *adds*.
#
# ## How large will the errors be?
#
# A yes is cheap.
# Two dropped parcels are enough to raise the rank, and they tell you next to nothing.
# How many do you need?
#
# Each cell shows a sample variance $s^2$.
# From $n$ normal totals of variance $V$ it has the standard deviation $V \sqrt{2 / (n - 1)}$, so each cell carries the information $n / 2V^2$ about $V$, nearly.
# That is the Fisher information of 10, $I = D^\top \mathrm{diag}(n / 2V^2)\, D$, and the standard error of a question $c$ is $\sqrt{c^\top I^{-1} c}$.
# (Where $I$ has no inverse, its pseudo-inverse, `pinv`, takes its place for every question that the plan answers.
# The interval of a posterior can be shorter than this error suggests; *Was the promise kept?* shows why.)
#
# Only $V$ is missing, which you do not know for kinds of parcels that nobody has recorded.
# But contributions are independent here, so leaving out a layer can only make $V$ smaller, and a smaller $V$ makes every error smaller.
# So take last year's $V$ for every cell: the promise then errs on the safe side, up to the small error of $V$ itself.
# (The usual cells vary alike here. Where they do not, take the largest $V$.)


# %%
last_year = reduce(measure({"usual": 10_000}))
V = last_year.residual_variance()
print(f"variance of a parcel about the sum of its contributors' means, last year: {V:.1f} square minutes")


def standard_error(plan, question, free=True, variance=V):
    """Return the standard error of a question, infinite where the plan does not answer it."""
    free = np.broadcast_to(free, len(NAMES))
    design, n = cells_of(plan)
    if not answered(design, question, free):
        return np.inf
    design, question = design[:, free], question[free]
    information = (design.T * n / (2 * variance**2)) @ design
    return np.sqrt(question @ np.linalg.pinv(information) @ question)


errors = pd.DataFrame(
    {
        name: {what: standard_error(plan, c, unknown(name)) for what, c in questions.items()}
        for name, plan in plans.items()
    }
).T
errors.insert(0, "euros", ranks["euros"])
errors.round(1).replace(np.inf, "-")

# %% [markdown]
# Standard errors of variances, in square minutes.
# A zero is the mark of a number that was told, the road's by the certificate and the drivers' by "steady": nothing is left to estimate.
#
# A formula that you have not tested is a hope.
# So simulate what it talks about.
# Draw the sample variances of all cells of a plan 4,000 times, estimate the eight variances by least squares, weighted with the true $V$, and look how far the estimates scatter.


# %%
def estimates(plan, s2, variance):
    """Estimate the variances of all components from sample variances, one row for each simulated plan."""
    design, n = cells_of(plan)
    weight = n / (2 * variance**2)
    return (s2 * weight) @ design @ np.linalg.pinv((design.T * weight) @ design)


def sample_variances(variance, n, times):
    """Draw sample variances of normal totals."""
    return variance * rng.chisquare(n - 1, (times, len(n))) / (n - 1)


true_variances = np.concatenate([part.sigma**2 for part in parcels])
plan = plans["collect and drop"]
design, n = cells_of(plan)
true_V = design @ true_variances
found = estimates(plan, sample_variances(true_V, n, 4_000), true_V)
for what, c in questions.items():
    scatter, formula = (found @ c).std(), standard_error(plan, c, variance=true_V)
    print(
        f"{what:<16} formula {formula:.2f}, scatter of 4,000 plans {scatter:.2f}, promised {errors.loc['collect and drop', what]:.2f}"
    )
    assert abs(scatter / formula - 1) < 0.1
    assert formula < 1.1 * errors.loc["collect and drop", what]  # V itself is an estimate

# %% [markdown]
# The formula holds.
# The promise, which knows nothing but last year's $V$, is within a few percent of it.
# It is a little too wide where parcels without a layer decide; for Mill and Airport, which the usual parcels tell apart, only the error of $V$ is left, in either direction.
#
# ## What a square minute means
#
# Square minutes are hard to feel.
# Ask instead: how far must *all* drivers vary, on average, for a plan to *notice*?
# (One who varies more than her colleagues shows in the usual parcels, for nothing.)
# Where the estimate of a variance is less than two standard errors from zero, the variance could be zero, for all that the data show.
# So the smallest spread that a plan can see is about $\sqrt{2\,\text{se}}$, in minutes.
# (It *can* see it: at just that spread, one plan in two shows a variance beyond two standard errors. To be surer, ask for more.)
#
# **Predict first.** A tenth of 10,000 parcels are collected or dropped, and the plan can just see drivers that vary by some two minutes.
# The manager wants to see one minute. How many times as many parcels does she need?

# %%
tenth = {"usual": 0.9, "collected": 0.05, "dropped": 0.05}
thirds = {"usual": 1 / 3, "collected": 1 / 3, "dropped": 1 / 3}
sizes = np.geomspace(1_000, 1_000_000, 31)


def smallest_visible(shares, size, layer):
    """Return the spread of a layer, in minutes, that is two standard errors of its variance from zero."""
    return np.sqrt(2 * standard_error({kind: share * size for kind, share in shares.items()}, questions[layer]))


needed = {}
for name, shares in {"a tenth": tenth, "two thirds": thirds}.items():
    at_10_000 = smallest_visible(shares, 10_000, "driver")
    needed[name] = 10_000 * at_10_000**4  # the error falls with the root of the size, and the spread with its root
    assert np.isclose(smallest_visible(shares, needed[name], "driver"), 1)
    print(f"{name} measured differently: 10,000 parcels see {at_10_000:.1f} minutes;", end=" ")
    print(f"1 minute takes {needed[name]:,.0f} parcels")

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Smallest spread of drivers that a plan can see, in minutes, against the number of parcels recorded, both axes logarithmic. Two parallel straight lines fall slowly, a factor of ten in parcels lowering each by less than half; the line for two thirds measured differently lies below that for a tenth. A dotted line marks 1 minute."}} tags=["hide-input"]
fig, ax = plt.subplots()
for (name, shares), role, style in zip(
    {"a tenth": tenth, "two thirds": thirds}.items(), ("estimate", "alternative"), ("-", "--"), strict=True
):
    spread = [smallest_visible(shares, size, "driver") for size in sizes]
    ax.plot(sizes, spread, style, color=mlm.COLORS[role], label=f"{name} measured differently")
ax.axhline(1, color=mlm.COLORS["truth"], linestyle=":", label="1 minute")
ax.set(
    xscale="log",
    yscale="log",
    xlabel="parcels recorded",
    ylabel="smallest spread of drivers\nthat can be seen (minutes)",
)
ax.set_yticks([0.5, 1, 2, 4], ["0.5", "1", "2", "4"])
ax.minorticks_off()
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# From exactly two minutes to one it would be sixteen times the parcels: once the square for variances, and once more for the root-n rule. This plan sees a little less than two already, so the printed number is smaller.
# Neither plan makes one minute cheap under a road that varies by five. (The certificate does, for center and driver together, if it is true.)
# Better that the manager hears it now than from an interval.
# What a tenth *can* say is whether the drivers vary by as much as Sam's prior expects, and that is what the quarrel is about.
#
# ## Spend the money where the question is
#
# There are 1,500 euros for collected and dropped parcels.
#
# **Predict first.** The manager wants to know the centers' variance.
# It is the variance of collected parcels minus that of dropped ones.
# A dropped parcel costs twice as much. Should she spend half of the money on each kind, or more on one of them?


# %%
def on_budget(share_dropped, budget=1_500):
    """Return the plan that spends this share of the money on dropped parcels and the rest on collected ones."""
    dropped = share_dropped * budget / PRICE["dropped"]
    collected = (1 - share_dropped) * budget / PRICE["collected"]
    return {"usual": 10_000 - collected - dropped, "collected": collected, "dropped": dropped}


shares = np.linspace(0.01, 0.99, 99)
three = ["road", "center", "driver"]
curves = pd.DataFrame({what: [standard_error(on_budget(x), questions[what]) for x in shares] for what in three}, shares)
best = curves.idxmin()
print("share of the money for dropped parcels that is best for each question:", best.round(2).to_dict())

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Standard errors of three variances against the share of the money spent on dropped parcels. The road's falls from left to right, the driver's rises, and the center's has its minimum somewhat to the right of the middle, marked with a dot."}} tags=["hide-input"]
fig, ax = plt.subplots()
for what, role, style in zip(three, ("estimate", "alternative", "prior"), ("-", "--", "-."), strict=True):
    ax.plot(shares, curves[what], style, color=mlm.COLORS[role], label=what)
ax.plot(best["center"], curves["center"].min(), "o", color=mlm.COLORS["alternative"])
ax.set(
    xlabel="share of the money for dropped parcels",
    ylabel="standard error of the variance\n(square minutes)",
    ylim=(0, 10),
)
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% jupyter={"source_hidden": true} tags=["hide-input"]
rule = np.sqrt(2) / (1 + np.sqrt(2))
assert abs(best["center"] - rule) < 0.03
assert best["road"] > 0.9
assert best["driver"] < 0.1

# %% [markdown]
# There is no best plan, only a best plan for a question.
# For the road, all money goes to dropped parcels; for the drivers, to collected ones.
#
# For the centers there is a rule.
# Write the answer as a weighted sum of the variances of kinds, $\sum_i a_i V_i$; here the weights are $1$ and $-1$.
# A kind of price $p_i$ then gets parcels in proportion to
#
# $$n_i \propto \frac{|a_i|\, V_i}{\sqrt{p_i}}.$$
#
# Neyman (1934) made it known for averages in surveys, with a standard deviation where $V_i$ stands here and all rows at one price; the root of the price came later.
# The trade calls it *Neyman allocation*, and a plan that is best for one such question *c-optimal*.
# A kind that costs four times as much gets half as many parcels, not a quarter.
#
# Now write a plan of your own.
# Change the numbers, run the cell, and watch what you pay for which error.
# Can you have standard errors of at most 2 square minutes for the road and 3 for the centers, for less than 1,500 euros?

# %%
my_plan = {"usual": 8_900, "collected": 500, "dropped": 500, "handed over": 100}


def judge(plan):
    """Print what a plan costs and what it promises."""
    rank = np.linalg.matrix_rank(cells_of(plan)[0])
    print(f"{sum(plan.values()):,.0f} parcels, {cost(plan):,.0f} euros, rank {rank} of {len(NAMES)}")
    for what, question in questions.items():
        print(f"{what:<16} ± {standard_error(plan, question):.1f} square minutes")


judge(my_plan)

# %% [markdown]
# (It can be done with about 500 euros to spare: drop just enough parcels for the road, then collect for the centers.)

# %% [markdown]
# ## A year later
#
# The manager took "collect and drop": a tenth of the year's parcels, 1,500 euros.
# Fit both years under Nora's prior and under Sam's, which expect a third and a tenth of the variance on the road, and share the rest equally between centers and drivers.
# The priors of all spreads are the same for both years.
# (The means gain two parameters, because a center and a driver may now add something on average.)
#
# **Predict first.** Last year the two priors gave two answers for the road.
# Will they now agree? And will the interval contain the 5?

# %%
this_year = reduce(measure(plans["collect and drop"]))
base = mlm.Priors.from_cells(last_year, pooled=False)


def split_prior(share):
    """Return the priors that expect this share of the variance on the road, the rest in equal parts."""
    parts = {"baseline": share, "center": (1 - share) / 2, "driver": (1 - share) / 2}
    return replace(base, sigma_scale={name: float(np.sqrt(part * V)) for name, part in parts.items()})


PRIORS = {"Nora": 1 / 3, "Sam": 0.1}
compiled, fits = {}, {}
for year, cells in {"last year": last_year, "this year": this_year}.items():
    first = mlm.compile_model(mlm.cell_model(cells, split_prior(PRIORS["Nora"])))
    for prior, share in PRIORS.items():
        compiled[year, prior] = first.with_priors(split_prior(share))
        fits[year, prior] = mlm.sample(compiled[year, prior], seed=SEED)
        mlm.check_convergence(fits[year, prior])

# %%
spreads = ["sigma_baseline", "sigma_center", "sigma_driver"]


def average(draws):
    """Return draws averaged over the contributors of a layer."""
    return draws.mean(draws.dims[2:]) if draws.ndim > 2 else draws


def spread_table(fits):
    """Return posterior means and standard deviations of average spreads, in minutes."""
    rows = {}
    for name, fit in fits.items():
        draws = {k: average(fit["posterior"][k]) for k in spreads}
        rows[name] = {k: f"{float(x.mean()):.2f} ± {float(x.std()):.2f}" for k, x in draws.items()}
    return pd.DataFrame(rows).T


spread_table(fits)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two panels of histograms of the road's standard deviation under two priors, with a black line at the truth of 5 minutes. Last year: two broad histograms, one with most of its weight below 3, the other rising towards the line. This year: two narrow histograms that lie on one another next to the line."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(10, 3.6), sharex=True)
for ax, year in zip(axes, ("last year", "this year"), strict=True):
    for prior, role in zip(PRIORS, ("alternative", "estimate"), strict=True):
        draws = fits[year, prior]["posterior"]["sigma_baseline"].values.ravel()
        ax.hist(
            draws, np.linspace(0, 5.6, 85), density=True, alpha=0.6, color=mlm.COLORS[role], label=f"prior of {prior}"
        )
    ax.axvline(5, color=mlm.COLORS["truth"], label="truth")
    ax.set(title=year, xlabel="standard deviation of the road (minutes)")
axes[0].set_ylabel("posterior density")
axes[1].legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %%
gap = {}
for year in ("last year", "this year"):
    one, other = (fits[year, prior]["posterior"]["sigma_baseline"] for prior in PRIORS)
    gap[year] = abs(float(one.mean() - other.mean()))
    print(f"{year}: the two priors are {gap[year]:.2f} minutes apart about the road")
road = fits["this year", "Nora"]["posterior"]["sigma_baseline"]
low, high = road.quantile([0.055, 0.945]).values
print(f"this year, 89 % interval of the road: {low:.2f} to {high:.2f} minutes; truth 5")
assert gap["this year"] < 0.25 < 1 < gap["last year"]
assert abs(float(road.mean()) - 5) < 0.75
assert float(road.std()) < 0.25

# %% [markdown]
# The rows changed, and Nora and Sam agree about the road.
# 1,000 parcels of 10,000 were enough for that.
# About centers and drivers the intervals are wide, as the plan had announced.
#
# And the 5? Look at the printed interval again: it ends below 5.
# Two causes can do that.
# One is luck: dropped parcels have nothing but the road, and this year their own standard deviation is low, too, as a later section prints.
# The other is there every year.
# One minute is less than this plan can see, and no variance can be negative.
# Each of seven small variances can come out too large, none below zero, and what they gain the road loses.
# A prior that is flat for all variances misses about as often, and an estimate without that bound does not, as the next section counts.
# Of the priors tried here, only one that expects next to nothing of centers and drivers holds them down. (None of them lets contributors of a layer share a spread.)
#
# Two priors that agree show that the data decide between *these two*.
# They do not show what the answer owes to something that both share.
# To see that, take a third prior that errs on the other side: one that expects 95 % on the road, say.
#
# All parameters beside the truth:

# %% mystnb={"image": {"alt": "Intervals of all parameters this year with true values as diamonds. Means have short intervals next to their true values; the road's standard deviation lies close to 5, rather below it; the standard deviations of centers and drivers have wide intervals between 0 and 2.5 minutes, most of them centered above the true 1."}}
fit = fits["this year", "Nora"]
mlm.plot_recovery(mlm.recovery(fit, parcels)).set_xlabel("minutes")
plt.show()
adds = fit["posterior"]["mu_center"].mean("center")
true_adds = parcels["center"].mu.mean()
print(f"a center adds {float(adds.mean()):.2f} ± {float(adds.std()):.2f} minutes on average (truth {true_adds:.2f})")
assert abs(float(adds.mean()) - true_adds) < 5 * float(adds.std())

# %% [markdown]
# The last line is a gift: by how many minutes a *stop at a center* delays a parcel, which no number of usual parcels could say. (If dropped and collected parcels have the same road; see *Is it the same road?*)
#
# ## Was the promise kept?
#
# The plan promised standard errors for a variance that may take any value.
# A posterior knows more: no variance is negative.
# The sample variance of a cell is a chi-square times a number, and the priors of the variances are exponential.
# The folded cell draws from this posterior for hundreds of years at once, by Metropolis's rule ([03](03_how_the_sampler_walks.ipynb)) with Hastings's correction for proposals that favor some places.


# %% jupyter={"source_hidden": true} tags=["hide-input"]
# moves: one variance, or the road against a layer or against one contributor
single = np.eye(len(NAMES))
layer_moves = [np.isin(NAMES, parcels[layer].labels) - single[0] for layer in layers]
MOVES = [*single, *layer_moves, *(single[1:] - single[0])]


def quick_posterior(design, n, s2, prior=None, sweeps=500):
    """Draw the variances of all components for years of sample variances (a row each)."""
    penalty = np.zeros(len(NAMES))  # without a prior: flat
    if prior:
        scales = [prior.sigma_scale_of(name) for name in ("baseline", *layers)]
        penalty = 1 / np.repeat(scales, [1, *(len(parcels[layer].labels) for layer in layers)]) ** 2
    typical = np.average(s2.mean(axis=0), weights=n)
    information = (design.T * n / (2 * typical**2)) @ design
    pull = (n / (2 * typical**2) * s2) @ design - penalty

    def log_posterior(v):
        variance = v @ design.T
        return -(np.log(variance) + s2 / variance) @ ((n - 1) / 2) - v @ penalty

    v = np.full((len(s2), len(NAMES)), typical / len(NAMES))
    height, draws = log_posterior(v), []
    for _ in range(sweeps):
        for move in MOVES:
            # propose from a normal along the move, cut off where a variance is zero
            sd = 1 / np.sqrt(move @ information @ move)
            mean = (pull - v @ information) @ move * sd**2
            low = -v[:, move > 0].min(axis=1)
            high = v[:, move < 0].min(axis=1, initial=np.inf)
            side = np.where(low > mean, -1, 1)  # the tail where ndtr is precise
            a, b = ndtr(side * (low - mean) / sd), ndtr(side * (high - mean) / sd)
            z = side * ndtri(a + rng.random(len(v)) * (b - a))
            step = np.clip(mean + sd * z, low, high)
            new = np.maximum(v + step[:, None] * move, 0)
            # accept by the posterior, relative to that normal
            new_height = log_posterior(new)
            gain = new_height - height + step * (step - 2 * mean) / (2 * sd**2)
            accepted = np.log(rng.random(len(v))) < gain
            v = np.where(accepted[:, None], new, v)
            height = np.where(accepted, new_height, height)
        draws.append(v)
    return np.array(draws[sweeps // 5 :])  # draw, year, component


# %%
design, n = this_year.design().toarray(), this_year.n
s2_this_year = this_year.sum_sq / (n - 1)
chains = np.tile(s2_this_year, (20, 1))
asked = {who: split_prior(share) for who, share in PRIORS.items()}
asked |= {"third": split_prior(0.95), "flat": None}
quick, rows = {}, {}
for who in ("Nora", "Sam", "third"):
    quick[who] = quick_posterior(design, n, chains, asked[who]).reshape(-1, len(NAMES))
for who, (what, spread) in product(PRIORS, zip(three, spreads, strict=True)):
    values = quick[who] @ questions[what]
    exact = average(fits["this year", who]["posterior"][spread] ** 2).values
    row = {"promised": f"± {errors.loc['collect and drop', what]:.2f}"}
    for name, x in {"quick": values, "sampled": exact}.items():
        row[name] = f"{x.mean():.2f} ± {x.std():.2f}"
    rows[who, what] = row
    assert abs(values.mean() - exact.mean()) < exact.std() / 5
    assert 0.85 < values.std() / exact.std() < 1.18
    assert exact.std() < 1.1 * errors.loc["collect and drop", what]
pd.DataFrame(rows).T

# %% [markdown]
# Variances, in square minutes.
# The quick posterior agrees with the sampler, and both are narrower than promised: of eight positive variances that add up to what the cells show, none can go far.
# Use it before the year, too, with variances that you assume, if you want the interval itself and not only a bound for its error.
#
# So how often does the road's interval contain the 5, if the year is repeated 200 times?
# Ask under Nora's prior, Sam's, a third one that errs on the other side, and a flat one; and ask least squares, where no bound at zero holds (for the road that is the dropped parcels' own standard deviation).

# %%
years = sample_variances(design @ true_variances, n, 200)
alone = np.flatnonzero((this_year.codes < 0).all(axis=1))[0]  # dropped parcels: the road alone
alone_sd = np.sqrt(years[:, alone])
half = 1.6 * alone_sd / np.sqrt(2 * n[alone])
middle, draws = {"no prior": alone_sd.mean()}, {}
ends = {"no prior": (alone_sd - half, alone_sd + half)}
for who, prior in asked.items():
    road_sd = np.sqrt(quick_posterior(design, n, years, prior)[..., 0])
    middle[who], ends[who] = road_sd.mean(), np.quantile(road_sd, [0.055, 0.945], axis=0)
    draws[who] = np.quantile(az.ess(road_sd[None], method="tail", prob=(0.055, 0.945)), 0.01)
low, high = np.array([ends[who] for who in ("no prior", "Nora", "Sam", "third")]).swapaxes(0, 1)
ends["all but flat, together"] = low.min(axis=0), high.max(axis=0)
contains = {who: np.mean((low <= 5) & (high >= 5)) for who, (low, high) in ends.items()}
below = {who: np.mean(high < 5) for who, (_, high) in ends.items()}
columns = {"road on average": middle, "interval contains 5": contains, "ends below 5": below, "effective draws": draws}
order = ["Nora", "Sam", "third", "flat", "no prior", "all but flat, together"]
repeated = pd.DataFrame(columns).loc[order]
assert repeated["effective draws"].min() > 120
assert (repeated.loc[["Nora", "Sam", "flat"], "ends below 5"] > 0.2).all()
assert repeated.loc["third", "ends below 5"] < 0.05
assert (repeated.loc[list(asked), "interval contains 5"] < 0.8).all()
assert repeated.loc["no prior", "interval contains 5"] > 0.8
assert repeated.iloc[-1]["interval contains 5"] > 0.95
repeated.round(2)

# %% [markdown]
# An 89 % interval is right 89 times in 100 on average over truths drawn from its *prior* ([10](10_what_the_data_cannot_say.ipynb)).
# No prior promises that at one given truth, and this depot lies far out in Nora's and Sam's. The row without prior and bound keeps its promise.
# The third prior misses, too, on the other side.
# (It expects 95 % on the road where the truth is 93 %. You could put it so near because you made the data. With data of your own, err further, and report how far that moves the answer.)
# The averages are a few tenths of a minute apart, where last year two of these priors alone were about two minutes apart: that is what the parcels bought.
# (200 years leave the shares a standard error of up to 3.5 points. In 99 % of them the interval rests on at least as many effective draws as the last column says, for its ends.)
#
# And the lottery, the most expensive plan? Give the same two models 20,000 usual parcels:

# %%
lottery = reduce(measure(plans["lottery"]))
for prior in PRIORS:
    fits["lottery", prior] = mlm.sample(compiled["last year", prior].with_cells(lottery), seed=SEED)
    mlm.check_convergence(fits["lottery", prior])
one, other = (fits["lottery", prior]["posterior"]["sigma_baseline"] for prior in PRIORS)
gap["lottery"] = abs(float(one.mean() - other.mean()))
for what, euros in {"last year": 0, "lottery": 5_000, "this year": 1_500}.items():
    print(f"{what:<10} {euros:>5,} euros: two priors, {gap[what]:.2f} minutes apart")
assert gap["lottery"] > 1

# %% [markdown]
# ## A number from outside, and a lie
#
# The certificate is quick: the haulier says what the road's spread is, and you pass it on as `known_sigma`.
# The model then takes it for true, without any error.
# Suppose that the haulier would rather look good, and writes 4.5 minutes where it measured 5.
#
# **Predict first.** Ten percent less for the road.
# What becomes of the spread of centers and drivers? Will any check of 07 or 08 notice?

# %%
honest, lie = 5.0, 4.5
people = {}
for stated in (honest, lie):
    prior = replace(base, known_sigma={"baseline": stated})  # the scales of all other priors stay
    told = mlm.sample(mlm.cell_model(last_year, prior), seed=SEED)
    mlm.check_convergence(told)
    v = {layer: (told["posterior"][f"sigma_{layer}"] ** 2).mean(layer) for layer in layers}
    people[stated] = float((v["center"] + v["driver"]).mean())
    in_all = stated**2 + people[stated]
    print(
        f"road stated as {stated} minutes: centers and drivers together {np.sqrt(people[stated]):.2f} minutes;", end=" "
    )
    print(f"a parcel {np.sqrt(in_all):.2f} minutes")
moved = people[lie] - people[honest]
print(
    f"variance that the lie took from the road: {honest**2 - lie**2:.2f}; that people got: {moved:.2f} square minutes"
)
assert abs(moved - (honest**2 - lie**2)) < 1

# %% [markdown]
# Nearly all that the lie takes from the road goes to the people.
# The chains converge, and a parcel varies by nearly as much as before, so a predictive check has nothing to object to.
# Half a minute less for the road, and centers and drivers have to answer for about a minute more.
# Small errors in a large known spread are large errors in a small unknown one.
#
# A lie in the other direction would be noticed, at least a bold one: the road cannot vary by more than a parcel does.
#
# "Steady" is a number from outside as well: it says that the drivers' spread is zero.
# The drivers' variance then goes to road and centers, just as silently as long as all drivers vary alike. (If one varied more, her cells would show it.)
# For some instruments that is the right assumption ([14](14_how_good_is_the_measurement.ipynb) builds on it), and it belongs in the report.
#
# The manager has a remedy that costs nothing more.
# Her dropped parcels *measure* what the certificate states.

# %%
alone = np.flatnonzero((this_year.codes < 0).all(axis=1))[0]
dropped_n = this_year.n[alone]
dropped_sd = np.sqrt(this_year.sum_sq[alone] / (dropped_n - 1))
error = dropped_sd / np.sqrt(2 * dropped_n)
print(f"{dropped_n} dropped parcels: {dropped_sd:.2f} ± {error:.2f} minutes")
away = np.abs(dropped_sd - np.array([honest, lie])) / error
print(f"{honest} is {away[0]:.1f} standard errors away, {lie} is {away[1]:.1f}:", end=" ")
print("undecided" if away.max() < 2 else "at least one is doubtful")
repeats = honest * np.sqrt(rng.chisquare(dropped_n - 1, 4_000) / (dropped_n - 1))
doubted = np.mean(np.abs(repeats - lie) > 2 * repeats / np.sqrt(2 * dropped_n))
print(f"4,000 such years: {doubted:.0%} doubt {lie} minutes")
assert abs(dropped_sd - 5) < 5 * error
assert 0.8 < doubted < 0.95

# %% [markdown]
# A spread that you measured brings its error with it.
# The two statements lie about three such errors apart, so most years would doubt the lie.
# Where the cell says "undecided", you have one of the other years, and an answer takes more dropped parcels.
# A spread that you were told brings no error, whoever told you.
#
# ## Is it the same road?
#
# Every plan here takes four things for granted.
#
# - **Parcels are independent of each other.** If those in one truck share its road, 500 dropped parcels count as fewer, and every standard error here is too small. It helps to spread them over many trucks and days.
# - **The contributions to a parcel are independent.** A driver who hurries after a slow road breaks this.
# - **The minutes of a cell are normal.** With heavy tails the least-squares estimates stay nearly right on average. But each $s^2$ scatters more, by a factor of about $\sqrt{(\kappa - 1)/2}$, where the kurtosis $\kappa$ is 3 for a normal. Promised errors and posterior intervals do not know this, and are too short by as much.
# - **A parcel that lacks a layer has the *same road* as all others, and the layers that it has add to it what they add elsewhere.**
#
# Look at the last.
# Suppose that trucks can stop only along the motorway, where the road varies by 4 minutes.
# Then dropped parcels measure the motorway.
# The plan "collect and drop" has full rank, and exactly as many kinds as it needs, so nothing is left over that could contradict a *quieter* road.
# (A much rougher one would show: the centers' variance would come out negative.)

# %%
variance_of = {"usual": 27, "collected": 26, "dropped": 4**2}  # the last would be 25 on the road of the others
reported = {
    "road": variance_of["dropped"],
    "center": variance_of["collected"] - variance_of["dropped"],
    "driver": variance_of["usual"] - variance_of["collected"],
}
print("what the plan reports, in minutes:", {k: round(float(np.sqrt(v)), 1) for k, v in reported.items()})

# %% [markdown]
# The centers get what the motorway lacks, and again no check objects.
#
# The remedy is a kind more than you need.
# Let some parcels be handed over, too.
# If the four kinds have the same road, and contributions are independent, then
#
# $$V_\text{usual} - V_\text{collected} - V_\text{handed over} + V_\text{dropped} = 0,$$
#
# because road, center and driver all cancel.
# A plan with redundant kinds can *contradict itself*, and that makes it worth more.
# How reliably would this one do so? Simulate it 4,000 times in each of three worlds.

# %%
careful = {"usual": 8_500, "collected": 500, "dropped": 500, "handed over": 500}
sign = {"usual": 1, "collected": -1, "dropped": 1, "handed over": -1}
design, n = cells_of(careful)
kind_of_cell = np.repeat(list(careful), [12, 3, 1, 4])
n_cells = pd.Series(kind_of_cell).value_counts()
share = np.array([sign[kind] / n_cells[kind] for kind in kind_of_cell])
WORLDS = {"same road": 5.0, "a little quieter": 4.7, "motorway": 4.0}  # the road of dropped parcels, in minutes
z, power = {}, {}
for world, road_sd in WORLDS.items():
    variance = design[:, 1:] @ true_variances[1:] + np.where(kind_of_cell == "dropped", road_sd, 5.0) ** 2
    s2 = sample_variances(variance, n, 4_000)
    z[world] = s2 @ share / np.sqrt((2 * s2**2 / (n - 1)) @ share**2)
    power[world] = np.mean(np.abs(z[world]) > 2)
    print(f"{world}, {road_sd} minutes: contradiction beyond two standard errors in {power[world]:.0%} of plans")
of_means = np.sqrt(share**2 @ (design @ true_variances / n))
print(f"the same contrast of the kinds' mean minutes: standard error {of_means:.2f} minutes")
print(f"price of the careful plan: {cost(careful):,} euros")

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two histograms of the contradiction in standard errors over 4,000 simulated plans. With the same road it is centered at zero and mostly between minus two and two, marked by dashed lines; with the motorway it is centered to the left of minus two."}} tags=["hide-input"]
fig, ax = plt.subplots()
for world, role in {"same road": "data", "motorway": "alternative"}.items():
    ax.hist(z[world], np.linspace(-8, 5, 80), alpha=0.7, color=mlm.COLORS[role], label=world)
for limit in (-2, 2):
    ax.axvline(limit, color=mlm.COLORS["truth"], linestyle="--")
ax.set(xlabel="contradiction, in standard errors", ylabel="simulated plans")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()
assert power["same road"] < 0.08
assert power["a little quieter"] < 0.5 < 0.8 < power["motorway"]

# %% [markdown]
# In the world of the motorway nearly every such plan contradicts itself.
# Where the road of dropped parcels is only a little quieter, most plans do not notice.
# And some differences do not show at all:
#
# | what differs from usual parcels | what the contrast shows |
# |---|---|
# | the road of dropped parcels | the difference |
# | the road of dropped and of collected parcels, alike | 0 |
# | the road of dropped and of handed-over parcels, alike | 0 |
# | the road of collected and of handed-over parcels, alike | minus twice the difference |
# | how far a center varies for collected parcels, or a driver for handed-over ones | minus the difference |
# | nothing, but a driver makes up for a slow road | 0 |
# | the mean of one kind's road, not its variance | 0; the contrast of the kinds' means shows it |
#
# The contrast of the means costs nothing: by its standard error, printed above the price, it notices a minute in most years.
# Let chance decide which parcels are handled differently. That rules out selection, though not another route.
# The power of this test belongs in the plan, beside the rank and the price. (That is twice the budget here.)
#
# ## Which offers?
#
# The lottery was the offer without value, at 5,000 euros: of her questions it helps with one only, Mill and Airport, which last year's parcels could compare already.
# For the road alone *drop* is enough.
# For all of her questions she needs two offers.
# Any two?
# And does she need answers to all of them?

# %%
OFFERS = {"collect": "collected", "drop": "dropped", "hand over": "handed over"}
rows = {}
for pair in combinations([*OFFERS, "certificate"], 2):
    plan = {OFFERS[offer]: 500 for offer in pair if offer in OFFERS}
    plan["usual"] = 10_000 - sum(plan.values())
    told = "certificate" in pair
    free = np.array([name != "road" or not told for name in NAMES])
    promised = {what: standard_error(plan, questions[what], free) for what in three}
    rows[" and ".join(pair)] = {"euros": cost(plan, FEE["certificate"] * told)} | promised
pairs = pd.DataFrame(rows).T
assert np.isinf(pairs.loc["drop and certificate", ["center", "driver"]]).all()
assert np.isfinite(pairs.drop("drop and certificate").to_numpy()).all()
only_drop = {"usual": 9_500, "dropped": 500}
for what in ("road", "center + driver"):
    one, two = (standard_error(plan, questions[what]) for plan in (only_drop, plans["collect and drop"]))
    print(
        f"{what}: ± {one:.1f} with 500 dropped parcels alone ({cost(only_drop):,} euros), ± {two:.1f} with collect and drop"
    )
    assert one < 1.05 * two
pairs.round(1).astype({"euros": int}).replace(np.inf, "-")

# %% [markdown]
# *Hand over* alone would answer for the centers: usual parcels minus those handed over.
# *Drop* and the *certificate* do not go together: both speak of the road.
# *Collect* with the *certificate* is the cheapest pair, and rests on the haulier's word.
# She takes *collect* and *drop*: for 100 euros more she need not believe the haulier, and her own parcels bring their error with them.
#
# If she had only routes or training to decide, she could have saved a third of the money.
# That question sets the road beside center and driver *together*.
# *Drop* alone answers it, and 500 dropped parcels promise the same errors, as the lines above the table say.
# What *collect* buys is the split between centers and drivers, and the minutes that a stop at a center adds.
# In square minutes this plan hardly sees the split: the errors are larger than what there is to see. The minutes it sees well.
#
# ### What may she claim?
#
# How far does the road vary, and which share of the variance about the mean of a cell is its own?
# No prior should answer alone, so ask three, and none: the dropped parcels' own variance for the road, least squares for center and driver.
# (89 % intervals; center and driver together in square minutes.)
# Below the table stands a variance that last year's parcels show for nothing: cells have different means.

# %%
design, n = this_year.design().toarray(), this_year.n
total, together = sum(questions[what] for what in three), questions["center + driver"]
rows = {}
for who, v in quick.items():
    values = [np.sqrt(v[:, 0]), v[:, 0] / (v @ total), v @ together]
    rows[who] = np.quantile(values, [0.055, 0.945], axis=1).T.ravel()
root = np.sqrt(n)  # least squares with weights, and no prior
estimate = np.linalg.lstsq(root[:, None] * design, root * s2_this_year)[0] @ together
usual = (this_year.codes >= 0).all(axis=1)
usual_df = (n[usual] - 1).sum()
share = dropped_sd**2 / (this_year.sum_sq[usual].sum() / usual_df)  # dropped: the road alone
share_error = share * np.sqrt(2 / (dropped_n - 1) + 2 / usual_df)  # of a quotient of variances
people_error = errors.loc["collect and drop", "center + driver"]
free_of_priors = {dropped_sd: error, share: share_error, estimate: people_error}
rows["no prior"] = [value + side * e for value, e in free_of_priors.items() for side in (-1.6, 1.6)]
truth = [5, 25 / (true_variances @ total), true_variances @ together]
rows["truth"] = np.repeat(truth, 2)
columns = ["road (minutes)", "road's share", "center + driver"]
answers = pd.DataFrame(rows, pd.MultiIndex.from_product([columns, ["from", "to"]])).T
smallest_share = answers["road's share"]["from"].drop("truth").min()
assert smallest_share > 2 / 3
assert np.ptp([np.sqrt(v[:, 0]).mean() for v in quick.values()]) < 0.6
assert abs(estimate - truth[2]) < 4 * people_error
ends = answers["road (minutes)"].drop("truth")
print(f"road: from {ends['from'].min():.1f} to {ends['to'].max():.1f} minutes over the four intervals", end="; ")
print(f"{ends.loc['Nora', 'from']:.1f} to {ends.loc['Nora', 'to']:.1f} with Nora's prior")
answers.round(2)

# %%
size = last_year.n
between = np.average((last_year.mean - np.average(last_year.mean, weights=size)) ** 2, weights=size)
print(f"last year: {V:.1f} square minutes about the sum of contributors' means")
print(f"last year: {between:.1f} square minutes between the cells' means")
print(f"center and driver within a cell, least squares: {estimate:.1f} ± {people_error:.1f}")
print(f"the last two are {(between - estimate) / people_error:.1f} errors apart")
assert 4 < between < 11  # 7.2 in the truth
assert smallest_share * V > (V + between) / 2

# %% [markdown]
# For her 1,500 euros the manager may now claim what follows.
# All of it holds only if dropped and collected parcels have the road of the others, and collected ones the centers', and her plan can hardly test that. (With *hand over* she could have tested whether the variance of one kind alone differs, not whether both do alike.)
#
# | claim | how sure | rests on |
# |---|---|---|
# | how far the road varies | from the lowest to the highest end of the four intervals (printed above the table of answers); how often that held the 5, the last row of the 200 years says | the dropped parcels; the prior still moves the last tenths: the third one's interval begins about where Nora's and Sam's end |
# | at least two thirds of the variance about a cell's mean is the road's | the lower ends of all four intervals say so | the dropped parcels; one of the four has no prior |
# | how many minutes a stop at a center adds | printed below the figure of all parameters | the dropped and the collected parcels |
# | how far center and driver vary together | **no claim about the size**: an estimate with a large error, and three priors with three answers | least squares; one minute hides under five |
# | that all drivers vary by a minute rather than not at all | **no claim**: it takes more parcels than the depot sends in ten years (*a tenth measured differently*, in *What a square minute means*), and even then one such plan in two would miss it | |
#
# For center, driver and the two together the prior still decides: report the least-squares estimate with its error, and claim nothing.
#
# Better routes, or training?
# Of the variance about a cell's mean most is the road's, with a prior or without.
# Beside it stands the variance between the cells' means, which belongs to centers and drivers and was known last year: Mill adds more minutes than the other centers, and Ann more than the other drivers.
# Add the first two printed variances: that is all by which last year's parcels differ.
# Two thirds of the first is more than half of that sum, so **the road makes more of the difference than centers and drivers together**, and the lower ends say so under three priors and without one.
# What centers and drivers add is probably mostly *fixed minutes* (Mill, Ann): the variance between the cells' means exceeds the estimate of what they add within a cell, by almost two of its errors (printed last).
# What routes or training would *change* is a question that neither variance answers: try them at one depot first.
# [12](12_decomposing_a_total.ipynb) takes up the parcels one by one: who made this one late?
#
# ## Check yourself
#
# The quiz asks about ideas.
# The [exercises](exercises/11_exercises.ipynb) let you use them, from easy to hard, and tell you at once whether you are right.

# %%
mlm.quiz("11")

# %% [markdown]
# ## What to remember
#
# - The design tells before a measurement which questions a plan answers: append the question to the design, and see whether the rank grows.
# - More rows of the same kind, drawn by lot or not, never remove a flat direction. Rows that lack a layer can, and so can a known spread; two that speak of the same direction count once.
# - The Fisher information of the cells says how far unbiased estimates will scatter; with the largest variance for every cell it errs on the safe side. A posterior that knows that variances are positive is narrower, and may miss a given truth more often than its name says.
# - A small spread under a large one is expensive: half the spread takes sixteen times the rows.
# - Two priors that agree may still pull the same way. Let one of them err on the other side.
# - The best plan depends on the question. Where a plan has just as many kinds as it needs, rows go in proportion to $|a_i| V_i / \sqrt{p_i}$.
# - A known spread enters without an error, and so does a lie. A kind of rows more than needed lets a plan contradict itself.
#
# ## Going further
#
# - Searle, S. R. (1971). *Linear Models*. Wiley. Chapter 5: what a design can estimate. [ISBN 0-471-18499-3](https://www.worldcat.org/isbn/0471184993)
# - Neyman, J. (1934). On the two different aspects of the representative method: the method of stratified sampling and the method of purposive selection. *Journal of the Royal Statistical Society* 97(4), 558-625. [doi:10.2307/2342192](https://doi.org/10.2307/2342192). How many rows of each kind.
# - Chaloner, K. and Verdinelli, I. (1995). Bayesian experimental design: a review. *Statistical Science* 10(3), 273-304. [doi:10.1214/ss/1177009939](https://doi.org/10.1214/ss/1177009939). Plans that use a prior for what they do not know yet.
# - Gustafson, P. (2005). On model expansion, model contraction, identifiability and prior information. *Statistical Science* 20(2), 111-140. [doi:10.1214/088342305000000098](https://doi.org/10.1214/088342305000000098). What is lost when a doubtful assumption is dropped or kept.
# - Searle, S. R., Casella, G. and McCulloch, C. E. (1992). *Variance Components*. Wiley. [doi:10.1002/9780470316856](https://doi.org/10.1002/9780470316856)

# %%
print(mlm.version_line())
