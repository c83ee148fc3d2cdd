"""The official JavaScript package of Standard Webhooks verifies what a receiver got. Its npm packages are pinned."""

import json
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from consumers.deliverer.delivery import signed_headers, write_message
from local.npm.packages import Package, fetch, node_program
from local.processes.archives import unpack
from local.processes.cache import cache_directory
from schemas.cloudevents import from_kafka
from schemas.fields.signing_secret import read_secret
from tests.process.deliverer.conftest import event_record

PACKAGES = (
    Package(
        "standardwebhooks",
        "1.1.1",
        "sha512-bCbX9ZEyFkWPsRz7Bl3NuQUJohmwGSev/yhr7vhaGPlc4AfIrspIRa6cPTBuI1ItmrTDJ4d/S2hCsfe4+vQGnQ==",
        "MIT",
    ),
    Package(
        "@stablelib/base64",
        "1.0.1",
        "sha512-1bnPQqSxSuc3Ii6MhBysoWCg58j97aUjuCSZrGSmDxNqtytIi0k8utUenAwTZN4V5mXXYGsVUI9zeBqy+jBOSQ==",
        "MIT",
    ),
    Package(
        "fast-sha256",
        "1.3.0",
        "sha512-n11RGP/lrWEFI/bWdygLxhI+pVeo1ZYIVwvvPkW7azl/rOy+F3HYRZ2K5zeE9mmkhQppyv9sQFx0JM9UabnpPQ==",
        "Unlicense",
    ),
)


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    """A directory whose node_modules has the packages."""
    home = tmp_path_factory.mktemp("standardwebhooks")
    for package in PACKAGES:
        archive = fetch(package, cache_directory() / "webhooks")
        place = home / "node_modules" / package.name
        place.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive) as opened:
            unpack(opened, home / "unpacked")
        (home / "unpacked" / "package").rename(place)
    return home


def test_the_official_javascript_package_verifies_what_is_sent(modules, secret):
    now = time.time()
    other = read_secret("whsec_" + "A" * 32)
    requests = []
    for sequence, secrets in ((1, (read_secret(secret),)), (2, (other, read_secret(secret))), (3, (other,))):
        message = write_message(from_kafka(*event_record(sequence=sequence)))
        headers = dict(signed_headers(message, secrets, now))
        requests.append({"headers": headers, "body": message.body.decode(), "id": message.id})
    requests.append(requests[0] | {"body": requests[0]["body"].replace("auth_1", "auth_2")})
    done = subprocess.run(
        [node_program(), Path(__file__).with_name("verify.mjs"), modules],
        input=json.dumps({"secret": secret, "requests": requests}),
        capture_output=True,
        text=True,
        check=True,
    )
    refused = "WebhookVerificationError"
    assert json.loads(done.stdout) == [requests[0]["id"], requests[1]["id"], refused, refused]
