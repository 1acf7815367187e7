"""What a user's file brings is text and nothing else: no path, no markup, no shell."""

import os
import re
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
def test_escaped_text_is_text(kind):
    text = HOSTILE[kind]
    assert_inert(escape_markdown(text))
    assert structure(f"| a | b |\n| - | - |\n| {escape_markdown(text)} | {code_span(text)} |\n") == structure(
        "| a | b |\n| - | - |\n| x | `x` |\n"
    )
    rendered = MarkdownIt().render(escape_markdown(text))
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        rendered = rendered.replace(entity, character)
    assert rendered == f"<p>{one_line(text)}</p>\n", "it shows what was written"


def _accepts(field, kind):
    if field not in FREE or kind in CONTROL:
        return False
    return field != "variants.0.label" or kind not in LINES | FORMULAS


@pytest.mark.parametrize("field", FIELDS)
def test_a_hostile_field_is_refused_by_name_or_is_text(quiet_place, experiment_file, field):
    from harness.api import load_resolved_experiment

    for kind, text in HOSTILE.items():
        content = changed({"data": {"name": "digits", "train_images": 256}, **SMALL}, field, text)
        if field == "variants.0.label":
            content["contrasts"] = [{**DIFFERENCE, "a": text}]
        path = experiment_file(**content)
        if _accepts(field, kind):
            assert load_resolved_experiment(str(path)).experiment.model_dump()
            continue
        with pytest.raises(HarnessError) as caught:
            load_resolved_experiment(str(path))
        assert str(path) in str(caught.value), kind
        assert field.partition(".")[0].replace("{}", "") in str(caught.value), kind
        printed = escape_rich(caught.value.where + caught.value.what + caught.value.remedy)
        assert not [c for c in printed if not c.isprintable() and c != "\n"], kind
    assert list(quiet_place.iterdir()) == []


@pytest.mark.parametrize("field", ["family", "prefix", "twin.prefix", "twin.shortcut", "members.{}", "depth.basic"])
def test_a_hostile_family_is_refused_by_name(quiet_place, field):
    from harness.specs import Catalogue

    family = {
        "family": "mine",
        "input_size": 8,
        "base": {"stem": "conv3x3", "block": "basic", "widths": [4], "shortcut": "projection"},
        "members": {"mine8": {"blocks": [1]}},
        "twin": {"prefix": "plain-mine"},
    }
    (quiet_place / "variants").mkdir()
    path = quiet_place / "variants" / "mine.yaml"
    path.write_text(yaml.safe_dump(family))
    assert "mine8" in {variant.name for variant in Catalogue.load().members()}
    for kind, text in HOSTILE.items():
        path.write_text(yaml.safe_dump(changed(family, field, text)))
        with pytest.raises(HarnessError) as caught:
            list(Catalogue.load().members())
        assert "mine.yaml" in str(caught.value), kind
        # What no file may hold is refused with its line, before there are fields.
        assert field.partition(".")[0] in str(caught.value) or re.search(r"mine\.yaml:\d+: ", str(caught.value)), kind


@pytest.mark.parametrize(
    "name",
    ["..", ".", "a/b", "a\\b", "a\n", "\na", "a b", "A", "é", "a\0", "", "a" * 65, "-a", "~", "con", "nul.x", "com1",
     "a.", "a..", "results.csv", "a.yaml", "a.yml"],
)  # fmt: skip
def test_a_name_is_one_plain_directory(quiet_place, experiment_file, name):
    from harness.specs import load_experiment

    with pytest.raises(HarnessError, match="name"):
        load_experiment(experiment_file(name=name))


def test_names_that_are_fine(experiment_file):
    from harness.specs import load_experiment

    for name in ("a", "0", "a..b", "quick-2.1_x", "contrast", "a" * 64):
        assert load_experiment(experiment_file(name=name))[0].name == name


@pytest.mark.parametrize(
    "text", ["{{ 7*7 }}", "!!python/object/apply:os.system [touch pwned]", "2024-99-99", "[" * 3000]
)
def test_an_override_is_plain_yaml(quiet_place, experiment_file, text):
    from harness.specs import load_experiment

    with pytest.raises(HarnessError, match="--set question"):
        load_experiment(experiment_file(), [f"question={text}"])
    assert list(quiet_place.iterdir()) == []


def test_aliases_of_aliases_do_not_fill_the_memory(tmp_path):
    from harness.io.yaml_documents import read_document

    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    (tmp_path / "bomb.yaml").write_text("\n".join(lines))
    with pytest.raises(HarnessError, match="its aliases written out"):
        read_document(tmp_path / "bomb.yaml")


def test_a_record_is_asked_by_name_not_by_path(quiet_place):
    from harness.api import Settings, collect

    (quiet_place / "secret.json").write_text("{}")
    for name in ("../../secret", "/etc/passwd", "a/b", "..\0"):
        with pytest.raises(HarnessError, match="not the name of an experiment"):
            collect(name, Settings(tracking_uri="none"))


def test_class_folders_are_counted_not_named(quiet_place, image_folder):
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
    seen = info.model_dump_json() + spec.model_copy(update={"root": None}).model_dump_json()
    assert not [text for text in HOSTILE.values() if text in seen]


def test_a_class_folder_in_an_error_sends_no_codes(harness, image_folder):
    root = image_folder(classes=2)
    (root / "\x1b[31mred [red][bold]").mkdir()
    done = harness("plan", "own-images", "--data-root", root)
    assert done.returncode == 2
    assert "\x1b" not in done.stderr and "Traceback" not in done.stderr
    assert "[red][bold]' has no images" in done.stderr
