"""JSON that other readers refuse is refused, without its text in the answer."""

import pytest

from ctxlab.serving.body import parse
from ctxlab.serving.refusal import Refusal, without_text

REFUSED = {
    "NaN": b'{"secret": NaN}',
    "Infinity": b'{"secret": -Infinity}',
    "1e999": b'{"secret": 1e999}',
    "twice": b'{"secret": 1, "secret": 2}',
    "twice inside": b'{"a": [{"secret": 1, "secret": 2}]}',
    "UTF-16": '{"secret": 1}'.encode("utf-16"),
    "UTF-8 with a mark": b'\xef\xbb\xbf{"secret": 1}',
    "bytes": b'{"secret": "\xff"}',
    "half": b'{"secret": ',
    "more": b'{"secret": 1} secret',
    "a list": b'["secret"]',
    "a text": b'"secret"',
    "empty": b"",
    "deep": b"[" * 100_000,
    "digits": b'{"secret": ' + b"1" * 5000 + b"}",
    "a control character": b'{"secret": "\n"}',
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_strict_json_is_a_sentence(name):
    with pytest.raises(Refusal) as caught:
        parse(REFUSED[name])
    assert caught.value.status == 400
    assert "secret" not in caught.value.sentence
    assert caught.value.sentence.startswith("The body ")
    assert caught.value.sentence.endswith((".", "}."))


def test_strict_json_is_what_it_is():
    assert parse('{"text": "é€", "n": [1, 2.5, -0.0, 1e308, true, null]}'.encode()) == {
        "text": "é€", "n": [1, 2.5, -0.0, 1e308, True, None],
    }  # fmt: skip


def test_a_sentence_quotes_names_of_fields_only():
    said = "line 3 of 'docs' has \"a 'secret'\" in 'tags' and 'it\\'s' after 'tokens'."
    assert without_text(said, ["tags", "tokens"]) == "Line 3 of '…' has '…' in 'tags' and '…' after 'tokens'."
