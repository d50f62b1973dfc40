"""Runs under the peer's own Python (aiconfigurator 0.12): cases as JSON lines in, answers out."""

import contextlib
import io
import json
import logging
import sys
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

from aiconfigurator.cli.api import cli_estimate  # noqa: E402  # after its loggers are silenced

for line in sys.stdin:
    case = json.loads(line)
    split = (
        {"moe_tp_size": case["tp"], "moe_ep_size": 1, "moe_quant_mode": case["quant"]} if case["moe"] else {}
    )
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            got = cli_estimate(
                case["config"],
                case["system"],
                mode="static_ctx" if case["phase"] == "prefill" else "static_gen",
                backend_name="sglang",
                isl=case["length"],
                osl=2,
                batch_size=case["batch"],
                tp_size=case["tp"],
                gemm_quant_mode=case["quant"],
                kvcache_quant_mode="bfloat16",
                fmha_quant_mode="bfloat16",
                **split,
            )
        answer = {"ms": got.ttft if case["phase"] == "prefill" else got.tpot}
    except Exception as err:  # whatever the peer cannot do is an answer too
        answer = {"error": f"{type(err).__name__}: {err}"[:200]}
    print(json.dumps(case | answer), flush=True)
