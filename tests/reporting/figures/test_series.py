import pytest
from reporting_helpers import make_study

from harness.reporting.figures.series import group_into_series, has_several_depths, shorten_label


def test_variants_that_differ_in_depth_alone_share_a_line():
    lines = group_into_series(make_study())
    assert [(line.label, line.depths) for line in lines] == [("plain", [8, 20, 32]), ("residual", [8, 20, 32])]


def test_every_line_has_its_own_colour_and_marker():
    widths = [{"family": "cifar-resnet", "depth": 8, "set": {"widths": [w, 2 * w, 4 * w]}} for w in (2, 4, 8, 16, 32)]
    variants = [{**width, "shortcut": shortcut} for width in widths for shortcut in ("none", "identity")]
    study = make_study(variants=variants, contrasts=[])
    lines = group_into_series(study)
    assert len(lines) == 10 == len({(line.colour, line.marker) for line in lines}) == len({li.label for li in lines})
    assert not has_several_depths(study)


@pytest.mark.parametrize(
    ("name", "label"), [("resnet", "resnet"), ("a" * 30, "a" * 27 + "…"), ("cost $5\nnow", r"cost \$5 now")]
)
def test_shorten_label_gives_one_short_line_without_formulas(name, label):
    assert shorten_label(name) == label
