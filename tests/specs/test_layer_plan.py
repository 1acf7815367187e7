from harness.specs.network.layer_plan import plan_layers


def test_training_bytes_grow_with_images_and_with_copies_of_the_weights(catalogue):
    plan = plan_layers(catalogue.get("resnet18"), 224)
    assert plan.weight_bytes() == 4 * 11689512
    assert plan.training_bytes(2) - plan.training_bytes(1) == 12 * plan.activations
    assert plan.training_bytes(1, copies=4) - plan.training_bytes(1) == plan.weight_bytes()
