"""Some tests of the server need a trained run."""

from tests.stages.conftest import trained  # noqa: F401
