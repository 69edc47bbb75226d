"""Sphinx directives of the site: tables of what was measured, and corrections of pages."""

import re
import sys
from importlib.metadata import version
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))  # for benchmarks
from mlm_tutorial import libraries  # noqa: E402
from tools import results  # noqa: E402
from tools.benchmarks import report, store  # noqa: E402
from tools.grading.sources import read_source, source_paths  # noqa: E402


def table(header, rows):
    """Return a table; every cell is a text or a node."""
    group = nodes.tgroup(cols=len(header))
    group += [nodes.colspec(colwidth=1) for _ in header]
    for part, lines in ((nodes.thead(), [header]), (nodes.tbody(), rows)):
        for line in lines:
            row = nodes.row()
            for cell in line:
                content = cell if isinstance(cell, nodes.Node) else nodes.paragraph("", str(cell))
                row += nodes.entry("", content)
            part += row
        group += part
    return nodes.table("", group)


def reading_minutes(source):
    """Return the minutes that a notebook says it takes to read."""
    line = re.search(r"^# \*\*Time\*\*.*", source, re.MULTILINE).group()
    return int(re.search(r"\d+", line).group())


def notebook_times():
    """Return for each notebook its title, the minutes to read it, and what was measured when it ran."""
    measured = results.read("times")["notebooks"]
    rows = []
    for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.py")):
        source = path.read_text(encoding="utf-8")
        title = re.search(r"^# # (.*)", source, re.MULTILINE).group(1)
        rows.append((title, reading_minutes(source), measured[path.stem]))
    return rows


class CourseTimes(Directive):
    """The table of reading and running times."""

    def run(self):
        """Return the table and a line about the machine."""
        found = notebook_times()
        rows = [
            (title, f"{minutes} min", f"{row['seconds']:.0f} s", f"{row['peak_gb']:.1f} GB")
            for title, minutes, row in found
        ]
        minutes = sum(minutes for _, minutes, _ in found)
        seconds = sum(row["seconds"] for *_, row in found)
        rows.append(("together", f"{minutes / 60:.1f} h", f"{seconds / 60:.0f} min", ""))
        machine = results.read("times")["machine"]
        dates = sorted({row["date"] for *_, row in found})
        about = (
            f"Measured on {' to '.join(sorted({dates[0], dates[-1]}))} with {machine['cores']} cores, "
            f"{machine['system']} and Python {machine['python']}."
        )
        header = ("notebook", "reading", "running", "memory")
        return [table(header, rows), nodes.paragraph("", about)]


#: Notebooks of each session of a plan; with minutes of reading where the guide names a part of a notebook.
PLANS = {
    "90 minutes": [[("01", 9), ("02", 26), ("10", 11), ("15", 10)]],
    "Half day": [["01", "02", "03", ("10", 31)]],
    "Full day": [["01", "02", "03"], ["07", "10", "15"]],
    "Two days": [["01", "02", "03", "06", "07"], ["09", "10", "11", "15"]],
    "Five sessions": [
        ["01", "02", "03"],
        ["04", "05", "06", "07"],
        ["08", "09", "10"],
        ["11", "12", "13", "14"],
        ["15", "16", "17"],
    ],
}


class CoursePlans(Directive):
    """The table of plans, with the times of each session, and the points of all exercises of its notebooks."""

    def run(self):
        """Return the table."""
        times = {title[:2]: (minutes, row["seconds"]) for title, minutes, row in notebook_times()}
        points = {path.stem[:2]: sum(task.points for task in read_source(path).tasks) for path in source_paths()}
        rows = []
        for plan, sessions in PLANS.items():
            for number, parts in enumerate(sessions, 1):
                names = [part if isinstance(part, str) else part[0] for part in parts]
                reading = sum(times[part][0] if isinstance(part, str) else part[1] for part in parts)
                running = sum(times[name][1] for name in names)
                together = (4 / 3 * reading * 60 + running) / 3600
                title = plan if len(sessions) == 1 else f"{plan}, {number}"
                hours = (f"{reading} min", f"{running / 60:.0f} min", f"{together:.1f} h")
                rows.append((title, " ".join(names), *hours, sum(points[name] for name in names)))
        header = ("session", "notebooks", "reading", "running", "together", "points of the sets, in class or at home")
        return [table(header, rows)]


class CourseVersions(Directive):
    """The versions of the main packages."""

    def run(self):
        """Return the table."""
        return [table(("package", "version"), list(libraries.versions(libraries.OF_THE_COURSE).items()))]


class CourseBenchmark(Directive):
    """What one subset of the benchmarks found: sentences, figure and tables, all made from the stored results."""

    required_arguments = 1

    def run(self):
        """Return the nodes, or a line that says that nothing has been measured yet."""
        subset = self.arguments[0]
        content = store.load().get(subset)
        if content is None:
            return [nodes.paragraph("", f"Not measured yet: python course.py bench {subset}")]
        found = [nodes.paragraph("", sentence) for sentence in report.claims(subset, content)]
        if report.has_figure(subset):
            # Relative to the page, which lies in book/.
            uri = "../" + report.path_of_figure(subset).relative_to(ROOT).as_posix()
            found.append(nodes.image(uri=uri, alt=report.alt(subset, content)))
        for caption, (header, rows) in report.tables(subset, content):
            made = table(header, rows)
            made.insert(0, nodes.title("", caption))
            found.append(made)
        return [*found, nodes.paragraph("", report.conditions(content))]


def lead_to_solutions(app, docname, source):
    """Let links to exercises lead to the site's pages of them, which hold stubs and, folded, solutions."""
    if docname.startswith("notebooks/"):
        source[0] = re.sub(r"\]\(exercises/(\w+)_exercises\.", r"](solutions/\1_solutions.", source[0])


def say_what_is_missing(app, doctree):
    """Put words in place of a table without rows: nothing has been measured yet, and LaTeX would fail on it."""
    for found in list(doctree.findall(nodes.table)):
        if not list(found.findall(nodes.tbody)):
            found.replace_self(nodes.paragraph("", "Not measured yet."))


def setup(app):
    """Register everything with Sphinx."""
    app.add_directive("course-times", CourseTimes)
    app.add_directive("course-benchmark", CourseBenchmark)
    app.add_directive("course-plans", CoursePlans)
    app.add_directive("course-versions", CourseVersions)
    app.connect("source-read", lead_to_solutions)
    app.connect("doctree-read", say_what_is_missing)
    return {"version": version("mlm-tutorial"), "parallel_read_safe": True, "parallel_write_safe": True}
