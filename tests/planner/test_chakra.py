"""Chakra traces of a step: what is written is read back, and every message has its partner."""

import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from cluster_plans import plan

from trinch.cli.plan import plan as command
from trinch.planner.perf.hardware import PlanError
from trinch.planner.perf.layout import Layout
from trinch.planner.simulate.chakra import COLLECTIVE, COMPUTE, RECEIVE, SEND, groups, read, step_nodes, write

pytest.importorskip("google.protobuf")
CUTS = [
    Layout(tp=4, pp=4, dp=2, global_batch=16),
    Layout(tp=2, pp=2, vpp=4, dp=4, cp=2, global_batch=32),
    Layout(tp=8, pp=1, dp=4, global_batch=8),
]


@pytest.mark.parametrize("cut", CUTS)
def test_a_trace_is_read_back_as_it_was_written(cut: Layout, tmp_path: Path) -> None:
    nodes = step_nodes(plan(cut, "llama-3-70b"), 0)
    write(tmp_path / "step.0.et", nodes)
    assert read(tmp_path / "step.0.et") == nodes


@pytest.mark.parametrize("cut", CUTS)
def test_every_send_is_received_and_groups_cover_every_rank(cut: Layout) -> None:
    made = plan(cut, "llama-3-70b")
    sent: Counter[tuple[object, ...]] = Counter()
    received: Counter[tuple[object, ...]] = Counter()
    named = groups(made)
    assert sorted(rank for ranks in named.values() for rank in ranks) == list(range(cut.gpus))
    for rank in range(cut.gpus):
        nodes = step_nodes(made, rank)
        for node in nodes:
            about = node.attributes
            if node.kind == SEND:
                sent[rank, about["comm_dst"], about["comm_tag"], about["comm_size"]] += 1
            elif node.kind == RECEIVE:
                received[about["comm_src"], rank, about["comm_tag"], about["comm_size"]] += 1
            elif node.kind == COLLECTIVE:
                assert rank in named[str(about["pg_name"])]
        passes = sum(node.kind == COMPUTE for node in nodes) - 1
        assert passes == 2 * cut.vpp * cut.accumulation
    assert sent == received
    assert max(sent.values(), default=1) == 1


def test_what_is_no_trace_is_refused(tmp_path: Path) -> None:
    for data in (b"", b"\xff", b"\x05ab", b"\x02\xff\xff"):
        (tmp_path / "it").write_bytes(data)
        with pytest.raises(PlanError, match="no Chakra trace"):
            read(tmp_path / "it")


def test_the_command_writes_a_file_a_rank(tmp_path: Path) -> None:
    asked = ["simulate", "--model", "llama-3-8b", "--gpus", "16", "--json", "--layout"]
    done = CliRunner().invoke(command, [*asked, "TP4 PP2", "--trace", str(tmp_path / "traces")])
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.stdout)["files"]) == 17
    assert read(tmp_path / "traces" / "step.15.et")
    many = CliRunner().invoke(
        command, ["simulate", "--model", "llama-3-70b", "--gpus", "8192", "--trace", "unused"]
    )
    assert many.exit_code == 2
    assert "too many" in many.stderr
