"""The question of a contrast: what is equal between the networks that it compares."""

import pytest

from harness.io.yaml_documents import Document
from harness.specs import Catalogue, resolve
from harness.specs.experiment.experiment import Experiment
from harness.specs.matching.questions import classify_question
from tests.specs.matching.test_match import FIELDS, IMAGES


@pytest.fixture(scope="module")
def study():
    variants = ["resnet18", "plain18", "resnet34", {"name": "plain18", "match": {"by": "macs", "to": "resnet18"}}]
    content = {**FIELDS, "variants": variants}
    return resolve(Experiment.model_validate(content), Document("q.yaml", content), Catalogue.load(), IMAGES)


@pytest.mark.parametrize(
    ("a", "b", "kind", "phrase"),
    [
        ("resnet18", "plain18", "shape", "at equal shape"),
        ("resnet18", "plain18-macs-of-resnet18", "macs", "at equal MACs (within 0.0"),
        ("resnet18", "resnet34", "none", "at unequal shape, and their costs were not matched"),
    ],
)
def test_question_of_two_variants(study, a, b, kind, phrase):
    question = classify_question({"a": a, "b": b}, study.variants, study.experiment.variants)
    assert question.kind == kind and question.phrase.startswith(phrase)


def test_question_at_unequal_shape_states_counted_costs(study):
    costs = {"resnet18": (11e6, 1.8e9), "resnet34": (22e6, 3.6e9)}
    question = classify_question({"a": "resnet34", "b": "resnet18"}, study.variants, study.experiment.variants, costs)
    assert question.phrase == "at unequal shape and cost: 2 times the parameters and 2 times the MACs"
    costs["resnet34"] = (22e6, 1.805e9)
    question = classify_question({"a": "resnet34", "b": "resnet18"}, study.variants, study.experiment.variants, costs)
    assert (question.kind, question.phrase) == ("macs", "at equal MACs, and unequal shape")


def test_question_of_a_degradation_is_asked_at_equal_shape(study):
    roles = ("plain_shallow", "plain_deep", "residual_shallow", "residual_deep")
    names = dict(zip(roles, ("plain18", "plain18", "resnet18", "resnet34"), strict=True))
    assert classify_question(names, study.variants).kind == "shape"


def test_question_at_equal_measured_time_states_the_interval(study):
    selection = study.experiment.variants[3]
    found = selection.match.found[0].model_copy(update={"ratio": 1.021, "low": 0.99, "high": 1.06})
    match = selection.match.model_copy(update={"by": "step_time", "found": (found,)})
    names = {"a": found.result, "b": "resnet18"}
    question = classify_question(names, study.variants, [selection.model_copy(update={"match": match})])
    assert question.phrase == ("at equal measured step time (within 2.1 %; ratio 1.021, 95 % interval 0.990 to 1.060)")
