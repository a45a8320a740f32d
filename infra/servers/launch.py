"""Become a server: the last steps between fork and exec, in the one order that works.

    python launch.py '{"argv": […], "death_signal": 2, "parent": 4711, "uid": 65534, "gid": 65534,
                       "root": DIR, "binds": [[FROM, TO], …]}'

A program of its own, standard library only, because the steps can't be taken in a process that has threads: a private mount
namespace with its bind mounts (gone with the last process in it), chroot, then the unprivileged uid, and only then the parent-death
signal, which Linux forgets when the uid changes.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from typing import Any

_PR_SET_PDEATHSIG = 1
_CLONE_NEWNS = 0x0002_0000
_MS_REC, _MS_BIND, _MS_PRIVATE = 0x4000, 0x1000, 0x4_0000


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        sys.exit(f"{what}: {os.strerror(number)}")


def _enter_root(libc: ctypes.CDLL, root: str, binds: list[list[str]]) -> None:
    _check(libc.unshare(_CLONE_NEWNS), "a private mount namespace")
    _check(libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None), "making mounts private")
    for source, target in binds:
        inside = root + target
        _check(libc.mount(source.encode(), inside.encode(), None, _MS_BIND | _MS_REC, None), f"showing {source} as {target}")
    os.chroot(root)
    os.chdir("/")


def launch(order: dict[str, Any]) -> None:
    """Carry the order out; returns only by an error."""
    libc = ctypes.CDLL(None, use_errno=True)
    if root := order.get("root"):
        _enter_root(libc, root, order.get("binds", []))
    if uid := order.get("uid"):
        os.setgroups([])
        os.setgid(order["gid"])
        os.setuid(uid)
    if sys.platform == "linux":
        _check(libc.prctl(_PR_SET_PDEATHSIG, order["death_signal"], 0, 0, 0), "the parent-death signal")
        if os.getppid() != order["parent"]:
            sys.exit("the process that started this server has ended")
    argv = order["argv"]
    try:
        os.execv(argv[0], argv)  # noqa: S606 - to become the server is the purpose
    except OSError as error:
        sys.exit(f"{argv[0]}: {error.strerror}")


if __name__ == "__main__":
    launch(json.loads(sys.argv[1]))
