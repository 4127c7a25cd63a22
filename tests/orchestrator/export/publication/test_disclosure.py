"""Paths, addresses, tokens and names of people are found and replaced; figures, labels and fractions are not."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.export.publication.code import MAX_SEARCHED_BYTES
from orchestrator.export.publication.disclosure import (
    CODE_PATTERNS,
    LONGEST_TEXT,
    PUBLIC_VARIABLES,
    compile_names,
    find_disclosure,
    map_texts,
    replace_disclosures,
    search_text,
    select_personal_names,
    walk_texts,
)

SECRETS = [
    ("/home/alice/models/net.py:12: UserWarning", "removed-path:12: UserWarning", "an absolute path"),
    ("cannot open '/tmp/x y'", "cannot open 'removed-path'", "an absolute path"),
    ("-I/usr/local/include -O2", "-Iremoved-path -O2", "an absolute path"),
    ("PATH=/a/bin:/b/bin", "PATH=removed-path:removed-path", "an absolute path"),
    ("in /Users/bob/Library", "in removed-path", "an absolute path"),
    ("~/models/net.pt", "removed-path", "a path in a home folder"),
    ("~bob/net.pt", "removed-path", "a path in a home folder"),
    (r"C:\Users\alice\net.pt is gone", "removed-path is gone", "an absolute path"),
    (r"\\server\share\x", "removed-path", "an absolute path"),
    ("write to alice@example.org.", "write to removed-address.", "an e-mail address"),
    ("kernel (builder@build.intern.example) #1", "kernel (removed-address) #1", "an e-mail address"),
    ("pip install https://alice:pw@intern.example/simple", "pip install removed-url", "an address"),
    ("file:///home/alice/x.whl", "removed-url", "an address"),
    ("ghp_" + "a1B2" * 9, "removed-token", "a token"),
    ("hf_" + "a1B2" * 9, "removed-token", "a token"),
    ("AKIA" + "ABCD" * 4, "removed-token", "a token"),
    ("Authorization: Bearer abcdefghijklmnop1234", "Authorization: removed-token", "a token"),
    ("API_KEY=s3cr3tvalue", "removed-token", "a token"),
    ("cloned git@github.com:alice/private.git", "cloned removed-url", "an address"),
    ("scp alice@build01:models/net.pt", "scp removed-url", "an address"),
    ("bob@example.com: bounced", "removed-address: bounced", "an e-mail address"),
    ("model @ git+https://github.com/acme/private-model", "model @ removed-url", "an address"),
    ("see https://github.com/acme", "see removed-url", "an address"),
    ("proxy 10.1.2.3:8080", "proxy removed-url", "an address"),
    ("from 192.168.0.17", "from removed-url", "an address"),
    ("proxy db01.corp.internal:3128", "proxy removed-url", "an address"),
    ("on node-17.acme.internal", "on removed-url", "an address"),
    ("proxy.acme.com:8080 refused", "removed-url refused", "an address"),
    ('File "/home/alice/My Secret Project/model.py", line 3', 'File "removed-path", line 3', "an absolute path"),
    ("in `/data/My Secret Project/x`", "in `removed-path`", "an absolute path"),
    ("'~/My Project/x' is gone", "'removed-path' is gone", "an absolute path"),
    ("on //nas/share/alice", "on removed-path", "an absolute path"),
    ("-I/srv/alice/include -O2", "-Iremoved-path -O2", "an absolute path"),
    ("GPU-8f0a1b2c-3d4e-5f60-7182-93a4b5c6d7e8", "removed-device", "a device"),
    ("eth0 02:42:ac:11:00:0f up", "eth0 removed-device up", "a device"),
    ("AIza" + "a1B2_" * 7, "removed-token", "a token"),
    ("ASIA" + "ABCD" * 4, "removed-token", "a token"),
    ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", "removed-token", "a token"),
    ("-----BEGIN RSA PRIVATE KEY-----", "removed-token", "a token"),
    ("sent eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "sent removed-token", "a token"),
    ("id-eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "id-removed-token", "a token"),
    (f"eyJ{'a1B2' * 500}.eyJzdWIiOiIxMjM0In0", "removed-token", "a token"),
    ("token='12345678901a'", "removed-token'", "a token"),
]

HARMLESS = [
    "rnn_cell backward (hidden=20 input=10), batch 1, float32, 1 thread, cpu",
    "numpy@venv.old:eager",
    "tensorflow@2.20:function",
    "6.18.44-fc-v595 #1 SMP PREEMPT_DYNAMIC @0",
    "1/2 of 3 s/call, and/or N/A, float32/float64",
    "{cache}/inductor",
    "torch:eager (A/A)",
    "2026-11-29T18:48:35+00:00",
    "see https://github.com/pytorch/pytorch/issues/1 and https://docs.python.org/3/",
    "tokens=128 of the vocabulary",
    "code/mine:width=8",
    "'is_cuda_build': False, 'is_rocm_build': False",
    "sha256 6a744132ef8325ccc103388caeb905b6555b670d421d044376aeeb48009930d0",
    "~ 3 ms",
    "tensorflow@venv.old:function is slower than torch@old:eager",
    "nvidia-curand-cu12 10.3.5.147 and cublas 12.4.5.8",
    "ops.py:123 calls threading.local and google.protobuf.internal",
    "https://github.com/tensorflow/tensorflow/issues/2",
    "x //y and 7 // 2",
    "12:34:56",
    "it's 1/2 of what's due",
    "token: 123456789, token: ab, token: ''",
    "eyJ.eyJ and eyJhbGciOiJIUzI1NiJ9.ey",
]


@pytest.mark.parametrize(("text", "due", "kind"), SECRETS)
def test_a_secret_is_found_and_replaced(text: str, due: str, kind: str) -> None:
    assert find_disclosure(text) == kind
    assert replace_disclosures(text) == due
    assert find_disclosure(due) == ""


@pytest.mark.parametrize("text", HARMLESS)
def test_what_discloses_nothing_stays_as_it_is(text: str) -> None:
    assert find_disclosure(text) == ""
    assert replace_disclosures(text) == text


@given(
    st.lists(st.sampled_from([*(text for text, _, _ in SECRETS), *HARMLESS, "/", "~", "@", "://", " ", "x"])).map(
        "".join
    )
)
def test_nothing_is_left_after_a_few_replacements(text: str) -> None:
    for _ in range(4):
        text = replace_disclosures(text)
    assert find_disclosure(text) == ""


def test_code_may_divide_and_refer_to_papers() -> None:
    code = "scale = x /norm  # https://arxiv.org/abs/1412.6980\n"
    assert search_text(code, CODE_PATTERNS) == ""
    assert search_text("# by alice@example.org", CODE_PATTERNS) == "an e-mail address"
    assert search_text("open('/home/alice/x')", CODE_PATTERNS) == "an absolute path"


@pytest.mark.parametrize("part", ["-eyJ", "-eyJaaaaaaaaaaaa", "token=''", 'api_key=""', "a.b-", "~a-"])
def test_the_largest_file_of_code_takes_no_time_that_grows_with_its_square(part: str) -> None:
    # A search whose time did would take longer than any test may.
    assert search_text((part * MAX_SEARCHED_BYTES)[:MAX_SEARCHED_BYTES], CODE_PATTERNS) == ""


def test_a_long_text_is_searched_in_a_moment() -> None:
    began = time.monotonic()
    for part in ("a@b:", "'/a ", "a.", "1.", "-", "//a", "~/", "secret", "a-", "0a:", "git@", "x" * 9, '"/x'):
        find_disclosure((part * LONGEST_TEXT)[:LONGEST_TEXT])
    assert time.monotonic() - began < 20


def test_a_document_is_walked_with_its_keys() -> None:
    document = {"a": ["x", {"/key": 1}], "b": None}
    assert list(walk_texts(document)) == [("a", "a"), ("a.0", "x"), ("a.1./key", "/key"), ("b", "b")]
    assert map_texts(document, str.upper) == {"A": ["X", {"/KEY": 1}], "B": None}


def test_common_and_short_names_tell_nothing() -> None:
    assert select_personal_names(["root", "al", "runner", "torch", "cell", "seed", "alice", "alices-laptop"]) == [
        "alices-laptop",
        "alice",
    ]


def test_names_are_replaced_as_whole_words() -> None:
    pattern = compile_names(["alice"])
    assert pattern is not None
    assert pattern.sub("-", "alice Alice malice alice-1 alices") == "- - malice --1 alices"
    assert compile_names(["root"]) is None


def test_a_variable_with_a_secret_is_none_of_the_public_ones() -> None:
    assert {"OMP_NUM_THREADS", "XLA_FLAGS", "TF_NUM_INTRAOP_THREADS"} <= PUBLIC_VARIABLES
    assert {"LD_PRELOAD", "GLIBC_TUNABLES", "THP_MEM_ALLOC_ENABLE", "TF_ENABLE_ONEDNN_OPTS"} <= PUBLIC_VARIABLES
    assert not [name for name in PUBLIC_VARIABLES if re.search("TOKEN|SECRET|PASS|AUTH|HOME|USER", name)]
