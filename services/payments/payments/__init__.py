"""The payment context: authorize, capture and release an order's money at a card gateway."""

import tiffin as tiffin  # first: what it sets holds for all that is imported after it
