"""Where an order is, and why: facts from every source, joined into one timeline and told in one sentence."""
