"""Channels: how messages travel, from matching and framing down to sockets and memory."""
