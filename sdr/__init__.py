"""The project: wiring, and the few things everybody stands on."""
