"""Live news, a listener of the bus: what changed reaches whoever it concerns while they look at it, by a WebSocket."""

import tiffin as tiffin  # first: what it sets holds for all that is imported after it
