"""Real runs, with the fixtures of the stages' tests."""

from tests.stages.conftest import no_pictures, refused, trained  # noqa: F401
