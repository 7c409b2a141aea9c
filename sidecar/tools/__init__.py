"""What a person runs by hand; nothing in here serves requests."""
