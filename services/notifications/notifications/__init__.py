"""The notifications context: tells customers by e-mail what becomes of their orders, as the bus tells it."""
