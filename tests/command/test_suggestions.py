"""What careless hands type, and the one sentence that leads on: names of other programs, other places, other cases."""

import pytest

from ctxlab.command import selected, suggestions
from ctxlab.command.overrides import parse
from ctxlab.config import catalogue, synonyms

LED = [
    (["lr=1e-4"], "write optimizer.lr=1e-4."),
    (["LR=1e-4"], "write optimizer.lr=1e-4."),
    (["learning_rate=1e-4"], "write optimizer.lr=1e-4."),
    (["optimizer.learning-rate=1e-4"], "write optimizer.lr=1e-4."),
    (["max_steps=5"], "write trainer.max_steps=5."),
    (["+max_steps=5"], "There is no key max_steps, and + cannot add one; write trainer.max_steps=5."),
    (["epochs=5"], "write trainer.max_epochs=5."),
    (["trainer.epochs=5"], "write trainer.max_epochs=5."),
    (["batch_size=16"], "write trainer.tokens_per_step=8192 (a step is counted in tokens"),
    (["max_len=128"], "write context=128."),
    (["trainer.eval_every_epochs=1"], "write trainer.eval_every_steps=<steps> (evaluations are counted in"),
    (["attention=bigbird"], "write strategy/attention=bigbird."),
    (["attention=longformer"], "write strategy=longformer (an option of strategy)."),
    (["memory=rmt"], "write strategy=rmt (an option of strategy)."),
    (["positions=none"], "write strategy/positions=keep."),
    (["task=named_entity"], "write task=ner."),
    (["model=TinyBert"], "write model=tiny_bert."),
    (["~trainer"], "~trainer would remove a part of every run: choose another with trainer=<option>."),
    (["~strategy.attention"], "~strategy.attention would remove a part of every run"),
    (["~strategy/attention"], "choose another with strategy/attention=<option>."),
    (["strategy.window=64"], "write strategy.attention.window=64."),
    (["decoding=beam", "task=qa"], "write task/decoding=beam."),
    (["strategy=local"], "write strategy/attention=local (an option of strategy/attention)."),
    (["strategy/attention=longformer"], "write strategy=longformer (an option of strategy)."),
    (["strategy/positions=none"], "write strategy/positions=keep."),
    (["task=NER"], "write task=ner (names are written in lower case, with underscores)."),
    (["task=sentiment"], "write task=classification (data.corpus=sentiment is its built-in corpus)."),
    (["task=token-classification"], "write task=ner."),
    (["optimizer=adam"], "write optimizer=adamw."),
    (["tracking=off"], "write tracking=none."),
    (["model=bert-base-uncased"], "write model.path=bert-base-uncased (for a folder, or a name on the hub)."),
    (["model=owner/name"], "write model.path=owner/name (for a folder, or a name on the hub)."),
    (["data=train.jsonl"], "write data.train_file=train.jsonl."),
    (["data=owner/corpus"], "write data.path=owner/corpus (for a folder, or a name on the hub)."),
    (["optimizer.momentum=0.9"], "write optimizer=sgd optimizer.momentum=0.9 (a key of optimizer=sgd)."),
    (["split=test"], "write ctxlab eval … split=… (only ctxlab eval has that key)."),
    (
        ["+trainer.max_step=5"],
        "There is no key trainer.max_step, and + cannot add one; did you mean 'trainer.max_steps'?",
    ),
    (["++trainer.max_step=5"], "did you mean 'trainer.max_steps'?"),
    (["+foo=1"], "There is no key foo, and + cannot add one; did you mean 'fold'? Keys: "),
    (["+seed=2"], "write seed=2 without the plus."),
    (["max_stepz=5"], "did you mean 'trainer.max_steps'?"),
    (["tracking.api_key=hunter2"], "There is no key tracking.api_key;"),
    (["--context", "4096"], "--context 4096 is not a flag: write context=4096, without dashes."),
    (["--context=4096"], "--context=4096 is not a flag: write context=4096, without dashes."),
    (["--optimizer.lr=0.001"], "write optimizer.lr=0.001, without dashes."),
    (["--lr", "1e-4"], "write optimizer.lr=1e-4, without dashes."),
    (["--batch-size", "16"], "write trainer.tokens_per_step=8192, without dashes."),
    (["--epochs", "5"], "write trainer.max_epochs=5, without dashes."),
    (["--", "context=4096"], "-- is not needed: write the overrides directly after the stage, as in ctxlab train"),
    (["--modle", "minilm"], "--modle minilm is not a flag: write model=minilm, without dashes."),
    (["max_steps", "=", "5"], "'max_steps' is not an override: write key=value without blanks"),
    (["wandb=false"], "write tracking=none."),
    (["+strategy=chunk"], "strategy has an option already, write strategy=chunk without the plus."),
    (["strategy=[chunk,dense]"], "give one, or write -m strategy=chunk,dense to run each."),
    (["-m", "strategy=all"], "write -m strategy=glob(*) (one job for each)."),
    (["data.train_file="], "data.train_file= is empty: give a path"),
    (["--multi-run", "seed=1,2"], "did you mean '--multirun'?"),
    (["context＝4096"], "write context=4096."),
    (["-m", "lr=1e-4,1e-5"], "write optimizer.lr=1e-4,1e-5."),
    (["-m", "optimizer=adam,sgd"], "write optimizer=adamw."),
    (["optimizer.lr=-1"], "optimizer.lr=-1 is out of range: give a number of at least 0."),
    (["optimizer.lr=fast"], "optimizer.lr=fast is not a number"),
    (["model.dropout=2"], "model.dropout=2 is out of range: give a number from 0 to 1."),
    (["scheduler.warmup_share=some"], "scheduler.warmup_share=some is not a number"),
    (["strategy.reading.overlap_tokens=1.5"], "strategy.reading.overlap_tokens=1.5 is not a whole number"),
    (["optimizer._target_=nowhere.Adam"], "optimizer: _target_ nowhere.Adam is refused"),
    (["optimizer._target_=ctxlab.optim.optimizers.nowhere.Adam"], "no module ctxlab.optim.optimizers.nowhere"),
    (["optimizer._target_=ctxlab.optim.optimizers.adamw.AdamW"], "did you mean 'Adamw'?"),
    (["hydra/launcher=nowhere", "-m", "seed=1,2"], "Could not find 'hydra/launcher/nowhere'"),
    (["data.train_file=trian.jsonl"], "data.train_file=trian.jsonl does not exist: give an existing path"),
    (["data.test_file=no/where.jsonl"], "and neither does its folder"),
    (["model.path=./nowhere"], "model.path=./nowhere does not exist"),
    (["data.path=/no/corpus"], "data.path=/no/corpus does not exist"),
    (["context=15"], "context=15 is too small"),
    (["数据.train_file=x"], "There is no key 数据.train_file: keys are written in ASCII letters"),
    (["task.cue=kurz, knapp"], "or put a text in quotes: \"task.cue='…'\"."),
    (["optimizer.betas=[0.9]"], "optimizer.betas=[0.9] are not two numbers from 0 to below 1"),
    (["optimizer.betas=[0.9,1]"], "optimizer.betas=[0.9, 1] are not two numbers"),
    (["model=tiny_bert", "model.num_heads=3"], "model.num_heads=3 does not divide model.hidden_size=64"),
    (["model=tiny_bert", "model.trained_length=0"], "model.trained_length=0 is too small"),
    (["fold=3"], "fold=3 needs a number of folds: give folds=<number> too."),
]  # fmt: skip


@pytest.mark.by_default(30)
@pytest.mark.parametrize(("words", "end"), LED, ids=[" ".join(words) for words, _ in LED])
def test_a_careless_word_is_led_on_in_one_sentence(ctxlab, tmp_path, words, end):
    outcome = ctxlab("train", *words)
    assert outcome.status == 2
    assert outcome.calls == []
    assert end in outcome.err
    assert outcome.err.count("\n") == 1
    assert "Traceback" not in outcome.err
    assert list((tmp_path / "work").iterdir()) == []
    assert "hunter2" not in outcome.err


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    "words",
    [
        ["context=512", "strategy/attention=bigbird", "strategy.attention.window=64"],
        ["++seed=3"],
        ["~tracking.name"],
        ["+experiment=passkey_reach", "probe.keys=3"],
        ["task.labels=[a,b]"],
        ["optimizer=sgd", "optimizer.momentum=0.5"],
        ["trainer={max_steps: 3}"],
        ["tracking._target_=ctxlab.tracking.wandb.Wandb", "+tracking.of_its_own=1"],
        ["-m", "optimizer=adamw,sgd", "seed=1,2"],
        ["-m", "strategy=glob(ch*)", "strategy.reading.overlap_tokens=3"],
    ],
    ids=" ".join,
)
def test_what_is_right_is_left_alone(ctxlab, words):
    outcome = ctxlab("train", *words)
    assert outcome.status == 0, outcome.err
    assert outcome.calls


def test_the_nearest_file_is_named(ctxlab, tmp_path):
    (tmp_path / "work" / "train.jsonl").touch()
    assert "the nearest name there is train.jsonl." in ctxlab("train", "data.train_file=trian.jsonl").err


@pytest.mark.slow
def test_output_is_tested_before_anything_is_read(ctxlab, tmp_path):
    (tmp_path / "work" / "in.jsonl").touch()
    assert "output=in.jsonl exists" in ctxlab("predict", "input=in.jsonl", "output=in.jsonl").err
    assert ctxlab("predict", "input=in.jsonl", "output=in.jsonl", "overwrite=true").status == 0
    assert "does not exist; make it first" in ctxlab("predict", "input=in.jsonl", "output=no/out.jsonl").err
    assert "input=out.jsonl does not exist" in ctxlab("predict", "input=out.jsonl", "output=new.jsonl").err


def test_every_key_is_found_by_its_own_end():
    known = list(selected.keys("train", []))
    lasts = [key.rpartition(".")[2] for key in known]
    for key in known:
        last = key.rpartition(".")[2]
        if "." in key and lasts.count(last) == 1 and not any(other.startswith(f"{key}.") for other in known):
            found = suggestions.key("train", suggestions.Written(last.upper().replace("_", "-"), "1"), known)
            assert found is not None
            assert list(found.forms) == [f"{key}=1"]


def test_what_holds_keys_leads_to_them():
    found = suggestions.key("train", suggestions.Written("growth", "2"), list(selected.keys("train", [])))
    assert found is not None
    assert "model.growth.layers=2" in found.forms
    assert all(form.startswith("model.growth.") for form in found.forms)


def test_every_synonym_leads_to_something_that_is_there():
    groups = set(catalogue.groups())
    keys = {
        f"{group.replace('/', '.')}.{key.name}"
        for group in groups
        for option in catalogue.options(group)
        for key in catalogue.keys(catalogue.option_file(group, option))
    } | set(catalogue.tree("train"))
    for foreign, here in synonyms.KEYS.items():
        assert foreign == foreign.lower().replace("-", "_")
        assert here.name in keys | groups | {"shots", "hydra.run.dir"}, foreign
        assert foreign not in keys | groups, f"{foreign} is the name of something else here"
        assert here.value("1")
        assert here.value("[a, b]")
    for group, options in synonyms.OPTIONS.items():
        for foreign, here in options.items():
            assert here in catalogue.options(group), foreign
            assert foreign not in catalogue.options(group)
    assert {*synonyms.PATHS.values(), *synonyms.FILES.values()} <= keys


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("data.train_file=数据/训练.jsonl", "数据/训练.jsonl"),
        ("data.train_file=データ (1).jsonl", "データ (1).jsonl"),
        ("data.train_file=notes(1).jsonl", "notes(1).jsonl"),
        ("resume=outputs/a=b", "outputs/a=b"),
        ("task.labels=[人名,地名,ORG]", ["人名", "地名", "ORG"]),
        ("task.cue=Réponse :", "Réponse :"),
        ("task.instruction=Résumez l'article, s'il vous plaît.", "Résumez l'article, s'il vous plaît."),
        ("task.instruction=Repeat the author's words", "Repeat the author's words"),
        ("task.instruction=要約して！「短く」", "要約して！「短く」"),
        ("task.cue='数'", "数"),
        ("model.path=C:/модель", "C:/модель"),
    ],
)
def test_other_letters_need_no_quotes(word, value):
    assert parse([word])[0].value() == value


@pytest.mark.slow
def test_other_letters_in_a_sweep_stay_several_values(ctxlab):
    from pathlib import Path

    for name in ("甲.jsonl", "乙.jsonl"):
        Path(name).touch()
    outcome = ctxlab("train", "-m", "data.train_file=甲.jsonl,乙.jsonl")
    assert [config.data.train_file for config, _ in outcome.calls] == ["甲.jsonl", "乙.jsonl"]
    assert ctxlab("train", "data.train_file=甲.jsonl").config.data.train_file == "甲.jsonl"
