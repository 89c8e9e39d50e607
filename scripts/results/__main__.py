"""``make results``: run every task on its real corpus and write ``docs/results.md``.

Figures of each command are kept in ``outputs/results/<name>.json``, so that the page can be written again without them
(``--page``), and single ones run anew (``ONLY=qa_chunk``).
"""

import argparse
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from scripts.bench.__main__ import machine
from scripts.results.jobs import SECTIONS, Job, Section
from scripts.results.page import page

FOLDER = Path("outputs/results")
RUNS = FOLDER / "runs"
PAGE = Path("docs/results.md")


def main() -> int:
    """Run what was asked for, write the page; status 1 where a command fails."""
    names = [job.name for section in SECTIONS for job in section.jobs]
    parser = argparse.ArgumentParser(prog="make results", description=__doc__)
    parser.add_argument("only", nargs="*", choices=[[], *names], help="leave out to run all")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of real documents")
    parser.add_argument("--page", action="store_true", help="write the page from the figures that are there")
    options = parser.parse_args()
    failed = []
    FOLDER.mkdir(parents=True, exist_ok=True)
    for section in SECTIONS:
        for job in section.jobs:
            wanted = not options.page and (not options.only or job.name in options.only)
            if wanted and not run(section, job, options.data):
                failed.append(job.name)
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}
    PAGE.write_text(page(SECTIONS, found), encoding="utf-8")
    print(f"written: {PAGE}" + (f"; failed: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


def run(section: Section, job: Job, data: Path) -> bool:
    """Run one command and keep its figures; False where it fails."""
    given = [] if section.corpus is None else files(data / section.corpus)
    folder, command = RUNS / job.name, job.command.format(runs=RUNS)
    shutil.rmtree(folder, ignore_errors=True)
    print(f"{job.name}: ctxlab {command}", flush=True)
    words = [*shlex.split(command), *given, "tracking=none", f"hydra.run.dir={folder}"]
    if subprocess.run([sys.executable, "-m", "ctxlab", *words], check=False).returncode:
        return False
    kept: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    if section.trigram:
        kept["trigram"] = trigram(data / str(section.corpus))
    text = json.dumps({"machine": machine(), "result": kept}, indent=2)
    (FOLDER / f"{job.name}.json").write_text(text + "\n", encoding="utf-8")
    return True


def files(corpus: Path) -> list[str]:
    """Options that name the two splits of a corpus."""
    return [f"data.train_file={corpus / 'train.jsonl'}", f"data.validation_file={corpus / 'validation.jsonl'}"]


def trigram(corpus: Path) -> float:
    """Perplexity of the first validation document under interpolated trigrams of the training documents."""
    from ctxlab.config.build import build
    from ctxlab.config.compose import compose
    from ctxlab.tasks.text import encode_text
    from scripts.bench.trigram import Trigram

    tokenizer = build(compose("eval", ["task=lm", "model=smollm2"]).model).tokenizer()
    train, validation = (
        [
            encode_text(tokenizer, json.loads(line)["text"]).input_ids.tolist()
            for line in (corpus / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()[:count]
        ]
        for split, count in (("train", None), ("validation", 1))
    )
    return Trigram(train, len(tokenizer)).perplexity(validation[0])


if __name__ == "__main__":
    sys.exit(main())
