"""The notebooks run from the first cell to the last, as their readers run them."""

from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "docs" / "notebooks").glob("*.ipynb"))


def test_there_is_a_notebook_and_it_holds_no_outputs():
    """Stored outputs would be figures and paths of one machine."""
    import nbformat

    assert NOTEBOOKS
    for path in NOTEBOOKS:
        book = nbformat.read(path, as_version=4)
        nbformat.validate(book)
        assert all(not cell.outputs and cell.execution_count is None for cell in book.cells if cell.cell_type == "code")


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    book = nbformat.read(path, as_version=4)
    NotebookClient(book, timeout=900, resources={"metadata": {"path": str(tmp_path)}}).execute()
    said = "".join(part.get("text", "") for cell in book.cells for part in cell.get("outputs", ()))
    scores = [line for line in said.splitlines() if "strict F1" in line]
    assert [line.split()[0] for line in scores] == ["truncate", "chunk"]
    assert "tokens read 100%" in scores[1]
    assert "tokens read 100%" not in scores[0]
