"""SimGrid's finish times of flows over shared links: reads one JSON case, writes one answer.

Run by `benchmarks.planner_network` with a Python that has SimGrid's bindings, one process a case: its engine cannot
be started twice. A case is {"capacities": [bytes/s], "flows": [[link, ...], ...], "size": bytes}; every flow runs
between two hosts of its own over the links named, all from the start.
"""

import json
import sys

from simgrid import Actor, Comm, Engine, LinkInRoute, NetZone

OPTIONS = ("--cfg=network/model:CM02", "--cfg=network/crosstraffic:0", "--log=root.thres:error")


def main() -> None:
    """Answer the case on standard input: seconds until each flow is done."""
    case = json.load(sys.stdin)
    engine = Engine([sys.argv[0], *OPTIONS])
    zone = NetZone.create_full_zone("all")
    links = [
        zone.create_link(f"link{i}", rate).set_latency(0).seal() for i, rate in enumerate(case["capacities"])
    ]
    pairs = []
    for i, route in enumerate(case["flows"]):
        ends = [zone.create_host(f"{side}{i}", 1e9).seal() for side in ("from", "to")]
        zone.add_route(
            ends[0].netpoint,
            ends[1].netpoint,
            None,
            None,
            [LinkInRoute(links[link]) for link in route],
            False,
        )
        pairs.append(ends)
    zone.seal()
    done = [0.0] * len(pairs)

    def send(i: int) -> None:
        comm = Comm.sendto_init(*pairs[i])
        comm.set_payload_size(int(case["size"])).start().wait()
        done[i] = Engine.clock

    for i, ends in enumerate(pairs):
        Actor.create(f"flow{i}", ends[0], send, i)
    engine.run()
    print(json.dumps(done))


if __name__ == "__main__":
    main()
