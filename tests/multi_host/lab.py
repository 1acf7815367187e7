"""Several real hosts on one machine: namespaces with an address, an sshd, processes, /tmp and /root of their own.

All hosts hang on a bridge inside one more network namespace, the switch, so the machine's own network is never
touched and nothing leaves the lab. Hosts are called h0 (the laptop), h1, h2, ...; h7 has the address 10.77.0.17.
They see the machine's file system read-only, and :attr:`Lab.SHARED` as a disk that all of them may write to.
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


def missing() -> str:
    """Return why no lab can be made here; empty if one can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "a lab of several hosts needs root on Linux"
    absent = [tool for tool in TOOLS if shutil.which(tool, path=PATH) is None]
    if absent:
        return f"a lab of several hosts needs {', '.join(absent)}"
    tried = subprocess.run(["unshare", "-n", "-m", "-p", "-u", "-i", "-f", "true"], capture_output=True, text=True)
    return f"no namespaces here: {tried.stderr.strip()}" if tried.returncode else ""


class Lab:
    """Hosts, started and stopped. There is one lab at a time: a second one waits for the first to go.

    Hosts die with the process that made them, even where it is killed.

    Args:
        env: Variables of every shell on the hosts, beside PATH (with this Python first) and PYTHONPATH (the project).
        wait: Seconds to wait for another lab to go.

    Raises:
        TimeoutError: Another lab is still there.
    """

    NET = "10.77.0"
    SHARED = "/mnt"
    KEY = "/root/.ssh/id_lab"

    def __init__(self, env: dict[str, str] | None = None, wait: float = 1200) -> None:
        self._processes: dict[str, subprocess.Popen] = {}
        self._lock = _locked(Path(tempfile.gettempdir()) / "depthbench-lab.lock", wait)
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
        """Return the address of a host, whether it is on or off."""
        return f"{self.NET}.{10 + int(host[1:])}"

    def up(self, hosts: int) -> None:
        """Start the switch, h0, and h1 to ``hosts``."""
        switch = ["unshare", "-n", "sh", "-c", "ip link set lo up; read -r _"]
        self._processes["switch"] = subprocess.Popen(switch, stdin=subprocess.PIPE)
        # Until unshare has done its work the process is still in the machine's own network.
        _until(lambda: _network(self._processes["switch"].pid) != _network(os.getpid()), "the switch")
        self._switch(f"ip link add br0 type bridge; ip addr add {self.NET}.1/24 dev br0; ip link set br0 up")
        for number in range(hosts + 1):
            self.boot(f"h{number}")

    def boot(self, host: str) -> None:
        """Start a host, empty; one that was killed may be started again.

        Raises:
            RuntimeError: It runs already, or it did not come up.
        """
        if self.running(host):
            raise RuntimeError(f"{host} runs already")
        log = self.folder / f"{host}.log"
        keep = dict.fromkeys(str(Path(place).resolve()) for place in (sys.prefix, sys.base_prefix, REPOSITORY))
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

        def need(condition, what):
            _until(lambda: process.poll() is not None or condition(), what, lambda: log.read_text())
            if process.poll() is not None:
                raise RuntimeError(f"{host} did not come up: {log.read_text()}")

        need(lambda: self._first(host), f"the first process of {host}")
        first = self._first(host)
        # As a real machine, it has the same card after a restart: its neighbours remember that.
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
        need(lambda: self._switch(f"bash -c '</dev/tcp/{self.address(host)}/22'", check=False), f"sshd on {host}")

    def running(self, host: str) -> bool:
        """Return whether a host is on."""
        return host in self._processes and self._processes[host].poll() is None

    def kill(self, host: str) -> None:
        """Power a host off: kill all of its processes at once. Do nothing if it is off."""
        if self.running(host) and (first := self._first(host)):
            with suppress(ProcessLookupError):
                os.kill(first, signal.SIGKILL)
            # unshare ends when the kernel has done away with every process of the namespace.
            self._processes[host].wait(30)

    def cut(self, host: str) -> None:
        """Disconnect a host: packets in both directions are dropped without an error."""
        self._switch(f"ip link set v{host} down")

    def heal(self, host: str) -> None:
        """Connect a host again."""
        self._switch(f"ip link set v{host} up")

    def start(self, host: str, line: str, **options) -> subprocess.Popen:
        """Start a shell line on a host, as root in /root; ``options`` are Popen's. Leads a process group of its own."""
        first = self._first(host)
        if first is None:
            raise RuntimeError(f"{host} is off")
        command = ["nsenter", "-t", str(first), "-n", "-m", "-p", "-u", "-i", "env", "-i"]
        command += ["HOME=/root", "TERM=dumb", "LANG=C.UTF-8", "bash", "-lc", f"cd; {line}"]
        options = {"stdin": subprocess.DEVNULL, "text": True, **options}
        return subprocess.Popen(command, start_new_session=True, **options)

    def exec(self, host: str, line: str, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess:
        """Run a shell line on a host to its end, its output kept.

        Raises:
            RuntimeError: It failed and ``check`` is set; the message holds what it printed.
            subprocess.TimeoutExpired: It took longer than ``timeout`` seconds; it is killed.
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

    def _first(self, host: str) -> int | None:
        """Return the machine's number of the host's first process; None if the host is off."""
        pid = self._processes[host].pid if self.running(host) else 0
        with suppress(OSError, IndexError):
            return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
        return None

    def _switch(self, line: str, check: bool = True) -> bool:
        return _run(["nsenter", "-t", str(self._processes["switch"].pid), "-n", "sh", "-c"], line, check)


def _run(before: list[str], line: str, check: bool = True) -> bool:
    done = subprocess.run([*before, line], env={"PATH": PATH}, capture_output=True, text=True)
    if check and done.returncode:
        raise RuntimeError(f"{line}: {done.stderr}")
    return done.returncode == 0


def _network(pid: int) -> str:
    return str(Path(f"/proc/{pid}/ns/net").readlink())


def _until(condition, what: str, more=lambda: "", seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"{what} did not come within {seconds:.0f} s {more()}")
        time.sleep(0.02)


def _locked(path: Path, seconds: float):
    """Lock a file for this process; closing it, or the end of the process, frees it."""
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
