"""Shared by the tests of training."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def token_cache(tmp_path_factory):
    """One cache of tokens for all runs, and none of the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CTXLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
