"""The options of grading with their defaults: for ``course.py grade``, and for the program that it starts.

Only the standard library is imported, since help must not need an installation.
"""

import argparse

from tools.grading.limits import Limits, Settings

_USUAL = Settings()
#: Name, type, default, what stands for the value, and a description with the unit.
NUMBERS = (
    ("--cell-seconds", int, _USUAL.cell_seconds, "N", "seconds that one cell may take before it is interrupted"),
    ("--seconds", int, _USUAL.limits.seconds, "N", "seconds that one notebook may take before it is stopped"),
    ("--memory", float, _USUAL.limits.memory / 1e9, "GB", "gigabytes of memory that one notebook may use"),
    ("--processes", int, _USUAL.limits.processes, "N", "processes that one notebook may have at the same time"),
    ("--disk", float, _USUAL.limits.disk / 1e9, "GB", "gigabytes that one notebook may write"),
    ("--jobs", int, _USUAL.jobs, "N", "notebooks that are graded at the same time"),
)


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options to a parser; their help gives the defaults."""
    parser.add_argument("folder", help="a folder for each student, or notebooks named like the students")
    parser.add_argument("--output", metavar="FOLDER", help="where grades and feedback go (FOLDER_graded beside it)")
    for name, kind, default, value, words in NUMBERS:
        parser.add_argument(name, type=kind, default=default, metavar=value, help=f"{words} ({default:g})")
    parser.add_argument("--again", action="store_true", help="grade also what did not change since the last time")


def arguments(options: argparse.Namespace) -> list[str]:
    """Return the command-line arguments that give another program the same limits, and `--again`."""
    passed = [f"{name}={getattr(options, name[2:].replace('-', '_'))}" for name, *_ in NUMBERS]
    return passed + ["--again"] * options.again


def settings(options: argparse.Namespace, hidden: tuple = ()) -> Settings:
    """Return the settings that parsed options ask for.

    Parameters
    ----------
    options : argparse.Namespace
    hidden : tuple of Path
        Folders that no submission may see.
    """
    limits = Limits(options.seconds, options.memory * 1e9, options.processes, options.disk * 1e9)
    return Settings(limits, options.cell_seconds, options.jobs, options.again, hidden)
