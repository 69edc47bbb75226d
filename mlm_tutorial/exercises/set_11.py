"""Checks of the exercises of notebook 11."""

from itertools import product

import numpy as np
import pandas as pd

from mlm_tutorial.exercises.answered_posteriors import expect_moments, fits_a_model, trusted_draws
from mlm_tutorial.exercises.answers import (
    Answer,
    Hint,
    array,
    close,
    describe,
    expect,
    instance,
    number,
    pair,
)


def answered(answer: Answer, rng: np.random.Generator) -> str:
    """Check 11.1."""
    cases = _questions(rng)
    given = []
    for kinds, question, known in cases:
        value = answer.call(kinds, question, known)
        if not isinstance(value, (bool, np.bool_)):
            raise Hint(f"the answer should be True or False, but it is {describe(value)}")
        given.append(bool(value))
    right = [_estimable(*_matrix(*case)) for case in cases]
    if given == right:
        return "A plan can be asked before anybody drives a mile."
    mistakes = [
        (lambda *case: True, "your answer is always True, but there are questions that a plan leaves to the prior"),
        (lambda *case: False, "your answer is always False, but a plan may answer one question and not another"),
        (
            _full_rank,
            "a plan with a flat direction left can still answer a question that does not depend on it; where does the "
            "question enter your answer?",
        ),
        (
            lambda kinds, question, known: _estimable(*_matrix(kinds, question, [])),
            "a variance that is known need not be found; `known` has no part in your answer",
        ),
        (
            _asks_for_known,
            "what is asked about a known variance is answered already; it drops out of the question, too",
        ),
        (_all_seen, "that a component takes part somewhere is not enough: can its variance be told from the others'?"),
        (
            lambda kinds, question, known: _estimable(
                *_matrix(kinds, {k: float(w != 0) for k, w in question.items()}, known)
            ),
            "the weights of the question matter, their signs and sizes: a difference is not a sum",
        ),
        (
            lambda kinds, question, known: sum(question.values()) == 0 or _estimable(*_matrix(kinds, question, known)),
            "a difference, too, can be left to the prior: which difference does a flat direction change?",
        ),
        (
            _difference_of_two,
            "the cells may be combined with any weights, and more than two of them at a time",
        ),
    ]
    # A mistake is named where it explains all answers, so that no hint comes by coincidence.
    for rule, hint in mistakes:
        if given == [bool(rule(*case)) for case in cases]:
            raise Hint(hint)
    k = next(i for i, (g, r) in enumerate(zip(given, right, strict=True)) if g != r)
    kinds, question, known = cases[k]
    asked = ", ".join(f"{w:g} x {name}" for name, w in question.items())
    raise Hint(
        f"with {len(kinds)} kinds of rows, the question ({asked}) and {len(known)} known variances, your answer is "
        f"{given[k]}; is the question a weighted sum of what the kinds of rows show?"
    )


def _matrix(kinds, question, known) -> tuple[np.ndarray, np.ndarray]:
    """Return the design and the question without the known components."""
    names = sorted({name for kind in kinds for name in kind} | set(question))
    names = [name for name in names if name not in known]
    design = np.array([[float(name in kind) for name in names] for kind in kinds])
    return design, np.array([float(question.get(name, 0)) for name in names])


def _estimable(design: np.ndarray, row: np.ndarray) -> bool:
    """Return whether a question is a weighted sum of the rows of the design."""
    return bool(np.linalg.matrix_rank(np.vstack([design, row])) == np.linalg.matrix_rank(design))


def _asks_for_known(kinds, question, known) -> bool:
    """Return the answer of who leaves known components out of the design only."""
    if any(question.get(name, 0) for name in known):
        return False
    return _estimable(*_matrix(kinds, question, known))


def _full_rank(kinds, question, known) -> bool:
    design, _ = _matrix(kinds, question, known)
    return np.linalg.matrix_rank(design) == design.shape[1]


def _all_seen(kinds, question, known) -> bool:
    return all(any(name in kind for kind in kinds) for name in question)


def _difference_of_two(kinds, question, known) -> bool:
    design, row = _matrix(kinds, question, known)
    rows = [*design, *(a - b for a, b in product(design, design))]
    return any(np.allclose(x, row) for x in rows) or not row.any()


#: Names that a case draws from, so that no name means the same twice.
_WORDS = ["Ann", "Ben", "Cleo", "Dov", "Ida", "Jo", "Kim", "Lou", "Max", "Ned"]


def _questions(rng: np.random.Generator) -> list[tuple[list, dict, list]]:
    """Return plans with questions; between them every mistake shows."""
    cases = []
    for _ in range(2):
        names = [str(x) for x in rng.permutation(_WORDS)]
        base, first, second = names[0], names[1 : 3 + int(rng.integers(2))], names[5 : 7 + int(rng.integers(2))]
        usual = [[base, a, b] for a in first for b in second]
        no_second, bare, no_first = [[base, a] for a in first], [[base]], [[base, b] for b in second]
        no_base = [[a, b] for a in first for b in second[:1]]
        plans = [usual, usual + no_second, usual + bare, usual + no_second + bare, usual + no_second + no_first]
        plans += [usual + no_base, no_base + no_first + no_second]
        mean = {a: 1 / len(first) for a in first}
        asked = [
            ({base: 1.0}, []),
            (mean, []),
            ({b: 1 / len(second) for b in second}, []),
            ({first[0]: 1.0, first[1]: -1.0}, []),
            ({first[0]: 2.0, first[1]: -1.0}, []),
            ({first[0]: 1.0, second[0]: -1.0}, []),
            (mean | {b: 1 / len(second) for b in second}, []),
            ({second[0]: 1.0}, [base]),
            ({base: 1.0, second[0]: 1.0}, list(first)),
            ({base: 1.0, first[0]: 1.0}, [base]),
            ({base: 1.0}, [base]),
            ({names[9]: 1.0}, []),  # takes part in no row
        ]
        cases += [(_shuffled(plan, rng), question, known) for plan in plans for question, known in asked]
    return [cases[i] for i in rng.permutation(len(cases))]


def _shuffled(kinds: list[list[str]], rng: np.random.Generator) -> list[list[str]]:
    return [[kinds[i][j] for j in rng.permutation(len(kinds[i]))] for i in rng.permutation(len(kinds))]


#: The hint for an answer that puts the first component, the baseline of many designs, into every row.
_FIRST = "not every kind of row contains the first component; which ones do, the design says"


def _with_first(design: np.ndarray) -> np.ndarray:
    """Return a design with the first component in every row."""
    return np.hstack([np.ones((len(design), 1)), design[:, 1:]])


def standard_error(answer: Answer, rng: np.random.Generator) -> str:
    """Check 11.2."""
    cases = [_mixed_plan(*plan, rng) for m in (2, 3) for plan in _plans(m, rng)]
    given = [_as_error(answer.call(*case)) for case in cases]
    widened = [(_with_first(design), *rest) for design, *rest in cases]
    right, first = ([_error(x, n, x @ sigma**2, c) for x, n, sigma, c in plans] for plans in (cases, widened))
    if not close(given, right, 1e-5) and close(given, first, 1e-5):
        raise Hint(_FIRST)
    for value, case in zip(given, cases, strict=True):
        _check_error(value, *case)
    return "The error is known before the first row is, up to what you assume about the spreads."


def _plans(m: int, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return designs with questions, for a baseline and m contributors of one layer."""
    layer = np.hstack([np.ones((m, 1)), np.eye(m)])
    bare, alone = np.eye(m + 1)[:1], np.eye(m + 1)[1:2]
    question = np.eye(m + 1)[rng.integers(1, m + 1)]
    difference = np.array([0.0, 1.0, -1.0, *np.zeros(m - 2)])
    weights = rng.uniform(0.5, 2, m + 1) * rng.choice([-1, 1], m + 1)
    return [
        (layer, question),
        (layer, difference),
        (np.vstack([layer, bare]), question),
        (np.vstack([layer, alone]), weights),
        (np.vstack([layer, alone]), question),
        (np.vstack([layer, bare, alone]), question),  # more kinds than components: some weights are better than others
    ]


def _mixed_plan(design, question, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Return a design, numbers of rows, spreads and a question, with cells and components in any order."""
    columns = rng.permutation(design.shape[1])
    n, sigma = rng.integers(40, 900, len(design)), rng.uniform(1, 5, design.shape[1])
    return _mixed(design, rng)[:, columns], n, sigma, question[columns]


def _as_error(value: object) -> float:
    """Return a standard error, which may be infinite."""
    if isinstance(value, (float, np.floating)) and np.isposinf(value):
        return np.inf
    return number(value, "the standard error")


def _error(design, n, variance, c) -> float:
    """Return the standard error of a question, infinite where the kinds that have rows do not answer it.

    `variance` is that of each kind.
    """
    used = n > 0
    design, weight = design[used], n[used] / (2 * variance[used] ** 2)
    if not used.any() or not _estimable(design, c):
        return np.inf
    return float(np.sqrt(c @ np.linalg.pinv((design.T * weight) @ design) @ c))


def _check_error(given: float, design, n, sigma, c) -> None:
    if not _estimable(design, c):
        if np.isposinf(given):
            return
        raise Hint(
            f"this plan does not answer the question, so its error is infinite, but yours is {given:.3g}; a "
            "pseudo-inverse gives a number whether or not there is an answer"
        )
    if np.isposinf(given):
        full = np.linalg.matrix_rank(design) == design.shape[1]
        why = "and even has full rank" if full else "although its rank is not full"
        raise Hint(f"your error is infinite where the plan does answer the question, {why}")
    v = design @ sigma**2

    def error(weight, c=c):
        inverse = np.linalg.pinv((design.T * weight) @ design)
        return np.sqrt(c @ inverse @ c)

    right = error(n / (2 * v**2))
    information = (design.T * n / (2 * v**2)) @ design
    mistakes = [
        (right**2, "this is the variance of the estimate; take its root"),
        (error(n / v), "this is the error of a question about means; a sample variance has another one"),
        (error(n / v**2), "the variance of a sample variance has a factor of two"),
        (error(n / (2 * v)), "a cell's information about its variance falls with the square of that variance"),
        (error(1 / (2 * v**2)), "the numbers of rows have no part in your answer"),
        (
            error(n / (2 * (design @ sigma) ** 4)),
            "in a total variances add up, and not standard deviations",
        ),
        (error(n / (2 * (design @ sigma) ** 2)), "in a total variances add up, and not standard deviations"),
        (error(n / (2 * v**2), np.sign(c)), "the weights of the question matter, and not only their signs"),
        (error((n - 1) / (2 * v**2)), "the text takes n for the information of a cell, not n - 1"),
        (
            np.sqrt(c**2 @ (1 / np.diag(information))),
            "one over a diagonal element treats all other variances as known; invert the whole matrix",
        ),
        (
            np.sqrt(np.square(c @ np.linalg.pinv(design)) @ (2 * v**2 / n)),
            "these weights take all cells as equally well known; the best ones follow their information",
        ),
        (np.sqrt(c @ information @ c), "this grows with the number of rows: it is information, not yet an error"),
    ]
    otherwise = "the error is off; which information has each cell, and how does the design collect it?"
    expect(given, right, mistakes, otherwise, rtol=1e-5)


def reported(answer: Answer, rng: np.random.Generator) -> str:
    """Check 11.3."""
    cases = [_mixed_statement(*case, rng) for _ in range(2) for case in _statements(rng)]
    given = [answer.call(design, design @ true, stated) for design, true, stated, _ in cases]
    right = [_report(design, design @ true, stated)[0] for design, true, stated, _ in cases]
    first = [_report(_with_first(design), design @ true, stated)[0] for design, true, stated, _ in cases]
    if not all(map(_same_report, given, right)) and all(map(_same_report, given, first)):
        raise Hint(_FIRST)
    for value, case in zip(given, cases, strict=True):
        _check_report(value, *case)
    return "What a statement takes from one component goes to the others, unless the plan can contradict it."


def _statements(rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray, dict, str]]:
    """Return designs for a baseline and two layers, true variances, stated variances, and words for the case."""
    usual = np.array([[1.0, *np.eye(2)[i], *np.eye(3)[j]] for i in range(2) for j in range(3)])
    no_second = np.array([[1.0, *np.eye(2)[i], 0, 0, 0] for i in range(2)])
    bare, alone = np.eye(6)[:1], np.eye(6)[1:2]
    no_base = usual[:3] - bare
    true = np.concatenate([rng.uniform(12, 20, 1), rng.uniform(3, 7, 2), rng.uniform(2, 5, 3)])
    plain, both = np.vstack([usual, no_second]), np.vstack([usual, no_second, bare])
    smallest = true[1:3].min()
    return [
        (both, true, {}, ""),
        (np.vstack([plain, alone]), true, {}, ""),
        (plain, true, {0: true[0]}, "with the true value stated, "),
        (plain, true, {0: 0.75 * true[0]}, "with too small a value stated, "),
        (plain, true, {1: 0.6 * true[1]}, "with another component stated, "),
        (np.vstack([usual, no_base]), true, {1: 0.6 * true[1]}, "with another component stated, "),
        (usual, true, {0: true[0], 1: 0.8 * true[1]}, "with two values stated, "),
        (plain, true, {0: true[0] + 1.5 * smallest}, "with far too large a value stated, "),
        (both, true, {0: 0.75 * true[0]}, "with a value that some cells deny, "),
        (np.vstack([plain, alone]), true, {1: 0.6 * true[1]}, "with a value that some cells deny, "),
    ]


def _mixed_statement(design, true, stated, case: str, rng: np.random.Generator) -> tuple:
    """Return the case with cells and components in any order, and with standard deviations stated."""
    columns = rng.permutation(len(true))
    stated = {int(np.flatnonzero(columns == k)[0]): float(np.sqrt(v)) for k, v in stated.items()}
    return _mixed(design, rng)[:, columns], true[columns], stated, case


def _same_report(value: object, report: np.ndarray | None) -> bool:
    if value is None or report is None:
        return value is report
    try:
        return close(array(value, report.shape), report, 1e-5, 1e-7)
    except Hint:
        return False


def _mixed(design: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return design[rng.permutation(len(design))]


def _check_report(value: object, design, true, stated, case: str) -> None:
    variance = design @ true
    right, solution, exact = _report(design, variance, stated)
    if right is None:
        if value is None:
            return
        given = array(value, (len(true),), "the answer")
        if (given < 0).any():
            raise Hint(f"{case}one of your variances is negative; then no variances agree with all cells")
        if not exact and close(given, solution, 1e-5, 1e-7):
            raise Hint(
                f"{case}your variances do not add up to those of all cells; least squares also solves what "
                "has no solution"
            )
        if close(given, np.maximum(solution, 0), 1e-5, 1e-7):
            raise Hint(f"{case}a negative variance that is set to zero no longer adds up to what the cells show")
        raise Hint(f"{case}no variances agree with all cells, and the answer should be None")
    if value is None:
        raise Hint(f"{case}there are variances that agree with all cells, but your answer is None")
    if isinstance(value, (np.ndarray, list, tuple)) and len(value) == len(true) - len(stated) != len(true):
        raise Hint("the answer should hold all components, the stated ones as well")
    given = array(value, (len(true),), "the answer")
    ignored = np.linalg.lstsq(design, variance, rcond=None)[0]
    unsquared, squared = (_solve(design, variance, stated, f)[0] for f in (lambda x: x, lambda x: x**4))
    places, not_stated = list(stated), solution.copy()
    not_stated[places] = 0
    in_sds = solution.copy()
    in_sds[places] = list(stated.values())
    mistakes = [
        (np.sqrt(right), "these are standard deviations; the answer should hold variances"),
        (true, f"{case}the cells' true split is not what the data show; the statement goes straight into the answer"),
        (unsquared, "a stated standard deviation is subtracted from variances; square it first"),
        (in_sds, "one of your variances is a standard deviation as it was stated"),
        (squared, "the statement is a standard deviation; it is squared twice here"),
        (ignored, f"{case}what is stated has no part in your answer"),
        (not_stated, "the answer should hold all components, the stated ones as well"),
    ]
    expect(
        given,
        right,
        mistakes,
        f"{case}the answer is off; what is left of each cell's variance for the others?",
        rtol=1e-5,
        atol=1e-7,
    )


def _solve(design, variance, stated, power=lambda x: x**2):
    """Return all variances by least squares given the stated ones, and the residual of the cells."""
    known = np.array([k in stated for k in range(design.shape[1])])
    solution = np.zeros(design.shape[1])
    solution[known] = [power(stated[k]) for k in np.flatnonzero(known)]
    left = variance - design @ solution
    solution[~known] = np.linalg.lstsq(design[:, ~known], left, rcond=None)[0]
    return solution, variance - design @ solution


def _report(design, variance, stated):
    solution, residual = _solve(design, variance, stated)
    exact = bool(np.abs(residual).max() < 1e-8 * variance.max())
    return (solution if exact and (solution > -1e-9).all() else None), solution, exact


#: Scales of the priors of 11.4: of means, and of standard deviations.
MU_SD, SIGMA_SCALE = 10.0, 5.0

#: Values of each standard deviation over which the exact posterior of 11.4 is summed.
N_GRID = 50


@fits_a_model
def fit_plan(answer: Answer, rng: np.random.Generator) -> str:
    """Check 11.4."""
    words = rng.permutation(["center", "driver", "van", "gate"])
    plans = [((1, 1), (1, 0), (0, 0)), ((1, 1), (0, 1), (1, 0))]
    for k, plan in enumerate(plans):
        layers = [str(x) for x in words[2 * k : 2 * k + 2]]
        table = _parcels(plan, layers, rng)
        _check_fit(answer, table, layers, int(rng.integers(2**31)))
    return "Rows that lack a layer are not incomplete; they are the ones that tell the layer from the rest."


def _parcels(plan, layers: list[str], rng: np.random.Generator) -> pd.DataFrame:
    """Return a table of parcels, 15 to 30 of each kind; each layer has one contributor."""
    mu, sd = rng.uniform([-2, 1, 3], [2, 3, 6]), rng.uniform([2, 3, 2], [4, 5, 6])
    parts = []
    for kind in plan:
        n, here = int(rng.integers(15, 31)), np.array([1, *kind], bool)
        total = rng.normal(mu[here].sum(), np.sqrt((sd[here] ** 2).sum()), n)
        labels = {name: [f"{name} A" if there else None] * n for name, there in zip(layers, kind, strict=True)}
        parts.append(pd.DataFrame({"total": total} | labels))
    return pd.concat(parts).sample(frac=1, random_state=int(rng.integers(2**31))).reset_index(drop=True)


def _check_fit(answer: Answer, table: pd.DataFrame, layers: list[str], seed: int) -> None:
    first, second = pair(answer.call(table, layers, seed), "the answer")
    names = ["baseline", *layers]
    posterior = trusted_draws(first, [f"{kind}_{x}" for kind in ("mu", "sigma") for x in names], "the first value")
    for name in names:
        for kind in ("mu", "sigma"):
            draws = posterior[f"{kind}_{name}"]
            size = int(np.prod(draws.shape[2:]))
            if size != 1:
                raise Hint(
                    f"{kind}_{name} has {size} values, but {name} has one contributor; a missing label is not a "
                    "contributor with a mean and a spread of its own"
                )
    if any(str(name).startswith("tau_") for name in posterior):
        raise Hint("this model pools the contributors of a layer; the priors of the text are fixed, without pooling")
    right = _moments(table, layers)
    for kind, name in [("sigma", x) for x in names] + [("mu", x) for x in names]:
        variable = f"{kind}_{name}"
        mean, sd = right[variable]
        expect_moments(posterior[variable], mean, sd, variable, _wrong_moments(table, layers, variable))
    _check_probability(number(second, "the probability"), posterior, layers)


def _wrong_moments(table: pd.DataFrame, layers: list[str], variable: str):
    """Yield moments of mistakes with their hints; they are computed only where the right moments are missed."""
    default = _moments(table, layers, *_default_scales(table, layers))
    yield *default[variable], "these priors take their scales from the totals; the text gives its own scales"
    swapped = _moments(table, layers, swap=True)
    yield *swapped[variable], "the two layers are swapped; which column belongs to which?"


def _check_probability(given: float, posterior, layers: list[str]) -> None:
    """Compare a probability with the share in the student's own draws, whose moments are right; it may be rounded."""
    one, other = (posterior[f"sigma_{name}"].values.reshape(posterior.sizes["chain"], -1) for name in layers)
    above = (other > one).astype(float)
    if any(close(given, round(above.mean(), digits)) for digits in (2, 3, 4)):
        return
    means = [(posterior[f"mu_{name}"].values).reshape(above.shape) for name in layers]
    mistakes = [
        (1 - above.mean(), "this is the probability that the first of the layers varies more"),
        (float(other.mean() > one.mean()), "this compares two averages; a probability is a share of draws"),
        (np.mean(means[1] > means[0]), "this compares means; the question is which of the layers varies more"),
        ((other / (one + other)).mean(), "this is a share of the spread; the question asks for a probability"),
        (
            (other**2 / (one**2 + other**2)).mean(),
            "this is a share of the variance; the question asks for a probability",
        ),
    ]
    expect(
        given,
        above.mean(),
        mistakes,
        f"in your own draws the second layer varies more in a share of {above.mean():.3f}, but you return {given:.3f}",
    )


def _default_scales(table: pd.DataFrame, layers: list[str]) -> tuple[float, float, float, float]:
    """Return the scales of priors that are taken from the totals: of means, of spreads, and the baseline's two."""
    from mlm_tutorial.cells import cell_statistics
    from mlm_tutorial.priors import Priors

    prior = Priors.from_cells(cell_statistics(table, layers=layers, allow_absent=layers), pooled=False)
    mu_sd, sigma_scale = prior.mu_sd_of(layers[0]), prior.sigma_scale_of(layers[0])
    return mu_sd, sigma_scale, prior.baseline_mu, prior.baseline_mu_sd


def _moments(
    table: pd.DataFrame,
    layers: list[str],
    mu_sd: float = MU_SD,
    sigma_scale: float = SIGMA_SCALE,
    baseline_mu: float = 0.0,
    baseline_mu_sd: float = MU_SD,
    swap: bool = False,
) -> dict:
    """Return exact posterior moments of 11.4's model.

    Given the three standard deviations all is normal, so the means are integrated out in closed form; the standard
    deviations are summed over a grid.
    """
    here = table[layers[::-1] if swap else layers].notna().to_numpy()
    kinds, kind = np.unique(here, axis=0, return_inverse=True)
    total, kind = table["total"].to_numpy(), kind.ravel()
    n = np.bincount(kind).astype(float)
    mean = np.bincount(kind, total) / n
    sum_sq = np.bincount(kind, (total - mean[kind]) ** 2)
    design = np.column_stack([np.ones(len(kinds)), kinds])
    prior_mean, prior_precision = np.array([baseline_mu, 0, 0]), np.array([baseline_mu_sd, mu_sd, mu_sd]) ** -2.0

    grid = 0.3 * (np.arange(N_GRID) + 0.5)  # minutes
    log_prior = np.log(grid) - (grid / sigma_scale) ** 2
    parts = []
    for k in range(len(grid)):  # in slices, to need little memory
        sigma = np.stack(np.meshgrid(grid[k], grid, grid, indexing="ij"), axis=-1).reshape(-1, 3)
        variance = sigma**2 @ design.T
        weight = n / variance
        precision = np.einsum("gk,ki,kj->gij", weight, design, design) + np.diag(prior_precision)
        linear = (weight * mean) @ design + prior_precision * prior_mean
        covariance = np.linalg.inv(precision)
        center = np.einsum("gij,gj->gi", covariance, linear)
        log_p = -0.5 * (n * np.log(variance) + sum_sq / variance + weight * mean**2).sum(axis=1)
        log_p += 0.5 * (linear * center).sum(axis=1) - 0.5 * np.linalg.slogdet(precision)[1]
        log_p += log_prior[k] + np.add.outer(log_prior, log_prior).ravel()
        parts.append((log_p, sigma, center, np.einsum("gii->gi", covariance)))
    log_p, sigma, center, within = (np.concatenate(x) for x in zip(*parts, strict=True))
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    mu, mean_sigma = p @ center, p @ sigma
    mu_sds = np.sqrt(p @ (within + (center - mu) ** 2))
    sigma_sds = np.sqrt(p @ (sigma - mean_sigma) ** 2)
    found: dict = {}
    for j, name in enumerate(["baseline", *layers]):
        found[f"mu_{name}"], found[f"sigma_{name}"] = (mu[j], mu_sds[j]), (mean_sigma[j], sigma_sds[j])
    return found


def spend(answer: Answer, rng: np.random.Generator) -> str:
    """Check 11.5."""
    cases = _markets(rng)
    given = [answer.call(*case) for case in cases]
    wrong = [_wrong_plans(*_arrays(*case[:3])) for case in cases]
    # A mistake is named where it explains all answers, so that no hint comes by coincidence.
    for hint in wrong[0]:
        if all(_same_plan(x, plans[hint], case) for x, plans, case in zip(given, wrong, cases, strict=True)):
            raise Hint(hint)
    for value, case in zip(given, cases, strict=True):
        _check_plan(value, *case)
    return "A plan is good for a question, at a price; change either and you need another plan."


def _wrong_plans(design, price, v, c) -> dict[str, np.ndarray | None]:
    """Return relative numbers of rows by what is wrong with them, None where the mistake finds no plan."""
    even, with_first, variance = np.ones(len(price)), _with_first(design), design @ v
    best = _best_plan(design, price, variance, c)
    no_variance, no_price = _best_plan(design, price, even, c), _best_plan(design, even, variance, c)
    return {
        "every offer gets the same number of rows, whatever is asked and whatever it costs": even,
        "every offer gets the same money, whatever is asked; some of them say nothing about the question": even / price,
        "not every kind of row contains the first component; an offer lists all that do": _best_plan(
            with_first, price, with_first @ v, c
        ),
        "the weights of the question matter, their signs too": _best_plan(design, price, variance, np.abs(c)),
        "in a total variances add up, and not standard deviations": _best_plan(design, price, design @ np.sqrt(v), c),
        "the variances of the kinds have no part in your plan; a wide one needs more": no_variance,
        "the prices have no part in your plan": no_price,
        "the prices have no part in how you share the rows": None if best is None else best * np.sqrt(price),
        "a price enters the number of rows by its root, not as it is": None if best is None else best / np.sqrt(price),
    }


def _same_plan(value: object, plan: np.ndarray | None, case: tuple) -> bool:
    """Return whether a plan is within the budget, and shares the rows out among the kinds as another one does."""
    offers, _, _, budget = case
    if plan is None or not isinstance(value, dict):
        return value is plan
    try:
        rows = np.array([number(value.get(name, 0)) for name in offers])
    except Hint:
        return False
    if not 0 < rows @ [price for _, price in offers.values()] <= budget * (1 + 1e-6):
        return False
    kinds = [frozenset(kind) for kind, _ in offers.values()]  # a mistake may take either of two offers of one kind
    given, wanted = (pd.Series(x / x.sum()).groupby(kinds).sum() for x in (rows, plan))
    return close(given, wanted, 0.02, 0.01)


def _markets(rng: np.random.Generator) -> list[tuple[dict, dict, dict, float]]:
    """Return offers, spreads, questions and budgets; between them every mistake shows."""
    asks = ("first", "second", "base", "sum", "difference", "impossible", "detour", "pairs", "alone", "narrow")
    return [_market(ask, rng) for ask in asks]


def _market(ask: str, rng: np.random.Generator) -> tuple[dict, dict, dict, float]:
    """Return one of the cases; its name says what is asked, or how the offers differ from the usual ones."""
    names = [str(x) for x in rng.permutation(_WORDS)[:4]]
    base, first, second, third = names
    sigma = dict(zip(names, rng.uniform([5, 1, 4, 1], [8, 3, 9, 9]), strict=True))
    kinds = {"usual": [base, first, second, third], "no first": [base, second, third], "bare": [base]}
    kinds |= {"no second": [base, first, third], "only third": [base, third]}
    dear = {"first": "no first", "second": "no second", "base": "usual", "sum": "only third", "detour": "only third"}
    dear_price = rng.uniform(15, 30)
    if ask == "impossible":
        kinds = {k: kinds[k] for k in ("usual", "no second", "bare")}
    elif ask == "pairs":  # no component takes part in every row
        kinds = {"usual": kinds["usual"], "a": [base, first], "b": [first, second], "c": [base, second]}
        kinds["d"], dear["pairs"] = [base, third], "usual"
    elif ask == "alone":  # the two narrow components are dear, so that it matters how prices and variances enter
        kinds = {"usual": kinds["usual"], "together": [first, second, third]} | {x: [x] for x in names[1:]}
        sigma |= dict(zip(names, rng.uniform([1, 1, 8, 1], [2, 1.5, 10, 1.5]), strict=True))
    elif ask == "narrow":  # few dear rows that vary little are worth more than many cheap ones that vary much
        kinds |= {"no second": [first, third], "only third": [third]}
        sigma = dict(zip(names, rng.uniform([7, 2, 8, 2], [8, 2.5, 9, 2.5]), strict=True))
    prices = {k: rng.uniform(1, 3) for k in kinds}
    if ask == "alone":
        prices |= {"usual": dear_price, "together": dear_price + 2, first: 3 * dear_price, third: 3 * dear_price}
    elif ask == "narrow":
        prices |= {"usual": rng.uniform(1, 1.5), "no first": rng.uniform(1, 1.5)}
        prices |= dict.fromkeys(("no second", "only third"), 3 * dear_price)
    else:
        prices[dear.get(ask, "bare")] = 3 * dear_price if ask == "detour" else dear_price
    prices = {k: float(np.round(price, 2)) for k, price in prices.items()}
    offers = {f"offer {letter}": (kinds[k], prices[k]) for letter, k in zip("PQRST", kinds, strict=False)}
    offers["offer U"] = (kinds["usual"], float(np.round(max(prices.values()) + 5, 2)))
    offers = {str(k): (rng.permutation(offers[k][0]).tolist(), offers[k][1]) for k in rng.permutation(list(offers))}
    question = {
        "second": {second: 1.0},
        "base": {base: 1.0},
        "sum": {first: 1.0, second: 1.0},
        "difference": {first: 1.0, second: -1.0},
        "alone": {first: 1.0, second: 1.0, third: -1.0},
    }.get(ask, {first: 1.0})
    if ask != "pairs":  # there the first component stays first, and is not in every row
        sigma = {str(name): sigma[name] for name in rng.permutation(names)}
    return offers, {name: float(sd) for name, sd in sigma.items()}, question, float(rng.integers(20, 60) * 1000)


def _arrays(offers, sigma, question):
    """Return the design, the prices, the variances of the components, and the weights of the question."""
    design = np.array([[float(name in kind) for name in sigma] for kind, _ in offers.values()])
    price = np.array([price for _, price in offers.values()])
    return design, price, np.square(list(sigma.values())), np.array([question.get(name, 0.0) for name in sigma])


def _best_plan(design, price, variance, c, budget=1.0):
    """Return the numbers of rows that make the error of a question smallest, or None where no plan answers it.

    An unbiased estimate is a weighted sum of the kinds' sample variances. With the best numbers of rows for its
    weights a (Neyman 1934), the error is sqrt(2 / budget) sum |a| V sqrt(price); a linear program finds the weights
    (Elfving 1952, *Optimum allocation in linear regression theory*).
    """
    from scipy.optimize import linprog

    cost = variance * np.sqrt(price)
    found = linprog(np.tile(cost, 2), A_eq=np.hstack([design.T, -design.T]), b_eq=c)
    if not found.success:
        return None
    a = np.abs(found.x[: len(price)] - found.x[len(price) :])
    a[a < 1e-9] = 0
    money = a * cost
    return budget * money / money.sum() / price


def _check_plan(value: object, offers, sigma, question, budget: float) -> None:
    design, price, v, c = _arrays(offers, sigma, question)
    variance = design @ v
    best = _best_plan(design, price, variance, c, budget)
    asked = " + ".join(name if weight == 1 else f"{weight:g} x {name}" for name, weight in question.items())
    if best is None:
        if value is None:
            return
        raise Hint(f"no combination of the offers answers the question about {asked}; then the answer should be None")
    if value is None:
        raise Hint(f"some combination of the offers answers the question about {asked}, but your answer is None")
    instance(value, dict, "a dict of the number of rows by offer, or None")
    for name in value:
        if name not in offers:
            raise Hint(f"{name!r} is not one of the offers, which are {', '.join(offers)}")
    rows = np.array([number(value.get(name, 0), f"the number of rows of {name}") for name in offers])
    if (rows < 0).any():
        raise Hint("a number of rows is negative")
    spent = float(rows @ price)
    if spent > budget * (1 + 1e-6):
        raise Hint(f"this plan costs {spent:,.0f} euros, but there are only {budget:,.0f}")
    rows = np.where(rows < 1, 0, rows)  # nothing is bought for less than a row
    given, least = _error(design, rows, variance, c), _error(design, best, variance, c)
    if not np.isfinite(given):
        raise Hint(
            f"this plan does not answer the question about {asked}: a flat direction is left that the question "
            "depends on; which kinds of rows would notice it?"
        )
    if given <= 1.1 * least:
        return
    _, kind = np.unique(design, axis=0, return_inverse=True)
    by_kind = (kind.ravel() == np.arange(kind.max() + 1)[:, None]).astype(float)
    for j, k in zip(*np.nonzero(by_kind.T @ by_kind), strict=True):
        if rows[j] and price[j] > price[k]:
            dearer, cheaper = list(offers)[j], list(offers)[k]
            raise Hint(f"the same rows as those of {dearer} are sold for less, as {cheaper}")
    if spent < 0.8 * budget:
        raise Hint(
            f"the error for {asked} is {given / least:.2f} times the least one, and {budget - spent:,.0f} of "
            f"{budget:,.0f} euros are not spent"
        )
    raise Hint(
        f"the error for {asked} is {given / least:.2f} times the least one that the money buys; how much of it goes "
        "to offers that the question does not need, or could have been had for less?"
    )


CHECKERS = {
    "11.1": answered,
    "11.2": standard_error,
    "11.3": reported,
    "11.4": fit_plan,
    "11.5": spend,
}
