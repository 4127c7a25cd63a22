"""False claims about clones of one cell of which half run beside a busy process on their core.

    python tests/benchmarks/disturbed_clones.py --experiments 12
    python tests/benchmarks/disturbed_clones.py --experiments 12 --half --cell torch:eager

measures experiments of 12 blocks with six clones. Each pair of a clone beside the busy process and one alone is a
trial, nine an experiment. With --half, the busy process runs in every second block only. Trials of one experiment share
processes, so the interval of the share is too narrow.
"""

import argparse
import dataclasses
import math
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from orchestrator.analysis.compare import CLAIMS, Comparison, compare_all_pairs
from orchestrator.analysis.process_scores import score_processes
from orchestrator.analysis.statistics.intervals import clopper_pearson
from orchestrator.execution.launchers import Launcher
from orchestrator.execution.supervisor import Ending
from orchestrator.selftest import run
from orchestrator.selftest.check import make_real_cell
from orchestrator.selftest.cpu_hog import run_hog
from orchestrator.selftest.false_positives import EXPERIMENT_BLOCKS, Experiment, cut_experiments
from schemas.event import Event
from schemas.job import Cell, JobSpec
from schemas.sweep import Stop, SweepSpec

CLONES = 6


@dataclass(frozen=True, slots=True)
class OneSidedLauncher:
    """Launcher that runs the odd clones beside a busy process, in every block or in every second one."""

    launcher: Launcher
    half: bool

    def __call__(self, spec: JobSpec, log: Path, on_event: Callable[[Event], None]) -> Ending:
        """Run one job."""
        if not is_loaded(spec.cell) or (self.half and spec.block % 2):
            return self.launcher(spec, log, on_event)
        with run_hog(spec):
            return self.launcher(spec, log, on_event)


def is_loaded(cell: Cell) -> bool:
    """Return True if a clone runs beside the busy process."""
    return cell.replica % 2 == 1


def make_clones(label: str) -> tuple[Cell, ...]:
    """Return clones of a recurrent cell with its gradients, in this framework and mode."""
    framework, _, mode = label.partition(":")
    plain = make_real_cell(20).model_copy(update={"framework": framework, "mode": mode or "eager"})
    return tuple(plain.model_copy(update={"replica": replica}) for replica in range(CLONES))


def compare_mixed_pairs(experiment: Experiment, cells: Sequence[Cell]) -> list[Comparison]:
    """Compare each clone beside the busy process with each one alone, each pair by itself."""
    scores = {cell.id: score_processes(experiment[cell.id]) for cell in cells}
    loaded = [cell.id for cell in cells if is_loaded(cell)]
    alone = [cell.id for cell in cells if not is_loaded(cell)]
    return [compare_all_pairs({a: scores[a], b: scores[b]})[0] for a, b in product(alone, loaded)]


def describe_trials(found: Sequence[Comparison]) -> str:
    """Return the share of false claims, with the ratios and the verdicts."""
    false = sum(each.verdict in CLAIMS for each in found)
    measured = sum(each.significant for each in found)
    share = clopper_pearson(false, len(found))
    ratios = sorted(each.ratio.estimate for each in found)
    widths = [
        math.log(bounds.high / bounds.low) / 2 for each in found if (bounds := each.undisturbed or each.ratio).low
    ]
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in Counter(each.verdict for each in found).items())
    return (
        f"{false} false claims in {len(found)} pairs, {share.estimate:.1%} ({share.low:.1%} to {share.high:.1%}); "
        f"without room for disturbances {measured} differ significantly. Ratios from {ratios[0]:.3f} to "
        f"{ratios[-1]:.3f}, median {statistics.median(ratios):.3f}; median half-width with room "
        f"{statistics.median(widths):.1%}. {verdicts}."
    )


def main() -> None:
    """Measure the clones and print the share of false claims, with the conditions."""
    asked = parse_arguments()
    cells = make_clones(asked.cell)
    stop = Stop(blocks=EXPERIMENT_BLOCKS * asked.experiments, budget=run.NO_LIMIT_S)
    spec = SweepSpec(name="disturbed-clones", stop=stop)
    with run.open_selftest(asked.runs, spec, cells, sys.argv) as opened:
        selftest = dataclasses.replace(opened, launcher=OneSidedLauncher(opened.launcher, asked.half))
        records = selftest.measure_cells(spec, cells)
        selftest.record_ending("all experiments were made")
    found = [pair for each in cut_experiments(records, cells) for pair in compare_mixed_pairs(each, cells)]
    if not found:
        sys.exit(f"no experiment is complete; the records are in {selftest.run.jobs_folder}")
    load = "every second block" if asked.half else "every block"
    print(f"{asked.cell}, three of {CLONES} clones beside a busy process in {load}:")
    print(describe_trials(found))
    print(f"{selftest.host.cpu}, {selftest.host.cores} cores; records: {selftest.run.jobs_folder}")


def parse_arguments() -> argparse.Namespace:
    """Return the parsed arguments."""
    parser = argparse.ArgumentParser(description="Measure false claims about clones of which half are disturbed.")
    parser.add_argument("--experiments", type=int, default=12, help="experiments of 12 blocks, 9 pairs each (12)")
    parser.add_argument("--half", action="store_true", help="disturb every second block only")
    parser.add_argument("--cell", default="numpy:eager", help="framework and mode of the clones (numpy:eager)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="the folder that holds the runs")
    return parser.parse_args()


if __name__ == "__main__":
    main()
