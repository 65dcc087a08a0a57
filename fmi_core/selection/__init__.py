"""Which algorithm: by the time that its own schedule takes on the channel's model."""
