"""Secrets are masked on the disk and on the screen."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ctxlab.config.redact import MASK, is_secret, redact, redact_yaml

SECRET = "s3cr3t-0123456789abcdef"


@pytest.mark.parametrize(
    "name",
    [
        "api_key",
        "key",
        "WANDB_API_KEY",
        "hf_token",
        "token",
        "password",
        "client-secret",
        "tracking.apikey",
        "credentials",
    ],
)
def test_names_of_secrets(name):
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "tokens_per_step",
        "max_tokens",
        "tokens_field",
        "token_field",
        "keys",
        "monkey",
        "pad_token",
        "global_tokens",
        "keep",
        "tokenizer",
    ],
)
def test_other_names_are_no_secrets(name):
    assert not is_secret(name)


def test_masking_by_hand(monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "from-the-environment")
    tree = {
        "tracking": {"api_key": SECRET, "project": "x", "note": f"see {SECRET}", "reference_key": "${oc.env:KEY}"},
        "list": ["seed=1", "+tracking.password=hunter2", "x from-the-environment y"],
        "dirname": "seed=1,tracking.password=hunter2,task=ner",
        "empty_token": None,
        "max_tokens": 512,
        "nested_secret": {"a": ["deep"], "b": 7},
        "fallback_key": "${oc.env:KEY,default-secret}",
    }
    assert redact(tree) == {
        "tracking": {"api_key": MASK, "project": "x", "note": f"see {MASK}", "reference_key": "${oc.env:KEY}"},
        "list": ["seed=1", f"+tracking.password={MASK}", f"x {MASK} y"],
        "dirname": f"seed=1,tracking.password={MASK},task=ner",
        "empty_token": None,
        "max_tokens": 512,
        "nested_secret": {"a": [MASK], "b": MASK},
        "fallback_key": MASK,
    }


TREES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text("abc ", max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["lr", "max_tokens", "api_key", "hf_token", "parts"]), inner, max_size=4),
    ),
    max_leaves=12,
)


@given(TREES, st.sampled_from(["api_key", "password"]))
def test_no_secret_remains_after_masking(tree, name):
    planted = {"parts": tree, "deep": [{name: SECRET}], "echo": [f"+x.{name}={SECRET}", f"a,{SECRET},b"]}
    clean = redact(planted)
    assert SECRET not in repr(clean)
    assert list(clean) == list(planted)


@given(TREES)
def test_values_without_a_secret_name_are_unchanged(tree):
    def strip(value):
        if isinstance(value, dict):
            return {key: strip(inner) for key, inner in value.items() if not is_secret(key)}
        return [strip(inner) for inner in value] if isinstance(value, list) else value

    assert redact(strip(tree)) == strip(tree)


def test_the_password_in_a_url_is_masked_and_the_url_stays():
    url, masked = "postgresql://me:swordfish@host:5432/db", "postgresql://me:***@host:5432/db"
    assert redact([f"sweep.storage={url}", {"storage": url}]) == [f"sweep.storage={masked}", {"storage": masked}]
    assert "swordfish" not in redact_yaml(f"sweep:\n  storage: {url}\n")
    assert redact("https://host/a:b@c") == "https://host/a:b@c"


def test_yaml_keeps_its_layout():
    text = "# @package a\nb:\n- x: ${c}\n  d: '2025-01-31'\n  api_key: {}\nc: ???\ne: see {}\nf: null\n"
    shown = redact_yaml(text.replace("{}", "hidden-value"))
    assert shown == text.replace("{}", "'***'", 1).replace("{}", "***")
    assert redact_yaml("a:   1  # kept as it is\n") == "a:   1  # kept as it is\n"
    assert redact_yaml("just a value\n") == "just a value\n"


@pytest.fixture
def secretive(monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", SECRET)
    return (
        "hydra.job.env_copy=[WANDB_API_KEY]",
        "tracking._target_=ctxlab.tracking.wandb.Wandb",  # who names a class may give it keys that conf/ does not have
        "+tracking.note=${oc.env:WANDB_API_KEY}",
        "+tracking.password=correct-horse",
        "+tracking.echo=${tracking.password}",
    )


def test_nothing_in_a_run_directory_holds_a_secret(ctxlab, secretive):
    outcome = ctxlab("train", *secretive)
    assert outcome.config.tracking.note == SECRET  # the stage itself has it
    assert outcome.config.tracking.echo == "correct-horse"
    files = [path for path in outcome.run_dir.rglob("*") if path.is_file()]
    assert len(files) >= 5
    for path in files:
        assert SECRET not in path.read_text(), path
        assert "correct-horse" not in path.read_text(), path
    recorded = yaml.safe_load((outcome.run_dir / "config.yaml").read_text())
    assert recorded["tracking"]["password"] == MASK
    assert recorded["tracking"]["note"] == "${oc.env:WANDB_API_KEY}"


@pytest.mark.slow
def test_nothing_in_a_sweep_directory_holds_a_secret(ctxlab, secretive):
    outcome = ctxlab("train", "-m", "seed=1,13", *secretive)
    folder = outcome.calls[0][1].parent
    for path in (path for path in folder.rglob("*") if path.is_file()):
        assert SECRET not in path.read_text(), path
        assert "correct-horse" not in path.read_text(), path
    assert "correct-horse" not in outcome.out
    assert "Job 1" in outcome.err


@pytest.mark.by_default(3)
@pytest.mark.parametrize(
    "flags",
    [
        "--cfg job",
        "--cfg job --resolve",
        "--cfg all",
        "--cfg hydra",
        "--info config",
        "--cfg job -p tracking",
        "--cfg job -p tracking.password",
        "--cfg job --resolve -p tracking.note",
    ],
)
def test_nothing_on_the_screen_holds_a_secret(ctxlab, secretive, flags):
    shown = ctxlab("train", *flags.split(), *secretive)
    assert shown.status == 0
    assert shown.out.strip()
    assert SECRET not in shown.out + shown.err
    assert "correct-horse" not in shown.out + shown.err
