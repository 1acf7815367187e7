"""The verdict on one declared contrast, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.reporting.verdicts.component import Component
from harness.specs import Contrast

VerdictState = Literal["supported", "contradicted", "undecided"]


@dataclass(frozen=True)
class StageSummary:
    """At which of its declared stages a contrast was decided.

    Attributes:
        stages: Declared numbers of seeds at which it is analysed, rising.
        analysed: Those that were reached.
        decided_at: The one that decided; None while it is undecided.
        most: Seeds of the last stage, which a design without stages would train.
        level: Level of all stages together at which it was decided, after Holm's correction; as long as it is
            undecided, that at which its claim was tested last.
    """

    stages: tuple[int, ...]
    analysed: tuple[int, ...]
    decided_at: int | None
    most: int
    level: float


@dataclass(frozen=True)
class SeedsNeeded:
    """The number of seeds that would decide a verdict, as a range over what the standard deviation may be.

    Attributes:
        low: Seeds at the lower end of the interval of the standard deviation.
        likely: Seeds at the standard deviation that was seen.
        high: Seeds at the upper end.
        power: Chance that so many seeds decide the verdict if the effect is real.
        effect: Smallest effect of interest that they find, in percentage points.
    """

    low: int
    likely: int
    high: int
    power: float
    effect: float


@dataclass(frozen=True)
class Verdict:
    """The verdict on one declared contrast, always within the experiment's budget. All text is plain, not Markdown.

    Attributes:
        title: The claim, in a few words.
        kind: ``degradation``, ``difference`` or ``time_to_target``.
        state: ``supported``, ``contradicted`` or ``undecided``.
        conclusion: The verdict to quote, with its budget, its numbers and its n.
        components: The tested effects that it rests on.
        n: Pairs of the component that has fewest, at the stage that decides or at the last one reached.
        level: Level of the claim before Holm's correction. Declared interim looks share the experiment's level. A
            directional difference spends three quarters of its level on the claim and one quarter on the opposite. A
            further batch of seeds has a part of the level.
        p: p of the claim: the largest p of its components. None below 8 seeds.
        p_adjusted: p of the claim for the whole level: each outcome's p divided by its share, then corrected by Holm
            over the experiment's verdicts. The claim is supported if it is at most the level of the look. None below 8
            seeds, and with ``decide``, where each stage has a level of its own: :attr:`stage` has the level instead.
        p_opposite_adjusted: The same for the outcomes that contradict the claim.
        seeds_to_decide: Seeds that would decide the verdict. Only for an undecided verdict with 8 seeds or more, and
            None where more images or another recipe are needed instead.
        notes: Facts about its trials: diverged and missing ones, incomplete pairs.
        diverged: Its trials that diverged.
        missing: Its trials that are not in the record.
        exploratory: Why the verdict is only exploratory, in a sentence; empty where it was declared as it is.
        first: The verdict under the first declaration, where the declaration was changed after results were seen.
        earlier_batches: The batches of other seeds with which the comparison was analysed before, each in words.
        batches: Number of earlier batches by which its level is lowered: the most of all contrasts of the experiment.
        untrained: Its variants that are untrainable under this recipe: they stay at the loss and error of guessing.
        untrained_trials: Its trials that stay there, of these variants and of others.
        without_failures: The verdict without diverged seeds and untrained variants, where there are any.
        with_failures_state: Its state with all trials, where the verdict is undecided because the two differ.
        stage: At which declared stage it was decided; None where the experiment declares no stages.
        margin_reason: Why the margin is what it is, as declared; empty where no reason is given.
        answer: One short sentence that answers the contrast.
        certainty: One short sentence that says how sure the answer is.
        caveats: What limits the answer, the most important first, each a sentence.
        contrast: The declared contrast.
        at_tuned_recipes: Whether it is on the trials with the recipes that a search chose.
        data_set: Name of its data set in a report on several data sets; empty for the verdict over all of them, and
            where there is only one.
    """

    title: str
    kind: str
    state: VerdictState
    conclusion: str
    components: tuple[Component, ...]
    n: int
    level: float
    p: float | None
    p_adjusted: float | None
    p_opposite_adjusted: float | None
    seeds_to_decide: SeedsNeeded | None
    notes: tuple[str, ...]
    diverged: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    exploratory: str = ""
    first: Verdict | None = None
    earlier_batches: tuple[str, ...] = ()
    batches: int = 0
    untrained: tuple[str, ...] = ()
    untrained_trials: tuple[str, ...] = ()
    without_failures: Verdict | None = None
    with_failures_state: VerdictState | None = None
    stage: StageSummary | None = None
    margin_reason: str = ""
    answer: str = ""
    certainty: str = ""
    caveats: tuple[str, ...] = ()
    contrast: Contrast | None = None
    at_tuned_recipes: bool = False
    data_set: str = ""

    @property
    def decisive_p(self) -> float | None:
        """p by Holm's method of what the verdict says: of the opposite where it is contradicted, else of the claim.

        None where it rests on untrainable variants, because then it says nothing.
        """
        if self.untrained:
            return None
        return self.p_opposite_adjusted if self.state == "contradicted" else self.p_adjusted

    @property
    def remarks(self) -> tuple[str, ...]:
        """The caveats that the conclusion does not have, and the notes: what to show below a conclusion by itself."""
        return (*(caveat for caveat in self.caveats if caveat not in self.conclusion), *self.notes)
