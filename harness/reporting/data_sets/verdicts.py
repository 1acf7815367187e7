"""The verdicts over several data sets: one for each contrast and data set, and how many of them agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from harness.reporting.answer_lines import AnswerLines, write_answer_lines
from harness.reporting.formatting import format_quantity, join_words
from harness.reporting.verdicts.decision import decide_contrasts
from harness.reporting.verdicts.verdict import Verdict, VerdictState
from harness.specs import ResolvedExperiment
from harness.tracking.results_table import Results

STATES: tuple[VerdictState, ...] = ("supported", "contradicted", "undecided")
DecideContrasts = Callable[[Results], list[Verdict]]


@dataclass(frozen=True)
class DataSetVerdicts:
    """The verdicts on one contrast, one for each data set.

    Attributes:
        verdicts: By the name of the data set, in the declared order.
        level: Level of all verdicts of the experiment together.
        family: Number of these verdicts.
    """

    verdicts: dict[str, Verdict]
    level: float
    family: int

    @property
    def title(self) -> str:
        """The claim, in a few words."""
        return next(iter(self.verdicts.values())).title

    @property
    def state(self) -> VerdictState:
        """The state that all data sets have; undecided where they differ."""
        states = {verdict.state for verdict in self.verdicts.values()}
        return states.pop() if len(states) == 1 else "undecided"

    def list_data_sets(self, state: VerdictState) -> list[str]:
        """Return the names of the data sets whose verdict is ``state``."""
        return [name for name, verdict in self.verdicts.items() if verdict.state == state]

    @property
    def answer(self) -> str:
        """A sentence with the number of data sets that support the claim, and the states of the others."""
        total = format_quantity(len(self.verdicts), "data set")
        names = {state: self.list_data_sets(state) for state in STATES}
        parts = [f"supported on {len(names['supported'])} of {total}"]
        parts += [f"{state} on {join_words(names[state])}" for state in ("contradicted", "undecided") if names[state]]
        return f"{self.title}: {', '.join(parts)}."

    @property
    def rule(self) -> str:
        """The rule by which the verdicts share the level, and the meaning of the whole, in words."""
        return (
            f"Each data set has its own verdict. The {self.family} verdicts share the level of {self.level:g} by "
            "Holm's method. The whole counts the data sets on which the contrast is supported. It is a statement on "
            "these data sets, and not on others."
        )


def decide_data_sets(results: Results) -> list[DataSetVerdicts]:
    """Return the verdicts of an experiment with several data sets, by contrast in their declared order."""
    study = results.study
    by_data_set = dict(zip((view.data.title for view in study.views), decide_views(results), strict=True))
    return [
        DataSetVerdicts(
            {
                title: next(verdict for verdict in verdicts if verdict.contrast == contrast)
                for title, verdicts in by_data_set.items()
            },
            study.experiment.level,
            study.verdict_count,
        )
        for contrast in study.experiment.contrasts
    ]


def decide_views(results: Results, decide: DecideContrasts = decide_contrasts) -> list[list[Verdict]]:
    """Return the verdicts on each data set of an experiment; see :func:`decide_together`."""
    return decide_together(results.views, decide)


def decide_together(views: Sequence[Results], decide: DecideContrasts = decide_contrasts) -> list[list[Verdict]]:
    """Return the verdicts of one experiment on each data set, by Holm's method over the verdicts on all of them.

    A verdict that passes leaves its share of the level to those that are open, also to those on other data sets.
    Supporting and contradicting are two families, as within one data set.

    Args:
        views: The results on each data set.
        decide: Decides the contrasts on one data set.
    """
    if len(views) == 1:
        return [decide(views[0])]
    supported = _step_down(views, "supported", decide)
    contradicted = _step_down(views, "contradicted", decide)
    return [
        [_choose(a, b) for a, b in zip(at_support, at_contradiction, strict=True)]
        for at_support, at_contradiction in zip(supported, contradicted, strict=True)
    ]


def _step_down(views: Sequence[Results], state: VerdictState, decide: DecideContrasts) -> list[list[Verdict]]:
    """Return the verdicts on each data set at the level that the verdicts with ``state`` on the others leave."""
    passed = [0] * len(views)
    while True:
        decided = [
            decide(replace(view, study=_with_decided(view.study, sum(passed) - own)))
            for view, own in zip(views, passed, strict=True)
        ]
        now = [sum(verdict.state == state for verdict in verdicts) for verdicts in decided]
        if now == passed:
            return decided
        # More verdicts pass at a larger level, so the numbers only rise.
        passed = [max(before, after) for before, after in zip(passed, now, strict=True)]


def _with_decided(study: ResolvedExperiment, others: int) -> ResolvedExperiment:
    return study if study.decided_elsewhere == others else study.replace(decided_elsewhere=others)


def _choose(at_support: Verdict, at_contradiction: Verdict) -> Verdict:
    """Return the verdict from its decision at the level for support and at the level for contradiction."""
    if at_support.state == "supported" or at_contradiction.state != "contradicted":
        # A contradiction that only the level for support reaches does not count.
        return at_contradiction if at_support.state == "contradicted" else at_support
    return at_contradiction


def write_lines(results: Results) -> AnswerLines:
    """Return the two lines that answer the question of an experiment with one or several data sets."""
    if len(results.study.data_sets) == 1:
        return write_answer_lines(results, decide_contrasts(results))
    several = decide_data_sets(results)
    return AnswerLines(join_answers(several), describe_certainty(results.study, several))


def join_answers(several: Sequence[DataSetVerdicts]) -> str:
    """Return the answer of each contrast, one after the other."""
    return " ".join(verdicts.answer for verdicts in several) or "No contrast is declared, so there is no verdict."


def describe_certainty(study: ResolvedExperiment, several: Sequence[DataSetVerdicts]) -> str:
    """Return how sure the answer is, in a sentence of plain text: seeds, data sets, budget and level."""
    numbers = sorted({verdict.n for verdicts in several for verdict in verdicts.verdicts.values()})
    n = " to ".join(map(str, dict.fromkeys([*numbers[:1], *numbers[-1:]])))
    seeds = f"n = {n} pairs of seeds" if numbers else format_quantity(len(study.experiment.seeds), "seed")
    level = f"; {several[0].family} verdicts share the level of {several[0].level:g}" if several else ""
    exploratory = sum(bool(verdict.exploratory) for verdicts in several for verdict in verdicts.verdicts.values())
    warning = f" {format_quantity(exploratory, 'verdict')} {'is' if exploratory == 1 else 'are'} exploratory."
    return (
        f"{seeds} on each of {len(study.data_sets)} data sets "
        f"({join_words(info.title for info in study.data_sets)}), within "
        f"{format_quantity(study.experiment.recipe.epochs, 'epoch')}{level}.{warning if exploratory else ''}"
    )


def select_verdicts(verdicts: Sequence[Verdict], data_set: str = "") -> list[Verdict]:
    """Return from the verdicts of a report those on the data set of this name, or those over all data sets.

    In a report on one data set, all of its verdicts are both.
    """
    has_several = any(verdict.data_set for verdict in verdicts)
    return [verdict for verdict in verdicts if not has_several or verdict.data_set == data_set]


def list_verdicts(several: DataSetVerdicts) -> list[Verdict]:
    """Return the verdict over all data sets, which has no tests of its own, and those on each data set."""
    first = next(iter(several.verdicts.values()))
    whole = replace(
        first,
        state=several.state,
        answer=several.answer,
        conclusion=several.rule,
        certainty=f"{len(several.verdicts)} data sets; {several.family} verdicts share the level of {several.level:g}.",
        exploratory=next((v.exploratory for v in several.verdicts.values() if v.exploratory), ""),
        components=(),
        n=min(verdict.n for verdict in several.verdicts.values()),
        p=None,
        p_adjusted=None,
        p_opposite_adjusted=None,
        seeds_to_decide=None,
        notes=(),
        caveats=(),
        diverged=(),
        missing=(),
        without_failures=None,
        first=None,
        stage=None,
    )
    own = [
        replace(verdict, title=f"{verdict.title}, on {name}", answer=f"{name}: {verdict.answer}", data_set=name)
        for name, verdict in several.verdicts.items()
    ]
    return [whole, *own]
