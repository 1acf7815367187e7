"""Shapes of images, and networks fitted to them."""

import pytest

from harness.api.networks.input_shape import default_input, fit_input, parse_image_shape
from harness.errors import HarnessError


@pytest.mark.parametrize(
    ("text", "shape"), [("3x224x192", (3, 224, 192)), ("32x16", (None, 32, 16)), ("8", (None, 8, 8))]
)
def test_image_shape_is_read_as_channels_height_and_width(text, shape):
    assert parse_image_shape(text) == shape


@pytest.mark.parametrize("text", ["0x3", "x3", "3x3x3x3", "big", "", "-3", "²"])
def test_text_that_is_not_an_image_shape_is_an_error(text):
    with pytest.raises(HarnessError, match="not a shape of images"):
        parse_image_shape(text)


def test_network_takes_the_channels_of_the_shape(catalogue):
    variant, size = fit_input(catalogue.get("cifar-resnet8"), "1x16x20")
    assert variant.in_channels == 1 and size == (16, 20)
    unchanged, _ = fit_input(catalogue.get("cifar-resnet8"), "16")
    assert unchanged.in_channels == 3


def test_images_smaller_than_the_total_stride_are_an_error(catalogue):
    with pytest.raises(HarnessError, match="too small for resnet18"):
        fit_input(catalogue.get("resnet18"), "31")


@pytest.mark.parametrize(("name", "shape"), [("resnet18", "224"), ("cifar-resnet8", "32")])
def test_default_shape_is_that_of_the_family(catalogue, name, shape):
    assert default_input(catalogue.get(name)) == shape
