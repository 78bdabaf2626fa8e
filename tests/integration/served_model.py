"""MLflow's scoring server as a process of its own, serving an exported model, and plain HTTP requests to it."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

START_SECONDS = 300


@dataclass(frozen=True)
class Server:
    """Where a server answers, and the file it logs to."""

    port: int
    log: Path

    def ask(
        self, method: str, path: str, body: bytes | None = None, content_type: str | None = "application/json"
    ) -> tuple[int, str]:
        """Send one request; give the answer's status and body."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=300)
        try:
            headers = {"Content-Type": content_type} if body is not None and content_type else {}
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.read().decode("utf-8")
        finally:
            connection.close()

    def score(self, posts: list[dict[str, Any]], **params: float) -> tuple[int, Any]:
        """Send posts as JSON records; give the status and the parsed answer."""
        body = {"dataframe_records": posts} | ({"params": params} if params else {})
        status, answer = self.ask("POST", "/invocations", json.dumps(body, ensure_ascii=False).encode("utf-8"))
        return status, json.loads(answer)


@contextmanager
def serve(model: Path, log: Path, **environment: str) -> Iterator[Server]:
    """Run ``mlflow models serve`` on a free port until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = "from mlflow.cli import cli; cli()"
    command = [sys.executable, "-c", program, "models", "serve", "-m", str(model), "-p", str(port)]
    env = os.environ | {"OMP_NUM_THREADS": "1", "MLFLOW_TRACKING_URI": f"sqlite:///{log.parent}/none.db"} | environment
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"  # MLflow calls uvicorn by name
    with log.open("wb") as written:
        process = subprocess.Popen(
            [*command, "--env-manager", "local"],
            stdout=written,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            env=env,
            start_new_session=True,
        )
    try:
        server = Server(port, log)
        _wait_until_it_answers(server, process)
        yield server
    finally:
        os.killpg(process.pid, 15)  # MLflow's command is the parent of the server
        process.wait(timeout=60)


def _wait_until_it_answers(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if server.ask("GET", "/ping")[0] == 200:
                return
        except OSError:
            time.sleep(0.2)
    message = f"the server did not start: {server.log.read_text(encoding='utf-8')[-2000:]}"
    raise RuntimeError(message)
