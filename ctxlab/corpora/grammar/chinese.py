"""A small Chinese grammar (``data.language=zh``): with the guarantees of the English ones, in a script without blanks.

A word is a character. Most of a document is prose without names; a few sentences about invented names, which no two
splits share, determine the gold, at controlled distances. There are fewer different sentences than in English: the
grammar tests that a pipeline processes Chinese correctly, rather than how good a model is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from ctxlab.core.types import BoolArray
from ctxlab.corpora.grammar.brief import Brief
from ctxlab.corpora.grammar.draw import SPLITS, Draw
from ctxlab.text.units import num_words, word_spans

FILLERS = (
    "早上的街道很安静。", "雨下了一整夜，院子里都是水。", "孩子们沿着河边往家走。",
    "老人坐在门口晒太阳。", "火车准时离开了车站。", "厨房里飘来饭菜的香味。",
    "风把窗户吹开了。", "邻居借走了一把梯子，到现在也没有还。", "市场上的人越来越多。",
    "山后面有一条小路。", "谁也没有再提起那件事。", "秋天的时候，树叶落满了台阶。",
    "船在傍晚靠了岸。", "灯一盏一盏地亮了起来。", "他们一边喝茶，一边看着远处的山。",
    "集市散了以后，广场又空了。", "那一年冬天来得很早。", "井水又凉又甜。",
)  # fmt: skip
SHORT = ("下雪。", "天亮。", "起风了。", "天黑了。", "鸟在叫。")
"""Sentences of two and three words, which can fill any gap of at least two words."""

THINGS = ("铜灯", "木箱", "银针", "旧伞", "铁锅", "竹笛", "皮鼓", "瓷碗", "棉被", "石印", "账本", "渔网")
PLACES = ("东门", "西桥", "南街", "北塔", "码头", "磨坊", "茶馆", "书院", "果园", "盐场")
FACTS: Sequence[tuple[Sequence[str], str, str]] = (
    (THINGS, "<x>手里只剩下<key>。", "<x>手里还剩下什么？"),
    (THINGS, "那一年<x>得到了<key>。", "那一年<x>得到了什么？"),
    (PLACES, "<x>一直住在<key>旁边。", "<x>住在哪里的旁边？"),
    (PLACES, "<x>每天都去<key>。", "<x>每天去哪里？"),
)
"""Keys, the fact, and the question; ``<x>`` is the name, ``<key>`` the answer."""

AGAIN: Mapping[Sequence[str], str] = {THINGS: "后来<x>又提起<key>。", PLACES: "后来人们在<key>看见<x>。"}
"""The second sentence of a pair, by its keys."""

VERDICTS: Mapping[str, Sequence[str]] = {
    "无罪": ("法院宣布<x>无罪。", "<x>当庭获释。"),
    "有罪": ("法院判决<x>有罪。", "<x>被押回了监狱。"),
    "延期": ("<x>的案子延期再审。", "法庭没有对<x>作出决定。"),
}
SUBJECT = "这份报告只关心<x>的案子。"

TYPES: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "PER": (("<x>先生今天没有来。", "记者采访了<x>女士。"), ("<x>是一位老师。", "<x>是村里的医生。")),
    "LOC": (("他们坐船去了<x>岛。", "<x>镇的桥修好了。"), ("<x>是河边的一个小镇。", "<x>是山里的一个村子。")),
    "ORG": (("<x>公司又招了新人。", "他在<x>银行上班。"), ("<x>是一家造纸公司。", "<x>是一家老银行。")),
}
"""Sentences in which a name is clear, and sentences that define it, by type."""
UNCLEAR = ("大家都在谈论<x>。", "报纸上又有了<x>的消息。", "没有人忘记<x>。")

_FIRST = "韩孟秦许曹严尹薛雷贺倪汤滕罗毕郝安常乐于"
_SECOND = "岚澄璟珂妍恺朔玥泓槿霖逸昕湛芷颢菀珩淳煦"
_ROOM = 16


def names(split: str) -> list[str]:
    """Return the invented names of a split; no name is in two splits."""
    every = ["".join(pair) for pair in product(_FIRST, _SECOND)]
    return every[SPLITS.index(split) :: len(SPLITS)]


@dataclass(frozen=True, slots=True)
class _Fixed:
    """A sentence with a name."""

    text: str
    mark: int
    """Index of its word from which distances are counted."""


class _Page:
    """A document of exactly ``length`` words: sentences at chosen words, and prose between them."""

    def __init__(self, draw: Draw, length: int) -> None:
        self._draw, self._length = draw, length
        self.placed: list[tuple[int, _Fixed]] = []

    def put(self, fixed: _Fixed, at: int | None = None) -> int | None:
        """Put a sentence with its mark as near to word ``at`` as fits (None: anywhere); returns where, if anywhere."""
        places = np.flatnonzero(self._fits(num_words(fixed.text)))
        if not len(places):
            return None
        start = self._draw.one(places.tolist()) if at is None else places[np.abs(places + fixed.mark - at).argmin()]
        self.placed.append((int(start), fixed))
        return int(start) + fixed.mark

    def put_pair(self, first: _Fixed, second: _Fixed, distance: int) -> int | None:
        """Put two sentences with marks ``distance`` words apart or a few more; returns the actual distance, or None."""
        one, other = (self._fits(num_words(fixed.text)) for fixed in (first, second))
        for apart in range(distance, distance + 2 * _ROOM):
            shift = apart + first.mark - second.mark
            gap = shift - num_words(first.text)
            if gap < 0 or gap == 1 or shift >= self._length:
                continue
            places = np.flatnonzero(one[: self._length - shift] & other[shift:])
            if len(places):
                start = int(self._draw.one(places.tolist()))
                self.placed += [(start, first), (start + shift, second)]
                return apart
        return None

    def _fits(self, size: int) -> BoolArray:
        """Return (length,) whether a sentence of ``size`` words can begin at each word.

        It must not overlap others, nor leave a gap of a single word, which no sentence fills.
        """
        start = np.arange(self._length)
        end = start + size
        fits: BoolArray = (start != 1) & (end <= self._length) & (end != self._length - 1)
        for at, fixed in self.placed:
            after = at + num_words(fixed.text)
            fits &= ((end <= at) & (end != at - 1)) | ((start >= after) & (start != after + 1))
        return fits

    def write(self) -> tuple[str, list[tuple[int, int]]]:
        """Return the text, and first and last character (not included) of each sentence in the order in which they were
        put."""
        pieces: list[str] = []
        starts: dict[int, int] = {}
        words = characters = 0
        for at, fixed in sorted(self.placed, key=lambda one: one[0]):
            prose = self._prose(at - words)
            starts[at] = characters + len(prose)
            pieces += [prose, fixed.text]
            characters += len(prose) + len(fixed.text)
            words = at + num_words(fixed.text)
        text = "".join([*pieces, self._prose(self._length - words)])
        return text, [(starts[at], starts[at] + len(fixed.text)) for at, fixed in self.placed]

    def _prose(self, room: int) -> str:
        """Draw sentences of exactly ``room`` words in total."""
        pieces: list[str] = []
        while room:
            choices = FILLERS if room >= _ROOM else SHORT
            one = self._draw.one([text for text in choices if room - num_words(text) not in (1, -1)])
            if num_words(one) <= room:
                pieces.append(one)
                room -= num_words(one)
        return "".join(pieces)


def _fixed(template: str, name: str, key: str = "") -> _Fixed:
    """Fill a template; the mark is the key, or the name where there is no key."""
    text = template.replace("<x>", name).replace("<key>", key)
    wanted = text.index(key or name)
    return _Fixed(text, next(i for i, (_, end) in enumerate(word_spans(text)) if end > wanted))


def _start(brief: Brief, index: int, *, needed: bool) -> tuple[Draw, _Page, list[str], list[int]]:
    draw = brief.draw(index)
    fitting = sorted(set(brief.fitting_distances(_ROOM, needed=needed)))
    return draw, _Page(draw, brief.words_per_document), draw.shuffled(names(brief.split)), fitting


def lm(brief: Brief, index: int) -> dict[str, Any]:
    """Return the fields ``text, probes``: keys are repeated at a distance after the sentence that introduces them."""
    draw, page, pool, distances = _start(brief, index, needed=bool(brief.ambiguous_share))
    found: list[tuple[str, int]] = []
    for number in range(min(round(brief.ambiguous_share * brief.words_per_document / (2 * _ROOM)), len(pool))):
        keys, template, _ = draw.one(FACTS)
        name, key = pool.pop(), draw.one(keys)
        first, second = _fixed(template, name, key), _fixed(AGAIN[keys], name, key)
        apart = page.put_pair(first, second, distances[number % len(distances)])
        found += [(key, apart)] if apart is not None else []
    text, spans = page.write()
    probes = [
        {"start": at, "end": at + len(key), "distance": apart}
        for (key, apart), (start, _) in zip(found, spans[1::2], strict=True)
        for at in [text.index(key, start)]
    ]
    return {"text": text, "probes": sorted(probes, key=lambda probe: int(probe["start"]))}


def classification(brief: Brief, index: int) -> dict[str, Any]:
    """Return the fields ``text, label, probes``: one verdict, or several and a sentence that selects one."""
    draw, page, pool, distances = _start(brief, index, needed=bool(brief.ambiguous_share))
    label = list(VERDICTS)[(index + brief.seed) % len(VERDICTS)]
    name, apart = pool.pop(), 0
    verdict = _fixed(draw.one(VERDICTS[label]), name)
    if draw.share() < brief.ambiguous_share:
        apart = page.put_pair(verdict, _fixed(SUBJECT, name), draw.one(distances)) or 0
        for other in VERDICTS:
            if other != label:
                page.put(_fixed(draw.one(VERDICTS[other]), pool.pop()))
    else:
        page.put(verdict)
    text, spans = page.write()
    evidence = spans[:2] if apart else spans[:1]
    return {"text": text, "label": label, "probes": [{"start": a, "end": b, "distance": apart} for a, b in evidence]}


def qa(brief: Brief, index: int) -> dict[str, Any]:
    """Return the fields ``context, questions, probes``: one fact per distance, and one unanswerable question."""
    draw, page, pool, distances = _start(brief, index, needed=True)
    asked: list[tuple[str, str, str, int]] = []
    for distance in distances:
        form = draw.below(len(FACTS))
        keys, template, question = FACTS[form]
        name, key = pool.pop(), draw.one(keys)
        at = page.put(_fixed(template, name, key), distance)
        asked += [(name, key, question, at)] if at is not None else []
    text, spans = page.write()
    questions: list[dict[str, Any]] = []
    probes: list[dict[str, Any]] = []
    for number, ((name, key, question, at), (start, _)) in enumerate(zip(asked, spans, strict=True), start=1):
        place = text.index(key, start)
        answers = [{"text": key, "answer_start": place}]
        questions.append({"id": str(number), "question": question.replace("<x>", name), "answers": answers})
        probes.append({"question": str(number), "start": place, "end": place + len(key), "distance": at})
    name, _, question_of_fact, _ = draw.one(asked)
    other = draw.one([question for _, _, question in FACTS if question != question_of_fact])
    questions.append({"id": str(len(questions) + 1), "question": other.replace("<x>", name), "answers": []})
    return {"context": text, "questions": questions, "probes": probes}


def summarization(brief: Brief, index: int) -> dict[str, Any]:
    """Return the fields ``document, summaries``: a query for each key sentence, and one summary of all."""
    draw, page, pool, distances = _start(brief, index, needed=True)
    facts: list[tuple[str, str, str, int]] = []
    for distance in distances:
        keys, template, _ = draw.one(FACTS)
        name, key = pool.pop(), draw.one(keys)
        fixed = _fixed(template, name, key)
        at = page.put(fixed, distance)
        facts += [(name, key, fixed.text, at)] if at is not None else []
    text, spans = page.write()
    summaries: list[dict[str, Any]] = []
    for (name, key, stated, at), place in zip(facts, spans, strict=True):
        probe = {"start": place[0], "end": place[1], "distance": at, "says": key}
        summaries.append({"query": f"关于{name}说了什么？", "summary": stated, "probes": [probe]})
    if len(summaries) > 1:
        stated = "".join(one["summary"] for one in summaries)
        summaries.append({"summary": stated, "probes": [probe for one in summaries for probe in one["probes"]]})
    return {"document": text, "summaries": summaries}


def ner(brief: Brief, index: int) -> dict[str, Any]:
    """Return the fields ``tokens, tags, probes``: one tag per character; another sentence determines some types."""
    draw, page, pool, distances = _start(brief, index, needed=bool(brief.ambiguous_share))
    named: list[tuple[str, str, int | None]] = []
    for number in range(min(max(brief.words_per_document // (4 * _ROOM), 1), len(pool))):
        kind, name = draw.one(list(TYPES)), pool.pop()
        clear, defining = TYPES[kind]
        if draw.share() < brief.ambiguous_share:
            pair = _fixed(draw.one(defining), name), _fixed(draw.one(UNCLEAR), name)
            apart = page.put_pair(*pair, distances[number % len(distances)])
            named += [(name, kind, None), (name, kind, apart)] if apart is not None else []
        elif page.put(_fixed(draw.one(clear), name)) is not None:
            named.append((name, kind, None))
    text, spans = page.write()
    tags, probes = ["O"] * len(text), []
    for (name, kind, distance), (start, _) in zip(named, spans, strict=True):
        at = text.index(name, start)
        tags[at : at + len(name)] = [f"B-{kind}", *[f"I-{kind}"] * (len(name) - 1)]
        probes += [{"start": at, "distance": distance}] if distance is not None else []
    return {"tokens": list(text), "tags": tags, "probes": sorted(probes, key=lambda probe: probe["start"])}


WRITERS: Mapping[str, Callable[[Brief, int], dict[str, Any]]] = {
    "classification": classification, "lm": lm, "mlm": lm, "ner": ner, "qa": qa, "summarization": summarization,
}  # fmt: skip
"""Task → its grammar."""
