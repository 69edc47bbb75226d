"""Build the site, or one PDF of the whole course, with Sphinx from stored outputs."""

import shutil
from pathlib import Path

from mlm_tutorial.atomic import write_atomically
from tools import bundle, environment, npm, project
from tools.console import CourseError, say
from tools.environment import Environment
from tools.steps import run_step

#: Files of npm packages, and where in the site they go.
ASSETS = (
    ("d3/dist/d3.min.js", "plot/d3.min.js"),
    ("@observablehq/plot/dist/plot.umd.min.js", "plot/plot.umd.min.js"),
    ("papaparse/papaparse.min.js", "plot/papaparse.min.js"),
    ("reveal.js/dist/reveal.css", "reveal/dist/reveal.css"),
    ("reveal.js/dist/reveal.js", "reveal/dist/reveal.js"),
    ("reveal.js/dist/theme/white.css", "reveal/dist/theme/white.css"),
    ("reveal.js/dist/theme/fonts/source-sans-pro", "reveal/dist/theme/fonts/source-sans-pro"),
    ("reveal.js/plugin/notes/notes.js", "reveal/plugin/notes/notes.js"),
    ("mathjax/es5/tex-mml-chtml.js", "mathjax/tex-mml-chtml.js"),
    ("mathjax/es5/output/chtml/fonts", "mathjax/output/chtml/fonts"),
    ("mathjax/es5/input/tex/extensions", "mathjax/input/tex/extensions"),
)


def build(output: Path | None = None, repository: str | None = None, where: Environment | None = None) -> Path:
    """Build the site; any warning is an error.

    Parameters
    ----------
    output : pathlib.Path, optional
        Folder that receives ``_build/html``; by default, that of the site's sources.
    repository : str, optional
        Address of the public repository, in place of the one in ``book/conf.py``.
    where : Environment, optional
        The environment that has Sphinx; by default, that of the course.

    Returns
    -------
    pathlib.Path
        The folder of the site.

    Raises
    ------
    CourseError
        If the build fails.
    """
    where, output = where or environment.of_project(), output or project.BOOK
    assets = fetch_assets(where)
    bundle.write()
    say(f"building the site with {', '.join(sorted(path.name for path in assets.iterdir()))} and {bundle.NAME}")
    run_step("building the site", sphinx_command(where, "html", output), _variables(where, repository))
    return output / "_build" / "html"


def build_pdf(repository: str | None = None) -> Path:
    """Build one PDF of the whole course; return its path."""
    where = environment.of_project()
    fetch_assets(where)
    bundle.write()
    missing = [name for name in ("latexmk", "xelatex") if not shutil.which(name)]
    if missing:
        raise CourseError(
            f"A PDF needs LaTeX, and {' and '.join(missing)} cannot be found. On Debian and Ubuntu, run `sudo "
            "apt install latexmk texlive-xetex texlive-latex-extra texlive-fonts-recommended fonts-freefont-otf`; "
            "elsewhere install TeX Live (https://tug.org/texlive). Then run this again."
        )
    command = sphinx_command(where, "latexpdf", project.BOOK)
    run_step("building the PDF (minutes)", command, _variables(where, repository))
    return project.BOOK / "_build" / "latex" / "decomposing-sums.pdf"


def sphinx_command(where: Environment, target: str, output: Path) -> list:
    """Return the command that reads every page anew and writes ``_build/html`` or ``_build/latex``."""
    places = [project.ROOT, output / "_build", "--conf-dir", project.BOOK]
    options = ["--fresh-env", "--fail-on-warning", "--quiet"]
    return [where.python, "-m", "sphinx", "-M", target, *places, *options]


def _variables(where: Environment, repository: str | None) -> dict[str, str]:
    return where.variables(**({} if repository is None else {"COURSE_REPOSITORY": repository}))


def fetch_assets(where: Environment | None = None) -> Path:
    """Fetch the libraries that the site ships, in the versions of package-lock.json; return their folder."""
    source, folder = project.ROOT / npm.SITE, project.CACHE / "npm"
    assets = project.CACHE / "site" / "assets"
    wanted, stamp = npm.package_files(source), assets.parent / "fetched.json"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return assets
    stamp.unlink(missing_ok=True)  # first, so that it never marks an incomplete folder
    shutil.rmtree(assets, ignore_errors=True)
    npm.install("fetching what the site ships", source, folder, where)
    modules = folder / "node_modules"
    for name, target in ASSETS:
        (assets / target).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (modules / name).is_dir() else shutil.copy
        copy(modules / name, assets / target)
    write_atomically(stamp, wanted)
    return assets
