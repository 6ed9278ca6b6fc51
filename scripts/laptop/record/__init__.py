"""What the laptop remembers: trace segments, executions, logs and events, in one file that outlives the emulator."""
