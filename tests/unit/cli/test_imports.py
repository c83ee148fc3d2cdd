"""Help, settings and topics need none of the packages of the processes: they would double the time of a start."""

import json
import subprocess
import sys

PROGRAM = "import json, sys; import gateway.cli.app; print(json.dumps(sorted(sys.modules)))"
OF_A_VERB = {
    "adapters.collate.client",
    "aiokafka",
    "consumers",
    "gateway.ingress",
    "psycopg",
    "schemas.records",
    "starlette",
    "uvicorn",
}


def test_the_command_line_imports_the_packages_of_a_verb_with_the_verb():
    imported = json.loads(subprocess.check_output([sys.executable, "-c", PROGRAM], text=True))
    assert "gateway.cli.topics" in imported
    assert OF_A_VERB & set(imported) == set()
