"""What a person types in a search box, parsed to a tree that each store compiles with bound parameters.

``syntax`` reads Lucene's syntax with luqum, ``fields`` knows what can be asked for, ``values`` and ``conditions`` how values are
written, ``parse`` makes the ``tree``. ``attributes`` tests values that a store keeps packed; ``sort`` reads orders.
"""

from lytrace_collector.query.parse import MAX_CHARACTERS, MAX_DEPTH, MAX_TERMS, Query, parse
from lytrace_collector.query.sort import NEWEST, SORTABLE, Sort, parse_sort

__all__ = ["MAX_CHARACTERS", "MAX_DEPTH", "MAX_TERMS", "NEWEST", "SORTABLE", "Query", "Sort", "parse", "parse_sort"]
