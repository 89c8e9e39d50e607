"""CoNLL columns in every layout, with expected values worked out by hand."""

import pytest

from ctxlab.core.errors import UserError
from ctxlab.data.readers.read import read_file

GERMEVAL = (
    "#\thttp://example.invalid/a [2020-01-01]\n1\tIn\tO\tO\n2\tBad\tB-LOC\tO\n3\tTarn\tI-LOC\tB-LOC\n\n"
    "#\thttp://example.invalid/b [2020-01-01]\n1\t#7\tO\tO\n2\tsiegt\tO\tO\n"
)
UNER = "# sent_id = 1\n# text = Ora sees # 7\n1\tOra\tB-PER\t-\t-\n2\tsees\tO\t-\t-\n3\t#\tO\t-\t-\n4\t7\tO\t-\t-\n"
CONLLU = (
    "# newdoc id = one\n# sent_id = 1\n# text = Ora can't go .\n"
    "1\tOra\tOra\tPROPN\tNNP\t_\t4\tnsubj\t_\tSpaceAfter=No|NER=B-PER\n"
    "2-3\tcan't\t_\t_\t_\t_\t_\t_\t_\t_\n"
    "2\tca\tcan\tAUX\tMD\t_\t4\taux\t_\t_\n3\tn't\tnot\tPART\tRB\t_\t4\tadvmod\t_\t_\n"
    "4\tgo\tgo\tVERB\tVB\t_\t0\troot\t_\t_\n4.1\tempty\t_\t_\t_\t_\t_\t_\t_\tNER=B-X\n\n"
    "# newdoc\n1\tTarn\tTarn\tPROPN\tNNP\t_\t0\troot\t_\tNER=B-LOC\n"
)
ONTONOTES = (
    "#begin document (nw/a); part 000\n"
    "nw/a 0 0 The DT (TOP(S* - - - - (ORG* - (0\n"
    "nw/a 0 1 Tarn NNP * - - - - * * -\n"
    "nw/a 0 2 Club NNP *) - - - - *) - 0)\n"
    "nw/a 0 3 met VBD (VP* meet 01 1 - * (V*) -\n"
    "nw/a 0 4 Ora NNP *)) - - - - (PERSON) - -\n\n"
    "nw/a 0 0 Velm NNP * - - - - (GPE*) - -\n"
    "#end document\n"
    "#begin document (nw/a); part 001\nnw/a 1 0 Rain NN * - - - - * - -\n#end document\n"
)


def fields(tmp_path, content, name="c.conll", task="ner"):
    (tmp_path / name).write_text(content, encoding="utf-8")
    return [
        {key: value for key, value in record.fields.items() if key != "id"}
        for record in read_file(tmp_path / name, task)
    ]


def one(tokens, tags, *starts):
    return {"tokens": tokens.split(), "tags": tags.split(), "sentence_starts": list(starts)}


@pytest.mark.parametrize(
    ("content", "documents"),
    [
        (GERMEVAL, [one("In Bad Tarn #7 siegt", "O B-LOC I-LOC O O", 0, 3)]),
        ("\n".join(line for line in GERMEVAL.split("\n") if line[:1] != "#"),
         [one("In Bad Tarn #7 siegt", "O B-LOC I-LOC O O", 0, 3)]),
        (UNER, [one("Ora sees # 7", "B-PER O O O", 0)]),
        (CONLLU, [one("Ora ca n't go", "B-PER O O O", 0), one("Tarn", "B-LOC", 0)]),
        (ONTONOTES,
         [one("The Tarn Club met Ora Velm", "B-ORG I-ORG I-ORG O B-PERSON B-GPE", 0, 5), one("Rain", "O", 0)]),
        ("B-PER\tOra\nO\tmet\nO\t#\n\nB-LOC\tTarn\n", [one("Ora met # Tarn", "B-PER O O B-LOC", 0, 3)]),
        ("# a comment\nOra B-PER\n#tarn B-LOC\n# O\n#see it O\n# text = x\n", [one("Ora #tarn #", "B-PER B-LOC O", 0)]),
        ("Ora\tB-PER\n#\tO\n# no row at all\n#x\n", [one("Ora #", "B-PER O", 0)]),
        ("Ora NNP B-PER _\nmet VBD O _\n", [one("Ora met", "B-PER O", 0)]),
        ("Ora NNP I-NP O\nmet VBD I-VP O\n", [one("Ora met", "O O", 0)]),
        ("1 O\n2 B-X\n", [one("1 2", "O B-X", 0)]),
        ("1\tOra\tB-P\n4\tmet\tO\n", [one("Ora met", "B-P O", 0)]),
        ("0 Ora B-P\n0 met O\n\n1 Tarn B-L\n", [one("Ora met Tarn", "B-P O B-L", 0, 2)]),
        ("#begin document (a); part 000\na 0 0 Ora NNP * - - - - (PERSON(ORG*) -\n", [one("Ora", "B-PERSON", 0)]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_layouts_by_hand(tmp_path, content, documents, ends):
    assert fields(tmp_path, content.replace("\n", ends)) == documents


@pytest.mark.parametrize("name", ["a.conllu", "a.iob2", "a.v4_gold_conll", "a.conll.gz", "a.txt"])
def test_extensions(tmp_path, name):
    import gzip

    data = b"1\tOra\tB-PER\n2\tmet\tO\n"
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    assert read_file(tmp_path / name, "ner")[0].fields["tags"] == ["B-PER", "O"]


def test_conllu_without_entities_is_words_alone(tmp_path):
    (document,) = fields(tmp_path, CONLLU.replace("NER=", "X=").replace("# newdoc\n", ""), "c.conllu")
    assert document == {"tokens": ["Ora", "ca", "n't", "go", "Tarn"], "sentence_starts": [0, 4]}


@pytest.mark.parametrize("content", ["# only\n# comments\n", "-DOCSTART- O\n\n", "#begin document a\n#end document\n"])
def test_a_file_without_a_word_is_refused(tmp_path, content):
    with pytest.raises(UserError, match="has no words"):
        fields(tmp_path, content)


def test_words_alone_may_begin_with_a_number_sign(tmp_path):
    assert fields(tmp_path, "# a comment\nOra\n#tarn\n") == [{"tokens": ["Ora", "#tarn"], "sentence_starts": [0]}]


def test_a_ragged_row_is_named_where_a_layout_has_one_width(tmp_path):
    with pytest.raises(UserError, match=r"line 2 has 2 columns where the lines before have 3"):
        fields(tmp_path, "Ora NNP B-PER\nmet O\n")


@pytest.mark.parametrize(
    "text",
    [
        "Ora Lund went to Tarn.",
        "Ora went to Tarn\nMika stayed in Velm\n",
        "She met Mika there, and both were glad.\nIt rained.\n",
        "She came by the I-95.\nHe left.\nNothing else.\n",
        "今天天气很好。\n",
        "今天天气很好我们去公园\n明天下雨\n",
        "Chapter 1\n\nIt rained.\n",
    ],
)
def test_prose_is_one_text_for_taggers(tmp_path, text):
    assert fields(tmp_path, text, "p.txt") == [{"text": text}]


@pytest.mark.parametrize("task", ["summarization", "translation", "qa", "lm", "nli"])
def test_other_tasks_read_plain_files_as_text(tmp_path, task):
    (record,) = fields(tmp_path, "Ora\tB-PER\nmet\tO\n", "p.txt", task)
    assert record["text"] == "Ora\tB-PER\nmet\tO\n"


def test_words_one_a_line_are_columns(tmp_path):
    assert fields(tmp_path, "Ora\nmet\nself-made\n.\n", "p.txt")[0]["tokens"] == ["Ora", "met", "self-made", "."]
