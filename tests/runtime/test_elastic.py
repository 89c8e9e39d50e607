import pytest

from ctxlab.runtime import elastic
from ctxlab.runtime.elastic import _status


@pytest.mark.parametrize(
    ("codes", "status"),
    [([2, 2], 2), ([1, 3], 3), ([1, 1], 1), ([-9, 1], 137), ([143, 1], 143), ([], 1)],
)
def test_the_status_is_that_of_the_process_that_knows_why(codes, status):
    assert _status(codes) == status


def test_the_signals_that_stop_a_run_reach_its_processes(monkeypatch):
    started = {}

    def launch(config, program):
        started["signals"] = config.signals_to_handle.split(",")
        return lambda *words: started.update(words=words)

    monkeypatch.setattr(elastic, "elastic_launch", launch)
    monkeypatch.setenv(elastic.THREADS, "1")
    assert elastic.run(["train", "resume=run"], 2) == 0
    assert started == {"signals": ["SIGTERM", "SIGINT", "SIGUSR1"], "words": ("-m", "ctxlab", "train", "resume=run")}
