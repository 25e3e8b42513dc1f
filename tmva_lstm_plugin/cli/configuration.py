"""The configuration a command was given: a TOML file, options, or both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import OptionError
from .options import OPTION_NAMES

if TYPE_CHECKING:
    from ..config import TrainConfig

__all__ = ["configuration", "is_toml"]


def is_toml(name: str) -> bool:
    """Return whether an argument is a configuration and not an input file."""
    return name.lower().endswith(".toml")


def configuration(files: tuple[str, ...], config_file: str | None, overrides: dict[str, dict[str, Any]]) -> TrainConfig:
    """Return the configuration of a command.

    Parameters
    ----------
    files : tuple of str
        The command's arguments: at most one TOML file among them.
    config_file : str or None
        A TOML file given as an option.
    overrides : dict of str to dict
        The options, as sections of keys.

    Returns
    -------
    TrainConfig

    Raises
    ------
    OptionError
        Several TOML files, or as :func:`tmva_lstm_plugin.config.load_config`.
    """
    from ..config import load_config, make_config

    toml = [name for name in files if is_toml(name)] + ([config_file] if config_file else [])
    if len(toml) > 1:
        raise OptionError(f"found {len(toml)} configuration files, {' and '.join(toml)}; give one")
    if toml:
        return load_config(toml[0], overrides, option_names=OPTION_NAMES)
    return make_config({}, source="command line", overrides=overrides, option_names=OPTION_NAMES)
