"""The notifications context: tells customers by e-mail what becomes of their orders, as the bus tells it."""

import tiffin as tiffin  # first: what it sets holds for all that is imported after it
