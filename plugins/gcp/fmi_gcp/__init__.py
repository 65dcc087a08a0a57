"""Google Cloud for fmi-core. The plugin itself is :mod:`fmi_gcp.plugin`."""
