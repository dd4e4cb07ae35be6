"""What is measured. To add a workload: its row in WORKLOADS."""

from dataclasses import dataclass

from harness import origin

BIG = origin.SIZES["/100m"]


@dataclass(frozen=True)
class Workload:
    name: str
    what: str
    scheme: str               # http, https, hosts (https, each with a certificate of its own), h2 (reverse mode)
    kind: str = "load"        # load, idle, start or h2load
    path: str = "/1k"
    connections: int = 64
    seconds: float = 2.5      # at most
    requests: int = 0         # at most; 0: no limit
    per_connection: int = 0   # requests; 0: no limit
    streams: int = 1          # at once, of a connection
    options: tuple = ()       # more of bench_load
    mib: float = 0            # that a request moves, where CPU is told by MiB; 0: by request
    on_both_cores: bool = False


def big(name: str, what: str, path: str, *options) -> Workload:
    return Workload(name, what, "https", path=path, connections=4, seconds=30, requests=8, mib=100,
                    options=options)


WORKLOADS = {w.name: w for w in [
    Workload("http-1k", "plain HTTP, 1 KiB bodies, 64 kept-alive connections", "http"),
    Workload("https-1k", "the same over TLS on both sides", "https"),
    Workload("https-16k", "the same with 16 KiB bodies", "https", path="/16k"),
    Workload("https-1m", "1 MiB bodies, 4 kept-alive TLS connections", "https", path="/1m", connections=4,
             mib=1),
    big("download", "8 x 100 MiB over 4 TLS connections", "/100m", "--expect", BIG),
    big("upload", "8 POSTs of 100 MiB over 4 TLS connections, of a pattern", "/upload", "--body", BIG),
    big("upload-unique", "the same, but no two pieces are alike", "/upload", "--body", BIG, "--vary"),
    Workload("https-new", "a new TLS connection for each request, one host", "https", connections=16,
             per_connection=1),
    Workload("https-mint", "a new TLS connection and a new host for each request", "hosts", connections=16,
             per_connection=1, seconds=5, requests=2000, options=("--first-host", 100)),
    Workload("idle", "2,000 idle kept-alive TLS connections: memory of each", "https", kind="idle",
             connections=2000, seconds=60, options=("--hold", 20, "--ramp", 32)),
    Workload("start", "from exec to the first proxied response; memory then", "http", kind="start"),
    Workload("https-1k-two", "https-1k, the proxy on two cores", "https", on_both_cores=True),
    Workload("h2-1", "HTTP/2, reverse mode, 1 KiB bodies, 10 connections, 1 stream each", "h2", kind="h2load",
             connections=10, requests=20000),
    Workload("h2-100", "the same, 100 streams each", "h2", kind="h2load", connections=10, requests=60000,
             streams=100),
    Workload("unique-1k", "http-1k, each body another one: what the store costs", "http", path="/unique"),
]}
