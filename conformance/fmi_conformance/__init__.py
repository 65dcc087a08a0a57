"""The conformance suite for fmi-core channels: it can be imported, and holds no checks yet."""

__all__: list[str] = []
