"""`gateway console` as a process: it needs its settings and a key, and neither Kafka nor an API that answers."""

import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from local.processes.ports import free_ports

GATEWAY = Path(sys.executable).with_name("gateway")


@pytest.fixture
def environ(tmp_path):
    return environ_in(tmp_path)


def environ_in(directory):
    """Return the environment of a console whose key is in a directory."""
    (directory / "key").write_text(secrets.token_urlsafe(32))
    port, admin = free_ports(2)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    return kept | {
        "GATEWAY_ENVIRONMENT": "test",
        "GATEWAY_ADMIN__HOST": "127.0.0.1",
        "GATEWAY_ADMIN__PORT": str(admin),
        "GATEWAY_CONSOLE__HOST": "127.0.0.1",
        "GATEWAY_CONSOLE__PORT": str(port),
        "GATEWAY_CONSOLE__PUBLIC_URL": f"http://127.0.0.1:{port}",
        "GATEWAY_CONSOLE__API_URL": "http://127.0.0.1:9",
        "GATEWAY_CONSOLE__COOKIE_KEY_FILE": str(directory / "key"),
        "GATEWAY_CONSOLE__KEY_SIGN_IN": "true",
    }


def test_the_console_serves_pages_until_sigterm_also_without_the_api(environ):
    with subprocess.Popen([GATEWAY, "console"], env=environ, stderr=subprocess.PIPE, text=True) as process:
        try:
            admin, url = f"http://127.0.0.1:{environ['GATEWAY_ADMIN__PORT']}", environ["GATEWAY_CONSOLE__PUBLIC_URL"]
            with httpx.Client(trust_env=False, timeout=120) as http:
                assert ready(http, admin)
                assert http.get(f"{url}/work").headers["location"] == "/sign-in?return=%2Fwork"
                page = http.post(
                    f"{url}/sign-in/key", data={"name": "Jo", "key": "cgk_secret"}, headers={"origin": url}
                )
                assert page.status_code == 503
                assert "The gateway is not reached" in page.text
                metrics = http.get(f"{admin}/metrics").text
            assert 'console_pages_total{method="POST",route="/sign-in/key",status="503"} 1.0' in metrics
        finally:
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate()
    assert process.returncode == 0
    assert "console.page_completed" in log
    assert "cgk_secret" not in log


def ready(http, admin):
    for _ in range(600):
        try:
            if http.get(f"{admin}/readyz").is_success:
                return True
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    return False


def test_without_a_usable_key_the_console_does_not_start(environ, tmp_path):
    (tmp_path / "key").write_text("too short")
    done = subprocess.run([GATEWAY, "console"], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 78
    assert "openssl rand -base64 32" in done.stderr
    assert "too short" not in done.stderr
