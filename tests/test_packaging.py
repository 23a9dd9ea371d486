"""What a user gets from the sdist and from the wheel that is built from it."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINKS = ("schemas", "backends", "validation")


def build(kind, source, into):
    subprocess.run(
        [sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", into, source],
        check=True,
        capture_output=True,
    )
    (made,) = into.iterdir()
    return made


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A clean copy of what is tracked."""
    checkout = tmp_path_factory.mktemp("clean") / "checkout"
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    for name in filter(None, listed):  # a clean checkout, links as links
        target = checkout / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_symlink():
            target.symlink_to(os.readlink(ROOT / name))
        elif (ROOT / name).exists():
            target.write_bytes((ROOT / name).read_bytes())
    return checkout


@pytest.fixture(scope="module")
def distributions(checkout, tmp_path_factory):
    """(names in the sdist, names in the wheel built from that sdist)."""
    work = tmp_path_factory.mktemp("packaging")
    sdist = build("sdist", checkout, work / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(work / "unpacked", filter="data")
        inside = {name.partition("/")[2] for name in archive.getnames()}
    (source,) = (work / "unpacked").iterdir()
    with zipfile.ZipFile(build("wheel", source, work / "wheel")) as archive:
        return inside, set(archive.namelist())


def expected():
    """Every tracked file of the package that must reach the user."""
    listed = subprocess.run(
        ["git", "ls-files", "portable"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    return {name for name in listed if Path(name).suffix in (".py", ".pyi", ".toml", ".json", ".typed")}


@pytest.mark.slow
def test_sdist_and_wheel_hold_the_whole_package(distributions):
    want = expected()
    assert {"portable/py.typed", "portable/backends/native/capabilities.toml"} <= want
    assert any(name.startswith("portable/schemas/") and name.endswith(".json") for name in want)
    for names in distributions:
        assert want <= names, sorted(want - names)


@pytest.mark.slow
def test_root_links_are_not_packaged_twice(distributions):
    for names in distributions:
        assert not [n for n in names if n.split("/")[0] in LINKS]


@pytest.mark.slow
def test_wheel_installs_one_import_name(distributions):
    _, wheel = distributions
    assert {n.split("/")[0] for n in wheel if ".dist-info/" not in n} == {"portable"}


@pytest.mark.slow
def test_type_checkers_find_an_editable_install_from_another_folder(checkout, tmp_path):
    """As the README installs it: `pip install -e .` in a virtual environment."""
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (site / "what_it_needs.pth").write_text(sysconfig.get_path("purelib") + "\n" + "\n".join(needed()))
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "-e", checkout], check=True, capture_output=True)
    program = tmp_path / "user.py"
    program.write_text("import portable as pt\n\nanswer = pt.validate(5)\nreveal_type(answer)\n")
    mypy = [sys.executable, "-m", "mypy", "--python-executable", python, "--follow-imports=silent"]
    told = subprocess.run(
        [*mypy, "--cache-dir", tmp_path / "cache", program], cwd=tmp_path, capture_output=True, text=True
    )
    assert "import-not-found" not in told.stdout, told.stdout
    assert 'Revealed type is "portable.validation.answer.Answer"' in told.stdout, told.stdout
    assert 'incompatible type "int"; expected "Network"' in told.stdout, told.stdout


def needed():
    """The folders that this environment takes packages from, besides its own."""
    return [p for p in sys.path if Path(p).name == "site-packages"]


def test_root_links_point_into_the_package():
    for name in LINKS:
        link = ROOT / name
        assert link.is_symlink()
        assert os.readlink(link) == f"portable/{name}"
        assert link.is_dir()
