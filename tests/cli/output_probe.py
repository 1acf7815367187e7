"""Run commands whose standard output is closed, full, without a reader or in another encoding, in forks of one process.

A new process for each call would take half a second. This one imports the command line once.

    python output_probe.py < calls.json > results.json

Each call is ``{"arguments": [...], "output": KIND}``. Each result has ``code``, ``out`` and ``err``.
"""

import importlib
import io
import json
import os
import sys
import tempfile

from harness.cli import main

PRELOADED = (
    "harness.api.networks.catalogue",
    "harness.api.results.compare",
    "harness.reporting.diff.diff_as_text",
    "harness.reporting.diff.results_diff",
    "typer.rich_utils",
)
"""Modules that several calls import, and that take long."""
ENCODINGS = {"latin-1": "latin-1", "ascii": "ascii"}


def open_output(kind, file):
    """Make descriptor 1 an output of this kind; return the interpreter's stream for it, as at its start."""
    descriptor = file.fileno()
    if kind == "no reader":
        reader, descriptor = os.pipe()
        os.close(reader)
    elif kind == "full":
        descriptor = os.open("/dev/full", os.O_WRONLY)
    if kind == "closed":
        os.close(1)
        return None
    os.dup2(descriptor, 1)
    return io.TextIOWrapper(open(1, "wb", closefd=False), encoding=ENCODINGS.get(kind, "utf-8"))


def run(call):
    """Return the exit code and the outputs of one call."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        if (child := os.fork()) == 0:
            os.dup2(err.fileno(), 2)
            sys.stderr = sys.__stderr__ = io.TextIOWrapper(open(2, "wb", closefd=False), encoding="utf-8")  # noqa: SIM115
            sys.stdout = sys.__stdout__ = open_output(call["output"], out)
            sys.argv = ["harness", *call["arguments"]]
            code = 99
            try:
                main.main()
                code = 0
            except SystemExit as ended:
                code = ended.code
            except BaseException:
                import traceback

                traceback.print_exc()
            finally:
                for stream in (sys.stdout, sys.stderr):
                    stream.flush()
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = {}
        for name, file in (("out", out), ("err", err)):
            file.seek(0)
            texts[name] = file.read().decode("latin-1" if name == "out" and call["output"] == "latin-1" else "utf-8")
        return {"code": code, **texts}


if __name__ == "__main__":
    for name in PRELOADED:
        importlib.import_module(name)
    os.environ["COLUMNS"] = "60"
    results = [run(call) for call in json.load(sys.stdin)]
    json.dump(results, sys.stdout)
