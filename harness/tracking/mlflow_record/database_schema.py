"""What a database holds before MLflow opens it: MLflow makes whatever tables are missing, and so migrates unasked."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from harness.errors import HarnessError, StoreUnavailable

LIBPQ = {"PGCONNECT_TIMEOUT": "5", "PGCLIENTENCODING": "UTF8"}
"""For PostgreSQL's client, unless the user says otherwise: its defaults are to wait for as long as TCP does, and
bytes in place of text from a database made under the locale C."""


def has_tables(uri: str, shown: str) -> bool:
    """Whether MLflow's tables are in a database, as the MLflow installed here makes them; writes nothing.

    Args:
        uri: A SQLAlchemy URL; a SQLite file has to be there, or it is created empty.
        shown: The same as it may be shown.

    Raises:
        HarnessError: It cannot be opened, or its schema is an older or a newer one.
    """
    where = f"--tracking-uri {shown}"
    try:
        import mlflow
        from alembic.migration import MigrationContext
        from sqlalchemy import NullPool, create_engine, inspect, text
        from sqlalchemy.exc import ArgumentError, DBAPIError
    except ImportError as error:
        raise HarnessError(
            "MLflow is not installed", where="--tracking-uri", remedy="Install it, or keep the record without: none."
        ) from error
    for name, value in LIBPQ.items():
        os.environ.setdefault(name, value)
    try:
        engine = create_engine(uri, poolclass=NullPool)
    except ImportError as error:
        raise _without_driver(uri, where, error) from error
    except (ArgumentError, ValueError) as error:
        # Its message may quote the address.
        raise HarnessError(
            "this is no address of a database",
            where=where,
            remedy="Write it as dialect://user@host:port/database, with special characters %-encoded.",
        ) from error
    try:
        with engine.connect() as connection:
            version = MigrationContext.configure(connection).get_current_revision()
            # A store that was opened once has an experiment, the default one; without, its creation was interrupted.
            filled = inspect(connection).has_table("experiments") and (
                connection.execute(text("SELECT 1 FROM experiments")).first() is not None
            )
    except DBAPIError as error:
        # SQLite says so while another process writes for longer than its patience.
        kind = StoreUnavailable if "locked" in str(error.orig) else HarnessError
        raise kind(
            f"the tracking store cannot be opened: {' '.join(str(error.orig).split())[:300]}",
            where=where,
            remedy="Check the address, and for a server that it runs and takes this user "
            "(PostgreSQL: PGUSER and PGPASSWORD in the environment).",
        ) from error
    known, head = _schemas()
    if version is not None and version not in known:
        raise HarnessError(
            f"its schema ({version}) is unknown to MLflow {mlflow.__version__}: a newer MLflow wrote it",
            where=where,
            remedy="Upgrade it (pip install --upgrade mlflow), or use another store; nothing was changed in this one.",
        )
    if filled and version != head:
        raise HarnessError(
            f"its schema ({version}) is that of an older MLflow; MLflow {mlflow.__version__} needs {head}",
            where=where,
            remedy=f"Back it up, then run: mlflow db upgrade {shown}",
        )
    return filled


@cache
def _schemas() -> tuple[frozenset[str], str]:
    """The revisions that the installed MLflow knows, and the newest of them."""
    import mlflow
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(Path(mlflow.__file__).parent / "store" / "db_migrations"))
    return frozenset(script.revision for script in scripts.walk_revisions()), str(scripts.get_current_head())


def _without_driver(uri: str, where: str, error: ImportError) -> HarnessError:
    """The database's own library is missing; ``postgresql://`` means psycopg 3, which the project's extra holds."""
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
