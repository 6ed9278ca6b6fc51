"""The kitchens' figures, a listener of the bus by a stream: what each restaurant's kitchen did, minute by minute."""
