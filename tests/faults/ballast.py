"""A small disk below a directory (tmpfs), which can be filled to the last byte."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Self

_BLOCK = 65_536
ROOM = 60_000_000


class SmallDisk:
    """Moves a directory's content onto a tmpfs with `room` bytes to spare, mounted in its place; needs root."""

    def __init__(self, folder: Path, *, used: int, room: int = ROOM) -> None:
        self._folder = folder
        self._beside = folder.with_name(folder.name + ".beside")
        self._size = used + used // 4 + room
        self._ballast = folder / "ballast"
        self._mounted = False

    def fill(self) -> None:
        """Leave no room."""
        for block in (_BLOCK, 512):
            with suppress(OSError), self._ballast.open("ab", buffering=0) as file:
                while True:
                    file.write(b"\0" * block)

    def make_room(self) -> None:
        self._ballast.unlink(missing_ok=True)

    def move_out(self) -> None:
        """Put the content back where it was; nobody may use it meanwhile."""
        if self._mounted:
            self.make_room()
            self._copy(self._folder, self._beside)
            self._unmount()
            self._copy(self._beside, self._folder)
            shutil.rmtree(self._beside)

    def _unmount(self) -> None:
        subprocess.run(["umount", "-l", str(self._folder)], check=True)
        self._mounted = False

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        target.mkdir(exist_ok=True)
        subprocess.run(["cp", "-a", f"{source}/.", str(target)], check=True)

    def __enter__(self) -> Self:
        shutil.rmtree(self._beside, ignore_errors=True)
        status = self._folder.stat()
        self._copy(self._folder, self._beside)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self._size}", "tmpfs", str(self._folder)], check=True)
        self._mounted = True
        shutil.chown(self._folder, status.st_uid, status.st_gid)
        self._folder.chmod(status.st_mode & 0o777)
        self._copy(self._beside, self._folder)
        shutil.rmtree(self._beside)
        return self

    def __exit__(self, *_: object) -> None:
        if self._mounted:
            self._unmount()
        shutil.rmtree(self._beside, ignore_errors=True)
