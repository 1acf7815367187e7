"""Published results for comparison: only those of the same network on the same data set."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from harness.reporting.formatting import format_mean
from harness.reporting.statistics.intervals import estimate_mean
from harness.specs import Catalogue, DataInfo, Variant
from harness.specs.network.any_variant import AnyVariant
from harness.text import escape_markdown
from harness.tracking.metrics import TEST_ERROR
from harness.tracking.results_table import Results

PUBLISHED_FILE = Path(__file__).with_suffix(".csv")
DATASET_SIZES = {
    "cifar10": (50_000, 10_000, 10, (32, 32)),
    "imagenet": (1_281_167, 50_000, 1000, (224, 224)),
}
"""Training and validation images, test images, classes and image size: they identify a data set of the file."""


@cache
def load_published_results() -> list[dict[str, str]]:
    """Return the rows of ``published.csv``: errors in percent, shortcuts and strides named as in a spec."""
    with PUBLISHED_FILE.open(newline="") as file:
        return list(csv.DictReader(file))


def identify_dataset(data: DataInfo) -> str | None:
    """Return which data set of the file this is; None for another one, for a part of one, or at another image size."""
    name = {"imagefolder": "imagenet"}.get(data.name, data.name)
    sizes = (data.train + data.val, data.test, data.classes, data.size)
    return name if DATASET_SIZES.get(name) == sizes else None


def find_published_results(variant: AnyVariant, dataset: str | None) -> list[dict[str, str]]:
    """Return the rows of exactly this network on a data set, whatever name the network has here."""
    if not isinstance(variant, Variant):
        return []
    network = _describe_network(variant)
    return [row for row, described in _list_published_networks() if row["dataset"] == dataset and described == network]


@cache
def _list_published_networks() -> list[tuple[dict[str, str], dict[str, Any]]]:
    """Return each row of the file with its network, which is a shipped one even if a user reuses the name."""
    catalogue, networks = Catalogue.shipped(), []
    for row in load_published_results():
        shipped = catalogue.get(row["variant"])
        assert isinstance(shipped, Variant)
        variant = shipped.model_copy(update={"shortcut": row["shortcut"], "stride_on": row["stride_on"]})
        networks.append((row, _describe_network(variant)))
    return networks


def _describe_network(variant: Variant) -> dict[str, Any]:
    """Return the identity of a network without the fields that follow from its data set."""
    return {key: value for key, value in variant.identity().items() if key not in ("classes", "in_channels")}


def build_published_rows(results: Results, final: pd.DataFrame) -> list[list[str]]:
    """Return a row per published result: variant, measured test error, published error, protocol and source."""
    dataset = identify_dataset(results.study.data)
    rows = []
    for variant in results.study.variants if dataset is not None else ():
        measured = final.loc[(final["variant"] == variant.name) & final[TEST_ERROR].notna(), TEST_ERROR]
        for published in find_published_results(variant, dataset) if len(measured) else ():
            estimate = estimate_mean(measured.to_numpy())
            spread = f" ± {published['spread']}" if published["spread"] else ""
            note = " (from a secondary source)" if published["confidence"] == "secondary" else ""
            rows.append(
                [
                    escape_markdown(variant.name),
                    f"{format_mean(estimate.mean, estimate.sd)}, n = {estimate.n}",
                    published["error"] + spread,
                    published["protocol"],
                    published["source"] + note,
                ]
            )
    return rows
