import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.machine import doctor
from orchestrator.machine.activity import Activity, BusyProcess, ClockQuality, Storage
from orchestrator.machine.doctor import Facts, examine_machine
from orchestrator.machine.findings import Finding, Fitness, Severity, rate_fitness
from orchestrator.machine.interpreter_probe import SUPPORTED_PYTHONS
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


def test_the_gravest_finding_stands_last_next_to_the_verdict() -> None:
    findings = examine_machine(facts({"turbo": True, "cpu_quota": 0.5}, {"on_battery": True}))
    assert [finding.about for finding in findings[-3:]] == ["turbo", "battery", "quota"]


def test_the_supported_versions_are_those_that_the_package_can_be_installed_for() -> None:
    (_, first), (major, last) = SUPPORTED_PYTHONS
    required = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert required == f">=3.{first},<{major}.{last + 1}"
