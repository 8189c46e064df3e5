"""Bring records of schema 1 to schema 2, in place: `python results/migrate.py [FOLDER]`. No number changes."""

import hashlib
import json
import re
import sys
from dataclasses import asdict, fields
from pathlib import Path

from resnet_book.experiments import records
from resnet_book.recipe import Epoch, Recipe


def checksum(path: Path) -> str | None:
    """SHA-256 of a file; None where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


def migrated(old: dict, path: Path) -> dict:
    """The fields of schema 2: what was the environment of the run becomes its one part."""
    machine, iterations = dict(old["environment"]), old["recipe"]["iterations"]
    device = re.fullmatch(r"(.*?)(?:, (\d+) threads?)?", machine.pop("device"))
    assert device is not None
    part = {
        "first_iteration": 0,
        "last_iteration": iterations,
        "seconds": old["seconds"],
        "device": device[1],
        "threads": int(device[2]) if device[2] else None,
        "processes": machine.pop("processes", 1),
        **machine,
        "started": old["started"],
    }
    younger = {field.name: field.default for field in fields(Recipe) if field.name not in old["recipe"]}
    new = {
        **old,
        "schema_version": 2,
        "recipe": {**old["recipe"], **younger},
        "weights_sha256": checksum(path.with_suffix(".safetensors")),
        "study_sha256": checksum(path.with_suffix(".study.safetensors")),
        "parts": [part],
        "epochs": [asdict(Epoch(**row)) for row in old["epochs"]],
    }
    return {name: new.get(name) for name in records.Record.model_fields}


if __name__ == "__main__":
    for path in sorted(Path(*sys.argv[1:] or [Path(__file__).parent]).glob("*/seed*.json")):
        old = json.loads(path.read_text(encoding="utf-8"))
        if old["schema_version"] == 1:
            text = json.dumps(migrated(old, path), indent=1, allow_nan=False) + "\n"
            path.write_text(text, encoding="utf-8")
            records.load_record(path)
            print(path)
