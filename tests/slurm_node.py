"""A real Slurm of one node on this machine, for the tests of the sweep: munged, slurmctld and slurmd, all in a folder.

It needs root and Debian's packages ``slurm-wlm`` and ``munge``.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scancel", "squeue", "sinfo")
START_SECONDS = 60
END_SECONDS = 20

CONFIGURATION = """
ClusterName=book
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
KillWait=30
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def why_not() -> str | None:
    """Why no Slurm can be started here, or None where it can."""
    missing = [program for program in PROGRAMS if not _find(program)]
    if missing:
        return f"{', '.join(missing)} not installed (Debian: slurm-wlm and munge)"
    return None if os.geteuid() == 0 else "only root can start munged and slurmd"


@contextmanager
def running(folder: Path) -> Iterator[dict[str, str]]:
    """A Slurm whose node waits for jobs; yields the environment variables that its commands need. Ends it after."""
    folder.chmod(0o755)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    controller_port, node_port = _free_ports(2)
    host = socket.gethostname().split(".")[0]
    configuration = folder / "slurm.conf"
    configuration.write_text(
        CONFIGURATION.format(host=host, folder=folder, controller_port=controller_port, node_port=node_port)
    )
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    environment = {"SLURM_CONF": str(configuration)}
    munge = [f"--{name}={folder}/munge.{end}" for name, end in (("socket", "socket"), ("pid-file", "pid"))]
    munge += [f"--log-file={folder}/munge.log", f"--seed-file={folder}/munge.seed", f"--key-file={key}", "--force"]
    try:
        _start("munged", *munge)
        _start("slurmctld", "-f", str(configuration))
        _start("slurmd", "-f", str(configuration))
        end = time.monotonic() + START_SECONDS
        while _ask(environment, "sinfo", "--noheader", "--format=%T") != "idle":
            assert time.monotonic() < end, (folder / "slurmctld.log").read_text()[-2_000:]
            time.sleep(0.2)
        yield environment
    finally:
        end = time.monotonic() + END_SECONDS
        while jobs(environment) and time.monotonic() < end:  # slurmd waits for them
            _ask(environment, "scancel", "--signal=KILL", "--full", "--user=root")
            time.sleep(0.5)
        for name in ("slurmd", "slurmctld", "munge"):
            with suppress(OSError, ValueError):
                os.kill(int((folder / f"{name}.pid").read_text()), signal.SIGTERM)


def jobs(environment: dict[str, str]) -> dict[str, str]:
    """The jobs in Slurm's queue and their states, as ``{"7": "RUNNING"}``."""
    lines = _ask(environment, "squeue", "--noheader", "--format=%i %T").splitlines()
    return dict(line.split() for line in lines)


def cancel(environment: dict[str, str], job: str) -> None:
    """Cancel a job as its owner would: SIGTERM, and SIGKILL half a minute later."""
    _ask(environment, "scancel", job)


def _ask(environment: dict[str, str], *command: str) -> str:
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=30, check=False
    )
    return done.stdout.strip()


def _start(program: str, *options: str) -> None:
    """Start a daemon, which puts itself into the background."""
    subprocess.run([_find(program) or program, *options], check=True, timeout=30, capture_output=True)


def _find(program: str) -> str | None:
    return shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
