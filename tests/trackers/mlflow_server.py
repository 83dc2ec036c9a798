"""MLflow's own server on the loopback, in this process: it starts at once, and can go away and come back."""

from __future__ import annotations

import base64
import logging
import os
import socket
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest


class MlflowServer:
    """A server whose runs are in the file `server.db` of the current folder; with a `password`, it asks for it."""

    def __init__(self, tables: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        from mlflow.server import app, constants, handlers

        Path("server.db").write_bytes(tables)
        monkeypatch.setattr(handlers, "_tracking_store", None)
        monkeypatch.setattr(handlers, "_artifact_repo", None)
        monkeypatch.setenv(constants.BACKEND_STORE_URI_ENV_VAR, f"sqlite:///{Path.cwd()}/server.db")
        monkeypatch.setenv(constants.ARTIFACT_ROOT_ENV_VAR, "mlflow-artifacts:/")
        monkeypatch.setenv(constants.ARTIFACTS_DESTINATION_ENV_VAR, str(Path("served").absolute()))
        monkeypatch.setenv(constants.SERVE_ARTIFACTS_ENV_VAR, "true")
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request
        self._app: Any = app
        self.password: str | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self._port}"
        self.come()

    def come(self) -> None:
        """Listen at the port."""
        from werkzeug.serving import make_server

        self._server = make_server("127.0.0.1", self._port, self._answer, threaded=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def go(self) -> None:
        """Refuse connections."""
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, environment: dict[str, Any], start: Any) -> Iterable[bytes]:
        given = environment.get("HTTP_AUTHORIZATION")
        if self.password is not None and given != f"Basic {base64.b64encode(self.password.encode()).decode()}":
            start("401 Unauthorized", [("WWW-Authenticate", "Basic"), ("Content-Length", "0")])
            return []
        os.environ.pop("MLFLOW_TRACKING_URI", None)  # where MLflow's server writes its own address, for this process
        return self._app(environment, start)  # type: ignore[no-any-return]
