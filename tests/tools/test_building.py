"""Building the site: requirements of a PDF."""

import shutil

from tools import bundle, cli, install, site


def test_pdf_without_latex_reports_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(install, "set_up", lambda *wanted: None)
    monkeypatch.setattr(site, "fetch_assets", lambda where: None)
    monkeypatch.setattr(bundle, "write", lambda: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert cli.main(["book", "--pdf"]) == 1
    message = capsys.readouterr().err
    assert "A PDF needs LaTeX, and latexmk and xelatex cannot be found" in message
    assert "apt install latexmk texlive-xetex" in message
