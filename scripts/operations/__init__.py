"""What an operator does with a deployed stack, on AWS or on the laptop: find it, look into its queues, replay."""
