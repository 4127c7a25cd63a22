"""`doctor`: the state of this machine."""

from pathlib import Path

from rich.console import Console

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.output import print_json
from orchestrator.environments.lookup import Environments
from orchestrator.machine import activity, fingerprint
from orchestrator.machine.doctor import Facts, examine_machine
from orchestrator.machine.findings import Fitness, rate_fitness
from orchestrator.registry.frameworks import load_frameworks
from orchestrator.report.machine import build_fitness_document, show_fitness


def run_doctor(runs: Path, *, as_json: bool) -> ExitCode:
    """Watch this machine for a second, and judge whether it is fit to measure."""
    here, exist = Environments(), tuple(load_frameworks().values())
    machine, now = fingerprint.take_fingerprint(), activity.observe_activity(runs)
    unready = frozenset(each.name for each in exist if not here.is_ready(each))
    findings = examine_machine(Facts(host=machine, now=now, frameworks=exist, unready=unready))
    if as_json:
        print_json(build_fitness_document(machine, now, findings))
    else:
        show_fitness(Console(), machine, findings)
    return ExitCode.UNFIT if rate_fitness(findings) is Fitness.UNFIT else ExitCode.FINE
