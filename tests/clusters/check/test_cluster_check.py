# ruff: noqa: E501 (a table)
"""Mistakes in copies of the shipped files: each is found on its line, with a remedy."""

import re
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from harness.clusters.check.cluster_check import check_cluster_file
from harness.errors import HarnessError

REPOSITORY = Path(__file__).resolve().parents[3]
HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
RULE = "security_group: {GroupName: mine, IpPermissions: [{FromPort: %s, ToPort: %s, IpProtocol: %s, %s}]}"
WORLD, WORLD6 = "IpRanges: [{CidrIp: 0.0.0.0/0}]", "Ipv6Ranges: [{CidrIpv6: '::/0'}]"


@pytest.fixture(autouse=True)
def laptop(tmp_path, monkeypatch):
    """Return a home with a token and a key; the working directory is the checkout."""
    for name in (".ray/auth_token", ".ssh/id_ed25519"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("secret")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(REPOSITORY)
    return tmp_path


@pytest.fixture
def changed(tmp_path):
    """Return a function that replaces texts of a shipped file, and returns its findings and lines."""

    def make(name, *replacements):
        text = (REPOSITORY / name).read_text()
        # The pins become the versions of this machine, so that only the planted mistake is found.
        replacements = (("--python 3.11", f"--python {HERE}"), ("==2.60.0", f"=={version('ray')}"), *replacements)
        for old, new in replacements:
            assert old in text, old
            text = text.replace(old, new, 1)
        (tmp_path / name).write_text(text)
        return check_cluster_file(tmp_path / name), text.splitlines()

    return make


@pytest.mark.parametrize("name", ["cluster.yaml", "cluster-local.yaml"])
def test_shipped_file_has_no_error(changed, name):
    findings, _ = changed(name)
    assert [finding for finding in findings if finding.error] == []
    # The only warning is about the bucket of the example.
    assert {"my-bucket" in finding.what for finding in findings} <= {True}


@pytest.mark.parametrize("name", ["cluster.yaml", "cluster-local.yaml"])
def test_shipped_file_pins_the_ray_of_constraints_txt(name):
    pins = dict(re.findall(r"^([\w-]+)==(\S+)$", (REPOSITORY / "constraints.txt").read_text(), re.MULTILINE))
    assert re.findall(r"'ray\[default\]==([\d.]+)'", (REPOSITORY / name).read_text()) == [pins["ray"]]


BOTH = ["cluster.yaml", "cluster-local.yaml"]
AWS = ["cluster.yaml"]
LOCAL = ["cluster-local.yaml"]
# fmt: off
PLANTED = [
    # (files, old text, new text, text of the line of the finding, error, remedy)
    (AWS, "cache_stopped_nodes:", "cache_stoped_nodes:", "cache_stoped", "Ray ignores", "mean 'cache_stopped_nodes'"),
    (AWS, "  region: us-east-1", "  regoin: us-east-1", "regoin:", "Ray ignores 'regoin'", "mean 'region'"),
    (AWS, "cache_stopped_nodes: false", "cache_stopped_nodes: true", "cache_stop", "stopped, not termin", "false"),
    (AWS, "max_workers: 4", "max_wokers: 4", "max_wokers", "Ray has no field", "mean 'max_workers'"),
    (AWS, "head_node_type: head", "head_node_type: haed", "head_node_type", "'haed' is no type", "'head'"),
    (AWS, "min_workers: 0", "min_workers: 5", "max_workers: 4", "need 5 at least", ""),
    (AWS, "us-east-1c", "us-west-2c", "availability_zone", "us-west-2c is not in us-east-1", ""),
    (AWS, "type: aws", "type: asw", "type: asw", "checked by Ray's schema only", ""),
    (LOCAL, "head_ip:", "head_adress:", "head_adress", "Ray ignores 'head_adress'", "mean 'head_ip'"),
    (LOCAL, "head_ip: 192.168.1.10", "head_ip: 130.60.1.2", "head_ip", "130.60.1.2 is a public address", "private"),
    (LOCAL, "192.168.1.12]", "192.168.1.10]", "worker_ips", "192.168.1.10 is listed twice", ""),
    (AWS, "InstanceType: g6.2xlarge", "InstanceType: g6.2xlrge", "g6.2xlrge", "AWS has no", "mean 'g6.2xlarge'"),
    (AWS, "{VolumeSize: 64,", "{VolumeSiez: 64,", "VolumeSize|Ebs", "has no field 'VolumeSiez'", "mean 'VolumeSize'"),
    (AWS, "{VolumeSize: 64,", "{VolumeSize: 64GB,", "VolumeSize", "'64GB' is not what AWS takes here: integer", ""),
    (AWS, "VolumeType: gp3", "VolumeType: ssd", "VolumeType", "AWS has no VolumeType 'ssd'", "gp3"),
    (AWS, "InstanceType: m7i.large", "Instancetype: m7i.large", "Instancetype", "has no field 'Inst", "mean 'InstanceType'"),
    (AWS, "ImageId: resolve", "# ", "node_config", "ImageId is missing", "resolve:ssm"),
    (AWS, "ImageId: resolve:ssm:/", "ImageId: ubuntu-22.04 #", "ImageId", "'ubuntu-22.04' is not an image id", "ami-"),
    (AWS, "InstanceType: m7i.large", "InstanceType: m7i.large\n      KeyName: mine", "KeyName", "does not name the private key", "remove"),
    (AWS, "ssh_user: ubuntu", "ssh_user: ubuntu\n  ssh_private_key: ~/mine.pem", "mine.pem", "there is no ~/mine", ""),
    (AWS, "ssh_user: ubuntu", "ssh_user: ubuntu\n  ssh_private_key: ~/.ssh/id_ed25519", "node_c", "KeyName is mi", "pair"),
    (AWS, "  # No security", f"  {RULE % (8265, 8265, 'tcp', WORLD)}\n  #", "security", "port 8265 open to the world", "22"),
    (AWS, "  # No security", f"  {RULE % (22, 5000, 'tcp', WORLD)}\n  #", "security", "ports 22 to 5000 open", "22"),
    (AWS, "  # No security", f"  {RULE % (-1, -1, -1, WORLD)}\n  #", "security", "every port open to the world", ""),
    (AWS, "  # No security", f"  {RULE % (443, 443, 'tcp', WORLD6)}\n  #", "security", "port 443 open", "ssh"),
    (AWS, "InstanceType: g6.2xlarge", "InstanceType: m7i.2xlarge", "resources: {CPU: 8", "has no NVIDIA GPU", ""),
    (AWS, "InstanceType: g6.2xlarge", "InstanceType: g4ad.xlarge", "available_node", "no type of worker has an NVIDIA GPU", "L4"),
    (AWS, "InstanceType: g6.2xlarge", "InstanceType: g6.xlarge", "resources: {CPU: 8", "has 4 cores, but 8 are", "CPU: 4"),
    (AWS, "InstanceType: g6.2xlarge", "InstanceType: g5.2xlarge", "resources: {CPU: 8", "kind A10G, not L4", "type:A10G"),
    (AWS, "IamInstanceProfile: {Name: depthbench-worker}", "# ", "node_config", "workers of this type have no role", ""),
    (AWS, "IamInstanceProfile: {Name: depthbench-head}", "# ", "node_config", "neither give 'gpu' a role", "cluster roles"),
    (BOTH, "ray[default]==", "ray[default]==2.9.3 #", "2.9.3", f"ray is 2.9.3 on the nodes and {version('ray')}", "Inst"),
    (BOTH, f"--python {HERE}", "--python 3.9", "3.9", f"Python is 3.9 on the nodes and {HERE} here", "first two"),
    (BOTH, "uv venv", "pip install depthbench==9.1; uv venv", "9.1", "depthbench is 9.1 on the nodes", "or 9.1 here"),
    (BOTH, "host $HEAD", "host 0.0.0.0", "0.0.0.0", "MLflow listens on every address", "hostname -I"),
    (BOTH, "host $HEAD", "host 127.0.0.1", "127.0.0.1", "MLflow listens on 127.0.0.1, which no worker", "private"),
    (BOTH, "--host $HEAD ", "", "mlflow server", "MLflow listens on 127.0.0.1, which no worker can reach", "private"),
    (BOTH, "--app-name basic-auth ", "", "mlflow server", "MLflow asks for no password, so everyone", "--app-name basic-auth"),
    (BOTH, "MLFLOW_AUTH_ADMIN_PASSWORD=$(sha256sum ~/.ray/auth_token | cut -c1-40)", "MLFLOW_AUTH_ADMIN_PASSWORD=word1234word", "word1234word", "contains a password", "token"),
    (BOTH, "MLFLOW_TRACKING_PASSWORD=$(sha256sum ~/.ray/auth_token | cut -c1-40)\n    DEPTH", "MLFLOW_TRACKING_PASSWORD=word1234word\n    DEPTH", "word1234word", "contains a password", "token"),
    (BOTH, "MLFLOW_TRACKING_USERNAME=depthbench MLFLOW_TRACKING_PASSWORD=$(sha256sum ~/.ray/auth_token | cut -c1-40)\n    DEPTH", "DEPTH", "ray start", "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD are not exported, so trials cannot log in", "shipped"),
    (BOTH, "MLFLOW_TRACKING_USERNAME=depthbench MLFLOW_TRACKING_PASSWORD=$(sha256sum ~/.ray/auth_token | cut -c1-40)\n    DEPTH", "MLFLOW_TRACKING_USERNAME=me MLFLOW_TRACKING_PASSWORD=$(cat p)\n    DEPTH", "=me", "MLFLOW_TRACKING_USERNAME is me, but the server's user is depthbench", "one name"),
    (BOTH, "[auth,cluster,", "[cluster,", "mlflow server", "no command installs what MLflow's basic-auth needs", "auth,cluster"),
    (BOTH, "--port 5000", "--port 5001", "mlflow", "listens on port 5001, but MLFLOW_TRACKING_URI has 5000", ""),
    (BOTH, "URI=http://$RAY_HEAD_IP:5000", "URI=http://localhost:5000", "localhost", "is the node itself", "RAY_HEAD_IP"),
    (BOTH, "URI=http://$RAY_HEAD_IP:5000", "URI=sqlite:////root/x.db", "sqlite", "can be used on one machine only", "RAY_HEAD_IP"),
    (BOTH, "URI=http://$RAY_HEAD_IP", "URI=http://me:word@$RAY_HEAD_IP", "word", "contains a password", "record.md"),
    (BOTH, "MLFLOW_TRACKING_URI=http://$RAY_HEAD_IP:5000", "A=1", "ray start", "MLFLOW_TRACKING_URI is not exp", "IP:5000"),
    (BOTH, "mlflow server", "mlfow server", "head_start", "no command starts MLflow there", "before `ray start`"),
    (AWS, "=s3://my-bucket/depthbench", "=/home/ubuntu/checkpoints", "/home/ubuntu/c", "is lost with its node", "s3://"),
    (AWS, "=s3://my-bucket/depthbench", "=s3://ours/x", "s3://my-bucket", "is s3://my-bucket/depthbench here and s3://o", ""),
    (AWS, "'[auth,cluster,s3,gpu]'", "'[auth,cluster]'", "s3://", "no command installs s3fs", "cluster,s3"),
    (LOCAL, "=/mnt/shared/depthbench", "=/tmp/depthbench", "=/tmp/depthbench", "exists on one machine only", "NFS"),
    (LOCAL, "=/mnt/shared/depthbench", "=$HOME/depthbench", "=.HOME", "is a home directory, which not all machines may share", "folder"),
    (BOTH, "DEPTHBENCH_STORAGE=", "STORAGE=", "ray start", "DEPTHBENCH_STORAGE is not exported", "outlives"),
    (BOTH, "RAY_grpc_client_keepalive_time_ms=", "X=", "ray start", "without keepalive, a silently lost connection", "10000"),
    (BOTH, "keepalive_time_ms=10000", "keepalive_time_ms=20000", "10000", "is 10000 here and 20000 on the head", ""),
    (BOTH, "RAY_health_check_period_ms=", "X=", "ray start", "declares a silent node dead after a minute", "1000"),
    (BOTH, "--dashboard-host=127.0.0.1", "--dashboard-host 0.0.0.0", "0.0.0.0", "dashboard listens on every", "127.0.0.1"),
    (BOTH, "    RAY_AUTH_MODE=token", "    X=1", "-", "ports need no token", "RAY_AUTH_MODE=token"),
    (LOCAL, "RAY_AUTH_MODE=token RAY_enable", "RAY_AUTH_TOKEN=abc RAY_enable", "abc", "contains the token", "auth_token"),
    (BOTH, "  ~/.ray/auth_token: ~/.ray/auth_token", "", "file_mounts", "the nodes have no token", "get-auth-token"),
    (BOTH, ": pyproject.toml", ": pyproject.tml", "pyproject.tml", "there is no pyproject.tml here", "working directory"),
    (BOTH, "--autoscaling-config=~/ray_bootstrap_config.yaml", "", "ray start", "lacks --autoscaling-config", "shipped"),
    (BOTH, "worker_start_ray_commands:", "worker_start_ray_command:", "worker_start", "Ray has no field", "commands'"),
    (LOCAL, "RAY_enable_autoscaler_v2=0\n", "\n", "ray start", "one worker too few", "autoscaler_v2=0"),
    (LOCAL, "ssh_private_key: ~/.ssh/id_ed25519", "ssh_private_key: ~/none", "~/none", "there is no ~/none", "ssh-keygen"),
    (LOCAL, "ssh_private_key: ~/.ssh/id_ed25519", "ssh_private_key: ~nobody-here/key", "~nobody", "there is no ~nobo", ""),
    (LOCAL, "ssh_private_key: ~/.ssh/id_ed25519", f"ssh_private_key: /{'x' * 300}", "/xxx", "there is no /xxx", ""),
    (LOCAL, "  ssh_private_key: ~/.ssh/id_ed25519", "", "auth:", "cannot reach the workers", "copies it"),
    (LOCAL, "max_workers: 2", "max_workers: 1", "max_workers", "max_workers is 1, but there are 2 workers", "restarts"),
]
# fmt: on


@pytest.mark.parametrize(
    ("name", "old", "new", "line", "what", "remedy"),
    [(name, *rest) for names, *rest in PLANTED for name in names],
)
def test_mistake_is_found_on_its_line_with_a_remedy(changed, name, old, new, line, what, remedy):
    findings, lines = changed(name, (old, new))
    found = [finding for finding in findings if re.search(what, finding.what) and re.search(remedy, finding.remedy)]
    assert found, findings
    assert any(re.search(line, lines[finding.line - 1]) for finding in found), [(f, lines[f.line - 1]) for f in found]
    assert all(f"{name}:{finding.line}" in finding.where for finding in findings)


def test_all_mistakes_are_reported_in_the_order_of_lines(changed):
    findings, _ = changed(
        "cluster.yaml",
        ("cache_stopped_nodes:", "cache_stoped_nodes:"),
        ("InstanceType: m7i.large", "InstanceType: m7i.lagre"),
        ("host $HEAD", "host 0.0.0.0"),
        ("RAY_AUTH_MODE=token\n    RAY_grpc", "RAY_grpc"),
    )
    lines = [finding.line for finding in findings if finding.error]
    assert len(lines) >= 5
    assert lines == sorted(lines)


@pytest.mark.parametrize(
    "rule",
    [RULE % (22, 22, "tcp", WORLD), RULE % (5000, 5000, "tcp", "IpRanges: [{CidrIp: 10.0.0.0/8}]")],
    ids=["ssh-for-the-world", "port-for-a-private-network"],
)
def test_harmless_open_port_is_no_error(changed, rule):
    findings, _ = changed("cluster.yaml", ("  # No security", f"  {rule}\n  #"))
    assert not [finding for finding in findings if finding.error]


def test_storage_path_is_compared_by_whole_parts(changed):
    findings, _ = changed("cluster-local.yaml", ("=/mnt/shared/depthbench", "=/tmpfs/depthbench"))
    assert not [finding for finding in findings if "machine" in finding.what]


def test_storage_on_a_mounted_path_is_accepted(changed):
    mount = "setup_commands:\n  - sudo mkdir -p /efs && sudo mount -t nfs4 10.0.0.9:/ /efs"
    place = ("=s3://my-bucket/depthbench", "=/efs/checkpoints")
    findings, _ = changed("cluster.yaml", ("setup_commands:", mount), place, place)
    assert not findings


def test_missing_token_file_is_an_error(changed, laptop):
    (laptop / ".ray/auth_token").unlink()
    (found,) = [finding for finding in changed("cluster-local.yaml")[0] if finding.error]
    assert "`ray get-auth-token --generate`" in found.remedy


def test_file_with_values_of_wrong_types_is_an_error_and_no_crash(tmp_path):
    file = tmp_path / "bad.yaml"
    for text in ("a: 1", "provider: [1]\ncluster_name: {}", "cluster_name: x\nprovider: {type: aws}\nauth: 3"):
        file.write_text(text)
        assert any(finding.error for finding in check_cluster_file(file))
    file.write_text(
        "cluster_name: 1\nprovider: {type: aws, region: 3, security_group: {IpPermissions: [1, {IpRanges: x}]}}\n"
        "available_node_types: {a: 1, b: {node_config: [], resources: 4}, 3: {node_config: {BlockDeviceMappings: 5}}}\n"
        'head_node_type: [x]\nfile_mounts: [1]\nsetup_commands: [1, {a: 2}]\nhead_start_ray_commands: "ray \'start"\n'
    )
    assert any(finding.error for finding in check_cluster_file(file))
    for text in ("- 1", "a: !!python/object/apply:os.system [ls]", "a: {"):
        file.write_text(text)
        with pytest.raises(HarnessError):
            check_cluster_file(file)


def test_command_prints_all_findings_and_exits_with_2(harness, laptop, tmp_path):
    text = (REPOSITORY / "cluster-local.yaml").read_text().replace("--python 3.11", f"--python {HERE}")
    file = tmp_path / "mine.yaml"
    file.write_text(text.replace("==2.60.0", f"=={version('ray')}"))
    done = harness("cluster", "check", file, cwd=REPOSITORY)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{file} is fine.\n", "")
    file.write_text(text.replace("head_ip:", "head_pi:").replace("=/mnt/shared", "=/tmp").replace("host $HEAD", ""))
    done = harness("cluster", "check", file, cwd=REPOSITORY)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    line = text[: text.index("head_ip:")].count("\n") + 1
    assert f"{file}:{line}, provider.head_pi" in done.stderr
    blocks = re.findall(r"^error ", done.stderr, re.MULTILINE)
    assert len(blocks) == done.stderr.count("→") >= 5


@pytest.mark.parametrize(
    ("replacements", "what"),
    [
        ([("InstanceType: g6.2xlarge", "LaunchTemplate: {LaunchTemplateId: lt-1}")], None),
        ([("mlflow server", "~/start-the-record.sh #")], "no command starts MLflow there"),
        ([("  - test -x ~/depthbench/.venv", "  - sudo apt-get install -y python3.8-venv\n  - test -x ~/depthbench/.venv")],
         "Python is 3.8 on the nodes"),
        ([(f"'ray[default]=={version('ray')}' --editable", "-r requirements.txt --editable"),
          ("--constraint ~/depthbench/constraints.txt", "")], "Ray's version is not pinned in the commands"),
    ],
)  # fmt: skip
def test_problem_that_another_file_may_solve_is_a_warning(changed, replacements, what):
    findings, _ = changed("cluster.yaml", *replacements)
    assert [finding for finding in findings if finding.error] == []
    assert what is None or any(what in finding.what for finding in findings)


def test_storage_below_mount_all_is_accepted(changed):
    mount = "setup_commands:\n  - sudo mount -a"
    place = ("s3://my-bucket/depthbench", "/efs/checkpoints")
    findings, _ = changed("cluster.yaml", ("setup_commands:", mount), place, place)
    assert [finding for finding in findings if finding.error] == []


def test_unpinned_ray_is_an_error(changed):
    bare = (f"'ray[default]=={version('ray')}'", "'ray[default]'")
    findings, _ = changed("cluster.yaml", bare, ("--constraint ~/depthbench/constraints.txt", ""))
    assert [finding.what for finding in findings if finding.error] == ["Ray's version is not pinned"]


PASSWORD = "$(sha256sum ~/.ray/auth_token | cut -c1-40)"
SERVER = "mlflow server --app-name basic-auth --host $HEAD"
OPEN = "MLflow asks for no password"


@pytest.mark.parametrize(
    ("replacements", "expected"),
    [
        ([(SERVER, "mlflow server --app-name=basic-auth --host=$HEAD")], []),
        ([(SERVER, "python -m mlflow server --app-name basic-auth -h $HEAD")], []),
        ([(SERVER, "mlflow server --app-name our-sso --host $HEAD")], []),
        ([(f"MLFLOW_AUTH_ADMIN_PASSWORD={PASSWORD}", "A=1")], []),
        ([(f"MLFLOW_AUTH_ADMIN_PASSWORD={PASSWORD}", "MLFLOW_AUTH_ADMIN_PASSWORD=$(cat ~/.mlflow-password)")], []),
        ([(SERVER, "mlflow ui --host $HEAD")], [OPEN]),
        ([(SERVER, "python -m mlflow server --host=$HEAD")], [OPEN]),
        ([(SERVER, "MLFLOW_HOST=0.0.0.0 mlflow server")], ["listens on every address", OPEN]),
        ([(SERVER, "mlflow server --app-name basic-auth --host 0.0.0.0")], ["listens on every address"]),
        ([(SERVER, "MLFLOW_HOST=127.0.0.1 mlflow server")], ["which no worker can reach"]),
        ([(f"MLFLOW_AUTH_ADMIN_PASSWORD={PASSWORD}", "A=1"), ("MLFLOW_AUTH_CONFIG_PATH", "B")],
         ["does not start without a password"]),
        ([(f"MLFLOW_TRACKING_PASSWORD={PASSWORD}\n    DEPTH", "MLFLOW_TRACKING_PASSWORD=hunter2hunter2\n    DEPTH")],
         ["contains a password", "MLFLOW_TRACKING_PASSWORD is another one here than on the head"]),
    ],
    ids=lambda value: None if isinstance(value, str) else str(value)[:60],
)  # fmt: skip
def test_mlflow_that_strangers_could_use_is_an_error_and_every_other_one_is_not(changed, replacements, expected):
    findings = [finding for finding in changed("cluster-local.yaml", *replacements)[0] if finding.error]
    assert sorted(text for text in expected if any(text in finding.what for finding in findings)) == sorted(expected)
    assert len(findings) == len(expected), findings
    assert not any("hunter2" in f"{finding.what} {finding.remedy}" for finding in findings)
