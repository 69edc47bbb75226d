"""Where the course can be had: the zip file that the site ships, and the public repository, if there is one.

The address of the repository is one setting, ``course_repository`` in ``book/conf.py``. The buttons for Binder,
Colab, issues and edits, and the address in the citation, follow it; while it is empty there are none.
"""

import json
import re
import sys
from importlib.metadata import version
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))
from tools import bundle, colab  # noqa: E402

#: Where a notebook's page says what running it needs.
PLACE = re.compile(r"<p><strong>Time</strong>.*?</p>|</h1>(?!.*<p><strong>Time</strong>)", re.DOTALL)


def size_in_words():
    """Return the size of the course's zip file."""
    return f"{bundle.path().stat().st_size / 1e6:.0f} MB"


# The zip file


def course_zip(name, rawtext, text, lineno, inliner, options=None, content=None):
    """Return a link to the course's zip file, and its size: the role ``{course-zip}`` with a text."""
    reference = nodes.reference(rawtext, text, refuri=bundle.NAME, classes=["course-zip"])
    return [reference, nodes.Text(f" (zip, {size_in_words()})")], []


def find_zip(app, doctree, docname):
    """Let links to the zip file start from their page; a PDF has the words only."""
    for node in list(doctree.findall(nodes.reference)):
        if "course-zip" not in node["classes"]:
            continue
        if app.builder.format == "html":
            node["refuri"] = "../" * docname.count("/") + bundle.NAME
        else:
            node.replace_self(nodes.inline("", node.astext()))


def offer_zip(app, pagename, templatename, context, doctree):
    """Say beside every notebook and its download what it needs, and offer that too."""
    if not pagename.startswith("notebooks/") or doctree is None:
        return
    up = "../" * pagename.count("/")
    for group in context.get("header_buttons", []):
        if group.get("label") == "download-buttons":
            # The notebook is also the source of its page: one entry for it is enough.
            kept = [button for button in group["buttons"] if button["label"] != "download-source-button"]
            for button in group["buttons"]:
                if button["label"] == "download-source-button" and button["text"] == ".ipynb":
                    button["text"] = "This notebook (.ipynb)"
                    button["tooltip"] = "It needs the package of the course"
                    kept.insert(0, button)
            entry = {
                "type": "link",
                "url": up + bundle.NAME,
                "text": f"The whole course (.zip, {size_in_words()})",
                "tooltip": "Every notebook, and the package that they need",
                "icon": "fas fa-box-archive",
                "label": "download-course-button",
            }
            kept.insert(1, entry)
            group["buttons"] = kept
    line = (
        '\n<p class="course-needs"><strong>To run it</strong> you need the package of the course: '
        f'<a href="{up}{bundle.NAME}">get the course</a> (zip, {size_in_words()}), unpack it, and run '
        f'<code>python course.py open</code> in its folder. <a href="{up}book/setup.html">Other ways to install</a></p>'
    )
    # After the line that says how long the notebook takes; a page of exercises has none, and gets it below its title.
    context["body"] = PLACE.sub(lambda found: found.group() + line, context["body"], count=1)


# The repository


def repository_of(config):
    """Return the address of the public repository; empty where there is none."""
    return config.course_repository


def add_repository(app, config):
    """Add launch buttons and links to the repository where there is one, and a footer."""
    options = config.html_theme_options
    options["extra_footer"] = f"<p>Version {version('mlm-tutorial')}</p>"
    repository = repository_of(config)
    options["repository_url"] = repository
    if repository:
        options.update(path_to_docs="", use_repository_button=True, use_issues_button=True, use_edit_page_button=True)
        options["launch_buttons"] = {
            "binderhub_url": "https://mybinder.org",
            "notebook_interface": "jupyterlab",
        }


def add_colab(app, pagename, templatename, context, doctree):
    """Add a button that opens Colab's copy of a notebook."""
    address = colab.link(repository_of(app.config), app.config.course_site_branch, Path(pagename).name)
    if not address or not pagename.startswith("notebooks/"):
        return
    for group in context.get("header_buttons", []):
        if group.get("label") == "launch-buttons":
            group["buttons"].append(
                {
                    "type": "link",
                    "url": address,
                    "text": "Colab",
                    "tooltip": "Open in Colab; its first cell installs the course",
                    "icon": "fas fa-cloud",
                    "label": "launch-colab-button",
                }
            )


def write_for_colab(app, exception):
    """Write the copies of notebooks that Colab opens."""
    repository = repository_of(app.config)
    if exception or app.builder.format != "html" or not colab.link(repository, app.config.course_site_branch, "any"):
        return
    for docname in sorted(app.env.found_docs):
        if docname.startswith("notebooks/"):
            notebook = json.loads((ROOT / f"{docname}.ipynb").read_text(encoding="utf-8"))
            target = Path(app.outdir, colab.FOLDER, f"{Path(docname).name}.ipynb")
            target.parent.mkdir(exist_ok=True)
            made = colab.for_colab(notebook, repository)
            target.write_text(json.dumps(made, indent=1, ensure_ascii=False), encoding="utf-8")


class CourseCitation(Directive):
    """CITATION.cff, with the address of the repository where there is one."""

    def run(self):
        """Return the text as code."""
        text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
        repository = repository_of(self.state.document.settings.env.config)
        if repository:
            text = f"{text.rstrip()}\nrepository-code: {repository}\n"
        return [nodes.literal_block(text, text, language="yaml")]


def setup(app):
    """Register everything with Sphinx."""
    app.add_config_value("course_repository", "", "env")
    app.add_config_value("course_site_branch", "gh-pages", "html")
    app.add_role("course-zip", course_zip)
    app.add_directive("course-citation", CourseCitation)
    app.connect("config-inited", add_repository, priority=400)
    app.connect("doctree-resolved", find_zip)
    app.connect("html-page-context", offer_zip, priority=502)
    app.connect("html-page-context", add_colab, priority=502)
    app.connect("build-finished", write_for_colab)
    return {"version": version("mlm-tutorial"), "parallel_read_safe": True, "parallel_write_safe": True}
