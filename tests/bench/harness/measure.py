"""One measurement: a proxy started afresh, warmed up, loaded, stopped, and its capture counted."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from harness import h2load, namespace, origin, processes
from harness.proxy import Direct, Proxy, Setup
from harness.workloads import Workload

START_TIMEOUT = 30  # seconds
ANSWER_TIMEOUT = 2  # seconds; sslsplit may never answer a connection that came while it started
SETTLE = 0.3        # seconds until what is done later, such as writing the capture, has been done
WARM_SECONDS = 0.5
TARGETS = {"http": f"h0.test:{origin.HTTP_PORT}", "https": f"h0.test:{origin.TLS_PORT}",
           "hosts": f"h%d.test:{origin.HOSTS_PORT}"}


def answers(mode: str, port: int) -> bool:
    """Whether a request through the proxy gets a 200; no request is sent where nobody listens yet."""
    url = "/1k" if mode == "plain" else f"http://h0.test:{origin.HTTP_PORT}/1k"
    request = f"GET {url} HTTP/1.1\r\nHost: h0.test:{origin.HTTP_PORT}\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_TIMEOUT) as s:
            s.sendall(request.encode())
            return b" 200 " in s.makefile("rb").read()[:100]  # all of it: who goes before has aborted it
    except OSError:
        return False


def stop(process: subprocess.Popen):
    """Ends the proxy and whatever it started: it has time to write its capture."""
    started = processes.tree(process.pid)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        print(f"    {process.args[0]} had to be killed", file=sys.stderr)
        process.kill()
        process.wait()
    for pid in started[1:]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


@contextmanager
def running(proxy: Proxy, setup: Setup, pin: list[str]):
    """Starts the proxy; yields (pid, milliseconds to its first response)."""
    if isinstance(proxy, Direct):
        yield None, 0.0
        return
    mode, port = proxy.client("http")
    command = [*pin, *map(str, proxy.command(setup))]
    said = setup.folder / "output"
    with open(said, "wb") as output:
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                                   start_new_session=True, env={**os.environ, **proxy.environment(setup)})
    try:
        while not answers(mode, port):
            if process.poll() is not None or time.monotonic() - began > START_TIMEOUT:
                raise RuntimeError("no answer; it said: " + said.read_text(errors="replace")[-500:])
            time.sleep(0.0005)
        yield process.pid, (time.monotonic() - began) * 1000
    finally:
        stop(process)


def pinned(cores: list[int]) -> list[str]:
    return ["taskset", "-c", ",".join(map(str, cores))]


class Cores:
    """Who runs where: the proxy on the last core or the last two, load and origin on the others, if there
    are any."""

    def __init__(self):
        self.all = sorted(os.sched_getaffinity(0))
        self.load = self.all[:-2] if len(self.all) >= 4 else self.all[:1]

    def proxy(self, workload: Workload) -> list[int]:
        return self.all[-2:] if workload.on_both_cores else self.all[-1:]


class Bench:
    """What all measurements of a run share: scratch folders, the origin, bench_load."""

    def __init__(self, scratch: Path, load: Path, patience: float):
        self.scratch, self.load, self.patience = scratch, load, patience
        self.cores = Cores()
        for name in "origin", "ca", "memory":
            (scratch / name).mkdir()
        namespace.mount_memory(scratch / "memory")
        self.origin = origin.Origin(scratch / "origin", scratch / "memory", self.cores.load)

    def prepare(self, workloads: list[Workload]):
        origin.make_ca(self.scratch / "ca", "mitm-ca", "rsa")
        self.origin.prepare({w.path for w in workloads})
        if any(w.scheme == "hosts" for w in workloads):
            self.origin.prepare_hosts()
        self.origin.start()
        give_up = time.monotonic() + START_TIMEOUT
        while not (answers("plain", origin.HTTP_PORT) and self.origin.resolves()):
            if time.monotonic() > give_up:
                raise RuntimeError("the origin does not answer: " + self.origin.said())
            time.sleep(0.01)

    def close(self):
        self.origin.stop()
        namespace.unmount(self.scratch / "memory")

    def cell(self, proxy: Proxy, workload: Workload) -> dict:
        folder = Path(tempfile.mkdtemp(prefix=proxy.name + "-", dir=self.scratch))
        setup = Setup(folder, self.origin, self.scratch / "ca", workload.scheme,
                      len(self.cores.proxy(workload)))
        try:
            processes.wait_for_quiet(self.patience)
            return Cell(self, proxy, workload, setup).measure()
        finally:
            shutil.rmtree(folder)


class Cell:
    """A proxy under a workload."""

    def __init__(self, bench: Bench, proxy: Proxy, workload: Workload, setup: Setup):
        self.bench, self.proxy, self.workload, self.setup = bench, proxy, workload, setup
        self.row, self.sent = {"cores": setup.cores}, 1  # the request that tells that it is up

    def measure(self) -> dict:
        cores = self.bench.cores
        proxy_cores = cores.proxy(self.workload)
        self.row["shares_cores"] = any(core in cores.load for core in proxy_cores)
        with running(self.proxy, self.setup, pinned(proxy_cores)) as (pid, start_ms):
            time.sleep(SETTLE)
            if pid:
                self.row |= {"start_ms": round(start_ms, 1), "rss_kib": processes.memory_kib(pid, "VmRSS")}
            if self.workload.kind != "start":
                self.warm_up()
                self.measure_load(pid)
            if pid:
                self.row["peak_kib"] = processes.memory_kib(pid, "VmHWM")
        if self.proxy.capture:
            self.row |= {"sent": self.sent, "captured": self.proxy.count(self.setup),
                         "stored_bytes": sum(file.stat().st_size for file in self.proxy.stored(self.setup))}
        return self.row

    def count(self, result: dict) -> int:
        answered = result["requests"] + result["drained"]
        self.sent += answered
        return answered

    def warm_up(self):
        w = self.workload
        if w.kind == "h2load":
            self.count(self.run_h2load(200))
            return
        self.count(self.run_load("-n", 1, "-d", 20, "-P", "/1k"))  # some take seconds to make their first key
        # Of the hosts a few are enough, and those that are measured have to be new.
        bound = ["-d", 2, "-n", 50] if w.scheme == "hosts" else ["-d", WARM_SECONDS]
        self.count(self.run_load("-c", min(64, w.connections), "-P", "/1k", "-r", w.per_connection, *bound))

    def measure_load(self, pid: int | None):
        """What the load and the proxy say of each other."""
        used, written = self.used(pid)
        with processes.watching_others(self.row):
            self.row |= self.run_workload(pid)
        done = self.count(self.row)
        time.sleep(SETTLE)
        if not pid or not done:
            return
        used_after, written_after = self.used(pid)
        self.row["cpu_us"] = round((used_after - used) / done, 2)
        self.row["busy"] = round((used_after - used) / (self.row["seconds"] * 1e6), 2)
        if self.workload.mib:
            self.row["cpu_us_per_mib"] = round(self.row["cpu_us"] / self.workload.mib, 1)
        if written is not None:
            self.row["writer_us"] = round((written_after - written) / done, 2)

    def used(self, pid: int | None) -> tuple[float, float | None]:
        """CPU time of the proxy so far, and of the thread that writes its capture."""
        if not pid:
            return 0, None
        writer = processes.thread_cpu_us(pid, self.proxy.writers) if self.proxy.writers else None
        return processes.cpu_us(pid), writer

    def load_command(self, *options) -> list[str]:
        mode, port = self.proxy.client(self.workload.scheme)
        command = [self.bench.load, "-m", mode, "-a", f"127.0.0.1:{port}",
                   "-H", TARGETS[self.workload.scheme], "--cafile", self.proxy.ca_file(self.setup), *options]
        return [*pinned(self.load_cores()), *map(str, command)]

    def load_cores(self) -> list[int]:
        """Where the proxy has two of two cores there is none to be left to it."""
        cores = self.bench.cores
        return cores.all if self.row["shares_cores"] else cores.load

    def run_load(self, *options) -> dict:
        result = subprocess.run(self.load_command(*options), capture_output=True, timeout=120)
        if result.returncode != 0:
            raise RuntimeError(f"bench_load: {result.returncode} {result.stderr.decode()}")
        return json.loads(result.stdout)

    def run_workload(self, pid: int | None) -> dict:
        w = self.workload
        if w.kind == "h2load":
            return self.run_h2load(w.requests)
        checks = ["--crc"] if w.path in ("/1k", "/16k", "/1m") else []
        if w.path in origin.SIZES:
            checks += ["--expect", origin.SIZES[w.path]]
        options = ["-c", w.connections, "-d", w.seconds, "-n", w.requests, "-r", w.per_connection,
                   "-P", w.path, "-t", 2 if w.on_both_cores else 1, *checks, *w.options]
        return self.run_idle(pid, *options) if w.kind == "idle" else self.run_load(*options)

    def run_idle(self, pid: int, *options) -> dict:
        """The memory of connections, from what the proxy has before and while they are there."""
        before = processes.memory_kib(pid, "VmRSS")
        load = subprocess.Popen(self.load_command(*options), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        parked = json.loads(load.stdout.readline())["parked"]
        time.sleep(1)
        after = processes.memory_kib(pid, "VmRSS")
        result = json.loads(load.communicate(timeout=60)[0])
        kept = parked - result["dropped"]
        return {**result, "parked": kept, "kib_per_connection": round((after - before) / max(1, kept), 2)}

    def run_h2load(self, requests: int) -> dict:
        port = self.proxy.client("h2")[1]
        return h2load.run(pinned(self.load_cores()), port, self.setup.folder / "h2load.log", requests,
                          self.workload.connections, self.workload.streams)
