import subprocess
import zipfile

import pytest

from local.drills.release import NoEarlierRelease, program_of


def test_a_wheel_becomes_a_program_that_uses_its_own_packages(tmp_path):
    wheel = tmp_path / "earlier.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in (
            ("cli/__init__.py", ""),
            ("cli/app.py", "def main():\n    print('the earlier release')\n"),
        ):
            archive.writestr(name, text)
    program = program_of(wheel, tmp_path)
    done = subprocess.run([program], capture_output=True, text=True, check=False, cwd="/")
    assert (done.returncode, done.stdout) == (0, "the earlier release\n"), done.stderr


def test_a_missing_wheel_is_named_with_the_option(tmp_path):
    with pytest.raises(NoEarlierRelease, match=r"none.whl does not exist; .* --from"):
        program_of(tmp_path / "none.whl", tmp_path)
