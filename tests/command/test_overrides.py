"""Values in other scripts reach the configuration as they were typed; Hydra's own parser is the oracle."""

import pytest

from ctxlab.command.overrides import parse
from ctxlab.core.errors import UserError


def plain(value):
    """Without the parser's own types."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {plain(key): plain(one) for key, one in value.items()}
    return str(value) if hasattr(value, "text") else value


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("data.train_file=数据/训练集.jsonl", "数据/训练集.jsonl"),
        ("task.labels=[体育,财经]", ["体育", "财经"]),
        ("task.labels=[体育, other]", ["体育", "other"]),
        ("task.instruction=请总结。", "请总结。"),
        ("task.instruction=请 总结，谢谢！", "请 总结，谢谢！"),
        ("task.instruction=सारांश लिखिए", "सारांश लिखिए"),
        ("task.cue=Réponse :", "Réponse :"),
        ("x={a: 值, b: 1}", {"a": "值", "b": 1}),
        ("x='已经'", "已经"),
        ("x=plain", "plain"),
    ],
)
def test_values_are_read_as_they_are_typed(word, value):
    (override,) = parse([word])
    assert plain(override.value()) == value


def test_a_sweep_stays_a_sweep():
    (override,) = parse(["task.cue=答案：,回答："])
    assert override.is_choice_sweep()
    assert [str(one.text) for one in override.value().list] == ["答案：", "回答："]


def test_a_broken_list_is_refused():
    with pytest.raises(UserError, match="not an override"):
        parse(["x=[体育"])
