from reporting_helpers import make_results, make_study

from harness.reporting.figures.layer_curves import PANELS, find_normalisation, list_layer_panels, select_layer_curves

GRADIENT_BEFORE, GRADIENT_AFTER, _ = PANELS


def test_curves_are_of_the_deepest_and_the_shallowest_variant_of_each_line(quickstart):
    curves = select_layer_curves(quickstart)
    assert [(curve.line.label, curve.variant.depth, curve.style == "-") for curve in curves] == [
        ("plain", 32, True), ("plain", 8, False), ("residual", 32, True), ("residual", 8, False),
    ]  # fmt: skip
    assert list_layer_panels(curves) == list(PANELS)
    assert find_normalisation(quickstart) == {True}


def test_read_panel_gives_all_layers_of_all_seeds(quickstart):
    layers, logs = select_layer_curves(quickstart)[0].read_panel(GRADIENT_BEFORE)
    assert layers.tolist() == list(range(1, 32))
    assert logs.shape == (8, 31)


def test_diverged_trials_have_profiles_before_training_only():
    results = make_results(make_study(), diverged=[("cifar-plain32-w8", seed) for seed in range(10, 18)])
    curve = next(curve for curve in select_layer_curves(results) if curve.variant.name == "cifar-plain32-w8")
    assert (len(curve.before_training), len(curve.after_training)) == (8, 0)
    assert curve.read_panel(GRADIENT_AFTER) is None
