"""Some tests of the server need a trained run."""

from tests.stages.conftest import no_pictures, trained  # noqa: F401
