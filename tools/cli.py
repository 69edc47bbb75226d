"""The command line: read the arguments, run one command, and turn errors into messages."""

import argparse
import errno
import signal
import sys
from collections.abc import Callable

from tools import commands, project
from tools.console import CourseError
from tools.grading import options as grading_options
from tools.steps import DISK_FULL, dotted


def parse(arguments: list[str] | None) -> tuple[argparse.Namespace, list[str]]:
    """Return the options of a command, and the arguments that it passes on to another program."""
    parser = argparse.ArgumentParser(prog="course.py", description="Set up, open and test the course.")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def add(name: str, function: Callable, takes_more: str = "") -> argparse.ArgumentParser:
        command = subparsers.add_parser(name, help=function.__doc__, epilog=takes_more, allow_abbrev=False)
        command.set_defaults(function=function, takes_more=bool(takes_more))
        return command

    opening = add("open", commands.open_course, "More arguments go to JupyterLab.")
    opening.add_argument("--no-browser", action="store_true", help="only print the address")
    opening.add_argument("--port", type=int, help="port to serve on (8888 unless it is taken)")
    opening.add_argument("--no-warming", action="store_true", help="do not compile the models in the background")
    testing = add("test", commands.test, "More arguments go to pytest.")
    testing.add_argument("--fast", action="store_true", help="leave out notebooks and slow tests")
    testing.add_argument(
        "--all",
        action="store_true",
        help="also run tests that seldom change, and Dask, Spark and JupyterHub, which it installs",
    )
    add("check", commands.check)
    running = add("run", commands.run)
    running.add_argument("names", nargs="*", help="start of the notebooks' names, such as 01; all by default")
    running.add_argument("--times", action="store_true", help="store the seconds and the memory for the site")
    add("bench", commands.bench, "More arguments: subsets to measure, and --quick, --repeats N, --output FILE.")
    trying = add("versions", commands.versions, "More arguments go to pytest.")
    trying.add_argument("--resolution", choices=["lowest-direct", "highest"], default="highest", help="how uv chooses")
    trying.add_argument("--python", default=dotted(sys.version_info[:2]), help="version of Python, or a path of one")
    drifting = add("drift", commands.drift)
    drifting.add_argument("names", nargs="*", help="start of the notebooks' names, such as 01; all by default")
    drifting.add_argument("--seeds", type=int, default=5, help="runs with other seeds where an output changed (5)")
    auditing = add("audit", commands.audit)
    for command in (trying, drifting, auditing):
        command.add_argument("--store", action="store_true", help="store the numbers for the site")
    building = add("book", commands.book)
    building.add_argument("--open", action="store_true", help="serve the site on this machine")
    building.add_argument("--port", type=int, help="port to serve on (8000)")
    building.add_argument("--pdf", action="store_true", help="make one PDF instead; needs LaTeX")
    building.add_argument("--repository", help="address of the public repository; by default, that of book/conf.py")
    making = add("exercises", commands.exercises)
    making.add_argument("--all", action="store_true", help="run every solution, also those that did not change")
    grading_options.add(add("grade", commands.grade))
    students = "Students: --students N (30), --stagger SECONDS (5). For the site: --store."
    add("class", commands.class_of_students, students)
    add("lint", commands.lint)
    add("environment", commands.conda_environment)
    options, more = parser.parse_known_args(arguments)
    if more and not options.takes_more:
        parser.error("unrecognized arguments: " + " ".join(more))
    return options, more


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit code."""
    if arguments is None:  # run as a program, not by a test
        signal.signal(signal.SIGTERM, stop)
    try:
        options, more = parse(arguments)
        return options.function(options, more)
    except CourseError as error:
        message = str(error)
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = DISK_FULL
        elif error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            message = cannot_write(error)
        else:
            message = f"{error}. Fix this, then run this again."
    print("\n" + message, file=sys.stderr)
    return 1


def cannot_write(error: OSError) -> str:
    """Return a message that names the file or folder that cannot be written."""
    return (
        f"{error.filename or project.ROOT} cannot be written: {error.strerror}. Put the course into a folder of your "
        "own, on a disk that is not write-protected, then run this again."
    )


def stop(number, frame):
    """End as after Ctrl-C, together with all processes that were started."""
    raise KeyboardInterrupt
