"""Activities: each takes a Session, checks, changes and notes; none commits."""
