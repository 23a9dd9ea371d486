"""The component types that our own cells and sources attach: weights that arrive, values that differ between
cells, spike times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from portable.schemas.neuroml.write_units import Units
from portable.units import Dimension

SOURCE, SPIKE = "portableSpikeSource", "portableSpikeTime"


@dataclass(frozen=True)
class Shown:
    """What the cells of one type read of everything attached to them: name -> dimension. Each attachment
    shows one of them, the others as 0.
    """

    type: str  # the cell type
    names: Mapping[str, Dimension]

    def _head(self, suffix: str, about: str, units: Units) -> list[str]:
        shown = [
            f'    <StateVariable name="{n}" dimension="{units.dimension(d)}" exposure="{n}"/>'
            for n, d in self.names.items()
        ]
        return [
            f'<ComponentType name="{self.type}_{suffix}" extends="{self.type}_input" description="{about}">',
            "  <Dynamics>",
            *shown,
        ]

    def base(self, units: Units) -> list[str]:
        """The type that all attachments extend."""
        exposures = [
            f'  <Exposure name="{n}" dimension="{units.dimension(d)}"/>'
            for n, d in self.names.items()
            if n != "i"
        ]
        return [
            f'<ComponentType name="{self.type}_input" extends="baseSynapse">',
            *exposures,
            "</ComponentType>",
        ]

    def arrival(self, port: str, name: str, events: str, units: Units) -> list[str]:
        """The synapse of a port: shows as `name` the weights that have arrived in this step (and as `events`
        their number).
        """
        d = self.names[name]
        lines = self._head(
            f"to_{port}",
            "Carries the weights of arriving spikes to the cell, which adds them to its own state",
            units,
        )
        # "waiting * 0", not a constant 0, is linear in the states: a reader may let one synapse stand for all
        waiting, count = ["waiting", "waiting * 0"], ["arriving", "arriving * 0"]
        moved = [f'<StateAssignment variable="{name}" value="waiting"/>', _set(*waiting)]
        if events:
            moved += [f'<StateAssignment variable="{events}" value="arriving"/>', _set(*count)]
        counted = _set("arriving", "arriving + 1") if events else ""
        lines[1:1] = [
            '  <Property name="weight" dimension="none" defaultValue="1"/>',
            f'  <Parameter name="unit" dimension="{units.dimension(d)}"/>',
        ]
        return [
            *lines,
            f'    <StateVariable name="waiting" dimension="{units.dimension(d)}"/>',
            *(['    <StateVariable name="arriving" dimension="none"/>'] if events else []),
            f'    <OnCondition test="1 .gt. 0">{"".join(moved)}</OnCondition>',
            f'    <OnEvent port="in">{_set("waiting", "waiting + (weight * unit)")}{counted}</OnEvent>',
            "  </Dynamics>",
            "</ComponentType>",
        ]

    def value(self, name: str, units: Units) -> list[str]:
        """A value of its own for each cell: weight times unit."""
        lines = self._head(f"with_{name}", "A value that differs between cells: weight times unit", units)
        lines[1:1] = [
            '  <Property name="weight" dimension="none" defaultValue="1"/>',
            f'  <Parameter name="unit" dimension="{units.dimension(self.names[name])}"/>',
        ]
        return [
            *lines,
            f"    <OnStart>{_set(name, 'weight * unit')}</OnStart>",
            "  </Dynamics>",
            "</ComponentType>",
        ]

    def pulse(self, name: str, units: Units) -> list[str]:
        """NeuroML's pulseGenerator, showing what cells of this type read; its current is called `name`."""
        lines = self._head("pulse", "A current pulse", units)
        parameters = "".join(
            f'<Parameter name="{n}" dimension="{d}"/>'
            for n, d in (("delay", "time"), ("duration", "time"), ("amplitude", "current"))
        )
        lines[1:1] = [
            '  <Property name="weight" dimension="none" defaultValue="1"/>',
            f'  {parameters}<Constant name="NO_CURRENT" dimension="current" value="0 pA"/>',
        ]
        return [
            *lines,
            '    <OnCondition test="(t .geq. delay) .and. (t .lt. (duration + '
            f'delay))">{_set(name, "weight * amplitude")}</OnCondition>',
            f'    <OnCondition test="t .geq. (duration + delay)">{_set(name, "NO_CURRENT")}</OnCondition>',
            "  </Dynamics>",
            "</ComponentType>",
        ]


def _set(name: str, value: str) -> str:
    return f'<StateAssignment variable="{name}" value="{value}"/>'


def source_types() -> tuple[list[str], list[str]]:
    """A source whose spike times are attached to it, so that a population of sources stays one; and the spike
    that is attached.
    """
    spike = [
        f'<ComponentType name="{SPIKE}" extends="baseSynapse" description="One spike of the source it is '
        'attached to, at weight milliseconds">',
        '  <Property name="weight" dimension="none" defaultValue="1"/><Constant name="MSEC" '
        'dimension="time" value="1 ms"/>',
        '  <EventPort name="spike" direction="out"/>',
        "  <Dynamics>",
        '    <StateVariable name="i" dimension="current" exposure="i"/><StateVariable name="done" '
        'dimension="none"/>',
        '    <OnCondition test="(done .lt. 0.5) .and. (t .geq. (weight * '
        f'MSEC))">{_set("done", "1")}<EventOut port="spike"/></OnCondition>',
        "  </Dynamics>",
        '  <Structure><With instance="this" as="a"/><With instance="parent" as="b"/><EventConnection '
        'from="a" to="b"/></Structure>',
        "</ComponentType>",
    ]
    source = [
        f'<ComponentType name="{SOURCE}" extends="baseSpikeSource" description="A spike source with its '
        'spike times attached">',
        '  <EventPort name="in" direction="in"/>',
        '  <Attachments name="spikes" type="basePointCurrent"/>',
        "  <Dynamics>",
        '    <StateVariable name="tsince" dimension="time" exposure="tsince"/>',
        '    <TimeDerivative variable="tsince" value="1"/>',
        f'    <OnEvent port="in">{_set("tsince", "0")}<EventOut port="spike"/></OnEvent>',
        "  </Dynamics>",
        "</ComponentType>",
    ]
    return spike, source
