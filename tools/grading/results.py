"""What grading found, kept from run to run, so that what did not change is not graded again."""

import hashlib
import json
import math
import os
import re
from pathlib import Path

from mlm_tutorial.atomic import write_atomically
from tools.grading.submissions import Submission
from tools.grading.text import clean, clean_lines, readable

_LONGEST_NAME = 80  # bytes; a file's name may have 255, endings and a draft's mark included


def slug(submission: Submission) -> str:
    """Return a file name for a submission, readable and never that of another one."""
    short = re.sub(r"[^\w.-]+", "_", os.path.splitext(readable(submission.file))[0])
    short = short.encode("utf-8", errors="replace")[:_LONGEST_NAME].decode("utf-8", errors="ignore")
    return f"{short}-{hashlib.sha256(os.fsencode(submission.file)).hexdigest()[:32]}"


def stored_result(output: Path, submission: Submission, within: dict) -> dict | None:
    """Return points, remarks and problem of an earlier run, or None where they do not hold any more.

    Parameters
    ----------
    output : Path
    submission : Submission
    within : dict
        The limits now: what met a limit, or has a remark, is graded again within others.
    """
    try:
        result = json.loads((output / "results" / f"{slug(submission)}.json").read_text(encoding="utf-8"))
        if not submission.key or result["key"] != submission.key:
            return None
        found = {
            "points": checked_points(result["points"]),
            "remarks": checked_remarks(result["remarks"]),
            "problem": clean(result["problem"]),
        }
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    hindered = found["problem"] or found["remarks"]
    return found if not hindered or result.get("limits") == within else None


def store(output: Path, submission: Submission, page: str, log: bytes, within: dict) -> None:
    """Keep what was found of a submission: its feedback page, its log where it has a problem, and its result."""
    forget(output, submission)
    name = slug(submission)
    if page:
        write_atomically(output / "feedback" / f"{name}.html", page.encode("utf-8"))
    if submission.problem:
        text = clean_lines(log.decode("utf-8", errors="replace"))
        write_atomically(output / "logs" / f"{name}.txt", text.encode("utf-8"))
    result = {
        "key": submission.key,
        "student": readable(submission.student),
        "file": readable(submission.file),
        "points": submission.points,
        "remarks": list(map(clean, submission.remarks)),
        "problem": clean(submission.problem),
        "limits": within,
    }
    write_atomically(output / "results" / f"{name}.json", json.dumps(result).encode("utf-8"))


def forget(output: Path, submission: Submission) -> None:
    """Remove what is left of an earlier version of a submission."""
    name = slug(submission)
    for path in (f"results/{name}.json", f"feedback/{name}.html", f"logs/{name}.txt"):
        (output / path).unlink(missing_ok=True)


def checked_points(found: object) -> dict[str, float]:
    """Return points by name; raise ValueError where something else was given."""
    if not isinstance(found, dict):
        raise ValueError("points that are not a table")
    points = {clean(name): float(value) for name, value in found.items() if isinstance(value, int | float)}
    if len(points) < len(found) or not all(map(math.isfinite, points.values())):
        raise ValueError("points that are not numbers")
    return points


def checked_remarks(found: object) -> list[str]:
    """Return remarks, as many as fit; raise ValueError where something else was given."""
    if not isinstance(found, list):
        raise ValueError("remarks that are not a list")
    return [clean(remark) for remark in found[:20]]
