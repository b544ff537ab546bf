"""Everybody else's APIs: one folder per vendor behind our own ports. Per org; the first arrives with the turn."""
