"""Peak memory in a multirun, against that of the same run in a process of its own."""

import json
import subprocess
import sys

import pytest

from tests.stages.conftest import SMALL

ORDERS = (("256", "1024"), ("1024", "256"), ("256",), ("1024",))


@pytest.mark.slow
def test_the_peak_of_a_job_does_not_depend_on_those_before_it(tmp_path):
    given = [word for word in SMALL if not word.startswith(("context", "data.words", "trainer.max_steps"))]
    words = [*given, "data.words_per_document=1500", "trainer.max_steps=2", "strategy=longformer"]
    peaks = {}
    for order in ORDERS:
        folder = tmp_path / "_".join(order)
        command = [sys.executable, "-m", "ctxlab", "train", "-m", *words, f"context.length={','.join(order)}",
                   f"hydra.sweep.dir={folder}"]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        for path in folder.rglob("result.json"):
            found = json.loads(path.read_text())
            peaks.setdefault(found["context_length"], []).append(found["cost"]["peak_memory_bytes"])
    for own in peaks.values():
        assert len(own) == 3
        assert max(own) < 1.05 * min(own)
