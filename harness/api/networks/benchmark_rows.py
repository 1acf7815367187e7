"""The rows of a benchmark: which networks are measured with which settings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import product

from harness.errors import HarnessError
from harness.specs import Catalogue, ResolvedExperiment, require_variant_without_code
from harness.specs.measured_cost import CostSetting, MeasuredCost
from harness.specs.network.any_variant import AnyVariant

PRECISIONS = ("fp32", "tf32", "bf16", "fp16")
GPU_PRECISIONS = ("tf32", "fp16")

Network = tuple[AnyVariant, tuple[int, int]]
"""A variant, with height and width of its images in pixels."""


def list_experiment_settings(study: ResolvedExperiment, device: str) -> list[CostSetting]:
    """Return the settings that are measured for an experiment: one image, and a batch of its recipe."""
    experiment = study.experiment
    return [
        CostSetting.of_trials(
            experiment.recipe,
            study.execution,
            device=device,
            batch=batch,
            # build_rows sets the size of each network's images.
            size=study.data_sets[0].size,
            threads=experiment.resources.cpus,
        )
        for batch in (1, experiment.recipe.batch)
    ]


def list_settings(
    device: str,
    batches: Sequence[int],
    precisions: Sequence[str],
    memory_formats: Sequence[str],
    compiled: Sequence[bool],
    threads: int | None,
) -> list[CostSetting]:
    """Return every combination of settings. Their image size is set with the networks.

    Args:
        compiled: Whether networks are compiled.
        threads: Threads on the CPU; None: as many as there are cores.

    Raises:
        HarnessError: There is no such device or precision, or a batch has no image.
    """
    from harness.launchers.resources import count_cores

    _require_valid(device, batches, precisions)
    return [
        CostSetting.model_validate(
            {
                "device": device,
                "batch": batch,
                "size": (1, 1),
                "precision": precision,
                "memory_format": memory_format,
                "compile": is_compiled,
                "threads": threads or count_cores(),
            }
        )
        for precision, memory_format, is_compiled, batch in product(precisions, memory_formats, compiled, batches)
    ]


def _require_valid(device: str, batches: Sequence[int], precisions: Sequence[str]) -> None:
    if not re.fullmatch(r"cpu|cuda(:\d{1,3})?", device):
        raise HarnessError(
            f"there is no device '{device[:20]}'", where="--device", remedy="Use cpu, cuda, or cuda:1 for one GPU."
        )
    for batch in batches:
        if batch < 1:
            raise HarnessError(f"the batch size {batch} is less than 1", where="--batch-sizes", remedy="Use 1 or more.")
    for precision in precisions:
        if precision not in PRECISIONS:
            raise HarnessError(
                f"there is no precision '{precision[:20]}'",
                where="--precision",
                remedy=f"Use {', '.join(PRECISIONS[:-1])} or {PRECISIONS[-1]}; on the CPU fp32 or bf16.",
            )
        if device == "cpu" and precision in GPU_PRECISIONS:
            raise HarnessError(
                f"the CPU does not compute in {precision}",
                where="--precision",
                remedy="Use fp32 or bf16, or --device cuda.",
            )


def select_networks(
    names: Sequence[str], shape: tuple[int | None, int, int] | None, no_code: bool = False
) -> list[Network]:
    """Return variants by name, each with the size of its images.

    External networks get a content hash, which names the version of their library.

    Args:
        shape: Channels (None: the variant's own), height and width; None: the input size of the variant's family.
        no_code: Whether to refuse networks of Python code.

    Raises:
        HarnessError: There is no such variant, or it is refused.
    """
    catalogue = Catalogue.load()
    networks: list[Network] = []
    for name in names:
        variant = catalogue.get(name)
        if no_code:
            require_variant_without_code(variant, f"{catalogue.file_of(variant.family)}, members.{name}.factory")
        variant = variant.with_content_hash()
        if shape is None:
            side = catalogue.family(variant.family).input_size
            networks.append((variant, (side, side)))
        else:
            channels, height, width = shape
            fields = {} if channels is None else {"in_channels": channels}
            networks.append((variant.model_copy(update=fields), (height, width)))
    return networks


def build_rows(networks: Sequence[Network], settings: Sequence[CostSetting]) -> list[MeasuredCost]:
    """Return a row to measure for each setting and network. A variant that is named twice gets two labels.

    Networks with images of one size follow each other, because only they can be compared.

    Raises:
        HarnessError: An external network cannot be built, or a network does not accept such images.
    """
    from harness.costs.complexity import compute_static_costs
    from harness.specs import Variant
    from harness.specs.network.layer_plan import require_input

    rows = []
    for setting, size in product(settings, dict.fromkeys(size for _, size in networks)):
        occurrences: Counter[str] = Counter()
        for variant in (variant for variant, own_size in networks if own_size == size):
            if isinstance(variant, Variant):
                require_input(variant, size)
            occurrences[variant.name] += 1
            number = occurrences[variant.name]
            costs = compute_static_costs(variant, size)
            rows.append(
                MeasuredCost(
                    label=variant.name + (f" ({number})" if number > 1 else ""),
                    variant=variant,
                    setting=setting.model_copy(update={"size": size}),
                    macs=costs.macs,
                    # Values of 4 bytes each: parameter, gradient and momentum, and three for each activation.
                    training_bytes=12 * costs.params + 12 * costs.activations * setting.batch,
                )
            )
    return rows
