from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.datastructures import Headers

from api.access import Guard, NoTokenError, OpenToTheWorldError, check_auth, ensure_token, is_loopback
from api.errors import UnauthorizedError


def bearer(token: str) -> Headers:
    return Headers({"authorization": f"Bearer {token}"})


def test_the_token_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    token, is_new = ensure_token(tmp_path / "var")
    assert is_new
    assert len(token) >= 40
    assert ensure_token(tmp_path / "var") == (token, False)
    assert stat.S_IMODE((tmp_path / "var" / "token").stat().st_mode) == 0o600
    assert [p.name for p in (tmp_path / "var").iterdir()] == ["token"]


def test_those_who_start_together_get_the_same_token(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        tokens = {pool.submit(ensure_token, tmp_path).result()[0] for _ in range(16)}
    assert len(tokens) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_loopback_may_go_without_authentication(host: str) -> None:
    assert is_loopback(host)
    check_auth(auth=False, host=host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org", "", "128.0.0.1"])
def test_without_authentication_other_addresses_are_refused(host: str) -> None:
    with pytest.raises(OpenToTheWorldError, match="loopback"):
        check_auth(auth=False, host=host)
    check_auth(auth=True, host=host)


def test_authentication_needs_a_token() -> None:
    with pytest.raises(NoTokenError):
        Guard.of(auth=True, token="", host="127.0.0.1")


def test_only_the_token_writes() -> None:
    guard = Guard.of(auth=True, token="right", host="0.0.0.0")
    guard.require_writer(bearer("right"))
    guard.require_writer(Headers({"authorization": "bearer  right"}))
    for headers in (
        bearer("wrong"),
        bearer(""),
        bearer("right2"),
        bearer("rïght"),
        Headers({}),
        Headers({"authorization": "Basic right"}),
    ):
        with pytest.raises(UnauthorizedError):
            guard.require_writer(headers)


def test_only_the_token_sees_private_things() -> None:
    guard = Guard.of(auth=True, token="right", host="127.0.0.1")
    assert guard.sees_private(bearer("right"))
    assert not guard.sees_private(Headers({}))
    assert not guard.sees_private(Headers({"authorization": "Basic dXNlcjpwdw=="}))
    with pytest.raises(UnauthorizedError):
        guard.sees_private(bearer("wrong"))


def test_the_token_may_come_as_the_password_of_http_basic() -> None:
    guard = Guard.of(auth=True, token="right", host="127.0.0.1")
    for credentials in ("YW55Ym9keTpyaWdodA==", "OnJpZ2h0"):  # anybody:right, :right
        guard.require_writer(Headers({"authorization": f"Basic {credentials}"}))
        assert guard.sees_private(Headers({"authorization": f"basic {credentials}"}))


@pytest.mark.parametrize("credentials", ["YW55Ym9keTp3cm9uZw==", "cmlnaHQ=", "cmlnaHQ6", "right", "é", ""])
def test_other_basic_credentials_write_nothing(credentials: str) -> None:
    guard = Guard.of(auth=True, token="right", host="127.0.0.1")
    headers = Headers({"authorization": f"Basic {credentials}"})
    assert not guard.sees_private(headers)
    with pytest.raises(UnauthorizedError):
        guard.require_writer(headers)


def test_with_authentication_off_everybody_writes_and_sees_all() -> None:
    guard = Guard.of(auth=False, token="", host="127.0.0.1")
    guard.require_writer(Headers({}))
    assert guard.sees_private(bearer("anything"))
