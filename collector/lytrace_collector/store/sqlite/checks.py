"""Conditions on attributes, checked span by span: packed JSON is parsed whole only where it must be."""

import re
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from lytrace_collector.query.attributes import attribute_check
from lytrace_collector.query.tree import Match
from lytrace_collector.records import mapping

_SCALAR: Final = re.compile(rb'("[^"\\]*"|-?[0-9][0-9.eE+-]*|true|false)[,}]')
"""A value that is no list and no object."""

_MAPPING: Final = b"kvlistValue"
_KEPT_VALUES: Final = 1000


class AttributeChecks:
    """Checks spans and their resources.

    Args:
        conditions: on attributes.
        connection: reads resources, each once.
    """

    def __init__(self, conditions: Sequence[Match], connection: sqlite3.Connection) -> None:
        self._checks = [(match, _Attribute(match)) for match in conditions]
        self._cursor = connection.cursor()
        self._cursor.row_factory = None
        self._of_resources: dict[int, frozenset[Match]] = {}

    def passed(self, attributes_json: bytes, resource: int) -> frozenset[Match]:
        """The conditions that a span or its resource fulfils."""
        is_flat = attributes_json.startswith(b"{") and _MAPPING not in attributes_json
        passed = [match for match, attribute in self._checks if attribute.passes(attributes_json, is_flat=is_flat)]
        of_resource = self._of_resources.get(resource)
        if of_resource is None:
            of_resource = self._of_resources[resource] = self._passed_by_resource(resource)
        return of_resource.union(passed) if passed else of_resource

    def _passed_by_resource(self, resource: int) -> frozenset[Match]:
        (text,) = self._cursor.execute("SELECT attributes FROM resources WHERE id = ?", [resource]).fetchone() or (None,)
        attributes: Mapping[str, Any] = mapping(orjson.loads(text)) if text else {}
        return frozenset(match for match, attribute in self._checks if attribute.check(attributes.get(match.key)))


class _Attribute:
    """Finds one attribute in the JSON of all, and checks its value. Few values are different: what a value gave is kept."""

    def __init__(self, condition: Match) -> None:
        self.check = attribute_check(condition.test)
        self._name = condition.key
        self._quoted = orjson.dumps(condition.key) + b":"
        self._known: dict[bytes, bool] = {}

    def passes(self, attributes_json: bytes, *, is_flat: bool) -> bool:
        """Whether the value passes.

        A quote within a text is escaped: the name in quotes, after a comma or brace, is a name; where no value is a mapping
        (``is_flat``) it is the name of an attribute.
        """
        at = attributes_json.find(self._quoted)
        if at < 0:
            return False
        scalar = _SCALAR.match(attributes_json, at + len(self._quoted))
        if scalar is None or not is_flat or attributes_json[at - 1] not in b"{,":
            return self.check(mapping(orjson.loads(attributes_json)).get(self._name))
        value: bytes = scalar[1]
        passes = self._known.get(value)
        if passes is None:
            passes = self.check(orjson.loads(value))
            if len(self._known) < _KEPT_VALUES:
                self._known[value] = passes
        return passes
