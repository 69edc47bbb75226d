"""A deck of slides for each part, made from the notebooks with nbconvert, and the list of them in the guide."""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import yaml
from docutils import nodes
from docutils.parsers.rst import Directive

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))
from tools import slides  # noqa: E402


def parts():
    """Return the parts that consist of notebooks: a name for the file, a caption, and the notebooks' names."""
    toc = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text(encoding="utf-8"))
    found = []
    for part in toc["parts"]:
        names = [Path(chapter["file"]).name for chapter in part["chapters"] if chapter["file"].startswith("notebooks/")]
        if names:
            found.append((f"part-{len(found) + 1}", part["caption"], names))
    return found


def make_deck(caption, names):
    """Return the HTML of a deck."""
    import nbformat
    from nbconvert import SlidesExporter

    read = [(name, json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))) for name in names]
    notebook = nbformat.v4.new_notebook(metadata={"title": caption})
    for number, cell in enumerate(slides.deck(caption, read)):
        notebook.cells.append(nbformat.from_dict({**cell, "id": f"cell-{number}"}))
    exporter = SlidesExporter(
        template_name="course",
        extra_template_basedirs=[str(ROOT / "book" / "slides")],
        reveal_url_prefix="../reveal",
        reveal_theme="white",
        exclude_anchor_links=True,
        exclude_input=True,
        exclude_output_prompt=True,
    )
    return exporter.from_notebook_node(notebook)[0]


def write_decks(app, exception):
    """Write the decks into the site."""
    if exception or app.builder.format != "html":
        return
    folder = Path(app.outdir, "slides")
    folder.mkdir(exist_ok=True)
    for name, caption, names in parts():
        (folder / f"{name}.html").write_text(make_deck(caption, names), encoding="utf-8")


class CourseSlides(Directive):
    """A list of the decks."""

    def run(self):
        """Return the list."""
        decks = nodes.bullet_list()
        for name, caption, _ in parts():
            link = nodes.reference("", caption, refuri=f"../slides/{name}.html")
            decks += nodes.list_item("", nodes.paragraph("", "", link))
        return [decks]


def setup(app):
    """Register everything with Sphinx."""
    app.add_directive("course-slides", CourseSlides)
    app.connect("build-finished", write_decks)
    return {"version": version("mlm-tutorial"), "parallel_read_safe": True, "parallel_write_safe": True}
