"""Sends spans and scores on to other OTLP receivers. The store is the queue: see ``store.outbox``."""

from lytrace_collector.forward.forwarder import Forwarder
from lytrace_collector.forward.targets import Target, load_targets

__all__ = ["Forwarder", "Target", "load_targets"]
