"""Who may do what: tokens of two kinds, kept as hashes, and the sessions of browsers that showed one."""

from lytrace_collector.access.access import Access, Identity
from lytrace_collector.access.tokens import StoredToken, TokenFile, TokenKind

__all__ = ["Access", "Identity", "StoredToken", "TokenFile", "TokenKind"]
