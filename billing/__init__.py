"""How much: plans, usage and Stripe through dj-stripe. Shared; the tables arrive with billing."""
