import pytest

from harness.data.splits import load_splits


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache directory, as on another machine, and no splits kept in this process."""
    monkeypatch.setenv("DEPTHBENCH_CACHE", str(tmp_path / "cache"))
    load_splits.cache_clear()
    yield tmp_path / "cache"
    load_splits.cache_clear()
