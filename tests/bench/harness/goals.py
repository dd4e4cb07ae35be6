"""What weir is to reach, and whether it does: ratios within one repetition, then their median."""

import statistics
from dataclasses import dataclass
from typing import Callable

MIB = 1 / 1024
Figure = Callable[["Repetition"], float]


class Repetition:
    """The rows of one repetition: r("https-1k", "cpu_us") is weir's figure."""

    def __init__(self, rows: list[dict]):
        self.rows = {(row["proxy"], row["workload"]): row for row in rows if "failed" not in row}

    def __call__(self, workload: str, key: str, proxy: str = "weir") -> float:
        """Raises KeyError where that was not measured."""
        return self.rows[proxy, workload][key]

    def two_cores(self) -> float:
        """How many times what one core does: by throughput, or by CPU time where load and origin need the
        same cores."""
        one, two = self.rows["weir", "https-1k"], self.rows["weir", "https-1k-two"]
        if two["shares_cores"]:
            return two["cores"] * one["cpu_us"] / two["cpu_us"]
        return two["rps"] / one["rps"]


def ratio(workload: str, key: str = "cpu_us", to: str = "haproxy") -> Figure:
    return lambda r: r(workload, key) / r(workload, key, to)


def figure(workload: str, key: str, scale: float = 1, proxy: str = "weir") -> Figure:
    return lambda r: r(workload, key, proxy) * scale


@dataclass
class Goal:
    workload: str
    what: str
    value: Figure
    goal: float
    least: float | Figure
    more_is_better: bool = False

    def least_of(self, r: Repetition) -> float:
        return self.least(r) if callable(self.least) else self.least

    def reaches(self, value: float, bound: float) -> bool:
        return value >= bound if self.more_is_better else value <= bound


def bulk(workload: str) -> list[Goal]:
    return [Goal(workload, "CPU a MiB ÷ haproxy", ratio(workload, "cpu_us_per_mib"), 1.5, 1.8),
            Goal(workload, "peak memory, MiB", figure(workload, "peak_kib", MIB), 64, 64)]


GOALS = [
    Goal("https-1k", "CPU a request ÷ haproxy", ratio("https-1k"), 1.0, 1.25),
    Goal("https-1k", "p99 ÷ haproxy", ratio("https-1k", "p99_us"), 1.2, 1.25),
    Goal("http-1k", "CPU a request ÷ haproxy", ratio("http-1k"), 1.3, 1.5),
    Goal("https-16k", "CPU a request ÷ haproxy", ratio("https-16k"), 1.3, 1.5),
    *bulk("https-1m"), *bulk("download"), *bulk("upload"), *bulk("upload-unique"),
    Goal("https-new", "CPU a connection ÷ haproxy", ratio("https-new"), 1.0, 1.2),
    Goal("https-mint", "CPU a connection ÷ weir's https-new",
         lambda r: r("https-mint", "cpu_us") / r("https-new", "cpu_us"), 1.5, 2),
    Goal("idle", "memory a connection, KiB", figure("idle", "kib_per_connection"), 40, 64),
    Goal("start", "first answer, ms", figure("start", "start_ms"), 15,
         figure("start", "start_ms", proxy="haproxy")),
    Goal("start", "resident, MiB", figure("start", "rss_kib", MIB), 16,
         figure("start", "rss_kib", MIB, "haproxy")),
    Goal("https-1k-two", "two cores ÷ one", Repetition.two_cores, 1.7, 1.5, more_is_better=True),
    Goal("h2-1", "nginx's CPU a request ÷ weir's", lambda r: 1 / ratio("h2-1", to="nginx")(r), 0.9, 0.7,
         more_is_better=True),
    Goal("h2-100", "nginx's CPU a request ÷ weir's", lambda r: 1 / ratio("h2-100", to="nginx")(r), 0.9, 0.7,
         more_is_better=True),
    Goal("unique-1k", "CPU of the store's threads an exchange, µs", figure("unique-1k", "writer_us"), 8, 12),
]


def measured(repetitions: list[Repetition], value: Figure) -> list[float]:
    """In each repetition that has what the figure needs."""
    values = []
    for repetition in repetitions:
        try:
            values.append(value(repetition))
        except (KeyError, ZeroDivisionError):
            continue
    return values


def verdict(goal: Goal, value: float, least: float | None) -> str:
    if goal.reaches(value, goal.goal):
        return "goal"
    return "least" if least is not None and goal.reaches(value, least) else "missed"


def goal_lines(rows: list[dict]) -> list[list[str]]:
    """Workload, what, median, min, max, goal, least, verdict: of the goals that these rows tell of."""
    by_rep = {}
    for row in rows:
        by_rep.setdefault(row["rep"], []).append(row)
    repetitions = [Repetition(rows) for rows in by_rep.values()]
    lines = []
    for goal in GOALS:
        values = measured(repetitions, goal.value)
        if not values:
            continue
        leasts = measured(repetitions, goal.least_of)
        least = statistics.median(leasts) if leasts else None
        middle = statistics.median(values)
        lines.append([goal.workload, goal.what, f"{middle:.2f}", f"{min(values):.2f}", f"{max(values):.2f}",
                      f"{goal.goal:g}", f"{least:.3g}" if least is not None else "-",
                      verdict(goal, middle, least)])
    return lines
