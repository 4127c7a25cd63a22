"""The guard, by a real server: who is refused, and what a browser is told."""

import asyncio
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from orchestrator.errors import UsageError
from orchestrator.report.server.guard import HOST, REFUSED_HOST, REFUSED_METHOD, REFUSED_VISITOR, Guard, load_token
from tests.orchestrator.report.server.serving import Served, serve


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve an empty folder of runs to all tests here: whom the guard refuses, it refuses whatever there is."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "runs").mkdir()
    with serve(folder / "runs", folder / "home") as serving:
        yield serving


def test_the_address_that_is_printed_gives_a_cookie_and_loses_its_token(served: Served) -> None:
    given = served.ask(f"/?q=torch&token={served.token}&a=x", headers={})
    assert (given.status, given.headers["location"]) == (303, "/?q=torch&a=x")
    cookie = given.headers["set-cookie"]
    assert cookie.startswith(f"plumbline_token_{served.port}={served.token};")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert served.ask("/").status == 200


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/", {}),
        ("/?token=", {}),
        ("/?token=wrong", {}),
        ("/runs/20250101-120000-first", {"Cookie": "plumbline_token_{port}=wrong"}),
        ("/assets/page.css", {"Cookie": "plumbline_token_1={token}"}),
        ("/compare?a=x&b=y", {"Cookie": "plumbline_token_{port}=é"}),
        ("/nowhere", {}),
    ],
)
def test_without_the_token_there_is_nothing_to_see(served: Served, path: str, headers: dict[str, str]) -> None:
    given = {name: text.format(port=served.port, token=served.token) for name, text in headers.items()}
    answer = served.ask(path, given)
    assert (answer.status, answer.text) == (403, REFUSED_VISITOR)
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", ["//evil.example", "///evil.example/x", "/%2Fevil.example"])
def test_the_way_to_an_address_without_its_token_stays_at_this_server(served: Served, path: str) -> None:
    location = served.ask(f"{path}?token={served.token}", headers={}).headers["location"]
    assert location.startswith("/")
    assert not location.startswith("//")


def test_a_wrong_token_in_the_address_does_not_forget_a_visitor_who_is_known(served: Served) -> None:
    assert served.ask("/?token=wrong").status == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil:80", "10.0.0.1:8017"])
def test_another_name_for_this_machine_is_refused_whatever_it_knows(served: Served, host: str) -> None:
    answer = served.ask("/", served.cookie | {"Host": host})
    assert (answer.status, answer.text) == (421, REFUSED_HOST)
    given = served.ask(f"/?token={served.token}", {"Host": host})
    assert given.status == 421
    assert "set-cookie" not in given.headers


@pytest.mark.parametrize("host", ["localhost", "localhost:9000", "127.0.0.1:8017", "[::1]:8017"])
def test_a_tunnel_may_end_at_any_port(served: Served, host: str) -> None:
    assert served.ask("/", served.cookie | {"Host": host}).status == 200
    assert HOST.fullmatch(host)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_changed(served: Served, method: str) -> None:
    answer = served.ask("/runs/20250101-120000-first", method=method)
    assert (answer.status, answer.text) == (405, REFUSED_METHOD)
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["/", "/runs/20250101-120000-first", "/nowhere", "/assets/serve.js", "/?token=wrong"])
def test_every_answer_binds_the_browser(served: Served, path: str) -> None:
    headers = served.ask(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self'; ")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers


def test_a_token_is_kept_for_this_user_alone_and_given_again(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "home"
    token = load_token(folder)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)
    (kept,) = folder.iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert load_token(folder) == token
    assert load_token(tmp_path / "other") != token


@pytest.mark.parametrize("content", ["", "short", "x" * 300, "a b" * 20, "é" * 40])
def test_what_is_no_token_is_replaced(tmp_path: Path, content: str) -> None:
    load_token(tmp_path)
    (kept,) = tmp_path.iterdir()
    kept.write_text(content)
    assert load_token(tmp_path) == kept.read_text()
    assert kept.read_text() != content


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o622, 0o666])
def test_a_token_that_others_could_read_or_write_is_replaced(tmp_path: Path, mode: int) -> None:
    token = load_token(tmp_path)
    (kept,) = tmp_path.iterdir()
    kept.chmod(mode)
    assert load_token(tmp_path) != token
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_link_in_the_place_of_the_token_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s" * 40)
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "serve.token").symlink_to(secret)
    assert load_token(folder) != "s" * 40
    assert secret.read_text() == "s" * 40


def test_a_token_that_cannot_be_kept_is_a_mistake_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot keep the token in .*; make that folder writable"):
        load_token(tmp_path / "file" / "home")


@pytest.mark.parametrize("is_late", [False, True])
def test_an_internal_error_is_one_sentence_behind_the_same_policy(is_late: bool) -> None:
    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        if is_late:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError("a\x1b[2Jb")

    sent = list[Message]()

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"host", b"localhost"), (b"cookie", b"plumbline_token_1=known")]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers, "server": ("h", 1)}
    if is_late:  # too late for a sentence
        with pytest.raises(ValueError, match=r"b$"):
            asyncio.run(Guard(fail, "known")(scope, receive, send))
        assert len(sent) == 1
        return
    asyncio.run(Guard(fail, "known")(scope, receive, send))
    start, body = sent
    assert start["status"] == 500
    assert b"content-security-policy" in {name for name, _ in start["headers"]}
    assert body["body"].startswith(b"This page cannot be shown: ValueError: a")
    assert b"\x1b" not in body["body"]
