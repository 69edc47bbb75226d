"""Messages of the commands: progress, and errors that the user can fix."""

import time

STARTED = time.monotonic()


class CourseError(Exception):
    """Something that the user can fix; the message says how."""


def say(text: str) -> None:
    """Print a line with the seconds since the start."""
    print(f"[{time.monotonic() - STARTED:4.0f} s] {text}", flush=True)
