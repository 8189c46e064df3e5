"""Show on standard error what the queue does, and how far each run is.

On a terminal the runs have a line each, drawn again in place. Elsewhere, as in a file, there is a line at the start and
the end of each run, and one a minute in between.
"""

import shutil
import sys
import time
from collections.abc import Mapping, Sequence, Sized
from datetime import timedelta

from resnet_book.experiments.child import Child, Run
from resnet_book.experiments.progress import Progress

MINUTE = 60.0  # seconds between two lines where lines stay


class View:
    """Shows what the queue does, or nothing if ``quiet``."""

    def __init__(self, quiet: bool = False) -> None:
        self.stream, self.quiet = sys.stderr, quiet
        self.live = self.stream.isatty()
        self.drawn = 0  # lines of the block that is drawn again
        self.next = time.monotonic() + MINUTE  # when to write the next line where lines stay

    def begin(self, text: str) -> None:
        """Say that a run starts; on a terminal its own line does."""
        if not self.live:
            self.say(text)

    def say(self, text: str) -> None:
        """Write a line that stays."""
        if not self.quiet:
            self.clear()
            print(text, file=self.stream, flush=True)

    def show(self, lines: Sequence[str]) -> None:
        """Draw the lines in place of the last ones, or write them as one line once a minute."""
        if self.quiet:
            return
        if self.live:
            columns = shutil.get_terminal_size().columns - 1
            above = f"\x1b[{self.drawn}F" if self.drawn else ""  # up to where the last block began
            self.stream.write(above + "".join(f"{line[:columns]}\x1b[K\n" for line in lines) + "\x1b[J")
            self.stream.flush()
            self.drawn = len(lines)
        elif time.monotonic() >= self.next:
            self.next += MINUTE
            self.say("; ".join(lines))

    def clear(self) -> None:
        """Take the lines that ``show`` drew away."""
        if self.drawn:
            self.stream.write(f"\x1b[{self.drawn}F\x1b[J")
            self.stream.flush()
            self.drawn = 0


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    return str(timedelta(seconds=round(seconds)))


def steps(progress: Progress) -> str:
    """How far a run is, in iterations."""
    return f"{progress.iteration:,} of {progress.iterations:,} iterations"


def run_line(child: Child) -> str:
    """The line of a process: its run, how far it is, the error so far, how fast it is and how long it takes yet."""
    progress = child.progress
    if progress is None:
        return f"{child.run}: starting" + (f" at {steps(child.before)}" if child.before else "")
    parts = [steps(progress)]
    if progress.test_error is not None:
        parts.append(f"test error {progress.test_error:.2f} %")
    if progress.images_per_second:
        parts.append(f"{progress.images_per_second:,.0f} images/s")
        parts.append(f"{clock(child.run.images_left(progress) / progress.images_per_second)} left")
    return f"{child.run}: " + ", ".join(parts)


def summary(recorded: Mapping[Run, float], failed: Mapping[Run, str], left: Sequence[tuple[Run, str]]) -> str:
    """What became of the runs: recorded with which test error (%), failed and why, left and how far ("": not begun)."""
    lines = [f"Recorded: {_count(recorded)}"]
    lines += [f"  {run}: test error {error:.2f} %" for run, error in recorded.items()]
    if failed:
        lines.append(f"Failed: {_count(failed)}")
    for reason in dict.fromkeys(failed.values()):
        first, *others = (run for run, why in failed.items() if why == reason)
        lines.append(f"  {first}{f' and {len(others)} more' if others else ''}: {reason}")
    if left:
        lines.append(f"Left: {_count(left)}")
        lines += [f"  {run}: {state}" for run, state in left if state]
        untouched = [run for run, state in left if not state]
        lines += [f"  {len(untouched)} not begun, next {untouched[0]}"] if untouched else []
    return "\n".join(lines)


def _count(runs: Sized) -> str:
    return f"{len(runs)} run{'' if len(runs) == 1 else 's'}"
