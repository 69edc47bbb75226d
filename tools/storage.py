"""Numbers of the course's upkeep: measured by a command, stored for a page of the site."""
# Only the standard library: the commands that make an environment use this before there is one.

import json
import os
import platform
import time
from pathlib import Path

import course

__all__ = ["RESULTS", "circumstances", "markdown_table", "store"]

RESULTS = Path(__file__).resolve().parents[1] / "results"


def circumstances() -> dict:
    """Return when and where a measurement is made: date, cores, version of Python."""
    return {"date": time.strftime("%Y-%m-%d"), "cores": os.cpu_count(), "python": platform.python_version()}


def markdown_table(header: list[str], rows: list[list]) -> str:
    """Return a table in Markdown.

    Parameters
    ----------
    header : list of str
        What the columns are called.
    rows : list of list
        One list a row, as long as the header. Values are written as ``str`` gives them.

    Returns
    -------
    str
    """
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(str(value).replace("|", "\\|") for value in line) + " |\n" for line in lines)


def store(part: str, content: dict, table: str, results: Path = RESULTS) -> None:
    """Store numbers as ``PART.json``, and in ``tables`` the table that the site's page includes.

    Parameters
    ----------
    part : str
        Which part of the page the numbers belong to.
    content : dict
        The numbers.
    table : str
        The same in Markdown, for readers.
    results : pathlib.Path, optional
        Folder of what was measured.
    """
    (results / "tables").mkdir(exist_ok=True)
    written = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    course.write_whole(results / f"{part}.json", written)
    course.write_whole(results / "tables" / f"{part}.md", table)
