"""Picture files read and brought to size, and images put together to pictures."""
