"""A node in place of a real one: it takes the request of a share as its first line.

It does as its first argument says; the second one is its name. It sends lines as a real node does, in which the files
are given as text.
"""

import base64
import gzip
import hashlib
import json
import os
import sys
import time


def send(name: str, text: str) -> None:
    content = text.encode()
    data = base64.b64encode(gzip.compress(content)).decode()
    frame = {"name": name, "sha256": hashlib.sha256(content).hexdigest(), "data": data}
    os.write(1, b"plumbline " + json.dumps(frame).encode() + b"\n")


def read_line() -> bytes:
    line = bytearray()
    while not line.endswith(b"\n") and (byte := os.read(0, 1)):
        line += byte
    return bytes(line)


def main() -> None:
    how = sys.argv[1]
    if how == "deaf":
        time.sleep(600)
    spec = json.loads(read_line())
    send("lease.json", json.dumps({"node": sys.argv[2], "pid": os.getpid()}))
    if how == "waits":
        while os.read(0, 1000):
            pass
        send("end.json", json.dumps({"how": "interrupted", "reason": "the head has gone"}))
    elif how == "stays":
        while True:
            time.sleep(600)
    elif how == "escapes":
        send("../../escaped.json", "{}")
        time.sleep(600)
    elif how == "fails":
        print("no such module", file=sys.stderr)
        sys.exit(3)
    elif how == "closes":
        for block in range(spec["first"], spec["last"] + 1):
            send(f"closed/{block}.json", json.dumps({"block": block, "records": {}}))
        send("end.json", json.dumps({"how": "finished"}))


main()
