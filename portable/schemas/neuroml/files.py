"""Files -> L1 model: the main file and all that it includes, each once, none outside the folder."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from portable.dynamics.lems.inherit import FullType, Types
from portable.dynamics.lems.model import Component, Model
from portable.dynamics.lems.types import Where
from portable.errors import ModelError, suggestion
from portable.schemas.neuroml import core, declare
from portable.schemas.neuroml.collect import Collector
from portable.schemas.neuroml.xml import attributes, name, parse, parse_bytes, where

ROOTS = ("Lems", "neuroml")
# Elements that describe and compute nothing; kept in the XML, not looked into.
DESCRIPTIVE = frozenset({"notes", "annotation", "property"})
SILENT = DESCRIPTIVE | {""}  # and comments
# Components with long lists inside: the network reader takes them from the XML.
OPAQUE = frozenset({"network"})
_ANY = frozenset({"id", "type", "name", "extends", "description", "notes", "metaid", "neuroLexId"})
MAX_FILES = 2000
MAX_DEPTH = 100


class Loader:
    """Reads files into one model."""

    def __init__(self, main: Path, folder: Path | None, catch: Collector | None = None) -> None:
        self.catch = catch or Collector()
        self.folder = (folder or main.parent).resolve()
        self.model = core.copy()
        self.types = Types(self.model)
        self.open: list[Path] = []
        self.read: dict[Path, str] = {}
        self.pending: list[tuple[Any, str]] = []
        self.tables: list[Component] = []  # networks in HDF5

    def file(self, path: Path, shown: str, by: Where | None) -> None:
        """One file and its includes, depth first."""
        real = path.resolve()
        if real in self.open:
            chain = " -> ".join([*(p.name for p in self.open[self.open.index(real) :]), real.name])
            raise ModelError(
                str(by or shown), f"includes go round in a circle: {chain}", "remove one of these includes"
            )
        if real in self.read:
            return
        if len(self.read) >= MAX_FILES or len(self.open) >= MAX_DEPTH:
            raise ModelError(
                str(by or shown),
                f"more than {MAX_FILES} files, or {MAX_DEPTH} levels of includes",
                "join some of them",
            )
        self.read[real] = shown
        self.model.paths[shown] = real
        root = self._hdf5(real, shown) if shown.endswith((".h5", ".hdf5")) else parse(real, shown)
        if root is None:
            return
        if name(root) not in ROOTS:
            raise ModelError(
                str(where(root, shown)),
                f"the root element must be <neuroml> or <Lems>, got <{name(root)[:40]}>",
                "is it a NeuroML version 1 file, or another format?",
            )
        self.model.files[shown] = root
        self.open.append(real)
        try:
            for element in root:
                if name(element) in SILENT:
                    continue
                before = len(self.catch.errors)
                with self.catch(functools.partial(where, element, shown)):
                    self._top(element, shown)
                if len(self.catch.errors) > before:
                    self._broken(element)
        finally:
            self.open.pop()

    def _broken(self, element: Any) -> None:
        """What could not be read is not missing."""
        if name(element) == "ComponentType":
            self.model.broken_types.add(element.get("name", ""))
        elif name(element) in ("Include", "include"):
            self.model.whole = False

    def _hdf5(self, path: Path, shown: str) -> Any:
        """The XML in an HDF5 file; its network is kept for later."""
        from portable.schemas.neuroml.hdf5 import contents

        text, network = contents(path, shown)
        self.tables.append(network)
        return parse_bytes(text, shown) if text.strip() else None

    def _top(self, element: Any, file: str) -> None:
        tag = name(element)
        if tag in ("Include", "include"):
            self._include(element, file)
        elif tag == "Target":
            self.model.target, self.model.target_where = element.get("component", ""), where(element, file)
        elif tag in ("ComponentType", "Dimension", "Unit"):
            self._declare(element, tag, file)
        elif tag == "Constant":
            declare.declaration(self.model, element, file)
        else:
            self.pending.append((element, file))

    def _declare(self, element: Any, tag: str, file: str) -> None:
        key = element.get("symbol" if tag == "Unit" else "name", "")
        own = {
            "ComponentType": self.model.own_types,
            "Dimension": self.model.own_dimensions,
            "Unit": self.model.own_units,
        }[tag]
        if key in own:
            raise ModelError(
                str(where(element, file)), f"{tag} '{key}' is defined twice", "remove or rename one of them"
            )
        declare.declaration(self.model, element, file)
        own.append(key)

    def _include(self, element: Any, file: str) -> None:
        place = where(element, file)
        href = element.get("file") or element.get("href") or ""
        if not href:
            raise ModelError(str(place), "must name a file", 'write file="..." or href="..."')
        if href in core.texts():
            if href not in self.model.core_files:
                self.model.core_files.append(href)
            return
        if "://" in href:
            raise ModelError(
                str(place),
                f"includes over the network are not read: {href[:100]!r}",
                "put the file into the model's folder",
            )
        try:
            target = (self.open[-1].parent / href).resolve()
            there = target.is_relative_to(self.folder) and target.is_file()
        except (OSError, RuntimeError, ValueError) as error:  # too long, links in a circle, not allowed
            raise ModelError(
                str(place),
                f"cannot look for {href[:100]!r}: {getattr(error, 'strerror', None) or str(error)[:100]}",
                "name a file in the model's folder",
            ) from None
        if not target.is_relative_to(self.folder):
            raise ModelError(
                str(place),
                f"{href[:100]!r} is outside the folder of the model, {self.folder}",
                "copy it there, or allow a wider folder with folder=",
            )
        if not there:
            raise ModelError(
                str(place), f"there is no file {href[:100]!r}", f"it was looked for in {target.parent}"
            )
        self.file(
            target,
            str(target.relative_to(self.folder)) if target.is_relative_to(self.folder) else href,
            place,
        )

    def components(self) -> None:
        """Top-level elements -> components, when all types are known. ModelError on a duplicate id."""
        for element, file in self.pending:
            before = len(self.catch.errors)
            added = False
            with self.catch(functools.partial(where, element, file)):
                made = self.component(element, file)
                self._add(made)
                added = True
            if not added or len(self.catch.errors) > before:  # wrong itself, or something inside it
                self.model.broken.add(element.get("id", ""))
                if added:
                    del self.model.components[made.id]
        for table in self.tables:
            with self.catch(table.where):
                self._add(table)

    def _add(self, made: Component) -> None:
        if not made.id:
            raise ModelError(str(made.where), "must have an id", 'write id="..."')
        if made.id in self.model.components:
            raise ModelError(
                str(made.where),
                f"the id '{made.id[:60]}' is taken by {self.model.components[made.id].where}",
                "give it another id",
            )
        self.model.components[made.id] = made

    def component(self, element: Any, file: str, type: str = "") -> Component:
        """An element with the components inside it. `type`: what the parent's slot says, where the element
        says nothing.
        """
        tag, place = name(element), where(element, file)
        chosen = element.get("type") if element.get("type") in self.types else ""
        kind = chosen or type or (tag if tag in self.types else "")
        if (
            element.get("type")
            and not chosen
            and (tag == "Component" or (kind in self.types and "type" not in self.types[kind].texts))
        ):
            raise self.model.unknown_type(element.get("type"))(
                str(place),
                f"unknown component type '{element.get('type')[:60]}'",
                suggestion(element.get("type"), self.model.types),
            )
        if not kind:
            raise self.model.unknown_type(tag)(
                str(place), f"unknown component type '{tag[:60]}'", suggestion(tag, self.model.types)
            )
        given = attributes(element)
        children = (
            ()
            if kind in OPAQUE or self.model.extends(kind, "network")
            else self._children(element, kind, file)
        )
        self._known(kind, given, place)
        return Component(kind, given.get("id", ""), tag, given, children, place, element)

    def _children(self, element: Any, kind: str, file: str) -> tuple[Component, ...]:
        full, out, ids, single = self.types[kind], list[Component](), set[str](), set[str]()
        for child in element:
            tag = name(child)
            if not tag or tag in DESCRIPTIVE or (isinstance(child.tag, str) and "rdf" in child.tag):
                continue
            slot = full.slots.get(tag)
            with self.catch(functools.partial(where, child, file)):
                if slot is None and tag not in self.types and child.get("type") not in self.types:
                    raise self.model.unknown_type(tag)(
                        str(where(child, file)),
                        f"<{tag[:60]}> is nothing that a {kind} can hold",
                        suggestion(tag, full.slots),
                    )
                made = self.component(
                    child, file, slot.type if slot and slot.kind in ("Child", "Children") else ""
                )
                self._repeated(made, full, ids, single)
                out.append(made)
        return tuple(out)

    def _repeated(self, made: Component, parent: FullType, ids: set[str], single: set[str]) -> None:
        """Notes on children that jLEMS takes and that somebody may not have meant; columns of output are only
        counted.
        """
        slot = parent.slots.get(made.tag)
        if slot is not None and slot.kind == "Child":
            if slot.name in single:
                self.model.ignored.append(
                    (made.where, f"is the second of its {parent.name}: the last counts")
                )
            single.add(slot.name)
        elif made.id and made.id in ids and not _free(parent.lineage):
            said = f"the id '{made.id[:60]}' is that of another child of its {parent.name}, too"
            self.model.ignored.append((made.where, f"{said}: a path with it leads to the first"))
        ids.add(made.id)

    def _known(self, kind: str, given: dict[str, str], place: Where) -> None:
        """An attribute that the type does not have does nothing, as in jLEMS, and is noted. Attributes with a
        namespace are kept without one."""
        full = self.types[kind]
        allowed = {
            *full.parameters,
            *full.texts,
            *full.paths,
            *full.slots,
            *full.properties,
            *_ANY,
            *full.fixed,
        }
        unknown = [k for k in given if k not in allowed]
        if not unknown or _free(full.lineage):
            return
        small = {a.lower() for a in allowed}
        for key in unknown:
            if key.lower() in small:
                continue
            hint = suggestion(key, allowed - _ANY)
            said = f"{key[:60]}={given[key][:40]!r} means nothing for a {kind}"
            self.model.ignored.append((place, f"{said}; {hint}" if hint.startswith("did") else said))


def _free(lineage: tuple[str, ...]) -> bool:
    """Simulation and its parts hold attributes for other programs."""
    return lineage[-1] in (
        "Simulation",
        "Display",
        "Line",
        "OutputFile",
        "OutputColumn",
        "EventOutputFile",
        "EventSelection",
        "Meta",
        "segmentGroup",
        "segment",
        "morphology",
    )


def load(path: Path, folder: Path | None = None, catch: Collector | None = None) -> Model:
    """The L1 model of a file. ModelError names file, line and element; with a collector that keeps them,
    reading goes on.
    """
    loader = Loader(path, folder, catch)
    shown = (
        str(path.resolve().relative_to(loader.folder))
        if path.resolve().is_relative_to(loader.folder)
        else path.name
    )
    loader.model.main = shown
    loader.file(path, shown, None)
    loader.components()
    return loader.model
