"""Texts in Latin script, written by Python's own codecs, are converted back to themselves."""

import pytest

from ctxlab.data.readers.encodings import encoding_of

WESTERN = "latin-1 cp1252 mac_roman"

LATIN = {
    "French": ("Élève à Besançon, François reçut le prix ; où était Noël ? « Ça m'étonne »", WESTERN),
    "a few letters": ("Il a été là.", WESTERN),
    "Spanish": ("¿Qué pasó después? El niño comió piña, y la señora salió al jardín.", WESTERN),
    "Portuguese": ("A criança não quis o pão, e amanhã virão as irmãs do avô.", WESTERN),
    "Italian": ("Perché è così? La città è già più bella, ma la virtù non c'è.", WESTERN),
    "German": ("Die Straße führt über die Brücke; Jürgen hat öfter „Ärger“.", "cp1252 mac_roman"),
    "Finnish": ("Hän söi äidin tekemää keittoa, ja yö oli pimeä.", WESTERN),
    "Danish": ("Købmanden på hjørnet sælger rødgrød med fløde.", WESTERN),
    "Icelandic": ("Þetta er gott veður í dag, og ég á þrjú börn.", "latin-1 cp1252"),
    "Polish": ("Zażółć gęślą jaźń; dziś świeci słońce i śnieg topnieje.", "cp1250 iso8859_2"),
    "Czech": ("Příliš žluťoučký kůň úpěl ďábelské ódy.", "cp1250 iso8859_2"),
    "Hungarian": ("Az őrült hölgy tűz mellett ült, és esni fog az eső.", "cp1250"),
    "Romanian": ("Băiatul a mers la şcoală şi a învăţat toată ziua.", "cp1250"),
    "Croatian": ("Čovjek je došao kući i sjeo na žutu stolicu; đak uči.", "cp1250"),
    "Turkish": ("Bugün hava çok soğuk, bu yüzden insanlar evde çay içiyor. İşte şimdi.", "cp1254"),
    "Lithuanian": ("Šiandien šalta, todėl žmonės sėdi namuose ir geria arbatą.", "cp1257"),
    "Latvian": ("Šodien ir ļoti auksts, tāpēc cilvēki sēž mājās un dzer tēju.", "cp1257"),
    "Estonian": ("Täna on külm, sellepärast joovad inimesed õhtul šokolaadi.", "cp1257"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("language", "codec"), [(name, codec) for name, (_, codecs) in LATIN.items() for codec in codecs.split()]
)
@pytest.mark.parametrize("times", [1, 50])
def test_a_file_in_latin_script_is_converted_back_to_itself(language, codec, times):
    text = (LATIN[language][0] + "\n") * times
    assert text.encode(codec).decode(encoding_of(text.encode(codec))) == text


def test_other_scripts_are_not_taken_for_latin():
    text = "IBM и Siemens открыли в Берлине новый завод, где работает много людей.\n"
    assert encoding_of(text.encode("cp1251")) == "CP1251"
