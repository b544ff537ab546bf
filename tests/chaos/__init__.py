"""Everything may die at any time, and what the leads' phones show decides whether we noticed (DESIGN 4)."""
