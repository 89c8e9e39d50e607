"""``ctxlab eval perturb=``: the same run on a split as it is and perturbed."""

import json

import pytest

from ctxlab.cli import main
from tests.stages.conftest import result


def test_both_are_scored_and_their_differences_are_reported(trained, tmp_path, capsys):
    folder = tmp_path / "e"
    command = ["eval", f"run={trained}", "perturb=typos", "perturb.dose=0.8", f"hydra.run.dir={folder}"]
    assert main(command) == 0
    screen, found = capsys.readouterr().out, result(folder)
    assert found["metrics"]["validation"] == result(trained)["metrics"]["validation"]
    assert set(found["metrics"]) == {"validation", "validation_perturbed"}
    table = {row["figure"]: row for row in found["breakdowns"]["validation_perturbed"]["perturbation"]}
    assert set(table) == set(found["metrics"]["validation"])
    assert "Perturbed documents against the same as they are" in screen
    assert "Perturbed documents against the same as they are" in (folder / "report.md").read_text()
    for name, row in table.items():
        assert row["as it is"] == pytest.approx(found["metrics"]["validation"][name])
        assert row["perturbed"] == pytest.approx(found["metrics"]["validation_perturbed"][name])
        assert row["difference"] == pytest.approx(row["perturbed"] - row["as it is"])
    before, after = (
        [json.loads(line) for line in (folder / "predictions" / f"{name}.jsonl").read_text().splitlines()]
        for name in ("validation", "validation_perturbed")
    )
    assert [one["id"] for one in before] == [one["id"] for one in after]
    assert all(one["tokens"] != other["tokens"] for one, other in zip(before, after, strict=True))


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("perturb=typos", "perturb.dose=0"), "perturb: dose=0 is out of range"),
        (("perturb=typos", "perturb.share=0"), "perturb.share=0 perturbs no document"),
        (("perturb=distractors", "perturb.dose=2"), "perturb.dose=2 is out of range"),
        (("perturb=typo",), "typos"),
        (("perturb=synonyms", "perturb.thesaurus=none.dat"), "perturb.thesaurus=none.dat"),
    ],
)
def test_a_careless_user_reads_one_sentence(trained, tmp_path, refused, options, said):
    assert said in refused(["eval", f"run={trained}", *options, f"hydra.run.dir={tmp_path / 'e'}"])
    assert not (tmp_path / "e").exists()
