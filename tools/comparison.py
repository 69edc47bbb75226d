"""Compare the stored outputs of a notebook with those of fresh runs, number by number.

A stored number that is the same under every seed is exact and must be reproduced. Any other is compared with its
distribution over seeds: it has changed when it lies too far outside. One that differs between two runs with the same
seed depends on the speed of the machine: to count as changed, it must also be off by a large factor.
"""

import math
from dataclasses import dataclass, replace

from scipy import stats

from tools.outputs import Output

__all__ = ["FALSE_ALARM", "JUDGED", "Verdict", "compare", "limit"]

#: Probability of a false report for an unchanged notebook, if its numbers are normal.
FALSE_ALARM = 0.01
#: Steps of the last printed digit that count as rounding: NumPy and SciPy do not promise equal last bits.
ROUNDING_STEPS = 1
#: Factor up to which a number that differs between two runs with one seed, such as a time, counts as unchanged.
MACHINE_FACTOR = 3


@dataclass(frozen=True)
class Verdict:
    """The verdict on one number, or on one output as a whole.

    Attributes
    ----------
    cell : int
        Position of the cell in the notebook, from 1.
    where : str
        Label of the number.
    stored, fresh : str
        Texts in the notebook and in the fresh run with the same seed.
    others : str
        Mean and standard deviation over all fresh runs; empty where none were needed.
    status : str
        ``same``, ``rounding``, ``within`` (the spread of the seeds), ``changed``, or why it is not judged: ``seconds``,
        ``versions``, ``dates``, ``irreproducible`` (words differ between two runs with one seed), ``words vary`` (with
        seeds).
    """

    cell: int
    where: str
    stored: str
    fresh: str
    others: str
    status: str


JUDGED = ("same", "rounding", "within", "changed")


def compare(stored: list[Output], fresh: list[Output], again=None, others=()) -> list[Verdict]:
    """Compare stored outputs with those of fresh runs.

    Parameters
    ----------
    stored, fresh : list of Output
        Of the notebook, and of a run with its seed.
    again : list of Output, optional
        Of a second run with its seed.
    others : sequence of list of Output, optional
        Of runs with other seeds. Without them every difference counts as a change.

    Returns
    -------
    list of Verdict
        One for each number, and one for each output whose words changed.
    """
    if shape(stored) != shape(fresh):
        return [_outputs_changed(stored, fresh)]
    others = [run for run in others if shape(run) == shape(fresh)]
    again = again if again is not None and shape(again) == shape(fresh) else None
    level = FALSE_ALARM / max(1, sum(token.value is not None for output in stored for token in output.tokens))
    verdicts = []
    for i, (old, new) in enumerate(zip(stored, fresh, strict=True)):
        if old.kind == "other":
            continue
        repeat, runs = again[i] if again else None, [run[i] for run in others]
        if old.words != new.words:
            verdicts.append(_words_changed(old, new, repeat, runs))
            continue
        # With another seed, a row's name may differ, but it is the same row as long as none is missing.
        alike = [run.numbers for run in runs if len(run.numbers) == len(new.numbers)]
        twins = repeat.numbers if repeat and len(repeat.numbers) == len(new.numbers) else [None] * len(new.numbers)
        for j, (number, fresh_number) in enumerate(zip(old.numbers, new.numbers, strict=True)):
            values = [numbers[j].value for numbers in alike if numbers[j].value is not None]
            verdict = _number(old.cell, number, fresh_number, twins[j], values, level)
            if verdict.status == "changed" and runs and not alike:
                verdict = replace(verdict, status="words vary")
            verdicts.append(verdict)
    return verdicts


def shape(outputs: list[Output]) -> list[tuple]:
    """Return the cells that have outputs, with the kinds of these."""
    return [(output.cell, output.kind) for output in outputs]


def _outputs_changed(stored, fresh):
    """Return a verdict on runs that have different outputs: a new warning, an error, a missing figure."""
    old, new = shape(stored), shape(fresh)
    first = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    texts = [
        f"{kinds[first][1]} in cell {kinds[first][0]}" if first < len(kinds) else "nothing" for kinds in (old, new)
    ]
    cell = min(kinds[first][0] for kinds in (old, new) if first < len(kinds))
    return Verdict(cell, "which outputs there are", *texts, "", "changed")


def _words_changed(old, new, repeat, runs):
    texts = [" ".join(token.text for token in output.tokens) for output in (old, new)]
    place = next((i for i, (a, b) in enumerate(zip(*texts, strict=False)) if a != b), 0)
    shown = [text[max(0, place - 20) : place + 40] for text in texts]
    if repeat and repeat.words != new.words:
        status = "irreproducible"
    elif any(run.words != new.words for run in runs):
        status = "words vary"
    else:
        status = "changed"
    return Verdict(old.cell, "words", *shown, "", status)


def _number(cell, old, new, twin, values, level):
    """Return the verdict on one number."""

    def verdict(status, others=""):
        return Verdict(cell, old.label, old.text, new.text, others, status)

    if old.unjudged or new.unjudged:
        return verdict(old.unjudged or new.unjudged)
    if old.value == new.value or math.isnan(old.value) and math.isnan(new.value):
        return verdict("same")
    sample = [new.value, *values]
    of_machine = twin is not None and twin.value != new.value
    if of_machine:
        sample.append(twin.value)
    step = max(old.unit, new.unit)
    rounding = abs(old.value - new.value) <= ROUNDING_STEPS * step * (1 + 1e-9) and (step < 1 or "e" in old.text)
    if len(set(sample)) == 1 or len(sample) < 3:
        return verdict("rounding" if rounding else "changed")
    mean, sd, distance = _distance(old.value, sample, step)
    near = 2 * stats.t.sf(distance, len(sample) - 1) >= level
    if of_machine and not near:
        ratio = old.value / mean if mean else math.inf
        near = 1 / MACHINE_FACTOR <= ratio <= MACHINE_FACTOR
    return verdict("within" if near else "changed", f"{mean:.4g} ± {sd:.2g}")


def _distance(value, sample, step):
    """Return mean and standard deviation of a sample, and the distance of `value` from another draw.

    Numbers of one sign that span more than a factor of 100 (p-values, ratios) are compared by their logarithms.
    """
    everything = [value, *sample]
    logarithms = min(everything) > 0 and max(sample) > 100 * min(sample)
    points, point = ([math.log(x) for x in sample], math.log(value)) if logarithms else (sample, value)
    center = sum(points) / len(points)
    sd = math.sqrt(sum((x - center) ** 2 for x in points) / (len(points) - 1))
    rounded = 0.0 if logarithms else step / math.sqrt(12)  # standard deviation of an error of rounding
    spread = math.sqrt(sd**2 + rounded**2) * math.sqrt(1 + 1 / len(points))
    mean = sum(sample) / len(sample)
    return mean, math.sqrt(sum((x - mean) ** 2 for x in sample) / (len(sample) - 1)), abs(point - center) / spread


def limit(numbers: int, runs: int) -> float:
    """Return the number of standard deviations beyond which a number is reported.

    Parameters
    ----------
    numbers : int
        How many numbers the notebook has.
    runs : int
        How many fresh runs with different seeds there are.
    """
    return float(stats.t.isf(FALSE_ALARM / max(1, numbers) / 2, runs - 1))
