# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 15 Flights
#
# On Sunday, 14 July 2013, the 924 flights from New York whose arrival is known made up 22 minutes each, on average.
# Eight days later, on a Monday, 858 such flights lost 16, and 142 more were in the timetable: cancelled or diverted.
# Same carriers, same airports, same month.
#
# You have a ticket. To guess how many minutes your flight will lose or make up, you may ask one question.
# Would you rather know its carrier, the airport that it leaves from, its month, or its day (that is, how the day went for everybody)?
# Write down an order before you read on.
#
# Notebook [02](02_a_first_fit.ipynb) asked at dinner which carrier loses least time, and left one thing open: flights of a week are not independent.
# Here you have all 327,346 flights of the year whose arrival is known, and you finish the story.
# The timetable, which this course does not carry, has 9,430 more: most were cancelled, many of these on bad days. So every number here is about a flight that arrives.
#
# **You will learn**
#
# 1. to reduce a large table to cells, to see before the fit what its design can tell, and to fit it with pooling;
# 2. to find out with a check that can fail whether rows share something that the model does not know;
# 3. to add a layer for what they share, and to say whose intervals it widens and whose it does not;
# 4. to predict groups that were not seen, and to count how often such predictions hold;
# 5. to split a single total into parts, to ask what is left of a difference at equal distance, and to say what may be claimed and what may not.
#
# **You need** [09](09_integrating_out.ipynb) for cells, [10](10_what_the_data_cannot_say.ipynb) for what a design fixes, [12](12_decomposing_a_total.ipynb) for the parts of a total, [13](13_partial_pooling.ipynb) for pooling.
#
# **Time** 45 minutes to read, between one and two minutes to run.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy import stats

import mlm_tutorial as mlm

SEED = mlm.notebook_seed(2013)
rng = np.random.default_rng(SEED)
mlm.use_style()

# %% [markdown]
# ## A minute lost is measured against a timetable
#
# A flight leaves `dep_delay` minutes late and arrives `arr_delay` minutes late.
# The difference is what it lost on the way, `minutes_lost`; a negative number is time made up.
# Both delays are taken at the gate, so taxiing counts.
# The carrier writes the timetable, so one that plans generously makes up time without flying faster.

# %% tags=["nbval-check-output"]
flights = mlm.load_flights()
airlines = mlm.load_airlines().str.replace(r" (Inc\.|Co\.|Corporation)$", "", regex=True)
total = "minutes_lost"
flights["date"] = pd.to_datetime({"year": 2013, "month": flights["month"], "day": flights["day"]}).dt.strftime(
    "%Y-%m-%d"
)
two_days = flights[flights["date"].isin(["2013-07-14", "2013-07-22"])]
print(f"{len(flights):,} flights on {flights['date'].nunique()} days")
print(f"average {flights[total].mean():.1f} minutes, standard deviation {flights[total].std():.1f}")
two_days.groupby("date")[total].agg(["size", "mean"]).round(1)

# %% [markdown]
# Put half of the days aside before you look any further.
# No fit sees them: they are [held out](../book/glossary.md), and will be the judge.

# %%
dates = np.sort(flights["date"].unique())
put_aside = rng.choice(dates, size=182, replace=False)
unseen = flights[flights["date"].isin(put_aside)].sort_values("date", kind="stable")
seen = flights.drop(unseen.index)
print(f"{len(seen):,} flights on {seen['date'].nunique()} days to learn from")
print(f"{len(unseen):,} flights on {unseen['date'].nunique()} days to judge by")

# %% [markdown]
# ## What the table can tell is known before the fit
#
# The first model has three layers: carrier, airport of origin, month.
# Flights that share all three form a [cell](../book/glossary.md).
# Count, mean and sum of squares of each cell are all that a normal model needs ([09](09_integrating_out.ipynb)).

# %%
by_month = ["carrier", "origin", "month"]
cells = mlm.cell_statistics(seen, total, by_month)
print(cells)
mlm.identification(cells)[["means", "spreads"]]

# %% [markdown]
# Most carriers fly in every month and many from several airports, so all contributors are tied together: the layers are *crossed and connected*.
# That suggests that the data fix the means, and the rank confirms it (column `means`). For two layers, to be connected is enough; for three or more it may not be.
# How a flight's spread is shared among the layers is not fixed, as in [10](10_what_the_data_cannot_say.ipynb); only the difference of two carriers' variances is.
#
# Not every table is so kind.
# Add the date beside the month and look again.

# %%
nested = mlm.identification(mlm.cell_statistics(seen, total, [*by_month, "date"]))
print(nested.loc["month", "because"].split(" Spreads")[0])
assert not nested.loc[["month", "date"], "means"].any()
nested[["means", "spreads"]]

# %% [markdown]
# Each date lies in one month: it is *nested* in the month.
# What all days of July have in common can be July's or theirs, and no flight decides it.
# (The baseline is not fixed either: months have unequal numbers of these days.)
# So "means are fixed, spreads are not" is not a rule.
# It holds where layers are separable, and this call says whether they are.
#
# ## Who makes up time?
#
# Fit the three layers that are separable, pooled.
# A carrier's mean is counted from the plain average of the carriers, so 0 is the average carrier and not the average flight.

# %%
compiled = mlm.compile_model(mlm.cell_model(cells))
monthly = mlm.sample(compiled, seed=SEED)
print(f"compiled in {compiled.compile_seconds:.0f} s, sampled in {monthly.attrs['sampling_seconds']:.0f} s")
mlm.check_convergence(monthly)

# %% mystnb={"image": {"alt": "Means of 16 carriers in minutes with 89 percent intervals, sorted. AirTran, Frontier and Envoy are among those that lose most, some six minutes more than the average carrier; Alaska makes up most, about ten minutes more. Intervals of large carriers are about a minute wide; that of SkyWest, with few flights, is several minutes wide."}}
counts = pd.Series(cells.counts("carrier"), index=list(cells.labels["carrier"]))
names = pd.Series({code: f"{airlines[code]} ({counts[code]:,})" for code in counts.index})
ax = mlm.plot_contributors(monthly, "carrier", names=names, unit="minutes")
ax.set_ylabel("carrier (flights)")
plt.show()


# %%
def difference(fit, layer, one, other):
    """Return draws of the difference of two contributors' means."""
    means = fit["posterior"][f"mu_{layer}"]
    return means.sel({layer: one}) - means.sel({layer: other})


best = difference(monthly, "carrier", "AS", "HA")
print(f"Alaska minus Hawaiian: {float(best.mean()):+.1f} minutes, sd {float(best.std()):.1f}")
print(f"chance that Alaska makes up more: {float((best < 0).mean()):.3f}")

# %% [markdown]
# Read a difference with its own interval. Two intervals can overlap although the means differ beyond doubt: both are counted from the same uncertain average, which widens both and cancels from the difference.
#
# The story could end here: a fit that converged, intervals about a minute wide for carriers with thousands of flights.
# Remember 14 July.
#
# ## The check that this model cannot pass
#
# The model takes flights as independent, given carrier, airport and month.
# If that holds, a day's average misses its expectation by a standard error or so.
# So add up what the flights of a day miss, and divide by the standard deviation that the model gives to such a sum: the day's *[standardized residual](../book/glossary.md)*.


# %%
def moments(fit, frame, layers):
    """Return the mean and the variance that a fit expects of each flight."""
    expected = mlm.predict(fit, frame, layers)
    return expected["mean"].values, expected["sd"].values ** 2


def blocks_of(dates, size):
    """Return each date's block: so many days of the calendar in a row; what is left over in December joins the last."""
    return np.minimum((pd.DatetimeIndex(dates).day_of_year.to_numpy() - 1) // size, 365 // size - 1)


def standardized(missed, variance, groups):
    """Return each group's standardized residual: what it misses, in standard deviations of its sum."""
    sums = pd.DataFrame({"missed": missed, "variance": variance}).groupby(groups).sum()
    return sums["missed"] / np.sqrt(sums["variance"])


mean, variance = moments(monthly, seen, by_month)
missed = seen[total].to_numpy() - mean

# %% [markdown]
# The square root of their average square is about 1 if the model holds.
# To take nothing away but the day, shuffle the dates among flights of the same carrier, airport and month: all that the model knows stays as it is.
#
# **Predict first.** For the shuffled dates you expect about 1. What will the true dates give: 1.1, 3, or 10?


# %%
def root_mean_square(z):
    """Return the square root of the average square."""
    return np.sqrt(np.mean(z**2))


day, within = seen["date"].to_numpy(), seen.groupby(by_month, observed=True)["date"]
by_day = {"true dates": standardized(missed, variance, day)}
chance = []
for _ in range(20):
    by_day["shuffled dates"] = standardized(missed, variance, within.transform(rng.permutation).to_numpy())
    chance.append(root_mean_square(by_day["shuffled dates"]))
print(f"true dates: days miss by {root_mean_square(by_day['true dates']):.1f} standard errors (root mean square)")
print(f"dates shuffled 20 times: by {min(chance):.2f} to {max(chance):.2f}")
assert root_mean_square(by_day["true dates"]) > 5 * max(chance)
assert 0.7 < min(chance) < max(chance) < 1.3

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "What the average flight of each seen day lost beyond the model's expectation, in minutes, through the year. With true dates points lie between minus 17 and plus 22 minutes, most of them far outside a narrow band around zero; with shuffled dates nearly all points lie inside the band, whose half width is between one and two minutes."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(9, 4))
size = pd.Series(1, index=day).groupby(level=0).sum()
sd = np.sqrt(pd.Series(variance).groupby(day).mean() / size)
when = pd.to_datetime(size.index)
ax.fill_between(when, -2.6 * sd, 2.6 * sd, color=mlm.COLORS["data"], label="99 % if flights were independent")
for (name, z), role, marker in zip(by_day.items(), ["estimate", "alternative"], ["o", "x"], strict=True):
    ax.plot(when, z * sd, marker, ms=4, color=mlm.COLORS[role], label=name, ls="")
ax.axhline(0, color=mlm.COLORS["truth"], lw=0.8)
ax.set(xlabel="day", ylabel="average beyond expectation (minutes)")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# Only the dates differ between the two kinds of points, so it is the day that makes them differ.
# Flights of a day share wind, storms and crowded skies; which of these it is, the check does not say.
# The model counts a thousand flights of one day as a thousand pieces of evidence.
#
# ## A layer for the day
#
# The remedy is a layer whose contributors are the days, pooled: days are alike as far as the data say.
# The month goes, to keep this model simple: for days that were not seen it forgets that December is not September.
# (You could keep both: [17](17_your_own_data.ipynb) fits nested layers, pooled.)
# There are many more cells now, and still far fewer than flights.
#
# In symbols: flight $i$ of carrier $c$ from airport $a$ on day $d$ has the total
#
# $$y_i \sim \text{Normal}\bigl(\mu_0 + \mu_c + \mu_a + \mu_d,\; s_i\bigr), \qquad s_i^2 = \sigma_0^2 + \sigma_c^2 + \sigma_a^2 + \sigma_d^2,$$
#
# where 0 is the baseline. The means of days are $\mu_d \sim \text{Normal}(0, \tau)$, summing to zero, and $\tau$ is learned.
# The other layers have their own, each with a half-normal prior whose scale is wide beside the data.
# Variances are pooled too: each $\sigma^2$ of a layer is a floor that all its contributors share, plus an excess of its own. So a stormy day may also scatter more.

# %%
by_date = ["carrier", "origin", "date"]
daily_cells = mlm.cell_statistics(seen, total, by_date)
print(daily_cells)
assert mlm.identification(daily_cells)["means"].all()  # separable again
daily_compiled = mlm.compile_model(mlm.cell_model(daily_cells))
daily = mlm.sample(daily_compiled, seed=SEED + 1)
print(f"compiled in {daily_compiled.compile_seconds:.0f} s, sampled in {daily.attrs['sampling_seconds']:.0f} s")
mlm.check_convergence(daily)

# %% [markdown]
# Now the question of the ticket: how much of a flight's minutes goes with each layer?
# Remember your order.

# %%
shares = {"month": mlm.variance_shares(monthly, cells), "day": mlm.variance_shares(daily, daily_cells)}
of_means = {
    f"model with the {name}": table[table["source"] == "means"].set_index("component")["mean"]
    for name, table in shares.items()
}
table = pd.DataFrame(of_means).reindex(["carrier", "origin", "month", "date", "covariance"])
for name in table:
    print(
        f"{name}: layers' parts {table[name].drop('covariance').sum():.2%}, with the covariance {table[name].sum():.2%}"
    )
by_size = table.drop("covariance").max(axis=1).sort_values(ascending=False)
print("by size:", ", ".join(by_size.index))
assert table.loc["date"].max() > table.loc[["carrier", "origin", "month"]].max(axis=1).sum()
table.map("{:.2%}".format, na_action="ignore").fillna("")

# %% [markdown]
# The day tells more than carrier, airport and month together.
# That it beats the month was certain, for who knows the day knows the month. That it beats the carrier, the flights had to say.
# By how much depends on the days. Look at those put aside, too, and at how even the two halves are.
# (The month's share is too large: a month's mean rests on some 15 days, and what these days happened to be counts as the month's.)

# %%
seen_means, unseen_means = (part.groupby("month")[total].mean() for part in (seen, unseen))
for what, square in {
    "of the fit's days": seen_means.var(),
    "shared with other days": seen_means.cov(unseen_means),
}.items():
    print(f"variance of the months' means, {what}: {square / flights[total].var():.2%} of a flight's")

average, size = (flights.groupby("date")[total].agg(what).loc[dates] for what in ("mean", "size"))


def explained(part):
    """Return the share of the variance of flights on some days that the averages of the days explain."""
    return np.cov(average[part], fweights=size[part]) / flights.loc[flights["date"].isin(part), total].var()


halves = [rng.permutation(dates) for _ in range(1000)]
lopsided = np.mean(
    [
        average[half[182:]].std() / average[half[:182]].std() > average.drop(put_aside).std() / average[put_aside].std()
        for half in halves
    ]
)
print(
    f"averages of days explain {explained(np.setdiff1d(dates, put_aside)):.1%} on days of the fit, {explained(put_aside):.1%} on the others"
)
print(f"of 1,000 such splits {lopsided:.1%} are more uneven in this direction")

# %% [markdown]
# Back to the table. A column sums to what the layers' means explain, and the rest is spread: even the day leaves most of the variance to the single flight.
#
# The last row is there because carriers do not choose airports and days by lot, so the variance of a sum is not the sum of the variances. The covariance is the difference, and belongs to no layer alone.
# Here it is small and negative: add up the layers alone, and you claim a little too much.
#
# ## Whose intervals grow?
#
# **Predict first.** Some of these become less certain once the model knows about days, and some do not:
# the difference of two carriers, the difference of two airports, the difference of two months as they were, the difference of two *such* months, the average of all days of the fit as days of their kind.
# Which?
#
# A month has no parameter in the new model.
# Its value is the average of its days, and for a statement about *such a month in a year like this one*, not only about these days, its days are a sample.


# %%
def month_in_general(fit, month):
    """Return draws of a month's mean when its days are a sample of such days."""
    of_days = fit["posterior"]["mu_date"]
    of_days = of_days[..., of_days["date"].str.slice(5, 7) == f"{month:02d}"]
    error = of_days.std("date", ddof=1) / np.sqrt(of_days.sizes["date"])
    return of_days.mean("date") + error * rng.standard_t(of_days.sizes["date"] - 1, error.shape)


def of_these_days(fit, month):
    """Return draws of a month's mean over the days of the fit, which are all that it speaks of."""
    of_days = fit["posterior"]["mu_date"]
    return of_days[..., of_days["date"].str.slice(5, 7) == f"{month:02d}"].mean("date")


posterior = daily["posterior"]
tau = posterior["tau_date"]
year = tau * rng.standard_normal(tau.shape) / np.sqrt(seen["date"].nunique())  # error of an average of so many days
before_and_after = {
    "United minus Delta": [float(difference(fit, "carrier", "UA", "DL").std()) for fit in (monthly, daily)],
    "Alaska minus Hawaiian": [float(difference(fit, "carrier", "AS", "HA").std()) for fit in (monthly, daily)],
    "Newark minus Kennedy": [float(difference(fit, "origin", "EWR", "JFK").std()) for fit in (monthly, daily)],
    "December minus September, these days": [
        float(difference(monthly, "month", 12, 9).std()),
        float((of_these_days(daily, 12) - of_these_days(daily, 9)).std()),
    ],
    "December minus September, such months": [
        float(difference(monthly, "month", 12, 9).std()),
        float((month_in_general(daily, 12) - month_in_general(daily, 9)).std()),
    ],
    "average of all days of the fit": [np.sqrt(variance.mean() / len(seen)), float(year.std())],
}
widths = pd.DataFrame(before_and_after, index=["before", "after"]).T
widths["ratio"] = widths["after"] / widths["before"]
assert widths["ratio"].iloc[:4].max() < 1.3 < 4 < widths["ratio"].iloc[4:].min()
widths.round(2)

# %% [markdown]
# Standard deviations in minutes.
# Differences of carriers and of airports hardly change: both sides fly on nearly every day, so the day's shift cancels. They even shrink: the shift no longer counts as noise of single flights, and a calm day now counts for more than a stormy one, on which flights scatter.
# About the very days of the fit the new model is as sure as the old one.
# What grew is the error of a statement about *such* months and *such* days, of which there are far fewer than flights.
# The old model could not tell the two apart.
# A larger table of the same days would not help; only more days would.
#
# That a difference hardly changes does not say that its interval was right.
# It was not: the day's shift cancels, but what a day does to *one* carrier or *one* airport does not.
# *Criticism to the end* counts the error from the days, and finds it several times as large.

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Twelve months in order with their mean in minutes and 89 percent intervals, twice. Before the layer for the day the intervals are a minute long or less, most of them hidden behind the points. After it they are several minutes wide and most of them overlap those of the next month; the points themselves hardly move."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(9, 4))
months = np.arange(1, 13)
old = monthly["posterior"]["mu_month"].stack(s=("chain", "draw")).transpose("month", "s").values
new = np.stack([month_in_general(daily, month).values.ravel() for month in months])
new = new - new.mean(axis=0)
for values, role, marker, shift, label in [
    (old, "alternative", "s", -0.15, "model with the month: these days"),
    (new, "estimate", "o", 0.15, "model with the day: days of their kind"),
]:
    low, middle, high = np.quantile(values, [0.055, 0.5, 0.945], axis=1)
    ax.vlines(months + shift, low, high, color=mlm.COLORS[role], lw=2)
    ax.plot(months + shift, middle, marker, color=mlm.COLORS[role], label=label)
widest, in_fit = np.argmax(high - low), seen.groupby("month")["date"].nunique().to_numpy()
ax.axhline(0, color=mlm.COLORS["truth"], lw=0.8)
ax.set_xticks(months, pd.date_range("2013-01", periods=12, freq="MS").strftime("%b"))
ax.set(xlabel="month", ylabel="minutes, from the average month")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()
print(
    f"The widest interval is that of {pd.Timestamp(2013, widest + 1, 1):%B}, of which {in_fit[widest]} days are in the fit;"
)
print(f"other months have {np.delete(in_fit, widest).min()} to {np.delete(in_fit, widest).max()}.")

# %% [markdown]
# Where you see no orange line, the interval is shorter than its marker.
#
# How many independent flights is a day worth?
# Let $s$ be the standard deviation of a flight about the mean of its day, the same for all.
# The average of $n$ flights of one day has the variance $\tau^2 + s^2/n$, one flight of a random day $\tau^2 + s^2$.
# The second divided by the first is the worth: however many flights a day has, it stays below $1 + s^2/\tau^2$.
# (Survey statisticians call $n$ divided by the worth the *design effect*.)

# %%
mean_daily, variance_daily = moments(daily, seen, by_date)
missed_daily = seen[total].to_numpy() - mean_daily
s, tau_day = np.sqrt(variance_daily.mean()), float(tau.mean())
n = 900
worth = (tau_day**2 + s**2) / (tau_day**2 + s**2 / n)
print(f"days differ by tau = {tau_day:.1f} minutes, flights of a day by s = {s:.1f}")
print(f"{n} flights of one day are worth {worth:.1f} flights of different days")

# %% [markdown]
# ## Days that nobody has seen
#
# The days that you put aside decide which model is right about its own uncertainty.
# For each of them both models predict two things, with 89 % intervals: the average of the day's flights, and every single flight.
# `mlm.predict` draws a new day's mean from Normal(0, `tau_date`), like the new carrier in [02](02_a_first_fit.ipynb), one for all its flights.
#
# **Predict first.** An interval should hold in 89 % of cases. For the averages of days, what will the model without a day give?

# %%
models = {"before": (monthly, by_month), "after": (daily, by_date)}
first = np.flatnonzero(~unseen["date"].duplicated())  # each day's first flight; they are sorted by day
sizes = unseen.groupby("date").size().to_numpy()
true_average = unseen.groupby("date")[total].mean().to_numpy()
lost = unseen[total].to_numpy()

judged, bounds = {}, {}
for name, (fit, layers) in models.items():
    predicted = mlm.predict(fit, unseen, layers, draws=150, rng=rng)
    averages = np.add.reduceat(predicted["draws"].values, first, axis=1) / sizes
    low, high = bounds[name] = np.quantile(averages, [0.055, 0.945], axis=0)
    judged[name] = {
        "days covered": np.mean((low <= true_average) & (true_average <= high)),
        "width for a day (minutes)": np.mean(high - low),
        "interval score for a day (minutes)": np.mean(
            high - low + 2 / 0.11 * (np.maximum(low - true_average, 0) + np.maximum(true_average - high, 0))
        ),
        "flights covered": float(((predicted["lower"] <= lost) & (lost <= predicted["upper"])).mean()),
        "width for a flight (minutes)": float((predicted["upper"] - predicted["lower"]).mean()),
    }
judged = pd.DataFrame(judged)
error = np.sqrt(0.89 * 0.11 / len(sizes))
print(f"a coverage of 0.89 counted on {len(sizes)} days has a standard error of {error:.2f}")
of_seen = seen.groupby("date")[total].mean()
print(f"standard deviation of the days' averages: {of_seen.std():.1f} minutes seen, {true_average.std():.1f} put aside")
assert judged.loc["days covered", "before"] < 0.4
assert (
    judged.loc["interval score for a day (minutes)", "after"]
    < 0.6 * judged.loc["interval score for a day (minutes)", "before"]
)
assert abs(judged.loc["days covered", "after"] - 0.89) < 4 * error < 0.1
judged.round(2)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two panels, before and after the layer for the day. Each shows the days put aside in the order of their average minutes lost, as black points that rise from about minus 20 to about plus 20, with a vertical 89 percent interval each. Before, intervals are short and miss most points. After, they are some 20 minutes long and contain nearly all points but some at the two ends."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
order = np.argsort(true_average)
for ax, (name, (low, high)), role in zip(axes, bounds.items(), ["alternative", "estimate"], strict=True):
    ax.vlines(np.arange(len(order)), low[order], high[order], color=mlm.COLORS[role], lw=1.5, label="89 % interval")
    ax.plot(true_average[order], ".", ms=5, color=mlm.COLORS["truth"], label="the day's average")
    ax.set(title=f"{name} the layer for the day", xlabel="unseen days, in order")
axes[0].set_ylabel("average minutes lost")
axes[0].legend()
plt.show()

# %% [markdown]
# Before, the intervals for days are too short by far, although the chains had converged.
# After, they hold somewhat more often than they promise. (The printed standard error takes days as independent, and leaves out which days the model learned from.)
# Who covers more by being wider has won nothing yet. The *[interval score](../book/glossary.md)* settles that: the width, plus $2/0.11$ minutes for each minute by which an interval misses (Gneiting and Raftery 2007). Lower is better, and the model with days wins clearly.
# Its intervals are too long because the model expects new days to differ as the old ones did, and the days put aside happen to differ less (the printed standard deviations).
# Such an uneven split is rare, as you saw. So this coverage says little against the model, and nothing for it; the failure of *before* is far too large to be the split's.
# Look where the points leave the intervals: mostly at the top. Days have a long tail of their own, and Normal(0, $\tau$) has none.
# So do not ask this model how bad the worst day of next month will be.
# For single flights the two models promise nearly the same, and both keep it roughly: a flight's own scatter swamps its day.
# So a check of single flights would have told you that all is well.
# And had you put aside single flights at random instead of whole *days*, there would have been no unseen day to fail on.
#
# What about the [log predictive density](../book/glossary.md) of [08](08_checking_a_model.ipynb), on unseen flights?

# %% jupyter={"source_hidden": true} tags=["hide-input"]
some = unseen.sample(20_000, random_state=rng)
of_flight = {
    name: np.asarray(mlm.log_predictive_density(fit, some, total, layers)) for name, (fit, layers) in models.items()
}
gain = pd.Series(of_flight["after"] - of_flight["before"], index=some.index)
of_day = gain.groupby(some["date"]).mean()
print("log predictive density of an unseen flight:", end=" ")
print(", ".join(f"{values.mean():.3f} {name}" for name, values in of_flight.items()))
print(f"difference {of_day.mean():.3f}, standard error over days {of_day.sem():.3f}")
far = np.abs(some[total] - some[total].mean()) > 3 * some[total].std()
print(
    f"the {far.mean():.1%} of flights beyond three standard deviations bring {gain[far].sum() / gain.sum():.0%} of it"
)

# %% [markdown]
# It prefers the model with days, by about three standard errors, but most of that comes from few flights far out.
# It takes every flight by itself, so it cannot see that flights move together, which is what went wrong before. (Scored a day at a time, all its flights jointly, it could.)
# Judge a model by the quantity that you want to predict.
#
# ## Dinner again: one week of flights
#
# In [02](02_a_first_fit.ipynb) partial pooling was nearest with 300 flights of the year, and lost some or all of its lead with 300 flights of one week.
# Now you can say why.
# Take each week of the year, 300 flights of it, and the spreads that the two fits have learned: carriers, days, single flights.
# With known spreads the posterior of the means is one system of linear equations, so 52 weeks take no sampling.
# (The spreads were learned from some of the same days, so this tries the estimates, and not the learning of spreads. Airports are left out.)
#
# Each column of the design is the baseline, a carrier or a day.
# A column's prior adds its precision to that of the data:


# %%
def estimate(part, tau_carrier, tau_day, s):
    """Return posterior mean and covariance of the carriers' means; without a layer for the day if tau_day is 0."""
    carrier = pd.get_dummies(part["carrier"]).to_numpy(float)  # every carrier has a column
    columns, precision = [np.ones((len(part), 1)), carrier], [1 / 20**2, *[1 / tau_carrier**2] * carrier.shape[1]]
    if tau_day:
        days = pd.get_dummies(part["date"]).to_numpy(float)
        columns, precision = [*columns, days], [*precision, *[1 / tau_day**2] * days.shape[1]]
    design = np.hstack(columns)
    covariance = np.linalg.inv(design.T @ design / s**2 + np.diag(precision))
    center = covariance @ design.T @ part[total].to_numpy() / s**2
    k = carrier.shape[1]
    to_means = np.hstack([np.ones((k, 1)), np.eye(k), np.zeros((k, design.shape[1] - k - 1))])
    return to_means @ center, to_means @ covariance @ to_means.T


tau_before, tau_after = (fit["posterior"]["tau_carrier"].mean().item() for fit in (monthly, daily))
tau_day = daily["posterior"]["tau_date"].mean().item()
learned = {
    "before": (tau_before, 0, np.sqrt(variance.mean())),
    "after": (tau_after, tau_day, np.sqrt(variance_daily.mean())),
}

# %% [markdown]
# Each week gives four estimates of each carrier's mean, two of them with an interval.
# The truth is the carrier's mean of the whole year.
# (The folded cell goes through the weeks.)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
truth = flights.groupby("carrier", observed=False)[total].mean().to_numpy()
week = (pd.to_datetime(flights["date"]).dt.day_of_year - 1) // 7
rows = []
for k in range(52):
    part = flights[week == k].sample(300, random_state=rng)
    own = part.groupby("carrier", observed=False)[total].mean().to_numpy()
    errors = {"no": own - truth, "complete": part[total].mean() - truth}
    for name, values in learned.items():
        center, covariance = estimate(part, *values)
        errors[name] = center - truth
        sd = np.sqrt(np.diag(covariance))
        rows.append((k, name, "covered", np.mean(np.abs(errors[name]) < 1.6 * sd)))
    there = ~np.isnan(own)  # some small carriers have no flight in a sample; an interval they have all the same
    for name, e in errors.items():
        rows.append((k, name, "error", np.sqrt(np.mean(e[there] ** 2))))
        rows.append((k, name, "error of differences", e[there].std()))

weeks = pd.DataFrame(rows, columns=["week", "pooling", "what", "value"])
table = weeks.pivot_table("value", "pooling", "what").reindex(["no", "complete", "before", "after"])
table.rename({"before": "partial, without days", "after": "partial, with days"}).round(2)

# %% jupyter={"source_hidden": true} tags=["hide-input"]
differences = table["error of differences"]
assert differences["after"] < differences[["no", "complete"]].min()
assert table.loc["after", "covered"] > table.loc["before", "covered"]
wide = weeks.pivot_table("value", "week", ["what", "pooling"])
for what in ("error", "error of differences"):
    lead = wide[what]["complete"] - wide[what]["before"]
    print(f"{what}: partial nearer than complete pooling by {lead.mean():.2f} minutes,", end=" ")
    print(f"standard error {lead.sem():.2f}, in {np.mean(lead > 0):.0%} of weeks")

# %% [markdown]
# `error` is what 02 measured, in minutes: against the carriers' means of the year.
# `error of differences` leaves out what all carriers have wrong together: the week's own shift.
# `covered` is the share of 89 % intervals that contain the year's mean, over all carriers; the errors are those of carriers in the sample.
#
# A week's shift hits all kinds of pooling alike, and none can remove it.
# It adds about the same to every *squared* error, so the lead of partial over complete pooling shrinks; in single weeks it is gone, and 02 looked at eight.
# Between carriers, where the shift cancels, partial pooling leads by more.
# The layer for the day leaves the estimates as good as they were, and makes them more honest: the intervals hold more often.
#
# More often, but not in 89 %.
# Look at how far the averages of whole weeks lie apart, and at what seven independent days would give.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
of_week = flights[week < 52].groupby(week)[total].mean()
print(f"averages of 52 weeks have a standard deviation of {of_week.std():.1f} minutes;")
print(
    f"seven independent days would give {tau_day / np.sqrt(7):.1f}, independent flights {s / np.sqrt(len(flights) / 52):.2f}"
)
of_days = flights.groupby("date")[total].mean().to_numpy()
today, next_day = of_days[:-1], of_days[1:]
print(f"correlation of a day's average with the next day's: {np.corrcoef(today, next_day)[0, 1]:.2f}")

# %% [markdown]
# Tomorrow resembles today, but in this model days are [exchangeable](../book/glossary.md), as if they came in random order.
# The unseen days above were scattered over the year, so that did no harm there.
# For a week, for the months in the figure, and for the year in the table before it, the intervals are still too short.
#
# ## Three flights, taken apart
#
# Take the flight that lost most, the one that made up most, and one that looked bad until you knew its day.
# Each total splits into parts for carrier, airport and day, and a rest, the baseline.
# Whiskers are one posterior standard deviation *under this prior*. Another prior can move a bar by more.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
airports = {"EWR": "Newark", "JFK": "Kennedy", "LGA": "LaGuardia"}
surprise = pd.DataFrame({"before": missed, "after": missed_daily}, index=seen.index)
as_usual = surprise["after"].abs() < 1
excused = seen.loc[as_usual & (surprise["before"] > 15), total].idxmax()
chosen = seen.loc[[seen[total].idxmax(), seen[total].idxmin(), excused]]
parts = mlm.decompose(daily, chosen, total, by_date)
assert np.allclose(parts["mean"].sum("component"), chosen[total])

for row, flight in chosen.iterrows():
    print(
        f"{airlines[flight['carrier']]}, {airports[flight['origin']]} to {flight['dest']} on {flight['date']}: "
        f"{flight[total]:+.0f} minutes\n"
        f"    more than carrier, airport and month led you to expect: {surprise.loc[row, 'before']:+.0f}\n"
        f"    more than carrier, airport and day led you to expect:   {surprise.loc[row, 'after']:+.0f}\n"
        f"    all flights of that day, beyond the average day of the fit: {of_seen[flight['date']] - of_seen.mean():+.0f}"
    )

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Three waterfall figures, one below the other. In each, bars for the rest, the carrier, the airport and the day follow one another and end at the flight's total. For the two extreme flights the bar of the day is by far the longest, about a hundred minutes or more. For the third flight the bar of the day is the longest, too. Whiskers reach one posterior standard deviation, some eleven minutes at most, either way."}} tags=["hide-input"]
fig, axes = plt.subplots(3, 1, figsize=(8.5, 8))
for i, ((_, flight), ax) in enumerate(zip(chosen.iterrows(), axes, strict=True)):
    labels = {
        "baseline": "the rest (baseline)",
        "carrier": airlines[flight["carrier"]],
        "origin": airports[flight["origin"]],
        "date": flight["date"],
    }
    mlm.plot_decomposition(parts, i, labels=labels, unit="minutes lost", ax=ax)
    ax.set_title(f"to {flight['dest']}: {flight[total]:+.0f} minutes", loc="left")
plt.show()

# %% [markdown]
# The parts add up to the flight's minutes exactly, but how far may you trust them?
# Each part is the contributor's mean plus a share of the surprise, and the share follows the spreads.
# In the first two figures most of the day's bar is such a share, and not what flights of that day lost on average.
# The second shows it best: its bar is almost 100 minutes *made up*, and flights of that day lost far more than usual, as the last of its lines says.
# The bar is so long because the fit gives this day a large spread (`sigma_date`), so the day takes most of any surprise. That this spread is larger than a calm day's, the data fix.
# How a surprise is shared among baseline, carrier, airport and day they do not fix, as `identification` said ([12](12_decomposing_a_total.ipynb)); exercise 15.3 computes how far a part can move.
# The third flight has almost no surprise, so there the bar is the day's mean: flights of this day lost so much more on average.
#
# So say: "this flight lost so many minutes more than its carrier, airport and day led us to expect", and of the third that it was as usual for its day.
# Do not say: "of the 100 minutes beyond expectation, so many are the carrier's". You can only say how many could be, at most.
#
# ## Criticism to the end
#
# What is left after the day?
# Use the same check as before, for days and for finer groups.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
groupings = {
    "day": ["date"],
    "airport on a day": ["origin", "date"],
    "carrier on a day": ["carrier", "date"],
    "carrier in a month": ["carrier", "month"],
    "hour of a day at an airport": ["origin", "date", "hour"],
}
BLOCKS = (14, 28, 60)  # in days of the calendar: neighboring days resemble each other


def counted_error(gap, size, season=False):
    """Return the standard error of an average over dates, counted from blocks; a yearly wave taken out, if asked."""
    block = blocks_of(gap.index, size)
    averages = gap.groupby(block).mean().to_numpy()
    angle = 2 * np.pi * pd.Series(pd.DatetimeIndex(gap.index).day_of_year).groupby(block).mean().to_numpy() / 365
    wave = np.column_stack([np.ones(len(angle))] + [np.cos(angle), np.sin(angle)] * season)
    left = averages - wave @ np.linalg.lstsq(wave, averages)[0]
    return np.sqrt(np.sum(left**2) / (len(left) - wave.shape[1]) / len(left))


def print_errors(gap):
    """Print the standard error of a gap's average, by the length of blocks."""
    for season, what in [
        (False, "    standard error by blocks of 14, 28 and 60 days:"),
        (True, "    a yearly wave taken out first:"),
    ]:
        print(what, ", ".join(f"{counted_error(gap, size, season):.2f}" for size in BLOCKS))


misfit = {}
for name, columns in groupings.items():
    groups = seen.groupby(columns, observed=True).ngroup().to_numpy()
    pairs = {"before": (missed, variance), "after": (missed_daily, variance_daily)}
    misfit[name] = {k: np.sqrt(np.mean(standardized(*pair, groups) ** 2)) for k, pair in pairs.items()}
misfit = pd.DataFrame(misfit).T
assert (misfit["after"] < misfit["before"]).drop("carrier in a month").all()
assert misfit.loc["airport on a day", "after"] > 1.5
print(misfit.round(2))

for layer, one, other in [("carrier", "UA", "DL"), ("origin", "EWR", "JFK")]:
    on_a_day = seen.assign(missed=missed_daily).pivot_table("missed", "date", layer, observed=True)
    apart = on_a_day[one] - on_a_day[other]
    in_model = float(difference(daily, layer, one, other).std())
    assert min(counted_error(apart, size) for size in BLOCKS) > in_model
    print(f"{one} minus {other}: standard deviation in the model {in_model:.2f} minutes")
    print_errors(apart)

# %% [markdown]
# 1 would be perfect for groups that the model has no mean for.
# The day's misfit is gone, of course, and below 1: each day has a mean of its own now, which its flights have set.
# The others remain: a storm may hit Kennedy more than Newark, one carrier more than another, the evening more than the morning.
# That of a carrier in a month has not even shrunk: from month to month carriers do not move together, which neither model knows.
# Such failures to add up are *[interactions](../book/glossary.md)*, and the remedy is again a layer: a pooled one for airport and day together, *beside* the day.
# Until then, intervals for differences of airports and carriers are too short.
# The last lines say by how much: they take the difference over *[blocks](../book/glossary.md)* of days, and its scatter from block to block.
# They assume nothing about flights within a block, but take blocks as independent.
# If the error grows with the length of the blocks, neighboring blocks resemble each other.
# If they share a spell that will not come back, even the longest blocks are too sure.
# If they share a season that comes back every year, they are too unsure, because a whole year averages it out; so the second line of errors takes one wave a year out first.
# One year of flights cannot tell a season from a spell: look at both errors.
# (With six blocks of 60 days an error is itself uncertain by a third, and by more once the wave is taken out.)
#
# The last misfit is one of shape: divide each flight's surprise by its standard deviation and look at the [skewness](../book/glossary.md), 0 for a symmetric distribution, and at the flights far out.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
z = missed_daily / np.sqrt(variance_daily)
expected_beyond = len(z) * stats.norm.sf(5)
print(f"skewness of the standardized surprises: {stats.skew(z):.1f} (0 under the model)")
print(f"flights beyond +5 standard deviations: {np.sum(z > 5)}, expected {expected_beyond:.2f}")
print(f"flights beyond -5 standard deviations: {np.sum(z < -5)}")
print(
    f"flights that lost an hour or more: {(seen[total] >= 60).sum():,}; that made up so much: {(seen[total] <= -60).sum()}"
)
assert stats.skew(z) > 0.5
assert np.sum(z > 5) > 100 * max(expected_beyond, 0.1)

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Histogram of standardized surprises on a logarithmic axis with the normal density as a line. Both agree near the middle. On the right the histogram lies far above the line beyond plus 3 standard deviations and reaches almost plus 10; on the left it lies below the line and ends between minus 4 and minus 5."}} tags=["hide-input"]
fig, ax = plt.subplots()
grid = np.linspace(-6, 12, 400)
ax.hist(
    z,
    bins=np.arange(-6, 12, 0.2),
    density=True,
    color=mlm.COLORS["data"],
    edgecolor=mlm.COLORS["truth"],
    lw=0.3,
    label="flights",
)
ax.plot(grid, stats.norm.pdf(grid), color=mlm.COLORS["estimate"], lw=2, label="the model's normal")
ax.set(yscale="log", ylim=(1e-7, 1), xlabel="surprise (standard deviations)", ylabel="density (log scale)")
ax.legend()
plt.show()

# %% [markdown]
# A plane can circle for an hour at any time; an hour to make up is there only if the timetable has left one.
# Contributions are normal here, so their sum is symmetric, and one more such layer would not change that.
# For means of many flights this hardly matters: an average of many *independent* rows is near normal whatever their shape. What a whole day shares does not average out.
# But do not ask this model how often a flight loses an hour; [16](16_tails_that_add_up.ipynb) has one that may be asked.
#
# ## Is it the carrier or the route?
#
# Alaska comes first, and Hawaiian makes up much, too.
# Each of them flies far.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
routes = seen.groupby("carrier", observed=True).apply(
    lambda rows: (rows["origin"].astype(str) + "-" + rows["dest"].astype(str)).value_counts().index.tolist(),
    include_groups=False,
)
for code in ["AS", "HA"]:
    origin, dest = routes[code][0].split("-")
    same = seen[(seen["origin"] == origin) & (seen["dest"] == dest)]
    others = [airlines[other] for other in same["carrier"].unique() if other != code]
    print(
        f"{airlines[code]} flies {len(routes[code])} route, {origin} to {dest}; others on it: {', '.join(others) or 'none'}"
    )


def day_by_day(rows, one, other):
    """Return the gap of two carriers on each day that both flew."""
    same_day = rows.pivot_table(total, "date", "carrier", observed=True)[[one, other]].dropna()
    return same_day[one] - same_day[other]


gap = day_by_day(flights[(flights["origin"] == "EWR") & (flights["dest"] == "SEA")], "AS", "UA")
after = difference(daily, "carrier", "AS", "UA")
print(f"Alaska minus United, in the model: {float(after.mean()):+.1f} minutes, sd {float(after.std()):.1f}")
print(f"on the same route and the same {len(gap)} days: {gap.mean():+.1f} minutes")
print_errors(gap)
assert gap.mean() + 2 * max(counted_error(gap, size, season) for size in BLOCKS for season in (False, True)) < 0
to_honolulu = day_by_day(flights[flights["dest"] == "HNL"], "HA", "UA")
print(
    f"Hawaiian minus United, which flies to HNL from EWR, on the same {len(to_honolulu)} days: {to_honolulu.mean():+.1f} minutes"
)
print_errors(to_honolulu)
assert abs(to_honolulu.mean()) < 2 * min(counted_error(to_honolulu, size, True) for size in BLOCKS)

# %% [markdown]
# Hawaiian and its route always come together: they are *[confounded](../book/glossary.md)*, and the flights alone cannot part them.
# (A layer for the destination would, but only by assuming that airport and destination add up: United flies to Honolulu from Newark, and other carriers fly from Kennedy.)
# United's flights to Honolulu leave from another airport, and the gap between the two carriers is smaller than twice its standard error.
# Alaska's only route is flown by United too, and day by day Alaska still made up more.
# That comparison needs no model at all: the route cannot be behind it. (Timetable, hour and aircraft still can.)
# Of 2013 it is a count. As a habit of the two it is likely: every error leaves the gap more than two standard errors from zero. (The longest blocks barely: with six of them chance alone gives that much in about one case of twelve.)
#
# ### A number beside the labels
#
# Not every carrier has a rival on its routes, but every route has a length.
# So ask a weaker question of all carriers: what is left of a lead at equal distance?
#
# The distance is no label. It is a number in each row, and so is the hour at which the flight was to leave.
# Such columns are `covariates`, each with a *slope*, and cells are still all that the sampler sees ([09](09_integrating_out.ipynb)).
#
# The layers are those of the first model: what a day adds to near and far flights alike cancels from a slope, as it did from differences of carriers.
# The question is about means, so let carriers, airports and months add no spread of their own (`known_sigma`, as in [14](14_how_good_is_the_measurement.ipynb)): that compiles faster. It assumes that all flights scatter alike, which they do not: one more reason to count the error of the slopes from blocks, below.
# Three airports say little about how far airports differ, which bends the posterior, so the sampler takes shorter steps (`target_accept`).

# %%
seen = seen.join(mlm.load_distances() / 1000, on=["origin", "dest"])  # in units of 1,000 miles
numbers = ["distance", "hour"]
line_cells = mlm.cell_statistics(seen, total, by_month, covariates=numbers)
print(line_cells)
print(mlm.identification(line_cells).loc["covariates", "because"])
through_all = np.polyfit(seen["distance"], seen[total], 1)[0]
print(f"one line through all flights: {through_all:+.1f} minutes for each 1,000 miles")

# %% [markdown]
# **Predict first.** One line through all flights has the slope just printed: far flights make up time.
# At equal carrier, airport, month and hour, will the slope be the same, steeper, or flatter?

# %%
means_only = mlm.Priors.from_cells(line_cells, known_sigma=dict.fromkeys(by_month, 0))
line_compiled = mlm.compile_model(mlm.cell_model(line_cells, means_only))
lined = mlm.sample(line_compiled, seed=SEED + 2, draws=1000, target_accept=0.98)
print(f"compiled in {line_compiled.compile_seconds:.0f} s, sampled in {lined.attrs['sampling_seconds']:.0f} s")
print(mlm.check_convergence(lined).round(3).to_string())

# %%
slope = lined["posterior"]["slope"]
for name, step in {"distance": "1,000 miles farther", "hour": "hour later in the day"}.items():
    one = slope.sel(covariate=name)
    low, high = one.quantile([0.055, 0.945]).values
    print(f"for each {step}: {float(one.mean()):+.2f} minutes, 89 % interval {low:+.2f} to {high:+.2f}")
assert through_all < float(slope.sel(covariate="distance").mean()) - 0.8

# %% [markdown]
# Flatter.
# Far flights also have other carriers, airports, months and hours than near ones, and one line through all flights counts all of that as distance.
# Held equal (the hour by a line), they leave about a minute for each 1,000 miles.
# An hour later in the day changes next to nothing. The model is quite sure of both.
#
# Remember 14 July. If some weeks cost far flights more than near ones, each week has a slope of its own, and its flights are no independent evidence of one slope.
# So take two weeks at a time, and look how far their slopes lie apart.
# `slope_equations` returns the equations of least squares, from cells again, so there is nothing to sample.

# %%
of_block = pd.Series(blocks_of(seen["date"], 14), seen.index)
equations = []
for _, part in seen.groupby(of_block):
    part_cells = mlm.cell_statistics(part, total, by_date, covariates=numbers, partial=True)
    equations.append(part_cells.slope_equations())
by_block = pd.DataFrame([np.linalg.solve(*both) for both in equations], columns=numbers)
matrix, right = (sum(parts) for parts in zip(*equations, strict=True))
weighted = np.linalg.solve(matrix, right)
without = np.array([np.linalg.solve(matrix - m, right - r) for m, r in equations])  # one block left out
jackknife = np.sqrt((len(without) - 1) * without.var(axis=0))

lines = pd.DataFrame(
    {
        "in the model": slope.mean(["chain", "draw"]).to_series(),
        "its sd": slope.std(["chain", "draw"]).to_series(),
        "all blocks": weighted,
        "standard error": jackknife,
        "plain average of blocks": by_block.mean(),
        "its standard error": by_block.sem(),
    },
    index=numbers,
)
slope_error = lines["standard error"]
assert (slope_error > 3 * lines["its sd"]).all()
assert abs(lines.loc["hour", "all blocks"]) < 3 * slope_error["hour"]
assert (by_block["distance"] > 0).any()
assert (by_block["distance"] < 0).any()
less = -lines.loc["distance", "all blocks"]
print(f"for each 1,000 miles a flight lost {less:.1f} minutes less, give or take {2 * slope_error['distance']:.1f};")
print(f"in {(by_block['distance'] > 0).sum()} of {len(by_block)} blocks far flights lost more than near ones")
lines.round(2)

# %% [markdown]
# The model's intervals are far too narrow, for a reason that you know: flights that share something are worth fewer independent ones.
# Winds that change from week to week would do this to far flights. Whether it was winds, the check does not say.
#
# The first printed line is what you may repeat: the slope of all blocks together, in which days take the place of months, with two standard errors of the blocks and not of the model.
# (For the error leave out one block at a time, and see how far the slope moves: the *jackknife*. In the plain average a fortnight with few far flights counts as much as any other.)
# Its range includes zero: that far flights lose less is likely, and not certain.
# The slope of the hour is tiny, and the blocks do not tell it from zero: of the hour there is nothing to repeat.
#
# That does not make all hours alike; it says that no *straight line* rises or falls.
# So look at what the lines are drawn through.

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Two panels of average minutes at equal labels, with bars of two standard errors. Left, against miles: points fall by two to three minutes from short flights to flights of 2,500 miles, close to the straight line; the last point, United's flights to Honolulu near 5,000 miles, lies four minutes above the line, with a bar of four minutes either way. Right, against the hour: the line is nearly flat, but points at 15 and 17 o'clock lie above it, and those from 19 to 21 o'clock one to two minutes below."}} tags=["hide-input"]
means = lined["posterior"].to_dataset().mean(["chain", "draw"])
of_labels = [means[f"mu_{layer}"].to_series()[seen[layer].tolist()].to_numpy() for layer in by_month]
mean_lined = float(means["mu_baseline"]) + sum(of_labels)
b = slope.mean(["chain", "draw"]).to_series()
others = ~seen["carrier"].isin(["AS", "HA"])  # one route each: their own means take in whatever a line leaves
some, block = seen[others], of_block[others]
left_over = some[total] - mean_lined[others]
adds = (some[numbers] - seen[numbers].mean()) * b

fig, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
steps = {"distance": [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 2.3, 2.6, 5], "hour": np.arange(4.5, 24)}
for ax, (name, edges), other in zip(axes, steps.items(), numbers[::-1], strict=True):
    value = left_over - adds[other]  # without what the other number adds
    value = value - value.groupby(block).transform("mean") + adds[name].groupby(block).transform("mean")
    step = pd.cut(some[name], edges)
    y, x = (column.groupby(step, observed=True).mean() for column in (value, some[name]))
    bar = 2 * value.groupby([step, block], observed=True).mean().groupby(level=0, observed=True).sem()
    unit = 1000 if name == "distance" else 1
    ax.errorbar(unit * x, y, bar, fmt="o", color=mlm.COLORS["truth"], label="flights, ± 2 standard errors")
    ends = np.array([x.min(), x.max()])
    ax.plot(unit * ends, b[name] * (ends - seen[name].mean()), color=mlm.COLORS["estimate"], label="the line")
axes[0].set(xlabel="distance (miles)", ylabel="minutes, at equal labels")
axes[0].legend(loc="upper center")
axes[1].set(xlabel="hour of departure", xticks=range(6, 24, 3))
plt.show()

# %% [markdown]
# Up to 2,500 miles the line is a fair summary.
# Over the hours it is none: in the afternoon some averages lie above the line, in the evening some lie below it. Hours would do better as a layer.
# Near 5,000 miles there is one point, nearly all of it United's flights to Honolulu, with the longest bar of all. (Bars are from block to block, as before.)
#
# Now the carriers, counted from the average carrier as before.

# %%
carriers = seen.groupby("carrier", observed=True)["distance"].mean()
table = pd.DataFrame(
    {
        "average miles": 1000 * carriers,
        "as they fly": monthly["posterior"]["mu_carrier"].mean(["chain", "draw"]).to_series(),
        "at equal distance and hour": lined["posterior"]["mu_carrier"].mean(["chain", "draw"]).to_series(),
    }
)
table["place before"], table["place after"] = (
    table[name].rank().astype(int) for name in ["as they fly", "at equal distance and hour"]
)
for code in ["AS", "HA"]:
    before, lead = -table.loc[code, "as they fly"], -table.loc[code, "at equal distance and hour"]
    give = 2 * slope_error["distance"] * abs(carriers[code] - carriers.mean())
    print(f"{airlines[code]}: {before:.1f} minutes ahead of the average carrier, {lead:.1f} at equal distance,")
    print(f"    {lead - give:.1f} to {lead + give:.1f} if the slope is moved by two of its standard errors")
    assert (lead > 2 * give) == (code == "AS")
assert table.loc["AS", "place after"] == 1
table.rename(airlines).sort_values("at equal distance and hour").round(1)

# %% [markdown]
# Alaska keeps most of its lead, and its place.
# (The ranges say what the *slope* can change. They are no intervals for the lead, because each carrier's own average adds an error, which is counted below for the difference of these two.)
# Hawaiian's shrinks, and what is left may be nothing: its route is so long that the answer is mostly the line, which rests mostly on flights half as long or shorter.
# Endeavor, whose flights are short, moves up, if the slope is what the line says. Do not read places in the middle: they lie within a minute or two.
#
# A slope does not part Hawaiian from its route: what the route has besides miles still counts as Hawaiian's.
#
# ## What you say at dinner, and what you do not
#
# Back to the model with the day, which needs no lines.

# %% jupyter={"source_hidden": true} tags=["hide-input"]
means = daily["posterior"]["mu_carrier"]
best = difference(daily, "carrier", "AS", "HA")
on_a_day = seen.assign(missed=missed_daily).pivot_table("missed", "date", "carrier", observed=True)
apart = (on_a_day["AS"] - on_a_day["HA"]).dropna()
print(
    f"Alaska minus Hawaiian, at equal day and airport: {float(best.mean()):+.1f} minutes, the model's sd {float(best.std()):.1f}"
)
print_errors(apart)
assert min(counted_error(apart, size) for size in BLOCKS) > 1.5 * float(best.std())
as_flown = day_by_day(flights, "AS", "HA")
print(f"as they flew on the same {len(as_flown)} days of 2013: {as_flown.mean():+.1f} minutes", end="; ")
of_fit = day_by_day(seen, "AS", "HA")
print(f"on the {len(of_fit)} of them in the fit: {of_fit.mean():+.1f}")
print_errors(as_flown)
assert abs(as_flown.mean()) < 2 * min(counted_error(as_flown, size, True) for size in BLOCKS)
last_place = means.idxmax("carrier").to_series().value_counts(normalize=True)
against_average = -float(means.sel(carrier="AS").mean())
print(
    f"Of all carriers from New York, {airlines['AS']} made up most time on the days of the fit: {against_average:.0f} minutes more than\n"
    f"the average carrier at equal airport and day, if these add up; and over the whole year {-gap.mean():.0f} more than the one rival on its route.\n"
    f"Last was {airlines[last_place.index[0]]} or {airlines[last_place.index[1]]} "
    f"({last_place.iloc[0]:.0%} and {last_place.iloc[1]:.0%}).\n"
    f"But ask for the day first: days of the fit differ by {tau_day:.0f} minutes, and no carrier can tell you what tomorrow will be."
)

# %% [markdown]
# Who is last depends on the model: look in the figure with the month, in the table at equal distance, and here.
# The figure on the [first page](../book/index.md), of the model with the month and all flights of the year, has Frontier there.
# The carriers that lose most are too close to rank: name each with its chance, and say that the model is too sure, as the criticism above showed.
# So it was with the chance near the beginning that Alaska makes up more than Hawaiian: look how many of the counted errors the gap is worth.
# And look at the two carriers month by month.

# %% jupyter={"source_hidden": true} mystnb={"image": {"alt": "Average minutes lost by month, as lines for Alaska, Hawaiian and the average of all carriers. Hawaiian lies far below in winter, near minus 27 in January and minus 46 in February, and near zero from June to August. The two lines cross between May and June; from June to December Hawaiian lies above Alaska, which falls to about minus 30 in September."}} tags=["hide-input"]
monthwise = flights.pivot_table(total, "month", "carrier", observed=True)
fig, ax = plt.subplots(figsize=(8, 3.5))
ax.plot(monthwise.index, monthwise.mean(axis=1), color=mlm.COLORS["data"], lw=3, label="average carrier")
for code, role, marker in [("AS", "estimate", "o"), ("HA", "alternative", "s")]:
    ax.plot(monthwise.index, monthwise[code], marker=marker, color=mlm.COLORS[role], label=airlines[code])
ax.set_xticks(months, pd.date_range("2013-01", periods=12, freq="MS").strftime("%b"))
ax.set(xlabel="month", ylabel="average minutes lost")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()
lead = monthwise["AS"] - monthwise["HA"]
print("Alaska minus Hawaiian, by month:", ", ".join(f"{value:+.0f}" for value in lead))
print(f"Hawaiian in January: {monthwise.loc[1, 'HA']:+.0f}; the average carrier: {monthwise.loc[1].mean():+.0f}")
assert (lead[:3] > 0).all()
assert (lead[5:11] < 0).all()

# %% [markdown]
# From January to May Hawaiian made up more, by far in January and February; from June to December Alaska did.
# The yearly average of the two is a number about no season.
# And the 47 minutes of notebook 02 belong to a January in which Hawaiian made up more than half of that on average (the last line printed): they were less special than they looked.
# One year says little about two such carriers.
#
# They fly from different airports, too. At *equal* airport they can be compared only if carriers and airports add up; as they flew, the gap is about half as large, on the days of the fit as in the whole year.
#
# | sentence | may you say it? |
# |---|---|
# | "Alaska's flights made up more than Hawaiian's on the same days of 2013" | yes, as they flew: count them. As a habit of the two, no: the difference is less than two counted standard errors from zero, and changes sign within the year |
# | "The day tells more about your flight than carrier and airport" | yes, for a day that you know; for tomorrow you know only how far days differ |
# | "Flights lose more in December than in September" | on the days of the fit yes; of other years no: this is one December and one September, and no interval here knows how Decembers differ |
# | "Of this flight's surprise, so many minutes are the carrier's" | no: the split of the spread is the prior's |
# | "At equal distance Alaska was still ahead in 2013" | yes: so says the line, and so do the flights of its rival on the same route. That it is a habit is likely, and not certain |
# | "At equal distance Hawaiian is still ahead" | no: there the answer depends on the line, whose slope is not known well enough |
# | "Hawaiian's pilots make up time" | no: one carrier, one route, one timetable of its own making |
# | "On a bad day my flight loses so much" | only if it flies: on 8 and 9 February more than half of the timetable has no arrival |
# | "One flight in so many loses an hour" | not from this model: its tail is too short; [16](16_tails_that_add_up.ipynb) has the tail |
#
# Compare the order that you wrote down with the one that the flights gave.
# The day comes first, by far.
# So ask for the day. But nobody knows what kind of day it will be when you buy the ticket.
#
# ## Check yourself
#
# The quiz asks about ideas.
# In the [exercises](exercises/15_exercises.ipynb) you check for shared days, correct standard errors, fit and predict a day of your own, and tell two slopes apart.

# %%
mlm.quiz("15")

# %% [markdown]
# ## What to remember
#
# - Ask before the fit what the design can tell: with days nested in months, the means of both are open. `mlm.identification` looks at the rank.
# - A fit that converged, with narrow intervals, can rest on flights that are not independent. Add up what a group misses, and divide by what the model allows.
# - A layer for what rows share widens what is averaged over it. It does not make all intervals right: what a day does to one carrier needs a layer of its own, or a count by blocks.
# - Put whole groups aside if new groups are what you want to predict; single rows will not notice.
# - A number beside the labels is a straight line at equal labels. Ask whether it is straight, and whether rows share its slope.
# - Claim means and differences that the design fixes. Do not claim a split of spread, a cause that always comes with another, or a tail that the model does not have.
#
# ## Going further
#
# - B. R. Moulton (1990), *An Illustration of a Pitfall in Estimating the Effects of Aggregate Variables on Micro Units*, Review of Economics and Statistics 72, 334-338, [doi:10.2307/2109724](https://doi.org/10.2307/2109724). Rows that share a group, and standard errors that do not know it.
# - D. R. Roberts and others (2017), *Cross-validation strategies for data with temporal, spatial, hierarchical, or phylogenetic structure*, Ecography 40, 913-929, [doi:10.1111/ecog.02881](https://doi.org/10.1111/ecog.02881). Why whole groups are put aside.
# - T. Gneiting and A. E. Raftery (2007), *Strictly Proper Scoring Rules, Prediction, and Estimation*, Journal of the American Statistical Association 102, 359-378, [doi:10.1198/016214506000001437](https://doi.org/10.1198/016214506000001437). The interval score, and why it cannot be cheated.
# - A. Gelman (2005), *Analysis of variance: why it is more important than ever*, Annals of Statistics 33, 1-53, [doi:10.1214/009053604000001048](https://doi.org/10.1214/009053604000001048). Layers compared by how far their contributors differ.
# - M. A. Hernán and J. M. Robins (2020), *Causal Inference: What If*, Chapman & Hall/CRC, [free from its authors](https://www.hsph.harvard.edu/miguel-hernan/causal-inference-book/). What a claim about pilots would need.

# %%
print(mlm.version_line())
