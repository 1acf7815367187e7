"""Matches by counted costs: found within 1 %, refused with the nearest members, written into the experiment."""

import pytest

from harness.errors import HarnessError
from harness.io.yaml_documents import Document, read_document
from harness.io.yaml_writer import format_yaml
from harness.specs import Catalogue, DataInfo, load_experiment, require_no_code, resolve
from harness.specs.experiment.experiment import Experiment
from harness.specs.matching.match import describe_match
from harness.specs.matching.match_costs import MatchCosts, MeasuredRatio
from harness.specs.network.layer_plan import plan_layers

IMAGES = DataInfo(name="digits", fingerprint="x", channels=3, classes=10, size=(32, 32), train=1000, val=0, test=300)
FIELDS = {
    "name": "matched",
    "question": "What changes at equal cost?",
    "data": {"name": "digits"},
    "recipe": {"epochs": 1, "batch": 32, "lr": 0.1},
    "seeds": [1],
}


@pytest.fixture(scope="module")
def resolve_variants():
    """Return a function that resolves an experiment with these variants, as if they stood in a file."""
    catalogue = Catalogue.load()

    def make(*variants, **changes):
        content = {**FIELDS, "variants": list(variants), **changes}
        document = Document("matched.yaml", content, {("variants",): 3, ("variants", 1): 7})
        return resolve(Experiment.model_validate(content), document, catalogue, IMAGES)

    return make


def refusal(make, *variants):
    with pytest.raises(HarnessError) as error:
        make(*variants)
    return error.value


@pytest.mark.parametrize(
    ("by", "base", "to"),
    [
        ("macs", {"name": "plain18"}, "resnet18"),
        ("params", {"name": "plain18"}, "resnet18"),
        ("macs", {"name": "resnet18"}, "resnet50"),
        ("params", {"name": "resnet50"}, "resnet18"),
        ("macs", {"name": "cifar-plain20", "set": {"widths": [8, 16, 32]}}, "cifar-resnet56"),
        # No width rounded to the nearest channel is near enough here: single widths have to be rounded the other way.
        (
            "macs",
            {"family": "cifar-resnet", "depth": 20, "shortcut": "none"},
            "cifar-resnet20-projection-everywhere",
        ),
    ],
)
def test_match_by_widths_finds_a_network_within_one_percent(resolve_variants, by, base, to):
    name = {"cifar-resnet20-projection-everywhere": "cifar-resnet20"}.get(to, to)
    other = {"name": name, "label": to} | ({"set": {"shortcut": "projection-everywhere"}} if name != to else {})
    study = resolve_variants(other, {**base, "match": {"by": by, "to": to}})

    target, matched = study.variants
    (found,) = study.experiment.variants[1].match.found
    costs = [getattr(plan_layers(variant, (32, 32)), by) for variant in (matched, target)]
    assert found.ratio == pytest.approx(costs[0] / costs[1]) and abs(found.ratio - 1) <= 0.01
    assert (found.cost, found.target) == tuple(costs)
    assert tuple(found.fields["widths"]) == matched.widths
    assert matched.name.endswith(f"-{by}-of-{to}") and "-w8" not in matched.name


def test_match_changes_all_widths_by_a_common_factor(resolve_variants):
    study = resolve_variants(
        "cifar-resnet56", {"name": "cifar-plain20", "match": {"by": "macs", "to": "cifar-resnet56"}}
    )
    widths = study.variants[1].widths
    factors = [width / base for width, base in zip(widths, (16, 32, 64), strict=True)]
    assert max(factors) - min(factors) <= 1 / 16


def test_match_by_depth_takes_a_depth_of_the_family(resolve_variants):
    deep = {"name": "cifar-resnet56", "set": {"stochastic_depth": 0.1}, "label": "deep"}
    study = resolve_variants(deep, {"name": "cifar-resnet20", "match": {"by": "macs", "to": "deep", "change": "depth"}})
    assert study.variants[1].blocks == (9, 9, 9) and study.variants[1].stochastic_depth == 0
    assert study.experiment.variants[1].match.found[0].ratio == 1


def test_matched_variant_has_the_trial_ids_of_the_explicit_variant(resolve_variants):
    matched = resolve_variants("resnet18", {"name": "plain18", "match": {"by": "macs", "to": "resnet18"}})
    widths = list(matched.variants[1].widths)
    explicit = resolve_variants("resnet18", {"name": "plain18", "set": {"widths": widths}})
    assert [trial.id for trial in matched.trials] == [trial.id for trial in explicit.trials]


def test_match_that_no_member_reaches_names_the_nearest_ones_and_their_ratios(resolve_variants):
    match = {"by": "macs", "to": "resnet18", "change": "depth"}
    error = refusal(resolve_variants, "cifar-resnet56", {"name": "cifar-resnet20", "match": match})
    assert str(error.where) == "matched.yaml:7, variants.1.match"
    assert "no member of the family of cifar-resnet20 is within 1 % of the MACs of resnet18" in error.what
    assert "blocks 2-2-2: 0.713 times; cifar-resnet20 itself: 1.095 times" in error.what


@pytest.mark.parametrize(
    ("variant", "where", "message"),
    [
        ({"name": "plain18", "match": {"by": "macs", "to": "resnet81"}}, "match.to", "there is no variant 'resnet81'"),
        (
            {"name": "resnet18", "match": {"by": "macs", "to": "resnet50", "argument": "x"}},
            "match.argument",
            "no argument",
        ),
        ({"name": "small-resnet18", "match": {"by": "step_time", "to": "resnet18"}}, "match.by", "has to be measured"),
        ({"name": "torchvision/resnet18", "match": {"by": "macs", "to": "resnet18"}}, "match.change", "which argument"),
        (
            {"name": "torchvision/resnet18", "match": {"by": "macs", "to": "resnet18", "change": "depth"}},
            "match.change",
            "no depths to choose from",
        ),
        (
            {"kind": "torchvision", "name": "resnet18", "match": {"by": "macs", "to": "resnet18", "argument": "width"}},
            "match.argument",
            "no whole number 'width'",
        ),
    ],
)
def test_match_that_cannot_be_made_is_refused_at_its_field(resolve_variants, variant, where, message):
    error = refusal(resolve_variants, "cifar-resnet20", variant)
    assert error.where == f"matched.yaml:7, variants.1.{where}"
    assert message in error.what


def matching(label, to, name="plain18"):
    return {"name": name, "label": label, "match": {"by": "macs", "to": to}}


@pytest.mark.parametrize(
    ("variant", "words"),
    [
        (matching("mine", "mine"), "mine matches itself"),
        ({"name": "plain18", "match": {"by": "macs", "to": "plain18"}}, "plain18 matches itself"),
        (matching("mine", "plain18"), "plain18 matches itself"),
    ],
)
def test_match_of_a_network_to_itself_is_refused(resolve_variants, variant, words):
    error = refusal(resolve_variants, "resnet18", variant)
    assert (error.what, error.where) == (words, "matched.yaml:7, variants.1.match.to")


@pytest.mark.parametrize(
    ("variants", "words"),
    [
        ([matching("a", "b"), matching("b", "a")], "a matches b, b matches a"),
        ([matching("a", "b"), matching("b", "c"), matching("c", "a")], "a matches b, b matches c, c matches a"),
    ],
)
def test_matches_in_a_circle_are_refused_with_their_names(resolve_variants, variants, words):
    error = refusal(resolve_variants, *variants)
    circle = error.what.removeprefix("the matches form a circle: ").split(", ")
    assert sorted(circle) == words.split(", ") and error.where == "matched.yaml:3, variants"


def test_match_may_name_the_network_of_a_match_that_is_declared_later(resolve_variants):
    second = matching("second", "first", name="resnet50")
    study = resolve_variants(second, matching("first", "resnet18"), "resnet18")
    assert [variant.name for variant in study.variants] == ["second", "first", "resnet18"]
    found = study.experiment.variants[0].match.found[0]
    assert found.to == "first" and found.target == plan_layers(study.variants[1], (32, 32)).macs


def test_tolerance_of_a_match_can_be_declared(resolve_variants):
    match = {"by": "macs", "to": "cifar-resnet56", "change": "depth"}
    wide = {"name": "cifar-resnet20", "set": {"widths": [17, 32, 64]}, "match": match}
    error = refusal(resolve_variants, "cifar-resnet56", wide)
    assert "is within 1 % of the MACs" in error.what and "within: 0.0" in error.remedy
    study = resolve_variants("cifar-resnet56", {**wide, "match": {**match, "within": 0.1}})
    assert 0.01 < abs(study.experiment.variants[1].match.found[0].ratio - 1) <= 0.1


def test_match_that_changes_nothing_says_so(resolve_variants):
    study = resolve_variants({"name": "plain18", "match": {"by": "macs", "to": "resnet18"}, "label": "equal"})
    match = study.experiment.variants[0].match
    unchanged = match.found[0].model_copy(update={"fields": {}})
    assert describe_match(match, unchanged).startswith("equal is plain18 unchanged: it has 0.99")


class PlannedCosts(MatchCosts):
    """Costs in which the measurement of a step time gives planned ratios, and is counted."""

    def __init__(self, *ratios):
        self.ratios, self.measured = ratios, 0

    def measure(self, ladder, start, to, setting, tolerance):
        self.measured += 1
        return [
            MeasuredRatio(ladder.at(start * (1 + index / 4)), ratio, 0.9 * ratio, 1.1 * ratio, ratio, 1.0, "a CPU")
            for index, ratio in enumerate(self.ratios)
        ]


def resolve_step_time(costs, found=(), **fields):
    match = {"by": "step_time", "to": "resnet18", "found": [each.model_dump() for each in found], **fields}
    content = {**FIELDS, "variants": ["resnet18", {"name": "plain18", "match": match}]}
    document = Document("matched.yaml", content, {("variants", 1): 7})
    return resolve(Experiment.model_validate(content), document, Catalogue.load(), IMAGES, costs)


def test_step_time_is_matched_within_ten_percent_and_keeps_its_interval():
    costs = PlannedCosts(1.04, 1.2)
    study = resolve_step_time(costs)
    (found,) = study.experiment.variants[1].match.found
    assert (found.ratio, found.low, found.high) == (1.04, pytest.approx(0.936), pytest.approx(1.144))
    text = describe_match(study.experiment.variants[1].match, found)
    assert "1.0400 times the measured step time of resnet18 (95 % interval 0.936 to 1.144): 1.04e+03 ms" in text
    # What was found is not measured again, as long as the declared tolerance accepts it.
    resolve_step_time(costs, [found])
    resolve_step_time(costs, [found], within=0.04001)
    assert costs.measured == 1
    with pytest.raises(HarnessError, match=r"within 3 % of the measured step time of resnet18"):
        resolve_step_time(costs, [found], within=0.03)
    assert costs.measured == 2


def test_step_time_that_no_member_reaches_is_refused_with_measured_intervals():
    with pytest.raises(HarnessError) as refused:
        resolve_step_time(PlannedCosts(1.12, 0.8))
    error = refused.value
    assert "is within 10 % of the measured step time" in error.what
    assert ": 0.800 times (0.720 to 0.880); " in error.what and ": 1.120 times (1.008 to 1.232)" in error.what
    assert error.remedy.endswith("Or accept the nearest with within: 0.13.")


def test_match_that_finds_a_variant_of_the_experiment_is_refused(resolve_variants):
    third = {"name": "cifar-plain20", "match": {"by": "macs", "to": "cifar-resnet20"}, "label": "third"}
    error = refusal(resolve_variants, "cifar-resnet20", "cifar-plain20", third)
    assert "is cifar-plain20, which this experiment has already" in error.what


def test_experiment_with_what_was_found_resolves_to_the_same_networks(resolve_variants):
    first = resolve_variants("resnet18", {"name": "plain18", "match": {"by": "macs", "to": "resnet18"}})
    selections = [s.model_dump(mode="json", exclude_defaults=True) for s in first.experiment.variants]
    assert resolve_variants(*selections).variants == first.variants
    # What was found for another request does not count.
    selections[1]["match"]["by"] = "params"
    assert resolve_variants(*selections).variants != first.variants


def test_match_sentence_states_fields_costs_and_ratio(resolve_variants):
    study = resolve_variants("resnet18", {"name": "plain18", "match": {"by": "macs", "to": "resnet18"}})
    match = study.experiment.variants[1].match
    text = describe_match(match, match.found[0])
    assert text.startswith("plain18-macs-of-resnet18 is plain18 with widths 64-129-258-516: it has 0.99")
    assert "times the MACs of resnet18: " in text


def test_match_field_in_a_file_is_checked_and_can_be_set(tmp_path):
    path = tmp_path / "e.yaml"
    variants = ["resnet18", {"name": "plain18", "match": {"by": "flops", "to": "resnet18"}}]
    path.write_text(format_yaml({**FIELDS, "variants": variants}))
    with pytest.raises(HarnessError) as error:
        load_experiment(path)
    line = read_document(path).lines[("variants", 1, "match", "by")]
    assert error.value.where == f"{path}:{line}, variants.1.match.by"
    experiment, _ = load_experiment(path, ["variants.1.match.by=params"])
    assert experiment.variants[1].match.by == "params"


def test_no_code_refuses_a_match_to_python_code(tmp_path, monkeypatch):
    (tmp_path / "variants").mkdir()
    (tmp_path / "variants" / "own.yaml").write_text(
        "family: own\nkind: python\ninput_size: 32\nmembers: {own-net: {factory: 'nets:make'}}\n"
    )
    monkeypatch.chdir(tmp_path)
    content = {**FIELDS, "variants": [{"name": "resnet18", "match": {"by": "macs", "to": "own-net"}}]}
    with pytest.raises(HarnessError, match="--no-code forbids"):
        require_no_code(Experiment.model_validate(content), Document("e.yaml", content), Catalogue.load())
