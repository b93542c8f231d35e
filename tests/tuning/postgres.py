"""A PostgreSQL server for the tests, if its programs are installed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"))  # not on the path


def program(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([os.environ["PATH"], *map(str, DEBIAN)]))


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a new database."""
    initdb, server = program("initdb"), program("postgres")
    if initdb is None or server is None:
        pytest.skip("needs a PostgreSQL server (apt-get install postgresql), and none is installed")
    assert initdb
    assert server
    as_other = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    prefix = as_other if os.geteuid() == 0 else []  # it refuses to be run by root
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as free:
        data, port = Path(folder) / "data", free.getsockname()[1]
        password = Path(folder) / "password"
        password.write_text("secret")
        if prefix:
            shutil.chown(folder, "postgres", "postgres")
            password.chmod(0o644)
        options = ["--auth=scram-sha-256", "--username=me", f"--pwfile={password}", "--no-sync"]
        subprocess.run([*prefix, initdb, "-D", data, *options], check=True, capture_output=True)
        free.close()
        process = subprocess.Popen(
            [*prefix, server, "-D", data, "-p", str(port), "-k", folder, "-F", "-h", "127.0.0.1"],
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait(process, port)
            yield f"postgresql://me:secret@127.0.0.1:{port}/postgres"
        finally:
            process.send_signal(signal.SIGINT)  # does not wait for whoever is connected
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    import psycopg

    while process.poll() is None:
        try:
            url = f"postgresql://me:secret@127.0.0.1:{port}/postgres"
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            time.sleep(0.1)
    pytest.fail(f"the server ended with status {process.returncode}")
