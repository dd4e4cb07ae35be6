"""A network, mounts and processes of our own: only loopback, our DNS server in /etc/resolv.conf, and whoever
ends the benchmark ends all that it started. Nothing outside changes, and nothing outside can be reached."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

from harness import processes

INSIDE = "WEIR_BENCH_INSIDE"
ENTER = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork", "--kill-child",
         "--mount-proc"]


def run_inside():
    """Runs this program again in there, and ends with it. Who is not root is so in there."""
    as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    inside = subprocess.Popen([*ENTER, *as_root, "--", sys.executable, *sys.argv],
                              env={**os.environ, INSIDE: "1"})

    def pass_on(number, _):  # unshare would not
        for pid in processes.tree(inside.pid)[1:2]:
            os.kill(pid, number)

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal tells both
    sys.exit(inside.wait())


def set_up():
    """What is different in there."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    # Without any address but 127.0.0.1, getaddrinfo's AI_ADDRCONFIG (sslsplit) finds nothing.
    subprocess.run(["ip", "address", "add", "192.0.2.1/32", "dev", "lo"], check=True)
    Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("10000 65000")
    Path("/proc/sys/net/core/somaxconn").write_text("4096")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def is_inside() -> bool:
    return os.environ.get(INSIDE) == "1"


def use_our_dns(scratch: Path):
    (scratch / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    subprocess.run(["mount", "--bind", scratch / "resolv.conf", "/etc/resolv.conf"], check=True)


def mount_memory(folder: Path):
    """Files in memory, which go away with us."""
    subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)


def unmount(folder: Path):
    subprocess.run(["umount", "--lazy", folder], check=True)
