"""The order context: takes orders, runs their workflow, passes on the moves that people make."""

import tiffin as tiffin  # first: what it sets holds for all that is imported after it
