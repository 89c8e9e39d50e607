"""The language that is inferred from a script."""

import pytest

from ctxlab.core.errors import UserError
from ctxlab.text.language import by_script, checked, language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("我们在北京用 iPhone 看 Google 地图", "zh"), ("東京に行きます", "ja"),
        (f"我们看了《トトロ》，{'大家都很喜欢它的音乐，' * 6}", "zh"),
        ("서울에 갑니다", "ko"), ("ไปกรุงเทพ", "th"), ("ໄປວຽງຈັນ", "lo"), ("ទៅភ្នំពេញ", "km"), ("ရန်ကုန်", "my"),
        ("ལྷ་ས", "bo"),
        ("दिल्ली जाना", "hi"), ("في القاهرة", "ar"), ("میں گھر ہوں", "ur"), ("پدر چای", "fa"), ("в Москве", "ru"),
        ("στην Αθήνα", "el"), ("Das Haus", "en"), ("12 + 3", "en"), ("", "en"), ("1998年", "zh"),
    ],
)  # fmt: skip
def test_language_by_script(text, language):
    assert by_script(text) == language


def test_the_language_of_several_texts_is_that_of_most_words():
    assert by_script("OK", "我们走吧") == "zh"
    assert by_script("we all go home now", "走") == "en"


def test_a_language_that_is_given_wins_and_is_checked():
    assert language_of("de", "我们") == "de"
    assert language_of(None, "我们") == language_of("", "我们") == "zh"
    assert checked("zh-Hant") == checked("zh_CN") == checked("ZH") == "zh"
    for wrong in ("chinese", "z", "中文", "e1"):
        with pytest.raises(UserError, match=r"task.language=.* is not a language code"):
            checked(wrong)
