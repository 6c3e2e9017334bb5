"""Starts ministack with everything of this package, until whoever started it has ended."""

import os
import signal
import threading
import time

from ministack import app

from . import deliveries, limits, logs, permissions, resources, streams


def end_with(parent: int) -> None:
    """Ends this process and its functions once the parent is gone, however it went."""
    while os.getppid() == parent:
        time.sleep(limits.PARENT_SECONDS)
    os.killpg(os.getpgid(0), signal.SIGKILL)


for part in (resources, deliveries, streams, permissions, logs):
    part.install()
threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
app.main()
