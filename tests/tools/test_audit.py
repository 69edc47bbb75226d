"""The audit: only packages that were looked up count."""

import json

import pytest

from tools import audit

CLEAN = {"name": "numpy", "version": "2.5.5", "vulns": []}
BAD = {"name": "old", "version": "1.0", "vulns": [{"id": "PYSEC-2020-1", "fix_versions": ["1.1"]}]}
SKIPPED = {"name": "pandas", "skip_reason": "Dependency not found on PyPI and could not be audited: pandas (3.1.1)"}
NPM = {"metadata": {"dependencies": {"total": 3}}, "vulnerabilities": {}}


@pytest.mark.parametrize(
    ("packages", "code"),
    [
        ([CLEAN], audit.CLEAN),
        ([CLEAN, BAD], audit.VULNERABLE),
        ([CLEAN, SKIPPED], audit.NOT_AUDITED),
        ([SKIPPED], audit.NOT_AUDITED),
        ([BAD, SKIPPED], audit.VULNERABLE),
        ([], audit.NOT_AUDITED),
    ],
)
def test_only_a_package_that_was_looked_up_counts_as_audited(packages, code):
    assert audit.exit_code([audit.read_pip_audit(json.dumps({"dependencies": packages}), "")]) == code


def read_npm(answer, errors=""):
    return audit.read_npm_audit(answer, errors, "book/package-lock.json")


@pytest.mark.parametrize("read", [audit.read_pip_audit, read_npm])
@pytest.mark.parametrize("answer", ["", "not JSON", "[]", '{"message": "405 Method Not Allowed"}'])
def test_invalid_answers_are_not_clean(read, answer):
    found = read(answer, "ServiceError: connection refused\n")
    assert audit.exit_code([found]) == audit.NOT_AUDITED
    assert found.reason


def test_npm_answers_are_read():
    assert audit.exit_code([read_npm(json.dumps(NPM))]) == audit.CLEAN
    bad = NPM | {"vulnerabilities": {"d3": {"range": "<8", "severity": "high"}}}
    assert read_npm(json.dumps(bad)).vulnerable == ["d3 <8: high"]


def test_audit_that_reaches_nobody_says_so(monkeypatch, capsys):
    monkeypatch.setattr(audit, "audit_python", lambda uv: audit.Audit("uv.lock", missed=3, reason="refused"))
    monkeypatch.setattr(audit, "audit_npm", lambda folder: read_npm(json.dumps(NPM)))
    assert audit.main(["uv"]) == audit.NOT_AUDITED
    assert "NOT AUDITED: uv.lock" in capsys.readouterr().out
