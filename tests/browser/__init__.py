"""The pages in a real browser: what axe and a keyboard find, and the stories that people live."""
