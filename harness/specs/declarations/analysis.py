"""Analyses: when which contrast was tested on which seeds, under which declaration, and with which result."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field

from harness.specs.declarations.declaration import Declaration
from harness.specs.experiment.experiment import Name
from harness.specs.experiment.interim_looks import MOST_SEEDS
from harness.specs.identity import Spec
from harness.specs.number_types import Seed

Hash: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]+$", max_length=64)]
Time: TypeAlias = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00$", max_length=40)]

TOO_FEW_SEEDS: Final = "too few seeds"
"""The state of a contrast whose results a report showed without a test, because it had too few seeds for one."""
State: TypeAlias = Literal["supported", "contradicted", "undecided", "too few seeds"]


class Analysis(Spec):
    """One look at the results of one contrast, as the record keeps it: a test, or a preview with too few seeds for it.

    Attributes:
        contrast: The key of the declared contrast, see :attr:`DeclaredContrast.key`.
        declaration: The digest of the declaration that held at that time.
        cells: Hashes of what was compared: each variant with its data and its recipe, without seeds and names.
        seen: Hashes of all cells of the experiment, because the report showed the results of all of them.
        seeds: The seeds that were recorded at that time, rising.
        state: ``supported``, ``contradicted`` or ``undecided``; :data:`TOO_FEW_SEEDS` for a preview.
        at: When it was made first: date and time in UTC, ISO 8601.
        stage: Number of seeds of the stage of an adaptive run; None for a report.
        experiment: Name of the experiment.
    """

    contrast: Hash
    declaration: Hash
    cells: tuple[Hash, ...]
    seen: tuple[Hash, ...]
    seeds: tuple[Seed, ...]
    state: State
    at: Time
    stage: Annotated[int, Field(gt=0, le=MOST_SEEDS)] | None = None
    experiment: Name

    @property
    def key(self) -> tuple[object, ...]:
        """The key of an analysis: contrast, declaration, cells, seeds, and whether it is a preview.

        One with an equal key adds nothing. A test is no repetition of a preview of the same seeds, in which a trial of
        one variant was missing.
        """
        return (self.contrast, self.declaration, self.cells, self.seeds, self.is_preview)

    @property
    def is_preview(self) -> bool:
        """Whether it showed results without a test."""
        return self.state == TOO_FEW_SEEDS

    @property
    def date(self) -> str:
        """The day on which it was made first, such as 2026-11-27."""
        return self.at[:10]


class AnalysisLog(Spec):
    """Analyses with the declarations that they refer to. The record keeps one file of this form per report or stage."""

    declarations: tuple[Declaration, ...] = ()
    analyses: tuple[Analysis, ...] = ()


def merge_logs(logs: Iterable[AnalysisLog]) -> AnalysisLog:
    """Return one log with each declaration and each analysis once, analyses oldest first.

    Of equal analyses the oldest one stays, so that an analysis keeps its date when it is made again.
    """
    declarations: dict[str, Declaration] = {}
    analyses: dict[tuple[object, ...], Analysis] = {}
    logs = list(logs)
    for log in logs:
        for declaration in log.declarations:
            declarations.setdefault(declaration.digest, declaration)
    for analysis in sorted((a for log in logs for a in log.analyses), key=lambda analysis: analysis.at):
        analyses.setdefault(analysis.key, analysis)
    used = {analysis.declaration for analysis in analyses.values()}
    return AnalysisLog(
        declarations=tuple(d for identity, d in declarations.items() if identity in used),
        analyses=tuple(analyses.values()),
    )


def current_time() -> str:
    """Return the time now as analyses record it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
