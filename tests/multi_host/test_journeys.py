"""A laptop, a head and two workers, each a host of its own: reports pulled home, hosts lost, connections cut."""

import csv

import pytest
from multi_host.cluster import DURABILITY, HEAD, QUICK, WORKERS, Cluster, run_here, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500)]
TRIALS, EPOCHS = 4, DURABILITY["recipe"]["epochs"]
STALL = 60.0
"""Seconds after which a trial of a lost host has to go on elsewhere."""


@pytest.fixture(scope="module")
def cluster(lab):
    return Cluster(lab)


def test_run_asking_for_more_than_any_host_has_is_refused_before_anything_is_sent(cluster):
    done = cluster.harness("run", "quickstart", "--cluster", "cluster.yaml", "--set", "resources.cpus=64")
    assert done.returncode == 2
    assert "64 CPUs" in done.stderr and "worker: 2 CPU" in done.stderr and "resources.cpus=1" in done.stderr
    assert "Connecting" not in done.stderr


def test_pulled_report_of_all_hosts_equals_the_report_of_one_machine(cluster, tmp_path):
    # The first run also waits until all hosts are there.
    done = cluster.harness("run", "quickstart", "--cluster", "cluster.yaml", *QUICK)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "12 trials in" in done.stdout
    hosts = {attempt["process"]["host"] for attempt in cluster.attempts()}
    assert hosts == {HEAD, *WORKERS}
    assert len(cluster.attempts()) == 12

    done = cluster.harness("pull", "cut-down", "--reports", "/mnt/home")
    assert done.returncode == 0, done.stdout + done.stderr
    run_here(tmp_path, *QUICK)
    pulled, here = (
        accuracies(file)
        for file in (cluster.lab.folder / "shared/home/cut-down/results.csv", tmp_path / "reports/cut-down/results.csv")
    )
    assert len(pulled) == 12 * 3  # the untrained net, and two epochs
    assert pulled == here


def test_trial_of_a_powered_off_host_resumes_elsewhere_and_attach_follows_it(cluster):
    """Its trials resume on another host from their checkpoints, no epoch is lost or doubled, and attach follows."""
    run = cluster.start("run", "durability", "--cluster", "cluster.yaml", log="run.txt")
    lost = cluster.wait_for_training_on("h2", run)
    cluster.signal_laptop("KILL")
    assert run.wait(10) != 0
    until(lambda: cluster.lab.exec("h0", "pgrep -x ssh", check=False).returncode == 1, "the end of its tunnel", 20)
    cluster.lab.exec("h2", "cp -r ~/.ray /mnt/h2")
    cluster.lab.kill("h2")
    attach = cluster.start("attach", "durability", log="attach.txt")
    attempt, stall = cluster.moved(lost, "h2", attach)
    assert attempt["number"] == 2 and (attempt["epoch"], attempt["step"]) != (0, 0)
    print(f"{lost} went on elsewhere after {stall:.1f} s")
    assert stall < STALL
    # Trials of its own: of others it would find that they are trained.
    other = ["--set", "name=late", "--set", "recipe.epochs=3"]
    late = cluster.harness("run", "durability", "--cluster", "cluster.yaml", *other, "--wait", "2s")
    assert late.returncode == 2 and "missing after 2 s: 1 host more (2 of 3 hosts up: h" in late.stdout, late.stdout

    cluster.lab.boot("h2")
    # A real host still has its disk.
    cluster.lab.exec("h2", "cp -r /mnt/h2 ~/.ray")
    assert attach.wait(150) == 0, cluster.log("attach.txt")
    assert "its worker was lost; it resumed from epoch" in cluster.log("attach.txt")
    assert "4 trials in" in cluster.log("attach.txt")
    damage = cluster.damage(TRIALS, EPOCHS)
    assert damage.clean, damage.details
    until(lambda: cluster.alive() == 3, "the host again", 120)


@pytest.mark.long
def test_trial_of_a_disconnected_host_resumes_elsewhere_and_the_old_attempt_ends(cluster):
    """A host is silent, and comes back while another attempt trains its trial.

    The laptop is disconnected meanwhile. After that it goes on showing what the job prints.
    """
    run = cluster.start("run", "durability", "--cluster", "cluster.yaml", "--set", "recipe.epochs=31", log="cut.txt")
    lost = cluster.wait_for_training_on("h3", run)
    cluster.lab.cut("h3")
    cluster.lab.cut("h0")
    attempt, stall = cluster.moved(lost, "h3", run)
    assert attempt["number"] == 2 and (attempt["epoch"], attempt["step"]) != (0, 0)
    print(f"{lost} went on elsewhere after {stall:.1f} s")
    assert stall < STALL
    cluster.lab.heal("h3")
    # ssh notices after 15 s.
    until(lambda: "The job runs on; trying again" in cluster.log("cut.txt"), "the loss of the connection", 60, run)
    cluster.lab.heal("h0")
    assert run.wait(150) == 0, cluster.log("cut.txt")
    lines = cluster.log("cut.txt").splitlines()
    assert [line[:5] for line in lines if line.startswith("[")] == ["[1/4]", "[2/4]", "[3/4]", "[4/4]"]
    damage = cluster.damage(TRIALS, 31)
    assert damage.clean, damage.details
    until(lambda: cluster.alive() == 3, "the host again", 120)


@pytest.mark.long
def test_ctrl_c_leaves_the_job_running_and_attach_stop_ends_it(cluster):
    before = {attempt["trial"] for attempt in cluster.attempts()}
    run = cluster.start("run", "durability", "--cluster", "cluster.yaml", "--set", "recipe.epochs=900", log="long.txt")
    cluster.wait_for_training_on(HEAD, run)
    cluster.signal_laptop("INT")
    assert run.wait(10) == 130
    assert "runs on" in cluster.log("long.txt") and "harness attach durability --stop" in cluster.log("long.txt")
    status = cluster.harness("status")
    assert status.returncode == 0 and status.stdout.count("running") == 1, status.stdout
    stopped = cluster.harness("attach", "durability", "--stop")
    assert stopped.returncode == 0 and "stopped" in stopped.stdout
    assert {attempt["ended"] for attempt in cluster.attempts() if attempt["trial"] not in before} == {"stopped"}


@pytest.mark.long
def test_run_names_wrong_key_full_disk_and_other_version_before_anything_is_sent(cluster):
    lab = cluster.lab
    before = cluster.laptop("ls -A .depthbench/jobs || true").stdout
    cluster.laptop("ssh-keygen -q -t ed25519 -N '' -f other; sed s#/root/.ssh/id_lab#other# cluster.yaml > key.yaml")
    refused = cluster.harness("run", "durability", "--cluster", "key.yaml")
    assert refused.returncode == 2 and "does not let you in" in refused.stderr and "ssh_private_key" in refused.stderr

    lab.exec(HEAD, "fallocate -l $(($(df --output=avail -B1 /tmp | tail -1) - 50000000)) /tmp/full")
    full = cluster.harness("run", "durability", "--cluster", "cluster.yaml")
    lab.exec(HEAD, "rm /tmp/full")
    assert full.returncode == 2 and "the disk of the head is full" in full.stderr and "/tmp" in full.stderr

    # Depthbench as it is, but for a line.
    lab.exec(HEAD, "mkdir old && cp -r $PYTHONPATH/harness old/ && echo '# a fix' >> old/harness/errors.py")
    lab.exec(HEAD, "cp .bashrc bashrc; echo 'export PYTHONPATH=/root/old' >> .bashrc")
    other = cluster.harness("run", "durability", "--cluster", "cluster.yaml")
    lab.exec(HEAD, "cp bashrc .bashrc")
    assert other.returncode == 2 and "Depthbench is 0.1.0 (" in other.stderr and "Nothing was sent" in other.stderr

    for done in (refused, full, other):
        assert "Traceback" not in done.stderr
    assert cluster.laptop("ls -A .depthbench/jobs || true").stdout == before, "the refused ones are not remembered"


@pytest.mark.long
def test_run_names_an_unreachable_head_and_a_missing_head(cluster):
    lab = cluster.lab
    lab.cut(HEAD)
    away = cluster.harness("run", "durability", "--cluster", "cluster.yaml", timeout=60)
    lab.heal(HEAD)
    assert away.returncode == 2 and "cannot be reached" in away.stderr
    cluster.laptop("sed 's/cluster_name: .*/cluster_name: none/' cluster.yaml > none.yaml")
    none = cluster.harness("run", "durability", "--cluster", "none.yaml", timeout=60)
    assert none.returncode == 2 and "no head of this cluster runs" in none.stderr and "ray up" in none.stderr


def accuracies(file):
    """Return the errors and losses in a results.csv by trial and epoch."""
    with file.open() as opened:
        rows = list(csv.DictReader(opened))
    wanted = [name for name in rows[0] if name.startswith(("train/", "val/", "test/"))]
    return {(row["trial"], row["epoch"]): [row[name] for name in wanted] for row in rows}


@pytest.mark.long
def test_whole_quickstart_on_three_hosts_supports_the_same_claim(cluster):
    """48 trials, and the verdict of reports/quickstart."""
    done = cluster.harness("run", "quickstart", "--cluster", "cluster.yaml", timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr
    pulled = cluster.harness("pull", "quickstart", "--reports", "/mnt/home")
    assert pulled.returncode == 0 and "Supported" in pulled.stdout, pulled.stdout + pulled.stderr
    found = accuracies(cluster.lab.folder / "shared/home/quickstart/results.csv")
    assert len({trial for trial, _ in found}) == 48


@pytest.mark.long
def test_new_head_after_a_lost_one_holds_every_trial_again(cluster):
    """The new head publishes what was trained from the shared disk, and resumes the other trials there."""
    epochs, trials = 33, 10
    command = ["run", "durability", "--cluster", "cluster.yaml", "--seeds", "10-14", "--set", f"recipe.epochs={epochs}"]
    before = {attempt["trial"] for attempt in cluster.attempts()}
    run = cluster.start(*command, log="head.txt")
    cluster.wait_for_training_on("h2", run)
    until(lambda: " 2/10]" in cluster.log("head.txt"), "two trials", 120, run)
    cluster.lab.kill(HEAD)
    trained = {a["trial"] for a in cluster.attempts() if a["trial"] not in before and a["ended"] == "finished"}
    until(lambda: "trying again" in cluster.log("head.txt"), "the loss of the connection", 60, run)
    cluster.lab.boot(HEAD)
    cluster.laptop("ray down -y cluster.yaml; ray up -y --no-config-cache cluster.yaml", timeout=300)
    # Between `ray down` and `ray up` there is no head, afterwards one that knows of nothing.
    assert run.wait(60) == 2
    assert "no head of this cluster runs" in cluster.log("head.txt") or "no such job" in cluster.log("head.txt")

    done = cluster.harness(*command, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    attempts = [attempt for attempt in cluster.attempts() if attempt["trial"] not in before]
    again = [attempt for attempt in attempts if attempt["number"] > 1]
    assert len(trained) >= 2 and not trained & {attempt["trial"] for attempt in again}
    assert again and any(attempt["epoch"] > 0 for attempt in again)
    damage = cluster.damage(trials, epochs)
    assert damage.clean, damage.details
