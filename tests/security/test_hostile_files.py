"""Hostile text in users' files is refused or stays text: it is never used as a path, as markup or as a command."""

import os
import re
import shutil
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt
from security.hostile import (
    CONTROL,
    DIFFERENCE,
    FIELDS,
    FORMULAS,
    FREE,
    HOSTILE,
    LINES,
    SMALL,
    assert_inert,
    changed,
    structure,
)

from harness.errors import HarnessError
from harness.text import code_span, escape_markdown, escape_rich, one_line


@pytest.mark.parametrize("kind", HOSTILE)
def test_escaped_hostile_text_renders_as_one_paragraph_of_text(kind):
    text = HOSTILE[kind]
    assert_inert(escape_markdown(text))
    assert structure(f"| a | b |\n| - | - |\n| {escape_markdown(text)} | {code_span(text)} |\n") == structure(
        "| a | b |\n| - | - |\n| x | `x` |\n"
    )
    rendered = MarkdownIt().render(escape_markdown(text))
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        rendered = rendered.replace(entity, character)
    assert rendered == f"<p>{one_line(text)}</p>\n"


def is_accepted(field, kind):
    """Return whether a field accepts this kind of hostile text."""
    if field not in FREE or kind in CONTROL:
        return False
    return field != "variants.0.label" or kind not in LINES | FORMULAS


def write_hostile_experiment(experiment_file, field, kind):
    """Write an experiment with hostile text in one field; return its path."""
    content = changed({"data": {"name": "digits", "train_images": 256}, **SMALL}, field, HOSTILE[kind])
    if field == "variants.0.label":
        content["contrasts"] = [{**DIFFERENCE, "a": HOSTILE[kind]}]
    return experiment_file(**content)


CASES = [(field, kind) for field in FIELDS for kind in HOSTILE]


@pytest.mark.parametrize(("field", "kind"), [case for case in CASES if is_accepted(*case)])
def test_hostile_text_in_a_free_field_is_accepted(quiet_place, experiment_file, field, kind):
    from harness.api import load_resolved_experiment

    path = write_hostile_experiment(experiment_file, field, kind)
    assert load_resolved_experiment(str(path)).experiment.model_dump()
    assert list(quiet_place.iterdir()) == []


@pytest.mark.parametrize(("field", "kind"), [case for case in CASES if not is_accepted(*case)])
def test_hostile_text_in_another_field_is_refused_with_the_name_of_the_field(quiet_place, experiment_file, field, kind):
    from harness.api import load_resolved_experiment

    path = write_hostile_experiment(experiment_file, field, kind)
    with pytest.raises(HarnessError) as caught:
        load_resolved_experiment(str(path))
    assert str(path) in str(caught.value)
    assert field.partition(".")[0].replace("{}", "") in str(caught.value)
    printed = escape_rich(caught.value.where + caught.value.what + caught.value.remedy)
    assert not [c for c in printed if not c.isprintable() and c != "\n"]
    assert list(quiet_place.iterdir()) == []


FAMILY = {
    "family": "mine",
    "input_size": 8,
    "base": {"stem": "conv3x3", "block": "basic", "widths": [4], "shortcut": "projection"},
    "members": {"mine8": {"blocks": [1]}},
    "twin": {"prefix": "plain-mine"},
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("field", ["family", "prefix", "twin.prefix", "twin.shortcut", "members.{}", "depth.basic"])
def test_hostile_text_in_a_family_is_refused_with_the_name_of_the_file(tmp_path, field, kind):
    from harness.specs.catalogue.families import load_family

    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(FAMILY))
    assert "mine8" in load_family(path).members
    path.write_text(yaml.safe_dump(changed(FAMILY, field, HOSTILE[kind])))
    with pytest.raises(HarnessError) as caught:
        load_family(path)
    # Control characters are refused with their line, before the YAML has fields.
    assert re.search(rf"mine\.yaml(:\d+: |.*{field.partition('.')[0]})", str(caught.value), re.DOTALL)


@pytest.mark.parametrize(
    "name",
    ["..", ".", "a/b", "a\\b", "a\n", "\na", "a b", "A", "é", "a\0", "", "a" * 65, "-a", "~", "con", "nul.x", "com1",
     "a.", "a..", "results.csv", "a.yaml", "a.yml"],
)  # fmt: skip
def test_experiment_refuses_a_name_that_is_not_one_plain_directory(quiet_place, experiment_file, name):
    from harness.specs import load_experiment

    with pytest.raises(HarnessError, match="name"):
        load_experiment(experiment_file(name=name))


@pytest.mark.parametrize("name", ["a", "0", "a..b", "quick-2.1_x", "contrast", "a" * 64])
def test_experiment_accepts_a_name_that_is_one_plain_directory(experiment_file, name):
    from harness.specs import load_experiment

    assert load_experiment(experiment_file(name=name))[0].name == name


@pytest.mark.parametrize("text", ["{{ 7*7 }}", "!!python/object/apply:os.system [touch pwned]", "010", "[" * 3000])
def test_override_with_a_hostile_value_is_refused(quiet_place, experiment_file, text):
    from harness.specs import load_experiment

    with pytest.raises(HarnessError, match="--set question"):
        load_experiment(experiment_file(), [f"question={text}"])
    assert list(quiet_place.iterdir()) == []


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "a/b", "..\0"])
def test_collect_refuses_a_path_in_place_of_the_name_of_an_experiment(quiet_place, name):
    from harness.api import Settings, collect

    with pytest.raises(HarnessError, match="not the name of an experiment"):
        collect(name, Settings(tracking_uri="none"))


def test_description_of_an_image_folder_has_printable_names_of_classes_and_the_record_none(quiet_place, image_folder):
    from harness.api import load_resolved_experiment
    from harness.data.description import describe_data
    from harness.specs import DataSpec

    root = image_folder(classes=2)
    odd = [os.fsencode(text) for text in HOSTILE.values() if "/" not in text and "\0" not in text]
    for folder in [*odd, b"caf\xe9"]:
        target = os.path.join(os.fsencode(root), folder)  # noqa: PTH118 (bytes)
        os.mkdir(target)  # noqa: PTH102
        picture = (root / "digit-0" / "000.png").read_bytes()
        for number in range(5):
            Path(os.fsdecode(target), f"{number}.png").write_bytes(picture)
    info, spec = describe_data(DataSpec(name="imagefolder", root=str(root)))
    assert info.classes == len(odd) + 3
    assert re.fullmatch("[0-9a-f]{16}", info.fingerprint)
    assert all(name.isprintable() for name in info.class_names)
    record = load_resolved_experiment("own-images", data_root=root).to_record_json()
    seen = record + spec.model_copy(update={"root": None}).model_dump_json()
    assert not [text for text in HOSTILE.values() if text in seen]


def test_plan_with_names_of_classes_prints_no_control_characters_and_no_markup(harness, image_folder):
    root = image_folder(classes=2)
    for name in ("\x1b[31mred [red][bold]", "a\u202eb", "c\nd"):
        shutil.copytree(root / "digit-0", root / name)
    (root / "digit-1" / "\x1b]0;title\x07.txt").touch()
    done = harness("plan", "own-images", "--data-root", root)
    assert done.returncode == 0, done.stderr
    assert not set("\x1b\x07\u202e") & set(done.stdout)
    assert "5 classes: [31mred [red][bold], a b, c d, digit-0, digit-1." in done.stdout
    assert "no images: 1 (digit-1/ ]0;title .txt)" in done.stdout


def test_error_with_the_name_of_a_class_prints_no_control_characters(harness, image_folder):
    root = image_folder(classes=2)
    (root / "\x1b[31mred [red][bold]").mkdir()
    done = harness("plan", "own-images", "--data-root", root)
    assert done.returncode == 2
    assert "\x1b" not in done.stderr and "Traceback" not in done.stderr
    assert "[red][bold]' has no images" in done.stderr
