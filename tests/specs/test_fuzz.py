"""Generated files, overrides and lists of seeds: each is accepted and its networks can be built, or is a HarnessError.

There are 360 cases; ``DEPTHBENCH_FUZZ_CASES=5000`` runs more. Every failure that was found has a test of its own in
``tests/io`` or ``tests/specs``.
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
    MOST_BUILT,
    OVERRIDES,
    RAW,
    RECIPES,
    SECONDS,
    SEEDS,
    VALID_OVERRIDES,
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
    # The longest words have 5,000 letters on purpose.
    pytest.mark.filterwarnings("ignore:Generating overly large repr"),
]


def listing(root):
    """Return path, size and time of change of everything below a directory."""
    return sorted((str(p), (s := p.lstat()).st_size, s.st_mtime_ns) for p in [root, *root.rglob("*")])


class Bench:
    """Loads files as ``harness plan`` does, and checks that loading them changes no directory."""

    def __init__(self, root):
        self.inputs, self.work, self.home = root / "inputs", root / "work", root / "home"
        self.images = root / "images"
        for folder in (self.inputs, self.work, self.home):
            folder.mkdir()

    def write(self, content, name="fuzz.yaml"):
        path = self.inputs / name
        # Generated text may not be valid UTF-8; its bytes are a case too.
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
        return path

    def experiment(self, document):
        return self.write(as_yaml(document).replace("IMAGES", str(self.images)))

    def check(self, path, overrides=(), seeds=None):
        """Return whether a file is accepted; check that loading writes nothing, ends, and refuses in plain words."""
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
            check_networks(study)
            accepted = True
        assert [listing(self.work), listing(self.home)] == before
        assert time.monotonic() - started < SECONDS
        return accepted


def check_networks(study):
    """Build all networks of an experiment, and write and read it as JSON."""
    for data, variant in [(view.data, variant) for view in study.views for variant in view.variants]:
        plan = plan_layers(variant, data.size)
        if len([block for stage in plan.stages for block in stage]) > MOST_BUILT:
            variant = variant.model_copy(update={"blocks": tuple(min(count, 2) for count in variant.blocks)})
            plan = plan_layers(variant, data.size)
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
        # Otherwise Hypothesis writes tables of characters into the working directory.
        set_hypothesis_home_dir(root / "hypothesis")
        patch.chdir(bench.work)
        describe_data(DataSpec(name="digits"))
        yield bench
    set_hypothesis_home_dir(None)
    assert Path.cwd() == before


VALID = {
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


def test_unchanged_experiment_is_accepted(bench):
    """If this experiment were refused, the cases below would test nothing."""
    assert bench.check(bench.experiment(VALID), ["recipe.lr=1e-3"], "10-17")


@cases(110 / 300)
@given(document=mutated(EXPERIMENTS))
def test_generated_experiment_is_accepted_or_refused(bench, document):
    event("accepted" if bench.check(bench.experiment(document)) else "refused")


DECLARED = {
    "decide": {"first": 8, "step": 4, "most": 16, "futility": 0.1},
    "targets": [{"metric": "test/error", "value": 5.0}],
    "replicate": {"vary": ["initialisation", "order"], "hold_at": 1},
    "variance": {"sources": ["initialisation", "order"], "levels": 4, "repeats": 1, "hold_at": 0},
    "data": [{"name": "digits"}, {"name": "digits", "split_seed": 1, "label": "again"}],
    "looks": [8, 12],
    "contrasts": [{"kind": "time_to_target", "a": "cifar-resnet8-w2", "b": "cifar-plain8-w2", "unit": "epochs"}],
    "variants": [{"name": "plain18", "match": {"by": "macs", "to": "resnet18", "within": 0.02}}],
}  # fmt: skip


@cases(60 / 300)
@given(declared=mutated(st.sampled_from([{key: value} for key, value in DECLARED.items()]), most=2))
def test_declared_field_of_another_type_is_accepted_or_refused(bench, declared):
    event("accepted" if bench.check(bench.experiment({**VALID, **declared})) else "refused")


@cases(40 / 300)
@given(recipe=mutated(RECIPES.map(lambda recipe: {"recipe": recipe})))
def test_generated_recipe_is_accepted_or_refused(bench, recipe):
    event("accepted" if bench.check(bench.experiment({**VALID, **recipe})) else "refused")


@cases(70 / 300)
@given(family=mutated(FAMILIES), choice=st.one_of(st.sampled_from(["fuzz6", "flat6", "fuzz10"]), CHOICES, st.none()))
def test_generated_family_is_accepted_or_refused(bench, family, choice):
    default = {"family": "fuzz", "depth": [6, 10], "shortcut": ["none", "projection"]}
    selection = default if choice is None else choice
    directory = bench.work / "variants"
    directory.mkdir()
    try:
        (directory / "fuzz.yaml").write_bytes(as_yaml(family).encode("utf-8", "surrogatepass"))
        event(
            "accepted"
            if bench.check(bench.experiment({**VALID, "variants": selection, "contrasts": []}))
            else "refused"
        )
    finally:
        (directory / "fuzz.yaml").unlink(missing_ok=True)
        directory.rmdir()


@cases(50 / 300)
@given(
    overrides=st.lists(st.one_of(VALID_OVERRIDES, VALID_OVERRIDES, OVERRIDES), max_size=3),
    seeds=st.one_of(st.none(), st.sampled_from(["1", "10-17", "1,2,3-5"]), SEEDS),
)
def test_generated_overrides_and_seeds_are_accepted_or_refused(bench, overrides, seeds):
    event("accepted" if bench.check(bench.experiment(VALID), overrides, seeds) else "refused")


@st.composite
def damaged(draw):
    """Draw the bytes of a valid file with some of them removed, repeated or replaced."""
    text = bytearray(as_yaml(VALID).encode())
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
def test_damaged_bytes_are_accepted_or_refused(bench, content):
    event("accepted" if bench.check(bench.write(content)) else "refused")
