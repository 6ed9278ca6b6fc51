"""The promo-code context: it listens to what happens to orders, issues codes, and keeps track of how they are spent."""

import tiffin as tiffin  # first: what it sets holds for all that is imported after it
