"""What the end-to-end tests and the demo share: private servers, databases, and the daemon."""
