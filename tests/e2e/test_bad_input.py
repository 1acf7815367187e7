"""Bad input at the command line: one screen that names file, field and remedy; exit 2; nothing written."""

import pytest

FAMILY = {"family": "cifar-resnet", "depth": [8, 14], "shortcut": ["none", "identity"]}
RECIPE = {"epochs": 1, "batch": 64, "lr": 0.1}
DEGRADATION = {"kind": "degradation", "shallow": 8, "deep": 14, "margin": 1.0}

CASES = {
    "unknown field": ({"recipe": {**RECIPE, "learning_rate": 1}}, [], ["recipe.learning_rate", "there is no field"]),
    "misspelt variant": ({"variants": "resnet81", "contrasts": None}, [], ["resnet81", "Did you mean 'resnet18'?"]),
    "depth 21": ({"variants": {**FAMILY, "depth": 21}, "contrasts": None}, [], ["6n+2", "20 and 26"]),
    "negative width": (
        {"variants": {**FAMILY, "set": {"widths": [8, -16, 32]}}},
        [],
        ["variants.set.widths", "-16", "greater than 0"],
    ),
    "empty seeds": ({"seeds": []}, [], ["seeds", "at least 1"]),
    "duplicate contrasts": ({"contrasts": [DEGRADATION, DEGRADATION]}, [], ["declared twice", "remove one"]),
    "missing data": (
        {"data": {"name": "imagefolder"}, "contrasts": None},
        ["--data-root", "nowhere"],
        ["no such directory", "--data-root"],
    ),
    "batch too large": ({"recipe": {**RECIPE, "batch": 5000}}, [], ["recipe.batch", "5000", "Use at most"]),
    "no GPU": ({}, ["--set", "resources.gpus=1"], ["resources.gpus", "resources.gpus=0"]),
    "no server": ({}, ["--tracking-uri", "http://127.0.0.1:9"], ["cannot be reached", "http://127.0.0.1:9", "SQLite"]),
    "home is a file": ({}, ["--home", "/etc/hostname"], ["/etc/hostname", "Choose another directory"]),
    "reports cannot be written": ({}, ["--reports", "/proc/reports"], ["/proc", "Choose another directory"]),
    "models without a store": (
        {"execution": {"log_model": True}},
        ["--tracking-uri", "none"],
        ["execution.log_model", "--tracking-uri none", "execution.log_model=false"],
    ),
    "models as a word": ({}, ["--set", "execution.log_model=often"], ["execution.log_model", "often"]),
    "bad override": ({}, ["--set", "recipe.lr=fast"], ["--set recipe.lr", "fast"]),
}


@pytest.mark.parametrize("case", CASES)
def test_one_screen_exit_2_nothing_written(harness, experiment_file, tmp_path, case):
    changes, options, words = CASES[case]
    done = harness("run", experiment_file(**changes), *options)
    assert done.returncode == 2, done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout
    assert len(done.stderr.splitlines()) <= 24
    for word in words:
        assert word in done.stderr, done.stderr
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize(
    ("text", "word"),
    [("- just\n- a list\n", "not a mapping"), ("name: !!python/object/apply:os.getcwd []\n", "tags that make objects")],
)
def test_yaml_that_is_none(harness, tmp_path, text, word):
    (tmp_path / "bad.yaml").write_text(text)
    done = harness("run", tmp_path / "bad.yaml")
    assert done.returncode == 2
    assert word in done.stderr
    assert "bad.yaml:1" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_image_folder_of_one_class_and_one_with_a_broken_file(harness, image_folder):
    one = image_folder(classes=1, name="one")
    done = harness("run", "own-images", "--data-root", one)
    assert done.returncode == 2
    assert "at least two are needed" in done.stderr
    broken = image_folder(name="broken")
    (broken / "digit-1" / "003.png").write_bytes(b"\x89PNG not really")
    done = harness("run", "own-images", "--data-root", broken)
    assert done.returncode == 2
    assert "003.png" in done.stderr and "not a readable image" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["report", "nothing"], ["no experiment 'nothing'", "harness run nothing"]),
        (["report", "nowhere/results.csv"], ["nowhere/results.csv"]),
        (["run", "quikstart"], ["Did you mean 'quickstart'?"]),
        (["inspect", "resnet19"], ["Did you mean 'resnet18'?"]),
        (["inspect", "resnet18", "--input", "31"], ["smaller than the total stride 32", "Use larger images"]),
        (["inspect", "resnet18", "--input", "0x3"], ["'0x3' is no shape of images"]),
        (["inspect", "resnet18", "--set", "widht=3"], ["there is no field 'widht'"]),
        (["inspect", "plain18", "--set", "zero_init_last=true"], ["zero_init_last goes with a shortcut"]),
        (["compare", "resnet18", "plain19"], ["there is no variant 'plain19'"]),
        (["ui"], ["there is no store yet"]),
        (["run", "quickstart", "--seeds", "ten"], ["--seeds", "is no seed"]),
    ],
)
def test_other_commands_refuse_as_clearly(harness, tmp_path, arguments, words):
    done = harness(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
    assert list((tmp_path / "work").iterdir()) == []
