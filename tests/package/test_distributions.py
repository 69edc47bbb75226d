"""StandardNormal and NormalCells agree with SciPy in density, distribution function, quantiles and draws."""

import logging
import warnings

import numpy as np
import nutpie
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pymc.distributions.distribution import support_point
from pymc.logprob.utils import ParameterValueError
from pymc.testing import R, check_icdf, check_logcdf, check_logp, check_selfconsistency_icdf
from pytensor.gradient import verify_grad
from scipy import stats

from mlm_tutorial import NormalCells, StandardNormal

FALSE_ALARM = 1e-6  # of every comparison of draws with a distribution
TAILS = np.array([-1e10, -100, -38, -10, -1 - 1e-12, -1, -1 + 1e-12, -1e-300, 0, 0.5, 1, 5, 8, 30, 37, 100, 1e10])
PROBABILITIES = np.array([0, 5e-324, 1e-300, 1e-20, 1e-3, 0.3, 0.5, 0.7, 1 - 1e-3, 1 - 2**-53, 1])

VALUE = pt.dvector("value")


def evaluated(graph, value):
    return pytensor.function([VALUE], graph, mode="FAST_COMPILE")(np.asarray(value, dtype=float))


def assert_standard_normal(z):
    """Check the shape by a Kolmogorov-Smirnov test, and the scale, for which it has little power, by a chi-squared."""
    z = np.ravel(z)
    assert stats.kstest(z, stats.norm.cdf).pvalue > FALSE_ALARM / 2
    assert FALSE_ALARM / 4 < stats.chi2.cdf(np.sum(z**2), len(z)) < 1 - FALSE_ALARM / 4


@pytest.fixture
def fast_compile():
    """Compile in the mode that starts fastest. What depends on the numbers drawn is tested in the default mode."""
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        yield


quickly = pytest.mark.usefixtures("fast_compile")


# --- StandardNormal ---


@quickly
def test_pymcs_own_checkers_accept_the_standard_normal():
    check_logp(StandardNormal, R, {}, lambda value: stats.norm.logpdf(value))
    check_logcdf(StandardNormal, R, {}, lambda value: stats.norm.logcdf(value))
    check_icdf(StandardNormal, {}, stats.norm.ppf)
    check_selfconsistency_icdf(StandardNormal, {})


@pytest.mark.parametrize("reference", ["scipy", "pm.Normal"])
@pytest.mark.parametrize(
    ("function", "scipys", "values"),
    [
        (pm.logp, stats.norm.logpdf, TAILS),
        (pm.logcdf, stats.norm.logcdf, TAILS),
        (pm.icdf, stats.norm.ppf, PROBABILITIES),
    ],
    ids=["logp", "logcdf", "icdf"],
)
def test_standard_normal_is_accurate_in_extreme_tails(function, scipys, values, reference):
    got = evaluated(function(StandardNormal.dist(), VALUE), values)
    if reference == "scipy":
        np.testing.assert_allclose(got, scipys(values), rtol=1e-12)
    else:  # which computes its constants in single precision
        np.testing.assert_allclose(got, evaluated(function(pm.Normal.dist(0.0, 1.0), VALUE), values), rtol=1e-4)


def test_standard_normal_at_infinity():
    ends = [-np.inf, np.inf]
    assert evaluated(pm.logp(StandardNormal.dist(), VALUE), ends).tolist() == [-np.inf, -np.inf]
    assert evaluated(pm.logcdf(StandardNormal.dist(), VALUE), ends).tolist() == [-np.inf, 0]


@pytest.mark.parametrize("p", [-1e-300, -1, 1 + 1e-15, 2, np.nan])
def test_quantiles_outside_zero_to_one_are_nan(p):
    assert np.isnan(evaluated(pm.icdf(StandardNormal.dist(), VALUE), [p])).all()


def test_gradients_of_the_standard_normal_are_exact_in_the_tails():
    z = TAILS[1:-1]
    gradient = evaluated(pytensor.grad(pm.logp(StandardNormal.dist(), VALUE).sum(), VALUE), z)
    np.testing.assert_allclose(gradient, -z, rtol=1e-14)
    gradient = evaluated(pytensor.grad(pm.logcdf(StandardNormal.dist(), VALUE).sum(), VALUE), z)
    np.testing.assert_allclose(gradient, np.exp(stats.norm.logpdf(z) - stats.norm.logcdf(z)), rtol=1e-10)
    q = np.array([1e-10, 0.1, 0.5, 0.99])
    gradient = evaluated(pytensor.grad(pm.icdf(StandardNormal.dist(), VALUE).sum(), VALUE), q)
    np.testing.assert_allclose(gradient, 1 / stats.norm.pdf(stats.norm.ppf(q)), rtol=1e-10)


@quickly
@pytest.mark.parametrize("function", [pm.logp, pm.logcdf])
def test_gradients_of_the_standard_normal_agree_with_numerical_ones(function):
    z = np.array([-3.0, -1.1, -0.2, 0.9, 2.5])
    verify_grad(lambda value: function(StandardNormal.dist(), value), [z], rng=np.random.default_rng(0))


@quickly
@pytest.mark.parametrize(
    ("arguments", "shape"),
    [({}, ()), ({"shape": 3}, (3,)), ({"shape": (2, 3)}, (2, 3)), ({"size": (4, 1)}, (4, 1)), ({"shape": (0,)}, (0,))],
    ids=str,
)
def test_shapes_and_support_point_of_the_standard_normal(arguments, shape):
    z = StandardNormal.dist(**arguments)
    assert pm.draw(z, random_seed=0).shape == shape
    assert pm.draw(z, draws=2, random_seed=0).shape == (2, *shape)
    np.testing.assert_array_equal(support_point(z).eval(), np.zeros(shape))


def test_draws_of_the_standard_normal_are_standard_normal():
    draws = pm.draw(StandardNormal.dist(shape=(100, 1_000)), random_seed=20_240_801)
    assert_standard_normal(draws)
    assert not np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws, pm.draw(StandardNormal.dist(shape=(100, 1_000)), random_seed=1))


@quickly
def test_the_standard_normal_is_a_variable_like_any_other():
    with pm.Model(coords={"home": list("abc")}) as model:
        z = StandardNormal("z", dims="home")
        pm.Deterministic("x", 3 + 2 * z, dims="home")
        StandardNormal("observed", observed=[0.5, -0.5])
        prior = pm.sample_prior_predictive(50, random_seed=0)
    assert model.initial_point()["z"].tolist() == [0, 0, 0]
    assert prior.prior["z"].dims == ("chain", "draw", "home")
    np.testing.assert_allclose(prior.prior["x"], 3 + 2 * prior.prior["z"])
    point = {"z": np.array([1.0, -2.0, 0.3])}
    expected = stats.norm.logpdf(point["z"]).sum() + stats.norm.logpdf([0.5, -0.5]).sum()
    assert model.compile_logp()(point) == pytest.approx(expected, rel=1e-14)
    assert "StandardNormal" in model.str_repr()


def test_the_standard_normal_leaves_pymcs_normal_alone():
    x = np.array([-3.0, 0.0, 2.5, 4.0])
    with pm.Model() as model:
        StandardNormal("z")
        pm.Normal("x", 2.5, 3.0, shape=4)
    assert model.compile_logp()({"z": 0.0, "x": x}) == pytest.approx(
        stats.norm.logpdf(0) + stats.norm(2.5, 3).logpdf(x).sum(), rel=1e-6
    )
    normal = pm.Normal.dist(2.5, 3.0)
    np.testing.assert_allclose(evaluated(pm.logcdf(normal, VALUE), x), stats.norm(2.5, 3).logcdf(x), rtol=1e-5)
    np.testing.assert_allclose(
        evaluated(pm.icdf(normal, VALUE), [0.1, 0.9]), stats.norm(2.5, 3).ppf([0.1, 0.9]), rtol=1e-5
    )
    assert support_point(normal).eval() == 2.5
    assert_standard_normal((pm.draw(normal, 20_000, random_seed=1) - 2.5) / 3)


@pytest.mark.slow
def test_nutpie_samples_the_standard_normal_without_a_warning(caplog):
    with warnings.catch_warnings(record=True) as caught, caplog.at_level(logging.WARNING):
        warnings.simplefilter("always")
        with pm.Model(coords={"dim": range(50)}) as model:
            StandardNormal("z", dims="dim")
        compiled = nutpie.compile_pymc_model(model)
        idata = nutpie.sample(compiled, draws=500, tune=300, chains=2, seed=3, progress_bar=False)
    assert [str(warning.message) for warning in caught] == []
    assert caplog.records == []
    assert not idata.sample_stats["diverging"].any()
    # Every tenth draw, so that draws of one chain are as good as independent.
    z = idata.posterior["z"].values[:, ::10]
    assert_standard_normal(z)


# --- NormalCells ---


def rows_and_cells(n, seed):
    """Return normal rows of cells of sizes n, with each cell's mean and centered sum of squares."""
    rng = np.random.default_rng(seed)
    rows = [rng.normal(3, 2, size=size) for size in n]
    return rows, np.array([[x.mean(), np.sum((x - x.mean()) ** 2)] for x in rows])


def logp(value, mu, sigma, n):
    return pm.logp(NormalCells.dist(mu, sigma, n), np.asarray(value, dtype=float)).eval(mode="FAST_COMPILE")


@pytest.mark.parametrize("seed", range(5))
def test_density_of_a_cell_is_that_of_its_rows(seed):
    rng = np.random.default_rng(seed)
    n = [1, 2, *rng.integers(1, 200, size=6)]
    rows, cells = rows_and_cells(n, seed)
    assert cells[0, 1] == 0
    mu, sigma = rng.normal(3, 2, size=8), rng.lognormal(size=8)
    expected = [stats.norm(m, s).logpdf(x).sum() for x, m, s in zip(rows, mu, sigma, strict=True)]
    np.testing.assert_allclose(logp(cells, mu, sigma, n), expected, rtol=1e-12)


def test_density_of_a_cell_matches_its_statistics_up_to_a_constant():
    n = np.array([2, 3, 10, 1_000])
    _, cells = rows_and_cells(n, 1)
    mean, sum_sq = cells.T
    terms = []
    for mu, sigma in ((0, 1), (3, 2), (-10, 0.5), (100, 50)):
        own = stats.norm(mu, sigma / np.sqrt(n)).logpdf(mean) + stats.chi2(n - 1, scale=sigma**2).logpdf(sum_sq)
        got = logp(cells, mu, sigma, n)
        terms.append(got - own)
        np.testing.assert_allclose(terms[-1], terms[0], rtol=0, atol=1e-11 * np.abs(got).max())
    assert np.all(np.abs(terms[0]) > 0.1)  # the two are not one density


def test_a_cell_of_one_row_has_the_density_of_the_row():
    assert logp([[1.3, 0.0]], 0.5, 2.0, [1])[0] == pytest.approx(stats.norm(0.5, 2).logpdf(1.3), rel=1e-14)


@quickly
def test_integers_are_valid_parameters():
    """Squares of small integers overflow: 50 arrives as int8."""
    value = [[1.0, 2.0], [90.0, 3.0]]
    np.testing.assert_array_equal(logp(value, 100, 50, 5), logp(value, 100.0, 50.0, 5))
    whole, real = (NormalCells.dist(*parameters, 5) for parameters in ((100, 50), (100.0, 50.0)))
    np.testing.assert_array_equal(pm.draw(whole, random_seed=0), pm.draw(real, random_seed=0))
    assert support_point(whole).eval().tolist() == [100, 10_000]


@quickly
def test_gradient_of_a_cells_density_agrees_with_a_numerical_one():
    n = np.array([1, 5, 40])
    _, cells = rows_and_cells(n, 2)
    verify_grad(
        lambda mu, sigma: pm.logp(NormalCells.dist(mu, sigma, n), cells).sum(),
        [np.array([2.0, 3.0, 4.0]), np.array([1.0, 2.0, 3.0])],
        rng=np.random.default_rng(0),
    )


@pytest.fixture(scope="module")
def draws():
    """Return 50,000 draws of cells of 1, 2 and 30 rows."""
    n = np.array([1, 2, 30])
    return n, pm.draw(NormalCells.dist(3.0, [2.0, 0.5, 4.0], n), 50_000, random_seed=5)


@pytest.mark.parametrize(("i", "sigma"), [(0, 2.0), (1, 0.5), (2, 4.0)])
def test_draws_of_a_cell_have_the_distributions_of_its_statistics(draws, i, sigma):
    n, (mean, sum_sq) = draws[0][i], draws[1][:, i].T
    assert_standard_normal((mean - 3) / (sigma / np.sqrt(n)))
    if n == 1:
        assert np.all(sum_sq == 0)
    else:
        assert stats.kstest(sum_sq, stats.chi2(n - 1, scale=sigma**2).cdf).pvalue > FALSE_ALARM
        assert stats.spearmanr(mean, sum_sq).pvalue > FALSE_ALARM


def test_draws_of_different_cells_are_independent(draws):
    assert stats.spearmanr(draws[1][:, 1, 0], draws[1][:, 2, 0]).pvalue > FALSE_ALARM
    assert stats.spearmanr(draws[1][:, 1, 1], draws[1][:, 2, 1]).pvalue > FALSE_ALARM


def test_draws_of_a_cell_look_like_statistics_of_rows(draws):
    rng = np.random.default_rng(6)
    rows = rng.normal(3, 4, size=(20_000, 30))
    mean, sum_sq = draws[1][:, 2].T
    assert stats.ks_2samp(mean, rows.mean(axis=1)).pvalue > FALSE_ALARM
    assert stats.ks_2samp(sum_sq, rows.var(axis=1) * 30).pvalue > FALSE_ALARM


@quickly
@pytest.mark.parametrize(
    ("mu", "sigma", "n", "arguments", "batch"),
    [
        (0.0, 1.0, 5, {}, ()),
        (0.0, [1.0, 2.0], 5, {}, (2,)),
        ([[0.0], [1.0], [2.0]], [1.0, 2.0], 5, {}, (3, 2)),
        (0.0, 1.0, [[1, 2]], {}, (1, 2)),
        (0.0, 1.0, 5, {"shape": (4, 2)}, (4,)),
        (0.0, [1.0, 2.0, 3.0], 5, {"shape": (4, 3, 2)}, (4, 3)),
        (0.0, [1.0, 2.0, 3.0], 5, {"size": (4, 3)}, (4, 3)),
    ],
)
def test_parameters_broadcast_to_the_batch_and_a_pair_is_last(mu, sigma, n, arguments, batch):
    cells = NormalCells.dist(mu, sigma, n, **arguments)
    assert pm.draw(cells, random_seed=0).shape == (*batch, 2)
    assert pm.draw(cells, 3, random_seed=0).shape == (3, *batch, 2)
    point = support_point(cells).eval()
    np.testing.assert_array_equal(point[..., 0], np.broadcast_to(mu, batch))
    np.testing.assert_array_equal(point[..., 1], np.broadcast_to((np.array(n) - 1) * np.square(sigma), batch))
    assert pm.logp(cells, point).eval().shape == batch
    assert len(np.unique(pm.draw(cells, random_seed=0)[..., 0])) == int(np.prod(batch))


@pytest.mark.parametrize(("sigma", "n"), [(0.0, 5), (-1.0, 5), (1.0, 0), (1.0, -3), ([1.0, -1.0], 5)], ids=str)
def test_invalid_parameters_of_a_cell_are_refused(sigma, n):
    with pytest.raises(ParameterValueError, match="sigma > 0, n > 0"):
        logp([[0.0, 1.0], [0.0, 1.0]], 0.0, sigma, n)


def test_a_negative_sum_of_squares_is_impossible():
    assert logp([[0.0, -1e-9], [0.0, 0.0]], 0.0, 1.0, [5, 5]).tolist() == [-np.inf, -2.5 * np.log(2 * np.pi)]


@quickly
def test_cells_in_a_model_take_new_data_and_can_be_predicted():
    _, cells = rows_and_cells([4, 6, 1], 7)
    rows, others = rows_and_cells([3, 2, 5], 8)
    with pm.Model(coords={"cell": range(3), "statistic": ["mean", "sum_sq"]}) as model:
        mu = pm.Normal("mu")
        n = pm.Data("n", [4, 6, 1], dims="cell")
        data = pm.Data("data", cells, dims=("cell", "statistic"))
        NormalCells("cells", mu, 2.0, n, observed=data, dims=("cell", "statistic"))
        prior = pm.sample_prior_predictive(400, random_seed=9)
    drawn = prior.prior_predictive["cells"]
    assert drawn.dims == ("chain", "draw", "cell", "statistic")
    assert np.all(drawn.sel(cell=2, statistic="sum_sq") == 0)
    assert np.all(drawn.sel(cell=[0, 1], statistic="sum_sq") > 0)
    z = (drawn.sel(statistic="mean") - prior.prior["mu"]) / (2 / np.sqrt([4, 6, 1]))
    assert_standard_normal(z.values)

    density = model.compile_logp()
    model.set_data("n", [3, 2, 5])
    model.set_data("data", others)
    expected = stats.norm.logpdf(0.7) + stats.norm(0.7, 2).logpdf(np.concatenate(rows)).sum()
    assert density({"mu": 0.7}) == pytest.approx(expected, rel=1e-6)
