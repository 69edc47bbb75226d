"""The comparison of models on unseen days: densities of flights and of whole days, and errors that count days."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import integrate, stats

from mlm_tutorial import levy
from tools.benchmarks import tails


def posterior_with(shape):
    """Return a posterior of two draws with two carriers and three known days, normal or with tails."""
    rng = np.random.default_rng(1)

    def draws(*dims, low=-5.0, high=5.0):
        return ("chain", "draw", *dims), rng.uniform(low, high, (1, 2, *[{"carrier": 2, "date": 3}[x] for x in dims]))

    data = {"mu_baseline": draws(), "mu_carrier": draws("carrier"), "mu_date": draws("date")}
    data["mu_date"][1][:] -= data["mu_date"][1].mean(axis=-1, keepdims=True)  # as in every posterior
    data |= {"sigma_baseline": draws(low=2), "sigma_carrier": draws("carrier", low=2)}
    data |= {"sigma_date": (("chain", "draw", "date"), np.zeros((1, 2, 3))), "tau_date": draws(low=1)}
    if shape:
        data |= {"skewness": draws(low=0, high=0.5), "tail_weight": draws(low=2)}
    coords = {"carrier": ["a", "b"], "date": [1, 3, 5]}
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs={"absent": []}), "posterior": xr.Dataset(data, coords)})


FLIGHTS = pd.DataFrame(
    {"carrier": ["a", "b", "a", "a", "b"], "date": [2, 2, 2, 4, 4], "minutes_lost": [3.0, -8.0, 3.0, 20.0, 1.0]}
)


def test_a_days_density_is_that_of_correlated_normals():
    tree = posterior_with(shape=False)
    single, together = tails.log_densities(tree, FLIGHTS)
    posterior = tree["posterior"].to_dataset().isel(chain=0)
    for day, part in FLIGHTS.groupby("date"):
        by_draw = []
        for s in range(2):
            one = posterior.isel(draw=s)
            mean = float(one["mu_baseline"]) + one["mu_carrier"].sel(carrier=part["carrier"].tolist()).values
            own = float(one["sigma_baseline"]) ** 2 + one["sigma_carrier"].sel(carrier=part["carrier"].tolist()) ** 2
            covariance = np.diag(own.values) + float(one["tau_date"]) ** 2 * (1 + 1 / 3)
            by_draw.append(stats.multivariate_normal(mean, covariance).pdf(part["minutes_lost"]))
            if len(part) == 2:
                alone = stats.norm(mean, np.sqrt(np.diag(covariance))).pdf(part["minutes_lost"])
                by_draw[-1] = (by_draw[-1], alone)
        if len(part) == 2:
            pairs, alone = zip(*by_draw, strict=True)
            np.testing.assert_allclose(single[3:], np.log(np.mean(alone, axis=0)), rtol=1e-9)
            by_draw = pairs
        assert together[day] == pytest.approx(np.log(np.mean(by_draw)), abs=1e-7)


def test_a_days_density_with_tails_is_the_integral_over_its_mean():
    tree = posterior_with(shape=True)
    _, together = tails.log_densities(tree, FLIGHTS)
    posterior = tree["posterior"].to_dataset().isel(chain=0)
    part = FLIGHTS[FLIGHTS["date"] == 4]
    by_draw = []
    for s in range(2):
        one = posterior.isel(draw=s)
        mean = float(one["mu_baseline"]) + one["mu_carrier"].sel(carrier=part["carrier"].tolist()).values
        own = float(one["sigma_baseline"]) ** 2 + one["sigma_carrier"].sel(carrier=part["carrier"].tolist()).values ** 2
        sd = float(one["tau_date"]) * np.sqrt(4 / 3)
        shape = float(one["skewness"]), float(one["tail_weight"])

        def density(d, mean=mean, own=own, sd=sd, shape=shape):
            deviation = part["minutes_lost"].to_numpy() - mean - d
            return np.exp(levy.log_density(deviation, own, *shape).sum()) * stats.norm(0, sd).pdf(d)

        by_draw.append(integrate.quad(density, -60, 60, points=[0], epsabs=1e-14)[0])
    assert together[4] == pytest.approx(np.log(np.mean(by_draw)), abs=1e-6)


def test_every_second_day_of_the_year_is_judged():
    seen, unseen = tails.load(quick=False)
    assert (seen["date"].nunique(), unseen["date"].nunique()) == (183, 182)
    assert not set(seen["date"]) & set(unseen["date"])
    assert len(seen) + len(unseen) > 327_000


def test_errors_count_days():
    """With as many flights on each day, the error is that of the average over days."""
    difference = pd.Series([3.0, 5.0, -1.0, 9.0])
    value, error, better = tails.gain(difference, pd.Series([10, 10, 10, 10]))
    assert value == pytest.approx(0.4)
    assert error == pytest.approx(difference.sem() / 10)
    assert better == 0.75


def test_a_free_shape_is_close_to_the_normal_on_normal_totals():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"carrier": rng.choice(["a", "b"], 4000)})
    frame["minutes_lost"] = np.where(frame["carrier"] == "a", rng.normal(5, 10, 4000), rng.normal(-5, 30, 4000))
    density, hour = tails.johnson(frame[:2000], frame[2000:])
    a = (frame["carrier"] == "a").to_numpy()[2000:]
    sure = np.where(a, stats.norm(5, 10).logpdf(frame["minutes_lost"][2000:]), 0)
    sure += np.where(a, 0, stats.norm(-5, 30).logpdf(frame["minutes_lost"][2000:]))
    assert density.mean() == pytest.approx(sure.mean(), abs=0.01)
    assert hour == pytest.approx(np.mean(~a) * stats.norm(-5, 30).sf(59.5), rel=0.3)


def test_results_that_did_not_converge_show_no_numbers():
    row = {"model": "normal", "problem": "", "flights": 100, "days": 5, "hour": 0.01, "hour_seen": 0.02}
    row |= dict.fromkeys(("single", "single_error", "single_days", "together", "together_error", "together_days"), 0.5)
    content = {"rows": [row, row | {"model": "tails", "problem": "R-hat"}]}
    assert tails.compared(content)[1] == [("normal", "0", "0", "100"), ("tails", "not converged", "", "")]
    assert tails.claims(content) == ["Of the log density of 100 flights on 5 unseen days, no other model converged."]
