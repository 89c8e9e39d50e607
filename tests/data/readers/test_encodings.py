"""Encodings recognised in texts that Python's own codecs wrote."""

import pytest

from ctxlab.core.errors import UserError
from ctxlab.data.readers.encodings import encoding_of
from ctxlab.data.readers.text import read_text

TEXTS = {
    "zh": '{"id": "7", "text": "昨天下午我们在图书馆看书，晚上一起吃饭。"}\n',
    "tw": '{"id": "7", "text": "昨天下午我們在圖書館看書，晚上一起吃飯。"}\n',
    "ja": '{"id": "7", "text": "きのうは図書館で本を読みました。夜はみんなで食べました。"}\n',
    "ko": '{"id": "7", "text": "어제 오후에 도서관에서 책을 읽고 저녁을 먹었습니다."}\n',
    "ru": '{"id": "7", "text": "Вчера днём мы читали книги в библиотеке, а вечером ужинали."}\n',
    "th": '{"id": "7", "text": "เมื่อวานตอนบ่ายเราอ่านหนังสือในห้องสมุดแล้วกินข้าวด้วยกัน"}\n',
    "de": '{"id": "7", "text": "Gestern Nachmittag lasen wir in der Bücherei und aßen abends Käse."}\n',
    "pl": '{"id": "7", "text": "Wczoraj po południu czytaliśmy książki, a wieczorem zjedliśmy kolację."}\n',
    "en": '{"id": "7", "text": "We read in the library and had supper in the evening."}\n',
}


@pytest.mark.parametrize(
    ("text", "codec", "names"),
    [
        ("zh", "gb18030", {"GB18030"}),
        ("zh", "utf-16", {"UTF-16"}),
        ("en", "utf-16-le", {"UTF-16LE"}),
        ("zh", "utf-16-be", {"UTF-16BE"}),
        ("en", "utf-32", {"UTF-32"}),
        ("tw", "big5", {"BIG5"}),
        ("ja", "shift_jis", {"SHIFT_JIS"}),
        ("ja", "euc_jp", {"EUC-JP"}),
        ("ko", "euc_kr", {"CP949"}),
        ("ru", "cp1251", {"CP1251"}),
        ("ru", "koi8-r", {"KOI8-R"}),
        ("th", "cp874", {"CP874"}),
        ("de", "latin-1", {"CP1252"}),
        ("pl", "cp1250", {"CP1250"}),
    ],
)
@pytest.mark.parametrize("times", [1, 400])
def test_the_advice_names_the_encoding(text, codec, names, times, tmp_path):
    data = (TEXTS[text] * times).encode(codec)
    assert encoding_of(data) in names
    path = tmp_path / "data.jsonl"
    path.write_bytes(data)
    with pytest.raises(UserError) as error:
        read_text(path)
    assert f"`iconv -f {next(iter(names))} -t UTF-8 data.jsonl > data.utf8.jsonl`" in str(error.value)
    assert "latin1" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("今日はとても寒いので、お茶を飲みます。", "iso2022_jp"),
        ("今天天气很冷，所以人们喝茶。", "utf-16-be"),
        ("今天天气很冷，所以人们喝茶。", "utf-16-le"),
        ("आज बहुत ठंड है।", "utf-16-le"),
        ("오늘은 매우 추워서 차를 마신다.", "utf-16-be"),
        ("Hôm nay", "cp1252"),
    ],
)
def test_short_texts_without_a_mark(text, codec, tmp_path):
    data = text.encode(codec)
    assert data.decode(encoding_of(data)) == text
    (tmp_path / "data.txt").write_bytes(data)
    with pytest.raises(UserError, match=f"probably {encoding_of(data)}: convert"):
        read_text(tmp_path / "data.txt")


def test_bytes_that_are_no_text_are_not_guessed(tmp_path):
    path = tmp_path / "data.txt"
    path.write_bytes(bytes(range(128, 256)) * 3 + b"\x81\x8d\x8f\x90\x9d")
    with pytest.raises(UserError, match="is not UTF-8"):
        read_text(path)
