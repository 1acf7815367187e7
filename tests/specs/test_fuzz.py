"""Whatever a user's file, override or list of seeds holds: it is accepted and builds, or it is a HarnessError.

300 cases in all; ``DEPTHBENCH_FUZZ_CASES=5000`` asks for more. What was found once has a test of its own in
``test_limits.py``.
"""

import time
from pathlib import Path

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir
from specs.strategies import (
    CASES,
    CHOICES,
    EXPERIMENTS,
    FAMILIES,
    GOOD_OVERRIDES,
    MOST_BUILT,
    OVERRIDES,
    RAW,
    RECIPES,
    SECONDS,
    SEEDS,
    as_yaml,
    cases,
    mutated,
)

from harness.api import Settings, load_resolved_experiment
from harness.api import plan as plan_study
from harness.data.description import describe_data
from harness.errors import HarnessError, escape_control_characters
from harness.models import build
from harness.specs import DataSpec, ResolvedExperiment
from harness.specs.network.layer_plan import plan_layers

pytestmark = [
    pytest.mark.timeout(120 + CASES),
    # The longest words are 5,000 letters, on purpose.
    pytest.mark.filterwarnings("ignore:Generating overly large repr"),
]


def listing(root):
    """Everything below a directory, with what tells of a change."""
    return sorted((str(p), (s := p.lstat()).st_size, s.st_mtime_ns) for p in [root, *root.rglob("*")])


class Bench:
    """Loads files as ``harness plan`` does, and watches the directories that it must leave alone."""

    def __init__(self, root):
        self.inputs, self.work, self.home = root / "inputs", root / "work", root / "home"
        self.images = root / "images"
        for folder in (self.inputs, self.work, self.home):
            folder.mkdir()

    def write(self, content, name="fuzz.yaml"):
        path = self.inputs / name
        # The strategies may give text that no file can hold; its bytes are as good a case.
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
        return path

    def experiment(self, document):
        return self.write(as_yaml(document).replace("IMAGES", str(self.images)))

    def check(self, path, overrides=(), seeds=None):
        """Accepted and builds (True), or refused in the project's words; nothing written either way, and no hang."""
        before, started = [listing(self.work), listing(self.home)], time.monotonic()
        try:
            study = load_resolved_experiment(str(path), overrides, seeds)
            plan_study(study, Settings(home=self.work / ".depthbench", tracking_uri="none", launcher="ray"))
        except HarnessError as error:
            assert str(error).strip()
            assert escape_control_characters(str(error)) == str(error)
            assert len(str(error)) < 10_000
            accepted = False
        else:
            builds(study)
            accepted = True
        assert [listing(self.work), listing(self.home)] == before
        assert time.monotonic() - started < SECONDS
        return accepted


def builds(study):
    for variant in study.variants:
        plan = plan_layers(variant, study.data.size)
        if len([block for stage in plan.stages for block in stage]) > MOST_BUILT:
            variant = variant.model_copy(update={"blocks": tuple(min(count, 2) for count in variant.blocks)})
            plan = plan_layers(variant, study.data.size)
        network = build(variant, device="meta")
        assert sum(p.numel() for p in network.parameters()) == plan.params
        assert min(plan.params, plan.macs, plan.activations) > 0
    ids = [trial.id for trial in study.trials[:50]]
    assert len(set(ids)) == len(ids)
    text = study.to_record_json()
    again = ResolvedExperiment.model_validate_json(text)
    assert again.to_record_json() == text
    assert [trial.id for trial in again.trials[:50]] == ids


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    from PIL import Image

    root = tmp_path_factory.mktemp("fuzz")
    bench = Bench(root)
    for label in range(2):
        folder = bench.images / f"class-{label}"
        folder.mkdir(parents=True)
        for number in range(6):
            Image.new("RGB", (8, 8), (number, label, 0)).save(folder / f"{number}.png")
    before = Path.cwd()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(bench.home))
        patch.setenv("DEPTHBENCH_CACHE", str(root / "cache"))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        # Hypothesis keeps tables of characters below the working directory.
        set_hypothesis_home_dir(root / "hypothesis")
        patch.chdir(bench.work)
        describe_data(DataSpec(name="digits"))
        yield bench
    set_hypothesis_home_dir(None)
    assert Path.cwd() == before


GOOD = {
    "name": "fuzz",
    "question": "Does it?",
    "variants": {
        "family": "cifar-resnet",
        "depth": [8, 14],
        "shortcut": ["none", "identity"],
        "set": {"widths": [2, 4, 8]},
    },
    "data": {"name": "digits"},
    "recipe": {"epochs": 1, "batch": 64, "lr": 0.1},
    "seeds": [1, 2],
    "contrasts": [{"kind": "degradation", "shallow": 8, "deep": 14, "margin": 1.0}],
}  # fmt: skip


def test_what_is_right_is_accepted(bench):
    """Else the cases would all be refused for a reason of their own, and find nothing."""
    assert bench.check(bench.experiment(GOOD), ["recipe.lr=1e-3"], "10-17")


@cases(110 / 300)
@given(document=mutated(EXPERIMENTS))
def test_experiments(bench, document):
    event("accepted" if bench.check(bench.experiment(document)) else "refused")


@cases(40 / 300)
@given(recipe=mutated(RECIPES.map(lambda recipe: {"recipe": recipe})))
def test_recipes(bench, recipe):
    event("accepted" if bench.check(bench.experiment({**GOOD, **recipe})) else "refused")


@cases(70 / 300)
@given(family=mutated(FAMILIES), choice=st.one_of(st.sampled_from(["fuzz6", "flat6", "fuzz10"]), CHOICES, st.none()))
def test_families(bench, family, choice):
    chosen = {"family": "fuzz", "depth": [6, 10], "shortcut": ["none", "projection"]} if choice is None else choice
    shelf = bench.work / "variants"
    shelf.mkdir()
    try:
        (shelf / "fuzz.yaml").write_bytes(as_yaml(family).encode("utf-8", "surrogatepass"))
        event("accepted" if bench.check(bench.experiment({**GOOD, "variants": chosen, "contrasts": []})) else "refused")
    finally:
        (shelf / "fuzz.yaml").unlink(missing_ok=True)
        shelf.rmdir()


@cases(50 / 300)
@given(
    overrides=st.lists(st.one_of(GOOD_OVERRIDES, GOOD_OVERRIDES, OVERRIDES), max_size=3),
    seeds=st.one_of(st.none(), st.sampled_from(["1", "10-17", "1,2,3-5"]), SEEDS),
)
def test_overrides_and_seeds(bench, overrides, seeds):
    event("accepted" if bench.check(bench.experiment(GOOD), overrides, seeds) else "refused")


@st.composite
def damaged(draw):
    """The bytes of a good file with a few of them cut out, doubled, or replaced."""
    text = bytearray(as_yaml(GOOD).encode())
    for _ in range(draw(st.integers(1, 4))):
        at, length = draw(st.integers(0, len(text))), draw(st.integers(0, 12))
        piece = draw(
            st.one_of(
                st.binary(max_size=6), st.sampled_from([raw.encode() for raw in RAW]), st.just(text[at : at + length])
            )
        )
        text[at : at + draw(st.sampled_from([0, length]))] = piece
    return bytes(text)  # fmt: skip


@cases(30 / 300)
@given(content=st.one_of(damaged(), damaged(), st.text(max_size=60), st.binary(max_size=60)))
def test_any_bytes(bench, content):
    event("accepted" if bench.check(bench.write(content)) else "refused")
