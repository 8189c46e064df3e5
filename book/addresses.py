"""Know where the repository and the published book are, and put the addresses wherever they have to stand in words.

The one setting is ``[project.urls]`` in ``pyproject.toml``: Repository, and Documentation for the published book. The
pages read it when they are made. What is read where nothing is built cannot: ``CITATION.cff``, and the first cell of
each chapter, which installs the package in Colab. ``write`` changes the setting, and them with it.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode, urlparse

# What begins a chapter's code. A page leaves this cell out; where the package is installed, it installs nothing.
FIRST_CELL = """import os
from importlib.util import find_spec

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads that spin wait long on a busy machine
if not find_spec("resnet_book"):  # as in Colab
    get_ipython().run_line_magic("pip", "install --quiet {what}")
    assert find_spec("resnet_book"), "{otherwise}\""""
FIRST_CELL_HEAD = '# %% tags=["remove-cell"]\n'
PARAMETERS_HEAD = '# %% tags=["parameters"]\n'


class AddressError(ValueError):
    """An address, or a file that it is to be written to, is not as it should be; the message says what to do."""


@dataclass(frozen=True)
class Addresses:
    """Where the repository and the published book are; "" where there is no such address.

    However they were typed, the repository ends without a slash and ".git", and the book's address with one slash.
    The methods return the address of a page that does something with a file of the repository, ``path``, or "" where
    there is none: no address, no server, or a host whose pages are not known here.
    """

    repository: str = ""
    site: str = ""

    def __post_init__(self) -> None:
        repository, site = self.repository.rstrip("/").removesuffix(".git"), self.site.rstrip("/")
        object.__setattr__(self, "repository", repository)  # the dataclass is frozen
        object.__setattr__(self, "site", f"{site}/" if site else "")

    @property
    def host(self) -> str:
        """What runs the repository's host: "github", "gitlab", or "" for others."""
        name = urlparse(self.repository).netloc
        return next((host for host in ("github", "gitlab") if host in name), "")

    @property
    def name(self) -> str:
        """The repository's name at its host, "owner/name"."""
        return urlparse(self.repository).path.strip("/")

    @property
    def published(self) -> str:
        """Where the host publishes the pages of this repository if nothing else was arranged."""
        owner, _, name = self.name.rpartition("/")
        known = urlparse(self.repository).netloc in ("github.com", "gitlab.com") and "/" not in owner
        own = f"{owner.lower()}.{self.host}.io"
        return f"https://{own}/" + ("" if name.lower() == own else f"{name}/") if known else ""

    def edit(self, path: str, branch: str) -> str:
        """Edit the file."""
        between = {"github": "/edit/", "gitlab": "/-/edit/"}.get(self.host)
        return f"{self.repository}{between}{branch}/{quote(path)}" if between else ""

    def issue(self, title: str) -> str:
        """Open an issue with this title."""
        fields = {"github": ("/issues/new", "title"), "gitlab": ("/-/issues/new", "issue[title]")}.get(self.host)
        return f"{self.repository}{fields[0]}?{urlencode({fields[1]: title}, quote_via=quote)}" if fields else ""

    def colab(self, server: str, path: str, branch: str) -> str:
        """Open the notebook in Colab, which knows github.com alone."""
        known = server and urlparse(self.repository).netloc == "github.com"
        return f"{server}/github/{self.name}/blob/{branch}/{quote(path)}" if known else ""

    def binder(self, server: str, path: str, branch: str) -> str:
        """Open the notebook in Binder."""
        known = {"github.com": f"gh/{self.name}", "gitlab.com": f"gl/{quote(self.name, safe='')}"}
        source = known.get(urlparse(self.repository).netloc, f"git/{quote(self.repository, safe='')}")
        return f"{server}/v2/{source}/{branch}?urlpath=lab/tree/{quote(path)}" if server and self.repository else ""

    def jupyterhub(self, server: str, path: str, branch: str) -> str:
        """Fetch the repository into a JupyterHub that has nbgitpuller, and open the notebook there."""
        folder = self.name.rpartition("/")[2]
        query = urlencode({"repo": self.repository, "branch": branch, "urlpath": f"lab/tree/{folder}/{path}"})
        return f"{server}/hub/user-redirect/git-pull?{query}" if server and self.repository else ""

    @property
    def first_cell(self) -> str:
        """The source of a chapter's first code cell: pip installs the repository, or a wheel beside the notebook."""
        if self.repository:
            what, otherwise = f"git+{self.repository}", "pip says above why the package was not installed."
        else:
            what = "--no-index --find-links . resnet-book"
            otherwise = "Put resnet_book-*.whl here (in Colab: Files, on the left); run this again."
        return FIRST_CELL.format(what=what, otherwise=otherwise)


def read(root: Path) -> Addresses:
    """The addresses in the ``pyproject.toml`` of the folder ``root``. Raises AddressError for one that is not one."""
    urls = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"].get("urls", {})
    found = Addresses(urls.get("Repository", ""), urls.get("Documentation", ""))
    _check(found)
    return found


def described(addresses: Addresses) -> str:
    """What the pages can have with these addresses, in a line."""
    if not addresses.repository:
        return (
            "the repository has no address: no launch, edit and issue buttons (`make address REPOSITORY=...` sets it)"
        )
    card = f"published at {addresses.site}" if addresses.site else "no social card without the book's own address"
    return f"buttons for {addresses.repository}; {card}"


def write(root: Path, addresses: Addresses) -> list[Path]:
    """Make ``addresses`` the setting, and put them into what cannot read it; returns the files that changed.

    Raises AddressError for an address that is not one, and for a chapter without a parameters cell.
    """
    _check(addresses)
    changed = []
    for path in (root / "pyproject.toml", root / "CITATION.cff", *sorted((root / "notebooks").glob("[0-9a]*.py"))):
        old = path.read_text(encoding="utf-8")
        new = {".toml": _project, ".cff": _citation, ".py": _chapter}[path.suffix](old, addresses, path)
        if new != old:
            path.write_text(new, encoding="utf-8")
            changed.append(path)
    return changed


def _check(addresses: Addresses) -> None:
    for name, address in (("Repository", addresses.repository), ("Documentation", addresses.site)):
        if address and not re.fullmatch(r"https://[\w.-]+(:\d+)?(/[\w.~-]+)*/?", address):
            raise AddressError(f"{name}={address!r}: give an address like https://github.com/owner/name, without more")
    if addresses.repository and "/" not in addresses.name:
        raise AddressError(f"Repository={addresses.repository!r}: add the owner and the name of the repository to it")


def _project(text: str, addresses: Addresses, path: Path) -> str:
    lines = [f'Repository = "{addresses.repository}"'] if addresses.repository else []
    lines += [f'Documentation = "{addresses.site}"'] if addresses.site else []
    head, found, tail = text.partition("[project.urls]")
    if not found:
        raise AddressError(f"{path}: there is no table [project.urls]; add one")
    table, following, rest = tail.partition("\n[")
    others = [line for line in table.splitlines() if line and not re.match("(Repository|Documentation) *=", line)]
    return head + "\n".join([found, *others, *lines]) + "\n" + (f"\n[{rest}" if following else "")


def _citation(text: str, addresses: Addresses, path: Path) -> str:
    kept = re.sub(r"^(repository-code|url): .*\n", "", text, flags=re.MULTILINE)
    lines = f"repository-code: {addresses.repository}\n" if addresses.repository else ""
    lines += f"url: {addresses.site}\n" if addresses.site else ""
    if not re.search(r"^version: .*\n", kept, flags=re.MULTILINE):
        raise AddressError(f"{path}: there is no line that begins with version:, behind which addresses stand; add one")
    return re.sub(r"^(version: .*\n)", rf"\1{lines}", kept, count=1, flags=re.MULTILINE)


def _chapter(text: str, addresses: Addresses, path: Path) -> str:
    before, found, after = text.partition(PARAMETERS_HEAD)
    if not found:
        raise AddressError(f"{path}: there is no cell tagged parameters; CONTRIBUTING.md says what a chapter needs")
    start = before.find(FIRST_CELL_HEAD)
    if start >= 0 and "\n# %%" in before[start:]:
        raise AddressError(
            f"{path}: a cell stands between the one that installs the package and the parameters; move it"
        )
    return (before if start < 0 else before[:start]) + f"{FIRST_CELL_HEAD}{addresses.first_cell}\n\n{found}{after}"
