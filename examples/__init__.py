"""Programs that show lytrace at work."""
