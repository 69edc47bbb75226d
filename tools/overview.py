"""Draw the figure of the README: flights, what carriers lose on average, and one flight taken apart."""

from pathlib import Path

import matplotlib.pyplot as plt
import seaborn as sns

import mlm_tutorial as mlm

LAYERS = ["carrier", "origin", "month"]

mlm.use_style()
flights = mlm.load_flights()
cells = mlm.cell_statistics(flights, "minutes_lost", LAYERS)
idata = mlm.sample(mlm.cell_model(cells), seed=1)
mlm.check_convergence(idata)

# A flight of an airline that makes time up, which lost a lot of it.
late = flights.query("carrier == 'B6' and origin == 'JFK' and month == 7 and minutes_lost == 60").head(1)
parts = mlm.decompose(idata, late, "minutes_lost", LAYERS)
names = {"carrier": "carrier: JetBlue", "origin": "airport: JFK", "month": "month: July"}

figure = plt.figure(figsize=(13, 7))
left, right = figure.subfigures(1, 2, width_ratios=[1.1, 1])
top, bottom = right.subfigures(2, 1, height_ratios=[1, 1.1])
ax = left.subplots()
mlm.plot_contributors(idata, "carrier", names=mlm.load_airlines(), unit="minutes", ax=ax)
ax.set(title="Who loses time in the air? Means of 16 carriers", ylabel="")
ax.legend(loc="lower right")
ax = top.subplots()
sns.histplot(flights["minutes_lost"], binwidth=5, color=mlm.COLORS["data"], ax=ax)
ax.set(
    title=f"{len(flights):,} totals: minutes lost between departure and arrival",
    xlabel="minutes",
    ylabel="flights",
    xlim=(-70, 120),
)
ax = bottom.subplots()
mlm.plot_decomposition(parts, 0, names, unit="minutes", ax=ax)
ax.set_title("One flight that lost 60 minutes, taken apart")
figure.savefig(Path(__file__).parents[1] / "results" / "figures" / "overview.png", dpi=110)
plt.close(figure)
