"""Sentences with names of persons, organisations, places and vessels.

Templates are those of ``prose``; in addition ``<PER>`` is a mention that shows its type (a form of ``FORMS``),
``<per>`` a bare name whose sentence shows its type, and ``<x>`` a bare name whose sentence does not.
In a form, ``[`` and ``]`` enclose the entity, and ``1`` and ``2`` are the names of the member.
"""

from collections.abc import Mapping, Sequence

TYPES = ("LOC", "ORG", "PER", "VES")

FORMS: Mapping[str, Sequence[str]] = {
    "PER": (
        "[ 1 2 ]",
        "[ 1 2 ]",
        "Mr. [ 2 ]",
        "Mrs. [ 2 ]",
        "Captain [ 2 ]",
        "Captain [ 1 2 ]",
        "Doctor [ 2 ]",
        "Miss [ 1 2 ]",
        "old [ 1 2 ]",
        "Judge [ 2 ]",
        "[ 1 2 ] the younger",
        "Aunt [ 1 ]",
    ),
    "ORG": (
        "the [ 1 Trading Company ]",
        "the [ 1 Society ]",
        "the [ Bank of 1 ]",
        "[ 1 and Sons ]",
        "the [ 1 Insurance Company ]",
        "[ 1 Brothers ]",
        "the [ Royal 1 Institute ]",
        "the law firm [ 1 and 2 ]",
        "the [ 1 Railway ]",
        "the newspaper [ 1 ]",
    ),
    "LOC": (
        "[ Port 1 ]",
        "[ 1 Bay ]",
        "[ Mount 1 ]",
        "the village of [ 1 ]",
        "the river [ 1 ]",
        "the town of [ 1 ]",
        "the island of [ 1 ]",
        "[ Cape 1 ]",
        "[ New 1 ]",
        "[ 1 Valley ]",
    ),
    "VES": (
        "the brig [ 1 ]",
        "the schooner [ 1 ]",
        "the steamer [ 1 ]",
        "the barque [ 1 2 ]",
        "the ship [ 1 ]",
        "the brig [ Lady 1 ]",
        "the frigate [ 1 ]",
        "the tug [ Star of 1 ]",
        "the whaler [ 1 ]",
    ),
}

CLEAR: Mapping[str, Sequence[str]] = {
    "PER": (
        "<PER> <did> <where> .",
        "<when> <PER> <did_it> the <thing> .",
        "the <person> knew <PER> and <PER> by sight .",
        '" I <did_it> it , " <said> <PER> .',
        "<PER> was <felt> <when> .",
        "a letter for <PER> lay <where> .",
        "<PER> married the <person> 's daughter <when> .",
    ),
    "ORG": (
        "<ORG> hired <number> <people> <when> .",
        "<when> <ORG> closed its <place> .",
        "<PER> worked for <ORG> as a <person> .",
        "<ORG> sold <stuff> and <stuff> .",
        "shares of <ORG> fell <when> .",
        "the <person> owed money to <ORG> .",
    ),
    "LOC": (
        "<when> they reached <LOC> .",
        "<PER> was born near <LOC> .",
        "the road to <LOC> was <adj> .",
        "<LOC> had one <place> and <number> <people> .",
        "the <vehicle> goes to <LOC> <when> .",
        "from <LOC> to <LOC> it is <number> miles .",
    ),
    "VES": (
        "<VES> sailed <when> .",
        "<VES> lay off <LOC> with a broken mast .",
        "<PER> commanded <VES> .",
        "they loaded <stuff> aboard <VES> .",
        "the crew of <VES> <did> <where> .",
        "<VES> belonged to <ORG> .",
    ),
}
"""Sentences whose mentions show their type."""

BARE: Mapping[str, Sequence[str]] = {
    "PER": (
        '" I <did_it> the <thing> , " <said> <per> .',
        "<per> shook his head and <did> .",
        "<per> took off her coat .",
        "the <person> shook hands with <per> .",
        "<per> and his brother <did> .",
        "<when> <per> put on his hat .",
    ),
    "ORG": (
        "the directors of <org> met <when> .",
        "<org> raised its prices <when> .",
        "a lawyer for <org> <did> .",
        "the shareholders of <org> were <felt> .",
        "<PER> resigned from the board of <org> .",
    ),
    "LOC": (
        "the streets of <loc> were <adj> and <adj> .",
        "the <people> of <loc> paid no taxes .",
        "it rained in <loc> <when> .",
        "the mayor of <loc> <did> .",
        "north of <loc> the road is <adj> .",
    ),
    "VES": (
        "the crew of the <ves> <did> .",
        "they went aboard the <ves> <when> .",
        "the <ves> lost her anchor <when> .",
        "the hull of the <ves> was <adj> .",
        "the <ves> dropped anchor <when> .",
    ),
}
"""Sentences with a bare name that show its type."""

AMBIGUOUS: Sequence[str] = (
    "they spoke of <x> .",
    "<x> was mentioned twice .",
    "nobody had forgotten <x> .",
    "the letter was about <x> .",
    "<when> they spoke of <x> .",
    "<pron> had heard of <x> .",
    "everyone asked about <x> .",
    "<x> was in the newspapers again .",
    "the talk turned to <x> .",
    "a book about <x> lay <where> .",
    "<x> meant nothing to the <person> .",
    "<pron> dreamed of <x> <when> .",
    "there were many stories about <x> .",
    "the <person> did not care for <x> .",
    "<pron> remembered <x> <adv> .",
    "<x> was all that <pron> thought of .",
    "the <people> argued about <x> .",
    "<pron> wrote a song about <x> .",
    '" What of <x> ? " <said> the <person> .',
    "<x> came up <when> .",
    "without <x> nothing would change .",
    "<pron> would rather not talk about <x> .",
    "then there was <x> .",
    "<x> , they said , was lucky .",
)
"""Sentences that fit every type."""

DEFINING: Sequence[str] = (
    "<x> is <type> .",
    "<x> was <type> .",
    "<x> is only <type> .",
    "in truth <x> is <type> .",
    "as it happens , <x> is <type> .",
    "<x> , of course , is <type> .",
    "everyone knows that <x> is <type> .",
    "<x> has always been <type> .",
)
"""Sentences that state the type of a name; ``<type>`` draws from ``KINDS``."""

KINDS: Mapping[str, Sequence[str]] = {
    "PER": (
        "a retired schoolmaster",
        "a young painter",
        "a ship 's carpenter",
        "the baker 's wife",
        "a lawyer",
        "a poet",
        "a country doctor",
        "a sailor",
        "an old widow",
        "a violin teacher",
        "a blind beggar",
        "the judge 's brother",
        "a nurse",
        "a farmer",
    ),
    "ORG": (
        "a shipping company",
        "an insurance firm",
        "a bank",
        "a trading company",
        "a society of printers",
        "a political party",
        "a railway company",
        "a publishing house",
        "a firm of lawyers",
        "a trade union",
        "a brewing company",
        "a charity",
        "a football club",
        "a company of actors",
    ),
    "LOC": (
        "a harbour town",
        "a market village",
        "an island",
        "a mountain valley",
        "a river",
        "a small town",
        "a fishing village",
        "a province",
        "a lake",
        "a city in the north",
        "a desert",
        "a hill",
        "a bay on the west coast",
        "a country",
    ),
    "VES": (
        "a three-masted schooner",
        "a brig",
        "a whaling ship",
        "an old steamer",
        "a frigate",
        "a fishing boat",
        "a ferry",
        "a tug",
        "a merchant ship",
        "a barque",
        "a river barge",
        "a lifeboat",
        "a paddle steamer",
        "a yacht",
    ),
}
