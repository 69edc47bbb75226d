"""One posterior, many ways: likelihood of rows or cells, log or identified coordinates, three samplers."""

import itertools
from contextlib import ExitStack

from tools.benchmarks.store import spreads
from tools.benchmarks.words import MARKERS, Table, number, spread
from tools.benchmarks.workers import OutOfTimeError, Worker

SAMPLERS = ("nutpie", "pymc", "numpyro")
WAY = ("likelihood", "coordinates", "sampler")
#: Tuning steps, draws of each of four chains, target acceptance: the defaults, then more of everything. A way of
#: sampling moves up until its chains pass; ways that share coordinates start where the first of them passed.
LADDER = [(1_000, 1_000, 0.9), (2_000, 10_000, 0.95), (4_000, 16_000, 0.99)]
#: The two ends of the comparison.
FASTEST, SLOWEST = ("cells", "identified", "nutpie"), ("rows", "log", "nutpie")
#: The settings a way is measured at: the least at which it passes. The fastest way is also measured at those of the
#: slowest, so that these two differ only in likelihood and coordinates.
LEAST, OF_SLOWEST = "least that pass", "those of rows, log"
#: Seconds that one sampling with nutpie may take, by data; the others get half of it, because all would take hours.
LIMITS = {"cc_27 10000": 240, "flights": 60}
PREPARATION_LIMIT = 300
#: Seconds that all repeats of one way of sampling may take together; slow ways are repeated less often.
BUDGET = 300


def cases(quick: bool) -> list[dict]:
    """Return the ways to measure; those of one data set follow each other, cells first."""
    names = ("data", *WAY, "settings")
    chosen = []
    for data in ("cc_27 200",) if quick else LIMITS:
        ways = itertools.product(("cells", "rows"), ("identified", "log"), SAMPLERS)
        for way in (FASTEST, SLOWEST) if quick else ways:
            # A gradient of the flights' 327,346 rows takes hundreds of times as long as one of their cells: there, one
            # sampler is enough.
            if data != "flights" or way[0] == "cells" or way[2] == "nutpie":
                chosen.append((data, *way, LEAST))
        chosen.append((data, *FASTEST, OF_SLOWEST))
    return [dict(zip(names, case, strict=True)) for case in chosen]


def run(quick: bool = False, repeats: int = 3, report=print) -> list[dict]:
    """Measure every case; return a row for each."""
    chosen = cases(quick)
    with ExitStack() as stack:
        return _run(chosen, stack, repeats, report)


def _run(chosen, stack, repeats, report) -> list[dict]:
    rungs: dict[tuple, int] = {}
    answers: list[list[dict]] = [[] for _ in chosen]
    rows, workers = [], []
    for case, passed in zip(chosen, answers, strict=True):
        # One after another, or they would compile at the same time.
        way = {name: case[name] for name in WAY}
        worker = stack.enter_context(Worker("tools.benchmarks.engines:prepare", data=case["data"], **way))
        workers.append(worker)
        key = case["data"], case["coordinates"]
        row = case | {"passed": False, "problem": "", "rung": rungs.get(key, 0)}
        if case["settings"] == OF_SLOWEST:
            row["rung"] = next(x["rung"] for x in reversed(rows) if tuple(x[name] for name in WAY) == SLOWEST)
        limit = LIMITS.get(case["data"], 60) // (1 if case["sampler"] == "nutpie" else 2)
        try:
            row |= worker.ask(PREPARATION_LIMIT, prepare_only=True)
            while True:
                answer = worker.ask(limit, seed=1, **_settings(row["rung"]))
                row["problem"] = answer["problem"]
                if not answer["problem"]:
                    passed.append(answer)
                    rungs[key] = max(row["rung"], rungs.get(key, 0))
                    break
                if row["rung"] + 1 == len(LADDER) or case["settings"] != LEAST:
                    break
                row["rung"] += 1
        except OutOfTimeError:
            row["problem"] = f"no answer within {limit} s" + (f"; before, {row['problem']}" if row["problem"] else "")
        except RuntimeError as error:  # a sampler that fails does not end the comparison
            row["problem"] = f"error: {str(error).strip().splitlines()[-1]}"
        report(f"{_name(case)}: {row['problem'] or _summary(passed)}")
        rows.append(row)
    # One repeat of each before the next repeat, so that a slow phase of the machine affects all of them.
    ended = set()
    for repeat in range(1, repeats):
        for worker, row, passed in zip(workers, rows, answers, strict=True):
            if worker not in ended and passed and (1 + repeat) * passed[0]["sampling_seconds"] < BUDGET:
                # A slow machine loses nothing: an earlier run stayed within the limit.
                limit = 3 * LIMITS.get(row["data"], 60)
                try:
                    answer = worker.ask(limit, seed=1 + repeat, **_settings(row["rung"]))
                except OutOfTimeError:  # the process was ended
                    ended.add(worker)
                    continue
                # The result says which repeats pass; the costs of all of them count.
                row["repeats_failed"] = row.get("repeats_failed", 0) + bool(answer["problem"])
                if not answer["problem"]:
                    passed.append(answer)
    for row, passed in zip(rows, answers, strict=True):
        row["tune"], row["draws"], row["target_accept"] = LADDER[row.pop("rung")]
        row["passed"] = bool(passed)
        row |= spreads(passed)
    return rows


def _settings(rung: int) -> dict:
    return dict(zip(("tune", "draws", "target_accept"), LADDER[rung], strict=True))


def _name(case: dict) -> str:
    return ", ".join(case[key] for key in ("data", *WAY, "settings"))


def _summary(passed: list[dict]) -> str:
    return f"{passed[0]['ess_bulk_per_second']:,.1f} effective draws per second"


# Tables and sentences


def effective_draws(content: dict) -> Table:
    """Return the table of ways to sample one posterior, fastest first within each data set."""
    header = (
        "data", "likelihood of", "coordinates", "sampler", "tuning + draws per chain, target", "compiling, s",
        "sampling, s", "bulk ESS per second", "tail ESS per second", "bulk ESS in 1,000 gradients",
        "tail ESS in 1,000 gradients",
    )  # fmt: skip
    rows = []
    for row in sorted(content["rows"], key=lambda row: (row["data"], -_speed(row))):
        about = (_data(row), row["likelihood"], row["coordinates"], row["sampler"])
        about += (f"{row['tune']:,} + {row['draws']:,}, {row['target_accept']:g}",)
        if not row["passed"]:
            kinds = {"no answer": "not finished", "error": "error"}
            reason = next((kinds[sign] for sign in kinds if row["problem"].startswith(sign)), "not converged")
            rows.append((*about, "", reason, "failed", "failed", "failed", "failed"))
            continue
        costs = [spread(row[name]) for name in ("compile_seconds", "sampling_seconds")]
        costs += [spread(row[f"ess_{kind}_per_second"]) for kind in ("bulk", "tail")]
        costs += [number(1_000 * row[f"ess_{kind}_per_gradient"]["median"]) for kind in ("bulk", "tail")]
        rows.append((*about, *costs))
    return header, rows


def _speed(row: dict) -> float:
    return row["ess_bulk_per_second"]["median"] if row["passed"] else 0.0


def _data(row: dict) -> str:
    name, *n = row["data"].split()
    return f"{name}, {int(n[0]):,} rows" if n else name


TABLES = [("Effective draws, and what they cost", effective_draws)]


def _find(content: dict, **wanted) -> dict | None:
    """Return the first row with these values, if it has been measured and passed."""
    for row in content["rows"]:
        if all(row.get(key) == value for key, value in wanted.items()) and not (
            row.get("problem") and not row["passed"]
        ):
            return row
    return None


def speed_up(content: dict, data: str, settings: str = OF_SLOWEST) -> float | None:
    """Return the ratio of bulk ESS per second, cells in identified coordinates over rows in log coordinates.

    Cells are sampled at `settings`, rows at the least settings at which they pass.
    """
    best = _find(content, data=data, settings=settings, **dict(zip(WAY, FASTEST, strict=True)))
    naive = _find(content, data=data, settings=LEAST, **dict(zip(WAY, SLOWEST, strict=True)))
    return _speed(best) / _speed(naive) if best and naive else None


#: The words for a comparison, by the settings of the fastest way.
COMPARED = {
    OF_SLOWEST: "at the same settings",
    LEAST: "where each has the least settings at which it passes",
}


def claims(content: dict) -> list[str]:
    """Return the results in sentences."""
    sentences = []
    for data in dict.fromkeys(row["data"] for row in content["rows"]):
        name = _data({"data": data})
        found = {words: speed_up(content, data, settings) for settings, words in COMPARED.items()}
        said = [f"{number(times)} times {words}" for words, times in found.items() if times is not None]
        if said:
            sentences.append(
                f"On {name}, cells in identified coordinates have more bulk ESS per second than rows in log "
                f"coordinates, both sampled with nutpie: {', and '.join(said)}."
            )
        else:
            sentences.append(f"On {name}, no two runs that pass can be compared.")
    return sentences


DRAWN = "Bulk effective sample size per second of every way of sampling that passes, on a logarithmic axis."


def draw(content: dict, plt):
    """Return the figure."""
    rows = sorted(
        (row for row in content["rows"] if row["passed"]), key=lambda row: row["ess_bulk_per_second"]["median"]
    )
    data = list(dict.fromkeys(row["data"] for row in content["rows"]))
    counts = [max(1, sum(row["data"] == name for row in rows)) for name in data]
    figure, axes = plt.subplots(
        len(data), 1, sharex=True, squeeze=False, layout="constrained", height_ratios=counts,
        figsize=(8, 1.6 + 0.3 * sum(counts)),
    )  # fmt: skip
    colors = {"nutpie": "C0", "pymc": "C1", "numpyro": "C2"}
    for axis, name in zip(axes[:, 0], data, strict=True):
        shown = [row for row in rows if row["data"] == name]
        for i, row in enumerate(shown):
            found = row["ess_bulk_per_second"]
            marker = MARKERS[list(colors).index(row["sampler"])]
            axis.plot([found["min"], found["max"]], [i, i], color=colors[row["sampler"]])
            axis.plot(found["median"], i, marker, color=colors[row["sampler"]])
        labels = [
            f"{row['likelihood']}, {row['coordinates']}, {row['sampler']}"
            + ("" if row["settings"] == LEAST else ", more steps")
            for row in shown
        ]
        axis.set(xscale="log", yticks=range(len(shown)), yticklabels=labels, title=_data({"data": name}))
        axis.set_ylim(-0.7, len(shown) - 0.3)
    figure.supxlabel("bulk effective sample size per second: median, least and largest", fontsize="medium")
    return figure
