"""Files of traces taken in: OTLP as JSON, lines or protobuf, and our own zip, each within bounds of memory."""
