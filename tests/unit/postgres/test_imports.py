"""Only migrations may pay for Alembic and SQLAlchemy: 20 MB and 0.2 s in each process."""

import subprocess
import sys

import pytest

MIGRATION_LIBRARIES = {"alembic", "sqlalchemy"}


def imported_packages(*modules):
    """Return the top-level packages that a fresh interpreter holds after importing the modules."""
    program = f"import sys, {', '.join(modules)}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(subprocess.check_output([sys.executable, "-c", program], text=True).split())


@pytest.mark.parametrize("process", ["gateway.ingress.main", "consumers.projector.projector"])
def test_no_serving_process_imports_the_migration_libraries(process):
    packages = imported_packages(process, "adapters.postgres.reader", "adapters.postgres.queries")
    assert "psycopg" in packages
    assert not packages & MIGRATION_LIBRARIES


def test_an_ingress_without_a_read_model_does_not_import_psycopg():
    assert "psycopg" not in imported_packages("gateway.ingress.main")
