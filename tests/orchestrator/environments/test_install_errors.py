import pytest

from orchestrator.environments.install_errors import explain_failure, list_versions

NO_VERSION = """
ERROR: Ignored the following versions that require a different python version: 0.1 Requires-Python <3
ERROR: Could not find a version that satisfies the requirement x==9 (from versions: 1.9, 1.10rc1, 1.10, junk, 0.5)
ERROR: No matching distribution found for x==9
"""
NO_PACKAGE = """
ERROR: Could not find a version that satisfies the requirement x==9 (from versions: none)
ERROR: No matching distribution found for x==9
"""
CONFLICT = """
ERROR: Cannot install x==1 and x==2 because these package versions have conflicting dependencies.

The conflict is caused by:
    The user requested x==1
ERROR: ResolutionImpossible: for help visit https://pip.example
"""
CONSTRAINED = """
ERROR: Cannot install x==9 because these package versions have conflicting dependencies.

The conflict is caused by:
    The user requested x==9
    The user requested (constraint) x<=8
ERROR: ResolutionImpossible: for help visit https://pip.example
"""
MISMATCH = """
ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated, look.
    x==1 from file:///w/x.whl (from -r requirements.txt (line 1)):
        Expected sha256 aa
             Got        bb
"""
NO_BUILD = """
Collecting y
Processing ./x
  error: subprocess-exited-with-error
  × Preparing metadata did not run successfully.
  ╰─> [1 lines of output]
"""
UV = """
error: No solution found when resolving dependencies
  cause: Because x was not found in the provided locations, we can conclude that it is not there.
"""
OLDER_UV = """
  × No solution found when resolving dependencies:
  ╰─▶ Because there is no x
"""
UV_NO_VERSION = """
  × No solution found when resolving dependencies:
  ╰─▶ Because there is no version of
      x==9 and you require x==9, we can conclude that your requirements are unsatisfiable.
"""


@pytest.mark.parametrize(
    ("log", "sentence"),
    [
        (NO_VERSION, "there is no x==9; the newest are 1.10, 1.10rc1, 1.9"),
        (NO_PACKAGE, "Could not find a version that satisfies the requirement x==9 (from versions: none)"),
        (CONFLICT, "Cannot install x==1 and x==2 because these package versions have conflicting dependencies"),
        (
            CONSTRAINED,
            "Cannot install x==9 because these package versions have conflicting dependencies: a constraint in pip's "
            "settings asks for x<=8",
        ),
        (MISMATCH, "THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE: x==1"),
        (NO_BUILD, "./x: subprocess-exited-with-error"),
        (
            UV,
            "No solution found when resolving dependencies: Because x was not found in the provided locations, we can "
            "conclude that it is not there",
        ),
        (UV_NO_VERSION, "there is no x==9"),
        (OLDER_UV, "No solution found when resolving dependencies: Because there is no x"),
        ("working\ndying\n", "the installer ended with status 9; its last line: dying"),
        ("", "the installer ended with status 9; its last line: nothing"),
    ],
)
def test_a_failure_is_explained_in_the_installers_own_words(log: str, sentence: str) -> None:
    assert explain_failure(f"$ pip install\n{log}", "x", 9) == sentence


def test_only_the_command_that_failed_counts() -> None:
    assert explain_failure("$ venv\nERROR: an old one\n\n$ pip\nERROR: a new one\n", "x", 1) == "a new one"


def test_without_a_network_the_message_says_so_and_what_to_do() -> None:
    log = "$ pip\nWARNING: Retrying after connection broken by 'NewConnectionError(...)'\nERROR: No matching x\n"
    assert explain_failure(log, "mine", 1) == (
        "no package index can be reached (No matching x); run `env create mine` when one can"
    )


def test_versions_are_read_from_pips_list_and_from_nothing_else() -> None:
    assert list_versions("x (2.0)\nAvailable versions: 2.0, 1.10rc1, junk, 1.9\n  INSTALLED: 1.9\n") == [
        "2.0",
        "1.10rc1",
        "1.9",
    ]
    assert list_versions("ERROR: No matching distribution found for x\n") == []
