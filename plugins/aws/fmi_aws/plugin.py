"""The AWS plugin of fmi-core: it can be loaded, and offers no channels yet."""

__all__: list[str] = []
