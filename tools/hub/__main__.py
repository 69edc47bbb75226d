"""Hold a class on a JupyterHub that is started for it and goes away at the end: ``python course.py class``."""

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from pathlib import Path

from tools import results
from tools.hub.lesson import hold_class
from tools.hub.server import Hub
from tools.hub.work import say


def main(arguments=None):
    """Hold a class from the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="course.py class", description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=30, help="how many, 3 or more (30)")
    parser.add_argument("--stagger", type=float, default=5, help="seconds from one student's start to the next one's")
    parser.add_argument("--store", action="store_true", help="store what was measured in results/hub.json")
    options = parser.parse_args(arguments)
    if options.students < 3:
        parser.error("a class has at least 3 students: one for each thing that is killed")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the hub is stopped then as well
    with tempfile.TemporaryDirectory(prefix="course-hub-") as folder, Hub(Path(folder)) as hub:
        say(f"the hub is at {hub.url}")
        try:
            measured = asyncio.run(hold_class(hub, options.students, options.stagger))
        except BaseException:
            print(hub.log("hub"), file=sys.stderr)
            raise
    print(json.dumps(measured, indent=1))
    if options.store:
        results.store("hub", measured)
    return 0


if __name__ == "__main__":
    sys.exit(main())
