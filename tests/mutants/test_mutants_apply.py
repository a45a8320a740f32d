"""Each mutant can be planted in the tree as it is, and names tests that exist. Whether they notice it, `make mutants` says."""

from __future__ import annotations

from pathlib import Path

import pytest
from mutations import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_applies_and_its_tests_exist(mutant: Mutant, tmp_path: Path) -> None:
    for file in mutant.files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes((ROOT / file).read_bytes())
    mutant.apply(tmp_path)
    assert any((tmp_path / file).read_bytes() != (ROOT / file).read_bytes() for file in mutant.files)
    for test in mutant.tests:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text()


def test_mutants_have_names_of_their_own() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
