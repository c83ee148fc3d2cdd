"""The members of uvicorn that `runtime.http_server.server` uses are the ones that were checked."""

import hashlib
import inspect

import pytest
import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from runtime.http_server import server

# After an upgrade: read what changed in the class, check `server` against it, then update the digest and the version.
CHECKED = {
    HttpToolsProtocol: "18fdf324b11bf160",
    RequestResponseCycle: "e67d470d435dcc1c",
    FlowControl: "126debcdaa894c83",
}


def digest_of(kind):
    return hashlib.sha256(inspect.getsource(kind).encode()).hexdigest()[:16]


@pytest.mark.parametrize("kind", CHECKED, ids=lambda kind: kind.__name__)
def test_a_class_with_undocumented_members_is_the_checked_one(kind):
    assert digest_of(kind) == CHECKED[kind], f"uvicorn {uvicorn.__version__} changed {kind.__name__}"


def test_the_documented_version_is_the_installed_one():
    assert f"uvicorn {uvicorn.__version__}" in server.__doc__
