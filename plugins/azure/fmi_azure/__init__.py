"""Azure for fmi-core. The plugin itself is :mod:`fmi_azure.plugin`."""
