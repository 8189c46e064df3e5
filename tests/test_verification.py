"""`resnet-book verify`: what is sound passes, and whatever was changed is named."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from resnet_book.cli.main import main
from resnet_book.experiments import records, verification
from resnet_book.experiments.checked_json import RecordError

RESULTS = Path(__file__).parent.parent / "results"
BUILTIN, TAKEN_APART = "resnet20-builtin-smoke", "resnet20-cifar10-short"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder with two recorded runs, all files beside them, and its list of checksums."""
    folder, lines = tmp_path / "results", list[str]()
    for name in (BUILTIN, TAKEN_APART):
        (folder / name).mkdir(parents=True)
        for path in sorted((RESULTS / name).glob("seed0.*")):
            shutil.copyfile(path, folder / name / path.name)
            lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}/{path.name}\n")
    (folder / "SHA256SUMS").write_text("".join(lines))
    return folder


def change(path: Path, act: Callable[[dict], object]) -> None:
    """Change what a JSON file holds."""
    content = json.loads(path.read_text())
    act(content)
    path.write_text(json.dumps(content))


@pytest.mark.slow
def test_all_that_this_book_recorded_is_sound(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--results", str(RESULTS)]) == 0
    said = capsys.readouterr().out
    assert said.endswith("All sound.\n")
    assert f"records: {len([path for path in RESULTS.glob('*/seed*.json') if '.' not in path.stem])}\n" in said


def test_of_a_named_experiment_it_checks_that_alone_and_says_what_to_cite(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (results / BUILTIN / "seed0.json").write_bytes(b"damaged")
    record = records.load_record(results / TAKEN_APART / "seed0.json")
    assert main(["verify", TAKEN_APART, "--results", str(results)]) == 0
    said = capsys.readouterr().out.splitlines()
    (line,) = [line for line in said if line.startswith(f"{TAKEN_APART}, seed 0: test error {record.test_error:.2f} %")]
    assert f"the last of {len(record.epochs)} tests" in line
    for origin in (record.device, record.precision, record.torch_version, record.commit):
        assert origin in line
    sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (results / TAKEN_APART).iterdir()}
    assert set(said) >= {f"  {TAKEN_APART}/{name}: SHA-256 {checksum}" for name, checksum in sums.items()}
    assert not any(BUILTIN in line for line in said)
    assert main(["verify", TAKEN_APART, BUILTIN, "--results", str(results)]) == 1
    assert main(["verify", "plain32-cifar10", "--results", str(results)]) == 1
    assert "holds no record of plain32-cifar10" in capsys.readouterr().err


def test_of_a_named_experiment_the_network_alone_is_tested_again(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", BUILTIN, "--again", "--results", str(results), "--data", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert f"{BUILTIN}, seed 0: test error " in said
    assert " % now" in said
    assert TAKEN_APART not in said


KINDS = {"records", "networks", "feature studies", "lesions", "landscapes", "signals"}
ENDINGS = [".json", ".safetensors", ".study.safetensors", ".lesions.json", ".landscape.json", ".signals.json"]


def test_every_kind_of_file_is_counted(results: Path) -> None:
    told = list[str]()
    verification.verify(results, told.append)
    counted = dict(line.split(": ") for line in told)
    files = len((results / "SHA256SUMS").read_text().splitlines())
    assert counted.pop("files that are as SHA256SUMS has them") == str(files)
    assert counted.keys() == KINDS
    assert sum(map(int, counted.values())) == files
    assert all(int(number) > 0 for number in counted.values())


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_changed_byte_is_named_with_its_file(ending: str, results: Path) -> None:
    path = results / TAKEN_APART / f"seed0{ending}"
    content = path.read_bytes()
    path.write_bytes(content.replace(b"\n", b"\n ", 1) if ending.endswith("json") else content + b"\n")
    with pytest.raises(RecordError, match=rf"seed0{ending} was changed"):
        verification.verify(results)


@pytest.mark.parametrize("ending", ENDINGS)
def test_without_a_list_what_is_damaged_is_named_too(ending: str, results: Path) -> None:
    (results / "SHA256SUMS").unlink()
    path = results / TAKEN_APART / f"seed0{ending}"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(RecordError, match=rf"seed0{ending} "):
        verification.verify(results)


def test_all_that_is_damaged_is_named_at_once_and_the_command_fails(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (results / "SHA256SUMS").unlink()
    change(results / TAKEN_APART / "seed0.lesions.json", lambda content: content["cuts"].pop())
    shutil.copyfile(results / TAKEN_APART / "seed0.safetensors", results / BUILTIN / "seed0.safetensors")
    assert main(["verify", "--results", str(results)]) == 1
    printed = capsys.readouterr()
    assert "There is no SHA256SUMS" in printed.out
    assert "All sound" not in printed.out
    assert f"{TAKEN_APART}/seed0.lesions.json" in printed.err
    assert f"{BUILTIN}/seed0.safetensors" in printed.err


def test_files_of_a_run_that_is_not_recorded_and_folders_without_records_are_no_sound_ones(
    results: Path, tmp_path: Path
) -> None:
    (results / TAKEN_APART / "seed0.json").unlink()
    (results / BUILTIN / "seed0.notes.json").write_text("{}")
    with pytest.raises(RecordError, match="this run is not recorded here") as refused:
        verification.verify(results)
    assert "seed0.notes.json is no file that belongs beside a record" in str(refused.value)
    with pytest.raises(RecordError, match="holds no records"):
        verification.verify(tmp_path / BUILTIN)


@pytest.mark.parametrize(
    "name", ["seed0 (copy).json", "seed00.json", "seed.json", "seed٣.safetensors", f"seed{10**20}.json"]
)
def test_a_file_whose_name_is_not_that_of_a_seed_is_no_sound_one(name: str, results: Path) -> None:
    shutil.copyfile(results / BUILTIN / "seed0.json", results / BUILTIN / name)
    with pytest.raises(RecordError, match=re.escape(f"{name} is no file that belongs beside a record")):
        verification.verify(results)


@pytest.mark.parametrize("line", ["", f"{64 * 'a'}  /nowhere/seed0.json"])
def test_a_list_that_is_none_is_named_with_its_line(line: str, results: Path) -> None:
    with (results / "SHA256SUMS").open("a") as file:
        file.write(f"{line}\n")
    told = list[str]()
    with pytest.raises(RecordError, match=r"SHA256SUMS, line \d+, is not a checksum"):
        verification.verify(results, told.append)
    assert not any("not here" in line for line in told)


def test_a_damaged_name_in_the_list_is_told_from_both_sides(results: Path) -> None:
    path = results / "SHA256SUMS"
    content = path.read_bytes().replace(f"{BUILTIN}/seed0.json".encode(), f"{BUILTIN}/seed\xff.json".encode("latin-1"))
    path.write_bytes(content)
    told = list[str]()
    verification.verify(results, told.append)
    assert f"files of SHA256SUMS that are not here: {BUILTIN}/seed\\xff.json" in told
    assert f"files that SHA256SUMS lacks, which were not compared: {BUILTIN}/seed0.json" in told


def test_files_of_the_list_that_are_not_here_are_named(results: Path) -> None:
    (results / BUILTIN / "seed0.safetensors").unlink()
    told = list[str]()
    verification.verify(results, told.append)
    assert f"files of SHA256SUMS that are not here: {BUILTIN}/seed0.safetensors" in told


def test_a_network_that_no_longer_makes_its_recorded_error_is_named(results: Path) -> None:
    shutil.rmtree(results / TAKEN_APART)
    told = list[str]()
    verification.repeat_tests(results, tell=told.append)
    assert told[0].startswith(f"{BUILTIN}, seed 0: test error ")

    def improve(content: dict) -> None:
        content["epochs"][-1]["test_error"] -= 1

    change(results / BUILTIN / "seed0.json", improve)
    with pytest.raises(RecordError, match="do not trust either"):
        verification.repeat_tests(results)


def test_a_network_whose_images_are_not_here_is_passed_over(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(results / BUILTIN)
    monkeypatch.delenv("RESNET_BOOK_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    told = list[str]()
    verification.repeat_tests(results, tell=told.append)
    (line,) = told
    assert line.endswith("cifar10 is not here to test it again")


def test_a_folder_of_data_that_was_named_and_has_no_images_is_a_fault(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", TAKEN_APART, "--again", "--data", "nowhere", "--results", str(results)]) == 1
    said = capsys.readouterr()
    assert "nowhere" in said.err
    assert "All sound" not in said.out
