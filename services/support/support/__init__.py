"""Where is this order, what happened to it, and why: joined from what others wrote down, for role support."""

import tiffin as tiffin  # first: what it sets holds for all that is imported after it
