"""Conditions on attributes, checked span by span: packed JSON is parsed whole only where it must be."""

import re
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from lytrace_collector.query.attributes import Check, attribute_check
from lytrace_collector.query.tree import Match
from lytrace_collector.records import mapping

_SCALAR: Final = re.compile(rb'("[^"\\]*"|-?[0-9][0-9.eE+-]*|true|false)[,}]')
"""A value that is no list and no object."""

_MAPPING: Final = b"kvlistValue"


class AttributeChecks:
    """Checks spans and their resources.

    Args:
        conditions: on attributes.
        connection: reads resources, each once.
    """

    def __init__(self, conditions: Sequence[Match], connection: sqlite3.Connection) -> None:
        self._checks = [(match, _Attribute(match.key), attribute_check(match.test)) for match in conditions]
        self._cursor = connection.cursor()
        self._cursor.row_factory = None
        self._of_resources: dict[int, frozenset[Match]] = {}

    def passed(self, attributes_json: bytes, resource: int) -> frozenset[Match]:
        """The conditions that a span or its resource fulfils."""
        passed = [match for match, attribute, check in self._checks if _passes(attribute, check, attributes_json)]
        of_resource = self._of_resources.get(resource)
        if of_resource is None:
            of_resource = self._of_resources[resource] = self._passed_by_resource(resource)
        return of_resource.union(passed) if passed else of_resource

    def _passed_by_resource(self, resource: int) -> frozenset[Match]:
        (text,) = self._cursor.execute("SELECT attributes FROM resources WHERE id = ?", [resource]).fetchone() or (None,)
        attributes: Mapping[str, Any] = mapping(orjson.loads(text)) if text else {}
        return frozenset(match for match, _, check in self._checks if check(attributes.get(match.key)))


class _Attribute:
    """Finds the value of one attribute in the JSON of all."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._quoted = orjson.dumps(name) + b":"

    def value(self, attributes_json: bytes) -> Any:
        """The value, None where there is none.

        A quote within a text is escaped: the name in quotes, after a comma or brace, is a name.
        """
        at = attributes_json.find(self._quoted)
        if at < 0:
            return None
        scalar = _SCALAR.match(attributes_json, at + len(self._quoted))
        is_a_name = attributes_json[at - 1] in b"{," and attributes_json.startswith(b"{")
        if scalar and is_a_name and _MAPPING not in attributes_json:
            return orjson.loads(scalar[1])
        return mapping(orjson.loads(attributes_json)).get(self._name)


def _passes(attribute: _Attribute, check: Check, attributes_json: bytes) -> bool:
    return check(attribute.value(attributes_json))
