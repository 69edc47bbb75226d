"""Measured numbers: stored in the folder ``results``, with the tables that pages of the site include."""

import json
from pathlib import Path

from mlm_tutorial.atomic import write_atomically
from tools import project


def markdown_table(header: list[str], rows: list[list], right: bool = False) -> str:
    """Return a table in Markdown.

    Parameters
    ----------
    header : list of str
        Names of the columns.
    rows : list of list
        One list per row, as long as the header. Values are converted with ``str``.
    right : bool
        Whether all columns but the first are aligned to the right, as numbers are.

    Returns
    -------
    str
    """
    line = ["---", *["---:" if right else "---"] * (len(header) - 1)]
    lines = [header, line, *rows]
    return "".join("| " + " | ".join(str(value).replace("|", "\\|") for value in line) + " |\n" for line in lines)


def read(part: str) -> dict:
    """Return the stored numbers of one part; empty if there are none."""
    path = path_of(part)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def store(part: str, content: dict, table: str = "") -> None:
    """Store numbers as ``PART.json``, and as ``tables/PART.md`` the table that a page of the site includes.

    Parameters
    ----------
    part : str
        Name of the measurement, such as ``drift``.
    content : dict
        The numbers.
    table : str, optional
        The numbers as a table in Markdown.
    """
    written = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    write_atomically(path_of(part), written)
    if table:
        write_atomically(project.RESULTS / "tables" / f"{part}.md", table)


def path_of(part: str) -> Path:
    """Return the file of the numbers of one part."""
    return project.RESULTS / f"{part}.json"
