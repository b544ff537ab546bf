"""Leads who never lived, to hold whole conversations with: personas, the companies they write to, and what is counted.

Everything here is invented and drawn from a seed; nothing touches a database or a network. `rehearsal` talks to the
offline brain in this process, `integrations.whatsapp.crowd` over the webhook.
"""
