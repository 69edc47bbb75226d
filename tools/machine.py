"""The record of the machine that goes with every measurement."""

import os
import platform
import shutil
import sys
import time


def today() -> str:
    """Return the date as in ``2026-11-26``."""
    return time.strftime("%Y-%m-%d")


def browser() -> str | None:
    """Return the path of a Chromium browser of the system, None where there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def record() -> dict:
    """Return the properties of this machine that measured times depend on.

    Returns
    -------
    dict
        ``cores``, ``system``, ``processor``, ``python`` (versions), and ``load``: the processes that wanted a core
        over the last 15 minutes, None if the system does not count them.
    """
    return {
        "cores": os.cpu_count(),
        "system": sys.platform,
        "processor": platform.machine(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[2], 1) if hasattr(os, "getloadavg") else None,
    }


def memory() -> float:
    """Return the bytes of memory that this machine has; infinity if it is unknown."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return float("inf")
