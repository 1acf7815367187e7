"""Published results beside measured ones: only where data set, network, shortcut and stride are the same."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from harness.reporting.formatting import format_number
from harness.reporting.statistics.estimates import estimate_mean
from harness.specs import Catalogue, DataInfo, Variant
from harness.specs.network.any_variant import AnyVariant
from harness.text import escape_markdown
from harness.tracking.results_table import Results

FILE = Path(__file__).with_suffix(".csv")
SIZES = {
    "cifar10": (50_000, 10_000, 10, (32, 32)),
    "imagenet": (1_281_167, 50_000, 1000, (224, 224)),
}
"""(training and validation images, test images, classes, size) by which the data sets of the file are known."""


@cache
def load_published_results() -> list[dict[str, str]]:
    """The table as it is shipped; errors in percent, shortcuts and strides as the spec calls them."""
    with FILE.open(newline="") as file:
        return list(csv.DictReader(file))


def identify_dataset(data: DataInfo) -> str | None:
    """Which data set of the table this is; None for any other, for a part of one, or at another size."""
    name = {"imagefolder": "imagenet"}.get(data.name, data.name)
    whole = (data.train + data.val, data.test, data.classes, data.size)
    return name if SIZES.get(name) == whole else None


def find_published_results(variant: AnyVariant, name: str | None) -> list[dict[str, str]]:
    """What was published of a network on a data set: of this network exactly, under whatever name it goes here."""
    if not isinstance(variant, Variant):
        return []
    return [row for row, network in _networks() if row["dataset"] == name and network == _shape(variant)]


@cache
def _networks() -> list[tuple[dict[str, str], dict[str, Any]]]:
    """Each row with its network: the shipped one, whatever the user's own families call so."""
    catalogue, found = Catalogue.shipped(), []
    for row in load_published_results():
        spec = catalogue.get(row["variant"])
        assert isinstance(spec, Variant)
        changed = spec.model_copy(update={"shortcut": row["shortcut"], "stride_on": row["stride_on"]})
        found.append((row, _shape(changed)))
    return found


def _shape(variant: Variant) -> dict[str, Any]:
    return {key: value for key, value in variant.identity().items() if key not in ("classes", "in_channels")}


def build_published_rows(results: Results, final: pd.DataFrame) -> list[list[str]]:
    """Variant, measured test error with n, published error, how and where it was published."""
    name = identify_dataset(results.study.data)
    rows = []
    for variant in results.study.variants if name is not None else ():
        measured = final.loc[(final["variant"] == variant.name) & final["test/error"].notna(), "test/error"]
        for row in find_published_results(variant, name) if len(measured) else ():
            estimate = estimate_mean(measured.to_numpy())
            spread = f" ± {format_number(estimate.sd)}" if estimate.sd is not None else ""
            theirs = row["error"] + f" ± {row['spread']}" * bool(row["spread"])
            second = " (seen in a secondary source)" * (row["confidence"] == "secondary")
            rows.append(
                [
                    escape_markdown(variant.name),
                    f"{format_number(estimate.mean)}{spread}, n = {estimate.n}",
                    theirs,
                    row["protocol"],
                    row["source"] + second,
                ]
            )
    return rows
