"""Real runs here keep no tokens of the user's, and are refused as elsewhere."""

from tests.stages.conftest import refused, token_cache  # noqa: F401
