"""A training step as Chakra execution traces (MLCommons), one file a rank, for simulators such as ASTRA-sim.

Fields, numbers and framing are those of Chakra's schema/protobuf/et_def.proto (GlobalMetadata and Node only, version
0.0.4): each message is preceded by its length as a varint. Needs the `trace` extra (protobuf).
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from trinch.planner.perf.hardware import PlanError
from trinch.planner.perf.layout import SCHEDULES, Plan
from trinch.planner.perf.step_time import ACTIVATION
from trinch.planner.simulate.step_simulation import order, stage_gradient_bytes, task_times

VERSION = "0.0.4"
COMPUTE, SEND, RECEIVE, COLLECTIVE = 4, 5, 6, 7
"""Kinds of nodes in Chakra's NodeType."""
ALL_GATHER, REDUCE_SCATTER = 2, 7
"""Collectives in Chakra's CollectiveCommType."""
MOST_RANKS = 4096
"""Files that are written at the most."""
Value = int | bool | str


@dataclass(frozen=True)
class Node:
    """One operation of a rank: `kind` in Chakra's numbers, `after` the ids it waits for, `micros` of compute.

    `attributes` as ASTRA-sim names them: comm_size (bytes), comm_src, comm_dst, comm_tag, comm_type, pg_name."""

    id: int
    name: str
    kind: int
    after: tuple[int, ...] = ()
    micros: int = 0
    attributes: dict[str, Value] = field(default_factory=dict)


def step_nodes(plan: Plan, rank: int) -> list[Node]:
    """One step of a rank in 1F1B order. Traffic inside a node is part of the compute nodes' time, as in the plan.

    Raises PlanError for an order of work other than 1F1B."""
    cut = plan.layout
    if cut.schedule:
        raise PlanError(f"schedule={SCHEDULES[cut.schedule]} has no trace: use 1f1b")
    block = cut.tp * cut.cp
    stage, within = divmod(rank, block * cut.dp)
    forward, backward = task_times(plan, np.ones((cut.pp, 1)))
    size = cut.micro_batch * plan.workload.seq_len / cut.cp * plan.workload.hidden * ACTIVATION
    size = int(size / (cut.tp if cut.sequence_parallel else 1))
    nodes: list[Node] = []

    def add(name: str, kind: int, micros: float = 0.0, **attributes: Value) -> None:
        before = (nodes[-1].id,) if nodes else ()
        named = {"is_cpu_op": False, **attributes}
        nodes.append(Node(len(nodes) + 1, name, kind, before, round(micros * 1e6), named))

    def peer(step: int) -> int:
        return (stage + step) % cut.pp * block * cut.dp + within

    group = f"{stage * block + within % block}"
    gradients = int(stage_gradient_bytes(plan))
    add("parameters all-gather", COLLECTIVE, comm_type=ALL_GATHER, comm_size=gradients, pg_name=group)
    for back, chunk, micro in order(stage, cut.pp, cut.vpp, cut.accumulation):
        step, label = (-1, "backward") if back else (1, "forward")
        first = chunk == (cut.vpp - 1 if back else 0) and stage == (cut.pp - 1 if back else 0)
        last = chunk == (0 if back else cut.vpp - 1) and stage == (0 if back else cut.pp - 1)
        tag = (micro * cut.vpp + chunk) * 2 + back
        across = stage == (cut.pp - 1 if back else 0)
        tag_in = tag - 2 * step if across else tag  # what arrives comes from the chunk before
        name = f"{label} micro-batch {micro} chunk {chunk}"
        if not first and cut.pp > 1:
            add(f"receive for {name}", RECEIVE, comm_size=size, comm_src=peer(-step), comm_tag=tag_in)
        add(name, COMPUTE, float((backward if back else forward)[stage, 0]))
        if not last and cut.pp > 1:
            add(f"send of {name}", SEND, comm_size=size, comm_dst=peer(step), comm_tag=tag)
    add("gradients reduce-scatter", COLLECTIVE, comm_type=REDUCE_SCATTER, comm_size=gradients, pg_name=group)
    add("optimizer", COMPUTE, plan.breakdown_s.get("optimizer", 0.0))
    return nodes


def groups(plan: Plan) -> dict[str, list[int]]:
    """Ranks of every group that sums gradients, by the name its nodes carry."""
    cut = plan.layout
    block = cut.tp * cut.cp
    return {
        str(stage * block + inside): [
            (stage * cut.dp + replica) * block + inside for replica in range(cut.dp)
        ]
        for stage in range(cut.pp)
        for inside in range(block)
    }


def write_step(plan: Plan, folder: Path) -> list[Path]:
    """Write `step.RANK.et` of every rank and `groups.json` into `folder`. PlanError for more than MOST_RANKS ranks."""
    if plan.n_gpus > MOST_RANKS:
        raise PlanError(f"{plan.n_gpus:,} traces are too many: at most {MOST_RANKS:,} GPUs are written")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = [folder / f"step.{rank}.et" for rank in range(plan.n_gpus)]
        for rank, path in enumerate(written):
            write(path, step_nodes(plan, rank))
        listed = folder / "groups.json"
        listed.write_text(json.dumps(groups(plan)) + "\n", encoding="utf-8")
    except OSError as err:
        raise PlanError(f"cannot write {folder}: {err.strerror}") from None
    return [*written, listed]


def write(path: Path, nodes: Iterable[Node]) -> None:
    """Write one rank's trace."""
    metadata, message = _messages()
    with path.open("wb") as out:
        for one in (metadata(version=VERSION), *(_packed(message, node) for node in nodes)):
            data = one.SerializeToString()
            out.write(_varint(len(data)) + data)


def read(path: Path) -> list[Node]:
    """The nodes of a trace, attributes of other kinds than whole numbers, flags and text left out.

    Raises PlanError if the file is no trace."""
    metadata, message = _messages()
    try:
        frames = list(_frames(path.read_bytes()))
        metadata.FromString(frames[0])
        return [_unpacked(message.FromString(frame)) for frame in frames[1:]]
    except OSError as err:
        raise PlanError(f"cannot read {path}: {err.strerror}") from None
    except (IndexError, ValueError, _decode_error()) as err:
        raise PlanError(f"{path} is no Chakra trace: {err}") from None


_FIELDS = {
    "AttributeProto": (
        ("name", 1, "STRING"),
        ("int32_val", 7, "INT32"),
        ("int64_val", 9, "INT64"),
        ("uint32_val", 11, "UINT32"),
        ("uint64_val", 13, "UINT64"),
        ("bool_val", 27, "BOOL"),
        ("string_val", 29, "STRING"),
    ),
    "GlobalMetadata": (("version", 1, "STRING"), ("attr", 2, "*AttributeProto")),
    "Node": (
        ("id", 1, "UINT64"),
        ("name", 2, "STRING"),
        ("type", 3, "INT32"),
        ("ctrl_deps", 4, "*UINT64"),
        ("data_deps", 5, "*UINT64"),
        ("start_time_micros", 6, "UINT64"),
        ("duration_micros", 7, "UINT64"),
        ("attr", 10, "*AttributeProto"),
    ),
}
"""Name, number and type of the fields that are used; * for repeated ones. An enum is an INT32 on the wire."""


@cache
def _messages() -> tuple[Any, Any]:
    """Classes of GlobalMetadata and Node. Raises PlanError without protobuf."""
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    except ImportError:
        raise PlanError("Chakra traces need protobuf: pip install 'trinch[trace]'") from None
    kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="et_def.proto", package="ChakraProtoMsg", syntax="proto3")
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        values = message.oneof_decl.add(name="value") if name == "AttributeProto" else None
        for label, number, what in fields:
            one = message.field.add(name=label, number=number)
            one.label = kind.LABEL_REPEATED if what.startswith("*") else kind.LABEL_OPTIONAL
            inner = what.lstrip("*")
            if inner in _FIELDS:
                one.type, one.type_name = kind.TYPE_MESSAGE, f".ChakraProtoMsg.{inner}"
            else:
                one.type = getattr(kind, f"TYPE_{inner}")
            if values is not None and label != "name":
                one.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    made = (pool.FindMessageTypeByName(f"ChakraProtoMsg.{name}") for name in ("GlobalMetadata", "Node"))
    metadata, node = (message_factory.GetMessageClass(one) for one in made)
    return metadata, node


def _decode_error() -> type[Exception]:
    from google.protobuf.message import DecodeError

    return DecodeError


def _packed(message: Any, node: Node) -> Any:
    out = message(
        id=node.id, name=node.name, type=node.kind, data_deps=node.after, duration_micros=node.micros
    )
    for name, value in node.attributes.items():
        if isinstance(value, bool):
            out.attr.add(name=name, bool_val=value)
        elif isinstance(value, int):
            out.attr.add(name=name, int64_val=value)
        else:
            out.attr.add(name=name, string_val=value)
    return out


def _unpacked(found: Any) -> Node:
    given = [(one.name, one.WhichOneof("value"), one) for one in found.attr]
    return Node(
        found.id,
        found.name,
        found.type,
        tuple(found.data_deps),
        found.duration_micros,
        {name: getattr(one, kind) for name, kind, one in given if kind},
    )


def _varint(value: int) -> bytes:
    """Base-128, the least significant group first."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _frames(data: bytes) -> Iterator[bytes]:
    """Messages behind their lengths. Raises ValueError for one that is cut short."""
    place = 0
    while place < len(data):
        size = shift = 0
        while True:
            byte = data[place]
            size |= (byte & 127) << shift
            place, shift = place + 1, shift + 7
            if byte < 128:
                break
        if place + size > len(data):
            raise ValueError("a message is cut short")
        yield data[place : place + size]
        place += size
