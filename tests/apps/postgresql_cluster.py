"""A PostgreSQL server of the tests' own: in a temporary folder, on a socket, gone afterwards."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url

from apps.review.store.database import open_store

_SETTINGS = "-c listen_addresses='' -c fsync=off -c full_page_writes=off"


class PostgresqlCluster:
    """Started once per test session; every test gets a migrated database of its own."""

    def __init__(self) -> None:
        self._programs = _find_programs()
        # In memory where there is room, and under a short name, because socket paths must be short.
        memory = Path("/dev/shm")  # noqa: S108  # a folder of our own in it
        has_room = memory.is_dir() and shutil.disk_usage(memory).free > 2**29
        self.folder = Path(tempfile.mkdtemp(prefix="review-pg-", dir=memory if has_room else None))
        self._n_databases = 0
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(self.folder, account.pw_uid, account.pw_gid)

    def start(self) -> None:
        self._run(
            "initdb", "-D", str(self.folder / "data"), "-U", "reviews", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"
        )
        self.start_server()
        store = open_store(self._create("template_review"))
        store.engine.dispose()

    def start_server(self) -> None:
        options = f"-k {self.folder} {_SETTINGS}"
        data, log = str(self.folder / "data"), str(self.folder / "log")
        self._run("pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "start")

    def stop_server(self) -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "stop")

    def remove(self) -> None:
        self.stop_server()
        shutil.rmtree(self.folder, ignore_errors=True)

    def create_database(self) -> str:
        """Copy the migrated database; returns the URL of the copy."""
        self._n_databases += 1
        return self._create(f"review_{self._n_databases}", template="template_review")

    def create_bare_database(self, role: str) -> str:
        """Create a database without tables, and a role without rights; returns the URL of the database's owner."""
        self._n_databases += 1
        self._administer(f"CREATE ROLE {role} LOGIN")
        return self._create(f"review_{self._n_databases}")

    def drop_database(self, url: str) -> None:
        self._administer(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")

    def _create(self, name: str, template: str = "template1") -> str:
        self._administer(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self._url(name)

    def _administer(self, statement: str) -> None:
        admin = create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.exec_driver_sql(statement)
        admin.dispose()

    def _url(self, name: str) -> str:
        return f"postgresql+psycopg://reviews@/{name}?host={self.folder}"

    def _run(self, program: str, *arguments: str) -> None:
        # The server refuses to run as root; its output goes nowhere, or pg_ctl would wait for the server's end.
        prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        command = [*prefix, str(self._programs / program), *arguments]
        subprocess.run(
            command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder, timeout=120
        )


def _find_programs() -> Path:
    """Find the newest server's programs, or skip the test and say why."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).parent
    if not found:
        pytest.skip("no PostgreSQL server is installed (Debian: apt install postgresql)")
    if os.geteuid() == 0 and not (
        shutil.which("runuser") and any(user.pw_name == "postgres" for user in pwd.getpwall())
    ):
        pytest.skip("PostgreSQL does not run as root, and there is no account 'postgres' to run it as")
    return found[-1].parent
