"""The wheel carries the configuration and runs outside the repository."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def run(command: list[str], folder: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_trains_in_an_empty_folder(tmp_path):
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(REPOSITORY)]
    run(build, REPOSITORY)
    (wheel,) = tmp_path.glob("ctxlab-*.whl")
    run([sys.executable, "-m", "venv", "--without-pip", "venv"], tmp_path)
    python = str(tmp_path / "venv" / "bin" / "python")
    site = run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], tmp_path).strip()
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        site,
        str(wheel),
    ]
    run(install, tmp_path)
    # Dependencies come from this environment; ctxlab does not, as an editable install is no folder on the path.
    libraries = {"PYTHONPATH": sysconfig.get_path("purelib"), "CTXLAB_CACHE": str(tmp_path / "cache")}
    where = run(
        [python, "-c", "from ctxlab.config.catalogue import conf_dir; print(conf_dir())"], tmp_path, **libraries
    )
    assert Path(where.strip()) == Path(site) / "ctxlab" / "conf"
    command = [
        python, "-m", "ctxlab", "train", "model=tiny_bert", "tracking=none", "context=128", "trainer.max_steps=1",
        "data.documents=2", "data.validation_documents=1", "data.test_documents=1", "data.words_per_document=100",
    ]  # fmt: skip
    out = run(command, tmp_path, OMP_NUM_THREADS="1", **libraries)
    assert "report" in out
    (result,) = (tmp_path / "outputs" / "train" / "ner-longformer-128").glob("*/result.json")
    assert json.loads(result.read_text())["cost"]["train_steps"] == 1
    run([python, "-m", "ctxlab", "report", "outputs", "output=page"], tmp_path, **libraries)
    assert "longformer at 128" in (tmp_path / "page" / "index.html").read_text()
