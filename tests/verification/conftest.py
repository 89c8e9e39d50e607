"""Real runs here too: the fixtures of the stages' tests."""

from tests.stages.conftest import no_pictures, refused, token_cache, trained  # noqa: F401
