"""Runs from a laptop on a head and two workers: pulled reports, lost hosts, cut connections, refused runs."""

import csv
import json
import time

import pytest
from multi_host import intruder
from multi_host.cluster import DURABILITY, HEAD, QUICK, WORKERS, Cluster, run_on_this_machine, wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500)]
TRIALS, EPOCHS = 4, DURABILITY["recipe"]["epochs"]
LONGEST_STALL = 60.0
"""Most seconds until a trial of a lost host has to resume on another host."""


@pytest.fixture(scope="module")
def cluster(lab):
    return Cluster(lab)


def test_run_that_needs_more_than_any_host_has_is_refused_before_the_connection(cluster):
    done = cluster.run_harness("run", "quickstart", "--cluster", "cluster.yaml", "--set", "resources.cpus=64")
    assert done.returncode == 2
    assert "64 CPUs" in done.stderr and "worker: 2 CPU" in done.stderr and "resources.cpus=2" in done.stderr
    assert "Connecting" not in done.stderr


def test_pulled_report_of_all_hosts_equals_the_report_of_one_machine(cluster, tmp_path):
    # The first run also waits until all hosts are up.
    done = cluster.run_harness("run", "quickstart", "--cluster", "cluster.yaml", *QUICK)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "12 trials in" in done.stdout
    hosts = {attempt["process"]["host"] for attempt in cluster.read_attempts()}
    assert hosts == {HEAD, *WORKERS}
    assert len(cluster.read_attempts()) == 12

    done = cluster.run_harness("pull", "cut-down", "--reports", "/mnt/home")
    assert done.returncode == 0, done.stdout + done.stderr
    run_on_this_machine(tmp_path, *QUICK)
    pulled, local = (
        read_accuracies(file)
        for file in (cluster.lab.folder / "shared/home/cut-down/results.csv", tmp_path / "reports/cut-down/results.csv")
    )
    assert len(pulled) == 12 * 3  # the untrained network, and two epochs
    assert pulled == local


def test_machine_without_token_and_password_is_refused_at_every_port(cluster):
    """It is in the same network, but not one of the cluster's hosts."""
    lab, stranger = cluster.lab, "h4"
    lab.boot(stranger)
    for host in (HEAD, WORKERS[0]):
        listed = lab.exec(host, "ss -ltnH").stdout.splitlines()
        sockets = {tuple(line.split()[3].rsplit(":", 1)) for line in listed}
        is_local = lambda address: address.startswith(("127.", "[::ffff:127.", "[::1]"))  # noqa: E731
        ports = sorted({int(port) for address, port in sockets if not is_local(address)})
        words = " ".join(map(str, ports))
        answers = json.loads(lab.exec(stranger, f"python {intruder.__file__} {lab.address(host)} {words}").stdout)
        open_ports = {port: answer for port, answer in answers.items() if answer not in ("refused", "metrics")}
        assert open_ports == {"22": "ssh"}
        if host == HEAD:
            # Ray's dashboard and job server listen on the loopback alone, MLflow on the private address alone.
            assert {address for address, port in sockets if port == "8265"} == {"127.0.0.1"}
            assert {address for address, port in sockets if port == "5000"} == {lab.address(HEAD)}
            assert {port: answers[port] for port in ("5000", "6379", "10001")} == dict.fromkeys(
                ("5000", "6379", "10001"), "refused"
            )
    lab.kill(stranger)
    make_password = "sha256sum ~/.ray/auth_token | cut -c1-40"
    server = f"http://{lab.address(HEAD)}:5000/version"
    ask = "curl -so /dev/null -w '%{http_code}' -u depthbench:"
    assert lab.exec(WORKERS[0], f"{ask}$({make_password}) {server}").stdout == "200"
    assert lab.exec(WORKERS[0], f"{ask}another {server}").stdout == "401"
    password = lab.exec(HEAD, make_password).stdout.strip()
    assert len(password) == 40
    # Every user of a machine can read command lines; the job's output is in Ray's logs.
    for host in (HEAD, *WORKERS):
        assert password not in lab.exec(host, "ps -eo args").stdout
        assert not lab.exec(host, f"grep -rl {password} /tmp/ray", check=False).stdout
    assert lab.exec(HEAD, "stat -c %a ~/mlflow ~/mlflow/users.db").stdout.split() == ["700", "600"]
    assert not lab.exec(HEAD, f"grep -rl {password} ~/mlflow {lab.SHARED}/depthbench", check=False).stdout


def test_trial_of_a_powered_off_host_resumes_elsewhere_and_attach_follows_it(cluster):
    """The trials resume from their checkpoints, and no epoch is lost or doubled."""
    run = cluster.start_harness("run", "durability", "--cluster", "cluster.yaml", log="run.txt")
    lost = cluster.wait_for_trial_on("h2", run)
    cluster.signal_laptop("KILL")
    assert run.wait(10) != 0
    wait_until(lambda: cluster.lab.exec("h0", "pgrep -x ssh", check=False).returncode == 1, "the end of the tunnel", 20)
    cluster.lab.exec("h2", "cp -r ~/.ray /mnt/h2")
    cluster.lab.kill("h2")
    attach = cluster.start_harness("attach", "durability", log="attach.txt")
    attempt, stall = cluster.wait_for_move(lost, "h2", attach)
    assert attempt["number"] == 2 and (attempt["epoch"], attempt["step"]) != (0, 0)
    print(f"{lost} resumed on another host after {stall:.1f} s")
    assert stall < LONGEST_STALL
    # This experiment has other trials, because it would not wait for hosts if its trials were trained.
    other = ["--set", "name=late", "--set", "recipe.epochs=3"]
    late = cluster.run_harness("run", "durability", "--cluster", "cluster.yaml", *other, "--wait", "2s")
    assert late.returncode == 2 and "missing after 2 s: 1 host more (2 of 3 hosts up: h" in late.stdout, late.stdout

    cluster.lab.boot("h2")
    # A real host keeps its disk, so the files are copied back.
    cluster.lab.exec("h2", "cp -r /mnt/h2 ~/.ray")
    assert attach.wait(150) == 0, cluster.read_log("attach.txt")
    assert "its worker was lost; it resumed from epoch" in cluster.read_log("attach.txt")
    assert "4 trials in" in cluster.read_log("attach.txt")
    damage = cluster.check_record(TRIALS, EPOCHS)
    assert damage.clean, damage.details
    wait_until(lambda: cluster.count_hosts() == 3, "the return of the host", 120)


@pytest.mark.long
def test_trial_of_a_disconnected_host_resumes_elsewhere_and_the_old_attempt_ends(cluster):
    """The host is connected again while another attempt trains its trial.

    The laptop is disconnected too. After its return it prints the rest of the job's output.
    """
    run = cluster.start_harness(
        "run", "durability", "--cluster", "cluster.yaml", "--set", "recipe.epochs=31", log="cut.txt"
    )
    lost = cluster.wait_for_trial_on("h3", run)
    cluster.lab.cut("h3")
    cluster.lab.cut("h0")
    attempt, stall = cluster.wait_for_move(lost, "h3", run)
    assert attempt["number"] == 2 and (attempt["epoch"], attempt["step"]) != (0, 0)
    print(f"{lost} resumed on another host after {stall:.1f} s")
    assert stall < LONGEST_STALL
    cluster.lab.heal("h3")
    # ssh reports the lost connection after 15 s.
    wait_until(
        lambda: "the job continues; connecting" in cluster.read_log("cut.txt"), "the loss of the connection", 60, run
    )
    cluster.lab.heal("h0")
    assert run.wait(150) == 0, cluster.read_log("cut.txt")
    lines = cluster.read_log("cut.txt").splitlines()
    assert [line[:5] for line in lines if line.startswith("[")] == ["[1/4]", "[2/4]", "[3/4]", "[4/4]"]
    damage = cluster.check_record(TRIALS, 31)
    assert damage.clean, damage.details
    wait_until(lambda: cluster.count_hosts() == 3, "the return of the host", 120)


@pytest.mark.long
def test_ctrl_c_leaves_the_job_running_and_attach_stop_ends_it(cluster):
    before = {attempt["trial"] for attempt in cluster.read_attempts()}
    run = cluster.start_harness(
        "run", "durability", "--cluster", "cluster.yaml", "--set", "recipe.epochs=900", log="long.txt"
    )
    cluster.wait_for_trial_on(HEAD, run)
    cluster.signal_laptop("INT")
    assert run.wait(10) == 130
    assert "runs on" in cluster.read_log("long.txt") and "harness attach durability --stop" in cluster.read_log(
        "long.txt"
    )
    status = cluster.run_harness("status")
    assert status.returncode == 0 and status.stdout.count("running") == 1, status.stdout
    stopped = cluster.run_harness("attach", "durability", "--stop")
    assert stopped.returncode == 0 and "stopped" in stopped.stdout
    assert {attempt["ended"] for attempt in cluster.read_attempts() if attempt["trial"] not in before} == {"stopped"}


@pytest.mark.long
def test_run_with_a_wrong_key_full_disk_or_other_version_is_refused_before_sending(cluster):
    lab = cluster.lab
    before = cluster.run_on_laptop("ls -A .depthbench/jobs || true").stdout
    cluster.run_on_laptop(
        "ssh-keygen -q -t ed25519 -N '' -f other; sed s#/root/.ssh/id_lab#other# cluster.yaml > key.yaml"
    )
    wrong_key = cluster.run_harness("run", "durability", "--cluster", "key.yaml")
    assert wrong_key.returncode == 2 and "refuses the login" in wrong_key.stderr
    assert "ssh_private_key" in wrong_key.stderr

    lab.exec(HEAD, "fallocate -l $(($(df --output=avail -B1 /tmp | tail -1) - 50000000)) /tmp/full")
    full_disk = cluster.run_harness("run", "durability", "--cluster", "cluster.yaml")
    lab.exec(HEAD, "rm /tmp/full")
    assert (
        full_disk.returncode == 2 and "the disk of the head is full" in full_disk.stderr and "/tmp" in full_disk.stderr
    )

    # The head gets a copy of Depthbench with one more line.
    lab.exec(HEAD, "mkdir old && cp -r $PYTHONPATH/harness old/ && echo '# a fix' >> old/harness/errors.py")
    lab.exec(HEAD, "cp .bashrc bashrc; echo 'export PYTHONPATH=/root/old' >> .bashrc")
    other_version = cluster.run_harness("run", "durability", "--cluster", "cluster.yaml")
    lab.exec(HEAD, "cp bashrc .bashrc")
    assert other_version.returncode == 2 and "Depthbench is 0.1.0 (" in other_version.stderr
    assert "Nothing was sent" in other_version.stderr

    for done in (wrong_key, full_disk, other_version):
        assert "Traceback" not in done.stderr
    assert cluster.run_on_laptop("ls -A .depthbench/jobs || true").stdout == before, (
        "a refused run was stored among the sent jobs"
    )


@pytest.mark.long
def test_run_with_an_unreachable_or_a_missing_head_is_refused(cluster):
    lab = cluster.lab
    lab.cut(HEAD)
    unreachable = cluster.run_harness("run", "durability", "--cluster", "cluster.yaml", timeout=60)
    lab.heal(HEAD)
    assert unreachable.returncode == 2 and "cannot be reached" in unreachable.stderr
    cluster.run_on_laptop("sed 's/cluster_name: .*/cluster_name: none/' cluster.yaml > none.yaml")
    missing = cluster.run_harness("run", "durability", "--cluster", "none.yaml", timeout=60)
    assert missing.returncode == 2 and "no head of this cluster runs" in missing.stderr and "ray up" in missing.stderr


def read_accuracies(file):
    """Return the errors and losses in a results.csv by trial and epoch."""
    with file.open() as opened:
        rows = list(csv.DictReader(opened))
    columns = [name for name in rows[0] if name.startswith(("train/", "val/", "test/"))]
    return {(row["trial"], row["epoch"]): [row[name] for name in columns] for row in rows}


@pytest.mark.long
def test_whole_quickstart_on_three_hosts_supports_the_same_claim(cluster):
    """48 trials give the verdict of reports/quickstart."""
    done = cluster.run_harness("run", "quickstart", "--cluster", "cluster.yaml", timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr
    pulled = cluster.run_harness("pull", "quickstart", "--reports", "/mnt/home")
    assert pulled.returncode == 0 and "Supported" in pulled.stdout, pulled.stdout + pulled.stderr
    measurements = read_accuracies(cluster.lab.folder / "shared/home/quickstart/results.csv")
    assert len({trial for trial, _ in measurements}) == 48


@pytest.mark.long
def test_run_on_a_new_head_after_a_lost_one_records_every_trial(cluster):
    """The new head publishes the finished trials from the shared disk, and resumes the others."""
    epochs, trials = 33, 10
    command = ["run", "durability", "--cluster", "cluster.yaml", "--seeds", "10-14", "--set", f"recipe.epochs={epochs}"]
    before = {attempt["trial"] for attempt in cluster.read_attempts()}
    run = cluster.start_harness(*command, log="head.txt")
    cluster.wait_for_trial_on("h2", run)
    wait_until(lambda: " 2/10]" in cluster.read_log("head.txt"), "two trials", 120, run)
    cluster.lab.kill(HEAD)
    trained = {a["trial"] for a in cluster.read_attempts() if a["trial"] not in before and a["ended"] == "finished"}
    wait_until(lambda: "connecting again" in cluster.read_log("head.txt"), "the loss of the connection", 60, run)
    cluster.lab.boot(HEAD)
    cluster.run_on_laptop("ray down -y cluster.yaml; ray up -y --no-config-cache cluster.yaml", timeout=300)
    # There is no head between `ray down` and `ray up`; the new head does not know the job.
    assert run.wait(60) == 2
    assert "no head of this cluster runs" in cluster.read_log("head.txt") or "no such job" in cluster.read_log(
        "head.txt"
    )

    done = cluster.run_harness(*command, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    attempts = [attempt for attempt in cluster.read_attempts() if attempt["trial"] not in before]
    repeated = [attempt for attempt in attempts if attempt["number"] > 1]
    assert len(trained) >= 2 and not trained & {attempt["trial"] for attempt in repeated}
    assert repeated and any(attempt["epoch"] > 0 for attempt in repeated)
    damage = cluster.check_record(trials, epochs)
    assert damage.clean, damage.details


@pytest.mark.long
def test_stopped_ray_on_a_living_head_is_told_within_a_minute_and_mlflow_can_still_be_read(cluster):
    """gcs_server is killed while one command follows the job, another is attached, and a third is left by Ctrl-C."""
    lab = cluster.lab
    short = cluster.run_harness(
        "run", "durability", "--cluster", "cluster.yaml", "--set", "name=short", "--set", "recipe.epochs=2"
    )
    assert short.returncode == 0, short.stdout + short.stderr
    command = ["run", "durability", "--cluster", "cluster.yaml", "--set", "name=endless", "--set", "recipe.epochs=900"]
    run = cluster.start_harness(*command, log="stopped.txt")
    cluster.wait_for_trial_on(HEAD, run)
    attach = cluster.start_harness("attach", "endless", log="stopped-attach.txt")
    wait_until(lambda: "4 of 4 trials" in cluster.read_log("stopped-attach.txt"), "the attached output", 60, attach)
    lab.exec(HEAD, "pkill -9 -x gcs_server")
    begin = time.monotonic()
    lab.exec("h0", "kill -INT $(pgrep -f '[p]ython -m harness attach')")
    assert attach.wait(60) in (130, 2)
    assert run.wait(60) == 2
    assert time.monotonic() - begin < 60
    for log in ("stopped.txt", "stopped-attach.txt"):
        assert "Ray has stopped on the head: its gcs_server" in cluster.read_log(log), cluster.read_log(log)
        assert "ray up /root/experiment/cluster.yaml" in cluster.read_log(log)
        assert "runs on." not in cluster.read_log(log)
    for words in (["status"], ["attach", "endless"], ["attach", "endless", "--stop"], command):
        done = cluster.run_harness(*words)
        assert done.returncode == 2 and "Ray has stopped on the head" in done.stderr, done.stdout + done.stderr
        assert "Traceback" not in done.stderr

    pulled = cluster.run_harness("pull", "short", "--reports", "/mnt/after")
    assert pulled.returncode == 0 and "Ray does not run on the head" in pulled.stderr, pulled.stderr
    cluster.run_on_laptop("ray down -y cluster.yaml", timeout=200)
    pulled = cluster.run_harness("pull", "short", "--cluster", "cluster.yaml", "--reports", "/mnt/after-down")
    assert pulled.returncode == 0 and "No trial is missing" in pulled.stderr, pulled.stderr
    reports = [lab.folder / "shared" / name / "short/results.csv" for name in ("after", "after-down")]
    assert read_accuracies(reports[0]) == read_accuracies(reports[1])
    lab.exec(HEAD, "pkill mlflow")
    nothing = cluster.run_harness("pull", "short", "--cluster", "cluster.yaml")
    assert nothing.returncode == 2 and "no MLflow server runs on the head, and no Ray" in nothing.stderr, nothing.stderr
