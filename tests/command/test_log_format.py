"""Lines of logs without secrets; whole commands are in tests/faults."""

import logging

from ctxlab.command.log_format import WithoutSecrets


def test_secrets_are_masked_and_other_words_are_not(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "a-secret-of-the-test")
    record = logging.LogRecord("x", logging.INFO, "", 1, "seed=%s a-secret-of-the-test y://me:pw@h", (3,), None)
    assert WithoutSecrets("%(levelname)s %(message)s").format(record) == "INFO seed=3 *** y://me:***@h"
