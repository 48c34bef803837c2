"""What the law and the requests' own rules say: pure functions, time is always an argument."""
