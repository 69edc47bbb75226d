"""Building the site: targets of launch buttons, and requirements of a PDF."""

import shutil

import pytest

from tools import cli, install, site


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://github.com/someone/sums.git", "https://github.com/someone/sums"),
        ("git@github.com:someone/sums.git", "https://github.com/someone/sums"),
        ("https://gitlab.com/a/group/sums", "https://gitlab.com/a/group/sums"),
        ("/some/folder/sums", ""),
        ("https://example.org/private/sums.git", ""),
    ],
)
def test_launch_buttons_lead_to_public_repositories_only(monkeypatch, remote, address):
    monkeypatch.setattr(site.subprocess, "check_output", lambda *args, **kwargs: remote + "\n")
    assert site.public_repository() == address


def test_pdf_without_latex_reports_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(install, "set_up", lambda *wanted: None)
    monkeypatch.setattr(site, "fetch_assets", lambda where: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert cli.main(["book", "--pdf"]) == 1
    message = capsys.readouterr().err
    assert "A PDF needs LaTeX, and latexmk and xelatex cannot be found" in message
    assert "apt install latexmk texlive-xetex" in message
