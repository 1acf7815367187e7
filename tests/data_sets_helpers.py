"""Results of one experiment on two data sets, with invented histories."""

from reporting_helpers import INFO, QUICKSTART, make_clean_errors, make_histories

from harness.io.yaml_documents import Document
from harness.specs import Catalogue, resolve
from harness.specs.experiment.experiment import Experiment
from harness.tracking.results_table import build_results_table

LARGER = INFO.model_copy(
    update={"name": "fashion-mnist", "fingerprint": "1" * 16, "size": (28, 28), "classes": 5, "train": 2000}
)
DEGRADED, FLAT = {"plain32": 20.0}, {}
"""Levels of the errors on one data set: the deep plain nets are worse, or all nets are alike."""


def make_data_sets_study(**changes):
    """Return the quickstart's experiment on two data sets, resolved."""
    fields = {**QUICKSTART, "data": [{"name": "digits"}, {"name": "fashion-mnist"}], **changes}
    return resolve(Experiment.model_validate(fields), Document("planted.yaml", {}), Catalogue.load(), [INFO, LARGER])


def make_data_sets_results(*levels, missing=(), study=None):
    """Return results in which the errors on each data set have these levels.

    Args:
        levels: Those of each data set, as ``make_clean_errors`` takes them; None for a data set without trials.
        missing: (variant, seed) of trials that the first data set does not have.
    """
    study = study or make_data_sets_study()
    histories = []
    for view, own in zip(study.views, levels, strict=True):
        if own is not None:
            left_out = missing if view is study.views[0] else ()
            histories += make_histories(view, make_clean_errors(view, **own), missing=left_out, gradients=False)
    return build_results_table(study, histories)
