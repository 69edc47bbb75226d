"""Formats of numbers in tables and sentences, and styles of figures."""

import math
from collections.abc import Callable

#: Markers of a figure's lines.
MARKERS = "osD^vPX"
#: A header, and rows of the same length.
Table = tuple[tuple[str, ...], list[tuple[str, ...]]]


def number(value: float) -> str:
    """Write a number with three significant digits."""
    if value == 0:
        return "0"
    if abs(value) < 0.001:
        return f"{value:.1e}"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def size(bytes_: float) -> str:
    """Write an amount of memory in gigabytes."""
    return f"{bytes_ / 1e9:.2f} GB"


def spread(found: dict[str, float], write: Callable[[float], str] = number) -> str:
    """Write a median, with the least and the largest of the repeats where there are several."""
    if found["repeats"] == 1:
        return write(found["median"])
    return f"{write(found['median'])} ({write(found['min'])} to {write(found['max'])})"
