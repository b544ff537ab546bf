"""Twenty-five small tables per org that no product has: they stand in for the tenant's tables until those exist."""
