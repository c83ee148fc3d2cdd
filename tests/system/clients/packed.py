"""The packages of both clients as users get them: built, and unpacked into a directory of their own."""

import os
import shutil
import subprocess
import tarfile
import zipfile

from local.npm import clients
from local.npm.packages import node_program
from local.npm.project import PROJECT
from local.processes.archives import unpack


class PackedClients:
    """Both clients below a directory. `node(...)` and `python(...)` are the command and environment of a program."""

    def __init__(self, directory):
        self.directory = directory
        # Its types are current, it passes its own checks and tests, and both packages are built.
        assert clients.main(["--check", "--target", str(directory / "packages")]) == 0, "see the errors above"
        (archive,) = (directory / "packages").glob("*.tgz")
        (wheel,) = (directory / "packages").glob("*.whl")
        with tarfile.open(archive) as opened:
            unpack(opened, directory / "unpacked")
        (directory / "node_modules").mkdir()
        # The programs of the tests are ES modules.
        (directory / "package.json").write_text('{"type": "module", "private": true}')
        self.npm_package = directory / "node_modules" / "collate-gateway-client"
        shutil.move(directory / "unpacked" / "package", self.npm_package)
        self.wheel = directory / "wheel"
        with zipfile.ZipFile(wheel) as opened:
            opened.extractall(self.wheel)

    def files(self, folder):
        return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}

    def check_types(self, *programs):
        """Check the types of programs that import the package, as a strict project does."""
        tsc, types = PROJECT / "node_modules/typescript/bin/tsc", PROJECT / "node_modules/@types"
        options = ["--strict", "--noEmit", "--module", "nodenext", "--target", "es2022", "--typeRoots", types]
        done = subprocess.run(
            [node_program(), tsc, *options, "--types", "node", *programs],
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout

    def node(self, program, **environ):
        """Return the command and the environment that run a file of JavaScript or TypeScript beside the packages."""
        target = self.directory / program.name
        if program != target:
            shutil.copyfile(program, target)
        return [str(node_program()), str(target)], {"PATH": os.environ["PATH"], **environ}
