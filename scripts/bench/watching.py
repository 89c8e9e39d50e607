"""What ``ctxlab monitor`` finds, and how often it rings for nothing, on invented streams; and what privacy costs."""

import math
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from statistics import mean
from time import process_time
from typing import Any

import numpy as np
from scipy.stats import chi2

from ctxlab.audit.measures.newcombe import wilson
from ctxlab.core.monitoring import CONFIDENCE, LENGTH, UNKNOWN, Alarm, Detector, Reference, Seen, State
from ctxlab.monitoring.drift.cusum import Cusum
from ctxlab.monitoring.drift.ks import Ks
from ctxlab.monitoring.drift.psi import Psi
from ctxlab.monitoring.surge.poisson import Poisson
from ctxlab.monitoring.surge.weekly import Weekly
from ctxlab.privacy.finding.known import KINDS, found
from scripts.bench.timing import row

RATES = {"billing": 6.0, "delivery": 3.0, "praise": 1.5}
"""Documents of each topic a day."""

LABELS, SHARES = ("bad", "good", "mixed"), (0.5, 0.3, 0.2)
CLEAN_STREAMS, CLEAN_DOCUMENTS = 20, 500
SHIFTED_STREAMS = 40
MONTHS, MONTH_DAYS, QUIET_DAYS = 100, 90, 40

RHYTHM = (3.0, 1.0, 1.0, 1.0, 1.0, 0.2, 0.2)
"""Factors of the days of the week, from Monday on."""

MONDAY, SURGE_DAY = date(2026, 1, 5), 63
WEEKLY_STREAMS, WEEKLY_DAYS = 40, 180

HOSTILE = ("1 ", "a@", "1-", "a:", "DE89 ", "4111 ", "0123 ", "x@y.", "(0")
"""Texts without anything personal in which every place might begin something."""

MEGABYTES = 5


def measure(_: Path) -> list[dict[str, Any]]:
    """Simulate drift and surges, then search long texts."""
    return [*drift(), *surges(), *weekly(), *privacy()]


def _documents(random: np.random.Generator, count: int, shift: float = 0.0) -> Iterator[Seen]:
    for number in range(1, count + 1):
        figures = {
            LENGTH: float(np.round(np.exp(5 + 0.6 * (random.normal() + shift)))),
            UNKNOWN: float(random.binomial(200, 0.002) / 200),
            CONFIDENCE: float(random.beta(8, 2)),
        }
        yield Seen(str(number), number, figures, label=str(random.choice(LABELS, p=SHARES)))


def _reference(random: np.random.Generator) -> Reference:
    seen = list(_documents(random, 200))
    figures = {name: sorted(one.figures[name] for one in seen) for name in seen[0].figures}
    labels = {name: sum(one.label == name for one in seen) for name in LABELS}
    return Reference("classification", len(seen), figures, labels)


def _rings(rule: Detector, stream: Iterator[Seen], reference: Reference | None = None) -> list[Alarm]:
    state: State = {}
    return [alarm for seen in stream for alarm in rule.step(state, seen, reference)]


def drift() -> Iterator[dict[str, Any]]:
    """Count alarms of clean streams, and documents until a shift is found."""
    rules: dict[str, Detector] = {"cusum": Cusum(0.5, 20_000), "psi": Psi(50, 20_000, 5), "ks": Ks(50, 20_000)}
    for name, rule in rules.items():
        random = np.random.default_rng(1)
        clean = sum(
            len(_rings(rule, _documents(random, CLEAN_DOCUMENTS), _reference(random))) for _ in range(CLEAN_STREAMS)
        )
        what = f"drift={name}: false alarms in {CLEAN_STREAMS} clean streams of {CLEAN_DOCUMENTS} documents"
        yield row(f"{what} {_interval(clean)}", float(clean), at_most=1)
        for shift in (1.0, 1.5):
            random = np.random.default_rng(2)
            delays = [_delay(rule, random, shift) for _ in range(SHIFTED_STREAMS)]
            within = mean(delay <= 50 for delay in delays)
            middle = sorted(delays)[len(delays) // 2]
            what = f"… documents longer by {shift:g} sd: share found within 50 documents (median after {middle:g})"
            yield row(what, within, at_least=1.0 if shift > 1 else None)


def _delay(rule: Detector, random: np.random.Generator, shift: float) -> float:
    rang = _rings(rule, _documents(random, 200, shift), _reference(random))
    return min((float(alarm.number) for alarm in rang), default=math.inf)


def _days(random: np.random.Generator, count: int, factor: float = 1.0) -> Iterator[Seen]:
    number = 0
    for offset in range(count):
        for group, rate in RATES.items():
            here = rate * (factor if group == "delivery" and offset >= QUIET_DAYS else 1)
            for _ in range(int(random.poisson(here))):
                number += 1
                day = date(2026, 1, 1) + timedelta(days=offset)
                yield Seen(str(number), number, {}, group=group, day=day)


def surges() -> Iterator[dict[str, Any]]:
    """Count alarms of topics with constant rates, and how soon a planted surge is found."""
    rule = Poisson(90, 28, 7)
    random = np.random.default_rng(3)
    false = [len(_rings(rule, _days(random, MONTH_DAYS))) for _ in range(MONTHS)]
    what = f"surge=poisson: false alarms in {MONTH_DAYS} days, mean of {MONTHS} streams"
    yield row(f"{what} {_interval(sum(false), MONTHS)}", mean(false), at_most=1)
    begin = (date(2026, 1, 1) + timedelta(days=QUIET_DAYS)).isoformat()
    for factor in (3.0, 4.0, 5.0):
        random = np.random.default_rng(4)
        found_in: dict[str, int] = {"1": 0, "2": 0}
        for _ in range(MONTHS):
            rang = [one for one in _rings(rule, _days(random, QUIET_DAYS + 5, factor)) if _is_planted(one, begin)]
            first = (date.fromisoformat(str(rang[0].day)) - date.fromisoformat(begin)).days + 1 if rang else 99
            found_in = {days: count + (first <= int(days)) for days, count in found_in.items()}
        what = (
            f"… a topic of 3 a day × {factor:g}: share found within 2 days (on the first {found_in['1'] / MONTHS:.2f})"
        )
        low, high = wilson(found_in["2"], MONTHS)
        yield row(f"{what} [{low:.2f}, {high:.2f}]", found_in["2"] / MONTHS, at_least=0.95 if factor > 3 else None)


def _is_planted(alarm: Alarm, begin: str) -> bool:
    return alarm.subject == "delivery" and str(alarm.day) >= begin


def _interval(count: int, over: float = 1) -> str:
    """Return the exact 95 % interval of a Poisson mean (Garwood 1936)."""
    low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    return f"[{low / over:.2f}, {chi2.ppf(0.975, 2 * count + 2) / 2 / over:.2f}]"


def weekly() -> Iterator[dict[str, Any]]:
    """Count alarms of streams with busy Mondays and quiet weekends, and how often a surge on a Monday is found."""
    rules: dict[str, Detector] = {"poisson": Poisson(90, 28, 7), "weekly": Weekly(90, 8, 3)}
    for name, rule in rules.items():
        random = np.random.default_rng(5)
        false = [len(_rings(rule, _weeks(random, WEEKLY_DAYS))) for _ in range(WEEKLY_STREAMS)]
        months = WEEKLY_STREAMS * WEEKLY_DAYS / MONTH_DAYS
        what = f"surge={name}: false alarms in {MONTH_DAYS} days with three times as many documents on Mondays"
        limit = 1 if name == "weekly" else None
        yield row(f"{what} {_interval(sum(false), months)}", sum(false) / months, at_most=limit)
    random, found = np.random.default_rng(6), 0
    for _ in range(WEEKLY_STREAMS):
        rang = _rings(rules["weekly"], _weeks(random, SURGE_DAY + 1, SURGE_DAY))
        day = (MONDAY + timedelta(days=SURGE_DAY)).isoformat()
        found += any((one.subject, one.day) == ("delivery", day) for one in rang)
    low, high = wilson(found, WEEKLY_STREAMS)
    what = f"surge=weekly: a Monday with four times as many as Mondays have is found [{low:.2f}, {high:.2f}]"
    yield row(what, found / WEEKLY_STREAMS, at_least=0.95)


def _weeks(random: np.random.Generator, count: int, surge: int | None = None) -> Iterator[Seen]:
    number = 0
    for offset in range(count):
        day = MONDAY + timedelta(days=offset)
        for group, rate in RATES.items():
            factor = 4 if surge == offset and group == "delivery" else 1
            for _ in range(int(random.poisson(rate * RHYTHM[day.weekday()] * factor))):
                number += 1
                yield Seen(str(number), number, {}, group=group, day=day)


def privacy() -> Iterator[dict[str, Any]]:
    """Search texts of two lengths; processor time, which other work on the machine changes little."""
    sentence = "The ship sailed on 3 May 2021 with 120 men, 14 of whom wrote to the harbour about room 12. "
    texts: Mapping[str, str] = {"prose": sentence, **{repr(unit): unit for unit in HOSTILE}}
    worst = 0.0
    for name, unit in texts.items():
        long = MEGABYTES * 1_000_000 if name == "prose" else 500_000
        seconds = {size: _seconds((unit * (size // len(unit) + 1))[:size]) for size in (long // 10, long)}
        if name == "prose":
            yield row(f"privacy=patterns: seconds for {MEGABYTES} MB of prose", seconds[long])
        worst = max(worst, seconds[long] / seconds[long // 10])
    yield row("… at most so many times as long for ten times the text, whatever it is", worst, at_most=15)


def _seconds(text: str) -> float:
    started = process_time()
    found(text, tuple(KINDS))
    return process_time() - started
