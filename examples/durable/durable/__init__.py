"""The order context once more, with the life of an order as a durable function instead of a state machine."""
