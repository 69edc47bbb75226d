"""The map of the course on the first page, and what it says of time, tasks, carriers and authors: all computed."""

import html
import json
import re
import sys
from importlib.metadata import version
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx import addnodes

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))
from course_site import PLANS, notebook_times  # noqa: E402
from course_slides import parts  # noqa: E402
from course_sources import repository_of  # noqa: E402

#: What each notebook adds to those before it.
IDEAS = {
    "01": "a total is a sum of parts",
    "02": "partial pooling, shrinkage",
    "03": "steps, energy, divergences",
    "04": "a distribution of your own",
    "05": "a right model that does not sample",
    "06": "the same model, other coordinates",
    "07": "when to trust a run",
    "08": "when to trust a model",
    "09": "10,000 rows become 12 cells",
    "10": "what only the prior decides",
    "11": "designs that settle it",
    "12": "who is responsible for a total?",
    "13": "85 counties, some with two homes",
    "14": "is the gauge fit for use?",
    "15": "327,346 flights",
    "16": "rare, very large totals",
    "17": "from your file to claims",
}
#: The notebooks of each path, and its sign and color.
PATHS = {
    "Learner": ("L", "#0072B2", sorted(IDEAS)),
    "Analyst": ("A", "#C04000", ["02", "07", "10", "14", "17"]),
    "Instructor": ("I", "#6A6A6A", [number for session in PLANS["Full day"] for number in session]),
}
WIDTH, TOP, ROW, LANE = 340, 34, 46, 26


def part_drawing(title, numbers, pages):
    """Return one part of the map as SVG: a row for each notebook, and in it a stop for each path that takes it."""
    height = TOP + ROW * len(numbers)
    lines = [f'<svg viewBox="0 0 {WIDTH} {height}" role="group" aria-label="{html.escape(title)}">']
    lines.append(f'<text class="map-part" x="0" y="18">{html.escape(title)}</text>')
    for lane, (name, (sign, color, stops)) in enumerate(PATHS.items()):
        x, taken = 12 + LANE * lane, [row for row, number in enumerate(numbers) if number in stops]
        if not taken:
            continue
        ends = [TOP + ROW * row + 18 for row in (taken[0], taken[-1])]
        lines.append(f'<path d="M{x} {ends[0]}V{ends[1]}" stroke="{color}" stroke-width="4" fill="none"/>')
        for row in taken:
            y = TOP + ROW * row + 18
            lines.append(f'<circle cx="{x}" cy="{y}" r="10" fill="{color}"><title>{name}</title></circle>')
            lines.append(f'<text class="map-sign" x="{x}" y="{y + 4.5}" aria-hidden="true">{sign}</text>')
    for row, number in enumerate(numbers):
        y, (page, name) = TOP + ROW * row, pages[number]
        lines.append(f'<a href="{page}"><text class="map-name" x="84" y="{y + 15}">{html.escape(name)}</text></a>')
        lines.append(f'<text class="map-idea" x="84" y="{y + 33}">{html.escape(IDEAS[number])}</text>')
    return "".join([*lines, "</svg>"])


def time_of(numbers):
    """Return the hours of reading and the minutes of running of some notebooks, in words."""
    times = {title[:2]: (minutes, row["seconds"]) for title, minutes, row in notebook_times()}
    reading = sum(times[number][0] for number in numbers) / 60
    running = sum(times[number][1] for number in numbers) / 60
    return f"{reading:.1f} hours of reading and {running:.0f} minutes of running"


def tasks():
    """Return the number of tasks in the exercises, and of their sets."""
    sources = sorted((ROOT / "notebooks" / "exercise_sources").glob("*.py"))
    found = [len(re.findall(r"^# ## \w+\.\d ", path.read_text(encoding="utf-8"), re.MULTILINE)) for path in sources]
    return sum(found), len(found)


def likely_last(carriers):
    """Return the carriers that may lose most, each with its chance, the likeliest first.

    >>> likely_last({"A": {"chance_to_lose_most": 0.3}, "B": {"chance_to_lose_most": 0.7}})
    {'B': 0.7, 'A': 0.3}
    """
    chances = {name: one["chance_to_lose_most"] for name, one in carriers.items()}
    return {name: chances[name] for name in sorted(chances, key=lambda name: -chances[name]) if chances[name] >= 0.1}


def listed(words, last):
    """Return words as a list in a sentence.

    >>> listed(["Frontier", "AirTran", "SkyWest"], "or")
    'Frontier, AirTran or SkyWest'
    """
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else words[0]


def on_carriers():
    """Return sentences on which carriers lose most time, and on why chapter 15 ranks them in another order."""
    stored = json.loads((ROOT / "results" / "overview.json").read_text(encoding="utf-8"))["carriers"]
    (by_month, month), (by_day, day) = ((likely_last(stored[name]), stored[name]) for name in ("month", "day"))
    means = [month[name]["mean"] for name in by_month]
    best = min(day, key=lambda name: day[name]["mean"])
    month_chances, day_chances = (
        listed([f"{chance:.0%} for {name}" for name, chance in one.items()], "and") for one in (by_month, by_day)
    )
    answer = (
        f"{listed(list(by_month), 'or')}: each some {min(means):.0f} to {max(means):.0f} minutes more than the average "
        f"carrier, and too close to say which. {best} makes up most, {-month[best]['mean']:.0f} minutes more than the "
        "average carrier. How sure that is: "
    )
    why = (
        "The carriers that lose most are too close to rank. The model of the figure knows the month of a flight, "
        f"and the chances to be last are {month_chances}. With the day in place of the month, carriers are compared "
        f"on the same days, and the chances are {day_chances}. That is the model of "
    )
    return answer, why


def link(directive, docname, text):
    """Return a link to a page, for any builder."""
    here = directive.state.document.settings.env.docname
    words = nodes.inline("", text)
    return addnodes.pending_xref(
        "", words, refdomain="std", reftype="doc", reftarget=docname, refexplicit=True, refdoc=here, refwarn=True
    )


class CourseCarriers(Directive):
    """A paragraph on carriers: the answer to who loses most, or why two chapters rank them differently."""

    required_arguments = 1

    def run(self):
        """Return the paragraph."""
        answer, why = on_carriers()
        chapter = link(self, "/notebooks/15_flights", "15 Flights")
        if self.arguments[0] == "why":
            return [nodes.paragraph("", "", nodes.Text(why), chapter, nodes.Text("."))]
        question = nodes.strong("", "Which carrier loses most time?")
        return [nodes.paragraph("", "", question, nodes.Text(f" {answer}"), chapter, nodes.Text("."))]


class CourseMap(Directive):
    """The map: a drawing for each part, and the paths in words."""

    def run(self):
        """Return the drawings, and a list of the paths."""
        pages = {}
        for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.py")):
            title = re.search(r"^# # (.*)", path.read_text(encoding="utf-8"), re.MULTILINE).group(1)
            pages[path.stem[:2]] = (f"../notebooks/{path.stem}.html", title)
        drawings = [part_drawing(caption, [name[:2] for name in names], pages) for _, caption, names in parts()]
        paths = nodes.bullet_list()
        for name, (sign, _, stops) in PATHS.items():
            which = "all, in order" if len(stops) == len(IDEAS) else ", ".join(stops)
            text = f" ({sign}): {which}; {time_of(stops)}."
            paths += nodes.list_item("", nodes.paragraph("", "", nodes.strong("", name), nodes.Text(text)))
        drawn = f'<div class="course-map">{"".join(drawings)}</div>'
        return [nodes.raw("", drawn, format="html"), paths]


class CourseFacts(Directive):
    """A paragraph on one of: time, exercises, authors, questions."""

    required_arguments = 1

    def run(self):
        """Return the paragraph."""
        config = self.state.document.settings.env.config
        repository = repository_of(config)
        about, sets = tasks()
        text = {
            "time": f"The whole course takes {time_of(sorted(IDEAS))}, exercises not counted.",
            "exercises": f"{about} tasks in {sets} sets say at once: right, or a hint that names the likely mistake.",
            "authors": f"Written by {config.author}.".replace("by The", "by the"),
            "questions": f"Ask at {repository}/issues." if repository else "In a class, ask your instructor.",
        }[self.arguments[0]]
        lead = []
        if self.arguments[0] == "exercises":
            lead = [nodes.strong("", "Exercises that answer."), nodes.Text(" ")]
        return [nodes.paragraph("", "", *lead, nodes.Text(text))]


def setup(app):
    """Register the directives with Sphinx."""
    app.add_directive("course-map", CourseMap)
    app.add_directive("course-facts", CourseFacts)
    app.add_directive("course-carriers", CourseCarriers)
    app.add_css_file("course_map.css")
    return {"version": version("mlm-tutorial"), "parallel_read_safe": True, "parallel_write_safe": True}
