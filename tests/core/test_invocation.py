"""The command line is passed on to child processes, and removed afterwards."""

import json
import subprocess
import sys

from ctxlab.core import invocation

ASK = "import json; from ctxlab.core.invocation import command; print(json.dumps(command()))"


def test_the_command_line_reaches_a_child_process_and_is_removed_after():
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
