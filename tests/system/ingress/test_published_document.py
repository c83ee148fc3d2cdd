"""The running ingress against its own OpenAPI document: schemathesis with all of its checks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.installation import Installation, start_collate

# The reads want a database to be of any use, the dead letters a dead letter: their own tests have them.
OTHERS = "^/v1/(dead-letters|handoffs$|overview|commands/|authorizations/[^/]+$|authorizations/[^/]+/timeline)"
HOOKS = Path(__file__).with_name("schemathesis_hooks.py")


@pytest.mark.timeout(400)
def test_the_ingress_does_what_its_document_says(run, kafka, prefix):
    settings = {"GATEWAY_INGRESS__CALLER_RATE": "100000", "GATEWAY_INGRESS__CALLER_BURST": "100000"}
    installation = Installation(run, bootstrap=kafka, collate_url=start_collate(run), prefix=prefix, settings=settings)
    installation.apply_topics()
    program = installation.start("ingress")
    program.await_ready()
    arguments = [
        *("run", f"{program.url}/openapi.json", "--url", program.url),
        *("--header", f"Authorization: Bearer {installation.caller_key}"),
        *("--checks", "all", "--phases", "examples,coverage,fuzzing"),
        *("--max-examples", os.environ.get("SCHEMATHESIS_EXAMPLES", "10")),
        *("--seed", os.environ.get("SCHEMATHESIS_SEED", "1"), "--generation-database", "none"),
        # A stream has no end that a test could wait for.
        *(
            "--exclude-path",
            "/v1/events",
            "--exclude-path-regex",
            OTHERS,
            "--request-timeout",
            "30",
            "--continue-on-failure",
            "--no-color",
        ),
    ]
    command = [str(Path(sys.executable).with_name("schemathesis")), *arguments]
    environ = os.environ | {"SCHEMATHESIS_HOOKS": str(HOOKS)}
    done = subprocess.run(command, env=environ, cwd=run.directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    assert "Traceback" not in program.log.read_text()
    program.stop()
