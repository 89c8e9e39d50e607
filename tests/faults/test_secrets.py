"""Secrets of the environment and of the configuration are in no file that a command leaves, and on no screen."""

import base64
import hashlib
import logging
import sqlite3
import sys
from pathlib import Path

import pytest

from ctxlab.cli import main
from ctxlab.command.compose import compose
from ctxlab.command.log_format import WithoutSecrets
from ctxlab.core.errors import UserError
from ctxlab.workbench.cells import process
from tests.stages.forked import Forked

ENVIRONMENT = (
    "WANDB_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "OPENAI_API_KEY", "GITHUB_TOKEN", "MY_PASSWORD", "DB_PASSWD",
    "AZURE_CLIENT_SECRET", "GOOGLE_APPLICATION_CREDENTIALS", "AWS_ACCESS_KEY_ID", "SLACK_TOKEN_2",
)  # fmt: skip
NOTES = (
    "api_key",
    "hf_token",
    "password",
    "client_secret",
    "credentials",
    "access-key",
    "aws_secret_access_key",
    "passwd",
)

SMALL = [
    "model=tiny_bert", "strategy=chunk", "context=64", "data.documents=4", "data.validation_documents=2",
    "data.test_documents=2", "data.words_per_document=60", "trainer.max_steps=2",
]  # fmt: skip


def canary(name):
    """A value of 32 letters and digits for a name; nothing else has it."""
    return base64.b32encode(hashlib.sha256(name.encode()).digest()[:20]).decode().lower()


def forms(secret):
    """The secret as it could be in a file: pieces, as a log of records may cut it, and encoded."""
    raw = secret.encode()
    pieces = [raw[:14], raw[9:23], raw[-14:]]
    return [*pieces, base64.b64encode(raw)[:20], secret.encode("utf-16-le")[:28], raw.hex().encode()]


@pytest.fixture
def secrets(monkeypatch, tmp_path):
    """Secrets in the environment, and an experiment with others; ``{name: secret}``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("DATABASE", f"postgresql://me:{canary('DATABASE')}@localhost/db")
    for name in ENVIRONMENT:
        monkeypatch.setenv(name, canary(name))
    lines = [f"    {name}: {canary(name)}" for name in NOTES]
    lines += [f"    endpoint: https://me:{canary('endpoint')}@localhost/x", "    database: ${oc.env:DATABASE}"]
    lines += [f"    {name}_again: ${{oc.env:{name}}}" for name in ENVIRONMENT]
    lines += [f"    line: 'curl --header token={canary('inside')}'", f"    echo: ${{probe.notes.{NOTES[0]}}}"]
    folder = tmp_path / "own" / "experiment"
    folder.mkdir(parents=True)
    (folder / "secretive.yaml").write_text("# @package _global_\nprobe:\n  notes:\n" + "\n".join(lines) + "\n")
    return {name: canary(name) for name in (*ENVIRONMENT, *NOTES, "DATABASE", "endpoint", "inside", "argument", "word")}


WITH = ["--config-dir", "own", "+experiment=secretive"]


def hits(secrets, capfd):
    """Return where any secret is in the folder of outputs or on the screen; the number of files that were read."""
    shown = "".join(capfd.readouterr()).encode()
    files = {str(path): path.read_bytes() for path in Path("outputs").rglob("*") if path.is_file()}
    names = "\n".join(map(str, Path("outputs").rglob("*"))).encode()
    texts = {**files, "the screen": shown, "names of files": names}
    return [(name, where) for where, text in texts.items() for name, secret in secrets.items()
            if any(form in text for form in forms(secret))], len(files)  # fmt: skip


def test_the_search_finds_what_it_must(secrets, capfd):
    """Without which the tests below could not fail."""
    Path("outputs").mkdir()
    for number, form in enumerate(forms(secrets["HF_TOKEN"])):
        (Path("outputs") / f"{number}").write_bytes(b"a" + form + b"b")
    print(f"password is {secrets['password']}")
    assert [name for name, _ in hits(secrets, capfd)[0]] == ["HF_TOKEN"] * 6 + ["password"]


def test_a_training_run_its_evaluation_and_its_report(secrets, capfd):
    said = [f"++probe.place='x://me:{secrets['argument']}@y'", f"++probe.my_token={secrets['word']}"]
    run = ["tracking=wandb", *said, "hydra.run.dir=outputs/run"]
    assert main(["train", *WITH, *SMALL, *run]) == 0
    assert main(["eval", *WITH[:2], "run=outputs/run", "split=test", "tracking=wandb"]) == 0
    assert main(["report", "outputs", "output=outputs/report"]) == 0
    found, count = hits(secrets, capfd)
    assert any(Path("outputs").rglob("*.wandb"))
    assert any(Path("outputs").rglob("index.html"))
    assert count > 20
    assert found == []


@pytest.mark.faults
def test_a_comparison_and_a_sweep(secrets, capfd, monkeypatch, promise):
    monkeypatch.setattr(process, "start", Forked)
    monkeypatch.setattr("ctxlab.workbench.finish.draw", lambda *_: [])
    small = [word for word in SMALL if not word.startswith(("trainer", "context", "strategy"))]
    said = [f"++probe.place='x://me:{secrets['argument']}@y'", "tracking=wandb"]
    cells = ["context=32,64", "strategy=chunk", "seeds=1", "budget.steps=1"]
    assert main(["compare", *WITH, *small, *said, *cells, "hydra.run.dir=outputs/compared"]) == 0
    Path("space.yaml").write_text("context.length: {choice: [32, 64]}\n")
    own = ["sweep.space=space.yaml", "sweep.sampler=grid", "sweep.workers=1", "hydra.run.dir=outputs/swept"]
    assert main(["sweep", *WITH, *SMALL[:2], *SMALL[3:], *said, *own]) == 0
    assert main(["train", *WITH, *SMALL, *said, "-m", "seed=1,2", "hydra.sweep.dir=outputs/several"]) == 0
    assert main(["report", "outputs", "output=outputs/report"]) == 0
    found, count = hits(secrets, capfd)
    assert any(Path("outputs").rglob("*.wandb"))
    studies = list(Path("outputs").rglob("*.db"))
    assert studies
    with sqlite3.connect(studies[0]) as study:
        assert study.execute("select count(*) from trials").fetchone()[0] >= 2
    assert found == []
    promise(
        "secrets stay secret",
        f"{len(secrets)} secrets in environment variables, keys, URLs and words of the command; a comparison, a sweep, "
        f"a multirun and their reports: {count} files with logs, W&B's, pages and the study, in six encodings",
        "0 found",
    )


@pytest.mark.by_default(1)
@pytest.mark.parametrize("stage", [["sweep", "sweep=learning_rate"], ["train"]])
def test_the_password_of_a_storage_is_not_said_when_it_cannot_be_opened(stage, secrets, capfd):
    url = f"'postgresql://me:{secrets['word']}@127.0.0.1:1/db'"
    words = [f"sweep.storage={url}"] if stage[0] == "sweep" else [f"sweep.storag={url}", "tracking=none"]
    assert main([*stage, *SMALL, *words, "hydra.run.dir=outputs/swept"]) == 2
    assert hits(secrets, capfd)[0] == []


@pytest.mark.by_default(1)
@pytest.mark.parametrize("name", ["HF_TOKEN", "MY_PASSWORD"])
def test_a_secret_in_the_name_of_a_directory_is_refused(name, secrets, capfd):
    assert main(["train", *SMALL, f"hydra.run.dir=outputs/${{oc.env:{name}}}"]) == 2
    assert main(["train", "-m", *SMALL, "seed=1,2", f"hydra.sweep.dir=outputs/${{oc.env:{name}}}"]) == 2
    assert not Path("outputs").exists()
    assert hits(secrets, capfd)[0] == []


ELSEWHERE = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.LocalLauncher"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("launcher", "words", "part"),
    [
        (ELSEWHERE, ["hydra.job.env_copy=[WANDB_API_KEY]"], "WANDB_API_KEY"),
        (ELSEWHERE, ["++hydra.job.env_set.MY_TOKEN=x"], "MY_TOKEN"),
        (ELSEWHERE, ["++probe.api_key=0123456789"], "oc.env"),
        (ELSEWHERE, ["++probe.place='x://me:0123456789@y'"], "oc.env"),
        (ELSEWHERE, ["++probe.api_key=${oc.env:HF_TOKEN}", "hydra.job.env_copy=[HOME]"], None),
        ("hydra._internal.core_plugins.basic_launcher.BasicLauncher", ["hydra.job.env_copy=[HF_TOKEN]"], None),
    ],
)
def test_jobs_elsewhere_are_not_given_secrets_in_files(launcher, words, part, secrets):
    """A launcher such as submitit's pickles the configuration with ``env_set``, in clear, into its folder."""
    given = ["--config-dir", "own", *words, f"hydra.launcher._target_={launcher}"]
    if part is None:
        compose("train", given)
    else:
        with pytest.raises(UserError, match=part):
            compose("train", given)


def test_a_log_has_no_secret(secrets):
    """Libraries put URLs into their errors, and a traceback goes to the log of a run."""
    try:
        raise ValueError(f"no route to postgresql://me:{secrets['endpoint']}@h/db, token={secrets['inside']}")
    except ValueError:
        given = (logging.ERROR, __file__, 1, "%s", (secrets["HF_TOKEN"],), sys.exc_info())
        record = logging.LogRecord("x", *given)
    line = WithoutSecrets("%(message)s").format(record)
    assert "no route to postgresql://me:***@h/db, token=***" in line
    assert not any(secret in line for secret in secrets.values())
