"""What every Tiffin service shares: observability, money, the event envelope, problem details, the outbox."""
