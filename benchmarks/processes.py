"""Run each measurement in a process of its own: threads and the memory allocator are set once a process.

A process is a script that answers with lines of JSON: one when it is ready, then one each time that it is asked.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any


class Process:
    """A script that was started with ``arguments``, and with ``setting`` in its environment."""

    def __init__(self, script: str, *arguments: str, **setting: str) -> None:
        self.command = [sys.executable, script, *arguments]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.running = subprocess.Popen(self.command, env={**os.environ, **setting}, **pipes)

    def ask(self) -> None:
        """Let it measure once."""
        self.running.stdin.write("go\n")  # type: ignore[union-attr]  # it is a pipe
        self.running.stdin.flush()  # type: ignore[union-attr]

    def answer(self) -> Any:
        """What it says next, as soon as it does. Raises RuntimeError if it has ended."""
        if line := self.running.stdout.readline():  # type: ignore[union-attr]
            return json.loads(line)
        raise RuntimeError(f"A process ended too early; its message is above. It was: {' '.join(self.command)}")

    def end(self) -> None:
        """Let it end, and wait until it has."""
        self.running.communicate()


def serve(ready: object, measure: Callable[[], object]) -> None:
    """Be such a process: answer ``ready``, then measure and answer whenever asked, until nobody can ask any more."""
    print(json.dumps(ready), flush=True)
    for _ in sys.stdin:
        print(json.dumps(measure()), flush=True)
