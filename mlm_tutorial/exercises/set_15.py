"""Checks of the exercises of notebook 15."""

import numpy as np
import pandas as pd
from scipy import stats

from mlm_tutorial.cells import Cells, cell_statistics
from mlm_tutorial.exercises.answers import FALSE_ALARM, Answer, Hint, array, close, expect, instance, number, pair
from mlm_tutorial.names import BASELINE, coordinate_of
from mlm_tutorial.priors import Priors

#: What people glue labels together with, and labels may therefore hold, too.
SEPARATORS = (" ", "_", "-", ",", ", ", "/", "|", ":", ";", ".", "+", "&", " & ", " x ", " / ", " - ", "__", "--", "#")


def model_with_pair(answer: Answer, rng: np.random.Generator) -> str:
    """Check 10.1."""
    plain, glued = _some_flights(rng, 400), _labels_with_separators(rng)
    look_alike = "think of gate 1 in month 11 and gate 11 in month 1"
    inside = 'a label may hold what you join with: think of the pairs ("a b", "c") and ("a", "b c")'
    cases = [(plain, ("gate", "month"), look_alike), (plain, ("month", "carrier"), look_alike)]
    cases.append((glued, ("gate", "month"), inside))
    for table, combined, advice in cases:
        layers = ["carrier", "gate", "month", "day_part"]
        name = "_".join(combined)
        new = [*(layer for layer in layers if layer not in combined), name]
        first, second = pair(answer.call(table, "minutes", layers, combined), "the answer")
        given = instance(first, Cells, "Cells, from mlm.cell_statistics", "the first part")
        if set(combined) & set(given.layers):
            raise Hint("the combination replaces the two layers, but they are still among the layers of the cells")
        if list(given.layers) != new:
            raise Hint(f"the layers should be {new}, in this order, but they are {list(given.layers)}")
        codes = pd.MultiIndex.from_frame(table[list(combined)].astype(str)).factorize()[0]
        right = cell_statistics(table.assign(**{name: codes}), "minutes", new)
        found, wanted = len(given.labels[name]), len(right.labels[name])
        if found < wanted:
            raise Hint(
                f"two different pairs share one label: there are {wanted} pairs in the table, and {found} labels; "
                f"{advice}"
            )
        if found > wanted:
            raise Hint(f"the table has {wanted} pairs of {combined[0]} and {combined[1]}, the new layer {found} labels")
        if not _same_up_to_labels(given, right):
            raise Hint("the cells do not hold the table's counts, means and sums of squares; was every row kept?")
        _check_model(second, given)
    return "Pairs that never occur need no label, and no parameter."


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


def _labels_with_separators(rng: np.random.Generator) -> pd.DataFrame:
    """Return flights with two pairs for each separator that look alike where they are glued together with it."""
    pairs = [both for mark in SEPARATORS for both in ((f"a{mark}b", "c"), ("a", f"b{mark}c"))] * 2
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


def unseen_errors(answer: Answer, rng: np.random.Generator) -> str:
    """Check 10.2."""
    for _ in range(2):
        train, test = _two_halves(rng)
        first, second = pair(answer.call(train, test), "the answer")
        additive, own = number(first, "the error of the additive means"), number(second, "the error of the own means")
        keys = list(train.layers)
        known = train.to_frame()[keys].assign(additive=train.additive_means(), own=train.mean)
        both = test.to_frame().merge(known, how="left", on=keys)
        n, mean, sum_sq = (both[name].to_numpy() for name in ("n", "mean", "sum_sq"))
        right = [np.sum(sum_sq + n * (mean - both[name]) ** 2) / n.sum() for name in ("additive", "own")]
        if close([additive, own], right[::-1]):
            raise Hint("both errors are right, but they come in the other order")
        by_code = {tuple(code): i for i, code in enumerate(train.codes.tolist())}
        at = np.array([by_code.get(tuple(code), 0) for code in test.codes.tolist()])
        for value, wanted, name, means in zip(
            [additive, own], right, ["additive", "own"], [known["additive"].to_numpy(), train.mean], strict=True
        ):
            missed = n * (mean - both[name].to_numpy()) ** 2
            what = "the additive means" if name == "additive" else "the cells' own means"
            peeked = test.additive_means() if name == "additive" else mean
            by_position = (
                "cells were matched by code or position; the second half lacks a contributor, so compare labels"
            )
            mistakes = [
                (np.sqrt(wanted), f"{what}: leave the error squared"),
                (
                    missed.sum() / n.sum(),
                    f"{what}: rows scatter about their cell's average; this part of the error is missing",
                ),
                (
                    np.mean(sum_sq / n + missed / n),
                    f"{what}: every row counts once; here every cell does, however few rows it has",
                ),
                (np.sum(sum_sq + missed) / len(n), f"{what}: divide by the number of unseen rows, not of cells"),
                (
                    np.sum(sum_sq + n * (mean - peeked) ** 2) / n.sum(),
                    f"{what}: this prediction has seen the rows that it predicts",
                ),
                (np.sum(sum_sq + n * (mean - means[at]) ** 2) / n.sum(), by_position),
                (np.sum(sum_sq + n * (mean - means[: len(n)]) ** 2) / n.sum(), by_position),
            ]
            otherwise = f"{what}: for each row of the second half, take its distance from what the first half predicts"
            expect(value, wanted, mistakes, otherwise)
    return "An error on unseen rows needs no rows: cells are enough for squares."


def _two_halves(rng: np.random.Generator) -> tuple[Cells, Cells]:
    n = 600
    table = pd.DataFrame({"carrier": rng.choice(list("ABCD"), n), "origin": rng.choice(["EWR", "JFK", "LGA"], n)})
    table["month"] = rng.choice([1, 2, 3], n)
    table["minutes"] = rng.normal(0, 8, n) + 5 * (table["carrier"] == "B") - 4 * (table["month"] == 2)
    table["minutes"] += 6 * ((table["origin"] == "JFK") & (table["month"] == 3))
    layers = ["carrier", "origin", "month"]
    train, test = table.iloc[:450], table.iloc[450:]
    test = test[test["carrier"] != "A"]
    known = train.groupby(layers)["minutes"].size().rename("count").reset_index()
    test = test.merge(known, on=layers)  # every unseen row has a cell in the first half
    return cell_statistics(train, "minutes", layers), cell_statistics(test, "minutes", layers)


def right_tail(answer: Answer, rng: np.random.Generator) -> str:
    """Check 10.3."""
    n_draws, n, n_cells = 2000, 400, 5
    for heavy in (False, True):
        cell = rng.integers(n_cells, size=n)
        mean = rng.normal(0, 5, n_cells) + rng.normal(0, 0.5, (n_draws, n_cells))
        variance = rng.uniform(50, 200, n_cells) * np.exp(rng.normal(0, 0.05, (n_draws, n_cells)))
        z = np.clip(rng.normal(size=n), -2.3, 2.3)
        z[:5] = [5.0, 5.5, 6.0, 7.0, 9.0] if heavy else [3.6, 3.0, -4.0, -3.6, -5.0]
        x = mean.mean(axis=0)[cell] + z * np.sqrt(variance.mean(axis=0))[cell]
        first, second = pair(answer.call(x, cell, mean, variance, rng), "the answer")
        observed = array(first, (n_draws,), "the first part, the observed counts")
        p_value = number(second, "the second part, the p-value")

        deviation = x - mean[:, cell]
        by_draw = deviation / np.sqrt(variance[:, cell])
        right = np.sum(by_draw > 3, axis=1)
        center, spread = mean.mean(axis=0), np.sqrt(variance.mean(axis=0))
        mistakes = [
            (np.sum(np.abs(by_draw) > 3, axis=1), "the counts are of both tails; only the right one is asked for"),
            (np.sum(by_draw < -3, axis=1), "the counts are of the left tail"),
            (np.sum(deviation / variance[:, cell] > 3, axis=1), "`variance` holds variances, not standard deviations"),
            (np.sum(deviation > 3, axis=1), "divide by the standard deviation before you compare with 3"),
            (
                np.full(n_draws, np.sum((x - center[cell]) / spread[cell] > 3)),
                "the counts are the same for every draw: each draw has its own mean and variance to measure with",
            ),
        ]
        expect(
            observed, right, mistakes, "for each draw, count the rows more than 3 standard deviations above the mean"
        )

        chance = stats.norm.sf(3)
        expected = np.mean(stats.binom.sf(right - 1, n, chance))
        # The p-value is an average over independent draws of zeros and ones: Hoeffding's bound holds for any of them.
        limit = np.sqrt(np.log(4 / FALSE_ALARM) / (2 * n_draws))
        if abs(p_value - expected) > limit:
            for wrong, hint in [
                (
                    np.mean(stats.binom.sf(right, n, chance)),
                    "a simulated count that equals the observed one counts too",
                ),
                (np.mean(stats.binom.cdf(right, n, chance)), "the p-value counts simulations on the other side"),
            ]:
                if abs(p_value - wrong) < limit:
                    raise Hint(hint)
            raise Hint(
                f"the p-value should be near {expected:.2f} here, but it is {p_value:.2f}; "
                "simulate a fresh set of rows for every draw, and compare it with the count of that draw"
            )
    return "A p-value near 0 says that the model hardly ever makes a tail as long as that of the data."


def blame_range(answer: Answer, rng: np.random.Generator) -> str:
    """Check 10.4."""
    for layer, sign in (("carrier", 1), ("month", -1), ("origin", -1)):
        names = ["baseline", "carrier", "origin", "month"]
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
            "how much variance can this layer give away, and how much can each other component give to it?",
        )
    return "Inside this range only the prior speaks; the surprise itself is the same under every prior."


def shared_days(answer: Answer, rng: np.random.Generator) -> str:
    """Check 10.5."""
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


CHECKERS = {
    "15.1": model_with_pair,
    "15.2": unseen_errors,
    "15.3": right_tail,
    "15.4": blame_range,
    "15.5": shared_days,
}
