"""The kitchens' figures, a listener of the bus by a stream: what each restaurant's kitchen did, minute by minute."""

import tiffin as tiffin  # first: what it sets holds for all that is imported after it
