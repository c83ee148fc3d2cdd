"""The HTTP client of everything but the worker's calls: which addresses are local, and what a failure is called."""

import ssl

import httpx
import pytest

from runtime.http_client import is_local, reason_of


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080",
        "http://127.1.2.3/",
        "http://localhost:9090",
        "http://localhost./",
        "https://gateway.localhost",
        "http://[::1]:80/",
        "http://169.254.169.254/latest",
        "http://[fe80::1]/",
        "http://metadata.google.internal/token",
    ],
)
def test_this_machine_and_its_metadata_service_are_local(url):
    assert is_local(url)


@pytest.mark.parametrize(
    "url", ["https://gateway.example", "http://10.0.0.1", "http://worker-0:9090", "https://[2001:db8::1]"]
)
def test_other_hosts_are_not_local(url):
    assert not is_local(url)


def test_a_failure_is_named_by_its_cause():
    def failed(cause):
        error = httpx.ConnectError("All connection attempts failed")
        error.__cause__ = cause
        return reason_of(error)

    assert failed(ConnectionRefusedError(111, "Connection refused")) == "connection refused"
    assert "trusted here" in failed(ssl.SSLCertVerificationError(1, "certificate verify failed"))
    assert failed(None) == "All connection attempts failed"
    assert reason_of(httpx.ReadTimeout("")) == "ReadTimeout"
