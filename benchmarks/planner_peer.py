"""Prices runs with a Calculon checkout: JSON lines in, JSON lines out. Run by benchmarks.planner.

    PYTHONPATH=/path/to/calculon python planner_peer.py /path/to/calculon < cases > answers

Needs only what Calculon needs (pandas and psutil, which it does not declare).
"""

import json
import logging
import sys
import time
from pathlib import Path


def main(checkout: Path) -> None:
    """Answer every case with seconds of a step and seconds of thinking, or the reason there is none."""
    from calculon import System
    from calculon.llm import Llm

    logger = logging.getLogger("calculon")
    systems = {}
    for line in sys.stdin:
        case = json.loads(line)
        started = time.perf_counter()
        try:
            if case["system"] not in systems:
                found = json.loads((checkout / "systems" / case["system"]).read_text())
                found["mem1"]["GiB"] = (
                    10_000  # it knows no fused attention, and would refuse runs that did fit
                )
                systems[case["system"]] = found
            system = System(systems[case["system"]])
            model = Llm(Llm.Application(case["application"]), logger)
            model.compile(system, Llm.Execution.from_json(case["execution"]))
            model.run(system)
            answer = {"step_s": model.get_total_time()}
        except (AssertionError, Llm.Error) as err:
            answer = {"reason": str(err) or "assertion"}
        answer["took_s"] = time.perf_counter() - started
        print(json.dumps(answer))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
