"""Only migrations may pay for Alembic and SQLAlchemy: 20 MB and 0.2 s in each process."""

import json
import subprocess
import sys

import pytest

INGRESS = ["gateway.ingress.main"]
SERVING = ["adapters.postgres.reader", "adapters.postgres.queries", "consumers.projector.projector"]
PROGRAM = """
import importlib, json, sys
for modules in json.loads(sys.argv[1]):
    for module in modules:
        importlib.import_module(module)
    print(*{name.partition(".")[0] for name in sys.modules})
"""


@pytest.fixture(scope="module")
def imported():
    """The top-level packages of one fresh interpreter: after the ingress, and after all serving processes."""
    steps = [sys.executable, "-c", PROGRAM, json.dumps([INGRESS, SERVING])]
    return [set(line.split()) for line in subprocess.check_output(steps, text=True).splitlines()]


def test_no_serving_process_imports_the_migration_libraries(imported):
    _, packages = imported
    assert "psycopg" in packages
    assert not packages & {"alembic", "sqlalchemy"}


def test_an_ingress_without_a_read_model_does_not_import_psycopg(imported):
    ingress, _ = imported
    assert "psycopg" not in ingress
