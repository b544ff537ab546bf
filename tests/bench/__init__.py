"""Measured programs behind `make bench`: each prints its command, medians, spread and load average."""
