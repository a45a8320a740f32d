from __future__ import annotations

from pathlib import Path

import pytest

from infra.migrate import BadNumberError, read_migrations


def write(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_text("SELECT 1;")
    return folder


def test_the_projects_own_migrations_are_in_order() -> None:
    numbers = [migration.number for migration in read_migrations()]
    assert numbers == sorted(numbers)
    assert numbers[0] == 1


def test_order_is_that_of_the_numbers(tmp_path: Path) -> None:
    write(tmp_path, "0010_add_b.sql", "0002_add_a.sql", "0001_create_a.sql")
    assert [migration.number for migration in read_migrations(tmp_path)] == [1, 2, 10]


def test_duplicate_number_is_refused_and_both_are_named(tmp_path: Path) -> None:
    write(tmp_path, "0001_create_a.sql", "0001_create_b.sql")
    with pytest.raises(BadNumberError, match="0001_create_a and 0001_create_b have the same number"):
        read_migrations(tmp_path)


@pytest.mark.parametrize("name", ["1_create_a.sql", "0001.sql", "0001_create.sql", "0001-create-a.sql", "00001_create_a.sql"])
def test_name_of_another_form_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path, name)
    with pytest.raises(BadNumberError, match="NNNN_verb_noun"):
        read_migrations(tmp_path)
