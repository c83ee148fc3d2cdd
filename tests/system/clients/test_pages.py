"""The clients' guides and README's *Use it*, run as they are written, with the built packages and real processes."""

import asyncio
import json
import os
import re
import sys

import pytest

from local.processes.patience import slowness, within
from tests.contract.documents.pages import LINES, PAGES, blocks

# A person needs some time between two blocks; the read model needs much less to follow the events, except on a busy
# machine.
TYPING_SECONDS, MOST_SLOWNESS = 1.0, 5.0
MARK = "block {} has run"


@pytest.fixture
async def reader(ingress, installation, collate, packed):
    """Return a function that runs a program with the environment of `make dev`; it returns the program's output."""

    async def run(command, environ, authorization):
        return await asyncio.create_subprocess_exec(
            *command,
            env=environ
            | {
                "COLLATE_GATEWAY_URL": ingress.url,
                "COLLATE_GATEWAY_KEY": installation.caller_key,
                "AUTHORIZATION": authorization,
            },
            cwd=packed.directory,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    return run


def python_of(packed):
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(packed.wheel), "PYTHONUNBUFFERED": "1", "PYTHONSAFEPATH": "1"}


def typing_seconds():
    return TYPING_SECONDS * min(slowness(), MOST_SLOWNESS)


async def finish(program):
    async with within(120):
        output, _ = await program.communicate()
    assert program.returncode == 0, output.decode()
    return output.decode()


async def read_until(program, words):
    """Read lines until one has the words, then end the program, whose loop has no end."""
    lines = []
    async with within(60):
        while not lines or words not in lines[-1]:
            line = await program.stdout.readline()
            assert line, "".join(lines)
            lines.append(line.decode())
    program.kill()
    await program.wait()
    return "".join(lines)


async def test_every_block_of_the_python_guide_runs(reader, collate, packed):
    (authorization,) = collate.create()
    written = blocks(PAGES["docs/clients-python.md"], "python")
    pause = f"__import__('time').sleep({typing_seconds()})"
    program = "\n".join(f"{block}\nprint({MARK.format(number)!r}); {pause}" for number, block in enumerate(written))
    (packed.directory / "guide.py").write_text(program)
    output = await finish(await reader([sys.executable, "guide.py"], python_of(packed), authorization))
    assert [number for number in range(len(written)) if MARK.format(number) not in output] == []
    assert len(written) >= 12
    assert "/result/reportedOutcome" in output
    assert output.count("applied") >= 2
    assert "rag_" not in output, "no link is printed"
    assert "SecretText('***')" in output


async def test_every_block_of_the_typescript_guide_runs_and_has_the_right_types(reader, collate, packed):
    (authorization,) = collate.create()
    written = blocks(PAGES["docs/clients-typescript.md"], "ts")
    pause = f"await new Promise((resolve) => setTimeout(resolve, {1000 * typing_seconds()}));"
    program = "\n".join(
        f"{block}\nconsole.log({MARK.format(number)!r});\n{pause}" for number, block in enumerate(written)
    )
    guide = packed.directory / "guide.ts"
    guide.write_text(program)
    packed.check_types(guide)
    output = await finish(await reader(*packed.node(guide), authorization))
    assert [number for number in range(len(written)) if MARK.format(number) not in output] == []
    assert len(written) >= 11
    assert "/result/reason" in output
    assert output.count("applied") >= 2
    assert "rag_" not in output, "no link is printed"
    assert "SecretText('***')" in output
    assert "Assertion failed" not in output


async def test_the_lines_of_readme_run(reader, collate, packed):
    collate.create(ids=("auth_three", "auth_two"))
    use_it = PAGES["README.md"].partition("## Use it")[2].partition("\n## ")[0]
    (line,) = [line for line in LINES if line.page == "README.md" and line.words[0] == "curl"]
    answer = json.loads(
        await finish(await reader(["bash", "-c", line.text], {"PATH": os.environ["PATH"]}, "auth_three"))
    )
    assert answer["outcome"] == "applied"

    (python,) = blocks(use_it, "python")
    (packed.directory / "readme.py").write_text(python)
    program = await reader([sys.executable, "readme.py"], python_of(packed), "auth_two")
    assert "applied mhand_" in await read_until(program, "command.finished")


def test_the_blocks_of_readme_are_short():
    use_it = PAGES["README.md"].partition("## Use it")[2].partition("\n## ")[0]
    (block,) = blocks(use_it, "python")
    assert len([line for line in block.splitlines() if line.strip()]) <= 7
    assert re.search(r"^```sh\ncurl ", use_it, re.MULTILINE)
