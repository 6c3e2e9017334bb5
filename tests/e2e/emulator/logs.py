"""What the functions log, line by line in one file: `<function> <line>`.

ministack keeps logs in memory, and gathers them at the end of an invocation; a run that fails is
read best from a file that has every line.
"""

import os
import threading
from pathlib import Path

from ministack.core.lambda_runtime import ProvidedWorker

WRITING = threading.Lock()


class Tee:
    """A function's output, of which each line is written down as it is read."""

    def __init__(self, stream, name: str, path: Path):
        self.stream, self.name, self.path = stream, name, path

    def readline(self) -> bytes:
        line = self.stream.readline()
        if line:
            with WRITING, self.path.open("ab") as out:
                out.write(self.name.encode() + b" " + line)
        return line

    def close(self) -> None:
        self.stream.close()


def install() -> None:
    """Writes all functions' output to the file that `E2E_FUNCTION_LOGS` names."""
    path = Path(os.environ["E2E_FUNCTION_LOGS"])
    pump = ProvidedWorker._pump_output

    def pumped(worker, stream, lines):
        return pump(worker, Tee(stream, worker.func_name, path), lines)

    ProvidedWorker._pump_output = pumped
