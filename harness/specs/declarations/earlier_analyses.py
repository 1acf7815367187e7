"""The recorded analyses of a contrast before the present one: of all its cells, and of some of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.specs.declarations.analysis import Analysis
from harness.specs.declarations.declaration import Declaration, DeclaredContrast
from harness.specs.declarations.declare import cell_hashes, declare
from harness.specs.experiment.interim_looks import InterimLook
from harness.specs.experiment.resolved_experiment import ResolvedExperiment


@dataclass(frozen=True)
class EarlierAnalyses:
    """One contrast of an experiment, with all that the record holds about it before this analysis.

    Attributes:
        cells: Hashes of the compared cells.
        seeds: The recorded seeds of this analysis, rising.
        date: Day of this analysis; empty where the record does not hold it yet.
        declaration: What is declared now.
        contrast: The contrast as it is declared now.
        seen: Earlier reports, oldest first, that showed results of all its cells for some of its seeds.
        related: Earlier reports of this experiment for some of its seeds that showed some of its cells, not all.
        batches: Earlier reports that showed results of all its cells for other seeds only; they lower the level, see
            ``batches.py``. Previews are among them only if these seeds had a preview too.
        looks: Looks of an earlier version at the same comparison.
        study: The experiment.
    """

    study: ResolvedExperiment
    cells: frozenset[str]
    seeds: tuple[int, ...]
    date: str
    declaration: Declaration
    contrast: DeclaredContrast
    seen: tuple[Analysis, ...]
    related: tuple[Analysis, ...]
    batches: tuple[Analysis, ...]
    looks: tuple[InterimLook, ...]

    def declaration_of(self, analysis: Analysis) -> Declaration | None:
        """Return what was declared when an analysis was made; None where the file that holds it was changed."""
        return next((d for d in self.study.declarations if d.digest == analysis.declaration), None)

    @property
    def first(self) -> Declaration | None:
        """The first declaration under which results of these cells and seeds were seen; None if they never were."""
        return self.declaration_of(self.seen[0]) if self.seen else None


def find_earlier(study: ResolvedExperiment, index: int, seeds: Iterable[int]) -> EarlierAnalyses:
    """Return a contrast with the analyses that were made before it.

    Args:
        study: An experiment on one data set, or the view of one.
        index: Index of the contrast.
        seeds: The seeds with a recorded trial of a compared variant.
    """
    declaration = declare(study)
    contrast, cells = declaration.contrasts[index], cell_hashes(study, study.contrast_variants[index].values())
    own_seeds = tuple(sorted(seeds))
    own = set(own_seeds)
    # The test of these seeds, if it was made; otherwise their preview.
    keys = [(contrast.key, declaration.digest, cells, own_seeds, is_preview) for is_preview in (False, True)]
    recorded = [analysis.key for analysis in study.analyses]
    position = next((recorded.index(key) for key in keys if key in recorded), None)
    date = "" if position is None else study.analyses[position].date
    earlier: list[Analysis] = list(study.analyses[:position])
    seen = tuple(a for a in earlier if set(cells) <= set(a.seen) and own & set(a.seeds))
    # Of several previewed batches, an experimenter can complete the most promising one. A batch without a preview was
    # not chosen by its own results, whatever the previews of others showed.
    was_previewed = any(analysis.is_preview for analysis in seen)
    return EarlierAnalyses(
        study,
        frozenset(cells),
        own_seeds,
        date,
        declaration,
        contrast,
        seen,
        tuple(
            a
            for a in earlier
            if a.experiment == study.experiment.name
            and not set(cells) <= set(a.seen)
            and set(cells) & set(a.seen)
            and own & set(a.seeds)
        ),
        tuple(
            a
            for a in earlier
            if set(cells) <= set(a.seen) and not own & set(a.seeds) and (was_previewed or not a.is_preview)
        ),
        tuple(look for look in study.looks if look.cells == study.contrast_keys[index]),
    )
