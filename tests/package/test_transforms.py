"""Coordinates of the sampler: they have an inverse, the right Jacobian, and the documented meaning."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytensor.tensor as pt
import pytest
from scipy import integrate, stats

import mlm_tutorial as mlm
from mlm_tutorial.moments import center_of_excess, sd_of_common_part
from tests.support.problems import function

# Observations of each layer's contributors; the same number in every layer of one case.
DESIGNS = {
    "one layer, all well observed": ([[600, 400, 500]], [4.0], 5.0),
    "two layers, two contributors each": ([[50, 50], [30, 70]], [3.0, 3.0], 9.0),
    "rare contributors in one layer": ([[500, 20, 3, 477], [600, 400]], [4.0, 1.0], 5.0),
    "nobody well observed": ([[2, 1, 1], [1, 2, 1]], [0.5, 2.0], 3.0),
    "nobody well observed in one layer": ([[30, 50, 40, 30], [70, 80]], [0.1, 4.0], 5.0),
    "three layers": ([[9000, 1000], [30, 9900, 70], [2500, 2500, 4000, 999, 1]], [1.0, 2.0, 0.7], 4.0),
    "in other units": ([[500, 20, 3, 477], [600, 400]], [4e12, 1e12], 5e12),
}


class Compiled:
    """A transform and its functions, with which positions in its vector belong to which layer."""

    def __init__(self, counts, prior_variance, variance):
        self.counts = [np.array(n) for n in counts]
        self.prior_variance, self.variance = prior_variance, variance
        self.transform = mlm.IdentifiedScales(self.counts, prior_variance, variance)
        x = pt.dvector()
        sigma = self.transform.backward(x)
        self.forward = function([x], self.transform.forward(x))
        self.backward = function([x], sigma)
        self.log_jac_det = function([x], self.transform.log_jac_det(x))
        self.jacobian = function([x], pt.stack([pt.grad(sigma[i], x) for i in range(self.size)]))

    @property
    def size(self):
        return 1 + sum(map(len, self.counts))

    def layers(self):
        """Yield for each layer its slice of the standard deviations, counts, and the layer's prior variance."""
        start = 1
        for n, s2 in zip(self.counts, self.prior_variance, strict=True):
            yield slice(start, start := start + len(n)), n, s2

    def points(self, rng, n):
        """Yield points around equal variances, some close and some far away."""
        start = self.forward(np.full(self.size, np.sqrt(self.variance / (1 + len(self.counts)))))
        for _ in range(n):
            yield start + rng.normal(0, rng.choice([0.3, 2.0, 10.0]), self.size)


@pytest.fixture(scope="module", params=DESIGNS)
def identified(request):
    return Compiled(*DESIGNS[request.param])


def test_identified_coordinates_have_an_inverse(identified):
    rng = np.random.default_rng(1)
    for spread in (0.1, 0.5, 1.0):
        for _ in range(200):
            # Standard deviations up to some factor 100 apart; variances, which are what is stored, up to 10,000.
            sigma = np.sqrt(identified.variance) * np.exp(np.clip(rng.normal(0, spread, identified.size), -2.3, 2.3))
            np.testing.assert_allclose(identified.backward(identified.forward(sigma)), sigma, rtol=1e-10)


def test_standard_deviations_of_very_different_size_survive_the_round_trip(identified):
    """A variance is stored as a difference to its layer's reference: it keeps the digits that the largest one has."""
    rng = np.random.default_rng(2)
    for _ in range(300):
        sigma = np.sqrt(identified.variance) * np.exp(rng.normal(0, 3, identified.size))
        returned = identified.backward(identified.forward(sigma))
        assert np.all(np.abs(returned**2 - sigma**2) < 1e-10 * sigma**2 + 1e-13 * np.max(sigma**2))


@pytest.mark.parametrize("factor", [1e-6, 1e-3, 1e3])
def test_the_smallest_standard_deviation_of_a_layer_keeps_its_digits(factor):
    """The reference of the rare design is a thousand times its neighbor, or the reverse."""
    identified = Compiled(*DESIGNS["two layers, two contributors each"])
    sigma = np.array([2.0, 1.0, factor, 1.5, 1.0])
    np.testing.assert_allclose(identified.backward(identified.forward(sigma)), sigma, rtol=1e-8)


def test_coordinates_survive_the_round_trip_too(identified):
    for point in identified.points(np.random.default_rng(3), 100):
        if np.abs(point).max() < 15:
            np.testing.assert_allclose(identified.forward(identified.backward(point)), point, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("spread", [1, 5, 15])  # in rough posterior standard deviations
def test_every_point_has_positive_standard_deviations(identified, spread):
    rng = np.random.default_rng(4)
    for _ in range(300):
        point = rng.normal(0, spread, identified.size)
        sigma = identified.backward(point)
        assert np.all(sigma > 0)
        assert np.all(np.isfinite(sigma))
        assert np.isfinite(identified.log_jac_det(point))


def test_log_determinant_matches_the_jacobian_up_to_a_constant(identified):
    rng = np.random.default_rng(5)
    differences = []
    for point in identified.points(rng, 60):
        sign, log_det = np.linalg.slogdet(identified.jacobian(point))
        assert sign != 0
        differences.append(identified.log_jac_det(point) - log_det)
    assert np.ptp(differences) < 1e-7


def test_derivatives_are_those_of_finite_differences(identified):
    rng = np.random.default_rng(6)
    point = next(identified.points(rng, 1))
    step = 1e-6
    numerical = [
        (identified.backward(point + step * e) - identified.backward(point - step * e)) / (2 * step)
        for e in np.eye(identified.size)
    ]
    scale = np.abs(numerical).max()
    np.testing.assert_allclose(identified.jacobian(point), np.transpose(numerical), rtol=1e-5, atol=1e-8 * scale)


@pytest.mark.parametrize("name", DESIGNS)
def test_coordinates_mean_what_they_claim(name):
    """Check every coordinate against its definition in words, from counts alone."""
    identified = Compiled(*DESIGNS[name])
    rng = np.random.default_rng(7)
    h = 3 * identified.variance * np.sqrt(2 / identified.counts[0].sum())
    for _ in range(50):
        sigma = np.sqrt(identified.variance) * np.exp(rng.normal(0, 0.7, identified.size))
        v = sigma**2
        point = identified.forward(sigma)
        smallest, references, averages, at = [], [], [], 1
        for part, n, s2 in identified.layers():
            scale = np.minimum(identified.variance * np.sqrt(2 / n), s2)
            reference = int(np.argmax(n))
            well = scale < 3 * s2 / len(n)
            v_layer = v[part]
            if not well[reference]:
                c, at = point[at : at + len(n)], at + len(n)
                np.testing.assert_allclose(v_layer, scale * np.logaddexp(0, c), rtol=1e-10)
                averages.append(np.average(v_layer, weights=n))
                continue
            lowest = v_layer[reference]
            for k in range(len(n)):
                if k == reference:
                    continue
                c, at = point[at], at + 1
                if well[k]:
                    assert np.isclose(c, (v_layer[k] - v_layer[reference]) / scale[k], rtol=1e-10, atol=1e-12)
                    lowest = min(lowest, v_layer[k])
                else:
                    softplus = np.logaddexp(0, v_layer[reference] / scale[k] + c)
                    assert np.isclose(v_layer[k], scale[k] * softplus, rtol=1e-10)
            smallest.append(lowest)
            references.append(v_layer[reference])
        logits = point[at:]
        shares = np.exp(np.append(0, logits)) / np.sum(np.exp(np.append(0, logits)))
        left_over = np.array([v[0], *smallest])  # A p_j: the smallest among the reference and the well observed
        np.testing.assert_allclose(shares, left_over / left_over.sum(), rtol=1e-10)
        lifted = sum(references) - sum(smallest)  # L
        argument = point[0] - (lifted + sum(averages)) / h
        np.testing.assert_allclose(left_over.sum(), h * np.logaddexp(0, argument), rtol=1e-9)


def test_the_total_is_t_where_it_is_far_from_zero():
    """T = v_0 + sum of the references' variances is h t: softplus changes only small values."""
    identified = Compiled([[60_000, 40_000, 50_000]], [4.0], 5.0)
    v = np.array([2.0, 1.0, 1.5, 2.5])
    h = 3 * identified.variance * np.sqrt(2 / 150_000)
    assert np.isclose(h * identified.forward(np.sqrt(v))[0], v[0] + v[1], rtol=1e-9)


def test_moving_variance_to_a_layer_changes_only_logits():
    """Directions that the data do not identify (DESIGN 1.2) are the last coordinates, one per layer."""
    identified = Compiled(*DESIGNS["three layers"])
    moved = np.zeros(identified.size)
    moved[0], moved[3:6] = -0.3, 0.3  # the second layer; contributor 1 is its reference, the others well observed
    v = np.linspace(1, 2, identified.size)
    before, after = identified.forward(np.sqrt(v)), identified.forward(np.sqrt(v + moved))
    assert all(layer.well.all() for layer in identified.transform.layers[:2])
    np.testing.assert_allclose(after[:-3], before[:-3], rtol=1e-9, atol=1e-9)
    assert abs(after[-2] - before[-2]) > 0.1


def test_without_a_baseline_one_layer_keeps_its_reference():
    """The total has to be somebody's, also where no contributor is well observed."""
    transform = mlm.IdentifiedScales([np.ones(4), np.ones(4)], [0.5, 2.0], 3.0, baseline=False)
    assert [layer.reference for layer in transform.layers] == [0, None]
    x = pt.dvector()
    round_trip = function([x], transform.backward(transform.forward(x)))
    sigma = np.array([0.3, 1.5, 0.7, 2.0, 1.0, 0.1, 0.9, 3.0])
    np.testing.assert_allclose(round_trip(sigma), sigma, rtol=1e-10)


class TestPooledVariances:
    """Coordinates of pooled variances, with a baseline to find and without one."""

    COUNTS = [np.array([60_000, 5, 40_000, 1]), np.array([2, 50_000, 50_004])]
    EFFECTS = [np.array([0.3, 2.0, -0.4, -9.0]), np.array([0.0, -0.5, 0.5])]

    @pytest.fixture(params=[False, True], ids=["baseline known", "baseline to find"])
    def parts(self, request):
        transform = mlm.PooledVariances(self.COUNTS, self.EFFECTS, [1.0, 0.2], 4.0, baseline=request.param)
        x, mean = pt.dvector(), pt.dvector()
        back = transform.backward(x, None, None, mean)
        self.size = transform.n_floors + 7
        self.mean = np.concatenate([np.full(transform.n_floors, 1.5), np.full(4, 0.8), np.full(3, 0.3)])
        functions = {
            "backward": back,
            "forward": transform.forward(x, None, None, mean),
            "log_jac_det": transform.log_jac_det(x, None, None, mean),
            "jacobian": pt.stack([pt.grad(back[i], x) for i in range(self.size)]),
        }
        return SimpleNamespace(
            transform=transform,
            **{name: partial(function([mean, x], f), self.mean) for name, f in functions.items()},
        )

    def points(self, parts, n=40):
        rng = np.random.default_rng(13)
        start = parts.forward(np.full(self.size, 0.8))
        return [start + rng.normal(0, rng.choice([0.3, 2.0, 6.0]), self.size) for _ in range(n)]

    def test_has_an_inverse(self, parts):
        for x in self.points(parts):
            v = parts.backward(x)
            assert (v > 0).all()
            np.testing.assert_allclose(parts.backward(parts.forward(v)), v, rtol=1e-8)

    def test_log_determinant_is_that_of_the_jacobian(self, parts):
        differences = [parts.log_jac_det(x) - np.linalg.slogdet(parts.jacobian(x))[1] for x in self.points(parts)]
        assert np.ptp(differences) < 1e-8

    def test_logits_and_common_excess_keep_the_average_variance(self, parts):
        """Only t moves what the data fix: baseline, floors and average excesses together."""
        n, floors = sum(self.COUNTS[0]), parts.transform.n_floors
        weights = np.concatenate([np.ones(floors), *(counts / n for counts in self.COUNTS)])
        start = parts.forward(np.full(self.size, 0.8))
        for k in range(1, self.size):
            moved = start.copy()
            moved[k] += 0.3
            assert weights @ parts.backward(moved) == pytest.approx(weights @ parts.backward(start), rel=1e-6)
        start[0] += 0.3
        assert weights @ parts.backward(start) - weights @ np.full(self.size, 0.8) == pytest.approx(
            0.3 * 3 * 4.0 * np.sqrt(2 / n), rel=0.01
        )

    def test_units_are_posterior_scales(self, parts):
        """Well observed contributors move by their standard error, others by their prior's mean."""
        x = parts.forward(np.full(self.size, 0.8))
        moved = x.copy()
        k = parts.transform.n_floors + 3  # one observation
        moved[k] += 1.0
        step = parts.backward(moved)[k] - parts.backward(x)[k]
        assert 0.2 * 0.8 < step < 0.8

    def test_excesses_move_together_by_the_priors_scale(self):
        """The prior slopes by 1 / mean in each of five excesses: their common part has a fifth of the mean as scale."""
        transform = mlm.PooledVariances([np.full(5, 1e6)], [np.zeros(5)], [2.0], 4.0, baseline=False)
        x = pt.dvector()
        backward = function([x], transform.backward(x, None, None, np.array([1.5, *np.full(5, 2.0)])))
        start = np.array([900.0, *np.full(5, 70.0)])
        moved = start + np.array([0.0, *transform.directions])
        scale = sd_of_common_part(2.0, np.full(5, 2.0), np.full(5, 4 * np.sqrt(2 / 1e6)), 4.0)
        np.testing.assert_allclose((backward(moved) - backward(start))[1:], scale, rtol=1e-3)
        assert scale == pytest.approx(2.0 / 5, rel=5e-3)  # the steps of its integral

    def test_an_excess_of_many_errors_hardly_moves_in_its_coordinate_with_the_mean(self):
        """Known within 3 % of the mean, an excess of five means moves by a tenth of its standard error at most."""
        transform = mlm.PooledVariances(
            [np.full(5, 1e5)], [np.array([8.0, -2, -2, -2, -2])], [2.0], 4.0, baseline=False
        )
        v, mean = pt.dvector(), pt.dvector()
        forward = function([v, mean], transform.forward(v, None, None, mean))
        at, wider = (forward(np.array([2.0, 10, 1, 1, 1, 1]), np.full(6, m)) for m in (2.0, 2.4))
        # With the other exponent it moves by 1.6 standard errors.
        assert abs(wider[1] - at[1]) < 0.1

    def test_floors_are_never_negative(self, parts):
        x = parts.forward(np.full(self.size, 0.8))
        for t in (-50.0, -1e3, -1e5):
            x[0] = t
            v = parts.backward(x)
            assert np.isfinite(v).all()
            assert (v >= 0).all()
            assert np.isfinite(parts.log_jac_det(x))


def test_a_learned_scale_has_an_inverse_and_a_jacobian():
    transform = mlm.LearnedScale([0.02, 30.0])
    value = pt.dvector()
    x = pt.dvector()
    forward, back = function([value], transform.forward(value)), function([x], transform.backward(x))
    jacobian = function([x], transform.log_jac_det(x))
    slope = function([x], pt.grad(pt.sum(transform.backward(x)), x))
    for at in (1e-6, 1e-2, 1.0, 40.0):
        scale = at * np.sqrt([0.02, 30.0])
        np.testing.assert_allclose(back(forward(scale)), scale, rtol=1e-9)
        np.testing.assert_allclose(jacobian(forward(scale)), np.log(slope(forward(scale))), rtol=1e-9, atol=1e-9)


def test_the_square_of_a_learned_scale_is_linear_but_logarithmic_near_zero():
    forward = function([], mlm.LearnedScale(1.0).forward(pt.sqrt(pt.as_tensor([20.0, 21.0, 1e-8, 1e-9]))))
    far, farther, near, nearer = forward()
    assert farther - far == pytest.approx(1)
    assert near - nearer == pytest.approx(np.log(10))


def test_excesses_start_from_their_posterior_mean_given_the_layers():
    """Against quadrature by SciPy: contributors with few and many observations, and small and large variances."""
    counts, observed, mean, variance = np.array([2, 3, 3, 400]), np.array([0.0, 6.0, 1.0, 1.3]), 0.3, 1.0
    scale = 1 / (1 / mean + 1 / (observed.clip(0.25) * np.sqrt(2 / counts)))
    found = center_of_excess(mean, scale, variance, counts, observed)
    for k, (n, s, q) in enumerate(zip(counts, observed, scale, strict=True)):

        def weight(u, n=n, s=s):
            v = variance - mean + mean * u
            at_best = -0.5 * n * (np.log(max(s, variance - mean)) + s / max(s, variance - mean))
            return np.exp(-u - 0.5 * n * (np.log(v) + s / v) - at_best)

        def coordinate(u, q=q):
            return np.log(np.expm1(mean * u / q))

        total = integrate.quad(weight, 0, 40, limit=400, points=[0.1, 1, 2, 3])[0]
        exact = integrate.quad(lambda u: weight(u) * coordinate(u), 0, 40, limit=400, points=[0.1, 1, 2, 3])[0] / total
        assert found[k] == pytest.approx(exact, abs=0.3)  # coordinates only: their standard deviation is near 2


def test_what_excesses_have_in_common_is_an_exponential_where_they_are_known():
    """Of five excesses known exactly the common part is their least less an exponential of a fifth of the mean."""
    excesses = np.array([0.4, 9.0, 1.0, 2.0, 3.0])
    assert sd_of_common_part(2.0, excesses, np.full(5, 1e-3), 50.0) == pytest.approx(2.0 / 5, rel=0.01)


def test_what_excesses_have_in_common_against_an_integral():
    """Against SciPy's quadrature of each contributor's likelihood, where errors are about as large as the mean."""
    mean, variance, errors = 1.5, 6.0, np.array([0.5, 2.0, 1.0, 1.5])
    excesses = np.array([0.2, 3.0, 1.5, -1.0])

    def density(c):
        def one(excess, error):
            normal = stats.norm(excess - c, error).pdf
            return integrate.quad(lambda e: np.exp(-e / mean) * normal(e), 0, 40, points=[0.5, 1, 2, 4])[0]

        return np.prod([one(*pair) for pair in zip(excesses, errors, strict=True)])

    at = np.linspace(mean - variance, 6.0, 300)
    weights = np.array([density(c) for c in at])
    center = np.average(at, weights=weights)
    assert sd_of_common_part(mean, excesses, errors, variance) == pytest.approx(
        np.sqrt(np.average((at - center) ** 2, weights=weights)), rel=0.02
    )


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize("n_contributors", [2, 300])
def test_what_excesses_have_in_common_has_the_unit_of_a_variance(scale, n_contributors):
    excesses, errors = np.linspace(-0.5, 4.0, n_contributors), np.geomspace(1e-6, 2.0, n_contributors)
    found = sd_of_common_part(scale, scale * excesses, scale * errors, 5 * scale)
    assert found == pytest.approx(scale * sd_of_common_part(1.0, excesses, errors, 5.0), rel=1e-6)
    assert found > 0
