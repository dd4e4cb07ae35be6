"""The tables of a run: what was measured, with ratios to one proxy, and how far weir is from its goals."""

import statistics
from itertools import product

from harness import goals, peers
from harness.processes import QUIET
from harness.workloads import WORKLOADS, Workload



def pick(rows: list[dict], key: str, scale: float = 1) -> list[float]:
    return [row[key] * scale for row in rows if row.get(key) is not None]


def figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def spread(values: list[float]) -> str:
    """median (min-max), or the one that there is"""
    if not values:
        return "-"
    middle = figure(statistics.median(values))
    return f"{middle} ({figure(min(values))}-{figure(max(values))})" if len(values) > 1 else middle


def median_of_quiet(rows: list[dict], key: str, scale: float = 1) -> str:
    """Of the runs during which the machine was quiet; of all, marked ~, where none was."""
    quiet = [row for row in rows if row.get("noise", 0) <= QUIET]
    values = pick(quiet or rows, key, scale)
    if not values:
        return "-"
    return figure(statistics.median(values)) + ("" if quiet else " ~")


def group(rows: list[dict]) -> dict[tuple[str, str], list[dict]]:
    cells = {}
    for row in rows:
        cells.setdefault((row["proxy"], row["workload"]), []).append(row)
    return cells


def result_text(workload: Workload, rows: list[dict]) -> str:
    if workload.kind == "start":
        return f"{spread(pick(rows, 'start_ms'))} ms, {spread(pick(rows, 'rss_kib', 1 / 1024))} MiB"
    if workload.kind == "idle":
        return f"{spread(pick(rows, 'kib_per_connection'))} KiB/connection"
    if workload.mib:
        return f"{median_of_quiet(rows, 'mbps')} MB/s"
    return f"{median_of_quiet(rows, 'rps')} /s"


def captured_text(rows: list[dict]) -> str:
    counted = [row for row in rows if row.get("captured") is not None]
    if all(row["captured"] == row["sent"] for row in counted):
        return "all" if counted else "-"
    return ", ".join(sorted({f"{row['captured']}/{row['sent']}" for row in counted}))


def errors_of(row: dict) -> int:
    return sum(row.get("errors", {}).values())


def ratio_text(mine: list[dict], theirs: list[dict], key: str) -> str:
    """The median of the ratios within each repetition."""
    other = {row["rep"]: row for row in theirs}
    ratios = [row[key] / other[row["rep"]][key] for row in mine
              if row.get(key) and other.get(row["rep"], {}).get(key)]
    return f"{statistics.median(ratios):.2f}" if ratios else "-"


# What is compared first in a workload: the key of it, and its unit.
COMPARED = {"idle": ("kib_per_connection", "KiB"), "start": ("start_ms", "ms")}


def compared(workload: Workload) -> tuple[str, str]:
    per_mib = ("cpu_us_per_mib", "µs/MiB") if workload.mib else ("cpu_us", "µs")
    return COMPARED.get(workload.kind, per_mib)


def compared_text(workload: Workload, name: str, cells: dict, ref: str) -> str:
    rows, theirs = cells.get((name, workload.name), []), cells.get((ref, workload.name), [])
    key, unit = compared(workload)
    values = pick(rows, key)
    if not values:
        return "-"
    text = f"{figure(statistics.median(values))} {unit}"
    return f"{text} ({ratio_text(rows, theirs, key)})" if theirs else text


def print_comparison(cells: dict, ref: str):
    names = [name for name in peers.PROXIES if name != "direct" and any(key[0] == name for key in cells)]
    workloads = [workload for workload in WORKLOADS.values() if any(key[1] == workload.name for key in cells)]
    print(f"CPU time a request, or memory, or time: the median, and its ratio to {ref}'s\n")
    print_table(["workload", *names],
                [[w.name, *(compared_text(w, name, cells, ref) for name in names)] for w in workloads])


def headings(ref: str) -> list[str]:
    return ["workload", "proxy", "result", "CPU µs", f"÷ {ref}", "busy", "p50 ms", "p99 ms", f"÷ {ref}",
            "peak MiB", "captured", "errors", "noise", "TLS to the client"]


def result_line(workload: Workload, name: str, cells: dict, ref: str) -> list[str]:
    rows, theirs = cells[name, workload.name], cells.get((ref, workload.name), [])
    cpu = "cpu_us_per_mib" if workload.mib else "cpu_us"
    busy = pick(rows, "busy")
    failed = sum(map(errors_of, rows))
    return [workload.name, name, result_text(workload, rows),
            spread(pick(rows, cpu)) + (" /MiB" if workload.mib and pick(rows, cpu) else ""),
            ratio_text(rows, theirs, cpu), f"{statistics.median(busy):.0%}" if busy else "-",
            spread(pick(rows, "p50_us", 1e-3)), spread(pick(rows, "p99_us", 1e-3)),
            ratio_text(rows, theirs, "p99_us"), spread(pick(rows, "peak_kib", 1 / 1024)),
            captured_text(rows), f"**{failed}**" if failed else "0",
            spread(pick(rows, "noise")), rows[-1].get("tls") or "-"]


def print_table(columns: list[str], lines: list[list[str]]):
    print("| " + " | ".join(columns) + " |")
    print("|---" * len(columns) + "|")
    for line in lines:
        print("| " + " | ".join(line) + " |")
    print()


def print_tables(rows: list[dict], ref: str):
    """rows: those of runs; a row with "machine" tells where."""
    for machine in dict.fromkeys(row["machine"] for row in rows if "machine" in row):
        print(machine + "\n")
    rows = [row for row in rows if "proxy" in row]
    cells = group([row for row in rows if "failed" not in row])
    print_comparison(cells, ref)
    lines = [result_line(workload, name, cells, ref)
             for workload, name in product(WORKLOADS.values(), peers.PROXIES) if (name, workload.name) in cells]
    print_table(headings(ref), lines)
    reached = goals.goal_lines(rows)
    if reached:
        print_table(["workload", "what", "median", "min", "max", "goal", "least", ""], reached)
    for row in rows:
        if "failed" in row:
            print(f"FAILED {row['proxy']} {row['workload']}: {row['failed'].strip()[-300:]}")
