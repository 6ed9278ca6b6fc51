"""The view of the whole: it hears every domain event, like any other consumer, and counts."""
