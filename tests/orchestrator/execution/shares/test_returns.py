"""Blocks travel back through a folder or a stream, unchanged or not at all, and a share ends when its head is gone."""

import base64
import errno
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.execution.shares import returns, stream_reader
from orchestrator.execution.shares.collector import make_collector
from orchestrator.execution.shares.returns import LINE_PREFIX, FolderReturn, Pulse, StreamReturn
from orchestrator.execution.shares.stream_reader import StreamReader
from orchestrator.files.atomic import compress_bytes
from orchestrator.processes.signals import Interrupts
from orchestrator.records.share_store import ShareStore, hash_bytes, locate_log, open_attempt
from orchestrator.records.store import Store
from schemas.record import Placement
from schemas.share import Frame, Lease, ShareEnd
from tests.orchestrator.conftest import a_manifest
from tests.orchestrator.execution.shares.conftest import CELLS, IDS, Node

MakeNode = Callable[..., Node]
LIMIT = 64 << 20


@contextmanager
def open_stream(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@pytest.fixture
def local(tmp_path: Path, make_node: MakeNode) -> Node:
    """A node with a folder of its own, which the head does not see."""
    node = make_node()
    node.store = ShareStore(tmp_path / "scratch" / "1-1")
    node.store.make_folders()
    return node


@pytest.fixture
def seen(run: Store, local: Node) -> ShareStore:
    """The folder of the same attempt on the head."""
    return open_attempt(run, 1, 1)


def send_block(node: Node, way: StreamReturn | FolderReturn, block: int) -> None:
    way.close_block(block, node.measure(block))


def test_what_was_sent_is_in_the_folder_of_the_head_byte_by_byte(run: Store, local: Node, seen: ShareStore) -> None:
    local.store.run.write_manifest(a_manifest(CELLS))
    with open_stream(seen.stream_path) as stream:
        way = StreamReturn(local.store, stream)
        assert way.take_lease(Lease(node="n7", pid=3))
        way.describe_run()
        send_block(local, way, 1)
        way.state_end(ShareEnd(how="finished"))
    reader = StreamReader(seen, LIMIT)
    reader.read_available()
    for path in (local.store.folder / "jobs").iterdir():
        assert (seen.folder / "jobs" / path.name).read_bytes() == path.read_bytes()
    lease, end = seen.read_lease(), seen.read_end()
    assert lease is not None
    assert end is not None
    assert (lease.node, end.how) == ("n7", "finished")
    assert seen.run.read_manifest() == local.store.run.read_manifest()
    made = make_collector(run, IDS, lambda _: None)
    made.collect_blocks(seen, local.spec)
    assert len(run.read_records()) == len(CELLS)


def test_the_logs_of_jobs_that_were_not_measured_are_sent_too(run: Store, local: Node, seen: ShareStore) -> None:
    records = [record.model_copy(update={"outcome": "raised"}) for record in local.measure(1)]
    failed, silent, *_ = records
    place = local.store.run
    place.log_path(failed.spec).write_bytes(b"x" * returns.MOST_LOG_BYTES + b"Segmentation fault\n")
    place.log_path(silent.spec).touch()
    with open_stream(seen.stream_path) as stream:
        StreamReturn(local.store, stream).close_block(1, records)
    StreamReader(seen, LIMIT).read_available()
    placed = failed.model_copy(update={"placement": Placement(node="n7", share=1, attempt=1)})
    sent = locate_log(run, placed).read_bytes()
    assert sent.endswith(b"xSegmentation fault\n")
    assert len(sent) == returns.MOST_LOG_BYTES
    assert [path.name for path in (seen.folder / "jobs").glob("*.log")] == [place.log_path(failed.spec).name]


def test_the_log_of_a_measured_job_stays_on_its_node(local: Node, seen: ShareStore) -> None:
    records = local.measure(1)
    local.store.run.log_path(records[0].spec).write_text("all went well\n")
    with open_stream(seen.stream_path) as stream:
        StreamReturn(local.store, stream).close_block(1, records)
    StreamReader(seen, LIMIT).read_available()
    assert list((seen.folder / "jobs").glob("*.log")) == []


def test_a_block_that_was_sent_in_part_is_not_closed(run: Store, local: Node, seen: ShareStore) -> None:
    with open_stream(seen.stream_path) as stream:
        send_block(local, StreamReturn(local.store, stream), 1)
    whole = seen.stream_path.read_bytes()
    for size in (1, len(whole) // 2, len(whole) - 2):
        seen.stream_path.write_bytes(whole[:size])
        StreamReader(seen, LIMIT).read_available()
        assert seen.read_closed(1) is None
    seen.stream_path.write_bytes(whole)
    StreamReader(seen, LIMIT).read_available()
    assert seen.read_closed(1) is not None


def test_a_reader_goes_on_where_it_has_stopped(local: Node, seen: ShareStore) -> None:
    reader = StreamReader(seen, LIMIT)
    reader.read_available()  # there is no stream yet
    with open_stream(seen.stream_path) as stream:
        way = StreamReturn(local.store, stream)
        for block in (1, 2):
            send_block(local, way, block)
            os.write(stream, LINE_PREFIX + b'{"na')  # half a line
            reader.read_available()
            assert seen.read_closed(block) is not None
            os.write(stream, b'me":""}\n')


def test_lines_that_a_shell_prints_are_left_out(local: Node, seen: ShareStore) -> None:
    seen.stream_path.write_bytes(b"Welcome to n7!\n\n\xff\xfe\n")
    with open_stream(seen.stream_path) as stream:
        send_block(local, StreamReturn(local.store, stream), 1)
        os.write(stream, b"logout\n")
    StreamReader(seen, LIMIT).read_available()
    assert seen.read_closed(1) is not None


def make_line(name: str, content: bytes = b"{}", digest: str | None = None) -> bytes:
    data = base64.b64encode(compress_bytes(content)).decode()
    said = '{"name":"%s","sha256":"%s","data":"%s"}' % (name, digest or hash_bytes(content), data)  # noqa: UP031
    return LINE_PREFIX + said.encode() + b"\n"


@pytest.mark.parametrize(
    "name",
    [
        "../../manifest.json",
        "/etc/cron.d/x.json",
        "jobs/../../x.json",
        "jobs/../share.stderr.log",
        "share.log",
        "closed/x.stderr.log",
        "jobs/.hidden.json",
        "jobs/a/b.json",
        "other/x.json",
        "spec.txt",
        "jobs/x.json\\u0000",
        ".json",
    ],
)
def test_no_name_leads_out_of_the_folder(run: Store, seen: ShareStore, name: str) -> None:
    before = sorted(run.folder.rglob("*"))
    seen.stream_path.write_bytes(make_line(name))
    with pytest.raises(UsageError, match="the node sent no file of a share"):
        StreamReader(seen, LIMIT).read_available()
    assert sorted(run.folder.rglob("*")) == sorted([*before, seen.stream_path])


def test_a_link_in_the_folder_is_not_followed(tmp_path: Path, seen: ShareStore) -> None:
    target = tmp_path / "target.json"
    target.write_text("precious")
    (seen.folder / "jobs" / "x.json").symlink_to(target)
    seen.stream_path.write_bytes(make_line("jobs/x.json", b"new"))
    StreamReader(seen, LIMIT).read_available()
    assert target.read_text() == "precious"


def test_a_file_with_another_hash_is_refused(seen: ShareStore) -> None:
    seen.stream_path.write_bytes(make_line("jobs/x.json", digest="0" * 64))
    with pytest.raises(UsageError, match="does not have the hash that its node sent"):
        StreamReader(seen, LIMIT).read_available()
    assert not (seen.folder / "jobs" / "x.json").exists()


@pytest.mark.parametrize(
    "line", [b"{", b"[]", b'{"name":"jobs/x.json","data":"%"}', b'{"name":"jobs/x.json","data":""}']
)
def test_a_line_that_is_no_file_is_refused(seen: ShareStore, line: bytes) -> None:
    seen.stream_path.write_bytes(LINE_PREFIX + line + b"\n")
    with pytest.raises(UsageError, match="the node sent no file of a share"):
        StreamReader(seen, LIMIT).read_available()


def test_a_small_line_that_unpacks_to_too_much_is_refused(seen: ShareStore) -> None:
    seen.stream_path.write_bytes(make_line("jobs/x.json", bytes((64 << 20) + 1)))
    with pytest.raises(UsageError, match="the node sent no file of a share"):
        StreamReader(seen, LIMIT).read_available()


def test_nothing_is_read_beyond_a_line_that_is_wrong(local: Node, seen: ShareStore) -> None:
    with open_stream(seen.stream_path) as stream:
        way = StreamReturn(local.store, stream)
        send_block(local, way, 1)
        os.write(stream, LINE_PREFIX + b'{"name":"jobs/x.js\n')
    reader = StreamReader(seen, LIMIT)
    for _ in range(2):
        with pytest.raises(UsageError, match="the node sent no file of a share"):
            reader.read_available()
        with open_stream(seen.stream_path) as stream:
            send_block(local, StreamReturn(local.store, stream), 2)
    assert seen.read_closed(1) is not None
    assert seen.read_closed(2) is None


def test_a_stream_without_end_is_refused(seen: ShareStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_reader, "MAX_LINE_BYTES", 1000)
    seen.stream_path.write_bytes(LINE_PREFIX + b"x" * 2000)
    with pytest.raises(UsageError, match="the node sent more than 1000 bytes"):
        StreamReader(seen, LIMIT).read_available()
    seen.stream_path.write_bytes(b"noise\n" * 1000)
    with pytest.raises(UsageError, match="the node sent more than 500 bytes"):
        StreamReader(seen, 500).read_available()


def test_signs_of_life_are_seen_on_the_head(local: Node, seen: ShareStore) -> None:
    before = seen.read_pulse()
    with open_stream(seen.stream_path) as stream:
        way = StreamReturn(local.store, stream)
        assert way.give_sign()
        after = seen.read_pulse()
    assert before != after
    StreamReader(seen, LIMIT).read_available()
    assert sorted(path.name for path in seen.folder.iterdir()) == ["closed", "jobs", "spec.json", "stream"]


def test_a_sign_that_nobody_reads_ends_the_share(local: Node) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    assert not StreamReturn(local.store, writer).give_sign()
    os.close(writer)


# The folder


def test_a_lease_is_taken_once(make_node: MakeNode) -> None:
    way = FolderReturn(make_node().store)
    assert way.take_lease(Lease(node="n1", pid=1))
    assert not way.take_lease(Lease(node="n2", pid=2))
    lease = way.store.read_lease()
    assert lease is not None
    assert lease.node == "n1"


def test_a_sign_of_life_is_the_time_of_the_lease(make_node: MakeNode) -> None:
    way = FolderReturn(make_node().store)
    way.take_lease(Lease(node="n1", pid=1))
    before = way.store.read_pulse()
    time.sleep(0.02)
    assert way.give_sign()
    assert way.store.read_pulse() != before


def test_a_share_that_was_withdrawn_or_removed_has_to_end(make_node: MakeNode) -> None:
    way = FolderReturn(make_node().store)
    way.take_lease(Lease(node="n1", pid=1))
    way.store.withdraw_attempt()
    assert not way.give_sign()
    other = FolderReturn(make_node(share=2).store)
    assert not other.give_sign()


class StaleStore(ShareStore):
    """A folder on a file server that has lost the handle of one file."""

    @property
    def is_withdrawn(self) -> bool:
        raise OSError(errno.ESTALE, "Stale file handle")


def test_a_file_server_that_does_not_answer_ends_no_share(make_node: MakeNode) -> None:
    way = FolderReturn(StaleStore(make_node().store.folder))
    way.take_lease(Lease(node="n1", pid=1))
    assert way.give_sign()


def test_an_attempt_that_was_withdrawn_does_not_begin(make_node: MakeNode) -> None:
    way = FolderReturn(make_node().store)
    way.store.withdraw_attempt()
    assert not way.take_lease(Lease(node="n1", pid=1))


# The pulse


def test_a_pulse_gives_signs_while_it_is_entered_and_none_after(make_node: MakeNode) -> None:
    way = FolderReturn(make_node().store)
    way.take_lease(Lease(node="n1", pid=1))
    before = way.store.read_pulse()
    with Pulse(way, pause_s=0.01):
        until = time.monotonic() + 10
        while way.store.read_pulse() == before and time.monotonic() < until:
            time.sleep(0.01)
    time.sleep(0.1)  # one may be on its way
    after = way.store.read_pulse()
    assert after != before
    time.sleep(0.1)
    assert way.store.read_pulse() == after


@pytest.mark.parametrize("reason", ["withdrawn", "lifeline"])
def test_a_share_is_terminated_when_its_head_wants_it_or_is_gone(make_node: MakeNode, reason: str) -> None:
    way = FolderReturn(make_node().store)
    way.take_lease(Lease(node="n1", pid=1))
    reader, writer = os.pipe()
    with Interrupts() as interrupts:
        lifeline = reader if reason == "lifeline" else None
        with Pulse(way, lifeline=lifeline, pause_s=0.02 if lifeline is None else 60):
            os.write(writer, b"more than the request means nothing\n")
            if reason == "withdrawn":
                way.store.withdraw_attempt()
            else:
                os.close(writer)
            until = time.monotonic() + 10
            while interrupts.received is None and time.monotonic() < until:
                time.sleep(0.02)
    assert interrupts.received == signal.SIGTERM
    os.close(reader)


def test_frames_name_files_of_a_share_alone() -> None:
    assert Frame(name="jobs/001-x.json", sha256="0" * 64).name == "jobs/001-x.json"
    assert returns.PULSE_S < 10
