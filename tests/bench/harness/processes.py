"""What processes use, as /proc tells it: CPU time, memory, and what everything else on the machine uses."""

import os
import time
from contextlib import contextmanager
from pathlib import Path

TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")
QUIET = 0.2  # cores used by others up to which a measurement counts as undisturbed


def stat_fields(path: str) -> list[str]:
    """The fields of a stat file after the name of the program; [] if it is gone."""
    try:
        return Path(path).read_text().rpartition(")")[2].split()
    except OSError:
        return []


def tree(root: int) -> list[int]:
    """root and all its descendants, itself first."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := stat_fields(f"/proc/{entry}/stat")):
            children.setdefault(int(fields[1]), []).append(int(entry))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def cpu_us(root: int) -> float:
    """User and system time so far of root and its descendants, of those that have ended too."""
    ticks = 0
    for pid in tree(root):
        ticks += sum(map(int, stat_fields(f"/proc/{pid}/stat")[11:15]))  # utime stime cutime cstime
    return ticks * TICK_US


def exact_cpu_us(pid: int) -> float:
    """The same of one process, its threads that are there, to the nanosecond: for what uses nearly nothing."""
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1000


def thread_cpu_us(pid: int, names: tuple[str, ...]) -> float | None:
    """User and system time so far of the threads of these names; None if there are none."""
    ticks, found = 0, False
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            is_it = (task / "comm").read_text().strip() in names
        except OSError:  # it has ended
            continue
        if is_it:
            ticks += sum(map(int, stat_fields(f"{task}/stat")[11:13]))
            found = True
    return ticks * TICK_US if found else None


def memory_kib(root: int, key: str) -> int:
    """Sum of VmRSS (now) or VmHWM (the most there was) of root and its descendants."""
    total = 0
    for pid in tree(root):
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith(key + ":"))
    return total


def others_cpu_us() -> float:
    """What everything on the machine but this program and its children used so far."""
    ticks = list(map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:]))
    idle = ticks[3] + ticks[4]
    return (sum(ticks[:8]) - idle) * TICK_US - cpu_us(os.getpid())


@contextmanager
def watching_others(row: dict):
    """Notes in row["noise"] how many cores others used meanwhile."""
    used, began = others_cpu_us(), time.monotonic()
    yield
    cores = (others_cpu_us() - used) / 1e6 / (time.monotonic() - began)
    row["noise"] = max(0, round(cores, 3))


def wait_for_quiet(patience: float):
    """Until others use little, but so many seconds at most."""
    give_up, row = time.monotonic() + patience, {"noise": 1}
    while row["noise"] > QUIET and time.monotonic() < give_up:
        with watching_others(row):
            time.sleep(0.4)
