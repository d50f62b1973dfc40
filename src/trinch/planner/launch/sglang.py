"""Arguments of SGLang's server for one replica. Checked with the argument parser of SGLang 0.5.23."""

from trinch.planner.perf.serving import Served


def sglang(served: Served, model: str, max_length: int, kv_bytes: float = 2.0) -> list[str]:
    """Arguments of `python3 -m sglang.launch_server`; `max_length` in tokens, `kv_bytes` a cached value."""
    args = [
        '--model-path "$MODEL"',
        f"--tp-size {served.tp}",
        f"--pp-size {served.pp}",
        f"--max-running-requests {served.batch}",
        f"--context-length {max_length}",
        "--mem-fraction-static 0.88",
        "--host 0.0.0.0",
        "--port 30000",
    ]
    if served.precision == "fp8":
        args.append("--quantization fp8")
    if served.precision == "nvfp4":
        args.append("--quantization modelopt_fp4")
    if kv_bytes < 2:
        args.append("--kv-cache-dtype fp8_e4m3")
    if model == "grok-2":  # the recipe of its model card
        args += ['--tokenizer-path "$MODEL/tokenizer.tok.json"', "--attention-backend triton"]
    return args
