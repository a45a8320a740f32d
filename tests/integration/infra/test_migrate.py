from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from infra.migrate import ChangedError, FailedError, migrate

pytestmark = pytest.mark.integration


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_create_box.sql").write_text("CREATE TABLE box (n int); INSERT INTO box VALUES (1);")
    (tmp_path / "0003_fill_box.sql").write_text("SELECT pg_sleep(0.2); INSERT INTO box VALUES (2);")
    return tmp_path


def boxes(conninfo: str) -> list[tuple[int]]:
    with psycopg.connect(conninfo) as connection:
        return connection.execute("SELECT n FROM box ORDER BY n").fetchall()


def test_each_file_is_applied_once_in_order(empty_database: str, folder: Path) -> None:
    assert migrate(empty_database, folder) == ["0001_create_box", "0003_fill_box"]
    assert migrate(empty_database, folder) == []
    assert boxes(empty_database) == [(1,), (2,)]


def test_two_at_once_apply_each_file_once(empty_database: str, folder: Path) -> None:
    with ThreadPoolExecutor(2) as two:
        applied = list(two.map(lambda _: migrate(empty_database, folder), range(2)))
    assert sorted(map(len, applied)) == [0, 2]
    assert boxes(empty_database) == [(1,), (2,)]


def test_failing_file_leaves_the_ones_before_it_and_nothing_of_itself(empty_database: str, folder: Path) -> None:
    (folder / "0004_break_box.sql").write_text("INSERT INTO box VALUES (3); SELECT 1/0;")
    with pytest.raises(FailedError, match="0004_break_box failed: division by zero") as caught:
        migrate(empty_database, folder)
    assert "\n" not in str(caught.value)
    assert boxes(empty_database) == [(1,), (2,)]
    (folder / "0004_break_box.sql").write_text("INSERT INTO box VALUES (3);")
    assert migrate(empty_database, folder) == ["0004_break_box"]


def test_edited_file_is_refused(empty_database: str, folder: Path) -> None:
    migrate(empty_database, folder)
    with (folder / "0001_create_box.sql").open("a") as file:
        file.write(" ")
    with pytest.raises(ChangedError, match="0001_create_box was changed"):
        migrate(empty_database, folder)


def test_removed_file_is_refused(empty_database: str, folder: Path) -> None:
    migrate(empty_database, folder)
    (folder / "0003_fill_box.sql").unlink()
    with pytest.raises(ChangedError, match="0003_fill_box, which this version does not know"):
        migrate(empty_database, folder)


def test_file_that_fills_a_gap_below_an_applied_one_is_refused(empty_database: str, folder: Path) -> None:
    migrate(empty_database, folder)
    (folder / "0002_come_late.sql").write_text("SELECT 1;")
    with pytest.raises(ChangedError, match="0002_come_late was added before 0003_fill_box"):
        migrate(empty_database, folder)


def test_the_schema_holds_on_each_set(database_on_each: str) -> None:
    assert migrate(database_on_each) == []
    with psycopg.connect(database_on_each, options="-c role=grenzregion_reader") as connection:
        assert connection.execute("SELECT count(*) FROM read.observation").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT count(*) FROM observation")
