"""Train a trial to its end and compare what it measured."""

from harness.training.loop import TrainingLoop


def train(trainer, pause=None, epochs=None):
    """Return the epoch results of one trial up to its first pause, or up to so many epochs."""
    loop = TrainingLoop([trainer])
    collected = []
    for number, results in enumerate(loop.run() if pause is None else loop.run(pause), start=1):
        if results is None:
            break
        collected += [result for _, result in results]
        if number == epochs:
            break
    return collected


def without_times(results):
    """Return the results without the metrics that are measured in seconds."""
    return [
        result._replace(metrics={key: value for key, value in result.metrics.items() if not key.startswith("time/")})
        for result in results
    ]
