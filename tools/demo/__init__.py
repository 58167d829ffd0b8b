"""The parts of ./dev demo."""
