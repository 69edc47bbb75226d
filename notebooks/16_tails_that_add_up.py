# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 16 Tails that add up
#
# Mara books journeys.
# Her customers land, and an hour after the hour on the ticket their train leaves.
# "How often does a flight lose an hour on its way?" she asks you. "Once in a hundred flights I can live with. Once in ten thousand I can forget."
#
# You have a model of flights from New York, with the right average and the right spread, which passed every check of the sampler.
# [15](15_flights.ipynb) ended with a warning: do not ask it this question.
# In this notebook you build one that you may ask.
#
# **You will learn**
#
# 1. to see a tail that is too short although mean and spread are right, and to say by what factor;
# 2. to draw contributions that are skewed and heavy-tailed, and whose sums have a shape of the same kind;
# 3. to teach PyMC a function for which it has no compiled code, and to test it;
# 4. to fit totals with tails from counts of distinct totals;
# 5. to take a total with tails apart, and to judge the new model on days that it has not seen.
#
# **You need** [04](04_custom_distribution.ipynb) for a distribution of your own, [09](09_integrating_out.ipynb) for cells, [12](12_decomposing_a_total.ipynb) for the parts of a total, [15](15_flights.ipynb) for the flights.
#
# **Time** 40 minutes to read, between one and two minutes to run.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
from scipy import integrate, special, stats

import mlm_tutorial as mlm

SEED = mlm.notebook_seed(1977)
rng = np.random.default_rng(SEED)
mlm.use_style()

# %% [markdown]
# ## A model that is right on average
#
# As in 15, half of the days are put aside, and no fit sees them.
# Two layers are enough for Mara's question: the carrier and the airport.

# %%
flights = mlm.load_flights()
total, layers = "minutes_lost", ["carrier", "origin"]
flights["date"] = pd.to_datetime({"year": 2013, "month": flights["month"], "day": flights["day"]}).dt.strftime(
    "%Y-%m-%d"
)
dates = np.sort(flights["date"].unique())
put_aside = rng.choice(dates, size=182, replace=False)
unseen = flights[flights["date"].isin(put_aside)]
seen = flights.drop(unseen.index)

cells = mlm.cell_statistics(seen, total, layers)
normal = mlm.sample(mlm.cell_model(cells), seed=SEED, draws=1000)
mlm.check_convergence(normal)

# %% [markdown]
# What does this model expect of the flights that it has not seen?
# Draw a flight for each of them, many times, and compare.


# %%
def drawn(fit, n=100_000):
    """Return draws of flights with the carriers and airports of the unseen ones: cells in columns, and their counts."""
    kinds = unseen.groupby(layers, observed=True).size().reset_index(name="flights")
    known = kinds["carrier"].isin(fit["posterior"]["carrier"].values)
    kinds = kinds[known]
    draws = mlm.predict(fit, kinds, layers, draws=n, rng=SEED)["draws"].values
    return draws, kinds["flights"].to_numpy()


def share_beyond(draws, flights_of, minutes):
    """Return the share of flights that lose more than so many minutes."""
    return np.average((draws > minutes).mean(axis=0), weights=flights_of)


normal_draws, flights_of = drawn(normal)
weights = np.repeat(flights_of[None], len(normal_draws), axis=0)
mean = np.average(normal_draws, weights=weights)
sd = np.sqrt(np.average((normal_draws - mean) ** 2, weights=weights))
pd.DataFrame(
    {"unseen flights": [unseen[total].mean(), unseen[total].std()], "the model": [mean, sd]},
    index=["average", "standard deviation"],
).round(1)

# %% [markdown]
# Average and standard deviation fit, on days that the model never saw.
#
# **Predict first.** An hour is a bit less than four standard deviations above the average. Is the model's share of flights that lose an hour right, too large, or too small? By a factor of two, ten, a hundred?

# %%
HOUR = 59.5  # totals are whole minutes: an hour or more
observed = (unseen[total] > HOUR).mean()
in_normal = share_beyond(normal_draws, flights_of, HOUR)
print(f"of 10,000 unseen flights {10_000 * observed:.0f} lost an hour or more")
print(f"the normal model expects {10_000 * in_normal:.1f}: too few by a factor of {observed / in_normal:.0f}")

# %% jupyter={"source_hidden": true} tags=["hide-input"]
assert abs(mean - unseen[total].mean()) < 1.5
assert abs(sd / unseen[total].std() - 1) < 0.1
assert observed / in_normal > 5

# %% [markdown]
# With a normal model Mara would forget the risk. It is not one to forget.
# No prior and no further layer of normal contributions repairs that: their sum is normal, and a normal with this spread has no more to give.
#
# ## A shape that survives addition
#
# So take another shape for the totals, one that leans to the right and has a long tail?
# There are many, and some fit well.
# But this course is about *parts*.
# A total is a sum, and most shapes do not survive a sum: add two exponential variables, and the result is not exponential.
# Then nobody can say which parts the total came from.
#
# What you want is a family of shapes that is closed under addition, as the normal family is.
# Here is one, built from a story.
#
# Every contribution meets a random amount of *trouble* $Z$, which is never negative.
# Given its trouble it is normal, with variance $Z$; and trouble costs time, $\beta$ minutes for each unit of it.
#
# $$ y = m + \beta\,(Z - E[Z]) + \sqrt{Z}\,\varepsilon, \qquad \varepsilon \sim \text{Normal}(0, 1) $$
#
# Add two such contributions. The variances add, $Z = Z_1 + Z_2$, and so do the means.
# If trouble itself has a shape that survives addition, so has the contribution.
# The *inverse Gaussian* is such a shape: the time that a drifting random walk needs to reach a line.
# Two lines one after the other take the sum of two times.
#
# The result is the [normal-inverse-Gaussian](../book/glossary.md) family (Barndorff-Nielsen 1977, 1997).
# Each contribution keeps its own mean $m$ and variance $v$.
# Two numbers are shared by all, or addition would not work:
# the skewness $\rho$ between $-1$ and $1$, and the tail weight $\kappa$, in minutes.
# If $\kappa$ goes to zero, trouble no longer varies, and you are back at the normal.


# %%
def contribution(mean, variance, rho, kappa, size):
    """Draw contributions with this mean and variance; skewness and tail weight are shared."""
    rest = 1 - rho**2
    trouble = rng.wald(variance * rest, (variance / kappa) ** 2 * rest, size=size)  # NumPy's inverse Gaussian
    beta = rho / (kappa * rest)
    return mean + beta * (trouble - variance * rest) + np.sqrt(trouble) * rng.normal(size=size)


rho, kappa, size = 0.5, 12.0, 200_000
airport = contribution(2, 60, rho, kappa, size)
carrier = contribution(-8, 240, rho, kappa, size)
both = airport + carrier
at_once = contribution(-6, 300, rho, kappa, size)
shape = {name: [x.mean(), x.var(), stats.skew(x)] for name, x in (("sum of both", both), ("drawn at once", at_once))}
pd.DataFrame(shape, index=["average", "variance", "skewness"]).round(2)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Four histograms as lines on a logarithmic axis. The airport's contribution is narrow and leans to the right with a long tail; the carrier's is wider. Their sum and the total that was drawn at once lie on each other from minus 60 to plus 130 minutes. A dashed normal curve with the same mean and variance ends far before them on the right."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(8, 4))
bins = np.arange(-90, 160, 5)
middle = (bins[1:] + bins[:-1]) / 2
styles = [
    ("airport", airport, mlm.COLORS["alternative"], "-", 1.2),
    ("carrier", carrier, mlm.COLORS["data"], "-", 1.2),
    ("sum of both", both, mlm.COLORS["estimate"], "-", 4),
    ("drawn at once", at_once, mlm.COLORS["truth"], ":", 2),
]
for name, x, color, line, width in styles:
    height = np.histogram(x, bins)[0] / len(x) / 5
    ax.plot(middle, np.where(height > 0, height, np.nan), line, color=color, lw=width, label=name)
ax.plot(
    middle, stats.norm.pdf(middle, -6, np.sqrt(300)), "--", color="0.4", lw=1, label="normal, same mean and variance"
)
ax.set(yscale="log", ylim=(1e-5, 0.2), xlabel="minutes lost", ylabel="density (log scale)")
ax.legend()
plt.show()

# Two samples of one distribution: a Kolmogorov-Smirnov test with a false alarm in a million runs.
assert stats.ks_2samp(both, at_once).pvalue > 1e-6
assert stats.ks_2samp(both, rng.normal(-6, np.sqrt(300), size)).pvalue < 1e-30

# %% [markdown]
# The sum of two is what you draw at once if you add their means and their variances.
# So all that you know about means, variances and cells stays true, with two numbers more.
# `mlm.LayeredSum.simulate` takes them as `skewness` and `tail_weight`.
#
# ## A function that PyMC cannot compile
#
# The family has a density in closed form. With $\alpha = 1/(\kappa(1-\rho^2))$ and $\beta = \rho\,\alpha$, and for a total with mean $M$ and variance $V$,
#
# $$ \log f(x) = \log\frac{\alpha\,\delta}{\pi\,q} + \delta\gamma + \beta\,(x - c) + \log K_1(\alpha q), \qquad q = \sqrt{\delta^2 + (x-c)^2}, $$
#
# where $\gamma = \alpha\sqrt{1-\rho^2}$, $\delta = V\gamma^3/\alpha^2$ and $c = M - \delta\beta/\gamma$.
# Everything in it is elementary except $K_1$, a *modified Bessel function*.
# SciPy has it, and PyTensor can call SciPy. But nutpie wants compiled code, for the value and for the gradient, so you write it with PyTensor's elementary operations.
#
# A definition that can be typed is an integral:
#
# $$ K_1(z) = \int_0^\infty e^{-z\cosh t}\,\cosh t\;dt $$
#
# For large $z$ it is as small as $e^{-z}$, too small for a computer, so compute $\log\big(e^z K_1(z)\big)$: the exponent becomes $-z(\cosh t - 1)$.
# And the plainest rule for integrals, the trapezoidal one, is nearly exact here, because the integrand is smooth and dies out at both ends (Trefethen and Weideman 2014).


# %%
def log_k1e(z):
    """Logarithm of exp(z) K_1(z), by the trapezoidal rule, with PyTensor's operations."""
    step = 0.05
    t = np.arange(0, 10, step)
    weight = np.where(t == 0, 0.5, 1.0) * step * np.cosh(t)
    return pt.log(pt.sum(weight * pt.exp(-z[..., None] * (np.cosh(t) - 1)), axis=-1))


z = pt.dvector("z")
value = pm.compile([z], [log_k1e(z), pt.grad(log_k1e(z).sum(), z)], mode="FAST_COMPILE")
points = np.geomspace(0.01, 100, 200)
ours, slope = value(points)
by_scipy = np.log(special.kve(1, points))
slope_by_scipy = 1 - special.kve(0, points) / special.kve(1, points) - 1 / points
print(f"largest error of the logarithm: {np.abs(ours - by_scipy).max():.0e}")
print(f"largest relative error of its slope: {np.abs(slope / slope_by_scipy - 1).max():.0e}")
assert np.abs(ours - by_scipy).max() < 1e-10
assert np.abs(slope / slope_by_scipy - 1).max() < 1e-8

# %% [markdown]
# A function of your own gets a test before it gets data: its value and its slope, against somebody else's, over the whole range.
# Flights need $z$ from about 1 to 20, and the test goes further at both ends.
# (Not as far as you like: at $z = 1000$ the integrand is a narrow peak, and steps of 0.05 are too coarse for it. Try it.)
#
# Now the density. It is a sum of the terms above, and its test is that it is one: it integrates to one, and has the mean and the variance that it was given.


# %%
def log_density(x, mean, variance, rho, kappa, log_k1e):
    """Log density of a normal-inverse-Gaussian total, in the same letters as above."""
    alpha = 1 / (kappa * (1 - rho**2))
    beta, gamma = rho * alpha, alpha * np.sqrt(1 - rho**2)
    delta = variance * gamma**3 / alpha**2
    away = x - (mean - delta * beta / gamma)
    q = np.sqrt(delta**2 + away**2)
    return np.log(alpha * delta / (np.pi * q)) + delta * gamma + beta * away + log_k1e(alpha * q) - alpha * q


def log_k1e_of_scipy(z):
    return np.log(special.kve(1, z))


def moment(k):
    """Return the k-th moment of a total with mean -6 and variance 300, by integration."""

    def weighted(x):
        return x**k * np.exp(log_density(x, -6, 300, rho, kappa, log_k1e_of_scipy))

    return integrate.quad(weighted, -400, 800, limit=500)[0]


moments = [moment(k) for k in range(3)]
print(f"total probability {moments[0]:.6f}, mean {moments[1]:.4f}, variance {moments[2] - moments[1] ** 2:.3f}")
assert np.allclose(moments, [1, -6, 336], rtol=1e-5)

# %% [markdown]
# With your `log_k1e` in place of SciPy's, the same lines make a density for `pm.CustomDist`.
# The package has it as a distribution, `mlm.NormalInverseGaussian`, whose $K_1$ is a polynomial where yours is a sum over 200 points, and so is faster. They agree:

# %%
x = pt.as_tensor(np.linspace(-80, 150, 47))
written = log_density(x, -6.0, 300.0, rho, kappa, log_k1e)
built_in = pm.logp(mlm.NormalInverseGaussian.dist(mu=-6, sigma=np.sqrt(300), skewness=rho, tail_weight=kappa), x)
difference = (written - built_in).eval(mode="FAST_COMPILE")
print(f"largest difference of the two log densities: {np.abs(difference).max():.0e}")
assert np.abs(difference).max() < 1e-8

# %% [markdown]
# ## Count, then fit
#
# In a normal model three numbers said all about a cell.
# With tails they do not: the far flights count.
# But minutes are whole numbers, so of the flights of one cell many lost exactly the same.
# It is enough to know *how many flights lost how much*.
# (To save you a minute, minutes are put into bins of three. Each bin is represented by the average of its flights.)

# %%
counts = mlm.count_totals(seen, total, layers, width=3)
print(counts)
tails = mlm.sample(mlm.tail_model(counts), seed=SEED, draws=1000)
print(f"compiled in {tails.attrs['compile_seconds']:.0f} s, sampled in {tails.attrs['sampling_seconds']:.0f} s")
mlm.check_convergence(tails)

# %%
posterior = tails["posterior"]
shape = {"skewness": posterior["skewness"], "tail weight (minutes)": posterior["tail_weight"]}
pd.DataFrame({name: [float(x.mean()), float(x.std())] for name, x in shape.items()}, index=["mean", "sd"]).T.round(3)

# %% [markdown]
# Trouble costs time: the skewness is positive, and known to a percent or so.
#
# **Predict first.** The tail was wrong by a large factor. By how much will the carriers' *means* move, now that it is right?

# %%
means = pd.DataFrame(
    {
        name: fit["posterior"]["mu_carrier"].mean(("chain", "draw")).to_series()
        for name, fit in (("normal", normal), ("tails", tails))
    }
)
means["moved"] = means["tails"] - means["normal"]
means["flights"] = pd.Series(cells.counts("carrier"), index=list(cells.labels["carrier"]))
means.sort_values("flights", ascending=False).round(2)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
often = means["flights"] > 1_000
print(f"carriers with more than 1,000 flights moved by {means.loc[often, 'moved'].abs().max():.1f} minutes at most")
assert means.loc[often, "moved"].abs().max() < 1.5
assert 0 < float(posterior["skewness"].mean()) < 1

# %% [markdown]
# Hardly at all.
# An average of thousands of flights does not care about the shape of its rows.
# That is why 15 could say what it said about carriers, and why it could say nothing about Mara's hour.
#
# ## The figure for Mara

# %% mystnb={"image": {"alt": "Share of flights that lose at least so many minutes, for 0 to 120 minutes, on a logarithmic axis. Dots, the unseen flights, fall in a nearly straight line from one in three at zero to one in some 3,000 at 120. The line of the model with tails follows them closely up to 70 minutes and lies a little below them further out. The line of the normal model bends down: it crosses the dots at 20 minutes and at an hour is at one in some 5,000, where the dots are at one in 150."}}
tail_draws, _ = drawn(tails)
minutes = np.arange(0, 121, 5)
fig, ax = plt.subplots(figsize=(8, 4.2))
for name, draws, color in (("normal model", normal_draws, "alternative"), ("model with tails", tail_draws, "estimate")):
    ax.plot(
        minutes, [share_beyond(draws, flights_of, m - 0.5) for m in minutes], color=mlm.COLORS[color], lw=2, label=name
    )
ax.plot(
    minutes,
    [(unseen[total] >= m).mean() for m in minutes],
    "o",
    color=mlm.COLORS["truth"],
    label="flights of 182 unseen days",
)
ticks = {
    1 / 3: "1 in 3",
    1 / 10: "1 in 10",
    1 / 100: "1 in 100",
    1 / 1_000: "1 in 1,000",
    1 / 10_000: "1 in 10,000",
    1e-5: "1 in 100,000",
}
ax.set(yscale="log", ylim=(5e-6, 0.6), xlabel="minutes lost, at least")
ax.set_yticks(list(ticks), list(ticks.values()))
ax.minorticks_off()
ax.axvline(60, color="0.7", lw=1)
ax.set_title("How often does a flight lose an hour?", loc="left")
ax.legend()
plt.show()

in_tails = share_beyond(tail_draws, flights_of, HOUR)
print("flights in 10,000 that lose an hour or more:")
print(f"    unseen days {10_000 * observed:.0f}, with tails {10_000 * in_tails:.0f}, normal {10_000 * in_normal:.1f}")

# %% jupyter={"source_hidden": true} tags=["hide-input"]
assert 0.6 < in_tails / observed < 1.6

# %% [markdown]
# Mara gets her number, and it is nearer to one in a hundred than to one in ten thousand.
# (Further out even this line falls short: at two hours the flights are about twice as many. One shape for all days is not quite enough, as the end of this notebook shows.)
#
# ## Judged flight by flight
#
# One number at one hour may be luck.
# A sharper judge is the density that each model gave to what then happened, as in [08](08_checking_a_model.ipynb): the logarithm, summed over the unseen flights.
# Flights of one day share their weather, so the standard error counts days, not flights.

# %%
judged = unseen[unseen["carrier"].isin(list(cells.labels["carrier"]))]
few = {name: fit.isel(draw=slice(None, None, 20)) for name, fit in (("normal", normal), ("tails", tails))}
gain = (
    mlm.log_predictive_density(few["tails"], judged, total, layers).values
    - mlm.log_predictive_density(few["normal"], judged, total, layers).values
)
by_day = pd.Series(gain).groupby(judged["date"].to_numpy()).agg(["sum", "size"])
per_flight = by_day["sum"].sum() / by_day["size"].sum()
left = by_day["sum"] - per_flight * by_day["size"]
error = np.sqrt((left**2).sum()) / by_day["size"].sum()
print(f"gain of log density in 1,000 flights: {1_000 * per_flight:.0f}, standard error {1_000 * error:.0f} (days)")
print(f"better on {np.mean(by_day['sum'] > 0):.0%} of {len(by_day)} days")
assert per_flight > 5 * error
assert np.mean(by_day["sum"] > 0) > 0.75

# %% [markdown]
# The gain is not made by a handful of days: on six days of seven the model with tails is the better one.
#
# ## The same parts, with less certainty
#
# Take the flight apart that lost most.
# In 12 the expected part was the contributor's mean and its share of the surprise, $m_j + \frac{v_j}{V}(x - M)$.
#
# **Predict first.** What becomes of this formula with tails, and what of the standard deviation of a part?

# %%
worst = seen.loc[[seen[total].idxmax()]]
split = {name: mlm.decompose(fit, worst, total, layers) for name, fit in (("normal", normal), ("tails", tails))}
table = {(name, what): parts[what].values[0] for name, parts in split.items() for what in ("mean", "sd")}
flight = worst.iloc[0]
print(f"{flight['carrier']}, {flight['origin']} to {flight['dest']} on {flight['date']}: {flight[total]:+.0f} minutes")
pd.DataFrame(table, index=split["normal"]["component"].values).round(1)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
assert np.allclose(split["tails"]["mean"].sum("component"), worst[total])
assert (split["tails"]["sd"].sel(component=layers) > split["normal"]["sd"].sel(component=layers)).all()

# %% [markdown]
# The formula is the same, and the numbers differ only as far as the estimated variances do.
# All contributions are pieces of one random walk, and a piece of the road takes its share of the way, whatever the steps look like.
# The standard deviations are larger.
# A flight that lost hours met much trouble, and trouble is variance: where it was met is less certain than a normal model believes.
# And what [10](10_what_the_data_cannot_say.ipynb) said about splits stays true: how much of the spread is the road's and how much the carrier's is the prior's word.
#
# ## What is still wrong
#
# The model has one shape for all flights of a carrier at an airport.
# Ask the unseen flights whether the hour of the day matters:

# %%
part_of_day = pd.cut(unseen["hour"], [-1, 11, 16, 24], labels=["morning", "afternoon", "evening"])
by_part = (unseen[total] > HOUR).groupby(part_of_day, observed=True).agg(["mean", "size"])
pd.DataFrame({"lost an hour, in 10,000": (10_000 * by_part["mean"]).round(), "flights": by_part["size"]})

# %% jupyter={"source_hidden": true} tags=["hide-input"]
late = by_part["mean"]
print(f"evening against morning: {late['evening'] / late['morning']:.1f} times as often")
assert late["evening"] > 1.5 * late["morning"]

worst_days = (unseen[total] > HOUR).groupby(unseen["date"]).sum().sort_values(ascending=False)
share = worst_days.head(18).sum() / worst_days.sum()
print(f"a tenth of the days had {share:.0%} of the flights that lost an hour")
assert share > 0.3

# %% [markdown]
# A ticket for the morning is another ticket.
# And lost hours come together: a few days with thunderstorms have a large part of them.
# The model says how often an hour is lost *on average over the year*, and there it is right.
# For tomorrow evening it needs the day and the hour, as layers (15 has the day), and a skewness that may differ between them, for which this family has no closed form.
#
# ## Check yourself
#
# The quiz asks about ideas.
# In the [exercises](exercises/16_exercises.ipynb) you draw contributions with tails, compute how often a limit is passed, write $K_1$ another time, and fit a table of your own.

# %%
mlm.quiz("16")

# %% [markdown]
# ## What to remember
#
# - A model can have the right average and the right spread, converge, and be wrong about rare totals by a large factor. Ask it for the quantity that you will act on, on data that it has not seen.
# - Normal contributions give normal sums. To keep the parts, choose a shape that survives addition.
# - In the normal-inverse-Gaussian family means and variances add, and two numbers of shape are shared. The normal is a limit.
# - A new function gets a test before it gets data: value and slope, over the whole range, against an independent one.
# - Means hardly move when the tail is repaired. Tail probabilities do.
# - The expected parts of a total follow the same formula. Their uncertainty grows where the total is far out.
#
# ## Going further
#
# - O. E. Barndorff-Nielsen (1997), *Normal inverse Gaussian distributions and stochastic volatility modelling*, Scandinavian Journal of Statistics 24, 1-13, [doi:10.1111/1467-9469.00045](https://doi.org/10.1111/1467-9469.00045). The family and its sums.
# - L. N. Trefethen and J. A. C. Weideman (2014), *The exponentially convergent trapezoidal rule*, SIAM Review 56, 385-458, [doi:10.1137/130932132](https://doi.org/10.1137/130932132). Why so plain a rule is so exact.
# - C. Ribeiro and N. Webber (2003), *A Monte Carlo method for the normal inverse Gaussian option valuation model using an inverse Gaussian bridge*. How a total's trouble is shared among its parts.

# %%
print(mlm.version_line())
