"""Figures of a server for Prometheus, at ``GET /metrics``.

The server hears every answer of every worker, so that one registry has them all. Values of labels come from fixed sets:
the addresses, the statuses and the task's own labels, never from a request.
"""

from collections.abc import Callable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
SHARES = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
TOKENS = tuple(float(2**power) for power in range(5, 21))

MAX_LABELS = 100
"""Labels of a task that have a series each; the others share one."""

OTHER = "other"


class Metrics:
    """The registry of a server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._labels: frozenset[str] = frozenset()
        self._requests = self._counter("requests", "Requests by address and status", "address", "status")
        self._refusals = self._counter("refusals", "Requests that got no answer, by status", "status")
        self._seconds = self._histogram("request_seconds", "Time to the end of an answer", SECONDS, "address")
        self._waiting = self._histogram("waiting_seconds", "Time before the first pass", SECONDS)
        self._documents = self._counter("documents", "Documents that were answered")
        self._tokens = self._counter("tokens", "Tokens of answered documents, by whether they were read", "read")
        self._windows = self._counter("windows", "Windows of answered documents")
        self._lengths = self._histogram("document_tokens", "Tokens of a document", TOKENS)
        self._coverage = self._histogram("coverage", "Share of a document's tokens read", SHARES)
        unknown = "Share of a document's characters that the tokenizer does not know"
        self._unknown = self._histogram("unknown_share", unknown, SHARES)
        confidence = "Mean probability of a document's most probable labels"
        self._confidence = self._histogram("confidence", confidence, SHARES)
        self._predicted = self._counter("labels", "How often a label was the most probable one", "label")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"ctxlab_{name}", text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(f"ctxlab_{name}", text, labels, buckets=buckets, registry=self._registry)

    def take_labels(self, labels: Sequence[str]) -> None:
        """Take the labels of the task, all of which have a series from the beginning."""
        self._labels = frozenset(labels[:MAX_LABELS])
        for label in self._labels:
            self._predicted.labels(label)

    def gauge(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        """Add a figure that is asked for whenever somebody looks."""
        Gauge(f"ctxlab_{name}", help_text, registry=self._registry).set_function(value)

    def ended(self, address: str, status: int, seconds: float) -> None:
        """Count a request; ``address`` is one of the server's own."""
        self._requests.labels(address, str(status)).inc()
        self._seconds.labels(address).observe(seconds)
        if status >= 400:
            self._refusals.labels(str(status)).inc()

    def answered(self, figures: dict[str, Any], waiting_seconds: float) -> None:
        """Count the documents of an answer, see ``observed.figures``."""
        self._waiting.observe(waiting_seconds)
        for tokens, tokens_read, windows, characters, unknown in figures["documents"]:
            self._documents.inc()
            self._tokens.labels("yes").inc(tokens_read)
            self._tokens.labels("no").inc(tokens - tokens_read)
            self._windows.inc(windows)
            self._lengths.observe(tokens)
            self._coverage.observe(tokens_read / max(tokens, 1))
            self._unknown.observe(unknown / max(characters, 1))
        for value in figures["confidence"]:
            self._confidence.observe(value)
        for label, count in figures["labels"].items():
            self._predicted.labels(label if label in self._labels else OTHER).inc(count)

    def text(self) -> bytes:
        """Return all figures in the format of Prometheus."""
        return generate_latest(self._registry)
