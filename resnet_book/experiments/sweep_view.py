"""Show on standard error how far a sweep's runs are: bars on a terminal, lines elsewhere; and sum up at the end."""

import sys
from collections.abc import Mapping, Sequence, Sized
from typing import NoReturn

from tqdm import tqdm

from resnet_book.experiments import catalogue
from resnet_book.experiments.order import Run
from resnet_book.experiments.run import Begun

WHOLE = "{desc} {percentage:3.0f}%|{bar}| {n_fmt} of {total_fmt} multiply-adds, {elapsed}, about {remaining} left"
ONE = "{desc} {percentage:3.0f}%|{bar}| {n_fmt} of {total_fmt} iterations, {rate_fmt}{postfix}"


class View:
    """A bar for each run under way, and one for all ``runs``; ``begun``: how far some are. Nothing if ``quiet``."""

    def __init__(self, runs: Sequence[Run], begun: Mapping[Run, Begun], quiet: bool) -> None:
        self.quiet, self.live = quiet, sys.stderr.isatty() and not quiet
        self.at = {run: begun[run].iteration if run in begun else 0 for run in runs}
        self.bars = dict[Run, "tqdm[NoReturn]"]()
        if self.live:
            efforts = {run: run.effort for run in runs}
            total = sum(catalogue.get(run.name).recipe.iterations * efforts[run] for run in runs)
            done = sum(self.at[run] * efforts[run] for run in runs)
            self.whole = tqdm(desc="all", total=total, initial=done, unit_scale=True, bar_format=WHOLE, smoothing=0.05)

    def begin(self, run: Run) -> None:
        """A worker has taken the run."""
        if self.live:
            total = catalogue.get(run.name).recipe.iterations
            self.bars[run] = tqdm(
                desc=str(run), total=total, initial=self.at[run], unit="it", bar_format=ONE, leave=False
            )
        else:
            self.say(f"{run}: starting" + (f" at {self.at[run]:,} iterations" if self.at[run] else ""))

    def move(self, run: Run, iteration: int, test_error: float | None) -> None:
        """The run has come so far; not always further: a killed worker's run begins again from its checkpoint."""
        if self.live and run in self.bars:
            if test_error is not None:
                self.bars[run].set_postfix_str(f"test error {test_error:.2f} %", refresh=False)
            self.bars[run].update(iteration - self.bars[run].n)
            self.whole.update((iteration - self.at[run]) * run.effort)
        self.at[run] = iteration

    def end(self, run: Run) -> None:
        """No worker has the run any more."""
        if run in self.bars:
            self.bars.pop(run).close()

    def say(self, text: str) -> None:
        """Write a line that stays."""
        if not self.quiet:
            tqdm.write(text, file=sys.stderr)

    def close(self) -> None:
        """Take the bars away."""
        for run in list(self.bars):
            self.end(run)
        if self.live:
            self.whole.leave = False
            self.whole.close()


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
