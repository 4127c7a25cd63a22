"""The guard of the server: who may ask, for what, and what a browser may do with the answer.

A page of a run shows text that others have written. So a browser is told to run our script alone, to load nothing from
elsewhere and to be framed by nobody. A page of another site that a name points to this machine is recognised by the
name in its request (DNS rebinding), and everybody else on this machine lacks the token.
"""

import re
import secrets
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from starlette.datastructures import Headers, QueryParams
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.errors import UsageError
from orchestrator.files.own_files import read_own_text, write_own_text
from orchestrator.format import to_printable

KEPT_IN: Final = "serve.token"
TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{32,64}")
COOKIE: Final = "plumbline_token_{}"

# Names of this machine. A tunnel may end at another port, so any port will do.
HOST: Final = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?")
METHODS: Final = ("GET", "HEAD")

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

REFUSED_VISITOR: Final = "This address lacks the token; open the address that `plumbline serve` printed.\n"
REFUSED_HOST: Final = "This server answers to localhost and 127.0.0.1 alone; open it by one of these names.\n"
REFUSED_METHOD: Final = "This server only shows runs; nothing can be changed by it.\n"


def load_token(folder: Path) -> str:
    """Return the token kept in a folder, so that a browser is still known when the server starts again.

    Raises:
        UsageError: a new one cannot be kept there.
    """
    place = folder.joinpath(KEPT_IN)
    if TOKEN.fullmatch(kept := read_own_text(place, secret=True)):
        return kept
    made = secrets.token_urlsafe(32)
    try:
        write_own_text(place, made)
    except OSError as error:
        raise UsageError(f"cannot keep the token in {place}: {error.strerror}; make that folder writable") from error
    return made


class Guard:
    """Refuses requests by other names, methods and tokens, and adds the headers that bind a browser."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._answer_at_once(scope)

        has_started = False

        async def send_guarded(message: Message) -> None:
            nonlocal has_started
            if message["type"] == "http.response.start":
                has_started = True
                own = {name.lower() for name, _ in message["headers"]}
                added = [(name.lower().encode(), text.encode()) for name, text in HEADERS.items()]
                message["headers"] = [*message["headers"], *(each for each in added if each[0] not in own)]
            await send(message)

        try:
            await (refusal or self._app)(scope, receive, send_guarded)
        except Exception as error:
            if has_started:
                raise
            text = f"This page cannot be shown: {type(error).__name__}: {to_printable(str(error))}.\n"
            await PlainTextResponse(text, HTTPStatus.INTERNAL_SERVER_ERROR)(scope, receive, send_guarded)

    def _answer_at_once(self, scope: Scope) -> Response | None:
        """Return the refusal of a request, or the way to an address without its token; None if it may pass."""
        headers, asked = Headers(scope=scope), QueryParams(scope["query_string"])
        if not HOST.fullmatch(headers.get("host", "")):
            return PlainTextResponse(REFUSED_HOST, HTTPStatus.MISDIRECTED_REQUEST)
        if scope["method"] not in METHODS:
            return PlainTextResponse(REFUSED_METHOD, HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": ", ".join(METHODS)})
        if (given := asked.get("token")) is not None and self._is_token(given):
            # The token leaves the address, which ends up in histories and on screens.
            rest = urlencode([(name, text) for name, text in asked.multi_items() if name != "token"])
            # Two slashes at the start would name another server.
            path = f"/{scope['path'].lstrip('/')}"
            answer = RedirectResponse(path + (f"?{rest}" if rest else ""), HTTPStatus.SEE_OTHER)
            answer.set_cookie(self._name_cookie(scope), self._token, httponly=True, samesite="strict")
            return answer
        if not self._is_token(cookie_parser(headers.get("cookie", "")).get(self._name_cookie(scope), "")):
            return PlainTextResponse(REFUSED_VISITOR, HTTPStatus.FORBIDDEN)
        return None

    @staticmethod
    def _name_cookie(scope: Scope) -> str:
        """Return the name of the cookie, by the server's port: a browser sends all cookies to every port of a host."""
        return COOKIE.format(scope["server"][1])

    def _is_token(self, text: str) -> bool:
        return secrets.compare_digest(text.encode(), self._token.encode())
