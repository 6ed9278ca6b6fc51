"""The contracts as a program reads them: events with their schemas and releases, their page, the state machines."""
