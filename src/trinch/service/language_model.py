"""Open the language model that a setting names: a server by its address, a GGUF file, or a Grok of ours in a folder.

The only module where `llm` and `model` meet. Heavy libraries are imported at first use.
"""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from trinch.llm.interface import LanguageModel, LLMError, Setting


def check_model(setting: Setting) -> None:
    """Raise LLMError, without connecting or loading, where a setting cannot be opened."""
    if "://" in setting.where:
        if not find_spec("httpx"):
            raise LLMError("address", "a model behind an address needs an extra: pip install 'trinch[llm]'")
        from trinch.llm.openai_client import base_url

        base_url(setting.where)
    elif is_gguf(setting.where):
        if not find_spec("xllamacpp"):
            raise LLMError("address", "a GGUF model needs an extra: pip install 'trinch[local]'")
        if not Path(setting.where).is_file():
            raise LLMError(
                "address", f"there is no file {setting.where}; `trinch models list` shows what there is"
            )
    elif not (Path(setting.where) / "config.json").is_file():
        raise LLMError(
            "address",
            f"{setting.where} is neither an address (http://…, https://…) nor a GGUF file nor the folder of a model "
            "(config.json, *.safetensors, tokenizer.json: `trinch train export` writes one)",
        )
    elif not (find_spec("torch") and find_spec("tokenizers") and find_spec("safetensors")):
        raise LLMError("address", "a model in a folder needs torch: pip install 'trinch[train]'")


MOST_OPEN = 8
"""Models that a process keeps open."""


@lru_cache(maxsize=MOST_OPEN)
def open_model(setting: Setting) -> LanguageModel:
    """The model, opened once per process. Raises LLMError; a failure is not cached: the next call tries again."""
    check_model(setting)
    if "://" in setting.where:
        from trinch.llm.openai_client import OpenAI

        return OpenAI(setting)
    if is_gguf(setting.where):
        from trinch.llm.llama_cpp import LlamaCpp

        return LlamaCpp(setting)
    from trinch.model.llm_adapter import LocalModel

    return LocalModel.open(Path(setting.where), setting.name, setting.seconds)


def is_gguf(where: str) -> bool:
    """Whether a setting names a file of llama.cpp."""
    return "://" not in where and where.lower().endswith(".gguf")
