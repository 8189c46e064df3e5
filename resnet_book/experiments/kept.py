"""Files that lie beside a record and can be made again from the weights: written whole, checked whenever they are read.

``seed<k>.lesions.json`` is one kind. Each file names the SHA-256 of the weights that it was made from, so that it is
never taken for one of another network. Unlike a record it may be overwritten.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from resnet_book.engine.checkpoints import write_atomically
from resnet_book.experiments import records
from resnet_book.experiments.records import RecordError, Sha256

Count = Annotated[int, Field(ge=0)]
Size = Annotated[float, Field(ge=0)]


class Checked(BaseModel):
    """What is read from a file: every field there, of its type, finite, and none besides."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Kept(Checked):
    """What every such file begins with."""

    schema_version: int
    experiment: str
    seed: Count
    weights_sha256: Sha256 | None  # of the network, as its record has it; None: none were kept


K = TypeVar("K", bound=Kept)


@dataclass(frozen=True)
class Kind(Generic[K]):
    """One kind of file: what it holds, how its name ends, and the command that makes it."""

    model: type[K]
    ending: str  # behind "seed<k>"
    schema_version: int
    command: str

    def path_of(self, record: str | Path) -> Path:
        """Where the file of the run lies whose record lies, or would lie, at ``record``."""
        return Path(record).with_suffix(self.ending)

    def write(self, content: dict[str, Any], record: str | Path) -> Path:
        """Check ``content`` and write it beside ``record``; returns its path."""
        checked = self.model.model_validate_json(json.dumps(content))
        text = json.dumps(checked.model_dump(), indent=1, allow_nan=False) + "\n"
        write_atomically(self.path_of(record), lambda file: file.write(text.encode()))
        return self.path_of(record)

    def read(self, experiment: str, seed: int, results: str | Path | None = None) -> K | None:
        """What lies beside the record of a run; None where nothing does.

        Raises RecordError where the run is not recorded, and for a file that is damaged, of another schema, or of other
        weights than the run left.
        """
        path = records.path_of(records.find_results(results), experiment, seed)
        record, file = records.load_record(path), self.path_of(path)
        if not file.exists():
            return None
        again = f"`resnet-book {self.command} {experiment} --seed {seed}`"
        mend = f"Restore it, from git for example, or make it again: {again}."
        try:
            found = self.model.model_validate_json(file.read_bytes())
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            problem = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
            raise RecordError(f"{file} is not sound ({problem}). {mend}") from error
        except OSError as error:
            raise RecordError(
                f"{file} cannot be read ({error.strerror}). Check the file and its permissions."
            ) from error
        if found.schema_version != self.schema_version:
            versions = f"has schema version {found.schema_version}, this code reads {self.schema_version}"
            raise RecordError(f"{file} {versions}. {mend}")
        if (found.experiment, found.seed) != (experiment, seed):
            raise RecordError(f"{file} holds {found.experiment}, seed {found.seed}. {mend}")
        if found.weights_sha256 != record.weights_sha256:
            raise RecordError(f"{file} is of other weights than this run left (another SHA-256). {mend}")
        return found

    def read_all(self, results: str | Path | None = None) -> list[K]:
        """All that lie beside records, by experiment, then seed. Raises RecordError as ``read``."""
        folder = records.find_results(results)
        found = [
            self.read(path.parent.name, int(path.name.removesuffix(self.ending).removeprefix("seed")), folder)
            for path in sorted(folder.glob(f"*/seed*{self.ending}"))
        ]
        return [each for each in found if each is not None]
