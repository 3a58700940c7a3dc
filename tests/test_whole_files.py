"""Files that are replaced: links and permissions stay, an interruption leaves the old one, devices are written."""

import os
import stat

import pytest

import sparsenet as sn
from sparsenet.bench.studies.crossover import Crossover
from sparsenet.figures import new_figure, write_figure
from sparsenet.recipes.prepared import PreparedWords
from sparsenet.whole_files import whole_file, write_whole

posix = pytest.mark.skipif(os.name == "nt", reason="links and permission bits as POSIX has them")


def network(n):
    return sn.Network.sequential((n,), [sn.ReLU()])


def save_network(path):
    network(2).save(path)


def save_figure(path):
    pytest.importorskip("matplotlib", reason="needs the extra notebooks")
    write_figure(new_figure(1, 1), path)


def save_map(path):
    Crossover.save(sn.crossover([8], [0.5], [0.5], [1], measure=False, progress=False), path)


def save_words(path):
    import numpy as np

    images = np.zeros((2, 1, 32, 32), np.uint8)
    names, silence = np.array(["ann", "bob"]), np.zeros((0, 32, 32), np.uint8)
    splits = np.array(["train", "test"])
    PreparedWords(images, np.array(["six", "two"]), names, splits, silence, splits[:0]).save(path)


def save_text(path):
    write_whole(path, "µ")


WRITERS = {
    "network.safetensors": save_network,
    "figure.png": save_figure,
    "map.json": save_map,
    "words.npz": save_words,
    "text": save_text,
}


@pytest.fixture(params=WRITERS)
def written(request, tmp_path):
    """Give a path, and what writes to it."""
    return tmp_path / request.param, WRITERS[request.param]


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@posix
def test_a_link_stays_and_what_it_leads_to_is_replaced(written):
    path, write = written
    target = path.with_name(f"target{path.suffix}")
    target.write_bytes(b"old")
    path.symlink_to(target.name)
    write(path)
    assert path.is_symlink()
    assert target.read_bytes() != b"old"
    assert sorted(one.name for one in path.parent.iterdir()) == sorted((path.name, target.name))


@posix
def test_a_link_that_leads_nowhere_yet_leads_to_the_new_file(written):
    path, write = written
    path.symlink_to(f"target{path.suffix}")
    write(path)
    assert path.is_symlink()
    assert path.with_name(f"target{path.suffix}").is_file()


@posix
@pytest.mark.parametrize("bits", [0o600, 0o640, 0o664, 0o755])
def test_permissions_stay(written, bits):
    path, write = written
    path.write_bytes(b"old")
    path.chmod(bits)
    write(path)
    assert mode(path) == bits


@posix
@pytest.mark.parametrize("umask", [0o077, 0o027, 0o002])
def test_a_new_file_has_what_the_umask_leaves(written, umask):
    path, write = written
    before = os.umask(umask)
    try:
        write(path)
    finally:
        os.umask(before)
    assert mode(path) == 0o666 & ~umask


def test_an_interruption_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def stopped():
        with whole_file(path) as file:
            file.write(b"half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@posix
def test_devices_and_pipes_are_written_to(tmp_path):
    network(2).save("/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@posix
@pytest.mark.skipif(os.name != "nt" and os.geteuid() == 0, reason="root may write to every file")
def test_a_file_that_may_not_be_written_is_not_replaced(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o400)
    with pytest.raises(PermissionError, match="file"):
        write_whole(path, "new")
    assert path.read_bytes() == b"old"


@posix
def test_a_file_that_may_not_be_written_is_named(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(PermissionError, match="file"):
        write_whole(path, "new")


def test_a_folder_that_is_not_there_is_said_with_the_name_that_was_given(tmp_path):
    path = tmp_path / "missing" / "file"
    with pytest.raises(FileNotFoundError) as raised:
        write_whole(path, "new")
    assert raised.value.filename == str(path)


@pytest.mark.parametrize("path", ["a\0b", "\0", ""])
def test_paths_that_no_file_can_have(path):
    for ask in (sn.load, network(2).save):
        with pytest.raises(FileNotFoundError, match="expected the path"):
            ask(path)


@posix
@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/", "pipe"])
def test_what_is_no_file_is_not_loaded(tmp_path, path):
    if path == "pipe":
        path = tmp_path / path
        os.mkfifo(path)
    with pytest.raises(sn.ModelFormatError, match="got the folder or device"):
        sn.load(path)
