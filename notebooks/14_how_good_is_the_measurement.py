# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 14 How good is the measurement?
#
# Ines works in a plant that makes power modules for motor starters.
# A module must shed its heat, and a gauge says how well: the thermal impedance, in hundredths of a degree Celsius per watt.
# This morning three operators measured the same module.
# Ana read 37, Bo read 41, and Cem read 41.
#
# A module is good between 18 and 58, so nobody would argue about this one.
# But tomorrow an auditor asks whether the gauge is fit for use.
# Ines has 90 readings: ten modules, three operators, three readings each.
#
# Is the gauge good, poor, or something between? And who or what should she change first?
# Write down your guess before you read on.
#
# The readings are real; Houf and Berman (1988) published them. Ines is not.
# [10](10_what_the_data_cannot_say.ipynb) asked what such a table can say. Here somebody has to decide.
# A reading is a sum of a module, an operator, and what happens between them.
# Whoever asks how good a measurement is asks for the variances of these terms.
#
# **You will learn**
#
# 1. to see how the layers of a table relate: crossed, nested, or nested behind labels that are used again;
# 2. to estimate variance components with their intervals, beside those of REML, and to say for whom they hold;
# 3. to recognize a variance that the prior has split, because the layers were not pooled or their spreads were left free;
# 4. to turn draws into the standard table of a gauge study, and the table into a decision;
# 5. to choose the next study by what it would tell.
#
# **You need** [08](08_checking_a_model.ipynb) and what came before it, [10](10_what_the_data_cannot_say.ipynb), and [13](13_partial_pooling.ipynb) for partial pooling.
#
# **Time** 40 minutes to read, one to two minutes to run.

# %%
import dataclasses
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import mlm_tutorial as mlm

SEED = mlm.notebook_seed(214)
rng = np.random.default_rng(SEED)
mlm.use_style()

# %% [markdown]
# ## Ninety readings, and four reasons why they differ
#
# Each operator measured each module.
# Layers that meet in every combination are *crossed*.
# (People who run gauge studies call a module a *part*, and so does the table.)

# %%
gauge = mlm.load_gauge()
gauge["pair"] = gauge["part"].astype(str) + gauge["operator"]  # part 1 and operator A: "1A"
gauge.pivot_table("impedance", "part", ["operator", "repeat"]).astype(int)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two panels, ten parts on the horizontal axis, a color and marker for each of three operators. Left: the readings, between 25 and 46; parts differ by up to 18, the readings of one part by a few units. Right: readings minus the average of their part, between minus 3 and 3. Operator A reads lower than B and C on most parts, but not on all: on part 3 operator C reads lowest."}} tags=["hide-input"]
styles = {"A": ("o", "#345995"), "B": ("s", "#b8642e"), "C": ("^", "#3f7d4e")}
_, axes = plt.subplots(1, 2, figsize=(11, 4.2))
difference = gauge["impedance"] - gauge.groupby("part")["impedance"].transform("mean")
for ax, values in zip(axes, (gauge["impedance"], difference), strict=True):
    for shift, (who, (marker, color)) in zip((-0.22, 0, 0.22), styles.items(), strict=True):
        mine = gauge["operator"] == who
        x = gauge["part"] + shift + 0.05 * (gauge["repeat"] - 2)  # equal readings side by side
        ax.plot(x[mine], values[mine], marker, color=color, markersize=4, label=f"operator {who}")
    ax.set(xlabel="part", xticks=range(1, 11))
axes[0].set_ylabel("reading (0.01 °C per watt)")
axes[1].set_ylabel("minus the part's average (0.01 °C per watt)")
axes[1].axhline(0, color=mlm.COLORS["truth"], linewidth=1)
axes[1].legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# Parts differ most, as they should.
# Operator A (Ana) reads low on many parts, but not on all of them.
# So each *pair* of part and operator gets a number too: how Ana's hands suit part 1. (Textbooks call it the *interaction* of part and operator.)
# The fourth reason is the repeat: the same hands, the same part, another reading.
#
# $$\text{reading} = \text{baseline} + \text{part} + \text{operator} + \text{pair} + \text{repeat}$$
#
# **Predict first.** Leave the parts aside. Which of the other three has the largest variance: operators, pairs, or repeats? Or can 90 readings not tell?

# %% [markdown]
# ## The classical answer: four mean squares
#
# In a balanced table the answer of a statistics program takes a few lines.
# Take the averages of parts, of operators and of pairs.
# Square how far each lies from the overall average (a pair: from what its part and its operator let expect; a repeat: from the average of its pair).
# Count each square once for every reading behind it, add, and divide by the number of independent differences (the degrees of freedom, df).
# These are the *mean squares*.
# With $p$ parts, $o$ operators and $r$ repeats, their expectations are sums of variances:
#
# $$\begin{aligned}
# \mathrm{E}(\text{repeat}) &= \sigma^2 \\
# \mathrm{E}(\text{pair}) &= \sigma^2 + r\,\tau_\text{pair}^2 \\
# \mathrm{E}(\text{operator}) &= \sigma^2 + r\,\tau_\text{pair}^2 + p\,r\,\tau_\text{operator}^2 \\
# \mathrm{E}(\text{part}) &= \sigma^2 + r\,\tau_\text{pair}^2 + o\,r\,\tau_\text{part}^2
# \end{aligned}$$
#
# Here $\sigma^2$ is the variance of repeats, and $\tau^2$ that of parts, operators or pairs.
# Solve from the top down: differences of mean squares estimate the variances.


# %%
def mean_squares(frame):
    """Return mean squares and degrees of freedom of a balanced crossed table."""
    cell = frame.pivot_table("impedance", "part", "operator", aggfunc="mean").to_numpy()
    p, o = cell.shape
    r = len(frame) // (p * o)
    part, operator, grand = cell.mean(1, keepdims=True), cell.mean(0), cell.mean()
    own = frame.groupby(["part", "operator"])["impedance"].transform("mean")
    squares = {
        "part": o * r * np.sum((part - grand) ** 2),
        "operator": p * r * np.sum((operator - grand) ** 2),
        "pair": r * np.sum((cell - part - operator + grand) ** 2),
        "repeat": np.sum((frame["impedance"] - own) ** 2),
    }
    df = degrees_of_freedom(p, o, r)
    return {name: squares[name] / df[name] for name in squares}, df


def degrees_of_freedom(p, o, r):
    return {"part": p - 1, "operator": o - 1, "pair": (p - 1) * (o - 1), "repeat": p * o * (r - 1)}


def variances_from(ms, p, o, r):
    """Return the variances whose expected mean squares these are."""
    return {
        "part": (ms["part"] - ms["pair"]) / (o * r),
        "operator": (ms["operator"] - ms["pair"]) / (p * r),
        "pair": (ms["pair"] - ms["repeat"]) / r,
        "repeat": ms["repeat"],
    }


today = (10, 3, 3)  # parts, operators, repeats
ms, df = mean_squares(gauge)
classical = pd.Series(variances_from(ms, *today))
pd.DataFrame({"df": df, "mean square": ms, "variance": classical}).round(3)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
from_program = [48.29, 0.565, 0.728, 0.511]  # REML by statsmodels
assert np.allclose(classical, from_program, rtol=0, atol=[0.005, 0.0005, 0.0005, 0.0005])

# %% [markdown]
# These are the estimates of [REML](../book/glossary.md), *restricted maximum likelihood*, which most programs print: where a table is balanced and no estimate is negative, the two are the same (Searle, Casella and McCulloch 1992).
# The REML program of statsmodels gives the same four numbers. (The course's tests run it.)
#
# The table has no intervals. But look at the column df.
# The repeats' variance rests on 60 differences, the operators' on two.
#
# ## The same variances, with intervals
#
# Now the model of this course.
# Contributors of a layer are pooled: the means of the ten parts come from a normal distribution with a standard deviation $\tau_\text{part}$, which is learned, and so do those of the operators and of the pairs.
# In the layered sum of [01](01_simulating_sums.ipynb) each contributor also has a spread of its own.
# In the classical model a part only *shifts* a reading, and all scatter is the repeat's.
# You say so with `known_sigma`: the spreads of these layers are known to be zero.
# One residual remains, `sigma_baseline`.

# %%
layers = ["part", "operator", "pair"]
cells = mlm.cell_statistics(gauge, total="impedance", layers=layers)
no_spread = dict.fromkeys(layers, 0)
priors = mlm.Priors.from_cells(cells, known_sigma=no_spread)
pooled_model = mlm.compile_model(mlm.cell_model(cells, priors))
pooled_fit = mlm.sample(pooled_model, seed=SEED)
mlm.check_convergence(pooled_fit)

# %% [markdown]
# A posterior has two variances for each layer, for two questions.
#
# - *How far do the three operators in this table differ?* That is the variance of their three means, their *finite-population* variance.
# - *How far do operators differ, those of the next shift included?* That is $\tau_\text{operator}^2$, the variance in the population from which the three came, the *superpopulation* variance.
#
# **Predict first.** REML has one number for the operators. Which of the two has a median near it, and how high does the 90 % interval of the other reach: to twice REML's number, five times, a hundred times?
# (Elsewhere the course uses 89 %. With 90 %, the number lies below the upper end with probability 95 %, as a decision below asks.)


# %%
def variances_of(fit, layers):
    """Return draws of the variances in the table and in the population."""
    posterior = fit["posterior"].to_dataset().stack(each=("chain", "draw"))
    repeat = posterior["sigma_baseline"].to_numpy() ** 2
    seen = {name: posterior[f"mu_{name}"].var(name, ddof=1).to_numpy() for name in layers}
    population = {name: posterior[f"tau_{name}"].to_numpy() ** 2 for name in layers}
    return pd.DataFrame(seen | {"repeat": repeat}), pd.DataFrame(population | {"repeat": repeat})


def summary(draws):
    table = draws.quantile([0.05, 0.5, 0.95]).T
    table.columns = ["5 %", "median", "95 %"]
    return table


def possible_squares(ms, plan, rng, size):
    """Return draws of the expected mean squares of a study, from the mean squares that it found."""
    df = degrees_of_freedom(*plan)
    return {name: df[name] * ms[name] / rng.chisquare(df[name], size) for name in ms}


seen, population = variances_of(pooled_fit, layers)
expected = possible_squares(ms, today, np.random.default_rng([SEED, 2]), 100_000)
limits = pd.DataFrame(variances_from(expected, *today)).clip(lower=0)
pd.concat(
    {
        "REML": classical.to_frame(""),
        "in the table": summary(seen),
        "in the population": summary(population),
        "classical intervals": summary(limits),
    },
    axis=1,
).round(2)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Four rows, part, operator, pair and repeat, on a logarithmic axis of variances. In each row two intervals with medians as dots, in the table and in the population, and a cross for REML. In the table: intervals around REML, short except for operators. In the population: wider, with medians above REML; the operators' interval is by far the widest and spans more than a factor of a hundred. For repeats the two are the same."}} tags=["hide-input"]
_, ax = plt.subplots(figsize=(8.5, 3.8))
for k, name in enumerate(classical.index):
    for draws, shift, color, what in (
        (seen, -0.14, mlm.COLORS["estimate"], "in the table"),
        (population, 0.14, mlm.COLORS["alternative"], "in the population"),
    ):
        low, middle, high = np.quantile(draws[name], [0.05, 0.5, 0.95])
        label = what if k == 0 else None
        ax.plot([low, high], [k + shift] * 2, color=color, linewidth=2.5)
        ax.plot(middle, k + shift, "o", color=color, label=label)
    label = "REML" if k == 0 else None
    ax.plot(classical[name], k, "x", color=mlm.COLORS["truth"], markersize=9, label=label)
ax.set(xscale="log", yticks=range(4), yticklabels=classical.index)
ax.set_xlabel("variance (0.01 °C per watt, squared)")
ax.invert_yaxis()
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

ratio = summary(population)["95 %"] / summary(population)["5 %"]
assert np.allclose(seen.median(), classical, rtol=0.1)
assert ratio["repeat"] < 3
assert ratio["part"] < 10
assert ratio["operator"] > 100
assert 50 < limits["operator"].quantile(0.95) / limits["operator"].quantile(0.05) < 200
assert (population[["part", "operator", "pair"]].median() > classical[["part", "operator", "pair"]]).all()

# %% [markdown]
# The variance *in the table* has its median close to REML's estimate, in all four rows. (Given REML's variances, its expectation is REML's number.)
# REML estimates the variance *in the population*, but there the posterior's median for operators is far above REML's number, and the interval ends beyond a hundred times that number.
# Ten parts leave a factor of five or so between the ends of the interval. Three operators leave a factor of hundreds under this prior, and of more than fifty under a narrower one below.
#
# Is that the data's doing, or the prior's?
# The last columns hold classical intervals, without the half-normal and Weibull priors: approximate ones, called *generalized confidence intervals* (Burdick, Borror and Montgomery 2005).
# A mean square times df, over its expectation, is a chi-squared variable. Draw that variable, solve for the expectation (`possible_squares`), and take differences; negative variances count as zero.
# (As a posterior, these draws belong to a prior proportional to $1/E$ for each expected mean square $E$.)
# For operators they leave a factor of about a hundred, and end much lower than the posterior's interval.
# So the width is the data's doing; that it reaches so high is mostly the prior's, as a later section shows.
# Two differences cannot tell how far all operators differ, and a single number hides this.
#
# Which is the largest, apart from the parts?

# %%
largest = {
    what: draws[["operator", "pair", "repeat"]].idxmax(axis=1).value_counts(normalize=True)
    for what, draws in {"in the table": seen, "in the population": population}.items()
}
largest = pd.DataFrame(largest).T
assert largest.loc["in the table"].idxmax() == "pair"
assert largest.loc["in the population"].idxmax() == "operator"
assert largest.max(axis=None) < 0.9
largest.round(2)

# %% [markdown]
# In the table pairs are most probably the largest, as in REML's list; in the population operators are, under this prior.
# The question had two answers because it was two questions.
#
# ## The gauge table, one row of it for each draw
#
# The industry reads a gauge study in a standard table (the handbook *Measurement Systems Analysis* of the Automotive Industry Action Group, AIAG).
# Its words, in terms of variances:
#
# - *repeatability*: that of repeats;
# - *reproducibility*: operators plus pairs;
# - *gauge R&R*: the sum of the two, which is all that the measurement adds;
# - *% R&R*: the standard deviation of the gauge in percent of that of all readings;
# - *number of distinct categories*: how many groups of parts the gauge tells apart, $1.41\, \text{sd}_\text{part} / \text{sd}_\text{gauge}$, rounded down;
# - *% of tolerance*: six standard deviations of the gauge in percent of the distance between the limits, here from 18 to 58.
#
# By the handbook's rule of thumb a gauge is accepted with % R&R below 10, and refused above 30; the same two limits are used for the % of tolerance.
# Between, it depends on what a reading decides. At least five categories are wanted.
# No law of statistics sets these limits, so report the probability, and not the verdict alone.
#
# Each of these numbers is a function of the variances.
# So compute it **for each draw**, and summarize at the end.
# A ratio of averages is not the average of a ratio, and has no interval.


# %%
def gauge_table(variance, tolerance=58 - 18):
    """Return the standard table of a gauge study; `variance` has a row a draw."""
    reproducibility = variance["operator"] + variance["pair"]
    gauge_rr = variance["repeat"] + reproducibility
    total = gauge_rr + variance["part"]
    ratio = np.sqrt(variance["part"] / gauge_rr)
    return pd.DataFrame(
        {
            "repeatability (sd)": np.sqrt(variance["repeat"]),
            "reproducibility (sd)": np.sqrt(reproducibility),
            "gauge R&R (sd)": np.sqrt(gauge_rr),
            "part to part (sd)": np.sqrt(variance["part"]),
            "% R&R": 100 * np.sqrt(gauge_rr / total),
            "categories": np.floor(1.41 * ratio),
            "% of tolerance": 100 * 6 * np.sqrt(gauge_rr) / tolerance,
        }
    )


any_operator = gauge_table(population)
plugged_in = gauge_table(population.mean().to_frame().T).iloc[0]
assert plugged_in["% R&R"] > 1.3 * any_operator["% R&R"].median()
pd.concat({"from draws": summary(any_operator), "": plugged_in.to_frame("from mean variances")}, axis=1).round(1)

# %% [markdown]
# The right column comes from the posterior means of the variances.
# It is far from the median: a long right tail pulls the mean of the operators' variance up.
#
# ## For whom should the gauge be good?
#
# That table answers for *any* operator, hired tomorrow.
# The auditor may ask for less: the gauge is used by Ana, Bo and Cem only, each as often as the others.
# The operators' part in the variance of a reading is then the average square of three known people's means (so divide by three; nothing is estimated about others).
# Parts and pairs stay those of the population, as tomorrow's parts will be new.
# For pairs this is a cautious choice: it takes as a module's true value what the average of *all* operators would read, up to one offset for all modules.
#
# Both tables take the ten modules for a random sample of what the plant makes.
# If somebody chose them to span the range, the parts' variance is too large, and % R&R and categories look too good. (% of tolerance does not contain the parts.)
# The table for *any* operator also takes the three for a random sample of all who may be hired.
# If they are the plant's best, it promises too much. No reading can tell either.
# And a repeat counts as a new reading only if the operator did not know the earlier ones.
#
# **Predict first.** You have seen REML's variances. Is the % R&R below 10, between 10 and 30, or above?

# %%
mu_operator = pooled_fit["posterior"]["mu_operator"].stack(each=("chain", "draw"))
these_three = gauge_table(population.assign(operator=(mu_operator**2).mean("operator").to_numpy()))


def verdict(table):
    rr = table["% R&R"]
    shares = {"below 10": rr < 10, "10 to 30": (rr >= 10) & (rr <= 30), "above 30": rr > 30}
    return {name: share.mean() for name, share in shares.items()} | {"5 categories": (table["categories"] >= 5).mean()}


tables = {"these three operators": these_three, "any operator": any_operator}
(100 * pd.DataFrame({name: verdict(table) for name, table in tables.items()}).T).round(1)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two histograms of the percentage of gauge R and R on one axis from 0 to 100, with zones below 10, accept, and above 30, refuse, shaded. For these three operators nearly all draws lie between 10 and 30. For any operator the histogram has the same start and a long tail to the right, far into the refuse zone. A line in each marks the value from REML's variances, near 18 above and near 19 below."}} tags=["hide-input"]
reml = classical.to_frame().T
reml_three = reml.assign(operator=reml["operator"] * 2 / 3)  # their mean square, as above


def show_verdicts(tables, by_reml):
    """Draw % R&R of each table, the zones of acceptance, and the value from REML's variances."""
    height = 1.9 * len(tables) + 0.6
    _, axes = plt.subplots(len(tables), 1, figsize=(8.5, height), sharex=True)
    for ax, (name, table) in zip(axes, tables.items(), strict=True):
        rr = table["% R&R"].clip(upper=99.9)
        ax.axvspan(0, 10, color="#3f7d4e", alpha=0.15)
        ax.axvspan(30, 100, color="#8c3b2e", alpha=0.15)
        bins = np.arange(0, 101, 1)
        ax.hist(rr, bins, density=True, histtype="stepfilled", color=mlm.COLORS["estimate"])
        value = gauge_table(by_reml[name])["% R&R"].iloc[0]
        label = "from REML's variances"
        ax.axvline(value, color=mlm.COLORS["truth"], linewidth=1.5, label=label)
        ax.set(title=name, yticks=[], xlim=(0, 100), ylabel="density")
    axes[-1].set_xlabel("% R&R: sd of the gauge in percent of that of all readings")
    axes[0].text(5, axes[0].get_ylim()[1] * 0.85, "accept", ha="center")
    axes[0].text(65, axes[0].get_ylim()[1] * 0.85, "refuse", ha="center")
    axes[0].legend(loc="upper left", bbox_to_anchor=(1, 1))


show_verdicts(tables, {"these three operators": reml_three, "any operator": reml})
plt.show()

three, anyone = verdict(these_three), verdict(any_operator)
assert three["10 to 30"] > 0.9
assert max(three["below 10"], anyone["below 10"]) < 0.1
assert anyone["10 to 30"] > 0.5
assert anyone["above 30"] > max(0.1, 5 * three["above 30"])

# %% [markdown]
# The table holds posterior probabilities, in percent.
# For these three operators the answer is fairly clear: not good enough to be accepted without reservation, not poor enough to be refused.
# For any operator a good part lies above 30, and nearly all of that comes from operators whom nobody has seen.
#
# ## What do you know about operators whom nobody has seen?
#
# The prior of $\tau_\text{operator}$ took its scale from the readings, as those of the parts did:

# %%
print(f"prior of tau: half-normal with a scale of {priors.mu_sd:.1f}, for parts, operators and pairs alike")

# %% [markdown]
# That is generous for parts, and absurd for operators: two trained people's averages would often differ by nearly half as much as the highest part and the lowest.
# Ines knows better, from other gauges and not from this table.
# Two new operators are a unit or two apart (a unit is 0.01 °C per watt); five would be rare.
# And hands do not suit parts more than people differ, she thinks, so pairs may have the operators' scale.
# What does a scale of 2 expect, before any reading?

# %%
tau = np.abs(rng.normal(0, 2, 100_000))
two_operators = np.abs(tau * rng.normal(0, np.sqrt(2), tau.size))
print(f"two operators differ by {np.median(two_operators):.1f} units (median)", end=", ")
print(f"by more than 5 in {np.mean(two_operators > 5):.0%} of cases")

# %% [markdown]
# That is near enough to what Ines says. Change nothing else.

# %%
informed = dataclasses.replace(priors, mu_sd={"part": priors.mu_sd, "operator": 2, "pair": 2})
informed_fit = mlm.sample(pooled_model.with_priors(informed), seed=SEED)
mlm.check_convergence(informed_fit)

informed_seen, informed_population = variances_of(informed_fit, layers)
mu_operator = informed_fit["posterior"]["mu_operator"].stack(each=("chain", "draw"))
informed_three = informed_population.assign(operator=(mu_operator**2).mean("operator").to_numpy())
informed_tables = {
    "these three operators": gauge_table(informed_three),
    "any operator": gauge_table(informed_population),
}
verdicts = {
    (prior, name): verdict(table)
    for prior, both in (("default prior", tables), ("Ines's prior", informed_tables))
    for name, table in both.items()
}
(100 * pd.DataFrame(verdicts).T).round(1)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
wide, narrow = (
    pd.DataFrame({name: verdict(table) for name, table in both.items()}).loc["above 30"]
    for both in (tables, informed_tables)
)
moved = (wide - narrow).abs()
assert moved["these three operators"] < 0.05 < moved["any operator"]

# %% [markdown]
# For these three operators this change of the prior hardly matters.
# For any operator the probability that the gauge is refused depends on it.
# **Report both, and the prior with the second.**
# An auditor who does not share Ines's experience may choose a wider one, or ask for more operators.
#
# ## The same readings, the same model, not pooled: the gauge is scrapped
#
# Some programs, and many first attempts, give every contributor a prior of its own, with a fixed scale.
# Here is the same model with `pooled=False`: the scales of the default prior above, but now they are not learned.
#
# **Predict first.** The convergence check will pass. What would the auditor decide: accept, refuse, or something between? And if pairs had a tenth of that scale?

# %%
not_pooled = dataclasses.replace(priors, pooled=False)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    unpooled_model = mlm.compile_model(mlm.cell_model(cells, not_pooled))
unpooled_fit = mlm.sample(unpooled_model, seed=SEED)
mlm.check_convergence(unpooled_fit)

warned = [str(w.message) for w in caught if w.category is mlm.UnidentifiedWarning]
print(warned[0].replace(": ", ":\n").replace(". ", ".\n"))


# %%
def in_the_table(fit):
    """Return median variances in the table, and the % R&R that they give."""
    posterior = fit["posterior"].to_dataset()
    draws = {name: posterior[f"mu_{name}"].var(name, ddof=1).to_numpy().ravel() for name in layers}
    draws = pd.DataFrame(draws | {"repeat": posterior["sigma_baseline"].to_numpy().ravel() ** 2})
    return draws.median().to_dict() | {"% R&R": gauge_table(draws)["% R&R"].median()}


smaller = {"part": priors.mu_sd, "operator": priors.mu_sd, "pair": priors.mu_sd / 10}
other_fit = mlm.sample(unpooled_model.with_priors(dataclasses.replace(not_pooled, mu_sd=smaller)), seed=SEED)
mlm.check_convergence(other_fit)

compared = pd.DataFrame(
    {
        "REML": classical.to_dict() | {"% R&R": gauge_table(reml)["% R&R"].iloc[0]},
        "pooled": in_the_table(pooled_fit),
        "pooled, Ines's scales": in_the_table(informed_fit),
        "not pooled": in_the_table(unpooled_fit),
        "not pooled, pairs' scale / 10": in_the_table(other_fit),
    }
)
compared.T.round(2)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Stacked bars of the shares of part, operator, pair and repeat in the variance of a reading, one bar for each of five rows: REML, pooled, pooled with other scales, not pooled, and not pooled with a smaller scale for pairs. The first three bars are alike, nearly all part. In the fourth, parts have less than half and pairs nearly as much. The fifth is close to the first three again."}} tags=["hide-input"]
shares = compared.iloc[:4] / compared.iloc[:4].sum()
_, ax = plt.subplots(figsize=(8.5, 3))
left = np.zeros(shares.shape[1])
shades = ["#345995", "#b8642e", "#3f7d4e", "#9a9a9a"]
for (name, values), color in zip(shares.iterrows(), shades, strict=True):
    ax.barh(shares.columns, 100 * values, left=100 * left, color=color, label=name)
    left += values
ax.invert_yaxis()
ax.set(xlabel="share of the variance in the table (%)", xlim=(0, 100))
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

rr = compared.loc["% R&R"]
assert rr["not pooled"] > 60
assert np.ptp(rr[["REML", "pooled", "pooled, Ines's scales"]]) < 2
assert rr["not pooled, pairs' scale / 10"] < 30

# %% [markdown]
# Without pooling a usable gauge is thrown away, by a run that passes every check of the sampler.
# The last two rows differ in the pairs' scale only, so the cause is known: it is the fixed scale.
# As in 10, a part and its pairs can trade without changing a reading, so something else has to split their sum.
# Pooling *learns* that pairs are alike when the interaction, which the data do show, is small.
# Fixed scales split the sums by their own proportion: another scale for pairs, another gauge.
#
# A changed scale is how you notice.
# To ask before the fit is even cheaper:

# %%
mlm.identification(cells, known_sigma=no_spread)[["means", "spreads"]]

# %% [markdown]
# `False` means that no data of this design fix the layer's means one by one. Then pool, and say so.
#
# ## What would the next study tell?
#
# Ines's answer for *any* operator is open. She may run another study, of 270 readings at most.
#
# **Predict first.** Three times as many repeats, three times as many parts, or three times as many operators: which of the three makes the % R&R for any operator most certain?
#
# To find out, simulate: take REML's variances for the truth, draw a study, compute the posterior, look at its interval, and repeat.
# A thousand fits would take hours.
# But if all terms are normal, and repeats vary alike everywhere, all that a balanced table says about variances lies in its four mean squares: each is its expectation times an independent chi-squared variable over df.
# For their posterior, propose expected mean squares as for the classical intervals, drop those with a negative variance, and weight the others: *importance sampling*, as in [08](08_checking_a_model.ipynb).
#
# What are the weights? A mean square $S$ with $f$ degrees of freedom has the likelihood $E^{-f/2}\, e^{-fS/(2E)}$ of its expectation $E$.
# The proposal $E = fS/\chi^2_f$ has a density proportional to $E^{-f/2-1}\, e^{-fS/(2E)}$.
# So the weight is $E$, once for each mean square, times the prior.
# A half-normal $\tau$ with the scale $s$ is, as a density of $v = \tau^2$, proportional to $v^{-1/2}\, e^{-v/(2s^2)}$; the square of a Weibull$(2, s)$ spread is exponential with the mean $s^2$.
# Variances are linear in the $E$, so no further factor appears.


# %%
def posterior_from(ms, plan, priors, rng, size):
    """Return posterior draws of the variances in the population of a balanced study."""
    for n in (size, 50 * size, 2500 * size):  # where nearly all are negative, propose more
        expected = possible_squares(ms, plan, rng, n)
        variance = pd.DataFrame(variances_from(expected, *plan))
        positive = (variance > 0).all(axis=1)
        if positive.sum() >= 100:
            break
    variance = variance[positive]
    log_weight = sum(np.log(x[positive]) for x in expected.values())
    log_weight = log_weight - variance["repeat"] / priors.sigma_scale**2  # the priors of variances
    for name in ("part", "operator", "pair"):
        v = variance[name]
        log_weight = log_weight - 0.5 * np.log(v) - 0.5 * v / priors.mu_sd_of(name) ** 2
    weight = np.exp(log_weight - log_weight.max())
    draws = variance.sample(size, replace=True, weights=weight, random_state=rng)
    draws.attrs["ess"] = weight.sum() ** 2 / (weight**2).sum()
    return draws


shortcut = posterior_from(ms, today, informed, rng, 100_000)
print(f"effective sample size: {shortcut.attrs['ess']:,.0f}")
both = {"sampled by nutpie": summary(informed_population), "from mean squares": summary(shortcut)}
pd.concat(both, axis=1).round(2)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
points = [0.05, 0.5, 0.95]
gap = gauge_table(shortcut)["% R&R"].quantile(points)
gap = gap - informed_tables["any operator"]["% R&R"].quantile(points)
assert np.all(np.abs(gap) < [1, 1, 5])

# %% [markdown]
# Two ways that share no code give the same posterior, up to the noise of their draws.
# (Weighted draws tell less than as many unweighted ones: the effective sample size is the square of the weights' sum over the sum of their squares.)
# So use the shortcut for the plans, with Ines's prior.
# A new study is four random numbers:


# %%
def expected_squares(variance, plan):
    """Return the expected mean squares of a study."""
    p, o, r = plan
    pair = variance["repeat"] + r * variance["pair"]
    part, operator = pair + o * r * variance["part"], pair + p * r * variance["operator"]
    return {"part": part, "operator": operator, "pair": pair, "repeat": variance["repeat"]}


def new_study(variance, plan, rng):
    """Return the mean squares of a simulated study."""
    expected = expected_squares(variance, plan)
    df = degrees_of_freedom(*plan)
    return {name: expected[name] * rng.chisquare(k) / k for name, k in df.items()}


# %% [markdown]
# Draw 200 studies for each plan.
# For each, ask how wide the interval is, and whether she is 95 % sure that the % R&R is below 30.
# (A share near one half has a standard error of 0.035. Two columns hold effective sample sizes, out of 2,000: the median, and what one study in 20 stays below.)

# %%
plans = {
    "today: 10 x 3 x 3": (10, 3, 3),
    "repeats: 10 x 3 x 9": (10, 3, 9),
    "parts: 30 x 3 x 3": (30, 3, 3),
    "operators: 10 x 9 x 3": (10, 9, 3),
    "cheap: 10 x 6 x 2": (10, 6, 2),
}
studies, results = 200, {}
for name, plan in plans.items():
    rows = []
    for _ in range(studies):
        draws = posterior_from(new_study(classical, plan, rng), plan, informed, rng, 2000)
        rr = gauge_table(draws)["% R&R"]
        rows.append((*rr.quantile([0.05, 0.95]), (rr > 30).mean() < 0.05, draws.attrs["ess"]))
    low, high, clear, effective = np.transpose(rows)
    results[name] = {
        "readings": np.prod(plan),
        "5 %": np.median(low),
        "95 %": np.median(high),
        "sure of < 30": np.mean(clear),
        "effective size": np.median(effective),
        "one in 20 below": np.quantile(effective, 0.05),
    }
plan_table = pd.DataFrame(results).T
plan_table["width"] = plan_table["95 %"] - plan_table["5 %"]
plan_table.round(2)

# %% [markdown]
# Each of these studies is read alone, with REML's variances as the truth.
# But Ines would not forget her first study, and the truth may be another.
# So let what she knows today be the prior of the second study: weight today's draws by what the new mean squares say about them (their likelihood).
# Each study has an average of its own, so a gauge that shifts in between does no harm.
# For the truth take REML's variances, or draw it from today's posterior, 500 times each. (Then a share has a standard error of about 0.02.)


# %%
def refused_after(ms, plan, draws, above):
    """Return the probability of a % R&R above 30 after a further study, and the effective size."""
    ratios = {name: ms[name] / e for name, e in expected_squares(draws, plan).items()}
    df = degrees_of_freedom(*plan)
    log_weight = sum(0.5 * df[name] * (np.log(ratio) - ratio) for name, ratio in ratios.items())
    weight = np.exp(log_weight - log_weight.max())
    return weight[above].sum() / weight.sum(), weight.sum() ** 2 / (weight**2).sum()


known_today = shortcut.iloc[:30_000]
above, second = gauge_table(known_today)["% R&R"] > 30, np.random.default_rng([SEED, 3])
truths = known_today.sample(500, random_state=second).to_dict("records")
worlds = {"if REML is right": [classical.to_dict()] * 500, "over today's posterior": truths}
rows = {}
for name in ("operators: 10 x 9 x 3", "cheap: 10 x 6 x 2"):
    plan, row, effective = plans[name], {}, []
    for what, world in worlds.items():
        found = [new_study(truth, plan, second) for truth in world]
        after = [refused_after(new_ms, plan, known_today, above) for new_ms in found]
        refused, ess = np.transpose(after)
        row[f"sure of < 30, {what}"] = np.mean(refused < 0.05)
        effective += [*ess]
    rows[name] = row | {"one in 20 effective sizes below": np.quantile(effective, 0.05)}
sure = pd.DataFrame(rows).T
sure.round(2)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
apart = []  # the order of two studies must not matter
whole = gauge_table(shortcut)["% R&R"] > 30
for truth in truths[:12]:
    new_ms = new_study(truth, plan, second)
    first, _ = refused_after(new_ms, plan, shortcut, whole)
    draws = posterior_from(new_ms, plan, informed, second, 100_000)
    other, _ = refused_after(ms, today, draws, gauge_table(draws)["% R&R"] > 30)
    apart.append(abs(first - other))
assert np.mean(apart) < 0.01

many, few = sure.loc["operators: 10 x 9 x 3"], sure.loc["cheap: 10 x 6 x 2"]
assert few["sure of < 30, if REML is right"] > plan_table.loc["cheap: 10 x 6 x 2", "sure of < 30"]
assert (many - few)["sure of < 30, if REML is right"] > 0.05
assert (many - few)["sure of < 30, over today's posterior"] < 0.15

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "One horizontal interval of the percentage of gauge R and R for each of five plans, with the truth near 19 as a line and the limit of 30. Today's plan has a wide interval that crosses 30; nine repeats do not make it shorter. Thirty parts shorten it somewhat. Nine operators shorten it most, and it ends below 30; six operators with two repeats shorten it less, for fewer readings, and it ends above 30."}} tags=["hide-input"]
_, ax = plt.subplots(figsize=(8.5, 3))
for k, (_, row) in enumerate(plan_table.iterrows()):
    ax.plot([row["5 %"], row["95 %"]], [k, k], color=mlm.COLORS["estimate"], linewidth=4)
    ax.text(41, k, f"{row['readings']:.0f} readings", va="center", fontsize=9)
truth = gauge_table(reml)["% R&R"].iloc[0]
ax.axvline(truth, color=mlm.COLORS["truth"], label="truth of the simulation")
ax.axvline(30, color=mlm.COLORS["truth"], linestyle="--", label="refuse above 30")
ax.set(
    yticks=range(len(plans)),
    yticklabels=list(plans),
    xlabel="% R&R for any operator, typical 90 % interval",
    xlim=(8, 49),
    ylim=(len(plans) - 0.5, -0.5),
)
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

width = plan_table["width"]
assert width["operators: 10 x 9 x 3"] < 0.85 * width["today: 10 x 3 x 3"]
assert width["repeats: 10 x 3 x 9"] > 0.85 * width["today: 10 x 3 x 3"]
assert width["cheap: 10 x 6 x 2"] < width["repeats: 10 x 3 x 9"]
now, ends = plan_table.loc["today: 10 x 3 x 3"], plan_table.drop(index="today: 10 x 3 x 3")
assert 0.7 < width["parts: 30 x 3 x 3"] / now["width"] < 0.97
assert ends["5 %"].idxmax() == "parts: 30 x 3 x 3"
three_operators = ["repeats: 10 x 3 x 9", "parts: 30 x 3 x 3"]
assert ends.loc[three_operators, "95 %"].min() > ends["95 %"].drop(three_operators).max()

# %% [markdown]
# Repeats are cheap, and they buy next to nothing: the repeats' variance was known well enough already.
# Thirty parts shorten the interval somewhat: % R&R is a ratio, and parts are its other half.
# But its upper end, which decides about refusal, falls clearly only with more operators.
# Six operators with two repeats each, 120 readings, beat three operators with nine, 270.
# **Spend readings on the variance whose uncertainty widens your answer most: here the operators', which rests on two degrees of freedom.**
#
# ## Is the gauge fit for use?
#
# Ines can also make the gauge better without a new study. Three readings a module are affordable.
# First, how far from the three operators' average does each of them read, in hundredths of a degree per watt?

# %%
offset = mu_operator - mu_operator.mean("operator")
table = pd.DataFrame(offset.values, index=["Ana (A)", "Bo (B)", "Cem (C)"]).T
summary(table).round(1)

# %% [markdown]
# **Predict first.** All three by whoever is on duty, all three always by Bo, or one by each of the three?
# With one of these, the % R&R is more likely than not below 10.
# (All rows use Ines's prior, and hold for Ana, Bo and Cem.)


# %%
def ways_to_read(v):
    """Return the variances with each way of reading a module; `v` has a row a draw."""
    none, third = 0 * v["operator"], v["repeat"] / 3
    return {
        "as it is": v,
        "operators' offsets corrected": v.assign(operator=none),
        "3 readings by whoever is on duty": v.assign(repeat=third),
        "3 readings, always by Bo": v.assign(operator=none, repeat=third),
        "1 reading by each of the three": v.assign(operator=none, pair=v["pair"] / 3, repeat=third),
    }


decision = {name: gauge_table(draws) for name, draws in ways_to_read(informed_three).items()}
pd.DataFrame(
    {
        name: {
            "% R&R, median": table["% R&R"].median(),
            "below 10 (%)": 100 * (table["% R&R"] < 10).mean(),
            "above 30 (%)": 100 * (table["% R&R"] > 30).mean(),
            "% of tolerance, median": table["% of tolerance"].median(),
            "its chance below 10 (%)": 100 * (table["% of tolerance"] < 10).mean(),
        }
        for name, table in decision.items()
    }
).T.round(1)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Five histograms of the percentage of gauge R and R for these three operators, with the accept and refuse zones shaded. As it is, with corrected offsets, with three readings by whoever is on duty, and with three always by Bo: mostly between 10 and 30, the last nearest to 10. With one reading by each of the three: around 10, the larger part in the accept zone. A line in each marks the value from REML's variances, close to the middle of the histogram."}} tags=["hide-input"]
show_verdicts(decision, ways_to_read(reml_three))
plt.show()

median = {name: table["% R&R"].median() for name, table in decision.items()}
assert median["1 reading by each of the three"] < 10 < median["3 readings, always by Bo"]
assert median["3 readings, always by Bo"] < median["3 readings by whoever is on duty"] < median["as it is"]

# %% [markdown]
# How firm is the last row? Change what went into it: let the production have half of the parts' variance, as if the modules had been chosen to span the range, or give the parts' prior a narrower scale.


# %% jupyter={"source_hidden": true} tags=["hide-input"]
def two_answers(variance):
    each = gauge_table(ways_to_read(variance)["1 reading by each of the three"])["% R&R"] < 10
    anyone = gauge_table(variance)["% R&R"] > 30
    return {"the three once: below 10": each.mean(), "any operator: above 30": anyone.mean()}


v = informed_population
half = v.assign(part=v["part"] / 2)
answers = {"as above": two_answers(v), "half of the parts' variance": two_answers(half)}
for scale in (8, 5):
    narrower = dataclasses.replace(priors, mu_sd={"part": scale, "operator": 2, "pair": 2})
    drawn = posterior_from(ms, today, narrower, rng, 100_000)
    answers[f"parts' scale {scale}, not {priors.mu_sd:.0f}"] = two_answers(drawn)
answers = pd.DataFrame(answers).T
agreed = v.assign(operator=0.0, pair=0.0, repeat=v["repeat"] / 3)
low, agreed, high = gauge_table(agreed)["% of tolerance"].quantile([0.05, 0.5, 0.95])
print("if the average of the three is the true value, by agreement:", end=" ")
print(f"{agreed:.1f} % of tolerance, 90 % interval {low:.1f} to {high:.1f}")

once, anyone = answers.to_numpy().T
assert np.all(np.abs(once[[0, 1, 3]] - [0.675, 0.235, 0.53]) < [0.075, 0.065, 0.05])
assert np.all(np.abs(anyone[[0, 3]] - [0.165, 0.22]) < 0.04)
assert verdict(any_operator)["above 30"] > 1 / 3
assert verdict(decision["as it is"])["10 to 30"] > 0.9
assert 9.5 < decision["1 reading by each of the three"]["% of tolerance"].median() < 10.5
assert 5 < low < 5.7 < agreed < 6.7 < high < 8
answers.round(2)

# %% [markdown]
# This is what Ines tells the auditor.
#
# | who reads, and how | what she says | it rests on |
# |---|---|---|
# | Ana, Bo or Cem, as now | neither accepted nor refused: the % R&R very probably lies between 10 and 30 | ten modules that are a fair sample |
# | each of the three once, and the average counts | below the strict limit of 10 with a probability of about two thirds; little more than one half under the narrowest prior of the parts that she tried | the same, and her prior |
# | the same, if the modules were chosen to span the range | about one in four | the production having half their variance |
# | the same, in percent of the tolerance | right at 10, so nobody should promise that; about 6 if the average of the three *is* the true value, by agreement | that these modules show how hands and modules interact; not on how far modules differ |
# | any operator | refused with a probability of about one in six under her prior, more than one in three under the wide one, and nearly one half if the modules span the range as above | a fair sample, and her priors of operators and parts |
#
# So from now on each module is read once by each of the three.
# Their offsets are then the same for every module, and the variances of pairs and repeats fall to a third.
#
# Three readings by one operator cost the same and gain less.
# Whoever is on duty brings an offset and pairs, and both stay.
# Always the same operator removes the offset without any correction; her pairs stay.
# Correcting each operator's offset gains as little as three readings by whoever is on duty, and the table even treats the offsets as exactly known.
#
# Before a fourth operator uses the gauge, six *new* ones take part in a study of ten other modules, with two repeats.
# How often will that make her 95 % sure that the % R&R of any operator is below 30?
# With both studies: in 71 % of cases if REML's variances are true, and in 51 % over all that she knows today.
# Nine operators with three repeats take 270 readings instead of 120, and make it 84 % and 57 %: a clear gain in the first case, a small one in the second.
# In about one case in six, by her posterior, the true % R&R is above 30. Then a study should not make her sure that it is below. Where she is sure, she errs in fewer than one case in 20.
#
# And the 37 of this morning, beside two times 41?
# Ana reads somewhat less than a unit below the average of the three (the table of offsets). On this module, part 1, she is more than two units below, so her pair adds to it.
# That says how far she is from the others, and not who is right.
# A gauge study measures agreement, in the days of the study. For the truth it takes a part whose impedance is known.
#
# ## When spreads are not known
#
# `known_sigma` promised that one residual is enough, and that the scatter of repeats is all baseline.
# Without it, `mlm.cell_model(cells)` gives every part, operator and pair a spread of its own.
# Then the scatter of repeats is a sum of four variances, and as in [10](10_what_the_data_cannot_say.ipynb) the prior shares it out.
# The share of `sigma_baseline` is no discovery about the gauge: report the sum, and never the baseline alone.
#
# And one residual for all? Compare how far each operator's repeats of a part scatter.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
scatter = gauge.groupby(["operator", "part"])["impedance"].var().groupby("operator").mean()
print("variance of repeats within a pair:", scatter.round(2).to_dict())
alike = np.random.default_rng([SEED, 1]).chisquare(20, (100_000, 3))  # ten parts, two each
at_chance = np.quantile(alike.max(axis=1) / alike.min(axis=1), 0.95)
print(f"largest over smallest: {scatter.max() / scatter.min():.1f}", end="; ")
print(f"by chance above {at_chance:.1f} in 5 % of studies")
twice = alike * [1, 1, 2]
seen_if_twice = np.mean(twice.max(axis=1) / twice.min(axis=1) > at_chance)
print(f"an operator with twice the variance would be noticed in {seen_if_twice:.0%} of studies")
assert scatter.max() / scatter.min() < at_chance
assert seen_if_twice < 0.5

# %% [markdown]
# Nothing speaks against it, but the check is weak: each of these variances rests on 20 differences. (About 1/12 in each is due to rounding to whole units.)
#
# Can a model with free spreads say whether one operator's hand is less steady than another's?

# %%
contrast = {"A - B": {("operator", "A"): 1, ("operator", "B"): -1}}
free = mlm.identification(cells, contrasts=contrast)
without_pairs = mlm.identification(cells, known_sigma={"pair": 0}, contrasts=contrast)
fixed = {"all spreads free": free["spreads"], "spread of pairs zero": without_pairs["spreads"]}
pd.DataFrame(fixed).loc[["A - B"]]

# %% [markdown]
# Not while pairs have spreads of their own: every pair belongs to one operator, so an operator's spread and those of her pairs can trade.
# Without the pairs' spreads a *difference* of two operators' variances is fixed, because all other variances are the same on both sides.
#
# ## Nested: when label "a" is not always the same
#
# Down the hall a laboratory tests the strength of a chemical paste.
# It comes in batches of casks. Three casks of each batch are tested, each twice.
# (The readings are those of Davies and Goldsmith 1972.)
# A cask belongs to one batch: casks are *nested* in batches.

# %%
paste = mlm.load_paste()
paste.head(8)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Strength of the paste for ten batches, three casks in each, two tests of each cask joined by a line. The two tests of a cask lie close together; casks of one batch lie up to several units apart, and no letter a, b or c is high or low throughout."}} tags=["hide-input"]
_, ax = plt.subplots(figsize=(9, 3.8))
batches = sorted(paste["batch"].unique())
for shift, (cask, (marker, color)) in zip((-0.22, 0, 0.22), zip("abc", styles.values(), strict=True), strict=True):
    for k, batch in enumerate(batches):
        values = paste.loc[(paste["batch"] == batch) & (paste["cask"] == cask), "strength"]
        label = f"cask {cask}" if k == 0 else None
        ax.plot([k + shift] * 2, values, "-", marker=marker, color=color, markersize=4, label=label)
ax.set(xticks=range(10), xticklabels=batches, xlabel="batch", ylabel="strength of the paste (units of the test)")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# The column `cask` says a, b, c in every batch, but cask a of batch A and cask a of batch B have nothing in common.
# Whoever uses that column as a layer says that they do.
# This is *implicit nesting*; the column `sample` has a label of its own for every cask.
#
# **Predict first.** The laboratory asks: is our test imprecise? Take batch and cask for the layers, as the columns say, and see how much variance is left to the test. Then give every cask a label of its own. How much is left now?


# %%
as_gauge = {"strength": "impedance", "batch": "part", "cask": "operator"}
found, df = mean_squares(paste.rename(columns=as_gauge))


def paste_variances(pair):
    """Return classical intervals and REML's variances; batch with letter counts as `pair`."""
    rows = pd.DataFrame({"df": df, "total": {name: df[name] * found[name] for name in df}})
    row_of = {"part": "batch", "operator": "cask", "pair": pair, "repeat": "test"}
    rows = rows.groupby(row_of).sum()

    def solve(divisors):
        batch, cask, test = (rows["total"].to_numpy() / divisors).T
        below, tests = (cask, 2) if pair == "cask" else (test, 20)  # tests of a cask, of a letter
        columns = {"batch": (batch - below) / 6, "cask": (cask - test) / tests, "test": test}
        return pd.DataFrame(columns).clip(lower=0)

    size = (100_000, 3)
    draws = solve(np.random.default_rng([SEED, 4]).chisquare(rows["df"], size))
    reml = solve(rows[["df"]].to_numpy().T).loc[0]
    return summary(draws).drop(columns="median").assign(REML=reml)


letters, casks = paste_variances("test"), paste_variances("cask")
both = {"labels as written": letters, "a label for each cask": casks}
pd.concat(both, axis=1).round(2)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
from_program = [1.66, 8.43, 0.68]  # REML by lme4, see mlm.load_paste
assert np.allclose(casks["REML"], from_program, rtol=0, atol=0.005)
assert 8 < letters.loc["test", "REML"] / casks.loc["test", "REML"] < 13
assert letters.loc["test", "5 %"] > 4 * casks.loc["test", "95 %"]
assert letters.loc["cask", "REML"] < 0.1 * letters.loc["test", "REML"]
assert casks.loc["cask", "5 %"] > 4 * casks.loc["test", "95 %"]
assert casks.loc["batch", "5 %"] < casks.loc["test", "REML"] < casks.loc["batch", "95 %"]

# %% [markdown]
# Both halves of the table come from the same four mean squares, added up in two ways.
# With the labels as written REML's variance of the test is some ten times as large, and that of casks, which are letters there, next to nothing: what differs between the casks of a batch is counted with the test.
# The laboratory would buy a new instrument, and the paste would stay as it is.
# With a label for each cask, the casks of one batch differ far more than two tests of one cask. Whether batches differ more than tests these readings do not say: look at the batches' interval.
#
# The sampler's checks would not tell you, because the arithmetic is right either way.
# A look at the cells tells, before any fit:

# %%
repeated = mlm.cell_statistics(paste, total="strength", layers=["batch", "cask"])
for note in mlm.identification(repeated).attrs["notes"]:
    print(note.replace(". ", ".\n"))


# %% [markdown]
# The cells miss the sum of batch and letter by far. No program can say why: casks that share only a letter, or letters that act differently in each batch.
# So ask whoever wrote the labels, and give each contributor one of its own: `paste["batch"] + ":" + paste["cask"]`. (Exercise 14.4 fits such a table.)
# (In the gauge study, operator A is the same person on every part. There the crossed layers are right, and the note stays away because the pairs are in the model.)
#
# ## Check yourself
#
# The quiz asks about ideas.
# The [exercises](exercises/14_exercises.ipynb) let you use them, from easy to hard, and tell you at once whether you are right.
# Do you have a study of your own as a CSV file? [Take it apart in the browser](../book/apart.md): the classical model, with intervals, and nothing leaves your machine.

# %%
mlm.quiz("14")

# %% [markdown]
# ## What to remember
#
# - Name the layers before you fit. Crossed layers meet in all combinations; a nested contributor belongs to one other. Labels that repeat in every group may hide nesting: ask, and make them unique.
# - A variance among the contributors in the table is one thing, and that of the population another. REML estimates the second; without an interval it hides how little three operators say.
# - Where one layer refines another (casks in batches, pairs of part and operator), pool. Fixed scales split what the data leave open, and the run looks healthy.
# - `known_sigma={layer: 0}` gives the classical model. With free spreads, report sums of variances, not the baseline alone.
# - Compute every ratio draw by draw, then summarize. A decision needs the probability of being on the right side of a limit.
# - Spend readings on the variance whose uncertainty widens your answer most.
#
# ## Going further
#
# - Houf, R. E. and Berman, D. B. (1988). Statistical analysis of power module thermal test equipment performance. *IEEE Transactions on Components, Hybrids, and Manufacturing Technology* 11(4), 516-520. [doi:10.1109/33.16692](https://doi.org/10.1109/33.16692)
# - Burdick, R. K., Borror, C. M. and Montgomery, D. C. (2005). *Design and Analysis of Gauge R&R Studies: Making Decisions with Confidence Intervals in Random and Mixed ANOVA Models*. SIAM and ASA. [doi:10.1137/1.9780898718379](https://doi.org/10.1137/1.9780898718379)
# - SAS Institute. The VARCOMP procedure, example "Using the GRR method": the same readings and limits, with confidence limits to compare with. [Documentation](https://go.documentation.sas.com/doc/en/statcdc/14.2/statug/statug_varcomp_examples02.htm)
# - Searle, S. R., Casella, G. and McCulloch, C. E. (1992). *Variance Components*. Wiley. [doi:10.1002/9780470316856](https://doi.org/10.1002/9780470316856)
# - Gelman, A. (2006). Prior distributions for variance parameters in hierarchical models. *Bayesian Analysis* 1(3), 515-534. [doi:10.1214/06-BA117A](https://doi.org/10.1214/06-BA117A). On groups as few as three.
# - Davies, O. L. and Goldsmith, P. L. (1972). *Statistical Methods in Research and Production*, 4th edition. Oliver and Boyd. Casks in batches, in chapter 6.
# - What is a gage R&R study? Minitab's page with the limits of the AIAG handbook. [Support page](http://support.minitab.com/en-us/minitab/17/topic-library/quality-tools/measurement-system-analysis/gage-r-r-analyses/what-is-a-gage-r-r-study/)

# %%
print(mlm.version_line())
