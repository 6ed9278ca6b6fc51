"""The commands around models: one trains and writes a file, one measures how long files take to load."""

import re
import sys
from pathlib import Path

import bench_models
import pytest
import train_estimates
from estimates.model_file import ModelFile
from laptop import measured
from learning import loading
from learning.loading import NotCold, forget, in_memory
from worlds import ROOT

PAGE = loading.PAGE


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A folder on a disk that the kernel forgets."""
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux forgets a file, and says so")
    (tmp_path / "probe").write_bytes(bytes(100 * PAGE))
    try:
        forget(tmp_path / "probe")
    except NotCold:
        pytest.skip(f"{tmp_path} is not on a disk")
    return tmp_path


class TestTrain:
    def test_a_file_of_the_size_is_written_and_what_it_misses_is_said(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        to = tmp_path / "build" / "m.safetensors"
        assert train_estimates.main(["--size", "100KB", "--orders", "2000", "--to", str(to)]) == 0
        assert 100_000 <= to.stat().st_size < 100_200
        assert len(ModelFile.mapped(to)["hours"]) == 168
        assert re.search(r"misses by 3\.\d minutes on average; the noise alone would be 3\.2", capsys.readouterr().out)

    def test_a_size_that_no_model_has_is_refused(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        given = ["--size", "10", "--orders", "200", "--to", str(tmp_path / "m")]
        assert train_estimates.main(given) == 1
        assert "so many has the model itself" in capsys.readouterr().err

    @pytest.mark.parametrize(("text", "size"), [("4096", 4096), ("2GB", 2_000_000_000), ("1 mb", 1_000_000)])
    def test_sizes_are_read_as_people_write_them(self, text: str, size: int) -> None:
        assert train_estimates.octets(text) == size


class TestColdAndWarm:
    def test_what_is_forgotten_is_not_in_memory_and_what_is_read_is(self, disk: Path) -> None:
        path = disk / "file"
        path.write_bytes(bytes(1000 * PAGE))
        assert in_memory(path) == 1000 * PAGE
        forget(path)
        assert in_memory(path) <= PAGE
        path.read_bytes()
        assert in_memory(path) == 1000 * PAGE

    def test_a_file_that_is_not_forgotten_is_not_measured(self, disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("os.posix_fadvise", lambda *_: None)
        path = disk / "file"
        path.write_bytes(bytes(1000 * PAGE))
        with pytest.raises(NotCold):
            forget(path)


class TestBench:
    def test_the_table_goes_between_the_marks_of_the_page(self, disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(bench_models.SIZES, "10MB", 3_000_000)
        page = disk / "page.md"
        page.write_text(
            "before\n" + measured.mark(bench_models.COMMAND) + " -->\nOUTDATED\n" + measured.END + "\nbehind\n"
        )
        given = ["--sizes", "10MB", "--repeats", "1", "--folder", str(disk), "--write", str(page)]
        assert bench_models.main(given) == 0
        text = page.read_text()
        assert "OUTDATED" not in text
        assert text.startswith("before\n") and text.endswith("\nbehind\n")
        assert [row.split(" | ")[1] for row in text.splitlines() if row.startswith("| 3 |")] == ["cold", "warm"]
        assert sorted(path.name for path in disk.iterdir()) == ["page.md", "probe"]

    def test_the_documentation_has_the_marks(self) -> None:
        text = (ROOT / "docs" / "large-files.md").read_text("utf-8")
        assert text.count(measured.mark(bench_models.COMMAND)) == text.count(measured.END) == 1
