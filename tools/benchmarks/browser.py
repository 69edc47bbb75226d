"""The page that takes a table apart, in Chromium: seconds from a file to what it says, and from there to a fit.

Needs the built site, Playwright, and a browser of the system.
"""

import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from tools import machine, project
from tools.benchmarks.store import spread
from tools.benchmarks.words import Table, number
from tools.benchmarks.words import spread as written

TABLES_OF = ("penicillin", "gauge with pairs", "paste", "flights", "ratings")
LIMIT_MS = 300_000


def table_of(name: str, quick: bool = False) -> tuple[pd.DataFrame, str, list[str]]:
    """Return a table, the name of its total, and those of its layers."""
    import mlm_tutorial as mlm
    from tools.benchmarks import ratings, reml

    if name == "flights":
        layers = ["carrier", "origin", "month"]
        return mlm.load_flights()[[*layers, "minutes_lost"]], "minutes_lost", layers
    if name == "ratings":
        return ratings.simulate(ratings.SMALL if quick else ratings.SIZES), "rating", ratings.LAYERS
    return reml.load(name)


def run(quick: bool = False, repeats: int = 3, report: Callable[[str], None] = print) -> list[dict]:
    """Give each table to the page, and measure how long reading and fitting take; every repeat opens the page anew."""
    from playwright.sync_api import sync_playwright

    page_ = project.SITE / "book" / "apart.html"
    if not page_.exists():
        raise FileNotFoundError(f"{page_} is not there; build the site first: python course.py book")
    rows = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=machine.browser())
        for name in TABLES_OF[:1] if quick else TABLES_OF:
            frame, total, layers = table_of(name, quick)
            file = Path(folder) / f"{name}.csv"
            frame.to_csv(file, index=False)
            answers = [_once(browser, page_.as_uri(), file, total, layers) for _ in range(repeats)]
            row = {"table": name, "rows": len(frame), "cells": answers[0]["cells"]}
            for what in ("read_seconds", "fit_seconds"):
                row[what] = spread([answer[what] for answer in answers])
            row["rhat"] = max(answer["rhat"] for answer in answers)
            row["ess"] = min(answer["ess"] for answer in answers)
            rows.append(row)
            report(f"{name}: read in {number(row['read_seconds']['median'])} s, fitted in {number(_median(row))} s")
        browser.close()
    return rows


def _once(browser, address: str, file: Path, total: str, layers: list[str]) -> dict:
    """Return the seconds of one visit of the page, and the R-hat and effective draws that its check printed."""
    page = browser.new_page()
    page.set_default_timeout(LIMIT_MS)
    page.goto(address)
    start = time.perf_counter()
    page.set_input_files("#apart-file", file)
    page.locator("#apart-understood", has_text="can be used").wait_for()
    read = time.perf_counter() - start
    page.locator("#apart-total").select_option(label=total)
    for box in page.locator("#apart-layers label").all():
        box.locator("input").set_checked(box.inner_text().split(" (")[0].strip() in layers)
    cells = int(re.search(r"in ([\d,]+) cells", page.locator("#apart-understood").inner_text())[1].replace(",", ""))
    start = time.perf_counter()
    page.locator("#apart-start").click()
    page.locator("#apart-status", has_text="Done.").wait_for()
    fit = time.perf_counter() - start
    said = page.locator("#apart-status").inner_text()
    rhat, ess = re.search(r"R-hat ([\d.]+), ([\d,]+) effective", said).groups()
    page.close()
    return {
        "read_seconds": read,
        "fit_seconds": fit,
        "cells": cells,
        "rhat": float(rhat),
        "ess": int(ess.replace(",", "")),
    }


def _median(row: dict) -> float:
    return row["fit_seconds"]["median"]


def times(content: dict) -> Table:
    """Return the table of seconds, a row for each table that the page was given."""
    header = ("table", "rows", "cells", "reading, s", "fitting, s", "largest R-hat", "least effective draws of a scale")
    table = [
        (
            row["table"],
            f"{row['rows']:,}",
            f"{row['cells']:,}",
            written(row["read_seconds"]),
            written(row["fit_seconds"]),
            f"{row['rhat']:.3f}",
            f"{row['ess']:,}",
        )
        for row in content["rows"]
    ]
    return header, table


TABLES = [("From a file to the answers, in the browser", times)]


def claims(content: dict) -> list[str]:
    """Return the results in sentences."""
    found = {row["table"]: row for row in content["rows"]}
    return [
        f"The page took {number(_median(row))} s to fit {name} ({row['rows']:,} rows)."
        for name, row in found.items()
        if name in ("penicillin", "flights", "ratings")
    ]
