"""The README and the pages that it leads to: what they say can be pasted, and leads somewhere.

`tests/README.md` says how blocks are marked. A page's examples run in order, as a reader pastes
them, in a folder and against a system of its own.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import documents
from exact import read_json
from expect import at_rest
from system import REPOSITORY, System, binary

# The README, and every page that it leads to.
PAGES = (
    "README.md",
    "commands/README.md",
    "commands/MOVING-OVER.md",
    "commands/src/carriers/README.md",
    "domain/README.md",
    "domain/CHANGING.md",
    "projectors/README.md",
    "infra/CHANGING.md",
    "infra/cdk/README.md",
    "infra/console/README.md",
    "infra/emulator/README.md",
    "infra/event-store/README.md",
    "infra/lambda/README.md",
    "infra/local/README.md",
    "infra/operator/README.md",
    "infra/operator/ERASING.md",
    "tests/README.md",
)
# What a newcomer reads, and what can be read in a sitting.
README_LINES, PAGE_LINES = 150, 200

# Blocks that do not run here: page, first line, and why.
EXEMPT = {
    ("README.md", "make run     # the whole system on this machine"): (
        "the system under test runs already, and `make test` is what runs this test"
    ),
    ("tests/README.md", "make build .venv/ready"): (
        "it builds, and runs another file of these tests"
    ),
}

LANGUAGES = {"sh", "json", "text"}
BLOCK_SECONDS = 120
# `curl --fail-with-body` ends with it where the answer is an error.
CURL_FAILED = 22
ANYTHING = "…"


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; `answer` is the one right below it, if that says what comes out."""

    page: str
    line: int
    language: str
    text: str
    answer: "Block | None" = None

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def name(self) -> tuple[str, str]:
        return self.page, self.text.splitlines()[0]


def text_of(page: str) -> str:
    return (REPOSITORY / page).read_text()


def blocks(page: str) -> list[Block]:
    """Every fenced block, in order."""
    found: list[Block] = []
    fence = re.compile(r"^```(.*)\n((?:.*\n)*?)```[ ]*$", re.MULTILINE)
    text, end = text_of(page), -1
    for match in fence.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        block = Block(page, line, match[1].strip(), match[2])
        below = end >= 0 and not text[end : match.start()].strip()
        if block.language != "sh" and below and found[-1].language == "sh":
            asked = found[-1]
            found[-1] = Block(page, asked.line, "sh", asked.text, block)
        found.append(block)
        end = match.end()
    return found


def examples(page: str) -> list[Block]:
    return [block for block in blocks(page) if block.language == "sh"]


# ---- The examples


class Reader:
    """Somebody who pastes a page's blocks into a terminal, one after the other."""

    def __init__(self, system: System, folder: Path):
        self.system, self.folder = system, folder
        tools = folder.parent / "tools"
        tools.mkdir()
        self._tool(tools, "curl", f"{shutil.which('curl')} --fail-with-body")
        self._tool(tools, "waybill", shlex.quote(str(binary().resolve())))
        self._env = {
            "PATH": f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            # What the README has the reader export, which a test holds.
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            # Nobody's own settings take part.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    @staticmethod
    def _tool(folder: Path, name: str, command: str) -> None:
        tool = folder / name
        tool.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        tool.chmod(0o755)

    def here(self, text: str) -> str:
        """A block as it is pasted, with the ports of this system."""
        aws = f"http://127.0.0.1:{self.system.aws_port}"
        text = text.replace("localhost:8080", f"127.0.0.1:{self.system.port}")
        text = text.replace("localhost:4566", aws.removeprefix("http://"))
        return re.sub(r"--local\b", f"--endpoint-url {aws}", text)

    def paste(self, block: Block) -> tuple[int, str, str]:
        """Exit code, output and errors of a block, once all that came before is done with."""
        at_rest(self.system.client)
        if "$(date" in block.text:
            time.sleep(1)  # it names whole seconds, and means what was there before
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.here(block.text)],
            check=False,
            cwd=self.folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=BLOCK_SECONDS,
        )
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def reader(tmp_path):
    folder = tmp_path / "reader"
    folder.mkdir()
    system = System(tmp_path)
    system.data = folder / ".waybill"
    yield Reader(system.start(), folder)
    system.kill()


def faults_of(reader: Reader, block: Block) -> str:
    """What is wrong with a block's run; nothing where all is well."""
    code, out, err = reader.paste(block)
    expected = CURL_FAILED if tells_of_a_problem(block.answer) else 0
    wrong = [f"it ended with {code}, not {expected}"] if code != expected else []
    if block.answer:
        judge = missing_json if block.answer.language == "json" else missing_lines
        wrong += judge(block.answer.text, out)
    if not wrong:
        return ""
    return "\n".join(
        [f"{block.place}: {'; '.join(wrong)}", block.text, out[-3_000:], err[-2_000:]]
    )


def pasted(page: str) -> list[Block]:
    return [block for block in examples(page) if block.name not in EXEMPT]


@pytest.mark.parametrize("page", [page for page in PAGES if pasted(page)])
def test_the_examples_of_a_page_run(reader, page):
    faults = [fault for block in pasted(page) if (fault := faults_of(reader, block))]
    assert not faults, "\n\n".join(faults)


def tells_of_a_problem(answer: Block | None) -> bool:
    """Does it say that the last answer is an error?"""
    if answer is None or answer.language != "json":
        return False
    last = documents_in(answer.text)[-1]
    return "code" in last and last.get("status", 0) in range(400, 600)


# ---- What they answer


def documents_in(text: str) -> list[Any]:
    """Every JSON object of an output, in order; what stands between them is left out."""
    decoder, found, place = json.JSONDecoder(), [], 0
    while (place := text.find("{", place)) >= 0:
        try:
            _, end = decoder.raw_decode(text, place)
        except json.JSONDecodeError:
            place += 1
            continue
        found.append(read_json(text[place:end]))
        place = end
    return found


def missing_json(expected: str, out: str) -> list[str]:
    """The answers that a page tells of and that did not come, in this order."""
    came, told, missing = documents_in(out), documents_in(expected), []
    assert told, f"no JSON: {expected}"
    for each in told:
        place = next((at for at, one in enumerate(came) if holds(each, one)), None)
        if place is None:
            missing.append(f"no such answer: {json.dumps(each, default=str)}")
        else:
            came = came[place + 1 :]
    return missing


def holds(told: Any, actual: Any) -> bool:
    """Is the actual value as told? `…` is anything, and what is left out is not compared."""
    if told == ANYTHING:
        return True
    if isinstance(told, dict) and isinstance(actual, dict):
        return all(name in actual and holds(told[name], actual[name]) for name in told)
    if isinstance(told, list) and isinstance(actual, list):
        rest = iter(actual)
        wanted = [each for each in told if each != ANYTHING]
        whole = len(wanted) == len(told)
        found = all(any(holds(each, one) for one in rest) for each in wanted)
        return found and (not whole or len(told) == len(actual))
    return type(told) is type(actual) and told == actual or is_same_number(told, actual)


def is_same_number(told: Any, actual: Any) -> bool:
    numbers = all(hasattr(each, "as_integer_ratio") for each in (told, actual))
    return numbers and not isinstance(told, bool) and told == actual


def missing_lines(expected: str, out: str) -> list[str]:
    """The lines that a page tells of and that did not come, in this order."""
    lines, missing = [line.rstrip() for line in out.splitlines()], []
    for told in filter(str.strip, expected.splitlines()):
        pattern = re.compile(".*".join(map(re.escape, told.rstrip().split(ANYTHING))))
        place = next(
            (at for at, one in enumerate(lines) if pattern.fullmatch(one)), None
        )
        if place is None:
            missing.append(f"no such line: {told!r}")
        else:
            lines = lines[place + 1 :]
    return missing


@pytest.mark.parametrize(
    ("told", "out"),
    [
        ('{"a":1}', '{"a":2}'),
        ('{"a":1}', '{"b":1}'),
        ('{"a":1}', "nothing"),
        ('{"a":true}', '{"a":1}'),
        ('{"a":"1"}', '{"a":1}'),
        ('{"a":[1]}', '{"a":[1,2]}'),
        ('{"a":["…",3]}', '{"a":[1,2]}'),
        ('{"a":1}{"a":2}', '{"a":2}{"a":1}'),
        ('{"a":0.10}', '{"a":0.11}'),
    ],
)
def test_an_answer_that_did_not_come_is_missed(told, out):
    assert missing_json(told, out)


def test_an_answer_that_came_is_found_among_others():
    out = 'x {"n":1}\n{\n "a": [1, {"b": "t", "c": 2.50}, 3]\n}'
    for told in ('{"a":["…",{"c":2.5}]}', '{"a":"…"}', '{"n":1}{"a":[1,{"b":"…"},3]}'):
        assert missing_json(told, out) == []
    assert missing_lines("one … three\nlast", "0\none 2 three\nlast\n") == []
    assert missing_lines("last\none … three", "0\none 2 three\nlast\n")


# ---- The pages themselves


def test_every_block_says_what_it_is():
    for page in PAGES:
        text = text_of(page)
        assert text.count("```") == 2 * len(blocks(page)), f"{page}: a fence is open"
        for block in blocks(page):
            assert block.language in LANGUAGES, f"{block.place}: {block.language!r}"


def test_what_does_not_run_is_there():
    assert EXEMPT.keys() <= {block.name for page in PAGES for block in examples(page)}


def test_the_reader_exports_what_the_readme_says(reader):
    (export,) = [
        block.text for block in examples("README.md") if "export" in block.text
    ]
    said = dict(word.split("=") for word in export.split()[1:])
    assert said and said.items() <= reader._env.items()


def test_the_pages_can_be_read_in_a_sitting():
    for page in PAGES:
        most = README_LINES if page == "README.md" else PAGE_LINES
        assert len(text_of(page).splitlines()) <= most, page


def prose(page: str) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*\n(?:.*\n)*?```[ ]*$", "", text_of(page), flags=re.MULTILINE)


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        number = 1
        anchor = name
        while anchor in found:
            anchor, number = f"{name}-{number}", number + 1
        found.add(anchor)
    return found


def links(page: str) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", prose(page))


def led_to(page: str, link: str) -> tuple[str, str]:
    """The page and the anchor that a link leads to."""
    path, _, anchor = link.partition("#")
    target = (REPOSITORY / page).parent / path if path else REPOSITORY / page
    return os.path.relpath(target.resolve(), REPOSITORY), anchor


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    for link in links(page):
        if link.startswith("https://"):
            continue
        target, anchor = led_to(page, link)
        assert (REPOSITORY / target).is_file(), f"{page}: {link}"
        assert not anchor or anchor in anchors(target), f"{page}: {link}"


def test_the_readme_leads_to_every_page():
    assert {led_to("README.md", link)[0] for link in links("README.md")} >= set(
        PAGES[1:]
    )


def test_every_page_of_the_repository_is_one_of_these():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )
    assert set(listed.stdout.split()) == set(PAGES)


# What `make` puts into the tree.
INSTALLED = ("infra/cdk/.venv", "infra/cdk/node_modules")


@pytest.mark.parametrize("page", PAGES)
def test_every_path_in_backticks_is_there(page):
    places = "commands|domain|infra|projectors|tests"
    for path in re.findall(rf"`((?:{places})/[\w./-]*)`", prose(page)):
        there = path.startswith(INSTALLED) or (REPOSITORY / path).exists()
        assert there, f"{page}: {path}"


@pytest.fixture(scope="module")
def functions() -> dict[str, str]:
    """By the names of files, the text of all that are called so and hold tests."""
    found: dict[str, str] = {}
    for place in ("commands", "domain", "infra", "projectors", "tests"):
        for folder, subfolders, files in os.walk(REPOSITORY / place):
            unwanted = {"target", ".venv", "node_modules", "cdk.out", "corpus"}
            subfolders[:] = [each for each in subfolders if each not in unwanted]
            for file in files:
                if file.endswith((".py", ".rs")):
                    text = (Path(folder) / file).read_text()
                    found[file] = found.get(file, "") + text
    return found


@pytest.mark.parametrize("page", PAGES)
def test_every_test_in_backticks_is_there(page, functions):
    for file, test in re.findall(r"`([\w.]+\.(?:py|rs))::(\w+)`", prose(page)):
        there = re.search(rf"\b(?:def|fn) {test}\(", functions.get(file, ""))
        assert there, f"{page}: {file}::{test}"


# ---- Lists that must be whole


def said_by(*words: str) -> str:
    done = subprocess.run(
        [str(binary()), *words], check=True, capture_output=True, text=True
    )
    return done.stdout


def test_every_flag_is_on_the_page_of_the_local_system():
    page = text_of("infra/local/README.md")
    # What is said of a flag may stand on the next line; it ends where the next flag begins.
    flag = re.compile(r"^ +(--[\w-]+) (?:(?!\n +--).)*?\[env: (\w+)=", re.M | re.S)
    told = flag.findall(said_by("local", "-h"))
    assert len(told) > 5
    for flag, variable in told:
        assert f"| `{flag}` | `{variable}` |" in page, flag


def test_every_subcommand_is_on_a_page():
    page = text_of("infra/operator/README.md") + text_of("infra/local/README.md")
    told = re.findall(r"^  (\w+)  ", said_by("--help"), re.MULTILINE)
    assert len(told) > 5
    for name in set(told) - {"help"}:
        assert f"`waybill {name}" in page, name


def test_every_route_is_on_a_page():
    pages = {
        "get": text_of("projectors/README.md"),
        "post": text_of("commands/README.md"),
        "delete": text_of("commands/README.md"),
    }
    for path, item in documents.openapi()["paths"].items():
        for method in item.keys() & pages.keys():
            assert f"`{method.upper()} {path}`" in pages[method], f"{method} {path}"


def test_every_code_of_a_problem_is_on_the_page_of_commands():
    page = text_of("commands/README.md")
    for code in documents.openapi()["components"]["schemas"]["ProblemCode"]["enum"]:
        assert f"`{code}`" in page, code
