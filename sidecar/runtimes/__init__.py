"""What runs a network: torch today."""
