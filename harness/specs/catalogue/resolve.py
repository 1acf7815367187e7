"""The file of an experiment: found by name, read, and resolved with the catalogue and the data."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from harness.errors import HarnessError, suggest_nearest
from harness.io.validation import validate_model
from harness.io.yaml_documents import Document, read_document
from harness.io.yaml_parser import Location
from harness.settings.user_paths import resolve_path
from harness.specs.catalogue.catalogue import MAX_NAME_LENGTH, Catalogue
from harness.specs.catalogue.directories import find_directories
from harness.specs.catalogue.select_variants import require_distinct_variants, select_variants
from harness.specs.experiment.contrasts import Difference
from harness.specs.experiment.data import DataInfo
from harness.specs.experiment.experiment import MOST_TRIALS, Experiment
from harness.specs.experiment.resolved_experiment import ResolvedExperiment
from harness.specs.experiment.search_space import Sample
from harness.specs.experiment.targets import TimeToTarget
from harness.specs.experiment.variant_selection import VariantSelection
from harness.specs.matching.match_costs import MatchCosts
from harness.specs.network.any_variant import AnyVariant
from harness.specs.network.external import ExternalNetwork
from harness.specs.replication.variance_design import number_runs


def load_experiment(path: Path, overrides: Sequence[str] = ()) -> tuple[Experiment, Document]:
    """Read the file of an experiment and apply ``--set`` assignments to it.

    Raises:
        HarnessError: The file with the assignments is not a valid experiment.
    """
    document = read_document(path)
    for assignment in overrides:
        document.override(assignment)
    return validate_model(Experiment, number_runs(document.data), document), document


def find_experiment(name: str) -> Path:
    """Return the file of an experiment that is given by its path or its name.

    Raises:
        HarnessError: No such file exists.
    """
    path = resolve_path(name, "EXPERIMENT") if name.startswith("~") else Path(name)
    if path.suffix in (".yaml", ".yml"):
        with suppress(OSError):  # The name is too long for a file.
            if path.is_file():
                return path
        name = path.stem
        if path.parent not in (Path("experiments"), Path()):
            raise HarnessError(
                "this file does not exist", where=str(path), remedy="Give the path of an experiment's YAML file."
            )
    files = {
        file.stem: file for directory in reversed(find_directories("experiments")) for file in directory.glob("*.yaml")
    }
    if name not in files:
        raise HarnessError(
            f"there is no experiment '{name}'", where="experiments/", remedy=suggest_nearest(name, files)
        )
    return files[name]


def resolve(
    experiment: Experiment,
    document: Document,
    catalogue: Catalogue,
    facts: DataInfo | Sequence[DataInfo],
    costs: MatchCosts | None = None,
) -> ResolvedExperiment:
    """Return an experiment with its variants, and with the first samples of its search. Imports none of their code.

    Args:
        facts: Facts about its data set, or about each of its data sets.
        costs: The costs by which variants with ``match`` are found; None: those of the layer plans.

    Raises:
        HarnessError: A variant does not exist or is selected twice, no network has the cost of a match, a contrast
            names a variant that is not selected, or there are too many trials.
    """
    _require_few_trials(experiment, document)
    data_sets = (facts,) if isinstance(facts, DataInfo) else tuple(facts)
    experiment, variants = select_variants(experiment, document, catalogue, data_sets[0], costs or MatchCosts())
    require_distinct_variants(variants, document)
    tune = experiment.tune
    drawn = tune.initial_samples(experiment.recipe) if tune is not None else []
    samples = tuple(Sample(variant=v.name, number=n, fields=fields) for v in variants for n, fields in enumerate(drawn))
    resolved = ResolvedExperiment(experiment=experiment, variants=tuple(variants), data=data_sets, samples=samples)
    _require_distinct_trials(resolved, document)
    try:
        contrast_variants = resolved.contrast_variants
    except HarnessError as error:
        raise HarnessError(error.what, where=document.where(("contrasts",)), remedy=error.remedy) from error
    # The contrasts get the full names of their variants, with the suffix that `set` has added.
    contrasts = tuple(
        contrast.model_copy(update=names) if isinstance(contrast, Difference | TimeToTarget) else contrast
        for contrast, names in zip(experiment.contrasts, contrast_variants, strict=True)
    )
    return resolved.replace(experiment=experiment.model_copy(update={"contrasts": contrasts}))


def _require_distinct_trials(resolved: ResolvedExperiment, document: Document) -> None:
    """Check that no two data sets have the same content and split, and that names with the data set are short."""
    first_trials: dict[str, str] = {}
    for index, view in enumerate(resolved.views if len(resolved.data_sets) > 1 else ()):
        trial, title = view.trials[0], view.data.title
        if trial.id in first_trials:
            raise HarnessError(
                f"{title} has the same images and the same splits as {first_trials[trial.id]}",
                where=document.where(("data", index)),
                remedy="Remove one of the two.",
            )
        first_trials[trial.id] = title
        longest = max((view.named_for_data(variant).name for variant in view.variants), key=len)
        if len(longest) > MAX_NAME_LENGTH:
            raise HarnessError(
                f"the name '{longest[:40]}...' has {len(longest)} letters, more than {MAX_NAME_LENGTH}",
                where=document.where(("data", index, "label")),
                remedy="Give the data set or the variant a shorter label.",
            )


def require_no_code(experiment: Experiment, document: Document, catalogue: Catalogue) -> None:
    """Check that no variant of an experiment names Python code. Imports nothing.

    Raises:
        HarnessError: One does.
    """
    is_list = isinstance(document.data.get("variants"), list)
    for index, selection in enumerate(experiment.variants):
        at: Location = ("variants", index) if is_list else ("variants",)
        factory, field, source = catalogue.find_code(selection)
        if factory:
            where = document.where((*at, *field))
            raise refuse_code(factory, f"{where} ({source})" if source else where)
        if selection.match is not None:
            _require_match_without_code(selection.match.to, catalogue, document.where((*at, "match", "to")))


def _require_match_without_code(name: str, catalogue: Catalogue, where: str) -> None:
    """Check that the network of the catalogue that a match may name is no Python code."""
    factory, source = "", ""
    # It may also be the name of a variant of the experiment.
    with suppress(HarnessError):
        factory, _, source = catalogue.find_code(VariantSelection(name=name))
    if factory:
        raise refuse_code(factory, f"{where} ({source})")


def require_variant_without_code(variant: AnyVariant, where: str) -> None:
    """Check that a variant that a user has named is not a network of Python code. Imports nothing.

    Raises:
        HarnessError: It is one.
    """
    if isinstance(variant, ExternalNetwork) and variant.kind == "python":
        raise refuse_code(variant.factory, where)


def refuse_code(factory: str, where: str) -> HarnessError:
    """Return the error about code that ``--no-code`` forbids."""
    return HarnessError(
        f"it names Python code, which --no-code forbids: {factory[:60]}",
        where=where,
        remedy="Read the code. If you trust it, leave --no-code out (or unset DEPTHBENCH_NO_CODE); else remove this "
        "variant.",
    )


def _require_few_trials(experiment: Experiment, document: Document) -> None:
    tune, seeds, data_sets = experiment.tune, len(experiment.seeds), len(experiment.data_sets)
    variants = data_sets * sum(max(len(s.depth), 1) * max(len(s.shortcut), 1) for s in experiment.variants)
    search_trials = 0 if tune is None else tune.samples * len(tune.seeds)
    if variants * (seeds * (1 if tune is None else 2) + search_trials) > MOST_TRIALS:
        raise HarnessError(
            f"{variants // data_sets:,} variants with {seeds:,} seeds"
            + (f" on {data_sets} data sets" if data_sets > 1 else "")
            + (f" and {search_trials:,} search trials each" if search_trials else "")
            + f" give more than {MOST_TRIALS:,} trials, the limit for one experiment",
            where=document.where(
                ("tune",) if search_trials else ("seeds",) if experiment.decide is None else ("decide", "most")
            ),
            remedy="Use fewer of them, or several experiments.",
        )
