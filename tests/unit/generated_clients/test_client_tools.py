"""The tools of `make clients`: what happens without one, and what a failed command shows."""

from tests.clients import tools


def test_no_lock_names_a_host_of_a_registry():
    assert '"resolved"' not in (tools.NPM / "package-lock.json").read_text()
    assert "://" not in tools.REQUIREMENTS.read_text() + tools.GENERATOR_LOCK.read_text()
