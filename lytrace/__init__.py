"""lytrace."""
