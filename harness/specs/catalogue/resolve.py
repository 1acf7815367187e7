"""An experiment's file, found, read, and resolved against catalogue and data."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from harness.errors import HarnessError, suggest_nearest
from harness.io.validation import validate_model
from harness.io.yaml_documents import Document, read_document
from harness.specs.catalogue.catalogue import Catalogue
from harness.specs.catalogue.families import search_paths
from harness.specs.experiment.contrasts import Difference
from harness.specs.experiment.data import DataInfo
from harness.specs.experiment.experiment import MOST_TRIALS, Experiment
from harness.specs.experiment.resolved_experiment import ResolvedExperiment
from harness.specs.experiment.search_space import Sample
from harness.specs.identity import digest
from harness.specs.network.any_variant import AnyVariant


def load_experiment(path: Path, overrides: Sequence[str] = ()) -> tuple[Experiment, Document]:
    """Read one file of ``experiments/`` with ``--set`` overrides applied.

    Raises:
        HarnessError: The file, or an override, is not an experiment.
    """
    document = read_document(path)
    for assignment in overrides:
        document.override(assignment)
    return validate_model(Experiment, document.data, document), document


def find_experiment(name: str) -> Path:
    """The file of an experiment given as a path or by name.

    Raises:
        HarnessError: There is no such file on any shelf.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        with suppress(OSError):  # a name that is too long for a file
            if path.is_file():
                return path
        name, wanted = path.stem, path.parent
        if wanted not in (Path("experiments"), Path()):
            raise HarnessError("no such file", where=str(path), remedy="Give the path of an experiment's YAML.")
    found = {file.stem: file for shelf in reversed(search_paths("experiments")) for file in shelf.glob("*.yaml")}
    if name not in found:
        raise HarnessError(
            f"there is no experiment '{name}'", where="experiments/", remedy=suggest_nearest(name, found)
        )
    return found[name]


def resolve(experiment: Experiment, document: Document, catalogue: Catalogue, info: DataInfo) -> ResolvedExperiment:
    """Expand an experiment's variants and contrasts.

    Raises:
        HarnessError: A variant does not exist, two share a name, a contrast compares what is not there.
    """
    choices = sum(max(len(c.depth), 1) * max(len(c.shortcut), 1) for c in experiment.variants)
    tune = experiment.tune
    searched = 0 if tune is None else tune.samples * len(tune.seeds)
    if choices * (len(experiment.seeds) * (1 if tune is None else 2) + searched) > MOST_TRIALS:
        raise HarnessError(
            f"{choices:,} variants by {len(experiment.seeds):,} seeds"
            + (f", and {searched:,} search trials for each," if searched else "")
            + " are too many trials",
            where=document.where(("tune",) if searched else ("seeds",)),
            remedy=f"Plan at most {MOST_TRIALS:,} in one experiment.",
        )
    variants: list[AnyVariant] = []
    listed = isinstance(document.data.get("variants"), list)
    for index, choice in enumerate(experiment.variants):
        at: tuple[str | int, ...] = ("variants", index) if listed else ("variants",)
        try:
            variants += catalogue.select_variants(choice, info, document, at)
        except HarnessError as error:
            if document.file in error.where or error.where.startswith("--set"):
                raise
            raise HarnessError(error.what, where=document.where((*at, error.where)), remedy=error.remedy) from error
    seen: dict[str, str] = {}
    for variant in variants:
        network = digest(variant.identity(), 64)
        other = variant.name if variant.name in seen.values() else seen.get(network)
        if other is not None:
            raise HarnessError(
                f"{variant.name} stands there twice" + (f", also as {other}" if other != variant.name else ""),
                where=document.where(("variants",)),
                remedy="Remove one, or give it a label.",
            )
        seen[network] = variant.name
    drawn = tune.initial_samples(experiment.recipe) if tune is not None else []
    samples = tuple(Sample(variant=v.name, number=n, fields=fields) for v in variants for n, fields in enumerate(drawn))
    study = ResolvedExperiment(experiment=experiment, variants=tuple(variants), data=info, samples=samples)
    try:
        cells = study.contrast_variants
    except HarnessError as error:
        raise HarnessError(error.what, where=document.where(("contrasts",)), remedy=error.remedy) from error
    # A report names the variants that were compared, with the suffix that `set` gave them.
    named = [
        contrast.model_copy(update=found) if isinstance(contrast, Difference) else contrast
        for contrast, found in zip(experiment.contrasts, cells, strict=True)
    ]
    return study.model_copy(update={"experiment": experiment.model_copy(update={"contrasts": tuple(named)})})
