"""What a row gives, and how all of it is shown: a table, and JSON with every single value."""

import json
import operator
import pathlib
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field


class Skip(Exception):
    """Why something cannot be measured here."""


@dataclass(frozen=True)
class Goal:
    """A limit for the median of `of`: "value", "ratio", or "excess" over the yardstick."""

    of: str
    limit: float
    below: bool = False  # the limit itself is too much

    def met(self, value: float) -> bool:
        return (operator.lt if self.below else operator.le)(value, self.limit)

    def __str__(self) -> str:
        sign = "<" if self.below else "≤"
        return f"{sign} {'+' if self.of == 'excess' else ''}{number(self.limit)}" + (
            "×" if self.of == "ratio" else ""
        )


@dataclass(frozen=True)
class Figure:
    """One line of the table. `tusfs` and `yardstick` have a value for each round."""

    name: str
    unit: str
    tusfs: Sequence[float]
    yardstick: Sequence[float] = ()
    beside: str = ""  # what the yardstick is
    goal: Goal | None = None
    rate: bool = False  # more is better
    details: dict = field(default_factory=dict)  # further values of each round

    def rounds(self, of: str) -> list[float]:
        """The values of each round; a ratio above 1 says that tusfs is slower, or takes more."""
        if of == "value":
            return list(self.tusfs)
        pairs = list(zip(self.tusfs, self.yardstick, strict=True))
        if of == "excess":
            return [ours - theirs for ours, theirs in pairs]
        if self.rate:
            pairs = [(theirs, ours) for ours, theirs in pairs]
        return [ours / theirs if theirs else float("inf") for ours, theirs in pairs]

    def median(self, of: str) -> float:
        return statistics.median(self.rounds(of))

    def verdict(self) -> str:
        if self.goal is None:
            return ""
        return "met" if self.goal.met(self.median(self.goal.of)) else "not met"


@dataclass(frozen=True)
class Row:
    """What can be asked for by name. `measure` takes the session and gives figures and skips."""

    name: str
    summary: str
    measure: Callable[..., Iterable[Figure | Skip]]


def number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


class Report:
    """The results, in the order in which they came. The file is written after each of them."""

    def __init__(self, path: pathlib.Path, conditions: dict) -> None:
        self._path = path
        self._conditions = conditions
        self._figures: list[tuple[str, Figure]] = []
        self._skipped: list[tuple[str, str]] = []
        self.failures: list[tuple[str, str]] = []

    def add(self, row: str, result: Figure | Skip) -> None:
        if isinstance(result, Skip):
            self._skipped.append((row, str(result)))
        else:
            self._figures.append((row, result))
        self._write()

    def failed(self, row: str, why: str) -> None:
        self.failures.append((row, why))
        self._write()

    def print(self) -> None:
        lines = [("row", "figure", "tusfs", "yardstick", "", "ratio", "goal", "")]
        for row, figure in self._figures:
            beside = bool(figure.yardstick)
            lines.append(
                (
                    row,
                    f"{figure.name}, {figure.unit}",
                    number(figure.median("value")),
                    number(statistics.median(figure.yardstick)) if beside else "",
                    figure.beside,
                    _compared(figure),
                    str(figure.goal or ""),
                    figure.verdict(),
                )
            )
        widths = [max(map(len, column)) for column in zip(*lines)]
        align = "<<>><>><"
        for line in lines:
            cells = (f"{cell:{a}{w}}" for cell, a, w in zip(line, align, widths))
            print("  ".join(cells).rstrip())
        for row, why in self._skipped:
            print(f"SKIPPED: {row}: {why}")
        for row, why in self.failures:
            print(f"FAILED: {row}: {why}")
        print(", ".join(f"{key} {value}" for key, value in self._conditions.items()))
        print(f"every value: {self._path}", flush=True)

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(
            json.dumps(
                {
                    "conditions": self._conditions,
                    "figures": [_as_json(row, figure) for row, figure in self._figures],
                    "skipped": [dict(row=row, reason=why) for row, why in self._skipped],
                    "failed": [dict(row=row, reason=why) for row, why in self.failures],
                },
                ensure_ascii=False,
                indent=1,
            )
            + "\n"
        )


def _compared(figure: Figure) -> str:
    """The ratio, or the difference where the goal is one."""
    if not figure.yardstick:
        return ""
    if figure.goal and figure.goal.of == "excess":
        return f"{'+' if figure.median('excess') >= 0 else ''}{number(figure.median('excess'))}"
    return f"{number(figure.median('ratio'))}×"


def _as_json(row: str, figure: Figure) -> dict:
    entry = {
        "row": row,
        "figure": figure.name,
        "unit": figure.unit,
        "tusfs": list(figure.tusfs),
        "tusfs_median": figure.median("value"),
    }
    if figure.yardstick:
        entry |= {
            "yardstick": figure.beside,
            "yardstick_values": list(figure.yardstick),
            "yardstick_median": statistics.median(figure.yardstick),
            "ratios": figure.rounds("ratio"),
            "ratio_median": figure.median("ratio"),
        }
    if figure.goal:
        entry |= {"goal": str(figure.goal), "goal_of": figure.goal.of, "verdict": figure.verdict()}
    if figure.details:
        entry["details"] = figure.details
    return entry
