"""Where it runs: without a home, on some of the cores, with closed outputs, in odd folders, twice at once, installed."""

from __future__ import annotations

import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import sim
from sim import compiling, files
from sim.batch import workers
from sim.cli import run as commands
from sim.cli.main import main
from sim.errors import ScenarioError, StoreError
from sim.scenario.reading import shipped
from sim.simulation.machine import cores
from tests.test_cli import HELLO, ROOT, Attune, attune, wrong

__all__ = ["attune"]  # the fixture

pytestmark = pytest.mark.usefixtures("pictures_not_drawn")


def python(code: str, folder: Path, **environment: str | None) -> subprocess.CompletedProcess[str]:
    """Python code run in a folder by a process of its own; of the environment ``None`` is taken away."""
    those = {"PYTHONPATH": str(ROOT), **environment}
    kept = {**{k: v for k, v in os.environ.items() if k not in those}, **{k: v for k, v in those.items() if v is not None}}
    return subprocess.run([sys.executable, "-c", code], cwd=folder, env=kept, capture_output=True, text=True, check=False)


def in_shell(line: str, folder: Path, **environment: str) -> tuple[int, str, str]:
    """A line of bash in which ``attune`` is the command; exit status (of the first of a pipe), stdout, stderr."""
    command = f'attune() {{ "{sys.executable}" -m sim "$@"; }}; {line}'
    done = subprocess.run(["bash", "-c", f"{command}\nexit ${{PIPESTATUS[0]}}"], cwd=folder, capture_output=True, check=False,
                          env={**os.environ, "PYTHONPATH": str(ROOT), **environment})  # fmt: skip
    return done.returncode, os.fsdecode(done.stdout), os.fsdecode(done.stderr)


# ------------------------------------------------------------------------------------------------------------- cores


@pytest.mark.parametrize(
    "groups, granted",
    [
        ("0::/\n", {"cpu.max": "100000 100000"}),
        ("0::/service/mine\n", {"service/cpu.max": "50000 100000", "service/mine/cpu.max": "max 100000"}),
        ("0::/docker/abc\n", {"cpu.max": "90000 100000"}),  # a container's name outside of it
        ("4:cpu,cpuacct:/a\n0::/\n", {"cpu,cpuacct/a/cpu.cfs_quota_us": "20000", "cpu,cpuacct/a/cpu.cfs_period_us": "100000"}),
        ("2:memory:/m\n1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "1000", "cpu/cpu.cfs_period_us": "1000"}),
    ],
)
def test_a_quota_of_one_core_is_one_core(
    tmp_path: Path, groups: str, granted: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control groups of both versions, this process's own and those around it."""
    made(tmp_path, groups, granted)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)
    assert cores(tmp_path) == 1


@pytest.mark.parametrize(
    "groups, granted, many",
    [
        ("0::/\n", {"cpu.max": "max 100000"}, 64),
        ("0::/\n", {"cpu.max": "250000 100000"}, 3),  # rounded up
        ("0::/\n", {"cpu.max": "broken"}, 64),
        ("0::/\n", {"cpu.max": "5 0"}, 64),
        ("0::/\n", {"cpu.max": "99900000 100000"}, 64),
        ("1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 64),
        (None, {}, 64),
    ],
)
def test_no_quota_or_a_large_one(
    tmp_path: Path, groups: str | None, granted: dict[str, str], many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path, groups, granted)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)
    assert cores(tmp_path) == many


def made(root: Path, groups: str | None, granted: dict[str, str]) -> None:
    """What Linux shows of control groups, as files."""
    if groups is not None:
        (root / "proc/self").mkdir(parents=True)
        (root / "proc/self/cgroup").write_text(groups)
    for name, text in granted.items():
        (root / "sys/fs/cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "sys/fs/cgroup" / name).write_text(text + "\n")


def test_a_process_on_one_core_counts_one(tmp_path: Path) -> None:
    code = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); from sim.simulation.machine import cores"
    assert python(f"{code}; print(cores())", tmp_path).stdout == "1\n"


def test_cores_are_asked_for_in_one_place() -> None:
    asks = re.compile(r"cpu_count|getaffinity")
    assert [p.name for p in (ROOT / "sim").rglob("*.py") if asks.search(p.read_text(encoding="utf-8"))] == ["machine.py"]


# ----------------------------------------------------------------------------------------- no home, and compiled code

#: Draws random numbers (which compiles), asks where that is kept, here and in a process of its own, and reads matplotlib.
_KEEPS = """
import subprocess, sys
from sim.compiling import cache_folder, cache_place
cache_place()
import sim.engine.native, sim.report.drawing
from sim import luck
luck.normal(1, 0, luck.person("client", [1, 2]), "x")
print(cache_folder(), any(cache_folder().rglob("*luck*.nbc")))
child = "from sim.compiling import cache_folder; print(cache_folder())"
print(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True).stdout)
"""
_NOBODY = "import pwd\ndef unknown(*_): raise KeyError\npwd.getpwuid = pwd.getpwnam = unknown\n"


@pytest.mark.parametrize("home", [None, "file/home"], ids=["a user without a home", "a home that cannot be written to"])
def test_without_a_home_compiled_code_lasts_as_long_as_the_process(tmp_path: Path, home: str | None) -> None:
    """One place for it and the processes it starts, gone at the end; no folder called ``~``; nothing said on stderr."""
    (tmp_path / "file").touch()
    for name in ("tmp", "here"):
        (tmp_path / name).mkdir()
    none = dict.fromkeys(("ATTUNE_CACHE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR"))
    code = _KEEPS if home else _NOBODY + _KEEPS
    done = python(code, tmp_path / "here", HOME=home and str(tmp_path / home), TMPDIR=str(tmp_path / "tmp"), **none)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    place, kept, elsewhere = done.stdout.split()
    assert place.startswith(str(tmp_path / "tmp")) and kept == "True" and elsewhere == place
    assert list((tmp_path / "tmp").iterdir()) == [] and list((tmp_path / "here").iterdir()) == []


@pytest.fixture
def kept_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of its own for compiled code, that also holds what is not Attune's."""
    place = tmp_path / "cache"
    monkeypatch.setenv("ATTUNE_CACHE", str(place))
    compiling.cache_place.cache_clear()
    compiling.cache_folder.cache_clear()
    for i in range(9):
        (place / f"{i:016x}").mkdir(parents=True)
        (place / f"{i:016x}" / "code.nbc").write_bytes(b"x" * 1000)
    (place / "thesis").mkdir()
    return place


@pytest.fixture(autouse=True)
def usual_place() -> object:
    """The usual place again afterwards."""
    yield
    compiling.cache_place.cache_clear()
    compiling.cache_folder.cache_clear()


def test_only_what_is_of_compiled_code_is_ever_removed(kept_here: Path) -> None:
    """Whatever ``ATTUNE_CACHE`` names: somebody's home, say."""
    compiling.cache_folder()
    assert (kept_here / "thesis").is_dir()
    assert len(list(kept_here.iterdir())) == 1 + 1 + 6  # that, what is in use, and the latest


def test_cache_says_where_and_how_much_and_clears(attune: Attune, kept_here: Path) -> None:
    said = attune("cache").out
    assert str(kept_here) in said and "9.0 kB" in said
    assert attune("cache", "--clear").status == 0
    assert [p.name for p in kept_here.iterdir()] == ["thesis"]
    assert "0 bytes" in attune("cache").out


# -------------------------------------------------------------------------------------------------- outputs and places


@pytest.mark.parametrize("line, said", [
    ("schema >&-", "closed"), ("schema >/dev/full", "No space left"), ("list >/dev/full", "No space left"),
])  # fmt: skip
def test_an_output_that_cannot_be_written_is_one_line(tmp_path: Path, line: str, said: str) -> None:
    status, out, err = in_shell(f"attune {line}", tmp_path)
    assert (status, out) == (2, "") and len(err.splitlines()) == 1 and "standard output" in err and said in err, err


@pytest.mark.parametrize("where", ["2>&- <&-", "2>/dev/full"])
def test_nobody_need_read_what_goes_wrong(tmp_path: Path, where: str) -> None:
    """The exit status says it."""
    assert in_shell(f"attune check nowhere.yaml {where}", tmp_path)[0] == 2
    status, out, _ = in_shell(f"attune check hello {where}", tmp_path)
    assert status == 0 and "valid" in out


@pytest.mark.parametrize("what", ["list", "schema"])
def test_a_reader_who_has_had_enough_is_no_error(tmp_path: Path, what: str) -> None:
    status, _, err = in_shell(f"attune {what} | true", tmp_path)
    assert status in (0, 1) and err == ""


def test_the_folder_that_was_removed(tmp_path: Path) -> None:
    status, _, err = in_shell("mkdir gone && cd gone && rmdir ../gone && attune check hello", tmp_path)
    assert status == 2 and len(err.splitlines()) == 1 and "working folder" in err


def test_a_name_that_is_no_text_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    shutil.copy(HELLO, tmp_path / f"{name}.yaml")
    line = "B=$'caf\\xe9'; attune run hello --out $B; echo $?; attune run $B.yaml"
    status, out, err = in_shell(line, tmp_path)
    assert (status, out) == (2, "2\n")
    assert [said.partition(";")[0] for said in err.splitlines()] == [
        f"attune: {one}: this name is not text in UTF-8" for one in (name, f"{name}.yaml")
    ]
    assert [p.name for p in tmp_path.iterdir()] == [f"{name}.yaml"]
    with pytest.raises(ScenarioError, match="UTF-8"):
        sim.load(tmp_path / f"{name}.yaml")


def test_inside_a_folder_whose_name_is_no_text(tmp_path: Path) -> None:
    place = tmp_path / os.fsdecode(b"caf\xe9")
    place.mkdir()
    status, out, err = in_shell("attune trace hello --csv t.csv", place)
    assert (status, err) == (0, "") and "Client's WAI" in out and (place / "t.csv").exists()


@pytest.mark.parametrize(
    "how",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "latin-1"},
    ],
)
def test_what_the_output_cannot_show_is_no_error(tmp_path: Path, how: dict[str, str]) -> None:
    (tmp_path / "mine.yaml").write_text("question: 'Does “it” help – 本当に?'\n", encoding="utf-8")
    status, out, err = in_shell("attune check *.yaml", tmp_path, **how)
    assert (status, err) == (0, "") and "Does ?it? help" in out


def test_paths_are_expanded_where_they_are_read(attune: Attune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every command and in Python; nowhere a folder called ``~``."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    shutil.copy(HELLO, home / "mine.yaml")
    assert attune("run", "~/mine.yaml", "--out=~/results").status == 0
    assert (home / "results" / "manifest.json").exists() and not Path("~").exists()
    assert attune("verify", "~/results", "--sample", 0).status == 0
    assert attune("export", "~/results", "--to", "csv", "--out", "~/csv").status == 0
    assert (home / "csv").is_dir()
    (home / "with.py").write_text("")
    assert attune("check", "~/mine.yaml", "--with", "~/with.py").status == 0
    assert sim.load("~/mine.yaml").name == "mine" and sim.open_run("~/results").seed == 1
    wrong(attune("check", "~nobody-at-all/mine.yaml"), "nobody's home")
    monkeypatch.setenv("HOME", "~")
    with pytest.raises(StoreError, match="nobody's home"):
        files.expanded("~/x")


# ------------------------------------------------------------------------------------------------------- two at once


def test_the_later_of_two_equal_runs_reads_what_is_there(attune: Attune, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both began before either had finished; the same results, exit 0."""
    alone, calls = commands.runs.run, []

    def overtaken(*given: object, **named: object) -> object:
        calls.append(1)
        if len(calls) == 1:
            with pytest.raises(SystemExit) as other:
                main(["run", "hello"])
            assert not other.value.code
        return alone(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(commands.runs, "run", overtaken)
    done = attune("run", "hello")
    assert done.status == 0 and done.err == "" and "Already run" in done.out and len(calls) == 2
    assert len(list(Path("results/hello").iterdir())) == 1, "nothing is left beside it"


def test_two_that_begin_in_one_folder_do_not_disturb_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One looks whether it could write there, and so makes and removes the folder in which the other begins to write."""
    make, moments = tempfile.mkdtemp, []

    def first(**how: object) -> str:
        moments.append(1)
        if len(moments) == 1:  # the other one begins here
            (tmp_path / "results" / ".other.partial").mkdir()
        return make(**how)  # type: ignore[call-overload]

    def second(**how: object) -> str:
        moments.append(1)
        if len(moments) == 1:  # the other one ends here
            (tmp_path / "results").rmdir()
        return make(**how)  # type: ignore[call-overload]

    monkeypatch.setattr(tempfile, "mkdtemp", first)
    files.writable(tmp_path / "results" / "a")
    assert [p.name for p in (tmp_path / "results").iterdir()] == [".other.partial"]
    shutil.rmtree(tmp_path / "results")
    moments.clear()
    monkeypatch.setattr(tempfile, "mkdtemp", second)
    with files.whole(tmp_path / "results" / "a") as place:
        (place / "x").touch()
    assert (tmp_path / "results" / "a" / "x").exists() and len(moments) == 2


# ---------------------------------------------------------------------------------------------------- worker processes


def test_without_shared_memory_one_process_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container whose /dev/shm is read-only: no locks between processes."""
    said: list[str] = []
    assert isinstance(workers.usual(2, said.append), workers.Processes) and said == []

    def refused() -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(multiprocessing.get_context("spawn"), "Lock", refused)
    assert isinstance(workers.usual(2, said.append), workers.InThisProcess)
    assert len(said) == 1 and "/dev/shm: Read-only file system" in said[0]
    assert isinstance(workers.usual(1), workers.InThisProcess)


_BATCH = """
import asyncio, sim
small = sim.load("hello").but(sessions=1, clients_per_arm=2)
async def cell():
    sim.run(small, seed=1, threads=2)
    return sim.run_batch(small.but(batch={"vary": {"trust_rate": [0.1, 0.3]}}), 1, "b", workers=2)
print(len(sim.open_batch(asyncio.run(cell())).points))
"""


def test_processes_from_where_there_is_no_script_to_run_again(tmp_path: Path) -> None:
    """A console or notebook, inside its running loop: workers start all the same, and without ``if __name__``."""
    done = subprocess.run([sys.executable, "-"], input=_BATCH, cwd=tmp_path, capture_output=True, text=True, check=False,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
    assert done.stdout == "2\n", done.stderr[-2000:]


def test_what_a_notebook_defines_cannot_reach_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is said; a script that has a file is run again for it, as ever."""
    notebook = type(sys)("__main__")
    notebook.mine = type("mine", (), {"__module__": "__main__"})
    monkeypatch.setitem(sys.modules, "__main__", notebook)
    with pytest.raises(workers.WorkersError, match=r"notebook.*one worker"), workers._script_not_run_again(notebook.mine):
        pass
    notebook.__file__ = __file__
    with workers._script_not_run_again(notebook.mine):
        assert sys.modules["__main__"] is notebook
    with workers._script_not_run_again("nothing of it"):
        assert sys.modules["__main__"] is not notebook
    assert sys.modules["__main__"] is notebook


# ------------------------------------------------------------------------------------------- shipped scenarios by name


def test_shipped_scenarios_are_those_of_the_repository() -> None:
    assert {name: path.resolve() for name, path in shipped().items()} == {p.stem: p for p in (ROOT / "scenarios").glob("*.yaml")}


def test_shipped_scenarios_run_by_name_from_anywhere(attune: Attune) -> None:
    """Results land here; a file or an ending goes first."""
    done = attune("run", "hello")
    assert done.status == 0 and (folder := next(Path("results/hello").iterdir())).is_dir()
    assert attune("run", HELLO).out == done.out + "Already run with this scenario, seed and version; read from disk.\n"
    assert sim.open_run(folder).scenario == sim.load("hello") == sim.load(HELLO)
    Path("hello").mkdir()
    assert attune("check", "hello").status == 0, "a folder of that name is no scenario"
    Path("hello").rmdir()
    Path("hello").write_text("question: Mine?\n")
    assert "Mine?" in attune("check", "hello").out
    wrong(attune("check", "hello.yaml"), "hello.yaml: there is no such file here", "did you mean 'hello'?")
    wrong(attune("check", "rupture_repiar"), "did you mean 'rupture_repair'?")
    Path("my_question.yaml").write_text("question: Mine?\n")
    wrong(attune("check", "my_question"), "did you mean 'my_question.yaml'?")
    wrong(attune("check", "zzz"), "attune list")
    wrong(attune("check", "scenarios/hello"), "no such file")


def test_list_shows_them_with_their_questions(attune: Attune) -> None:
    said = attune("list").out
    assert all(name in said for name in shipped()) and sim.load("no_therapy").question in said


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_what_is_built_holds_the_scenarios(tmp_path: Path, kind: str) -> None:
    """And runs them by name where there is no clone."""
    source, built = tmp_path / "source", tmp_path / "built"
    for name in ("sim", "scenarios"):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    done = python(f"from setuptools import build_meta; build_meta.build_{kind}({str(built)!r})", source)
    assert done.returncode == 0, done.stderr[-2000:]
    (archive,) = built.iterdir()
    if kind == "wheel":
        zipfile.ZipFile(archive).extractall(place := tmp_path / "place")
    else:
        shutil.unpack_archive(archive, tmp_path / "place", filter="data")
        (place,) = (tmp_path / "place").iterdir()
    assert {p.stem for p in (place / "sim" / "scenarios").glob("*.yaml")} == set(shipped())
    assert not (place / "sim" / "scenarios").is_symlink()
    status, out, err = in_shell("attune check hello && attune list", tmp_path, PYTHONPATH=str(place))
    assert (status, err) == (0, "") and "valid" in out and "overnight" in out


def test_the_pythons_that_are_named_are_those_that_may_be_used() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [line.rpartition(" ")[2] for line in project["classifiers"] if re.search(r"Python :: 3\.\d+$", line)]
    assert named and project["requires-python"] == f">={named[0]}"
    assert f"Python {', '.join(named[:-1])} and {named[-1]}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_what_lies_in_the_working_folder_is_not_run(tmp_path: Path) -> None:
    """Not by the command, and not by the processes that it starts: somebody may stand in a folder that is not theirs."""
    (tmp_path / "socket.py").write_text("open('was_run', 'w').close()\n")
    spec = "question: q\nclients_per_arm: 2\nsessions: 2\nreplicates: 2\nbatch: {vary: {trust_rate: [0.1, 0.2]}}\n"
    (tmp_path / "s.yaml").write_text(spec)
    command = "import sys; sys.path.remove(''); from sim.cli.main import main; main(['run', 's.yaml', '--workers', '2'])"
    done = python(command, tmp_path)  # as the installed command, which has no '' there
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "was_run").exists()
