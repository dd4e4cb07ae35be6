"""How what weir costs grows with hosts and with connections: `scale --hosts`, `scale --connections`.

Weir is started afresh for each row. CPU is that of all its threads, writing the capture included. Load and
origin run on the other cores, as in `run`; where weir has two workers, it has two cores."""

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from harness import namespace, origin, peers, processes
from harness.measure import Bench, pinned, running
from harness.proxy import PORT, Setup

SETTLE = 0.5            # seconds until what was done last has been written
IDLE = 5                # seconds for which idle connections are watched
BURST = 2               # seconds of requests
STEPS = 16              # in which all begin: at once they would wait for each other's handshakes for too long
FEW = 10                # connections that are used while many are open
CHUNK = 20_000          # connections of one run of bench_load: its time is limited
LEAST_AGAIN = 2_000     # connections to hosts that were met before; so many at least
MOST_AGAIN = 20_000


class Weir:
    """One that runs. cores: how many it may use, and so how many workers it has."""

    def __init__(self, bench: Bench, setup: Setup, pid: int):
        self.bench, self.setup, self.pid = bench, setup, pid

    def load_command(self, scheme: str, target: str, *options) -> list[str]:
        mode = "proxy" if scheme == "http" else "connect"
        command = [self.bench.load, "-m", mode, "-a", f"127.0.0.1:{PORT}", "-H", target, "-P", "/1k", "--cafile",
                   peers.Weir().ca_file(self.setup), "--expect", origin.SIZES["/1k"], *options]
        return [*pinned(self.bench.cores.load), *map(str, command)]

    def load(self, *arguments) -> dict:
        done = subprocess.run(self.load_command(*arguments), capture_output=True, check=True)
        return faultless(json.loads(done.stdout))

    def used_us(self) -> float:
        time.sleep(SETTLE)
        return processes.exact_cpu_us(self.pid)

    def memory_kib(self) -> int:
        return processes.memory_kib(self.pid, "VmRSS")


def faultless(result: dict) -> dict:
    if sum(result["errors"].values()) != 0 or result.get("dropped", 0) != 0:
        raise RuntimeError(f"{result['errors']} {result['first_error']}, {result['dropped']} dropped")
    return result


@contextmanager
def weir(bench: Bench, cores: int):
    with tempfile.TemporaryDirectory(prefix="weir-", dir=bench.scratch) as folder:
        setup = Setup(Path(folder), bench.origin, bench.scratch / "ca", "https", cores)
        with running(peers.Weir(), setup, pinned(bench.cores.all[-cores:])) as (pid, _):
            yield Weir(bench, setup, pid)


# --- hosts ---------------------------------------------------------------------------------------------------

def connect(it: Weir, count: int, hosts: int) -> float:
    """µs of CPU of a connection with a request: count of them, to hosts that take turns."""
    used = it.used_us()
    for first in range(0, count, CHUNK):
        number = min(CHUNK, count - first)
        it.load("https", f"h%d.hosts.test:{origin.NEW_PORT}", "-c", min(16, number), "-n", number, "-r", 1,
                "-d", 600, "--hosts", min(hosts, number), "--first-host", first % hosts)
    return (it.used_us() - used) / count


def hosts_row(bench: Bench, count: int) -> list[str]:
    """First: each host for the first time, so that its leaf is forged. Again: in the same order."""
    with weir(bench, 1) as it:
        # The first ones of all pay for what is made once.
        it.load("https", f"other.hosts.test:{origin.NEW_PORT}", "-c", 4, "-n", 200, "-r", 1)
        before = it.memory_kib()
        first = connect(it, count, count)
        after = it.memory_kib()
        again = connect(it, min(max(count, LEAST_AGAIN), MOST_AGAIN), count)
        return [f"{count:,}", f"{first:,.0f} µs", f"{again:,.0f} µs", f"{(after - before) / 1024:.1f} MiB",
                f"{it.memory_kib() / 1024:.0f} MiB"]


def hosts_rows(bench: Bench, counts: list[int]):
    for count in counts:
        yield hosts_row(bench, count)


# --- connections ---------------------------------------------------------------------------------------------

class Held:
    """Connections that are open, one request each behind them."""

    def __init__(self, it: Weir, scheme: str, count: int):
        target = f"h0.test:{origin.HTTP_PORT if scheme == 'http' else origin.TLS_PORT}"
        self.it = it
        self.process = subprocess.Popen(
            it.load_command(scheme, target, "-c", count, "-d", 600, "--hold", 600, "--burst", BURST,
                            "--timeout", 120, "--ramp", max(64, count // STEPS)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.parked = self.read()["parked"]
        if self.parked != count:
            raise RuntimeError(f"{self.parked} of {count} connections: {self.end()}")

    def read(self) -> dict:
        return json.loads(self.process.stdout.readline())

    def burst(self, count: int) -> float:
        """µs of CPU a request of so many of them, once weir has a connection to the origin for each."""
        self.process.stdin.write(f"{count}\n")
        self.read()
        used = processes.exact_cpu_us(self.it.pid)
        requests = self.read()["requests"]
        return (processes.exact_cpu_us(self.it.pid) - used) / requests

    def end(self) -> dict:
        return json.loads(self.process.communicate(timeout=60)[0].splitlines()[-1])


def connections_row(bench: Bench, scheme: str, workers: int, count: int) -> list[str]:
    with weir(bench, workers) as it:
        Held(it, scheme, FEW).end()  # what is made once
        before = it.memory_kib()
        held = Held(it, scheme, count)
        used = it.used_us()
        memory = (it.memory_kib() - before) / count
        time.sleep(IDLE)
        idle = (it.used_us() - used) / (IDLE + SETTLE)
        few = held.burst(min(FEW, count))
        busy = held.burst(count)
        faultless(held.end())
        return [scheme, str(workers), f"{count:,}", f"{memory:.1f} KiB", f"{idle / 1000:.2f} ms", f"{few:.1f} µs",
                f"{busy:.1f} µs"]


def connections_rows(bench: Bench, counts: list[int]):
    for scheme in "http", "https":
        for workers in range(1, min(2, len(bench.cores.all)) + 1):
            for count in counts:
                # In use, each has a descriptor on either side.
                most = (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 1000) // 2
                yield connections_row(bench, scheme, workers, min(count, most))


# --- both ----------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Growth:
    titles: list[str]
    counts: list[int]  # if not said otherwise
    rows: Callable


HOSTS = Growth(["hosts", "CPU a connection, first", "again", "memory after the first round", "in all, at the end"],
               [1, 10, 1_000, 10_000, 100_000], hosts_rows)
CONNECTIONS = Growth(["", "workers", "connections", "memory each", "CPU a second, all idle",
                      f"CPU a request, {FEW} in use", "all in use"], [10, 1_000, 10_000], connections_rows)


def run(growth: Growth, build: Path, counts: list[int], work: str | None):
    """Prints the table as Markdown, a row as soon as it is known."""
    if not namespace.is_inside():
        subprocess.run(["cmake", "--build", build, "--target", "weir", "bench_load"], check=True,
                       stdout=subprocess.DEVNULL)
        namespace.run_inside()
    namespace.set_up()
    for number in signal.SIGTERM, signal.SIGINT:
        signal.signal(number, lambda *_: sys.exit("scale: stopped"))
    peers.Weir.program = build / "weir"
    with tempfile.TemporaryDirectory(prefix="weir-scale-", dir=work) as scratch:
        os.chmod(scratch, 0o755)
        namespace.use_our_dns(Path(scratch))
        bench = Bench(Path(scratch), build / "bench_load", 0)
        try:
            bench.prepare([])
            print("| " + " | ".join(growth.titles) + " |\n|" + "---|" * len(growth.titles), flush=True)
            for row in growth.rows(bench, counts or growth.counts):
                print("| " + " | ".join(row) + " |", flush=True)
        finally:
            bench.close()
