"""Make the notebooks of exercises from their sources: ``python -m tools.grading.generate FOLDER``."""

import sys
from pathlib import Path

import nbformat

from mlm_tutorial.atomic import write_atomically
from tools.grading.sources import SourceError, read_sources, solution_notebook, stub_notebook


def generate(folder: Path) -> None:
    """Write stubs and solutions, without outputs, to the folders ``exercises`` and ``solutions`` of a folder."""
    for source in read_sources().values():
        for name, make in (("exercises", stub_notebook), ("solutions", solution_notebook)):
            text = nbformat.writes(make(source)) + "\n"
            write_atomically(folder / name / source.file(name), text.encode("utf-8"))


if __name__ == "__main__":
    try:
        generate(Path(sys.argv[1]))
    except SourceError as error:
        sys.exit(str(error))
