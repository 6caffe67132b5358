"""Files named by their hash: whole, or not there."""

import pytest

from lytrace_collector.artifacts.folder import ArtifactFolder
from lytrace_collector.errors import Malformed, TooLarge
from tests.collector.support import artifact_id_of


@pytest.fixture
def folder(tmp_path):
    folder = ArtifactFolder(tmp_path / "artifacts", 1000)
    folder.open()
    return folder


async def chunks(*parts):
    for part in parts:
        yield part


def files(tmp_path):
    return [path for path in tmp_path.rglob("*") if path.is_file()]


async def test_bytes_come_back(folder, tmp_path):
    artifact_id = artifact_id_of(b"hello")
    assert await folder.put(artifact_id, chunks(b"hel", b"lo")) is True
    assert await folder.put(artifact_id, chunks(b"hello")) is False
    assert folder.path(artifact_id).read_bytes() == b"hello"
    assert len(files(tmp_path)) == 1
    folder.delete(artifact_id)
    folder.delete(artifact_id)
    assert folder.path(artifact_id) is None


async def test_what_does_not_hash_to_its_name_leaves_nothing(folder, tmp_path):
    with pytest.raises(Malformed, match="hashes to"):
        await folder.put(artifact_id_of(b"hello"), chunks(b"other"))
    with pytest.raises(TooLarge):
        await folder.put(artifact_id_of(bytes(1001)), chunks(bytes(600), bytes(401)))
    assert files(tmp_path) == []


async def test_an_upload_that_breaks_off_leaves_nothing(folder, tmp_path):
    async def broken():
        yield b"hel"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await folder.put(artifact_id_of(b"hello"), broken())
    assert files(tmp_path) == []


@pytest.mark.parametrize("name", ["", "sha256:" + "A" * 64, "sha256:../../etc/passwd", "sha256:" + "a" * 63, "a" * 64])
async def test_no_other_name_reaches_the_disk(folder, name):
    with pytest.raises(Malformed):
        await folder.put(name, chunks(b""))
    with pytest.raises(Malformed):
        folder.path(name)


def test_what_a_crash_left_is_cleared(folder, tmp_path):
    (tmp_path / "artifacts" / "incoming" / "leftover").write_bytes(b"x")
    folder.open()
    assert files(tmp_path) == []


def test_a_local_file_is_adopted(folder, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"hello")
    assert folder.adopt(artifact_id_of(b"hello"), source) is True
    assert folder.path(artifact_id_of(b"hello")).read_bytes() == b"hello"
    with pytest.raises(Malformed):
        folder.adopt(artifact_id_of(b"other"), source)
