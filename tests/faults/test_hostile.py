"""Hostile configurations do nothing: nothing is called, nothing is written outside of the run directory.

The oracle is Python's own audit events, which see programs that start, modules that are imported and files that are
opened for writing, whoever does it.
"""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

CANARY = "canary_module_of_the_test"

STARTING = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "subprocess.Popen", "pty.spawn")
CHANGING = ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.link", "os.chmod", "os.truncate",
            "shutil.rmtree", "shutil.move", "shutil.copyfile")  # fmt: skip


@dataclass
class Watch:
    """What happened while it was on."""

    inside: list[Path] = field(default_factory=list)
    """Folders in which a command may write."""
    is_on: bool = False
    started: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)

    def see(self, event: str, arguments: tuple) -> None:
        """Take an audit event; registered once, as Python has no way to remove a hook."""
        if not self.is_on:
            return
        if event in STARTING or (event == "import" and str(arguments[0]).startswith(CANARY)):
            self.started.append(f"{event}{arguments[:2]}")
        elif event in CHANGING:
            self._write(event, arguments[1] if event in ("os.rename", "os.link", "os.symlink") else arguments[0])
        elif event == "open" and arguments[2] is not None and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            self._write(event, arguments[0])

    def _write(self, event: str, path: object) -> None:
        if isinstance(path, bytes | str | os.PathLike):
            real = Path(os.path.realpath(os.fsdecode(path)))
            if real != Path(os.devnull) and not any(real.is_relative_to(folder) for folder in self.inside):
                self.written.append(f"{event} {real}")


WATCH = Watch()


@pytest.fixture(scope="module", autouse=True)
def audited():
    sys.addaudithook(lambda event, arguments: WATCH.see(event, arguments))


@dataclass
class Place:
    """The working directory, and what must not be touched beside it."""

    work: Path
    trap: Path
    """Does not exist; a target that is called makes it."""
    victim: Path
    """A file outside of every run directory."""


@pytest.fixture
def place(ctxlab, tmp_path, monkeypatch, request):
    """Watched from the start of the test to its end, when nothing may have happened."""
    work = Path.cwd()
    outside = tmp_path / "outside"
    outside.mkdir()
    victim = outside / "victim.yaml"
    victim.write_text("precious: 1\n")
    (outside / f"{CANARY}.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(outside)
    monkeypatch.setenv("CTXLAB_TEST_VALUE", "value-of-the-environment")
    WATCH.__init__([work.resolve(), Path(os.environ["CTXLAB_CACHE"]).resolve()])
    yield Place(work, outside / "sprung", victim)
    WATCH.is_on = False
    assert WATCH.started == []
    assert WATCH.written == []
    assert victim.read_text() == "precious: 1\n"
    assert sorted(path.name for path in outside.iterdir() if path.name != "__pycache__") == [
        f"{CANARY}.py",
        victim.name,
    ]
    assert CANARY not in sys.modules
    DONE.append(request.node.name)


@pytest.fixture
def refused(ctxlab, place):
    """Run a command that must end in one sentence and leave no run directory."""

    def run(*words):
        before = sorted(Path.cwd().rglob("*"))
        WATCH.is_on = True
        outcome = ctxlab(*words)
        WATCH.is_on = False
        assert outcome.calls == [], outcome
        assert outcome.status == 2, outcome.err
        assert outcome.err.count("\n") == 1, outcome.err
        assert "Traceback" not in outcome.err
        assert all(letter.isprintable() for letter in outcome.err.rstrip("\n")), repr(outcome.err)
        assert sorted(Path.cwd().rglob("*")) == before
        return outcome.err

    return run


DONE: list[str] = []
"""Names of the cases that nothing came of."""


def cases(values, first=2):
    """The first few run with the default tests, all of them with the long ones."""
    return [
        pytest.param(value, marks=[pytest.mark.faults] if place >= first else []) for place, value in enumerate(values)
    ]


TARGETS = (
    "os.system", "os.mkdir", "os.makedirs", "builtins.eval", "builtins.exec", "builtins.open", "subprocess.Popen",
    "subprocess.run", "pathlib.Path.touch", "shutil.rmtree", "importlib.import_module", "runpy.run_path",
    "pickle.loads", "torch.load", "hydra.utils.call", "hydra.utils.instantiate", "ctxlab.cli.os.system",
    "ctxlab.cli.main",
    "ctxlab.core.files.write_text", "ctxlab.tasks.ner.re.compile", "ctxlab.models.minilm.NER.__init__",
    "ctxlab.tasks..os.system", "ctxlab.tasks.ner.NER.__class__.__base__", f"{CANARY}.Thing", "os:system", "", "a b",
    "ctxlab.command.run_directory.RunDirectory", "ctxlab.config.build.importlib.import_module", "\u202emetsys.so",
)  # fmt: skip
PLACES = ("task", "model", "optimizer", "tracking", "strategy.reading", "data", "objective", "continual")


@pytest.mark.by_default(1)
@pytest.mark.parametrize("number", cases(range(len(TARGETS)), 4), ids=lambda n: repr(TARGETS[n]))
def test_a_target_in_an_override(refused, place, number):
    """Each at another component, with arguments that would make the trap."""
    where = PLACES[number % len(PLACES)]
    quoted = f"'{TARGETS[number]}'"
    refused("train", f"{where}._target_={quoted}", f"+{where}.name_of_it={place.trap}")


NESTED = (
    "+{}.extra={{_target_:os.mkdir,path:{}}}", "+{}.extra=[{{_target_:os.mkdir,path:{}}}]", "+{}._partial_=true",
    "+{}._args_=[{}]", "+{}._recursive_=true", "+{}._convert_=object", "{}={{_target_:os.mkdir,path:{}}}",
    "+{}.a.b.c._target_=os.mkdir", "+{}.a.b={{_target_:builtins.eval,_args_:[1]}}",
)  # fmt: skip


@pytest.mark.by_default(1)
@pytest.mark.parametrize("form", cases(NESTED))
@pytest.mark.parametrize("where", ["optimizer", "tracking"])
def test_a_nested_target_in_an_override(refused, place, form, where):
    refused("train", form.format(where, place.trap))


HYDRA = (
    "+hydra.callbacks.evil={{_target_:os.mkdir,path:'{trap}'}}",
    "+hydra.callbacks.evil._target_=os.getcwd",
    "hydra.callbacks.run_directory._target_=os.getcwd",
    "hydra.sweeper._target_=os.getcwd",
    "hydra.launcher._target_=os.getcwd",
    "+hydra.job_logging.handlers.evil={{class:os.mkdir,path:'{trap}'}}",
    "hydra.job_logging.handlers.file.class=subprocess.Popen",
    "+hydra.job_logging.formatters.evil={{class:os.mkdir,path:'{trap}'}}",
    "+hydra.job_logging.filters.evil={{class:os.mkdir,path:'{trap}'}}",
    "hydra.job_logging.handlers.file.filename={trap}",
    "hydra.job_logging.handlers.file.filename='{{victim}}'",
    "+hydra.hydra_logging.handlers.evil={{class:logging.FileHandler,filename:'{trap}'}}",
    "hydra.output_subdir=../../../outside/sprung",
    "hydra.output_subdir={trap}",
    "hydra.job.name=../../../../outside/sprung",
    "hydra.job.name={trap}",
    "hydra.callbacks=null",
    "~hydra.callbacks.run_directory",
    "+hydra.job.env_set.LD_PRELOAD={trap}",
    "+hydra.job.env_set.PYTHONPATH={trap}",
)


@pytest.mark.by_default(2)
@pytest.mark.parametrize("form", cases(HYDRA, 4))
def test_hydra_itself_is_not_made_to_call_or_write_anything(refused, place, form):
    refused("train", form.format(trap=place.trap, victim=place.victim))


def experiment(place, text, name="shared"):
    """A folder of options, as somebody may have sent it."""
    folder = place.work / "sent" / "experiment"
    folder.mkdir(parents=True)
    (folder / f"{name}.yaml").write_text("# @package _global_\n" + text.format(trap=place.trap, victim=place.victim))
    return ["train", "--config-dir", "sent", f"+experiment={name}"]


SENT = (
    "optimizer: {{_target_: os.mkdir, path: {trap}}}",
    "tracking: {{_target_: {module}.Thing}}".replace("{module}", CANARY),
    "extra: {{_target_: os.mkdir, path: {trap}}}",
    "data: {{labels: [{{_target_: os.mkdir, path: {trap}}}]}}",
    "task: {{_partial_: true}}",
    "optimizer: {{_args_: [1], lr: 1}}",
    "hydra: {{callbacks: {{evil: {{_target_: os.mkdir, path: {trap}}}}}}}",
    "hydra: {{callbacks: {{run_directory: {{_target_: os.getcwd}}}}}}",
    "hydra: {{sweeper: {{_target_: os.getcwd}}}}",
    "hydra: {{launcher: {{_target_: os.getcwd}}}}",
    "hydra: {{job_logging: {{handlers: {{evil: {{(): os.mkdir, path: {trap}}}}}}}}}",
    "hydra: {{job_logging: {{formatters: {{evil: {{(): os.mkdir, path: {trap}}}}}}}}}",
    "hydra: {{job_logging: {{filters: {{evil: {{(): os.mkdir, path: {trap}}}}}}}}}",
    "hydra: {{hydra_logging: {{handlers: {{evil: {{class: logging.FileHandler, filename: {trap}}}}}}}}}",
    "hydra: {{job_logging: {{handlers: {{file: {{filename: {victim}}}}}}}}}",
    "hydra: {{job_logging: {{handlers: {{console: {{stream: 'ext://{module}.x'}}}}}}}}".replace("{module}", CANARY),
    "hydra: {{output_subdir: ../../../../outside/sprung}}",
    "hydra: {{job: {{name: ../../../../../outside/sprung}}}}",
    "hydra: {{job: {{env_set: {{LD_PRELOAD: {trap}}}}}}}",
    "hydra: {{searchpath: ['pkg://{module}']}}".replace("{module}", CANARY),
    "seed: !!python/object/apply:os.mkdir [{trap}]",
    "seed: !!python/object/new:subprocess.Popen [[touch, {trap}]]",
    "seed: !!python/name:os.system",
    "seed: !!python/module:{module}".replace("{module}", CANARY),
    "seed: !include {victim}",
    "seed: [unclosed",
    "seed: &a [*a]",
    "defaults: [override /task: ../../../outside/victim]",
    "defaults: [override /strategy: ../../../../outside/victim]",
    "defaults: [/experiment: /{victim}]",
    "defaults: [override /hydra/launcher: ../../../outside/victim]",
    "stage: predict\nseed: 1",
    "seed: ${{no_such_resolver:x}}",
    "seed: ${{oc.env:NO_SUCH_VARIABLE}}",
    "seed: ${{oc.env:CTXLAB_TEST_VALUE}}",
    "seed: ${{oc.decode:'os.system'}}",
    "seed: ${{oc.create:{{_target_:os.getcwd}}}}",
    "seed: ${{seed}}",
    "seed: " + "9" * 5000,
    'hydra: {{run: {{dir: "a\\0b"}}}}',
    'data: {{train_file: "a\\0b.jsonl"}}',
    'model: {{path: "\\e[2Jx/y/z"}}',
    "hydra: {{sweep: {{subdir: '${{tracking.project}}'}}}}\ntracking: {{project: ../../../outside/sprung}}",
)


@pytest.mark.by_default(1)
@pytest.mark.parametrize("text", cases(SENT, 4))
def test_an_experiment_that_somebody_has_sent(refused, place, text):
    refused(*experiment(place, text))


NAMES = (
    "task=../x", "task=../../conf/task/ner", "strategy=../../x", "strategy/reading=../../task/ner", "+experiment=..",
    "+experiment=../task/ner", "+experiment=/etc/passwd", "model=..", "model=.", "context=../context/512",
    "task='ner\\x00'", "task=" + "a" * 5000, "model.path=" + "a/" * 3000, "data.train_file=" + "b" * 5000,
    "hydra.run.dir=" + "c" * 300, "hydra.run.dir=" + "d/" * 3000, "seed=" + "9" * 5000,
    "data.train_file=\x1b[2J\x07.jsonl", "task=\x1b]0;owned\x07", "model.path=./\u202etxt.exe",
    "tracking.project=\x1b[31m,",
    "\x1b[2Jtask=ner", "data.train_file='a\\nb\\r.jsonl'", "task=ner\x00", "data.train_file=a\x00b.jsonl",
    "hydra.run.dir=out\x00side", "model.path=./a\x00b", "context.length=\x00",
)  # fmt: skip


@pytest.mark.by_default(2)
@pytest.mark.parametrize("word", cases(NAMES, 3), ids=lambda word: ascii(word)[:40])
@pytest.mark.parametrize("sent", [False, True], ids=["", "with options of another folder"])
def test_names_that_lead_elsewhere_or_do_something_to_the_terminal(refused, place, word, sent):
    flags = experiment(place, "seed: 1")[1:3] if sent else []
    refused("train", *flags, word)


SPACES = (
    "optimizer._target_: {{choice: [os.system, os.mkdir]}}",
    "+hydra.callbacks.evil._target_: {{choice: [os.getcwd, os.getpid]}}",
    "++hydra.job.name: {{choice: [../../x, ../../y]}}",
    "hydra/launcher: {{choice: [../x, ../y]}}",
    "task: {{choice: [../x]}}",
    "strategy: {{choice: [../../x, ../../y]}}",
    "optimizer.lr: {{choice: ['1,tracking._target_=os.mkdir', 2]}}",
    "optimizer.lr: !!python/object/apply:os.mkdir [{trap}]",
    "optimizer.lr: {{log: !!python/name:os.system}}",
    "model.path: {{choice: ['${{oc.env:CTXLAB_TEST_VALUE}}', x]}}",
    "a: &a [*a]",
    "~hydra.callbacks.run_directory: {{choice: [1, 2]}}",
    "'hydra.run.dir': {{choice: [{trap}, x]}}",
)


@pytest.mark.parametrize("text", cases(SPACES))
def test_a_space_of_a_sweep(refused, place, text):
    (place.work / "space.yaml").write_text(text.format(trap=place.trap, victim=place.victim))
    refused("sweep", "sweep.space=space.yaml", "model=tiny_bert", "tracking=none", "sweep.n_trials=1")


@dataclass
class Run:
    """A training run that somebody has sent, to be evaluated or continued."""

    folder: Path

    def overrides(self, *words):
        """Add to the words that are replayed."""
        path = self.folder / ".hydra" / "overrides.yaml"
        path.write_text(yaml.safe_dump([*yaml.safe_load(path.read_text()), *words]))

    def text(self, name, text):
        """Replace a file."""
        (self.folder / name).write_text(text)


@pytest.fixture
def sent(ctxlab, place):
    outcome = ctxlab("train", "seed=3", "model=tiny_bert", "tracking=none")
    assert outcome.status == 0
    run = Run(outcome.run_dir)
    (run.folder / "checkpoints" / "step-00000001").mkdir(parents=True)
    (run.folder / "metrics.jsonl").touch()
    return run


IN_RUNS = (
    ["tracking._target_=os.mkdir", "+tracking.path={trap}"],
    ["+extra._target_=os.mkdir", "+extra.path={trap}"],
    ["optimizer._target_={module}.Thing"],
    ["++optimizer={{_target_:os.mkdir,path:'{trap}'}}"],
    ["task=../../../outside/victim"],
    ["+experiment=../../../outside/victim"],
    ["model.path=/no/such/folder"],
    ["data.train_file=/no/such/file.jsonl"],
)


@pytest.mark.by_default(1)
@pytest.mark.parametrize("words", cases(IN_RUNS, 1), ids=str)
@pytest.mark.parametrize("stage", ["eval", "train"])
def test_overrides_in_a_run_that_somebody_has_sent(refused, sent, place, words, stage):
    sent.overrides(*(word.format(trap=place.trap, module=CANARY) for word in words))
    refused(stage, f"{'resume' if stage == 'train' else 'run'}={sent.folder}")


@pytest.mark.faults
@pytest.mark.parametrize("name", [".hydra/overrides.yaml", ".hydra/hydra.yaml", ".hydra/config.yaml"])
@pytest.mark.parametrize(
    "text",
    ["- !!python/object/apply:os.mkdir [{trap}]", "{{a: !!python/name:os.system}}", "&a [*a]", "[[[[", "\0", "- 3"],
)
@pytest.mark.parametrize("stage", ["eval", "train"])
def test_files_of_a_run_that_are_not_data(ctxlab, sent, place, name, text, stage):
    """Refused, or taken for what it is where it does not matter."""
    sent.text(name, text.format(trap=place.trap))
    WATCH.is_on = True
    outcome = ctxlab(stage, f"{'resume' if stage == 'train' else 'run'}={sent.folder}", "seed=3")
    WATCH.is_on = False
    assert outcome.status in (0, 2), outcome.err
    assert outcome.err.count("\n") == outcome.status // 2


LINKS = ("config.yaml", "train.log", "metrics.jsonl", "result.json", "failure.json", "latest.json", "best.json",
         "report.md", "checkpoints", "predictions", "scores", "wandb", "logs", ".hydra",
         ".hydra/config.yaml")  # fmt: skip


@pytest.mark.by_default(1)
@pytest.mark.parametrize("name", cases(LINKS, 3))
def test_a_link_out_of_a_run_is_not_written_through(refused, sent, place, name):
    path = sent.folder / name
    if path.is_dir():
        target = place.work / "elsewhere"
        path.rename(target)
    else:
        path.unlink(missing_ok=True)
        target = place.victim
    path.symlink_to(target)
    assert name in refused("train", f"resume={sent.folder}")


@pytest.mark.by_default(1)
@pytest.mark.parametrize("name", ["config.yaml", "result.json", "checkpoints", "predictions"])
def test_an_evaluation_of_a_run_with_links_writes_beside_it_only(ctxlab, sent, place, name):
    path = sent.folder / name
    if path.is_dir():
        path.rename(place.work / "elsewhere")
        path.symlink_to(place.work / "elsewhere")
    else:
        path.unlink(missing_ok=True)
        path.symlink_to(place.victim)
    WATCH.is_on = True
    assert ctxlab("eval", f"run={sent.folder}").status in (0, 2)
    WATCH.is_on = False


def test_the_watch_sees_what_it_must(place, tmp_path):
    """Without which the tests above could not fail."""
    WATCH.is_on = True
    os.system("true")
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside.txt").write_text("x")
    (place.work / "within.txt").write_text("x")
    __import__("importlib").util.find_spec(CANARY)
    with pytest.raises(SystemExit):
        __import__(CANARY)
    WATCH.is_on = False
    assert [event.partition("(")[0] for event in WATCH.started] == ["os.system", "import"]
    assert [event.split()[0] for event in WATCH.written if "__pycache__" not in event] == ["os.mkdir", "open"]
    WATCH.started.clear()
    WATCH.written.clear()


@pytest.mark.faults
def test_enough_was_tried(promise):
    assert len(DONE) >= 60
    promise(
        "hostile configurations do nothing",
        f"{len(DONE)} cases: targets, YAML tags, names with '..', links, long names, control characters and "
        "interpolations in overrides, experiments, spaces of sweeps and run directories, under Python's audit events",
        "0 executed, 0 written outside of the run directory",
    )
