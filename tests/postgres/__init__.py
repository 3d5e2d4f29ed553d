"""What only a real PostgreSQL shows: writers that overlap, and a server that is not as it should be."""
