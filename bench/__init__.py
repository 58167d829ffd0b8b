"""The benchmark: ./dev bench."""
