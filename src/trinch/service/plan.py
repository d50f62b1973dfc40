"""Plans for the HTTP API: a quick estimate, and the whole report as HTML.

Models come by preset name or as a configuration in the request, never as a path. The planner is imported when the first
plan is asked for.
"""

import re
from functools import cache
from importlib.util import find_spec
from typing import Any

from trinch.store.store import Store


class PlanRefused(ValueError):
    """What cannot be planned, in one sentence. `param` names the field at fault where one is named."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message, param)
        self.message, self.param = message, param


class ReportMissing(ValueError):
    """The report needs packages that are not installed."""


def plan_json(_: Store, asked: dict[str, Any]) -> dict[str, Any]:
    """The estimate of `trinch.planner.estimate`. Raises PlanRefused."""
    from trinch.planner.estimate import estimate
    from trinch.planner.perf.hardware import PlanError

    try:
        return estimate(_model(asked), **_settings(asked))
    except PlanError as error:
        raise _refused(error) from None


def plan_report(_: Store, asked: dict[str, Any]) -> str:
    """The report of `trinch plan train --out` as HTML. Raises PlanRefused and ReportMissing."""
    from trinch.planner.perf.hardware import PlanError
    from trinch.planner.report.html_report import render
    from trinch.planner.training_plan import plan

    if find_spec("matplotlib") is None:
        raise ReportMissing("the report needs an extra: pip install 'trinch[plan]'")
    try:
        made = plan(_model(asked), **_settings(asked))
        return render(made.plan, made.sections, made.search.as_dict())
    except PlanError as error:
        raise _refused(error) from None


@cache
def choices() -> dict[str, list[str]]:
    """What a form offers: the names of models, GPUs, sites, engines and fleets."""
    from trinch.planner.ops.tables import table
    from trinch.planner.perf import hardware
    from trinch.planner.perf.models import presets

    return {
        "models": list(presets()),
        "gpus": list(hardware.gpus()),
        "sites": sorted({site for site, _ in hardware.sites()}),
        "engines": sorted({row["engine"] for row in hardware.table("engines.csv")}),
        "fleets": list(table("fleets")),
    }


def _model(asked: dict[str, Any]) -> Any:
    """The Workload of a request."""
    from trinch.planner.perf.hardware import PlanError
    from trinch.planner.perf.hf_config import from_hf
    from trinch.planner.perf.models import preset

    name, config = asked.get("model", ""), asked.get("config")
    if config is not None:
        return from_hf(config, name or "the model")
    if not name:
        raise PlanError("give --model, the name of a preset, or --config, a Hugging Face configuration")
    return preset(name)


def _settings(asked: dict[str, Any]) -> dict[str, Any]:
    """The request as arguments of the planner."""
    given = {name: value for name, value in asked.items() if name not in ("model", "config")}
    renamed = {"price": "usd_per_gpu_hour", "electricity": "usd_per_kwh"}
    return {renamed.get(name, name): value for name, value in given.items()}


def _refused(error: Exception) -> PlanRefused:
    """The planner's sentence with the names of fields in place of options of the command line."""
    named: list[str] = re.findall(r"--([a-z][a-z-]*)", str(error))
    message = re.sub(r"--([a-z][a-z-]*)", lambda found: found[1].replace("-", "_"), str(error))
    return PlanRefused(message, named[0].replace("-", "_") if named else None)
