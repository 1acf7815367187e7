"""`make audit`: a finding fails, a listed one passes, silence of the service is no clean bill."""

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


def test_a_finding_fails_and_is_named(audit):
    status, lines = audit.judge([CLEAN, BAD], {})
    assert status == 1
    assert "b 2: PYSEC-1, mended in 3" in lines


@pytest.mark.parametrize("name", ["PYSEC-1", "CVE-1"])
def test_a_listed_finding_passes(audit, name):
    assert audit.judge([CLEAN, BAD], {name: "not reached by us"})[0] == 0


def test_a_listed_finding_that_is_gone_is_named(audit):
    status, lines = audit.judge([CLEAN], {"CVE-1": "reason"})
    assert status == 0
    assert any("remove it" in line for line in lines)


def test_a_service_that_knows_nothing_found_nothing(audit):
    assert audit.judge([UNKNOWN, UNKNOWN], {}) is None
    assert audit.judge([], {}) is None
    status, lines = audit.judge([CLEAN, UNKNOWN], {})
    assert (status, "unknown to the service: c" in lines[-1]) == (0, True)


def test_the_list_needs_reasons(audit):
    assert audit.ignored("# words\n\nCVE-1 only in its server  # more\n") == {"CVE-1": "only in its server"}
    with pytest.raises(ValueError, match="CVE-2 has no reason"):
        audit.ignored("CVE-2\n")
    audit.ignored(audit.IGNORED.read_text())


def test_no_answer_is_said_and_passes(audit, monkeypatch, capsys):
    monkeypatch.setattr(audit, "tool", lambda: FILE)
    monkeypatch.setattr(audit, "ask", lambda python, service: None)
    assert audit.main() == 0
    assert capsys.readouterr().out.splitlines() == [
        "audit: skipped, no vulnerability service (pypi, osv) answers here."
    ]
    monkeypatch.setattr(audit, "ask", lambda python, service: [BAD])
    assert audit.main() == 1
