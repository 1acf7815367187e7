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
        ["directory does not exist", "--data-root"],
    ),
    "batch too large": ({"recipe": {**RECIPE, "batch": 5000}}, [], ["recipe.batch", "5000", "Use at most"]),
    "no GPU": ({}, ["--set", "resources.gpus=1"], ["resources.gpus", "resources.gpus=0"]),
    "no server": ({}, ["--tracking-uri", "http://127.0.0.1:9"], ["cannot be reached", "http://127.0.0.1:9", "SQLite"]),
    "home is a file": ({}, ["--home", "/etc/hostname"], ["/etc/hostname", "Choose another directory"]),
    "reports cannot be written": ({}, ["--reports", "/proc/reports"], ["/proc", "Choose another directory"]),
    "a search on the test split": (
        {"tune": {"samples": 2, "fields": {"lr": [0.05, 0.1]}, "metric": "test/error"}},
        [],
        ["tune.metric", "'test/error' is refused", "val/error"],
    ),
    "a search without a validation split": (
        {},
        ["--set", "tune.samples=2", "--set", "tune.fields.lr=[0.05, 0.1]"],
        ["--set tune.", "set data.val_fraction"],
    ),
    "a search on the experiment's seeds": (
        {"tune": {"samples": 2, "fields": {"lr": [0.05, 0.1]}}, "data": {"name": "digits", "val_fraction": 0.1}},
        ["--seeds", "0-7"],
        ["tune", "seed 0", "no search saw"],
    ),
    "asha inline": (
        {
            "tune": {"samples": 2, "fields": {"lr": [0.05, 0.1]}, "scheduler": "asha"},
            "data": {"name": "digits", "val_fraction": 0.1},
        },
        ["--launcher", "inline"],
        ["tune.scheduler", "inline launcher", "--launcher ray"],
    ),
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
        (["report"], ["no experiment is named", "--all"]),
        (["report", "a", "b"], ["--name", "needs a name"]),
        (["report", "a", "--name", "b"], ["--name", "as the experiment is"]),
        (["report", "a", "b", "--name", "../c"], ["--name", "'../c' is no name of a report"]),
        (["report", "a", "b", "--name", "c/d"], ["--name", "'c/d' is no name of a report"]),
        (["report", "a", "b", "--name", "c"], ["no experiment 'a' is recorded"]),
        (["report", "../a"], ["'../a' is not the name of an experiment"]),
        (["report", "--all", "a"], ["--all", "Leave the names"]),
        (["report", "--all"], ["there is no report"]),
        (["diff", "nothing", "nowhere.csv"], ["no experiment 'nothing' is recorded"]),
        (["diff", "nowhere.csv", "nothing"], ["nowhere.csv", "cannot be read as a results table"]),
        (["diff", "a", "b", "--level", "0"], ["--level", "out of range"]),
        (["diff", "a", "b", "--smallest", "nan"], ["--smallest", "out of range"]),
        (["diff", "a", "b", "--smallest-time", "-1"], ["--smallest-time", "out of range"]),
        (["diff", "a", "b", "--metric", "test/eror"], ["--metric", "Did you mean 'test/error'?"]),
        (["run", "quikstart"], ["Did you mean 'quickstart'?"]),
        (["inspect", "resnet19"], ["Did you mean 'resnet18'?"]),
        (["inspect", "resnet18", "--input", "31"], ["smaller than the total stride 32", "Use larger images"]),
        (["inspect", "resnet18", "--input", "0x3"], ["'0x3' is no shape of images"]),
        (["inspect", "resnet18", "--set", "widht=3"], ["there is no field 'widht'"]),
        (["inspect", "plain18", "--set", "zero_init_last=true"], ["zero_init_last goes with a shortcut"]),
        (["compare", "resnet18", "plain19"], ["there is no variant 'plain19'"]),
        (["ui"], ["there is no store yet"]),
        (["run", "quickstart", "--seeds", "ten"], ["--seeds", "is no seed"]),
        (["run", "quickstart", "--seeds", "0"], ["--seeds", "0 seeds are asked for", "`0,`"]),
        (["plan", "quickstart", "--set", "looks=[8,8]"], ["looks", "numbers of seeds that rise"]),
        (["run", "quickstart", "--set", "looks=[5,8]"], ["looks", "5 seeds gives no verdict"]),
        (["run", "quickstart", "--set", "looks=[8,12]", "--seeds", "9"], ["looks", "not at 9", "--seeds 8 or 12"]),
    ],
)
def test_other_commands_refuse_as_clearly(harness, tmp_path, arguments, words):
    done = harness(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
    assert list((tmp_path / "work").iterdir()) == []
