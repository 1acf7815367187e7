import time

import torch

from harness.costs.complexity import compute_static_costs
from harness.costs.peak_flops import measure_peak_flops
from harness.models import build


def test_peak_flops_are_more_than_a_network_reaches(catalogue):
    variant, batch = catalogue.get("cifar-resnet20"), 16
    network, images = build(variant, seed=0).eval(), torch.zeros(batch, 3, 32, 32)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        with torch.inference_mode():
            network(images)
        seconds.append(time.perf_counter() - start)
    reached = batch * compute_static_costs(variant, (32, 32)).flops / min(seconds)
    assert measure_peak_flops(torch.device("cpu"), "fp32", seconds=0.05) > reached
