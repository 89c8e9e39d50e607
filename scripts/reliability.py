"""``make reliability``: run the tests with real faults, and write ``docs/reliability.md`` from what they came to.

``python -m scripts.reliability <test files>`` runs only these, and keeps the rows of the others.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = Path("docs/reliability.md")

TESTS = (
    "tests/faults",
    "tests/training/test_interrupted.py",
    "tests/stages/test_compare_kill.py",
    "tests/stages/test_sweep_kill.py",
)

HEAD = """# What happens when something fails

Written by `make reliability`, which runs the tests that kill processes, damage files and take memory away.
A faster part of them is in `make test`; all of them are `make test-faults`.

| promise | how it is tested | figure |
|---|---|---|
"""


def main(chosen: list[str]) -> int:
    """Run the tests and write the page if all of them pass; returns their exit status."""
    with tempfile.TemporaryDirectory() as folder:
        promises = Path(folder) / "promises.jsonl"
        command = [sys.executable, "-m", "pytest", "-m", "faults or not faults", *(chosen or TESTS)]
        status = subprocess.run(command, check=False, env={**os.environ, "CTXLAB_PROMISES": str(promises)}).returncode
        if status == 0:
            lines = promises.read_text(encoding="utf-8").splitlines() if promises.is_file() else []
            rows = [json.loads(line) for line in lines]
            if chosen:
                renewed = {row[0] for row in rows}
                rows = [*(row for row in written() if row[0] not in renewed), *rows]
            PAGE.write_text(HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows), encoding="utf-8")
            print(f"written: {PAGE}")
    return status


def written() -> list[list[str]]:
    """Return the rows of the page."""
    lines = PAGE.read_text(encoding="utf-8").removeprefix(HEAD).splitlines()
    return [line.strip("| ").split(" | ") for line in lines]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
