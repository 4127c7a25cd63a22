import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from orchestrator.files.lock import (
    LockHeld,
    hold_exclusive,
    hold_public,
    hold_shared,
    is_locked,
    lock_new,
    remove_if_abandoned,
)
from orchestrator.machine.core_locks import FOLDERS, is_public_folder

ROOT = Path(__file__).resolve().parents[3]

HOLDER = """
import sys
from pathlib import Path
from orchestrator.files.lock import hold_exclusive
with hold_exclusive(Path(sys.argv[1]), "4711 mark"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_processes_cannot_hold_it_and_the_second_learns_who_does(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        with pytest.raises(LockHeld, match="4711"), hold_exclusive(tmp_path / "lock", "me"):
            pass
        first.kill()
    with hold_exclusive(tmp_path / "lock", "me") as left:
        assert left.before == "4711 mark"


def test_whoever_ends_in_order_leaves_nothing_in_it(tmp_path: Path) -> None:
    with hold_exclusive(tmp_path / "lock", "x" * 100) as left:
        assert left.before == ""
    with hold_exclusive(tmp_path / "lock", "me") as left:
        assert left.before == ""
        assert (tmp_path / "lock").read_text() == "me"


def test_many_can_share_it_and_then_nobody_has_it_alone(tmp_path: Path) -> None:
    with (
        hold_shared(tmp_path / "lock"),
        hold_shared(tmp_path / "lock"),
        pytest.raises(LockHeld),
        hold_exclusive(tmp_path / "lock", "me"),
    ):
        pass
    with hold_exclusive(tmp_path / "lock", "me"), pytest.raises(LockHeld, match="me"), hold_shared(tmp_path / "lock"):
        pass


def test_it_is_held_until_the_last_process_that_inherited_it_has_ended(tmp_path: Path) -> None:
    with hold_exclusive(tmp_path / "lock", "builder") as lock:
        command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
        heir = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[lock.descriptor])
    with heir:
        with pytest.raises(LockHeld), hold_exclusive(tmp_path / "lock", "me"):
            pass
        heir.kill()
    with hold_exclusive(tmp_path / "lock", "me"):
        pass


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("keep me")
    (tmp_path / "lock").symlink_to("precious")
    with pytest.raises(OSError, match=os.strerror(40)), hold_exclusive(tmp_path / "lock", "me"):
        pass
    assert (tmp_path / "precious").read_text() == "keep me"


def test_a_pipe_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    os.mkfifo(path)
    with pytest.raises(OSError, match="lock is not a regular file"), hold_exclusive(path, "me"):
        pass


def test_what_was_just_made_is_abandoned_once_its_maker_closes_it(tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    descriptor = os.open(made, os.O_RDONLY)
    assert lock_new(descriptor, made)
    remove_if_abandoned(made, Path.rmdir)
    assert made.exists()
    os.close(descriptor)
    remove_if_abandoned(made, Path.rmdir)
    assert not made.exists()


def test_what_was_removed_before_its_maker_could_lock_it_is_lost(tmp_path: Path) -> None:
    with (tmp_path / "made").open("xb") as file:
        remove_if_abandoned(tmp_path / "made", Path.unlink)
        assert not lock_new(file.fileno(), tmp_path / "made")


def test_a_link_is_never_removed_as_abandoned(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("keep me")
    (tmp_path / "link").symlink_to("precious")
    for name in ("link", "missing"):
        remove_if_abandoned(tmp_path / name, Path.unlink)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "precious"]


def test_several_readers_do_not_disturb_the_note_of_the_last_holder(tmp_path: Path) -> None:
    with hold_exclusive(tmp_path / "lock", "me"):
        pass
    with hold_shared(tmp_path / "lock"), hold_shared(tmp_path / "lock"):
        assert (tmp_path / "lock").read_bytes() == b""


def test_it_is_released_when_the_work_under_it_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), hold_exclusive(tmp_path / "lock", "me"):
        raise ZeroDivisionError
    with hold_exclusive(tmp_path / "lock", "me") as lock:
        assert lock.before == ""


def test_a_note_of_any_length_and_any_bytes_is_read_within_bounds(tmp_path: Path) -> None:
    (tmp_path / "lock").write_bytes(b"\xff" * 10_000)
    with hold_exclusive(tmp_path / "lock", "me") as lock:
        assert 0 < len(lock.before) <= 200
    assert (tmp_path / "lock").read_bytes() == b""


def test_a_folder_in_its_place_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Is a directory"), hold_shared(tmp_path):
        pass


OTHER_USER = """
import os, sys
from pathlib import Path
from orchestrator.files.lock import LockHeld, hold_public
os.setgid(65534)
os.setuid(65534)
try:
    with hold_public(Path(sys.argv[1]), "nobody"):
        print("mine", Path(sys.argv[1]).read_text())
except LockHeld as error:
    print("taken by", error)
"""


def ask_other_user(path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", OTHER_USER, str(path)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout.strip()


def test_a_public_lock_is_one_that_any_user_may_open_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with hold_public(tmp_path / "lock", "me"):
            assert (tmp_path / "lock").read_text() == "me"
            assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o666
            with pytest.raises(LockHeld, match="me"), hold_public(tmp_path / "lock", "you"):
                pass
    finally:
        os.umask(before)
    assert (tmp_path / "lock").read_text() == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_two_users_cannot_hold_a_public_lock_whoever_made_it() -> None:
    # Every user may enter this folder, but not all folders for temporary files.
    with tempfile.TemporaryDirectory(dir=next(filter(is_public_folder, FOLDERS))) as name:
        folder = Path(name)
        folder.chmod(0o1777)
        with hold_public(folder / "lock", "root"):
            assert ask_other_user(folder / "lock") == "taken by root"
        assert ask_other_user(folder / "lock") == "mine nobody"
        assert ask_other_user(folder / "other") == "mine nobody"  # which the other user has made
        with hold_public(folder / "other", "root"):
            assert ask_other_user(folder / "other") == "taken by root"
        (folder / "lock").chmod(0o644)  # enough for a lock of the other user, but not for a note
        assert ask_other_user(folder / "lock") == "mine"


def test_a_public_lock_follows_no_link_and_opens_no_pipe(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        with pytest.raises(OSError, match=r"symbolic links|not a regular file"), hold_public(tmp_path / name, "me"):
            pass
    assert not (tmp_path / "elsewhere").exists()


def test_whether_a_lock_is_held_is_seen_without_taking_it(tmp_path: Path) -> None:
    path, other = tmp_path / "lock", tmp_path / "other"
    path.write_text(f"{os.getpid()} a note is no lock")
    other.write_text("")
    assert not is_locked(path)
    with hold_exclusive(path, "4711 mark"):
        assert is_locked(path)
        assert not is_locked(other)
    assert not is_locked(path)
    with hold_shared(path):
        assert is_locked(path)
