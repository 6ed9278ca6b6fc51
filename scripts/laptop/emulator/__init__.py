"""The machine room: the emulator's process, and what is done to it so that it behaves as AWS does."""
