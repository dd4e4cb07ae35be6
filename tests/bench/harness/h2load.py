"""Load in HTTP/2: nghttp2's h2load, its report read."""

import re
import statistics
import subprocess
from pathlib import Path

URL = "https://h0.test:{port}/1k"


def command(port: int, log: Path, requests: int, connections: int, streams: int) -> list[str]:
    return ["h2load", "-n", str(requests), "-c", str(min(connections, requests)), "-m", str(streams),
            "--log-file", str(log), URL.format(port=port)]


def number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    if not found:
        raise RuntimeError("h2load: " + text[-300:])
    return float(found[1])


def percentiles(log: Path) -> dict:
    took = sorted(int(line.split("\t")[2]) for line in log.read_text().splitlines())
    if len(took) < 2:
        return {}
    cuts = statistics.quantiles(took, n=100, method="inclusive")
    return {"p50_us": cuts[49], "p90_us": cuts[89], "p99_us": cuts[98], "max_us": took[-1]}


def run(pin: list[str], port: int, log: Path, requests: int, connections: int, streams: int) -> dict:
    """The same keys as bench_load's report."""
    result = subprocess.run([*pin, *command(port, log, requests, connections, streams)], capture_output=True,
                            text=True, timeout=120)
    text = result.stdout
    if result.returncode != 0 or "Application protocol: h2" not in text:
        raise RuntimeError(f"h2load: {result.stderr[-200:]} {text[-300:]}")
    good = int(number(r"status codes: (\d+) 2xx", text))
    failed = requests - good
    return {"requests": good, "drained": 0, "errors": {"h2load": failed} if failed else {},
            "seconds": good / max(1, number(r"([\d.]+) req/s", text)), "rps": number(r"([\d.]+) req/s", text),
            "tls": " ".join(re.findall(r"(?:TLS Protocol|Cipher): (\S+)", text)), **percentiles(log)}
