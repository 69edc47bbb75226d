"""Notebooks for Colab, which has no package of the course: each installs it in a cell of its own, before all others.

Colab opens notebooks of public GitHub repositories only. The site publishes a copy of every notebook with that cell;
where the site is a branch of the repository, as on GitHub Pages, Colab reads the copy there.
"""

import copy
import re

#: Folder of the copies in the site.
FOLDER = "colab"


def install_cell(repository: str) -> dict:
    """Return the cell that installs the package and what its quizzes need, from a repository or a zip file.

    Parameters
    ----------
    repository : str
        Address of a repository, or of the course's zip file.
    """
    address = repository if repository.endswith(".zip") else f"git+{repository}"
    source = f'# Install the course on this machine, once.\n%pip install --quiet "mlm-tutorial[student] @ {address}"'
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": "install-the-course",
        "metadata": {},
        "outputs": [],
        "source": source,
    }


def for_colab(notebook: dict, repository: str) -> dict:
    """Return a copy of a notebook that starts with the cell that installs the course."""
    made = copy.deepcopy(notebook)
    made["cells"] = [install_cell(repository), *made["cells"]]
    return made


def link(repository: str, branch: str, name: str) -> str:
    """Return the address under which Colab opens a notebook of the published site; empty if Colab cannot.

    Parameters
    ----------
    repository : str
        Address of the repository.
    branch : str
        Branch that holds the published site.
    name : str
        Name of the notebook without its ending.
    """
    found = re.fullmatch(r"https://github\.com/([^/]+/[^/]+?)(?:\.git)?/?", repository)
    if not found or not branch:
        return ""
    return f"https://colab.research.google.com/github/{found.group(1)}/blob/{branch}/{FOLDER}/{name}.ipynb"
