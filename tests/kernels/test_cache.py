"""Compiled kernels on disk: kept, found again, and never trusted where somebody else could have written them."""

import json
import os
import shutil
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

import sparsenet_kernels
from sparsenet_kernels import cache

PACKAGE = Path(sparsenet_kernels.__file__).parent

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such permission bits")

COMPILE = """
import sys, warnings
from sparsenet_kernels.registry import kernels
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    steps = [kernels()[name].step for name in ("relu_f32", "add_f32")]
assert all(step.address for step in steps)
print(*(step.cache_hits for step in steps))
print(*(f"{warning.category.__name__}: {warning.message}" for warning in caught), sep="\\n")
"""

WITHOUT_HOME = """
from pathlib import Path

def home():
    raise RuntimeError("no home directory")

Path.home = home
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Make a copy of the package that nobody edits meanwhile, and give the folder it lies in."""
    place = tmp_path_factory.mktemp("package")
    shutil.copytree(PACKAGE, place / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    return place


@pytest.fixture(scope="module")
def run(place):
    """Give what runs a script with a cache directory, on the copy."""
    return partial(run_with, place)


def run_with(place, script, where, at="", **environment):
    """Run a script in a process of its own, which finds the package at a place, and return what it prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    environment = {**kept, "SPARSENET_CACHE_DIR": str(where), "PYTHONPATH": str(place), **environment}
    ran = subprocess.run([sys.executable, "-c", script, str(at)], env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def files(cache):
    return sorted(path.relative_to(cache) for path in cache.rglob("*") if path.is_file())


def test_a_second_process_loads_what_the_first_compiled(run, tmp_path):
    assert run(COMPILE, tmp_path) == "0 0"
    before = {path: (tmp_path / path).read_bytes() for path in files(tmp_path)}
    assert [path.name.rpartition("-")[0] for path in before] == ["step_add_f32", "step_relu_f32"]
    assert run(COMPILE, tmp_path) == "1 1"
    assert {path: (tmp_path / path).read_bytes() for path in files(tmp_path)} == before


@posix
def test_the_directory_is_the_users_own(run, tmp_path):
    run(COMPILE, tmp_path / "made" / "here")
    (directory,) = (tmp_path / "made" / "here").iterdir()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


@pytest.fixture(scope="module")
def compiled(run, tmp_path_factory):
    """Compile into a directory, once for the tests that begin with compiled kernels."""
    cache = tmp_path_factory.mktemp("compiled")
    run(COMPILE, cache)
    return cache


@pytest.fixture
def kept(compiled, tmp_path):
    """Give a copy of that directory."""
    return Path(shutil.copytree(compiled, tmp_path / "kept"))


@posix
def test_a_name_may_begin_with_a_tilde(run, tmp_path, monkeypatch):
    """As in a file that no shell reads: a Dockerfile, .env, a unit of systemd."""
    (tmp_path / "home").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    run(COMPILE, "~/kernels", HOME=str(tmp_path / "home"))
    assert list((tmp_path / "here").iterdir()) == []
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["kernels"]
    assert run(COMPILE, "~/kernels", HOME=str(tmp_path / "home")) == "1 1"


@posix
def test_a_tilde_of_nobody_costs_one_warning(run):
    hits, *warnings = run(COMPILE, "~nobody-of-this-name/kernels").splitlines()
    assert hits == "0 0"
    assert len(warnings) == 1


def test_a_relative_name_stays_one_directory_when_the_process_goes_elsewhere(run, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    script = """
import os
from sparsenet_kernels.cache import cache_directory
from sparsenet_kernels.registry import kernels
print(cache_directory())
os.chdir("elsewhere")
assert kernels()["relu_f32"].step.address
"""
    directory = Path(run(script, "kept"))
    assert directory.is_relative_to(tmp_path / "kept")
    assert [path.suffix for path in files(directory)] == [".bin"]
    assert list((tmp_path / "elsewhere").iterdir()) == []


@posix
def test_a_relative_place_in_the_specification_of_caches_is_passed_over(run, tmp_path):
    script = "from sparsenet_kernels.cache import cache_directory; print(cache_directory())"
    assert Path(run(script, "", HOME=str(tmp_path), XDG_CACHE_HOME="relative")).is_relative_to(tmp_path)


@posix
def test_nobody_else_may_write_whatever_the_umask(run, tmp_path):
    run(f"import os; os.umask(0)\n{COMPILE}", tmp_path / "kept")
    for path in [tmp_path / "kept", *(tmp_path / "kept").rglob("*")]:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o022


@posix
@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_could_have_written_is_compiled_anew(run, tmp_path, mode):
    run(COMPILE, tmp_path)
    for path in files(tmp_path):
        (tmp_path / path).chmod(mode)
    assert run(COMPILE, tmp_path) == "0 0"
    assert run(COMPILE, tmp_path) == "1 1"  # for it was replaced


@posix
@pytest.mark.skipif(os.name != "nt" and os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_compiled_anew(run, tmp_path):
    run(COMPILE, tmp_path)
    for path in files(tmp_path):
        os.chown(tmp_path / path, 12345, -1)
    assert run(COMPILE, tmp_path) == "0 0"
    assert run(COMPILE, tmp_path) == "1 1"


@posix
@pytest.mark.skipif(os.name != "nt" and os.geteuid() != 0, reason="only root can give directories away")
def test_a_directory_of_another_user_holds_one_for_each(run, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    os.chown(shared, 12345, -1)
    assert run(COMPILE, shared) == "0 0"
    assert run(COMPILE, shared) == "1 1"
    assert [path.name for path in shared.iterdir()] == [f"user-{os.geteuid()}"]
    own = shared / f"user-{os.geteuid()}"
    assert stat.S_IMODE(own.stat().st_mode) == 0o700


@posix
@pytest.mark.skipif(os.name != "nt" and os.geteuid() != 0, reason="only root can give directories away")
def test_what_another_user_left_under_our_name_is_refused(run, tmp_path):
    run(COMPILE, tmp_path)
    (directory,) = tmp_path.iterdir()
    os.chown(directory, 12345, -1)
    hits, warning = run(COMPILE, tmp_path).splitlines()
    assert hits == "0 0"
    assert "belongs to another user" in warning


@posix
@pytest.mark.parametrize("mode", [0o720, 0o702])
def test_a_directory_that_others_can_write_to_is_refused(run, kept, mode):
    (directory,) = kept.iterdir()
    directory.chmod(mode)
    hits, warning = run(COMPILE, kept).splitlines()
    assert hits == "0 0"
    assert warning.startswith("RuntimeWarning: compiled kernels are not kept")
    assert f"others may write to {directory}" in warning


def test_a_place_that_cannot_be_written_costs_one_warning(run, tmp_path):
    (tmp_path / "file").write_text("no directory")
    hits, *warnings = run(COMPILE, tmp_path / "file" / "below").splitlines()
    assert hits == "0 0"
    (warning,) = warnings
    assert warning.startswith("RuntimeWarning: compiled kernels are not kept, so every process compiles again")
    assert "set SPARSENET_CACHE_DIR to a directory of your own to keep them, or to off" in warning


def test_a_user_without_a_home_costs_one_warning(run):
    hits, *warnings = run(WITHOUT_HOME + COMPILE, "", XDG_CACHE_HOME="", LOCALAPPDATA="").splitlines()
    assert hits == "0 0"
    (warning,) = warnings
    assert "no home directory; set SPARSENET_CACHE_DIR" in warning.replace(")", "")


def test_off_keeps_nothing_and_says_nothing(run, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    places = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA", "USERPROFILE"), str(home))
    assert run(COMPILE, "off", **places) == "0 0"
    assert files(home) == []


def test_without_a_wish_the_users_cache_directory_is_taken(run, tmp_path):
    places = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA", "USERPROFILE"), str(tmp_path))
    script = "from sparsenet_kernels.cache import cache_directory; print(cache_directory())"
    assert Path(run(script, "", **places)).is_relative_to(tmp_path)


DAMAGED = """
import json, sys
from pathlib import Path
from sparsenet_kernels.registry import kernels

def hits():
    return kernels()["relu_f32"].compile_step(kept=True).cache_hits

(path,) = Path(sys.argv[1]).rglob("step_relu_f32-*")
whole = path.read_bytes()
spoilt = {
    "emptied": b"",
    "cut short": whole[: len(whole) // 2],
    "another pickle": b"\\x80\\x04N.",
    "zeros inside": whole[:2000] + bytes(len(whole) - 4000) + whole[-2000:],  # unpickles, and LLVM would abort
    "a bit": whole[:-1000] + bytes([whole[-1000] ^ 1]) + whole[-999:],
}
found = {"whole": hits()}
for damage, content in spoilt.items():
    path.write_bytes(content)
    found[damage] = hits(), hits()
print(json.dumps(found))
"""


def test_damaged_files_are_compiled_anew(run, kept):
    found = json.loads(run(DAMAGED, kept, at=kept))
    assert found.pop("whole") == 1
    assert set(found) == {"emptied", "cut short", "another pickle", "zeros inside", "a bit"}
    assert all(hits == [0, 1] for hits in found.values()), found


def test_two_processes_may_fill_a_directory_at_once(run, tmp_path):
    with ThreadPoolExecutor(2) as both:
        hits = list(both.map(lambda _: run(COMPILE, tmp_path), range(2)))
    assert {hit for answer in hits for hit in answer.split()} <= {"0", "1"}
    assert [path.suffix for path in files(tmp_path)] == [".bin", ".bin"]


@pytest.mark.parametrize(("setting", "value"), [("NUMBA_BOUNDSCHECK", "1"), ("NUMBA_CPU_NAME", "generic")])
def test_code_for_other_settings_is_kept_apart(run, kept, setting, value):
    assert run(COMPILE, kept, **{setting: value}) == "0 0"
    assert run(COMPILE, kept, **{setting: value}) == "1 1"
    assert run(COMPILE, kept) == "1 1"


@pytest.fixture
def fingerprint(place, tmp_path, monkeypatch):
    """Give what tells the name of the cache directory for a copy of the package, changed or not."""

    def fingerprint(change=None):
        copy = Path(shutil.copytree(place / PACKAGE.name, tmp_path / str(change).replace("/", "-")))
        if change:
            with (copy / change).open("a", encoding="utf-8") as source:
                source.write("# changed\n")
        monkeypatch.setattr(cache, "__file__", str(copy / "cache.py"))
        return cache._fingerprint.__wrapped__()

    return fingerprint


@pytest.mark.parametrize("change", ["simd/ops.py", "cpu/linear.py", "step_abi.py", "jit.py"])
def test_a_change_of_any_source_leads_to_another_directory(fingerprint, change):
    assert fingerprint(change) != fingerprint()


@pytest.mark.parametrize("change", ["testing/check.py", "reference/linear.py"])
def test_a_change_of_what_is_never_compiled_does_not(fingerprint, change):
    assert fingerprint(change) == fingerprint()


def test_no_compiled_module_imports_what_is_not_in_the_fingerprint():
    compiled = [
        path for path in PACKAGE.rglob("*.py") if path.parent.name in ("cpu", "simd") or path.name == "driver.py"
    ]
    assert len(compiled) > 10
    never = [f"sparsenet_kernels.{folder}" for folder in cache.NEVER_COMPILED]
    wrong = [path.name for path in compiled for module in never if module in imports_of(path)]
    assert wrong == []


def imports_of(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if line.lstrip().startswith(("import ", "from ")))


def test_kernels_of_others_are_not_kept(place, tmp_path):
    """Their sources are not in the fingerprint: kept code would outlive a change of them."""
    (tmp_path / "theirs.py").write_text("""
from sparsenet_kernels.registry import kernel, kernels

@kernel("relu", variant="theirs", arguments="x f32[B, N]; out f32[B, N]")
def theirs(x, out):
    out[:] = 0.0

print(kernels()["relu_f32__theirs"].step.cache_hits)
""")
    script = f"import sys; sys.path.append({str(tmp_path)!r}); import theirs"
    for _ in range(2):
        assert run_with(place, script, tmp_path / "cache") == "0"
    assert not (tmp_path / "cache").exists()
