"""The words of a command reach processes that it starts, and are gone after it."""

import json
import subprocess
import sys

from ctxlab.core import invocation

ASK = "import json; from ctxlab.core.invocation import command; print(json.dumps(command()))"


def test_words_reach_a_process_and_are_gone_after():
    assert invocation.command() == []
    words = ["ctxlab", "train", "data.path=a folder", "task.labels=[Ä,b]"]
    with invocation.recorded_command(words):
        assert invocation.command() == words
        asked = subprocess.run([sys.executable, "-c", ASK], check=True, capture_output=True, text=True, timeout=60)
        assert json.loads(asked.stdout) == words
        with invocation.recorded_command(["ctxlab", "eval"]):
            assert invocation.command() == ["ctxlab", "eval"]
        assert invocation.command() == words
    assert invocation.command() == []
