"""Small files in every format that ctxlab reads, and the ways in which they are damaged; used by ``test_fuzz.py``."""

import bz2
import gzip
import json
import lzma
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import Any

from tests.contracts.task_runs import records

TEXT = "Ora Lund went to Tarn."
STORY = "The ferry left Tarn at noon. Ora Lund steered it."
WORDS = ["Ora", "Lund", "runs", "Tarn", ".", "She", "rests", "."]
PLACES = [(0, 3), (4, 8), (9, 13), (14, 16), (17, 21), (21, 22)]
SPANS = [{"start": 0, "end": 8, "label": "PER"}, {"start": 17, "end": 21, "label": "LOC"}]
ANSWER = {"text": "Ora Lund", "answer_start": 29}
HEAD, TAIL = {"start": 0, "end": 8, "label": "PER"}, {"start": 17, "end": 21, "label": "LOC"}
PARAGRAPHS = [["Ferry", ["The ferry left Tarn.", " Ora Lund steered."]], ["Lund", ["Lund is old."]]]

RESULTS = [
    {"id": "T1", "type": "labels", "value": {"start": 0, "end": 8, "labels": ["PER"]}},
    {"id": "T2", "type": "labels", "value": {"start": 17, "end": 21, "labels": ["LOC"]}},
    {"type": "relation", "from_id": "T1", "to_id": "T2", "labels": ["in"]},
]

ROWS: dict[str, list[tuple[str, Any]]] = {
    "ner": [
        ("words", {"tokens": WORDS[:3], "tags": ["B-PER", "I-PER", "O"], "sentence_starts": [0]}),
        ("BIOES", {"tokens": WORDS[:3], "tags": ["B-PER", "E-PER", "O"]}),
        ("space-separated", {"tokens": "Ora Lund runs", "tags": "B-PER I-PER O"}),
        ("triples", {"text": TEXT, "label": [[0, 8, "PER"], [17, 21, "LOC"]]}),
        ("doccano", {"text": TEXT, "entities": [{"id": 3, "label": "PER", "start_offset": 0, "end_offset": 8}]}),
        ("Prodigy", {"text": TEXT, "spans": SPANS, "answer": "accept",
                     "tokens": [{"text": TEXT[a:b], "start": a, "end": b} for a, b in PLACES]}),
        ("Label Studio", {"id": 1, "data": {"text": TEXT}, "annotations": [{"result": RESULTS[:2]}]}),
        ("JSON-MIN", {"text": TEXT, "label": [{"start": 0, "end": 8, "labels": ["PER"]}]}),
        ("spaCy", {"text": TEXT, "ents": SPANS, "tokens": [{"start": a, "end": b} for a, b in PLACES]}),
        ("spaCy 2", {"id": 0, "paragraphs": [{"sentences": [{"tokens": [{"orth": "Ora", "ner": "U-PER"}]}]}]}),
        ("spaCy pair", [TEXT, {"entities": [[0, 8, "PER"], [17, 21, "LOC"]]}]),
        ("SpERT", {"tokens": WORDS, "entities": [{"type": "PER", "start": 0, "end": 2}], "relations": []}),
        ("DyGIE++", {"doc_key": "d", "sentences": [WORDS[:5], WORDS[5:]], "ner": [[[0, 1, "PER"]], [[5, 5, "PER"]]]}),
        ("CLUENER", {"text": "王芳在广州", "label": {"name": {"王芳": [[0, 1]]}, "city": {"广州": [[3, 4]]}}}),
        ("MSRA", {"chars": ["王", "芳"], "labels": ["B-PER", "I-PER"]}),
        ("FUNSD", {"form": [{"label": "name", "words": [{"text": "Ora", "box": [1, 2, 3, 4]}]},
                            {"label": "other", "words": [{"text": "ran", "box": [5, 2, 8, 4]}]}]}),
    ],
    "relation": [
        ("words", {"tokens": WORDS, "entities": [{"type": "PER", "mentions": [[0, 2]]}, {"mentions": [[3, 4]]}],
                   "relations": [{"head": 0, "tail": 1, "label": "runs"}]}),
        ("doccano", {"text": TEXT, "entities": [{"id": 0, "start_offset": 0, "end_offset": 8, "label": "PER"},
                                                {"id": 1, "start_offset": 17, "end_offset": 21, "label": "LOC"}],
                     "relations": [{"id": 0, "from_id": 0, "to_id": 1, "type": "in"}]}),
        ("Prodigy", {"text": TEXT, "answer": "accept", "spans": SPANS,
                     "relations": [{"label": "in", "head_span": HEAD, "child_span": TAIL}]}),
        ("Label Studio", {"id": 7, "data": {"text": TEXT}, "annotations": [{"result": RESULTS}]}),
        ("SpERT", {"tokens": WORDS, "entities": [{"type": "PER", "start": 0, "end": 2},
                                                 {"type": "LOC", "start": 3, "end": 4}],
                   "relations": [{"type": "runs", "head": 0, "tail": 1}]}),
        ("DyGIE++", {"doc_key": "d", "sentences": [WORDS[:5], WORDS[5:]],
                     "ner": [[[0, 1, "PER"], [3, 3, "LOC"]], [[5, 5, "PER"]]],
                     "relations": [[[0, 1, 3, 3, "runs"]], []], "clusters": [[[0, 1], [5, 5]]]}),
        ("DocRED", {"title": "d", "sents": [WORDS[:5], WORDS[5:]],
                    "vertexSet": [[{"name": "Ora Lund", "sent_id": 0, "pos": [0, 2], "type": "PER"}],
                                  [{"name": "Tarn", "sent_id": 0, "pos": [3, 4], "type": "LOC"}]],
                    "labels": [{"h": 0, "t": 1, "r": "P19", "evidence": [0]}]}),
    ],
    "qa": [
        ("questions", {"context": STORY, "questions": [{"id": "1", "question": "Who?", "answers": [ANSWER]}]}),
        ("SQuAD", {"title": "F", "paragraphs": [{"context": STORY, "qas": [
            {"id": "1", "question": "Who?", "is_impossible": False, "answers": [ANSWER]}]}]}),
        ("MRQA", {"context": STORY, "qas": [{"qid": "1", "question": "Who?", "answers": ["Ora Lund"],
                                             "detected_answers": [{"text": "Ora Lund", "char_spans": [[29, 36]]}]}]}),
        ("HotpotQA", {"_id": "h", "question": "Who?", "answer": "Lund", "context": PARAGRAPHS,
                      "supporting_facts": [["Lund", 0]]}),
        ("MuSiQue", {"id": "m", "question": "Who?", "answer": "Lund", "answerable": True, "paragraphs": [
            {"title": "Lund", "paragraph_text": "Lund is old.", "is_supporting": True}]}),
        ("CoQA", {"id": "s", "story": STORY, "questions": [{"input_text": "Who?", "turn_id": 1}],
                  "answers": [{"input_text": "Ora Lund", "span_start": 29, "span_end": 48, "turn_id": 1}]}),
        ("CoQA of the hub", {"story": STORY, "questions": ["Who?"], "answers": {
            "input_text": ["Ora Lund"], "answer_start": [29], "answer_end": [48]}}),
        ("CMRC", {"context_text": "广州在南方。", "qas": [
            {"query_id": "q", "query_text": "哪里？", "answers": ["广州"]}]}),
        ("LongBench", {"context": STORY, "input": "Who?", "answers": ["Ora Lund"]}),
    ],
    "classification": [
        ("label", {"text": "a boat", "label": "ham"}),
        ("doccano", {"id": 1, "text": "a boat", "label": ["ham"]}),
        ("Prodigy", {"text": "a boat", "options": [{"id": "ham"}], "accept": ["ham"], "answer": "accept"}),
        ("Label Studio", {"data": {"text": "a"}, "annotations": [{"result": [{"value": {"choices": ["ham"]}}]}]}),
        ("JSON-MIN", {"id": 1, "text": "a", "mood": {"choices": ["ham"]}}),
        ("spaCy", {"text": "fine", "cats": {"GOOD": 1.0, "BAD": 0.0}}),
        ("TNEWS", {"sentence": "球队赢了。", "label": "102", "label_desc": "体育"}),
    ],
    "nli": [
        ("pair", {"premise": "He left.", "hypothesis": "He is gone.", "label": "yes"}),
        ("CMNLI", {"text_a": "他在家。", "text_b": "他出门了。", "label": "yes"}),
        ("SNLI", {"sentence1": "He left.", "sentence2": "He is gone.", "gold_label": "entailment"}),
        ("BoolQ", {"id": "b", "passage": STORY, "question": "At noon?", "answer": True}),
    ],
    "summarization": [
        ("document", {"document": "A boat left. It rained.", "summaries": [{"query": "what", "summary": "It left."}]}),
        ("CNN", {"article": "A boat left.", "highlights": "It left."}),
    ],
    "translation": [
        ("pair", {"source": "The boat left.", "target": "Le bateau partit."}),
        ("src", {"src": "你好。", "tgt": "Hello."}),
        ("hub", {"translation": {"en": "The boat left.", "fr": "Le bateau partit."}}),
        ("lists", {"translation": {"language": ["en", "fr"], "translation": ["A boat.", "Un bateau."]}}),
    ],
    "dialogue": [
        ("turns", {"turns": [{"speaker": "A", "text": "hello there"}, {"speaker": "B", "text": "good day"}]}),
        ("chat", {"messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}]},
                               {"role": "assistant", "content": "good day"}]}),
        ("DailyDialog", {"dialog": ["hello there", "good day"]}),
        ("Alpaca", {"instruction": "hello", "input": "there", "output": "good day"}),
    ],
    "lm": [
        ("text", {"id": "a", "text": STORY}), ("content", {"content": "一段话。"}),
    ],
    "mlm": [("text", {"id": "a", "text": STORY}), ("article", {"article": STORY})],
    "generation": [],
    "recommendation": [],
    "retrieval": [],
    "probe": [],
}  # fmt: skip
"""Task → name of a format, and one record in it."""

COLUMNS = {
    "a.conll": "-DOCSTART- O\n\nOra NNP B-PER\nLund NNP I-PER\nran VBD O\n\n-DOCSTART- O\n\nTarn NNP B-LOC\n",
    "b.conllu": "# newdoc id = a\n1\tOra\tOra\tX\tX\t_\t0\troot\t_\tNER=B-PER\n2\tran\trun\tX\tX\t_\t1\tx\t_\t_\n\n",
    "c.conll": "#begin document (a); part 000\na 0 0 Ora NNP * - - - - (PERSON) -\na 0 1 ran VBD * - - - - * -\n"
    "#end document\n",
    "d.tsv": "1\tOra\tB-PER\tO\n2\tLund\tI-PER\tO\n3\tran\tO\tO\n",
    "e.bio": "B-PER Ora\nI-PER Lund\nO ran\n",
    "f.txt": "Ora B-PER\nLund I-PER\nran O\n",
    "g.csv": "Sentence #,Word,Tag\nSentence: 1,Ora,B-PER\n,ran,O\nSentence: 2,Tarn,B-LOC\n",
    "h.csv": 'id,tokens,tags\na,"[""Ora"", ""ran""]","[\'B-PER\', \'O\']"\n',
}
HOCR = (
    "<html><body><div class='ocr_page' title='bbox 0 0 200 100'><span class='ocr_line'>"
    "<span class='ocrx_word' title='bbox 1 2 30 40'>Ora</span> "
    "<span class='ocrx_word' title='bbox 50 2 80 40'>ran</span>"
    "</span></div></body></html>"
)
TABLES = {"a.csv": 'text,label\n"a boat, red",ham\nno,spam\n', "b.tsv": "text\tlabel\na boat\tham\nno\tspam\n"}
BRAT = (
    "T1\tPER 0 8\tOra Lund\nT2\tLOC 17 21\tTarn\nT3\tPER 0 3\tOra\n"
    "R1\tin Arg1:T1 Arg2:T2\n*\tEquiv T1 T3\nE1\tLiving:T1\n#1\tNote T1\tx\n"
)


@dataclass(frozen=True, slots=True)
class Seed:
    """A whole file, and the task that reads it."""

    task: str
    form: str
    file: str
    content: bytes
    rows: tuple[Any, ...] = ()
    """Its records, where it consists of JSON."""
    beside: tuple[str, bytes] | None = None
    """Another file in its folder."""
    gold: bool = True
    """Whether it says what the answers are."""


@cache
def seeds() -> list[Seed]:
    """Return a file in every format: as JSON lines and as one list, and in the other kinds of files."""
    found = []
    for task, rows in ROWS.items():
        for form, row in [*rows, *(("generated", one) for one in records(task)[:1])]:
            number, rows_of_file = len(found), (row, _other(row))
            found.append(Seed(task, form, f"s{number}.jsonl", _lines(rows_of_file), rows_of_file))
            found.append(Seed(task, form, f"s{number}.json", json.dumps(rows_of_file, indent=1).encode(), rows_of_file))
            if (table := _parquet(rows_of_file)) is not None:
                found.append(Seed(task, form, f"s{number}.parquet", table))
    found += [Seed("ner", "columns", name, text.encode()) for name, text in COLUMNS.items()]
    found.append(Seed("ner", "hOCR", "i.hocr", HOCR.encode(), gold=False))
    found += [Seed("classification", "table", name, text.encode()) for name, text in TABLES.items()]
    found += [Seed(task, "plain", "p.txt", STORY.encode()) for task in ("lm", "mlm")]
    for task in ("ner", "relation"):
        found.append(Seed(task, "brat", "a.ann", BRAT.encode(), beside=("a.txt", TEXT.encode())))
        found.append(Seed(task, "brat's text", "a.txt", TEXT.encode(), beside=("a.ann", BRAT.encode())))
    for pack, end in ((gzip.compress, ".gz"), (bz2.compress, ".bz2"), (lzma.compress, ".xz")):
        found.append(Seed("lm", "packed", f"z.jsonl{end}", pack(_lines(ROWS["lm"][0][1:]))))
    return found


def _lines(rows: Any) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _other(row: Any) -> Any:
    """Return a record with another class and without its id, which two records cannot share."""
    text = json.dumps(row, ensure_ascii=False)
    for one, other in CLASSES.items():
        text = text.replace(json.dumps(one, ensure_ascii=False), json.dumps(other, ensure_ascii=False))
    other = json.loads(text)
    return {key: value for key, value in other.items() if key not in IDS} if isinstance(other, dict) else other


def _parquet(rows: Any) -> bytes | None:
    """Return a table; None for records that columns with one type each cannot hold."""
    import pyarrow
    import pyarrow.parquet

    buffer = BytesIO()
    try:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows)), buffer)
    except (pyarrow.ArrowException, AttributeError):
        return None
    return buffer.getvalue()


IDS = ("id", "_id", "doc_key")
CLASSES = {
    "ham": "spam", "yes": "no", True: False, "entailment": "neutral", "体育": "财经", "102": "103",
    "convicted": "acquitted",
    "contradiction": "entailment", "GOOD": "FINE",
}  # fmt: skip
"""Class of a first record → that of the second."""

Damage = Callable[[Seed, random.Random], bytes]


def damaged(seed: Seed, draw: random.Random) -> tuple[str, bytes]:
    """Return the name of a damage and the damaged content; sometimes two damages follow one another."""
    name, content = _damage_once(seed, draw)
    if draw.random() < 0.3:
        again, content = _damage_once(Seed(seed.task, seed.form, seed.file, content), draw)
        name = f"{name}, {again}"
    return name, content


def _damage_once(seed: Seed, draw: random.Random) -> tuple[str, bytes]:
    known = STRUCTURAL if seed.rows and draw.random() < 0.6 else BYTEWISE
    name = draw.choice(list(known))
    return name, known[name](seed, draw)


def _flip(seed: Seed, draw: random.Random) -> bytes:
    data = bytearray(seed.content or b"x")
    for _ in range(draw.choice((1, 1, 4, 32))):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(data)


def _cut(seed: Seed, draw: random.Random) -> bytes:
    return seed.content[: draw.randrange(len(seed.content) + 1)]


def _hole(seed: Seed, draw: random.Random) -> bytes:
    start, end = sorted(draw.randrange(len(seed.content) + 1) for _ in range(2))
    return seed.content[:start] + seed.content[end:]


def _twice(seed: Seed, draw: random.Random) -> bytes:
    start, end = sorted(draw.randrange(len(seed.content) + 1) for _ in range(2))
    return seed.content[:end] + seed.content[start:end] * draw.choice((1, 2, 50)) + seed.content[end:]


def _line(change: Callable[[list[bytes], int, random.Random], None]) -> Damage:
    def damage(seed: Seed, draw: random.Random) -> bytes:
        lines = seed.content.split(b"\n")
        change(lines, draw.randrange(len(lines)), draw)
        return b"\n".join(lines)

    return damage


def _drop(lines: list[bytes], place: int, draw: random.Random) -> None:
    del draw, lines[place]


def _repeat(lines: list[bytes], place: int, draw: random.Random) -> None:
    lines[place:place] = [lines[place]] * draw.choice((1, 3))


def _swap(lines: list[bytes], place: int, draw: random.Random) -> None:
    other = draw.randrange(len(lines))
    lines[place], lines[other] = lines[other], lines[place]


PIECES = (
    b"\0", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\x1b$B", b"\xed\xa0\x80", b"\xc3", b"\r", b"\r\n", b"\t", b" ",
    "\u2028".encode(), "\u202e".encode(), "\u0301".encode() * 40, b"\\ud800", b"\\u0000", b"NaN", b"-Infinity",
    b"9" * 30, b"-1", b"9" * 5000, b"[" * 3000, b'{"a":' * 3000, b'"', b"'", b"\\", b",", b"{}", b"[]", b"null",
    b"true", b"#", b"-DOCSTART-", b"x" * 100_000, b"\n" * 1000, b"T9\tX 0 99999999999999999999\tx\n",
    b"1e999", b"T1\tPER 8 0\t\n",
    b"B-", b"I-", b"O ", b"=cmd|' /C calc'!A0", b"PK\x03\x04", b"\x1f\x8b", b"%PDF", b"PAR1",
)  # fmt: skip
"""What is put into files."""


def _insert(seed: Seed, draw: random.Random) -> bytes:
    place, piece = draw.choice((0, draw.randrange(len(seed.content) + 1), len(seed.content))), draw.choice(PIECES)
    return seed.content[:place] + piece + seed.content[place:]


def _overwrite(seed: Seed, draw: random.Random) -> bytes:
    place, piece = draw.randrange(len(seed.content) + 1), draw.choice(PIECES)
    return seed.content[:place] + piece + seed.content[place + len(piece) :]


def _encoding(seed: Seed, draw: random.Random) -> bytes:
    name = draw.choice(
        ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "gb18030", "cp1252", "shift_jis", "utf-7", "cp500")
    )
    return seed.content.decode("utf-8", "replace").encode(name, "replace")


def _mixed(seed: Seed, draw: random.Random) -> bytes:
    """Return a file whose second half is in another encoding than the first."""
    half = len(seed.content) // 2
    return seed.content[:half] + _encoding(Seed(seed.task, seed.form, seed.file, seed.content[half:]), draw)


def _joined(seed: Seed, draw: random.Random) -> bytes:
    return seed.content + draw.choice(seeds()).content


def _packed(seed: Seed, draw: random.Random) -> bytes:
    """Return the file compressed under a name that does not say so, whole or cut."""
    data = draw.choice((gzip.compress, bz2.compress, lzma.compress))(seed.content)
    return data[: draw.choice((len(data), draw.randrange(len(data))))]


BYTEWISE: dict[str, Damage] = {
    "flipped bits": _flip, "cut": _cut, "a hole": _hole, "a piece twice": _twice, "a line dropped": _line(_drop),
    "a line repeated": _line(_repeat), "lines exchanged": _line(_swap), "a piece put in": _insert,
    "a piece overwritten": _overwrite, "another encoding": _encoding, "two encodings": _mixed,
    "two files in one": _joined, "compressed": _packed,
}  # fmt: skip

DEEP = json.loads("[" * 300 + "]" * 300)
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 7, 10**6, 10**12, -(10**12), 10**30, 0.5, -0.0, 1e308, float("nan"), float("inf"),
    "", " ", "x", "\0", "\ud800", "\u202eabc", "\n", "O", "B-", "1", "yes", "a" * 20_000, [], {}, [[]], [None], [0, 1],
    [0, 10**12], [10**12, 10**12 + 1], [-5, 3], ["x"], [0, 1, "X"], {"": 1}, {"text": 3}, {"text": "x"},
    {"start": 0, "end": 10**9, "label": "X"}, {"start": "0", "end": "1", "label": None}, {"id": [1]}, DEEP,
)  # fmt: skip
"""What stands in a record where something else belongs."""


def _nodes(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of everything below a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from _nodes(inner, (*path, key))


def _structural(change: Callable[[Any, Any, random.Random], None]) -> Damage:
    """Change one record at a random place, by its container and its key there."""

    def damage(seed: Seed, draw: random.Random) -> bytes:
        rows = json.loads(json.dumps(seed.rows))
        for _ in range(draw.choice((1, 1, 1, 2, 3))):
            paths = list(_nodes(rows))
            if not paths:
                break
            *above, key = draw.choice(paths)
            holder = rows
            for step in above:
                holder = holder[step]
            change(holder, key, draw)
        is_list = seed.file.endswith(".json")
        return json.dumps(rows).encode() if is_list else _lines(rows)

    return damage


def _copied(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _replace(holder: Any, key: Any, draw: random.Random) -> None:
    holder[key] = _copied(draw.choice(VALUES))


NUMBERS = (
    -1,
    0,
    1,
    3,
    5,
    21,
    22,
    23,
    48,
    49,
    50,
    10**4,
    10**9,
    10**12,
    10**30,
    -(10**9),
    0.5,
    1e300,
    float("nan"),
    True,
)


def _renumber(holder: Any, key: Any, draw: random.Random) -> None:
    """Change a number below or beside the place, else as ``_replace`` does."""
    inside = [(holder, key)] + [(holder[key], name) for (name, *more) in _nodes(holder[key]) if not more]
    numbers = [(one, name) for one, name in inside if isinstance(one[name], int | float)]
    one, name = draw.choice(numbers or [(holder, key)])
    one[name] = draw.choice(NUMBERS)


def _remove(holder: Any, key: Any, draw: random.Random) -> None:
    del draw, holder[key]


def _wrap(holder: Any, key: Any, draw: random.Random) -> None:
    holder[key] = draw.choice(([holder[key]], {"x": holder[key]}, str(holder[key])))


def _more(holder: Any, key: Any, draw: random.Random) -> None:
    if isinstance(holder, list):
        holder.insert(key, _copied(draw.choice((holder[key], *VALUES))))
    else:
        name = draw.choice(("id", "text", "label", "labels", "tokens", "tags", "spans", "entities", "language", key))
        holder[name] = _copied(draw.choice((holder[key], *VALUES)))


STRUCTURAL: dict[str, Damage] = {
    "another value": _structural(_replace), "another number": _structural(_renumber),
    "a value removed": _structural(_remove),
    "a value wrapped": _structural(_wrap), "a value more": _structural(_more),
}  # fmt: skip
