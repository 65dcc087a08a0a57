"""The progress engine: runs schedules and point-to-point operations on a transport."""
