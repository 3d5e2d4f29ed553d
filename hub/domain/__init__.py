"""Things and their rules; nothing here touches a database or a network by itself."""
