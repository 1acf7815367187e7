"""Planted records: a real study with invented histories, so that the right answer is known beforehand."""

import numpy as np
import pytest

from harness.io.yaml_documents import Document
from harness.specs import Catalogue, DataInfo, resolve
from harness.specs.experiment.experiment import Experiment
from harness.specs.network.layer_profile import LayerProfile
from harness.specs.network.layer_plan import plan_layers
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
SHAPE = {
    "cifar-plain8-w8": (0.23, 0.13, 2.7),
    "cifar-plain20-w8": (1.05, 0.74, 4.5),
    "cifar-plain32-w8": (20.9, 15.8, 18.0),
    "cifar-resnet8-w8": (0.13, 0.08, 2.6),
    "cifar-resnet20-w8": (0.02, 0.03, 1.9),
    "cifar-resnet32-w8": (0.01, 0.02, 2.4),
}
"""Mean and sd of the clean training error in percent, and mean test error, as the quickstart really came out."""
PROVENANCE = {
    "device": "Test CPU, 1 thread",
    "precision": "fp32",
    "memory_format": "contiguous_format",
    "threads": 1,
    "shared": True,
    "software": "torch 2.15.0, torchvision 0.29.2, Python 3.11.2",
    "revision": "cbb7d96",
}


def make_study(**changes):
    """The quickstart with fields of the experiment replaced."""
    experiment = Experiment.model_validate({**QUICKSTART, **changes})
    return resolve(experiment, Document("planted.yaml", {}), Catalogue.load(), INFO)


def image_errors(mean, sd, n, images, generator):
    """``n`` errors in percent of about this mean and sd, each a whole number of images."""
    shape = (mean / sd) ** 2 if sd else 1.0
    drawn = generator.gamma(shape, sd * sd / mean, n) if sd else np.full(n, mean)
    return np.minimum(np.round(drawn * images / 100), images) * 100 / images


def make_results(study, *arguments, **changes):
    """The table of :func:`make_histories`."""
    return build_results_table(study, make_histories(study, *arguments, **changes))


def make_histories(
    study, finals=None, *, diverged=(), missing=(), provenance=None, online=1.05, tests=None, gradients=True
):
    """Histories in which each variant's clean training error ends at ``finals[name]``, one number per seed (percent).

    Args:
        finals: Clean errors by variant; without, those of :data:`SHAPE`. Online ones are ``online`` times as large.
        diverged: (variant, seed) whose loss was not finite at epoch 3.
        missing: (variant, seed) that are not recorded.
        provenance: (variant, seed) -> what differs in its provenance.
        tests: Test errors by variant; without, near those of :data:`SHAPE`.
    """
    histories, seeds = [], list(study.experiment.seeds)
    for trial in study.trials:
        name, index = trial.variant.name, seeds.index(trial.seed)
        if (name, trial.seed) in missing:
            continue
        mean, sd, test = SHAPE.get(name, (1.0, 0.5, 3.0))
        generator = np.random.default_rng([study.variants.index(trial.variant), 7])
        drawn = image_errors(mean, sd, len(seeds), 1438, generator)
        clean = drawn[index] if finals is None else finals[name][index]
        noise = np.round(generator.normal(0, 2, len(seeds)))[index] * 100 / 359
        final_test = max(test + noise, 0.0) if tests is None else tests[name][index]
        bad = (name, trial.seed) in diverged
        epochs = [Epoch(epoch=0, at=1763700000000, metrics=_gradients(trial, 0))] if gradients else []
        total = study.experiment.recipe.epochs
        for epoch in range(1, (3 if bad else total) + 1):
            early = 88.0 * (1 - epoch / total) ** 3
            metrics = {
                "train/loss": 2.3 / epoch,
                "train/error": min(early + clean * online, 100.0),
                "train/error_clean": min(early + clean, 100.0),
                "test/error": min(early + final_test, 100.0),
                "time/train_s": 0.5 * epoch * trial.variant.depth / 8,
            }
            if bad and epoch == 3:
                metrics = {"train/loss": None, "train/error": None}
            epochs.append(
                Epoch(
                    epoch=epoch,
                    at=1763700000000 + 60000 * epoch,
                    metrics={**metrics, **_gradients(trial, epoch)} if gradients else metrics,
                )
            )
        plan = plan_layers(trial.variant, study.data.size)
        histories.append(
            History(
                id=trial.id,
                trial=trial,
                outcome="diverged" if bad else "finished",
                costs={
                    "cost/params": plan.params,
                    "cost/macs": plan.macs,
                    "cost/flops": 2 * plan.macs,
                    "cost/activations": plan.activations,
                    "counter": "fvcore",
                },
                provenance={**PROVENANCE, **(provenance or {}).get((name, trial.seed), {})},
                epochs=tuple(epochs),
                layers=_layers(trial, epochs, bad) if gradients else {},
            )
        )
    return histories


def _gradients(trial, epoch):
    generator = np.random.default_rng([trial.seed, epoch, trial.variant.depth, trial.variant.is_plain])
    scale = 6.5 if trial.variant.is_plain else 1.2
    noise = np.exp(generator.normal(0, 0.4, 3)) * np.exp(-0.35 * epoch)
    return {
        f"grad/{k}": float(scale * f * n)
        for k, f, n in zip(("first", "middle", "last"), (1, 0.5, 0.2), noise, strict=True)
    }


def _layers(trial, epochs, bad):
    """Before the first update and at the end: gradients that fall with depth in plain nets, responses with training."""
    found = {}
    for epoch in {0} if bad else {0, epochs[-1].epoch}:
        generator = np.random.default_rng([trial.seed, epoch, trial.variant.depth, trial.variant.is_plain, 1])
        number = np.arange(max(trial.variant.depth - 1, 1))
        rate = 0.15 if trial.variant.is_plain else 0.02
        gradient = 0.3 * np.exp(rate * number[::-1] + generator.normal(0, 0.2, len(number)))
        response = np.exp(-0.03 * number * (epoch > 0) + generator.normal(0, 0.02, len(number)))
        found[epoch] = LayerProfile.from_values(gradient.tolist(), response.tolist(), True)
    return found


@pytest.fixture(scope="session")
def study():
    return make_study


@pytest.fixture(scope="session")
def planted():
    return make_results


@pytest.fixture(scope="session")
def planted_histories():
    return make_histories


@pytest.fixture(scope="session")
def quickstart():
    """The quickstart as it really came out, planted."""
    return make_results(make_study())
