"""Filler sentences without names, among which a corpus hides its evidence.

A template is words separated by blanks; ``<kind>`` draws from the list of that kind, whose entries may be templates.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from ctxlab.corpora.grammar.draw import Draw

ROOM_FOR_SENTENCE = 24
"""Maximum number of words of a sentence, except those of ``exactly``."""


def _listed(text: str) -> Sequence[str]:
    return text.split("|")


LISTS: Mapping[str, Sequence[str]] = {
    "person": _listed(
        "captain|doctor|old man|widow|schoolmaster|sailor|boy|girl|clerk|merchant|cook|stranger|neighbour|priest|"
        "lawyer|carpenter|nurse|soldier|painter|farmer|miller|baker|servant|pilot|innkeeper|fisherman|governor|"
        "judge|passenger|engineer|printer|actress|banker|shepherd|tailor|watchman|young woman|bishop|tutor|smith"
    ),
    "people": _listed(
        "sailors|neighbours|children|clerks|farmers|soldiers|passengers|servants|men|women|strangers|guests|"
        "fishermen|merchants|officers|labourers|students|travellers|musicians|judges"
    ),
    "thing": _listed(
        "letter|lamp|chair|ledger|coat|table|window|door|clock|boat|rope|barrel|basket|map|bottle|candle|book|"
        "chest|key|bell|wagon|stove|mirror|pipe|net|anchor|hammer|newspaper|photograph|umbrella|kettle|purse|"
        "ladder|compass|saddle|mast|shutter|ring|piano|lantern"
    ),
    "stuff": _listed(
        "bread|rope|salt|timber|paper|cotton|coffee|tar|wool|iron|flour|glass|tea|copper|candles|canvas|cheese|"
        "brandy|coal|leather|apples|sugar|oil|linen|nails"
    ),
    "place": _listed(
        "harbour|market|garden|kitchen|church|station|bridge|inn|warehouse|library|yard|quay|hospital|school|"
        "lighthouse|mill|theatre|office|stable|cellar|field|orchard|square|barn|chapel|hall|customs house|tower|"
        "workshop|post office"
    ),
    "vehicle": _listed("ship|brig|steamer|boat|schooner|ferry|barge|tug|carriage|train|cart|sledge"),
    "body": _listed("company|bank|society|firm|committee|council|club|court|union|board"),
    "adj": _listed(
        "old|cold|grey|small|heavy|quiet|broken|narrow|bright|dusty|empty|wet|long|strange|plain|dark|warm|rusty|"
        "gentle|foreign|familiar|clumsy|painted|hollow|honest|crooked|silent|worn|careful|sudden|bitter|cheerful|"
        "faint|ragged|proud|steep|thin|green|yellow|weary"
    ),
    "adv": _listed(
        "slowly|quietly|at once|again|twice|carefully|without a word|in haste|for a while|badly|together|softly|"
        "never|often|at last|by chance|before long|as usual|on purpose|in vain|aloud|gladly|all day|in silence"
    ),
    "did": _listed(
        "waited|laughed|slept|nodded|shivered|wept|smiled|coughed|hesitated|listened|sang|argued|trembled|yawned|"
        "agreed|vanished|stumbled|hurried away|came back|sat down|went home|turned round|fell asleep|looked up"
    ),
    "did_it": _listed(
        "opened|carried|mended|forgot|dropped|found|sold|hid|painted|wanted|examined|lost|bought|moved|broke|"
        "watched|borrowed|described|cleaned|noticed|burned|kept|pushed aside|picked up"
    ),
    "felt": _listed(
        "tired|hungry|angry|certain|ashamed|pleased|afraid|lonely|grateful|ill|restless|alone|relieved|curious"
    ),
    "when": _listed(
        "in the morning|at noon|that evening|after supper|on Monday|on Thursday|last winter|in January|in October|"
        "at Christmas|before dawn|all that summer|a week later|every Sunday|towards midnight|the next day|"
        "years ago|that spring|for three days|on the first of May|at daybreak|during Lent"
    ),
    "where": _listed(
        "in the <place>|behind the <place>|near the <place>|at the <place>|by the old <place>|under the stairs|"
        "on the road|across the bay|up the hill|down by the water|upstairs|in the rain|on deck|beyond the <place>|"
        "along the shore|inside the <place>"
    ),
    "weather": _listed(
        "It rained|The wind rose|Fog came in|The snow lay deep|The sun went down|Nothing stirred|The tide turned|"
        "Thunder rolled far off|The night was still|A bell rang"
    ),
    "number": _listed("two|three|four|seven|nine|a dozen|twenty|forty|a hundred|eleven|six"),
    "pron": _listed("he|she|they|nobody|everyone|someone|I|we"),
    "poss": _listed("his|her|their|my|our"),
    "said": _listed("said|asked|cried|muttered|answered|repeated|whispered"),
}

FILLERS: Sequence[str] = (
    "the <person> <did> <where> .",
    "the <adj> <person> <did_it> the <thing> and <did> <adv> .",
    "<when> the <people> <did> <where> .",
    "<when> , <pron> <did_it> the <adj> <thing> <where> .",
    "<weather> , and the <people> <did> .",
    "<weather> <when> .",
    "there was a <adj> <thing> <where> , beside a <adj> <thing> .",
    "<pron> <did_it> <number> barrels of <stuff> and <number> sacks of <stuff> .",
    "the price of <stuff> fell <when> , and that of <stuff> rose .",
    '" I <did_it> the <thing> , " <said> the <person> .',
    '" Where is the <thing> ? " <said> the <adj> <person> <adv> .',
    '" The <vehicle> leaves <when> , " <pron> <said> .',
    '" God help us , " <said> the <person> .',
    "no <vehicle> was to be seen <where> .",
    "a <vehicle> came <adv> , and its <person> <did> .",
    "the <body> met <when> , but the <person> <did> .",
    "the <body> wanted <number> <people> for its <place> .",
    "<pron> felt <felt> , as one does <when> .",
    "<pron> was <felt> and <felt> <when> .",
    "the <thing> was <adj> , the <thing> was <adj> , and the <place> was <adj> .",
    "if the <person> <did> , the <people> <did> too .",
    "although <pron> <did> , the <person> never <did_it> the <thing> .",
    "when the <person> <did_it> <poss> <thing> , <pron> <did> .",
    "<number> <people> stood <where> and <did> <adv> .",
    "<poss> <thing> was older than <poss> <thing> .",
    "the road to the <place> was <adj> and <adj> .",
    "a smell of <stuff> and <stuff> hung <where> .",
    "<pron> had been a <person> once , and then a <person> .",
    "one <person> <did> ; another <did_it> the <thing> .",
    "what the <person> <did_it> <when> is not known .",
    "the <adj> <vehicle> lay <where> with its <thing> gone .",
    "nothing in the <place> was as <adj> as the <thing> .",
    "so it went on <when> , and <pron> <did> .",
    "Latin was taught <where> , and <number> boys <did> .",
    "the town had <number> <people> and one <place> .",
    "<pron> counted the <people> : there were <number> .",
)

_SHORT = {
    2: ("Silence .", "Nothing .", "Rain .", "Morning came ."),
    3: ("<pron> waited .", "<pron> laughed .", "it rained ."),
    4: ("<pron> waited again .", "<pron> said nothing .", "the lamp burned ."),
}


def fill(template: str, draw: Draw) -> list[str]:
    """Return the words of a template with its kinds drawn, before capitalisation."""
    words: list[str] = []
    for part in template.split(" "):
        if part[0] == "<" and part[1:-1] in LISTS:
            words += fill(draw.one(LISTS[part[1:-1]]), draw)
        else:
            words.append(part)
    return words


def sentence(words: Sequence[str]) -> list[str]:
    """Return the words with "an" before vowels, and a capital first letter (after an opening quotation mark)."""
    written = ["an" if word == "a" and _has_vowel(after) else word for word, after in pairwise([*words, ""])]
    first = 1 if written[0] == '"' else 0
    written[first] = written[first][0].upper() + written[first][1:]
    return written


def _has_vowel(word: str) -> bool:
    return word.startswith(("a", "e", "i", "o", "umbrella", "honest"))


def exactly(length: int, draw: Draw) -> list[str]:
    """Return a sentence of exactly ``length`` words, full stop included; ``length`` is at least 2."""
    if length in _SHORT:
        fitting = [words for text in _SHORT[length] if len(words := fill(text, draw)) == length]
        return sentence(draw.one(fitting))
    tail = length - 3
    items = [[draw.one(LISTS["stuff"])] for _ in range((tail + 1) // 2)]
    if tail % 2 == 0:
        items[draw.below(len(items))].insert(0, draw.one(LISTS["adj"]))
    words = [draw.one(LISTS["pron"]), draw.one(("saw", "sold", "bought", "wanted", "counted"))]
    for index, item in enumerate(items):
        if index:
            words.append("and" if index == len(items) - 1 else ",")
        words += item
    return sentence([*words, "."])
