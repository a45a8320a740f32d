"""A small Grafana on loopback: the endpoints that publishing uses, with the answers that its HTTP API documents."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

TOKEN = "glsa_test"
USER = "admin:secret"


@dataclass(kw_only=True)
class State:
    url: str = ""
    folders: dict[str, dict[str, Any]] = field(default_factory=dict)
    datasources: dict[str, dict[str, Any]] = field(default_factory=dict)
    dashboards: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    forbid_writing: bool = False
    broken: bool = False

    def writes(self) -> list[tuple[str, str]]:
        return [call for call in self.calls if call[0] != "GET"]


class Handler(BaseHTTPRequestHandler):
    state: State

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.state.calls.append((self.command, self.path))
        status, answer = self._answer(body)
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _answer(self, body: Any) -> tuple[int, Any]:
        basic = "Basic " + base64.b64encode(USER.encode()).decode()
        if self.state.broken:
            return 500, {"message": "Internal Server Error"}
        if self.headers.get("Authorization") not in {f"Bearer {TOKEN}", basic}:
            return 401, {"message": "Invalid API key", "messageId": "api-key.invalid", "statusCode": 401}
        if self.command != "GET" and self.state.forbid_writing:
            return 403, {
                "accessErrorId": "ACE1",
                "message": "You'll need additional permissions: folders:create",
                "title": "Access denied",
            }
        for (command, pattern), route in ROUTES.items():
            match = re.fullmatch(pattern, self.path)
            if match and command == self.command:
                return route(self, body, *match.groups())
        return 404, {"message": "Not found"}

    def _get(self, kept: dict[str, dict[str, Any]], uid: str, absent: str) -> tuple[int, Any]:
        return (200, kept[uid]) if uid in kept else (404, {"message": absent})

    def _put_folder(self, body: Any, uid: str) -> tuple[int, Any]:
        self.state.folders[uid]["title"] = body["title"]
        return 200, self.state.folders[uid]

    def _create_datasource(self, body: Any) -> tuple[int, Any]:
        if body["uid"] in self.state.datasources:
            return 409, {"message": "data source with the same name already exists"}
        self.state.datasources[body["uid"]] = body
        return 200, {"id": 1, "name": body["name"], "message": "Datasource added", "datasource": body}

    def _put_datasource(self, body: Any, uid: str) -> tuple[int, Any]:
        self.state.datasources[uid] = body
        return 200, {"message": "Datasource updated", "datasource": body}

    def _create_folder(self, body: Any) -> tuple[int, Any]:
        if body["uid"] in self.state.folders:
            return 409, {"message": "a folder with the same uid already exists"}
        folder = {"id": len(self.state.folders) + 1, "uid": body["uid"], "title": body["title"], "version": 1}
        self.state.folders[body["uid"]] = folder
        return 200, folder

    def _save(self, body: Any) -> tuple[int, Any]:
        model, folder = body["dashboard"], body.get("folderUid", "")
        if folder and folder not in self.state.folders:
            return 400, {"message": "folder not found"}
        known = self.state.dashboards.get(model["uid"])
        version = known["dashboard"]["version"] if known else 0
        if known and not body["overwrite"] and model.get("version") != version:
            return 412, {"message": "The dashboard has been changed by someone else", "status": "version-mismatch"}
        number = known["dashboard"]["id"] if known else len(self.state.dashboards) + 1
        saved = model | {"id": number, "version": version + 1}
        self.state.dashboards[model["uid"]] = {"dashboard": saved, "meta": {"folderUid": folder, "version": version + 1}}
        return 200, {"id": number, "uid": model["uid"], "status": "success", "version": version + 1, "slug": "x", "url": "/d/x"}


ROUTES: dict[tuple[str, str], Callable[..., tuple[int, Any]]] = {
    ("GET", "/api/folders/([^/]+)"): lambda h, _, uid: h._get(h.state.folders, uid, "folder not found"),
    ("POST", "/api/folders"): Handler._create_folder,
    ("PUT", "/api/folders/([^/]+)"): Handler._put_folder,
    ("GET", "/api/datasources/uid/([^/]+)"): lambda h, _, uid: h._get(h.state.datasources, uid, "Data source not found"),
    ("POST", "/api/datasources"): Handler._create_datasource,
    ("PUT", "/api/datasources/uid/([^/]+)"): Handler._put_datasource,
    ("GET", "/api/dashboards/uid/([^/]+)"): lambda h, _, uid: h._get(h.state.dashboards, uid, "Dashboard not found"),
    ("POST", "/api/dashboards/db"): Handler._save,
}


@pytest.fixture
def fake_grafana() -> Iterator[State]:
    state = State()
    handler = type("Bound", (Handler,), {"state": state})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        state.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
