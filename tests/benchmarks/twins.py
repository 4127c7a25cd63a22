"""Power to call a twin that is 3 % slower SLOWER: the check of the self-test, repeated.

Each experiment measures real processes of a synthetic cell of 1 ms per call and of its twin of 1.03 ms. It has up to 16
blocks, and fewer where a sweep would stop. The script prints each verdict, and the share of SLOWER with its
Clopper-Pearson interval.
"""

import sys
import tempfile
from pathlib import Path

from orchestrator.analysis.statistics.intervals import clopper_pearson
from orchestrator.machine import fingerprint
from orchestrator.selftest import run
from orchestrator.selftest.checks import slowdown
from schemas.sweep import SweepSpec


def main(experiments: int = 20) -> None:
    """Run the experiments, and print a line for each."""
    found, machine = [], fingerprint.take_fingerprint()
    with tempfile.TemporaryDirectory() as root:
        for number in range(1, experiments + 1):
            spec = SweepSpec(name=f"twin-{number}")
            with run.open_selftest(Path(root), spec, slowdown.CELLS, sys.argv) as selftest:
                (result,) = run.run_checks([slowdown.make_check()], selftest, lambda event: None)
                selftest.record_ending("the experiment was made")
            verdict, ratio = result.readings
            found.append(bool(verdict.passed))
            print(f"{number}: {verdict.found}; ratio {ratio.found}", flush=True)
    share = clopper_pearson(sum(found), experiments)
    print(
        f"{machine.cpu}, {machine.cores} cores: SLOWER in {sum(found)} of {experiments} experiments, "
        f"{share.estimate:.0%} ({share.low:.0%} to {share.high:.0%})"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
