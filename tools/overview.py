"""Draw the figure of the README and of the site's first page, once for a wide screen and once for a phone.

The numbers that the first page says in words are stored beside it, so that nothing is typed there.
"""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from xarray import Dataset, DataTree

import mlm_tutorial as mlm
from tools import project, results

LAYERS = ["carrier", "origin", "month"]
FIGURES = project.RESULTS / "figures"


def airlines() -> pd.Series:
    """Return the names of the carriers, without legal forms."""
    return mlm.load_airlines().str.replace(r" (Inc\.|Co\.|Corporation)$", "", regex=True)


def fit(flights: pd.DataFrame, layers: list[str]) -> DataTree:
    """Return the posterior of all flights with these layers."""
    idata = mlm.sample(mlm.cell_model(mlm.cell_statistics(flights, "minutes_lost", layers)), seed=1, draws=1500)
    mlm.check_convergence(idata)
    return idata


def facts(idata: DataTree) -> dict:
    """Return each carrier's mean, counted from the average carrier, its interval, and its chance to lose most."""
    draws, names = idata["posterior"]["mu_carrier"], airlines()
    last = draws.idxmax("carrier").to_series().value_counts(normalize=True)
    found = {}
    for code in draws.mean(["chain", "draw"]).to_series().sort_values(ascending=False).index:
        one = draws.sel(carrier=code)
        found[names[code]] = {
            "mean": round(float(one.mean()), 2),
            "interval_89": [round(float(bound), 2) for bound in one.quantile([0.055, 0.945])],
            "chance_to_lose_most": round(float(last.get(code, 0.0)), 3),
        }
    return found


def smallest_text(figure: Figure) -> float:
    """Return the size, in points, of the smallest text of a figure."""
    texts = figure.findobj(lambda part: isinstance(part, Text) and part.get_visible() and bool(part.get_text().strip()))
    return min(text.get_fontsize() for text in texts)  # type: ignore[attr-defined]


def draw(axes: list[Axes], idata: DataTree, flights: pd.DataFrame, parts: Dataset, narrow: bool) -> None:
    """Draw the carriers' means, all totals, and one flight's parts; a narrow figure has titles of two lines."""
    means, totals, split = axes
    newline = "\n" if narrow else " "
    mlm.plot_contributors(idata, "carrier", names=airlines(), ax=means)
    means.set(title=f"Who loses time on the way?{newline}Means of 16 carriers", ylabel="")
    means.set_xlabel("minutes from the average carrier")
    means.legend(loc="upper left", handlelength=0.8, handletextpad=0.5, borderpad=0)  # sorted: this corner is empty
    sns.histplot(flights["minutes_lost"], binwidth=5, color=mlm.COLORS["data"], ax=totals)
    totals.set(
        title=f"{len(flights):,} totals: minutes lost{newline}from gate to gate",
        xlabel="minutes",
        ylabel="flights",
        xlim=(-70, 120),
    )
    words = {"carrier": "carrier: JetBlue", "origin": "airport: JFK", "month": "month: July"}
    if narrow:
        words = {name: text.replace(": ", ":\n") for name, text in words.items()}
    mlm.plot_decomposition(parts, 0, words, unit="minutes (±: one standard deviation)", ax=split)
    split.set_title(f"One flight that lost 60 minutes:{newline}a split, and how uncertain it is")


def main() -> None:
    """Fit the flights, draw both figures, and store the numbers."""
    mlm.use_style()
    flights = mlm.load_flights()
    days = pd.to_datetime({"year": 2013, "month": flights["month"], "day": flights["day"]})
    flights["date"] = days.dt.strftime("%Y-%m-%d")
    idata = fit(flights, LAYERS)
    carriers = {"month": facts(idata), "day": facts(fit(flights, ["carrier", "origin", "date"]))}
    # A flight that lost a lot of time, in the month of thunderstorms.
    late = flights.query("carrier == 'B6' and origin == 'JFK' and month == 7 and minutes_lost == 60").head(1)
    parts = mlm.decompose(idata, late, "minutes_lost", LAYERS)

    wide = plt.figure(figsize=(13, 7))
    left, right = wide.subfigures(1, 2, width_ratios=[1.1, 1])
    top, bottom = right.subfigures(2, 1, height_ratios=[1, 1.1])
    draw([left.subplots(), top.subplots(), bottom.subplots()], idata, flights, parts, narrow=False)
    narrow = plt.figure(figsize=(4.4, 12.5))
    panels = [part.subplots() for part in narrow.subfigures(3, 1, height_ratios=[1.7, 0.9, 1.1])]
    draw(panels, idata, flights, parts, narrow=True)

    sizes = {}
    for name, figure, dpi in (("overview", wide, 110), ("overview_phone", narrow, 160)):
        figure.savefig(FIGURES / f"{name}.png", dpi=dpi)
        sizes[name] = {"dpi": dpi, "smallest_text_points": smallest_text(figure)}
        plt.close(figure)
    split = {
        str(name): [round(float(x), 1) for x in one]
        for name, *one in zip(parts["component"].values, parts["mean"].values[0], parts["sd"].values[0], strict=True)
    }
    results.store("overview", {"carriers": carriers, "one_flight_mean_and_sd": split, "figures": sizes})


if __name__ == "__main__":
    main()
