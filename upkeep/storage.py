"""Numbers of the course's upkeep: measured by a command, stored for a page of the site."""
# Only the standard library: the commands that make an environment use this before there is one.

import json
import os
import platform
import time
from pathlib import Path

import course

__all__ = ["BOOK", "circumstances", "markdown_table", "store"]

BOOK = Path(__file__).resolve().parent.parent / "book"


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


def store(part: str, content: dict, table: str, book: Path = BOOK) -> None:
    """Store numbers as ``trust_PART.json``, and beside them the table that the site's page includes.

    Parameters
    ----------
    part : str
        Which part of the page the numbers belong to.
    content : dict
        The numbers.
    table : str
        The same in Markdown, for readers.
    book : pathlib.Path, optional
        Folder of the site's sources.
    """
    (book / "trust").mkdir(exist_ok=True)
    written = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    course.write_whole(book / f"trust_{part}.json", written)
    course.write_whole(book / "trust" / f"{part}_table.md", table)
