"""Checks of the exercises of notebook 01."""

import numpy as np
import pandas as pd

from mlm_tutorial.exercises.answers import (
    Answer,
    Hint,
    array,
    close,
    expect,
    expect_numbers_from_rng,
    frame,
    number,
    pair,
    too_far,
    too_far_from_normal,
)
from mlm_tutorial.layers import LayeredSum

#: Random numbers that the check of 01.3 compares: three shares, five means, spreads and shapes, twelve correlations
#: within rides, and five columns at four distances between rides.
N_COMPARISONS = 60
#: Layers of the rides and their parts.
LAYERS, PARTS = ("route", "weather"), ("y_baseline", "y_route", "y_weather")


def total_sd(answer: Answer, rng: np.random.Generator) -> str:
    """Check 01.1."""
    for n_layers in (2, 3, 1):
        baseline, others = rng.uniform(1, 6), list(rng.uniform(1, 4, n_layers))
        given = number(answer.call(baseline, others), "the standard deviation")
        variance = baseline**2 + np.sum(np.square(others))
        mistakes = [
            (baseline + sum(others), "standard deviations do not add; ask which property of independent numbers does"),
            (variance, "this is the variance; the task asks for the standard deviation"),
            (np.sqrt(variance - baseline**2), "the baseline takes part in every total; your result leaves it out"),
        ]
        expect(
            given,
            np.sqrt(variance),
            mistakes,
            "which property of independent numbers adds up, and which contributions take part?",
        )
    return "Variances add, standard deviations do not."


def centered_means(answer: Answer, rng: np.random.Generator) -> str:
    """Check 01.2."""
    for m in (3, 2, 5):  # first a size at which the layer's means alone are no pair
        baseline, mu = rng.normal(0, 3), rng.normal(2, 3, m)
        first, second = pair(answer.call(baseline, mu), "the answer")
        layer = array(second, (m,), "the second part, the layer's means")
        new_baseline = number(first, "the first part, the baseline's mean")
        if abs(layer.sum()) > 1e-8:
            raise Hint(f"the layer's new means do not sum to zero: for {m} contributors they sum to {layer.sum():.3g}")
        if not close(np.diff(layer), np.diff(mu)):
            raise Hint(
                "differences between contributors must stay as they were; what change of the means keeps all of them?"
            )
        mistakes = [
            (baseline, "the layer was shifted, and the baseline did not take up the shift: totals have moved"),
            (baseline - mu.mean(), "the baseline moved in the wrong direction: what the layer loses, it must gain"),
        ]
        expect(new_baseline, baseline + mu.mean(), mistakes, "the sum of baseline and contributor must stay as it was")
    return "What the layer loses, the baseline gains."


def simulate_rides(answer: Answer, rng: np.random.Generator) -> str:
    """Check 01.3."""
    n, p_rain = 20_000, rng.uniform(0.15, 0.35)
    truth = LayeredSum.from_coefficients(
        [{"all": (30, 4)}, {"river": (-2, 1), "hill": (2, 3)}, {"dry": (-3, 1), "rain": (3, 2)}], names=list(LAYERS)
    )
    rows, values = _rides(answer, n, p_rain, rng, truth)
    for name, share, wanted in [("weather", p_rain, "rain"), ("route", 0.5, "hill")]:
        found = np.mean(rows[name] == wanted)
        if too_far(found, share, np.sqrt(share * (1 - share) / n), n_comparisons=N_COMPARISONS):
            what = "the share of rainy rides" if name == "weather" else "the share of rides over the hill"
            raise Hint(f"{what} should be near {share:.2f}, but it is {found:.2f}; see the argument `probabilities`")
    for layer in truth:
        for label, (mu, sigma) in layer.coefficients.items():
            mine = np.ones(n, bool) if layer.name == "baseline" else (rows[layer.name] == label).to_numpy()
            _check_contributions(values[f"y_{layer.name}"][mine], mu, sigma, f"{layer.name}, {label}")
    _check_independence(rows, values, p_rain)
    _check_rides_are_independent(rows, values, truth)

    def columns(generator: np.random.Generator) -> dict[str, np.ndarray]:
        table, numbers = _rides(answer, 200, p_rain, generator, truth)
        return {f"values of {name}": np.asarray(table[name], dtype=str) for name in LAYERS} | {
            f"values of {name}": numbers[name] for name in PARTS
        }

    expect_numbers_from_rng(columns, rng)
    tables = [_rides(answer, 100, p_rain, rng, truth)[0] for _ in range(8)]
    for name, label in (("weather", "rain"), ("route", "hill")):
        if len({int((table[name] == label).sum()) for table in tables}) == 1:  # for a right answer below 1e-7
            raise Hint(
                f"eight tables of 100 rides have the same number of rides with {label}; a probability is no quota: "
                "each ride draws its own, whatever the others drew"
            )
    return "Labels, probabilities and contributions are as they should be."


def _rides(
    answer: Answer, n: int, p_rain: float, rng: np.random.Generator, truth: LayeredSum
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Return a table of rides, and its numbers by column."""
    rows = frame(answer.call(n, p_rain, rng), ["total", *LAYERS, *PARTS], "the table")
    if len(rows) != n:
        raise Hint(f"asked for {n} rides, the table has {len(rows)} rows")
    for name in LAYERS:
        labels = set(rows[name].unique())
        if not labels <= set(truth[name].labels) or (n > 1000 and len(labels) < 2):
            raise Hint(f"the column {name} should hold the labels {', '.join(truth[name].labels)}, it holds {labels}")
    values = {name: array(rows[name], (n,), f"the column {name}") for name in ["total", *PARTS]}
    if not close(values["total"], sum(values[name] for name in PARTS)):
        raise Hint("the contributions of a ride must add up to its total")
    return rows, values


def _check_rides_are_independent(rows: pd.DataFrame, values: dict[str, np.ndarray], truth: LayeredSum) -> None:
    """Raise a hint if rides know of each other: labels that alternate, noise that several rides share."""
    n, series = len(rows), {}
    for name, label in (("route", "hill"), ("weather", "rain")):
        series[name] = (rows[name] == label).to_numpy(float)
    for layer in truth:
        mu, sigma = np.empty(n), np.empty(n)
        for contributor, coefficients in layer.coefficients.items():
            mine = slice(None) if layer.name == "baseline" else (rows[layer.name] == contributor).to_numpy()
            mu[mine], sigma[mine] = coefficients
        name = f"y_{layer.name}"
        series[name] = (values[name] - mu) / sigma
        # Among 20,000 independent draws, one pair in ten tables is as close as this by chance.
        repeated = np.sum(np.diff(np.sort(np.abs(series[name]))) < 1e-9)
        if repeated > n / 100:
            raise Hint(
                f"{name}: the same random number serves several rides, {repeated} of {n} in this table; "
                "every contribution is a fresh draw"
            )
    for name, x in series.items():
        for lag in (1, 2, 3, n // 2):
            r = np.corrcoef(x[:-lag], x[lag:])[0, 1]
            if too_far(np.arctanh(np.clip(r, -0.999, 0.999)), 0, 1 / np.sqrt(n - lag - 3), N_COMPARISONS):
                raise Hint(
                    f"{name} of a ride and of the ride {lag} before it go together, with a correlation of {r:.2f}; "
                    "rides know nothing of each other"
                )


def _check_independence(rows, values: dict[str, np.ndarray], p_rain: float) -> None:
    """Raise a hint if labels go together, or contributions of rides with the same labels do."""
    n, both = len(rows), p_rain / 2
    hill, rain = (rows["route"] == "hill").to_numpy(), (rows["weather"] == "rain").to_numpy()
    found = np.mean(hill & rain)
    if too_far(found, both, np.sqrt(both * (1 - both) / n), N_COMPARISONS):
        raise Hint(
            f"route and weather go together: it rains on a share of {np.mean(rain[hill]):.2f} of the rides over the "
            f"hill, and on {np.mean(rain[~hill]):.2f} of those by the river; the weather does not know the route"
        )
    parts = [name for name in values if name != "total"]
    for mine in (hill & rain, hill & ~rain, ~hill & rain, ~hill & ~rain):
        for j, second in enumerate(parts):
            for first in parts[:j]:
                r = np.corrcoef(values[first][mine], values[second][mine])[0, 1]
                # Fisher's transformation of the correlation of independent normal numbers is normal, nearly.
                if too_far(np.arctanh(r), 0, 1 / np.sqrt(mine.sum() - 3), N_COMPARISONS):
                    raise Hint(
                        f"{first} and {second} have the correlation {r:.2f} among rides with the same labels; "
                        "contributions are independent, so each needs random numbers of its own"
                    )


def _check_contributions(y: np.ndarray, mu: float, sigma: float, where: str) -> None:
    n, sd = len(y), y.std()
    if sd < 1e-9:
        raise Hint(
            f"{where}: every ride has the same contribution, one value for each contributor; draw a fresh one each time"
        )
    if too_far(sd, sigma, sigma / np.sqrt(2 * n), n_comparisons=N_COMPARISONS):
        if sigma != 1 and not too_far(sd, sigma**2, sigma**2 / np.sqrt(2 * n)):
            raise Hint(f"{where}: a variance where a standard deviation is expected")
        raise Hint(f"{where}: the standard deviation of the contributions is {sd:.2f}, not near the one in the text")
    if too_far(y.mean(), mu, sigma / np.sqrt(n), n_comparisons=N_COMPARISONS):
        raise Hint(f"{where}: the mean of the contributions is {y.mean():.2f}, not near the one in the text")
    if too_far_from_normal(y, mu, sigma, N_COMPARISONS):
        raise Hint(f"{where}: mean and standard deviation are right, but contributions are normal, and these are not")


def layer_variance(answer: Answer, rng: np.random.Generator) -> str:
    """Check 01.4."""
    for m in (3, 2):  # with two contributors some mistakes look alike
        mu, sigma, p = rng.normal(0, 3, m), rng.uniform(0.5, 3, m), rng.dirichlet(np.full(m, 2.0))
        first, second = pair(answer.call(mu, sigma, p), "the answer")
        spreads, means = number(first, "the part from spreads"), number(second, "the part from means")
        right_spreads, center = np.sum(p * sigma**2), np.sum(p * mu)
        right_means = np.sum(p * (mu - center) ** 2)
        if close([spreads, means], [right_means, right_spreads]):
            raise Hint("both parts are right, but they come in the other order: spreads first, then means")
        equal = "this takes all contributors as equally frequent; weight them by p"
        mistakes = [
            (np.mean(sigma**2), equal),
            (np.sum(p * sigma) ** 2, "you square after averaging; which property of independent numbers adds up?"),
            (np.sum(p * sigma), "this averages standard deviations; which property of independent numbers adds up?"),
        ]
        otherwise = "the part from spreads: what would it be if all means were equal? Think of many totals"
        expect(spreads, right_spreads, mistakes, otherwise)
        mistakes = [
            (np.var(mu), equal),
            (np.sum(p * (mu - mu.mean()) ** 2), "the center that you measure from is that of equally frequent ones"),
            (np.sum(p * mu**2), "this is right only where the weighted average of the means is zero"),
        ]
        otherwise = "the part from means: what would vary from total to total if all spreads were zero, and how often?"
        expect(means, right_means, mistakes, otherwise)
    return "Weighted by how frequent they are, variances and means give the layer's two parts."


CHECKERS = {
    "01.1": total_sd,
    "01.2": centered_means,
    "01.3": simulate_rides,
    "01.4": layer_variance,
}
