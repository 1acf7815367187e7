"""Results with known values, for tests of reports: a real experiment with invented histories."""

import math

import numpy as np

from harness.io.yaml_documents import Document
from harness.specs import Catalogue, DataInfo, resolve
from harness.specs.experiment.experiment import Experiment
from harness.specs.experiment.trial_status import TrialStatus
from harness.specs.network.layer_plan import plan_layers
from harness.specs.network.layer_profile import LayerProfile
from harness.tracking.history import Epoch, History
from harness.tracking.results_table import build_results_table

INFO = DataInfo(
    name="digits", fingerprint="0a1b2c3d4e5f", channels=1, classes=10, size=(8, 8), train=1438, val=0, test=359
)
QUICKSTART = {
    "name": "quickstart",
    "question": "Does depth raise the training error without shortcuts, and not with them?",
    "variants": [
        {
            "family": "cifar-resnet",
            "depth": [8, 20, 32],
            "shortcut": ["none", "identity"],
            "set": {"widths": [8, 16, 32]},
        }
    ],
    "data": {"name": "digits"},
    "recipe": {"epochs": 10, "batch": 128, "lr": 0.05},
    "seeds": list(range(10, 18)),
    "contrasts": [{"kind": "degradation", "shallow": 8, "deep": 32, "margin": 0.5}],
}
TWO_VARIANTS = {
    "variants": [
        {"family": "cifar-resnet", "depth": 8, "shortcut": ["none", "identity"], "set": {"widths": [8, 16, 32]}}
    ],
    "recipe": {"epochs": 1, "batch": 128, "lr": 0.05},
    "contrasts": [
        {"kind": "difference", "a": "cifar-resnet8-w8", "b": "cifar-plain8-w8", "metric": "test/error"},
    ],
}
"""Changes to :data:`QUICKSTART`: one contrast between two variants, and one epoch."""
MEASURED_ERRORS = {
    "cifar-plain8-w8": (0.23, 0.13, 2.7),
    "cifar-plain20-w8": (1.05, 0.74, 4.5),
    "cifar-plain32-w8": (20.9, 15.8, 18.0),
    "cifar-resnet8-w8": (0.13, 0.08, 2.6),
    "cifar-resnet20-w8": (0.02, 0.03, 1.9),
    "cifar-resnet32-w8": (0.01, 0.02, 2.4),
}
"""Mean and standard deviation of the clean training error, and mean test error, of a real run; in percent."""
PROVENANCE = {
    "device": "Test CPU, 1 thread",
    "precision": "fp32",
    "memory_format": "contiguous_format",
    "threads": 1,
    "shared": True,
    "software": "torch 2.15.0, torchvision 0.29.2, Python 3.11.2",
    "revision": "cbb7d96",
}
SEED_OFFSETS = [0.0, 1.0, 2.0, 0.0, 1.0, 2.0, 3.0, 1.0, 2.0, 1.0]
"""A small spread over seeds, in images or points."""
IMAGE = 100 / INFO.train
"""The training error of one image, in percent."""
GUESSING = math.log(10)
"""The training loss of a network that has learned nothing, with ten classes."""
START = 1763700000000
"""Time of the first epoch, in milliseconds since 1970."""


def make_study(**changes):
    """Return the quickstart experiment, resolved, with some fields replaced."""
    experiment = Experiment.model_validate({**QUICKSTART, **changes})
    return resolve(experiment, Document("planted.yaml", {}), Catalogue.load(), INFO)


def make_results(study, *arguments, **options):
    """Return the results table of :func:`make_histories`."""
    return build_results_table(study, make_histories(study, *arguments, **options))


def make_histories(
    study, clean_errors=None, *, diverged=(), missing=(), provenance=None, online=1.05, test_errors=None, gradients=True
):
    """Return a history for every trial, in which the errors of the last epoch are known.

    Args:
        clean_errors: Clean training errors in percent by variant, one per seed; by default drawn near those of
            :data:`MEASURED_ERRORS`. Online training errors are ``online`` times as large.
        diverged: (variant, seed) of trials whose loss is not finite at epoch 3.
        missing: (variant, seed) of trials that have no history.
        provenance: Changes to :data:`PROVENANCE` by (variant, seed).
        test_errors: Test errors in percent by variant, one per seed; by default drawn near those of
            :data:`MEASURED_ERRORS`.
        gradients: Whether histories hold gradient norms and layer profiles.
    """
    histories, seeds = [], list(study.experiment.seeds)
    for trial in study.trials:
        name, index = trial.variant.name, seeds.index(trial.seed)
        if (name, trial.seed) in missing:
            continue
        mean, sd, test_mean = MEASURED_ERRORS.get(name, (1.0, 0.5, 3.0))
        generator = np.random.default_rng([study.variants.index(trial.variant), 7])
        drawn = _draw_errors(mean, sd, len(seeds), 1438, generator)
        noise = np.round(generator.normal(0, 2, len(seeds)))[index] * 100 / 359
        clean = drawn[index] if clean_errors is None else clean_errors[name][index]
        test = max(test_mean + noise, 0.0) if test_errors is None else test_errors[name][index]
        is_diverged = (name, trial.seed) in diverged
        epochs = _make_epochs(trial, clean, clean * online, test, is_diverged, gradients)
        plan = plan_layers(trial.variant, study.data.size)
        histories.append(
            History(
                id=trial.id,
                trial=trial,
                outcome=TrialStatus.DIVERGED if is_diverged else TrialStatus.FINISHED,
                costs={
                    "cost/params": plan.params,
                    "cost/macs": plan.macs,
                    "cost/flops": 2 * plan.macs,
                    "cost/activations": plan.activations,
                    "counter": "fvcore",
                },
                provenance={**PROVENANCE, **(provenance or {}).get((name, trial.seed), {})},
                epochs=tuple(epochs),
                layers=_make_layer_profiles(trial, epochs, is_diverged) if gradients else {},
            )
        )
    return histories


def make_untrained(
    seeds, loss=GUESSING, error=90.0, tolerance=0.05, n=10, diverged=(), name="cifar-plain32-w8", **changes
):
    """Return results in which some seeds of a network end with this loss and error, by default those of guessing.

    The plain network of 32 layers has an error of 20 %, all others 1 %.
    """
    study = make_study(**{"seeds": list(range(n)), "untrained_tolerance": tolerance, **changes})
    errors = make_clean_errors(study, plain32=20.0)
    by_seed = zip(study.experiment.seeds, errors[name], strict=True)
    errors[name] = [error if seed in seeds else value for seed, value in by_seed]
    results = make_results(study, errors, online=1.0, gradients=False, diverged=diverged)
    frame = results.epochs
    last = frame["epoch"] == study.experiment.recipe.epochs
    frame.loc[(frame["variant"] == name) & frame["seed"].isin(list(seeds)) & last, "train/loss"] = loss
    return results


def make_clean_errors(study, **levels):
    """Return clean training errors by variant that differ by a few images from seed to seed.

    Args:
        levels: Lowest error in percent by kind and depth, such as ``plain32=20.0``; 1 % for all others.
    """
    n, errors = len(study.experiment.seeds), {}
    for index, variant in enumerate(study.variants):
        level = levels.get(("plain" if variant.is_plain else "residual") + str(variant.depth), 1.0)
        errors[variant.name] = [level + IMAGE * offset for offset in (SEED_OFFSETS[index:] + SEED_OFFSETS)[:n]]
    return errors


def _draw_errors(mean, sd, n, images, generator):
    """Return ``n`` errors in percent of about this mean and standard deviation, each a whole number of images."""
    shape = (mean / sd) ** 2 if sd else 1.0
    drawn = generator.gamma(shape, sd * sd / mean, n) if sd else np.full(n, mean)
    return np.minimum(np.round(drawn * images / 100), images) * 100 / images


def _make_epochs(trial, clean, online, test, is_diverged, gradients):
    """Return epochs whose errors fall to the given ones; a diverged trial ends at epoch 3."""
    epochs = [Epoch(epoch=0, at=START, metrics=_make_gradients(trial, 0))] if gradients else []
    total = trial.recipe.epochs
    for epoch in range(1, (3 if is_diverged else total) + 1):
        excess = 88.0 * (1 - epoch / total) ** 3
        metrics = {
            "train/loss": 2.3 / epoch,
            "train/error": min(excess + online, 100.0),
            "train/error_clean": min(excess + clean, 100.0),
            "test/error": min(excess + test, 100.0),
            "time/train_s": 0.5 * epoch * trial.variant.depth / 8,
        }
        if is_diverged and epoch == 3:
            metrics = {"train/loss": None, "train/error": None}
        if gradients:
            metrics |= _make_gradients(trial, epoch)
        epochs.append(Epoch(epoch=epoch, at=START + 60000 * epoch, metrics=metrics))
    return epochs


def _make_gradients(trial, epoch):
    """Return gradient norms that are larger in plain networks and fall over the epochs."""
    generator = np.random.default_rng([trial.seed, epoch, trial.variant.depth, trial.variant.is_plain])
    scale = 6.5 if trial.variant.is_plain else 1.2
    noise = np.exp(generator.normal(0, 0.4, 3)) * np.exp(-0.35 * epoch)
    return {
        f"grad/{position}": float(scale * factor * value)
        for position, factor, value in zip(("first", "middle", "last"), (1, 0.5, 0.2), noise, strict=True)
    }


def _make_layer_profiles(trial, epochs, is_diverged):
    """Return profiles of epoch 0 and of the last epoch.

    Gradients fall towards the input, faster in plain networks. Responses fall over the layers after training.
    """
    profiles = {}
    for epoch in {0} if is_diverged else {0, epochs[-1].epoch}:
        generator = np.random.default_rng([trial.seed, epoch, trial.variant.depth, trial.variant.is_plain, 1])
        layers = np.arange(max(trial.variant.depth - 1, 1))
        rate = 0.15 if trial.variant.is_plain else 0.02
        gradient = 0.3 * np.exp(rate * layers[::-1] + generator.normal(0, 0.2, len(layers)))
        response = np.exp(-0.03 * layers * (epoch > 0) + generator.normal(0, 0.02, len(layers)))
        profiles[epoch] = LayerProfile.from_values(gradient.tolist(), response.tolist(), True)
    return profiles


def read_files(directory):
    """Return the bytes of every file below a directory, by its relative path."""
    return {str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}


def read_page(directory):
    """Return the README.md of a report, with plain spaces in place of no-break spaces."""
    return (directory / "README.md").read_text().replace("\N{NO-BREAK SPACE}", " ")
