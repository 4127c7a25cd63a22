"""The stream of a node that shares no files: lines whose files are verified and written into the attempt's folder."""

import base64
import binascii
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from orchestrator.errors import UsageError
from orchestrator.execution.shares.returns import LINE_PREFIX
from orchestrator.files.atomic import MAX_FILE_BYTES, decompress_bytes
from orchestrator.records.share_store import ShareStore, hash_bytes
from schemas.share import Frame

# A file of the most bytes does not shrink at worst, and base64 needs a third more.
MAX_LINE_BYTES: Final = MAX_FILE_BYTES * 3 // 2
CHUNK_BYTES: Final = 1 << 20


@dataclass(slots=True)
class StreamReader:
    """A reader that goes on where it has stopped, and no further than what is wrong with the stream.

    A stream of more than `most_bytes` is refused.
    """

    store: ShareStore
    most_bytes: int
    _offset: int = 0
    _rest: bytes = b""
    _problem: str = ""

    def read_available(self) -> None:
        """Unpack the lines that have arrived completely.

        Raises:
            UsageError: a line is no file of a share, or the stream is too long.
        """
        try:
            if not self._problem:
                self._read_lines()
        except UsageError as error:
            self._problem = str(error)
        if self._problem:
            raise UsageError(self._problem)

    def _read_lines(self) -> None:
        try:
            file = self.store.stream_path.open("rb")
        except OSError:
            return
        with file:
            file.seek(self._offset)
            while chunk := file.read(CHUNK_BYTES):
                self._offset += len(chunk)
                *lines, self._rest = (self._rest + chunk).split(b"\n")
                if self._offset > self.most_bytes or len(self._rest) > MAX_LINE_BYTES:
                    raise UsageError(f"the node sent more than {min(self.most_bytes, MAX_LINE_BYTES)} bytes")
                for line in lines:
                    # A shell on the way may print lines too.
                    if line.startswith(LINE_PREFIX):
                        self._unpack(line.removeprefix(LINE_PREFIX))

    def _unpack(self, line: bytes) -> None:
        """Write the file of a line, whose name leads nowhere else."""
        try:
            frame = Frame.model_validate_json(line)
            if not frame.name:
                return
            content = decompress_bytes(base64.b64decode(frame.data, validate=True))
        except (ValidationError, ValueError, binascii.Error) as error:
            raise UsageError(f"the node sent no file of a share: {line[:60]!r}") from error
        if hash_bytes(content) != frame.sha256:
            raise UsageError(f"{frame.name} does not have the hash that its node sent")
        self.store.write_file(frame.name, content)
