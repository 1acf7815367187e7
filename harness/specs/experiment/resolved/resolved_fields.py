"""The fields of a resolved experiment, checked against each other, and their form in the record."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field, field_serializer, field_validator, model_validator

from harness.specs.declarations.analysis import Analysis
from harness.specs.declarations.declaration import Declaration
from harness.specs.experiment.data import DataInfo, DataSpec, exclude_from_data
from harness.specs.experiment.execution import Execution
from harness.specs.experiment.experiment import Experiment
from harness.specs.experiment.interim_looks import InterimLook
from harness.specs.experiment.resolved.memory_format import resolve_memory_format
from harness.specs.experiment.search_space import Sample, with_fields
from harness.specs.identity import Spec
from harness.specs.network.any_variant import AnyVariant
from harness.text import Line


class ResolvedFields(Spec):
    """An experiment with its variants, facts about its data, and what its search and its record hold.

    Attributes:
        variants: With the channels and classes of the first data set.
        data_sets: Facts about each data set, in their declared order.
        samples: Recipes that the search tries, as far as they are drawn.
        choices: Number of the chosen sample of each variant; empty until all variants have one.
        looks: Interim looks that the record of an earlier version holds, oldest first.
        declarations: What was declared when the analyses were made, each once.
        analyses: Analyses that the record holds, oldest first; also those of other experiments with the same cells.
        family_data_sets: In a view, the number of data sets whose verdicts share the level; otherwise 1.
        decided_elsewhere: In a view, the number of decided verdicts on other data sets, which leave their level to it.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    experiment: Experiment
    variants: tuple[AnyVariant, ...]
    data_sets: Annotated[tuple[DataInfo, ...], Field(min_length=1)] = Field(alias="data")
    samples: tuple[Sample, ...] = ()
    choices: dict[Line, int] = Field({})
    looks: tuple[InterimLook, ...] = ()
    declarations: tuple[Declaration, ...] = ()
    analyses: tuple[Analysis, ...] = ()
    family_data_sets: int = 1
    decided_elsewhere: int = Field(0, exclude=True)

    @field_validator("data_sets", mode="before")
    @classmethod
    def _accept_one_data_set(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list | tuple) else (value,)

    @field_serializer("data_sets", mode="wrap")
    def _serialize_one_data_set(self, value: Any, handler: Any) -> Any:
        """Return the facts of a single data set without a list around them, as earlier versions recorded them."""
        facts = handler(value)
        return facts[0] if len(facts) == 1 else facts

    @model_validator(mode="after")
    def _check_data_sets(self) -> ResolvedFields:
        """Check the facts against the declared data sets, because a file may bring them."""
        declared, known = [spec.name for spec in self.experiment.data_sets], [info.name for info in self.data_sets]
        if declared != known:
            raise ValueError("it must contain the facts of each data set that the experiment declares")
        return self

    @model_validator(mode="after")
    def _check_search(self) -> ResolvedFields:
        """Check samples and choices against variants and recipe, because a file may bring them."""
        names = {variant.name for variant in self.variants}
        keys = {(sample.variant, sample.number) for sample in self.samples}
        if self.samples and self.experiment.tune is None:
            raise ValueError("it contains samples of a search, but the experiment declares no search")
        if len(keys) < len(self.samples) or not {name for name, _ in keys} <= names:
            raise ValueError("it contains a sample twice, or a sample of a variant that it does not have")
        if self.choices and (self.choices.keys() != names or not set(self.choices.items()) <= keys):
            raise ValueError("it must contain one choice for each variant, and each must be one of the samples")
        for sample in self.samples:
            with_fields(self.experiment.recipe, sample.fields)
        return self

    @property
    def data(self) -> DataInfo:
        """Facts about its data set, which must be the only one; a view has one."""
        (info,) = self.data_sets
        return info

    @property
    def data_spec(self) -> DataSpec:
        """Its declared data set, which must be the only one."""
        (spec,) = self.experiment.data_sets
        return spec

    @property
    def located_data_sets(self) -> tuple[DataSpec, ...]:
        """Its declared data sets, each with its fingerprint, as trials load them."""
        pairs = zip(self.experiment.data_sets, self.data_sets, strict=True)
        return tuple(spec.model_copy(update={"fingerprint": info.fingerprint}) for spec, info in pairs)

    def to_record_json(self) -> str:
        """Return it as JSON for the record.

        The directory of the data differs between machines, and the names of the classes come from its files.
        """
        return self.model_dump_json(
            exclude_defaults=True,
            exclude={
                "experiment": {"data": exclude_from_data(self.experiment.data, "root")},
                "data_sets": {"__all__": {"class_names"}},
            },
        )

    @property
    def execution(self) -> Execution:
        """Execution settings of its trials, with the memory format resolved."""
        return resolve_memory_format(self.experiment.execution, self.variants)

    def samples_of(self, variant: str) -> list[Sample]:
        """Return the samples of one variant, by number."""
        return sorted((s for s in self.samples if s.variant == variant), key=lambda sample: sample.number)
