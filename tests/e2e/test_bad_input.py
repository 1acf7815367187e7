"""Wrong input to the `harness` command: an error message of at most one screen, and exit code 2."""

import pytest

CASES = {
    "unknown field of a file": (["run", "FILE"], ["recipe.learning_rate", "there is no field"]),
    "wrong value of an option": (["plan", "quickstart", "--set", "recipe.lr=fast"], ["--set recipe.lr", "fast"]),
    "no such experiment": (["report", "nothing"], ["no experiment 'nothing'", "harness run nothing"]),
    "unreachable store": (["plan", "quickstart", "--tracking-uri", "http://127.0.0.1:9"], ["cannot be reached"]),
    "no experiment named": (["report"], ["no experiment is named", "--all"]),
}


@pytest.mark.parametrize("case", CASES)
def test_command_with_wrong_input_prints_one_screen_and_exits_with_2(harness, experiment_file, tmp_path, case):
    arguments, words = CASES[case]
    file = experiment_file(recipe={"epochs": 1, "batch": 64, "lr": 0.1, "learning_rate": 1})
    done = harness(*(file if word == "FILE" else word for word in arguments))
    assert done.returncode == 2, done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout
    assert done.stderr.startswith("error") and len(done.stderr.splitlines()) <= 24
    for word in words:
        assert word in done.stderr, done.stderr
    assert list((tmp_path / "work").iterdir()) == []
