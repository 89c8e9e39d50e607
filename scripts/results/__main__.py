"""``make results``: run every task on its real corpus and write ``docs/results.md``.

The figures of each job are kept in ``docs/results/<name>.json``, so that single jobs can be run again
(``ONLY=qa_chunk``), and the page rebuilt without running any (``--page``).
"""

import argparse
import dataclasses
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from ctxlab.core.result import read
from scripts.bench.__main__ import machine
from scripts.results.figures import Figures
from scripts.results.jobs import SECTIONS, Job, Section
from scripts.results.page import page

PAGE, FOLDER = Path("docs/results.md"), Path("docs/results")
RUNS = Path("outputs/results")

TRIGRAM = "interpolated trigrams of the training documents"


def main() -> int:
    """Run the chosen jobs and write the page; return 1 if a command fails."""
    names = [job.name for section in SECTIONS for job in section.jobs]
    parser = argparse.ArgumentParser(prog="make results", description=__doc__)
    parser.add_argument("only", nargs="*", choices=[[], *names], help="names of jobs; all if none is given")
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data"), help="folder of real documents, one folder per corpus"
    )
    parser.add_argument("--page", action="store_true", help="only write the page, from the kept figures")
    options = parser.parse_args()
    failed = []
    for section in SECTIONS:
        for job in section.jobs:
            wanted = not options.page and (not options.only or job.name in options.only)
            if wanted and not run(section, job, options.data):
                failed.append(job.name)
    found = {path.stem: Figures.load(path) for path in sorted(FOLDER.glob("*.json"))}
    PAGE.write_text(page(SECTIONS, found), encoding="utf-8")
    print(f"written: {PAGE}" + (f"; failed: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


def run(section: Section, job: Job, data: Path) -> bool:
    """Run one command and keep its figures; return False if it fails."""
    given = [] if section.corpus is None else files(data / section.corpus)
    folder, command = RUNS / job.name, job.command.format(runs=RUNS)
    shutil.rmtree(folder, ignore_errors=True)
    print(f"{job.name}: ctxlab {command}", flush=True)
    words = [*shlex.split(command), *given, "tracking=none", f"hydra.run.dir={folder}"]
    if subprocess.run([sys.executable, "-m", "ctxlab", *words], check=False).returncode:
        return False
    figures = Figures.of(read(folder), machine(), section.metrics, section.baselines)
    if section.trigram:
        baselines = {TRIGRAM: {section.metrics[0]: trigram(data / str(section.corpus))}}
        figures = dataclasses.replace(figures, baselines=baselines)
    figures.save(FOLDER / f"{job.name}.json")
    return True


def files(corpus: Path) -> list[str]:
    """Return the options that name the two splits of a corpus."""
    return [f"data.train_file={corpus / 'train.jsonl'}", f"data.validation_file={corpus / 'validation.jsonl'}"]


def trigram(corpus: Path) -> float:
    """Return the perplexity of the first validation document under interpolated trigrams of the training documents."""
    from ctxlab.command.compose import compose
    from ctxlab.config.build import build
    from ctxlab.core.model import ModelSource
    from ctxlab.tasks.text.encoding import encode_text
    from scripts.bench.trigram import Trigram

    tokenizer = build(compose("eval", ["task=lm", "model=smollm2"]).model, ModelSource).tokenizer()
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
