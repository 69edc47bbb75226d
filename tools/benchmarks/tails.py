"""Unseen days of flights: the log density that models without and with tails, and with a layer for the day, give them.

Every second day of the year is fitted, the others are judged. A day is a new contributor to them: flights of one day
move together, so standard errors count days.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.special import logsumexp
from scipy.stats import johnsonsu, norm

from tools.benchmarks.words import Table, number
from tools.benchmarks.workers import measure

TOTAL, DAY = "minutes_lost", "date"
#: Whether a model has tails, and its layers.
MODELS = {
    "normal": (False, ["carrier"]),
    "normal, day": (False, ["carrier", DAY]),
    "tails": (True, ["carrier"]),
    "tails, day": (True, ["carrier", DAY]),
}
REFERENCE, JOHNSON = "normal", "Johnson's S_U"
#: Width in minutes of the bins in which the models with tails count flights.
WIDTH = 5
#: Draws of a posterior that are judged, and values over which a new day's mean is integrated, within `REACH` sd.
N_DRAWS, N_NODES, REACH = 40, 121, 6.0
HOUR = 60
LEAST_FLIGHTS = 10
LIMIT = 1800


def load(quick: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return flights of every second day, and those of the other days; of carriers with enough of the former."""
    import mlm_tutorial as mlm

    flights = mlm.load_flights()
    flights[DAY] = 100 * flights["month"].astype(int) + flights["day"]
    if quick:
        flights = flights[flights[DAY] <= 110]
    dates = np.sort(flights[DAY].unique())
    seen, unseen = (flights[flights[DAY].isin(dates[k::2])] for k in (0, 1))
    counts = seen["carrier"].value_counts()
    carriers = counts.index[counts >= LEAST_FLIGHTS]
    return seen[seen["carrier"].isin(carriers)], unseen[unseen["carrier"].isin(carriers)]


def fit(frame: pd.DataFrame, tails: bool, layers: list[str]):
    """Return the posterior of a pooled model; a day moves its flights, and adds no spread of its own."""
    import mlm_tutorial as mlm

    known = {DAY: 0} if DAY in layers else None
    if tails:
        counts = mlm.count_totals(frame, TOTAL, layers, width=WIDTH)
        model = mlm.tail_model(counts, mlm.Priors.from_cells(counts.cells, known_sigma=known))
    else:
        cells = mlm.cell_statistics(frame, TOTAL, layers)
        model = mlm.cell_model(cells, mlm.Priors.from_cells(cells, known_sigma=known))
    return mlm.sample(model, seed=1, progress=False)


def log_densities(idata, flights: pd.DataFrame) -> tuple[np.ndarray, pd.Series]:
    """Return the log density of each flight by itself, and of each day's flights together.

    Parameters
    ----------
    idata : xarray.DataTree
        A posterior with the layer ``carrier``, and maybe one for the day.
    flights : pandas.DataFrame
        Flights of days that are not in the posterior.

    Returns
    -------
    numpy.ndarray, pandas.Series
        By flight, in the order of `flights`; and by day, where the mean of a new day, normal with standard deviation
        tau times the root of 1 + 1/m for m known days, is integrated out by the trapezoidal rule.
    """
    import mlm_tutorial as mlm
    from mlm_tutorial.sampling import posterior_of

    size = posterior_of(idata).sizes
    some = idata.isel(draw=slice(None, None, max(1, size["chain"] * size["draw"] // N_DRAWS)))
    layers = ["carrier", DAY] if DAY in size else ["carrier"]
    single = mlm.log_predictive_density(some, flights, TOTAL, layers).values
    posterior = posterior_of(some).stack(s=("chain", "draw"))
    mean = (posterior["mu_baseline"] + posterior["mu_carrier"]).transpose("carrier", "s")
    variance = (posterior["sigma_baseline"] ** 2 + posterior["sigma_carrier"] ** 2).transpose("carrier", "s")
    rows = mean.get_index("carrier")
    shape = [posterior[name].values for name in ("skewness", "tail_weight") if name in posterior]
    node, sd = np.zeros(1), np.zeros(posterior.sizes["s"])
    log_weight = np.zeros(1)
    if DAY in layers:
        node = np.linspace(-REACH, REACH, N_NODES)
        log_weight = norm.logpdf(node) + np.log(node[1] - node[0])
        sd = posterior["tau_" + DAY].values * np.sqrt(1 + 1 / size[DAY])
        # The average of the days that were seen is zero, as is that of their population as far as they tell.
    found = {}
    for day, part in flights.groupby(DAY):
        counts = part.groupby(["carrier", TOTAL], observed=True).size()
        code = rows.get_indexer(counts.index.get_level_values("carrier"))
        value = counts.index.get_level_values(TOTAL).to_numpy(float)
        # Nodes, counts, draws.
        off = value[:, None] - mean.values[code] - node[:, None, None] * sd
        terms = log_density_of(off, variance.values[code], shape)
        together = np.einsum("kns,n->ks", terms, counts.to_numpy(float))
        found[day] = logsumexp(together + log_weight[:, None]) - np.log(together.shape[1])
    return single, pd.Series(found)


def log_density_of(deviation: np.ndarray, variance: np.ndarray, shape: list[np.ndarray]) -> np.ndarray:
    """Return log densities of deviations from the mean: normal, or with tails where `shape` has two arrays."""
    from mlm_tutorial import levy

    if shape:
        return levy.log_density(deviation, variance, *shape)
    return -0.5 * (deviation**2 / variance + np.log(2 * np.pi * variance))


def share_of_an_hour(idata, flights: pd.DataFrame) -> float:
    """Return the share of these flights that is expected to lose an hour or more, from `N_DRAWS` joint draws."""
    import mlm_tutorial as mlm

    layers = [name for name in ("carrier", DAY) if f"mu_{name}" in idata["posterior"]]
    draws = mlm.predict(idata, flights, layers, draws=N_DRAWS, rng=1)["draws"].values
    return float((draws > HOUR - 0.5).mean())


def johnson(seen: pd.DataFrame, unseen: pd.DataFrame) -> tuple[np.ndarray, float]:
    """Return log densities of unseen flights, and the share that loses an hour, of a free shape fitted to the seen.

    Each carrier has the average and the standard deviation of its seen flights; the shape of what is left is Johnson's
    S_U distribution, all four parameters by maximum likelihood. It does not add up: it describes totals alone.
    """
    by_carrier = seen.groupby("carrier", observed=True)[TOTAL].agg(["mean", "std"])

    def standardized(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        own = by_carrier.loc[frame["carrier"]]
        return (frame[TOTAL].to_numpy(float) - own["mean"].to_numpy()) / own["std"].to_numpy(), own["std"].to_numpy()

    shape = johnsonsu.fit(standardized(seen)[0], -1, 1.5)
    z, sd = standardized(unseen)
    beyond = z + (HOUR - 0.5 - unseen[TOTAL].to_numpy(float)) / sd
    return johnsonsu.logpdf(z, *shape) - np.log(sd), float(johnsonsu.sf(beyond, *shape).mean())


def gain(difference: pd.Series, flights: pd.Series) -> tuple[float, float, float]:
    """Return the gain per flight, its standard error, and the share of days with a gain, from sums and counts by day.

    The error is that of a ratio of two totals over days (Cochran 1977, *Sampling techniques*, section 6.4), without the
    correction for a finite population.
    """
    per_flight = difference.sum() / flights.sum()
    left = difference - per_flight * flights
    n = len(flights)
    error = np.sqrt(n / (n - 1) * (left**2).sum()) / flights.sum()
    return float(per_flight), float(error), float((difference > 0).mean())


# The benchmark


def run(quick: bool = False, repeats: int = 1, report: Callable[[str], None] = print) -> list[dict]:
    """Fit every model once; return a row for each."""
    names = [REFERENCE, "tails"] if quick else list(MODELS)
    answers = {}
    for name in names:
        answers[name] = measure("tools.benchmarks.tails:prepare", LIMIT, name=name, quick=quick)
        report(f"{name}: {answers[name]['problem'] or 'passed'}, {answers[name]['sampling_seconds']:.0f} s of sampling")
    answers[JOHNSON] = measure("tools.benchmarks.tails:prepare_johnson", LIMIT, quick=quick)
    _, unseen = load(quick)
    flights = unseen.groupby(DAY).size()
    rows = []
    for name, answer in answers.items():
        row = {"model": name, "days": len(flights), "flights": len(unseen), "problem": answer["problem"]}
        row |= {"hour": answer["hour"], "hour_seen": float((unseen[TOTAL] > HOUR - 0.5).mean())}
        if "sampling_seconds" in answer:
            row["sampling_seconds"] = answer["sampling_seconds"]
        for kind in ("single", "together"):
            difference = pd.Series(answer[kind], flights.index) - pd.Series(answers[REFERENCE][kind], flights.index)
            row |= dict(zip((kind, f"{kind}_error", f"{kind}_days"), gain(difference, flights), strict=True))
        rows.append(row)
    return rows


def prepare(name: str, quick: bool) -> Callable[[], dict]:
    """Return a function that fits a model and returns log densities of the unseen days."""
    import mlm_tutorial as mlm

    seen, unseen = load(quick)

    def answer() -> dict:
        idata = fit(seen, *MODELS[name])
        try:
            mlm.check_convergence(idata)
            problem = ""
        except mlm.ConvergenceError as error:
            problem = str(error)
        single, together = log_densities(idata, unseen)
        return {
            "problem": problem,
            "sampling_seconds": float(idata.attrs["sampling_seconds"]),
            "single": _by_day(single, unseen),
            "together": together.tolist(),
            "hour": share_of_an_hour(idata, unseen),
        }

    return answer


def prepare_johnson(quick: bool) -> Callable[[], dict]:
    """Return a function that fits Johnson's distribution; flights of a day are independent to it."""
    seen, unseen = load(quick)

    def answer() -> dict:
        single, hour = johnson(seen, unseen)
        by_day = _by_day(single, unseen)
        return {"problem": "", "single": by_day, "together": by_day, "hour": hour}

    return answer


def _by_day(values: np.ndarray, flights: pd.DataFrame) -> list[float]:
    return pd.Series(values).groupby(flights[DAY].to_numpy()).sum().tolist()


# Tables and sentences


def compared(content: dict) -> Table:
    """Return the table of gains over the normal model."""
    first = content["rows"][0]
    seen = f"an hour or more lost; {10_000 * first['hour_seen']:.0f} in 10,000 flights did"
    header = ("model", "each flight by itself", "each day as a whole", seen)
    table = []
    for row in content["rows"]:
        if row["problem"]:
            table.append((row["model"], "not converged", "", ""))
            continue
        gains = ["0" if row["model"] == REFERENCE else _gain(row, kind) for kind in ("single", "together")]
        table.append((row["model"], *gains, number(10_000 * row["hour"])))
    return header, table


def _gain(row: dict, kind: str) -> str:
    value, error, days = 1_000 * row[kind], 1_000 * row[f"{kind}_error"], row[f"{kind}_days"]
    return f"{value:+.1f}, error {error:.1f}, on {days:.0%} of days"


TABLES = [("Unseen days: gain of log density over the normal model, in 1,000 flights", compared)]


def claims(content: dict) -> list[str]:
    """Return a sentence on what tails, the day and both gain."""
    rows = {row["model"]: row for row in content["rows"] if not row["problem"]}
    first = content["rows"][0]

    def gained(name: str, kind: str) -> str:
        return f"{1_000 * rows[name][kind]:.0f} (standard error {1_000 * rows[name][f'{kind}_error']:.0f})"

    parts = []
    if "tails" in rows:
        parts.append(f"tails gain {gained('tails', 'single')} where each flight is taken by itself")
    if JOHNSON in rows:
        parts.append(f"a free shape, Johnson's, gains {gained(JOHNSON, 'single')} there")
    if "normal, day" in rows:
        parts.append(f"a layer for the day gains {gained('normal, day', 'together')} where each day is one whole")
    if "tails, day" in rows:
        parts.append(f"both together gain {gained('tails, day', 'together')}")
    text = f"in 1,000 flights {'; '.join(parts)}" if parts else "no other model converged"
    return [f"Of the log density of {first['flights']:,} flights on {first['days']} unseen days, {text}."]
