"""Checks of the exercises of notebook 15."""

import numpy as np
import pandas as pd
from scipy import stats

from mlm_tutorial.cells import Cells, cell_statistics
from mlm_tutorial.exercises.answered_posteriors import (
    expect_moments,
    fits_a_model,
    hierarchical_moments,
    trusted_draws,
)
from mlm_tutorial.exercises.answers import Answer, Hint, array, close, expect, instance, number, pair
from mlm_tutorial.names import BASELINE, coordinate_of
from mlm_tutorial.priors import Priors

#: What people glue labels together with, and labels may therefore hold, too.
SEPARATORS = (" ", "_", "-", ",", ", ", "/", "|", ":", ";", ".", "+", "&", " & ", " x ", " / ", " - ", "__", "--", "#")


def model_with_pair(answer: Answer, rng: np.random.Generator) -> str:
    """Check 15.1."""
    plain = _some_flights(rng, 400)
    glued = _labels_with_separators(rng, (*SEPARATORS, *_own_separators(answer, rng)))
    look_alike = "think of gate 1 in month 11 and gate 11 in month 1"
    inside = 'a label may hold what you join with: think of the pairs ("a b", "c") and ("a", "b c")'
    layers = ["carrier", "gate", "month", "day_part"]
    cases = [(plain, "minutes", layers, combined, look_alike) for combined in (("gate", "month"), ("month", "carrier"))]
    cases += [(glued, "minutes", layers, combined, inside) for combined in (("gate", "month"), ("month", "gate"))]
    # Another total beside the one above, and a column that is no layer.
    other = plain.assign(lost=rng.permutation(plain["minutes"]))
    cases += [(other, "lost", ["month", "gate", "carrier"], ("gate", "month"), look_alike)]
    for table, total, layers, combined, advice in cases:
        name = "_".join(combined)
        new = [*(layer for layer in layers if layer not in combined), name]
        first, second = pair(answer.call(table, total, layers, combined), "the answer")
        given = instance(first, Cells, "Cells, from mlm.cell_statistics", "the first part")
        if set(combined) & set(given.layers):
            raise Hint("the combination replaces the two layers, but they are still among the layers of the cells")
        if list(given.layers) != new:
            raise Hint(f"the layers should be {new}, in this order, but they are {list(given.layers)}")
        codes = pd.MultiIndex.from_frame(table[list(combined)].astype(str)).factorize()[0]
        right = cell_statistics(table.assign(**{name: codes}), total, new)
        found, wanted = len(given.labels[name]), len(right.labels[name])
        if found < wanted:
            raise Hint(
                f"two different pairs share one label: there are {wanted} pairs in the table, and {found} labels; "
                f"{advice}"
            )
        if found > wanted:
            raise Hint(f"the table has {wanted} pairs of {combined[0]} and {combined[1]}, the new layer {found} labels")
        if not _same_up_to_labels(given, right):
            what = f"counts, means and sums of squares of the column {total!r}"
            raise Hint(f"the cells do not hold the {what}; was every row kept?")
        _check_model(second, given)
    return "Pairs that never occur need no label, and no parameter."


def _own_separators(answer: Answer, rng: np.random.Generator) -> set[str]:
    """Return the separators in the answer's own labels of pairs, for a table whose labels hold no separator."""
    gates, months = ["Qj", "Xk"], ["Wv", "Zy"]  # nothing that a label is likely to hold by itself
    table = pd.DataFrame({"gate": rng.choice(gates, 200), "month": rng.choice(months, 200)})
    table["carrier"], table["day_part"] = rng.choice(["AA", "B6"], 200), rng.choice(["morning", "evening"], 200)
    table["minutes"] = rng.normal(0, 10, len(table))
    layers = ["carrier", "gate", "month", "day_part"]
    first, _ = pair(answer.call(table, "minutes", layers, ("gate", "month")), "the answer")
    labels = getattr(first, "labels", {}).get("gate_month", ()) if isinstance(first, Cells) else ()
    found = set()
    for label in map(str, labels):
        for one in gates:
            for other in months:
                for left, right in ((one, other), (other, one)):
                    _, is_there, rest = label.partition(left)
                    between, follows, _ = rest.partition(right)
                    if is_there and follows:
                        found.add(between)
    return found


def _check_model(model: object, cells: Cells) -> None:
    """Raise a hint unless this is the package's model of the cells; nothing is compiled."""
    import pymc as pm

    from mlm_tutorial.models import CellModel, cell_model
    from mlm_tutorial.sampling import CompiledModel

    if isinstance(model, CompiledModel):
        raise Hint("the second part, the model, is compiled already; return it as it was before")
    instance(model, pm.Model, "a PyMC model, from mlm.cell_model", "the second part")
    left_out = [layer for layer in cells.layers if f"mu_{layer}" not in model.named_vars]
    if left_out:
        raise Hint(f"the model has no means mu_{left_out[0]}: it is not a model of the new cells")
    for layer in cells.layers:
        if list(model.coords.get(layer, ())) != coordinate_of(cells.labels[layer])[0]:
            raise Hint(f"the contributors of {layer} in the model are not those of your cells")
        if model.named_vars_to_dims.get(f"mu_{layer}") != (layer,):
            raise Hint(f"mu_{layer} should have one mean for each contributor, with the dim {layer!r}")
    if not isinstance(model, CellModel) or model.coordinates != "identified" or model.priors.known_sigma:
        raise Hint("the model should be that of mlm.cell_model with default priors and coordinates")
    if not model.priors.pooled:
        raise Hint("the model's priors are not the default ones, which pool the contributors of a layer")
    right = cell_model(cells)
    given, wanted = ({variable.name: variable.get_value() for variable in x.data_vars} for x in (model, right))
    for name, value in wanted.items():
        if not close(given[name], value):
            raise Hint(f"the model's data {name!r} are not those of your cells")
    if not close(_scales(model.priors, cells), _scales(right.priors, cells)):
        raise Hint("the model's priors are not the default ones of the new cells; were they made for other cells?")


def _scales(priors: Priors, cells: Cells) -> np.ndarray:
    """Return all numbers of some priors, whether they were given for all layers or for each by name."""
    scales = [priors.baseline_mu, priors.baseline_mu_sd, priors.sigma_scale_of(BASELINE)]
    scales += [scale_of(layer) for scale_of in (priors.mu_sd_of, priors.sigma_scale_of) for layer in cells.layers]
    return np.array(scales)


def _some_flights(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """Return flights of some gates, whose labels make pairs that look alike where they are glued together."""
    table = pd.DataFrame(
        {
            "carrier": rng.choice(["AA", "B6", "UA"], n),
            "gate": pd.Categorical(rng.choice(["1", "11", "2"], n)),
            "month": rng.choice([1, 2, 11, 12], n),
            "day_part": rng.choice(["morning", "evening"], n),
            "minutes": rng.normal(0, 10, n),
        }
    )
    # Pairs that must occur, whatever the seed.
    table.loc[:1, "month"] = [11, 1]
    table["gate"] = pd.Categorical(["1", "11", *table["gate"].astype(str)[2:]])
    return table


def _labels_with_separators(rng: np.random.Generator, separators: tuple[str, ...]) -> pd.DataFrame:
    """Return flights with two pairs for each separator that look alike where they are glued together with it."""
    pairs = []
    for mark in separators:
        pairs += [(f"a{mark}b", "c"), ("a", f"b{mark}c"), ("c", f"a{mark}b"), (f"b{mark}c", "a")] * 6
    table = pd.DataFrame(pairs, columns=["gate", "month"])
    table["carrier"] = rng.choice(["AA", "B6"], len(table))
    table["day_part"] = rng.permutation(["morning", "evening"] * (len(table) // 2))
    return table.assign(minutes=rng.normal(0, 10, len(table)))


def _same_up_to_labels(given: Cells, right: Cells) -> bool:
    """Return whether cells are the same up to the labels of contributors; averages of cells all differ."""
    if len(given) != len(right):
        return False
    forms = []
    for cells in (given, right):
        order = np.argsort(cells.mean)
        codes = [pd.factorize(cells.codes[order, j])[0] for j in range(len(cells.layers))]
        forms.append(np.vstack([*codes, cells.n[order], cells.mean[order], cells.sum_sq[order]]))
    return close(*forms)


def days_move_together(answer: Answer, rng: np.random.Generator) -> str:
    """Check 15.2."""
    for shared in (0.0, 4.0):
        x, day, cell, mean, variance = _days_of_flights(rng, shared)
        first, second = pair(answer.call(x, day, cell, mean, variance), "the answer")
        n_draws = len(mean)
        observed = array(first, (n_draws,), "the first part, the sums of squares")
        p_value = number(second, "the second part, the p-value")
        code, days = pd.factorize(day)
        by_day = np.eye(len(days))[code]
        missed, allowed = (x - mean[:, cell]) @ by_day, variance[:, cell] @ by_day
        right = np.sum(missed**2 / allowed, axis=1)
        size = by_day.sum(axis=0)
        at = mean.mean(axis=0)[cell], variance.mean(axis=0)[cell]
        mistakes = [
            (
                np.full(n_draws, np.sum(((x - at[0]) @ by_day) ** 2 / (at[1] @ by_day))),
                "the sum of squares is the same for every draw: each draw has its own means and variances",
            ),
            (
                np.sum((x - mean[:, cell]) ** 2 / variance[:, cell], axis=1),
                "this squares what each single flight misses; add up the flights of a day first, and then square",
            ),
            (
                np.sum(missed**2 / (np.sqrt(variance[:, cell]) @ by_day) ** 2, axis=1),
                "variances add up, not standard deviations; this divides by the square of a sum of deviations",
            ),
            (
                np.sum(missed**2 / (np.sqrt(variance[:, cell]) @ by_day), axis=1),
                "variances add up, not standard deviations; this divides by a sum of deviations",
            ),
            (
                np.sum((missed / size) ** 2 / (allowed / size), axis=1),
                "this squares a day's average and divides by the variance of a single flight, not of the average",
            ),
            (
                np.sum(missed**2, axis=1) / np.sum(allowed, axis=1),
                "each day is divided by its own variance, and only then are the days added up",
            ),
            (np.sum(np.abs(missed) / np.sqrt(allowed), axis=1), "the days' values are squared before they are added"),
            (np.sum(missed / np.sqrt(allowed), axis=1), "the days' values are squared before they are added"),
            (right / len(days), "this is an average over days; the task asks for the sum"),
        ]
        expect(observed, right, mistakes, "for each draw: a day's sum of what its flights miss, squared, over what?")
        expected = float(np.mean(stats.chi2.sf(right, len(days))))
        wrong_shares: list[tuple[float, str]] = [
            (1 - expected, "the p-value counts the sums on the other side: those at least as large as the observed"),
            (
                float(np.mean(stats.chi2.sf(right, len(days) - 1))),
                "the p-value: nothing was estimated from the days given a draw, so no degree of freedom is lost",
            ),
            (
                float(np.mean(stats.chi2.sf(right, len(x)))),
                "the p-value: there are as many squares as days, not as many as flights",
            ),
            (
                float(stats.chi2.sf(right.mean(), len(days))),
                "the p-value is an average over draws; this is the p-value of the average",
            ),
            (
                float(stats.chi2.sf(np.median(right), len(days))),
                "the p-value is an average over draws; this is the p-value of the median",
            ),
        ]
        otherwise = "the p-value: if the model holds, what is the distribution of a sum of so many squares?"
        expect(p_value, expected, wrong_shares, otherwise, rtol=1e-6, atol=1e-12)
    return "Sums over a group show what single rows hide: small shifts that all rows of the group share."


def _days_of_flights(rng: np.random.Generator, shared: float) -> tuple[np.ndarray, ...]:
    """Return totals, their days (texts, unequal numbers, in any order), cells, and draws of means and variances.

    The draws are so far apart that a p-value at the average is not the average of the p-values.
    """
    n_draws, n_cells, n_days = 60, 5, 14
    often = rng.integers(1, 16, n_days)
    names = np.array([f"day {number}" for number in rng.permutation(100)[:n_days]])
    day = rng.permutation(np.repeat(np.arange(n_days), often))
    cell = rng.integers(n_cells, size=len(day))
    center, square = rng.normal(0, 5, n_cells), rng.uniform(50, 200, n_cells)
    mean = center + rng.normal(0, 1.0, (n_draws, n_cells))
    variance = square * np.exp(rng.normal(0, 0.15, (n_draws, n_cells)))
    x = rng.normal(center[cell], np.sqrt(square[cell])) + shared * rng.normal(size=n_days)[day]
    return x, names[day], cell, mean, variance


def blame_range(answer: Answer, rng: np.random.Generator) -> str:
    """Check 15.3."""
    of_flights, of_parcels = ("carrier", "origin", "month"), ("driver", "center", "hour")
    for layers, layer, sign in ((of_flights, "carrier", 1), (of_flights, "month", -1), (of_parcels, "center", -1)):
        names = ["baseline", *layers]
        usual = {name: float(rng.normal(0, 5)) for name in names}
        least = {name: float(rng.uniform(10, 40)) for name in names}
        variance = {name: least[name] + (0 if name == "baseline" else float(rng.uniform(5, 60))) for name in names}
        surprise = sign * rng.uniform(20, 90)
        minutes = sum(usual.values()) + surprise
        low, high = pair(answer.call(minutes, usual, variance, least, layer), "the answer")
        given = [number(low, "the smallest part"), number(high, "the largest part")]
        total, own = sum(variance.values()), variance[layer]
        others = sum(least[name] for name in names if name != layer)

        def parts(low, high, mean=usual[layer], surprise=surprise):
            return sorted(mean + share * surprise for share in (low, high))

        least_share, most_share = (own - least[layer]) / total, (own + others) / total
        right = parts(least_share, most_share)
        from_baseline = (own + least["baseline"]) / total
        mistakes = [
            (right[::-1], "the smallest part comes first; a flight faster than expected turns the order round"),
            (
                parts(least_share, most_share, mean=0.0),
                "this shares out the surprise only; the contributor's mean belongs to its part",
            ),
            (
                parts(least_share, from_baseline),
                "the baseline is not alone: other layers can also give what all their contributors have in common",
            ),
            (
                parts(0, from_baseline),
                "a layer can give away what all of its contributors have in common, and no more",
            ),
            (
                parts(0, most_share),
                "the smallest share is not 0: a layer can give away what all of its contributors have in common",
            ),
            (parts(0, 1), "the share cannot reach 0 and 1: no variance of any contributor may become negative"),
            (
                parts(least_share, 1),
                "the largest share is not 1: other layers keep what distinguishes their contributors",
            ),
            (
                [usual[layer] + own / total * surprise] * 2,
                "this is the part under one split of the variance; how far can the split move?",
            ),
            (parts(least_share, most_share, surprise=minutes), "share out the surprise, not the whole of the minutes"),
        ]
        expect(
            given,
            right,
            mistakes,
            "how much variance can this layer give away, and how much can each of the other three give to it?",
        )
    return "Inside this range only the prior speaks; the surprise itself is the same under every prior."


def shared_days(answer: Answer, rng: np.random.Generator) -> str:
    """Check 15.4."""
    often = rng.dirichlet(np.full(12, 0.7), 2)
    cases = [[rng.choice(12, size, p=p) for size, p in zip((90, 60), often, strict=True)]]
    cases.append([np.array(["Mon", "Tue", "Tue"]), np.array(["Wed", "Tue", "Mon", "Fri"])])
    cases.append([np.repeat([1, 2, 3], [2, 4, 6]), np.repeat([1, 2, 3], [1, 2, 3])])
    for days_a, days_b in cases:
        day_sd, own_sd = rng.uniform(2, 6), rng.uniform(7, 12)
        worth, error = pair(answer.call(days_a, days_b, day_sd, own_sd), "the answer")
        worth, error = number(worth, "the number of independent flights"), number(error, "the standard error")
        n_a, n_b = len(days_a), len(days_b)
        all_days = sorted(set(days_a.tolist()) | set(days_b.tolist()))
        p, q = (np.array([np.mean(days == day) for day in all_days]) for days in (days_a, days_b))
        v_day, v_own = day_sd**2, own_sd**2
        v_a, v_b = v_day * np.sum(p**2) + v_own / n_a, v_day * np.sum(q**2) + v_own / n_b
        n_days = np.sum(p > 0)
        mistakes = [
            (n_a, "this is the number of flights; flights of one day share the day's shift, so they are worth fewer"),
            (n_days, "this is the number of days; flights of one day still differ by their own deviation"),
            (
                (v_day + v_own) / (v_day / n_days + v_own / n_a),
                "days do not weigh the same: a day with many flights pulls the average more than a day with one",
            ),
            ((day_sd + own_sd) ** 2 / v_a, "a flight's variance is a sum of variances"),
            (v_own / v_a, "the variance of one flight includes its day's shift"),
            (v_a, "this is the variance of the average; the task asks how many independent flights have that variance"),
        ]
        expect(
            worth, (v_day + v_own) / v_a, mistakes, "find the variance of A's average first: each shift has a weight"
        )
        right = v_day * np.sum((p - q) ** 2) + v_own * (1 / n_a + 1 / n_b)
        mistakes = [
            (
                np.sqrt(v_a + v_b),
                "the difference: this takes the two averages as independent, but a day shifts both carriers' flights",
            ),
            (np.sqrt((v_day + v_own) * (1 / n_a + 1 / n_b)), "the difference: this takes all flights as independent"),
            (
                np.sqrt(v_own * (1 / n_a + 1 / n_b)),
                "the difference: shifts cancel only where both carriers fly the same share on each day",
            ),
            (right, "the difference: this is the variance; the task asks for the standard error"),
        ]
        otherwise = "the difference: how much of one day's shift is left in the difference of the two averages?"
        expect(error, np.sqrt(right), mistakes, otherwise)
    return "Shared days make an average less certain, and cancel from a difference as far as they are shared."


#: Scales of the priors in the text of 15.5: of mu, and of tau.
MU_SD, TAU_SCALE = 20.0, 10.0


@fits_a_model
def predict_tomorrow(answer: Answer, rng: np.random.Generator) -> str:
    """Check 15.5."""
    minutes, day, n_days, own_sd, n_tomorrow = _past_days(rng)
    limit = float(np.round(rng.uniform(-4, 2), 1))
    seed = int(rng.integers(2**31))
    first, second = pair(answer.call(minutes, day, n_days, own_sd, n_tomorrow, limit, seed), "the answer")
    draws = trusted_draws(first, ("mu", "tau", "day_mean", "tomorrow"), "the run")
    chance = number(second, "the chance")
    if draws["day_mean"].shape[2:] != (n_days,):
        raise Hint(
            f"day_mean should hold {n_days} means in each draw, but their shape is {draws['day_mean'].shape[2:]}"
        )
    for name in ("mu", "tau", "tomorrow"):
        if draws[name].ndim != 2:
            raise Hint(f"{name} should be one number in each draw, but its shape is {draws[name].shape[2:]}")
    right = _exact_days(minutes, day, n_days, own_sd)
    squared = "own_sd is a standard deviation, and so is what pm.Normal takes; a variance or a root is in its place"
    prior = "the prior of tau is not the one in the text"
    own = "the days do not learn from one another: in partial pooling how far they differ is an unknown, too"
    for moments, hint in (
        (_exact_days(minutes, day, n_days, own_sd**2), squared),
        (_exact_days(minutes, day, n_days, np.sqrt(own_sd)), squared),
        (_exact_days(minutes, day, n_days, own_sd, scale=1.0), prior),
        (_exact_days(minutes, day, n_days, own_sd, scale=100.0), prior),
        (_exact_days(minutes, day, n_days, own_sd, scale=None), own),
    ):
        if not _agree(draws, right) and _agree(draws, moments):
            raise Hint(hint)
    for name, (mean, sd) in right.items():
        if name != "new":
            expect_moments(draws[name], mean, sd, name)
    _check_tomorrow(draws, right, own_sd, n_tomorrow)
    values = draws["tomorrow"].values
    mistakes = [
        (np.mean(values <= limit), "this is the chance that tomorrow's average stays below the limit"),
        (np.mean(draws["mu"].values > limit), "the chance is that of mu; tomorrow is one day, and days differ"),
        (np.mean(draws["day_mean"].values > limit), "the chance is that of the days in the table, not of tomorrow"),
        (100 * np.mean(values > limit), "the chance should be between 0 and 1, not in percent"),
    ]
    expect(chance, np.mean(values > limit), mistakes, "the chance is the share of which draws?", rtol=1e-6)
    return "Most of tomorrow's uncertainty is the day itself, and no number of flights makes it smaller."


def _check_tomorrow(draws, right: dict[str, tuple], own_sd: float, n: int) -> None:
    center, sd = right["new"]
    mu_sd, tau_sq = right["mu"][1], right["tau"][0] ** 2 + right["tau"][1] ** 2
    noise = own_sd**2 / n
    mistakes = [
        (np.sqrt(mu_sd**2 + noise), "tomorrow is a day of its own: its mean is not mu, and differs from it as days do"),
        (mu_sd, "this is mu; tomorrow is a day of its own, with a mean of its own and flights that scatter about it"),
        (sd, "this is tomorrow's mean in the long run; the average of its few flights scatters about that mean"),
        (np.sqrt(sd**2 + own_sd**2), "this is a single flight of tomorrow; the task asks for the average of several"),
        (
            np.sqrt(mu_sd**2 + (tau_sq + own_sd**2) / n),
            "this gives each of tomorrow's flights a day of its own; they share one, and averaging cannot remove it",
        ),
        (np.sqrt(sd**2 + own_sd / n), "the average of n flights scatters by own_sd divided by the root of n"),
        (np.sqrt(sd**2 + (own_sd / n) ** 2), "the average of n flights scatters by own_sd divided by the root of n"),
    ]
    otherwise = "what differs from day to day, what from flight to flight, and what does averaging do to each?"
    wrong = [(center, value, hint) for value, hint in mistakes]
    expect_moments(draws["tomorrow"], center, np.sqrt(sd**2 + noise), "tomorrow", wrong, otherwise)


def _agree(draws, moments: dict[str, tuple]) -> bool:
    """Return whether mu, tau and the days' means have these moments, as far as draws can tell."""
    try:
        for name, (mean, sd) in moments.items():
            if name != "new":
                expect_moments(draws[name], mean, sd, name)
    except Hint:
        return False
    return True


def _past_days(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, int, float, int]:
    """Return minutes, days, their number, the spread of flights in a day, and the number of tomorrow's flights.

    The days' means are spread evenly, so that tau is never near zero, where a run may fail.
    """
    counts = rng.permutation([5, 6, 8, 10, 12, 15, 18, 20, 25, 30])
    scores = stats.norm.ppf((np.arange(len(counts)) + 0.5) / len(counts))
    means = rng.normal(-4, 2) + 7 * rng.permutation(scores / scores.std())
    own_sd, n_tomorrow = float(np.round(rng.uniform(13, 17), 1)), int(rng.integers(3, 5))
    day = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    return rng.normal(means[day], own_sd), day, len(counts), own_sd, n_tomorrow


def _exact_days(
    minutes: np.ndarray, day: np.ndarray, n_days: int, own_sd: float, scale: float | None = TAU_SCALE
) -> dict[str, tuple]:
    """Return exact posterior means and standard deviations; ``new`` is the mean of a day that was not seen.

    Without a scale, tau is fixed at a value that lets each day stand alone.
    """
    n = np.bincount(day, minlength=n_days)
    average, error = np.bincount(day, minutes, minlength=n_days) / n, own_sd / np.sqrt(n)
    tau_prior = 1e4 if scale is None else stats.halfnorm(scale=scale)
    moments = hierarchical_moments(np.append(average, 0.0), np.append(error, np.inf), tau_prior, mu_sd=MU_SD)
    mean, sd = moments["level"]
    exact = {"day_mean": (mean[:-1], sd[:-1]), "new": (mean[-1], sd[-1])}
    return exact if scale is None else {"mu": moments["mu"], "tau": moments["tau"], **exact}


def two_slopes(answer: Answer, rng: np.random.Generator) -> str:
    """Check 15.6."""
    for table, layers, determined in _tables_with_a_number(rng):
        cells = cell_statistics(table, "minutes", layers, covariates=["miles"])
        first, second = pair(answer.call(cells), "the answer")
        rows = table["miles"].to_numpy(), table["minutes"].to_numpy()
        x, y = (value - value.mean() for value in rows)
        within = cells.x_products[:, 0, 0].sum()
        averages = cells.x_mean[:, 0], cells.mean
        mistakes = [
            (
                np.polyfit(*averages, 1, w=np.sqrt(cells.n))[0],
                "the first slope is that of a line through the averages of cells; inside a cell rows differ, too",
            ),
            (
                np.polyfit(*averages, 1)[0],
                "the first slope takes the cells as if each had one row, and leaves out what differs inside them",
            ),
            (
                np.polyfit(*rows[::-1], 1)[0],
                "the first slope is that of the number on the total; exchange the two",
            ),
        ]
        right = x @ y / (x @ x)
        at_equal = None if determined else _slope_at_equal_labels(table, layers)
        if at_equal is not None:
            mistakes.append((at_equal, "the first slope ignores the labels; this is the one at equal labels"))
        if within > 0:
            only_within = cells.x_total[:, 0].sum() / within
            mistakes.append(
                (only_within, "the first slope adds up products inside cells; cells also differ from one another")
            )
        given = number(first, "the slope of the line through all rows")
        expect(
            given, right, mistakes, "the first slope: sums over all rows are those inside cells and those between cells"
        )
        if determined:
            if second is not None:
                raise Hint(
                    f"where {determined}, the number is a sum of the contributors' own numbers, so their means can "
                    "take over any slope, and the task asks for None"
                )
            continue
        if second is None:
            raise Hint("the second slope is None, but here the number is no sum of the contributors' own numbers")
        mistakes = [(right, "the second slope is that at equal labels; this is the one through all rows")]
        if within > 0:
            mistakes.append((only_within, _ONLY_WITHIN))
        given = number(second, "the slope at equal labels")
        expect(given, at_equal, mistakes, "the second slope solves the equations of least squares that the cells give")
    return "What the first slope has and the second has not belongs to the labels."


_ONLY_WITHIN = (
    "the second slope: this compares rows of one cell only, but contributors' means are sums over layers, "
    "so different cells tell about the slope, too"
)


def _tables_with_a_number(rng: np.random.Generator) -> list[tuple[pd.DataFrame, list[str], str]]:
    """Return tables with minutes and miles, their layers, and what determines the miles; empty where labels do not."""
    layers = ["carrier", "month"]
    n = 160
    carrier, month = rng.integers(4, size=n), rng.integers(3, size=n)
    far = 2.0 * np.arange(4) + rng.uniform(-0.3, 0.3, 4)  # carriers differ in how far they fly
    of_pair = rng.permutation(np.linspace(0, 6, 12)).reshape(4, 3)
    miles = [
        (far[carrier] + rng.normal(0, 0.7, n), ""),
        (far[carrier], "each carrier flies one distance"),
        (of_pair[carrier, month] + far[carrier], ""),
        (far[carrier] + np.array([0.0, 0.5, 2.0])[month], "each carrier adds the same number of miles in a month"),
    ]
    frames = []
    for x, determined in miles:
        frame = pd.DataFrame({"carrier": carrier, "month": month, "miles": x})
        frame["minutes"] = -3.0 * far[carrier] + 2 * month + 1.5 * x + rng.normal(0, 4, n)
        frames.append((frame, layers, determined))
    return frames


def _slope_at_equal_labels(table: pd.DataFrame, layers: list[str]) -> float:
    """Return the coefficient of the miles in a regression on them and on the labels."""
    labels = pd.get_dummies(table[layers].astype("category")).to_numpy(float)
    return float(np.linalg.lstsq(np.column_stack([table["miles"], labels]), table["minutes"])[0][0])


CHECKERS = {
    "15.1": model_with_pair,
    "15.2": days_move_together,
    "15.3": blame_range,
    "15.4": shared_days,
    "15.5": predict_tomorrow,
    "15.6": two_slopes,
}
