"""Only code that this program has or lists may have measured what is admitted."""

import re

from orchestrator.export.publication.versions import VERSIONS, is_known_code
from orchestrator.records.provenance import SOURCE, hash_code


def test_the_code_of_this_program_is_known() -> None:
    assert is_known_code(hash_code(SOURCE))


def test_listed_versions_are_known_and_no_others() -> None:
    for code, version in VERSIONS.items():
        assert re.fullmatch("[0-9a-f]{64}", code)
        assert version
        assert is_known_code(code)
    assert not is_known_code("")
    assert not is_known_code("0" * 64)
