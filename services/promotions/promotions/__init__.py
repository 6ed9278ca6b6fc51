"""The promo-code context: it listens to what happens to orders, issues codes, and keeps track of how they are spent."""
