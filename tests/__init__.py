"""What must hold, in honest tiers."""
