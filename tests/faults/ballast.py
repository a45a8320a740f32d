"""A small disk mounted at a directory (tmpfs), which can be filled to the last byte."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Self

_BLOCKS = (1_048_576, 4_096, 64)


class SmallDisk:
    """Mounts a disk of `size` bytes at an empty directory; needs root. What is on it goes with it."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder = folder
        self._size = size
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Leave no room."""
        for block in _BLOCKS:
            with suppress(OSError), self._ballast.open("ab", buffering=0) as file:
                while True:
                    file.write(b"\0" * block)

    def make_room(self) -> None:
        self._ballast.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self._size}", "tmpfs", str(self._folder)], check=True)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", "-l", str(self._folder)], check=True)
