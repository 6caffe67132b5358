"""OpenTelemetry's protocol: bodies to records, records back to OTLP, limits, and the errors that senders understand."""
