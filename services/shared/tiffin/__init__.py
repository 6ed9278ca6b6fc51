"""What every Tiffin service shares: events, consumer, outbox, money, identifiers, problems, clients, telemetry."""
