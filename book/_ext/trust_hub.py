"""Sphinx directives about a class on a JupyterHub: what a seat costs, how many a machine holds, what killing did.

The numbers come from ``results/hub.json``, which ``python course.py class --store`` writes.
"""

import json
from pathlib import Path

from course_site import notebook_times, table
from docutils import nodes
from docutils.parsers.rst import Directive

MEASURED = Path(__file__).resolve().parents[2] / "results" / "hub.json"
SYSTEM_MB = 2000  # left to the operating system: a choice, not a measurement
MACHINES_GB = (8, 16, 32, 64, 128)


def measurement():
    """Return what the class has measured."""
    return json.loads(MEASURED.read_text(encoding="utf-8"))


def seats(memory_gb, seat_mb, measured):
    """Return how many students a machine holds at the same time.

    Parameters
    ----------
    memory_gb : float
        Memory of the machine.
    seat_mb : float
        Memory of a student's server and kernel.
    measured : dict
        What the class has measured.

    Returns
    -------
    int
        Whole seats in what the system, the hub with its proxy, and what all students share leave.
    """
    left = 1000 * memory_gb - SYSTEM_MB - measured["hub_mb"] - measured["shared_mb"]
    return max(0, int(left // seat_mb))


def seat_of_heaviest(measured):
    """Return the title of the notebook that takes most memory, and the megabytes of a seat for it."""
    title, _, row = max(notebook_times(), key=lambda row: row[2]["peak_gb"])
    return title, measured["seat"]["server_mb"]["max"] + 1000 * row["peak_gb"]


def about(measured):
    """Return a sentence about the measurement."""
    machine = measured["machine"]
    return (
        f"Measured on {measured['date']} with {measured['finished']} students on {machine['cores']} cores and "
        f"{machine['memory_gb']:.0f} GB, {machine['system']}, Python {machine['python']}, "
        f"JupyterHub {measured['versions']['jupyterhub']}; {machine['load_before']:.0f} other processes "
        "wanted a core when it began, so that seconds by the clock are those of a machine that is busy."
    )


class ClassCosts(Directive):
    """The table of what a seat costs."""

    def run(self):
        """Return the table and a line about the measurement."""
        measured = measurement()
        seat = measured["seat"]
        rows = [
            (what, *(f"{seat[name][part]:.{digits}f} {unit}" for part in ("median", "max")))
            for what, name, digits, unit in (
                ("memory of the server", "server_mb", 0, "MB"),
                ("memory of the kernel of notebook 01", "kernel_mb", 0, "MB"),
                ("memory of both", "mb", 0, "MB"),
                ("processor time of the server", "server_cpu_seconds", 1, "s"),
                ("processor time of the kernel", "kernel_cpu_seconds", 1, "s"),
                ("log in, by the clock", "log_in_seconds", 1, "s"),
                ("start the server, by the clock", "server_seconds", 1, "s"),
                ("run notebook 01, by the clock", "run_seconds", 1, "s"),
                ("save, by the clock", "save_seconds", 2, "s"),
            )
        ]
        once = (
            f"The hub and its proxy take {measured['hub_mb']} MB, and {measured['shared_mb']} MB are shared by all "
            f"students. The whole class took {measured['class_gb']:.1f} GB at its peak."
        )
        header = ("of one student", "median", "largest")
        return [table(header, rows), nodes.paragraph("", once), nodes.paragraph("", about(measured))]


class ClassSeats(Directive):
    """The table of the seats that a machine holds."""

    def run(self):
        """Return the table."""
        measured = measurement()
        title, heaviest = seat_of_heaviest(measured)
        first = measured["seat"]["mb"]["max"]
        rows = [
            (f"{memory} GB", seats(memory, first, measured), seats(memory, heaviest, measured))
            for memory in MACHINES_GB
        ]
        note = (
            f"Computed: memory less {SYSTEM_MB / 1000:.0f} GB for the system, less hub, proxy and what is shared, "
            f"divided by the largest seat: {first:.0f} MB for notebook 01, {heaviest:.0f} MB for {title}."
        )
        seat = measured["seat"]
        seconds = seat["server_cpu_seconds"]["median"] + seat["kernel_cpu_seconds"]["median"]
        wait = (
            f"Starting a server and running notebook 01 takes {seconds:.0f} seconds of one core. If thirty students "
            f"do both at the same moment, the last one waits about {30 * seconds / 4:.0f} seconds on 4 cores, and "
            f"{30 * seconds / 16:.0f} on 16."
        )
        header = ("memory of the machine", "students in notebook 01", f"students in {title}")
        return [table(header, rows), nodes.paragraph("", note), nodes.paragraph("", wait)]


class ClassFaults(Directive):
    """The table of what was killed and how long it took to go on."""

    def run(self):
        """Return the table."""
        faults = measurement()["faults"]
        rows = [
            (
                "a kernel, while it ran a cell",
                f"the student was told after {faults['kernel']['noticed_seconds']:.1f} s, and ran the notebook again",
            ),
            (
                f"a server, while it saved again and again, after {faults['server']['saves_before']:.0f} of them",
                f"started again by the student, {faults['server']['back_seconds']:.1f} s later it was back",
            ),
            (
                "the hub, while students ran cells",
                f"{faults['hub']['saves_without_hub']:.0f} students saved and read without it; it was back "
                f"{faults['hub']['back_seconds']:.1f} s after its start, with every server still running",
            ),
            (
                "the proxy",
                f"{faults['proxy']['back_seconds']:.1f} s after its start it led to every student again",
            ),
        ]
        return [table(("killed without a warning", "what followed"), rows)]


def setup(app):
    """Register the directives with Sphinx."""
    app.add_directive("class-costs", ClassCosts)
    app.add_directive("class-seats", ClassSeats)
    app.add_directive("class-faults", ClassFaults)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
