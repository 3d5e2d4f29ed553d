"""From territories to accounts and network keys: what a post becomes, destination by destination. Fails closed."""
