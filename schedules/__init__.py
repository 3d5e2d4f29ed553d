"""Time knocks: what is due is claimed, published, read back and measured."""
