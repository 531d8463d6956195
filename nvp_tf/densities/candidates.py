"""What takes part in a comparison: the families with their settings, and the flows of this project for the data."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, TypeVar

from nvp_tf.config.codec import Section, decode, encode
from nvp_tf.config.presets.registry import PRESETS, SMALL, get_preset
from nvp_tf.config.schema import Config, DataConfig, RealNVPConfig
from nvp_tf.densities import registry
from nvp_tf.densities.flow import FlowSettings
from nvp_tf.densities.presets import DENSITY_PRESETS
from nvp_tf.errors import UserError
from nvp_tf.event import Event

Settings = TypeVar("Settings", bound=Section)
FLOW = "flow"
CONTRASTIVE = "contrastive"


@dataclass(frozen=True)
class Candidate:
    """A row: its name, its family and its settings; `why` it cannot take part, where they do not fit the data."""

    name: str
    family: str
    settings: Section | None
    why: str = ""


def names() -> list[str]:
    """What `candidates` takes: every family but the flow's, presets of families, and every preset of a flow."""
    return [name for name in registry.names() if name != FLOW] + list(DENSITY_PRESETS) + list(PRESETS)


def candidates(event: Event, data: DataConfig, chosen: list[str], assignments: list[str]) -> list[Candidate]:
    """The rows of a comparison, in the order of the table.

    Args:
      event: what the data is.
      data: where it is from.
      chosen: of `names()`; none for all families and the flows that are for this data (`flows_for`).
      assignments: "NAME.key=value", a change of a row's settings.

    Raises:
      UserError: an unknown name, key or value.
    """
    flows = flows_for(event, data.name)
    if not chosen:
        chosen = [name for name in registry.names() if name not in (FLOW, CONTRASTIVE)] + flows + [CONTRASTIVE]
    for name in chosen:
        if name not in names():
            raise UserError(f"family is {name!r}, expected one of {', '.join(names())}")
    for assignment in assignments:
        if assignment.partition(".")[0] not in chosen:
            raise UserError(f"--set={assignment}: expected NAME.key=value with a NAME of {', '.join(chosen)}")
    noise = next((name for name in flows if isinstance(PRESETS[name].config.model.flow, RealNVPConfig)), flows[0])
    return [_candidate(name, event, data, noise, assignments) for name in chosen]


def flows_for(event: Event, dataset: str) -> list[str]:
    """The presets for a data set, those sized for two cores before the thesis'; for another set the nearest in kind."""
    own = [[n for n, p in presets.items() if p.config.data.name == dataset] for presets in (SMALL, PRESETS)]
    if found := own[0] or own[1]:
        return found
    if not event.is_image:
        return ["realnvp_two_moons"]
    small = min(event.shape[:2]) <= 16
    return ["realnvp_digits" if small else "realnvp_fashion_mnist" if event.shape[2] == 1 else "realnvp_photos"]


def _candidate(name: str, event: Event, data: DataConfig, noise: str, assignments: list[str]) -> Candidate:
    """The candidate of a name; noise: the preset of the flow that a classifier is set against."""
    changes = [assignment.partition(".")[2] for assignment in assignments if assignment.startswith(f"{name}.")]
    preset = DENSITY_PRESETS.get(name)
    family = FLOW if name in PRESETS else preset.family if preset else name
    try:
        settings = _settings(family, name, event, data, noise)
        if preset:
            settings = decode(type(settings), encode(settings) | preset.settings, name)
    except UserError as error:
        return Candidate(name, family, None, str(error))
    return Candidate(name, family, changed(settings, changes))


def _settings(family: str, name: str, event: Event, data: DataConfig, noise: str) -> Section:
    if family == FLOW:
        return _flow_settings(get_preset(name).config, event, data)
    cls: Any = registry.get(family).Settings
    needs_noise = any(f.name == "noise" and f.type in (FlowSettings, "FlowSettings") for f in dataclasses.fields(cls))
    return cls(noise=_flow_settings(get_preset(noise).config, event, data)) if needs_noise else cls()


def _flow_settings(config: Config, event: Event, data: DataConfig) -> FlowSettings:
    """A preset's, for an event: with as many scales as its sides allow."""
    flow = config.model.flow
    if isinstance(flow, RealNVPConfig) and event.is_image:
        height, width, _ = event.shape
        fits = [s for s in range(1, flow.scales + 1) if height % 2 ** (s - 1) == 0 and width % 2 ** (s - 1) == 0]
        scales = max(s for s in fits if height * width > 4 ** (s - 1))
        config = dataclasses.replace(
            config, model=dataclasses.replace(config.model, flow=dataclasses.replace(flow, scales=scales))
        )
    made = config.for_data(data, event)
    return FlowSettings(made.model, made.train)


def changed(settings: Settings, assignments: list[str]) -> Settings:
    """Settings with "key=value" or "part.key=value" applied, each value read as JSON or else as a string."""
    value = encode(settings)
    for assignment in assignments:
        key, equals, raw = assignment.partition("=")
        *parents, last = key.split(".")
        node = value
        for parent in parents:
            node = node.get(parent) if isinstance(node, dict) else None
        if not equals or not isinstance(node, dict) or last not in node:
            known = ", ".join(node if isinstance(node, dict) else value)
            raise UserError(f"--set: unknown key {key!r}, expected one of {known}, with =value")
        try:
            node[last] = json.loads(raw)
        except json.JSONDecodeError:
            node[last] = raw
    return decode(type(settings), value, "settings")
