"""Validation: a value of another type is refused with what is expected, the same in a file and in ``--set``."""

import json

import pytest

from harness.errors import HarnessError
from harness.specs import load_experiment

BASE = {
    "name": "types",
    "question": "Q",
    "variants": {"family": "cifar-resnet", "depth": [8]},
    "data": {"name": "digits"},
    "recipe": {"epochs": 1, "batch": 64, "lr": 0.1},
    "seeds": [1, 2],
}
WHOLE = "it should be a whole number. Write it in digits, without quotes, as in 10."
NUMBER = "it should be a number. Write it in digits, without quotes, as in 0.1 or 1e-3."
REFUSED = {
    **{f"recipe.epochs={text}": WHOLE for text in ("yes", "on", "1:30", "1_000", "0b11", "true", "'10'", "ten", "1 0")},
    **{f"recipe.lr={text}": NUMBER for text in ("on", "No", "true", "1_0.5", "1:30.5", "'0.1'", "inf", "nan", "0.1.2")},
    "recipe.epochs=010": "the number 010 begins with 0",
    "seeds=[010,011]": "the number 010 begins with 0",
    "variants.set.widths=[010,010,020]": "the number 010 begins with 0",
    "recipe.epochs=1.5": "the value 1.5 is not valid: it should be a whole number.",
    "recipe.epochs=.inf": "the value .inf is not valid: it should be a whole number.",
    "recipe.lr=.nan": "the value .nan is not valid: it should be a finite number.",
    "recipe.epochs=": "the field has no value: it should be a whole number. Give it a value, or remove it.",
    "recipe.nesterov=yes": "it should be true or false. Write true, without quotes.",
    "recipe.nesterov=OFF": "it should be true or false. Write false, without quotes.",
    "recipe.nesterov=1": "the value 1 is not valid: it should be true or false.",
    "recipe.nesterov='true'": "it should be true or false. Write true or false, without quotes.",
    "name=1e3": "the value 1e3 is not valid: it should be text. Write it in quotes: ",
    "name=0x1F": "the value 0x1F is not valid: it should be text. Write it in quotes: ",
    "question=true": "the value true is not valid: it should be text. Write it in quotes: ",
    "question=[a]": "the value ['a'] is not valid: it should be text.",
    "question={a: b}": "it should be text. Put text that contains ': ' in quotes.",
    "seeds=[yes]": WHOLE,
    "seeds=5": "the value 5 is not valid: it should be a list.",
    "recipe=5": "it should be a mapping. Write it as in recipe: {epochs: 10, batch: 128, lr: 0.1}.",
    "decide=8": "it should be a mapping. Write it as in decide: {first: 8, step: 4, most: 32}.",
    "data=digits": "it should be a mapping. Write it as in data: {name: digits}.",
    "data=[digits]": "data.0: the value 'digits' is not valid: it should be a mapping. Write it as in {name: digits}.",
    "variance=4": "Write it as in variance: {sources: [initialisation, order, augmentation], levels: 4}.",
    "replicate=split": "it should be a mapping. Write it as in replicate: [initialisation, order, split].",
    "targets=[5]": "it should be a mapping. Write it as in {metric: test/error, value: 5}.",
    "targets={value: 5}": "it should be a list. Write it as in targets: [{metric: test/error, value: 5}].",
    "variants=[{name: plain18, match: resnet18}]": "Write it as in match: {by: macs, to: resnet18}.",
    "contrasts=[x]": "it should be a mapping. Write it as in {kind: difference, a: resnet18, b: plain18}.",
    "contrasts=[{a: x}]": "contrasts.0.kind: the field 'kind' is missing. Add it, as in kind: difference.",
    "contrasts=[{kind: diference, a: x}]": "contrasts.0.kind: there is no kind 'diference'. Did you mean 'difference'?",
    "contrasts=[{kind: difference, a: x, b: y, shallow: 8}]": "contrasts.0.shallow: a difference contrast has no field "
    "'shallow'. Kind degradation has it. Kind difference has a, b, metric, side, smallest_effect, margin_reason.",
    "contrasts=[{kind: time_to_target, a: x, b: y, metric: x}]": "contrasts.0.metric: a time_to_target contrast has no "
    "field 'metric'. Kind difference has it. Kind time_to_target has a, b, target, unit, side.",
    "contrasts=[{kind: time_to_target, a: x, b: y, untis: x}]": "contrasts.0.untis: a time_to_target contrast has no "
    "field 'untis'. Did you mean 'unit'?",
    "contrasts=[{kind: difference, a: x, b: y, difference: 8}]": "contrasts.0.difference: a difference contrast has no",
    "contrasts=[{kind: time_to_target, a: x}]": "contrasts.0.b: the field 'b' is missing.",
    "contrasts=[{kind: time_to_target, a: x, b: x}]": "contrasts.0: a and b are both x: name two variants",
    "execution.seeds_together=yes": "it should be 'auto' or 'off', or a whole number. Write it in digits",
    "variants=[{name: resnet18, label: 1:30, set: {widening: 1:30}}, {name: 1.5}]": "the value 1.5 is not valid",
    "data.fingerprint=[1]": "it should be text",
}  # fmt: skip


@pytest.mark.parametrize("assignment", REFUSED)
def test_value_of_another_type_is_refused_in_a_file_and_in_an_override(tmp_path, assignment):
    field, _, value = assignment.partition("=")
    file = tmp_path / "types.yaml"
    file.write_text(json.dumps(BASE))
    with pytest.raises(HarnessError) as of_option:
        load_experiment(file, [assignment])
    *parents, last = field.split(".")
    fields = json.loads(json.dumps(BASE))
    inner = fields
    for part in parents:
        inner = inner.setdefault(part, {})
    inner[last] = "VALUE"
    file.write_text(json.dumps(fields).replace('"VALUE"', value))
    with pytest.raises(HarnessError) as of_file:
        load_experiment(file)
    assert REFUSED[assignment] in str(of_option.value) and f"--set {field}" in str(of_option.value)
    assert REFUSED[assignment] in str(of_file.value) and f"types.yaml:1, {field}" in str(of_file.value)


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("recipe.epochs=0o10", 8),
        ("recipe.epochs=0x1F", 31),
        ("recipe.epochs=+5", 5),
        ("recipe.epochs=1e2", 100),
        ("recipe.epochs=100.0", 100),
        ("recipe.lr=1", 1.0),
        ("recipe.lr=1e-3", 0.001),
        ("recipe.clip_grad_norm=~", None),
        ("recipe.nesterov=TRUE", True),
        ("execution.seeds_together=off", "off"),
        ("data.fingerprint=65e6615551387925", "65e6615551387925"),
        ("data.fingerprint=0123456789012345", "0123456789012345"),
        ("question=2026-11-26", "2026-11-26"),
        ("question=yes", "yes"),
        ("question=1:30", "1:30"),
        ("question='1e3'", "1e3"),
    ],
)
def test_value_of_the_right_type_is_read_as_yaml_1_2(tmp_path, assignment, value):
    file = tmp_path / "types.yaml"
    file.write_text(json.dumps(BASE))
    read = load_experiment(file, [assignment])[0]
    for part in assignment.partition("=")[0].split("."):
        read = getattr(read, part)
    assert (type(read), read) == (type(value), value)


def test_error_about_text_that_looks_like_a_number_shows_a_command_that_is_right(tmp_path):
    file = tmp_path / "types.yaml"
    file.write_text(json.dumps(BASE))
    with pytest.raises(HarnessError) as error:
        load_experiment(file, ["name=1e3"])
    assert error.value.remedy == "Write it in quotes: --set \"name='1e3'\"."
    assert load_experiment(file, ["name='1e3'"])[0].name == "1e3"


@pytest.mark.parametrize(
    ("assignment", "hint"),
    [
        ("lr=0.1", "Did you mean recipe.lr?"),
        ("epochs=3", "Did you mean recipe.epochs?"),
        ("optimizer=sgd", "Did you mean recipe.optimiser?"),
        ("recipe.optimizer=sgd", "Did you mean 'optimiser'?"),
        ("widths=[4,4,8]", "Did you mean variants.set.widths?"),
        ("variants.widths=[4,4,8]", "Did you mean variants.set.widths?"),
        ("recipe.cpus=2", "Did you mean resources.cpus?"),
        ("data.contrasts=[]", "Did you mean contrasts?"),
        ("recpie.lr=1", "Did you mean 'recipe'?"),
    ],
)
def test_unknown_field_gets_the_name_of_the_field_that_is_meant(tmp_path, assignment, hint):
    file = tmp_path / "types.yaml"
    file.write_text(json.dumps(BASE))
    with pytest.raises(HarnessError, match="there is no field") as error:
        load_experiment(file, [assignment])
    assert error.value.remedy == hint


def test_missing_field_of_a_family_names_the_schema_of_families(tmp_path):
    from harness.specs.catalogue.families import load_family

    (tmp_path / "mine.yaml").write_text("family: mine\nbase: {}\n")
    with pytest.raises(HarnessError, match="'input_size' is missing") as error:
        load_family(tmp_path / "mine.yaml")
    assert error.value.remedy == "Add it; `harness schema family` lists the fields."
