"""Files that lie beside a record and say what was measured in its network: written whole, checked whenever read.

``seed<k>.lesions.json`` is one kind. Each file names the SHA-256 of the weights that the run left, so that it is never
taken for one of another network. Unlike a record it may be overwritten. What was measured in these weights can be
measured again; what was measured in others, along the way, only by whoever kept them.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

from pydantic import Field
from typing_extensions import TypedDict

from resnet_book.engine.files import write_atomically
from resnet_book.experiments import records
from resnet_book.experiments.checked_json import Checked, RecordError, Sha256, read_checked, read_each
from resnet_book.experiments.record_checks import MOST_LOSS, require, require_machine
from resnet_book.experiments.records import Record
from resnet_book.recipe import Part

Count = Annotated[int, Field(ge=0)]
Size = Annotated[float, Field(ge=0, le=MOST_LOSS)]
Seconds = Annotated[float, Field(gt=0, le=1e9)]


class Machine(TypedDict):
    """What computed, as ``engine.machine.describe``."""

    device: str
    threads: int | None
    processes: int
    precision: str
    compiled: bool
    torch: str
    cuda: str | None
    python: str
    commit: str | None
    dirty: bool | None


def require_measured(made_by: Machine, started: str, seconds: float) -> None:
    """Raise ValueError unless one process can have measured this so, in float32."""
    how = made_by["processes"], made_by["precision"], made_by["compiled"]
    require(how == (1, "float32", False), f"made_by: processes, precision, compiled are {how}")
    require_machine("made_by.", Part(0, 0, seconds, started=started, **made_by))


class Kept(Checked):
    """What every such file begins with."""

    schema_version: int
    experiment: str
    seed: Count
    weights_sha256: Sha256 | None  # of the network, as its record has it; None: none were kept


class KeptOfTraining(Kept):
    """What a file begins with whose numbers are of training images alone."""

    train_sha256: Sha256  # of the whole training set, as ImageSet.sha256
    images: Annotated[int, Field(ge=1)]  # the first training images


def require_same_images(found: KeptOfTraining, record: Record) -> None:
    """Raise ValueError unless the images are those of the run."""
    train = record.dataset["train"]
    same = found.train_sha256 == train["sha256"] and found.images <= train["images"]
    require(same, "is of other images than this run's")


K = TypeVar("K", bound=Kept)


@dataclass(frozen=True)
class Kind(Generic[K]):
    """One kind of file: what it holds, how its name ends, and the command that makes it.

    ``require_fit`` raises ValueError, with what is amiss, for a sound file that is not of the run with the record.
    """

    model: type[K]
    ending: str  # behind "seed<k>"
    schema_version: int
    command: str
    require_fit: Callable[[K, Record], None] = lambda found, record: None

    def path_of(self, record: str | Path) -> Path:
        """Where the file of the run lies whose record lies, or would lie, at ``record``."""
        return Path(record).with_suffix(self.ending)

    def write(self, content: dict[str, Any], record: Record, path: str | Path) -> K:
        """Write ``content``, with what every such file begins with, beside ``record`` at ``path``; return it all."""
        head = {
            "schema_version": self.schema_version,
            "experiment": record.experiment,
            "seed": record.seed,
            "weights_sha256": record.weights_sha256,
        }
        checked = self.model.model_validate_json(json.dumps(head | content))
        text = json.dumps(checked.model_dump(), indent=1, allow_nan=False) + "\n"
        write_atomically(self.path_of(path), lambda file: file.write(text.encode()))
        return checked

    def read(self, experiment: str, seed: int = 0, results: str | Path | None = None) -> K | None:
        """What lies beside the record of a run; None where nothing does.

        Raises RecordError where the run is not recorded, and for a file that is damaged, of another schema, or not of
        this run and the weights that it left.
        """
        path = records.path_of(records.find_results(results), experiment, seed)
        record, file = records.load_record(path), self.path_of(path)
        return self.load(file, record) if file.exists() else None

    def read_all(self, results: str | Path | None = None) -> list[K]:
        """All that lie beside records, by experiment, then seed. Raises RecordError that names each unsound one."""
        folder = records.find_results(results)

        def read(file: str | Path) -> K:
            return self.load(file, records.load_record(str(file).removesuffix(self.ending) + ".json"))

        found = read_each(folder.glob(f"*/seed*{self.ending}"), read)
        return sorted(found, key=lambda each: (each.experiment, each.seed))

    def load(self, file: str | Path, record: Record) -> K:
        """What the ``file`` holds, of the run that left ``record``. Raises RecordError as ``read``."""
        again = f"`resnet-book {self.command} {record.experiment} --seed {record.seed}`"
        mend = f"Restore it, from git for example, or move it away and make it again: {again}."
        found = read_checked(file, self.model, self.schema_version, f"a sound {self.command} file", mend)
        try:
            if (found.experiment, found.seed) != (record.experiment, record.seed):
                raise ValueError(f"holds {found.experiment}, seed {found.seed}")
            if found.weights_sha256 != record.weights_sha256:
                raise ValueError("is of other weights than this run left (another SHA-256)")
            self.require_fit(found, record)
        except ValueError as error:
            raise RecordError(f"{file} {error}. {mend}") from error
        return found
