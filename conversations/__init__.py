"""What the product is about: contacts, talk, turns and facts. Per org; the tables arrive with the turn."""
