"""`make audit`: a vulnerability fails it, a listed one passes, and an answer without data counts as no answer."""

import importlib.util
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[1] / ".ci" / "audit.py"
pytestmark = pytest.mark.skipif(not FILE.exists(), reason="needs a checkout")


@pytest.fixture(scope="module")
def audit():
    spec = importlib.util.spec_from_file_location("audit", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CLEAN = {"name": "a", "version": "1", "vulns": []}
BAD = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["3"]}]}
UNKNOWN = {"name": "c", "skip_reason": "not found"}


def test_judge_of_a_vulnerability_fails_and_names_it(audit):
    status, lines = audit.judge([CLEAN, BAD], {})
    assert status == 1
    assert "b 2: PYSEC-1, mended in 3" in lines


@pytest.mark.parametrize("name", ["PYSEC-1", "CVE-1"])
def test_judge_of_a_listed_vulnerability_passes(audit, name):
    assert audit.judge([CLEAN, BAD], {name: "Depthbench does not call it"})[0] == 0


def test_judge_names_a_listed_vulnerability_that_no_longer_exists(audit):
    status, lines = audit.judge([CLEAN], {"CVE-1": "reason"})
    assert status == 0
    assert any("remove it" in line for line in lines)


@pytest.mark.parametrize("dependencies", [[UNKNOWN, UNKNOWN], []])
def test_judge_of_an_answer_without_any_known_package_is_none(audit, dependencies):
    assert audit.judge(dependencies, {}) is None


def test_judge_names_packages_that_the_service_does_not_know(audit):
    status, lines = audit.judge([CLEAN, UNKNOWN], {})
    assert (status, "unknown to the service: c" in lines[-1]) == (0, True)


def test_ignored_reads_the_reason_of_each_listed_vulnerability(audit):
    assert audit.ignored("# words\n\nCVE-1 only in its server  # more\n") == {"CVE-1": "only in its server"}
    assert all(audit.ignored(audit.IGNORED.read_text()).values())


def test_ignored_refuses_a_vulnerability_without_a_reason(audit):
    with pytest.raises(ValueError, match="CVE-2 has no reason"):
        audit.ignored("CVE-2\n")


def test_audit_without_a_service_passes_and_prints_that_it_was_skipped(audit, monkeypatch, capsys):
    monkeypatch.setattr(audit, "tool", lambda: FILE)
    monkeypatch.setattr(audit, "ask", lambda python, service: None)
    assert audit.main() == 0
    assert capsys.readouterr().out.splitlines() == [
        "audit: skipped, no vulnerability service (pypi, osv) answers here."
    ]


def test_audit_with_a_vulnerability_fails(audit, monkeypatch):
    monkeypatch.setattr(audit, "tool", lambda: FILE)
    monkeypatch.setattr(audit, "ask", lambda python, service: [BAD])
    assert audit.main() == 1
