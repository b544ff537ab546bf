"""Google: OAuth and Calendar."""
