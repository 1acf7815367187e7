"""Wrong input: an error that names file, field and remedy, before anything is written."""

import pytest

from harness.errors import HarnessError

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
        ["tune.metric", "'test/error' is not valid", "val/error"],
    ),
    "a search without a validation split": (
        {},
        ["--set", "tune.samples=2", "--set", "tune.fields.lr=[0.05, 0.1]"],
        ["--set tune.", "set data.val_fraction"],
    ),
    "a search on the experiment's seeds": (
        {"tune": {"samples": 2, "fields": {"lr": [0.05, 0.1]}}, "data": {"name": "digits", "val_fraction": 0.1}},
        ["--seeds", "0-7"],
        ["tune", "seed 0", "give the search other seeds"],
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
def test_run_refuses_wrong_input_and_writes_nothing(invoke, experiment_file, tmp_path, monkeypatch, case):
    monkeypatch.setenv("DEPTHBENCH_STORE_WAIT", "0")
    changes, options, words = CASES[case]
    with pytest.raises(HarnessError) as error:
        invoke("run", experiment_file(**changes), *options)
    for word in words:
        assert word in str(error.value)
    assert error.value.where
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("- just\n- a list\n", "not a mapping"),
        ("name: !!python/object/apply:os.getcwd []\n", "tags that create objects"),
    ],
)
def test_run_refuses_yaml_that_is_not_an_experiment(invoke, tmp_path, text, word):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(HarnessError, match=word) as error:
        invoke("run", tmp_path / "bad.yaml")
    assert "bad.yaml:1" in error.value.where


def test_run_refuses_an_image_folder_with_one_class(invoke, image_folder):
    with pytest.raises(HarnessError, match="at least 2 are needed"):
        invoke("run", "own-images", "--data-root", image_folder(classes=1))


def test_run_refuses_an_image_folder_with_a_broken_file(invoke, image_folder):
    folder = image_folder()
    (folder / "digit-1" / "003.png").write_bytes(b"\x89PNG not really")
    with pytest.raises(HarnessError, match=r"003\.png.*not a readable image"):
        invoke("run", "own-images", "--data-root", folder)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["report", "nothing"], ["no experiment 'nothing'", "harness run nothing"]),
        (["report", "nowhere/results.csv"], ["nowhere/results.csv"]),
        (["report"], ["no experiment is named", "--all"]),
        (["report", "a", "b"], ["--name", "needs a name"]),
        (["report", "a", "--name", "b"], ["--name", "the same name as the experiment"]),
        (["report", "a", "b", "--name", "../c"], ["--name", "'../c' cannot be the name of a report"]),
        (["report", "a", "b", "--name", "c/d"], ["--name", "'c/d' cannot be the name of a report"]),
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
        (["inspect", "resnet18", "--input", "31"], ["too small for resnet18", "Use larger images"]),
        (["inspect", "resnet18", "--input", "0x3"], ["'0x3' is not a shape of images"]),
        (["inspect", "resnet18", "--set", "widht=3"], ["there is no field 'widht'"]),
        (["inspect", "plain18", "--set", "zero_init_last=true"], ["zero_init_last needs a shortcut"]),
        (["compare", "resnet18", "plain19"], ["there is no variant 'plain19'"]),
        (["ui"], ["there is no store yet"]),
        (["run", "quickstart", "--seeds", "ten"], ["--seeds", "'ten' is not a seed"]),
        (["run", "quickstart", "--seeds", "0"], ["--seeds", "0 seeds is not possible", "`0,`"]),
        (["plan", "quickstart", "--set", "looks=[8,8]"], ["looks", "numbers of seeds that rise"]),
        (["run", "quickstart", "--set", "looks=[5,8]"], ["looks", "5 seeds gives no verdict"]),
        (["run", "quickstart", "--set", "looks=[8,12]", "--seeds", "9"], ["looks", "has 9", "--seeds 8 or 12"]),
        (["plan", "quickstart", "--decide", "8:32:0"], ["--decide 8:32:0 (FIRST:MOST:STEP), step: the value 0"]),
        (["plan", "quickstart", "--decide", "7:32:4"], ["--decide 7:32:4: first is 7, and 8 seeds are needed"]),
        (
            ["plan", "quickstart", "--decide", "8:9999:4"],
            ["--decide 8:9999:4 (FIRST:MOST:STEP), most: ", "with 9,999 seeds give more than 10,000 trials"],
        ),
        (["plan", "quickstart", "--decide", "8:99999:0"], ["--decide 8:99999:0 (FIRST:MOST:STEP), most", ", step"]),
        (["plan", "two-datasets", "--decide", "8:32:4"], ["--decide 8:32:4: ", "leave --decide out", "is a list"]),
        (
            ["plan", "quickstart", "--decide", "8:10:2", "--set", "level=0.001"],
            ["--decide 8:10:2 (FIRST:MOST:STEP), most: 10 seeds cannot decide", "at least 11 seeds as the most"],
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and value[0].isidentifier() else None,
)
def test_command_refuses_wrong_input_and_writes_nothing(invoke, tmp_path, arguments, words):
    with pytest.raises(HarnessError) as error:
        invoke(*arguments)
    for word in words:
        assert word in str(error.value)
    assert list((tmp_path / "work").iterdir()) == []
