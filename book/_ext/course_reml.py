"""Directives of the page for analysts: REML's variances beside the course's, from the stored benchmark."""

import sys
from importlib.metadata import version
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))
from course_site import table  # noqa: E402

from tools.benchmarks import reml, store  # noqa: E402
from tools.benchmarks.words import number  # noqa: E402

#: The model of ``mlm.cell_model(cells)``: contributors have spreads of their own.
MODEL = "own"


def rows_of(case=None):
    """Return the stored rows of a case, or those of all tables on the page; those without a converged fit raise."""
    rows = [
        row for row in store.load()["reml"]["rows"] if row["case"] == case or (case is None and " " not in row["case"])
    ]
    failed = [row["case"] for row in rows if row[f"{MODEL}_problem"]]
    if failed or not rows:
        raise ValueError(f"no converged fit is stored for {', '.join(failed) or case}: python course.py bench reml")
    return rows


class CourseReml(Directive):
    """The variances of one table."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        """Return the table."""
        lines = []
        for row in rows_of(self.arguments[0]):
            seen, median, low, high = (number(row[f"{MODEL}_{name}"]) for name in ("seen", "median", "lower", "upper"))
            who = f"{row['component']}, {row['contributors']}" if row["contributors"] else "what is left over"
            lines.append(
                (who, number(row["reml"]), seen if row["contributors"] else median, f"{median} ({low} to {high})")
            )
        return [table(("variance of", "REML", "this course: these", "this course: all"), lines)]


class Share(Directive):
    """One sentence on the share of a layer in the variance: its contributors', over all rows of the case."""

    required_arguments = 2
    final_argument_whitespace = True

    def run(self):
        """Return a paragraph."""
        case, name = self.arguments[0], self.arguments[1]
        ours = {
            row["component"]: row[f"{MODEL}_seen" if row["contributors"] else f"{MODEL}_median"]
            for row in rows_of(case)
        }
        reml_of = {row["component"]: row["reml"] for row in rows_of(case)}
        share, their = (values[name] / sum(values.values()) for values in (ours, reml_of))
        return [
            nodes.paragraph("", f"That is {share:.0%} of the variance in this table; with REML's numbers, {their:.0%}.")
        ]


class Agreement(Directive):
    """One sentence on how far both are apart."""

    def run(self):
        """Return a paragraph."""
        rows = rows_of()
        layers = [row for row in rows if row["contributors"]]
        away = max(abs(row[f"{MODEL}_seen"] / row["reml"] - 1) for row in layers)
        held = sum(row[f"{MODEL}_lower"] <= row["reml"] <= row[f"{MODEL}_upper"] for row in rows)
        sentence = (
            f"In the {len(layers)} layers above, the variances among these contributors differ from REML's by at most "
            f"{away:.0%}, and {held} of {len(rows)} intervals of {reml.INTERVAL:.0%} hold REML's estimate."
        )
        return [nodes.paragraph("", sentence)]


def setup(app):
    """Register the directives with Sphinx."""
    app.add_directive("course-reml", CourseReml)
    app.add_directive("course-reml-agreement", Agreement)
    app.add_directive("course-reml-share", Share)
    return {"version": version("mlm-tutorial"), "parallel_read_safe": True, "parallel_write_safe": True}
