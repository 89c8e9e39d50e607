"""Keys: the file never holds one, others cannot read it, and only the right secret is taken."""

import hashlib
import json

import pytest

from ctxlab.core.errors import UserError
from ctxlab.serving import keys


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys"


def test_the_command_prints_a_key_once_and_keeps_its_hash(path, capsys):
    words = [str(path), "alice", "--scopes", "metrics,infer", "--tokens-per-minute", "1000"]
    assert keys.main(words) == 0
    said = capsys.readouterr()
    secret = said.out.strip()
    assert keys.FORM.fullmatch(secret)
    assert secret not in said.err
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text()
    assert secret.split("_", 2)[2] not in text
    line = json.loads(text)
    assert (line["scopes"], line["tokens_per_minute"]) == (["infer", "metrics"], 1000)
    # the oracle: hashlib's own scrypt with the written salt
    expected = hashlib.scrypt(secret.split("_", 2)[2].encode(), salt=bytes.fromhex(line["salt"]), **keys.SCRYPT)
    assert line["hash"] == expected.hex()
    assert keys.main([str(path), "bob"]) == 0
    assert [key.name for key in keys.read(path).values()] == ["alice", "bob"]


def test_only_its_own_secret_is_a_key_and_equal_ones_have_other_hashes():
    key, given = keys.made("a", ["infer"], {})
    secret = given.split("_", 2)[2]
    assert key.is_it(secret)
    assert not key.is_it(secret[:-1] + ("A" if secret[-1] != "A" else "B"))
    assert keys.hashed("x", "00" * 16) != keys.hashed("x", "01" * 16)


def test_admin_allows_everything():
    assert all(keys.made("a", ["admin"], {})[0].allows(scope) for scope in keys.SCOPES)
    assert [scope for scope in keys.SCOPES if keys.made("a", ["metrics"], {})[0].allows(scope)] == ["metrics"]


def test_a_file_that_others_can_read_is_refused(path):
    keys.main([str(path), "alice"])
    path.chmod(0o640)
    with pytest.raises(UserError, match="can be read by others than its owner: chmod 600"):
        keys.read(path)
    assert keys.main([str(path), "bob"]) == 2
    assert len(path.read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no key: add one with"),
        ("{", "line 1 of serve.keys=.* is not one of a key"),
        ('{"id": "a", "name": "a", "scopes": ["all"], "salt": "00", "hash": "00"}', "is not one of a key"),
        ('{"id": "a", "name": "a", "scopes": ["infer"], "salt": "00", "hash": "00", "quota": 1}', "is not one"),
        (
            '{"id": "a", "name": "a", "scopes": ["infer"], "salt": "00", "hash": "00", "tokens_per_minute": 0}',
            "is not one",
        ),
        ("[1]", "is not one of a key"),
        (None, "cannot be read"),
    ],
)
def test_a_faulty_file_is_a_sentence(path, text, says):
    if text is not None:
        path.write_text(text)
        path.chmod(0o600)
    with pytest.raises(UserError, match=says):
        keys.read(path)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["a b"], "1 to 64 letters"),
        (["a", "--scopes", "infer,all"], "--scopes=all is not one of infer, explain, metrics, admin"),
        (["a", "--documents-per-minute", "0"], "--documents-per-minute=0 is too small"),
    ],
)
def test_wrong_words_are_a_sentence_and_write_nothing(path, capsys, words, says):
    assert keys.main([str(path), *words]) == 2
    assert says in capsys.readouterr().err
    assert not path.exists()
