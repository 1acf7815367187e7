"""The resolved experiment: an experiment with its variants and data, and all trials that follow from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

from harness.specs.experiment.contrasts import Contrast, Difference
from harness.specs.experiment.interim_looks import comparison_hash
from harness.specs.experiment.recipe import Recipe
from harness.specs.experiment.resolved.resolved_fields import ResolvedFields
from harness.specs.experiment.resolved.variant_suffixes import DATA_SUFFIX, SEARCH_SUFFIX, TUNED_SUFFIX
from harness.specs.experiment.search_space import Sample, with_fields
from harness.specs.experiment.targets import TimeToTarget
from harness.specs.experiment.trial import Trial
from harness.specs.network.any_variant import AnyVariant
from harness.specs.replication.assign_streams import assign_streams, replication_key


def _measure_of(contrast: Contrast) -> str:
    """Return what a contrast compares, by which its analyses are found."""
    if isinstance(contrast, TimeToTarget):
        return contrast.measure
    return contrast.metric if isinstance(contrast, Difference) else contrast.kind


class ResolvedExperiment(ResolvedFields):
    """An experiment with its variants and its data: everything needed to run it and to report it.

    With several data sets, :attr:`views` has one experiment for each. Each view is an ordinary experiment on one data
    set, with the same trials; code that knows one data set works on a view.
    """

    def replace(self, **changes: Any) -> ResolvedExperiment:
        """Return a copy with some fields replaced.

        Unlike pydantic's copy it has no cached trials of the original.
        """
        return ResolvedExperiment(**{**self._field_values(), **changes})

    def _field_values(self) -> dict[str, Any]:
        return {field.alias or name: getattr(self, name) for name, field in ResolvedExperiment.model_fields.items()}

    @cached_property
    def views(self) -> tuple[ResolvedExperiment, ...]:
        """The experiment on each of its data sets; itself where it has only one."""
        if len(self.data_sets) == 1:
            return (self,)
        return tuple(
            self.replace(
                experiment=self.experiment.model_copy(update={"data": spec}),
                variants=tuple(
                    variant.model_copy(update={"in_channels": info.channels, "classes": info.classes})
                    for variant in self.variants
                ),
                data=info,
                family_data_sets=len(self.data_sets),
            )
            for spec, info in zip(self.experiment.data_sets, self.data_sets, strict=True)
        )

    def view_of(self, trial: Trial) -> ResolvedExperiment:
        """Return the view with the data set of a trial."""
        return self if len(self.data_sets) == 1 else self._view_by_trial[trial.id]

    @cached_property
    def _view_by_trial(self) -> dict[str, ResolvedExperiment]:
        return {trial.id: view for view in self.views for trial in view.all_trials}

    def with_looks_of(self, previous: ResolvedExperiment | None) -> ResolvedExperiment:
        """Return a copy with the interim looks and analyses of its previous run, if there was one."""
        if previous is None or (previous.looks, previous.analyses) == (self.looks, self.analyses):
            return self
        return self.replace(looks=previous.looks, declarations=previous.declarations, analyses=previous.analyses)

    @cached_property
    def trials(self) -> tuple[Trial, ...]:
        """The compared trials: one for each variant and seed, with variants in their declared order.

        With several data sets, those of each data set, under variants whose names end with it (:data:`DATA_SUFFIX`).
        """
        if len(self.data_sets) > 1:
            return self._join_views(lambda view: view.trials)
        return tuple(
            self._make_trial(variant, self.recipe_of(variant.name), seed)
            for variant in self.variants
            for seed in self.experiment.seeds
        )

    def _join_views(self, select: Callable[[ResolvedExperiment], Iterable[Trial]]) -> tuple[Trial, ...]:
        """Return trials of all views, under variants whose names end with the data set."""
        return tuple(
            trial.model_copy(update={"variant": view.named_for_data(trial.variant)})
            for view in self.views
            for trial in select(view)
        )

    def named_for_data(self, variant: AnyVariant) -> AnyVariant:
        """Return a variant of a view under the name that it has among the trials of all data sets."""
        return variant.model_copy(update={"name": f"{variant.name}{DATA_SUFFIX}{self.data.title}"})

    def recipe_of(self, variant: str) -> Recipe:
        """Return the recipe of a variant's compared trials: the common recipe."""
        return self.experiment.recipe

    def _make_trial(self, variant: AnyVariant, recipe: Recipe, seed: int, scheduler: Any = None) -> Trial:
        (data,) = self.located_data_sets
        trial = Trial(variant=variant, data=data, recipe=recipe, seed=seed, scheduler=scheduler)
        return assign_streams(trial, self.experiment)

    @cached_property
    def contrast_variants(self) -> tuple[dict[str, str], ...]:
        """For each declared contrast, the names of the compared variants by role."""
        return tuple(contrast.find_variants(self.variants) for contrast in self.experiment.contrasts)

    @cached_property
    def contrast_keys(self) -> tuple[str, ...]:
        """For each declared contrast, the hash of its comparison, by which its interim looks are found.

        With several data sets, the hashes of one view after the other.
        """
        if len(self.data_sets) > 1:
            return tuple(key for view in self.views for key in view.contrast_keys)
        return tuple(
            comparison_hash(
                _measure_of(contrast) + replication_key(self.experiment),
                (trial for trial in self.trials if trial.variant.name in names.values()),
            )
            for contrast, names in zip(self.experiment.contrasts, self.contrast_variants, strict=True)
        )

    @property
    def verdict_count(self) -> int:
        """Number of verdicts: one for each contrast and data set, and with a search another at the chosen recipes."""
        data_sets = max(len(self.data_sets), self.family_data_sets)
        return len(self.experiment.contrasts) * data_sets * (1 if self.experiment.tune is None else 2)

    @property
    def open_verdict_count(self) -> int:
        """Number of verdicts that share the level, without those that are decided on other data sets."""
        return self.verdict_count - self.decided_elsewhere

    def trials_of(self, sample: Sample) -> tuple[Trial, ...]:
        """Return the search trials of one sample, one for each seed of the search."""
        tune = self.experiment.tune
        assert tune is not None
        variant = next(v for v in self.variants if v.name == sample.variant)
        named = variant.model_copy(update={"name": f"{variant.name}{SEARCH_SUFFIX}{sample.number}"})
        recipe = with_fields(self.experiment.recipe, sample.fields)
        scheduler = tune.scheduler if tune.scheduler != "none" else None
        return tuple(self._make_trial(named, recipe, seed, scheduler) for seed in tune.seeds)

    @cached_property
    def search_trials(self) -> tuple[Trial, ...]:
        """The trials of all samples. They choose recipes and are not part of any comparison."""
        return tuple(trial for sample in self.samples for trial in self.trials_of(sample))

    @cached_property
    def tuned(self) -> TunedExperiment | None:
        """This experiment with the chosen recipe of each variant; None until all variants have one."""
        return TunedExperiment(**self._field_values()) if self.choices else None

    @cached_property
    def all_trials(self) -> tuple[Trial, ...]:
        """All trials to run, each once: the compared ones, those of the search, and those with chosen recipes.

        The variants of the last two kinds have names with a suffix, so that users can distinguish them. So have all
        variants where there are several data sets.
        """
        if len(self.data_sets) > 1:
            return self._join_views(lambda view: view.all_trials)
        tuned = self.tuned.trials if self.tuned is not None else ()
        renamed = [
            trial.model_copy(
                update={"variant": trial.variant.model_copy(update={"name": f"{trial.variant.name}{TUNED_SUFFIX}"})}
            )
            for trial in tuned
        ]
        trials_by_id: dict[str, Trial] = {}
        for trial in (*self.trials, *self.search_trials, *renamed):
            trials_by_id.setdefault(trial.id, trial)
        return tuple(trials_by_id.values())

    @cached_property
    def first_trial_by_variant(self) -> dict[str, Trial]:
        """The first of all trials of each variant, by the variant's name."""
        first_trials: dict[str, Trial] = {}
        for trial in self.all_trials:
            first_trials.setdefault(trial.variant.name, trial)
        return first_trials

    @cached_property
    def compared_variants(self) -> tuple[AnyVariant, ...]:
        """The variants, followed by those with a chosen recipe under names with a suffix."""
        search_ids = {trial.id for trial in self.search_trials}
        variants = {trial.variant.name: trial.variant for trial in self.all_trials if trial.id not in search_ids}
        return tuple(variants.values())

    def purpose_of(self, trial: Trial) -> str:
        """Return ``common``, ``search`` or ``tuned``: compared, part of the search, or with a chosen recipe."""
        return self._purposes[trial.id]

    @cached_property
    def _purposes(self) -> dict[str, str]:
        purposes = {trial.id: "tuned" for trial in self.all_trials}
        purposes |= {trial.id: "search" for trial in self.search_trials}
        return purposes | {trial.id: "common" for trial in self.trials}


class TunedExperiment(ResolvedExperiment):
    """A resolved experiment in which each variant is trained with the recipe that the search chose for it."""

    def recipe_of(self, variant: str) -> Recipe:
        """Return the recipe that was chosen for a variant."""
        sample = next(s for s in self.samples if (s.variant, s.number) == (variant, self.choices[variant]))
        return with_fields(self.experiment.recipe, sample.fields)
