"""Look up every package of uv.lock and of each package-lock.json among known vulnerabilities.

pip-audit succeeds with "No known vulnerabilities found" even if its service knows none of the packages.
Here only a package that was looked up counts as audited, and an incomplete audit is reported as such.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tools import machine, npm, project, results
from tools.results import markdown_table

__all__ = ["CLEAN", "NOT_AUDITED", "VULNERABLE", "Audit", "audit_npm", "audit_python", "exit_code"]

#: Exit codes. A caller that cannot reach the services may accept the last one, but must do so explicitly.
CLEAN, VULNERABLE, NOT_AUDITED = 0, 1, 3
TIMEOUT = 300  # seconds for one tool


class Audit:
    """The result of auditing one lock file.

    Parameters
    ----------
    file : str
        Name of the lock file.
    audited, missed : int
        How many packages were looked up, and how many could not be.
    vulnerable : list of str
        One sentence for each package with a known vulnerability.
    reason : str
        Why packages could not be looked up.
    """

    def __init__(self, file: str, audited: int = 0, missed: int = 0, vulnerable=(), reason: str = ""):
        self.file, self.audited, self.missed = file, audited, missed
        self.vulnerable, self.reason = list(vulnerable), reason

    @property
    def complete(self) -> bool:
        """Whether every package was looked up; an audit of nothing is not."""
        return self.audited > 0 and not self.missed and not self.reason


def audit_python(uv: str) -> Audit:
    """Audit every package of uv.lock with pip-audit.

    Parameters
    ----------
    uv : str
        Path of uv, which writes the list of packages.

    Returns
    -------
    Audit
    """
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "requirements.txt"
        export = [uv, "export", "--quiet", "--frozen", "--all-extras", "--no-emit-project", "--no-header"]
        subprocess.run([*export, "--output-file", listed], cwd=project.ROOT, check=True, stdout=subprocess.DEVNULL)
        # With hashes and without pip nothing is resolved or installed: what is audited is what is locked.
        command = [sys.executable, "-m", "pip_audit", "--requirement", listed, "--require-hashes", "--disable-pip"]
        return read_pip_audit(*_run([*command, "--format", "json", "--progress-spinner", "off"], project.ROOT))


def read_pip_audit(answer: str, errors: str) -> Audit:
    """Return the audit in pip-audit's JSON."""
    audit = Audit("uv.lock")
    try:
        packages = json.loads(answer)["dependencies"]
    except (ValueError, KeyError, TypeError):
        audit.reason = _last_line(errors) or "pip-audit gave no answer"
        return audit
    for package in packages:
        if "skip_reason" in package or "vulns" not in package:
            audit.missed += 1
            audit.reason = audit.reason or package.get("skip_reason", "pip-audit does not report it")
            continue
        audit.audited += 1
        for problem in package["vulns"]:
            fixed = ", ".join(problem.get("fix_versions", [])) or "no version yet"
            audit.vulnerable.append(f"{package['name']} {package['version']}: {problem['id']}, fixed in {fixed}")
    return audit


def audit_npm(folder: str) -> Audit:
    """Audit every package of one package-lock.json with npm.

    Parameters
    ----------
    folder : str
        One of `tools.npm.FOLDERS`.

    Returns
    -------
    Audit
    """
    command = npm.command(sys.executable, "audit", "--json", "--package-lock-only")
    return read_npm_audit(*_run(command, project.ROOT / folder), f"{folder}/package-lock.json")


def read_npm_audit(answer: str, errors: str, file: str) -> Audit:
    """Return the audit in npm's JSON."""
    audit = Audit(file)
    try:
        content = json.loads(answer)
        number = content["metadata"]["dependencies"]["total"]
        problems = content["vulnerabilities"]
    except (ValueError, KeyError, TypeError):
        audit.reason = _npm_reason(answer) or _last_line(errors) or "npm gave no answer"
        return audit
    audit.audited = number
    audit.vulnerable = [f"{name} {row.get('range', '')}: {row.get('severity', '')}" for name, row in problems.items()]
    return audit


def _npm_reason(answer):
    try:
        return json.loads(answer)["message"]
    except (ValueError, KeyError, TypeError):
        return ""


def _run(command, folder) -> tuple[str, str]:
    """Return the output and the errors that a tool prints, which tell more than its exit code."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=TIMEOUT, encoding="utf-8")
    except subprocess.TimeoutExpired:
        return "", f"no answer within {TIMEOUT} s"
    return done.stdout, done.stderr


def _last_line(text) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def exit_code(audits: list[Audit]) -> int:
    """Return the exit code of several audits: a vulnerability outweighs a gap, a gap outweighs a clean audit."""
    if any(audit.vulnerable for audit in audits):
        return VULNERABLE
    return CLEAN if all(audit.complete for audit in audits) else NOT_AUDITED


def main(arguments: list[str] | None = None) -> int:
    """Audit all lock files, print what was found, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("uv")
    parser.add_argument("--store", action="store_true")
    options = parser.parse_args(arguments)
    audits = [audit_python(options.uv), *map(audit_npm, npm.FOLDERS)]
    header = ["lock file", "packages audited", "not audited", "with known vulnerabilities", "why not"]
    rows = [
        [a.file, a.audited, a.missed or ("all" if not a.complete else 0), len(a.vulnerable), a.reason] for a in audits
    ]
    table = markdown_table(header, rows)
    print(table)
    for line in sum((audit.vulnerable for audit in audits), []):
        print("VULNERABLE", line)
    code = exit_code(audits)
    if code == NOT_AUDITED:
        names = " and ".join(audit.file for audit in audits if not audit.complete)
        print(f"NOT AUDITED: {names}. The service of known vulnerabilities did not answer every query.")
    if options.store:
        results.store(
            "audit",
            {"date": machine.today(), **machine.record(), "files": {audit.file: vars(audit) for audit in audits}},
            table,
        )
    return code


if __name__ == "__main__":
    sys.exit(main())
