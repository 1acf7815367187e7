"""The schema of a database that holds an MLflow store, checked before MLflow opens it.

MLflow creates missing tables when it opens a database, and so changes a schema although the user did not request it.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

from harness.errors import HarnessError, StoreUnavailable
from harness.io.user_cache import provide_home
from harness.tracking.mlflow_record.store.addresses import format_for_shell

POSTGRESQL_DEFAULTS = {"PGCONNECT_TIMEOUT": "5", "PGCLIENTENCODING": "UTF8"}
"""Environment variables of PostgreSQL's client, set where the user did not set them.

Without them the client waits for a connection as long as TCP does, and returns bytes in place of text from a database
that was created under the locale C.
"""


def has_tables(uri: str, address: str) -> bool:
    """Return whether a database holds MLflow's tables with the schema of the installed MLflow; write nothing.

    Args:
        uri: A SQLAlchemy URL. A SQLite file has to exist, or SQLite creates it empty.
        address: The URL without its password, for errors.

    Raises:
        HarnessError: The database cannot be opened, or its schema is that of an older or a newer MLflow.
    """
    where = f"--tracking-uri {address}"
    version, is_filled = _read_schema(uri, where)
    import mlflow

    revisions, newest = _installed_schemas()
    if version is not None and version not in revisions:
        raise HarnessError(
            f"a newer MLflow wrote this store: MLflow {mlflow.__version__} does not know its schema ({version})",
            where=where,
            remedy="Upgrade MLflow (pip install --upgrade mlflow), or use another store. This store was not changed.",
        )
    if is_filled and version != newest:
        raise HarnessError(
            f"an older MLflow wrote this store (schema {version}); MLflow {mlflow.__version__} needs schema {newest}",
            where=where,
            remedy=f"Back the store up, then run: `mlflow db upgrade {format_for_shell(address)}`",
        )
    return is_filled


def _read_schema(uri: str, where: str) -> tuple[str | None, bool]:
    """Return a database's schema revision, and whether it holds at least one experiment.

    A store that was opened once holds the default experiment; without it the creation of the store was interrupted.
    """
    provide_home()
    try:
        import mlflow  # noqa: F401 (an installation without MLflow is reported below)
        from alembic.migration import MigrationContext
        from sqlalchemy import NullPool, create_engine, inspect, text
        from sqlalchemy.exc import ArgumentError, DBAPIError
    except ImportError as error:
        raise HarnessError(
            "MLflow is not installed",
            where="--tracking-uri",
            remedy="Install it, or give --tracking-uri none to keep the record in the checkpoints.",
        ) from error
    for name, value in POSTGRESQL_DEFAULTS.items():
        os.environ.setdefault(name, value)
    try:
        engine = create_engine(uri, poolclass=NullPool)
    except ImportError as error:
        raise _missing_driver(uri, where, error) from error
    except (ArgumentError, ValueError) as error:
        # The exception's own message may quote the address with its password.
        raise HarnessError(
            "this is not the address of a database",
            where=where,
            remedy="Write it as dialect://user@host:port/database, with special characters %-encoded.",
        ) from error
    try:
        with engine.connect() as connection:
            version = MigrationContext.configure(connection).get_current_revision()
            is_filled = inspect(connection).has_table("experiments") and (
                connection.execute(text("SELECT 1 FROM experiments")).first() is not None
            )
    except DBAPIError as error:
        kind = StoreUnavailable if _is_temporary(uri, str(error.orig)) else HarnessError
        raise kind(
            f"the tracking store cannot be opened: {' '.join(str(error.orig).split())[:300]}",
            where=where,
            remedy="Check the address. For a database server, check also that it runs and accepts this user "
            "(PostgreSQL: PGUSER and PGPASSWORD in the environment).",
        ) from error
    return version, is_filled


def _is_temporary(uri: str, message: str) -> bool:
    """Return whether a database that raised this error may answer later."""
    if uri.startswith("sqlite"):
        # SQLite reports this where another process writes for longer than SQLite waits.
        return "locked" in message
    return not re.search(
        "authentication|password|does not exist|unknown database|denied|no pg_hba.conf", message, re.IGNORECASE
    )


@cache
def _installed_schemas() -> tuple[frozenset[str], str]:
    """Return the schema revisions that the installed MLflow contains, and the newest of them."""
    import mlflow
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(Path(mlflow.__file__).parent / "store" / "db_migrations"))
    return frozenset(script.revision for script in scripts.walk_revisions()), str(scripts.get_current_head())


def _missing_driver(uri: str, where: str, error: ImportError) -> HarnessError:
    """Return the error for a database whose Python driver is not installed.

    ``postgresql://`` means psycopg 3, the driver in the project's extra ``postgres``.
    """
    scheme = uri.partition(":")[0]
    if scheme in ("postgresql", "postgresql+psycopg"):
        return HarnessError(
            "psycopg, the driver for PostgreSQL, is not installed",
            where=where,
            remedy="pip install 'psycopg[binary]' (it is in depthbench[postgres]).",
        )
    driver = error.name or scheme
    return HarnessError(
        f"the database's driver {driver} is not installed",
        where=where,
        remedy=f"Install the package that holds the Python module {driver}, or name another driver in the address.",
    )
