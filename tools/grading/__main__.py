"""Grade a class: ``python course.py grade FOLDER``.

The folder holds a folder for each student with the notebooks that the student handed in, or notebooks whose names are
the students'. Nothing in it is changed. Beside it, a folder with ``_graded`` at the end of its name receives
``grades.csv``, a feedback page for every submission, and a log where something failed.
"""

import argparse
import errno
import os
import signal
import sys
import time
from pathlib import Path

from tools.grading import options as grading_options
from tools.grading import walls
from tools.grading.grading import ROOT, grade_class
from tools.grading.limits import Settings
from tools.grading.text import clean
from tools.lock import Lock, LockedError


class Interruption:
    """Signals that ask this program to stop: the first one raises KeyboardInterrupt, later ones change nothing."""

    def __init__(self):
        self.came = False
        self.numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
        for number in self.numbers:
            signal.signal(number, self.stop)

    def stop(self, number, frame):
        """Raise KeyboardInterrupt."""
        if not self.came:
            self.came = True
            raise KeyboardInterrupt


def parse(arguments: list[str] | None) -> tuple[Path, Path, Settings]:
    """Return the folder of the class, the one for grades, and the settings; end the program where they are wrong."""
    parser = argparse.ArgumentParser(prog="course.py grade", description="Grade the notebooks of a class.")
    grading_options.add(parser)
    options = parser.parse_args(arguments)
    folder = Path(options.folder).resolve()
    if not folder.is_dir():
        parser.error(f"{options.folder} is not a folder; expected one that holds what the students handed in")
    output = Path(options.output or folder.with_name(folder.name + "_graded")).resolve()
    if output == folder or folder in output.parents:
        parser.error("grades must not go into the folder of submissions, where students' files are")
    for place in (folder, output):
        shown = walls.inside(place, walls.needed_paths(ROOT))
        if shown:
            parser.error(f"{place} lies in {shown}, which every notebook may read; move it elsewhere")
    return folder, output, grading_options.settings(options, (folder, output))


def main(arguments: list[str] | None = None) -> int:
    """Grade a class from the command line; return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a terminal that has no letter for a name gets a question mark
    folder, output, settings = parse(arguments)
    started = time.monotonic()
    interruption = Interruption()
    print(walls.described(settings.limits), flush=True)
    # nbgrader calls another program of this environment, which may not be active.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    try:
        output.mkdir(parents=True, exist_ok=True)
        with Lock(output / ".lock", f"grading {clean(folder.name)}"):
            submissions = grade_class(folder, output, settings, lambda line: print(line, flush=True))
    except LockedError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except BaseException as error:
        if interruption.came:  # whatever a library made of it
            kept = f"what was graded is kept in {clean(output)}"
            print(f"\nStopped: {kept}. Run this again to grade the rest.", file=sys.stderr)
            return 130
        if not isinstance(error, OSError):
            raise
        what = "The disk is full" if error.errno == errno.ENOSPC else f"{error.filename}: {error.strerror}"
        print(f"\n{what}. Fix this, then run this again: what was graded is kept in {output}.", file=sys.stderr)
        return 1
    failed = sum(bool(x.problem) for x in submissions)
    minutes = (time.monotonic() - started) / 60
    print(f"{len(submissions)} submissions in {minutes:.1f} minutes, {failed} not graded: see the column problem.")
    print(f"Grades are in {output / 'grades.csv'}, feedback pages in {output / 'feedback'}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
