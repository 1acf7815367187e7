"""A lab of several hosts on one machine. A host has its own network address, sshd, processes, /tmp and /root.

Hosts are Linux namespaces. A bridge in a further network namespace, the switch, connects them, so the machine's own
network is not changed and no packet leaves the lab. Hosts are called h0 (the laptop), h1, h2, ...; h7 has the address
10.77.0.17. They see the machine's file system read-only; all of them can write to :attr:`Lab.SHARED`.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

HOST = Path(__file__).with_name("host.sh")
REPOSITORY = HOST.parents[2]
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TOOLS = ("unshare", "nsenter", "ip", "sshd", "ssh", "ssh-keygen", "rsync")


def lab_obstacle() -> str:
    """Return why this machine cannot have a lab; empty if it can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "a lab of several hosts needs root on Linux"
    missing_tools = [tool for tool in TOOLS if shutil.which(tool, path=PATH) is None]
    if missing_tools:
        return f"a lab of several hosts needs {', '.join(missing_tools)}"
    attempt = subprocess.run(["unshare", "-n", "-m", "-p", "-u", "-i", "-f", "true"], capture_output=True, text=True)
    return f"namespaces cannot be made: {attempt.stderr.strip()}" if attempt.returncode else ""


class Lab:
    """Starts and stops hosts. Only one lab exists at a time; a second one waits until the first is removed.

    The hosts end with the process that made the lab, also when it is killed.

    Args:
        env: Further variables of every shell on the hosts. PATH begins with this Python; PYTHONPATH is the project.
        wait: Seconds to wait until another lab is removed.

    Raises:
        TimeoutError: Another lab still exists.
    """

    NET = "10.77.0"
    SHARED = "/mnt"
    KEY = "/root/.ssh/id_lab"

    def __init__(self, env: dict[str, str] | None = None, wait: float = 1200) -> None:
        self._processes: dict[str, subprocess.Popen] = {}
        self._lock = _lock_file(Path(tempfile.gettempdir()) / "depthbench-lab.lock", wait)
        for stale in Path(tempfile.gettempdir()).glob("depthbench-lab-*"):
            shutil.rmtree(stale, ignore_errors=True)
        self.folder = Path(tempfile.mkdtemp(prefix="depthbench-lab-"))
        (self.folder / "shared").mkdir()
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / "key"], check=True)
        names = "".join(f"{self.address(f'h{i}')} h{i}\n" for i in range(100))
        (self.folder / "hosts").write_text(f"127.0.0.1 localhost\n{names}")
        variables = {
            "PATH": f"{sys.prefix}/bin:{PATH}",
            "PYTHONPATH": str(REPOSITORY),
            "RAY_USAGE_STATS_ENABLED": "0",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            **(env or {}),
        }
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
        (self.folder / "profile").write_text("".join(lines))

    def address(self, host: str) -> str:
        """Return the address of a host, which may be off."""
        return f"{self.NET}.{10 + int(host[1:])}"

    def up(self, hosts: int) -> None:
        """Start the switch, h0, and h1 to ``hosts``."""
        switch = ["unshare", "-n", "sh", "-c", "ip link set lo up; read -r _"]
        self._processes["switch"] = subprocess.Popen(switch, stdin=subprocess.PIPE)
        # The process is in the machine's own network until unshare has finished.
        _wait_until(
            lambda: _network_namespace(self._processes["switch"].pid) != _network_namespace(os.getpid()), "the switch"
        )
        self._switch(f"ip link add br0 type bridge; ip addr add {self.NET}.1/24 dev br0; ip link set br0 up")
        for number in range(hosts + 1):
            self.boot(f"h{number}")

    def boot(self, host: str) -> None:
        """Start a host with empty disks; a host that was killed can be started again.

        Raises:
            RuntimeError: The host runs already, or it did not start.
        """
        if self.is_running(host):
            raise RuntimeError(f"{host} runs already")
        log = self.folder / f"{host}.log"
        keep = dict.fromkeys(str(Path(path).resolve()) for path in (sys.prefix, sys.base_prefix, REPOSITORY))
        variables = {"LAB": str(self.folder), "NAME": host, "ADDRESS": self.address(host), "KEEP": ":".join(keep)}
        with log.open("wb") as file:
            process = self._processes[host] = subprocess.Popen(
                ["unshare", "-n", "-m", "-p", "-u", "-i", "-f", "--mount-proc", "bash", HOST],
                env={"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", **variables},
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

        def wait_for(condition, description):
            _wait_until(lambda: process.poll() is not None or condition(), description, lambda: log.read_text())
            if process.poll() is not None:
                raise RuntimeError(f"{host} did not start: {log.read_text()}")

        wait_for(lambda: self._first_process(host), f"the first process of {host}")
        first = self._first_process(host)
        # A real host keeps its network card at a restart, and other hosts remember the address of the card.
        card = f"name eth0 address 02:00:00:00:00:{int(host[1:]):02x} netns {first}"
        self._switch(
            f"ip link del v{host} 2>/dev/null; "
            f"ip link add v{host} type veth peer {card} && ip link set v{host} master br0 up"
        )
        _run(
            ["nsenter", "-t", str(first), "-n", "sh", "-ec"],
            f"ip link set lo up; ip link set eth0 up; ip addr add {self.address(host)}/24 dev eth0; "
            f"ip route add default via {self.NET}.1",
        )
        wait_for(lambda: self._switch(f"bash -c '</dev/tcp/{self.address(host)}/22'", check=False), f"sshd on {host}")

    def is_running(self, host: str) -> bool:
        """Return whether a host is on."""
        return host in self._processes and self._processes[host].poll() is None

    def kill(self, host: str) -> None:
        """Power a host off: kill all of its processes at once. Do nothing if it is off."""
        if self.is_running(host) and (first := self._first_process(host)):
            with suppress(ProcessLookupError):
                os.kill(first, signal.SIGKILL)
            # unshare ends after the kernel has ended every process of the namespace.
            self._processes[host].wait(30)

    def cut(self, host: str) -> None:
        """Disconnect a host: packets in both directions are dropped without an error."""
        self._switch(f"ip link set v{host} down")

    def heal(self, host: str) -> None:
        """Connect a host again."""
        self._switch(f"ip link set v{host} up")

    def start(self, host: str, line: str, **options) -> subprocess.Popen:
        """Start a shell line on a host, as root in /root, in a process group of its own; ``options`` are Popen's."""
        first = self._first_process(host)
        if first is None:
            raise RuntimeError(f"{host} is off")
        command = ["nsenter", "-t", str(first), "-n", "-m", "-p", "-u", "-i", "env", "-i"]
        command += ["HOME=/root", "TERM=dumb", "LANG=C.UTF-8", "bash", "-lc", f"cd; {line}"]
        options = {"stdin": subprocess.DEVNULL, "text": True, **options}
        return subprocess.Popen(command, start_new_session=True, **options)

    def exec(self, host: str, line: str, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess:
        """Run a shell line on a host to its end, its output kept.

        Raises:
            RuntimeError: The line failed and ``check`` is set; the message holds its output.
            subprocess.TimeoutExpired: The line took longer than ``timeout`` seconds and was killed.
        """
        process = self.start(host, line, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        if check and process.returncode:
            raise RuntimeError(f"{host}: {line}\nended with {process.returncode}\n{out}{err}")
        return subprocess.CompletedProcess(line, process.returncode, out, err)

    def down(self) -> None:
        """Stop all hosts and delete the lab's files. A second call does nothing."""
        for host in list(self._processes):
            if host != "switch":
                self.kill(host)
        for process in self._processes.values():
            process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
        self._processes.clear()
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()

    def _first_process(self, host: str) -> int | None:
        """Return the process id, on this machine, of the host's first process; None if the host is off."""
        pid = self._processes[host].pid if self.is_running(host) else 0
        with suppress(OSError, IndexError):
            return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
        return None

    def _switch(self, line: str, check: bool = True) -> bool:
        """Run a shell line in the network of the switch; return whether it succeeded."""
        return _run(["nsenter", "-t", str(self._processes["switch"].pid), "-n", "sh", "-c"], line, check)


def _run(command: list[str], line: str, check: bool = True) -> bool:
    """Run a command with a shell line as its last argument; return whether it succeeded."""
    done = subprocess.run([*command, line], env={"PATH": PATH}, capture_output=True, text=True)
    if check and done.returncode:
        raise RuntimeError(f"{line}: {done.stderr}")
    return done.returncode == 0


def _network_namespace(pid: int) -> str:
    """Return the name of a process's network namespace."""
    return str(Path(f"/proc/{pid}/ns/net").readlink())


def _wait_until(condition, description: str, read_log=lambda: "", seconds: float = 20) -> None:
    """Wait until ``condition()`` is true; raise RuntimeError with the log after ``seconds``."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"{description} did not come within {seconds:.0f} s {read_log()}")
        time.sleep(0.02)


def _lock_file(path: Path, seconds: float):
    """Lock a file and return it open; closing the file, or the end of the process, releases the lock."""
    file = path.open("a")
    end = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            if time.monotonic() > end:
                file.close()
                raise TimeoutError(f"another lab holds {path}") from None
            time.sleep(0.5)
