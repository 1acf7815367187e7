"""Several seeds in one job: each trial has its own end, and comes out as in an undisturbed job, bit for bit."""

import json
import math
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from execution.test_runner import Death, _after, _die, _untimed
from trial_helpers import QUIET, untimed

from harness.api import Settings, collect, load_resolved_experiment, plan, run
from harness.api.rerun import rerun
from harness.errors import HarnessError
from harness.execution import runner as jobs
from harness.execution.attempts import read_attempts
from harness.execution.runner import TrialGroup, group_of, run_group
from harness.experiments.planning.plan import PlannedTrial
from harness.experiments.planning.seed_grouping import AUTO_SEEDS, group_seeds, grouping_obstacles, seeds_per_group
from harness.io.checkpoint_names import list_checkpoints
from harness.io.storage import Folder
from harness.specs import Execution, Recipe, Resources, Trial
from harness.tracking.history import find_ensemble_seeds, read_newest_history
from harness.tracking.record import open_checkpoint_folder
from harness.training.checkpoint import KEPT
from harness.trials.rerun import DebugLauncher, first_difference

SEEDS = (100, 101, 102)
EVERY_STEP = {"checkpoint_seconds": 0}
TOGETHER = {"seeds_together": 3, **EVERY_STEP}


@pytest.fixture
def job(quick_study, tmp_path):
    """A job of three seeds, 8 steps in 2 epochs; each call in folders of its own, but for those of ``of``."""
    count = iter(range(1000))
    first = quick_study().trials[4]

    def make(recipe=None, execution=EVERY_STEP, launch="one", of=None, company=SEEDS):
        place = Folder.from_location(tmp_path / f"job-{next(count)}")
        fields = {"variant": first.variant, "data": first.data}
        fields["recipe"] = Recipe(**{**first.recipe.model_dump(), **(recipe or {})})
        trials = [Trial(seed=seed, **fields) for seed in SEEDS]
        folders = (
            [open_checkpoint_folder(one) for one in of.each] if of is not None else [place / trial.id for trial in trials]
        )
        return group_of(
            [
                TrialGroup(trial, Execution(**execution), Resources(), folder, "", "", launch, False, (8, 8), "")
                for trial, folder in zip(trials, folders, strict=True)
                if trial.seed in company
            ],
            SEEDS,
        )

    return make


def histories(job):
    return [read_newest_history(open_checkpoint_folder(one), one.trial.id) for one in job.each]


def finished(job, outcomes=("finished",) * 3):
    """What its trials measured, once each has had its last progress and no more."""
    last = [p for p in run_group(job) if p.outcome != "running"]
    assert sorted(p.trial for p in last) == sorted(one.trial.id for one in job.each)
    by_trial = {p.trial: p for p in last}
    assert tuple(by_trial[one.trial.id].outcome for one in job.each) == outcomes, last
    return [_untimed(history) for history in histories(job)]


def test_each_trial_has_its_own_record(job):
    done = job()
    rows = finished(done)
    assert [[epoch for epoch, _ in each] for each in rows] == [[0, 1, 2]] * 3
    assert len({json.dumps(each, default=str) for each in rows}) == 3
    for one, history in zip(done.each, histories(done), strict=True):
        assert (history.trial.seed, find_ensemble_seeds(history), history.provenance["shared"]) == (
            one.trial.seed,
            SEEDS,
            True,
        )
        assert [a.ended for a in read_attempts(open_checkpoint_folder(one))] == ["finished"]
        # Its own tensors, not those of the company.
        alone = replace(one, beside=(), company=(), folder=Folder(f"{open_checkpoint_folder(one)}-alone"))
        list(run_group(alone))
        ours, theirs = (folder.file_size(list_checkpoints(folder)[0].name) for folder in (open_checkpoint_folder(one), alone.folder))
        assert ours == pytest.approx(theirs, rel=0.05)


def test_a_trial_alone_says_nothing_of_company(job):
    (one, *_) = job().each
    alone = replace(one, beside=(), company=(), shared=False)
    list(run_group(alone))
    history = read_newest_history(alone.folder, alone.trial.id)
    assert "together" not in history.provenance and find_ensemble_seeds(history) == ()


@pytest.mark.parametrize("recipe", [{}, {"augment": "crop-flip", "crop_padding": 1, "clip_grad_norm": 0.5}])
def test_killed_at_any_step_it_ends_the_same(job, recipe):
    whole = finished(job(recipe))
    disturbed = job(recipe)
    for calls in (3, 4, 5, 6):
        with pytest.raises(Death):
            list(run_group(disturbed, _after(calls, _die)))
    assert finished(disturbed) == whole
    for one in disturbed.each:
        starts = [(a.epoch, a.step) for a in read_attempts(open_checkpoint_folder(one))]
        assert starts == sorted(starts) and starts[-1] > (0, 1), starts


@pytest.mark.parametrize("writes", [1, 2, 3, 5, 8, 11])
def test_killed_between_two_checkpoints_of_one_moment_it_ends_the_same(job, writes, monkeypatch):
    """Three are written at each; who is one ahead goes back, and no epoch stands there twice."""
    whole = finished(job())
    disturbed = job()
    original, left = jobs.Folder.write, iter(range(writes))

    def dying(self, name, content):
        if name.startswith("checkpoint") and next(left, None) is None:
            raise Death
        original(self, name, content)

    with monkeypatch.context() as patched, pytest.raises(Death):
        patched.setattr(jobs.Folder, "write", dying)
        list(run_group(disturbed))
    positions = {
        list_checkpoints(open_checkpoint_folder(one))[0].position if list_checkpoints(open_checkpoint_folder(one)) else None
        for one in disturbed.each
    }
    assert len(positions) == (1 if writes % 3 == 0 else 2)
    assert finished(disturbed) == whole


@pytest.mark.parametrize("calls", range(1, 14, 3))
def test_stopped_anywhere_it_goes_on(job, calls):
    never = {"checkpoint_seconds": 1000}
    stopped = job(execution=never)
    last = list(run_group(stopped, _after(calls, lambda: True)))[-3:]
    assert [p.outcome for p in last] == ["stopped"] * 3
    assert {read_attempts(open_checkpoint_folder(one))[-1].ended for one in stopped.each} == {"stopped"}
    assert finished(stopped) == finished(job(execution=never))


def test_a_damaged_checkpoint_parts_them_and_all_end_the_same(job):
    """One has to begin anew; it does so in its own slot, after the others."""
    disturbed = job()
    with pytest.raises(Death):
        list(run_group(disturbed, _after(9, _die)))
    hurt = disturbed.each[1].folder
    for checkpoint in list_checkpoints(hurt):
        (hurt.path / checkpoint.name).write_bytes(b"half")
    assert finished(disturbed) == finished(job())
    assert any("is damaged" in note for a in read_attempts(hurt) for note in a.notes)


def test_a_trial_that_another_run_takes_over_leaves_and_the_others_go_on(job):
    ours = job()
    running = run_group(ours)
    next(running)
    theirs = replace(ours.each[1], beside=(), company=(), launch="two")
    next(run_group(theirs))
    last = {p.trial: p.outcome for p in running if p.outcome != "running"}
    assert [last[one.trial.id] for one in ours.each] == ["finished", "superseded", "finished"]
    whole = finished(job())
    assert [_untimed(history) for history in histories(ours)][::2] == whole[::2]


def test_who_is_done_keeps_its_slot_when_the_others_go_on(job):
    """As after a kill between the ends of two: the rest is trained in the company that it began in."""
    whole = finished(job())
    disturbed = job()
    with pytest.raises(Death):
        list(run_group(disturbed, _after(9, _die)))
    rest = job(of=disturbed, company=(100, 102))
    assert finished(rest, ("finished",) * 2) == whole[::2]


def test_a_seed_that_diverges_ends_alone(job, monkeypatch):
    from harness.models import network

    original = network.initialise

    def hurt(net, seed):
        original(net, seed)
        if seed == 101:
            net.conv1.weight.data.fill_(math.inf)

    whole = finished(job())
    monkeypatch.setattr(network, "initialise", hurt)
    rows = finished(job(), ("finished", "diverged", "finished"))
    assert rows[::2] == whole[::2]
    assert [epoch for epoch, _ in rows[1]] == [0, 1]


def test_an_exception_fails_all_of_them_with_its_reason(job, failing, monkeypatch):
    caught = []
    with monkeypatch.context() as patched:
        failing(patched, 3)
        last = [p for p in run_group(job(), caught=caught.append) if p.outcome != "running"]
    assert [p.outcome for p in last] == ["failed"] * 3
    assert all("out of [bold]luck" in p.trace and "RuntimeError" in p.message for p in last)
    assert len(caught) == 3


def test_a_last_checkpoint_that_cannot_be_written_fails_its_trial_alone(job, monkeypatch):
    monkeypatch.setattr(jobs, "PATIENCE", 0)
    original, ours = jobs.Folder.write, job(execution={"checkpoint_seconds": 1000})
    full = ours.each[2].folder

    def write(self, name, content):
        if self == full and name.startswith("checkpoint"):
            raise HarnessError("the disk is full", where=name)
        original(self, name, content)

    monkeypatch.setattr(jobs.Folder, "write", write)
    last = {p.trial: p for p in run_group(ours) if p.outcome != "running"}
    assert [last[one.trial.id].outcome for one in ours.each] == ["finished", "finished", "failed"]
    assert "the disk is full" in last[ours.each[2].trial.id].message


@pytest.mark.parametrize(
    "launcher, store", [("inline", "none"), pytest.param("ray", None, marks=pytest.mark.slow)], ids=["inline", "ray"]
)
def test_a_whole_experiment_of_companies(quick_study, tmp_path, launcher, store):
    """Through plan, launcher, store and table; alone or together it is the same but for rounding."""
    here = Settings(home=tmp_path / "home", tracking_uri=store, launcher="inline")
    study = quick_study(seeds=list(SEEDS), execution=TOGETHER)
    assert [len(job.trials) for job in plan(study, here).jobs] == [3] * 4
    outcome = run(study, replace(here, launcher=launcher), QUIET)
    assert (outcome.trained, outcome.failed, outcome.unpublished) == (12, {}, [])
    results = collect("quick", here)[0]
    assert results.missing == [] and results.epochs["shared"].all()
    separate = replace(here, home=tmp_path / "separate", tracking_uri="none")
    run(quick_study(seeds=list(SEEDS)), separate, QUIET)
    ours, theirs = untimed(here), untimed(separate)
    first = ours["epoch"] == 0
    assert list(ours["trial"]) == list(theirs["trial"])
    assert list(ours[first]["grad/first"]) == pytest.approx(list(theirs[first]["grad/first"]), rel=1e-4)
    assert run(study, here, QUIET).trained == 0


@pytest.mark.slow
def test_a_worker_that_is_killed_on_ray_is_replaced_and_all_end_the_same(quick_study, tmp_path):
    recipe = {"epochs": 40, "batch": 64, "lr": 0.05}
    study = quick_study(
        seeds=list(SEEDS), execution=TOGETHER, recipe=recipe, variants=["cifar-resnet20"], contrasts=None
    )
    there = Settings(home=tmp_path / "ray", tracking_uri="none", launcher="ray")
    folders = [open_checkpoint_folder(there) / trial.id for trial in study.trials]

    def kill():
        until = time.monotonic() + 120
        while not all(len(list_checkpoints(folder)) == KEPT for folder in folders):
            assert time.monotonic() < until
            time.sleep(0.05)
        (worker,) = {read_attempts(folder)[0].process.pid for folder in folders}
        os.kill(worker, signal.SIGKILL)

    with ThreadPoolExecutor() as pool:
        killed = pool.submit(kill)
        outcome = run(study, there, QUIET)
        killed.result()
    assert (outcome.trained, outcome.failed) == (3, {})
    assert [[a.ended for a in read_attempts(folder)] for folder in folders] == [["", "finished"]] * 3
    again = [read_attempts(folder)[1] for folder in folders]
    assert min((a.epoch, a.step) for a in again) > (0, 0)
    here = Settings(home=tmp_path / "inline", tracking_uri="none", launcher="inline")
    run(study, here, QUIET)
    assert untimed(there).equals(untimed(here))


def test_a_rerun_gives_the_same_bit_for_bit_in_its_company(quick_study, tmp_path):
    here = Settings(home=tmp_path / "home", tracking_uri="none", launcher="inline")
    study = quick_study(seeds=list(SEEDS), execution=TOGETHER, variants=["cifar-resnet20"], contrasts=None)
    run(study, here, QUIET)
    done = rerun(study.trials[1].id, here, QUIET, DebugLauncher())
    assert first_difference(done.before, done.now) == ""
    assert find_ensemble_seeds(done.now) == SEEDS
    # Also where new seeds are trained alone by now.
    later = quick_study(seeds=[*SEEDS, 200], variants=["cifar-resnet20"], contrasts=None)
    assert run(later, here, QUIET).trained == 1
    done = rerun(study.trials[1].id, here, QUIET, DebugLauncher())
    assert (first_difference(done.before, done.now), find_ensemble_seeds(done.now)) == ("", SEEDS)


def _planned(study, state="new", company=()):
    return [PlannedTrial(trial, state, 1.0, company=company) for trial in study.trials]


def test_companies_are_of_the_seeds_in_order(quick_study):
    study = quick_study(seeds=list(range(7)), execution={"seeds_together": 3})
    packs = group_seeds(_planned(study), study, 1)
    assert [pack.company for pack in packs[:8]] == [(0, 1, 2), (3, 4, 5)] * 4
    assert [(pack.company, pack.trials[0].trial.seed) for pack in packs[8:]] == [((), 6)] * 4
    assert all(len({planned.trial.variant for planned in pack.trials}) == 1 for pack in packs)
    assert sorted(planned.trial.id for pack in packs for planned in pack.trials) == sorted(t.id for t in study.trials)
    # What is recorded already is in no company that begins.
    some = [planned for planned in _planned(study) if planned.trial.seed in (1, 2, 5)]
    assert {pack.company for pack in group_seeds(some, study, 1)} == {(1, 2), ()}


def test_who_has_begun_stays_in_its_company_or_alone(quick_study):
    one = {"seeds": [0, 1, 2, 3], "variants": ["cifar-resnet20"], "contrasts": None}
    study = quick_study(**one, execution={"seeds_together": 2})
    trials = study.trials
    begun = [
        PlannedTrial(trials[0], "started", 1.0, company=(0, 1, 2)),
        PlannedTrial(trials[1], "started", 1.0),
        PlannedTrial(trials[2], "started", 1.0, company=(0, 1, 2)),
        PlannedTrial(trials[3], "new", 1.0),
    ]

    def found(todo, study):
        return {tuple(p.trial.seed for p in pack.trials): pack.company for pack in group_seeds(todo, study, 1)}

    assert found(begun, study) == {(0, 2): (0, 1, 2), (1,): (), (3,): ()}
    # One that was interrupted before its first checkpoint is new, and still of the company.
    begun[1] = PlannedTrial(trials[1], "new", 1.0)
    assert found(begun, study) == {(0, 1, 2): (0, 1, 2), (3,): ()}
    assert found(begun, quick_study(**one, execution={"seeds_together": "auto"})) == {(0, 1, 2): (0, 1, 2), (3,): ()}
    assert set(found(begun, quick_study(**one)).values()) == {()}


@pytest.mark.parametrize(
    "changes, why",
    [
        ({"variants": {"name": "cifar-resnet20", "set": {"stochastic_depth": 0.2}}}, "draws random numbers"),
        ({"recipe": {"epochs": 2, "batch": 64, "lr": 0.1, "precision": "bf16"}}, "only fp32 on CPUs"),
        ({"resources": {"gpus": 1}}, "only fp32 on CPUs"),
        ({"execution": {"seeds_together": 2, "compile": True}}, "compiled"),
    ],
)
def test_what_could_not_be_equal_is_trained_alone_and_says_why(quick_study, changes, why):
    fields = {"execution": {"seeds_together": 2}, "variants": ["cifar-resnet20"], "contrasts": None, **changes}
    study = quick_study(**fields)
    todo = _planned(study)
    assert {pack.company for pack in group_seeds(todo, study, 1)} == {()}
    assert all(why in text for text in grouping_obstacles(todo, study).values()) and grouping_obstacles(todo, study)


def test_auto_is_for_small_networks_on_one_thread_and_leaves_no_core_idle(quick_study):
    eight = {"seeds": list(range(8)), "contrasts": None, "execution": {"seeds_together": "auto"}}
    trials = len(quick_study(**eight).trials)
    assert seeds_per_group(quick_study(**eight), 2, trials) == AUTO_SEEDS
    assert seeds_per_group(quick_study(**eight), 5, trials) == 1
    assert seeds_per_group(quick_study(**eight), 2, AUTO_SEEDS) == 1, "the last few of an experiment"
    assert seeds_per_group(quick_study(**eight, resources={"cpus": 2}), 1, trials) == 1
    large = {"name": "cifar-resnet20", "set": {"widths": [32, 64, 128]}}
    assert seeds_per_group(quick_study(**eight, variants=[large]), 1, trials) == 1


def test_off_is_a_word_in_yaml_and_the_default(experiment_file):
    file = experiment_file()
    assert load_resolved_experiment(str(file)).experiment.execution.seeds_together == "off"
    file.write_text(file.read_text() + "execution: {seeds_together: off}\n")
    assert load_resolved_experiment(str(file)).experiment.execution.seeds_together == "off"
    assert (
        load_resolved_experiment(str(file), ["execution.seeds_together=off"]).experiment.execution.seeds_together
        == "off"
    )
    assert load_resolved_experiment(str(file), ["execution.seeds_together=4"]).experiment.execution.seeds_together == 4
    assert (
        load_resolved_experiment(str(file), ["execution.seeds_together=auto"]).experiment.execution.seeds_together
        == "auto"
    )
    with pytest.raises(HarnessError, match="seeds_together"):
        load_resolved_experiment(str(file), ["execution.seeds_together=1"])
