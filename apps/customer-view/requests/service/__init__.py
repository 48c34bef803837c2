"""Does what `domain` decides, on a `Platform`. Every step may run twice and may stop anywhere."""
