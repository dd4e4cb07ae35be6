"""What a proxy is to the benchmark: how to start it, how clients speak to it, how to count what it captured.

To add one: a subclass of Proxy (forward) or ReverseProxy in peers.py, and its row in PROXIES there. `Setup`
tells where things are."""

import inspect
import shutil
from dataclasses import dataclass
from pathlib import Path

from harness import origin

PORT = 8080        # every forward proxy; a reverse proxy's plain port
TLS_PORT = 8443    # a reverse proxy's TLS port, towards origin.TLS_PORT
HOSTS_PORT = 8444  # a reverse proxy's TLS port, towards origin.HOSTS_PORT
H2_PORT = 8445     # a reverse proxy's port for HTTP/2, towards origin.H2_PORT


@dataclass
class Setup:
    folder: Path           # fresh for every start; gone afterwards
    origin: origin.Origin
    ca: Path               # folder with mitm-ca.{key,crt,pem}: RSA-2048, which all of them take
    scheme: str            # of the workload
    cores: int             # how many the proxy may use

    def write(self, name: str, text: str, **values) -> Path:
        """A configuration file: text without its indentation, its {names} filled in."""
        path = self.folder / name
        path.write_text(inspect.cleandoc(text.format(**values)) + "\n")
        return path


def count_in_file(path: Path, needle: bytes) -> int:
    """How often needle is in the file; for files larger than memory."""
    found, tail, overlap = 0, b"", len(needle) - 1
    with open(path, "rb") as file:
        while block := file.read(16 << 20):
            data = tail + block
            found += data.count(needle)
            tail = data[len(data) - overlap:]
    return found


class Proxy:
    """Base: a forward proxy that clients reach with absolute-form requests and CONNECT."""
    name = ""
    capture = ""                          # what it keeps, in words; empty: nothing
    needs = ()                            # programs that must be there
    schemes = ("http", "https", "hosts")  # of the workloads that it can do
    writers = ()                          # the threads that write the capture

    def missing(self) -> list[str]:
        """What this machine lacks for it."""
        return [name for name in self.needs if shutil.which(name) is None]

    def command(self, setup: Setup) -> list:
        raise NotImplementedError

    def environment(self, setup: Setup) -> dict:
        """What its environment has besides ours."""
        return {}

    def client(self, scheme: str) -> tuple[str, int]:
        """How bench_load speaks to it (h2load, for h2): (mode, port)."""
        return {"http": ("proxy", PORT), "h2": ("tls", H2_PORT)}.get(scheme, ("connect", PORT))

    def ca_file(self, setup: Setup) -> Path:
        """What clients verify its certificates against."""
        return setup.ca / "mitm-ca.crt"

    def stored(self, setup: Setup) -> list[Path]:
        """The files that hold the capture."""
        return [setup.folder / "capture"] if self.capture else []

    def count(self, setup: Setup) -> int | None:
        """How many exchanges were captured, if that can be told."""
        return None


class ReverseProxy(Proxy):
    """Clients speak to it as if it were the origin."""
    schemes = ("http", "https", "h2")

    def client(self, scheme):
        return {"http": ("plain", PORT), "https": ("tls", TLS_PORT), "hosts": ("tls", HOSTS_PORT),
                "h2": ("tls", H2_PORT)}[scheme]


class Direct(Proxy):
    """No proxy: what client and origin can do between them, the bound of the harness."""
    name = "direct"
    schemes = ("http", "https", "h2")

    def client(self, scheme):
        return {"http": ("plain", origin.HTTP_PORT), "https": ("tls", origin.TLS_PORT),
                "h2": ("tls", origin.H2_PORT)}[scheme]

    def ca_file(self, setup):
        return setup.origin.ca
