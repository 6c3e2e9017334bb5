"""The stacks of `infra/cdk`, deployed by the CDK's own command line."""

import json
import os
import subprocess
import time
from pathlib import Path

from process import ACCOUNT, REGION, REPOSITORY, WORK, Emulator, environment

# Another app, such as a copy with a planted defect, is tested by `E2E_CDK_APP`.
CDK_APP = Path(os.environ.get("E2E_CDK_APP", REPOSITORY / "infra/cdk"))
CLI = CDK_APP / "node_modules/.bin/cdk"

# A name of its own beside `dev`, whose settings it takes.
ENVIRONMENT = "dev-e2e"

# The longest that one command may take; the first deployment makes everything.
COMMAND_SECONDS = 300


class Deployment:
    """Waybill in one emulator. What the command line says is in `cdk.log`."""

    def __init__(self, emulator: Emulator, binaries: Path):
        self.emulator = emulator
        self.binaries = binaries
        self.log = emulator.folder / "cdk.log"
        self.outputs: dict[str, str] = {}

    def bootstrap(self) -> None:
        # Not where the app lies: it is not asked for.
        self._run(["bootstrap", f"aws://{ACCOUNT}/{REGION}"], self.emulator.folder)

    def deploy(self, binaries: Path | None = None, **context: str) -> None:
        """All stacks, with these executables."""
        self.binaries = binaries or self.binaries
        outputs = self.emulator.folder / "outputs.json"
        self._cdk(
            *("deploy", "--all", "--require-approval", "never", "--progress", "events"),
            *("--outputs-file", str(outputs)),
            **context,
        )
        stacks = json.loads(outputs.read_text())
        self.outputs = {name: value for stack in stacks.values() for name, value in stack.items()}

    def destroy(self) -> None:
        self._cdk("destroy", "--all", "--force")

    def _cdk(self, command: str, *arguments: str, **context: str) -> None:
        given = {"env": ENVIRONMENT, "binaries": str(self.binaries), **context}
        if self.emulator.enforce_iam:
            # The bootstrap's own roles are not what is tested, and the emulator refuses them.
            given["credentials"] = "cli"
        flags = [word for pair in given.items() for word in ("--context", "=".join(pair))]
        assembly = ("--output", str(self.emulator.folder / "cdk.out"))
        self._run([command, *arguments, *flags, *assembly], CDK_APP)

    def _run(self, words: list[str], folder: Path) -> None:
        line = [str(CLI), *words]
        # The node of the app's own tools, wherever it is installed: a machine needs none.
        tools = (REPOSITORY / "infra/cdk/.venv/bin").resolve()
        variables = environment(
            PATH=f"{tools}:{os.environ['PATH']}",
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",
            AWS_REGION=REGION,
            AWS_DEFAULT_REGION=REGION,
            AWS_ENDPOINT_URL=self.emulator.url,
            AWS_ENDPOINT_URL_S3=self.emulator.url,
            # The rules of the library are checked where the stacks are, not with every deployment.
            CDK_VALIDATION="false",
            CI="true",
        )
        started = time.monotonic()
        with self.log.open("ab") as log:
            log.write(f"\n$ cdk {' '.join(words)}\n".encode())
            log.flush()
            done = subprocess.run(
                ["timeout", "--kill-after=10", str(COMMAND_SECONDS), *line],
                cwd=folder,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            log.write(f"{done.returncode} after {time.monotonic() - started:.0f} s\n".encode())
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])
        assert done.returncode == 0, f"cdk {words[0]} ended with {done.returncode}:\n{tail}"


def built() -> Path:
    """The executables as Lambda wants them, `<executable>/bootstrap`."""
    binaries = WORK / "binaries"
    for executable in ("commands", "projectors"):
        path = binaries / executable / "bootstrap"
        assert path.exists(), f"{path} is not there: make e2e-binaries"
    return binaries


def another_build(binaries: Path, folder: Path) -> Path:
    """The same executables with other bytes: whoever deploys them has new code."""
    for executable in ("commands", "projectors"):
        copy = folder / executable / "bootstrap"
        copy.parent.mkdir(parents=True)
        copy.write_bytes((binaries / executable / "bootstrap").read_bytes() + b"\n")
        copy.chmod(0o755)
    return folder
