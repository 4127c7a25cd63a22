"""An interpreter of the version in its name: it leaves the file `started` beside itself, and says what it is."""

import json
from pathlib import Path

here = Path(__file__)
here.with_name("started").touch()
version = f"{here.name.removeprefix('python')}.1"
print(json.dumps({"python": version, "identity": "its build", "distributions": {}, "modules": []}))
