"""Where a running platform is, told to the commands beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from grenzregion import platform
from grenzregion.platform import NotRunningError
from infra.servers.set import Account, Places

PLACES = Places(
    database_url="postgresql://x", kafka="127.0.0.1:1", mqtt_host="127.0.0.1", mqtt_port=2, mqtt_legacy_port=2,
    mqtt_accounts="given", mqtt_admin=Account(user="a", password="b"),
)  # fmt: skip


def test_places_are_remembered_in_a_new_data_directory_for_its_owner_alone(tmp_path: Path) -> None:
    platform.remember(tmp_path / "new", PLACES)
    assert platform.recall(tmp_path / "new") == PLACES
    assert (tmp_path / "new" / platform.FILE).stat().st_mode & 0o777 == 0o600


def test_a_platform_that_has_ended_is_told(tmp_path: Path) -> None:
    platform.remember(tmp_path, PLACES)
    platform.forget(tmp_path)
    with pytest.raises(NotRunningError, match="start it with"):
        platform.recall(tmp_path)
