"""Tracking URIs: the default file, and addresses without their passwords."""

import pytest

from harness.errors import HarnessError
from harness.tracking.mlflow_record.store.addresses import choose_tracking_uri, format_for_shell, redact_passwords


def test_choose_tracking_uri_makes_the_path_of_sqlite_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert choose_tracking_uri("sqlite:///rel.db", tmp_path) == f"sqlite:///{tmp_path}/rel.db"


@pytest.mark.parametrize("name", ["q%20", "what?"])
def test_choose_tracking_uri_with_a_path_that_sqlalchemy_reads_otherwise_raises(tmp_path, name):
    with pytest.raises(HarnessError, match=r"\? or %"):
        choose_tracking_uri(None, tmp_path / name)


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("https://user:secret@host:5000/x", "https://***@host:5000/x"),
        ("postgresql://u:secret@h/db", "postgresql://***@h/db"),
        ("postgresql://h/db?user=u&password=secret", "postgresql://h/db?***"),
        ("no answer from http://u:secret@h:1 today", "no answer from http://***@h:1 today"),
        ("sqlite:////home/x/mlflow.db", "sqlite:////home/x/mlflow.db"),
    ],
)
def test_redact_passwords_removes_users_passwords_and_options(text, redacted):
    assert redact_passwords(text) == redacted


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("sqlite:////home/x/mlflow.db", "sqlite:////home/x/mlflow.db"),
        ("sqlite:////home/my store/mlflow.db", "'sqlite:////home/my store/mlflow.db'"),
        ("sqlite:////home/a;b$(c)/mlflow.db", "'sqlite:////home/a;b$(c)/mlflow.db'"),
        ("postgresql://***@h/db", "postgresql://USER:PASSWORD@h/db"),
        ("postgresql://h/db?***", "postgresql://h/db"),
    ],
)
def test_format_for_shell_returns_one_word_without_stars(address, word):
    assert format_for_shell(address) == word
