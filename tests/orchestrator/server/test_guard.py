"""The guard, by a real server: who is refused, and what a browser is told."""

import re
import stat
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.server.guard import HOST, REFUSED_HOST, REFUSED_METHOD, REFUSED_VISITOR, load_token
from tests.orchestrator.server.serving import Served


def test_the_address_that_is_printed_gives_a_cookie_and_loses_its_token(served: Served) -> None:
    given = served.ask(f"/?q=torch&token={served.token}&a=x", headers={})
    assert (given.status, given.headers["location"]) == (303, "/?q=torch&a=x")
    cookie = given.headers["set-cookie"]
    assert cookie.startswith(f"plumbline_token={served.token};")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert served.ask("/").status == 200


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/", {}),
        ("/?token=", {}),
        ("/?token=wrong", {}),
        ("/runs/20250101-120000-first", {"Cookie": "plumbline_token=wrong"}),
        ("/assets/page.css", {"Cookie": "other=1"}),
        ("/compare?a=x&b=y", {"Cookie": "plumbline_token=é"}),
        ("/nowhere", {}),
    ],
)
def test_without_the_token_there_is_nothing_to_see(served: Served, path: str, headers: dict[str, str]) -> None:
    answer = served.ask(path, headers)
    assert (answer.status, answer.text) == (403, REFUSED_VISITOR)
    assert "set-cookie" not in answer.headers


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
