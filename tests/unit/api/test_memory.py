from __future__ import annotations

import ctypes

import pytest

from api.memory import keep_freed_memory


class LibraryWithoutSetting:
    """As musl has it."""

    def __init__(self, name: str | None) -> None:
        self.name = name


def test_freed_memory_is_kept_where_the_c_library_can() -> None:
    assert keep_freed_memory() == hasattr(ctypes.CDLL(None), "mallopt")


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", LibraryWithoutSetting)
    assert keep_freed_memory() is False
