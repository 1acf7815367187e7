"""A study: an experiment resolved, and all the trials that follow from it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from pydantic import Field, model_validator

from harness.specs.experiment.contrasts import Difference
from harness.specs.experiment.data import DataInfo
from harness.specs.experiment.execution import Execution
from harness.specs.experiment.experiment import Experiment
from harness.specs.experiment.interim_looks import InterimLook, comparison_hash
from harness.specs.experiment.recipe import Recipe
from harness.specs.experiment.search_space import Sample, with_fields
from harness.specs.experiment.trial import Trial
from harness.specs.identity import Spec
from harness.specs.network.any_variant import AnyVariant
from harness.specs.network.variant import Variant
from harness.text import Line

FEWEST_CHANNELS = 16
"""Channels of the narrowest stage from which on a CPU's kernels for channels_last are faster: by 2 to 19 % in
benchmarks/README.md (a), where narrower nets are slower by 7 %; those of other libraries were not measured."""
TUNED = ", tuned"
SEARCH = ", search "
"""After a variant's name: its trials with its own recipe, and those of a sample. No part of any identity."""


def resolve_memory_format(given: Execution, variants: Iterable[AnyVariant]) -> Execution:
    """The same with the memory format settled by rule: one for all variants that are compared."""
    wide = all(isinstance(v, Variant) and min(v.stage_widths) >= FEWEST_CHANNELS for v in variants)
    if given.memory_format != "auto" or not wide:
        # What is still "auto" is channels_last on GPUs alone.
        return given
    return given.model_copy(update={"memory_format": "channels_last"})


class ResolvedExperiment(Spec):
    """An experiment resolved against its catalogue and its data: all that is needed to run and to report it.

    Attributes:
        samples: Recipes that the search tries, as far as they are known.
        choices: By variant, the number of the sample that was chosen; empty before every variant has its choice.
        looks: Verdicts that the record has given before, oldest first.
    """

    experiment: Experiment
    variants: tuple[AnyVariant, ...]
    data: DataInfo
    samples: tuple[Sample, ...] = ()
    choices: dict[Line, int] = Field({})
    looks: tuple[InterimLook, ...] = ()

    @model_validator(mode="after")
    def _search_is_of_this_study(self) -> ResolvedExperiment:
        """A study may come from a file: what it says of a search has to fit its variants and its recipe."""
        names = {variant.name for variant in self.variants}
        known = {(sample.variant, sample.number) for sample in self.samples}
        if self.samples and self.experiment.tune is None:
            raise ValueError("there are samples, and no search")
        if len(known) < len(self.samples) or not {name for name, _ in known} <= names:
            raise ValueError("a sample is of no variant, or stands there twice")
        if self.choices and (self.choices.keys() != names or not set(self.choices.items()) <= known):
            raise ValueError("a choice is none of the samples, or is missing")
        for sample in self.samples:
            with_fields(self.experiment.recipe, sample.fields)
        return self

    def field_values(self) -> dict[str, Any]:
        """What it is made of, to make another; a copy by pydantic would keep the trials that are cached."""
        return {name: getattr(self, name) for name in ResolvedExperiment.model_fields}

    def to_record_json(self) -> str:
        """As it is recorded: without the place of the data, which is this machine's affair."""
        return self.model_dump_json(exclude_defaults=True, exclude={"experiment": {"data": {"root"}}})

    def without_seeds(self) -> dict[str, Any]:
        """What two runs of an experiment share when one adds seeds to the other."""
        return self.model_dump(mode="json", exclude={"experiment": {"seeds": True, "data": {"root"}}, "looks": True})

    def with_experiment_fields(self, **changes: Any) -> ResolvedExperiment:
        """Return a copy whose experiment has other values in some of its fields."""
        return ResolvedExperiment(**{**self.field_values(), "experiment": self.experiment.model_copy(update=changes)})

    def with_looks(self, looks: tuple[InterimLook, ...]) -> ResolvedExperiment:
        """The same with those looks."""
        return ResolvedExperiment(**{**self.field_values(), "looks": looks})

    def with_looks_of(self, before: ResolvedExperiment | None) -> ResolvedExperiment:
        """The same with the looks that were taken when it was run ``before``."""
        return self if before is None or before.looks == self.looks else self.with_looks(before.looks)

    @cached_property
    def trials(self) -> tuple[Trial, ...]:
        """Every (variant, seed) that is compared, variants in their declared order."""
        return tuple(
            self._trial(variant, self.recipe_of(variant.name), seed)
            for variant in self.variants
            for seed in self.experiment.seeds
        )

    @property
    def execution(self) -> Execution:
        """As its trials have it."""
        return resolve_memory_format(self.experiment.execution, self.variants)

    def recipe_of(self, variant: str) -> Recipe:
        """What a variant is compared with: the same for all."""
        return self.experiment.recipe

    def _trial(self, variant: AnyVariant, recipe: Recipe, seed: int, scheduler: Any = None) -> Trial:
        data = self.experiment.data.model_copy(update={"fingerprint": self.data.fingerprint})
        return Trial(variant=variant, data=data, recipe=recipe, seed=seed, scheduler=scheduler)

    @cached_property
    def contrast_variants(self) -> tuple[dict[str, str], ...]:
        """For each declared contrast, the names of the variants it compares."""
        return tuple(contrast.find_variants(self.variants) for contrast in self.experiment.contrasts)

    @cached_property
    def contrast_keys(self) -> tuple[str, ...]:
        """For each declared contrast, a hash over what it compares: by it a look is known again."""
        return tuple(
            comparison_hash(
                contrast.metric if isinstance(contrast, Difference) else contrast.kind,
                (trial for trial in self.trials if trial.variant.name in cells.values()),
            )
            for contrast, cells in zip(self.experiment.contrasts, self.contrast_variants, strict=True)
        )

    @property
    def verdict_count(self) -> int:
        """Verdicts in the experiment: of each contrast one, and where variants are tuned one more at their choices."""
        return len(self.experiment.contrasts) * (1 if self.experiment.tune is None else 2)

    def samples_of(self, variant: str) -> list[Sample]:
        """Those of one variant, by number."""
        return sorted((s for s in self.samples if s.variant == variant), key=lambda sample: sample.number)

    def trials_of(self, sample: Sample) -> tuple[Trial, ...]:
        """A search trial for each seed of the search."""
        tune = self.experiment.tune
        assert tune is not None
        variant = next(v for v in self.variants if v.name == sample.variant)
        named = variant.model_copy(update={"name": f"{variant.name}{SEARCH}{sample.number}"})
        recipe = with_fields(self.experiment.recipe, sample.fields)
        scheduler = tune.scheduler if tune.scheduler != "none" else None
        return tuple(self._trial(named, recipe, seed, scheduler) for seed in tune.seeds)

    @cached_property
    def search_trials(self) -> tuple[Trial, ...]:
        """The trials of all samples. They choose, and are no part of any comparison."""
        return tuple(trial for sample in self.samples for trial in self.trials_of(sample))

    @cached_property
    def tuned(self) -> TunedExperiment | None:
        """The same study with each variant's own recipe; None before all have one."""
        return TunedExperiment(**self.field_values()) if self.choices else None

    @cached_property
    def all_trials(self) -> tuple[Trial, ...]:
        """All trials that there are to run, each once: compared, of the search, and with the choices.

        The last two carry names of their own, by which people and the record tell them apart.
        """
        tuned = self.tuned.trials if self.tuned is not None else ()
        named = [
            trial.model_copy(
                update={"variant": trial.variant.model_copy(update={"name": f"{trial.variant.name}{TUNED}"})}
            )
            for trial in tuned
        ]
        found: dict[str, Trial] = {}
        for trial in (*self.trials, *self.search_trials, *named):
            found.setdefault(trial.id, trial)
        return tuple(found.values())

    @cached_property
    def first_trial_by_variant(self) -> dict[str, Trial]:
        """By the name of each variant, the first of its trials."""
        found: dict[str, Trial] = {}
        for trial in self.all_trials:
            found.setdefault(trial.variant.name, trial)
        return found

    @cached_property
    def compared_variants(self) -> tuple[AnyVariant, ...]:
        """The variants, and under their own names those of which a recipe of their own was chosen."""
        known = {trial.id for trial in self.search_trials}
        named = {trial.variant.name: trial.variant for trial in self.all_trials if trial.id not in known}
        return tuple(named.values())

    def purpose_of(self, trial: Trial) -> str:
        """``common``, ``search`` or ``tuned``: what a trial is for."""
        return self._purposes[trial.id]

    @cached_property
    def _purposes(self) -> dict[str, str]:
        purposes = {trial.id: "tuned" for trial in self.all_trials}
        purposes |= {trial.id: "search" for trial in self.search_trials}
        return purposes | {trial.id: "common" for trial in self.trials}


class TunedExperiment(ResolvedExperiment):
    """A study in which each variant is trained with the recipe that the search chose for it."""

    def recipe_of(self, variant: str) -> Recipe:
        """The chosen one."""
        sample = next(s for s in self.samples if (s.variant, s.number) == (variant, self.choices[variant]))
        return with_fields(self.experiment.recipe, sample.fields)
