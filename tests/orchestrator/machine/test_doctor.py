import io
import json
import subprocess
import sys
import time
import tomllib
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.machine import doctor
from orchestrator.machine.activity import Activity, BusyProcess, ClockQuality, Storage
from orchestrator.machine.doctor import Facts, examine_machine
from orchestrator.machine.findings import Finding, Fitness, Severity, join_names, rate_fitness
from orchestrator.report.machine import build_fitness_document, show_fitness, summarise_host
from schemas.catalog import FRAMEWORKS
from schemas.record import Host

GIB = 1 << 30
ROOT = Path(__file__).resolve().parents[3]

IDEAL = Host(
    cpu="Intel(R) Fast",
    cores=4,
    memory_bytes=16 * GIB,
    system="Linux",
    python="3.11.0",
    logical_cores=4,
    physical_cores=4,
    usable_physical_cores=4,
    smt=False,
    hypervisor="none",
    clocksource="tsc",
    aslr=2,
    governor="performance",
    turbo=False,
    cpu_quota="unlimited",
    memory_limit_bytes="unlimited",
)

CALM = Activity(
    load=0.1,
    others_cores=0.01,
    busiest=(),
    steal_share=0.0,
    pressure_share=0.0,
    swapped_pages=0,
    throttled=0,
    throttled_before=0,
    overheated=0,
    overheated_before=0,
    memory_available_bytes=8 * GIB,
    on_battery=False,
    clock=ClockQuality(50, 20),
    storage=Storage(50 * GIB),
    delay_counted=True,
    peak_resettable=True,
)

HOG = (BusyProcess("stress", 42, 0.97), BusyProcess("kworker/0:1", 7, 0.02), BusyProcess("init", 1, 0.01))


def facts(
    host: Mapping[str, object] | None = None,
    now: Mapping[str, Any] | None = None,
    unready: frozenset[str] = frozenset(),
) -> Facts:
    """Return an ideal machine with these changes."""
    return Facts(
        host=IDEAL.model_copy(update=dict(host or {})),
        now=replace(CALM, **dict(now or {})),
        frameworks=FRAMEWORKS,
        unready=unready,
    )


def found(judged: Facts, about: str) -> Finding:
    """Return the one finding about a subject."""
    (finding,) = (each for each in examine_machine(judged) if each.about == about)
    return finding


def subjects() -> set[str]:
    """Return what the checks are about, which their names end with."""
    return {judge.__name__.removeprefix("check_") for judge in doctor.MACHINE_CHECKS}


def test_an_ideal_machine_is_fit_and_every_judge_says_so() -> None:
    findings = examine_machine(facts())
    assert {finding.severity for finding in findings} == {Severity.FINE}
    assert rate_fitness(findings) is Fitness.FIT
    silent = {"overridden", "hidden"}
    assert {finding.about for finding in findings} == subjects() - silent


Trouble = tuple[Mapping[str, Any], Mapping[str, Any], str, str, str]
TROUBLES: list[Trouble] = [
    # Activity
    ({}, {"others_cores": 0.2, "busiest": HOG}, "others", "note", "0.20 of 4 usable cores now; the busiest: stress"),
    ({}, {"others_cores": 1.0, "busiest": HOG}, "others", "warning", "stress (pid 42) 97 %, kworker/0:1 (pid 7) 2.0 %"),
    ({"cores": 2}, {"others_cores": 0.2}, "others", "warning", "0.20 of 2 usable cores now."),
    ({}, {"others_cores": 3.6}, "others", "unfit", "3.60 of 4 usable cores"),
    ({"cpu_quota": 1.5}, {"others_cores": 1.2}, "others", "unfit", "1.20 of 1.5 usable cores"),
    ({"cpu_quota": 8.0}, {"others_cores": 3.0}, "others", "warning", "3.00 of 4 usable cores"),
    ({}, {"load": 1.9}, "load", "fine", "1.90 on 4 cores"),
    ({}, {"load": 2.5}, "load", "note", "2.50 on 4 cores"),
    ({}, {"load": 4.5}, "load", "warning", "4.50 on 4 cores"),
    ({"logical_cores": None, "cores": 1}, {"load": 1.5}, "load", "warning", "1.50 on 1 core."),
    ({}, {"pressure_share": 0.02}, "pressure", "note", "2.0 %"),
    ({}, {"pressure_share": 0.3}, "pressure", "warning", "30 %"),
    ({}, {"steal_share": 0.004}, "steal", "note", "0.4 %"),
    ({}, {"steal_share": 0.02}, "steal", "warning", "2.0 %"),
    ({}, {"steal_share": 0.25}, "steal", "unfit", "25 %"),
    ({}, {"throttled_before": 1}, "throttling", "note", "1 time so far"),
    ({}, {"throttled": 3}, "throttling", "warning", "3 times within a second"),
    ({}, {"swapped_pages": 9}, "swapping", "warning", "9 pages"),
    ({}, {"overheated_before": 2}, "heat", "note", "2 times since boot"),
    ({}, {"overheated": 1}, "heat", "warning", "1 time within a second"),
    ({}, {"on_battery": True}, "battery", "warning", "battery"),
    # Room
    ({}, {"memory_available_bytes": GIB}, "memory", "warning", "1.0 GiB"),
    ({}, {"memory_available_bytes": GIB // 4}, "memory", "unfit", "0.2 GiB"),
    ({"memory_limit_bytes": GIB}, {}, "memory", "warning", "1.0 GiB"),
    ({}, {"storage": Storage(GIB // 2)}, "disk", "warning", "0.5 GiB"),
    ({}, {"storage": Storage(1)}, "disk", "unfit", "0.0 GiB"),
    ({}, {"storage": Storage(None, "Read-only file system")}, "disk", "unfit", "written: Read-only file system"),
    # Hardware and settings
    ({"cores": 1, "usable_physical_cores": 1}, {}, "cores", "warning", "Only one core"),
    ({"usable_physical_cores": 2}, {}, "siblings", "note", "4 usable cores are threads of 2 physical cores"),
    ({"cores": 2, "usable_physical_cores": 1}, {}, "siblings", "warning", "threads of 1 physical core,"),
    ({"cpu_quota": 2.5}, {}, "quota", "warning", "2.50 cores, of 4"),
    ({"cpu_quota": 0.5}, {}, "quota", "unfit", "0.50 cores"),
    ({"cpu_quota": 0.5}, {}, "others", "fine", "0.01 of 0.5 usable cores"),
    ({"cpu_quota": 4.0}, {}, "quota", "fine", "4.00 cores, of 4"),
    ({"governor": "powersave"}, {}, "governor", "warning", "powersave"),
    ({"turbo": True}, {}, "turbo", "note", "Turbo is on"),
    ({"hypervisor": "kvm"}, {}, "virtual", "note", "(kvm)"),
    ({"clocksource": "hpet"}, {}, "clocksource", "warning", "hpet, which is slow"),
    ({"clocksource": "kvm-clock"}, {}, "clocksource", "fine", "kvm-clock"),
    ({}, {"clock": ClockQuality(1500, 20)}, "clock", "warning", "costs 1500 ns"),
    ({}, {"clock": ClockQuality(50, 4_000_000)}, "clock", "warning", "step is 4000000 ns"),
    ({}, {"clock": ClockQuality(0, None)}, "clock", "warning", "not seen to move"),
    ({"aslr": 0}, {}, "layout", "warning", "ASLR is off"),
    # Means of measuring
    ({}, {"delay_counted": False}, "waiting", "warning", "cannot be recognised"),
    ({}, {"peak_resettable": False}, "peaks", "warning", "cannot be measured"),
    ({"python": "3.10.9"}, {}, "python", "unfit", "Python 3.10.9 is not supported"),
    ({"python": "3.14.0rc1"}, {}, "python", "unfit", "Python 3.14.0rc1 is not supported"),
    ({"python": "3.13.1"}, {}, "python", "fine", "3.13.1"),
    ({"variables": {"OMP_NUM_THREADS": "4"}}, {}, "overridden", "note", "OMP_NUM_THREADS"),
    ({"variables": {"OPENBLAS_CORETYPE": "Haswell"}}, {}, "variables", "warning", "every job: OPENBLAS_CORETYPE"),
]


@pytest.mark.parametrize(("host", "now", "about", "severity", "what"), TROUBLES)
def test_a_trouble_is_found_and_named(
    host: Mapping[str, object], now: Mapping[str, object], about: str, severity: str, what: str
) -> None:
    finding = found(facts(host, now), about)
    assert finding.severity == severity
    assert what in finding.what


def test_a_process_that_is_not_worth_a_word_is_not_named() -> None:
    assert "init" not in found(facts({}, {"others_cores": 1.0, "busiest": HOG}), "others").what
    assert "stress" not in found(facts({}, {"others_cores": 0.01, "busiest": HOG}), "others").what


def test_every_judge_can_find_trouble() -> None:
    provoked = {about for _, _, about, severity, _ in TROUBLES if severity != "fine"}
    assert provoked | {"frameworks", "hidden"} == subjects()


@pytest.mark.parametrize(("host", "now", "about", "severity", "what"), TROUBLES)
def test_a_finding_is_one_sentence_on_what_is_and_one_on_what_to_do(
    host: Mapping[str, object], now: Mapping[str, object], about: str, severity: str, what: str
) -> None:
    finding = found(facts(host, now), about)
    assert finding.what.endswith(".")
    assert finding.what.count(". ") == 0
    assert (finding.advice == "Nothing to do.") == (severity == "fine")


def test_an_environment_that_is_still_to_be_made_is_no_fault_of_the_machine() -> None:
    finding = found(facts(unready=frozenset({"jax", "tensorflow"})), "frameworks")
    assert finding.severity == "note"
    assert finding.what.startswith("Environments are made on first use for jax and tensorflow; ready: torch, ")
    assert "env create" in finding.advice


def test_where_no_environment_is_there_none_is_named() -> None:
    finding = found(facts(unready=frozenset(each.name for each in FRAMEWORKS)), "frameworks")
    assert finding.what.endswith("ready: none.")


def test_a_variable_that_a_sweep_sets_does_not_count_as_one_that_reaches_every_job() -> None:
    judged = facts({"variables": {"MKL_NUM_THREADS": "1", "XLA_FLAGS": "x", "OPENBLAS_CORETYPE": "Zen"}})
    assert "jobs: MKL_NUM_THREADS." in found(judged, "overridden").what
    assert found(judged, "variables").what.endswith("job: OPENBLAS_CORETYPE and XLA_FLAGS.")


def test_advice_on_turbo_fits_the_cpu() -> None:
    assert "intel_pstate" in found(facts({"turbo": True}), "turbo").advice
    assert "cpufreq/boost" in found(facts({"turbo": True, "cpu": "AMD EPYC"}), "turbo").advice


def test_what_the_system_does_not_show_is_said_and_not_judged() -> None:
    nothing = {name: None for name, value in IDEAL if value is not None and Host.model_fields[name].default is None}
    unseen = {
        "load",
        "others_cores",
        "steal_share",
        "pressure_share",
        "swapped_pages",
        "throttled",
        "throttled_before",
        "overheated",
        "overheated_before",
        "memory_available_bytes",
        "on_battery",
    }
    judged = facts(nothing, dict.fromkeys(unseen))
    finding = found(judged, "hidden")
    assert finding.severity is Severity.NOTE
    for name in ("the CPU use of others", "its frequency governor", "its turbo setting", "a CPU quota", "swapping"):
        assert name in finding.what
    assert rate_fitness(examine_machine(judged)) is Fitness.FIT
    assert "governor" in found(facts({"governor": None}), "hidden").what
    assert "swapping" not in found(facts({"governor": None}), "hidden").what


@pytest.mark.parametrize(
    ("severities", "expected"),
    [
        ([], Fitness.FIT),
        (["fine", "note"], Fitness.FIT),
        (["fine", "warning", "note"], Fitness.RESERVATIONS),
        (["unfit", "warning"], Fitness.UNFIT),
    ],
)
def test_the_gravest_finding_decides(severities: list[str], expected: Fitness) -> None:
    findings = [Finding(Severity(severity), "x", "It is.", "Do.") for severity in severities]
    assert rate_fitness(findings) is expected


def test_the_gravest_finding_stands_last_next_to_the_verdict() -> None:
    findings = examine_machine(facts({"turbo": True, "cpu_quota": 0.5}, {"on_battery": True}))
    assert [finding.about for finding in findings[-3:]] == ["turbo", "battery", "quota"]


def test_the_supported_versions_are_those_that_the_package_can_be_installed_for() -> None:
    (_, first), (major, last) = doctor.SUPPORTED_PYTHONS
    required = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert required == f">=3.{first},<{major}.{last + 1}"


@pytest.mark.parametrize(
    ("names", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")]
)
def test_a_list_reads_as_people_write_it(names: list[str], text: str) -> None:
    assert join_names(names, "or") == text


# Output


def printed(judged: Facts) -> str:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    show_fitness(console, judged.host, examine_machine(judged))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def worst() -> Facts:
    """Return a machine with all troubles at once, the later and graver of each kind."""
    troubles = [trouble for trouble in reversed(TROUBLES) if trouble[3] != "fine"]
    host = ChainMap(*(dict(machine) for machine, *_ in troubles))
    now = ChainMap(*(dict(moment) for _, moment, *_ in troubles))
    return facts(host, now, unready=frozenset({"torch"}))


def test_the_whole_fits_eighty_columns_however_much_there_is_to_say() -> None:
    text = printed(worst())
    assert max(map(len, text.splitlines())) <= 80
    assert text.splitlines()[-1].startswith("Verdict: unfit (6 problems, ")


def test_the_terminal_has_advice_where_there_is_something_to_do_and_only_there() -> None:
    text = " ".join(printed(facts({"governor": "powersave"})).split())
    assert text.count("→") == 1
    assert "warning The frequency governor is powersave: a core slows down while it idles. → Change it" in text
    assert text.endswith("Verdict: fit with reservations (1 warning)")
    assert printed(facts()).endswith("Verdict: fit (nothing to report)\n")


def test_a_machine_is_summed_up_with_the_hash_of_its_fingerprint() -> None:
    said = summarise_host(IDEAL)
    assert said == (f"Intel(R) Fast, 4 usable cores, 16.0 GiB, Linux, Python 3.11.0; fingerprint {IDEAL.content_hash}")


def test_a_process_cannot_write_to_the_terminal_by_its_name() -> None:
    nasty = (BusyProcess("\x1b[2J[red]x[/]", 5, 1.0),)
    text = printed(facts(now={"others_cores": 1.0, "busiest": nasty}))
    assert "\x1b" not in text
    assert "[red]x[/]" in text


def test_the_document_has_every_finding_and_every_fact() -> None:
    judged = worst()
    findings = examine_machine(judged)
    said = json.loads(json.dumps(build_fitness_document(judged.host, judged.now, findings), allow_nan=False))
    assert said["verdict"] == "unfit"
    assert [each["about"] for each in said["findings"]] == [finding.about for finding in findings]
    assert said["findings"][-1].keys() == {"severity", "about", "what", "advice"}
    assert Host.model_validate(said["host"]).content_hash == said["fingerprint"]
    assert said["now"]["clock"] == {"cost_ns": 0, "step_ns": None}


# The command


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str
    seconds: float


def run(*arguments: str, columns: int = 80) -> Said:
    """Run the command in its own process, which finally lists its imports on descriptor 2."""
    program = f"""
import atexit, sys
tell = lambda: print("imported:", *sorted({{name.partition(".")[0] for name in sys.modules}}), file=sys.stderr)
atexit.register(tell)
sys.argv = ["plumbline", "doctor", *{arguments!r}]
from orchestrator.cli.app import main
main()
"""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": str(columns), "OMP_NUM_THREADS": "1", "API_TOKEN": "hush"},
    )
    return Said(done.returncode, done.stdout, done.stderr, time.monotonic() - began)


def test_the_command_judges_this_machine_and_imports_no_framework(tmp_path: Path) -> None:
    said = run("--runs", str(tmp_path / "runs"))
    assert said.code in (ExitCode.FINE, ExitCode.UNFIT)
    assert "Traceback" not in said.out + said.err
    assert max(map(len, said.out.splitlines())) <= 80
    assert said.out.splitlines()[-1].startswith("Verdict: unfit" if said.code else "Verdict: fit")
    (imported,) = (line.split() for line in said.err.splitlines() if line.startswith("imported:"))
    assert not {"torch", "tensorflow", "keras", "jax", "onnxruntime", "openvino"} & {*imported}
    assert not (tmp_path / "runs").exists()
    assert said.seconds < 15  # two seconds where nobody else computes


def test_the_command_as_one_document_is_strict_json_without_secrets_and_unfit_ends_with_1(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = run("--json", "--runs", str(tmp_path / "file"), columns=20)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    document = json.loads(said.out, parse_constant=refuse)
    assert said.code == int(ExitCode.UNFIT) == 1
    assert document["verdict"] == "unfit"
    assert [each["about"] for each in document["findings"] if each["severity"] == "unfit"][-1:] == ["disk"]
    assert document["host"]["variables"] == {"OMP_NUM_THREADS": "1"}
    assert "hush" not in said.out
