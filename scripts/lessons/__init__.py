"""The lessons of `docs/tour`: what each says, and the exercises of some: their scenes, and when they are solved."""
