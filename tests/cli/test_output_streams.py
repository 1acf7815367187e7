"""Standard output that is closed, full, without a reader, or in an encoding that lacks characters."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_commands import COMMANDS

from harness.cli.output_streams import ERROR_HANDLER, EXIT_PIPE, SafeFile, final_exit_code, protect_streams

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = REPOSITORY / "reports" / "quickstart" / "results.csv"
OUTPUTS = {"utf-8": 0, "latin-1": 0, "ascii": 0, "no reader": 141, "full": 2, "closed": 2}
"""The exit code of a command that succeeds, by the kind of its standard output."""
EVERY_OUTPUT = {
    "inspect": ["inspect", "resnet18"],
    "inspect --json": ["inspect", "resnet18", "--json"],
    "diff": ["diff", str(RESULTS), str(RESULTS)],
    "schema": ["schema"],
    "version": ["--version"],
    "help": ["--help"],
}
"""Calls that print something and are cheap; they are tried with every output."""
NO_READER = {
    "variants": ["variants", "cifar-resnet"],
    "compare": ["compare", "resnet18", "plain18"],
    "diff --json": ["diff", str(RESULTS), str(RESULTS), "--json"],
    "trials": ["trials"],
    "gc": ["gc", "--dry-run"],
    "status": ["status"],
    **{f"{name} --help": [*name.split(), "--help"] for name in COMMANDS},
}
"""Calls that are tried with a pipe without a reader alone."""
CALLS = [(name, output) for name in EVERY_OUTPUT for output in OUTPUTS] + [(name, "no reader") for name in NO_READER]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The results of all calls, by name and kind of output."""
    arguments = EVERY_OUTPUT | NO_READER
    calls = [{"arguments": arguments[name], "output": output} for name, output in CALLS]
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("output_probe.py")],
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path_factory.mktemp("outputs"),
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "NO_COLOR": "1"},
    )
    return dict(zip(CALLS, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize(("name", "output"), CALLS)
def test_command_with_any_output_ends_with_the_documented_code_and_no_traceback(results, name, output):
    result = results[name, output]
    assert result["code"] == OUTPUTS[output]
    assert "Traceback" not in result["err"] and "Exception ignored" not in result["err"]
    if output in ("full", "closed"):
        (line,) = [line for line in result["err"].splitlines() if line.startswith("error standard output: ")]
        assert ("No space left" if output == "full" else "it is closed") in line
    elif output == "no reader":
        assert "standard output" not in result["err"]
    else:
        assert result["out"]


@pytest.mark.parametrize("name", ["inspect --json", "schema"])
@pytest.mark.parametrize("output", ["utf-8", "latin-1", "ascii"])
def test_json_is_valid_and_the_same_in_any_encoding(results, name, output):
    text = results[name, output]["out"]
    assert json.loads(text) == json.loads(results[name, "utf-8"]["out"]) and text.isascii()


def test_characters_that_an_encoding_lacks_are_replaced_one_by_one(results):
    drawn = results["inspect", "utf-8"]["out"].splitlines()
    replaced = results["inspect", "ascii"]["out"].splitlines()
    assert [len(line) for line in replaced] == [len(line) for line in drawn]
    assert any(line.startswith("|---") for line in replaced) and "?" not in results["inspect", "ascii"]["out"]


def test_safe_file_drops_everything_after_the_first_failure():
    reader, writer = os.pipe()
    file = SafeFile(writer)
    assert file.write(b"abc") == 3 and os.read(reader, 3) == b"abc" and file.failure is None
    os.close(reader)
    assert file.write(b"defg") == 4
    assert file.failure.errno == errno.EPIPE
    assert file.write(b"hi") == 2
    os.close(writer)


def test_safe_file_waits_for_the_reader_of_a_non_blocking_pipe():
    """A program that shares the terminal or the pipe may have made it non-blocking."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    size = 300_000
    with subprocess.Popen(["wc", "-c"], stdin=reader, stdout=subprocess.PIPE) as counter:
        os.close(reader)
        file, data = SafeFile(writer), memoryview(bytes(size))
        while data:
            data = data[file.write(data) :]
        os.close(writer)
        assert int(counter.stdout.read()) == size
    assert file.failure is None


@pytest.mark.parametrize(
    ("number", "code", "final"),
    [
        (errno.EPIPE, 0, 141),
        (errno.EPIPE, 1, 141),
        (errno.EPIPE, 2, 2),
        (errno.EPIPE, 3, 3),
        (errno.ENOSPC, 0, 2),
        (errno.ENOSPC, 1, 2),
        (errno.EIO, 0, 2),
        (errno.EBADF, 3, 3),
    ],
)
def test_lost_output_replaces_the_codes_that_speak_of_results(capsys, number, code, final):
    reader, writer = os.pipe()
    file = SafeFile(writer, OSError(number, os.strerror(number)))
    assert final_exit_code(code, file) == final
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == (0 if number == errno.EPIPE else 1)
    os.close(reader), os.close(writer)


def test_written_output_keeps_every_code(capsys):
    with Path("/dev/null").open("w") as null:
        assert [final_exit_code(code, SafeFile(null.fileno())) for code in (0, 1, 2, 3)] == [0, 1, 2, 3]
    assert final_exit_code(1, None) == 1
    assert capsys.readouterr().err == ""
    assert EXIT_PIPE == 141


@pytest.mark.parametrize(
    ("text", "encoding", "written"),
    [
        ("a → b – c", "ascii", b"a > b - c"),
        ("│├─╮", "latin-1", b"||-+"),
        ("±1 ×2", "latin-1", b"\xb11 \xd72"),
        ("漢字", "latin-1", b"??"),
        ("caf\udce9", "utf-8", b"caf?"),
    ],
)
def test_replaced_characters_are_ascii(text, encoding, written):
    protect_streams()
    assert text.encode(encoding, ERROR_HANDLER) == written
