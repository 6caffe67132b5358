"""Traces in other tools' formats, one or many, some at a time: the store is asked in short reads, and memory stays bounded."""
