"""Runs on a cluster whose hosts Ray's autoscaler starts for waiting trials; its nodes are processes of one host."""

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(1500)]

CLUSTER_FILE = """
cluster_name: fake
max_workers: 2
upscaling_speed: 1.0
idle_timeout_minutes: 5
provider:
  type: fake_multinode
  use_node_id_as_ip: true
  disable_node_updaters: true
  disable_launch_config_check: true
available_node_types:
  ray.head.default: {resources: {CPU: 0}, node_config: {}, max_workers: 0}
  worker: {resources: {CPU: 1, object_store_memory: 100000000}, node_config: {}, min_workers: 0, max_workers: 2}
head_node_type: ray.head.default
auth: {}
docker: {}
initialization_commands: []
setup_commands: []
head_setup_commands: []
worker_setup_commands: []
head_start_ray_commands: []
worker_start_ray_commands: []
file_mounts: {}
cluster_synced_files: []
file_mounts_sync_continuously: false
rsync_exclude: []
rsync_filter: []
"""
SHORT_RUN = "--seeds 10-11 --set recipe.epochs=1 --set contrasts=[] --set variants.depth=8 --tracking-uri none"


@pytest.fixture(scope="module")
def run_harness(lab):
    """A function that runs `harness` with some options on the head."""
    lab.up(1)
    (lab.folder / "shared" / "fake.yaml").write_text(CLUSTER_FILE)
    # Jobs inherit the variables of `ray start`.
    settings = "AUTOSCALER_UPDATE_INTERVAL_S=1 RAY_FAKE_CLUSTER=1 RAY_enable_autoscaler_v2=0 RAY_AUTH_MODE=disabled"
    ray_resources = "--num-cpus=0 --object-store-memory=100000000"
    lab.exec("h1", f"{settings} ray start --head {ray_resources} --autoscaling-config=/mnt/fake.yaml")
    return lambda options: lab.exec("h1", f"{settings} NO_COLOR=1 python -m harness {options}", check=False)


def test_run_on_an_autoscaler_waits_for_the_first_host_and_requests_more(run_harness):
    done = run_harness(f"run quickstart {SHORT_RUN} --address auto --wait 60s --at-once 2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 host up: h1 (0 CPUs); waiting up to 60 s for room for 1 CPU and 0 GPUs ..." in done.stdout
    assert "2 at a time" in done.stdout and "4 trials in" in done.stdout


def test_run_names_hosts_that_do_not_come_in_time(run_harness):
    done = run_harness(
        f"run quickstart {SHORT_RUN} --set name=two --set recipe.epochs=2 --address auto --wait 2s --hosts 9"
    )
    assert done.returncode == 2
    assert "missing after 2 s:" in done.stderr and "of 9 hosts up" in done.stderr and "--wait 1h" in done.stderr


def test_run_refuses_resources_that_no_host_has(run_harness):
    done = run_harness(
        f"run quickstart {SHORT_RUN} --set name=large --set recipe.epochs=3 --set resources.cpus=7 --address auto"
    )
    assert done.returncode == 2
    assert "a trial needs 7 CPUs and 0 GPUs; the cluster has" in done.stderr
    assert "waiting" not in done.stdout


def test_job_server_refuses_a_run_whose_record_would_be_deleted_with_the_job(run_harness):
    done = run_harness(f"run quickstart {SHORT_RUN} --set name=sent --address http://127.0.0.1:8265")
    assert done.returncode == 2 and "DEPTHBENCH_STORAGE" in done.stdout and "deletes after the job" in done.stdout
    status = run_harness("status --json")
    assert status.returncode == 0 and '"FAILED"' in status.stdout
