"""Small files of the kernel, which may not exist or may vanish."""

from pathlib import Path

from workers.measurement.kernel_files import read_small_file


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("VmHWM:\t5 kB\nVmRSS:\t4 kB\n")
    assert read_small_file(tmp_path / "file") == "VmHWM:\t5 kB\nVmRSS:\t4 kB\n"


def test_what_is_not_there_or_cannot_be_read_is_empty(tmp_path: Path) -> None:
    assert read_small_file(tmp_path / "none") == ""
    assert read_small_file(tmp_path) == ""
    assert read_small_file(tmp_path / "none" / "below") == ""
