"""``ctxlab soup``: the mean of weights against numpy, the greedy choice, and a run that is used as any other."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file

from ctxlab.cli import main
from ctxlab.core.errors import UserError
from ctxlab.training import checkpoint
from ctxlab.workbench import members as runs
from ctxlab.workbench import soup
from ctxlab.workbench.members import Member
from ctxlab.workbench.parts import Start
from tests.stages.conftest import result, train

OPTIONS = ("strategy=chunk", "context=64", "data.documents=4", "data.validation_documents=2", "data.test_documents=1",
           "data.words_per_document=60", "data.evidence_distance=[16]", "data_seed=1", "init_seed=1",
           "optimizer.lr=3e-2", "trainer.tokens_per_step=256", "model.hidden_size=16")  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Three runs that differ in their order of documents; the last of them has adapters."""
    folder = tmp_path_factory.mktemp("made")
    for name, own in (("a", ["seed=1"]), ("b", ["seed=2"]), ("lora", ["seed=1", "tuning=lora"])):
        assert train(folder / name, *OPTIONS, *own) == 0
    return folder


def weights(run, file="model.safetensors"):
    return load_file(checkpoint.find(run, "best") / file)


def cook(folder, *words):
    return main(["soup", *words, f"hydra.run.dir={folder}"])


@pytest.mark.by_default(1)
@pytest.mark.parametrize("name", ["a", "lora"])
def test_a_soup_of_one_has_the_same_bits(made, tmp_path, name):
    assert cook(tmp_path / "soup", f"runs=[{made / name}]") == 0
    for file in ("model.safetensors", *(["tuning.safetensors"] if name == "lora" else [])):
        one, other = weights(made / name, file), weights(tmp_path / "soup", file)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert result(tmp_path / "soup")["metrics"] == result(made / name)["metrics"]


@pytest.mark.slow
def test_a_soup_is_the_mean_and_a_run_as_any_other(made, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(made)
    assert cook(tmp_path / "soup", "runs=[a,b]") == 0
    first, other, mean = weights(made / "a"), weights(made / "b"), weights(tmp_path / "soup")
    for key, found in mean.items():
        expected = (first[key].double().numpy() + other[key].double().numpy()) / 2
        np.testing.assert_array_equal(found.numpy(), expected.astype(np.float32), err_msg=key)
    assert any(not torch.equal(first[key], other[key]) for key in mean)
    scored = result(tmp_path / "soup")
    assert scored["stage"] == "soup"
    assert scored["cost"]["train_tokens"] == sum(result(made / name)["cost"]["train_tokens"] for name in "ab")
    assert "The weights are the mean of 2 of 2 runs, method=uniform: a, b." in scored["notes"]
    monkeypatch.chdir(tmp_path)
    assert main(["eval", "run=soup", "hydra.run.dir=e"]) == 0
    assert result(tmp_path / "e")["metrics"]["validation"] == scored["metrics"]["validation"]
    Path("in.txt").write_text("Port Brisk is far.")
    assert main(["predict", "run=soup", "input=in.txt", "output=out.jsonl", "hydra.run.dir=p"]) == 0
    folder = checkpoint.find(tmp_path / "soup", "best")
    assert main(["train", "task=ner", f"model.path={folder}", "trainer.max_steps=1", "tracking=none",
                 *(one for one in OPTIONS if not one.startswith("model")), "hydra.run.dir=more"]) == 0  # fmt: skip
    capsys.readouterr()
    assert main(["train", "resume=soup"]) == 2
    assert "is a run of ctxlab soup" in capsys.readouterr().err
    assert main(["doctor", "soup"]) in (0, 1)


@pytest.mark.slow
def test_the_greedy_soup_is_never_worse_than_the_best_run(made, tmp_path):
    assert cook(tmp_path / "greedy", "method=greedy", f"runs=[{made / 'a'},{made / 'b'}]") == 0
    found = result(tmp_path / "greedy")
    best = max(result(made / name)["metrics"]["validation"]["f1"] for name in "ab")
    assert found["metrics"]["validation"]["f1"] >= best
    assert any("method=greedy: " in note and "(f1 " in note for note in found["notes"])


class Weights:
    """What ``Checkpointed`` does, for runs whose only weight is the number that their folder is called by."""

    def __init__(self, path):
        self.value = float(Path(path).name)

    def load_weights(self, model, tuning):
        with torch.no_grad():
            model.weight.fill_(self.value)


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("case", range(20))
def test_the_greedy_choice_follows_the_paper(case, lower, monkeypatch):
    """Against the loop of the paper over plain numbers, for a random score of a mean."""
    monkeypatch.setattr(soup, "Checkpointed", Weights)
    draw = np.random.default_rng(case)
    values = draw.permutation(6)[:4].astype(float)
    model = torch.nn.Linear(1, 1, bias=False)
    bench = SimpleNamespace(model=model, task=SimpleNamespace(lower_is_better=lower))
    members = [Member(Start(Path(str(v)), "best"), Path(str(v)), OmegaConf.create({}), str(v)) for v in values]
    table = {}

    def quality(value):
        return table.setdefault(round(value, 6), float(draw.normal()))

    def score():
        return quality(model.weight.item()) * (-1 if lower else 1)

    made = soup.greedy(bench, SimpleNamespace(tuning=None), members, score)
    order = sorted(values, key=quality, reverse=True)
    used, best = [order[0]], quality(order[0])
    for value in order[1:]:
        if quality(float(np.mean([*used, value]))) >= best:
            used.append(value)
            best = quality(float(np.mean(used)))
    assert [float(one.folder.name) for one in made.used] == used
    assert model.weight.item() == pytest.approx(np.mean(used))
    assert quality(model.weight.item()) >= max(map(quality, values))


def test_the_soup_of_linear_models_is_the_ensemble_of_their_outputs():
    torch.manual_seed(0)
    models = [torch.nn.Linear(5, 3).double() for _ in range(4)]
    inputs, mean = torch.randn(7, 5).double(), soup.Mean()
    for number, one in enumerate(models):
        mean = mean.plus(one.state_dict(), str(number))
    together = torch.nn.Linear(5, 3).double()
    mean.put(together)
    expected = torch.stack([one(inputs) for one in models]).mean(dim=0)
    torch.testing.assert_close(together(inputs), expected, rtol=1e-13, atol=1e-13)


def test_whole_numbers_have_no_mean():
    first = soup.Mean().plus({"facts": torch.tensor([1, 2])}, "a")
    assert first.plus({"facts": torch.tensor([1, 2])}, "b").count == 2
    with pytest.raises(UserError, match="facts of b differs"):
        first.plus({"facts": torch.tensor([1, 3])}, "b")


def test_heads_from_different_seeds_are_warned_of():
    def member(**config):
        return Member(Start(Path("x"), "best"), Path("x"), OmegaConf.create({"model": {}, **config}), "x")

    def notes(*members, head="token_classification", merges=False):
        return runs.head_notes(members, head, merges=merges)

    assert "(1, 2)" in notes(member(seed=1, init_seed="${seed}"), member(seed=2, init_seed="${seed}"))[0]
    assert "(1, 2)" in notes(member(seed=1), member(seed=2))[0]  # runs of earlier versions
    assert notes(member(seed=1, init_seed=7), member(seed=2, init_seed=7)) == []
    assert notes(member(seed=1, model={"seed": 0}), member(seed=2, model={"seed": 0})) == []  # draws its own weights
    assert notes(member(seed=1), member(seed=2), head="causal_lm") == []
    assert "factors" in notes(member(seed=1), member(seed=1), merges=True)[0]


@pytest.mark.by_default(1)
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["runs=[{a},{lora}]"], "different tuning rules"),
        (["runs=[{a},{a}]"], "twice"),
        (["runs=[{a},{b}]", "method=best"], "method=best is not known: use uniform or greedy."),
        (["runs={a}"], "is not a list"),
        (["runs=[]"], "is not a list"),
        ([], "ctxlab soup needs runs"),
        (["run={a}"], "ctxlab soup has no run=: give runs="),
        (["runs=[{a},/nowhere]"], "runs=/nowhere does not exist"),
        (["runs=[{a}]", "model=tiny_llama"], "cannot be changed"),
        (["runs=[{a}]", "averaging=ema"], "cannot be changed"),
        (["runs=[{a}/checkpoints/step-00000099]"], "is not a valid checkpoint"),
    ],
)
def test_what_cannot_be_averaged_is_refused(made, tmp_path, refused, words, said):
    given = [word.format(**{name: made / name for name in ("a", "b", "lora")}) for word in words]
    assert said in refused(["soup", *given, f"hydra.run.dir={tmp_path / 'soup'}"])
    assert not (tmp_path / "soup").exists()


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("config.json", lambda c: {**c, "architectures": ["Other"]}, "architectures"),
        ("config.json", lambda c: {**c, "id2label": {**c["id2label"], "1": "B-X"}}, "labels"),
        ("tokenizer.json", lambda c: {**c, "added_tokens": []}, "tokenizers"),
    ],
)
def test_runs_that_differ_are_refused(made, tmp_path, name, change, said):
    shutil.copytree(made / "b", tmp_path / "b")
    file = checkpoint.find(tmp_path / "b", "best") / name
    file.write_text(json.dumps(change(json.loads(file.read_text()))))
    one, other = (
        Member(
            Start(run, "best"), run / "checkpoints" / file.parent.name, OmegaConf.load(run / ".hydra/config.yaml"), "x"
        )
        for run in (made / "a", tmp_path / "b")
    )
    with pytest.raises(UserError, match=f"different {said}"):
        runs.check_alike([one, other])
    runs.check_alike([one, one])
