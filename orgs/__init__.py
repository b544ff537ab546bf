"""Who: tenants, people, roles, limits; and whatever must find the org. Shared: its tables live in the public schema."""
