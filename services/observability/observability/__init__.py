"""The view of the whole: it hears every domain event, like any other consumer, and counts."""

import tiffin as tiffin  # first: what it sets holds for all that is imported after it
