"""Publishing, against a small fake of Grafana's HTTP API (conftest): no Grafana server is in any package registry."""

from __future__ import annotations

import socket

import pytest

from grafana.catalogue import rendered
from grafana.panels import DATASOURCE_UID
from grafana.publish import ConflictError, Database, NotAllowedError, PublishError, RefusedError, UnreachableError, publish
from tests.unit.grafana.conftest import TOKEN, State

DATABASE = Database(host="postgres", port=5432, name="grenzregion", user="grenzregion_grafana", password="p", sslmode="disable")
UIDS = tuple(board.uid for board in rendered())


def test_the_first_publish_creates_folder_data_source_and_dashboards(fake_grafana: State) -> None:
    result = publish(fake_grafana.url, token=TOKEN, database=DATABASE)
    assert (result.dashboards, result.unchanged) == (UIDS, ())
    assert fake_grafana.folders["grenzregion"]["title"] == "Smarte Grenzregion"
    source = fake_grafana.datasources[DATASOURCE_UID]
    assert (source["url"], source["user"], source["secureJsonData"]) == ("postgres:5432", "grenzregion_grafana", {"password": "p"})
    assert source["jsonData"]["database"] == "grenzregion"
    assert {known["meta"]["folderUid"] for known in fake_grafana.dashboards.values()} == {"grenzregion"}


def test_publishing_again_leaves_unchanged_boards_alone(fake_grafana: State) -> None:
    publish(fake_grafana.url, token=TOKEN)
    fake_grafana.calls.clear()
    result = publish(fake_grafana.url, token=TOKEN)
    assert (result.dashboards, result.unchanged) == ((), UIDS)
    assert fake_grafana.writes() == []


def test_a_changed_board_is_updated_in_place(fake_grafana: State) -> None:
    publish(fake_grafana.url, token=TOKEN)
    fake_grafana.dashboards[UIDS[0]]["dashboard"]["title"] = "changed by hand"
    number = fake_grafana.dashboards[UIDS[0]]["dashboard"]["id"]
    result = publish(fake_grafana.url, token=TOKEN)
    saved = fake_grafana.dashboards[UIDS[0]]["dashboard"]
    assert result.dashboards == UIDS[:1]
    assert (saved["title"], saved["id"], saved["version"]) == (rendered()[0].model["title"], number, 2)


def test_an_existing_data_source_is_updated_and_a_renamed_folder_gets_its_title_back(fake_grafana: State) -> None:
    publish(fake_grafana.url, token=TOKEN, database=DATABASE)
    fake_grafana.folders["grenzregion"]["title"] = "Old"
    publish(fake_grafana.url, token=TOKEN, database=Database.of("postgresql://g:new@db:5433/other"))
    assert fake_grafana.folders["grenzregion"]["title"] == "Smarte Grenzregion"
    assert fake_grafana.datasources[DATASOURCE_UID]["url"] == "db:5433"


def test_user_and_password_do_as_well_as_a_token(fake_grafana: State) -> None:
    assert publish(fake_grafana.url + "/", user="admin", password="secret").dashboards == UIDS


def test_without_overwrite_a_version_saved_in_grafana_is_a_conflict(fake_grafana: State) -> None:
    publish(fake_grafana.url, token=TOKEN)
    fake_grafana.dashboards[UIDS[0]]["dashboard"]["title"] = "changed by hand"
    with pytest.raises(ConflictError, match=r"newer version, publish with --overwrite.*\(412\): The dashboard has been changed"):
        publish(fake_grafana.url, token=TOKEN, overwrite=False)
    assert fake_grafana.dashboards[UIDS[0]]["dashboard"]["title"] == "changed by hand"


def test_a_wrong_token_is_said_in_one_line(fake_grafana: State) -> None:
    with pytest.raises(NotAllowedError, match=r"does not accept this token or password \(401\)$") as caught:
        publish(fake_grafana.url, token="wrong")
    assert "\n" not in str(caught.value)
    assert "wrong" not in str(caught.value)


def test_a_missing_permission_is_named(fake_grafana: State) -> None:
    fake_grafana.forbid_writing = True
    with pytest.raises(NotAllowedError, match=r"\(403\): You'll need additional permissions: folders:create"):
        publish(fake_grafana.url, token=TOKEN)


def test_a_failing_grafana_is_not_mistaken_for_an_absent_board(fake_grafana: State) -> None:
    fake_grafana.broken = True
    with pytest.raises(RefusedError, match=r"refused \(500\)"):
        publish(fake_grafana.url, token=TOKEN)


def test_nobody_at_the_address_is_said_in_one_line_without_the_password() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UnreachableError) as caught:
        publish(f"http://me:hush@127.0.0.1:{port}", token=TOKEN)
    assert str(caught.value) == f"no Grafana answers at http://127.0.0.1:{port}"


@pytest.mark.parametrize("url", ["127.0.0.1:3000", "ftp://x", "http://", "http://x:port"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(PublishError, match="is no address"):
        publish(url, token=TOKEN)


def test_publishing_needs_credentials() -> None:
    with pytest.raises(PublishError, match="token, or user and password"):
        publish("http://127.0.0.1:1", user="admin")


@pytest.mark.parametrize(
    ("conninfo", "problem"),
    [
        ("postgresql://db/x", "lacks user, password"),
        ("host=db", "lacks dbname, user, password"),
        ("what", "is no connection string"),
    ],
)
def test_an_incomplete_database_address_is_refused(conninfo: str, problem: str) -> None:
    with pytest.raises(PublishError, match=problem):
        Database.of(conninfo)


@pytest.mark.parametrize(
    ("given", "shown"), [("", "disable"), ("?sslmode=prefer", "disable"), ("?sslmode=verify-full", "verify-full")]
)
def test_the_ssl_mode_is_one_that_grafana_knows(given: str, shown: str) -> None:
    assert Database.of(f"postgresql://u:p@db/x{given}").sslmode == shown
