"""AWS for fmi-core. The plugin itself is :mod:`fmi_aws.plugin`."""
