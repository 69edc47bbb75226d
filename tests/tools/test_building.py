"""Building the site: requirements of a PDF, and what LaTeX makes it from."""

import re
import shutil
import subprocess
import sys

import pytest

from tests.support.pages import NOTEBOOKS
from tools import bundle, cli, environment, install, project, site
from tools.environment import Environment


def test_pdf_without_latex_reports_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(install, "set_up", lambda *wanted: None)
    monkeypatch.setattr(site, "fetch_assets", lambda where: None)
    monkeypatch.setattr(bundle, "write", lambda: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert cli.main(["book", "--pdf"]) == 1
    message = capsys.readouterr().err
    assert "A PDF needs LaTeX, and latexmk and xelatex cannot be found" in message
    assert "apt install latexmk texlive-xetex" in message


@pytest.mark.slow
def test_a_pdf_has_every_notebook_in_its_source(monkeypatch, tmp_path):
    pytest.importorskip("myst_nb")
    monkeypatch.setattr(Environment, "python", sys.executable)  # tests run in other environments too
    bundle.write()
    command = site.sphinx_command(environment.of_project(), "latex", tmp_path)
    done = subprocess.run(command, cwd=project.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    written = (tmp_path / "_build" / "latex" / "decomposing-sums.tex").read_text(encoding="utf-8")
    titles = re.findall(r"^\\chapter\{(\d\d) ", written, re.MULTILINE)
    assert titles == [name.removeprefix("notebooks/")[:2] for name in NOTEBOOKS]
