from ctxlab.config import catalogue


def test_comments_are_found_beside_and_above(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text(
        "# @package _global_\n# what it is for\n# ctxlab train x\n\n"
        "a: 1  # beside\n# above one\n# above two\nb: '#no'\n"
        "c:\n  # inside\n  d: [1,\n      2] # behind the list\ne: {f: 1}\ng: a#b\n"
    )
    assert catalogue.header(file) == ["what it is for", "ctxlab train x"]
    found = {key.name: (key.value, key.comment) for key in catalogue.keys(file)}
    assert found == {
        "a": ("1", "beside"),
        "b": ("'#no'", "above one above two"),
        "c": ("", ""),
        "c.d": ("[1, 2]", "behind the list"),
        "e": ("{f: 1}", ""),
        "g": ("a#b", ""),
    }


def test_groups_and_options():
    groups = catalogue.groups()
    assert {"task", "strategy", "strategy/reading", "context"} <= set(groups)
    assert not any(group.startswith("hydra") for group in groups)
    assert catalogue.options("context")[0] == "512"


def test_every_primary_config_of_a_stage_is_one():
    assert {"train", "eval", "predict", "verify"} <= set(catalogue.stages())
    assert not {"assemble", "__init__"} & set(catalogue.stages())


def test_an_option_after_self_replaces_the_keys_of_the_stage():
    """As in Hydra, where later entries of a defaults list win."""
    plain, chosen = catalogue.tree("sweep"), catalogue.tree("sweep", {"sweep": "context_length"})
    assert (plain["sweep.sampler"].value, chosen["sweep.sampler"].value) == ("tpe", "grid")
    assert chosen["sweep.smallest"].value == "context.length"
