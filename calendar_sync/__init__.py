"""When: calendar accounts, free slots and appointments. Per org; the tables arrive with scheduling."""
